//! Saving to `.npy` files.

use super::exclusive::lock;
use super::plan::{Existing, Plan, plan};
use super::{Approach, Indices, SaveOptions, Saver};
use crate::array::AnyArray;
use crate::error::{Error, ErrorKind, Result, error};
use crate::format::npy::{self, Content, NpyFile};
use crate::publish::{FileKind, FileSystem, OpenMode, OsFileSystem, journal, retry};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Saves to a `.npy` file, under exactly the path that is given: no suffix is added.
///
/// An append writes only what is new: the elements behind those that are there, then the header that counts them, for which new files have room. A
/// file of numpy without that room, or in Fortran order, is written anew at the first append, once. An update goes through a journal, so that it is
/// there as a whole or not at all; an overwrite is published.
///
/// Text of any length ([`DType::STR`](crate::DType::STR)) gets room for the longest of the first batch, as numpy does; give the option
/// [`dtype`](SaveOptions::dtype) for more. A longer one later is an error.
///
/// ```
/// use memh5::saver::{NumpySaver, Saver, SaverExt};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("results");
/// let saver = NumpySaver::new(&path);
/// saver.append(ndarray::array![[1.0, 2.0]])?;
/// saver.append(ndarray::array![[3.0, 4.0]])?;
/// saver.update(9.0, (0, 1))?;
/// assert_eq!(saver.load()?, ndarray::array![[1.0, 9.0], [3.0, 4.0]].into());
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NumpySaver {
    path: PathBuf,
    options: SaveOptions,
    file_system: Arc<dyn FileSystem>,
}

impl NumpySaver {
    /// A saver to the file at the path.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), options: SaveOptions::new(), file_system: Arc::new(OsFileSystem) }
    }

    /// With options for every save that does not say otherwise.
    #[must_use]
    pub fn with_options(mut self, options: SaveOptions) -> Self {
        self.options = options;
        self
    }

    /// On another file system, as a fault-injecting one.
    #[must_use]
    pub fn file_system(mut self, file_system: impl FileSystem + 'static) -> Self {
        self.file_system = Arc::new(file_system);
        self
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn do_save(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        options.refuse_layout("a .npy file")?;
        let durability = options.the_durability();
        let fs = &*self.file_system;
        // What numpy has no type for is refused before anything else.
        let mut options = options.clone();
        let wanted = options.dtype.take().map(|d| npy::suited(&d, Some(data))).transpose()?;
        self.check_kind()?;
        let lock = lock(&self.file_system, &self.path, options.the_timeout(), durability)?;
        let target = lock.target().to_owned();
        journal::recover(fs, &target).map_err(|e| Error::io(e, &target))?;
        let mut file = self.open(&target, options.the_approach())?;
        let existing =
            file.as_ref().map(|f| Existing { dtype: f.header().dtype.clone(), shape: Some(f.header().shape.clone()), limit: None });
        options.dtype = match (wanted, &existing, options.the_approach()) {
            (Some(dtype), ..) => Some(dtype),
            // What is there decides.
            (None, Some(_), Approach::Append | Approach::Update) => None,
            (None, ..) => Some(npy::suited(data.dtype(), Some(data))?),
        };
        match plan(data, indices, &options, existing.as_ref())? {
            Plan::Create(data) | Plan::Replace(data) => {
                drop(file);
                let content = Content::new(&data, data.dtype().clone())?;
                content.write_to(fs, lock.tmpfile())?;
                return lock.publish();
            }
            Plan::Append(rows) => {
                if let Some(file) = &mut file {
                    file.check_complete()?;
                    if file.can_append(rows.shape().first().copied().unwrap_or(0)) {
                        return file.append(fs, &target, &rows, durability);
                    }
                    let mut whole = file.read()?;
                    whole.append(&rows)?;
                    let content = Content::new(&whole, whole.dtype().clone())?;
                    content.write_to(fs, lock.tmpfile())?;
                    return lock.publish();
                }
            }
            Plan::Update(selection, data) => {
                if let Some(file) = &file {
                    file.check_complete()?;
                    return file.update(fs, &target, &selection, &data, durability);
                }
            }
            Plan::Nothing => {}
        }
        Ok(())
    }

    /// Refuses a directory before a lock is put beside it.
    fn check_kind(&self) -> Result<()> {
        match retry(|| self.file_system.info(&self.path)) {
            Ok(info) if info.kind == FileKind::Directory => {
                Err(error!(Io, "this is a directory, not a file").remedy("give the name of a file"))
            }
            _ => Ok(()),
        }
    }

    /// The file, if it is there. What an overwrite replaces has to be a `.npy` file too, or empty.
    fn open(&self, target: &Path, approach: Approach) -> Result<Option<NpyFile>> {
        match NpyFile::open(&*self.file_system, target, OpenMode::ReadWrite) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) if e.kind() == ErrorKind::Corrupt && approach == Approach::Overwrite => {
                let len = retry(|| self.file_system.info(target)).map_err(|e| Error::io(e, target))?.len;
                if len == 0 { Ok(None) } else { Err(e) }
            }
            // Pickles are of numpy: an overwrite may replace them.
            Err(e) if e.kind() == ErrorKind::Dtype && approach == Approach::Overwrite => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl Saver for NumpySaver {
    fn save_array(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let options = options.or(&self.options);
        self.do_save(data, indices, &options).map_err(|e| e.in_file(&self.path).during("save"))
    }

    fn load(&self) -> Result<AnyArray> {
        let read = || NpyFile::open(&*self.file_system, &self.path, OpenMode::Read)?.read();
        let timeout = self.options.the_timeout();
        npy::whole(&self.file_system, &self.path, timeout, read).map_err(|e: Error| e.in_file(&self.path).during("load"))
    }

    fn target(&self) -> String {
        self.path.display().to_string()
    }
}
