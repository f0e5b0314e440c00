//! Opening what is read, and finding objects in it.

use crate::signs::Signs;
use crate::transfer::Plan;
use memh5::tree::{GroupRef, Mode, Node};
use memh5::{Error, ErrorKind, MemGroup, Result, format, prelude::*};
use std::path::Path;
use std::sync::Arc;

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<GroupRef> {
    if path.is_dir() {
        let error = Error::new(ErrorKind::Unsupported, "it is a directory, and this build reads files only");
        return Err(error.in_file(path).remedy("name a file in it"));
    }
    if !path.exists() {
        // A name that claims no format would else be opened as one.
        return Err(Error::io(std::fs::metadata(path).err().unwrap_or_else(|| std::io::ErrorKind::NotFound.into()), path));
    }
    format::open(path, Mode::Read)
}

/// The object at a path below the root; the root itself for `/` and an empty path.
pub fn find(root: &GroupRef, object: &str, file: &Path) -> Result<Node> {
    if object.trim_matches('/').is_empty() && !object.contains('\0') {
        return Ok(Node::Group(root.clone()));
    }
    root.get(object).map_err(|e| e.in_file(file).remedy(format!("'memh5 tree {}' shows what is there", file.display())))
}

/// A copy of the tree in memory.
pub fn in_memory(root: &GroupRef, signs: &mut Signs) -> Result<GroupRef> {
    let copy: GroupRef = Arc::new(if root.group_spec()?.track_order { MemGroup::tracked() } else { MemGroup::new() });
    Plan::default().run(root, &copy, signs)?;
    Ok(copy)
}
