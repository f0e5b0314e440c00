//! Caches in files: absent, incomplete or complete and valid, whatever happens to the writer.
#![cfg(feature = "hdf5")]

use crate::data::{everything, source};
use crate::rules::{other, small};
use memh5::prelude::*;
use memh5::publish::{Fault, FaultFileSystem};
use memh5::stage::*;
use memh5::tree::Mode;
use memh5::{ErrorKind, format};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run_stage.h5");
    (dir, path)
}

pub fn names(dir: &TempDir) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn begin(path: &Path) -> StageHdf5Writer {
    StageHdf5Writer::builder().file_name(path).build().unwrap()
}

pub fn finish(path: &Path, stage: &str, batch: &Batch) {
    let mut writer = StageHdf5Writer::builder().file_name(path).overwrite_stage(true).build().unwrap();
    writer.write_stage(stage, batch, &StageOptions::new()).unwrap();
    writer.finalize_stage(stage).unwrap();
    writer.close().unwrap();
}

/// The complete stages, each read and compared with its checksums.
pub fn complete(path: &Path) -> memh5::Result<Vec<String>> {
    let root = format::open(path, Mode::Read)?;
    let mut out = Vec::new();
    for check in check_stages(&*root)? {
        if let Some(damage) = check.damages.into_iter().next() {
            return Err(damage);
        }
        if check.info.status == StageStatus::Complete {
            assert!(check.datasets > 0);
            out.push(check.info.name);
        }
    }
    root.close_tree()?;
    Ok(out)
}

fn values(path: &Path, stage: &str) -> Vec<f64> {
    let reader = StageReader::builder().stage(stage).verify(true).open([path]).unwrap();
    reader.product("x").unwrap().values().unwrap().view::<f64>().unwrap().iter().copied().collect()
}

#[test]
fn a_stage_shows_when_it_is_finalized() {
    let (dir, path) = place();
    let mut writer = begin(&path);
    writer.write_stage("a", &small(1.0), &StageOptions::new()).unwrap();
    assert!(!path.exists());
    writer.finalize_stage("a").unwrap();
    assert_eq!(names(&dir), ["run_stage.h5"], "neither a lock nor a copy is left");
    assert_eq!(complete(&path).unwrap(), ["a"]);
    // The next stage of the same session, and of a later one.
    writer.write_stage("b", &small(2.0), &StageOptions::new()).unwrap();
    assert_eq!(complete(&path).unwrap(), ["a"], "readers see the finished stage while the next is written");
    writer.finalize_stage("b").unwrap();
    drop(writer);
    finish(&path, "c", &everything(0, &[3, 0, 5, 1]));
    assert_eq!(complete(&path).unwrap(), ["a", "b", "c"]);
    assert_eq!(names(&dir), ["run_stage.h5"]);
}

#[test]
fn what_is_not_finalized_is_not_there() {
    let (dir, path) = place();
    finish(&path, "a", &small(1.0));
    let before = std::fs::read(&path).unwrap();
    for end in 0..3 {
        let mut writer = StageHdf5Writer::builder().file_name(&path).overwrite_stage(true).build().unwrap();
        writer.write_stage("b", &small(2.0), &StageOptions::new()).unwrap();
        writer.write_stage("a", &small(9.0), &StageOptions::new()).unwrap();
        match end {
            0 => drop(writer),
            1 => {
                writer.close().unwrap();
                writer.close().unwrap();
                drop(writer);
            }
            // A panic in the pipeline must not finalize either.
            _ => {
                let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                    let _writer = writer;
                    std::panic::resume_unwind(Box::new("the pipeline fails"));
                }));
                assert!(unwound.is_err());
            }
        }
        assert_eq!(std::fs::read(&path).unwrap(), before, "the cache is as it was, byte by byte");
        assert_eq!(names(&dir), ["run_stage.h5"]);
    }
}

#[test]
fn stages_of_one_session_are_published_one_by_one() {
    let (_dir, path) = place();
    let mut writer = StageHdf5Writer::builder().file_name(&path).keep_open(false).build().unwrap();
    for i in 0..3 {
        writer.write_stage("a", &small(i as f64), &StageOptions::new()).unwrap();
        writer.write_stage("b", &small(i as f64 + 100.0), &StageOptions::new()).unwrap();
    }
    writer.finalize_stage("a").unwrap();
    assert_eq!(complete(&path).unwrap(), ["a"]);
    let status = |name: &str| {
        let root = format::open(&path, Mode::Read).unwrap();
        list_stages(&*root).unwrap().into_iter().find(|c| c.info.name == name).unwrap().info.status
    };
    assert_eq!(status("b"), StageStatus::Incomplete);
    // The other stage goes on where it was.
    writer.write_stage("b", &small(200.0), &StageOptions::new()).unwrap();
    assert_eq!(writer.list_stages().unwrap(), ["a", "b"]);
    writer.finalize_stage("b").unwrap();
    assert_eq!(complete(&path).unwrap(), ["a", "b"]);
    assert_eq!(values(&path, "b"), [100.0, 101.0, 101.0, 102.0, 102.0, 103.0, 200.0, 201.0]);
}

#[test]
fn stages_are_finalized_one_after_the_other() {
    // The lock is given up with the first, and taken again for the next.
    let (dir, path) = place();
    let mut writer = begin(&path);
    for stage in ["a", "b", "c"] {
        writer.write_stage(stage, &small(1.0), &StageOptions::new()).unwrap();
    }
    writer.finalize_stage("b").unwrap();
    assert_eq!((complete(&path).unwrap(), names(&dir)), (vec!["b".to_owned()], vec!["run_stage.h5".to_owned()]));
    writer.finalize_stage("a").unwrap();
    // What somebody else has rebuilt in between is not this session's to finish.
    finish(&path, "c", &small(7.0));
    let e = writer.finalize_stage("c").unwrap_err();
    assert!(e.kind() == ErrorKind::Locked && e.to_string().contains("rebuilt"), "{e}");
    drop(writer);
    assert_eq!(complete(&path).unwrap(), ["a", "b", "c"]);
    assert_eq!((values(&path, "c"), names(&dir)), (vec![7.0, 8.0], vec!["run_stage.h5".to_owned()]));
}

#[test]
fn a_stage_that_somebody_rebuilt_meanwhile_is_not_continued() {
    let (_dir, path) = place();
    let mut writer = begin(&path);
    writer.write_stage("a", &small(1.0), &StageOptions::new()).unwrap();
    writer.write_stage("b", &small(1.0), &StageOptions::new()).unwrap();
    writer.finalize_stage("a").unwrap();
    finish(&path, "b", &small(7.0));
    let e = writer.write_stage("b", &small(2.0), &StageOptions::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Locked, "{e}");
    assert_eq!(values(&path, "b"), [7.0, 8.0]);
}

#[test]
fn overwriting_a_cache_keeps_the_old_one_until_the_new_one_is_there() {
    let (_dir, path) = place();
    finish(&path, "old", &small(1.0));
    let mut writer = StageHdf5Writer::builder().file_name(&path).overwrite(true).build().unwrap();
    assert_eq!(complete(&path).unwrap(), ["old"]);
    // Another source may take the name, as the old cache goes.
    let batch = Batch::new(1).with_source(&other()).unwrap().with("x", vec![5.0]).unwrap();
    writer.write_stage("new", &batch, &StageOptions::new()).unwrap();
    assert_eq!(complete(&path).unwrap(), ["old"]);
    writer.finalize_stage("new").unwrap();
    writer.write_stage("second", &batch, &StageOptions::new()).unwrap();
    writer.finalize_stage("second").unwrap();
    assert_eq!(complete(&path).unwrap(), ["new", "second"]);
}

#[test]
fn two_writers_of_one_cache() {
    let (dir, path) = place();
    finish(&path, "a", &small(1.0));
    let mut first = begin(&path);
    first.write_stage("b", &small(2.0), &StageOptions::new()).unwrap();
    let mut second = begin(&path);
    let e = second.write_stage("c", &small(3.0), &StageOptions::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Locked);
    assert!(
        e.to_string().contains(&format!("process {}", std::process::id())) || e.to_string().contains(&std::process::id().to_string()),
        "the holder is named: {e}"
    );
    first.finalize_stage("b").unwrap();
    // The second was not harmed, and goes on.
    second.write_stage("c", &small(3.0), &StageOptions::new()).unwrap();
    second.finalize_stage("c").unwrap();
    assert_eq!(complete(&path).unwrap(), ["a", "b", "c"]);
    assert_eq!(names(&dir), ["run_stage.h5"]);
}

#[test]
fn many_writers_wait_for_each_other() {
    let (dir, path) = place();
    std::thread::scope(|scope| {
        for i in 0..6 {
            let path = &path;
            scope.spawn(move || {
                let mut writer = StageHdf5Writer::builder().file_name(path).timeout(std::time::Duration::from_secs(60)).build().unwrap();
                let stage = format!("s{i}");
                writer.write_stage(&stage, &small(i as f64), &StageOptions::new()).unwrap();
                writer.finalize_stage(&stage).unwrap();
            });
        }
    });
    assert_eq!(complete(&path).unwrap(), ["s0", "s1", "s2", "s3", "s4", "s5"]);
    assert_eq!(names(&dir), ["run_stage.h5"]);
}

#[test]
fn a_reader_is_not_disturbed() {
    let (_dir, path) = place();
    finish(&path, "a", &everything(0, &[3, 0, 5, 1]));
    let reader = StageReader::builder().stage("a").open([&path]).unwrap();
    let before = reader.get(2).unwrap();
    let mut writer = StageHdf5Writer::builder().file_name(&path).overwrite_stage(true).build().unwrap();
    writer.write_stage("b", &small(1.0), &StageOptions::new()).unwrap();
    reader.forget();
    assert_eq!(reader.get(2).unwrap(), before, "while it is written");
    writer.finalize_stage("b").unwrap();
    writer.write_stage("a", &everything(10, &[1]), &StageOptions::new()).unwrap();
    writer.finalize_stage("a").unwrap();
    reader.forget();
    assert_eq!(reader.get(2).unwrap(), before, "and after: it holds the file that it opened");
    assert_eq!(StageReader::builder().stage("a").open([&path]).unwrap().len(), 1);
}

#[test]
fn another_source_or_format_leaves_the_file_alone() {
    let (dir, path) = place();
    finish(&path, "a", &small(1.0));
    let before = (std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().modified().unwrap());
    let batch = Batch::new(1).with_source(&other()).unwrap().with("x", vec![1.0]).unwrap();
    let e = begin(&path).write_stage("b", &batch, &StageOptions::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{e}");
    assert_eq!(e.file(), Some(path.as_path()));
    let e = begin(&path).write_stage("a", &small(1.0), &StageOptions::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}");
    let e = StageHdf5Writer::builder()
        .file_name(&path)
        .format_version(FormatVersion::V2)
        .build()
        .unwrap()
        .write_stage("b", &small(1.0), &StageOptions::new())
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported, "{e}");
    assert_eq!((std::fs::read(&path).unwrap(), std::fs::metadata(&path).unwrap().modified().unwrap()), before);
    assert_eq!(names(&dir), ["run_stage.h5"]);
    // A file that is no HDF5 file at all.
    std::fs::write(&path, "no cache").unwrap();
    let e = begin(&path).write_stage("b", &small(1.0), &StageOptions::new()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
    assert_eq!(std::fs::read(&path).unwrap(), b"no cache");
    assert_eq!(names(&dir), ["run_stage.h5"]);
}

#[test]
fn a_batch_of_which_one_source_is_refused_is_not_written_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("run_stage.h5");
    finish(&dir.path().join("other_stage.h5"), "s", &Batch::new(1).with_source(&other()).unwrap().with("x", vec![1.0]).unwrap());
    let mut writer = StageHdf5Writer::builder().file_name(&base).stage("s").build().unwrap();
    let mixed = Batch::new(2).with_sources(&[source(), other()]).unwrap().with("x", vec![3.0, 4.0]).unwrap();
    assert_eq!(writer.write(&mixed).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(names(&dir), ["other_stage.h5"], "nothing of the first source, no locks");
    writer.write(&small(1.0)).unwrap();
    writer.finalize().unwrap();
    assert_eq!(names(&dir), ["other_stage.h5", "run_stage.h5"]);
}

#[test]
fn directories_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/run_stage.h5");
    finish(&path, "s", &small(1.0));
    assert_eq!(complete(&path).unwrap(), ["s"]);
}

/// Every call of the file system fails once, in every way: the cache is the old or the new one, and the next writer needs no help.
#[test]
fn a_disk_that_fails_at_any_call() {
    for fault in [Fault::NoSpace, Fault::Io, Fault::FillsUp, Fault::Crash] {
        let mut reached = 0;
        for n in 1..200 {
            let (dir, path) = place();
            finish(&path, "a", &small(1.0));
            let faulty = FaultFileSystem::new();
            faulty.fail_call(n, fault);
            let mut writer = StageHdf5Writer::builder().file_name(&path).file_system(faulty.clone()).build().unwrap();
            let written = writer.write_stage("b", &small(2.0), &StageOptions::new()).and_then(|()| writer.finalize_stage("b"));
            let failed = faulty.has_failed();
            if let Err(e) = &written {
                assert!(failed, "{e}");
                assert!(matches!(e.kind(), ErrorKind::Io | ErrorKind::Unsupported), "{fault:?} at call {n}: {e}");
                let again = writer.write_stage("c", &small(3.0), &StageOptions::new());
                // Refused for good if work was lost; free to try again if nothing was begun.
                if let Err(again) = again
                    && fault != Fault::Crash
                {
                    assert_eq!(again.kind(), ErrorKind::Poisoned, "{fault:?} at call {n}: {again}");
                }
            }
            drop(writer);
            let found = complete(&path).unwrap_or_else(|e| panic!("{fault:?} at call {n}: {e}"));
            assert!(found == ["a"] || found == ["a", "b"], "{fault:?} at call {n}: {found:?}");
            assert!(written.is_err() || found == ["a", "b"]);
            finish(&path, "d", &small(4.0));
            assert!(complete(&path).unwrap().contains(&"d".to_owned()));
            assert_eq!(names(&dir), ["run_stage.h5"], "{fault:?} at call {n}");
            if !failed {
                break;
            }
            reached = n;
        }
        assert!(reached >= 10, "{fault:?}: only {reached} calls were met");
    }
}

#[test]
fn damage_is_found_by_the_checksums() {
    let (_dir, path) = place();
    for version in [FormatVersion::V1, FormatVersion::V2] {
        let _ = std::fs::remove_file(&path);
        let mut writer = StageHdf5Writer::builder().file_name(&path).format_version(version).stage("s").build().unwrap();
        writer.write(&everything(0, &[3, 0, 5, 1])).unwrap();
        writer.finalize().unwrap();
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(complete(&path).unwrap(), ["s"]);
        // One bit of the numbers of a tensor.
        let needle: Vec<u8> = [2000f32, 2001.0, 2002.0, 2003.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let at = whole.windows(needle.len()).position(|w| w == needle).expect("the numbers are in the file");
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let e = complete(&path).unwrap_err();
        assert!(e.kind() == ErrorKind::Corrupt && e.to_string().contains("checksum"), "{e}");
        assert_eq!(StageReader::builder().verify(true).open([&path]).unwrap_err().kind(), ErrorKind::Corrupt);
        // An event that is lost.
        std::fs::write(&path, &whole).unwrap();
        let root = format::open(&path, Mode::ReadWrite).unwrap();
        root.dataset("stages/s/events").unwrap().resize([3]).unwrap();
        root.close_tree().unwrap();
        assert!(complete(&path).unwrap_err().to_string().contains("4 were recorded"));
    }
}
