//! What a dataset keeps: layout, chunks, filters; and how it is replaced.

use super::check::{Faults, ensure, needs, refused, same};
use super::dtypes::same_array;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::tree::{BitshuffleCompressor, Feature, Filter, Layout};

/// Pipelines of all filters, each with a type that it can take.
pub(super) fn pipelines() -> Vec<(DType, Vec<Filter>)> {
    let bitshuffle = |block_size, compressor| Filter::Bitshuffle { block_size, compressor };
    vec![
        (DType::F64, vec![Filter::Gzip(0)]),
        (DType::F64, vec![Filter::Gzip(9)]),
        (DType::I32, vec![Filter::Shuffle, Filter::Gzip(4)]),
        (DType::I32, vec![Filter::Shuffle]),
        (DType::I16, vec![Filter::Fletcher32]),
        (DType::F32, vec![Filter::Shuffle, Filter::Gzip(1), Filter::Fletcher32]),
        (DType::I64, vec![Filter::Lzf]),
        (DType::I64, vec![Filter::Shuffle, Filter::Lzf, Filter::Fletcher32]),
        (DType::C128, vec![bitshuffle(0, BitshuffleCompressor::Lz4)]),
        (DType::U16, vec![bitshuffle(64, BitshuffleCompressor::None)]),
        (DType::F32, vec![bitshuffle(0, BitshuffleCompressor::Zstd(3))]),
        (DType::F64, vec![Filter::Zstd(3)]),
        (DType::F64, vec![Filter::Shuffle, Filter::Zstd(-1)]),
        (DType::I32, vec![Filter::Nbit]),
        (DType::I32, vec![Filter::ScaleOffset { kind: 2, factor: 0 }]),
        (DType::STR, vec![Filter::Gzip(4)]),
        (DType::varseq(DType::I32), vec![Filter::Shuffle, Filter::Gzip(4)]),
    ]
}

promises! { "datasets";
    /// Contiguous, compact and chunked layouts are kept with what belongs to them.
    fn layouts_are_kept(backend) {
        let root = backend.fresh()?;
        let mut faults = Faults::default();
        for (name, layout) in [("contiguous", Layout::Contiguous), ("compact", Layout::Compact), ("chunked", Layout::Chunked(vec![2, 3]))] {
            faults.case(name, || {
                let data = ndarray::Array2::<f64>::from_shape_fn((4, 7), |(i, j)| (10 * i + j) as f64);
                root.create_dataset(name).layout(layout.clone()).write(&data)?;
                let d = root.dataset(name)?;
                same(d.spec()?.layout, layout, "the layout")?;
                same(d.read::<f64>()?, data.into_dyn(), "the values")?;
                d.write_slice((1, 2..4), vec![-1.0, -2.0])?;
                same(d.read_slice::<Vec<f64>>((1, ..))?, [10.0, 11.0, -1.0, -2.0, 14.0, 15.0, 16.0], "written again")
            });
        }
        let auto = root.create_dataset("auto").layout(Layout::AutoChunked).write(vec![1.0; 1000])?;
        faults.add("auto", ensure(auto.spec()?.needs_chunks(), "chunks of the backend's choice"));
        let grows = root.create_dataset("grows").maxshape([None]).write(vec![1.0; 10])?;
        faults.add("grows", ensure(grows.spec()?.needs_chunks(), "what can grow has chunks"));
        faults.finish()
    }

    /// Every filter is kept with its parameters, in order, and gives back what was written.
    fn filters_are_kept(backend) {
        needs(backend.capabilities().filters, "filters")?;
        let root = backend.fresh()?;
        let mut faults = Faults::default();
        for (at, (dtype, filters)) in pipelines().into_iter().enumerate() {
            faults.case(format!("{dtype} {filters:?}"), || {
                if filters.iter().any(|f| root.lacks(&Feature::Filter(f)).is_some()) {
                    let made = root.create_dataset("lacking").shape([50, 9]).dtype(dtype.clone()).filters(filters.clone()).create();
                    return refused(made, ErrorKind::Unsupported, "a filter that the backend lacks");
                }
                let mut data = super::sample(&dtype, &[50, 9], at as u64, &super::Targets::default())?;
                let name = format!("d{at}");
                root.create_dataset(&name).chunks([16, 4]).filters(filters.clone()).write(&data)?;
                let d = root.dataset(&name)?;
                same(d.spec()?.filters, filters, "the filters")?;
                same(d.spec()?.chunks().map(<[usize]>::to_vec), Some(vec![16, 4]), "the chunks")?;
                same_array(&d.read_array()?, &data, "the values")?;
                let part = super::sample(&dtype, &[3, 9], 500 + at as u64, &super::Targets::default())?;
                d.write_slice(15..18, &part)?;
                data.assign(15..18, &part)?;
                same_array(&d.read_array()?, &data, "the values after a part was written")
            });
        }
        faults.finish()
    }

    /// A spec taken from one dataset makes an equal one.
    fn specs_make_equal_datasets(backend) {
        let root = backend.fresh()?;
        let a = root
            .create_dataset("a")
            .shape([5, 4])
            .maxshape([None, Some(8)])
            .dtype(DType::F32)
            .chunks([2, 4])
            .filters([Filter::Shuffle, Filter::Gzip(6)])
            .fill_value(2.5f32)
            .create()?;
        let b = root.create_dataset("b").spec(&a.spec()?).create()?;
        same(format!("{:?}", b.spec()?), format!("{:?}", a.spec()?), "the specs")?;
        same(b.read_array()?, a.read_array()?, "the values")
    }

    /// `overwrite` replaces whatever has the name, whole; without it the name is taken.
    fn overwrite_replaces(backend) {
        let root = backend.fresh()?;
        let old = root.create_dataset("g/d").write(vec![1, 2, 3])?;
        old.attrs().set("a", 1)?;
        super::check::refused(root.create_dataset("g/d").write(1.0), ErrorKind::AlreadyExists, "without overwrite")?;
        let new = root.create_dataset("g/d").overwrite(true).write(vec![0.5, 1.5])?;
        same((new.dtype()?, new.name()), (DType::F64, "/g/d".to_owned()), "the new dataset")?;
        same(root.dataset("g/d")?.id()?, new.id()?, "the name leads to it")?;
        ensure(root.dataset("g/d")?.attrs().is_empty()?, "the old attributes are gone")?;
        root.create_dataset("g").overwrite(true).write(1)?;
        same(root.dataset("g")?.read_slice::<i32>(())?, 1, "a group is replaced, with all in it")?;
        root.create_dataset("fresh/x").overwrite(true).write(2)?;
        same(root.keys()?, ["fresh", "g"], "nothing else is left")?;
        super::check::refused(root.create_dataset("g").overwrite(true).shape([2]).write(vec![1, 2, 3]), ErrorKind::Shape, "data that do not fit")?;
        same(root.dataset("g")?.read_slice::<i32>(())?, 1, "a failed overwrite leaves what was there")
    }

    /// A dataset of many elements goes in and out, whole and in parts.
    fn large_datasets(backend) {
        let root = backend.fresh()?;
        let data = ndarray::Array1::<f64>::from_shape_fn(1_000_000, |i| i as f64 * 0.5);
        for (name, layout) in [("a", Layout::Contiguous), ("b", Layout::Chunked(vec![100_000]))] {
            let d = root.create_dataset(name).layout(layout).write(&data)?;
            same(d.read_slice::<f64>(999_999)?, 499_999.5, "the last")?;
            same(d.read::<f64>()?, data.clone().into_dyn(), "all")?;
            let list: Vec<i64> = (0..10_000).map(|i| i * 97).collect();
            let wanted: Vec<f64> = list.iter().map(|i| *i as f64 * 0.5).collect();
            same(d.read_slice::<Vec<f64>>(list)?, wanted, "ten thousand by their indices")?;
        }
        Ok(())
    }

    /// Attributes of a dataset belong to it, not to the data.
    fn attributes_of_datasets(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").shape([2]).maxshape([None]).write(vec![1.0, 2.0])?;
        d.attrs().set("units", "mJy")?;
        d.attrs().set("beam", vec![0.5, 0.25])?;
        d.write(vec![3.0, 4.0])?;
        d.resize([5])?;
        same(root.dataset("d")?.attrs().get::<String>("units")?, "mJy", "after a write")?;
        same(root.dataset("d")?.attrs().get::<Vec<f64>>("beam")?, [0.5, 0.25], "after a resize")
    }

    /// A read is a snapshot: writing the dataset later does not change it.
    fn reads_are_snapshots(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").shape([3]).maxshape([None]).write(vec![1, 2, 3])?;
        let before: AnyArray = d.read_array()?;
        d.write_slice(0, 9)?;
        d.append(4)?;
        same(before, AnyArray::from(vec![1, 2, 3]), "what was read")?;
        same(d.read_slice::<Vec<i32>>(())?, [9, 2, 3, 4], "what is there")
    }
}
