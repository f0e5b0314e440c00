//! From what a call has transferred to where it belongs in the array, and back.

use super::plan::{Picks, Piece};
use std::rc::Rc;

/// One axis of a copy.
struct Axis<'p> {
    picks: &'p Picks,
    /// Bytes from one index to the next in what is transferred, and in the array.
    near: usize,
    far: usize,
}

fn axes<'p>(pieces: &'p [Rc<Piece>], shape: &[usize], item: usize) -> Vec<Axis<'p>> {
    let (mut near, mut far) = (item, item);
    let mut out: Vec<Axis<'p>> = pieces
        .iter()
        .zip(shape)
        .rev()
        .map(|(piece, n)| {
            let axis = Axis { picks: &piece.picks, near, far };
            near *= piece.count;
            far *= n;
            axis
        })
        .collect();
    out.reverse();
    out
}

/// A copy of elements: `BACK` is false from what is transferred to the array, true the other way.
struct Copy<'a, const BACK: bool> {
    from: &'a [u8],
    to: &'a mut [u8],
    item: usize,
}

impl<const BACK: bool> Copy<'_, BACK> {
    fn run(&mut self, near: usize, far: usize, bytes: usize) {
        let (from, to) = if BACK { (far, near) } else { (near, far) };
        self.to[to..to + bytes].copy_from_slice(&self.from[from..from + bytes]);
    }

    /// One element, of a size that the compiler knows.
    fn one<const N: usize>(&mut self, near: usize, far: usize) {
        let (from, to) = if BACK { (far, near) } else { (near, far) };
        self.to[to..to + N].copy_from_slice(&self.from[from..from + N]);
    }

    fn last<const N: usize>(&mut self, axis: &Axis<'_>, near: usize, far: usize) {
        match axis.picks {
            Picks::Line { from, step, to, back, count } => {
                for k in 0..*count {
                    let place = if *back { to - k } else { to + k };
                    self.one::<N>(near + (from + k * step) * N, far + place * N);
                }
            }
            Picks::List(pairs) => {
                for (local, place) in pairs {
                    self.one::<N>(near + local * N, far + place * N);
                }
            }
        }
    }

    fn walk(&mut self, axes: &[Axis<'_>], near: usize, far: usize) {
        let Some((axis, rest)) = axes.split_first() else { return self.run(near, far, self.item) };
        if rest.is_empty() {
            match (axis.picks, self.item) {
                (Picks::Line { from, step: 1, to, back: false, count }, item) => {
                    return self.run(near + from * item, far + to * item, count * item);
                }
                (_, 1) => return self.last::<1>(axis, near, far),
                (_, 2) => return self.last::<2>(axis, near, far),
                (_, 4) => return self.last::<4>(axis, near, far),
                (_, 8) => return self.last::<8>(axis, near, far),
                (_, 16) => return self.last::<16>(axis, near, far),
                _ => {}
            }
        }
        match axis.picks {
            Picks::Line { from, step, to, back, count } => {
                for k in 0..*count {
                    let place = if *back { to - k } else { to + k };
                    self.walk(rest, near + (from + k * step) * axis.near, far + place * axis.far);
                }
            }
            Picks::List(pairs) => {
                for (local, place) in pairs {
                    self.walk(rest, near + local * axis.near, far + place * axis.far);
                }
            }
        }
    }
}

/// Puts the transferred elements where they belong in an array of the shape.
pub(super) fn gather(pieces: &[Rc<Piece>], shape: &[usize], item: usize, transferred: &[u8], array: &mut [u8]) {
    Copy::<false> { from: transferred, to: array, item }.walk(&axes(pieces, shape, item), 0, 0);
}

/// Collects the elements that are to be transferred from an array of the shape.
pub(super) fn scatter(pieces: &[Rc<Piece>], shape: &[usize], item: usize, array: &[u8], transferred: &mut [u8]) {
    Copy::<true> { from: array, to: transferred, item }.walk(&axes(pieces, shape, item), 0, 0);
}
