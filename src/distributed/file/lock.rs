//! `lock_file` for ranks: rank 0 holds the lock, and all agree before anything is published.

use crate::distributed::thread_comm::panic_message;
use crate::distributed::{Agreement, Call, CommRef, Step};
use crate::error::{Error, Result, error};
use crate::publish::{LockFile, LockFileBuilder};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

impl LockFileBuilder {
    /// The same for ranks that write one file together: caput's `lock_file(.., comm=)`.
    ///
    /// Rank 0 takes the lock for all. The file is published when all ranks have succeeded; the failure of one is the failure of all.
    ///
    /// ```
    /// use memh5::distributed::ThreadComm;
    /// use memh5::publish::lock_file;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("ranks.txt");
    /// ThreadComm::run(2, |comm| {
    ///     let first = comm.rank() == 0;
    ///     lock_file(&path).comm(comm).publish(|tmp| match first {
    ///         true => std::fs::write(tmp, "written for all").map_err(|e| memh5::Error::io(e, tmp)),
    ///         false => Ok(()),
    ///     })
    /// })?;
    /// assert_eq!(std::fs::read_to_string(&path)?, "written for all");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn comm(self, comm: CommRef) -> CollectiveLockBuilder {
        CollectiveLockBuilder { builder: self, agreement: Agreement::new(comm) }
    }
}

/// The options of [`lock_file`](crate::publish::lock_file) for ranks, made by [`LockFileBuilder::comm`].
#[derive(Debug)]
#[must_use = "nothing is locked before `acquire`"]
pub struct CollectiveLockBuilder {
    builder: LockFileBuilder,
    agreement: Agreement,
}

impl CollectiveLockBuilder {
    /// Takes the lock.
    ///
    /// # Collective
    /// All ranks call it.
    ///
    /// # Errors
    /// As [`LockFileBuilder::acquire`] on one rank; `Collective` with that cause on several.
    pub fn acquire(self) -> Result<CollectiveLock> {
        let Self { builder, agreement } = self;
        let call = Call::new("lock the file for writing").note(builder.path().display());
        let held = agreement.collective(call, |step| Held::take(step, builder))?;
        Ok(CollectiveLock { held, agreement })
    }

    /// Takes the lock, lets the function write the temporary on all ranks, and publishes it. Returns what the function returns.
    ///
    /// # Collective
    /// All ranks call it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), and `Collective` with the first failure of the function on any rank.
    pub fn publish<T>(self, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        let lock = self.acquire()?;
        match catch_unwind(AssertUnwindSafe(|| write(lock.tmpfile()))) {
            Ok(written) => lock.finish(written),
            Err(panic) => {
                // The others learn of it where they wait for this rank.
                let (rank, text) = (lock.agreement.comm().rank(), panic_message(&*panic));
                let _ = lock.finish::<()>(Err(error!(Collective, "rank {rank} panicked: {text}").on_rank(rank)));
                resume_unwind(panic)
            }
        }
    }
}

/// The right of all ranks to write one file, from [`CollectiveLockBuilder::acquire`]. Dropped without [`finish`](Self::finish), it undoes
/// everything.
#[derive(Debug)]
#[must_use = "dropping the guard rolls back"]
pub struct CollectiveLock {
    held: Held,
    agreement: Agreement,
}

impl CollectiveLock {
    /// Where to write, on all ranks: `DIR/.NAME`.
    pub fn tmpfile(&self) -> &Path {
        &self.held.tmpfile
    }

    /// The file that will be replaced.
    pub fn target(&self) -> &Path {
        &self.held.target
    }

    /// Publishes the temporary if the work of all ranks succeeded, and gives up the lock. Each rank hands in how its own work went, and gets what it
    /// made back.
    ///
    /// # Collective
    /// All ranks call it, also those whose work failed.
    ///
    /// # Errors
    /// The first failure of any rank, and what [`LockFile::commit`] meets on rank 0: the same `Collective` error on all ranks. The target
    /// is then what it was, and the temporary is gone, unless the message says that the file was published.
    pub fn finish<T>(self, outcome: Result<T>) -> Result<T> {
        let Self { held, agreement } = self;
        let call = Call::new("publish the file").note(held.target.display());
        agreement.collective(call, |step| {
            let made = step.agree(outcome)?;
            held.publish(step, |_| Ok(()))?;
            Ok(made)
        })
    }
}

/// The lock within a collective call.
#[derive(Debug)]
pub(super) struct Held {
    /// On rank 0 only.
    guard: Option<LockFile>,
    pub tmpfile: PathBuf,
    target: PathBuf,
}

impl Held {
    /// Takes the lock on rank 0.
    pub fn take(step: &Step<'_>, builder: LockFileBuilder) -> Result<Self> {
        let comm = step.comm();
        let guard = if comm.rank() == 0 { builder.acquire().map(Some) } else { Ok(None) };
        let guard = step.agree(guard)?;
        // The names as rank 0 sees them: links are followed once.
        let names = guard.as_ref().map(|g| [g.tmpfile(), g.target()].map(|p| p.as_os_str().as_encoded_bytes().to_vec()));
        let [tmpfile, target] = names.unwrap_or_default().map(|mut bytes| {
            let sent = comm.broadcast(&mut bytes, 0);
            sent.map(|()| path_of(bytes))
        });
        Ok(Self { guard, tmpfile: tmpfile?, target: target? })
    }

    /// Publishes what all ranks have written. The function looks at it on rank 0 when it is on the disk.
    ///
    /// # Collective
    /// All ranks call it.
    pub fn publish(self, step: &Step<'_>, verify: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let Self { guard, target, .. } = self;
        let agreed = |result: Result<()>| step.agree(result);
        match guard {
            Some(guard) => guard.commit_with(verify, &agreed),
            // The same two steps without the guard.
            None => agreed(Ok(())).and_then(|()| agreed(Ok(()))),
        }
        .map_err(|e: Error| e.in_file(&target).during("publish the file"))
    }
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
