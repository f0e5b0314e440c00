//! raygent's own savers as the peer: they extend, update and replace what ours have made, and ours what theirs have.
//!
//! raygent is on no package index, and its licence allows no use for business; so no recipe installs it here. `MEMH5_RAYGENT_PYTHON` names a Python that
//! has it, with h5py and zarr; the last result is in docs/interop.md.

use super::peer;
use memh5::AnyArray;
use memh5::saver::*;
use std::path::{Path, PathBuf};

/// One save by raygent, and what a plain reader finds after it.
fn theirs(python: &Path, dir: &Path, kind: &str, approach: &str, data: &str, indices: &str) -> String {
    let script = dir.join("script.py");
    let code = format!(
        r#"
import os, sys
import numpy as np
os.chdir({dir:?})
from raygent.savers import HDF5Saver, NumpySaver, ZarrSaver
kind, approach = {kind:?}, {approach:?}
saver = {{"hdf5": lambda: HDF5Saver("x.h5", "night/vis", approach), "npy": lambda: NumpySaver("x.npy", approach),
         "zarr": lambda: ZarrSaver("x.zarr", "night/vis", approach)}}[kind]()
saver.save({data}, indices={indices})
if kind == "hdf5":
    import h5py
    found = h5py.File("x.h5", "r")["night/vis"][()]
elif kind == "npy":
    found = np.load("x.npy")
else:
    import zarr
    found = zarr.open_array("x.zarr/night/vis", mode="r")[:]
print(found.dtype.str, found.tolist())
"#
    );
    std::fs::write(&script, code).unwrap();
    peer::run(python, &script, &[]).trim().to_owned()
}

fn ours(dir: &Path, kind: &str) -> Option<Box<dyn Saver>> {
    Some(match kind {
        "hdf5" => Box::new(Hdf5Saver::new(dir.join("x.h5"), "night/vis")),
        "npy" => Box::new(NumpySaver::new(dir.join("x.npy"))),
        #[cfg(feature = "zarr")]
        "zarr" => Box::new(ZarrSaver::new(dir.join("x.zarr"), "night/vis")),
        _ => return None,
    })
}

#[test]
fn raygent_and_ours_take_turns() {
    let Some(python) = std::env::var_os("MEMH5_RAYGENT_PYTHON").map(PathBuf::from) else {
        eprintln!("SKIPPED raygent_and_ours_take_turns: set MEMH5_RAYGENT_PYTHON to a Python that has raygent");
        return;
    };
    for kind in ["hdf5", "npy", "zarr"] {
        for ours_first in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            let Some(saver) = ours(dir, kind) else { continue };
            let theirs = |approach: &str, data: &str, indices: &str| theirs(&python, dir, kind, approach, data, indices);
            let holds =
                |wanted: &[f64]| assert_eq!(saver.load().unwrap(), AnyArray::from(wanted.to_vec()), "{kind}, ours first: {ours_first}");
            // Who begins makes the file; then each extends it.
            if ours_first {
                saver.append(vec![1.0, 2.0]).unwrap();
                assert_eq!(theirs("append", "[3.0]", "None"), "<f8 [1.0, 2.0, 3.0]", "{kind}");
            } else {
                assert_eq!(theirs("append", "[1.0, 2.0]", "None"), "<f8 [1.0, 2.0]", "{kind}");
                saver.append(vec![3.0]).unwrap();
            }
            holds(&[1.0, 2.0, 3.0]);
            saver.append(vec![4.0, 5.0]).unwrap();
            assert_eq!(theirs("append", "[6.0]", "None"), "<f8 [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]", "{kind}");
            // Each updates what the other has saved.
            assert_eq!(theirs("update", "[30.0, 40.0]", "[2, 3]"), "<f8 [1.0, 2.0, 30.0, 40.0, 5.0, 6.0]", "{kind}");
            saver.update(vec![-6.0, -1.0], vec![5, 0]).unwrap();
            holds(&[-1.0, 2.0, 30.0, 40.0, 5.0, -6.0]);
            // Each replaces what the other has saved; ours extends a dataset of a fixed size, as theirs leaves it.
            assert_eq!(theirs("overwrite", "[7.5]", "None"), "<f8 [7.5]", "{kind}");
            holds(&[7.5]);
            saver.append(vec![8.5]).unwrap();
            assert_eq!(theirs("append", "[9.5]", "None"), "<f8 [7.5, 8.5, 9.5]", "{kind}");
            saver.overwrite(vec![0.25]).unwrap();
            assert_eq!(theirs("append", "[0.5]", "None"), "<f8 [0.25, 0.5]", "{kind}");
            holds(&[0.25, 0.5]);
        }
        // Of several axes: theirs cannot make them by an append, but extends ours.
        let dir = tempfile::tempdir().unwrap();
        let Some(saver) = ours(dir.path(), kind) else { continue };
        saver.append(ndarray::array![[1.0, 2.0]]).unwrap();
        assert_eq!(theirs(&python, dir.path(), kind, "append", "[[3.0, 4.0]]", "None"), "<f8 [[1.0, 2.0], [3.0, 4.0]]", "{kind}");
        saver.append(ndarray::array![[5.0, 6.0]]).unwrap();
        assert_eq!(saver.load().unwrap(), ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].into());
    }
}
