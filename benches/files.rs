//! How fast are files? Save and load 1 GiB and 10^4 datasets of 100 KiB; read scattered and strided elements.
//!
//! One line per question: its name, the seconds (median), a note. `peers/files.py` answers the same questions with h5py. The files lie
//! in `MEMH5_BENCH_DIR`, or in the directory for temporary files; what is read is in the page cache.

use memh5::format::hdf5::Hdf5File;
use memh5::{AnyArray, Mode, Selection, prelude::*};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const REPEATS: usize = 5;
const LARGE: usize = 1 << 27; // f64
const MANY: usize = 10_000;
const SMALL: usize = 12_800; // f64, 100 KiB
const INDEXED: usize = 10_000_000; // f64
const INDICES: usize = 100_000;

fn measure<R>(question: &str, note: &str, mut work: impl FnMut() -> memh5::Result<R>) -> memh5::Result<()> {
    let mut times: Vec<Duration> = Vec::with_capacity(REPEATS);
    for _ in 0..REPEATS {
        let start = Instant::now();
        let result = work()?;
        times.push(start.elapsed());
        drop(black_box(result));
    }
    times.sort_unstable();
    println!("{question}\t{:.6}\t{note}", times[REPEATS / 2].as_secs_f64());
    Ok(())
}

fn main() -> memh5::Result<()> {
    let dir = std::env::var_os("MEMH5_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = dir.join(format!("memh5-bench-{}.h5", std::process::id()));

    let large = AnyArray::from(vec![1.5f64; LARGE]);
    measure("save 1 GiB", "one contiguous dataset, file closed, no sync", || {
        let file = Hdf5File::open(&path, Mode::Truncate)?;
        file.root()?.create_dataset("d").write(&large)?;
        file.close()
    })?;
    drop(large);
    measure("load 1 GiB", "from the page cache", || Hdf5File::open(&path, Mode::Read)?.root()?.dataset("d")?.read_array())?;

    let small = AnyArray::from(vec![1.5f64; SMALL]);
    measure("save 10^4 datasets", "100 KiB each, no sync", || {
        let file = Hdf5File::open(&path, Mode::Truncate)?;
        let root = file.root()?;
        for i in 0..MANY {
            root.create_dataset(&format!("dataset{i:05}")).write(&small)?;
        }
        drop(root);
        file.close()
    })?;
    measure("load 10^4 datasets", "from the page cache", || {
        let root = Hdf5File::open(&path, Mode::Read)?.root()?;
        root.keys()?.iter().map(|name| root.dataset(name)?.read_array()).collect::<memh5::Result<Vec<_>>>()
    })?;

    let file = Hdf5File::open(&path, Mode::Truncate)?;
    let values = AnyArray::from((0..INDEXED).map(|i| i as f64).collect::<Vec<_>>());
    let dataset = file.root()?.create_dataset("d").write(&values)?;
    let mut indices: Vec<usize> = (0..INDICES).map(|i| i * 99 + i * i % 89).collect();
    indices.dedup();
    measure("read 10^5 indices", "rising, of 10^7 float64", || dataset.read_slice::<AnyArray>(indices.clone()))?;
    let strided: Selection = "::16".parse()?;
    measure("read [::16]", "of 10^7 float64", || dataset.read_slice::<AnyArray>(strided.clone()))?;
    drop(dataset);
    file.close()?;
    let _ = std::fs::remove_file(&path);
    Ok(())
}
