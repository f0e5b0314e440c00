//! References in memory: they hold the object itself, weakly, so they survive renames and moves and never keep anything alive.

use super::tree::{Handle, WeakHandle};
use crate::array::AnyArray;
use crate::error::{Result, bail, error};
use crate::tree::{Node, ObjectId, ObjectRef, ReferenceTarget};
use std::any::Any;
use std::sync::Arc;

#[derive(Debug)]
struct MemReference(WeakHandle);

impl ReferenceTarget for MemReference {
    fn open(&self) -> Result<Node> {
        match self.0.upgrade() {
            Some(handle) => Ok(handle.into_node()),
            None => Err(error!(NotFound, "the object that the reference points to was deleted")),
        }
    }

    fn id(&self) -> ObjectId {
        self.0.id
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A reference to an object.
pub(super) fn to(handle: &Handle) -> ObjectRef {
    ObjectRef::new(Arc::new(MemReference(WeakHandle::of(handle))))
}

/// Checks that all references in an array are of the tree that is to hold it.
pub(super) fn check(handle: &Handle, array: &AnyArray) -> Result<()> {
    let tree = handle.tree.id;
    array.for_each_reference(&mut |reference| match reference.id() {
        Some(id) if id.tree != tree => bail!(InvalidArgument, "a reference can only point to an object of its own tree"),
        _ => Ok(()),
    })
}
