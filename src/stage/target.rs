//! Where caches are: files that are published when a stage is finalized, or any groups.

use crate::error::{Context, Error, Result, error};
use crate::format;
use crate::memory::MemGroup;
use crate::publish::{Durability, FileSystem, LockFile, OsFileSystem, lock_file};
use crate::tree::{Group, GroupExt, GroupRef, GroupSpec, Mode};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Gives the root group of the cache that would have this path.
pub(super) type GroupOf = dyn Fn(&Path) -> Result<GroupRef> + Send + Sync;

/// Where a writer's caches are.
#[derive(Clone)]
pub(super) enum Target {
    Files(Files),
    Groups(Arc<GroupOf>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(files) => files.fmt(f),
            Self::Groups(_) => f.write_str("Groups"),
        }
    }
}

/// How files are locked and published.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub file_system: Arc<dyn FileSystem>,
    pub durability: Durability,
    pub timeout: Duration,
}

impl Default for Files {
    fn default() -> Self {
        Self { file_system: Arc::new(OsFileSystem), durability: Durability::Full, timeout: Duration::ZERO }
    }
}

/// Caches in memory, by the path that they would have.
pub(super) fn memory() -> Target {
    let caches: Mutex<BTreeMap<PathBuf, MemGroup>> = Mutex::default();
    Target::Groups(Arc::new(move |path| Ok(caches.lock().entry(path.to_owned()).or_default().to_ref())))
}

/// The place of one cache.
#[allow(clippy::large_enum_variant)] // There is one for each cache that is being written.
pub(super) enum Place {
    /// A group of the caller's; `fresh` if what is there is to be replaced as a whole.
    Group {
        root: GroupRef,
        fresh: bool,
    },
    File(FilePlace),
}

/// A cache in a file. While it is written, the lock is held and the writer works on a copy beside the file.
pub(super) struct FilePlace {
    path: PathBuf,
    files: Files,
    guard: Option<LockFile>,
    root: Option<GroupRef>,
    /// True if the copy exists beside the file.
    begun: bool,
    /// True if what is there is to be replaced as a whole.
    pub fresh: bool,
}

impl FilePlace {
    pub fn new(path: PathBuf, files: Files, fresh: bool) -> Self {
        Self { path, files, guard: None, root: None, begun: false, fresh }
    }

    /// Takes the lock, if it is not held; makes the directory of the file.
    pub fn lock(&mut self) -> Result<()> {
        if self.guard.is_some() {
            return Ok(());
        }
        make_directories(&*self.files.file_system, &self.path)?;
        let guard = lock_file(&self.path)
            .timeout(self.files.timeout)
            .durability(self.files.durability)
            .shared_file_system(self.files.file_system.clone())
            .acquire()?;
        self.guard = Some(guard);
        Ok(())
    }

    /// Gives up the lock if nothing was begun under it.
    pub fn unlock_if_idle(&mut self) -> Result<()> {
        if !self.begun
            && let Some(guard) = self.guard.take()
        {
            return guard.rollback();
        }
        Ok(())
    }

    /// Looks at what the writer would build upon: its copy, else the file. Nothing is there: `None`.
    pub fn look<T>(&mut self, f: impl FnOnce(&dyn Group) -> Result<T>) -> Result<Option<T>> {
        if self.begun {
            return f(&*self.open()?).map(Some);
        }
        if self.fresh {
            return Ok(None);
        }
        look_at(&self.path, f)
    }

    /// The copy that is written: made from the file, if there is one.
    pub fn open(&mut self) -> Result<GroupRef> {
        if let Some(root) = &self.root {
            return Ok(root.clone());
        }
        let Some(guard) = &self.guard else {
            return Err(error!(Locked, "the cache is written without its lock").in_file(&self.path));
        };
        let tmp = guard.tmpfile().to_owned();
        if !self.begun && !self.fresh && self.path.exists() {
            // From here on there is something to clear away.
            self.begun = true;
            self.files
                .file_system
                .copy_file(guard.target(), &tmp)
                .map_err(|e| Error::io(e, &self.path).during("copy the cache aside").remedy("the cache itself is as it was"))?;
        }
        let root = if self.begun { format::open(&tmp, Mode::ReadWrite)? } else { format::create(&tmp, &GroupSpec::default())? };
        self.begun = true;
        self.root = Some(root.clone());
        Ok(root)
    }

    /// Closes the copy, and leaves it where it is.
    pub fn close(&mut self) -> Result<()> {
        self.root.take().map_or(Ok(()), |root| root.close_tree()).map_err(|e| e.in_file(&self.path))
    }

    pub fn flush(&self) -> Result<()> {
        self.root.as_ref().map_or(Ok(()), |root| root.flush())
    }

    /// Puts the copy in the place of the file: closed, on the device, and looked at once more. The lock is given up.
    pub fn publish(&mut self, check: impl FnOnce(&dyn Group) -> Result<()>) -> Result<()> {
        self.close()?;
        let Some(guard) = self.guard.take() else {
            return Err(error!(Locked, "the cache is written without its lock").in_file(&self.path));
        };
        self.begun = false;
        guard.commit_verified(|tmp| {
            let root = format::open(tmp, Mode::Read)?;
            let checked = check(&*root);
            let closed = root.close_tree();
            checked.and(closed)
        })?;
        self.fresh = false;
        Ok(())
    }

    /// Throws away what was not published.
    pub fn abandon(&mut self) -> Result<()> {
        let closed = self.close();
        self.begun = false;
        let undone = self.guard.take().map_or(Ok(()), LockFile::rollback);
        closed.and(undone)
    }

    /// Lets go without touching anything: what is there belongs to another process.
    pub fn forget(&mut self) {
        if let Some(guard) = self.guard.take() {
            std::mem::forget(guard);
        }
        if let Some(root) = self.root.take() {
            std::mem::forget(root);
        }
    }

    /// True if something is locked or open.
    pub fn is_active(&self) -> bool {
        self.guard.is_some()
    }
}

/// Opens a file for reading, if it is there, and looks at it.
pub(super) fn look_at<T>(path: &Path, f: impl FnOnce(&dyn Group) -> Result<T>) -> Result<Option<T>> {
    if !path.exists() {
        return Ok(None);
    }
    let root = format::open(path, Mode::Read)?;
    let found = f(&*root).map_err(|e| e.in_file(path));
    let closed = root.close_tree();
    let found = found?;
    closed?;
    Ok(Some(found))
}

/// Makes the directory of a file, and those above it.
fn make_directories(fs: &dyn FileSystem, path: &Path) -> Result<()> {
    let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) else { return Ok(()) };
    let mut missing = Vec::new();
    for dir in dir.ancestors().filter(|d| !d.as_os_str().is_empty()) {
        if dir.exists() {
            break;
        }
        missing.push(dir);
    }
    for dir in missing.into_iter().rev() {
        match fs.create_dir(dir) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io(e, dir)).context("/", "make the directory of the cache");
            }
            _ => {}
        }
    }
    Ok(())
}
