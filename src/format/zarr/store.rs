//! Where the files of a store are: a directory, or a zip archive for reading.
//!
//! A key is a path with slashes, relative to the root of the store. A file is replaced in one step: written beside its name, then renamed.

use super::zip::Archive;
use crate::error::{Error, Result, bail, error};
use crate::publish::{FileKind, FileSystem, OpenMode};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zarrs::storage::byte_range::{ByteRange, ByteRangeIterator};
use zarrs::storage::{Bytes, MaybeBytesIterator, ReadableStorageTraits, StorageError, StoreKey};

/// The files of a store.
#[derive(Debug)]
pub(super) enum Store {
    Directory(Directory),
    Zip(Archive),
}

/// A directory of a file system.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) root: PathBuf,
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

fn missing(e: &io::Error) -> bool {
    // A part of the path that is a file says "not a directory": nothing is below it.
    // No file has a name that is too long.
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
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

    /// Some bytes of a value; `None` if there is no value.
    fn get_range(&self, key: &str, range: ByteRange) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Directory(directory) => directory.get_range(key, range),
            Self::Zip(archive) => {
                let Some(value) = archive.get(key)? else { return Ok(None) };
                let size = value.len() as u64;
                let (start, end) = (range.start(size) as usize, range.end(size) as usize);
                match value.get(start..end) {
                    Some(part) => Ok(Some(part.to_vec())),
                    None => bail!(Corrupt, "'{key}' is shorter than its index says"),
                }
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

impl Directory {
    pub(super) fn path(&self, key: &str) -> PathBuf {
        if key.is_empty() { self.root.clone() } else { self.root.join(key) }
    }

    fn fail(&self, e: io::Error, path: &Path) -> Error {
        if e.kind() == io::ErrorKind::InvalidFilename {
            return error!(Unsupported, "a name is longer than the file system allows").in_file(path).because(e);
        }
        Error::io(e, path)
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(key);
        let read = || -> io::Result<Vec<u8>> {
            let file = retry(|| self.fs.open(&path, OpenMode::Read))?;
            let info = file.info()?;
            if info.kind == FileKind::Directory {
                return Err(io::ErrorKind::NotFound.into());
            }
            let len = usize::try_from(info.len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            let mut out = Vec::new();
            out.try_reserve_exact(len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            out.resize(len, 0);
            let mut at = 0;
            while at < len {
                match retry(|| file.read_at(out.get_mut(at..).unwrap_or_default(), at as u64))? {
                    0 => break,
                    n => at += n,
                }
            }
            out.truncate(at);
            Ok(out)
        };
        match read() {
            Ok(out) => Ok(Some(out)),
            Err(e) if missing(&e) => Ok(None),
            Err(e) => Err(self.fail(e, &path)),
        }
    }

    fn get_into(&self, key: &str, out: &mut [u8]) -> Result<Option<u64>> {
        let path = self.path(key);
        let mut read = || -> io::Result<u64> {
            let file = retry(|| self.fs.open(&path, OpenMode::Read))?;
            let mut at = 0;
            while at < out.len() {
                match retry(|| file.read_at(out.get_mut(at..).unwrap_or_default(), at as u64))? {
                    0 => return Ok(at as u64),
                    n => at += n,
                }
            }
            Ok(file.info()?.len)
        };
        match read() {
            Ok(len) => Ok(Some(len)),
            Err(e) if missing(&e) => Ok(None),
            Err(e) => Err(self.fail(e, &path)),
        }
    }

    /// Some bytes of a value.
    fn get_range(&self, key: &str, range: ByteRange) -> Result<Option<Vec<u8>>> {
        let path = self.path(key);
        let read = || -> io::Result<Option<Vec<u8>>> {
            let file = retry(|| self.fs.open(&path, OpenMode::Read))?;
            let size = file.info()?.len;
            let (start, end) = (range.start(size), range.end(size));
            if end > size || start > end {
                return Ok(None);
            }
            let len = usize::try_from(end - start).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            let mut out = vec![0; len];
            let mut at = 0;
            while at < len {
                match retry(|| file.read_at(out.get_mut(at..).unwrap_or_default(), start + at as u64))? {
                    0 => return Ok(None),
                    n => at += n,
                }
            }
            Ok(Some(out))
        };
        match read() {
            Ok(Some(out)) => Ok(Some(out)),
            Ok(None) => bail!(Corrupt, "'{key}' is shorter than its index says"),
            Err(e) if missing(&e) => Ok(None),
            Err(e) => Err(self.fail(e, &path)),
        }
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool> {
        let path = self.path(key);
        match retry(|| self.fs.info(&path)) {
            Ok(_) => Ok(true),
            Err(e) if missing(&e) => Ok(false),
            Err(e) => Err(self.fail(e, &path)),
        }
    }

    /// True if there is a file at the key, not a directory.
    pub(super) fn is_file(&self, key: &str) -> Result<bool> {
        let path = self.path(key);
        match retry(|| self.fs.info(&path)) {
            Ok(info) => Ok(info.kind == FileKind::File),
            Err(e) if missing(&e) => Ok(false),
            Err(e) => Err(self.fail(e, &path)),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Vec<Entry>> {
        let path = self.path(key);
        let names = match retry(|| self.fs.read_dir(&path)) {
            Ok(names) => names,
            Err(e) if missing(&e) => return Ok(Vec::new()),
            Err(e) => return Err(self.fail(e, &path)),
        };
        let mut out = Vec::with_capacity(names.len());
        for name in names {
            let Some(text) = name.to_str() else { continue };
            // Following links: a store may be put together from several places.
            let is_dir = match retry(|| self.fs.info(&path.join(&name))) {
                Ok(info) if info.kind == FileKind::Symlink => std::fs::metadata(path.join(&name)).is_ok_and(|m| m.is_dir()),
                Ok(info) => info.kind == FileKind::Directory,
                Err(e) if missing(&e) => continue,
                Err(e) => return Err(self.fail(e, &path)),
            };
            out.push(Entry { name: text.to_owned(), is_dir });
        }
        Ok(out)
    }

    /// Writes a value: the old one or the new one is there at every moment.
    pub(super) fn set(&self, key: &str, bytes: &[u8]) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = self.path(key);
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { bail!(InvalidName, "'{key}' is no key of a store") };
        let temporary =
            dir.join(format!(".{}.{}-{}.tmp", name.to_string_lossy(), std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let write = || -> io::Result<()> {
            let file = match retry(|| self.fs.open(&temporary, OpenMode::CreateNew)) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    self.make_dirs(dir)?;
                    retry(|| self.fs.open(&temporary, OpenMode::CreateNew))?
                }
                other => other?,
            };
            file.write_all_at(bytes, 0)?;
            drop(file);
            retry(|| self.fs.rename(&temporary, &path))
        };
        write().map_err(|e| {
            let _ = self.fs.remove_file(&temporary);
            self.fail(e, &path)
        })
    }

    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        match retry(|| self.fs.create_dir(dir)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Never above the root of the store: that is gone, or was never made.
                let Some(parent) = dir.parent().filter(|p| p.starts_with(&self.root)) else { return Err(e) };
                self.make_dirs(parent)?;
                match retry(|| self.fs.create_dir(dir)) {
                    Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    other => other,
                }
            }
            other => other,
        }
    }

    /// Makes a directory of the store, and those above it within the store.
    pub(super) fn make_dir(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        self.make_dirs(&path).map_err(|e| self.fail(e, &path))
    }

    /// Removes a value; it may be gone already.
    pub(super) fn erase(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        match retry(|| self.fs.remove_file(&path)) {
            Err(e) if !missing(&e) => Err(self.fail(e, &path)),
            _ => Ok(()),
        }
    }

    /// Moves a directory of the store.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        retry(|| self.fs.rename(&from, &to)).map_err(|e| self.fail(e, &from))
    }

    /// Removes a directory of the store with all below; it may be gone already.
    pub(super) fn remove(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        match retry(|| self.fs.remove_dir_all(&path)) {
            Err(e) if !missing(&e) => Err(self.fail(e, &path)),
            _ => Ok(()),
        }
    }
}

/// For the codecs that read a part of a chunk.
impl ReadableStorageTraits for Store {
    fn get_partial_many<'a>(&'a self, key: &StoreKey, ranges: ByteRangeIterator<'a>) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let mut out = Vec::new();
        for range in ranges {
            match self.get_range(key.as_str(), range) {
                Ok(Some(bytes)) => out.push(Ok(Bytes::from(bytes))),
                Ok(None) => return Ok(None),
                Err(e) => return Err(StorageError::Other(e.to_string())),
            }
        }
        Ok(Some(Box::new(out.into_iter())))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        let failed = |e: Error| StorageError::Other(e.to_string());
        match self {
            Self::Directory(directory) => match retry(|| directory.fs.info(&directory.path(key.as_str()))) {
                Ok(info) => Ok(Some(info.len)),
                Err(e) if missing(&e) => Ok(None),
                Err(e) => Err(e.into()),
            },
            Self::Zip(archive) => archive.get(key.as_str()).map(|v| v.map(|v| v.len() as u64)).map_err(failed),
        }
    }

    fn supports_get_partial(&self) -> bool {
        matches!(self, Self::Directory(_))
    }
}
