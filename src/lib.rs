//! memh5: write a program once against a group; choose at run time whether it lives in memory or in a file.
#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod array;
#[cfg(feature = "contract")]
pub mod contract;
pub mod copy;
pub mod dtype;
pub mod error;
pub mod format;
pub mod mem_disk;
pub mod memory;
pub mod path;
pub mod publish;
pub mod selection;
pub mod tree;

pub use array::{AnyArray, Element};
pub use copy::{copy_attrs, deep_group_copy, get_file, is_group};
pub use dtype::{Cast, DType};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "hdf5")]
pub use hdf5::H5Type;
pub use mem_disk::MemDiskGroup;
pub use memory::{MemAttrs, MemDataset, MemDatasetCommon, MemDatatype, MemGroup};
pub use publish::lock_file;
pub use selection::Selection;
pub use tree::{Filter, Mode, ObjectRef, RegionRef};

/// The traits with the methods that users call.
pub mod prelude {
    pub use crate::array::{FromArray, IntoArray};
    pub use crate::tree::{Attributes, AttributesExt, Dataset, DatasetExt, Group, GroupExt, Object};
}
