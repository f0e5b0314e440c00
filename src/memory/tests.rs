//! What can only be seen from within: that nothing leaks, and that no depth is too deep.

use super::node::Node;
use super::{MemAttrs, MemGroup};
use crate::AnyArray;
use crate::prelude::*;
use std::sync::{Arc, Weak};

fn weak(group: &MemGroup) -> Weak<Node> {
    Arc::downgrade(group.0.node())
}

fn gone(nodes: &[Weak<Node>]) -> Vec<bool> {
    nodes.iter().map(|n| n.strong_count() == 0).collect()
}

/// a/b/c with b/up -> a, c/root -> /, and a/self -> a.
fn circles() -> (MemGroup, Vec<Weak<Node>>) {
    let root = MemGroup::new();
    let c = root.create_group("a/b/c").unwrap();
    root.link_hard("a", "a/b/up").unwrap();
    root.link_hard("/", "a/b/c/root").unwrap();
    root.link_hard("a", "a/self").unwrap();
    let nodes = vec![weak(&root), weak(&root.group("a").unwrap()), weak(&root.group("a/b").unwrap()), weak(&c)];
    (root, nodes)
}

#[test]
fn a_tree_with_circles_goes_with_its_last_handle() {
    let (root, nodes) = circles();
    let c = root.group("a/b/c").unwrap();
    drop(root);
    assert_eq!(gone(&nodes), [false; 4], "a handle keeps the whole tree");
    assert_eq!(c.file().keys().unwrap(), ["a"]);
    drop(c);
    assert_eq!(gone(&nodes), [true; 4]);
}

#[test]
fn a_circle_goes_with_its_last_name() {
    let (root, nodes) = circles();
    root.delete("a").unwrap();
    assert_eq!(gone(&nodes), [false, true, true, true]);
}

#[test]
fn a_circle_stays_as_long_as_a_name_leads_there() {
    let (root, nodes) = circles();
    root.link_hard("a/b/c", "other").unwrap();
    root.delete("a").unwrap();
    assert_eq!(gone(&nodes), [false, true, true, false], "c has a name outside");
    assert_eq!(root.group("other").unwrap().keys().unwrap(), ["root"]);
    root.delete("other").unwrap();
    assert_eq!(gone(&nodes), [false, true, true, true]);
}

#[test]
fn a_circle_that_is_held_goes_later() {
    let (root, nodes) = circles();
    let b = root.group("a/b").unwrap();
    root.delete("a").unwrap();
    assert_eq!(gone(&nodes), [false; 4], "b is held, and everything can be reached from it");
    assert_eq!((b.name(), b.group("up").unwrap().name()), (String::new(), String::new()));
    assert_eq!(b.keys().unwrap(), ["c", "up"]);
    assert!(b.parent().is_err());
    drop(b);
    root.flush().unwrap();
    assert_eq!(gone(&nodes), [false, true, true, true]);
    // Also when it is released after the next removal, or never looked at again.
    for flush in [true, false] {
        let (root, nodes) = circles();
        let b = root.group("a/b").unwrap();
        root.delete("a").unwrap();
        drop(b);
        if flush {
            root.create_group("x").unwrap();
            root.delete("x").unwrap();
            assert_eq!(gone(&nodes), [false, true, true, true]);
        }
        drop(root);
        assert_eq!(gone(&nodes), [true; 4]);
    }
}

#[test]
fn a_circle_below_a_deleted_group_goes_too() {
    let root = MemGroup::new();
    let top = root.create_group("top").unwrap();
    let inner = root.create_group("top/inner/deep").unwrap();
    root.link_hard("top/inner", "top/inner/deep/again").unwrap();
    let nodes = [weak(&top), weak(&root.group("top/inner").unwrap()), weak(&inner)];
    drop(inner);
    root.delete("top").unwrap();
    assert_eq!(gone(&nodes), [false; 3]);
    drop(top);
    root.flush().unwrap();
    assert_eq!(gone(&nodes), [true; 3]);
}

#[test]
fn a_deleted_group_that_is_linked_again_stays() {
    let (root, nodes) = circles();
    let b = root.get("a/b").unwrap();
    root.delete("a").unwrap();
    root.new_link_at("back", crate::tree::NewLink::Hard(&b)).unwrap();
    drop(b);
    root.flush().unwrap();
    assert_eq!(gone(&nodes), [false; 4]);
    assert_eq!(root.group("back/up/b/c").unwrap().name(), "/back/up/b/c");
    root.delete("back").unwrap();
    assert_eq!(gone(&nodes), [false, true, true, true]);
}

#[test]
fn copies_of_circles_do_not_leak() {
    let (root, _) = circles();
    let copy = root.copy().unwrap();
    let shallow = root.copy_shallow().unwrap();
    let nodes: Vec<_> = [&copy, &shallow].iter().flat_map(|r| ["/", "a", "a/b", "a/b/c"].map(|p| weak(&r.group(p).unwrap()))).collect();
    assert_eq!(copy.group("a/b/up/b").unwrap(), copy.group("a/b").unwrap());
    assert_eq!(shallow.group("a/b/c/root").unwrap(), shallow);
    drop(copy);
    drop(shallow);
    assert_eq!(gone(&nodes), [true; 8]);
}

#[test]
fn no_depth_is_too_deep() {
    const DEPTH: usize = 100_000;
    for circle in [false, true] {
        let root = MemGroup::new();
        let mut deepest = root.clone();
        for _ in 0..DEPTH {
            deepest = deepest.create_group("g").unwrap();
        }
        deepest.create_dataset("d").write(7).unwrap();
        if circle {
            deepest.new_link_at("top", crate::tree::NewLink::Hard(&root.get("g").unwrap())).unwrap();
        }
        assert_eq!(deepest.name().len(), 2 * DEPTH);
        let mut objects = 0;
        root.visit::<()>(|path, _| {
            objects += 1;
            assert_eq!(path.len(), 2 * objects - 1);
            Ok(None)
        })
        .unwrap();
        assert_eq!(objects, DEPTH + 1);
        let copy = root.copy().unwrap();
        let node = weak(&deepest);
        drop(deepest);
        if circle {
            let held = root.group("g").unwrap();
            root.delete("g").unwrap();
            assert_eq!(held.group("g").unwrap().name(), "");
        }
        drop(root);
        assert_eq!(node.strong_count(), 0);
        drop(copy);
    }
}

#[test]
fn many_names_have_no_cliff() {
    // Sizes at which anything quadratic would take minutes.
    const N: usize = 100_000;
    for tracked in [false, true] {
        let root = if tracked { MemGroup::tracked() } else { MemGroup::new() };
        let attrs = if tracked { MemAttrs::tracked() } else { MemAttrs::new() };
        // Backwards, so that the order of listing is never that of insertion.
        for i in (0..N).rev() {
            root.create_group(&format!("{i:06}")).unwrap();
            attrs.set(&format!("{i:06}"), i as u64).unwrap();
        }
        let expected = |i: usize| format!("{:06}", if tracked { N - 1 - i } else { i });
        for (names, what) in [(root.keys().unwrap(), "children"), (attrs.keys().unwrap(), "attributes")] {
            assert!(names.len() == N && names.iter().enumerate().all(|(i, n)| *n == expected(i)), "{what}");
        }
        root.link_hard("000000", "000001/link").unwrap();
        for i in 0..N {
            if i % 2 == 0 {
                root.delete(&expected(i)).unwrap();
                attrs.delete(&expected(i)).unwrap();
            } else {
                root.rename(&expected(i), &format!("new{i:06}")).unwrap();
            }
        }
        assert_eq!((root.len().unwrap(), attrs.len().unwrap()), (N / 2, N / 2));
        assert_eq!(root.keys().unwrap()[0], "new000001");
    }
}

#[test]
fn an_object_of_many_names_has_no_cliff() {
    let root = MemGroup::new();
    let d = root.create_dataset("d").write(AnyArray::from(1)).unwrap();
    let node = root.get("d").unwrap();
    for i in 0..100_000 {
        root.new_link_at(&format!("n{i}"), crate::tree::NewLink::Hard(&node)).unwrap();
    }
    root.delete("d").unwrap();
    assert_eq!(d.name(), "/n0", "another of its names");
    for i in 0..100_000 {
        root.delete(&format!("n{i}")).unwrap();
    }
    assert_eq!(d.name(), "");
}
