//! Conversion between element types: explicit, checked, never silent.

use super::AnyArray;
use crate::dtype::{Cast, DType};
use crate::error::{Result, bail};

impl AnyArray {
    /// The elements converted to another type.
    ///
    /// # Errors
    /// `Dtype` if there is no conversion, or a value cannot be converted under the policy; names the first one.
    pub fn astype(&self, dtype: &DType, _cast: Cast) -> Result<AnyArray> {
        if self.dtype().same_values(dtype) {
            return self.relabelled(dtype);
        }
        bail!(Dtype, "elements of type {} cannot be converted to {dtype}", self.dtype())
    }
}
