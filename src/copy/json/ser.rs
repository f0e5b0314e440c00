//! From any serde value to a [`Json`], non-finite numbers kept.

use super::Json;
use super::parse::MAX_DEPTH;
use serde::ser::{self, Serialize};

/// Builds the value at a depth.
pub(super) struct Builder {
    pub(super) depth: usize,
}

#[derive(Debug)]
pub(super) struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Failure {}
impl ser::Error for Failure {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Builder {
    fn deeper(&self) -> Result<usize, Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(Failure(format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(self.depth + 1)
    }

    fn items(&self, variant: Option<&'static str>) -> Result<Items, Failure> {
        Ok(Items { depth: self.deeper()?, variant, list: Vec::new() })
    }

    fn entries(&self, variant: Option<&'static str>) -> Result<Entries, Failure> {
        Ok(Entries { depth: self.deeper()?, variant, map: Vec::new(), name: String::new() })
    }
}

/// A list or tuple that is being built.
pub(super) struct Items {
    depth: usize,
    variant: Option<&'static str>,
    list: Vec<Json>,
}

impl Items {
    fn add(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        self.list.push(value.serialize(Builder { depth: self.depth })?);
        Ok(())
    }
    fn done(self) -> Json {
        tagged(self.variant, Json::Array(self.list))
    }
}

/// A map or struct that is being built.
pub(super) struct Entries {
    depth: usize,
    variant: Option<&'static str>,
    map: Vec<(String, Json)>,
    name: String,
}

impl Entries {
    fn add(&mut self, name: String, value: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        let value = value.serialize(Builder { depth: self.depth })?;
        self.map.push((name, value));
        Ok(())
    }
    fn done(self) -> Json {
        tagged(self.variant, Json::Object(self.map))
    }
}

fn tagged(variant: Option<&'static str>, value: Json) -> Json {
    match variant {
        Some(name) => Json::Object(vec![(name.to_owned(), value)]),
        None => value,
    }
}

macro_rules! integers {
    ($($name:ident($t:ty))*) => {$(
        fn $name(self, v: $t) -> Result<Json, Failure> { Ok(Json::Int(i128::from(v))) }
    )*};
}

impl ser::Serializer for Builder {
    type Ok = Json;
    type Error = Failure;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    integers! {
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
    }
    fn serialize_u128(self, v: u128) -> Result<Json, Failure> {
        i128::try_from(v).map(Json::Int).map_err(|_| Failure(format!("the number {v} is too large")))
    }
    fn serialize_bool(self, v: bool) -> Result<Json, Failure> {
        Ok(Json::Bool(v))
    }
    fn serialize_f32(self, v: f32) -> Result<Json, Failure> {
        Ok(Json::Float(v.into()))
    }
    fn serialize_f64(self, v: f64) -> Result<Json, Failure> {
        Ok(Json::Float(v))
    }
    fn serialize_char(self, v: char) -> Result<Json, Failure> {
        Ok(Json::String(v.into()))
    }
    fn serialize_str(self, v: &str) -> Result<Json, Failure> {
        Ok(Json::String(v.to_owned()))
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<Json, Failure> {
        String::from_utf8(v.to_vec()).map(Json::String).map_err(|_| Failure("bytes that are not UTF-8".into()))
    }
    fn serialize_none(self) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Json, Failure> {
        v.serialize(self)
    }
    fn serialize_unit(self) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Json, Failure> {
        Ok(Json::Null)
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<Json, Failure> {
        Ok(Json::String(variant.into()))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, v: &T) -> Result<Json, Failure> {
        v.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<Json, Failure> {
        let depth = self.deeper()?;
        Ok(tagged(Some(variant), v.serialize(Builder { depth })?))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Failure> {
        self.items(None)
    }
    fn serialize_tuple(self, _: usize) -> Result<Items, Failure> {
        self.items(None)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, Failure> {
        self.items(None)
    }
    fn serialize_tuple_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Items, Failure> {
        self.items(Some(variant))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Failure> {
        self.entries(None)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, Failure> {
        self.entries(None)
    }
    fn serialize_struct_variant(self, _: &'static str, _: u32, variant: &'static str, _: usize) -> Result<Entries, Failure> {
        self.entries(Some(variant))
    }
}

macro_rules! list_builders {
    ($($trait:ident::$method:ident)*) => {$(
        impl ser::$trait for Items {
            type Ok = Json;
            type Error = Failure;
            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Failure> { self.add(v) }
            fn end(self) -> Result<Json, Failure> { Ok(self.done()) }
        }
    )*};
}
list_builders! {
    SerializeSeq::serialize_element SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field
}

macro_rules! struct_builders {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Entries {
            type Ok = Json;
            type Error = Failure;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, v: &T) -> Result<(), Failure> {
                self.add(name.to_owned(), v)
            }
            fn end(self) -> Result<Json, Failure> { Ok(self.done()) }
        }
    )*};
}
struct_builders! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Entries {
    type Ok = Json;
    type Error = Failure;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        // As Python: numbers, bools and None become texts.
        self.name = match key.serialize(Builder { depth: self.depth })? {
            Json::String(s) => s,
            scalar @ (Json::Null | Json::Bool(_) | Json::Int(_) | Json::Float(_)) => scalar.to_string(),
            other => return Err(Failure(format!("a key cannot be {}", other.kind()))),
        };
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Failure> {
        let name = std::mem::take(&mut self.name);
        self.add(name, v)
    }
    fn end(self) -> Result<Json, Failure> {
        Ok(self.done())
    }
}

impl Serialize for Json {
    fn serialize<S: ser::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => to.serialize_unit(),
            Json::Bool(b) => to.serialize_bool(*b),
            Json::Int(i) => match (i64::try_from(*i), u64::try_from(*i)) {
                (Ok(i), _) => to.serialize_i64(i),
                (_, Ok(u)) => to.serialize_u64(u),
                _ => to.serialize_i128(*i),
            },
            Json::Float(f) => to.serialize_f64(*f),
            Json::String(s) => to.serialize_str(s),
            Json::Array(items) => to.collect_seq(items),
            Json::Object(items) => to.collect_map(items.iter().map(|(n, v)| (n, v))),
        }
    }
}
