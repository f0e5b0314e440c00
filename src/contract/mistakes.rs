//! Wrong calls: each has its kind of error, the same on every backend, and changes nothing.

use super::Capabilities;
use super::check::{Faults, ensure, refused, same};
use crate::array::AnyArray;
use crate::dtype::{Cast, CompoundType, DType, Field};
use crate::error::{Error, ErrorKind, Result};
use crate::prelude::*;
use crate::selection::Selection;
use crate::tree::{BitshuffleCompressor, Feature, Filter, GroupRef, Layout};

fn plant(root: &GroupRef, has: &Capabilities) -> Result<()> {
    root.create_dataset("g/d").write(ndarray::Array2::<i32>::from_shape_fn((4, 3), |(i, j)| (3 * i + j) as i32))?;
    root.create_dataset("f").write(vec![0.0, 1.5, 2.0, 3.0, 4.0])?;
    root.create_dataset("s").write(7i64)?;
    if has.null_datasets {
        root.create_dataset("null").dtype(DType::F64).null().create()?;
    }
    root.create_dataset("r").shape([2, 3]).maxshape([None, Some(3)]).dtype(DType::I32).create()?;
    root.create_dataset("u8").write(vec![1u8, 2])?;
    root.create_dataset("text").write(["a", "b"])?;
    root.create_dataset("fixed").dtype(DType::fixed_ascii(3)).write(["abc", "de"])?;
    if has.committed_types {
        root.commit_datatype("t", &DType::F64)?;
    }
    root.attrs().set("n", 1)?;
    root.attrs().set("v", vec![1.0, 2.0])?;
    Ok(())
}

/// All of a tree as text, to see that nothing has changed.
fn picture(root: &GroupRef) -> Result<String> {
    let mut out = format!("{:?}\n", root.attrs().items()?);
    root.visit::<()>(|path, node| {
        out.push_str(&format!("{path} {} {:?}", node.kind(), node.attrs().keys()?));
        if let crate::tree::Node::Dataset(d) = node {
            out.push_str(&format!(" {:?} {:?}", d.spec()?, d.read_array()?));
        }
        out.push('\n');
        Ok(None)
    })?;
    Ok(out)
}

/// The calls about a null dataset that is there.
const OF_NULL: &[&str] = &["null as numbers", "a part of null", "the shape of null", "to null", "a resize of null"];

/// The calls about a committed type that is there.
const OF_TYPES: &[&str] = &["a type", "get below a type", "a type as group", "a dataset over a type", "a group in a type"];

type Call = (&'static str, ErrorKind, fn(&GroupRef) -> Result<()>);

/// Drops what a call gives.
fn done<T>(result: Result<T>) -> Result<()> {
    result.map(drop)
}

fn builders() -> Vec<Call> {
    use ErrorKind::{Dtype, InvalidArgument, Shape};
    vec![
        ("no shape", Shape, |r| done(r.create_dataset("x").create())),
        ("too many axes", Shape, |r| done(r.create_dataset("x").shape(vec![1; 33]).create())),
        ("an array of 33 axes", Shape, |r| done(r.create_dataset("x").write(ndarray::ArrayD::<u8>::zeros(vec![1; 33])))),
        ("a shape that overflows", Shape, |r| done(r.create_dataset("x").shape([1 << 40, 1 << 40]).create())),
        ("a shape of the largest number", Shape, |r| done(r.create_dataset("x").shape([usize::MAX]).create())),
        ("too much data", Shape, |r| done(r.create_dataset("x").shape([2]).write(vec![1, 2, 3]))),
        ("too little data", Shape, |r| done(r.create_dataset("x").shape([4]).write(vec![1, 2, 3]))),
        ("data for a null dataspace", Shape, |r| done(r.create_dataset("x").null().write(1))),
        ("null data for a shape", Shape, |r| done(r.create_dataset("x").shape([2]).write(AnyArray::null(DType::F64)))),
        ("a fraction as integer", Dtype, |r| done(r.create_dataset("x").dtype(DType::I32).write(1.5))),
        ("NaN as integer", Dtype, |r| done(r.create_dataset("x").dtype(DType::I32).write(f64::NAN))),
        ("300 as u8", Dtype, |r| done(r.create_dataset("x").dtype(DType::U8).write(300))),
        ("-1 as u64", Dtype, |r| done(r.create_dataset("x").dtype(DType::U64).write(-1))),
        ("2^53 + 1 as f64", Dtype, |r| done(r.create_dataset("x").dtype(DType::F64).write((1i64 << 53) + 1))),
        ("1e300 as f32", Dtype, |r| done(r.create_dataset("x").dtype(DType::F32).write(1e300))),
        ("0.1 as f16", Dtype, |r| done(r.create_dataset("x").dtype(DType::F16).write(0.1))),
        ("i64 as i32 when only safe", Dtype, |r| done(r.create_dataset("x").dtype(DType::I32).cast(Cast::Safe).write(1i64))),
        ("complex as real", Dtype, |r| done(r.create_dataset("x").dtype(DType::F64).write(num_complex::Complex::new(1.0, 2.0)))),
        ("text as number", Dtype, |r| done(r.create_dataset("x").dtype(DType::F64).write("1.0"))),
        ("a number as text", Dtype, |r| done(r.create_dataset("x").dtype(DType::STR).write(1.0))),
        ("text that is too long", Dtype, |r| done(r.create_dataset("x").dtype(DType::fixed_ascii(2)).write("abc"))),
        ("text that is no ASCII", Dtype, |r| done(r.create_dataset("x").dtype(DType::fixed_ascii(9)).write("é"))),
        ("text with a NUL", Dtype, |r| done(r.create_dataset("x").write("a\0b"))),
        ("text with a NUL among others", Dtype, |r| done(r.create_dataset("x").write(["a", "b\0"]))),
        ("a number as reference", Dtype, |r| done(r.create_dataset("x").dtype(DType::ObjectRef).write(1))),
        ("a fixed string of no bytes", Dtype, |r| done(r.create_dataset("x").dtype(DType::fixed_ascii(0)).shape([1]).create())),
        ("an opaque type of no bytes", Dtype, |r| done(r.create_dataset("x").dtype(DType::opaque(0, "")).shape([1]).create())),
        ("an opaque tag that is too long", Dtype, |r| {
            done(r.create_dataset("x").dtype(DType::opaque(1, &"t".repeat(256))).shape([1]).create())
        }),
        ("a sub-array with an empty axis", Dtype, |r| {
            done(r.create_dataset("x").dtype(DType::array(DType::U8, [2, 0])).shape([1]).create())
        }),
        ("a sub-array without axes", Dtype, |r| {
            done(r.create_dataset("x").dtype(DType::array(DType::U8, [0usize; 0])).shape([1]).create())
        }),
        ("a type nested too deep", Dtype, |r| {
            let deep = (0..40).fold(DType::U8, |t, _| DType::varseq(t));
            done(r.create_dataset("x").dtype(deep).shape([1]).create())
        }),
        ("a maxshape below the shape", Shape, |r| done(r.create_dataset("x").shape([5]).maxshape([Some(4)]).create())),
        ("a maxshape of another rank", Shape, |r| done(r.create_dataset("x").shape([5]).maxshape([None, None]).create())),
        ("a maxshape of null", Shape, |r| done(r.create_dataset("x").null().maxshape([None]).create())),
        ("chunks of another rank", Shape, |r| done(r.create_dataset("x").shape([5]).chunks([1, 1]).create())),
        ("chunks larger than the shape", Shape, |r| done(r.create_dataset("x").shape([5]).chunks([6]).create())),
        ("chunks larger than the maxshape", Shape, |r| done(r.create_dataset("x").shape([5]).maxshape([Some(7)]).chunks([8]).create())),
        ("a chunk axis of 0", InvalidArgument, |r| done(r.create_dataset("x").shape([5]).chunks([0]).create())),
        ("chunks of 4 GiB", InvalidArgument, |r| {
            done(r.create_dataset("x").shape([0]).maxshape([None]).chunks([1 << 32]).dtype(DType::U8).create())
        }),
        ("chunks of a scalar", InvalidArgument, |r| done(r.create_dataset("x").shape([]).chunks([]).create())),
        ("filters of a scalar", InvalidArgument, |r| done(r.create_dataset("x").filter(Filter::Gzip(1)).write(1))),
        ("filters of null", InvalidArgument, |r| done(r.create_dataset("x").filter(Filter::Gzip(1)).null().create())),
        ("filters without chunks", InvalidArgument, |r| {
            done(r.create_dataset("x").shape([5]).layout(Layout::Contiguous).filter(Filter::Gzip(1)).create())
        }),
        ("contiguous and growing", InvalidArgument, |r| {
            done(r.create_dataset("x").shape([5]).layout(Layout::Contiguous).maxshape([None]).create())
        }),
        ("compact and large", InvalidArgument, |r| done(r.create_dataset("x").shape([100_000]).layout(Layout::Compact).create())),
        ("gzip 10", InvalidArgument, |r| done(r.create_dataset("x").shape([5]).gzip(10).create())),
        ("zstd 23", InvalidArgument, |r| done(r.create_dataset("x").shape([5]).filter(Filter::Zstd(23)).create())),
        ("szip with odd pixels", InvalidArgument, |r| {
            done(r.create_dataset("x").shape([5]).filter(Filter::Szip { options: 4, pixels_per_block: 7 }).create())
        }),
        ("bitshuffle in blocks of 7", InvalidArgument, |r| {
            done(
                r.create_dataset("x")
                    .shape([5])
                    .filter(Filter::Bitshuffle { block_size: 7, compressor: BitshuffleCompressor::Lz4 })
                    .create(),
            )
        }),
        ("a fill value of another kind", Dtype, |r| done(r.create_dataset("x").shape([5]).fill_value("text").create())),
        ("a fill value that does not fit", Dtype, |r| done(r.create_dataset("x").shape([5]).dtype(DType::I32).fill_value(0.5).create())),
        ("a fill value of two elements", Dtype, |r| done(r.create_dataset("x").shape([5]).fill_value(vec![1.0, 2.0]).create())),
        ("a fill text with a NUL", Dtype, |r| done(r.create_dataset("x").shape([5]).dtype(DType::STR).fill_value("a\0").create())),
        ("a committed type that is none", Dtype, |r| done(r.commit_datatype("x", &DType::fixed_ascii(0)))),
        ("a broken group on the way", ErrorKind::InvalidName, |r| done(r.create_dataset("x/../y").write(1))),
    ]
}

fn reads() -> Vec<Call> {
    use ErrorKind::{Dtype, NotADataset, NotFound, Shape};
    let selection = ErrorKind::Selection;
    vec![
        ("nothing there", NotFound, |r| done(r.dataset("nope"))),
        ("a group", NotADataset, |r| done(r.dataset("g"))),
        ("a type", NotADataset, |r| done(r.dataset("t"))),
        ("another width", Dtype, |r| done(r.dataset("f")?.read::<f32>())),
        ("integers as floats", Dtype, |r| done(r.dataset("g/d")?.read::<f64>())),
        ("signed as unsigned", Dtype, |r| done(r.dataset("g/d")?.read::<u32>())),
        ("numbers as bool", Dtype, |r| done(r.dataset("u8")?.read::<bool>())),
        ("text as numbers", Dtype, |r| done(r.dataset("text")?.read::<f64>())),
        ("numbers as text", Dtype, |r| done(r.dataset("f")?.read_slice::<Vec<String>>(()))),
        ("fractions as integers", Dtype, |r| done(r.dataset("f")?.read_as::<i32>(Cast::Exact))),
        ("floats as integers when only safe", Dtype, |r| done(r.dataset("s")?.read_as::<i32>(Cast::Safe))),
        ("text converted to numbers", Dtype, |r| done(r.dataset("text")?.read_as::<f64>(Cast::Saturate))),
        ("five as one", Shape, |r| done(r.dataset("f")?.read_slice::<f64>(()))),
        ("two axes as one", Shape, |r| done(r.dataset("g/d")?.read_slice::<Vec<i32>>(()))),
        ("none as one", Shape, |r| done(r.dataset("f")?.read_slice::<f64>(0..0))),
        ("null as numbers", Shape, |r| done(r.dataset("null")?.read::<f64>())),
        ("a part of null", Shape, |r| done(r.dataset("null")?.read_slice::<AnyArray>(0..1))),
        ("the shape of null", Shape, |r| done(r.dataset("null")?.shape())),
        ("the length of a scalar", Shape, |r| done(r.dataset("s")?.len())),
        ("an index past the end", selection, |r| done(r.dataset("f")?.read_slice::<f64>(5))),
        ("an index before the beginning", selection, |r| done(r.dataset("f")?.read_slice::<f64>(-6))),
        ("a list with one past the end", selection, |r| done(r.dataset("f")?.read_slice::<AnyArray>(vec![0, 5]))),
        ("too many items", selection, |r| done(r.dataset("f")?.read_slice::<AnyArray>((0, 0)))),
        ("an index of a scalar", selection, |r| done(r.dataset("s")?.read_slice::<AnyArray>(0))),
        ("a mask that is too short", selection, |r| done(r.dataset("f")?.read_slice::<AnyArray>(vec![true; 4]))),
        ("a mask of another shape", selection, |r| {
            done(r.dataset("g/d")?.read_slice::<AnyArray>(ndarray::ArrayD::from_elem(vec![3, 4], true)))
        }),
        ("a step of 0", selection, |r| done(r.dataset("f")?.read_slice::<AnyArray>("::0".parse::<Selection>()?))),
        ("two ellipses", selection, |r| done(r.dataset("g/d")?.read_slice::<AnyArray>("...,...".parse::<Selection>()?))),
        ("an empty axis by index", selection, |r| {
            r.create_dataset("e").shape([0]).create()?;
            let got = done(r.dataset("e")?.read_slice::<AnyArray>(0));
            r.delete("e")?;
            got
        }),
    ]
}

fn writes() -> Vec<Call> {
    use ErrorKind::{Dtype, Shape};
    let selection = ErrorKind::Selection;
    vec![
        ("another shape", Shape, |r| r.dataset("f")?.write(vec![1.0, 2.0])),
        ("another rank", Shape, |r| r.dataset("f")?.write(ndarray::array![[1.0], [2.0]])),
        ("to null", Shape, |r| r.dataset("null")?.write(1.0)),
        ("null data", Shape, |r| r.dataset("f")?.write(AnyArray::null(DType::F64))),
        ("a column that does not fit", Shape, |r| r.dataset("g/d")?.write_slice((.., 0), vec![1, 2, 3])),
        ("nothing to something", Shape, |r| r.dataset("f")?.write(Vec::<f64>::new())),
        ("a fraction to integers", Dtype, |r| r.dataset("g/d")?.write(0.5)),
        ("a large number to small ones", Dtype, |r| r.dataset("u8")?.write(vec![1, 256])),
        ("a negative to unsigned ones", Dtype, |r| r.dataset("u8")?.write_slice(0, -1)),
        ("text to numbers", Dtype, |r| r.dataset("f")?.write("1")),
        ("numbers to text", Dtype, |r| r.dataset("text")?.write(1.0)),
        ("text with a NUL", Dtype, |r| r.dataset("text")?.write_slice(1, "b\0")),
        ("text that is too long", Dtype, |r| r.dataset("fixed")?.write_slice(0, "abcd")),
        ("an index past the end", selection, |r| r.dataset("f")?.write_slice(5, 1.0)),
        ("too many items", selection, |r| r.dataset("f")?.write_slice((0, 0), 1.0)),
        ("a list with one past the end", selection, |r| r.dataset("f")?.write_slice(vec![0, 9], 1.0)),
        ("a mask of another length", selection, |r| r.dataset("f")?.write_slice(vec![true; 6], 1.0)),
        ("a step of 0", selection, |r| r.dataset("f")?.write_slice("::0".parse::<Selection>()?, 1.0)),
        ("a resize of a fixed shape", Shape, |r| r.dataset("f")?.resize([6])),
        ("a resize past the maxshape", Shape, |r| r.dataset("r")?.resize([2, 4])),
        ("a resize to another rank", Shape, |r| r.dataset("r")?.resize([2])),
        ("a resize of a scalar", Shape, |r| r.dataset("s")?.resize([1])),
        ("a resize of null", Shape, |r| r.dataset("null")?.resize([1])),
        ("an append to a fixed shape", Shape, |r| r.dataset("f")?.append(1.0)),
        ("an append to a scalar", Shape, |r| r.dataset("s")?.append(1i64)),
        ("an append of another width", Shape, |r| r.dataset("r")?.append(vec![1, 2])),
        ("an append of another type", Dtype, |r| r.dataset("r")?.append(vec![0.5, 0.5, 0.5])),
        ("an append of text", Dtype, |r| r.dataset("r")?.append(["a", "b", "c"])),
    ]
}

fn trees() -> Vec<Call> {
    use ErrorKind::{AlreadyExists, InvalidArgument, InvalidName, NotADataset, NotAGroup, NotFound};
    vec![
        ("get nothing", NotFound, |r| done(r.get("nope"))),
        ("get below nothing", NotFound, |r| done(r.get("nope/x"))),
        ("get below a dataset", NotFound, |r| done(r.get("f/x"))),
        ("get below a type", NotFound, |r| done(r.get("t/x"))),
        ("a dataset as group", NotAGroup, |r| done(r.group("f"))),
        ("a type as group", NotAGroup, |r| done(r.group("t"))),
        ("a group over a dataset", AlreadyExists, |r| done(r.create_group("f"))),
        ("a group over a group", AlreadyExists, |r| done(r.create_group("g"))),
        ("a dataset over a group", AlreadyExists, |r| done(r.create_dataset("g").write(1))),
        ("a dataset over a type", AlreadyExists, |r| done(r.create_dataset("t").write(1))),
        ("a group in a dataset", NotAGroup, |r| done(r.create_group("f/x"))),
        ("a group in a type", NotAGroup, |r| done(r.create_group("t/x"))),
        ("require a group that is a dataset", NotAGroup, |r| done(r.require_group("f"))),
        ("require a dataset that is a group", NotADataset, |r| done(r.require_dataset("g", [1], &DType::F64))),
        ("require another shape", ErrorKind::Shape, |r| done(r.require_dataset("f", [4], &DType::F64))),
        ("require another type", ErrorKind::Dtype, |r| done(r.require_dataset("u8", [2], &DType::U16))),
        ("delete nothing", NotFound, |r| r.delete("nope")),
        ("delete below a dataset", NotFound, |r| r.delete("f/x")),
        ("delete the root", InvalidName, |r| r.delete("/")),
        ("rename nothing", NotFound, |r| r.rename("nope", "x")),
        ("rename over something", AlreadyExists, |r| r.rename("f", "s")),
        ("rename into a dataset", NotAGroup, |r| r.rename("f", "s/x")),
        ("move a group into itself", InvalidArgument, |r| r.rename("g", "g/x/y")),
        ("rename the root", InvalidName, |r| r.rename("/", "x")),
        ("link to nothing", NotFound, |r| r.link_hard("nope", "x")),
        ("link over something", AlreadyExists, |r| r.link_hard("f", "s")),
        ("a soft link over something", AlreadyExists, |r| r.link_soft("/f", "s")),
        ("a soft link to no path", InvalidName, |r| r.link_soft("", "x")),
        ("a link in a dataset", NotAGroup, |r| r.link_soft("/f", "s/x")),
        ("commit over something", AlreadyExists, |r| done(r.commit_datatype("f", &DType::F64))),
        ("an attribute that is not there", NotFound, |r| done(r.attrs().get::<i32>("nope"))),
        ("an attribute as another type", ErrorKind::Dtype, |r| done(r.attrs().get::<f32>("n"))),
        ("an attribute of more elements", ErrorKind::Shape, |r| done(r.attrs().get::<f64>("v"))),
        ("delete an attribute that is not there", NotFound, |r| r.attrs().delete("nope")),
        ("an attribute without a name", InvalidName, |r| r.attrs().set("", 1)),
        ("an attribute with a NUL in its text", ErrorKind::Dtype, |r| r.attrs().set("x", "a\0b")),
        ("an attribute of 33 axes", ErrorKind::Shape, |r| r.attrs().set("x", ndarray::ArrayD::<u8>::zeros(vec![1; 33]))),
    ]
}

fn check_all(backend: &dyn super::Backend, calls: Vec<Call>) -> super::Check {
    let root = backend.fresh()?;
    let has = backend.capabilities();
    plant(&root, &has)?;
    let before = picture(&root)?;
    let mut faults = Faults::default();
    for (name, kind, call) in calls {
        if (!has.null_datasets && OF_NULL.contains(&name)) || (!has.committed_types && OF_TYPES.contains(&name)) {
            continue;
        }
        faults.case(name, || {
            refused(call(&root), kind, "the call")?;
            match call(&root) {
                Err(e) => says_where(&e)?,
                Ok(()) => ensure(false, "it succeeds the second time")?,
            }
            ensure(picture(&root)? == before, "the failed call has changed the tree")
        });
    }
    faults.finish()
}

/// An error says what is wrong, and of which object.
fn says_where(e: &Error) -> super::Check {
    ensure(!e.message().is_empty(), format!("the error has no message: {e:?}"))?;
    ensure(
        e.path().is_some() || e.kind() == ErrorKind::Shape || e.kind() == ErrorKind::Selection,
        format!("the error names no object: {e:?}"),
    )
}

promises! { "mistakes";
    /// Wrong ways to make a dataset are refused, each with its kind of error, and leave nothing.
    fn making_datasets(backend) { check_all(backend, builders()) }

    /// Wrong reads are refused, each with its kind of error.
    fn reading(backend) { check_all(backend, reads()) }

    /// Wrong writes are refused, each with its kind of error, and write nothing.
    fn writing(backend) { check_all(backend, writes()) }

    /// Wrong calls on the tree and on attributes are refused, each with its kind of error, and change nothing.
    fn trees_and_attributes(backend) { check_all(backend, trees()) }

    /// What a backend cannot hold is refused, always with the one kind of error, and its group says so beforehand.
    fn what_is_lacking(backend) {
        let (root, has) = (backend.fresh()?, backend.capabilities());
        let d = root.create_dataset("d").write(1)?;
        let mut faults = Faults::default();
        let mut lacking = |holds: bool, feature: Feature<'_>, call: &dyn Fn() -> Result<()>| {
            faults.case(format!("{feature:?}"), || {
                same(root.lacks(&feature).is_none(), holds, "what the group says")?;
                if holds { Ok(()) } else { refused(call(), ErrorKind::Unsupported, "the call") }
            });
        };
        let long = "n".repeat(256);
        let compound = DType::compound([("n", DType::I32), ("r", DType::ObjectRef)])?;
        lacking(has.hard_links, Feature::HardLinks, &|| root.link_hard("d", "x"));
        lacking(has.soft_links, Feature::SoftLinks, &|| root.link_soft("/d", "x"));
        lacking(has.external_links, Feature::ExternalLinks, &|| root.link_external("f.h5", "/d", "x"));
        lacking(has.committed_types, Feature::CommittedTypes, &|| done(root.commit_datatype("x", &DType::F64)));
        lacking(has.null_datasets, Feature::NullDatasets, &|| done(root.create_dataset("x").null().create()));
        lacking(has.references, Feature::Dtype(&DType::ObjectRef), &|| done(d.reference()));
        lacking(has.references, Feature::Dtype(&compound), &|| done(root.create_dataset("x").dtype(compound.clone()).shape([2]).create()));
        lacking(has.references, Feature::Dtype(&DType::RegionRef), &|| root.attrs().set("x", AnyArray::zeros(DType::RegionRef, [2])?));
        lacking(has.long_names, Feature::Name(&long), &|| done(root.create_group(&long)));
        lacking(true, Feature::Name("d"), &|| Ok(()));
        faults.finish()?;
        same((root.keys()?, root.attrs().len()?), (vec!["d".to_owned()], 0), "nothing was made")
    }

    /// Types that contradict themselves cannot be made.
    fn types(_backend) {
        let field = |name: &str, offset| Field { name: name.to_owned(), dtype: DType::I32, offset };
        let kind = ErrorKind::Dtype;
        refused(DType::compound([]), kind, "a compound without fields")?;
        refused(DType::compound([("a", DType::I8), ("a", DType::I8)]), kind, "a field twice")?;
        refused(DType::compound([("", DType::I8)]), kind, "a field without a name")?;
        refused(CompoundType::new(vec![field("a", 0), field("b", 2)], 8), kind, "fields that overlap")?;
        refused(CompoundType::new(vec![field("a", 0), field("b", 6)], 8), kind, "a field past the end")?;
        refused(DType::enumeration(DType::F64, [("A", 1)]), kind, "an enumeration of floats")?;
        refused(DType::enumeration(DType::I8, []), kind, "an enumeration without members")?;
        refused(DType::enumeration(DType::I8, [("A", 128)]), kind, "a member that does not fit")?;
        refused(DType::enumeration(DType::I8, [("A", 1), ("A", 2)]), kind, "a member twice")?;
        refused(AnyArray::from_bytes(DType::STR, [1], &[0; 8]), kind, "slots as bytes")?;
        refused(AnyArray::from_bytes(DType::I32, [2], &[0; 7]), ErrorKind::Shape, "bytes that do not fit")?;
        same(DType::compound([("a", DType::I8)])?.itemsize(), 1, "a good one")
    }
}
