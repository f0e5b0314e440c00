//! Suites of the ranks, run on threads by `tests/thread_ranks.rs` and under `mpirun` by `tests/mpi/main.rs`.
//!
//! A case is a function that every rank calls with the communicator of all ranks. It fails by a panic (an assertion) or an error on any
//! rank. It must work for any number of ranks, from one on.

pub mod agreement;
pub mod arrays;
#[cfg(feature = "hdf5")]
pub mod caput;
pub mod collectives;
#[cfg(feature = "hdf5")]
pub mod comparing;
#[cfg(feature = "hdf5")]
pub mod faults;
#[cfg(feature = "hdf5")]
pub mod files;
#[cfg(feature = "hdf5")]
pub mod parts;
#[cfg(feature = "hdf5")]
pub mod places;
#[cfg(feature = "zarr")]
pub mod stores;
pub mod tree;
#[cfg(all(feature = "contract", feature = "mpi"))]
pub mod tree_contract;
pub mod tree_faults;

use memh5::Result;
use memh5::distributed::CommRef;

/// A case by its name.
pub type Case = (&'static str, fn(&CommRef) -> Result<()>);

/// All cases of all suites.
pub fn all() -> Vec<Case> {
    let cases = [collectives::CASES, agreement::CASES, &arrays::cases(), tree::CASES, tree_faults::CASES].concat();
    #[cfg(feature = "hdf5")]
    let cases = [&cases[..], files::CASES, places::CASES, parts::CASES, comparing::CASES, faults::CASES, caput::CASES].concat();
    #[cfg(feature = "zarr")]
    let cases = [&cases[..], stores::CASES].concat();
    #[cfg(all(feature = "contract", feature = "mpi"))]
    let cases = [&cases[..], tree_contract::CASES].concat();
    cases
}

/// Names the functions of a suite as cases.
#[macro_export]
macro_rules! cases {
    ($($name:ident),+ $(,)?) => {
        pub const CASES: &[$crate::ranks::Case] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),+];
    };
}
