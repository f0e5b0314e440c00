//! Filters that other programs write, through files of theirs and of ours: Blosc, LZ4, bzip2 (the others are tested beside their code).

use memh5::{Filter, Mode, format, prelude::*};
use std::path::PathBuf;
use std::process::Command;

const KINDS: &str = "
import sys, numpy as np, h5py, hdf5plugin as p
B = p.Blosc
kinds = {'blosc': B(), 'zlib': B('zlib', 9, B.SHUFFLE), 'zstd_bits': B('zstd', 3, B.BITSHUFFLE), 'lz4hc': B('lz4hc', 1, B.NOSHUFFLE), 'blosclz': B('blosclz', 5, B.SHUFFLE),
  'stored': B('lz4', 0, B.NOSHUFFLE), 'lz4': p.LZ4(), 'lz4_blocks': p.LZ4(nbytes=100), 'bzip2': p.BZip2(), 'bzip2_1': p.BZip2(blocksize=1)}
noise = np.random.default_rng(1).integers(0, 1 << 62, 3000).reshape(60, 50)
ramp = (np.arange(3000) // 7).reshape(60, 50)
types = ['<f8', '>i2', 'u1', 'S300', [('a', '<f4'), ('b', 'S3')], ('<i4', (2, 3))]
def content(data, t):
    if t == 'S300': return data.astype('S20').astype(t)
    if isinstance(t, list): return np.stack([data % 100, data], -1).astype('<i2').reshape(60, 100)[:, :50].astype('<f4').astype([('a', '<f4'), ('b', 'S3')])
    if isinstance(t, tuple): return np.repeat(data[..., None] % 1000, 6, -1).reshape(60, 50, 2, 3).astype('<i4')
    return (data % 30000).astype(t)
";

fn run(script: &str, file: &std::path::Path) -> bool {
    let python = std::env::var_os("MEMH5_PYTHON").map_or_else(|| PathBuf::from("target/venv/light/bin/python"), PathBuf::from);
    if !python.exists() {
        eprintln!("SKIPPED: no Python with h5py and hdf5plugin at {}", python.display());
        return false;
    }
    let output = Command::new(python).args(["-c", &format!("{KINDS}{script}")]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn blosc_lz4_and_bzip2_are_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, ours) = (dir.path().join("theirs.h5"), dir.path().join("ours.h5"));
    let made = run(
        "
with h5py.File(sys.argv[1], 'w') as f:
    for name, kind in kinds.items():
        for n, t in enumerate(types):
            for what, data in (('ramp', ramp), ('noise', noise)):
                c = content(data, t)
                dt = np.dtype(t) if not isinstance(t, tuple) else np.dtype('<i4')
                d = f.create_dataset(f'{name}/{n}/{what}', shape=(60, 50), dtype=t, chunks=(17, 50), **kind)
                d[...] = c
",
        &theirs,
    );
    if !made {
        return;
    }
    let file = format::open(&theirs, Mode::Read).unwrap();
    let spec = |name: &str| file.dataset(&format!("{name}/0/ramp")).unwrap().spec().unwrap().filters;
    for (kind, name) in [("blosc", "blosc"), ("zstd_bits", "blosc"), ("lz4_blocks", "lz4"), ("bzip2_1", "bzip2")] {
        assert_eq!(spec(kind).iter().map(Filter::name).collect::<Vec<_>>(), [name]);
    }
    let tree = memh5::MemGroup::from_file(&theirs).unwrap();
    tree.to_file(&ours).unwrap();
    run(
        "
with h5py.File(sys.argv[1]) as f, h5py.File(sys.argv[1].replace('ours', 'theirs')) as g:
    n = 0
    def visit(name, d):
        global n
        if isinstance(d, h5py.Dataset):
            _, t, what = name.split('/')
            assert (d[()] == content(ramp if what == 'ramp' else noise, types[int(t)])).all(), name
            mine, yours = d.id.get_create_plist().get_filter(0), g[name].id.get_create_plist().get_filter(0)
            assert mine[:3] == yours[:3], (name, mine, yours)
            if what == 'ramp': assert d.id.get_storage_size() <= 1.2 * g[name].id.get_storage_size() + 100, name
            n += 1
    f.visititems(visit)
    assert n == len(kinds) * len(types) * 2, n
",
        &ours,
    );
}

#[test]
fn a_filter_that_nobody_has_says_what_to_do() {
    let tree = memh5::format::hdf5::Hdf5File::in_memory().unwrap().root().unwrap();
    let unknown = Filter::Other { id: 32026, optional: false, values: vec![] };
    let error = tree.create_dataset("x").chunks([2]).filter(unknown).write(vec![1i32, 2, 3]).unwrap_err();
    assert_eq!(error.kind(), memh5::ErrorKind::Unsupported);
    assert!(error.to_string().contains("HDF5_PLUGIN_PATH"), "{error}");
}
