//! Writers: one at a time, updates all or nothing, stores that are replaced while they are read.

use memh5::format::zarr::{ZarrFormat, ZarrOptions, ZarrVersion};
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::publish::{Durability, FaultFileSystem, Operation, lock_file};
use memh5::saver::{SaveOptions, Saver, SaverExt, ZarrSaver};
use memh5::{AnyArray, DType, ErrorKind, Filter, MemGroup, Mode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a.zarr");
    let root = format::open(&store, Mode::CreateNew).unwrap();
    root.create_dataset("d").maxshape([None]).write(vec![1i64]).unwrap();
    let soon = SaveOptions::new().timeout(Duration::from_millis(20));
    let saver = ZarrSaver::new(&store, "d").with_options(soon);
    // A tree that is open for writing keeps out: other trees, savers, who saves a tree, who truncates.
    for mode in [Mode::ReadWrite, Mode::Append, Mode::Truncate] {
        let e = format::open(&store, mode).unwrap_err();
        assert!(e.kind() == ErrorKind::Locked && e.to_string().contains("process"), "{mode:?}: {e}");
    }
    assert_eq!(saver.append(vec![2i64]).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(MemGroup::new().to_file(&store).unwrap_err().kind(), ErrorKind::Locked);
    // Readers need no lock.
    assert_eq!(format::open(&store, Mode::Read).unwrap().keys().unwrap(), ["d"]);
    root.flush().unwrap();
    assert_eq!(saver.load().unwrap(), AnyArray::from(vec![1i64]));
    root.close_tree().unwrap();
    assert_eq!(names(dir.path()), ["a.zarr"]);
    saver.append(vec![2i64]).unwrap();
    // Who saves or appends keeps out who would open it.
    let guard = lock_file(&store).acquire().unwrap();
    assert_eq!(format::open(&store, Mode::ReadWrite).unwrap_err().kind(), ErrorKind::Locked);
    assert_eq!(saver.append(vec![3i64]).unwrap_err().kind(), ErrorKind::Locked);
    drop(guard);
    // The lock ends with the last handle, too; and a link leads to the same lock.
    #[cfg(unix)]
    {
        let link = dir.path().join("link.zarr");
        std::os::unix::fs::symlink(&store, &link).unwrap();
        let d = format::open(&link, Mode::ReadWrite).unwrap().dataset("d").unwrap();
        assert_eq!(format::open(&store, Mode::ReadWrite).unwrap_err().kind(), ErrorKind::Locked);
        drop(d);
        std::fs::remove_file(link).unwrap();
    }
    let root = format::open(&store, Mode::ReadWrite).unwrap();
    root.dataset("d").unwrap().append(4i64).unwrap();
    root.close_tree().unwrap();
    // What lies beside the store and is not ours stays.
    std::fs::create_dir(dir.path().join(".a.zarr")).unwrap();
    format::open(&store, Mode::ReadWrite).unwrap().close_tree().unwrap();
    assert_eq!(names(dir.path()), [".a.zarr", "a.zarr"]);
    assert_eq!(saver.load().unwrap(), AnyArray::from(vec![1i64, 2, 4]));
}

/// A writer that died after the journal was there, and before.
#[test]
fn an_update_that_was_stopped_is_finished_or_gone() {
    for version in [ZarrVersion::V3, ZarrVersion::V2] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("a.zarr");
        let chunk = |n: usize| if version == ZarrVersion::V3 { format!("d/c/{n}") } else { format!("d/{n}") };
        let saver =
            ZarrSaver::new(&store, "d").with_options(SaveOptions::new().chunks([4])).store_options(ZarrOptions::default().version(version));
        saver.append((0..12i64).collect::<Vec<_>>()).unwrap();
        let redo = store.join(".memh5.redo");
        let one = |n: i64| (0..4).flat_map(|k| (n + k).to_le_bytes()).collect::<Vec<u8>>();
        let stage = |whole: bool| {
            std::fs::create_dir(&redo).unwrap();
            std::fs::write(redo.join("x-0"), one(100)).unwrap();
            std::fs::write(redo.join("x-1"), one(200)).unwrap();
            let text =
                serde_json::json!({ "memh5_redo": 1, "moves": [[".memh5.redo/x-0", chunk(0)], [".memh5.redo/x-1", chunk(2)]] }).to_string();
            std::fs::write(redo.join("journal"), if whole { &text[..] } else { &text[..text.len() / 2] }).unwrap();
        };
        let new = AnyArray::from(vec![100i64, 101, 102, 103, 4, 5, 6, 7, 200, 201, 202, 203]);
        let old = AnyArray::from((0..12i64).collect::<Vec<_>>());
        stage(false);
        assert_eq!(saver.load().unwrap(), old, "half a journal promises nothing");
        saver.update(0i64, 0).unwrap();
        assert!(!redo.exists());
        stage(true);
        // A reader sees the new content at once, also of chunks that are in their places; who writes finishes it.
        assert_eq!(saver.load().unwrap(), new);
        std::fs::rename(redo.join("x-0"), store.join(chunk(0))).unwrap();
        assert_eq!(saver.load().unwrap(), new);
        assert!(redo.exists(), "readers change nothing");
        saver.append(vec![9i64]).unwrap();
        assert!(!redo.exists());
        let mut more = new.clone();
        more.append(&AnyArray::from(vec![9i64])).unwrap();
        assert_eq!(saver.load().unwrap(), more);
        // A journal that leads out of the store is not followed.
        stage(true);
        let bad = serde_json::json!({ "memh5_redo": 1, "moves": [[".memh5.redo/x-0", "../../stolen"]] }).to_string();
        std::fs::write(redo.join("journal"), bad).unwrap();
        assert_eq!(saver.load().unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(format::open(&store, Mode::ReadWrite).unwrap_err().kind(), ErrorKind::Corrupt);
        assert!(!dir.path().join("stolen").exists());
    }
}

#[test]
fn a_save_that_survives_power_failures_brings_everything_to_the_device() {
    let dir = tempfile::tempdir().unwrap();
    for filters in [vec![], vec![Filter::Zstd(1)]] {
        let path = dir.path().join("a.zarr");
        let fs = FaultFileSystem::new();
        let options = SaveOptions::new().chunks([10]).filters(filters);
        let saver = ZarrSaver::new(&path, "g/d").with_options(options.clone()).file_system(fs.clone());
        saver.append(vec![1.0f64; 25]).unwrap();
        let full = SaveOptions::new().durability(Durability::Full);
        for (what, update, files) in [
            ("append within a chunk", false, 1),
            ("update of a chunk", true, 1),
            ("append of three", false, 3),
            ("update of five", true, 6),
        ] {
            let (before, from) = (fs.count(Some(Operation::Sync)), fs.calls().len());
            let save = |options: &SaveOptions| match (update, files) {
                (true, 1) => saver.save(vec![2.0f64; 3], 2..5, &options.clone().approach(memh5::saver::Approach::Update)),
                (true, _) => saver.save(5.0, .., &options.clone().approach(memh5::saver::Approach::Update)),
                (false, n) => saver.save(vec![3.0f64; if n == 1 { 3 } else { 20 }], memh5::saver::Indices::NONE, options),
            };
            save(&full).unwrap();
            let synced = fs.count(Some(Operation::Sync)) - before;
            assert!(synced >= files, "{what}: {synced} syncs");
            let calls = fs.calls();
            // Every file that was written since was synced after its last write, and before it got its name.
            let new = &calls[from..];
            for (at, call) in
                new.iter().enumerate().filter(|(_, c)| c.operation == Operation::Write && !c.path.to_string_lossy().ends_with(".lock"))
            {
                let after = &new[at..];
                let sync = after
                    .iter()
                    .position(|c| c.operation == Operation::Sync && c.path == call.path)
                    .unwrap_or_else(|| panic!("{what}: {call:?} not synced"));
                let rename = after.iter().position(|c| c.operation == Operation::Rename && c.path == call.path);
                assert!(rename.is_none_or(|r| sync < r), "{what}: {call:?} was renamed first");
            }
            for (at, call) in new.iter().enumerate().filter(|(_, c)| c.operation == Operation::Rename) {
                let parent = call.to.as_ref().unwrap().parent().unwrap();
                assert!(
                    new[at..].iter().any(|c| c.operation == Operation::SyncDir && c.path == parent),
                    "{what}: the name {call:?} is not on the device"
                );
            }
            let (before, dirs) = (fs.count(Some(Operation::Sync)), fs.count(Some(Operation::SyncDir)));
            save(&SaveOptions::new()).unwrap();
            assert_eq!(
                (fs.count(Some(Operation::Sync)), fs.count(Some(Operation::SyncDir))),
                (before, dirs),
                "{what}: without being asked"
            );
        }
        std::fs::remove_dir_all(&path).unwrap();
    }
}

/// What others write between two saves is noticed, though the store stays open.
#[test]
fn a_saver_that_keeps_the_store_open_notices_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zarr");
    let (one, two) = (ZarrSaver::new(&path, "d"), ZarrSaver::new(&path, "d"));
    one.append(vec![1i64]).unwrap();
    one.append(vec![2i64]).unwrap();
    two.append(vec![3i64]).unwrap();
    one.append(vec![4i64]).unwrap();
    let root = format::open(&path, Mode::ReadWrite).unwrap();
    root.dataset("d").unwrap().resize([3]).unwrap();
    root.close_tree().unwrap();
    one.append(vec![5i64]).unwrap();
    assert_eq!(two.load().unwrap(), AnyArray::from(vec![1i64, 2, 3, 5]));
    // The whole store is saved anew: with as long an array, of another type.
    let tree = MemGroup::new();
    tree.create_dataset("d").maxshape([None]).write(vec![7i64; 4]).unwrap();
    tree.to_file(&path).unwrap();
    one.append(vec![8i64]).unwrap();
    assert_eq!(one.load().unwrap(), AnyArray::from(vec![7i64, 7, 7, 7, 8]));
    std::fs::remove_dir_all(&path).unwrap();
    one.append(vec![9.5f64]).unwrap();
    assert_eq!(one.load().unwrap(), AnyArray::from(vec![9.5f64]));
    one.overwrite(vec![1u8]).unwrap();
    one.append(vec![2u8]).unwrap();
    two.overwrite(vec![3u8]).unwrap();
    one.append(vec![4u8]).unwrap();
    assert_eq!(one.load().unwrap(), AnyArray::from(vec![3u8, 4]));
}

/// A reader of a store that is saved anew all the time finds one version or is told: never a mixture.
#[test]
fn readers_during_saves_see_one_version() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a.zarr");
    let tree = |k: i64| {
        let tree = MemGroup::new();
        tree.attrs().set("version", k).unwrap();
        for n in 0..8 {
            tree.create_dataset(&format!("g{n}/d")).chunks([10]).write(vec![k; 25]).unwrap().attrs().set("version", k).unwrap();
        }
        tree
    };
    tree(0).to_file(&store).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut whole, mut told, mut last) = (0, 0, 0);
                    while !over.load(Ordering::Relaxed) || whole == 0 {
                        // One that opens, waits, and reads by and by.
                        let read = || -> memh5::Result<i64> {
                            let root = format::open(&store, Mode::Read)?;
                            let version = root.attrs().get::<i64>("version")?;
                            for n in 0..8 {
                                let d = root.dataset(&format!("g{n}/d"))?;
                                assert_eq!(d.attrs().get::<i64>("version")?, version);
                                assert_eq!(d.read_slice::<Vec<i64>>(..)?, vec![version; 25]);
                            }
                            Ok(version)
                        };
                        match read() {
                            Ok(version) => {
                                assert!(version >= last);
                                (whole, last) = (whole + 1, version);
                            }
                            Err(e) => {
                                assert!(e.kind() == ErrorKind::Closed, "{e}");
                                told += 1;
                            }
                        }
                        // The whole of it is read again where it was replaced meanwhile.
                        let loaded = MemGroup::from_file(&store).unwrap();
                        let version = loaded.attrs().get::<i64>("version").unwrap();
                        assert_eq!(loaded.dataset("g7/d").unwrap().read_slice::<Vec<i64>>(..).unwrap(), vec![version; 25]);
                    }
                    (whole, told)
                })
            })
            .collect();
        for k in 1..60 {
            tree(k).to_file(&store).unwrap();
        }
        over.store(true, Ordering::Relaxed);
        for reader in readers {
            let (whole, told) = reader.join().unwrap();
            println!("{whole} versions read, {told} replaced meanwhile");
        }
    });
}

/// A store whose root is an array is read as a group that holds it.
#[test]
fn an_array_at_the_root_is_the_one_dataset() {
    for version in [ZarrVersion::V3, ZarrVersion::V2] {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("a.zarr");
        let root = ZarrFormat::with(ZarrOptions::default().version(version)).open(&store, Mode::CreateNew).unwrap();
        let d = root.create_dataset("d").chunks([2, 2]).write(ndarray::array![[1i64, 2, 3], [4, 5, 6], [7, 8, 9]]).unwrap();
        d.attrs().set("units", "K").unwrap();
        drop(d);
        root.close_tree().unwrap();
        let array = store.join("d");
        let root = format::open(&array, Mode::Read).unwrap();
        assert_eq!(root.keys().unwrap(), ["data"]);
        assert!(root.contains("data").unwrap() && !root.contains("c").unwrap() && root.get("x").is_err());
        let d = root.dataset("data").unwrap();
        assert_eq!(d.name(), "/data");
        assert_eq!(d.read_slice::<Vec<i64>>((1, ..)).unwrap(), [4, 5, 6]);
        assert_eq!(d.attrs().get::<String>("units").unwrap(), "K");
        assert_ne!(root.id().unwrap(), d.id().unwrap());
        assert_eq!(MemGroup::from_file(&array).unwrap().dataset("data").unwrap().shape().unwrap(), [3, 3]);
        let e = format::open(&array, Mode::ReadWrite).unwrap_err();
        assert!(e.kind() == ErrorKind::Unsupported && e.to_string().contains("copy the store"), "{e}");
        MemGroup::from_file(&array).unwrap().to_file(dir.path().join("b.zarr")).unwrap();
        format::open(dir.path().join("b.zarr"), Mode::ReadWrite).unwrap().dataset("data").unwrap().write_slice(0, vec![0i64; 3]).unwrap();
    }
}

#[test]
fn checksums_of_hdf5_work_within_shards() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("a.zarr");
    let format = ZarrFormat::with(ZarrOptions::default().shard_bytes(1000));
    let root = format.open(&store, Mode::CreateNew).unwrap();
    let numbers = ndarray::Array2::from_shape_fn((13, 11), |(i, j)| (i * 11 + j) as u8);
    let filters = [Filter::Zstd(1), Filter::Fletcher32];
    root.create_dataset("odd").chunks([3, 5]).filters([Filter::Fletcher32]).write(&numbers).unwrap();
    root.create_dataset("packed").chunks([3, 5]).filters(filters.clone()).write(&numbers).unwrap();
    root.create_dataset("text").chunks([2]).filters(filters).write(["a", "", "ccc", "日本", "e"]).unwrap();
    let grown = root
        .create_dataset("grown")
        .shape([0, 3])
        .maxshape([None, Some(3)])
        .chunks([2, 2])
        .dtype(DType::I16)
        .fill_value(-7i16)
        .filters([Filter::Fletcher32])
        .create()
        .unwrap();
    for k in 0..9i16 {
        grown.append(vec![k, -7, 2 * k]).unwrap();
    }
    grown.resize([12, 3]).unwrap();
    drop(grown);
    root.close_tree().unwrap();
    let root = format::open(&store, Mode::Read).unwrap();
    for name in ["odd", "packed"] {
        assert_eq!(root.dataset(name).unwrap().read::<u8>().unwrap(), numbers.clone().into_dyn(), "{name}");
    }
    assert_eq!(root.dataset("text").unwrap().read_slice::<Vec<String>>(..).unwrap(), ["a", "", "ccc", "日本", "e"]);
    let grown = root.dataset("grown").unwrap().read::<i16>().unwrap();
    assert_eq!(grown.index_axis(ndarray::Axis(1), 2).iter().copied().collect::<Vec<i16>>(), [0, 2, 4, 6, 8, 10, 12, 14, 16, -7, -7, -7]);
    root.close_tree().unwrap();
    // A bit that flips is found.
    let file = store.join("odd/c/0/0");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[3] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let root = format::open(&store, Mode::Read).unwrap();
    assert_eq!(root.dataset("odd").unwrap().read_array().unwrap_err().kind(), ErrorKind::Corrupt);
}
