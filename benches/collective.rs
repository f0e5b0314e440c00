//! How fast do ranks save and load one file together? Beside a C program that makes the same collective `H5Dwrite` and `H5Dread`.
//!
//! usage, under mpirun: `collective FILE ROWS COLUMNS AXIS CHUNK_ROWS CHUNK_COLUMNS GZIP` (chunks 0: contiguous, gzip 0: none), as
//! `peers/collective.c`. Rank 0 prints `save SECONDS` and `load SECONDS`, each the time of the slowest rank, the best of some repeats, and `peak KIB`, the
//! most memory of a rank.
//!
//! A save is the whole of it: the ranks agree, one makes the file, all write, and it takes its name. Nothing is synced to the disk, as in the peer.

use memh5::copy::DeepCopy;
use memh5::distributed::{CommRef, Mpi, Number, ReduceOp};
use memh5::publish::{Durability, lock_file};
use memh5::{DType, Error, ErrorKind, Filter, MemGroup, Result};
use std::path::Path;
use std::time::Instant;

const REPEATS: usize = 3;

/// Smooth numbers with some noise in the low bits: gzip has something to do, and something to gain. The same as in `peers/collective.c`.
fn value(i: u64) -> f64 {
    let x = i.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (i / 64) as f64 + ((x >> 33) & 1023) as f64 / 1024.0
}

fn most(comm: &CommRef, number: f64) -> Result<f64> {
    let mut bytes = number.to_ne_bytes();
    comm.all_reduce(&mut bytes, Number::F64, ReduceOp::Max)?;
    Ok(f64::from_ne_bytes(bytes))
}

/// How long the slowest rank takes.
fn measure<T>(comm: &CommRef, best: &mut f64, work: impl FnOnce() -> Result<T>) -> Result<T> {
    comm.barrier()?;
    let begin = Instant::now();
    let made = work()?;
    *best = most(comm, begin.elapsed().as_secs_f64())?.min(*best);
    Ok(made)
}

/// The peak memory of this rank in KiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.unwrap_or(f64::NAN)
}

fn main() -> Result<()> {
    let mpi = Mpi::start()?;
    let comm = mpi.world()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().skip(1).filter_map(|number| number.parse().ok()).collect();
    let (Some(file), &[rows, columns, axis, chunk_rows, chunk_columns, gzip]) = (arguments.first(), &numbers[..]) else {
        return Err(Error::new(ErrorKind::InvalidArgument, "usage: collective FILE ROWS COLUMNS AXIS CHUNK_ROWS CHUNK_COLUMNS GZIP"));
    };
    let (path, columns) = (Path::new(file), columns as u64);

    let night = MemGroup::distributed(comm.clone());
    let mut vis = night.create_distributed("vis").shape([rows, columns as usize]).axis(axis).dtype(DType::F64);
    if chunk_rows > 0 {
        vis = vis.chunks([chunk_rows, chunk_columns]);
    }
    if gzip > 0 {
        vis = vis.filter(Filter::Gzip(gzip as u8));
    }
    let vis = vis.create()?;
    let start: Vec<u64> = vis.local_offset()?.iter().map(|at| *at as u64).collect();
    let right = |row: usize, column: usize| value((start[0] + row as u64) * columns + start[1] + column as u64);
    vis.with_local_view_mut::<f64, _>(|mut mine| mine.indexed_iter_mut().for_each(|(at, x)| *x = right(at[0], at[1])))?;

    let (mut save, mut load) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..REPEATS {
        if comm.rank() == 0 && path.exists() {
            std::fs::remove_file(path).map_err(|e| Error::io(e, path))?;
        }
        let lock = lock_file(path).durability(Durability::Process);
        measure(&comm, &mut save, || DeepCopy::new().save_with(&night, lock))?;
        let back = measure(&comm, &mut load, || MemGroup::from_file_distributed(path, &comm))?;
        let vis = back.dataset("vis")?.into_distributed()?;
        let wrong = vis.with_local_view::<f64, _>(|mine| mine.indexed_iter().any(|(at, x)| *x != right(at[0], at[1])))?;
        if vis.distributed_axis()? != axis || wrong {
            return Err(Error::new(ErrorKind::Corrupt, format!("rank {} loaded something else than was saved", comm.rank())));
        }
    }
    let peak = most(&comm, peak())?;
    if comm.rank() == 0 {
        println!("save {save:.4}\nload {load:.4}\npeak {peak:.0}");
    }
    Ok(())
}
