//! How an array is cut over ranks, and into pieces of bounded size.

use crate::distributed::Partition;
use crate::selection::{Item, Selection};
use std::ops::Range;

/// An array cut along one axis: rank `r` has the indices from `bounds[r]` to before `bounds[r + 1]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub shape: Vec<usize>,
    pub axis: usize,
    bounds: Vec<usize>,
}

/// A box of an array: for each axis where it begins, and where it ends.
pub(super) type Box = Vec<Range<usize>>;

impl Cut {
    /// The cut of the partition rule.
    pub fn even(shape: &[usize], axis: usize, ranks: usize) -> Self {
        Self::along_chunks(shape, axis, ranks, 1)
    }

    /// A cut between chunks of that length, each rank with as many chunks as the partition rule gives it.
    pub fn along_chunks(shape: &[usize], axis: usize, ranks: usize, chunk: usize) -> Self {
        let (length, chunk) = (shape[axis], chunk.max(1));
        let chunks = Partition::new(length.div_ceil(chunk), ranks);
        let bounds = (0..=chunks.ranks()).map(|rank| (chunks.start(rank) * chunk).min(length)).collect();
        Self { shape: shape.to_vec(), axis, bounds }
    }

    pub fn ranks(&self) -> usize {
        self.bounds.len() - 1
    }

    /// The indices of a rank along the axis.
    pub fn range(&self, rank: usize) -> Range<usize> {
        self.bounds[rank]..self.bounds[rank + 1]
    }

    /// What a rank has.
    pub fn part(&self, rank: usize) -> Box {
        let mut whole: Box = self.shape.iter().map(|n| 0..*n).collect();
        whole[self.axis] = self.range(rank);
        whole
    }

    /// The shape of what a rank has.
    pub fn part_shape(&self, rank: usize) -> Vec<usize> {
        lengths(&self.part(rank))
    }

    /// True if no chunk of that length lies on two ranks.
    pub fn respects(&self, chunk: usize) -> bool {
        self.bounds.iter().all(|b| b.is_multiple_of(chunk.max(1)) || *b == self.shape[self.axis])
    }
}

/// The lengths of the axes of a box.
pub(super) fn lengths(part: &[Range<usize>]) -> Vec<usize> {
    part.iter().map(Range::len).collect()
}

pub(super) fn is_empty(part: &[Range<usize>]) -> bool {
    part.iter().any(Range::is_empty)
}

/// What is in both boxes; `None` if nothing is.
#[cfg(feature = "hdf5")]
pub(super) fn intersection(a: &[Range<usize>], b: &[Range<usize>]) -> Option<Box> {
    let both: Box = a.iter().zip(b).map(|(a, b)| a.start.max(b.start)..a.end.min(b.end)).collect();
    let some = both.iter().all(|r| r.start < r.end);
    some.then_some(both)
}

/// A box within another one, counted from where that begins.
pub(super) fn within(inner: &[Range<usize>], outer: &[Range<usize>]) -> Box {
    inner.iter().zip(outer).map(|(i, o)| i.start - o.start..i.end - o.start).collect()
}

/// The selection of a box.
pub(super) fn selection(part: &[Range<usize>]) -> Selection {
    Selection::Axes(part.iter().map(|r| Item::from(r.clone())).collect())
}

/// Cuts a box into pieces of at most so many bytes, in C order. Each piece is adjacent in an array that holds the box, unless chunks are given:
/// then cuts are where chunks of the array end, and a piece has at least one chunk.
pub(super) fn pieces(part: &[Range<usize>], itemsize: usize, chunks: Option<&[usize]>, budget: usize) -> Vec<Box> {
    if is_empty(part) {
        return Vec::new();
    }
    let mut tile = lengths(part);
    for axis in 0..tile.len() {
        let bytes = tile.iter().fold(itemsize.max(1), |n, d| n.saturating_mul(*d));
        if bytes <= budget {
            break;
        }
        let (one, chunk) = (bytes / tile[axis], chunks.and_then(|c| c.get(axis).copied()).unwrap_or(1).max(1));
        let most = budget / one;
        tile[axis] = (most / chunk * chunk).max(chunk).min(tile[axis]);
    }
    // Where a piece begins along each axis: on the grid of the chunks.
    let starts: Vec<Vec<usize>> = part
        .iter()
        .zip(&tile)
        .enumerate()
        .map(|(axis, (range, step))| {
            let chunk = chunks.and_then(|c| c.get(axis).copied()).unwrap_or(1).max(1);
            let mut at = vec![range.start];
            if *step < range.len() {
                let mut next = (range.start / chunk * chunk) + step.next_multiple_of(chunk);
                while next < range.end {
                    at.push(next);
                    next += step.next_multiple_of(chunk);
                }
            }
            at.push(range.end);
            at
        })
        .collect();
    let mut out = Vec::new();
    let mut at = vec![0; part.len()];
    loop {
        out.push(at.iter().zip(&starts).map(|(k, s)| s[*k]..s[*k + 1]).collect());
        let mut axis = part.len();
        loop {
            if axis == 0 {
                return out;
            }
            axis -= 1;
            at[axis] += 1;
            if at[axis] + 1 < starts[axis].len() {
                break;
            }
            at[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_box_once_and_keep_to_the_chunks() {
        for (part, chunks) in [
            (vec![3..10, 0..5], None),
            (vec![3..10, 0..5], Some(vec![2, 2])),
            (vec![3..17, 1..4], Some(vec![4, 3])),
            (vec![0..1, 0..9], None),
            (vec![0..1, 2..9], Some(vec![1, 4])),
        ] {
            for budget in [1, 8, 24, 100, 10_000] {
                let mut seen = std::collections::HashMap::new();
                for piece in pieces(&part, 1, chunks.as_deref(), budget) {
                    for i in piece[0].clone() {
                        for j in piece[1].clone() {
                            *seen.entry((i, j)).or_insert(0) += 1;
                        }
                    }
                    if let Some(c) = &chunks {
                        for (k, r) in piece.iter().enumerate() {
                            assert!(r.start % c[k] == 0 || r.start == part[k].start, "{piece:?}");
                            assert!(r.end % c[k] == 0 || r.end == part[k].end, "{piece:?}");
                        }
                    } else {
                        assert!(lengths(&piece).iter().product::<usize>() <= budget.max(1));
                    }
                }
                assert_eq!(seen.len(), part[0].len() * part[1].len());
                assert!(seen.values().all(|n| *n == 1));
            }
        }
        assert!(pieces(&[0..0, 0..5], 8, None, 10).is_empty());
        assert_eq!(pieces(&[], 8, None, 1), [Vec::<Range<usize>>::new()]);
    }

    #[test]
    fn cuts_keep_chunks_whole() {
        let cut = Cut::along_chunks(&[10, 7], 0, 3, 4);
        assert_eq!((0..3).map(|r| cut.range(r)).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
        assert!(cut.respects(4) && !Cut::even(&[10, 7], 0, 3).respects(4));
        let cut = Cut::along_chunks(&[10, 7], 0, 3, 100);
        assert_eq!((0..3).map(|r| cut.range(r)).collect::<Vec<_>>(), [0..10, 10..10, 10..10]);
        assert!(Cut::even(&[0, 7], 0, 2).respects(5));
    }
}
