//! Freeing circles of hard links.
//!
//! A group that holds a link to itself, or to a group above it, is owned by itself, and would never go. So when a name of a group is
//! removed and no other name leads to it any more, the groups below that no name leads to are looked through: those that no handle
//! holds, directly or through a group above, are emptied, which breaks every circle. Groups that a handle still holds are remembered, and looked
//! at again when the next name of a group is removed, on `flush`, and when the tree goes.
//!
//! Nothing of this happens in a tree where no group ever got a second name.

use super::node::{Children, Link, Node, Tag};
use super::tree::Tree;
use parking_lot::RwLockWriteGuard;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// Groups that no name leads to, that are part of a circle, and that a handle held when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    nodes: Vec<Weak<Node>>,
    /// How many names of groups were removed since all were looked at.
    removals: usize,
}

impl Suspects {
    pub(super) fn add(&mut self, node: &Arc<Node>) {
        if !self.nodes.iter().any(|n| std::ptr::eq(n.as_ptr(), Arc::as_ptr(node))) {
            self.nodes.push(Arc::downgrade(node));
        }
    }
}

/// What was freed: dropped by the caller after all locks are released.
#[must_use]
#[derive(Default)]
pub(super) struct Garbage(#[allow(dead_code, reason = "held to be dropped")] Vec<Arc<Link>>);

/// Looks for circles after a link to a group was removed. The caller holds the lock of the tree's structure.
pub(super) fn after_unlink(tree: &Tree, suspects: &mut Suspects, removed: &Arc<Link>) -> Garbage {
    if removed.tag != Tag::Group || !tree.has_circles.load(Ordering::Acquire) {
        return Garbage::default();
    }
    let mut starts = Vec::new();
    if tree.route(&removed.node).is_none() {
        starts.push(removed.node.clone());
    }
    // All of the others too, but only as often as keeps the cost of a removal constant.
    suspects.removals += 1;
    if suspects.removals * 8 > suspects.nodes.len() {
        starts.extend(take_suspects(suspects));
    }
    // The removed link itself is one owner, and the caller's handle of it another.
    sweep(tree, suspects, starts, Some(removed))
}

/// Looks at all suspects again. The caller holds the lock of the tree's structure.
pub(super) fn suspects(tree: &Tree, suspects: &mut Suspects) -> Garbage {
    let starts = take_suspects(suspects);
    sweep(tree, suspects, starts, None)
}

fn take_suspects(suspects: &mut Suspects) -> Vec<Arc<Node>> {
    suspects.removals = 0;
    std::mem::take(&mut suspects.nodes).iter().filter_map(Weak::upgrade).collect()
}

fn group_links(children: &Children) -> impl Iterator<Item = &Arc<Link>> {
    children.values().filter(|link| link.tag == Tag::Group)
}

fn sweep(tree: &Tree, suspects: &mut Suspects, starts: Vec<Arc<Node>>, removed: Option<&Arc<Link>>) -> Garbage {
    // The groups below that no name leads to.
    let mut region: HashMap<u64, Arc<Node>> = HashMap::new();
    let mut rest = starts;
    while let Some(node) = rest.pop() {
        if region.contains_key(&node.id) || (node.is_relinked() && tree.route(&node).is_some()) {
            continue;
        }
        if let Some(children) = node.children() {
            rest.extend(group_links(&children.read()).map(|link| link.node.clone()));
        }
        region.insert(node.id, node);
    }
    if region.is_empty() {
        return Garbage::default();
    }
    // With all of them locked nobody can get from one to another, so that the owners can be counted.
    let mut locked: HashMap<u64, RwLockWriteGuard<'_, Children>> =
        region.iter().filter_map(|(id, node)| Some((*id, node.children()?.write()))).collect();
    let mut owners: HashMap<u64, usize> = HashMap::new();
    let mut held: Vec<u64> = Vec::new();
    for link in locked.values().flat_map(|children| group_links(children)) {
        *owners.entry(link.node.id).or_default() += 1;
        if Arc::strong_count(link) > 1 {
            held.push(link.node.id);
        }
    }
    if let Some(link) = removed {
        *owners.entry(link.node.id).or_default() += 1;
        // One owner is the caller.
        if Arc::strong_count(link) > 1 {
            held.push(link.node.id);
        }
    }
    // The region itself is one more owner.
    held.extend(region.values().filter(|n| Arc::strong_count(n) > 1 + owners.get(&n.id).copied().unwrap_or(0)).map(|n| n.id));
    let mut alive = std::collections::HashSet::new();
    while let Some(id) = held.pop() {
        if let Some(children) = locked.get(&id)
            && alive.insert(id)
        {
            held.extend(group_links(children).map(|link| link.node.id));
        }
    }
    let mut garbage = Vec::new();
    for (id, children) in &mut locked {
        if !alive.contains(id) {
            garbage.extend(children.take_values());
        }
    }
    drop(locked);
    for node in region.values().filter(|n| alive.contains(&n.id) && n.is_relinked()) {
        suspects.add(node);
    }
    Garbage(garbage)
}

/// Empties every group of a tree that nobody holds any more.
pub(super) fn dismantle(root: &Arc<Node>, suspects: &mut Suspects) {
    let mut rest = take_suspects(suspects);
    rest.push(root.clone());
    while let Some(node) = rest.pop() {
        let Some(children) = node.children() else { continue };
        let taken: Vec<Arc<Link>> = children.write().take_values().collect();
        rest.extend(taken.iter().filter(|link| link.tag == Tag::Group).map(|link| link.node.clone()));
    }
}
