//! Equality of trees in everything that a copy keeps: stored types, specs, order, links, identity, targets and regions of references.

use memh5::prelude::*;
use memh5::tree::{Attributes, Fill, GroupRef, Layout, Link, Node, ObjectId, ObjectRef};
use memh5::{AnyArray, Result};
use std::collections::HashMap;

/// The first difference, or nothing.
pub fn difference(a: &dyn Group, b: &dyn Group) -> Option<String> {
    Compare { places: HashMap::new(), roots: (a.name(), b.name()) }.groups(a, b).unwrap_or_else(|e| Some(format!("{e}")))
}

#[track_caller]
pub fn assert_equal(a: &dyn Group, b: &dyn Group, what: &str) {
    if let Some(difference) = difference(a, b) {
        panic!("{what}: {difference}");
    }
}

struct Compare {
    /// The object of the second tree for each of the first.
    places: HashMap<ObjectId, ObjectId>,
    roots: (String, String),
}

macro_rules! same {
    ($a:expr, $b:expr, $($what:tt)+) => {
        let (a, b) = ($a, $b);
        if a != b {
            return Ok(Some(format!("{}: {a:?} and {b:?}", format!($($what)+))));
        }
    };
}

impl Compare {
    fn groups(&mut self, a: &dyn Group, b: &dyn Group) -> Result<Option<String>> {
        self.places.insert(a.id()?, b.id()?);
        let mut stack: Vec<(GroupRef, GroupRef)> = vec![(a.to_ref(), b.to_ref())];
        let mut all: Vec<(Node, Node)> = vec![(Node::Group(a.to_ref()), Node::Group(b.to_ref()))];
        while let Some((a, b)) = stack.pop() {
            let path = a.name();
            same!(a.group_spec()?, b.group_spec()?, "{path} spec");
            same!(a.child_names()?, b.child_names()?, "{path} names");
            for name in a.child_names()? {
                let path = format!("{path}/{name}");
                match (a.child_link(&name)?, b.child_link(&name)?) {
                    (Some(Link::Soft { target: x }), Some(Link::Soft { target: y })) => {
                        same!(self.moved(&x), y, "{path} target");
                        continue;
                    }
                    (x, y) => {
                        same!(x.clone(), y, "{path} link");
                        if x != Some(Link::Hard) {
                            continue;
                        }
                    }
                }
                let (Some(x), Some(y)) = (a.open_child(&name)?, b.open_child(&name)?) else {
                    return Ok(Some(format!("{path} cannot be opened")));
                };
                same!(x.kind(), y.kind(), "{path}");
                let (i, j) = (x.object().id()?, y.object().id()?);
                match self.places.get(&i) {
                    Some(known) => {
                        same!(*known, j, "{path} is another object");
                    }
                    None => {
                        if self.places.values().any(|known| *known == j) {
                            return Ok(Some(format!("{path} is one object twice")));
                        }
                        self.places.insert(i, j);
                        if let (Node::Group(x), Node::Group(y)) = (&x, &y) {
                            stack.push((x.clone(), y.clone()));
                        }
                        all.push((x, y));
                    }
                }
            }
        }
        for (x, y) in all {
            if let Some(found) = self.content(&x, &y)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn moved(&self, target: &str) -> String {
        match target.strip_prefix(self.roots.0.trim_end_matches('/')) {
            Some(rest) if target.starts_with('/') && self.roots.0 != self.roots.1 => {
                format!("{}{rest}", self.roots.1.trim_end_matches('/'))
            }
            _ => target.to_owned(),
        }
    }

    fn content(&self, a: &Node, b: &Node) -> Result<Option<String>> {
        let path = a.name();
        if let Some(found) = self.attributes(a.attrs(), b.attrs(), &path)? {
            return Ok(Some(found));
        }
        match (a, b) {
            (Node::Datatype(a), Node::Datatype(b)) => {
                same!(a.committed_dtype()?, b.committed_dtype()?, "{path} type");
            }
            (Node::Dataset(a), Node::Dataset(b)) => {
                let (s, t) = (a.spec()?, b.spec()?);
                same!(s.dtype, t.dtype, "{path} type");
                same!(s.shape, t.shape, "{path} shape");
                same!(s.maxshape, t.maxshape, "{path} maxshape");
                // A file has chosen where memory has left the choice.
                if !matches!(s.layout, Layout::Auto | Layout::AutoChunked) {
                    same!(s.layout, t.layout, "{path} layout");
                }
                same!(s.filters, t.filters, "{path} filters");
                same!(s.track_order, t.track_order, "{path} order");
                match (s.fill, t.fill) {
                    (Fill::Value(x), Fill::Value(y)) => {
                        if let Some(found) = self.arrays(&x, &y, &format!("{path} fill value"))? {
                            return Ok(Some(found));
                        }
                    }
                    (x, y) => {
                        same!(format!("{x:?}"), format!("{y:?}"), "{path} fill value");
                    }
                }
                if a.extent()?.is_some()
                    && let Some(found) = self.arrays(&a.read_array()?, &b.read_array()?, &path)?
                {
                    return Ok(Some(found));
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn attributes(&self, a: &dyn Attributes, b: &dyn Attributes, path: &str) -> Result<Option<String>> {
        same!(a.attr_names()?, b.attr_names()?, "{path} attributes");
        for name in a.attr_names()? {
            let (Some(x), Some(y)) = (a.attr_read(&name)?, b.attr_read(&name)?) else { continue };
            if let Some(found) = self.arrays(&x, &y, &format!("{path}@{name}"))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Arrays are equal when those of the first, pointed to the objects of the second tree, are those of the second.
    fn arrays(&self, a: &AnyArray, b: &AnyArray, path: &str) -> Result<Option<String>> {
        same!(a.dtype(), b.dtype(), "{path} type");
        same!(a.extent(), b.extent(), "{path} shape");
        let list = |array: &AnyArray| -> Result<Vec<String>> {
            let mut out = Vec::new();
            let id = |r: &ObjectRef| r.id();
            let out_ref = std::cell::RefCell::new(&mut out);
            array.map_references(
                &mut |r| {
                    out_ref.borrow_mut().push(format!("{:?}", id(r)));
                    Ok(ObjectRef::null())
                },
                &mut |r| {
                    let region = if r.is_null() { "null".into() } else { format!("{:?}", r.region) };
                    out_ref.borrow_mut().push(format!("{:?} {region}", id(&r.target)));
                    Ok(memh5::RegionRef::null())
                },
            )?;
            Ok(out)
        };
        let wanted: Vec<String> = {
            let mut out = Vec::new();
            let cell = std::cell::RefCell::new(&mut out);
            let place = |r: &ObjectRef| r.id().map(|id| self.places.get(&id).copied());
            let show = |p: Option<Option<ObjectId>>| match p {
                None => "None".to_owned(),
                Some(None) => "outside".to_owned(),
                Some(Some(id)) => format!("{:?}", Some(id)),
            };
            a.map_references(
                &mut |r| {
                    cell.borrow_mut().push(show(place(r)));
                    Ok(ObjectRef::null())
                },
                &mut |r| {
                    let region = if r.is_null() { "null".into() } else { format!("{:?}", r.region) };
                    cell.borrow_mut().push(format!("{} {region}", show(place(&r.target))));
                    Ok(memh5::RegionRef::null())
                },
            )?;
            out
        };
        same!(wanted, list(b)?, "{path} references");
        let bare = |x: &AnyArray| x.map_references(&mut |_| Ok(ObjectRef::null()), &mut |_| Ok(memh5::RegionRef::null()));
        if bare(a)? != bare(b)? {
            return Ok(Some(format!("{path}: {a:?} and {b:?}")));
        }
        Ok(None)
    }
}
