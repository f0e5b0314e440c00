//! Changes of a file in place that happen all or not at all.
//!
//! What is to be overwritten is first written, complete and with a checksum, to `DIR/.NAME.journal`. Then the magic, the first bytes of the format by which
//! every reader knows the file, is replaced by [`MARK`]; then the changes are made in place; then the magic is put back, and the journal goes. Who dies
//! before the mark has changed nothing; who dies later leaves a file that no reader takes for whole, and a journal from which the next one of ours finishes
//! the work. So nobody ever sees, or writes to, a file that is changed in part. What only adds bytes behind the end of the file needs no journal: the
//! bytes mean nothing before something in place leads to them.
//!
//! Whoever calls this holds the lock of the target.

use super::filesystem::{File, FileSystem, OpenMode, retry};
use super::guard::Durability;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"memh5 journal 2\n";
/// The magic, the device and inode of the file, the place of its own magic, the number of changes.
const HEAD: usize = 16 + 8 + 8 + 8 + 8;
/// A page of the system's cache: a write within one is never half done.
pub(crate) const PAGE: u64 = 4096;

/// What stands in the place of the magic while a file is changed in part.
pub(crate) const MARK: &[u8; 8] = b"memh5 jn";

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

/// Makes the changes: after a crash all of them are there, or none. They are made in the order given, but what covers the eight bytes of the magic, at
/// `head`, comes last.
///
/// # Errors
/// What the system says. If the journal could not be written, nothing has changed.
pub(crate) fn apply(
    fs: &dyn FileSystem,
    target: &Path,
    file: &dyn File,
    head: u64,
    changes: &[Change<'_>],
    durability: Durability,
) -> Result<(), Failed> {
    let (before, begun) = (|error| Failed { error, begun: false }, |error| Failed { error, begun: true });
    let synced = durability == Durability::Full;
    let sync = || if synced { retry(|| file.sync()) } else { Ok(()) };
    let write = |changes: &[Change<'_>]| changes.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset));
    if changes.is_empty() {
        return sync().map_err(before);
    }
    if let [(offset, bytes)] = changes
        && !synced
        && in_one_page(*offset, bytes.len())
    {
        return write(changes).or_else(|_| write(changes)).map_err(begun);
    }
    let mut magic = [0; MARK.len()];
    read_exact(file, &mut magic, head).map_err(before)?;
    let (most, last) = head_last(changes, head, &magic);
    let journal = path_of(target).ok_or(io::ErrorKind::InvalidInput.into()).map_err(before)?;
    write_journal(fs, &journal, file, head, &[&most[..], &[last]].concat(), synced)
        .inspect_err(|_| {
            let _ = fs.remove_file(&journal);
        })
        .map_err(before)?;
    // From here on the changes will be made: now, at a second try, or by the next who comes, unless not even the mark is there.
    let make = || {
        write(&[(head, MARK)]).and_then(|()| sync())?;
        write(&most).and_then(|()| sync())?;
        write(&[last]).and_then(|()| sync())
    };
    make().or_else(|_| make()).map_err(begun)?;
    remove(fs, &journal).map_err(begun)
}

/// The changes, and after them the one that takes the mark away: of a change that covers the magic the part within its page, else the magic itself.
fn head_last<'c>(changes: &[Change<'c>], head: u64, magic: &'c [u8]) -> (Vec<Change<'c>>, Change<'c>) {
    let (mut most, mut last) = (Vec::with_capacity(changes.len()), (head, magic));
    let page = head / PAGE * PAGE;
    for (offset, bytes) in changes {
        let end = offset + bytes.len() as u64;
        if *offset > head || end < head + magic.len() as u64 {
            most.push((*offset, *bytes));
            continue;
        }
        let (before, rest) = bytes.split_at(page.saturating_sub(*offset) as usize);
        let from = page.max(*offset);
        let (inside, behind) = rest.split_at(((page + PAGE).min(end) - from) as usize);
        last = (from, inside);
        most.extend([(*offset, before), (from + inside.len() as u64, behind)].into_iter().filter(|c| !c.1.is_empty()));
    }
    (most, last)
}

/// True if a write is never half done.
fn in_one_page(offset: u64, len: usize) -> bool {
    offset / PAGE == (offset + len as u64).saturating_sub(1) / PAGE
}

/// Removes a journal. One that cannot be removed is emptied: it must not be found after later changes.
fn remove(fs: &dyn FileSystem, journal: &Path) -> io::Result<()> {
    let empty = |_| retry(|| fs.open(journal, OpenMode::ReadWrite)).and_then(|j| retry(|| j.set_len(0)));
    retry(|| fs.remove_file(journal)).or_else(empty)
}

fn read_exact(file: &dyn File, out: &mut [u8], at: u64) -> io::Result<()> {
    let mut have = 0;
    while have < out.len() {
        match retry(|| file.read_at(out.get_mut(have..).unwrap_or_default(), at + have as u64))? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => have += n,
        }
    }
    Ok(())
}

fn write_journal(fs: &dyn FileSystem, journal: &Path, file: &dyn File, head: u64, changes: &[Change<'_>], synced: bool) -> io::Result<()> {
    let (device, inode) = retry(|| file.info())?.identity.unwrap_or_default();
    let size: usize = changes.iter().map(|(_, bytes)| 16 + bytes.len()).sum();
    let mut text = Vec::with_capacity(HEAD + size + 8);
    text.extend(MAGIC);
    [device, inode, head, changes.len() as u64].iter().for_each(|n| text.extend(n.to_le_bytes()));
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

/// Finishes what a writer has left who died. True if there was something to finish. A journal that is not complete, that was not begun with, or that is of
/// another file that had the name, means nothing and is removed.
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
    if let Some(Journal { identity, head, changes }) = parse(&text) {
        let file = match retry(|| fs.open(target, OpenMode::ReadWrite)) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if let Some(file) = file
            && retry(|| file.info())?.identity.unwrap_or_default() == identity
            && is_marked(&*file, head)?
        {
            // The change that takes the mark away is the last one.
            if let Some((last, most)) = changes.split_last() {
                most.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset))?;
                retry(|| file.sync())?;
                file.write_all_at(last.1, last.0)?;
                retry(|| file.sync())?;
            }
            finished = true;
        }
    }
    retry(|| fs.remove_file(&journal))?;
    Ok(finished)
}

/// True if the file is changed in part.
fn is_marked(file: &dyn File, head: u64) -> io::Result<bool> {
    let mut found = [0; MARK.len()];
    match read_exact(file, &mut found, head) {
        Ok(()) => Ok(found == *MARK),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}

/// What a journal says: the file that it is of, the place of that file's magic, the changes.
struct Journal<'t> {
    identity: (u64, u64),
    head: u64,
    changes: Vec<Change<'t>>,
}

fn word(text: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(text.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// Reads a journal; `None` if it is not complete.
fn parse(text: &[u8]) -> Option<Journal<'_>> {
    let end = text.len().checked_sub(8).filter(|n| *n >= HEAD)?;
    if !text.starts_with(MAGIC) || word(text, end)? != checksum(text.get(..end)?) {
        return None;
    }
    let count = word(text, 40)?;
    let (mut changes, mut at) = (Vec::new(), HEAD);
    for _ in 0..count {
        let (offset, len) = (word(text, at)?, usize::try_from(word(text, at + 8)?).ok()?);
        changes.push((offset, text.get(at + 16..(at + 16).checked_add(len)?)?));
        at += 16 + len;
    }
    let (identity, head) = ((word(text, 16)?, word(text, 24)?), word(text, 32)?);
    (at == end).then_some(Journal { identity, head, changes })
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
    use std::io::Write;

    /// Every call fails or is the last one of its process: what is there is all old or all new, and after recovery too.
    #[test]
    fn all_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("data.bin");
        let (old, mut new) = (vec![1u8; 20_000], vec![2u8; 20_000]);
        let runs: [&[std::ops::Range<usize>]; 3] = [&[0..9_000, 9_000..20_000], &[9_000..20_000, 0..4096], &[10..11, 9_000..9_001]];
        for (durability, runs) in [Durability::Process, Durability::Full].into_iter().flat_map(|d| runs.iter().map(move |r| (d, r))) {
            new.copy_from_slice(&old);
            runs.iter().for_each(|r| new[r.clone()].fill(2));
            let changes: Vec<Change<'_>> = runs.iter().map(|r| (r.start as u64, &new[r.clone()])).collect();
            for fault in [Fault::Io, Fault::NoSpace, Fault::FillsUp, Fault::Crash, Fault::Short] {
                for n in 1.. {
                    std::fs::write(&target, &old).unwrap();
                    let fs = FaultFileSystem::new();
                    let file = fs.open(&target, OpenMode::ReadWrite).unwrap();
                    fs.fail_call(n, fault);
                    let result = apply(&fs, &target, &*file, 0, &changes, durability);
                    let met = fs.has_failed();
                    let journal = path_of(&target).unwrap().exists();
                    let found = std::fs::read(&target).unwrap();
                    // Whoever reads it sees the old, the new, or that it is neither.
                    let marked = found.starts_with(MARK);
                    assert!((journal && marked) || found == old || found == new, "{fault:?} {n}: torn");
                    let recovered = recover(&OsFileSystem, &target).unwrap();
                    let found = std::fs::read(&target).unwrap();
                    assert!(found == old || found == new, "{fault:?} {n}: torn");
                    assert_eq!(recovered, marked);
                    assert!(found == new || (!recovered && result.is_err()));
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
            std::fs::write(&target, [&MARK[..], &[1; 92]].concat()).unwrap();
            let file = fs.open(&target, OpenMode::ReadWrite).unwrap();
            write_journal(&fs, &journal, &*file, 0, &[(30, &[2u8; 50]), (0, &[1; 8])], false).unwrap();
        };
        let marked = [&MARK[..], &[1; 92]].concat();
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
        assert_eq!(std::fs::read(&target).unwrap(), marked);
        write();
        std::fs::write(dir.path().join("other"), &marked).unwrap();
        std::fs::rename(dir.path().join("other"), &target).unwrap();
        assert!(!recover(&fs, &target).unwrap(), "another file");
        assert_eq!(std::fs::read(&target).unwrap(), marked);
        // Without the mark nothing was begun, and somebody may have written the file since.
        write();
        std::fs::OpenOptions::new().write(true).open(&target).unwrap().write_all(&[1; 8]).unwrap();
        assert!(!recover(&fs, &target).unwrap());
        assert_eq!(std::fs::read(&target).unwrap(), [1; 100]);
        write();
        assert!(recover(&fs, &target).unwrap());
        assert_eq!(std::fs::read(&target).unwrap(), [&[1u8; 30][..], &[2; 50], &[1; 20]].concat());
    }
}
