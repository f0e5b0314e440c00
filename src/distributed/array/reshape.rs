//! Another shape of the axes before and after the distributed one.

use super::{DistributedArray, block_shape};
use crate::error::{Error, Result, bail, error};

impl DistributedArray {
    /// The same elements in another shape, in which `None` stands for the distributed axis, and -1 for one length that follows from the others. Local.
    ///
    /// What is before the distributed axis stays before it and what is after stays after, so no element changes its rank. The check looks at the
    /// global shape only: its answer is the same on all ranks.
    ///
    /// ```
    /// use memh5::DType;
    /// use memh5::distributed::{DistributedArray, SelfComm};
    /// let a = DistributedArray::zeros(DType::F32, [1, 11, 2, 14], 1, std::sync::Arc::new(SelfComm::new()))?;
    /// let b = a.reshape(&[None, Some(-1)])?;
    /// assert_eq!((b.global_shape(), b.axis()), (&[11, 28][..], 0));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if there is not exactly one `None`, more than one -1, or another negative length; `Shape` if the elements do not fit.
    pub fn reshape(&self, shape: &[Option<isize>]) -> Result<Self> {
        if shape.iter().filter(|n| n.is_none()).count() != 1 {
            bail!(InvalidArgument, "the new shape needs exactly one None, for the distributed axis");
        }
        if shape.iter().filter(|n| **n == Some(-1)).count() > 1 {
            bail!(InvalidArgument, "the new shape may have one length -1 only");
        }
        let axis = shape.iter().position(Option::is_none).unwrap_or_default();
        let misfit = || -> Error {
            let wanted: Vec<String> = shape.iter().map(|n| n.map_or("None".to_owned(), |n| n.to_string())).collect();
            error!(
                Shape,
                "a distributed array of shape {:?} with axis {} cannot be reshaped to ({})",
                self.global_shape,
                self.axis,
                wanted.join(", ")
            )
        };
        let mut global_shape = side(&shape[..axis], &self.global_shape[..self.axis])?.ok_or_else(misfit)?;
        global_shape.push(self.global_shape[self.axis]);
        global_shape.extend(side(&shape[axis + 1..], &self.global_shape[self.axis + 1..])?.ok_or_else(misfit)?);
        let local = self.local.clone().reshape(&block_shape(&global_shape, axis, &self.comm))?;
        Ok(Self { comm: self.comm.clone(), axis, global_shape, local })
    }
}

/// The new lengths on one side of the distributed axis; `None` if the elements do not fit.
fn side(wanted: &[Option<isize>], old: &[usize]) -> Result<Option<Vec<usize>>> {
    let elements: usize = old.iter().product();
    let mut known = 1usize;
    for n in wanted.iter().flatten().filter(|n| **n != -1) {
        let Ok(n) = usize::try_from(*n) else { bail!(InvalidArgument, "the length {n} of an axis is negative") };
        known = known.saturating_mul(n);
    }
    let open = wanted.contains(&Some(-1));
    let fits = if open { known != 0 && elements.is_multiple_of(known) } else { known == elements };
    let length = |n: &isize| usize::try_from(*n).unwrap_or(elements / known.max(1));
    Ok(fits.then(|| wanted.iter().flatten().map(length).collect()))
}
