//! The first write to part of a contiguous dataset.
//!
//! HDF5 allocates a contiguous dataset at its first write and does not fill it when it has the default fill value: the room may be that of
//! a deleted object, whose bytes would then be the elements that were never written.

use super::ffi::{Id, h5, hid_t};
use super::props;
use super::transfer::Source;
use crate::dtype::DType;
use crate::error::Result;
use hdf5_sys::h5d::{
    H5D_fill_time_t, H5D_fill_value_t, H5D_layout_t, H5D_space_status_t, H5Dget_create_plist, H5Dget_space_status, H5Dwrite,
};
use hdf5_sys::h5p::{H5P_DEFAULT, H5Pfill_value_defined, H5Pget_fill_time};
use hdf5_sys::h5s::{H5S_seloper_t, H5Sselect_hyperslab};

/// Bytes of zeros that are written at once.
const BLOCK: usize = 4 << 20;

/// Writes the default fill value to all elements of a contiguous dataset that has no room in the file yet.
pub(super) fn settle(source: &Source<'_>) -> Result<()> {
    if source.chunks.is_some() || source.shape.is_empty() || allocated(source.dataset)? {
        return Ok(());
    }
    let list = Id::own(h5!(H5Dget_create_plist(source.dataset))?);
    let mut time = H5D_fill_time_t::H5D_FILL_TIME_IFSET;
    h5!(H5Pget_fill_time(list.get(), &raw mut time))?;
    if time == H5D_fill_time_t::H5D_FILL_TIME_NEVER {
        // Whoever made it writes all of it.
        return Ok(());
    }
    let mut fill = H5D_fill_value_t::H5D_FILL_VALUE_DEFAULT;
    h5!(H5Pfill_value_defined(list.get(), &raw mut fill))?;
    // The library fills with a value of the user's by itself; who wants no fill value gets none.
    if fill != H5D_fill_value_t::H5D_FILL_VALUE_DEFAULT || props::layout(list.get()) != H5D_layout_t::H5D_CONTIGUOUS {
        return Ok(());
    }
    // What has variable length the library always fills.
    if source.codec.dtype().any(&|t| matches!(t, DType::VarString { .. } | DType::VarSeq(_))) {
        return Ok(());
    }
    write_zeros(source)
}

fn allocated(dataset: hid_t) -> Result<bool> {
    let mut status = H5D_space_status_t::H5D_SPACE_STATUS_ALLOCATED;
    h5!(H5Dget_space_status(dataset, &raw mut status))?;
    Ok(status != H5D_space_status_t::H5D_SPACE_STATUS_NOT_ALLOCATED)
}

/// Writes zeros row by row, many rows at once; a row that is longer than a block in parts.
fn write_zeros(source: &Source<'_>) -> Result<()> {
    let shape = source.shape;
    let item = source.codec.itemsize().max(1);
    // The axis that is cut: all axes after it fit into one block.
    let mut axis = shape.len() - 1;
    let mut inner = item;
    while axis > 0 && inner.saturating_mul(shape[axis]) <= BLOCK {
        inner *= shape[axis];
        axis -= 1;
    }
    let step = (BLOCK / inner).clamp(1, shape[axis].max(1));
    let zeros = vec![0u8; step * inner];
    let space = Id::own(h5!(hdf5_sys::h5d::H5Dget_space(source.dataset))?);
    let mut start = vec![0u64; shape.len()];
    let mut count: Vec<u64> = shape.iter().enumerate().map(|(k, n)| if k > axis { *n as u64 } else { 1 }).collect();
    loop {
        count[axis] = (step as u64).min(shape[axis] as u64 - start[axis]);
        let memory = super::space::create(Some(&count.iter().map(|n| *n as usize).collect::<Vec<_>>()), None)?;
        let select = H5S_seloper_t::H5S_SELECT_SET;
        h5!(H5Sselect_hyperslab(space.get(), select, start.as_ptr(), std::ptr::null(), count.as_ptr(), std::ptr::null()))?;
        h5!(H5Dwrite(source.dataset, source.type_id, memory.get(), space.get(), H5P_DEFAULT, zeros.as_ptr().cast()))?;
        start[axis] += count[axis];
        let mut k = axis;
        while start[k] >= shape[k] as u64 {
            if k == 0 {
                return Ok(());
            }
            start[k] = 0;
            k -= 1;
            start[k] += 1;
        }
    }
}
