//! The filters against h5py, its LZF and the plug-ins of hdf5plugin: what they write we read, what we write they read, and the stored
//! filters are the same.

#![allow(unsafe_code)]

use super::pipeline::Stored;
use super::*;
use crate::dtype::DType;
use crate::tree::{BitshuffleCompressor, Filter};
use hdf5_sys::h5d::*;
use hdf5_sys::h5f::*;
use hdf5_sys::h5i::{H5Idec_ref, hid_t};
use hdf5_sys::h5p::*;
use hdf5_sys::h5s::*;
use hdf5_sys::h5t::*;
use std::ffi::CString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Python with h5py and hdf5plugin, if it is there.
fn python() -> Option<PathBuf> {
    let path = std::env::var_os("MEMH5_PYTHON").map_or_else(|| PathBuf::from("target/venv/light/bin/python"), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no Python with h5py and hdf5plugin at {} (make venv, or set MEMH5_PYTHON)", path.display());
    None
}

/// Runs a program and returns what it prints.
fn run(python: &Path, program: &str, args: &[&str]) -> String {
    let mut child = Command::new(python)
        .arg("-")
        .args(args)
        .env_remove("HDF5_PLUGIN_PATH")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the Python program failed");
    String::from_utf8(output.stdout).unwrap()
}

/// An open file, or another id.
struct Handle(hid_t);
impl Handle {
    fn own(id: hid_t) -> Self {
        assert!(id >= 0);
        Self(id)
    }
}
impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: an id of ours.
        hdf5::sync::sync(|| unsafe { H5Idec_ref(self.0) });
    }
}

fn open(path: &Path) -> Handle {
    let name = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: a C string.
    hdf5::sync::sync(|| Handle::own(unsafe { H5Fopen(name.as_ptr(), H5F_ACC_RDONLY, H5P_DEFAULT) }))
}

fn create(path: &Path) -> Handle {
    let name = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: a C string.
    hdf5::sync::sync(|| Handle::own(unsafe { H5Fcreate(name.as_ptr(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT) }))
}

fn opaque(itemsize: usize) -> Handle {
    // SAFETY: plain numbers.
    hdf5::sync::sync(|| Handle::own(unsafe { H5Tcreate(H5T_class_t::H5T_OPAQUE, itemsize) }))
}

fn list_of(dataset: &Handle) -> Handle {
    // SAFETY: an id.
    hdf5::sync::sync(|| Handle::own(unsafe { H5Dget_create_plist(dataset.0) }))
}

fn open_dataset(file: &Handle, name: &str) -> Handle {
    let name = CString::new(name).unwrap();
    // SAFETY: an id and a C string.
    hdf5::sync::sync(|| Handle::own(unsafe { H5Dopen2(file.0, name.as_ptr(), H5P_DEFAULT) }))
}

/// All bytes of a dataset in its stored type, or nothing if the library cannot read them.
fn read_all(dataset: &Handle) -> Option<Vec<u8>> {
    // SAFETY: ids, and a buffer of the dataset's size.
    hdf5::sync::sync(|| unsafe {
        let (space, dtype) = (Handle::own(H5Dget_space(dataset.0)), Handle::own(H5Dget_type(dataset.0)));
        let n = usize::try_from(H5Sget_simple_extent_npoints(space.0)).unwrap();
        let mut bytes = vec![0u8; n * H5Tget_size(dtype.0)];
        let status = H5Dread(dataset.0, dtype.0, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.as_mut_ptr().cast());
        (status >= 0).then_some(bytes)
    })
}

/// Makes a 1-D dataset with filters; returns it and whether it could be made.
fn make(file: &Handle, name: &str, dtype: hid_t, ours: &DType, len: usize, chunk: usize, filters: &[Filter]) -> Handle {
    // SAFETY: a class that the library has.
    let list = hdf5::sync::sync(|| Handle::own(unsafe { H5Pcreate(*H5P_CLS_DATASET_CREATE) }));
    let (len, chunk) = (len as u64, chunk as u64);
    // SAFETY: ids, and pointers to one axis.
    hdf5::sync::sync(|| assert!(unsafe { H5Pset_chunk(list.0, 1, &raw const chunk) } >= 0));
    for filter in filters {
        apply(list.0, filter, ours).unwrap();
    }
    let name = CString::new(name).unwrap();
    // SAFETY: as above.
    hdf5::sync::sync(|| unsafe {
        let space = Handle::own(H5Screate_simple(1, &raw const len, std::ptr::null()));
        Handle::own(H5Dcreate2(file.0, name.as_ptr(), dtype, space.0, H5P_DEFAULT, list.0, H5P_DEFAULT))
    })
}

fn write_all(dataset: &Handle, dtype: hid_t, bytes: &[u8]) {
    // SAFETY: ids, and as many bytes as the dataset has.
    let status = hdf5::sync::sync(|| unsafe { H5Dwrite(dataset.0, dtype, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.as_ptr().cast()) });
    assert!(status >= 0, "the dataset cannot be written");
}

/// The bytes of a test: a smooth ramp, noise, or one value. The Python program has the same definition.
fn content(kind: usize, n: usize) -> Vec<u8> {
    (0..n as u64)
        .map(|k| match kind {
            0 => (k / 24) as u8,
            1 => (k.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 40) as u8,
            _ => 3,
        })
        .collect()
}

const CONTENT: &str = "
def content(kind, n):
    k = numpy.arange(n, dtype='u8')
    if kind == 0: return (k // 24).astype('u1')
    if kind == 1: return ((k * numpy.uint64(6364136223846793005) + numpy.uint64(1442695040888963407)) >> numpy.uint64(40)).astype('u1')
    return numpy.full(n, 3, 'u1')
";

const LENGTHS: [(usize, usize); 6] = [(1, 1), (7, 7), (8, 8), (1000, 1000), (1003, 301), (20_011, 20_011)];

fn filters() -> Vec<(&'static str, Filter)> {
    let bitshuffle = |block_size, compressor| Filter::Bitshuffle { block_size, compressor };
    vec![
        ("lzf", Filter::Lzf),
        ("bs", bitshuffle(0, BitshuffleCompressor::None)),
        ("bs64", bitshuffle(64, BitshuffleCompressor::None)),
        ("bslz", bitshuffle(0, BitshuffleCompressor::Lz4)),
        ("bslz8", bitshuffle(8, BitshuffleCompressor::Lz4)),
        ("bslz2048", bitshuffle(2048, BitshuffleCompressor::Lz4)),
        ("bszs", bitshuffle(0, BitshuffleCompressor::Zstd(3))),
        ("bszs512", bitshuffle(512, BitshuffleCompressor::Zstd(0))),
        ("zstd", Filter::Zstd(3)),
        ("zstd1", Filter::Zstd(1)),
    ]
}

const PEER_FILTERS: &str = "
B = hdf5plugin.Bitshuffle
filters = {'lzf': dict(compression='lzf'), 'bs': B(0, 'none'), 'bs64': B(64, 'none'), 'bslz': B(0, 'lz4'), 'bslz8': B(8, 'lz4'),
  'bslz2048': B(2048, 'lz4'), 'bszs': B(0, 'zstd'), 'bszs512': B(512, 'zstd', 0), 'zstd': hdf5plugin.Zstd(3), 'zstd1': hdf5plugin.Zstd(1)}
";

/// The stored filters, but for the version that bitshuffle's writer puts first: 0.4 and 0.5 are one format.
fn settings(list: hid_t) -> Vec<Stored> {
    let mut all = stored(list).unwrap();
    for one in &mut all {
        if let (32008, [0, minor @ (4 | 5), ..]) = (one.id, &mut one.values[..]) {
            *minor = 5;
        }
    }
    all
}

fn stored_of(file: &Handle, name: &str) -> Vec<Stored> {
    stored(list_of(&open_dataset(file, name)).0).unwrap()
}

#[test]
fn what_the_plugins_write_we_read() {
    let Some(python) = python() else { return };
    register_all();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("theirs.h5");
    let program = format!(
        "import sys, numpy, h5py, hdf5plugin\n{CONTENT}{PEER_FILTERS}
with h5py.File(sys.argv[1], 'w') as f:
    for name, filter in filters.items():
        for size in range(1, 17):
            for length, chunk in {LENGTHS:?}:
                for kind in range(3):
                    data = content(kind, length * size).view(f'V{{size}}')
                    f.create_dataset(f'{{name}}/{{size}}/{{length}}/{{kind}}', data=data, chunks=(chunk,), **filter)
"
    );
    run(&python, &program, &[path.to_str().unwrap()]);
    let (file, ours) = (open(&path), create(&dir.path().join("ours.h5")));
    let mut n = 0;
    for (name, filter) in filters() {
        for size in 1..17 {
            let (dtype, as_ours) = (opaque(size), DType::Opaque { size, tag: "".into() });
            for (length, chunk) in LENGTHS {
                for kind in 0..3 {
                    let at = format!("{name}/{size}/{length}/{kind}");
                    let dataset = open_dataset(&file, &at);
                    assert_eq!(read_all(&dataset).as_deref(), Some(&content(kind, length * size)[..]), "{at}");
                    let list = list_of(&dataset);
                    assert_eq!(read(list.0).unwrap(), std::slice::from_ref(&filter), "{at}");
                    if kind == 0 {
                        let mine = make(&ours, &at.replace('/', " "), dtype.0, &as_ours, length, chunk, &read(list.0).unwrap());
                        assert_eq!(settings(list_of(&mine).0), settings(list.0), "{at}");
                    }
                    n += 1;
                }
            }
        }
    }
    assert_eq!(n, 10 * 16 * 6 * 3);
}

#[test]
fn what_we_write_the_plugins_read() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ours.h5");
    let file = create(&path);
    for (name, filter) in filters() {
        for size in 1..17 {
            let (dtype, as_ours) = (opaque(size), DType::Opaque { size, tag: "".into() });
            for (length, chunk) in LENGTHS {
                for kind in 0..3 {
                    let at = format!("{name} {size} {length} {kind}");
                    let dataset = make(&file, &at, dtype.0, &as_ours, length, chunk, std::slice::from_ref(&filter));
                    write_all(&dataset, dtype.0, &content(kind, length * size));
                }
            }
        }
    }
    drop(file);
    let program = format!(
        "import sys, numpy, h5py, hdf5plugin\n{CONTENT}{PEER_FILTERS}
n = skipped = 0
with h5py.File(sys.argv[1]) as f:
    for at, d in f.items():
        name, size, length, kind = at.split()
        size, length, kind = int(size), int(length), int(kind)
        assert d[()].tobytes() == content(kind, length * size).tobytes(), at
        plist = d.id.get_create_plist()
        twin = h5py.File.in_memory() if hasattr(h5py.File, 'in_memory') else h5py.File('x', 'w', driver='core', backing_store=False)
        t = twin.create_dataset('d', data=d[()], chunks=d.chunks, **filters[name])
        ours, peers = plist.get_filter(0), t.id.get_create_plist().get_filter(0)
        if ours[0] == 32008:  # the writer's version, 0.4 or 0.5, comes first
            ours, peers = (*ours[:2], ours[2][2:]), (*peers[:2], peers[2][2:])
        assert ours[:3] == peers[:3], (at, ours, peers)
        twin.close()
        skipped += any(d.id.get_chunk_info(k).filter_mask for k in range(d.id.get_num_chunks()))
        n += 1
print(n, skipped)
"
    );
    let told = run(&python, &program, &[path.to_str().unwrap()]);
    let (n, skipped) = told.trim().split_once(' ').unwrap();
    assert_eq!(n, (10 * 16 * 6 * 3).to_string());
    // LZF leaves what it cannot shrink as it is; nothing else does.
    let skipped: usize = skipped.parse().unwrap();
    assert!(skipped > 0 && skipped <= 16 * 6 * 3, "{skipped}");
}

#[test]
fn stored_filters_are_equal_after_a_round_trip() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.h5");
    let program = "
import sys, numpy, h5py, hdf5plugin
from h5py import h5z, h5p, h5d, h5s, h5t
with h5py.File(sys.argv[1], 'w') as f:
    def make(name, dtype, *sets, fill=None):
        p = h5p.create(h5p.DATASET_CREATE); p.set_chunk((50,))
        if fill is not None: p.set_fill_value(numpy.array(fill, dtype))
        for s in sets: s(p)
        d = h5d.create(f.id, name.encode(), h5t.py_create(numpy.dtype(dtype)), h5s.create_simple((120,)), p)
        d.write(h5s.ALL, h5s.ALL, numpy.arange(120).astype(dtype))
    def set(code, flag, *values): return lambda p: p.set_filter(code, flag, values)
    for dtype in ['<i4', '>i4', '<u8', '<i2', '<f4', '>f8']:
        t = dtype.replace('<', 'l').replace('>', 'b')
        make('gzip' + t, dtype, lambda p: p.set_deflate(7))
        make('all' + t, dtype, lambda p: p.set_shuffle(), lambda p: p.set_deflate(0), lambda p: p.set_fletcher32())
        make('first' + t, dtype, lambda p: p.set_fletcher32(), set(32000, 1))
        make('szip ec' + t, dtype, lambda p: p.set_szip(h5z.SZIP_EC_OPTION_MASK, 8)) if h5z.get_filter_info(4) & 1 else None
        make('szip nn' + t, dtype, lambda p: p.set_szip(h5z.SZIP_NN_OPTION_MASK, 32)) if h5z.get_filter_info(4) & 1 else None
        if 'f' in dtype: make('so' + t, dtype, lambda p: p.set_scaleoffset(h5z.SO_FLOAT_DSCALE, 3))
        else:
            make('so' + t, dtype, lambda p: p.set_scaleoffset(h5z.SO_INT, 0))
            make('so9' + t, dtype, lambda p: p.set_scaleoffset(h5z.SO_INT, 9), fill=5)
        make('nbit' + t, dtype, set(5, 1))
        make('strict' + t, dtype, set(2, 0), set(1, 0, 4))
        make('strange' + t, dtype, set(32008, 1), set(32015, 1))
        make('block' + t, dtype, set(32008, 1, 16))
        make('level' + t, dtype, set(32008, 0, 0, 3))
        make('fast' + t, dtype, set(32015, 1, 2**32 - 5))
        make('oldlzf' + t, dtype, set(32000, 1, 3, 261))
        make('lz4' + t, dtype, set(32004, 1, 0))
";
    run(&python, program, &[path.to_str().unwrap()]);
    // SAFETY: the library's own types.
    let types = hdf5::sync::sync(|| {
        [
            ("li4", *H5T_STD_I32LE, DType::I32),
            ("bi4", *H5T_STD_I32BE, DType::I32),
            ("lu8", *H5T_STD_U64LE, DType::U64),
            ("li2", *H5T_STD_I16LE, DType::I16),
            ("lf4", *H5T_IEEE_F32LE, DType::F32),
            ("bf8", *H5T_IEEE_F64BE, DType::F64),
        ]
    });
    let (file, ours) = (open(&path), create(&dir.path().join("ours.h5")));
    let names = run(&python, "import sys, h5py\nprint('\\n'.join(h5py.File(sys.argv[1])))", &[path.to_str().unwrap()]);
    let mut seen = 0;
    for name in names.lines() {
        let theirs = list_of(&open_dataset(&file, name));
        let filters = read(theirs.0).unwrap();
        let (_, dtype, as_ours) = types.iter().find(|t| name.ends_with(t.0)).unwrap();
        let expected_other = ["strict", "strange", "block", "level", "oldlzf", "lz4"].iter().any(|p| name.starts_with(p));
        assert_eq!(filters.iter().any(|f| matches!(f, Filter::Other { .. })), expected_other, "{name}: {filters:?}");
        let mine = make(&ours, name, *dtype, as_ours, 120, 50, &filters);
        let (got, mut wanted) = (settings(list_of(&mine).0), settings(theirs.0));
        if name.starts_with("so9") {
            // The fill value is among the parameters, and this copy has none.
            wanted[0].values.truncate(8);
            assert_eq!(got[0].values[..7], wanted[0].values[..7], "{name}");
        } else {
            assert_eq!(got, wanted, "{name}");
        }
        seen += 1;
    }
    assert!(seen > 70, "{seen}");
}

#[test]
fn caputs_chunks_are_read() {
    let Some(path) = std::env::var_os("MEMH5_SAMPLES").map(|p| PathBuf::from(p).join("caput/serial_all.h5")).filter(|p| p.exists()) else {
        eprintln!("SKIPPED: no sample files (set MEMH5_SAMPLES)");
        return;
    };
    register_all();
    let file = open(&path);
    let plain = read_all(&open_dataset(&file, "chunked/gzip")).unwrap();
    assert_eq!(plain.len(), 70 * 8);
    let lz4 = Filter::Bitshuffle { block_size: 0, compressor: BitshuffleCompressor::Lz4 };
    for (name, filter, values) in
        [("bitshuffle_lz4", lz4, &[0, 5, 8, 0, 2][..]), ("lzf", Filter::Lzf, &[4, 261, 96]), ("gzip", Filter::Gzip(6), &[6])]
    {
        let dataset = open_dataset(&file, &format!("chunked/{name}"));
        assert_eq!(read(list_of(&dataset).0).unwrap(), [filter], "{name}");
        assert_eq!(stored_of(&file, &format!("chunked/{name}"))[0].values, values, "{name}");
        assert_eq!(read_all(&dataset).unwrap(), plain, "{name}");
    }
}

#[test]
fn a_damaged_chunk_is_an_error_of_the_library() {
    register_all();
    let dir = tempfile::tempdir().unwrap();
    let data = content(0, 4096 * 4);
    for (name, filter) in filters() {
        let path = dir.path().join(name);
        let dtype = opaque(4);
        let file = create(&path);
        let dataset = make(&file, "d", dtype.0, &DType::Opaque { size: 4, tag: "".into() }, 4096, 4096, &[filter]);
        write_all(&dataset, dtype.0, &data);
        // SAFETY: ids and pointers to locals.
        let (at, len) = hdf5::sync::sync(|| unsafe {
            let (mut at, mut mask, mut len, zero) = (0, 0, 0, 0u64);
            assert!(H5Dget_chunk_info_by_coord(dataset.0, &raw const zero, &raw mut mask, &raw mut at, &raw mut len) >= 0);
            (at as usize, len as usize)
        });
        drop((dataset, file));
        let bytes = std::fs::read(&path).unwrap();
        let mut refused = 0;
        for (k, flip) in (0..len).step_by(1 + len / 200).zip([1u8, 128, 255, 7].into_iter().cycle()) {
            let mut bad = bytes.clone();
            bad[at + k] ^= flip;
            let path = dir.path().join("bad");
            std::fs::write(&path, &bad).unwrap();
            let file = open(&path);
            refused += usize::from(read_all(&open_dataset(&file, "d")).is_none());
        }
        let checked = !["bs", "bs64"].contains(&name);
        assert_eq!(refused > 0, checked, "{name}: {refused} damaged chunks were refused");
    }
}
