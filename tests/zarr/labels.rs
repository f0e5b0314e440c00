//! The names of axes: `DIMENSION_LABELS` of HDF5, `dimension_names` of Zarr 3, `_ARRAY_DIMENSIONS` of xarray.

use crate::peer;
use memh5::copy::DeepCopy;
use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::tree::{DatasetSpec, Group};
use memh5::{AnyArray, DType, MemGroup, Mode};
use serde_json::{Value, json};
use std::path::Path;

const LABELS: &str = "DIMENSION_LABELS";

fn labelled() -> MemGroup {
    let tree = MemGroup::new();
    let all = tree.create_dataset("all").shape([2, 3]).dtype(DType::F32).create().unwrap();
    all.attrs().set(LABELS, vec!["time".to_owned(), "freq".into()]).unwrap();
    all.attrs().set("units", "K").unwrap();
    let some = tree.create_dataset("some").shape([2, 3]).dtype(DType::F32).create().unwrap();
    some.attrs().set(LABELS, vec!["time".to_owned(), String::new()]).unwrap();
    // Fixed lengths come back as they were.
    let fixed = AnyArray::from_strings(["x", "y"]).astype(&DType::fixed_ascii(4), memh5::Cast::Exact).unwrap();
    tree.create_dataset("fixed").shape([2, 3]).dtype(DType::I8).create().unwrap().attrs().set(LABELS, fixed).unwrap();
    // No names of axes: one too many, other types, none that says anything.
    let odd = tree.create_dataset("odd").shape([2, 3]).dtype(DType::I8).create().unwrap();
    odd.attrs().set(LABELS, vec!["a".to_owned(), "b".into(), "c".into()]).unwrap();
    tree.create_dataset("number").shape([1]).dtype(DType::I8).create().unwrap().attrs().set(LABELS, 3i32).unwrap();
    let empty = tree.create_dataset("empty").shape([1]).dtype(DType::I8).create().unwrap();
    empty.attrs().set(LABELS, vec![String::new()]).unwrap();
    tree.create_group("group").unwrap().attrs().set(LABELS, vec!["a".to_owned()]).unwrap();
    let mut spec = DatasetSpec::new(DType::I8, [2, 3]);
    spec.track_order = true;
    let tracked = tree.create_dataset("tracked").spec(&spec).create().unwrap();
    tracked.attrs().set("z", 1).unwrap();
    tracked.attrs().set(LABELS, vec!["p".to_owned(), "q".into()]).unwrap();
    tracked.attrs().set("a", 2).unwrap();
    tree
}

fn save(tree: &dyn Group, path: &Path, version: ZarrVersion) {
    let root = ZarrFormat::with(ZarrOptions::default().version(version)).open(path, Mode::CreateNew).unwrap();
    let report = DeepCopy::new().run(tree, &*root).unwrap();
    assert!(report.is_lossless(), "{report}");
    root.close_tree().unwrap();
}

fn metadata(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn they_go_with_every_copy() {
    let dir = tempfile::tempdir().unwrap();
    let tree = labelled();
    let at = |name: &str| dir.path().join(name);
    save(&tree, &at("a.zarr"), ZarrVersion::V3);
    let a = MemGroup::from_file(at("a.zarr")).unwrap();
    memh5::tree::tree_equal(&tree, &a).unwrap();
    save(&a, &at("b.zarr"), ZarrVersion::V2);
    let b = MemGroup::from_file(at("b.zarr")).unwrap();
    memh5::tree::tree_equal(&tree, &b).unwrap();
    // From one store to the other without memory between them.
    let opened = format::open(at("b.zarr"), Mode::Read).unwrap();
    save(&*opened, &at("c.zarr"), ZarrVersion::V3);
    drop(opened);
    for store in ["a.zarr", "c.zarr"] {
        let said = |name: &str| metadata(at(store).join(name).join("zarr.json"));
        assert_eq!(said("all")["dimension_names"], json!(["time", "freq"]), "{store}");
        assert_eq!(
            said("all")["attributes"],
            json!({ "units": "K" }).as_object().map_or(Value::Null, |wanted| {
                let mut wanted = wanted.clone();
                wanted.insert("__memh5_types".into(), said("all")["attributes"]["__memh5_types"].clone());
                wanted.into()
            })
        );
        assert_eq!(said("some")["dimension_names"], json!(["time", null]), "{store}");
        assert_eq!(said("fixed")["dimension_names"], json!(["x", "y"]), "{store}");
        assert_eq!(said("tracked")["dimension_names"], json!(["p", "q"]), "{store}");
        for name in ["odd", "number", "empty"] {
            assert_eq!(said(name).get("dimension_names"), None, "{store} {name}");
        }
    }
    assert_eq!(metadata(at("b.zarr/all/.zattrs"))["_ARRAY_DIMENSIONS"], json!(["time", "freq"]));
    // xarray has no word for an axis without a name.
    assert_eq!(metadata(at("b.zarr/some/.zattrs")).get("_ARRAY_DIMENSIONS"), None);
    let tracked = MemGroup::from_file(at("c.zarr")).unwrap().dataset("tracked").unwrap();
    assert_eq!(tracked.attrs().keys().unwrap(), ["z", LABELS, "a"]);
}

#[test]
fn they_are_attributes_that_change_and_go() {
    let dir = tempfile::tempdir().unwrap();
    for version in [ZarrVersion::V3, ZarrVersion::V2] {
        let store = dir.path().join(format!("{version:?}.zarr"));
        let root = ZarrFormat::with(ZarrOptions::default().version(version)).open(&store, Mode::CreateNew).unwrap();
        let d = root.create_dataset("d").shape([2, 2]).dtype(DType::I8).create().unwrap();
        let labels = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        for names in [&["a", "b"][..], &["a", "c"], &["too", "many", "names"], &["d", "e"]] {
            d.attrs().set(LABELS, labels(names)).unwrap();
            assert_eq!(d.attrs().get::<Vec<String>>(LABELS).unwrap(), labels(names), "{version:?}");
            assert_eq!((d.attrs().keys().unwrap(), d.attrs().len().unwrap()), (vec![LABELS.to_owned()], 1), "{version:?}");
        }
        d.attrs().delete(LABELS).unwrap();
        assert_eq!((d.attrs().contains(LABELS).unwrap(), d.attrs().len().unwrap()), (false, 0), "{version:?}");
        assert!(d.attrs().delete(LABELS).is_err());
        // The attribute of xarray, by its own name, is one like any other.
        d.attrs().set("_ARRAY_DIMENSIONS", labels(&["u", "v"])).unwrap();
        assert_eq!(d.attrs().keys().unwrap(), ["_ARRAY_DIMENSIONS"], "{version:?}");
        drop(d);
        root.close_tree().unwrap();
        let again = MemGroup::from_file(&store).unwrap();
        assert_eq!(again.dataset("d").unwrap().attrs().keys().unwrap(), ["_ARRAY_DIMENSIONS"], "{version:?}");
    }
}

#[test]
fn names_that_are_none_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    save(&labelled(), &dir.path().join("a.zarr"), ZarrVersion::V3);
    let file = dir.path().join("a.zarr/all/zarr.json");
    let whole = metadata(&file);
    for bad in [json!(["one"]), json!([null, null]), json!([1, 2]), json!("ab"), Value::Null] {
        let mut changed = whole.clone();
        changed["dimension_names"] = bad.clone();
        std::fs::write(&file, changed.to_string()).unwrap();
        let tree = MemGroup::from_file(dir.path().join("a.zarr")).unwrap();
        assert_eq!(tree.dataset("all").unwrap().attrs().keys().unwrap(), ["units"], "{bad}");
    }
    // Somebody else has renamed the axes: that counts.
    let mut changed = whole;
    changed["dimension_names"] = json!(["t", "nu"]);
    std::fs::write(&file, changed.to_string()).unwrap();
    let tree = MemGroup::from_file(dir.path().join("a.zarr")).unwrap();
    assert_eq!(tree.dataset("all").unwrap().attrs().get::<Vec<String>>(LABELS).unwrap(), ["t", "nu"]);
}

#[test]
fn an_overwrite_by_a_saver_keeps_them() {
    use memh5::saver::{SaverExt, ZarrSaver};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zarr");
    save(&labelled(), &path, ZarrVersion::V3);
    ZarrSaver::new(&path, "all").overwrite(ndarray::array![[1.0f32, 2.0]]).unwrap();
    assert_eq!(metadata(path.join("all/zarr.json"))["dimension_names"], json!(["time", "freq"]));
}

#[cfg(feature = "hdf5")]
#[test]
fn h5py_and_zarr_python_see_the_same_names() {
    let Some(python) = peer::h5py() else { return };
    let dir = tempfile::tempdir().unwrap();
    peer::run(&python, &peer::script("labels.py"), &["make".as_ref(), dir.path().as_os_str()]);
    let at = |name: &str| dir.path().join(name);
    // h5py's labels, to Zarr; those of zarr-python, to HDF5; each checked by the other program.
    for (from, to) in [("h5py.h5", "from_h5py.zarr"), ("zarr.zarr", "from_zarr.h5"), ("from_zarr.h5", "from_zarr.zarr")] {
        MemGroup::from_file(at(from)).unwrap().to_file(at(to)).unwrap();
    }
    save(&MemGroup::from_file(at("zarr.zarr")).unwrap(), &at("second.zarr"), ZarrVersion::V2);
    peer::run(&python, &peer::script("labels.py"), &["check".as_ref(), dir.path().as_os_str()]);
}
