//! References follow their objects.

use super::*;

#[test]
fn follow_their_objects() -> Test {
    let root = MemGroup::new();
    let d = root.create_dataset("a/d").write(vec![1, 2, 3])?;
    root.create_dataset("refs").write(AnyArray::from_references([d.reference()?, root.reference()?]))?;
    let read = || -> Result<Vec<ObjectRef>> { root.dataset("refs")?.read_array()?.to_references() };
    root.rename("a/d", "b/e")?;
    assert_eq!(read()?[0].open()?.name(), "/b/e");
    root.rename("b", "c")?;
    assert_eq!(read()?[0].open()?.name(), "/c/e");
    assert_eq!(read()?[1].open()?.into_group()?.id()?, root.id()?);
    root.link_hard("c/e", "second")?;
    root.delete("c")?;
    assert_eq!(read()?[0].open()?.name(), "/second", "any name will do");
    root.delete("second")?;
    assert_eq!(d.read_slice::<Vec<i32>>(())?, [1, 2, 3], "the handle still reads it");
    assert_eq!(kind(read()?[0].open()), ErrorKind::NotFound, "but it is not in the tree");
    drop(d);
    assert_eq!(kind(read()?[0].open()), ErrorKind::NotFound);
    let reference = root.reference()?;
    assert_eq!(reference.id(), Some(root.id()?));
    drop(root);
    assert_eq!(kind(reference.open()), ErrorKind::NotFound, "a reference keeps no tree alive");
    Ok(())
}

#[test]
fn of_an_object_below_a_deleted_group() -> Test {
    let root = MemGroup::new();
    let d = root.create_dataset("a/b/d").write(1)?;
    let reference = d.reference()?;
    root.delete("a")?;
    assert_eq!(kind(reference.open()), ErrorKind::NotFound);
    assert_eq!((d.name(), d.read_slice::<i32>(())?), (String::new(), 1));
    Ok(())
}

#[test]
fn of_another_tree_are_refused() -> Test {
    let (root, other) = (MemGroup::new(), MemGroup::new());
    let foreign = other.reference()?;
    let refused = ErrorKind::InvalidArgument;
    assert_eq!(kind(root.create_dataset("x").write(foreign.clone())), refused);
    assert_eq!(kind(root.attrs().set("x", foreign.clone())), refused);
    let x = root.create_dataset("x").shape([1]).maxshape([None]).dtype(DType::ObjectRef).create()?;
    assert_eq!(kind(x.write_slice(0, foreign.clone())), refused);
    assert_eq!(kind(x.append(foreign.clone())), refused);
    assert_eq!(kind(root.create_dataset("y").shape([1]).dtype(DType::ObjectRef).fill_value(foreign.clone()).create()), refused);
    let inside = AnyArray::from_sequences(DType::ObjectRef, [AnyArray::from_references([root.reference()?, foreign])])?;
    assert_eq!(kind(root.create_dataset("z").write(&inside)), refused);
    assert_eq!((root.keys()?, x.shape()?), (vec!["x".to_owned()], vec![1]));
    assert!(x.read_array()?.to_references()?[0].is_null());
    Ok(())
}
