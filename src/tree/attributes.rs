//! Attributes: small named arrays on every object.

use crate::array::{AnyArray, FromArray, IntoArray};
use crate::error::{Context, Result, error};

/// The attributes of one object. Implemented by backends; users call [`AttributesExt`].
pub trait Attributes: Send + Sync + std::fmt::Debug {
    /// The names: in the order in which they were made if the object tracks it, else sorted by code point.
    fn attr_names(&self) -> Result<Vec<String>>;

    /// The value, with its stored dtype; `None` if there is no attribute of that name.
    fn attr_read(&self, name: &str) -> Result<Option<AnyArray>>;

    /// Makes the attribute, or replaces it by one of the given dtype and shape. Either the new or the old value is there after.
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
        write().context(&self.attr_owner(), &format!("set the attribute '{name}'"))
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
        read().context(&self.attr_owner(), &format!("read the attribute '{name}'"))
    }

    /// The value with its stored dtype; `None` if there is none.
    ///
    /// # Errors
    /// `Corrupt` or `Io` if it cannot be read.
    fn get_array(&self, name: &str) -> Result<Option<AnyArray>> {
        check_name(name).and_then(|()| self.attr_read(name)).context(&self.attr_owner(), &format!("read the attribute '{name}'"))
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
        delete().context(&self.attr_owner(), &format!("delete the attribute '{name}'"))
    }

    /// True if there is an attribute of that name.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn contains(&self, name: &str) -> Result<bool> {
        check_name(name).and_then(|()| self.attr_exists(name)).context(&self.attr_owner(), "look up an attribute")
    }

    /// The names: in the order in which they were made if the object tracks it, else sorted by code point.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn keys(&self) -> Result<Vec<String>> {
        self.attr_names().context(&self.attr_owner(), "list the attributes")
    }

    /// How many there are.
    ///
    /// # Errors
    /// `Io` or `Closed` if the file cannot be read.
    fn len(&self) -> Result<usize> {
        self.attr_count().context(&self.attr_owner(), "count the attributes")
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
