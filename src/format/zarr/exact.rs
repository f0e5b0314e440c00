//! An element type as JSON, exactly: what `__memh5_types` keeps where Zarr's own name of a type says less.

use super::json::{from_base64, numbers, to_base64};
use crate::dtype::{Charset, CompoundType, DType, EnumType, Field, FloatType, FloatWidth, ForeignType, IntType, Order, Padding};
use crate::error::{Result, bail, error};
use serde_json::{Value, json};
use std::sync::Arc;

/// The type as JSON.
pub(super) fn to_json(dtype: &DType) -> Value {
    match dtype {
        DType::Bool => "bool".into(),
        DType::Int(t) => int_name(*t).into(),
        DType::BitField(t) => json!({ "bits": int_name(*t) }),
        DType::Float(t) => format!("{}f{}", mark(t.order), t.width.size()).into(),
        DType::Complex(t) => format!("{}c{}", mark(t.order), 2 * t.width.size()).into(),
        DType::FixedString { size, charset, padding } => {
            json!({ "string": size, "charset": charset_name(*charset), "padding": padding_name(*padding) })
        }
        DType::VarString { charset, padding } => {
            json!({ "string": null, "charset": charset_name(*charset), "padding": padding_name(*padding) })
        }
        DType::Opaque { size, tag } => json!({ "opaque": size, "tag": &**tag }),
        DType::Enum(e) => {
            let members: Vec<Value> = e.members.iter().map(|(name, value)| json!([name, value.to_string()])).collect();
            json!({ "enum": int_name(e.base), "members": members })
        }
        DType::Compound(c) => {
            let fields: Vec<Value> = c.fields().iter().map(|f| json!([f.name, to_json(&f.dtype), f.offset])).collect();
            json!({ "compound": c.size(), "fields": fields })
        }
        DType::Array { base, shape } => json!({ "array": to_json(base), "shape": &shape[..] }),
        DType::VarSeq(base) => json!({ "vlen": to_json(base) }),
        DType::ObjectRef => "ref".into(),
        DType::RegionRef => "regref".into(),
        DType::Foreign(f) => json!({ "foreign": f.description, "size": f.size, "format": f.format, "encoded": to_base64(&f.encoded) }),
    }
}

/// The type that JSON describes.
///
/// # Errors
/// `Corrupt` if it describes none.
pub(super) fn from_json(value: &Value) -> Result<DType> {
    let dtype = read(value, 0)?;
    dtype.validate()?;
    Ok(dtype)
}

fn read(value: &Value, depth: usize) -> Result<DType> {
    let wrong = || error!(Corrupt, "{value} describes no element type");
    if depth > 40 {
        return Err(wrong());
    }
    if let Some(name) = value.as_str() {
        return match name {
            "bool" => Ok(DType::Bool),
            "ref" => Ok(DType::ObjectRef),
            "regref" => Ok(DType::RegionRef),
            _ => number(name).ok_or_else(wrong),
        };
    }
    let size = |key: &str| value.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let int = |key: &str| match text(key).and_then(number) {
        Some(DType::Int(t)) => Ok(t),
        _ => Err(wrong()),
    };
    let map = value.as_object().ok_or_else(wrong)?;
    if map.contains_key("bits") {
        return Ok(DType::BitField(int("bits")?));
    }
    if let Some(length) = map.get("string") {
        let charset = match text("charset") {
            Some("ascii") => Charset::Ascii,
            Some("utf-8") => Charset::Utf8,
            _ => return Err(wrong()),
        };
        let padding = match text("padding") {
            Some("nul-terminated") => Padding::NullTerm,
            Some("nul-padded") => Padding::NullPad,
            Some("blank-padded") => Padding::SpacePad,
            _ => return Err(wrong()),
        };
        return Ok(match length {
            Value::Null => DType::VarString { charset, padding },
            _ => DType::FixedString { size: size("string").ok_or_else(wrong)?, charset, padding },
        });
    }
    if map.contains_key("opaque") {
        return Ok(DType::opaque(size("opaque").ok_or_else(wrong)?, text("tag").unwrap_or_default()));
    }
    if map.contains_key("enum") {
        let base = int("enum")?;
        let members = value.get("members").and_then(Value::as_array).ok_or_else(wrong)?.iter().map(|pair| {
            let name = pair.get(0).and_then(Value::as_str)?;
            Some((name.to_owned(), pair.get(1).and_then(Value::as_str)?.parse::<i128>().ok()?))
        });
        return DType::from_enum(EnumType { base, members: members.collect::<Option<_>>().ok_or_else(wrong)? });
    }
    if map.contains_key("compound") {
        let mut fields = Vec::new();
        for field in value.get("fields").and_then(Value::as_array).ok_or_else(wrong)? {
            let name = field.get(0).and_then(Value::as_str).ok_or_else(wrong)?.to_owned();
            let dtype = read(field.get(1).ok_or_else(wrong)?, depth + 1)?;
            let offset = field.get(2).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).ok_or_else(wrong)?;
            fields.push(Field { name, dtype, offset });
        }
        return Ok(DType::Compound(Arc::new(CompoundType::new(fields, size("compound").ok_or_else(wrong)?)?)));
    }
    if let Some(base) = map.get("array") {
        let shape = value.get("shape").and_then(numbers).ok_or_else(wrong)?;
        return Ok(DType::array(read(base, depth + 1)?, shape));
    }
    if let Some(base) = map.get("vlen") {
        return Ok(DType::varseq(read(base, depth + 1)?));
    }
    if let Some(description) = text("foreign") {
        let format = match text("format") {
            Some("hdf5") => "hdf5",
            other => bail!(Unsupported, "a type of the format {other:?} is not known here"),
        };
        let encoded = value.get("encoded").and_then(from_base64).ok_or_else(wrong)?;
        return Ok(DType::Foreign(Arc::new(ForeignType {
            description: description.to_owned(),
            size: size("size").filter(|n| *n > 0).ok_or_else(wrong)?,
            format,
            encoded,
        })));
    }
    Err(wrong())
}

/// The number type of numpy's name, with its order: `<i4`, `|u1`, `>f8`, `<c16`.
pub(super) fn number(name: &str) -> Option<DType> {
    let mut chars = name.chars();
    let order = match chars.next()? {
        '<' | '|' => Order::Little,
        '>' => Order::Big,
        '=' => Order::NATIVE,
        _ => return None,
    };
    let kind = chars.next()?;
    let size: usize = chars.as_str().parse().ok()?;
    let float = |size| {
        Some(match size {
            2 => FloatWidth::F16,
            4 => FloatWidth::F32,
            8 => FloatWidth::F64,
            16 => FloatWidth::LongDouble,
            _ => return None,
        })
    };
    Some(match (kind, size) {
        ('b', 1) => DType::Bool,
        ('i' | 'u', 1 | 2 | 4 | 8) => {
            let order = if size == 1 { Order::Little } else { order };
            DType::Int(IntType { size: size as u8, signed: kind == 'i', order })
        }
        ('f', _) => DType::Float(FloatType { width: float(size)?, order }),
        ('c', 8 | 16 | 32) => DType::Complex(FloatType { width: float(size / 2)?, order }),
        _ => return None,
    })
}

fn mark(order: Order) -> char {
    match order {
        Order::Little => '<',
        Order::Big => '>',
    }
}

/// numpy's name of an integer type.
pub(super) fn int_name(t: IntType) -> String {
    let mark = if t.size == 1 { '|' } else { mark(t.order) };
    format!("{mark}{}{}", if t.signed { 'i' } else { 'u' }, t.size)
}

fn charset_name(charset: Charset) -> &'static str {
    match charset {
        Charset::Ascii => "ascii",
        Charset::Utf8 => "utf-8",
    }
}

fn padding_name(padding: Padding) -> &'static str {
    match padding {
        Padding::NullTerm => "nul-terminated",
        Padding::NullPad => "nul-padded",
        Padding::SpacePad => "blank-padded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused() {
        for bad in ["1", "{}", r#""x4""#, r#"{"string": -1}"#, r#"{"vlen": 3}"#, r#"{"compound": 4, "fields": [["a", "<i8", 0]]}"#, "null"]
        {
            let value: Value = serde_json::from_str(bad).unwrap();
            assert!(from_json(&value).is_err(), "{bad}");
        }
        let deep = (0..200).fold(Value::from("<i4"), |inner, _| json!({ "vlen": inner }));
        assert!(from_json(&deep).is_err());
    }
}
