//! Making, removing and moving the names of a group.

use super::collect;
use super::name::Name;
use super::node::{Children, Content, Kind, Link, Node};
use super::ranks::Step;
use super::tree::Handle;
use crate::error::{Error, Result, bail, error};
use crate::tree::{self, NewLink};
use parking_lot::RwLock;
use std::sync::Arc;

/// The names of a group in their order, where it does not follow from the names.
type Order = Option<Arc<Vec<Name>>>;

/// What a new object is, as far as the ranks have to agree on it.
fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Group(_) => format!("a group{}", if node.track_order { ", tracked" } else { "" }),
        Kind::Dataset(stored) => {
            let stored = stored.read();
            let extent = stored.content.extent();
            let on = match &stored.content {
                Content::Common(_) => String::new(),
                Content::Distributed(array) => format!(" on axis {}", array.axis()),
            };
            let properties = stored.properties.as_deref().map(|p| {
                let fill = match &p.fill {
                    crate::tree::Fill::Value(value) => value.to_string(),
                    other => format!("{other:?}"),
                };
                format!(", maxshape {:?}, layout {:?}, filters {:?}, fill {fill}", p.maxshape, p.layout, p.filters)
            });
            format!("a dataset of {} {extent:?}{on}{}", stored.content.dtype(), properties.unwrap_or_default())
        }
        Kind::Datatype(dtype) => format!("the type {dtype}"),
        Kind::Soft(target) => format!("a soft link to '{target}'"),
        Kind::External(target) => format!("an external link to '{}' in '{}'", target.1, target.0),
    }
}

fn taken(name: &str) -> Error {
    error!(AlreadyExists, "'{name}' exists already")
}

impl Handle {
    pub(super) fn children(&self) -> Result<&RwLock<Children>> {
        self.node().children().ok_or_else(|| error!(NotAGroup, "'{}' is not a group", self.name()))
    }

    /// Puts a new node into the group.
    pub(super) fn add(&self, name: &str, node: Arc<Node>) -> Result<Handle> {
        let children = self.children()?;
        let link = Link::first(node, self.node(), name.into());
        if !children.write().insert(name.into(), link.clone()) {
            return Err(taken(name));
        }
        self.added(name, &link);
        Ok(self.child(link))
    }

    /// The order of the names, if it may have to be restored.
    fn order(&self, children: &Children) -> Order {
        if self.tree.ranks.is_some() { children.order() } else { None }
    }

    /// Notes within a collective call that a name was made.
    fn added(&self, name: &str, link: &Arc<Link>) {
        self.record(|| format!("made '{name}', {}", describe(&link.node)));
        self.note(|| {
            let (group, name, link) = (self.node().clone(), Name::from(name), link.clone());
            Step::undo(move || {
                if let Some(children) = group.children() {
                    let removed = children.write().remove(name.as_str());
                    link.detach();
                    drop(removed);
                }
            })
        });
    }

    /// What a name is, without opening it.
    pub(super) fn link_of(&self, name: &str) -> Result<Option<tree::Link>> {
        Ok(self.children()?.read().get(name).map(|link| match &link.node.kind {
            Kind::Soft(target) => tree::Link::Soft { target: target.to_string() },
            Kind::External(to) => tree::Link::External { file: to.0.clone(), target: to.1.clone() },
            _ => tree::Link::Hard,
        }))
    }

    pub(super) fn new_link(&self, name: &str, link: NewLink<'_>) -> Result<()> {
        let kind = match link {
            NewLink::Soft(target) => Kind::Soft(target.into()),
            NewLink::External { file, target } => Kind::External(Box::new((file.to_owned(), target.to_owned()))),
            NewLink::Hard(node) => {
                return match Handle::behind(node) {
                    Some(target) if Arc::ptr_eq(&target.tree, &self.tree) => self.new_hard_link(name, target.node()),
                    _ => Err(error!(InvalidArgument, "a hard link can only lead to an object of its own tree")
                        .remedy("copy the object, or make an external link")),
                };
            }
        };
        self.add(name, Node::new(kind, false)).map(drop)
    }

    /// Gives a node that is there already one more name.
    pub(super) fn new_hard_link(&self, name: &str, node: &Arc<Node>) -> Result<()> {
        let mut structure = self.tree.structure.lock();
        let mut children = self.children()?.write();
        if children.contains(name) {
            return Err(taken(name));
        }
        let link = Link::another(node.clone(), self.node(), name.into());
        children.insert(name.into(), link.clone());
        drop(children);
        self.added(name, &link);
        if node.children().is_some() {
            self.expect_circles();
            if self.tree.route(node).is_none() {
                structure.add(node);
            }
        }
        Ok(())
    }

    pub(super) fn unlink(&self, name: &str) -> Result<bool> {
        let mut structure = self.tree.structure.lock();
        let mut children = self.children()?.write();
        let order = self.order(&children);
        let Some(removed) = children.remove(name) else { return Ok(false) };
        drop(children);
        let place = removed.place();
        let oldest = removed.detach();
        self.record(|| format!("removed '{name}'"));
        let mut kept = Some(removed);
        self.note(|| {
            let (group, tree) = (self.node().clone(), self.tree.clone());
            let (back, gone) = (kept.clone(), kept.take());
            Step {
                undo: Box::new(move || {
                    if let (Some(link), Some(children)) = (back, group.children()) {
                        let mut children = children.write();
                        link.attach(place.clone(), oldest);
                        children.insert(place.name, link);
                        children.restore_order(order);
                    }
                }),
                // What can be freed is looked for when the name is gone for good.
                keep: Some(Box::new(move || {
                    if let Some(removed) = gone {
                        let garbage = collect::after_unlink(&tree, &mut tree.structure.lock(), &removed);
                        drop((removed, garbage));
                    }
                })),
            }
        });
        let Some(removed) = kept else { return Ok(true) };
        let garbage = collect::after_unlink(&self.tree, &mut structure, &removed);
        drop(structure);
        drop((removed, garbage)); // outside of the lock: it can be much
        Ok(true)
    }

    pub(super) fn move_child(&self, name: &str, to: &Handle, new_name: &str) -> Result<()> {
        if !Arc::ptr_eq(&self.tree, &to.tree) {
            return Err(error!(InvalidArgument, "an object can only be moved within its own tree")
                .remedy("copy it with deep_group_copy and delete the old one"));
        }
        let _structure = self.tree.structure.lock();
        self.record(|| format!("moved '{name}' to '{}' '{new_name}'", to.name()));
        if let Some(link) = self.find(name)
            && link.node.children().is_some()
        {
            // Would the group still be reached by another way than through itself?
            match self.tree.route_without(to.node(), Some(&link)) {
                Err(above) if above.contains_key(&link.node.id) => bail!(InvalidArgument, "the group would move into itself"),
                _ => {}
            }
        }
        let not_there = || error!(NotFound, "there is no '{name}'");
        if Arc::ptr_eq(self.node(), to.node()) {
            let mut children = self.children()?.write();
            if !children.contains(name) {
                return Err(not_there());
            }
            let orders = (self.order(&children), None);
            Self::move_between(&mut children, None, name, to.node(), new_name)?;
            drop(children);
            self.moved(name, to, new_name, orders);
            return Ok(());
        }
        // Two at once are locked by nobody else, since the structure is locked: no order is needed.
        let mut from = self.children()?.write();
        if !from.contains(name) {
            return Err(not_there());
        }
        let mut target = to.children()?.write();
        let orders = (self.order(&from), self.order(&target));
        Self::move_between(&mut from, Some(&mut target), name, to.node(), new_name)?;
        drop((from, target));
        self.moved(name, to, new_name, orders);
        Ok(())
    }

    /// Notes within a collective call that a name was moved.
    fn moved(&self, name: &str, to: &Handle, new_name: &str, orders: (Order, Order)) {
        self.note(|| {
            let (from, to, name, new_name) = (self.clone(), to.clone(), name.to_owned(), new_name.to_owned());
            Step::undo(move || {
                let _structure = from.tree.structure.lock();
                let (Some(here), Some(there)) = (from.node().children(), to.node().children()) else { return };
                let mut here = here.write();
                if Arc::ptr_eq(from.node(), to.node()) {
                    let _ = Self::move_between(&mut here, None, &new_name, from.node(), &name);
                } else {
                    let mut there = there.write();
                    let _ = Self::move_between(&mut there, Some(&mut here), &new_name, from.node(), &name);
                    there.restore_order(orders.1);
                }
                here.restore_order(orders.0);
            })
        });
    }

    fn move_between(from: &mut Children, to: Option<&mut Children>, name: &str, parent: &Arc<Node>, new_name: &str) -> Result<()> {
        if to.as_deref().unwrap_or(from).contains(new_name) {
            return Err(taken(new_name));
        }
        if let Some(link) = from.remove(name) {
            link.move_to(parent, new_name.into());
            to.unwrap_or(from).insert(new_name.into(), link);
        }
        Ok(())
    }

    /// Looks again for circles of deleted groups that were still held when they were deleted.
    pub(super) fn collect(&self) {
        let mut structure = self.tree.structure.lock();
        let garbage = collect::suspects(&self.tree, &mut structure);
        drop(structure);
        drop(garbage);
    }
}
