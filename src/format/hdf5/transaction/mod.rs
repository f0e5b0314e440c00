//! HDF5 files that change in transactions.
//!
//! The library changes a file here and there, in no order that a crash would respect. Under this driver what it writes behind the end of the file goes
//! there at once, where it means nothing yet; what it writes below is kept in memory. [`TransactionFile::commit`] then brings it to the file
//! through a journal: after `kill -9` or a full disk the file is that of the last commit, or of this one, never between.
//!
//! Nobody else may write the file between an opening and the last commit, except where [`TransactionFile::is_stale`] is asked.

mod driver;
mod state;

use super::open::{Hdf5File, Hdf5Options};
use super::signature;
use crate::error::{Error, Result, error};
use crate::publish::{Durability, FileInfo, FileSystem, OpenMode, OsFileSystem, journal, lock_file, retry};
use parking_lot::Mutex;
use state::State;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// An open file and its transaction. Dropped without [`commit`](TransactionFile::commit), it leaves the file as it was.
#[derive(Debug)]
pub(crate) struct TransactionFile {
    file: Option<Hdf5File>,
    state: Arc<Mutex<State>>,
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    /// What the file was after the last commit.
    stamp: Option<FileInfo>,
    /// The library marks a file of this version while it is open, so it is closed before each commit.
    marked: bool,
    /// It is as a new one would be: of the same version, without anything before it, under one name.
    plain: bool,
}

impl TransactionFile {
    /// A file that is there, not looked at yet. The lock beside the file is held.
    pub(crate) fn at(fs: &Arc<dyn FileSystem>, path: &Path) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::open(Arc::clone(fs), path, OpenMode::ReadWrite)?));
        Ok(Self { file: None, state, fs: Arc::clone(fs), path: path.to_owned(), stamp: None, marked: false, plain: false })
    }

    /// Opens it, after it has finished what a writer left who died.
    pub(crate) fn open(&mut self) -> Result<()> {
        let (fs, path) = (&self.fs, &self.path);
        journal::recover(&**fs, path).map_err(|e| Error::io(e, path))?;
        let head = signature::check(path)?;
        // The version of the superblock, the sizes of its numbers, its marks.
        let mut begin = [0; 4];
        {
            let mut state = self.state.lock();
            state.head = head;
            state.read(head + 8, &mut begin).map_err(|e| Error::io(e, path))?;
        }
        let [version, .., marks] = begin;
        self.marked = version >= 3;
        if version == 3 && marks & signature::WRITERS != 0 {
            // The library looks for that in files of its own drivers only.
            return Err(super::open::marked(path));
        }
        self.plain = head == 0 && version == 2 && one_name(path);
        self.file = Some(driver::open_over(&self.state, |driver| Hdf5Options::default().open_over(path, driver))?);
        Ok(())
    }

    /// Takes the lock that the HDF5 library holds on files that it has open, so that no program reads the file while it changes. It may be that it is
    /// not the file any more, when the lock is had.
    ///
    /// # Errors
    /// `Locked` if another program has the file open.
    pub(crate) fn keep_others_out(&self) -> Result<Alone> {
        if std::env::var("HDF5_USE_FILE_LOCKING").is_ok_and(|v| v == "FALSE" || v == "0") {
            return Ok(Alone(None));
        }
        let locked = self.state.lock().try_lock();
        match locked {
            Ok(true) => Ok(Alone(Some(Arc::clone(&self.state)))),
            Ok(false) => Err(error!(Locked, "another program has the file open")
                .remedy("close it there; h5py and the HDF5 tools lock a file while it is open")),
            Err(e) if e.kind() == std::io::ErrorKind::Unsupported => Ok(Alone(None)),
            Err(e) => Err(Error::io(e, &self.path)),
        }
    }

    /// Makes a file. It is complete after the first commit, and nobody should see it before.
    pub(crate) fn create(fs: &Arc<dyn FileSystem>, path: &Path) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::open(Arc::clone(fs), path, OpenMode::CreateNew)?));
        let file = driver::open_over(&state, |driver| Hdf5Options::default().create_over(path, driver))?;
        Ok(Self { file: Some(file), state, fs: Arc::clone(fs), path: path.to_owned(), stamp: None, marked: false, plain: false })
    }

    /// The file. `None` after a commit for which it had to be closed.
    pub(crate) fn file(&self) -> Option<&Hdf5File> {
        self.file.as_ref()
    }

    /// True if a new file would be of the same version, and could take the place of this one.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Says that until the next commit elements are written only where the committed shapes do not reach, in datasets without filters: they need
    /// not go through the journal then.
    pub(crate) fn raw_in_place(&self, yes: bool) {
        self.state.lock().raw_in_place = yes;
    }

    /// True if the file is closed by the commit, and with it its objects, which have to be given back before.
    pub(crate) fn closes(&self) -> bool {
        self.marked
    }

    /// Says that what was written will not be committed, before its objects are given back.
    pub(crate) fn give_up(&self) {
        self.state.lock().give_up();
    }

    /// True if the file can be used for another transaction, unless somebody has changed it meanwhile.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// True if the file is not what it was after the last commit.
    pub(crate) fn is_stale(&self) -> Result<bool> {
        let now = match retry(|| self.fs.info(&self.path)) {
            Ok(now) => now,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(true),
            Err(e) => return Err(Error::io(e, &self.path)),
        };
        Ok(self.stamp != Some(now))
    }

    /// What could not be written, if it was that which failed.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state.lock().take_failure().map(|e| Error::io(e, &self.path))
    }

    /// Makes all that was written the content of the file.
    ///
    /// # Errors
    /// `Io`; the file is what it was.
    pub(crate) fn commit(&mut self, durability: Durability) -> Result<()> {
        let written = match &self.file {
            Some(file) if self.marked => {
                let closed = file.clone().close();
                self.file = None;
                closed
            }
            Some(file) => file.flush(),
            None => Ok(()),
        };
        written.map_err(|e| self.failure().unwrap_or(e))?;
        self.state.lock().commit(durability)?;
        if !self.marked {
            // A time that no coarse clock gives: so a change by somebody else, within the same tick even, shows.
            let now = std::time::SystemTime::now();
            if self.state.lock().set_modified(now).is_err() {
                let _ = std::fs::File::options().write(true).open(&self.path).and_then(|f| f.set_modified(now));
            }
            self.stamp = Some(self.state.lock().info()?);
        }
        Ok(())
    }
}

/// Finishes the commit of a writer who died in the middle of it, if there was one, before the file is opened by others.
pub(super) fn finish(path: &Path) {
    let there = journal::path_of(path).is_some_and(|j| j.exists());
    // Where it cannot be done, a read-only directory say, the library tells what it finds.
    if there && let Ok(guard) = lock_file(path).timeout(Duration::from_secs(5)).acquire() {
        let _ = journal::recover(&OsFileSystem, guard.target());
    }
}

/// True if no hard link leads to the file by another name.
fn one_name(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|m| m.nlink() == 1)
}

/// The right to change a file while no other program has it open.
#[derive(Debug)]
pub(crate) struct Alone(Option<Arc<Mutex<State>>>);

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(state) = self.0.take() {
            state.lock().unlock();
        }
    }
}

impl Drop for TransactionFile {
    fn drop(&mut self) {
        // What is not committed goes nowhere; and closing writes.
        self.state.lock().give_up();
        if let Some(file) = self.file.take() {
            let _ = file.close();
        }
    }
}
