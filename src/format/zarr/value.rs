//! Values of attributes as JSON, and exactly.

use super::exact;
use super::json::{self, float, from_base64, to_base64};
use super::pack;
use crate::array::{AnyArray, ElementRef};
use crate::copy::JSON_PREFIX;
use crate::dtype::DType;
use crate::error::{Result, error};
use serde_json::{Value, json};

/// The JSON that other programs read.
pub(super) fn to_json(array: &AnyArray) -> Value {
    if array.is_null() {
        return Value::Null;
    }
    let mut elements = array.elements().map(|e| element(&e));
    nested(array.shape(), &mut elements)
}

/// Lists within lists, of the elements in C order.
fn nested(shape: &[usize], elements: &mut dyn Iterator<Item = Value>) -> Value {
    match shape.split_first() {
        None => elements.next().unwrap_or(Value::Null),
        Some((n, rest)) => (0..*n).map(|_| nested(rest, elements)).collect(),
    }
}

fn element(e: &ElementRef<'_>) -> Value {
    match e.dtype() {
        DType::Bool => e.as_bool().map_or_else(|| e.as_i64().into(), Value::from),
        DType::Int(_) | DType::BitField(_) | DType::Enum(_) => match (e.as_i64(), e.as_u64()) {
            (Some(n), _) => n.into(),
            (None, n) => n.into(),
        },
        DType::Float(_) => float(e.as_f64().unwrap_or(f64::NAN)),
        DType::Complex(_) => e.as_complex().map_or(Value::Null, |c| json!([float(c.re), float(c.im)])),
        DType::FixedString { .. } | DType::VarString { .. } => match e.as_str() {
            Some(text) => text.into(),
            None => String::from_utf8_lossy(e.as_bytes().unwrap_or_default()).into_owned().into(),
        },
        DType::Opaque { .. } | DType::Foreign(_) => to_base64(e.as_bytes().unwrap_or_default()),
        DType::Compound(_) => Value::Object(e.fields().map(|(name, part)| (name.to_owned(), element(&part))).collect()),
        DType::Array { shape, .. } => nested(shape, &mut e.items().map(|item| element(&item))),
        DType::VarSeq(_) => e.items().map(|item| element(&item)).collect(),
        DType::ObjectRef | DType::RegionRef => Value::Null,
    }
}

/// The value that JSON alone says: numbers, bools and texts, and lists of them; anything else is a structured value, as caput keeps it.
pub(super) fn from_json(value: &Value) -> Result<AnyArray> {
    let mut shape = Vec::new();
    let mut kind = Kind::Nothing;
    if survey(value, 0, &mut shape, &mut kind) {
        let mut leaves = Vec::new();
        collect(value, &mut leaves);
        if let Some(array) = typed(kind, &leaves, &shape)? {
            return Ok(array);
        }
    }
    Ok(AnyArray::from(format!("{JSON_PREFIX}{}", crate::copy::Json::from_value(value)?)))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Nothing,
    Bool,
    Int,
    Uint,
    Float,
    Text,
    Other,
}

/// Finds the shape of nested lists and what is in them; false if they are ragged or mixed.
fn survey(value: &Value, depth: usize, shape: &mut Vec<usize>, kind: &mut Kind) -> bool {
    if let Value::Array(items) = value {
        if depth >= 32 {
            return false;
        }
        if shape.len() == depth {
            if *kind != Kind::Nothing {
                return false;
            }
            shape.push(items.len());
        } else if shape[depth] != items.len() {
            return false;
        }
        return items.iter().all(|item| survey(item, depth + 1, shape, kind));
    }
    if depth != shape.len() {
        return false;
    }
    let this = match value {
        Value::Bool(_) => Kind::Bool,
        Value::Number(n) if n.is_i64() => Kind::Int,
        Value::Number(n) if n.is_u64() => Kind::Uint,
        Value::Number(_) => Kind::Float,
        Value::String(_) => Kind::Text,
        _ => Kind::Other,
    };
    *kind = match (*kind, this) {
        (Kind::Nothing, this) => this,
        (a, b) if a == b => a,
        (Kind::Int | Kind::Float, Kind::Int | Kind::Float) => Kind::Float,
        _ => Kind::Other,
    };
    *kind != Kind::Other
}

fn collect<'v>(value: &'v Value, out: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        leaf => out.push(leaf),
    }
}

fn typed(kind: Kind, leaves: &[&Value], shape: &[usize]) -> Result<Option<AnyArray>> {
    let flat = match kind {
        // An empty list, as h5py stores it.
        Kind::Nothing => AnyArray::zeros(DType::F64, [0])?,
        Kind::Bool => AnyArray::from(leaves.iter().filter_map(|v| v.as_bool()).collect::<Vec<_>>()),
        Kind::Int => AnyArray::from(leaves.iter().filter_map(|v| v.as_i64()).collect::<Vec<_>>()),
        Kind::Uint => AnyArray::from(leaves.iter().filter_map(|v| v.as_u64()).collect::<Vec<_>>()),
        Kind::Float => AnyArray::from(leaves.iter().filter_map(|v| v.as_f64()).collect::<Vec<_>>()),
        Kind::Text => {
            let texts: Vec<&str> = leaves.iter().filter_map(|v| v.as_str()).collect();
            if texts.iter().any(|t| t.contains('\0')) {
                return Ok(None);
            }
            AnyArray::from_strings(texts)
        }
        Kind::Other => return Ok(None),
    };
    flat.reshape(shape).map(Some)
}

/// True if two arrays are the same to the last bit.
pub(super) fn is_same(a: &AnyArray, b: &AnyArray) -> bool {
    if a.dtype() != b.dtype() || a.extent() != b.extent() {
        return false;
    }
    match (a.as_bytes(), b.as_bytes()) {
        (Some(x), Some(y)) => x == y,
        _ => a == b,
    }
}

/// The value with its type, shape and bytes.
pub(super) fn to_exact(array: &AnyArray) -> Result<Value> {
    let mut note = json::Object::new();
    note.insert("dtype".into(), exact::to_json(array.dtype()));
    note.insert("shape".into(), array.extent().map_or(Value::Null, |s| json!(s)));
    if !array.is_null() {
        note.insert("data".into(), to_base64(&bytes_of(array)?));
    }
    Ok(Value::Object(note))
}

fn bytes_of(array: &AnyArray) -> Result<Vec<u8>> {
    let (bytes, heap) = array.raw();
    let mut out = Vec::new();
    if array.dtype().is_plain() {
        return pack::Pack::new(array.dtype(), pack::Orders::All(crate::dtype::Order::Little)).pack(bytes);
    }
    for element in bytes.chunks_exact(array.dtype().itemsize().max(1)) {
        let mut one = Vec::new();
        pack::put_element(array.dtype(), element, heap.map(|h| &**h), &mut one)?;
        let len = u64::try_from(one.len()).unwrap_or(u64::MAX);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&one);
    }
    Ok(out)
}

/// The value that [`to_exact`] has written.
pub(super) fn exact(note: &Value) -> Result<AnyArray> {
    let wrong = || error!(Corrupt, "the note about the attribute is not valid");
    let dtype = exact::from_json(note.get("dtype").ok_or_else(wrong)?)?;
    let shape = note.get("shape").ok_or_else(wrong)?;
    if shape.is_null() {
        return Ok(AnyArray::null(dtype));
    }
    let shape = json::numbers(shape).ok_or_else(wrong)?;
    let data = note.get("data").and_then(from_base64).ok_or_else(wrong)?;
    let count = crate::array::byte_len(&shape, 1)?;
    let plain = dtype.is_plain();
    let pack = pack::Pack::new(&dtype, pack::Orders::All(crate::dtype::Order::Little));
    // Before anything is allocated: the data have to be there.
    let enough = if plain { Some(data.len()) == count.checked_mul(pack.packed) } else { data.len() / 8 >= count };
    if !enough || dtype.has_references() {
        return Err(wrong());
    }
    let mut array = AnyArray::zeros(dtype.clone(), shape)?;
    let (bytes, heap) = array.raw_mut()?;
    if plain {
        pack.unpack(&data, bytes)?;
        return Ok(array);
    }
    let mut rest = &data[..];
    for element in bytes.chunks_exact_mut(dtype.itemsize().max(1)) {
        let Some((head, tail)) = rest.split_first_chunk::<8>() else { return Err(wrong()) };
        let len = usize::try_from(u64::from_le_bytes(*head)).map_err(|_| wrong())?;
        let Some((one, tail)) = tail.split_at_checked(len) else { return Err(wrong()) };
        pack::take_element(&dtype, one, element, heap.map(|h| &**h))?;
        rest = tail;
    }
    Ok(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_alone_says_plain_values() {
        let read = |text: &str| from_json(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(read("3"), AnyArray::from(3i64));
        assert_eq!(read("[1, 2.5]"), AnyArray::from(vec![1.0, 2.5]));
        assert_eq!(read("[[true], [false]]").shape(), [2, 1]);
        assert_eq!(read(r#"["a", "b"]"#), AnyArray::from_strings(["a", "b"]));
        assert_eq!(read("[]").shape(), [0]);
        assert_eq!(read(r#"[1, "a"]"#), AnyArray::from(r#"!!_memh5_json:[1, "a"]"#));
        assert_eq!(read("null"), AnyArray::from("!!_memh5_json:null"));
        assert_eq!(read("[[1], [2, 3]]"), AnyArray::from("!!_memh5_json:[[1], [2, 3]]"));
        assert_eq!(read("[18446744073709551615]"), AnyArray::from(vec![u64::MAX]));
    }
}
