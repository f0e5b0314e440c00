//! Where the chunks of a dataset are, read from its index in the file.
//!
//! Before 1.14 the library tells of one chunk at a time, and looks at all chunks before it: of 8,000 chunks that takes seconds, of 64,000 minutes. The index
//! that files of all versions have unless they are made for new ones only, a B-tree of version 1, is simple. Whatever is not as it usually is, is left to the library.

use super::descriptor::{fill, fill_some};
use std::os::fd::BorrowedFd;

/// A chunk of whole rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its first row.
    pub row: u64,
    pub address: u64,
    /// The bytes that it takes.
    pub size: u32,
    /// Filters that were left out.
    pub mask: u32,
}

/// The most bytes of a node: files may have larger ones than usual.
const NODE: usize = 1 << 20;
/// The bytes of an object header that are read at first.
const HEAD: usize = 512;
/// An object header has fewer parts than this.
const PARTS: usize = 64;
const LAYOUT: u16 = 8;
const CONTINUATION: u16 = 16;

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    number(bytes, at).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    number(bytes, at).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    number(bytes, at).map(u64::from_le_bytes)
}

fn read(fd: BorrowedFd<'_>, at: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok().filter(|n| *n <= NODE)?];
    fill(fd, &mut bytes, at)?;
    Some(bytes)
}

/// The chunks of a dataset of so many axes whose chunks are whole rows, in their order; `None` if its index is of another kind.
///
/// The address is that of the dataset's object header; there are to be `most` chunks at most.
pub(super) fn of_rows(fd: BorrowedFd<'_>, header: u64, rank: usize, most: usize) -> Option<Vec<Chunk>> {
    let layout = layout(fd, header)?;
    // Version 3, chunked, the axes with that of the bytes of an element.
    if layout.get(..3)? != [3, 2, u8::try_from(rank + 1).ok()?] {
        return None;
    }
    let mut chunks = Vec::new();
    let mut at = u64_at(&layout, 3)?;
    let mut level = None;
    let key = 8 + 8 * (rank + 1);
    // From the root to the first leaf, and along the leaves.
    while at != u64::MAX {
        let head = read(fd, at, 24)?;
        let (own, entries) = (*head.get(5)?, usize::from(u16_at(&head, 6)?));
        if !head.starts_with(b"TREE\x01") || level.is_some_and(|above| own >= above && own != 0) || (level == Some(0) && own != 0) {
            return None;
        }
        if own > 0 {
            level = Some(own);
            at = u64_at(&read(fd, at.checked_add(24 + key as u64)?, 8)?, 0)?;
            continue;
        }
        level = Some(0);
        let node = read(fd, at.checked_add(24)?, (entries * (key + 8)) as u64)?;
        for entry in node.chunks_exact(key + 8) {
            let chunk = Chunk { row: u64_at(entry, 8)?, address: u64_at(entry, key)?, size: u32_at(entry, 0)?, mask: u32_at(entry, 4)? };
            let others = entry.get(16..key)?;
            let rising = chunks.last().is_none_or(|last: &Chunk| last.row < chunk.row);
            if others.iter().any(|b| *b != 0) || !rising || chunks.len() == most {
                return None;
            }
            chunks.push(chunk);
        }
        if entries == 0 {
            return None;
        }
        at = u64_at(&head, 16)?;
    }
    Some(chunks)
}

/// The message of an object header that tells of the layout.
fn layout(fd: BorrowedFd<'_>, header: u64) -> Option<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let got = fill_some(fd, &mut head, header);
    head.truncate(got);
    let (version_2, order, first, len) = if head.starts_with(b"OHDR\x02") {
        let flags = *head.get(5)?;
        let mut at = 6 + if flags & 0x20 == 0 { 0 } else { 16 } + if flags & 0x10 == 0 { 0 } else { 4 };
        let width = 1 << (flags & 3);
        let mut size = [0; 8];
        size.get_mut(..width)?.copy_from_slice(head.get(at..at + width)?);
        at += width;
        (true, flags & 4 != 0, at as u64, u64::from_le_bytes(size))
    } else if head.first() == Some(&1) {
        (false, false, 16, u64::from(u32_at(&head, 8)?))
    } else {
        return None;
    };
    let mut parts = vec![(header.checked_add(first)?, len)];
    let mut next = 0;
    while let Some(&(at, len)) = parts.get(next) {
        next += 1;
        let part = read(fd, at, len)?;
        let mut at = 0;
        while let Some((kind, size, begin)) = message(&part, at, version_2, order) {
            let data = part.get(begin..begin + size)?;
            match kind {
                LAYOUT => return Some(data.to_vec()),
                CONTINUATION if parts.len() < PARTS => {
                    let (from, len) = (u64_at(data, 0)?, u64_at(data, 8)?);
                    // Those of version 2 begin with a signature, and end with a checksum.
                    parts.push(if version_2 { (from.checked_add(4)?, len.checked_sub(8)?) } else { (from, len) });
                }
                _ => {}
            }
            at = begin + size;
        }
    }
    None
}

/// The kind of a message, its bytes, and where they begin.
fn message(part: &[u8], at: usize, version_2: bool, order: bool) -> Option<(u16, usize, usize)> {
    if version_2 {
        let size = usize::from(u16_at(part, at + 1)?);
        Some(((*part.get(at)?).into(), size, at + if order { 6 } else { 4 }))
    } else {
        Some((u16_at(part, at)?, u16_at(part, at + 2)?.into(), at + 8))
    }
}
