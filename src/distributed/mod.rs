//! Ranks: communicators, the partition of an axis over them, and what stands on it.
//!
//! A program is written against [`Communicator`]. One rank is [`SelfComm`]; ranks that are threads, for tests and small machines, are
//! [`ThreadComm`].

mod communicator;
mod partition;
mod reduce;
mod self_comm;
mod thread_comm;

pub use communicator::{CommRef, Communicator, Number, ReduceOp};
pub use partition::Partition;
pub use self_comm::SelfComm;
pub use thread_comm::ThreadComm;
