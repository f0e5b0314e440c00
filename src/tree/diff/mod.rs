//! Comparing two trees: what differs, at which path and index.
//!
//! The content is compared, as [`dump`](super::dump()) has it: byte order, character sets, padding, chunks and filters are no content. Without
//! tolerances, two trees are equal exactly if their dumps are.

mod leaf;
mod walk;

use super::collective::{Collective, CollectiveCall, reading, same_result, several};
use super::group::Group;
use crate::error::{Result, error};
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
/// # Collective
/// All ranks call it, if they share one of the trees, and all get the same report: that of the whole datasets, however they are distributed. The other
/// tree can be shared by the same ranks, or be a file or a tree that each rank has for itself.
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
/// `Corrupt` or `Io` if something cannot be read. `Collective` if ranks share a tree, and it fails on one, or attributes or common datasets differ
/// between them; `InvalidArgument` if the trees are shared by different ranks.
pub fn diff(a: &dyn Group, b: &dyn Group, options: &DiffOptions) -> Result<DiffReport> {
    diff_with(a, b, options, &mut |_| Ok(()))
}

/// [`diff`], with a function that is called for every pair of blocks of elements that was read, with the bytes of both, and for every
/// object, with 0.
///
/// # Collective
/// As [`diff`].
///
/// # Errors
/// As [`diff`], and what the function returns.
pub fn diff_with(a: &dyn Group, b: &dyn Group, options: &DiffOptions, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<DiffReport> {
    let ranks = several(a).or(several(b));
    let call = || CollectiveCall::new("compare the trees", a.name()).with(format!("and '{}', {options:?}", b.name()));
    reading(ranks, call, || match ranks {
        None => diff_here(a, b, options, progress),
        Some(ranks) => diff_together(ranks, a, b, options, progress),
    })
}

/// The comparison on one of the ranks that share one or both trees.
fn diff_together(
    ranks: &dyn Collective,
    a: &dyn Group,
    b: &dyn Group,
    options: &DiffOptions,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<DiffReport> {
    if let (Some(one), Some(two)) = (several(a), several(b))
        && one.communicator() != two.communicator()
    {
        return Err(error!(InvalidArgument, "the trees are shared by different ranks")
            .remedy("make their datasets common, and compare on the ranks that share both"));
    }
    for tree in [a, b].into_iter().filter(|tree| several(*tree).is_some()) {
        if let Some(different) = ranks.difference(tree)? {
            return Err(different);
        }
    }
    let report = walk::Walk::new(a, b, options, progress, Some(ranks)).run()?;
    // What each rank has for itself, a file say, can be another one.
    let first = report.differences.first().map_or(String::new(), |d| format!(", the first {d}"));
    let told = format!("{} differences in {} objects{first}", report.count, report.objects);
    same_result(ranks, CollectiveCall::new("end the comparison", a.name()).with(told))?;
    Ok(report)
}

/// The comparison as this process sees both trees. Local.
pub(crate) fn diff_here(
    a: &dyn Group,
    b: &dyn Group,
    options: &DiffOptions,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<DiffReport> {
    walk::Walk::new(a, b, options, progress, None).run()
}
