//! Elements through parallel HDF5: all ranks of an MPI communicator have the file open and transfer together.

use super::align::Storage;
use super::cut::{Box, Cut, lengths, pieces};
use super::{direct, rows};
use crate::array::AnyArray;
use crate::distributed::{Communicator, MpiComm, Step};
use crate::error::{Error, Result, bail};
use crate::format::hdf5::parallel::{ParallelDataset, ParallelFile, Slab};
use crate::selection::AxisSelection;
use std::path::Path;

/// The most bytes of one transfer of a rank. Below what the C ints of MPI implementations count.
const TRANSFER: usize = 512 << 20;

/// A file that all ranks have open.
pub(super) struct Collective<'s> {
    step: &'s Step<'s>,
    file: ParallelFile,
}

/// Sees to it that a file can grow by so much, before all ranks write it together: what one rank meets in the midst of that (a full disk), the others
/// would never learn, and wait for ever. The first rank takes the room; each looks whether its limits allow the file.
pub(super) fn reserve(path: &Path, room: u64, first: bool) -> Result<()> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;
    let failed = |e: std::io::Error| Error::io(e, path).during("take the room for the distributed datasets");
    let file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
    let needed = file.metadata().map_err(failed)?.len() + room + direct::BESIDE;
    direct::within_limit(needed).map_err(|e| e.in_file(path))?;
    if !first {
        return Ok(());
    }
    // A file system that cannot say is believed.
    match rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, needed) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(()),
        Err(e) => Err(failed(e.into())),
    }
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
        let contiguous = storage.chunks.is_none();
        let dataset = step.agree(self.file.dataset(path, contiguous).and_then(|d| check(d, local, have)))?;
        if contiguous && have.axis > 0 {
            return rows::write(step, have, local, |rows| match rows {
                Some((place, bytes)) => dataset.write(Some(&slab(place)), bytes),
                None => dataset.write(None, &[]),
            });
        }
        let written = each_piece(have, local, step.comm().rank(), |place, part| match place {
            Some(place) => dataset.write(Some(&slab(place)), part),
            None => dataset.write(None, &[]),
        });
        step.agree(written)
    }

    /// Reads a selected part of a dataset, cut over the ranks. Each axis is a range with a positive step.
    pub(super) fn read(&self, path: &str, axes: &[AxisSelection], cut: &Cut, storage: &Storage) -> Result<AnyArray> {
        let (step, rank) = (self.step, self.step.comm().rank());
        let contiguous = storage.chunks.is_none();
        let prepared = self.file.dataset(path, contiguous).and_then(|d| Ok((AnyArray::zeros(d.dtype().clone(), cut.part_shape(rank))?, d)));
        let (mut array, dataset) = step.agree(prepared)?;
        let item = array.dtype().itemsize();
        if contiguous && rows::shortest_run(cut, item) < rows::SHORT {
            let target = step.agree(array.raw_mut().map(|(bytes, _)| bytes))?;
            rows::read(step, cut, item, target, |rows| match rows {
                Some((place, bytes)) => dataset.read(Some(&selected(axes, place)), bytes),
                None => dataset.read(None, &mut []),
            })?;
            return Ok(array);
        }
        let part = cut.part(rank);
        let mut failed = Ok(());
        // Cut for memory only: each piece is adjacent there.
        let mine = pieces(&part, item, None, TRANSFER);
        let mut at = 0;
        for k in 0..calls(cut, item) {
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

fn check<'f>(dataset: ParallelDataset<'f>, moved: &AnyArray, cut: &Cut) -> Result<ParallelDataset<'f>> {
    if dataset.shape() != cut.shape || !dataset.dtype().same_values(moved.dtype()) {
        bail!(Corrupt, "the dataset in the file is not what was made: {} of shape {:?}", dataset.dtype(), dataset.shape());
    }
    Ok(dataset)
}

/// How often the rank with the most pieces calls: all call as often.
fn calls(cut: &Cut, item: usize) -> usize {
    (0..cut.ranks()).map(|rank| pieces(&cut.part(rank), item, None, TRANSFER).len()).max().unwrap_or(0)
}

/// Calls the function for each piece of this rank's part with its bytes, then without a piece until all ranks have done theirs. After a failure
/// it goes on without pieces, for the others wait in their calls.
fn each_piece(cut: &Cut, local: &AnyArray, rank: usize, mut f: impl FnMut(Option<&Box>, &[u8]) -> Result<()>) -> Result<()> {
    let item = local.dtype().itemsize();
    let mine = pieces(&cut.part(rank), item, None, TRANSFER);
    let bytes = local.raw().0;
    let mut failed = Ok(());
    let mut at = 0;
    for k in 0..calls(cut, item) {
        let done = match mine.get(k) {
            Some(piece) if failed.is_ok() => {
                // Adjacent in memory.
                let len = lengths(piece).iter().product::<usize>() * item;
                at += len;
                f(Some(piece), &bytes[at - len..at])
            }
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
