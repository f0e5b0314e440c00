//! What caput's own tests ask of its memory groups (spec: test_memdata.py).

use super::*;

#[test]
fn copies_of_datasets() -> Test {
    // test_dataset_copy: a deep copy is independent, a shallow one follows.
    let group = MemGroup::new();
    group.create_dataset("x").write(Array2::<f32>::zeros((4, 5)))?;
    let x = group.dataset("x")?;
    let deep = x.copy()?;
    assert_eq!(deep.snapshot()?, x.snapshot()?);
    assert!(deep.snapshot()?.shares_memory_with(&x.snapshot()?), "nothing is copied before somebody writes");
    let shallow = x.view();
    x.write_slice((0, 0), 1.0f32)?;
    assert_ne!(deep.snapshot()?, x.snapshot()?);
    assert_eq!(shallow.snapshot()?, x.snapshot()?);
    assert_eq!(deep.read_slice::<f32>((0, 0))?, 0.0);
    deep.attrs().set("only", "here")?;
    assert!(!x.attrs().contains("only")?);
    assert_eq!((deep.name(), kind(deep.parent())), (String::new(), ErrorKind::NotFound));
    Ok(())
}

#[test]
fn nested_groups() -> Test {
    // test_memgroup_nested
    let root = MemGroup::new();
    let level1 = root.create_group("level1")?;
    let level2 = level1.require_group("level2")?;
    assert_eq!(root.group("level1/level2")?, level2);
    assert_eq!(root.require_group("level1/level2")?, level2);
    assert_eq!(level1.group("/level1")?, level1);
    assert_ne!(level1, level2);
    assert_ne!(root, MemGroup::new());
    assert_eq!(level2.name(), "/level1/level2");
    Ok(())
}

#[test]
fn data_round_trip() -> Test {
    // test_memgroup_create_dataset
    let root = MemGroup::new();
    let data = Array::from_iter((0..100).map(|i| i as f32));
    root.create_dataset("large").write(&data)?;
    assert_eq!(root.dataset("large")?.read::<f32>()?, data.into_dyn());
    Ok(())
}

#[test]
fn missing_groups_are_made() -> Test {
    // test_memgroup_recursive_create
    let root = MemGroup::new();
    assert_eq!(kind(root.create_group("")), ErrorKind::InvalidName);
    assert_eq!(kind(root.create_group("/")), ErrorKind::AlreadyExists);
    let level2 = root.create_group("level2/")?;
    assert_eq!(level2.name(), "/level2");
    level2.create_group("/level22")?;
    assert_eq!(root.keys()?, ["level2", "level22"]);
    let deep = root.create_group("/a/b/c/d/")?;
    assert_eq!((deep.name().as_str(), deep.parent()?.name().as_str()), ("/a/b/c/d", "/a/b/c"));
    Ok(())
}

#[test]
fn groups_are_made_for_datasets() -> Test {
    // test_memgroup_recursive_create_dataset
    let root = MemGroup::new();
    let data = Array::from_iter(0..10);
    root.create_dataset("a/ra").write(&data)?;
    let a = root.group("a")?;
    assert_eq!(root.dataset("a/ra")?.read::<i32>()?, data.clone().into_dyn());
    a.create_dataset("/ra").write(&data)?;
    assert_eq!(root.keys()?, ["a", "ra"]);
    assert_eq!(root.dataset("a/ra")?.parent()?, a);
    let ra = a.dataset("/ra")?;
    drop((root, a));
    assert_eq!(ra.file().keys()?, ["a", "ra"], "a dataset keeps its tree alive");
    assert_eq!(ra.file().parent()?, ra.file());
    Ok(())
}
