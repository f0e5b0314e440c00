//! HDF5 files, through the C library.
//!
//! | file | what |
//! | --- | --- |
//! | `ffi`, `compat` | the door to the C library: ids, the lock, errors, versions |
//! | `open`, `signature`, `holder` | files by mode, images in memory; what is an HDF5 file; who holds it |
//! | `file`, `object`, `names` | an open file, an open object, the path by which it was reached |
//! | `group`, `links`, `dataset`, `datatype`, `attributes` | the traits of the tree |
//! | `types`, `elements` | element types; elements between the library's memory and an array |
//! | `space`, `plan`, `gather`, `transfer`, `direct`, `whole` | selections as calls; whole chunks, and whole datasets, past the library's buffers |
//! | `refs`, `heap`, `regions` | object and region references; the latter in bulk: how they are written, how they are read |
//! | `props`, `chunks`, `filter` | how datasets are made |
//! | `press` | chunks packed and unpacked outside of their file |
//! | `transaction` | files that change all at once or not at all, for the savers |
//! | `parallel` | elements moved by all MPI ranks together |
//! | `raw` | elements as bytes of their file, past the library |
//!
//! Files are written so that HDF5 1.8 and later read them (object headers of version 2, which take attributes of any size).
//!
//! The C library can crash on bytes that were made to harm, or damaged: who opens files of unknown origin does so in a process of
//! its own, as the command-line tool does.

#![allow(unsafe_code)]

mod attributes;
mod chunks;
mod collections;
mod compat;
mod dataset;
mod datatype;
mod descriptor;
mod direct;
mod elements;
mod ffi;
mod file;
mod filter;
mod gather;
mod group;
mod h5type;
mod heap;
mod holder;
mod image;
mod index;
mod links;
mod names;
mod object;
mod open;
#[cfg(feature = "mpi")]
pub(crate) mod parallel;
mod plan;
pub(crate) mod press;
mod props;
pub(crate) mod raw;
mod refs;
mod regions;
mod settle;
mod signature;
mod space;
pub(crate) mod transaction;
mod transfer;
mod types;
mod whole;

pub use dataset::Hdf5Dataset;
pub use datatype::Hdf5Datatype;
pub use group::Hdf5Group;
pub use open::{Hdf5File, Hdf5Options, LibraryBound};

use super::Format;
use crate::error::Result;
use crate::tree::{Group, GroupRef, GroupSpec, Mode};
use std::path::Path;

/// The HDF5 format.
#[derive(Debug)]
pub struct Hdf5Format;

impl Format for Hdf5Format {
    fn name(&self) -> &'static str {
        "hdf5"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &[".hdf5", ".h5", ".he5", ".hdf"]
    }

    fn recognizes(&self, path: &Path) -> Result<bool> {
        Ok(path.is_file() && signature::find(path)? != signature::Found::Nothing)
    }

    fn open(&self, path: &Path, mode: Mode) -> Result<GroupRef> {
        Ok(Hdf5File::open(path, mode)?.root()?.to_ref())
    }

    fn open_with(&self, path: &Path, mode: Mode, root: &GroupSpec) -> Result<GroupRef> {
        Ok(Hdf5Options::default().track_order(root.track_order).open(path, mode)?.root()?.to_ref())
    }
}
