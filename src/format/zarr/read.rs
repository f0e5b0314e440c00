//! Reading a selection: chunk by chunk, on all cores.

use super::chunk::{self, Elements};
use super::grid::{Cut, Job, Pieces, strides};
use super::parallel;
use super::plan::Plan;
use super::store::{Store, join};
use crate::array::{AnyArray, Arena};
use crate::error::{Result, bail};
use crate::selection::Resolved;
use parking_lot::Mutex;

/// Reads the selected elements of an array of that shape.
pub(super) fn read(plan: &Plan, store: &Store, key: &str, shape: &[usize], resolved: &Resolved) -> Result<AnyArray> {
    let mut out = AnyArray::zeros(plan.dtype.clone(), resolved.shape())?;
    if out.is_empty() {
        return Ok(out);
    }
    let cut = Cut::new(resolved, shape, &plan.chunks);
    let (bytes, heap) = out.raw_mut()?;
    let source = Source { plan, store, key, cut: &cut, heap: heap.map(|h| &**h) };
    source.run(bytes)?;
    Ok(out)
}

struct Source<'a> {
    plan: &'a Plan,
    store: &'a Store,
    key: &'a str,
    cut: &'a Cut,
    heap: Option<&'a Arena>,
}

impl Source<'_> {
    fn run(&self, out: &mut [u8]) -> Result<()> {
        let jobs = &self.cut.jobs;
        let threads = parallel::threads(out.len());
        if jobs.len() == 1 || threads == 1 {
            return jobs.iter().try_for_each(|job| self.one(job, out, 0));
        }
        let slabs = self.slabs(out.len());
        if slabs.len() >= threads {
            // The result falls into pieces that are each filled by one row of chunks.
            let mut work = Vec::with_capacity(slabs.len());
            let (mut rest, mut done) = (out, 0);
            for (end, jobs) in slabs {
                let (head, tail) = rest.split_at_mut(end - done);
                work.push((done, head, jobs));
                (rest, done) = (tail, end);
            }
            return parallel::for_each(threads, work, |(base, out, jobs)| jobs.iter().try_for_each(|job| self.one(job, out, base)));
        }
        // Decoded side by side, put in place one by one.
        for some in jobs.chunks(2 * threads) {
            let decoded: Vec<Mutex<Option<Elements>>> = some.iter().map(|_| Mutex::new(None)).collect();
            parallel::for_each(threads, some.iter().zip(&decoded).collect(), |(job, place)| {
                *place.lock() = self.load(job)?;
                Ok(())
            })?;
            for (job, elements) in some.iter().zip(decoded) {
                self.put(job, elements.into_inner(), out, 0)?;
            }
        }
        Ok(())
    }

    /// Where each row of chunks ends in the result, and its jobs; empty if the rows are not apart.
    fn slabs(&self, total: usize) -> Vec<(usize, &[Job])> {
        let Some(rows) = self.cut.axes.first() else { return Vec::new() };
        let row_bytes = strides(&self.cut.counts).first().copied().unwrap_or(1) * self.plan.dtype.itemsize();
        let per_row = self.cut.jobs.len() / rows.len().max(1);
        let mut next = 0;
        let mut out = Vec::with_capacity(rows.len());
        for (row, jobs) in rows.iter().zip(self.cut.jobs.chunks(per_row.max(1))) {
            let [run] = row.runs[..] else { return Vec::new() };
            if run.outer != next {
                return Vec::new();
            }
            next = run.outer + run.len;
            out.push((next * row_bytes, jobs));
        }
        if out.last().map(|(end, _)| *end) == Some(total) { out } else { Vec::new() }
    }

    fn chunk_key(&self, job: &Job) -> String {
        join(self.key, &self.plan.chunk_key(&job.index))
    }

    fn load(&self, job: &Job) -> Result<Option<Elements>> {
        chunk::read(self.plan, self.store, &self.chunk_key(job))
    }

    /// Reads one chunk into its places of the result, of which `out` begins at `base`.
    fn one(&self, job: &Job, out: &mut [u8], base: usize) -> Result<()> {
        if let Some((from, to)) = self.straight(job) {
            let Some(part) = out.get_mut(from - base..to - base) else { bail!(Shape, "a chunk lies outside of the result") };
            let key = self.chunk_key(job);
            let wanted = crate::array::byte_len(&self.plan.chunks, self.plan.held.pack.packed)? as u64;
            if !self.plan.raw {
                return match part.len() as u64 == wanted {
                    true if chunk::read_into(self.plan, self.store, &key, part)? => Ok(()),
                    true => self.put(job, None, out, base),
                    false => {
                        let elements = self.load(job)?;
                        self.put(job, elements, out, base)
                    }
                };
            }
            return match self.store.get_into(&key, part)? {
                Some(len) if len == wanted => Ok(()),
                Some(len) => bail!(Corrupt, "the chunk '{key}' has {len} bytes in place of {wanted}"),
                None => self.put(job, None, out, base),
            };
        }
        let elements = self.load(job)?;
        self.put(job, elements, out, base)
    }

    /// The bytes of the result that the beginning of the chunk's file fills as it is, if it does.
    fn straight(&self, job: &Job) -> Option<(usize, usize)> {
        if !(self.plan.raw || self.plan.straight) || !matches!(job.pieces, Pieces::Box(_)) {
            return None;
        }
        let (mut only, mut runs) = (None, 0);
        self.cut.for_each_run(job, &mut |inner, outer, len| {
            runs += 1;
            only = (inner == 0).then_some((outer, len));
        });
        let size = self.plan.dtype.itemsize();
        only.filter(|_| runs == 1).map(|(outer, len)| (outer * size, (outer + len) * size))
    }

    fn put(&self, job: &Job, elements: Option<Elements>, out: &mut [u8], base: usize) -> Result<()> {
        let size = self.plan.dtype.itemsize();
        let mut result = Ok(());
        let fill = match (&elements, &self.plan.fill) {
            (None, Some(fill)) => Some(fill),
            (None, None) => return Ok(()),
            _ => None,
        };
        self.cut.for_each_run(job, &mut |inner, outer, len| {
            if result.is_err() {
                return;
            }
            let Some(part) = out.get_mut(outer * size - base..(outer + len) * size - base) else { return };
            result = match (&elements, fill) {
                (Some(elements), _) => chunk::place(self.plan, elements, inner, part, self.heap),
                (None, Some(fill)) => fill_with(fill, part, self.heap),
                (None, None) => Ok(()),
            };
        });
        result
    }
}

/// Puts one element everywhere.
fn fill_with(fill: &AnyArray, out: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    let (one, from) = fill.raw();
    let mut one = one.to_vec();
    if let (Some(from), Some(to)) = (from, heap) {
        for slot in crate::dtype::layout::Layout::of(fill.dtype()).slots {
            let number = match from.get(crate::array::select::slot_number(&one, slot.offset)) {
                Some(item) => to.push(item.clone()),
                None => 0,
            };
            crate::array::select::set_slot(&mut one, slot.offset, number);
        }
    }
    out.chunks_exact_mut(one.len().max(1)).for_each(|element| element.copy_from_slice(&one));
    Ok(())
}
