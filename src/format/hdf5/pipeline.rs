//! The filters of a dataset's property list.

use super::ffi::{h5, hid_t};
use crate::error::Result;
use crate::tree::{DatasetSpec, Filter};
use hdf5_sys::h5p::*;
use hdf5_sys::h5z::*;
use std::ffi::{c_int, c_uint};

/// Puts the filters of a spec into a list.
pub(super) fn apply(list: hid_t, spec: &DatasetSpec) -> Result<()> {
    for filter in &spec.filters {
        match filter {
            Filter::Gzip(level) => h5!(H5Pset_deflate(list, c_uint::from(*level)))?,
            Filter::Shuffle => h5!(H5Pset_shuffle(list))?,
            Filter::Fletcher32 => h5!(H5Pset_fletcher32(list))?,
            Filter::Szip { options, pixels_per_block } => h5!(H5Pset_szip(list, *options, *pixels_per_block))?,
            Filter::Nbit => h5!(H5Pset_nbit(list))?,
            other => {
                let values = other.stored_values(spec);
                h5!(H5Pset_filter(list, other.id() as c_int, H5Z_FLAG_OPTIONAL, values.len(), values.as_ptr()))?
            }
        };
    }
    Ok(())
}

/// The numbers and parameters of the filters of a list.
pub(super) fn stored(list: hid_t) -> Result<Vec<(u32, Vec<u32>, bool)>> {
    let count = h5!(H5Pget_nfilters(list))? as c_uint;
    let mut out = Vec::with_capacity(count as usize);
    for n in 0..count {
        let (mut flags, mut len, mut values, mut config) = (0, 64usize, vec![0u32; 64], 0);
        let id = h5!(H5Pget_filter2(list, n, &raw mut flags, &raw mut len, values.as_mut_ptr(), 0, std::ptr::null_mut(), &raw mut config))?;
        values.truncate(len);
        out.push((id as u32, values, flags & H5Z_FLAG_OPTIONAL != 0));
    }
    Ok(out)
}

/// The filters of a list.
pub(super) fn read(list: hid_t) -> Result<Vec<Filter>> {
    Ok(stored(list)?
        .into_iter()
        .map(|(id, values, optional)| match (id, &values[..]) {
            (1, [level, ..]) => Filter::Gzip(*level as u8),
            (2, _) => Filter::Shuffle,
            (3, _) => Filter::Fletcher32,
            (5, _) => Filter::Nbit,
            _ => Filter::Other { id, optional, values },
        })
        .collect())
}
