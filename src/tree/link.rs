//! Links: how a name of a group leads to an object.

use super::group::Node;

/// What a name of a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// The object itself.
    Hard,
    /// A path in the same tree, looked up at each use, relative to the group that holds the link.
    Soft {
        /// The path.
        target: String,
    },
    /// A path in another file, looked up at each use.
    External {
        /// The file; a relative name is looked for beside the file that holds the link.
        file: String,
        /// The path there.
        target: String,
    },
}

/// What a new name of a group is to be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NewLink<'a> {
    /// One more name of an object of the same tree.
    Hard(&'a Node),
    /// A path in the same tree; nothing needs to be there.
    Soft(&'a str),
    /// A path in another file; nothing needs to be there.
    External {
        /// The file.
        file: &'a str,
        /// The path there.
        target: &'a str,
    },
}
