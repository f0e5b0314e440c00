//! HDF5 files.

use super::Format;
use crate::error::{Result, bail};
use crate::tree::{GroupRef, Mode};
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
    fn recognizes(&self, _path: &Path) -> Result<bool> {
        Ok(false)
    }
    fn open(&self, _path: &Path, _mode: Mode) -> Result<GroupRef> {
        bail!(Unsupported, "not yet")
    }
}
