//! The whole result of a global selection on every rank.

use super::{GlobalSlice, Positions};
use crate::array::AnyArray;
use crate::distributed::agree::{Agreement, Call};
use crate::error::{Result, error};
use crate::selection::{Item, Selection};

impl GlobalSlice {
    /// The whole result on every rank, as the plain array gives it.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let rows = ThreadComm::run(3, |comm| {
    ///     let a = DistributedArray::from_global(&AnyArray::from(ndarray::array![[1, 2], [3, 4], [5, 6]]), 0, comm)?;
    ///     a.global_slice(-1)?.all_gather()
    /// })?;
    /// assert_eq!(rows[0], AnyArray::from(vec![5, 6]));
    /// assert_eq!(rows[0], rows[2]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Collective
    /// All ranks of the array call it, with the same selection.
    ///
    /// # Errors
    /// `Collective`, the same on all ranks, if they call for different things; `Io` if there is no memory.
    pub fn all_gather(&self) -> Result<AnyArray> {
        if self.comm.size() == 1 {
            return Ok(self.local().clone());
        }
        let call = Call::new("gather the selected elements").dtype(self.dtype()).shape(self.shape());
        Agreement::new(self.comm.clone()).collective(call, |step| {
            let parts = step.comm().all_gather(&self.encode())?;
            let mut whole = AnyArray::zeros(self.dtype().clone(), self.shape())?;
            for part in &parts {
                let (positions, bytes) = decode(part).ok_or_else(|| error!(Collective, "a part of the selection came damaged"))?;
                if positions.is_empty() {
                    continue;
                }
                let mut shape = self.shape().to_vec();
                let selection = match self.axis() {
                    None => Selection::All,
                    Some(axis) => {
                        shape[axis] = positions.len();
                        let mut items = vec![Item::FULL; shape.len()];
                        items[axis] = positions.into();
                        Selection::Axes(items)
                    }
                };
                whole.assign(selection, &AnyArray::from_bytes(self.dtype().clone(), shape, bytes)?)?;
            }
            Ok(whole)
        })
    }

    /// The positions and the elements of this rank's part.
    fn encode(&self) -> Vec<u8> {
        let mut out = (self.part.positions.len() as u64).to_le_bytes().to_vec();
        out.extend(self.part.positions.iter().flat_map(|at| (at as u64).to_le_bytes()));
        out.extend_from_slice(self.local().raw().0);
        out
    }
}

fn decode(bytes: &[u8]) -> Option<(Vec<i64>, &[u8])> {
    let (count, rest) = bytes.split_first_chunk()?;
    let count = usize::try_from(u64::from_le_bytes(*count)).ok()?;
    let (positions, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let positions = positions.chunks_exact(8).filter_map(|at| at.first_chunk().map(|at| i64::from_le_bytes(*at))).collect();
    Some((positions, rest))
}

impl From<Positions> for Item {
    /// The item that selects the positions of the axis.
    fn from(positions: Positions) -> Item {
        match positions {
            Positions::Range(range) => range.into(),
            Positions::List(list) => list.into(),
        }
    }
}
