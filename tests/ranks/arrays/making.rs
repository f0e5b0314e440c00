//! How arrays are made, and what they say of themselves.

use super::{counted, patterned};
use memh5::distributed::{CommRef, DistributedArray, Partition};
use memh5::{AnyArray, DType, ErrorKind, Result};

crate::cases!(shapes_follow_the_rule, filled_arrays, blocks_are_cut, wrap_joins, wrap_refuses_alike, mistakes_are_local_and_alike, copies);

fn shapes_follow_the_rule(comm: &CommRef) -> Result<()> {
    for (shape, axis) in [(vec![10, 11], 1), (vec![10, 11], 0), (vec![3], 0), (vec![0, 4], 0), (vec![4, 0, 2], 2), (vec![1, 1], 1)] {
        let a = DistributedArray::zeros(DType::F64, shape.clone(), axis, comm.clone())?;
        let rule = Partition::new(shape[axis], comm.size()).range(comm.rank());
        assert_eq!((a.global_shape(), a.axis(), a.local_bounds()), (&shape[..], axis, rule.clone()));
        let mut local = shape.clone();
        local[axis] = rule.len();
        assert_eq!(a.local_shape(), local);
        let mut offset = vec![0; shape.len()];
        offset[axis] = rule.start;
        assert_eq!(a.local_offset(), offset);
        assert_eq!((a.len(), a.is_empty(), a.ndim()), (shape.iter().product(), shape.contains(&0), shape.len()));
        assert_eq!(a.comm().id(), comm.id());
        let twin = DistributedArray::zeros(DType::F64, shape.clone(), axis as isize - shape.len() as isize, comm.clone())?;
        assert_eq!(twin.axis(), axis, "a negative axis is the same one");
        for (k, here) in local.iter().enumerate() {
            let pairs: Vec<_> = a.enumerate(k)?.collect();
            let start = if k == axis { rule.start } else { 0 };
            assert_eq!(pairs, (0..*here).map(|i| (i, start + i)).collect::<Vec<_>>());
        }
    }
    Ok(())
}

fn filled_arrays(comm: &CommRef) -> Result<()> {
    for dtype in [DType::Bool, DType::I8, DType::U64, DType::F16, DType::F32, DType::C128, DType::F64.with_order(memh5::dtype::Order::Big)]
    {
        let zeros = DistributedArray::zeros(dtype.clone(), [5, 3], 0, comm.clone())?;
        let ones = DistributedArray::ones(dtype.clone(), [5, 3], 0, comm.clone())?;
        assert_eq!(ones.dtype(), &dtype);
        assert!(zeros.local_array().as_bytes().unwrap().iter().all(|b| *b == 0));
        let one = AnyArray::from(1u8).astype(&dtype, memh5::Cast::Exact)?.broadcast(ones.local_shape())?;
        assert_eq!(ones.local_array(), &one);
    }
    let full = DistributedArray::full(DType::I32, [4], 0, &AnyArray::from(7u8), comm.clone())?;
    assert!(full.local_view::<i32>()?.iter().all(|x| *x == 7));
    let kinds = |r: Result<DistributedArray>| r.unwrap_err().kind();
    assert_eq!(kinds(DistributedArray::full(DType::I8, [4], 0, &AnyArray::from(1000), comm.clone())), ErrorKind::Dtype);
    assert_eq!(kinds(DistributedArray::ones(DType::fixed_ascii(3), [4], 0, comm.clone())), ErrorKind::Dtype);
    Ok(())
}

fn blocks_are_cut(comm: &CommRef) -> Result<()> {
    for dtype in [DType::I64, DType::fixed_ascii(5), DType::compound([("a", DType::U8), ("b", DType::F64)])?] {
        let whole = patterned(&dtype, &[7, 4]);
        for axis in 0..2 {
            let a = DistributedArray::from_global(&whole, axis, comm.clone())?;
            let block = if axis == 0 { whole.select(a.local_bounds())? } else { whole.select((.., a.local_bounds()))? };
            assert_eq!(a.local_array(), &block);
            let b = DistributedArray::from_parts(block, [7, 4], axis, comm.clone())?;
            assert!(b.equal(&a)?);
        }
    }
    Ok(())
}

fn wrap_joins(comm: &CommRef) -> Result<()> {
    for n in [0, 1, 2, 9, 10] {
        let block = Partition::new(n, comm.size()).range(comm.rank());
        let local = counted(&[10, n]).select((.., block))?;
        for axis in [1, -1] {
            let a = DistributedArray::wrap(local.clone(), axis, comm.clone())?;
            assert_eq!((a.global_shape(), a.axis()), (&[10, n][..], 1));
            assert_eq!(a.all_gather()?, counted(&[10, n]));
        }
    }
    Ok(())
}

fn wrap_refuses_alike(comm: &CommRef) -> Result<()> {
    let (rank, last) = (comm.rank(), comm.size() - 1);
    let good = || AnyArray::zeros(DType::F64, [2, 3]);
    // What only the last rank brings. The first rank that is odd is named, by the same words everywhere.
    let odd = [
        ("has 3 of the", AnyArray::zeros(DType::F64, [3, 3])?),
        ("is of type", AnyArray::zeros(DType::F32, [2, 3])?),
        ("has the shape", AnyArray::zeros(DType::F64, [2, 4])?),
        ("has the shape", AnyArray::zeros(DType::F64, [2])?),
        ("cannot be distributed", AnyArray::zeros(DType::STR, [2, 3])?),
        ("cannot be distributed", AnyArray::null(DType::F64)),
        ("a scalar has no axis", AnyArray::from(1.0)),
    ];
    for (part, odd) in odd {
        let result = DistributedArray::wrap(if rank == last { odd } else { good()? }, 0, comm.clone());
        if comm.size() == 1 {
            if let Err(error) = result {
                assert!(error.kind() != ErrorKind::Collective, "{error}");
            }
            continue;
        }
        // One more on the last rank: that is one too many for the others.
        let error = result.unwrap_err();
        let texts = comm.all_gather(error.to_string().as_bytes())?;
        assert!(texts.iter().all(|text| *text == texts[0]), "{error}");
        assert_eq!(error.kind(), ErrorKind::Collective, "{error}");
        if !part.starts_with("has 3") {
            assert_eq!(error.rank(), Some(last), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    // A mistake of all is what it is on one rank.
    let kinds = [
        (DistributedArray::wrap(good()?, 2, comm.clone()), ErrorKind::InvalidArgument),
        (DistributedArray::wrap(AnyArray::zeros(DType::STR, [2])?, 0, comm.clone()), ErrorKind::Unsupported),
    ];
    for (result, kind) in kinds {
        assert_eq!(result.unwrap_err().kind(), kind);
    }
    // And the communicator still works.
    comm.barrier()
}

fn mistakes_are_local_and_alike(comm: &CommRef) -> Result<()> {
    let make = |dtype: DType, shape: &[usize], axis: isize| DistributedArray::zeros(dtype, shape, axis, comm.clone()).unwrap_err();
    assert_eq!(make(DType::F64, &[2, 3], 2).kind(), ErrorKind::InvalidArgument);
    assert_eq!(make(DType::F64, &[2, 3], -3).kind(), ErrorKind::InvalidArgument);
    assert!(make(DType::F64, &[], 0).message().contains("scalar"));
    assert_eq!(make(DType::F64, &[1; 33], 0).kind(), ErrorKind::Shape);
    assert_eq!(make(DType::F64, &[usize::MAX, 2], 0).kind(), ErrorKind::Shape);
    for dtype in [DType::STR, DType::varseq(DType::I32), DType::ObjectRef, DType::RegionRef, DType::compound([("s", DType::STR)])?] {
        let error = make(dtype.clone(), &[2], 0);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(&dtype.to_string()) && error.remedy_text().is_some(), "{error}");
    }
    let wrong = AnyArray::zeros(DType::F64, [100, 2])?;
    assert_eq!(DistributedArray::from_parts(wrong, [5, 2], 0, comm.clone()).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(DistributedArray::from_global(AnyArray::null(DType::F64), 0, comm.clone()).unwrap_err().kind(), ErrorKind::Shape);
    let mut a = DistributedArray::zeros(DType::F64, [5], 0, comm.clone())?;
    assert_eq!(a.set_local(AnyArray::zeros(DType::F64, [100])?).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(a.set_local(AnyArray::zeros(DType::F32, a.local_shape())?).unwrap_err().kind(), ErrorKind::Dtype);
    a.set_local(AnyArray::full(DType::F64, a.local_shape(), &AnyArray::from(2.0))?)?;
    assert_eq!(a.sum(..)?.into_scalar::<f64>()?, 10.0);
    Ok(())
}

fn copies(comm: &CommRef) -> Result<()> {
    // On one rank only: a copy communicates with nobody.
    let a = DistributedArray::from_global(counted(&[9, 2]), 0, comm.clone())?;
    if comm.rank() == 0 {
        let mut b = a.clone();
        assert!(b.same_distribution(&a));
        assert!(b.local_array().is_empty() || b.local_array().shares_memory_with(a.local_array()));
        b.local_view_mut::<i64>()?.fill(-1);
        assert_eq!(a.local_array(), &counted(&[9, 2]).select(a.local_bounds())?);
    }
    comm.barrier()?;
    // One element on one rank makes two arrays differ, for all ranks.
    let mut b = a.clone();
    assert!(a.equal(&b)?);
    if comm.rank() == comm.size() - 1 {
        b.local_view_mut::<i64>()?.iter_mut().for_each(|x| *x += 1);
    }
    assert_eq!(a.equal(&b)?, comm.size() > 9);
    assert!(!a.equal(&DistributedArray::from_global(counted(&[9, 2]), 1, comm.clone())?)?);
    Ok(())
}
