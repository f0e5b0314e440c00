//! Hard, soft and external links.

use super::check::{ensure, needs, refused, same};
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::tree::{Link, NewLink};

promises! { "links";
    /// A hard link is one more name of the same object, which stays until the last name goes.
    fn hard_links_share(backend) {
        needs(backend.capabilities().hard_links, "hard links")?;
        let root = backend.fresh()?;
        let d = root.create_dataset("d").write(vec![1, 2, 3])?;
        root.link_hard("d", "g/again")?;
        same(root.dataset("g/again")?.id()?, d.id()?, "one object")?;
        same(root.dataset("g/again")?.name(), "/g/again", "the name by which it was reached")?;
        same(root.link("g/again")?, Link::Hard, "the kind of link")?;
        d.attrs().set("a", 1)?;
        root.dataset("g/again")?.write_slice(0, 9)?;
        same(root.dataset("d")?.read_slice::<Vec<i32>>(())?, [9, 2, 3], "written through the other name")?;
        same(root.dataset("g/again")?.attrs().get::<i32>("a")?, 1, "attributes are shared")?;
        root.delete("d")?;
        same(root.dataset("g/again")?.read_slice::<Vec<i32>>(())?, [9, 2, 3], "it stays under its other name")?;
        refused(root.link_hard("nope", "x"), ErrorKind::NotFound, "a link to nothing")?;
        refused(root.link_hard("g/again", "g"), ErrorKind::AlreadyExists, "a name that is taken")
    }

    /// Hard links may make a circle; `visit` still meets every object once.
    fn hard_links_may_be_circular(backend) {
        needs(backend.capabilities().hard_links, "hard links")?;
        let root = backend.fresh()?;
        root.create_group("a/b")?;
        root.link_hard("/", "a/b/up")?;
        root.link_hard("a", "a/b/a")?;
        same(root.group("a/b/up/a/b/a/b")?.id()?, root.group("a/b")?.id()?, "around and around")?;
        let mut seen = Vec::new();
        root.visit::<()>(|path, _| {
            seen.push(path.to_owned());
            Ok(None)
        })?;
        same(seen, ["a", "a/b"], "each once")?;
        root.delete("a/b")?;
        ensure(!root.contains("a/b")?, "the circle can be cut")
    }

    /// A hard link leads to an object of the same tree only.
    fn hard_links_stay_in_the_tree(backend) {
        needs(backend.capabilities().hard_links, "hard links")?;
        let (root, other) = (backend.fresh()?, backend.fresh()?);
        other.create_dataset("d").write(1)?;
        let node = other.get("d")?;
        refused(root.new_link_at("x", NewLink::Hard(&node)), ErrorKind::InvalidArgument, "an object of another tree")?;
        ensure(root.is_empty()?, "nothing was made")
    }

    /// A soft link is followed at each use: relative to its group or absolute; nothing needs to be there.
    fn soft_links_are_followed(backend) {
        needs(backend.capabilities().soft_links, "soft links")?;
        let root = backend.fresh()?;
        root.link_soft("/late/d", "s")?;
        refused(root.get("s"), ErrorKind::NotFound, "nothing is there yet")?;
        ensure(!root.contains("s")?, "contains says so")?;
        same(root.keys()?, ["s"], "the name is listed")?;
        same(root.len()?, 1, "and counted")?;
        ensure(root.items()?.is_empty(), "but leads to no item")?;
        same(root.link("s")?, Link::Soft { target: "/late/d".into() }, "the link itself")?;
        root.create_dataset("late/d").write(3)?;
        same(root.dataset("s")?.read_slice::<i32>(())?, 3, "now it is followed")?;
        same(root.dataset("s")?.id()?, root.dataset("late/d")?.id()?, "to the object")?;
        root.link_soft("d", "late/rel")?;
        same(root.dataset("late/rel")?.read_slice::<i32>(())?, 3, "relative to its group")?;
        root.link_soft("late", "g")?;
        same(root.group("g")?.keys()?, ["d", "rel"], "a link to a group")?;
        same(root.dataset("g/d")?.read_slice::<i32>(())?, 3, "in the middle of a path")?;
        root.create_dataset("g/new").write(4)?;
        same(root.dataset("late/new")?.read_slice::<i32>(())?, 4, "made through a link")?;
        root.delete("g")?;
        ensure(root.contains("late/d")?, "deleting the link leaves its target")?;
        root.rename("s", "t")?;
        same(root.link("t")?, Link::Soft { target: "/late/d".into() }, "a renamed link is the same link")?;
        root.delete("late/d")?;
        refused(root.get("t"), ErrorKind::NotFound, "its target is gone")
    }

    /// Soft links that lead in a circle lead nowhere; a chain of links is followed.
    fn soft_links_in_circles(backend) {
        needs(backend.capabilities().soft_links, "soft links")?;
        let root = backend.fresh()?;
        root.link_soft("/b", "a")?;
        root.link_soft("/a", "b")?;
        root.link_soft("self", "self")?;
        for path in ["a", "b", "self", "a/x"] {
            refused(root.get(path), ErrorKind::NotFound, path)?;
            ensure(!root.contains(path)?, path)?;
        }
        root.create_group("end")?;
        root.link_soft("/end", "l0")?;
        for i in 1..12 {
            root.link_soft(&format!("/l{}", i - 1), &format!("l{i}"))?;
        }
        same(root.group("l11")?.id()?, root.group("end")?.id()?, "a chain")
    }

    /// Nothing can be made through a link that leads nowhere.
    fn dangling_links_block(backend) {
        needs(backend.capabilities().soft_links, "soft links")?;
        let root = backend.fresh()?;
        root.link_soft("/nowhere", "s")?;
        refused(root.create_group("s"), ErrorKind::AlreadyExists, "the name is taken")?;
        refused(root.create_group("s/x"), ErrorKind::NotFound, "nothing is behind it")?;
        refused(root.create_dataset("s/x").write(1), ErrorKind::NotFound, "nothing is behind it")?;
        root.create_dataset("s").overwrite(true).write(1)?;
        same(root.dataset("s")?.read_slice::<i32>(())?, 1, "it can be replaced")?;
        same(root.keys()?, ["s"], "and nothing else was made")
    }

    /// External links are kept and listed; one to a file that is not there leads nowhere.
    fn external_links_are_kept(backend) {
        needs(backend.capabilities().external_links, "external links")?;
        let root = backend.fresh()?;
        root.link_external("no such file.h5", "/x/y", "e")?;
        same(root.keys()?, ["e"], "it is listed")?;
        let wanted = Link::External { file: "no such file.h5".into(), target: "/x/y".into() };
        same(root.link("e")?, wanted.clone(), "the link itself")?;
        refused(root.get("e"), ErrorKind::NotFound, "the file is not there")?;
        ensure(!root.contains("e")?, "contains says so")?;
        refused(root.link_external("", "/x", "f"), ErrorKind::InvalidName, "no file")?;
        refused(root.link_external("a.h5", "", "f"), ErrorKind::InvalidName, "no target")?;
        root.rename("e", "g/e")?;
        same(root.link("g/e")?, wanted, "a renamed link is the same link")?;
        root.delete("g/e")?;
        ensure(root.group("g")?.is_empty()?, "it can be deleted")
    }

    /// `link` tells what a name is without following it.
    fn links_are_told_apart(backend) {
        needs(backend.capabilities().soft_links, "soft links")?;
        let root = backend.fresh()?;
        root.create_group("g")?;
        root.link_soft("g", "s")?;
        same(root.link("g")?, Link::Hard, "an object")?;
        same(root.link("s")?, Link::Soft { target: "g".into() }, "a soft link")?;
        refused(root.link("nope"), ErrorKind::NotFound, "nothing")?;
        refused(root.link("nope/x"), ErrorKind::NotFound, "nothing above")?;
        refused(root.link("/"), ErrorKind::InvalidName, "the root has no name")
    }
}
