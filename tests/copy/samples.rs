//! Files that other programs wrote: from HDF5 into memory and into a new file, with nothing lost.

use crate::strict::assert_equal;
use memh5::copy::{DeepCopy, deep_group_copy};
use memh5::tree::{DiffOptions, diff};
use memh5::{MemDiskGroup, MemGroup, Mode};
use std::path::{Path, PathBuf};

fn samples() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("MEMH5_SAMPLES").map_or_else(|| here.join("../shared/samples"), PathBuf::from);
    let mut found = Vec::new();
    for dir in [shared.join("caput"), shared.join("spine/h5"), here.join("tests/data/caput")] {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            eprintln!("SKIPPED: there are no samples in {}; set MEMH5_SAMPLES", dir.display());
            continue;
        };
        found.extend(entries.filter_map(|e| e.ok()).map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "h5")));
    }
    found.sort();
    found
}

#[test]
fn samples_go_through_memory_into_new_files() {
    let dir = tempfile::tempdir().unwrap();
    for path in samples() {
        let what = path.display().to_string();
        let file = memh5::format::open(&path, Mode::Read).unwrap_or_else(|e| panic!("{what}: {e}"));
        let memory = MemGroup::new();
        let report = deep_group_copy(&*file, &memory).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(report.is_lossless(), "{what}: {report}");
        assert_equal(&*file, &memory, &format!("{what} into memory"));
        let new = dir.path().join("new.h5");
        memory.to_file(&new).unwrap_or_else(|e| panic!("{what}: {e}"));
        let back = memh5::format::open(&new, Mode::Read).unwrap();
        assert_equal(&*file, &*back, &format!("{what} into a new file"));
        assert!(diff(&*file, &*back, &DiffOptions::default().layout(true)).unwrap().is_equal(), "{what}");
        back.close_tree().unwrap();
        // And straight from file to file, in pieces.
        let direct = memh5::format::create(dir.path().join("direct.h5"), &file.group_spec().unwrap()).unwrap();
        DeepCopy::new().slab_bytes(4096).run(&*file, &*direct).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_equal(&*file, &*direct, &format!("{what} from file to file"));
        direct.close_tree().unwrap();
        std::fs::remove_file(dir.path().join("direct.h5")).unwrap();
        file.close_tree().unwrap();
    }
}

#[test]
fn containers_of_caput_open_as_what_they_are() {
    for path in samples().iter().filter(|p| p.ends_with("memdiskgroup.h5") || p.ends_with("container.h5")) {
        for ondisk in [false, true] {
            let group = MemDiskGroup::from_file(path, ondisk).unwrap();
            let tag = group.type_tag().unwrap().unwrap();
            assert!(tag.starts_with("caput.") || tag.contains('.'), "{tag}");
            assert_eq!(group.ondisk(), ondisk);
        }
    }
}
