//! Elementwise work and its rules.

use super::counted;
use memh5::distributed::{CommRef, DistributedArray, Operand};
use memh5::{AnyArray, Cast, DType, ErrorKind, Result};
use num_complex::Complex;

crate::cases!(maps, zips, broadcasting, distributions_have_to_match, conversions);

fn maps(comm: &CommRef) -> Result<()> {
    let a = DistributedArray::from_global(counted(&[9, 2]), 0, comm.clone())?;
    let half = a.map_local(|x: i64| x as f64 / 2.0)?;
    assert!(half.same_distribution(&a));
    assert_eq!(half.all_gather()?.view::<f64>()?, counted(&[9, 2]).view::<i64>()?.map(|x| *x as f64 / 2.0));
    let mut b = a.clone();
    b.map_local_inplace(|x: i64| -x)?;
    assert_eq!(b.sum(..)?.into_scalar::<i64>()?, -153);
    assert_eq!(a.sum(..)?.into_scalar::<i64>()?, 153);
    assert_eq!(a.map_local(|x: f64| x).unwrap_err().kind(), ErrorKind::Dtype);
    let flipped = a.map_block(|block| block.select("...,::-1".parse::<memh5::Selection>()?))?;
    assert_eq!(flipped.all_gather()?, counted(&[9, 2]).select("...,::-1".parse::<memh5::Selection>()?)?);
    let error = a.map_block(|_| Ok(AnyArray::from(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    Ok(())
}

fn zips(comm: &CommRef) -> Result<()> {
    let whole = counted(&[2, 9]);
    let a = DistributedArray::from_global(&whole, 1, comm.clone())?;
    let twice = a.zip_local(&a, |x: i64, y: i64| x + y)?;
    assert!(twice.same_distribution(&a));
    assert!(twice.equal(&a.zip_local(2i64, |x: i64, y: i64| x * y)?)?);
    let complex = a.zip_local(Complex::new(0.0, 1.0), |x: i64, i: Complex<f64>| i * x as f64)?;
    assert_eq!(complex.dtype(), &DType::C128);
    // Two results.
    let (quotient, rest) = (a.zip_local(5i64, i64::div_euclid)?, a.zip_local(5i64, i64::rem_euclid)?);
    let mut back = quotient.clone();
    back.zip_local_inplace(5i64, |x: &mut i64, y: i64| *x *= y)?;
    back.zip_local_inplace(&rest, |x: &mut i64, y: i64| *x += y)?;
    assert!(back.equal(&a)?);
    assert_eq!(a.zip_local(2.0, |x: i64, y: i64| x + y).unwrap_err().kind(), ErrorKind::Dtype);
    Ok(())
}

fn broadcasting(comm: &CommRef) -> Result<()> {
    let add = |x: i64, y: i64| x * 1000 + y;
    let whole = counted(&[4, 9]);
    let a = DistributedArray::from_global(&whole, 1, comm.clone())?;
    // Plain operands: what they are on the distributed axis is 1, or nothing, or all of it.
    for shape in [vec![], vec![1], vec![4, 1], vec![1, 1], vec![9], vec![4, 9], vec![1, 9], vec![1, 4, 1], vec![3, 1, 1], vec![3, 4, 9]] {
        let plain = counted(&shape);
        let sum = a.zip_local(&plain, add)?;
        let right = ndarray::ArrayD::from_shape_fn(sum.global_shape(), |i| {
            let at = |array: &AnyArray| {
                let lead = sum.ndim() - array.ndim();
                let index: Vec<usize> = array.shape().iter().enumerate().map(|(k, n)| if *n == 1 { 0 } else { i[lead + k] }).collect();
                array.view::<i64>().unwrap()[&index[..]]
            };
            add(at(&whole), at(&plain))
        });
        assert_eq!(sum.axis(), sum.ndim() - 1, "{shape:?}");
        assert_eq!(sum.all_gather()?.view::<i64>()?, right, "{shape:?}");
        assert_eq!(a.broadcast_with(&plain)?, sum.global_shape());
    }
    // A distributed operand of fewer axes, and of more.
    let line = DistributedArray::from_global(counted(&[9]), 0, comm.clone())?;
    let sum = line.zip_local(&a, add)?;
    assert_eq!((sum.axis(), sum.global_shape()), (1, &[4, 9][..]));
    assert_eq!(sum.all_gather()?.view::<i64>()?[[2, 3]], 3000 + 21);
    assert!(a.zip_local(&line, |x: i64, y: i64| add(y, x))?.equal(&sum)?);
    let error = line.clone().zip_local_inplace(&a, |x: &mut i64, y: i64| *x += y).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    Ok(())
}

fn distributions_have_to_match(comm: &CommRef) -> Result<()> {
    let zip = |a: &DistributedArray, b: Operand<'_>| a.zip_local(b, |x: i64, y: i64| x + y).map(drop);
    let a = DistributedArray::from_global(counted(&[8, 8]), 0, comm.clone())?;
    let other_axis = DistributedArray::from_global(counted(&[8, 8]), 1, comm.clone())?;
    assert_eq!(zip(&a, (&other_axis).into()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let short = DistributedArray::from_global(counted(&[1, 8]), 0, comm.clone())?;
    assert_eq!(zip(&a, (&short).into()).unwrap_err().kind(), ErrorKind::Shape);
    let misfit = DistributedArray::from_global(counted(&[8, 3]), 0, comm.clone())?;
    assert_eq!(zip(&a, (&misfit).into()).unwrap_err().kind(), ErrorKind::Shape);
    // Length of the block is not length of the array, also on a rank where both are equal.
    for shape in [vec![3, 8], vec![7], vec![9, 1]] {
        assert_eq!(zip(&a, (&counted(&shape)).into()).unwrap_err().kind(), ErrorKind::Shape, "{shape:?}");
    }
    assert!(zip(&a, (&AnyArray::null(DType::I64)).into()).is_err());
    let part = a.global_slice(1..3)?;
    assert!(zip(&a, (&part).into()).is_err());
    // Another communicator, even of the same ranks.
    let elsewhere = comm.split(Some(0), comm.rank())?.expect("a color was given");
    let b = DistributedArray::from_global(counted(&[8, 8]), 0, elsewhere)?;
    assert_eq!(zip(&a, (&b).into()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(!a.same_distribution(&b));
    Ok(())
}

fn conversions(comm: &CommRef) -> Result<()> {
    let a = DistributedArray::from_global(counted(&[9, 2]), 0, comm.clone())?;
    for dtype in [DType::F16, DType::U8, DType::C64, DType::Bool] {
        let cast = if dtype == DType::Bool { Cast::Saturate } else { Cast::Exact };
        let Ok(right) = counted(&[9, 2]).astype(&dtype, cast) else { continue };
        let b = a.astype(&dtype, cast)?;
        assert_eq!(b.dtype(), &dtype);
        assert_eq!(b.all_gather()?, right);
    }
    assert_eq!(a.astype(&DType::STR, Cast::Exact).unwrap_err().kind(), ErrorKind::Unsupported);
    Ok(())
}
