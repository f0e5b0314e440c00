//! Zarr stores: for zarr-python and of it, both versions; nothing is made anew because something was not found; faults.

use super::peer;
use memh5::format::zarr::{ZarrOptions, ZarrVersion};
use memh5::publish::{Fault, FaultFileSystem};
use memh5::saver::*;
use memh5::tree::Mode;
use memh5::{AnyArray, ErrorKind, format, prelude::*};
use ndarray::array;
use std::path::Path;

fn zarr_python(dir: &Path, code: &str) -> Option<String> {
    let python = peer::h5py()?;
    let script = dir.join("script.py");
    std::fs::write(&script, format!("import zarr, numpy as np, os\nos.chdir({:?})\n{code}\n", dir.to_str().unwrap())).unwrap();
    Some(peer::run(&python, &script, &[]))
}

/// raygent's test_append, test_overwrite and test_update of Zarr, read by zarr-python, and its arrays grown.
#[test]
fn zarr_python_reads_and_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for (version, name) in [(ZarrVersion::V3, "three"), (ZarrVersion::V2, "two")] {
        let saver = ZarrSaver::new(dir.path().join(name), "g/d").store_options(ZarrOptions::default().version(version));
        saver.append(vec![1i64, 2, 3, 4, 5]).unwrap();
        saver.append(vec![6i64, 7]).unwrap();
        saver.update(vec![99i64, 98], vec![2, 1]).unwrap();
    }
    let code = r"
for name, v in [('three', 3), ('two', 2)]:
    a = zarr.open_array(name + '/g/d', mode='r+')
    assert a[:].tolist() == [1, 98, 99, 4, 5, 6, 7] and a.metadata.zarr_format == v, a[:]
    a.append(np.array([8]))
    zarr.open_group(name, mode='a').create_array('py', data=np.arange(6.).reshape(3, 2), chunks=(2, 2))
";
    if zarr_python(dir.path(), code).is_none() {
        return;
    }
    for name in ["three", "two"] {
        let path = dir.path().join(name);
        ZarrSaver::new(&path, "g/d").append(vec![9i64]).unwrap();
        ZarrSaver::new(&path, "py").append(array![[6.0, 7.0]]).unwrap();
        ZarrSaver::new(&path, "py").update(-1.0, (vec![3, 0], 1)).unwrap();
        ZarrSaver::new(&path, "g/d").overwrite(vec![0.5]).unwrap();
        ZarrSaver::new(&path, "g/d").append(vec![1.5]).unwrap();
    }
    let code = r"
for name in ['three', 'two']:
    g = zarr.open_group(name, mode='r')
    assert g['g/d'][:].tolist() == [0.5, 1.5], g['g/d'][:]
    assert g['py'][:].tolist() == [[0, -1], [2, 3], [4, 5], [6, -1]], g['py'][:]
    assert sorted(g.keys()) == ['g', 'py'] and sorted(g['g'].keys()) == ['d']
";
    zarr_python(dir.path(), code).unwrap();
}

#[test]
fn nothing_is_made_anew_because_it_was_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let saver = ZarrSaver::new(&path, "d");
    saver.append(vec![1, 2, 3]).unwrap();
    let metadata = path.join("d/zarr.json");
    let kept = std::fs::read(&metadata).unwrap();
    std::fs::remove_file(&metadata).unwrap();
    for result in [saver.append(vec![4]), saver.overwrite(vec![4])] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    assert!(saver.update(4, 0).is_err());
    std::fs::write(&metadata, b"{").unwrap();
    assert_eq!(saver.append(vec![4]).unwrap_err().kind(), ErrorKind::Corrupt);
    std::fs::write(&metadata, kept).unwrap();
    saver.append(vec![4]).unwrap();
    assert_eq!(saver.load().unwrap(), AnyArray::from(vec![1, 2, 3, 4]));
}

#[test]
fn bad_places_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    std::fs::write(&path, b"").unwrap();
    let saver = ZarrSaver::new(&path, "d");
    assert_eq!(saver.append(vec![1]).unwrap_err().kind(), ErrorKind::Corrupt);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(saver.update(1, 0).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!path.exists(), "an update makes nothing");
    saver.append(vec![1]).unwrap();
    let root = format::open(&path, Mode::ReadWrite).unwrap();
    root.create_group("g").unwrap();
    root.close_tree().unwrap();
    assert_eq!(ZarrSaver::new(&path, "g").append(vec![1]).unwrap_err().kind(), ErrorKind::NotADataset);
    assert_eq!(ZarrSaver::new(&path, "g").overwrite(vec![1]).unwrap_err().kind(), ErrorKind::NotADataset);
    assert_eq!(ZarrSaver::new(&path, "d/x").append(vec![1]).unwrap_err().kind(), ErrorKind::NotAGroup);
    assert_eq!(ZarrSaver::new(dir.path().join("no/store"), "d").append(vec![1]).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(ZarrSaver::new(&path, "../d").append(vec![1]).is_err());
}

/// Every call fails in turn, or the process dies there: appends, overwrites and updates of several chunks are all or nothing.
#[test]
fn every_call_fails_in_turn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let start: Vec<i64> = (0..300).collect();
    for approach in [Approach::Append, Approach::Overwrite, Approach::Update] {
        for fault in [Fault::Io, Fault::NoSpace, Fault::Crash] {
            // Every fifth call, another one for each kind of fault: a store makes many.
            for n in (1 + fault as u64 % 5..).step_by(5) {
                let options = SaveOptions::new().chunks([100]);
                let plain = ZarrSaver::new(&path, "a/d").with_options(options.clone());
                plain.save(start.clone(), Indices::NONE, &SaveOptions::new().approach(Approach::Overwrite)).unwrap();
                plain.append(vec![9i64; 50]).unwrap();
                let before = plain.load().unwrap();
                let data = AnyArray::from(vec![-1i64; 120]);
                let faulty = FaultFileSystem::new();
                let saver = ZarrSaver::new(&path, "a/d").with_options(options).file_system(faulty.clone());
                faulty.fail_call(n, fault);
                let indices = if approach == Approach::Update { Indices::from(150..270) } else { Indices::NONE };
                let result = saver.save_array(&data, &indices, &SaveOptions::new().approach(approach));
                let what = format!("{approach:?} {fault:?} at call {n}: {result:?}");
                let mut after = before.clone();
                match approach {
                    Approach::Append => after.append(&data).unwrap(),
                    Approach::Update => {
                        let mut all = after.to_array::<i64>().unwrap();
                        all.slice_axis_mut(ndarray::Axis(0), (150..270).into()).fill(-1);
                        after = all.into();
                    }
                    Approach::Overwrite => after = data.clone(),
                }
                let found = plain.load().unwrap_or_else(|e| panic!("{what}: {e}"));
                assert!(found == before || found == after, "{what}: torn");
                if result.is_ok() {
                    assert_eq!(found, after, "{what}: an acknowledged save is lost");
                }
                plain.append(vec![5i64]).unwrap_or_else(|e| panic!("{what}, then: {e}"));
                assert_eq!(plain.load().unwrap().len(), found.len() + 1, "{what}");
                if !faulty.has_failed() {
                    break;
                }
            }
        }
    }
}
