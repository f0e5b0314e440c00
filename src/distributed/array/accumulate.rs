//! Running sums and the like, off the distributed axis.

use super::fold::{Narrow, Ordered, Totals, Wide, finish, for_number, for_ordered};
use super::reduce::result_type;
use super::{Axis, DistributedArray, Reduction};
use crate::array::{AnyArray, Element};
use crate::distributed::communicator::Number;
use crate::error::{Result, bail, error};

impl DistributedArray {
    /// The running sum, product, minimum or maximum along an axis other than the distributed one. Local.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, Reduction, SelfComm};
    /// let a = DistributedArray::from_global(&AnyArray::from(ndarray::array![[1, 2, 3]]), 0, std::sync::Arc::new(SelfComm::new()))?;
    /// let sums = a.accumulate(Reduction::Sum, 1)?;
    /// assert_eq!(sums.local_array(), &AnyArray::from(ndarray::array![[1i64, 3, 6]]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such axis or it is the distributed one, `Unsupported` if it has no meaning for the elements.
    pub fn accumulate(&self, op: Reduction, axis: impl Into<Axis>) -> Result<Self> {
        let axis = axis.into().resolve(self.ndim())?;
        if axis == self.axis {
            return Err(
                error!(InvalidArgument, "the {op} cannot run along axis {axis}, which is distributed").remedy("redistribute it first")
            );
        }
        let (number, result) = result_type(op, self.dtype())?;
        let shape = self.local.shape();
        let inner: usize = shape[axis + 1..].iter().product();
        let along = (shape[axis], inner);
        let block = &self.local;
        let totals = match op {
            Reduction::Sum => {
                for_number!(number, T => running(<T as Narrow>::Wide::NUMBER, &T::slice(block)?, along, Narrow::widen, Wide::add))
            }
            Reduction::Product => {
                for_number!(number, T => running(<T as Narrow>::Wide::NUMBER, &T::slice(block)?, along, Narrow::widen, Wide::mul))
            }
            Reduction::Min => for_ordered!(number, T => running(number, &T::slice(block)?, along, |x| x, T::least), else no_order(op)?),
            Reduction::Max => for_ordered!(number, T => running(number, &T::slice(block)?, along, |x| x, T::greatest), else no_order(op)?),
            _ => bail!(Unsupported, "there is no running {op}"),
        };
        Ok(self.with_local(finish(totals, &result, shape)?))
    }
}

fn no_order(op: Reduction) -> Result<Totals> {
    bail!(Unsupported, "complex numbers have no {op}")
}

fn running<T: Copy, A: Element>(
    number: Number,
    data: &[T],
    (len, inner): (usize, usize),
    widen: impl Fn(T) -> A,
    step: impl Fn(A, A) -> A,
) -> Totals {
    let mut out: Vec<A> = data.iter().map(|x| widen(*x)).collect();
    if len * inner > 0 {
        for plane in out.chunks_exact_mut(len * inner) {
            for k in inner..plane.len() {
                plane[k] = step(plane[k - inner], plane[k]);
            }
        }
    }
    (AnyArray::from(out).raw().0.to_vec(), number)
}
