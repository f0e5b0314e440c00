//! A row into the bytes of an element.

use super::RowError;
use super::infer::NONE;
use crate::array::convert::longdouble::LongDouble;
use crate::array::convert::number::{self, Raw};
use crate::array::convert::{part_of_complex, string};
use crate::array::{AnyArray, Arena, Item, display, select};
use crate::dtype::{Cast, DType, Field, FloatWidth};
use serde::ser::{self, Serialize};

type Result<T = ()> = std::result::Result<T, RowError>;

/// Writes a row into an element whose bytes are zero.
pub(super) fn row<T: Serialize>(row: &T, dtype: &DType, out: &mut [u8], heap: &Arena) -> Result {
    row.serialize(Writer::new(&[], dtype, out, heap))
}

/// The text of a map's key.
pub(super) fn key<T: Serialize + ?Sized>(key: &T) -> Result<String> {
    match serde_json::to_value(key) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(RowError::new("the keys of a map that is a row have to be text")),
    }
}

/// The serializer of a part: `shape` items of `dtype`, or one if the shape is empty.
struct Writer<'a> {
    shape: &'a [usize],
    dtype: &'a DType,
    out: &'a mut [u8],
    heap: &'a Arena,
}

impl<'a> Writer<'a> {
    fn new(shape: &'a [usize], dtype: &'a DType, out: &'a mut [u8], heap: &'a Arena) -> Self {
        let (mut shape, mut dtype) = (shape, dtype);
        while let ([], DType::Array { base, shape: inner }) = (shape, dtype) {
            (shape, dtype) = (inner, base);
        }
        Self { shape, dtype, out, heap }
    }

    fn refuse<T>(&self, what: &str) -> Result<T> {
        if self.shape.is_empty() {
            Err(RowError::new(format!("{what} cannot be stored as {}", self.dtype)))
        } else {
            Err(RowError::new(format!("{what} cannot be stored as {}{:?}", self.dtype, self.shape)))
        }
    }

    fn int(self, value: i128) -> Result {
        let held = match self.dtype {
            _ if !self.shape.is_empty() => false,
            DType::Int(t) | DType::BitField(t) => number::write_int(*t, value, self.out),
            DType::Enum(e) => e.members.iter().any(|(_, v)| *v == value) && number::write_int(e.base, value, self.out),
            DType::Bool => {
                self.out[0] = u8::from(value == 1);
                value == 0 || value == 1
            }
            DType::Float(t) | DType::Complex(t) if t.width == FloatWidth::LongDouble && i128::from(value as i64) == value => {
                LongDouble::from_int(value).write(&mut self.out[..16]);
                true
            }
            DType::Float(t) | DType::Complex(t) => {
                let float = value as f64;
                float as i128 == value && number::write_float(t.width, float, &mut self.out[..t.width.size()])
            }
            _ => false,
        };
        if held { Ok(()) } else { self.refuse(&value.to_string()) }
    }

    fn float(self, width: FloatWidth, value: f64) -> Result {
        let held = match self.dtype {
            _ if !self.shape.is_empty() => false,
            DType::Float(t) | DType::Complex(t) => number::write_float(t.width, value, &mut self.out[..t.width.size()]),
            DType::Int(t) => (value as i128) as f64 == value && number::write_int(*t, value as i128, self.out),
            _ => false,
        };
        if held { Ok(()) } else { self.refuse(&display::float(width, value)) }
    }

    fn text(self, text: &str) -> Result {
        match self.dtype {
            _ if !self.shape.is_empty() => self.refuse(&format!("{text:?}")),
            DType::FixedString { .. } | DType::VarString { .. } => {
                string::encode(text.as_bytes(), self.dtype, self.out, Some(self.heap), Cast::Exact)
                    .map_err(|why| RowError::new(format!("{text:?} {why} in {}", self.dtype)))
            }
            DType::Enum(e) => match e.members.iter().find(|(name, _)| name == text) {
                Some((_, value)) if number::write_int(e.base, *value, self.out) => Ok(()),
                _ => Err(RowError::new(format!("{text:?} is no member of {}", self.dtype))),
            },
            _ => self.refuse(&format!("{text:?}")),
        }
    }

    fn items(self, what: &str) -> Result<Items<'a>> {
        static U8: DType = DType::U8;
        let kind = match (self.shape, self.dtype) {
            ([n, rest @ ..], base) => Kind::Fixed { count: *n, shape: rest, base },
            ([], DType::Complex(t)) => Kind::Fixed { count: 2, shape: &[], base: part_of_complex(t.width) },
            ([], DType::Opaque { size, .. }) => Kind::Fixed { count: *size, shape: &[], base: &U8 },
            ([], DType::VarSeq(base)) => Kind::Growing { base, bytes: Vec::new(), heap: Box::default() },
            ([], DType::Compound(c)) => Kind::Fields(c.fields()),
            _ => return self.refuse(what),
        };
        Ok(Items { kind, at: 0, out: self.out, heap: self.heap })
    }

    fn fields(self, what: &str) -> Result<Fields<'a>> {
        match (self.shape, self.dtype) {
            ([], DType::Compound(c)) => {
                Ok(Fields { fields: c.fields(), seen: vec![false; c.fields().len()], next: 0, key: None, out: self.out, heap: self.heap })
            }
            _ => self.refuse(what),
        }
    }
}

macro_rules! ints {
    ($($method:ident($t:ty);)*) => {$(
        fn $method(self, value: $t) -> Result { self.int(value.into()) }
    )*};
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = RowError;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = ser::Impossible<(), RowError>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = ser::Impossible<(), RowError>;

    ints! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
    }
    fn serialize_u128(self, value: u128) -> Result {
        match i128::try_from(value) {
            Ok(value) => self.int(value),
            Err(_) => self.refuse(&value.to_string()),
        }
    }
    fn serialize_f32(self, value: f32) -> Result {
        self.float(FloatWidth::F32, value.into())
    }
    fn serialize_f64(self, value: f64) -> Result {
        self.float(FloatWidth::F64, value)
    }
    fn serialize_char(self, value: char) -> Result {
        self.text(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Result {
        self.text(value)
    }
    fn serialize_bytes(self, value: &[u8]) -> Result {
        match self.dtype {
            DType::FixedString { .. } | DType::VarString { .. } if self.shape.is_empty() => {
                string::encode(value, self.dtype, self.out, Some(self.heap), Cast::Exact)
                    .map_err(|why| RowError::new(format!("{} {why} in {}", display::quoted(value), self.dtype)))
            }
            _ => {
                let mut items = self.items("a byte string")?;
                value.iter().try_for_each(|b| items.add(b))?;
                items.finish()
            }
        }
    }
    fn serialize_none(self) -> Result {
        Err(RowError::new(NONE))
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result {
        self.refuse("the unit ()")
    }
    fn serialize_unit_struct(self, name: &'static str) -> Result {
        self.refuse(&format!("the struct {name} without fields"))
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result {
        self.text(name)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, name: &'static str, _: &T) -> Result {
        self.refuse(&format!("the enum variant {name} with fields"))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>> {
        self.items("a sequence")
    }
    fn serialize_tuple(self, n: usize) -> Result<Items<'a>> {
        self.items(&format!("a tuple or array of {n}"))
    }
    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Items<'a>> {
        self.items(&format!("the struct {name}"))
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, name: &'static str, _: usize) -> Result<Self::SerializeTupleVariant> {
        self.refuse(&format!("the enum variant {name} with fields"))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>> {
        self.fields("a map")
    }
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>> {
        self.fields(&format!("the struct {name}"))
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, name: &'static str, _: usize) -> Result<Self::SerializeStructVariant> {
        self.refuse(&format!("the enum variant {name} with fields"))
    }
}

enum Kind<'a> {
    /// A number of items of one type.
    Fixed { count: usize, shape: &'a [usize], base: &'a DType },
    /// A sequence.
    Growing { base: &'a DType, bytes: Vec<u8>, heap: Box<Arena> },
    /// A tuple into the fields of a compound, in their order.
    Fields(&'a [Field]),
}

struct Items<'a> {
    kind: Kind<'a>,
    at: usize,
    out: &'a mut [u8],
    heap: &'a Arena,
}

impl Items<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let at = self.at;
        self.at += 1;
        match &mut self.kind {
            Kind::Fixed { count, shape, base } => {
                if at >= *count {
                    return Err(RowError::new(format!("more than {count} items do not fit")));
                }
                let size = self.out.len() / *count;
                value.serialize(Writer::new(shape, base, &mut self.out[at * size..(at + 1) * size], self.heap))
            }
            Kind::Growing { base, bytes, heap } => {
                let start = bytes.len();
                bytes.resize(start + base.itemsize(), 0);
                value.serialize(Writer::new(&[], base, &mut bytes[start..], heap))
            }
            Kind::Fields(fields) => match fields.get(at) {
                Some(f) => {
                    let out = &mut self.out[f.offset..f.offset + f.dtype.itemsize()];
                    return value.serialize(Writer::new(&[], &f.dtype, out, self.heap)).map_err(|e| e.within(&f.name));
                }
                None => Err(RowError::new(format!("more than {} items do not fit the fields", fields.len()))),
            },
        }
        .map_err(|e| e.within(&at.to_string()))
    }

    fn finish(self) -> Result {
        let wanted = match &self.kind {
            Kind::Fixed { count, .. } => *count,
            Kind::Fields(fields) => fields.len(),
            Kind::Growing { .. } => self.at,
        };
        if self.at != wanted {
            return Err(RowError::new(format!("{} items do not fill {wanted}", self.at)));
        }
        if let Kind::Growing { base, bytes, heap } = self.kind
            && self.at > 0
        {
            let items = AnyArray::assemble(base, vec![self.at], &bytes, *heap).map_err(|e| RowError::new(e.message()))?;
            select::set_slot(self.out, 0, self.heap.push(Item::Seq(Box::new(items))));
        }
        Ok(())
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = RowError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.add(value)
    }
    fn end(self) -> Result {
        self.finish()
    }
}
impl ser::SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = RowError;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.add(value)
    }
    fn end(self) -> Result {
        self.finish()
    }
}
impl ser::SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = RowError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.add(value)
    }
    fn end(self) -> Result {
        self.finish()
    }
}

struct Fields<'a> {
    fields: &'a [Field],
    seen: Vec<bool>,
    /// Where the next field probably is.
    next: usize,
    key: Option<String>,
    out: &'a mut [u8],
    heap: &'a Arena,
}

impl Fields<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result {
        let expected = self.fields.get(self.next).is_some_and(|f| f.name == name).then_some(self.next);
        let Some(at) = expected.or_else(|| self.fields.iter().position(|f| f.name == name)) else {
            return Err(RowError::new("the dtype has no field of that name").within(name));
        };
        let f = &self.fields[at];
        self.seen[at] = true;
        self.next = at + 1;
        let out = &mut self.out[f.offset..f.offset + f.dtype.itemsize()];
        value.serialize(Writer::new(&[], &f.dtype, out, self.heap)).map_err(|e| e.within(name))
    }

    fn finish(self) -> Result {
        match self.seen.iter().position(|s| !s) {
            Some(at) => Err(RowError::new("the row has no field of that name").within(&self.fields[at].name)),
            None => Ok(()),
        }
    }
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = RowError;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.add(name, value)
    }
    fn end(self) -> Result {
        self.finish()
    }
}
impl ser::SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = RowError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result {
        self.key = Some(key(name)?);
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        let name = self.key.take().unwrap_or_default();
        self.add(&name, value)
    }
    fn end(self) -> Result {
        self.finish()
    }
}
