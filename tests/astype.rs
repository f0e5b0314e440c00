//! Conversions between all element types, under each policy.

use memh5::dtype::{Charset, FloatType, FloatWidth, Order, Padding};
use memh5::{AnyArray, Cast, DType, ErrorKind};
use num_complex::Complex;

const LONG: DType = DType::Float(FloatType { width: FloatWidth::LongDouble, order: Order::NATIVE });

fn exact(a: impl memh5::array::IntoArray, to: &DType) -> AnyArray {
    a.into_array().unwrap().astype(to, Cast::Exact).unwrap()
}

fn refused(a: impl memh5::array::IntoArray, to: &DType, cast: Cast) -> String {
    let error = a.into_array().unwrap().astype(to, cast).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dtype);
    error.message().to_owned()
}

#[test]
fn numbers_that_fit_convert_exactly_between_all_pairs() {
    let types = [
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::F32,
        DType::F64,
        LONG,
    ];
    let numbers = AnyArray::from(vec![0u8, 1, 2, 77, 127]);
    for from in &types {
        let source = exact(&numbers, from);
        for to in &types {
            assert_eq!(exact(exact(&source, to), &DType::U8), numbers, "{from} -> {to}");
            assert_eq!(source.astype(to, Cast::Saturate).unwrap(), exact(&source, to), "{from} -> {to}");
        }
        for to in [DType::C64, DType::C128] {
            assert_eq!(exact(exact(&source, &to), &DType::U8), numbers, "{from} -> {to}");
        }
        assert_eq!(exact(exact(vec![true, false], from), &DType::Bool), AnyArray::from(vec![true, false]));
    }
    // More than a block, from and to a strided field.
    let many = AnyArray::from((0..3000i32).collect::<Vec<_>>());
    assert_eq!(exact(exact(&many, &DType::F64), &DType::I32), many);
}

#[test]
fn the_limits_of_each_type_are_refused_by_name() {
    assert_eq!(refused(vec![1i64, -1], &DType::U64, Cast::Exact), "the element [1] is -1, which <u8 cannot hold exactly");
    assert_eq!(refused(ndarray::array![[0.0, 0.5]], &DType::I8, Cast::Exact), "the element [0, 1] is 0.5, which |i1 cannot hold exactly");
    assert_eq!(refused(300u16, &DType::U8, Cast::Exact), "the element is 300, which |u1 cannot hold exactly");
    for (value, to) in
        [(u64::MAX, DType::F64), ((1 << 53) + 1, DType::F64), ((1 << 24) + 1, DType::F32), (2049, DType::F16), (65536, DType::F16)]
    {
        refused(value, &to, Cast::Exact);
    }
    for value in [9_223_372_036_854_775_808.0, f64::NAN, f64::INFINITY, 1e300] {
        refused(value, &DType::I64, Cast::Exact);
    }
    assert_eq!(exact(-9_223_372_036_854_775_808.0, &DType::I64), AnyArray::from(i64::MIN));
    assert_eq!(exact(2_147_483_647.0, &DType::I32), AnyArray::from(i32::MAX));
    refused(18_446_744_073_709_551_616.0, &DType::U64, Cast::Exact);
    refused(0.1, &DType::F32, Cast::Exact);
    refused(0.1, &DType::F16, Cast::Exact);
    refused(2u8, &DType::Bool, Cast::Exact);
    assert_eq!(exact(0.1f32, &DType::F64), AnyArray::from(f64::from(0.1f32)));
    let nan = exact(f64::NAN, &DType::F32);
    assert!(nan.view::<f32>().unwrap().iter().all(|v| v.is_nan()));
    assert_eq!(exact(f64::NEG_INFINITY, &DType::F16), AnyArray::from(half::f16::NEG_INFINITY));
    // The last element of several blocks.
    let mut many = vec![0i32; 2000];
    many[1999] = 1000;
    assert!(refused(many, &DType::I8, Cast::Exact).starts_with("the element [1999] is 1000"));
}

#[test]
fn saturating_takes_the_nearest_value() {
    let a = AnyArray::from(vec![-1.5, 0.5, 1.5, 2.5, 1e9, -1e9, f64::NAN, f64::INFINITY]);
    assert_eq!(a.astype(&DType::I8, Cast::Saturate).unwrap(), AnyArray::from(vec![-2i8, 0, 2, 2, 127, -128, 0, 127]));
    assert_eq!(a.astype(&DType::Bool, Cast::Saturate).unwrap(), AnyArray::from(vec![false, false, true, true, true, false, false, true]));
    let a = AnyArray::from(vec![1e300, -1e300, f64::INFINITY, 1e-300]);
    assert_eq!(a.astype(&DType::F32, Cast::Saturate).unwrap(), AnyArray::from(vec![f32::MAX, f32::MIN, f32::INFINITY, 0.0]));
    assert_eq!(AnyArray::from(u64::MAX).astype(&DType::I64, Cast::Saturate).unwrap(), AnyArray::from(i64::MAX));
    assert_eq!(AnyArray::from(-1i8).astype(&DType::U64, Cast::Saturate).unwrap(), AnyArray::from(0u64));
    assert_eq!(AnyArray::from(u64::MAX).astype(&DType::F16, Cast::Saturate).unwrap(), AnyArray::from(half::f16::MAX));
}

#[test]
fn safe_looks_at_the_types_only() {
    assert!(refused(1i64, &DType::I32, Cast::Safe).contains("every value"));
    assert!(refused(1.0, &DType::F32, Cast::Safe).contains("every value"));
    assert_eq!(AnyArray::from(i64::MAX).astype(&DType::F64, Cast::Safe).unwrap(), AnyArray::from(i64::MAX as f64));
    assert_eq!(AnyArray::from(1u8).astype(&DType::C64, Cast::Safe).unwrap(), AnyArray::from(Complex::new(1.0f32, 0.0)));
}

#[test]
fn long_doubles_hold_every_64_bit_integer() {
    for value in [i64::MIN, -1, 0, 1, i64::MAX] {
        assert_eq!(exact(exact(value, &LONG), &DType::I64), AnyArray::from(value));
    }
    let big = exact(u64::MAX, &LONG);
    refused(&big, &DType::F64, Cast::Exact);
    refused(&big, &DType::I64, Cast::Exact);
    assert_eq!(exact(&big, &DType::U64), AnyArray::from(u64::MAX));
    assert_eq!(big.astype(&DType::F64, Cast::Saturate).unwrap(), AnyArray::from(18_446_744_073_709_551_616.0));
}

#[test]
fn complex_numbers_become_real_only_if_they_are() {
    let z = AnyArray::from(vec![Complex::new(1.0, 0.0), Complex::new(2.0, -0.0)]);
    assert_eq!(exact(&z, &DType::F32), AnyArray::from(vec![1.0f32, 2.0]));
    assert_eq!(exact(&z, &DType::C64), AnyArray::from(vec![Complex::new(1.0f32, 0.0), Complex::new(2.0, -0.0)]));
    for cast in [Cast::Exact, Cast::Saturate] {
        let z = AnyArray::from(vec![Complex::new(1.0, 0.0), Complex::new(0.0, 2.0)]);
        assert_eq!(refused(z, &DType::F64, cast), "the element [1] is 0+2j, which is not real");
    }
    assert_eq!(refused(Complex::new(1.0, 0.1), &DType::C64, Cast::Exact), "the element is 0.1, which <f4 cannot hold exactly");
}

#[test]
fn enumerations_convert_by_value_and_by_name() {
    let colour = DType::enumeration(DType::U8, [("RED", 0), ("BLUE", 7)]).unwrap();
    let other = DType::enumeration(DType::I32, [("BLUE", -1), ("RED", 5)]).unwrap();
    let a = exact(vec![7i64, 0], &colour);
    assert_eq!(exact(&a, &DType::I16), AnyArray::from(vec![7i16, 0]));
    assert_eq!(exact(&a, &DType::STR), AnyArray::from_strings(["BLUE", "RED"]));
    assert_eq!(exact(exact(&a, &DType::fixed_ascii(6)), &colour), a);
    assert_eq!(exact(exact(&a, &other), &DType::I32), AnyArray::from(vec![-1, 5]));
    assert!(refused(vec![0i32, 3], &colour, Cast::Saturate).starts_with("the element [1] is 3, which is no member of enum"));
    assert!(refused("GREEN", &colour, Cast::Exact).contains("\"GREEN\", which is no member"));
    assert!(refused(1.0, &colour, Cast::Exact).contains("cannot be converted"));
    assert_eq!(exact(vec![true, false], &DType::STR), AnyArray::from_strings(["TRUE", "FALSE"]));
    assert_eq!(exact("TRUE", &DType::Bool), AnyArray::from(true));
}

#[test]
fn strings_convert_and_are_never_numbers() {
    let s = AnyArray::from_strings(["a", "", "häß"]);
    let fixed = exact(&s, &DType::fixed_utf8(6));
    assert_eq!(exact(&fixed, &DType::STR), s);
    for padding in [Padding::NullTerm, Padding::NullPad, Padding::SpacePad] {
        let to = DType::FixedString { size: 9, charset: Charset::Utf8, padding };
        assert_eq!(exact(exact(&fixed, &to), &DType::STR), s, "{padding:?}");
    }
    assert!(refused(&s, &DType::fixed_ascii(9), Cast::Exact).contains("the element [2] is \"häß\", which is not ASCII"));
    assert!(refused(&s, &DType::fixed_utf8(4), Cast::Exact).contains("has 5 bytes, more than fit"));
    let ascii = DType::VarString { charset: Charset::Ascii, padding: Padding::NullTerm };
    assert!(refused(&s, &ascii, Cast::Exact).contains("not ASCII"));
    assert_eq!(s.astype(&DType::fixed_utf8(4), Cast::Saturate).unwrap().to_strings().unwrap(), ["a", "", "hä"]);
    assert!(refused("12", &DType::F64, Cast::Saturate).contains("cannot be converted"));
    assert!(refused(12, &DType::STR, Cast::Saturate).contains("cannot be converted"));
}

#[test]
fn compounds_convert_by_field_name_and_leave_padding_zero() {
    let from = DType::compound([("n", DType::I64), ("s", DType::STR), ("v", DType::array(DType::F64, [2]))]).unwrap();
    let to = DType::compound_aligned([("v", DType::array(DType::F32, [2])), ("n", DType::U8), ("s", DType::fixed_ascii(2))]).unwrap();
    assert_eq!(to.itemsize(), 12);
    let rows = |n: i64| (n, "ab", [0.5, 1.5]);
    let a = AnyArray::from_rows_as(&from, &[rows(1), rows(2)]).unwrap();
    let b = exact(&a, &to);
    assert_eq!(b.to_string(), r#"[{v: [0.5, 1.5], n: 1, s: "ab"}, {v: [0.5, 1.5], n: 2, s: "ab"}]"#);
    assert_eq!(b.as_bytes().unwrap()[11], 0);
    assert_eq!(exact(&b, &from), a);
    let bad = AnyArray::from_rows_as(&from, &[rows(1), rows(256)]).unwrap();
    assert_eq!(refused(&bad, &to, Cast::Exact), "the field 'n' of the element [1] is 256, which |u1 cannot hold exactly");
    let fewer = DType::compound([("n", DType::I64)]).unwrap();
    assert!(refused(&a, &fewer, Cast::Exact).contains("the field 's' would be dropped"));
    assert_eq!(a.astype(&fewer, Cast::Saturate).unwrap().to_string(), "[{n: 1}, {n: 2}]");
    assert!(refused(a.astype(&fewer, Cast::Saturate).unwrap(), &from, Cast::Saturate).contains("the field 's' is wanted"));
    // What is not converted is kept: strings in a compound whose numbers change.
    let wider = DType::compound([("s", DType::STR), ("v", DType::array(DType::F64, [2])), ("n", DType::F64)]).unwrap();
    assert_eq!(exact(exact(&a, &wider), &from), a);
}

#[test]
fn sequences_and_sub_arrays_convert_item_by_item() {
    let a =
        AnyArray::from_sequences(DType::I32, [AnyArray::from(vec![1, 2]), AnyArray::from(Vec::<i32>::new()), AnyArray::from(vec![300])]);
    let a = a.unwrap();
    assert_eq!(exact(exact(&a, &DType::varseq(DType::F64)), &DType::varseq(DType::I32)), a);
    let message = refused(&a, &DType::varseq(DType::U8), Cast::Exact);
    assert_eq!(message, "in the sequence of the element [2]: the element [0] is 300, which |u1 cannot hold exactly");
    let grid = AnyArray::from_rows(&[[[1i16, 2], [3, 4]]; 3]).unwrap();
    assert_eq!(grid.dtype(), &DType::array(DType::I16, [2, 2]));
    let wide = exact(&grid, &DType::array(DType::C128, [2, 2]));
    assert_eq!(exact(&wide, grid.dtype()), grid);
    assert!(refused(&grid, &DType::array(DType::I16, [4]), Cast::Exact).contains("cannot be converted"));
}

#[test]
fn orders_tags_and_empty_arrays() {
    let a = AnyArray::from(vec![1.0, 2.0]);
    let big = a.astype(&DType::F64.with_order(Order::Big), Cast::Exact).unwrap();
    assert!(big.shares_memory_with(&a) && big.dtype().to_string() == ">f8");
    assert_eq!(big.view::<f64>().unwrap()[[1]], 2.0);
    let tagged = AnyArray::from_bytes(DType::opaque(2, "a"), [1], &[1, 2]).unwrap();
    assert_eq!(exact(&tagged, &DType::opaque(2, "b")).as_bytes(), Some(&[1u8, 2][..]));
    refused(&tagged, &DType::opaque(3, "a"), Cast::Exact);
    assert!(exact(AnyArray::null(DType::F64), &DType::I8).is_null());
    assert_eq!(exact(AnyArray::zeros(DType::F64, [0, 3]).unwrap(), &DType::I8).shape(), [0, 3]);
    refused(AnyArray::zeros(DType::F64, [0]).unwrap(), &DType::STR, Cast::Exact);
    let bits = DType::BitField(memh5::dtype::IntType { size: 1, signed: false, order: Order::NATIVE });
    assert_eq!(exact(exact(vec![5u64, 255], &bits), &DType::I16), AnyArray::from(vec![5i16, 255]));
    refused(-1, &bits, Cast::Exact);
}
