//! Small questions that caput's users ask: is it a group, and give me a file whatever I hold.

use crate::error::Result;
use crate::tree::{Group, GroupRef, Mode, Node};
use std::path::{Path, PathBuf};

/// True if the object is a group, of any backend: caput's `is_group`.
pub fn is_group(node: &Node) -> bool {
    matches!(node, Node::Group(_))
}

/// A path to a file, or a group that is open already.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FileOrGroup {
    /// A path.
    Path(PathBuf),
    /// A group.
    Group(GroupRef),
}

macro_rules! from_paths {
    ($($t:ty),*) => {$(
        impl From<$t> for FileOrGroup { fn from(path: $t) -> Self { Self::Path(path.into()) } }
    )*};
}
from_paths!(&str, String, &String, &Path, PathBuf, &PathBuf);

impl From<GroupRef> for FileOrGroup {
    fn from(group: GroupRef) -> Self {
        Self::Group(group)
    }
}
impl From<&GroupRef> for FileOrGroup {
    fn from(group: &GroupRef) -> Self {
        Self::Group(group.clone())
    }
}
impl From<&dyn Group> for FileOrGroup {
    fn from(group: &dyn Group) -> Self {
        Self::Group(group.to_ref())
    }
}

/// The root group of a file, and whether it was opened here: caput's `get_file`.
///
/// A path is opened with the mode, its format known by content or name. A group is returned as it is, with `false`, and the mode is not looked at:
/// whoever opened it closes it.
///
/// # Errors
/// What [`format::open`](crate::format::open) returns.
pub fn get_file(file: impl Into<FileOrGroup>, mode: Mode) -> Result<(GroupRef, bool)> {
    match file.into() {
        FileOrGroup::Group(group) => Ok((group, false)),
        FileOrGroup::Path(path) => Ok((crate::format::open(path, mode)?, true)),
    }
}
