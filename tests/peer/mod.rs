//! The Python peers: found, run, or skipped loudly.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter that a variable names, else the one of the throw-away environment. `None` if there is none: the test is skipped, and
/// says so past the capture of the test harness. A variable that names nothing is a mistake.
pub fn python(variable: &str, environment: &str) -> Option<PathBuf> {
    if let Some(python) = std::env::var_os(variable) {
        let python = PathBuf::from(python);
        assert!(python.exists(), "{variable} names {}, which is not there; run scripts/venv.sh {environment}", python.display());
        return Some(python);
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/venv/{environment}/bin/python"));
    if python.exists() {
        return Some(python);
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED {test}: no Python peer; run scripts/venv.sh {environment}, or set {variable}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr");
    None
}

/// The h5py of `make test`.
#[allow(dead_code)]
pub fn h5py() -> Option<PathBuf> {
    python("MEMH5_PYTHON", "light")
}

/// A script of tests/interop.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

/// Runs a script; its output, or a panic with all that it said.
#[track_caller]
pub fn run(python: &Path, script: &Path, args: &[&std::ffi::OsStr]) -> String {
    let out = Command::new(python).arg(script).args(args).env("PYTHONDONTWRITEBYTECODE", "1").output().expect("Python runs");
    let (text, errors) = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
    assert!(out.status.success(), "{} {args:?} failed:\n{text}\n{errors}", script.display());
    text
}

/// The shared sample files that end in `.h5`; empty, with a loud word, if they are not there.
#[allow(dead_code)]
pub fn samples() -> Vec<PathBuf> {
    let root =
        std::env::var_os("MEMH5_SAMPLES").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples"), PathBuf::from);
    let mut found = Vec::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "h5") {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        let line = format!("SKIPPED the shared samples: none below {}; set MEMH5_SAMPLES\n", root.display());
        std::io::stderr().write_all(line.as_bytes()).expect("stderr");
    }
    found.sort();
    found
}
