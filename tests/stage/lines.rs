//! What a reader gives, as the lines that tests/interop/spine_read.py prints of spine's readers.

use memh5::stage::{EventValue, StageReader};
use memh5::{AnyArray, DType};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

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
