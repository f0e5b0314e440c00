//! A file system that fails where it is told to.

use super::filesystem::{File, FileInfo, FileSystem, OpenMode};
use super::os::OsFileSystem;
use parking_lot::Mutex;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The calls of a file system, by class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // Each is the method of that name.
pub enum Operation {
    Open,
    Read,
    Write,
    SetLen,
    FileInfo,
    Sync,
    Lock,
    Rename,
    Exchange,
    RemoveFile,
    CreateDir,
    RemoveDirAll,
    ReadDir,
    Info,
    ReadLink,
    SetPermissions,
    SyncDir,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The device fails: `EIO`.
    Io,
    /// The disk is full: `ENOSPC`.
    NoSpace,
    /// The disk is full, half-way through: a write takes half of its bytes, and the next write fails with `ENOSPC`. A call that
    /// does not write fails with `ENOSPC`.
    FillsUp,
    /// A signal comes: `EINTR`. The call may be repeated.
    Interrupted,
    /// A write takes half of its bytes, a read gives half of them; other calls work.
    Short,
    /// Permission is refused: `EACCES`.
    Denied,
    /// The file system has no such call.
    Unsupported,
    /// The process dies before the call: this call and every one after it fails and does nothing, as if `kill -9` had come.
    /// Locks end when their handles are dropped, as they do with a process.
    Crash,
}

impl Fault {
    fn error(self) -> io::Error {
        let kind = match self {
            // EIO has this number on every Unix.
            Self::Io if cfg!(unix) => return io::Error::from_raw_os_error(5),
            Self::Io => return io::Error::other("injected: input/output error"),
            Self::Crash => return io::Error::other("injected: the process is dead"),
            Self::NoSpace | Self::FillsUp => io::ErrorKind::StorageFull,
            Self::Interrupted | Self::Short => io::ErrorKind::Interrupted,
            Self::Denied => io::ErrorKind::PermissionDenied,
            Self::Unsupported => io::ErrorKind::Unsupported,
        };
        kind.into()
    }
}

/// One call that came through, for assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// What was called.
    pub operation: Operation,
    /// On which path; for a rename the old name.
    pub path: PathBuf,
    /// For a rename or an exchange, the other name.
    pub to: Option<PathBuf>,
    /// Whether it was made to fail.
    pub failed: bool,
}

#[derive(Debug)]
struct Plan {
    operation: Option<Operation>,
    calls_left: u64,
    fault: Fault,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<Call>,
    plans: Vec<Plan>,
    crashed: bool,
}

impl State {
    fn count(&mut self, operation: Operation, path: &Path, to: Option<&Path>) -> Option<Fault> {
        let mut fault = self.crashed.then_some(Fault::Crash);
        if fault.is_none() {
            self.plans.retain_mut(|plan| {
                if plan.operation.is_some_and(|o| o != operation) {
                    return true;
                }
                plan.calls_left = plan.calls_left.saturating_sub(1);
                if plan.calls_left == 0 && fault.is_none() {
                    fault = Some(plan.fault);
                    return false;
                }
                true
            });
        }
        self.crashed |= fault == Some(Fault::Crash);
        self.log.push(Call { operation, path: path.to_owned(), to: to.map(Path::to_owned), failed: fault.is_some() });
        fault
    }
}

/// A file system that passes its calls on to another, counts them, and fails where it is told to.
///
/// With it a pipeline can be tested against full disks, failing devices and crashes: fail the first call, the second, and so on,
/// until the run succeeds without meeting the fault.
///
/// Clones share the log and the plans.
///
/// ```
/// use memh5::publish::{Fault, FaultFileSystem, lock_file};
/// # let dir = tempfile::tempdir()?;
/// let target = dir.path().join("result.txt");
/// std::fs::write(&target, "old")?;
/// for n in 1.. {
///     let faulty = FaultFileSystem::new();
///     faulty.fail_call(n, Fault::NoSpace);
///     let result = lock_file(&target).file_system(faulty.clone()).publish(|tmp| {
///         std::fs::write(tmp, "new").map_err(|e| memh5::Error::io(e, tmp))
///     });
///     let content = std::fs::read_to_string(&target)?;
///     assert!(content == "new" || (content == "old" && result.is_err()));
///     if !faulty.has_failed() {
///         break;
///     }
///     std::fs::write(&target, "old")?;
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FaultFileSystem {
    inner: Arc<dyn FileSystem>,
    state: Arc<Mutex<State>>,
}

impl Default for FaultFileSystem {
    fn default() -> Self {
        Self::new()
    }
}

impl FaultFileSystem {
    /// Wraps the file system of the operating system, with no faults planned.
    pub fn new() -> Self {
        Self::over(OsFileSystem)
    }

    /// Wraps any file system, with no faults planned.
    pub fn over(inner: impl FileSystem + 'static) -> Self {
        Self { inner: Arc::new(inner), state: Arc::default() }
    }

    /// Plans a fault at the `n`-th call from now on, of any class; the first is 1. Faults happen once ([`Fault::Crash`] for ever).
    pub fn fail_call(&self, n: u64, fault: Fault) {
        self.state.lock().plans.push(Plan { operation: None, calls_left: n.max(1), fault });
    }

    /// Plans a fault at the `n`-th call of one class from now on; the first is 1.
    pub fn fail(&self, operation: Operation, n: u64, fault: Fault) {
        self.state.lock().plans.push(Plan { operation: Some(operation), calls_left: n.max(1), fault });
    }

    /// Forgets planned faults and a crash; keeps the log.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.plans.clear();
        state.crashed = false;
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().log.clone()
    }

    /// How many calls came so far, of one class or of all.
    pub fn count(&self, operation: Option<Operation>) -> usize {
        self.state.lock().log.iter().filter(|c| operation.is_none_or(|o| o == c.operation)).count()
    }

    /// True if a planned fault has happened.
    pub fn has_failed(&self) -> bool {
        self.state.lock().log.iter().any(|c| c.failed)
    }

    fn call<T>(&self, operation: Operation, path: &Path, to: Option<&Path>, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        // The lock is not held while the call runs, which may be long.
        let fault = self.state.lock().count(operation, path, to);
        match fault {
            None | Some(Fault::Short) => run(),
            Some(fault) => Err(fault.error()),
        }
    }
}

#[derive(Debug)]
struct FaultFile {
    system: FaultFileSystem,
    inner: Box<dyn File>,
    path: PathBuf,
}

impl FaultFile {
    fn call<T>(&self, operation: Operation, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.system.call(operation, &self.path, None, run)
    }
}

impl File for FaultFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let fault = self.system.state.lock().count(Operation::Read, &self.path, None);
        match fault {
            None => self.inner.read_at(buffer, offset),
            Some(Fault::Short) => {
                let half = buffer.len().div_ceil(2);
                self.inner.read_at(buffer.get_mut(..half).unwrap_or_default(), offset)
            }
            Some(fault) => Err(fault.error()),
        }
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.system.state.lock().count(Operation::Write, &self.path, None);
        let half = || bytes.get(..bytes.len() / 2).filter(|b| !b.is_empty());
        match (fault, half()) {
            (None, _) | (Some(Fault::Short), None) => self.inner.write_at(bytes, offset),
            (Some(Fault::Short), Some(half)) => self.inner.write_at(half, offset),
            (Some(Fault::FillsUp), Some(half)) => {
                self.system.fail(Operation::Write, 1, Fault::NoSpace);
                self.inner.write_at(half, offset)
            }
            (Some(fault), _) => Err(fault.error()),
        }
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.call(Operation::SetLen, || self.inner.set_len(len))
    }
    fn info(&self) -> io::Result<FileInfo> {
        self.call(Operation::FileInfo, || self.inner.info())
    }
    fn sync(&self) -> io::Result<()> {
        self.call(Operation::Sync, || self.inner.sync())
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.call(Operation::Lock, || self.inner.try_lock())
    }
    // A process that died has no lock either.
    fn unlock(&self) -> io::Result<()> {
        self.inner.unlock()
    }
    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.call(Operation::SetPermissions, || self.inner.set_modified(time))
    }
}

impl FileSystem for FaultFileSystem {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        let inner = self.call(Operation::Open, path, None, || self.inner.open(path, mode))?;
        Ok(Box::new(FaultFile { system: self.clone(), inner, path: path.to_owned() }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call(Operation::Rename, from, Some(to), || self.inner.rename(from, to))
    }
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        self.call(Operation::Exchange, a, Some(b), || self.inner.exchange(a, b))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::RemoveFile, path, None, || self.inner.remove_file(path))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::CreateDir, path, None, || self.inner.create_dir(path))
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::RemoveDirAll, path, None, || self.inner.remove_dir_all(path))
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.call(Operation::ReadDir, path, None, || self.inner.read_dir(path))
    }
    fn info(&self, path: &Path) -> io::Result<FileInfo> {
        self.call(Operation::Info, path, None, || self.inner.info(path))
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.call(Operation::ReadLink, path, None, || self.inner.read_link(path))
    }
    fn set_permissions(&self, path: &Path, like: &FileInfo) -> io::Result<()> {
        self.call(Operation::SetPermissions, path, None, || self.inner.set_permissions(path, like))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call(Operation::SyncDir, path, None, || self.inner.sync_dir(path))
    }
}
