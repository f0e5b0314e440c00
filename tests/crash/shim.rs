//! Calls of the HDF5 library that fail: a preloaded library fails the n-th write, sync, truncation or closing of the temporary.

use crate::{TARGET, assert_failed_cleanly, names, outcome, outcomes, skip, tree, writer};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Compiles the shim into the target directory, once.
fn shim() -> Option<&'static Path> {
    static SHIM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let compile = || {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shim/fault_shim.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fault_shim-{}.so", std::process::id()));
        let status = Command::new("cc").args(["-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        match status {
            Ok(status) => {
                assert!(status.success(), "the shim does not compile");
                Some(library)
            }
            Err(_) => None,
        }
    };
    SHIM.get_or_init(compile).as_deref()
}

/// Fails the first, second, ... call until no call is left to fail. Returns how many failed, and how many saves that ended well.
fn fail_each(call: &str, kind: &str, sticky: bool) -> Option<(u64, u64)> {
    let Some(shim) = shim() else {
        skip("failing calls below the HDF5 library: there is no C compiler 'cc'");
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join(TARGET);
    let mark = dir.path().join("mark");
    let mut well = 0;
    for n in 1.. {
        let what = format!("{call} {n} {kind}{}", if sticky { " and all after it" } else { "" });
        tree::make(n).to_file(&target).unwrap();
        let mut command = writer(&target, n + 1, Some(1));
        command
            .env("LD_PRELOAD", shim)
            .env("FAULT_PATH", format!("/.{TARGET}"))
            .env("FAULT_CALL", call)
            .env("FAULT_NTH", n.to_string())
            .env("FAULT_KIND", kind)
            .env("FAULT_MARK", &mark);
        if sticky {
            command.env("FAULT_STICKY", "1");
        }
        // Alone, and with a second try in the same process, which meets no fault.
        let mut all = Vec::new();
        if !sticky && n % 2 == 0 {
            all = outcomes(&command.env("MEMH5_CRASH_RETRY", "1").output().unwrap());
        }
        let retried = all.len() == 2;
        let result = if retried {
            assert_eq!(all.pop(), Some(Ok(())), "{what}: the second try");
            assert_eq!(tree::version_of(&target).unwrap_or_else(|e| panic!("{what}: {e}")), n + 1, "{what}: the second try");
            tree::make(n).to_file(&target).unwrap();
            all.remove(0)
        } else if let Some(only) = all.pop() {
            only
        } else {
            outcome(&command.output().unwrap())
        };
        let met = mark.exists();
        if met {
            std::fs::remove_file(&mark).unwrap();
        }
        match result {
            Ok(()) => {
                well += u64::from(met);
                assert_eq!(
                    tree::version_of(&target).unwrap_or_else(|e| panic!("{what}: {e}")),
                    n + 1,
                    "{what}: success is told for what is there"
                );
            }
            Err(error) => {
                assert!(met, "{what}: an error without a fault: {error:?}");
                assert_failed_cleanly(&error, &target, n, &what);
            }
        }
        assert_eq!(names(dir.path()), [TARGET], "{what}");
        if !met {
            println!("{call} {kind}: {} calls failed in turn, {well} saves went well all the same", n - 1);
            return Some((n - 1, well));
        }
    }
    unreachable!()
}

#[test]
fn every_write_of_the_library_fails_in_turn() {
    for (kind, sticky) in [("eio", false), ("enospc", false), ("enospc", true), ("edquot", true)] {
        let Some((calls, well)) = fail_each("write", kind, sticky) else { return };
        assert!(calls > 10, "only {calls} writes were met");
        assert_eq!(well, 0, "a save went well although a write failed for good");
    }
}

#[test]
fn writes_that_can_be_repeated_are_repeated() {
    for kind in ["short", "eintr"] {
        let Some((calls, well)) = fail_each("write", kind, false) else { return };
        assert!(calls > 10, "only {calls} writes were met");
        assert_eq!(well, calls, "{kind}");
    }
}

#[test]
fn every_sync_fails_in_turn() {
    for (kind, sticky) in [("eio", false), ("enospc", false), ("eio", true)] {
        let Some((calls, well)) = fail_each("sync", kind, sticky) else { return };
        assert!(calls >= 1, "the file is never synced");
        assert_eq!(well, 0, "a save went well although a sync failed");
    }
}

#[test]
fn every_truncation_fails_in_turn() {
    let Some((calls, well)) = fail_each("truncate", "eio", false) else { return };
    assert!(calls == 0 || well < calls);
}

#[test]
fn every_close_fails_in_turn() {
    // Only the library's own close can lose bytes; those of read-only handles say nothing about the content.
    let Some((calls, well)) = fail_each("close", "eio", false) else { return };
    assert!(calls >= 2, "only {calls} closes were met");
    assert!(well < calls, "no failed close was noticed");
}
