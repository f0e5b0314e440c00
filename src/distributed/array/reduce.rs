//! Reductions over any axes, the distributed one too.

use super::fold::{Totals, finish, fold};
use super::{Axis, DistributedArray};
use crate::array::{AnyArray, FromArray};
use crate::distributed::agree::{Agreement, Call};
use crate::distributed::communicator::{Number, ReduceOp};
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use num_complex::Complex;
use std::fmt;

/// How elements become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reduction {
    /// The sum: of integers and bools in 64 bits, wrapping; of the others in their own type, made in double precision. 0 of no elements.
    Sum,
    /// The product, as the sum. 1 of no elements.
    Product,
    /// The mean: of integers and bools in f64, of the others in their own type. NaN of no elements.
    Mean,
    /// The smallest; NaN wins. Not of complex numbers, and not of no elements.
    Min,
    /// The largest; NaN wins. Not of complex numbers, and not of no elements.
    Max,
    /// True if all elements are other than 0; of no elements too.
    All,
    /// True if any element is other than 0.
    Any,
}

impl fmt::Display for Reduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Mean => "mean",
            Self::Min => "minimum",
            Self::Max => "maximum",
            Self::All => "truth of all",
            Self::Any => "truth of any",
        })
    }
}

/// The axes of a reduction: `..` for all of them, one, or a list. Negative ones count from the end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Axes {
    /// All.
    All,
    /// These.
    List(Vec<Axis>),
}

impl From<std::ops::RangeFull> for Axes {
    fn from(_: std::ops::RangeFull) -> Self {
        Self::All
    }
}
macro_rules! axes_from {
    ($($t:ty),*) => {$(
        impl From<$t> for Axes {
            fn from(axis: $t) -> Self {
                Self::List(vec![axis.into()])
            }
        }
        impl<const N: usize> From<[$t; N]> for Axes {
            fn from(axes: [$t; N]) -> Self {
                Self::List(axes.into_iter().map(Axis::from).collect())
            }
        }
        impl From<Vec<$t>> for Axes {
            fn from(axes: Vec<$t>) -> Self {
                Self::List(axes.into_iter().map(Axis::from).collect())
            }
        }
    )*};
}
axes_from!(i32, isize, usize);

impl Axes {
    /// For each axis, if it is one of them.
    fn marks(&self, ndim: usize) -> Result<Vec<bool>> {
        let Self::List(list) = self else { return Ok(vec![true; ndim]) };
        let mut marks = vec![false; ndim];
        for axis in list {
            if std::mem::replace(&mut marks[axis.resolve(ndim)?], true) {
                bail!(InvalidArgument, "the axis {} is reduced twice", axis.0);
            }
        }
        Ok(marks)
    }
}

/// The result of a reduction.
#[derive(Debug, Clone)]
pub enum Reduced {
    /// The distributed axis was not among the reduced ones.
    Distributed(DistributedArray),
    /// It was: all ranks have the same array, bit for bit.
    Plain(AnyArray),
}

impl Reduced {
    /// The distributed array.
    ///
    /// # Errors
    /// `InvalidArgument` if the distributed axis was reduced.
    pub fn into_distributed(self) -> Result<DistributedArray> {
        match self {
            Self::Distributed(array) => Ok(array),
            Self::Plain(_) => bail!(InvalidArgument, "the reduction took the distributed axis: the result is a plain array on all ranks"),
        }
    }

    /// The plain array that all ranks have.
    ///
    /// # Errors
    /// `InvalidArgument` if the distributed axis was not reduced.
    pub fn into_plain(self) -> Result<AnyArray> {
        match self {
            Self::Plain(array) => Ok(array),
            Self::Distributed(_) => {
                Err(error!(InvalidArgument, "the reduction left the distributed axis: the result is a distributed array")
                    .remedy("use into_distributed, and all_gather to have it on all ranks"))
            }
        }
    }

    /// The one number that a reduction over all axes gives.
    ///
    /// # Errors
    /// As [`into_plain`](Self::into_plain), `Shape` if there are more numbers, `Dtype` if they are of another type.
    pub fn into_scalar<T: FromArray>(self) -> Result<T> {
        T::from_array(self.into_plain()?)
    }
}

macro_rules! short {
    ($($(#[$doc:meta])* $name:ident = $op:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Collective
        /// As [`reduce`](Self::reduce).
        ///
        /// # Errors
        /// As [`reduce`](Self::reduce).
        pub fn $name(&self, axes: impl Into<Axes>) -> Result<Reduced> {
            self.reduce(Reduction::$op, axes, false)
        }
    )*};
}

impl DistributedArray {
    short! {
        /// The sum over some axes, or all (`..`).
        sum = Sum;
        /// The product over some axes, or all (`..`).
        product = Product;
        /// The mean over some axes, or all (`..`).
        mean = Mean;
        /// The smallest element over some axes, or all (`..`).
        min = Min;
        /// The largest element over some axes, or all (`..`).
        max = Max;
        /// Whether all elements over some axes, or all (`..`), are other than 0.
        all = All;
        /// Whether any element over some axes, or all (`..`), is other than 0.
        any = Any;
    }

    /// Reduces the array over some axes, or all (`..`): the result is that of the whole array, not of the rank's block.
    ///
    /// With `keep` the reduced axes stay, with the length 1. A rank without elements takes part like any other; what the reduction of no elements at all
    /// is, is decided by the global shape.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// use memh5::distributed::{DistributedArray, ThreadComm};
    /// let means = ThreadComm::run(4, |comm| {
    ///     // Three rows for four ranks.
    ///     let a = DistributedArray::from_global(&AnyArray::from(ndarray::array![[1, 2], [3, 4], [5, 9]]), 0, comm)?;
    ///     assert_eq!(a.sum(1)?.into_distributed()?.all_gather()?, AnyArray::from(vec![3i64, 7, 14]));
    ///     assert_eq!(a.max(0)?.into_plain()?, AnyArray::from(vec![5, 9]));
    ///     a.mean(..)?.into_scalar::<f64>()
    /// })?;
    /// assert_eq!(means, [4.0; 4]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Collective
    /// All ranks of the array call it if the distributed axis is among the axes; else it is local.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such axis, one is named twice, or the smallest or largest of no elements is asked for; `Unsupported` if the
    /// reduction has no meaning for the elements; `Collective`, the same on all ranks, if they call for different things.
    pub fn reduce(&self, op: Reduction, axes: impl Into<Axes>, keep: bool) -> Result<Reduced> {
        let marks = axes.into().marks(self.ndim())?;
        let dtype = self.dtype();
        let (number, result) = result_type(op, dtype)?;
        let lengths = |reduced: bool| self.global_shape.iter().zip(&marks).filter(move |(_, m)| **m == reduced).map(|(n, _)| *n);
        let count: usize = lengths(true).product();
        if matches!(op, Reduction::Min | Reduction::Max) && count == 0 && !lengths(false).any(|n| n == 0) {
            bail!(InvalidArgument, "the {op} of no elements: the array has the shape {:?}", self.global_shape);
        }
        let remaining = |shape: &[usize]| -> Vec<usize> {
            let kept = shape.iter().zip(&marks).filter(|(_, m)| keep || !**m);
            kept.map(|(n, m)| if *m { 1 } else { *n }).collect()
        };
        let totals = fold(&self.local, number, op, &marks)?;
        if !marks[self.axis] {
            let local = finish(mean(totals, op, count), &result, &remaining(self.local.shape()))?;
            let axis = if keep { self.axis } else { marks[..self.axis].iter().filter(|m| !**m).count() };
            let global_shape = remaining(&self.global_shape);
            return Ok(Reduced::Distributed(Self { comm: self.comm.clone(), axis, global_shape, local }));
        }
        let totals = if self.comm.size() == 1 { totals } else { self.over_ranks(op, &marks, totals)? };
        Ok(Reduced::Plain(finish(mean(totals, op, count), &result, &remaining(&self.global_shape))?))
    }

    fn over_ranks(&self, op: Reduction, marks: &[bool], (mut bytes, number): Totals) -> Result<Totals> {
        let axes: Vec<usize> = (0..marks.len()).filter(|k| marks[*k]).collect();
        let call =
            Call::new(format!("find the {op}")).dtype(self.dtype()).shape(&self.global_shape).note(format_args!("over the axes {axes:?}"));
        let combine = match op {
            Reduction::Sum | Reduction::Mean => ReduceOp::Sum,
            Reduction::Product => ReduceOp::Product,
            Reduction::Min => ReduceOp::Min,
            Reduction::Max => ReduceOp::Max,
            Reduction::All => ReduceOp::All,
            Reduction::Any => ReduceOp::Any,
        };
        Agreement::new(self.comm.clone()).collective(call, |step| step.comm().all_reduce(&mut bytes, number, combine))?;
        Ok((bytes, number))
    }
}

/// The numbers of an element type, and the element type of the result.
pub(super) fn result_type(op: Reduction, dtype: &DType) -> Result<(Number, DType)> {
    let Some(number) = Number::of(dtype) else {
        bail!(Unsupported, "the {op} of elements of type {dtype} has no meaning");
    };
    let complex = matches!(number, Number::C64 | Number::C128);
    let result = match op {
        Reduction::Min | Reduction::Max if complex => {
            bail!(Unsupported, "the {op} of elements of type {dtype} has no meaning: complex numbers have no order")
        }
        Reduction::Min | Reduction::Max => dtype.clone(),
        Reduction::All | Reduction::Any => DType::Bool,
        Reduction::Mean => match number {
            Number::F16 => DType::F16,
            Number::F32 => DType::F32,
            Number::C64 => DType::C64,
            Number::C128 => DType::C128,
            _ => DType::F64,
        },
        Reduction::Sum | Reduction::Product => match number {
            Number::I8 | Number::I16 | Number::I32 | Number::I64 => DType::I64,
            Number::U8 if *dtype == DType::Bool => DType::I64,
            Number::U8 | Number::U16 | Number::U32 | Number::U64 => DType::U64,
            Number::F16 => DType::F16,
            Number::F32 => DType::F32,
            Number::F64 => DType::F64,
            Number::C64 => DType::C64,
            Number::C128 => DType::C128,
        },
    };
    Ok((number, result))
}

/// Divides sums by their count.
fn mean((bytes, number): Totals, op: Reduction, count: usize) -> Totals {
    if op != Reduction::Mean {
        return (bytes, number);
    }
    let divided = |x: f64| x / count as f64;
    let bytes = match number {
        Number::C128 => {
            // A complex number is two numbers of which each is divided.
            debug_assert_eq!(bytes.len() % size_of::<Complex<f64>>(), 0);
            bytes.chunks_exact(8).flat_map(|x| divided(read(x)).to_ne_bytes()).collect()
        }
        _ => bytes.chunks_exact(8).flat_map(|x| divided(read(x)).to_ne_bytes()).collect(),
    };
    (bytes, number)
}

fn read(bytes: &[u8]) -> f64 {
    bytes.first_chunk().map_or(f64::NAN, |bytes| f64::from_ne_bytes(*bytes))
}
