//! Files that ranks write and read together.
//!
//! A save has two phases, and all ranks agree after each. First rank 0 alone, through the ordinary driver, makes all groups, attributes and common
//! datasets, and the distributed datasets without their elements. Then the elements are moved: straight to their places in an HDF5 file, if the ranks
//! run on one machine and the elements lie there as in memory ([`direct`]); else through parallel HDF5 if the communicator is
//! MPI's and the format HDF5, else through rank 0, in pieces ([`funnel`]). A rank's failure anywhere is the failure of all; then
//! nothing is published, and nothing is left.
//!
//! A load begins at rank 0 too: it reads all but the distributed elements and sends it to the others as one message. Then all ranks read their
//! parts.
//!
//! Chunks with filters are packed by all ranks and written by rank 0 ([`packed`]), never by parallel HDF5. Where they lie across
//! ranks, the elements are first moved between ranks so that each chunk belongs to one ([`align`]).

mod align;
mod compare;
mod cut;
#[cfg(feature = "hdf5")]
mod direct;
mod exchange;
mod funnel;
mod hints;
mod image;
mod load;
mod lock;
mod outline;
#[cfg(feature = "hdf5")]
mod packed;
#[cfg(all(feature = "mpi", feature = "hdf5"))]
mod parallel;
#[cfg(feature = "hdf5")]
mod rows;
mod save;
mod select;
mod tree;

pub use compare::CommonData;
pub(crate) use compare::difference;
#[cfg(feature = "hdf5")]
pub use direct::FileAccess;
pub use hints::{AXIS_HINT, DATASET_HINT, FILE_HINT, Hints};
pub(crate) use load::load;
pub use lock::{CollectiveLock, CollectiveLockBuilder};
pub(crate) use save::save;
pub(crate) use tree::agreement_of;
