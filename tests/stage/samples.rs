//! spine's own files, read here: every product of every event has the digest that spine's reader has recorded.

use crate::peer;
use memh5::stage::{EventValue, StageReader};
use memh5::{AnyArray, DType};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The dtype as numpy writes it.
fn numpy_name(dtype: &DType) -> String {
    match dtype {
        DType::Bool => "|b1".into(),
        other => other.to_string(),
    }
}

fn digest(array: &AnyArray) -> Value {
    let bytes = array.as_bytes().expect("plain elements");
    let sum: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    json!({"dtype": numpy_name(array.dtype()), "shape": array.shape(), "sha256": sum[..16]})
}

fn text(text: &str, bytes: bool) -> Value {
    if bytes { json!({ "bytes": text }) } else { json!(text) }
}

fn number(array: &AnyArray) -> Value {
    let element = array.element(0).expect("an element");
    match array.dtype() {
        DType::Bool => json!(element.as_bool().unwrap()),
        DType::Float(_) => match element.as_f64().unwrap() {
            v if v.is_nan() => json!("NaN"),
            v => json!(v),
        },
        _ => json!(element.as_i64().unwrap()),
    }
}

/// One object as spine's reader gives it: the fields by name.
fn object(row: &AnyArray, bytes: bool) -> Value {
    let mut fields = Map::new();
    for field in row.dtype().fields() {
        let value = row.field(&field.name).unwrap();
        let told = match &field.dtype {
            DType::VarString { .. } => text(&value.to_strings().unwrap()[0], bytes),
            DType::VarSeq(base) => {
                let items = value.element(0).unwrap().as_sequence().unwrap();
                assert_eq!(items.dtype(), &**base);
                digest(&items)
            }
            DType::Array { base, shape } => {
                digest(&AnyArray::from_bytes((**base).clone(), shape.to_vec(), value.as_bytes().unwrap()).unwrap())
            }
            _ => number(&value),
        };
        fields.insert(field.name.clone(), told);
    }
    json!({ "fields": fields })
}

/// A value as the recorded lines have it. `bytes`: texts come as bytes, as from files of version 1.
pub fn told(value: &EventValue, bytes: bool) -> Value {
    match value {
        EventValue::Scalar(a) if a.dtype().is_string() => text(&a.to_strings().unwrap()[0], bytes),
        EventValue::Scalar(a) => number(a),
        EventValue::Array(a) => digest(a),
        EventValue::List(arrays) => json!({"list": arrays.iter().map(digest).collect::<Vec<_>>()}),
        EventValue::Object(a) => object(&a.clone().reshape(&[1]).unwrap(), bytes),
        EventValue::Objects(a) => {
            let rows: Vec<Value> = (0..a.len()).map(|i| object(&a.select(i..i + 1).unwrap(), bytes)).collect();
            json!({ "list": rows })
        }
        other => panic!("{other:?}"),
    }
}

/// The lines of a reader, as spine_read.py prints them.
pub fn lines(reader: &StageReader, bytes: bool) -> Vec<Value> {
    let mut out = Vec::new();
    for entry in 0..reader.len() {
        let event = reader.get(entry).unwrap();
        for (key, value) in event.values() {
            // What comes from the attributes of the source, and is no product, is text for spine too.
            let bytes = bytes && reader.keys().iter().any(|(k, _)| k == key);
            out.push(json!({"entry": entry, "key": key, "value": told(value, bytes)}));
        }
    }
    out
}

/// Numbers are equal by value: Python's JSON tells 1.0 from 1, and digests of both are not.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w))),
        _ => a == b,
    }
}

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
