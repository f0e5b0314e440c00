//! Blosc (filter 32001), which PyTables and pandas write. The C library does the work; here it is asked for one buffer at a time.
//!
//! The parameters are those of the filter of PyTables: its revision, the version of Blosc's format, the bytes of an element and of a chunk, then what a
//! user chooses: the level (5), the shuffle (0 none, 1 bytes, 2 bits) and the number of the compressor (0 blosclz).

#![allow(unsafe_code)]

use crate::error::{Result, bail};
use blosc_src::{
    BLOSC_MAX_BUFFERSIZE, BLOSC_MAX_OVERHEAD, BLOSC_MAX_TYPESIZE, BLOSC_VERSION_FORMAT, blosc_cbuffer_validate, blosc_compcode_to_compname,
    blosc_compress_ctx, blosc_decompress_ctx,
};
use std::ffi::{CStr, c_char, c_int};

/// The revision of the filter, which it stores first.
const REVISION: u32 = 2;

/// The parameters as a file stores them, from those that a user gives. `element` and `chunk` are bytes.
pub(super) fn stored_values(user: &[u32], element: u32, chunk: u32) -> Vec<u32> {
    // Elements that are larger than Blosc counts are bytes to it.
    let element = if element > BLOSC_MAX_TYPESIZE { 1 } else { element };
    let mut values = vec![REVISION, BLOSC_VERSION_FORMAT, element, chunk];
    values.extend(user.iter().skip(4));
    values
}

/// The most bytes that `len` bytes become.
pub(super) fn bound(len: usize) -> usize {
    len.saturating_add(BLOSC_MAX_OVERHEAD as usize)
}

/// The C library's name of a compressor that it has.
fn compressor(number: u32) -> Result<&'static CStr> {
    let mut name: *const c_char = std::ptr::null();
    // SAFETY: a pointer to a local; the name that it is set to is a constant of the library.
    let known = unsafe { blosc_compcode_to_compname(c_int::try_from(number).unwrap_or(-1), &raw mut name) } >= 0;
    if !known || name.is_null() {
        bail!(Unsupported, "Blosc has no compressor of the number {number} in this build");
    }
    // SAFETY: as above.
    Ok(unsafe { CStr::from_ptr(name) })
}

/// Compresses into `out`, which has [`bound`] bytes, and returns the length.
pub(super) fn encode(values: &[u32], input: &[u8], out: &mut [u8]) -> Result<usize> {
    let value = |n: usize, default: u32| values.get(n).copied().unwrap_or(default);
    let (element, level, shuffle, compressor) = (value(2, 1).max(1), value(4, 5), value(5, 1), compressor(value(6, 0))?);
    if level > 9 || shuffle > 2 {
        bail!(InvalidArgument, "Blosc takes levels from 0 to 9 and the shuffles 0 to 2, not the level {level} with the shuffle {shuffle}");
    }
    if input.len() > BLOSC_MAX_BUFFERSIZE as usize {
        bail!(Shape, "a chunk of {} bytes is too large for Blosc", input.len());
    }
    // SAFETY: both buffers are as long as told; the name is a C string; the call keeps nothing.
    let len = unsafe {
        blosc_compress_ctx(
            level as c_int,
            shuffle as c_int,
            element as usize,
            input.len(),
            input.as_ptr().cast(),
            out.as_mut_ptr().cast(),
            out.len(),
            compressor.as_ptr(),
            0,
            1,
        )
    };
    match usize::try_from(len) {
        Ok(len @ 1..) => Ok(len),
        _ => bail!(Io, "Blosc cannot compress a chunk (its error is {len})"),
    }
}

/// The bytes that a chunk holds, as it says itself.
pub(super) fn decoded_len(input: &[u8]) -> Result<usize> {
    let mut len = 0usize;
    // SAFETY: the buffer is as long as told, and the header is checked before it is believed.
    if unsafe { blosc_cbuffer_validate(input.as_ptr().cast(), input.len(), &raw mut len) } < 0 {
        bail!(Corrupt, "the Blosc data are damaged");
    }
    Ok(len)
}

/// Decompresses into `out`, which has [`decoded_len`] bytes.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<()> {
    decoded_len(input)?;
    // SAFETY: the header says that the compressed data are as long as the input; the output is as long as told.
    let len = unsafe { blosc_decompress_ctx(input.as_ptr().cast(), out.as_mut_ptr().cast(), out.len(), 1) };
    if usize::try_from(len).ok() != Some(out.len()) {
        bail!(Corrupt, "the Blosc data are damaged, or need a compressor that this build lacks");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(values: &[u32], input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; bound(input.len())];
        let len = encode(values, input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    #[test]
    fn compressors_levels_and_shuffles_come_back() {
        let input: Vec<u8> = (0..40_000u32).flat_map(|k| (k / 3).to_le_bytes()).collect();
        for compressor in [0, 1, 2, 4, 5] {
            for shuffle in [0, 1, 2] {
                for level in [0, 1, 9] {
                    let values = stored_values(&[0, 0, 0, 0, level, shuffle, compressor], 4, input.len() as u32);
                    let packed = pack(&values, &input);
                    assert!(
                        level == 0 || shuffle == 0 || packed.len() < input.len() / 2,
                        "{compressor} {shuffle} {level}: {}",
                        packed.len()
                    );
                    let mut out = vec![0; decoded_len(&packed).unwrap()];
                    decode(&packed, &mut out).unwrap();
                    assert!(out == input, "{compressor} {shuffle} {level}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_shrink_is_kept() {
        let mut state = 1u64;
        let input: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(10_001)
        .collect();
        let packed = pack(&stored_values(&[], 8, 10_001), &input);
        let mut out = vec![0; decoded_len(&packed).unwrap()];
        decode(&packed, &mut out).unwrap();
        assert_eq!(out, input);
    }

    #[test]
    fn damage_and_wrong_parameters_are_errors() {
        let input = vec![7u8; 5000];
        let packed = pack(&stored_values(&[], 4, 5000), &input);
        for cut in 0..packed.len() {
            assert!(decoded_len(&packed[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..packed.len() {
            let mut broken = packed.clone();
            broken[at] ^= 0xff;
            // Whatever becomes of it, nothing but an error or other bytes.
            if let Ok(len @ ..100_000) = decoded_len(&broken) {
                let _ = decode(&broken, &mut vec![0; len]);
            }
        }
        let mut out = vec![0; bound(input.len())];
        for values in [[2, 2, 4, 0, 10, 1, 0], [2, 2, 4, 0, 5, 3, 0], [2, 2, 4, 0, 5, 1, 77]] {
            assert!(encode(&values, &input, &mut out).is_err(), "{values:?}");
        }
    }
}
