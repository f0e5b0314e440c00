//! Elements straight between memory and their places in an HDF5 file, by system calls of each rank.
//!
//! Where the ranks run on one machine and the elements lie in the file as in memory (contiguous, or chunks without filters; in the machine's byte order), the
//! library is needed only to say where. A failure of one rank is then an ordinary error that reaches the others at the next agreement, as it would not
//! within a collective transfer of MPI; and ranks that are threads move their elements at once.
//!
//! It takes one machine because only one kernel's view of a file is the same for all its writers.

use super::cut::{Box, Cut, intersection, is_empty, lengths};
use super::exchange::exchange;
use super::outline::Places;
use super::rows::{self, SHORT};
use crate::array::AnyArray;
use crate::distributed::Step;
use crate::error::{Error, Result, bail, error};
use crate::format::hdf5::raw::{self, RawFile};
use crate::selection::AxisSelection;
use crate::tree::Dataset;
use serde::{Deserialize, Serialize};
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;
use std::path::Path;

/// How the elements of distributed datasets are moved between ranks and an HDF5 file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum FileAccess {
    /// Where the ranks run on one machine and elements lie in the file as in memory, each rank writes and reads its own bytes by system calls. Else as
    /// [`Library`](Self::Library). The environment variable `MEMH5_FILE_ACCESS=library`, on any rank, says that too.
    #[default]
    Auto,
    /// Always through the library: by collective calls of parallel HDF5 on MPI ranks, else through rank 0.
    Library,
}

/// The variable that says the same for a whole program.
const VARIABLE: &str = "MEMH5_FILE_ACCESS";

/// What the library writes beside the elements, at most.
pub(super) const BESIDE: u64 = 256 << 10;

/// The most parts of one system call.
const PARTS: usize = 1024;
/// Elements of more bytes than this in runs of fewer than that are left to the library.
const MANY: usize = 16 << 20;
const TINY: usize = 256;
/// The bytes that are read by one system call.
const READ: usize = 8 << 20;

/// True if all ranks run on one machine and may move elements by themselves. Collective.
pub(super) fn on_one_machine(step: &Step<'_>, access: FileAccess) -> Result<bool> {
    let comm = &**step.comm();
    if comm.size() == 1 {
        return Ok(false);
    }
    let willing = access == FileAccess::Auto && std::env::var_os(VARIABLE).is_none_or(|choice| choice != "library");
    let all = comm.all_gather(&machine().filter(|_| willing).unwrap_or(0).to_le_bytes())?;
    Ok(all.iter().all(|other| *other != [0; 8] && Some(other) == all.first()))
}

/// A number of the kernel that runs now.
fn machine() -> Option<u64> {
    let text = std::fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&text);
    Some(hasher.finish().max(1))
}

/// Which file it is, and its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Identity {
    /// That of the file of a path.
    pub(super) fn of(path: &Path) -> Result<Self> {
        std::fs::metadata(path).map(|about| Self::from(&about)).map_err(|e| Error::io(e, path))
    }
}

impl From<&std::fs::Metadata> for Identity {
    #[cfg(unix)]
    fn from(about: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { file: (about.dev(), about.ino()), length: about.len(), modified: (about.mtime(), about.mtime_nsec()) }
    }

    #[cfg(not(unix))]
    fn from(about: &std::fs::Metadata) -> Self {
        Self { file: (0, 0), length: about.len(), modified: (0, 0) }
    }
}

/// Where the elements of a dataset lie, if ranks may move them.
pub(super) fn places(dataset: &dyn Dataset) -> Result<Option<Places>> {
    let Some((tile, at)) = raw::places(dataset)? else { return Ok(None) };
    let shape = dataset.extent()?.unwrap_or_default();
    let item = dataset.dtype()?.itemsize();
    let bytes = shape.iter().fold(item, |n, d| n.saturating_mul(*d));
    let run = tile.last().map_or(0, |n| n.saturating_mul(item));
    Ok((tile == shape || bytes <= MANY || run >= TINY).then_some(Places { shape, tile, at }))
}

/// A file whose elements the ranks move.
pub(super) struct Direct<'s> {
    step: &'s Step<'s>,
    file: RawFile,
    before: Identity,
}

impl<'s> Direct<'s> {
    /// Opens a file on all ranks; `None` if not all can, or do not see the same one. For reading it has to be as rank 0 has found it.
    pub(super) fn open(step: &'s Step<'s>, path: &Path, found: Option<Identity>, write: bool) -> Result<Option<Self>> {
        let comm = &**step.comm();
        let opened = RawFile::open(path, write).and_then(|file| Ok((Identity::from(&file.metadata()?), file))).ok();
        let mine = opened.as_ref().filter(|(about, _)| found.is_none_or(|found| found == *about));
        let numbers = mine.map_or([0; 3], |(about, _)| [1, about.file.0, about.file.1]);
        let all = comm.all_gather(numbers.map(u64::to_le_bytes).as_flattened())?;
        let same = mine.is_some() && all.iter().all(|other| Some(other) == all.first());
        // What one rank has seen all have: the numbers of a file that one could not open are others.
        Ok(opened.filter(|_| same).map(|(before, file)| Self { step, file, before }))
    }

    /// Fails if a file of this process may not have so many bytes as this one.
    pub(super) fn check_limit(&self) -> Result<()> {
        within_limit(self.file.metadata()?.len())
    }

    /// Fails if the file was changed since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        if Identity::from(&self.file.metadata()?) != self.before {
            bail!(Corrupt, "the file was changed while it was read");
        }
        Ok(())
    }

    /// Writes a dataset from the parts that the ranks have.
    pub(super) fn write(&self, places: &Places, have: &Cut, local: AnyArray) -> Result<()> {
        let (step, item) = (self.step, local.dtype().itemsize());
        // A file takes one writer at a time, so that runs of some KiB cost more in waiting than the exchange of rows does.
        if places.is_one() && have.axis > 0 {
            return rows::write(step, have, &local, |rows| rows.map_or(Ok(()), |(part, bytes)| self.put(places, part, bytes, item)));
        }
        let cut = cut_for(places, have, item);
        let moved = exchange(step, local, have, &cut)?;
        step.agree(self.put(places, &cut.part(step.comm().rank()), moved.raw().0, item))
    }

    /// Reads what the cut gives this rank of a part of a dataset that [`can_read`] takes.
    pub(super) fn read(&self, places: &Places, axes: &[AxisSelection], cut: &Cut, target: &mut [u8], item: usize) -> Result<()> {
        let step = self.step;
        let first = |axis: &AxisSelection| if axis.count() == 0 { 0 } else { axis.index(0) };
        let place = |part: &Box| -> Box { axes.iter().zip(part).map(|(axis, r)| first(axis) + r.start..first(axis) + r.end).collect() };
        if places.is_one() && rows::shortest_run(cut, item) < SHORT {
            return rows::read(step, cut, item, target, |rows| {
                rows.map_or(Ok(()), |(part, bytes)| self.get(places, &place(part), bytes, item))
            });
        }
        step.agree(self.get(places, &place(&cut.part(step.comm().rank())), target, item))
    }

    fn put(&self, places: &Places, part: &Box, bytes: &[u8], item: usize) -> Result<()> {
        let mut group = Group::new(self.file.piece());
        let mut write = |at: u64, parts: &[(usize, usize)]| {
            let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|(from, len)| IoSlice::new(&bytes[*from..from + len])).collect();
            self.file.write(at, &mut slices)
        };
        each_run(places, part, item, &mut |from, at, len| group.add(from, at, len, &mut write))?;
        group.finish(&mut write)
    }

    fn get(&self, places: &Places, part: &Box, bytes: &mut [u8], item: usize) -> Result<()> {
        let mut group = Group { rising: true, ..Group::new(READ) };
        let mut read = |at: u64, parts: &[(usize, usize)]| {
            let (mut rest, mut done, mut slices) = (&mut *bytes, 0, Vec::with_capacity(parts.len()));
            for (from, len) in parts {
                let (here, behind) = rest.split_at_mut(from - done).1.split_at_mut(*len);
                slices.push(IoSliceMut::new(here));
                (rest, done) = (behind, from + len);
            }
            self.file.read(at, &mut slices)
        };
        each_run(places, part, item, &mut |from, at, len| group.add(from, at, len, &mut read))?;
        group.finish(&mut read)
    }
}

/// The cut by which ranks move elements: their own, unless they share chunks in short runs.
pub(super) fn cut_for(places: &Places, have: &Cut, item: usize) -> Cut {
    let chunk = places.tile.get(have.axis).copied().unwrap_or(1);
    if places.is_one() || have.axis == 0 || have.respects(chunk) || shared_run(have, &places.tile, item) >= SHORT {
        return have.clone();
    }
    Cut::along_chunks(&have.shape, have.axis, have.ranks(), chunk)
}

/// True if ranks can read such a selection by themselves.
pub(super) fn can_read(axes: &[AxisSelection]) -> bool {
    axes.iter().all(|axis| matches!(axis, AxisSelection::Range { step, count, .. } if *step == 1 || *count <= 1))
}

/// The bytes in one run of a chunk that two ranks share, at least.
fn shared_run(cut: &Cut, chunks: &[usize], item: usize) -> usize {
    let inner = chunks[cut.axis + 1..].iter().fold(item, |n, d| n.saturating_mul(*d));
    let chunk = chunks[cut.axis].max(1);
    let parts = (0..cut.ranks()).map(|rank| cut.range(rank)).filter(|range| !range.is_empty());
    let least = parts.flat_map(|r| [(r.start.next_multiple_of(chunk) - r.start).min(r.len()), r.end % chunk]).filter(|n| *n > 0).min();
    inner.saturating_mul(least.unwrap_or(chunk))
}

/// Fails if a file of this process may not have so many bytes. (To write behind the limit ends the process.)
pub(super) fn within_limit(needed: u64) -> Result<()> {
    match longest_file().filter(|limit| *limit < needed) {
        Some(limit) => {
            Err(error!(Io, "a file of this process may have {limit} bytes, and this one needs {needed}")
                .remedy("raise the limit: ulimit -f"))
        }
        None => Ok(()),
    }
}

/// The most bytes that a file of this process may have, if there is a limit, as Linux tells it.
fn longest_file() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max file size")?.split_whitespace().next()?.parse().ok())
}

/// Calls the function for each run of bytes of a part: where it is in an array that holds the part, where in the file, how long it is.
fn each_run(places: &Places, part: &Box, item: usize, f: &mut dyn FnMut(usize, u64, usize) -> Result<()>) -> Result<()> {
    let Places { shape, tile, at } = places;
    if is_empty(part) {
        return Ok(());
    }
    let grid: Vec<usize> = shape.iter().zip(tile).map(|(n, t)| n.div_ceil(*t)).collect();
    let tiles: Box = part.iter().zip(tile).map(|(r, t)| r.start / t..r.end.div_ceil(*t)).collect();
    let memory = lengths(part);
    each_index(&tiles, &mut |index| {
        let chunk: Box = index.iter().zip(tile).map(|(k, t)| k * t..(k + 1) * t).collect();
        let number = index.iter().zip(&grid).fold(0, |all, (k, n)| all * n + k);
        let (Some(start), Some(inside)) = (at.get(number), intersection(part, &chunk)) else {
            bail!(Corrupt, "the file tells no place for some elements");
        };
        // The last axes that are whole on both sides are one run.
        let mut axis = inside.len() - 1;
        while axis > 0 && inside[axis].len() == memory[axis] && inside[axis].len() == tile[axis] {
            axis -= 1;
        }
        let run = lengths(&inside[axis..]).iter().product::<usize>() * item;
        let offset = |at: &[usize], lengths: &[usize], from: &Box| {
            let first = inside[axis..].iter().map(|r| r.start);
            let indices = at.iter().copied().chain(first).zip(from).zip(lengths);
            indices.fold(0, |all, ((i, r), n)| all * n + i - r.start) * item
        };
        each_index(&inside[..axis], &mut |at| f(offset(at, &memory, part), start + offset(at, tile, &chunk) as u64, run))
    })
}

/// Calls the function for each index of a box that is not empty, in C order.
fn each_index(part: &[Range<usize>], f: &mut dyn FnMut(&[usize]) -> Result<()>) -> Result<()> {
    let mut at: Vec<usize> = part.iter().map(|r| r.start).collect();
    let count: usize = lengths(part).iter().product();
    for _ in 0..count {
        f(&at)?;
        for k in (0..at.len()).rev() {
            at[k] += 1;
            if at[k] < part[k].end {
                break;
            }
            at[k] = part[k].start;
        }
    }
    Ok(())
}

/// Runs that follow each other in the file, which one system call moves.
struct Group {
    /// Calls end where the file has a multiple of so many bytes.
    piece: usize,
    /// The runs have to follow each other in memory too.
    rising: bool,
    start: u64,
    end: u64,
    parts: Vec<(usize, usize)>,
}

type Move<'m> = dyn FnMut(u64, &[(usize, usize)]) -> Result<()> + 'm;

impl Group {
    fn new(piece: usize) -> Self {
        Self { piece, rising: false, start: 0, end: 0, parts: Vec::new() }
    }

    fn add(&mut self, mut from: usize, mut at: u64, mut len: usize, f: &mut Move<'_>) -> Result<()> {
        while len > 0 {
            let some = len.min(self.piece - (at % self.piece as u64) as usize);
            let behind = self.parts.last().map_or(0, |(start, len)| start + len);
            if at != self.end || self.parts.len() == PARTS || (self.rising && from < behind) {
                self.finish(f)?;
            }
            match self.parts.last_mut() {
                Some(last) if from == behind => last.1 += some,
                Some(_) => self.parts.push((from, some)),
                None => {
                    self.start = at;
                    self.parts.push((from, some));
                }
            }
            (from, at, len) = (from + some, at + some as u64, len - some);
            self.end = at;
            if at.is_multiple_of(self.piece as u64) {
                self.finish(f)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, f: &mut Move<'_>) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let parts = std::mem::take(&mut self.parts);
        f(self.start, &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of an array of single bytes that lies in a file, moved in groups of bounded size.
    fn moved(places: &Places, part: &Box, piece: usize, rising: bool) -> (Vec<(usize, u64)>, usize) {
        let (mut bytes, mut calls) = (Vec::new(), 0);
        let mut group = Group { rising, ..Group::new(piece) };
        let mut note = |at: u64, parts: &[(usize, usize)]| {
            let mut to = at;
            for (from, len) in parts {
                assert!(*len > 0 && len + (to % piece as u64) as usize <= piece);
                bytes.extend((*from..from + len).map(|k| (k, to + (k - from) as u64)));
                to += *len as u64;
            }
            assert!(parts.len() <= PARTS && (!rising || parts.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0)));
            calls += 1;
            Ok(())
        };
        each_run(places, part, 1, &mut |from, at, len| group.add(from, at, len, &mut note)).unwrap();
        group.finish(&mut note).unwrap();
        (bytes, calls)
    }

    #[test]
    fn every_byte_of_a_part_is_moved_once_to_its_place() {
        let tiles: [(&[usize], &[usize]); 6] =
            [(&[7, 5], &[7, 5]), (&[7, 5], &[2, 3]), (&[7, 5], &[3, 5]), (&[7, 5], &[1, 1]), (&[4, 3, 6], &[2, 3, 6]), (&[6], &[4])];
        for (shape, tile) in tiles {
            let grid: Vec<usize> = shape.iter().zip(tile).map(|(n, t)| n.div_ceil(*t)).collect();
            let (chunk, count) = (tile.iter().product::<usize>() as u64, grid.iter().product::<usize>() as u64);
            for at in [(0..count).map(|k| 100 + k * chunk).collect::<Vec<_>>(), (0..count).map(|k| (count - k) * 1000).collect()] {
                let places = Places { shape: shape.to_vec(), tile: tile.to_vec(), at };
                for (axis, ranks, piece) in (0..shape.len()).flat_map(|a| [(a, 1, 1 << 20), (a, 2, 7), (a, 3, 64), (a, 9, 1)]) {
                    let mut seen = std::collections::HashSet::new();
                    for rank in 0..ranks {
                        let part = Cut::even(shape, axis, ranks).part(rank);
                        let (bytes, _) = moved(&places, &part, piece, rank % 2 == 0);
                        assert_eq!(bytes.len(), lengths(&part).iter().product::<usize>());
                        for (k, place) in bytes {
                            // By the definition: the index of the element, its chunk, its place in that.
                            let mut rest = k;
                            let index: Vec<usize> =
                                (0..shape.len()).rev().map(|a| (a, part[a].len())).fold(Vec::new(), |mut index, (a, n)| {
                                    index.insert(0, part[a].start + rest % n);
                                    rest /= n;
                                    index
                                });
                            let number = (0..shape.len()).fold(0, |all, a| all * grid[a] + index[a] / tile[a]);
                            let within = (0..shape.len()).fold(0, |all, a| all * tile[a] + index[a] % tile[a]);
                            assert_eq!(place, places.at[number] + within as u64, "{shape:?} {tile:?} {index:?}");
                            assert!(seen.insert(place));
                        }
                    }
                    assert_eq!(seen.len(), shape.iter().product::<usize>());
                }
            }
        }
        let rows = Places { shape: vec![64, 64], tile: vec![64, 64], at: vec![0] };
        assert_eq!(moved(&rows, &vec![0..64, 0..64], 1 << 20, true).1, 1, "what lies in one run is moved by one call");
        assert_eq!(moved(&rows, &vec![0..64, 0..0], 1 << 20, true).1, 0);
    }

    #[test]
    fn chunks_that_ranks_share_in_short_runs_go_to_one() {
        let places = |tile: [usize; 2]| Places { shape: vec![64, 4096], tile: tile.to_vec(), at: vec![0; 4096 * 64 / tile[0] / tile[1]] };
        let (rows, columns) = (Cut::even(&[64, 4096], 0, 3), Cut::even(&[64, 4096], 1, 3));
        assert_eq!(cut_for(&places([10, 4096]), &rows, 8), rows, "parts of a chunk that are long");
        assert_eq!(cut_for(&places([64, 4096]), &columns, 8), columns, "contiguous");
        assert_eq!(cut_for(&places([16, 1024]), &columns, 8).range(0), 0..2048);
        assert!(cut_for(&places([16, 1024]), &columns, 8).respects(1024));
    }
}
