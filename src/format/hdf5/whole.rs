//! Whole datasets read past the library: straight from the file to where they belong.
//!
//! The library reads every chunk into its cache and copies it from there. Where a chunk is whole rows and has no filter, its bytes are those of
//! the array; the library tells where it is, and the rest is up to the system. Several threads read large datasets.

use super::descriptor;
use super::ffi::h5;
use super::transfer::Source;
use crate::error::Result;
use hdf5_sys::h5d::H5Dget_chunk_info_by_coord;
use std::num::NonZero;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

/// Below this a dataset is read by the library: it is asked for less.
const LEAST: usize = 1 << 20;
/// So small chunks cost more to ask for than to copy.
const CHUNK: usize = 16 << 10;
/// The bytes that are worth a thread, and the most threads.
const SHARE: usize = 8 << 20;
const THREADS: usize = 4;

/// Reads all elements of a dataset with chunks of that shape; false, and anything may have been read, if the library has to do it.
pub(super) fn read_all(source: &Source<'_>, chunks: &[usize], out: &mut [u8]) -> Result<bool> {
    let file = source.refs.file();
    let row: usize = source.shape.iter().skip(1).product::<usize>() * source.codec.itemsize();
    let rows = chunks.first().copied().unwrap_or(0);
    let usual = out.len() >= LEAST
        && rows.saturating_mul(row) >= CHUNK
        && chunks.get(1..) == source.shape.get(1..)
        && source.codec.is_plain()
        && !source.filtered
        && file.is_read_only()
        && file.location().file.is_some()
        && descriptor::is_usual(file.id());
    if !usual {
        return Ok(false);
    }
    let mut at = vec![0u64; chunks.len()];
    let mut parts: Vec<(u64, &mut [u8])> = Vec::with_capacity(out.len() / (rows * row) + 1);
    for (number, part) in out.chunks_mut(rows * row).enumerate() {
        if let Some(first) = at.first_mut() {
            *first = (number * rows) as u64;
        }
        let (mut mask, mut address, mut size) = (0, 0, 0);
        h5!(H5Dget_chunk_info_by_coord(source.dataset, at.as_ptr(), &raw mut mask, &raw mut address, &raw mut size))?;
        // A chunk that was never written has no address.
        if mask != 0 || address == u64::MAX || size != (rows * row) as u64 {
            return Ok(false);
        }
        parts.push((address, part));
    }
    let total: usize = parts.iter().map(|(_, p)| p.len()).sum();
    let threads = processors().min(THREADS).min(total / SHARE).max(1);
    let read = |fd: BorrowedFd<'_>| {
        let share = parts.len().div_ceil(threads).max(1);
        let mut shares = parts.chunks_mut(share);
        let own = shares.next();
        std::thread::scope(|scope| {
            let others: Vec<_> = shares.map(|s| scope.spawn(move || read_parts(fd, s))).collect();
            let own = own.is_none_or(|s| read_parts(fd, s));
            others.into_iter().fold(own, |good, t| t.join().unwrap_or(false) && good)
        })
    };
    let done = descriptor::with(file.id(), read).unwrap_or(false);
    if done {
        source.codec.turn(out);
    }
    Ok(done)
}

/// How many threads run at once; the system is asked only once, which takes a while.
fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

fn read_parts(fd: BorrowedFd<'_>, parts: &mut [(u64, &mut [u8])]) -> bool {
    parts.iter_mut().all(|(address, part)| descriptor::fill(fd, part, *address).is_some())
}
