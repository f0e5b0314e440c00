//! Deep equality of trees.

use super::diff::{DiffOptions, diff};
use super::group::Group;
use crate::error::Result;

/// True if everything below both groups is equal: names, kinds, links, types, shapes, elements, attributes. References are equal if they lead
/// to the same place of their trees. Layout and filters are not looked at; [`diff`] can, and tells what differs.
///
/// # Collective
/// As [`diff`].
///
/// ```
/// use memh5::{MemGroup, prelude::*, tree::tree_equal};
/// let a = MemGroup::new();
/// a.create_dataset("x/y").write(vec![1.0, f64::NAN])?;
/// let b = a.copy()?;
/// assert!(tree_equal(&a, &b)?);
/// b.dataset("x/y")?.attrs().set("units", "mJy")?;
/// assert!(!tree_equal(&a, &b)?);
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// `Corrupt` or `Io` if something cannot be read.
pub fn tree_equal(a: &dyn Group, b: &dyn Group) -> Result<bool> {
    Ok(diff(a, b, &DiffOptions::default().max(0))?.is_equal())
}
