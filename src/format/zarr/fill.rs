//! Fill values: one element, as each version spells it.

use super::carrier::{Carrier, Held};
use super::document::Document;
use super::json::{float, from_base64, to_base64};
use super::pack;
use super::version::ZarrVersion;
use crate::array::AnyArray;
use crate::dtype::{DType, FloatWidth};
use crate::error::{Result, error};
use crate::tree::Fill;
use serde_json::{Value, json};

/// The fill value for the metadata, and what is to be noted beside it.
pub(super) fn write(fill: &Fill, dtype: &DType, held: &Held, version: ZarrVersion) -> Result<(Value, Option<&'static str>)> {
    let zero = AnyArray::zeros(dtype.clone(), [])?;
    let (element, mut note) = match fill {
        Fill::Value(value) => (value, (*value == zero).then_some("value")),
        Fill::Undefined => (&zero, Some("undefined")),
        Fill::Default => (&zero, None),
    };
    if matches!(fill, Fill::Undefined) && version == ZarrVersion::V2 {
        return Ok((Value::Null, note.take()));
    }
    Ok((spell(element, dtype, held)?, note))
}

fn spell(element: &AnyArray, dtype: &DType, held: &Held) -> Result<Value> {
    let (bytes, heap) = element.raw();
    Ok(match &held.carrier {
        Carrier::Number(_) => number(element, dtype, bytes),
        Carrier::Fixed => to_base64(&held.pack.pack(bytes)?),
        Carrier::Text => {
            let text = element.element(0).and_then(|e| e.as_str());
            text.ok_or_else(|| error!(Unsupported, "the fill value is a text that is not UTF-8, which Zarr cannot hold"))?.into()
        }
        Carrier::Bytes => {
            let mut out = Vec::new();
            pack::put_element(dtype, bytes, heap.map(|h| &**h), &mut out)?;
            to_base64(&out)
        }
    })
}

fn number(element: &AnyArray, dtype: &DType, bytes: &[u8]) -> Value {
    let Some(one) = element.element(0) else { return Value::Null };
    match dtype {
        DType::Bool => (bytes.first().is_some_and(|b| *b != 0)).into(),
        DType::Float(t) => real(t.width, bytes),
        DType::Complex(t) => {
            let (re, im) = bytes.split_at(t.width.size());
            json!([real(t.width, re), real(t.width, im)])
        }
        DType::Opaque { size: 8, .. } => bytes.try_into().map_or(Value::Null, |b| i64::from_ne_bytes(b).into()),
        DType::Opaque { .. } => Value::Null,
        _ => match (one.as_i64(), one.as_u64()) {
            (Some(n), _) => n.into(),
            (None, Some(n)) => n.into(),
            _ => Value::Null,
        },
    }
}

/// A real number: by its bits if it is a NaN that is not the usual one.
fn real(width: FloatWidth, bytes: &[u8]) -> Value {
    let mut big = bytes.to_vec();
    if cfg!(target_endian = "little") {
        big.reverse();
    }
    let hex = || big.iter().fold("0x".to_owned(), |text, b| format!("{text}{b:02x}"));
    let (value, usual): (f64, &[u8]) = match width {
        FloatWidth::F16 => (bytes.try_into().map_or(0.0, |b| half::f16::from_ne_bytes(b).to_f64()), &[0x7e, 0]),
        FloatWidth::F32 => (bytes.try_into().map_or(0.0, |b| f32::from_ne_bytes(b).into()), &[0x7f, 0xc0, 0, 0]),
        _ => (bytes.try_into().map_or(0.0, f64::from_ne_bytes), &[0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
    };
    if value.is_nan() && big != usual { hex().into() } else { float(value) }
}

/// The fill value of an array; `None` if it is zero.
pub(super) fn read(document: &Document, dtype: &DType, held: &Held) -> Result<Option<AnyArray>> {
    let value = document.meta.get("fill_value").unwrap_or(&Value::Null);
    if value.is_null() {
        return Ok(None);
    }
    let wrong = || error!(Corrupt, "{value} is no fill value of type {dtype}");
    let mut one = AnyArray::zeros(dtype.clone(), [])?;
    let zero = one.clone();
    {
        let (bytes, heap) = one.raw_mut()?;
        match &held.carrier {
            Carrier::Number(_) => parse_number(dtype, value, bytes).ok_or_else(wrong)?,
            Carrier::Fixed => {
                let packed = parse_bytes(value, held.pack.packed).ok_or_else(wrong)?;
                held.pack.unpack(&packed, bytes)?;
            }
            Carrier::Text => {
                let text = match value {
                    Value::String(text) => text.as_str(),
                    // zarr-python 2 writes the number 0 for texts.
                    Value::Number(n) if n.as_f64() == Some(0.0) => "",
                    _ => return Err(wrong()),
                };
                pack::take_element(dtype, text.as_bytes(), bytes, heap.map(|h| &**h))?;
            }
            Carrier::Bytes => {
                let packed = match value {
                    Value::Number(n) if n.as_f64() == Some(0.0) => Vec::new(),
                    Value::String(text) if text.is_empty() => Vec::new(),
                    _ => parse_bytes(value, 0).ok_or_else(wrong)?,
                };
                if !packed.is_empty() || matches!(dtype, DType::VarSeq(_)) {
                    pack::take_element(dtype, &packed, bytes, heap.map(|h| &**h))?;
                }
            }
        }
    }
    Ok((one != zero || has_signed_zero(&one)).then_some(one))
}

/// Minus zero equals zero and is not zero.
fn has_signed_zero(one: &AnyArray) -> bool {
    one.as_bytes().is_some_and(|b| b.iter().any(|b| *b != 0))
}

/// Bytes as base64, without the zeros at the end (as numpy writes texts), as a list of numbers, or (in old files) as the text itself; `length` 0 for any.
fn parse_bytes(value: &Value, length: usize) -> Option<Vec<u8>> {
    let fits = |bytes: Vec<u8>| match length {
        0 => Some(bytes),
        n if bytes.len() <= n => {
            let mut bytes = bytes;
            bytes.resize(n, 0);
            Some(bytes)
        }
        _ => None,
    };
    match value {
        Value::String(text) => match from_base64(value) {
            Some(bytes) if length == 0 || bytes.len() <= length => fits(bytes),
            _ => fits(text.as_bytes().to_vec()),
        },
        Value::Array(items) => fits(items.iter().map(|n| n.as_u64().and_then(|n| u8::try_from(n).ok())).collect::<Option<_>>()?),
        Value::Number(n) if n.as_f64() == Some(0.0) => Some(vec![0; length]),
        Value::Object(_) => None,
        _ => None,
    }
}

fn parse_number(dtype: &DType, value: &Value, out: &mut [u8]) -> Option<()> {
    match dtype {
        DType::Bool => {
            let yes = value.as_bool().or_else(|| value.as_f64().map(|f| f != 0.0))?;
            *out.first_mut()? = yes.into();
        }
        DType::Float(t) => parse_real(t.width, value, out)?,
        DType::Complex(t) => {
            let (re, im) = out.split_at_mut(t.width.size());
            match value {
                Value::Array(parts) => {
                    parse_real(t.width, parts.first()?, re)?;
                    parse_real(t.width, parts.get(1)?, im)?;
                }
                _ => parse_real(t.width, value, re)?,
            }
        }
        DType::Opaque { size: 8, .. } => {
            let n = match value {
                Value::String(text) if text == "NaT" => i64::MIN,
                _ => value.as_i64()?,
            };
            out.copy_from_slice(&n.to_ne_bytes());
        }
        // A number type that only the library knows.
        DType::Opaque { .. } => {}
        _ => {
            let n: i128 = match value {
                Value::Number(n) => n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from)).or_else(|| whole(n.as_f64()?))?,
                Value::Bool(b) => i128::from(*b),
                _ => return None,
            };
            let raw = n.to_ne_bytes();
            let part = if cfg!(target_endian = "little") { raw.get(..out.len())? } else { raw.get(raw.len() - out.len()..)? };
            out.copy_from_slice(part);
        }
    }
    Some(())
}

fn whole(f: f64) -> Option<i128> {
    (f.fract() == 0.0 && f.abs() < 1e30).then_some(f as i128)
}

fn parse_real(width: FloatWidth, value: &Value, out: &mut [u8]) -> Option<()> {
    if let Value::String(text) = value
        && let Some(hex) = text.strip_prefix("0x")
    {
        let bits = u64::from_str_radix(hex, 16).ok()?;
        let raw = bits.to_ne_bytes();
        let part = if cfg!(target_endian = "little") { raw.get(..out.len())? } else { raw.get(raw.len() - out.len()..)? };
        out.copy_from_slice(part);
        return Some(());
    }
    let number = match value {
        Value::String(text) => match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            // zarr-python 3 writes the numbers of version 2 as base64 in places.
            _ => return None,
        },
        Value::Bool(b) => f64::from(u8::from(*b)),
        _ => value.as_f64()?,
    };
    match width {
        FloatWidth::F16 => out.copy_from_slice(&half::f16::from_f64(number).to_ne_bytes()),
        FloatWidth::F32 => out.copy_from_slice(&(number as f32).to_ne_bytes()),
        FloatWidth::F64 => out.copy_from_slice(&number.to_ne_bytes()),
        FloatWidth::LongDouble => return None,
    }
    Some(())
}
