//! Whole datasets read past the library: straight from the file to where they belong.
//!
//! The library reads every chunk into its cache and copies it from there. Where a chunk is whole rows and has no filter, its bytes are those of
//! the array; the index of the chunks tells where they are, and the rest is up to the system. Several threads read large datasets.

use super::descriptor;
use super::ffi::h5;
use super::index;
use super::refs;
use super::transfer::Source;
use crate::error::Result;
use hdf5_sys::h5d::{H5Dget_chunk_info_by_coord, H5Dget_offset, H5Dget_storage_size};
use parking_lot::Mutex;
use std::num::NonZero;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

/// Below this a dataset is read by the library: it is asked for less.
const LEAST: usize = 1 << 20;
/// So small chunks cost more to ask for than to copy.
const CHUNK: usize = 4 << 10;
/// Of more chunks than this the library is not asked: each question takes the longer the more there are.
const ASKED: usize = 256;
/// The bytes that are worth a thread, and the most threads.
const SHARE: usize = 8 << 20;
const THREADS: usize = 4;
/// The bytes that a thread takes at once.
const UNIT: usize = 1 << 20;

/// Where all bytes of a dataset are in the file: the address of each part, and its bytes. They follow each other in the array.
pub(super) struct Places(Vec<(u64, usize)>);

/// Finds the bytes of a dataset; `None` if the library has to read it.
pub(super) fn find(source: &Source<'_>) -> Result<Option<Places>> {
    let file = source.refs.file();
    let total = source.shape.iter().product::<usize>() * source.codec.itemsize();
    let usual = total >= LEAST
        && source.codec.is_plain()
        && !source.filtered
        && file.is_still()
        && file.location().file.is_some()
        && descriptor::is_usual(file.id());
    if !usual {
        return Ok(None);
    }
    let Some(chunks) = source.chunks else { return contiguous(source, total) };
    let row: usize = source.shape.iter().skip(1).product::<usize>() * source.codec.itemsize();
    let rows = chunks.first().copied().unwrap_or(0);
    if rows.saturating_mul(row) < CHUNK || chunks.get(1..) != source.shape.get(1..) {
        return Ok(None);
    }
    let (chunk, count) = (rows * row, total.div_ceil(rows * row));
    let header = refs::address_of(source.dataset)?;
    let found = descriptor::with(file.id(), |fd| index::of_rows(fd, header, chunks.len(), count)).flatten();
    let mut places = Vec::with_capacity(count);
    let mut put = |mask: u32, address: u64, size: u64| {
        let bytes = chunk.min(total - places.len() * chunk);
        // A chunk that was never written has no address.
        let good = mask == 0 && address != u64::MAX && size == chunk as u64;
        places.push((address, bytes));
        good
    };
    match found {
        Some(found) => {
            let in_place = found.iter().enumerate().all(|(k, c)| c.row == (k * rows) as u64 && put(c.mask, c.address, c.size.into()));
            Ok((in_place && found.len() == count).then_some(Places(places)))
        }
        None if count <= ASKED => {
            let mut at = vec![0u64; chunks.len()];
            for number in 0..count {
                if let Some(first) = at.first_mut() {
                    *first = (number * rows) as u64;
                }
                let (mut mask, mut address, mut size) = (0, 0, 0);
                h5!(H5Dget_chunk_info_by_coord(source.dataset, at.as_ptr(), &raw mut mask, &raw mut address, &raw mut size))?;
                if !put(mask, address, size) {
                    return Ok(None);
                }
            }
            Ok(Some(Places(places)))
        }
        None => Ok(None),
    }
}

/// A dataset in one piece, in this file and nowhere else.
fn contiguous(source: &Source<'_>, total: usize) -> Result<Option<Places>> {
    // SAFETY: the library's lock is held, and the dataset is open. A failure is the same as no address.
    let address = super::ffi::library(|| unsafe { H5Dget_offset(source.dataset) });
    // SAFETY: as above; a failure gives 0.
    let size = super::ffi::library(|| unsafe { H5Dget_storage_size(source.dataset) });
    Ok((address != u64::MAX && size == total as u64).then(|| Places(vec![(address, total)])))
}

impl Places {
    /// Reads all elements; false, and anything may have been read, if the file does not give them.
    pub(super) fn read(self, source: &Source<'_>, out: &mut [u8]) -> bool {
        let threads = processors().min(THREADS).min(out.len() / SHARE).max(1);
        let mut units = Vec::with_capacity(out.len() / UNIT + 1);
        let mut rest = &mut *out;
        // Chunks that lie side by side are read by one call, and long pieces by several threads.
        let mut joined: Option<(u64, usize)> = None;
        let ends = std::iter::once((u64::MAX, 0));
        for (address, bytes) in self.0.into_iter().chain(ends) {
            match &mut joined {
                Some((from, len)) if *len < UNIT && from.checked_add(*len as u64) == Some(address) => *len += bytes,
                _ => {
                    let (mut from, mut len) = joined.replace((address, bytes)).unwrap_or((0, 0));
                    while len > 0 {
                        let count = if len < 2 * UNIT { len } else { UNIT };
                        let Some((part, behind)) = std::mem::take(&mut rest).split_at_mut_checked(count) else { return false };
                        units.push((from, part));
                        rest = behind;
                        (from, len) = (from + count as u64, len - count);
                    }
                }
            }
        }
        let file = source.refs.file();
        let read = |fd: BorrowedFd<'_>| in_shares(units, threads, &|(at, part): (u64, &mut [u8])| descriptor::fill(fd, part, at).is_some());
        let done = descriptor::with(file.id(), read).is_some_and(|all| all.into_iter().all(|good| good));
        if done {
            source.codec.turn(out);
        }
        done
    }
}

/// How many threads run at once; the system is asked only once, which takes a while.
pub(super) fn processors() -> usize {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, NonZero::get))
}

/// Does the work on each part, on this thread and some more, which take the next part whenever they are done with one; gives the results in order.
pub(super) fn in_shares<P: Send, R: Send>(parts: Vec<P>, threads: usize, work: &(impl Fn(P) -> R + Sync)) -> Vec<R> {
    if threads < 2 || parts.len() < 2 {
        return parts.into_iter().map(work).collect();
    }
    let queue = Mutex::new(parts.into_iter().enumerate());
    let done = Mutex::new(Vec::new());
    let run = || {
        loop {
            let Some((number, part)) = queue.lock().next() else { return };
            let result = work(part);
            done.lock().push((number, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Where the system gives no thread, this one does all.
            if std::thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let mut done = done.into_inner();
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
