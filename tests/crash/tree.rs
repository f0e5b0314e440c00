//! The tree that is saved: every value in it tells the version.

use memh5::prelude::*;
use memh5::tree::{DiffOptions, diff};
use memh5::{Error, ErrorKind, MemGroup, Result};
use std::path::Path;

/// A version of the tree: contiguous, chunked, compressed, strings, attributes; about 300 kB in the file.
pub fn make(version: u64) -> MemGroup {
    let root = MemGroup::new();
    root.attrs().set("version", version).unwrap();
    let numbers = |n: u64, salt: u64| (0..n).map(|i| (version * 1_000_003 + salt * 7919).wrapping_add(i * i)).collect::<Vec<u64>>();
    for part in 0..6 {
        let group = root.create_group(&format!("part{part}/inner")).unwrap();
        group.attrs().set("salt", part).unwrap();
        group.create_dataset("plain").write(numbers(2_500, part)).unwrap();
        group.create_dataset("chunked").chunks([256]).gzip(1).write(numbers(2_500, part + 10)).unwrap();
        let words: Vec<String> = (0..40).map(|i| format!("version {version}, word {i} of part {part}")).collect();
        group.create_dataset("words").write(words).unwrap();
    }
    root
}

/// A tree of two versions, which no save may leave.
pub fn mix(version: u64, other: u64) -> MemGroup {
    let root = make(version);
    let part = root.group("part3/inner").unwrap();
    part.delete("plain").unwrap();
    let foreign = make(other).dataset("part3/inner/plain").unwrap().read::<u64>().unwrap();
    part.create_dataset("plain").write(foreign).unwrap();
    root
}

/// The version in a file, every value of it checked.
pub fn version_of(path: &Path) -> Result<u64> {
    let tree = MemGroup::from_file(path)?;
    let version = tree.attrs().get::<u64>("version")?;
    let report = diff(&tree, &make(version), &DiffOptions::default())?;
    match report.differences.first() {
        None => Ok(version),
        Some(first) => Err(Error::new(ErrorKind::Corrupt, format!("not the whole of version {version}: {first:?}"))),
    }
}
