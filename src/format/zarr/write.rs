//! Writing a selection: whole chunks, on all cores; a chunk that is met in part is read first.

use super::chunk::{self, Elements};
use super::directory::Directory;
use super::grid::{Cut, Job};
use super::pack;
use super::parallel;
use super::plan::Plan;
use super::redo::Staged;
use super::scratch;
use super::store::{Store, join};
use crate::array::AnyArray;
use crate::error::Result;
use crate::selection::Resolved;
use parking_lot::Mutex;
use std::borrow::Cow;

/// Locks for the chunks of an array: two threads that write parts of one chunk take turns.
#[derive(Debug, Default)]
pub(super) struct Turns([Mutex<()>; 16]);

impl Turns {
    fn of(&self, index: &[usize]) -> &Mutex<()> {
        let n = index.iter().fold(0usize, |n, i| n.wrapping_mul(31).wrapping_add(*i));
        &self.0[n % self.0.len()]
    }
}

/// Where elements are written.
pub(super) struct Target<'a> {
    pub(super) plan: &'a Plan,
    pub(super) store: &'a Store,
    pub(super) key: &'a str,
    pub(super) turns: &'a Turns,
    /// The shape that the array has, or is about to have.
    pub(super) shape: &'a [usize],
    /// What is stored beyond this shape is not looked at.
    pub(super) valid: &'a [usize],
    /// Where new chunks wait until all are there; else each takes its place at once.
    pub(super) staged: Option<&'a Staged<'a>>,
}

/// More pieces than so many of one chunk are not written one by one.
const PIECES: usize = 64;

impl Target<'_> {
    /// Writes the selected elements; the data have exactly their shape and type.
    pub(super) fn write(&self, resolved: &Resolved, data: &AnyArray) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let cut = Cut::new(resolved, self.shape, &self.plan.chunks);
        match cut.jobs.as_slice() {
            [one] => self.one(&cut, one, data),
            jobs => parallel::for_each(parallel::threads(data.nbytes()), jobs.iter().collect(), |job| self.one(&cut, job, data)),
        }
    }

    fn one(&self, cut: &Cut, job: &Job, data: &AnyArray) -> Result<()> {
        let directory = self.store.directory()?;
        let key = join(self.key, &self.plan.chunk_key(&job.index));
        let whole = cut.covers(job, self.shape);
        let _turn = self.plan_turn(&job.index);
        let result = if data.as_bytes().is_some() {
            self.fixed(cut, job, data, directory, &key, whole)
        } else {
            self.variable(cut, job, data, directory, &key, whole)
        };
        result.map_err(|e| e.during(format!("write the chunk '{key}'")))
    }

    fn plan_turn(&self, index: &[usize]) -> parking_lot::MutexGuard<'_, ()> {
        self.turns.of(index).lock()
    }

    fn fixed(&self, cut: &Cut, job: &Job, data: &AnyArray, directory: &Directory, key: &str, whole: bool) -> Result<()> {
        let (plan, size) = (self.plan, self.plan.dtype.itemsize());
        let from = data.raw().0;
        let total = crate::array::byte_len(&plan.chunks, size)?;
        let (mut only, mut runs) = (None, 0);
        cut.for_each_run(job, &mut |inner, outer, len| {
            runs += 1;
            only = (inner == 0 && len * size == total).then_some(outer);
        });
        if let (Some(outer), 1) = (only, runs)
            && let Some(slice) = from.get(outer * size..outer * size + total)
        {
            return self.store(directory, key, slice);
        }
        if !whole && plan.raw && self.is_new(cut) && self.in_place(cut, job, from, directory, key)? {
            return Ok(());
        }
        let mut elements = if whole { None } else { self.existing(job, key)? };
        let bytes = match &mut elements {
            Some(Elements::Fixed(bytes)) => bytes,
            _ => &mut self.filled(total)?,
        };
        cut.for_each_run(job, &mut |inner, outer, len| {
            if let (Some(to), Some(from)) =
                (bytes.get_mut(inner * size..(inner + len) * size), from.get(outer * size..(outer + len) * size))
            {
                to.copy_from_slice(from);
            }
        });
        self.store(directory, key, bytes)
    }

    /// True if no reader looks at the selected elements, since they are rows beyond the valid shape.
    fn is_new(&self, cut: &Cut) -> bool {
        let first = cut
            .axes
            .first()
            .and_then(|parts| parts.first())
            .and_then(|part| Some(part.chunk * self.plan.chunks.first()? + part.runs.first()?.inner));
        self.staged.is_none() && self.shape != self.valid && first.zip(self.valid.first()).is_some_and(|(first, valid)| first >= *valid)
    }

    /// Puts new elements into the file of a chunk, or into a new one that has zeros elsewhere. False if that cannot be done.
    fn in_place(&self, cut: &Cut, job: &Job, from: &[u8], directory: &Directory, key: &str) -> Result<bool> {
        let (plan, size) = (self.plan, self.plan.dtype.itemsize());
        let total = crate::array::byte_len(&plan.chunks, size)? as u64;
        let mut parts: Vec<(u64, &[u8])> = Vec::new();
        let mut runs = 0;
        cut.for_each_run(job, &mut |inner, outer, len| {
            runs += 1;
            if runs <= PIECES
                && let Some(part) = from.get(outer * size..(outer + len) * size)
            {
                parts.push(((inner * size) as u64, part));
            }
        });
        if runs > PIECES {
            return Ok(false);
        }
        if !self.is_beyond(&job.index) && directory.patch(key, total, &parts)? {
            return Ok(true);
        }
        if plan.fill.is_some() || parts.iter().all(|(_, part)| is_zero(part)) {
            return Ok(false);
        }
        directory.set_parts(key, Some(total), &parts).map(|()| true)
    }

    /// True if nothing of a chunk is within the valid shape.
    fn is_beyond(&self, index: &[usize]) -> bool {
        index.iter().zip(&self.plan.chunks).zip(self.valid).any(|((i, chunk), valid)| i.saturating_mul(*chunk) >= *valid)
    }

    /// A chunk of fill values.
    fn filled(&self, total: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(total)
            .map_err(|e| crate::error::error!(Io, "there is no memory for a chunk of {total} bytes").because(e))?;
        match &self.plan.fill {
            None => bytes.resize(total, 0),
            Some(fill) => {
                let one = fill.raw().0;
                while bytes.len() < total {
                    bytes.extend_from_slice(one);
                }
            }
        }
        Ok(bytes)
    }

    /// What a chunk holds, with the fill value beyond the valid shape.
    fn existing(&self, job: &Job, key: &str) -> Result<Option<Elements>> {
        if self.is_beyond(&job.index) {
            return Ok(None);
        }
        let Some(mut elements) = chunk::read(self.plan, self.store, key)? else { return Ok(None) };
        let room: Vec<usize> = (0..self.valid.len())
            .map(|k| self.plan.chunks[k].min(self.valid[k].saturating_sub(job.index[k] * self.plan.chunks[k])))
            .collect();
        if room == self.plan.chunks {
            return Ok(Some(elements));
        }
        let size = self.plan.dtype.itemsize();
        let total = self.plan.chunk_len()?;
        let fill = self.fill_element()?;
        let of_chunk = super::grid::strides(&self.plan.chunks);
        let inside = |n: usize| (0..room.len()).all(|k| n / of_chunk[k] % self.plan.chunks[k] < room[k]);
        match &mut elements {
            Elements::Fixed(bytes) => {
                for (n, element) in bytes.chunks_exact_mut(size.max(1)).enumerate() {
                    if !inside(n) {
                        match &self.plan.fill {
                            Some(fill) => element.copy_from_slice(fill.raw().0),
                            None => element.fill(0),
                        }
                    }
                }
            }
            Elements::Variable(bytes, offsets) => {
                let mut new = (Vec::with_capacity(bytes.len()), vec![0]);
                for n in 0..total {
                    let part = match inside(n) {
                        true => offsets.get(n).zip(offsets.get(n + 1)).and_then(|(a, b)| bytes.get(*a..*b)).unwrap_or_default(),
                        false => &fill,
                    };
                    new.0.extend_from_slice(part);
                    new.1.push(new.0.len());
                }
                (*bytes, *offsets) = new;
            }
        }
        Ok(Some(elements))
    }

    /// The fill value as it is in a chunk of elements of any size.
    fn fill_element(&self) -> Result<Vec<u8>> {
        let zero;
        let fill = match &self.plan.fill {
            Some(fill) => fill,
            None => {
                zero = AnyArray::zeros(self.plan.dtype.clone(), [])?;
                &zero
            }
        };
        let (bytes, heap) = fill.raw();
        let mut out = Vec::new();
        if heap.is_some() {
            pack::put_element(&self.plan.dtype, bytes, heap.map(|h| &**h), &mut out)?;
        }
        Ok(out)
    }

    fn variable(&self, cut: &Cut, job: &Job, data: &AnyArray, directory: &Directory, key: &str, whole: bool) -> Result<()> {
        let size = self.plan.dtype.itemsize();
        let (from, heap) = data.raw();
        let heap = heap.map(|h| &**h);
        let existing = if whole { None } else { self.existing(job, key)? };
        let fill = self.fill_element()?;
        let mut elements: Vec<Cow<'_, [u8]>> = match &existing {
            Some(Elements::Variable(bytes, offsets)) => {
                offsets.windows(2).map(|w| Cow::Borrowed(bytes.get(w[0]..w[1]).unwrap_or_default())).collect()
            }
            _ => vec![Cow::Borrowed(&fill[..]); self.plan.chunk_len()?],
        };
        let mut result = Ok(());
        cut.for_each_run(job, &mut |inner, outer, len| {
            for k in 0..len {
                let mut out = Vec::new();
                let Some(element) = from.get((outer + k) * size..(outer + k + 1) * size) else { continue };
                if let Err(e) = pack::put_element(&self.plan.dtype, element, heap, &mut out) {
                    result = Err(e);
                    return;
                }
                if let Some(slot) = elements.get_mut(inner + k) {
                    *slot = Cow::Owned(out);
                }
            }
        });
        result?;
        let empty = elements.iter().all(|e| **e == *fill);
        self.put(directory, key, empty, || chunk::encode_variable(self.plan, &elements).map(Cow::Owned))
    }

    /// Gives a chunk its new content; one that holds nothing but fill values is not there.
    fn put<'b>(&self, directory: &Directory, key: &str, empty: bool, encode: impl FnOnce() -> Result<Cow<'b, [u8]>>) -> Result<()> {
        match self.staged {
            // What waits can take the place of a chunk, and not take it away.
            Some(staged) if !empty || directory.exists(key)? => {
                let file = encode()?;
                staged.put(key, &file)?;
                scratch::give(file);
                Ok(())
            }
            Some(_) => Ok(()),
            None if empty => directory.erase(key),
            None => {
                let file = encode()?;
                directory.set(key, &file)?;
                scratch::give(file);
                Ok(())
            }
        }
    }

    /// Writes a chunk.
    fn store(&self, directory: &Directory, key: &str, elements: &[u8]) -> Result<()> {
        let empty = match &self.plan.fill {
            None => is_zero(elements),
            Some(fill) => {
                let one = fill.raw().0;
                elements.chunks_exact(one.len().max(1)).all(|e| e == one)
            }
        };
        self.put(directory, key, empty, || chunk::encode_fixed(self.plan, elements))
    }

    /// Gives the elements between two shapes the fill value, where something is stored there: the remains of what was cut off, or of a writer
    /// that was stopped.
    pub(super) fn clear(&self) -> Result<()> {
        let directory = self.store.directory()?;
        for (key, index) in stored_chunks(self.plan, directory, self.key)? {
            let chunks = &self.plan.chunks;
            let begins = |k: usize| index[k].saturating_mul(chunks[k]);
            // Beyond both shapes: it is cleared when the array grows to it.
            if (0..index.len()).any(|k| begins(k) >= self.shape[k]) {
                continue;
            }
            let inside = (0..index.len()).all(|k| begins(k).saturating_add(chunks[k]).min(self.shape[k]) <= self.valid[k]);
            if inside {
                continue;
            }
            let _turn = self.plan_turn(&index);
            if self.is_beyond(&index) {
                directory.erase(&key)?;
                continue;
            }
            let job = Job { index, pieces: super::grid::Pieces::Points(Vec::new()) };
            match self.existing(&job, &key)? {
                Some(Elements::Fixed(bytes)) => self.store(directory, &key, &bytes)?,
                Some(Elements::Variable(bytes, offsets)) => {
                    let elements: Vec<Cow<'_, [u8]>> =
                        offsets.windows(2).map(|w| Cow::Borrowed(bytes.get(w[0]..w[1]).unwrap_or_default())).collect();
                    directory.set(&key, &chunk::encode_variable(self.plan, &elements)?)?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// True if all bytes are zero.
fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<64>();
    words.iter().all(|word| word.iter().fold(0, |or, byte| or | byte) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// The chunks that are stored, with their keys.
pub(super) fn stored_chunks(plan: &Plan, directory: &Directory, key: &str) -> Result<Vec<(String, Vec<usize>)>> {
    let mut out = Vec::new();
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        for entry in directory.list(&join(key, &below))? {
            let relative = join(&below, &entry.name);
            if entry.is_dir {
                waiting.push(relative);
            } else if let Some(index) = plan.chunk_index(&relative) {
                out.push((join(key, &relative), index));
            }
        }
    }
    Ok(out)
}
