//! **Write a program once against a group; choose at run time whether the group lives in memory or in a file.**
//!
//! Scientific pipelines hold trees of named arrays: groups, datasets, attributes, the model of HDF5 and h5py. This crate gives that model to
//! Rust, with the same calls, the same results and the same errors wherever a tree lives: in this process's memory ([`MemGroup`]), in an HDF5
//! file or an HDF5 image ([`format::hdf5`]), in a Zarr store (`format::zarr`), or in any of them behind one type ([`MemDiskGroup`]).
//!
//! ```
//! use memh5::{MemGroup, prelude::*};
//! use ndarray::array;
//!
//! // A library takes any group ...
//! fn calibrate(night: &dyn Group, gain: f64) -> memh5::Result<()> {
//!     let vis = night.dataset("vis")?;
//!     vis.write(vis.read::<f64>()? * gain)?;
//!     night.attrs().set("gain", gain)
//! }
//!
//! // ... and its test runs in memory.
//! let tree = MemGroup::new();
//! tree.create_dataset("night/vis").write(array![1.0, 2.0])?;
//! calibrate(&*tree.get("night")?.into_group()?, 2.0)?;
//! assert_eq!(tree.get("night/vis")?.into_dataset()?.read::<f64>()?, array![2.0, 4.0].into_dyn());
//! # Ok::<(), memh5::Error>(())
//! ```
//!
//! # The map
//!
//! * [`tree`]: the waist. A backend implements [`Group`](tree::Group), [`Dataset`](tree::Dataset), [`Attributes`](tree::Attributes); users call
//!   [`GroupExt`](tree::GroupExt), [`DatasetExt`](tree::DatasetExt), [`AttributesExt`](tree::AttributesExt), which are in the [`prelude`].
//! * [`dtype`], [`mod@array`], [`selection`]: element types known at run time, arrays of them, what part of an array is meant.
//! * [`memory`], [`mod@format`], [`mem_disk`]: where trees live.
//! * [`copy`]: [`deep_group_copy`] between any two groups, and what was lost on the way.
//! * [`distributed`]: ranks, and how an axis is split over them.
//! * [`publish`]: files that are complete or not there.
//! * [`saver`]: where a long computation puts its results, every few minutes, for days.
//! * [`error`]: the one [`Error`], with a kind, a place and a remedy.
//!
//! # Promises
//!
//! * The same call gives the same result and the same [`ErrorKind`] on every backend. The contract suite (feature `contract`) tests it.
//! * Nothing is converted silently: [`read`](tree::DatasetExt::read) wants the stored type, [`read_as`](tree::DatasetExt::read_as) and
//!   [`astype`](AnyArray::astype) convert under a [`Cast`] policy.
//! * Handles are cheap clones, `Send + Sync`, and never stale.
//! * What is saved by [`publish`] is the complete old or the complete new file at every instant.
//! * No panic on user input. (The HDF5 C library itself can crash on hostile files: see [`format::hdf5`].)
//!
//! # Features
//!
//! `hdf5` (default): HDF5 files, on the C library. `zarr` (default): Zarr stores. `cli` (default): the tool `memh5`. `mpi`: ranks under `mpirun`, on a parallel HDF5. `contract`: the suite for backends. Without features the
//! tree in memory needs no C at all.
#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod array;
#[cfg(feature = "contract")]
pub mod contract;
pub mod copy;
pub mod distributed;
pub mod dtype;
pub mod error;
pub mod format;
pub mod mem_disk;
pub mod memory;
pub mod path;
pub mod publish;
pub mod saver;
pub mod selection;
pub mod stage;
pub mod tree;

pub use array::{AnyArray, Element};
pub use copy::{copy_attrs, deep_group_copy, get_file, is_group};
pub use dtype::{Cast, DType};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "hdf5")]
pub use hdf5::H5Type;
pub use mem_disk::MemDiskGroup;
pub use memory::{DistributedBuilder, MemAttrs, MemDataset, MemDatasetCommon, MemDatasetDistributed, MemDatatype, MemGroup};
pub use publish::lock_file;
pub use selection::Selection;
pub use tree::{Filter, Mode, ObjectRef, RegionRef};

/// The traits with the methods that users call.
pub mod prelude {
    pub use crate::array::{FromArray, IntoArray};
    pub use crate::saver::SaverExt;
    pub use crate::tree::{Attributes, AttributesExt, Dataset, DatasetExt, Group, GroupExt, Object};
}

/// The example of the README compiles.
#[cfg(all(doctest, feature = "hdf5"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
