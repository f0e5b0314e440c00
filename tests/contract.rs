//! The contract of the waist, on every backend of this build. MEMH5_PROMISE=names_ runs the promises of that beginning.

mod backends;

use memh5::contract::{self, Backend, Capabilities, Fresh};
use memh5::distributed::{CommRef, ThreadComm};
use memh5::tree::GroupRef;
use memh5::{MemGroup, Result, prelude::*};

fn hold_to(backend: &dyn Backend) {
    let only = std::env::var("MEMH5_PROMISE").unwrap_or_default();
    let report = contract::run(backend, |p| p.name.starts_with(&only));
    println!("{report}");
    assert!(report.is_kept(), "the contract is broken on {}", backend.name());
}

#[test]
fn memory() {
    hold_to(&Fresh::new("memory", || Ok(MemGroup::new().to_ref())));
}

/// A tree that ranks share.
struct Shared(CommRef);

impl Backend for Shared {
    fn name(&self) -> String {
        format!("memory, rank {} of {}", self.0.rank(), self.0.size())
    }
    fn fresh(&self) -> Result<GroupRef> {
        Ok(MemGroup::distributed(self.0.clone()).to_ref())
    }
    fn capabilities(&self) -> Capabilities {
        let mut has = Capabilities::MEMORY;
        has.threads_make = self.0.size() == 1;
        has
    }
}

#[test]
fn memory_of_one_rank() {
    other("memory of one rank");
}

/// All ranks run the same program: each promise is checked on all of them at once.
#[test]
fn memory_of_several_ranks() {
    for ranks in 2..=4 {
        let results = ThreadComm::run_each(ranks, |comm| {
            hold_to(&Shared(comm));
            Ok(())
        });
        for (rank, result) in results.expect("threads").into_iter().enumerate() {
            result.unwrap_or_else(|e| panic!("rank {rank} of {ranks}: {e}"));
        }
    }
}

/// Runs the contract on the backend of that name.
fn other(name: &str) {
    #[allow(unused_mut)]
    let mut all = backends::others();
    #[cfg(feature = "zarr")]
    all.extend(backends::zarr::all());
    let Some(backend) = all.iter().find(|b| b.name() == name) else { panic!("no backend '{name}'") };
    hold_to(&**backend);
}

#[test]
fn mem_disk_over_memory() {
    other("MemDiskGroup over memory");
}

#[test]
#[cfg(feature = "hdf5")]
fn hdf5_files() {
    other("HDF5 files");
}

#[test]
#[cfg(feature = "hdf5")]
fn hdf5_images() {
    other("HDF5 images in memory");
}

#[test]
#[cfg(feature = "hdf5")]
fn mem_disk_over_hdf5() {
    other("MemDiskGroup over HDF5");
}

#[test]
#[cfg(feature = "hdf5")]
fn saved_and_loaded() {
    other("memory, saved and loaded");
}

#[test]
#[cfg(feature = "zarr")]
fn zarr_3() {
    other("Zarr 3");
}

#[test]
#[cfg(feature = "zarr")]
fn zarr_2() {
    other("Zarr 2");
}

#[test]
#[cfg(feature = "zarr")]
fn zarr_3_with_shards_and_checksums() {
    other("Zarr 3 with shards and checksums");
}

#[test]
#[cfg(feature = "zarr")]
fn mem_disk_over_zarr() {
    other("MemDiskGroup over Zarr");
}
