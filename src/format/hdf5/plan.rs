//! From a selection to the calls that read or write it: for each axis, which indices go through one call, and where they belong.
//!
//! A call of the library costs a few microseconds, its own strided selections some 50 ns per element, and unions of its hyperslabs time
//! that grows with the square of their number. So a read takes gaps along that are cheaper to read than to leave out, and picks in
//! memory; a write touches exactly the selected elements, in small unions.

use crate::selection::AxisSelection;

/// A read takes a gap between two indices of a list along up to this many bytes.
const LIST_GAP: usize = 4 << 10;
/// A read takes the gaps of a strided range along up to this many bytes each.
const STRIDE_GAP: usize = 512;
/// So many hyperslabs are united for one call.
const UNION: usize = 32;
/// Segments of more bytes than this, on average, go through a call each: straight to their place in the array.
const LONG: usize = 16 << 10;
/// A union of runs of fewer elements than this, on average, is selected point by point.
pub(super) const MANY: usize = 4;
/// So many single points go through one call.
const POINTS: usize = 1 << 16;

/// Indices of one axis, evenly spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub start: usize,
    pub step: usize,
    pub count: usize,
}

/// Which of the transferred indices belong where in the array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Picks {
    /// `from, from + step, ..` of the transferred ones are `to, to + 1, ..` of the array's, or `to, to - 1, ..`.
    Line { from: usize, step: usize, to: usize, back: bool, count: usize },
    /// Pairs of the place among the transferred ones, rising, and that in the array.
    List(Vec<(usize, usize)>),
}

/// What of one axis goes through one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// The indices in the file, rising.
    pub runs: Vec<Run>,
    /// How many those are.
    pub count: usize,
    pub picks: Picks,
}

impl Piece {
    fn line(run: Run, from: usize, step: usize, to: usize, back: bool, count: usize) -> Self {
        Self { runs: vec![run], count: run.count, picks: Picks::Line { from, step, to, back, count } }
    }

    /// The place in the array of the first one, if those transferred are adjacent there, all of them, in order.
    pub(super) fn straight(&self) -> Option<usize> {
        match self.picks {
            Picks::Line { from: 0, step, to, back, count } if count == self.count && (step == 1 || count == 1) && (!back || count == 1) => {
                Some(to)
            }
            _ => None,
        }
    }

    /// Cuts the piece in two of about the same size, between chunks where there are chunks; `None` if it cannot be.
    pub(super) fn halve(&self, chunk: Option<usize>) -> Option<(Piece, Piece)> {
        if self.runs.len() > 1 {
            return self.split(self.runs[..self.runs.len() / 2].iter().map(|r| r.count).sum());
        }
        let (run, mut at) = (self.runs.first()?, self.count / 2);
        if let (Some(chunk), 1) = (chunk, run.step) {
            at = ((run.start + at) / chunk * chunk).saturating_sub(run.start);
        }
        self.split(at)
    }

    /// Cuts the piece in two, the first with `at` of the transferred indices.
    fn split(&self, at: usize) -> Option<(Piece, Piece)> {
        if at == 0 || at >= self.count {
            return None;
        }
        let (mut before, mut behind, mut seen) = (Vec::new(), Vec::new(), 0);
        for run in &self.runs {
            let cut = at.saturating_sub(seen).min(run.count);
            if cut > 0 {
                before.push(Run { count: cut, ..*run });
            }
            if cut < run.count {
                behind.push(Run { start: run.start + cut * run.step, count: run.count - cut, ..*run });
            }
            seen += run.count;
        }
        let (first, second) = match &self.picks {
            Picks::Line { from, step, to, back, count } => {
                let done = if at <= *from { 0 } else { ((at - from).div_ceil(*step)).min(*count) };
                let next = if *back { to.wrapping_sub(done) } else { to + done };
                (
                    Picks::Line { from: *from, step: *step, to: *to, back: *back, count: done },
                    Picks::Line { from: (from + done * step).saturating_sub(at), step: *step, to: next, back: *back, count: count - done },
                )
            }
            Picks::List(pairs) => {
                let cut = pairs.partition_point(|(local, _)| *local < at);
                (Picks::List(pairs[..cut].to_vec()), Picks::List(pairs[cut..].iter().map(|(l, o)| (l - at, *o)).collect()))
            }
        };
        Some((Piece { runs: before, count: at, picks: first }, Piece { runs: behind, count: self.count - at, picks: second }))
    }
}

/// The pieces of one axis.
///
/// `row` is the bytes of one index, `chunk` the length of the chunks along the axis where there are chunks; `alone` is true if no other
/// axis has more than one index.
pub(super) fn pieces(axis: &AxisSelection, row: usize, chunk: Option<usize>, alone: bool, write: bool) -> Vec<Piece> {
    match axis {
        AxisSelection::Range { count: 0, .. } => Vec::new(),
        AxisSelection::Range { start, step, count, .. } => {
            let (apart, back) = (step.unsigned_abs(), *step < 0);
            let low = if back { start - apart * (count - 1) } else { *start };
            let to = if back { count - 1 } else { 0 };
            let dense = apart == 1 || (!write && (apart - 1).saturating_mul(row) <= STRIDE_GAP);
            if dense {
                let run = Run { start: low, step: 1, count: (count - 1) * apart + 1 };
                vec![Piece::line(run, 0, apart, to, back, *count)]
            } else {
                vec![Piece::line(Run { start: low, step: apart, count: *count }, 0, 1, to, back, *count)]
            }
        }
        AxisSelection::List(list) => list_pieces(list, row, chunk, alone, write),
    }
}

fn list_pieces(list: &[usize], row: usize, chunk: Option<usize>, alone: bool, write: bool) -> Vec<Piece> {
    let mut pairs: Vec<(usize, usize)> = list.iter().copied().enumerate().map(|(to, index)| (index, to)).collect();
    if !pairs.is_sorted() {
        pairs.sort_unstable();
    }
    if write {
        // Of duplicates the last one stays.
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                *kept = *next;
            }
            same
        });
    }
    let joins = |before: usize, next: usize| {
        next <= before + 1 || (!write && ((next - before).saturating_mul(row) <= LIST_GAP || chunk.is_some_and(|c| before / c == next / c)))
    };
    let mut segments: Vec<&[(usize, usize)]> = pairs.chunk_by(|a, b| joins(a.0, b.0)).collect();
    // Many short ones: unite them for a call, as single points where that is what they are.
    let span = |s: &[(usize, usize)]| s.last().map_or(0, |l| l.0) + 1 - s.first().map_or(0, |f| f.0);
    let elements: usize = segments.iter().map(|s| span(s)).sum();
    let batch = if alone && segments.iter().all(|s| span(s) < MANY) && elements < MANY * segments.len() {
        POINTS
    } else if elements.saturating_mul(row) / segments.len().max(1) > LONG {
        1
    } else {
        UNION
    };
    let mut out = Vec::with_capacity(segments.len().div_ceil(batch));
    for group in segments.chunks_mut(batch) {
        let (mut runs, mut places, mut count) = (Vec::with_capacity(group.len()), Vec::new(), 0);
        for segment in group.iter() {
            let (Some(first), Some(last)) = (segment.first(), segment.last()) else { continue };
            let run = Run { start: first.0, step: 1, count: last.0 - first.0 + 1 };
            places.extend(segment.iter().map(|(index, to)| (count + index - first.0, *to)));
            count += run.count;
            runs.push(run);
        }
        let straight = places.len() == count && places.iter().zip(places.iter().skip(1)).all(|(a, b)| b.0 == a.0 + 1 && b.1 == a.1 + 1);
        let picks = match places.first() {
            Some((0, to)) if straight => Picks::Line { from: 0, step: 1, to: *to, back: false, count },
            _ => Picks::List(places),
        };
        out.push(Piece { runs, count, picks });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pieces transfer, as pairs of file index and place in the array.
    fn pairs(pieces: &[Piece]) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        for p in pieces {
            let file: Vec<usize> = p.runs.iter().flat_map(|r| (0..r.count).map(|k| r.start + k * r.step)).collect();
            assert_eq!(file.len(), p.count);
            match &p.picks {
                Picks::Line { from, step, to, back, count } => {
                    out.extend((0..*count).map(|k| (file[from + k * step], if *back { to - k } else { to + k })));
                }
                Picks::List(list) => out.extend(list.iter().map(|(l, t)| (file[*l], *t))),
            }
        }
        out.sort_by_key(|p| p.1);
        out
    }

    #[test]
    fn every_index_goes_where_it_belongs() {
        for (start, step, count) in [(0, 1, 10), (9, -1, 10), (1, 3, 3), (9, -4, 3), (5, 1, 1), (3, 1000, 2)] {
            let axis = AxisSelection::Range { start, step, count, drop: false };
            let wanted: Vec<(usize, usize)> = (0..count).map(|k| (axis.index(k), k)).collect();
            for row in [8, 1 << 20] {
                for write in [false, true] {
                    let made = pieces(&axis, row, None, true, write);
                    assert_eq!(pairs(&made), wanted, "{axis:?} {row} {write}");
                    for piece in made {
                        for at in 1..piece.count {
                            let (a, b) = piece.split(at).unwrap();
                            assert_eq!(a.count, at);
                            assert_eq!(pairs(&[a, b]), wanted);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn lists_keep_duplicates_on_reading_and_the_last_on_writing() {
        let axis = AxisSelection::List(vec![7, 2, 7, 3, 1_000_000, 2]);
        let wanted = vec![(7, 0), (2, 1), (7, 2), (3, 3), (1_000_000, 4), (2, 5)];
        assert_eq!(pairs(&pieces(&axis, 8, None, true, false)), wanted);
        assert_eq!(pairs(&pieces(&axis, 1 << 20, Some(4), false, false)), wanted);
        let apart = pieces(&axis, 1 << 20, None, false, false);
        assert_eq!(apart.iter().map(|p| p.runs.len()).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(pairs(&apart), wanted);
        let spread = pieces(&axis, 1 << 13, None, false, false);
        assert_eq!(spread.iter().map(|p| p.runs.len()).collect::<Vec<_>>(), [3]);
        for at in 1..spread[0].count {
            let (a, b) = spread[0].split(at).unwrap();
            assert_eq!((a.count, pairs(&[a, b])), (at, wanted.clone()));
        }
        let (a, b) = spread[0].halve(None).unwrap();
        assert_eq!((a.runs.len(), b.runs.len()), (1, 2));
        let written = pieces(&axis, 8, None, true, true);
        assert_eq!(pairs(&written), [(7, 2), (3, 3), (1_000_000, 4), (2, 5)]);
        assert!(written.iter().flat_map(|p| &p.runs).map(|r| r.count).sum::<usize>() == 4, "a write touches nothing else");
    }
}
