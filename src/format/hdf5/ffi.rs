//! The door to the C library: every call goes through [`h5!`], which holds the library's one lock and turns a failure into an [`Error`].

use crate::error::{Error, ErrorKind, Result};
use hdf5_sys::h5e::{H5E_DEFAULT, H5E_WALK_UPWARD, H5E_error2_t, H5Eclear2, H5Ewalk2};
use hdf5_sys::h5i::H5Idec_ref;
pub(super) use hdf5_sys::h5i::hid_t;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

/// Holds the library's lock while the function runs. It may be taken again within.
///
/// Locks of our own are taken inside only, so that all threads take them in one order.
pub(super) fn library<T>(f: impl FnOnce() -> T) -> T {
    hdf5::sync::sync(f)
}

/// What a call of the library returns: does it tell of a failure?
pub(super) trait Status: Copy {
    fn failed(self) -> bool;
}
impl Status for c_int {
    fn failed(self) -> bool {
        self < 0
    }
}
impl Status for i64 {
    fn failed(self) -> bool {
        self < 0
    }
}
impl Status for isize {
    fn failed(self) -> bool {
        self < 0
    }
}
impl Status for usize {
    fn failed(self) -> bool {
        self == 0
    }
}
impl<T> Status for *mut T {
    fn failed(self) -> bool {
        self.is_null()
    }
}

/// Calls the library under its lock; a failure is an error with the library's own words.
macro_rules! h5 {
    ($call:expr) => {
        $crate::format::hdf5::ffi::call(|| {
            // SAFETY: the library is initialised and locked. Ids come from `Id`, which owns them (an id that was closed is refused by
            // the library). Pointers come from values that live through the call, of the sizes that the call is told or knows.
            unsafe { $call }
        })
    };
}
pub(super) use h5;

pub(super) fn call<T: Status>(f: impl FnOnce() -> T) -> Result<T> {
    library(|| {
        let status = f();
        if status.failed() { Err(last_error()) } else { Ok(status) }
    })
}

/// An id of the library, given back when dropped.
#[derive(Debug)]
pub(super) struct Id {
    id: hid_t,
    owned: bool,
}

impl Id {
    /// Owns the id that a call has returned.
    pub(super) fn own(id: hid_t) -> Self {
        Self { id, owned: true }
    }

    /// An id that the library keeps for itself, as those of its predefined types.
    pub(super) fn predefined(id: hid_t) -> Self {
        Self { id, owned: false }
    }

    pub(super) fn get(&self) -> hid_t {
        self.id
    }
}

impl Id {
    /// Gives the id back, and tells of a failure: closing a dataset writes what its cache holds.
    pub(super) fn close(mut self) -> Result<()> {
        let owned = std::mem::take(&mut self.owned);
        if owned { h5!(H5Idec_ref(self.id)).map(drop) } else { Ok(()) }
    }
}

impl Drop for Id {
    fn drop(&mut self) {
        if self.owned {
            // The id may be closed already, with its file; there is nobody to tell.
            let _ = h5!(H5Idec_ref(self.id));
        }
    }
}

/// A name for the library.
pub(super) fn c_name(name: &str) -> Result<CString> {
    CString::new(name).map_err(|_| Error::new(ErrorKind::InvalidName, format!("the name {name:?} holds a NUL, which HDF5 cannot store")))
}

/// The text of a C string of the library, if it is UTF-8.
///
/// # Safety
/// The pointer is null or leads to a C string that lives through the call.
pub(super) unsafe fn text(at: *const c_char) -> Option<String> {
    if at.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(at) }.to_str().ok().map(str::to_owned)
}

/// Calls a function of the form `f(buffer, size) -> length` for a text.
pub(super) fn sized_text(f: impl Fn(*mut c_char, usize) -> Result<isize>) -> Result<Vec<u8>> {
    let mut small = [0u8; 256];
    let len = f(small.as_mut_ptr().cast(), small.len())? as usize;
    if len < small.len() {
        return Ok(small[..len].to_vec());
    }
    let mut large = vec![0u8; len + 1];
    f(large.as_mut_ptr().cast(), large.len())?;
    large.truncate(len);
    Ok(large)
}

unsafe extern "C" fn collect(_n: c_uint, error: *const H5E_error2_t, out: *mut c_void) -> c_int {
    // SAFETY: the library hands over its own record, and the vector that last_error passed in.
    unsafe {
        if let (Some(error), Some(out)) = (error.as_ref(), out.cast::<Vec<String>>().as_mut()) {
            let describe = |at: *const c_char| if at.is_null() { String::new() } else { CStr::from_ptr(at).to_string_lossy().into_owned() };
            out.push(describe(error.desc));
        }
    }
    0
}

/// The error that the library's stack tells of, innermost message first. Clears the stack.
fn last_error() -> Error {
    let mut stack: Vec<String> = Vec::new();
    // SAFETY: called under the lock right after a failure; the callback gets the vector, which lives through the call.
    unsafe {
        H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, Some(collect), (&raw mut stack).cast());
        H5Eclear2(H5E_DEFAULT);
    }
    describe(&stack)
}

/// What a text of the library means for the caller.
const MEANINGS: &[(&str, ErrorKind)] = &[
    ("unable to lock file", ErrorKind::Locked),
    ("unable to truncate a file which is already open", ErrorKind::Locked),
    ("file is already open", ErrorKind::Locked),
    ("No space left", ErrorKind::Io),
    ("errno = ", ErrorKind::Io),
    ("is not registered", ErrorKind::Unsupported),
    ("filter was not enabled", ErrorKind::Unsupported),
    ("unable to open required plugin", ErrorKind::Unsupported),
    ("can't find plugin", ErrorKind::Unsupported),
    ("encoder is not available", ErrorKind::Unsupported),
    ("bad version number", ErrorKind::Unsupported),
    ("no write intent", ErrorKind::ReadOnly),
    ("name already exists", ErrorKind::AlreadyExists),
    ("already exists", ErrorKind::AlreadyExists),
    ("doesn't exist", ErrorKind::NotFound),
    ("can't locate attribute", ErrorKind::NotFound),
    ("object header message is too large", ErrorKind::Unsupported),
    ("larger than maximum", ErrorKind::Shape),
    ("unable to allocate", ErrorKind::Io),
    ("memory allocation failed", ErrorKind::Io),
    ("not a location", ErrorKind::Closed),
    ("not a dataset", ErrorKind::Closed),
    ("not a group", ErrorKind::Closed),
    ("invalid location identifier", ErrorKind::Closed),
];

/// A text of the library without what tells a user nothing: the time (with a line break), addresses, the descriptor.
fn tidy(text: &str) -> String {
    let Some((head, tail)) = text.split_once("errno = ") else { return text.replace('\n', " ") };
    let head = head.split_once("time = ").map_or(head, |(what, _)| what);
    let code: String = tail.chars().take_while(char::is_ascii_digit).collect();
    format!("{}errno = {code}", head.replace('\n', " "))
}

fn describe(stack: &[String]) -> Error {
    let Some(inner) = stack.first() else { return Error::new(ErrorKind::Io, "the HDF5 library failed and did not say why") };
    let kind = MEANINGS.iter().find(|(text, _)| stack.iter().any(|s| s.contains(text))).map_or(ErrorKind::Corrupt, |(_, kind)| *kind);
    let told = MEANINGS.iter().find_map(|(text, _)| stack.iter().find(|s| s.contains(text))).unwrap_or(inner);
    let message = match stack.last() {
        Some(outer) if outer != told => format!("the HDF5 library says: {}: {}", tidy(outer), tidy(told)),
        _ => format!("the HDF5 library says: {}", tidy(told)),
    };
    let mut error = Error::new(kind, message);
    if stack.iter().any(|s| s.contains("bad version number") || s.contains("version number out of range")) {
        error = error.remedy("it may be made for a later HDF5 than this build has (the feature 'static-hdf5' brings one), or be damaged");
    }
    if stack.iter().any(|s| s.contains("required filter") && s.contains("is not registered")) {
        error = error.remedy("let HDF5_PLUGIN_PATH name the directory of a plug-in for the filter (that of Python's hdf5plugin will do)");
    }
    let os = stack.iter().find_map(|s| s.split_once("errno = ")).and_then(|(_, rest)| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<i32>().ok()
    });
    match os {
        Some(code) => error.because(std::io::Error::from_raw_os_error(code)),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdf5_sys::h5t::{H5Tcopy, H5Tget_size};

    #[test]
    fn failures_become_errors() {
        let error = h5!(H5Tget_size(-5)).unwrap_err();
        assert!(error.message().contains("HDF5"), "{error}");
        let id = Id::own(h5!(H5Tcopy(*hdf5_sys::h5t::H5T_STD_I8LE)).unwrap());
        assert_eq!(h5!(H5Tget_size(id.get())).unwrap(), 1);
        let error = describe(&["file write failed: errno = 28, error message = 'No space left on device'".into(), "can't write".into()]);
        assert_eq!(error.kind(), ErrorKind::Io);
        let told = "file write failed: time = Sat Nov 21 05:10:20 2026\n, filename = 'x.h5', file descriptor = 3, errno = 28, error message = 'No space left on device', buf = 0x7f, total write size = 96";
        let error = describe(&[told.into(), "unable to flush".into()]);
        assert_eq!(error.message(), "the HDF5 library says: unable to flush: file write failed: errno = 28");
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert_eq!(describe(&["required filter 'x' is not registered".into()]).kind(), ErrorKind::Unsupported);
    }
}
