//! Whole saves that are killed, run out of disk, and meet failing calls: the target is the complete old or the complete new content.
//!
//! The test binary runs itself again as the writer, so that the writer can be killed, limited, and given a preloaded library.
#![cfg(all(feature = "hdf5", unix))]

mod full;
mod kill;
mod shim;
mod tree;

use memh5::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The name of the target in its directory.
const TARGET: &str = "t.h5";

/// This test binary as a writer of versions of the tree, from the first on: `rounds` saves, or without end.
fn writer(target: &Path, first: u64, rounds: Option<u64>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    describe_writer(&mut command, target, first, rounds);
    command
}

fn describe_writer(command: &mut Command, target: &Path, first: u64, rounds: Option<u64>) {
    command
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env("MEMH5_CRASH_TARGET", target)
        .env("MEMH5_CRASH_FIRST", first.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(rounds) = rounds {
        command.env("MEMH5_CRASH_ROUNDS", rounds.to_string());
    }
}

/// Not a test by itself: the writer. Says what it begins, and what came of it.
#[test]
fn child() {
    let Some(target) = std::env::var_os("MEMH5_CRASH_TARGET").map(PathBuf::from) else { return };
    let number = |name: &str| std::env::var(name).ok().map(|s| s.parse::<u64>().unwrap());
    let first = number("MEMH5_CRASH_FIRST").unwrap();
    let last = number("MEMH5_CRASH_ROUNDS").map_or(u64::MAX, |n| first + n);
    for version in first..last {
        let tree = tree::make(version);
        println!("@begin {version}");
        for attempt in 0.. {
            match tree.to_file(&target) {
                Ok(_) => println!("@saved {version}"),
                Err(e) => {
                    println!("@failed {:?} {e}", e.kind());
                    // The same process tries again, when it is told to.
                    if attempt == 0 && std::env::var_os("MEMH5_CRASH_RETRY").is_some() {
                        let _ = std::io::stdin().read_line(&mut String::new());
                        continue;
                    }
                }
            }
            break;
        }
    }
}

/// What a save came to: nothing, or an error as the name of its kind and its text.
type Outcome = Result<(), (String, String)>;

/// What the one save of a writer came to.
fn outcome(output: &Output) -> Outcome {
    let all = outcomes(output);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

/// What each try of a writer came to. The writer must have ended as any program ends.
fn outcomes(output: &Output) -> Vec<Outcome> {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the writer did not end well: {:?}\n{out}\n{err}", output.status);
    assert!(!out.contains("panicked") && !err.contains("panicked"), "a panic:\n{out}\n{err}");
    let said = |line: &str| match line.split_once('@')?.1.split_once(' ')? {
        ("saved", _) => Some(Ok(())),
        ("failed", rest) => rest.split_once(' ').map(|(kind, text)| Err((kind.to_owned(), text.to_owned()))),
        _ => None,
    };
    let all: Vec<_> = out.lines().filter_map(said).collect();
    assert!(!all.is_empty(), "the writer ended in the middle:\n{out}\n{err}");
    all
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Checks what a failed save must leave: an error that can be acted on, and the old content.
fn assert_failed_cleanly(error: &(String, String), target: &Path, old: u64, what: &str) {
    let (kind, text) = error;
    assert!(text.contains(TARGET), "{what}: the error names the file: {text}");
    assert_ne!(kind, "Corrupt", "{what}: {text}");
    assert_eq!(tree::version_of(target).unwrap_or_else(|e| panic!("{what}: {e}")), old, "{what}: the old content stays");
}

/// A counted message for what this machine cannot test.
fn skip(what: &str) {
    eprintln!("SKIPPED: {what}");
}

#[test]
fn the_checker_sees_damage() {
    // The harness itself: a mixed, a truncated and an absent file are not taken for a version.
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join(TARGET);
    assert_eq!(tree::version_of(&target).unwrap_err().kind(), ErrorKind::NotFound);
    tree::make(3).to_file(&target).unwrap();
    assert_eq!(tree::version_of(&target).unwrap(), 3);
    tree::mix(3, 4).to_file(&target).unwrap();
    assert!(tree::version_of(&target).is_err());
    tree::make(5).to_file(&target).unwrap();
    let length = std::fs::metadata(&target).unwrap().len();
    std::fs::File::options().write(true).open(&target).unwrap().set_len(length / 2).unwrap();
    let e: Error = tree::version_of(&target).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}");
    // And a damaged file is replaced like any other.
    tree::make(6).to_file(&target).unwrap();
    assert_eq!(tree::version_of(&target).unwrap(), 6);
}
