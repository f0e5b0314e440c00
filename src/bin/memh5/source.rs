//! Opening what is read, and finding objects in it.

use crate::signs::Signs;
use crate::transfer::Plan;
use memh5::tree::{GroupRef, Mode, Node};
use memh5::{Error, ErrorKind, MemGroup, Result, format, prelude::*};
use std::path::Path;
use std::sync::Arc;

/// Opens a file for reading.
pub fn open(path: &Path) -> Result<GroupRef> {
    if path.is_dir() && !is_store(path) {
        let error = Error::new(ErrorKind::Unsupported, "it is a directory, and no store of a format of this build");
        return Err(error.in_file(path).remedy("name a file in it"));
    }
    if !path.exists() {
        // A name that claims no format would else be opened as one.
        return Err(Error::io(std::fs::metadata(path).err().unwrap_or_else(|| std::io::ErrorKind::NotFound.into()), path));
    }
    format::open(path, Mode::Read)
}

/// True if a directory is a store of a format of this build.
pub fn is_store(path: &Path) -> bool {
    format::formats().iter().any(|f| f.recognizes(path).unwrap_or(false))
}

/// The bytes of a file, or of all files in a directory.
pub fn size(path: &Path) -> std::io::Result<u64> {
    let info = std::fs::metadata(path)?;
    if !info.is_dir() {
        return Ok(info.len());
    }
    let (mut total, mut waiting) = (0, vec![path.to_owned()]);
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let info = entry.metadata()?;
            total += info.len();
            if info.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(total)
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
