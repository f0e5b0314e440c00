//! Calls that all ranks of a tree make together.
//!
//! A tree that is shared by ranks ([`MemGroup::distributed`](crate::MemGroup::distributed)) has one structure on all of them. So every call that
//! changes the structure is collective: all ranks make it, in the same order, with the same arguments. What is done is done on each
//! rank for itself; then the ranks compare what they did and whether it succeeded, and either all keep it, or all take it back and get an error.
//!
//! The extension traits put a whole call into [`together`], so that a mistake that is found above the backend counts too. On a tree of one
//! process it costs one question.

use super::dataset::Dataset;
use super::group::{Group, Object};
use crate::array::AnyArray;
use crate::error::{Error, Result, error};
use crate::selection::Selection;

/// What a collective call is, as far as the ranks have to agree on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CollectiveCall {
    /// What is tried, as a verb phrase: "create the dataset".
    pub operation: String,
    /// The path of the object.
    pub path: String,
    /// The arguments: dtype, shape and the like.
    pub details: String,
}

impl CollectiveCall {
    /// A call without arguments worth comparing.
    pub fn new(operation: impl Into<String>, path: impl Into<String>) -> Self {
        Self { operation: operation.into(), path: path.into(), details: String::new() }
    }

    /// Says what the arguments are.
    #[must_use]
    pub fn with(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }
}

/// The ranks that share a tree. Implemented by backends whose trees are shared by ranks.
pub trait Collective: Send + Sync {
    /// Does something on this rank, compares with the other ranks what it was and how it went, and takes it back unless it went well on all. Within
    /// such a call it just does it: the outer call is the one that is compared.
    ///
    /// # Errors
    /// What went wrong, if the same kind of error happened on all ranks; else `Collective`, the same on all ranks, with the first cause and
    /// its rank.
    fn together(&self, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()>;

    /// Does something on all ranks that changes nothing, and reads elements of other ranks on the way, by [`fetch`](Self::fetch): a rank that fails, or
    /// reads something else, is the failure of all.
    ///
    /// # Errors
    /// As [`together`](Self::together); `InvalidArgument` within a call that changes the tree.
    fn reading(&self, call: &dyn Fn() -> CollectiveCall, act: &mut dyn FnMut() -> Result<()>) -> Result<()>;

    /// Reads the selected elements, of this tree or another one: if they lie on several of these ranks, all ranks get all of them; else as
    /// [`read_selection`](Dataset::read_selection) does.
    ///
    /// # Errors
    /// As [`reading`](Self::reading); what the dataset says.
    fn fetch(&self, dataset: &dyn Dataset, selection: &Selection) -> Result<AnyArray>;

    /// Compares what every rank has for itself of what is below a group: names, links, attributes, common datasets. The error that tells what
    /// differs, the same on all ranks; `None` if nothing does.
    ///
    /// # Errors
    /// `Collective` if a rank cannot read its own.
    fn difference(&self, below: &dyn Group) -> Result<Option<Error>>;

    /// A number that only trees of the same ranks have; `None` if there is one rank alone.
    fn communicator(&self) -> Option<u64>;
}

/// Does something to a tree: on all ranks together, if ranks share it.
///
/// # Errors
/// What the function returns, or `Collective`.
#[inline]
pub(crate) fn together<O: Object + ?Sized, T>(object: &O, call: impl Fn() -> CollectiveCall, act: impl FnOnce() -> Result<T>) -> Result<T> {
    match object.collective() {
        None => act(),
        Some(ranks) => among(ranks, call, act),
    }
}

/// [`together`], for ranks that are known.
#[cold]
pub(crate) fn among<T>(ranks: &dyn Collective, call: impl Fn() -> CollectiveCall, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let (mut act, mut made) = (Some(act), None);
    ranks.together(&call, &mut || {
        if let Some(act) = act.take() {
            made = Some(act()?);
        }
        Ok(())
    })?;
    made.ok_or_else(|| error!(Corrupt, "the ranks agreed on a call that was not made"))
}

/// The ranks that share the tree of an object, if there are several.
pub(crate) fn several<O: Object + ?Sized>(object: &O) -> Option<&dyn Collective> {
    object.collective().filter(|ranks| ranks.communicator().is_some())
}

/// Does something that reads elements of all ranks: on all of them together, if several share the tree.
pub(crate) fn reading<T>(ranks: Option<&dyn Collective>, call: impl Fn() -> CollectiveCall, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let Some(ranks) = ranks else { return act() };
    let (mut act, mut made) = (Some(act), None);
    ranks.reading(&call, &mut || {
        if let Some(act) = act.take() {
            made = Some(act()?);
        }
        Ok(())
    })?;
    made.ok_or_else(|| error!(Corrupt, "the ranks agreed on a call that was not made"))
}

/// Fails on all ranks if they came to different results.
pub(crate) fn same_result(ranks: &dyn Collective, call: CollectiveCall) -> Result<()> {
    ranks.together(&|| call.clone(), &mut || Ok(()))
}
