//! LZF: the small, fast compression that h5py brings (filter 32000).
//!
//! A stream is a row of steps. A step begins with a control byte `c`. Below 32 it stands for `c + 1` literal bytes, which follow. Else
//! it is a copy of what came before: its top three bits are the length less 2 (7: the next byte is added), its low five bits and the
//! next byte are the distance less 1, the five bits first.

use crate::error::{Result, bail};

/// The longest run of literals in one step.
const LITERALS: usize = 32;
/// The longest copy in one step.
const COPY: usize = 264;
/// How far back a copy can reach.
const REACH: usize = 1 << 13;
/// The places that are remembered, by a hash of three bytes.
const TABLE_BITS: u32 = 14;

fn hash(bytes: &[u8; 3]) -> usize {
    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (word.wrapping_mul(0x9E37_79B1) >> (32 - TABLE_BITS)) as usize
}

fn three(input: &[u8], at: usize) -> Option<&[u8; 3]> {
    input.get(at..)?.first_chunk()
}

/// How many bytes two parts of the input have in common, `limit` at most.
fn common(input: &[u8], a: usize, b: usize, limit: usize) -> usize {
    let (Some(left), Some(right)) = (input.get(a..), input.get(b..)) else { return 0 };
    let right = right.get(..limit).unwrap_or(right);
    let mut n = 0;
    for (x, y) in left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0) {
        let differs = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differs != 0 {
            return n + differs.trailing_zeros() as usize / 8;
        }
        n += 8;
    }
    n + left.iter().skip(n).zip(right.iter().skip(n)).take_while(|(x, y)| x == y).count()
}

/// Writes into a slice from its beginning, until it is full.
struct Sink<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl Sink<'_> {
    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.out.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    fn literals(&mut self, bytes: &[u8]) -> Option<()> {
        for run in bytes.chunks(LITERALS) {
            self.push(&[(run.len() - 1) as u8])?;
            self.push(run)?;
        }
        Some(())
    }

    fn copy(&mut self, distance: usize, len: usize) -> Option<()> {
        let (back, len) = (distance - 1, len - 2);
        let high = (back >> 8) as u8;
        match u8::try_from(len) {
            Ok(short @ 0..7) => self.push(&[short << 5 | high, back as u8]),
            _ => self.push(&[7 << 5 | high, (len - 7) as u8, back as u8]),
        }
    }
}

/// Compresses into `out` and returns the length; nothing if it does not fit.
pub(super) fn compress(input: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut table = vec![0u32; 1 << TABLE_BITS]; // a place plus 1; 0 for none
    let mut sink = Sink { out, len: 0 };
    let (mut at, mut pending) = (0usize, 0usize);
    while let Some(next) = three(input, at) {
        let entry = table.get_mut(hash(next))?;
        let seen = std::mem::replace(entry, (at + 1) as u32) as usize;
        // A place past 4 GiB is cut to its low bits: what it says is checked, never trusted.
        let matched = match seen.checked_sub(1) {
            Some(before) if before < at && at - before <= REACH && three(input, before) == Some(next) => Some(before),
            _ => None,
        };
        let Some(before) = matched else {
            at += 1;
            continue;
        };
        let len = common(input, before, at, COPY);
        sink.literals(input.get(pending..at)?)?;
        sink.copy(at - before, len)?;
        // Remember the places near the end of what was copied; the others are rarely worth their time.
        for place in [at + 1, at + len - 1] {
            if let Some(entry) = three(input, place).and_then(|next| table.get_mut(hash(next))) {
                *entry = (place + 1) as u32;
            }
        }
        at += len;
        pending = at;
    }
    sink.literals(input.get(pending..)?)?;
    Some(sink.len)
}

/// A step of a compressed stream.
enum Step<'i> {
    Literals(&'i [u8]),
    Copy { distance: usize, len: usize },
}

/// Takes the next step off the input.
fn step<'i>(input: &mut &'i [u8]) -> Result<Option<Step<'i>>> {
    let Some((&control, mut rest)) = input.split_first() else { return Ok(None) };
    let step = if usize::from(control) < LITERALS {
        let Some((literals, after)) = rest.split_at_checked(usize::from(control) + 1) else { bail!(Corrupt, "the LZF data end too early") };
        rest = after;
        Step::Literals(literals)
    } else {
        let mut byte = || {
            let (first, after) = rest.split_first()?;
            rest = after;
            Some(usize::from(*first))
        };
        let mut len = usize::from(control >> 5);
        if len == 7 {
            let Some(more) = byte() else { bail!(Corrupt, "the LZF data end too early") };
            len += more;
        }
        let Some(low) = byte() else { bail!(Corrupt, "the LZF data end too early") };
        Step::Copy { distance: (usize::from(control & 31) << 8 | low) + 1, len: len + 2 }
    };
    *input = rest;
    Ok(Some(step))
}

/// The length of the data that were compressed. At most 88 times that of the input.
pub(super) fn decompressed_len(mut input: &[u8]) -> Result<usize> {
    let mut len = 0;
    while let Some(step) = step(&mut input)? {
        match step {
            Step::Literals(bytes) => len += bytes.len(),
            Step::Copy { distance, .. } if distance > len => bail!(Corrupt, "the LZF data refer to what lies before their beginning"),
            Step::Copy { len: n, .. } => len += n,
        }
    }
    Ok(len)
}

/// Decompresses into `out`, which has exactly [`decompressed_len`] bytes.
pub(super) fn decompress(mut input: &[u8], out: &mut [u8]) -> Result<()> {
    let mut at = 0;
    while let Some(step) = step(&mut input)? {
        let (done, rest) = out.split_at_mut(at);
        match step {
            Step::Literals(bytes) => {
                let Some(target) = rest.get_mut(..bytes.len()) else { bail!(Corrupt, "the LZF data are longer than they say") };
                target.copy_from_slice(bytes);
                at += bytes.len();
            }
            Step::Copy { distance, len } => {
                let Some(from) = at.checked_sub(distance) else { bail!(Corrupt, "the LZF data refer to what lies before their beginning") };
                let Some(target) = rest.get_mut(..len) else { bail!(Corrupt, "the LZF data are longer than they say") };
                if distance >= len {
                    target.copy_from_slice(&done[from..from + len]);
                } else {
                    // The copy overlaps what it makes: a pattern of `distance` bytes, repeated.
                    for (k, byte) in target.iter_mut().enumerate() {
                        *byte = done[from + k % distance];
                    }
                }
                at += len;
            }
        }
    }
    if at != out.len() {
        bail!(Corrupt, "the LZF data are shorter than they say");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(input: &[u8]) -> usize {
        let mut out = vec![0; input.len() * 2 + 64];
        let len = compress(input, &mut out).unwrap();
        let packed = &out[..len];
        let mut back = vec![0; decompressed_len(packed).unwrap()];
        decompress(packed, &mut back).unwrap();
        assert!(back == input, "{} bytes differ after a round trip", input.len());
        len
    }

    #[test]
    fn every_length_comes_back() {
        for n in 0..600usize {
            round(&vec![7; n]);
            round(&(0..n).map(|k| (k * k / 3) as u8).collect::<Vec<_>>());
            round(&(0..n).map(|k| (k % 5) as u8).collect::<Vec<_>>());
        }
        assert!(round(&vec![1; 1 << 20]) < 1 << 14);
    }

    #[test]
    fn what_does_not_fit_is_not_compressed() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = (0..4096).map(|_| next()).collect();
        assert_eq!(compress(&noise, &mut vec![0; noise.len()]), None);
        assert!(compress(&[0; 4096], &mut [0; 100]).is_some());
    }

    #[test]
    fn a_known_stream() {
        // "abc", then 9 bytes from 3 back, then "z".
        let packed = [2, b'a', b'b', b'c', 7 << 5, 0, 2, 0, b'z'];
        let mut out = vec![0; decompressed_len(&packed).unwrap()];
        decompress(&packed, &mut out).unwrap();
        assert_eq!(out, b"abcabcabcabcz");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(input in proptest::collection::vec(0u8..4, 0..5000)) {
            round(&input);
        }

        #[test]
        fn any_stream_is_decoded_or_refused(input in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(len) = decompressed_len(&input) {
                prop_assert!(len <= input.len() * 88 + 32);
                let mut out = vec![0; len];
                decompress(&input, &mut out).unwrap();
            }
        }
    }
}
