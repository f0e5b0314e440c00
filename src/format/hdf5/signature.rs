//! Which files are HDF5: the signature stands at the beginning, or behind a user block of 512 bytes, 1024, 2048 and so on.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";

/// True if the file has the signature.
///
/// # Errors
/// `NotFound`, `Io` if it cannot be read.
pub(super) fn is_there(path: &Path) -> Result<bool> {
    let fail = |e| Error::io(e, path);
    let mut file = File::open(path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    let mut at = 0u64;
    while at + 8 <= size {
        let mut bytes = [0; 8];
        file.seek(SeekFrom::Start(at)).map_err(fail)?;
        file.read_exact(&mut bytes).map_err(fail)?;
        if bytes == SIGNATURE {
            return Ok(true);
        }
        at = if at == 0 { 512 } else { at * 2 };
    }
    Ok(false)
}
