//! Groups, links, attributes, names.

use super::{again, memory};
use memh5::format::hdf5::Hdf5File;
use memh5::prelude::*;
use memh5::tree::{GroupSpec, Link, Node};
use memh5::{AnyArray, DType, ErrorKind};

#[test]
fn links_lead_where_they_say() {
    let root = memory();
    root.create_group("a/b").unwrap();
    root.create_dataset("a/b/d").write(vec![1, 2, 3]).unwrap();
    root.link_soft("b/d", "a/soft").unwrap();
    root.link_soft("/nowhere", "dangling").unwrap();
    root.link_external("other.h5", "/x/y", "outside").unwrap();
    root.link_hard("a/b/d", "hard").unwrap();
    root.link_hard("a", "a/b/cycle").unwrap();
    let root = again(&root);
    assert_eq!(root.link("a/soft").unwrap(), Link::Soft { target: "b/d".into() });
    assert_eq!(root.link("outside").unwrap(), Link::External { file: "other.h5".into(), target: "/x/y".into() });
    assert_eq!(root.link("hard").unwrap(), Link::Hard);
    assert_eq!(root.dataset("a/soft").unwrap().read_slice::<Vec<i32>>(..).unwrap(), [1, 2, 3]);
    assert_eq!(root.dataset("hard").unwrap().id().unwrap(), root.dataset("a/b/d").unwrap().id().unwrap());
    assert_eq!(root.group("a/b/cycle/b/cycle").unwrap().id().unwrap(), root.group("a").unwrap().id().unwrap());
    assert_eq!(root.get("dangling").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!root.contains("dangling").unwrap() && root.keys().unwrap().contains(&"dangling".to_owned()));
    let mut seen = Vec::new();
    root.visit(|path, _| -> memh5::Result<Option<()>> {
        seen.push(path.to_owned());
        Ok(None)
    })
    .unwrap();
    assert_eq!(seen, ["a", "a/b", "a/b/d"]);
    assert_eq!(root.link_hard("hard", "a").unwrap_err().kind(), ErrorKind::AlreadyExists);
    let other = memory();
    let node = Node::Group(other.create_group("x").unwrap());
    assert_eq!(root.new_link_at("x", memh5::tree::NewLink::Hard(&node)).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn handles_follow_renames_and_outlive_deletion() {
    let root = memory();
    let group = root.create_group("a/b").unwrap();
    let data = root.create_dataset("a/b/d").write(vec![1.5]).unwrap();
    root.rename("a", "z/y").unwrap();
    assert_eq!((group.name(), data.name()), ("/z/y/b".into(), "/z/y/b/d".into()));
    root.delete("z/y/b/d").unwrap();
    assert_eq!(data.name(), "");
    assert_eq!(data.read::<f64>().unwrap()[[0]], 1.5);
    data.write(vec![2.5]).unwrap();
    assert_eq!(data.read::<f64>().unwrap()[[0]], 2.5);
    assert!(!root.contains("z/y/b/d").unwrap());
    assert_eq!(root.delete("z/y/b/d").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(root.rename("z", "z/y/q").unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn names_of_all_kinds() {
    let root = memory();
    for name in ["..", "with blank", "grün", "日本語", "a\\b", "..a"] {
        if name == ".." {
            assert_eq!(root.create_group(name).unwrap_err().kind(), ErrorKind::InvalidName);
            assert!(!root.contains(name).unwrap());
            continue;
        }
        root.create_group(name).unwrap();
        root.attrs().set(name, 1).unwrap();
    }
    assert!(!root.contains(".").unwrap());
    assert_eq!(root.get("a\0b").unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(root.create_group("a\0b").unwrap_err().kind(), ErrorKind::InvalidName);
    let root = again(&root);
    let mut wanted = vec!["with blank", "grün", "日本語", "a\\b", "..a"];
    wanted.sort_unstable();
    assert_eq!(root.keys().unwrap(), wanted);
    assert_eq!(root.attrs().keys().unwrap(), wanted);
}

#[test]
fn the_order_is_kept_where_it_is_tracked() {
    let root = Hdf5File::options().track_order(true).in_memory().unwrap().root().unwrap();
    let names: Vec<String> = (0..30).map(|i| format!("n{}", (i * 7) % 30)).collect();
    let tracked = root.create_group_with("tracked", &GroupSpec::tracked()).unwrap();
    let sorted = root.create_group("sorted").unwrap();
    for name in &names {
        for group in [&tracked, &sorted] {
            group.create_group(name).unwrap();
            group.attrs().set(name, 1).unwrap();
        }
        root.attrs().set(name, name.as_str()).unwrap();
    }
    let root = again(&root);
    let mut in_order = names.clone();
    in_order.sort_unstable();
    assert_eq!(root.keys().unwrap(), ["tracked", "sorted"]);
    assert_eq!(root.attrs().keys().unwrap(), names);
    assert_eq!(root.group("tracked").unwrap().keys().unwrap(), names);
    assert_eq!(root.group("tracked").unwrap().attrs().keys().unwrap(), names);
    assert_eq!(root.group("sorted").unwrap().keys().unwrap(), in_order);
    assert_eq!(root.group("sorted").unwrap().attrs().keys().unwrap(), in_order);
    assert!(root.group("tracked").unwrap().group_spec().unwrap().track_order);
    // Replaced, it is the last one, as h5py has it.
    root.attrs().set("n0", 5).unwrap();
    assert_eq!(root.attrs().keys().unwrap().last().unwrap(), "n0");
    assert_eq!(root.attrs().len().unwrap(), 30);
}

#[test]
fn attributes_of_any_size_and_number() {
    let root = memory();
    let data = root.create_dataset("d").write(0).unwrap();
    let big = AnyArray::from(vec![7u8; 3 << 20]);
    let text = "x".repeat(200_000);
    for attrs in [root.attrs(), data.attrs()] {
        attrs.set("big", &big).unwrap();
        attrs.set("text", text.as_str()).unwrap();
        attrs.set("fixed", AnyArray::from_bytes(DType::fixed_ascii(100_000), [2], &[b'q'; 200_000]).unwrap()).unwrap();
        for i in 0..200 {
            attrs.set(&format!("a{i}"), i).unwrap();
        }
        attrs.set("big", AnyArray::from(vec![8u8; 1 << 20])).unwrap();
        attrs.set("a7", "now a text").unwrap();
        attrs.delete("a8").unwrap();
        assert_eq!(attrs.delete("a8").unwrap_err().kind(), ErrorKind::NotFound);
    }
    let root = again(&root);
    for node in [root.get("/").unwrap(), root.get("d").unwrap()] {
        let attrs = node.attrs();
        assert_eq!(attrs.len().unwrap(), 202);
        assert_eq!(attrs.get::<Vec<u8>>("big").unwrap(), vec![8u8; 1 << 20]);
        assert_eq!(attrs.get::<String>("text").unwrap(), text);
        assert_eq!(attrs.get::<String>("a7").unwrap(), "now a text");
        assert_eq!(attrs.get::<i32>("a199").unwrap(), 199);
    }
}

#[test]
fn committed_types_have_attributes_and_equal_datasets() {
    let root = memory();
    let dtype = DType::compound([("x", DType::F64), ("s", DType::STR)]).unwrap();
    let committed = root.commit_datatype("types/point", &dtype).unwrap();
    committed.attrs().set("unit", "m").unwrap();
    assert_eq!(root.commit_datatype("types/point", &dtype).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let Node::Datatype(read) = again(&root).get("types/point").unwrap() else { panic!("not a type") };
    assert_eq!(read.committed_dtype().unwrap(), dtype);
    assert_eq!(read.attrs().get::<String>("unit").unwrap(), "m");
    assert_eq!(root.group("types/point").unwrap_err().kind(), ErrorKind::NotAGroup);
}

#[test]
fn handles_work_from_many_threads() {
    let root = memory();
    std::thread::scope(|scope| {
        for t in 0..4 {
            let root = root.to_ref();
            scope.spawn(move || {
                for i in 0..50 {
                    let name = format!("g{t}/d{i}");
                    root.create_dataset(&name).write(vec![t, i]).unwrap();
                    assert_eq!(root.dataset(&name).unwrap().read_slice::<Vec<i32>>(..).unwrap(), [t, i]);
                }
            });
        }
    });
    assert_eq!(root.keys().unwrap().len(), 4);
}
