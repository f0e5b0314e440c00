//! From what a call has transferred to where it belongs in the array, and back.

use super::plan::{Picks, Piece};

/// One axis of a copy: the pieces' picks, and the bytes from one index to the next on both sides.
struct Axis<'p> {
    picks: &'p Picks,
    /// In what is transferred.
    near: usize,
    /// In the array.
    far: usize,
}

fn axes<'p>(pieces: &'p [Piece], shape: &[usize], item: usize) -> Vec<Axis<'p>> {
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

/// Calls `f(near, far, bytes)` for each run of bytes that is adjacent on both sides.
fn walk(axes: &[Axis<'_>], item: usize, near: usize, far: usize, f: &mut impl FnMut(usize, usize, usize)) {
    let Some((axis, rest)) = axes.split_first() else {
        f(near, far, item);
        return;
    };
    match axis.picks {
        Picks::Line { from, step: 1, to, back: false, count } if rest.is_empty() => {
            f(near + from * axis.near, far + to * axis.far, count * item);
        }
        Picks::Line { from, step, to, back, count } => {
            for k in 0..*count {
                let place = if *back { to - k } else { to + k };
                walk(rest, item, near + (from + k * step) * axis.near, far + place * axis.far, f);
            }
        }
        Picks::List(pairs) => {
            for (local, place) in pairs {
                walk(rest, item, near + local * axis.near, far + place * axis.far, f);
            }
        }
    }
}

/// Copies with a size that the compiler knows.
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        1 => to[..1].copy_from_slice(&from[..1]),
        2 => to[..2].copy_from_slice(&from[..2]),
        4 => to[..4].copy_from_slice(&from[..4]),
        8 => to[..8].copy_from_slice(&from[..8]),
        16 => to[..16].copy_from_slice(&from[..16]),
        _ => to.copy_from_slice(from),
    }
}

/// Puts the transferred elements where they belong in an array of the shape.
pub(super) fn gather(pieces: &[Piece], shape: &[usize], item: usize, transferred: &[u8], array: &mut [u8]) {
    walk(&axes(pieces, shape, item), item, 0, 0, &mut |near, far, n| copy(&mut array[far..far + n], &transferred[near..near + n]));
}

/// Collects the elements that are to be transferred from an array of the shape.
pub(super) fn scatter(pieces: &[Piece], shape: &[usize], item: usize, array: &[u8], transferred: &mut [u8]) {
    walk(&axes(pieces, shape, item), item, 0, 0, &mut |near, far, n| copy(&mut transferred[near..near + n], &array[far..far + n]));
}
