//! How a file is opened as a [`MemDiskGroup`].

use super::policy::{Policy, axis_selections};
use super::{MemDiskGroup, Shared};
use crate::copy::{DeepCopy, StringConversion};
use crate::distributed::{Agreement, Call, CommRef, Hints};
use crate::error::{Result, error};
use crate::selection::{Item, Selection};
use crate::tree::{Group, Mode};
use std::path::Path;
use std::sync::Arc;

/// How a file is opened: left on disk or read into memory, and how much of it.
///
/// ```no_run
/// use memh5::mem_disk::LoadOptions;
/// let part = LoadOptions::new().axis("freq", 0..64).select("weights", (.., 0)).open("night.h5")?;
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is opened before open(..)"]
pub struct LoadOptions {
    ondisk: bool,
    mode: Option<Mode>,
    selections: Vec<(String, Selection)>,
    axes: Vec<(String, Item)>,
    dataset_strings: StringConversion,
    attribute_strings: StringConversion,
    policy: Option<Arc<dyn Policy>>,
    comm: Option<CommRef>,
    hints: Hints,
}

impl LoadOptions {
    /// Reads all of the file into memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves the group on disk.
    pub fn ondisk(mut self, ondisk: bool) -> Self {
        self.ondisk = ondisk;
        self
    }

    /// The mode, for a group that stays on disk: read only when not said.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Reads only the selected part of a dataset.
    pub fn select(mut self, path: impl Into<String>, selection: impl Into<Selection>) -> Self {
        self.selections.push((path.into(), selection.into()));
        self
    }

    /// Reads only a part of every dataset that has this axis, by a range, a list or a mask: caput's `AXIS_sel`. The policy says which datasets have
    /// it; by default the attribute `axis` does.
    pub fn axis(mut self, axis: impl Into<String>, items: impl Into<Item>) -> Self {
        self.axes.push((axis.into(), items.into()));
        self
    }

    /// Converts the strings of datasets on reading into memory.
    pub fn convert_dataset_strings(mut self, to: StringConversion) -> Self {
        self.dataset_strings = to;
        self
    }

    /// Converts the strings of attributes on reading into memory.
    pub fn convert_attribute_strings(mut self, to: StringConversion) -> Self {
        self.attribute_strings = to;
        self
    }

    /// Reads into a tree that the ranks of a communicator share: caput's `distributed=True, comm=comm`.
    pub fn distributed(mut self, comm: CommRef) -> Self {
        self.comm = Some(comm);
        self
    }

    /// Which datasets are distributed, where the marks of the file are not to decide.
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// The policy of the group.
    pub fn policy(mut self, policy: impl Policy + 'static) -> Self {
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Opens the file.
    ///
    /// # Collective
    /// With [`distributed`](Self::distributed) all ranks of the communicator call it, with the same path and the same choices.
    ///
    /// # Errors
    /// `InvalidArgument` for selections or conversions of a group that stays on disk, or a mode for one that does not; as
    /// [`format::open`](crate::format::open) and [`DeepCopy::run`].
    pub fn open(self, path: impl AsRef<Path>) -> Result<MemDiskGroup> {
        let path = path.as_ref();
        self.open_at(path).map_err(|e| e.in_file(path))
    }

    fn open_at(self, path: &Path) -> Result<MemDiskGroup> {
        let keep = StringConversion::Keep;
        let shared = Shared { policy: self.policy.clone(), tag: None, owned: true };
        if self.ondisk {
            if self.comm.is_some() {
                return Err(error!(InvalidArgument, "a group that stays on disk cannot be distributed").remedy("read it into memory"));
            }
            if !self.selections.is_empty() || !self.axes.is_empty() || self.dataset_strings != keep || self.attribute_strings != keep {
                return Err(error!(
                    InvalidArgument,
                    "a file that stays on disk is not read, so nothing of it can be selected or converted"
                )
                .remedy("read it into memory, or select when reading a dataset"));
            }
            return Ok(MemDiskGroup::around(crate::format::open(path, self.mode.unwrap_or(Mode::Read))?, shared));
        }
        if !matches!(self.mode, None | Some(Mode::Read)) {
            return Err(error!(InvalidArgument, "a file that is read into memory is opened for reading only")
                .remedy("leave it on disk to write to it"));
        }
        if let Some(comm) = self.comm.clone() {
            return Ok(MemDiskGroup::around(self.read_on_ranks(path, &comm)?, Shared { owned: false, ..shared }));
        }
        let file = crate::format::open(path, Mode::Read)?;
        let read = self.read(&*file);
        file.close_tree()?;
        Ok(MemDiskGroup::around(read?, Shared { owned: false, ..shared }))
    }

    /// All ranks together. Each looks for itself which datasets have the axes.
    fn read_on_ranks(self, path: &Path, comm: &CommRef) -> Result<crate::tree::GroupRef> {
        let choices = || -> Result<DeepCopy<'static>> {
            if self.axes.is_empty() {
                return self.choices(None);
            }
            let file = crate::format::open(path, Mode::Read)?;
            let choices = self.choices(Some(&*file));
            file.close_tree()?;
            choices
        };
        let choices = Agreement::new(comm.clone()).confirm(Call::new("open the file").note(path.display()), choices())?;
        Ok(choices.hints(self.hints).load_distributed(path, comm)?.0.to_ref())
    }

    fn read(self, file: &dyn Group) -> Result<crate::tree::GroupRef> {
        Ok(self.choices(Some(file))?.run_into_memory(file)?.0.to_ref())
    }

    /// What is read of a file.
    fn choices(&self, file: Option<&dyn Group>) -> Result<DeepCopy<'static>> {
        let mut copy = DeepCopy::new().convert_dataset_strings(self.dataset_strings).convert_attribute_strings(self.attribute_strings);
        if let (false, Some(file)) = (self.axes.is_empty(), file) {
            let made = match &self.policy {
                Some(policy) => policy.make_selections(file, &self.axes)?,
                None => axis_selections(file, &self.axes)?,
            };
            for (path, selection) in made {
                copy = copy.select(path, selection);
            }
        }
        for (path, selection) in &self.selections {
            copy = copy.select(path.clone(), selection);
        }
        Ok(copy)
    }
}
