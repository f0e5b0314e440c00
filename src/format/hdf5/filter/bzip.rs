//! bzip2 (filter 307), an old choice of PyTables. The one parameter is the level.

use crate::error::{Result, bail, error};
use bzip2::Compression;
use bzip2::read::{BzDecoder, BzEncoder};
use std::io::Read;

/// A chunk of HDF5 1.x has fewer bytes than that.
const LARGEST: u64 = u32::MAX as u64;

/// Compresses.
pub(super) fn encode(values: &[u32], input: &[u8]) -> Result<Vec<u8>> {
    let level = values.first().copied().unwrap_or(9);
    if !(1..=9).contains(&level) {
        bail!(InvalidArgument, "the bzip2 level {level} is not between 1 and 9");
    }
    let mut out = Vec::new();
    BzEncoder::new(input, Compression::new(level))
        .read_to_end(&mut out)
        .map_err(|e| error!(Io, "bzip2 cannot compress a chunk").because(e))?;
    Ok(out)
}

/// Decompresses; memory is taken only for what really comes out.
pub(super) fn decode(input: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = BzDecoder::new(input).take(LARGEST + 1);
    decoder.read_to_end(&mut out).map_err(|e| error!(Corrupt, "the bzip2 data are damaged").because(e))?;
    if out.len() as u64 > LARGEST {
        bail!(Corrupt, "bzip2 data hold more than a chunk can");
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_back_and_damage_is_an_error() {
        let input: Vec<u8> = (0..30_000u32).map(|k| (k / 100) as u8).collect();
        for level in 1..=9 {
            assert_eq!(decode(&encode(&[level], &input).unwrap()).unwrap(), input);
        }
        assert!(encode(&[0], &input).is_err());
        let packed = encode(&[], &input).unwrap();
        assert!(decode(&packed[..packed.len() / 2]).is_err());
        assert!(decode(b"BZh").is_err());
    }
}
