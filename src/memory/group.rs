//! Groups in memory.

use super::common::{self, MemDatasetCommon};
use super::dataset::MemDataset;
use super::datatype::MemDatatype;
use super::node::{Kind, Node, Tag};
use super::tree::{Handle, Tree};
use crate::array::AnyArray;
use crate::distributed::{Call, Number, ReduceOp};
use crate::dtype::DType;
use crate::error::{Context, Error, Result, error};
use crate::path;
use crate::tree::{self, DatasetRef, DatasetSpec, DatatypeRef, Group, GroupExt, GroupRef, GroupSpec, NewLink, Object};
use std::fmt;
use std::sync::Arc;

/// A group in memory. A handle: cheap to clone, never stale, `Send + Sync`.
///
/// It keeps the whole tree alive and follows its object through renames. `==` asks if two handles are of one object;
/// [`tree_equal`](crate::tree::tree_equal) compares what is in them.
///
/// ```
/// use memh5::{MemGroup, prelude::*};
/// let root = MemGroup::new();
/// let night = root.create_group("2026/night1")?;
/// night.create_dataset("vis").write(vec![1.0, 2.0])?;
/// assert_eq!(root.dataset("2026/night1/vis")?.read::<f64>()?.sum(), 3.0);
///
/// root.rename("2026", "archive/2026")?;
/// assert_eq!(night.name(), "/archive/2026/night1");
/// root.delete("archive")?;
/// assert_eq!(night.name(), "");
/// assert_eq!(night.keys()?, ["vis"]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct MemGroup(pub(super) Handle);

impl MemGroup {
    /// The root of a new tree, which lists names by code point.
    pub fn new() -> Self {
        Self(Handle::of_root(Tree::new(Node::group(false))))
    }

    /// The root of a new tree that keeps the order in which its direct children and its attributes are made.
    pub fn tracked() -> Self {
        Self(Handle::of_root(Tree::new(Node::group(true))))
    }

    /// Walks down hard links; `None` where there is something else on the way.
    fn walk(&self, name: &str) -> Option<Handle> {
        // A name that is found is no path.
        match self.0.find(name) {
            Some(link) => Some(self.0.child(link)),
            None => self.walk_path(name),
        }
    }

    fn walk_path(&self, name: &str) -> Option<Handle> {
        let root;
        let (start, mut here) = if path::is_absolute(name) {
            root = self.0.root();
            (&root, Some(root.clone()))
        } else {
            (&self.0, None)
        };
        for part in path::parts(name) {
            let from = here.as_ref().unwrap_or(start);
            let link = from.find(part)?;
            here = Some(from.child(link));
        }
        here
    }

    fn elsewhere(name: &str) -> Error {
        error!(Unsupported, "'{name}' leads into a file, and is nothing in memory").remedy("open it through the trait: GroupExt::get")
    }

    /// Opens the dataset at a path, as [`GroupExt::dataset`] does.
    ///
    /// # Errors
    /// `NotFound`, `NotADataset`, or `Unsupported` if an external link leads into a file.
    pub fn dataset(&self, name: &str) -> Result<MemDataset> {
        // The short way for one name: this is what programs do most.
        if let Some(link) = self.0.find(name)
            && link.tag == Tag::Dataset
        {
            return Ok(MemDataset::of(self.0.child(link)));
        }
        if let Some(found) = self.walk_path(name)
            && found.link.tag == Tag::Dataset
        {
            return Ok(MemDataset::of(found));
        }
        let found = GroupExt::dataset(self, name)?;
        MemDataset::from_dyn(&*found)
            .ok_or_else(|| Self::elsewhere(name))
            .with_context(|| (path::join(&self.name(), name), "open the dataset"))
    }

    /// Opens the group at a path, as [`GroupExt::group`] does.
    ///
    /// # Errors
    /// `NotFound`, `NotAGroup`, or `Unsupported` if an external link leads into a file.
    pub fn group(&self, name: &str) -> Result<MemGroup> {
        if let Some(found) = self.walk(name)
            && found.link.tag == Tag::Group
        {
            return Ok(MemGroup(found));
        }
        self.of_memory(GroupExt::group(self, name)?, name)
    }

    fn of_memory(&self, group: GroupRef, name: &str) -> Result<MemGroup> {
        let found = group.as_any().downcast_ref::<MemGroup>().cloned();
        found.ok_or_else(|| Self::elsewhere(name)).with_context(|| (path::join(&self.name(), name), "open the group"))
    }

    /// True if a path leads to an object, as [`GroupExt::contains`] has it.
    ///
    /// # Errors
    /// `InvalidName`, or what an external link meets.
    pub fn contains(&self, name: &str) -> Result<bool> {
        match self.walk(name) {
            Some(_) => Ok(true),
            None => GroupExt::contains(self, name),
        }
    }

    /// Makes a group, and the missing ones on the way.
    ///
    /// # Errors
    /// As [`GroupExt::create_group`].
    pub fn create_group(&self, name: &str) -> Result<MemGroup> {
        self.of_memory(GroupExt::create_group(self, name)?, name)
    }

    /// Opens the group at a path, or makes it.
    ///
    /// # Errors
    /// As [`GroupExt::require_group`].
    pub fn require_group(&self, name: &str) -> Result<MemGroup> {
        match self.walk(name) {
            Some(found) if found.link.tag == Tag::Group => Ok(MemGroup(found)),
            _ => self.of_memory(GroupExt::require_group(self, name)?, name),
        }
    }

    /// The group that holds this one; that of the root is the root.
    ///
    /// # Errors
    /// `NotFound` if the group was deleted.
    pub fn parent(&self) -> Result<MemGroup> {
        self.0.parent().map(MemGroup)
    }

    /// The root of the tree: h5py's `file`.
    pub fn file(&self) -> MemGroup {
        MemGroup(self.0.root())
    }

    /// True if everything below this group and the other one, of any backend, is equal: [`tree_equal`](crate::tree::tree_equal).
    ///
    /// Of two trees that the same ranks share, the ranks compare each its own, and all get the same answer. Distributed datasets are then
    /// equal if they are spread along the same axis and all parts are.
    ///
    /// # Collective
    /// All ranks call it, if they share one of the trees.
    ///
    /// # Errors
    /// `Corrupt` or `Io` if the other tree cannot be read; `Collective` if the ranks disagree.
    pub fn content_eq(&self, other: &dyn Group) -> Result<bool> {
        match (other.as_any().downcast_ref::<MemGroup>(), &self.0.tree.ranks) {
            (Some(other), Some(ranks)) if other.comm().is_some_and(|comm| comm.id() == ranks.comm().id()) => {
                let call = Call::new("compare the groups").path(self.name());
                let (here, there) = (super::copy::of_this_rank(self), super::copy::of_this_rank(other));
                let mine = || Ok(tree::diff_here(&here, &there, &tree::DiffOptions::default().max(0), &mut |_| Ok(()))?.is_equal());
                let agreement = &ranks.agreement;
                agreement.collective(call, |step| {
                    let mut same = [u8::from(step.agree(mine())?)];
                    step.comm().all_reduce(&mut same, Number::U8, ReduceOp::Min)?;
                    Ok(same == [1])
                })
            }
            _ => tree::tree_equal(self, other),
        }
    }

    /// True if this is the root of its tree.
    pub fn is_root(&self) -> bool {
        Arc::ptr_eq(self.0.node(), &self.0.tree.root.node)
    }
}

impl Default for MemGroup {
    fn default() -> Self {
        Self::new()
    }
}

super::impl_object!(MemGroup);

impl Group for MemGroup {
    fn as_group(&self) -> &dyn Group {
        self
    }

    fn to_ref(&self) -> GroupRef {
        Arc::new(self.clone())
    }

    fn group_spec(&self) -> Result<GroupSpec> {
        Ok(if self.0.node().track_order { GroupSpec::tracked() } else { GroupSpec::default() })
    }

    fn child_names(&self) -> Result<Vec<String>> {
        let names = self.0.children()?.read().names();
        Ok(names.iter().map(|n| n.to_string()).collect())
    }

    fn child_link(&self, name: &str) -> Result<Option<tree::Link>> {
        self.0.link_of(name)
    }

    fn open_child(&self, name: &str) -> Result<Option<tree::Node>> {
        Ok(self.0.find(name).map(|link| self.0.child(link).into_node()))
    }

    fn new_group(&self, name: &str, spec: &GroupSpec) -> Result<GroupRef> {
        let make = || Ok(Arc::new(MemGroup(self.0.add(name, Node::group(spec.track_order))?)) as GroupRef);
        self.0.together(|| self.0.call_on("create the group", name), make)
    }

    fn new_dataset(&self, name: &str, spec: &DatasetSpec, data: Option<AnyArray>) -> Result<DatasetRef> {
        self.0.together(
            || self.0.call_on("create the dataset", name),
            || {
                let node = common::make(&self.0, spec, data)?;
                Ok(Arc::new(MemDatasetCommon(self.0.add(name, node)?)) as DatasetRef)
            },
        )
    }

    fn new_datatype(&self, name: &str, dtype: &DType) -> Result<DatatypeRef> {
        let node = Node::new(Kind::Datatype(dtype.clone()), false);
        let make = || Ok(Arc::new(MemDatatype(self.0.add(name, node)?)) as DatatypeRef);
        self.0.together(|| self.0.call_on("commit the datatype", name), make)
    }

    fn new_link(&self, name: &str, link: NewLink<'_>) -> Result<()> {
        self.0.together(|| self.0.call_on("create the link", name), || self.0.new_link(name, link))
    }

    fn unlink(&self, name: &str) -> Result<bool> {
        self.0.together(|| self.0.call_on("delete the object", name), || self.0.unlink(name))
    }

    fn move_child(&self, name: &str, to: &dyn Group, new_name: &str) -> Result<()> {
        match to.as_any().downcast_ref::<MemGroup>() {
            Some(to) => self.0.together(|| self.0.call_on("move the object", name), || self.0.move_child(name, &to.0, new_name)),
            None => Err(error!(InvalidArgument, "an object can only be moved within its own tree")),
        }
    }

    fn flush_tree(&self) -> Result<()> {
        self.0.collect();
        Ok(())
    }

    fn child_count(&self) -> Result<usize> {
        Ok(self.0.children()?.read().len())
    }
}

impl fmt::Debug for MemGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemGroup({:?})", self.0.name())
    }
}
