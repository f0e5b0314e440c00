//! Transposition and reshaping.

use super::{counted, patterned};
use memh5::distributed::{CommRef, DistributedArray};
use memh5::{AnyArray, DType, ErrorKind, Result};

crate::cases!(transposes, reshapes, bad_shapes_are_bad_everywhere);

/// A transposition, byte by byte.
fn transposed(whole: &AnyArray, order: &[usize]) -> AnyArray {
    let item = whole.dtype().itemsize();
    let shape: Vec<usize> = order.iter().map(|k| whole.shape()[*k]).collect();
    let places = counted(whole.shape()).to_array::<i64>().unwrap().permuted_axes(order.to_vec());
    let bytes = whole.as_bytes().unwrap();
    let moved: Vec<u8> = places.iter().flat_map(|at| bytes[*at as usize * item..][..item].to_vec()).collect();
    AnyArray::from_bytes(whole.dtype().clone(), shape, &moved).unwrap()
}

fn transposes(comm: &CommRef) -> Result<()> {
    for dtype in [DType::U8, DType::F32, DType::C128, DType::fixed_ascii(3)] {
        let whole = patterned(&dtype, &[3, 11, 2, 7]);
        for axis in 0..4 {
            let a = DistributedArray::from_global(&whole, axis, comm.clone())?;
            for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1], [0, 2, 1, 3], [1, 0, 3, 2]] {
                let signed: Vec<isize> = order.iter().map(|k| if k % 2 == 0 { *k as isize } else { *k as isize - 4 }).collect();
                let b = a.transpose(&signed)?;
                assert_eq!(b.axis(), order.iter().position(|k| *k == axis).unwrap());
                assert_eq!(b.all_gather()?, transposed(&whole, &order), "{dtype} {order:?}");
            }
            assert!(a.t()?.equal(&a.transpose(&[3, 2, 1, 0])?)?);
            assert!(a.t()?.t()?.equal(&a)?);
        }
    }
    let a = DistributedArray::from_global(counted(&[1, 11, 2, 14]), 1, comm.clone())?;
    let b = a.transpose(&[1, 3, 0, 2])?;
    assert_eq!((b.global_shape(), b.axis(), b.local_offset()[0]), (&[11, 14, 1, 2][..], 0, a.local_offset()[1]));
    for axes in [&[0, 1, 2][..], &[0, 1, 2, 2], &[0, 1, 2, 4], &[]] {
        assert_eq!(a.transpose(axes).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    Ok(())
}

fn reshapes(comm: &CommRef) -> Result<()> {
    let whole = counted(&[1, 11, 2, 14]);
    let a = DistributedArray::from_global(&whole, 1, comm.clone())?;
    let at = |n: isize| Some(n);
    for (shape, axis, result) in [
        (vec![None, at(28)], 0, vec![11, 28]),
        (vec![None, at(-1)], 0, vec![11, 28]),
        (vec![at(1), at(1), None, at(7), at(-1), at(2)], 2, vec![1, 1, 11, 7, 2, 2]),
        (vec![at(-1), None, at(4), at(7)], 1, vec![1, 11, 4, 7]),
    ] {
        let b = a.reshape(&shape)?;
        assert_eq!((b.axis(), b.global_shape()), (axis, &result[..]));
        assert_eq!(b.all_gather()?, whole.clone().reshape(&result)?);
    }
    let b = DistributedArray::from_global(&whole, 3, comm.clone())?;
    for shape in [[at(22), None], [at(-1), None]] {
        assert_eq!(b.reshape(&shape)?.all_gather()?, whole.clone().reshape(&[22, 14])?);
    }
    let empty = DistributedArray::zeros(DType::F64, [2, 0, 6], 1, comm.clone())?;
    assert_eq!(empty.reshape(&[at(2), None, at(3), at(-1)])?.global_shape(), [2, 0, 3, 2]);
    let hollow = DistributedArray::zeros(DType::F64, [3, 0], 0, comm.clone())?;
    assert_eq!(hollow.reshape(&[None, at(5), at(0)])?.global_shape(), [3, 5, 0]);
    assert_eq!(hollow.reshape(&[None, at(5), at(-1)])?.global_shape(), [3, 5, 0]);
    Ok(())
}

fn bad_shapes_are_bad_everywhere(comm: &CommRef) -> Result<()> {
    // Two rows for any number of ranks: those without a row refuse like the others.
    let a = DistributedArray::from_global(counted(&[2, 6]), 0, comm.clone())?;
    for (shape, kind) in [
        (vec![Some(2), Some(6)], ErrorKind::InvalidArgument),
        (vec![None, None], ErrorKind::InvalidArgument),
        (vec![None, Some(-1), Some(-1)], ErrorKind::InvalidArgument),
        (vec![None, Some(-2)], ErrorKind::InvalidArgument),
        (vec![None, Some(5)], ErrorKind::Shape),
        (vec![None, Some(4), Some(-1)], ErrorKind::Shape),
        (vec![None, Some(0), Some(-1)], ErrorKind::Shape),
        (vec![None], ErrorKind::Shape),
        (vec![Some(6), None], ErrorKind::Shape),
        (vec![Some(2), None, Some(3)], ErrorKind::Shape),
    ] {
        assert_eq!(a.reshape(&shape).unwrap_err().kind(), kind, "{shape:?}");
    }
    Ok(())
}
