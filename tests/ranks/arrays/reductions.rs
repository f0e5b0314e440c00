//! Reductions: those of the whole array.

use super::{Random, counted};
use half::f16;
use memh5::distributed::{Axes, CommRef, DistributedArray, Reduced, Reduction};
use memh5::{AnyArray, Cast, DType, ErrorKind, Result};
use ndarray::ArrayD;
use num_complex::Complex;

crate::cases!(
    all_axes_of_all_shapes,
    types_of_results,
    special_numbers,
    nothing_to_reduce,
    same_bits_everywhere,
    wrong_reductions,
    running_totals
);

const OPS: [Reduction; 7] =
    [Reduction::Sum, Reduction::Product, Reduction::Mean, Reduction::Min, Reduction::Max, Reduction::All, Reduction::Any];

/// The reduction of a plain array of integers, element by element.
fn plain(whole: &ArrayD<i64>, op: Reduction, marks: &[bool], keep: bool) -> AnyArray {
    let shape: Vec<usize> = whole.shape().iter().zip(marks).filter(|(_, m)| keep || !**m).map(|(n, m)| if *m { 1 } else { *n }).collect();
    let mut groups: ArrayD<Vec<i64>> = ArrayD::from_elem(shape, Vec::new());
    for (index, x) in whole.indexed_iter() {
        let to: Vec<usize> = marks.iter().enumerate().filter(|(_, m)| keep || !**m).map(|(k, m)| if *m { 0 } else { index[k] }).collect();
        groups[&to[..]].push(*x);
    }
    match op {
        Reduction::Sum => groups.map(|g| g.iter().sum::<i64>()).into(),
        Reduction::Product => groups.map(|g| g.iter().fold(1, |a: i64, x| a.wrapping_mul(*x))).into(),
        Reduction::Mean => groups.map(|g| g.iter().sum::<i64>() as f64 / g.len() as f64).into(),
        Reduction::Min => groups.map(|g| *g.iter().min().unwrap()).into(),
        Reduction::Max => groups.map(|g| *g.iter().max().unwrap()).into(),
        Reduction::All => groups.map(|g| g.iter().all(|x| *x != 0)).into(),
        _ => groups.map(|g| g.iter().any(|x| *x != 0)).into(),
    }
}

fn gathered(result: Reduced) -> Result<AnyArray> {
    match result {
        Reduced::Plain(array) => Ok(array),
        Reduced::Distributed(array) => array.all_gather(),
    }
}

fn all_axes_of_all_shapes(comm: &CommRef) -> Result<()> {
    let mut random = Random::new(3);
    for shape in [vec![9], vec![1], vec![5, 3], vec![2, 9, 3], vec![3, 1, 4, 2], vec![7, 600]] {
        let count = shape.iter().product();
        let values: Vec<i64> = (0..count).map(|_| random.below(7) as i64 - 3).collect();
        let whole = ArrayD::from_shape_vec(shape.clone(), values).unwrap();
        for axis in 0..shape.len() {
            let a = DistributedArray::from_global(AnyArray::from(whole.clone()), axis, comm.clone())?;
            for chosen in 0..1usize << shape.len() {
                let marks: Vec<bool> = (0..shape.len()).map(|k| chosen >> k & 1 == 1).collect();
                let list: Vec<usize> = (0..shape.len()).filter(|k| marks[*k]).collect();
                for op in OPS {
                    let keep = random.below(2) == 0;
                    let result = a.reduce(op, list.clone(), keep)?;
                    assert_eq!(matches!(result, Reduced::Plain(_)), marks[axis], "{shape:?} {axis} {list:?}");
                    assert_eq!(gathered(result)?, plain(&whole, op, &marks, keep), "{op} of {shape:?} over {list:?}, axis {axis}");
                }
            }
            // All axes at once, and an axis counted from the end.
            assert_eq!(a.sum(..)?.into_scalar::<i64>()?, whole.sum());
            assert_eq!(gathered(a.max(-1)?)?, gathered(a.max(shape.len() - 1)?)?);
        }
    }
    // The number of the axis falls by those before it.
    let a = DistributedArray::from_global(counted(&[2, 3, 9, 4]), 2, comm.clone())?;
    assert_eq!(a.sum([0, 3])?.into_distributed()?.axis(), 1);
    assert_eq!(a.reduce(Reduction::Sum, [0, 3], true)?.into_distributed()?.axis(), 2);
    assert_eq!(a.sum([0, 1, -1])?.into_distributed()?.axis(), 0);
    assert_eq!(a.reduce(Reduction::Max, .., true)?.into_plain()?.shape(), [1, 1, 1, 1]);
    Ok(())
}

fn types_of_results(comm: &CommRef) -> Result<()> {
    let reals = [
        (DType::Bool, DType::I64, DType::F64),
        (DType::I8, DType::I64, DType::F64),
        (DType::I16, DType::I64, DType::F64),
        (DType::I32, DType::I64, DType::F64),
        (DType::I64, DType::I64, DType::F64),
        (DType::U8, DType::U64, DType::F64),
        (DType::U16, DType::U64, DType::F64),
        (DType::U32, DType::U64, DType::F64),
        (DType::U64, DType::U64, DType::F64),
        (DType::F16, DType::F16, DType::F16),
        (DType::F32, DType::F32, DType::F32),
        (DType::F64, DType::F64, DType::F64),
        (DType::C64, DType::C64, DType::C64),
        (DType::C128, DType::C128, DType::C128),
    ];
    let zero_one = AnyArray::from(vec![0u8, 1, 1, 1, 0, 1, 0, 0, 1]);
    for (dtype, sum, mean) in reals {
        let a = DistributedArray::from_global(&zero_one.astype(&dtype, Cast::Exact)?, 0, comm.clone())?;
        let to = |n: u8, dtype: &DType| AnyArray::from(n).astype(dtype, Cast::Exact);
        assert_eq!(a.sum(..)?.into_plain()?, to(5, &sum)?, "{dtype}");
        assert_eq!(a.product(..)?.into_plain()?, to(0, &sum)?, "{dtype}");
        assert_eq!((a.all(..)?.into_scalar::<bool>()?, a.any(..)?.into_scalar::<bool>()?), (false, true), "{dtype}");
        let mean_is = a.mean(..)?.into_plain()?;
        assert_eq!(mean_is.dtype(), &mean);
        assert!((mean_is.element(0).unwrap().as_complex().unwrap().re - 5.0 / 9.0).abs() < 1e-3, "{dtype}");
        if matches!(dtype, DType::Complex(_)) {
            assert_eq!(a.min(..).unwrap_err().kind(), ErrorKind::Unsupported);
        } else {
            assert_eq!((a.min(..)?.into_plain()?, a.max(..)?.into_plain()?), (to(0, &dtype)?, to(1, &dtype)?), "{dtype}");
        }
    }
    // What is kept of a byte order is that of the elements.
    let big = DType::I16.with_order(memh5::dtype::Order::Big);
    let a = DistributedArray::from_global(&zero_one.astype(&big, Cast::Exact)?, 0, comm.clone())?;
    assert_eq!(a.max(..)?.into_plain()?.dtype(), &big);
    // Sums of small types do not overflow; those of 64 bits wrap.
    let a = DistributedArray::full(DType::I8, [1000], 0, &AnyArray::from(100), comm.clone())?;
    assert_eq!(a.sum(..)?.into_scalar::<i64>()?, 100_000);
    let a = DistributedArray::full(DType::U64, [3], 0, &AnyArray::from(u64::MAX), comm.clone())?;
    assert_eq!(a.sum(..)?.into_scalar::<u64>()?, u64::MAX - 2);
    assert_eq!(a.mean(..)?.into_scalar::<f64>()?, u64::MAX as f64);
    Ok(())
}

fn special_numbers(comm: &CommRef) -> Result<()> {
    let with = |at: usize, x: f64| {
        let mut values: Vec<f64> = (0..9).map(f64::from).collect();
        values[at] = x;
        AnyArray::from(values)
    };
    for at in 0..9 {
        for dtype in [DType::F16, DType::F32, DType::F64] {
            let a = DistributedArray::from_global(&with(at, f64::NAN).astype(&dtype, Cast::Saturate)?, 0, comm.clone())?;
            for result in [a.min(..)?, a.max(..)?, a.sum(..)?, a.mean(..)?] {
                assert!(result.into_plain()?.element(0).unwrap().as_f64().unwrap().is_nan(), "{dtype} {at}");
            }
            assert!(a.any(..)?.into_scalar::<bool>()?);
            let a = DistributedArray::from_global(&with(at, f64::NEG_INFINITY).astype(&dtype, Cast::Saturate)?, 0, comm.clone())?;
            assert_eq!(a.min(..)?.into_plain()?.element(0).unwrap().as_f64(), Some(f64::NEG_INFINITY));
        }
    }
    // Too large for the narrow type is infinite, as in the narrow type.
    let a = DistributedArray::full(DType::F16, [9], 0, &AnyArray::from(f16::from_f32(60000.0)), comm.clone())?;
    assert_eq!(a.sum(..)?.into_scalar::<f16>()?, f16::INFINITY);
    assert_eq!(a.mean(..)?.into_scalar::<f16>()?, f16::from_f32(60000.0));
    let a = DistributedArray::full(DType::C64, [4], 0, &AnyArray::from(Complex::new(0f32, 1.0)), comm.clone())?;
    assert_eq!(a.product(..)?.into_scalar::<Complex<f32>>()?, Complex::new(1.0, 0.0));
    // A long sum keeps its digits.
    let a = DistributedArray::full(DType::F32, [300_000], 0, &AnyArray::from(0.1f32), comm.clone())?;
    assert_eq!(a.sum(..)?.into_scalar::<f32>()?, (0.1f32 as f64 * 300_000.0) as f32);
    Ok(())
}

fn nothing_to_reduce(comm: &CommRef) -> Result<()> {
    for (shape, axis) in [(vec![0], 0), (vec![0, 3], 0), (vec![3, 0], 0), (vec![3, 0], 1)] {
        let a = DistributedArray::zeros(DType::F64, shape.clone(), axis, comm.clone())?;
        assert_eq!(a.sum(..)?.into_scalar::<f64>()?, 0.0);
        assert_eq!(a.product(..)?.into_scalar::<f64>()?, 1.0);
        assert!(a.mean(..)?.into_scalar::<f64>()?.is_nan());
        assert_eq!((a.all(..)?.into_scalar::<bool>()?, a.any(..)?.into_scalar::<bool>()?), (true, false));
        for op in [Reduction::Min, Reduction::Max] {
            // An error on all ranks, before anything is exchanged.
            assert_eq!(a.reduce(op, .., false).unwrap_err().kind(), ErrorKind::InvalidArgument, "{shape:?}");
        }
    }
    // No elements, but no question either: the result has none.
    let a = DistributedArray::zeros(DType::I32, [3, 0], 0, comm.clone())?;
    assert_eq!(a.min(0)?.into_plain()?.shape(), [0]);
    assert_eq!(a.min(1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(a.sum(1)?.into_distributed()?.all_gather()?, AnyArray::from(vec![0i64; 3]));
    // More ranks than items: the ranks without items change nothing.
    let a = DistributedArray::from_global(AnyArray::from(vec![-5i8]), 0, comm.clone())?;
    assert_eq!((a.min(..)?.into_scalar::<i8>()?, a.max(..)?.into_scalar::<i8>()?), (-5, -5));
    assert_eq!(a.mean(..)?.into_scalar::<f64>()?, -5.0);
    Ok(())
}

fn same_bits_everywhere(comm: &CommRef) -> Result<()> {
    let values: Vec<f64> = (0..1001).map(|i| (f64::from(i) * 0.7).sin() * 10f64.powi(i % 30)).collect();
    let a = DistributedArray::from_global(&AnyArray::from(values).reshape(&[1001, 1])?, 0, comm.clone())?;
    for op in OPS {
        let bits = a.reduce(op, 0, false)?.into_plain()?.as_bytes().unwrap().to_vec();
        let all = comm.all_gather(&bits)?;
        assert!(all.iter().all(|b| *b == all[0]), "{op}");
    }
    Ok(())
}

fn wrong_reductions(comm: &CommRef) -> Result<()> {
    let a = DistributedArray::from_global(counted(&[4, 2]), 0, comm.clone())?;
    for axes in [Axes::from(2), Axes::from(-3), Axes::from([0, 0]), Axes::from([1, -1])] {
        assert_eq!(a.sum(axes).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    for dtype in [DType::fixed_ascii(3), DType::opaque(2, ""), DType::compound([("a", DType::I32)])?] {
        let b = DistributedArray::zeros(dtype.clone(), [4], 0, comm.clone())?;
        let error = b.sum(..).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(&dtype.to_string()), "{error}");
    }
    assert_eq!(a.sum(1)?.into_plain().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(a.sum(0)?.into_distributed().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(a.sum(0)?.into_scalar::<i64>().unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(a.sum(..)?.into_scalar::<f64>().unwrap_err().kind(), ErrorKind::Dtype);
    Ok(())
}

fn running_totals(comm: &CommRef) -> Result<()> {
    let whole = counted(&[2, 9, 4]).view::<i64>()?.map(|x| (x * 7 + 3) % 11 - 5);
    let a = DistributedArray::from_global(AnyArray::from(whole.clone()), 1, comm.clone())?;
    for axis in [0usize, 2] {
        for (op, f) in [
            (Reduction::Sum, (|a, b| a + b) as fn(i64, i64) -> i64),
            (Reduction::Product, |a, b| a * b),
            (Reduction::Min, i64::min),
            (Reduction::Max, i64::max),
        ] {
            let mut right = whole.clone();
            right.accumulate_axis_inplace(ndarray::Axis(axis), |before, x| *x = f(*before, *x));
            assert_eq!(a.accumulate(op, axis)?.all_gather()?.view::<i64>()?, right, "{op} along {axis}");
        }
    }
    let small = a.astype(&DType::I8, Cast::Exact)?.accumulate(Reduction::Sum, -1)?;
    assert_eq!(small.dtype(), &DType::I64);
    let single = a.astype(&DType::F32, Cast::Exact)?.accumulate(Reduction::Sum, -1)?;
    assert_eq!(single.dtype(), &DType::F32);
    assert_eq!(a.accumulate(Reduction::Sum, 1).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(a.accumulate(Reduction::Mean, 0).unwrap_err().kind(), ErrorKind::Unsupported);
    let empty = DistributedArray::zeros(DType::F64, [0, 3], 0, comm.clone())?;
    assert_eq!(empty.accumulate(Reduction::Sum, 1)?.global_shape(), [0, 3]);
    Ok(())
}
