//! A distributed pipeline: create, compute, redistribute, save; then load on another number of ranks.
//!
//! `cargo run --example distributed` runs it on ranks that are threads, `mpirun -n 4 target/mpi/debug/examples/distributed` on those of MPI.

use memh5::distributed::CommRef;
use memh5::{DType, Filter, MemGroup, Result, prelude::*};
use std::path::Path;

const TIMES: usize = 60;
const FREQUENCIES: usize = 33;

/// What each sample is.
fn sample(time: usize, frequency: usize) -> f64 {
    (time * FREQUENCIES + frequency) as f64
}

/// Makes a night of samples, takes the mean over time away, and saves it. Every rank runs it.
fn observe(comm: &CommRef, path: &Path) -> Result<()> {
    let night = MemGroup::distributed(comm.clone());
    night.attrs().set("telescope", "example")?;
    night.create_dataset("freq").write((0..FREQUENCIES).map(|f| 400.0 + f as f64).collect::<Vec<_>>())?;
    // Each rank observes some of the times.
    let vis = night.create_distributed("vis").shape([TIMES, FREQUENCIES]).axis(0).dtype(DType::F64).filter(Filter::Gzip(1)).create()?;
    let first = vis.local_offset()?[0];
    vis.with_local_view_mut::<f64, _>(|mut mine| {
        mine.indexed_iter_mut().for_each(|(at, value)| *value = sample(first + at[0], at[1]));
    })?;
    // For a mean over all times, each rank takes some of the frequencies instead.
    vis.redistribute(1)?;
    vis.with_local_view_mut::<f64, _>(|mut mine| {
        let means = mine.mean_axis(ndarray::Axis(0)).unwrap_or_default();
        mine -= &means;
    })?;
    night.to_file(path).map(drop)
}

/// Loads the night on these ranks, and checks every sample of each.
fn check(comm: &CommRef, path: &Path) -> Result<()> {
    let night = MemGroup::from_file_distributed(path, comm)?;
    let vis = night.dataset("vis")?.into_distributed()?;
    assert_eq!((vis.distributed_axis()?, vis.global_shape()?), (1, vec![TIMES, FREQUENCIES]));
    let first = vis.local_offset()?[1];
    vis.with_local_view::<f64, _>(|mine| {
        for (at, value) in mine.indexed_iter() {
            let mean = sample(0, first + at[1]) + ((TIMES - 1) * FREQUENCIES) as f64 / 2.0;
            assert!((value - (sample(at[0], first + at[1]) - mean)).abs() < 1e-9);
        }
    })?;
    println!("rank {} of {}: {:?} of {:?}", comm.rank(), comm.size(), vis.local_shape()?, vis.global_shape()?);
    Ok(())
}

#[cfg(feature = "mpi")]
fn main() -> Result<()> {
    let mpi = memh5::distributed::Mpi::start()?;
    let world = mpi.world()?;
    let mut id = std::process::id().to_string().into_bytes();
    world.broadcast(&mut id, 0)?;
    let path = std::env::temp_dir().join(format!("memh5-distributed-{}.h5", String::from_utf8_lossy(&id)));
    observe(&world, &path)?;
    // Half of the ranks read what all have written.
    if let Some(half) = world.split((world.rank() % 2 == 0).then_some(0), world.rank())? {
        check(&half, &path)?;
    }
    world.barrier()?;
    if world.rank() == 0 {
        std::fs::remove_file(&path).map_err(|e| memh5::Error::io(e, &path))?;
    }
    Ok(())
}

#[cfg(not(feature = "mpi"))]
fn main() -> Result<()> {
    use memh5::distributed::ThreadComm;
    let path = std::env::temp_dir().join(format!("memh5-distributed-{}.h5", std::process::id()));
    ThreadComm::run(4, |comm| observe(&comm, &path))?;
    ThreadComm::run(3, |comm| check(&comm, &path))?;
    std::fs::remove_file(&path).map_err(|e| memh5::Error::io(e, &path))
}
