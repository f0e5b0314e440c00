//! Sessions over several caches, readers beside each other, and files that no reader takes.

use crate::data::everything;
#[cfg(feature = "hdf5")]
use crate::data::{rows, source};
#[cfg(feature = "hdf5")]
use crate::rules::other;
use memh5::ErrorKind::{self, *};
use memh5::prelude::*;
use memh5::stage::*;
use memh5::tree::GroupRef;
use memh5::{AnyArray, DType};

/// A finished stage in memory.
fn cache(version: FormatVersion) -> GroupRef {
    let builder = StageHdf5Writer::builder().file_name("run.h5").format_version(version).in_memory().stage("s");
    let mut writer = builder.build().unwrap();
    writer.write(&everything(0, &[3, 0, 2])).unwrap();
    writer.finalize().unwrap();
    writer.caches()[0].1.clone().unwrap()
}

/// What reading all of a stage comes to.
fn read(root: &GroupRef) -> Result<usize, ErrorKind> {
    let read = || -> memh5::Result<usize> {
        let reader = StageReader::builder().stage("s").of_groups([&**root])?;
        for (key, _) in reader.keys() {
            reader.product(&key)?;
        }
        Ok(reader.len())
    };
    read().map_err(|e| e.kind())
}

/// A change of a stage's group that makes it unreadable.
type Harm = fn(&GroupRef) -> memh5::Result<()>;

fn replace(group: &GroupRef, name: &str, data: AnyArray) -> memh5::Result<()> {
    let attrs = group.dataset(name)?.attrs().items()?;
    group.delete(name)?;
    let made = group.create_dataset(name).write(data)?;
    attrs.iter().try_for_each(|(n, v)| made.attrs().set(n, v))
}

#[test]
fn what_no_reader_takes() {
    let first: [(&str, Harm, ErrorKind); 11] = [
        ("no events", |s| s.delete("events"), Corrupt),
        ("events without fields", |s| replace(s, "events", AnyArray::from(vec![0i64, 1, 2])), Corrupt),
        (
            "events that are numbers by name",
            |s| replace(s, "events", AnyArray::zeros(DType::compound([("tensor", DType::I64)])?, [3])?),
            Corrupt,
        ),
        ("null references", |s| replace(s, "events", AnyArray::zeros(DType::compound([("tensor", DType::RegionRef)])?, [3])?), Corrupt),
        ("references behind the end", |s| s.dataset("tensor")?.resize([2, 4]), Corrupt),
        ("no mark of scalars", |s| s.dataset("loss")?.attrs().delete("scalar").map(drop), Corrupt),
        ("scalars that are none", |s| s.dataset("tensor")?.attrs().set("scalar", true), Corrupt),
        ("a class that is no text", |s| s.dataset("flashes")?.attrs().set("class_name", 5), Corrupt),
        ("objects without a class", |s| s.dataset("flashes")?.attrs().delete("class_name").map(drop), Corrupt),
        ("an index of numbers", |s| replace(s, "clusts/index", AnyArray::from(vec![0i64; 5])), Corrupt),
        ("a jagged list without a column", |s| s.delete("jagged/element_1"), NotFound),
    ];
    let second: [(&str, Harm, ErrorKind); 9] = [
        ("an unknown kind", |s| s.group("products/tensor")?.attrs().set("kind", "cube"), Unsupported),
        ("no kind", |s| s.group("products/tensor")?.attrs().delete("kind").map(drop), Corrupt),
        ("no offsets", |s| s.delete("products/tensor/event_offsets"), NotFound),
        ("offsets that fall", |s| s.dataset("products/tensor/event_offsets")?.write(vec![0i64, 3, 1, 5]), Corrupt),
        ("offsets behind the end", |s| s.dataset("products/tensor/event_offsets")?.write(vec![0i64, 3, 3, 6]), Corrupt),
        ("negative offsets", |s| s.dataset("products/tensor/event_offsets")?.write(vec![-1i64, 3, 3, 5]), Corrupt),
        ("a pool of an unknown kind", |s| s.group("products/flashes/variables/pool_0")?.attrs().set("kind", "cube"), Corrupt),
        ("a pool whose fields are no list", |s| s.group("products/flashes/variables/pool_0")?.attrs().set("fields", "a: 1"), Corrupt),
        ("a pool that is gone", |s| s.delete("products/flashes/variables/pool_0"), NotFound),
    ];
    let all = first.into_iter().map(|c| (FormatVersion::V1, c)).chain(second.into_iter().map(|c| (FormatVersion::V2, c)));
    for (version, (what, harm, kind)) in all {
        let root = cache(version);
        assert_eq!(read(&root), Ok(3), "{what}");
        harm(&root.group("stages/s").unwrap()).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(read(&root), Err(kind), "{what}");
        // What was recorded finds it too, unless it is of no consequence to the elements.
        let damages = check_stages(&*root).unwrap().remove(0).damages;
        let of_attributes = ["no mark", "scalars", "class", "kind", "fields"].iter().any(|w| what.contains(w)) || what == "no kind";
        assert!(of_attributes || what == "objects without a class" || !damages.is_empty(), "{what}");
    }
}

#[test]
fn files_of_both_versions_are_one_axis() {
    let roots = [cache(FormatVersion::V1), cache(FormatVersion::V2)];
    let reader = StageReader::of_groups(roots.iter().map(|r| &**r)).unwrap();
    assert_eq!(reader.len(), 6);
    let (tensor, clusters) = (reader.product("tensor").unwrap(), reader.product("clusts").unwrap());
    for entry in 0..3 {
        assert_eq!(tensor.event(entry).unwrap(), tensor.event(entry + 3).unwrap());
        assert_eq!(clusters.event(entry).unwrap(), clusters.event(entry + 3).unwrap());
        // The fields of version 2 are those of fixed size first.
        let flashes = |entry: usize| reader.get(entry).unwrap().objects::<crate::data::Flash>("flashes").unwrap();
        assert_eq!(flashes(entry), flashes(entry + 3));
    }
}

#[test]
#[cfg(feature = "hdf5")]
fn several_caches_are_overwritten() {
    use crate::safety::{complete, names};
    let dir = tempfile::tempdir().unwrap();
    let begin = |overwrite: bool| {
        let inputs = ["source.root", "other.root"];
        StageHdf5Writer::builder().prefix(inputs).directory(dir.path()).stage("s").overwrite(overwrite).build().unwrap()
    };
    let mixed = |value: f64| Batch::new(2).with_sources(&[source(), other()]).unwrap().with("x", vec![value, value + 1.0]).unwrap();
    let mut writer = begin(false);
    writer.write(&mixed(1.0)).unwrap();
    writer.write_stage("t", &mixed(5.0), &StageOptions::new()).unwrap();
    writer.finalize().unwrap();
    writer.finalize_stage("t").unwrap();
    assert_eq!(names(&dir), ["other_stage.h5", "source_stage.h5"]);
    let mut writer = begin(true);
    // spine removes one of them at once; here each goes when the new one is there.
    for path in ["other_stage.h5", "source_stage.h5"] {
        assert_eq!(complete(&dir.path().join(path)).unwrap(), ["s", "t"]);
    }
    writer.write(&mixed(10.0)).unwrap();
    writer.finalize().unwrap();
    for (path, value) in [("source_stage.h5", 10.0), ("other_stage.h5", 11.0)] {
        let path = dir.path().join(path);
        assert_eq!(complete(&path).unwrap(), ["s"]);
        assert_eq!(StageReader::open([&path]).unwrap().get(0).unwrap().get::<f64>("x").unwrap(), value);
    }
}

#[test]
#[cfg(feature = "hdf5")]
fn readers_do_not_disturb_each_other() {
    use crate::safety::{finish, place};
    let (_dir, path) = place();
    finish(&path, "s", &everything(0, &[3, 0, 5, 1]));
    let check = |reader: &StageReader| {
        for entry in [2usize, 0, 3, 1, 2] {
            let n = [3, 0, 5, 1][entry];
            assert_eq!(reader.get(entry).unwrap().get::<ndarray::ArrayD<f32>>("tensor").unwrap(), rows(entry, n, 4).into_dyn());
        }
    };
    let shared = StageReader::open([&path]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let own = StageReader::open([&path]).unwrap();
                for _ in 0..10 {
                    check(&own);
                    check(&shared);
                    own.forget();
                }
            });
        }
    });
    // A reader in another process, while one is open here.
    let told = std::process::Command::new(env!("CARGO_BIN_EXE_memh5")).arg("stages").arg(&path).output().unwrap();
    assert!(told.status.success() && String::from_utf8_lossy(&told.stdout).contains("complete"), "{told:?}");
    check(&shared);
}
