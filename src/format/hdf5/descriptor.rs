//! The descriptor below an open file, whose lock must end with the file.
//!
//! The library locks a file by `flock` and leaves the descriptor open to children. A lock belongs to all copies of a descriptor; so a child that
//! another thread starts at the wrong moment would keep a file locked long after it was closed here, and keep the space of a removed one.

use super::ffi::{Id, h5, hid_t};
use super::props;
use crate::error::Result;
use hdf5_sys::h5f::{H5Fget_access_plist, H5Fget_create_plist, H5Fget_vfd_handle};
use hdf5_sys::h5p::{H5P_CLS_FILE_ACCESS, H5P_DEFAULT, H5Pget_driver, H5Pget_sizes, H5Pget_userblock, H5Pset_fapl_sec2};
use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use std::ffi::{c_int, c_void};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Calls the function with the descriptor of an open file, if its driver has one.
pub(super) fn with<T>(id: hid_t, f: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
    let mut handle: *mut c_void = std::ptr::null_mut();
    h5!(H5Fget_vfd_handle(id, H5P_DEFAULT, &raw mut handle)).ok()?;
    let at = handle.cast::<c_int>();
    // SAFETY: for a file on disk, which alone is asked for here, the handle leads to the descriptor, which lives until the file is closed.
    let descriptor = unsafe { at.as_ref().copied() }.filter(|fd| *fd >= 0)?;
    // SAFETY: it is open, and nobody closes it during the call: the library's lock is held.
    Some(f(unsafe { BorrowedFd::borrow_raw(descriptor) }))
}

/// Keeps an open file on disk from programs that this process starts.
pub(super) fn keep_from_children(id: hid_t) {
    with(id, |fd| fcntl_setfd(fd, FdFlags::CLOEXEC));
}

/// A second name for the lock of a file on disk that is about to be closed.
pub(super) fn lock_of(id: hid_t) -> Option<OwnedFd> {
    with(id, |fd| fcntl_dupfd_cloexec(fd, 0).ok()).flatten()
}

/// Ends the lock for all copies of the descriptor, those of children too.
pub(super) fn unlock(lock: Option<OwnedFd>) {
    if let Some(fd) = lock {
        let _ = flock(fd, FlockOperation::Unlock);
    }
}

/// True for a file that the library's usual driver has, whose addresses are places in it: without a user block, and numbers of eight bytes.
pub(super) fn is_usual(id: hid_t) -> bool {
    let usual = || -> Result<bool> {
        let (access, plain) = (Id::own(h5!(H5Fget_access_plist(id))?), props::new(|| *H5P_CLS_FILE_ACCESS)?);
        h5!(H5Pset_fapl_sec2(plain.get()))?;
        let same = h5!(H5Pget_driver(access.get()))? == h5!(H5Pget_driver(plain.get()))?;
        let creation = Id::own(h5!(H5Fget_create_plist(id))?);
        let (mut before, mut address, mut size) = (0, 0, 0);
        h5!(H5Pget_userblock(creation.get(), &raw mut before))?;
        h5!(H5Pget_sizes(creation.get(), &raw mut address, &raw mut size))?;
        Ok(same && (before, address, size) == (0, 8, 8))
    };
    usual().unwrap_or(false)
}

/// Reads that many bytes; `None` if they are not there.
pub(super) fn fill(fd: BorrowedFd<'_>, to: &mut [u8], at: u64) -> Option<()> {
    (fill_some(fd, to, at) == to.len()).then_some(())
}

/// Reads bytes up to the end of the file, and tells how many.
pub(super) fn fill_some(fd: BorrowedFd<'_>, to: &mut [u8], at: u64) -> usize {
    let mut done = 0;
    while let Some(rest) = to.get_mut(done..).filter(|r| !r.is_empty()) {
        match rustix::io::pread(fd, rest, at.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => break,
        }
    }
    done
}
