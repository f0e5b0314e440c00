//! The layout of version 1 on disk, as spine's files have it: types, shapes, attributes, references.
#![cfg(feature = "hdf5")]

use crate::data::{everything, source};
use memh5::prelude::*;
use memh5::stage::{SPINE_VERSION, StageHdf5Writer, StageOptions};
use memh5::tree::{GroupRef, Layout, Mode, RegionKind};
use memh5::{DType, format};
use tempfile::TempDir;

fn cache() -> (TempDir, GroupRef) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run_stage.h5");
    let mut writer = StageHdf5Writer::builder().file_name(&path).build().unwrap();
    let options = StageOptions::new().cfg(&serde_json::json!({"lr": 0.001, "a": [1, {"b": null}]})).unwrap().attr("n", 3i64).unwrap();
    writer.write_stage("all", &everything(0, &[3, 0]), &options).unwrap();
    writer.write_stage("all", &everything(2, &[5, 1]), &StageOptions::new()).unwrap();
    writer.finalize_stage("all").unwrap();
    (dir, format::open(path, Mode::Read).unwrap())
}

#[test]
fn groups_and_attributes() {
    let (_dir, root) = cache();
    assert_eq!(root.keys().unwrap(), ["info", "source", "stages"]);
    let info = root.group("info").unwrap();
    for (name, value) in [("version", SPINE_VERSION), ("spine_version", SPINE_VERSION), ("format", "stage_hdf5")] {
        let stored = info.attrs().get_array(name).unwrap().unwrap();
        assert_eq!(
            (stored.dtype(), stored.to_strings().unwrap()),
            (&DType::STR, vec![value.to_owned()]),
            "spine wants text of variable length"
        );
    }
    let version = info.attrs().get_array("format_version").unwrap().unwrap();
    assert!(version.is_scalar() && *version.dtype() == DType::I64 && version == memh5::AnyArray::from(1i64));
    let stage = root.group("stages/all/info").unwrap();
    assert_eq!(stage.attrs().get_array("complete").unwrap().unwrap(), memh5::AnyArray::from(true));
    assert_eq!(
        stage.attrs().get::<String>("cfg").unwrap(),
        "a:\n- 1\n- b: null\nlr: 0.001\n".replace("a:\n- 1\n- b: null", "a:\n  - 1\n  -\n    b: null")
    );
    assert_eq!(stage.attrs().get::<i64>("n").unwrap(), 3);
    let attrs = root.group("source").unwrap();
    assert_eq!(attrs.attrs().get::<i64>("file_mtime_ns").unwrap(), source().file_mtime_ns);
}

#[test]
fn products() {
    let (_dir, root) = cache();
    let stage = root.group("stages/all").unwrap();
    let described = |name: &str| {
        let d = stage.dataset(name).unwrap();
        (d.dtype().unwrap().to_string(), d.shape().unwrap(), d.maxshape().unwrap())
    };
    assert_eq!(described("loss"), ("<f8".into(), vec![4], vec![None]));
    assert_eq!(described("flag"), ("bool".into(), vec![4], vec![None]));
    assert_eq!(described("label"), ("str".into(), vec![4], vec![None]));
    assert_eq!(described("tensor"), ("<f4".into(), vec![9, 4], vec![None, Some(4)]));
    assert_eq!(described("vec_u8"), ("|u1".into(), vec![9], vec![None]));
    assert_eq!(described("clusts/elements").1.len(), 1);
    assert_eq!(described("clusts/index"), ("regref".into(), vec![9], vec![None]));
    assert_eq!(described("jagged/index"), ("regref".into(), vec![4, 3], vec![None, Some(3)]));
    assert_eq!(described("jagged/element_1"), ("<f4".into(), vec![13, 3], vec![None, Some(3)]));
    assert_eq!(described("run_info"), ("{run: <i8, subrun: <i8, event: <i8}".into(), vec![4], vec![None]));
    for (name, scalar) in [("loss", true), ("label", true), ("run_info", true), ("tensor", false), ("flashes", false)] {
        assert_eq!(stage.dataset(name).unwrap().attrs().get::<bool>("scalar").unwrap(), scalar, "{name}");
    }
    for name in ["clusts", "jagged"] {
        assert!(!stage.group(name).unwrap().attrs().get::<bool>("scalar").unwrap());
    }
    assert_eq!(stage.dataset("flashes").unwrap().attrs().get::<String>("class_name").unwrap(), "Flash");
    // Whole rows in a chunk, of a sane size, without filters.
    stage
        .visit(|path, node| {
            if let memh5::tree::Node::Dataset(d) = node {
                let spec = d.spec()?;
                let Layout::Chunked(chunks) = &spec.layout else { panic!("{path} is not chunked") };
                assert_eq!(chunks[1..], d.shape()?[1..], "{path}");
                let bytes = chunks.iter().product::<usize>() * spec.dtype.itemsize();
                assert!((4096..=1 << 20).contains(&bytes) && spec.filters.is_empty(), "{path}: {bytes} bytes per chunk");
            }
            Ok(None::<()>)
        })
        .unwrap();
}

#[test]
fn references() {
    let (_dir, root) = cache();
    let stage = root.group("stages/all").unwrap();
    let events = stage.dataset("events").unwrap().read_array().unwrap();
    let names: Vec<&str> = events.dtype().fields().iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names[..4], ["index", "file_index", "file_entry_index", "loss"], "index first, then as they were put");
    assert!(events.dtype().fields().iter().enumerate().all(|(i, f)| f.dtype == DType::RegionRef && f.offset == 12 * i));
    let bounds = |key: &str, event: usize| {
        let refs = events.field(key).unwrap().to_regions().unwrap();
        let target = refs[event].target.open().unwrap().name();
        let none = refs[event].region.kind == RegionKind::None;
        assert_eq!(none, refs[event].region.bounds().is_none());
        (target, refs[event].region.bounds())
    };
    let tensor = "/stages/all/tensor".to_owned();
    assert_eq!(bounds("tensor", 0), (tensor.clone(), Some((vec![0, 0], vec![2, 3]))));
    assert_eq!(bounds("tensor", 1), (tensor.clone(), None), "an empty event selects nothing, and is no null reference");
    assert_eq!(bounds("tensor", 2), (tensor, Some((vec![3, 0], vec![7, 3]))));
    assert_eq!(bounds("clusts", 0), ("/stages/all/clusts/index".into(), Some((vec![0], vec![2]))));
    assert_eq!(bounds("clusts", 1), ("/stages/all/clusts/index".into(), None));
    assert_eq!(bounds("jagged", 2), ("/stages/all/jagged/index".into(), Some((vec![2, 0], vec![2, 2]))));
    let index = stage.dataset("jagged/index").unwrap().read_array().unwrap().to_regions().unwrap();
    assert_eq!(index[2 * 3 + 1].target.open().unwrap().name(), "/stages/all/jagged/element_1");
    assert_eq!(index[2 * 3 + 1].region.bounds(), Some((vec![5, 0], vec![10, 2])));
    let arrays = stage.dataset("clusts/index").unwrap().read_array().unwrap().to_regions().unwrap();
    assert!(arrays[2].region.bounds().is_none(), "an empty array of a list");
}

#[test]
fn the_same_batches_give_the_same_file_content() {
    let dump = |root: &dyn Group| {
        let mut out = Vec::new();
        memh5::tree::dump(root, &Default::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let ((_a, a), (_b, b)) = (cache(), cache());
    assert_eq!(dump(&*a), dump(&*b));
}
