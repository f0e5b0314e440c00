//! Arrays against `ndarray` and against simple models, on random shapes, selections and programs.

use memh5::selection::Item;
use memh5::{AnyArray, Cast, DType, ErrorKind, Selection};
use ndarray::{Array1, Array2, ArrayD, Axis, IxDyn};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// The indices that numpy takes, found by trying them all, and whether the axis is dropped.
fn naive(item: &Item, n: usize) -> (Vec<usize>, bool) {
    let len = n as i64;
    let wrap = |i: i64| if i < 0 { i + len } else { i };
    match item {
        Item::Index(i) => (vec![wrap(*i) as usize], true),
        Item::List(list) => (list.iter().map(|i| wrap(*i) as usize).collect(), false),
        Item::Mask(mask) => ((0..n).filter(|i| mask[*i]).collect(), false),
        Item::Range { start, stop, step } => {
            let mut out = Vec::new();
            let up = *step > 0;
            // A bound before the beginning or past the end stands at the edge.
            let first =
                start.map_or(if up { 0 } else { len - 1 }, |s| wrap(s).clamp(if up { 0 } else { -1 }, if up { len } else { len - 1 }));
            let end = stop.map_or(if up { len } else { -1 }, |s| wrap(s).clamp(-1, len));
            let mut i = first;
            while (up && i < end) || (!up && i > end) {
                if (0..len).contains(&i) {
                    out.push(i as usize);
                }
                i += step;
            }
            (out, false)
        }
        _ => ((0..n).collect(), false),
    }
}

fn item(n: usize) -> BoxedStrategy<Item> {
    let len = n as i64;
    let bound = proptest::option::of(-2 * len - 2..2 * len + 3);
    let range = (bound.clone(), bound, prop_oneof![1i64..4, -4i64..0]).prop_map(|(start, stop, step)| Item::Range { start, stop, step });
    if n == 0 {
        return prop_oneof![range, Just(Item::List(vec![])), Just(Item::Mask(vec![])), Just(Item::FULL)].boxed();
    }
    prop_oneof![
        3 => range,
        1 => (-len..len).prop_map(Item::Index),
        2 => vec(-len..len, 0..6).prop_map(Item::List),
        1 => vec(any::<bool>(), n).prop_map(Item::Mask),
        1 => Just(Item::FULL),
    ]
    .boxed()
}

fn shape() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1 => Just(0usize), 9 => 1usize..6], 0..4)
}

fn shape_and_items() -> impl Strategy<Value = (Vec<usize>, Vec<Item>)> {
    shape().prop_flat_map(|shape| {
        let items: Vec<_> = shape.iter().map(|n| item(*n)).collect();
        (Just(shape), items)
    })
}

fn numbers(shape: &[usize]) -> ArrayD<i32> {
    let n = shape.iter().product::<usize>() as i32;
    ArrayD::from_shape_vec(IxDyn(shape), (0..n).collect()).unwrap()
}

/// The selection by `ndarray`, axis by axis.
fn picked(a: &ArrayD<i32>, items: &[Item]) -> ArrayD<i32> {
    let mut out = a.clone();
    for (axis, item) in items.iter().enumerate() {
        out = out.select(Axis(axis), &naive(item, a.shape()[axis]).0);
    }
    for axis in (0..items.len()).rev() {
        if naive(&items[axis], a.shape()[axis]).1 {
            out = out.index_axis_move(Axis(axis), 0);
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn selections_read_what_ndarray_reads((shape, items) in shape_and_items()) {
        let a = numbers(&shape);
        let expected = picked(&a, &items);
        let any = AnyArray::from(a);
        let got = any.select(Selection::Axes(items.clone())).unwrap();
        prop_assert_eq!(got.view::<i32>().unwrap(), expected.view());
        // The same for elements with a heap.
        let text = AnyArray::from_strings(any.view::<i32>().unwrap().iter().map(i32::to_string)).reshape(&shape).unwrap();
        let got = text.select(Selection::Axes(items)).unwrap();
        prop_assert_eq!(got.shape(), expected.shape());
        prop_assert_eq!(got.to_strings().unwrap(), expected.iter().map(i32::to_string).collect::<Vec<_>>());
    }

    #[test]
    fn selections_write_where_they_read((shape, items) in shape_and_items()) {
        let mut model = numbers(&shape);
        let places = picked(&model, &items);
        let data = places.mapv(|_| 0) + &numbers(places.shape()) + 1000;
        for (place, value) in places.iter().zip(&data) {
            model.as_slice_mut().unwrap()[*place as usize] = *value;
        }
        let mut any = AnyArray::from(numbers(&shape));
        let snapshot = any.clone();
        any.assign(Selection::Axes(items.clone()), &AnyArray::from(data.clone())).unwrap();
        prop_assert_eq!(any.view::<i32>().unwrap(), model.view());
        prop_assert_eq!(snapshot, AnyArray::from(numbers(&shape)));

        let words = |a: &ArrayD<i32>| AnyArray::from_strings(a.iter().map(i32::to_string)).reshape(a.shape()).unwrap();
        let mut text = words(&numbers(&shape));
        text.assign(Selection::Axes(items), &words(&data)).unwrap();
        prop_assert_eq!(text, words(&model));
    }

    #[test]
    fn masks_select_single_elements(shape in shape(), seed in any::<u64>()) {
        let a = numbers(&shape);
        let mask = a.mapv(|i| seed >> (i % 64) & 1 == 1);
        let expected: Vec<i32> = a.iter().zip(&mask).filter(|(_, m)| **m).map(|(v, _)| *v).collect();
        let mut any = AnyArray::from(a.clone());
        prop_assert_eq!(any.select(mask.clone()).unwrap(), AnyArray::from(expected.clone()));
        any.assign(mask.clone(), &AnyArray::from(-1)).unwrap();
        let model = ndarray::Zip::from(&a).and(&mask).map_collect(|v, m| if *m { -1 } else { *v });
        prop_assert_eq!(any.view::<i32>().unwrap(), model.view());
    }

    #[test]
    fn broadcasts_as_ndarray_does(from in shape(), to in shape()) {
        let a = numbers(&from);
        let got = AnyArray::from(a.clone()).broadcast(&to);
        // Leading axes of length 1 that are too many are dropped, as h5py does; ndarray keeps them.
        let mut fitted = a;
        while fitted.ndim() > to.len() && fitted.shape()[0] == 1 {
            fitted = fitted.index_axis_move(Axis(0), 0);
        }
        match fitted.broadcast(IxDyn(&to)) {
            Some(expected) => prop_assert_eq!(got.unwrap(), AnyArray::from(expected)),
            None => prop_assert_eq!(got.unwrap_err().kind(), ErrorKind::Shape),
        }
    }

    #[test]
    fn appends_and_resizes_keep_every_snapshot(steps in vec((0usize..5, 0usize..7, 0usize..5), 1..25), text in any::<bool>()) {
        let make = |a: &Array2<i32>| {
            let plain = AnyArray::from(a.clone());
            if text { AnyArray::from_strings(a.iter().map(|v| if *v == 0 { String::new() } else { v.to_string() })).reshape(a.shape()).unwrap() } else { plain }
        };
        let mut model = Array2::<i32>::zeros((0, 3));
        let mut array = make(&model);
        let mut snapshots = Vec::new();
        for (counter, (kind, rows, columns)) in steps.into_iter().enumerate() {
            let value = counter as i32 + 1;
            match kind {
                0 | 1 => {
                    let more = Array2::from_elem((rows, model.ncols()), value);
                    model.append(Axis(0), more.view()).unwrap();
                    array.append(&make(&more)).unwrap();
                }
                2 => {
                    let mut next = Array2::from_elem((rows, columns), value);
                    let (r, c) = (rows.min(model.nrows()), columns.min(model.ncols()));
                    next.slice_mut(ndarray::s![..r, ..c]).assign(&model.slice(ndarray::s![..r, ..c]));
                    model = next;
                    let fill = make(&Array2::from_elem((1, 1), value)).reshape(&[]).unwrap();
                    array.resize(&[rows, columns], Some(&fill)).unwrap();
                }
                3 => {
                    let mut next = Array2::zeros((rows, model.ncols()));
                    let r = rows.min(model.nrows());
                    next.slice_mut(ndarray::s![..r, ..]).assign(&model.slice(ndarray::s![..r, ..]));
                    model = next;
                    array.resize(&[rows, model.ncols()], None).unwrap();
                }
                _ if model.nrows() > 0 => {
                    let row = rows % model.nrows();
                    model.row_mut(row).fill(value);
                    array.assign(row, &make(&Array2::from_elem((1, model.ncols()), value))).unwrap();
                }
                _ => {}
            }
            snapshots.push((array.clone(), make(&model)));
        }
        for (state, expected) in snapshots {
            prop_assert_eq!(state, expected);
        }
    }

    #[test]
    fn exact_conversion_is_what_a_round_trip_says(ints in vec(any::<i64>(), 1..4), floats in vec(any::<f64>(), 1..4), shift in 0u32..64) {
        let ints: Vec<i64> = ints.into_iter().map(|v| v >> shift).collect();
        let a = AnyArray::from(ints.clone());
        let f64_holds = ints.iter().all(|v| *v as f64 as i128 == i128::from(*v));
        prop_assert_eq!(a.astype(&DType::F64, Cast::Exact).is_ok(), f64_holds);
        let f32_holds = ints.iter().all(|v| *v as f32 as i128 == i128::from(*v));
        prop_assert_eq!(a.astype(&DType::F32, Cast::Exact).is_ok(), f32_holds);
        let u16_holds = ints.iter().all(|v| u16::try_from(*v).is_ok());
        prop_assert_eq!(a.astype(&DType::U16, Cast::Exact).is_ok(), u16_holds);
        let long: DType = "f16".parse().unwrap();
        prop_assert_eq!(a.astype(&long, Cast::Exact).unwrap().astype(&DType::I64, Cast::Exact).unwrap(), a.clone());

        let b = AnyArray::from(floats.clone());
        let f32_holds = floats.iter().all(|v| v.is_nan() || f64::from(*v as f32) == *v);
        prop_assert_eq!(b.astype(&DType::F32, Cast::Exact).is_ok(), f32_holds);
        let saturated: Vec<i32> = floats.iter().map(|v| v.round_ties_even() as i32).collect();
        prop_assert_eq!(b.astype(&DType::I32, Cast::Saturate).unwrap(), AnyArray::from(saturated));
        let back = b.astype(&long, Cast::Exact).unwrap().astype(&DType::F64, Cast::Exact).unwrap();
        for (x, y) in back.view::<f64>().unwrap().iter().zip(&floats) {
            prop_assert!(x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()));
        }
        let nearest: Vec<f32> = floats.iter().map(|v| (*v as f32).clamp(f32::MIN, f32::MAX)).collect();
        let through: AnyArray = b.astype(&long, Cast::Exact).unwrap().astype(&DType::F32, Cast::Saturate).unwrap();
        for ((x, y), v) in through.view::<f32>().unwrap().iter().zip(&nearest).zip(&floats) {
            prop_assert!(x == y || v.is_nan() || v.is_infinite());
        }
    }

    #[test]
    fn rows_go_there_and_back(rows in vec(row(), 1..6)) {
        if rows.iter().any(|r| !r.samples.is_empty()) {
            let a = AnyArray::from_rows(&rows).unwrap();
            prop_assert_eq!(&a.to_rows::<Row>().unwrap(), &rows);
            let dtype: DType = "{samples: vlen(f8), kind: enum <u2 {Low=7, High=9}, pair: c16, name: str, id: u8}".parse().unwrap();
            let b = AnyArray::from_rows_as(&dtype, &rows).unwrap();
            prop_assert_eq!(&b.to_rows::<Row>().unwrap(), &rows);
        }
    }
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
enum Kind {
    Low,
    High,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Row {
    id: u64,
    name: String,
    kind: Kind,
    pair: (f64, f64),
    samples: Vec<f32>,
}

fn row() -> impl Strategy<Value = Row> {
    let finite = || any::<f32>().prop_filter("NaN is not equal to itself", |v| !v.is_nan());
    (any::<u64>(), "[^\0]{0,5}", any::<bool>(), finite(), vec(finite(), 0..4)).prop_map(|(id, name, low, x, samples)| Row {
        id,
        name,
        kind: if low { Kind::Low } else { Kind::High },
        pair: (x.into(), -f64::from(x)),
        samples,
    })
}

#[test]
fn numeric_arrays_move_in_and_out_without_a_copy() {
    let a = Array1::from_vec((0..1000).map(f64::from).collect());
    let at = a.as_ptr();
    let any = AnyArray::from(a);
    assert_eq!(any.view::<f64>().unwrap().as_ptr(), at);
    assert!(any.clone().shares_memory_with(&any));
    let back = any.clone().reshape(&[10, 100]).unwrap();
    assert_eq!(back.view::<f64>().unwrap().as_ptr(), at);
    drop(back);
    let back = any.into_array::<f64>().unwrap();
    assert_eq!(back.as_ptr(), at);
    // Somebody holds a clone: the elements are copied, once.
    let mut any = AnyArray::from(back);
    let held = any.clone();
    any.view_mut::<f64>().unwrap()[[0]] = -1.0;
    assert_eq!((held.view::<f64>().unwrap().as_ptr(), held.view::<f64>().unwrap()[[0]]), (at, 0.0));
    // A transposed array is not in C order, and is copied.
    let t = ndarray::array![[1, 2], [3, 4]].reversed_axes();
    assert_eq!(AnyArray::from(t.clone()).view::<i32>().unwrap(), t.into_dyn());
}

#[test]
fn ranks_from_0_to_32_and_no_further() {
    for rank in 0..=32 {
        let shape = vec![1; rank];
        let a = AnyArray::zeros(DType::U8, shape.clone()).unwrap();
        assert_eq!((a.ndim(), a.len()), (rank, 1));
        assert_eq!(a.select(()).unwrap(), a);
        assert_eq!(a.to_string(), format!("{}0{}", "[".repeat(rank), "]".repeat(rank)));
    }
    assert_eq!(AnyArray::zeros(DType::U8, vec![1; 33]).unwrap_err().kind(), ErrorKind::Shape);
    assert_eq!(AnyArray::zeros(DType::F64, [usize::MAX, 2]).unwrap_err().kind(), ErrorKind::Shape);
}
