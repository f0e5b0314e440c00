//! Writing a part of the whole array by global indices, without communication.

use super::global_slice::Part;
use super::operand::{Operand, plain_block};
use super::{DistributedArray, Positions};
use crate::array::AnyArray;
use crate::dtype::Cast;
use crate::error::{Result, bail};
use crate::selection::{Item, Selection};

impl DistributedArray {
    /// Writes a selection by global indices: each rank what of it lies in its block. Local: it never communicates.
    ///
    /// The value is a number, an array that all ranks have alike, and then everything is as on a plain array, broadcasting included; or a distributed
    /// array that falls on the selection's distributed axis; or the [`GlobalSlice`](super::GlobalSlice) of
    /// the same indices of the distributed axis. It is converted where every
    /// value is held exactly.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let wholes = ThreadComm::run(2, |comm| {
    ///     let mut a = DistributedArray::from_global(&AnyArray::from(ndarray::array![[1, 2], [3, 4], [5, 6]]), 0, comm)?;
    ///     a.set_global_slice(-1, 9)?;
    ///     let column = a.global_slice((.., 0))?.into_distributed()?;
    ///     a.set_global_slice((.., 1), &column)?;
    ///     a.all_gather()
    /// })?;
    /// assert_eq!(wholes[0].to_string(), "[[1, 1],\n [3, 3],\n [9, 9]]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Selection` if it does not fit the global shape, `Shape` if the value does not fit the selection, `Dtype` if the type cannot hold the value,
    /// `InvalidArgument` if the distributions do not match.
    pub fn set_global_slice<'a>(&mut self, selection: impl Into<Selection>, value: impl Into<Operand<'a>>) -> Result<()> {
        let (value, part) = (value.into(), self.resolve(&selection.into())?);
        let data = match &value {
            Operand::Plain(array) => plain_part(array, &part)?,
            Operand::Distributed(array) => self.distributed_part(array, &part)?,
            Operand::Slice(slice) => {
                if slice.comm.id() != self.comm.id() {
                    bail!(InvalidArgument, "the selected elements are on another communicator than the array");
                }
                if !slice.part.lies_as(&part) {
                    bail!(
                        Shape,
                        "a selection of shape {:?} does not lie on the ranks as that of shape {:?} does",
                        slice.shape(),
                        part.shape
                    );
                }
                slice.local().clone()
            }
        };
        let data = data.astype(self.dtype(), Cast::Exact)?;
        match part.local {
            Some(local) if !part.positions.is_empty() => self.local.assign(local, &data),
            _ => Ok(()),
        }
    }

    fn distributed_part(&self, array: &DistributedArray, part: &Part) -> Result<AnyArray> {
        if array.comm.id() != self.comm.id() {
            bail!(InvalidArgument, "the arrays are on different communicators");
        }
        let Some(axis) = part.axis.filter(|_| part.full) else {
            bail!(
                InvalidArgument,
                "a distributed array can be written only where the selection takes the whole of the distributed axis in order"
            );
        };
        check_fits(&array.global_shape, &part.shape)?;
        let meets = array.ndim() - array.axis == part.shape.len() - axis && array.global_shape[array.axis] == part.shape[axis];
        if !meets {
            bail!(
                InvalidArgument,
                "the distributed axes do not meet: axis {} of {:?} and axis {axis} of the selection of shape {:?}",
                array.axis,
                array.global_shape,
                part.shape
            );
        }
        Ok(array.local.clone())
    }
}

/// What of a plain value this rank writes.
fn plain_part(array: &AnyArray, part: &Part) -> Result<AnyArray> {
    let Some(shape) = array.extent() else { bail!(Shape, "a null dataspace has no elements to write") };
    check_fits(shape, &part.shape)?;
    let Some(axis) = part.axis else { return Ok(array.clone()) };
    let (from_last, length) = (part.shape.len() - axis, part.shape[axis]);
    match &part.positions {
        Positions::Range(range) => plain_block(array, from_last, length, range.clone()),
        Positions::List(list) => {
            let Some(axis) = array.ndim().checked_sub(from_last) else { return Ok(array.clone()) };
            if array.shape()[axis] == 1 && length != 1 {
                return Ok(array.clone());
            }
            let mut items = vec![Item::FULL; array.ndim()];
            items[axis] = list.clone().into();
            array.select(Selection::Axes(items))
        }
    }
}

/// Checks that a value of a shape broadcasts to that of a selection. Superfluous leading axes of length 1 are dropped.
fn check_fits(shape: &[usize], wanted: &[usize]) -> Result<()> {
    let extra = shape.len().saturating_sub(wanted.len());
    let (dropped, kept) = shape.split_at(extra);
    let lead = wanted.len() - kept.len();
    if dropped.iter().any(|n| *n != 1) || !kept.iter().zip(&wanted[lead..]).all(|(a, b)| a == b || *a == 1) {
        bail!(Shape, "data of shape {shape:?} cannot be broadcast to {wanted:?}");
    }
    Ok(())
}
