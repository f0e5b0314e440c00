//! Element types.

use super::{again, memory};
use memh5::dtype::{Charset, CompoundType, Field, FloatType, FloatWidth, IntType, Order, Padding};
use memh5::prelude::*;
use memh5::tree::{Fill, Layout, Node};
use memh5::{AnyArray, DType, ErrorKind, Filter};
use std::sync::Arc;

fn int(size: u8, signed: bool, order: Order) -> DType {
    DType::Int(IntType { size, signed, order })
}

/// Every plain dtype.
fn plain_types() -> Vec<DType> {
    let mut out = vec![DType::Bool, DType::opaque(5, "a tag"), DType::opaque(3, "")];
    for order in [Order::Little, Order::Big] {
        for size in [1, 2, 4, 8] {
            out.extend([true, false].map(|signed| int(size, signed, order)));
            out.push(DType::BitField(IntType { size, signed: false, order }));
            let members = [("RED", 0), ("GREEN", 3), ("BLUE", 100)];
            out.push(DType::enumeration(int(size, size != 2, order), members).unwrap());
        }
        for width in [FloatWidth::F16, FloatWidth::F32, FloatWidth::F64, FloatWidth::LongDouble] {
            out.push(DType::Float(FloatType { width, order }));
            out.push(DType::Complex(FloatType { width, order }));
        }
    }
    for charset in [Charset::Ascii, Charset::Utf8] {
        for padding in [Padding::NullTerm, Padding::NullPad, Padding::SpacePad] {
            out.push(DType::FixedString { size: 7, charset, padding });
        }
    }
    out.push(DType::array(int(4, true, Order::Big), [2, 3]));
    let inner = DType::compound_aligned([("a", DType::I8), ("b", int(8, false, Order::Big)), ("c", DType::fixed_ascii(3))]).unwrap();
    out.push(inner.clone());
    out.push(DType::compound([("x", DType::F32), ("in", inner.clone()), ("y", DType::array(inner.clone(), [2]))]).unwrap());
    let fields =
        vec![Field { name: "late".into(), dtype: DType::F64, offset: 24 }, Field { name: "früh".into(), dtype: DType::U16, offset: 2 }];
    out.push(DType::Compound(Arc::new(CompoundType::new(fields, 40).unwrap())));
    out
}

/// Bytes that are elements of any plain dtype.
fn bytes_for(dtype: &DType, count: usize) -> AnyArray {
    let bytes: Vec<u8> =
        (0..count * dtype.itemsize()).map(|i| if *dtype == DType::Bool { (i % 2) as u8 } else { (i * 7 % 251) as u8 }).collect();
    AnyArray::from_bytes(dtype.clone(), [count], &bytes).unwrap()
}

#[test]
fn every_plain_type_round_trips() {
    let root = memory();
    for (n, dtype) in plain_types().iter().enumerate() {
        let data = bytes_for(dtype, 6).reshape(&[2, 3]).unwrap();
        root.create_dataset(&format!("d{n}")).write(&data).unwrap_or_else(|e| panic!("{dtype}: {e}"));
        root.attrs().set(&format!("a{n}"), &data).unwrap();
        root.commit_datatype(&format!("t{n}"), dtype).unwrap();
    }
    let root = again(&root);
    for (n, dtype) in plain_types().iter().enumerate() {
        let data = bytes_for(dtype, 6).reshape(&[2, 3]).unwrap();
        let dataset = root.dataset(&format!("d{n}")).unwrap();
        assert_eq!(&dataset.dtype().unwrap(), dtype);
        assert_eq!(dataset.read_array().unwrap(), data, "{dtype}");
        assert_eq!(dataset.read_slice::<AnyArray>((1, 1..)).unwrap(), data.select((1, 1..)).unwrap());
        let attribute = root.attrs().get_array(&format!("a{n}")).unwrap().unwrap();
        assert_eq!((attribute.dtype(), &attribute), (dtype, &data));
        let Node::Datatype(committed) = root.get(&format!("t{n}")).unwrap() else { panic!("not a datatype") };
        assert_eq!(&committed.committed_dtype().unwrap(), dtype);
    }
}

/// Arrays of every type with something behind its slots.
fn pointer_arrays() -> Vec<AnyArray> {
    let strings = AnyArray::from_strings(["", "a", "grün", "a longer text than eight bytes", "", "日本"]);
    let flavour = |charset, padding| strings.clone().with_dtype(&DType::VarString { charset, padding }).unwrap();
    let big = int(2, true, Order::Big);
    let seq = |v: &[i16]| AnyArray::from(v.to_vec()).with_dtype(&big).unwrap();
    let sequences = AnyArray::from_sequences(big.clone(), [seq(&[1, -2, 300]), seq(&[]), seq(&[7])]).unwrap();
    let nested = AnyArray::from_sequences(
        DType::varseq(DType::STR),
        [
            AnyArray::from_sequences(DType::STR, [AnyArray::from_strings(["x", "", "yz"]), AnyArray::from_strings(["w"])]).unwrap(),
            AnyArray::from_sequences(DType::STR, []).unwrap(),
        ],
    )
    .unwrap();
    vec![
        strings.clone(),
        flavour(Charset::Ascii, Padding::NullTerm),
        flavour(Charset::Utf8, Padding::SpacePad),
        flavour(Charset::Ascii, Padding::NullPad),
        sequences,
        nested,
    ]
}

#[test]
fn strings_and_sequences_round_trip() {
    let root = memory();
    for (n, data) in pointer_arrays().iter().enumerate() {
        root.create_dataset(&format!("d{n}")).write(data).unwrap();
        root.create_dataset(&format!("c{n}")).chunks([2]).filter(Filter::Gzip(1)).write(data).unwrap();
        root.attrs().set(&format!("a{n}"), data).unwrap();
    }
    let root = again(&root);
    for (n, data) in pointer_arrays().iter().enumerate() {
        for name in [format!("d{n}"), format!("c{n}")] {
            let read = root.dataset(&name).unwrap().read_array().unwrap();
            assert_eq!((read.dtype(), &read), (data.dtype(), data));
            let last = root.dataset(&name).unwrap().read_slice::<AnyArray>(-1).unwrap();
            assert_eq!(last, data.select(-1).unwrap());
            root.dataset(&name).unwrap().write_slice(0, data.select(1).unwrap()).unwrap();
            assert_eq!(root.dataset(&name).unwrap().read_slice::<AnyArray>(vec![0, 1]).unwrap(), data.select(vec![1, 1]).unwrap());
        }
        let read = root.attrs().get_array(&format!("a{n}")).unwrap().unwrap();
        assert_eq!((read.dtype(), &read), (data.dtype(), data));
    }
}

#[test]
fn compounds_with_pointers_and_padding_round_trip() {
    let dtype = DType::compound_aligned([
        ("n", DType::I8),
        ("name", DType::STR),
        ("z", DType::C64),
        ("tags", DType::varseq(DType::STR)),
        ("two", DType::array(DType::STR, [2])),
        ("end", DType::U16),
    ])
    .unwrap();
    let root = memory();
    let dataset = root.create_dataset("d").shape([3]).dtype(dtype.clone()).create().unwrap();
    let zero = dataset.read_array().unwrap();
    assert_eq!(zero, AnyArray::zeros(dtype.clone(), [3]).unwrap());
    dataset.write(&zero).unwrap();
    assert_eq!(again(&root).dataset("d").unwrap().read_array().unwrap(), zero);
    assert_eq!(again(&root).dataset("d").unwrap().dtype().unwrap(), dtype);
}

#[test]
fn every_rank_round_trips() {
    let root = memory();
    for rank in 0..=32 {
        let shape: Vec<usize> = (0..rank).map(|k| if k < 6 { 2 } else { 1 }).collect();
        let count: usize = shape.iter().product();
        let data = AnyArray::from((0..count as i32).collect::<Vec<_>>()).reshape(&shape).unwrap();
        root.create_dataset(&format!("r{rank}")).write(&data).unwrap();
        root.attrs().set(&format!("r{rank}"), &data).unwrap();
        assert_eq!(root.dataset(&format!("r{rank}")).unwrap().read_array().unwrap(), data);
        assert_eq!(root.attrs().get::<AnyArray>(&format!("r{rank}")).unwrap(), data);
    }
    let error = root.create_dataset("r33").shape(vec![1; 33]).dtype(DType::I8).create().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
}

#[test]
fn null_and_empty_round_trip() {
    let root = memory();
    for (n, dtype) in [DType::F32, DType::STR, DType::varseq(DType::I8), DType::ObjectRef].into_iter().enumerate() {
        root.create_dataset(&format!("null{n}")).null().dtype(dtype.clone()).create().unwrap();
        root.create_dataset(&format!("none{n}")).shape([0, 3]).dtype(dtype.clone()).create().unwrap();
        root.create_dataset(&format!("grow{n}")).shape([0, 3]).maxshape([None, Some(3)]).dtype(dtype.clone()).create().unwrap();
        root.attrs().set(&format!("null{n}"), AnyArray::null(dtype.clone())).unwrap();
        root.attrs().set(&format!("none{n}"), AnyArray::zeros(dtype.clone(), [2, 0]).unwrap()).unwrap();
        let root = again(&root);
        let null = root.dataset(&format!("null{n}")).unwrap();
        assert_eq!((null.extent().unwrap(), null.dtype().unwrap()), (None, dtype.clone()));
        assert!(null.read_array().unwrap().is_null());
        assert_eq!(null.read_slice::<AnyArray>(0).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(null.write(1).unwrap_err().kind(), ErrorKind::Shape);
        assert_eq!(root.dataset(&format!("none{n}")).unwrap().read_array().unwrap(), AnyArray::zeros(dtype.clone(), [0, 3]).unwrap());
        let grow = root.dataset(&format!("grow{n}")).unwrap();
        grow.resize([2, 3]).unwrap();
        assert_eq!(grow.read_array().unwrap(), AnyArray::zeros(dtype.clone(), [2, 3]).unwrap());
        assert!(root.attrs().get_array(&format!("null{n}")).unwrap().unwrap().is_null());
        assert_eq!(root.attrs().get::<AnyArray>(&format!("none{n}")).unwrap().shape(), [2, 0]);
    }
}

#[test]
fn layouts_fill_values_and_filters_are_kept() {
    let root = memory();
    let make = |name: &str| root.create_dataset(name).shape([20, 30]).dtype(int(4, true, Order::Big));
    make("auto").create().unwrap();
    make("compact").layout(Layout::Compact).fill_value(7).create().unwrap();
    make("chunked").chunks([5, 6]).maxshape([None, Some(60)]).gzip(4).filter(Filter::Fletcher32).fill_value(-1).create().unwrap();
    make("guessed").layout(Layout::AutoChunked).undefined_fill().create().unwrap();
    make("tracked").track_order(true).create().unwrap();
    root.create_dataset("text").shape([2]).dtype(DType::STR).fill_value("none").create().unwrap();
    let root = again(&root);
    let spec = |name: &str| root.dataset(name).unwrap().spec().unwrap();
    assert_eq!(spec("auto").layout, Layout::Contiguous);
    assert!(matches!(spec("auto").fill, Fill::Default));
    assert_eq!(spec("compact").layout, Layout::Compact);
    let Fill::Value(seven) = spec("compact").fill else { panic!("no fill value") };
    assert_eq!((i32::from_array(seven.clone()).unwrap(), seven.dtype()), (7, &int(4, true, Order::Big)));
    let chunked = spec("chunked");
    assert_eq!(chunked.chunks(), Some(&[5, 6][..]));
    assert_eq!(chunked.maxshape, Some(vec![None, Some(60)]));
    assert_eq!(chunked.filters, [Filter::Shuffle, Filter::Gzip(4), Filter::Fletcher32]);
    assert_eq!(root.dataset("chunked").unwrap().stored_filters().unwrap()[..2], [(2, vec![4]), (1, vec![4])]);
    assert!(matches!(spec("guessed").fill, Fill::Undefined) && spec("guessed").chunks().is_some());
    assert!(spec("tracked").track_order && !spec("auto").track_order);
    assert_eq!(root.dataset("compact").unwrap().read_slice::<i32>((19, 29)).unwrap(), 7);
    assert_eq!(root.dataset("chunked").unwrap().read_slice::<i32>((19, 29)).unwrap(), -1);
    assert_eq!(root.dataset("text").unwrap().read_slice::<Vec<String>>(..).unwrap(), ["none", "none"]);
}

#[test]
fn a_nul_in_a_string_is_refused() {
    let root = memory();
    assert_eq!(root.create_dataset("s").write("a\0b").unwrap_err().kind(), ErrorKind::Dtype);
    assert_eq!(root.attrs().set("s", vec!["x", "a\0b"]).unwrap_err().kind(), ErrorKind::Dtype);
    assert!(root.keys().unwrap().is_empty() && root.attrs().is_empty().unwrap());
}

#[test]
fn a_dataset_that_cannot_be_written_is_not_there() {
    let (root, other) = (memory(), memory());
    let reference = other.reference().unwrap();
    let error = root.create_dataset("r").write(vec![reference].into_iter().collect::<Vec<_>>().pop().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(root.keys().unwrap().is_empty());
}
