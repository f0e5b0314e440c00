//! What a copy refuses, and that nothing changes then.

use crate::{backends, each_pair};
use memh5::ErrorKind;
use memh5::copy::{DeepCopy, deep_group_copy};
use memh5::prelude::*;

#[test]
fn taken_names_are_refused_before_anything_is_copied() {
    each_pair(|from, to, pair| {
        from.create_dataset("a").write(1).unwrap();
        from.create_dataset("z/x").write(1).unwrap();
        from.attrs().set("new", 1).unwrap();
        to.create_group("z/old").unwrap();
        let e = deep_group_copy(from, to).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{pair}: {e}");
        assert!(e.to_string().contains("'/z'") && e.to_string().contains("overwrite"), "{e}");
        assert_eq!(to.keys().unwrap(), ["z"], "{pair}");
        assert!(to.attrs().is_empty().unwrap(), "{pair}");
        DeepCopy::new().overwrite(true).run(from, to).unwrap();
        assert_eq!(to.group("z").unwrap().keys().unwrap(), ["x"], "{pair}: replaced, not merged");
        assert_eq!(to.keys().unwrap(), ["a", "z"], "{pair}");
    });
}

#[test]
fn a_group_cannot_be_copied_into_itself() {
    for (name, fresh) in backends() {
        let root = fresh();
        let a = root.create_group("a").unwrap();
        let b = a.create_group("b").unwrap();
        b.create_dataset("x").write(1).unwrap();
        root.create_group("c/c/x").unwrap();
        for (from, to) in [(&a, &a), (&a, &b), (&root, &b)] {
            let e = deep_group_copy(&**from, &**to).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{name}: {e}");
        }
        let c = root.group("c").unwrap();
        let e = DeepCopy::new().overwrite(true).run(&*c, &*root).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{name}: the copy of /c/c would replace /c: {e}");
        assert!(root.contains("c/c/x").unwrap());
    }
}

#[cfg(feature = "hdf5")]
#[test]
fn a_destination_that_takes_no_writes_says_so() {
    use memh5::MemGroup;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.h5");
    MemGroup::new().to_file(&path).unwrap();
    let from = MemGroup::new();
    from.create_dataset("x").write(1).unwrap();
    let file = memh5::format::open(&path, memh5::Mode::Read).unwrap();
    assert_eq!(deep_group_copy(&from, &*file).unwrap_err().kind(), ErrorKind::ReadOnly);
    file.close_tree().unwrap();
    assert_eq!(deep_group_copy(&from, &*file).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(deep_group_copy(&*file, &from).unwrap_err().kind(), ErrorKind::Closed);
}

#[cfg(feature = "hdf5")]
#[test]
fn a_filter_that_the_destination_lacks_is_named() {
    use memh5::{Filter, MemGroup};
    let from = MemGroup::new();
    let unknown = Filter::Other { id: 31999, optional: false, values: vec![1] };
    from.create_dataset("ok").write(1).unwrap();
    from.create_dataset("g/x").chunks([2]).filter(unknown).write(vec![1, 2, 3]).unwrap();
    let image = memh5::format::hdf5::Hdf5File::in_memory().unwrap().root().unwrap();
    let e = deep_group_copy(&from, &image).unwrap_err();
    assert_eq!((e.kind(), e.path()), (ErrorKind::Unsupported, Some("/g/x")), "{e}");
    assert!(e.to_string().contains("31999"), "{e}");
    assert!(image.is_empty().unwrap());
    DeepCopy::new().filters("g/x", []).run(&from, &image).unwrap();
}

#[test]
fn an_error_of_the_callback_undoes_the_copy() {
    each_pair(|from, to, pair| {
        from.create_dataset("x").write(1).unwrap();
        let e = DeepCopy::new()
            .postprocess(|from, _| match from {
                memh5::tree::Node::Dataset(_) => Err(memh5::Error::new(ErrorKind::Unsupported, "not this one")),
                _ => Ok(()),
            })
            .run(from, to)
            .unwrap_err();
        assert_eq!((e.kind(), e.path()), (ErrorKind::Unsupported, Some("/x")), "{pair}: {e}");
        assert!(to.is_empty().unwrap(), "{pair}");
    });
}

#[test]
fn deep_nesting_and_many_names_are_no_trouble() {
    each_pair(|from, to, pair| {
        let mut here = from.to_ref();
        for _ in 0..300 {
            here = here.create_group("d").unwrap();
        }
        here.attrs().set("deep", 1).unwrap();
        for i in 0..300 {
            from.create_dataset(&format!("many/{i}")).write(i).unwrap();
        }
        let report = deep_group_copy(from, to).unwrap();
        assert_eq!((report.groups, report.datasets), (301, 300), "{pair}");
    });
}
