//! The HDF5 backend: what goes in comes out, and files are as other programs expect them.
#![cfg(feature = "hdf5")]

use memh5::dtype::{Charset, CompoundType, Field, FloatType, FloatWidth, IntType, Order, Padding};
use memh5::format::hdf5::{Hdf5File, Hdf5Group};
use memh5::prelude::*;
use memh5::tree::Node;
use memh5::{AnyArray, DType};
use std::sync::Arc;

fn memory() -> Hdf5Group {
    Hdf5File::in_memory().unwrap().root().unwrap()
}

/// The same tree through its bytes.
fn again(root: &Hdf5Group) -> Hdf5Group {
    Hdf5Group::from_bytes(&root.to_bytes().unwrap()).unwrap()
}

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
