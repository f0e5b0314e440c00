//! Every selection gives what it gives in memory, on every layout.

use super::memory;
use memh5::prelude::*;
use memh5::selection::Item;
use memh5::tree::{DatasetRef, Layout};
use memh5::{AnyArray, DType, Filter, Selection};
use ndarray::{Array, ArrayD, IxDyn};

fn range(start: Option<i64>, stop: Option<i64>, step: i64) -> Item {
    Item::Range { start, stop, step }
}

fn datasets(root: &dyn Group, data: &AnyArray, tag: &str) -> Vec<DatasetRef> {
    let chunks: Vec<usize> = data.shape().iter().map(|n| n.div_ceil(3)).collect();
    vec![
        root.create_dataset(&format!("{tag}-plain")).write(data).unwrap(),
        root.create_dataset(&format!("{tag}-chunked")).chunks(chunks.clone()).write(data).unwrap(),
        root.create_dataset(&format!("{tag}-zipped")).chunks(chunks).filter(Filter::Gzip(1)).write(data).unwrap(),
        root.create_dataset(&format!("{tag}-compact")).layout(Layout::Compact).write(data).unwrap(),
    ]
}

/// A cheap generator: the same numbers at each run.
struct Lcg(u64);
impl Lcg {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % below.max(1)
    }
}

fn random_item(random: &mut Lcg, n: usize) -> Item {
    let bound = |random: &mut Lcg| (random.next(4) > 0).then(|| random.next(2 * n + 3) as i64 - n as i64 - 1);
    match random.next(6) {
        0 if n > 0 => Item::Index(random.next(2 * n) as i64 - n as i64),
        1 => Item::FULL,
        2 => Item::List((0..random.next(2 * n)).filter(|_| n > 0).map(|_| random.next(2 * n) as i64 - n as i64).collect()),
        3 => Item::Mask((0..n).map(|_| random.next(3) == 0).collect()),
        _ => {
            let step = [1, 1, 2, 3, -1, -2, 7][random.next(7)];
            range(bound(random), bound(random), step)
        }
    }
}

fn random_selection(random: &mut Lcg, shape: &[usize]) -> Selection {
    if random.next(8) == 0 {
        let one_in = 1 + random.next(5);
        return Selection::Mask(ArrayD::from_shape_fn(IxDyn(shape), |_| random.next(one_in) == 0));
    }
    Selection::Axes(shape.iter().map(|n| random_item(random, *n)).collect())
}

#[test]
fn random_selections_read_and_write_as_in_memory() {
    let mut random = Lcg(7);
    for (k, shape) in [vec![], vec![1], vec![37], vec![7, 9], vec![4, 1, 6], vec![3, 4, 5, 2]].into_iter().enumerate() {
        let count: usize = shape.iter().product();
        let numbers = AnyArray::from((0..count as i64).collect::<Vec<_>>()).reshape(&shape).unwrap();
        let texts = AnyArray::from_strings((0..count).map(|i| if i % 5 == 0 { String::new() } else { format!("text {i}") }));
        let texts = texts.reshape(&shape).unwrap();
        for (data, tag) in [(numbers, "n"), (texts, "t")] {
            let root = memory();
            let all = if shape.is_empty() {
                vec![root.create_dataset("s").write(&data).unwrap()]
            } else {
                datasets(&root, &data, &format!("{tag}{k}"))
            };
            for round in 0..60 {
                let selection = random_selection(&mut random, &shape);
                let wanted = data.select(&selection).unwrap();
                for dataset in &all {
                    let read = dataset.read_slice::<AnyArray>(&selection).unwrap();
                    assert_eq!((read.shape(), &read), (wanted.shape(), &wanted), "{} {selection:?}", dataset.name());
                }
                if round % 3 != 0 {
                    continue;
                }
                let mut model = data.clone();
                let new = if data.dtype() == &DType::I64 {
                    AnyArray::from((0..wanted.len() as i64).map(|i| -i).collect::<Vec<_>>())
                } else {
                    AnyArray::from_strings((0..wanted.len()).map(|i| format!("new {i}")))
                };
                let new = new.reshape(wanted.shape()).unwrap();
                model.assign(&selection, &new).unwrap();
                for dataset in &all {
                    dataset.write_slice(&selection, &new).unwrap();
                    assert_eq!(dataset.read_array().unwrap(), model, "{} {selection:?}", dataset.name());
                    dataset.write(&data).unwrap();
                }
            }
        }
    }
}

#[test]
fn large_gaps_are_left_out_and_small_ones_taken_along() {
    let root = memory();
    let n = 300_000usize;
    let data = Array::from_iter((0..n as u32).map(|i| i.wrapping_mul(2654435761)));
    let dataset = root.create_dataset("d").write(data.clone()).unwrap();
    let matrix = root.create_dataset("m").write(data.clone().into_shape_with_order((300, 1000)).unwrap()).unwrap();
    let mut random = Lcg(3);
    let lists: [Vec<usize>; 4] = [
        (0..5000).map(|_| random.next(n)).collect(),
        vec![0, n - 1, 5, n - 1, 150_000],
        (0..n).step_by(7).rev().collect(),
        (0..n).filter(|i| i % 30_000 < 3).collect(),
    ];
    for list in lists {
        let wanted: Vec<u32> = list.iter().map(|i| data[*i]).collect();
        assert_eq!(dataset.read_slice::<Vec<u32>>(list.clone()).unwrap(), wanted);
        let flat: Vec<usize> = list.iter().map(|i| i % 1000).collect();
        let wanted: Vec<u32> = flat.iter().map(|i| data[17_000 + i]).collect();
        assert_eq!(matrix.read_slice::<Vec<u32>>((17, flat)).unwrap(), wanted);
        let new: Vec<u32> = (0..list.len() as u32).collect();
        dataset.write_slice(list.clone(), new.clone()).unwrap();
        let mut model = data.clone();
        list.iter().zip(&new).for_each(|(i, v)| model[*i] = *v);
        assert_eq!(dataset.read::<u32>().unwrap(), model.into_dyn());
        dataset.write(data.clone()).unwrap();
    }
    let mut mask = ArrayD::from_elem(IxDyn(&[300, 1000]), false);
    for (row, column) in [(0, 0), (0, 999), (299, 5), (150, 150)] {
        mask[[row, column]] = true;
    }
    let wanted = [data[0], data[999], data[150_150], data[299_005]];
    assert_eq!(matrix.read_slice::<Vec<u32>>(mask.clone()).unwrap(), wanted);
    matrix.write_slice(mask.clone(), vec![1u32, 2, 3, 4]).unwrap();
    assert_eq!(matrix.read_slice::<Vec<u32>>(mask).unwrap(), [1, 2, 3, 4]);
    assert_eq!(matrix.read_slice::<u32>((0, 1)).unwrap(), data[1]);
}

#[test]
fn appended_rows_are_read_by_all_handles() {
    let root = memory();
    let log = root.create_dataset("log").shape([0, 4]).maxshape([None, Some(4)]).dtype(DType::F32).fill_value(9.5f32).create().unwrap();
    let other = root.dataset("log").unwrap();
    for i in 0..50 {
        log.append(vec![i as f32; 4]).unwrap();
    }
    assert_eq!(other.shape().unwrap(), [50, 4]);
    assert_eq!(other.read_slice::<Vec<f32>>((.., 2)).unwrap(), (0..50).map(|i| i as f32).collect::<Vec<_>>());
    other.resize([60, 4]).unwrap();
    assert_eq!(log.read_slice::<f32>((-1, -1)).unwrap(), 9.5);
}
