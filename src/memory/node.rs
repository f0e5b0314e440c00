//! What a tree in memory is made of: nodes, and the links that give them names.
//!
//! A group owns its links, a link owns its node; the way back up is weak. So an object lives as long as a name leads to it or a handle
//! holds it. (Hard links can close circles; [`collect`](super::collect) frees those.)

use super::name::Name;
use super::table::NameTable;
use crate::array::AnyArray;
use crate::distributed::DistributedArray;
use crate::dtype::DType;
use crate::tree::{Fill, Filter, Layout};
use parking_lot::{Mutex, RwLock};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// The children of a group.
pub(super) type Children = NameTable<Arc<Link>>;

/// One name of a node.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) node: Arc<Node>,
    /// What the node is, so that this can be told without looking at it.
    pub(super) tag: Tag,
    place: Mutex<Place>,
}

/// Where a link is: the group and the name. A link that was removed has no group.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) parent: Weak<Node>,
    pub(super) name: Name,
}

impl Link {
    fn at(node: Arc<Node>, place: Place) -> Arc<Self> {
        let tag = match node.kind {
            Kind::Group(_) => Tag::Group,
            Kind::Dataset(_) => Tag::Dataset,
            Kind::Datatype(_) => Tag::Datatype,
            Kind::Soft(_) | Kind::External(_) => Tag::Elsewhere,
        };
        Arc::new(Self { node, tag, place: Mutex::new(place) })
    }

    /// A link that is in no group.
    pub(super) fn loose(node: Arc<Node>) -> Arc<Self> {
        Self::at(node, Place { parent: Weak::new(), name: Name::from("") })
    }

    /// The link of a new node.
    pub(super) fn first(node: Arc<Node>, parent: &Arc<Node>, name: Name) -> Arc<Self> {
        let link = Self::at(node, Place { parent: Arc::downgrade(parent), name });
        link.node.links.lock().push(Arc::downgrade(&link));
        link
    }

    /// One more link of a node that is there already.
    pub(super) fn another(node: Arc<Node>, parent: &Arc<Node>, name: Name) -> Arc<Self> {
        node.relinked.store(true, Ordering::Release);
        Self::first(node, parent, name)
    }

    pub(super) fn place(&self) -> Place {
        self.place.lock().clone()
    }

    /// Puts the link somewhere else.
    pub(super) fn move_to(&self, parent: &Arc<Node>, name: Name) {
        *self.place.lock() = Place { parent: Arc::downgrade(parent), name };
    }

    /// Takes the link out of its group. True if it was the oldest of its node.
    pub(super) fn detach(self: &Arc<Self>) -> bool {
        self.place.lock().parent = Weak::new();
        let mut links = self.node.links.lock();
        let oldest = std::ptr::eq(links.first.as_ptr(), Arc::as_ptr(self));
        links.remove(self);
        oldest
    }

    /// Puts a detached link back where it was.
    pub(super) fn attach(self: &Arc<Self>, place: Place, oldest: bool) {
        *self.place.lock() = place;
        let mut links = self.node.links.lock();
        if oldest { links.push_first(Arc::downgrade(self)) } else { links.push(Arc::downgrade(self)) }
    }
}

/// The links that lead to a node, oldest first. Nearly always there is one.
#[derive(Debug, Default)]
struct InLinks {
    first: Weak<Link>,
    more: VecDeque<Weak<Link>>,
    /// How many of the others may have been removed.
    removed: usize,
}

fn attached(link: &Weak<Link>) -> Option<Arc<Link>> {
    link.upgrade().filter(|l| l.place.lock().parent.strong_count() > 0)
}

impl InLinks {
    /// Adds a link in front of the others.
    fn push_first(&mut self, link: Weak<Link>) {
        let old = std::mem::replace(&mut self.first, link);
        if attached(&old).is_some() {
            self.more.push_front(old);
        }
    }

    fn push(&mut self, link: Weak<Link>) {
        if self.more.is_empty() && attached(&self.first).is_none() {
            self.first = link;
        } else {
            self.more.push_back(link);
        }
    }

    /// Forgets a link that was detached: at once if it is the oldest, else when many have come together.
    fn remove(&mut self, link: &Arc<Link>) {
        if std::ptr::eq(self.first.as_ptr(), Arc::as_ptr(link)) {
            self.first = Weak::new();
            while let Some(next) = self.more.pop_front() {
                if attached(&next).is_some() {
                    self.first = next;
                    break;
                }
            }
            return;
        }
        self.removed += 1;
        if self.removed * 2 > self.more.len() {
            self.more.retain(|l| attached(l).is_some());
            self.removed = 0;
        }
    }

    fn iter(&self) -> impl Iterator<Item = Arc<Link>> {
        std::iter::once(&self.first).chain(&self.more).filter_map(attached)
    }
}

/// An object: a group, a dataset or a committed type; or a link to somewhere else, of which there is never a handle.
#[derive(Debug)]
pub(super) struct Node {
    /// A number that no other node of any tree has.
    pub(super) id: u64,
    pub(super) track_order: bool,
    /// True once a second link was made to it, or it was made part of a second tree.
    pub(super) relinked: AtomicBool,
    /// True while it is a dataset that is spread over ranks, so that this can be told while somebody writes its elements.
    pub(super) spread: AtomicBool,
    links: Mutex<InLinks>,
    /// Absent while there are none.
    pub(super) attrs: RwLock<Option<Box<NameTable<AnyArray>>>>,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Group,
    Dataset,
    Datatype,
    /// A soft or external link.
    Elsewhere,
}

#[derive(Debug)]
pub(super) enum Kind {
    Group(RwLock<Children>),
    Dataset(RwLock<Stored>),
    Datatype(DType),
    /// A path in the same tree.
    Soft(Box<str>),
    /// The file and the path there.
    External(Box<(String, String)>),
}

/// What a dataset holds.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) content: Content,
    /// Absent while it is as usual, which saves its room in most datasets.
    pub(super) properties: Option<Box<Properties>>,
}

/// The elements of a dataset.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// All of them.
    Common(AnyArray),
    /// Those of this rank.
    Distributed(Box<DistributedArray>),
}

/// What a dataset has beyond its elements.
#[derive(Debug, Clone, Default)]
pub(super) struct Properties {
    pub(super) maxshape: Option<Vec<Option<usize>>>,
    pub(super) layout: Layout,
    pub(super) filters: Vec<Filter>,
    pub(super) fill: Fill,
}

impl Node {
    pub(super) fn new(kind: Kind, track_order: bool) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let spread = matches!(&kind, Kind::Dataset(stored) if matches!(stored.read().content, Content::Distributed(_)));
        Arc::new(Self {
            spread: AtomicBool::new(spread),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            track_order,
            relinked: AtomicBool::new(false),
            links: Mutex::default(),
            attrs: RwLock::new(None),
            kind,
        })
    }

    pub(super) fn group(track_order: bool) -> Arc<Self> {
        Self::new(Kind::Group(RwLock::new(NameTable::new(track_order))), track_order)
    }

    /// The children, if it is a group.
    pub(super) fn children(&self) -> Option<&RwLock<Children>> {
        match &self.kind {
            Kind::Group(children) => Some(children),
            _ => None,
        }
    }

    pub(super) fn is_relinked(&self) -> bool {
        self.relinked.load(Ordering::Acquire)
    }

    /// The links that lead here, oldest first.
    pub(super) fn in_links(&self) -> Vec<Arc<Link>> {
        self.links.lock().iter().collect()
    }

    /// The oldest link that leads here.
    pub(super) fn oldest_link(&self) -> Option<Arc<Link>> {
        self.links.lock().iter().next()
    }
}

impl Drop for Node {
    /// Takes the nodes below apart one by one, so that no depth of nesting is too deep for the stack.
    fn drop(&mut self) {
        let Kind::Group(children) = &mut self.kind else { return };
        let mut rest: Vec<Arc<Link>> = children.get_mut().take_values().collect();
        while let Some(link) = rest.pop() {
            // Only the last owner gets a value here.
            let Some(Link { node, .. }) = Arc::into_inner(link) else { continue };
            if let Some(mut node) = Arc::into_inner(node)
                && let Kind::Group(children) = &mut node.kind
            {
                rest.extend(children.get_mut().take_values());
            }
        }
    }
}
