//! One event of a reader.

use super::super::product::EventValue;
use crate::array::{AnyArray, FromArray};
use crate::error::{Result, bail, error};
use std::collections::BTreeMap;

/// The products of one event, by name. In spine the dictionary that a reader returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub(super) values: BTreeMap<String, EventValue>,
}

impl Event {
    /// The value of a product.
    pub fn value(&self, key: &str) -> Option<&EventValue> {
        self.values.get(key)
    }

    /// Names and values, by code point.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, &EventValue)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The names, by code point.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    fn found(&self, key: &str) -> Result<&EventValue> {
        self.value(key).ok_or_else(|| error!(NotFound, "the event has no product '{key}'"))
    }

    /// A number, a text or an array as a Rust type.
    ///
    /// # Errors
    /// `NotFound`, `Dtype` or `Shape` if it is of another type.
    pub fn get<T: FromArray>(&self, key: &str) -> Result<T> {
        match self.found(key)? {
            EventValue::Scalar(a) | EventValue::Array(a) | EventValue::Object(a) | EventValue::Objects(a) => T::from_array(a.clone()),
            EventValue::List(_) => bail!(Shape, "the product '{key}' is a list of arrays"),
        }
    }

    /// A list of arrays as Rust types.
    ///
    /// # Errors
    /// `NotFound`, `Dtype` or `Shape` if it is of another type.
    pub fn list<T: FromArray>(&self, key: &str) -> Result<Vec<T>> {
        match self.found(key)? {
            EventValue::List(arrays) => arrays.iter().cloned().map(T::from_array).collect(),
            _ => bail!(Shape, "the product '{key}' is no list of arrays"),
        }
    }

    /// Objects as Rust structs; one object is a list of one. Fields of the file that the struct lacks are passed over, unless it says `serde(deny_unknown_fields)`: these are spine's
    /// `skip_unknown_attrs`, true and false. A map from names to values takes any object: that is spine's `build_classes=False`.
    ///
    /// ```
    /// # use memh5::stage::{Batch, Product, SourceInfo, StageHdf5Writer, StageReader};
    /// #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    /// struct RunInfo {
    ///     run: i64,
    ///     event: i64,
    /// }
    /// # let mut writer = StageHdf5Writer::builder().file_name("a.h5").stage("s").in_memory().build()?;
    /// # let runs = Product::object("RunInfo", &[RunInfo { run: 1, event: 7 }])?;
    /// # writer.write(&Batch::new(1).with_source(&SourceInfo::new("a.root", 1, 0)?)?.with("run_info", runs)?)?;
    /// # writer.finalize()?;
    /// # let cache = writer.caches()[0].1.clone().unwrap();
    /// # let reader = StageReader::of_groups([&*cache])?;
    /// assert_eq!(reader.get(0)?.objects::<RunInfo>("run_info")?, [RunInfo { run: 1, event: 7 }]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound`; `Dtype` if they have other fields, or are no objects.
    pub fn objects<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Vec<T>> {
        match self.found(key)? {
            EventValue::Object(a) | EventValue::Objects(a) => a.to_rows(),
            _ => bail!(Dtype, "the product '{key}' has no objects"),
        }
    }

    /// Objects as Rust structs that derive `H5Type`; one object is a list of one.
    ///
    /// # Errors
    /// `NotFound`; `Dtype` if they have other fields or types, or are no objects.
    #[cfg(feature = "hdf5")]
    pub fn objects_h5<T: hdf5::H5Type>(&self, key: &str) -> Result<Vec<T>> {
        match self.found(key)? {
            EventValue::Object(a) | EventValue::Objects(a) => a.to_h5(),
            _ => bail!(Dtype, "the product '{key}' has no objects"),
        }
    }
}

/// A number as the value of a scalar product.
pub(super) fn number(value: i64) -> EventValue {
    EventValue::Scalar(AnyArray::from(value))
}
