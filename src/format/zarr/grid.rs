//! A selection cut along the chunk grid: each chunk is met once, whatever the order of the indices.

use crate::selection::{AxisSelection, Resolved};

/// Adjacent indices of one axis: where they are in the chunk and in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) inner: usize,
    pub(super) outer: usize,
    pub(super) len: usize,
}

/// What one chunk has of one axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The chunk's index along the axis.
    pub(super) chunk: usize,
    /// In the order in which they are to be written: of an index that comes twice the last one stays.
    pub(super) runs: Vec<Run>,
}

/// What the chunks have of one axis, by rising chunk.
pub(super) fn parts(axis: &AxisSelection, chunk: usize) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    if let AxisSelection::Range { start, step: 1, count, .. } = axis {
        let (mut at, end) = (*start, start + count);
        while at < end {
            let (k, inner) = (at / chunk, at % chunk);
            let len = (chunk - inner).min(end - at);
            out.push(Part { chunk: k, runs: vec![Run { inner, outer: at - start, len }] });
            at += len;
        }
        return out;
    }
    let mut all: Vec<(usize, usize)> = (0..axis.count()).map(|k| (axis.index(k), k)).collect();
    // Stable: of equal indices the later one stays behind.
    all.sort_by_key(|(index, _)| *index);
    for (index, outer) in all {
        let (k, inner) = (index / chunk, index % chunk);
        if out.last().is_none_or(|p| p.chunk != k) {
            out.push(Part { chunk: k, runs: Vec::new() });
        }
        let Some(part) = out.last_mut() else { continue };
        match part.runs.last_mut() {
            Some(run) if run.inner + run.len == inner && run.outer + run.len == outer => run.len += 1,
            _ => part.runs.push(Run { inner, outer, len: 1 }),
        }
    }
    out
}

/// The work on one chunk.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Which chunk.
    pub(super) index: Vec<usize>,
    pub(super) pieces: Pieces,
}

#[derive(Debug, Clone)]
pub(super) enum Pieces {
    /// For each axis the place of its part.
    Box(Vec<usize>),
    /// Single elements: place in the chunk, place in the result, how many.
    Points(Vec<Run>),
}

/// A selection, cut.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) axes: Vec<Vec<Part>>,
    /// The length of each axis of the result, dropped ones included.
    pub(super) counts: Vec<usize>,
    pub(super) jobs: Vec<Job>,
    chunks: Vec<usize>,
}

/// The distance of neighbours along each axis of a C-ordered array.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut out = vec![1; shape.len()];
    for k in (1..shape.len()).rev() {
        out[k - 1] = out[k] * shape[k];
    }
    out
}

impl Cut {
    /// Cuts a selection of an array of that shape into chunks.
    pub(super) fn new(resolved: &Resolved, shape: &[usize], chunks: &[usize]) -> Self {
        match resolved {
            Resolved::Axes(selected) => {
                let axes: Vec<Vec<Part>> = selected.iter().zip(chunks).map(|(a, c)| parts(a, *c)).collect();
                let counts = selected.iter().map(AxisSelection::count).collect();
                let mut jobs = Vec::new();
                if axes.iter().all(|a| !a.is_empty()) {
                    let mut at = vec![0; axes.len()];
                    'all: loop {
                        let index = at.iter().zip(&axes).map(|(k, parts)| parts[*k].chunk).collect();
                        jobs.push(Job { index, pieces: Pieces::Box(at.clone()) });
                        for axis in (0..axes.len()).rev() {
                            at[axis] += 1;
                            if at[axis] < axes[axis].len() {
                                continue 'all;
                            }
                            at[axis] = 0;
                        }
                        break;
                    }
                }
                Self { axes, counts, jobs, chunks: chunks.to_vec() }
            }
            Resolved::Points { points, .. } => {
                let (of_array, of_chunk) = (strides(shape), strides(chunks));
                let mut all: Vec<(Vec<usize>, usize, usize)> = Vec::with_capacity(points.len());
                for (outer, point) in points.iter().enumerate() {
                    let (mut rest, mut inner) = (*point, 0);
                    let index = (0..shape.len()).map(|k| {
                        let at = rest / of_array[k];
                        rest %= of_array[k];
                        inner += at % chunks[k] * of_chunk[k];
                        at / chunks[k]
                    });
                    let index: Vec<usize> = index.collect();
                    all.push((index, inner, outer));
                }
                all.sort_by(|a, b| a.0.cmp(&b.0));
                let mut jobs: Vec<Job> = Vec::new();
                for (index, inner, outer) in all {
                    if let Some(Job { index: last, pieces: Pieces::Points(runs) }) = jobs.last_mut()
                        && *last == index
                    {
                        match runs.last_mut() {
                            Some(run) if run.inner + run.len == inner && run.outer + run.len == outer => run.len += 1,
                            _ => runs.push(Run { inner, outer, len: 1 }),
                        }
                        continue;
                    }
                    jobs.push(Job { index, pieces: Pieces::Points(vec![Run { inner, outer, len: 1 }]) });
                }
                Self { axes: Vec::new(), counts: vec![points.len()], jobs, chunks: chunks.to_vec() }
            }
        }
    }

    /// Calls `f(place in the chunk, place in the result, elements)` for adjacent elements of one chunk.
    pub(super) fn for_each_run(&self, job: &Job, f: &mut dyn FnMut(usize, usize, usize)) {
        let at = match &job.pieces {
            Pieces::Points(runs) => {
                runs.iter().for_each(|r| f(r.inner, r.outer, r.len));
                return;
            }
            Pieces::Box(at) => at,
        };
        let parts: Vec<&[Run]> = at.iter().zip(&self.axes).map(|(k, parts)| &parts[*k].runs[..]).collect();
        let (inner, outer) = (strides(&self.chunks), strides(&self.counts));
        // Trailing axes that are whole on both sides are one run.
        let (mut axes, mut block) = (parts.len(), 1);
        while axes > 0
            && parts[axes - 1] == [Run { inner: 0, outer: 0, len: self.chunks[axes - 1] }]
            && self.counts[axes - 1] == self.chunks[axes - 1]
        {
            axes -= 1;
            block *= self.chunks[axes];
        }
        walk(&parts[..axes], &inner, &outer, (0, 0), block, f);
    }

    /// True if every element of the chunk that is within the shape is selected.
    pub(super) fn covers(&self, job: &Job, shape: &[usize]) -> bool {
        let Pieces::Box(at) = &job.pieces else { return false };
        at.iter().enumerate().all(|(axis, k)| {
            let (chunk, runs) = (self.chunks[axis], &self.axes[axis][*k].runs);
            let valid = chunk.min(shape[axis] - (job.index[axis] * chunk).min(shape[axis]));
            let mut next = 0;
            // The runs are sorted by their place in the chunk.
            for run in runs {
                if run.inner > next {
                    return false;
                }
                next = next.max(run.inner + run.len);
            }
            next >= valid
        })
    }
}

fn walk(parts: &[&[Run]], inner: &[usize], outer: &[usize], at: (usize, usize), block: usize, f: &mut dyn FnMut(usize, usize, usize)) {
    let Some((runs, rest)) = parts.split_first() else {
        f(at.0, at.1, block);
        return;
    };
    for run in *runs {
        let (i, o) = (at.0 + run.inner * inner[0], at.1 + run.outer * outer[0]);
        if rest.is_empty() {
            f(i, o, run.len * block);
            continue;
        }
        for k in 0..run.len {
            walk(rest, &inner[1..], &outer[1..], (i + k * inner[0], o + k * outer[0]), block, f);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::Selection;

    #[test]
    fn every_selected_element_is_met_once_and_in_its_place() {
        let shape = [7, 5, 6];
        for text in ["", "::2, 1, ::-1", "[6,0,0,3], :, 5::-2", "2:5", "-1, -2:, [1]", "3:3"] {
            let selection: Selection = text.parse().unwrap();
            let resolved = selection.resolve(&shape).unwrap();
            for chunks in [[7, 5, 6], [2, 2, 2], [3, 5, 4], [1, 1, 1], [10, 10, 10]] {
                let cut = Cut::new(&resolved, &shape, &chunks);
                let numbers = crate::AnyArray::from(ndarray::Array3::from_shape_fn((7, 5, 6), |(i, j, k)| (i * 30 + j * 6 + k) as i32));
                let wanted = numbers.select(&selection).unwrap().to_array::<i32>().unwrap();
                let mut got = vec![-1; wanted.len()];
                for job in &cut.jobs {
                    cut.for_each_run(job, &mut |inner, outer, len| {
                        for n in 0..len {
                            let s = strides(&chunks);
                            let place: Vec<usize> = (0..3).map(|k| job.index[k] * chunks[k] + (inner + n) / s[k] % chunks[k]).collect();
                            assert_eq!(got[outer + n], -1);
                            got[outer + n] = (place[0] * 30 + place[1] * 6 + place[2]) as i32;
                        }
                    });
                }
                assert_eq!(got, wanted.into_iter().collect::<Vec<_>>(), "{text} {chunks:?}");
            }
        }
    }
}
