//! A tree as bytes, to be sent to other ranks: an HDF5 file that is in memory only. It holds every kind of object, link and reference, and one
//! message carries it.

#[cfg(feature = "hdf5")]
mod with_library {
    use crate::error::Result;
    use crate::format::hdf5::{Hdf5File, Hdf5Group};
    use crate::tree::{DatasetRef, DatasetSpec, Group, GroupRef, GroupSpec};

    pub type Image = Hdf5File;

    pub fn new(spec: &GroupSpec) -> Result<Image> {
        Hdf5File::options().track_order(spec.track_order).in_memory()
    }

    pub fn open(bytes: &[u8]) -> Result<Image> {
        Hdf5File::from_bytes(bytes)
    }

    pub fn root(image: &Image) -> Result<GroupRef> {
        Ok(image.root()?.to_ref())
    }

    /// A dataset without elements, which takes no room for them.
    pub fn placeholder(to: &GroupRef, name: &str, spec: &DatasetSpec) -> Result<DatasetRef> {
        match to.as_any().downcast_ref::<Hdf5Group>() {
            Some(to) => to.new_unfilled_dataset(name, spec, false),
            None => to.new_dataset(name, spec, None),
        }
    }

    pub fn bytes(image: &Image) -> Result<Vec<u8>> {
        image.to_bytes()
    }
}

#[cfg(not(feature = "hdf5"))]
mod without {
    use crate::error::{Result, error};
    use crate::memory::MemGroup;
    use crate::tree::{DatasetRef, DatasetSpec, Group, GroupRef, GroupSpec};

    pub type Image = MemGroup;

    fn missing() -> crate::Error {
        error!(Unsupported, "this build cannot send a tree to other ranks").remedy("build memh5 with the feature 'hdf5'")
    }

    pub fn new(_spec: &GroupSpec) -> Result<Image> {
        Err(missing())
    }

    pub fn open(_bytes: &[u8]) -> Result<Image> {
        Err(missing())
    }

    pub fn root(image: &Image) -> Result<GroupRef> {
        Ok(image.to_ref())
    }

    pub fn placeholder(to: &GroupRef, name: &str, spec: &DatasetSpec) -> Result<DatasetRef> {
        to.new_dataset(name, spec, None)
    }

    pub fn bytes(_image: &Image) -> Result<Vec<u8>> {
        Err(missing())
    }
}

#[cfg(feature = "hdf5")]
pub(super) use with_library::*;
#[cfg(not(feature = "hdf5"))]
pub(super) use without::*;
