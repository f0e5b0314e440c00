//! Moving the elements of one dataset, all at once or in pieces of bounded size.

use crate::selection::{Item, Selection};

/// Cuts a shape into boxes of at most so many bytes, whole chunks each, in C order. At least one chunk is in each.
pub(super) fn tiles(shape: &[usize], itemsize: usize, chunks: Option<&[usize]>, budget: usize) -> Vec<Selection> {
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
        out.push(Selection::Axes(start.iter().zip(&tile).zip(shape).map(|((s, t), n)| Item::from(*s..(s + t).min(*n))).collect()));
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
        tiles(shape, 8, chunks, budget).iter().map(|s| s.resolve(shape).unwrap().shape()).collect()
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
        for piece in tiles(&shape, 1, Some(&[2, 2, 2]), 9) {
            piece.resolve(&shape).unwrap().for_each_run(&shape, |at, n| seen[at..at + n].iter_mut().for_each(|s| *s += 1));
        }
        assert!(seen.iter().all(|n| *n == 1));
    }
}
