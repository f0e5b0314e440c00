//! Arrays that are split over ranks along one axis.
//!
//! Each rank of a communicator holds one block of a [`DistributedArray`]: all indices of the array but for one axis, of which it holds the range that the
//! [`Partition`] rule gives it. What the array *is* (global shape, element type, axis) is the same on all ranks, so that every check on it gives the
//! same answer everywhere.
//!
//! # What communicates
//! Only these are collective (all ranks call them, in the same order), and each says so:
//! [`wrap`](DistributedArray::wrap), [`redistribute`](DistributedArray::redistribute), [`gather`](DistributedArray::gather),
//! [`all_gather`](DistributedArray::all_gather), [`equal`](DistributedArray::equal), the reductions over axes that include the distributed one, and
//! [`GlobalSlice::all_gather`]. All else is local: construction, views, clones, global slices, elementwise work, transposition, reshaping.
//!
//! A collective call compares itself over the ranks before data move, and carries each rank's success: see [`agree`](super::agree).
//!
//! # Element types
//! Whatever has all its bytes in the element: numbers, bool, fixed-length strings, enumerations, opaque bytes, compounds and sub-arrays of them.
//! Variable-length strings and sequences, and references, are refused (`Unsupported`) when the array is made, so that every distributed array can be
//! redistributed and written collectively. Keep such data on all ranks as plain arrays.

mod accumulate;
mod construct;
mod elementwise;
mod equal;
pub(super) mod exchange;
mod fold;
mod gather;
mod global_slice;
mod operand;
mod positions;
mod redistribute;
mod reduce;
mod reshape;
mod set_slice;
mod share;
mod strided;
mod transpose;

pub use global_slice::GlobalSlice;
pub(super) use global_slice::{item as item_of, within as positions_in};
pub use operand::Operand;
pub use positions::Positions;
pub use reduce::{Axes, Reduced, Reduction};

use super::communicator::CommRef;
use super::partition::Partition;
use crate::array::{AnyArray, Element};
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use ndarray::{ArrayViewD, ArrayViewMutD};
use std::fmt;
use std::iter::Zip;
use std::ops::Range;

/// An array of which each rank holds one block. (caput's `MPIArray`.)
///
/// A handle to the rank's block: cloning shares the elements, writing copies them first if they are shared; neither communicates.
///
/// ```
/// use memh5::DType;
/// use memh5::distributed::{DistributedArray, ThreadComm};
///
/// let sums = ThreadComm::run(3, |comm| {
///     // Rows 0..4, 4..7 and 7..10.
///     let mut a = DistributedArray::zeros(DType::F64, [10, 4], 0, comm)?;
///     for (local, global) in a.enumerate(0)? {
///         a.local_view_mut::<f64>()?.index_axis_mut(ndarray::Axis(0), local).fill(global as f64);
///     }
///     // Now each rank has all rows of some columns.
///     let columns = a.redistribute(1)?;
///     assert_eq!(columns.local_shape()[0], 10);
///     columns.sum(..)?.into_plain()?.view::<f64>().map(|sum| sum[[]])
/// })?;
/// assert_eq!(sums, [180.0; 3]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct DistributedArray {
    comm: CommRef,
    axis: usize,
    global_shape: Vec<usize>,
    local: AnyArray,
}

/// The number of an axis; a negative one counts from the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis(isize);

macro_rules! axis_from {
    ($($t:ty),*) => {$(
        impl From<$t> for Axis {
            fn from(axis: $t) -> Self {
                Self(isize::try_from(axis).unwrap_or(isize::MAX))
            }
        }
    )*};
}
axis_from!(i32, isize, usize);

impl Axis {
    /// The axis of an array of so many axes.
    pub(crate) fn resolve(self, ndim: usize) -> Result<usize> {
        let at = if self.0 < 0 { ndim.checked_add_signed(self.0) } else { usize::try_from(self.0).ok() };
        match at {
            Some(axis) if axis < ndim => Ok(axis),
            _ if ndim == 0 => bail!(InvalidArgument, "a scalar has no axis that could be distributed"),
            _ => bail!(InvalidArgument, "there is no axis {}: the array has {ndim}", self.0),
        }
    }
}

impl DistributedArray {
    /// The shape of the whole array.
    pub fn global_shape(&self) -> &[usize] {
        &self.global_shape
    }

    /// The shape of this rank's block.
    pub fn local_shape(&self) -> &[usize] {
        self.local.shape()
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.global_shape.len()
    }

    /// The number of elements of the whole array.
    pub fn len(&self) -> usize {
        self.global_shape.iter().product()
    }

    /// True if the whole array has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The index of the block's first element in the whole array: 0 but on the distributed axis.
    pub fn local_offset(&self) -> Vec<usize> {
        let mut offset = vec![0; self.ndim()];
        offset[self.axis] = self.local_bounds().start;
        offset
    }

    /// The indices on the distributed axis that this rank holds.
    pub fn local_bounds(&self) -> Range<usize> {
        self.partition().range(self.comm.rank())
    }

    /// How the distributed axis is split.
    pub fn partition(&self) -> Partition {
        Partition::new(self.global_shape[self.axis], self.comm.size())
    }

    /// The distributed axis.
    pub fn axis(&self) -> usize {
        self.axis
    }

    /// The communicator over whose ranks the array is split.
    pub fn comm(&self) -> &CommRef {
        &self.comm
    }

    /// The element type.
    pub fn dtype(&self) -> &DType {
        self.local.dtype()
    }

    /// The bytes of this rank's block.
    pub fn local_nbytes(&self) -> usize {
        self.local.nbytes()
    }

    /// This rank's block.
    pub fn local_array(&self) -> &AnyArray {
        &self.local
    }

    /// This rank's block, moved out.
    pub fn into_local(self) -> AnyArray {
        self.local
    }

    /// This rank's block as an `ndarray` view, without a copy.
    ///
    /// # Errors
    /// `Dtype` if the elements are of another type.
    pub fn local_view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        self.local.view()
    }

    /// This rank's block as a mutable `ndarray` view; copies it first if somebody shares it.
    ///
    /// # Errors
    /// `Dtype` if the elements are of another type.
    pub fn local_view_mut<T: Element>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        self.local.view_mut()
    }

    /// The bytes of this rank's block for writing; copies it first if somebody shares it.
    #[cfg(feature = "hdf5")]
    pub(crate) fn local_bytes_mut(&mut self) -> Result<&mut [u8]> {
        Ok(self.local.raw_mut()?.0)
    }

    /// Replaces this rank's block by another of the same type and shape. Local.
    ///
    /// # Errors
    /// `Shape`, `Dtype` if it differs.
    pub fn set_local(&mut self, local: AnyArray) -> Result<()> {
        if local.extent() != self.local.extent() {
            bail!(Shape, "the block of rank {} has the shape {:?}, not {:?}", self.comm.rank(), self.local.shape(), local.shape());
        }
        self.local = local.with_dtype(self.local.dtype())?;
        Ok(())
    }

    /// The pairs of local and global index along an axis, for this rank's block.
    ///
    /// ```
    /// use memh5::DType;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let last = ThreadComm::run(2, |comm| {
    ///     let a = DistributedArray::zeros(DType::U8, [5], 0, comm)?;
    ///     Ok(a.enumerate(0)?.last())
    /// })?;
    /// assert_eq!(last, [Some((2, 2)), Some((1, 4))]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such axis.
    pub fn enumerate(&self, axis: impl Into<Axis>) -> Result<Zip<Range<usize>, Range<usize>>> {
        let axis = axis.into().resolve(self.ndim())?;
        let start = if axis == self.axis { self.local_bounds().start } else { 0 };
        let count = self.local.shape()[axis];
        Ok((0..count).zip(start..start + count))
    }

    /// True if both are of the same communicator, global shape and axis, so that their blocks match.
    pub fn same_distribution(&self, other: &Self) -> bool {
        self.comm.id() == other.comm.id() && self.axis == other.axis && self.global_shape == other.global_shape
    }

    /// The array of this distribution with another block of the right shape, which the caller has made.
    fn with_local(&self, local: AnyArray) -> Self {
        Self { comm: self.comm.clone(), axis: self.axis, global_shape: self.global_shape.clone(), local }
    }
}

impl fmt::Debug for DistributedArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds = self.local_bounds();
        write!(f, "DistributedArray({} {:?}, axis {}", self.dtype(), self.global_shape, self.axis)?;
        write!(f, ", rank {} of {} has {}..{})", self.comm.rank(), self.comm.size(), bounds.start, bounds.end)
    }
}

/// Refuses what cannot be exchanged as bytes.
fn check_dtype(dtype: &DType) -> Result<()> {
    if dtype.is_plain() {
        return Ok(());
    }
    Err(error!(Unsupported, "elements of type {dtype} cannot be distributed: they do not have all their bytes in the element")
        .remedy("keep them on all ranks as a plain array"))
}

/// The shape of the block of a rank.
fn block_shape(global_shape: &[usize], axis: usize, comm: &CommRef) -> Vec<usize> {
    let mut shape = global_shape.to_vec();
    shape[axis] = Partition::new(shape[axis], comm.size()).count(comm.rank());
    shape
}
