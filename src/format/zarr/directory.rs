//! The files of a store in a directory.
//!
//! A file is replaced in one step: written beside its name, then renamed. Only elements that no reader looks at, since they lie beyond the
//! shape, are written into a file that is there.

use super::redo::Overlay;
use super::store::Entry;
use crate::error::{Error, Result, bail, error};
use crate::publish::{File, FileInfo, FileKind, FileSystem, OpenMode, retry};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A directory of a file system.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) fs: Arc<dyn FileSystem>,
    pub(super) root: PathBuf,
    /// The directory, held open so that no other one gets its number; `None` where directories cannot be opened.
    held: Option<Box<dyn File>>,
    /// What an update that was stopped has yet to put in its place.
    pub(super) overlay: Overlay,
    /// True while each file goes to the device before it gets its name.
    durable: AtomicBool,
    /// The directories with new names that are not on the device.
    unsynced: Mutex<BTreeSet<PathBuf>>,
}

fn missing(e: &io::Error) -> bool {
    // A part of the path that is a file says "not a directory": nothing is below it.
    // No file has a name that is too long.
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename)
}

/// Reads until the buffer is full or the file ends; returns how many bytes came.
fn fill(file: &dyn File, out: &mut [u8]) -> io::Result<usize> {
    let mut at = 0;
    while at < out.len() {
        match retry(|| file.read_at(out.get_mut(at..).unwrap_or_default(), at as u64))? {
            0 => break,
            n => at += n,
        }
    }
    Ok(at)
}

impl Directory {
    /// The store in a directory, which is there.
    pub(super) fn new(fs: Arc<dyn FileSystem>, root: PathBuf) -> Self {
        // A change of the working directory does not lead elsewhere.
        let root = std::path::absolute(&root).unwrap_or(root);
        let held = fs.open(&root, OpenMode::Read).ok();
        Self { fs, root, held, overlay: Overlay::default(), durable: AtomicBool::new(false), unsynced: Mutex::default() }
    }

    pub(super) fn path(&self, key: &str) -> PathBuf {
        if key.is_empty() { self.root.clone() } else { self.root.join(key) }
    }

    pub(super) fn fail(&self, e: io::Error, path: &Path) -> Error {
        if e.kind() == io::ErrorKind::InvalidFilename {
            return error!(Unsupported, "a name is longer than the file system allows").in_file(path).because(e);
        }
        Error::io(e, path)
    }

    /// True if another directory has the name by now: the store was saved anew, as a whole.
    pub(super) fn is_replaced(&self) -> bool {
        let Some(held) = self.held.as_ref().and_then(|held| held.info().ok()?.identity) else { return false };
        match retry(|| self.fs.info(&self.root)) {
            Ok(FileInfo { identity: Some(now), .. }) => now != held,
            Ok(_) => false,
            Err(e) => missing(&e),
        }
    }

    /// From now on each file goes to the device before it gets its name, or not.
    pub(super) fn set_durable(&self, durable: bool) {
        self.durable.store(durable, Ordering::Relaxed);
    }

    fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Relaxed)
    }

    /// Notes that names in a directory have changed.
    fn renamed_in(&self, dir: Option<&Path>) {
        if self.is_durable()
            && let Some(dir) = dir
        {
            self.unsynced.lock().insert(dir.to_owned());
        }
    }

    /// Brings new names to the device, where that is wanted: called before what makes them count, and after.
    pub(super) fn settle(&self) -> Result<()> {
        let directories = std::mem::take(&mut *self.unsynced.lock());
        for dir in directories {
            match retry(|| self.fs.sync_dir(&dir)) {
                Err(e) if missing(&e) => {}
                other => other.map_err(|e| self.fail(e, &dir))?,
            }
        }
        Ok(())
    }

    /// Reads by a function from the file of a key; `None` if there is none. What an update has left aside comes first.
    fn read<T>(&self, key: &str, mut read: impl FnMut(&dyn File) -> io::Result<T>) -> Result<Option<T>> {
        let mut at = |path: &Path| match retry(|| self.fs.open(path, OpenMode::Read)).and_then(|file| read(&*file)) {
            Ok(out) => Ok(Some(out)),
            Err(e) if missing(&e) => Ok(None),
            Err(e) => Err(self.fail(e, path)),
        };
        if let Some(aside) = self.overlay.get(key)
            && let Some(out) = at(&self.path(aside))?
        {
            return Ok(Some(out));
        }
        at(&self.path(key))
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        Ok(self.get_reusing(key, &mut out)?.map(|there| {
            out.truncate(there);
            out
        }))
    }

    /// Reads to the beginning of a buffer, which grows if it has to; returns the length.
    pub(super) fn get_reusing(&self, key: &str, out: &mut Vec<u8>) -> Result<Option<usize>> {
        self.read(key, |file| {
            let info = retry(|| file.info())?;
            if info.kind == FileKind::Directory {
                return Err(io::ErrorKind::NotFound.into());
            }
            let len = usize::try_from(info.len).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            if out.len() < len {
                out.try_reserve_exact(len - out.len()).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
                out.resize(len, 0);
            }
            fill(file, out.get_mut(..len).unwrap_or_default())
        })
    }

    pub(super) fn get_into(&self, key: &str, out: &mut [u8]) -> Result<Option<u64>> {
        self.read(key, |file| match fill(file, out)? {
            there if there < out.len() => Ok(there as u64),
            _ => Ok(retry(|| file.info())?.len),
        })
    }

    pub(super) fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.info(key)?.is_some())
    }

    /// True if there is a file at the key, not a directory.
    pub(super) fn is_file(&self, key: &str) -> Result<bool> {
        Ok(self.info(key)?.is_some_and(|info| info.kind == FileKind::File))
    }

    fn info(&self, key: &str) -> Result<Option<FileInfo>> {
        let path = self.path(key);
        match retry(|| self.fs.info(&path)) {
            Ok(info) => Ok(Some(info)),
            Err(e) if missing(&e) => Ok(None),
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
        self.set_parts(key, None, &[(0, bytes)])
    }

    /// As [`set`](Self::set), of parts in their places, with zeros between them up to a length.
    pub(super) fn set_parts(&self, key: &str, len: Option<u64>, parts: &[(u64, &[u8])]) -> Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = self.path(key);
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { bail!(InvalidName, "'{key}' is no key of a store") };
        let temporary =
            dir.join(format!(".{}.{}-{}.tmp", name.to_string_lossy(), std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let write = || -> io::Result<()> {
            self.write_new(&temporary, len, parts)?;
            retry(|| self.fs.rename(&temporary, &path))
        };
        write().map_err(|e| {
            let _ = self.fs.remove_file(&temporary);
            self.fail(e, &path)
        })?;
        self.renamed_in(path.parent());
        Ok(())
    }

    /// Writes a file that is not there, and the directories on its way.
    fn write_new(&self, path: &Path, len: Option<u64>, parts: &[(u64, &[u8])]) -> io::Result<()> {
        let file = match retry(|| self.fs.open(path, OpenMode::CreateNew)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.make_dirs(path.parent().unwrap_or(path))?;
                retry(|| self.fs.open(path, OpenMode::CreateNew))?
            }
            other => other?,
        };
        if let Some(len) = len {
            retry(|| file.set_len(len))?;
        }
        parts.iter().try_for_each(|(at, bytes)| file.write_all_at(bytes, *at))?;
        if self.is_durable() { retry(|| file.sync()) } else { Ok(()) }
    }

    /// Writes a value under a key that nobody else uses, without the step of its own.
    pub(super) fn add(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path(key);
        self.write_new(&path, None, &[(0, bytes)]).map_err(|e| self.fail(e, &path))?;
        self.renamed_in(path.parent());
        Ok(())
    }

    /// Writes parts into a value in their places: only what no reader looks at. False if there is none.
    pub(super) fn patch(&self, key: &str, len: u64, parts: &[(u64, &[u8])]) -> Result<bool> {
        let path = self.path(key);
        let write = || -> io::Result<Option<u64>> {
            let file = retry(|| self.fs.open(&path, OpenMode::ReadWrite))?;
            let there = retry(|| file.info())?.len;
            if there != len {
                return Ok(Some(there));
            }
            parts.iter().try_for_each(|(at, bytes)| file.write_all_at(bytes, *at))?;
            if self.is_durable() {
                retry(|| file.sync())?;
            }
            Ok(None)
        };
        match write() {
            Ok(None) => Ok(true),
            Ok(Some(there)) => bail!(Corrupt, "the chunk '{key}' has {there} bytes in place of {len}"),
            Err(e) if missing(&e) => Ok(false),
            Err(e) => Err(self.fail(e, &path)),
        }
    }

    fn make_dirs(&self, dir: &Path) -> io::Result<()> {
        let made = |result: io::Result<()>| match result {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Ok(()) => {
                self.renamed_in(dir.parent());
                Ok(())
            }
            other => other,
        };
        match retry(|| self.fs.create_dir(dir)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                // Never above the root of the store: that is gone, or was never made.
                let Some(parent) = dir.parent().filter(|p| p.starts_with(&self.root)) else { return Err(e) };
                self.make_dirs(parent)?;
                made(retry(|| self.fs.create_dir(dir)))
            }
            other => made(other),
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

    /// Moves a file or a directory of the store.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (self.path(from), self.path(to));
        let renamed = match retry(|| self.fs.rename(&from, &to)) {
            // The directory of a chunk may not be there yet.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.fs.exists(&from).unwrap_or(false) => {
                self.make_dirs(to.parent().unwrap_or(&to)).and_then(|()| retry(|| self.fs.rename(&from, &to)))
            }
            other => other,
        };
        renamed.map_err(|e| self.fail(e, &from))?;
        self.renamed_in(from.parent());
        self.renamed_in(to.parent());
        Ok(())
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
