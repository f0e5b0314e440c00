//! A tree in memory, and the handle behind every object that a user holds.

use super::collect;
use super::name::Name;
use super::node::{Link, Node, Tag};
use super::ranks::{Ranks, Step};
use crate::error::{Result, error};
use crate::tree::collective::among;
use crate::tree::{CollectiveCall, Location, ObjectId};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// A tree: lives as long as a handle of one of its objects.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) id: u64,
    /// The link to the root, which is in no group.
    pub(super) root: Arc<Link>,
    /// Held while names are removed, moved, or given to objects that have one already.
    pub(super) structure: Mutex<collect::Suspects>,
    /// True once a second link to a group was made: from then on there can be circles.
    pub(super) has_circles: AtomicBool,
    /// The ranks that share it.
    pub(super) ranks: Option<Box<Ranks>>,
}

impl Tree {
    pub(super) fn new(root: Arc<Node>) -> Arc<Self> {
        Self::shared(root, None)
    }

    /// A tree for a copy of something in this one: shared by the same ranks.
    pub(super) fn for_copy(&self, root: Arc<Node>) -> Arc<Self> {
        Self::shared(root, self.ranks.as_ref().map(|ranks| Box::new(ranks.of_copy())))
    }

    pub(super) fn shared(root: Arc<Node>, ranks: Option<Box<Ranks>>) -> Arc<Self> {
        Arc::new(Self {
            ranks,
            id: crate::tree::fresh_tree_id(),
            root: Link::loose(root),
            structure: Mutex::default(),
            has_circles: AtomicBool::new(false),
        })
    }

    /// How to get from the root to a node; `None` if no name leads there any more.
    pub(super) fn route(&self, node: &Arc<Node>) -> Option<Route> {
        self.route_without(node, None).ok()
    }

    /// As [`route`](Self::route), not passing through one link. The error is all nodes above.
    pub(super) fn route_without(&self, node: &Arc<Node>, without: Option<&Arc<Link>>) -> Result<Route, HashMap<u64, Option<Arc<Link>>>> {
        // Upwards, breadth first: for each node the link that was followed, from a node nearer to the start.
        let mut below: HashMap<u64, Option<Arc<Link>>> = HashMap::from([(node.id, None)]);
        let mut queue = VecDeque::from([node.clone()]);
        while let Some(here) = queue.pop_front() {
            if here.id == self.root.node.id {
                let mut route = Route { link: self.root.clone(), via: None };
                let mut at = here.id;
                while let Some(Some(link)) = below.get(&at) {
                    at = link.node.id;
                    let via = Arc::new(Via { link: route.link, up: route.via });
                    route = Route { link: link.clone(), via: Some(via) };
                }
                return Ok(route);
            }
            for link in here.in_links() {
                if without.is_some_and(|w| Arc::ptr_eq(w, &link)) {
                    continue;
                }
                if let Some(parent) = link.place().parent.upgrade()
                    && !below.contains_key(&parent.id)
                {
                    below.insert(parent.id, Some(link));
                    queue.push_back(parent);
                }
            }
        }
        Err(below)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if *self.has_circles.get_mut() {
            collect::dismantle(&self.root.node, self.structure.get_mut());
        }
    }
}

/// The last link on the way to an object, and the way to the group that holds it if that group has several names.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) link: Arc<Link>,
    pub(super) via: Option<Arc<Via>>,
}

/// The way to a group, from its last link upwards.
#[derive(Debug)]
pub(super) struct Via {
    pub(super) link: Arc<Link>,
    pub(super) up: Option<Arc<Via>>,
}

impl Drop for Via {
    /// Lets go of the way link by link, however long it is.
    fn drop(&mut self) {
        let mut up = self.up.take();
        while let Some(mut via) = up.and_then(Arc::into_inner) {
            up = via.up.take();
        }
    }
}

/// What every user-held object is: the tree, which it keeps alive, and the link by which it was reached.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    pub(super) link: Arc<Link>,
    /// Kept only where a group on the way has several names.
    pub(super) via: Option<Arc<Via>>,
    pub(super) tree: Arc<Tree>,
}

impl Handle {
    pub(super) fn of_root(tree: Arc<Tree>) -> Self {
        Self { link: tree.root.clone(), via: None, tree }
    }

    pub(super) fn of_route(tree: Arc<Tree>, route: Route) -> Self {
        Self { link: route.link, via: route.via, tree }
    }

    pub(super) fn root(&self) -> Self {
        Self::of_root(self.tree.clone())
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.link.node
    }

    /// The handle of a child of this group.
    #[inline]
    pub(super) fn child(&self, link: Arc<Link>) -> Self {
        let ambiguous = self.via.is_some() || self.node().is_relinked();
        let via = ambiguous.then(|| Arc::new(Via { link: self.link.clone(), up: self.via.clone() }));
        Self { link, via, tree: self.tree.clone() }
    }

    /// The hard link of that name in this group.
    #[inline(always)]
    pub(super) fn find(&self, name: &str) -> Option<Arc<Link>> {
        self.node().children()?.read().get(name).filter(|link| link.tag != Tag::Elsewhere).cloned()
    }

    pub(super) fn id(&self) -> ObjectId {
        ObjectId { tree: self.tree.id, object: self.node().id }
    }

    /// True for handles of one object of one tree.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tree, &other.tree) && Arc::ptr_eq(self.node(), other.node())
    }

    pub(super) fn location() -> Location {
        Location { backend: "memory", file: None, writable: true }
    }

    /// The names from the root to this object, and the handle of the group that holds it.
    fn trace(&self) -> Option<(Vec<Name>, Option<Handle>)> {
        if let Some(found) = self.trace_route() {
            return Some(found);
        }
        // The way by which it was reached is gone, or leads in a circle: is there another to the same link, or at all?
        let direct = Self { link: self.link.clone(), via: None, tree: self.tree.clone() };
        if let Some(found) = direct.trace_route() {
            return Some(found);
        }
        let route = self.tree.route(self.node())?;
        Self::of_route(self.tree.clone(), route).trace_route()
    }

    /// Follows the links upwards.
    fn trace_route(&self) -> Option<(Vec<Name>, Option<Handle>)> {
        let (mut names, mut holder) = (Vec::new(), None);
        let mut seen = std::collections::HashSet::new();
        let (mut link, mut via) = (self.link.clone(), self.via.clone());
        while !Arc::ptr_eq(&link, &self.tree.root) {
            let place = link.place();
            let parent = place.parent.upgrade()?;
            names.push(place.name);
            match via.take().filter(|v| Arc::ptr_eq(&v.link.node, &parent)) {
                Some(v) => {
                    link = v.link.clone();
                    via = v.up.clone();
                }
                None if Arc::ptr_eq(&parent, &self.tree.root.node) => link = self.tree.root.clone(),
                None => {
                    if parent.is_relinked() && !seen.insert(parent.id) {
                        return None;
                    }
                    link = parent.oldest_link()?;
                }
            }
            holder.get_or_insert_with(|| Handle { link: link.clone(), via: via.clone(), tree: self.tree.clone() });
        }
        names.reverse();
        Some((names, holder))
    }

    /// The absolute path; empty for a deleted object.
    pub(super) fn name(&self) -> String {
        let Some((names, _)) = self.trace() else { return String::new() };
        if names.is_empty() {
            return "/".to_owned();
        }
        let mut out = String::with_capacity(names.iter().map(|n| n.as_bytes().len() + 1).sum());
        for name in names {
            out.push('/');
            out.push_str(name.as_str());
        }
        out
    }

    /// The group that holds this object; that of the root is the root.
    pub(super) fn parent(&self) -> Result<Handle> {
        match self.trace() {
            Some((_, Some(holder))) => Ok(holder),
            Some((_, None)) => Ok(self.root()),
            None => Err(error!(NotFound, "the object was deleted and has no parent")),
        }
    }

    /// Does something on all ranks together, if ranks share the tree.
    #[inline]
    pub(super) fn together<T>(&self, call: impl Fn() -> CollectiveCall, act: impl FnOnce() -> Result<T>) -> Result<T> {
        match &self.tree.ranks {
            None => act(),
            Some(ranks) => among(&**ranks, call, act),
        }
    }

    /// A collective call on this object.
    pub(super) fn call(&self, operation: &str) -> CollectiveCall {
        CollectiveCall::new(operation, self.name())
    }

    /// A collective call on a child of this group.
    pub(super) fn call_on(&self, operation: &str, name: &str) -> CollectiveCall {
        CollectiveCall::new(operation, crate::path::join(&self.name(), name))
    }

    /// Notes how a change is taken back, within a collective call.
    #[inline]
    pub(super) fn note(&self, step: impl FnOnce() -> Step) {
        if let Some(ranks) = &self.tree.ranks {
            ranks.note(step);
        }
    }

    /// Notes what was done, within a collective call.
    #[inline]
    pub(super) fn record(&self, what: impl FnOnce() -> String) {
        if let Some(ranks) = &self.tree.ranks {
            ranks.trace(what);
        }
    }

    /// Notes that there can be circles from now on.
    pub(super) fn expect_circles(&self) {
        self.tree.has_circles.store(true, Ordering::Release);
    }
}

/// A node without keeping its tree or itself alive.
#[derive(Debug, Clone)]
pub(super) struct WeakHandle {
    pub(super) tree: Weak<Tree>,
    pub(super) node: Weak<Node>,
    pub(super) id: ObjectId,
}

impl WeakHandle {
    pub(super) fn of(handle: &Handle) -> Self {
        Self { tree: Arc::downgrade(&handle.tree), node: Arc::downgrade(handle.node()), id: handle.id() }
    }

    /// The object, if a name still leads to it.
    pub(super) fn upgrade(&self) -> Option<Handle> {
        let tree = self.tree.upgrade()?;
        let node = self.node.upgrade()?;
        if Arc::ptr_eq(&node, &tree.root.node) {
            return Some(Handle::of_root(tree));
        }
        // The oldest name, if it leads to the root, else any.
        if let Some(link) = node.oldest_link() {
            let handle = Handle { link, via: None, tree: tree.clone() };
            if handle.trace_route().is_some() {
                return Some(handle);
            }
        }
        let route = tree.route(&node)?;
        Some(Handle::of_route(tree, route))
    }
}
