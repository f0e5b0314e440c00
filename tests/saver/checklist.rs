//! raygent's own tests, by the numbers of `docs/savers.md`, on every target; and what its tests lack.

use super::targets::{Target, each};
use memh5::saver::*;
use memh5::{AnyArray, DType, ErrorKind};
use ndarray::array;

fn holds(t: &Target, wanted: impl Into<AnyArray>) {
    assert_eq!((t.again)(SaveOptions::new()).load().unwrap(), wanted.into(), "{}", t.name);
}

fn approach(name: &str) -> SaveOptions {
    SaveOptions::from_pairs([("approach", name)]).unwrap()
}

/// 1 and 5: the second save replaces the first, by the same saver and by another one.
#[test]
fn items_1_and_5_overwrite() {
    each(|t| {
        let saver = (t.again)(approach("overwrite"));
        saver.save(vec![1, 2, 3, 4, 5], Indices::NONE, &SaveOptions::new()).unwrap();
        holds(t, vec![1, 2, 3, 4, 5]);
        saver.save(vec![100, 200], Indices::NONE, &SaveOptions::new()).unwrap();
        holds(t, vec![100, 200]);
        (t.again)(approach("overwrite")).save(vec![7], Indices::NONE, &SaveOptions::new()).unwrap();
        holds(t, vec![7]);
    });
}

/// 2 and 4: the second save goes behind the first, and a fresh opening finds both.
#[test]
fn items_2_and_4_append() {
    each(|t| {
        (t.again)(approach("append")).save(vec![1, 2, 3, 4, 5], Indices::NONE, &SaveOptions::new()).unwrap();
        (t.again)(approach("append")).save(vec![6, 7], Indices::NONE, &SaveOptions::new()).unwrap();
        holds(t, vec![1, 2, 3, 4, 5, 6, 7]);
    });
}

/// 3: an unknown approach is an error, here before there is a saver.
#[test]
fn item_3_bad_approach() {
    let e = SaveOptions::from_pairs([("approach", "unknown")]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument);
    assert!(e.to_string().contains("append, overwrite and update"), "{e}");
}

/// 6: places are updated, and the rest stays.
#[test]
fn item_6_update() {
    each(|t| {
        t.saver.overwrite(vec![1, 2, 3, 4, 5]).unwrap();
        (t.again)(approach("update")).save(vec![99, 99], vec![1, 2], &SaveOptions::new()).unwrap();
        holds(t, vec![1, 99, 99, 4, 5]);
    });
}

/// 7: what is not there cannot be updated, with or without indices, and nothing is made.
#[test]
fn item_7_update_of_nothing() {
    each(|t| {
        assert_eq!(t.saver.update(vec![99, 99], vec![1, 2]).unwrap_err().kind(), ErrorKind::NotFound, "{}", t.name);
        assert!(t.saver.save(vec![99, 99], Indices::NONE, &approach("update")).is_err());
        assert_eq!(t.saver.load().unwrap_err().kind(), ErrorKind::NotFound);
    });
}

/// 8: a library that is missing. Each saver is a type of its feature: without it, a program that names the type does not build.
#[test]
fn item_8_a_missing_library_is_a_missing_type() {
    let names: Vec<&str> = super::targets::all(tempfile::tempdir().unwrap().path()).iter().map(|t| t.name).collect();
    assert!(names.starts_with(&["memory", "npy"]));
    assert_eq!(names.contains(&"hdf5"), cfg!(feature = "hdf5"));
    assert_eq!(names.contains(&"zarr"), cfg!(feature = "zarr"));
}

/// What reaches a saver of so many items that come in chunks, saved every so often: the rows after each save.
fn saved(t: &Target, items: &[i64], chunk: usize, interval: usize) -> Vec<usize> {
    let buffer = IntervalBuffer::new((t.again)(SaveOptions::new()), interval).unwrap().capacity(1000);
    let mut lengths = vec![];
    let mut note = || {
        let n = t.saver.load().map_or(0, |a| a.shape()[0]);
        if lengths.last().copied().unwrap_or(0) != n {
            lengths.push(n);
        }
    };
    for part in items.chunks(chunk) {
        buffer.push_rows(part).unwrap();
        note();
    }
    buffer.finish().unwrap();
    note();
    lengths
}

/// 9, 10: ten items in batches of 3 are four saves, the last of one item; in batches of 100 one.
#[test]
fn items_9_and_10_batches() {
    let items: Vec<i64> = (0..10).collect();
    each(|t| {
        assert_eq!(saved(t, &items, 1, 3), [3, 6, 9, 10], "{}", t.name);
        holds(t, items.clone());
    });
    each(|t| {
        assert_eq!(saved(t, &items, 1, 100), [10], "{}", t.name);
        holds(t, items.clone());
    });
}

/// 11: two sequences in lock-step: a result has both, as the fields of a row.
#[test]
fn item_11_two_sequences_in_step() {
    let row = DType::compound([("a", DType::I64), ("b", DType::F64)]).unwrap();
    let result = |i: i64| {
        let bytes = [i.to_ne_bytes(), (i as f64 / 2.0).to_ne_bytes()].concat();
        AnyArray::from_bytes(row.clone(), [], &bytes).unwrap()
    };
    each(|t| {
        let buffer = IntervalBuffer::new((t.again)(SaveOptions::new()), 3).unwrap();
        (0..10).for_each(|i| drop(buffer.push(result(i)).unwrap()));
        buffer.finish().unwrap();
        let all = t.saver.load().unwrap();
        assert_eq!((all.dtype(), all.shape()), (&row, &[10][..]), "{}", t.name);
        for i in 0..10 {
            assert_eq!(all.select(i).unwrap(), result(i));
        }
    });
}

/// A running mean as a computation keeps it, and what it saves: its mean and count, which no saver of raygent's could store.
#[derive(Default)]
struct Mean {
    mean: Option<f64>,
    count: i64,
}

impl Mean {
    fn row() -> DType {
        DType::compound([("mean", DType::F64), ("n", DType::I64)]).unwrap()
    }
    fn merge(&mut self, batch: &[f64]) {
        let (n, sum) = (batch.len() as i64, batch.iter().sum::<f64>());
        self.mean = Some((self.mean.unwrap_or(0.0) * self.count as f64 + sum) / (self.count + n) as f64);
        self.count += n;
    }
    fn to_array(&self) -> Option<AnyArray> {
        let bytes = [self.mean?.to_ne_bytes(), self.count.to_ne_bytes()].concat();
        Some(AnyArray::from_bytes(Self::row(), [1], &bytes).unwrap())
    }
    fn of(saved: &AnyArray) -> (f64, i64) {
        let bytes = saved.as_bytes().unwrap();
        (f64::from_ne_bytes(bytes[..8].try_into().unwrap()), i64::from_ne_bytes(bytes[8..16].try_into().unwrap()))
    }
}

/// 12, 13, 14: of no batch there is no mean, and none is found; of one; of two that are merged: 5 x 10 and 15 x 20 are 17.5 of 20.
#[test]
fn items_12_to_14_means() {
    each(|t| {
        let mut mean = Mean::default();
        assert!(mean.to_array().is_none());
        assert_eq!(t.saver.load().unwrap_err().kind(), ErrorKind::NotFound, "{}", t.name);
        mean.merge(&[10.0; 5]);
        t.saver.overwrite(mean.to_array().unwrap()).unwrap();
        assert_eq!(Mean::of(&t.saver.load().unwrap()), (10.0, 5));
        mean.merge(&[20.0; 15]);
        t.saver.overwrite(mean.to_array().unwrap()).unwrap();
        assert_eq!(Mean::of(&t.saver.load().unwrap()), (17.5, 20));
    });
}

/// 15: four items, chunks of two, interval two: the saver is called, twice.
#[test]
fn item_15_tasks_with_a_saver() {
    each(|t| {
        assert_eq!(saved(t, &[1, 2, 3, 4], 2, 2), [2, 4], "{}", t.name);
        holds(t, vec![1i64, 2, 3, 4]);
    });
}

/// 16: interval two, three results: exactly two saves, and the last one has the mean 3 of 3.
#[test]
fn item_16_periodic_save_and_finish() {
    each(|t| {
        let mut mean = Mean::default();
        let buffer = IntervalBuffer::new((t.again)(SaveOptions::new()), 2).unwrap();
        let mut lengths = vec![];
        for x in [2.0, 3.0, 4.0] {
            mean.merge(&[x]);
            buffer.push_rows(mean.to_array().unwrap()).unwrap();
            lengths.push(t.saver.load().map_or(0, |a| a.shape()[0]));
        }
        buffer.finish().unwrap();
        buffer.finish().unwrap();
        let all = t.saver.load().unwrap();
        lengths.push(all.shape()[0]);
        assert_eq!(lengths, [0, 2, 2, 3], "{}", t.name);
        assert_eq!(Mean::of(&all.select(2..).unwrap()), (3.0, 3));
    });
}

/// 17, 18: chunks of 3, of 100 and of all; results of two workers in the order in which they were submitted.
#[test]
fn items_17_and_18_chunks_and_workers() {
    let items: Vec<i64> = (0..20).collect();
    for chunk in [3, 100, 20] {
        each(|t| {
            saved(t, &items, chunk, 6);
            holds(t, items.clone());
        });
    }
    each(|t| {
        let buffer = IntervalBuffer::new((t.again)(SaveOptions::new()), 4).unwrap().capacity(100);
        std::thread::scope(|scope| {
            for worker in 0..2u64 {
                let buffer = &buffer;
                scope.spawn(move || (0..10).rev().for_each(|k| drop(buffer.push_at(k * 2 + worker, (k * 2 + worker) as i64).unwrap())));
            }
        });
        buffer.finish().unwrap();
        holds(t, items.clone());
    });
}

/// What the references' tests lack: an append makes arrays of any number of axes; a failed one leaves the shape; a failed overwrite the old
/// data; index 0 is an index; the end of nothing saves nothing.
#[test]
fn what_the_references_lack() {
    each(|t| {
        t.saver.append(ndarray::Array4::<f32>::ones((1, 2, 0, 3))).unwrap();
        assert_eq!(t.saver.load().unwrap().shape(), [1, 2, 0, 3], "{}", t.name);
        t.saver.overwrite(ndarray::Array3::<f32>::ones((2, 2, 3))).unwrap();
        t.saver.append(ndarray::Array3::<f32>::zeros((1, 2, 3))).unwrap();
        let before = t.saver.load().unwrap();
        assert_eq!(before.shape(), [3, 2, 3]);
        for bad in [AnyArray::from(array![[1.0f32, 2.0, 3.0]]), AnyArray::from(array![[[0.1]]]), AnyArray::from(1.0f32)] {
            assert_eq!(t.saver.append(&bad).unwrap_err().kind(), ErrorKind::Shape, "{}", t.name);
            holds(t, before.clone());
        }
        assert_eq!(t.saver.append(ndarray::Array3::from_elem((1, 2, 3), 0.1f64)).unwrap_err().kind(), ErrorKind::Dtype);
        assert!(t.saver.overwrite(AnyArray::null(DType::F32)).is_err());
        holds(t, before.clone());
        t.saver.update(7.0f32, 0).unwrap();
        assert_eq!(t.saver.load().unwrap().select((0, 0, 0)).unwrap(), AnyArray::from(7.0f32));
        let after = t.saver.load().unwrap();
        let buffer = IntervalBuffer::new((t.again)(SaveOptions::new()), 2).unwrap();
        buffer.finish().unwrap();
        drop(buffer);
        holds(t, after);
    });
    // An empty end of nothing at all makes nothing.
    each(|t| {
        IntervalBuffer::new((t.again)(SaveOptions::new()), 2).unwrap().finish().unwrap();
        assert_eq!(t.saver.load().unwrap_err().kind(), ErrorKind::NotFound, "{}", t.name);
    });
}

/// A second writer waits for the lock beside the file, up to his time-out, and is told who has it.
#[test]
fn a_second_writer_waits_or_is_told() {
    use std::time::{Duration, Instant};
    let dir = tempfile::tempdir().unwrap();
    let savers: Vec<(std::path::PathBuf, Box<dyn Saver>)> = vec![
        (dir.path().join("x.npy"), Box::new(NumpySaver::new(dir.path().join("x.npy")))),
        #[cfg(feature = "hdf5")]
        (dir.path().join("x.h5"), Box::new(Hdf5Saver::new(dir.path().join("x.h5"), "d"))),
        #[cfg(feature = "zarr")]
        (dir.path().join("x.zarr"), Box::new(ZarrSaver::new(dir.path().join("x.zarr"), "d"))),
    ];
    for (path, saver) in savers {
        saver.append(vec![1]).unwrap();
        let lock = memh5::lock_file(&path).acquire().unwrap();
        let begin = Instant::now();
        let soon = SaveOptions::from_pairs([("timeout", "0.05")]).unwrap();
        for how in ["append", "overwrite", "update"] {
            let indices = if how == "update" { Indices::from(0) } else { Indices::NONE };
            let e = saver.save(vec![2], indices, &approach(how).or(&soon)).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Locked, "{}: {e}", saver.target());
            assert!(e.to_string().contains(&std::process::id().to_string()), "who has it: {e}");
        }
        assert!(begin.elapsed() >= Duration::from_millis(150));
        std::thread::scope(|scope| {
            scope.spawn(|| saver.append(vec![3]).unwrap());
            std::thread::sleep(Duration::from_millis(50));
            lock.rollback().unwrap();
        });
        assert_eq!(saver.load().unwrap(), AnyArray::from(vec![1, 3]), "{}", saver.target());
    }
}

/// In a group of any kind a name may lead to a group, or through a dataset.
#[test]
fn names_that_lead_elsewhere() {
    use memh5::{MemGroup, prelude::*};
    let group = MemGroup::new();
    group.create_group("g").unwrap();
    group.create_dataset("d").write(vec![1]).unwrap();
    for how in ["append", "overwrite", "update"] {
        let indices = || if how == "update" { Indices::from(0) } else { Indices::NONE };
        let kind = |name: &str| MemSaver::new(&group, name).save(vec![2], indices(), &approach(how)).unwrap_err().kind();
        // (To an update nothing is there, behind a dataset as elsewhere.)
        let below = if how == "update" { ErrorKind::NotFound } else { ErrorKind::NotAGroup };
        assert_eq!((kind("g"), kind("d/x"), kind("")), (ErrorKind::NotADataset, below, ErrorKind::InvalidName), "{how}");
    }
    assert_eq!(MemSaver::new(&group, "no").update(1, 0).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(group.dataset("d").unwrap().read::<i32>().unwrap(), ndarray::array![1].into_dyn());
    assert_eq!(group.keys().unwrap(), ["d", "g"]);
}
