//! Datasets: a named array with a fixed element type.

use super::collective::{CollectiveCall, together};
use super::group::Object;
use super::regions::{RegionColumn, RowRegions};
use super::spec::DatasetSpec;
use crate::array::{AnyArray, Element, FromArray, IntoArray};
use crate::dtype::{Cast, DType};
use crate::error::{Context, Result, bail};
use crate::selection::Selection;
use ndarray::ArrayD;
use std::sync::Arc;

/// A dataset of any backend. A handle: cheap to clone, and never stale.
pub type DatasetRef = Arc<dyn Dataset>;

/// A dataset. Implemented by backends; users call [`DatasetExt`].
pub trait Dataset: Object {
    /// This, for the extension traits. (`self`.)
    fn as_dataset(&self) -> &dyn Dataset;

    /// The type of the elements, as it is stored.
    fn dtype(&self) -> Result<DType>;

    /// The shape; empty for a scalar, `None` for a null dataspace.
    fn extent(&self) -> Result<Option<Vec<usize>>>;

    /// What would make an equal empty dataset: `maxshape`, layout, filters, fill value.
    fn spec(&self) -> Result<DatasetSpec>;

    /// Reads the selected elements; the result has the stored dtype and the selection's shape.
    fn read_selection(&self, selection: &Selection) -> Result<AnyArray>;

    /// Reads the selected elements wherever they lie: where ranks share the tree, every rank gets all of them, and the call is collective. Elsewhere it is
    /// [`read_selection`](Self::read_selection).
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same selection.
    fn read_together(&self, selection: &Selection) -> Result<AnyArray> {
        self.read_selection(selection)
    }

    /// Writes the selected elements.
    ///
    /// The extension trait has made the data fit: their dtype has [the same values](DType::same_values) as the dataset's and their
    /// shape is exactly the selection's.
    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()>;

    /// Changes the length of the axes; new elements have the fill value. The extension trait has checked shape and `maxshape`.
    fn set_extent(&self, shape: &[usize]) -> Result<()>;

    /// The filters as the file holds them: for each its registered number and its parameters, those that the library added included.
    /// In memory: those that a file would get, as far as they are known before it is written.
    fn stored_filters(&self) -> Result<Vec<(u32, Vec<u32>)>> {
        let spec = self.spec()?;
        Ok(spec.filters.iter().map(|f| (f.id(), f.stored_values(&spec))).collect())
    }

    /// How far each axis can grow, as in the spec.
    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        Ok(self.spec()?.maxshape)
    }

    /// Grows axis 0 by rows that the extension trait has made fit: their type, their other axes, the `maxshape`. The length stays if it
    /// fails.
    fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        let (Some(before), Some(added)) = (self.extent()?, rows.shape().first()) else { bail!(Shape, "a scalar dataset cannot grow") };
        let Some(old) = before.first() else { bail!(Shape, "a scalar dataset cannot grow") };
        let mut shape = before.clone();
        shape[0] = old + added;
        self.set_extent(&shape)?;
        let item = crate::selection::Item::Range { start: i64::try_from(*old).ok(), stop: None, step: 1 };
        self.write_selection(&item.into(), rows).inspect_err(|_| {
            let _ = self.set_extent(&before);
        })
    }

    /// Grows axis 0 of a table of region references by rows that are given as numbers: one column for each reference of an element (or of
    /// a row, where there are two axes). `false`, and nothing is done, where [`append_rows`](Self::append_rows) is as good.
    ///
    /// In a file the references lead somewhere once it was closed, and not before.
    fn append_regions(&self, columns: &[RowRegions]) -> Result<bool> {
        let _ = columns;
        Ok(false)
    }

    /// A whole table of region references as numbers, column by column; `None` where [`read_selection`](Self::read_selection) is as good.
    fn read_regions(&self) -> Result<Option<Vec<RegionColumn>>> {
        Ok(None)
    }

    /// Hands what was written to the operating system.
    fn flush_dataset(&self) -> Result<()> {
        Ok(())
    }
}

/// Reads, writes and questions on a dataset of any backend.
///
/// ```
/// use memh5::{MemGroup, prelude::*};
/// use ndarray::array;
/// let group = MemGroup::new();
/// let vis = group.create_dataset("vis").write(array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(vis.shape()?, [2, 2]);
/// vis.write_slice((0, ..), vec![9.0, 8.0])?;
/// assert_eq!(vis.read::<f64>()?, array![[9.0, 8.0], [3.0, 4.0]].into_dyn());
/// assert_eq!(vis.read_slice::<Vec<f64>>((.., -1))?, [8.0, 4.0]);
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Collective
/// In a tree that ranks share, [`resize`](DatasetExt::resize), [`append`](DatasetExt::append) and [`push_rows`](DatasetExt::push_rows) are calls of all
/// ranks, with the same arguments. All else is local; what of a distributed dataset lies on other ranks, [`Dataset::read_together`] reads.
pub trait DatasetExt: Dataset {
    /// The shape; empty for a scalar.
    ///
    /// # Errors
    /// `Shape` if the dataset has a null dataspace and so no shape ([`Dataset::extent`] says so without an error), `Closed`.
    fn shape(&self) -> Result<Vec<usize>> {
        match self.extent()? {
            Some(shape) => Ok(shape),
            None => bail!(Shape, "the dataset '{}' has a null dataspace: a type, and no elements", self.name()),
        }
    }

    /// The number of axes; 0 for a scalar.
    ///
    /// # Errors
    /// As [`shape`](DatasetExt::shape).
    fn ndim(&self) -> Result<usize> {
        Ok(self.shape()?.len())
    }

    /// The number of elements; 0 for a null dataspace.
    ///
    /// # Errors
    /// `Closed`.
    fn size(&self) -> Result<usize> {
        Ok(self.extent()?.map_or(0, |s| s.iter().product()))
    }

    /// The length of axis 0.
    ///
    /// # Errors
    /// `Shape` if the dataset is a scalar or null.
    fn len(&self) -> Result<usize> {
        match self.shape()?.first() {
            Some(n) => Ok(*n),
            None => bail!(Shape, "the dataset '{}' is a scalar and has no length", self.name()),
        }
    }

    /// True if there are no elements.
    ///
    /// # Errors
    /// `Closed`.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.size()? == 0)
    }

    /// How far each axis can grow, `None` for without limit; the shape where it cannot.
    ///
    /// # Errors
    /// As [`shape`](DatasetExt::shape).
    fn maxshape(&self) -> Result<Vec<Option<usize>>> {
        match self.spec()?.maxshape {
            Some(max) => Ok(max),
            None => Ok(self.shape()?.into_iter().map(Some).collect()),
        }
    }

    /// All elements as a numeric array.
    ///
    /// # Errors
    /// `Dtype` if the elements are not of this type ([`read_as`](DatasetExt::read_as) converts), `Corrupt`, `Io`.
    fn read<T: Element>(&self) -> Result<ArrayD<T>> {
        self.read_slice(Selection::All)
    }

    /// The selected elements as a Rust type: a number, `String`, `Vec` of them, an `ndarray` array (`Array2`, `ArrayD`), or [`AnyArray`]. All of them: `(..)`.
    ///
    /// # Errors
    /// `Selection` if it does not fit the shape; `Dtype` or `Shape` if the result is not of this type.
    fn read_slice<T: FromArray>(&self, selection: impl Into<Selection>) -> Result<T> {
        let read = || T::from_array(self.read_selection(&selection.into())?);
        read().with_context(|| (self.name(), "read the dataset"))
    }

    /// All elements, with their stored dtype. In memory it is a snapshot: no copy.
    ///
    /// # Errors
    /// `Corrupt`, `Io`, `Unsupported` if a filter of the file is missing.
    fn read_array(&self) -> Result<AnyArray> {
        self.read_slice(Selection::All)
    }

    /// All elements converted to a numeric type.
    ///
    /// # Errors
    /// `Dtype` if a value cannot be converted under the policy.
    fn read_as<T: Element>(&self, cast: Cast) -> Result<ArrayD<T>> {
        let read = || ArrayD::from_array(self.read_array()?.astype(&T::DTYPE, cast)?);
        read().with_context(|| (self.name(), "read the dataset"))
    }

    /// Writes all elements. The data must have the dataset's shape, or broadcast to it as numpy does.
    ///
    /// # Errors
    /// `Shape`, `Dtype` (a value that the dataset's type cannot hold exactly), `ReadOnly`, `Io`.
    fn write(&self, data: impl IntoArray) -> Result<()> {
        self.write_slice(Selection::All, data)
    }

    /// Writes the selected elements. The data must have the selection's shape, or broadcast to it as numpy does.
    ///
    /// A list with duplicates writes in order: the last one stays.
    ///
    /// # Errors
    /// `Selection`, `Shape`, `Dtype` (a value that the dataset's type cannot hold exactly), `ReadOnly`, `Io`.
    fn write_slice(&self, selection: impl Into<Selection>, data: impl IntoArray) -> Result<()> {
        let selection = selection.into();
        let write = || {
            let Some(shape) = self.extent()? else { bail!(Shape, "a dataset with a null dataspace has no elements to write") };
            let wanted = selection.resolve(&shape)?.shape();
            let dtype = self.dtype()?;
            let mut data = data.into_array()?;
            if data.is_null() {
                bail!(Shape, "a null array has no elements to write");
            }
            if *data.dtype() != dtype {
                data = data.astype(&dtype, Cast::Exact)?;
            }
            if data.shape() != wanted {
                data = data.broadcast(&wanted)?;
            }
            data.check_storable()?;
            self.write_selection(&selection, &data)
        };
        write().with_context(|| (self.name(), "write the dataset"))
    }

    /// All elements as Rust structs (or any other type that serde reads), in C order; fields are found by name.
    ///
    /// See [`AnyArray::to_rows`] and, for an example, [`DatasetBuilder::write_rows`](super::DatasetBuilder::write_rows).
    ///
    /// # Errors
    /// `Dtype`, with row and field, if the struct has a field that the dataset lacks, or a value does not fit.
    fn read_rows<T: serde::de::DeserializeOwned>(&self) -> Result<Vec<T>> {
        let read = || self.read_array()?.to_rows();
        read().context(&self.name(), "read the dataset")
    }

    /// Writes all elements from Rust structs, each field to the one of its name.
    ///
    /// # Errors
    /// As [`write`](DatasetExt::write); `Dtype`, with row and field, if a field is missing on either side, or a value does not fit.
    fn write_rows<T: serde::Serialize>(&self, rows: &[T]) -> Result<()> {
        let data = || AnyArray::from_rows_as(&self.dtype()?, rows);
        self.write(data().context(&self.name(), "write the dataset")?)
    }

    /// Grows axis 0 by Rust structs, each field to the one of its name.
    ///
    /// # Errors
    /// As [`append`](DatasetExt::append) and [`write_rows`](DatasetExt::write_rows).
    fn push_rows<T: serde::Serialize>(&self, rows: &[T]) -> Result<()> {
        together(
            self,
            || append_call(self),
            || {
                let data = || AnyArray::from_rows_as(&self.dtype()?, rows);
                self.append(data().context(&self.name(), "append to the dataset")?)
            },
        )
    }

    /// Changes the length of the axes, within `maxshape`; new elements have the fill value.
    ///
    /// # Errors
    /// `Shape` if the rank differs, an axis would pass its `maxshape`, or the dataset was made without one; `ReadOnly`.
    fn resize(&self, shape: impl AsRef<[usize]>) -> Result<()> {
        let shape = shape.as_ref();
        let resize = || {
            let old = self.shape()?;
            if shape.len() != old.len() {
                bail!(Shape, "the shape {old:?} cannot be resized to {shape:?}: the number of axes stays");
            }
            if shape == old {
                return Ok(());
            }
            check_growth(self.max_extent()?.as_deref(), &old, shape)?;
            self.set_extent(shape)
        };
        let call = || CollectiveCall::new("resize the dataset", self.name()).with(format!("{shape:?}"));
        together(self, call, || resize().with_context(|| (self.name(), "resize the dataset")))
    }

    /// Grows axis 0 and writes the data there; the data have the dataset's other axes, with or without axis 0 (one row).
    ///
    /// # Errors
    /// As [`resize`](DatasetExt::resize) and [`write`](DatasetExt::write); the length stays if it fails.
    fn append(&self, data: impl IntoArray) -> Result<()> {
        let append = || {
            let mut data = data.into_array()?;
            let mut shape = self.shape()?;
            let Some(&old) = shape.first() else { bail!(Shape, "a scalar dataset cannot grow") };
            if data.is_null() {
                bail!(Shape, "a null array has no rows to append");
            }
            let rows = match data.shape() {
                s if s == &shape[1..] => 1,
                s if s.len() == shape.len() && s[1..] == shape[1..] => s[0],
                s => bail!(Shape, "data of shape {s:?} cannot be appended to a dataset of shape {shape:?}"),
            };
            let Some(end) = old.checked_add(rows) else { bail!(Shape, "axis 0 cannot grow past the address space") };
            let mut grown = shape.clone();
            grown[0] = end;
            check_growth(self.max_extent()?.as_deref(), &shape, &grown)?;
            let dtype = self.dtype()?;
            if !data.dtype().same_values(&dtype) {
                data = data.astype(&dtype, Cast::Exact)?;
            }
            data.check_storable()?;
            shape[0] = rows;
            if data.shape() != shape {
                data = data.reshape(&shape)?;
            }
            self.append_rows(&data)
        };
        together(self, || append_call(self), || append().with_context(|| (self.name(), "append to the dataset")))
    }
}

impl<D: Dataset + ?Sized> DatasetExt for D {}

fn append_call(dataset: &(impl Dataset + ?Sized)) -> CollectiveCall {
    CollectiveCall::new("append to the dataset", dataset.name())
}

/// Checks that a dataset can change its shape; both have the same number of axes.
fn check_growth(limits: Option<&[Option<usize>]>, old: &[usize], new: &[usize]) -> Result<()> {
    let Some(limits) = limits else {
        return Err(crate::error::error!(Shape, "the dataset was made without a maxshape and keeps its shape {old:?}")
            .remedy("create it with .maxshape(..) to make it resizable"));
    };
    for (axis, (n, limit)) in new.iter().zip(limits).enumerate() {
        if let Some(limit) = limit
            && n > limit
        {
            bail!(Shape, "axis {axis} cannot grow to {n}: its maxshape is {limit}");
        }
    }
    Ok(())
}
