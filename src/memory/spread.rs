//! This rank's part of an array that is spread over ranks.

use crate::array::AnyArray;
use crate::distributed::{CommRef, Partition};
use crate::dtype::DType;
use crate::error::{Error, Result, bail, error};
use crate::selection::{AxisSelection, Item, Resolved, Selection};
use ndarray::{ArrayD, IxDyn};
use std::ops::Range;

/// This rank's part of an array that is spread over ranks.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    pub(super) comm: CommRef,
    pub(super) axis: usize,
    /// The shape over all ranks.
    pub(super) shape: Vec<usize>,
    pub(super) local: AnyArray,
}

/// Where selected elements are.
pub(super) enum Here {
    /// On this rank, as this part of the local array.
    Part(Selection),
    /// Nowhere: there are none. The shape of the result.
    Nothing(Vec<usize>),
}

impl Spread {
    fn length(&self) -> usize {
        self.shape.get(self.axis).copied().unwrap_or(0)
    }

    /// The indices of the distributed axis that are here.
    pub(super) fn range(&self) -> Range<usize> {
        Partition::new(self.length(), self.comm.size()).range(self.comm.rank())
    }

    /// The index of the first local element in the whole array.
    pub(super) fn offset(&self) -> Vec<usize> {
        let mut offset = vec![0; self.shape.len()];
        if let Some(start) = offset.get_mut(self.axis) {
            *start = self.range().start;
        }
        offset
    }

    pub(super) fn whole(&self) -> Result<&AnyArray> {
        if self.range() == (0..self.length()) { Ok(&self.local) } else { Err(self.elsewhere()) }
    }

    fn elsewhere(&self) -> Error {
        let Range { start, end } = self.range();
        let (axis, length, rank, size) = (self.axis, self.length(), self.comm.rank(), self.comm.size());
        error!(
            Unsupported,
            "the dataset is distributed over {size} ranks on axis {axis}, and what is asked for is not on this one: rank {rank} has the indices \
             {start}..{end} of {length}"
        )
        .remedy("read and write the part of each rank (MemDatasetDistributed), or make the dataset common with dataset_distributed_to_common")
    }

    /// Translates a selection of the whole array into one of the local part, if all of it is here.
    pub(super) fn here(&self, selection: &Selection) -> Result<Here> {
        let resolved = selection.resolve(&self.shape)?;
        let range = self.range();
        if range == (0..self.length()) {
            return Ok(Here::Part(selection.clone()));
        }
        if resolved.count() == 0 {
            return Ok(Here::Nothing(resolved.shape()));
        }
        match &resolved {
            Resolved::Axes(axes) => {
                let mut items = Vec::with_capacity(axes.len());
                for (k, axis) in axes.iter().enumerate() {
                    let inside = k != self.axis || (0..axis.count()).all(|i| range.contains(&axis.index(i)));
                    if !inside {
                        return Err(self.elsewhere());
                    }
                    items.push(shifted(axis, if k == self.axis { range.start } else { 0 }));
                }
                Ok(Here::Part(Selection::Axes(items)))
            }
            Resolved::Points { points, .. } => {
                let inner: usize = self.shape.iter().skip(self.axis + 1).product();
                let mut mask = vec![false; self.local.len()];
                for point in points {
                    let (index, rest) = (point / inner % self.length(), point % inner);
                    let outer = point / inner / self.length();
                    match mask.get_mut((outer * range.len() + index.wrapping_sub(range.start)) * inner + rest) {
                        Some(here) if range.contains(&index) => *here = true,
                        _ => return Err(self.elsewhere()),
                    }
                }
                let mask = ArrayD::from_shape_vec(IxDyn(self.local.shape()), mask).map_err(|e| error!(Shape, "the local part: {e}"))?;
                Ok(Here::Part(Selection::Mask(mask)))
            }
        }
    }
}

/// The same indices, counted from another start.
fn shifted(axis: &AxisSelection, start: usize) -> Item {
    let at = |k: usize| axis.index(k) as i64 - start as i64;
    match axis {
        AxisSelection::List(list) => Item::List((0..list.len()).map(at).collect()),
        AxisSelection::Range { drop: true, .. } => Item::Index(at(0)),
        AxisSelection::Range { count: 0, .. } => Item::Range { start: Some(0), stop: Some(0), step: 1 },
        AxisSelection::Range { step, count, .. } => {
            let step = *step as i64;
            let stop = at(count - 1) + step.signum();
            Item::Range { start: Some(at(0)), stop: (stop >= 0).then_some(stop), step }
        }
    }
}

impl Spread {
    fn check(dtype: &DType, shape: &[usize], axis: usize) -> Result<()> {
        if !dtype.is_plain() {
            return Err(error!(Unsupported, "elements of type {dtype} are not plain bytes, and cannot be spread over ranks")
                .remedy("keep such data common, or use strings of fixed length"));
        }
        if axis >= shape.len() {
            bail!(InvalidArgument, "there is no axis {axis} to distribute: the shape is {shape:?}");
        }
        Ok(())
    }

    pub(super) fn check_axis(&self, axis: usize) -> Result<()> {
        Self::check(self.local.dtype(), &self.shape, axis)
    }

    /// A new array, filled.
    pub(super) fn filled(comm: CommRef, dtype: DType, shape: Vec<usize>, axis: usize, fill: Option<&AnyArray>) -> Result<Self> {
        Self::check(&dtype, &shape, axis)?;
        let mut spread = Self { comm, axis, shape, local: AnyArray::null(dtype.clone()) };
        let mut local = spread.shape.clone();
        local[axis] = spread.range().len();
        spread.local = match fill {
            Some(value) => AnyArray::full(dtype, local, value)?,
            None => AnyArray::zeros(dtype, local)?,
        };
        Ok(spread)
    }

    /// This rank's block of an array that all ranks have.
    pub(super) fn cut(comm: CommRef, whole: &AnyArray, axis: usize) -> Result<Self> {
        let Some(shape) = whole.extent() else { bail!(Shape, "a null dataset has no axis to distribute") };
        Self::check(whole.dtype(), shape, axis)?;
        let mut spread = Self { comm, axis, shape: shape.to_vec(), local: AnyArray::null(whole.dtype().clone()) };
        spread.local = whole.select(along(axis, spread.range()))?;
        Ok(spread)
    }

    /// What is selected, spread along the same axis. `None` if nothing of the axis is left to spread on the one rank that there is. Local.
    pub(super) fn part(&self, selection: &Selection) -> Result<Option<Self>> {
        let resolved = selection.resolve(&self.shape)?;
        let alone = self.comm.size() == 1;
        let Resolved::Axes(axes) = &resolved else { return if alone { Ok(None) } else { Err(self.cuts()) } };
        let along = axes.get(self.axis);
        if along.is_some_and(AxisSelection::is_dropped) && alone {
            return Ok(None);
        }
        if !alone && !along.is_some_and(|a| !a.is_dropped() && a.is_full(self.length())) {
            return Err(self.cuts());
        }
        let axis = axes.iter().take(self.axis).filter(|a| !a.is_dropped()).count();
        let all = |k: usize, a: &AxisSelection| if k == self.axis && !alone { Item::FULL } else { shifted(a, 0) };
        let items = axes.iter().enumerate().map(|(k, a)| all(k, a)).collect();
        let local = self.local.select(Selection::Axes(items))?;
        Ok(Some(Self { comm: self.comm.clone(), axis, shape: resolved.shape(), local }))
    }

    fn cuts(&self) -> Error {
        error!(Unsupported, "the selection cuts axis {}, along which the dataset is distributed", self.axis)
            .remedy("redistribute it to an axis of which everything is selected, copy, and redistribute back")
    }

    /// The same array along another axis. Collective.
    pub(super) fn on_axis(&self, axis: usize) -> Result<Self> {
        self.check_axis(axis)?;
        let size = self.comm.size();
        let mut next = Self { comm: self.comm.clone(), axis, shape: self.shape.clone(), local: self.local.clone() };
        if size == 1 || axis == self.axis {
            return Ok(next);
        }
        let (from, to) = (Partition::new(self.length(), size), Partition::new(next.length(), size));
        let parts = to.ranges().map(|range| self.local.select(along(axis, range))).collect::<Result<Vec<_>>>()?;
        let bytes: Vec<&[u8]> = parts.iter().map(|p| p.as_bytes().unwrap_or_default()).collect();
        let received = self.comm.all_to_all(&bytes)?;
        drop(bytes);
        drop(parts);
        let mut local = self.shape.clone();
        local[axis] = next.range().len();
        next.local = AnyArray::zeros(self.local.dtype().clone(), local.clone())?;
        for (rank, bytes) in received.iter().enumerate() {
            let mut shape = local.clone();
            shape[self.axis] = from.count(rank);
            let part = AnyArray::from_bytes(self.local.dtype().clone(), shape, bytes)?;
            next.local.assign(along(self.axis, from.range(rank)), &part)?;
        }
        Ok(next)
    }

    /// The whole array on every rank. Collective.
    pub(super) fn gathered(&self) -> Result<AnyArray> {
        if self.comm.size() == 1 {
            return Ok(self.local.clone());
        }
        let received = self.comm.all_gather(self.local.as_bytes().unwrap_or_default())?;
        let mut whole = AnyArray::zeros(self.local.dtype().clone(), self.shape.clone())?;
        for (rank, range) in Partition::new(self.length(), self.comm.size()).ranges().enumerate() {
            let mut shape = self.shape.clone();
            shape[self.axis] = range.len();
            let part = AnyArray::from_bytes(self.local.dtype().clone(), shape, &received[rank])?;
            whole.assign(along(self.axis, range), &part)?;
        }
        Ok(whole)
    }
}

/// Some indices of one axis, and all of the others.
fn along(axis: usize, range: Range<usize>) -> Selection {
    let mut items = vec![Item::FULL; axis];
    items.push(Item::from(range));
    Selection::Axes(items)
}
