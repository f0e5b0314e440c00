//! Zstandard: HDF5's filter 32015, the same inside bitshuffle, and Zarr's codec.
//!
//! A thread keeps the contexts of the library from chunk to chunk: to make them anew for each costs fresh pages.

use crate::error::{Result, bail, error};
use std::cell::Cell;
use std::io::Read;
use zstd::bulk::Decompressor;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, ErrorCode, WriteBuf, get_error_name};

/// No frame holds more: a block of 128 KiB takes at least 4 bytes, and a frame's header adds a few.
const RATIO: usize = 128 * 1024 / 3;
/// Up to that size the length that a frame gives is believed before the frame is decoded.
const BELIEVED: usize = 64 << 20;
/// A chunk of HDF5 1.x has fewer bytes than that.
const LARGEST: usize = u32::MAX as usize;

/// The most bytes that `len` bytes become.
pub(super) fn bound(len: usize) -> usize {
    zstd::compress_bound(len)
}

/// Compresses one piece after the other.
pub(super) struct Packer(CCtx<'static>);

impl Packer {
    #[cfg(any(feature = "hdf5", test))]
    pub(super) fn new(level: i32) -> Result<Self> {
        Self::with_checksum(level, false)
    }

    /// Frames that end with a checksum of what they hold, or not.
    fn with_checksum(level: i32, checksum: bool) -> Result<Self> {
        let Some(mut context) = CCtx::try_create() else { bail!(Io, "there is no memory to compress chunks") };
        let refused = |code| error!(InvalidArgument, "zstd does not take the level {level}: {}", get_error_name(code));
        context.set_parameter(CParameter::CompressionLevel(level)).map_err(refused)?;
        context.set_parameter(CParameter::ChecksumFlag(checksum)).map_err(refused)?;
        Ok(Self(context))
    }

    /// Compresses into `out`, which has [`bound`] bytes, and returns the length.
    pub(super) fn pack<B: WriteBuf + ?Sized>(&mut self, input: &[u8], out: &mut B) -> Result<usize> {
        self.0.compress2(out, input).map_err(|code| error!(Io, "zstd cannot compress a chunk: {}", get_error_name(code)))
    }
}

/// A context of so many bytes is kept at most; those of the highest levels take a hundred times as many.
#[cfg(feature = "zarr")]
const MOST_KEPT: usize = 16 << 20;

thread_local! {
    #[cfg(feature = "zarr")]
    static PACKER: Cell<Option<(i32, bool, Packer)>> = const { Cell::new(None) };
    static UNPACKER: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Compresses into a vector, whose room is used again.
#[cfg(feature = "zarr")]
pub(super) fn compress(input: &[u8], level: i32, checksum: bool, out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    if out.try_reserve(bound(input.len())).is_err() {
        bail!(Io, "there is no memory to compress a chunk of {} bytes", input.len());
    }
    let kept = PACKER.try_with(Cell::take).ok().flatten();
    let mut packer = match kept {
        Some((l, c, packer)) if (l, c) == (level, checksum) => packer,
        _ => Packer::with_checksum(level, checksum)?,
    };
    packer.pack(input, out)?;
    if packer.0.sizeof() <= MOST_KEPT {
        // At the end of the thread there is no place, and it is freed.
        let mut packer = Some((level, checksum, packer));
        let _ = PACKER.try_with(|place| place.set(packer.take()));
    }
    Ok(())
}

/// Checks that a frame can hold that many bytes.
pub(super) fn check_len(frame: &[u8], len: usize) -> Result<()> {
    match Decompressor::upper_bound(frame) {
        Some(told) if told != len => bail!(Corrupt, "a zstd frame holds {told} bytes, not {len}"),
        _ if len / RATIO > frame.len() => bail!(Corrupt, "a zstd frame of {} bytes cannot hold {len}", frame.len()),
        _ => Ok(()),
    }
}

/// The length of the data, if the frame tells it and it can be believed.
pub(super) fn told_len(frame: &[u8]) -> Result<Option<usize>> {
    match Decompressor::upper_bound(frame) {
        Some(len) if len / RATIO > frame.len() => bail!(Corrupt, "a zstd frame of {} bytes cannot hold {len}", frame.len()),
        Some(len) if len > BELIEVED && len / 256 > frame.len() => Ok(None),
        told => Ok(told),
    }
}

/// Decompresses into `out` and returns the length.
pub(super) fn decompress_into(frame: &[u8], out: &mut [u8]) -> Result<usize> {
    let Some(mut context) = UNPACKER.try_with(Cell::take).ok().flatten().or_else(DCtx::try_create) else {
        bail!(Io, "there is no memory to decompress a chunk");
    };
    let damaged = |code: ErrorCode| error!(Corrupt, "zstd data are damaged: {}", get_error_name(code));
    let len = context.decompress(out, frame).map_err(damaged)?;
    let mut context = Some(context);
    let _ = UNPACKER.try_with(|place| place.set(context.take()));
    Ok(len)
}

/// Decompresses data of unknown length; memory is taken only for what really comes out.
pub(super) fn decompress(frame: &[u8]) -> Result<Vec<u8>> {
    let damaged = |e: std::io::Error| error!(Corrupt, "zstd data are damaged").because(e);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(damaged)?.take(LARGEST as u64 + 1);
    let mut out: Vec<u8> = Vec::new();
    loop {
        if out.try_reserve(1 << 20).is_err() {
            bail!(Io, "no memory for a chunk of more than {} bytes", out.len());
        }
        let before = out.len();
        (&mut decoder).take(1 << 20).read_to_end(&mut out).map_err(damaged)?;
        if out.len() > LARGEST {
            bail!(Corrupt, "zstd data hold more than a chunk can");
        }
        if out.len() == before {
            return Ok(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(input: &[u8], level: i32) -> Vec<u8> {
        let mut out = vec![0; bound(input.len())];
        let len = Packer::new(level).unwrap().pack(input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    #[test]
    fn levels_and_lengths_come_back() {
        for level in [-7, 0, 1, 3, 19] {
            for n in [0usize, 1, 1000, 300_000] {
                let input: Vec<u8> = (0..n).map(|k| (k / 7) as u8).collect();
                let frame = pack(&input, level);
                assert_eq!(told_len(&frame).unwrap(), Some(n));
                assert_eq!(decompress(&frame).unwrap(), input);
                let mut out = vec![0; n];
                assert_eq!(decompress_into(&frame, &mut out).unwrap(), n);
                assert_eq!(out, input);
            }
        }
    }

    #[test]
    fn a_frame_without_its_length_is_read() {
        let input = vec![5u8; 3 << 20];
        let frame = zstd::stream::encode_all(&input[..], 1).unwrap();
        assert_eq!(told_len(&frame).unwrap(), None);
        assert_eq!(decompress(&frame).unwrap(), input);
    }

    #[test]
    fn damage_is_an_error() {
        let frame = pack(&(0..20_000u32).map(|k| (k % 251) as u8).collect::<Vec<_>>(), 3);
        for cut in 0..frame.len() {
            let mut out = vec![0; 20_000];
            assert!(decompress_into(&frame[..cut], &mut out).map_or(true, |n| n < 20_000), "cut at {cut}");
        }
        // A frame that says it holds an exabyte: magic, descriptor (8-byte length, one segment), length, an empty last block.
        let mut liar = vec![0x28, 0xB5, 0x2F, 0xFD, 0b1110_0000];
        liar.extend((1u64 << 60).to_le_bytes());
        liar.extend([1, 0, 0]);
        assert!(told_len(&liar).is_err());
        assert!(check_len(&liar, 64).is_err());
        assert!(decompress(&liar).is_err());
    }
}
