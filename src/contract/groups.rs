//! Groups: what is in them, and in which order.

use super::check::{ensure, needs, refused, same};
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::tree::{GroupSpec, Node};

promises! { "groups";
    /// A new tree is an empty group named `/`, which is its own parent and file.
    fn a_new_tree_is_empty(backend) {
        let root = backend.fresh()?;
        same(root.name(), "/", "the name")?;
        ensure(root.is_empty()? && root.len()? == 0 && root.keys()?.is_empty(), "it is empty")?;
        same(root.parent()?.id()?, root.id()?, "its parent")?;
        same(root.file()?.id()?, root.id()?, "its file")?;
        ensure(root.attrs().is_empty()?, "it has no attributes")?;
        same(root.location().writable, true, "it can be written")
    }

    /// Names are listed by code point, whatever the order in which they were made.
    fn keys_are_sorted(backend) {
        let root = backend.fresh()?;
        for name in ["b", "a", "Z", "é", "10", "9", "日", "_"] {
            root.create_group(name)?;
        }
        let wanted = ["10", "9", "Z", "_", "a", "b", "é", "日"];
        same(root.keys()?, wanted, "keys")?;
        same(root.len()?, 8, "len")?;
        same(root.items()?.into_iter().map(|(n, _)| n).collect::<Vec<_>>(), wanted, "items")
    }

    /// A group made with `track_order` lists its names in the order in which they were made; a renamed or replaced one is the last.
    fn tracked_keys_are_in_order(backend) {
        needs(backend.capabilities().track_order, "tracked order")?;
        let root = backend.fresh()?;
        let g = root.create_group_with("g", &GroupSpec::tracked())?;
        ensure(g.group_spec()?.track_order, "the spec says so")?;
        ensure(!root.create_group("plain")?.group_spec()?.track_order, "and of another it does not")?;
        for name in ["z", "a", "m", "b"] {
            g.create_dataset(name).write(1)?;
        }
        same(g.keys()?, ["z", "a", "m", "b"], "in the order of creation")?;
        g.rename("z", "c")?;
        same(g.keys()?, ["a", "m", "b", "c"], "a renamed one is the last")?;
        g.delete("m")?;
        g.create_dataset("m").write(2)?;
        same(g.keys()?, ["a", "b", "c", "m"], "one that is made again is the last")?;
        g.create_dataset("a").overwrite(true).write(3)?;
        same(g.keys()?, ["b", "c", "m", "a"], "a replaced one is the last")?;
        g.rename("c", "c")?;
        same(g.keys()?, ["b", "c", "m", "a"], "a rename to the same name changes nothing")?;
        if backend.capabilities().soft_links {
            g.link_soft("/g/b", "0")?;
            same(g.keys()?, ["b", "c", "m", "a", "0"], "links too")?;
        }
        for (name, value) in [("y", 1), ("x", 2), ("w", 3)] {
            g.attrs().set(name, value)?;
        }
        same(g.attrs().keys()?, ["y", "x", "w"], "attributes in the order of creation")
    }

    /// `create_group` and `create_dataset` refuse a name that is taken by anything; `require_group` opens what is there.
    fn create_and_require(backend) {
        let root = backend.fresh()?;
        let g = root.create_group("g")?;
        root.create_dataset("d").write(1)?;
        let (links, mut taken) = (backend.capabilities().soft_links, vec!["g", "d", "/g", "g/"]);
        if links {
            root.link_soft("/nowhere", "dangling")?;
            taken.push("dangling");
        }
        for name in taken {
            refused(root.create_group(name), ErrorKind::AlreadyExists, name)?;
            refused(root.create_dataset(name).write(1), ErrorKind::AlreadyExists, name)?;
            refused(root.link_soft("/g", name), ErrorKind::AlreadyExists, name)?;
        }
        same(root.require_group("g")?.id()?, g.id()?, "require_group opens")?;
        same(root.require_group("new/deep")?.name(), "/new/deep", "require_group makes")?;
        refused(root.require_group("d"), ErrorKind::NotAGroup, "require_group of a dataset")?;
        if links {
            refused(root.require_group("dangling"), ErrorKind::AlreadyExists, "require_group of a link that leads nowhere")?;
            root.delete("dangling")?;
        }
        same(root.keys()?, ["d", "g", "new"], "nothing else was made")
    }

    /// `require_dataset` opens a dataset of that shape whose type holds every required value, and makes it otherwise, filled with zeros.
    fn require_dataset_checks(backend) {
        let root = backend.fresh()?;
        let d = root.require_dataset("d", [2, 3], &DType::F64)?;
        same(d.read::<f64>()?.sum(), 0.0, "it is made with zeros")?;
        same(root.require_dataset("d", [2, 3], &DType::F64)?.id()?, d.id()?, "it is opened")?;
        same(root.require_dataset("d", [2, 3], &DType::F32)?.id()?, d.id()?, "a type of fewer values is opened")?;
        same(root.require_dataset("d", [2, 3], &DType::I16)?.id()?, d.id()?, "an integer type too")?;
        refused(root.require_dataset("d", [3, 2], &DType::F64), ErrorKind::Shape, "another shape")?;
        refused(root.require_dataset("d", [6], &DType::F64), ErrorKind::Shape, "another rank")?;
        refused(root.require_dataset("d", [2, 3], &DType::C128), ErrorKind::Dtype, "complex numbers")?;
        refused(root.require_dataset("d", [2, 3], &DType::STR), ErrorKind::Dtype, "text")?;
        refused(root.require_dataset_exact("d", &[2, 3], &DType::F32), ErrorKind::Dtype, "not the exact type")?;
        same(root.require_dataset_exact("d", &[2, 3], &DType::F64)?.id()?, d.id()?, "the exact type")?;
        root.create_group("g")?;
        refused(root.require_dataset("g", [1], &DType::F64), ErrorKind::NotADataset, "a group")?;
        if backend.capabilities().null_datasets {
            root.create_dataset("null").dtype(DType::F64).null().create()?;
            refused(root.require_dataset("null", [1], &DType::F64), ErrorKind::Shape, "a null dataspace")?;
        }
        refused(root.require_dataset("d/x", [1], &DType::F64), ErrorKind::NotAGroup, "below a dataset")
    }

    /// `get` tells groups, datasets and committed types apart; `group` and `dataset` refuse what they do not want.
    fn kinds_of_objects(backend) {
        needs(backend.capabilities().committed_types, "committed types")?;
        let root = backend.fresh()?;
        root.create_group("g")?;
        root.create_dataset("d").write(1)?;
        let point = DType::compound([("x", DType::F64), ("n", DType::STR)])?;
        let t = root.commit_datatype("t", &point)?;
        same(t.committed_dtype()?, point.clone(), "the committed type")?;
        for (name, kind) in [("g", "group"), ("d", "dataset"), ("t", "datatype")] {
            let node = root.get(name)?;
            same(node.kind(), kind, name)?;
            same(node.name(), format!("/{name}"), name)?;
        }
        let Node::Datatype(again) = root.get("t")? else { return ensure(false, "the type is a datatype") };
        same(again.committed_dtype()?, point, "the committed type, opened")?;
        again.attrs().set("a", 1)?;
        same(root.get("t")?.attrs().get::<i32>("a")?, 1, "an attribute of a type")?;
        refused(root.group("d"), ErrorKind::NotAGroup, "a dataset is no group")?;
        refused(root.group("t"), ErrorKind::NotAGroup, "a type is no group")?;
        refused(root.dataset("g"), ErrorKind::NotADataset, "a group is no dataset")?;
        refused(root.dataset("t"), ErrorKind::NotADataset, "a type is no dataset")?;
        refused(root.commit_datatype("t", &DType::F64), ErrorKind::AlreadyExists, "the name is taken")?;
        same(root.len()?, 3, "all are counted")
    }

    /// Every committed type comes back as it was.
    fn committed_types(backend) {
        needs(backend.capabilities().committed_types, "committed types")?;
        let root = backend.fresh()?;
        let mut faults = super::check::Faults::default();
        for (at, (name, dtype)) in super::dtypes()?.into_iter().enumerate() {
            faults.case(&name, || {
                let path = format!("t{at}");
                root.commit_datatype(&path, &dtype)?;
                let Node::Datatype(t) = root.get(&path)? else { return ensure(false, "it is a datatype") };
                same(t.committed_dtype()?, dtype.clone(), "the type")
            });
        }
        faults.finish()
    }

    /// `parent` and `file` lead up from any depth, and `name` is the absolute path.
    fn parent_and_file(backend) {
        let root = backend.fresh()?;
        let c = root.create_group("a/b/c")?;
        same(c.name(), "/a/b/c", "the name")?;
        same(c.parent()?.name(), "/a/b", "the parent")?;
        same(c.parent()?.parent()?.parent()?.id()?, root.id()?, "up to the root")?;
        same(c.file()?.id()?, root.id()?, "the file")?;
        let d = c.create_dataset("d").write(1)?;
        same(d.name(), "/a/b/c/d", "the name of a dataset")?;
        same(d.root()?.id()?, root.id()?, "the file of a dataset")?;
        ensure(c.id()? != root.id()? && c.id()? == root.group("a/b/c")?.id()?, "identities")?;
        same(c.id()?.tree, root.id()?.tree, "one tree")?;
        ensure(backend.fresh()?.id()?.tree != root.id()?.tree, "another tree has another number")
    }

    /// `delete` removes a name and everything below; the name is free again.
    fn delete_removes(backend) {
        let root = backend.fresh()?;
        root.create_dataset("a/b/d").write(1)?;
        root.create_dataset("a/e").write(2)?;
        root.delete("a/b")?;
        ensure(!root.contains("a/b")? && !root.contains("a/b/d")?, "it is gone")?;
        same(root.group("a")?.keys()?, ["e"], "what is left")?;
        refused(root.delete("a/b"), ErrorKind::NotFound, "a second time")?;
        root.create_dataset("a/b").write(vec![1, 2])?;
        same(root.dataset("a/b")?.shape()?, [2], "the name is free again")?;
        root.group("a")?.delete("/a/e")?;
        same(root.group("a")?.keys()?, ["b"], "an absolute path")?;
        root.delete("a/")?;
        ensure(root.is_empty()?, "everything is gone")
    }

    /// `rename` moves an object, with all below it, within a group or to another; nothing is overwritten, no group moves into itself.
    fn rename_moves(backend) {
        let root = backend.fresh()?;
        root.create_dataset("a/d").write(5)?;
        root.create_group("b")?;
        root.attrs().set("x", 1)?;
        root.rename("a", "c")?;
        same(root.keys()?, ["b", "c"], "a rename")?;
        root.rename("c", "b/in/c")?;
        same(root.dataset("b/in/c/d")?.read_slice::<i32>(())?, 5, "a move")?;
        same(root.dataset("b/in/c/d")?.name(), "/b/in/c/d", "the name after")?;
        let inner = root.group("b/in")?;
        inner.rename("c/d", "/d")?;
        same(root.keys()?, ["b", "d"], "to an absolute path")?;
        inner.rename("/d", "d")?;
        same(inner.keys()?, ["c", "d"], "from an absolute path")?;
        refused(root.rename("b", "b/in/b"), ErrorKind::InvalidArgument, "into itself")?;
        refused(root.rename("b", "b/x"), ErrorKind::InvalidArgument, "directly into itself")?;
        refused(root.rename("b", "b/new/x"), ErrorKind::InvalidArgument, "into a group below that is yet to be made")?;
        refused(inner.rename("c", "d"), ErrorKind::AlreadyExists, "over something")?;
        refused(inner.rename("nope", "x"), ErrorKind::NotFound, "nothing")?;
        refused(inner.rename("nope", "d"), ErrorKind::NotFound, "nothing, over something")?;
        inner.rename("c", "c")?;
        root.rename("b/in", "/b//in/")?;
        same(inner.keys()?, ["c", "d"], "nothing has changed")
    }

    /// `visit` meets every object once: groups before what is in them, names by code point; a value ends the walk.
    fn visit_meets_all(backend) {
        let root = backend.fresh()?;
        root.create_dataset("b/y").write(1)?;
        root.create_dataset("b/x").write(1)?;
        root.create_group("a/z/deep")?;
        root.create_dataset("c").write(1)?;
        if backend.capabilities().soft_links {
            root.link_soft("/b", "a/soft")?;
        }
        let mut seen = Vec::new();
        root.visit::<()>(|path, node| {
            seen.push(format!("{path}:{}", node.kind()));
            Ok(None)
        })?;
        let wanted = ["a:group", "a/z:group", "a/z/deep:group", "b:group", "b/x:dataset", "b/y:dataset", "c:dataset"];
        same(seen, wanted, "the walk")?;
        let found = root.visit(|path, node| Ok((node.kind() == "dataset").then(|| path.to_owned())))?;
        same(found.as_deref(), Some("b/x"), "the first dataset")?;
        let below = root.group("b")?;
        let mut seen = Vec::new();
        below.visit::<()>(|path, _| {
            seen.push(path.to_owned());
            Ok(None)
        })?;
        same(seen, ["x", "y"], "paths are relative")?;
        let stopped = root.visit::<()>(|_, _| Err(crate::error::error!(Cancelled, "enough")));
        refused(stopped, ErrorKind::Cancelled, "an error ends it")
    }

    /// A thousand children are listed, counted and found.
    fn many_children(backend) {
        let root = backend.fresh()?;
        let g = root.create_group("many")?;
        for i in (0..1000).rev() {
            g.create_group(&format!("{i:04}"))?;
        }
        same(g.len()?, 1000, "len")?;
        let keys = g.keys()?;
        ensure(keys.windows(2).all(|w| w[0] < w[1]) && keys.len() == 1000, "in order")?;
        ensure(g.contains("0999")? && !g.contains("1000")?, "look-ups")
    }
}
