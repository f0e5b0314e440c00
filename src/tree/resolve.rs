//! From a path to an object: one resolver for all backends.

use super::group::{Group, GroupExt, GroupRef, Node};
use super::link::Link;
use crate::error::{ErrorKind, Result, bail, error};
use crate::path;
use std::borrow::Cow;
use std::collections::HashSet;

/// How many links may follow each other. (HDF5 stops at 16.)
const MAX_LINKS: usize = 40;

/// Opens what a path leads to, following links.
pub(crate) fn open(group: &dyn Group, name: &str) -> Result<Node> {
    path::check_lookup(name)?;
    if name.is_empty() {
        bail!(InvalidName, "an empty name leads to no object");
    }
    open_at(group, name, &mut 0)
}

/// Opens a direct child, following links.
pub(crate) fn open_single(group: &dyn Group, name: &str) -> Result<Node> {
    step(group, name, &mut 0)
}

fn open_at(group: &dyn Group, name: &str, links: &mut usize) -> Result<Node> {
    let root = if path::is_absolute(name) { Some(group.root()?) } else { None };
    let mut parts = path::parts(name);
    let Some(first) = parts.next() else { return Ok(Node::Group(root.unwrap_or_else(|| group.to_ref()))) };
    let mut node = step(root.as_deref().unwrap_or(group), first, links)?;
    for part in parts {
        let Node::Group(here) = &node else {
            return Err(error!(NotFound, "there is no '{part}' below '{}', which is a {}", node.name(), node.kind()));
        };
        node = step(&**here, part, links)?;
    }
    Ok(node)
}

fn step(group: &dyn Group, part: &str, links: &mut usize) -> Result<Node> {
    if let Some(node) = group.open_child(part)? {
        return Ok(node);
    }
    match group.child_link(part)? {
        None | Some(Link::Hard) => Err(error!(NotFound, "there is no '{part}' in '{}'", group.name())),
        Some(link) => {
            *links += 1;
            if *links > MAX_LINKS {
                bail!(
                    NotFound,
                    "more than {MAX_LINKS} links follow each other at '{}': they lead in a circle",
                    path::join(&group.name(), part)
                );
            }
            match link {
                Link::Soft { target } => open_at(group, &target, links).map_err(|e| {
                    if e.is_not_found() {
                        error!(NotFound, "the soft link '{}' leads to '{target}', which is not there", path::join(&group.name(), part))
                    } else {
                        e
                    }
                }),
                Link::External { file, target } => {
                    let root = crate::format::open_external(&group.location(), &file)?;
                    open_at(&*root, &path::join("/", &target), links)
                }
                Link::Hard => Err(error!(Corrupt, "the link '{part}' leads to nothing")),
            }
        }
    }
}

/// The group that holds the last name of a path, and that name. `InvalidName` for the root.
pub(crate) fn parent<'n>(group: &dyn Group, name: &'n str) -> Result<(GroupRef, &'n str)> {
    path::check_lookup(name)?;
    let Some((before, last)) = path::split_last(name) else { bail!(InvalidName, "the root has no name in a group") };
    let before = if before.is_empty() { Cow::Borrowed(".") } else { Cow::Borrowed(before) };
    let parent = if before == "." { group.to_ref() } else { into_parent(open_at(group, &before, &mut 0)?, last)? };
    Ok((parent, last))
}

fn into_parent(node: Node, last: &str) -> Result<GroupRef> {
    match node {
        Node::Group(g) => Ok(g),
        other => Err(error!(NotFound, "there is no '{last}' below '{}', which is a {}", other.name(), other.kind())),
    }
}

/// The deepest group on a path that is there.
pub(crate) fn deepest(group: &dyn Group, name: &str) -> Result<GroupRef> {
    let mut here = if path::is_absolute(name) { group.root()? } else { group.to_ref() };
    for part in path::parts(name) {
        match step(&*here, part, &mut 0) {
            Ok(Node::Group(next)) => here = next,
            Ok(_) => break,
            Err(e) if e.is_not_found() => break,
            Err(e) => return Err(e),
        }
    }
    Ok(here)
}

/// The group in which something new of that path is to be made, and its name there. Missing groups on the way are made, after all
/// names were checked and the last one found free.
pub(crate) fn new_parent(group: &dyn Group, name: &str, dataset: bool) -> Result<(GroupRef, String)> {
    path::check_lookup(name)?;
    let mut parts: Vec<&str> = path::parts(name).collect();
    let Some(last) = parts.pop() else {
        if path::is_absolute(name) {
            bail!(AlreadyExists, "the root is there already");
        }
        bail!(InvalidName, "a name is needed, and this one is empty");
    };
    let mut here = if path::is_absolute(name) { group.root()? } else { group.to_ref() };
    path::check_new_name(last)?;
    for (at, part) in parts.iter().enumerate() {
        match step(&*here, part, &mut 0) {
            Ok(Node::Group(next)) => here = next,
            Ok(other) => bail!(NotAGroup, "'{}' is a {}, and nothing can be made in it", other.name(), other.kind()),
            Err(e) if !e.is_not_found() => return Err(e),
            Err(e) => {
                if here.child_link(part)?.is_some() {
                    return Err(e); // a link that leads nowhere
                }
                for part in &parts[at..] {
                    path::check_new_name(part)?;
                }
                let full = || path::join(&here.name(), &format!("{}/{last}", parts[at..].join("/")));
                here.check_allowed(&full, dataset)?;
                for part in &parts[at..] {
                    here = match here.new_group(part, &Default::default()) {
                        // Somebody else has made it meanwhile.
                        Err(e) if e.kind() == ErrorKind::AlreadyExists => step(&*here, part, &mut 0)?.into_group()?,
                        made => made?,
                    };
                }
                return Ok((here, last.to_owned()));
            }
        }
    }
    here.check_allowed(&|| path::join(&here.name(), last), dataset)?;
    if here.child_link(last)?.is_some() {
        let there = here.open_child(last)?.map_or("link", |n| n.kind());
        return Err(error!(AlreadyExists, "'{}' exists already, as a {there}", path::join(&here.name(), last))
            .remedy("delete it first, or say .overwrite(true) where there is that choice"));
    }
    Ok((here, last.to_owned()))
}

/// Calls the function once for each object below the group, depth first, names in code-point order.
pub(crate) fn visit<R>(group: &dyn Group, f: &mut dyn FnMut(&str, &Node) -> Result<Option<R>>) -> Result<Option<R>> {
    let mut seen = HashSet::from([group.id()?]);
    // Each entry: a group, the length of its path, the names still to visit (last first). A stack, so that no depth is too deep.
    let sorted = |group: &dyn Group| -> Result<Vec<String>> {
        let mut names = group.keys()?;
        names.sort_unstable_by(|a, b| b.cmp(a));
        Ok(names)
    };
    let mut path = String::new();
    let mut stack = vec![(group.to_ref(), 0, sorted(group)?)];
    while let Some((here, base, names)) = stack.last_mut() {
        let Some(name) = names.pop() else {
            stack.pop();
            continue;
        };
        let Some(node) = here.open_child(&name)? else { continue };
        if !seen.insert(node.object().id()?) {
            continue;
        }
        path.truncate(*base);
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&name);
        if let Some(found) = f(&path, &node)? {
            return Ok(Some(found));
        }
        if let Node::Group(child) = node {
            let names = sorted(&*child)?;
            stack.push((child, path.len(), names));
        }
    }
    Ok(None)
}
