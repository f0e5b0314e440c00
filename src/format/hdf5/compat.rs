//! What differs between versions of the C library.

use super::ffi::hid_t;
use hdf5_sys::h5r::H5R_type_t;

/// The type that was encoded.
///
/// # Safety
/// As for every call of the library: under its lock.
pub(super) unsafe fn decode_type(encoded: &[u8]) -> hid_t {
    // SAFETY: the bytes live through the call. Before 2.0 the library trusts them; they come from its own encoder.
    unsafe {
        #[cfg(hdf5_2_0)]
        return hdf5_sys::h5t::H5Tdecode2(encoded.as_ptr().cast(), encoded.len());
        #[cfg(not(hdf5_2_0))]
        return hdf5_sys::h5t::H5Tdecode1(encoded.as_ptr().cast());
    }
}

#[cfg(hdf5_1_12)]
pub(super) const OBJECT: H5R_type_t = H5R_type_t::H5R_OBJECT1;
#[cfg(not(hdf5_1_12))]
pub(super) const OBJECT: H5R_type_t = H5R_type_t::H5R_OBJECT;
#[cfg(hdf5_1_12)]
pub(super) const REGION: H5R_type_t = H5R_type_t::H5R_DATASET_REGION1;
#[cfg(not(hdf5_1_12))]
pub(super) const REGION: H5R_type_t = H5R_type_t::H5R_DATASET_REGION;

// What a library without its deprecated calls (the bundled one) has no more.
#[cfg(hdf5_1_12)]
pub(super) use hdf5_sys::h5l::{H5L_info2_t as LinkInfo, H5Lget_info2 as link_info, H5Literate2 as iterate_links};
#[cfg(hdf5_1_12)]
pub(super) use hdf5_sys::h5t::H5Treclaim as reclaim;

#[cfg(not(hdf5_1_12))]
pub(super) use hdf5_sys::h5d::H5Dvlen_reclaim as reclaim;
#[cfg(not(hdf5_1_12))]
pub(super) use hdf5_sys::h5l::{H5L_info1_t as LinkInfo, H5Lget_info1 as link_info, H5Literate1 as iterate_links};
