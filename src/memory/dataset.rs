//! Datasets in memory, of whatever kind.

use super::MemDatasetCommon;
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
}

impl From<MemDatasetCommon> for MemDataset {
    fn from(dataset: MemDatasetCommon) -> Self {
        Self::Common(dataset)
    }
}

impl MemDataset {
    /// The dataset in memory behind a trait object, if it is one.
    pub fn from_dyn(dataset: &dyn Dataset) -> Option<Self> {
        dataset.as_any().downcast_ref::<MemDatasetCommon>().map(|d| Self::Common(d.clone()))
    }

    fn inner(&self) -> &MemDatasetCommon {
        match self {
            Self::Common(dataset) => dataset,
        }
    }

    /// True if it is a whole array, on every rank: caput's `common`.
    pub fn is_common(&self) -> bool {
        self.common().is_some()
    }

    /// True if it is spread over ranks: caput's `distributed`.
    pub fn is_distributed(&self) -> bool {
        self.common().is_none()
    }

    /// The dataset, if it is a whole array.
    pub fn common(&self) -> Option<&MemDatasetCommon> {
        match self {
            Self::Common(dataset) => Some(dataset),
        }
    }

    /// All elements, without a copy; later writes do not change it.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::snapshot`].
    pub fn snapshot(&self) -> Result<AnyArray> {
        self.inner().snapshot()
    }

    /// Calls the function with the elements as they lie in memory.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::with_view`].
    pub fn with_view<T: Element, R>(&self, f: impl FnOnce(ArrayViewD<'_, T>) -> R) -> Result<R> {
        self.inner().with_view(f)
    }

    /// Calls the function with the elements for writing.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::with_view_mut`].
    pub fn with_view_mut<T: Element, R>(&self, f: impl FnOnce(ArrayViewMutD<'_, T>) -> R) -> Result<R> {
        self.inner().with_view_mut(f)
    }

    /// An independent dataset with the same content and attributes, in no group.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::copy`].
    pub fn copy(&self) -> Result<Self> {
        self.inner().copy().map(Self::Common)
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
        self.inner().set_chunks(chunks)
    }

    /// Changes the filters that the chunks get in a file.
    ///
    /// # Errors
    /// As [`MemDatasetCommon::set_filters`].
    pub fn set_filters(&self, filters: impl IntoIterator<Item = Filter>) -> Result<()> {
        self.inner().set_filters(filters)
    }

    /// The attributes, as a handle of their own.
    pub fn mem_attrs(&self) -> super::MemAttrs {
        self.inner().mem_attrs()
    }

    /// The group that holds it.
    ///
    /// # Errors
    /// `NotFound` if the dataset was deleted.
    pub fn parent(&self) -> Result<super::MemGroup> {
        self.inner().parent()
    }

    /// The root of the tree: h5py's `file`.
    pub fn file(&self) -> super::MemGroup {
        self.inner().file()
    }
}

impl fmt::Debug for MemDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner().fmt(f)
    }
}

impl Attributes for MemDataset {
    fn attr_names(&self) -> Result<Vec<String>> {
        self.inner().attr_names()
    }
    fn attr_read(&self, name: &str) -> Result<Option<AnyArray>> {
        self.inner().attr_read(name)
    }
    fn attr_write(&self, name: &str, value: &AnyArray) -> Result<()> {
        self.inner().attr_write(name, value)
    }
    fn attr_delete(&self, name: &str) -> Result<bool> {
        self.inner().attr_delete(name)
    }
    fn attr_owner(&self) -> String {
        self.inner().attr_owner()
    }
    fn attr_count(&self) -> Result<usize> {
        self.inner().attr_count()
    }
    fn attr_exists(&self, name: &str) -> Result<bool> {
        self.inner().attr_exists(name)
    }
}

impl Object for MemDataset {
    fn name(&self) -> String {
        self.inner().name()
    }
    fn id(&self) -> Result<ObjectId> {
        self.inner().id()
    }
    fn attrs(&self) -> &dyn Attributes {
        self.inner().attrs()
    }
    fn root(&self) -> Result<GroupRef> {
        self.inner().root()
    }
    fn location(&self) -> Location {
        self.inner().location()
    }
    fn reference(&self) -> Result<ObjectRef> {
        self.inner().reference()
    }
    fn as_any(&self) -> &dyn Any {
        self.inner()
    }
}

impl Dataset for MemDataset {
    fn as_dataset(&self) -> &dyn Dataset {
        self.inner()
    }
    fn dtype(&self) -> Result<DType> {
        self.inner().dtype()
    }
    fn extent(&self) -> Result<Option<Vec<usize>>> {
        self.inner().extent()
    }
    fn spec(&self) -> Result<DatasetSpec> {
        self.inner().spec()
    }
    fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        self.inner().read_selection(selection)
    }
    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        self.inner().write_selection(selection, data)
    }
    fn set_extent(&self, shape: &[usize]) -> Result<()> {
        self.inner().set_extent(shape)
    }
    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        self.inner().max_extent()
    }
    fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        self.inner().append_rows(rows)
    }
}
