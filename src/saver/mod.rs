//! Savers: where a long computation puts its results, every few minutes, for days.
//!
//! A [`Saver`] stands for one array somewhere: in a group in memory ([`MemSaver`]), in an HDF5 file ([`Hdf5Saver`]), in a `.npy` file
//! ([`NumpySaver`]), in a Zarr store (`ZarrSaver`, feature `zarr`). Each [`save`](SaverExt::save) appends to it, replaces it, or updates parts of it; the rules are the same everywhere:
//!
//! * Data, indices and options are checked, all of them, before anything is touched.
//! * A save that fails leaves what was there: its length and its content.
//! * A save that has returned survives the end of the process, by `kill -9` too; with [`Durability::Full`](crate::publish::Durability) a power
//!   failure as well.
//! * An append grows axis 0, of any number of axes. The target's type stays; data of another type are converted exactly or not at all, unless
//!   the option [`cast`](SaveOptions::cast) says otherwise.
//! * An overwrite keeps the old content until the new one is complete, and the new one can be appended to.
//! * An update takes an index, a range with a step, a list in any order with duplicates (the last one wins), a mask, or a tuple of these. Out of
//!   range is an error of kind `Selection`, everywhere.
//! * An option that is not known, or that the target cannot honour, is an error.
//! * Each save is alone at its target. A second writer, in this process or another, waits, and after the [`timeout`](SaveOptions::timeout) gets an
//!   error of kind `Locked`.
//!
//! [`IntervalBuffer`] stands before a saver: it takes results as they come, also out of order, and saves them by the hundred.
//!
//! ```
//! use memh5::saver::{MemSaver, Indices, SaveOptions, Saver};
//! use memh5::{MemGroup, prelude::*};
//! // A computation takes any saver ...
//! fn run(results: &dyn Saver) -> memh5::Result<()> {
//!     for step in 0..3 {
//!         results.append(ndarray::array![[step, step * step]])?;
//!     }
//!     results.update(ndarray::array![[7, 7]], vec![1])
//! }
//! // ... and its test needs no disk.
//! let group = MemGroup::new();
//! run(&MemSaver::new(&group, "run/squares"))?;
//! assert_eq!(group.dataset("run/squares")?.read::<i32>()?, ndarray::array![[0, 0], [7, 7], [2, 4]].into_dyn());
//! # Ok::<(), memh5::Error>(())
//! ```

mod buffer;
mod exclusive;
#[cfg(feature = "hdf5")]
mod hdf5;
mod indices;
mod mem;
mod numpy;
mod options;
mod plan;
mod tree;
#[cfg(feature = "zarr")]
mod zarr;

pub use buffer::{IntervalBuffer, Progress};
#[cfg(feature = "hdf5")]
pub use hdf5::Hdf5Saver;
pub use indices::Indices;
pub use mem::MemSaver;
pub use numpy::NumpySaver;
pub use options::{Approach, DEFAULT_TIMEOUT, SaveOptions};
#[cfg(feature = "zarr")]
pub use zarr::ZarrSaver;

use crate::array::{AnyArray, IntoArray};
use crate::error::Result;

/// One array somewhere, to which results are saved. Implemented by targets; users call [`SaverExt`].
pub trait Saver: Send + Sync + std::fmt::Debug {
    /// Saves the data: all of them, or nothing has changed. What the options do not say is taken from the saver's own options.
    ///
    /// # Errors
    /// As [`SaverExt::save`].
    fn save_array(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()>;

    /// Reads all that is saved.
    ///
    /// # Errors
    /// `NotFound` if nothing is there, `Corrupt`, `Io`.
    fn load(&self) -> Result<AnyArray>;

    /// Where it saves, for messages.
    fn target(&self) -> String;
}

/// What users call on a saver.
pub trait SaverExt: Saver {
    /// Saves the data, by the approach that the options say (else the saver's own, else append).
    ///
    /// # Errors
    /// Before anything is touched: `Shape`, `Dtype`, `Selection` if data or indices do not fit; `InvalidArgument` for indices where there can be
    /// none, or that are missing, and for options that contradict what is there; `Unsupported` for options that the target cannot
    /// honour; `NotFound` if there is nothing to update; `NotADataset`, `NotAGroup`, `Corrupt` if something else is there; `Locked` if
    /// another writer does not end in time. Later: `Io`, and nothing has changed.
    fn save(&self, data: impl IntoArray, indices: impl Into<Indices>, options: &SaveOptions) -> Result<()> {
        self.save_array(&data.into_array()?, &indices.into(), options)
    }

    /// Puts rows behind those that are there.
    ///
    /// # Errors
    /// As [`save`](SaverExt::save).
    fn append(&self, data: impl IntoArray) -> Result<()> {
        self.save(data, Indices::NONE, &SaveOptions::new().approach(Approach::Append))
    }

    /// Puts the data in the place of what is there.
    ///
    /// # Errors
    /// As [`save`](SaverExt::save).
    fn overwrite(&self, data: impl IntoArray) -> Result<()> {
        self.save(data, Indices::NONE, &SaveOptions::new().approach(Approach::Overwrite))
    }

    /// Puts the data where the indices say.
    ///
    /// # Errors
    /// As [`save`](SaverExt::save).
    fn update(&self, data: impl IntoArray, indices: impl Into<Indices>) -> Result<()> {
        self.save(data, indices, &SaveOptions::new().approach(Approach::Update))
    }
}

impl<S: Saver + ?Sized> SaverExt for S {}

macro_rules! pointer {
    ($($pointer:ident)::+) => {
        impl<S: Saver + ?Sized> Saver for $($pointer)::+<S> {
            fn save_array(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
                (**self).save_array(data, indices, options)
            }

            fn load(&self) -> Result<AnyArray> {
                (**self).load()
            }

            fn target(&self) -> String {
                (**self).target()
            }
        }
    };
}
pointer!(std::sync::Arc);
pointer!(std::boxed::Box);
