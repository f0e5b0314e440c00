//! The builder of a distributed dataset.

use super::MemGroup;
use super::content::node_of;
use super::distributed::MemDatasetDistributed;
use super::node::Content;
use crate::array::{AnyArray, IntoArray};
use crate::distributed::{Axis, DistributedArray};
use crate::dtype::{Cast, DType};
use crate::error::{Context, Result, bail, error};
use crate::path;
use crate::tree::{CollectiveCall, DatasetSpec, Fill, Filter, Layout, Object, resolve};

impl MemGroup {
    /// Begins to make a dataset that is spread over the ranks of the tree: a builder, finished by `create()` or `write(array)`, which all ranks call.
    ///
    /// ```
    /// use memh5::distributed::SelfComm;
    /// use memh5::{DType, Filter, MemGroup, prelude::*};
    /// let root = MemGroup::distributed(std::sync::Arc::new(SelfComm::new()));
    /// let vis = root
    ///     .create_distributed("night/vis")
    ///     .shape([1024, 8])
    ///     .axis(0)
    ///     .dtype(DType::F32)
    ///     .chunks([64, 8])
    ///     .filter(Filter::Gzip(4))
    ///     .create()?;
    /// assert_eq!(vis.local_shape()?, [1024, 8]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn create_distributed(&self, name: &str) -> DistributedBuilder<'_> {
        DistributedBuilder {
            group: self,
            name: name.to_owned(),
            shape: None,
            maxshape: None,
            dtype: None,
            axis: None,
            cast: Cast::Exact,
            layout: Layout::Auto,
            filters: Vec::new(),
            fill: None,
            track_order: false,
            overwrite: false,
            unwritten: false,
        }
    }
}

/// Makes a dataset that is spread over ranks: say what it is to be, then `create()` it filled, or `write(array)`. It cannot grow.
#[must_use = "nothing is made before create() or write(..)"]
pub struct DistributedBuilder<'g> {
    group: &'g MemGroup,
    name: String,
    shape: Option<Vec<usize>>,
    maxshape: Option<Vec<Option<usize>>>,
    dtype: Option<DType>,
    axis: Option<Axis>,
    cast: Cast,
    layout: Layout,
    filters: Vec<Filter>,
    fill: Option<Result<AnyArray>>,
    track_order: bool,
    overwrite: bool,
    unwritten: bool,
}

impl DistributedBuilder<'_> {
    /// The shape over all ranks.
    pub fn shape(mut self, shape: impl Into<Vec<usize>>) -> Self {
        self.shape = Some(shape.into());
        self
    }

    /// How far each axis can grow in a file that gets the dataset, `None` for without limit. In memory it keeps its shape while it is distributed.
    pub fn maxshape(mut self, maxshape: impl Into<Vec<Option<usize>>>) -> Self {
        self.maxshape = Some(maxshape.into());
        self
    }

    /// The axis that is split over the ranks, a negative one from the end; 0, or that of the data, when not given.
    pub fn axis(mut self, axis: impl Into<Axis>) -> Self {
        self.axis = Some(axis.into());
        self
    }

    /// The type of the elements, which must be plain: no strings of variable length, no references. That of the data, or f64, when not given.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// How data of another type may be converted to [`dtype`](Self::dtype); [`Cast::Exact`] when not given.
    pub fn cast(mut self, cast: Cast) -> Self {
        self.cast = cast;
        self
    }

    /// The shape of the chunks in a file.
    pub fn chunks(mut self, chunks: impl Into<Vec<usize>>) -> Self {
        self.layout = Layout::Chunked(chunks.into());
        self
    }

    /// The layout in a file.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Adds a filter behind those given before.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Adds filters behind those given before.
    pub fn filters(mut self, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.filters.extend(filters);
        self
    }

    /// What elements are before they are written: one element, converted exactly to the dataset's type.
    pub fn fill_value(mut self, value: impl IntoArray) -> Self {
        self.fill = Some(value.into_array());
        self
    }

    /// Lists the attributes in the order in which they are made.
    pub fn track_order(mut self, track: bool) -> Self {
        self.track_order = track;
        self
    }

    /// Replaces what has that name, if anything does.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Leaves the elements what the memory holds: the caller writes all of them before one is read.
    pub(crate) fn unwritten(mut self, unwritten: bool) -> Self {
        self.unwritten = unwritten;
        self
    }

    /// Takes over everything of a spec.
    pub fn spec(mut self, spec: &DatasetSpec) -> Self {
        self.shape.clone_from(&spec.shape);
        self.maxshape.clone_from(&spec.maxshape);
        self.dtype = Some(spec.dtype.clone());
        self.layout = spec.layout.clone();
        self.filters.clone_from(&spec.filters);
        self.fill = match &spec.fill {
            Fill::Value(v) => Some(Ok(v.clone())),
            _ => None,
        };
        self.track_order = spec.track_order;
        self
    }

    /// Makes the dataset, filled with its fill value, or zeros.
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments.
    ///
    /// # Errors
    /// `Unsupported` in a tree that no ranks share, and for elements that are not plain; `AlreadyExists`, `NotAGroup`, `InvalidName`, `Shape`, `Dtype`,
    /// `InvalidArgument` (also for an axis that is not there); `Collective` if the ranks disagree.
    pub fn create(self) -> Result<MemDatasetDistributed> {
        let call = self.call();
        let (group, place) = (self.group, (call.path.clone(), call.operation.clone()));
        let make = || {
            let dtype = self.dtype.clone().unwrap_or(DType::F64);
            let Some(shape) = self.shape.clone() else {
                return Err(error!(Shape, "a dataset needs a shape or data").remedy("say .shape(..) or .write(array)"));
            };
            let spec = self.spec_for(dtype, shape)?;
            let ranks = group.0.ranks()?;
            let (axis, comm) = (self.axis.unwrap_or(Axis::from(0)), ranks.comm().clone());
            let (dtype, shape) = (spec.dtype.clone(), spec.shape.clone().unwrap_or_default());
            let array = match &spec.fill {
                _ if self.unwritten => DistributedArray::to_overwrite(dtype, shape, axis, comm)?,
                Fill::Value(value) => DistributedArray::full(dtype, shape, axis, value, comm)?,
                _ => DistributedArray::zeros(dtype, shape, axis, comm)?,
            };
            self.put(array, &spec)
        };
        group.0.together(|| call.clone(), || make().with_context(|| place.clone()))
    }

    /// Makes the dataset of an array, which is adopted without a copy if it has the wanted type and axis, else converted, and redistributed.
    ///
    /// ```
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// use memh5::{DType, MemGroup};
    /// ThreadComm::run(3, |comm| {
    ///     let root = MemGroup::distributed(comm.clone());
    ///     let array = DistributedArray::ones(DType::F64, [7, 5], 0, comm)?;
    ///     let vis = root.create_distributed("vis").axis(1).write(array)?;
    ///     assert_eq!((vis.distributed_axis()?, vis.local_shape()?[0]), (1, 7));
    ///     Ok(())
    /// })?;
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments.
    ///
    /// # Errors
    /// As [`create`](Self::create); `Shape` if the array has not the shape that was given, `Dtype` if it cannot be converted, `InvalidArgument` if it
    /// is on another communicator.
    pub fn write(self, array: DistributedArray) -> Result<MemDatasetDistributed> {
        let call = self.call();
        let (group, place) = (self.group, (call.path.clone(), call.operation.clone()));
        // The axis to go to, if it is another one. What is wrong with it is found below.
        let target = self.axis.and_then(|axis| axis.resolve(array.ndim()).ok()).filter(|axis| *axis != array.axis());
        let from = array.axis();
        let prepare = || {
            let ranks = group.0.ranks()?;
            ranks.check_comm(array.comm())?;
            if let Some(axis) = self.axis {
                axis.resolve(array.ndim())?;
            }
            if let Some(shape) = &self.shape
                && shape[..] != *array.global_shape()
            {
                bail!(Shape, "an array of shape {:?} does not fit a dataset of shape {shape:?}", array.global_shape());
            }
            let spec = self.spec_for(self.dtype.clone().unwrap_or_else(|| array.dtype().clone()), array.global_shape().to_vec())?;
            if *array.dtype() == spec.dtype {
                return Ok((array, spec));
            }
            let (shape, axis, comm) = (array.global_shape().to_vec(), array.axis(), array.comm().clone());
            let local = array.into_local().astype(&spec.dtype, self.cast)?;
            Ok((DistributedArray::from_parts(local, shape, axis, comm)?, spec))
        };
        let place = || place.clone();
        match (target, group.0.ranks()) {
            (Some(axis), Ok(ranks)) => ranks.exchange(
                || call.clone(),
                || {
                    let (array, spec) = prepare().with_context(place)?;
                    let details = format!("{} {:?} from axis {from} to {axis}", spec.dtype, spec.shape);
                    Ok(((array, spec), details))
                },
                |(array, spec)| array.redistribute(axis).and_then(|array| self.put(array, &spec)).with_context(place),
            ),
            _ => group.0.together(|| call.clone(), || prepare().and_then(|(array, spec)| self.put(array, &spec)).with_context(place)),
        }
    }

    fn call(&self) -> CollectiveCall {
        CollectiveCall::new("create the distributed dataset", path::join(&self.group.name(), &self.name))
    }

    /// What the dataset is to be, checked.
    fn spec_for(&self, dtype: DType, shape: Vec<usize>) -> Result<DatasetSpec> {
        let fill = match &self.fill {
            Some(value) => Fill::Value(value.clone()?.astype(&dtype, Cast::Exact)?),
            None => Fill::Default,
        };
        let spec = DatasetSpec {
            dtype,
            shape: Some(shape),
            maxshape: self.maxshape.clone(),
            layout: self.layout.clone(),
            filters: self.filters.clone(),
            fill,
            track_order: self.track_order,
        };
        spec.validate()?;
        Ok(spec)
    }

    /// Gives the dataset its name.
    fn put(&self, array: DistributedArray, spec: &DatasetSpec) -> Result<MemDatasetDistributed> {
        if self.overwrite
            && let Ok((parent, last)) = resolve::parent(self.group, &self.name)
        {
            parent.check_allowed(&|| path::join(&parent.name(), last), true)?;
            parent.unlink(last)?;
        }
        let (parent, last) = resolve::new_parent(self.group, &self.name, true)?;
        let Some(parent) = parent.as_any().downcast_ref::<MemGroup>() else {
            bail!(Unsupported, "the name leads into a file, which cannot hold what is spread over ranks in memory")
        };
        let node = node_of(Content::Distributed(Box::new(array)), spec);
        parent.0.add(&last, node).map(MemDatasetDistributed)
    }
}
