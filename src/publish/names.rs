//! The names beside a target: the temporary, the lock, and where a replaced directory waits to be removed.

use super::filesystem::{FileKind, FileSystem, retry};
use crate::error::{Error, Result, error};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// How many symbolic links are followed, as on Linux.
const MAX_LINKS: usize = 40;

/// The paths of one publication, all absolute and in one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// `DIR/NAME`, symbolic links resolved.
    pub target: PathBuf,
    /// `DIR`.
    pub dir: PathBuf,
    /// `DIR/.NAME`.
    pub tmpfile: PathBuf,
    /// `DIR/.NAME.lock`.
    pub lockfile: PathBuf,
    /// `DIR/.NAME.lock.old`: a replaced directory, where names cannot be exchanged.
    pub aside: PathBuf,
}

impl Names {
    /// Finds the names for a path that a user gave. If it is a symbolic link, what it leads to is the target, there or not.
    pub fn of(fs: &dyn FileSystem, path: &Path) -> Result<Self> {
        let mut target = absolute(path)?;
        let mut links = 0;
        loop {
            match retry(|| fs.info(&target)) {
                Ok(info) if info.kind == FileKind::Symlink => {}
                Ok(info) if info.kind == FileKind::Other => {
                    return Err(
                        error!(InvalidArgument, "the target is a device, a pipe or a socket, which no file can replace").in_file(path)
                    );
                }
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(e) => return Err(explain(e, path, &target)),
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(error!(InvalidArgument, "the symbolic links of the target go round in a circle").in_file(path));
            }
            let next = retry(|| fs.read_link(&target)).map_err(|e| Error::io(e, path))?;
            target = absolute(&target.parent().unwrap_or(Path::new("/")).join(next))?;
        }
        let (Some(dir), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(no_name(path));
        };
        let beside = |suffix: &str| {
            let mut hidden = OsString::from(".");
            hidden.push(name);
            hidden.push(suffix);
            dir.join(hidden)
        };
        Ok(Self { tmpfile: beside(""), lockfile: beside(".lock"), aside: beside(".lock.old"), dir: dir.to_owned(), target: target.clone() })
    }
}

fn no_name(path: &Path) -> Error {
    error!(InvalidArgument, "the path \"{}\" does not end in the name of a file", path.display()).remedy("give the path of a file")
}

/// The absolute path, so that a change of the working directory cannot lead the commit elsewhere.
fn absolute(path: &Path) -> Result<PathBuf> {
    if path.file_name().is_none() {
        return Err(no_name(path));
    }
    std::path::absolute(path).map_err(|e| Error::io(e, path))
}

/// Says what a failure beside the target means.
pub(super) fn explain(e: io::Error, target: &Path, beside: &Path) -> Error {
    let dir = beside.parent().unwrap_or(beside).display();
    match e.kind() {
        io::ErrorKind::NotFound => Error::io(e, target).remedy(format!("the directory \"{dir}\" is not there; create it first")),
        io::ErrorKind::NotADirectory => Error::io(e, target).remedy(format!("\"{dir}\" is not a directory")),
        io::ErrorKind::PermissionDenied => {
            Error::io(e, target).remedy(format!("a new file must be made beside the target: write permission in \"{dir}\" is needed"))
        }
        io::ErrorKind::InvalidFilename => {
            let length = target.file_name().map_or(0, |n| n.as_encoded_bytes().len());
            error!(
                InvalidArgument,
                "the name of the file is too long: its {length} bytes leave no room for the '.' and '.lock' of the lock beside it"
            )
            .in_file(target)
            .because(e)
            .remedy("choose a name of at most 249 bytes")
        }
        _ => Error::io(e, target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::OsFileSystem;

    #[test]
    fn names_are_caputs() {
        let names = Names::of(&OsFileSystem, Path::new("/tmp/no-such-directory/a.h5")).unwrap();
        assert_eq!(names.tmpfile, Path::new("/tmp/no-such-directory/.a.h5"));
        assert_eq!(names.lockfile, Path::new("/tmp/no-such-directory/.a.h5.lock"));
        assert_eq!(names.dir, Path::new("/tmp/no-such-directory"));
        for bad in ["", "/", "..", "a/.."] {
            assert_eq!(Names::of(&OsFileSystem, Path::new(bad)).unwrap_err().kind(), crate::ErrorKind::InvalidArgument, "{bad:?}");
        }
    }
}
