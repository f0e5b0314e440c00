//! Comparing two trees: what differs, at which path and index.
//!
//! The content is compared, as [`dump`](super::dump()) has it: byte order, character sets, padding, chunks and filters are no content. Without
//! tolerances, two trees are equal exactly if their dumps are.

mod leaf;
mod walk;

use super::group::Group;
use crate::error::Result;
use std::fmt;

/// How two trees are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DiffOptions {
    /// Two numbers are equal if `|a - b| <= atol + rtol * |b|`, as numpy's `isclose` has it; NaN equals NaN.
    pub rtol: f64,
    /// See [`rtol`](Self::rtol). If both are 0, numbers are compared by their bits.
    pub atol: f64,
    /// How many differences are described; all of them are counted.
    pub max: usize,
    /// Compare the attributes too.
    pub attrs: bool,
    /// Compare `maxshape`, chunks and filters too.
    pub layout: bool,
}

impl Default for DiffOptions {
    fn default() -> Self {
        Self { rtol: 0.0, atol: 0.0, max: 10, attrs: true, layout: false }
    }
}

impl DiffOptions {
    /// The relative and the absolute tolerance for numbers.
    #[must_use]
    pub fn tolerance(mut self, rtol: f64, atol: f64) -> Self {
        (self.rtol, self.atol) = (rtol, atol);
        self
    }

    /// How many differences are described.
    #[must_use]
    pub fn max(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    /// Compare the attributes too.
    #[must_use]
    pub fn attrs(mut self, attrs: bool) -> Self {
        self.attrs = attrs;
        self
    }

    /// Compare `maxshape`, chunks and filters too.
    #[must_use]
    pub fn layout(mut self, layout: bool) -> Self {
        self.layout = layout;
        self
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The path of the object.
    pub path: String,
    /// The attribute, if it is about one.
    pub attribute: Option<String>,
    /// The index of the element and the field in it, if it is about one: `[3, 4].x`.
    pub index: Option<String>,
    /// What it is about: "dtype", "shape", "value", "kind", "target", "maxshape", "chunks", "filters"; "only in a", "only in b".
    pub what: &'static str,
    /// What the first tree has.
    pub a: String,
    /// What the second tree has.
    pub b: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(attribute) = &self.attribute {
            write!(f, " @{attribute}")?;
        }
        if let Some(index) = &self.index {
            write!(f, " {index}")?;
        }
        match self.what {
            "only in a" => write!(f, ": only in the first, a {}", self.a),
            "only in b" => write!(f, ": only in the second, a {}", self.b),
            "value" => write!(f, ": {} != {}", self.a, self.b),
            what => write!(f, ": {what} {} != {}", self.a, self.b),
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiffReport {
    /// The first differences, in the order of the walk: depth first, names by code point.
    pub differences: Vec<Difference>,
    /// How many differences there are in all; each differing element of an array is one.
    pub count: u64,
    /// How many objects were compared.
    pub objects: u64,
}

impl DiffReport {
    /// True if nothing differs.
    pub fn is_equal(&self) -> bool {
        self.count == 0
    }
}

/// Compares two trees, or parts of trees: everything below both groups, by paths relative to them.
///
/// ```
/// use memh5::{MemGroup, prelude::*, tree::{DiffOptions, diff}};
/// let (a, b) = (MemGroup::new(), MemGroup::new());
/// a.create_dataset("night/vis").write(vec![1.0, 2.0, 3.0])?;
/// b.create_dataset("night/vis").write(vec![1.0, 2.5, 3.0])?;
/// let report = diff(&a, &b, &DiffOptions::default())?;
/// assert_eq!(report.differences[0].to_string(), "/night/vis [1]: 2.0 != 2.5");
/// assert!(diff(&a, &b, &DiffOptions::default().tolerance(0.0, 0.6))?.is_equal());
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// `Corrupt` or `Io` if something cannot be read.
pub fn diff(a: &dyn Group, b: &dyn Group, options: &DiffOptions) -> Result<DiffReport> {
    diff_with(a, b, options, &mut |_| Ok(()))
}

/// [`diff`], with a function that is called for every pair of blocks of elements that was read, with the bytes of both, and for every
/// object, with 0.
///
/// # Errors
/// As [`diff`], and what the function returns.
pub fn diff_with(a: &dyn Group, b: &dyn Group, options: &DiffOptions, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<DiffReport> {
    walk::Walk::new(a, b, options, progress).run()
}
