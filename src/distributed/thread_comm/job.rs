//! The threads of one [`ThreadComm::run`](super::ThreadComm::run), whatever communicators they make.

use super::lost;
use super::shared::Shared;
use crate::error::Error;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// Who has gone, and all communicators whose waiting ranks must hear of it.
#[derive(Debug)]
pub(super) struct Job {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    gone: Vec<Option<Gone>>,
    aborted: Option<Error>,
    communicators: Vec<Weak<Shared>>,
}

/// How a rank ended.
#[derive(Debug, Clone)]
pub(super) enum Gone {
    Returned,
    Failed(Error),
    Panicked(String),
}

impl Gone {
    /// The error of a rank that needs the one that has gone.
    pub(super) fn as_error(&self, rank: usize) -> Error {
        match self {
            Self::Returned => lost(rank, "has ended and does not take part in the call")
                .remedy("a collective call must be made by all ranks, in the same order"),
            Self::Failed(error) => lost(rank, "has ended with an error").because(error.clone()),
            Self::Panicked(message) => lost(rank, &format!("panicked: {message}")),
        }
    }
}

impl Job {
    pub(super) fn new(ranks: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { gone: vec![None; ranks], aborted: None, communicators: Vec::new() }) })
    }

    /// Adds a communicator whose ranks are to be woken when somebody goes.
    pub(super) fn enlist(&self, shared: &Arc<Shared>) {
        let mut state = self.state.lock();
        state.communicators.retain(|other| other.strong_count() > 0);
        state.communicators.push(Arc::downgrade(shared));
    }

    pub(super) fn gone(&self, thread: usize) -> Option<Gone> {
        self.state.lock().gone.get(thread).cloned().flatten()
    }

    pub(super) fn aborted(&self) -> Option<Error> {
        self.state.lock().aborted.clone()
    }

    /// Says that a thread has ended, and wakes all that may wait for it.
    pub(super) fn leave(&self, thread: usize, how: Gone) {
        if let Some(place) = self.state.lock().gone.get_mut(thread) {
            *place = Some(how);
        }
        self.wake();
    }

    /// Makes all that waits, and all calls to come, fail.
    pub(super) fn abort(&self, error: Error) {
        self.state.lock().aborted.get_or_insert(error);
        self.wake();
    }

    fn wake(&self) {
        let communicators: Vec<_> = self.state.lock().communicators.iter().filter_map(Weak::upgrade).collect();
        for shared in communicators {
            shared.wake();
        }
    }
}
