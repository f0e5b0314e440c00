//! The contract of the waist: one function per promise, run against a backend.
//!
//! The promise of memh5 is that the same call gives the same result and the same kind of error on every backend. This suite is that
//! promise as a program. It is public (feature `contract`), so that a backend written elsewhere can be held to it:
//!
//! ```
//! use memh5::{MemGroup, contract};
//! let memory = contract::Fresh::new("memory", || Ok(MemGroup::new().to_ref()));
//! # use memh5::prelude::*;
//! let report = contract::run(&memory, |promise| promise.name.starts_with("names_"));
//! assert!(report.is_kept(), "{report}");
//! ```

#[macro_use]
mod check;
pub mod attributes;
pub mod datasets;
pub mod dtypes;
pub mod groups;
pub mod handles;
pub mod links;
pub mod mistakes;
pub mod names;
pub mod references;
mod sample;
pub mod selections;
pub mod shapes;
pub mod stored;

pub use check::{Broken, Check};
pub use sample::{Random, Targets, dtypes, random_selection, sample};

use crate::error::{Result, error};
use crate::tree::{GroupRef, Mode};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What a backend can hold. A promise about something that it cannot is skipped, and the report says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// A tree can be closed and opened again.
    pub persistent: bool,
    /// After `close_tree` every handle refuses work. (In memory nothing happens.)
    pub closes: bool,
    /// A tree can be opened for reading only.
    pub read_only: bool,
    /// Several names of one object, and cycles.
    pub hard_links: bool,
    /// Soft links.
    pub soft_links: bool,
    /// Links into other files.
    pub external_links: bool,
    /// Object and region references.
    pub references: bool,
    /// Groups and datasets that keep the order in which names were made.
    pub track_order: bool,
    /// Filters are applied (or their specs kept). Those that the backend [lacks](crate::tree::Group::lacks) are refused.
    pub filters: bool,
    /// Threads may make objects at once. (Ranks that share a tree make such calls in one order.)
    pub threads_make: bool,
    /// Types with a name.
    pub committed_types: bool,
    /// Datasets with a type and no elements. (Null attributes every backend has.)
    pub null_datasets: bool,
    /// Names of more than 255 bytes.
    pub long_names: bool,
}

impl Capabilities {
    /// Everything.
    pub const ALL: Capabilities = Capabilities {
        persistent: true,
        closes: true,
        read_only: true,
        hard_links: true,
        soft_links: true,
        external_links: true,
        references: true,
        track_order: true,
        filters: true,
        threads_make: true,
        committed_types: true,
        null_datasets: true,
        long_names: true,
    };

    /// Everything but what needs a file.
    pub const MEMORY: Capabilities = Capabilities { persistent: false, closes: false, read_only: false, ..Capabilities::ALL };
}

/// A backend under test.
pub trait Backend {
    /// Its name, for the report.
    fn name(&self) -> String;

    /// A new, empty, writable tree.
    ///
    /// # Errors
    /// What the backend says.
    fn fresh(&self) -> Result<GroupRef>;

    /// Closes the tree and opens what was stored, with [`Mode::Read`] or [`Mode::ReadWrite`].
    ///
    /// # Errors
    /// `Unsupported` unless the backend is persistent; else what the backend says.
    fn reopen(&self, _root: GroupRef, _mode: Mode) -> Result<GroupRef> {
        Err(error!(Unsupported, "a tree of the backend '{}' cannot be opened again", self.name()))
    }

    /// What it can hold.
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEMORY
    }
}

/// A backend made of a name and a function that gives a new, empty tree.
pub struct Fresh<F> {
    name: String,
    make: F,
}

impl<F: Fn() -> Result<GroupRef>> Fresh<F> {
    /// A backend that is not persistent.
    pub fn new(name: impl Into<String>, make: F) -> Self {
        Self { name: name.into(), make }
    }
}

impl<F> fmt::Debug for Fresh<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Fn() -> Result<GroupRef>> Backend for Fresh<F> {
    fn name(&self) -> String {
        self.name.clone()
    }
    fn fresh(&self) -> Result<GroupRef> {
        (self.make)()
    }
}

/// One promise of the waist.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Promise {
    /// Its name: the module and the function.
    pub name: &'static str,
    /// What is promised, in a sentence.
    pub sentence: &'static str,
    /// Checks it.
    pub check: fn(&dyn Backend) -> Check,
}

/// All promises.
pub fn promises() -> impl Iterator<Item = &'static Promise> {
    [
        names::PROMISES,
        groups::PROMISES,
        links::PROMISES,
        references::PROMISES,
        dtypes::PROMISES,
        shapes::PROMISES,
        datasets::PROMISES,
        selections::PROMISES,
        attributes::PROMISES,
        handles::PROMISES,
        mistakes::PROMISES,
        stored::PROMISES,
    ]
    .into_iter()
    .flatten()
}

/// How one promise fared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// The promise.
    pub promise: &'static Promise,
    /// How it ended.
    pub check: Check,
    /// How long it took.
    pub time: Duration,
}

/// How a backend fared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The backend.
    pub backend: String,
    /// One for each promise.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// True if no promise was broken, and at least one was checked.
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none() && self.outcomes.iter().any(|o| o.check.is_ok())
    }

    /// The promises that were broken.
    pub fn broken(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|o| matches!(&o.check, Err(b) if !b.is_skipped()))
    }

    /// How many promises were skipped, since the backend has nothing they are about.
    pub fn skipped(&self) -> usize {
        self.outcomes.iter().filter(|o| matches!(&o.check, Err(b) if b.is_skipped())).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the contract on {}", self.backend)?;
        for o in &self.outcomes {
            let ms = o.time.as_millis();
            match &o.check {
                Ok(()) => writeln!(f, "  kept    {} ({ms} ms): {}", o.promise.name, o.promise.sentence)?,
                Err(b) if b.is_skipped() => writeln!(f, "  skipped {}: {b}", o.promise.name)?,
                Err(b) => writeln!(f, "  BROKEN  {}: {}\n          {b}", o.promise.name, o.promise.sentence)?,
            }
        }
        let (all, broken, skipped) = (self.outcomes.len(), self.broken().count(), self.skipped());
        write!(f, "{} of {all} promises kept, {broken} broken, {skipped} skipped", all - broken - skipped)
    }
}

/// Checks all promises.
pub fn run_all(backend: &dyn Backend) -> Report {
    run(backend, |_| true)
}

/// Checks the promises that the function chooses.
pub fn run(backend: &dyn Backend, choose: impl Fn(&Promise) -> bool) -> Report {
    let outcomes = promises()
        .filter(|p| choose(p))
        .map(|promise| {
            let start = Instant::now();
            let check = catch_unwind(AssertUnwindSafe(|| (promise.check)(backend))).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                Err(Broken::new(format!("it panicked: {}", text.unwrap_or_default())))
            });
            Outcome { promise, check, time: start.elapsed() }
        })
        .collect();
    Report { backend: backend.name(), outcomes }
}
