//! One tree with everything in it, copied from every backend to every backend.

use crate::each_pair;
use crate::strict::{assert_equal, difference};
use memh5::copy::{DeepCopy, deep_group_copy};
use memh5::prelude::*;
use memh5::tree::{GroupSpec, Layout, NewLink, Region, RegionKind};
use memh5::{AnyArray, Cast, DType, Filter, ObjectRef, RegionRef};
use ndarray::{Array2, array};

/// Fills a group with everything that a tree can hold. What it refers to is all within it.
pub fn fill(g: &dyn Group) {
    g.attrs().set("title", "caf\u{e9}").unwrap();
    g.attrs().set("empty", AnyArray::null(DType::F64)).unwrap();
    g.attrs().set_json("config", &std::collections::BTreeMap::from([("gain", f64::NAN)])).unwrap();
    let vis = g
        .create_dataset("night/vis")
        .shape([6, 4])
        .maxshape([None, Some(8)])
        .chunks([2, 4])
        .gzip(3)
        .fill_value(-1.5f32)
        .write(Array2::from_shape_fn((6, 4), |(i, j)| (10 * i + j) as f32))
        .unwrap();
    vis.attrs().set("axis", ["time", "freq"]).unwrap();
    g.create_dataset("night/big_endian").dtype(DType::I32.with_order(memh5::dtype::Order::Big)).write(vec![1i32, -2]).unwrap();
    g.create_dataset("night/text").write(["a", "", "\u{fc}ber"]).unwrap();
    let fixed = AnyArray::from_strings(["ab", "c"]).astype(&DType::fixed_ascii(4), Cast::Exact).unwrap();
    g.create_dataset("fixed").write(fixed).unwrap();
    g.create_dataset("scalar").write(42u8).unwrap();
    g.create_dataset("null").dtype(DType::C64).null().create().unwrap();
    g.create_dataset("nothing").shape([0, 3]).dtype(DType::Bool).create().unwrap();
    g.create_dataset("compact").layout(Layout::Compact).write(vec![1u16, 2]).unwrap();
    g.create_dataset("undefined").shape([2]).undefined_fill().write(vec![1.0, 2.0]).unwrap();
    let sequences = [AnyArray::from(vec![1i16, 2]), AnyArray::from(Vec::<i16>::new())];
    g.create_dataset("ragged").write(AnyArray::from_sequences(DType::I16, sequences).unwrap()).unwrap();
    g.create_dataset("checked").chunks([2]).filter(Filter::Fletcher32).write(vec![1i64, 2, 3]).unwrap();

    let ordered = g.create_group_with("ordered", &GroupSpec::tracked()).unwrap();
    for name in ["z", "a", "m"] {
        ordered.create_dataset(name).track_order(true).write(array![1, 2]).unwrap();
        ordered.attrs().set(name, 1).unwrap();
    }
    ordered.attrs().set("ref", vis.reference().unwrap()).unwrap();
    ordered.attrs().set("b_after_ref", 1).unwrap();
    let m = ordered.dataset("m").unwrap();
    m.attrs().set("to_later", g.require_group("zz").unwrap().reference().unwrap()).unwrap();
    m.attrs().set("a_after", 2).unwrap();

    let committed = g.commit_datatype("event_type", &DType::compound_aligned([("t", DType::U8), ("e", DType::F64)]).unwrap()).unwrap();
    committed.attrs().set("version", 3).unwrap();

    // Names of one object, also in a circle.
    g.link_hard("night/vis", "alias").unwrap();
    let night = g.get("night").unwrap();
    g.group("ordered").unwrap().new_link("back", NewLink::Hard(&night)).unwrap();
    g.group("night").unwrap().new_link("up", NewLink::Hard(&memh5::tree::Node::Group(g.to_ref()))).unwrap();
    // Links by path.
    g.link_soft(&format!("{}/night/vis", g.name().trim_end_matches('/')), "absolute").unwrap();
    g.link_soft("night/vis", "relative").unwrap();
    g.link_soft("nowhere/at/all", "dangling").unwrap();
    g.link_external("other.h5", "/x", "outside").unwrap();

    // References, at every depth.
    let region = |kind| RegionRef { target: vis.reference().unwrap(), region: Region { shape: vec![6, 4], kind } };
    let points = region(RegionKind::Points(vec![vec![1, 2], vec![0, 3], vec![1, 2]]));
    let slab = region(RegionKind::Hyperslab { start: vec![0, 1], stride: vec![3, 2], count: vec![2, 2], block: vec![1, 1] });
    let all = region(RegionKind::All);
    let object = g.get("zz").unwrap().object().reference().unwrap();
    let own = g.reference().unwrap();
    g.create_dataset("refs/objects").write(AnyArray::from_references([object.clone(), ObjectRef::null(), own.clone()])).unwrap();
    g.create_dataset("refs/regions").write(AnyArray::from_regions([points.clone(), RegionRef::null(), slab.clone(), all])).unwrap();
    let inner = DType::compound([("n", DType::I16), ("o", DType::ObjectRef)]).unwrap();
    let mut pairs = AnyArray::zeros(inner.clone(), [2]).unwrap();
    pairs.set_field("n", [7i16, 8]).unwrap();
    pairs.set_field("o", own.clone()).unwrap();
    let dtype = DType::compound([("r", DType::RegionRef), ("p", inner.clone()), ("o", DType::ObjectRef), ("s", DType::STR)]).unwrap();
    let mut events = AnyArray::zeros(dtype, [2]).unwrap();
    events.set_field("r", AnyArray::from_regions([slab, points])).unwrap();
    events.set_field("p", pairs).unwrap();
    events.set_field("s", ["one", "two"]).unwrap();
    g.create_dataset("refs/events").chunks([1]).maxshape([None]).write(&events).unwrap();
    g.attrs().set("events", &events).unwrap();
    let list = AnyArray::from_references([object, own]);
    g.create_dataset("refs/lists").write(AnyArray::from_sequences(DType::ObjectRef, [list]).unwrap()).unwrap();
}

#[test]
fn everything_goes_between_all_backends() {
    each_pair(|from, to, pair| {
        fill(from);
        let report = deep_group_copy(from, to).unwrap_or_else(|e| panic!("{pair}: {e}"));
        assert_equal(from, to, pair);
        assert!(report.is_lossless(), "{pair}: {report}");
        assert_eq!((report.groups, report.datatypes, report.links), (4, 1, 7), "{pair}: {report}");
        assert_eq!(report.datasets, 18, "{pair}: {report}");
    });
}

#[test]
fn sub_groups_are_copied_relative_to_both_roots() {
    each_pair(|from, to, pair| {
        let (source, target) = (from.create_group("deep/source").unwrap(), to.create_group("target/of").unwrap());
        fill(&*source);
        let report = deep_group_copy(&*source, &*target).unwrap_or_else(|e| panic!("{pair}: {e}"));
        assert_equal(&*source, &*target, pair);
        assert!(report.is_lossless(), "{pair}: {report}");
        assert_eq!(to.dataset("target/of/absolute").unwrap().name(), "/target/of/night/vis", "{pair}");
        assert_eq!(to.keys().unwrap(), ["target"], "{pair}");
    });
}

#[test]
fn a_copy_within_one_tree_keeps_references_to_the_rest() {
    for (name, fresh) in crate::backends() {
        let root = fresh();
        let a = root.create_group("a").unwrap();
        let outside = root.create_dataset("outside").write(1).unwrap();
        a.create_dataset("x").write(2).unwrap();
        a.create_dataset("r").write(AnyArray::from_references([outside.reference().unwrap(), a.reference().unwrap()])).unwrap();
        let b = root.create_group("b").unwrap();
        let report = deep_group_copy(&*a, &*b).unwrap();
        assert!(report.is_lossless(), "{name}: {report}");
        let refs = b.dataset("r").unwrap().read_array().unwrap().to_references().unwrap();
        assert_eq!(refs[0].open().unwrap().name(), "/outside", "{name}");
        assert_eq!(refs[1].open().unwrap().name(), "/b", "{name}");
    }
}

#[test]
fn the_comparison_of_these_tests_can_fail() {
    let make = || {
        let g = memh5::MemGroup::new();
        fill(&g);
        g
    };
    type Change = (&'static str, fn(&memh5::MemGroup));
    let changes: [Change; 9] = [
        ("an attribute", |g| g.attrs().set("title", "cafe").unwrap()),
        ("an attribute's type", |g| g.group("ordered").unwrap().attrs().set("z", 1i64).unwrap()),
        ("an element", |g| g.dataset("night/vis").unwrap().write_slice((0, 0), 1f32).unwrap()),
        ("a name", |g| g.rename("fixed", "fixed2").unwrap()),
        ("a link", |g| {
            g.delete("relative").unwrap();
            g.link_soft("night/text", "relative").unwrap();
        }),
        ("identity", |g| {
            g.delete("alias").unwrap();
            let vis = g.dataset("night/vis").unwrap();
            g.create_dataset("alias")
                .spec(&vis.spec().unwrap())
                .write(vis.read_array().unwrap())
                .unwrap()
                .attrs()
                .set("axis", ["time", "freq"])
                .unwrap();
        }),
        ("a reference", |g| {
            let other = g.group("night").unwrap().reference().unwrap();
            g.dataset("refs/objects").unwrap().write_slice(0, other).unwrap();
        }),
        ("a region", |g| {
            let mut regions = g.dataset("refs/regions").unwrap().read_array().unwrap().to_regions().unwrap();
            regions[0].region.kind = RegionKind::None;
            g.dataset("refs/regions").unwrap().write(AnyArray::from_regions(regions)).unwrap();
        }),
        ("an order", |g| {
            g.rename("ordered/z", "ordered/y").unwrap();
            g.rename("ordered/y", "ordered/z").unwrap();
        }),
    ];
    assert_eq!(difference(&make(), &make()), None);
    for (what, change) in changes {
        let changed = make();
        change(&changed);
        assert!(difference(&make(), &changed).is_some(), "{what} is not noticed");
    }
}

#[test]
fn memory_shares_its_elements_until_somebody_writes() {
    let (a, b, c) = (memh5::MemGroup::new(), memh5::MemGroup::new(), memh5::MemGroup::new());
    a.create_dataset("x").write(vec![1.0, 2.0]).unwrap();
    deep_group_copy(&a, &b).unwrap();
    let read = |g: &memh5::MemGroup| g.dataset("x").unwrap().read_array().unwrap();
    assert!(read(&a).shares_memory_with(&read(&b)));
    b.dataset("x").unwrap().write_slice(0, 9.0).unwrap();
    assert_eq!(read(&a), AnyArray::from(vec![1.0, 2.0]));
    DeepCopy::new().force_copy(true).run(&a, &c).unwrap();
    assert!(!read(&a).shares_memory_with(&read(&c)) && read(&a) == read(&c));
}

/// Every dtype that the contract names, in datasets and attributes, plain and in pieces, chunked and not.
#[cfg(feature = "contract")]
#[test]
fn every_dtype_goes_between_all_backends() {
    use memh5::contract::{Targets, dtypes, sample};
    each_pair(|from, to, pair| {
        let target = from.create_dataset("target").write(array![[1, 2, 3], [4, 5, 6]]).unwrap();
        let regions = [
            RegionKind::Points(vec![vec![0, 1]]),
            RegionKind::Blocks(vec![(vec![0, 0], vec![0, 1]), (vec![1, 2], vec![1, 2])]),
            RegionKind::None,
        ];
        let regions = regions.map(|kind| RegionRef { target: target.reference().unwrap(), region: Region { shape: vec![2, 3], kind } });
        let targets =
            Targets { objects: vec![target.reference().unwrap(), from.reference().unwrap(), ObjectRef::null()], regions: regions.to_vec() };
        for (n, (name, dtype)) in dtypes().unwrap().into_iter().enumerate() {
            for shape in [vec![], vec![5], vec![3, 0, 2], vec![4, 3]] {
                let data = sample(&dtype, &shape, n as u64, &targets).unwrap();
                let name = format!("{n}/{} {shape:?}", name.replace('/', "|"));
                let chunks: Vec<usize> = shape.iter().map(|n| (*n).clamp(1, 2)).collect();
                let builder = from.create_dataset(&name);
                let builder = if shape.is_empty() { builder } else { builder.chunks(chunks) };
                builder.write(&data).unwrap_or_else(|e| panic!("{pair} {name}: {e}"));
                from.attrs().set(&name.replace('/', "|"), &data).unwrap_or_else(|e| panic!("{pair} {name}: {e}"));
            }
        }
        let report = DeepCopy::new().slab_bytes(16).run(from, to).unwrap_or_else(|e| panic!("{pair}: {e}"));
        assert!(report.is_lossless(), "{pair}: {report}");
        assert_equal(from, to, pair);
    });
}
