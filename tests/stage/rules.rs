//! What spine's own tests of its staged caches promise (the staged part of its suite), and where this writer is stricter.

use crate::data::{rows, source};
use memh5::prelude::*;
use memh5::stage::*;
use memh5::tree::GroupRef;
use memh5::{ErrorKind, MemGroup};
use std::path::{Path, PathBuf};

pub fn other() -> SourceInfo {
    SourceInfo::new("other.root", 1, 2).unwrap()
}

/// Two events with one product.
pub fn small(value: f64) -> Batch {
    Batch::new(2).with_source(&source()).unwrap().with("x", vec![value, value + 1.0]).unwrap()
}

fn memory() -> StageHdf5WriterBuilder {
    StageHdf5Writer::builder().file_name("run.h5").in_memory()
}

fn root(writer: &StageHdf5Writer) -> GroupRef {
    writer.caches()[0].1.clone().unwrap()
}

fn status(root: &dyn Group, stage: &str) -> StageStatus {
    list_stages(root).unwrap().into_iter().find(|c| c.info.name == stage).map_or(StageStatus::Absent, |c| c.info.status)
}

fn write(writer: &mut StageHdf5Writer, stage: &str, batch: &Batch) -> memh5::Result<()> {
    writer.write_stage(stage, batch, &StageOptions::new())
}

#[test]
fn stages_are_finalized_independently() {
    let mut writer = memory().build().unwrap();
    write(&mut writer, "a", &small(1.0)).unwrap();
    write(&mut writer, "b", &small(5.0).with("y", 1).unwrap()).unwrap();
    writer.finalize_stage("a").unwrap();
    let root = root(&writer);
    assert_eq!((status(&*root, "a"), status(&*root, "b")), (StageStatus::Complete, StageStatus::Incomplete));
    let events = |stage: &str| root.dataset(&format!("stages/{stage}/events")).unwrap().dtype().unwrap().fields().len();
    assert_eq!((events("a"), events("b")), (2, 3), "each stage has its own products");
    let read = |stage: &str| StageReader::builder().stage(stage).of_groups([&*root]);
    assert_eq!(read("a").unwrap().len(), 2);
    let incomplete = read("b").unwrap_err();
    assert!(incomplete.to_string().contains("marked incomplete"), "{incomplete}");
    assert_eq!(StageReader::builder().stage("b").ignore_incomplete(true).of_groups([&*root]).unwrap().len(), 2);
    writer.finalize_stage("b").unwrap();
    assert_eq!(status(&*root, "b"), StageStatus::Complete);
}

#[test]
fn finalizing_and_listing_ignore_what_is_not_there() {
    let mut writer = memory().build().unwrap();
    writer.finalize_stage("nothing").unwrap();
    assert!(writer.list_stages().unwrap().is_empty() && writer.caches().is_empty());
    write(&mut writer, "b", &small(1.0)).unwrap();
    write(&mut writer, "a", &small(1.0)).unwrap();
    writer.finalize_stage("nothing").unwrap();
    assert_eq!(writer.list_stages().unwrap(), ["a", "b"]);
    writer.flush().unwrap();
}

#[test]
fn writing_needs_a_configured_stage() {
    let mut writer = memory().build().unwrap();
    for e in [writer.write(&small(1.0)).unwrap_err(), writer.finalize().unwrap_err()] {
        assert_eq!(e.kind(), ErrorKind::InvalidArgument);
        assert!(e.to_string().contains("configured `stage`"), "{e}");
    }
    let mut writer = memory().stage("s").build().unwrap();
    writer.write(&small(1.0)).unwrap();
    writer.finalize().unwrap();
    assert_eq!(status(&*root(&writer), "s"), StageStatus::Complete);
}

#[test]
fn only_chosen_products_are_stored() {
    let stored = |builder: StageHdf5WriterBuilder| {
        let mut writer = builder.stage("s").build().unwrap();
        let batch = small(1.0).with("y", 1).unwrap().with("file_entry_index", vec![11i64, 12]).unwrap();
        writer.write(&batch).unwrap();
        let group = root(&writer).group("stages/s").unwrap();
        let fields: Vec<String> = group.dataset("events").unwrap().dtype().unwrap().fields().iter().map(|f| f.name.clone()).collect();
        let mut there = group.keys().unwrap();
        there.retain(|k| k != "info" && k != "events");
        let mut sorted = fields.clone();
        sorted.sort();
        assert_eq!(there, sorted);
        let entries = group.dataset("source_file_entry_index").unwrap().read::<i64>().unwrap();
        assert_eq!(entries.as_slice().unwrap(), [11, 12], "the entry in the source is always there");
        fields
    };
    assert_eq!(stored(memory().keys(["x"])), ["index", "x", "source_file_entry_index"]);
    assert_eq!(stored(memory().skip_keys(["x", "source_file_entry_index"])), ["index", "y", "file_entry_index", "source_file_entry_index"]);
    assert_eq!(stored(memory()), ["index", "x", "y", "file_entry_index", "source_file_entry_index"]);
}

#[test]
fn the_source_is_told_once() {
    let mut writer = memory().stage("s").build().unwrap();
    writer.write(&small(1.0)).unwrap();
    let root = root(&writer);
    assert_eq!(SourceInfo::read(&*root).unwrap(), Some(source()));
    let attrs = root.group("source").unwrap();
    assert_eq!(attrs.attrs().keys().unwrap(), ["file_mtime_ns", "file_name", "file_size"]);
    ensure_source_group(&*root, &source()).unwrap();
    let mut larger = source();
    larger.file_size += 1;
    let e = ensure_source_group(&*root, &larger).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument);
    assert!(e.to_string().contains("file_size"), "{e}");
}

#[test]
fn a_mixed_batch_is_split_by_source() {
    let mut writer = StageHdf5Writer::builder().file_name("out/run.h5").in_memory().stage("s").build().unwrap();
    let (a, b) = (SourceInfo::new("source_a.root", 1, 1).unwrap(), SourceInfo::new("source_b.root", 2, 2).unwrap());
    let batch = Batch::new(3)
        .with_sources(&[a.clone(), b.clone(), a.clone()])
        .unwrap()
        .with("x", vec![10, 11, 12])
        .unwrap()
        .with("lists", vec![vec![vec![1i64]], vec![vec![2], vec![3, 4]], vec![]])
        .unwrap()
        .with("loss", 0.5)
        .unwrap();
    writer.write(&batch).unwrap();
    writer.finalize().unwrap();
    let caches = writer.caches();
    let paths: Vec<&Path> = caches.iter().map(|(p, _)| p.as_path()).collect();
    assert_eq!(paths, [Path::new("out/source_a_stage.h5"), Path::new("out/source_b_stage.h5")]);
    for ((_, root), (source, x, losses)) in caches.iter().zip([(&a, vec![10, 12], 2), (&b, vec![11], 1)]) {
        let root = root.clone().unwrap();
        assert_eq!(SourceInfo::read(&*root).unwrap().as_ref(), Some(source));
        let reader = StageReader::of_groups([&*root]).unwrap();
        assert_eq!(reader.product("x").unwrap().values().unwrap(), &memh5::AnyArray::from(x));
        assert_eq!(reader.product("loss").unwrap().values().unwrap().len(), losses, "one value for the batch goes to all sources");
    }
    let of_b = StageReader::of_groups([&*caches[1].1.clone().unwrap()]).unwrap();
    assert_eq!(of_b.get(0).unwrap().list::<Vec<i64>>("lists").unwrap(), [vec![2], vec![3, 4]]);
    // A source stays where it is, and new ones are named after themselves.
    assert_eq!(writer.get_output_path(&a), PathBuf::from("out/source_a_stage.h5"));
    assert_eq!(writer.get_output_path(&other()), PathBuf::from("out/other_stage.h5"));
}

#[test]
fn a_source_stays_in_its_cache_when_others_come() {
    // spine routes it to another file after the first mixed batch, and so splits its events.
    let mut writer = StageHdf5Writer::builder().file_name("run.h5").in_memory().stage("s").build().unwrap();
    writer.write(&small(1.0)).unwrap();
    let mixed = Batch::new(2).with_sources(&[source(), other()]).unwrap().with("x", vec![3.0, 4.0]).unwrap();
    writer.write(&mixed).unwrap();
    writer.write(&small(5.0)).unwrap();
    let caches = writer.caches();
    assert_eq!(caches.iter().map(|(p, _)| p.display().to_string()).collect::<Vec<_>>(), ["other_stage.h5", "run.h5"]);
    assert_eq!(writer.stage_state("s").unwrap().events, 6);
    let run = caches[1].1.clone().unwrap();
    assert_eq!(run.dataset("stages/s/x").unwrap().read::<f64>().unwrap().as_slice().unwrap(), [1.0, 2.0, 3.0, 5.0, 6.0]);
}

#[test]
fn names_of_caches() {
    let path = |builder: StageHdf5WriterBuilder| builder.in_memory().build().unwrap().get_output_path(&source());
    let new = StageHdf5Writer::builder;
    assert_eq!(path(new().file_name("a/x.h5")), Path::new("a/x.h5"));
    assert_eq!(path(new().file_name("a/x.h5").directory("d")), Path::new("d/x.h5"));
    assert_eq!(path(new().prefix(["in/input.root"]).directory("d").suffix("cache")), Path::new("d/input_cache.h5"));
    assert_eq!(path(new().prefix(["a.root", "b.root"]).directory("d").suffix("cache")), Path::new("d/source_cache.h5"));
    for bad in [
        new(),
        new().prefix(["a.root"]).split(false),
        new().file_name("x.h5").keys(["a"]).skip_keys(["b"]),
        new().file_name("x.h5").flush_frequency(0),
    ] {
        assert_eq!(bad.build().unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(new().file_name("x.h5").stage("a/b").build().unwrap_err().kind(), ErrorKind::InvalidName);
}

#[test]
fn one_source_of_a_batch() {
    let at = |batch: &Batch| get_batch_source_info(batch).map_err(|e| e.kind());
    assert_eq!(at(&small(1.0)), Ok(source()));
    let arrays = Batch::new(2).with_sources(&[source(), source()]).unwrap();
    assert_eq!(at(&arrays), Ok(source()));
    assert_eq!(at(&Batch::new(2)), Err(ErrorKind::NotFound));
    assert_eq!(at(&Batch::new(0).with_source(&source()).unwrap()), Err(ErrorKind::InvalidArgument));
    assert_eq!(at(&Batch::new(2).with_sources(&[source(), other()]).unwrap()), Err(ErrorKind::InvalidArgument));
    assert_eq!(at(&small(1.0).with(SOURCE_FILE_SIZE, "large").unwrap()), Err(ErrorKind::Dtype));
    assert_eq!(split_batch_by_source(&Batch::new(2).with_sources(&[source(), other()]).unwrap()).unwrap().len(), 2);
    let remote = SourceInfo::remote("far.root").unwrap();
    assert_eq!((remote.file_size, remote.file_mtime_ns), (-1, -1));
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f.root"), "12345").unwrap();
    let info = SourceInfo::of_file(dir.path().join("f.root")).unwrap();
    assert_eq!((info.file_name.as_str(), info.file_size), ("f.root", 5));
    assert!(info.file_mtime_ns > 1_600_000_000_000_000_000);
}

#[test]
fn a_second_batch_updates_attributes_and_configuration() {
    let mut writer = memory().flush_frequency(1).build().unwrap();
    let cfg = |n: i64| StageOptions::new().cfg(&serde_json::json!({ "step": n })).unwrap();
    writer.write_stage("s", &small(1.0), &cfg(1).attr("a", 1).unwrap().attr("b", "x").unwrap()).unwrap();
    writer.write_stage("s", &small(2.0), &cfg(2).attr("a", vec![1.5, 2.5]).unwrap()).unwrap();
    writer.finalize_stage("s").unwrap();
    let info = list_stages(&*root(&writer)).unwrap().remove(0).info;
    assert_eq!(info.cfg.as_deref(), Some("step: 2\n"));
    let names: Vec<&str> = info.attrs.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!((names, info.attrs[0].1.clone()), (vec!["a", "b"], memh5::AnyArray::from(vec![1.5, 2.5])));
    assert_eq!(info.events, 4);
}

#[test]
fn a_writer_that_comes_back() {
    // One group for every session.
    let tree = MemGroup::new();
    let begin = |overwrite: bool| {
        let tree = tree.clone();
        StageHdf5Writer::builder()
            .file_name("run.h5")
            .overwrite_stage(overwrite)
            .stage("s")
            .in_groups(move |_| Ok(tree.to_ref()))
            .build()
            .unwrap()
    };
    let values = || tree.dataset("stages/s/x").unwrap().read::<f64>().unwrap().into_raw_vec_and_offset().0;
    // A session that never finalizes leaves an incomplete stage, and the next one builds it anew.
    let mut first = begin(false);
    first.write(&small(1.0)).unwrap();
    first.close().unwrap();
    assert_eq!(status(&tree, "s"), StageStatus::Incomplete);
    let mut second = begin(false);
    second.write(&small(10.0)).unwrap();
    second.write(&small(20.0)).unwrap();
    second.finalize().unwrap();
    assert_eq!((status(&tree, "s"), values()), (StageStatus::Complete, vec![10.0, 11.0, 20.0, 21.0]));
    // A complete one is refused, and nothing has changed.
    let before = dump(&tree);
    let e = begin(false).write(&small(0.0)).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists);
    assert!(e.to_string().contains("already complete") && e.to_string().contains("overwrite_stage"), "{e}");
    assert_eq!(second.write(&small(0.0)).unwrap_err().kind(), ErrorKind::AlreadyExists, "also by the session that finalized it");
    assert_eq!(dump(&tree), before);
    // Overwriting holds once: the second batch does not delete the first.
    let mut third = begin(true);
    third.write(&small(30.0)).unwrap();
    third.write_stage("s", &small(40.0), &StageOptions::new().overwrite_stage(true)).unwrap();
    write(&mut third, "sibling", &small(7.0)).unwrap();
    third.finalize().unwrap();
    third.finalize_stage("sibling").unwrap();
    assert_eq!(values(), [30.0, 31.0, 40.0, 41.0]);
    // The siblings stay.
    let mut fourth = begin(true);
    fourth.write(&small(50.0)).unwrap();
    fourth.finalize().unwrap();
    assert_eq!(values(), [50.0, 51.0]);
    assert_eq!(tree.dataset("stages/sibling/x").unwrap().read::<f64>().unwrap().as_slice().unwrap(), [7.0, 8.0]);
    assert_eq!(fourth.list_stages().unwrap(), ["s", "sibling"]);
}

#[test]
fn another_source_is_refused_before_anything_is_written() {
    let tree = MemGroup::new();
    let begin = || {
        let tree = tree.clone();
        StageHdf5Writer::builder().file_name("run.h5").in_groups(move |_| Ok(tree.to_ref())).build().unwrap()
    };
    let mut writer = begin();
    write(&mut writer, "s", &small(1.0)).unwrap();
    let before = dump(&tree);
    let changed = |change: fn(&mut SourceInfo)| {
        let mut s = source();
        change(&mut s);
        Batch::new(1).with_source(&s).unwrap().with("x", vec![1.0]).unwrap()
    };
    for (batch, field) in [
        (changed(|s| s.file_name = "b.root".into()), "file_name"),
        (changed(|s| s.file_size += 1), "file_size"),
        (changed(|s| s.file_mtime_ns += 1), "file_mtime_ns"),
    ] {
        for writer in [&mut writer, &mut begin()] {
            let e = write(writer, "t", &batch).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{e}");
            assert!(e.to_string().contains(field), "{e}");
        }
    }
    assert_eq!(dump(&tree), before);
    write(&mut writer, "s", &small(1.0)).unwrap();
}

#[test]
fn lite_objects_lack_the_long_fields() {
    let mut writer = memory().lite(["pe_per_ch", "units"]).stage("s").build().unwrap();
    let flashes = crate::data::flashes_of(&[vec![crate::data::flash(0, 3)], vec![]]).unwrap();
    writer.write(&small(1.0).with("flashes", flashes).unwrap()).unwrap();
    let names: Vec<String> =
        root(&writer).dataset("stages/s/flashes").unwrap().dtype().unwrap().fields().iter().map(|f| f.name.clone()).collect();
    assert_eq!(names, ["id", "in_beam_frame", "time", "center"]);
}

#[test]
fn readers_follow_the_rules_of_spine() {
    let mut writer = memory().build().unwrap();
    write(&mut writer, "a", &small(1.0)).unwrap();
    write(&mut writer, "b", &Batch::new(2).with_source(&source()).unwrap().with("y", vec![5, 6]).unwrap().with("x", 0.0).unwrap()).unwrap();
    writer.finalize_stage("a").unwrap();
    writer.finalize_stage("b").unwrap();
    let root = root(&writer);
    let open = |b: StageReaderBuilder| b.of_groups([&*root]);
    let new = StageReader::builder;
    // The stage of a product is found where only one has it.
    let both = open(new().keys(["y"])).unwrap();
    assert_eq!(both.keys(), [("y".to_owned(), "b".to_owned())]);
    let mapped = open(new().keys(["x", "y"]).stage_map([("x", "a")])).unwrap();
    assert_eq!(mapped.get(1).unwrap().get::<f64>("x").unwrap(), 2.0);
    let e = open(new().keys(["x"])).unwrap_err();
    assert!(e.kind() == ErrorKind::InvalidArgument && e.to_string().contains("appears in multiple stages"), "{e}");
    let e = open(new().keys(["z"])).unwrap_err();
    assert!(e.kind() == ErrorKind::NotFound && e.to_string().contains("could not find"), "{e}");
    let e = open(new().stage("a").keys(["y"])).unwrap_err();
    assert!(e.to_string().contains("does not exist in stage"), "{e}");
    assert_eq!(open(new().stage("c")).unwrap_err().kind(), ErrorKind::NotFound);
    // Without a source, an event has none.
    root.delete("source").unwrap();
    let event = open(new().stage("a")).unwrap().get(0).unwrap();
    assert!(event.value("source_file_name").is_none() && event.get::<i64>("source_file_entry_index").unwrap() == 0);
    // Attributes of the source that are no name and no whole number are refused.
    root.create_group("source").unwrap();
    let attrs = root.group("source").unwrap();
    attrs.attrs().set("file_name", 5).unwrap();
    assert_eq!(open(new().stage("a")).unwrap_err().kind(), ErrorKind::Corrupt);
    attrs.attrs().set("file_name", memh5::AnyArray::from_bytes(memh5::DType::fixed_ascii(3), [], b"abc").unwrap()).unwrap();
    attrs.attrs().set("file_size", 1.5).unwrap();
    attrs.attrs().set("file_mtime_ns", 1u8).unwrap();
    assert_eq!(open(new().stage("a")).unwrap_err().kind(), ErrorKind::Corrupt);
    attrs.attrs().set("file_size", 7i32).unwrap();
    assert_eq!(open(new().stage("a")).unwrap().get(0).unwrap().get::<String>("source_file_name").unwrap(), "abc");
}

#[test]
fn stages_of_different_lengths_or_orders_are_not_read_together() {
    let mut writer = memory().build().unwrap();
    let batch = |entries: &[i64], key: &str| {
        Batch::new(entries.len()).with_source(&source()).unwrap().with("file_entry_index", entries.to_vec()).unwrap().with(key, 1).unwrap()
    };
    for (stage, entries) in [("a", &[0i64, 1][..]), ("b", &[0, 1, 2]), ("c", &[1, 0]), ("d", &[0, 1])] {
        write(&mut writer, stage, &batch(entries, stage)).unwrap();
        writer.finalize_stage(stage).unwrap();
    }
    let root = root(&writer);
    let open = |keys: [&str; 2]| StageReader::builder().keys(keys).of_groups([&*root]);
    let e = open(["a", "b"]).unwrap_err();
    assert!(e.kind() == ErrorKind::Corrupt && e.to_string().contains("same number of entries"), "{e}");
    let e = open(["a", "c"]).unwrap_err();
    assert!(e.kind() == ErrorKind::Corrupt && e.to_string().contains("orders"), "{e}");
    assert_eq!(open(["a", "d"]).unwrap().len(), 2);
}

#[test]
fn what_other_programs_leave_is_read() {
    let mut writer = memory().stage("s").build().unwrap();
    writer.write(&small(1.0).with("t", vec![rows(0, 2, 3), rows(1, 1, 3)]).unwrap()).unwrap();
    let root = root(&writer);
    let open = || StageReader::builder().stage("s").of_groups([&*root]).map(|r| r.len()).map_err(|e| e.kind());
    assert_eq!(open(), Err(ErrorKind::InvalidArgument));
    let info = root.group("stages/s/info").unwrap();
    for (value, wanted) in [
        (memh5::AnyArray::from(1u8), Ok(2)),
        (memh5::AnyArray::from(vec![0i64]), Err(ErrorKind::InvalidArgument)),
        (memh5::AnyArray::from("yes"), Err(ErrorKind::Corrupt)),
    ] {
        info.attrs().set("complete", value).unwrap();
        assert_eq!(open(), wanted);
    }
    info.attrs().delete("complete").unwrap();
    assert_eq!(open(), Ok(2), "no mark at all is taken for complete");
    info.attrs().set("cfg", "a: !!python/tuple [1]").unwrap();
    let reader = StageReader::builder().stage("s").of_groups([&*root]).unwrap();
    assert_eq!(reader.cfg().unwrap()["s"].to_string(), r#"{"a": [1]}"#, "spine's reader fails here");
    info.attrs().set("cfg", "a: [").unwrap();
    let reader = StageReader::builder().stage("s").of_groups([&*root]).unwrap();
    assert!(reader.cfg().unwrap().is_empty());
    assert_eq!(reader.stages(0).unwrap()[0].config().unwrap_err().kind(), ErrorKind::Corrupt);
    // Products without references are no part of the stage; references that lead elsewhere are damage.
    root.create_dataset("stages/s/stray").write(vec![1, 2]).unwrap();
    assert!(!StageReader::builder().stage("s").of_groups([&*root]).unwrap().keys().iter().any(|(k, _)| k == "stray"));
    root.rename("stages/s/x", "stages/s/was_x").unwrap();
    root.create_dataset("stages/s/x").write(vec![1.0, 2.0]).unwrap();
    root.dataset("stages/s/x").unwrap().attrs().set("scalar", true).unwrap();
    let e = StageReader::builder().stage("s").of_groups([&*root]).unwrap().product("x").unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
}

#[test]
fn a_cache_in_another_format_is_refused() {
    let tree = MemGroup::new();
    tree.create_group("info").unwrap().attrs().set("format", "spine_hdf5").unwrap();
    let begin = |version: FormatVersion| {
        let tree = tree.clone();
        StageHdf5Writer::builder().file_name("r.h5").format_version(version).in_groups(move |_| Ok(tree.to_ref())).build().unwrap()
    };
    let e = write(&mut begin(FormatVersion::V1), "s", &small(1.0)).unwrap_err();
    assert!(e.kind() == ErrorKind::InvalidArgument && e.to_string().contains("spine_hdf5"), "{e}");
    tree.delete("info").unwrap();
    tree.create_dataset("something").write(1).unwrap();
    assert_eq!(write(&mut begin(FormatVersion::V1), "s", &small(1.0)).unwrap_err().kind(), ErrorKind::InvalidArgument);
    tree.delete("something").unwrap();
    write(&mut begin(FormatVersion::V2), "s", &small(1.0)).unwrap();
    let e = write(&mut begin(FormatVersion::V1), "t", &small(1.0)).unwrap_err();
    assert!(e.kind() == ErrorKind::Unsupported && e.to_string().contains("format version 2"), "{e}");
}

/// All of a tree as text, to see whether anything has changed.
pub fn dump(root: &dyn Group) -> String {
    let mut out = Vec::new();
    memh5::tree::dump(root, &memh5::tree::DumpOptions::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}
