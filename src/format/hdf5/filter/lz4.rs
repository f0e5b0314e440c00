//! LZ4 (filter 32004), as detectors write it: the length of the data (8 bytes, the most significant first), the length of a block (4 bytes), then each
//! block behind its own length (4 bytes). A block of full length is stored as it is. The one parameter is the length of a block.

use crate::error::{Result, bail, error};
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};

/// The length of a block that the filter chooses.
const BLOCK: usize = 1 << 30;
/// No byte of LZ4 stands for more.
const RATIO: usize = 256;
const HEADER: usize = 12;

/// The length of a block for data of that length; 0 leaves it to the filter.
fn block_len(values: &[u32], len: usize) -> usize {
    values.first().map(|n| *n as usize).filter(|n| *n > 0).unwrap_or(BLOCK).min(BLOCK).min(len.max(1))
}

/// The most bytes that `len` bytes become.
pub(super) fn bound(values: &[u32], len: usize) -> usize {
    let block = block_len(values, len);
    HEADER + len.div_ceil(block) * (4 + get_maximum_output_size(block))
}

/// Compresses into `out`, which has [`bound`] bytes, and returns the length.
pub(super) fn encode(values: &[u32], input: &[u8], out: &mut [u8]) -> Result<usize> {
    let small = || error!(Io, "the buffer for the LZ4 data is too small");
    let block = block_len(values, input.len());
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&(input.len() as u64).to_be_bytes());
    header[8..].copy_from_slice(&(block as u32).to_be_bytes());
    out.get_mut(..HEADER).ok_or_else(small)?.copy_from_slice(&header);
    let mut at = HEADER;
    for piece in input.chunks(block) {
        let (len, rest) = out.get_mut(at..).and_then(|rest| rest.split_at_mut_checked(4)).ok_or_else(small)?;
        let packed = match compress_into(piece, rest).map_err(|e| small().because(e))? {
            packed if packed < piece.len() => packed,
            _ => {
                rest.get_mut(..piece.len()).ok_or_else(small)?.copy_from_slice(piece);
                piece.len()
            }
        };
        len.copy_from_slice(&(packed as u32).to_be_bytes());
        at += 4 + packed;
    }
    Ok(at)
}

/// The bytes that the data hold, as they say themselves.
pub(super) fn decoded_len(input: &[u8]) -> Result<usize> {
    let Some((len, _)) = input.split_first_chunk::<8>() else { bail!(Corrupt, "the LZ4 data are cut off") };
    match usize::try_from(u64::from_be_bytes(*len)) {
        Ok(len) if len / RATIO <= input.len() => Ok(len),
        _ => bail!(Corrupt, "LZ4 data of {} bytes cannot hold as much as they say", input.len()),
    }
}

/// Decompresses into `out`, which has [`decoded_len`] bytes.
pub(super) fn decode(input: &[u8], out: &mut [u8]) -> Result<()> {
    let cut = || error!(Corrupt, "the LZ4 data are cut off");
    let (block, mut rest) = input.get(8..).and_then(|rest| rest.split_first_chunk::<4>()).ok_or_else(cut)?;
    let block = u32::from_be_bytes(*block) as usize;
    if block == 0 && !out.is_empty() {
        bail!(Corrupt, "the LZ4 data have blocks of no length");
    }
    for piece in out.chunks_mut(block.max(1)) {
        let (len, after) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let (packed, after) = after.split_at_checked(u32::from_be_bytes(*len) as usize).ok_or_else(cut)?;
        if packed.len() == piece.len() {
            piece.copy_from_slice(packed);
        } else {
            let len = decompress_into(packed, piece).map_err(|e| error!(Corrupt, "the LZ4 data are damaged").because(e))?;
            if len != piece.len() {
                bail!(Corrupt, "an LZ4 block has {len} bytes, not {}", piece.len());
            }
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_and_damage_is_an_error() {
        let input: Vec<u8> = (0..10_000u32).flat_map(|k| [(k / 9) as u8, ((k * k) >> 3) as u8]).collect();
        for values in [&[][..], &[0], &[1000], &[4096], &[1 << 20]] {
            let mut packed = vec![0; bound(values, input.len())];
            let len = encode(values, &input, &mut packed).unwrap();
            packed.truncate(len);
            assert!(len <= input.len() + input.len() / 100 + 12, "{values:?}: {len}");
            let mut out = vec![0; decoded_len(&packed).unwrap()];
            decode(&packed, &mut out).unwrap();
            assert!(out == input, "{values:?}");
            for cut in [0, 7, 11, 15, len / 2, len - 1] {
                let short = &packed[..cut];
                assert!(decoded_len(short).and_then(|n| decode(short, &mut vec![0; n])).is_err(), "cut at {cut}");
            }
        }
        assert!(decoded_len(&[0xff; 20]).is_err());
    }
}
