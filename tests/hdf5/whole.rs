//! Whole datasets on disk: those that are read past the library, and those that it has to read.

use super::interop::{python, run};
use memh5::format::hdf5::{Hdf5File, LibraryBound};
use memh5::prelude::*;
use memh5::{AnyArray, Cast, DType, Mode};

const ROWS: usize = 60_000;

/// Numbers that tell where they are; an odd number of rows, so that the last chunk is cut.
fn numbers(rows: usize, width: usize) -> AnyArray {
    AnyArray::from((0..rows * width).map(|i| (i * 7) as f64).collect::<Vec<_>>()).reshape(&[rows, width]).unwrap()
}

#[test]
fn whole_datasets_come_back_whatever_their_chunks() {
    let dir = tempfile::tempdir().unwrap();
    for (bound, name) in [(LibraryBound::V18, "v18.h5"), (LibraryBound::V110, "v110.h5")] {
        let path = dir.path().join(name);
        let file = Hdf5File::options().bound(bound).open(&path, Mode::Truncate).unwrap();
        let root = file.root().unwrap();
        let data = numbers(ROWS + 1, 3);
        let rows = |n: usize| data.select(0..n).unwrap();
        root.create_dataset("contiguous").write(data.clone()).unwrap();
        // One chunk, a leaf of them, and more than a node of the index holds.
        for chunk in [ROWS + 1, 5000, 300] {
            root.create_dataset(&format!("chunks_{chunk}")).chunks([chunk, 3]).write(data.clone()).unwrap();
        }
        root.create_dataset("columns").chunks([4096, 2]).write(data.clone()).unwrap();
        root.create_dataset("packed").chunks([4096, 3]).gzip(1).write(data.clone()).unwrap();
        // Chunks in any order, and attributes enough for the header to have several parts.
        let backwards = root.create_dataset("backwards").shape([ROWS + 1, 3]).chunks([1000, 3]).dtype(DType::F64).create().unwrap();
        for k in 0..10 {
            backwards.attrs().set(&format!("attribute {k}"), "x".repeat(200)).unwrap();
        }
        for first in (0..=60).rev().map(|k| k * 1000usize) {
            let part = data.select(first..(first + 1000).min(ROWS + 1)).unwrap();
            backwards.write_slice(first..(first + 1000).min(ROWS + 1), part).unwrap();
        }
        // Chunks that nobody wrote, in the middle and at the end.
        let sparse =
            root.create_dataset("sparse").shape([ROWS + 1, 3]).chunks([1000, 3]).dtype(DType::F64).fill_value(-1.0).create().unwrap();
        sparse.write_slice(20_000..30_000, data.select(20_000..30_000).unwrap()).unwrap();
        // Shorter than it was, and longer.
        let cut = root.create_dataset("cut").chunks([1000, 3]).maxshape([None, Some(3)]).write(data.clone()).unwrap();
        cut.resize([50_500, 3]).unwrap();
        let grown = root.create_dataset("grown").chunks([1000, 3]).maxshape([None, Some(3)]).write(rows(50_500)).unwrap();
        grown.resize([ROWS + 1, 3]).unwrap();
        file.close().unwrap();

        let file = Hdf5File::open(&path, Mode::Read).unwrap();
        let root = file.root().unwrap();
        let read = |name: &str| root.dataset(name).unwrap().read_array().unwrap();
        for name in ["contiguous", "chunks_60001", "chunks_5000", "chunks_300", "columns", "packed", "backwards"] {
            // Twice: the second time into the memory of the first.
            assert!(read(name) == data, "{name}");
            assert!(read(name) == data, "{name}, again");
        }
        let sparse = read("sparse");
        assert!(sparse.select(20_000..30_000).unwrap() == data.select(20_000..30_000).unwrap());
        assert!(sparse.select(0..20_000).unwrap().view::<f64>().unwrap().iter().all(|v| *v == -1.0));
        assert!(sparse.select(30_000..60_001).unwrap().view::<f64>().unwrap().iter().all(|v| *v == -1.0));
        assert!(read("cut") == rows(50_500));
        let grown = read("grown");
        assert!(grown.select(0..50_500).unwrap() == rows(50_500));
        assert!(grown.select(50_500..60_001).unwrap().view::<f64>().unwrap().iter().all(|v| *v == 0.0));
    }
}

#[test]
fn damage_below_the_library_is_no_other_data() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.h5");
    let file = Hdf5File::create(&path).unwrap();
    let data = numbers(ROWS, 3);
    file.root().unwrap().create_dataset("a").chunks([300, 3]).write(data.clone()).unwrap();
    file.close().unwrap();
    let good = std::fs::read(&path).unwrap();
    // Every node of the index in turn: another signature, level, number of entries, sibling.
    let nodes: Vec<usize> = good.windows(6).enumerate().filter(|(_, w)| w.starts_with(b"TREE\x01")).map(|(at, _)| at).collect();
    assert!(nodes.len() > 3, "{}", nodes.len());
    for at in nodes {
        for (offset, byte) in [(0, b'X'), (5, 7), (6, 0), (6, 0xff), (16, 1)] {
            let mut bad = good.clone();
            bad[at + offset] = byte;
            std::fs::write(&path, &bad).unwrap();
            let Ok(file) = Hdf5File::open(&path, Mode::Read) else { continue };
            // What the library makes of it in parts, or the data: it does not look at all of a node.
            let Ok(a) = file.root().and_then(|r| r.dataset("a")) else { continue };
            let Ok(whole) = a.read_array() else { continue };
            let half = |from: usize, to: usize| a.read_selection(&(from..to).into());
            let (Ok(mut parts), Ok(second)) = (half(0, ROWS / 2), half(ROWS / 2, ROWS)) else { continue };
            parts.append(&second).unwrap();
            assert!(whole == data || whole == parts, "byte {offset} of the node at {at}");
        }
    }
}

const WRITE: &str = r#"
import sys, h5py, numpy as np
a = np.arange(600000.).reshape(-1, 3)
for libver in ("earliest", "latest"):
    with h5py.File(f"{sys.argv[1]}.{libver}", "w", libver=libver) as f:
        f.create_dataset("auto", data=a, chunks=True)
        f.create_dataset("rows", data=a, chunks=(170, 3), maxshape=(None, 3))
        f.create_dataset("swapped", data=a.astype(">f8"), chunks=(1000, 3))
        f.create_dataset("contiguous", data=a.astype("<f4"))
        d = f.create_dataset("many", data=a, chunks=(2000, 3))
        for k in range(30):
            d.attrs[f"a{k}"] = "y" * 300
"#;

#[test]
fn whole_datasets_of_h5py() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("peer.h5");
    run(&python, WRITE, &base);
    let data: Vec<f64> = (0..600_000).map(f64::from).collect();
    for version in ["earliest", "latest"] {
        let file = Hdf5File::open(format!("{}.{version}", base.display()), Mode::Read).unwrap();
        for name in ["auto", "rows", "swapped", "contiguous", "many"] {
            let read = file.root().unwrap().dataset(name).unwrap().read_array().unwrap();
            assert_eq!(read.shape(), [200_000, 3], "{name}");
            assert!(read.astype(&DType::F64, Cast::Safe).unwrap().view::<f64>().unwrap().iter().eq(&data), "{version} {name}");
        }
    }
}
