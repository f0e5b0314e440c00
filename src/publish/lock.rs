//! The lock beside a target: a file held by a lock of the operating system, which alone decides.

use super::filesystem::{File, FileKind, FileSystem, OpenMode, retry};
use super::holder::{self, Holder};
use super::names::{Names, explain};
use crate::error::{Error, Result, error};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// The longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// So often may the lock file change under our hands before we take it that something is wrong with the file system.
const MAX_CHANGES: u32 = 10_000;

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    file: Box<dyn File>,
    pub before: Before,
}

/// Who had the lock before, by the lock file that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// There was no lock file: whatever else is there belongs to somebody else.
    Nobody,
    /// A writer that has died: what has our names is its rubbish.
    DeadOwner,
    /// A lock file without a name, made then: by a writer that died early, by caput, or by one that is about to try the lock
    /// too. What is younger is rubbish of the first two.
    Unnamed(Option<SystemTime>),
}

/// What one try gave.
enum Attempt {
    Held(Lock),
    /// Somebody else has it; this describes who.
    Busy(String),
    /// The lock file changed under our hands: try again at once. True if a dead owner's file was taken away.
    Again {
        stale: bool,
    },
}

impl Lock {
    /// Takes the lock, waiting up to the time-out for a holder that lives.
    pub fn take(fs: &dyn FileSystem, names: &Names, timeout: Duration) -> Result<Self> {
        let begin = Instant::now();
        let mut pause = Duration::from_millis(1);
        let mut stale = false;
        let mut changes = 0;
        loop {
            match attempt(fs, names, stale)? {
                Attempt::Held(lock) => return Ok(lock),
                Attempt::Again { stale: seen } => {
                    stale |= seen;
                    changes += 1;
                    if changes > MAX_CHANGES {
                        return Err(error!(Io, "the lock file changes all the time, so the lock cannot be taken").in_file(&names.lockfile));
                    }
                }
                Attempt::Busy(holder) => {
                    // Somebody else is at work, so what lies there is no longer rubbish.
                    stale = false;
                    let left = timeout.saturating_sub(begin.elapsed());
                    if left.is_zero() {
                        return Err(error!(Locked, "another writer holds the lock of this file: {holder}")
                            .in_file(&names.target)
                            .remedy("wait until it is done, or give lock_file a timeout; the lock ends with that process, and the lock file need not be removed"));
                    }
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Writes who holds the lock. Only after a dead owner's rubbish is cleared away: until then his lock file is the proof that it is rubbish,
    /// also to the one who comes after a second death.
    pub fn sign(&self) -> io::Result<()> {
        let text = Holder::this().to_text();
        // Only where something is to be cut: a file that was cut to nothing is brought to the device when it is closed, which takes milliseconds.
        if retry(|| self.file.info())?.len > 0 {
            retry(|| self.file.set_len(0))?;
        }
        self.file.write_all_at(text.as_bytes(), 0)
    }

    /// True if the lock file at the path is still the one that is held.
    pub fn is_current(&self, fs: &dyn FileSystem, names: &Names) -> io::Result<bool> {
        same_file(fs, &*self.file, &names.lockfile)
    }

    /// Removes the lock file, then gives up the lock: so nobody can lock a file that is about to go and think it will stay.
    pub fn release(self, fs: &dyn FileSystem, names: &Names) -> io::Result<()> {
        if self.is_current(fs, names)? {
            retry(|| fs.remove_file(&names.lockfile))?;
        }
        Ok(())
    }
}

impl Drop for Lock {
    /// Closing would not do: a lock belongs to all copies of a descriptor, and a process that another thread is just starting has them all until
    /// its program runs.
    fn drop(&mut self) {
        let _ = retry(|| self.file.unlock());
    }
}

/// True if the open file is what the path leads to. A file system without identities is believed.
fn same_file(fs: &dyn FileSystem, file: &dyn File, path: &Path) -> io::Result<bool> {
    let there = match retry(|| fs.info(path)) {
        Ok(info) => info,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    Ok(there.identity == retry(|| file.info())?.identity)
}

fn attempt(fs: &dyn FileSystem, names: &Names, stale: bool) -> Result<Attempt> {
    let path = &names.lockfile;
    let fail = |e| explain(e, &names.target, path);
    let (file, created, writable) = match retry(|| fs.open(path, OpenMode::CreateNew)) {
        Ok(file) => (file, true, true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match open_existing(fs, names)? {
            Some((file, writable)) => (file, false, writable),
            None => return Ok(Attempt::Again { stale: false }),
        },
        Err(e) => return Err(fail(e)),
    };
    // From here on nobody else removes the file, unless he locked it before us: which the comparison below shows.
    if !retry(|| file.try_lock()).map_err(|e| no_locks(e, names, fs, created))? {
        return Ok(Attempt::Busy(Holder::describe(&*file)));
    }
    let mut lock = Lock { file, before: if stale { Before::DeadOwner } else { Before::Nobody } };
    if !same_file(fs, &*lock.file, path).map_err(fail)? {
        return Ok(Attempt::Again { stale: false });
    }
    if !created {
        let content = holder::head(&*lock.file).map_err(fail)?;
        if !stale {
            let unnamed = content.iter().all(|b| *b == 0);
            lock.before = if unnamed { Before::Unnamed(retry(|| lock.file.info()).map_err(fail)?.modified) } else { Before::DeadOwner };
        }
        if !holder::is_lock_content(&content) {
            return Err(error!(AlreadyExists, "the lock file \"{}\" is in place, but holds something else", path.display())
                .in_file(&names.target)
                .remedy("move that file away, or choose another name"));
        }
    }
    if !writable {
        // A dead owner of another user: his file cannot be written, but it can be taken away while its lock is held.
        retry(|| fs.remove_file(path)).map_err(fail)?;
        return Ok(Attempt::Again { stale: true });
    }
    Ok(Attempt::Held(lock))
}

/// Opens a lock file that is there: for writing, or if that is not permitted for reading. `None` if it has just gone.
fn open_existing(fs: &dyn FileSystem, names: &Names) -> Result<Option<(Box<dyn File>, bool)>> {
    let path = &names.lockfile;
    let fail = |e| explain(e, &names.target, path);
    let gone = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    match retry(|| fs.info(path)) {
        Ok(info) if info.kind == FileKind::File => {}
        Err(e) if gone(&e) => return Ok(None),
        Err(e) => return Err(fail(e)),
        Ok(_) => {
            return Err(error!(AlreadyExists, "the lock \"{}\" is in place, but is not a regular file", path.display())
                .in_file(&names.target)
                .remedy("move it away, or choose another name"));
        }
    }
    match retry(|| fs.open(path, OpenMode::ReadWrite)) {
        Ok(file) => Ok(Some((file, true))),
        Err(e) if gone(&e) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => match retry(|| fs.open(path, OpenMode::Read)) {
            Ok(file) => Ok(Some((file, false))),
            Err(e) if gone(&e) => Ok(None),
            Err(e) => Err(fail(e)),
        },
        Err(e) => Err(fail(e)),
    }
}

/// Explains that a file could not be locked, and leaves nothing behind.
fn no_locks(e: io::Error, names: &Names, fs: &dyn FileSystem, created: bool) -> Error {
    if created {
        let _ = fs.remove_file(&names.lockfile);
    }
    if e.kind() == io::ErrorKind::Unsupported {
        return error!(Unsupported, "the file system has no locks, so two writers could not be kept apart")
            .in_file(&names.target)
            .because(e)
            .remedy("write to a local disk and move the file, or mount the file system with locks");
    }
    Error::io(e, &names.target)
}
