//! The text of a value, byte for byte as Python's `json.dumps` writes it.

use super::Json;
use std::fmt::{Result, Write};

pub(super) fn value(out: &mut impl Write, value_: &Json) -> Result {
    match value_ {
        Json::Null => out.write_str("null"),
        Json::Bool(true) => out.write_str("true"),
        Json::Bool(false) => out.write_str("false"),
        Json::Int(i) => write!(out, "{i}"),
        Json::Float(f) => out.write_str(&float(*f)),
        Json::String(s) => string(out, s),
        Json::Array(items) => {
            out.write_char('[')?;
            for (i, item) in items.iter().enumerate() {
                out.write_str(if i == 0 { "" } else { ", " })?;
                value(out, item)?;
            }
            out.write_char(']')
        }
        Json::Object(items) => {
            out.write_char('{')?;
            for (i, (name, item)) in items.iter().enumerate() {
                out.write_str(if i == 0 { "" } else { ", " })?;
                string(out, name)?;
                out.write_str(": ")?;
                value(out, item)?;
            }
            out.write_char('}')
        }
    }
}

fn string(out: &mut impl Write, s: &str) -> Result {
    out.write_char('"')?;
    for c in s.chars() {
        match c {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            ' '..='~' => out.write_char(c)?,
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
    }
    out.write_char('"')
}

/// Python's `repr` of a float: the shortest digits that read back, plain between 1e-4 and 1e16.
pub(super) fn float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{f}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (f, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (-0.0, "-0.0"),
            (1e16, "1e+16"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (9007199254740993.0, "9007199254740992.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(super::float(f), text);
        }
    }
}
