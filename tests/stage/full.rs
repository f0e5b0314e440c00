//! Disks that are full, and calls that fail, below the HDF5 library: the cache is the old one, the error is told, the next run needs no help.
//!
//! The test program runs itself again as the writer, whose calls a preloaded library fails, or whose file system is small.

use crate::data::{numbers, rows, source};
use crate::safety::{complete, names};
use memh5::stage::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Enough events for references in bulk, and values that tell the version.
fn batch(version: i64) -> Batch {
    let events: Vec<usize> = (0..60).collect();
    Batch::new(60)
        .with_source(&source())
        .unwrap()
        .with("version", version)
        .unwrap()
        .with("hits", events.iter().map(|e| rows(*e, 40, 5)).collect::<Vec<_>>())
        .unwrap()
        .with("clusters", events.iter().map(|e| (0..25).map(|i| numbers(*e, i)).collect::<Vec<_>>()).collect::<Vec<_>>())
        .unwrap()
        .with("label", events.iter().map(|e| format!("version {version}, event {e}")).collect::<Vec<_>>())
        .unwrap()
}

fn write(path: &Path, stage: &str, version: i64) -> memh5::Result<()> {
    let mut writer = StageHdf5Writer::builder().file_name(path).stage(stage).overwrite_stage(true).flush_frequency(60).build()?;
    writer.write(&batch(version))?;
    writer.write(&batch(version))?;
    writer.finalize()?;
    writer.close()
}

/// The version of a stage, all of it read and compared with its checksums.
fn version_of(path: &Path, stage: &str) -> i64 {
    assert!(complete(path).unwrap().contains(&stage.to_owned()));
    let reader = StageReader::builder().stage(stage).verify(true).open([path]).unwrap();
    assert_eq!(reader.len(), 120);
    let version = reader.get(0).unwrap().get::<i64>("version").unwrap();
    let clusters = reader.get(119).unwrap().list::<Vec<i64>>("clusters").unwrap();
    assert_eq!(clusters, (0..25).map(|i| numbers(59, i).to_vec()).collect::<Vec<_>>());
    assert_eq!(reader.get(119).unwrap().get::<String>("label").unwrap(), format!("version {version}, event 59"));
    version
}

/// Not a test by itself: the writer of one stage.
#[test]
fn child() {
    let Some(path) = std::env::var_os("MEMH5_STAGE_FULL").map(PathBuf::from) else { return };
    let version = std::env::var("MEMH5_STAGE_VERSION").unwrap().parse().unwrap();
    match write(&path, &std::env::var("MEMH5_STAGE_NAME").unwrap(), version) {
        Ok(()) => println!("@written"),
        Err(e) => println!("@failed {:?} {e}", e.kind()),
    }
}

fn writer(path: &Path, stage: &str, version: i64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["full::child", "--exact", "--nocapture", "--test-threads=1"])
        .env("MEMH5_STAGE_FULL", path)
        .env("MEMH5_STAGE_NAME", stage)
        .env("MEMH5_STAGE_VERSION", version.to_string())
        .stdin(Stdio::null());
    command
}

/// What came of it: nothing, or the kind of the error with its text. The writer must have ended as any program ends.
fn outcome(output: &Output) -> Result<(), (String, String)> {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the writer did not end well: {:?}\n{out}\n{err}", output.status);
    for line in out.lines() {
        if line.contains("@written") {
            return Ok(());
        }
        if let Some((_, rest)) = line.split_once("@failed ") {
            let (kind, text) = rest.split_once(' ').unwrap();
            return Err((kind.to_owned(), text.to_owned()));
        }
    }
    panic!("the writer ended in the middle:\n{out}\n{err}");
}

/// What there is before: nothing, another stage, or the very stage that is written.
const CASES: [(&str, Option<&str>); 3] =
    [("the first stage", None), ("a later stage", Some("other")), ("a stage that is overwritten", Some("s"))];

fn prepare(path: &Path, before: Option<&str>) {
    let _ = std::fs::remove_file(path);
    if let Some(stage) = before {
        write(path, stage, 1).unwrap();
    }
}

/// After a failure: what was there is there, and nothing else.
fn check_old(dir: &Path, path: &Path, before: Option<&str>, what: &str) {
    match before {
        Some(stage) => assert_eq!((complete(path).unwrap(), version_of(path, stage)), (vec![stage.to_owned()], 1), "{what}"),
        None => assert!(!path.exists(), "{what}"),
    }
    let left: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), usize::from(before.is_some()), "{what}: {left:?}");
}

/// A small file system in memory. Needs root.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        mount(&["-t", "tmpfs", "-o", &format!("size={bytes}"), "memh5-test"], at).then(|| Self(at.to_owned()))
    }

    fn resize(&self, bytes: u64) {
        assert!(mount(&["-o", &format!("remount,size={bytes}")], &self.0), "the file system cannot be resized");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(args: &[&str], at: &Path) -> bool {
    Command::new("mount").args(args).arg(at).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

#[test]
fn a_full_disk() {
    const PAGE: u64 = 4096;
    let dir = tempfile::tempdir().unwrap();
    let trial = dir.path().join("trial.h5");
    write(&trial, "s", 1).unwrap();
    let one = std::fs::metadata(&trial).unwrap().len().div_ceil(PAGE) * PAGE;
    std::fs::remove_file(&trial).unwrap();
    let (mut failed, mut well) = (0, 0);
    for (what, before) in CASES {
        for part in [0, 1, 3, 5, 7, 9, 11, 13, 40] {
            let at = dir.path().join("disk");
            let Some(disk) = Disk::mount(&at, 16 * one) else {
                eprintln!("SKIPPED: a full disk: only root can mount a small file system");
                return;
            };
            let path = at.join("run_stage.h5");
            prepare(&path, before);
            // The cache, a page for the lock, and some room for the copy and the new stage.
            let used = if before.is_some() { one } else { 0 };
            disk.resize(used + PAGE + (used + one) * part / 10);
            let what = format!("{what}, room for {part} tenths");
            match outcome(&writer(&path, "s", 2).output().unwrap()) {
                Ok(()) => well += 1,
                Err((kind, text)) => {
                    failed += 1;
                    assert_eq!(kind, "Io", "{what}: {text}");
                    assert!(text.to_lowercase().contains("no space"), "{what}: the cause is told: {text}");
                    assert!(text.contains("run_stage.h5"), "{what}: the cache is named: {text}");
                    check_old(&at, &path, before, &what);
                    disk.resize(16 * one);
                    assert_eq!(outcome(&writer(&path, "s", 3).output().unwrap()), Ok(()), "{what}: with room enough");
                    assert_eq!(version_of(&path, "s"), 3, "{what}");
                }
            }
        }
    }
    println!("{failed} stages found the disk full, {well} did not");
    assert!(failed >= 15 && well >= 6, "{failed} {well}");
}

#[test]
fn a_limit_on_the_size_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run_stage.h5");
    let (mut failed, mut well) = (0, 0);
    for (what, before) in CASES {
        for limit in [1, 64, 200, 100_000] {
            prepare(&path, before);
            let what = format!("{what}, ulimit -f {limit}");
            let plain = writer(&path, "s", 2);
            let mut command = Command::new("sh");
            // The signal that a too long file raises is ignored, as a batch system does it.
            command.args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")]).arg(plain.get_program());
            command.args(plain.get_args()).envs(plain.get_envs().filter_map(|(k, v)| Some((k, v?)))).stdin(Stdio::null());
            match outcome(&command.output().unwrap()) {
                Ok(()) => well += 1,
                Err((kind, text)) => {
                    failed += 1;
                    assert_eq!(kind, "Io", "{what}: {text}");
                    check_old(dir.path(), &path, before, &what);
                    write(&path, "s", 3).unwrap();
                    assert_eq!(version_of(&path, "s"), 3, "{what}");
                }
            }
        }
    }
    assert!(failed >= 6 && well >= 3, "{failed} {well}");
}

#[test]
fn calls_below_the_library_that_fail() {
    let dir = tempfile::tempdir().unwrap();
    let shim = dir.path().join("fault_shim.so");
    let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/fault_shim.c");
    match Command::new("cc").args(["-Wall", "-shared", "-fPIC", "-o"]).arg(&shim).arg(code).arg("-ldl").status() {
        Ok(status) => assert!(status.success(), "the shim does not compile"),
        Err(_) => {
            eprintln!("SKIPPED: failing calls below the HDF5 library: there is no C compiler 'cc'");
            return;
        }
    }
    let place = tempfile::tempdir().unwrap();
    let (path, mark) = (place.path().join("run_stage.h5"), dir.path().join("mark"));
    for (call, fault) in [("write", "enospc"), ("write", "short"), ("sync", "eio"), ("truncate", "eio")] {
        let (mut met_all, mut failed) = (0, 0);
        for n in 1.. {
            let (what, before) = CASES[n % 3];
            prepare(&path, before);
            let what = format!("{what}, {call} {n} {fault}");
            let mut command = writer(&path, "s", 2);
            command.env("LD_PRELOAD", &shim).env("FAULT_PATH", "/.run_stage.h5").env("FAULT_CALL", call);
            command.env("FAULT_NTH", n.to_string()).env("FAULT_KIND", fault).env("FAULT_MARK", &mark);
            let result = outcome(&command.output().unwrap());
            let met = mark.exists();
            let _ = std::fs::remove_file(&mark);
            match result {
                Ok(()) => assert_eq!(version_of(&path, "s"), 2, "{what}: success is told for what is there"),
                Err((kind, text)) => {
                    assert!(met, "{what}: an error without a fault: {text}");
                    assert!(matches!(kind.as_str(), "Io" | "Poisoned"), "{what}: {kind}: {text}");
                    failed += 1;
                    check_old(place.path(), &path, before, &what);
                    // The next run needs no help.
                    if n % 4 == 0 {
                        write(&path, "s", 3).unwrap();
                        assert_eq!(version_of(&path, "s"), 3, "{what}");
                    }
                }
            }
            assert!(names(&place).iter().all(|n| n == "run_stage.h5"), "{what}");
            met_all += usize::from(met);
            if !met {
                break;
            }
        }
        println!("{call} {fault}: {met_all} calls failed in turn, of which {failed} failed the stage");
        assert!(call == "truncate" || met_all > 0, "{call} {fault}: no call was met");
    }
}
