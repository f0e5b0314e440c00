//! Distributed arrays on threads: what can be told only where all ranks are in one process. (What runs on any ranks is in `ranks/arrays`.)

use memh5::distributed::{DistributedArray, ThreadComm};
use memh5::{AnyArray, DType, ErrorKind, Result};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Counts what is allocated.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is done by the system's allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), SeqCst) + layout.size(), SeqCst);
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), SeqCst);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The only test of this program that allocates much, so that the peak is its own; the others are small.
#[test]
fn the_memory_of_a_redistribution_is_the_new_array_and_bounded_scratch() {
    const RANKS: usize = 4;
    // What is promised is 64 MiB; what is needed is far less.
    const SCRATCH: usize = 8 << 20;
    // 256 MiB in all: padded or whole-block buffers would show.
    let shape = [32, 1024, 1024];
    let bytes = 8 * shape.iter().product::<usize>();
    for (from, to) in [(0, 1), (0, 2), (2, 1)] {
        let before = std::sync::Mutex::new(0);
        let peaks = ThreadComm::run(RANKS, |comm| {
            let a = DistributedArray::zeros(DType::F64, shape, from, comm.clone())?;
            comm.barrier()?;
            if comm.rank() == 0 {
                let now = NOW.load(SeqCst);
                PEAK.store(now, SeqCst);
                *before.lock().unwrap() = now;
            }
            comm.barrier()?;
            let b = a.redistribute(to)?;
            comm.barrier()?;
            let peak = PEAK.load(SeqCst);
            drop(b);
            comm.barrier()?;
            Ok(peak)
        })
        .unwrap();
        let extra = peaks.iter().max().unwrap() - *before.lock().unwrap();
        assert!(extra >= bytes, "the new array is {bytes} bytes, and {extra} were counted");
        assert!(extra <= bytes + RANKS * SCRATCH, "{} KiB beside the new array of {} MiB", (extra - bytes) >> 10, bytes >> 20);
    }
}

#[test]
fn a_rank_that_never_calls_is_an_error_on_the_others() {
    let results = ThreadComm::run_each(3, |comm| {
        let a = DistributedArray::from_global(&AnyArray::from(vec![1, 2, 3, 4]).reshape(&[2, 2])?, 0, comm.clone())?;
        if comm.rank() == 1 { Ok(()) } else { a.redistribute(1).map(drop) }
    })
    .unwrap();
    for (rank, result) in results.into_iter().enumerate() {
        match rank {
            1 => result.unwrap(),
            _ => assert_eq!(result.unwrap_err().kind(), ErrorKind::Collective),
        }
    }
}

#[test]
fn local_calls_need_no_other_rank() {
    // Only one of three ranks does anything at all.
    let results = ThreadComm::run_each(3, |comm| -> Result<()> {
        if comm.rank() != 1 {
            return Ok(());
        }
        let whole = AnyArray::from((0..12).collect::<Vec<i32>>()).reshape(&[6, 2])?;
        let mut a = DistributedArray::from_global(&whole, 0, comm.clone())?;
        a.clone().local_view_mut::<i32>()?.fill(0);
        assert_eq!(a.global_slice(2)?.local(), &AnyArray::from(vec![4, 5]));
        a.set_global_slice((.., 0), -1)?;
        let b = a.transpose(&[1, 0])?.reshape(&[Some(1), Some(2), None])?;
        let c = b.zip_local(&b, |x: i32, y: i32| x + y)?.map_local(|x: i32| f64::from(x))?.astype(&DType::F32, memh5::Cast::Exact)?;
        assert_eq!(c.sum(1)?.into_distributed()?.local_array(), &AnyArray::from(ndarray::array![[8f32, 12.0]]));
        assert_eq!(format!("{c:?}"), "DistributedArray(<f4 [1, 2, 6], axis 2, rank 1 of 3 has 2..4)");
        c.enumerate(2)?.for_each(drop);
        c.redistribute(2)?;
        Ok(())
    })
    .unwrap();
    results.into_iter().for_each(|result| result.unwrap());
}
