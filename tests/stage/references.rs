//! Region references in files: many are written and read in bulk, and are the same as those that the library makes and follows one by one.
#![cfg(feature = "hdf5")]

use crate::data::{numbers, rows, source};
use crate::peer;
use crate::safety::{complete, place};
use memh5::prelude::*;
use memh5::stage::*;
use memh5::tree::Mode;
use memh5::{ErrorKind, format};
use std::path::Path;

/// Events with lists of up to 40 arrays, some of them empty, a jagged list, a tensor and a label.
fn batch(first: usize, events: usize) -> Batch {
    let all: Vec<usize> = (first..first + events).collect();
    Batch::new(events)
        .with_source(&source())
        .unwrap()
        .with("index", all.iter().map(|e| *e as i64).collect::<Vec<_>>())
        .unwrap()
        .with("tensor", all.iter().map(|e| rows(*e, e % 5, 4)).collect::<Vec<_>>())
        .unwrap()
        .with("lists", Product::flat(memh5::DType::I64, None, all.iter().map(|e| lists(*e))).unwrap())
        .unwrap()
        .with("jagged", Product::jagged(all.iter().map(|e| vec![rows(*e, e % 3, 2), rows(*e, 1, 5)])).unwrap())
        .unwrap()
        .with("label", all.iter().map(|e| format!("event {e}")).collect::<Vec<_>>())
        .unwrap()
}

fn lists(event: usize) -> Vec<ndarray::Array1<i64>> {
    (0..event % 41).map(|i| numbers(event, i % 7)).collect()
}

fn write(path: &Path, calls: &[usize]) {
    let mut writer = StageHdf5Writer::builder().file_name(path).stage("s").build().unwrap();
    let mut first = 0;
    for events in calls {
        writer.write(&batch(first, *events)).unwrap();
        first += events;
    }
    writer.finalize().unwrap();
    writer.close().unwrap();
}

fn check(reader: &StageReader, events: usize) {
    assert_eq!(reader.len(), events);
    for e in 0..events {
        let event = reader.get(e).unwrap();
        assert_eq!(event.get::<ndarray::ArrayD<f32>>("tensor").unwrap(), rows(e, e % 5, 4).into_dyn(), "event {e}");
        assert_eq!(event.list::<ndarray::ArrayD<i64>>("lists").unwrap(), lists(e).into_iter().map(|a| a.into_dyn()).collect::<Vec<_>>());
        assert_eq!(event.list::<ndarray::ArrayD<f32>>("jagged").unwrap(), [rows(e, e % 3, 2).into_dyn(), rows(e, 1, 5).into_dyn()]);
        assert_eq!(event.get::<String>("label").unwrap(), format!("event {e}"));
    }
}

/// How many collections of the global heap a file has of the size that bulk writing makes, and of other sizes.
fn collections(path: &Path) -> (usize, usize) {
    let bytes = std::fs::read(path).unwrap();
    let starts = (0..bytes.len()).map(|i| &bytes[i..]).filter(|b| b.starts_with(b"GCOL\x01\0\0\0"));
    let (large, small): (Vec<&[u8]>, Vec<&[u8]>) = starts.partition(|b| u64::from_le_bytes(b[8..16].try_into().unwrap()) == 65_600);
    (large.len(), small.len())
}

#[test]
fn many_references_are_those_of_the_library() {
    let (_dir, path) = place();
    // All in one call; in calls of which the first is too small to be worth it; one event at a time.
    for calls in [vec![400], vec![3, 150, 1, 246], vec![200, 200], vec![1; 60]] {
        let _ = std::fs::remove_file(&path);
        write(&path, &calls);
        let events = calls.iter().sum();
        let (large, small) = collections(&path);
        assert_eq!(large > 0, calls[0] != 1, "{calls:?}: {large} large collections, {small} others");
        assert_eq!(complete(&path).unwrap(), ["s"]);
        check(&StageReader::builder().verify(true).open([&path]).unwrap(), events);
        // Open for writing the library follows them itself.
        let root = format::open(&path, Mode::ReadWrite).unwrap();
        assert!(root.dataset("stages/s/lists/index").unwrap().read_regions().unwrap().is_none());
        check(&StageReader::of_groups([&*root]).unwrap(), events);
        root.close_tree().unwrap();
        let root = format::open(&path, Mode::Read).unwrap();
        let columns = root.dataset("stages/s/events").unwrap().read_regions().unwrap().unwrap();
        assert_eq!(columns.len(), 5);
        assert!(columns.iter().all(|c| c.others.is_empty() && c.spans.len() == events));
        root.close_tree().unwrap();
    }
}

#[test]
fn a_cache_grows_by_stages_of_either_kind() {
    let (_dir, path) = place();
    for (i, (events, stage)) in [(300, "a"), (2, "b"), (500, "c"), (300, "a")].into_iter().enumerate() {
        let mut writer = StageHdf5Writer::builder().file_name(&path).keep_open(i % 2 == 0).overwrite_stage(true).build().unwrap();
        for half in [0, events / 2] {
            writer.write_stage(stage, &batch(half, events / 2), &StageOptions::new()).unwrap();
        }
        writer.finalize_stage(stage).unwrap();
        let found = complete(&path).unwrap();
        assert!(found.contains(&stage.to_owned()));
        for stage in found {
            let events = if stage == "a" {
                300
            } else if stage == "b" {
                2
            } else {
                500
            };
            check(&StageReader::builder().stage(&stage).open([&path]).unwrap(), events);
        }
    }
}

#[test]
fn references_wait_for_the_file_to_be_closed_only_so_long() {
    // More than a million: the file is closed in between, and the memory is given back.
    let (_dir, path) = place();
    let mut writer = StageHdf5Writer::builder().file_name(&path).stage("s").build().unwrap();
    let lengths = vec![1usize; 200_000];
    for call in 0..6i64 {
        let batch = Batch::new(2)
            .with_source(&source())
            .unwrap()
            .with("lists", Product::flat_rows(vec![call; 200_000], &lengths, &[150_000, 50_000]).unwrap())
            .unwrap();
        writer.write(&batch).unwrap();
    }
    writer.finalize().unwrap();
    let reader = StageReader::builder().verify(true).open([&path]).unwrap();
    let lists = reader.product("lists").unwrap();
    assert_eq!((lists.element_offsets().len(), lists.offsets()[11..].to_vec()), (1_200_001, vec![1_150_000, 1_200_000]));
    assert_eq!(reader.get(11).unwrap().list::<Vec<i64>>("lists").unwrap()[49_999], [5]);
}

#[test]
fn h5py_follows_them() {
    let Some(python) = peer::python("MEMH5_PYTHON", "light") else { return };
    let (dir, path) = place();
    write(&path, &[250, 250]);
    let script = dir.path().join("follow.py");
    std::fs::write(
        &script,
        r#"
import sys, h5py
with h5py.File(sys.argv[1]) as f:
    s = f["stages/s"]
    events, index, elements = s["events"][()], s["lists/index"][()], s["lists/elements"]
    total = 0
    for e, row in enumerate(events):
        assert s["tensor"][row["tensor"]].size == (e % 5) * 4, e
        assert f[row["label"]].name == "/stages/s/label"
        if e % 41:
            refs = s["lists/index"][row["lists"]]
            assert len(refs) == e % 41, (e, len(refs))
            for i, r in enumerate(refs):
                assert elements[r].tolist() == [e * 100 + k for k in range(i % 7)], (e, i)
                total += 1
    print("FOLLOWED", len(events), total)
"#,
    )
    .unwrap();
    let told = peer::run(&python, &script, &[path.as_os_str()]);
    let total: usize = (0..500).map(|e| e % 41).sum();
    assert!(told.contains(&format!("FOLLOWED 500 {total}")), "{told}");
}

#[test]
fn a_damaged_heap_is_an_error() {
    let (_dir, path) = place();
    write(&path, &[300]);
    let whole = std::fs::read(&path).unwrap();
    let find = |what: &[u8], from: usize| from + whole[from..].windows(what.len()).position(|w| w == what).unwrap();
    let heap = find(b"GCOL\x01\0\0\0\x40\0\x01", 0);
    // A block of rows of one axis.
    let block = find(&[2u32, 1, 0, 16, 1, 1].map(u32::to_le_bytes).concat(), heap);
    let end = whole.len();
    for (what, at, value) in [
        ("the signature", heap, 0x58),
        ("the size of the collection", heap + 15, 0xff),
        ("the number of the object", block - 24, 0xff),
        ("the size of the object", block - 15, 0xff),
        ("the dataset", block - 7, 0xff),
        ("the kind of selection", block, 9),
        ("the axes", block + 16, 40),
        ("the blocks", block + 20, 7),
        ("the first row", block + 27, 0xff),
        ("the end of the file", end, 0),
    ] {
        let mut damaged = whole.clone();
        if at == end {
            damaged.truncate(heap + 100);
        } else {
            damaged[at] = value;
        }
        std::fs::write(&path, &damaged).unwrap();
        let read = || -> memh5::Result<()> {
            let reader = StageReader::builder().stage("s").open([&path])?;
            for (key, _) in reader.keys() {
                reader.product(&key)?;
            }
            Ok(())
        };
        let e = read().expect_err(what);
        assert!(matches!(e.kind(), ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::NotFound), "{what}: {e:?}");
    }
}
