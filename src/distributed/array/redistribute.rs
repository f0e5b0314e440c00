//! Distribution over another axis.

use super::exchange::{Block, exchange};
use super::{Axis, DistributedArray, block_shape};
use crate::array::AnyArray;
use crate::distributed::agree::{Agreement, Call};
use crate::distributed::partition::Partition;
use crate::error::Result;

impl DistributedArray {
    /// The same array, distributed over another axis. Collective, unless it is the same axis or there is one rank: then it is a clone.
    ///
    /// Exactly the bytes that change their rank are sent. The memory that a rank needs beside the old block is the new one and a few MiB; there is no
    /// bound on lengths. (The memory of a block that was made here and is dropped is kept for the next one of its size, up to 1 GiB; the system may take
    /// it back meanwhile.)
    ///
    /// # Collective
    /// All ranks of the array call it, with the same axis.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such axis; `Collective`, the same on all ranks, if they call for different things or one of them has no memory.
    pub fn redistribute(&self, axis: impl Into<Axis>) -> Result<Self> {
        let axis = axis.into().resolve(self.ndim())?;
        if axis == self.axis {
            return Ok(self.clone());
        }
        if self.comm.size() == 1 {
            return Ok(Self { axis, ..self.clone() });
        }
        let note = format!("from axis {} to axis {axis}", self.axis);
        let call = Call::new("redistribute the array").dtype(self.dtype()).shape(&self.global_shape).note(note);
        let local = Agreement::new(self.comm.clone()).collective(call, |step| {
            let shape = block_shape(&self.global_shape, axis, &self.comm);
            let mut target = step.agree(AnyArray::to_overwrite(self.dtype().clone(), shape))?;
            let item = self.dtype().itemsize();
            let block = |axis: usize, rank: usize| {
                let range = Partition::new(self.global_shape[axis], self.comm.size()).range(rank);
                Block::range(&self.global_shape, item, axis, range)
            };
            let (to, _) = target.raw_mut()?;
            exchange(&**step.comm(), (self.local.raw().0, to), |rank| block(self.axis, rank), |rank| block(axis, rank))?;
            Ok(target)
        })?;
        Ok(Self { comm: self.comm.clone(), axis, global_shape: self.global_shape.clone(), local })
    }
}
