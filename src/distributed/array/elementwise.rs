//! Elementwise work: every rank on its block.

use super::operand::{Aligned, Operand, align};
use super::{DistributedArray, block_shape};
use crate::array::{AnyArray, Element};
use crate::dtype::{Cast, DType};
use crate::error::{Result, bail, error};
use ndarray::{ArrayD, IxDyn, Zip};

impl DistributedArray {
    /// A function of each element. Local.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let wholes = ThreadComm::run(2, |comm| {
    ///     let a = DistributedArray::from_global(&AnyArray::from(vec![1, 2, 3]), 0, comm)?;
    ///     a.map_local(|x: i32| f64::from(x) / 2.0)?.all_gather()
    /// })?;
    /// assert_eq!(wholes[1], AnyArray::from(vec![0.5, 1.0, 1.5]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if the elements are of another type.
    pub fn map_local<T: Element, U: Element>(&self, mut f: impl FnMut(T) -> U) -> Result<Self> {
        let local: ArrayD<U> = self.local.view::<T>()?.map(|x| f(*x));
        Ok(self.with_local(local.into()))
    }

    /// Replaces each element by a function of it. Local.
    ///
    /// # Errors
    /// `Dtype` if the elements are of another type.
    pub fn map_local_inplace<T: Element>(&mut self, mut f: impl FnMut(T) -> T) -> Result<()> {
        self.local.view_mut::<T>()?.mapv_inplace(&mut f);
        Ok(())
    }

    /// A function of this rank's whole block that keeps its shape: for what looks at several elements off the distributed axis. Local.
    ///
    /// # Errors
    /// `Shape` if the result has another shape, `Unsupported` if its elements cannot be distributed, and what the function returns.
    pub fn map_block(&self, f: impl FnOnce(&AnyArray) -> Result<AnyArray>) -> Result<Self> {
        let local = f(&self.local)?;
        if local.extent() != self.local.extent() {
            bail!(Shape, "the block has the shape {:?}, what was made of it {:?}", self.local.shape(), local.shape());
        }
        super::check_dtype(local.dtype())?;
        Ok(self.with_local(local))
    }

    /// A function of each pair of elements of this array and another operand. Local.
    ///
    /// Shapes broadcast as in numpy, and the distributed axes have to fall on each other: see [`Operand`]. Whether they do is the same answer on all
    /// ranks.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let wholes = ThreadComm::run(2, |comm| {
    ///     let a = DistributedArray::from_global(&AnyArray::from(ndarray::array![[1, 2], [3, 4], [5, 6]]), 0, comm)?;
    ///     let scale = AnyArray::from(vec![10, 100]);
    ///     a.zip_local(&scale, |x: i32, y: i32| x * y)?.all_gather()
    /// })?;
    /// assert_eq!(wholes[0].to_string(), "[[ 10, 200],\n [ 30, 400],\n [ 50, 600]]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if the elements are of other types, `Shape` if the shapes do not match, `InvalidArgument` if the distributions do not.
    pub fn zip_local<'a, A: Element, B: Element, C: Element>(
        &self,
        other: impl Into<Operand<'a>>,
        mut f: impl FnMut(A, B) -> C,
    ) -> Result<Self> {
        let Aligned { global_shape, axis, other } = align(self, &other.into())?;
        let shape = block_shape(&global_shape, axis, &self.comm);
        let (a, b) = (self.local.view::<A>()?, other.view::<B>()?);
        let (Some(a), Some(b)) = (a.broadcast(IxDyn(&shape)), b.broadcast(IxDyn(&shape))) else {
            bail!(Shape, "blocks of shape {:?} and {:?} do not broadcast to {shape:?}", self.local.shape(), other.shape());
        };
        let local = Zip::from(a).and(b).map_collect(|x, y| f(*x, *y));
        Ok(Self { comm: self.comm.clone(), axis, global_shape, local: local.into() })
    }

    /// Replaces each element by a function of it and of that of another operand, which broadcasts to this array. Local.
    ///
    /// # Errors
    /// As [`zip_local`](Self::zip_local); `Shape` also if the result would have another shape than this array.
    pub fn zip_local_inplace<'a, A: Element, B: Element>(
        &mut self,
        other: impl Into<Operand<'a>>,
        mut f: impl FnMut(&mut A, B),
    ) -> Result<()> {
        let Aligned { global_shape, other, .. } = align(self, &other.into())?;
        if global_shape != self.global_shape {
            return Err(error!(Shape, "the result has the shape {global_shape:?}, the array {:?}", self.global_shape)
                .remedy("use zip_local, which makes a new array"));
        }
        let other = other.view::<B>()?;
        let mut local = self.local.view_mut::<A>()?;
        let Some(other) = other.broadcast(local.raw_dim()) else {
            bail!(Shape, "a block of shape {:?} does not broadcast to {:?}", other.shape(), local.shape());
        };
        Zip::from(&mut local).and(other).for_each(|x, y| f(x, *y));
        Ok(())
    }

    /// The elements converted to another type; the distribution stays. Local: a value that cannot be converted is an error on its rank only.
    ///
    /// # Errors
    /// `Dtype` if there is no conversion or a value does not fit under the policy, `Unsupported` if the type cannot be distributed.
    pub fn astype(&self, dtype: &DType, cast: Cast) -> Result<Self> {
        super::check_dtype(dtype)?;
        Ok(self.with_local(self.local.astype(dtype, cast)?))
    }

    /// The global shape that elementwise work with another operand gives. Local.
    ///
    /// # Errors
    /// As [`zip_local`](Self::zip_local), types aside.
    pub fn broadcast_with<'a>(&self, other: impl Into<Operand<'a>>) -> Result<Vec<usize>> {
        Ok(align(self, &other.into())?.global_shape)
    }
}
