//! How fast does an array change its distributed axis? 512 MiB of f64 between axis pairs, under `mpirun`.
//!
//! One line per question: its name, the seconds (best of the slowest rank: other programs on the machine make times longer, never shorter), a note. `peers/redistribute.py` does caput's exchange with mpi4py and
//! numpy, `peers/alltoallw.c` the same with one `MPI_Alltoallw` of subarray types. Each makes the new array anew, as redistribution does.

use memh5::DType;
use memh5::distributed::{CommRef, DistributedArray, Mpi, Number, ReduceOp};
use std::time::Instant;

const REPEATS: usize = 9;

/// Name, shape, from, to.
const QUESTIONS: &[(&str, &[usize], usize, usize)] = &[
    ("redistribute 0->1", &[8192, 8192], 0, 1),
    ("redistribute 1->0", &[8192, 8192], 1, 0),
    ("redistribute 0->2", &[256, 512, 512], 0, 2),
    ("redistribute 0->1 uneven", &[8191, 8193], 0, 1),
    ("redistribute 0->2 uneven", &[257, 509, 513], 0, 2),
    ("redistribute 0->2 short runs", &[65536, 64, 16], 0, 2),
];

fn slowest(comm: &CommRef, seconds: f64) -> memh5::Result<f64> {
    let mut bytes = seconds.to_ne_bytes();
    comm.all_reduce(&mut bytes, Number::F64, ReduceOp::Max)?;
    Ok(f64::from_ne_bytes(bytes))
}

fn main() -> memh5::Result<()> {
    let mpi = Mpi::start()?;
    let comm = mpi.world()?;
    for (question, shape, from, to) in QUESTIONS {
        let mut a = DistributedArray::zeros(DType::F64, *shape, *from, comm.clone())?;
        let start = a.local_bounds().start as f64;
        a.local_view_mut::<f64>()?.iter_mut().enumerate().for_each(|(i, x)| *x = start + i as f64);
        let mut times = Vec::with_capacity(REPEATS);
        for _ in 0..REPEATS {
            comm.barrier()?;
            let begin = Instant::now();
            let b = a.redistribute(*to)?;
            let seconds = slowest(&comm, begin.elapsed().as_secs_f64())?;
            times.push(seconds);
            drop(b);
        }
        times.sort_by(f64::total_cmp);
        if comm.rank() == 0 {
            let mib = (8 * shape.iter().product::<usize>()) >> 20;
            println!("{question}\t{:.6}\t{mib} MiB on {} ranks", times[0], comm.size());
        }
    }
    if comm.rank() == 0 {
        println!("{}", peak());
    }
    Ok(())
}

/// The peak memory of this rank.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    format!(
        "peak memory of a rank\t{:.6}\tGiB, of blocks of 512 MiB over the ranks, old and new",
        kib.unwrap_or(f64::NAN) / f64::from(1 << 20)
    )
}
