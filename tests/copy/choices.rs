//! The choices of a copy: selections, layouts, strings, sharing, callbacks.

use crate::each_pair;
use memh5::copy::{DeepCopy, OutsideReferences, StringConversion};
use memh5::prelude::*;
use memh5::selection::Item;
use memh5::tree::{Layout, Region, RegionKind};
use memh5::{AnyArray, Cast, DType, ErrorKind, Filter, MemGroup, RegionRef, Selection};
use ndarray::{Array2, Array3};
use std::cell::RefCell;
use std::ops::ControlFlow;

fn cube() -> Array3<i64> {
    Array3::from_shape_fn((8, 8, 8), |(i, j, k)| (100 * i + 10 * j + k) as i64)
}

#[test]
fn selections_are_those_of_a_read() {
    let list = |i: [i64; 3]| Item::List(i.to_vec());
    // The upstream cases: slices and index lists on a cube and on a plane, then negative steps, indices and masks.
    let selections: Vec<Selection> = vec![
        (Item::step(1..8, 2), 1..4, ..).into(),
        (Item::step(1..8, 2), list([0, 2, 7]), ..).into(),
        (list([0, 2, 7]), .., ..).into(),
        (.., -1, Item::step(.., -3)).into(),
        (3, 4, 5).into(),
        (0..0, .., ..).into(),
        Selection::from(Array3::from_shape_fn((8, 8, 8), |(i, _, k)| i == k).into_dyn()),
    ];
    for selection in &selections {
        each_pair(|from, to, pair| {
            let data = from.create_dataset("g/data").chunks([3, 4, 8]).maxshape([None, Some(8), Some(9)]).gzip(1).write(cube()).unwrap();
            data.attrs().set("units", "K").unwrap();
            let report = DeepCopy::new()
                .select("/g/data/", selection)
                .slab_bytes(500)
                .run(from, to)
                .unwrap_or_else(|e| panic!("{pair} {selection:?}: {e}"));
            let copy = to.dataset("g/data").unwrap();
            assert_eq!(copy.read_array().unwrap(), data.read_slice::<AnyArray>(selection).unwrap(), "{pair} {selection:?}");
            assert_eq!(copy.attrs().get::<String>("units").unwrap(), "K");
            assert_eq!(report.converted.len(), 1, "{report}");
            copy.spec().unwrap().validate_public();
        });
    }
}

trait ValidatePublic {
    fn validate_public(&self);
}
impl ValidatePublic for memh5::tree::DatasetSpec {
    /// A spec that was selected is one that every backend takes.
    fn validate_public(&self) {
        let fresh = MemGroup::new();
        fresh.create_dataset("x").spec(self).create().unwrap();
    }
}

#[test]
fn selections_follow_names_and_are_checked_first() {
    let from = MemGroup::new();
    from.create_dataset("g/x").write(vec![1, 2, 3]).unwrap();
    from.link_hard("g/x", "a_alias").unwrap();
    from.create_dataset("h/y").write(vec![1]).unwrap();
    let to = MemGroup::new();
    // The object is copied once, under its first name; the selection is for the object.
    DeepCopy::new().select("g/x", 1..).run(&from, &to).unwrap();
    assert_eq!(to.dataset("a_alias").unwrap().read_slice::<Vec<i32>>(..).unwrap(), [2, 3]);
    for (path, selection, kind) in [
        ("nothing", Selection::from(0), ErrorKind::NotFound),
        ("g", Selection::from(0), ErrorKind::NotADataset),
        ("/", Selection::from(0), ErrorKind::NotADataset),
        ("g/x", Selection::from(7), ErrorKind::Selection),
        ("g/x", Selection::from((0, 0)), ErrorKind::Selection),
    ] {
        let to = MemGroup::new();
        let e = DeepCopy::new().select(path, selection).run(&from, &to).unwrap_err();
        assert_eq!(e.kind(), kind, "{path}: {e}");
        assert!(to.is_empty().unwrap(), "{path}");
    }
    let to = MemGroup::new();
    DeepCopy::new().select("nothing", 0).ignore_missing_selections(true).run(&from, &to).unwrap();
    assert_eq!(to.len().unwrap(), 3);
    // Absolute paths are relative to the copied group, and so this one is not there.
    let e = DeepCopy::new().select("/g/x", 0).run(&from.group("g").unwrap(), &MemGroup::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    let e = DeepCopy::new().select("g/x", 0).select("a_alias", 1).run(&from, &MemGroup::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{e}");
}

#[test]
fn chunks_filters_and_layouts_change_by_pattern() {
    each_pair(|from, to, pair| {
        for name in ["vis", "night/vis", "night/weight"] {
            from.create_dataset(name).write(Array2::<f32>::ones((20, 10))).unwrap();
        }
        from.create_dataset("night/one").write(1).unwrap();
        let report = DeepCopy::new()
            .filters("**", [Filter::Shuffle, Filter::Gzip(1)])
            .chunks("**/vis", [8, 100])
            .layout("night/w*", Layout::Contiguous)
            .run(from, to)
            .unwrap_or_else(|e| panic!("{pair}: {e}"));
        let spec = |name: &str| to.dataset(name).unwrap().spec().unwrap();
        for name in ["vis", "night/vis"] {
            assert_eq!(spec(name).chunks(), Some(&[8, 10][..]), "{pair} {name}");
            assert_eq!(spec(name).filters, [Filter::Shuffle, Filter::Gzip(1)], "{pair} {name}");
        }
        assert!(spec("night/weight").filters.is_empty() && spec("night/weight").chunks().is_none(), "{pair}");
        assert!(spec("night/one").filters.is_empty());
        assert!(report.lost.is_empty() && report.converted.len() >= 2, "{pair}: {report}");
        assert_eq!(to.dataset("vis").unwrap().read::<f32>().unwrap().sum(), 200.0);
        let e = DeepCopy::new().overwrite(true).chunks("vis", [8]).run(from, to).unwrap_err();
        assert_eq!((e.kind(), e.path()), (ErrorKind::Shape, Some("/vis")), "{pair}: {e}");
    });
}

#[test]
fn strings_change_on_request_only() {
    each_pair(|from, to, pair| {
        let fixed = AnyArray::from_strings(["ab", "c"]).astype(&DType::fixed_ascii(3), Cast::Exact).unwrap();
        from.create_dataset("fixed").write(&fixed).unwrap();
        from.create_dataset("variable").write(["abcd", "x"]).unwrap();
        from.attrs().set("fixed", fixed).unwrap();
        from.attrs().set("variable", "text").unwrap();
        let (a, b) = (to.create_group("a").unwrap(), to.create_group("b").unwrap());
        let report = DeepCopy::new()
            .convert_dataset_strings(StringConversion::Variable)
            .convert_attribute_strings(StringConversion::Variable)
            .run(from, &*a)
            .unwrap_or_else(|e| panic!("{pair}: {e}"));
        assert_eq!(a.dataset("fixed").unwrap().dtype().unwrap(), DType::STR, "{pair}");
        assert_eq!(a.dataset("fixed").unwrap().read_slice::<Vec<String>>(..).unwrap(), ["ab", "c"], "{pair}");
        assert_eq!(a.attrs().get_array("fixed").unwrap().unwrap().dtype(), &DType::STR, "{pair}");
        assert_eq!(report.converted.iter().map(|n| n.path.as_str()).collect::<Vec<_>>(), ["/@fixed", "fixed"], "{pair}");
        DeepCopy::new().convert_dataset_strings(StringConversion::FixedAscii).run(from, &*b).unwrap();
        assert_eq!(b.dataset("variable").unwrap().dtype().unwrap(), DType::fixed_ascii(4), "{pair}");
        assert_eq!(b.dataset("variable").unwrap().read_slice::<Vec<String>>(..).unwrap(), ["abcd", "x"], "{pair}");
        assert_eq!(b.attrs().get_array("variable").unwrap().unwrap().dtype(), &DType::STR, "{pair}: attributes were not asked for");
        // The longest string that is copied counts, and the fill value.
        let c = to.create_group("c").unwrap();
        from.create_dataset("filled")
            .shape([3])
            .dtype(DType::STR)
            .maxshape([None])
            .fill_value("fill")
            .create()
            .unwrap()
            .write_slice(2, "longest")
            .unwrap();
        let copy = DeepCopy::new().convert_dataset_strings(StringConversion::FixedAscii).select("filled", ..2).select("variable", 1);
        copy.run(from, &*c).unwrap_or_else(|e| panic!("{pair}: {e}"));
        assert_eq!(c.dataset("filled").unwrap().dtype().unwrap(), DType::fixed_ascii(4), "{pair}");
        assert_eq!(c.dataset("filled").unwrap().read_slice::<Vec<String>>(..).unwrap(), ["fill", "fill"], "{pair}");
        assert_eq!(c.dataset("variable").unwrap().dtype().unwrap(), DType::fixed_ascii(1), "{pair}");
        from.create_dataset("bad").write("caf\u{e9}").unwrap();
        let e = DeepCopy::new().convert_dataset_strings(StringConversion::FixedAscii).overwrite(true).run(from, &*b).unwrap_err();
        assert_eq!((e.kind(), e.path()), (ErrorKind::Dtype, Some("/bad")), "{pair}: {e}");
        assert_eq!(b.dataset("variable").unwrap().dtype().unwrap(), DType::fixed_ascii(4), "{pair}: what was there stays");
    });
}

#[test]
fn references_that_lead_out_are_null_and_reported() {
    each_pair(|from, to, pair| {
        let a = from.create_group("a").unwrap();
        let x = a.create_dataset("x").write(vec![1, 2, 3]).unwrap();
        let out = from.create_dataset("out").write(1).unwrap();
        let region = RegionRef { target: x.reference().unwrap(), region: Region { shape: vec![3], kind: RegionKind::All } };
        a.create_dataset("r").write(AnyArray::from_references([out.reference().unwrap(), x.reference().unwrap()])).unwrap();
        a.create_dataset("regions").write(AnyArray::from_regions([region])).unwrap();
        a.attrs().set("out", out.reference().unwrap()).unwrap();
        let deleted = from.create_dataset("deleted").write(1).unwrap().reference().unwrap();
        a.create_dataset("gone").write(AnyArray::from_references([deleted])).unwrap();
        from.delete("deleted").unwrap();
        let report = DeepCopy::new().select("x", 1..).run(&*a, to).unwrap_or_else(|e| panic!("{pair}: {e}"));
        let refs = to.dataset("r").unwrap().read_array().unwrap().to_references().unwrap();
        assert!(refs[0].is_null() && refs[1].open().unwrap().name() == "/x", "{pair}");
        assert!(to.dataset("gone").unwrap().read_array().unwrap().to_references().unwrap()[0].is_null(), "{pair}");
        assert!(to.dataset("regions").unwrap().read_array().unwrap().to_regions().unwrap()[0].is_null(), "{pair}");
        assert!(to.attrs().get::<memh5::ObjectRef>("out").unwrap().is_null());
        let mut lost: Vec<_> = report.lost.iter().map(|n| n.path.as_str()).collect();
        lost.sort_unstable();
        assert_eq!(lost, ["/@out", "gone", "r", "regions"], "{pair}: {report}");
        let e = DeepCopy::new().overwrite(true).outside_references(OutsideReferences::Error).run(&*a, to).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{pair}: {e}");
    });
}

#[test]
fn shared_datasets_are_the_same_datasets() {
    let (from, shallow, shared) = (MemGroup::new(), MemGroup::new(), MemGroup::new());
    for name in ["vis", "g/weight"] {
        from.create_dataset(name).write(vec![1.0, 2.0]).unwrap();
    }
    DeepCopy::new().shallow(true).run(&from, &shallow).unwrap();
    DeepCopy::new().shared(["/g/weight"]).run(&from, &shared).unwrap();
    for name in ["vis", "g/weight"] {
        from.dataset(name).unwrap().write_slice(0, 9.0).unwrap();
        from.dataset(name).unwrap().attrs().set("new", 1).unwrap();
    }
    let first = |g: &MemGroup, name: &str| g.dataset(name).unwrap().read_slice::<f64>(0).unwrap();
    assert_eq!((first(&shallow, "vis"), first(&shallow, "g/weight")), (9.0, 9.0));
    assert_eq!((first(&shared, "vis"), first(&shared, "g/weight")), (1.0, 9.0));
    assert!(shared.dataset("g/weight").unwrap().attrs().contains("new").unwrap());
    assert!(!shared.dataset("vis").unwrap().attrs().contains("new").unwrap());
    let kind = |copy: DeepCopy<'_>| copy.run(&from, &MemGroup::new()).unwrap_err().kind();
    assert_eq!(kind(DeepCopy::new().shared(["nothing"])), ErrorKind::NotFound);
    assert_eq!(kind(DeepCopy::new().shallow(true).select("vis", 0)), ErrorKind::InvalidArgument);
    assert_eq!(kind(DeepCopy::new().shared(["vis"]).select("vis", 0)), ErrorKind::InvalidArgument);
    #[cfg(feature = "hdf5")]
    {
        let image = memh5::format::hdf5::Hdf5File::in_memory().unwrap().root().unwrap();
        assert_eq!(DeepCopy::new().shallow(true).run(&from, &image).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn postprocess_sees_every_object_in_the_order_of_the_walk() {
    each_pair(|from, to, pair| {
        from.create_dataset("foo/bar").write(AnyArray::from_references([from.reference().unwrap()])).unwrap();
        from.create_dataset("a").write(1).unwrap();
        let seen = RefCell::new(Vec::new());
        DeepCopy::new()
            .postprocess(|from, to| {
                seen.borrow_mut().push((from.name(), to.name()));
                to.attrs().set("seen", true)
            })
            .run(from, to)
            .unwrap();
        let names: Vec<_> = seen.borrow().iter().map(|(a, b)| (a.clone(), b.clone())).collect();
        assert_eq!(names, ["/", "/a", "/foo", "/foo/bar"].map(|n| (n.to_owned(), n.to_owned())), "{pair}");
        assert!(to.get("foo/bar").unwrap().attrs().get::<bool>("seen").unwrap());
    });
}

#[test]
fn progress_adds_up_and_can_stop_the_copy() {
    each_pair(|from, to, pair| {
        for name in ["a", "b", "c"] {
            from.create_dataset(name).chunks([10, 16]).write(Array2::<u8>::ones((1000, 16))).unwrap();
        }
        from.attrs().set("x", 1).unwrap();
        to.attrs().set("x", "before").unwrap();
        to.create_dataset("b").write("before").unwrap();
        let calls = RefCell::new(0);
        let e = DeepCopy::new()
            .overwrite(true)
            .slab_bytes(1 << 10)
            .progress(|done, _, _| {
                *calls.borrow_mut() += 1;
                if done > 20_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .run(from, to)
            .unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Cancelled, "{pair}: {e}");
        assert_eq!(to.keys().unwrap(), ["b"], "{pair}: what was made is gone");
        assert_eq!(to.dataset("b").unwrap().read_slice::<String>(()).unwrap(), "before", "{pair}");
        assert_eq!(to.attrs().get::<String>("x").unwrap(), "before", "{pair}");
        let last = RefCell::new((0, 0));
        let report = DeepCopy::new()
            .overwrite(true)
            .slab_bytes(1 << 10)
            .progress(|done, total, _| {
                assert!(done >= last.borrow().0);
                *last.borrow_mut() = (done, total);
                ControlFlow::Continue(())
            })
            .run(from, to)
            .unwrap();
        assert_eq!(*last.borrow(), (48_000, 48_000), "{pair}");
        assert_eq!((report.bytes, to.attrs().get::<i32>("x").unwrap()), (48_000, 1), "{pair}");
        assert_eq!(to.keys().unwrap(), ["a", "b", "c"], "{pair}");
        assert_eq!(to.dataset("c").unwrap().read::<u8>().unwrap(), Array2::<u8>::ones((1000, 16)).into_dyn(), "{pair}");
    });
}

#[test]
fn a_report_reads_well() {
    let from = MemGroup::new();
    from.create_dataset("g/x").write(vec![1.0; 1000]).unwrap();
    from.attrs().set("a", 1).unwrap();
    from.link_soft("/elsewhere", "g/soft").unwrap();
    let report = DeepCopy::new().select("g/x", ..10).run(&from, &MemGroup::new()).unwrap();
    let text = report.to_string();
    assert!(text.starts_with("copied 1 group, 1 dataset, 1 attribute, 1 link, 80 bytes\nconverted g/x: a selection"), "{text}");
    let report = DeepCopy::new().run(&from.group("g").unwrap(), &MemGroup::new()).unwrap();
    assert!(report.to_string().contains("lost soft: the soft link leads to '/elsewhere'"), "{report}");
}
