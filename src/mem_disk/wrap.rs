//! A group under a policy is a group: all calls go to the one within, and what comes back is put under the policy too.
//!
//! [`Object::as_any`] is that of the object within, so a backend that is handed one of these (as the target of a hard link or a move) finds its
//! own object.

use super::{MemDiskGroup, Shared};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, error};
use crate::path;
use crate::selection::Selection;
use crate::tree::{
    Attributes, Collective, Dataset, DatasetRef, DatasetSpec, Datatype, DatatypeRef, Feature, Group, GroupRef, GroupSpec, Link, Location,
    NewLink, Node, Object, ObjectId, ObjectRef, resolve,
};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

#[derive(Clone)]
struct Under<T> {
    inner: T,
    shared: Arc<Shared>,
}

type DatasetUnder = Under<DatasetRef>;
type DatatypeUnder = Under<DatatypeRef>;

macro_rules! delegate_object {
    ($($t:ty),*) => {$(
        impl Attributes for $t {
            fn attr_names(&self) -> Result<Vec<String>> {
                self.inner.attr_names()
            }
            fn attr_read(&self, name: &str) -> Result<Option<AnyArray>> {
                self.inner.attr_read(name)
            }
            fn attr_write(&self, name: &str, value: &AnyArray) -> Result<()> {
                self.inner.attr_write(name, value)
            }
            fn attr_delete(&self, name: &str) -> Result<bool> {
                self.inner.attr_delete(name)
            }
            fn attr_owner(&self) -> String {
                self.inner.attr_owner()
            }
            fn attr_count(&self) -> Result<usize> {
                self.inner.attr_count()
            }
            fn attr_exists(&self, name: &str) -> Result<bool> {
                self.inner.attr_exists(name)
            }
        }

        impl Object for $t {
            fn name(&self) -> String {
                self.inner.name()
            }
            fn id(&self) -> Result<ObjectId> {
                self.inner.id()
            }
            fn attrs(&self) -> &dyn Attributes {
                self.inner.attrs()
            }
            fn root(&self) -> Result<GroupRef> {
                Ok(self.shared.group(self.inner.root()?))
            }
            fn location(&self) -> Location {
                self.inner.location()
            }
            fn reference(&self) -> Result<ObjectRef> {
                self.inner.reference()
            }
            fn as_any(&self) -> &dyn Any {
                self.inner.as_any()
            }
            fn collective(&self) -> Option<&dyn Collective> {
                self.inner.collective()
            }
        }

        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "MemDisk({:?})", self.inner)
            }
        }
    )*};
}
delegate_object!(MemDiskGroup, DatasetUnder, DatatypeUnder);

trait Wrap {
    fn group(&self, inner: GroupRef) -> GroupRef;
    fn dataset(&self, inner: DatasetRef) -> DatasetRef;
    fn datatype(&self, inner: DatatypeRef) -> DatatypeRef;
    fn node(&self, inner: Node) -> Node {
        match inner {
            Node::Group(g) => Node::Group(self.group(g)),
            Node::Dataset(d) => Node::Dataset(self.dataset(d)),
            Node::Datatype(t) => Node::Datatype(self.datatype(t)),
        }
    }
}

impl Wrap for Arc<Shared> {
    fn group(&self, inner: GroupRef) -> GroupRef {
        Arc::new(MemDiskGroup { inner, shared: self.clone() })
    }
    fn dataset(&self, inner: DatasetRef) -> DatasetRef {
        Arc::new(Under { inner, shared: self.clone() })
    }
    fn datatype(&self, inner: DatatypeRef) -> DatatypeRef {
        Arc::new(Under { inner, shared: self.clone() })
    }
}

impl Datatype for DatatypeUnder {
    fn committed_dtype(&self) -> Result<DType> {
        self.inner.committed_dtype()
    }
}

impl Dataset for DatasetUnder {
    fn as_dataset(&self) -> &dyn Dataset {
        self
    }
    fn dtype(&self) -> Result<DType> {
        self.inner.dtype()
    }
    fn extent(&self) -> Result<Option<Vec<usize>>> {
        self.inner.extent()
    }
    fn spec(&self) -> Result<DatasetSpec> {
        self.inner.spec()
    }
    fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        self.inner.read_selection(selection)
    }
    fn read_together(&self, selection: &Selection) -> Result<AnyArray> {
        self.inner.read_together(selection)
    }
    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        self.inner.write_selection(selection, data)
    }
    fn set_extent(&self, shape: &[usize]) -> Result<()> {
        self.inner.set_extent(shape)
    }
    fn stored_filters(&self) -> Result<Vec<(u32, Vec<u32>)>> {
        self.inner.stored_filters()
    }
    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        self.inner.max_extent()
    }
    fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        self.inner.append_rows(rows)
    }
    fn flush_dataset(&self) -> Result<()> {
        self.inner.flush_dataset()
    }
}

impl MemDiskGroup {
    fn allows(&self, path: &str, dataset: bool) -> bool {
        match &self.shared.policy {
            None => true,
            Some(policy) if dataset => policy.dataset_name_allowed(path),
            Some(policy) => policy.group_name_allowed(path),
        }
    }

    fn allows_node(&self, name: &str, node: &Node) -> bool {
        self.shared.policy.is_none() || self.allows(&path::join(&self.name(), name), !matches!(node, Node::Group(_)))
    }

    /// True if the policy lets a name of this group be seen. A link is seen if what it leads to is, under both names, or if it leads nowhere.
    fn sees(&self, name: &str) -> Result<bool> {
        if self.shared.policy.is_none() {
            return Ok(true);
        }
        let node = match resolve::open_single(&*self.inner, name) {
            Ok(node) => node,
            Err(e) if e.is_not_found() => return Ok(true),
            Err(e) => return Err(e),
        };
        if !self.allows_node(name, &node) {
            return Ok(false);
        }
        if !matches!(self.inner.child_link(name)?, Some(Link::Soft { .. })) {
            return Ok(true);
        }
        let target = node.name();
        let above = target.match_indices('/').skip(1).all(|(at, _)| self.allows(&target[..at], false));
        Ok(above && self.allows(&target, !matches!(node, Node::Group(_))))
    }
}

impl Group for MemDiskGroup {
    fn as_group(&self) -> &dyn Group {
        self
    }

    fn to_ref(&self) -> GroupRef {
        Arc::new(self.clone())
    }

    fn group_spec(&self) -> Result<GroupSpec> {
        self.inner.group_spec()
    }

    fn child_names(&self) -> Result<Vec<String>> {
        let names = self.inner.child_names()?;
        if self.shared.policy.is_none() {
            return Ok(names);
        }
        let mut seen = Vec::with_capacity(names.len());
        for name in names {
            if self.sees(&name)? {
                seen.push(name);
            }
        }
        Ok(seen)
    }

    fn child_link(&self, name: &str) -> Result<Option<Link>> {
        Ok(if self.sees(name)? { self.inner.child_link(name)? } else { None })
    }

    fn open_child(&self, name: &str) -> Result<Option<Node>> {
        match self.inner.open_child(name)? {
            Some(node) if !self.allows_node(name, &node) => {
                Err(error!(NotFound, "the policy of the container does not allow access to '{}'", path::join(&self.name(), name)))
            }
            found => Ok(found.map(|node| self.shared.node(node))),
        }
    }

    fn new_group(&self, name: &str, spec: &GroupSpec) -> Result<GroupRef> {
        Ok(self.shared.group(self.inner.new_group(name, spec)?))
    }

    fn new_dataset(&self, name: &str, spec: &DatasetSpec, data: Option<AnyArray>) -> Result<DatasetRef> {
        Ok(self.shared.dataset(self.inner.new_dataset(name, spec, data)?))
    }

    fn new_datatype(&self, name: &str, dtype: &DType) -> Result<DatatypeRef> {
        Ok(self.shared.datatype(self.inner.new_datatype(name, dtype)?))
    }

    fn new_link(&self, name: &str, link: NewLink<'_>) -> Result<()> {
        self.inner.new_link(name, link)
    }

    fn unlink(&self, name: &str) -> Result<bool> {
        Ok(self.sees(name)? && self.inner.unlink(name)?)
    }

    fn move_child(&self, name: &str, to: &dyn Group, new_name: &str) -> Result<()> {
        if !self.sees(name)? {
            return Err(error!(NotFound, "there is no '{name}'"));
        }
        self.inner.move_child(name, to, new_name)
    }

    fn flush_tree(&self) -> Result<()> {
        self.inner.flush_tree()
    }

    fn close_tree(&self) -> Result<()> {
        self.inner.close_tree()
    }

    fn child_count(&self) -> Result<usize> {
        if self.shared.policy.is_none() { self.inner.child_count() } else { Ok(self.child_names()?.len()) }
    }

    fn lacks(&self, feature: &Feature<'_>) -> Option<String> {
        self.inner.lacks(feature)
    }

    fn check_allowed(&self, path: &dyn Fn() -> String, dataset: bool) -> Result<()> {
        if self.shared.policy.is_some() {
            let path = path();
            if !self.allows(&path, dataset) {
                let what = if dataset { "dataset" } else { "group" };
                return Err(error!(NotAllowed, "the policy of the container does not allow a {what} at '{path}'"));
            }
        }
        self.inner.check_allowed(path, dataset)
    }
}
