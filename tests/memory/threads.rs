//! Many threads on one tree.

use super::*;

#[test]
fn eight_readers_and_a_writer() -> Test {
    let root = MemGroup::new();
    root.create_dataset("x").write(vec![0i64; 10_000])?;
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            let (root, done, reads) = (root.clone(), &done, &reads);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // Each write changes everything, so a torn read would show two values.
                    let x = root.dataset("x").unwrap().read::<i64>().unwrap();
                    assert!(x.iter().all(|v| *v == x[[0]]));
                    let y: Vec<i64> = root.dataset("x").unwrap().read_slice(Item::step(.., 7)).unwrap();
                    assert!(y.iter().all(|v| *v == y[0]));
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let x = root.dataset("x").unwrap();
        for i in 0..300 {
            if i % 2 == 0 {
                x.write(i64::from(i)).unwrap();
            } else {
                x.with_view_mut::<i64, _>(|mut v| v.fill(i64::from(i))).unwrap();
            }
        }
        while reads.load(Ordering::Relaxed) < 8 {
            thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(root.dataset("x")?.read_slice::<i64>(0)?, 299);
    Ok(())
}

#[test]
fn readers_wait_for_nobody() -> Test {
    let root = MemGroup::new();
    root.create_dataset("x").write(vec![1, 2, 3])?;
    root.create_dataset("y").write(vec![4, 5, 6])?;
    root.attrs().set("a", 1)?;
    let x = root.dataset("x")?;
    // Within a view of x: others read it and write it, and so does this thread.
    x.with_view::<i32, _>(|view| {
        let other = x.clone();
        must_not_wait(move || {
            assert_eq!(other.read_slice::<Vec<i32>>(1..).unwrap(), [2, 3]);
            other.write_slice(0, 9).unwrap();
        });
        x.write_slice(1, 8).unwrap();
        assert_eq!(view.iter().copied().collect::<Vec<_>>(), [1, 2, 3], "the view is a snapshot");
    })?;
    assert_eq!(x.read_slice::<Vec<i32>>(())?, [9, 8, 3]);
    // While x is being written: everything else goes on.
    x.with_view_mut::<i32, _>(|mut view| {
        let root = root.clone();
        must_not_wait(move || {
            let x = root.dataset("x").unwrap();
            assert_eq!(x.name(), "/x");
            x.attrs().set("b", 1).unwrap();
            assert_eq!(root.dataset("y").unwrap().read::<i32>().unwrap().sum(), 15);
            root.dataset("y").unwrap().write_slice(0, 0).unwrap();
            assert_eq!(root.keys().unwrap(), ["x", "y"]);
            root.create_group("z").unwrap();
            root.rename("x", "z/x").unwrap();
            root.delete("z").unwrap();
        });
        view.fill(0);
    })?;
    assert_eq!((x.name(), x.read::<i32>()?.sum()), (String::new(), 0));
    Ok(())
}

#[test]
fn names_change_under_many_hands() -> Test {
    let root = MemGroup::new();
    for g in 0..4 {
        root.create_group(&format!("{g}"))?;
    }
    thread::scope(|scope| {
        for k in 0..4usize {
            let root = root.clone();
            scope.spawn(move || {
                for i in 0..500usize {
                    let (at, to) = (format!("{}/{k}", i % 4), format!("{}/{k}", (i + 1) % 4));
                    let made = root.create_group(&at).unwrap();
                    made.create_dataset("d").write(i as i64).unwrap();
                    if i % 3 == 0 {
                        // A circle through groups that others move and delete at the same time.
                        let _ = root.link_hard("/", &format!("{at}/root"));
                        let _ = root.link_hard(&at, &format!("{at}/self"));
                    }
                    root.rename(&at, &to).unwrap();
                    assert_eq!(made.name(), format!("/{to}"));
                    assert_eq!(root.dataset(&format!("{to}/d")).unwrap().read_slice::<i64>(()).unwrap(), i as i64);
                    root.delete(&to).unwrap();
                    assert_eq!(made.name(), "");
                    assert_eq!(made.dataset("d").unwrap().read_slice::<i64>(()).unwrap(), i as i64);
                }
            });
        }
    });
    for g in 0..4 {
        assert!(root.group(&format!("{g}"))?.is_empty()?);
    }
    Ok(())
}

#[test]
fn groups_never_move_into_each_other() -> Test {
    for _ in 0..200 {
        let root = MemGroup::new();
        root.create_group("a")?;
        root.create_group("b")?;
        let results: Vec<bool> = thread::scope(|scope| {
            let groups = [("a", root.group("b").unwrap()), ("b", root.group("a").unwrap())];
            let tasks = groups.map(|(name, to)| {
                let root = root.clone();
                scope.spawn(move || root.move_child(name, &to, name).is_ok())
            });
            tasks.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(results.iter().filter(|ok| **ok).count() == 1, "{results:?}: one of the two wins");
        let mut objects = 0;
        root.visit::<()>(|_, _| {
            objects += 1;
            Ok(None)
        })?;
        assert_eq!(objects, 2, "nothing is lost");
    }
    Ok(())
}

#[test]
fn groups_are_required_at_once() -> Test {
    let root = MemGroup::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            let root = root.clone();
            scope.spawn(move || {
                for i in 0..300 {
                    assert_eq!(root.require_group(&format!("{i}/a/b")).unwrap(), root.group(&format!("{i}/a/b")).unwrap());
                }
            });
        }
    });
    assert_eq!(root.len()?, 300);
    Ok(())
}
