//! Configurations: written as plain YAML, which spine's reader takes, and read again.

use crate::copy::Json;
use crate::error::{Result, bail, error};
use serde_yaml_ng::Value;

/// The YAML text of a configuration: block style, keys sorted, as spine's has it. It is plain: no tags, no anchors.
pub(crate) fn to_text(cfg: &(impl serde::Serialize + ?Sized)) -> Result<String> {
    let value = Json::from_value(cfg)?;
    if !matches!(value, Json::Object(_)) {
        bail!(InvalidArgument, "a configuration is a mapping of names to values");
    }
    let mut out = String::new();
    block(&value, 0, &mut out);
    Ok(out)
}

/// The YAML text of a list of names.
pub(crate) fn list_text(names: &[&str]) -> String {
    let mut out = String::new();
    block(&Json::Array(names.iter().map(|n| Json::String((*n).to_owned())).collect()), 0, &mut out);
    out
}

/// Refuses text with tags, as of Python's own types, which spine's reader does not load.
pub(crate) fn check_plain(text: &str) -> Result<()> {
    let mut before = '\n';
    for (at, c) in text.char_indices() {
        let begins = before.is_whitespace() || matches!(before, '[' | '{' | ',');
        if begins && text.get(at..).is_some_and(|rest| rest.starts_with("!!")) {
            let tag: String = text.get(at..).unwrap_or_default().chars().take_while(|c| !c.is_whitespace()).collect();
            return Err(error!(Corrupt, "the YAML text has the tag {tag}, which spine's readers do not load")
                .remedy("give the configuration as a value, or write plain YAML"));
        }
        before = c;
    }
    Ok(())
}

/// The value of YAML text: what JSON has, NaN and the infinities. Tags of Python's containers are passed over.
pub(crate) fn from_text(text: &str) -> Result<Json> {
    let value: Value = serde_yaml_ng::from_str(text)
        .map_err(|e| error!(Corrupt, "the text is not plain YAML").because(e).remedy("the text itself can be read"))?;
    plain(value, 0)
}

fn plain(value: Value, depth: usize) -> Result<Json> {
    if depth > 128 {
        bail!(Corrupt, "the YAML text is nested deeper than 128 levels");
    }
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(b),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Json::Int(i.into()),
            (None, Some(u)) => Json::Int(u.into()),
            _ => Json::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Json::String(text),
        Value::Sequence(items) => Json::Array(items.into_iter().map(|v| plain(v, depth + 1)).collect::<Result<_>>()?),
        Value::Mapping(map) => {
            let pair = |(key, value): (Value, Value)| match key {
                Value::String(name) => Ok((name, plain(value, depth + 1)?)),
                other => bail!(Dtype, "the YAML text has the key {other:?}, which is no text"),
            };
            Json::Object(map.into_iter().map(pair).collect::<Result<_>>()?)
        }
        Value::Tagged(tagged) => {
            return Err(error!(Corrupt, "the YAML text has the tag {}", tagged.tag)
                .remedy("values of Python's own types cannot be read; the text itself can"));
        }
    })
}

/// A mapping or list on lines of its own, at that depth.
fn block(value: &Json, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Json::Object(items) if !items.is_empty() => {
            let mut items: Vec<&(String, Json)> = items.iter().collect();
            items.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            for (key, value) in items {
                out.push_str(&indent);
                out.push_str(&text(key));
                out.push(':');
                nested(value, depth, out);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&indent);
                out.push('-');
                nested(item, depth, out);
            }
        }
        other => {
            out.push_str(&indent);
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn nested(value: &Json, depth: usize, out: &mut String) {
    let in_line = match value {
        Json::Object(items) => items.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => true,
    };
    if in_line {
        out.push(' ');
        out.push_str(&scalar(value));
        out.push('\n');
    } else {
        out.push('\n');
        block(value, depth + 1, out);
    }
}

fn scalar(value: &Json) -> String {
    match value {
        Json::Null => "null".into(),
        Json::Bool(b) => b.to_string(),
        Json::Int(i) => i.to_string(),
        Json::Float(f) => float(*f),
        Json::String(s) => text(s),
        Json::Array(_) => "[]".into(),
        Json::Object(_) => "{}".into(),
    }
}

/// A float as YAML 1.1 reads it: with a dot, and a sign in its exponent.
fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let text = format!("{value:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let dot = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{dot}e{sign}{exponent}")
}

fn text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// True if the text needs no quotes in any YAML.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 14] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf", "infinity", "~"];
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20 || (0x7f..=0x9f).contains(&(c as u32)) => out.push_str(&format!("\\x{:02x}", c as u32)),
            '\u{2028}' | '\u{2029}' | '\u{feff}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            '\u{fffe}' | '\u{ffff}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let cfg: Json = r#"{
            "model": {"lr": 1e-5, "big": 1e300, "one": 1.0, "layers": [1, -2, [], {}, {"a": null, "yes": "no"}, [[1]]], "x": [NaN, -Infinity]},
            "text": "multi\nline: \"x\" \u00e9\ud83d\ude00\t\u0007#", "1": "1", "": "", "n": "1.5", "t": true, "path": "/a/b.c", "~": "- x"
        }"#
        .parse()
        .unwrap();
        let text = to_text(&cfg).unwrap();
        assert_eq!(from_text(&text).unwrap(), cfg, "{text}");
        assert!(text.contains("lr: 1.0e-5\n") && text.contains("big: 1.0e+300\n"), "{text}");
        assert_eq!(from_text("a: !!python/tuple [1]").unwrap(), "{\"a\": [1]}".parse().unwrap());
        assert_eq!(from_text("a: [").unwrap_err().kind(), crate::ErrorKind::Corrupt);
        assert!(check_plain(&text).is_ok() && check_plain("a: !!python/tuple [1]").is_err() && check_plain("[!!x]").is_err());
        assert_eq!(to_text(&[1]).unwrap_err().kind(), crate::ErrorKind::InvalidArgument);
        assert_eq!(list_text(&["a", "b c"]), "- a\n- \"b c\"\n");
    }
}
