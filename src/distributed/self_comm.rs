//! One rank alone.

use super::communicator::{CommRef, Communicator, Number, ReduceOp, check_partners};
use super::reduce;
use crate::error::{Error, Result, bail};
use parking_lot::Mutex;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number for [`Communicator::id`] that nobody has yet.
pub(super) fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A communicator of one rank: every exchange is with itself.
///
/// ```
/// use memh5::distributed::{Communicator, SelfComm};
/// let comm = SelfComm::new();
/// assert_eq!((comm.rank(), comm.size()), (0, 1));
/// assert_eq!(comm.all_gather(b"alone")?, [b"alone".to_vec()]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SelfComm(Arc<State>);

#[derive(Debug)]
struct State {
    id: u64,
    poison: Mutex<Option<Error>>,
}

impl SelfComm {
    /// A communicator of one rank.
    pub fn new() -> Self {
        Self(Arc::new(State { id: fresh_id(), poison: Mutex::new(None) }))
    }

    fn check(&self) -> Result<()> {
        self.0.poison.lock().clone().map_or(Ok(()), Err)
    }

    fn check_root(&self, root: usize) -> Result<()> {
        if root != 0 {
            bail!(InvalidArgument, "there is no rank {root}: the communicator has 1");
        }
        self.check()
    }
}

impl Default for SelfComm {
    fn default() -> Self {
        Self::new()
    }
}

impl Communicator for SelfComm {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn id(&self) -> u64 {
        self.0.id
    }

    fn barrier(&self) -> Result<()> {
        self.check()
    }

    fn broadcast(&self, _data: &mut Vec<u8>, root: usize) -> Result<()> {
        self.check_root(root)
    }

    fn gather(&self, data: &[u8], root: usize) -> Result<Option<Vec<Vec<u8>>>> {
        self.check_root(root)?;
        Ok(Some(vec![data.to_vec()]))
    }

    fn all_gather(&self, data: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.check()?;
        Ok(vec![data.to_vec()])
    }

    fn all_to_all(&self, data: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        self.check()?;
        match data {
            [one] => Ok(vec![one.to_vec()]),
            _ => bail!(InvalidArgument, "{} parts for the one rank of the communicator", data.len()),
        }
    }

    fn send_recv(&self, send: Option<(usize, &[u8])>, recv: Option<(usize, &mut [u8])>) -> Result<()> {
        self.check()?;
        check_partners(0, 1, send.as_ref().map(|(to, _)| *to), recv.as_ref().map(|(from, _)| *from))?;
        match (send, recv) {
            (Some((_, data)), Some((_, place))) if data.len() != place.len() => {
                bail!(Collective, "rank 0 sent {} bytes where {} were expected", data.len(), place.len())
            }
            (Some((_, data)), Some((_, place))) => {
                place.copy_from_slice(data);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn all_reduce(&self, data: &mut [u8], number: Number, op: ReduceOp) -> Result<()> {
        self.check()?;
        op.check(data.len(), number)?;
        reduce::begin(data, number, op);
        Ok(())
    }

    fn reduce(&self, data: &mut [u8], number: Number, op: ReduceOp, root: usize) -> Result<()> {
        self.check_root(root)?;
        self.all_reduce(data, number, op)
    }

    fn split(&self, color: Option<u32>, _key: usize) -> Result<Option<CommRef>> {
        self.check()?;
        Ok(color.map(|_| Arc::new(Self::new()) as CommRef))
    }

    fn rendezvous(&self, _within: Option<Duration>) -> Result<()> {
        self.check()
    }

    fn poison(&self, error: Error) {
        self.0.poison.lock().get_or_insert(error);
    }

    fn poisoned(&self) -> Option<Error> {
        self.0.poison.lock().clone()
    }

    fn poison_spreads(&self) -> bool {
        true
    }

    fn abort(&self, error: Error) {
        self.poison(error);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
