//! Ranks: communicators, the partition of an axis over them, and what stands on it.
//!
//! A program is written against [`Communicator`]. One rank is [`SelfComm`].

mod communicator;
mod partition;
mod self_comm;

pub use communicator::{CommRef, Communicator, Number, ReduceOp};
pub use partition::Partition;
pub use self_comm::SelfComm;
