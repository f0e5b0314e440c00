//! Damaged and foreign stores: an error that says where, never a panic, never wrong elements.

use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::tree::{DumpOptions, dump};
use memh5::{DType, ErrorKind, Filter, Mode};
use std::path::{Path, PathBuf};

fn make(path: &Path, version: ZarrVersion) {
    let root = ZarrFormat::with(ZarrOptions::default().version(version)).open(path, Mode::CreateNew).unwrap();
    root.attrs().set("a", 1.5f32).unwrap();
    let data = ndarray::Array2::from_shape_fn((9, 5), |(i, j)| (10 * i + j) as i32);
    root.create_dataset("g/plain").chunks([4, 3]).write(&data).unwrap();
    root.create_dataset("g/zstd").chunks([4, 3]).filter(Filter::Zstd(1)).write(&data).unwrap();
    root.create_dataset("g/gzip").chunks([4, 3]).gzip(1).write(&data).unwrap();
    root.create_dataset("g/checked").chunks([4, 3]).filter(Filter::Fletcher32).write(&data).unwrap();
    root.create_dataset("g/text").chunks([2]).write(["a", "bb", "", "dddd"]).unwrap();
    let row = DType::compound_aligned([("n", DType::U8), ("name", DType::STR)]).unwrap();
    root.create_dataset("g/rows").dtype(row).shape([3]).create().unwrap();
    root.create_dataset("g/seq")
        .write(memh5::AnyArray::from_sequences(DType::I16, [memh5::AnyArray::from(vec![1i16, 2])]).unwrap())
        .unwrap();
    root.close_tree().unwrap();
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let (mut out, mut waiting) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = waiting.pop() {
        for entry in std::fs::read_dir(dir).unwrap().flatten() {
            if entry.path().is_dir() { waiting.push(entry.path()) } else { out.push(entry.path()) }
        }
    }
    out.sort();
    out
}

/// Reads everything; the text, or the kind of the first error.
fn all(path: &Path) -> Result<String, ErrorKind> {
    let read = || {
        let root = format::open(path, Mode::Read)?;
        let mut out = Vec::new();
        dump(&*root, &DumpOptions::default().layout(true), &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    };
    read().map_err(|e: memh5::Error| {
        assert!(!e.message().is_empty());
        e.kind()
    })
}

const EXPECTED: [ErrorKind; 5] = [ErrorKind::Corrupt, ErrorKind::Unsupported, ErrorKind::Shape, ErrorKind::NotFound, ErrorKind::Io];

#[test]
fn every_file_may_be_damaged_in_any_way() {
    for version in [ZarrVersion::V3, ZarrVersion::V2] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("d.zarr");
        make(&store, version);
        let whole = all(&store).unwrap();
        let (mut cases, mut found) = (0, 0);
        for file in files(&store) {
            let good = std::fs::read(&file).unwrap();
            let name = file.strip_prefix(&store).unwrap().display().to_string();
            let mut damages: Vec<(String, Vec<u8>)> = vec![
                ("empty".into(), vec![]),
                ("half".into(), good[..good.len() / 2].to_vec()),
                ("one byte short".into(), good[..good.len() - 1].to_vec()),
                ("garbage".into(), b"\x89HDF\r\n\x1a\n garbage".to_vec()),
                ("zeros".into(), vec![0; good.len()]),
                ("longer".into(), [&good[..], b"extra"].concat()),
                ("nonsense".into(), b"[1, 2".to_vec()),
                ("null".into(), b"null".to_vec()),
            ];
            for at in (0..good.len()).step_by(1 + good.len() / 12) {
                let mut flipped = good.clone();
                flipped[at] ^= 0x15;
                damages.push((format!("byte {at} flipped"), flipped));
            }
            for (what, bytes) in damages {
                std::fs::write(&file, &bytes).unwrap();
                cases += 1;
                match all(&store) {
                    Err(kind) => {
                        found += 1;
                        assert!(EXPECTED.contains(&kind), "{name} {what}: {kind:?}");
                    }
                    // A chunk without a checksum may be other elements; metadata may say something else that is valid.
                    Ok(text) => assert!(
                        what.contains("flipped") || what == "zeros" || what == "longer" || text != whole || name.contains("zattrs"),
                        "{name} {what} was not noticed"
                    ),
                }
            }
            std::fs::write(&file, &good).unwrap();
        }
        assert_eq!(all(&store).unwrap(), whole);
        assert!(cases > 300 && 2 * found > cases, "{found} of {cases} found");
    }
}

#[test]
fn a_cut_chunk_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("d.zarr");
    make(&store, ZarrVersion::V3);
    for name in ["plain", "zstd", "gzip", "checked", "text"] {
        let chunk = if name == "text" { store.join("g/text/c/0") } else { store.join(format!("g/{name}/c/1/0")) };
        let good = std::fs::read(&chunk).unwrap();
        for bytes in [&good[..good.len() - 1], &[], &good[..1]] {
            std::fs::write(&chunk, bytes).unwrap();
            let root = format::open(&store, Mode::Read).unwrap();
            let error = root.dataset(&format!("g/{name}")).unwrap().read_array().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error}");
            assert!(error.to_string().contains("c/"), "{error}");
            assert_eq!(error.path(), Some(format!("/g/{name}").as_str()));
        }
        std::fs::write(&chunk, good).unwrap();
    }
}

#[test]
fn hostile_metadata_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("h.zarr");
    make(&store, ZarrVersion::V3);
    let file = store.join("g/plain/zarr.json");
    let good: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let deep = "[".repeat(100_000);
    let huge = serde_json::json!(1u64 << 62);
    let changes: Vec<(&str, serde_json::Value)> = vec![
        ("shape", serde_json::json!([huge, huge])),
        ("shape", serde_json::json!([-1, 2])),
        ("shape", serde_json::json!("x")),
        ("shape", serde_json::json!(vec![1; 40])),
        ("data_type", serde_json::json!("nonsense")),
        ("data_type", serde_json::json!({"name": "raw_bytes", "configuration": {"length_bytes": 0}})),
        ("data_type", serde_json::json!({"name": "structured", "configuration": {"fields": [["a", "int8"], ["a", "int8"]]}})),
        ("data_type", serde_json::json!("r7")),
        ("chunk_grid", serde_json::json!({"name": "regular", "configuration": {"chunk_shape": [0, 0]}})),
        ("chunk_grid", serde_json::json!({"name": "regular", "configuration": {"chunk_shape": [huge, huge]}})),
        ("chunk_grid", serde_json::json!({"name": "rectangular"})),
        ("codecs", serde_json::json!([])),
        ("codecs", serde_json::json!([{"name": "gzip"}])),
        ("codecs", serde_json::json!([{"name": "bytes"}, {"name": "no such codec"}])),
        ("codecs", serde_json::json!([{"name": "bytes", "configuration": {"endian": "middle"}}])),
        ("fill_value", serde_json::json!({"a": 1})),
        ("fill_value", serde_json::json!(1.5)),
        ("storage_transformers", serde_json::json!([{"name": "x"}])),
        ("something_new", serde_json::json!({"name": "x"})),
        ("chunk_key_encoding", serde_json::json!({"name": "x"})),
        ("node_type", serde_json::json!("thing")),
        ("zarr_format", serde_json::json!(4)),
    ];
    for (key, value) in changes {
        let mut bad = good.clone();
        bad[key] = value.clone();
        std::fs::write(&file, bad.to_string()).unwrap();
        let kind = all(&store).expect_err(&format!("{key} {value}"));
        assert!(EXPECTED.contains(&kind), "{key} {value}: {kind:?}");
    }
    std::fs::write(&file, deep).unwrap();
    assert_eq!(all(&store), Err(ErrorKind::Corrupt));
    // What others add and need not be understood is no obstacle.
    let mut fine = good.clone();
    fine["extra"] = serde_json::json!({"must_understand": false});
    std::fs::write(&file, fine.to_string()).unwrap();
    assert!(all(&store).is_ok());
}

/// Metadata that Zarr 2 and older writers have left in many stores.
#[test]
fn metadata_of_old_writers_are_read_or_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("old.zarr");
    std::fs::create_dir(&store).unwrap();
    std::fs::write(store.join(".zgroup"), r#"{"zarr_format": 2}"#).unwrap();
    let make = |name: &str, dtype: serde_json::Value, fill: serde_json::Value, filters: serde_json::Value, chunk: &[u8]| {
        std::fs::create_dir(store.join(name)).unwrap();
        let array = serde_json::json!({"zarr_format": 2, "shape": [3], "chunks": [2], "dtype": dtype, "compressor": null, "fill_value": fill,
            "order": "C", "filters": filters});
        std::fs::write(store.join(name).join(".zarray"), array.to_string()).unwrap();
        std::fs::write(store.join(name).join("0"), chunk).unwrap();
    };
    let (json, null) = (|text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap(), serde_json::Value::Null);
    // numpy drops the zeros at the end of a text before it becomes base64.
    make("short", json(r#""|S3""#), json(r#""YWI=""#), null.clone(), b"abcxyz");
    make("text", json(r#""|S3""#), json(r#""a-b""#), null.clone(), b"abcxyz");
    let aligned = json(r#"[["a", "<i4"], ["", "|V4"], ["b", "<f8"]]"#);
    let row = |a: i32, b: f64| [&a.to_le_bytes()[..], &[0; 4], &b.to_le_bytes()].concat();
    make("aligned", aligned, null.clone(), null.clone(), &[row(1, 2.5), row(3, 4.5)].concat());
    make("pickled", json(r#""|O""#), null.clone(), json(r#"[{"id": "pickle", "protocol": 4}]"#), b"x");
    make("quantized", json(r#""<f8""#), null.clone(), json(r#"[{"id": "quantize", "digits": 3, "dtype": "<f8"}]"#), &[0; 16]);
    let root = format::open(&store, Mode::Read).unwrap();
    let texts = |name: &str| root.dataset(name).unwrap().read_array().unwrap().to_strings().unwrap();
    assert_eq!(
        (texts("short"), texts("text")),
        (["abc", "xyz", "ab"].map(String::from).to_vec(), ["abc", "xyz", "a-b"].map(String::from).to_vec())
    );
    let aligned = root.dataset("aligned").unwrap().read_array().unwrap();
    assert_eq!(aligned.dtype().fields().iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a", "f1", "b"]);
    assert_eq!(aligned.field("b").unwrap(), memh5::AnyArray::from(vec![2.5, 4.5, 0.0]));
    for (name, codec) in [("pickled", "pickle"), ("quantized", "quantize")] {
        let error = root.dataset(name).and_then(|d| d.read_array()).unwrap_err();
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains(codec), "{error}");
    }
}

#[test]
fn foreign_and_empty_things_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("zero.zarr"), "").unwrap();
    std::fs::write(path("text.zarr"), "not a store").unwrap();
    std::fs::write(path("cut.zarr.zip"), b"PK\x03\x04 and no more").unwrap();
    std::fs::create_dir(path("empty.zarr")).unwrap();
    for name in ["zero.zarr", "text.zarr", "cut.zarr.zip", "empty.zarr"] {
        for mode in [Mode::Read, Mode::ReadWrite] {
            let error = format::open(path(name), mode).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::ReadOnly), "{name}: {error}");
            assert!(error.file().is_some(), "{error}");
        }
    }
    assert_eq!(format::open(path("no.zarr"), Mode::Read).unwrap_err().kind(), ErrorKind::NotFound);
}
