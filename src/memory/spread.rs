//! Which elements of a distributed array are on this rank, for those who see it as a whole one.

use crate::array::AnyArray;
use crate::distributed::DistributedArray;
use crate::error::{Error, ErrorKind, Result, error};
use crate::selection::{AxisSelection, Resolved, Selection};
use std::ops::Range;

/// All elements, if they are here.
pub(super) fn whole(array: &DistributedArray) -> Result<&AnyArray> {
    if array.local_shape() == array.global_shape() { Ok(array.local_array()) } else { Err(elsewhere(array)) }
}

/// Reads what is selected, if all of it is here.
pub(super) fn read(array: &DistributedArray, selection: &Selection) -> Result<AnyArray> {
    let resolved = selection.resolve(array.global_shape())?;
    if resolved.count() == 0 {
        return AnyArray::zeros(array.dtype().clone(), resolved.shape());
    }
    check_here(array, &resolved)?;
    Ok(array.global_slice(selection.clone())?.into_local())
}

/// Writes what is selected, if all of it is here. The data have the selection's shape.
pub(super) fn write(array: &mut DistributedArray, selection: &Selection, data: &AnyArray) -> Result<()> {
    let resolved = selection.resolve(array.global_shape())?;
    if resolved.count() == 0 {
        return Ok(());
    }
    check_here(array, &resolved)?;
    array.set_global_slice(selection.clone(), data)
}

/// What is selected, distributed along the same axis. `None` if nothing of the axis is left to distribute, on the one rank that there is. Local.
pub(super) fn part(array: &DistributedArray, selection: &Selection) -> Result<Option<DistributedArray>> {
    let slice = array.global_slice(selection.clone())?;
    if array.comm().size() == 1 {
        let (axis, shape) = (slice.axis(), slice.shape().to_vec());
        return axis.map(|axis| DistributedArray::from_parts(slice.into_local(), shape, axis, array.comm().clone())).transpose();
    }
    slice.into_distributed().map(Some).map_err(|cause| match cause.kind() {
        ErrorKind::Selection => error!(Unsupported, "the selection cuts axis {}, along which the dataset is distributed", array.axis())
            .remedy("redistribute it to an axis of which everything is selected, copy, and redistribute back"),
        _ => cause,
    })
}

fn check_here(array: &DistributedArray, resolved: &Resolved) -> Result<()> {
    let bounds = array.local_bounds();
    let here = array.local_shape() == array.global_shape()
        || match resolved {
            Resolved::Axes(axes) => axes.get(array.axis()).is_some_and(|axis| inside(axis, &bounds)),
            Resolved::Points { points, .. } => {
                // There are elements, so no axis has the length 0.
                let (inner, length) = (array.global_shape().iter().skip(array.axis() + 1).product::<usize>(), array.partition().length());
                points.iter().all(|place| bounds.contains(&(place / inner % length)))
            }
        };
    if here { Ok(()) } else { Err(elsewhere(array)) }
}

/// True if all indices of an axis are within a range; there is at least one.
fn inside(axis: &AxisSelection, range: &Range<usize>) -> bool {
    match axis {
        AxisSelection::List(list) => list.iter().all(|index| range.contains(index)),
        AxisSelection::Range { count, .. } => range.contains(&axis.index(0)) && range.contains(&axis.index(count.saturating_sub(1))),
    }
}

fn elsewhere(array: &DistributedArray) -> Error {
    let Range { start, end } = array.local_bounds();
    let (rank, size) = (array.comm().rank(), array.comm().size());
    error!(
        Unsupported,
        "the dataset is distributed over {size} ranks on axis {}, and what is asked for is not all on this one: rank {rank} has the indices \
         {start}..{end} of {}",
        array.axis(),
        array.partition().length()
    )
    .remedy("read and write the part of each rank (MemDatasetDistributed), or make the dataset common with dataset_distributed_to_common")
}
