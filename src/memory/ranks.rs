//! What a tree that ranks share has more than others: the communicator, and what makes a call collective.
//!
//! While a collective call is open, everything that changes the tree leaves a step behind that takes it back. At the end the ranks tell each
//! other what they did and how it went. If all did the same and all succeeded, the steps are forgotten; else they are undone, last
//! first, and every rank has the tree that it had before.

use super::MemDataset;
use crate::array::AnyArray;
use crate::distributed::{self, Agreement, Call, CommRef, DistributedArray};
use crate::error::{Error, Result, bail, error};
use crate::selection::Selection;

use crate::tree::{Collective, CollectiveCall, Dataset, Group};
use parking_lot::{Mutex, ReentrantMutex};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// How one change of the tree is taken back, and what is left to do when it is kept.
pub(super) struct Step {
    pub(super) undo: Box<dyn FnOnce() + Send>,
    pub(super) keep: Option<Box<dyn FnOnce() + Send>>,
}

impl Step {
    pub(super) fn undo(undo: impl FnOnce() + Send + 'static) -> Self {
        Self { undo: Box::new(undo), keep: None }
    }
}

/// The ranks that share a tree.
pub(super) struct Ranks {
    pub(super) agreement: Agreement,
    /// Which tree of the communicator it is; the same number on all ranks. A copy has that of its original.
    tag: u64,
    /// Held by the thread that makes a collective call.
    open: ReentrantMutex<RefCell<Open>>,
}

/// The collective call that is being made.
#[derive(Default)]
struct Open {
    depth: usize,
    steps: Vec<Step>,
    trace: Trace,
}

/// What was done to the tree within the call.
#[derive(Default)]
struct Trace {
    hasher: DefaultHasher,
    text: String,
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ranks(rank {} of {})", self.comm().rank(), self.comm().size())
    }
}

/// How many trees were made on a communicator.
fn next_tag(comm: &CommRef) -> u64 {
    static MADE: Mutex<Option<HashMap<(u64, usize), u64>>> = Mutex::new(None);
    let mut made = MADE.lock();
    let count = made.get_or_insert_default().entry((comm.id(), comm.rank())).or_default();
    *count += 1;
    *count
}

impl Ranks {
    pub(super) fn new(comm: CommRef) -> Self {
        let tag = next_tag(&comm);
        Self { agreement: Agreement::new(comm), tag, open: ReentrantMutex::default() }
    }

    /// The ranks of a dataset that is in no tree.
    pub(super) fn of_none(comm: CommRef) -> Self {
        Self { agreement: Agreement::new(comm), tag: 0, open: ReentrantMutex::default() }
    }

    /// The ranks of a copy of the tree, on the same terms. (Making one is local, so it takes no new number.)
    pub(super) fn of_copy(&self) -> Self {
        Self { agreement: self.agreement.for_copy(), tag: self.tag, open: ReentrantMutex::default() }
    }

    pub(super) fn comm(&self) -> &CommRef {
        self.agreement.comm()
    }

    /// Checks that something is on the communicator of the tree. In words that are the same on all ranks: if all make the mistake, it is their own error.
    pub(super) fn check_comm(&self, comm: &CommRef) -> Result<()> {
        if comm.id() != self.comm().id() {
            bail!(InvalidArgument, "it is on another communicator ({} ranks) than the tree ({} ranks)", comm.size(), self.comm().size());
        }
        Ok(())
    }

    /// Notes a change of the tree, if this thread is within a collective call.
    pub(super) fn note(&self, step: impl FnOnce() -> Step) {
        // Another thread that holds it makes a call of its own, which this change is no part of.
        if let Some(open) = self.open.try_lock()
            && let Ok(mut open) = open.try_borrow_mut()
            && open.depth > 0
        {
            open.steps.push(step());
        }
    }

    /// Notes what was done, for the comparison.
    pub(super) fn trace(&self, what: impl FnOnce() -> String) {
        if self.comm().size() > 1
            && let Some(open) = self.open.try_lock()
            && let Ok(mut open) = open.try_borrow_mut()
            && open.depth > 0
        {
            let what = what();
            open.trace.hasher.write(what.as_bytes());
            open.trace.hasher.write_u8(0xff);
            if open.trace.text.len() < 200 {
                if !open.trace.text.is_empty() {
                    open.trace.text.push_str("; ");
                }
                open.trace.text.push_str(&what);
            }
        }
    }

    /// True if this thread is within a collective call.
    fn is_open(&self) -> bool {
        self.open.try_lock().is_some_and(|open| open.try_borrow().is_ok_and(|open| open.depth > 0))
    }

    /// A call that communicates by itself: every rank prepares, and only if all could do all go on.
    pub(super) fn exchange<P, T>(
        &self,
        call: impl Fn() -> CollectiveCall,
        prepare: impl FnOnce() -> Result<(P, String)>,
        act: impl FnOnce(P) -> Result<T>,
    ) -> Result<T> {
        self.refuse_within()?;
        let (mut prepare, mut prepared) = (Some(prepare), None);
        self.run(&call, &mut || {
            if let Some(prepare) = prepare.take() {
                let (ready, details) = prepare()?;
                self.trace(|| details);
                prepared = Some(ready);
            }
            Ok(())
        })?;
        let (mut act, mut made) = (Some(act), None);
        self.run(&call, &mut || {
            if let (Some(act), Some(ready)) = (act.take(), prepared.take()) {
                made = Some(act(ready)?);
            }
            Ok(())
        })?;
        made.ok_or_else(|| error!(Corrupt, "the ranks agreed on a call that was not made"))
    }

    /// What is selected of an array, on every rank. The ranks compare what they ask for.
    pub(super) fn read(&self, call: impl FnOnce() -> CollectiveCall, array: &DistributedArray, selection: &Selection) -> Result<AnyArray> {
        self.refuse_within()?;
        let call = call().with(format!("{selection:?} of {} {:?} on axis {}", array.dtype(), array.global_shape(), array.axis()));
        let slice = self.agreement.confirm(self.describe(&call, Trace::default()), array.global_slice(selection.clone()))?;
        slice.all_gather()
    }

    /// Fails within a collective call that changes the tree.
    fn refuse_within(&self) -> Result<()> {
        if self.is_open() {
            bail!(InvalidArgument, "a call that moves elements between ranks cannot be part of another collective call");
        }
        Ok(())
    }

    fn run(&self, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let open = self.open.lock();
        let nested = {
            let mut now = open.borrow_mut();
            now.depth += 1;
            if now.depth == 1 {
                now.steps.clear();
                now.trace = Trace::default();
            }
            now.depth > 1
        };
        if nested {
            let _leave = Leave(&open);
            return act();
        }
        let outcome = {
            let _leave = Leave(&open);
            catch_unwind(AssertUnwindSafe(act))
        };
        let (steps, trace) = {
            let mut now = open.borrow_mut();
            (std::mem::take(&mut now.steps), std::mem::take(&mut now.trace))
        };
        let (mine, panic) = match outcome {
            Ok(result) => (result, None),
            Err(panic) => {
                let rank = self.comm().rank();
                (Err(error!(Collective, "rank {rank} panicked: {}", panic_text(&*panic)).on_rank(rank)), Some(panic))
            }
        };
        let agreed = if self.comm().size() == 1 { mine } else { self.agreement.confirm(self.describe(&call(), trace), mine) };
        if agreed.is_ok() {
            // Those that hold what was removed go first, for what is kept looks who else holds it.
            let keep: Vec<_> = steps.into_iter().filter_map(|step| step.keep).collect();
            keep.into_iter().for_each(|keep| keep());
        } else {
            for step in steps.into_iter().rev() {
                drop(step.keep);
                (step.undo)();
            }
        }
        match panic {
            Some(panic) => resume_unwind(panic),
            None => agreed,
        }
    }

    fn describe(&self, call: &CollectiveCall, trace: Trace) -> Call {
        let mut told = Call::new(&call.operation).path(&call.path);
        if !call.details.is_empty() {
            told = told.note(&call.details);
        }
        if !trace.text.is_empty() {
            told = told.note(format_args!("{} [{:016x}]", trace.text, trace.hasher.finish()));
        }
        if self.tag > 1 { told.note(format_args!("in tree {} of the communicator", self.tag)) } else { told }
    }
}

impl Collective for Ranks {
    fn together(&self, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.run(call, act)
    }

    fn reading(&self, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.refuse_within()?;
        // Other threads of this rank wait with what they change.
        let _mine = self.open.lock();
        self.agreement.collective(self.describe(&call(), Trace::default()), |_| act())
    }

    fn fetch(&self, dataset: &dyn Dataset, selection: &Selection) -> Result<AnyArray> {
        let spread = MemDataset::from_dyn(dataset).filter(MemDataset::is_distributed).and_then(|d| d.into_distributed().ok());
        match spread.map(|spread| spread.array()).transpose()? {
            Some(array) if array.comm().size() > 1 && array.comm().id() == self.comm().id() => {
                self.read(|| CollectiveCall::new("read the dataset", dataset.name()), &array, selection)
            }
            _ => dataset.read_selection(selection),
        }
    }

    fn difference(&self, below: &dyn Group) -> Result<Option<Error>> {
        distributed::difference(&self.agreement, below)
    }

    fn communicator(&self) -> Option<u64> {
        (self.comm().size() > 1).then(|| self.comm().id())
    }
}

/// Leaves one level of the call, by whatever way.
struct Leave<'o>(&'o RefCell<Open>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if let Ok(mut open) = self.0.try_borrow_mut() {
            open.depth -= 1;
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without words"))
}
