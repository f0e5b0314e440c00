//! The interval buffer: results as they come, saved by the hundred.

mod pending;

use super::{Approach, Indices, SaveOptions, Saver};
use crate::array::{AnyArray, IntoArray};
use crate::error::{Error, Result, bail, error};
use parking_lot::{Condvar, Mutex};
use pending::{Batch, Pending};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// The first and the longest pause before a failed save is tried again on the background thread.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Takes the results of a long computation as they come, also out of order and from many threads, and saves every full interval of them: what raygent's
/// `TaskManager` does with `saver`, `save_interval` and `save_kwargs`.
///
/// * A result is one row of the saved array, at its index: the number of the push, or the one that [`push_at`](Self::push_at) says.
/// * With the approach append rows are saved in the order of their indices, each once; one that comes early waits for those before it.
///   With update each goes to its index as soon as an interval is full. Overwrite would keep the last interval only, and is refused.
/// * All full intervals are saved, then the rest is kept; [`finish`](Self::finish) saves it. An empty save never happens.
/// * When a save fails, its rows stay, and are tried again at the next push and at `finish`. Nothing is saved twice.
/// * At most [`capacity`](Self::capacity) rows are held: a push for which there is no room fails, and takes nothing, or waits for the
///   [`background`](Self::background) thread.
///
/// ```
/// use memh5::saver::{IntervalBuffer, MemSaver};
/// use memh5::{MemGroup, prelude::*};
/// let group = MemGroup::new();
/// let results = IntervalBuffer::new(MemSaver::new(&group, "squares"), 4)?;
/// // The order in which a pool of threads may finish.
/// for i in [3u64, 0, 1, 2, 5, 4] {
///     results.push_at(i, (i * i) as f64)?;
/// }
/// assert_eq!(group.dataset("squares")?.len()?, 4);
/// results.finish()?;
/// assert_eq!(group.dataset("squares")?.read_slice::<Vec<f64>>(..)?, [0.0, 1.0, 4.0, 9.0, 16.0, 25.0]);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug)]
pub struct IntervalBuffer<S: Saver + 'static> {
    shared: Arc<Shared<S>>,
    worker: Option<JoinHandle<()>>,
}

/// How far a buffer is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Progress {
    /// Rows that are saved.
    pub saved: u64,
    /// Rows that are held.
    pub pending: usize,
    /// Why the last save failed. Its rows are held, and will be tried again.
    pub failed: Option<Error>,
}

#[derive(Debug)]
struct Shared<S> {
    saver: S,
    interval: usize,
    capacity: Mutex<usize>,
    options: Mutex<SaveOptions>,
    state: Mutex<State>,
    /// Something has changed: rows came, a save ended, the end has come.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: Pending,
    saved: u64,
    saving: bool,
    background: bool,
    closed: bool,
    failed: Option<Error>,
}

impl State {
    fn progress(&self) -> Progress {
        Progress { saved: self.saved, pending: self.pending.rows(), failed: self.failed.clone() }
    }
}

impl<S: Saver + 'static> IntervalBuffer<S> {
    /// A buffer that saves every so many rows, by append, and holds ten intervals at most.
    ///
    /// # Errors
    /// `InvalidArgument` for an interval of 0.
    pub fn new(saver: S, interval: usize) -> Result<Self> {
        if interval == 0 {
            bail!(InvalidArgument, "an interval of 0 rows would save nothing, again and again");
        }
        let shared = Shared {
            saver,
            interval,
            capacity: Mutex::new(interval.saturating_mul(10)),
            options: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Ok(Self { shared: Arc::new(shared), worker: None })
    }

    /// The options of every save; what they do not say is up to the saver. Say this before the first push.
    ///
    /// # Errors
    /// `InvalidArgument` for the approach overwrite.
    pub fn options(self, options: SaveOptions) -> Result<Self> {
        if options.the_approach() == Approach::Overwrite {
            bail!(InvalidArgument, "with overwrite, each interval would replace the one before");
        }
        self.shared.state.lock().pending.in_order = options.the_approach() == Approach::Append;
        *self.shared.options.lock() = options;
        Ok(self)
    }

    /// The rows that are held at most; at least an interval.
    #[must_use]
    pub fn capacity(self, rows: usize) -> Self {
        *self.shared.capacity.lock() = rows.max(self.shared.interval);
        self
    }

    /// Saves on a thread of its own, so that a push does not wait for the disk, unless there is no more room.
    ///
    /// # Errors
    /// `Io` if no thread can be made.
    pub fn background(mut self) -> Result<Self> {
        if self.worker.is_none() {
            self.shared.state.lock().background = true;
            let shared = Arc::clone(&self.shared);
            let worker = std::thread::Builder::new().name("memh5 saver".into()).spawn(move || shared.work());
            self.worker = Some(worker.map_err(|e| error!(Io, "no thread could be made").because(e))?);
        }
        Ok(self)
    }

    /// The saver.
    pub fn saver(&self) -> &S {
        &self.shared.saver
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.shared.state.lock().progress()
    }

    /// Takes a result, as the row behind the last one, and saves what is full.
    ///
    /// # Errors
    /// `Shape` or `Dtype` if it is not like the first one; the error of the last save if it failed and there is no room. The result was
    /// not taken then. A save that fails while there is room is told by [`Progress::failed`].
    pub fn push(&self, result: impl IntoArray) -> Result<Progress> {
        self.shared.push(None, row(result.into_array()?)?)
    }

    /// Takes the result of that index.
    ///
    /// # Errors
    /// As [`push`](Self::push); `AlreadyExists` if the index is held, or was saved in order.
    pub fn push_at(&self, index: u64, result: impl IntoArray) -> Result<Progress> {
        self.shared.push(Some(index), row(result.into_array()?)?)
    }

    /// Takes several results at once, along axis 0.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_rows(&self, results: impl IntoArray) -> Result<Progress> {
        self.shared.push(None, results.into_array()?)
    }

    /// Takes several results at once, along axis 0, the first of which has that index.
    ///
    /// # Errors
    /// As [`push_at`](Self::push_at).
    pub fn push_rows_at(&self, index: u64, results: impl IntoArray) -> Result<Progress> {
        self.shared.push(Some(index), results.into_array()?)
    }

    /// Saves all that is held. Call it at the end; the buffer can be used on.
    ///
    /// # Errors
    /// That of the save; the rows are still held, and it can be called again. `NotFound` if a row is missing before others that wait for it.
    pub fn finish(&self) -> Result<Progress> {
        while self.shared.save_next(true)? {}
        let state = self.shared.state.lock();
        match state.pending.missing() {
            Some(index) => Err(error!(NotFound, "the result {index} never came, and {} later ones wait for it", state.pending.rows())
                .at(self.shared.saver.target())
                .remedy("push it and finish again")),
            None => Ok(state.progress()),
        }
    }
}

/// One result as an array of one row.
fn row(result: AnyArray) -> Result<AnyArray> {
    if result.is_null() {
        bail!(Shape, "a null array is no result");
    }
    let shape = [&[1], result.shape()].concat();
    result.reshape(&shape)
}

impl<S: Saver> Shared<S> {
    fn push(&self, index: Option<u64>, rows: AnyArray) -> Result<Progress> {
        let cast = self.options.lock().the_cast();
        let capacity = *self.capacity.lock();
        let mut state = self.state.lock();
        let rows = state.pending.fit(rows, cast)?;
        let count = rows.shape().first().copied().unwrap_or(0);
        loop {
            let held = state.pending.rows();
            if held == 0 || held + count <= capacity || index.is_some_and(|i| state.pending.unblocks(i)) {
                break;
            }
            // No room: the save that is due has to come first.
            if state.saving {
                self.changed.wait(&mut state);
            } else if !state.pending.is_due(self.interval) {
                let missing = state.pending.missing().unwrap_or_default();
                return Err(error!(
                    NotAllowed,
                    "{held} results are held, and there is room for {capacity}: they wait for the result {missing}"
                )
                .remedy("push that one first, or give the buffer a larger capacity"));
            } else if state.background && state.failed.is_none() {
                self.changed.wait(&mut state);
            } else {
                drop(state);
                self.save_next(false)?;
                state = self.state.lock();
            }
        }
        state.pending.insert(index, rows)?;
        if state.background {
            self.changed.notify_all();
            return Ok(state.progress());
        }
        drop(state);
        while let Ok(true) = self.save_next(false) {}
        Ok(self.state.lock().progress())
    }

    /// Saves one full interval, or at the end what is left; false if there is none. Rows are forgotten when they are saved.
    fn save_next(&self, all: bool) -> Result<bool> {
        let options = self.options.lock().clone();
        let mut state = self.state.lock();
        while state.saving {
            self.changed.wait(&mut state);
        }
        let Some(batch) = state.pending.take(self.interval, all)? else { return Ok(false) };
        state.saving = true;
        drop(state);
        // Also if the saver panics, others may go on.
        let mut ended = Ended { shared: self, batch: Some(batch), result: None };
        let result = match &ended.batch {
            Some(Batch { rows, first, indices, .. }) => {
                let indices = match indices {
                    None => Indices::NONE,
                    Some(list) if list.is_empty() => (*first as i64..*first as i64 + rows.shape()[0] as i64).into(),
                    Some(list) => list.clone().into(),
                };
                self.saver.save_array(rows, &indices, &options)
            }
            None => Ok(()),
        };
        ended.result = Some(result.clone());
        drop(ended);
        result.map(|()| true)
    }

    /// The background thread: saves what is due, and after a failure tries again, later and later.
    fn work(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut state = self.state.lock();
            while !state.closed && (state.saving || !state.pending.is_due(self.interval)) {
                self.changed.wait(&mut state);
            }
            if state.closed {
                return;
            }
            drop(state);
            match self.save_next(false) {
                Ok(_) => pause = FIRST_PAUSE,
                Err(_) => {
                    let mut state = self.state.lock();
                    if !state.closed {
                        self.changed.wait_for(&mut state, pause);
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// Notes the end of a save, however it ended.
struct Ended<'s, S> {
    shared: &'s Shared<S>,
    batch: Option<Batch>,
    result: Option<Result<()>>,
}

impl<S> Drop for Ended<'_, S> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.saving = false;
        if let Some(batch) = self.batch.take() {
            match self.result.take().unwrap_or_else(|| Err(error!(Io, "the saver panicked"))) {
                Ok(()) => {
                    state.saved += batch.rows.shape().first().copied().unwrap_or(0) as u64;
                    state.pending.forget(&batch);
                    state.failed = None;
                }
                Err(e) => state.failed = Some(e),
            }
        }
        self.shared.changed.notify_all();
    }
}

impl<S: Saver + 'static> Drop for IntervalBuffer<S> {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.shared.changed.notify_all();
        if let Some(worker) = self.worker.take() {
            let _ = worker.join();
        }
        // Best effort: who wants to know says finish().
        if !std::thread::panicking() {
            let _ = self.finish();
        }
    }
}
