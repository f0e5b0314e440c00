//! `memh5 dump` prints what the reference program prints, and a copy prints what its source prints.
//!
//! Needs a Python with h5py (`MEMH5_PYTHON`), the reference program (`MEMH5_DUMP_REFERENCE`) and the sample files (`MEMH5_SAMPLES`); what is
//! not there is skipped, and said so.
#![cfg(all(feature = "hdf5", feature = "cli"))]

use memh5::copy::deep_group_copy;
use memh5::tree::{DumpOptions, Mode, dump};
use memh5::{MemGroup, format};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

/// Held while this process has an HDF5 file open, and while it starts another process: that one would inherit the open file and its lock.
static HDF5: Mutex<()> = Mutex::new(());

fn spawned(command: &mut Command) -> Output {
    let alone = HDF5.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(alone);
    child.wait_with_output().unwrap()
}

fn place(variable: &str, default: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(default), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there (set {variable})", path.display());
    None
}

fn python() -> Option<PathBuf> {
    place("MEMH5_PYTHON", "target/venv/light/bin/python")
}

fn reference() -> Option<PathBuf> {
    place("MEMH5_DUMP_REFERENCE", "../shared/tools/dump_reference.py")
}

/// All HDF5 files below a directory.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let (mut files, mut left) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|e| e == "h5" || e == "hdf5") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn samples() -> Vec<PathBuf> {
    let files = place("MEMH5_SAMPLES", "../shared/samples").map(|d| files_below(&d)).unwrap_or_default();
    assert!(files.is_empty() || files.len() > 10, "the directory of samples holds few files: {files:?}");
    files
}

/// The files of `dump/torture.py`, and the directory that holds them.
fn torture() -> Option<(tempfile::TempDir, Vec<PathBuf>)> {
    let python = python()?;
    let directory = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dump/torture.py");
    let output = spawned(Command::new(python).arg(script).arg(directory.path()));
    assert!(output.status.success(), "torture.py failed: {}", String::from_utf8_lossy(&output.stderr));
    let files = files_below(directory.path());
    assert!(files.len() > 8);
    Some((directory, files))
}

fn memh5(args: &[&str], file: &Path) -> String {
    let output = spawned(Command::new(env!("CARGO_BIN_EXE_memh5")).args(args).arg(file));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "memh5 {args:?} {}: {error}", file.display());
    String::from_utf8(output.stdout).unwrap()
}

/// True if the linked HDF5 library is older than the file: it says so, and cannot do more.
fn is_too_new(file: &Path) -> bool {
    let output = spawned(Command::new(env!("CARGO_BIN_EXE_memh5")).args(["verify", "--quiet"]).arg(file));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let too_new = !output.status.success() && text.contains("later HDF5 than this build has");
    if too_new {
        eprintln!("SKIPPED: {} needs a later HDF5 library than this build has", file.display());
    }
    too_new
}

fn reference_dump(python: &Path, script: &Path, args: &[&str], file: &Path) -> String {
    let output = spawned(Command::new(python).arg(script).arg(file).args(args));
    assert!(output.status.success(), "the reference fails on {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Both texts hold the same lines, to the byte.
fn assert_lines(ours: &str, theirs: &str, what: &str) {
    for (k, (a, b)) in ours.lines().zip(theirs.lines()).enumerate() {
        assert!(a == b, "{what}: line {} differs\nours:   {a}\ntheirs: {b}", k + 1);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{what}: another number of lines");
}

fn library_dump(group: &dyn memh5::tree::Group) -> String {
    let mut lines = Vec::new();
    dump(group, &DumpOptions::default(), &mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn compare_with_reference(files: &[PathBuf]) {
    let (Some(python), Some(script)) = (python(), reference()) else { return };
    // h5py cannot read the first as it is; this build's library may not know the other kind.
    let comparable: Vec<&PathBuf> = files.iter().filter(|f| !f.ends_with("beyond.h5") && !is_too_new(f)).collect();
    for file in &comparable {
        let theirs = reference_dump(&python, &script, &["--layout"], file);
        assert_lines(&memh5(&["dump", "--layout"], file), &theirs, &format!("{} --layout", file.display()));
    }
    if let Some(file) = comparable.first() {
        let theirs = reference_dump(&python, &script, &[], file);
        assert_lines(&memh5(&["dump"], file), &theirs, &file.display().to_string());
    }
}

/// The dump of a copy is that of its source: by the tool, through memory, and by the library.
fn compare_copies(files: &[PathBuf]) {
    let directory = tempfile::tempdir().unwrap();
    let peers = python().zip(reference());
    for file in files.iter().filter(|file| !is_too_new(file)) {
        let what = file.display().to_string();
        let before = memh5(&["dump"], file);
        assert_lines(&memh5(&["dump", "--via-memory"], file), &before, &format!("{what} in memory"));
        let copy = directory.path().join("copy.h5");
        let target = copy.to_str().unwrap();
        let output = spawned(Command::new(env!("CARGO_BIN_EXE_memh5")).arg("copy").arg(file).args([target, "--overwrite"]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "copy of {what}: {said}");
        assert_lines(&memh5(&["dump"], &copy), &before, &format!("{what} copied"));
        if let Some((python, script)) = &peers
            && !file.ends_with("beyond.h5")
        {
            let theirs = reference_dump(python, script, &["--layout"], &copy);
            assert_lines(&memh5(&["dump", "--layout"], &copy), &theirs, &format!("{what} copied, as h5py reads it"));
        }

        let alone = HDF5.lock().unwrap_or_else(PoisonError::into_inner);
        let source = format::open(file, Mode::Read).unwrap();
        assert_lines(&library_dump(&*source), &before, &format!("{what} by the library"));
        let memory = MemGroup::new();
        deep_group_copy(&*source, &memory).unwrap();
        source.close_tree().unwrap();
        assert_lines(&library_dump(&memory), &before, &format!("{what} in memory by the library"));
        let second = directory.path().join("second.h5");
        let target = format::open(&second, Mode::Truncate).unwrap();
        deep_group_copy(&memory, &*target).unwrap();
        target.close_tree().unwrap();
        drop(alone);
        assert_lines(&memh5(&["dump"], &second), &before, &format!("{what} from memory"));
    }
}

#[test]
fn samples_are_dumped_as_the_reference_does() {
    compare_with_reference(&samples());
}

/// The `.dump` beside each file is what the reference printed for it, so that this needs no Python.
#[test]
fn files_of_caput_are_dumped_as_the_reference_did() {
    let files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/caput"));
    assert_eq!(files.len(), 5);
    for file in &files {
        let theirs = std::fs::read_to_string(file.with_extension("h5.dump")).unwrap();
        assert_lines(&memh5(&["dump", "--layout"], file), &theirs, &file.display().to_string());
    }
    compare_copies(&files);
}

#[test]
fn every_kind_of_content_is_dumped_as_the_reference_does() {
    if let Some((_directory, files)) = torture() {
        compare_with_reference(&files);
    }
}

#[test]
fn copies_of_samples_have_their_lines() {
    compare_copies(&samples());
}

#[test]
fn copies_of_every_kind_of_content_have_its_lines() {
    if let Some((_directory, files)) = torture() {
        let (lost, kept): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|f| f.ends_with("dangling.h5"));
        compare_copies(&kept);
        // A reference to what was deleted cannot be kept, and the copy says so.
        let copy = lost[0].with_file_name("copy of dangling.h5");
        let output = spawned(Command::new(env!("CARGO_BIN_EXE_memh5")).arg("copy").arg(&lost[0]).arg(&copy));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.starts_with("memh5: not copied as it was: ") && said.contains("refs"), "{said}");
    }
}
