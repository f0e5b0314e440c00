//! `lock_file`: the guard that a writer holds from the first byte to the publication.

use super::commit;
use super::filesystem::{FileKind, FileSystem};
use super::lock::{Before, Lock};
use super::names::{Names, explain};
use super::os::OsFileSystem;
use crate::error::{Error, Result, error};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a published file survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Power failure: data and names are on the device when `commit` returns.
    #[default]
    Full,
    /// The end of the process, by `kill -9` too; the system writes to the device when it likes. Much faster for many small files.
    Process,
}

/// Prepares to write a file that others see complete or not at all. Says nothing to the disk before
/// [`acquire`](LockFileBuilder::acquire).
///
/// The writer holds `DIR/.NAME.lock`, writes to `DIR/.NAME`, and at [`commit`](LockFile::commit) that file takes the place of
/// `DIR/NAME` in one step. `docs/publish.md` lists the steps, and what is promised and assumed.
///
/// ```
/// use memh5::publish::lock_file;
/// # let dir = tempfile::tempdir()?;
/// # let target = dir.path().join("result.txt");
/// let guard = lock_file(&target).acquire()?;
/// std::fs::write(guard.tmpfile(), "complete")?;
/// assert!(!target.exists());
/// guard.commit()?;
/// assert_eq!(std::fs::read_to_string(&target)?, "complete");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lock_file(path: impl AsRef<Path>) -> LockFileBuilder {
    LockFileBuilder {
        path: path.as_ref().to_owned(),
        preserve: false,
        timeout: Duration::ZERO,
        durability: Durability::Full,
        expected: None,
        replace_leftover: false,
        in_place: false,
        file_system: Arc::new(OsFileSystem),
    }
}

/// Writes a file through a temporary that takes its place when all of it is on the disk. Returns what the closure returns.
///
/// The closure gets the path of the temporary. If it fails, the target stays as it was and its error is returned.
///
/// # Errors
/// As [`LockFileBuilder::acquire`], the error of the closure, and as [`LockFile::commit`].
pub fn publish_file<T>(path: impl AsRef<Path>, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    lock_file(path).publish(write)
}

/// The options of [`lock_file`].
#[derive(Debug, Clone)]
#[must_use = "nothing is locked before `acquire`"]
pub struct LockFileBuilder {
    path: PathBuf,
    preserve: bool,
    timeout: Duration,
    durability: Durability,
    expected: Option<FileKind>,
    replace_leftover: bool,
    in_place: bool,
    file_system: Arc<dyn FileSystem>,
}

impl LockFileBuilder {
    /// The path that was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the temporary if the work is not committed, to look at. The next writer that preserves replaces a kept file; a kept
    /// directory must be moved away first.
    pub fn preserve(mut self, preserve: bool) -> Self {
        self.preserve = preserve;
        self
    }

    /// Waits so long for another writer to finish; without it, fails at once. `Duration::MAX` waits for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the published file survives.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Says that a directory will be published, so that a target that is a file is refused before the work and not after it.
    pub fn directory(mut self) -> Self {
        self.expected = Some(FileKind::Directory);
        self
    }

    /// Replaces whatever has the name of the temporary, also where no dead writer can have left it.
    pub fn replace_leftover(mut self, replace: bool) -> Self {
        self.replace_leftover = replace;
        self
    }

    /// For who changes the target itself and publishes nothing: what has the name of the temporary is left alone, unless a dead writer has
    /// left it.
    #[cfg_attr(not(feature = "zarr"), allow(dead_code))]
    pub(crate) fn in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// Works on another file system, as a fault-injecting one.
    pub fn file_system(self, file_system: impl FileSystem + 'static) -> Self {
        self.shared_file_system(Arc::new(file_system))
    }

    /// [`file_system`](Self::file_system) for one that is shared.
    pub(crate) fn shared_file_system(mut self, file_system: Arc<dyn FileSystem>) -> Self {
        self.file_system = file_system;
        self
    }

    /// Takes the lock and clears away what a dead writer left.
    ///
    /// # Errors
    /// `Locked`, with the name of the holder, if another writer lives; `NotFound` if the directory is not there;
    /// `AlreadyExists` if something that is not ours has the name of the temporary or the lock; `InvalidArgument` if the path
    /// cannot be a target; `Unsupported` if the file system has no locks; `Io`, `ReadOnly`.
    pub fn acquire(self) -> Result<LockFile> {
        self.take().map_err(|e| e.in_file(&self.path).during("lock the file for writing"))
    }

    fn take(&self) -> Result<LockFile> {
        let fs = &*self.file_system;
        let names = Names::of(fs, &self.path)?;
        if let Some(expected) = self.expected {
            commit::check_kind(fs, &names, expected)?;
        }
        let lock = Lock::take(fs, &names, self.timeout)?;
        let mut guard = LockFile {
            file_system: Arc::clone(&self.file_system),
            names,
            lock: Some(lock),
            preserve: self.preserve && !self.in_place,
            durability: self.durability,
            set_aside: false,
        };
        match guard.clear(self.replace_leftover, self.in_place).and_then(|()| guard.sign()) {
            Ok(()) => {
                // What has the name of the temporary is not ours to remove.
                guard.preserve |= self.in_place;
                Ok(guard)
            }
            Err(e) => {
                guard.abandon();
                Err(e)
            }
        }
    }

    /// Takes the lock, lets the closure write the temporary, and commits. Returns what the closure returns.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), the error of the closure, and as [`LockFile::commit`].
    pub fn publish<T>(self, write: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
        self.publish_verified(write, |_| Ok(()))
    }

    /// As [`publish`](Self::publish), with a second closure that looks at the temporary when it is on the disk. If it objects,
    /// nothing is published.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and the error of the second closure.
    pub fn publish_verified<T>(mut self, write: impl FnOnce(&Path) -> Result<T>, verify: impl FnOnce(&Path) -> Result<()>) -> Result<T> {
        self.expected = self.expected.or(Some(FileKind::File));
        let guard = self.acquire()?;
        let out = write(guard.tmpfile())?;
        guard.commit_verified(verify)?;
        Ok(out)
    }
}

/// The right to write one file: from [`lock_file`]. Dropped without [`commit`](LockFile::commit), it undoes everything.
#[derive(Debug)]
#[must_use = "dropping the guard rolls back"]
pub struct LockFile {
    pub(super) file_system: Arc<dyn FileSystem>,
    pub(super) names: Names,
    /// `None` when it is over.
    lock: Option<Lock>,
    pub(super) preserve: bool,
    pub(super) durability: Durability,
    /// True while a replaced directory of ours lies aside.
    pub(super) set_aside: bool,
}

impl LockFile {
    /// Where to write: `DIR/.NAME`. Nothing is there at first.
    pub fn tmpfile(&self) -> &Path {
        &self.names.tmpfile
    }

    /// The lock file: `DIR/.NAME.lock`.
    pub fn lockfile(&self) -> &Path {
        &self.names.lockfile
    }

    /// The file that will be replaced: the path that was given, symbolic links followed.
    pub fn target(&self) -> &Path {
        &self.names.target
    }

    /// Publishes what was written to the temporary, and gives up the lock.
    ///
    /// Whatever wrote the temporary must have closed it.
    ///
    /// # Errors
    /// `NotFound` if nothing was written; `AlreadyExists` if a directory would replace a file or a file a directory; `Locked` if
    /// somebody took the lock file away meanwhile; `Io`. After an error the target is what it was and the temporary is gone,
    /// unless the message says that the file was published.
    pub fn commit(self) -> Result<()> {
        self.commit_verified(|_| Ok(()))
    }

    /// As [`commit`](Self::commit), with a closure that looks at the temporary when it is on the disk. If it objects, nothing
    /// is published.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and the error of the closure.
    pub fn commit_verified(self, verify: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.commit_with(verify, &|result| result)
    }

    /// Commits by agreement: `agree` is asked before the rename and after all is done, and what it returns counts. With several
    /// ranks it makes the failure of one the failure of all; a rank without the guard calls it at the same two places.
    pub(crate) fn commit_with(mut self, verify: impl FnOnce(&Path) -> Result<()>, agree: &dyn Fn(Result<()>) -> Result<()>) -> Result<()> {
        let target = self.names.target.clone();
        let place = |e: Error| e.in_file(&target).during("publish the file");
        let prepared = self.check_lock().and_then(|()| commit::prepare(&self, verify));
        agree(prepared.map_err(place)).map_err(|e| self.undo(e))?;
        let replaced = self.check_lock().and_then(|()| commit::replace(&mut self));
        let done = match replaced {
            Ok(()) => self.release().map_err(|e| {
                Error::io(e, &target).remedy("the file was published, but its lock file is still there; the next writer will clear it away")
            }),
            Err(e) => Err(self.undo(e)),
        };
        agree(done.map_err(place))
    }

    /// Gives up: removes the temporary unless it is to be preserved, and the lock. Dropping the guard does the same, silently.
    ///
    /// # Errors
    /// `Io` if something cannot be removed; then the lock file stays too, and the next writer clears both away.
    pub fn rollback(mut self) -> Result<()> {
        let target = self.names.target.clone();
        self.give_up().map_err(|e| Error::io(e, target).during("roll back"))
    }

    /// Refuses to go on if the lock file at the path is no longer ours: somebody else may be writing the same temporary.
    fn check_lock(&self) -> Result<()> {
        let current = match &self.lock {
            Some(lock) => lock.is_current(&*self.file_system, &self.names).map_err(|e| Error::io(e, &self.names.lockfile))?,
            None => false,
        };
        if current {
            return Ok(());
        }
        Err(error!(Locked, "the lock file \"{}\" was removed or replaced while this writer held it", self.names.lockfile.display())
            .remedy("nothing was published; do not remove lock files by hand: a dead writer's is taken over"))
    }

    fn sign(&self) -> Result<()> {
        self.lock.as_ref().map_or(Ok(()), Lock::sign).map_err(|e| explain(e, &self.names.target, &self.names.lockfile))
    }

    /// Clears away what a dead writer left. What no writer can have left is refused: it is somebody's file.
    fn clear(&self, replace_leftover: bool, in_place: bool) -> Result<()> {
        let (fs, names) = (&*self.file_system, &self.names);
        let fail = |e| explain(e, &names.target, &names.tmpfile);
        let before = self.lock.as_ref().map_or(Before::Nobody, |l| l.before);
        if before == Before::DeadOwner {
            commit::recover_aside(fs, names).map_err(fail)?;
        }
        let Some(leftover) = commit::stat(fs, &names.tmpfile).map_err(fail)? else {
            return Ok(());
        };
        let rubbish = match before {
            Before::Nobody => false,
            Before::DeadOwner => true,
            Before::Unnamed(made) => leftover.modified >= made,
        };
        if rubbish || replace_leftover || (self.preserve && leftover.kind == FileKind::File) {
            return commit::remove(fs, &names.tmpfile).map_err(fail);
        }
        if in_place {
            return Ok(());
        }
        Err(error!(AlreadyExists, "the name \"{}\", which the temporary file needs, is in use", names.tmpfile.display())
            .remedy("it may be another program's, or one that was preserved: move it away, or set replace_leftover"))
    }

    /// Ends without touching the temporary. A lock file of a dead owner stays, as the sign that what is beside it is rubbish.
    fn abandon(mut self) {
        if let Some(lock) = self.lock.take()
            && lock.before != Before::DeadOwner
        {
            let _ = lock.release(&*self.file_system, &self.names);
        }
    }

    /// Rolls back after a failure, which stays the error that is reported.
    fn undo(&mut self, error: Error) -> Error {
        let _ = self.give_up();
        error
    }

    fn give_up(&mut self) -> std::io::Result<()> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let fs = &*self.file_system;
        if !lock.is_current(fs, &self.names)? {
            // The names belong to somebody else by now.
            self.lock = None;
            return Ok(());
        }
        let mut cleared = if self.set_aside { commit::recover_aside(fs, &self.names) } else { Ok(()) };
        if !self.preserve {
            cleared = cleared.and(commit::remove(fs, &self.names.tmpfile));
        }
        if cleared.is_err() {
            // The lock file stays, free to be taken: to the next writer it is the sign that the rest is rubbish.
            self.lock = None;
            return cleared;
        }
        self.release()
    }

    fn release(&mut self) -> std::io::Result<()> {
        match self.lock.take() {
            Some(lock) => lock.release(&*self.file_system, &self.names),
            None => Ok(()),
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Whoever drops the guard has an error of his own, or is unwinding; what cannot be removed is cleared by the next writer.
        let _ = self.give_up();
    }
}
