//! Object and region references.

use super::{again, memory};
use memh5::prelude::*;
use memh5::tree::{Region, RegionKind};
use memh5::{AnyArray, DType, ErrorKind, ObjectRef, RegionRef};

/// The elements of a dataset of references.
fn all<T: FromArray>(root: &dyn Group, name: &str) -> Vec<T> {
    let array = root.dataset(name).unwrap().read_array().unwrap();
    (0..array.len()).map(|i| T::from_array(array.select(i).unwrap()).unwrap()).collect()
}

fn kinds() -> Vec<RegionKind> {
    vec![
        RegionKind::None,
        RegionKind::All,
        RegionKind::Hyperslab { start: vec![1, 2], stride: vec![4, 5], count: vec![2, 3], block: vec![2, 1] },
        RegionKind::Hyperslab { start: vec![0, 0], stride: vec![1, 1], count: vec![1, 1], block: vec![3, 4] },
        RegionKind::Blocks(vec![(vec![0, 0], vec![1, 1]), (vec![5, 7], vec![5, 9])]),
        RegionKind::Points(vec![vec![9, 19], vec![0, 0], vec![9, 19], vec![3, 3]]),
    ]
}

#[test]
fn references_survive_the_file_and_renames() {
    let root = memory();
    let group = root.create_group("g").unwrap();
    let data = group.create_dataset("data").shape([10, 20]).dtype(DType::F64).create().unwrap();
    let objects = [root.reference().unwrap(), ObjectRef::null(), group.reference().unwrap(), data.reference().unwrap()];
    let regions: Vec<RegionRef> = kinds()
        .into_iter()
        .map(|kind| RegionRef { target: data.reference().unwrap(), region: Region { shape: vec![10, 20], kind } })
        .chain([RegionRef::null()])
        .collect();
    root.create_dataset("objects").write(AnyArray::from_references(objects.clone())).unwrap();
    root.create_dataset("regions").write(AnyArray::from_regions(regions.clone())).unwrap();
    root.attrs().set("object", data.reference().unwrap()).unwrap();
    root.rename("g/data", "moved").unwrap();
    let read = all::<ObjectRef>(&root, "objects");
    assert_eq!(read, objects);
    assert_eq!(read[3].open().unwrap().name(), "/moved");

    let root = again(&root);
    let read = all::<ObjectRef>(&root, "objects");
    assert_eq!(read.iter().map(ObjectRef::is_null).collect::<Vec<_>>(), [false, true, false, false]);
    assert_eq!(read[2].open().unwrap().name(), "/g");
    assert_eq!(read[3].id(), Some(root.dataset("moved").unwrap().id().unwrap()));
    let read = all::<RegionRef>(&root, "regions");
    for (read, wanted) in read.iter().zip(&regions) {
        assert_eq!(read.region, wanted.region);
        assert_eq!(read.is_null(), wanted.is_null());
    }
    assert_eq!(root.attrs().get::<ObjectRef>("object").unwrap().open().unwrap().name(), "/moved");
    root.delete("moved").unwrap();
    assert_eq!(root.attrs().get::<ObjectRef>("object").unwrap().open().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn references_of_a_closed_file_say_so() {
    let root = memory();
    root.attrs().set("me", root.reference().unwrap()).unwrap();
    let reference = root.attrs().get::<ObjectRef>("me").unwrap();
    assert_eq!(reference.open().unwrap().name(), "/");
    root.close_tree().unwrap();
    assert_eq!(reference.open().unwrap_err().kind(), ErrorKind::Closed);
    drop(root);
    assert_eq!(reference.open().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn many_region_references_are_read_in_reasonable_time() {
    let root = memory();
    let data = root.create_dataset("data").shape([1000, 20]).dtype(DType::F32).create().unwrap();
    let target = data.reference().unwrap();
    let regions = (0..20_000u64).map(|i| RegionRef {
        target: target.clone(),
        region: Region {
            shape: vec![1000, 20],
            kind: RegionKind::Hyperslab { start: vec![i % 900, 0], stride: vec![1, 1], count: vec![1, 1], block: vec![5, 20] },
        },
    });
    root.create_dataset("regions").write(AnyArray::from_regions(regions)).unwrap();
    let begin = std::time::Instant::now();
    let read = root.dataset("regions").unwrap().read_array().unwrap();
    let spent = begin.elapsed();
    let last = RegionRef::from_array(read.select(19_999).unwrap()).unwrap();
    assert_eq!(last.region.bounds(), Some((vec![199, 0], vec![203, 19])));
    assert!(spent.as_secs() < 5, "{spent:?}");
    println!("20000 region references: {spent:?}");
}
