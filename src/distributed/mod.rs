//! Ranks: communicators, the partition of an axis over them, and what stands on it.
//!
//! A program is written against [`Communicator`]. One rank is [`SelfComm`]; ranks that are threads, for tests and small machines, are
//! [`ThreadComm`]. Who writes collective calls makes them through an [`Agreement`], so that no rank is left waiting.

pub mod agree;
mod array;
mod communicator;
mod file;
#[cfg(feature = "mpi")]
pub mod mpi;
mod partition;
mod reduce;
mod self_comm;
mod stream;
mod thread_comm;

pub use agree::{Agreement, Call, Checks, Step, Terms};
pub use array::{Axes, Axis, DistributedArray, GlobalSlice, Operand, Positions, Reduced, Reduction};
pub use communicator::{CommRef, Communicator, Number, ReduceOp};
#[cfg(feature = "hdf5")]
pub use file::FileAccess;
pub use file::{AXIS_HINT, CollectiveLock, CollectiveLockBuilder, CommonData, DATASET_HINT, FILE_HINT, Hints};
pub(crate) use file::{agreement_of, difference, load, save};
#[cfg(feature = "mpi")]
pub use mpi::{Mpi, MpiComm};
pub use partition::Partition;
pub use self_comm::SelfComm;
pub use stream::{Incoming, Offered, Outgoing, Packed, Run, Unpacked};
pub use thread_comm::ThreadComm;
