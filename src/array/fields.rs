//! The fields of compounds as arrays, as numpy's `a["x"]` has them.

use super::{AnyArray, IntoArray, select};
use crate::dtype::layout::Layout;
use crate::dtype::{Cast, DType, Field};
use crate::error::{Result, error};

impl AnyArray {
    fn field_type(&self, name: &str) -> Result<Field> {
        let DType::Compound(c) = &self.dtype else {
            return Err(error!(Dtype, "elements of type {} have no fields, and '{name}' is wanted", self.dtype));
        };
        c.field(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = c.fields().iter().map(|f| f.name.as_str()).collect();
            error!(NotFound, "there is no field '{name}'").remedy(format!("the fields are: {}", known.join(", ")))
        })
    }

    /// One field of a compound, as an array of its own.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// let mut a = AnyArray::zeros(DType::compound([("x", DType::F64), ("name", DType::STR)])?, [2])?;
    /// a.set_field("x", [1.0, 2.0])?;
    /// a.set_field("name", "both")?;
    /// assert_eq!(a.field("x")?, AnyArray::from(vec![1.0, 2.0]));
    /// assert_eq!(a.field("name")?.to_strings()?, ["both", "both"]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if the elements are no compounds, `NotFound` if there is no such field.
    pub fn field(&self, name: &str) -> Result<AnyArray> {
        let field = self.field_type(name)?;
        let Some(shape) = &self.shape else { return Ok(AnyArray::null(field.dtype)) };
        let size = field.dtype.itemsize();
        let mut out = AnyArray::zeros(field.dtype, shape.clone())?;
        if out.heap.is_some() {
            out.heap.clone_from(&self.heap);
        }
        let elements = self.buffer.as_slice().chunks_exact(self.dtype.itemsize());
        for (to, from) in out.buffer.make_mut()?.chunks_exact_mut(size).zip(elements) {
            to.copy_from_slice(&from[field.offset..field.offset + size]);
        }
        Ok(out)
    }

    /// Writes one field of a compound in all elements. The values have this array's shape, or broadcast to it; they are converted exactly.
    ///
    /// # Errors
    /// `Dtype` if the elements are no compounds or a value does not fit, `NotFound` if there is no such field, `Shape`.
    pub fn set_field(&mut self, name: &str, values: impl IntoArray) -> Result<()> {
        let field = self.field_type(name)?;
        let mut values = values.into_array()?;
        if !values.dtype.same_values(&field.dtype) {
            values = values.astype(&field.dtype, Cast::Exact)?;
        }
        let values = values.broadcast(self.shape())?;
        let size = field.dtype.itemsize();
        let bytes = match &self.heap {
            Some(heap) => select::adopt(&values, heap, &Layout::of(&field.dtype)),
            None => values.buffer.as_slice().to_vec(),
        };
        let element = self.dtype.itemsize();
        for (to, from) in self.buffer.make_mut()?.chunks_exact_mut(element).zip(bytes.chunks_exact(size)) {
            to[field.offset..field.offset + size].copy_from_slice(from);
        }
        Ok(())
    }
}
