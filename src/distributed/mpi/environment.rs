//! Starting and ending MPI, which threads may call it, and the end of a job.

use super::comm::MpiComm;
use super::raw::{self, Threads};
use crate::distributed::communicator::CommRef;
use crate::error::{Error, Result, bail};
use parking_lot::{Mutex, ReentrantMutex, ReentrantMutexGuard};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// True if it was we who initialised MPI, so that we finalise it.
static OURS: AtomicBool = AtomicBool::new(false);

/// Held by the thread that calls MPI, where MPI allows only one at a time.
static TURN: ReentrantMutex<()> = ReentrantMutex::new(());

/// MPI, from start to end: a guard that a program holds in `main`. See the [module](super).
///
/// When it is dropped, and it was memh5 that initialised MPI, it finalises MPI, which waits for all ranks. Close parallel files and drop what holds
/// communicators before: afterwards their calls fail. When it is dropped by a panic, it ends the job, since the other ranks
/// would wait for this one for ever.
#[derive(Debug)]
#[must_use = "MPI is finalised when this is dropped"]
pub struct Mpi(());

impl Mpi {
    /// Initialises MPI unless that was done.
    ///
    /// # Errors
    /// `Collective` if MPI cannot be initialised or was finalised.
    pub fn start() -> Result<Self> {
        ensure_started()?;
        Ok(Self(()))
    }

    /// The communicator of all ranks, as [`MpiComm::world`].
    ///
    /// # Errors
    /// As [`MpiComm::world`].
    pub fn world(&self) -> Result<CommRef> {
        MpiComm::world()
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        if raw::is_finalised() || !OURS.swap(false, Ordering::Relaxed) {
            return;
        }
        if thread::panicking() {
            end_job("a panic ended the program");
        } else {
            let _turn = TURN.lock();
            // Nobody is left who could be told that it failed.
            let _ = raw::finalise();
        }
    }
}

/// Initialises MPI unless somebody has.
pub(super) fn ensure_started() -> Result<()> {
    static STARTING: Mutex<()> = Mutex::new(());
    let _starting = STARTING.lock();
    if raw::is_finalised() {
        bail!(Collective, "MPI was finalised: it cannot be started again in this process");
    }
    if !raw::is_initialised() {
        #[cfg(feature = "hdf5")]
        crate::format::hdf5::parallel::start_before_mpi();
        raw::initialise()?;
        OURS.store(true, Ordering::Relaxed);
    }
    Ok(())
}

/// The right to call MPI, until it is dropped.
#[derive(Debug)]
#[must_use = "MPI may be called while this is held"]
pub struct Exclusive(#[allow(dead_code)] Option<ReentrantMutexGuard<'static, ()>>);

/// Waits until this thread may call MPI, and keeps other threads of memh5 from it meanwhile. For code that calls MPI beside memh5, as
/// parallel HDF5 does. The same thread may take it again.
///
/// # Errors
/// `Collective` if MPI is not running, `Unsupported` if MPI allows calls by its main thread only and this is another.
pub fn exclusive() -> Result<Exclusive> {
    if !raw::is_initialised() {
        bail!(Collective, "MPI was not initialised");
    }
    if raw::is_finalised() {
        bail!(Collective, "MPI was finalised");
    }
    static THREADS: OnceLock<Threads> = OnceLock::new();
    let threads = match THREADS.get() {
        Some(threads) => *threads,
        None => *THREADS.get_or_init({
            let found = raw::threads()?;
            move || found
        }),
    };
    match threads {
        Threads::All => Ok(Exclusive(None)),
        Threads::Main if !raw::is_main_thread() => {
            let error = crate::error::error!(Unsupported, "MPI was initialised for calls by its main thread only");
            Err(error.remedy("initialise it with MPI_THREAD_SERIALIZED or above"))
        }
        _ => Ok(Exclusive(Some(TURN.lock()))),
    }
}

/// Ends all processes of the job, and says why.
pub(super) fn abort(rank: usize, error: &Error) {
    end_job(&format!("rank {rank}: {error}"));
}

fn end_job(why: &str) {
    // What cannot be written is lost with the job.
    let _ = writeln!(std::io::stderr(), "memh5: {why}: the job is aborted");
    let _ = std::io::stderr().flush();
    // MPI may be stuck in another thread, and its abort with it: then the process ends by itself, and mpirun ends the others.
    let _ = thread::Builder::new().spawn(|| {
        thread::sleep(Duration::from_secs(2));
        std::process::abort();
    });
    if raw::is_initialised() && !raw::is_finalised() {
        raw::abort(1);
    }
    std::process::abort();
}

/// Makes every panic of this process end the job, after its message was printed: for programs in which a lost rank must not leave the others
/// waiting. Not for programs that catch panics.
pub fn abort_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        if raw::is_initialised() && !raw::is_finalised() {
            end_job("a rank panicked");
        }
    }));
}
