//! Every command of the tool on stores.
#![cfg(all(feature = "hdf5", feature = "cli"))]

use crate::peer;
use memh5::format::{self, zarr::ZarrGroup, zarr::ZarrVersion};
use memh5::prelude::*;
use memh5::{DType, Filter, MemGroup, Mode};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// Runs the tool; exit code, what it printed, what it said.
fn run(args: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_memh5")).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
}

#[track_caller]
fn done(args: &[&str]) -> (String, String) {
    let (code, out, err) = run(args);
    assert_eq!(code, 0, "{args:?}\n{out}{err}");
    (out, err)
}

#[track_caller]
fn refused(args: &[&str], wanted: &str) {
    let (code, out, err) = run(args);
    assert_eq!(code, 2, "{args:?}\n{out}{err}");
    assert!(err.contains(wanted) && err.lines().count() == 1, "{args:?}: {err}");
}

fn sample(path: &Path) {
    let tree = MemGroup::new();
    tree.attrs().set("gain", 0.5f32).unwrap();
    let rows = ndarray::Array2::from_shape_fn((40, 30), |(i, j)| (100 * i + j) as f64);
    tree.create_dataset("g/vis").chunks([8, 10]).maxshape([None, Some(30)]).gzip(1).write(&rows).unwrap();
    tree.create_dataset("names").write(["a", "", "日本"]).unwrap();
    let point = DType::compound([("x", DType::F32), ("n", DType::U8)]).unwrap();
    tree.create_dataset("points").dtype(point).shape([3]).create().unwrap();
    tree.dataset("g/vis").unwrap().attrs().set("units", "K").unwrap();
    tree.to_file(path).unwrap();
}

#[test]
fn every_command_works_on_stores() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (h5, zarr, old, back) = (at("a.h5"), at("a.zarr"), at("old.zarr"), at("back.h5"));
    sample(Path::new(&h5));
    assert_eq!(done(&["copy", &h5, &zarr]), (String::new(), String::new()));
    assert_eq!(done(&["copy", &zarr, &old, "--zarr-format", "2", "--filter", "bitshuffle"]).1, "");
    assert_eq!(done(&["copy", &old, &back, "--filter", "gzip:1"]).1, "");
    let dump = done(&["dump", &h5]).0;
    assert!(dump.lines().count() > 4);
    for store in [&zarr, &old, &back] {
        assert_eq!(done(&["dump", store]).0, dump, "{store}");
        assert_eq!(done(&["dump", store, "--via-memory"]).0, dump, "{store}");
        assert_eq!(run(&["diff", &h5, store]).0, 0, "{store}");
        let name = Path::new(store).file_name().unwrap().to_str().unwrap();
        assert!(done(&["tree", store]).0.contains("vis  <f8 [40 of any, 30]  chunks [8, 10]"), "{store}");
        let shown = done(&["show", store, "g/vis", "--select", "1:3, ::7"]).0;
        assert!(shown.contains("@units = \"K\"") && shown.contains("[200.0, 207.0, 214.0, 221.0, 228.0]"), "{shown}");
        assert!(done(&["verify", store]).0.contains("ok") || run(&["verify", store]).0 == 0);
        let picture = at(&format!("{name}.png"));
        done(&["plot", store, "g/vis", "-o", &picture]);
        assert!(std::fs::metadata(&picture).unwrap().len() > 1000);
    }
    refused(&["stages", &zarr], "no group 'stages'");
    refused(&["copy", &h5, &zarr], "--overwrite");
    done(&["copy", &h5, &zarr, "--overwrite", "--select", "g/vis=0:2"]);
    let (code, out, _) = run(&["diff", &h5, &zarr]);
    assert!(code == 1 && out.contains("g/vis"), "{out}");
    // A damaged store.
    std::fs::write(Path::new(&old).join("names/.zarray"), "{}").unwrap();
    assert_eq!(run(&["verify", &old]).0, 1);
}

#[test]
fn stores_are_made_and_repacked_as_the_switches_say() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (h5, three, two, packed) = (at("a.h5"), at("three.zarr"), at("two.zarr"), at("packed.zarr"));
    sample(Path::new(&h5));
    let version = |path: &str| {
        let root = format::open(path, Mode::Read).unwrap();
        root.as_any().downcast_ref::<ZarrGroup>().unwrap().version()
    };
    done(&["copy", &h5, &three, "--zarr-format", "3"]);
    done(&["copy", &h5, &two, "--zarr-format", "2"]);
    done(&["copy", &h5, &packed, "--shards", "16K", "--crc32c", "--filter", "zstd+fletcher32"]);
    assert_eq!((version(&three), version(&two), version(&packed)), (ZarrVersion::V3, ZarrVersion::V2, ZarrVersion::V3));
    let json = std::fs::read_to_string(Path::new(&packed).join("g/vis/zarr.json")).unwrap();
    assert!(json.contains("sharding_indexed") && json.contains("crc32c") && json.contains("numcodecs.fletcher32"), "{json}");
    let dump = done(&["dump", &h5]).0;
    assert_eq!(done(&["dump", &packed]).0, dump);
    // A store that is repacked keeps its version, unless another one is asked for.
    done(&["repack", &two, "--filter", "zstd:5"]);
    assert_eq!(version(&two), ZarrVersion::V2);
    assert_eq!(done(&["dump", &two]).0, dump);
    let root = format::open(&two, Mode::Read).unwrap();
    assert_eq!(root.dataset("g/vis").unwrap().spec().unwrap().filters, [Filter::Zstd(5)]);
    drop(root);
    done(&["repack", &two, "--zarr-format", "3"]);
    assert_eq!(version(&two), ZarrVersion::V3);
    done(&["repack", &packed]);
    assert_eq!(done(&["dump", &packed]).0, dump);
    refused(&["copy", &h5, &at("x.h5"), "--zarr-format", "2"], ".zarr");
    refused(&["copy", &h5, &at("x.h5"), "--crc32c"], ".zarr");
    refused(&["copy", &h5, &at("x.zarr"), "--zarr-format", "2", "--shards", "1M"], "version 2");
    let (code, _, err) = run(&["copy", &h5, &at("x.zarr"), "--zarr-format", "4"]);
    assert!(code == 2 && err.contains('4'), "{err}");
}

/// There and back by the tool, of every sample: the lines of the dump are the same, but for what the copies have named.
#[test]
fn every_sample_comes_back_but_for_what_is_named() {
    for sample in peer::samples() {
        let name = sample.display().to_string();
        let (code, dump, _) = run(&["dump", &name]);
        if code != 0 {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for version in ["2", "3"] {
            let (there, back) = (at(&format!("{version}.zarr")), at(&format!("{version}.h5")));
            let (_, lost) = done(&["copy", &name, &there, "--zarr-format", version]);
            done(&["copy", &there, &back]);
            let after: HashSet<String> = done(&["dump", &back]).0.lines().map(str::to_owned).collect();
            let stored: HashSet<String> = done(&["dump", &there]).0.lines().map(str::to_owned).collect();
            let named: HashSet<&str> = lost
                .lines()
                .filter_map(|l| l.strip_prefix("memh5: not copied as it was: "))
                .filter_map(|l| l.split_once(": "))
                .map(|(path, _)| path.trim_start_matches('/').split('@').next().unwrap_or_default())
                .collect();
            for line in dump.lines() {
                if after.contains(line) && stored.contains(line) {
                    continue;
                }
                let path = serde_json::from_str::<serde_json::Value>(line).unwrap()["path"].as_str().unwrap().to_owned();
                let path = path.trim_start_matches('/');
                assert!(named.contains(path), "{name} by version {version}: {line}\nis not among what was named:\n{lost}");
            }
        }
    }
}
