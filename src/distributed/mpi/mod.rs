//! Ranks that are MPI processes (feature `mpi`).
//!
//! A program starts MPI by a guard, which also ends it:
//!
//! ```no_run
//! use memh5::distributed::mpi::Mpi;
//!
//! fn main() -> memh5::Result<()> {
//!     let mpi = Mpi::start()?;              // dropped last: it waits for all ranks and finalises MPI
//!     let comm = mpi.world()?;
//!     println!("rank {} of {}", comm.rank(), comm.size());
//!     comm.barrier()
//! }
//! ```
//!
//! It runs under `mpirun`, and without it as one rank. An MPI that the program has initialised by itself (by `rsmpi`, or in C) is used as it
//! is, and left alone at the end. [`MpiComm::duplicate`] makes a communicator of one that the program has, or of a part of it.
//!
//! | file | what |
//! | --- | --- |
//! | `environment` | starting and ending MPI, its threads, the end of a job |
//! | `raw`, `requests`, `reporting` | the door to the C functions |
//! | `comm` | the communicator |
//! | `messages` | messages of any length, in pieces |
//! | `stream` | messages that are packed while others are under way |
//! | `near` | reading the memory of ranks on the same machine |
//! | `rendezvous` | waiting with a deadline |
//! | `reduce` | reductions |
//!
//! # Promises
//!
//! * Our messages never meet the program's: each communicator is a duplicate, freed when its last handle is dropped. (Like any collective call, the
//!   last drop should happen on all ranks in the same order; ours makes no other communicators behind your back.)
//! * No message is too long: MPI counts in C ints, so that messages are cut into pieces of 1 GiB.
//! * Errors of MPI are errors here where MPI reports them. (By default MPI ends the program.)
//! * Threads: we initialise MPI so that any one thread at a time may call it, and hold a lock of the process meanwhile. An MPI that was
//!   initialised with `MPI_THREAD_MULTIPLE` is called without that lock; one that only its main thread may call refuses others by an
//!   `Unsupported` error.

#![allow(unsafe_code)]

mod comm;
mod environment;
mod messages;
mod near;
mod raw;
mod reduce;
mod rendezvous;
mod reporting;
mod requests;
mod stream;

pub use comm::MpiComm;
pub use environment::{Exclusive, Mpi, abort_on_panic, exclusive};
pub use raw::MPI_Comm;
