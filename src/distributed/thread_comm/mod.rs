//! Ranks that are threads of one process.

mod job;
mod run;
mod shared;

use super::communicator::{CommRef, Communicator, Number, ReduceOp, check_partners};
use super::reduce;
use crate::error::{Error, Result, bail, error};
pub(super) use run::panic_message;
use shared::{Call, Deposit, Shared};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A communicator whose ranks are threads of this process: distributed code runs in plain `cargo test`, and on machines without MPI.
///
/// It sees more than MPI does. A rank that panics, returns or was poisoned while others wait for it is an error on those that wait, and ranks
/// that make different calls at the same time get an error that names both calls. Messages are synchronous: who sends waits until the
/// receiver has taken the bytes, as MPI may do with large messages.
///
/// ```
/// use memh5::distributed::{Communicator, ThreadComm};
/// let sums = ThreadComm::run(3, |comm| {
///     let ranks = comm.all_gather(&[comm.rank() as u8])?;
///     Ok(ranks.concat().iter().sum::<u8>())
/// })?;
/// assert_eq!(sums, [3, 3, 3]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug)]
pub struct ThreadComm {
    rank: usize,
    shared: Arc<Shared>,
}

impl ThreadComm {
    /// Makes a collective call in which this rank brings a deposit and takes what it needs of all deposits.
    fn meet<T>(&self, call: Call, deposit: Deposit, until: Option<Instant>, take: impl FnOnce(&mut [Deposit]) -> T) -> Result<T> {
        self.shared.meet(self.rank, call, deposit, until, take)
    }

    fn check_rank(&self, rank: usize) -> Result<()> {
        if rank >= self.size() {
            bail!(InvalidArgument, "there is no rank {rank}: the communicator has {}", self.size());
        }
        Ok(())
    }
}

impl Communicator for ThreadComm {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size()
    }

    fn id(&self) -> u64 {
        self.shared.id()
    }

    fn barrier(&self) -> Result<()> {
        self.meet(Call::Barrier, Deposit::None, None, |_| ())
    }

    fn broadcast(&self, data: &mut Vec<u8>, root: usize) -> Result<()> {
        self.check_rank(root)?;
        let mine = if self.rank == root { Deposit::Bytes(Arc::new(std::mem::take(data))) } else { Deposit::None };
        let bytes = self.meet(Call::Broadcast { root }, mine, None, |all| all.get(root).map(Deposit::bytes).unwrap_or_default())?;
        *data = Arc::unwrap_or_clone(bytes);
        Ok(())
    }

    fn gather(&self, data: &[u8], root: usize) -> Result<Option<Vec<Vec<u8>>>> {
        self.check_rank(root)?;
        let at_root = self.rank == root;
        let all = self.meet(Call::Gather { root }, Deposit::Bytes(Arc::new(data.to_vec())), None, |all| {
            // The root takes the only copies.
            at_root.then(|| all.iter_mut().map(|one| std::mem::replace(one, Deposit::None).bytes()).collect::<Vec<_>>())
        })?;
        Ok(all.map(|all| all.into_iter().map(Arc::unwrap_or_clone).collect()))
    }

    fn all_gather(&self, data: &[u8]) -> Result<Vec<Vec<u8>>> {
        let all = self.meet(Call::AllGather, Deposit::Bytes(Arc::new(data.to_vec())), None, |all| {
            all.iter().map(Deposit::bytes).collect::<Vec<_>>()
        })?;
        Ok(all.into_iter().map(Arc::unwrap_or_clone).collect())
    }

    fn all_to_all(&self, data: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        if data.len() != self.size() {
            bail!(InvalidArgument, "{} parts for the {} ranks of the communicator", data.len(), self.size());
        }
        let parts = data.iter().map(|part| part.to_vec()).collect();
        self.meet(Call::AllToAll, Deposit::Parts(parts), None, |all| all.iter_mut().map(|from| from.take_part(self.rank)).collect())
    }

    fn send_recv(&self, send: Option<(usize, &[u8])>, recv: Option<(usize, &mut [u8])>) -> Result<()> {
        check_partners(self.rank, self.size(), send.as_ref().map(|(to, _)| *to), recv.as_ref().map(|(from, _)| *from))?;
        if let (Some((to, data)), Some((_, place))) = (send, recv.as_ref())
            && to == self.rank
            && data.len() != place.len()
        {
            bail!(Collective, "rank {to} sent {} bytes where {} were expected", data.len(), place.len());
        }
        let sent = match send {
            Some((to, bytes)) => Some((to, self.shared.post(self.rank, to, bytes.to_vec())?)),
            None => None,
        };
        let received = match recv {
            Some((from, place)) => self.shared.receive(self.rank, from, place),
            None => Ok(()),
        };
        if let Some((to, number)) = sent {
            // Both partners know of a wrong length; the receiver's error comes first.
            let delivered = self.shared.delivered(self.rank, to, number);
            return received.and(delivered);
        }
        received
    }

    fn all_reduce(&self, data: &mut [u8], number: Number, op: ReduceOp) -> Result<()> {
        op.check(data.len(), number)?;
        let all = self.meet(Call::AllReduce { number, op }, Deposit::Bytes(Arc::new(data.to_vec())), None, |all| {
            all.iter().map(Deposit::bytes).collect::<Vec<_>>()
        })?;
        data.copy_from_slice(&reduce::combine_all(all.iter().map(|part| part.as_slice()), number, op)?);
        Ok(())
    }

    fn reduce(&self, data: &mut [u8], number: Number, op: ReduceOp, root: usize) -> Result<()> {
        self.check_rank(root)?;
        op.check(data.len(), number)?;
        let all = self.meet(Call::Reduce { number, op, root }, Deposit::Bytes(Arc::new(data.to_vec())), None, |all| {
            all.iter().map(Deposit::bytes).collect::<Vec<_>>()
        })?;
        if self.rank == root {
            data.copy_from_slice(&reduce::combine_all(all.iter().map(|part| part.as_slice()), number, op)?);
            return Ok(());
        }
        let first = all.first().map_or(0, |part| part.len());
        all.iter().enumerate().try_for_each(|(rank, part)| reduce::same_length(first, part.len(), rank))
    }

    fn split(&self, color: Option<u32>, key: usize) -> Result<Option<CommRef>> {
        let place = Deposit::Place { color, key, made: None };
        let found = self.meet(Call::Split, place, None, |all| self.shared.divide(color, self.rank, all))?;
        Ok(found.map(|(shared, rank)| Arc::new(Self { rank, shared }) as CommRef))
    }

    fn rendezvous(&self, within: Option<Duration>) -> Result<()> {
        let until = within.and_then(|within| Instant::now().checked_add(within));
        self.meet(Call::Rendezvous { within }, Deposit::None, until, |_| ())
    }

    fn poison(&self, error: Error) {
        self.shared.poison(self.rank, error);
    }

    fn poisoned(&self) -> Option<Error> {
        self.shared.poisoned(self.rank)
    }

    fn abort(&self, error: Error) {
        self.shared.abort(error);
    }

    fn poison_spreads(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Deposit {
    fn bytes(&self) -> Arc<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Arc::clone(bytes),
            _ => Arc::default(),
        }
    }

    fn take_part(&mut self, rank: usize) -> Vec<u8> {
        match self {
            Self::Parts(parts) => parts.get_mut(rank).map(std::mem::take).unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

/// The error of a rank that waits for one that will not come.
fn lost(rank: usize, why: &str) -> Error {
    error!(Collective, "rank {rank} {why}").on_rank(rank)
}
