//! Every dtype, in datasets and attributes of every shape.

use super::check::{Faults, ensure, same};
use super::references::{places, targets};
use super::{Backend, Broken, Check, Targets};
use crate::array::AnyArray;
use crate::dtype::{Cast, DType, Order};
use crate::error::Result;
use crate::prelude::*;
use crate::tree::{GroupRef, Region, RegionKind, RegionRef};

/// The array with every region spelled by its places, so that equal selections are equal.
pub(super) fn spelled(array: &AnyArray) -> Result<AnyArray> {
    array.map_references(&mut |r| Ok(r.clone()), &mut |r| {
        let region = Region { shape: r.region.shape.clone(), kind: RegionKind::Points(places(&r.region)) };
        Ok(RegionRef { target: r.target.clone(), region })
    })
}

/// Checks that what came back is what was stored: the type with all that belongs to its storage, the shape, the values.
#[track_caller]
pub(super) fn same_array(got: &AnyArray, wanted: &AnyArray, what: &str) -> Check {
    same(got.dtype(), wanted.dtype(), format!("{what}: the stored type"))?;
    same(got.extent(), wanted.extent(), format!("{what}: the shape"))?;
    same(spelled(got)?, spelled(wanted)?, format!("{what}: the values"))
}

/// The shapes with which every type is tried: scalar, empty ones, ranks 1 to 4.
pub(super) fn shapes() -> Vec<Vec<usize>> {
    vec![vec![], vec![0], vec![1], vec![5], vec![0, 3], vec![2, 3], vec![2, 1, 3], vec![1, 2, 3, 2]]
}

/// Types with their names.
pub(super) type NamedTypes = Vec<(String, DType)>;

/// A tree with targets for references, if the backend has them, and the dtypes that it can hold.
pub(super) fn prepare(backend: &dyn Backend) -> Result<(GroupRef, Targets, NamedTypes), Broken> {
    let root = backend.fresh()?;
    let references = backend.capabilities().references;
    let targets = if references { targets(&root)? } else { Targets::default() };
    let mut dtypes = super::dtypes()?;
    dtypes.retain(|(_, t)| references || !t.has_references());
    Ok((root, targets, dtypes))
}

promises! { "dtypes";
    /// A dataset of every type and shape gives back exactly the type and the values that were written.
    fn datasets_hold_every_type(backend) {
        let (root, targets, dtypes) = prepare(backend)?;
        let mut faults = Faults::default();
        for (at, (name, dtype)) in dtypes.iter().enumerate() {
            for (k, shape) in shapes().iter().enumerate() {
                faults.case(format!("{name} {shape:?}"), || {
                    let data = super::sample(dtype, shape, (at * 16 + k) as u64, &targets)?;
                    let made = root.create_dataset(&format!("t{at}/s{k}")).write(&data)?;
                    same(made.dtype()?, dtype.clone(), "the type at once")?;
                    let d = root.dataset(&format!("t{at}/s{k}"))?;
                    same(d.extent()?, Some(shape.clone()), "the extent")?;
                    same_array(&d.read_array()?, &data, "the dataset")
                });
            }
        }
        faults.finish()
    }

    /// An attribute of every type and shape gives back exactly the type and the values that were set.
    fn attributes_hold_every_type(backend) {
        let (root, targets, dtypes) = prepare(backend)?;
        let mut faults = Faults::default();
        for (at, (name, dtype)) in dtypes.iter().enumerate() {
            let g = root.create_group(&format!("t{at}"))?;
            for (k, shape) in shapes().iter().enumerate() {
                faults.case(format!("{name} {shape:?}"), || {
                    let data = super::sample(dtype, shape, (at * 16 + k) as u64, &targets)?;
                    g.attrs().set(&format!("s{k}"), &data)?;
                    let back = g.attrs().get_array(&format!("s{k}"))?.ok_or_else(|| Broken::new("it is gone"))?;
                    same_array(&back, &data, "the attribute")
                });
            }
        }
        faults.finish()
    }

    /// A null dataspace of every type is kept, in datasets and attributes.
    fn null_of_every_type(backend) {
        let (root, _, dtypes) = prepare(backend)?;
        let datasets = backend.capabilities().null_datasets;
        let mut faults = Faults::default();
        for (at, (name, dtype)) in dtypes.iter().enumerate() {
            faults.case(name, || {
                if datasets {
                    let d = root.create_dataset(&format!("d{at}")).dtype(dtype.clone()).null().create()?;
                    same((d.dtype()?, d.extent()?), (dtype.clone(), None), "the dataset")?;
                    same_array(&d.read_array()?, &AnyArray::null(dtype.clone()), "the dataset")?;
                    root.create_dataset(&format!("e{at}")).write(AnyArray::null(dtype.clone()))?;
                    same(root.dataset(&format!("e{at}"))?.extent()?, None, "one made from a null array")?;
                }
                root.attrs().set(&format!("a{at}"), AnyArray::null(dtype.clone()))?;
                let back = root.attrs().get_array(&format!("a{at}"))?.ok_or_else(|| Broken::new("the attribute is gone"))?;
                ensure(back.is_null(), "the attribute is null")?;
                same(back.dtype(), dtype, "the type of the attribute")
            });
        }
        faults.finish()
    }

    /// A dataset that is made without data holds zeros, empty strings, empty sequences and null references.
    fn unwritten_is_zero(backend) {
        let (root, _, dtypes) = prepare(backend)?;
        let mut faults = Faults::default();
        for (at, (name, dtype)) in dtypes.iter().enumerate() {
            faults.case(name, || {
                for (k, chunks) in [None, Some(vec![2, 2])].into_iter().enumerate() {
                    let mut builder = root.create_dataset(&format!("t{at}_{k}")).dtype(dtype.clone()).shape([3, 4]);
                    if let Some(chunks) = chunks {
                        builder = builder.chunks(chunks);
                    }
                    let d = builder.create()?;
                    same_array(&d.read_array()?, &AnyArray::zeros(dtype.clone(), [3, 4])?, "the whole")?;
                    let row = d.read_slice::<AnyArray>((1, 2..4))?;
                    same_array(&row, &AnyArray::zeros(dtype.clone(), [2])?, "a part")?;
                }
                Ok(())
            });
        }
        faults.finish()
    }

    /// A part of a dataset of every type can be written and read; the rest stays.
    fn parts_of_every_type(backend) {
        let (root, targets, dtypes) = prepare(backend)?;
        let mut faults = Faults::default();
        for (at, (name, dtype)) in dtypes.iter().enumerate() {
            faults.case(name, || {
                for (k, chunks) in [None, Some(vec![3, 2])].into_iter().enumerate() {
                    let mut model = super::sample(dtype, &[5, 4], at as u64, &targets)?;
                    let mut builder = root.create_dataset(&format!("t{at}_{k}"));
                    if let Some(chunks) = chunks {
                        builder = builder.chunks(chunks);
                    }
                    let d = builder.write(&model)?;
                    let part = super::sample(dtype, &[2, 3], 900 + at as u64, &targets)?;
                    let here: crate::Selection = (1..3, vec![3, 0, 2]).into();
                    d.write_slice(&here, &part)?;
                    model.assign(&here, &part)?;
                    same_array(&d.read_slice::<AnyArray>(&here)?, &part, "the part")?;
                    same_array(&d.read_array()?, &model, "the whole")?;
                    let one = super::sample(dtype, &[], 77 + at as u64, &targets)?;
                    d.write_slice((0, 0), &one)?;
                    model.assign((0, 0), &one)?;
                    same_array(&d.read_slice::<AnyArray>((0, ..))?, &model.select((0, ..))?, "one element")?;
                }
                Ok(())
            });
        }
        faults.finish()
    }

    /// The stored byte order changes nothing about the values: data of one order may be written to a dataset of the other.
    fn byte_order_is_storage(backend) {
        let root = backend.fresh()?;
        let data = vec![1i32, -2, 300_000];
        for (name, order) in [("le", Order::Little), ("be", Order::Big)] {
            let dtype = DType::I32.with_order(order);
            let d = root.create_dataset(name).dtype(dtype.clone()).write(data.clone())?;
            same(d.dtype()?, dtype.clone(), name)?;
            same(d.read::<i32>()?.into_raw_vec_and_offset().0, data.clone(), name)?;
            let other = AnyArray::from(vec![7i32, 8, 9]).with_dtype(&DType::I32.with_order(Order::Big))?;
            d.write(other)?;
            same(d.read::<i32>()?.into_raw_vec_and_offset().0, vec![7, 8, 9], name)?;
            same(d.dtype()?, dtype, "the stored type stays")?;
        }
        Ok(())
    }

    /// Data of another type are converted exactly when they are written, or refused.
    fn conversion_is_exact(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").dtype(DType::F32).write(vec![1i64, 2, 3])?;
        same(d.dtype()?, DType::F32, "the type that was asked for")?;
        d.write(vec![4u8, 5, 6])?;
        same(d.read::<f32>()?.into_raw_vec_and_offset().0, vec![4.0, 5.0, 6.0], "integers")?;
        d.write(vec![0.5f64, 0.25, -8.0])?;
        super::check::refused(d.write(vec![0.1f64, 0.2, 0.3]), crate::ErrorKind::Dtype, "fractions that single precision cannot hold")?;
        same(d.read::<f32>()?.into_raw_vec_and_offset().0, vec![0.5, 0.25, -8.0], "a refused write writes nothing")?;
        let n = root.create_dataset("n").dtype(DType::U8).cast(Cast::Saturate).write(vec![-5i32, 7, 900])?;
        same(n.read::<u8>()?.into_raw_vec_and_offset().0, vec![0, 7, 255], "saturated on request")?;
        same(n.read_as::<f64>(Cast::Exact)?.into_raw_vec_and_offset().0, vec![0.0, 7.0, 255.0], "read as another type")
    }

    /// Text goes in and out as Rust strings, in scalars and arrays, of variable and fixed length.
    fn text_is_text(backend) {
        let root = backend.fresh()?;
        root.create_dataset("one").write("Ångström")?;
        same(root.dataset("one")?.read_slice::<String>(())?, "Ångström", "a scalar")?;
        let words = ["", "a", "日本", "blank at the end "];
        let many = root.create_dataset("many").write(words)?;
        same(many.dtype()?, DType::STR, "the type")?;
        same(many.read_slice::<Vec<String>>(())?, words, "an array")?;
        many.write_slice(1..3, ["x", "yy"])?;
        same(many.read_slice::<Vec<String>>(())?, ["", "x", "yy", "blank at the end "], "a part")?;
        let fixed = root.create_dataset("fixed").dtype(DType::fixed_utf8(20)).write(words)?;
        same(fixed.dtype()?, DType::fixed_utf8(20), "the fixed type")?;
        same(fixed.read_slice::<Vec<String>>(())?, words, "of fixed length")?;
        let long = "x".repeat(1 << 20);
        root.create_dataset("long").write(long.as_str())?;
        same(root.dataset("long")?.read_slice::<String>(())?.len(), 1 << 20, "a long string")
    }
}
