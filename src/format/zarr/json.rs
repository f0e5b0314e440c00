//! JSON documents: strict when written, as Python's `json` when read (NaN and the infinities become texts).

use crate::copy::Json;
use crate::error::{Result, bail, error};
use serde_json::{Map, Value};

/// A JSON object.
pub(super) type Object = Map<String, Value>;

/// Reads a document that has to be an object.
pub(super) fn parse_object(bytes: &[u8], what: &str) -> Result<Object> {
    match parse(bytes, what)? {
        Value::Object(map) => Ok(map),
        _ => bail!(Corrupt, "{what} is JSON, but no object"),
    }
}

fn parse(bytes: &[u8], what: &str) -> Result<Value> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(strict) => {
            // Python writes NaN as a bare word, which strict JSON does not know.
            let text = std::str::from_utf8(bytes).map_err(|e| error!(Corrupt, "{what} is no text in UTF-8").because(e))?;
            match text.parse::<Json>() {
                Ok(json) => Ok(from_python(json)),
                Err(_) => Err(error!(Corrupt, "{what} is no JSON").because(strict)),
            }
        }
    }
}

fn from_python(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => b.into(),
        Json::Int(i) => {
            i64::try_from(i).map(Value::from).or_else(|_| u64::try_from(i).map(Value::from)).unwrap_or_else(|_| float(i as f64))
        }
        Json::Float(f) => float(f),
        Json::String(s) => s.into(),
        Json::Array(items) => items.into_iter().map(from_python).collect(),
        Json::Object(items) => Value::Object(items.into_iter().map(|(n, v)| (n, from_python(v))).collect()),
    }
}

/// A number, or its name where JSON has no number: as Zarr spells fill values.
pub(super) fn float(f: f64) -> Value {
    match serde_json::Number::from_f64(f) {
        Some(n) => Value::Number(n),
        None if f.is_nan() => "NaN".into(),
        None if f > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// The text of a document, indented as zarr-python does.
pub(super) fn to_text(object: &Object) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(object).map_err(|e| error!(InvalidArgument, "the metadata cannot be written as JSON").because(e))
}

/// A list of whole numbers.
pub(super) fn numbers(value: &Value) -> Option<Vec<usize>> {
    value.as_array()?.iter().map(|v| v.as_u64().and_then(|n| usize::try_from(n).ok())).collect()
}

/// Bytes as base64.
pub(super) fn to_base64(bytes: &[u8]) -> Value {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes).into()
}

/// The bytes of base64.
pub(super) fn from_base64(value: &Value) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_is_read() {
        let map = parse_object(br#"{"a": NaN, "b": [1, -Infinity], "c": 18446744073709551615}"#, "it").unwrap();
        assert_eq!((&map["a"], &map["b"][1], map["c"].as_u64()), (&Value::from("NaN"), &Value::from("-Infinity"), Some(u64::MAX)));
        for bad in [&b""[..], b"[1]", b"{", b"{\"a\": }", b"\xff\xfe"] {
            assert_eq!(parse_object(bad, "it").unwrap_err().kind(), crate::ErrorKind::Corrupt);
        }
    }
}
