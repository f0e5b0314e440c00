//! Who shares elements with whom, and when they are copied.

use super::*;

#[test]
fn data_are_adopted_and_given_back_without_a_copy() -> Test {
    let data = vec![1.0f64, 2.0, 3.0];
    let at = data.as_ptr();
    let root = MemGroup::new();
    root.create_dataset("x").write(data)?;
    let x = root.dataset("x")?;
    assert_eq!(x.with_view::<f64, _>(|v| v.as_ptr())?, at);
    assert_eq!(x.snapshot()?.view::<f64>()?.as_ptr(), at);
    x.with_view_mut::<f64, _>(|mut v| v[[0]] = 9.0)?;
    assert_eq!(x.with_view::<f64, _>(|v| (v.as_ptr(), v[[0]]))?, (at, 9.0), "nobody else holds it: written in place");
    let snapshot = x.snapshot()?;
    root.delete("x")?;
    drop(x);
    assert_eq!(snapshot.into_array::<f64>()?.as_ptr(), at, "the last owner gets the allocation");
    Ok(())
}

#[test]
fn writing_copies_only_under_a_snapshot() -> Test {
    let root = MemGroup::new();
    let x = root.create_dataset("x").write(vec![0i32; 1000])?;
    let at = |x: &dyn Dataset| -> Result<*const i32> { Ok(x.read_array()?.view::<i32>()?.as_ptr()) };
    let first = at(&*x)?;
    x.write_slice(1..3, vec![1, 2])?;
    x.write_slice((0..1000).map(|i| i % 3 == 0).collect::<Vec<bool>>(), 1)?;
    assert_eq!(at(&*x)?, first);
    let snapshot = x.read_array()?;
    x.write_slice(0, 5)?;
    let second = at(&*x)?;
    assert_ne!(second, first);
    x.write_slice(0, 6)?;
    assert_eq!(at(&*x)?, second, "copied once, not at each write");
    assert_eq!(snapshot.view::<i32>()?[[0]], 1);
    Ok(())
}

#[test]
fn deep_and_shallow_copies_of_trees() -> Test {
    let root = MemGroup::tracked();
    let b = root.create_group_with("b", &GroupSpec::tracked())?;
    b.attrs().set("z", 1)?;
    b.attrs().set("a", "text")?;
    let x = b.create_dataset("x").shape([3]).maxshape([None]).chunks([2]).gzip(4).fill_value(7).write(vec![1, 2, 3])?;
    root.link_soft("b/x", "a")?;
    root.link_hard("b", "b/self")?;
    root.link_hard("b/x", "second")?;
    root.commit_datatype("t", &DType::F32)?;
    root.create_dataset("refs").write(AnyArray::from_references([x.reference()?, b.reference()?, ObjectRef::null()]))?;
    let part = Region { shape: vec![3], kind: RegionKind::Points(vec![vec![2], vec![0]]) };
    root.attrs().set("part", RegionRef { target: x.reference()?, region: part.clone() })?;

    let deep = root.copy()?;
    assert!(tree_equal(&root, &deep)? && root.content_eq(&deep)?);
    assert_eq!(deep.keys()?, root.keys()?, "the order too");
    assert_eq!(deep.group("b")?.mem_attrs(), MemAttrs::clone(&root.group("b")?.mem_attrs()));
    assert_eq!(deep.group("b")?.attrs().keys()?, ["z", "a"]);
    let copied = deep.dataset("second")?;
    assert_eq!(copied, deep.dataset("b/self/x")?, "hard links lead to one copy");
    assert!(copied.snapshot()?.shares_memory_with(&x.read_array()?));
    let spec = copied.spec()?;
    assert_eq!((spec.maxshape, spec.layout), (Some(vec![None]), Layout::Chunked(vec![2])));
    assert_eq!(spec.filters, [Filter::Shuffle, Filter::Gzip(4)]);
    assert!(matches!(spec.fill, Fill::Value(v) if v == AnyArray::from(7)));
    let refs = deep.dataset("refs")?.read_array()?.to_references()?;
    assert_eq!(refs[0].open()?.object().id()?, copied.id()?, "references lead to the copy");
    assert_eq!(refs[1].open()?.object().id()?, deep.group("b")?.id()?);
    assert!(refs[2].is_null());
    let region: RegionRef = deep.attrs().get("part")?;
    assert_eq!((region.target.id(), region.region), (Some(copied.id()?), part));
    x.write_slice(0, 100)?;
    deep.delete("b/self")?;
    assert_eq!(copied.read_slice::<Vec<i32>>(())?, [1, 2, 3]);
    assert!(root.contains("b/self")?);

    // Of a group within: what references lead to outside is not in the copy.
    let inner = root.create_group("inner")?;
    inner.create_dataset("r").write(x.reference()?)?;
    assert!(inner.copy()?.dataset("r")?.read_slice::<ObjectRef>(())?.is_null());

    let shallow = root.copy_shallow()?;
    shallow.dataset("b/x")?.write_slice(1, 200)?;
    shallow.dataset("b/x")?.attrs().set("shared", true)?;
    assert_eq!(x.read_slice::<Vec<i32>>(())?, [100, 200, 3]);
    assert!(x.attrs().contains("shared")?);
    shallow.rename("b/x", "moved")?;
    shallow.group("b")?.attrs().set("more", 1)?;
    assert!(root.contains("b/x")? && !root.group("b")?.attrs().contains("more")?);
    assert_eq!((shallow.dataset("moved")?.name().as_str(), x.name().as_str()), ("/moved", "/b/x"));
    assert_eq!(shallow.dataset("moved")?.file(), shallow);

    let other = MemGroup::new();
    other.share("new/home", &root.dataset("b/x")?)?;
    root.delete("b/x")?;
    root.delete("second")?;
    assert_eq!(other.dataset("new/home")?.read_slice::<Vec<i32>>(())?, [100, 200, 3]);
    assert_eq!(other.dataset("new/home")?.parent()?, other.group("new")?);
    assert_eq!(kind(other.share("new/home", &shallow.dataset("moved")?)), ErrorKind::AlreadyExists);
    let alone = MemDatasetCommon::from_array(vec![1u8, 2])?;
    other.share("alone", &alone.into())?;
    assert_eq!(other.dataset("alone")?.read_slice::<Vec<u8>>(())?, [1, 2]);
    Ok(())
}

#[test]
fn specs_are_kept_and_can_be_edited() -> Test {
    let root = MemGroup::new();
    let x = root.create_dataset("x").shape([10, 10]).chunks([5, 5]).filter(Filter::Lzf).create()?;
    let handle = root.dataset("x")?;
    handle.set_chunks(Some(&[2, 10]))?;
    handle.set_filters([Filter::Zstd(3)])?;
    assert_eq!(x.spec()?.chunks(), Some(&[2, 10][..]), "every handle sees it");
    assert_eq!(x.spec()?.filters, [Filter::Zstd(3)]);
    assert_eq!(kind(handle.set_chunks(Some(&[0, 1]))), ErrorKind::InvalidArgument);
    assert_eq!(kind(handle.set_chunks(Some(&[1]))), ErrorKind::Shape);
    assert_eq!(kind(handle.set_filters([Filter::Gzip(10)])), ErrorKind::InvalidArgument);
    assert_eq!(x.spec()?.chunks(), Some(&[2, 10][..]), "a refused change changes nothing");
    let common = handle.common().expect("a whole array");
    common.set_filters([])?;
    common.set_chunks(None)?;
    common.set_maxshape(Some(&[None, Some(10)]))?;
    x.resize([12, 10])?;
    assert_eq!(common.chunks()?, None);
    common.set_layout(Layout::AutoChunked)?;
    assert_eq!(x.spec()?.layout, Layout::AutoChunked);
    assert!(handle.is_common() && !handle.is_distributed());
    Ok(())
}
