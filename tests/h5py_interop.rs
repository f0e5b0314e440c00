//! h5py as the peer: what it writes we read, what we write it reads, and what goes HDF5 -> memory -> HDF5 is the same to it.
//!
//! The comparisons are made by scripts of tests/interop with h5py alone, not by our own dump.
#![cfg(feature = "hdf5")]

mod peer;

use memh5::contract::{Targets, sample};
use memh5::copy::DeepCopy;
use memh5::dtype::{Charset, FloatWidth, Order, Padding};
use memh5::tree::{BitshuffleCompressor, Filter, GroupSpec, Layout, Link, Mode, Node, Region, RegionKind, RegionRef};
use memh5::{AnyArray, DType, Selection, format, prelude::*};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// One test at a time: a Python that one starts inherits the files that another has open, and with them their locks.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// h5py's file of everything, the plain or the newer format.
fn made_by_h5py(python: &Path, dir: &Path, v110: bool) -> std::path::PathBuf {
    let file = dir.join(if v110 { "h5py_v110.h5" } else { "h5py.h5" });
    let mut args = vec![file.as_os_str()];
    if v110 {
        args.push("--v110".as_ref());
    }
    peer::run(python, &peer::script("make_h5py.py"), &args);
    file
}

/// The file through memory into another file, and straight into a third; both must be the same to h5py.
fn round_trip(python: &Path, file: &Path, dir: &Path) {
    let (via, direct) = (dir.join("via_memory.h5"), dir.join("direct.h5"));
    let (memory, report) = DeepCopy::new().load(file).unwrap_or_else(|e| panic!("load {}: {e:?}", file.display()));
    println!("{}: {report:?}", file.display());
    DeepCopy::new().save(&memory, &via).unwrap_or_else(|e| panic!("save {}: {e:?}", file.display()));
    peer::run(python, &peer::script("compare.py"), &[file.as_os_str(), via.as_os_str()]);
    let from = format::open(file, Mode::Read).expect("open");
    DeepCopy::new().save(&*from, &direct).unwrap_or_else(|e| panic!("copy {}: {e:?}", file.display()));
    from.close_tree().expect("close");
    peer::run(python, &peer::script("compare.py"), &[file.as_os_str(), direct.as_os_str()]);
    for made in [via, direct] {
        std::fs::remove_file(made).expect("remove");
    }
}

#[test]
fn everything_of_h5py_round_trips() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    for v110 in [false, true] {
        let file = made_by_h5py(&python, dir.path(), v110);
        round_trip(&python, &file, dir.path());
    }
}

#[test]
fn shared_samples_round_trip() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    for file in peer::samples() {
        // Files of HDF5 2.0's own format are beyond an older library, which says so.
        if let Err(e) = DeepCopy::new().load(&file)
            && e.kind() == memh5::ErrorKind::Unsupported
            && e.to_string().contains("later HDF5")
        {
            println!("SKIPPED {}: {e}", file.display());
            continue;
        }
        round_trip(&python, &file, dir.path());
    }
}

#[test]
fn the_comparison_finds_every_difference() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let file = made_by_h5py(&python, dir.path(), false);
    peer::run(&python, &peer::script("compare_selftest.py"), &[file.as_os_str(), dir.path().as_os_str()]);
}

/// A stored type as `describe.py` spells it.
fn spelled(t: &DType) -> Value {
    let order = |o: Order, size: usize| if size == 1 || o == Order::Little { "LE" } else { "BE" };
    let cset = |c: Charset| if c == Charset::Utf8 { "utf8" } else { "ascii" };
    let pad = |p: Padding| match p {
        Padding::NullTerm => "nullterm",
        Padding::NullPad => "nullpad",
        Padding::SpacePad => "spacepad",
    };
    let float = |width: FloatWidth, o: Order| json!(["float", width.size(), order(o, width.size())]);
    match t {
        DType::Bool => json!(["enum", ["int", 1, true, "LE"], {"FALSE": 0, "TRUE": 1}]),
        DType::Int(i) => json!(["int", i.size, i.signed, order(i.order, i.size.into())]),
        DType::BitField(i) => json!(["bits", i.size, order(i.order, i.size.into())]),
        DType::Float(f) => float(f.width, f.order),
        DType::Complex(f) => {
            let (part, size) = (float(f.width, f.order), f.width.size());
            json!(["compound", 2 * size, [["r", 0, part], ["i", size, part]]])
        }
        DType::FixedString { size, charset, padding } => json!(["string", size, cset(*charset), pad(*padding)]),
        DType::VarString { charset, padding } => json!(["string", null, cset(*charset), pad(*padding)]),
        DType::Opaque { size, tag } => json!(["opaque", size, &**tag]),
        DType::Enum(e) => {
            let members: serde_json::Map<String, Value> =
                // (h5py tells the largest ones as the largest signed number.)
                e.members.iter().map(|(n, v)| (n.clone(), json!(i64::try_from(*v).unwrap_or(i64::MAX)))).collect();
            json!(["enum", spelled(&DType::Int(e.base)), members])
        }
        DType::Compound(c) => {
            let fields: Vec<Value> = c.fields().iter().map(|f| json!([f.name, f.offset, spelled(&f.dtype)])).collect();
            json!(["compound", c.size(), fields])
        }
        DType::Array { base, shape } => json!(["array", &shape[..], spelled(base)]),
        DType::VarSeq(base) => json!(["vlen", spelled(base)]),
        DType::ObjectRef => json!(["ref"]),
        DType::RegionRef => json!(["regref"]),
        other => json!(["unknown", other.to_string()]),
    }
}

/// What the waist says of each object, in the words of `describe.py`.
fn described(root: &dyn memh5::tree::Group) -> BTreeMap<String, Value> {
    let attrs = |a: &dyn memh5::tree::Attributes| -> Value {
        let all = a.items().expect("attributes");
        all.iter().map(|(n, v)| (n.clone(), json!([spelled(v.dtype()), v.extent()]))).collect::<serde_json::Map<_, _>>().into()
    };
    let mut out =
        BTreeMap::from([("/".to_owned(), json!({"kind": "group", "names": root.keys().expect("keys"), "attrs": attrs(root.attrs())}))]);
    root.visit::<()>(|path, node| {
        let line = match node {
            Node::Group(g) => json!({"kind": "group", "names": g.keys()?, "attrs": attrs(g.attrs())}),
            Node::Datatype(t) => json!({"kind": "datatype", "type": spelled(&t.committed_dtype()?), "attrs": attrs(t.attrs())}),
            Node::Dataset(d) => {
                let spec = d.spec()?;
                let grows = spec.maxshape.as_ref().map(|m| m.iter().map(|n| json!(n)).collect::<Vec<_>>());
                let maxshape = match (&spec.shape, grows) {
                    (None, _) => Value::Null,
                    (Some(shape), None) => json!(shape),
                    (_, Some(max)) => json!(max),
                };
                let filters: Vec<u32> = spec.filters.iter().map(Filter::id).collect();
                let chunks = spec.chunks().map(<[usize]>::to_vec);
                json!({"kind": "dataset", "type": spelled(&d.dtype()?), "shape": d.extent()?, "maxshape": maxshape, "chunks": chunks,
                       "filters": filters, "attrs": attrs(d.attrs())})
            }
            _ => Value::Null,
        };
        out.insert(format!("/{path}"), line);
        Ok(None)
    })
    .expect("a walk");
    out
}

fn described_by_h5py(python: &Path, file: &Path) -> BTreeMap<String, Value> {
    let text = peer::run(python, &peer::script("describe.py"), &[file.as_os_str()]);
    serde_json::from_str(&text).expect("JSON")
}

#[track_caller]
fn same_descriptions(ours: &BTreeMap<String, Value>, theirs: &BTreeMap<String, Value>) {
    let mut differences = Vec::new();
    for path in ours.keys().chain(theirs.keys()).collect::<std::collections::BTreeSet<_>>() {
        if ours.get(path) != theirs.get(path) {
            differences.push(format!(
                "{path}:\n  ours   {:?}\n  theirs {:?}",
                ours.get(path).map(Value::to_string),
                theirs.get(path).map(Value::to_string)
            ));
        }
    }
    assert!(differences.is_empty() && !ours.is_empty(), "{} of {} differ:\n{}", differences.len(), ours.len(), differences.join("\n"));
}

#[test]
fn types_and_shapes_of_h5py_are_read() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    for v110 in [false, true] {
        let file = made_by_h5py(&python, dir.path(), v110);
        let theirs = described_by_h5py(&python, &file);
        let root = format::open(&file, Mode::Read).expect("open");
        same_descriptions(&described(&*root), &theirs);
        let (memory, _) = DeepCopy::new().load(&file).expect("load");
        same_descriptions(&described(&memory), &theirs);
    }
}

#[test]
fn every_type_that_we_write_is_read_by_h5py() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ours.h5");
    let root = format::open(&file, Mode::CreateNew).expect("create");
    let g = root.create_group("g").expect("a group");
    let d = root.create_dataset("d").write(ndarray::Array2::<i32>::zeros((4, 6))).expect("a dataset");
    let region = Region {
        shape: vec![4, 6],
        kind: RegionKind::Hyperslab { start: vec![1, 2], stride: vec![1, 1], count: vec![1, 1], block: vec![2, 3] },
    };
    let targets = Targets {
        objects: vec![g.reference().expect("a reference"), d.reference().expect("a reference")],
        regions: vec![RegionRef { target: d.reference().expect("a reference"), region }],
    };
    for (at, (_, dtype)) in memh5::contract::dtypes().expect("dtypes").into_iter().enumerate() {
        for (k, shape) in [&[][..], &[3], &[2, 0], &[2, 3, 2]].into_iter().enumerate() {
            let data = sample(&dtype, shape, at as u64, &targets).expect("a sample");
            let made = g.create_dataset(&format!("t{at}_{k}")).write(&data).expect("a dataset");
            made.attrs().set("same", &data).expect("an attribute");
        }
        g.create_dataset(&format!("t{at}_null")).dtype(dtype).null().create().expect("a null dataset");
    }
    let ours = described(&*root);
    root.close_tree().expect("close");
    same_descriptions(&ours, &described_by_h5py(&python, &file));
}

/// The numbers of `make_h5py.py`.
fn grid() -> ndarray::ArrayD<i32> {
    ndarray::Array2::from_shape_fn((30, 20), |(i, j)| ((i * 20 + j) % 97) as i32).into_dyn()
}

#[test]
fn values_of_h5py_are_read() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let file = made_by_h5py(&python, dir.path(), false);
    let root = format::open(&file, Mode::Read).expect("open");
    let layouts = root.group("layouts").expect("layouts");
    let mut checked = 0;
    for name in layouts.keys().expect("keys") {
        let d = layouts.dataset(&name).expect("a dataset");
        if d.dtype().expect("a type") != DType::I32 {
            continue;
        }
        assert_eq!(d.read::<i32>().unwrap_or_else(|e| panic!("{name}: {e:?}")), grid(), "{name}");
        for text in ["3:20:4, [19,0,5]", "-1, ::-3", "[29,0,0,7], 4:9"] {
            let selection: Selection = text.parse().expect("a selection");
            let wanted = AnyArray::from(grid()).select(&selection).expect("a part");
            assert_eq!(d.read_slice::<AnyArray>(&selection).expect("a part"), wanted, "{name} {text}");
        }
        checked += 1;
    }
    assert!(checked >= 16, "only {checked} layouts were checked");
    for (name, dtype) in [("bitshuffle_f8_False", DType::F64), ("bitshuffle_f8_True", DType::F64.with_order(Order::Big))] {
        let d = layouts.dataset(name).expect(name);
        assert_eq!(d.dtype().expect("a type"), dtype);
        assert_eq!(d.read::<f64>().expect(name), grid().mapv(f64::from), "{name}");
    }
    assert_eq!(layouts.dataset("text_gzip").expect("text").read_slice::<Vec<String>>(()).expect("text"), ["some", "text", "", "µ"]);
    let sparse = layouts.dataset("sparse").expect("sparse").read::<i16>().expect("sparse");
    assert_eq!((sparse[[0, 0]], sparse[[450, 3]], sparse[[469, 3]], sparse[[470, 3]]), (-5, 9, 9, -5));

    let a = root.group("attributes").expect("attributes");
    let a = a.attrs();
    assert_eq!(a.get::<String>("str").expect("str"), "text");
    assert_eq!(a.get::<String>("unicode").expect("unicode"), "Ångström 日本");
    assert_eq!(a.get::<String>("empty_str").expect("empty"), "");
    assert_eq!(a.get::<String>("bytes").expect("bytes"), "raw bytes");
    assert_eq!(a.get::<i64>("int").expect("int"), 1);
    assert_eq!(a.get::<f64>("float").expect("float"), 0.5);
    assert!(a.get::<bool>("bool").expect("bool"));
    assert_eq!(a.get::<num_complex::Complex<f64>>("complex").expect("complex"), num_complex::Complex::new(1.0, 2.0));
    assert_eq!(a.get::<Vec<bool>>("bools").expect("bools"), [true, false]);
    assert_eq!(a.get::<Vec<i64>>("list").expect("list"), [1, 2, 3]);
    assert_eq!(a.get::<Vec<i32>>("big_endian").expect("big endian"), [1, 2]);
    assert_eq!(a.get::<Vec<String>>("strings").expect("strings"), ["a", "µ", ""]);
    assert!(a.get_array("empty").expect("empty").is_some_and(|v| v.is_null()));
    assert_eq!(a.get::<memh5::ObjectRef>("ref").expect("ref").open().expect("open").name(), "/attributes");
    assert_eq!(root.group("many_attributes").expect("many").attrs().len().expect("len"), 200);

    let links = root.group("links").expect("links");
    assert_eq!(links.link("soft").expect("soft"), Link::Soft { target: "/links/target".into() });
    assert_eq!(links.link("external").expect("external"), Link::External { file: "other.h5".into(), target: "/in/there".into() });
    assert_eq!(links.dataset("soft").expect("soft").read_slice::<Vec<i64>>(()).expect("values"), [1, 2, 3]);
    assert_eq!(links.dataset("hard").expect("hard").id().expect("id"), links.dataset("target").expect("target").id().expect("id"));
    assert!(!links.contains("dangling").expect("dangling"));
    let regions = root.dataset("references/regions").expect("regions").read_array().expect("read").to_regions().expect("regions");
    assert_eq!(regions.len(), 9);
    assert_eq!(regions[6].region.kind, RegionKind::Points(vec![vec![3, 5], vec![0, 0], vec![1, 2], vec![0, 0]]));
    assert_eq!(regions[4].region.bounds(), Some((vec![0, 0], vec![3, 5])));
    assert!(regions[8].is_null() && regions[2].target.open().expect("open").name() == "/references/grid");
    let gone = root.dataset("references/dangling").expect("dangling").read_array().expect("read").to_references().expect("refs");
    assert_eq!(gone[0].open().expect_err("it was deleted").kind(), memh5::ErrorKind::NotFound);
    assert_eq!(root.group("tracked").expect("tracked").keys().expect("keys")[..4], ["z", "a", "m", "b"]);
}

#[test]
fn what_we_write_is_read_by_h5py() {
    let Some(python) = peer::h5py() else { return };
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("ours.h5");
    let root = format::open(&file, Mode::CreateNew).expect("create");
    write_ours(&*root).expect("write");
    root.close_tree().expect("close");
    peer::run(&python, &peer::script("check_ours.py"), &[file.as_os_str()]);
    // The same from memory.
    let memory = memh5::MemGroup::new();
    write_ours(&memory).expect("write");
    let saved = dir.path().join("saved.h5");
    memory.to_file(&saved).expect("save");
    peer::run(&python, &peer::script("check_ours.py"), &[saved.as_os_str()]);
}

/// What `check_ours.py` looks for.
fn write_ours(root: &dyn memh5::tree::Group) -> memh5::Result<()> {
    let g = root.create_group("filters")?;
    let bitshuffle = |block_size, compressor| Filter::Bitshuffle { block_size, compressor };
    let pipelines: Vec<(&str, Vec<Filter>)> = vec![
        ("none", vec![]),
        ("gzip", vec![Filter::Gzip(6)]),
        ("shuffle_gzip", vec![Filter::Shuffle, Filter::Gzip(4)]),
        ("fletcher", vec![Filter::Fletcher32]),
        ("lzf", vec![Filter::Shuffle, Filter::Lzf]),
        ("bitshuffle", vec![bitshuffle(0, BitshuffleCompressor::None)]),
        ("bitshuffle_lz4", vec![bitshuffle(0, BitshuffleCompressor::Lz4)]),
        ("bitshuffle_zstd", vec![bitshuffle(128, BitshuffleCompressor::Zstd(3))]),
        ("zstd", vec![Filter::Zstd(5)]),
        ("scaleoffset", vec![Filter::ScaleOffset { kind: 2, factor: 0 }]),
        ("nbit", vec![Filter::Nbit]),
    ];
    for (name, filters) in pipelines {
        g.create_dataset(name).chunks([7, 8]).filters(filters).write(grid())?;
    }
    g.create_dataset("contiguous").layout(Layout::Contiguous).write(grid())?;
    g.create_dataset("compact").layout(Layout::Compact).write(grid())?;
    g.create_dataset("growing").maxshape([None, Some(40)]).chunks([7, 8]).write(grid())?;
    let t = root.create_group("types")?;
    for order in [Order::Little, Order::Big] {
        let tag = if order == Order::Little { "le" } else { "be" };
        for (name, dtype) in
            [("i2", DType::I16), ("i8", DType::I64), ("u4", DType::U32), ("f2", DType::F16), ("f4", DType::F32), ("f8", DType::F64)]
        {
            t.create_dataset(&format!("{name}_{tag}")).dtype(dtype.with_order(order)).write(vec![0i8, 1, 2, 100])?;
        }
        t.create_dataset(&format!("c16_{tag}")).dtype(DType::C128.with_order(order)).write(vec![num_complex::Complex::new(1.0, -2.0)])?;
    }
    t.create_dataset("bool").write(vec![true, false, true])?;
    t.create_dataset("str").write(["", "a", "Ångström", "日本"])?;
    t.create_dataset("str_scalar").write("scalar")?;
    t.create_dataset("fixed").dtype(DType::fixed_ascii(5)).write(["abc", "abcde", ""])?;
    t.create_dataset("fixed_utf8").dtype(DType::fixed_utf8(9)).write(["日本", "x"])?;
    t.create_dataset("null").dtype(DType::F32).null().create()?;
    t.create_dataset("empty").shape([0, 3]).dtype(DType::I16).create()?;
    let colour = DType::enumeration(DType::I16, [("RED", 0), ("GREEN", 1), ("BLUE", -7)])?;
    t.create_dataset("enum").write(AnyArray::from_bytes(colour, [3], &[0i16, 1, -7].map(i16::to_ne_bytes).concat())?)?;
    let point = DType::compound_aligned([("n", DType::I8), ("x", DType::F64), ("s", DType::fixed_ascii(3))])?;
    let mut bytes = vec![0u8; 48];
    for (i, row) in bytes.chunks_exact_mut(24).enumerate() {
        row[0] = i as u8 + 1;
        row[8..16].copy_from_slice(&(i as f64 + 0.5).to_ne_bytes());
        row[16..18].copy_from_slice(b"ab");
    }
    t.create_dataset("compound").write(AnyArray::from_bytes(point, [2], &bytes)?)?;
    let lists =
        AnyArray::from_sequences(DType::I32, [AnyArray::from(vec![1, 2, 3]), AnyArray::from(Vec::<i32>::new()), AnyArray::from(vec![7])])?;
    t.create_dataset("vlen").write(lists)?;
    let pairs = AnyArray::from_bytes(DType::array(DType::I16, [2]), [2], &[1i16, 2, 3, 4].map(i16::to_ne_bytes).concat())?;
    t.create_dataset("array").write(pairs)?;
    t.create_dataset("opaque").write(AnyArray::from_bytes(DType::opaque(4, "tag of ours"), [2], b"abcdefgh")?)?;
    t.create_dataset("fill").shape([3]).maxshape([None]).dtype(DType::F32).fill_value(2.5f32).create()?.resize([5])?;
    root.commit_datatype("committed", &DType::compound([("x", DType::F64)])?)?;
    let a = root.attrs();
    a.set("text", "Ångström")?;
    a.set("number", 7i64)?;
    a.set("list", vec![1.0, 2.0])?;
    a.set("flag", true)?;
    a.set("words", ["a", "µ"])?;
    a.set("null", AnyArray::null(DType::F32))?;
    a.set("large", (0..50_000).map(f64::from).collect::<Vec<_>>())?;
    let links = root.create_group("links")?;
    links.link_soft("/types/bool", "soft")?;
    links.link_external("other.h5", "/x", "external")?;
    links.link_hard("/types/bool", "hard")?;
    let tracked = root.create_group_with("tracked", &GroupSpec::tracked())?;
    for name in ["z", "a", "m"] {
        tracked.create_group(name)?;
        tracked.attrs().set(name, 1)?;
    }
    let d = root.create_dataset("refs/grid").write(ndarray::Array2::from_shape_fn((4, 6), |(i, j)| (i * 6 + j) as i32))?;
    let r = d.reference()?;
    root.create_dataset("refs/objects").write(AnyArray::from_references([
        r.clone(),
        root.group("types")?.reference()?,
        memh5::ObjectRef::null(),
    ]))?;
    let region = |kind| RegionRef { target: r.clone(), region: Region { shape: vec![4, 6], kind } };
    let regions = [
        region(RegionKind::All),
        region(RegionKind::None),
        region(RegionKind::Hyperslab { start: vec![0, 1], stride: vec![2, 3], count: vec![2, 2], block: vec![1, 2] }),
        region(RegionKind::Blocks(vec![(vec![0, 0], vec![0, 2]), (vec![2, 4], vec![3, 5])])),
        region(RegionKind::Points(vec![vec![3, 5], vec![0, 0]])),
    ];
    root.create_dataset("refs/regions").write(AnyArray::from_regions(regions))?;
    Ok(())
}
