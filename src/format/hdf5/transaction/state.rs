//! The bytes of a file under a transaction.

use crate::error::{Error, Result};
use crate::publish::journal::{self, Change};
use crate::publish::{Durability, File, FileInfo, FileSystem, OpenMode, retry};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// What is changed below the end of the committed file is kept by pages of the system's cache.
const PAGE: u64 = 4096;

/// A file of which the library sees what it has written, and the disk what is committed.
#[derive(Debug)]
pub(super) struct State {
    fs: Arc<dyn FileSystem>,
    path: PathBuf,
    file: Box<dyn File>,
    /// Bytes before this belong to the committed file and change at the commit only; what is behind them means nothing before that.
    committed: u64,
    /// Where the signature of the format is.
    pub head: u64,
    /// The length that the file has now.
    len: u64,
    /// Where the library's space ends.
    pub eoa: u64,
    /// The changed pages; the last one may reach past the committed bytes, where it means nothing.
    pages: BTreeMap<u64, Box<[u8]>>,
    /// Raw data may go in place: they are elements that no committed shape reaches.
    pub raw_in_place: bool,
    /// Why something could not be written.
    failure: Option<io::Error>,
    /// Nothing is written any more.
    given_up: bool,
}

impl State {
    /// Opens a file that is there, or makes one.
    pub(super) fn open(fs: Arc<dyn FileSystem>, path: &Path, mode: OpenMode) -> Result<Self> {
        let io = |e| Error::io(e, path);
        let file = retry(|| fs.open(path, mode)).map_err(io)?;
        let len = retry(|| file.info()).map_err(io)?.len;
        Ok(Self {
            fs,
            path: path.to_owned(),
            file,
            committed: len,
            head: 0,
            len,
            eoa: 0,
            pages: BTreeMap::new(),
            raw_in_place: false,
            failure: None,
            given_up: false,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn info(&self) -> Result<FileInfo> {
        retry(|| self.file.info()).map_err(|e| Error::io(e, &self.path))
    }

    /// Takes the lock that the library takes on files that it has open; false if somebody else has it.
    pub(super) fn try_lock(&self) -> io::Result<bool> {
        retry(|| self.file.try_lock())
    }

    pub(super) fn unlock(&self) {
        let _ = self.file.unlock();
    }

    pub(super) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.file.set_modified(time)
    }

    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Reads as the library sees the file; what is behind its end is zero.
    pub(super) fn read(&mut self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_disk(at, out)?;
        let end = at + out.len() as u64;
        for (number, page) in self.pages.range(at / PAGE..end.div_ceil(PAGE)) {
            let start = number * PAGE;
            let (from, to) = (at.max(start), end.min(start + PAGE).min(self.committed));
            if from < to {
                out[(from - at) as usize..(to - at) as usize].copy_from_slice(&page[(from - start) as usize..(to - start) as usize]);
            }
        }
        Ok(())
    }

    fn read_disk(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        let mut have = 0;
        while have < out.len() {
            match retry(|| self.file.read_at(&mut out[have..], at + have as u64))? {
                0 => break,
                n => have += n,
            }
        }
        out[have..].fill(0);
        Ok(())
    }

    /// Writes as the library says: behind the committed bytes at once, among them into memory. A failure is told at the commit; after it nothing
    /// more is written.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8], raw: bool) {
        if self.given_up || self.failure.is_some() {
            return;
        }
        if let Err(e) = self.try_write(at, bytes, raw) {
            self.failure = Some(e);
        }
    }

    fn try_write(&mut self, at: u64, bytes: &[u8], raw: bool) -> io::Result<()> {
        let inside = (self.committed.saturating_sub(at)).min(bytes.len() as u64) as usize;
        let (inside, behind) = if raw && self.raw_in_place { (0, bytes) } else { (inside, &bytes[inside..]) };
        if !behind.is_empty() {
            let from = at + inside as u64;
            self.file.write_all_at(behind, from)?;
            self.len = self.len.max(from + behind.len() as u64);
        }
        let mut done = 0;
        while done < inside {
            let place = at + done as u64;
            let (number, within) = (place / PAGE, (place % PAGE) as usize);
            let count = (PAGE as usize - within).min(inside - done);
            if !self.pages.contains_key(&number) {
                let mut page = vec![0; PAGE as usize].into_boxed_slice();
                if count < PAGE as usize {
                    self.read_disk(number * PAGE, &mut page)?;
                }
                self.pages.insert(number, page);
            }
            if let Some(page) = self.pages.get_mut(&number) {
                page[within..within + count].copy_from_slice(&bytes[done..done + count]);
            }
            done += count;
        }
        Ok(())
    }

    /// Makes all that was written since the last commit the content of the file, at once: after a crash all of it is there, or nothing.
    ///
    /// The changed pages go in descending order, so that the head of the file, which leads to the rest, is the last.
    pub(super) fn commit(&mut self, durability: Durability) -> Result<()> {
        self.try_commit(durability).map_err(|e| Error::io(e, &self.path))
    }

    fn try_commit(&mut self, durability: Durability) -> io::Result<()> {
        if let Some(failure) = self.failure.take() {
            self.given_up = true;
            return Err(failure);
        }
        if self.len < self.eoa {
            retry(|| self.file.set_len(self.eoa))?;
            self.len = self.eoa;
        }
        if durability == Durability::Full {
            retry(|| self.file.sync())?;
        }
        let committed = self.committed;
        let part = |number: u64, page: &[u8]| (committed - number * PAGE).min(page.len() as u64) as usize;
        let changes: Vec<Change<'_>> =
            self.pages.iter().rev().map(|(number, page)| (number * PAGE, &page[..part(*number, page)])).collect();
        let applied = journal::apply(&*self.fs, &self.path, &*self.file, self.head, &changes, durability);
        if let Err(failed) = applied {
            if failed.begun {
                // The new content will be finished, so what belongs to it behind the old end has to stay.
                self.committed = self.len;
            }
            self.given_up = true;
            return Err(failed.error);
        }
        self.pages.clear();
        if self.len > self.eoa {
            // The library gave up room at the end; it may want it again.
            if retry(|| self.file.set_len(self.eoa)).is_ok() {
                self.len = self.eoa;
            }
        }
        self.committed = self.len;
        self.raw_in_place = false;
        Ok(())
    }

    /// Forgets what was written since the last commit; what the library writes from now on goes nowhere.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
        self.pages.clear();
        // Only what this transaction has added: the file may be somebody else's by now.
        if self.len > self.committed && retry(|| self.file.set_len(self.committed)).is_ok() {
            self.len = self.committed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::OsFileSystem;

    #[test]
    fn the_disk_sees_commits_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let old: Vec<u8> = (0..10_000u32).map(|i| i as u8).collect();
        std::fs::write(&path, &old).unwrap();
        let mut state = State::open(Arc::new(OsFileSystem), &path, OpenMode::ReadWrite).unwrap();
        let mut want = old.clone();
        want.resize(12_000, 0);
        for (at, len) in [(10u64, 20usize), (4090, 12), (4096, 4096), (9_990, 500), (11_000, 1000)] {
            let bytes = vec![at as u8 ^ 0x55; len];
            state.write(at, &bytes, false);
            want[at as usize..at as usize + len].copy_from_slice(&bytes);
            let mut seen = vec![0; 12_000];
            state.read(0, &mut seen).unwrap();
            assert!(seen == want, "{at} {len}");
        }
        assert!(std::fs::read(&path).unwrap()[..10_000] == old, "nothing below the committed end has changed");
        state.eoa = 12_000;
        state.commit(Durability::Process).unwrap();
        assert!(std::fs::read(&path).unwrap() == want);
        state.write(0, b"lost", false);
        state.write(12_000, b"lost", false);
        state.give_up();
        state.write(0, b"lost", false);
        assert!(std::fs::read(&path).unwrap() == want);
    }
}
