//! Staged caches: the writer, the reader, and what happens when things go wrong.

mod bad;
mod choose;
mod data;
#[cfg(all(feature = "hdf5", unix))]
mod full;
mod kill;
mod layout;
#[cfg(feature = "hdf5")] // The lines are those of files.
mod lines;
#[allow(dead_code)]
#[path = "../peer/mod.rs"]
mod peer;
mod references;
mod round;
mod rules;
mod safety;
#[cfg(feature = "hdf5")] // The samples are HDF5 files.
mod samples;
mod session;
mod spread;
mod typed;
