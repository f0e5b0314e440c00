//! Names and paths.

use super::check::{Faults, ensure, needs, refused, same};
use crate::error::ErrorKind;
use crate::prelude::*;

promises! { "names";
    /// Empty parts of a path mean nothing: `//a///b/` is `/a/b`.
    fn empty_parts_are_dropped(backend) {
        let root = backend.fresh()?;
        let made = root.create_group("//a///b/")?;
        same(made.name(), "/a/b", "the name of a new group")?;
        for path in ["a/b", "/a/b", "a//b", "//a/b//", "/a/b/", "a/b/"] {
            same(root.group(path)?.name(), "/a/b", path)?;
            ensure(root.contains(path)?, path)?;
        }
        let d = root.create_dataset("/x//y/").write(1.0)?;
        same(d.name(), "/x/y", "the name of a new dataset")?;
        same(root.keys()?, ["a", "x"], "the names at the root")
    }

    /// A relative path begins at the group, an absolute one at the root.
    fn relative_and_absolute(backend) {
        let root = backend.fresh()?;
        let a = root.create_group("a")?;
        a.create_group("b/c")?;
        same(a.group("b/c")?.name(), "/a/b/c", "a relative path")?;
        same(a.group("/a/b")?.name(), "/a/b", "an absolute path")?;
        a.create_group("/top")?;
        same(root.keys()?, ["a", "top"], "an absolute name is made at the root")?;
        refused(a.group("a/b"), ErrorKind::NotFound, "a path is not looked up at the root")?;
        same(a.group("/")?.name(), "/", "the root from below")?;
        same(root.get("/")?.name(), "/", "the root from the root")?;
        same(root.get("//")?.name(), "/", "the root, spelled with empty parts")
    }

    /// The empty name leads to nothing, and nothing can be made under it.
    fn the_empty_name_is_invalid(backend) {
        let root = backend.fresh()?;
        refused(root.get(""), ErrorKind::InvalidName, "get")?;
        refused(root.contains(""), ErrorKind::InvalidName, "contains")?;
        refused(root.create_group(""), ErrorKind::InvalidName, "create_group")?;
        refused(root.require_group(""), ErrorKind::InvalidName, "require_group")?;
        refused(root.create_dataset("").write(1), ErrorKind::InvalidName, "create_dataset")?;
        refused(root.delete(""), ErrorKind::InvalidName, "delete")?;
        refused(root.rename("", "x"), ErrorKind::InvalidName, "rename from")?;
        root.create_group("x")?;
        refused(root.rename("x", ""), ErrorKind::InvalidName, "rename to")?;
        same(root.keys()?, ["x"], "nothing was made")
    }

    /// The root cannot be made, deleted or renamed.
    fn the_root_stays(backend) {
        let root = backend.fresh()?;
        root.create_group("x")?;
        refused(root.create_group("/"), ErrorKind::AlreadyExists, "create_group")?;
        refused(root.create_dataset("/").write(1), ErrorKind::AlreadyExists, "create_dataset")?;
        same(root.require_group("/")?.name(), "/", "require_group")?;
        refused(root.delete("/"), ErrorKind::InvalidName, "delete")?;
        refused(root.rename("/", "y"), ErrorKind::InvalidName, "rename from")?;
        refused(root.rename("x", "/"), ErrorKind::AlreadyExists, "rename to")?;
        same(root.keys()?, ["x"], "nothing has changed")
    }

    /// `.` and `..` are no names: nothing is found there, and nothing can be made there.
    fn dots_are_no_names(backend) {
        let root = backend.fresh()?;
        let a = root.create_group("a")?;
        a.create_group("b")?;
        for path in [".", "..", "a/..", "a/./b", "a/../a", "./a"] {
            refused(root.get(path), ErrorKind::NotFound, path)?;
            ensure(!root.contains(path)?, path)?;
        }
        for path in [".", "..", "a/.", "a/..", "/..", "new/.", "./new", "new/../x"] {
            refused(root.create_group(path), ErrorKind::InvalidName, path)?;
            refused(root.create_dataset(path).write(1), ErrorKind::InvalidName, path)?;
            refused(root.rename("a", path), ErrorKind::InvalidName, path)?;
            refused(root.link_soft("/a", path), ErrorKind::InvalidName, path)?;
        }
        same(root.keys()?, ["a"], "nothing was made on the way")?;
        root.create_group("...")?;
        root.create_group(".hidden")?;
        same(root.keys()?, ["...", ".hidden", "a"], "names that only look like dots are names")
    }

    /// A NUL is refused in every name.
    fn nul_is_refused(backend) {
        let root = backend.fresh()?;
        root.create_group("a")?;
        for path in ["\0", "a\0", "a\0b", "a/\0", "b/c\0/d"] {
            refused(root.get(path), ErrorKind::InvalidName, format!("get {path:?}"))?;
            refused(root.contains(path), ErrorKind::InvalidName, format!("contains {path:?}"))?;
            refused(root.create_group(path), ErrorKind::InvalidName, format!("create_group {path:?}"))?;
            refused(root.require_group(path), ErrorKind::InvalidName, format!("require_group {path:?}"))?;
            refused(root.create_dataset(path).write(1), ErrorKind::InvalidName, format!("create_dataset {path:?}"))?;
            refused(root.delete(path), ErrorKind::InvalidName, format!("delete {path:?}"))?;
            refused(root.rename("a", path), ErrorKind::InvalidName, format!("rename to {path:?}"))?;
            refused(root.link_soft(path, "s"), ErrorKind::InvalidName, format!("a soft link to {path:?}"))?;
            refused(root.link_soft("/a", path), ErrorKind::InvalidName, format!("a soft link named {path:?}"))?;
            refused(root.link_external("f.h5", path, "e"), ErrorKind::InvalidName, format!("an external link to {path:?}"))?;
            refused(root.link_external(path, "/a", "e"), ErrorKind::InvalidName, format!("an external link into {path:?}"))?;
        }
        same(root.keys()?, ["a"], "nothing was made")
    }

    /// Any other text is a name: blanks, signs, other scripts, both forms of an accent.
    fn any_text_is_a_name(backend) {
        let root = backend.fresh()?;
        let names = [
            " ", "a b", "tab\tnew\nline", "ünïcödé", "e\u{301}", "\u{e9}", "日本語", "🦀", "%", "\\", "*?[]", "C:", "~", "-", "\u{7f}", "\u{1}",
            "a.b", "'quoted'", "\"double\"", "\u{feff}bom", "ﬀ",
        ];
        let mut faults = Faults::default();
        for name in names {
            faults.case(name, || {
                root.create_dataset(name).write(name.len() as i64)?;
                same(root.dataset(name)?.read_slice::<i64>(())?, name.len() as i64, "the value")?;
                same(root.dataset(name)?.name(), format!("/{name}"), "the name")
            });
        }
        let mut wanted: Vec<&str> = names.to_vec();
        wanted.sort_unstable();
        faults.add("keys", same(root.keys()?, wanted, "the names, by code point"));
        faults.finish()
    }

    /// A name may be long, and so may be a path.
    fn long_names(backend) {
        needs(backend.capabilities().long_names, "names of more than 255 bytes")?;
        let root = backend.fresh()?;
        let long = "x".repeat(4_000);
        let other = format!("{}y", "x".repeat(3_999));
        root.create_group(&long)?;
        root.create_dataset(&other).write(7)?;
        same(root.keys()?, [long.as_str(), other.as_str()], "the long names")?;
        same(root.dataset(&other)?.read_slice::<i32>(())?, 7, "the value")?;
        let deep = vec!["level"; 300].join("/");
        same(root.create_group(&deep)?.name(), format!("/{deep}"), "a deep group")?;
        same(root.group(&deep)?.name().matches('/').count(), 300, "the depth")
    }

    /// What is made below missing groups makes them; a call that fails makes none.
    fn missing_groups_are_made(backend) {
        let root = backend.fresh()?;
        root.create_dataset("a/b/c").write(1)?;
        same(root.group("a")?.keys()?, ["b"], "the groups on the way")?;
        if backend.capabilities().soft_links {
            root.link_soft("/a", "l/m/n")?;
            same(root.group("l/m/n")?.keys()?, ["b"], "through the soft link")?;
        }
        root.rename("a/b/c", "p/q/r")?;
        same(root.dataset("p/q/r")?.read_slice::<i32>(())?, 1, "the moved dataset")?;
        refused(root.create_dataset("u/v").create(), ErrorKind::Shape, "a dataset without a shape")?;
        refused(root.create_dataset("u/w").shape([2]).write(vec![1, 2, 3]), ErrorKind::Shape, "data that do not fit")?;
        refused(root.rename("nope", "u/x"), ErrorKind::NotFound, "a rename of nothing")?;
        ensure(!root.contains("u")?, "a call that fails leaves no group behind")
    }

    /// Nothing is below a dataset: looking there finds nothing, making something there is refused.
    fn nothing_is_below_a_dataset(backend) {
        let root = backend.fresh()?;
        root.create_dataset("d").write(1)?;
        refused(root.get("d/x"), ErrorKind::NotFound, "get")?;
        ensure(!root.contains("d/x/y")?, "contains")?;
        refused(root.delete("d/x"), ErrorKind::NotFound, "delete")?;
        refused(root.create_group("d/x"), ErrorKind::NotAGroup, "create_group")?;
        refused(root.create_group("d/x/y"), ErrorKind::NotAGroup, "create_group deeper")?;
        refused(root.require_group("d/x"), ErrorKind::NotAGroup, "require_group")?;
        refused(root.create_dataset("d/x").write(1), ErrorKind::NotAGroup, "create_dataset")?;
        refused(root.link_soft("/", "d/x"), ErrorKind::NotAGroup, "link_soft")?;
        refused(root.rename("d", "d/x"), ErrorKind::NotAGroup, "rename")
    }
}
