//! Copies between two arrangements of the same elements in bytes.

/// Where the elements of a box lie in a slice of bytes: axis by axis, the distance from one index to the next. All boxes have one more axis than
/// their array, the bytes of an element, so that nothing here knows of element types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    /// Where the first byte is.
    pub offset: usize,
    /// The distances.
    pub strides: Vec<usize>,
}

/// The distances in an array in C order.
pub(super) fn c_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for k in (1..shape.len()).rev() {
        strides[k - 1] = strides[k] * shape[k];
    }
    strides
}

impl Window {
    /// A box that begins at `start` in an array in C order.
    pub(super) fn of_box(shape: &[usize], start: &[usize]) -> Self {
        let strides = c_strides(shape);
        Self { offset: start.iter().zip(&strides).map(|(i, s)| i * s).sum(), strides }
    }

    /// The box that fills the bytes from the first on.
    pub(super) fn packed(len: &[usize]) -> Self {
        Self { offset: 0, strides: c_strides(len) }
    }

    /// A smaller box that begins at `start` in this one.
    pub(super) fn inner(&self, start: &[usize]) -> Self {
        Self { offset: self.at(start), strides: self.strides.clone() }
    }

    /// Where the box at `start` begins.
    pub(super) fn at(&self, start: &[usize]) -> usize {
        self.offset + start.iter().zip(&self.strides).map(|(i, s)| i * s).sum::<usize>()
    }

    /// The bytes of a box of these lengths that lie in one run, whatever the outer axes do.
    pub(super) fn run(&self, len: &[usize]) -> usize {
        let mut run = 1;
        for (n, stride) in len.iter().zip(&self.strides).rev() {
            if *n != 1 && *stride != run {
                break;
            }
            run *= n;
        }
        run
    }

    /// The one run of bytes that a box of these lengths takes, if it is one.
    pub(super) fn as_run(&self, len: &[usize]) -> Option<std::ops::Range<usize>> {
        let mut run = 1;
        for (n, stride) in len.iter().zip(&self.strides).rev() {
            if *n != 1 && *stride != run {
                return None;
            }
            run *= n;
        }
        Some(self.offset..self.offset + run)
    }
}

/// Copies a box of these lengths from one arrangement to another.
pub(super) fn copy(from: &[u8], source: &Window, to: &mut [u8], target: &Window, len: &[usize]) {
    if len.contains(&0) {
        return;
    }
    // The order of the loops is free: the target is written from one end to the other. Axes that lie alike in both sides become one.
    let steps = len.iter().zip(&source.strides).zip(&target.strides).map(|((n, s), t)| Step { len: *n, from: *s, to: *t });
    let mut steps: Vec<Step> = steps.filter(|step| step.len != 1).collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.to));
    let mut axes: Vec<Step> = Vec::with_capacity(len.len());
    for step in steps {
        match axes.last_mut() {
            Some(outer) if outer.from == step.from * step.len && outer.to == step.to * step.len => {
                *outer = Step { len: outer.len * step.len, ..step };
            }
            _ => axes.push(step),
        }
    }
    let run = match axes.last() {
        Some(last) if last.from == 1 && last.to == 1 => axes.pop().map_or(1, |last| last.len),
        _ => 1,
    };
    // The axis along which the source is dense comes next to the one along which the target is: these two are walked in tiles.
    if run <= SHORT
        && let Some(dense) = (0..axes.len()).min_by_key(|k| axes[*k].from)
        && dense + 2 < axes.len()
    {
        let axis = axes.remove(dense);
        axes.insert(axes.len() - 1, axis);
    }
    nest(&axes, run, from, source.offset, to, target.offset);
}

/// One axis of a copy.
#[derive(Debug, Clone, Copy)]
struct Step {
    len: usize,
    from: usize,
    to: usize,
}

/// Runs over more bytes than this are copied as they are; shorter ones along two axes are copied in tiles, so that a line of the cache that was
/// fetched for one run serves its neighbours.
const SHORT: usize = 64;

fn nest(axes: &[Step], run: usize, from: &[u8], at: usize, to: &mut [u8], into: usize) {
    match axes {
        [] => copy_run(&from[at..at + run], &mut to[into..into + run]),
        [one] => row(*one, run, from, at, to, into),
        // The inner axis strides through the source while the outer one is dense there: a transposition.
        [outer, inner] if run <= SHORT && outer.from < inner.from => {
            tiles(*outer, *inner, run, from, at, to, into);
        }
        [outer, rest @ ..] => {
            for k in 0..outer.len {
                nest(rest, run, from, at + k * outer.from, to, into + k * outer.to);
            }
        }
    }
}

fn tiles(outer: Step, inner: Step, run: usize, from: &[u8], at: usize, to: &mut [u8], into: usize) {
    let side = (SHORT / run).clamp(8, 32);
    for j in (0..outer.len).step_by(side) {
        for i in (0..inner.len).step_by(side) {
            let part = Step { len: side.min(inner.len - i), ..inner };
            for k in j..(j + side).min(outer.len) {
                row(part, run, from, at + k * outer.from + i * inner.from, to, into + k * outer.to + i * inner.to);
            }
        }
    }
}

fn row(step: Step, run: usize, from: &[u8], at: usize, to: &mut [u8], into: usize) {
    match run {
        1 => runs::<1>(step, from, at, to, into),
        2 => runs::<2>(step, from, at, to, into),
        4 => runs::<4>(step, from, at, to, into),
        8 => runs::<8>(step, from, at, to, into),
        16 => runs::<16>(step, from, at, to, into),
        32 => runs::<32>(step, from, at, to, into),
        64 => runs::<64>(step, from, at, to, into),
        _ => {
            for k in 0..step.len {
                let (a, b) = (at + k * step.from, into + k * step.to);
                copy_run(&from[a..a + run], &mut to[b..b + run]);
            }
        }
    }
}

/// Copies a run. Where the target lies a few bytes behind the source within a page, some processors do what C's `memcpy` uses for long runs (`rep movsb`)
/// at a ninth of the speed; short pieces are copied otherwise.
fn copy_run(from: &[u8], to: &mut [u8]) {
    const PIECE: usize = 1024;
    let ahead = to.as_ptr().addr().wrapping_sub(from.as_ptr().addr()) % 4096;
    if from.len() < 2 * PIECE || !(1..64).contains(&ahead) {
        return to.copy_from_slice(from);
    }
    // The compiler may not see that the pieces are one run.
    let piece = std::hint::black_box(PIECE);
    for (from, to) in from.chunks(piece).zip(to.chunks_mut(piece)) {
        to.copy_from_slice(from);
    }
}

/// Runs of a length that the compiler knows: each is a load and a store, not a call.
fn runs<const RUN: usize>(step: Step, from: &[u8], at: usize, to: &mut [u8], into: usize) {
    let (from, to) = (&from[at..], &mut to[into..]);
    if step.from == 0 || step.to == 0 {
        return;
    }
    for (source, target) in from.chunks(step.from).zip(to.chunks_mut(step.to)).take(step.len) {
        if let (Some(source), Some(target)) = (source.first_chunk::<RUN>(), target.first_chunk_mut::<RUN>()) {
            *target = *source;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same, byte by byte.
    fn slow(from: &[u8], source: &Window, to: &mut [u8], target: &Window, len: &[usize]) {
        let count: usize = len.iter().product();
        for mut k in 0..count {
            let (mut a, mut b) = (source.offset, target.offset);
            for (n, (s, t)) in len.iter().zip(source.strides.iter().zip(&target.strides)).rev() {
                a += k % n * s;
                b += k % n * t;
                k /= n;
            }
            to[b] = from[a];
        }
    }

    #[test]
    fn runs_are_copied_wherever_they_lie() {
        let from: Vec<u8> = (0..20_000).map(|k| (k % 251) as u8).collect();
        for (at, into, len) in [(0, 0, 9000), (16, 48, 9000), (5, 4096 + 9, 5000), (0, 31, 2047), (100, 101, 4097), (7, 3, 0)] {
            let mut to = vec![0; 20_000];
            copy_run(&from[at..at + len], &mut to[into..into + len]);
            assert_eq!(to[into..into + len], from[at..at + len]);
            assert!(to[..into].iter().chain(&to[into + len..]).all(|byte| *byte == 0));
        }
    }

    #[test]
    fn boxes_and_transpositions_are_copied_as_byte_by_byte() {
        let mut seed = 7u64;
        let mut random = |n: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % n
        };
        for round in 0..600 {
            let item = [1, 2, 4, 8, 16, 3, 12, 100][random(8)];
            let ndim = 1 + random(4);
            let mut shape: Vec<usize> = (0..ndim).map(|_| [1, 2, 3, 5, 17, 40][random(6)]).collect();
            shape.push(item);
            let start: Vec<usize> = shape.iter().enumerate().map(|(k, n)| if k == ndim { 0 } else { random(*n) }).collect();
            let len: Vec<usize> =
                shape.iter().zip(&start).enumerate().map(|(k, (n, s))| if k == ndim { *n } else { random(n - s + 1) }).collect();
            let from: Vec<u8> = (0..shape.iter().product()).map(|_| random(256) as u8).collect();
            let source = Window::of_box(&shape, &start);
            // Packed, in the order of the axes or in another one.
            let mut order: Vec<usize> = (0..ndim).collect();
            if round % 2 == 0 {
                order.iter().enumerate().map(|(i, _)| (i, random(ndim))).collect::<Vec<_>>().iter().for_each(|(i, j)| order.swap(*i, *j));
            }
            let permuted: Vec<usize> = order.iter().map(|k| len[*k]).chain([item]).collect();
            let packed = Window::packed(&permuted);
            let mut target = Window { offset: 0, strides: vec![1; ndim + 1] };
            for (place, axis) in order.iter().enumerate() {
                target.strides[*axis] = packed.strides[place];
            }
            let size: usize = len.iter().product();
            let (mut fast, mut right) = (vec![0; size], vec![0; size]);
            copy(&from, &source, &mut fast, &target, &len);
            if size > 0 {
                slow(&from, &source, &mut right, &target, &len);
            }
            assert_eq!(fast, right, "{shape:?} {start:?} {len:?} {order:?}");
            // And back to where it was.
            let (mut fast, mut right) = (from.iter().map(|b| !b).collect::<Vec<u8>>(), from.iter().map(|b| !b).collect::<Vec<u8>>());
            copy(&vec![9; size], &target, &mut fast, &source, &len);
            if size > 0 {
                slow(&vec![9; size], &target, &mut right, &source, &len);
            }
            assert_eq!(fast, right);
        }
    }
}
