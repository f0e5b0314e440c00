//! Every kind of selection, read and written.
#![allow(clippy::reversed_empty_ranges)] // Those are what is tested.

use super::*;

fn cube() -> (MemDataset, ArrayD<i32>) {
    let data = Array::from_shape_vec((4, 5, 6), (0..120).collect()).unwrap().into_dyn();
    let root = MemGroup::new();
    root.create_dataset("x").write(&data).unwrap();
    (root.dataset("x").unwrap(), data)
}

#[test]
fn every_kind_reads_and_writes() -> Test {
    let odd: Vec<bool> = (0..5).map(|i| i % 2 == 1).collect();
    let full_mask = ArrayD::from_shape_fn(IxDyn(&[4, 5, 6]), |i| (i[0] + i[1] + i[2]) % 3 == 0);
    // The selection, its shape, and which elements it takes, in order.
    type Which = Box<dyn Fn() -> Vec<[usize; 3]>>;
    let product = |a: Vec<usize>, b: Vec<usize>, c: Vec<usize>| -> Which {
        Box::new(move || {
            let pairs = a.iter().flat_map(|i| b.iter().map(move |j| (*i, *j))).collect::<Vec<_>>();
            pairs.into_iter().flat_map(|(i, j)| c.iter().map(move |k| [i, j, *k]).collect::<Vec<_>>()).collect()
        })
    };
    let (all4, all5, all6): (Vec<_>, Vec<_>, Vec<_>) = ((0..4).collect(), (0..5).collect(), (0..6).collect());
    let cases: Vec<(Selection, Vec<usize>, Which)> = vec![
        (Selection::All, vec![4, 5, 6], product(all4.clone(), all5.clone(), all6.clone())),
        (().into(), vec![4, 5, 6], product(all4.clone(), all5.clone(), all6.clone())),
        ((1, 2, 3).into(), vec![], product(vec![1], vec![2], vec![3])),
        ((-1).into(), vec![5, 6], product(vec![3], all5.clone(), all6.clone())),
        ((.., -2).into(), vec![4, 6], product(all4.clone(), vec![3], all6.clone())),
        ((1..3, 0..=1, 4..).into(), vec![2, 2, 2], product(vec![1, 2], vec![0, 1], vec![4, 5])),
        ((2..100).into(), vec![2, 5, 6], product(vec![2, 3], all5.clone(), all6.clone())),
        ((3..1).into(), vec![0, 5, 6], product(vec![], vec![], vec![])),
        ((.., Item::step(.., 2), Item::step(.., -3)).into(), vec![4, 3, 2], product(all4.clone(), vec![0, 2, 4], vec![5, 2])),
        (vec![3, 0, 2].into(), vec![3, 5, 6], product(vec![3, 0, 2], all5.clone(), all6.clone())),
        ((vec![-1, 0], 1, vec![5, 2]).into(), vec![2, 2], product(vec![3, 0], vec![1], vec![5, 2])),
        ((.., odd).into(), vec![4, 2, 6], product(all4.clone(), vec![1, 3], all6.clone())),
        ((Item::Ellipsis, 0).into(), vec![4, 5], product(all4.clone(), all5.clone(), vec![0])),
        ((1, Item::Ellipsis, 0..2).into(), vec![5, 2], product(vec![1], all5.clone(), vec![0, 1])),
        (Vec::<i32>::new().into(), vec![0, 5, 6], product(vec![], vec![], vec![])),
        (
            full_mask.clone().into(),
            vec![full_mask.iter().filter(|m| **m).count()],
            Box::new(move || full_mask.indexed_iter().filter(|(_, m)| **m).map(|(i, _)| [i[0], i[1], i[2]]).collect()),
        ),
    ];
    for (selection, shape, which) in cases {
        let (x, mut data) = cube();
        let read: ArrayD<i32> = x.read_slice(&selection)?;
        assert_eq!(read.shape(), shape, "{selection:?}");
        let wanted: Vec<i32> = which().iter().map(|i| data[&i[..]]).collect();
        assert_eq!(read.iter().copied().collect::<Vec<_>>(), wanted, "{selection:?}");
        let new: Vec<i32> = (0..wanted.len() as i32).map(|i| -1 - i).collect();
        for (i, value) in which().iter().zip(&new) {
            data[&i[..]] = *value;
        }
        x.write_slice(&selection, ArrayD::from_shape_vec(IxDyn(&shape), new).unwrap())?;
        assert_eq!(x.read::<i32>()?, data, "{selection:?}");
    }
    Ok(())
}

#[test]
fn duplicates_and_broadcasts() -> Test {
    let (x, _) = cube();
    assert_eq!(x.read_slice::<Vec<i32>>((0, 0, vec![1, 1, 0]))?, [1, 1, 0]);
    x.write_slice((0, 0, vec![1, 1]), vec![7, 8])?;
    assert_eq!(x.read_slice::<i32>((0, 0, 1))?, 8, "the last one stays");
    x.write_slice((1, ..), 5)?;
    x.write_slice((2, ..), vec![0, 1, 2, 3, 4, 5])?;
    assert_eq!(x.read_slice::<ArrayD<i32>>((1, ..))?.sum(), 150);
    assert_eq!(x.read_slice::<Vec<i32>>((2, 4))?, [0, 1, 2, 3, 4, 5]);
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() -> Test {
    let (x, data) = cube();
    for text in ["4", "-5", "0,0,0,0", "[0,4]", "...,...", "::0"] {
        let selection: Selection = text.parse()?;
        assert_eq!(kind(x.read_slice::<AnyArray>(&selection)), ErrorKind::Selection, "{text}");
        assert_eq!(kind(x.write_slice(&selection, 1)), ErrorKind::Selection, "{text}");
    }
    assert_eq!(kind(x.read_slice::<AnyArray>(vec![true, false])), ErrorKind::Selection);
    assert_eq!(kind(x.read_slice::<AnyArray>(ArrayD::from_elem(IxDyn(&[4, 5]), true))), ErrorKind::Selection);
    assert_eq!(kind(x.write_slice(0, vec![1, 2])), ErrorKind::Shape);
    assert_eq!(kind(x.write_slice(0, 1.5)), ErrorKind::Dtype);
    assert_eq!(kind(x.write_slice(0, "text")), ErrorKind::Dtype);
    assert_eq!(kind(x.read::<f64>()), ErrorKind::Dtype);
    assert_eq!(x.read::<i32>()?, data);
    Ok(())
}
