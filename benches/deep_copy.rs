//! How fast is a deep copy from memory to memory? 1,000 datasets of 1 MiB: shared copy-on-write, forced to be real, and plain memcpy beside it.
//!
//! One line per question: its name, the seconds (median), a note.

use memh5::copy::DeepCopy;
use memh5::{MemGroup, prelude::*};
use std::hint::black_box;
use std::time::{Duration, Instant};

const DATASETS: usize = 1000;
const BYTES: usize = 1 << 20;
const REPEATS: usize = 7;

fn measure<R>(question: &str, note: &str, mut work: impl FnMut() -> R) -> f64 {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            let result = work();
            let time = start.elapsed();
            drop(black_box(result));
            time
        })
        .collect();
    times.sort_unstable();
    let seconds = times[REPEATS / 2].as_secs_f64();
    println!("{question}\t{seconds:.6}\t{note}");
    seconds
}

fn main() {
    let source = MemGroup::new();
    for i in 0..DATASETS {
        let dataset = source.create_dataset(&format!("dataset{i:04}")).write(vec![i as u8; BYTES]).expect("a new dataset");
        dataset.attrs().set("index", i as i64).expect("a new attribute");
    }
    let copy = |force: bool| {
        let target = MemGroup::new();
        DeepCopy::new().force_copy(force).run(&source, &target).expect("a copy");
        target
    };
    let arrays: Vec<Vec<u8>> = (0..DATASETS).map(|i| vec![i as u8; BYTES]).collect();
    let memcpy = measure("memcpy", "1,000 vectors of 1 MiB into new ones", || arrays.clone());
    let shared = measure("deep copy, shared", "1,000 datasets of 1 MiB with an attribute each", || copy(false));
    let forced = measure("deep copy, forced", "the same, every byte copied", || copy(true));
    println!("ratio\t{:.0}\tforced / shared (wanted: 100)", forced / shared);
    println!("ratio\t{:.2}\tmemcpy / forced (wanted: 0.9)", memcpy / forced);
}
