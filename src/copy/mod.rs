//! Copies between any two groups, and the small functions beside them.
//!
//! [`deep_group_copy`] copies everything below a group into another, whatever each of them lives in; [`DeepCopy`] is the same with
//! choices: selections, other chunks and filters, converted strings, progress. Both return a [`CopyReport`].
//!
//! A copy goes through the tree twice. First all objects, links and plain values are made; then what holds references is written, each
//! reference pointed to the copy of its target. If a copy fails or is cancelled, what it made is removed again, and what it replaced comes
//! back.

mod adapt;
mod attrs;
mod engine;
mod file;
mod json;
mod options;
pub(crate) mod pattern;
mod references;
mod report;
mod ro_dict;
mod save;
mod strings;
mod transfer;

pub(crate) use attrs::json_text;
pub use attrs::{AttrOptions, AttrValue, AttrsReport, JSON_PREFIX, attr_value, copy_attrs};
pub use file::{FileOrGroup, get_file, is_group};
pub use json::Json;
pub(crate) use options::NewCopy;
pub use options::{DeepCopy, OutsideReferences};
pub use report::{CopyNote, CopyReport};
pub use ro_dict::{RoDict, attrs_to_dict};
pub use strings::StringConversion;
pub(crate) use strings::apply as apply_strings;
pub(crate) use transfer::part_of_axis;

use crate::error::Result;
use crate::tree::Group;

/// Copies everything below a group, and its attributes, into another group, with nothing changed.
///
/// The groups may be of any backend, and any groups of their trees: names are relative to both. What is made and kept is said at
/// [`DeepCopy`], which has the choices.
///
/// ```
/// use memh5::{MemGroup, copy::deep_group_copy, prelude::*};
/// let from = MemGroup::new();
/// from.create_dataset("night/vis").write(vec![1.0, 2.0])?;
/// from.link_soft("/night/vis", "latest")?;
/// let to = MemGroup::new();
/// let archive = to.create_group("archive")?;
/// let report = deep_group_copy(&from, &archive)?;
/// assert_eq!((report.groups, report.datasets, report.links), (1, 1, 1));
/// assert_eq!(to.dataset("archive/latest")?.read::<f64>()?.sum(), 3.0);
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// As [`DeepCopy::run`].
pub fn deep_group_copy(from: &dyn Group, to: &dyn Group) -> Result<CopyReport> {
    DeepCopy::new().run(from, to)
}
