//! The communicator.

use super::environment::{self, Exclusive, exclusive};
use super::raw::{self, MPI_Comm, RawComm};
use super::{messages, near, reduce, rendezvous, stream};
use crate::distributed::communicator::{CommRef, Communicator, Number, ReduceOp, check_partners};
use crate::distributed::self_comm::fresh_id;
use crate::distributed::stream::{Incoming, Offered, Outgoing};
use crate::error::{Error, Result, bail, error};
use mpi::traits::AsRaw;
use parking_lot::Mutex;
use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// The longest piece of a message unless another is set.
const LIMIT: usize = 1 << 30;

/// A communicator whose ranks are MPI processes. See the [module](super).
pub struct MpiComm {
    raw: RawComm,
    id: u64,
    rank: usize,
    size: usize,
    limit: usize,
    meetings: AtomicU64,
    /// The processes of the ranks if they may read each other's memory; nothing before that was tried.
    near: Mutex<Option<Option<Arc<[u64]>>>>,
    poison: Mutex<Option<Error>>,
}

impl MpiComm {
    /// The communicator of all ranks. Starts MPI if nobody has; then hold an [`Mpi`](super::Mpi) too, which ends it.
    ///
    /// While any handle of it is alive, later calls return the same communicator.
    ///
    /// # Collective
    /// The first call, which starts MPI, is made by all ranks.
    ///
    /// # Errors
    /// `Collective` if MPI cannot be initialised or was finalised.
    pub fn world() -> Result<CommRef> {
        static WORLD: Mutex<Weak<MpiComm>> = Mutex::new(Weak::new());
        environment::ensure_started()?;
        let mut world = WORLD.lock();
        if let Some(made) = world.upgrade() {
            return Ok(made);
        }
        let made = Arc::new(Self::new(raw::world(), LIMIT)?);
        *world = Arc::downgrade(&made);
        Ok(made)
    }

    /// A duplicate of a communicator that the program has, of `rsmpi` for example.
    ///
    /// # Collective
    /// All ranks of that communicator call it.
    ///
    /// # Errors
    /// `Collective` if MPI cannot make it, `Unsupported` for an inter-communicator.
    pub fn duplicate(comm: &impl AsRaw<Raw = MPI_Comm>) -> Result<CommRef> {
        Ok(Arc::new(Self::new(RawComm(comm.as_raw()), LIMIT)?))
    }

    /// As [`duplicate`](Self::duplicate), with messages cut into pieces of at most so many bytes (1 GiB unless given), so that what happens to
    /// long messages can be tested with short ones. Communicators that are split from it do the same.
    ///
    /// # Collective
    /// All ranks of that communicator call it, with the same limit.
    ///
    /// # Errors
    /// As [`duplicate`](Self::duplicate), and `InvalidArgument` for a limit of 0 or one that the ranks do not share.
    pub fn duplicate_with_limit(comm: &impl AsRaw<Raw = MPI_Comm>, limit: usize) -> Result<CommRef> {
        let made = Self::new(RawComm(comm.as_raw()), limit.clamp(1, LIMIT))?;
        let limits = {
            let _turn = made.enter()?;
            made.raw.all_gather_words([limit as u64], made.size)?
        };
        if limits.iter().any(|[other]| *other != limit as u64 || *other == 0) {
            bail!(InvalidArgument, "the ranks give different limits of a message's length, or 0: {:?}", limits.concat());
        }
        Ok(Arc::new(made))
    }

    /// A duplicate of a communicator of C code.
    ///
    /// # Collective
    /// All ranks of that communicator call it.
    ///
    /// # Safety
    /// The handle is a valid communicator of an MPI that is running.
    ///
    /// # Errors
    /// As [`duplicate`](Self::duplicate).
    pub unsafe fn from_raw(raw: MPI_Comm) -> Result<CommRef> {
        Ok(Arc::new(Self::new(RawComm(raw), LIMIT)?))
    }

    /// The communicator behind a handle of any kind, if its ranks are MPI processes.
    pub fn of(comm: &CommRef) -> Option<&Self> {
        comm.as_any().downcast_ref()
    }

    /// MPI's handle, for calls of C code such as parallel HDF5. It is valid as long as this is, and while MPI runs.
    pub fn as_raw(&self) -> MPI_Comm {
        self.raw.0
    }

    fn new(raw: RawComm, limit: usize) -> Result<Self> {
        let _turn = exclusive()?;
        if raw.is_inter()? {
            bail!(Unsupported, "an inter-communicator has two groups of ranks: merge them first (MPI_Intercomm_merge)");
        }
        Self::own(raw.duplicate()?, limit)
    }

    /// Takes a handle that is ours.
    fn own(raw: RawComm, limit: usize) -> Result<Self> {
        let (rank, size) = (raw.rank()?, raw.size()?);
        Ok(Self { raw, id: fresh_id(), rank, size, limit, meetings: AtomicU64::new(0), near: Mutex::new(None), poison: Mutex::new(None) })
    }

    /// The right to make a call of MPI on this communicator.
    fn enter(&self) -> Result<Exclusive> {
        self.check()?;
        exclusive()
    }

    fn check(&self) -> Result<()> {
        self.poison.lock().clone().map_or(Ok(()), Err)
    }

    fn check_rank(&self, rank: usize) -> Result<()> {
        if rank >= self.size {
            bail!(InvalidArgument, "there is no rank {rank}: the communicator has {}", self.size);
        }
        Ok(())
    }

    /// Makes a call of MPI. When it fails, the ranks are out of step for good: later calls fail with its error.
    fn call<T>(&self, call: impl FnOnce(RawComm) -> Result<T>) -> Result<T> {
        let _turn = self.enter()?;
        let result = call(self.raw);
        if let Err(error) = &result {
            self.poison.lock().get_or_insert_with(|| error.clone());
        }
        result
    }

    fn lengths(&self, mine: usize) -> Result<Vec<usize>> {
        let all = self.call(|raw| raw.all_gather_words([mine as u64], self.size))?;
        Ok(all.into_iter().map(|[length]| length as usize).collect())
    }
}

impl Communicator for MpiComm {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn id(&self) -> u64 {
        self.id
    }

    fn barrier(&self) -> Result<()> {
        self.call(RawComm::barrier)
    }

    fn broadcast(&self, data: &mut Vec<u8>, root: usize) -> Result<()> {
        self.check_rank(root)?;
        let mut length = (data.len() as u64).to_ne_bytes();
        self.call(|raw| {
            raw.broadcast(&mut length, root)?;
            data.resize(u64::from_ne_bytes(length) as usize, 0);
            messages::broadcast(raw, data, root, self.limit)
        })
    }

    fn gather(&self, data: &[u8], root: usize) -> Result<Option<Vec<Vec<u8>>>> {
        self.check_rank(root)?;
        let lengths = self.lengths(data.len())?;
        self.call(|raw| messages::gather(raw, self.rank, data, &lengths, Some(root), self.limit))
    }

    fn all_gather(&self, data: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lengths = self.lengths(data.len())?;
        let all = self.call(|raw| messages::gather(raw, self.rank, data, &lengths, None, self.limit))?;
        Ok(all.unwrap_or_default())
    }

    fn all_to_all(&self, data: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        if data.len() != self.size {
            bail!(InvalidArgument, "{} parts for the {} ranks of the communicator", data.len(), self.size);
        }
        let lengths: Vec<u64> = data.iter().map(|part| part.len() as u64).collect();
        self.call(|raw| {
            let lengths = raw.all_to_all_words(&lengths)?;
            let mut came: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0; *length as usize]).collect();
            messages::all_to_all(raw, self.rank, data, &mut came, self.limit)?;
            Ok(came)
        })
    }

    fn send_recv(&self, send: Option<(usize, &[u8])>, recv: Option<(usize, &mut [u8])>) -> Result<()> {
        self.check()?;
        check_partners(self.rank, self.size(), send.as_ref().map(|(to, _)| *to), recv.as_ref().map(|(from, _)| *from))?;
        match (send, recv) {
            (Some((to, data)), Some((from, place))) if to == self.rank => {
                if data.len() != place.len() {
                    bail!(Collective, "rank {from} sent {} bytes where {} were expected", data.len(), place.len());
                }
                place.copy_from_slice(data);
                Ok(())
            }
            (None, None) => Ok(()),
            (send, recv) => self.call(|raw| messages::exchange(raw, send, recv, self.limit)),
        }
    }

    fn stream(&self, send: Option<(usize, Outgoing<'_>)>, recv: Option<(usize, Incoming<'_>)>) -> Result<()> {
        self.check()?;
        let (to, from) = (send.as_ref().map(|(to, _)| *to), recv.as_ref().map(|(from, _)| *from));
        check_partners(self.rank, self.size(), to, from)?;
        if to == Some(self.rank) {
            bail!(InvalidArgument, "a stream goes to another rank");
        }
        self.call(|raw| stream::run(raw, send, recv))
    }

    fn offer(&self, bytes: &[u8], willing: bool, work: &mut dyn FnMut(&dyn Offered) -> Result<()>) -> Result<bool> {
        if self.limit < LIMIT {
            // Its messages are tested.
            return Ok(false);
        }
        let known = self.near.lock().clone();
        let near = match known {
            Some(known) => known,
            None => self.call(|raw| near::meet(raw, self.size))?.map(Arc::from),
        };
        let done = match &near {
            Some(processes) => self.call(|raw| near::offer(raw, processes, bytes, willing, work))?,
            None => false,
        };
        *self.near.lock() = Some(near);
        Ok(done)
    }

    fn all_reduce(&self, data: &mut [u8], number: Number, op: ReduceOp) -> Result<()> {
        op.check(data.len(), number)?;
        self.reduce_to(data, number, op, None)
    }

    fn reduce(&self, data: &mut [u8], number: Number, op: ReduceOp, root: usize) -> Result<()> {
        self.check_rank(root)?;
        op.check(data.len(), number)?;
        self.reduce_to(data, number, op, Some(root))
    }

    fn split(&self, color: Option<u32>, key: usize) -> Result<Option<CommRef>> {
        let mine = [color.map_or(u64::MAX, u64::from), key as u64];
        let all = self.call(|raw| raw.all_gather_words(mine, self.size))?;
        // MPI's colors and keys are C ints that are not negative: the places in the sorted lists are.
        let mut colors: Vec<u64> = all.iter().map(|[color, _]| *color).filter(|color| *color != u64::MAX).collect();
        colors.sort_unstable();
        colors.dedup();
        let mut keys: Vec<u64> = all.iter().map(|[_, key]| *key).collect();
        keys.sort_unstable();
        let place = |list: &[u64], one: u64| raw::count(list.partition_point(|other| *other < one));
        let color = color.map(|color| place(&colors, u64::from(color))).transpose()?;
        let key = place(&keys, key as u64)?;
        self.call(|raw| raw.split(color, key)?.map(|raw| Ok(Arc::new(Self::own(raw, self.limit)?) as CommRef)).transpose())
    }

    fn rendezvous(&self, within: Option<Duration>) -> Result<()> {
        let Some(within) = within else { return self.barrier() };
        self.check()?;
        let number = self.meetings.fetch_add(1, Ordering::Relaxed);
        let met = rendezvous::meet(self.raw, self.rank, self.size, number, within);
        if let Err(error) = &met {
            self.poison(error.clone());
        }
        met
    }

    fn poison(&self, error: Error) {
        self.poison.lock().get_or_insert(error);
    }

    fn poisoned(&self) -> Option<Error> {
        self.poison.lock().clone()
    }

    fn poison_spreads(&self) -> bool {
        false
    }

    fn abort(&self, error: Error) {
        environment::abort(self.rank, &error);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl MpiComm {
    fn reduce_to(&self, data: &mut [u8], number: Number, op: ReduceOp, root: Option<usize>) -> Result<()> {
        // The smallest of a length and of its complement are of the same length only if all ranks have the same.
        let length = data.len() as u64;
        let smallest = self.call(|raw| reduce::smallest_words(raw, [length, !length]))?;
        if smallest != [length, !length] {
            let lengths = self.lengths(data.len())?;
            let first = lengths.first().copied().unwrap_or_default();
            let odd = lengths.iter().enumerate().find(|(_, other)| **other != first);
            let (rank, other) = odd.map_or((0, first), |(rank, other)| (rank, *other));
            return Err(error!(InvalidArgument, "rank 0 reduces {first} bytes, rank {rank} {other} bytes").on_rank(rank));
        }
        match reduce::native(number, op) {
            Some(native) => self.call(|raw| reduce::by_mpi(raw, self.rank, data, number, op, native, root, self.limit)),
            None => reduce::by_exchange(self, data, number, op, root, self.limit),
        }
    }
}

impl fmt::Debug for MpiComm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MpiComm").field("rank", &self.rank).field("size", &self.size).field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for MpiComm {
    fn drop(&mut self) {
        // An unwinding rank may be the only one that drops it. After a failure there may be messages that nobody takes: MPI would hand them
        // to the next communicator that it gives the same number.
        if thread::panicking() || self.poison.get_mut().is_some() {
            return;
        }
        // After the end of MPI there is nothing to free.
        if let Ok(_turn) = exclusive() {
            let _ = self.raw.free();
        }
    }
}
