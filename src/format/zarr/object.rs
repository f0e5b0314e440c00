//! What groups and datasets have in common.

use super::group::ZarrGroup;
use super::node::Node;
use super::tree::Tree;
use crate::error::{Result, error};
use crate::tree::{GroupRef, ObjectId, ObjectRef};
use std::sync::Arc;

/// An object of an open store.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) tree: Arc<Tree>,
    pub(super) node: Arc<Node>,
}

impl Handle {
    pub(super) fn name(&self) -> String {
        self.node.place().path.unwrap_or_default()
    }

    /// The path of a child, if the group has one.
    pub(super) fn child_path(&self, name: &str) -> Option<String> {
        self.node.place().path.map(|path| format!("{}/{name}", path.trim_end_matches('/')))
    }

    pub(super) fn object_id(&self) -> Result<ObjectId> {
        self.tree.reading(|| Ok(ObjectId { tree: self.tree.id(), object: self.node.id }))
    }

    pub(super) fn root(&self) -> Result<GroupRef> {
        self.tree.reading(|| Ok(Arc::new(ZarrGroup::new(Handle { tree: self.tree.clone(), node: self.tree.root()? })) as GroupRef))
    }

    pub(super) fn reference(&self) -> Result<ObjectRef> {
        self.tree.reading(|| Err(error!(Unsupported, "Zarr has no references")))
    }
}

/// Implements what all objects have by their handle.
macro_rules! object {
    ($type:ty) => {
        impl $crate::tree::Attributes for $type {
            fn attr_names(&self) -> $crate::Result<Vec<String>> {
                $crate::format::zarr::attributes::names(&self.handle)
            }
            fn attr_read(&self, name: &str) -> $crate::Result<Option<$crate::AnyArray>> {
                $crate::format::zarr::attributes::read(&self.handle, name)
            }
            fn attr_write(&self, name: &str, value: &$crate::AnyArray) -> $crate::Result<()> {
                $crate::format::zarr::attributes::write(&self.handle, name, value)
            }
            fn attr_delete(&self, name: &str) -> $crate::Result<bool> {
                $crate::format::zarr::attributes::delete(&self.handle, name)
            }
            fn attr_owner(&self) -> String {
                self.handle.name()
            }
            fn attr_count(&self) -> $crate::Result<usize> {
                $crate::format::zarr::attributes::count(&self.handle)
            }
            fn attr_exists(&self, name: &str) -> $crate::Result<bool> {
                $crate::format::zarr::attributes::exists(&self.handle, name)
            }
        }

        impl $crate::tree::Object for $type {
            fn name(&self) -> String {
                self.handle.name()
            }
            fn id(&self) -> $crate::Result<$crate::tree::ObjectId> {
                self.handle.object_id()
            }
            fn attrs(&self) -> &dyn $crate::tree::Attributes {
                self
            }
            fn root(&self) -> $crate::Result<$crate::tree::GroupRef> {
                self.handle.root()
            }
            fn location(&self) -> $crate::tree::Location {
                self.handle.tree.location()
            }
            fn reference(&self) -> $crate::Result<$crate::tree::ObjectRef> {
                self.handle.reference()
            }
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
        }
    };
}
pub(super) use object;
