//! Another order of the axes.

use super::strided::{Window, c_strides, copy};
use super::{Axis, DistributedArray};
use crate::array::AnyArray;
use crate::error::{Result, bail};

impl DistributedArray {
    /// The array with its axes in another order: axis `k` of the result is axis `axes[k]` of this one. The distributed axis moves along. Local.
    ///
    /// ```
    /// use memh5::DType;
    /// use memh5::distributed::{DistributedArray, SelfComm};
    /// let a = DistributedArray::zeros(DType::F32, [1, 11, 2, 14], 1, std::sync::Arc::new(SelfComm::new()))?;
    /// let b = a.transpose(&[1, 3, 0, 2])?;
    /// assert_eq!((b.global_shape(), b.axis()), (&[11, 14, 1, 2][..], 0));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if it does not name every axis once; `Io` if there is no memory.
    pub fn transpose(&self, axes: &[isize]) -> Result<Self> {
        let order = axes.iter().map(|axis| Axis(*axis).resolve(self.ndim())).collect::<Result<Vec<_>>>()?;
        let mut sorted = order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.ndim()) {
            bail!(InvalidArgument, "{axes:?} is no order of the {} axes", self.ndim());
        }
        let axis = order.iter().position(|from| *from == self.axis).unwrap_or_default();
        let global_shape = order.iter().map(|from| self.global_shape[*from]).collect();
        Ok(Self { comm: self.comm.clone(), axis, global_shape, local: permuted(&self.local, &order)? })
    }

    /// The array with its axes in reverse order. Local.
    ///
    /// # Errors
    /// `Io` if there is no memory.
    pub fn t(&self) -> Result<Self> {
        let axes: Vec<isize> = (0..self.ndim() as isize).rev().collect();
        self.transpose(&axes)
    }
}

/// A copy with the axes in another order; none if nothing moves.
fn permuted(array: &AnyArray, order: &[usize]) -> Result<AnyArray> {
    let shape: Vec<usize> = order.iter().map(|axis| array.shape()[*axis]).collect();
    let moves = order.iter().filter(|axis| array.shape()[**axis] != 1);
    if moves.is_sorted() {
        return array.clone().reshape(&shape);
    }
    let item = array.dtype().itemsize();
    let from: Vec<usize> = array.shape().iter().copied().chain([item]).collect();
    let to: Vec<usize> = shape.iter().copied().chain([item]).collect();
    let source = c_strides(&from);
    let strides = order.iter().map(|axis| source[*axis]).chain([1]).collect();
    let mut out = AnyArray::zeros(array.dtype().clone(), shape)?;
    let (bytes, _) = out.raw_mut()?;
    copy(array.raw().0, &Window { offset: 0, strides }, bytes, &Window::packed(&to), &to);
    Ok(out)
}
