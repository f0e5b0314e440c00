//! The steps of a publication, from a temporary that is written to a target that is replaced.

use super::filesystem::{FileInfo, FileKind, FileSystem, OpenMode, retry};
use super::guard::{Durability, LockFile};
use super::names::Names;
use crate::error::{Error, Result, error};
use std::io;
use std::path::{Path, PathBuf};

/// Gets the temporary ready: checks its kind, gives it the permissions of the file that it replaces, brings it to the device, and
/// lets the caller look at it.
pub(super) fn prepare(guard: &LockFile, verify: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let (fs, names) = (&*guard.file_system, &guard.names);
    let tmp = &names.tmpfile;
    let info = stat(fs, tmp).map_err(|e| Error::io(e, tmp))?.ok_or_else(|| {
        error!(NotFound, "nothing was written to the temporary \"{}\"", tmp.display())
            .remedy("write to the path that tmpfile() gives, then commit")
    })?;
    if !matches!(info.kind, FileKind::File | FileKind::Directory) {
        return Err(error!(InvalidArgument, "the temporary \"{}\" is neither a regular file nor a directory", tmp.display()));
    }
    if let Some(old) = check_kind(fs, names, info.kind)? {
        retry(|| fs.set_permissions(tmp, &old))
            .map_err(|e| Error::io(e, tmp).remedy("the permissions of the old file could not be kept"))?;
    }
    if guard.durability == Durability::Full {
        sync_all(fs, tmp, info.kind)
            .map_err(|(path, e)| Error::io(e, path).remedy("the new content may not be on the disk; the old content stays"))?;
    }
    verify(tmp)
}

/// Puts the temporary in the place of the target, and brings the names to the device.
pub(super) fn replace(guard: &mut LockFile) -> Result<()> {
    let (fs, names) = (&*guard.file_system, &guard.names);
    let fail = |e| Error::io(e, &names.target);
    let info = stat(fs, &names.tmpfile).map_err(fail)?;
    match info.map(|i| i.kind) {
        Some(FileKind::Directory) => replace_directory(fs, names, &mut guard.set_aside).map_err(fail)?,
        _ => retry(|| fs.rename(&names.tmpfile, &names.target)).map_err(fail)?,
    }
    // What has the temporary's name from now on is the old directory, which nobody wants to keep.
    guard.preserve = false;
    if guard.durability == Durability::Full {
        retry(|| fs.sync_dir(&names.dir))
            .map_err(|e| fail(e).remedy("the new content is in place, but a power failure might bring back the old"))?;
    }
    // The old directory, if there was one, has one of these names.
    let mut rubbish = vec![];
    if matches!(info.map(|i| i.kind), Some(FileKind::Directory)) {
        rubbish.push(&names.tmpfile);
    }
    if guard.set_aside {
        rubbish.push(&names.aside);
    }
    for old in rubbish {
        remove(fs, old).map_err(|e| {
            fail(e).remedy(format!(
                "the directory was published, but the old one at \"{}\" is still there; the next writer will remove it",
                old.display()
            ))
        })?;
    }
    guard.set_aside = false;
    Ok(())
}

/// Replaces a directory. Where two names can be exchanged, the old one is at the temporary's name afterwards, else set aside.
fn replace_directory(fs: &dyn FileSystem, names: &Names, set_aside: &mut bool) -> io::Result<()> {
    let Names { target, tmpfile, aside, .. } = names;
    if !fs.exists(target)? {
        return retry(|| fs.rename(tmpfile, target));
    }
    match retry(|| fs.exchange(tmpfile, target)) {
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
        other => return other,
    }
    // For the moment between these two renames there is no target; who dies there is recovered from by the next writer.
    if fs.exists(aside)? {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("the name \"{}\" is in use", aside.display())));
    }
    retry(|| fs.rename(target, aside))?;
    *set_aside = true;
    retry(|| fs.rename(tmpfile, target))
}

/// Undoes or finishes what a writer left that died while it replaced a directory.
pub(super) fn recover_aside(fs: &dyn FileSystem, names: &Names) -> io::Result<()> {
    if !fs.exists(&names.aside)? {
        return Ok(());
    }
    if fs.exists(&names.target)? {
        return remove(fs, &names.aside);
    }
    retry(|| fs.rename(&names.aside, &names.target))
}

/// Refuses to replace a file by a directory or a directory by a file. Returns what is known of the target, if it is there.
pub(super) fn check_kind(fs: &dyn FileSystem, names: &Names, new: FileKind) -> Result<Option<FileInfo>> {
    let old = stat(fs, &names.target).map_err(|e| Error::io(e, &names.target))?;
    let word = |kind| if kind == FileKind::Directory { "directory" } else { "file" };
    match old {
        Some(old) if old.kind != new => {
            Err(error!(AlreadyExists, "the target is a {}, which a {} cannot replace", word(old.kind), word(new))
                .in_file(&names.target)
                .remedy("choose another name, or move it away"))
        }
        other => Ok(other),
    }
}

pub(super) fn stat(fs: &dyn FileSystem, path: &Path) -> io::Result<Option<FileInfo>> {
    match retry(|| fs.info(path)) {
        Ok(info) => Ok(Some(info)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Removes a file, a link, or a directory with all that is in it; it may be gone already.
pub(super) fn remove(fs: &dyn FileSystem, path: &Path) -> io::Result<()> {
    let removed = match stat(fs, path)? {
        None => return Ok(()),
        Some(info) if info.kind == FileKind::Directory => retry(|| fs.remove_dir_all(path)),
        Some(_) => retry(|| fs.remove_file(path)),
    };
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Brings a file, or a directory with all that is in it, to the device. An error comes with the path on which it happened.
fn sync_all(fs: &dyn FileSystem, path: &Path, kind: FileKind) -> Result<(), (PathBuf, io::Error)> {
    let mut directories = Vec::new();
    let mut waiting = vec![(path.to_owned(), kind)];
    while let Some((path, kind)) = waiting.pop() {
        let fail = |e| (path.clone(), e);
        match kind {
            FileKind::File => {
                let file = retry(|| fs.open(&path, OpenMode::Read)).map_err(fail)?;
                retry(|| file.sync()).map_err(fail)?;
            }
            FileKind::Directory => {
                for name in retry(|| fs.read_dir(&path)).map_err(fail)? {
                    let child = path.join(name);
                    let kind = retry(|| fs.info(&child)).map_err(fail)?.kind;
                    waiting.push((child, kind));
                }
                directories.push(path);
            }
            FileKind::Symlink | FileKind::Other => {}
        }
    }
    for directory in directories.into_iter().rev() {
        retry(|| fs.sync_dir(&directory)).map_err(|e| (directory.clone(), e))?;
    }
    Ok(())
}
