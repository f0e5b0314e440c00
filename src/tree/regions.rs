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
