//! Bad input: refused with a typed error, before the cache is touched.

use crate::data::{everything, flash, flashes_of, rows, source};
use crate::rules::{dump, small};
use memh5::ErrorKind::{self, *};
use memh5::stage::*;
use memh5::{AnyArray, DType};
use ndarray::{Array1, Array2, Array3, array};

/// Everything that later batches may not change, each with the kind of the error.
fn drifts() -> Vec<(&'static str, Batch, ErrorKind)> {
    let base = || everything(4, &[2, 1]);
    let with = |key: &str, product: memh5::Result<Product>| base().with(key, product.unwrap()).unwrap();
    let mut missing = base();
    missing.remove("tensor");
    let list = |lists: Vec<Vec<Array2<f32>>>| Product::jagged(lists);
    vec![
        ("a missing product", missing, NotFound),
        ("a product too many", base().with("new", 1).unwrap(), InvalidArgument),
        ("another width", with("tensor", Product::arrays([rows(0, 2, 3), rows(0, 1, 3)])), Shape),
        ("a width of 1, which numpy would repeat", with("tensor", Product::arrays([rows(0, 2, 1), rows(0, 1, 1)])), Shape),
        (
            "one axis of the length of the width",
            with("tensor", Product::arrays([array![1f32, 2., 3., 4.], array![1f32, 2., 3., 4.]])),
            Shape,
        ),
        ("float64 for float32", with("tensor", Product::arrays([rows(0, 2, 4).mapv(f64::from), rows(0, 1, 4).mapv(f64::from)])), Dtype),
        ("float for int", with("vec_i64", Product::arrays([array![1.5], array![2.7]])), Dtype),
        ("int for bool", with("flag", Product::scalars(vec![7i64, 0])), Dtype),
        ("-1 for u8", with("vec_u8", Product::arrays([array![-1i64], array![1]])), Dtype),
        ("i32 for i64", with("iteration", Product::scalar(7i32)), Dtype),
        ("text for a number", with("score", Product::scalars(vec!["a", "b"])), Dtype),
        ("a number for text", with("label", Product::scalars(vec![1, 2])), Dtype),
        ("scalars for arrays", with("vec_i64", Product::scalars(vec![1i64, 2])), Dtype),
        ("a jagged list that is shorter", with("jagged", list(vec![vec![rows(0, 1, 2)], vec![rows(0, 1, 2)]])), Shape),
        ("a jagged list that is longer", with("jagged", list(vec![vec![rows(0, 1, 2); 4], vec![rows(0, 1, 2); 4]])), Shape),
        ("a flat list for a jagged one", with("jagged", Product::flat(DType::F32, Some(2), vec![vec![rows(0, 1, 2)], vec![]])), Dtype),
        ("another width of a flat list", with("flat_2d", Product::flat(DType::F32, Some(2), vec![vec![rows(0, 1, 2)], vec![]])), Shape),
        (
            "objects of another class",
            with("run_info", Product::object("Other", &[crate::data::run_info(0), crate::data::run_info(1)])),
            Dtype,
        ),
        ("objects with fewer fields", with("flashes", flashes_of(&[vec![flash(0, 1)], vec![]]).unwrap().without_fields(&["time"])), Dtype),
        ("one object for a list", with("flashes", Product::object("Flash", &[flash(0, 2), flash(0, 2)])), Dtype),
    ]
}

#[test]
fn drift_is_refused_and_the_cache_is_untouched() {
    for version in [FormatVersion::V1, FormatVersion::V2] {
        let mut writer = StageHdf5Writer::builder().file_name("run.h5").format_version(version).in_memory().stage("s").build().unwrap();
        writer.write(&everything(0, &[3, 0])).unwrap();
        let root = writer.caches()[0].1.clone().unwrap();
        let before = dump(&*root);
        for (what, batch, kind) in drifts() {
            let e = writer.write(&batch).expect_err(what);
            assert_eq!(e.kind(), kind, "{what}: {e}");
            assert_eq!(dump(&*root), before, "{what} has left something");
        }
        // The writer goes on.
        writer.write(&everything(2, &[5, 1])).unwrap();
        writer.finalize().unwrap();
        assert_eq!(StageReader::of_groups([&*root]).unwrap().len(), 4);
        assert!(check_stages(&*root).unwrap()[0].damages.is_empty());
    }
}

#[test]
fn what_no_product_can_be() {
    let cases: Vec<(&str, memh5::Result<Product>, ErrorKind)> = vec![
        ("3-D arrays", Product::arrays([Array3::<f32>::zeros((1, 2, 3))]), Shape),
        ("lists of 3-D arrays", Product::lists(vec![vec![Array3::<f32>::zeros((1, 2, 3))]]), Shape),
        ("arrays without axes", Product::arrays([AnyArray::from(1.0)]), Shape),
        ("rows without elements", Product::arrays([Array2::<f32>::zeros((2, 0))]), Shape),
        ("an empty list of unknown type", Product::lists(Vec::<Vec<Array1<f32>>>::new()), Shape),
        ("empty lists of unknown type", Product::lists(vec![Vec::<Array1<f32>>::new()]), Shape),
        ("no arrays", Product::arrays(Vec::<Array1<f32>>::new()), Shape),
        ("text in arrays", Product::arrays([AnyArray::from_strings(["a"])]), Dtype),
        ("text in lists", Product::lists(vec![vec![AnyArray::from_strings(["a"])]]), Dtype),
        ("compounds without a class", Product::arrays([AnyArray::from_rows(&[flash(0, 1)]).unwrap()]), Dtype),
        ("a null array", Product::arrays([AnyArray::null(DType::F32)]), Shape),
        ("opaque scalars", Product::scalars(AnyArray::zeros(DType::opaque(4, "x"), [1]).unwrap()), Dtype),
        ("objects that are numbers", Product::object_rows("X", AnyArray::from(vec![1])), Dtype),
        ("objects without a class", Product::object("", &[flash(0, 1)]), InvalidName),
        ("objects with a nested struct", Product::object("X", &[serde_json::json!({"a": {"b": 1}})]), Dtype),
        (
            "widths that differ in lists of different lengths",
            Product::lists(vec![vec![rows(0, 1, 2)], vec![rows(0, 1, 3), rows(0, 1, 3)]]),
            Shape,
        ),
        ("types that differ", Product::lists(vec![vec![AnyArray::from(vec![1]), AnyArray::from(vec![1.0])]]), Dtype),
        ("widths that differ between events", Product::arrays([rows(0, 1, 2), rows(0, 1, 3)]), Shape),
        ("lengths that do not sum up", Product::rows(vec![1, 2, 3], &[1, 1]), Shape),
        ("arrays that do not sum up", Product::flat_rows(vec![1, 2, 3], &[1, 2], &[1, 2]), Shape),
    ];
    for (what, product, kind) in cases {
        let e = product.expect_err(what);
        assert_eq!(e.kind(), kind, "{what}: {e}");
    }
}

#[test]
fn what_no_batch_can_be() {
    let kind = |r: memh5::Result<Batch>| r.unwrap_err().kind();
    assert_eq!(kind(Batch::new(2).with("x", vec![1])), Shape, "a list shorter than the batch");
    assert_eq!(kind(Batch::new(2).with("x", vec![1, 2, 3])), Shape, "a list longer than the batch");
    assert_eq!(kind(Batch::new(2).with("x", Array2::<f32>::zeros((2, 2)))), Shape, "an array that could be both");
    assert_eq!(kind(Batch::new(2).with("", 1)), InvalidName);
    for name in ["", "a/b.root", "/abs.root", "..", "a\0b"] {
        assert_eq!(SourceInfo::new(name, 1, 1).unwrap_err().kind(), InvalidArgument, "{name:?}");
    }
}

#[test]
fn what_no_stage_can_be() {
    let mut writer = StageHdf5Writer::builder().file_name("run.h5").in_memory().build().unwrap();
    let mut kind = |stage: &str, batch: &Batch| writer.write_stage(stage, batch, &StageOptions::new()).unwrap_err().kind();
    for name in ["", ".", "..", "a/b", "a\0"] {
        assert_eq!(kind(name, &small(1.0)), InvalidName, "{name:?}");
    }
    for name in ["info", "events", "a/b", "."] {
        assert_eq!(kind("s", &small(1.0).with(name, 1).unwrap()), InvalidName, "{name:?}");
    }
    assert_eq!(kind("s", &Batch::new(2).with("x", 1).unwrap()), NotFound, "no source");
    assert_eq!(kind("s", &Batch::new(0).with_source(&source()).unwrap()), InvalidArgument, "no events");
    let mut no_index = small(1.0);
    no_index.remove("index");
    assert_eq!(kind("s", &no_index), NotFound);
    let absolute = small(1.0).with("source_file_name", "/data/source.root").unwrap();
    assert_eq!(kind("s", &absolute), InvalidArgument, "a source name with directories");
    assert!(writer.caches().is_empty() && writer.list_stages().unwrap().is_empty());
    for (keys, skip) in [(Some("nothing"), None), (None, Some("nothing"))] {
        let mut builder = StageHdf5Writer::builder().file_name("run.h5").in_memory().stage("s");
        builder = if let Some(key) = keys { builder.keys([key]) } else { builder };
        builder = if let Some(key) = skip { builder.skip_keys([key]) } else { builder };
        assert_eq!(builder.build().unwrap().write(&small(1.0)).unwrap_err().kind(), NotFound);
    }
}

#[test]
fn configurations_and_attributes() {
    let mut writer = StageHdf5Writer::builder().file_name("run.h5").in_memory().stage("s").build().unwrap();
    // Tuples are lists; a large configuration goes where large attributes go.
    let huge: Vec<(String, i64)> = (0..10_000).map(|i| (format!("key number {i}"), i)).collect();
    let options = StageOptions::new().cfg(&serde_json::json!({ "pairs": huge, "nothing": null, "nan": 1.5 })).unwrap();
    writer.write_stage("s", &small(1.0), &options).unwrap();
    let info = list_stages(&*writer.caches()[0].1.clone().unwrap()).unwrap().remove(0).info;
    assert!(info.cfg.as_ref().unwrap().len() > 200_000);
    assert_eq!(info.config().unwrap().unwrap().get("pairs").unwrap().as_array().unwrap().len(), 10_000);
    assert_eq!(StageOptions::new().cfg(&[1, 2]).unwrap_err().kind(), InvalidArgument);
    assert_eq!(StageOptions::new().cfg(&std::collections::HashMap::from([((1, 2), 3)])).unwrap_err().kind(), InvalidArgument);
    assert_eq!(StageOptions::new().cfg_text("a: !!python/object:x.Y {}").unwrap_err().kind(), Corrupt);
    assert_eq!(StageOptions::new().cfg_text("a: [").unwrap_err().kind(), Corrupt);
    assert_eq!(StageOptions::new().cfg_text("12").unwrap_err().kind(), InvalidArgument);
    assert!(StageOptions::new().cfg_text("a: [1, 2]").is_ok());
    for name in ["complete", "cfg", "memh5_events", "", "a\0"] {
        assert_eq!(StageOptions::new().attr(name, 1).unwrap_err().kind(), InvalidName, "{name:?}");
    }
}
