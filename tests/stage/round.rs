//! What is written is read again: in memory and in files, in both versions.

use crate::data::{Flash, RunInfo, everything, flash, numbers, rows, run_info, source};
use memh5::ErrorKind;
use memh5::prelude::*;
use memh5::stage::*;
use memh5::tree::GroupRef;
use std::path::Path;
#[cfg(feature = "hdf5")]
use std::path::PathBuf;

/// A finished stage of four events, written as two batches.
pub fn written(version: FormatVersion, file: Option<&Path>) -> GroupRef {
    let builder = StageHdf5Writer::builder().file_name(file.unwrap_or(Path::new("run.h5"))).format_version(version).stage("all");
    let mut writer = if file.is_none() { builder.in_memory() } else { builder }.build().unwrap();
    writer.write_with_cfg(&everything(0, &[3, 0]), &serde_json::json!({"seed": 0})).unwrap();
    writer.write(&everything(2, &[5, 1])).unwrap();
    writer.finalize().unwrap();
    match file {
        None => writer.caches()[0].1.clone().unwrap(),
        Some(path) => {
            writer.close().unwrap();
            memh5::format::open(path, memh5::Mode::Read).unwrap()
        }
    }
}

pub fn every_target(test: impl Fn(&str, FormatVersion, GroupRef)) {
    #[cfg(feature = "hdf5")]
    let dir = tempfile::tempdir().unwrap();
    for version in [FormatVersion::V1, FormatVersion::V2] {
        test(&format!("memory, version {}", version.number()), version, written(version, None));
        #[cfg(feature = "hdf5")]
        {
            let path = dir.path().join(format!("run_v{}.h5", version.number()));
            test(&format!("file, version {}", version.number()), version, written(version, Some(&path)));
        }
    }
}

#[test]
fn every_kind_comes_back() {
    every_target(|what, _, root| {
        let reader = StageReader::of_groups([&*root]).unwrap();
        assert_eq!(reader.len(), 4, "{what}");
        for (event, n) in [3usize, 0, 5, 1].into_iter().enumerate() {
            let got = reader.get(event).unwrap();
            let scalar = |key: &str| got.get::<f64>(key);
            assert_eq!(got.get::<i64>("index").unwrap(), event as i64, "{what}");
            assert_eq!(scalar("loss").unwrap(), 0.125, "{what}");
            assert_eq!(got.get::<i64>("iteration").unwrap(), 7);
            assert_eq!(got.get::<String>("tag").unwrap(), "batch");
            assert_eq!(got.get::<String>("label").unwrap(), format!("event-\u{e9}-{event}"), "{what}");
            assert_eq!(got.get::<bool>("flag").unwrap(), event % 2 == 0);
            assert_eq!(got.get::<ndarray::ArrayD<f32>>("tensor").unwrap(), rows(event, n, 4).into_dyn(), "{what}");
            assert_eq!(got.get::<ndarray::ArrayD<f32>>("tensor_w1").unwrap().shape(), [n, 1]);
            assert_eq!(got.get::<ndarray::ArrayD<i64>>("vec_i64").unwrap(), numbers(event, n).into_dyn());
            let clusters = got.list::<Vec<i64>>("clusts").unwrap();
            assert_eq!(clusters.len(), n, "{what}");
            assert_eq!(
                clusters.iter().map(Vec::len).collect::<Vec<_>>(),
                (0..n).map(|i| if i + 1 == n { 0 } else { 2 * i + 1 }).collect::<Vec<_>>()
            );
            let flat = got.list::<ndarray::ArrayD<f32>>("flat_2d").unwrap();
            assert_eq!(flat, (0..n).map(|i| rows(event + i, i + 1, 3).into_dyn()).collect::<Vec<_>>(), "{what}");
            let jagged = got.list::<ndarray::ArrayD<f32>>("jagged").unwrap();
            assert_eq!(jagged.iter().map(|a| a.shape().to_vec()).collect::<Vec<_>>(), [vec![n, 2], vec![n + 1, 3], vec![n]], "{what}");
            assert_eq!(jagged[1], rows(event, n + 1, 3).into_dyn());
            assert_eq!(got.objects::<RunInfo>("run_info").unwrap(), [run_info(event)], "{what}");
            assert_eq!(got.objects::<Flash>("flashes").unwrap(), (0..n).map(|i| flash(event, i)).collect::<Vec<_>>(), "{what}");
            assert_eq!(got.get::<String>("source_file_name").unwrap(), source().file_name);
            assert_eq!(got.get::<i64>("source_file_entry_index").unwrap(), event as i64);
        }
        assert_eq!(reader.get(4).unwrap_err().kind(), ErrorKind::Selection);
        assert_eq!(reader.product("nothing").unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn columns_are_whole_products() {
    every_target(|what, _, root| {
        let reader = StageReader::of_groups([&*root]).unwrap();
        let tensor = reader.product("tensor").unwrap();
        assert_eq!((tensor.values().unwrap().shape(), tensor.offsets()), (&[9, 4][..], &[0, 3, 3, 8, 9][..]), "{what}");
        let clusters = reader.product("clusts").unwrap();
        assert_eq!((clusters.offsets(), clusters.element_offsets().len()), (&[0, 3, 3, 8, 9][..], 10), "{what}");
        assert_eq!(reader.product("jagged").unwrap().columns_of()[1].0.shape(), [13, 3]);
        assert_eq!(reader.product("flashes").unwrap().format().class_name(), Some("Flash"));
        assert_eq!(reader.product("loss").unwrap().values().unwrap().len(), 4);
    });
}

#[test]
fn memory_is_read_without_a_copy() {
    for version in [FormatVersion::V1, FormatVersion::V2] {
        let root = written(version, None);
        let reader = StageReader::of_groups([&*root]).unwrap();
        let stored = |name: &str| root.dataset(&format!("stages/all/{name}")).unwrap().read_array().unwrap();
        let (tensor, clusters) = match version {
            FormatVersion::V2 => ("products/tensor/values", "products/clusts/values"),
            _ => ("tensor", "clusts/elements"),
        };
        assert!(reader.product("tensor").unwrap().values().unwrap().shares_memory_with(&stored(tensor)));
        assert!(reader.product("clusts").unwrap().values().unwrap().shares_memory_with(&stored(clusters)));
    }
}

#[test]
fn a_product_can_be_written_again() {
    every_target(|what, version, root| {
        let reader = StageReader::of_groups([&*root]).unwrap();
        let mut batch = Batch::new(4).with_source(&source()).unwrap();
        for (key, _) in reader.keys() {
            batch.put(&key, &*reader.product(&key).unwrap()).unwrap();
        }
        let mut writer = StageHdf5Writer::builder().file_name("x.h5").format_version(version).in_memory().stage("all").build().unwrap();
        writer.write(&batch).unwrap();
        writer.finalize().unwrap();
        let copy = writer.caches()[0].1.clone().unwrap();
        let again = StageReader::of_groups([&*copy]).unwrap();
        for entry in 0..4 {
            assert_eq!(again.get(entry).unwrap(), reader.get(entry).unwrap(), "{what}");
        }
    });
}

#[test]
fn stages_tell_of_themselves() {
    every_target(|what, _, root| {
        let reader = StageReader::of_groups([&*root]).unwrap();
        let stages = reader.stages(0).unwrap();
        assert_eq!(stages.len(), 1);
        let stage = &stages[0];
        assert_eq!((stage.name.as_str(), stage.status, stage.events), ("all", StageStatus::Complete, 4), "{what}");
        assert_eq!(stage.cfg.as_deref(), Some("seed: 0\n"));
        assert_eq!(reader.cfg().unwrap()["all"].get("seed").and_then(memh5::copy::Json::as_i64), Some(0));
        assert!(stage.products.iter().any(|p| p == "jagged") && !stage.products.iter().any(|p| p == "events"), "{:?}", stage.products);
        let checks = check_stages(&*root).unwrap();
        assert!(checks[0].damages.is_empty(), "{what}: {:?}", checks[0].damages);
        assert!(checks[0].datasets >= 20, "{what}: {} datasets were compared", checks[0].datasets);
    });
}

#[test]
fn several_files_are_one_axis() {
    let roots: Vec<GroupRef> = (0..3).map(|_| written(FormatVersion::V1, None)).collect();
    let all = || roots.iter().map(|r| &**r);
    let reader = StageReader::of_groups(all()).unwrap();
    assert_eq!((reader.len(), reader.locate(9).unwrap()), (12, (2, 1)));
    let tensor = reader.product("tensor").unwrap();
    assert_eq!((tensor.values().unwrap().shape()[0], tensor.offsets().len()), (27, 13));
    assert_eq!(tensor.event(10).unwrap(), reader.get(10).unwrap().value("tensor").unwrap().clone());
    let clusters = reader.product("clusts").unwrap();
    assert_eq!(clusters.event(6).unwrap(), reader.get(6).unwrap().value("clusts").unwrap().clone());
    assert_eq!(reader.get(10).unwrap().get::<i64>("file_index").unwrap(), 0, "a stored number wins");

    let some = StageReader::builder().entry_list([11, 0, 4]).of_groups(all()).unwrap();
    assert_eq!(some.len(), 3);
    assert_eq!(some.product("tensor").unwrap().event(0).unwrap(), tensor.event(11).unwrap());
    assert_eq!(some.get(2).unwrap().value("clusts"), reader.get(4).unwrap().value("clusts"));
    let rest = StageReader::builder().n_skip(2).n_entry(3).of_groups(all()).unwrap();
    assert_eq!((rest.len(), rest.locate(0).unwrap(), rest.locate(2).unwrap()), (3, (0, 2), (1, 0)));
    assert_eq!(StageReader::builder().skip_entry_list([0, 1]).of_groups(all()).unwrap().len(), 10);
    for bad in [
        StageReader::builder().entry_list([12]).of_groups(all()),
        StageReader::builder().n_skip(12).of_groups(all()),
        StageReader::builder().n_entry(13).of_groups(all()),
    ] {
        assert_eq!(bad.unwrap_err().kind(), ErrorKind::Selection);
    }
    assert_eq!(StageReader::builder().entry_list([0, 12]).allow_missing(true).of_groups(all()).unwrap().len(), 1);
    assert_eq!(StageReader::builder().entry_list([0]).n_entry(1).of_groups(all()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(StageReader::builder().limit_num_files(2).of_groups(all()).unwrap().len(), 8);
}

#[test]
#[cfg(feature = "hdf5")]
fn files_are_found_by_pattern() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b_stage.h5", "a_stage.h5", "other.h5"] {
        written(FormatVersion::V1, Some(&dir.path().join(name)));
    }
    let reader = StageReader::builder().open_matching([dir.path().join("*_stage.h5")]).unwrap();
    let names: Vec<PathBuf> = (0..2).map(|f| reader.path(f).unwrap().unwrap().to_owned()).collect();
    assert_eq!(names, [dir.path().join("a_stage.h5"), dir.path().join("b_stage.h5")]);
    let missing = StageReader::builder().open_matching([dir.path().join("*.nothing")]).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn a_large_batch_crosses_chunks_and_batches() {
    let dir = tempfile::tempdir().unwrap();
    for version in [FormatVersion::V1, FormatVersion::V2] {
        let path = dir.path().join(format!("{}.h5", version.number()));
        let builder = StageHdf5Writer::builder().file_name(&path).format_version(version).stage("s").keep_open(false).flush_frequency(7);
        let builder = if cfg!(feature = "hdf5") { builder } else { builder.in_memory() };
        let mut writer = builder.build().unwrap();
        for batch in 0..10usize {
            let events: Vec<usize> = (batch * 30..batch * 30 + 30).collect();
            let batch = Batch::new(30)
                .with_source(&source())
                .unwrap()
                .with("hits", events.iter().map(|e| rows(*e, e % 97, 5)).collect::<Vec<_>>())
                .unwrap()
                .with("clusters", events.iter().map(|e| (0..e % 13).map(|i| numbers(*e, i)).collect::<Vec<_>>()).collect::<Vec<_>>())
                .unwrap_or_else(|e| panic!("{e}"));
            writer.write(&batch).unwrap();
        }
        writer.finalize().unwrap();
        let reader = match writer.caches()[0].1.clone() {
            Some(root) => StageReader::of_groups([&*root]).unwrap(),
            None => StageReader::builder().verify(true).open([&path]).unwrap(),
        };
        assert_eq!(reader.len(), 300);
        for e in 0..300usize {
            let event = reader.get(e).unwrap();
            assert_eq!(event.get::<ndarray::ArrayD<f32>>("hits").unwrap(), rows(e, e % 97, 5).into_dyn());
            let wanted: Vec<Vec<i64>> = (0..e % 13).map(|i| numbers(e, i).to_vec()).collect();
            assert_eq!(event.list::<Vec<i64>>("clusters").unwrap(), wanted);
        }
    }
}
