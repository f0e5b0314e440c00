//! Deep copies: between every two backends, of everything that a tree can hold.

mod attrs;
mod choices;
mod everything;
mod failures;
#[cfg(feature = "hdf5")]
mod samples;
mod strict;

use memh5::MemGroup;
use memh5::prelude::*;
use memh5::tree::GroupRef;

/// A backend and what makes fresh roots of it.
type Fresh = (&'static str, fn() -> GroupRef);

/// A fresh root in memory, and one in an HDF5 image.
fn backends() -> Vec<Fresh> {
    vec![
        ("memory", || MemGroup::new().to_ref()),
        #[cfg(feature = "hdf5")]
        ("hdf5", || memh5::format::hdf5::Hdf5File::in_memory().unwrap().root().unwrap().to_ref()),
    ]
}

/// Runs the function for each pair of backends, with two fresh roots.
fn each_pair(f: impl Fn(&dyn Group, &dyn Group, &str)) {
    for (a, from) in backends() {
        for (b, to) in backends() {
            f(&*from(), &*to(), &format!("{a} to {b}"));
        }
    }
}
