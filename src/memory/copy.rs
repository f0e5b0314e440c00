//! Copies of whole trees in memory: deep (independent, elements shared until written) and shallow (the same datasets in new groups).

use super::MemGroup;
use super::dataset::MemDataset;
use super::name::Name;
use super::node::{Content, Kind, Link, Node, Tag};
use super::reference;
use super::tree::Handle;
use crate::array::AnyArray;
use crate::error::{Context, Result};
use crate::path;
use crate::tree::{Object, ObjectId, ObjectRef, RegionRef};
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::sync::Arc;

/// A copy of a dataset or committed type, with its attributes; references in it are null.
pub(super) fn leaf(node: &Arc<Node>) -> Result<Arc<Node>> {
    let new = bare(node, node.track_order);
    repoint(&new, &mut |_| ObjectRef::null())?;
    Ok(new)
}

/// The same tree with this rank's parts in the place of distributed datasets, for comparisons. Local.
pub(super) fn of_this_rank(group: &MemGroup) -> MemGroup {
    let part = |node: &Arc<Node>| match &node.kind {
        Kind::Dataset(stored) if matches!(stored.read().content, Content::Distributed(_)) => {
            let mut part = stored.read().clone();
            let Content::Distributed(array) = &part.content else { return node.clone() };
            let of = format!("axis {} of {:?}", array.axis(), array.global_shape());
            part.content = Content::Common(array.local_array().clone());
            let new = Node::new(Kind::Dataset(RwLock::new(part)), node.track_order);
            copy_attributes(node, &new);
            let mut attrs = new.attrs.write();
            attrs.get_or_insert_with(|| Box::new(super::table::NameTable::new(node.track_order))).set("__memh5_part", AnyArray::from(of));
            drop(attrs);
            new
        }
        _ => node.clone(),
    };
    MemGroup(copy_tree(&group.0, &mut { part }).0)
}

/// A copy of a dataset in no group.
pub(super) fn alone(dataset: &Handle) -> Result<Handle> {
    let node = leaf(dataset.node())?;
    Ok(Handle { link: Link::loose(node), via: None, tree: dataset.tree.for_copy(Node::group(false)) })
}

/// A copy of a node with its attributes: of a group without its children, of a dataset with shared elements.
fn bare(node: &Node, track_order: bool) -> Arc<Node> {
    let new = match &node.kind {
        Kind::Group(_) => Node::group(track_order),
        Kind::Dataset(stored) => {
            let stored = stored.read().clone();
            Node::new(Kind::Dataset(RwLock::new(stored)), track_order)
        }
        Kind::Datatype(dtype) => Node::new(Kind::Datatype(dtype.clone()), track_order),
        Kind::Soft(target) => Node::new(Kind::Soft(target.clone()), false),
        Kind::External(target) => Node::new(Kind::External(target.clone()), false),
    };
    copy_attributes(node, &new);
    new
}

fn copy_attributes(from: &Node, to: &Node) {
    let Some(values) = from.attrs.read().as_ref().map(|table| {
        let names = table.names();
        names.iter().filter_map(|name| Some((name.clone(), table.get(name.as_str())?.clone()))).collect::<Vec<_>>()
    }) else {
        return;
    };
    let mut table = Box::new(super::table::NameTable::new(to.track_order));
    for (name, value) in values {
        table.insert(name, value);
    }
    *to.attrs.write() = Some(table);
}

/// Puts other references in the place of those in a dataset and in the attributes of a node.
fn repoint(node: &Node, map: &mut dyn FnMut(&ObjectRef) -> ObjectRef) -> Result<()> {
    let map_array = |array: &AnyArray, map: &mut dyn FnMut(&ObjectRef) -> ObjectRef| {
        let map = std::cell::RefCell::new(map);
        array.map_references(&mut |r| Ok((map.borrow_mut())(r)), &mut |r| {
            let target = (map.borrow_mut())(&r.target);
            Ok(if target.is_null() { RegionRef::null() } else { RegionRef { target, region: r.region.clone() } })
        })
    };
    if let Kind::Dataset(stored) = &node.kind {
        let mut stored = stored.write();
        if let Content::Common(array) = &mut stored.content
            && array.dtype().has_references()
        {
            *array = map_array(array, map)?;
            if let Some(properties) = &mut stored.properties
                && let crate::tree::Fill::Value(value) = &properties.fill
            {
                properties.fill = crate::tree::Fill::Value(map_array(value, map)?);
            }
        }
    }
    if let Some(table) = node.attrs.write().as_mut() {
        for name in table.names().iter() {
            if let Some(value) = table.get_mut(name.as_str())
                && value.dtype().has_references()
            {
                *value = map_array(value, map)?;
            }
        }
    }
    Ok(())
}

/// Copies what is below a group into a new tree; each dataset and committed type is made by the function.
fn copy_tree(from: &Handle, make: &mut dyn FnMut(&Arc<Node>) -> Arc<Node>) -> (Handle, HashMap<u64, Arc<Node>>) {
    let start = from.node();
    let root = Handle::of_root(from.tree.for_copy(bare(start, start.track_order)));
    let mut made: HashMap<u64, Arc<Node>> = HashMap::from_iter([(start.id, root.node().clone())]);
    let mut rest = vec![(start.clone(), root.node().clone())];
    while let Some((old, new)) = rest.pop() {
        let (Some(from), Some(to)) = (old.children(), new.children()) else { continue };
        // Taken out first, so that no group is locked while its datasets are looked at.
        let links: Vec<(Name, Arc<Link>)> = {
            let from = from.read();
            from.names().iter().filter_map(|name| Some((name.clone(), from.get(name.as_str())?.clone()))).collect()
        };
        let mut to = to.write();
        for (name, link) in links {
            let copied = match made.get(&link.node.id) {
                Some(there) => {
                    if link.tag == Tag::Group {
                        root.expect_circles();
                    }
                    Link::another(there.clone(), &new, name.clone())
                }
                None => {
                    let node = match link.tag {
                        Tag::Group | Tag::Elsewhere => bare(&link.node, link.node.track_order),
                        Tag::Dataset | Tag::Datatype => make(&link.node),
                    };
                    made.insert(link.node.id, node.clone());
                    if link.tag == Tag::Group {
                        rest.push((link.node.clone(), node.clone()));
                    }
                    if Arc::ptr_eq(&node, &link.node) {
                        Link::another(node, &new, name.clone())
                    } else {
                        Link::first(node, &new, name.clone())
                    }
                }
            };
            to.insert(name, copied);
        }
    }
    (root, made)
}

impl MemGroup {
    /// An independent copy of this group as the root of a new tree: groups, datasets, committed types, links, attributes.
    ///
    /// It costs the objects, not the bytes: elements are shared until one of the two is written. Hard links lead to the copies. So do
    /// references; those to objects outside of this group become null.
    ///
    /// ```
    /// use memh5::{MemGroup, prelude::*};
    /// let root = MemGroup::new();
    /// root.create_dataset("a/x").write(vec![1, 2])?;
    /// let copy = root.group("a")?.copy()?;
    /// copy.dataset("x")?.write_slice(0, 9)?;
    /// assert_eq!(root.dataset("a/x")?.read_slice::<Vec<i32>>(..)?, [1, 2]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn copy(&self) -> Result<MemGroup> {
        let (root, made) = copy_tree(&self.0, &mut |node| bare(node, node.track_order));
        let tree = self.0.tree.id;
        for node in made.values() {
            repoint(node, &mut |r| match r.id() {
                Some(ObjectId { tree: t, object }) if t == tree => match made.get(&object) {
                    Some(to) => reference::to(&Handle { link: Link::loose(to.clone()), via: None, tree: root.tree.clone() }),
                    None => ObjectRef::null(),
                },
                _ => ObjectRef::null(),
            })?;
        }
        Ok(MemGroup(root))
    }

    /// New groups around the same datasets: the root of a new tree in which names can be made, removed and changed without touching this one,
    /// while elements and attributes of the datasets are shared, as caput's shallow copy has it. Attributes of groups are copied.
    ///
    /// References in a shared dataset keep pointing to the objects of this tree.
    ///
    /// ```
    /// use memh5::{MemGroup, prelude::*};
    /// let root = MemGroup::new();
    /// root.create_dataset("x").write(vec![1, 2])?;
    /// let shallow = root.copy_shallow()?;
    /// shallow.dataset("x")?.write_slice(0, 9)?;
    /// shallow.rename("x", "y")?;
    /// assert_eq!(root.dataset("x")?.read_slice::<Vec<i32>>(..)?, [9, 2]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// None; the type is that of [`copy`](Self::copy).
    pub fn copy_shallow(&self) -> Result<MemGroup> {
        Ok(MemGroup(copy_tree(&self.0, &mut Arc::clone).0))
    }

    /// One more handle of this group: caput's view.
    #[must_use]
    pub fn view(&self) -> MemGroup {
        self.clone()
    }

    /// Gives a dataset of any tree in memory a name here too. It is one object with two homes: elements and attributes are shared.
    ///
    /// References in it keep pointing to the objects of the tree in which they were made.
    ///
    /// ```
    /// use memh5::{MemGroup, prelude::*};
    /// let (a, b) = (MemGroup::new(), MemGroup::new());
    /// a.create_dataset("x").write(vec![1, 2])?;
    /// b.share("in/x", &a.dataset("x")?)?;
    /// a.dataset("x")?.write_slice(0, 9)?;
    /// assert_eq!(b.dataset("in/x")?.read_slice::<Vec<i32>>(..)?, [9, 2]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Collective
    /// In a tree that ranks share all of them call it, with the same arguments.
    ///
    /// # Errors
    /// `AlreadyExists`, `NotAGroup`, `InvalidName`; `InvalidArgument` if the dataset is distributed and this tree is not, or over other ranks.
    pub fn share(&self, name: &str, dataset: &MemDataset) -> Result<()> {
        let share = || {
            let (parent, last) = crate::tree::resolve::new_parent(self, name, true)?;
            let Some(parent) = parent.as_any().downcast_ref::<MemGroup>() else {
                crate::error::bail!(Unsupported, "the name leads into a file, which cannot share what is in memory")
            };
            parent.0.may_hold(dataset.handle())?;
            parent.0.new_hard_link(&last, dataset.handle().node())
        };
        let call = || self.0.call_on("share the dataset", name);
        self.0.together(call, || share().with_context(|| (path::join(&self.name(), name), "share the dataset")))
    }
}
