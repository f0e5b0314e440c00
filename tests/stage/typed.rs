//! Products of version 2 that say what they are, and have parts; readers that describe themselves; objects as structs and maps.

use crate::data::{Flash, RunInfo, everything, flash, run_info, source};
use crate::rules::small;
use memh5::ErrorKind::{self, *};
use memh5::prelude::*;
use memh5::stage::*;
use serde_json::json;
use std::collections::BTreeMap;

/// Lists of indices, with the span that they count in.
fn clusters(first: i64, spans: Vec<i64>) -> memh5::Result<Product> {
    Product::lists(spans.iter().map(|n| vec![vec![first, first + 1], vec![n - 1]]))?
        .with_metadata(&json!({"product_type": "index_list"}))?
        .with_part("spans", Product::scalars(spans)?)
}

fn batch(first: i64, clusters: memh5::Result<Product>) -> Batch {
    Batch::new(2).with_source(&source()).unwrap().with("x", vec![first, first + 1]).unwrap().with("clusters", clusters.unwrap()).unwrap()
}

fn writer(version: FormatVersion) -> StageHdf5Writer {
    StageHdf5Writer::builder().file_name("run.h5").format_version(version).in_memory().stage("s").build().unwrap()
}

fn kind<T>(result: memh5::Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}

#[test]
fn products_say_what_they_are() {
    let mut writer = writer(FormatVersion::V2);
    writer.write(&batch(0, clusters(0, vec![10, 20]))).unwrap();
    writer.write(&batch(2, clusters(5, vec![30, 40]))).unwrap();
    writer.finalize().unwrap();
    let root = writer.caches()[0].1.clone().unwrap();
    let reader = StageReader::of_groups([&*root]).unwrap();
    assert_eq!(reader.product_metadata(0, "clusters").unwrap().unwrap().to_string(), r#"{"product_type": "index_list"}"#);
    assert_eq!(reader.product_parts(0, "clusters").unwrap(), ["spans"]);
    let spans = reader.product_part(0, "clusters", "spans").unwrap();
    assert_eq!(*spans.values().unwrap(), vec![10i64, 20, 30, 40].into());
    assert_eq!(reader.get(2).unwrap().list::<Vec<i64>>("clusters").unwrap(), [vec![5, 6], vec![29]]);
    // The parts are checked with the rest.
    let checks = check_stages(&*root).unwrap();
    assert!(checks[0].damages.is_empty(), "{:?}", checks[0].damages);
    root.dataset("stages/s/products/clusters/spans/values").unwrap().write_slice(1, 7i64).unwrap();
    assert_eq!(check_stages(&*root).unwrap()[0].damages.len(), 1);
}

#[test]
fn what_a_product_is_does_not_change_from_batch_to_batch() {
    let mut writer = writer(FormatVersion::V2);
    writer.write(&batch(0, clusters(0, vec![10, 20]))).unwrap();
    let lists = || Product::lists(vec![vec![vec![1i64]], vec![vec![2]]]).unwrap();
    let typed = |kind: &str| lists().with_metadata(&json!({"product_type": kind})).unwrap();
    let spans = |p: Product, v: memh5::Result<Product>| p.with_part("spans", v.unwrap());
    for (what, product) in [
        ("no metadata and no parts", Ok(lists())),
        ("no parts", Ok(typed("index_list"))),
        ("another type", spans(typed("index"), Product::scalars(vec![1i64, 2]))),
        ("a part of another type", spans(typed("index_list"), Product::scalars(vec![1i32, 2]))),
        ("another part", typed("index_list").with_part("meta", Product::scalars(vec![1i64, 2]).unwrap())),
    ] {
        assert_eq!(kind(writer.write(&batch(2, product))), Dtype, "{what}");
    }
    writer.write(&batch(2, clusters(5, vec![30, 40]))).unwrap();
    writer.finalize().unwrap();
}

#[test]
fn version_1_has_no_place_for_what_a_product_says_of_itself() {
    let mut writer = writer(FormatVersion::V1);
    let e = writer.write(&batch(0, clusters(0, vec![10, 20]))).unwrap_err();
    assert!(e.kind() == Unsupported && e.to_string().contains("version 2"), "{e}");
    // Nothing was begun.
    writer.write(&small(1.0)).unwrap();
    writer.finalize().unwrap();
    assert_eq!(writer.list_stages().unwrap(), ["s"]);
}

#[test]
fn what_no_part_can_be() {
    let lists = || Product::lists(vec![vec![vec![1i64]], vec![vec![2]]]).unwrap();
    let two = || Product::scalars(vec![1, 2]).unwrap();
    for name in ["", "a/b", "values", "event_offsets", "element_offsets", "element_0", "fixed", "variables"] {
        assert_eq!(kind(lists().with_part(name, two())), InvalidName, "{name:?}");
    }
    assert_eq!(kind(lists().with_part("a", Product::scalars(vec![1]).unwrap())), Shape);
    assert_eq!(kind(lists().with_part("a", two().with_part("b", two()).unwrap())), Unsupported);
    assert_eq!(kind(lists().with_metadata(&vec![1, 2])), InvalidArgument);
    // One of that name takes the place of the other.
    let twice = lists().with_part("a", two()).unwrap().with_part("a", Product::scalar(7).unwrap()).unwrap();
    assert_eq!((twice.parts().len(), twice.part("a").unwrap().events()), (1, None));
    // A value for the whole batch has parts of any length, until it is put into one.
    let scalar = Product::scalar(1.0).unwrap().with_part("a", Product::scalars(vec![1, 2, 3]).unwrap()).unwrap();
    assert_eq!(kind(Batch::new(2).put("x", scalar).map(drop)), Shape);
}

#[test]
fn parts_go_with_their_events() {
    let all = clusters(0, vec![10, 20, 30]).unwrap();
    let some = all.select(&[2, 0]).unwrap();
    assert_eq!(*some.part("spans").unwrap().values().unwrap(), vec![30i64, 10].into());
    let both = Product::concat(&[some, all]).unwrap();
    assert_eq!(*both.part("spans").unwrap().values().unwrap(), vec![30i64, 10, 10, 20, 30].into());
    assert!(both.format().is_typed());
}

#[test]
fn objects_become_structs_or_maps() {
    let mut writer = writer(FormatVersion::V1);
    writer.write(&everything(0, &[3, 0])).unwrap();
    writer.finalize().unwrap();
    let root = writer.caches()[0].1.clone().unwrap();
    let event = StageReader::of_groups([&*root]).unwrap().get(0).unwrap();
    assert_eq!(event.objects::<RunInfo>("run_info").unwrap(), [run_info(0)]);
    // Fields that the struct lacks are passed over, unless it denies them.
    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Run {
        run: i64,
    }
    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        run: i64,
    }
    assert_eq!(event.objects::<Run>("run_info").unwrap(), [Run { run: 1 }]);
    assert_eq!(kind(event.objects::<Strict>("run_info")), Dtype);
    // A map takes any object.
    let maps = event.objects::<BTreeMap<String, serde_json::Value>>("run_info").unwrap();
    assert_eq!(json!(maps), json!([{"run": 1, "subrun": 2, "event": 0}]));
    let flashes = event.objects::<Flash>("flashes").unwrap();
    assert_eq!(flashes, (0..flashes.len()).map(|i| flash(0, i)).collect::<Vec<_>>());
    #[cfg(feature = "hdf5")]
    {
        #[derive(hdf5::H5Type, Clone, Copy, PartialEq, Debug)]
        #[repr(C)]
        struct Three {
            run: i64,
            subrun: i64,
            event: i64,
        }
        assert_eq!(event.objects_h5::<Three>("run_info").unwrap(), [Three { run: 1, subrun: 2, event: 0 }]);
        assert_eq!(kind(event.objects_h5::<Three>("flashes")), Dtype);
        assert_eq!(kind(event.objects_h5::<Three>("index")), Dtype);
    }
}

#[test]
fn a_reader_tells_its_files() {
    let mut roots = Vec::new();
    for _ in 0..3 {
        let mut writer = writer(FormatVersion::V1);
        writer.write(&small(1.0)).unwrap();
        writer.finalize().unwrap();
        roots.push(writer.caches()[0].1.clone().unwrap());
    }
    let open = |b: StageReaderBuilder| b.of_groups(roots.iter().map(|r| &**r)).unwrap().to_string();
    assert_eq!(open(StageReader::builder()), "6 entries of 3 files\n - (a group)\n - (a group)\n - (a group)");
    assert_eq!(open(StageReader::builder().max_print_files(1).n_entry(1)), "1 entry of 3 files\n - (a group)\n - ..");
    assert_eq!(open(StageReader::builder().max_print_files(0).limit_num_files(1)), "2 entries of 1 file\n - ..");
}
