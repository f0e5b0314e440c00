//! Names, links, renames, visits, and the errors of wrong names.

use super::*;

#[test]
fn name_parent_and_file_follow() -> Test {
    let root = MemGroup::new();
    let d = root.create_dataset("a/b/d").write(1)?;
    let b = root.group("a/b")?;
    assert_eq!((root.name(), b.name(), d.name()), ("/".into(), "/a/b".into(), "/a/b/d".into()));
    assert_eq!((b.parent()?, root.parent()?, b.file()), (root.group("a")?, root.clone(), root.clone()));
    assert!(root.is_root() && !b.is_root());
    root.rename("a", "x/y")?;
    assert_eq!((b.name(), d.name()), ("/x/y/b".into(), "/x/y/b/d".into()));
    b.rename("d", "e")?;
    assert_eq!(d.name(), "/x/y/b/e");
    b.rename("e", "/top")?;
    assert_eq!((d.name(), root.dataset("top")?.parent()?), ("/top".into(), root.clone()));
    Ok(())
}

#[test]
fn objects_tell_the_name_by_which_they_were_reached() -> Test {
    let root = MemGroup::new();
    root.create_dataset("a/g/d").write(1)?;
    let before = root.dataset("a/g/d")?;
    root.link_hard("a/g", "b/h")?;
    root.link_hard("a/g/d", "e")?;
    for path in ["/a/g/d", "/b/h/d", "/e"] {
        let d = root.dataset(path)?;
        assert_eq!((d.name().as_str(), &d), (path, &before));
    }
    assert_eq!(root.group("b/h")?.parent()?, root.group("b")?);
    assert_eq!(root.dataset("b/h/d")?.parent()?.name(), "/b/h");
    let (through_h, h) = (root.dataset("b/h/d")?, root.group("b/h")?);
    root.rename("b", "c")?;
    assert_eq!((through_h.name(), h.name(), before.name()), ("/c/h/d".into(), "/c/h".into(), "/a/g/d".into()));
    root.delete("c/h")?;
    assert_eq!((through_h.name(), h.name()), ("/a/g/d".into(), "/a/g".into()), "another way is still there");
    root.delete("a")?;
    assert_eq!((through_h.name(), before.name(), h.name()), ("/e".into(), "/e".into(), String::new()));
    root.delete("e")?;
    assert_eq!(before.name(), "");
    assert_eq!(before.read_slice::<i32>(())?, 1);
    Ok(())
}

#[test]
fn hard_links_in_circles() -> Test {
    let root = MemGroup::new();
    let a = root.create_group("a")?;
    root.link_hard("/", "a/root")?;
    root.link_hard("a", "a/self")?;
    assert_eq!(root.group("a/self/self/root/a")?, a);
    assert_eq!(root.group("a/self/root/a/self")?.name(), "/a/self/root/a/self");
    assert_eq!(root.group("a/root")?, root);
    assert_eq!(root.group("a/root")?.parent()?, a);
    let mut seen = Vec::new();
    root.visit::<()>(|path, _| {
        seen.push(path.to_owned());
        Ok(None)
    })?;
    assert_eq!(seen, ["a"]);
    root.delete("a")?;
    assert_eq!(a.name(), "");
    assert_eq!(a.group("self/self")?.name(), "");
    assert_eq!(a.group("root")?.name(), "/", "the root can still be reached from the deleted group");
    Ok(())
}

#[test]
fn soft_and_external_links() -> Test {
    let root = MemGroup::new();
    root.link_soft("/real/d", "soft")?;
    root.link_external("other.h5", "/x", "external")?;
    assert_eq!(kind(root.dataset("soft")), ErrorKind::NotFound);
    assert_eq!(root.link("external")?, Link::External { file: "other.h5".into(), target: "/x".into() });
    assert_eq!(kind(root.dataset("external")), ErrorKind::NotFound);
    root.create_dataset("real/d").write(5)?;
    assert_eq!(root.dataset("soft")?.read_slice::<i32>(())?, 5);
    assert_eq!(root.dataset("soft")?.name(), "/real/d");
    root.link_soft("real", "dir")?;
    assert_eq!(root.group("dir")?.dataset("d")?, root.dataset("soft")?);
    assert_eq!(root.require_group("dir")?, root.group("real")?);
    assert!(root.contains("dir/d")? && !root.contains("dir/nope")?);
    root.rename("soft", "real/soft")?;
    assert_eq!(root.link("real/soft")?, Link::Soft { target: "/real/d".into() });
    let foreign = MemGroup::new();
    foreign.create_group("g")?;
    assert_eq!(kind(root.new_link_at("x", NewLink::Hard(&foreign.get("g")?))), ErrorKind::InvalidArgument);
    assert_eq!(kind(root.link_hard("real", "dir")), ErrorKind::AlreadyExists);
    Ok(())
}

#[test]
fn wrong_renames_change_nothing() -> Test {
    let root = MemGroup::new();
    root.create_dataset("a/d").write(1)?;
    root.create_group("a/b/c")?;
    root.create_group("g")?;
    let before = root.copy()?;
    for (from, to, wanted) in [
        ("nope", "x", ErrorKind::NotFound),
        ("a/nope", "x", ErrorKind::NotFound),
        ("a", "g", ErrorKind::AlreadyExists),
        ("a", "a/b/x", ErrorKind::InvalidArgument),
        ("a", "a/x", ErrorKind::InvalidArgument),
        ("a", "a/new/deep/x", ErrorKind::InvalidArgument),
        ("g", "a/d/x", ErrorKind::NotAGroup),
        ("/", "x", ErrorKind::InvalidName),
        ("g", "..", ErrorKind::InvalidName),
        ("g", "new/../x", ErrorKind::InvalidName),
        ("g", "x\0y", ErrorKind::InvalidName),
        ("g", "", ErrorKind::InvalidName),
    ] {
        assert_eq!(kind(root.rename(from, to)), wanted, "{from:?} to {to:?}");
        assert!(tree_equal(&root, &before)?, "{from:?} to {to:?}");
    }
    root.rename("g", "g")?;
    root.rename("a/d", "/g/moved")?;
    assert_eq!(root.group("g")?.keys()?, ["moved"]);
    // A group may move below another name of a group that it holds.
    root.link_hard("a/b", "other")?;
    root.rename("a", "other/a")?;
    assert_eq!(root.group("other/a/b")?, root.group("other")?);
    assert_eq!(kind(root.group("g")?.move_child("moved", &MemGroup::new(), "x")), ErrorKind::InvalidArgument);
    Ok(())
}

#[test]
fn names_that_are_none() -> Test {
    let root = MemGroup::new();
    root.create_dataset("d").write(1)?;
    for name in ["", "a\0b", "\0"] {
        assert_eq!(kind(root.get(name)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.dataset(name)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.group(name)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.contains(name)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.create_group(name)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.create_dataset(name).write(1)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.attrs().set(name, 1)), ErrorKind::InvalidName, "{name:?}");
    }
    for name in [".", "..", "a/..", "../a", "a/./b"] {
        assert_eq!(kind(root.get(name)), ErrorKind::NotFound, "{name:?}");
        assert!(!root.contains(name)?);
        assert_eq!(kind(root.create_group(name)), ErrorKind::InvalidName, "{name:?}");
        assert_eq!(kind(root.create_dataset(name).write(1)), ErrorKind::InvalidName, "{name:?}");
    }
    assert_eq!(root.keys()?, ["d"], "nothing was made on the way");
    let errors = [
        (kind(root.group("d")), ErrorKind::NotAGroup),
        (kind(root.require_group("d")), ErrorKind::NotAGroup),
        (kind(root.create_group("d/x")), ErrorKind::NotAGroup),
        (kind(root.create_group("d")), ErrorKind::AlreadyExists),
        (kind(root.create_dataset("d").write(2)), ErrorKind::AlreadyExists),
        (kind(root.dataset("d/x")), ErrorKind::NotFound),
        (kind(root.dataset("/")), ErrorKind::NotADataset),
        (kind(root.require_dataset("d", [2], &DType::I32)), ErrorKind::Shape),
        (kind(root.require_dataset("d", [], &DType::F64)), ErrorKind::Dtype),
        (kind(root.delete("nope")), ErrorKind::NotFound),
        (kind(root.delete("/")), ErrorKind::InvalidName),
        (kind(root.attrs().get::<i32>("nope")), ErrorKind::NotFound),
        (kind(root.create_dataset("x").create()), ErrorKind::Shape),
    ];
    for (at, (got, wanted)) in errors.into_iter().enumerate() {
        assert_eq!(got, wanted, "case {at}");
    }
    let error = root.group("a/b").unwrap_err();
    assert_eq!((error.path(), error.operation().is_some()), (Some("/a/b"), true), "{error}");
    Ok(())
}

#[test]
fn visits_in_order_and_stops() -> Test {
    let root = MemGroup::tracked();
    for name in ["b/z", "b/a", "a", "é", "B"] {
        root.create_group(name)?;
    }
    root.link_soft("a", "soft")?;
    root.link_hard("b/z", "zz")?;
    let mut seen = Vec::new();
    let found = root.visit(|path, node| {
        seen.push(format!("{path} {}", node.name()));
        Ok((path == "é").then_some(7))
    })?;
    assert_eq!(found, Some(7));
    assert_eq!(seen, ["B /B", "a /a", "b /b", "b/a /b/a", "b/z /b/z", "é /é"]);
    assert_eq!(root.keys()?, ["b", "a", "é", "B", "soft", "zz"]);
    root.rename("b", "b2")?;
    root.attrs().set("z", 1)?;
    root.attrs().set("a", 1)?;
    root.attrs().set("z", 2)?;
    assert_eq!(root.keys()?, ["a", "é", "B", "soft", "zz", "b2"], "a renamed one is the newest");
    assert_eq!(root.attrs().keys()?, ["a", "z"], "and so is a replaced one");
    Ok(())
}

#[test]
fn deleting_while_iterating() -> Test {
    let root = MemGroup::new();
    for i in 0..100 {
        root.create_dataset(&format!("{i}")).write(i)?;
    }
    for (name, _) in root.items()? {
        root.delete(&name)?;
    }
    assert!(root.is_empty()?);
    Ok(())
}
