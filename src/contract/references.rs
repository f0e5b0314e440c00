//! Object and region references.

use super::check::{ensure, needs, refused, same};
use super::{Broken, Check, Targets};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::prelude::*;
use crate::selection::Selection;
use crate::tree::{GroupRef, ObjectRef, Region, RegionKind, RegionRef};

/// Some groups and datasets in the tree with references to them, of all kinds of selections.
pub(super) fn targets(root: &GroupRef) -> Result<Targets, Broken> {
    let g = root.create_group("targets")?;
    let d = g.create_dataset("d").write(AnyArray::from((0..24).collect::<Vec<i32>>()).reshape(&[4, 6])?)?;
    let line = g.create_dataset("line").write((0..10).map(f64::from).collect::<Vec<_>>())?;
    let regions = regions([4, 6]).into_iter().map(|region| Ok(RegionRef { target: d.reference()?, region }));
    Ok(Targets {
        objects: vec![g.reference()?, d.reference()?, line.reference()?, root.reference()?],
        regions: regions.collect::<Result<_, Broken>>()?,
    })
}

/// Regions of all kinds for a shape of at least 4 by 6.
fn regions(shape: [u64; 2]) -> Vec<Region> {
    let region = |kind| Region { shape: shape.to_vec(), kind };
    vec![
        region(RegionKind::All),
        region(RegionKind::None),
        region(RegionKind::Hyperslab { start: vec![1, 2], stride: vec![1, 1], count: vec![1, 1], block: vec![2, 3] }),
        region(RegionKind::Hyperslab { start: vec![0, 1], stride: vec![2, 3], count: vec![2, 2], block: vec![1, 2] }),
        region(RegionKind::Blocks(vec![(vec![0, 0], vec![0, 2]), (vec![2, 4], vec![3, 5])])),
        region(RegionKind::Points(vec![vec![3, 5], vec![0, 0], vec![1, 2]])),
    ]
}

/// The selected places in C order (points in their own), whatever the spelling of the selection.
pub(super) fn places(region: &Region) -> Vec<Vec<u64>> {
    let shape = &region.shape;
    let inside = |at: &[u64]| -> bool {
        match &region.kind {
            RegionKind::All => true,
            RegionKind::Hyperslab { start, stride, count, block } => (0..at.len()).all(|k| {
                at[k].checked_sub(start[k]).is_some_and(|d| {
                    let stride = stride[k].max(1);
                    d / stride < count[k] && d % stride < block[k] || (count[k] == 1 && d < block[k])
                })
            }),
            RegionKind::Blocks(blocks) => blocks.iter().any(|(low, high)| (0..at.len()).all(|k| (low[k]..=high[k]).contains(&at[k]))),
            _ => false,
        }
    };
    if let RegionKind::Points(points) = &region.kind {
        return points.clone();
    }
    let mut out = Vec::new();
    for n in 0..shape.iter().product::<u64>() {
        let mut rest = n;
        let mut at = vec![0; shape.len()];
        for k in (0..shape.len()).rev() {
            at[k] = rest % shape[k];
            rest /= shape[k];
        }
        if inside(&at) {
            out.push(at);
        }
    }
    out
}

fn same_region(got: &RegionRef, wanted: &RegionRef, what: &str) -> Check {
    same(&got.target, &wanted.target, format!("{what}: the target"))?;
    same(&got.region.shape, &wanted.region.shape, format!("{what}: the shape"))?;
    same(places(&got.region), places(&wanted.region), format!("{what}: the selected places"))
}

promises! { "references";
    /// An object reference opens its target: a group, a dataset, the root, a committed type.
    fn object_references_open(backend) {
        needs(backend.capabilities().references, "references")?;
        let root = backend.fresh()?;
        let g = root.create_group("g")?;
        let d = g.create_dataset("d").write(7)?;
        let t = root.commit_datatype("t", &DType::F64)?;
        let refs = [g.reference()?, d.reference()?, root.reference()?, t.reference()?, ObjectRef::null()];
        let stored = root.create_dataset("refs").write(AnyArray::from_references(refs.clone()))?;
        same(stored.dtype()?, DType::ObjectRef, "the type")?;
        let back = stored.read_array()?.to_references()?;
        same(&back[..], &refs[..], "the references")?;
        for (r, id) in back.iter().zip([g.id()?, d.id()?, root.id()?, t.id()?]) {
            same(r.open()?.object().id()?, id, "the opened object")?;
        }
        same(back[1].open()?.name(), "/g/d", "the name")?;
        same(back[1].open()?.into_dataset()?.read_slice::<i32>(())?, 7, "the value")?;
        ensure(back[4].is_null(), "the null reference")?;
        refused(back[4].open(), ErrorKind::NotFound, "the null reference leads nowhere")?;
        root.attrs().set("ref", d.reference()?)?;
        same(root.attrs().get::<ObjectRef>("ref")?.open()?.object().id()?, d.id()?, "in an attribute")
    }

    /// References survive a rename of their target, and are dangling after it was deleted.
    fn references_survive_a_rename(backend) {
        needs(backend.capabilities().references, "references")?;
        let root = backend.fresh()?;
        let d = root.create_dataset("a/d").write(vec![1, 2, 3])?;
        root.create_dataset("refs").write(AnyArray::from_references([d.reference()?, root.group("a")?.reference()?]))?;
        drop(d);
        root.rename("a/d", "b/e")?;
        root.rename("a", "c")?;
        let refs = root.dataset("refs")?.read_array()?.to_references()?;
        same(refs[0].open()?.into_dataset()?.read_slice::<Vec<i32>>(())?, [1, 2, 3], "the moved dataset")?;
        same(refs[0].open()?.object().id()?, root.dataset("b/e")?.id()?, "its identity")?;
        same(refs[1].open()?.object().id()?, root.group("c")?.id()?, "the renamed group")?;
        drop(refs);
        root.delete("b/e")?;
        let refs = root.dataset("refs")?.read_array()?.to_references()?;
        refused(refs[0].open(), ErrorKind::NotFound, "a deleted target")?;
        ensure(!refs[0].is_null(), "it is not the null reference")?;
        ensure(refs[1].open().is_ok(), "the other one still leads there")
    }

    /// Region references keep the dataset, its shape and every selected place.
    fn region_references_keep_all(backend) {
        needs(backend.capabilities().references, "references")?;
        let root = backend.fresh()?;
        let t = targets(&root)?;
        let mut refs = t.regions.clone();
        refs.push(RegionRef::null());
        let stored = root.create_dataset("regions").write(AnyArray::from_regions(refs.clone()))?;
        same(stored.dtype()?, DType::RegionRef, "the type")?;
        let back = stored.read_array()?.to_regions()?;
        same(back.len(), refs.len(), "how many")?;
        for (at, (got, wanted)) in back.iter().zip(&refs).enumerate() {
            same(got.is_null(), wanted.is_null(), format!("region {at} is null"))?;
            if !wanted.is_null() {
                same_region(got, wanted, &format!("region {at}"))?;
            }
        }
        root.attrs().set("region", refs[3].clone())?;
        same_region(&root.attrs().get::<RegionRef>("region")?, &refs[3], "in an attribute")?;
        root.rename("targets/d", "elsewhere")?;
        let back = root.dataset("regions")?.read_array()?.to_regions()?;
        same(back[0].target.open()?.object().id()?, root.dataset("elsewhere")?.id()?, "after a rename")
    }

    /// A reference into another tree is refused, in datasets and attributes, alone and inside compounds and sequences.
    fn foreign_references_are_refused(backend) {
        needs(backend.capabilities().references, "references")?;
        let (root, other) = (backend.fresh()?, backend.fresh()?);
        let foreign = targets(&other)?;
        let kind = ErrorKind::InvalidArgument;
        let one = AnyArray::from_references(foreign.objects.clone());
        refused(root.create_dataset("x").write(&one), kind, "in a new dataset")?;
        refused(root.attrs().set("x", &one), kind, "in an attribute")?;
        ensure(!root.contains("x")? && !root.attrs().contains("x")?, "nothing was made")?;
        let d = root.create_dataset("d").shape([4]).dtype(DType::ObjectRef).create()?;
        refused(d.write(&one), kind, "in a write")?;
        ensure(d.read_array()?.to_references()?.iter().all(ObjectRef::is_null), "nothing was written")?;
        let regions = AnyArray::from_regions(foreign.regions.clone());
        refused(root.create_dataset("y").write(&regions), kind, "a region")?;
        let compound = DType::compound([("n", DType::I32), ("r", DType::ObjectRef)])?;
        let rows = super::sample(&compound, &[20], 1, &foreign)?;
        refused(root.create_dataset("z").write(&rows), kind, "inside a compound")?;
        let lists = super::sample(&DType::varseq(DType::ObjectRef), &[20], 1, &foreign)?;
        refused(root.create_dataset("v").write(&lists), kind, "inside a sequence")?;
        refused(root.attrs().set("v", &lists), kind, "inside a sequence of an attribute")?;
        same(root.keys()?, ["d"], "nothing was made")
    }

    /// References inside compounds, sub-arrays and sequences keep their targets.
    fn references_inside(backend) {
        needs(backend.capabilities().references, "references")?;
        let root = backend.fresh()?;
        let t = targets(&root)?;
        let row = DType::compound([("what", DType::ObjectRef), ("n", DType::I32), ("part", DType::RegionRef), ("pair", DType::array(DType::ObjectRef, [2]))])?;
        for (name, dtype) in [("row", row), ("list", DType::varseq(DType::ObjectRef)), ("pair", DType::array(DType::ObjectRef, [2]))] {
            let data = super::sample(&dtype, &[15], 3, &t)?;
            let d = root.create_dataset(name).write(&data)?;
            same(object_ids(&d.read_array()?)?, object_ids(&data)?, name)?;
            root.attrs().set(name, &data)?;
            let back = root.attrs().get_array(name)?.ok_or_else(|| Broken::new("the attribute is gone"))?;
            same(object_ids(&back)?, object_ids(&data)?, format!("{name} in an attribute"))?;
        }
        Ok(())
    }

    /// What a reference selects can be read: the selection of a region is that of the dataset.
    fn regions_select(backend) {
        needs(backend.capabilities().references, "references")?;
        let root = backend.fresh()?;
        let t = targets(&root)?;
        let stored = root.create_dataset("regions").write(AnyArray::from_regions(t.regions))?;
        let back = stored.read_array()?.to_regions()?;
        let d = back[2].target.open()?.into_dataset()?;
        let (low, high) = back[2].region.bounds().ok_or_else(|| Broken::new("the region has no bounds"))?;
        same((&low, &high), (&vec![1, 2], &vec![2, 4]), "the bounds")?;
        let box_: Selection = ((low[0] as i64..high[0] as i64 + 1), (low[1] as i64..high[1] as i64 + 1)).into();
        same(d.read_slice::<ndarray::ArrayD<i32>>(box_)?.into_iter().collect::<Vec<_>>(), [8, 9, 10, 14, 15, 16], "the values")?;
        same(back[1].region.bounds(), None, "nothing has no bounds")
    }
}

/// The identities of all referenced objects, in order, with the selected places of regions.
fn object_ids(array: &AnyArray) -> Result<Vec<String>, Broken> {
    let out = std::cell::RefCell::new(Vec::new());
    array.map_references(
        &mut |r| {
            out.borrow_mut().push(format!("{:?}", r.id()));
            Ok(r.clone())
        },
        &mut |r| {
            out.borrow_mut().push(format!("{:?} {:?} {:?}", r.target.id(), r.region.shape, places(&r.region)));
            Ok(r.clone())
        },
    )?;
    Ok(out.into_inner())
}
