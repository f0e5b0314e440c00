//! Handles: never stale, shared between threads.

use super::check::{ensure, needs, refused, same};
use super::{Broken, Check};
use crate::array::AnyArray;
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::tree::{DatasetRef, GroupRef};

fn threads(n: usize, work: impl Fn(usize) -> Check + Sync) -> Check {
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..n)
            .map(|k| {
                let work = &work;
                scope.spawn(move || work(k))
            })
            .collect();
        all.into_iter().try_for_each(|t| t.join().unwrap_or_else(|_| Err(Broken::new("a thread panicked"))))
    })
}

promises! { "handles";
    /// A handle of a deleted object stays readable and writable, and tells that it has no name.
    fn deleted_objects_stay(backend) {
        let root = backend.fresh()?;
        let g = root.create_group("g")?;
        let d = g.create_dataset("d").write(vec![1, 2, 3])?;
        d.attrs().set("a", 1)?;
        g.attrs().set("b", 2)?;
        root.delete("g")?;
        ensure(!root.contains("g")?, "the name is gone")?;
        same(g.attrs().get::<i32>("b")?, 2, "attributes of the group")?;
        same(g.keys()?, ["d"], "children of the group")?;
        same(g.dataset("d")?.read_slice::<Vec<i32>>(())?, [1, 2, 3], "through the group")?;
        same(d.read_slice::<Vec<i32>>(())?, [1, 2, 3], "the dataset")?;
        same(d.attrs().get::<i32>("a")?, 1, "its attributes")?;
        d.write_slice(0, 9)?;
        same(d.read_slice::<Vec<i32>>(())?, [9, 2, 3], "written")?;
        g.create_group("more")?;
        same(g.len()?, 2, "the group can still be filled")?;
        same(g.name(), "", "the name of a deleted group")?;
        refused(g.parent(), ErrorKind::NotFound, "a deleted group has no parent")?;
        same(g.file()?.id()?, root.id()?, "but a file")?;
        same(root.create_group("g")?.is_empty()?, true, "a new one of that name is another")
    }

    /// Handles follow a rename, and so do handles of what is below.
    fn handles_follow_a_rename(backend) {
        let root = backend.fresh()?;
        let g = root.create_group("a/g")?;
        let d = g.create_dataset("d").write(vec![1, 2])?;
        root.rename("a/g", "b/h")?;
        root.create_group("a/g")?;
        same(g.keys()?, ["d"], "the group is the one that moved")?;
        same(d.read_slice::<Vec<i32>>(())?, [1, 2], "the dataset too")?;
        d.write(vec![3, 4])?;
        same(root.dataset("b/h/d")?.read_slice::<Vec<i32>>(())?, [3, 4], "it is the one under the new name")?;
        same(root.group("b/h")?.id()?, g.id()?, "one identity")?;
        same(g.name(), "/b/h", "the group tells its new name")?;
        same(d.name(), "/b/h/d", "and so does what is below")?;
        same(g.parent()?.id()?, root.group("b")?.id()?, "its parent is the new one")?;
        g.create_group("new")?;
        ensure(root.contains("b/h/new")?, "what is made in it is there")
    }

    /// A handle keeps its object when another takes the name.
    fn handles_outlive_an_overwrite(backend) {
        let root = backend.fresh()?;
        let old = root.create_dataset("d").write(vec![1, 2])?;
        let new = root.create_dataset("d").overwrite(true).write(vec![5.0, 6.0, 7.0])?;
        same(old.read_slice::<Vec<i32>>(())?, [1, 2], "the old one")?;
        same(root.dataset("d")?.read_slice::<Vec<f64>>(())?, [5.0, 6.0, 7.0], "the new one")?;
        ensure(old.id()? != new.id()?, "two identities")?;
        root.delete("d")?;
        root.create_group("d")?;
        same(new.read_slice::<f64>(0)?, 5.0, "after the name is a group's")
    }

    /// Two handles of one object are one object.
    fn handles_share_the_object(backend) {
        let root = backend.fresh()?;
        let a = root.create_dataset("d").shape([2]).maxshape([None]).write(vec![1, 2])?;
        let b = root.dataset("d")?;
        a.append(3)?;
        b.write_slice(0, 7)?;
        a.attrs().set("x", 1)?;
        same(b.shape()?, [3], "the shape")?;
        same(a.read_slice::<Vec<i32>>(())?, [7, 2, 3], "the values")?;
        same(b.attrs().get::<i32>("x")?, 1, "the attributes")?;
        same(a.id()?, b.id()?, "the identity")
    }

    /// A handle keeps its tree alive when the root's handle goes.
    fn handles_keep_the_tree(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("g/d").write(vec![1, 2])?;
        drop(root);
        same(d.read_slice::<Vec<i32>>(())?, [1, 2], "the dataset")?;
        let root = d.root()?;
        same(root.group("g")?.keys()?, ["d"], "the tree")
    }

    /// Handles go to other threads, which read and write at once.
    fn threads_share_a_tree(backend) {
        fn is_shared<T: Send + Sync>(_: &T) {}
        let root = backend.fresh()?;
        let d: DatasetRef = root.create_dataset("d").write(vec![0i64; 8000])?;
        is_shared(&root);
        is_shared(&d);
        threads(8, |k| {
            let (from, to) = (k as i64 * 1000, (k as i64 + 1) * 1000);
            for round in 0..5 {
                d.write_slice(from..to, vec![round * 8 + k as i64; 1000])?;
                let back = d.read_slice::<Vec<i64>>(from..to)?;
                ensure(back.iter().all(|x| *x == round * 8 + k as i64), "each thread reads what it wrote")?;
            }
            Ok(())
        })?;
        let all: AnyArray = d.read_array()?;
        let wanted: Vec<i64> = (0..8000).map(|i| 32 + i / 1000).collect();
        ensure(all == AnyArray::from(wanted), "all of it is there")
    }

    /// Threads make, look up and delete objects of one group at once; nothing is lost, nothing is made twice.
    fn threads_make_objects(backend) {
        needs(backend.capabilities().threads_make, "objects that threads make at once")?;
        let root: GroupRef = backend.fresh()?;
        let g = root.create_group("g")?;
        threads(4, |k| {
            for i in 0..25 {
                g.create_dataset(&format!("{k}/{i}")).write(i)?;
                g.attrs().set(&format!("{k} {i}"), i)?;
                same(g.dataset(&format!("{k}/{i}"))?.read_slice::<i32>(())?, i, "what was made")?;
                if i % 5 == 0 {
                    g.delete(&format!("{k}/{i}"))?;
                }
            }
            Ok(())
        })?;
        same(g.keys()?, ["0", "1", "2", "3"], "the groups")?;
        for k in 0..4 {
            same(g.group(&k.to_string())?.len()?, 20, "their datasets")?;
        }
        same(g.attrs().len()?, 100, "the attributes")?;
        let made = std::sync::atomic::AtomicUsize::new(0);
        threads(4, |_| match root.create_group("once") {
            Ok(_) => {
                made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Ok(())
            }
            Err(e) => same(e.kind(), ErrorKind::AlreadyExists, "the others are told"),
        })?;
        same(made.into_inner(), 1, "one of them makes it")
    }
}
