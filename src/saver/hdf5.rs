//! Saving to HDF5 files.

use super::exclusive::{FileLock, lock};
use super::{Approach, Indices, SaveOptions, Saver, tree};
use crate::array::AnyArray;
use crate::error::{Error, ErrorKind, Result, error};
use crate::format::hdf5::Hdf5File;
use crate::format::hdf5::transaction::TransactionFile;
use crate::publish::{File, FileSystem, OpenMode, OsFileSystem, retry};
use crate::tree::{DatasetExt, DatasetRef, Group, GroupExt, Mode};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Saves to a dataset of an HDF5 file; groups on the way are made when they are needed, and other objects of the file stay as they are.
///
/// Each save is a transaction: what the library would overwrite here and there is brought to the file through a journal, when all of it is known. So after
/// `kill -9`, a full disk or a failing device the file is that of the last save, or of this one; a save that has returned is in the file, for every
/// reader. The file stays open from save to save, without a lock: others may read it, and what others write is noticed.
///
/// New datasets have chunks of [`chunk_bytes`](SaveOptions::chunk_bytes), whatever the first batch was, and no limit along axis 0. Datasets of
/// raygent and h5py are grown as they are; one of a fixed size is written anew, once, when it is first appended to.
///
/// ```
/// use memh5::saver::{Hdf5Saver, Saver, SaverExt, SaveOptions};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("run.h5");
/// let saver = Hdf5Saver::new(&path, "night/vis").with_options(SaveOptions::from_pairs([("compression", "gzip")])?);
/// saver.append(ndarray::array![[1.0, 2.0]])?;
/// saver.append(ndarray::array![[3.0, 4.0]])?;
/// saver.update(9.0, (0, 1))?;
/// assert_eq!(saver.load()?, ndarray::array![[1.0, 9.0], [3.0, 4.0]].into());
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug)]
pub struct Hdf5Saver {
    path: PathBuf,
    dataset: String,
    options: SaveOptions,
    file_system: Arc<dyn FileSystem>,
    session: Mutex<Option<Session>>,
}

impl Hdf5Saver {
    /// A saver to the dataset at a path of the file at a path. (raygent's name for it is `dataset`, where none is given.)
    pub fn new(path: impl AsRef<Path>, dataset: impl Into<String>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            dataset: dataset.into(),
            options: SaveOptions::new(),
            file_system: Arc::new(OsFileSystem),
            session: Mutex::new(None),
        }
    }

    /// With options for every save that does not say otherwise.
    #[must_use]
    pub fn with_options(mut self, options: SaveOptions) -> Self {
        self.options = options;
        self
    }

    /// On another file system, as a fault-injecting one. ([`load`](Saver::load) reads by the HDF5 library, which knows the real one only.)
    #[must_use]
    pub fn file_system(mut self, file_system: impl FileSystem + 'static) -> Self {
        self.file_system = Arc::new(file_system);
        self
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the dataset.
    pub fn dataset(&self) -> &str {
        &self.dataset
    }

    fn do_save(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        if self.path.is_dir() {
            return Err(error!(Io, "this is a directory, not a file").remedy("give the name of a file"));
        }
        let begin = Instant::now();
        let lock = lock(&self.file_system, &self.path, options.the_timeout(), options.the_durability())?;
        match std::fs::metadata(lock.target()) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.make(lock, data, indices, options),
            Err(e) => Err(Error::io(e, &self.path)),
            Ok(m) if m.len() == 0 && options.the_approach() == Approach::Overwrite => self.make(lock, data, indices, options),
            Ok(m) if m.len() == 0 => Err(error!(Corrupt, "the file is empty, so it is no HDF5 file")
                .remedy("remove it, or overwrite; something may have lost its content")),
            Ok(_) => {
                let left = options.the_timeout().saturating_sub(begin.elapsed());
                let _alone = patiently(left, || keep_others_out(lock.target()))?;
                self.change(lock.target(), data, indices, options)
            }
        }
    }

    /// The first save makes the file, which is complete or not there.
    fn make(&self, lock: FileLock, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let mut session = Session { file: TransactionFile::create(&self.file_system, lock.tmpfile())?, dataset: None };
        session.commit(&self.dataset, data, indices, options)?;
        drop(session);
        lock.publish()
    }

    /// A later save is a transaction.
    fn change(&self, target: &Path, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let mut slot = self.session.lock();
        // Taken out: after an error the transaction is over, and the file is what it was.
        let kept = match slot.take() {
            Some(session) if !session.file.is_stale()? => Some(session),
            _ => None,
        };
        let mut session = match kept {
            Some(session) => session,
            None => Session { file: TransactionFile::open(&self.file_system, target)?, dataset: None },
        };
        session.commit(&self.dataset, data, indices, options)?;
        if session.file.is_open() {
            *slot = Some(session);
        }
        Ok(())
    }
}

/// A file that is kept open from save to save.
#[derive(Debug)]
struct Session {
    /// Closed before the file is.
    dataset: Option<DatasetRef>,
    file: TransactionFile,
}

impl Session {
    /// Saves and commits; after an error the session is over.
    fn commit(&mut self, name: &str, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let saved = self.save(name, data, indices, options).map_err(|e| self.file.failure().unwrap_or(e));
        saved.and_then(|()| self.file.commit(options.the_durability())).inspect_err(|_| self.file.give_up())
    }

    fn save(&mut self, name: &str, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let Some(file) = self.file.file() else { return Err(error!(Closed, "the file was closed")) };
        let root = file.root()?;
        let known = match self.dataset.take() {
            Some(dataset) => Some(dataset),
            None => tree::find(&root, name)?,
        };
        if options.the_approach() == Approach::Append
            && let Some(dataset) = &known
        {
            // Without filters, the rows go to places of chunks that no reader looks at before the shape says so.
            let spec = dataset.spec()?;
            self.file.raw_in_place(spec.maxshape.is_some() && spec.filters.is_empty() && spec.chunks().is_some());
        }
        self.dataset = tree::save(&root, name, known, data, indices, options)?;
        if self.file.closes() {
            self.dataset = None;
        }
        Ok(())
    }
}

/// Holds the lock that the HDF5 library holds on files that it has open, so that no program reads the file while it changes.
fn keep_others_out(path: &Path) -> Result<Option<Box<dyn File>>> {
    if std::env::var("HDF5_USE_FILE_LOCKING").is_ok_and(|v| v == "FALSE" || v == "0") {
        return Ok(None);
    }
    let file = retry(|| OsFileSystem.open(path, OpenMode::ReadWrite)).map_err(|e| Error::io(e, path))?;
    match retry(|| file.try_lock()) {
        Ok(true) => Ok(Some(file)),
        Ok(false) => Err(error!(Locked, "another program has the file open")
            .remedy("close it there; h5py and the HDF5 tools lock a file while it is open")),
        Err(e) if e.kind() == std::io::ErrorKind::Unsupported => Ok(None),
        Err(e) => Err(Error::io(e, path)),
    }
}

/// Tries again while another program has the file open, until the time is over.
fn patiently<T>(timeout: Duration, mut open: impl FnMut() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match open() {
            Err(e) if e.kind() == ErrorKind::Locked && begin.elapsed() < timeout => {
                std::thread::sleep(pause.min(timeout.saturating_sub(begin.elapsed())));
                pause = (pause * 2).min(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

impl Saver for Hdf5Saver {
    fn save_array(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let options = options.or(&self.options);
        self.do_save(data, indices, &options).map_err(|e| e.in_file(&self.path).at(&self.dataset).during("save"))
    }

    fn load(&self) -> Result<AnyArray> {
        let file = patiently(self.options.the_timeout(), || Hdf5File::open(&self.path, Mode::Read))?;
        let root = file.root()?.to_ref();
        let array = root.dataset(&self.dataset)?.read_array();
        array.and_then(|a| file.close().map(|()| a))
    }

    fn target(&self) -> String {
        format!("{}:{}", self.path.display(), self.dataset)
    }
}
