//! How Zarr carries the elements of a type, and what type the elements of a foreign array have.
//!
//! Numbers, bools, fixed bytes, structures of them and texts have types of their own in Zarr, which every reader knows. What has none is
//! carried as bytes: of fixed length if the type has one, else of variable length. The exact type is kept in `__memh5_types` wherever
//! Zarr's name of it says less.

use super::exact::{int_name, number};
use super::pack::{Orders, Pack};
use super::version::ZarrVersion;
use crate::dtype::{DType, FloatType, FloatWidth, IntType, Order};
use crate::error::{Result, bail, error};
use serde_json::{Value, json};

/// What the codecs see of an element.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Carrier {
    /// A number of a type that zarrs knows, by its name in Zarr v3.
    Number(Value),
    /// Bytes of a fixed length.
    Fixed,
    /// Text.
    Text,
    /// Bytes of any length.
    Bytes,
}

/// How elements of a type are held.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    /// Zarr's name of the type.
    pub(super) name: Value,
    pub(super) carrier: Carrier,
    pub(super) pack: Pack,
    /// The byte order of the `bytes` codec.
    pub(super) order: Order,
}

/// What numpy calls the types that h5py stores as opaque bytes: the tag is this with the name behind it.
const NUMPY_TAG: &str = "NUMPY:";
/// The same for the number types of Zarr that have no counterpart here.
const ZARR_TAG: &str = "ZARR:";

/// How a type is held; an error names what cannot be.
pub(super) fn hold(dtype: &DType, version: ZarrVersion) -> Result<Held> {
    if dtype.has_references() {
        bail!(Unsupported, "Zarr cannot hold references, and the type {dtype} has some");
    }
    if let Some((name, carrier, order)) = as_number(dtype, version) {
        return Ok(Held { name, carrier, pack: Pack::same(dtype.itemsize()), order });
    }
    if !dtype.is_plain() {
        let (v3, carrier) = match dtype {
            DType::VarString { .. } => ("string", Carrier::Text),
            _ => ("variable_length_bytes", Carrier::Bytes),
        };
        let name = if version == ZarrVersion::V3 { v3 } else { "|O" };
        return Ok(Held { name: name.into(), carrier, pack: Pack::default(), order: Order::Little });
    }
    let orders = if version == ZarrVersion::V2 { Orders::Stored } else { Orders::All(Order::Little) };
    let pack = match dtype {
        DType::Compound(_) => Pack::new(dtype, orders),
        _ => Pack::new(dtype, Orders::All(Order::Little)),
    };
    let name = match version {
        ZarrVersion::V3 => name_v3(dtype),
        ZarrVersion::V2 => name_v2(dtype),
    };
    Ok(Held { name, carrier: Carrier::Fixed, pack, order: Order::Little })
}

/// The integer or float type that stands for a number.
fn as_number(dtype: &DType, version: ZarrVersion) -> Option<(Value, Carrier, Order)> {
    let (v3, v2, order) = match dtype {
        DType::Bool => ("bool".to_owned(), "|b1".to_owned(), Order::Little),
        DType::Int(t) | DType::BitField(t) => int_names(*t),
        DType::Enum(e) => int_names(e.base),
        DType::Float(FloatType { width: FloatWidth::LongDouble, .. }) | DType::Complex(FloatType { width: FloatWidth::LongDouble, .. }) => {
            return None;
        }
        // Zarr has no complex number of half precision.
        DType::Complex(FloatType { width: FloatWidth::F16, .. }) => return None,
        DType::Float(t) => (format!("float{}", 8 * t.width.size()), format!("{}f{}", mark(t.order), t.width.size()), t.order),
        DType::Complex(t) => (format!("complex{}", 16 * t.width.size()), format!("{}c{}", mark(t.order), 2 * t.width.size()), t.order),
        DType::Opaque { size: 8, tag } => {
            let name = tag.strip_prefix(NUMPY_TAG)?;
            let (_, v3, order) = time(name)?;
            let written = match version {
                ZarrVersion::V3 => v3,
                ZarrVersion::V2 => name.into(),
            };
            return Some((written, Carrier::Number("int64".into()), order));
        }
        DType::Opaque { tag, .. } if version == ZarrVersion::V3 => {
            let name: Value = tag.strip_prefix(ZARR_TAG)?.into();
            return Some((name.clone(), Carrier::Number(name), Order::Little));
        }
        _ => return None,
    };
    let carrier = Carrier::Number(v3.clone().into());
    let name = if version == ZarrVersion::V3 { v3 } else { v2 };
    Some((name.into(), carrier, order))
}

fn int_names(t: IntType) -> (String, String, Order) {
    let v3 = format!("{}int{}", if t.signed { "" } else { "u" }, 8 * u32::from(t.size));
    (v3, int_name(t), t.order)
}

fn mark(order: Order) -> char {
    if order == Order::Little { '<' } else { '>' }
}

fn name_v3(dtype: &DType) -> Value {
    let bytes = |name: &str, n: usize| json!({ "name": name, "configuration": { "length_bytes": n } });
    match dtype {
        DType::FixedString { size, .. } => bytes("null_terminated_bytes", *size),
        DType::Compound(c) => {
            let field = |dtype: &DType| match as_number(dtype, ZarrVersion::V3) {
                Some((name, ..)) => name,
                None => name_v3(dtype),
            };
            let fields: Vec<Value> = c.fields().iter().map(|f| json!([f.name, field(&f.dtype)])).collect();
            json!({ "name": "structured", "configuration": { "fields": fields } })
        }
        other => bytes("raw_bytes", Pack::new(other, Orders::All(Order::Little)).packed),
    }
}

fn name_v2(dtype: &DType) -> Value {
    match dtype {
        DType::FixedString { size, .. } => format!("|S{size}").into(),
        DType::Compound(c) => {
            let field = |dtype: &DType| match as_number(dtype, ZarrVersion::V2) {
                Some((name, ..)) => name,
                None => name_v2(dtype),
            };
            c.fields().iter().map(|f| json!([f.name, field(&f.dtype)])).collect()
        }
        other => format!("|V{}", Pack::new(other, Orders::All(Order::Little)).packed).into(),
    }
}

/// The type of a foreign array of Zarr v3, stored in that order.
pub(super) fn infer_v3(name: &Value, order: Order) -> Result<(DType, Held)> {
    let dtype = plain_v3(name, order, 0)?;
    let held = match dtype {
        Known::Type(dtype) => {
            let mut held = hold(&dtype, ZarrVersion::V3)?;
            if let DType::Compound(_) = &dtype {
                held.pack = Pack::new(&dtype, Orders::All(order));
            }
            held.order = order;
            held.name = name.clone();
            (dtype, held)
        }
        Known::Wide(size) => {
            let dtype = DType::fixed_utf8(size);
            (dtype, Held { name: name.clone(), carrier: Carrier::Fixed, pack: Pack::wide(size, order), order: Order::Little })
        }
    };
    Ok(held)
}

enum Known {
    Type(DType),
    /// Fixed-length UTF-32, so many bytes.
    Wide(usize),
}

/// The name and the configuration of an extension point of Zarr v3.
pub(super) fn named(value: &Value) -> Option<(&str, Option<&Value>)> {
    match value {
        Value::String(name) => Some((name, None)),
        _ => Some((value.get("name")?.as_str()?, value.get("configuration"))),
    }
}

fn plain_v3(value: &Value, order: Order, depth: usize) -> Result<Known> {
    let Some((name, configuration)) = named(value) else { bail!(Corrupt, "{value} is no data type of Zarr") };
    if depth > 32 {
        bail!(Corrupt, "the data type is nested more than 32 deep");
    }
    let length = || {
        let n = configuration.and_then(|c| c.get("length_bytes")).and_then(serde_json::Value::as_u64).and_then(|n| usize::try_from(n).ok());
        n.filter(|n| *n > 0).ok_or_else(|| error!(Corrupt, "the data type '{name}' has no valid length"))
    };
    let of = |text: &str| number(&format!("{}{text}", mark(order))).map(Known::Type);
    let known = match name {
        "bool" => Some(Known::Type(DType::Bool)),
        "int8" | "int2" | "int4" => of("i1"),
        "uint8" | "uint2" | "uint4" => of("u1"),
        "int16" => of("i2"),
        "int32" => of("i4"),
        "int64" => of("i8"),
        "uint16" => of("u2"),
        "uint32" => of("u4"),
        "uint64" => of("u8"),
        "float16" => of("f2"),
        "float32" => of("f4"),
        "float64" => of("f8"),
        "complex64" | "complex_float32" => of("c8"),
        "complex128" | "complex_float64" => of("c16"),
        "string" => Some(Known::Type(DType::STR)),
        "bytes" | "variable_length_bytes" => Some(Known::Type(DType::varseq(DType::U8))),
        "null_terminated_bytes" => Some(Known::Type(DType::fixed_ascii(length()?))),
        "raw_bytes" => Some(Known::Type(DType::opaque(length()?, ""))),
        "fixed_length_utf32" => Some(Known::Wide(length()?)),
        "numpy.datetime64" | "numpy.timedelta64" => {
            let unit = configuration.and_then(|c| c.get("unit")).and_then(Value::as_str).unwrap_or("generic");
            let scale = configuration.and_then(|c| c.get("scale_factor")).and_then(Value::as_u64).unwrap_or(1);
            let kind = if name == "numpy.datetime64" { 'M' } else { 'm' };
            let unit = match (unit, scale) {
                ("generic", _) => String::new(),
                (unit, 1) => format!("[{unit}]"),
                (unit, n) => format!("[{n}{unit}]"),
            };
            Some(Known::Type(DType::opaque(8, &format!("{NUMPY_TAG}{}{kind}8{unit}", mark(order)))))
        }
        "structured" | "struct" => {
            let fields = configuration.and_then(|c| c.get("fields")).and_then(Value::as_array);
            let fields = fields.ok_or_else(|| error!(Corrupt, "the data type '{name}' has no fields"))?;
            let mut parts = Vec::new();
            for field in fields {
                let (label, kind) = match field {
                    Value::Array(pair) => (pair.first().and_then(Value::as_str), pair.get(1)),
                    _ => (field.get("name").and_then(Value::as_str), field.get("data_type")),
                };
                let (Some(label), Some(kind)) = (label, kind) else { bail!(Corrupt, "the data type '{name}' has a field without a name") };
                match plain_v3(kind, order, depth + 1)? {
                    Known::Type(dtype) => parts.push((label, dtype)),
                    Known::Wide(_) => {
                        bail!(Unsupported, "the field '{label}' is Unicode of fixed length, which is not read within a structure")
                    }
                }
            }
            Some(Known::Type(DType::compound(parts).map_err(|e| error!(Corrupt, "the data type '{name}' is not valid").because(e))?))
        }
        _ => match name.strip_prefix('r').and_then(|bits| bits.parse::<usize>().ok()) {
            Some(bits) if bits > 0 && bits % 8 == 0 => Some(Known::Type(DType::opaque(bits / 8, ""))),
            _ => None,
        },
    };
    match known {
        Some(known) => Ok(known),
        None => {
            let size = super::plan::foreign_size(value)?;
            Ok(Known::Type(DType::opaque(size, &format!("{ZARR_TAG}{name}"))))
        }
    }
}

/// The type of a foreign array of Zarr v2, by its name and the codec of objects.
pub(super) fn infer_v2(name: &Value, object_codec: Option<&Value>) -> Result<(DType, Held)> {
    let simple = |text: &str| -> Result<(DType, Held)> {
        if text == "|O" {
            let id = object_codec.and_then(|c| c.get("id")).and_then(Value::as_str).unwrap_or("none");
            let dtype = match id {
                "vlen-utf8" => DType::STR,
                "vlen-bytes" => DType::varseq(DType::U8),
                "vlen-array" => {
                    let items = object_codec.and_then(|c| c.get("dtype")).and_then(Value::as_str).and_then(number);
                    DType::varseq(items.ok_or_else(|| error!(Unsupported, "sequences of the type {object_codec:?} cannot be read"))?)
                }
                other => bail!(Unsupported, "the elements are Python objects, stored by the codec '{other}', which cannot be read"),
            };
            let held = hold(&dtype, ZarrVersion::V2)?;
            return Ok((dtype, held));
        }
        if let Some((size, order)) = unicode(text) {
            let held = Held { name: text.into(), carrier: Carrier::Fixed, pack: Pack::wide(size, order), order: Order::Little };
            return Ok((DType::fixed_utf8(size), held));
        }
        let dtype = simple_v2(text)?;
        let held = hold(&dtype, ZarrVersion::V2)?;
        Ok((dtype, held))
    };
    match name {
        Value::String(text) => simple(text),
        Value::Array(fields) => {
            let dtype = structure_v2(fields, 0)?;
            let mut held = hold(&dtype, ZarrVersion::V2)?;
            held.name = name.clone();
            Ok((dtype, held))
        }
        _ => bail!(Corrupt, "{name} is no data type of Zarr v2"),
    }
}

fn simple_v2(text: &str) -> Result<DType> {
    if let Some(dtype) = number(text) {
        return Ok(dtype);
    }
    if time(text).is_some() {
        return Ok(DType::opaque(8, &format!("{NUMPY_TAG}{text}")));
    }
    let size = |prefix: &str| text.strip_prefix(prefix).and_then(|n| n.parse::<usize>().ok()).filter(|n| *n > 0);
    if let Some(n) = size("|S").or_else(|| size("|a")) {
        return Ok(DType::fixed_ascii(n));
    }
    if let Some(n) = size("|V") {
        return Ok(DType::opaque(n, ""));
    }
    Err(error!(Unsupported, "'{text}' is no data type that can be read"))
}

fn structure_v2(fields: &[Value], depth: usize) -> Result<DType> {
    if depth > 32 {
        bail!(Corrupt, "the data type is nested more than 32 deep");
    }
    let mut parts = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let (Some(name), Some(kind)) = (field.get(0).and_then(Value::as_str), field.get(1)) else {
            bail!(Corrupt, "the structure has the field {field}, which has no name and type");
        };
        // The padding of aligned structures, which numpy names so.
        let name = if name.is_empty() { format!("f{at}") } else { name.to_owned() };
        let base = match kind {
            Value::String(text) => simple_v2(text)?,
            Value::Array(inner) => structure_v2(inner, depth + 1)?,
            _ => bail!(Corrupt, "{kind} is no data type of Zarr v2"),
        };
        let dtype = match field.get(2) {
            None => base,
            Some(shape) => {
                let shape = super::json::numbers(shape).or_else(|| Some(vec![usize::try_from(shape.as_u64()?).ok()?]));
                DType::array(base, shape.ok_or_else(|| error!(Corrupt, "the field '{name}' has no valid shape"))?)
            }
        };
        parts.push((name, dtype));
    }
    let parts: Vec<(&str, DType)> = parts.iter().map(|(name, dtype): &(String, DType)| (name.as_str(), dtype.clone())).collect();
    let dtype = DType::compound(parts).map_err(|e| error!(Corrupt, "the structure is not valid").because(e))?;
    dtype.validate()?;
    Ok(dtype)
}

/// Bytes and order of numpy's fixed-length Unicode: `<U5`.
fn unicode(text: &str) -> Option<(usize, Order)> {
    let order = if text.starts_with('>') { Order::Big } else { Order::Little };
    let n: usize = text.get(1..)?.strip_prefix('U')?.parse().ok()?;
    Some((n.checked_mul(4).filter(|n| *n > 0)?, order))
}

/// numpy's times: the kind, the type of Zarr v3, the order. `<M8[ns]`, `>m8[25s]`.
fn time(name: &str) -> Option<(char, Value, Order)> {
    let order = match name.chars().next()? {
        '<' => Order::Little,
        '>' => Order::Big,
        _ => return None,
    };
    let (kind, v3) = match name.get(1..3)? {
        "M8" => ('M', "numpy.datetime64"),
        "m8" => ('m', "numpy.timedelta64"),
        _ => return None,
    };
    let unit = name.get(3..)?;
    let inner = if unit.is_empty() { "generic" } else { unit.strip_prefix('[')?.strip_suffix(']')? };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let scale: u64 = if digits == 0 { 1 } else { inner.get(..digits)?.parse().ok()? };
    let unit = inner.get(digits..)?;
    Some((kind, json!({ "name": v3, "configuration": { "unit": unit, "scale_factor": scale } }), order))
}
