//! What the ranks agree to check, and how long they wait.

use std::time::Duration;

/// The terms of an [`Agreement`](super::Agreement): what is checked, and how long ranks wait for each other.
///
/// ```
/// use memh5::distributed::{Checks, Terms};
/// use std::time::Duration;
/// let careful = Terms::default().deadline(Duration::from_secs(60));
/// let fast = Terms::default().checks(Checks::Off);
/// assert_ne!(careful, fast);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub(super) checks: Checks,
    pub(super) deadline: Option<Duration>,
    pub(super) watchdog: Option<Duration>,
    pub(super) grace: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { checks: Checks::default(), deadline: None, watchdog: None, grace: Duration::from_secs(5) }
    }
}

/// What is compared over the ranks at each collective call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Checks {
    /// That all make the same call, and that it succeeds on all.
    #[default]
    Calls,
    /// That the call succeeds on all. For programs that are known to make the same calls on all ranks.
    Failures,
    /// Nothing. A rank that fails, or that makes another call, leaves the others waiting for ever (or until the watchdog ends the job).
    Off,
}

impl Terms {
    /// Sets what is checked.
    #[must_use]
    pub fn checks(self, checks: Checks) -> Self {
        Self { checks, ..self }
    }

    /// Sets how long ranks wait for others at each point of agreement, and the [`watchdog`](Self::watchdog) to the same time.
    ///
    /// A rank that does not come in time is named by an error on those that are there, and the communicator is poisoned: it cannot be used any
    /// more. Without a deadline they wait for ever, since ranks may legally have different amounts of work. (The time of a wait can be twice
    /// the deadline over MPI, when rank 0 itself comes late but in time.)
    #[must_use]
    pub fn deadline(self, within: Duration) -> Self {
        Self { deadline: Some(within), watchdog: Some(within), ..self }
    }

    /// Sets how long a collective call may take from one point of agreement to the next before the watchdog aborts the job; `None`: as long as
    /// it takes. It is for ranks that are stuck inside MPI or HDF5, where no error can reach them.
    #[must_use]
    pub fn watchdog(self, within: Option<Duration>) -> Self {
        Self { watchdog: within, ..self }
    }

    /// Sets how long a rank that panicked within a collective call tries to tell the others before it aborts the job: 5 s unless set.
    #[must_use]
    pub fn grace(self, within: Duration) -> Self {
        Self { grace: within, ..self }
    }
}
