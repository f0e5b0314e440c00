//! Work that must end in time, or the job is ended.

use crate::distributed::communicator::CommRef;
use crate::error::error;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Work that is watched. It ends in time when this is dropped.
#[derive(Debug)]
#[must_use = "the work is watched until this is dropped"]
pub struct Watching {
    key: Option<(Instant, u64)>,
}

#[derive(Debug)]
struct Entry {
    comm: CommRef,
    within: Duration,
    what: String,
}

#[derive(Debug, Default)]
struct Kennel {
    state: Mutex<Entries>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    by_end: BTreeMap<(Instant, u64), Entry>,
    next: u64,
    awake: bool,
}

fn kennel() -> &'static Kennel {
    static KENNEL: OnceLock<Kennel> = OnceLock::new();
    KENNEL.get_or_init(Kennel::default)
}

/// Watches work from now until the result is dropped: if that takes longer than `within`, the communicator is
/// [aborted](crate::distributed::Communicator::abort). `what` says what is done, as a verb phrase. Local.
///
/// It is for a rank that waits inside MPI or HDF5 for another that will not come: no error reaches it there.
pub fn watch(comm: &CommRef, within: Duration, what: impl Into<String>) -> Watching {
    // A time beyond what the clock can tell never comes.
    let Some(end) = Instant::now().checked_add(within) else { return Watching { key: None } };
    let kennel = kennel();
    let mut state = kennel.state.lock();
    if !state.awake {
        state.awake = thread::Builder::new().name("memh5 watchdog".to_owned()).spawn(|| keep_watch(kennel)).is_ok();
    }
    let key = (end, state.next);
    state.next += 1;
    state.by_end.insert(key, Entry { comm: comm.clone(), within, what: what.into() });
    if state.by_end.first_key_value().is_some_and(|(first, _)| *first == key) {
        kennel.changed.notify_one();
    }
    Watching { key: Some(key) }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let entry = self.key.and_then(|key| kennel().state.lock().by_end.remove(&key));
        // The last handle of a communicator may go with it, outside the lock.
        drop(entry);
    }
}

fn keep_watch(kennel: &Kennel) {
    let mut state = kennel.state.lock();
    loop {
        let Some(first) = state.by_end.first_key_value().map(|(key, _)| *key) else {
            kennel.changed.wait(&mut state);
            continue;
        };
        if Instant::now() < first.0 {
            kennel.changed.wait_until(&mut state, first.0);
            continue;
        }
        if let Some(entry) = state.by_end.remove(&first) {
            drop(state);
            let rank = entry.comm.rank();
            let error = error!(Collective, "rank {rank} was stuck for {:?}, the limit of the watchdog", entry.within);
            entry.comm.abort(error.on_rank(rank).during(entry.what));
            state = kennel.state.lock();
        }
    }
}
