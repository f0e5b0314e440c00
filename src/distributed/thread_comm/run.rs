//! Starting the threads, and what became of them.

use super::ThreadComm;
use super::job::{Gone, Job};
use super::shared::Shared;
use crate::distributed::communicator::CommRef;
use crate::error::{Error, ErrorKind, Result, bail, error};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

impl ThreadComm {
    /// Runs a function as so many ranks, each in its thread, and returns what they return, by rank.
    ///
    /// A rank that panics or returns an error does not leave the others waiting: their calls fail.
    ///
    /// # Errors
    /// The first cause: a panic (as `Collective`, naming the rank) or an error of a rank that is not a consequence of another's. `InvalidArgument`
    /// for no ranks, `Io` if the system gives no threads.
    pub fn run<T: Send>(ranks: usize, f: impl Fn(CommRef) -> Result<T> + Sync) -> Result<Vec<T>> {
        let results = Self::run_each(ranks, f)?;
        if let Some(first) = first_cause(&results) {
            return Err(first);
        }
        results.into_iter().collect()
    }

    /// Runs a function as so many ranks, and returns the result of each. A panic is a `Collective` error of that rank.
    ///
    /// # Errors
    /// `InvalidArgument` for no ranks, `Io` if the system gives no threads.
    pub fn run_each<T: Send>(ranks: usize, f: impl Fn(CommRef) -> Result<T> + Sync) -> Result<Vec<Result<T>>> {
        if ranks == 0 {
            bail!(InvalidArgument, "a communicator has at least one rank");
        }
        let job = Job::new(ranks);
        let shared = Shared::new(Arc::clone(&job), (0..ranks).collect());
        let (job, shared, f) = (&job, &shared, &f);
        thread::scope(|scope| {
            let mut threads = Vec::with_capacity(ranks);
            for rank in 0..ranks {
                let one = move || {
                    let comm: CommRef = Arc::new(Self { rank, shared: Arc::clone(shared) });
                    let result = catch_unwind(AssertUnwindSafe(|| f(comm)));
                    job.leave(rank, how_it_ended(&result));
                    result.unwrap_or_else(|panic| Err(Gone::Panicked(panic_message(&*panic)).as_error(rank)))
                };
                match thread::Builder::new().name(format!("rank {rank}")).spawn_scoped(scope, one) {
                    Ok(thread) => threads.push(thread),
                    Err(source) => {
                        let error = error!(Io, "the system gives no thread for rank {rank} of {ranks}").because(source);
                        job.abort(error.clone());
                        return Err(error);
                    }
                }
            }
            let join = |(rank, thread): (usize, thread::ScopedJoinHandle<'_, Result<T>>)| {
                thread.join().unwrap_or_else(|panic| Err(Gone::Panicked(panic_message(&*panic)).as_error(rank)))
            };
            Ok(threads.into_iter().enumerate().map(join).collect())
        })
    }
}

fn how_it_ended<T>(result: &thread::Result<Result<T>>) -> Gone {
    match result {
        Ok(Ok(_)) => Gone::Returned,
        Ok(Err(error)) => Gone::Failed(error.clone()),
        Err(panic) => Gone::Panicked(panic_message(&**panic)),
    }
}

/// The error to report for all: one that is not the consequence of another rank's, where there is one.
fn first_cause<T>(results: &[Result<T>]) -> Option<Error> {
    let errors = || results.iter().enumerate().filter_map(|(rank, result)| result.as_ref().err().map(|error| (rank, error)));
    let own = errors().find(|(rank, error)| error.kind() != ErrorKind::Collective || error.rank() == Some(*rank));
    own.or_else(|| errors().next()).map(|(rank, error)| error.clone().on_rank(rank))
}

/// What a panic said.
pub(in crate::distributed) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
