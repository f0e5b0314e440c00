//! spine as the peer: what its writer made and our tool has copied, its own reader reads as before.
//!
//! spine's environment is large, so this runs with `make interop`; the last result is in docs/interop.md.

mod peer;

use memh5::MemGroup;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lines of spine's reader, without what depends on the name of the file.
fn read(python: &Path, file: &Path, how: &[&str]) -> Vec<Value> {
    let mut args: Vec<&OsStr> = vec![file.as_os_str()];
    args.extend(how.iter().map(OsStr::new));
    let text = peer::run(python, &peer::script("spine_read.py"), &args);
    text.lines().filter(|l| l.starts_with('{')).map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

fn expected(sample: &Path, name: &str) -> Vec<Value> {
    let file = sample.join("../expected").join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
}

#[test]
#[ignore = "needs spine's environment: make interop"]
fn spine_reads_our_copies() {
    let Some(python) = peer::python("MEMH5_SPINE_PYTHON", "spine") else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let samples: Vec<PathBuf> = peer::samples();
    let cases: [(&str, &[&str], &str); 4] = [
        ("stage_full.h5", &["stage", "everything"], "stage_full.everything.jsonl"),
        ("stage_full.h5", &["stage", "graph_spice"], "stage_full.graph_spice.jsonl"),
        ("flat_v1.h5", &["flat"], "flat_v1.jsonl"),
        ("flat_v2.h5", &["flat"], "flat_v2.jsonl"),
    ];
    for (name, how, lines) in cases {
        let Some(sample) = samples.iter().find(|s| s.ends_with(name)) else { panic!("the sample {name} is not there") };
        let wanted = expected(sample.parent().expect("a directory"), lines);
        assert_eq!(read(&python, sample, how), wanted, "spine reads the original {name} as it was recorded");
        // By the tool, through HDF5 alone; and by the library, through memory.
        let (by_tool, by_memory) = (dir.path().join(format!("tool_{name}")), dir.path().join(format!("memory_{name}")));
        let out =
            Command::new(env!("CARGO_BIN_EXE_memh5")).arg("copy").arg(sample).arg(&by_tool).arg("--overwrite").output().expect("the tool");
        assert!(out.status.success(), "memh5 copy: {}", String::from_utf8_lossy(&out.stderr));
        MemGroup::from_file(sample).expect("load").to_file(&by_memory).expect("save");
        for copy in [&by_tool, &by_memory] {
            let got = read(&python, copy, how);
            assert_eq!(got.len(), wanted.len());
            for (got, wanted) in got.iter().zip(&wanted) {
                assert_eq!(got, wanted, "{name}, copied to {}", copy.display());
            }
        }
        println!("{name} {how:?}: {} lines of spine's reader are equal, for the original and two copies", wanted.len());
    }
}
