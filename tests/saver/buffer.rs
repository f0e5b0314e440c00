//! The interval buffer.

use super::targets::each;
use memh5::saver::*;
use memh5::{AnyArray, ErrorKind, MemGroup, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A saver that notes its calls, and fails when it is told to.
#[derive(Debug, Default)]
struct Notes {
    calls: Mutex<Vec<(Vec<i64>, Indices)>>,
    failures: AtomicUsize,
    tries: AtomicUsize,
    slow: Duration,
}

impl Saver for Notes {
    fn save_array(&self, data: &AnyArray, indices: &Indices, _: &SaveOptions) -> Result<()> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(self.slow);
        if self.failures.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err(memh5::Error::new(ErrorKind::Io, "disk full"));
        }
        self.calls.lock().unwrap().push((data.to_array().unwrap().iter().copied().collect(), indices.clone()));
        Ok(())
    }
    fn load(&self) -> Result<AnyArray> {
        Ok(AnyArray::from(self.saved()))
    }
    fn target(&self) -> String {
        "notes".into()
    }
}

impl Notes {
    fn saved(&self) -> Vec<i64> {
        self.calls.lock().unwrap().iter().flat_map(|(rows, _)| rows.clone()).collect()
    }
    fn sizes(&self) -> Vec<usize> {
        self.calls.lock().unwrap().iter().map(|(rows, _)| rows.len()).collect()
    }
}

fn buffer(interval: usize) -> (Arc<Notes>, IntervalBuffer<Arc<Notes>>) {
    let notes = Arc::new(Notes::default());
    (Arc::clone(&notes), IntervalBuffer::new(notes, interval).unwrap())
}

/// raygent's test_submit_tasks_with_saver and the sizes of its intervals: every full one, then the rest, never an empty one.
#[test]
fn every_full_interval_is_saved() {
    for (items, chunk, interval, sizes) in [
        (10, 3, 4, vec![4, 4, 2]),
        (10, 10, 3, vec![3, 3, 3, 1]), // raygent: 3 and 7
        (10, 2, 100, vec![10]),
        (10, 5, 5, vec![5, 5]),
        (0, 5, 5, vec![]),
        (100, 100, 10, vec![10; 10]), // raygent: 10 and 90
        (4, 2, 2, vec![2, 2]),
    ] {
        let (notes, buffer) = buffer(interval);
        let all: Vec<i64> = (0..items).collect();
        for chunk in all.chunks(chunk) {
            buffer.push_rows(chunk).unwrap();
        }
        buffer.finish().unwrap();
        buffer.finish().unwrap();
        assert_eq!(notes.sizes(), sizes, "{items} {chunk} {interval}");
        assert_eq!(notes.saved(), all);
        drop(buffer);
        assert_eq!(notes.sizes(), sizes, "nothing is saved twice");
    }
}

/// raygent's test_mean_periodic_save_and_finalize: interval 2, three results, exactly two saves.
#[test]
fn three_results_at_an_interval_of_two() {
    let (notes, buffer) = buffer(2);
    for x in [1i64, 2, 3] {
        buffer.push(x).unwrap();
    }
    assert_eq!((buffer.progress().saved, buffer.progress().pending), (2, 1));
    buffer.finish().unwrap();
    assert_eq!(notes.sizes(), [2, 1]);
}

#[test]
fn results_out_of_order_are_saved_in_order() {
    let (notes, buffer) = buffer(3);
    for i in [5u64, 2, 0, 4, 1, 3, 7] {
        buffer.push_at(i, i as i64).unwrap();
    }
    assert_eq!(notes.saved(), [0, 1, 2, 3, 4, 5]);
    assert_eq!(buffer.push_at(2, 2i64).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(buffer.push_at(7, 2i64).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(buffer.finish().unwrap_err().kind(), ErrorKind::NotFound, "6 is missing");
    buffer.push_at(6, 6i64).unwrap();
    assert_eq!(buffer.finish().unwrap().saved, 8);
    assert_eq!(notes.saved(), [0, 1, 2, 3, 4, 5, 6, 7]);
    buffer.push(8i64).unwrap();
    buffer.finish().unwrap();
    assert_eq!(notes.saved().last(), Some(&8));
}

#[test]
fn updates_carry_their_indices() {
    let group = MemGroup::new();
    let saver = MemSaver::new(&group, "x");
    saver.overwrite(vec![-1i64; 8]).unwrap();
    let buffer = IntervalBuffer::new(saver, 3).unwrap().options(SaveOptions::new().approach(Approach::Update)).unwrap();
    for i in [7u64, 0, 3, 4, 5, 6, 1] {
        buffer.push_at(i, i as i64 * 10).unwrap();
    }
    buffer.finish().unwrap();
    assert_eq!(buffer.saver().load().unwrap(), AnyArray::from(vec![0i64, 10, -1, 30, 40, 50, 60, 70]));
    let (_, other) = self::buffer(3);
    assert!(other.options(SaveOptions::new().approach(Approach::Overwrite)).is_err());
    assert!(IntervalBuffer::new(Notes::default(), 0).is_err());
}

#[test]
fn a_failed_save_keeps_its_rows_and_is_tried_again() {
    let (notes, buffer) = buffer(2);
    let buffer = buffer.capacity(5);
    notes.failures.store(3, Ordering::SeqCst);
    let mut taken = 0i64;
    let mut told = 0;
    while taken < 20 {
        match buffer.push(taken) {
            Ok(p) => {
                taken += 1;
                told += usize::from(p.failed.is_some());
                assert!(p.pending <= 5);
            }
            Err(e) => assert_eq!(e.kind(), ErrorKind::Io),
        }
    }
    assert!(told > 0);
    notes.failures.store(1, Ordering::SeqCst);
    buffer.push_rows(vec![20i64]).unwrap();
    while buffer.finish().is_err() {}
    assert_eq!(notes.saved(), (0..21).collect::<Vec<i64>>());
    // A permanent failure: pushes without room take nothing.
    notes.failures.store(usize::MAX, Ordering::SeqCst);
    let mut held = 0;
    while buffer.push(held).is_ok() {
        held += 1;
        assert!(held < 100, "the memory is bounded");
    }
    assert_eq!((held, buffer.progress().pending), (5, 5));
    assert_eq!(buffer.progress().failed.unwrap().kind(), ErrorKind::Io);
}

#[test]
fn a_gap_does_not_fill_the_memory() {
    let (notes, buffer) = buffer(2);
    let buffer = buffer.capacity(4);
    for i in 1..5u64 {
        buffer.push_at(i, i as i64).unwrap();
    }
    let e = buffer.push_at(5, 5i64).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotAllowed);
    assert!(e.to_string().contains("result 0"), "{e}");
    // The one that is waited for is always taken.
    buffer.push_at(0, 0i64).unwrap();
    assert_eq!(notes.saved(), [0, 1, 2, 3]);
}

#[test]
fn what_is_not_like_the_first_is_refused() {
    let (_, buffer) = buffer(10);
    buffer.push(vec![1i64, 2]).unwrap();
    assert_eq!(buffer.push(vec![1i64]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(buffer.push(1i64).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(buffer.push(vec![1.5, 2.0]).unwrap_err().kind(), ErrorKind::Dtype);
    assert_eq!(buffer.push(AnyArray::null(memh5::DType::I64)).unwrap_err().kind(), ErrorKind::Shape);
    buffer.push(vec![3.0, 4.0]).unwrap();
    assert_eq!(buffer.progress().pending, 2);
}

#[test]
fn a_thread_saves_in_the_background() {
    let notes = Arc::new(Notes { slow: Duration::from_millis(5), ..Notes::default() });
    let buffer = IntervalBuffer::new(Arc::clone(&notes), 4).unwrap().capacity(12).background().unwrap();
    notes.failures.store(2, Ordering::SeqCst);
    let mut i = 0;
    while i < 50i64 {
        match buffer.push(i) {
            Ok(p) => {
                assert!(p.pending <= 12);
                i += 1;
            }
            Err(e) => assert_eq!(e.kind(), ErrorKind::Io),
        }
    }
    while buffer.finish().is_err() {}
    assert_eq!(notes.saved(), (0..50).collect::<Vec<i64>>());
    assert_eq!(buffer.progress().pending, 0);
    // Dropped without finish: what is held is saved all the same.
    buffer.push(50i64).unwrap();
    drop(buffer);
    assert_eq!(notes.saved().len(), 51);
}

#[test]
fn many_threads_into_every_target() {
    each(|t| {
        for background in [false, true] {
            let saver: Arc<dyn Saver> = Arc::from((t.again)(SaveOptions::new()));
            if background {
                saver.overwrite(ndarray::Array2::<f64>::zeros((0, 2))).unwrap();
            }
            let mut buffer = IntervalBuffer::new(saver, 7).unwrap().capacity(1000);
            if background {
                buffer = buffer.background().unwrap();
            }
            std::thread::scope(|scope| {
                for thread in 0..4u64 {
                    let buffer = &buffer;
                    scope.spawn(move || {
                        for k in 0..25 {
                            let i = k * 4 + thread;
                            buffer.push_at(i, vec![i as f64, 0.5]).unwrap();
                        }
                    });
                }
            });
            buffer.finish().unwrap();
            let all = t.saver.load().unwrap();
            let want = ndarray::Array2::from_shape_fn((100, 2), |(i, k)| if k == 0 { i as f64 } else { 0.5 });
            assert_eq!(all, AnyArray::from(want), "{}", t.name);
        }
    });
}
