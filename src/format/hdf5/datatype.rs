//! Committed types.

use super::object::{Handle, object};
use super::types;
use crate::dtype::DType;
use crate::error::Result;
use crate::tree::Datatype;

/// A committed type of an HDF5 file.
#[derive(Debug, Clone)]
pub struct Hdf5Datatype {
    handle: Handle,
}

impl Hdf5Datatype {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

object!(Hdf5Datatype);

impl Datatype for Hdf5Datatype {
    fn committed_dtype(&self) -> Result<DType> {
        self.handle.file().reading(|| types::dtype_of(self.handle.id()))
    }
}
