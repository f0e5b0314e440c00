//! Saving to HDF5 files.

use super::exclusive::{FileLock, lock};
use super::{Approach, Indices, SaveOptions, Saver, tree};
use crate::array::AnyArray;
use crate::error::{Error, ErrorKind, Result, error};
use crate::format::hdf5::Hdf5File;
use crate::publish::{FileSystem, OsFileSystem};
use crate::tree::{DatasetExt, Group, GroupExt, Mode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Saves to a dataset of an HDF5 file; groups on the way are made when they are needed, and other objects of the file stay as they are.
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
}

impl Hdf5Saver {
    /// A saver to the dataset at a path of the file at a path. (raygent's name for it is `dataset`, where none is given.)
    pub fn new(path: impl AsRef<Path>, dataset: impl Into<String>) -> Self {
        Self { path: path.as_ref().to_owned(), dataset: dataset.into(), options: SaveOptions::new() }
    }

    /// With options for every save that does not say otherwise.
    #[must_use]
    pub fn with_options(mut self, options: SaveOptions) -> Self {
        self.options = options;
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
        let fs: Arc<dyn FileSystem> = Arc::new(OsFileSystem);
        let begin = Instant::now();
        let lock = lock(&fs, &self.path, options.the_timeout(), options.the_durability())?;
        match std::fs::metadata(lock.target()) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.make(lock, data, indices, options),
            Err(e) => Err(Error::io(e, &self.path)),
            Ok(m) if m.len() == 0 && options.the_approach() == Approach::Overwrite => self.make(lock, data, indices, options),
            Ok(m) if m.len() == 0 => Err(error!(Corrupt, "the file is empty, so it is no HDF5 file")
                .remedy("remove it, or overwrite; something may have lost its content")),
            Ok(_) => {
                let left = options.the_timeout().saturating_sub(begin.elapsed());
                let file = patiently(left, || Hdf5File::open(lock.target(), Mode::ReadWrite))?;
                let root = file.root()?;
                tree::save(&root, &self.dataset, None, data, indices, options)?;
                file.close()
            }
        }
    }

    /// The first save makes the file, which is complete or not there.
    fn make(&self, lock: FileLock, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let file = Hdf5File::open(lock.tmpfile(), Mode::CreateNew)?;
        tree::save(&file.root()?, &self.dataset, None, data, indices, options)?;
        file.close()?;
        lock.publish()
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
