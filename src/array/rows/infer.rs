//! The dtype that holds a row.

use super::RowError;
use crate::dtype::DType;
use crate::error::{Result, error};
use serde::ser::{self, Serialize};

/// What was seen of a type.
enum Seen {
    /// The items of an empty sequence.
    Nothing,
    Leaf(DType),
    Seq(Box<Seen>),
    Tuple(Vec<Seen>),
    Struct(Vec<(String, Seen)>),
}

/// The dtype of rows: that of the first, completed by later ones where it holds empty sequences.
pub(super) fn dtype_of<T: Serialize>(rows: &[T]) -> Result<DType> {
    let mut seen = Seen::Nothing;
    for (i, row) in rows.iter().enumerate() {
        seen = seen.merge(row.serialize(Infer).map_err(|e| e.into_error(i))?);
        if !seen.is_open() {
            break;
        }
    }
    if rows.is_empty() {
        return Err(error!(Dtype, "there are no rows to infer the dtype from").remedy("give the dtype with from_rows_as"));
    }
    seen.dtype().map_err(|e| e.into_error(0).remedy("give the dtype with from_rows_as"))
}

impl Seen {
    fn is_open(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Leaf(_) => false,
            Self::Seq(item) => item.is_open(),
            Self::Tuple(items) => items.iter().any(Seen::is_open),
            Self::Struct(fields) => fields.iter().any(|(_, f)| f.is_open()),
        }
    }

    fn merge(self, other: Seen) -> Seen {
        match (self, other) {
            (Self::Nothing, other) => other,
            (Self::Seq(a), Self::Seq(b)) => Self::Seq(Box::new(a.merge(*b))),
            (Self::Tuple(a), Self::Tuple(b)) if a.len() == b.len() => Self::Tuple(a.into_iter().zip(b).map(|(x, y)| x.merge(y)).collect()),
            (Self::Struct(a), Self::Struct(b)) if a.len() == b.len() => {
                Self::Struct(a.into_iter().zip(b).map(|((name, x), (_, y))| (name, x.merge(y))).collect())
            }
            (first, _) => first,
        }
    }

    fn dtype(&self) -> Result<DType, RowError> {
        let compound = |fields: Vec<(&str, DType)>| DType::compound(fields).map_err(|e| RowError::new(e.message()));
        match self {
            Self::Nothing => Err(RowError::new("the sequence is empty in every row and does not tell the type of its items")),
            Self::Leaf(dtype) => Ok(dtype.clone()),
            Self::Seq(item) => Ok(DType::varseq(item.dtype()?)),
            Self::Tuple(items) => {
                let names: Vec<String> = (0..items.len()).map(|i| i.to_string()).collect();
                let dtypes = items.iter().zip(&names).map(|(i, n)| i.dtype().map_err(|e| e.within(n))).collect::<Result<Vec<_>, _>>()?;
                let Some(first) = dtypes.first() else { return Err(RowError::new("a tuple or array without items has no dtype")) };
                if dtypes.iter().any(|d| d != first) {
                    return compound(names.iter().map(String::as_str).zip(dtypes).collect());
                }
                Ok(match first {
                    DType::Array { base, shape } => {
                        DType::array((**base).clone(), [items.len()].iter().chain(shape.iter()).copied().collect::<Vec<_>>())
                    }
                    other => DType::array(other.clone(), [items.len()]),
                })
            }
            Self::Struct(fields) => {
                let fields =
                    fields.iter().map(|(n, f)| Ok((n.as_str(), f.dtype().map_err(|e| e.within(n))?))).collect::<Result<_, RowError>>()?;
                compound(fields)
            }
        }
    }
}

/// The serializer that only looks.
struct Infer;

macro_rules! leaves {
    ($($method:ident($t:ty) = $dtype:expr;)*) => {$(
        fn $method(self, _: $t) -> Result<Seen, RowError> { Ok(Seen::Leaf($dtype)) }
    )*};
}

fn refuse<T>(what: &str) -> Result<T, RowError> {
    Err(RowError::new(format!("{what} has no dtype")))
}

pub(super) const NONE: &str = "None has no place in an element: every row holds a value for every field";

impl ser::Serializer for Infer {
    type Ok = Seen;
    type Error = RowError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = ser::Impossible<Seen, RowError>;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = ser::Impossible<Seen, RowError>;

    leaves! {
        serialize_bool(bool) = DType::Bool;
        serialize_i8(i8) = DType::I8;
        serialize_i16(i16) = DType::I16;
        serialize_i32(i32) = DType::I32;
        serialize_i64(i64) = DType::I64;
        serialize_u8(u8) = DType::U8;
        serialize_u16(u16) = DType::U16;
        serialize_u32(u32) = DType::U32;
        serialize_u64(u64) = DType::U64;
        serialize_f32(f32) = DType::F32;
        serialize_f64(f64) = DType::F64;
        serialize_char(char) = DType::STR;
        serialize_str(&str) = DType::STR;
        serialize_bytes(&[u8]) = DType::varseq(DType::U8);
    }

    fn serialize_none(self) -> Result<Seen, RowError> {
        Err(RowError::new(NONE))
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Seen, RowError> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Seen, RowError> {
        refuse("the unit ()")
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result<Seen, RowError> {
        refuse(&format!("the struct {name} without fields"))
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<Seen, RowError> {
        Ok(Seen::Leaf(DType::STR))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Seen, RowError> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: &T,
    ) -> Result<Seen, RowError> {
        refuse(&format!("the enum variant {name} with fields"))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items, RowError> {
        Ok(Items { items: Vec::new(), sequence: true })
    }
    fn serialize_tuple(self, _: usize) -> Result<Items, RowError> {
        Ok(Items { items: Vec::new(), sequence: false })
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, RowError> {
        self.serialize_tuple(0)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, RowError> {
        refuse(&format!("the enum variant {name} with fields"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Fields, RowError> {
        Ok(Fields { fields: Vec::new(), key: None })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, RowError> {
        self.serialize_map(None)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, RowError> {
        refuse(&format!("the enum variant {name} with fields"))
    }
}

struct Items {
    items: Vec<Seen>,
    sequence: bool,
}

impl Items {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        let at = self.items.len();
        // The first item that says all speaks for a sequence.
        if self.sequence && self.items.first().is_some_and(|s| !s.is_open()) {
            return Ok(());
        }
        let seen = value.serialize(Infer).map_err(|e| e.within(&at.to_string()))?;
        match (self.sequence, self.items.pop()) {
            (true, Some(before)) => self.items.push(before.merge(seen)),
            (_, before) => {
                self.items.extend(before);
                self.items.push(seen);
            }
        }
        Ok(())
    }
}

impl ser::SerializeSeq for Items {
    type Ok = Seen;
    type Error = RowError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        self.add(value)
    }
    fn end(mut self) -> Result<Seen, RowError> {
        Ok(Seen::Seq(Box::new(self.items.pop().unwrap_or(Seen::Nothing))))
    }
}
impl ser::SerializeTuple for Items {
    type Ok = Seen;
    type Error = RowError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        self.add(value)
    }
    fn end(self) -> Result<Seen, RowError> {
        Ok(Seen::Tuple(self.items))
    }
}
impl ser::SerializeTupleStruct for Items {
    type Ok = Seen;
    type Error = RowError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        self.add(value)
    }
    fn end(self) -> Result<Seen, RowError> {
        Ok(Seen::Tuple(self.items))
    }
}

struct Fields {
    fields: Vec<(String, Seen)>,
    key: Option<String>,
}

impl Fields {
    fn add<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), RowError> {
        self.fields.push((name.to_owned(), value.serialize(Infer).map_err(|e| e.within(name))?));
        Ok(())
    }
}

impl ser::SerializeStruct for Fields {
    type Ok = Seen;
    type Error = RowError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), RowError> {
        self.add(name, value)
    }
    fn end(self) -> Result<Seen, RowError> {
        Ok(Seen::Struct(self.fields))
    }
}
impl ser::SerializeMap for Fields {
    type Ok = Seen;
    type Error = RowError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), RowError> {
        self.key = Some(super::write::key(key)?);
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), RowError> {
        let name = self.key.take().unwrap_or_default();
        self.add(&name, value)
    }
    fn end(self) -> Result<Seen, RowError> {
        Ok(Seen::Struct(self.fields))
    }
}
