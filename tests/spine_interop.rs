//! spine as the peer: what its writer made and our tool has copied, its own reader reads as before.
//!
//! spine's environment is large, so this runs with `make interop`; the last result is in docs/interop.md.

#[path = "stage/data.rs"]
#[allow(dead_code)]
mod data;
#[path = "stage/lines.rs"]
mod lines;
mod peer;

use lines::same;
use memh5::stage::{Batch, FormatVersion, Product, StageHdf5Writer, StageOptions, StageReader, check_stages};
use memh5::tree::{GroupRef, Mode};
use memh5::{MemGroup, deep_group_copy, format, prelude::*};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lines of spine's reader, without what depends on the name of the file.
fn read(python: &Path, file: &Path, how: &[&str]) -> Vec<Value> {
    let mut args: Vec<&OsStr> = vec![file.as_os_str()];
    args.extend(how.iter().map(OsStr::new));
    let text = peer::run(python, &peer::script("spine_read.py"), &args);
    text.lines().filter(|l| l.starts_with('{')).map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

fn expected(sample: &Path, name: &str) -> Vec<Value> {
    let file = sample.join("../expected").join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

#[test]
#[ignore = "needs spine's environment: make interop"]
fn spine_reads_our_copies() {
    let Some(python) = peer::python("MEMH5_SPINE_PYTHON", "spine") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let samples: Vec<PathBuf> = peer::samples();
    let cases: [(&str, &[&str], &str); 4] = [
        ("stage_full.h5", &["stage", "everything"], "stage_full.everything.jsonl"),
        ("stage_full.h5", &["stage", "graph_spice"], "stage_full.graph_spice.jsonl"),
        ("flat_v1.h5", &["flat"], "flat_v1.jsonl"),
        ("flat_v2.h5", &["flat"], "flat_v2.jsonl"),
    ];
    for (name, how, lines) in cases {
        let Some(sample) = samples.iter().find(|s| s.ends_with(name)) else { panic!("the sample {name} is not there") };
        let wanted = expected(sample.parent().expect("a directory"), lines);
        assert_eq!(read(&python, sample, how), wanted, "spine reads the original {name} as it was recorded");
        // By the tool, through HDF5 alone; and by the library, through memory.
        let (by_tool, by_memory) = (dir.path().join(format!("tool_{name}")), dir.path().join(format!("memory_{name}")));
        let out =
            Command::new(env!("CARGO_BIN_EXE_memh5")).arg("copy").arg(sample).arg(&by_tool).arg("--overwrite").output().expect("the tool");
        assert!(out.status.success(), "memh5 copy: {}", String::from_utf8_lossy(&out.stderr));
        MemGroup::from_file(sample).expect("load").to_file(&by_memory).expect("save");
        for copy in [&by_tool, &by_memory] {
            let got = read(&python, copy, how);
            assert_eq!(got.len(), wanted.len());
            for (got, wanted) in got.iter().zip(&wanted) {
                assert_eq!(got, wanted, "{name}, copied to {}", copy.display());
            }
        }
        println!("{name} {how:?}: {} lines of spine's reader are equal, for the original and two copies", wanted.len());
    }
}

/// spine's environment and a sample; `None` (and a loud word) where spine is not installed.
fn peer_and_sample(name: &str) -> Option<(PathBuf, PathBuf)> {
    let python = peer::python("MEMH5_SPINE_PYTHON", "spine")?;
    let samples = peer::samples();
    let sample = samples.iter().find(|s| s.ends_with(name)).unwrap_or_else(|| panic!("the sample {name} is not there"));
    Some((python, sample.clone()))
}

/// The stage of a file as a batch, with its source and its entries.
fn as_batch(file: &Path, stage: &str) -> Batch {
    let reader = StageReader::builder().stage(stage).open([file]).expect("our reader");
    let mut batch = Batch::new(reader.len()).with_source(reader.source(0).expect("a file").expect("a source")).expect("a source");
    for (key, _) in reader.keys() {
        batch.put(&key, &*reader.product(&key).expect("a product")).expect("a product of a batch");
    }
    batch
}

/// All lines equal, numbers by value.
fn assert_lines(got: &[Value], wanted: &[Value], what: &str) {
    for (got, wanted) in got.iter().zip(wanted) {
        assert!(same(got, wanted), "{what}:\n got {got}\nwant {wanted}");
    }
    assert_eq!(got.len(), wanted.len(), "{what}");
    println!("{what}: {} lines are equal", got.len());
}

/// Writes a batch as a stage, in two calls, with spine's configuration of the sample.
fn write_ours(file: &Path, stage: &str, batch: &Batch, version: FormatVersion, cfg: &str) {
    let mut writer = StageHdf5Writer::builder().file_name(file).format_version(version).build().expect("a writer");
    let options = StageOptions::new().cfg_text(cfg).expect("plain YAML");
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..batch.events()).partition(|e| *e < 2);
    for events in [first, rest] {
        writer.write_stage(stage, &batch.select(&events).expect("a part"), &options).expect("write");
    }
    writer.finalize_stage(stage).expect("finalize");
}

#[test]
#[ignore = "needs spine's environment: make interop"]
fn spine_reads_our_stages() {
    let Some((python, sample)) = peer_and_sample("stage_full.h5") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ours_stage.h5");
    // The very data of spine's sample: its recorded lines have to come from our file too.
    for stage in ["everything", "graph_spice"] {
        let cfg = StageReader::builder().stage(stage).open([&sample]).expect("open").stages(0).expect("stages");
        let cfg = cfg.into_iter().find(|s| s.name == stage).and_then(|s| s.cfg).expect("a configuration");
        write_ours(&file, stage, &as_batch(&sample, stage), FormatVersion::V1, &cfg);
        let wanted = expected(sample.parent().expect("a directory"), &format!("stage_full.{stage}.jsonl"));
        assert_lines(&read(&python, &file, &["stage", stage]), &wanted, &format!("spine reads our stage {stage}"));
    }
    // And every kind of product that the tests here write, as our own reader has it.
    let file = dir.path().join("kinds_stage.h5");
    write_ours(&file, "everything", &data::everything(0, &[3, 0, 5, 1]), FormatVersion::V1, "seed: 0\n");
    let reader = StageReader::open([&file]).expect("our reader");
    assert_lines(&read(&python, &file, &["stage", "everything"])[1..], &lines::lines(&reader, true), "spine and we read our file alike");
}

#[test]
#[ignore = "needs spine's environment: make interop"]
fn spine_follows_many_references() {
    let Some(python) = peer::python("MEMH5_SPINE_PYTHON", "spine") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("many_stage.h5");
    // So many that they are written in bulk.
    let events: Vec<usize> = (0..100).collect();
    let lists = events.iter().map(|e| (0..30).map(|i| data::numbers(*e, i % 7)).collect::<Vec<_>>());
    let batch = Batch::new(100)
        .with_source(&data::source())
        .and_then(|b| b.with("index", events.iter().map(|e| *e as i64).collect::<Vec<_>>()))
        .and_then(|b| b.with("lists", memh5::stage::Product::lists(lists)?))
        .and_then(|b| b.with("rows", events.iter().map(|e| data::rows(*e, e % 5, 4)).collect::<Vec<_>>()))
        .expect("a batch");
    write_ours(&file, "many", &batch, FormatVersion::V1, "seed: 0\n");
    let reader = StageReader::builder().verify(true).open([&file]).expect("our reader");
    assert_lines(&read(&python, &file, &["stage", "many"])[1..], &lines::lines(&reader, true), "spine follows references made in bulk");
}

#[test]
#[ignore = "needs spine's environment: make interop"]
fn both_append_stages_to_one_cache() {
    let Some((python, sample)) = peer_and_sample("stage_full.h5") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (theirs, ours) = (dir.path().join("theirs_stage.h5"), dir.path().join("ours_stage.h5"));
    let script = peer::script("spine_stage.py");
    let spine = |file: &Path, more: &[&str]| {
        let mut args: Vec<&OsStr> = vec![file.as_os_str()];
        args.extend(more.iter().map(OsStr::new));
        peer::run(&python, &script, &args)
    };
    let batch = data::everything(0, &[3, 0, 5, 1]);
    let keys =
        ["theirs_tensor=theirs", "theirs_lists=theirs", "theirs_label=theirs", "tensor=ours", "jagged=ours", "clusts=ours", "flashes=ours"];
    for (file, first_is_ours) in [(&theirs, false), (&ours, true)] {
        for ours in [first_is_ours, !first_is_ours] {
            if ours {
                write_ours(file, "ours", &batch, FormatVersion::V1, "writer: memh5\n");
            } else {
                assert!(spine(file, &["theirs", "4"]).contains("WRITTEN"));
            }
        }
        let how: Vec<&str> = std::iter::once("stages").chain(keys).collect();
        let told = read(&python, file, &how);
        let pairs: Vec<(&str, &str)> = keys.iter().filter_map(|k| k.split_once('=')).collect();
        let reader = StageReader::builder()
            .keys(pairs.iter().map(|p| p.0))
            .stage_map(pairs.iter().copied())
            .verify(true)
            .open([file])
            .expect("our reader");
        assert_lines(&told[1..], &lines::lines(&reader, true), "one reader of spine and one of ours, over stages of both writers");
        let root = format::open(file, Mode::Read).expect("open");
        let checks = check_stages(&*root).expect("stages");
        assert_eq!(
            checks.iter().map(|c| (c.info.name.as_str(), c.damages.len(), c.datasets > 0)).collect::<Vec<_>>(),
            [("ours", 0, true), ("theirs", 0, false)]
        );
        root.close_tree().expect("close");
        // Each refuses what is of another source.
        assert!(spine(file, &["more", "2", "mismatch"]).contains("REFUSED Cache source mismatch"));
    }
    // A stage of ours in spine's own cache of every kind.
    let full = dir.path().join("full_stage.h5");
    std::fs::copy(&sample, &full).expect("copy");
    write_ours(&full, "ours", &batch, FormatVersion::V1, "writer: memh5\n");
    for (stage, recorded) in [("everything", "stage_full.everything.jsonl"), ("graph_spice", "stage_full.graph_spice.jsonl")] {
        let wanted = expected(sample.parent().expect("a directory"), recorded);
        assert_lines(&read(&python, &full, &["stage", stage]), &wanted, "spine's stages beside ours are as they were");
    }
    let reader = StageReader::builder().stage("ours").open([&full]).expect("our reader");
    assert_lines(&read(&python, &full, &["stage", "ours"])[1..], &lines::lines(&reader, true), "and ours is read");
}

#[test]
#[ignore = "needs spine's environment: make interop"]
fn spine_reads_our_products_of_version_2() {
    let Some((python, sample)) = peer_and_sample("flat_v2.h5") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("flat_v2.h5");
    // spine 0.17 reads version 2 in flat files: a stage of ours, with what a flat file says of itself.
    let reader = StageReader::open([&sample]).expect("our reader");
    let mut batch = Batch::new(reader.len()).with_source(&data::source()).expect("a source");
    for (key, _) in reader.keys() {
        batch.put(&key, &*reader.product(&key).expect("a product")).expect("a product of a batch");
    }
    let mut writer =
        StageHdf5Writer::builder().file_name("x.h5").format_version(FormatVersion::V2).in_memory().stage("s").build().expect("a writer");
    writer.write(&batch.select(&[0, 1]).expect("a part")).expect("write");
    writer.write(&batch.select(&[2, 3]).expect("a part")).expect("write");
    writer.finalize().expect("finalize");
    let cache: GroupRef = writer.caches()[0].1.clone().expect("a group");
    let root = format::create(&file, &memh5::tree::GroupSpec::default()).expect("a file");
    deep_group_copy(&*cache.group("stages/s").expect("the stage"), &*root).expect("copy");
    let info = root.group("info").expect("info");
    let original = format::open(&sample, Mode::Read).expect("open");
    for (name, value) in original.group("info").expect("info").attrs().items().expect("attributes") {
        info.attrs().set(&name, value).expect("an attribute");
    }
    root.close_tree().expect("close");
    let wanted = expected(sample.parent().expect("a directory"), "flat_v2.jsonl");
    let kept = |l: &&Value| {
        !l["key"]
            .as_str()
            .is_some_and(|k| k.starts_with("source_file_name") || k.starts_with("source_file_size") || k.starts_with("source_file_mtime"))
    };
    let (got, wanted): (Vec<Value>, Vec<Value>) =
        (read(&python, &file, &["flat"]).iter().filter(kept).cloned().collect(), wanted.iter().filter(kept).cloned().collect());
    assert_lines(&got, &wanted, "spine reads our products of version 2");
}

/// Reads a flat file and says of what classes its products are, and what they hold.
const TYPED: &str = r#"
import sys
from spine.io.read import HDF5Reader
event = HDF5Reader(file_keys=sys.argv[1]).get(1)
clusters, tensor, edges = event["clusters"], event["tensor"], event["edges"]
print(type(clusters).__name__, clusters.span, [list(map(int, v)) for v in clusters.features])
print(type(tensor).__name__, tensor.data.shape, tensor.coordinate_data.shape)
print(type(edges).__name__, edges.span, edges.directed, edges.features.tolist())
"#;

#[test]
#[ignore = "needs spine's environment: make interop"]
fn spine_builds_our_typed_products() {
    let Some((python, sample)) = peer_and_sample("flat_v2.h5") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("typed.h5");
    let spans = || Product::scalars(vec![10i64, 20]).expect("spans");
    let product = |p: memh5::Result<Product>, metadata: Value| p.and_then(|p| p.with_metadata(&metadata)).expect("a product");
    let clusters =
        product(Product::lists(vec![vec![vec![1i64, 2]], vec![vec![3], vec![4, 5]]]), serde_json::json!({"product_type": "index_list"}));
    let edges = product(
        Product::arrays([ndarray::array![[0i64, 1]], ndarray::array![[1, 2], [2, 3]]]),
        serde_json::json!({"product_type": "edge_index", "directed": false}),
    );
    let tensor = product(
        Product::arrays([ndarray::Array2::<f32>::ones((2, 4)), ndarray::Array2::<f32>::ones((3, 4))]),
        serde_json::json!({"product_type": "tensor", "coordinate_width": 3, "has_meta": false, "schema": {}}),
    );
    let batch = Batch::new(2).with_source(&data::source()).expect("a source");
    let batch = batch.with("clusters", clusters.with_part("spans", spans()).expect("a part")).expect("put");
    let batch = batch.with("edges", edges.with_part("spans", spans()).expect("a part")).expect("put").with("tensor", tensor).expect("put");
    let mut writer =
        StageHdf5Writer::builder().file_name("x.h5").format_version(FormatVersion::V2).in_memory().stage("s").build().expect("a writer");
    writer.write(&batch).expect("write");
    writer.finalize().expect("finalize");
    let cache: GroupRef = writer.caches()[0].1.clone().expect("a group");
    let root = format::create(&file, &memh5::tree::GroupSpec::default()).expect("a file");
    deep_group_copy(&*cache.group("stages/s").expect("the stage"), &*root).expect("copy");
    let original = format::open(&sample, Mode::Read).expect("open");
    for (name, value) in original.group("info").expect("info").attrs().items().expect("attributes") {
        root.group("info").expect("info").attrs().set(&name, value).expect("an attribute");
    }
    root.close_tree().expect("close");
    let out = std::process::Command::new(&python).arg("-c").arg(TYPED).arg(&file).output().expect("run");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    let lines: Vec<&str> = text.lines().filter(|l| l.contains("Data ")).collect();
    assert_eq!(lines, ["IndexListData 20 [[3], [4, 5]]", "TensorData (3, 4) (3, 3)", "EdgeIndexData 20 False [[1, 2], [2, 3]]",]);
}
