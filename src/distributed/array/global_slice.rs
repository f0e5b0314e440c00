//! Reading a part of the whole array by global indices, without communication.
//!
//! The result of a selection is what the same selection gives on the plain array. Each rank gets those of its elements that lie in the rank's block,
//! and where in the result they belong. The one resolver here serves reading and writing.

use super::{DistributedArray, Positions};
use crate::array::AnyArray;
use crate::distributed::communicator::CommRef;
use crate::dtype::DType;
use crate::error::{Result, error};
use crate::selection::{AxisSelection, Item, Resolved, Selection};
use ndarray::Slice;
use std::ops::Range;

/// What a selection means for one rank.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// The shape of the whole result.
    pub shape: Vec<usize>,
    /// The axis of the result on which the ranks' parts lie; `None` if the distributed axis was dropped by a single index.
    pub axis: Option<usize>,
    /// The indices on that axis that this rank has; for a dropped axis one, or none.
    pub positions: Positions,
    /// The selection in this rank's block; `None` if it has nothing of a result without the axis.
    pub local: Option<Selection>,
    /// True if the result is a distributed array: the whole of the distributed axis, in order.
    pub full: bool,
    /// The length of the distributed axis, and which of its indices are taken, one for each position of the result.
    source: (usize, AxisSelection),
}

impl Part {
    /// True if both have the same positions on every rank. The same answer on all ranks.
    pub(super) fn lies_as(&self, other: &Self) -> bool {
        let ((n, a), (m, b)) = (&self.source, &other.source);
        let alike = n == m && a.count() == b.count() && (0..a.count()).all(|k| a.index(k) == b.index(k));
        alike && self.shape == other.shape && self.axis == other.axis
    }
}

/// What one rank has of a global selection.
///
/// The parts of the ranks lie on one [`axis`](Self::axis) of the result; [`positions`](Self::positions) says where. A rank without data has an empty part.
///
/// ```
/// use memh5::AnyArray;
/// use memh5::distributed::{DistributedArray, Positions, ThreadComm};
/// let parts = ThreadComm::run(3, |comm| {
///     // The ranks have 0 1 2, 3 4 and 5 6.
///     let a = DistributedArray::from_global(&AnyArray::from(vec![0, 1, 2, 3, 4, 5, 6]), 0, comm)?;
///     let slice = a.global_slice("::3".parse::<memh5::Selection>()?)?;
///     assert_eq!(slice.shape(), [3]);
///     Ok((slice.local().to_string(), slice.positions().clone()))
/// })?;
/// assert_eq!(parts[0], ("[0]".to_owned(), Positions::Range(0..1)));
/// assert_eq!(parts[1], ("[3]".to_owned(), Positions::Range(1..2)));
/// assert_eq!(parts[2], ("[6]".to_owned(), Positions::Range(2..3)));
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GlobalSlice {
    pub(super) comm: CommRef,
    pub(super) part: Part,
    local: AnyArray,
}

impl GlobalSlice {
    /// The shape of the whole result.
    pub fn shape(&self) -> &[usize] {
        &self.part.shape
    }

    /// The element type.
    pub fn dtype(&self) -> &DType {
        self.local.dtype()
    }

    /// The axis of the result on which the ranks' parts lie. `None` if the distributed axis was dropped by a single index: then one rank has the whole
    /// result.
    pub fn axis(&self) -> Option<usize> {
        self.part.axis
    }

    /// The indices on [`axis`](Self::axis) of the result that this rank has, in the order of its part. Without that axis: `0..1` on the rank that has the
    /// result, empty on the others.
    pub fn positions(&self) -> &Positions {
        &self.part.positions
    }

    /// True if this rank has some of the result (which can itself be without elements, because of another axis).
    pub fn is_here(&self) -> bool {
        !self.part.positions.is_empty()
    }

    /// This rank's part: the axes of the result, with as many indices on [`axis`](Self::axis) as there are [`positions`](Self::positions). A rank without
    /// data of a result that has no such axis gets an array whose first axis has the length 0.
    pub fn local(&self) -> &AnyArray {
        &self.local
    }

    /// This rank's part, moved out.
    pub fn into_local(self) -> AnyArray {
        self.local
    }

    /// The result as a distributed array, if the selection takes the whole of the distributed axis in order.
    ///
    /// # Errors
    /// `Selection` if it does not: the parts are not those of the [`Partition`](crate::distributed::Partition) rule then.
    pub fn into_distributed(self) -> Result<DistributedArray> {
        match self.part.axis {
            Some(axis) if self.part.full => {
                Ok(DistributedArray { comm: self.comm, axis, global_shape: self.part.shape, local: self.local })
            }
            _ => Err(error!(Selection, "the selection does not take the whole of the distributed axis in order")
                .remedy("use the local part and its positions, or all_gather")),
        }
    }
}

impl DistributedArray {
    /// What this rank has of a selection by global indices. Local: it never communicates.
    ///
    /// Every selection that a plain array takes is understood: steps, negative indices and steps, lists in any order with duplicates, masks of one
    /// axis, one mask of the whole shape. What is wrong is the same error on all ranks.
    ///
    /// # Errors
    /// `Selection` if it does not fit the global shape.
    pub fn global_slice(&self, selection: impl Into<Selection>) -> Result<GlobalSlice> {
        let part = self.resolve(&selection.into())?;
        let local = match &part.local {
            Some(selection) => self.local.select(selection)?,
            None => {
                let mut shape = part.shape.clone();
                match shape.first_mut() {
                    Some(first) => *first = 0,
                    None => shape.push(0),
                }
                AnyArray::zeros(self.dtype().clone(), shape)?
            }
        };
        Ok(GlobalSlice { comm: self.comm.clone(), part, local })
    }

    /// What a selection means for this rank.
    pub(super) fn resolve(&self, selection: &Selection) -> Result<Part> {
        let resolved = selection.resolve(&self.global_shape)?;
        let shape = resolved.shape();
        let bounds = self.local_bounds();
        let axes = match (resolved, selection) {
            (Resolved::Axes(axes), _) => axes,
            (Resolved::Points { points, .. }, Selection::Mask(mask)) => {
                let local = mask.slice_axis(ndarray::Axis(self.axis), Slice::from(bounds.clone())).to_owned();
                let source = self.on_axis(&points);
                let here = source.iter().enumerate().filter(|(_, at)| bounds.contains(at)).map(|(k, _)| k).collect();
                let positions = Positions::from_list(here);
                let source = (self.global_shape[self.axis], AxisSelection::List(source));
                return Ok(Part { shape, axis: Some(0), positions, local: Some(Selection::Mask(local)), full: false, source });
            }
            (Resolved::Points { .. }, _) => {
                return Err(error!(Selection, "single elements are selected by a mask of the whole shape only"));
            }
        };
        let chosen = &axes[self.axis];
        let full = chosen.is_full(self.global_shape[self.axis]) && !chosen.is_dropped();
        let (here, positions) = within(chosen, &bounds);
        let axis = (!chosen.is_dropped()).then(|| axes[..self.axis].iter().filter(|a| !a.is_dropped()).count());
        let local = (axis.is_some() || !positions.is_empty()).then(|| {
            let mut items: Vec<Item> = axes.iter().map(item).collect();
            items[self.axis] = item(&here);
            Selection::Axes(items)
        });
        let source = (self.global_shape[self.axis], chosen.clone());
        Ok(Part { shape, axis, positions, local, full, source })
    }

    /// The indices on the distributed axis of elements that are given by their places in C order.
    fn on_axis(&self, places: &[usize]) -> Vec<usize> {
        let inner: usize = self.global_shape[self.axis + 1..].iter().product();
        let length = self.global_shape[self.axis];
        places.iter().map(|place| place / inner.max(1) % length.max(1)).collect()
    }
}

/// The selected indices of an axis that lie in a block, as indices of the block, and their places in the result.
pub(in crate::distributed) fn within(axis: &AxisSelection, block: &Range<usize>) -> (AxisSelection, Positions) {
    match axis {
        AxisSelection::Range { start, step, count, drop } => {
            // The k-th index rises or falls with k: the first k in the block, and the first beyond.
            let first_beyond = |limit: usize| -> usize {
                if *step > 0 {
                    limit.saturating_sub(*start).div_ceil(step.unsigned_abs()).min(*count)
                } else {
                    // Indices at or above the limit come first.
                    if *start < limit { 0 } else { ((start - limit) / step.unsigned_abs() + 1).min(*count) }
                }
            };
            let (from, to) = if *step > 0 {
                (first_beyond(block.start), first_beyond(block.end))
            } else {
                (first_beyond(block.end), first_beyond(block.start))
            };
            let count = to.saturating_sub(from);
            let start = if count == 0 { 0 } else { axis.index(from) - block.start };
            (AxisSelection::Range { start, step: *step, count, drop: *drop }, Positions::from_range(from, count))
        }
        AxisSelection::List(list) => {
            let (places, here): (Vec<_>, Vec<_>) =
                list.iter().enumerate().filter(|(_, at)| block.contains(at)).map(|(k, at)| (k, at - block.start)).unzip();
            (AxisSelection::List(here), Positions::from_list(places))
        }
    }
}

/// The item that selects these indices.
pub(in crate::distributed) fn item(axis: &AxisSelection) -> Item {
    match axis {
        AxisSelection::Range { start, drop: true, .. } => Item::Index(*start as i64),
        AxisSelection::Range { count: 0, .. } => Item::Range { start: Some(0), stop: Some(0), step: 1 },
        AxisSelection::Range { start, step, count, .. } => {
            let last = *start as i64 + *step as i64 * (*count as i64 - 1);
            let stop = if *step > 0 { Some(last + 1) } else { last.checked_sub(1).filter(|stop| *stop >= 0) };
            Item::Range { start: Some(*start as i64), stop, step: *step as i64 }
        }
        AxisSelection::List(list) => Item::List(list.iter().map(|i| *i as i64).collect()),
    }
}

impl Positions {
    fn from_range(from: usize, count: usize) -> Self {
        Self::Range(if count == 0 { 0..0 } else { from..from + count })
    }
}
