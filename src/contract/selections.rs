//! Selections: the rules of numpy, for reads and writes.

use super::check::{Faults, refused, same};
use super::dtypes::same_array;
use super::{Random, Targets, random_selection, sample};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::selection::{Item, Selection};

fn numbers(shape: &[usize]) -> crate::Result<AnyArray> {
    AnyArray::from((0..shape.iter().product::<usize>() as i32).collect::<Vec<_>>()).reshape(shape)
}

promises! { "selections";
    /// Ranges clip and step both ways, indices drop their axis, lists keep their order, masks pick: as numpy does.
    fn every_kind_reads(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").write(numbers(&[4, 6])?)?;
        let mut faults = Faults::default();
        let cases: [(&str, &[usize], &[i32]); 18] = [
            ("1", &[6], &[6, 7, 8, 9, 10, 11]),
            ("-1, -1", &[], &[23]),
            ("1:3, 0", &[2], &[6, 12]),
            (":, ::3", &[4, 2], &[0, 3, 6, 9, 12, 15, 18, 21]),
            ("::-1, 5", &[4], &[23, 17, 11, 5]),
            ("0, 4:0:-2", &[2], &[4, 2]),
            ("2:100, 4:", &[2, 2], &[16, 17, 22, 23]),
            ("-100:1, :2", &[1, 2], &[0, 1]),
            ("3:1", &[0, 6], &[]),
            ("..., 0", &[4], &[0, 6, 12, 18]),
            ("0, ...", &[6], &[0, 1, 2, 3, 4, 5]),
            ("...", &[4, 6], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]),
            ("[3,0], 1", &[2], &[19, 1]),
            ("[0,0,2], [5,-6]", &[3, 2], &[5, 0, 5, 0, 17, 12]),
            ("2, [4,1,4]", &[3], &[16, 13, 16]),
            ("[], :", &[0, 6], &[]),
            ("[1], [2]", &[1, 1], &[8]),
            ("1:2, 1:2, ...", &[1, 1], &[7]),
        ];
        for (text, shape, wanted) in cases {
            faults.case(text, || {
                let got: AnyArray = d.read_slice(text.parse::<Selection>()?)?;
                same(got.shape(), shape, "the shape")?;
                same(got.to_array::<i32>()?.into_iter().collect::<Vec<_>>(), wanted, "the values")
            });
        }
        faults.case("mask of an axis", || {
            let got: AnyArray = d.read_slice((vec![true, false, false, true], 2))?;
            same(got, AnyArray::from(vec![2, 20]), "the values")
        });
        faults.case("full mask", || {
            let mask = ndarray::ArrayD::from_shape_fn(vec![4, 6], |i| (i[0] + i[1]) % 5 == 4);
            let wanted: Vec<i32> = (0..24).filter(|n| (n / 6 + n % 6) % 5 == 4).collect();
            same(d.read_slice::<Vec<i32>>(mask)?, wanted, "the values, in C order")
        });
        faults.finish()
    }

    /// Random selections of random shapes read what an array in memory gives, from contiguous and chunked datasets.
    fn random_reads(backend) {
        let root = backend.fresh()?;
        let mut random = Random::new(11);
        let mut faults = Faults::default();
        let shapes: [&[usize]; 9] = [&[], &[1], &[7], &[0], &[4, 5], &[3, 1, 4], &[2, 3, 2, 2], &[3, 0, 2], &[23, 17]];
        for (at, shape) in shapes.iter().enumerate() {
            for (k, dtype) in [DType::I32, DType::STR].into_iter().enumerate() {
                let data = sample(&dtype, shape, at as u64, &Targets::default())?;
                let plain = root.create_dataset(&format!("p{at}{k}")).write(&data)?;
                let chunks: Vec<usize> = shape.iter().map(|n| n.div_ceil(2).max(1).min((*n).max(1))).collect();
                let chunked = match shape.is_empty() || shape.contains(&0) {
                    true => plain.clone(),
                    false => root.create_dataset(&format!("c{at}{k}")).chunks(chunks).write(&data)?,
                };
                for _ in 0..30 {
                    let selection = random_selection(shape, &mut random);
                    for d in [&plain, &chunked] {
                        faults.case(format!("{shape:?} {dtype} {selection:?}"), || {
                            same_array(&d.read_slice::<AnyArray>(&selection)?, &data.select(&selection)?, "the selection")
                        });
                    }
                }
            }
        }
        faults.finish()
    }

    /// Random writes do what an array in memory does; of an index that comes twice, the last value stays.
    fn random_writes(backend) {
        let root = backend.fresh()?;
        let mut random = Random::new(12);
        let mut faults = Faults::default();
        let padded = DType::compound_aligned([("a", DType::U8), ("b", DType::F64)])?;
        let shapes: [&[usize]; 6] = [&[], &[7], &[4, 5], &[3, 1, 4], &[2, 3, 2, 2], &[19, 11]];
        for (at, shape) in shapes.iter().enumerate() {
            for (k, dtype) in [DType::I32, DType::STR, padded.clone()].into_iter().enumerate() {
                let mut model = sample(&dtype, shape, at as u64, &Targets::default())?;
                let builder = root.create_dataset(&format!("d{at}{k}"));
                let chunks: Vec<usize> = shape.iter().map(|n| n.div_ceil(2)).collect();
                let builder = if at % 2 == 1 { builder.chunks(chunks) } else { builder };
                let d = builder.write(&model)?;
                for n in 0..25 {
                    let selection = random_selection(shape, &mut random);
                    faults.case(format!("{shape:?} {dtype} {selection:?}"), || {
                        let wanted = selection.resolve(shape)?.shape();
                        let data = sample(&dtype, &wanted, 1000 + n, &Targets::default())?;
                        d.write_slice(&selection, &data)?;
                        model.assign(&selection, &data)?;
                        same_array(&d.read_array()?, &model, "the whole after the write")
                    });
                }
            }
        }
        faults.finish()
    }

    /// Of an index that comes twice in a write, the last value stays.
    fn the_last_duplicate_stays(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").write(vec![0; 5])?;
        d.write_slice(vec![1, 3, 1, 1], vec![10, 30, 11, 12])?;
        same(d.read_slice::<Vec<i32>>(())?, [0, 12, 0, 30, 0], "in one axis")?;
        let e = root.create_dataset("e").chunks([1, 2]).write(numbers(&[2, 3])?)?;
        e.write_slice((vec![1, 0, 1], vec![2, 2]), ndarray::array![[1, 2], [3, 4], [5, 6]])?;
        same(e.read_slice::<ndarray::ArrayD<i32>>(())?.into_iter().collect::<Vec<_>>(), [0, 1, 4, 3, 4, 6], "in two axes")?;
        d.write_slice("::-1".parse::<Selection>()?, vec![1, 2, 3, 4, 5])?;
        same(d.read_slice::<Vec<i32>>(())?, [5, 4, 3, 2, 1], "backwards")
    }

    /// Data are broadcast to the selection as numpy does.
    fn writes_are_broadcast(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").write(numbers(&[2, 3])?)?;
        let all = || -> crate::Result<Vec<i32>> { Ok(d.read::<i32>()?.into_iter().collect()) };
        d.write(7)?;
        same(all()?, [7; 6], "a scalar")?;
        d.write(vec![1, 2, 3])?;
        same(all()?, [1, 2, 3, 1, 2, 3], "a row")?;
        d.write(ndarray::array![[4], [5]])?;
        same(all()?, [4, 4, 4, 5, 5, 5], "a column")?;
        d.write_slice((.., 1), 0)?;
        same(all()?, [4, 0, 4, 5, 0, 5], "a scalar to a column")?;
        d.write_slice((0, ..), AnyArray::from(vec![1, 2, 3]).reshape(&[1, 3])?)?;
        same(all()?, [1, 2, 3, 5, 0, 5], "a leading axis of length 1 is dropped")?;
        d.write_slice((vec![1, 0], 0..2), vec![8, 9])?;
        same(all()?, [8, 9, 3, 8, 9, 5], "to a list")?;
        refused(d.write(vec![1, 2]), ErrorKind::Shape, "what does not fit")?;
        refused(d.write_slice((.., 0), vec![1, 2, 3]), ErrorKind::Shape, "to a column")?;
        d.write_slice((0..0, ..), vec![1, 2, 3])?;
        same(all()?, [8, 9, 3, 8, 9, 5], "to nothing")
    }

    /// A selection that does not fit is refused, and nothing is read or written.
    fn misfits_are_refused(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").write(numbers(&[2, 3])?)?;
        let s = root.create_dataset("s").write(1)?;
        let mut faults = Faults::default();
        let kind = ErrorKind::Selection;
        for text in ["2", "-3", "0, 3", "0, -4", "[0,2]", ":, [3]", "0,0,0", ":,:,:", "...,...", "::0", "0, ::0"] {
            let selection: Selection = text.parse()?;
            faults.add(text, refused(d.read_slice::<AnyArray>(&selection), kind, "a read"));
            faults.add(text, refused(d.write_slice(&selection, 1), kind, "a write"));
        }
        for selection in [
            Selection::from(vec![true]),
            Selection::from((vec![true, true, true], ..)),
            Selection::Mask(ndarray::ArrayD::from_elem(vec![3, 2], true)),
            Selection::Mask(ndarray::ArrayD::from_elem(vec![6], true)),
        ] {
            faults.add(format!("{selection:?}"), refused(d.read_slice::<AnyArray>(&selection), kind, "a read"));
            faults.add(format!("{selection:?}"), refused(d.write_slice(&selection, 1), kind, "a write"));
        }
        faults.add("scalar", refused(s.read_slice::<AnyArray>(0), kind, "an index of a scalar"));
        faults.add("scalar", refused(s.read_slice::<AnyArray>(Item::FULL), kind, "a range of a scalar"));
        faults.add("scalar", same(s.read_slice::<i32>(Item::Ellipsis)?, 1, "an ellipsis of a scalar"));
        faults.add("kept", same(d.read_array()?, numbers(&[2, 3])?, "nothing was written"));
        faults.finish()
    }
}
