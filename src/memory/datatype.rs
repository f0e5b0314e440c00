//! Committed types in memory.

use super::node::Kind;
use super::tree::Handle;
use crate::dtype::DType;
use crate::error::{Result, error};
use crate::tree::Datatype;
use std::fmt;

/// A committed (named) type in memory. A handle: cheap to clone, never stale.
///
/// ```
/// use memh5::{DType, MemGroup, prelude::*};
/// let group = MemGroup::new();
/// group.commit_datatype("types/flux", &DType::F32)?;
/// assert_eq!(group.get("types/flux")?.kind(), "datatype");
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct MemDatatype(pub(super) Handle);

super::impl_object!(MemDatatype);

impl Datatype for MemDatatype {
    fn committed_dtype(&self) -> Result<DType> {
        match &self.0.node().kind {
            Kind::Datatype(dtype) => Ok(dtype.clone()),
            _ => Err(error!(Corrupt, "the object is not a committed type")),
        }
    }
}

impl fmt::Debug for MemDatatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemDatatype({:?})", self.0.name())
    }
}
