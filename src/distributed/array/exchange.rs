//! The one exchange below redistribution and gathering: every rank has a box of the array, and wants another.
//!
//! The ranks meet in pairs: in round `i` a rank sends to the rank `i` after it and receives from the rank `i` before it, exactly the bytes in which
//! the one's box and the other's wish overlap. They travel in pieces, which both sides cut by the same rule; a piece stays in the processor's cache from
//! its packing to its sending, and several are under way at a time. What lies in one run in the source is sent from there, and what lies in one run in
//! the target is received there. So the memory needed is the target and a window of pieces, no length is bounded, and nothing is sent to the rank itself.
//!
//! Where ranks may read each other's memory, there are no messages: each rank fetches what it wants from where it lies, if that are long runs; else every
//! rank packs a piece for each other one, these are fetched, and so on.

use super::strided::{Window, copy};
use crate::array::AnyArray;
use crate::distributed::communicator::{Communicator, Number, ReduceOp};
use crate::distributed::stream::{Incoming, Offered, Outgoing, Packed, Run, Unpacked};
use crate::dtype::DType;
use crate::error::Result;
use std::ops::Range;

/// The bytes of a piece that has to be packed or unpacked.
const PIECE: usize = 1 << 19;

/// The bytes of a piece that is sent from and received at its place.
const DIRECT: usize = 32 << 20;

/// Runs that are shorter are packed and sent: to fetch one costs as much as to copy so many bytes twice.
const FETCHED: usize = 4 << 10;

/// How many runs are fetched by one call, and the most bytes of one.
const BATCH: usize = 128;
const LONGEST: usize = 8 << 20;

/// A box of the array: where it begins and how long it is on each axis. The last axis is the bytes of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::distributed) struct Block {
    pub start: Vec<usize>,
    pub len: Vec<usize>,
}

impl Block {
    /// The box of these ranges.
    pub(in crate::distributed) fn of(ranges: &[Range<usize>], itemsize: usize) -> Self {
        let start = ranges.iter().map(|r| r.start).chain([0]).collect();
        Self { start, len: ranges.iter().map(ExactSizeIterator::len).chain([itemsize]).collect() }
    }

    /// The whole array.
    pub(super) fn whole(shape: &[usize], itemsize: usize) -> Self {
        let len: Vec<usize> = shape.iter().copied().chain([itemsize]).collect();
        Self { start: vec![0; len.len()], len }
    }

    /// A range of one axis, and all of the others.
    pub(super) fn range(shape: &[usize], itemsize: usize, axis: usize, range: Range<usize>) -> Self {
        let mut block = Self::whole(shape, itemsize);
        block.start[axis] = range.start;
        block.len[axis] = range.len();
        block
    }

    /// What both have; `None` if nothing.
    fn overlap(&self, other: &Self) -> Option<Self> {
        let mut out = self.clone();
        for k in 0..self.len.len() {
            let start = self.start[k].max(other.start[k]);
            let end = (self.start[k] + self.len[k]).min(other.start[k] + other.len[k]);
            if end <= start {
                return None;
            }
            (out.start[k], out.len[k]) = (start, end - start);
        }
        Some(out)
    }

    /// Where a box that lies within this one is in the bytes of this one.
    fn window(&self, part: &Self) -> Window {
        let start: Vec<usize> = part.start.iter().zip(&self.start).map(|(a, b)| a - b).collect();
        Window::of_box(&self.len, &start)
    }
}

/// A box cut into pieces of at most so many bytes, in C order.
struct Pieces {
    len: Vec<usize>,
    /// The axis that is cut; those before it are taken index by index.
    axis: usize,
    /// How many of its indices make a piece.
    most: usize,
    next: usize,
    count: usize,
}

impl Pieces {
    fn new(len: &[usize], limit: usize) -> Self {
        let mut axis = len.len() - 1;
        if len.contains(&0) {
            return Self { len: len.to_vec(), axis, most: 1, next: 0, count: 0 };
        }
        let mut inner = 1;
        while axis > 0 && inner * len[axis] <= limit {
            inner *= len[axis];
            axis -= 1;
        }
        let most = (limit / inner).clamp(1, len[axis].max(1));
        let count = len[..axis].iter().product::<usize>() * len[axis].div_ceil(most);
        Self { len: len.to_vec(), axis, most, next: 0, count }
    }
}

impl Iterator for Pieces {
    type Item = (Vec<usize>, Vec<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let cuts = self.len[self.axis].div_ceil(self.most);
        let (mut outer, cut) = (self.next / cuts, self.next % cuts);
        self.next += 1;
        let (mut start, mut len) = (vec![0; self.len.len()], self.len.clone());
        start[self.axis] = cut * self.most;
        len[self.axis] = self.most.min(self.len[self.axis] - start[self.axis]);
        for k in (0..self.axis).rev() {
            start[k] = outer % self.len[k];
            len[k] = 1;
            outer /= self.len[k];
        }
        Some((start, len))
    }
}

/// A side of one round: where its box lies in the bytes here, and its pieces.
struct Side {
    window: Window,
    pieces: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Side {
    /// `whole` is the box that the bytes here are, `part` that of the round.
    fn new(whole: &Block, part: &Block, limit: usize) -> Self {
        Self { window: whole.window(part), pieces: Pieces::new(&part.len, limit).collect() }
    }

    /// The pieces as runs of bytes, if all are: those of the first, which is the longest, decide.
    fn runs(&self) -> Option<Vec<Range<usize>>> {
        self.pieces.iter().map(|(start, len)| self.window.inner(start).as_run(len)).collect()
    }

    fn lengths(&self) -> Vec<usize> {
        self.pieces.iter().map(|(_, len)| len.iter().product()).collect()
    }
}

/// Moves to every rank what it wants. Collective; the boxes that `has` and `wants` give for a rank are the same on all ranks.
pub(in crate::distributed) fn exchange(
    comm: &dyn Communicator,
    (source, target): (&[u8], &mut [u8]),
    has: impl Fn(usize) -> Block,
    wants: impl Fn(usize) -> Block,
) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let (mine, wish) = (has(rank), wants(rank));
    let here = |target: &mut [u8]| {
        if let Some(part) = mine.overlap(&wish) {
            copy(source, &mine.window(&part), target, &wish.window(&part), &part.len);
        }
    };
    let fetches: Vec<Fetch> =
        (1..size).filter_map(|round| Fetch::new((rank + size - round) % size, &has((rank + size - round) % size), &wish)).collect();
    let worth = fetches.iter().all(|fetch| fetch.run >= FETCHED);
    let fetched = comm.offer(source, worth, &mut |offered| fetches.iter().try_for_each(|fetch| fetch.run(offered, target)))?;
    if fetched || by_stages(comm, (source, target), &has, &wants)? {
        here(target);
        return Ok(());
    }
    for round in 1..size {
        let (to, from) = ((rank + round) % size, (rank + size - round) % size);
        let (want, have) = (wants(to), has(from));
        let out = mine.overlap(&want).map(|part| Side::new(&mine, &part, piece_size(&mine, &want, &part)));
        let back = have.overlap(&wish).map(|part| Side::new(&wish, &part, piece_size(&have, &wish, &part)));
        let mut sent = out.iter().flat_map(|side| side.pieces.iter().map(|piece| (&side.window, piece)));
        let mut pack = |buffer: &mut [u8]| {
            if let Some((window, (start, len))) = sent.next() {
                copy(source, &window.inner(start), buffer, &Window::packed(len), len);
            }
        };
        let send = out.as_ref().map(|side| match side.runs() {
            Some(runs) => Outgoing::Here(runs.into_iter().map(|run| &source[run]).collect()),
            None => Outgoing::Packed(Packed { lengths: side.lengths(), pack: &mut pack }),
        });
        let send = send.map(|messages| (to, messages));
        let Some(side) = &back else {
            comm.stream(send, None)?;
            continue;
        };
        if let Some(runs) = side.runs() {
            comm.stream(send, Some((from, Incoming::Here(places(target, &runs)))))?;
            continue;
        }
        let mut came = side.pieces.iter();
        let mut unpack = |message: &[u8]| {
            if let Some((start, len)) = came.next() {
                copy(message, &Window::packed(len), target, &side.window.inner(start), len);
            }
        };
        comm.stream(send, Some((from, Incoming::Unpacked(Unpacked { lengths: side.lengths(), unpack: &mut unpack }))))?;
    }
    here(target);
    Ok(())
}

/// What is fetched from one rank.
struct Fetch {
    from: usize,
    len: Vec<usize>,
    source: Window,
    target: Window,
    /// The bytes that lie in one run on both sides.
    run: usize,
}

impl Fetch {
    fn new(from: usize, has: &Block, wish: &Block) -> Option<Self> {
        let part = has.overlap(wish)?;
        let (source, target) = (has.window(&part), wish.window(&part));
        let run = source.run(&part.len).min(target.run(&part.len));
        Some(Self { from, len: part.len, source, target, run })
    }

    fn run(&self, offered: &dyn Offered, target: &mut [u8]) -> Result<()> {
        let mut batch = Vec::with_capacity(BATCH);
        for (start, len) in Pieces::new(&self.len, self.run.min(LONGEST)) {
            batch.push(Run { from: self.source.at(&start), to: self.target.at(&start), len: len.iter().product() });
            if batch.len() == BATCH {
                offered.read(self.from, &batch, target)?;
                batch.clear();
            }
        }
        offered.read(self.from, &batch, target)
    }
}

/// The bytes that a rank packs at a time for all others: together they should stay in the processor's cache.
const STAGE: usize = 8 << 20;

/// The exchange of short runs where ranks may read each other's memory: each packs a piece for every other rank, and fetches those that are for it.
/// So ranks wait for each other only between these stages. False if they cannot.
fn by_stages(
    comm: &dyn Communicator,
    (source, target): (&[u8], &mut [u8]),
    has: &impl Fn(usize) -> Block,
    wants: &impl Fn(usize) -> Block,
) -> Result<bool> {
    let (rank, size) = (comm.rank(), comm.size());
    // No stage is made before it is known that it serves.
    if size == 1 || !comm.offer(&[], true, &mut |_| Ok(()))? {
        return Ok(false);
    }
    let slot = (STAGE / (size - 1)).max(4096);
    let (mine, wish) = (has(rank), wants(rank));
    // The slot of a rank is its distance from the one that packs.
    let distances = || 1..size;
    let out: Vec<Option<Side>> =
        distances().map(|d| mine.overlap(&wants((rank + d) % size)).map(|part| Side::new(&mine, &part, slot))).collect();
    let back: Vec<Option<Side>> =
        distances().map(|d| has((rank + size - d) % size).overlap(&wish).map(|part| Side::new(&wish, &part, slot))).collect();
    let stages = out.iter().chain(&back).flatten().map(|side| side.pieces.len() as u64).max().unwrap_or(0);
    let mut most = stages.to_ne_bytes();
    comm.all_reduce(&mut most, Number::U64, ReduceOp::Max)?;
    let mut room = AnyArray::zeros(DType::U8, [slot * size]);
    for k in 0..u64::from_ne_bytes(most) as usize {
        let packed = room.as_mut().ok().and_then(|room| room.raw_mut().ok()).map(|(room, _)| room.split_at_mut(slot * (size - 1)));
        let Some((stage, scratch)) = packed else {
            // No memory: the others are told.
            return comm.offer(&[], false, &mut |_| Ok(()));
        };
        for (side, to) in out.iter().zip(stage.chunks_mut(slot)) {
            if let Some(side) = side
                && let Some((start, len)) = side.pieces.get(k)
            {
                copy(source, &side.window.inner(start), to, &Window::packed(len), len);
            }
        }
        let fetched = comm.offer(stage, true, &mut |offered| {
            for (d, side) in distances().zip(&back) {
                let Some((side, (start, len))) = side.as_ref().and_then(|side| Some((side, side.pieces.get(k)?))) else { continue };
                let (from, place, bytes) = ((rank + size - d) % size, side.window.inner(start), len.iter().product());
                let run = Run { from: slot * (d - 1), to: 0, len: bytes };
                match place.as_run(len) {
                    Some(there) => offered.read(from, &[Run { to: there.start, ..run }], target)?,
                    None => {
                        offered.read(from, &[run], scratch)?;
                        copy(scratch, &Window::packed(len), target, &place, len);
                    }
                }
            }
            Ok(())
        })?;
        if !fetched {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The places of runs that rise and do not meet.
fn places<'a>(mut target: &'a mut [u8], runs: &[Range<usize>]) -> Vec<&'a mut [u8]> {
    let mut at = 0;
    let mut out = Vec::with_capacity(runs.len());
    for run in runs {
        let (_, rest) = std::mem::take(&mut target).split_at_mut(run.start - at);
        let (place, rest) = rest.split_at_mut(run.len());
        out.push(place);
        (target, at) = (rest, run.end);
    }
    out
}

/// How long the pieces are that go from a box to another: both sides know both boxes.
fn piece_size(have: &Block, want: &Block, part: &Block) -> usize {
    let at_its_place = |whole: &Block| whole.window(part).as_run(&part.len).is_some();
    if at_its_place(have) && at_its_place(want) { DIRECT } else { PIECE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_box_in_order_and_are_not_too_long() {
        for (len, limit) in [
            (vec![3, 4, 8], 8),
            (vec![3, 4, 8], 20),
            (vec![3, 4, 8], 1000),
            (vec![5, 100], 7),
            (vec![1, 1, 1], 1),
            (vec![7], 3),
            (vec![4, 0, 8], 16),
        ] {
            let window = Window::packed(&len);
            let mut next = 0;
            for (start, piece) in Pieces::new(&len, limit) {
                let run = window.inner(&start).as_run(&piece).unwrap();
                assert!(run.len() <= limit && !run.is_empty(), "{len:?} {limit}: {run:?}");
                assert_eq!(run.start, next);
                next = run.end;
            }
            assert_eq!(next, len.iter().product::<usize>());
        }
    }
}
