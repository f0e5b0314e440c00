//! JSON as Python writes it: ASCII, with the literals `NaN`, `Infinity` and `-Infinity`, which strict parsers refuse.

mod de;
mod parse;
mod ser;
mod write;

use std::fmt;

/// A JSON value that keeps non-finite numbers and the order of keys.
///
/// `Display` writes it as Python's `json.dumps` does; [`str::parse`] reads what `json.loads` reads.
///
/// ```
/// use memh5::copy::Json;
/// let value: Json = r#"{"gain": NaN, "name": "caf\u00e9", "ids": [1, 2]}"#.parse()?;
/// assert_eq!(value.get("name").and_then(Json::as_str), Some("café"));
/// assert_eq!(value.to_string(), r#"{"gain": NaN, "name": "caf\u00e9", "ids": [1, 2]}"#);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction and exponent. (One beyond 128 bits is read as a float.)
    Int(i128),
    /// Any other number, NaN and the infinities included.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Json>),
    /// Names and values, in their order; each name once.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value of a name of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(items) => items.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(i) => Some(*i as f64),
            Self::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// The whole number, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(i) => i64::try_from(*i).ok(),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// "an object", "a number" and so on, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a bool",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::String(_) => "a text",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl PartialEq for Json {
    /// Deep equality as of Python's values: NaN equals NaN, 1 equals 1.0, the order of keys does not matter.
    fn eq(&self, other: &Self) -> bool {
        let number = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => number(*a, *b),
            (Self::Int(a), Self::Float(b)) | (Self::Float(b), Self::Int(a)) => number(*a as f64, *b),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(name, value)| other.get(name) == Some(value))
                    && b.iter().all(|(n, _)| self.get(n).is_some())
            }
            _ => false,
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write::value(f, self)
    }
}

impl std::str::FromStr for Json {
    type Err = crate::Error;

    /// Reads JSON, and the literals that Python adds.
    ///
    /// # Errors
    /// `Corrupt` if it is malformed or nested deeper than 128 levels; says where.
    fn from_str(text: &str) -> crate::Result<Self> {
        parse::parse(text)
    }
}

impl Json {
    /// The value of anything that serde can serialise, non-finite numbers kept.
    ///
    /// # Errors
    /// `InvalidArgument` if the value says that it cannot be serialised, or has keys that are no texts, numbers or bools, or bytes that are no
    /// UTF-8.
    pub fn from_value(value: &(impl serde::Serialize + ?Sized)) -> crate::Result<Self> {
        value
            .serialize(ser::Builder { depth: 0 })
            .map_err(|e| crate::error::error!(InvalidArgument, "the value cannot be written as JSON: {e}"))
    }

    /// The value as a Rust type.
    ///
    /// # Errors
    /// `Dtype` if it is of another form.
    pub fn into_value<T: serde::de::DeserializeOwned>(self) -> crate::Result<T> {
        T::deserialize(self).map_err(|e| crate::error::error!(Dtype, "the JSON value is of another form: {e}"))
    }
}
