//! Datasets of one whole array in memory.

use super::content::{impl_dataset, node_of};
use super::node::{Content, Link, Node};
use super::reference;
use super::tree::{Handle, Tree};
use crate::array::{AnyArray, Element};
use crate::error::{Context, Result, bail};
use crate::tree::{DatasetSpec, Fill, Object};
use ndarray::{ArrayViewD, ArrayViewMutD};
use std::fmt;
use std::sync::Arc;

/// The node of a new dataset.
pub(super) fn make(handle: &Handle, spec: &DatasetSpec, data: Option<AnyArray>) -> Result<Arc<Node>> {
    let fill = match &spec.fill {
        Fill::Value(value) => Some(value),
        _ => None,
    };
    if let Some(value) = fill {
        reference::check(handle, value)?;
    }
    let array = match (data, &spec.shape) {
        (Some(data), shape) => {
            if data.extent() != shape.as_deref() {
                bail!(Shape, "data of shape {:?} do not fit a dataset of shape {shape:?}", data.extent());
            }
            reference::check(handle, &data)?;
            data.with_dtype(&spec.dtype)?
        }
        (None, None) => AnyArray::null(spec.dtype.clone()),
        (None, Some(shape)) => match fill {
            Some(value) => AnyArray::full(spec.dtype.clone(), shape.clone(), value)?,
            None => AnyArray::zeros(spec.dtype.clone(), shape.clone())?,
        },
    };
    Ok(node_of(Content::Common(array), spec))
}

/// A dataset of one whole array in memory. A handle: cheap to clone, never stale, `Send + Sync`.
///
/// Reading everything gives a snapshot without a copy; writing copies only if somebody still holds one.
///
/// In a tree that ranks share, each rank has all of it, and nothing but a save compares them. A dataset can become distributed while such a handle
/// is held; then the handle answers as [`MemDatasetDistributed`](super::MemDatasetDistributed) does through the tree's traits, and its own methods
/// are `Unsupported` unless all elements are on this rank.
///
/// ```
/// use memh5::{MemGroup, prelude::*};
/// let group = MemGroup::new();
/// group.create_dataset("x").write(vec![1.0, 2.0, 3.0])?;
/// let x = group.dataset("x")?;
/// let before = x.snapshot()?;
/// x.with_view_mut::<f64, _>(|mut v| v[[0]] = 10.0)?;
/// assert_eq!(x.with_view::<f64, _>(|v| v.sum())?, 15.0);
/// assert_eq!(before.view::<f64>()?.sum(), 6.0);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct MemDatasetCommon(pub(super) Handle);

super::impl_object!(MemDatasetCommon);
impl_dataset!(MemDatasetCommon);

impl MemDatasetCommon {
    /// A dataset that is in no group, with an array that is adopted without a copy. [`MemGroup::share`](super::MemGroup::share) gives it a name.
    ///
    /// # Errors
    /// `InvalidArgument` if the array holds references, which point into some tree.
    pub fn from_array(array: impl crate::array::IntoArray) -> Result<Self> {
        let array = array.into_array()?;
        array.check_storable()?;
        let spec = match array.extent() {
            Some(shape) => DatasetSpec::new(array.dtype().clone(), shape),
            None => DatasetSpec::null(array.dtype().clone()),
        };
        let tree = Tree::new(Node::group(false));
        let node = make(&Handle::of_root(tree.clone()), &spec, Some(array))?;
        Ok(Self::detached(tree, node))
    }

    /// A dataset that is in no group.
    fn detached(tree: Arc<Tree>, node: Arc<Node>) -> Self {
        Self(Handle { link: Link::loose(node), via: None, tree })
    }

    /// All elements, without a copy; later writes do not change it.
    ///
    /// # Errors
    /// `Unsupported` if the dataset became distributed, and not all of it is on this rank.
    pub fn snapshot(&self) -> Result<AnyArray> {
        self.0.stored()?.read().content.whole().cloned()
    }

    /// Calls the function with the elements as they lie in memory: a snapshot. Nobody waits meanwhile; who writes this dataset copies it first.
    ///
    /// # Errors
    /// `Dtype` if the elements are not of this type, `Shape` for a null dataspace.
    pub fn with_view<T: Element, R>(&self, f: impl FnOnce(ArrayViewD<'_, T>) -> R) -> Result<R> {
        let view = || Ok(f(self.snapshot()?.view::<T>()?));
        view().with_context(|| (self.name(), "read the dataset"))
    }

    /// Calls the function with the elements for writing. They are copied first if somebody holds a snapshot. Who reads or writes this
    /// dataset waits meanwhile, so the function itself must not.
    ///
    /// # Errors
    /// `Dtype` if the elements are not of this type, `Shape` for a null dataspace.
    pub fn with_view_mut<T: Element, R>(&self, f: impl FnOnce(ArrayViewMutD<'_, T>) -> R) -> Result<R> {
        let view = || Ok(f(self.0.stored()?.write().content.whole_mut::<T>()?));
        view().with_context(|| (self.name(), "write the dataset"))
    }

    /// An independent dataset with the same content and attributes, in no group; the elements are shared until one of them is written.
    /// References become null, since it is in no tree.
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn copy(&self) -> Result<Self> {
        super::copy::alone(&self.0).map(Self)
    }

    /// Changes how far each axis can grow; `None` fixes the shape.
    ///
    /// # Errors
    /// `Shape` if it is below the shape, or the chunks do not fit it.
    pub fn set_maxshape(&self, maxshape: Option<&[Option<usize>]>) -> Result<()> {
        self.0.edit("set the maxshape", |p| p.maxshape = maxshape.map(<[_]>::to_vec))
    }
}

impl fmt::Debug for MemDatasetCommon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe_dataset(f)
    }
}
