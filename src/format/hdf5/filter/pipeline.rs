//! Between the filters of a property list and [`Filter`].
//!
//! What is read from a list and applied to a new one gives the same numbers, flags and parameters in the new file. A filter whose stored
//! parameters or flags are not those that its own variant of [`Filter`] would give is read as [`Filter::Other`], which carries them.

#![allow(unsafe_code)]

use super::{BITSHUFFLE_VERSION, LZF_REVISION, LZF_VERSION};
use crate::dtype::DType;
use crate::error::{Error, Result, bail, error};
use crate::tree::{BitshuffleCompressor, Filter};
use hdf5_sys::h5i::hid_t;
use hdf5_sys::h5p::{H5Pget_filter2, H5Pget_nfilters, H5Pset_filter};
use hdf5_sys::h5z::{H5Z_FILTER_CONFIG_ENCODE_ENABLED, H5Z_FLAG_OPTIONAL, H5Zfilter_avail, H5Zget_filter_info};
use std::ffi::{c_int, c_uint};

/// The options of szip that a user chooses: entropy coding or nearest neighbour.
const SZIP_CHOICE: u32 = 4 | 32;
/// What the library adds: raw (128), most significant byte first (16) or last (8), all kinds of k (1).
const SZIP_ADDED: u32 = 128 | 16 | 8 | 1;
/// The stored parameters of szip.
const SZIP_VALUES: usize = 4;
/// The stored parameters of scale-offset.
const SCALEOFFSET_VALUES: usize = 20;

/// A filter as a list holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::format::hdf5) struct Stored {
    pub(in crate::format::hdf5) id: u32,
    /// 1 if a chunk may be stored without it, else 0.
    pub(in crate::format::hdf5) flags: u32,
    pub(in crate::format::hdf5) values: Vec<u32>,
}

/// The filters of a dataset creation list, in the order in which they are applied to data that are written.
pub(in crate::format::hdf5) fn stored(list: hid_t) -> Result<Vec<Stored>> {
    super::register_all();
    let failed = || error!(Corrupt, "the filters of the dataset cannot be read");
    hdf5::sync::sync(|| {
        // SAFETY: the library is initialised and locked, and checks the id.
        let count = c_uint::try_from(unsafe { H5Pget_nfilters(list) }).map_err(|_| failed())?;
        (0..count)
            .map(|n| {
                let mut room = 32usize;
                loop {
                    let (mut flags, mut len, mut config, mut values) = (0, room, 0, vec![0u32; room]);
                    // SAFETY: pointers to locals; the library fills at most `len` values and says how many there are. No name is asked for.
                    let id = unsafe {
                        H5Pget_filter2(list, n, &raw mut flags, &raw mut len, values.as_mut_ptr(), 0, std::ptr::null_mut(), &raw mut config)
                    };
                    let id = u32::try_from(id).map_err(|_| failed())?;
                    if len <= room {
                        values.truncate(len);
                        return Ok(Stored { id, flags, values });
                    }
                    room = len;
                }
            })
            .collect()
    })
}

/// The filters of a dataset creation list.
pub(in crate::format::hdf5) fn read(list: hid_t) -> Result<Vec<Filter>> {
    Ok(stored(list)?.into_iter().map(to_filter).collect())
}

/// The variant that stands for a stored filter.
fn to_filter(stored: Stored) -> Filter {
    let optional = stored.flags & H5Z_FLAG_OPTIONAL != 0;
    let known = match (stored.id, optional, &stored.values[..]) {
        (1, true, [level @ 0..=9]) => Some(Filter::Gzip(*level as u8)),
        // (For types of variable length the library stores no parameter.)
        (2, true, [] | [_]) => Some(Filter::Shuffle),
        (3, false, []) => Some(Filter::Fletcher32),
        (4, true, values @ [mask, pixels, ..])
            if values.len() == SZIP_VALUES && mask & !(SZIP_CHOICE | SZIP_ADDED) == 0 && mask & 129 == 129 && is_szip(*mask, *pixels) =>
        {
            Some(Filter::Szip { options: mask & SZIP_CHOICE, pixels_per_block: *pixels })
        }
        (5, true, [_, ..]) => Some(Filter::Nbit),
        (6, true, values @ [kind @ (0 | 2), factor, ..]) if values.len() == SCALEOFFSET_VALUES => {
            Some(Filter::ScaleOffset { kind: *kind, factor: *factor as i32 })
        }
        (32000, true, [LZF_REVISION, LZF_VERSION, _]) => Some(Filter::Lzf),
        (32008, true, values) => bitshuffle(values),
        (32015, true, [level]) if (-7..=22).contains(&(*level as i32)) => Some(Filter::Zstd(*level as i32)),
        _ => None,
    };
    known.unwrap_or_else(|| {
        let Stored { id, mut values, .. } = stored;
        if let (32008, [major, minor, _, ..]) = (id, &mut values[..]) {
            // The filter stores the version that writes, which is that of now.
            [*major, *minor] = BITSHUFFLE_VERSION;
        }
        Filter::Other { id, optional, values }
    })
}

fn is_szip(mask: u32, pixels: u32) -> bool {
    matches!(mask & SZIP_CHOICE, 4 | 32) && (2..=32).contains(&pixels) && pixels.is_multiple_of(2)
}

fn bitshuffle(values: &[u32]) -> Option<Filter> {
    let [_, _, _, block_size, rest @ ..] = values else { return None };
    let compressor = match rest {
        [0] => BitshuffleCompressor::None,
        [2] => BitshuffleCompressor::Lz4,
        [3, level] => BitshuffleCompressor::Zstd(*level),
        _ => return None,
    };
    (block_size % 8 == 0).then_some(Filter::Bitshuffle { block_size: *block_size, compressor })
}

/// Adds a filter to a dataset creation list, behind those that are there.
pub(in crate::format::hdf5) fn apply(list: hid_t, filter: &Filter, dtype: &DType) -> Result<()> {
    super::register_all();
    check(filter, dtype)?;
    let (optional, values) = user_values(filter, dtype);
    let flags = if optional { H5Z_FLAG_OPTIONAL } else { 0 };
    let id = c_int::try_from(filter.id()).map_err(|_| error!(InvalidArgument, "a filter cannot have the number {}", filter.id()))?;
    hdf5::sync::sync(|| {
        if !can_encode(id) {
            return Err(missing(filter));
        }
        // SAFETY: the library is initialised and locked, and checks the id; there are as many values as told.
        if unsafe { H5Pset_filter(list, id, flags, values.len(), values.as_ptr()) } < 0 {
            bail!(InvalidArgument, "the HDF5 library does not take the filter {} with the parameters {values:?}", filter.name());
        }
        Ok(())
    })
}

/// True if the library, or a plug-in that it finds, can write with the filter.
fn can_encode(id: c_int) -> bool {
    let mut config = 0;
    // SAFETY: called under the library's lock with a pointer to a local.
    unsafe { H5Zfilter_avail(id) > 0 && H5Zget_filter_info(id, &raw mut config) >= 0 && config & H5Z_FILTER_CONFIG_ENCODE_ENABLED != 0 }
}

fn missing(filter: &Filter) -> Error {
    let error = error!(Unsupported, "this HDF5 library cannot write with the filter {} (number {})", filter.name(), filter.id());
    match filter {
        Filter::Szip { .. } => error.remedy("use gzip, or an HDF5 library that was built with szip (libaec)"),
        Filter::Gzip(_) => error.remedy("use zstd or lzf, or an HDF5 library that was built with zlib"),
        _ => error.remedy("let HDF5_PLUGIN_PATH name the directory of a plug-in for it, or choose another filter"),
    }
}

/// Refuses what the library would refuse only when chunks are written.
fn check(filter: &Filter, dtype: &DType) -> Result<()> {
    match filter {
        Filter::Gzip(level @ 10..) => bail!(InvalidArgument, "the gzip level {level} is not between 0 and 9"),
        Filter::Szip { options, pixels_per_block } if !is_szip(*options, *pixels_per_block) => {
            bail!(InvalidArgument, "szip needs the option 4 or 32 and an even number of at most 32 pixels per block")
        }
        Filter::ScaleOffset { kind, factor } => match (kind, dtype) {
            (0, DType::Float(_)) if *factor >= 0 => Ok(()),
            (2, DType::Int(_) | DType::Enum(_) | DType::Bool | DType::BitField(_)) if *factor >= 0 => Ok(()),
            (0 | 2, _) if *factor < 0 => bail!(InvalidArgument, "the scale-offset factor {factor} is negative"),
            (0, _) => bail!(Dtype, "scale-offset by decimal digits is for floats, not for {dtype}"),
            (2, _) => bail!(Dtype, "scale-offset of kind 2 is for integers, not for {dtype}"),
            _ => bail!(Unsupported, "scale-offset has no kind {kind}; 0 is for floats, 2 for integers"),
        },
        Filter::Bitshuffle { block_size, .. } if block_size % 8 != 0 => {
            bail!(InvalidArgument, "the bitshuffle block size {block_size} is not a multiple of 8")
        }
        Filter::Zstd(level) if !(-7..=22).contains(level) => bail!(InvalidArgument, "the zstd level {level} is not between -7 and 22"),
        _ => Ok(()),
    }
}

/// Whether a chunk may be stored without the filter, and the parameters as a user sets them, before the filter adds its own.
fn user_values(filter: &Filter, dtype: &DType) -> (bool, Vec<u32>) {
    match filter {
        Filter::Gzip(level) => (true, vec![u32::from(*level)]),
        Filter::Shuffle | Filter::Nbit | Filter::Lzf => (true, Vec::new()),
        Filter::Fletcher32 => (false, Vec::new()),
        // As H5Pset_szip does: any k, and no header of its own.
        Filter::Szip { options, pixels_per_block } => (true, vec![options | 129, *pixels_per_block]),
        Filter::ScaleOffset { kind, factor } => (true, vec![*kind, *factor as u32]),
        Filter::Bitshuffle { block_size, compressor } => match compressor {
            BitshuffleCompressor::None => (true, vec![*block_size, 0]),
            BitshuffleCompressor::Lz4 => (true, vec![*block_size, 2]),
            BitshuffleCompressor::Zstd(level) => (true, vec![*block_size, 3, *level]),
        },
        Filter::Zstd(level) => (true, vec![*level as u32]),
        Filter::Other { id: 32008, optional, values } => (*optional, without_prefix(values, dtype)),
        Filter::Other { optional, values, .. } => (*optional, values.clone()),
    }
}

/// The parameters of bitshuffle as a user sets them, from those or from the stored ones: the filter puts version and element size first.
fn without_prefix(values: &[u32], dtype: &DType) -> Vec<u32> {
    let itemsize = dtype.disk_size();
    match values {
        [major, minor, size, rest @ ..] if !rest.is_empty() || ([*major, *minor] == BITSHUFFLE_VERSION && *size as usize == itemsize) => {
            rest.to_vec()
        }
        _ => values.to_vec(),
    }
}
