//! Moving the elements of one dataset, all at once or in pieces of bounded size.

use crate::error::Result;
use crate::selection::{AxisSelection, Item, Resolved, Selection};
use std::ops::Range;

/// A part of a dataset that is copied at once: what is read, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) from: Selection,
    pub(super) to: Selection,
}

/// Cuts what a selection means into pieces of at most so many bytes. (A mask of full rank is one piece: its parts have no name.)
pub(super) fn pieces(
    selection: &Selection,
    shape: &[usize],
    itemsize: usize,
    chunks: Option<&[usize]>,
    budget: usize,
) -> Result<Vec<Piece>> {
    let whole = vec![Piece { from: selection.clone(), to: Selection::All }];
    let Resolved::Axes(axes) = selection.resolve(shape)? else { return Ok(whole) };
    let kept: Vec<usize> = (0..axes.len()).filter(|k| !axes[*k].is_dropped()).collect();
    let wanted: Vec<usize> = kept.iter().map(|k| axes[*k].count()).collect();
    // Chunks matter where whole axes are read; elsewhere the pieces cut across them anyway.
    let chunks: Option<Vec<usize>> = chunks.filter(|c| c.len() == axes.len()).map(|c| kept.iter().map(|k| c[*k]).collect());
    let tiles = tiles(&wanted, itemsize, chunks.as_deref(), budget);
    if tiles.len() == 1 {
        return Ok(whole);
    }
    let part = |tile: &[(usize, usize)]| {
        let mut tile = tile.iter();
        let items = axes.iter().map(|axis| match axis.is_dropped() {
            true => Item::Index(axis.index(0) as i64),
            false => tile.next().map_or(Item::FULL, |(start, end)| sub_axis(axis, *start, *end)),
        });
        Selection::Axes(items.collect())
    };
    Ok(tiles
        .iter()
        .map(|tile| Piece { from: part(tile), to: Selection::Axes(tile.iter().map(|(start, end)| Item::from(*start..*end)).collect()) })
        .collect())
}

/// The selected indices of an axis from one place to before another.
fn sub_axis(axis: &AxisSelection, start: usize, end: usize) -> Item {
    part_of_axis(axis, start..end)
}

/// The selected indices of an axis from one place to before another. One that is dropped stays so.
pub(crate) fn part_of_axis(axis: &AxisSelection, part: Range<usize>) -> Item {
    let Range { start, end } = part;
    if start >= end {
        return Item::from(0..0usize);
    }
    match axis {
        AxisSelection::Range { drop: true, .. } => Item::Index(axis.index(0) as i64),
        AxisSelection::List(list) => Item::List(list[start..end].iter().map(|i| *i as i64).collect()),
        AxisSelection::Range { step, .. } => {
            let (first, last, step) = (axis.index(start) as i64, axis.index(end - 1) as i64, *step as i64);
            let stop = last + step.signum();
            Item::Range { start: Some(first), stop: (stop >= 0).then_some(stop), step }
        }
    }
}

/// Cuts a shape into boxes of at most so many bytes, whole chunks each, in C order: for each axis where it begins and ends. At least one chunk is
/// in each box.
fn tiles(shape: &[usize], itemsize: usize, chunks: Option<&[usize]>, budget: usize) -> Vec<Vec<(usize, usize)>> {
    let mut tile = shape.to_vec();
    for axis in 0..shape.len() {
        let bytes = |t: &[usize]| t.iter().fold(itemsize, |n, d| n.saturating_mul((*d).max(1)));
        if bytes(&tile) <= budget {
            break;
        }
        let one = bytes(&tile) / tile[axis].max(1);
        let chunk = chunks.and_then(|c| c.get(axis).copied()).unwrap_or(1).max(1);
        let rows = (budget / one.max(1)).max(1);
        tile[axis] = if rows >= chunk { rows / chunk * chunk } else { chunk }.min(shape[axis].max(1));
    }
    let mut out = Vec::new();
    let mut start = vec![0; shape.len()];
    if shape.contains(&0) {
        return out;
    }
    'all: loop {
        out.push(start.iter().zip(&tile).zip(shape).map(|((s, t), n)| (*s, (s + t).min(*n))).collect());
        for axis in (0..shape.len()).rev() {
            start[axis] += tile[axis];
            if start[axis] < shape[axis] {
                continue 'all;
            }
            start[axis] = 0;
        }
        return out;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxes(shape: &[usize], chunks: Option<&[usize]>, budget: usize) -> Vec<Vec<usize>> {
        tiles(shape, 8, chunks, budget).iter().map(|t| t.iter().map(|(a, b)| b - a).collect()).collect()
    }

    #[test]
    fn pieces_are_whole_chunks_within_the_budget() {
        assert_eq!(boxes(&[10, 4], None, 8 * 40), [[10, 4]]);
        assert_eq!(boxes(&[10, 4], None, 8 * 12), [[3, 4], [3, 4], [3, 4], [1, 4]]);
        assert_eq!(boxes(&[10, 4], Some(&[2, 4]), 8 * 12), [[2, 4]; 5]);
        assert_eq!(boxes(&[10, 4], Some(&[5, 2]), 8 * 12), [[5, 2]; 4]);
        assert_eq!(boxes(&[2, 9], None, 8 * 3).len(), 6);
        assert_eq!(boxes(&[0, 9], None, 1).len(), 0);
        assert_eq!(boxes(&[], None, 1), [[0usize; 0]]);
    }

    #[test]
    fn pieces_cover_every_element_once() {
        let shape = [7, 5, 3];
        let mut seen = vec![0; 105];
        for piece in pieces(&Selection::All, &shape, 1, Some(&[2, 2, 2]), 9).unwrap() {
            assert_eq!(piece.from, piece.to);
            piece.to.resolve(&shape).unwrap().for_each_run(&shape, |at, n| seen[at..at + n].iter_mut().for_each(|s| *s += 1));
        }
        assert!(seen.iter().all(|n| *n == 1));
    }
    #[test]
    fn pieces_of_a_selection_are_the_selection() {
        let shape = [7, 5, 6];
        let whole = crate::AnyArray::from(ndarray::Array3::from_shape_fn((7, 5, 6), |(i, j, k)| (100 * i + 10 * j + k) as i32));
        for text in ["::2, 1, ::-1", "[6,0,0,3], :, 5::-2", "-1, -2:, [1]", "::-3, ::-1, 2", "1, 2, 3", "2:2"] {
            let selection: Selection = text.parse().unwrap();
            let wanted = whole.select(&selection).unwrap();
            let mut got = crate::AnyArray::zeros(crate::DType::I32, wanted.shape()).unwrap();
            let parts = pieces(&selection, &shape, 4, Some(&[2, 2, 2]), 13).unwrap();
            assert!(wanted.len() < 4 || parts.len() > 1, "{text}");
            for part in parts {
                got.assign(&part.to, &whole.select(&part.from).unwrap()).unwrap();
            }
            assert_eq!(got, wanted, "{text}");
        }
    }
}
