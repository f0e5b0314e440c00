//! Writers that are stopped: by a full disk, by a failing call, by `kill -9`.

use memh5::format::zarr::ZarrFormat;
use memh5::format::{self, Format};
use memh5::prelude::*;
use memh5::publish::{Fault, FaultFileSystem, Operation};
use memh5::{DType, Mode};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

fn rows(k: i64) -> ndarray::Array2<i64> {
    ndarray::Array2::from_elem((3, 4), k)
}

fn prepare(path: &Path) {
    let root = format::open(path, Mode::CreateNew).unwrap();
    let d = root.create_dataset("log").shape([0, 4]).maxshape([None, Some(4)]).chunks([5, 4]).dtype(DType::I64).create().unwrap();
    d.append(rows(1)).unwrap();
    d.append(rows(2)).unwrap();
    root.close_tree().unwrap();
}

/// The rows that are there: whole batches, in order.
fn batches(path: &Path) -> Vec<i64> {
    let root = format::open(path, Mode::Read).unwrap();
    let all = root.dataset("log").unwrap().read::<i64>().unwrap();
    assert_eq!(all.shape()[0] % 3, 0, "a batch is torn");
    all.axis_chunks_iter(ndarray::Axis(0), 3)
        .map(|batch| {
            let first = *batch.iter().next().unwrap();
            assert!(batch.iter().all(|n| *n == first), "a batch is torn");
            first
        })
        .collect()
}

#[test]
fn an_append_that_fails_anywhere_leaves_what_was_there() {
    let classes = [Operation::Open, Operation::Write, Operation::Rename];
    for class in classes {
        for fault in [Fault::NoSpace, Fault::Io, Fault::FillsUp, Fault::Crash] {
            let mut failed = 0;
            for nth in 1..=12 {
                let dir = tempfile::tempdir().unwrap();
                let store = dir.path().join("a.zarr");
                prepare(&store);
                let fs = Arc::new(FaultFileSystem::new());
                let root = ZarrFormat::default().file_system(fs.clone()).open(&store, Mode::ReadWrite).unwrap();
                let d = root.dataset("log").unwrap();
                fs.fail(class, nth, fault);
                let done = d.append(rows(3));
                fs.heal();
                let now = d.shape().unwrap_or_default();
                drop((d, root));
                match done {
                    Ok(()) => assert_eq!(batches(&store), [1, 2, 3]),
                    Err(e) => {
                        failed += 1;
                        assert_eq!(now, [6, 4], "{e}");
                        assert_eq!(batches(&store), [1, 2], "{class:?} {nth} {fault:?}: {e}");
                        // And it goes on after.
                        let root = format::open(&store, Mode::ReadWrite).unwrap();
                        root.dataset("log").unwrap().append(rows(4)).unwrap();
                        root.close_tree().unwrap();
                        assert_eq!(batches(&store), [1, 2, 4]);
                    }
                }
            }
            assert!(failed > 0, "{class:?} {fault:?} never failed");
        }
    }
}

#[test]
fn a_dataset_that_cannot_be_written_whole_is_not_there() {
    for nth in 1..=8 {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("a.zarr");
        prepare(&store);
        let fs = Arc::new(FaultFileSystem::new());
        let root = ZarrFormat::default().file_system(fs.clone()).open(&store, Mode::ReadWrite).unwrap();
        fs.fail(Operation::Write, nth, Fault::NoSpace);
        let made = root.create_dataset("new").chunks([2, 4]).write(rows(7));
        fs.heal();
        match made {
            Ok(_) => assert!(nth > 2),
            Err(e) => {
                assert_eq!(e.kind(), memh5::ErrorKind::Io);
                assert_eq!(root.create_group("x").unwrap_err().kind(), memh5::ErrorKind::Poisoned, "a failed write poisons the store");
                drop(root);
                let root = format::open(&store, Mode::ReadWrite).unwrap();
                assert_eq!(root.keys().unwrap(), ["log"]);
                root.create_dataset("new").write(1).unwrap();
            }
        }
    }
}

/// Not a test by itself: saves trees, or appends, until it is killed.
#[test]
fn child() {
    let Some(target) = std::env::var_os("MEMH5_ZARR_TARGET").map(std::path::PathBuf::from) else { return };
    if std::env::var_os("MEMH5_ZARR_APPENDS").is_some() {
        let root = format::open(&target, Mode::ReadWrite).unwrap();
        let d = root.dataset("log").unwrap();
        for k in 3.. {
            d.append(rows(k)).unwrap();
            println!("@{k}");
        }
    }
    for k in 1i64.. {
        let tree = memh5::MemGroup::new();
        for n in 0..12 {
            tree.create_dataset(&format!("g/{n}")).chunks([3, 4]).write(ndarray::Array2::from_elem((12, 4), k)).unwrap();
        }
        tree.attrs().set("version", k).unwrap();
        tree.to_file(&target).unwrap();
        println!("@{k}");
    }
}

/// Runs the child for a while, kills it, and tells the last number that it has said.
fn killed(target: &Path, appends: bool, after: Duration) -> i64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["faults::child", "--exact", "--nocapture"]).env("MEMH5_ZARR_TARGET", target).stdin(Stdio::null()).stdout(Stdio::piped());
    if appends {
        command.env("MEMH5_ZARR_APPENDS", "1");
    }
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    // From the first word on; how long that takes says nothing.
    while !text.contains('@') && out.read_line(&mut text).unwrap() > 0 {}
    std::thread::sleep(after);
    child.kill().unwrap();
    out.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    // The last line may be cut.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|l| l.split_once('@')?.1.parse().ok()).next_back().unwrap_or(0)
}

#[test]
fn a_save_that_is_killed_leaves_the_old_or_the_new_tree() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("k.zarr");
    let mut saved = 0;
    for round in 0..15u64 {
        let last = killed(&store, false, Duration::from_millis(1 + 23 * round));
        if last == 0 && !store.exists() {
            continue;
        }
        saved += 1;
        let root = format::open(&store, Mode::Read).unwrap();
        let version: i64 = root.attrs().get("version").unwrap();
        assert!(version >= last, "the saved version {last} is lost");
        for n in 0..12 {
            let all = root.dataset(&format!("g/{n}")).unwrap().read::<i64>().unwrap();
            assert!(all.iter().all(|x| *x == version), "the tree is mixed");
        }
        std::fs::remove_dir_all(&store).unwrap();
    }
    assert!(saved >= 5, "{saved} rounds saved something");
}

#[test]
fn appends_that_are_killed_lose_nothing_that_was_told() {
    let mut told = 0;
    for round in 0..15u64 {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("k.zarr");
        prepare(&store);
        let last = killed(&store, true, Duration::from_millis(1 + 17 * round));
        let there = batches(&store);
        assert_eq!(there, (1..=there.len() as i64).collect::<Vec<_>>());
        assert!(there.len() as i64 >= last, "{last} was told, and {} are there", there.len());
        told += usize::from(last > 2);
    }
    assert!(told >= 5, "{told} rounds appended something");
}
