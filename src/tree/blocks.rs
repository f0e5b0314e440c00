//! A dataset in blocks: what is too large to be read at once is read piece by piece, in C order.

use crate::selection::{Item, Selection};

/// How many bytes are read at once, where the work can be done piece by piece.
pub(crate) const BLOCK_BYTES: usize = 64 << 20;

/// Selections that cover a shape in C order, each of about [`BLOCK_BYTES`] at most; whole chunks along the axis that is cut, if they fit.
pub(crate) struct Blocks {
    shape: Vec<usize>,
    /// The axis that is cut; those before it are walked index by index, those behind it are taken whole.
    axis: usize,
    /// Indices of that axis for each block.
    rows: usize,
    /// The first index of the next block, for the axes up to the cut one; `None` at the end.
    next: Option<Vec<usize>>,
}

impl Blocks {
    /// The blocks of a dataset with elements of that size, stored in chunks of that shape.
    pub(crate) fn new(shape: &[usize], itemsize: usize, chunks: Option<&[usize]>) -> Self {
        Self::with_limit(shape, itemsize, chunks, BLOCK_BYTES)
    }

    fn with_limit(shape: &[usize], itemsize: usize, chunks: Option<&[usize]>, limit: usize) -> Self {
        let mut inner = itemsize.max(1);
        let mut axis = shape.len();
        // The bytes behind the axis; stops at the first axis that does not fit whole.
        while axis > 0 && inner.saturating_mul(shape[axis - 1]) <= limit {
            axis -= 1;
            inner = inner.saturating_mul(shape[axis].max(1));
        }
        let empty = shape.contains(&0);
        if axis == 0 || empty {
            // Everything at once.
            return Self { shape: shape.to_vec(), axis: 0, rows: usize::MAX, next: (!empty || shape.is_empty()).then(Vec::new) };
        }
        axis -= 1;
        let mut rows = (limit / inner).max(1);
        if let Some(chunk) = chunks.and_then(|c| c.get(axis)).copied().filter(|c| *c > 0) {
            if rows >= chunk {
                rows -= rows % chunk;
            } else if inner.saturating_mul(chunk) <= 4 * limit {
                rows = chunk;
            }
        }
        Self { shape: shape.to_vec(), axis, rows, next: Some(vec![0; axis + 1]) }
    }
}

impl Iterator for Blocks {
    /// The selection, and the place of its first element in C order.
    type Item = (Selection, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.next.take()?;
        if self.rows == usize::MAX {
            return Some((Selection::All, 0));
        }
        let first = (0..self.shape.len()).fold(0, |n, k| n * self.shape[k] + at.get(k).copied().unwrap_or(0));
        let mut items: Vec<Item> = at[..self.axis].iter().map(|i| Item::from(*i..*i + 1)).collect();
        let end = (at[self.axis] + self.rows).min(self.shape[self.axis]);
        items.push(Item::from(at[self.axis]..end));
        let mut following = at;
        following[self.axis] = end;
        let mut k = self.axis;
        while following[k] >= self.shape[k] {
            if k == 0 {
                return Some((Selection::Axes(items), first));
            }
            following[k] = 0;
            k -= 1;
            following[k] += 1;
        }
        self.next = Some(following);
        Some((Selection::Axes(items), first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AnyArray;

    #[test]
    fn blocks_cover_everything_once_in_c_order() {
        let whole = AnyArray::from((0..5 * 3 * 4).collect::<Vec<i32>>());
        for shape in [vec![60], vec![5, 12], vec![5, 3, 4], vec![1, 60], vec![60, 1], vec![1, 1, 60]] {
            let array = whole.clone().reshape(&shape).unwrap();
            for limit in [1, 4, 9, 16, 50, 100, 239, 240, 1000] {
                for chunks in [None, Some(vec![2; shape.len()])] {
                    let mut seen: Vec<i32> = Vec::new();
                    for (selection, first) in Blocks::with_limit(&shape, 4, chunks.as_deref(), limit) {
                        assert_eq!(first, seen.len());
                        let block = array.select(selection).unwrap();
                        seen.extend(block.to_array::<i32>().unwrap().iter());
                    }
                    assert_eq!(seen, (0..60).collect::<Vec<i32>>(), "{shape:?} {limit} {chunks:?}");
                }
            }
        }
        assert_eq!(Blocks::new(&[], 8, None).count(), 1);
        assert_eq!(Blocks::new(&[0, 3], 8, None).count(), 0);
        assert_eq!(Blocks::new(&[usize::MAX / 64, 0], 8, None).count(), 0);
    }
}
