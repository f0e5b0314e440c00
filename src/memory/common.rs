//! Datasets of one whole array in memory.

use super::node::Link;
use super::node::{Kind, Node, Properties, Stored};
use super::reference;
use super::tree::{Handle, Tree};
use crate::array::{AnyArray, Element};
use crate::dtype::DType;
use crate::error::{Context, Result, bail, error};
use crate::selection::Selection;
use crate::tree::{Dataset, DatasetSpec, Fill, Filter, Layout, Object};
use ndarray::{ArrayViewD, ArrayViewMutD};
use parking_lot::RwLock;
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
    let usual = spec.maxshape.is_none() && spec.layout == Layout::Auto && spec.filters.is_empty() && matches!(spec.fill, Fill::Default);
    let properties = (!usual).then(|| {
        Box::new(Properties {
            maxshape: spec.maxshape.clone(),
            layout: spec.layout.clone(),
            filters: spec.filters.clone(),
            fill: spec.fill.clone(),
        })
    });
    Ok(Node::new(Kind::Dataset(RwLock::new(Stored { array, properties })), spec.track_order))
}

/// A dataset of one whole array in memory. A handle: cheap to clone, never stale, `Send + Sync`.
///
/// Reading everything gives a snapshot without a copy; writing copies only if somebody still holds one.
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

    fn stored(&self) -> Result<&RwLock<Stored>> {
        match &self.0.node().kind {
            Kind::Dataset(stored) => Ok(stored),
            _ => Err(error!(Corrupt, "the object is not a dataset")),
        }
    }

    /// All elements, without a copy; later writes do not change it.
    ///
    /// # Errors
    /// None; the type is that of the other reads.
    pub fn snapshot(&self) -> Result<AnyArray> {
        Ok(self.stored()?.read().array.clone())
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
        let view = || Ok(f(self.stored()?.write().array.view_mut::<T>()?));
        view().with_context(|| (self.name(), "write the dataset"))
    }

    /// An independent dataset with the same content and attributes, in no group; the elements are shared until one of them is written.
    /// References become null, since it is in no tree.
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn copy(&self) -> Result<Self> {
        let node = super::copy::leaf(self.0.node())?;
        Ok(Self::detached(Tree::new(Node::group(false)), node))
    }

    /// One more handle of this dataset: caput's `view`. It shares elements and attributes.
    #[must_use]
    pub fn view(&self) -> Self {
        self.clone()
    }

    /// The group that holds it.
    ///
    /// # Errors
    /// `NotFound` if the dataset was deleted.
    pub fn parent(&self) -> Result<super::MemGroup> {
        self.0.parent().map(super::MemGroup)
    }

    /// The root of the tree: h5py's `file`.
    pub fn file(&self) -> super::MemGroup {
        super::MemGroup(self.0.root())
    }

    /// The chunk shape, if one was given.
    ///
    /// # Errors
    /// None; the type is that of the other questions.
    pub fn chunks(&self) -> Result<Option<Vec<usize>>> {
        Ok(self.spec()?.chunks().map(<[usize]>::to_vec))
    }

    /// Changes the chunk shape that a file gets; `None` leaves it to the format.
    ///
    /// # Errors
    /// `Shape` or `InvalidArgument` if the chunks do not fit the dataset.
    pub fn set_chunks(&self, chunks: Option<&[usize]>) -> Result<()> {
        self.edit("set the chunks", |p| p.layout = chunks.map_or(Layout::Auto, |c| Layout::Chunked(c.to_vec())))
    }

    /// Changes the layout that a file gets.
    ///
    /// # Errors
    /// `Shape` or `InvalidArgument` if it does not fit the dataset.
    pub fn set_layout(&self, layout: Layout) -> Result<()> {
        self.edit("set the layout", |p| p.layout = layout)
    }

    /// Changes the filters that the chunks get in a file.
    ///
    /// # Errors
    /// `InvalidArgument` if they do not fit the dataset.
    pub fn set_filters(&self, filters: impl IntoIterator<Item = Filter>) -> Result<()> {
        self.edit("set the filters", |p| p.filters = filters.into_iter().collect())
    }

    /// Changes how far each axis can grow; `None` fixes the shape.
    ///
    /// # Errors
    /// `Shape` if it is below the shape, or the chunks do not fit it.
    pub fn set_maxshape(&self, maxshape: Option<&[Option<usize>]>) -> Result<()> {
        self.edit("set the maxshape", |p| p.maxshape = maxshape.map(<[_]>::to_vec))
    }

    /// Changes the properties in the stored object, so that every handle sees it; nothing changes if they do not fit.
    fn edit(&self, what: &'static str, change: impl FnOnce(&mut Properties)) -> Result<()> {
        let edit = || {
            let mut stored = self.stored()?.write();
            let mut properties = stored.properties.as_deref().cloned().unwrap_or_default();
            change(&mut properties);
            spec_of(&stored.array, &properties, self.0.node().track_order).validate()?;
            stored.properties = Some(Box::new(properties));
            Ok(())
        };
        edit().with_context(|| (self.name(), what))
    }
}

fn spec_of(array: &AnyArray, properties: &Properties, track_order: bool) -> DatasetSpec {
    let Properties { maxshape, layout, filters, fill } = properties.clone();
    DatasetSpec { dtype: array.dtype().clone(), shape: array.extent().map(<[usize]>::to_vec), maxshape, layout, filters, fill, track_order }
}

impl Dataset for MemDatasetCommon {
    fn as_dataset(&self) -> &dyn Dataset {
        self
    }

    fn dtype(&self) -> Result<DType> {
        Ok(self.stored()?.read().array.dtype().clone())
    }

    fn extent(&self) -> Result<Option<Vec<usize>>> {
        Ok(self.stored()?.read().array.extent().map(<[usize]>::to_vec))
    }

    fn spec(&self) -> Result<DatasetSpec> {
        let stored = self.stored()?.read();
        let usual = Properties::default();
        Ok(spec_of(&stored.array, stored.properties.as_deref().unwrap_or(&usual), self.0.node().track_order))
    }

    fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        let stored = self.stored()?.read();
        if *selection == Selection::All {
            return Ok(stored.array.clone());
        }
        stored.array.select(selection)
    }

    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        reference::check(&self.0, data)?;
        self.stored()?.write().array.assign(selection, data)
    }

    fn set_extent(&self, shape: &[usize]) -> Result<()> {
        let stored = &mut *self.stored()?.write();
        let fill = match stored.properties.as_deref() {
            Some(Properties { fill: Fill::Value(value), .. }) => Some(value),
            _ => None,
        };
        stored.array.resize(shape, fill)
    }

    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        Ok(self.stored()?.read().properties.as_deref().and_then(|p| p.maxshape.clone()))
    }

    fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        reference::check(&self.0, rows)?;
        let stored = &mut *self.stored()?.write();
        // Again, under the lock: somebody else may have appended since it was checked.
        if let (Some(old), Some(added)) = (stored.array.shape().first(), rows.shape().first())
            && let Some(Properties { maxshape: Some(max), .. }) = stored.properties.as_deref()
            && let Some(Some(limit)) = max.first()
            && old.checked_add(*added).is_none_or(|n| n > *limit)
        {
            bail!(Shape, "axis 0 cannot grow from {old} by {added}: its maxshape is {limit}");
        }
        stored.array.append(rows)
    }
}

impl fmt::Debug for MemDatasetCommon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemDataset({:?}", self.0.name())?;
        if let Ok(stored) = self.stored() {
            let stored = stored.read();
            match stored.array.extent() {
                Some(shape) => write!(f, ", {}, {shape:?}", stored.array.dtype())?,
                None => write!(f, ", {}, null", stored.array.dtype())?,
            }
        }
        f.write_str(")")
    }
}
