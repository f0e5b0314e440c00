//! Making, removing and moving the names of a group.

use super::collect;
use super::node::{Children, Kind, Link, Node};
use super::tree::Handle;
use crate::error::{Error, Result, bail, error};
use crate::tree::{self, NewLink};
use parking_lot::RwLock;
use std::sync::Arc;

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
        Ok(self.child(link))
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
        children.insert(name.into(), link);
        drop(children);
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
        let Some(removed) = self.children()?.write().remove(name) else { return Ok(false) };
        removed.detach();
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
            return Self::move_between(&mut children, None, name, to.node(), new_name);
        }
        // Two at once are locked by nobody else, since the structure is locked: no order is needed.
        let mut from = self.children()?.write();
        if !from.contains(name) {
            return Err(not_there());
        }
        let mut target = to.children()?.write();
        Self::move_between(&mut from, Some(&mut target), name, to.node(), new_name)
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
