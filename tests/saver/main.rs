//! Savers: one rule set on all targets, files that others read and wrote, faults, crashes, and many writers.

mod buffer;
mod checklist;
#[cfg(all(feature = "hdf5", unix))]
mod crash;
#[cfg(feature = "hdf5")]
mod hdf5;
mod npy;
#[cfg(feature = "hdf5")]
mod raygent;
mod rules;
mod targets;
#[cfg(feature = "zarr")]
mod zarr;

#[path = "../peer/mod.rs"]
#[allow(dead_code)]
mod peer;
