//! Tables of region references as numbers: for references to full rows, of which there may be millions.

use super::group::ObjectId;
use super::reference::{ObjectRef, Region, RegionKind, RegionRef};
use std::collections::BTreeMap;

/// A column of references that is to be written: each selects some full rows of one dataset, one after the other.
#[derive(Debug, Clone)]
pub struct RowRegions {
    /// The dataset.
    pub target: ObjectRef,
    /// Its shape.
    pub shape: Vec<u64>,
    /// The first row of each reference and the one behind its last; nothing is selected where both are the same.
    pub spans: Vec<(u64, u64)>,
}

impl RowRegions {
    /// The reference in a row of the column, as a value; `None` behind the last.
    pub fn reference(&self, row: usize) -> Option<RegionRef> {
        let &(from, to) = self.spans.get(row)?;
        let kind = if from >= to {
            RegionKind::None
        } else {
            let rest = self.shape.get(1..).unwrap_or(&[]);
            let one = vec![1; self.shape.len()];
            RegionKind::Hyperslab {
                start: std::iter::once(from).chain(rest.iter().map(|_| 0)).collect(),
                stride: one.clone(),
                count: one,
                block: std::iter::once(to - from).chain(rest.iter().copied()).collect(),
            }
        };
        Some(RegionRef { target: self.target.clone(), region: Region { shape: self.shape.clone(), kind } })
    }
}

/// A column of references that was read: nearly all select one block of rows of one dataset, between the same bounds along the other axes.
#[derive(Debug, Clone, Default)]
pub struct RegionColumn {
    /// The dataset; `None` while all are in `others`.
    pub target: Option<ObjectId>,
    /// The first and the last index along each axis but the first; `None` while nothing is selected.
    pub rest: Option<Vec<(u64, u64)>>,
    /// The first row of each reference and the one behind its last; both are 0 where nothing is selected, and for those in `others`.
    pub spans: Vec<(u64, u64)>,
    /// The references that are different, by their places; null references too.
    pub others: BTreeMap<usize, RegionRef>,
}

impl RegionColumn {
    /// Adds a reference that selects nothing; false if the column is of another dataset.
    pub fn push_none(&mut self, target: ObjectId) -> bool {
        let same = *self.target.get_or_insert(target) == target;
        if same {
            self.spans.push((0, 0));
        }
        same
    }

    /// Adds a reference to a block, by its first and its last corner; false if the column is of another dataset or other bounds.
    pub fn push_block(&mut self, target: ObjectId, first: &[u64], last: &[u64]) -> bool {
        let (Some((low, lows)), Some((high, highs))) = (first.split_first(), last.split_first()) else { return false };
        let rest = self.rest.get_or_insert_with(|| lows.iter().copied().zip(highs.iter().copied()).collect());
        let same = *self.target.get_or_insert(target) == target
            && rest.len() == lows.len()
            && rest.iter().zip(lows.iter().zip(highs)).all(|(&(a, b), (c, d))| a == *c && b == *d)
            && low <= high;
        if let Some(end) = high.checked_add(1).filter(|_| same) {
            self.spans.push((*low, end));
            return true;
        }
        false
    }

    /// Adds any reference.
    pub fn push_other(&mut self, reference: RegionRef) {
        self.others.insert(self.spans.len(), reference);
        self.spans.push((0, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_a_column_is_told() {
        let (a, b) = (ObjectId { tree: 1, object: 2 }, ObjectId { tree: 1, object: 3 });
        let mut column = RegionColumn::default();
        assert!(column.push_none(a));
        assert!(column.push_block(a, &[2, 0], &[4, 5]));
        assert!(!column.push_block(b, &[5, 0], &[6, 5]));
        assert!(!column.push_block(a, &[5, 1], &[6, 5]));
        assert!(!column.push_block(a, &[5], &[6]));
        assert!(!column.push_block(a, &[7, 0], &[6, 5]));
        assert!(!column.push_block(a, &[0, 0], &[u64::MAX, 5]));
        assert!(!column.push_none(b));
        column.push_other(RegionRef::null());
        assert_eq!(column.spans, [(0, 0), (2, 5), (0, 0)]);
        assert_eq!(column.others.keys().copied().collect::<Vec<_>>(), [2]);
    }
}
