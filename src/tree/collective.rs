//! Calls that all ranks of a tree make together.
//!
//! A tree that is shared by ranks ([`MemGroup::distributed`](crate::MemGroup::distributed)) has one structure on all of them. So every call that
//! changes the structure is collective: all ranks make it, in the same order, with the same arguments. What is done is done on each
//! rank for itself; then the ranks compare what they did and whether it succeeded, and either all keep it, or all take it back and get an error.
//!
//! The extension traits put a whole call into [`together`], so that a mistake that is found above the backend counts too. On a tree of one
//! process it costs one question.

use super::group::Object;
use crate::error::{Result, error};

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
