//! The agreement of the ranks about their collective calls: no rank is left waiting for one that failed, or that does something else.
//!
//! An [`Agreement`] stands around a communicator. What has a collective call (a distributed group, a collective save) makes it through
//! [`Agreement::collective`]:
//!
//! ```
//! use memh5::distributed::{Agreement, Call, ThreadComm};
//! use memh5::{DType, Error, ErrorKind};
//!
//! let results = ThreadComm::run_each(3, |comm| {
//!     let agreement = Agreement::new(comm);
//!     let call = Call::new("create the dataset").path("/vis").dtype(&DType::F64).shape(&[10, 4]);
//!     agreement.collective(call, |step| {
//!         // What can fail on one rank alone comes first, and the ranks agree that it has not ...
//!         let local = if step.comm().rank() == 1 { Err(Error::new(ErrorKind::Io, "no memory")) } else { Ok(vec![0.0; 40]) };
//!         let part = step.agree(local)?;
//!         // ... so that all are there where they exchange data.
//!         step.comm().barrier()?;
//!         Ok(part)
//!     })
//! })?;
//! for result in results {
//!     let error = result.unwrap_err();
//!     assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(1)));
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! What it does:
//!
//! 1. Before the work, the ranks compare a fingerprint of the call: what, where, element type, shape, the number of the call. If they differ,
//!    the same [`Collective`](crate::ErrorKind::Collective) error on all ranks names the first rank that differs, and both calls; the work
//!    is not begun.
//! 2. [`Step::agree`] and the end of the work carry each rank's success. If it failed on any rank, the same `Collective` error on all ranks
//!    names that rank and the cause (its [`source`](std::error::Error::source)). An error that is equal on *all* ranks (a name that does not
//!    exist, say) is returned as it is: the call failed as it fails on one rank.
//! 3. A rank that panics in the work is such a failure; the panic goes on when the others know.
//!
//! It costs one reduction of 40 bytes before and one after the work. [`Terms`] set a deadline and a watchdog, or switch the check off.
//!
//! **The rule for those who write collective calls**: between two points of agreement either everything can fail on one rank alone, and nothing
//! communicates; or everything communicates, and only the communicator can fail. An error in the midst of an exchange on one rank alone would
//! leave the others waiting.

mod call;
mod report;
mod terms;
mod watchdog;

pub use call::Call;
pub use terms::{Checks, Terms};
pub use watchdog::{Watching, watch};

use super::communicator::{CommRef, Number, ReduceOp};
use super::thread_comm::panic_message;
use crate::error::{Error, Result, bail, error};
use parking_lot::Mutex;
use report::Report;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What the ranks of a communicator have agreed on, and the number of their next call. See the [module](self).
///
/// All handles that make collective calls for the same thing (the groups and datasets of one tree) share one. One thread of a rank at a time makes
/// collective calls.
#[derive(Debug)]
pub struct Agreement {
    comm: CommRef,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    terms: Terms,
    /// The calls under way, an outer one before those that its work makes, each with the failure that ended it. Points of agreement of a call that
    /// has ended communicate no more: the other ranks have left it.
    open: Vec<Option<Error>>,
}

impl Agreement {
    /// An agreement on the default [`Terms`]: calls are compared, and ranks wait for each other without limit. Local.
    pub fn new(comm: CommRef) -> Self {
        Self { comm, state: Mutex::default() }
    }

    /// Another agreement of the same ranks on the same terms, as a copy of what this one is for needs it. It counts its own calls. Local.
    #[must_use]
    pub fn for_copy(&self) -> Self {
        Self { comm: self.comm.clone(), state: Mutex::new(State { terms: self.terms(), ..State::default() }) }
    }

    /// The communicator.
    pub fn comm(&self) -> &CommRef {
        &self.comm
    }

    /// The terms. Local.
    pub fn terms(&self) -> Terms {
        self.state.lock().terms
    }

    /// Changes the terms.
    ///
    /// # Collective
    /// All ranks give the same terms, which is checked whatever the terms before.
    ///
    /// # Errors
    /// `Collective` if the ranks differ.
    pub fn set_terms(&self, terms: Terms) -> Result<()> {
        let call = Call::new("set the terms").note(format_args!("{terms:?}"));
        let before = self.terms();
        self.step(&call, Terms { checks: Checks::Calls, ..before }).exchange(Ok(()))?;
        self.state.lock().terms = terms;
        Ok(())
    }

    /// Checks that something is on this communicator too, as what goes into a distributed tree must be. Local.
    ///
    /// # Errors
    /// `InvalidArgument` if it is on another one.
    pub fn same_communicator(&self, other: &CommRef) -> Result<()> {
        if self.comm.id() != other.id() {
            bail!(
                InvalidArgument,
                "it is on another communicator (rank {} of {}) than the group (rank {} of {})",
                other.rank(),
                other.size(),
                self.comm.rank(),
                self.comm.size()
            );
        }
        Ok(())
    }

    /// Does the work of a collective call: on all ranks or on none, with the same error everywhere.
    ///
    /// # Collective
    /// All ranks of the communicator make the same call.
    ///
    /// # Errors
    /// `Collective` if the ranks make different calls, if the work fails on any rank, if a rank does not come within the deadline, or if the
    /// communicator is poisoned. An error that all ranks have equally is returned as it is.
    ///
    /// # Panics
    /// Only if the work does. The others get an error that names this rank. Over MPI, a rank that they cannot be told of within
    /// [`Terms::grace`] ends the job.
    pub fn collective<T>(&self, call: Call, work: impl FnOnce(&Step<'_>) -> Result<T>) -> Result<T> {
        let step = self.step(&call, self.terms());
        step.exchange(Ok(()))?;
        step.arm();
        match catch_unwind(AssertUnwindSafe(|| work(&step))) {
            Ok(result) => step.agree(result),
            Err(panic) => {
                step.tell_panic(&panic_message(&*panic));
                resume_unwind(panic)
            }
        }
    }

    /// Compares a call and carries the success of what each rank did alone, in one exchange: [`collective`](Self::collective) for calls without any
    /// communication of their own.
    ///
    /// # Collective
    /// All ranks of the communicator make the same call.
    ///
    /// # Errors
    /// As [`collective`](Self::collective).
    pub fn confirm<T>(&self, call: Call, local: Result<T>) -> Result<T> {
        self.step(&call, self.terms()).agree(local)
    }

    fn step<'a>(&'a self, call: &'a Call, terms: Terms) -> Step<'a> {
        let mut state = self.state.lock();
        let ended = state.open.last().cloned().flatten();
        // A call within one that has ended is made by this rank alone, and counts for nothing.
        state.calls += u64::from(ended.is_none());
        state.open.push(ended);
        let depth = state.open.len() - 1;
        Step { agreement: self, call, terms, number: state.calls, depth, passed: Cell::new(0), watching: RefCell::new(None) }
    }
}

impl Agreement {
    /// Ends the call under way on the rank that has the fewest of them around it, and with it all within. Afterwards all ranks count alike.
    fn end(&self, reports: &[Report], error: &Error) {
        let mut state = self.state.lock();
        let depth = reports.iter().map(Report::depth).min().unwrap_or_default();
        for ended in state.open.iter_mut().skip(depth) {
            ended.get_or_insert_with(|| error.clone());
        }
        state.calls = reports.iter().map(Report::number).max().unwrap_or_default();
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.agreement.state.lock().open.truncate(self.depth);
    }
}

/// A collective call under way, in the hands of its work.
#[derive(Debug)]
pub struct Step<'a> {
    agreement: &'a Agreement,
    call: &'a Call,
    terms: Terms,
    number: u64,
    /// How many calls are under way around this one.
    depth: usize,
    /// How many points of agreement lie behind.
    passed: Cell<u64>,
    watching: RefCell<Option<Watching>>,
}

impl Step<'_> {
    /// The communicator.
    pub fn comm(&self) -> &CommRef {
        &self.agreement.comm
    }

    /// Carries the success of what each rank did alone: the value if all ranks succeeded, else the same error everywhere.
    ///
    /// # Collective
    /// All ranks call it at the same points of the work.
    ///
    /// # Errors
    /// `Collective`, naming the first rank that failed, with its error as the source; the error itself if all ranks have the same.
    pub fn agree<T>(&self, result: Result<T>) -> Result<T> {
        if self.agreement.comm.size() == 1 || self.terms.checks == Checks::Off {
            self.arm();
            return result;
        }
        let met = self.exchange(result.as_ref().map(drop));
        self.arm();
        match (met, result) {
            (Ok(()), result) => result,
            (Err(error), _) => Err(error),
        }
    }

    /// Starts the watchdog's time again, where one is set.
    fn arm(&self) {
        let watching = self.terms.watchdog.map(|within| watch(self.comm(), within, self.call.to_string()));
        *self.watching.borrow_mut() = watching;
    }

    /// One point of agreement.
    fn exchange(&self, outcome: Result<(), &Error>) -> Result<()> {
        let comm = &*self.agreement.comm;
        if comm.size() == 1 {
            return comm.poisoned().map_or(Ok(()), Err).and(outcome.map_err(Clone::clone));
        }
        let compare = match self.terms.checks {
            Checks::Calls => true,
            Checks::Failures => false,
            Checks::Off => return outcome.map_err(Clone::clone),
        };
        if let Some(error) = self.agreement.state.lock().open.get(self.depth).cloned().flatten() {
            return Err(error);
        }
        let passed = self.passed.replace(self.passed.get() + 1);
        let place = |error: Error| error.during(self.call.operation()).at_place(self.call.place());
        if self.terms.deadline.is_some() {
            comm.rendezvous(self.terms.deadline).map_err(place)?;
        }
        // The smallest of a number and of its complement are of the same number only if all ranks have the same.
        let [a, b] = if compare { self.call.fingerprint(self.number, passed) } else { [0, 0] };
        let record = [u64::from(outcome.is_ok()), a, !a, b, !b];
        let mut bytes: Vec<u8> = record.iter().flat_map(|number| number.to_ne_bytes()).collect();
        comm.all_reduce(&mut bytes, Number::U64, ReduceOp::Min).map_err(place)?;
        let smallest: Vec<u64> = bytes.chunks_exact(8).filter_map(|one| one.first_chunk().map(|one| u64::from_ne_bytes(*one))).collect();
        if smallest == [1, a, !a, b, !b] {
            return Ok(());
        }
        let mine = Report::new(self.call, self.number, self.depth, passed, outcome.err());
        let reports = comm.all_gather(&mine.encode()).map_err(place)?;
        let reports: Vec<_> = reports.iter().map(|bytes| Report::decode(bytes)).collect();
        let error = match (report::verdict(&reports, compare), outcome) {
            (Some(error), _) => error,
            // All ranks failed in the same way.
            (None, Err(error)) => error.clone(),
            (None, Ok(())) => place(error!(Collective, "the ranks disagree about the call")),
        };
        self.agreement.end(&reports, &error);
        Err(error)
    }

    /// Lets the other ranks know that this one is unwinding.
    fn tell_panic(&self, message: &str) {
        let comm = &self.agreement.comm;
        if comm.size() == 1 {
            return;
        }
        let rank = comm.rank();
        let error = error!(Collective, "rank {rank} panicked: {message}").on_rank(rank).during(self.call.operation());
        if comm.poison_spreads() {
            comm.poison(error);
        } else if self.terms.checks == Checks::Off {
            comm.abort(error);
        } else {
            // The others come to their next point of agreement, or they wait for this rank where it will never be.
            *self.watching.borrow_mut() = Some(watch(comm, self.terms.grace, format!("{} (a panic on rank {rank}: {message})", self.call)));
            if self.exchange(Err(&error)).is_ok() {
                comm.abort(error);
            }
        }
        *self.watching.borrow_mut() = None;
    }
}
