//! Errors of messages are reported while they are waited for, not only by MPI libraries that know which communicator a message was of.
//!
//! A message that is longer than was expected is an error of the call that waits for it. MPICH does not say of which communicator, and does what the program
//! has chosen for its world, or for itself: to end the job, if it has chosen nothing. So those say meanwhile that errors are reported, and afterwards what they
//! said before.

use super::raw::{self, RawComm, check};
use crate::error::Result;
use mpi::ffi::{self, MPI_Errhandler};
use parking_lot::Mutex;
use std::mem::MaybeUninit;

/// What a communicator did about errors before.
struct Before {
    comm: RawComm,
    handler: MPI_Errhandler,
}

// SAFETY: MPI's handles are valid in all threads of the process; which thread may call MPI is the matter of `environment`.
unsafe impl Send for Before {}

struct Reported {
    waiting: usize,
    before: Vec<Before>,
}

static REPORTED: Mutex<Reported> = Mutex::new(Reported { waiting: 0, before: Vec::new() });

/// Held by a thread that waits for messages, while MPI runs.
pub(super) struct Reporting(());

impl Reporting {
    pub(super) fn begin() -> Self {
        let mut all = REPORTED.lock();
        if all.waiting == 0 {
            // Where that cannot be done, the library does what it does.
            all.before = [raw::world(), raw::alone()].into_iter().filter_map(|comm| Before::replace(comm).ok()).collect();
        }
        all.waiting += 1;
        Self(())
    }
}

impl Drop for Reporting {
    fn drop(&mut self) {
        let mut all = REPORTED.lock();
        all.waiting -= 1;
        if all.waiting == 0 {
            all.before.drain(..).for_each(Before::restore);
        }
    }
}

impl Before {
    fn replace(comm: RawComm) -> Result<Self> {
        let mut handler = MaybeUninit::uninit();
        // SAFETY: MPI runs; it writes one handle if it succeeds, and it is read only then.
        let handler = unsafe {
            check(ffi::MPI_Comm_get_errhandler(comm.0, handler.as_mut_ptr()), "MPI_Comm_get_errhandler")?;
            handler.assume_init()
        };
        let before = Self { comm, handler };
        comm.report_errors()?;
        Ok(before)
    }

    fn restore(mut self) {
        // SAFETY: the handler is the one that MPI gave, and is given back once.
        unsafe {
            ffi::MPI_Comm_set_errhandler(self.comm.0, self.handler);
            ffi::MPI_Errhandler_free(&raw mut self.handler);
        }
    }
}
