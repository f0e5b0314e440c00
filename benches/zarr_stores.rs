//! How fast are Zarr stores, beside zarr-python? Appends of 100 rows x 500 and 100 000 rows x 100 of f64, each side with its defaults, and both with the
//! same chunks and codecs; 256 MiB saved and loaded at once, with the same chunks and codecs. With Zstandard of two kinds of data: even steps, which become a
//! fourth to an eleventh, and Gaussian noise, of which a twentieth goes.
//!
//! What nobody can beat stands beside it: "libzstd alone" packs and unpacks the same chunks in memory, on as many threads as there are cores (one where a
//! batch is one chunk), with contexts and buffers that are kept, and touches no file.
//!
//! One line per question: its name, the seconds (median, of one whole run), a note. `peers/zarr_stores.py` answers the same questions. `ONLY` in the environment
//! picks questions by a part of their names. The stores lie in `MEMH5_BENCH_DIR`, or in the directory for temporary files; nothing is synced, and what is
//! read is in the page cache.

use memh5::saver::*;
use memh5::{AnyArray, Filter, Result};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zstd::bulk::{Compressor, Decompressor};

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

fn splitmix(n: u64) -> f64 {
    let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Gaussian noise; the peer has the same.
fn noise(count: usize) -> Vec<f64> {
    let tau = 2.0 * std::f64::consts::PI;
    (0..count as u64).map(|i| (-2.0 * (1.0 - splitmix(2 * i)).ln()).sqrt() * (tau * splitmix(2 * i + 1)).cos()).collect()
}

fn steps(count: usize) -> Vec<f64> {
    (0..count).map(|i| i as f64 * 0.37).collect()
}

/// Does the work on all chunks, each thread with contexts and a buffer of its own.
fn by_threads(
    threads: usize,
    chunks: usize,
    work: impl Fn(&mut Compressor<'_>, &mut Decompressor<'_>, &mut Vec<u8>, usize) + Sync,
    level: i32,
) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (mut packer, mut unpacker) = (Compressor::new(level).expect("contexts"), Decompressor::new().expect("contexts"));
                let mut out = Vec::with_capacity(zstd::zstd_safe::compress_bound(8 * MIB));
                loop {
                    let chunk = next.fetch_add(1, Ordering::Relaxed);
                    if chunk >= chunks {
                        break;
                    }
                    work(&mut packer, &mut unpacker, &mut out, chunk);
                }
            });
        }
    });
}

/// The library alone on the chunks of some data: packs them `times` times, then unpacks them.
fn floor(names: [Option<String>; 2], data: &[f64], chunk: usize, times: usize, level: i32) {
    let names = names.map(|name| name.filter(|name| wanted(name)));
    if names.iter().all(Option::is_none) {
        return;
    }
    let bytes: Vec<Vec<u8>> = data.chunks(chunk).map(|part| part.iter().flat_map(|x| x.to_ne_bytes()).collect()).collect();
    let threads = if bytes.len() == 1 { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let packed: Vec<Vec<u8>> =
        bytes.iter().map(|part| Compressor::new(level).and_then(|mut c| c.compress(part)).expect("packed")).collect();
    let (mut packs, mut unpacks) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let begin = Instant::now();
        let work = |packer: &mut Compressor<'_>, _: &mut Decompressor<'_>, out: &mut Vec<u8>, n: usize| {
            packer.compress_to_buffer(&bytes[n % bytes.len()], out).expect("packed");
        };
        by_threads(threads, times * bytes.len(), work, level);
        packs.push(begin.elapsed());
        let begin = Instant::now();
        let work = |_: &mut Compressor<'_>, unpacker: &mut Decompressor<'_>, out: &mut Vec<u8>, n: usize| {
            unpacker.decompress_to_buffer(&packed[n], out).expect("unpacked");
        };
        by_threads(threads, packed.len(), work, level);
        unpacks.push(begin.elapsed());
    }
    let ratio = bytes.iter().map(Vec::len).sum::<usize>() as f64 / packed.iter().map(Vec::len).sum::<usize>() as f64;
    for (name, times) in names.into_iter().zip([packs, unpacks]) {
        if let Some(name) = name {
            println!("libzstd alone: {name}\t{:.6}\tpacked to 1 / {ratio:.1}", median(times));
        }
    }
}

fn appends(path: &Path, batch: &[f64], count: usize, what: &str, chunk: Option<usize>, filters: &[Filter]) -> Result<()> {
    let rows = batch.len();
    let name = format!("append {rows} rows x {count}{what}");
    if !wanted(&name) {
        return Ok(());
    }
    let batch = AnyArray::from(batch.to_vec());
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
        let batch = steps(rows);
        appends(&path, &batch, count, ", defaults", None, &[])?;
        appends(&path, &batch, count, ", chunks of 1 MiB", Some(MIB), &[])?;
        for (what, batch) in [(", chunks of a batch, zstd", batch), (", chunks of a batch, zstd, noise", noise(rows))] {
            appends(&path, &batch, count, what, Some(rows), &[Filter::Zstd(0)])?;
            floor([Some(format!("append {rows} rows x {count}{what}")), None], &batch, rows, count, 0);
        }
    }
    let counting: Vec<f64> = (0..WHOLE).map(|i| i as f64).collect();
    wholes(&path, &AnyArray::from(counting.clone()), "", &[])?;
    for (what, data) in [(", zstd", counting), (", zstd, noise", noise(WHOLE))] {
        floor(["save", "load"].map(|call| Some(format!("{call} 256 MiB{what}"))), &data, MIB, 1, 1);
        wholes(&path, &AnyArray::from(data), what, &[Filter::Zstd(1)])?;
    }
    Ok(())
}
