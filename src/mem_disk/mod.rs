//! One type over memory or disk, for programs that decide at run time, and for typed containers.
//!
//! [`MemDiskGroup`] is a [`Group`] itself: everything written against `&dyn Group` works on it. Beyond that it knows where it lives, moves
//! between memory and disk, carries a type tag, and asks a [`Policy`] which names may be used, in all of its groups. A [`Registry`] opens a
//! file as the type as which it was saved.

mod load;
mod policy;
mod registry;
mod wrap;

pub use load::LoadOptions;
pub use policy::{AllowAll, Policy};
pub use registry::{Registry, Typed};

use crate::copy::{CopyReport, DeepCopy};
use crate::error::{Context, Result, bail};
use crate::memory::MemGroup;
use crate::tree::{AttributesExt, Group, GroupExt, GroupRef, GroupSpec, Mode, Object};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The attribute of the root that holds the type tag, as caput names it.
pub const TYPE_TAG_ATTRIBUTE: &str = "__memh5_subclass";

/// A group in memory or on disk.
///
/// A handle: cheap to clone; clones are of one group and share its policy.
///
/// ```
/// use memh5::{MemDiskGroup, prelude::*};
/// let group = MemDiskGroup::new();
/// group.create_dataset("night/vis").write(vec![1.0, 2.0])?;
/// assert!(!group.ondisk());
/// # #[cfg(feature = "hdf5")] {
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("night.h5");
/// group.save(&path)?;
/// let stored = MemDiskGroup::from_file(&path, true)?;
/// assert!(stored.ondisk());
/// assert_eq!(stored.dataset("night/vis")?.read::<f64>()?.sum(), 3.0);
/// # }
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct MemDiskGroup {
    inner: GroupRef,
    shared: Arc<Shared>,
}

/// What the groups of one tree have in common.
#[derive(Clone, Default)]
struct Shared {
    policy: Option<Arc<dyn Policy>>,
    tag: Option<String>,
    /// True if the file was opened here, and so is closed here.
    owned: bool,
}

impl MemDiskGroup {
    /// A new group in memory.
    pub fn new() -> Self {
        Self::around(MemGroup::new().to_ref(), Shared::default())
    }

    /// A new file, in the format that its name claims, else HDF5.
    ///
    /// # Errors
    /// `AlreadyExists` if there is a file, and what the format says.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let root = crate::format::create(path, &GroupSpec::default())?;
        Ok(Self::around(root, Shared { owned: true, ..Shared::default() }))
    }

    /// Opens a file; the group stays on disk.
    ///
    /// # Errors
    /// As [`format::open`](crate::format::open).
    pub fn open(path: impl AsRef<Path>, mode: Mode) -> Result<Self> {
        LoadOptions::new().ondisk(true).mode(mode).open(path)
    }

    /// Opens a file for reading and leaves it on disk, or reads all of it into memory. [`LoadOptions`] has more choices.
    ///
    /// # Errors
    /// As [`LoadOptions::open`].
    pub fn from_file(path: impl AsRef<Path>, ondisk: bool) -> Result<Self> {
        LoadOptions::new().ondisk(ondisk).open(path)
    }

    /// The same group, of any backend, as a `MemDiskGroup`: nothing is copied, and the file stays its opener's to close.
    pub fn from_group(group: &dyn Group) -> Self {
        Self::around(group.to_ref(), Shared::default())
    }

    fn around(inner: GroupRef, shared: Shared) -> Self {
        Self { inner, shared: Arc::new(shared) }
    }

    /// The same group under a policy on names. It holds in all groups that are reached from this handle.
    #[must_use]
    pub fn with_policy(self, policy: impl Policy + 'static) -> Self {
        self.with_shared_policy(Arc::new(policy))
    }

    /// [`with_policy`](Self::with_policy) for a policy that is shared.
    #[must_use]
    pub fn with_shared_policy(self, policy: Arc<dyn Policy>) -> Self {
        let shared = Shared { policy: Some(policy), ..(*self.shared).clone() };
        Self::around(self.inner, shared)
    }

    /// The same group with a type tag, which is stored as the attribute `__memh5_subclass` of the root when it is saved, unless there is one.
    #[must_use]
    pub fn with_type_tag(self, tag: impl Into<String>) -> Self {
        let shared = Shared { tag: Some(tag.into()), ..(*self.shared).clone() };
        Self::around(self.inner, shared)
    }

    /// The type tag: as stored, else as given to [`with_type_tag`](Self::with_type_tag). Text that only its writer understands.
    ///
    /// # Errors
    /// `Closed`, `Corrupt`.
    pub fn type_tag(&self) -> Result<Option<String>> {
        Ok(stored_tag(&*self.inner)?.or_else(|| self.shared.tag.clone()))
    }

    /// The group itself, without the policy: for the container that keeps hidden groups in it.
    pub fn storage(&self) -> &GroupRef {
        &self.inner
    }

    /// The group itself if it is in memory, without the policy: for what only trees in memory have, as distributed datasets.
    ///
    /// ```
    /// use memh5::distributed::SelfComm;
    /// use memh5::{MemDiskGroup, MemGroup, prelude::*};
    /// let container = MemDiskGroup::from_group(&MemGroup::distributed(std::sync::Arc::new(SelfComm::new())));
    /// container.create_dataset("vis").write(vec![1.0, 2.0])?;
    /// let vis = container.memory().expect("in memory").dataset_common_to_distributed("vis", 0)?;
    /// assert_eq!(vis.local_shape()?, [2]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn memory(&self) -> Option<&MemGroup> {
        self.inner.as_any().downcast_ref()
    }

    /// True if it is in a file, false if it is in memory.
    pub fn ondisk(&self) -> bool {
        self.inner.location().backend != "memory"
    }

    /// The file, if it is in one.
    pub fn path(&self) -> Option<PathBuf> {
        self.inner.location().file
    }

    /// This group if it is in memory, else a copy of it there, with the same policy and tag.
    ///
    /// # Errors
    /// As [`DeepCopy::run`].
    pub fn to_memory(&self) -> Result<Self> {
        if self.ondisk() { self.copy() } else { Ok(self.clone()) }
    }

    /// A copy in memory, with the same policy and tag; datasets in memory are shared copy-on-write.
    ///
    /// # Errors
    /// As [`DeepCopy::run`].
    pub fn copy(&self) -> Result<Self> {
        self.copy_with(DeepCopy::new())
    }

    /// [`copy`](Self::copy) with choices: selections, converted strings, shared datasets.
    ///
    /// # Errors
    /// As [`DeepCopy::run`].
    pub fn copy_with(&self, options: DeepCopy<'_>) -> Result<Self> {
        let (copy, _) = options.run_into_memory(&*self.inner)?;
        let shared = Shared { owned: false, ..(*self.shared).clone() };
        Ok(Self::around(copy.to_ref(), shared))
    }

    /// Saves it to a file and opens that for reading and writing, with the same policy and tag.
    ///
    /// # Errors
    /// As [`save`](Self::save) and [`open`](Self::open).
    pub fn to_disk(&self, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if self.inner.collective().is_some() {
            bail!(Unsupported, "a tree that ranks share cannot move to disk, where one process has it: save it");
        }
        self.save(path)?;
        let shared = Shared { owned: true, ..(*self.shared).clone() };
        Ok(Self::around(crate::format::open(path, Mode::ReadWrite)?, shared))
    }

    /// Saves it to a file, hidden groups too. Others see the complete old file or the complete new one, whatever happens.
    ///
    /// # Collective
    /// If ranks share the tree within, all of them call it, with the same path.
    ///
    /// # Errors
    /// As [`save_with`](Self::save_with).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<CopyReport> {
        self.save_with(path, DeepCopy::new())
    }

    /// [`save`](Self::save) with choices: filters, chunks, converted strings, progress.
    ///
    /// # Collective
    /// As [`save`](Self::save).
    ///
    /// # Errors
    /// `Locked` if somebody else writes it; `InvalidArgument` if this group lives in that file; as [`DeepCopy::run`]; what the file system says.
    /// What was there before is there still.
    pub fn save_with(&self, path: impl AsRef<Path>, options: DeepCopy<'_>) -> Result<CopyReport> {
        let path = path.as_ref();
        if let Some(own) = self.path()
            && let (Ok(a), Ok(b)) = (own.canonicalize(), path.canonicalize())
            && a == b
        {
            bail!(InvalidArgument, "the group lives in the file \"{}\"; flush it instead of saving it there", path.display());
        }
        if let Some(tag) = &self.shared.tag
            && self.inner.location().writable
        {
            mark(&*self.inner, tag)?;
        }
        let options = match &self.shared.tag {
            Some(tag) => options.default_attribute(TYPE_TAG_ATTRIBUTE, tag),
            None => options,
        };
        options.save(&*self.inner, path)
    }

    /// Hands what was written to the operating system.
    ///
    /// # Errors
    /// `Io`; the handle refuses further writes then.
    pub fn flush(&self) -> Result<()> {
        GroupExt::flush(self)
    }

    /// Writes everything and closes the file if it was opened here; all handles of the tree refuse work after. In memory nothing happens.
    ///
    /// # Errors
    /// What the library or the file system says; the file is not complete then.
    pub fn close(&self) -> Result<()> {
        if self.shared.owned && self.is_open() {
            self.inner.close_tree().context(&self.name(), "close the file")?;
        }
        Ok(())
    }

    /// True until the file is closed; always true in memory.
    pub fn is_open(&self) -> bool {
        self.inner.id().is_ok()
    }
}

impl Default for MemDiskGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for MemDiskGroup {
    /// Equal if both are handles of one group.
    fn eq(&self, other: &Self) -> bool {
        matches!((self.id(), other.id()), (Ok(a), Ok(b)) if a == b)
    }
}

/// The type tag in a file or tree. One that is no text is no tag.
fn stored_tag(group: &dyn Group) -> Result<Option<String>> {
    let root = group.root()?;
    Ok(root.attrs().get_array(TYPE_TAG_ATTRIBUTE)?.and_then(|tag| crate::array::FromArray::from_array(tag).ok()))
}

/// Stores a type tag if there is none.
fn mark(group: &dyn Group, tag: &str) -> Result<()> {
    let root = group.root()?;
    if root.attrs().contains(TYPE_TAG_ATTRIBUTE)? {
        return Ok(());
    }
    root.attrs().set(TYPE_TAG_ATTRIBUTE, tag)
}
