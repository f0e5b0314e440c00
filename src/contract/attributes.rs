//! Attributes of all objects.

use super::check::{Faults, ensure, needs, refused, same};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::ErrorKind;
use crate::prelude::*;

promises! { "attributes";
    /// Attributes are set, read, listed, counted and deleted, on groups, datasets and committed types.
    fn a_mapping(backend) {
        let root = backend.fresh()?;
        root.create_group("g")?;
        root.create_dataset("d").write(1)?;
        let mut names = vec!["/", "g", "d"];
        if backend.capabilities().committed_types {
            root.commit_datatype("t", &DType::F64)?;
            names.push("t");
        }
        let mut faults = Faults::default();
        for name in names {
            faults.case(name, || {
                let node = root.get(name)?;
                let a = node.attrs();
                ensure(a.is_empty()? && a.keys()?.is_empty(), "none at first")?;
                a.set("n", 7)?;
                a.set("x", 0.5)?;
                a.set("text", "Ångström")?;
                a.set("list", vec![1u8, 2, 3])?;
                a.set("flag", true)?;
                same(a.keys()?, ["flag", "list", "n", "text", "x"], "the names, by code point")?;
                same((a.len()?, a.contains("n")?, a.contains("m")?), (5, true, false), "len and contains")?;
                same(a.get::<i32>("n")?, 7, "a number")?;
                same(a.get::<f64>("x")?, 0.5, "a float")?;
                same(a.get::<String>("text")?, "Ångström", "a text")?;
                same(a.get::<Vec<u8>>("list")?, [1, 2, 3], "a vector")?;
                same(a.get::<bool>("flag")?, true, "a bool")?;
                same(a.get_array("nope")?.is_none(), true, "none of that name")?;
                same(a.items()?.into_iter().map(|(n, _)| n).collect::<Vec<_>>(), a.keys()?, "items")?;
                a.delete("n")?;
                refused(a.delete("n"), ErrorKind::NotFound, "a second time")?;
                refused(a.get::<i32>("n"), ErrorKind::NotFound, "it is gone")?;
                same(root.get(name)?.attrs().len()?, 4, "another handle sees it")
            });
        }
        faults.finish()
    }

    /// Setting an attribute again replaces it, whatever its type and shape were.
    fn replaced_by_anything(backend) {
        let root = backend.fresh()?;
        let a = root.attrs();
        let values: Vec<AnyArray> = vec![
            1i32.into(),
            "text".into(),
            vec![1.0, 2.0, 3.0].into(),
            AnyArray::null(DType::F32),
            AnyArray::zeros(DType::STR, [2, 2])?,
            AnyArray::zeros(DType::I8, [0])?,
            vec![7u8; 100_000].into(),
            true.into(),
            "x".repeat(100_000).as_str().into(),
            2i32.into(),
        ];
        for value in &values {
            a.set("a", value)?;
            super::dtypes::same_array(&a.get::<AnyArray>("a")?, value, "the replaced attribute")?;
            same(a.keys()?, ["a"], "one attribute")?;
        }
        Ok(())
    }

    /// An attribute may be far larger than the 64 KiB of a header.
    fn large_ones(backend) {
        let root = backend.fresh()?;
        let d = root.create_dataset("d").write(1)?;
        for (name, n) in [("just under", 64_000usize), ("just over", 65_536), ("large", 102_400), ("larger", 3_000_000)] {
            let data: Vec<u8> = (0..n).map(|i| (i * 31 % 251) as u8).collect();
            for a in [root.attrs(), d.attrs()] {
                a.set("small", 1)?;
                a.set(name, &data)?;
                ensure(a.get::<Vec<u8>>(name)? == data, format!("the value of '{name}'"))?;
                same(a.get::<i32>("small")?, 1, "a small one beside it")?;
            }
        }
        root.attrs().set("text", "µ".repeat(200_000))?;
        same(root.attrs().get::<String>("text")?.chars().count(), 200_000, "a long text")?;
        root.attrs().delete("large")?;
        same(root.attrs().keys()?, ["just over", "just under", "larger", "small", "text"], "one is deleted")
    }

    /// A thousand attributes of one object are listed in order, found and deleted.
    fn a_thousand(backend) {
        let root = backend.fresh()?;
        let g = root.create_group("g")?;
        for i in (0..1000).rev() {
            g.attrs().set(&format!("{i:04}"), i)?;
        }
        same(g.attrs().len()?, 1000, "len")?;
        let keys = g.attrs().keys()?;
        ensure(keys.len() == 1000 && keys.windows(2).all(|w| w[0] < w[1]), "in order")?;
        same(g.attrs().get::<i32>("0517")?, 517, "one of them")?;
        for i in 0..990 {
            g.attrs().delete(&format!("{i:04}"))?;
        }
        same(g.attrs().len()?, 10, "what is left")
    }

    /// Where the order is tracked, attributes are listed in the order in which they were set; a replaced one is the last.
    fn tracked_order(backend) {
        needs(backend.capabilities().track_order, "tracked order")?;
        let root = backend.fresh()?;
        let g = root.create_group_with("g", &crate::tree::GroupSpec::tracked())?;
        let d = root.create_dataset("d").track_order(true).write(1)?;
        ensure(d.spec()?.track_order, "the spec of the dataset says so")?;
        for a in [g.attrs(), d.attrs()] {
            for name in ["z", "a", "m"] {
                a.set(name, 1)?;
            }
            same(a.keys()?, ["z", "a", "m"], "in the order of creation")?;
            a.set("z", "another type")?;
            same(a.keys()?, ["a", "m", "z"], "a replaced one is the last")?;
            for i in 0..20 {
                a.set(&format!("n{}", 19 - i), i)?;
            }
            same(a.keys()?[..5].to_vec(), ["a", "m", "z", "n19", "n18"], "many of them")?;
        }
        Ok(())
    }

    /// Any text without NUL is a name, slashes and dots too; the empty name and NUL are refused.
    fn names(backend) {
        let root = backend.fresh()?;
        let a = root.attrs();
        let names = ["a/b", ".", "..", " ", "ünïcödé", "日本", "/", "x".repeat(5000).leak() as &str];
        for name in names {
            a.set(name, 1)?;
            same(a.get::<i32>(name)?, 1, name)?;
        }
        same(a.len()?, names.len(), "all of them")?;
        for name in ["", "\0", "a\0b"] {
            refused(a.set(name, 1), ErrorKind::InvalidName, format!("set {name:?}"))?;
            refused(a.get::<i32>(name), ErrorKind::InvalidName, format!("get {name:?}"))?;
            refused(a.get_array(name), ErrorKind::InvalidName, format!("get_array {name:?}"))?;
            refused(a.contains(name), ErrorKind::InvalidName, format!("contains {name:?}"))?;
            refused(a.delete(name), ErrorKind::InvalidName, format!("delete {name:?}"))?;
        }
        Ok(())
    }

    /// A value that cannot be stored leaves the old one.
    fn failed_sets_change_nothing(backend) {
        let root = backend.fresh()?;
        root.attrs().set("a", 1)?;
        refused(root.attrs().set("a", "with\0nul"), ErrorKind::Dtype, "text with a NUL")?;
        refused(root.attrs().set("b", vec!["fine", "not\0fine"]), ErrorKind::Dtype, "one of several")?;
        same(root.attrs().get::<i32>("a")?, 1, "the old value")?;
        same(root.attrs().keys()?, ["a"], "nothing was made")
    }

    /// Values that need a conversion are not converted on the way out.
    fn reads_are_typed(backend) {
        let root = backend.fresh()?;
        let a = root.attrs();
        a.set("n", 1i32)?;
        a.set("list", vec![1.0, 2.0])?;
        a.set("text", "t")?;
        refused(a.get::<i64>("n"), ErrorKind::Dtype, "another width")?;
        refused(a.get::<f64>("n"), ErrorKind::Dtype, "a float of an integer")?;
        refused(a.get::<f64>("text"), ErrorKind::Dtype, "a number of a text")?;
        refused(a.get::<String>("n"), ErrorKind::Dtype, "a text of a number")?;
        refused(a.get::<f64>("list"), ErrorKind::Shape, "one of two")?;
        refused(a.get::<Vec<i32>>("n"), ErrorKind::Shape, "a vector of a scalar")
    }
}
