//! `lock_file`: exclusion, publication, and what remains when anything fails.

use memh5::publish::{
    Durability, Fault, FaultFileSystem, File, FileInfo, FileSystem, LockFile, OpenMode, Operation, OsFileSystem, lock_file, publish_file,
};
use memh5::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| Error::io(e, path))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// This test binary again, in a role of [`child`].
fn spawn(role: &str, target: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env("MEMH5_PUBLISH_ROLE", role)
        .env("MEMH5_PUBLISH_TARGET", target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a line of the child that says the word.
fn wait_for(child: &mut Child, word: &str) {
    let out = BufReader::new(child.stdout.as_mut().unwrap());
    assert!(out.lines().map_while(io::Result::ok).any(|line| line.contains(word)), "the child ended without saying '{word}'");
}

/// Not a test by itself: what a child process does.
#[test]
fn child() {
    let Ok(role) = std::env::var("MEMH5_PUBLISH_ROLE") else { return };
    let target = PathBuf::from(std::env::var_os("MEMH5_PUBLISH_TARGET").unwrap());
    match role.as_str() {
        "hold" => {
            let guard = lock_file(&target).acquire().unwrap();
            fs::write(guard.tmpfile(), "half").unwrap();
            println!("holding");
            // Ends when the parent closes the pipe, or kills it.
            let _ = io::stdin().read(&mut [0]);
        }
        "race" => {
            // One letter says who it is; a byte on stdin starts each round.
            let me = std::env::var("MEMH5_PUBLISH_ME").unwrap();
            let content = me.repeat(20_000);
            println!("ready");
            let mut go = [0];
            while matches!(io::stdin().read(&mut go), Ok(1)) {
                let verdict = match lock_file(&target).acquire() {
                    Ok(guard) => {
                        for part in 0..4 {
                            let file = fs::OpenOptions::new().create(true).append(true).open(guard.tmpfile());
                            file.unwrap().write_all(&content.as_bytes()[part * 5_000..(part + 1) * 5_000]).unwrap();
                            std::thread::sleep(Duration::from_millis(5));
                        }
                        // Holds until all others have tried.
                        println!("won");
                        let _ = io::stdin().read(&mut go);
                        guard.commit().unwrap();
                        "published"
                    }
                    Err(e) if e.kind() == ErrorKind::Locked => "locked",
                    Err(e) => panic!("{e}"),
                };
                println!("{verdict}");
            }
        }
        _ => panic!("no such role"),
    }
}

// The three tests of caput's lock_file (spec, section 12).

#[test]
fn caput_43_lock_new() {
    let dir = dir();
    let target = dir.path().join("file.dat");
    let guard = lock_file(&target).acquire().unwrap();
    assert_eq!(guard.tmpfile(), dir.path().join(".file.dat"));
    assert_eq!(guard.lockfile(), dir.path().join(".file.dat.lock"));
    assert_eq!(guard.target(), target);
    write(guard.tmpfile(), "test").unwrap();
    assert_eq!(names(dir.path()), [".file.dat", ".file.dat.lock"]);
    guard.commit().unwrap();
    assert_eq!(names(dir.path()), ["file.dat"]);
    assert_eq!(read(&target), "test");
}

#[test]
fn caput_44_lock_exception() {
    let dir = dir();
    let target = dir.path().join("file.dat");
    let e = publish_file(&target, |tmp| {
        write(tmp, "test")?;
        Err::<(), _>(Error::new(ErrorKind::Cancelled, "the user's own error"))
    })
    .unwrap_err();
    assert_eq!(e.message(), "the user's own error");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn caput_45_lock_exception_preserve() {
    let dir = dir();
    let target = dir.path().join("file.dat");
    let fail = |text: &'static str| {
        lock_file(&target).preserve(true).publish(move |tmp| {
            write(tmp, text)?;
            Err::<(), _>(Error::new(ErrorKind::Cancelled, "no"))
        })
    };
    fail("first").unwrap_err();
    assert_eq!(names(dir.path()), [".file.dat"]);
    // A second run of the same program replaces it; one that does not preserve does not touch what somebody kept.
    assert_eq!(fail("second").unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(read(&dir.path().join(".file.dat")), "second");
    let e = lock_file(&target).acquire().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}");
    assert!(e.to_string().contains(".file.dat"), "{e}");
    assert_eq!(names(dir.path()), [".file.dat"]);
    lock_file(&target).replace_leftover(true).publish(|tmp| write(tmp, "third")).unwrap();
    assert_eq!(names(dir.path()), ["file.dat"]);
}

// Single promises.

#[test]
fn nothing_written_is_a_clear_error_and_frees_the_lock() {
    let dir = dir();
    let target = dir.path().join("a");
    fs::write(&target, "old").unwrap();
    let e = lock_file(&target).acquire().unwrap().commit().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotFound);
    assert!(e.to_string().contains("nothing was written") && e.to_string().contains("tmpfile()"), "{e}");
    assert_eq!(names(dir.path()), ["a"]);
    assert_eq!(read(&target), "old");
}

#[test]
fn a_panic_rolls_back() {
    let dir = dir();
    let target = dir.path().join("a");
    let result = std::panic::catch_unwind(|| {
        publish_file(&target, |tmp| -> Result<()> {
            write(tmp, "x")?;
            panic!("of the user");
        })
    });
    assert!(result.is_err());
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn what_does_not_verify_is_not_published() {
    let dir = dir();
    let target = dir.path().join("a");
    fs::write(&target, "old").unwrap();
    let verify = |tmp: &Path| match read(tmp).as_str() {
        "good" => Ok(()),
        other => Err(Error::new(ErrorKind::Corrupt, format!("'{other}' is not good"))),
    };
    let e = lock_file(&target).publish_verified(|tmp| write(tmp, "bad"), verify).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt);
    assert_eq!((names(dir.path()), read(&target)), (vec!["a".to_owned()], "old".to_owned()));
    lock_file(&target).publish_verified(|tmp| write(tmp, "good"), verify).unwrap();
    assert_eq!(read(&target), "good");
}

#[test]
fn threads_and_openings_of_one_process_exclude_each_other() {
    let dir = dir();
    let target = dir.path().join("a");
    let guard = lock_file(&target).acquire().unwrap();
    let e = lock_file(&target).acquire().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Locked);
    let text = e.to_string();
    assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
    assert!(text.contains("publish-") && text.contains("on host"), "the program and the host are named: {text}");
    // The one that was refused took nothing away.
    assert!(guard.lockfile().exists());
    drop(guard);
    drop(lock_file(&target).acquire().unwrap());
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_timeout_waits_for_the_holder() {
    let dir = dir();
    let target = dir.path().join("a");
    let guard = lock_file(&target).acquire().unwrap();
    let begin = Instant::now();
    let e = lock_file(&target).timeout(Duration::from_millis(120)).acquire().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Locked);
    assert!(begin.elapsed() >= Duration::from_millis(120));
    std::thread::scope(|s| {
        let waiter = s.spawn(|| lock_file(&target).timeout(Duration::MAX).publish(|tmp| write(tmp, "second")));
        std::thread::sleep(Duration::from_millis(60));
        write(guard.tmpfile(), "first").unwrap();
        guard.commit().unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert_eq!((names(dir.path()), read(&target)), (vec!["a".to_owned()], "second".to_owned()));
}

#[test]
fn a_lock_that_somebody_took_away_is_noticed() {
    let dir = dir();
    let target = dir.path().join("a");
    let first = lock_file(&target).acquire().unwrap();
    write(first.tmpfile(), "first").unwrap();
    fs::remove_file(first.lockfile()).unwrap();
    let second = lock_file(&target).replace_leftover(true).acquire().unwrap();
    write(second.tmpfile(), "second").unwrap();
    let e = first.commit().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Locked, "{e}");
    assert!(second.lockfile().exists() && second.tmpfile().exists(), "the loser touches nothing of the winner");
    second.commit().unwrap();
    assert_eq!((names(dir.path()), read(&target)), (vec!["a".to_owned()], "second".to_owned()));
}

#[test]
fn a_file_of_somebody_else_is_not_taken_for_a_leftover() {
    let dir = dir();
    // As if "config" were to be published in a home directory.
    fs::create_dir(dir.path().join(".config")).unwrap();
    fs::write(dir.path().join(".config/settings"), "precious").unwrap();
    for preserve in [false, true] {
        let e = lock_file(dir.path().join("config")).preserve(preserve).acquire().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}");
    }
    assert_eq!(read(&dir.path().join(".config/settings")), "precious");
    // The lock of "x" has the name of the temporary of "x.lock".
    let outer = lock_file(dir.path().join("x")).acquire().unwrap();
    assert_eq!(lock_file(dir.path().join("x.lock")).acquire().unwrap_err().kind(), ErrorKind::AlreadyExists);
    write(outer.tmpfile(), "x").unwrap();
    outer.commit().unwrap();
    let outer = lock_file(dir.path().join("x.lock")).acquire().unwrap();
    write(outer.tmpfile(), "data, not a lock").unwrap();
    let e = lock_file(dir.path().join("x")).acquire().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}");
    assert_eq!(read(outer.tmpfile()), "data, not a lock");
    outer.commit().unwrap();
    assert_eq!(names(dir.path()), [".config", "x", "x.lock"]);
}

#[test]
fn odd_targets() {
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    let kind = |path: &Path| {
        let e = publish_file(path, |tmp| write(tmp, "x")).unwrap_err();
        assert!(e.file().is_some() || path.file_name().is_none(), "the file is named: {e}");
        (e.kind(), e.to_string())
    };
    // A directory that is not there, or is a file.
    let (k, text) = kind(&at("missing/a"));
    assert_eq!(k, ErrorKind::NotFound);
    assert!(text.contains("missing") && text.contains("create it first"), "{text}");
    fs::write(at("file"), "f").unwrap();
    let (k, text) = kind(&at("file/a"));
    assert_eq!(k, ErrorKind::Io);
    assert!(text.contains("is not a directory"), "{text}");
    // The target is a directory: refused before the work.
    fs::create_dir(at("d")).unwrap();
    let e = publish_file(at("d"), |_| -> Result<()> { panic!("must not be called") }).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists);
    assert!(e.to_string().contains("directory"), "{e}");
    // With the guard, that shows at commit.
    let guard = lock_file(at("d")).acquire().unwrap();
    write(guard.tmpfile(), "x").unwrap();
    assert_eq!(guard.commit().unwrap_err().kind(), ErrorKind::AlreadyExists);
    // No name, and names with a NUL.
    for path in ["", "/", "..", "."] {
        assert_eq!(kind(Path::new(path)).0, ErrorKind::InvalidArgument, "{path:?}");
    }
    let (_, text) = kind(&at("a\0b"));
    assert!(text.to_lowercase().contains("nul"), "{text}");
    // Lengths: 249 bytes fit, with '.' and '.lock' it is 255.
    publish_file(at(&"n".repeat(249)), |tmp| write(tmp, "x")).unwrap();
    for length in [250, 254, 255, 256] {
        let (k, text) = kind(&at(&"n".repeat(length)));
        assert_eq!(k, ErrorKind::InvalidArgument, "{length}");
        assert!(text.contains("too long") && text.contains("249"), "{text}");
    }
    fs::remove_file(at(&"n".repeat(249))).unwrap();
    // Nothing of all that is left.
    assert_eq!(names(dir.path()), ["d", "file"]);
    assert_eq!(kind(Path::new("/dev/null")).0, ErrorKind::InvalidArgument);
}

#[test]
fn a_relative_path_survives_a_change_of_directory() {
    // (The path is made absolute at once; the working directory of a test process is not changed here.)
    let guard_path = lock_file("some-name-of-no-file").acquire().map(|g| g.target().to_owned()).unwrap();
    assert!(guard_path.is_absolute());
    assert!(!Path::new(".some-name-of-no-file.lock").exists());
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let dir = dir();
    let target = dir.path().join(OsString::from_vec(vec![b'a', 0xff, b'.', b'h', b'5']));
    publish_file(&target, |tmp| write(tmp, "x")).unwrap();
    assert_eq!(read(&target), "x");
    assert_eq!(names(dir.path()).len(), 1);
}

#[cfg(unix)]
#[test]
fn symbolic_links_lead_to_their_target() {
    use std::os::unix::fs::symlink;
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/data"), "old").unwrap();
    symlink("real/data", at("link")).unwrap();
    symlink("link", at("link2")).unwrap();
    let guard = lock_file(at("link2")).acquire().unwrap();
    assert_eq!(guard.tmpfile(), at("real/.data"));
    // Whoever comes by the real name meets the same lock.
    assert_eq!(lock_file(at("real/data")).acquire().unwrap_err().kind(), ErrorKind::Locked);
    write(guard.tmpfile(), "new").unwrap();
    guard.commit().unwrap();
    assert!(fs::symlink_metadata(at("link2")).unwrap().is_symlink());
    assert_eq!((read(&at("real/data")), read(&at("link2"))), ("new".to_owned(), "new".to_owned()));
    // Dangling: the file is made where the link leads to.
    symlink("real/later", at("dangling")).unwrap();
    publish_file(at("dangling"), |tmp| write(tmp, "x")).unwrap();
    assert_eq!(read(&at("real/later")), "x");
    symlink("nowhere/later", at("lost")).unwrap();
    assert_eq!(publish_file(at("lost"), |tmp| write(tmp, "x")).unwrap_err().kind(), ErrorKind::NotFound);
    // A circle.
    symlink("b", at("a")).unwrap();
    symlink("a", at("b")).unwrap();
    assert_eq!(publish_file(at("a"), |tmp| write(tmp, "x")).unwrap_err().kind(), ErrorKind::InvalidArgument);
    // A link in the place of the temporary is never written through.
    fs::write(at("secret"), "secret").unwrap();
    symlink("secret", at(".t")).unwrap();
    assert_eq!(publish_file(at("t"), |tmp| write(tmp, "x")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    lock_file(at("t")).replace_leftover(true).publish(|tmp| write(tmp, "x")).unwrap();
    assert_eq!(read(&at("secret")), "secret");
    // A link in the place of the lock is not followed either.
    symlink("secret", at(".u.lock")).unwrap();
    assert_eq!(publish_file(at("u"), |tmp| write(tmp, "x")).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(read(&at("secret")), "secret");
}

#[cfg(unix)]
#[test]
fn permissions_of_the_replaced_file_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let dir = dir();
    let at = |name: &str| dir.path().join(name);
    for mode in [0o600, 0o640, 0o444, 0o755] {
        fs::write(at("a"), "old").unwrap();
        fs::set_permissions(at("a"), fs::Permissions::from_mode(mode)).unwrap();
        publish_file(at("a"), |tmp| write(tmp, "new")).unwrap();
        assert_eq!(fs::metadata(at("a")).unwrap().mode() & 0o7777, mode);
        assert_eq!(read(&at("a")), "new");
        fs::remove_file(at("a")).unwrap();
    }
    // A new file has what any new file has.
    fs::write(at("plain"), "").unwrap();
    publish_file(at("b"), |tmp| write(tmp, "new")).unwrap();
    assert_eq!(fs::metadata(at("b")).unwrap().mode(), fs::metadata(at("plain")).unwrap().mode());
    // Root can give files away, and so keeps the owner too.
    if std::os::unix::fs::chown(at("b"), Some(12), Some(34)).is_ok() {
        publish_file(at("b"), |tmp| write(tmp, "newer")).unwrap();
        let m = fs::metadata(at("b")).unwrap();
        assert_eq!((m.uid(), m.gid()), (12, 34));
    } else {
        eprintln!("SKIPPED: only root can test that the owner is kept");
    }
}

// The order of the steps: each barrier is there, and comes before what stands on it.

#[test]
fn the_steps_come_in_their_order() {
    let dir = dir();
    let target = dir.path().join("a");
    let fs_ = FaultFileSystem::new();
    lock_file(&target).file_system(fs_.clone()).publish(|tmp| write(tmp, "x")).unwrap();
    let calls = fs_.calls();
    let at = |operation, name: &str| {
        let path = dir.path().join(name);
        calls.iter().position(|c| c.operation == operation && c.path == path).unwrap_or_else(|| panic!("no {operation:?} of {name}"))
    };
    let steps = [
        at(Operation::Open, ".a.lock"),
        at(Operation::Lock, ".a.lock"),
        at(Operation::Write, ".a.lock"),
        at(Operation::Sync, ".a"),
        at(Operation::Rename, ".a"),
        at(Operation::SyncDir, ""),
        at(Operation::RemoveFile, ".a.lock"),
    ];
    assert!(steps.is_sorted(), "{steps:?} in {calls:#?}");
    // Without durability there is no sync, and the same order.
    let fs_ = FaultFileSystem::new();
    lock_file(&target).file_system(fs_.clone()).durability(Durability::Process).publish(|tmp| write(tmp, "x")).unwrap();
    assert_eq!(fs_.count(Some(Operation::Sync)) + fs_.count(Some(Operation::SyncDir)), 0);
    // A directory: all in it, then itself.
    let fs_ = FaultFileSystem::new();
    let tree = dir.path().join("tree");
    lock_file(&tree).directory().file_system(fs_.clone()).publish(|tmp| write_tree(tmp, "x")).unwrap();
    let synced: Vec<_> =
        fs_.calls().into_iter().filter(|c| matches!(c.operation, Operation::Sync | Operation::SyncDir)).map(|c| c.path).collect();
    let t = dir.path().join(".tree");
    let (files, directories) = synced.split_at(2);
    assert!(files.contains(&t.join("one")) && files.contains(&t.join("sub/two")), "{synced:?}");
    assert_eq!(directories, [t.join("sub"), t.clone(), dir.path().to_owned()]);
}

fn write_tree(path: &Path, text: &str) -> Result<()> {
    let io = |e| Error::io(e, path);
    fs::create_dir(path).map_err(io)?;
    fs::create_dir(path.join("sub")).map_err(io)?;
    write(&path.join("one"), text)?;
    write(&path.join("sub/two"), text)
}

// Faults: every call fails in turn.

const FAULTS: [Fault; 7] = [Fault::Io, Fault::NoSpace, Fault::FillsUp, Fault::Interrupted, Fault::Short, Fault::Denied, Fault::Crash];

/// What is at the target: "old", "new", or nothing; a directory must be whole.
fn content(target: &Path) -> Option<String> {
    if target.is_dir() {
        let (one, two) = (read(&target.join("one")), read(&target.join("sub/two")));
        assert_eq!(one, two, "a directory of two publications");
        return Some(one);
    }
    fs::read_to_string(target).ok()
}

/// Runs a publication again and again with the n-th call failing, until the fault is met no more. Returns the number of runs.
fn fail_each_call(directory: bool, exchange: bool, old: bool, commits: bool, fault: Fault) -> usize {
    let make = |path: &Path, text: &str| if directory { write_tree(path, text) } else { write(path, text) };
    let options = |target: &Path| if directory { lock_file(target).directory() } else { lock_file(target) };
    for n in 1.. {
        let dir = dir();
        let target = dir.path().join("t");
        if old {
            make(&target, "old").unwrap();
        }
        let before = content(&target);
        let faulty = FaultFileSystem::new();
        if !exchange {
            for _ in 0..4 {
                faulty.fail(Operation::Exchange, 1, Fault::Unsupported);
            }
        }
        faulty.fail_call(n, fault);
        let what = format!("call {n}, {fault:?}, directory {directory}, exchange {exchange}, old {old}, commits {commits}");
        let result = options(&target).file_system(faulty.clone()).publish(|tmp| {
            make(tmp, "new")?;
            if commits { Ok(()) } else { Err(Error::new(ErrorKind::Cancelled, "the user's own error")) }
        });
        let met = faulty.calls().iter().any(|c| c.failed && (exchange || c.operation != Operation::Exchange));
        let after = content(&target);
        let error = result.as_ref().err().map(Error::to_string);
        if error.is_none() {
            assert_eq!(after.as_deref(), Some("new"), "{what}: success is reported for what is on the disk");
        } else if !commits {
            assert_eq!(after, before, "{what}");
        } else {
            assert!(met, "{what}: an error without a fault: {result:?}");
            // Between two renames of directories that cannot be exchanged a crash leaves the name free; see below.
            let between = directory && !exchange && after.is_none();
            assert!(after == before || after.as_deref() == Some("new") || between, "{what}: {after:?}");
            let said = error.is_some_and(|e| e.contains("was published") || e.contains("is in place"));
            assert!(!said || after.as_deref() == Some("new"), "{what}: it says that the new content is there");
            assert!(said || fault == Fault::Crash || after == before || !exchange, "{what}: it does not say that the new content is there");
        }
        if !commits
            && let Err(e) = &result
            && e.kind() != ErrorKind::Cancelled
        {
            assert!(faulty.calls().iter().any(|c| c.failed), "{what}: {e}");
        }
        let needed = [Operation::Sync, Operation::SyncDir, Operation::Rename, Operation::Lock, Operation::SetPermissions];
        let repeated = matches!(fault, Fault::Interrupted | Fault::Short);
        if commits && !repeated && faulty.calls().iter().any(|c| c.failed && needed.contains(&c.operation)) {
            assert!(result.is_err(), "{what}: success, although a step failed that cannot be done without");
        }
        if matches!(fault, Fault::Interrupted | Fault::Short) && commits {
            assert!(result.is_ok(), "{what}: what can be repeated is repeated: {result:?}");
        }
        // The next writer needs no cleaning by hand, and leaves nothing behind.
        let guard = options(&target).acquire().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(!guard.tmpfile().exists(), "{what}");
        let recovered = content(&target);
        assert!(recovered == before || recovered.as_deref() == Some("new"), "{what}: {recovered:?}");
        make(guard.tmpfile(), "newer").unwrap();
        guard.commit().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(content(&target).as_deref(), Some("newer"), "{what}");
        assert_eq!(names(dir.path()), ["t"], "{what}");
        if !met {
            return n as usize;
        }
    }
    unreachable!()
}

#[test]
fn every_call_of_a_file_publication_fails_in_turn() {
    for fault in FAULTS {
        for (old, commits) in [(true, true), (false, true), (true, false), (false, false)] {
            let runs = fail_each_call(false, true, old, commits, fault);
            assert!(runs > if commits { 14 } else { 8 }, "{fault:?}: only {runs} runs");
        }
    }
}

#[test]
fn every_call_of_a_directory_publication_fails_in_turn() {
    for fault in FAULTS {
        for (exchange, old) in [(true, true), (true, false), (false, true)] {
            assert!(fail_each_call(true, exchange, old, true, fault) > 20);
        }
        fail_each_call(true, true, true, false, fault);
    }
}

#[test]
fn pairs_of_faults() {
    // The second fault hits the clean-up after the first.
    for (first, second) in (1..24).flat_map(|a| (1..12).map(move |b| (a, b))) {
        let dir = dir();
        let target = dir.path().join("t");
        fs::write(&target, "old").unwrap();
        let faulty = FaultFileSystem::new();
        faulty.fail_call(first, Fault::Io);
        faulty.fail_call(first + second, Fault::NoSpace);
        let result = lock_file(&target).file_system(faulty.clone()).publish(|tmp| write(tmp, "new"));
        let after = read(&target);
        assert!(after == "new" || (after == "old" && result.is_err()), "{first} {second}");
        publish_file(&target, |tmp| write(tmp, "newer")).unwrap_or_else(|e| panic!("{first} {second}: {e}"));
        assert_eq!(names(dir.path()), ["t"]);
    }
}

#[test]
fn a_file_system_without_locks_is_refused() {
    let dir = dir();
    let faulty = FaultFileSystem::new();
    faulty.fail(Operation::Lock, 1, Fault::Unsupported);
    let e = lock_file(dir.path().join("a")).file_system(faulty).acquire().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unsupported, "{e}");
    assert_eq!(names(dir.path()), [""; 0]);
}

// Stale locks and dead owners.

#[test]
fn lock_files_that_dead_owners_left() {
    let dir = dir();
    let target = dir.path().join("a");
    let lock = dir.path().join(".a.lock");
    let name =
        |pid: u32, host: &str| format!("memh5 lock\nhost {host}\npid {pid}\nstarted 1\nprogram p\nsince 2026-01-01T00:00:00Z\nend\n");
    let cases = [
        ("empty", String::new()),
        ("part of a name", "memh5 lo".into()),
        ("no end", "memh5 lock\nhost".into()),
        ("zeros, after a power failure", "\0".repeat(60)),
        ("a process that has ended", name(4_000_000, "here")),
        ("our own number, used again", name(std::process::id(), "here")),
        ("another host", name(1, "elsewhere")),
    ];
    for (case, text) in cases {
        fs::write(&lock, &text).unwrap();
        fs::write(dir.path().join(".a"), "rubbish").unwrap();
        publish_file(&target, |tmp| {
            assert!(!tmp.exists(), "{case}");
            write(tmp, case)
        })
        .unwrap_or_else(|e| panic!("{case}: {e}"));
        assert_eq!((names(dir.path()), read(&target).as_str()), (vec!["a".to_owned()], case));
    }
    // A file that is older than an unnamed lock was not made by its owner.
    fs::write(dir.path().join(".a"), "precious").unwrap();
    std::thread::sleep(Duration::from_millis(30));
    fs::write(&lock, "").unwrap();
    assert_eq!(lock_file(&target).acquire().unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(read(&dir.path().join(".a")), "precious");
    fs::remove_file(dir.path().join(".a")).unwrap();
    // A file that is no lock is not touched.
    fs::write(&lock, "my shopping list").unwrap();
    let e = lock_file(&target).acquire().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::AlreadyExists, "{e}");
    assert_eq!(read(&lock), "my shopping list");
    fs::remove_file(&lock).unwrap();
    // Nor is a directory.
    fs::create_dir(&lock).unwrap();
    assert_eq!(lock_file(&target).acquire().unwrap_err().kind(), ErrorKind::AlreadyExists);
    // A lock in the future is a lock of a dead owner all the same.
    fs::remove_dir(&lock).unwrap();
    fs::write(&lock, name(1, "here")).unwrap();
    let future = std::time::SystemTime::now() + Duration::from_secs(1_000_000);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(future).unwrap();
    publish_file(&target, |tmp| write(tmp, "x")).unwrap();
}

/// A process that is being started has the descriptors of its parent, locks and all, until its program runs.
#[test]
fn children_that_are_being_started_hold_no_lock() {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("/nowhere/no-such-program").env("A", "b").spawn().unwrap_err();
                }
            });
        }
        let end = Instant::now() + Duration::from_millis(1500);
        let tries = (0..).take_while(|_| Instant::now() < end).try_for_each(|n| {
            let dir = dir();
            let target = dir.path().join("t");
            let faulty = FaultFileSystem::new();
            faulty.fail(Operation::RemoveFile, 1, Fault::Io);
            // The lock file stays, free to be taken.
            lock_file(&target).file_system(faulty).acquire()?.rollback().unwrap_err();
            assert!(!names(dir.path()).is_empty(), "round {n}");
            lock_file(&target).acquire()?.rollback()
        });
        done.store(true, Ordering::Relaxed);
        tries.unwrap();
    });
}

#[test]
fn a_lock_file_of_another_user_that_died() {
    let dir = dir();
    let target = dir.path().join("a");
    fs::write(dir.path().join(".a.lock"), "memh5 lock\n").unwrap();
    fs::write(dir.path().join(".a"), "rubbish").unwrap();
    // Opening it for writing is denied: the second call to open, after the exclusive one.
    let faulty = FaultFileSystem::new();
    faulty.fail(Operation::Open, 2, Fault::Denied);
    lock_file(&target).file_system(faulty).publish(|tmp| write(tmp, "x")).unwrap();
    assert_eq!((names(dir.path()), read(&target).as_str()), (vec!["a".to_owned()], "x"));
}

#[test]
fn a_killed_holder_blocks_nobody_and_a_living_one_is_never_broken() {
    let dir = dir();
    let target = dir.path().join("a");
    fs::write(&target, "old").unwrap();
    let mut child = spawn("hold", &target);
    wait_for(&mut child, "holding");
    for _ in 0..200 {
        let e = lock_file(&target).acquire().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Locked);
        assert!(e.to_string().contains(&format!("process {}", child.id())), "{e}");
    }
    assert_eq!(names(dir.path()), [".a", ".a.lock", "a"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((names(dir.path()).len(), read(&target).as_str()), (3, "old"), "kill -9 leaves its rubbish, and the target whole");
    let begin = Instant::now();
    publish_file(&target, |tmp| write(tmp, "new")).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(2), "at once");
    assert_eq!((names(dir.path()), read(&target).as_str()), (vec!["a".to_owned()], "new"));
}

#[test]
fn directories_whose_writer_died_between_two_renames() {
    let dir = dir();
    let target = dir.path().join("t");
    write_tree(&dir.path().join(".t.lock.old"), "old").unwrap();
    write_tree(&dir.path().join(".t"), "new").unwrap();
    fs::write(dir.path().join(".t.lock"), "memh5 lock\n").unwrap();
    let guard = lock_file(&target).directory().acquire().unwrap();
    assert_eq!(content(&target).as_deref(), Some("old"), "brought back");
    drop(guard);
    assert_eq!(names(dir.path()), ["t"]);
}

// Races.

/// A file system on which, at the first try of the lock, the lock file is replaced by another.
#[derive(Debug)]
struct Unlinks(OsFileSystem, Arc<AtomicBool>);

#[derive(Debug)]
struct UnlinksFile(Box<dyn File>, PathBuf, Arc<AtomicBool>);

impl File for UnlinksFile {
    fn try_lock(&self) -> io::Result<bool> {
        if !self.2.swap(true, Ordering::SeqCst) {
            fs::remove_file(&self.1)?;
            fs::write(&self.1, "")?;
        }
        self.0.try_lock()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn info(&self) -> io::Result<FileInfo> {
        self.0.info()
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

impl FileSystem for Unlinks {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn File>> {
        Ok(Box::new(UnlinksFile(self.0.open(path, mode)?, path.to_owned(), Arc::clone(&self.1))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        self.0.exchange(a, b)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.remove_file(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.remove_dir_all(path)
    }
    fn read_dir(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.0.read_dir(path)
    }
    fn info(&self, path: &Path) -> io::Result<FileInfo> {
        self.0.info(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.read_link(path)
    }
    fn set_permissions(&self, path: &Path, like: &FileInfo) -> io::Result<()> {
        self.0.set_permissions(path, like)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.sync_dir(path)
    }
}

#[test]
fn the_unlink_race() {
    // We open the lock file; its owner ends and removes it; somebody makes another; we lock the one that has no name any more.
    let dir = dir();
    let target = dir.path().join("a");
    let happened = Arc::new(AtomicBool::new(false));
    let guard = lock_file(&target).file_system(Unlinks(OsFileSystem, Arc::clone(&happened))).acquire().unwrap();
    assert!(happened.load(Ordering::SeqCst));
    assert_eq!(lock_file(&target).acquire().unwrap_err().kind(), ErrorKind::Locked, "the lock that we hold is the one at the path");
    drop(guard);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn threads_that_come_and_go_are_never_two() {
    let dir = dir();
    let target = dir.path().join("a");
    let inside = AtomicUsize::new(0);
    let entered = AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for round in 0..60 {
                    let guard = lock_file(&target).durability(Durability::Process).timeout(Duration::from_secs(30)).acquire().unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two holders");
                    entered.fetch_add(1, Ordering::SeqCst);
                    write(guard.tmpfile(), "x").unwrap();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    if round % 2 == 0 { guard.commit().unwrap() } else { drop(guard) }
                }
            });
        }
    });
    assert_eq!(entered.load(Ordering::SeqCst), 8 * 60);
    assert_eq!(names(dir.path()), ["a"]);
}

#[test]
fn of_eight_processes_exactly_one_wins_each_round() {
    let dir = dir();
    let target = dir.path().join("a");
    let mut children: Vec<_> = (0..8u8)
        .map(|i| {
            let me = char::from(b'a' + i).to_string();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["child", "--exact", "--nocapture", "--test-threads=1"])
                .env("MEMH5_PUBLISH_ROLE", "race")
                .env("MEMH5_PUBLISH_TARGET", &target)
                .env("MEMH5_PUBLISH_ME", &me)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let input = child.stdin.take().unwrap();
            let output = BufReader::new(child.stdout.take().unwrap());
            (child, input, output, me)
        })
        .collect();
    let line_of = |output: &mut BufReader<std::process::ChildStdout>, words: &[&str]| loop {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "a child died");
        if let Some(word) = words.iter().find(|w| line.trim_end().ends_with(**w)) {
            return (*word).to_owned();
        }
    };
    for (_, _, output, _) in &mut children {
        line_of(output, &["ready"]);
    }
    for round in 0..20 {
        for (_, input, _, _) in &mut children {
            input.write_all(b"g").unwrap();
        }
        let verdicts: Vec<_> = children.iter_mut().map(|(_, _, output, _)| line_of(output, &["won", "locked"])).collect();
        let winners: Vec<_> = (0..8).filter(|i| verdicts[*i] == "won").collect();
        assert_eq!(winners.len(), 1, "round {round}: {verdicts:?}");
        let (_, input, output, me) = &mut children[winners[0]];
        input.write_all(b"c").unwrap();
        line_of(output, &["published"]);
        assert_eq!(read(&target), me.repeat(20_000), "round {round}: the bytes of one writer");
        assert_eq!(names(dir.path()), ["a"]);
    }
    for (mut child, input, _, _) in children {
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn readers_during_a_thousand_replacements_see_whole_files() {
    let dir = dir();
    let target = dir.path().join("a");
    // The length depends on the content too.
    let version = |n: usize| format!("{n:08}").repeat(1_000 + n % 7 * 1_000);
    fs::write(&target, version(0)).unwrap();
    let done = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::SeqCst) {
                    let text = read(&target);
                    let n: usize = text[..8].parse().unwrap();
                    assert!(text == version(n), "torn: version {n}");
                    assert!(n >= last, "the old came back");
                    last = n;
                    reads.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for n in 1..=1_000 {
            let options = lock_file(&target).durability(if n % 20 == 0 { Durability::Full } else { Durability::Process });
            options.publish(|tmp| write(tmp, &version(n))).unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(reads.load(Ordering::SeqCst) > 100);
    assert_eq!(names(dir.path()), ["a"]);
}

#[test]
fn guards_are_send() {
    fn check<T: Send + Sync>() {}
    check::<LockFile>();
    check::<FaultFileSystem>();
}
