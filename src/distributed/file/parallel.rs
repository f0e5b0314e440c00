//! Elements through parallel HDF5: all ranks of an MPI communicator have the file open and transfer together.

use super::align::{self, Storage};
use super::cut::{Box, Cut, lengths, pieces, selection, within};
use super::exchange::exchange;
use crate::array::AnyArray;
use crate::distributed::{Communicator, MpiComm, Step};
use crate::error::{Error, Result, bail, error};
use crate::format::hdf5::parallel::{ParallelDataset, ParallelFile, Slab};
use crate::selection::AxisSelection;
use std::path::Path;

/// The most bytes of one transfer of a rank. Below what the C ints of MPI implementations count.
const TRANSFER: usize = 512 << 20;
/// The same where chunks have filters: the library keeps all chunks of a transfer in memory.
const FILTERED: usize = 64 << 20;

/// A file that all ranks have open.
pub(super) struct Collective<'s> {
    step: &'s Step<'s>,
    file: ParallelFile,
}

/// What the library writes beside the elements, at most.
const BESIDE: u64 = 256 << 10;

/// Sees to it that a file can grow by so much, before all ranks write it together: what one rank meets in the midst of that (a full disk), the others
/// would never learn, and wait for ever. The first rank takes the room; each looks whether its limits allow the file.
pub(super) fn reserve(path: &Path, room: u64, first: bool) -> Result<()> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;
    let failed = |e: std::io::Error| Error::io(e, path).during("take the room for the distributed datasets");
    let file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
    let needed = file.metadata().map_err(failed)?.len() + room + BESIDE;
    if let Some(limit) = longest_file().filter(|limit| *limit < needed) {
        return Err(error!(Io, "a file of this process may have {limit} bytes, and this one needs {needed}")
            .in_file(path)
            .remedy("raise the limit: ulimit -f"));
    }
    if !first {
        return Ok(());
    }
    // A file system that cannot say is believed.
    match rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, needed) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(()),
        Err(e) => Err(failed(e.into())),
    }
}

/// The most bytes that a file of this process may have, if there is a limit, as Linux tells it.
fn longest_file() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max file size")?.split_whitespace().next()?.parse().ok())
}

/// The MPI communicator, if it is one.
pub(super) fn mpi(comm: &dyn Communicator) -> Option<&MpiComm> {
    comm.as_any().downcast_ref()
}

impl<'s> Collective<'s> {
    /// Opens a file on all ranks.
    pub(super) fn open(step: &'s Step<'s>, comm: &MpiComm, path: &Path, write: bool) -> Result<Self> {
        let opened = ParallelFile::open(path, comm.as_raw(), write);
        // If some have it open, they close it together with nobody: so failures are told first, and who has it open then leaves it to MPI.
        let file = step.agree(opened)?;
        Ok(Self { step, file })
    }

    /// Closes the file on all ranks.
    pub(super) fn close(self) -> Result<()> {
        let Self { step, file } = self;
        step.agree(file.close())
    }

    /// Writes a dataset from the parts that the ranks have.
    pub(super) fn write(&self, path: &str, have: &Cut, local: &AnyArray, storage: &Storage) -> Result<()> {
        let step = self.step;
        let cut = align::cut_for(have, storage);
        let moved = exchange(step, local.clone(), have, &cut)?;
        let dataset = step.agree(self.file.dataset(path).and_then(|d| check(d, &moved, &cut)))?;
        let written = each_piece(&cut, &moved, storage, step.comm().rank(), |place, part| match place {
            Some(place) => dataset.write(Some(&slab(place)), part),
            None => dataset.write(None, &[]),
        });
        step.agree(written)
    }

    /// Reads a selected part of a dataset, cut over the ranks. Each axis is a range with a positive step.
    pub(super) fn read(&self, path: &str, axes: &[AxisSelection], cut: &Cut, storage: &Storage) -> Result<AnyArray> {
        let (step, rank) = (self.step, self.step.comm().rank());
        let prepared = self.file.dataset(path).and_then(|d| Ok((AnyArray::zeros(d.dtype().clone(), cut.part_shape(rank))?, d)));
        let (mut array, dataset) = step.agree(prepared)?;
        let (budget, part) = (budget(storage), cut.part(rank));
        let item = array.dtype().itemsize();
        let mut failed = Ok(());
        // Cut for memory only: each piece is adjacent there.
        let mine = pieces(&part, item, None, budget);
        let mut at = 0;
        for k in 0..calls(cut, item, None, budget) {
            let read = match mine.get(k) {
                Some(piece) if failed.is_ok() => {
                    let bytes = lengths(piece).iter().product::<usize>() * item;
                    let place = selected(axes, piece);
                    let to = array.raw_mut()?.0;
                    let read = dataset.read(Some(&place), &mut to[at..at + bytes]);
                    at += bytes;
                    read
                }
                _ => dataset.read(None, &mut []),
            };
            failed = failed.and(read);
        }
        step.agree(failed)?;
        Ok(array)
    }
}

/// True if the ranks can read such a selection together.
pub(super) fn can_read(axes: &[AxisSelection]) -> bool {
    axes.iter().all(|axis| matches!(axis, AxisSelection::Range { step, count, .. } if *step > 0 || *count <= 1))
}

fn check<'f>(dataset: ParallelDataset<'f>, moved: &AnyArray, cut: &Cut) -> Result<ParallelDataset<'f>> {
    if dataset.shape() != cut.shape || !dataset.dtype().same_values(moved.dtype()) {
        bail!(Corrupt, "the dataset in the file is not what was made: {} of shape {:?}", dataset.dtype(), dataset.shape());
    }
    Ok(dataset)
}

fn budget(storage: &Storage) -> usize {
    if !storage.filters.is_empty() { FILTERED } else { TRANSFER }
}

/// How often the rank with the most pieces calls: all call as often.
fn calls(cut: &Cut, item: usize, chunks: Option<&[usize]>, budget: usize) -> usize {
    (0..cut.ranks()).map(|rank| pieces(&cut.part(rank), item, chunks, budget).len()).max().unwrap_or(0)
}

/// Calls the function for each piece of this rank's part with its bytes, then without a piece until all ranks have done theirs. After a failure
/// it goes on without pieces, for the others wait in their calls.
fn each_piece(
    cut: &Cut,
    local: &AnyArray,
    storage: &Storage,
    rank: usize,
    mut f: impl FnMut(Option<&Box>, &[u8]) -> Result<()>,
) -> Result<()> {
    let (item, budget) = (local.dtype().itemsize(), budget(storage));
    let chunks = storage.whole_chunks();
    let whole = cut.part(rank);
    let mine = pieces(&whole, item, chunks, budget);
    let bytes = local.raw().0;
    let mut failed = Ok(());
    let mut at = 0;
    for k in 0..calls(cut, item, chunks, budget) {
        let done = match mine.get(k) {
            Some(piece) if failed.is_ok() && chunks.is_none() => {
                // Adjacent in memory.
                let len = lengths(piece).iter().product::<usize>() * item;
                at += len;
                f(Some(piece), &bytes[at - len..at])
            }
            Some(piece) if failed.is_ok() => match local.select(selection(&within(piece, &whole))) {
                Ok(data) => f(Some(piece), data.raw().0),
                Err(e) => f(None, &[]).and(Err(e)),
            },
            _ => f(None, &[]),
        };
        failed = failed.and(done);
    }
    failed
}

fn slab(piece: &Box) -> Slab {
    Slab { start: piece.iter().map(|r| r.start).collect(), step: vec![1; piece.len()], count: lengths(piece) }
}

/// A piece of what is selected, as indices of the file.
fn selected(axes: &[AxisSelection], piece: &Box) -> Slab {
    let start = axes.iter().zip(piece).map(|(axis, r)| axis.index(r.start)).collect();
    let step = axes.iter().map(|axis| match axis {
        AxisSelection::Range { step, count, .. } if *count > 1 => step.unsigned_abs(),
        _ => 1,
    });
    Slab { start, step: step.collect(), count: lengths(piece) }
}
