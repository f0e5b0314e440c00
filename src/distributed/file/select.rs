//! A part of a distributed dataset on its way into a file: what is selected, spread anew by the partition rule.

use super::cut::Cut;
use super::exchange::bytes;
use super::outline::Part;
use crate::array::AnyArray;
use crate::distributed::array::positions_in;
use crate::distributed::{Partition, Positions, Step};
use crate::error::{Result, error};
use crate::selection::{AxisSelection, Item, Selection};
use std::ops::Range;

/// The most bytes of a message, if an index of the axis has no more.
const MESSAGE: usize = 32 << 20;

/// Which rows of a rank's selected part go to another rank, and where they come to lie there.
struct Rows {
    from: Positions,
    to: Positions,
}

impl Rows {
    /// The rows at those places of the result that are wanted. Both are counted from where the parts begin.
    fn new(places: &Positions, wanted: &Range<usize>) -> Self {
        match places {
            Positions::Range(have) => {
                let (start, end) = (have.start.max(wanted.start), have.end.min(wanted.end));
                if start >= end {
                    return Self { from: Positions::Range(0..0), to: Positions::Range(0..0) };
                }
                let shifted = |by: usize| Positions::Range(start - by..end - by);
                Self { from: shifted(have.start), to: shifted(wanted.start) }
            }
            Positions::List(list) => {
                let rows = list.iter().enumerate().filter(|(_, place)| wanted.contains(place));
                let (from, to) = rows.map(|(row, place)| (row, place - wanted.start)).unzip();
                Self { from: Positions::List(from), to: Positions::List(to) }
            }
        }
    }

    /// So many of them at a time.
    fn batches(&self, rows: usize) -> impl Iterator<Item = (Item, Item)> + '_ {
        (0..self.from.len()).step_by(rows).map(move |at| (item(&self.from, at, rows), item(&self.to, at, rows)))
    }
}

/// The item that selects some of the positions.
fn item(positions: &Positions, at: usize, rows: usize) -> Item {
    match positions {
        Positions::Range(range) => Item::from(range.start + at..(range.start + at + rows).min(range.end)),
        Positions::List(list) => Item::List(list.iter().skip(at).take(rows).map(|index| *index as i64).collect()),
    }
}

/// How many indices an item selects.
fn count(item: &Item, length: usize) -> usize {
    match item {
        Item::List(list) => list.len(),
        Item::Range { start, stop, .. } => {
            let at = |bound: &Option<i64>, or: usize| bound.and_then(|at| usize::try_from(at).ok()).unwrap_or(or);
            at(stop, length) - at(start, 0)
        }
        _ => length,
    }
}

fn along(axis: usize, ndim: usize, item: Item) -> Selection {
    let mut items = vec![Item::FULL; ndim];
    items[axis] = item;
    Selection::Axes(items)
}

/// Selects a part of what the ranks have, cut on an axis, and spreads it along that axis of the result. Every rank gets its new part, and how the
/// whole is cut.
pub(super) fn spread(step: &Step<'_>, local: &AnyArray, have: &Cut, part: &[Part], axis: usize) -> Result<(Cut, AnyArray)> {
    let comm = &**step.comm();
    let (rank, ranks) = (comm.rank(), comm.size());
    let axes: Vec<AxisSelection> = part.iter().map(AxisSelection::from).collect();
    let Some(chosen) = axes.get(have.axis) else { return Err(error!(Corrupt, "the selection has no axis {}", have.axis)) };
    let shape: Vec<usize> = axes.iter().filter(|a| !a.is_dropped()).map(AxisSelection::count).collect();
    let cut = Cut::even(&shape, axis, ranks);
    let places = |of: usize| positions_in(chosen, &have.range(of));
    // Of this rank's block, in the order of the result.
    let select = || {
        let (here, _) = places(rank);
        let items = axes.iter().enumerate().map(|(k, a)| crate::distributed::array::item_of(if k == have.axis { &here } else { a }));
        Ok((local.select(Selection::Axes(items.collect()))?, AnyArray::zeros(local.dtype().clone(), cut.part_shape(rank))?))
    };
    let (mine, mut out) = step.agree(select())?;
    let row: usize = shape.iter().enumerate().filter(|(k, _)| *k != axis).map(|(_, n)| *n).product::<usize>() * local.dtype().itemsize();
    let rows = (MESSAGE / row.max(1)).max(1);
    let wanted = |of: usize| Partition::new(shape[axis], ranks).range(of);
    let (_, here) = places(rank);
    for turn in 0..ranks {
        let (to_rank, from_rank) = ((rank + turn) % ranks, (rank + ranks - turn) % ranks);
        let (sent, received) = (Rows::new(&here, &wanted(to_rank)), Rows::new(&places(from_rank).1, &wanted(rank)));
        let (mut sent, mut received) = (sent.batches(rows), received.batches(rows));
        loop {
            let (send, receive) = (sent.next(), received.next());
            if send.is_none() && receive.is_none() {
                break;
            }
            let message = send.map(|(from, _)| mine.select(along(axis, shape.len(), from))).transpose()?;
            if turn == 0 {
                // To this rank itself: nothing is sent.
                if let (Some(message), Some((_, to))) = (&message, receive) {
                    out.assign(along(axis, shape.len(), to), message)?;
                }
                continue;
            }
            let sending = message.as_ref().map(|message| Ok((to_rank, bytes(message)?))).transpose()?;
            match receive {
                None => comm.send_recv(sending, None)?,
                Some((_, to)) => {
                    let mut arrived = shape.clone();
                    arrived[axis] = count(&to, shape[axis]);
                    let mut arrived = AnyArray::zeros(local.dtype().clone(), arrived)?;
                    comm.send_recv(sending, Some((from_rank, arrived.raw_mut()?.0)))?;
                    out.assign(along(axis, shape.len(), to), &arrived)?;
                }
            }
        }
    }
    Ok((cut, step.agree(Ok(out))?))
}
