//! What a distributed array can be combined with, and which of its elements meet.

use super::{DistributedArray, GlobalSlice};
use crate::array::{AnyArray, Element};
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::selection::{Item, Selection};
use std::borrow::Cow;
use std::ops::Range;

/// The other side of an elementwise operation or an assignment.
///
/// Axes are matched from the last one, and one of length 1 (or a missing one) repeats, as numpy does; shapes are those of *whole* arrays, so that the
/// result does not depend on the number of ranks. Made from references to arrays, and from numbers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Operand<'a> {
    /// An array that all ranks have alike. On the distributed axis it has the length 1, or the whole global length: then each rank takes its block.
    Plain(Cow<'a, AnyArray>),
    /// A distributed array: its distributed axis falls on that of the other side, with the same length, on the same communicator.
    Distributed(&'a DistributedArray),
    /// What each rank has of a selection: only for an assignment to a selection of the same indices of the distributed axis.
    Slice(&'a GlobalSlice),
}

impl Operand<'_> {
    /// The element type.
    pub fn dtype(&self) -> &DType {
        match self {
            Self::Plain(array) => array.dtype(),
            Self::Distributed(array) => array.dtype(),
            Self::Slice(slice) => slice.dtype(),
        }
    }
}

impl<'a> From<&'a AnyArray> for Operand<'a> {
    fn from(array: &'a AnyArray) -> Self {
        Self::Plain(Cow::Borrowed(array))
    }
}
impl From<AnyArray> for Operand<'_> {
    fn from(array: AnyArray) -> Self {
        Self::Plain(Cow::Owned(array))
    }
}
impl<'a> From<&'a DistributedArray> for Operand<'a> {
    fn from(array: &'a DistributedArray) -> Self {
        Self::Distributed(array)
    }
}
impl<'a> From<&'a GlobalSlice> for Operand<'a> {
    fn from(slice: &'a GlobalSlice) -> Self {
        Self::Slice(slice)
    }
}
impl<T: Element> From<T> for Operand<'_>
where
    AnyArray: From<T>,
{
    fn from(number: T) -> Self {
        Self::Plain(Cow::Owned(number.into()))
    }
}

/// The shape to which two broadcast.
pub(super) fn broadcast_shape(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let ndim = a.len().max(b.len());
    let length = |shape: &[usize], k: usize| (k + shape.len()).checked_sub(ndim).map_or(1, |k| shape[k]);
    (0..ndim)
        .map(|k| match (length(a, k), length(b, k)) {
            (x, y) if x == y => Ok(x),
            (1, y) => Ok(y),
            (x, 1) => Ok(x),
            _ => bail!(Shape, "the shapes {a:?} and {b:?} cannot be broadcast together"),
        })
        .collect()
}

/// The block of a plain array that meets a range of an axis, the axis counted from the last (1 is the last one).
pub(super) fn plain_block(array: &AnyArray, from_last: usize, length: usize, block: Range<usize>) -> Result<AnyArray> {
    let Some(axis) = array.ndim().checked_sub(from_last) else { return Ok(array.clone()) };
    if array.shape()[axis] == 1 && length != 1 {
        return Ok(array.clone());
    }
    let mut items = vec![Item::FULL; array.ndim()];
    items[axis] = block.into();
    array.select(Selection::Axes(items))
}

/// Two operands whose elements meet: the distribution of the result, and both sides' local parts, which broadcast to its block.
pub(super) struct Aligned {
    pub global_shape: Vec<usize>,
    pub axis: usize,
    pub other: AnyArray,
}

/// Checks the rules of distribution. All answers follow from what all ranks know.
pub(super) fn align(left: &DistributedArray, right: &Operand<'_>) -> Result<Aligned> {
    let from_last = left.ndim() - left.axis;
    let length = left.global_shape[left.axis];
    let (shape, other) = match right {
        Operand::Slice(_) => {
            return Err(
                error!(InvalidArgument, "the part of a selection cannot be combined with an array").remedy("use its distributed array")
            );
        }
        Operand::Distributed(right) => {
            if right.comm.id() != left.comm.id() {
                bail!(InvalidArgument, "the arrays are on different communicators");
            }
            let (theirs, wide) = (right.ndim() - right.axis, right.global_shape[right.axis]);
            if theirs != from_last {
                bail!(
                    InvalidArgument,
                    "the distributed axes do not meet: axis {} of {:?} and axis {} of {:?}",
                    left.axis,
                    left.global_shape,
                    right.axis,
                    right.global_shape
                );
            }
            if wide != length {
                bail!(
                    Shape,
                    "the distributed axes have different lengths: {length} of {:?} and {wide} of {:?}",
                    left.global_shape,
                    right.global_shape
                );
            }
            (right.global_shape.as_slice(), right.local.clone())
        }
        Operand::Plain(array) => {
            let Some(shape) = array.extent() else { bail!(Shape, "a null dataspace has no elements to combine") };
            let on_axis = shape.len().checked_sub(from_last).map_or(1, |axis| shape[axis]);
            if on_axis != 1 && on_axis != length {
                return Err(error!(
                    Shape,
                    "a plain array of shape {shape:?} does not fit the distributed axis {} of {:?}", left.axis, left.global_shape
                )
                .remedy("give the whole array on every rank, or wrap the blocks"));
            }
            (shape, plain_block(array, from_last, length, left.local_bounds())?)
        }
    };
    let global_shape = broadcast_shape(&left.global_shape, shape)?;
    let axis = global_shape.len() - from_last;
    Ok(Aligned { global_shape, axis, other })
}
