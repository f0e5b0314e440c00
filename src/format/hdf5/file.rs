//! An open file, shared by all handles of its tree.

use super::descriptor;
use super::ffi::{Id, h5, hid_t, library};
use super::heap::Pending;
use super::names::Names;
use crate::error::{Error, ErrorKind, Result, error};
use crate::tree::Location;
use hdf5_sys::h5f::{H5F_SCOPE_GLOBAL, H5Fclose, H5Fflush, H5Fget_file_image};
use parking_lot::Mutex;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// HDF5 trees have numbers with this bit, so that they differ from those of other backends.
const TREE: u64 = 1 << 63;

/// An open file. Closed with the last handle, or by [`close`](OpenFile::close).
#[derive(Debug)]
pub(super) struct OpenFile {
    id: hid_t,
    tree: u64,
    path: Option<PathBuf>,
    writable: bool,
    /// Another program may be writing it.
    changing: bool,
    /// These two change under the library's lock only.
    closed: AtomicBool,
    poisoned: AtomicBool,
    /// Why it is poisoned, if nobody was told yet.
    lost: Mutex<Option<Error>>,
    /// Something was unlinked: references may lead to what is no more.
    deleted: AtomicBool,
    names: Names,
    /// References that are written when the file is closed.
    pending: Pending,
}

impl OpenFile {
    /// Takes over the id of an open file.
    pub(super) fn new(id: hid_t, path: Option<PathBuf>, writable: bool) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if path.is_some() {
            library(|| descriptor::keep_from_children(id));
        }
        let tree = TREE | NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            id,
            tree,
            path,
            writable,
            changing: false,
            closed: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            lost: Mutex::new(None),
            deleted: AtomicBool::new(false),
            names: Names::default(),
            pending: Pending::default(),
        }
    }

    /// Says that another program may be writing it.
    pub(super) fn changing(mut self) -> Self {
        self.changing = true;
        self
    }

    /// True if another program may be writing it: what is known of an object may be old.
    pub(super) fn is_changing(&self) -> bool {
        self.changing
    }

    pub(super) fn id(&self) -> hid_t {
        self.id
    }

    /// The path, if it is a file of the system.
    pub(super) fn path(&self) -> Option<&std::path::Path> {
        self.path.as_deref()
    }

    pub(super) fn tree(&self) -> u64 {
        self.tree
    }

    pub(super) fn location(&self) -> Location {
        Location { backend: "hdf5", file: self.path.clone(), writable: self.writable && !self.is_poisoned() }
    }

    /// True if nothing can ever be written to it.
    pub(super) fn is_read_only(&self) -> bool {
        !self.writable
    }

    /// True if it stays as it is: what is in it can be read past the library.
    pub(super) fn is_still(&self) -> bool {
        !self.writable && !self.changing
    }

    fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn named(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }

    fn check_open(&self) -> Result<()> {
        match (self.is_closed(), self.is_poisoned()) {
            (false, _) => Ok(()),
            (true, false) => Err(error!(Closed, "the file was closed").remedy("open it again")),
            (true, true) => Err(incomplete()),
        }
    }

    /// Runs something that reads, under the library's lock.
    pub(super) fn reading<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        library(|| {
            self.check_open()?;
            f()
        })
        .map_err(|e| self.named(e))
    }

    /// Runs something that writes, under the library's lock. A failure of the operating system poisons the file.
    pub(super) fn writing<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        library(|| {
            if self.is_poisoned() {
                return Err(self.poisoned_error());
            }
            self.check_open()?;
            if !self.writable {
                return Err(error!(ReadOnly, "the file is open for reading only").remedy("open it in the mode r+ or a to write"));
            }
            f().inspect_err(|e| {
                if e.kind() == ErrorKind::Io {
                    self.poison();
                }
            })
        })
        .map_err(|e| self.named(e))
    }

    /// The references that are not in the file yet.
    pub(super) fn pending(&self) -> &Pending {
        &self.pending
    }

    /// The names of the handles.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// True if a reference may lead to what was deleted.
    pub(super) fn has_deleted(&self) -> bool {
        self.deleted.load(Ordering::Relaxed)
    }

    /// Notes that a path leads nowhere any more.
    pub(super) fn unlinked(&self, path: &str) {
        self.deleted.store(true, Ordering::Relaxed);
        self.names.removed(path);
    }

    fn poison(&self) {
        self.poisoned.store(true, Ordering::Relaxed);
    }

    /// Closes an object. What its cache held and could not be written is lost: that poisons the file, and the next call that writes, or the
    /// closing of the file, tells why.
    pub(super) fn close_object(&self, id: Id) {
        library(|| {
            if self.is_closed() {
                // The library closed it with the file.
                return drop(id.close());
            }
            if let Err(e) = id.close()
                && self.writable
            {
                self.poison();
                self.lost.lock().get_or_insert(e);
            }
        });
    }

    /// The error of a file that is poisoned: at first why.
    fn poisoned_error(&self) -> Error {
        self.lost.lock().take().unwrap_or_else(incomplete)
    }

    /// Hands what was written to the operating system.
    pub(super) fn flush(&self) -> Result<()> {
        if !self.writable {
            return self.reading(|| Ok(()));
        }
        self.writing(|| {
            h5!(H5Fflush(self.id, H5F_SCOPE_GLOBAL)).map(drop).inspect_err(|_| self.poison()).map_err(|e| e.during("flush the file"))
        })
    }

    /// Writes everything and closes the file. All ids of its objects are closed with it.
    pub(super) fn close(&self) -> Result<()> {
        library(|| {
            if self.is_closed() {
                return match self.is_poisoned() {
                    true => Err(incomplete()),
                    false => Ok(()),
                };
            }
            let before = self.is_poisoned();
            let flushed = if self.writable { h5!(H5Fflush(self.id, H5F_SCOPE_GLOBAL)).map(drop) } else { Ok(()) };
            // Never tried twice: after a failure the library has given up parts of the file.
            self.closed.store(true, Ordering::Relaxed);
            let lock = self.path.as_ref().and_then(|_| descriptor::lock_of(self.id));
            let closed = h5!(H5Fclose(self.id)).map(drop);
            let result = flushed.and(closed).and_then(|()| self.settle(lock.as_ref()));
            descriptor::unlock(lock);
            if result.is_err() {
                self.poison();
            }
            match self.lost.lock().take() {
                Some(lost) => Err(lost),
                None if before && result.is_ok() => Err(incomplete()),
                None => result,
            }
        })
        .map_err(|e| self.named(e).during("close the file"))
    }

    /// Writes what waits for the library to have closed the file, through a second name of its descriptor.
    fn settle(&self, descriptor: Option<&OwnedFd>) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        match (descriptor.map(OwnedFd::try_clone), &self.path) {
            (Some(Ok(descriptor)), Some(path)) => self.pending.settle(&descriptor.into(), path),
            (Some(Err(e)), Some(path)) => Err(Error::io(e, path)),
            _ => Err(error!(Io, "the file has no descriptor to write its references through")),
        }
    }

    /// The bytes of the file as it is now.
    pub(super) fn image(&self) -> Result<Vec<u8>> {
        if self.writable {
            self.flush()?;
        }
        self.reading(|| {
            let size = h5!(H5Fget_file_image(self.id, std::ptr::null_mut(), 0))? as usize;
            let mut bytes = vec![0u8; size];
            h5!(H5Fget_file_image(self.id, bytes.as_mut_ptr().cast(), size))?;
            super::image::mend(&mut bytes);
            Ok(bytes)
        })
    }
}

fn incomplete() -> Error {
    error!(Poisoned, "an earlier write to the file failed, and it is incomplete").remedy("discard the file and write it anew")
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // Best effort: who wants to know says close().
        let _ = self.close();
    }
}
