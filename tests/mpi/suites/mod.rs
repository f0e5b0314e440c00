//! Suites that need MPI.

pub mod communicator;

use crate::ranks::Case;

/// All cases of all suites.
pub fn all() -> Vec<Case> {
    [communicator::CASES].concat()
}
