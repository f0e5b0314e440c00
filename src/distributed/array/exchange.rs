//! The one exchange below redistribution and gathering: every rank has a box of the array, and wants another.
//!
//! The ranks meet in pairs: in round `i` a rank sends to the rank `i` after it and receives from the rank `i` before it, exactly the bytes in which
//! the one's box and the other's wish overlap. They travel in pieces, which both sides cut by the same rule; a piece stays in the processor's cache from
//! its packing to its sending. What lies in one run in the source is sent from there, and what lies in one run in the target is received there. So the
//! memory needed is the target and two pieces, no length is bounded, and nothing is sent to the rank itself.

use super::strided::{Window, copy};
use crate::distributed::communicator::Communicator;
use crate::error::Result;

/// The bytes of a piece that has to be packed or unpacked.
const PIECE: usize = 1 << 20;

/// The bytes of a piece that is sent from and received at its place.
const DIRECT: usize = 32 << 20;

/// A box of the array: where it begins and how long it is on each axis. The last axis is the bytes of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub start: Vec<usize>,
    pub len: Vec<usize>,
}

impl Block {
    /// The whole array.
    pub(super) fn whole(shape: &[usize], itemsize: usize) -> Self {
        let len: Vec<usize> = shape.iter().copied().chain([itemsize]).collect();
        Self { start: vec![0; len.len()], len }
    }

    /// A range of one axis, and all of the others.
    pub(super) fn range(shape: &[usize], itemsize: usize, axis: usize, range: std::ops::Range<usize>) -> Self {
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

/// A side of one round.
struct Side {
    rank: usize,
    window: Window,
    pieces: Pieces,
}

impl Side {
    /// `whole` is the box that the bytes here are, `part` that of the round.
    fn new(rank: usize, whole: &Block, part: &Block, limit: usize) -> Self {
        Self { rank, window: whole.window(part), pieces: Pieces::new(&part.len, limit) }
    }
}

/// Moves to every rank what it wants. Collective; the boxes that `has` and `wants` give for a rank are the same on all ranks.
pub(super) fn exchange(
    comm: &dyn Communicator,
    (source, target): (&[u8], &mut [u8]),
    has: impl Fn(usize) -> Block,
    wants: impl Fn(usize) -> Block,
) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let (mine, wish) = (has(rank), wants(rank));
    if let Some(part) = mine.overlap(&wish) {
        copy(source, &mine.window(&part), target, &wish.window(&part), &part.len);
    }
    let (mut packed, mut landed) = (Vec::new(), Vec::new());
    for round in 1..size {
        let (to, from) = ((rank + round) % size, (rank + size - round) % size);
        let (want, have) = (wants(to), has(from));
        let mut out = mine.overlap(&want).map(|part| Side::new(to, &mine, &part, piece_size(&mine, &want, &part)));
        let mut back = have.overlap(&wish).map(|part| Side::new(from, &wish, &part, piece_size(&have, &wish, &part)));
        loop {
            let send = out.as_mut().and_then(|side| Some((side.rank, side.pieces.next()?)));
            let receive = back.as_mut().and_then(|side| Some((side.rank, side.pieces.next()?)));
            if send.is_none() && receive.is_none() {
                break;
            }
            let send = match (&out, send) {
                (Some(side), Some((rank, (start, len)))) => {
                    let window = side.window.inner(&start);
                    Some(match window.as_run(&len) {
                        Some(run) => (rank, &source[run]),
                        None => {
                            packed.resize(len.iter().product(), 0);
                            copy(source, &window, &mut packed, &Window::packed(&len), &len);
                            (rank, &packed[..])
                        }
                    })
                }
                _ => None,
            };
            match (&back, receive) {
                (Some(side), Some((rank, (start, len)))) => {
                    let window = side.window.inner(&start);
                    match window.as_run(&len) {
                        Some(run) => comm.send_recv(send, Some((rank, &mut target[run])))?,
                        None => {
                            landed.resize(len.iter().product(), 0);
                            comm.send_recv(send, Some((rank, &mut landed)))?;
                            copy(&landed, &Window::packed(&len), target, &window, &len);
                        }
                    }
                }
                _ => comm.send_recv(send, None)?,
            }
        }
    }
    Ok(())
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
