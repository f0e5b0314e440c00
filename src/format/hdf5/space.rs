//! Dataspaces.

use super::ffi::{Id, h5, hid_t, library};
use super::plan::{MANY, Piece};
use crate::error::Result;
use hdf5_sys::h5s::*;
use std::ffi::c_int;
use std::rc::Rc;

/// Dims of the library.
pub(super) fn dims(shape: &[usize]) -> Vec<u64> {
    shape.iter().map(|n| *n as u64).collect()
}

/// A dataspace of that extent; `None` is the null dataspace.
pub(super) fn create(shape: Option<&[usize]>, maxshape: Option<&[Option<usize>]>) -> Result<Id> {
    Ok(Id::own(match shape {
        None => h5!(H5Screate(H5S_NULL))?,
        Some([]) => h5!(H5Screate(H5S_SCALAR))?,
        Some(shape) => {
            let (now, max) = (dims(shape), maxshape.map(|m| m.iter().map(|n| n.map_or(H5S_UNLIMITED, |n| n as u64)).collect::<Vec<_>>()));
            let max = max.as_ref().map_or(std::ptr::null(), |m| m.as_ptr());
            h5!(H5Screate_simple(now.len() as c_int, now.as_ptr(), max))?
        }
    }))
}

/// The dims and the greatest dims; `None` for a null dataspace.
type Extent = Option<(Vec<usize>, Vec<Option<usize>>)>;

pub(super) fn extent(space: hid_t) -> Result<Extent> {
    let class = library(|| {
        // SAFETY: the id is one of a dataspace; a failure is a value of the enumeration.
        unsafe { H5Sget_simple_extent_type(space) }
    });
    if class == H5S_NULL {
        return Ok(None);
    }
    let rank = h5!(H5Sget_simple_extent_ndims(space))? as usize;
    let (mut now, mut max) = (vec![0u64; rank], vec![0u64; rank]);
    h5!(H5Sget_simple_extent_dims(space, now.as_mut_ptr(), max.as_mut_ptr()))?;
    let max = max.into_iter().map(|n| (n != H5S_UNLIMITED).then_some(n as usize)).collect();
    Ok(Some((now.into_iter().map(|n| n as usize).collect(), max)))
}

/// Selects the outer product of the pieces.
pub(super) fn select(space: hid_t, pieces: &[Rc<Piece>]) -> Result<()> {
    let unions: usize = pieces.iter().map(|p| p.runs.len()).product();
    let elements: usize = pieces.iter().map(|p| p.count).product();
    if unions > 1 && elements < MANY * unions {
        return select_points(space, &coordinates(pieces, elements), elements);
    }
    let rank = pieces.len();
    let (mut start, mut stride, mut count) = (vec![0u64; rank], vec![1u64; rank], vec![0u64; rank]);
    let mut at = vec![0usize; rank];
    let mut op = H5S_SELECT_SET;
    loop {
        for k in 0..rank {
            let run = pieces[k].runs[at[k]];
            (start[k], stride[k], count[k]) = (run.start as u64, run.step as u64, run.count as u64);
        }
        h5!(H5Sselect_hyperslab(space, op, start.as_ptr(), stride.as_ptr(), count.as_ptr(), std::ptr::null()))?;
        op = H5S_SELECT_OR;
        if !advance(&mut at, |k| pieces[k].runs.len()) {
            return Ok(());
        }
    }
}

/// Selects single elements: their coordinates one after another.
pub(super) fn select_points(space: hid_t, coordinates: &[u64], count: usize) -> Result<()> {
    h5!(H5Sselect_elements(space, H5S_SELECT_SET, count, coordinates.as_ptr())).map(drop)
}

fn coordinates(pieces: &[Rc<Piece>], elements: usize) -> Vec<u64> {
    let axes: Vec<Vec<u64>> =
        pieces.iter().map(|p| p.runs.iter().flat_map(|r| (0..r.count).map(|k| (r.start + k * r.step) as u64)).collect()).collect();
    let mut out = Vec::with_capacity(elements * axes.len());
    let mut at = vec![0; axes.len()];
    loop {
        out.extend(at.iter().zip(&axes).map(|(k, axis)| axis[*k]));
        if !advance(&mut at, |k| axes[k].len()) {
            return out;
        }
    }
}

/// Counts up, the last digit fastest; false after the last.
pub(super) fn advance(at: &mut [usize], len: impl Fn(usize) -> usize) -> bool {
    for k in (0..at.len()).rev() {
        at[k] += 1;
        if at[k] < len(k) {
            return true;
        }
        at[k] = 0;
    }
    false
}
