//! One save at a time at one target: among the threads of this process, and by the lock beside a file among processes.

use crate::error::{Error, Result, error};
use crate::publish::{Durability, FileSystem, LockFile, lock_file};
use crate::tree::ObjectId;
use parking_lot::{Condvar, Mutex};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// What is held.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    File(PathBuf),
    Tree(ObjectId),
}

static HELD: LazyLock<(Mutex<HashSet<Key>>, Condvar)> = LazyLock::new(Default::default);

/// The right to save, among the threads of this process.
#[derive(Debug)]
pub(super) struct Held(Key);

impl Drop for Held {
    fn drop(&mut self) {
        HELD.0.lock().remove(&self.0);
        HELD.1.notify_all();
    }
}

/// Waits until no other thread saves to the target.
pub(super) fn hold(key: Key, timeout: Duration) -> Result<Held> {
    let end = Instant::now().checked_add(timeout);
    let mut held = HELD.0.lock();
    while held.contains(&key) {
        let late = match end {
            Some(end) => HELD.1.wait_until(&mut held, end).timed_out(),
            None => {
                HELD.1.wait(&mut held);
                false
            }
        };
        if late && held.contains(&key) {
            let busy = error!(Locked, "another thread of this program is saving to the target").remedy("give the save a longer timeout");
            return Err(match &key {
                Key::File(path) => busy.in_file(path),
                Key::Tree(_) => busy,
            });
        }
    }
    held.insert(key.clone());
    Ok(Held(key))
}

/// The right to save to a file, among threads and processes. Given up when it is dropped.
#[derive(Debug)]
pub(super) struct FileLock {
    guard: LockFile,
    _held: Held,
}

/// Waits until nobody else saves to the file.
pub(super) fn lock(fs: &Arc<dyn FileSystem>, path: &Path, timeout: Duration, durability: Durability) -> Result<FileLock> {
    let begin = Instant::now();
    if path.file_name().is_none() {
        return Err(error!(InvalidArgument, "the path \"{}\" does not end in the name of a file", path.display()));
    }
    let held = hold(Key::File(std::path::absolute(path).map_err(|e| Error::io(e, path))?), timeout)?;
    let left = timeout.saturating_sub(begin.elapsed());
    let guard = lock_file(path).timeout(left).durability(durability).shared_file_system(Arc::clone(fs)).acquire()?;
    Ok(FileLock { guard, _held: held })
}

impl FileLock {
    /// Where a new content of the whole file is written.
    pub(super) fn tmpfile(&self) -> &Path {
        self.guard.tmpfile()
    }

    /// The file, with symbolic links followed.
    pub(super) fn target(&self) -> &Path {
        self.guard.target()
    }

    /// Puts what was written to the temporary in the place of the file.
    pub(super) fn publish(self) -> Result<()> {
        self.guard.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn the_second_waits_or_is_told() {
        let key = || Key::File(PathBuf::from("/no/such/file"));
        let held = hold(key(), Duration::ZERO).unwrap();
        let begin = Instant::now();
        let e = hold(key(), Duration::from_millis(30)).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Locked);
        assert!(begin.elapsed() >= Duration::from_millis(30));
        let other = hold(Key::File(PathBuf::from("/another")), Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| hold(key(), Duration::MAX).map(drop));
            std::thread::sleep(Duration::from_millis(20));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
        drop(other);
        hold(key(), Duration::ZERO).unwrap();
    }
}
