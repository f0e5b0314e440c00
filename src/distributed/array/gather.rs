//! The whole array on one rank, or on all.

use super::DistributedArray;
use super::exchange::{Block, exchange};
use crate::array::AnyArray;
use crate::distributed::agree::{Agreement, Call};
use crate::error::{Result, bail};

impl DistributedArray {
    /// The whole array on one rank, `None` on the others.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let wholes = ThreadComm::run(3, |comm| {
    ///     let a = DistributedArray::from_global(&AnyArray::from(vec![1, 2, 3, 4]), 0, comm)?;
    ///     a.gather(2)
    /// })?;
    /// assert_eq!(wholes, [None, None, Some(AnyArray::from(vec![1, 2, 3, 4]))]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Collective
    /// All ranks of the array call it, with the same root.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such rank; `Collective`, the same on all ranks, if they call for different things or the root has no memory.
    pub fn gather(&self, root: usize) -> Result<Option<AnyArray>> {
        if root >= self.comm.size() {
            bail!(InvalidArgument, "there is no rank {root}: the communicator has {}", self.comm.size());
        }
        if self.comm.size() == 1 {
            return Ok(Some(self.local.clone()));
        }
        let call = Call::new("gather the array").dtype(self.dtype()).shape(&self.global_shape).note(format_args!("on rank {root}"));
        let whole = self.collect(call, |rank| rank == root)?;
        Ok((self.comm.rank() == root).then_some(whole))
    }

    /// The whole array on every rank, in one exchange.
    ///
    /// # Collective
    /// All ranks of the array call it.
    ///
    /// # Errors
    /// `Collective`, the same on all ranks, if they call for different things or one has no memory.
    pub fn all_gather(&self) -> Result<AnyArray> {
        if self.comm.size() == 1 {
            return Ok(self.local.clone());
        }
        let call = Call::new("gather the array on all ranks").dtype(self.dtype()).shape(&self.global_shape);
        self.collect(call, |_| true)
    }

    /// The whole array on the ranks that want it; an array without elements on the others.
    fn collect(&self, call: Call, wants: impl Fn(usize) -> bool) -> Result<AnyArray> {
        let (item, size) = (self.dtype().itemsize(), self.comm.size());
        let call = call.note(format_args!("axis {}", self.axis));
        Agreement::new(self.comm.clone()).collective(call, |step| {
            let shape = if wants(self.comm.rank()) { self.global_shape.clone() } else { vec![0; self.ndim()] };
            let mut target = step.agree(AnyArray::zeros(self.dtype().clone(), shape))?;
            let whole = Block::whole(&self.global_shape, item);
            let nothing = Block { start: whole.start.clone(), len: vec![0; whole.len.len()] };
            let has = |rank| {
                Block::range(&self.global_shape, item, self.axis, super::Partition::new(self.global_shape[self.axis], size).range(rank))
            };
            let wish = |rank| if wants(rank) { whole.clone() } else { nothing.clone() };
            let (to, _) = target.raw_mut()?;
            exchange(&**step.comm(), (self.local.raw().0, to), has, wish)?;
            Ok(target)
        })
    }
}
