//! A contiguous dataset that is cut along an inner axis: each rank has many short runs of the file. Some rows at a time go from rank to rank, so that each
//! moves whole rows, one run of the file.

use super::cut::{Box, Cut, is_empty, lengths};
use crate::array::AnyArray;
use crate::distributed::array::exchange::{Block, exchange as move_between};
use crate::distributed::{Partition, Step};
use crate::error::{Result, error};

/// The bytes of whole rows that a rank takes at a time.
const ROWS: usize = 16 << 20;

/// Runs in a file that are shorter are not worth an access each.
pub(super) const SHORT: usize = 16 << 10;

/// The bytes that a rank has in one run of the file, at least.
pub(super) fn shortest_run(cut: &Cut, item: usize) -> usize {
    let inner = cut.shape[cut.axis + 1..].iter().fold(item, |n, d| n.saturating_mul(*d));
    let fewest = (0..cut.ranks()).map(|rank| cut.range(rank).len()).filter(|n| *n > 0).min().unwrap_or(0);
    if cut.axis == 0 { usize::MAX } else { inner.saturating_mul(fewest) }
}

/// Hands this rank's rows to the function, or nothing: it is called as often on all ranks, also after a failure.
pub(super) fn write(step: &Step<'_>, have: &Cut, local: &AnyArray, mut to: impl FnMut(Option<(&Box, &[u8])>) -> Result<()>) -> Result<()> {
    let (rank, item, mut buffer, mut failed) = (step.comm().rank(), local.dtype().itemsize(), Vec::new(), Ok(()));
    for rows in Rows::of(have, item) {
        let mine = rows.part(rank);
        step.agree(room(&mut buffer, &mine, item))?;
        let (has, wants) = (|rank| Block::of(&have.part(rank), item), |rank| Block::of(&rows.part(rank), item));
        move_between(&**step.comm(), (local.raw().0, &mut buffer), has, wants)?;
        let written = if is_empty(&mine) || failed.is_err() { to(None) } else { to(Some((&mine, &buffer))) };
        failed = failed.and(written);
    }
    step.agree(failed)
}

/// Lets the function read this rank's rows, or nothing, and hands out what the others want.
pub(super) fn read(
    step: &Step<'_>,
    cut: &Cut,
    item: usize,
    target: &mut [u8],
    mut from: impl FnMut(Option<(&Box, &mut [u8])>) -> Result<()>,
) -> Result<()> {
    let (rank, mut buffer, mut failed) = (step.comm().rank(), Vec::new(), Ok(()));
    for rows in Rows::of(cut, item) {
        let mine = rows.part(rank);
        step.agree(room(&mut buffer, &mine, item))?;
        let read = if is_empty(&mine) || failed.is_err() { from(None) } else { from(Some((&mine, &mut buffer))) };
        failed = failed.and(read);
        let (has, wants) = (|rank| Block::of(&rows.part(rank), item), |rank| Block::of(&cut.part(rank), item));
        move_between(&**step.comm(), (&buffer, target), has, wants)?;
    }
    step.agree(failed)
}

/// Some rows of an array, cut over the ranks along the first axis.
struct Rows {
    shape: Vec<usize>,
    rows: Partition,
    first: usize,
}

impl Rows {
    /// All rows, so many at a time that each rank has about [`ROWS`] bytes of them.
    fn of(cut: &Cut, item: usize) -> impl Iterator<Item = Self> {
        let (shape, ranks) = (cut.shape.clone(), cut.ranks());
        let row = shape[1..].iter().fold(item, |n, d| n.saturating_mul(*d)).max(1);
        let some = (ROWS / row).max(1) * ranks;
        (0..shape[0]).step_by(some).map(move |first| {
            let rows = Partition::new(some.min(shape[0] - first), ranks);
            Self { shape: shape.clone(), rows, first }
        })
    }

    fn part(&self, rank: usize) -> Box {
        let mut part: Box = self.shape.iter().map(|n| 0..*n).collect();
        let range = self.rows.range(rank);
        part[0] = self.first + range.start..self.first + range.end;
        part
    }
}

/// Gives a buffer the length of a part.
fn room(buffer: &mut Vec<u8>, part: &Box, item: usize) -> Result<()> {
    let length = lengths(part).iter().product::<usize>() * item;
    let more = length.saturating_sub(buffer.len());
    buffer.try_reserve(more).map_err(|e| error!(Io, "no memory for {length} bytes of rows").because(e))?;
    buffer.resize(length, 0);
    Ok(())
}
