//! Shapes: ranks, empty axes, growing and shrinking.

use super::check::{ensure, refused, same};
use super::dtypes::same_array;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::tree::Fill;

fn values(d: &crate::tree::DatasetRef) -> crate::Result<Vec<i32>> {
    Ok(d.read::<i32>()?.into_iter().collect())
}

promises! { "shapes";
    /// A dataset has up to 32 axes.
    fn ranks_up_to_32(backend) {
        let root = backend.fresh()?;
        for rank in 0..=32 {
            let shape: Vec<usize> = (0..rank).map(|k| if k % 11 == 5 { 2 } else { 1 }).collect();
            let data = super::sample(&DType::I16, &shape, rank as u64, &super::Targets::default())?;
            let d = root.create_dataset(&format!("r{rank}")).write(&data)?;
            same((d.ndim()?, d.shape()?), (rank, shape), "the shape")?;
            same_array(&d.read_array()?, &data, &format!("rank {rank}"))?;
            root.attrs().set(&format!("r{rank}"), &data)?;
            let back = root.attrs().get::<AnyArray>(&format!("r{rank}"))?;
            same_array(&back, &data, &format!("an attribute of rank {rank}"))?;
        }
        let shape = vec![1; 33];
        refused(root.create_dataset("x").shape(shape).create(), ErrorKind::Shape, "33 axes")
    }

    /// A scalar has one element and no axes; a null dataspace has a type and no elements; an empty axis has a shape.
    fn scalar_null_and_empty(backend) {
        let root = backend.fresh()?;
        let s = root.create_dataset("s").write(2.5)?;
        same((s.shape()?, s.size()?, s.ndim()?), (vec![], 1, 0), "a scalar")?;
        same(s.read_slice::<f64>(())?, 2.5, "its value")?;
        s.write(3.5)?;
        same(s.read::<f64>()?.into_iter().collect::<Vec<_>>(), [3.5], "written")?;
        refused(s.len(), ErrorKind::Shape, "a scalar has no length")?;
        if backend.capabilities().null_datasets {
            let n = root.create_dataset("n").dtype(DType::F32).null().create()?;
            same((n.extent()?, n.size()?), (None, 0), "null")?;
            refused(n.shape(), ErrorKind::Shape, "null has no shape")?;
            refused(n.write(1.0f32), ErrorKind::Shape, "null holds nothing")?;
            refused(n.read_slice::<AnyArray>(0), ErrorKind::Shape, "nothing to select")?;
        }
        let e = root.create_dataset("e").shape([3, 0]).dtype(DType::I32).create()?;
        same((e.shape()?, e.size()?, e.len()?), (vec![3, 0], 0, 3), "an empty axis")?;
        same(e.read::<i32>()?.shape(), [3, 0], "reads as empty")?;
        e.write(AnyArray::zeros(DType::I32, [3, 0])?)?;
        same(e.read_slice::<AnyArray>((1, ..))?.shape(), [0usize; 1], "a part of it")
    }

    /// `shape` reshapes data of as many elements and broadcasts others.
    fn data_are_fitted(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("a").shape([2, 3]).write((0..6).collect::<Vec<i32>>())?;
        same((d.shape()?, values(&d)?), (vec![2, 3], vec![0, 1, 2, 3, 4, 5]), "reshaped")?;
        let d = root.create_dataset("b").shape([2, 3]).write(7i32)?;
        same(values(&d)?, vec![7; 6], "a scalar everywhere")?;
        let d = root.create_dataset("c").shape([2, 3]).write(vec![1i32, 2, 3])?;
        same(values(&d)?, vec![1, 2, 3, 1, 2, 3], "a row everywhere")?;
        let d = root.create_dataset("d").shape([2, 3]).write(AnyArray::from(vec![1i32, 2]).reshape(&[2, 1])?)?;
        same(values(&d)?, vec![1, 1, 1, 2, 2, 2], "a column everywhere")?;
        refused(root.create_dataset("e").shape([2, 3]).write(vec![1, 2]), ErrorKind::Shape, "data that do not fit")?;
        ensure(!root.contains("e")?, "nothing was made")
    }

    /// A dataset with `maxshape` grows and shrinks axis by axis; what stays keeps its place, what is new has the fill value.
    fn resize_keeps_and_fills(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").shape([2, 3]).maxshape([None, Some(5)]).fill_value(-1i32).dtype(DType::I32).write((0..6).collect::<Vec<i32>>())?;
        same(d.maxshape()?, [None, Some(5)], "the maxshape")?;
        d.resize([3, 4])?;
        same((d.shape()?, values(&d)?), (vec![3, 4], vec![0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1]), "both axes grow")?;
        d.resize([1, 5])?;
        same((d.shape()?, values(&d)?), (vec![1, 5], vec![0, 1, 2, -1, -1]), "one shrinks")?;
        d.resize([2, 5])?;
        same(values(&d)?, vec![0, 1, 2, -1, -1, -1, -1, -1, -1, -1], "what was cut off is gone")?;
        d.resize([0, 2])?;
        same((d.shape()?, d.size()?), (vec![0, 2], 0), "to nothing")?;
        d.resize([2, 2])?;
        same(values(&d)?, vec![-1; 4], "and back")?;
        refused(d.resize([2, 6]), ErrorKind::Shape, "past the maxshape")?;
        refused(d.resize([2]), ErrorKind::Shape, "another rank")?;
        same(root.dataset("d")?.shape()?, [2, 2], "another handle sees it")?;
        let fixed = root.create_dataset("fixed").write(vec![1, 2])?;
        same(fixed.maxshape()?, [Some(2)], "the maxshape of a fixed one")?;
        fixed.resize([2])?;
        refused(fixed.resize([1]), ErrorKind::Shape, "a fixed one keeps its shape")
    }

    /// Resizing works for every type, with strings and sequences in it.
    fn resize_of_every_type(backend) {
        let (root, targets, dtypes) = super::dtypes::prepare(backend)?;
        let mut faults = super::check::Faults::default();
        for (at, (name, dtype)) in dtypes.iter().enumerate() {
            faults.case(name, || {
                let data = super::sample(dtype, &[3, 2], at as u64, &targets)?;
                let d = root.create_dataset(&format!("t{at}")).maxshape([None, None]).chunks([2, 2]).write(&data)?;
                d.resize([4, 3])?;
                same_array(&d.read_slice::<AnyArray>((0..3, 0..2))?, &data, "what stays")?;
                same_array(&d.read_slice::<AnyArray>((3, ..))?, &AnyArray::zeros(dtype.clone(), [3])?, "what is new")?;
                d.resize([2, 1])?;
                same_array(&d.read_array()?, &data.select((0..2, 0..1))?, "what is left")
            });
        }
        faults.finish()
    }

    /// `append` grows axis 0 by rows, or by one row without that axis; a failed append changes nothing.
    fn append_grows(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").shape([0, 2]).maxshape([None, Some(2)]).dtype(DType::I32).create()?;
        d.append(ndarray::array![[1, 2], [3, 4]])?;
        d.append(vec![5, 6])?;
        d.append(AnyArray::zeros(DType::I32, [0, 2])?)?;
        same((d.shape()?, values(&d)?), (vec![3, 2], vec![1, 2, 3, 4, 5, 6]), "rows")?;
        refused(d.append(vec![1, 2, 3]), ErrorKind::Shape, "a row of another length")?;
        refused(d.append(vec![0.5, 1.5]), ErrorKind::Dtype, "values that do not fit")?;
        same((d.shape()?, values(&d)?), (vec![3, 2], vec![1, 2, 3, 4, 5, 6]), "a failed append changes nothing")?;
        let t = root.create_dataset("t").shape([0]).maxshape([None]).dtype(DType::STR).create()?;
        for i in 0..50 {
            t.append(format!("line {i}"))?;
        }
        same((t.len()?, t.read_slice::<String>(49)?), (50, "line 49".to_owned()), "lines of text")?;
        let limited = root.create_dataset("l").shape([1]).maxshape([Some(2)]).dtype(DType::I32).create()?;
        limited.append(1)?;
        refused(limited.append(1), ErrorKind::Shape, "past the maxshape")?;
        same(limited.len()?, 2, "it stays as it was")?;
        refused(root.create_dataset("s").write(1)?.append(1), ErrorKind::Shape, "a scalar")
    }

    /// The fill value of every type is kept and fills what was not written.
    fn fill_values_of_every_type(backend) {
        let (root, targets, dtypes) = super::dtypes::prepare(backend)?;
        let mut faults = super::check::Faults::default();
        // (A reference as a fill value, or within one, is nothing that a file can hold.)
        for (at, (name, dtype)) in dtypes.iter().enumerate().filter(|(_, (_, t))| !t.has_references()) {
            faults.case(name, || {
                let one = super::sample(dtype, &[], at as u64 + 5, &targets)?;
                let d = root.create_dataset(&format!("t{at}")).dtype(dtype.clone()).shape([3]).maxshape([None]).chunks([2]).fill_value(&one).create()?;
                let full = AnyArray::full(dtype.clone(), [3], &one)?;
                same_array(&d.read_array()?, &full, "unwritten")?;
                d.resize([5])?;
                same_array(&d.read_slice::<AnyArray>(3..5)?, &AnyArray::full(dtype.clone(), [2], &one)?, "grown")?;
                match root.dataset(&format!("t{at}"))?.spec()?.fill {
                    Fill::Value(v) => same_array(&v, &one, "in the spec"),
                    other => ensure(false, format!("the spec has no fill value but {other:?}")),
                }
            });
        }
        faults.finish()
    }

    /// The three kinds of fill value are told apart: the default, a value, undefined.
    fn kinds_of_fill(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("a").shape([2]).dtype(DType::F64).create()?;
        ensure(matches!(d.spec()?.fill, Fill::Default), "the default")?;
        let d = root.create_dataset("b").shape([2]).dtype(DType::F64).undefined_fill().create()?;
        ensure(matches!(d.spec()?.fill, Fill::Undefined), "undefined")?;
        let d = root.create_dataset("c").shape([2]).dtype(DType::F32).fill_value(1i64).create()?;
        ensure(matches!(d.spec()?.fill, Fill::Value(v) if v == AnyArray::from(1.0f32)), "a value, converted")?;
        let d = root.create_dataset("nan").shape([2]).dtype(DType::F32).fill_value(f32::NAN).create()?;
        ensure(d.read::<f32>()?.iter().all(|x| x.is_nan()), "NaN")
    }
}
