//! What belongs to stores only: versions, shards, zip archives, consolidated metadata, names of files, handles.

use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::{AnyArray, DType, ErrorKind, Filter, Mode};
use serde_json::Value;
use std::path::Path;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn create(path: &Path) -> memh5::tree::GroupRef {
    format::create(path, &Default::default()).unwrap()
}

#[test]
fn the_format_is_known_by_content_and_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("named.h5");
    let root = ZarrFormat::default().open(&store, Mode::CreateNew).unwrap();
    root.create_dataset("d").write(1).unwrap();
    root.close_tree().unwrap();
    assert_eq!(format::of_path(&store).unwrap().name(), "zarr");
    assert_eq!(format::open(&store, Mode::Read).unwrap().keys().unwrap(), ["d"]);
    assert_eq!(format::of_path(&dir.path().join("new.zarr")).unwrap().name(), "zarr");
    assert_eq!(format::of_path(&dir.path().join("new.zarr.zip")).unwrap().name(), "zarr");
    assert_eq!(format::by_name("zarr").unwrap().name(), "zarr");
}

#[test]
fn modes_are_those_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a.zarr");
    let open = |mode| format::open(&store, mode);
    assert_eq!(open(Mode::Read).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(open(Mode::ReadWrite).unwrap_err().kind(), ErrorKind::NotFound);
    open(Mode::Append).unwrap().create_dataset("d").write(1).unwrap();
    open(Mode::Append).unwrap().create_dataset("e").write(1).unwrap();
    assert_eq!(open(Mode::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(open(Mode::Read).unwrap().keys().unwrap(), ["d", "e"]);
    assert!(open(Mode::Truncate).unwrap().is_empty().unwrap());
    // Somebody's work is not taken for a store.
    let other = dir.path().join("other.zarr");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "x").unwrap();
    let error = format::open(&other, Mode::Truncate).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert!(other.join("thesis.tex").exists());
    assert_eq!(format::open(&other, Mode::Read).unwrap_err().kind(), ErrorKind::Corrupt);
    let error = format::open(dir.path().join("new.zarr.zip"), Mode::CreateNew).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn shards_hold_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("s.zarr");
    let format = ZarrFormat::with(ZarrOptions::default().shard_bytes(8 * 64).crc32c(true));
    let root = format.open(&store, Mode::CreateNew).unwrap();
    let data = ndarray::Array2::from_shape_fn((20, 8), |(i, j)| (10 * i + j) as f64);
    let d = root.create_dataset("d").chunks([2, 4]).filter(Filter::Zstd(1)).write(&data).unwrap();
    assert_eq!((d.spec().unwrap().chunks(), d.spec().unwrap().filters), (Some(&[2, 4][..]), vec![Filter::Zstd(1)]));
    d.write_slice((3, 1..6), vec![-1.0; 5]).unwrap();
    let mut wanted = data.clone();
    wanted.slice_mut(ndarray::s![3, 1..6]).fill(-1.0);
    root.close_tree().unwrap();
    let meta = json(&store.join("d/zarr.json"));
    assert_eq!(meta["codecs"][0]["name"], "sharding_indexed");
    assert_eq!(meta["chunk_grid"]["configuration"]["chunk_shape"], serde_json::json!([8, 8]));
    assert_eq!(std::fs::read_dir(store.join("d/c")).unwrap().count(), 3);
    let root = format::open(&store, Mode::Read).unwrap();
    assert_eq!(root.dataset("d").unwrap().read::<f64>().unwrap(), wanted.clone().into_dyn());
    assert_eq!(root.dataset("d").unwrap().read_slice::<Vec<f64>>((3, ..)).unwrap(), wanted.row(3).to_vec());
}

#[test]
fn what_is_added_has_the_version_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("old.zarr");
    ZarrFormat::with(ZarrOptions::default().version(ZarrVersion::V2)).open(&store, Mode::CreateNew).unwrap().close_tree().unwrap();
    let root = format::open(&store, Mode::ReadWrite).unwrap();
    root.create_dataset("g/d").write(vec![1u8, 2]).unwrap().attrs().set("a", 1).unwrap();
    root.close_tree().unwrap();
    assert!(store.join("g/.zgroup").exists() && store.join("g/d/.zarray").exists() && store.join("g/d/.zattrs").exists());
    assert!(!store.join("g/zarr.json").exists());
}

#[test]
fn consolidated_metadata_do_not_survive_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("c.zarr");
    create(&store).close_tree().unwrap();
    let mut root = json(&store.join("zarr.json"));
    root["consolidated_metadata"] = serde_json::json!({"kind": "inline", "must_understand": false, "metadata": {}});
    std::fs::write(store.join("zarr.json"), root.to_string()).unwrap();
    std::fs::write(store.join(".zmetadata"), "{}").unwrap();
    format::open(&store, Mode::Read).unwrap().keys().unwrap();
    assert!(json(&store.join("zarr.json")).get("consolidated_metadata").is_some());
    let tree = format::open(&store, Mode::ReadWrite).unwrap();
    tree.create_dataset("d").write(1).unwrap();
    tree.attrs().set("a", 1).unwrap();
    tree.close_tree().unwrap();
    assert!(json(&store.join("zarr.json")).get("consolidated_metadata").is_none() && !store.join(".zmetadata").exists());
    assert_eq!(json(&store.join("zarr.json"))["attributes"]["a"], 1);
}

#[test]
fn attributes_are_json_for_others_and_exact_for_us() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a.zarr");
    let root = create(&store);
    let attrs = root.attrs();
    attrs.set("int", 3i64).unwrap();
    attrs.set("short", 3i16).unwrap();
    attrs.set("nan", f64::NAN).unwrap();
    attrs.set("text", "Ünï").unwrap();
    attrs.set("z", num_complex::Complex::new(1.0f32, -2.0)).unwrap();
    attrs.set("grid", ndarray::array![[1u8, 2], [3, 4]]).unwrap();
    assert_eq!(attrs.set("__memh5_types", 1).unwrap_err().kind(), ErrorKind::Unsupported);
    root.close_tree().unwrap();
    let meta = json(&store.join("zarr.json"));
    let said = &meta["attributes"];
    assert_eq!((&said["int"], &said["short"], &said["text"]), (&Value::from(3), &Value::from(3), &Value::from("Ünï")));
    assert_eq!((&said["nan"], &said["z"]), (&Value::from("NaN"), &serde_json::json!([1.0, -2.0])));
    assert_eq!(said["grid"], serde_json::json!([[1, 2], [3, 4]]));
    let exact = said["__memh5_types"]["attributes"].as_object().unwrap();
    let mut names: Vec<&String> = exact.keys().collect();
    names.sort();
    assert_eq!(names, ["grid", "nan", "short", "z"], "what JSON says by itself is not said twice");
    // Somebody changes the JSON: the exact value is not believed any more.
    let mut meta = meta.clone();
    meta["attributes"]["short"] = 4.into();
    meta["attributes"]["grid"][0][0] = 9.into();
    std::fs::write(store.join("zarr.json"), meta.to_string()).unwrap();
    let root = format::open(&store, Mode::Read).unwrap();
    assert_eq!(root.attrs().get::<i64>("short").unwrap(), 4);
    assert_eq!(root.attrs().get::<AnyArray>("grid").unwrap(), AnyArray::from(ndarray::array![[9i64, 2], [3, 4]]));
    assert!(root.attrs().get::<f64>("nan").unwrap().is_nan());
    assert_eq!(root.attrs().keys().unwrap(), ["grid", "int", "nan", "short", "text", "z"]);
}

#[test]
fn names_that_the_format_needs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let root = create(&dir.path().join("n.zarr"));
    for name in ["zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata", ".memh5.trash"] {
        assert_eq!(root.create_group(name).unwrap_err().kind(), ErrorKind::Unsupported, "{name}");
        assert!(!root.contains(name).unwrap(), "{name}");
    }
    root.create_group("c").unwrap().create_group("0").unwrap();
    assert_eq!(root.group("c").unwrap().keys().unwrap(), ["0"]);
}

#[test]
fn an_array_without_metadata_is_never_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("l.zarr");
    let root = create(&store);
    root.create_dataset("d").shape([4]).maxshape([None]).write(vec![1i64, 2, 3, 4]).unwrap();
    root.close_tree().unwrap();
    std::fs::remove_file(store.join("d/zarr.json")).unwrap();
    let root = format::open(&store, Mode::ReadWrite).unwrap();
    assert!(!root.contains("d").unwrap());
    let error = root.create_dataset("d").write(vec![5i64]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(root.require_dataset("d", [1], &DType::I64).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(root.create_group("d").unwrap_err().kind(), ErrorKind::Corrupt);
    assert!(store.join("d/c/0").exists(), "the chunks are still there");
}

#[test]
fn deleted_objects_go_with_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("t.zarr");
    let root = create(&store);
    let held = root.create_dataset("held").write(vec![1, 2]).unwrap();
    root.create_dataset("loose").write(vec![1, 2]).unwrap();
    root.delete("loose").unwrap();
    assert!(!store.join(".memh5.trash").exists());
    root.delete("held").unwrap();
    assert!(store.join(".memh5.trash").exists());
    assert_eq!(held.read_slice::<Vec<i32>>(()).unwrap(), [1, 2]);
    root.close_tree().unwrap();
    let names: Vec<_> = std::fs::read_dir(&store).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["zarr.json"]);
}

#[test]
fn remains_beyond_the_end_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("r.zarr");
    let root = create(&store);
    let d = root
        .create_dataset("d")
        .shape([5, 2])
        .maxshape([None, None])
        .chunks([2, 2])
        .fill_value(-1i64)
        .write(ndarray::Array2::<i64>::ones((5, 2)))
        .unwrap();
    d.resize([3, 2]).unwrap();
    d.resize([6, 3]).unwrap();
    let all = d.read::<i64>().unwrap();
    assert_eq!(all.slice(ndarray::s![..3, ..2]).iter().filter(|n| **n == 1).count(), 6);
    assert_eq!(all.iter().filter(|n| **n == -1).count(), 18 - 6);
    // A writer that was stopped before it told of its rows.
    let before = std::fs::read(store.join("d/zarr.json")).unwrap();
    d.append(ndarray::Array2::<i64>::from_elem((3, 3), 7)).unwrap();
    drop(d);
    root.close_tree().unwrap();
    std::fs::write(store.join("d/zarr.json"), before).unwrap();
    let root = format::open(&store, Mode::ReadWrite).unwrap();
    let d = root.dataset("d").unwrap();
    assert_eq!(d.read::<i64>().unwrap(), all);
    d.append(ndarray::Array2::<i64>::from_elem((1, 3), 8)).unwrap();
    d.resize([10, 3]).unwrap();
    let now = d.read::<i64>().unwrap();
    assert_eq!(now.slice(ndarray::s![6, ..]).to_vec(), [8, 8, 8]);
    assert!(now.slice(ndarray::s![7.., ..]).iter().all(|n| *n == -1), "{now}");
}

#[test]
fn threads_of_a_pool_may_append() {
    let dir = tempfile::tempdir().unwrap();
    let root = create(&dir.path().join("p.zarr"));
    let d = root.create_dataset("d").shape([0, 1000]).maxshape([None, Some(1000)]).chunks([16, 1000]).dtype(DType::F64).create().unwrap();
    std::thread::scope(|scope| {
        for k in 0..4 {
            let d = d.clone();
            scope.spawn(move || {
                for _ in 0..5 {
                    d.append(ndarray::Array2::from_elem((100, 1000), f64::from(k))).unwrap();
                }
            });
        }
    });
    let all = d.read::<f64>().unwrap();
    assert_eq!(all.shape(), [2000, 1000]);
    for block in all.axis_chunks_iter(ndarray::Axis(0), 100) {
        let first = *block.iter().next().unwrap();
        assert!(block.iter().all(|x| *x == first));
    }
}

#[test]
fn large_arrays_go_in_and_out_by_parts() {
    let dir = tempfile::tempdir().unwrap();
    let root = create(&dir.path().join("l.zarr"));
    let data = ndarray::Array3::from_shape_fn((60, 70, 80), |(i, j, k)| (i * 10_000 + j * 100 + k) as i32);
    for (name, chunks) in [("rows", [7, 70, 80]), ("columns", [60, 9, 80]), ("cubes", [16, 16, 16]), ("one", [60, 70, 80])] {
        let d = root.create_dataset(name).chunks(chunks).filter(Filter::Zstd(1)).write(&data).unwrap();
        assert_eq!(d.read::<i32>().unwrap(), data.clone().into_dyn(), "{name}");
        let plain = root.create_dataset(&format!("plain {name}")).chunks(chunks).write(&data).unwrap();
        assert_eq!(plain.read::<i32>().unwrap(), data.clone().into_dyn(), "{name}");
        let whole = AnyArray::from(data.clone());
        for text in ["5:50, 3:, ::2", "::-1, :, :", "[59,0,0,13], ..., 7", "..., -1", "10:11, 5:6, 7:8"] {
            let selection: memh5::Selection = text.parse().unwrap();
            let part: AnyArray = plain.read_slice(&selection).unwrap();
            assert_eq!(part, whole.select(&selection).unwrap(), "{name} {text}");
            d.write_slice(&selection, &part).unwrap();
        }
        assert_eq!(d.read::<i32>().unwrap(), data.clone().into_dyn(), "{name}");
    }
}
