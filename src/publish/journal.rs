//! Changes of a file in place that happen all or not at all.
//!
//! What is to be overwritten is first written, complete and with a checksum, to `DIR/.NAME.journal`; then in place; then the journal goes. Who dies
//! while he writes the journal has changed nothing; who dies later leaves a journal from which the next one finishes the work. What only adds
//! bytes behind the end of the file needs no journal: the bytes mean nothing before something in place leads to them.
//!
//! Whoever calls this holds the lock of the target.

use super::filesystem::{File, FileSystem, OpenMode, retry};
use super::guard::Durability;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"memh5 journal 1\n";
/// The magic, the device and inode of the file, the number of changes.
const HEAD: usize = 16 + 8 + 8 + 8;
/// A page of the system's cache: a write within one is never half done.
const PAGE: u64 = 4096;

/// A run of bytes of the file that is to change.
pub(crate) type Change<'a> = (u64, &'a [u8]);

/// Where the journal of a file is.
pub(crate) fn path_of(target: &Path) -> Option<PathBuf> {
    let mut name = OsString::from(".");
    name.push(target.file_name()?);
    name.push(".journal");
    Some(target.with_file_name(name))
}

/// Why changes could not be made.
#[derive(Debug)]
pub(crate) struct Failed {
    pub error: io::Error,
    /// The file may have changed in part: the journal is there, and [`recover`] will make the rest.
    #[cfg_attr(not(feature = "hdf5"), allow(dead_code))]
    pub begun: bool,
}

impl From<Failed> for io::Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// Makes the changes: after a crash all of them are there, or none. They are made in the order given.
///
/// # Errors
/// What the system says. If the journal could not be written, nothing has changed.
pub(crate) fn apply(
    fs: &dyn FileSystem,
    target: &Path,
    file: &dyn File,
    changes: &[Change<'_>],
    durability: Durability,
) -> Result<(), Failed> {
    let (before, begun) = (|error| Failed { error, begun: false }, |error| Failed { error, begun: true });
    let synced = durability == Durability::Full;
    let sync = |file: &dyn File| if synced { retry(|| file.sync()) } else { Ok(()) };
    let write = || changes.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset));
    if changes.is_empty() {
        return sync(file).map_err(before);
    }
    if let [(offset, bytes)] = changes
        && !synced
        && offset / PAGE == (offset + bytes.len() as u64).saturating_sub(1) / PAGE
    {
        return write().or_else(|_| write()).map_err(begun);
    }
    let journal = path_of(target).ok_or(io::ErrorKind::InvalidInput.into()).map_err(before)?;
    write_journal(fs, &journal, file, changes, synced)
        .inspect_err(|_| {
            let _ = fs.remove_file(&journal);
        })
        .map_err(before)?;
    // From here on the changes will be made: now, at a second try, or by the next who comes.
    write().or_else(|_| write()).and_then(|()| sync(file)).map_err(begun)?;
    // One that cannot be removed is emptied: it must not be found after later changes.
    let empty = |_| retry(|| fs.open(&journal, OpenMode::ReadWrite)).and_then(|j| retry(|| j.set_len(0)));
    retry(|| fs.remove_file(&journal)).or_else(empty).map_err(begun)
}

fn write_journal(fs: &dyn FileSystem, journal: &Path, file: &dyn File, changes: &[Change<'_>], synced: bool) -> io::Result<()> {
    let (device, inode) = retry(|| file.info())?.identity.unwrap_or_default();
    let size: usize = changes.iter().map(|(_, bytes)| 16 + bytes.len()).sum();
    let mut text = Vec::with_capacity(HEAD + size + 8);
    text.extend(MAGIC);
    [device, inode, changes.len() as u64].iter().for_each(|n| text.extend(n.to_le_bytes()));
    for (offset, bytes) in changes {
        text.extend(offset.to_le_bytes());
        text.extend((bytes.len() as u64).to_le_bytes());
        text.extend_from_slice(bytes);
    }
    text.extend(checksum(&text).to_le_bytes());
    let out = retry(|| fs.open(journal, OpenMode::Create))?;
    // Not without need: a file that was cut to nothing is brought to the device when it is closed.
    if retry(|| out.info())?.len > 0 {
        retry(|| out.set_len(0))?;
    }
    out.write_all_at(&text, 0)?;
    if synced {
        retry(|| out.sync())?;
        if let Some(dir) = journal.parent() {
            retry(|| fs.sync_dir(dir))?;
        }
    }
    Ok(())
}

/// Finishes what a writer has left who died. True if there was something to finish. A journal that is not complete, or of another file that had
/// the name, means nothing and is removed.
///
/// # Errors
/// What the system says; the journal stays then.
pub(crate) fn recover(fs: &dyn FileSystem, target: &Path) -> io::Result<bool> {
    let Some(journal) = path_of(target) else { return Ok(false) };
    if !fs.exists(&journal)? {
        return Ok(false);
    }
    let text = retry(|| fs.open(&journal, OpenMode::Read))?.read_up_to(usize::MAX)?;
    let mut finished = false;
    if let Some((identity, changes)) = parse(&text) {
        let file = match retry(|| fs.open(target, OpenMode::ReadWrite)) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if let Some(file) = file
            && retry(|| file.info())?.identity.unwrap_or_default() == identity
        {
            changes.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset))?;
            retry(|| file.sync())?;
            finished = true;
        }
    }
    retry(|| fs.remove_file(&journal))?;
    Ok(finished)
}

fn word(text: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(text.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The file that a journal is of, and its changes; `None` if it is not complete.
fn parse(text: &[u8]) -> Option<((u64, u64), Vec<Change<'_>>)> {
    let end = text.len().checked_sub(8).filter(|n| *n >= HEAD)?;
    if !text.starts_with(MAGIC) || word(text, end)? != checksum(text.get(..end)?) {
        return None;
    }
    let count = word(text, 32)?;
    let (mut changes, mut at) = (Vec::new(), HEAD);
    for _ in 0..count {
        let (offset, len) = (word(text, at)?, usize::try_from(word(text, at + 8)?).ok()?);
        changes.push((offset, text.get(at + 16..(at + 16).checked_add(len)?)?));
        at += 16 + len;
    }
    (at == end).then_some(((word(text, 16)?, word(text, 24)?), changes))
}

/// A checksum against accidents: each word is mixed in, so that no order and no length is like another.
fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    let mut words = bytes.chunks_exact(8);
    let mut sum = mix(0x6d65_6d68_3521_0001, bytes.len() as u64);
    for chunk in &mut words {
        sum = mix(sum, chunk.try_into().map_or(0, u64::from_le_bytes));
    }
    let mut last = [0; 8];
    last.iter_mut().zip(words.remainder()).for_each(|(to, from)| *to = *from);
    mix(mix(sum, u64::from_le_bytes(last)), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::{Fault, FaultFileSystem, OsFileSystem};

    /// Every call fails or is the last one of its process: what is there is all old or all new, and after recovery too.
    #[test]
    fn all_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("data.bin");
        let (old, new) = (vec![1u8; 20_000], vec![2u8; 20_000]);
        let changes: [Change<'_>; 2] = [(0, &new[..9_000]), (9_000, &new[9_000..])];
        for durability in [Durability::Process, Durability::Full] {
            for fault in [Fault::Io, Fault::NoSpace, Fault::FillsUp, Fault::Crash, Fault::Short] {
                for n in 1.. {
                    std::fs::write(&target, &old).unwrap();
                    let fs = FaultFileSystem::new();
                    let file = fs.open(&target, OpenMode::ReadWrite).unwrap();
                    fs.fail_call(n, fault);
                    let result = apply(&fs, &target, &*file, &changes, durability);
                    let met = fs.has_failed();
                    let journal = path_of(&target).unwrap().exists();
                    let found = std::fs::read(&target).unwrap();
                    assert!(journal || found == old || found == new, "{fault:?} {n}: torn without a journal");
                    let recovered = recover(&OsFileSystem, &target).unwrap();
                    let found = std::fs::read(&target).unwrap();
                    assert!(found == if recovered || result.is_ok() { &new[..] } else { &found[..] });
                    assert!(found == old || found == new, "{fault:?} {n}: torn");
                    assert!(!path_of(&target).unwrap().exists());
                    if !met {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn a_damaged_or_foreign_journal_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("data.bin");
        let journal = path_of(&target).unwrap();
        let fs = OsFileSystem;
        let write = || {
            std::fs::write(&target, [1u8; 100]).unwrap();
            let file = fs.open(&target, OpenMode::ReadWrite).unwrap();
            write_journal(&fs, &journal, &*file, &[(3, &[2u8; 50])], false).unwrap();
        };
        write();
        let whole = std::fs::read(&journal).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(&journal, &whole[..cut]).unwrap();
            assert!(!recover(&fs, &target).unwrap(), "{cut}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 16;
            std::fs::write(&journal, damaged).unwrap();
            assert!(!recover(&fs, &target).unwrap(), "{at}");
        }
        assert_eq!(std::fs::read(&target).unwrap(), [1; 100]);
        write();
        std::fs::write(dir.path().join("other"), [1u8; 100]).unwrap();
        std::fs::rename(dir.path().join("other"), &target).unwrap();
        assert!(!recover(&fs, &target).unwrap());
        assert_eq!(std::fs::read(&target).unwrap(), [1; 100]);
        write();
        assert!(recover(&fs, &target).unwrap());
        assert_eq!(std::fs::read(&target).unwrap()[3..53], [2; 50]);
    }
}
