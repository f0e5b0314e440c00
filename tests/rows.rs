//! Rust structs in and out of compound arrays.

use memh5::{AnyArray, Cast, DType, ErrorKind};
use num_complex::Complex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone, Copy)]
enum Pol {
    X,
    Y,
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Inner {
    ok: bool,
    tag: char,
    pair: (i8, f32),
}

#[derive(Serialize, Deserialize, PartialEq, Debug, Clone)]
struct Row {
    id: u64,
    name: String,
    pol: Pol,
    grid: [[f64; 3]; 2],
    samples: Vec<i16>,
    nested: Vec<Vec<String>>,
    inner: Inner,
    some: Option<i32>,
}

fn row(id: u64) -> Row {
    Row {
        id,
        name: format!("row {id}"),
        pol: if id.is_multiple_of(2) { Pol::X } else { Pol::Y },
        grid: [[0.5, 1.0, id as f64], [f64::MIN, f64::MAX, -0.0]],
        samples: (0..id as i16).collect(),
        nested: (0..id).map(|k| (0..k).map(|j| j.to_string()).collect()).collect(),
        inner: Inner { ok: id > 1, tag: 'é', pair: (-1, 0.25) },
        some: Some(-7),
    }
}

fn message(result: memh5::Result<impl Sized>) -> String {
    let error = result.err().expect("an error");
    assert_eq!(error.kind(), ErrorKind::Dtype, "{error}");
    error.to_string()
}

#[test]
fn everything_that_has_a_dtype_goes_there_and_back() {
    let rows: Vec<Row> = (0..5).map(row).collect();
    let a = AnyArray::from_rows(&rows).unwrap();
    assert_eq!(
        a.dtype().to_string(),
        "{id: <u8, name: str, pol: str, grid: <f8[2, 3], samples: vlen(<i2), nested: vlen(vlen(str)), \
         inner: {ok: bool, tag: str, pair: {0: |i1, 1: <f4}}, some: <i4}"
    );
    assert_eq!(a.shape(), [5]);
    assert_eq!(a.to_rows::<Row>().unwrap(), rows);
}

#[test]
fn scalars_maps_and_tuples_are_rows_too() {
    assert_eq!(AnyArray::from_rows(&[1.5, 2.5]).unwrap(), AnyArray::from(vec![1.5, 2.5]));
    assert_eq!(AnyArray::from_rows(&["a", "b"]).unwrap().to_rows::<String>().unwrap(), ["a", "b"]);
    let maps = vec![BTreeMap::from([("x", 1), ("y", 2)])];
    let a = AnyArray::from_rows(&maps).unwrap();
    assert_eq!(a.to_string(), "[{x: 1, y: 2}]");
    assert_eq!(a.to_rows::<BTreeMap<String, i32>>().unwrap()[0]["y"], 2);
    assert_eq!(a.to_rows::<(i32, i64)>().unwrap(), [(1, 2)]);
    assert_eq!(a.to_rows::<serde_json::Value>().unwrap()[0].to_string(), r#"{"x":1,"y":2}"#);
    let grid = AnyArray::from_rows(&[([1u8, 2], [3u8, 4])]).unwrap();
    assert_eq!(grid.dtype(), &DType::array(DType::U8, [2, 2]));
    assert_eq!(grid.to_rows::<Vec<Vec<u8>>>().unwrap(), [[[1, 2], [3, 4]]]);
}

#[test]
fn a_given_dtype_takes_values_by_name_and_exactly() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Beam {
        pol: Pol,
        name: String,
        gain: Complex<f64>,
        raw: [u8; 3],
        count: i64,
        flag: bool,
    }
    let beam = || Beam { pol: Pol::Y, name: "abc".into(), gain: Complex::new(1.0, -0.5), raw: [1, 2, 3], count: 7, flag: true };
    let pol = DType::enumeration(DType::I16, [("X", -1), ("Y", 300)]).unwrap();
    let dtype = DType::compound_aligned([
        ("count", DType::F32),
        ("gain", DType::C64),
        ("flag", DType::U8),
        ("raw", DType::opaque(3, "bytes")),
        ("pol", pol),
        ("name", DType::fixed_utf8(4)),
    ])
    .unwrap();
    let a = AnyArray::from_rows_as(&dtype, &[beam(), beam()]).unwrap();
    assert_eq!(a.element(1).unwrap().to_string(), r#"{count: 7.0, gain: 1-0.5j, flag: 1, raw: 0x010203, pol: Y, name: "abc"}"#);
    assert_eq!(a.to_rows::<Beam>().unwrap(), [beam(), beam()]);
    // Padding is zero.
    let (bytes, size) = (a.as_bytes().unwrap(), dtype.itemsize());
    assert!(bytes.chunks(size).all(|e| e[size - 2..] == [0, 0]), "{bytes:?}");

    let bad = |change: fn(&mut Beam)| {
        let mut b = beam();
        change(&mut b);
        message(AnyArray::from_rows_as(&dtype, &[beam(), b]))
    };
    assert_eq!(bad(|b| b.count = (1 << 24) + 1), "row 1, field 'count': 16777217 cannot be stored as <f4");
    assert_eq!(bad(|b| b.name = "abcde".into()), r#"row 1, field 'name': "abcde" has 5 bytes, more than fit in |S4 (utf-8)"#);
    assert_eq!(bad(|b| b.gain.im = 0.1), "row 1, field 'gain.1': 0.1 cannot be stored as <f4");
    let fewer = DType::compound([("pol", DType::STR)]).unwrap();
    assert_eq!(message(AnyArray::from_rows_as(&fewer, &[beam()])), "row 0, field 'name': the dtype has no field of that name");
    #[derive(Serialize)]
    struct Short {
        count: i32,
    }
    assert_eq!(message(AnyArray::from_rows_as(&dtype, &[Short { count: 1 }])), "row 0, field 'gain': the row has no field of that name");
    let numbers = DType::compound([("count", DType::U8)]).unwrap();
    assert!(message(AnyArray::from_rows_as(&numbers, &[Short { count: -1 }])).ends_with("-1 cannot be stored as |u1"));
    let text = DType::compound([("count", DType::STR)]).unwrap();
    assert!(message(AnyArray::from_rows_as(&text, &[Short { count: 1 }])).ends_with("1 cannot be stored as str"));
}

#[test]
fn what_has_no_dtype_is_named() {
    #[derive(Serialize, Clone)]
    struct R {
        v: Vec<f32>,
        o: Option<u8>,
    }
    let empty = R { v: vec![], o: Some(1) };
    let text = message(AnyArray::from_rows(&[empty.clone(), empty.clone()]));
    assert!(text.starts_with("row 0, field 'v': the sequence is empty in every row") && text.contains("from_rows_as"), "{text}");
    let a = AnyArray::from_rows(&[empty.clone(), R { v: vec![1.0], o: Some(2) }]).unwrap();
    assert_eq!(a.to_string(), "[{v: [], o: 1}, {v: [1.0], o: 2}]");
    let text = message(AnyArray::from_rows(&[R { v: vec![1.0], o: Some(1) }, R { v: vec![], o: None }]));
    assert!(text.starts_with("row 1, field 'o': None has no place"), "{text}");
    assert!(message(AnyArray::from_rows::<u8>(&[])).contains("no rows"));
    assert!(message(AnyArray::from_rows(&[()])).contains("no dtype"));
    #[derive(Serialize)]
    enum Fields {
        Pair(u8, u8),
    }
    assert!(message(AnyArray::from_rows(&[Fields::Pair(1, 2)])).contains("Pair"));
    let nul = message(AnyArray::from_rows(&["a\0b"]));
    assert!(nul.contains("NUL"), "{nul}");
}

#[test]
fn reading_checks_values_and_ignores_extra_fields() {
    let dtype = DType::compound([("a", DType::I64), ("b", DType::F64), ("extra", DType::ObjectRef)]).unwrap();
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Two {
        a: i64,
        b: f64,
    }
    let two = DType::compound([("a", DType::I64), ("b", DType::F64)]).unwrap();
    let a = AnyArray::from_rows_as(&two, &[Two { a: 300, b: 0.1 }]).unwrap();
    assert!(a.astype(&dtype, Cast::Exact).is_err());
    let zeros = AnyArray::zeros(dtype, [2]).unwrap();
    assert_eq!(zeros.to_rows::<Two>().unwrap(), [Two { a: 0, b: 0.0 }, Two { a: 0, b: 0.0 }]);

    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Small {
        a: u8,
    }
    assert_eq!(message(a.to_rows::<Small>()), "row 0, field 'a': 300 of type <i8 is no u8");
    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Single {
        b: f32,
    }
    assert_eq!(message(a.to_rows::<Single>()), "row 0, field 'b': 0.1 of type <f8 is no f32");
    #[derive(Deserialize, Debug)]
    #[allow(dead_code)]
    struct Missing {
        a: i64,
        z: i64,
    }
    assert!(message(a.to_rows::<Missing>()).contains("missing field `z`"));
    #[derive(Deserialize, PartialEq, Debug)]
    struct Flexible {
        a: f64,
        #[serde(default)]
        z: i64,
        b: Option<f64>,
    }
    assert_eq!(a.to_rows::<Flexible>().unwrap(), [Flexible { a: 300.0, z: 0, b: Some(0.1) }]);
    assert_eq!(AnyArray::null(DType::F64).to_rows::<f64>().unwrap_err().kind(), ErrorKind::Shape);
    assert!(AnyArray::from("x").to_rows::<u8>().is_err() && AnyArray::from(1).to_rows::<String>().is_err());
    assert!(AnyArray::from(1).to_rows::<Vec<u8>>().is_err() && AnyArray::from(1).to_rows::<()>().is_err());
}

/// The same program on both residences.
fn rows_live_in(group: &dyn memh5::prelude::Group) {
    use memh5::prelude::*;
    let rows: Vec<Row> = (1..7).map(row).collect();
    let log = group.create_dataset("log").maxshape([None]).chunks([4]).write_rows(&rows[..2]).unwrap();
    log.push_rows(&rows[2..]).unwrap();
    assert_eq!(log.read_rows::<Row>().unwrap(), rows);
    let mut changed = rows.clone();
    changed[3].name = "new".into();
    log.write_rows(&changed).unwrap();
    assert_eq!(log.read_rows::<Row>().unwrap(), changed);
    assert_eq!(log.read_slice::<AnyArray>(2..4).unwrap().to_rows::<Row>().unwrap(), changed[2..4]);

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Beam {
        pol: Pol,
        gain: Complex<f32>,
        name: String,
    }
    let beams = [Beam { pol: Pol::Y, gain: Complex::new(0.5, -1.0), name: "b0".into() }];
    let dtype: DType = "{name: |S4 (utf-8), pol: enum |i1 {X=0, Y=1}, gain: <c8}".parse().unwrap();
    let d = group.create_dataset("beams").dtype(dtype.clone()).write_rows(&beams).unwrap();
    assert_eq!(d.dtype().unwrap(), dtype);
    assert_eq!(d.read_rows::<Beam>().unwrap(), beams);
    let error = d.write_rows(&[Beam { pol: Pol::X, gain: Complex::default(), name: "too long".into() }]).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Dtype, Some("/beams")));
    assert!(error.to_string().contains("row 0, field 'name'"), "{error}");
    let error = group.create_dataset("none").write_rows(&[Option::<u8>::None]).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Dtype, Some("/none")));
    assert!(!group.contains("none").unwrap());
}

#[test]
fn rows_live_in_memory() {
    rows_live_in(&memh5::MemGroup::new());
}

#[cfg(feature = "hdf5")]
#[test]
fn rows_live_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.h5");
    let file = memh5::format::open(&path, memh5::Mode::CreateNew).unwrap();
    rows_live_in(&*file);
}
