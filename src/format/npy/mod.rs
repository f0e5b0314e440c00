//! numpy's `.npy` files: one array, behind a header that says its type and shape.
//!
//! [`read()`] and [`write()`] are for whole arrays; the saver [`NumpySaver`](crate::saver::NumpySaver) grows and changes files in place; [`recover`] makes
//! the header and the length of a file agree again.
//!
//! Versions 1, 2 and 3 of the format are read; what is written is of version 1 where it can be, as numpy does. Numbers in either byte order,
//! complex numbers, bool, `S` and `U` text, times, raw bytes and structured types with nested fields, sub-arrays and padding go there and back.
//! Pickled objects, which only Python can read, are refused. An array in Fortran order is read into C order.
//!
//! ```
//! use memh5::format::npy;
//! use memh5::AnyArray;
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("a.npy");
//! npy::write(&path, vec![1.5, 2.5])?;
//! assert_eq!(npy::read(&path)?, AnyArray::from(vec![1.5, 2.5]));
//! # Ok::<(), memh5::Error>(())
//! ```

mod codec;
mod descr;
mod file;
mod header;
mod literal;

pub(crate) use descr::suited;
pub(crate) use file::{Content, NpyFile};
pub use header::NpyHeader;

use crate::array::{AnyArray, IntoArray};
use crate::error::{Error, ErrorKind, Result};
use crate::publish::{FileSystem, OpenMode, OsFileSystem, journal, lock_file, publish_file, retry};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Reads the header of a file.
///
/// # Errors
/// `NotFound`, `Io`; `Corrupt` if it is no `.npy` file; `Dtype` for pickled objects.
pub fn header(path: impl AsRef<Path>) -> Result<NpyHeader> {
    let path = path.as_ref();
    let open = || Ok(NpyFile::open(&OsFileSystem, path, OpenMode::Read)?.header().clone());
    whole(&shared(), path, TIMEOUT, open).map_err(|e: Error| e.in_file(path).during("read the header"))
}

/// Reads the array of a file.
///
/// # Errors
/// As [`header`]; `Corrupt` if the file ends before its elements do.
pub fn read(path: impl AsRef<Path>) -> Result<AnyArray> {
    let path = path.as_ref();
    let read = || NpyFile::open(&OsFileSystem, path, OpenMode::Read)?.read();
    whole(&shared(), path, TIMEOUT, read).map_err(|e| e.in_file(path).during("read the array"))
}

/// How long a reader waits for a writer who is changing the file in place.
const TIMEOUT: Duration = Duration::from_secs(30);

fn shared() -> Arc<dyn FileSystem> {
    Arc::new(OsFileSystem)
}

/// Reads a file that nobody is changing in place: where somebody is, or has died in the middle of it, waits for him, and finishes what he began.
pub(crate) fn whole<T>(fs: &Arc<dyn FileSystem>, path: &Path, timeout: Duration, read: impl Fn() -> Result<T>) -> Result<T> {
    let settled = || match journal::path_of(path) {
        Some(journal) => fs.exists(&journal).map(|there| !there).map_err(|e| Error::io(e, &journal)),
        None => Ok(true),
    };
    if settled()? {
        let found = read();
        // A journal comes before the first change, and goes after the last one.
        match &found {
            Err(e) if e.kind() == ErrorKind::Corrupt => {}
            _ if settled()? => return found,
            _ => {}
        }
    }
    // (In a directory where no lock can be made, there is only to be told what was found.)
    match lock_file(path).timeout(timeout).shared_file_system(Arc::clone(fs)).acquire() {
        Ok(guard) => {
            journal::recover(&**fs, guard.target()).map_err(|e| Error::io(e, path))?;
            read()
        }
        Err(e) if e.kind() == ErrorKind::Locked => Err(e),
        Err(_) => read(),
    }
}

/// Writes an array to a file, which is complete or not there. The path is the exact one: no suffix is added.
///
/// # Errors
/// `Dtype` if numpy has no type for the elements, `Shape` for a null array, and as [`publish_file`].
pub fn write(path: impl AsRef<Path>, data: impl IntoArray) -> Result<()> {
    let path = path.as_ref();
    let write = || {
        let data = data.into_array()?;
        let content = Content::new(&data, suited(data.dtype(), Some(&data))?)?;
        publish_file(path, |tmp| content.write_to(&OsFileSystem, tmp))
    };
    write().map_err(|e| e.in_file(path).during("write the array"))
}

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// The length of axis 0 by the header that was found.
    pub rows_before: usize,
    /// The length of axis 0 now.
    pub rows: usize,
    /// Bytes behind the last row, which were cut off.
    pub cut: u64,
}

/// Makes the header and the length of a file agree, after a crash, a power failure or a copy that was cut: finishes an update that was begun, cuts off
/// what stands behind the rows of the header, which nobody was told is saved, and where rows of the header are missing, shortens axis 0 to the whole
/// rows that are there.
///
/// # Errors
/// `Corrupt` if the header itself is cut or damaged; `Unsupported` for a file in Fortran order of which rows are missing, since each of its rows
/// is spread over the file; `Locked` if somebody is writing the file.
pub fn recover(path: impl AsRef<Path>) -> Result<Recovered> {
    let path = path.as_ref();
    let recover = || {
        let fs = OsFileSystem;
        retry(|| fs.info(path)).map_err(|e| Error::io(e, path))?;
        let guard = lock_file(path).acquire()?;
        journal::recover(&fs, guard.target()).map_err(|e| Error::io(e, path))?;
        let found = NpyFile::open(&fs, path, OpenMode::ReadWrite)?.agree()?;
        guard.rollback()?;
        Ok(found)
    };
    recover().map_err(|e: Error| e.in_file(path).during("recover the file"))
}
