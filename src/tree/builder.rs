//! The builder of a dataset.

use super::collective::{CollectiveCall, together};
use super::dataset::DatasetRef;
use super::group::{Group, GroupExt};
use super::resolve;
use super::spec::{DatasetSpec, Fill, Filter, Layout};
use crate::array::{AnyArray, IntoArray};
use crate::dtype::{Cast, DType};
use crate::error::{Context, Result, error};
use crate::path;

/// Makes a dataset: say what it is to be, then `create()` it filled, or `write(data)`.
///
/// ```
/// use memh5::{DType, Filter, MemGroup, prelude::*};
/// let group = MemGroup::new();
/// let log = group
///     .create_dataset("log")
///     .shape([0, 4])
///     .maxshape([None, Some(4)])
///     .dtype(DType::F32)
///     .chunks([1024, 4])
///     .filter(Filter::Shuffle)
///     .filter(Filter::Gzip(4))
///     .fill_value(f32::NAN)
///     .create()?;
/// log.append(ndarray::Array2::<f32>::ones((10, 4)))?;
/// assert_eq!(log.shape()?, [10, 4]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[must_use = "nothing is made before create() or write(..)"]
pub struct DatasetBuilder<'g> {
    group: &'g dyn Group,
    name: String,
    shape: Option<Option<Vec<usize>>>,
    dtype: Option<DType>,
    cast: Cast,
    maxshape: Option<Vec<Option<usize>>>,
    layout: Layout,
    filters: Vec<Filter>,
    fill: Option<Result<AnyArray>>,
    undefined_fill: bool,
    track_order: bool,
    overwrite: bool,
}

impl<'g> DatasetBuilder<'g> {
    pub(crate) fn new(group: &'g dyn Group, name: &str) -> Self {
        Self {
            group,
            name: name.to_owned(),
            shape: None,
            dtype: None,
            cast: Cast::Exact,
            maxshape: None,
            layout: Layout::Auto,
            filters: Vec::new(),
            fill: None,
            undefined_fill: false,
            track_order: false,
            overwrite: false,
        }
    }

    /// The shape; empty for a scalar. With data, the data are broadcast to it, or reshaped if they have as many elements.
    pub fn shape(mut self, shape: impl Into<Vec<usize>>) -> Self {
        self.shape = Some(Some(shape.into()));
        self
    }

    /// A null dataspace: a type, and no elements.
    pub fn null(mut self) -> Self {
        self.shape = Some(None);
        self
    }

    /// The type of the elements; that of the data, or f64, when not given. Data of another type are converted exactly, or not at all.
    pub fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// How data of another type may be converted to [`dtype`](Self::dtype); [`Cast::Exact`] when not given.
    pub fn cast(mut self, cast: Cast) -> Self {
        self.cast = cast;
        self
    }

    /// How far each axis can grow, `None` for without limit.
    pub fn maxshape(mut self, maxshape: impl Into<Vec<Option<usize>>>) -> Self {
        self.maxshape = Some(maxshape.into());
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

    /// Shuffle and gzip of that level (0 to 9): what h5py's `compression="gzip", shuffle=True` does.
    pub fn gzip(self, level: u8) -> Self {
        self.filter(Filter::Shuffle).filter(Filter::Gzip(level))
    }

    /// What unwritten elements are: one element, converted exactly to the dataset's type.
    pub fn fill_value(mut self, value: impl IntoArray) -> Self {
        self.fill = Some(value.into_array());
        self
    }

    /// Leaves unwritten elements undefined in a file (in memory they are zero).
    pub fn undefined_fill(mut self) -> Self {
        self.undefined_fill = true;
        self
    }

    /// Lists the attributes in the order in which they are made.
    pub fn track_order(mut self, track: bool) -> Self {
        self.track_order = track;
        self
    }

    /// Replaces what has that name, if anything does. The new dataset is complete before the old name goes.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Takes over everything of a spec.
    pub fn spec(mut self, spec: &DatasetSpec) -> Self {
        self.shape = Some(spec.shape.clone());
        self.dtype = Some(spec.dtype.clone());
        self.maxshape = spec.maxshape.clone();
        self.layout = spec.layout.clone();
        self.filters = spec.filters.clone();
        self.undefined_fill = matches!(spec.fill, Fill::Undefined);
        self.fill = match &spec.fill {
            Fill::Value(v) => Some(Ok(v.clone())),
            _ => None,
        };
        self.track_order = spec.track_order;
        self
    }

    /// Makes the dataset, filled with its fill value.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotAGroup`, `InvalidName`, `Shape` (also when no shape was given), `Dtype`, `InvalidArgument`, `ReadOnly`, `Io`.
    pub fn create(self) -> Result<DatasetRef> {
        self.finish(|_| Ok(None))
    }

    /// Makes the dataset and writes the data: all of it, or nothing is there.
    ///
    /// # Errors
    /// As [`create`](Self::create); `Shape` or `Dtype` if the data do not fit.
    pub fn write(self, data: impl IntoArray) -> Result<DatasetRef> {
        self.finish(|_| data.into_array().map(Some))
    }

    /// Makes the dataset with one element for each row: structs become a compound, as [`AnyArray::from_rows`] infers it, or the
    /// [`dtype`](Self::dtype) that was given, field by field by name.
    ///
    /// ```
    /// use memh5::{MemGroup, prelude::*};
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Event {
    ///     time: f64,
    ///     label: String,
    /// }
    /// let events = vec![Event { time: 0.5, label: "start".into() }, Event { time: 9.0, label: "end".into() }];
    /// let group = MemGroup::new();
    /// let log = group.create_dataset("events").maxshape([None]).write_rows(&events[..1])?;
    /// log.push_rows(&events[1..])?;
    /// assert_eq!(log.read_rows::<Event>()?, events);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`write`](Self::write); `Dtype`, with row and field, for a value that has no dtype or does not fit the one given.
    pub fn write_rows<T: serde::Serialize>(self, rows: &[T]) -> Result<DatasetRef> {
        self.finish(|builder| {
            let data = match &builder.dtype {
                Some(dtype) => AnyArray::from_rows_as(dtype, rows),
                None => AnyArray::from_rows(rows),
            };
            data.map(Some)
        })
    }

    fn finish(self, data: impl FnOnce(&Self) -> Result<Option<AnyArray>>) -> Result<DatasetRef> {
        let (group, name) = (self.group, self.name.clone());
        let place = || (path::join(&group.name(), &name), "create the dataset");
        let overwrite = self.overwrite;
        let call = || CollectiveCall::new(place().1, place().0).with(if overwrite { "overwrite" } else { "" });
        together(group, call, || {
            let make = || {
                let data = data(&self)?;
                self.make(data)
            };
            make().with_context(place)
        })
    }

    fn make(self, data: Option<AnyArray>) -> Result<DatasetRef> {
        let dtype = match (&self.dtype, &data) {
            (Some(dtype), _) => dtype.clone(),
            (None, Some(data)) => data.dtype().clone(),
            (None, None) => DType::F64,
        };
        let shape = match (self.shape, &data) {
            (Some(shape), _) => shape,
            (None, Some(data)) => data.extent().map(<[usize]>::to_vec),
            (None, None) => return Err(error!(Shape, "a dataset needs a shape or data").remedy("say .shape(..) or .write(data)")),
        };
        let fill = match self.fill {
            Some(value) => {
                let value = value?;
                Fill::Value(value.astype(&dtype, Cast::Exact)?)
            }
            None if self.undefined_fill => Fill::Undefined,
            None => Fill::Default,
        };
        let mut spec = DatasetSpec {
            dtype,
            shape,
            maxshape: self.maxshape,
            layout: self.layout,
            filters: self.filters,
            fill,
            track_order: self.track_order,
        };
        spec.validate()?;
        // What can grow nowhere is fixed; a file cannot tell the two apart.
        let fixed = |shape: &Vec<usize>| spec.maxshape.iter().flatten().zip(shape).all(|(max, n)| *max == Some(*n));
        if spec.shape.as_ref().is_some_and(fixed) {
            spec.maxshape = None;
        }
        let data = data.map(|data| fit(data, &spec, self.cast)).transpose()?;
        if !self.overwrite {
            let (parent, last) = resolve::new_parent(self.group, &self.name, true)?;
            return parent.new_dataset(&last, &spec, data);
        }
        match resolve::parent(self.group, &self.name) {
            Ok((parent, last)) if parent.child_link(last)?.is_some() => {
                parent.check_allowed(&|| path::join(&parent.name(), last), true)?;
                let mut temporary = format!(".{last}.new");
                while parent.child_link(&temporary)?.is_some() {
                    temporary.push('+');
                }
                parent.new_dataset(&temporary, &spec, data)?;
                parent.unlink(last)?;
                parent.move_child(&temporary, &*parent, last)?;
                parent.dataset(last)
            }
            _ => {
                let (parent, last) = resolve::new_parent(self.group, &self.name, true)?;
                parent.new_dataset(&last, &spec, data)
            }
        }
    }
}

/// Makes data fit a spec: its type, then its shape.
fn fit(data: AnyArray, spec: &DatasetSpec, cast: Cast) -> Result<AnyArray> {
    let data = if *data.dtype() == spec.dtype { data } else { data.astype(&spec.dtype, cast)? };
    data.check_storable()?;
    match &spec.shape {
        Some(shape) if data.is_null() => Err(error!(Shape, "a null array has no elements for the shape {shape:?}")),
        None if data.is_null() => Ok(data),
        None => Err(error!(Shape, "a null dataset holds no data")),
        Some(shape) if data.shape() == shape => Ok(data),
        Some(shape) if data.len() == shape.iter().product::<usize>() => data.reshape(shape),
        Some(shape) => data.broadcast(shape),
    }
}
