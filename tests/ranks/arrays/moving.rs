//! Redistribution and gathering.

use super::{counted, patterned};
use memh5::distributed::{CommRef, DistributedArray};
use memh5::{AnyArray, DType, ErrorKind, Result};

crate::cases!(all_pairs_of_axes, all_types, transposed_blocks, gathers, pieces, rows_of_calls_agree, many_times);

fn all_pairs_of_axes(comm: &CommRef) -> Result<()> {
    for shape in [vec![10, 11], vec![3, 2], vec![1, 1], vec![5, 0], vec![0, 5], vec![4, 7, 3], vec![2, 5, 3, 4], vec![1, 11, 2, 14, 3, 4]] {
        let whole = counted(&shape);
        for from in 0..shape.len() {
            let a = DistributedArray::from_global(&whole, from, comm.clone())?;
            for to in 0..shape.len() {
                let b = a.redistribute(to)?;
                assert_eq!((b.axis(), b.global_shape()), (to, &shape[..]));
                let right = DistributedArray::from_global(&whole, to, comm.clone())?;
                assert_eq!(b.local_array(), right.local_array(), "{shape:?} from {from} to {to} on {} ranks", comm.size());
                assert!(b.redistribute(from as isize - shape.len() as isize)?.equal(&a)?);
                if from == to || comm.size() == 1 {
                    assert!(b.is_empty() || b.local_array().is_empty() || b.local_array().shares_memory_with(a.local_array()));
                }
            }
            assert_eq!(a.redistribute(shape.len()).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }
    Ok(())
}

fn all_types(comm: &CommRef) -> Result<()> {
    let colour = DType::enumeration(DType::U8, [("RED", 0), ("BLUE", 7)])?;
    let row = DType::compound_aligned([
        ("n", DType::I8),
        ("x", DType::F64),
        ("tag", DType::fixed_ascii(3)),
        ("v", DType::array(DType::U16, [3])),
    ])?;
    for dtype in [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::F32,
        DType::F64,
        DType::C64,
        DType::C128,
        DType::F32.with_order(memh5::dtype::Order::Big),
        DType::fixed_ascii(16),
        DType::fixed_utf8(7),
        DType::opaque(5, "raw"),
        colour,
        row,
        DType::array(DType::F64, [2, 5]),
    ] {
        let whole = patterned(&dtype, &[5, 6, 7]);
        for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            let a = DistributedArray::from_global(&whole, from, comm.clone())?;
            let b = a.redistribute(to)?;
            assert_eq!(b.dtype(), &dtype);
            assert_eq!(b.local_array(), DistributedArray::from_global(&whole, to, comm.clone())?.local_array(), "{dtype} {from} to {to}");
        }
        let a = DistributedArray::from_global(&whole, 1, comm.clone())?;
        assert_eq!(a.all_gather()?, whole);
    }
    Ok(())
}

fn transposed_blocks(comm: &CommRef) -> Result<()> {
    let whole = counted(&[6, 4, 5]);
    let right = AnyArray::from(whole.view::<i64>()?.permuted_axes(vec![2, 0, 1]).to_owned());
    for axis in 0..3 {
        let a = DistributedArray::from_global(&whole, axis, comm.clone())?.transpose(&[2, 0, 1])?;
        assert_eq!(a.all_gather()?, right);
        for to in 0..3 {
            assert_eq!(a.redistribute(to)?.all_gather()?, right);
        }
    }
    Ok(())
}

fn gathers(comm: &CommRef) -> Result<()> {
    for dtype in [DType::I64, DType::F32, DType::fixed_utf8(64)] {
        for (shape, axis) in [(vec![4, 7], 0), (vec![4, 7], 1), (vec![1, 2, 3], 1), (vec![0, 2], 0), (vec![2, 0], 0)] {
            let whole = patterned(&dtype, &shape);
            let a = DistributedArray::from_global(&whole, axis, comm.clone())?;
            for root in 0..comm.size() {
                assert_eq!(a.gather(root)?, (comm.rank() == root).then(|| whole.clone()), "{shape:?} {axis} {root}");
            }
            assert_eq!(a.all_gather()?, whole);
            assert_eq!(a.gather(comm.size()).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }
    Ok(())
}

/// Long enough that everything travels in several pieces.
fn pieces(comm: &CommRef) -> Result<()> {
    for (shape, from, to) in [
        (vec![300, 5, 701], 0, 2),
        (vec![300, 5, 701], 2, 1),
        (vec![1001, 1003], 0, 1),
        (vec![1001, 1003], 1, 0),
        (vec![3, 400_000], 0, 1),
        (vec![400_000, 3], 0, 1),
        (vec![400_000, 3], 1, 0),
    ] {
        let whole = counted(&shape);
        let a = DistributedArray::from_global(&whole, from, comm.clone())?;
        let b = a.redistribute(to)?;
        assert!(b.local_array() == DistributedArray::from_global(&whole, to, comm.clone())?.local_array(), "{shape:?} from {from} to {to}");
    }
    // One element that is longer than a piece.
    let size = 3 << 20;
    let images: Vec<u8> = (0..4).flat_map(|k| vec![k; size]).collect();
    let whole = AnyArray::from_bytes(DType::opaque(size, "image"), [2, 2], &images)?;
    let a = DistributedArray::from_global(&whole, 0, comm.clone())?.redistribute(1)?;
    assert!(a.all_gather()? == whole);
    Ok(())
}

fn rows_of_calls_agree(comm: &CommRef) -> Result<()> {
    // A rank that calls for something else makes the same error on all, and nothing is left over.
    let a = DistributedArray::from_global(counted(&[4, 5, 6]), 0, comm.clone())?;
    let axis = if comm.rank() == comm.size() - 1 { 2 } else { 1 };
    let result = a.redistribute(axis);
    if comm.size() > 1 {
        let error = result.unwrap_err();
        assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(comm.size() - 1)), "{error}");
        let texts = comm.all_gather(error.to_string().as_bytes())?;
        assert!(texts.iter().all(|text| *text == texts[0]), "{error}");
        let result = if comm.rank() == 0 { a.sum(..).map(drop) } else { a.all_gather().map(drop) };
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Collective);
    }
    assert_eq!(a.redistribute(2)?.all_gather()?, counted(&[4, 5, 6]));
    Ok(())
}

fn many_times(comm: &CommRef) -> Result<()> {
    let whole = counted(&[7, 5]);
    let mut a = DistributedArray::from_global(&whole, 0, comm.clone())?;
    for round in 0..300 {
        a = a.redistribute((round + 1) % 2)?;
    }
    assert_eq!(a.all_gather()?, whole);
    Ok(())
}
