//! Equality over all ranks.

use super::DistributedArray;
use crate::distributed::agree::{Agreement, Call};
use crate::distributed::communicator::{Number, ReduceOp};
use crate::error::Result;

impl DistributedArray {
    /// True if both are the same array: element type (by its values), shape and elements, the same answer on all ranks.
    ///
    /// The distributions need to match only for a positive answer: arrays over different axes or communicators are not equal. `NaN` equals itself.
    ///
    /// # Collective
    /// All ranks of the array call it.
    ///
    /// # Errors
    /// `Collective`, the same on all ranks, if they compare different things.
    pub fn equal(&self, other: &Self) -> Result<bool> {
        if !self.same_distribution(other) || !self.dtype().same_values(other.dtype()) {
            return Ok(false);
        }
        let mut same = [u8::from(self.local == other.local)];
        if self.comm.size() > 1 {
            let call = Call::new("compare two arrays").dtype(self.dtype()).shape(&self.global_shape);
            Agreement::new(self.comm.clone()).collective(call, |step| step.comm().all_reduce(&mut same, Number::U8, ReduceOp::Min))?;
        }
        Ok(same == [1])
    }
}
