//! A row from an element.

use super::RowError;
use crate::array::convert::longdouble::LongDouble;
use crate::array::convert::number::{self, Raw, To};
use crate::array::convert::part_of_complex;
use crate::array::{AnyArray, ElementRef};
use crate::dtype::{DType, Field, FloatWidth};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};

type Result<T> = std::result::Result<T, RowError>;

/// Reads a row.
pub(super) fn row<T: DeserializeOwned>(element: ElementRef<'_>) -> Result<T> {
    T::deserialize(Reader::new(element.array, &[], element.dtype, element.bytes))
}

/// The deserializer of a part: `shape` items of `dtype`, or one if the shape is empty.
#[derive(Clone, Copy)]
struct Reader<'a> {
    array: &'a AnyArray,
    shape: &'a [usize],
    dtype: &'a DType,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(array: &'a AnyArray, shape: &'a [usize], dtype: &'a DType, bytes: &'a [u8]) -> Self {
        let (mut shape, mut dtype) = (shape, dtype);
        while let ([], DType::Array { base, shape: inner }) = (shape, dtype) {
            (shape, dtype) = (inner, base);
        }
        Self { array, shape, dtype, bytes }
    }

    fn element(self) -> ElementRef<'a> {
        ElementRef { array: self.array, dtype: self.dtype, bytes: self.bytes }
    }

    fn unfit(self, wanted: &str) -> RowError {
        RowError::new(format!("{} of type {} is no {wanted}", self.element(), self.dtype))
    }

    /// The value of a whole number of any type.
    fn integer(self) -> Option<i128> {
        if !self.shape.is_empty() {
            return None;
        }
        match self.dtype {
            DType::Float(t) if t.width == FloatWidth::LongDouble => match LongDouble::read(self.bytes).to_int() {
                (value, true) => value,
                _ => None,
            },
            DType::Float(t) => {
                let value = number::read_float(t.width, self.bytes).0;
                ((value as i128) as f64 == value).then_some(value as i128)
            }
            _ => self.element().integer(),
        }
    }

    /// The value of a real number that an f64 holds.
    fn float(self) -> Option<f64> {
        if !self.shape.is_empty() {
            return None;
        }
        match self.dtype {
            DType::Float(t) => match number::read_float(t.width, self.bytes) {
                (value, true) => Some(value),
                _ => None,
            },
            DType::Int(_) | DType::Bool => self.integer().map(|v| v as f64).filter(|f| Some(*f as i128) == self.integer()),
            _ => None,
        }
    }

    fn is_number(self) -> bool {
        self.shape.is_empty() && matches!(self.dtype, DType::Bool | DType::Int(_) | DType::BitField(_) | DType::Float(_) | DType::Enum(_))
    }

    fn text(self) -> Result<&'a str> {
        if self.shape.is_empty()
            && let Some(name) = self.element().as_member()
            && matches!(self.dtype, DType::Enum(_))
        {
            return Ok(name);
        }
        match self.element().string_bytes() {
            Some(bytes) if self.shape.is_empty() => std::str::from_utf8(bytes).map_err(|_| self.unfit("UTF-8 text")),
            _ => Err(RowError::new(format!("a value of type {} is no text", self.dtype))),
        }
    }

    /// The items of whatever has some.
    fn items(self) -> Option<Items<'a>> {
        static U8: DType = DType::U8;
        let of = |array: &'a AnyArray, shape: &'a [usize], dtype: &'a DType, bytes: &'a [u8], count: usize| {
            let size = bytes.len().checked_div(count).unwrap_or(0).max(1);
            Some(Items { array, shape, dtype, chunks: bytes.chunks_exact(size), fields: [].iter(), whole: self })
        };
        match (self.shape, self.dtype) {
            ([n, rest @ ..], base) => of(self.array, rest, base, self.bytes, *n),
            ([], DType::Complex(t)) => of(self.array, &[], part_of_complex(t.width), self.bytes, 2),
            ([], DType::Opaque { .. } | DType::Foreign(_)) => of(self.array, &[], &U8, self.bytes, self.bytes.len()),
            ([], DType::VarSeq(base)) => match self.element().slot() {
                Some(crate::array::Item::Seq(items)) => of(items, &[], items.dtype(), items.buffer.as_slice(), items.len()),
                _ => of(self.array, &[], base, &[], 0),
            },
            ([], DType::Compound(c)) => {
                let chunks = [].chunks_exact(1);
                Some(Items { array: self.array, shape: &[], dtype: self.dtype, chunks, fields: c.fields().iter(), whole: self })
            }
            _ => None,
        }
    }

    fn field(self, f: &'a Field) -> Self {
        Self::new(self.array, &[], &f.dtype, &self.bytes[f.offset..f.offset + f.dtype.itemsize()])
    }
}

macro_rules! ints {
    ($($method:ident, $visit:ident, $t:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if !self.is_number() {
                return self.deserialize_any(visitor);
            }
            match self.integer().map(<$t>::try_from) {
                Some(Ok(value)) => visitor.$visit(value),
                _ => Err(self.unfit(stringify!($t))),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = RowError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if !self.shape.is_empty() {
            return self.deserialize_seq(visitor);
        }
        let element = self.element();
        match self.dtype {
            DType::Bool => self.deserialize_bool(visitor),
            DType::Int(t) if t.signed => self.deserialize_i64(visitor),
            DType::Int(_) | DType::BitField(_) => self.deserialize_u64(visitor),
            DType::Float(t) if t.width == FloatWidth::F32 => self.deserialize_f32(visitor),
            DType::Float(_) => self.deserialize_f64(visitor),
            DType::FixedString { .. } | DType::VarString { .. } => match (element.as_str(), element.string_bytes()) {
                (Some(text), _) => visitor.visit_borrowed_str(text),
                (None, bytes) => visitor.visit_borrowed_bytes(bytes.unwrap_or(&[])),
            },
            DType::Enum(e) => match element.as_member() {
                Some(name) => visitor.visit_borrowed_str(name),
                None if e.base.signed => self.deserialize_i64(visitor),
                None => self.deserialize_u64(visitor),
            },
            DType::Compound(_) => self.deserialize_map(visitor),
            DType::Complex(_) | DType::Array { .. } | DType::VarSeq(_) | DType::Opaque { .. } | DType::Foreign(_) => {
                self.deserialize_seq(visitor)
            }
            DType::ObjectRef | DType::RegionRef => {
                Err(RowError::new("references are not read through serde; use to_references or to_regions"))
            }
        }
    }

    ints! {
        deserialize_i8, visit_i8, i8;
        deserialize_i16, visit_i16, i16;
        deserialize_i32, visit_i32, i32;
        deserialize_i64, visit_i64, i64;
        deserialize_i128, visit_i128, i128;
        deserialize_u8, visit_u8, u8;
        deserialize_u16, visit_u16, u16;
        deserialize_u32, visit_u32, u32;
        deserialize_u64, visit_u64, u64;
        deserialize_u128, visit_u128, u128;
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.is_number(), self.integer()) {
            (true, Some(0)) => visitor.visit_bool(false),
            (true, Some(1)) => visitor.visit_bool(true),
            (true, _) => Err(self.unfit("bool")),
            (false, _) => self.deserialize_any(visitor),
        }
    }
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.is_number(), self.float().map(To::<f32>::exact)) {
            (true, Some((value, true))) => visitor.visit_f32(value),
            (true, _) => Err(self.unfit("f32")),
            (false, _) => self.deserialize_any(visitor),
        }
    }
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.is_number(), self.float()) {
            (true, Some(value)) => visitor.visit_f64(value),
            (true, _) => Err(self.unfit("f64")),
            (false, _) => self.deserialize_any(visitor),
        }
    }
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.text()?)
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.text()?)
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_borrowed_str(self.text()?)
    }
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.element().as_bytes() {
            Some(bytes) if self.shape.is_empty() => visitor.visit_borrowed_bytes(bytes),
            _ => self.deserialize_any(visitor),
        }
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.items() {
            Some(items) => visitor.visit_seq(items),
            None => self.deserialize_any(visitor),
        }
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, n: usize, visitor: V) -> Result<V::Value> {
        match self.items().map(|items| items.len()) {
            Some(have) if have != n => Err(RowError::new(format!("{have} items are no tuple or array of {n}"))),
            _ => self.deserialize_seq(visitor),
        }
    }
    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, n: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_tuple(n, visitor)
    }
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match (self.shape, self.dtype) {
            ([], DType::Compound(c)) => visitor.visit_map(Fields { whole: self, fields: c.fields().iter(), current: None }),
            ([], DType::Complex(_)) => self.deserialize_seq(visitor),
            _ => self.deserialize_any(visitor),
        }
    }
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }
    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value> {
        match self.element().as_member() {
            Some(name) if self.shape.is_empty() => visitor.visit_enum(name.into_deserializer()),
            _ => visitor.visit_enum(self.text()?.into_deserializer()),
        }
    }
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }
    serde::forward_to_deserialize_any! { unit unit_struct identifier }
}

/// The items of a part, or the values of its fields.
struct Items<'a> {
    array: &'a AnyArray,
    shape: &'a [usize],
    dtype: &'a DType,
    chunks: std::slice::ChunksExact<'a, u8>,
    fields: std::slice::Iter<'a, Field>,
    whole: Reader<'a>,
}

impl Items<'_> {
    fn len(&self) -> usize {
        self.chunks.len() + self.fields.len()
    }
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = RowError;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if let Some(bytes) = self.chunks.next() {
            return seed.deserialize(Reader::new(self.array, self.shape, self.dtype, bytes)).map(Some);
        }
        match self.fields.next() {
            Some(f) => seed.deserialize(self.whole.field(f)).map(Some).map_err(|e| e.within(&f.name)),
            None => Ok(None),
        }
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.len())
    }
}

/// The fields of a compound by name.
struct Fields<'a> {
    whole: Reader<'a>,
    fields: std::slice::Iter<'a, Field>,
    current: Option<&'a Field>,
}

impl<'de> de::MapAccess<'de> for Fields<'de> {
    type Error = RowError;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.current = self.fields.next();
        match self.current {
            Some(f) => seed.deserialize(de::value::BorrowedStrDeserializer::new(&f.name)).map(Some),
            None => Ok(None),
        }
    }
    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        match self.current.take() {
            Some(f) => seed.deserialize(self.whole.field(f)).map_err(|e| e.within(&f.name)),
            None => Err(RowError::new("a value is asked for before its name")),
        }
    }
}
