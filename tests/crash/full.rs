//! Full disks and limits: the save fails with an error, the old file stays, and the next try succeeds.

use crate::{TARGET, assert_failed_cleanly, describe_writer, names, outcome, outcomes, skip, tree, writer};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A file system in memory of a given size. Needs root.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "memh5-test"], at).then(|| Self(at.to_owned()))
    }

    fn resize(&self, bytes: u64) {
        assert!(run("mount", &["-o", &format!("remount,size={bytes}")], &self.0), "the file system cannot be resized");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        run("umount", &[], &self.0);
    }
}

fn run(program: &str, args: &[&str], path: &Path) -> bool {
    let status = Command::new(program).args(args).arg(path).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}

/// How long the file of one version is.
fn length(dir: &Path) -> u64 {
    let path = dir.join("measure.h5");
    tree::make(1).to_file(&path).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::remove_file(path).unwrap();
    length
}

#[test]
fn a_full_disk() {
    const PAGE: u64 = 4096;
    let dir = tempfile::tempdir().unwrap();
    let need = length(dir.path()).div_ceil(PAGE) * PAGE;
    let mut failed = 0;
    let mut succeeded = 0;
    // Room for the old file, and then from next to nothing to more than enough for the new one; finely around the need.
    let coarse = (0..12).map(|i| need * i / 12);
    let fine = (0..9).map(|i| need + i * PAGE - 4 * PAGE);
    for room in coarse.chain(fine).chain([need + 64 * PAGE]) {
        let at = dir.path().join("disk");
        let Some(disk) = Tmpfs::mount(&at, 4 * need) else {
            return skip("a full disk: only root can mount a small file system");
        };
        let target = at.join(TARGET);
        tree::make(7).to_file(&target).unwrap();
        // A page for the lock file, as much as the old one takes.
        disk.resize(need + PAGE + room);
        let what = format!("room for {room} of {need} bytes");
        // The writer waits after a failure, and the same process tries again when there is room.
        let mut child = writer(&target, 8, Some(1)).env("MEMH5_CRASH_RETRY", "1").stdin(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("@saved") && !said.contains("@failed") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "{what}: the writer ended in the middle: {said}");
        }
        if said.contains("@failed") {
            failed += 1;
            assert_eq!(tree::version_of(&target).unwrap(), 7, "{what}");
            assert_eq!(names(&at), [TARGET], "{what}: no temporary is left to fill the disk");
            disk.resize(4 * need);
            child.stdin.take().unwrap().write_all(b"again\n").unwrap();
        }
        lines.read_to_string(&mut said).unwrap();
        let rest = child.wait_with_output().unwrap();
        let mut all = outcomes(&Output { stdout: said.into_bytes(), ..rest });
        assert_eq!(all.pop(), Some(Ok(())), "{what}: with room enough");
        for error in all.into_iter().filter_map(Result::err) {
            let (kind, text) = &error;
            assert_eq!(kind, "Io", "{what}: {text}");
            assert!(text.to_lowercase().contains("no space"), "{what}: the cause is told: {text}");
            assert!(text.contains(TARGET), "{what}: the file is named: {text}");
        }
        assert_eq!(tree::version_of(&target).unwrap(), 8, "{what}");
        succeeded += 1;
        assert_eq!(names(&at), [TARGET], "{what}");
    }
    println!("{failed} of {succeeded} saves found the disk full at first");
    assert!(failed >= 8 && succeeded >= failed + 2, "{failed} {succeeded}");
}

#[test]
fn a_read_only_file_system() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("disk");
    let Some(_disk) = Tmpfs::mount(&at, 4 << 20) else {
        return skip("a read-only file system: only root can mount one");
    };
    let target = at.join(TARGET);
    tree::make(1).to_file(&target).unwrap();
    assert!(run("mount", &["-o", "remount,ro"], &at));
    let e = tree::make(2).to_file(&target).unwrap_err();
    assert_eq!(e.kind(), memh5::ErrorKind::ReadOnly, "{e}");
    assert_eq!(tree::version_of(&target).unwrap(), 1);
}

/// A writer under limits that the shell sets. The signal that a too long file raises is ignored, as a batch system does it.
fn limited(limit: &str, target: &Path, version: u64) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("trap '' XFSZ; {limit}; exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
    describe_writer(&mut command, target, version, Some(1));
    command
}

#[test]
fn a_limit_on_the_size_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join(TARGET);
    // In units of 512 or 1024 bytes, as the shell has it.
    let need = length(dir.path()) / 512;
    let (mut failed, mut succeeded) = (0, 0);
    for limit in [1, 2, 8, need / 8, need / 4, need * 3 / 8, need * 49 / 100, need * 2] {
        tree::make(7).to_file(&target).unwrap();
        let what = format!("ulimit -f {limit}");
        match outcome(&limited(&what, &target, 8).output().unwrap()) {
            Ok(()) => {
                succeeded += 1;
                assert_eq!(tree::version_of(&target).unwrap(), 8, "{what}");
            }
            Err(error) => {
                failed += 1;
                assert_failed_cleanly(&error, &target, 7, &what);
                assert_eq!(error.0, "Io", "{what}: {}", error.1);
            }
        }
        assert_eq!(names(dir.path()), [TARGET], "{what}");
        assert_eq!(outcome(&writer(&target, 9, Some(1)).output().unwrap()), Ok(()), "{what}: without the limit");
    }
    assert!(failed >= 5 && succeeded >= 1, "{failed} {succeeded}");
}

#[test]
fn a_limit_on_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join(TARGET);
    let (mut failed, mut succeeded) = (0, 0);
    for limit in 3..14 {
        tree::make(7).to_file(&target).unwrap();
        let what = format!("ulimit -n {limit}");
        let output = limited(&what, &target, 8).output().unwrap();
        if !String::from_utf8_lossy(&output.stdout).contains("@begin") {
            // Not even the program starts.
            continue;
        }
        match outcome(&output) {
            Ok(()) => {
                succeeded += 1;
                assert_eq!(tree::version_of(&target).unwrap(), 8, "{what}");
            }
            Err(error) => {
                failed += 1;
                assert_failed_cleanly(&error, &target, 7, &what);
            }
        }
        tree::make(9).to_file(&target).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(names(dir.path()), [TARGET], "{what}");
    }
    println!("{failed} saves had too few open files, {succeeded} had enough");
    assert!(failed >= 1 && succeeded >= 1, "{failed} {succeeded}");
}
