//! What the ranks of one communicator of threads share: the calls under way, and the messages.
//!
//! Each collective call is a *round*. The n-th call of every rank belongs to the n-th round: a rank leaves its deposit there, waits until
//! all have left theirs, and takes what it needs. Nobody is more than one round ahead, since each round needs all ranks.

use super::job::Job;
use crate::distributed::communicator::{Number, ReduceOp, late};
use crate::distributed::self_comm::fresh_id;
use crate::error::{Error, Result, error};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which call it is: all ranks of a round must make the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Barrier,
    Broadcast { root: usize },
    Gather { root: usize },
    AllGather,
    AllToAll,
    AllReduce { number: Number, op: ReduceOp },
    Reduce { number: Number, op: ReduceOp, root: usize },
    Split,
    Rendezvous { within: Option<Duration> },
}

impl Call {
    fn same(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Rendezvous { .. }, Self::Rendezvous { .. })) || self == other
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Barrier => f.write_str("barrier"),
            Self::Broadcast { root } => write!(f, "broadcast from rank {root}"),
            Self::Gather { root } => write!(f, "gather to rank {root}"),
            Self::AllGather => f.write_str("all_gather"),
            Self::AllToAll => f.write_str("all_to_all"),
            Self::AllReduce { number, op } => write!(f, "all_reduce ({op:?} of {number:?})"),
            Self::Reduce { number, op, root } => write!(f, "reduce to rank {root} ({op:?} of {number:?})"),
            Self::Split => f.write_str("split"),
            Self::Rendezvous { .. } => f.write_str("rendezvous"),
        }
    }
}

/// What a rank brings to a round.
#[derive(Debug)]
pub(super) enum Deposit {
    None,
    Bytes(Arc<Vec<u8>>),
    Parts(Vec<Vec<u8>>),
    /// For a split; the first rank of a color that looks makes the communicator.
    Place {
        color: Option<u32>,
        key: usize,
        made: Option<Arc<Shared>>,
    },
}

#[derive(Debug, Default)]
struct Round {
    /// The call of the rank that came first, and that rank.
    call: Option<(Call, usize)>,
    came: Vec<bool>,
    deposits: Vec<Deposit>,
    done: usize,
    broken: Option<Error>,
}

/// Messages from one rank to another, in order.
#[derive(Debug, Default)]
struct Channel {
    waiting: VecDeque<Vec<u8>>,
    sent: u64,
    taken: u64,
    refused: Option<Error>,
}

#[derive(Debug)]
struct State {
    rounds: VecDeque<Round>,
    /// The number of the round at the front.
    first: u64,
    /// The number of each rank's next call.
    next: Vec<u64>,
    poison: Vec<Option<Error>>,
    channels: BTreeMap<(usize, usize), Channel>,
}

#[derive(Debug)]
pub(super) struct Shared {
    id: u64,
    job: Arc<Job>,
    /// The thread of each rank.
    threads: Vec<usize>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(super) fn new(job: Arc<Job>, threads: Vec<usize>) -> Arc<Self> {
        let state = State {
            rounds: VecDeque::new(),
            first: 0,
            next: vec![0; threads.len()],
            poison: vec![None; threads.len()],
            channels: BTreeMap::new(),
        };
        let shared = Arc::new(Self { id: fresh_id(), job: Arc::clone(&job), threads, state: Mutex::new(state), changed: Condvar::new() });
        job.enlist(&shared);
        shared
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn size(&self) -> usize {
        self.threads.len()
    }

    pub(super) fn poisoned(&self, rank: usize) -> Option<Error> {
        self.state.lock().poison(rank)
    }

    pub(super) fn poison(&self, rank: usize, error: Error) {
        self.state.lock().set_poison(rank, error);
        self.changed.notify_all();
    }

    pub(super) fn abort(&self, error: Error) {
        self.job.abort(error);
    }

    /// Wakes all that wait, to look again.
    pub(super) fn wake(&self) {
        // Whoever has looked and not yet begun to wait holds the lock.
        drop(self.state.lock());
        self.changed.notify_all();
    }

    /// Why a rank will not come: its thread has ended, or it was poisoned.
    fn absent(&self, state: &State, rank: usize) -> Option<Error> {
        if let Some(error) = state.poison(rank) {
            return Some(error.on_rank(rank));
        }
        self.threads.get(rank).and_then(|thread| self.job.gone(*thread)).map(|how| how.as_error(rank))
    }

    /// Refuses a call of a rank that was poisoned, or of a job that was aborted.
    fn admit(&self, rank: usize) -> Result<MutexGuard<'_, State>> {
        if let Some(error) = self.job.aborted() {
            return Err(error);
        }
        let state = self.state.lock();
        state.poison(rank).map_or(Ok(state), Err)
    }

    /// One collective call of one rank.
    pub(super) fn meet<T>(
        &self,
        rank: usize,
        call: Call,
        deposit: Deposit,
        until: Option<Instant>,
        take: impl FnOnce(&mut [Deposit]) -> T,
    ) -> Result<T> {
        let mut guard = self.admit(rank)?;
        let number = guard.enter(rank, self.size(), call, deposit);
        self.changed.notify_all();
        let mut over = false;
        let taken = loop {
            let state = &mut *guard;
            let missing: Vec<usize> = state.round(number).map(Round::missing).unwrap_or_default();
            let lost = self.job.aborted().or_else(|| missing.iter().find_map(|rank| self.absent(state, *rank)));
            let Some(round) = state.round(number) else { break Err(error!(Collective, "the call is over on the other ranks")) };
            if let Some(error) = &round.broken {
                break Err(error.clone());
            }
            if missing.is_empty() {
                break Ok(take(&mut round.deposits));
            }
            if let Some(error) = lost {
                break Err(error.during(call.to_string()));
            }
            if over {
                round.broken = Some(late(&missing));
                self.changed.notify_all();
                continue;
            }
            match until {
                None => self.changed.wait(&mut guard),
                Some(until) => over = self.changed.wait_until(&mut guard, until).timed_out(),
            }
        };
        guard.leave(number, self.size());
        if let Err(error) = &taken {
            guard.set_poison(rank, error.clone());
            self.changed.notify_all();
        }
        taken
    }

    /// Puts a message where its receiver finds it; returns its number.
    pub(super) fn post(&self, from: usize, to: usize, bytes: Vec<u8>) -> Result<u64> {
        let mut state = self.admit(from)?;
        let channel = state.channels.entry((from, to)).or_default();
        channel.waiting.push_back(bytes);
        channel.sent += 1;
        let number = channel.sent;
        self.changed.notify_all();
        Ok(number)
    }

    /// Waits for a message.
    pub(super) fn receive(&self, rank: usize, from: usize, place: &mut [u8]) -> Result<()> {
        let mut state = self.admit(rank)?;
        loop {
            let channel = state.channels.entry((from, rank)).or_default();
            if let Some(bytes) = channel.waiting.pop_front() {
                channel.taken += 1;
                let fits = bytes.len() == place.len();
                if !fits {
                    let error = error!(Collective, "rank {from} sent {} bytes where rank {rank} expected {}", bytes.len(), place.len());
                    channel.refused.get_or_insert(error.on_rank(from));
                }
                let refused = channel.refused.clone();
                self.changed.notify_all();
                drop(state);
                if fits {
                    place.copy_from_slice(&bytes);
                }
                return refused.map_or(Ok(()), Err);
            }
            if let Some(error) = self.job.aborted().or_else(|| self.absent(&state, from)) {
                state.set_poison(rank, error.clone());
                self.changed.notify_all();
                return Err(error);
            }
            self.changed.wait(&mut state);
        }
    }

    /// Waits until a message was taken.
    pub(super) fn delivered(&self, from: usize, to: usize, number: u64) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            let channel = state.channels.entry((from, to)).or_default();
            if let Some(error) = &channel.refused {
                return Err(error.clone());
            }
            if channel.taken >= number {
                return Ok(());
            }
            if let Some(error) = self.job.aborted().or_else(|| self.absent(&state, to)) {
                state.set_poison(from, error.clone());
                self.changed.notify_all();
                return Err(error);
            }
            self.changed.wait(&mut state);
        }
    }

    /// The communicator of a color and the rank in it, from the deposits of all ranks of a split.
    pub(super) fn divide(&self, color: Option<u32>, rank: usize, all: &mut [Deposit]) -> Option<(Arc<Self>, usize)> {
        color?;
        let mut members: Vec<(usize, usize)> = all
            .iter()
            .enumerate()
            .filter_map(|(rank, deposit)| match deposit {
                Deposit::Place { color: theirs, key, .. } if *theirs == color => Some((*key, rank)),
                _ => None,
            })
            .collect();
        members.sort_unstable();
        let (_, keeper) = *members.first()?;
        let place = members.iter().position(|(_, member)| *member == rank)?;
        let Some(Deposit::Place { made, .. }) = all.get_mut(keeper) else { return None };
        let shared = made.get_or_insert_with(|| {
            let threads = members.iter().filter_map(|(_, member)| self.threads.get(*member).copied()).collect();
            Self::new(Arc::clone(&self.job), threads)
        });
        Some((Arc::clone(shared), place))
    }
}

impl State {
    fn poison(&self, rank: usize) -> Option<Error> {
        self.poison.get(rank).cloned().flatten()
    }

    fn set_poison(&mut self, rank: usize, error: Error) {
        if let Some(place) = self.poison.get_mut(rank) {
            place.get_or_insert(error);
        }
    }

    fn round(&mut self, number: u64) -> Option<&mut Round> {
        number.checked_sub(self.first).and_then(|index| self.rounds.get_mut(index as usize))
    }

    /// Leaves a deposit in the round of a rank's next call; returns the number of the round.
    fn enter(&mut self, rank: usize, size: usize, call: Call, deposit: Deposit) -> u64 {
        let number = self.next.get(rank).copied().unwrap_or_default();
        if let Some(next) = self.next.get_mut(rank) {
            *next += 1;
        }
        while self.first + self.rounds.len() as u64 <= number {
            let deposits = (0..size).map(|_| Deposit::None).collect();
            self.rounds.push_back(Round { came: vec![false; size], deposits, ..Round::default() });
        }
        if let Some(round) = self.round(number) {
            round.enter(rank, call, deposit);
        }
        number
    }

    /// Ends a rank's part in a round; rounds that all have left are forgotten.
    fn leave(&mut self, number: u64, size: usize) {
        if let Some(round) = self.round(number) {
            round.done += 1;
        }
        while self.rounds.front().is_some_and(|round| round.done == size) {
            self.rounds.pop_front();
            self.first += 1;
        }
    }
}

impl Round {
    fn enter(&mut self, rank: usize, call: Call, deposit: Deposit) {
        let (theirs, first) = *self.call.get_or_insert((call, rank));
        if !theirs.same(&call) && self.broken.is_none() {
            let error = error!(Collective, "rank {rank} calls {call} where rank {first} calls {theirs}");
            self.broken = Some(error.on_rank(rank).remedy("all ranks must make the same collective calls in the same order"));
        }
        if let Some(came) = self.came.get_mut(rank) {
            *came = true;
        }
        if let Some(place) = self.deposits.get_mut(rank) {
            *place = deposit;
        }
    }

    fn missing(&mut self) -> Vec<usize> {
        self.came.iter().enumerate().filter_map(|(rank, came)| (!came).then_some(rank)).collect()
    }
}
