//! Datasets in memory, of whatever kind.

use super::MemDatasetCommon;
use super::MemDatasetDistributed;
use super::tree::Handle;
use crate::array::{AnyArray, Element};
use crate::dtype::DType;
use crate::error::Result;
use crate::selection::Selection;
use crate::tree::{Attributes, Dataset, DatasetSpec, Filter, GroupRef, Location, Object, ObjectId, ObjectRef};
use ndarray::{ArrayViewD, ArrayViewMutD};
use std::any::Any;
use std::fmt;

/// A dataset in memory, of whatever kind. A handle: cheap to clone, never stale.
///
/// ```
/// use memh5::{MemGroup, prelude::*};
/// let group = MemGroup::new();
/// group.create_dataset("x").write(vec![1, 2, 3])?;
/// let x = group.dataset("x")?;
/// assert!(x.is_common());
/// assert_eq!(x.read_slice::<Vec<i32>>(1..)?, [2, 3]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemDataset {
    /// A whole array.
    Common(MemDatasetCommon),
    /// This rank's part of an array that is spread over ranks.
    Distributed(MemDatasetDistributed),
}

impl From<MemDatasetCommon> for MemDataset {
    fn from(dataset: MemDatasetCommon) -> Self {
        Self::Common(dataset)
    }
}

impl From<MemDatasetDistributed> for MemDataset {
    fn from(dataset: MemDatasetDistributed) -> Self {
        Self::Distributed(dataset)
    }
}

/// Passes a call on to the dataset, of whatever kind.
macro_rules! each {
    ($self:ident, $dataset:ident => $what:expr) => {
        match $self {
            MemDataset::Common($dataset) => $what,
            MemDataset::Distributed($dataset) => $what,
        }
    };
}

impl MemDataset {
    /// The dataset behind a handle, as what it is now.
    pub(super) fn of(handle: Handle) -> Self {
        // Where no ranks are, nothing is spread over them.
        if handle.tree.ranks.is_some() && handle.is_spread() {
            Self::Distributed(MemDatasetDistributed(handle))
        } else {
            Self::Common(MemDatasetCommon(handle))
        }
    }

    /// The dataset in memory behind a trait object, if it is one.
    pub fn from_dyn(dataset: &dyn Dataset) -> Option<Self> {
        let any = dataset.as_any();
        let handle =
            any.downcast_ref::<MemDatasetCommon>().map(|d| &d.0).or_else(|| any.downcast_ref::<MemDatasetDistributed>().map(|d| &d.0));
        handle.map(|handle| Self::of(handle.clone()))
    }

    pub(super) fn handle(&self) -> &Handle {
        each!(self, dataset => &dataset.0)
    }

    /// True if it is a whole array, on every rank, at this moment: caput's `common`.
    pub fn is_common(&self) -> bool {
        !self.handle().is_spread()
    }

    /// True if it is spread over ranks at this moment: caput's `distributed`.
    pub fn is_distributed(&self) -> bool {
        self.handle().is_spread()
    }

    /// The dataset, if it was a whole array when it was opened.
    pub fn common(&self) -> Option<&MemDatasetCommon> {
        match self {
            Self::Common(dataset) => Some(dataset),
            Self::Distributed(_) => None,
        }
    }

    /// The dataset, if it was spread over ranks when it was opened.
    pub fn distributed(&self) -> Option<&MemDatasetDistributed> {
        match self {
            Self::Distributed(dataset) => Some(dataset),
            Self::Common(_) => None,
        }
    }

    /// All elements, without a copy; later writes do not change it.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::snapshot`].
    pub fn snapshot(&self) -> Result<AnyArray> {
        MemDatasetCommon(self.handle().clone()).snapshot()
    }

    /// Calls the function with the elements as they lie in memory.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::with_view`].
    pub fn with_view<T: Element, R>(&self, f: impl FnOnce(ArrayViewD<'_, T>) -> R) -> Result<R> {
        MemDatasetCommon(self.handle().clone()).with_view(f)
    }

    /// Calls the function with the elements for writing.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::with_view_mut`].
    pub fn with_view_mut<T: Element, R>(&self, f: impl FnOnce(ArrayViewMutD<'_, T>) -> R) -> Result<R> {
        MemDatasetCommon(self.handle().clone()).with_view_mut(f)
    }

    /// An independent dataset with the same content and attributes, in no group.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::copy`].
    pub fn copy(&self) -> Result<Self> {
        Ok(Self::of(super::copy::alone(self.handle())?))
    }

    /// One more handle of this dataset.
    #[must_use]
    pub fn view(&self) -> Self {
        self.clone()
    }

    /// Changes the chunk shape that a file gets.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::set_chunks`].
    pub fn set_chunks(&self, chunks: Option<&[usize]>) -> Result<()> {
        each!(self, d => d.set_chunks(chunks))
    }

    /// Changes the filters that the chunks get in a file.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::set_filters`].
    pub fn set_filters(&self, filters: impl IntoIterator<Item = Filter>) -> Result<()> {
        each!(self, d => d.set_filters(filters))
    }

    /// The attributes, as a handle of their own.
    pub fn mem_attrs(&self) -> super::MemAttrs {
        each!(self, d => d.mem_attrs())
    }

    /// The group that holds it.
    ///
    /// # Errors
    /// `NotFound` if the dataset was deleted.
    pub fn parent(&self) -> Result<super::MemGroup> {
        each!(self, d => d.parent())
    }

    /// The root of the tree: h5py's `file`.
    pub fn file(&self) -> super::MemGroup {
        each!(self, d => d.file())
    }
}

impl fmt::Debug for MemDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, d => d.fmt(f))
    }
}

impl Attributes for MemDataset {
    fn attr_names(&self) -> Result<Vec<String>> {
        each!(self, d => d.attr_names())
    }
    fn attr_read(&self, name: &str) -> Result<Option<AnyArray>> {
        each!(self, d => d.attr_read(name))
    }
    fn attr_write(&self, name: &str, value: &AnyArray) -> Result<()> {
        each!(self, d => d.attr_write(name, value))
    }
    fn attr_delete(&self, name: &str) -> Result<bool> {
        each!(self, d => d.attr_delete(name))
    }
    fn attr_owner(&self) -> String {
        each!(self, d => d.attr_owner())
    }
    fn attr_count(&self) -> Result<usize> {
        each!(self, d => d.attr_count())
    }
    fn attr_exists(&self, name: &str) -> Result<bool> {
        each!(self, d => d.attr_exists(name))
    }
}

impl Object for MemDataset {
    fn name(&self) -> String {
        each!(self, d => d.name())
    }
    fn id(&self) -> Result<ObjectId> {
        each!(self, d => d.id())
    }
    fn attrs(&self) -> &dyn Attributes {
        each!(self, d => d.attrs())
    }
    fn root(&self) -> Result<GroupRef> {
        each!(self, d => d.root())
    }
    fn location(&self) -> Location {
        each!(self, d => d.location())
    }
    fn reference(&self) -> Result<ObjectRef> {
        each!(self, d => d.reference())
    }
    fn collective(&self) -> Option<&dyn crate::tree::Collective> {
        each!(self, d => d.collective())
    }
    fn as_any(&self) -> &dyn Any {
        each!(self, d => d)
    }
}

impl Dataset for MemDataset {
    fn as_dataset(&self) -> &dyn Dataset {
        each!(self, d => d)
    }
    fn dtype(&self) -> Result<DType> {
        each!(self, d => d.dtype())
    }
    fn extent(&self) -> Result<Option<Vec<usize>>> {
        each!(self, d => d.extent())
    }
    fn spec(&self) -> Result<DatasetSpec> {
        each!(self, d => d.spec())
    }
    fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        each!(self, d => d.read_selection(selection))
    }
    fn read_together(&self, selection: &Selection) -> Result<AnyArray> {
        each!(self, d => d.read_together(selection))
    }
    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        each!(self, d => d.write_selection(selection, data))
    }
    fn set_extent(&self, shape: &[usize]) -> Result<()> {
        each!(self, d => d.set_extent(shape))
    }
    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        each!(self, d => d.max_extent())
    }
    fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        each!(self, d => d.append_rows(rows))
    }
}
