//! `MemDiskGroup`: memory and disk under one type, with policies, tags and a registry.

#[cfg(feature = "hdf5")]
use memh5::copy::{DeepCopy, StringConversion};
#[cfg(feature = "hdf5")]
use memh5::mem_disk::LoadOptions;
use memh5::mem_disk::{Policy, Registry, TYPE_TAG_ATTRIBUTE, Typed};
use memh5::prelude::*;
use memh5::tree::{NewLink, Node};
use memh5::{AnyArray, DType, ErrorKind, MemDiskGroup, MemGroup};
#[cfg(feature = "hdf5")]
use memh5::{Mode, tree::diff};

/// As caput's containers: datasets in the root only, and no groups.
#[derive(Debug)]
struct Flat;
impl Policy for Flat {
    fn group_name_allowed(&self, _: &str) -> bool {
        false
    }
    fn dataset_name_allowed(&self, path: &str) -> bool {
        path.rfind('/') == Some(0) && path != "/secret"
    }
}

/// A group in memory, one wrapped around another backend's group, and one on disk.
fn each(f: impl Fn(MemDiskGroup, &str)) {
    f(MemDiskGroup::new(), "memory");
    f(MemDiskGroup::from_group(&MemGroup::new()), "wrapped memory");
    #[cfg(feature = "hdf5")]
    {
        let dir = tempfile::tempdir().unwrap();
        let group = MemDiskGroup::create(dir.path().join("x.h5")).unwrap();
        f(group.clone(), "disk");
        group.close().unwrap();
        let image = memh5::format::hdf5::Hdf5File::in_memory().unwrap().root().unwrap();
        f(MemDiskGroup::from_group(&image), "image");
    }
}

#[test]
fn it_is_a_group_like_any_other() {
    each(|group, what| {
        let vis = group.create_dataset("a/b/vis").write(vec![1.0, 2.0]).unwrap();
        assert_eq!(vis.name(), "/a/b/vis", "{what}");
        assert_eq!(group.group("a").unwrap().dataset("/a/b/vis").unwrap().id().unwrap(), vis.id().unwrap(), "{what}");
        assert_eq!(group.group("a/b").unwrap().parent().unwrap().name(), "/a");
        group.require_group("a/b").unwrap();
        assert_eq!(group.require_dataset("a/b/vis", [2], &DType::F64).unwrap().len().unwrap(), 2);
        // The objects within are handed to the backend, which knows its own.
        group.link_hard("a/b/vis", "again").unwrap();
        assert_eq!(group.get("again").unwrap().object().id().unwrap(), vis.id().unwrap(), "{what}");
        group.rename("a/b/vis", "c/moved").unwrap();
        assert_eq!(group.dataset("c/moved").unwrap().read::<f64>().unwrap().sum(), 3.0, "{what}");
        group.group("c").unwrap().new_link("up", NewLink::Hard(&Node::Group(group.to_ref()))).unwrap();
        assert_eq!(group.group("c/up").unwrap().id().unwrap(), group.id().unwrap(), "{what}");
        // References of a wrapped object go into a wrapped dataset.
        let refs = AnyArray::from_references([vis.reference().unwrap(), group.reference().unwrap()]);
        let stored = group.create_dataset("refs").write(refs).unwrap();
        let back = stored.read_array().unwrap().to_references().unwrap();
        assert_eq!(back[0].open().unwrap().object().id().unwrap(), vis.id().unwrap(), "{what}");
        // Overwriting goes through a temporary name.
        group.create_dataset("again").overwrite(true).write("text").unwrap();
        assert_eq!(group.dataset("again").unwrap().read_slice::<String>(()).unwrap(), "text");
        group.link_soft("/c/moved", "soft").unwrap();
        assert_eq!(group.dataset("soft").unwrap().len().unwrap(), 2);
        let log = group.create_dataset("log").shape([0]).maxshape([None]).create().unwrap();
        log.append(vec![1.0]).unwrap();
        assert_eq!(group.dataset("log").unwrap().len().unwrap(), 1);
        group.commit_datatype("type", &DType::I16).unwrap();
        group.get("type").unwrap().attrs().set("x", 1).unwrap();
        group.delete("type").unwrap();
        assert_eq!(group.keys().unwrap(), ["a", "again", "c", "log", "refs", "soft"], "{what}");
        assert_eq!(group.visit(|_, n| Ok((n.name() == "/c/moved").then_some(1))).unwrap(), Some(1), "{what}");
        assert!(group == group.clone() && group != MemDiskGroup::new());
        group.flush().unwrap();
    });
}

#[test]
fn a_policy_holds_in_every_group() {
    each(|group, what| {
        let flat = group.clone().with_policy(Flat);
        flat.create_dataset("vis").write(vec![1.0]).unwrap();
        let refused = |e: memh5::Error| assert_eq!(e.kind(), ErrorKind::NotAllowed, "{what}: {e}");
        refused(flat.create_group("history").unwrap_err());
        refused(flat.create_dataset("a/vis").write(1).unwrap_err());
        refused(flat.create_dataset("secret").write(1).unwrap_err());
        refused(flat.require_group("history").unwrap_err());
        refused(flat.rename("vis", "secret").unwrap_err());
        refused(flat.file().unwrap().create_group("x").unwrap_err());
        // The container itself keeps hidden groups in the storage.
        flat.storage().create_dataset("history/order").write("[]").unwrap();
        flat.storage().link_soft("/history/order", "by_path").unwrap();
        assert_eq!(flat.keys().unwrap(), ["vis"], "{what}");
        assert_eq!(flat.len().unwrap(), 1);
        assert_eq!(flat.visit(|p, _| Ok(p.contains("history").then_some(()))).unwrap(), None);
        for hidden in ["history", "history/order", "/history/order", "by_path"] {
            assert_eq!(flat.get(hidden).unwrap_err().kind(), ErrorKind::NotFound, "{what} {hidden}");
            assert!(!flat.contains(hidden).unwrap(), "{what} {hidden}");
        }
        assert_eq!(flat.delete("history").unwrap_err().kind(), ErrorKind::NotFound, "{what}");
        assert_eq!(flat.rename("history", "vis2").unwrap_err().kind(), ErrorKind::NotFound, "{what}");
        // From a dataset back to the root, the policy holds as well.
        let root = flat.dataset("vis").unwrap().root().unwrap();
        assert!(!root.contains("history").unwrap(), "{what}");
        // Without the policy all is there, and a copy takes all.
        assert!(group.contains("history/order").unwrap());
        let copy = flat.copy().unwrap();
        assert_eq!(copy.keys().unwrap(), ["vis"]);
        assert!(copy.storage().contains("history/order").unwrap(), "{what}");
        // Into a group with a policy, a copy brings only what is allowed there.
        let from = MemGroup::new();
        from.create_group("g").unwrap();
        let e = memh5::deep_group_copy(&from, &flat).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NotAllowed, "{what}: {e}");
    });
}

#[test]
fn tags_choose_constructors_and_unknown_ones_are_no_error() {
    struct Night(MemDiskGroup);
    struct Day;
    let mut registry = Registry::new();
    registry.register("survey.Night", |group| Ok(Night(group.with_policy(Flat))));
    registry.register("survey.Bad", |_| -> memh5::Result<Day> { Err(memh5::Error::new(ErrorKind::Corrupt, "not good")) });
    each(|group, what| {
        group.attrs().set(TYPE_TAG_ATTRIBUTE, "survey.Night").unwrap();
        let typed = registry.typed(group.clone()).unwrap();
        assert_eq!(typed.tag(), Some("survey.Night"), "{what}");
        let night: Night = typed.downcast().unwrap();
        assert!(night.0.create_group("x").is_err());
        let wrong = registry.typed(group.clone()).unwrap().downcast::<Day>().map(|_| ()).unwrap_err();
        assert!(wrong.to_string().contains("survey.Night"), "{wrong}");
        group.attrs().set(TYPE_TAG_ATTRIBUTE, "caput.containers._core.Container").unwrap();
        match registry.typed(group.clone()).unwrap() {
            Typed::Unknown { tag, group } => {
                assert_eq!(tag.as_deref(), Some("caput.containers._core.Container"));
                assert!(group.attrs().contains(TYPE_TAG_ATTRIBUTE).unwrap());
            }
            known => panic!("{what}: {known:?}"),
        }
        group.attrs().set(TYPE_TAG_ATTRIBUTE, 5).unwrap();
        assert_eq!(registry.typed(group.clone()).unwrap().tag(), None, "{what}: a number is no tag");
        group.attrs().set(TYPE_TAG_ATTRIBUTE, "survey.Bad").unwrap();
        assert_eq!(registry.typed(group.clone()).map(|_| ()).unwrap_err().kind(), ErrorKind::Corrupt);
    });
}

#[cfg(feature = "hdf5")]
#[test]
fn it_moves_between_memory_and_disk() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("night.h5");
    let group = MemDiskGroup::new().with_type_tag("survey.Night").with_policy(Flat);
    group.create_dataset("vis").write(vec![1.0, 2.0]).unwrap();
    group.storage().create_dataset("history/order").write("[]").unwrap();
    let report = group.save(&path).unwrap();
    assert_eq!(report.datasets, 2);
    assert_eq!(group.attrs().get::<String>(TYPE_TAG_ATTRIBUTE).unwrap(), "survey.Night", "the object gets the tag, too");
    assert!(!group.ondisk() && group.path().is_none() && group.is_open());
    group.close().unwrap();
    assert!(group.is_open(), "in memory nothing is closed");

    let disk = MemDiskGroup::from_file(&path, true).unwrap();
    assert!(disk.ondisk() && disk.path().is_some_and(|p| p.ends_with("night.h5")));
    assert_eq!(disk.type_tag().unwrap().as_deref(), Some("survey.Night"));
    assert!(diff(group.storage().as_group(), disk.storage().as_group(), &Default::default()).unwrap().is_equal());
    assert_eq!(disk.create_dataset("new").write(1).unwrap_err().kind(), ErrorKind::ReadOnly);
    let memory = disk.to_memory().unwrap();
    assert!(!memory.ondisk() && memory.to_memory().unwrap() == memory);
    // What is on disk can be saved elsewhere, though not over itself.
    disk.save(dir.path().join("copy.h5")).unwrap();
    assert_eq!(disk.save(&path).unwrap_err().kind(), ErrorKind::InvalidArgument);
    disk.close().unwrap();
    assert!(!disk.is_open());
    disk.close().unwrap();
    assert_eq!(disk.keys().unwrap_err().kind(), ErrorKind::Closed);
    memory.create_dataset("new").write(1).unwrap();

    let again = memory.to_disk(&path).unwrap();
    again.create_dataset("more").write(2).unwrap();
    again.flush().unwrap();
    again.close().unwrap();
    let keys = MemDiskGroup::from_file(&path, false).unwrap().keys().unwrap();
    assert_eq!(keys, ["history", "more", "new", "vis"]);
    let writable = MemDiskGroup::open(&path, Mode::ReadWrite).unwrap();
    writable.delete("more").unwrap();
    writable.close().unwrap();
    assert_eq!(MemDiskGroup::create(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(MemDiskGroup::from_file(dir.path().join("absent.h5"), true).unwrap_err().kind(), ErrorKind::NotFound);

    // A file that somebody else opened is not closed here.
    let root = memh5::format::open(&path, Mode::Read).unwrap();
    MemDiskGroup::from_group(&*root).close().unwrap();
    assert!(root.keys().is_ok());
}

#[cfg(feature = "hdf5")]
#[test]
fn a_file_is_read_in_part_by_named_axes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("c.h5");
    let group = MemDiskGroup::new();
    let vis = group.create_dataset("vis").write(ndarray::Array2::from_shape_fn((4, 3), |(i, j)| (10 * i + j) as i32)).unwrap();
    vis.attrs().set("axis", ["freq", "time"]).unwrap();
    group.create_dataset("weight").write(vec![1, 2, 3]).unwrap().attrs().set("axis", ["time"]).unwrap();
    group.create_dataset("other").write(vec![7]).unwrap();
    group.create_dataset("index_map/freq").write(vec![400.0, 500.0, 600.0, 700.0]).unwrap();
    group.create_dataset("index_map/time").write(vec![0, 1, 2]).unwrap();
    group.save(&path).unwrap();
    let part = LoadOptions::new().axis("freq", 1..3).axis("time", vec![2, 0]).open(&path).unwrap();
    assert_eq!(part.dataset("vis").unwrap().read_slice::<AnyArray>(..).unwrap(), AnyArray::from(ndarray::array![[12, 10], [22, 20]]));
    assert_eq!(part.dataset("weight").unwrap().read_slice::<Vec<i32>>(..).unwrap(), [3, 1]);
    assert_eq!(part.dataset("index_map/freq").unwrap().read_slice::<Vec<f64>>(..).unwrap(), [500.0, 600.0]);
    assert_eq!(part.dataset("index_map/time").unwrap().read_slice::<Vec<i32>>(..).unwrap(), [2, 0]);
    assert_eq!(part.dataset("other").unwrap().len().unwrap(), 1);
    let kind = |options: LoadOptions| options.open(&path).unwrap_err().kind();
    assert_eq!(kind(LoadOptions::new().axis("el", 0..1)), ErrorKind::NotFound);
    assert_eq!(kind(LoadOptions::new().axis("freq", 0)), ErrorKind::Selection);
    assert_eq!(kind(LoadOptions::new().axis("freq", vec![9])), ErrorKind::Selection);
    assert_eq!(kind(LoadOptions::new().ondisk(true).axis("freq", 0..1)), ErrorKind::InvalidArgument);
    assert_eq!(kind(LoadOptions::new().mode(Mode::ReadWrite)), ErrorKind::InvalidArgument);

    #[derive(Debug)]
    struct FirstOnly;
    impl Policy for FirstOnly {
        fn make_selections(
            &self,
            _: &dyn Group,
            axes: &[(String, memh5::selection::Item)],
        ) -> memh5::Result<Vec<(String, memh5::Selection)>> {
            Ok(vec![("vis".into(), memh5::Selection::Axes(vec![axes[0].1.clone()]))])
        }
    }
    let hooked = LoadOptions::new().policy(FirstOnly).axis("freq", 0..1).open(&path).unwrap();
    assert_eq!(hooked.dataset("vis").unwrap().shape().unwrap(), [1, 3]);
    assert_eq!(hooked.dataset("index_map/freq").unwrap().len().unwrap(), 4);
}

#[cfg(feature = "hdf5")]
#[test]
fn strings_are_converted_on_the_way_if_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.h5");
    let group = MemDiskGroup::new();
    group.create_dataset("s").write(["abc", "d"]).unwrap();
    group.attrs().set("a", "text").unwrap();
    group.save_with(&path, DeepCopy::new().convert_dataset_strings(StringConversion::FixedAscii)).unwrap();
    let stored = MemDiskGroup::from_file(&path, true).unwrap();
    assert_eq!(stored.dataset("s").unwrap().dtype().unwrap(), DType::fixed_ascii(3));
    stored.close().unwrap();
    let back = LoadOptions::new().convert_dataset_strings(StringConversion::Variable).open(&path).unwrap();
    assert_eq!(back.dataset("s").unwrap().dtype().unwrap(), DType::STR);
    assert!(diff(group.as_group(), back.as_group(), &Default::default()).unwrap().is_equal());
    group.create_dataset("bad").write("caf\u{e9}").unwrap();
    let e = group.save_with(&path, DeepCopy::new().convert_dataset_strings(StringConversion::FixedAscii)).unwrap_err();
    assert_eq!((e.kind(), e.path()), (ErrorKind::Dtype, Some("/bad")), "{e}");
    assert_eq!(MemDiskGroup::from_file(&path, false).unwrap().keys().unwrap(), ["s"], "what was there stays");
}
