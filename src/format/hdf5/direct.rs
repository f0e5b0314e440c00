//! Whole chunks that go from the array to their places in the file, by a call each.
//!
//! By the usual call the library fills a new chunk in a buffer of its own, puts the elements there, and writes the buffer: three times the work.

use super::ffi::h5;
use super::transfer::Source;
use crate::error::Result;
use crate::selection::{AxisSelection, Resolved};
use hdf5_sys::h5d::H5Dwrite_chunk;
use hdf5_sys::h5p::H5P_DEFAULT;

/// Chunks of fewer bytes are not worth a call each.
const LEAST: usize = 64 << 10;

/// Rows of a dataset that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub first: usize,
    pub count: usize,
    /// Those that fill chunks: the first of them, and the one behind the last.
    from: usize,
    to: usize,
    chunk: usize,
}

/// The rows of a selection, if some of them fill chunks that can be written directly: chunks of whole rows without filters, of elements that are the same
/// bytes in the file.
pub(super) fn rows(s: &Source<'_>, selection: &Resolved) -> Option<Rows> {
    let chunks = s.chunks.filter(|_| !s.filtered && s.codec.is_plain())?;
    let Resolved::Axes(axes) = selection else { return None };
    let (AxisSelection::Range { start, step: 1, count, .. }, rest) = axes.split_first()? else { return None };
    let whole = |k: usize| chunks.get(k + 1) == s.shape.get(k + 1);
    if !rest.iter().enumerate().all(|(k, a)| a.is_full(s.shape[k + 1]) && whole(k)) {
        return None;
    }
    of(s, chunks, *start, *count)
}

/// All rows, in the same way.
pub(super) fn all_rows(s: &Source<'_>) -> Option<Rows> {
    let chunks = s.chunks.filter(|_| !s.filtered && s.codec.is_plain())?;
    let count = *s.shape.first()?;
    (chunks[1..] == s.shape[1..]).then(|| of(s, chunks, 0, count))?
}

fn of(s: &Source<'_>, chunks: &[usize], first: usize, count: usize) -> Option<Rows> {
    let chunk = *chunks.first()?;
    let (from, to) = (first.next_multiple_of(chunk), (first + count) / chunk * chunk);
    (from < to && chunk.saturating_mul(s.row_bytes(0)) >= LEAST).then_some(Rows { first, count, from, to, chunk })
}

/// Writes the rows that fill chunks, and hands those before and behind them to the function: the first of them, how many, their bytes.
pub(super) fn write<'d>(
    s: &Source<'_>,
    rows: Rows,
    data: &'d [u8],
    others: &mut dyn FnMut(usize, usize, &'d [u8]) -> Result<()>,
) -> Result<()> {
    let (row, Rows { first, count, from, to, chunk }) = (s.row_bytes(0), rows);
    let (before, rest) = data.split_at((from - first) * row);
    let (whole, behind) = rest.split_at((to - from) * row);
    if !before.is_empty() {
        others(first, from - first, before)?;
    }
    let mut offset = vec![0u64; s.shape.len()];
    for (k, part) in whole.chunks(chunk * row).enumerate() {
        offset[0] = (from + k * chunk) as u64;
        let out = s.codec.outgoing(part, None, s.refs)?;
        h5!(H5Dwrite_chunk(s.dataset, H5P_DEFAULT, 0, offset.as_ptr(), out.bytes().len(), out.as_ptr()))?;
    }
    if behind.is_empty() { Ok(()) } else { others(to, first + count - to, behind) }
}
