//! A value whose type is known at run time, on its own.

use super::{AnyArray, Arena, ElementRef, IntoArray, Item, select};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::tree::{ObjectRef, RegionRef};
use num_complex::Complex;

/// One value, owned: what an element holds, without the details of its storage.
///
/// ```
/// use memh5::{AnyArray, array::Value};
/// let a = AnyArray::from(vec![1.5, 2.5]);
/// let value = a.element(1).map(|e| e.to_value());
/// assert_eq!(value, Some(Value::Float(2.5)));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A bool.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer, or a bit field.
    UInt(u64),
    /// A floating-point number; a wider one is rounded.
    Float(f64),
    /// A complex number.
    Complex(Complex<f64>),
    /// Text, or the name of an enumeration's member.
    String(String),
    /// Opaque bytes, and strings that are not UTF-8.
    Bytes(Vec<u8>),
    /// The fields of a compound, in the order of the type.
    Compound(Vec<(String, Value)>),
    /// The items of a sub-array, or of a sequence.
    List(Vec<Value>),
    /// An object reference.
    Reference(ObjectRef),
    /// A region reference.
    Region(RegionRef),
}

impl ElementRef<'_> {
    /// The value, owned.
    pub fn to_value(&self) -> Value {
        match self.dtype {
            DType::Bool | DType::Enum(_) => match (self.as_bool(), self.as_member()) {
                (Some(value), _) => Value::Bool(value),
                (None, Some(name)) => Value::String(name.to_owned()),
                (None, None) => self.any_integer(),
            },
            DType::Int(_) | DType::BitField(_) => self.any_integer(),
            DType::Float(_) => Value::Float(self.as_f64().unwrap_or(f64::NAN)),
            DType::Complex(_) => Value::Complex(self.as_complex().unwrap_or_default()),
            DType::FixedString { .. } | DType::VarString { .. } | DType::Opaque { .. } | DType::Foreign(_) => match self.as_str() {
                Some(text) => Value::String(text.to_owned()),
                None => Value::Bytes(self.as_bytes().unwrap_or(&[]).to_vec()),
            },
            DType::Compound(_) => Value::Compound(self.fields().map(|(name, part)| (name.to_owned(), part.to_value())).collect()),
            DType::Array { shape, .. } => nested(shape, &mut self.items()),
            DType::VarSeq(_) => Value::List(self.items().map(|i| i.to_value()).collect()),
            DType::ObjectRef => Value::Reference(self.as_reference().unwrap_or_default()),
            DType::RegionRef => Value::Region(self.as_region().unwrap_or_else(RegionRef::null)),
        }
    }

    fn any_integer(&self) -> Value {
        let value = self.integer().unwrap_or(0);
        let signed = match self.dtype {
            DType::Int(t) => t.signed,
            DType::Enum(e) => e.base.signed,
            _ => false,
        };
        match (signed, i64::try_from(value), u64::try_from(value)) {
            (true, Ok(v), _) | (false, Ok(v), Err(_)) => Value::Int(v),
            (_, _, Ok(v)) => Value::UInt(v),
            _ => Value::Int(0),
        }
    }
}

fn nested<'a>(shape: &[usize], items: &mut impl Iterator<Item = ElementRef<'a>>) -> Value {
    match shape.split_first() {
        None => items.next().map_or_else(|| Value::List(Vec::new()), |i| i.to_value()),
        Some((n, rest)) => Value::List((0..*n).map(|_| nested(rest, items)).collect()),
    }
}

impl Value {
    /// The dtype that holds it: 64-bit numbers, variable-length text, a packed compound, a sequence for a list.
    fn dtype(&self) -> Result<DType> {
        Ok(match self {
            Self::Bool(_) => DType::Bool,
            Self::Int(_) => DType::I64,
            Self::UInt(_) => DType::U64,
            Self::Float(_) => DType::F64,
            Self::Complex(_) => DType::C128,
            Self::String(_) => DType::STR,
            Self::Bytes(bytes) => DType::opaque(bytes.len(), ""),
            Self::Compound(fields) => {
                let fields = fields.iter().map(|(n, v)| Ok((n.as_str(), v.dtype()?))).collect::<Result<Vec<_>>>()?;
                DType::compound(fields)?
            }
            Self::List(items) => {
                let Some(first) = items.first() else { bail!(Dtype, "an empty list has no element type") };
                let base = first.dtype()?;
                if let Some(other) = items.iter().find(|i| i.dtype().ok().as_ref() != Some(&base)) {
                    bail!(Dtype, "the list holds both {base} and {other}");
                }
                DType::varseq(base)
            }
            Self::Reference(_) => DType::ObjectRef,
            Self::Region(_) => DType::RegionRef,
        })
    }

    fn put(&self, dtype: &DType, out: &mut [u8], heap: &Arena) -> Result<()> {
        let one = match self {
            Self::Bool(v) => AnyArray::from(*v),
            Self::Int(v) => AnyArray::from(*v),
            Self::UInt(v) => AnyArray::from(*v),
            Self::Float(v) => AnyArray::from(*v),
            Self::Complex(v) => AnyArray::from(*v),
            Self::Bytes(bytes) => AnyArray::from_bytes(dtype.clone(), [], bytes)?,
            Self::Compound(fields) => {
                for (field, (_, value)) in dtype.fields().iter().zip(fields) {
                    value.put(&field.dtype, &mut out[field.offset..field.offset + field.dtype.itemsize()], heap)?;
                }
                return Ok(());
            }
            Self::String(v) if v.is_empty() => return Ok(()),
            Self::String(v) => {
                select::set_slot(out, 0, heap.push(Item::Str(v.as_bytes().into())));
                return Ok(());
            }
            Self::List(items) => {
                if let DType::VarSeq(base) = dtype {
                    let (inner, size) = (Arena::default(), base.itemsize());
                    let mut bytes = vec![0; size * items.len()];
                    for (item, out) in items.iter().zip(bytes.chunks_exact_mut(size.max(1))) {
                        item.put(base, out, &inner)?;
                    }
                    select::set_slot(out, 0, heap.push(Item::Seq(Box::new(AnyArray::assemble(base, vec![items.len()], &bytes, inner)?))));
                }
                return Ok(());
            }
            Self::Reference(r) => {
                select::set_slot(out, 0, if r.is_null() { 0 } else { heap.push(Item::Object(r.clone())) });
                return Ok(());
            }
            Self::Region(r) => {
                select::set_slot(out, 0, if r.is_null() { 0 } else { heap.push(Item::Region(Box::new(r.clone()))) });
                return Ok(());
            }
        };
        out.copy_from_slice(one.buffer.as_slice());
        Ok(())
    }
}

impl IntoArray for Value {
    /// A scalar; a list becomes one axis of its items.
    fn into_array(self) -> Result<AnyArray> {
        let dtype = self.dtype()?;
        dtype.validate()?;
        let (heap, mut bytes) = (Arena::default(), vec![0; dtype.itemsize()]);
        self.put(&dtype, &mut bytes, &heap)?;
        let scalar = AnyArray::assemble(&dtype, Vec::new(), &bytes, heap)?;
        match scalar.element(0).and_then(|e| e.as_sequence()) {
            Some(items) => Ok(items),
            None => Ok(scalar),
        }
    }
}

impl AnyArray {
    /// An array from the bytes of its elements, whose slots hold numbers of the heap.
    pub(crate) fn assemble(dtype: &DType, shape: Vec<usize>, bytes: &[u8], heap: Arena) -> Result<AnyArray> {
        let mut array = AnyArray::zeros(dtype.clone(), shape)?;
        array.buffer.make_mut()?.copy_from_slice(bytes);
        if array.heap.is_some() {
            array.heap = Some(std::sync::Arc::new(heap));
        }
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_into_arrays_and_come_back() {
        for value in [
            Value::Bool(true),
            Value::Int(-3),
            Value::UInt(u64::MAX),
            Value::Float(0.1),
            Value::Complex(Complex::new(1.0, 2.0)),
            Value::String("text".into()),
            Value::String(String::new()),
            Value::Bytes(vec![0xff, 0]),
            Value::Compound(vec![("a".into(), Value::Int(1)), ("b".into(), Value::List(vec![Value::String("x".into())]))]),
            Value::Reference(ObjectRef::null()),
        ] {
            let array = value.clone().into_array().unwrap();
            assert_eq!(array.element(0).unwrap().to_value(), value);
        }
        let list = Value::List(vec![Value::Int(1), Value::Int(2)]).into_array().unwrap();
        assert_eq!(list, AnyArray::from(vec![1i64, 2]));
        assert!(Value::List(Vec::new()).into_array().is_err());
        assert!(Value::List(vec![Value::Int(1), Value::Float(2.0)]).into_array().unwrap_err().message().contains("both"));
    }
}
