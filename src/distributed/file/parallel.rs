//! Elements through parallel HDF5: all ranks of an MPI communicator have the file open and transfer together.

use super::align::Storage;
use super::cut::{Box, Cut, is_empty, lengths, pieces};
use crate::array::AnyArray;
use crate::distributed::array::exchange::{Block, exchange as move_between};
use crate::distributed::{Communicator, MpiComm, Partition, Step};
use crate::error::{Error, Result, bail, error};
use crate::format::hdf5::parallel::{ParallelDataset, ParallelFile, Slab};
use crate::selection::AxisSelection;
use std::path::Path;

/// The most bytes of one transfer of a rank. Below what the C ints of MPI implementations count.
const TRANSFER: usize = 512 << 20;
/// The bytes of whole rows that a rank takes at a time.
const ROWS: usize = 16 << 20;

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
        let contiguous = storage.chunks.is_none();
        let dataset = step.agree(self.file.dataset(path, contiguous).and_then(|d| check(d, local, have)))?;
        if contiguous && have.axis > 0 {
            return self.write_rows(&dataset, have, local);
        }
        let written = each_piece(have, local, step.comm().rank(), |place, part| match place {
            Some(place) => dataset.write(Some(&slab(place)), part),
            None => dataset.write(None, &[]),
        });
        step.agree(written)
    }

    /// Writes a contiguous dataset that is cut along an inner axis: some rows at a time go to the ranks, whole, so that each writes one run.
    fn write_rows(&self, dataset: &ParallelDataset<'_>, have: &Cut, local: &AnyArray) -> Result<()> {
        let (step, item) = (self.step, local.dtype().itemsize());
        let (rank, mut buffer) = (step.comm().rank(), Vec::new());
        let mut failed = Ok(());
        for rows in Rows::of(have, item) {
            let mine = rows.part(rank);
            step.agree(room(&mut buffer, &mine, item))?;
            let (has, wants) = (|rank| Block::of(&have.part(rank), item), |rank| Block::of(&rows.part(rank), item));
            move_between(&**step.comm(), (local.raw().0, &mut buffer), has, wants)?;
            let written = match is_empty(&mine) || failed.is_err() {
                true => dataset.write(None, &[]),
                false => dataset.write(Some(&slab(&mine)), &buffer),
            };
            failed = failed.and(written);
        }
        step.agree(failed)
    }

    /// Reads a selected part of a dataset, cut over the ranks. Each axis is a range with a positive step.
    pub(super) fn read(&self, path: &str, axes: &[AxisSelection], cut: &Cut, storage: &Storage) -> Result<AnyArray> {
        let (step, rank) = (self.step, self.step.comm().rank());
        let contiguous = storage.chunks.is_none();
        let prepared = self.file.dataset(path, contiguous).and_then(|d| Ok((AnyArray::zeros(d.dtype().clone(), cut.part_shape(rank))?, d)));
        let (mut array, dataset) = step.agree(prepared)?;
        let item = array.dtype().itemsize();
        if contiguous && shortest_run(cut, item) < SHORT {
            self.read_rows(&dataset, axes, cut, &mut array)?;
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

    /// Reads a contiguous dataset for ranks that want short runs of it: each reads some whole rows at a time, and hands out what the others want.
    fn read_rows(&self, dataset: &ParallelDataset<'_>, axes: &[AxisSelection], cut: &Cut, array: &mut AnyArray) -> Result<()> {
        let (step, item) = (self.step, array.dtype().itemsize());
        let (rank, mut buffer) = (step.comm().rank(), Vec::new());
        let target = step.agree(array.raw_mut().map(|(bytes, _)| bytes))?;
        let mut failed = Ok(());
        for rows in Rows::of(cut, item) {
            let mine = rows.part(rank);
            step.agree(room(&mut buffer, &mine, item))?;
            let read = match is_empty(&mine) || failed.is_err() {
                true => dataset.read(None, &mut []),
                false => dataset.read(Some(&selected(axes, &mine)), &mut buffer),
            };
            failed = failed.and(read);
            let (has, wants) = (|rank| Block::of(&rows.part(rank), item), |rank| Block::of(&cut.part(rank), item));
            move_between(&**step.comm(), (&buffer, target), has, wants)?;
        }
        step.agree(failed)
    }
}

/// Runs in a file that are shorter than this are not worth an access each.
const SHORT: usize = 16 << 10;

/// The bytes that a rank has in one run of the file, at least.
fn shortest_run(cut: &Cut, item: usize) -> usize {
    let inner = cut.shape[cut.axis + 1..].iter().fold(item, |n, d| n.saturating_mul(*d));
    let fewest = (0..cut.ranks()).map(|rank| cut.range(rank).len()).filter(|n| *n > 0).min().unwrap_or(0);
    if cut.axis == 0 { usize::MAX } else { inner.saturating_mul(fewest) }
}

/// Some rows of an array, cut over the ranks along the first axis.
struct Rows {
    shape: Vec<usize>,
    rows: Partition,
    first: usize,
}

impl Rows {
    /// All rows, so many at a time that each rank has about [`ROWS`] bytes of them.
    fn of(cut: &Cut, item: usize) -> impl Iterator<Item = Self> {
        let (shape, ranks) = (cut.shape.clone(), cut.ranks());
        let row = shape[1..].iter().fold(item, |n, d| n.saturating_mul(*d)).max(1);
        let some = (ROWS / row).max(1) * ranks;
        (0..shape[0]).step_by(some).map(move |first| {
            let rows = Partition::new(some.min(shape[0] - first), ranks);
            Self { shape: shape.clone(), rows, first }
        })
    }

    fn part(&self, rank: usize) -> Box {
        let mut part: Box = self.shape.iter().map(|n| 0..*n).collect();
        let range = self.rows.range(rank);
        part[0] = self.first + range.start..self.first + range.end;
        part
    }
}

/// Gives a buffer the length of a part.
fn room(buffer: &mut Vec<u8>, part: &Box, item: usize) -> Result<()> {
    let length = lengths(part).iter().product::<usize>() * item;
    let more = length.saturating_sub(buffer.len());
    buffer.try_reserve(more).map_err(|e| error!(Io, "no memory for {length} bytes of rows").because(e))?;
    buffer.resize(length, 0);
    Ok(())
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
