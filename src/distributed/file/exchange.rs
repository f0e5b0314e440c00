//! From one cut of an array to another, in pieces of bounded size.

use super::cut::{Box, Cut, intersection, pieces, selection, within};
use crate::array::AnyArray;
use crate::distributed::Step;
use crate::error::{Result, error};

/// The most bytes of a message.
const MESSAGE: usize = 32 << 20;

/// Moves what the ranks have of an array to where another cut wants it. Exactly the bytes that move are sent; beside the new part, a rank
/// needs two messages of memory.
pub(super) fn exchange(step: &Step<'_>, local: AnyArray, from: &Cut, to: &Cut) -> Result<AnyArray> {
    if from == to {
        return Ok(local);
    }
    let comm = &**step.comm();
    let (rank, ranks, item) = (comm.rank(), comm.size(), local.dtype().itemsize());
    let (mine, wanted) = (from.part(rank), to.part(rank));
    let mut out = step.agree(AnyArray::zeros(local.dtype().clone(), to.part_shape(rank)))?;
    let cut = |from: &Box, to: &Box| intersection(from, to).map_or_else(Vec::new, |both| pieces(&both, item, None, MESSAGE));
    for turn in 0..ranks {
        let (to_rank, from_rank) = ((rank + turn) % ranks, (rank + ranks - turn) % ranks);
        let sent = cut(&mine, &to.part(to_rank));
        let received = cut(&from.part(from_rank), &wanted);
        for k in 0..sent.len().max(received.len()) {
            let message = sent.get(k).map(|part| local.select(selection(&within(part, &mine)))).transpose()?;
            let Some(place) = received.get(k) else {
                if let Some(message) = &message {
                    comm.send_recv(Some((to_rank, bytes(message)?)), None)?;
                }
                continue;
            };
            let place = within(place, &wanted);
            if turn == 0 {
                // To this rank itself: nothing is sent.
                if let Some(message) = &message {
                    out.assign(selection(&place), message)?;
                }
                continue;
            }
            let mut arrived = AnyArray::zeros(local.dtype().clone(), super::cut::lengths(&place))?;
            let sending = match &message {
                Some(message) => Some((to_rank, bytes(message)?)),
                None => None,
            };
            comm.send_recv(sending, Some((from_rank, arrived.raw_mut()?.0)))?;
            out.assign(selection(&place), &arrived)?;
        }
    }
    step.agree(Ok(out))
}

/// The bytes of an array that can be sent.
pub(super) fn bytes(array: &AnyArray) -> Result<&[u8]> {
    array.as_bytes().ok_or_else(|| error!(Dtype, "elements of type {} cannot be sent to another rank", array.dtype()))
}
