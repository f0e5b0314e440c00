//! A file driver for the C library, over a [`State`].

use super::state::State;
use crate::error::Result;
use crate::format::hdf5::ffi::{h5, hid_t, library};
use hdf5_sys::h5fd::H5FDregister;
use parking_lot::Mutex;
use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, OnceLock};

type Any = Option<unsafe extern "C" fn()>;
type Herr = c_int;

/// The class of a driver, as the library's headers declare it: `H5FD_class_t`. (The declaration of the bindings is that of another version.)
#[repr(C)]
struct Class {
    #[cfg(hdf5_1_14)]
    version: c_uint,
    #[cfg(hdf5_1_14)]
    value: c_int,
    name: *const c_char,
    maxaddr: u64,
    fc_degree: c_int,
    terminate: Any,
    sb_size: Any,
    sb_encode: Any,
    sb_decode: Any,
    fapl_size: usize,
    fapl_get: Any,
    fapl_copy: Any,
    fapl_free: Any,
    dxpl_size: usize,
    dxpl_copy: Any,
    dxpl_free: Any,
    open: Option<unsafe extern "C" fn(*const c_char, c_uint, hid_t, u64) -> *mut Driver>,
    close: Option<unsafe extern "C" fn(*mut Driver) -> Herr>,
    cmp: Any,
    query: Option<unsafe extern "C" fn(*const Driver, *mut c_ulong) -> Herr>,
    get_type_map: Any,
    alloc: Any,
    free: Any,
    get_eoa: Option<unsafe extern "C" fn(*const Driver, c_int) -> u64>,
    set_eoa: Option<unsafe extern "C" fn(*mut Driver, c_int, u64) -> Herr>,
    get_eof: Option<unsafe extern "C" fn(*const Driver, c_int) -> u64>,
    get_handle: Any,
    read: Option<unsafe extern "C" fn(*mut Driver, c_int, hid_t, u64, usize, *mut c_void) -> Herr>,
    write: Option<unsafe extern "C" fn(*mut Driver, c_int, hid_t, u64, usize, *const c_void) -> Herr>,
    #[cfg(hdf5_1_14)]
    vectors: [Any; 4],
    flush: Any,
    truncate: Any,
    lock: Any,
    unlock: Any,
    #[cfg(hdf5_1_14)]
    del: Any,
    #[cfg(hdf5_1_14)]
    ctl: Any,
    fl_map: [c_int; 7],
}

/// An open file: first what the library keeps for itself (`H5FD_t`, with more room than any version takes), then ours.
#[repr(C)]
struct Driver {
    library: [u64; 64],
    state: Arc<Mutex<State>>,
}

/// A memory type of the library: elements of datasets.
const RAW: c_int = 3;
/// Free space of metadata and of elements is kept apart, as the library's own driver does.
const DICHOTOMY: [c_int; 7] = [1, 1, 1, RAW, RAW, 1, 1];
/// Metadata and small data are gathered, and the file is one that the usual driver reads.
const FEATURES: c_ulong = 0x01 | 0x06 | 0x08 | 0x10 | 0x8000;
const CLOSE_WEAK: c_int = 1;

/// The state that the next file is opened over. Set and taken under the library's lock.
static NEXT: Mutex<Option<Arc<Mutex<State>>>> = Mutex::new(None);

/// The state behind a file of the library.
///
/// # Safety
/// The library hands back what `open` gave it, and `close` has not been called.
unsafe fn state<'a>(file: *const Driver) -> Option<&'a Arc<Mutex<State>>> {
    // SAFETY: as the caller promises.
    unsafe { file.as_ref() }.map(|d| &d.state)
}

unsafe extern "C" fn open(_name: *const c_char, _flags: c_uint, _fapl: hid_t, _maxaddr: u64) -> *mut Driver {
    match NEXT.lock().clone() {
        Some(state) => Box::into_raw(Box::new(Driver { library: [0; 64], state })),
        None => null_mut(),
    }
}

unsafe extern "C" fn close(file: *mut Driver) -> Herr {
    if !file.is_null() {
        // SAFETY: it is what `open` has made, and the library does not use it any more.
        drop(unsafe { Box::from_raw(file) });
    }
    0
}

unsafe extern "C" fn query(_file: *const Driver, flags: *mut c_ulong) -> Herr {
    // SAFETY: the library gives room for the answer, or null.
    if let Some(flags) = unsafe { flags.as_mut() } {
        *flags = FEATURES;
    }
    0
}

unsafe extern "C" fn get_eoa(file: *const Driver, _type: c_int) -> u64 {
    // SAFETY: called by the library with an open file.
    unsafe { state(file) }.map_or(u64::MAX, |s| s.lock().eoa)
}

unsafe extern "C" fn set_eoa(file: *mut Driver, _type: c_int, eoa: u64) -> Herr {
    // SAFETY: called by the library with an open file.
    let Some(state) = (unsafe { state(file) }) else { return -1 };
    state.lock().eoa = eoa;
    0
}

unsafe extern "C" fn get_eof(file: *const Driver, _type: c_int) -> u64 {
    // SAFETY: called by the library with an open file.
    unsafe { state(file) }.map_or(u64::MAX, |s| s.lock().len())
}

unsafe extern "C" fn read(file: *mut Driver, _type: c_int, _dxpl: hid_t, at: u64, size: usize, buffer: *mut c_void) -> Herr {
    // SAFETY: called by the library with an open file.
    let Some(state) = (unsafe { state(file) }) else { return -1 };
    if size == 0 {
        return 0;
    }
    if buffer.is_null() || isize::try_from(size).is_err() {
        return -1;
    }
    // SAFETY: the library gives a buffer of that size, which nobody else uses during the call; all of it is overwritten, and none of it read before.
    let out = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), size) };
    if state.lock().read(at, out).is_ok() { 0 } else { -1 }
}

unsafe extern "C" fn write(file: *mut Driver, kind: c_int, _dxpl: hid_t, at: u64, size: usize, buffer: *const c_void) -> Herr {
    // SAFETY: called by the library with an open file.
    let Some(state) = (unsafe { state(file) }) else { return -1 };
    if size == 0 {
        return 0;
    }
    if buffer.is_null() || isize::try_from(size).is_err() {
        return -1;
    }
    // SAFETY: the library gives a buffer of that size, which does not change during the call.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), size) };
    // A failure is kept for the commit, and not told to the library: it would go on with what it could not write, and harm the process at the end.
    state.lock().write(at, bytes, kind == RAW);
    0
}

/// The driver's number in the library.
fn driver() -> Result<hid_t> {
    static DRIVER: OnceLock<hid_t> = OnceLock::new();
    const NAME: &CStr = c"memh5_transaction";
    if let Some(id) = DRIVER.get() {
        return Ok(*id);
    }
    let class = Class {
        #[cfg(hdf5_1_14)]
        version: 1,
        // One of those that the library leaves to drivers under test.
        #[cfg(hdf5_1_14)]
        value: 386,
        name: NAME.as_ptr(),
        maxaddr: i64::MAX as u64,
        fc_degree: CLOSE_WEAK,
        terminate: None,
        sb_size: None,
        sb_encode: None,
        sb_decode: None,
        fapl_size: 0,
        fapl_get: None,
        fapl_copy: None,
        fapl_free: None,
        dxpl_size: 0,
        dxpl_copy: None,
        dxpl_free: None,
        open: Some(open),
        close: Some(close),
        // So two openings are never one file: each has a transaction of its own.
        cmp: None,
        query: Some(query),
        get_type_map: None,
        alloc: None,
        free: None,
        get_eoa: Some(get_eoa),
        set_eoa: Some(set_eoa),
        get_eof: Some(get_eof),
        get_handle: None,
        read: Some(read),
        write: Some(write),
        #[cfg(hdf5_1_14)]
        vectors: [None; 4],
        flush: None,
        truncate: None,
        lock: None,
        unlock: None,
        #[cfg(hdf5_1_14)]
        del: None,
        #[cfg(hdf5_1_14)]
        ctl: None,
        fl_map: DICHOTOMY,
    };
    // The library copies the class.
    let id = h5!(H5FDregister((&raw const class).cast()))?;
    Ok(*DRIVER.get_or_init(|| id))
}

/// Opens a file of the library over a state: the function gets the driver's number, and opens one file.
pub(super) fn open_over<T>(state: &Arc<Mutex<State>>, open: impl FnOnce(hid_t) -> Result<T>) -> Result<T> {
    library(|| {
        let driver = driver()?;
        *NEXT.lock() = Some(Arc::clone(state));
        let opened = open(driver);
        NEXT.lock().take();
        opened
    })
}
