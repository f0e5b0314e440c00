//! The filters of chunks: those that the library lacks, registered in process, and the way between a property list and [`Filter`].
//!
//! LZF (32000), Blosc (32001), LZ4 (32004), bitshuffle (32008), Zstandard (32015) and bzip2 (307) come with this crate, so that a machine without plug-ins reads
//! and writes what h5py, PyTables, pandas and detectors write.
//! A filter of one of these numbers that the program or a plug-in has brought already stays in its place.

mod bitshuffle;
mod blosc;
mod bzip;
mod callback;
mod lz4;
mod lzf;
mod pipeline;
#[cfg(test)]
mod tests;
mod transpose;

pub(super) use pipeline::{apply, read, stored};

use hdf5_sys::h5z::{H5Z_filter_t, H5Zfilter_avail, H5Zregister};
use std::sync::Once;

const BZIP2: H5Z_filter_t = 307;
const LZF: H5Z_filter_t = 32000;
const BLOSC: H5Z_filter_t = 32001;
const LZ4: H5Z_filter_t = 32004;
const BITSHUFFLE: H5Z_filter_t = 32008;
const ZSTD: H5Z_filter_t = 32015;

/// The revision of h5py's LZF filter, which it stores first.
const LZF_REVISION: u32 = 4;
/// The version of the LZF library, which it stores next.
const LZF_VERSION: u32 = 0x0105;
/// The version of the bitshuffle filter, which it stores first.
const BITSHUFFLE_VERSION: [u32; 2] = [0, 5];

/// Registers the filters of this crate that nobody else has. Cheap after the first time.
#[allow(unsafe_code)]
pub(super) fn register_all() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hdf5::sync::sync(|| {
            for class in callback::classes() {
                // SAFETY: the library is initialised and locked; it copies the class, whose name and functions live forever.
                unsafe {
                    if H5Zfilter_avail(class.id) <= 0 {
                        H5Zregister((&raw const class).cast());
                    }
                }
            }
        });
    });
}
