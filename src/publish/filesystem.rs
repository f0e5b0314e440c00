//! The file-system trait: the few calls through which this crate writes files by itself.

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link (only where links are not followed).
    Symlink,
    /// A device, a pipe, a socket.
    Other,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes.
    pub len: u64,
    /// Device and inode: equal exactly for two names of one file. `None` where the system has no such thing.
    pub identity: Option<(u64, u64)>,
    /// The permission bits, where the system has them.
    pub mode: Option<u32>,
    /// User and group of the owner, where the system has them.
    pub owner: Option<(u32, u32)>,
    /// When its content last changed.
    pub modified: Option<SystemTime>,
}

impl FileInfo {
    /// Describes a file of which no more is known than this.
    pub fn new(kind: FileKind, len: u64) -> Self {
        Self { kind, len, identity: None, mode: None, owner: None, modified: None }
    }

    /// Describes a file as the standard library does.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        let t = metadata.file_type();
        let kind = match () {
            () if t.is_symlink() => FileKind::Symlink,
            () if t.is_dir() => FileKind::Directory,
            () if t.is_file() => FileKind::File,
            () => FileKind::Other,
        };
        let info = Self { modified: metadata.modified().ok(), ..Self::new(kind, metadata.len()) };
        #[cfg(unix)]
        let info = {
            use std::os::unix::fs::MetadataExt;
            Self {
                identity: Some((metadata.dev(), metadata.ino())),
                mode: Some(metadata.mode() & 0o7777),
                owner: Some((metadata.uid(), metadata.gid())),
                ..info
            }
        };
        info
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// For reading; it must be there.
    Read,
    /// For reading and writing; it must be there.
    ReadWrite,
    /// For reading and writing; made if it is not there, kept as it is if it is.
    Create,
    /// For reading and writing; it must not be there, not even as a dangling link.
    CreateNew,
}

/// An open file. Closed when it is dropped, which also gives up its lock.
///
/// A failure shows at [`sync`](File::sync), never first at closing: whoever needs the bytes on disk calls it before the drop.
pub trait File: Send + Sync + Debug {
    /// Reads at an offset into the buffer; returns how many bytes came, 0 at the end of the file.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at an offset; returns how many bytes were taken, which may be fewer than offered.
    ///
    /// # Errors
    /// What the system says.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// What is known of the open file, whatever its name leads to by now.
    ///
    /// # Errors
    /// What the system says.
    fn info(&self) -> io::Result<FileInfo>;

    /// Returns when data and metadata are on the device.
    ///
    /// # Errors
    /// What the system says. After an error nothing is known about the bytes on the device, and a second call proves nothing.
    fn sync(&self) -> io::Result<()>;

    /// Takes the exclusive lock of the file, without waiting. False if somebody else holds it: another process, or another
    /// opening of the same file in this one. The lock ends with this handle, also when the process dies.
    ///
    /// # Errors
    /// What the system says; of kind `Unsupported` if the file system has no locks.
    fn try_lock(&self) -> io::Result<bool>;

    /// Gives up the lock, and keeps the file open.
    ///
    /// # Errors
    /// What the system says; of kind `Unsupported` where this is not implemented: a lock ends with its handle anyway.
    fn unlock(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the time of the last change of the content.
    ///
    /// # Errors
    /// What the system says; of kind `Unsupported` where this is not implemented.
    fn set_modified(&self, _time: SystemTime) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl dyn File + '_ {
    /// Writes all the bytes at an offset, in as many calls as it takes.
    ///
    /// # Errors
    /// The first error other than an interruption; `WriteZero` if the file takes no more.
    pub fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match retry(|| self.write_at(bytes, offset))? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => {
                    bytes = bytes.get(n..).unwrap_or_default();
                    offset += n as u64;
                }
            }
        }
        Ok(())
    }

    /// Reads from the beginning to the end of the file, or to the limit.
    ///
    /// # Errors
    /// The first error other than an interruption.
    pub fn read_up_to(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut buffer = [0; 4096];
        while out.len() < limit {
            match retry(|| self.read_at(&mut buffer, out.len() as u64))? {
                0 => break,
                n => out.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            }
        }
        out.truncate(limit);
        Ok(out)
    }
}

/// A file system: what this crate needs of one to write files that survive a crash.
///
/// [`OsFileSystem`](super::OsFileSystem) is the real one; [`FaultFileSystem`](super::FaultFileSystem) wraps any other and fails
/// where it is told to, so that a pipeline can be tested against full disks and crashes. Everything that memh5 writes by itself
/// goes through this trait; what the HDF5 library writes does not.
pub trait FileSystem: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system says: `NotFound`, `AlreadyExists`, `PermissionDenied`.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>>;

    /// Gives a file or directory another name in one step; a file that has the name already is replaced.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Exchanges two names in one step, of files or directories that are both there.
    ///
    /// # Errors
    /// `Unsupported` if the system or the file system cannot; then nothing has happened.
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()>;

    /// Removes a file or a symbolic link (never what the link leads to).
    ///
    /// # Errors
    /// What the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory whose parent is there.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it; does not follow symbolic links.
    ///
    /// # Errors
    /// What the system says; then part of it may be gone.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// What the system says.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>>;

    /// What is known of a path itself: a symbolic link is not followed.
    ///
    /// # Errors
    /// What the system says: `NotFound`.
    fn info(&self, path: &Path) -> io::Result<FileInfo>;

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// What the system says.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// Gives a file or directory the permission bits and, as far as the process may, the owner of another.
    ///
    /// # Errors
    /// What the system says about the permission bits.
    fn set_permissions(&self, path: &Path, like: &FileInfo) -> io::Result<()>;

    /// Returns when the names in a directory are on the device.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Copies the content of a file into a new one; what exists is not replaced. Returns its length. What is shared between them, if the file
    /// system can share, costs nothing.
    ///
    /// # Errors
    /// What the system says; then the new file may be there in part.
    fn copy_file(&self, from: &Path, to: &Path) -> io::Result<u64> {
        let source = retry(|| self.open(from, OpenMode::Read))?;
        let target = retry(|| self.open(to, OpenMode::CreateNew))?;
        let mut buffer = vec![0; 1 << 20];
        let mut at = 0;
        loop {
            match retry(|| source.read_at(&mut buffer, at))? {
                0 => return Ok(at),
                n => {
                    target.write_all_at(buffer.get(..n).unwrap_or_default(), at)?;
                    at += n as u64;
                }
            }
        }
    }

    /// True if something is at the path, a dangling link included.
    ///
    /// # Errors
    /// What the system says, other than `NotFound`.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        match retry(|| self.info(path)) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Repeats a call for as long as a signal interrupts it.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
