//! How fast are Zarr stores, beside zarr-python? Appends of 100 rows x 500 and 100 000 rows x 100 of f64, each side with its defaults, and both with the
//! same chunks and codecs; 256 MiB saved and loaded at once, with the same chunks and codecs.
//!
//! One line per question: its name, the seconds (median, of one whole run), a note. `peers/zarr_stores.py` answers the same questions. `ONLY` in the environment
//! picks questions by a part of their names. The stores lie in `MEMH5_BENCH_DIR`, or in the directory for temporary files; nothing is synced, and what is
//! read is in the page cache.

use memh5::saver::*;
use memh5::{AnyArray, Filter, Result};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const WHOLE: usize = 1 << 25; // f64, 256 MiB
const MIB: usize = 1 << 17; // f64 of a chunk of 1 MiB

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

fn wanted(name: &str) -> bool {
    std::env::var("ONLY").map_or(true, |only| name.contains(&only))
}

fn saver(path: &Path, chunk: Option<usize>, filters: &[Filter]) -> ZarrSaver {
    let options = match chunk {
        Some(chunk) => SaveOptions::new().chunks([chunk]).filters(filters.to_vec()),
        None => SaveOptions::new(),
    };
    ZarrSaver::new(path, "dataset").with_options(options)
}

fn appends(path: &Path, rows: usize, count: usize, what: &str, chunk: Option<usize>, filters: &[Filter]) -> Result<()> {
    let name = format!("append {rows} rows x {count}{what}");
    if !wanted(&name) {
        return Ok(());
    }
    let batch = AnyArray::from((0..rows).map(|i| i as f64 * 0.37).collect::<Vec<_>>());
    let mut whole = Vec::new();
    for _ in 0..3 {
        let _ = std::fs::remove_dir_all(path);
        let saver = saver(path, chunk, filters);
        let begin = Instant::now();
        for _ in 0..count {
            saver.append(&batch)?;
        }
        whole.push(begin.elapsed());
    }
    let _ = std::fs::remove_dir_all(path);
    println!("{name}\t{:.6}\t", median(whole));
    Ok(())
}

fn wholes(path: &Path, data: &AnyArray, what: &str, filters: &[Filter]) -> Result<()> {
    let names = [format!("save 256 MiB{what}"), format!("load 256 MiB{what}")];
    if !names.iter().any(|name| wanted(name)) {
        return Ok(());
    }
    let saver = saver(path, Some(MIB), filters);
    let (mut saves, mut loads) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let _ = std::fs::remove_dir_all(path);
        let begin = Instant::now();
        saver.overwrite(data)?;
        saves.push(begin.elapsed());
        let begin = Instant::now();
        drop(black_box(saver.load()?));
        loads.push(begin.elapsed());
    }
    let _ = std::fs::remove_dir_all(path);
    println!("{}\t{:.6}\t\n{}\t{:.6}\t", names[0], median(saves), names[1], median(loads));
    Ok(())
}

fn main() -> Result<()> {
    let dir = std::env::var_os("MEMH5_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = dir.join(format!("memh5-zarr-{}", std::process::id()));
    for (rows, count) in [(100, 500), (100_000, 100)] {
        appends(&path, rows, count, ", defaults", None, &[])?;
        appends(&path, rows, count, ", chunks of 1 MiB", Some(MIB), &[])?;
        appends(&path, rows, count, ", chunks of a batch, zstd", Some(rows), &[Filter::Zstd(0)])?;
    }
    let data = AnyArray::from((0..WHOLE).map(|i| i as f64).collect::<Vec<_>>());
    wholes(&path, &data, "", &[])?;
    wholes(&path, &data, ", zstd", &[Filter::Zstd(1)])
}
