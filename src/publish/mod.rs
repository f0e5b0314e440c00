//! Publication: a file that others see complete or not at all, whatever happens to its writer.
//!
//! [`lock_file`] gives a guard; what is written to its temporary takes the place of the target at [`LockFile::commit`], in one
//! step, when it is on the disk. [`publish_file`] is the same as one call. The promises, the steps one by one, and what is assumed
//! of the file system are in `docs/publish.md`.
//!
//! All of it goes through the trait [`FileSystem`]. [`FaultFileSystem`] fails where it is told to, so that a pipeline can be
//! tested against full disks and crashes.

mod commit;
mod fault;
mod filesystem;
mod guard;
mod holder;
pub(crate) mod journal;
mod lock;
mod names;
mod os;

pub use fault::{Call, Fault, FaultFileSystem, Operation};
pub(crate) use filesystem::retry;
pub use filesystem::{File, FileInfo, FileKind, FileSystem, OpenMode};
pub use guard::{Durability, LockFile, LockFileBuilder, lock_file, publish_file};
pub use os::OsFileSystem;
