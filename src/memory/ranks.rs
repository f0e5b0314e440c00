//! What a tree that ranks share has more than others: the communicator, and what makes a call collective.
//!
//! While a collective call is open, everything that changes the tree leaves a step behind that takes it back. At the end the ranks tell each
//! other what they did and how it went. If all did the same and all succeeded, the steps are forgotten; else they are undone, last
//! first, and every rank has the tree that it had before.

use crate::distributed::CommRef;
use crate::error::{Error, Result, bail, error};
use crate::tree::{Collective, CollectiveCall};
use parking_lot::{Mutex, ReentrantMutex};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// How the collective calls of a tree are guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectiveOptions {
    /// Compare every call over the ranks, and carry each rank's success. True when not given. Without it a call that only changes the structure
    /// does not communicate at all: a mistake of one rank stays with it, and the trees of the ranks can differ from then on. Calls that move
    /// elements between ranks are compared in any case.
    pub check: bool,
    /// How long to wait for the other ranks before a call fails. Without limit when not given, since it is legal for ranks to be late.
    pub deadline: Option<Duration>,
}

impl Default for CollectiveOptions {
    fn default() -> Self {
        Self { check: true, deadline: None }
    }
}

impl CollectiveOptions {
    /// Every call is compared; nobody waits for less than ever.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares calls over the ranks, or not.
    #[must_use]
    pub fn check(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// How long to wait for the other ranks.
    #[must_use]
    pub fn deadline(mut self, deadline: Option<Duration>) -> Self {
        self.deadline = deadline;
        self
    }
}

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
    pub(super) comm: CommRef,
    /// Which tree of the communicator it is; the same number on all ranks. A copy has that of its original.
    tag: u64,
    options: Mutex<CollectiveOptions>,
    /// Held by the thread that makes a collective call.
    open: ReentrantMutex<RefCell<Open>>,
}

/// The collective call that is being made.
#[derive(Default)]
struct Open {
    depth: usize,
    /// How many calls were made.
    number: u64,
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
        write!(f, "Ranks(rank {} of {})", self.comm.rank(), self.comm.size())
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
    pub(super) fn new(comm: CommRef, options: CollectiveOptions) -> Self {
        let tag = next_tag(&comm);
        Self { comm, tag, options: Mutex::new(options), open: ReentrantMutex::default() }
    }

    /// The ranks of a copy of the tree. (Making one is local, so it takes no new number.)
    pub(super) fn of_copy(&self) -> Self {
        Self { comm: self.comm.clone(), tag: self.tag, options: Mutex::new(self.options()), open: ReentrantMutex::default() }
    }

    pub(super) fn options(&self) -> CollectiveOptions {
        *self.options.lock()
    }

    pub(super) fn set_options(&self, options: CollectiveOptions) {
        *self.options.lock() = options;
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
        if self.comm.size() > 1
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
        if self.is_open() {
            bail!(InvalidArgument, "a call that moves elements between ranks cannot be part of another collective call");
        }
        let (mut prepare, mut prepared) = (Some(prepare), None);
        self.run(true, &call, &mut || {
            if let Some(prepare) = prepare.take() {
                let (ready, details) = prepare()?;
                self.trace(|| details);
                prepared = Some(ready);
            }
            Ok(())
        })?;
        let (mut act, mut made) = (Some(act), None);
        self.run(true, &call, &mut || {
            if let (Some(act), Some(ready)) = (act.take(), prepared.take()) {
                made = Some(act(ready)?);
            }
            Ok(())
        })?;
        made.ok_or_else(|| error!(Corrupt, "the ranks agreed on a call that was not made"))
    }

    fn run(&self, always: bool, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let open = self.open.lock();
        let (nested, number) = {
            let mut now = open.borrow_mut();
            now.depth += 1;
            if now.depth == 1 {
                now.number += 1;
                now.steps.clear();
                now.trace = Trace::default();
            }
            (now.depth > 1, now.number)
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
        let mine = match &outcome {
            Ok(result) => result.as_ref().map(|()| ()).map_err(|e| Failure { kind: e.kind().as_str(), text: e.to_string() }),
            Err(panic) => Err(Failure { kind: "panic", text: panic_text(&**panic) }),
        };
        let agreed = self.agree(always, number, call, trace, mine);
        let kept = agreed.is_ok() && matches!(outcome, Ok(Ok(())));
        if kept {
            // Those that hold what was removed go first, for what is kept looks who else holds it.
            let keep: Vec<_> = steps.into_iter().filter_map(|step| step.keep).collect();
            keep.into_iter().for_each(|keep| keep());
        } else {
            for step in steps.into_iter().rev() {
                drop(step.keep);
                (step.undo)();
            }
        }
        match outcome {
            Err(panic) => resume_unwind(panic),
            Ok(Ok(())) => agreed,
            // The error that all ranks met in the same way, or the one that they agreed on.
            Ok(Err(mine)) => Err(agreed.err().unwrap_or(mine)),
        }
    }

    /// Tells the other ranks what was done here and how it went. `Ok` if all did the same, and all failed in the same way or none did.
    fn agree(
        &self,
        always: bool,
        number: u64,
        call: &dyn Fn() -> CollectiveCall,
        trace: Trace,
        mine: Result<(), Failure>,
    ) -> Result<()> {
        if let Some(poison) = self.comm.poisoned() {
            return Err(poison);
        }
        let options = self.options();
        if self.comm.size() == 1 || !(options.check || always) {
            return Ok(());
        }
        let call = call();
        let here = || (call.path.clone(), call.operation.clone());
        if options.deadline.is_some() {
            self.comm.rendezvous(options.deadline).map_err(|e| e.at(here().0).during(here().1))?;
        }
        let report = Report {
            tree: self.tag,
            number,
            operation: call.operation.clone(),
            path: call.path.clone(),
            details: if trace.text.is_empty() { call.details.clone() } else { format!("{} {}", call.details, trace.text) },
            trace: trace.hasher.finish(),
            failure: mine.err().map(|f| (f.kind.to_owned(), f.text)),
        };
        let all = self.comm.all_gather(&report.encode()).map_err(|e| e.at(here().0).during(here().1))?;
        judge(&all.iter().map(|bytes| Report::decode(bytes)).collect::<Vec<_>>())
    }
}

impl Collective for Ranks {
    fn together(&self, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.run(false, call, act)
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

struct Failure {
    kind: &'static str,
    text: String,
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("it panicked: {}", text.unwrap_or("without words"))
}

/// What a rank tells the others about its call.
#[derive(Debug, PartialEq)]
struct Report {
    tree: u64,
    number: u64,
    operation: String,
    path: String,
    details: String,
    trace: u64,
    /// The kind and the words.
    failure: Option<(String, String)>,
}

const MAGIC: &[u8] = b"memh5 call 1\n";

impl Report {
    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        for number in [self.tree, self.number, self.trace, u64::from(self.failure.is_some())] {
            out.extend(number.to_le_bytes());
        }
        let (kind, text) = self.failure.as_ref().map_or(("", ""), |(k, t)| (k.as_str(), t.as_str()));
        for part in [&self.operation, &self.path, &self.details, kind, text] {
            out.extend((part.len() as u64).to_le_bytes());
            out.extend(part.as_bytes());
        }
        out
    }

    /// `None` if it is no report: the rank did something else with the communicator.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let mut number = || -> Option<u64> {
            let (first, more) = rest.split_first_chunk::<8>()?;
            rest = more;
            Some(u64::from_le_bytes(*first))
        };
        let (tree, call, trace, failed) = (number()?, number()?, number()?, number()?);
        let mut text = || -> Option<String> {
            let (length, more) = rest.split_first_chunk::<8>()?;
            let (text, more) = more.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            rest = more;
            String::from_utf8(text.to_vec()).ok()
        };
        let (operation, path, details) = (text()?, text()?, text()?);
        let failure = (text()?, text()?);
        Some(Self { tree, number: call, operation, path, details, trace, failure: (failed == 1).then_some(failure) })
    }

    /// True if both are of one call.
    fn is_of_call(&self, other: &Self) -> bool {
        (self.tree, self.number, &self.operation, &self.path) == (other.tree, other.number, &other.operation, &other.path)
    }

    fn describe(&self) -> String {
        let Self { operation, path, number, tree, .. } = self;
        format!("{operation} '{path}' (call {number} on tree {tree})")
    }
}

/// What the reports of all ranks amount to. `Ok` also if all failed in the same way: then each has its error already.
fn judge(reports: &[Option<Report>]) -> Result<()> {
    const REMEDY: &str = "all ranks make the collective calls of a tree in the same order with the same arguments";
    let Some(Some(first)) = reports.first() else {
        return Err(error!(Collective, "rank 0 did something else with the communicator in the middle of a call on the tree")
            .on_rank(0)
            .remedy(REMEDY));
    };
    for (rank, report) in reports.iter().enumerate() {
        let Some(report) = report else {
            return Err(error!(Collective, "rank {rank} did something else with the communicator, while rank 0 is to {}", first.describe())
                .on_rank(rank)
                .at(&first.path)
                .during(&first.operation)
                .remedy(REMEDY));
        };
        if !report.is_of_call(first) {
            return Err(error!(Collective, "the ranks make different calls: rank 0 is to {}, rank {rank} to {}", first.describe(), report.describe())
                .on_rank(rank)
                .at(&report.path)
                .during(&report.operation)
                .remedy(REMEDY));
        }
    }
    let reports: Vec<&Report> = reports.iter().flatten().collect();
    let failed = |rank: usize, kind: &str, text: &str| -> Error {
        error!(Collective, "rank {rank} failed ({kind}): {text}").on_rank(rank).at(&first.path).during(&first.operation)
    };
    let kinds: Vec<Option<&str>> = reports.iter().map(|r| r.failure.as_ref().map(|(kind, _)| kind.as_str())).collect();
    if let Some((rank, (kind, text))) = reports.iter().enumerate().find_map(|(rank, r)| Some((rank, r.failure.as_ref()?))) {
        if kind != "panic" && kinds.iter().all(|k| *k == Some(kind)) {
            return Ok(());
        }
        return Err(failed(rank, kind, text));
    }
    for (rank, report) in reports.iter().enumerate() {
        if report.trace != first.trace || report.details != first.details {
            let both = format!("rank 0 has [{}], rank {rank} has [{}]", first.details.trim(), report.details.trim());
            return Err(error!(Collective, "the arguments of the ranks differ: {both}")
                .on_rank(rank)
                .at(&first.path)
                .during(&first.operation)
                .remedy(REMEDY));
        }
    }
    Ok(())
}
