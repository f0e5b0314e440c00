//! How fast are the savers? 100 rows x 500 and 100 000 rows x 100 of f64 appended; 256 MiB saved and loaded at once.
//!
//! One line per question: its name, the seconds (median, of one whole run), a note. `peers/savers.py` answers the same questions with raygent's
//! savers, or their calls. The lines `ratio` compare with one plain file of the operating system, written and read at once, by turns with ours. The files lie
//! in `MEMH5_BENCH_DIR`, or in the directory for temporary files; nothing is synced, and what is read is in the page cache. `MEMH5_BENCH_SAVERS`: which
//! ones (npy hdf5 zarr).

use memh5::saver::*;
use memh5::{AnyArray, DType, Error, Result};
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const WHOLE: usize = 1 << 25; // f64, 256 MiB

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_dir_all(path);
}

/// So many appends of so many rows to a fresh target; the last tenth beside the first shows growth.
fn appends(name: &str, path: &Path, rows: usize, count: usize, make: impl Fn() -> Box<dyn Saver>) -> Result<()> {
    let batch = AnyArray::from((0..rows).map(|i| i as f64 * 0.37).collect::<Vec<_>>());
    let mut whole = Vec::new();
    let mut ends = (Vec::new(), Vec::new());
    for _ in 0..3 {
        remove(path);
        let saver = make();
        let begin = Instant::now();
        for k in 0..count {
            let start = Instant::now();
            saver.append(&batch)?;
            if k >= 1 && k <= count / 10 {
                ends.0.push(start.elapsed());
            } else if k >= count - count / 10 {
                ends.1.push(start.elapsed());
            }
        }
        whole.push(begin.elapsed());
        drop(saver);
    }
    remove(path);
    let (first, last) = (median(ends.0), median(ends.1));
    println!(
        "{name} append {rows} rows x {count}\t{:.6}\tper call {:.3} ms at first, {:.3} ms at last",
        median(whole),
        first * 1e3,
        last * 1e3
    );
    Ok(())
}

fn time(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}

/// A whole array saved and loaded, by turns with the plain file: each is the first in every other round, for the second gets the pages that the first has made free.
fn whole(name: &str, path: &Path, data: &AnyArray, saver: &dyn Saver) -> Result<()> {
    let (mut save, mut load, mut write, mut read) = (vec![], vec![], vec![], vec![]);
    let plain = path.with_extension("plain");
    let fail = |e| Error::io(e, &plain);
    let bytes = data.as_bytes().unwrap_or_default();
    for round in 0..6 {
        remove(path);
        remove(&plain);
        for which in [round % 2, 1 - round % 2] {
            if which == 0 {
                save.push(time(|| saver.overwrite(data))?);
            } else {
                write.push(time(|| std::fs::File::create(&plain).and_then(|mut f| f.write_all(bytes)).map_err(fail))?);
            }
        }
        for which in [round % 2, 1 - round % 2] {
            if which == 0 {
                load.push(time(|| saver.load().map(|a| drop(black_box(a))))?);
            } else {
                read.push(time(|| {
                    // Into memory of the same kind.
                    let mut out = AnyArray::zeros(DType::U8, [bytes.len()])?;
                    let mut view = out.view_mut::<u8>()?;
                    let to = view.as_slice_mut().unwrap_or_default();
                    std::fs::File::open(&plain).and_then(|mut f| f.read_exact(to)).map_err(fail)?;
                    drop(black_box(out));
                    Ok(())
                })?);
            }
        }
    }
    remove(path);
    remove(&plain);
    let (save, load, write, read) = (median(save), median(load), median(write), median(read));
    println!("{name} save 256 MiB\t{save:.6}\t");
    println!("{name} load 256 MiB\t{load:.6}\t");
    println!("plain write of 256 MiB, beside {name}\t{write:.6}\t");
    println!("plain read of 256 MiB, beside {name}\t{read:.6}\t");
    println!("ratio\t{:.3}\tplain write / {name} save of 256 MiB; 0.9 is wanted of npy and hdf5", write / save);
    println!("ratio\t{:.3}\tplain read / {name} load of 256 MiB; 0.9 is wanted of npy and hdf5", read / load);
    Ok(())
}

fn main() -> Result<()> {
    let dir = std::env::var_os("MEMH5_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = dir.join(format!("memh5-savers-{}", std::process::id()));
    type Make<'a> = Box<dyn Fn() -> Box<dyn Saver> + 'a>;
    let savers: Vec<(&str, Make<'_>)> = vec![
        ("npy", Box::new(|| Box::new(NumpySaver::new(&path)))),
        ("hdf5", Box::new(|| Box::new(Hdf5Saver::new(&path, "dataset")))),
        #[cfg(feature = "zarr")]
        ("zarr", Box::new(|| Box::new(ZarrSaver::new(&path, "dataset")))),
    ];
    let data = AnyArray::from((0..WHOLE).map(|i| i as f64).collect::<Vec<_>>());
    let wanted = std::env::var("MEMH5_BENCH_SAVERS").unwrap_or_default();
    for (name, make) in savers.iter().filter(|(name, _)| wanted.is_empty() || wanted.split(' ').any(|w| w == *name)) {
        appends(name, &path, 100, 500, make)?;
        appends(name, &path, 100_000, 100, make)?;
        whole(name, &path, &data, &*make())?;
    }
    Ok(())
}
