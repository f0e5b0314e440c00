//! Attributes: copies of them, and caput's structured values.

use crate::backends;
use memh5::copy::{AttrOptions, AttrValue, JSON_PREFIX, Json, StringConversion, attr_value, attrs_to_dict, copy_attrs};
use memh5::prelude::*;
use memh5::{AnyArray, Cast, DType, ErrorKind};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Point,
    Disk { radius: f64 },
    Pair(i32, i32),
    Named(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Config {
    name: String,
    gains: Vec<f64>,
    kinds: Vec<Kind>,
    nothing: Option<u8>,
    big: u64,
    nested: std::collections::BTreeMap<String, (bool, i8)>,
}

fn config() -> Config {
    Config {
        name: "caf\u{e9} \u{1f600}\n\"x\"".into(),
        gains: vec![1.0, f64::INFINITY, f64::NEG_INFINITY, 1e-7, 1e22],
        kinds: vec![Kind::Point, Kind::Disk { radius: 0.5 }, Kind::Pair(1, -2), Kind::Named("n".into())],
        nothing: None,
        big: u64::MAX,
        nested: [("a".to_owned(), (true, -1))].into(),
    }
}

#[test]
fn structured_values_come_back_from_every_backend() {
    for (name, fresh) in backends() {
        let g = fresh();
        g.attrs().set_json("config", &config()).unwrap();
        assert_eq!(g.attrs().get_json::<Config>("config").unwrap(), config(), "{name}");
        let text: String = g.attrs().get("config").unwrap();
        assert!(text.starts_with(JSON_PREFIX) && text.is_ascii(), "{text}");
        assert!(text.contains(r#""caf\u00e9 \ud83d\ude00\n\"x\"""#) && text.contains("[1.0, Infinity, -Infinity, 1e-07, 1e+22]"), "{text}");
        // 70 kB and more, past the limit of an object header.
        let long = Json::Array(vec![Json::String("x".repeat(100)); 1000]);
        g.attrs().set_json("long", &long).unwrap();
        assert_eq!(g.attrs().get_json::<Json>("long").unwrap(), long, "{name}");
        g.attrs().set_json("nan", &[f64::NAN]).unwrap();
        assert_eq!(g.attrs().get::<String>("nan").unwrap(), "!!_memh5_json:[NaN]");
        assert!(g.attrs().get_json::<Vec<f64>>("nan").unwrap()[0].is_nan());
        assert_eq!(g.attrs().get_json::<Json>("nan").unwrap(), Json::Array(vec![Json::Float(f64::NAN)]));
        g.attrs().set("plain", 1).unwrap();
        assert_eq!(g.attrs().get_json::<Json>("plain").unwrap_err().kind(), ErrorKind::Dtype);
        assert_eq!(g.attrs().get_json::<i32>("config").unwrap_err().kind(), ErrorKind::Dtype);
        assert_eq!(g.attrs().get_json::<i32>("absent").unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn values_that_json_cannot_hold_are_refused() {
    let g = memh5::MemGroup::new();
    let bad: std::collections::HashMap<Vec<u8>, i32> = [(vec![1], 1)].into();
    assert_eq!(g.attrs().set_json("x", &bad).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let keys: std::collections::BTreeMap<(bool,), i32> = [((true,), 1)].into();
    assert!(g.attrs().set_json("x", &keys).is_err());
    let numbers: std::collections::BTreeMap<i32, i32> = [(1, 2)].into();
    g.attrs().set_json("x", &numbers).unwrap();
    assert_eq!(g.attrs().get::<String>("x").unwrap(), "!!_memh5_json:{\"1\": 2}");
    assert!(g.attrs().set_json("x", &f64::NAN).is_ok());
}

#[test]
fn texts_that_look_like_structured_values_survive() {
    for (name, fresh) in backends() {
        let g = fresh();
        for text in ["!!_memh5_json:{broken", "!!_memh5_json:", "!!_memh5_json:[1]", "plain", ""] {
            g.attrs().set_text("t", text).unwrap();
            assert_eq!(g.attrs().get_text("t").unwrap(), text, "{name}");
            // What caput reads is the text, too.
            match attr_value(g.attrs(), "t").unwrap().unwrap() {
                AttrValue::Json(json) => assert_eq!(json.as_str(), Some(text), "{name}"),
                AttrValue::Array(array) => assert_eq!(array.to_strings().unwrap(), [text], "{name}"),
                other => panic!("{name}: {other:?}"),
            }
            g.attrs().set("raw", text).unwrap();
            assert_eq!(g.attrs().get::<String>("raw").unwrap(), text, "{name}");
        }
        g.attrs().set("m", "!!_memh5_json:{broken").unwrap();
        let Some(AttrValue::Malformed { text, reason }) = attr_value(g.attrs(), "m").unwrap() else { panic!("{name}") };
        assert_eq!(text, "!!_memh5_json:{broken");
        assert!(reason.contains("byte 1"), "{reason}");
        assert_eq!(g.attrs().get_json::<Json>("m").unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn copies_keep_types_and_other_attributes() {
    for (a, from) in backends() {
        for (b, to) in backends() {
            let (from, to, pair) = (from(), to(), format!("{a} to {b}"));
            let values = [
                ("b_int", AnyArray::from(1i8)),
                ("a_half", AnyArray::from(half::f16::from_f32(0.5))),
                ("big", AnyArray::from(vec![1i32]).with_dtype(&DType::I32.with_order(memh5::dtype::Order::Big)).unwrap()),
                ("text", AnyArray::from("t")),
                ("bytes", AnyArray::from_strings(["ab", "c"]).astype(&DType::fixed_ascii(3), Cast::Exact).unwrap()),
                ("null", AnyArray::null(DType::Bool)),
                ("broken", AnyArray::from("!!_memh5_json:{")),
                ("large", AnyArray::from(vec![1.0f64; 20_000])),
            ];
            for (name, value) in &values {
                from.attrs().set(name, value).unwrap();
            }
            to.attrs().set("text", 5).unwrap();
            to.attrs().set("other", 6).unwrap();
            let report = copy_attrs(from.attrs(), to.attrs(), AttrOptions::default()).unwrap();
            assert_eq!((report.copied, report.converted.len(), report.malformed.len()), (values.len(), 0, 1), "{pair}");
            for (name, value) in &values {
                let copy = to.attrs().get_array(name).unwrap().unwrap();
                assert_eq!((copy.dtype(), &copy), (value.dtype(), value), "{pair} {name}");
            }
            assert_eq!(to.attrs().get::<i32>("other").unwrap(), 6);
            let converted = copy_attrs(from.attrs(), to.attrs(), AttrOptions { strings: StringConversion::Variable }).unwrap();
            assert_eq!(converted.converted, ["bytes"], "{pair}");
            let dict = attrs_to_dict(to.attrs()).unwrap();
            assert_eq!((dict.len(), dict["bytes"].dtype()), (values.len() + 1, &DType::STR), "{pair}");
        }
    }
}
