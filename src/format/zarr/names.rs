//! Which names an object of a store may have.

use super::redo::REDO;
use super::tree::TRASH;
use crate::error::{Result, error};

/// What the format itself calls files, and what we do.
const RESERVED: [&str; 7] = ["zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata", TRASH, REDO];

/// File systems allow so many bytes in a name.
const LONGEST: usize = 255;

/// True if an object may have this name.
pub(super) fn is_possible(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']) && name.len() <= LONGEST && !RESERVED.contains(&name)
}

/// Refuses a new name that a store cannot hold.
pub(super) fn check(name: &str) -> Result<()> {
    if name.len() > LONGEST {
        let short: String = name.chars().take(20).collect();
        return Err(error!(Unsupported, "the name '{short}..' has {} bytes, and a Zarr store allows {LONGEST}", name.len())
            .remedy("give it a shorter name"));
    }
    if !is_possible(name) {
        return Err(error!(Unsupported, "'{name}' cannot be the name of an object: the format Zarr uses it").remedy("give it another name"));
    }
    Ok(())
}
