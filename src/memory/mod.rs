//! The tree in memory: groups, datasets, attributes and links without any file.
//!
//! Everything that a user holds ([`MemGroup`], [`MemDataset`], [`MemAttrs`]) is a handle: cheap to clone, `Send + Sync`, never stale. A handle
//! keeps the whole tree alive, follows its object through renames, and still reads it after it was deleted.
//!
//! Every object has locks of its own, so who works on one object never waits for work on another. Reading a whole dataset gives a
//! snapshot without a copy; writing copies only what somebody still holds a snapshot of.

mod attrs;
mod collect;
mod common;
mod content;
mod convert;
mod copy;
mod dataset;
mod datatype;
mod distributed;
mod distributed_builder;
mod group;
mod links;
mod name;
mod node;
mod ranks;
mod reference;
mod spread;
mod table;
#[cfg(test)]
mod tests;
mod tree;

pub use attrs::MemAttrs;
pub use common::MemDatasetCommon;
pub use dataset::MemDataset;
pub use datatype::MemDatatype;
pub use distributed::MemDatasetDistributed;
pub use distributed_builder::DistributedBuilder;
pub use group::MemGroup;

use crate::tree::Node;
use std::sync::Arc;
use tree::Handle;

/// What every object of this backend is to the tree's traits: its attributes, and who it is.
macro_rules! impl_object {
    ($type:ty) => {
        impl $crate::tree::Attributes for $type {
            fn attr_names(&self) -> $crate::Result<Vec<String>> {
                Ok(self.0.attr_names())
            }
            fn attr_read(&self, name: &str) -> $crate::Result<Option<$crate::AnyArray>> {
                Ok(self.0.attr_read(name))
            }
            fn attr_write(&self, name: &str, value: &$crate::AnyArray) -> $crate::Result<()> {
                self.0.attr_write(name, value)
            }
            fn attr_delete(&self, name: &str) -> $crate::Result<bool> {
                Ok(self.0.attr_delete(name))
            }
            fn attr_owner(&self) -> String {
                self.0.name()
            }
            fn attr_count(&self) -> $crate::Result<usize> {
                Ok(self.0.attr_count())
            }
            fn attr_exists(&self, name: &str) -> $crate::Result<bool> {
                Ok(self.0.attr_exists(name))
            }
        }

        impl $crate::tree::Object for $type {
            fn name(&self) -> String {
                self.0.name()
            }
            fn id(&self) -> $crate::Result<$crate::tree::ObjectId> {
                Ok(self.0.id())
            }
            fn attrs(&self) -> &dyn $crate::tree::Attributes {
                self
            }
            fn root(&self) -> $crate::Result<$crate::tree::GroupRef> {
                Ok(std::sync::Arc::new($crate::memory::MemGroup(self.0.root())))
            }
            fn location(&self) -> $crate::tree::Location {
                $crate::memory::tree::Handle::location()
            }
            fn reference(&self) -> $crate::Result<$crate::tree::ObjectRef> {
                Ok($crate::memory::reference::to(&self.0))
            }
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
            fn collective(&self) -> Option<&dyn $crate::tree::Collective> {
                self.0.tree.ranks.as_deref().map(|ranks| ranks as &dyn $crate::tree::Collective)
            }
        }

        impl $type {
            /// The attributes, as a handle of their own.
            pub fn mem_attrs(&self) -> $crate::memory::MemAttrs {
                $crate::memory::MemAttrs(self.0.clone())
            }
        }

        impl PartialEq for $type {
            /// Equal if both are handles of one object of one tree, by whatever name it was reached.
            fn eq(&self, other: &Self) -> bool {
                self.0.is(&other.0)
            }
        }

        impl Eq for $type {}

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.0.id().hash(state);
            }
        }
    };
}
use impl_object;

impl Handle {
    /// The object as the tree's traits know it.
    fn into_node(self) -> Node {
        match self.link.tag {
            node::Tag::Group => Node::Group(Arc::new(MemGroup(self))),
            node::Tag::Dataset => match MemDataset::of(self) {
                MemDataset::Common(dataset) => Node::Dataset(Arc::new(dataset)),
                MemDataset::Distributed(dataset) => Node::Dataset(Arc::new(dataset)),
            },
            node::Tag::Datatype | node::Tag::Elsewhere => Node::Datatype(Arc::new(MemDatatype(self))),
        }
    }

    /// The handle behind an object, if it is one of this backend.
    fn behind(node: &Node) -> Option<&Handle> {
        let any = node.object().as_any();
        any.downcast_ref::<MemGroup>()
            .map(|g| &g.0)
            .or_else(|| any.downcast_ref::<MemDatasetCommon>().map(|d| &d.0))
            .or_else(|| any.downcast_ref::<MemDatasetDistributed>().map(|d| &d.0))
            .or_else(|| any.downcast_ref::<MemDatatype>().map(|t| &t.0))
    }
}
