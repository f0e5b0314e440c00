//! Attributes: small named arrays on every object.

use crate::array::{AnyArray, FromArray, IntoArray};
use crate::copy::{JSON_PREFIX, Json};
use crate::error::{Context, Result, error};

/// The attributes of one object. Implemented by backends; users call [`AttributesExt`].
pub trait Attributes: Send + Sync + std::fmt::Debug {
    /// The names: in the order in which they were made if the object tracks it, else sorted by code point.
    fn attr_names(&self) -> Result<Vec<String>>;

    /// The value, with its stored dtype; `None` if there is no attribute of that name.
    fn attr_read(&self, name: &str) -> Result<Option<AnyArray>>;

    /// Makes the attribute, or replaces it by one of the given dtype and shape. Either the new or the old value is there after. Where
    /// the order is tracked, a replaced attribute is the newest, as in h5py.
    ///
    /// The name has been checked by [`AttributesExt`]; the array has at most 32 axes. Where the object tracks the order, a replaced
    /// attribute goes to the end of it, as h5py has it.
    fn attr_write(&self, name: &str, value: &AnyArray) -> Result<()>;

    /// Deletes the attribute; false if there is none of that name.
    fn attr_delete(&self, name: &str) -> Result<bool>;

    /// The path of the object, for messages.
    fn attr_owner(&self) -> String;

    /// How many there are.
    fn attr_count(&self) -> Result<usize> {
        Ok(self.attr_names()?.len())
    }

    /// True if there is an attribute of that name.
    fn attr_exists(&self, name: &str) -> Result<bool> {
        Ok(self.attr_read(name)?.is_some())
    }
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains('\0') {
        return Err(error!(InvalidName, "{name:?} cannot be the name of an attribute: it is empty or holds a NUL"));
    }
    Ok(())
}

/// The mapping that h5py's users know, on the attributes of any object of any backend.
///
/// ```
/// use memh5::{MemGroup, prelude::*};
/// let group = MemGroup::new();
/// group.attrs().set("units", "mJy")?;
/// group.attrs().set("beam", [0.3, 0.4])?;
/// assert_eq!(group.attrs().get::<String>("units")?, "mJy");
/// assert_eq!(group.attrs().get::<Vec<f64>>("beam")?, [0.3, 0.4]);
/// assert!(!group.attrs().contains("epoch")?);
/// # Ok::<(), memh5::Error>(())
/// ```
pub trait AttributesExt: Attributes {
    /// Sets an attribute to a scalar, a string, a vector, an `ndarray` array or an [`AnyArray`]; replaces one that is there.
    ///
    /// # Errors
    /// `InvalidName`, `ReadOnly`, `Dtype` if the value cannot be stored (a string with a NUL), or what the file system says.
    fn set(&self, name: &str, value: impl IntoArray) -> Result<()> {
        let write = || {
            check_name(name)?;
            let value = value.into_array()?;
            value.check_storable()?;
            self.attr_write(name, &value)
        };
        write().with_context(|| (self.attr_owner(), format!("set the attribute '{name}'")))
    }

    /// The value as a Rust type: a number, `String`, `Vec` of them, `ArrayD`, or [`AnyArray`].
    ///
    /// # Errors
    /// `NotFound` if there is none, `InvalidName`, `Dtype` if it has another type, `Shape` if it has another rank.
    fn get<T: FromArray>(&self, name: &str) -> Result<T> {
        let read = || {
            check_name(name)?;
            T::from_array(self.attr_read(name)?.ok_or_else(|| error!(NotFound, "there is no attribute '{name}'"))?)
        };
        read().with_context(|| (self.attr_owner(), format!("read the attribute '{name}'")))
    }

    /// The value with its stored dtype; `None` if there is none.
    ///
    /// # Errors
    /// `Corrupt` or `Io` if it cannot be read.
    fn get_array(&self, name: &str) -> Result<Option<AnyArray>> {
        check_name(name).and_then(|()| self.attr_read(name)).with_context(|| (self.attr_owner(), format!("read the attribute '{name}'")))
    }

    /// Sets an attribute to a structured value, as caput stores it: the text `!!_memh5_json:` with JSON behind it, in ASCII, as Python writes it.
    /// NaN and the infinities are kept, as the literals that Python's `json` reads.
    ///
    /// ```
    /// use memh5::{MemGroup, prelude::*};
    /// let group = MemGroup::new();
    /// group.attrs().set_json("config", &std::collections::BTreeMap::from([("gain", 0.5), ("noise", f64::NAN)]))?;
    /// assert_eq!(group.attrs().get::<String>("config")?, r#"!!_memh5_json:{"gain": 0.5, "noise": NaN}"#);
    /// let back: std::collections::BTreeMap<String, f64> = group.attrs().get_json("config")?;
    /// assert_eq!(back["gain"], 0.5);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`set`](AttributesExt::set), and `InvalidArgument` for a value that JSON cannot hold.
    fn set_json(&self, name: &str, value: &(impl serde::Serialize + ?Sized)) -> Result<()> {
        let json = Json::from_value(value).context(&self.attr_owner(), &format!("set the attribute '{name}'"))?;
        self.set(name, format!("{JSON_PREFIX}{json}"))
    }

    /// The structured value that [`set_json`](AttributesExt::set_json) or caput has stored.
    ///
    /// # Errors
    /// `NotFound` if there is no such attribute, `Dtype` if it holds no structured value or one of another form, `Corrupt` if the JSON is malformed
    /// ([`get`](AttributesExt::get) still reads it as text).
    fn get_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let read = || {
            let value = self.attr_read(name)?.ok_or_else(|| error!(NotFound, "there is no attribute '{name}'"))?;
            let Some(text) = crate::copy::json_text(&value) else {
                return Err(error!(Dtype, "it holds no structured value, which is one text that begins with {JSON_PREFIX}"));
            };
            text.parse::<Json>()?.into_value()
        };
        read().context(&self.attr_owner(), &format!("read the attribute '{name}'"))
    }

    /// Sets an attribute to a text that caput reads as this text, whatever it is: one that begins with caput's prefix for structured values is
    /// stored as a JSON string. ([`set`](AttributesExt::set) stores any text as it is.)
    ///
    /// # Errors
    /// As [`set`](AttributesExt::set).
    fn set_text(&self, name: &str, text: &str) -> Result<()> {
        if text.starts_with(JSON_PREFIX) { self.set_json(name, text) } else { self.set(name, text) }
    }

    /// The text that [`set_text`](AttributesExt::set_text) has stored, or any other.
    ///
    /// # Errors
    /// As [`get`](AttributesExt::get).
    fn get_text(&self, name: &str) -> Result<String> {
        let stored: String = self.get(name)?;
        Ok(match stored.strip_prefix(JSON_PREFIX).map(str::parse::<Json>) {
            Some(Ok(Json::String(text))) => text,
            _ => stored,
        })
    }

    /// Deletes an attribute.
    ///
    /// # Errors
    /// `NotFound` if there is none, `ReadOnly`.
    fn delete(&self, name: &str) -> Result<()> {
        let delete = || match check_name(name).and_then(|()| self.attr_delete(name))? {
            true => Ok(()),
            false => Err(error!(NotFound, "there is no attribute '{name}'")),
        };
        delete().with_context(|| (self.attr_owner(), format!("delete the attribute '{name}'")))
    }

    /// True if there is an attribute of that name.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn contains(&self, name: &str) -> Result<bool> {
        check_name(name).and_then(|()| self.attr_exists(name)).with_context(|| (self.attr_owner(), "look up an attribute"))
    }

    /// The names: in the order in which they were made if the object tracks it, else sorted by code point.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn keys(&self) -> Result<Vec<String>> {
        self.attr_names().with_context(|| (self.attr_owner(), "list the attributes"))
    }

    /// How many there are.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn len(&self) -> Result<usize> {
        self.attr_count().with_context(|| (self.attr_owner(), "count the attributes"))
    }

    /// True if there are none.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Names and values, in the order of [`keys`](AttributesExt::keys).
    ///
    /// # Errors
    /// `Corrupt` or `Io` if one cannot be read.
    fn items(&self) -> Result<Vec<(String, AnyArray)>> {
        let mut out = Vec::new();
        for name in self.keys()? {
            if let Some(value) = self.get_array(&name)? {
                out.push((name, value));
            }
        }
        Ok(out)
    }
}

// Not for every `Attributes`: on a group, `keys` and `len` are those of its children.
impl AttributesExt for dyn Attributes + '_ {}
