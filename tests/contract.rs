//! The contract of the waist, on every backend of this build. MEMH5_PROMISE=names_ runs the promises of that beginning.

mod backends;

use memh5::contract::{self, Backend, Fresh};
use memh5::{MemGroup, prelude::*};

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

/// Runs the contract on the backend of that name.
fn other(name: &str) {
    let all = backends::others();
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
