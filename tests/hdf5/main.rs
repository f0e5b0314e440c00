//! The HDF5 backend: what goes in comes out, and files are as other programs expect them.
#![cfg(feature = "hdf5")]

mod files;
mod filters;
mod interop;
mod references;
mod samples;
mod selections;
mod swmr;
mod tree;
mod types;
mod whole;

use memh5::format::hdf5::{Hdf5File, Hdf5Group};

fn memory() -> Hdf5Group {
    Hdf5File::in_memory().unwrap().root().unwrap()
}

/// The same tree through its bytes.
fn again(root: &Hdf5Group) -> Hdf5Group {
    Hdf5Group::from_bytes(&root.to_bytes().unwrap()).unwrap()
}
