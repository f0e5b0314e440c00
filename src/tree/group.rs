//! Groups, and what all objects of a tree have in common.

use super::attributes::Attributes;
use super::builder::DatasetBuilder;
use super::collective::{Collective, CollectiveCall, together};
use super::dataset::DatasetRef;
use super::link::{Link, NewLink};
use super::reference::ObjectRef;
use super::resolve;
use super::spec::{DatasetSpec, Feature, GroupSpec, Location};
use crate::array::AnyArray;
use crate::dtype::{DType, can_cast};
use crate::error::{Context, Error, ErrorKind, Result, bail, error};
use crate::path;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A group of any backend. A handle: cheap to clone, and never stale.
pub type GroupRef = Arc<dyn Group>;

/// A committed type of any backend.
pub type DatatypeRef = Arc<dyn Datatype>;

/// The identity of an object: equal for two handles exactly if they are of one object, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// The tree: a number that no other open tree has.
    pub tree: u64,
    /// The object within it.
    pub object: u64,
}

/// A number for a tree that is being opened, which no other open tree of the process has, for [`ObjectId::tree`].
pub(crate) fn fresh_tree_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What groups, datasets and committed types have in common. Implemented by backends.
pub trait Object: Attributes {
    /// The absolute path by which it was reached; of a deleted object an empty string.
    fn name(&self) -> String;

    /// The identity: equal exactly for handles of one object.
    ///
    /// # Errors
    /// `Closed` if its file was closed.
    fn id(&self) -> Result<ObjectId>;

    /// The attributes. (`self`.)
    fn attrs(&self) -> &dyn Attributes;

    /// The root group of the tree: h5py's `file`.
    ///
    /// # Errors
    /// `Closed` if its file was closed.
    fn root(&self) -> Result<GroupRef>;

    /// Where it lives.
    fn location(&self) -> Location;

    /// A reference to it, to be stored in the same tree.
    ///
    /// # Errors
    /// `Closed`, or `Unsupported` if the backend has no references.
    fn reference(&self) -> Result<ObjectRef>;

    /// For callers that know the backend.
    fn as_any(&self) -> &dyn Any;

    /// The ranks that share the tree, if it is shared: then every call that changes the structure of the tree is made on all of them.
    fn collective(&self) -> Option<&dyn Collective> {
        None
    }
}

/// A committed (named) type. Implemented by backends.
pub trait Datatype: Object {
    /// The type.
    ///
    /// # Errors
    /// `Closed` if its file was closed.
    fn committed_dtype(&self) -> Result<DType>;
}

/// An object of a tree.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Node {
    /// A group.
    Group(GroupRef),
    /// A dataset.
    Dataset(DatasetRef),
    /// A committed type.
    Datatype(DatatypeRef),
}

impl Node {
    /// What all objects have.
    pub fn object(&self) -> &dyn Object {
        match self {
            Self::Group(g) => &**g,
            Self::Dataset(d) => &**d,
            Self::Datatype(t) => &**t,
        }
    }

    /// The absolute path by which it was reached.
    pub fn name(&self) -> String {
        self.object().name()
    }

    /// The attributes.
    pub fn attrs(&self) -> &dyn Attributes {
        self.object().attrs()
    }

    /// "group", "dataset" or "datatype".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::Dataset(_) => "dataset",
            Self::Datatype(_) => "datatype",
        }
    }

    /// The group, if it is one.
    ///
    /// # Errors
    /// `NotAGroup`.
    pub fn into_group(self) -> Result<GroupRef> {
        match self {
            Self::Group(g) => Ok(g),
            other => Err(error!(NotAGroup, "'{}' is a {}, not a group", other.name(), other.kind())),
        }
    }

    /// The dataset, if it is one.
    ///
    /// # Errors
    /// `NotADataset`.
    pub fn into_dataset(self) -> Result<DatasetRef> {
        match self {
            Self::Dataset(d) => Ok(d),
            other => Err(error!(NotADataset, "'{}' is a {}, not a dataset", other.name(), other.kind())),
        }
    }
}

/// A group. Implemented by backends; users call [`GroupExt`].
///
/// Names here are single parts, checked by the extension trait: not empty, no slash, no NUL.
pub trait Group: Object {
    /// This, for the extension traits. (`self`.)
    fn as_group(&self) -> &dyn Group;

    /// This as a handle of its own.
    fn to_ref(&self) -> GroupRef;

    /// What would make an equal empty group.
    fn group_spec(&self) -> Result<GroupSpec>;

    /// The names: in the order in which they were made if the group tracks it, else sorted by code point.
    fn child_names(&self) -> Result<Vec<String>>;

    /// What a name is, without opening anything; `None` if there is none.
    fn child_link(&self, name: &str) -> Result<Option<Link>>;

    /// Opens the object that a hard link leads to; `None` if there is no such name, or it is a soft or external link.
    fn open_child(&self, name: &str) -> Result<Option<Node>>;

    /// Makes a group. `AlreadyExists` if the name is taken.
    fn new_group(&self, name: &str, spec: &GroupSpec) -> Result<GroupRef>;

    /// Makes a dataset, with data or filled with its fill value. `AlreadyExists` if the name is taken.
    ///
    /// The spec is validated; the data, if given, have its shape and [the same values](DType::same_values) as its dtype. Nothing stays
    /// if it fails.
    fn new_dataset(&self, name: &str, spec: &DatasetSpec, data: Option<AnyArray>) -> Result<DatasetRef>;

    /// Commits a type under a name. `AlreadyExists` if the name is taken.
    fn new_datatype(&self, name: &str, dtype: &DType) -> Result<DatatypeRef>;

    /// Makes a link. `AlreadyExists` if the name is taken; `InvalidArgument` for a hard link to an object of another tree.
    fn new_link(&self, name: &str, link: NewLink<'_>) -> Result<()>;

    /// Removes a name; the object goes with its last name and its last handle. False if there is no such name.
    fn unlink(&self, name: &str) -> Result<bool>;

    /// Moves a name, with whatever it is, to another group of the same tree. `AlreadyExists` if the new name is taken, `NotFound` if
    /// the old one is not there. Handles and references stay valid. Where the order is tracked, the moved name is the newest.
    fn move_child(&self, name: &str, to: &dyn Group, new_name: &str) -> Result<()>;

    /// Hands what was written to the operating system.
    fn flush_tree(&self) -> Result<()> {
        Ok(())
    }

    /// Writes everything and closes the file; all handles of the tree refuse work after. In memory nothing happens.
    ///
    /// # Errors
    /// What the library or the file system says; the file is not complete then.
    fn close_tree(&self) -> Result<()> {
        Ok(())
    }

    /// How many names.
    fn child_count(&self) -> Result<usize> {
        Ok(self.child_names()?.len())
    }

    /// Why the backend cannot hold something; `None` if it can. What it lacks it refuses with the kind `Unsupported`; a deep copy leaves it out, and
    /// says so in its report.
    fn lacks(&self, _feature: &Feature<'_>) -> Option<String> {
        None
    }

    /// Refuses to make or open an object, for typed containers with a policy on names. The path is put together only when asked for.
    ///
    /// # Errors
    /// `NotAllowed`.
    fn check_allowed(&self, _path: &dyn Fn() -> String, _dataset: bool) -> Result<()> {
        Ok(())
    }
}

/// What h5py's users know, on a group of any backend.
///
/// Names are paths: relative to the group, or absolute. Soft and external links are followed.
///
/// ```
/// use memh5::{MemGroup, prelude::*};
/// fn total(group: &dyn Group) -> memh5::Result<f64> {
///     Ok(group.dataset("night/vis")?.read::<f64>()?.sum())
/// }
/// let root = MemGroup::new();
/// root.create_dataset("night/vis").write(vec![1.0, 2.0])?;
/// assert_eq!(total(&root)?, 3.0);
/// assert_eq!(root.group("night")?.keys()?, ["vis"]);
/// assert_eq!(root.group("night")?.dataset("/night/vis")?.name(), "/night/vis");
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Collective
/// In a tree that ranks share ([`MemGroup::distributed`](crate::MemGroup::distributed)) all ranks make each call that changes the structure, with the same
/// arguments: those that create, require, link, rename, delete. Look-ups and listings are local.
pub trait GroupExt: Group {
    /// Opens what a path leads to.
    ///
    /// # Errors
    /// `NotFound` (also for a link that leads nowhere), `InvalidName`, `Corrupt`.
    fn get(&self, name: &str) -> Result<Node> {
        resolve::open(self.as_group(), name).with_context(|| (path::join(&self.name(), name), "open the object"))
    }

    /// Opens the group at a path.
    ///
    /// # Errors
    /// `NotFound`, or `NotAGroup`.
    fn group(&self, name: &str) -> Result<GroupRef> {
        self.get(name)?.into_group().with_context(|| (path::join(&self.name(), name), "open the group"))
    }

    /// Opens the dataset at a path.
    ///
    /// # Errors
    /// `NotFound`, or `NotADataset`.
    fn dataset(&self, name: &str) -> Result<DatasetRef> {
        self.get(name)?.into_dataset().with_context(|| (path::join(&self.name(), name), "open the dataset"))
    }

    /// True if a path leads to an object. A link that leads nowhere does not.
    ///
    /// # Errors
    /// `InvalidName`, `Corrupt`, `Io`; not `NotFound`.
    fn contains(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            Ok(_) => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// What the last name of a path is, without following it.
    ///
    /// # Errors
    /// `NotFound`.
    fn link(&self, name: &str) -> Result<Link> {
        let find = || {
            let (parent, last) = resolve::parent(self.as_group(), name)?;
            parent.child_link(last)?.ok_or_else(|| error!(NotFound, "there is no '{last}'"))
        };
        find().with_context(|| (path::join(&self.name(), name), "look up the link"))
    }

    /// The names of the direct children: in the order in which they were made if the group tracks it, else sorted by code point.
    ///
    /// # Errors
    /// `Closed`, `Corrupt`.
    fn keys(&self) -> Result<Vec<String>> {
        self.child_names().with_context(|| (self.name(), "list the group"))
    }

    /// The number of direct children.
    ///
    /// # Errors
    /// `Closed`, `Corrupt`.
    fn len(&self) -> Result<usize> {
        self.child_count().with_context(|| (self.name(), "list the group"))
    }

    /// True if there are no children.
    ///
    /// # Errors
    /// `Closed`, `Corrupt`.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The direct children, in the order of [`keys`](GroupExt::keys). A link that leads nowhere is left out.
    ///
    /// # Errors
    /// `Corrupt` if one cannot be opened.
    fn items(&self) -> Result<Vec<(String, Node)>> {
        let mut out = Vec::new();
        for name in self.keys()? {
            match resolve::open_single(self.as_group(), &name) {
                Ok(node) => out.push((name, node)),
                Err(e) if e.is_not_found() => {}
                Err(e) => return Err(e.at(path::join(&self.name(), &name)).during("open the object")),
            }
        }
        Ok(out)
    }

    /// The group that holds this one; that of the root is the root.
    ///
    /// # Errors
    /// `NotFound` if the group was deleted.
    fn parent(&self) -> Result<GroupRef> {
        parent_of(self.as_group())
    }

    /// The root of the tree: h5py's `file`.
    ///
    /// # Errors
    /// `Closed`.
    fn file(&self) -> Result<GroupRef> {
        self.root()
    }

    /// Makes a group, and the missing ones on the way.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotAGroup` if a dataset is on the way, `InvalidName`, `ReadOnly`.
    fn create_group(&self, name: &str) -> Result<GroupRef> {
        self.create_group_with(name, &GroupSpec::default())
    }

    /// Makes a group to a spec, and the missing ones on the way.
    ///
    /// # Errors
    /// As [`create_group`](GroupExt::create_group).
    fn create_group_with(&self, name: &str, spec: &GroupSpec) -> Result<GroupRef> {
        let place = || (path::join(&self.name(), name), "create the group");
        let create = || {
            let (parent, last) = resolve::new_parent(self.as_group(), name, false)?;
            parent.new_group(&last, spec)
        };
        together(self, call_of(place), || create().with_context(place))
    }

    /// Opens the group at a path, or makes it.
    ///
    /// # Errors
    /// `NotAGroup` if something else is there.
    fn require_group(&self, name: &str) -> Result<GroupRef> {
        match self.group(name) {
            Err(e) if e.is_not_found() => self.create_group(name).or_else(|e| match e.kind() {
                ErrorKind::AlreadyExists => self.group(name).or(Err(e)), // somebody else has made it meanwhile
                _ => Err(e),
            }),
            other => other,
        }
    }

    /// Begins to make a dataset: a builder, finished by `create()` or `write(data)`.
    fn create_dataset(&self, name: &str) -> DatasetBuilder<'_> {
        DatasetBuilder::new(self.as_group(), name)
    }

    /// Opens a dataset and checks it, or makes it filled with zeros, as h5py does: the shape must be equal, and every value of `dtype`
    /// must be one of the dataset's type.
    ///
    /// # Errors
    /// `NotADataset`, `Shape` or `Dtype` if what is there does not fit.
    fn require_dataset(&self, name: &str, shape: impl Into<Vec<usize>>, dtype: &DType) -> Result<DatasetRef>
    where
        Self: Sized,
    {
        require_dataset(self.as_group(), name, shape.into(), dtype, false)
    }

    /// As [`require_dataset`](GroupExt::require_dataset), but the type has to be the same.
    ///
    /// # Errors
    /// `NotADataset`, `Shape` or `Dtype` if what is there does not fit.
    fn require_dataset_exact(&self, name: &str, shape: &[usize], dtype: &DType) -> Result<DatasetRef> {
        require_dataset(self.as_group(), name, shape.to_vec(), dtype, true)
    }

    /// Commits a type under a name.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidName`, `ReadOnly`.
    fn commit_datatype(&self, name: &str, dtype: &DType) -> Result<DatatypeRef> {
        let place = || (path::join(&self.name(), name), "commit the datatype");
        let create = || {
            dtype.validate()?;
            let (parent, last) = resolve::new_parent(self.as_group(), name, false)?;
            parent.new_datatype(&last, dtype)
        };
        together(self, call_of(place), || create().with_context(place))
    }

    /// Gives an object of this tree one more name.
    ///
    /// # Errors
    /// `NotFound` if the target is not there, `AlreadyExists`.
    fn link_hard(&self, target: &str, name: &str) -> Result<()> {
        let place = || (path::join(&self.name(), name), "create the link");
        together(
            self,
            || call_of(place)().with(target),
            || {
                let node = self.get(target)?;
                self.new_link_at(name, NewLink::Hard(&node))
            },
        )
    }

    /// Makes a soft link: a path that is looked up at each use. Nothing needs to be there.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidName`.
    fn link_soft(&self, target: &str, name: &str) -> Result<()> {
        self.new_link_at(name, NewLink::Soft(target))
    }

    /// Makes an external link: a path in another file, looked up at each use.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidName`.
    fn link_external(&self, file: &str, target: &str, name: &str) -> Result<()> {
        self.new_link_at(name, NewLink::External { file, target })
    }

    /// Makes a link of any kind; groups on the way are made.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidName`, `InvalidArgument` for a hard link into another tree.
    fn new_link_at(&self, name: &str, link: NewLink<'_>) -> Result<()> {
        let place = || (path::join(&self.name(), name), "create the link");
        let create = || {
            match &link {
                NewLink::Soft(target) if target.is_empty() || target.contains('\0') => {
                    bail!(InvalidName, "a soft link cannot lead to {target:?}")
                }
                NewLink::External { file, target }
                    if file.is_empty() || target.is_empty() || file.contains('\0') || target.contains('\0') =>
                {
                    bail!(InvalidName, "an external link cannot lead to {target:?} in the file {file:?}")
                }
                _ => {}
            }
            let (parent, last) = resolve::new_parent(self.as_group(), name, false)?;
            // As in every HDF5 file, the target of a link has no empty parts.
            match &link {
                NewLink::Soft(target) => parent.new_link(&last, NewLink::Soft(&path::tidy(target))),
                NewLink::External { file, target } => parent.new_link(&last, NewLink::External { file, target: &path::tidy(target) }),
                NewLink::Hard(_) => parent.new_link(&last, link.clone()),
            }
        };
        together(self, call_of(place), || create().with_context(place))
    }

    /// Removes a name. The object goes with its last name and its last handle.
    ///
    /// # Errors
    /// `NotFound`, `InvalidName` for the root, `ReadOnly`.
    fn delete(&self, name: &str) -> Result<()> {
        let place = || (path::join(&self.name(), name), "delete the object");
        let delete = || {
            let (parent, last) = resolve::parent(self.as_group(), name)?;
            match parent.unlink(last)? {
                true => Ok(()),
                false => Err(error!(NotFound, "there is no '{last}'")),
            }
        };
        together(self, call_of(place), || delete().with_context(place))
    }

    /// Renames or moves an object within its tree; groups on the way to the new name are made. Handles and references stay valid. To its
    /// own name nothing happens. Where the group tracks the order, the new name is the last one.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `InvalidArgument` if a group would move into itself.
    fn rename(&self, name: &str, new_name: &str) -> Result<()> {
        let place = || (path::join(&self.name(), name), format!("rename the object to '{new_name}'"));
        let rename = || {
            let (from, last) = resolve::parent(self.as_group(), name)?;
            if from.child_link(last)?.is_none() {
                bail!(NotFound, "there is no '{last}'");
            }
            if let Ok((to, new_last)) = resolve::parent(self.as_group(), new_name)
                && new_last == last
                && to.id()? == from.id()?
            {
                return Ok(()); // its own name, as h5py has it
            }
            path::check_lookup(new_name)?;
            if let Some((_, new_last)) = path::split_last(new_name) {
                path::check_new_name(new_last)?;
            }
            if let Some(Node::Group(moved)) = from.open_child(last)? {
                let (moved, mut above) = (moved.id()?, resolve::deepest(self.as_group(), new_name)?);
                loop {
                    if above.id()? == moved {
                        bail!(InvalidArgument, "the group would move into itself");
                    }
                    if above.name() == "/" || above.name().is_empty() {
                        break;
                    }
                    above = parent_of(&*above)?;
                }
            }
            let (to, new_last) = resolve::new_parent(self.as_group(), new_name, false)?;
            from.move_child(last, &*to, &new_last)
        };
        together(self, call_of(place), || rename().with_context(place))
    }

    /// Calls the function for every object below, with its path relative to this group, once per object: groups before what is in them,
    /// names in code-point order. Soft and external links are not followed. A value that the function returns ends the walk.
    ///
    /// # Errors
    /// What the function returns, `Corrupt`.
    fn visit<R>(&self, mut f: impl FnMut(&str, &Node) -> Result<Option<R>>) -> Result<Option<R>>
    where
        Self: Sized,
    {
        resolve::visit(self.as_group(), &mut |p, n| f(p, n))
    }

    /// Hands what was written to the operating system.
    ///
    /// # Errors
    /// `Io`; the handle refuses further writes then.
    fn flush(&self) -> Result<()> {
        self.flush_tree().with_context(|| (self.name(), "flush the file"))
    }
}

impl<G: Group + ?Sized> GroupExt for G {}

impl dyn Group + '_ {
    /// [`GroupExt::require_dataset`] for `dyn Group`.
    ///
    /// # Errors
    /// `NotADataset`, `Shape` or `Dtype` if what is there does not fit.
    pub fn require_dataset(&self, name: &str, shape: impl Into<Vec<usize>>, dtype: &DType) -> Result<DatasetRef> {
        require_dataset(self, name, shape.into(), dtype, false)
    }

    /// [`GroupExt::visit`] for `dyn Group`.
    ///
    /// # Errors
    /// What the function returns, `Corrupt`.
    pub fn visit<R>(&self, mut f: impl FnMut(&str, &Node) -> Result<Option<R>>) -> Result<Option<R>> {
        resolve::visit(self, &mut |p, n| f(p, n))
    }
}

/// The collective call that is made where an error would be said to have happened.
fn call_of<O: Into<String>>(place: impl Fn() -> (String, O)) -> impl Fn() -> CollectiveCall {
    move || {
        let (path, operation) = place();
        CollectiveCall::new(operation, path)
    }
}

fn parent_of(group: &dyn Group) -> Result<GroupRef> {
    let name = group.name();
    match path::split_last(&name) {
        Some((parent, _)) => resolve::open(&*group.root()?, parent)?.into_group(),
        None if name.is_empty() => bail!(NotFound, "the object was deleted and has no parent"),
        None => group.root(),
    }
}

fn require_dataset(group: &dyn Group, name: &str, shape: Vec<usize>, dtype: &DType, exact: bool) -> Result<DatasetRef> {
    let found = match group.dataset(name) {
        Err(e) if e.is_not_found() => return group.create_dataset(name).shape(shape).dtype(dtype.clone()).create(),
        other => other?,
    };
    let fail = |kind, text: String| Err(Error::new(kind, text).at(found.name()).during("require the dataset"));
    let there = found.extent()?;
    if there.as_deref() != Some(&shape[..]) {
        return fail(ErrorKind::Shape, format!("the dataset has the shape {there:?}, and {shape:?} is required"));
    }
    let stored = found.dtype()?;
    if exact && !stored.same_values(dtype) {
        return fail(ErrorKind::Dtype, format!("the dataset has the type {stored}, and exactly {dtype} is required"));
    }
    if !can_cast(dtype, &stored) {
        return fail(ErrorKind::Dtype, format!("the dataset has the type {stored}, which cannot hold every value of {dtype}"));
    }
    Ok(found)
}
