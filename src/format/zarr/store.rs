//! Where the files of a store are: a directory, or a zip archive for reading.
//!
//! A key is a path with slashes, relative to the root of the store.

use super::directory::Directory;
use super::zip::Archive;
use crate::error::{Result, bail, error};

/// The files of a store.
#[derive(Debug)]
pub(super) enum Store {
    Directory(Directory),
    Zip(Archive),
}

/// A name in a directory of the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) is_dir: bool,
}

/// Joins two keys, of which either may be empty.
pub(super) fn join(base: &str, name: &str) -> String {
    match (base.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => base.to_owned(),
        _ => format!("{base}/{name}"),
    }
}

impl Store {
    /// The directory, for what writes.
    pub(super) fn directory(&self) -> Result<&Directory> {
        match self {
            Self::Directory(directory) => Ok(directory),
            Self::Zip(_) => {
                Err(error!(ReadOnly, "a zip store is open for reading only").remedy("copy it to a directory store, and write that"))
            }
        }
    }

    /// The whole value of a key; `None` if there is none.
    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Directory(directory) => directory.get(key),
            Self::Zip(archive) => archive.get(key),
        }
    }

    /// The whole value of a key at the beginning of a buffer, which grows if it has to; its length, or `None` if there is none.
    pub(super) fn get_reusing(&self, key: &str, buffer: &mut Vec<u8>) -> Result<Option<usize>> {
        match self {
            Self::Directory(directory) => directory.get_reusing(key, buffer),
            Self::Zip(archive) => Ok(archive.get(key)?.map(|value| {
                *buffer = value;
                buffer.len()
            })),
        }
    }

    /// The first bytes of a value into a buffer that has to be filled, and the length of the value; `None` if there is none.
    pub(super) fn get_into(&self, key: &str, out: &mut [u8]) -> Result<Option<u64>> {
        match self {
            Self::Directory(directory) => directory.get_into(key, out),
            Self::Zip(archive) => {
                let Some(value) = archive.get(key)? else { return Ok(None) };
                let Some(head) = value.get(..out.len()) else { bail!(Corrupt, "'{key}' has {} bytes only", value.len()) };
                out.copy_from_slice(head);
                Ok(Some(value.len() as u64))
            }
        }
    }

    /// True if there is a value.
    pub(super) fn exists(&self, key: &str) -> Result<bool> {
        match self {
            Self::Directory(directory) => directory.exists(key),
            Self::Zip(archive) => Ok(archive.contains(key)),
        }
    }

    /// The names directly below a key, in no order.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Entry>> {
        match self {
            Self::Directory(directory) => directory.list(key),
            Self::Zip(archive) => Ok(archive.list(key)),
        }
    }
}
