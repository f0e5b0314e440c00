//! Files: opened by mode, created, in memory.

use super::ffi::{Id, h5, hid_t};
use super::file::OpenFile;
use super::group::Hdf5Group;
use super::object::Handle;
use super::{holder, props, signature};
use crate::error::{Error, ErrorKind, Result, bail, error};
use crate::tree::Mode;
use hdf5_sys::h5f::*;
use hdf5_sys::h5g::H5Gopen2;
use hdf5_sys::h5p::*;
use std::ffi::{CString, c_uint};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The oldest HDF5 that has to read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum LibraryBound {
    /// HDF5 1.8 and later. Attributes may have any size.
    #[default]
    V18,
    /// HDF5 1.10 and later: faster chunk indices, and readers while a writer writes (SWMR).
    V110,
}

/// Blocks of so many bytes begin with a page in files that are written by a driver of ours.
const ALIGNED: u64 = 512 << 10;
const PAGE: u64 = 4096;

/// How a file is opened or made; made by [`Hdf5File::options`].
#[derive(Debug, Clone, Default)]
pub struct Hdf5Options {
    track_order: bool,
    bound: LibraryBound,
    uncached: bool,
    swmr: bool,
}

impl Hdf5Options {
    /// The root group of a new file lists its children and attributes in the order in which they are made.
    #[must_use]
    pub fn track_order(mut self, track: bool) -> Self {
        self.track_order = track;
        self
    }

    /// The oldest HDF5 that has to read what is written; 1.8 when not given.
    #[must_use]
    pub fn bound(mut self, bound: LibraryBound) -> Self {
        self.bound = bound;
        self
    }

    /// Opens the file for reading while one program writes it in SWMR mode (single writer, multiple readers), as h5py's `swmr=True`: the lengths of datasets are those
    /// that the writer has flushed. A file that nobody has open is read as ever; one that a writer has open without SWMR is `Locked` all the same.
    #[must_use]
    pub fn swmr(mut self, swmr: bool) -> Self {
        self.swmr = swmr;
        self
    }

    /// Elements go straight to and from the file, past the library's cache of chunks: for who reads or writes each of them once.
    #[must_use]
    pub(crate) fn uncached(mut self) -> Self {
        self.uncached = true;
        self
    }

    /// Opens or makes a file.
    ///
    /// # Errors
    /// As [`Hdf5File::open`].
    pub fn open(&self, path: impl AsRef<Path>, mode: Mode) -> Result<Hdf5File> {
        let path = path.as_ref();
        self.open_path(path, mode).map_err(|e| e.in_file(path).during("open the file"))
    }

    /// Makes a file that is in memory only.
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn in_memory(&self) -> Result<Hdf5File> {
        let (name, access, creation) = (memory_name(), self.memory_access()?, self.creation()?);
        let id = h5!(H5Fcreate(name.as_ptr(), H5F_ACC_TRUNC, creation.get(), access.get()))?;
        Hdf5File::of(OpenFile::new(id, None, true))
    }

    /// Opens the bytes of a file, as a copy in memory that can be written.
    ///
    /// # Errors
    /// `Corrupt` if they are not those of an HDF5 file.
    pub fn open_bytes(&self, bytes: &[u8]) -> Result<Hdf5File> {
        let (name, access) = (memory_name(), self.memory_access()?);
        if bytes.is_empty() {
            bail!(Corrupt, "no bytes are no HDF5 file");
        }
        // The library copies the bytes before it returns.
        h5!(H5Pset_file_image(access.get(), bytes.as_ptr().cast_mut().cast(), bytes.len()))?;
        let id = h5!(H5Fopen(name.as_ptr(), H5F_ACC_RDWR, access.get()))
            .map_err(|e| Error::new(ErrorKind::Corrupt, "the bytes are not those of an HDF5 file").because(e))?;
        Hdf5File::of(OpenFile::new(id, None, true))
    }

    fn open_path(&self, path: &Path, mode: Mode) -> Result<Hdf5File> {
        if self.swmr && mode != Mode::Read {
            return Err(error!(InvalidArgument, "swmr is for reading what another program writes").remedy("open the file in the mode r"));
        }
        let there = match fs::metadata(path) {
            Ok(m) if m.is_dir() => {
                return Err(error!(Io, "this is a directory, not a file").remedy("give the name of a file"));
            }
            Ok(_) => true,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(Error::io(e, path)),
        };
        match (mode, there) {
            (Mode::Read, false) => Err(error!(NotFound, "there is no such file").remedy("check the name")),
            (Mode::ReadWrite, false) => {
                Err(error!(NotFound, "there is no such file").remedy("the mode a makes one where there is none, the mode w a new one"))
            }
            (Mode::CreateNew, true) => {
                Err(error!(AlreadyExists, "the file is there already").remedy("the mode a opens it, the mode w replaces it"))
            }
            (Mode::Read, true) => self.open_existing(path, H5F_ACC_RDONLY),
            (Mode::ReadWrite | Mode::Append, true) => self.open_existing(path, H5F_ACC_RDWR),
            (Mode::Truncate, true) => {
                check_free(path)?;
                self.make(path, H5F_ACC_TRUNC)
            }
            (Mode::Truncate, false) => self.make(path, H5F_ACC_TRUNC),
            (Mode::CreateNew | Mode::Append, false) => self.make(path, H5F_ACC_EXCL),
        }
    }

    fn open_existing(&self, path: &Path, flags: c_uint) -> Result<Hdf5File> {
        super::transaction::finish(path);
        signature::check(path)?;
        let (name, access) = (c_path(path)?, self.access()?);
        let how = if self.swmr { flags | H5F_ACC_SWMR_READ } else { flags };
        let id = h5!(H5Fopen(name.as_ptr(), how, access.get())).map_err(|e| explain(e, path))?;
        let file = OpenFile::new(id, Some(path.to_owned()), flags == H5F_ACC_RDWR);
        Hdf5File::of(if self.swmr { file.changing() } else { file })
    }

    /// Makes a file by a driver of ours.
    pub(super) fn create_over(&self, path: &Path, driver: hid_t) -> Result<Hdf5File> {
        let (name, access, creation) = (c_path(path)?, self.access_over(driver)?, self.creation()?);
        let id = h5!(H5Fcreate(name.as_ptr(), H5F_ACC_TRUNC, creation.get(), access.get())).map_err(|e| explain(e, path))?;
        Hdf5File::of(OpenFile::new(id, Some(path.to_owned()), true))
    }

    /// Elements are written at once, not kept in a cache of chunks: they are to be in the file after each save, and a small append would write
    /// whole chunks.
    fn access_over(&self, driver: hid_t) -> Result<Id> {
        let access = self.clone().uncached().access()?;
        h5!(H5Pset_driver(access.get(), driver, std::ptr::null()))?;
        // Large chunks begin with a page of the system's cache: they are copied there and back a fifth faster.
        h5!(H5Pset_alignment(access.get(), ALIGNED, PAGE))?;
        Ok(access)
    }

    /// Opens a file that is there, and has the signature, by a driver of ours.
    pub(super) fn open_over(&self, path: &Path, driver: hid_t) -> Result<Hdf5File> {
        let (name, access) = (c_path(path)?, self.access_over(driver)?);
        let id = h5!(H5Fopen(name.as_ptr(), H5F_ACC_RDWR, access.get())).map_err(|e| explain(e, path))?;
        Hdf5File::of(OpenFile::new(id, Some(path.to_owned()), true))
    }

    fn make(&self, path: &Path, flags: c_uint) -> Result<Hdf5File> {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            return Err(error!(NotFound, "there is no directory \"{}\"", parent.display()).remedy("make the directory first"));
        }
        let (name, access, creation) = (c_path(path)?, self.access()?, self.creation()?);
        let id = h5!(H5Fcreate(name.as_ptr(), flags, creation.get(), access.get())).map_err(|e| explain(e, path))?;
        Hdf5File::of(OpenFile::new(id, Some(path.to_owned()), true))
    }

    fn access(&self) -> Result<Id> {
        super::filter::register_all();
        let list = props::new(|| *H5P_CLS_FILE_ACCESS)?;
        // Closing the file closes the ids of its objects too: handles that are still there are refused by the library.
        h5!(H5Pset_fclose_degree(list.get(), H5F_CLOSE_STRONG))?;
        let low = match self.bound {
            LibraryBound::V18 => H5F_LIBVER_V18,
            LibraryBound::V110 => H5F_LIBVER_V110,
        };
        h5!(H5Pset_libver_bounds(list.get(), low, H5F_LIBVER_V110))?;
        if self.uncached {
            h5!(H5Pset_cache(list.get(), 0, 521, 0, 0.75))?;
        }
        Ok(list)
    }

    fn memory_access(&self) -> Result<Id> {
        let list = self.access()?;
        h5!(H5Pset_fapl_core(list.get(), 1 << 20, 0))?;
        Ok(list)
    }

    fn creation(&self) -> Result<Id> {
        let list = props::new(|| *H5P_CLS_FILE_CREATE)?;
        h5!(H5Pset_obj_track_times(list.get(), 0))?;
        if self.track_order {
            props::track(list.get(), true)?;
        }
        Ok(list)
    }
}

pub(super) fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| error!(InvalidArgument, "the name of a file cannot hold a NUL"))
}

/// A name for a file that is nowhere: no two open files may have one name.
fn memory_name() -> CString {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    CString::new(format!("memh5-memory-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))).unwrap_or_default()
}

/// The library empties a file before it tries the lock; so the lock is tried first.
fn check_free(path: &Path) -> Result<()> {
    let Ok(file) = File::options().write(true).open(path) else { return Ok(()) }; // the library tells why
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(locked(path)),
        Ok(()) => {
            // Not by closing: a process that another thread is just starting would keep the lock until its program runs.
            let _ = file.unlock();
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

fn locked(path: &Path) -> Error {
    error!(Locked, "the file is locked: {}", holder::describe(path))
        .remedy("close it there first; if no program has it open (a file system without locks), set HDF5_USE_FILE_LOCKING=FALSE")
}

/// A file with the mark of a writer.
pub(super) fn marked(path: &Path) -> Error {
    let clear = format!("if it died, `h5clear -s {}`, a tool of HDF5, takes the mark away", path.display());
    if signature::swmr_mark(path) {
        return error!(Locked, "the file is marked as open by a SWMR writer, which has it open, or died without closing it")
            .remedy(format!("while it writes, open the file with the option swmr, for reading; {clear}"));
    }
    error!(Locked, "the file is marked as open for writing, by a program that has it open, or by one that died")
        .remedy(format!("close it there; {clear}"))
}

/// What the library's failure to open a file means.
pub(super) fn explain(error: Error, path: &Path) -> Error {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    if has("unable to lock file") {
        return locked(path).because(error);
    }
    if has("h5clear") || has("SWMR access flag") {
        return marked(path).because(error);
    }
    if has("already open") {
        return error!(Locked, "the file is open already in this process").remedy("close it there first").because(error);
    }
    if has("truncated file") {
        return error!(Corrupt, "the file is truncated: it ends before its content does")
            .remedy("get a complete copy of it; it was not closed by its writer, or not copied to its end")
            .because(error);
    }
    if has("os error 13)") || has("os error 30)") || has("os error 1)") {
        return error!(Io, "permission denied").remedy("check the permissions of the file and its directory").because(error);
    }
    if error.kind() == ErrorKind::Corrupt {
        return error!(Corrupt, "the HDF5 library cannot read the file").because(error);
    }
    error
}

/// An open HDF5 file.
///
/// The tree is at [`root`](Hdf5File::root). The file is closed by [`close`](Hdf5File::close) or
/// [`close_tree`](crate::tree::Group::close_tree), which tell of a failure, or with the last handle of its objects.
///
/// ```
/// use memh5::format::hdf5::Hdf5File;
/// use memh5::prelude::*;
/// let file = Hdf5File::in_memory()?;
/// file.root()?.create_dataset("vis").write(vec![1.0, 2.0])?;
/// let bytes = file.to_bytes()?;
/// let again = Hdf5File::from_bytes(&bytes)?;
/// assert_eq!(again.root()?.dataset("vis")?.read::<f64>()?.len(), 2);
/// again.close()?;
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Hdf5File {
    file: Arc<OpenFile>,
}

impl Hdf5File {
    fn of(file: OpenFile) -> Result<Self> {
        Ok(Self { file: Arc::new(file) })
    }

    /// Options for opening or making a file.
    pub fn options() -> Hdf5Options {
        Hdf5Options::default()
    }

    /// Opens or makes a file.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Locked`, `Corrupt`, `Io`, each with the file and what to do.
    pub fn open(path: impl AsRef<Path>, mode: Mode) -> Result<Self> {
        Self::options().open(path, mode)
    }

    /// Makes a file; one that is there is replaced.
    ///
    /// # Errors
    /// As [`open`](Hdf5File::open).
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        Self::open(path, Mode::Truncate)
    }

    /// Makes a file that is in memory only; [`to_bytes`](Hdf5File::to_bytes) gives its bytes.
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn in_memory() -> Result<Self> {
        Self::options().in_memory()
    }

    /// Opens the bytes of a file, as a copy in memory that can be written.
    ///
    /// # Errors
    /// `Corrupt` if they are not those of an HDF5 file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::options().open_bytes(bytes)
    }

    /// The bytes of the file as it is now.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`, `Io`.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.file.image()
    }

    /// The root group.
    ///
    /// # Errors
    /// `Closed`, `Corrupt`.
    pub fn root(&self) -> Result<Hdf5Group> {
        self.file.reading(|| {
            let id: hid_t = h5!(H5Gopen2(self.file.id(), c"/".as_ptr(), H5P_DEFAULT))?;
            Ok(Hdf5Group::new(Handle::new(&self.file, Id::own(id), Some("/".into()))))
        })
    }

    /// Hands what was written to the operating system.
    ///
    /// # Errors
    /// `Io`; the file refuses further writes then.
    pub fn flush(&self) -> Result<()> {
        self.file.flush()
    }

    /// Writes everything and closes the file; all handles of its objects refuse work after.
    ///
    /// # Errors
    /// What the library or the file system says; the file is not complete then.
    pub fn close(self) -> Result<()> {
        self.file.close()
    }
}

impl Hdf5Group {
    /// Opens the bytes of a file, as a copy in memory that can be written; gives its root.
    ///
    /// # Errors
    /// `Corrupt` if they are not those of an HDF5 file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Hdf5Group> {
        Hdf5File::from_bytes(bytes)?.root()
    }

    /// The bytes of the file as it is now.
    ///
    /// # Errors
    /// `Closed`, `Poisoned`, `Io`.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        self.handle().file().image()
    }
}
