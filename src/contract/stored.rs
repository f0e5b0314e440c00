//! What is stored: trees that are closed and opened again.

use super::check::{Faults, ensure, needs, refused, same};
use super::dtypes::{prepare, same_array};
use super::references::targets;
use super::{Backend, Broken, sample};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{ErrorKind, Result};
use crate::prelude::*;
use crate::tree::{Filter, GroupRef, GroupSpec, Link, Mode, ObjectRef};

/// The tree after it was closed and opened again.
fn again(backend: &dyn Backend, root: GroupRef, mode: Mode) -> Result<GroupRef, Broken> {
    needs(backend.capabilities().persistent, "way to open a tree again")?;
    Ok(backend.reopen(root, mode)?)
}

promises! { "stored";
    /// Every type, in datasets and attributes, is the same after the tree was closed and opened again.
    fn every_type_is_stored(backend) {
        needs(backend.capabilities().persistent, "way to open a tree again")?;
        let (root, t, dtypes) = prepare(backend)?;
        let plain: Vec<_> = dtypes.into_iter().filter(|(_, t)| !t.has_references()).enumerate().collect();
        for (at, (_, dtype)) in &plain {
            let data = sample(dtype, &[3, 2], *at as u64, &t)?;
            root.create_dataset(&format!("d{at}")).write(&data)?.attrs().set("a", &data)?;
            root.create_dataset(&format!("c{at}")).chunks([2, 1]).gzip(3).maxshape([None, Some(4)]).write(&data)?;
            if backend.capabilities().null_datasets {
                root.create_dataset(&format!("n{at}")).dtype(dtype.clone()).null().create()?;
            }
        }
        let root = again(backend, root, Mode::Read)?;
        let mut faults = Faults::default();
        for (at, (name, dtype)) in &plain {
            faults.case(name, || {
                let data = sample(dtype, &[3, 2], *at as u64, &t)?;
                let d = root.dataset(&format!("d{at}"))?;
                same_array(&d.read_array()?, &data, "the dataset")?;
                same_array(&d.attrs().get::<AnyArray>("a")?, &data, "the attribute")?;
                let c = root.dataset(&format!("c{at}"))?;
                same_array(&c.read_array()?, &data, "the chunked dataset")?;
                same(c.spec()?.filters, [Filter::Shuffle, Filter::Gzip(3)], "its filters")?;
                same((c.maxshape()?, c.spec()?.chunks().map(<[usize]>::to_vec)), (vec![None, Some(4)], Some(vec![2, 1])), "maxshape and chunks")?;
                if backend.capabilities().null_datasets {
                    let n = root.dataset(&format!("n{at}"))?;
                    same((n.dtype()?, n.extent()?), (dtype.clone(), None), "the null dataset")?;
                }
                Ok(())
            });
        }
        faults.finish()
    }

    /// Links, references with their selections, tracked orders and fill values are the same after the tree was opened again.
    fn structure_is_stored(backend) {
        needs(backend.capabilities().persistent, "way to open a tree again")?;
        let has = backend.capabilities();
        let root = backend.fresh()?;
        root.attrs().set("title", "of the root")?;
        let g = root.create_group_with("tracked", &GroupSpec { track_order: has.track_order })?;
        for name in ["z", "a", "m"] {
            g.create_dataset(name).write(1)?;
            g.attrs().set(name, 1)?;
        }
        if has.soft_links {
            root.link_soft("/tracked/z", "soft")?;
        }
        if has.hard_links {
            root.link_hard("tracked/a", "hard")?;
            root.link_hard("/", "tracked/up")?;
        }
        if has.external_links {
            root.link_external("other.h5", "/x", "external")?;
        }
        let point = DType::compound([("x", DType::F64), ("n", DType::STR)])?;
        if has.committed_types {
            root.commit_datatype("point", &point)?;
        }
        root.create_dataset("fill").shape([2]).maxshape([None]).dtype(DType::F32).fill_value(7.5f32).create()?;
        let t = if has.references { targets(&root)? } else { Default::default() };
        let row = DType::compound([("what", DType::ObjectRef), ("part", DType::RegionRef)])?;
        let mut names = vec![];
        if has.references {
            let rows = sample(&row, &[12], 3, &t)?;
            root.create_dataset("rows").write(&rows)?;
            root.attrs().set("ref", t.objects[1].clone())?;
            root.create_dataset("objects").write(AnyArray::from_references(t.objects.clone()))?;
            root.create_dataset("regions").write(AnyArray::from_regions(t.regions.clone()))?;
            for o in &t.objects {
                names.push(o.open()?.name());
            }
        }
        let regions: Vec<_> = t.regions.iter().map(|r| (super::references::places(&r.region), r.region.shape.clone())).collect();
        drop((t, g));
        let root = again(backend, root, Mode::ReadWrite)?;
        same(root.attrs().get::<String>("title")?, "of the root", "the root's attribute")?;
        if has.track_order {
            let mut wanted = vec!["z", "a", "m"];
            same(root.group("tracked")?.attrs().keys()?, wanted.clone(), "the order of attributes")?;
            if has.hard_links {
                wanted.push("up");
            }
            same(root.group("tracked")?.keys()?, wanted, "the order of names")?;
            ensure(root.group("tracked")?.group_spec()?.track_order, "the spec")?;
        }
        if has.soft_links {
            same(root.link("soft")?, Link::Soft { target: "/tracked/z".into() }, "the soft link")?;
            same(root.dataset("soft")?.read_slice::<i32>(())?, 1, "through the soft link")?;
        }
        if has.hard_links {
            same(root.dataset("hard")?.id()?, root.dataset("tracked/a")?.id()?, "the hard link")?;
            same(root.group("tracked/up")?.id()?, root.id()?, "the circle")?;
        }
        if has.external_links {
            same(root.link("external")?, Link::External { file: "other.h5".into(), target: "/x".into() }, "the external link")?;
        }
        if has.committed_types {
            let crate::tree::Node::Datatype(t) = root.get("point")? else { return ensure(false, "the committed type") };
            same(t.committed_dtype()?, point, "the committed type")?;
        }
        let fill = root.dataset("fill")?;
        fill.resize([3])?;
        same(fill.read::<f32>()?.into_iter().collect::<Vec<_>>(), [7.5; 3], "the fill value")?;
        if has.references {
            let objects = root.dataset("objects")?.read_array()?.to_references()?;
            let found: Vec<String> = objects.iter().map(|o| Ok(o.open()?.name())).collect::<Result<_>>()?;
            same(found, names, "the referenced objects")?;
            let back = root.dataset("regions")?.read_array()?.to_regions()?;
            let places: Vec<_> = back.iter().map(|r| (super::references::places(&r.region), r.region.shape.clone())).collect();
            same(places, regions, "the selected places")?;
            same(root.attrs().get::<ObjectRef>("ref")?.open()?.name(), "/targets/d", "the attribute")?;
            same(root.dataset("rows")?.dtype()?, row, "the type of the rows")?;
        }
        Ok(())
    }

    /// A tree that is open for reading only refuses every change, and says so; reads work.
    fn reading_only(backend) {
        needs(backend.capabilities().read_only, "read-only mode")?;
        let root = backend.fresh()?;
        root.create_dataset("g/d").shape([2]).maxshape([None]).write(vec![1, 2])?;
        root.attrs().set("a", 1)?;
        let root = again(backend, root, Mode::Read)?;
        ensure(!root.location().writable, "the location says so")?;
        let d = root.dataset("g/d")?;
        same(d.read_slice::<Vec<i32>>(())?, [1, 2], "a read")?;
        let kind = ErrorKind::ReadOnly;
        refused(root.create_group("x"), kind, "create_group")?;
        refused(root.create_group("x/y"), kind, "create_group with groups on the way")?;
        refused(root.require_group("x"), kind, "require_group of nothing")?;
        ensure(root.require_group("g").is_ok(), "require_group of what is there")?;
        refused(root.create_dataset("x").write(1), kind, "create_dataset")?;
        refused(root.create_dataset("g/d").overwrite(true).write(1), kind, "overwrite")?;
        refused(root.commit_datatype("x", &DType::F64), kind, "commit_datatype")?;
        refused(root.link_soft("/g", "x"), kind, "link_soft")?;
        refused(root.link_hard("/g", "x"), kind, "link_hard")?;
        refused(root.link_external("f", "/g", "x"), kind, "link_external")?;
        refused(root.delete("g"), kind, "delete")?;
        refused(root.rename("g", "h"), kind, "rename")?;
        refused(d.write(vec![3, 4]), kind, "write")?;
        refused(d.write_slice(0, 3), kind, "write_slice")?;
        refused(d.resize([3]), kind, "resize")?;
        refused(d.append(3), kind, "append")?;
        refused(root.attrs().set("a", 2), kind, "set an attribute")?;
        refused(root.attrs().set("b", 2), kind, "set a new attribute")?;
        refused(root.attrs().delete("a"), kind, "delete an attribute")?;
        refused(d.attrs().set("a", 2), kind, "set an attribute of a dataset")?;
        same((root.keys()?, d.read_slice::<Vec<i32>>(())?), (vec!["g".to_owned()], vec![1, 2]), "nothing has changed")
    }

    /// After `close_tree` every handle refuses work, with the kind `Closed`.
    fn closed_trees(backend) {
        needs(backend.capabilities().closes, "way to close a tree")?;
        let root = backend.fresh()?;
        let d = root.create_dataset("g/d").write(vec![1, 2])?;
        let g = root.group("g")?;
        root.attrs().set("a", 1)?;
        let r = if backend.capabilities().references { Some(d.reference()?) } else { None };
        root.close_tree()?;
        let kind = ErrorKind::Closed;
        refused(root.keys(), kind, "keys")?;
        refused(root.get("g"), kind, "get")?;
        refused(root.create_group("x"), kind, "create_group")?;
        refused(g.keys(), kind, "keys of a group")?;
        refused(g.create_dataset("x").write(1), kind, "create_dataset")?;
        refused(g.file(), kind, "file")?;
        refused(d.read_array(), kind, "read")?;
        refused(d.write(vec![1, 2]), kind, "write")?;
        refused(d.extent(), kind, "extent")?;
        refused(d.dtype(), kind, "dtype")?;
        refused(root.attrs().get::<i32>("a"), kind, "an attribute")?;
        refused(root.attrs().keys(), kind, "the attributes")?;
        refused(root.attrs().set("a", 2), kind, "set an attribute")?;
        if let Some(r) = r {
            refused(r.open(), kind, "a reference")?;
        }
        refused(root.flush(), kind, "flush")?;
        ensure(root.close_tree().is_ok(), "closing again is no error")
    }

    /// A tree that was opened again can be changed, and changes are stored.
    fn changes_are_stored(backend) {
        let root = backend.fresh()?;
        root.create_dataset("d").shape([2]).maxshape([None]).write(vec![1, 2])?;
        root.create_group("g")?;
        let root = again(backend, root, Mode::ReadWrite)?;
        root.dataset("d")?.append(3)?;
        root.dataset("d")?.attrs().set("a", "new")?;
        root.rename("g", "h")?;
        root.create_dataset("h/e").write("text")?;
        root.flush()?;
        let root = again(backend, root, Mode::ReadWrite)?;
        same(root.keys()?, ["d", "h"], "the names")?;
        root.create_dataset("d").overwrite(true).write(0.5)?;
        root.delete("h/e")?;
        let root = again(backend, root, Mode::Read)?;
        same(root.dataset("d")?.read_slice::<f64>(())?, 0.5, "the replaced dataset")?;
        ensure(root.group("h")?.is_empty()? && root.dataset("d")?.attrs().is_empty()?, "what was deleted is gone")
    }
}
