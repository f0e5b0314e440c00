//! Suites that need MPI.

pub mod communicator;
#[cfg(feature = "hdf5")]
pub mod stages;

use crate::ranks::Case;

/// All cases of all suites.
pub fn all() -> Vec<Case> {
    let cases = [communicator::CASES].concat();
    #[cfg(feature = "hdf5")]
    let cases = [&cases[..], stages::CASES].concat();
    cases
}
