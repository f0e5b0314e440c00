//! The rows that are held, by their indices.

use crate::array::AnyArray;
use crate::dtype::{Cast, DType};
use crate::error::{Result, bail, error};
use std::collections::BTreeMap;

/// Rows that are held: blocks of rows with adjacent indices, by the first of each.
#[derive(Debug)]
pub(super) struct Pending {
    /// Rows are saved in the order of their indices, none before those before it.
    pub in_order: bool,
    blocks: BTreeMap<u64, AnyArray>,
    rows: usize,
    /// The index of the next push without one.
    next: u64,
    /// In order: the index of the next row to be saved.
    first: u64,
    /// The type and the shape of a result, by the first one.
    like: Option<(DType, Vec<usize>)>,
}

impl Default for Pending {
    fn default() -> Self {
        Self { in_order: true, blocks: BTreeMap::new(), rows: 0, next: 0, first: 0, like: None }
    }
}

/// Rows that are being saved; they are held until that has gone well.
#[derive(Debug)]
pub(super) struct Batch {
    pub rows: AnyArray,
    /// The index of the first one.
    pub first: u64,
    /// Where they go, for an update; empty if the indices are adjacent.
    pub indices: Option<Vec<i64>>,
    /// The blocks that it takes: the first index, and how many rows.
    taken: Vec<(u64, usize)>,
}

fn count(rows: &AnyArray) -> usize {
    rows.shape().first().copied().unwrap_or(0)
}

impl Pending {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Rows like the first ones: their type, and their shape.
    pub(super) fn fit(&mut self, rows: AnyArray, cast: Cast) -> Result<AnyArray> {
        let [_, shape @ ..] = rows.shape() else { bail!(Shape, "a scalar has no rows") };
        let (dtype, wanted) = self.like.get_or_insert_with(|| (rows.dtype().clone(), shape.to_vec()));
        if shape != wanted {
            bail!(Shape, "a result of shape {shape:?} is not like the first one, of shape {wanted:?}");
        }
        if rows.dtype().same_values(dtype) { Ok(rows) } else { rows.astype(dtype, cast) }
    }

    /// True if the row that others wait for has that index.
    pub(super) fn unblocks(&self, index: u64) -> bool {
        self.in_order && index == self.first
    }

    /// Takes rows; those that fit.
    pub(super) fn insert(&mut self, index: Option<u64>, rows: AnyArray) -> Result<()> {
        let n = count(&rows) as u64;
        if n == 0 {
            return Ok(());
        }
        let index = index.unwrap_or(self.next);
        let Some(end) = index.checked_add(n).filter(|end| i64::try_from(*end).is_ok()) else {
            bail!(InvalidArgument, "the index {index} is too large");
        };
        if self.in_order && index < self.first {
            bail!(AlreadyExists, "the result {index} is saved already");
        }
        let before = self.blocks.range(..end).next_back();
        if let Some((at, held)) = before.filter(|(at, held)| *at + count(held) as u64 > index) {
            let twice = (*at).max(index);
            return Err(error!(AlreadyExists, "the result {twice} is held already, with {} rows from {at}", count(held)));
        }
        self.blocks.insert(index, rows);
        self.rows += n as usize;
        self.next = self.next.max(end);
        Ok(())
    }

    /// How many rows can be saved now, up to a number.
    fn ready(&self, most: usize) -> usize {
        if !self.in_order {
            return self.rows.min(most);
        }
        let mut end = self.first;
        for (at, rows) in self.blocks.range(self.first..) {
            if *at != end || end - self.first >= most as u64 {
                break;
            }
            end += count(rows) as u64;
        }
        ((end - self.first) as usize).min(most)
    }

    /// True if an interval is full.
    pub(super) fn is_due(&self, interval: usize) -> bool {
        self.rows >= interval && self.ready(interval) >= interval
    }

    /// The index that the others wait for.
    pub(super) fn missing(&self) -> Option<u64> {
        (self.in_order && self.rows > 0 && !self.blocks.contains_key(&self.first)).then_some(self.first)
    }

    /// The rows of an interval, if it is full, or at the end fewer. They stay until they are forgotten.
    pub(super) fn take(&self, interval: usize, all: bool) -> Result<Option<Batch>> {
        let wanted = self.ready(interval);
        if wanted == 0 || (wanted < interval && !all) {
            return Ok(None);
        }
        let (mut rows, mut taken, mut left): (Option<AnyArray>, Vec<(u64, usize)>, usize) = (None, Vec::new(), wanted);
        for (at, block) in &self.blocks {
            if left == 0 {
                break;
            }
            let n = count(block).min(left);
            left -= n;
            taken.push((*at, n));
            let part = if n == count(block) { block.clone() } else { block.select(..n)? };
            match &mut rows {
                None => rows = Some(part),
                Some(rows) => rows.append(&part)?,
            }
        }
        let (Some(rows), Some(first)) = (rows, taken.first().map(|t| t.0)) else { return Ok(None) };
        let indices = (!self.in_order).then(|| {
            let adjacent = taken.windows(2).all(|pair| pair[0].0 + pair[0].1 as u64 == pair[1].0);
            if adjacent { Vec::new() } else { taken.iter().flat_map(|(at, n)| (*at as i64)..(*at as i64 + *n as i64)).collect() }
        });
        Ok(Some(Batch { rows, first, indices, taken }))
    }

    /// Drops the rows of a batch, which are saved.
    pub(super) fn forget(&mut self, batch: &Batch) {
        for (at, n) in &batch.taken {
            let Some(block) = self.blocks.remove(at) else { continue };
            if count(&block) > *n
                && let Ok(rest) = block.select(*n..)
            {
                self.blocks.insert(at + *n as u64, rest);
            }
            self.rows -= n;
            self.first = self.first.max(at + *n as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_in_order_and_once() {
        let mut p = Pending::default();
        let row = |v: Vec<i32>| AnyArray::from(v);
        p.insert(Some(4), row(vec![4, 5])).unwrap();
        p.insert(Some(1), row(vec![1])).unwrap();
        assert!(p.take(2, true).unwrap().is_none());
        assert_eq!(p.missing(), Some(0));
        p.insert(Some(0), row(vec![0])).unwrap();
        for twice in [0, 1, 4, 5] {
            assert!(p.insert(Some(twice), row(vec![9])).is_err(), "{twice}");
        }
        assert!(p.insert(Some(3), row(vec![3, 4])).is_err());
        assert!(!p.is_due(3));
        p.insert(Some(2), row(vec![2, 3])).unwrap();
        let batch = p.take(4, false).unwrap().unwrap();
        assert_eq!(batch.rows, row(vec![0, 1, 2, 3]));
        p.forget(&batch);
        assert!(p.insert(Some(3), row(vec![3])).is_err());
        assert_eq!(p.rows(), 2);
        p.insert(None, row(vec![6, 7])).unwrap();
        let batch = p.take(3, false).unwrap().unwrap();
        assert_eq!(batch.rows, row(vec![4, 5, 6]));
        p.forget(&batch);
        assert_eq!(p.take(3, true).unwrap().unwrap().rows, row(vec![7]));
        assert!(p.take(3, false).unwrap().is_none());
        assert!(p.insert(Some(u64::MAX), row(vec![1])).is_err());
    }

    #[test]
    fn an_update_takes_any_rows() {
        let mut p = Pending { in_order: false, ..Pending::default() };
        p.insert(Some(7), AnyArray::from(vec![7])).unwrap();
        p.insert(Some(2), AnyArray::from(vec![2, 3])).unwrap();
        let batch = p.take(3, false).unwrap().unwrap();
        assert_eq!((batch.indices.clone(), batch.first), (Some(vec![2, 3, 7]), 2));
        p.forget(&batch);
        p.insert(Some(7), AnyArray::from(vec![8])).unwrap();
        assert_eq!(p.take(1, false).unwrap().unwrap().indices, Some(vec![]));
    }
}
