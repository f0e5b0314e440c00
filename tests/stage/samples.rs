//! spine's own files, read here: every product of every event has the digest that spine's reader has recorded.

use crate::lines::{lines, same};
use crate::peer;
use memh5::stage::StageReader;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn sample(name: &str) -> Option<PathBuf> {
    peer::samples().into_iter().find(|p| p.ends_with(format!("spine/h5/{name}")))
}

fn expected(sample: &Path, name: &str) -> (Value, Vec<Value>) {
    let text = std::fs::read_to_string(sample.parent().unwrap().join("../expected").join(name)).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let head = lines.remove(0);
    (head, lines)
}

fn compare(name: &str, stage: Option<&str>, recorded: &str, bytes: bool) {
    let Some(path) = sample(name) else { return };
    let (head, wanted) = expected(&path, recorded);
    let mut builder = StageReader::builder();
    if let Some(stage) = stage {
        builder = builder.stage(stage);
    }
    let reader = builder.open([&path]).unwrap();
    assert_eq!(json!(reader.len()), head["entries"]);
    assert_eq!(json!(reader.version(0).unwrap()), head["version"]);
    let cfg = reader.cfg().unwrap();
    let cfg: Value = cfg.into_values().next().map_or(Value::Null, |c| serde_json::from_str(&c.to_string()).unwrap());
    assert!(same(&cfg, &head["cfg"]), "{cfg} and {}", head["cfg"]);
    let got = lines(&reader, bytes);
    for (got, wanted) in got.iter().zip(&wanted) {
        assert!(same(got, wanted), "{name}:\n got {got}\nwant {wanted}");
    }
    assert_eq!(got.len(), wanted.len());
    println!("{name} {stage:?}: {} lines of spine's reader are equal", got.len());
}

#[test]
fn a_cache_of_every_kind() {
    compare("stage_full.h5", Some("everything"), "stage_full.everything.jsonl", true);
}

#[test]
fn another_stage_of_it() {
    compare("stage_full.h5", Some("graph_spice"), "stage_full.graph_spice.jsonl", true);
}

#[test]
fn flat_files_of_both_versions() {
    compare("flat_v1.h5", None, "flat_v1.jsonl", true);
    compare("flat_v2.h5", None, "flat_v2.jsonl", false);
}

#[test]
fn the_comparison_can_fail() {
    let (a, b) = (json!({"x": [1, {"y": 2.0}]}), json!({"x": [1, {"y": 3}]}));
    assert!(same(&a, &a) && !same(&a, &b) && !same(&a, &json!({"x": [1]})));
}
