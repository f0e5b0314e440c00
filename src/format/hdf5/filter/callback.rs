//! The filters as the C library calls them.
//!
//! The library hands over a chunk in a buffer of its own and takes back the same or another buffer. Whatever goes wrong within, a panic
//! included, becomes the return value 0 and a line on the library's error stack, and the library's buffer stays as it was.

#![allow(unsafe_code)]

use super::bitshuffle::Params;
use super::{BITSHUFFLE, BLOSC, BZIP2, LZ4, LZF, ZSTD, blosc, bzip, lz4, lzf};
use crate::error::{Result, bail, error};
use crate::format::zstandard;
use hdf5_sys::h5::{H5allocate_memory, H5free_memory};
use hdf5_sys::h5e::{H5E_CALLBACK, H5E_DEFAULT, H5E_ERR_CLS, H5E_PLINE, H5Epush2};
use hdf5_sys::h5i::hid_t;
use hdf5_sys::h5p::{H5Pget_chunk, H5Pget_filter_by_id2, H5Pmodify_filter};
use hdf5_sys::h5t::{H5T_class_t, H5Tclose, H5Tget_class, H5Tget_size, H5Tget_super};
use hdf5_sys::h5z::{H5Z_FLAG_REVERSE, H5Z_class2_t, H5Z_filter_t};
use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// A buffer of the library's allocator, zeroed when made.
struct Block {
    ptr: NonNull<u8>,
    len: usize,
}

impl Block {
    fn zeroed(len: usize) -> Result<Self> {
        // SAFETY: no precondition; null tells that there is no memory.
        let raw = unsafe { H5allocate_memory(len.max(1), 1) };
        let ptr = NonNull::new(raw.cast()).ok_or_else(|| error!(Io, "no memory for a chunk of {len} bytes"))?;
        Ok(Self { ptr, len })
    }

    fn from_slice(bytes: &[u8]) -> Result<Self> {
        let mut block = Self::zeroed(bytes.len())?;
        block.bytes().copy_from_slice(bytes);
        Ok(block)
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: `len` initialised bytes that only this block knows.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }

    /// Hands the buffer to the library.
    fn into_raw(self) -> *mut c_void {
        let raw = self.ptr.as_ptr().cast();
        std::mem::forget(self);
        raw
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated by H5allocate_memory, and given to nobody.
        unsafe {
            H5free_memory(self.ptr.as_ptr().cast());
        }
    }
}

/// A chunk of LZF of that size at most is decoded into a buffer of the whole chunk, whatever the data are.
const LZF_PADDING: usize = 64 << 20;

/// What a filter makes of a chunk: a block, of which the first bytes count.
type Output = (Block, usize);

fn whole(block: Block) -> Output {
    let len = block.len;
    (block, len)
}

fn encode_lzf(_values: &[u32], input: &[u8]) -> Result<Output> {
    // As long as the input at most: what does not shrink is stored without the filter.
    let mut block = Block::zeroed(input.len())?;
    match lzf::compress(input, block.bytes()) {
        Some(len) => Ok((block, len)),
        None => bail!(Unsupported, "the chunk does not become smaller by LZF"),
    }
}

fn decode_lzf(values: &[u32], input: &[u8]) -> Result<Output> {
    let len = lzf::decompressed_len(input)?;
    // A damaged chunk can be too short, and the library takes a whole one from the buffer: have room for it, within reason.
    let chunk = values.get(2).map_or(0, |bytes| *bytes as usize);
    let room = if chunk <= LZF_PADDING { len.max(chunk) } else { len };
    let mut block = Block::zeroed(room)?;
    let Some(out) = block.bytes().get_mut(..len) else { bail!(Corrupt, "the LZF data are longer than they say") };
    lzf::decompress(input, out)?;
    Ok((block, len))
}

fn encode_bitshuffle(values: &[u32], input: &[u8]) -> Result<Output> {
    let params = Params::from_values(values)?;
    let mut block = Block::zeroed(params.bound(input.len())?)?;
    let len = params.encode(input, block.bytes())?;
    Ok((block, len))
}

fn decode_bitshuffle(values: &[u32], input: &[u8]) -> Result<Output> {
    let params = Params::from_values(values)?;
    let mut block = Block::zeroed(params.decoded_len(input)?)?;
    params.decode(input, block.bytes())?;
    Ok(whole(block))
}

fn encode_zstd(values: &[u32], input: &[u8]) -> Result<Output> {
    let level = values.first().map_or(zstd::DEFAULT_COMPRESSION_LEVEL, |level| *level as i32);
    let mut block = Block::zeroed(zstandard::bound(input.len()))?;
    let len = zstandard::Packer::new(level)?.pack(input, block.bytes())?;
    Ok((block, len))
}

fn decode_zstd(_values: &[u32], input: &[u8]) -> Result<Output> {
    let Some(len) = zstandard::told_len(input)? else { return Block::from_slice(&zstandard::decompress(input)?).map(whole) };
    let mut block = Block::zeroed(len)?;
    match zstandard::decompress_into(input, block.bytes())? {
        got if got == len => Ok(whole(block)),
        got => bail!(Corrupt, "a zstd chunk has {got} bytes, not {len}"),
    }
}

fn encode_blosc(values: &[u32], input: &[u8]) -> Result<Output> {
    let mut block = Block::zeroed(blosc::bound(input.len()))?;
    let len = blosc::encode(values, input, block.bytes())?;
    Ok((block, len))
}

fn decode_blosc(_values: &[u32], input: &[u8]) -> Result<Output> {
    let mut block = Block::zeroed(blosc::decoded_len(input)?)?;
    blosc::decode(input, block.bytes())?;
    Ok(whole(block))
}

fn encode_lz4(values: &[u32], input: &[u8]) -> Result<Output> {
    let mut block = Block::zeroed(lz4::bound(values, input.len()))?;
    let len = lz4::encode(values, input, block.bytes())?;
    Ok((block, len))
}

fn decode_lz4(_values: &[u32], input: &[u8]) -> Result<Output> {
    let mut block = Block::zeroed(lz4::decoded_len(input)?)?;
    lz4::decode(input, block.bytes())?;
    Ok(whole(block))
}

fn encode_bzip2(values: &[u32], input: &[u8]) -> Result<Output> {
    Block::from_slice(&bzip::encode(values, input)?).map(whole)
}

fn decode_bzip2(_values: &[u32], input: &[u8]) -> Result<Output> {
    Block::from_slice(&bzip::decode(input)?).map(whole)
}

/// Puts a line on the library's error stack, where the caller's error finds it.
fn tell(filter: &str, message: &str) {
    let Ok(text) = CString::new(format!("{filter}: {message}").replace('\0', "?")) else { return };
    // SAFETY: C strings that live through the call; the format takes one string.
    unsafe {
        let (file, function) = (c"memh5".as_ptr(), c"filter".as_ptr());
        H5Epush2(H5E_DEFAULT, file, function, 0, *H5E_ERR_CLS, *H5E_PLINE, *H5E_CALLBACK, c"%s".as_ptr(), text.as_ptr());
    }
}

/// Runs a filter on the library's buffer, and replaces the buffer if it succeeds.
///
/// # Safety
/// The arguments are those of a filter's callback: `values` has `n_values` numbers, `*buffer` is a buffer of the library's allocator
/// with `*size` bytes, the first `len` of them initialised.
unsafe fn run(
    name: &str,
    codec: fn(&[u32], &[u8]) -> Result<Output>,
    (n_values, values): (usize, *const c_uint),
    len: usize,
    size: *mut usize,
    buffer: *mut *mut c_void,
) -> usize {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if buffer.is_null() || size.is_null() {
            bail!(InvalidArgument, "there is no chunk");
        }
        // SAFETY: not null, and as the caller promises.
        let (input, available) = unsafe { (*buffer, *size) };
        if input.is_null() || len > available {
            bail!(InvalidArgument, "the chunk has no {len} bytes");
        }
        let values: &[u32] = match values.is_null() {
            true => &[],
            // SAFETY: as the caller promises.
            false => unsafe { std::slice::from_raw_parts(values, n_values) },
        };
        // SAFETY: as the caller promises; nothing else touches the buffer while the library waits for us.
        let (block, used) = codec(values, unsafe { std::slice::from_raw_parts(input.cast(), len) })?;
        if used == 0 || used > block.len {
            bail!(Corrupt, "the chunk is empty");
        }
        // SAFETY: the old buffer is the library's and no longer borrowed; the new one is of the same allocator.
        unsafe {
            H5free_memory(input);
            *size = block.len;
            *buffer = block.into_raw();
        }
        Ok(used)
    }));
    match outcome {
        Ok(Ok(used)) => used,
        Ok(Err(error)) => {
            tell(name, &error.to_string());
            0
        }
        Err(panic) => {
            // The payload's own drop could panic, too.
            std::mem::forget(panic);
            tell(name, "an internal error");
            0
        }
    }
}

macro_rules! filter_callback {
    ($function:ident, $name:literal, $encode:path, $decode:path) => {
        unsafe extern "C" fn $function(
            flags: c_uint,
            n_values: usize,
            values: *const c_uint,
            len: usize,
            size: *mut usize,
            buffer: *mut *mut c_void,
        ) -> usize {
            let codec: fn(&[u32], &[u8]) -> Result<Output> = if flags & H5Z_FLAG_REVERSE != 0 { $decode } else { $encode };
            // SAFETY: the library calls with the arguments that a filter's callback gets.
            unsafe { run($name, codec, (n_values, values), len, size, buffer) }
        }
    };
}
filter_callback!(filter_lzf, "LZF", encode_lzf, decode_lzf);
filter_callback!(filter_bitshuffle, "bitshuffle", encode_bitshuffle, decode_bitshuffle);
filter_callback!(filter_zstd, "zstd", encode_zstd, decode_zstd);
filter_callback!(filter_blosc, "Blosc", encode_blosc, decode_blosc);
filter_callback!(filter_lz4, "LZ4", encode_lz4, decode_lz4);
filter_callback!(filter_bzip2, "bzip2", encode_bzip2, decode_bzip2);

/// The most parameters that a filter here has as a user sets them.
const USER_VALUES: usize = 8;

/// Replaces the parameters of a filter by what the function makes of them, when a dataset of a type is created.
fn set_local(name: &str, list: hid_t, id: H5Z_filter_t, f: impl FnOnce(&[u32]) -> Result<Vec<u32>>) -> c_int {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let (mut flags, mut len, mut values) = (0, USER_VALUES, [0u32; USER_VALUES]);
        // SAFETY: pointers to locals; the library fills at most `len` values and says how many there are.
        let status = unsafe {
            H5Pget_filter_by_id2(list, id, &raw mut flags, &raw mut len, values.as_mut_ptr(), 0, std::ptr::null_mut(), std::ptr::null_mut())
        };
        if status < 0 {
            bail!(InvalidArgument, "the filter has no parameters");
        }
        let new = f(&values[..len.min(USER_VALUES)])?;
        // SAFETY: as many values as told.
        if unsafe { H5Pmodify_filter(list, id, flags, new.len(), new.as_ptr()) } < 0 {
            bail!(InvalidArgument, "the library refuses the parameters {new:?}");
        }
        Ok(())
    }));
    match outcome {
        Ok(Ok(())) => 1,
        Ok(Err(error)) => {
            tell(name, &error.to_string());
            -1
        }
        Err(panic) => {
            std::mem::forget(panic);
            tell(name, "an internal error");
            -1
        }
    }
}

fn element_size(dtype: hid_t) -> Result<u32> {
    // SAFETY: an id, which the library checks.
    match u32::try_from(unsafe { H5Tget_size(dtype) }) {
        Ok(size @ 1..) => Ok(size),
        _ => bail!(Dtype, "the element type has no size that fits"),
    }
}

/// The bytes of a chunk of a dataset that is created.
fn chunk_size(list: hid_t, dtype: hid_t) -> Result<u32> {
    let mut axes = [0u64; 32];
    // SAFETY: room for as many axes as told.
    let rank = usize::try_from(unsafe { H5Pget_chunk(list, 32, axes.as_mut_ptr()) });
    let Some(axes) = rank.ok().and_then(|rank| axes.get(..rank)) else { bail!(Shape, "the dataset has no chunks") };
    let bytes = axes.iter().try_fold(u64::from(element_size(dtype)?), |bytes, axis| bytes.checked_mul(*axis));
    let Some(bytes) = bytes.and_then(|bytes| u32::try_from(bytes).ok()) else { bail!(Shape, "the chunk is too large for its filter") };
    Ok(bytes)
}

/// Revision of h5py's filter, version of LZF, bytes of a chunk.
extern "C" fn set_local_lzf(list: hid_t, dtype: hid_t, _space: hid_t) -> c_int {
    set_local("LZF", list, LZF, |user| {
        let bytes = chunk_size(list, dtype)?;
        let given = |k: usize, default| user.get(k).copied().filter(|v| *v != 0).unwrap_or(default);
        let mut values = vec![given(0, super::LZF_REVISION), given(1, super::LZF_VERSION), bytes];
        values.extend(user.iter().skip(3));
        Ok(values)
    })
}

/// Version of bitshuffle, size of an element, then what the user has given.
extern "C" fn set_local_bitshuffle(list: hid_t, dtype: hid_t, _space: hid_t) -> c_int {
    set_local("bitshuffle", list, BITSHUFFLE, |user| {
        let mut values = vec![super::BITSHUFFLE_VERSION[0], super::BITSHUFFLE_VERSION[1], element_size(dtype)?];
        values.extend(user);
        Params::from_values(&values)?;
        Ok(values)
    })
}

/// Revision, version of the format, bytes of an element (of what an array is of) and of a chunk, then what the user has given.
extern "C" fn set_local_blosc(list: hid_t, dtype: hid_t, _space: hid_t) -> c_int {
    set_local("Blosc", list, BLOSC, |user| Ok(blosc::stored_values(user, base_size(dtype)?, chunk_size(list, dtype)?)))
}

/// The bytes of an element, of one within where it is an array.
fn base_size(dtype: hid_t) -> Result<u32> {
    // SAFETY: an id, which the library checks; the base is closed after its size is known.
    unsafe {
        if H5Tget_class(dtype) != H5T_class_t::H5T_ARRAY {
            return element_size(dtype);
        }
        let base = H5Tget_super(dtype);
        let size = element_size(base);
        if base >= 0 {
            H5Tclose(base);
        }
        size
    }
}

fn class(id: H5Z_filter_t, name: &'static CStr) -> H5Z_class2_t {
    H5Z_class2_t {
        version: 1,
        id,
        encoder_present: 1,
        decoder_present: 1,
        name: name.as_ptr(),
        can_apply: None,
        set_local: None,
        filter: None,
    }
}

/// The filters of this crate, as the library wants to know them. The names are those that files carry.
pub(super) fn classes() -> [H5Z_class2_t; 6] {
    [
        H5Z_class2_t { set_local: Some(set_local_lzf), filter: Some(filter_lzf), ..class(LZF, c"lzf") },
        H5Z_class2_t {
            set_local: Some(set_local_bitshuffle),
            filter: Some(filter_bitshuffle),
            ..class(BITSHUFFLE, c"bitshuffle; see https://github.com/kiyo-masui/bitshuffle")
        },
        H5Z_class2_t { filter: Some(filter_zstd), ..class(ZSTD, c"Zstandard compression: http://www.zstd.net") },
        H5Z_class2_t { set_local: Some(set_local_blosc), filter: Some(filter_blosc), ..class(BLOSC, c"blosc") },
        H5Z_class2_t {
            filter: Some(filter_lz4),
            ..class(LZ4, c"HDF5 lz4 filter; see http://www.hdfgroup.org/services/contributions.html")
        },
        H5Z_class2_t { filter: Some(filter_bzip2), ..class(BZIP2, c"bzip2") },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panics(_values: &[u32], _input: &[u8]) -> Result<Output> {
        panic!("on purpose")
    }

    #[test]
    fn a_failure_leaves_the_buffer_as_it_was() {
        super::super::register_all();
        for codec in [panics as fn(&[u32], &[u8]) -> Result<Output>, decode_lzf] {
            let mut buffer = Block::from_slice(&[255; 16]).unwrap().into_raw();
            let before = buffer;
            let mut size = 16usize;
            // SAFETY: a buffer of the library's allocator of 16 bytes.
            unsafe {
                assert_eq!(run("test", codec, (0, std::ptr::null()), 16, &raw mut size, &raw mut buffer), 0);
                assert_eq!((buffer, size), (before, 16));
                assert_eq!(run("test", codec, (0, std::ptr::null()), 17, &raw mut size, &raw mut buffer), 0);
                assert_eq!(run("test", codec, (0, std::ptr::null()), 16, std::ptr::null_mut(), &raw mut buffer), 0);
                H5free_memory(buffer);
            }
        }
    }
}
