//! How a promise is checked.

use crate::error::{Error, ErrorKind};
use std::fmt::{self, Debug};
use std::panic::Location;

/// The end of the check of one promise.
pub type Check = Result<(), Broken>;

/// Why a promise was not kept, or not checked.
#[derive(Debug, Clone)]
pub struct Broken {
    what: String,
    skipped: bool,
}

impl Broken {
    /// A promise that was not kept.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), skipped: false }
    }

    /// A promise about something that the backend does not have.
    pub fn skipped(why: impl Into<String>) -> Self {
        Self { what: why.into(), skipped: true }
    }

    /// True if nothing was checked.
    pub fn is_skipped(&self) -> bool {
        self.skipped
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Broken {}

impl From<Error> for Broken {
    #[track_caller]
    fn from(error: Error) -> Self {
        let at = Location::caller();
        Broken::new(format!("{}:{}: {error:?}", at.file(), at.line()))
    }
}

/// Checks a condition.
#[track_caller]
pub(super) fn ensure(kept: bool, what: impl fmt::Display) -> Check {
    let at = Location::caller();
    if kept { Ok(()) } else { Err(Broken::new(format!("{}:{}: {what}", at.file(), at.line()))) }
}

/// Checks that two values are equal.
#[track_caller]
pub(super) fn same<A: PartialEq<B> + Debug, B: Debug>(got: A, wanted: B, what: impl fmt::Display) -> Check {
    let at = Location::caller();
    if got == wanted {
        return Ok(());
    }
    let short = |text: String| if text.chars().count() > 600 { text.chars().take(600).chain("...".chars()).collect() } else { text };
    let (got, wanted) = (short(format!("{got:?}")), short(format!("{wanted:?}")));
    Err(Broken::new(format!("{}:{}: {what}: got {got}, wanted {wanted}", at.file(), at.line())))
}

/// Checks that a call fails, and with what kind of error.
#[track_caller]
pub(super) fn refused<T>(result: Result<T, Error>, kind: ErrorKind, what: impl fmt::Display) -> Check {
    let at = Location::caller();
    match result {
        Err(e) if e.kind() == kind => Ok(()),
        Err(e) => Err(Broken::new(format!("{}:{}: {what}: wanted the error kind {kind:?}, got {e:?}", at.file(), at.line()))),
        Ok(_) => Err(Broken::new(format!("{}:{}: {what}: wanted the error kind {kind:?}, and the call succeeded", at.file(), at.line()))),
    }
}

/// Skips the promise unless the backend has what it is about.
pub(super) fn needs(has: bool, what: &str) -> Check {
    if has { Ok(()) } else { Err(Broken::skipped(format!("the backend has no {what}"))) }
}

/// Collects what is broken in a table of cases, so that all of it is reported at once.
#[derive(Debug, Default)]
pub(super) struct Faults {
    cases: usize,
    broken: Vec<String>,
}

impl Faults {
    /// Adds the end of one case.
    pub(super) fn add(&mut self, case: impl fmt::Display, check: Check) {
        self.cases += 1;
        if let Err(b) = check {
            self.broken.push(format!("[{case}] {b}"));
        }
    }

    /// Adds a case that may fail in any step.
    pub(super) fn case(&mut self, case: impl fmt::Display, check: impl FnOnce() -> Check) {
        self.add(case, check());
    }

    /// The end of the table.
    pub(super) fn finish(self) -> Check {
        if self.cases == 0 {
            return Err(Broken::new("no case was checked"));
        }
        if self.broken.is_empty() {
            return Ok(());
        }
        let more = self.broken.len().saturating_sub(40);
        let mut text = format!("{} of {} cases:", self.broken.len(), self.cases);
        for b in self.broken.iter().take(40) {
            text.push_str("\n            ");
            text.push_str(b);
        }
        if more > 0 {
            text.push_str(&format!("\n            and {more} more"));
        }
        Err(Broken::new(text))
    }
}

/// Makes one public function per promise, and the list of them; the doc comment is the sentence of the report.
macro_rules! promises {
    ($module:literal; $($(#[doc = $doc:literal])+ fn $name:ident($backend:ident) $body:block)*) => {
        $(
            $(#[doc = $doc])+
            ///
            /// # Errors
            /// What is broken.
            pub fn $name($backend: &dyn crate::contract::Backend) -> crate::contract::Check $body
        )*
        pub(super) const PROMISES: &[crate::contract::Promise] = &[$(crate::contract::Promise {
            name: concat!($module, "_", stringify!($name)),
            sentence: concat!($($doc),+).trim_ascii(),
            check: $name,
        }),*];
    };
}
