//! Trees that ranks share, and datasets that are spread over them.

use super::content::{impl_dataset, node_of};
use super::node::{Content, Link, Node};
use super::ranks::Ranks;
use super::spread;
use super::tree::{Handle, Tree};
use super::{MemDataset, MemGroup};
use crate::array::{AnyArray, Element, IntoArray};
use crate::distributed::{Agreement, Axis, CommRef, DistributedArray, GlobalSlice, Operand, Terms};
use crate::error::{Context, Result, bail, error};
use crate::selection::Selection;
use crate::tree::{DatasetSpec, Group, Object};
use ndarray::{ArrayViewD, ArrayViewMutD};
use std::fmt;
use std::ops::Range;

impl MemGroup {
    /// The root of a new tree that the ranks of a communicator share: caput's `MemGroup(distributed=True, comm=comm)`.
    ///
    /// All ranks make it, and from then on every call that changes the structure of the tree is collective: all ranks make it, in the same order,
    /// with the same arguments. That is creating, deleting, renaming, linking, sharing, copying into the tree, resizing, appending, and
    /// everything about distributed datasets but their local parts. The ranks compare each such call; if they differ, or one of them fails, all get the
    /// same error, and the tree of each is what it was before. Look-ups, reads, attributes, and writes of elements are local.
    ///
    /// ```
    /// use memh5::distributed::SelfComm;
    /// use memh5::{DType, MemGroup, prelude::*};
    /// use std::sync::Arc;
    /// let root = MemGroup::distributed(Arc::new(SelfComm::new()));
    /// let vis = root.create_distributed("vis").shape([4, 3]).axis(0).dtype(DType::F64).create()?;
    /// vis.with_local_view_mut::<f64, _>(|mut mine| mine.fill(1.0))?;
    /// assert_eq!((vis.global_shape()?, vis.local_offset()?), (vec![4, 3], vec![0, 0]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn distributed(comm: CommRef) -> Self {
        Self::shared_by(comm, false)
    }

    /// [`distributed`](Self::distributed), with a root that keeps the order in which its direct children and its attributes are made.
    pub fn distributed_tracked(comm: CommRef) -> Self {
        Self::shared_by(comm, true)
    }

    fn shared_by(comm: CommRef, tracked: bool) -> Self {
        let ranks = Box::new(Ranks::new(comm));
        Self(Handle::of_root(Tree::shared(Node::group(tracked), Some(ranks))))
    }

    /// The communicator of the ranks that share the tree: caput's `comm`. `None` if the tree is of this process alone.
    pub fn comm(&self) -> Option<CommRef> {
        self.0.tree.ranks.as_ref().map(|ranks| ranks.comm().clone())
    }

    /// True if ranks share the tree: caput's `distributed`. It can be one rank.
    pub fn is_distributed(&self) -> bool {
        self.0.tree.ranks.is_some()
    }

    /// The terms on which the ranks make collective calls: what is compared, and how long they wait for each other. `None` if the tree is of this
    /// process alone.
    pub fn terms(&self) -> Option<Terms> {
        self.agreement().map(Agreement::terms)
    }

    /// Changes the terms of collective calls, for the whole tree.
    ///
    /// With [`Checks::Off`](crate::distributed::Checks::Off) a call that changes the structure does not communicate at all: a mistake of one rank stays
    /// with it, and the trees of the ranks can differ from then on.
    ///
    /// # Collective
    /// All ranks that share the tree give the same terms.
    ///
    /// # Errors
    /// `Unsupported` if the tree is of this process alone; `Collective` if the ranks give different terms.
    pub fn set_terms(&self, terms: Terms) -> Result<()> {
        self.0.ranks()?.agreement.set_terms(terms)
    }

    /// What the ranks of the tree agree through, for collective calls on it. `None` if the tree is of this process alone.
    pub fn agreement(&self) -> Option<&Agreement> {
        self.0.tree.ranks.as_ref().map(|ranks| &ranks.agreement)
    }
}

impl Handle {
    /// The ranks that share the tree.
    pub(super) fn ranks(&self) -> Result<&Ranks> {
        self.tree.ranks.as_deref().ok_or_else(|| {
            error!(Unsupported, "the tree is of this process alone, and nothing in it can be spread over ranks")
                .remedy("make the root with MemGroup::distributed(comm)")
        })
    }

    /// Checks that a dataset of another tree may be given a name in this one.
    pub(super) fn may_hold(&self, dataset: &Handle) -> Result<()> {
        let stored = dataset.stored()?.read();
        let Content::Distributed(array) = &stored.content else { return Ok(()) };
        match &self.tree.ranks {
            None => Err(error!(InvalidArgument, "the dataset is distributed, and the tree is of this process alone")
                .remedy("share it with a tree of the same communicator, or make it common first")),
            Some(ranks) => ranks.check_comm(array.comm()),
        }
    }
}

/// This rank's part of a dataset that is spread over ranks. A handle: cheap to clone, never stale, `Send + Sync`.
///
/// One axis is split over the ranks of the tree's communicator, in contiguous blocks ([`Partition`](crate::distributed::Partition)). What is local
/// never communicates. Through the tree's traits the shape is the global one; elements can be read and written there as far as they are on this
/// rank, which on one rank is always so, else it is `Unsupported`.
///
/// [`redistribute`](Self::redistribute) and [`MemGroup::dataset_distributed_to_common`] change the dataset, and so what every handle of it
/// sees. A handle whose dataset became common answers as any other through the tree's traits; what is about parts is `Unsupported` then.
///
/// ```
/// use memh5::distributed::SelfComm;
/// use memh5::{DType, MemGroup, prelude::*};
/// let root = MemGroup::distributed(std::sync::Arc::new(SelfComm::new()));
/// let vis = root.create_distributed("vis").shape([4, 3]).axis(1).dtype(DType::I32).create()?;
/// vis.with_local_view_mut::<i32, _>(|mut mine| mine.fill(7))?;
/// vis.redistribute(0)?;
/// assert_eq!((vis.distributed_axis()?, vis.local_shape()?), (0, vec![4, 3]));
/// assert_eq!(vis.read_slice::<i32>((3, 2))?, 7);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct MemDatasetDistributed(pub(super) Handle);

super::impl_object!(MemDatasetDistributed);
impl_dataset!(MemDatasetDistributed);

impl MemDatasetDistributed {
    /// The communicator over which it is spread.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn comm(&self) -> Result<CommRef> {
        Ok(self.0.stored()?.read().content.distributed()?.comm().clone())
    }

    /// The shape over all ranks, which is the shape through the tree's traits.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn global_shape(&self) -> Result<Vec<usize>> {
        Ok(self.0.stored()?.read().content.distributed()?.global_shape().to_vec())
    }

    /// The shape of this rank's part; the distributed axis can be 0 long.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn local_shape(&self) -> Result<Vec<usize>> {
        Ok(self.0.stored()?.read().content.distributed()?.local_shape().to_vec())
    }

    /// Where this rank's part begins in the whole: 0 but for the distributed axis.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn local_offset(&self) -> Result<Vec<usize>> {
        Ok(self.0.stored()?.read().content.distributed()?.local_offset())
    }

    /// The indices of the distributed axis that this rank has: caput's `local_bounds`.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn local_range(&self) -> Result<Range<usize>> {
        Ok(self.0.stored()?.read().content.distributed()?.local_bounds())
    }

    /// The axis that is split over the ranks.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn distributed_axis(&self) -> Result<usize> {
        Ok(self.0.stored()?.read().content.distributed()?.axis())
    }

    /// This rank's part, without a copy; later writes do not change it.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn local_data(&self) -> Result<AnyArray> {
        Ok(self.0.stored()?.read().content.distributed()?.local_array().clone())
    }

    /// Replaces this rank's part.
    ///
    /// # Errors
    /// `Shape` or `Dtype` if it is not of the same shape and type, `Unsupported` if the dataset became common.
    pub fn set_local_data(&self, data: impl IntoArray) -> Result<()> {
        let set = || {
            let data = data.into_array()?;
            self.0.stored()?.write().content.distributed_mut()?.set_local(data)
        };
        set().with_context(|| (self.name(), "write the local part"))
    }

    /// Calls the function with the bytes of this rank's part for writing.
    #[cfg(feature = "hdf5")]
    pub(crate) fn with_local_bytes<R>(&self, f: impl FnOnce(&mut [u8]) -> Result<R>) -> Result<R> {
        let write = || f(self.0.stored()?.write().content.distributed_mut()?.local_bytes_mut()?);
        write().with_context(|| (self.name(), "write the local part"))
    }

    /// Calls the function with this rank's part as it lies in memory: a snapshot, as [`with_view`](MemDataset::with_view).
    ///
    /// # Errors
    /// `Dtype` if the elements are not of this type, `Unsupported` if the dataset became common.
    pub fn with_local_view<T: Element, R>(&self, f: impl FnOnce(ArrayViewD<'_, T>) -> R) -> Result<R> {
        let view = || Ok(f(self.local_data()?.view::<T>()?));
        view().with_context(|| (self.name(), "read the local part"))
    }

    /// Calls the function with this rank's part for writing, as [`with_view_mut`](MemDataset::with_view_mut).
    ///
    /// # Errors
    /// `Dtype` if the elements are not of this type, `Unsupported` if the dataset became common.
    pub fn with_local_view_mut<T: Element, R>(&self, f: impl FnOnce(ArrayViewMutD<'_, T>) -> R) -> Result<R> {
        let view = || Ok(f(self.0.stored()?.write().content.distributed_mut()?.local_view_mut::<T>()?));
        view().with_context(|| (self.name(), "write the local part"))
    }

    /// The array, without a copy; later writes do not change it: caput's `data`.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became common.
    pub fn array(&self) -> Result<DistributedArray> {
        Ok(self.0.stored()?.read().content.distributed()?.clone())
    }

    /// Replaces the elements by those of an array of the same distribution and type. Local; what was this rank's part goes.
    ///
    /// # Errors
    /// `InvalidArgument` if it is on another communicator or axis, `Shape`, `Dtype`, `Unsupported` if the dataset became common.
    pub fn set_array(&self, array: &DistributedArray) -> Result<()> {
        let set = || {
            let mut stored = self.0.stored()?.write();
            let here = stored.content.distributed_mut()?;
            if array.comm().id() != here.comm().id() || array.axis() != here.axis() {
                bail!(InvalidArgument, "the array is on another communicator or another axis than the dataset");
            }
            if array.global_shape() != here.global_shape() {
                bail!(Shape, "an array of shape {:?} does not fit the dataset of shape {:?}", array.global_shape(), here.global_shape());
            }
            here.set_local(array.local_array().clone())
        };
        set().with_context(|| (self.name(), "write the dataset"))
    }

    /// What this rank has of a selection by global indices. Local: see [`DistributedArray::global_slice`].
    ///
    /// # Errors
    /// `Selection` if it does not fit the global shape, `Unsupported` if the dataset became common.
    pub fn global_slice(&self, selection: impl Into<Selection>) -> Result<GlobalSlice> {
        self.array()?.global_slice(selection).with_context(|| (self.name(), "read the dataset"))
    }

    /// Writes a selection by global indices: each rank what of it is here. Local: see [`DistributedArray::set_global_slice`].
    ///
    /// # Errors
    /// `Selection`, `Shape`, `Dtype` or `InvalidArgument` if the value does not fit, `Unsupported` if the dataset became common.
    pub fn set_global_slice<'v>(&self, selection: impl Into<Selection>, value: impl Into<Operand<'v>>) -> Result<()> {
        let set = || self.0.stored()?.write().content.distributed_mut()?.set_global_slice(selection, value);
        set().with_context(|| (self.name(), "write the dataset"))
    }

    /// The pairs of local and global index along an axis, for this rank's part. Local.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such axis, `Unsupported` if the dataset became common.
    pub fn enumerate<A: Into<Axis>>(&self, axis: A) -> Result<impl ExactSizeIterator<Item = (usize, usize)> + use<A>> {
        self.array()?.enumerate(axis)
    }

    /// A dataset that is in no group, with an array that is adopted without a copy: caput's `from_mpi_array`.
    /// [`MemGroup::share`] gives it a name in a tree of the same ranks. Local.
    ///
    /// # Errors
    /// None; the type is that of [`MemDatasetCommon::from_array`](super::MemDatasetCommon::from_array).
    pub fn from_array(array: DistributedArray) -> Result<Self> {
        let tree = Tree::shared(Node::group(false), Some(Box::new(Ranks::of_none(array.comm().clone()))));
        let spec = DatasetSpec::new(array.dtype().clone(), array.global_shape());
        let link = Link::loose(node_of(Content::Distributed(Box::new(array)), &spec));
        Ok(Self(Handle { link, via: None, tree }))
    }

    /// An independent dataset with the same content and attributes, in no group; the elements are shared until one of them is written. Local.
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn copy(&self) -> Result<Self> {
        super::copy::alone(&self.0).map(Self)
    }
}

impl MemDatasetDistributed {
    /// Puts what is selected into a tree of the same ranks, spread along the same axis; the elements are shared until one of them is written. Within a
    /// collective call. `None` if the tree is not of the same ranks, or nothing of the axis is left to spread.
    pub(crate) fn copy_part(
        &self,
        to: &MemGroup,
        name: &str,
        spec: &DatasetSpec,
        selection: &Selection,
        own: bool,
    ) -> Result<Option<MemDatasetDistributed>> {
        let array = self.array()?;
        let Some(ranks) = &to.0.tree.ranks else { return Ok(None) };
        if ranks.check_comm(array.comm()).is_err() {
            return Ok(None);
        }
        let Some(mut part) = spread::part(&array, selection)? else { return Ok(None) };
        drop(array);
        if own {
            let (shape, axis, comm) = (part.global_shape().to_vec(), part.axis(), part.comm().clone());
            let mut local = part.into_local();
            local.raw_mut()?;
            part = DistributedArray::from_parts(local, shape, axis, comm)?;
        }
        let node = node_of(Content::Distributed(Box::new(part)), spec);
        to.0.together(|| to.0.call_on("copy the dataset", name), || to.0.add(name, node)).map(|handle| Some(Self(handle)))
    }
}

impl MemGroup {
    /// An empty tree for a copy of a group: shared by the same ranks, if it is.
    pub(crate) fn for_copy_of(group: &dyn Group) -> Result<Self> {
        let root = Node::group(group.group_spec()?.track_order);
        Ok(Self(Handle::of_root(match group.as_any().downcast_ref::<MemGroup>() {
            Some(group) => group.0.tree.for_copy(root),
            None => Tree::new(root),
        })))
    }
}

impl fmt::Debug for MemDatasetDistributed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe_dataset(f)
    }
}

impl MemDataset {
    /// The dataset as one that is spread over ranks, at this moment.
    ///
    /// # Errors
    /// `Unsupported` if it is common.
    pub fn into_distributed(self) -> Result<MemDatasetDistributed> {
        let handle = self.handle().clone();
        let check = || handle.stored()?.read().content.distributed().map(drop);
        check().with_context(|| (handle.name(), "open the dataset as a distributed one"))?;
        Ok(MemDatasetDistributed(handle))
    }
}
