//! Saving into a group.

use super::exclusive::{Key, hold};
use super::{Indices, SaveOptions, Saver, tree};
use crate::array::AnyArray;
use crate::error::{Context, Result};
use crate::path;
use crate::tree::{DatasetExt, Group, GroupExt, GroupRef};

/// Saves into a dataset of any group that is open: of a tree in memory, so that a test needs no disk, or of an open file.
///
/// An open file is flushed after each save; whether it survives `kill -9` in the middle of one is up to its backend. For files of their own there
/// are [`Hdf5Saver`](super::Hdf5Saver) and its like, which promise it.
///
/// ```
/// use memh5::saver::{MemSaver, SaverExt};
/// use memh5::{MemGroup, prelude::*};
/// let group = MemGroup::new();
/// let saver = MemSaver::new(&group, "results");
/// saver.append(vec![1.0, 2.0])?;
/// saver.append(vec![3.0])?;
/// assert_eq!(group.dataset("results")?.read_slice::<Vec<f64>>(..)?, [1.0, 2.0, 3.0]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MemSaver {
    group: GroupRef,
    name: String,
    options: SaveOptions,
}

impl MemSaver {
    /// A saver to the dataset at a path of the group. Groups on the way are made when they are needed.
    pub fn new(group: &(impl Group + ?Sized), name: impl Into<String>) -> Self {
        Self { group: group.to_ref(), name: name.into(), options: SaveOptions::new() }
    }

    /// With options for every save that does not say otherwise.
    #[must_use]
    pub fn with_options(mut self, options: SaveOptions) -> Self {
        self.options = options;
        self
    }

    /// The group.
    pub fn group(&self) -> &GroupRef {
        &self.group
    }
}

impl Saver for MemSaver {
    fn save_array(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let options = options.or(&self.options);
        let save = || {
            let _alone = hold(Key::Tree(self.group.root()?.id()?), options.the_timeout())?;
            tree::save(&*self.group, &self.name, None, data, indices, &options)?;
            self.group.flush()
        };
        save().with_context(|| (self.target(), "save"))
    }

    fn load(&self) -> Result<AnyArray> {
        self.group.dataset(&self.name)?.read_array()
    }

    fn target(&self) -> String {
        path::join(&self.group.name(), &self.name)
    }
}
