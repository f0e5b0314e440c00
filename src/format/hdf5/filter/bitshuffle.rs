//! Bitshuffle (filter 32008): the bits of each block of elements sorted by significance, then LZ4 or Zstandard, or nothing.
//!
//! A chunk is cut into blocks of a multiple of 8 elements; the last block is what is left, and the fewer than 8 elements after it are
//! stored as they are. With a compressor the chunk begins with the length of the data (8 bytes, big-endian) and of a block (4 bytes),
//! both uncompressed; each block is then its compressed length (4 bytes) and its compressed bytes.

use super::transpose::{shuffle, unshuffle};
use crate::error::{Error, Result, bail, error};
use crate::format::zstandard;
use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

/// The filter's own choice of a block: about that many bytes.
const BLOCK_BYTES: usize = 8192;
/// The filter's own choice has at least that many elements.
const BLOCK_ELEMENTS: usize = 128;
/// The lengths before the first block.
const HEADER: usize = 12;
/// A byte of LZ4 stands for at most that many.
const LZ4_RATIO: usize = 255;

/// What follows the shuffle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    None,
    Lz4,
    Zstd(i32),
}

/// The parameters of the filter as a file stores them: version, element size, block size, compressor, level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Params {
    itemsize: usize,
    /// In elements.
    block: usize,
    codec: Codec,
}

impl Params {
    pub(super) fn from_values(values: &[u32]) -> Result<Self> {
        let itemsize = match values.get(2) {
            Some(0) | None => bail!(Corrupt, "the bitshuffle filter has no element size"),
            Some(n) => *n as usize,
        };
        let block = match values.get(3) {
            Some(0) | None => default_block(itemsize),
            Some(n) if n % 8 != 0 => bail!(Corrupt, "the bitshuffle block size {n} is not a multiple of 8"),
            Some(n) => *n as usize,
        };
        let codec = match values.get(4) {
            Some(0) | None => Codec::None,
            Some(2) => Codec::Lz4,
            Some(3) => Codec::Zstd(values.get(5).map_or(3, |level| *level as i32)),
            Some(other) => bail!(Unsupported, "the bitshuffle compressor {other} is not known"),
        };
        Ok(Self { itemsize, block, codec })
    }

    fn block_bytes(&self) -> Result<usize> {
        self.block.checked_mul(self.itemsize).ok_or_else(|| error!(Corrupt, "a bitshuffle block of {} elements is too large", self.block))
    }

    /// The most bytes that `len` bytes become.
    pub(super) fn bound(&self, len: usize) -> Result<usize> {
        if self.codec == Codec::None {
            return Ok(len);
        }
        let block = self.block_bytes()?.min(len).max(1);
        // Half for a last block that is short, and for what does not shrink.
        let blocks = len / block + 1;
        let each = match self.codec {
            Codec::Zstd(_) => zstandard::bound(block),
            _ => get_maximum_output_size(block),
        };
        each.checked_add(4)
            .and_then(|each| each.checked_mul(blocks))
            .and_then(|n| n.checked_add(HEADER + 8 * self.itemsize))
            .ok_or_else(|| error!(Shape, "a chunk of {len} bytes is too large for bitshuffle"))
    }

    /// Encodes a chunk into `out`, which has [`bound`](Self::bound) bytes, and returns the length.
    pub(super) fn encode(&self, input: &[u8], out: &mut [u8]) -> Result<usize> {
        self.check_whole(input.len())?;
        let full = || error!(Corrupt, "the room for bitshuffle's output is too small");
        let block_bytes = self.block_bytes()?;
        let (blocks, leftover) = self.blocks(input, block_bytes);
        let (mut lanes, mut rows) = (room(block_bytes.min(input.len()))?, room(block_bytes.min(input.len()))?);
        let mut at = 0;
        let mut put = |bytes: &[u8], at: &mut usize| {
            out.get_mut(*at..*at + bytes.len()).ok_or_else(full)?.copy_from_slice(bytes);
            *at += bytes.len();
            Ok::<_, Error>(())
        };
        if self.codec != Codec::None {
            put(&(input.len() as u64).to_be_bytes(), &mut at)?;
            let told = u32::try_from(block_bytes)
                .map_err(|_| error!(InvalidArgument, "a bitshuffle block of {block_bytes} bytes is too large"))?;
            put(&told.to_be_bytes(), &mut at)?;
        }
        let mut packer = Packer::new(self.codec, rows.len())?;
        for block in blocks {
            let (rows, lanes) = (cut(&mut rows, block.len())?, cut(&mut lanes, block.len())?);
            shuffle(block, rows, lanes, self.itemsize);
            let packed = packer.pack(rows)?;
            if self.codec != Codec::None {
                let told = u32::try_from(packed.len()).map_err(|_| full())?;
                put(&told.to_be_bytes(), &mut at)?;
            }
            put(packed, &mut at)?;
        }
        put(leftover, &mut at)?;
        Ok(at)
    }

    /// The length of the data in an encoded chunk, once its lengths have been checked against the bytes that are there.
    pub(super) fn decoded_len(&self, input: &[u8]) -> Result<usize> {
        if self.codec == Codec::None {
            self.check_whole(input.len())?;
            return Ok(input.len());
        }
        let (len, block_bytes, mut rest) = self.header(input)?;
        if self.codec == Codec::Lz4 && len / LZ4_RATIO > input.len() {
            bail!(Corrupt, "a bitshuffle chunk says that it holds {len} bytes, more than its {} can", input.len());
        }
        for (block, last) in lengths(len, block_bytes, self.itemsize) {
            let Some((packed, after)) = take_block(rest) else { bail!(Corrupt, "a bitshuffle chunk ends too early") };
            if matches!(self.codec, Codec::Zstd(_)) {
                zstandard::check_len(packed, block)?;
            }
            rest = after;
            if last {
                break;
            }
        }
        if rest.len() != leftover(len, self.itemsize) {
            bail!(Corrupt, "a bitshuffle chunk of {} bytes does not hold the {len} bytes that it says", input.len());
        }
        Ok(len)
    }

    /// Decodes a chunk into `out`, which has exactly [`decoded_len`](Self::decoded_len) bytes.
    pub(super) fn decode(&self, input: &[u8], out: &mut [u8]) -> Result<()> {
        if self.codec == Codec::None {
            return self.decode_plain(input, out);
        }
        let (len, block_bytes, mut rest) = self.header(input)?;
        if len != out.len() {
            bail!(Corrupt, "a bitshuffle chunk holds {len} bytes, not {}", out.len());
        }
        let widest = block_bytes.min(len);
        let (mut rows, mut lanes) = (room(widest)?, room(widest)?);
        let whole = len - leftover(len, self.itemsize);
        let (blocks, tail) = out.split_at_mut(whole);
        for block in blocks.chunks_mut(block_bytes) {
            let Some((packed, after)) = take_block(rest) else { bail!(Corrupt, "a bitshuffle chunk ends too early") };
            rest = after;
            let (rows, lanes) = (cut(&mut rows, block.len())?, cut(&mut lanes, block.len())?);
            let got = match self.codec {
                Codec::Zstd(_) => zstandard::decompress_into(packed, rows)?,
                _ => decompress_into(packed, rows).map_err(|e| error!(Corrupt, "an LZ4 block is damaged").because(e))?,
            };
            if got != rows.len() {
                bail!(Corrupt, "a bitshuffle block has {got} bytes, not {}", rows.len());
            }
            unshuffle(rows, block, lanes, self.itemsize);
        }
        let Some(verbatim) = rest.get(..tail.len()) else { bail!(Corrupt, "a bitshuffle chunk ends too early") };
        tail.copy_from_slice(verbatim);
        Ok(())
    }

    fn decode_plain(&self, input: &[u8], out: &mut [u8]) -> Result<()> {
        self.check_whole(input.len())?;
        if input.len() != out.len() {
            bail!(Corrupt, "a bitshuffle chunk holds {} bytes, not {}", input.len(), out.len());
        }
        let block_bytes = self.block_bytes()?;
        let mut lanes = room(block_bytes.min(input.len()))?;
        let whole = input.len() - leftover(input.len(), self.itemsize);
        let (blocks, tail) = out.split_at_mut(whole);
        let (rows, verbatim) = input.split_at(whole);
        for (rows, block) in rows.chunks(block_bytes).zip(blocks.chunks_mut(block_bytes)) {
            unshuffle(rows, block, cut(&mut lanes, block.len())?, self.itemsize);
        }
        tail.copy_from_slice(verbatim);
        Ok(())
    }

    fn check_whole(&self, len: usize) -> Result<()> {
        if !len.is_multiple_of(self.itemsize) {
            bail!(Corrupt, "{len} bytes are not a whole number of elements of {} bytes", self.itemsize);
        }
        Ok(())
    }

    fn blocks<'i>(&self, input: &'i [u8], block_bytes: usize) -> (std::slice::Chunks<'i, u8>, &'i [u8]) {
        let (whole, rest) = input.split_at(input.len() - leftover(input.len(), self.itemsize));
        (whole.chunks(block_bytes), rest)
    }

    /// The length of the data, that of a block, and what follows.
    fn header<'i>(&self, input: &'i [u8]) -> Result<(usize, usize, &'i [u8])> {
        let parts =
            input.split_first_chunk::<8>().and_then(|(len, rest)| rest.split_first_chunk::<4>().map(|(block, rest)| (len, block, rest)));
        let Some((len, block, rest)) = parts else { bail!(Corrupt, "a bitshuffle chunk is shorter than its header") };
        let len = u64::from_be_bytes(*len);
        let Ok(len) = usize::try_from(len) else { bail!(Corrupt, "a bitshuffle chunk says that it holds {len} bytes") };
        self.check_whole(len)?;
        let block = u32::from_be_bytes(*block) as usize / self.itemsize;
        if block == 0 || !block.is_multiple_of(8) {
            bail!(Corrupt, "a bitshuffle chunk has blocks of {block} elements, which is not a multiple of 8");
        }
        Ok((len, block * self.itemsize, rest))
    }
}

/// The bytes after the last 8 whole elements.
fn leftover(len: usize, itemsize: usize) -> usize {
    len / itemsize % 8 * itemsize
}

/// The lengths of the blocks, and whether each is the last.
fn lengths(len: usize, block_bytes: usize, itemsize: usize) -> impl Iterator<Item = (usize, bool)> {
    let whole = len - leftover(len, itemsize);
    (0..whole).step_by(block_bytes).map(move |at| (block_bytes.min(whole - at), at + block_bytes >= whole))
}

/// The filter's own choice of elements for a block.
fn default_block(itemsize: usize) -> usize {
    (BLOCK_BYTES / itemsize / 8 * 8).max(BLOCK_ELEMENTS)
}

fn take_block(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}

/// Zeroed bytes to work in; an error if there is no memory for them.
fn room(len: usize) -> Result<Vec<u8>> {
    let mut room = Vec::new();
    room.try_reserve_exact(len).map_err(|e| error!(Io, "no memory for a block of {len} bytes").because(e))?;
    room.resize(len, 0);
    Ok(room)
}

fn cut(room: &mut [u8], len: usize) -> Result<&mut [u8]> {
    room.get_mut(..len).ok_or_else(|| error!(Corrupt, "a bitshuffle block has {len} bytes, more than it should"))
}

/// Compresses one block after the other.
enum Packer {
    None,
    Lz4(CompressTable, Vec<u8>),
    Zstd(zstandard::Packer, Vec<u8>),
}

impl Packer {
    fn new(codec: Codec, block: usize) -> Result<Self> {
        Ok(match codec {
            Codec::None => Self::None,
            Codec::Lz4 => Self::Lz4(CompressTable::default(), room(get_maximum_output_size(block))?),
            Codec::Zstd(level) => Self::Zstd(zstandard::Packer::new(level)?, room(zstandard::bound(block))?),
        })
    }

    fn pack<'p>(&'p mut self, rows: &'p [u8]) -> Result<&'p [u8]> {
        let (out, len) = match self {
            Self::None => return Ok(rows),
            Self::Lz4(table, out) => {
                let len =
                    compress_into_with_table(rows, out, table).map_err(|e| error!(Corrupt, "LZ4 cannot compress a block").because(e))?;
                (out, len)
            }
            Self::Zstd(packer, out) => {
                let len = packer.pack(rows, out)?;
                (out, len)
            }
        };
        out.get(..len).ok_or_else(|| error!(Corrupt, "a compressed block is longer than its room"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(params: &Params, input: &[u8]) -> Vec<u8> {
        let mut out = vec![0; params.bound(input.len()).unwrap()];
        let len = params.encode(input, &mut out).unwrap();
        out.truncate(len);
        out
    }

    fn decode(params: &Params, input: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; params.decoded_len(input)?];
        params.decode(input, &mut out)?;
        Ok(out)
    }

    fn noise(n: usize) -> Vec<u8> {
        (0..n as u32).map(|k| (k.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
    }

    #[test]
    fn every_size_comes_back() {
        for itemsize in [1, 2, 3, 4, 7, 8, 12, 16, 40] {
            for n in [0usize, 1, 7, 8, 9, 63, 64, 127, 128, 129, 1000, 5001] {
                for block in [0u32, 8, 64, 1024, 1 << 20] {
                    for rest in [&[0][..], &[2], &[3, 3]] {
                        let values = [&[0, 5, itemsize, block], rest].concat();
                        let params = Params::from_values(&values).unwrap();
                        for input in [noise(n * itemsize as usize), vec![1; n * itemsize as usize]] {
                            let packed = encode(&params, &input);
                            assert!(decode(&params, &packed).unwrap() == input, "{n} elements with {values:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn hostile_lengths_are_refused() {
        for codec in [2, 3] {
            let params = Params::from_values(&[0, 5, 4, 0, codec]).unwrap();
            let packed = encode(&params, &noise(4096));
            for len in [u64::MAX, 1 << 62, 1 << 40, 4100, 4092 + 32] {
                let mut bad = packed.clone();
                bad[..8].copy_from_slice(&len.to_be_bytes());
                assert!(decode(&params, &bad).is_err(), "length {len}");
            }
            for block in [0u32, 1, 4, 33, u32::MAX, 64] {
                let mut bad = packed.clone();
                bad[8..12].copy_from_slice(&block.to_be_bytes());
                assert!(decode(&params, &bad).is_err(), "block {block}");
            }
            // A block larger than the data is one block that is short; it takes no more memory than the data.
            let mut large = packed.clone();
            large[8..12].copy_from_slice(&(1u32 << 31).to_be_bytes());
            assert!(decode(&params, &large).unwrap() == noise(4096));
            for cut in 0..packed.len() {
                assert!(decode(&params, &packed[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn wrong_parameters_are_refused() {
        for values in [&[][..], &[0, 5], &[0, 5, 0], &[0, 5, 4, 7], &[0, 5, 4, 8, 1], &[0, 5, 4, 8, 9]] {
            assert!(Params::from_values(values).is_err(), "{values:?}");
        }
        let params = Params::from_values(&[0, 5, 8, 0, 2]).unwrap();
        assert!(params.encode(&[0; 12], &mut [0; 100]).is_err());
        assert!(params.encode(&noise(4096), &mut [0; 100]).is_err());
        assert_eq!((default_block(1), default_block(8), default_block(24), default_block(100)), (8192, 1024, 336, 128));
    }

    proptest! {
        #[test]
        fn flipped_bits_never_panic(seed in any::<u32>(), codec in 0u32..4, flips in proptest::collection::vec(any::<u16>(), 1..6)) {
            prop_assume!(codec != 1);
            let params = Params::from_values(&[0, 5, 4, 64, codec]).unwrap();
            let input: Vec<u8> = (0..2000u32).map(|k| (k.wrapping_mul(seed) >> 27) as u8).collect();
            let mut packed = encode(&params, &input);
            for flip in flips {
                let at = usize::from(flip >> 3) % packed.len();
                packed[at] ^= 1 << (flip & 7);
            }
            if let Ok(out) = decode(&params, &packed) {
                prop_assert!(out.len() <= packed.len() * 40_000);
            }
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(input in proptest::collection::vec(any::<u8>(), 0..400), codec in 2u32..4, itemsize in 1u32..9) {
            let params = Params::from_values(&[0, 5, itemsize, 0, codec]).unwrap();
            let _ = decode(&params, &input);
        }
    }
}
