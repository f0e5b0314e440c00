//! Saving to HDF5 files.

use super::exclusive::{FileLock, lock};
use super::{Approach, Indices, SaveOptions, Saver, tree};
use crate::array::AnyArray;
use crate::error::{Error, ErrorKind, Result, error};
use crate::format::hdf5::Hdf5File;
use crate::format::hdf5::transaction::{Alone, TransactionFile};
use crate::publish::{FileSystem, OsFileSystem};
use crate::tree::{Dataset, DatasetExt, DatasetRef, Fill, Group, GroupExt, GroupRef, GroupSpec, Link, Mode, Node};
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
                match self.change(lock.target(), left, data, indices, options)? {
                    None => Ok(()),
                    // The old file stays closed to others until the new one has taken its place.
                    Some(_old) => self.make(lock, data, indices, options),
                }
            }
        }
    }

    /// The first save makes the file, which is complete or not there.
    fn make(&self, lock: FileLock, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let mut session = Session::of(TransactionFile::create(&self.file_system, lock.tmpfile())?);
        session.commit(&self.dataset, data, indices, options)?;
        drop(session);
        lock.publish()
    }

    /// A later save is a transaction. Gives the file, and nothing is done, if a new one had better take its place: the library keeps no list of the room of what was
    /// overwritten before it was opened, so the file would grow.
    fn change(
        &self,
        target: &Path,
        patience: Duration,
        data: &AnyArray,
        indices: &Indices,
        options: &SaveOptions,
    ) -> Result<Option<(Alone, Session)>> {
        let mut slot = self.session.lock();
        // Taken out: after an error the transaction is over, and the file is what it was.
        if let Some(mut session) = slot.take() {
            let _alone = patiently(patience, || session.file.keep_others_out())?;
            if !session.file.is_stale()? {
                session.commit(&self.dataset, data, indices, options)?;
                *slot = Some(session);
                return Ok(None);
            }
        }
        let mut session = Session::of(TransactionFile::at(&self.file_system, target)?);
        let alone = patiently(patience, || session.file.keep_others_out())?;
        session.file.open()?;
        if options.the_approach() == Approach::Overwrite && session.is_alone(&self.dataset)? {
            return Ok(Some((alone, session)));
        }
        session.commit(&self.dataset, data, indices, options)?;
        if session.file.is_open() {
            *slot = Some(session);
        }
        Ok(None)
    }
}

/// A file that is kept open from save to save.
#[derive(Debug)]
struct Session {
    /// The dataset, and whether rows behind its end can go to their places at once. Closed before the file is, as the root.
    dataset: Option<(DatasetRef, bool)>,
    root: Option<GroupRef>,
    file: TransactionFile,
}

impl Session {
    fn of(file: TransactionFile) -> Self {
        Self { dataset: None, root: None, file }
    }

    /// Saves and commits; after an error the session is over.
    fn commit(&mut self, name: &str, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let saved = self.save(name, data, indices, options).map_err(|e| self.file.failure().unwrap_or(e));
        saved.and_then(|()| self.file.commit(options.the_durability())).inspect_err(|_| self.file.give_up())
    }

    /// True if the file holds the dataset and the groups on the way to it, all without attributes, and is one that would be made now: then a new file with the new
    /// content is all that the overwritten one would be.
    fn is_alone(&self, name: &str) -> Result<bool> {
        let Some(file) = self.file.file().filter(|_| self.file.is_plain()) else { return Ok(false) };
        let mut group = file.root()?.to_ref();
        for part in name.split('/').filter(|p| !p.is_empty()) {
            let plain = group.attrs().attr_names()?.is_empty() && group.group_spec()? == GroupSpec::default() && group.keys()? == [part];
            if !plain || group.link(part)? != Link::Hard {
                return Ok(false);
            }
            match group.get(part)? {
                Node::Group(next) => group = next,
                Node::Dataset(dataset) => {
                    // What a new one takes over from the old, there is none of.
                    let spec = dataset.spec()?;
                    let plain = spec.filters.is_empty() && !spec.track_order && matches!(spec.fill, Fill::Default);
                    return Ok(plain && dataset.attrs().attr_names()?.is_empty());
                }
                _ => return Ok(false),
            }
        }
        Ok(false)
    }

    fn save(&mut self, name: &str, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let root = match (self.root.take(), self.file.file()) {
            (Some(root), _) => root,
            (None, Some(file)) => file.root()?.to_ref(),
            (None, None) => return Err(error!(Closed, "the file was closed")),
        };
        let known = match self.dataset.take() {
            Some(known) => Some(known),
            None => tree::find(&*root, name)?.map(|d| in_place(&*d).map(|yes| (d, yes))).transpose()?,
        };
        let append = options.the_approach() == Approach::Append;
        self.file.raw_in_place(append && known.as_ref().is_some_and(|k| k.1));
        let before = known.clone();
        let saved = tree::save(&*root, name, known.map(|k| k.0), data, indices, options)?;
        if !self.file.closes() {
            // (One that has taken the place of the old is looked at when it is needed.)
            self.dataset = before.filter(|b| saved.as_ref().is_some_and(|s| Arc::ptr_eq(s, &b.0)));
            self.root = Some(root);
        }
        Ok(())
    }
}

/// True if rows behind the end go to places of chunks that no reader looks at before the shape says so: where there are no filters.
fn in_place(dataset: &dyn Dataset) -> Result<bool> {
    let spec = dataset.spec()?;
    Ok(spec.maxshape.is_some() && spec.filters.is_empty() && spec.chunks().is_some())
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
        let file = patiently(self.options.the_timeout(), || Hdf5File::options().uncached().open(&self.path, Mode::Read))?;
        let root = file.root()?.to_ref();
        let array = root.dataset(&self.dataset)?.read_array();
        array.and_then(|a| file.close().map(|()| a))
    }

    fn target(&self) -> String {
        format!("{}:{}", self.path.display(), self.dataset)
    }
}
