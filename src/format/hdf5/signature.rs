//! Which files are HDF5: the signature stands at the beginning, or behind a user block of 512 bytes, 1024, 2048 and so on.

use crate::error::{Error, Result, error};
use crate::publish::journal;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No signature: it is something else.
    Nothing,
    /// The signature, so far from the beginning.
    At(u64),
    /// The mark of a transaction that is being brought to the file, or was not brought to its end.
    Unfinished,
}

/// Looks for the signature.
///
/// # Errors
/// `NotFound`, `Io` if it cannot be read.
pub(super) fn find(path: &Path) -> Result<Found> {
    let fail = |e| Error::io(e, path);
    let mut file = File::open(path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    let mut at = 0u64;
    while at + 8 <= size {
        let mut bytes = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(fail)?;
        file.read_exact(&mut bytes).map_err(fail)?;
        if bytes == SIGNATURE {
            return Ok(Found::At(at));
        }
        if bytes == *journal::MARK {
            return Ok(Found::Unfinished);
        }
        at = if at == 0 { 512 } else { at * 2 };
    }
    Ok(Found::Nothing)
}

/// Where the signature of an HDF5 file is.
///
/// # Errors
/// `Corrupt` if there is none.
pub(super) fn check(path: &Path) -> Result<u64> {
    match find(path)? {
        Found::At(at) => Ok(at),
        Found::Nothing => Err(error!(Corrupt, "this is not an HDF5 file: it has no HDF5 signature").remedy("check what wrote it")),
        Found::Unfinished => Err(error!(Corrupt, "a writer has changed the file in part, and is at work or died").remedy(
            "the journal that lies beside the file finishes the work when memh5 opens it where it can write; keep the two together",
        )),
    }
}

/// The marks of writers in a superblock: of one that has the file open, and of one that has in SWMR mode.
pub(super) const WRITERS: u8 = 1 | SWMR;
const SWMR: u8 = 4;

/// True if the superblock says that a writer in SWMR mode has the file open.
pub(super) fn swmr_mark(path: &Path) -> bool {
    let flags = || -> Option<u8> {
        let Found::At(head) = find(path).ok()? else { return None };
        let mut bytes = [0; 12];
        let mut file = File::open(path).ok()?;
        file.seek(SeekFrom::Start(head)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        // Version 3, the first with such marks, has them behind the sizes of numbers.
        (bytes[8] == 3).then_some(bytes[11])
    };
    flags().is_some_and(|flags| flags & SWMR != 0)
}
