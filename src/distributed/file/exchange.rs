//! From one cut of an array to another.

use super::cut::Cut;
use crate::array::AnyArray;
use crate::distributed::Step;
use crate::distributed::array::exchange::{Block, exchange as move_between};
use crate::error::{Result, error};

/// Moves what the ranks have of an array to where another cut wants it. Exactly the bytes that move are sent; beside the new part, a rank
/// needs a few MiB.
pub(super) fn exchange(step: &Step<'_>, local: AnyArray, from: &Cut, to: &Cut) -> Result<AnyArray> {
    if from == to {
        return Ok(local);
    }
    let (comm, item) = (&**step.comm(), local.dtype().itemsize());
    let mut out = step.agree(bytes(&local).and_then(|_| AnyArray::zeros(local.dtype().clone(), to.part_shape(comm.rank()))))?;
    let target = out.raw_mut()?.0;
    move_between(comm, (local.raw().0, target), |rank| Block::of(&from.part(rank), item), |rank| Block::of(&to.part(rank), item))?;
    Ok(out)
}

/// The bytes of an array that can be sent.
pub(super) fn bytes(array: &AnyArray) -> Result<&[u8]> {
    array.as_bytes().ok_or_else(|| error!(Dtype, "elements of type {} cannot be sent to another rank", array.dtype()))
}
