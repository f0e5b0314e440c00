//! zarr-python, in both directions.

use crate::peer;
use memh5::dtype::Order;
use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::tree::{BitshuffleCompressor, GroupRef};
use memh5::{AnyArray, DType, Filter, Mode};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The elements as the scripts spell them.
fn spelled(array: &AnyArray) -> Value {
    match array.dtype() {
        DType::VarString { .. } => array.to_strings().unwrap().into(),
        _ => hex(array.as_bytes().unwrap()).into(),
    }
}

#[test]
fn what_zarr_python_writes_is_read() {
    let Some(python) = peer::h5py() else { return };
    let dir = tempfile::tempdir().unwrap();
    peer::run(&python, &peer::script("zarr_make.py"), &[dir.path().as_os_str()]);
    let expected = std::fs::read_to_string(dir.path().join("expected.jsonl")).unwrap();
    let mut roots: BTreeMap<String, GroupRef> = BTreeMap::new();
    let mut count = 0;
    for line in expected.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (store, path) = (line["store"].as_str().unwrap(), line["path"].as_str().unwrap());
        let root = roots.entry(store.to_owned()).or_insert_with(|| format::open(dir.path().join(store), Mode::Read).unwrap());
        let what = format!("{store} {path}");
        let dataset = root.dataset(path).unwrap_or_else(|e| panic!("{what}: {e}"));
        let array = dataset.read_array().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(serde_json::json!(array.shape()), line["shape"], "{what}");
        match line.get("texts") {
            Some(texts) => assert_eq!(&Value::from(array.to_strings().unwrap()), texts, "{what}"),
            None => assert_eq!(spelled(&array), line["hex"], "{what}: {}", array.dtype()),
        }
        // The same by parts.
        if array.ndim() == 2 {
            let part: AnyArray = dataset.read_slice((Item::step(.., -2), vec![1, 0])).unwrap();
            assert_eq!(part, array.select((Item::step(.., -2), vec![1, 0])).unwrap(), "{what}");
        }
        assert!(dataset.spec().is_ok_and(|s| s.validate().is_ok()), "{what}");
        count += 1;
    }
    assert!(count > 200, "{count}");
    for (store, root) in roots {
        let attrs = root.attrs();
        assert_eq!(attrs.get::<String>("text").unwrap(), "Ünï", "{store}");
        assert_eq!((attrs.get::<i64>("n").unwrap(), attrs.get::<f64>("x").unwrap()), (3, 0.5), "{store}");
        assert_eq!(attrs.get::<Vec<i64>>("list").unwrap(), [1, 2, 3], "{store}");
        assert_eq!(attrs.get::<Vec<bool>>("flags").unwrap(), [true, false], "{store}");
        let nested: BTreeMap<String, Vec<Option<i64>>> = attrs.get_json("nested").unwrap();
        assert_eq!(nested["a"], [Some(1), None], "{store}");
        // Version 3 of zarr-python forgets the order of what it is given.
        let order = if store.starts_with("v2") { Order::Big } else { Order::Little };
        assert_eq!(root.dataset("big").unwrap().dtype().unwrap(), DType::F64.with_order(order), "{store}");
        assert_eq!(root.dataset("unicode").unwrap().dtype().unwrap(), DType::fixed_utf8(16), "{store}");
        let time = root.dataset("times").unwrap().dtype().unwrap();
        assert_eq!(time, DType::opaque(8, "NUMPY:<M8[s]"), "{store}");
        assert_eq!(root.dataset("fill").unwrap().spec().unwrap().chunks(), Some(&[2, 2][..]), "{store}");
    }
}

use memh5::selection::Item;

fn point() -> DType {
    DType::compound([("x", DType::F64), ("n", DType::I16), ("s", DType::fixed_ascii(4))]).unwrap()
}

/// A tree whose elements zarr-python has types for.
fn fill(root: &GroupRef, shards: bool) {
    root.attrs().set("gain", 0.5).unwrap();
    root.attrs().set("count", 7i32).unwrap();
    root.attrs().set("name", "Ångström").unwrap();
    let numbers = ndarray::Array2::from_shape_fn((6, 5), |(i, j)| (10 * i + j) as f64);
    let types = [DType::I8, DType::U16, DType::I32, DType::U64, DType::F16, DType::F32, DType::F64, DType::C64, DType::C128];
    for (at, dtype) in types.iter().enumerate() {
        root.create_dataset(&format!("numbers/{at}")).dtype(dtype.clone()).chunks([4, 2]).write(&numbers).unwrap();
    }
    root.create_dataset("big").dtype(DType::F32.with_order(Order::Big)).write(vec![1.0f32, -2.5]).unwrap();
    root.create_dataset("flags").write(vec![true, false, true]).unwrap();
    root.create_dataset("scalar").write(2.5).unwrap();
    root.create_dataset("fixed").dtype(DType::fixed_ascii(5)).write(["ab", "abcde", ""]).unwrap();
    root.create_dataset("text").write(["a", "", "日本"]).unwrap();
    if !shards {
        // zarr-python 3.1 cannot read structures and raw bytes within shards: it wants to hash their fill values.
        fill_void(root);
    }
    let bitshuffle = |compressor| Filter::Bitshuffle { block_size: 0, compressor };
    let pipelines = [
        vec![Filter::Gzip(4)],
        vec![Filter::Shuffle, Filter::Gzip(1)],
        vec![Filter::Zstd(3)],
        vec![Filter::Shuffle, Filter::Zstd(1), Filter::Fletcher32],
        vec![bitshuffle(BitshuffleCompressor::Lz4)],
        vec![bitshuffle(BitshuffleCompressor::Zstd(3))],
        vec![Filter::Fletcher32],
        vec![Filter::Other { id: 32004, optional: false, values: vec![] }],
        vec![Filter::Other { id: 307, optional: false, values: vec![3] }],
    ];
    for (at, filters) in pipelines.into_iter().enumerate() {
        root.create_dataset(&format!("filters/{at}")).chunks([4, 3]).filters(filters).write(&numbers).unwrap();
    }
    let fill =
        root.create_dataset("fill").shape([2, 3]).maxshape([None, None]).chunks([2, 2]).dtype(DType::I32).fill_value(-7).create().unwrap();
    fill.resize([3, 4]).unwrap();
    let times = [0i64, 1_600_000_000, i64::MIN].map(i64::to_le_bytes).concat();
    root.create_dataset("times").write(AnyArray::from_bytes(DType::opaque(8, "NUMPY:<M8[s]"), [3], &times).unwrap()).unwrap();
    for (at, value) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.5].into_iter().enumerate() {
        for dtype in [DType::F16, DType::F32, DType::F64] {
            let name = format!("fills/{at} {}", dtype.itemsize());
            let value = AnyArray::from(value).astype(&dtype, memh5::Cast::Saturate).unwrap();
            root.create_dataset(&name).dtype(dtype).shape([3]).chunks([2]).fill_value(value).create().unwrap();
        }
    }
    let log = root.create_dataset("log").shape([0, 2]).maxshape([None, Some(2)]).chunks([3, 2]).dtype(DType::I64).create().unwrap();
    for k in 0..5 {
        log.append(vec![k, 10 * k]).unwrap();
    }
}

fn fill_void(root: &GroupRef) {
    let rows = AnyArray::from_bytes(
        point(),
        [2],
        &[&1.5f64.to_le_bytes()[..], &(-2i16).to_le_bytes(), b"abc\0", &[0; 8], &[3, 0], b"wxyz"].concat(),
    );
    root.create_dataset("point").chunks([1]).write(rows.unwrap()).unwrap();
    root.create_dataset("raw").write(AnyArray::from_bytes(DType::opaque(3, ""), [2], &[1, 2, 3, 4, 5, 6]).unwrap()).unwrap();
}

fn check(python: &Path, store: &Path, root: &GroupRef, what: &str) {
    let text = peer::run(python, &peer::script("zarr_read.py"), &[store.as_os_str()]);
    let mut arrays = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let path = line["path"].as_str().unwrap();
        let Some(shape) = line.get("shape") else { continue };
        arrays += 1;
        let ours = root.dataset(path).unwrap().read_array().unwrap();
        assert_eq!(*shape, serde_json::json!(ours.shape()), "{what} {path}");
        match line.get("texts") {
            Some(texts) => assert_eq!(texts, &Value::from(ours.to_strings().unwrap()), "{what} {path}"),
            None => assert_eq!(line["hex"], spelled(&ours), "{what} {path}: {}", line["dtype"]),
        }
        if let Some(at) = path.strip_prefix("fills/") {
            let wanted = ["nan", "inf", "-inf", "-1.5"][at[..1].parse::<usize>().unwrap()];
            assert_eq!(line["fill"], wanted, "{what} {path}");
        }
    }
    let mut wanted = 0;
    root.visit::<()>(|_, node| {
        wanted += usize::from(node.kind() == "dataset");
        Ok(None)
    })
    .unwrap();
    assert_eq!(arrays, wanted, "{what}");
    let top: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(top["attrs"], serde_json::json!({"gain": 0.5, "count": 7, "name": "Ångström"}), "{what}");
}

fn formats() -> [(&'static str, ZarrFormat); 3] {
    let options = ZarrOptions::default;
    [
        ("v3", ZarrFormat::default()),
        ("v2", ZarrFormat::with(options().version(ZarrVersion::V2))),
        ("shards", ZarrFormat::with(options().shard_bytes(512).crc32c(true))),
    ]
}

#[test]
fn zarr_python_reads_what_is_written() {
    let Some(python) = peer::h5py() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, format) in formats() {
        let store = dir.path().join(format!("{name}.zarr"));
        let root = format.open(&store, Mode::CreateNew).unwrap();
        fill(&root, name == "shards");
        root.close_tree().unwrap();
        let root = format::open(&store, Mode::Read).unwrap();
        check(&python, &store, &root, name);
    }
}

#[test]
fn both_append_to_one_store_in_turns() {
    let Some(python) = peer::h5py() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (name, format) in formats() {
        let store = dir.path().join(format!("{name}.zarr"));
        let root = format.open(&store, Mode::CreateNew).unwrap();
        fill(&root, name == "shards");
        root.close_tree().unwrap();
        peer::run(&python, &peer::script("zarr_append.py"), &[store.as_os_str(), "log".as_ref()]);
        let root = format::open(&store, Mode::ReadWrite).unwrap();
        let log = root.dataset("log").unwrap();
        assert_eq!(log.shape().unwrap(), [8, 2], "{name}");
        assert_eq!(log.read_slice::<Vec<i64>>((4.., 0)).unwrap(), [4, 100, 102, 104], "{name}");
        // What Python has changed counts; what it has not touched keeps its exact type.
        assert_eq!(root.attrs().get::<f64>("gain").unwrap(), 0.75, "{name}");
        assert_eq!(root.attrs().get::<i32>("count").unwrap(), 7, "{name}");
        log.append(vec![5, 50]).unwrap();
        root.close_tree().unwrap();
        peer::run(&python, &peer::script("zarr_append.py"), &[store.as_os_str(), "log".as_ref()]);
        let root = format::open(&store, Mode::Read).unwrap();
        assert_eq!(root.dataset("log").unwrap().read_slice::<Vec<i64>>((7.., 1)).unwrap(), [105, 50, 101, 103, 105], "{name}");
    }
}

/// What is none of ours stays when a store is changed: the names of the axes, attributes of others.
#[test]
fn names_of_axes_stay() {
    let Some(python) = peer::h5py() else { return };
    let dir = tempfile::tempdir().unwrap();
    peer::run(&python, &peer::script("zarr_make.py"), &[dir.path().as_os_str()]);
    let store = dir.path().join("v3.zarr");
    let root = format::open(&store, Mode::ReadWrite).unwrap();
    let named = root.dataset("named").unwrap();
    named.attrs().set("units", "K").unwrap();
    named.append(ndarray::Array1::<i32>::from_elem(5, 7)).unwrap();
    named.resize([9, 6]).unwrap();
    drop(named);
    root.close_tree().unwrap();
    let check = dir.path().join("check.py");
    let text = format!(
        "import zarr\na = zarr.open_group({:?}, mode='r')['named']\nassert a.metadata.dimension_names == ('time', None), a.metadata\n\
         assert a.shape == (9, 6) and a[7, 4] == 7 and a.attrs['units'] == 'K'\n",
        store.to_str().unwrap()
    );
    std::fs::write(&check, text).unwrap();
    peer::run(&python, &check, &[]);
    // An array at the root of a store is read, too.
    let root = format::open(store.join("codecs/lz4"), Mode::Read).unwrap();
    assert_eq!(root.dataset("data").unwrap().shape().unwrap(), [7, 5]);
}
