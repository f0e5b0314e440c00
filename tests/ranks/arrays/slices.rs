//! Global slices: what the plain array gives, rank by rank.

use super::{Random, counted};
use memh5::distributed::{CommRef, DistributedArray, Positions};
use memh5::selection::Item;
use memh5::{AnyArray, DType, ErrorKind, Result, Selection};
use ndarray::{ArrayD, IxDyn};

crate::cases!(known_slices, random_reads, random_writes, full_slices_stay_distributed, slices_write_slices, wrong_slices);

fn spread(whole: &AnyArray, axis: usize, comm: &CommRef) -> Result<DistributedArray> {
    DistributedArray::from_global(whole, axis, comm.clone())
}

/// Reads a selection and compares everything with the plain array.
fn compare(a: &DistributedArray, whole: &AnyArray, selection: &Selection) -> Result<()> {
    let right = whole.select(selection)?;
    let slice = a.global_slice(selection)?;
    let told = || format!("{selection:?} of {:?}, axis {}, on {} ranks", a.global_shape(), a.axis(), a.comm().size());
    assert_eq!(slice.shape(), right.shape(), "{}", told());
    // This rank's part is what its positions say ...
    match slice.axis() {
        Some(axis) => {
            let mut items = vec![Item::FULL; right.ndim()];
            items[axis] = slice.positions().clone().into();
            assert_eq!(slice.local(), &right.select(Selection::Axes(items))?, "{}", told());
        }
        None if slice.is_here() => assert_eq!(slice.local(), &right, "{}", told()),
        None => assert!(slice.local().is_empty()),
    }
    // ... and the ranks have each position once.
    let mine: Vec<u8> = slice.positions().iter().flat_map(|p| (p as u64).to_le_bytes()).collect();
    let all = a.comm().all_gather(&mine)?.concat();
    let mut all: Vec<u64> = all.chunks(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect();
    all.sort_unstable();
    let count = slice.axis().map_or(1, |axis| right.shape()[axis]);
    assert!(all.iter().copied().eq(0..count as u64), "{}: {all:?}", told());
    assert_eq!(slice.all_gather()?, right, "{}", told());
    Ok(())
}

fn known_slices(comm: &CommRef) -> Result<()> {
    let whole = counted(&[7, 3, 2]);
    for axis in 0..3 {
        let a = spread(&whole, axis, comm)?;
        for text in [
            "::3",
            "1::2",
            "::-1",
            "-1",
            "0",
            "6::-2",
            "5:1:-3",
            "-3:",
            "2:5",
            "0:7",
            "0:100",
            "5:5",
            "5:2",
            "[6,0,0,3]",
            "[]",
            "[-1,-7]",
            "...",
            "...,1",
            "-2,...",
            "...,::-1",
            ":,1:,0",
            "::2,::-1,[1,0,1]",
            "3,2,1",
            "[0,1,2,3,4,5,6]",
            "",
            ":,:,:",
            "0,[2,0]",
            "::7",
            "3:4",
        ] {
            compare(&a, &whole, &text.parse()?)?;
        }
        compare(&a, &whole, &vec![true, false, false, true, true, false, true].into())?;
        compare(&a, &whole, &vec![false; 7].into())?;
        let mask = ArrayD::from_shape_fn(IxDyn(&[7, 3, 2]), |i| (i[0] * 5 + i[1] * 3 + i[2]) % 4 == 1);
        compare(&a, &whole, &mask.into())?;
        compare(&a, &whole, &ArrayD::from_elem(IxDyn(&[7, 3, 2]), false).into())?;
        compare(&a, &whole, &ArrayD::from_elem(IxDyn(&[7, 3, 2]), true).into())?;
    }
    // The phase of a step is that of the whole array.
    let a = spread(&counted(&[7]), 0, comm)?;
    let odd = a.global_slice(Item::step(1.., 2))?;
    for (x, position) in odd.local().view::<i64>()?.iter().zip(odd.positions().iter()) {
        assert_eq!(*x, 1 + 2 * position as i64);
    }
    // A rank without data has an empty part of the right shape.
    let b = spread(&counted(&[7, 3]), 0, comm)?;
    let one = b.global_slice((6..7, 1..))?;
    assert_eq!(one.local().shape(), [usize::from(b.local_bounds().contains(&6)), 2]);
    let row = b.global_slice(6)?;
    assert_eq!((row.axis(), row.is_here()), (None, b.local_bounds().contains(&6)));
    assert_eq!(row.local().shape(), if row.is_here() { [3] } else { [0] });
    assert_eq!(*row.positions(), Positions::Range(if row.is_here() { 0..1 } else { 0..0 }));
    let element = b.global_slice((-1, -1))?;
    assert_eq!((element.shape(), element.local().shape()), (&[][..], if element.is_here() { &[][..] } else { &[0][..] }));
    // No communication: one rank alone may ask.
    if comm.rank() == comm.size() - 1 {
        b.global_slice((.., 0))?;
    }
    Ok(())
}

fn random_item(random: &mut Random, n: usize) -> Item {
    let mut bound = || (random.below(4) > 0).then(|| random.below(2 * n + 6) as i64 - n as i64 - 3);
    let (start, stop) = (bound(), bound());
    match random.below(9) {
        0 if n > 0 => Item::Index(random.below(2 * n) as i64 - n as i64),
        1 if n > 0 => Item::List((0..random.below(2 * n + 1)).map(|_| random.below(2 * n) as i64 - n as i64).collect()),
        2 => Item::Mask((0..n).map(|_| random.below(2) == 0).collect()),
        3 => Item::FULL,
        4 => Item::Range { start: None, stop: None, step: random.pick(&[-1, 2, -3]) },
        _ => Item::Range { start, stop, step: random.pick(&[1, 1, 2, 3, -1, -2, -5, 7]) },
    }
}

fn random_selection(random: &mut Random, shape: &[usize]) -> Selection {
    if random.below(8) == 0 {
        return Selection::Mask(ArrayD::from_shape_fn(IxDyn(shape), |_| random.below(3) == 0));
    }
    let mut items: Vec<Item> = shape.iter().map(|n| random_item(random, *n)).collect();
    match random.below(6) {
        0 => items.truncate(random.below(shape.len() + 1)),
        1 => {
            let (from, gone) = (random.below(shape.len()), random.below(2));
            items.splice(from..(from + gone).min(shape.len()), [Item::Ellipsis]);
        }
        _ => {}
    }
    Selection::Axes(items)
}

fn random_shape(random: &mut Random) -> Vec<usize> {
    (0..1 + random.below(3)).map(|_| random.pick(&[0, 1, 2, 3, 5, 8, 13])).collect()
}

fn random_reads(comm: &CommRef) -> Result<()> {
    let mut random = Random::new(1);
    for _ in 0..150 {
        let shape = random_shape(&mut random);
        let whole = counted(&shape);
        let a = spread(&whole, random.below(shape.len()), comm)?;
        compare(&a, &whole, &random_selection(&mut random, &shape))?;
    }
    Ok(())
}

fn random_writes(comm: &CommRef) -> Result<()> {
    let mut random = Random::new(2);
    for round in 0..150 {
        let shape = random_shape(&mut random);
        let mut whole = counted(&shape);
        let mut a = spread(&whole, random.below(shape.len()), comm)?;
        let selection = random_selection(&mut random, &shape);
        // A value that broadcasts: some lengths 1, some axes missing, some more.
        let mut value: Vec<usize> = whole.select(&selection)?.shape().to_vec();
        for n in &mut value {
            if random.below(3) == 0 {
                *n = 1;
            }
        }
        value.drain(..random.below(value.len() + 1) * usize::from(random.below(3) == 0));
        if random.below(5) == 0 {
            value.insert(0, 1);
        }
        let value = counted(&value).astype(&random.pick(&[DType::I64, DType::I32, DType::F64]), memh5::Cast::Exact)?;
        let negative = AnyArray::from(value.astype(&DType::I64, memh5::Cast::Exact)?.view::<i64>()?.map(|x| -1 - x));
        a.set_global_slice(&selection, &negative)?;
        whole.assign(&selection, &negative)?;
        assert_eq!(a.all_gather()?, whole, "round {round}: {selection:?} of {shape:?}, value {:?}", negative.shape());
    }
    // Other types where every value is held, numbers, and copies that are shared stay as they were.
    let mut a = spread(&counted(&[6, 4]), 1, comm)?;
    let before = a.clone();
    a.set_global_slice((.., 2), 5i8)?;
    a.set_global_slice((0, ..), AnyArray::from(vec![1u8, 2, 3, 4]))?;
    let mut right = counted(&[6, 4]);
    right.assign((.., 2), &AnyArray::from(5i64))?;
    right.assign(0, &AnyArray::from(vec![1i64, 2, 3, 4]))?;
    assert_eq!(a.all_gather()?, right);
    assert_eq!(before.all_gather()?, counted(&[6, 4]));
    assert_eq!(a.set_global_slice(.., 0.5).unwrap_err().kind(), ErrorKind::Dtype);
    Ok(())
}

fn full_slices_stay_distributed(comm: &CommRef) -> Result<()> {
    let whole = counted(&[4, 9, 5]);
    let a = spread(&whole, 1, comm)?;
    for (text, axis) in
        [("0", 0), (":,0:9,2", 1), ("::2,:,[4,0]", 1), (":,[0,1,2,3,4,5,6,7,8]", 1), ("1,...,1", 0), ("...", 1), ("3,0:100", 0)]
    {
        let selection: Selection = text.parse()?;
        let part = a.global_slice(&selection)?.into_distributed()?;
        assert_eq!((part.axis(), part.global_shape()), (axis, whole.select(&selection)?.shape()), "{text}");
        assert_eq!(part.local_bounds(), a.local_bounds());
        assert_eq!(part.all_gather()?, whole.select(&selection)?, "{text}");
    }
    for text in [":,0:8", ":,::-1", ":,3", ":,1:", ":,[1,0,2,3,4,5,6,7,8]"] {
        assert_eq!(a.global_slice(text.parse::<Selection>()?)?.into_distributed().unwrap_err().kind(), ErrorKind::Selection, "{text}");
    }
    Ok(())
}

fn slices_write_slices(comm: &CommRef) -> Result<()> {
    let whole = counted(&[9, 4]);
    let mut a = spread(&whole, 0, comm)?;
    let mut right = whole.clone();
    // A column to a column, the distributed axis whole.
    let column = a.global_slice((.., 0))?.into_distributed()?;
    a.set_global_slice((.., 3), &column)?;
    right.assign((.., 3), &whole.select((.., 0))?)?;
    // A distributed array under axes that repeat it.
    let weights =
        DistributedArray::from_global(AnyArray::from(ndarray::Array2::from_shape_fn((9, 1), |(i, _)| i as i64)), 0, comm.clone())?;
    a.set_global_slice((.., 1..3), &weights)?;
    for k in 1..3 {
        right.assign((.., k), &AnyArray::from((0..9i64).collect::<Vec<_>>()))?;
    }
    // Parts to the same positions of another array.
    let b = spread(&counted(&[9, 4]).astype(&DType::I32, memh5::Cast::Exact)?, 0, comm)?;
    let rows: Selection = "7:2:-2".parse()?;
    a.set_global_slice(&rows, &b.global_slice(&rows)?)?;
    right.assign(&rows, &whole.select(&rows)?)?;
    assert_eq!(a.all_gather()?, right);
    // What does not lie alike is refused on all ranks.
    let kinds = [
        a.set_global_slice("6:1:-2".parse::<Selection>()?, &b.global_slice(&rows)?),
        a.set_global_slice(1..9, &column),
        a.set_global_slice((.., 0), &DistributedArray::from_global(counted(&[9, 9]), 1, comm.clone())?),
        a.set_global_slice((0, ..), &DistributedArray::from_global(counted(&[4]), 0, comm.clone())?),
        a.set_global_slice((.., 0..2), &DistributedArray::from_global(counted(&[9, 2]), 1, comm.clone())?),
    ];
    for (k, result) in kinds.into_iter().enumerate() {
        let kind = result.expect_err(&k.to_string()).kind();
        assert!(matches!(kind, ErrorKind::Shape | ErrorKind::InvalidArgument), "{k}: {kind}");
    }
    assert_eq!(a.all_gather()?, right);
    Ok(())
}

fn wrong_slices(comm: &CommRef) -> Result<()> {
    // The same error on all ranks, also on those that have nothing to do with the index.
    let mut a = spread(&counted(&[5, 2]), 0, comm)?;
    for text in ["5", "-6", "[0,5]", "0,0,0", "::0", "...,..."] {
        let selection: Selection = text.parse()?;
        let error = a.global_slice(&selection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Selection, "{text}");
        assert_eq!(error.message(), counted(&[5, 2]).select(&selection).unwrap_err().message());
        assert_eq!(a.set_global_slice(&selection, 0).unwrap_err().kind(), ErrorKind::Selection, "{text}");
    }
    assert!(a.global_slice(vec![true; 4]).is_err());
    assert!(a.global_slice(ArrayD::from_elem(IxDyn(&[5]), true)).is_err());
    for value in [vec![3], vec![2, 2], vec![2, 1, 1]] {
        assert_eq!(a.set_global_slice(0, counted(&value)).unwrap_err().kind(), ErrorKind::Shape, "{value:?}");
        assert_eq!(a.set_global_slice(.., counted(&value)).unwrap_err().kind(), ErrorKind::Shape, "{value:?}");
    }
    assert!(a.set_global_slice(.., AnyArray::null(DType::I64)).is_err());
    assert_eq!(a.all_gather()?, counted(&[5, 2]));
    Ok(())
}
