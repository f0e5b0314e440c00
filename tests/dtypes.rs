//! Every kind of element type, nested at random: what holds for one array holds for all of them.

use memh5::dtype::{Charset, FloatType, FloatWidth, IntType, Order, Padding};
use memh5::{AnyArray, Cast, DType};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A small generator of numbers, so that one seed draws a type, its values and its variations.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

fn int(rng: &mut Rng) -> IntType {
    IntType { size: rng.pick(&[1, 2, 4, 8]), signed: rng.below(2) == 0, order: rng.pick(&[Order::Little, Order::Big]) }
}

fn float(rng: &mut Rng, widths: &[FloatWidth]) -> FloatType {
    FloatType { width: rng.pick(widths), order: rng.pick(&[Order::Little, Order::Big]) }
}

fn string(rng: &mut Rng) -> DType {
    let charset = Charset::Utf8;
    let padding = rng.pick(&[Padding::NullTerm, Padding::NullPad, Padding::SpacePad]);
    match rng.below(2) {
        0 => DType::VarString { charset, padding },
        _ => DType::FixedString { size: 12 + rng.below(5), charset, padding },
    }
}

const ALL: [FloatWidth; 4] = [FloatWidth::F16, FloatWidth::F32, FloatWidth::F64, FloatWidth::LongDouble];

fn draw(rng: &mut Rng, depth: usize) -> DType {
    match rng.below(if depth == 0 { 7 } else { 10 }) {
        0 => DType::Bool,
        1 => DType::Int(int(rng)),
        2 => DType::Float(float(rng, &ALL)),
        3 => DType::Complex(float(rng, &ALL)),
        4 => string(rng),
        5 => DType::opaque(1 + rng.below(5), "tag"),
        6 => DType::enumeration(DType::Int(int(rng)), [("RED", 1), ("GREEN", 2), ("BLUE", 77)]).unwrap(),
        7 => {
            let names = ["a", "b", "c", "d"];
            let fields: Vec<_> = (0..1 + rng.below(4)).map(|i| (names[i], draw(rng, depth - 1))).collect();
            if rng.below(2) == 0 { DType::compound(fields).unwrap() } else { DType::compound_aligned(fields).unwrap() }
        }
        8 => {
            let base = draw(rng, depth - 1);
            let dims = 1 + rng.below(2);
            DType::array(base, (0..dims).map(|_| 1 + rng.below(3)).collect::<Vec<_>>())
        }
        _ => DType::varseq(draw(rng, depth - 1)),
    }
}

/// A type of the same structure that holds all values of [`value`].
fn vary(dtype: &DType, rng: &mut Rng) -> DType {
    match dtype {
        DType::Bool | DType::Int(_) if rng.below(3) == 0 => DType::Float(float(rng, &ALL)),
        DType::Int(_) => DType::Int(int(rng)),
        DType::Float(_) | DType::Complex(_) => DType::Complex(float(rng, &ALL)),
        DType::FixedString { .. } | DType::VarString { .. } => string(rng),
        DType::Enum(_) if rng.below(2) == 0 => DType::enumeration(DType::Int(int(rng)), [("BLUE", 1), ("RED", 5), ("GREEN", 9)]).unwrap(),
        DType::Enum(_) | DType::Bool => string(rng),
        DType::Opaque { size, .. } => DType::opaque(*size, "another tag"),
        DType::Compound(c) => {
            let mut fields: Vec<_> = c.fields().iter().map(|f| (f.name.as_str(), vary(&f.dtype, rng))).collect();
            let turn = rng.below(fields.len());
            fields.rotate_left(turn);
            if rng.below(2) == 0 { DType::compound(fields).unwrap() } else { DType::compound_aligned(fields).unwrap() }
        }
        DType::Array { base, shape } => DType::array(vary(base, rng), shape.to_vec()),
        DType::VarSeq(base) => DType::varseq(vary(base, rng)),
        other => other.clone(),
    }
}

fn value(dtype: &DType, rng: &mut Rng) -> Value {
    match dtype {
        DType::Bool => json!(rng.below(2) == 1),
        // Numbers that every type holds.
        DType::Int(_) => json!(rng.below(128)),
        DType::Float(_) => json!(rng.below(9) as f64 / 2.0 - 2.0),
        DType::Complex(_) => json!([rng.below(9) as f64 / 2.0 - 2.0, rng.below(9) as f64 / 4.0]),
        DType::FixedString { .. } | DType::VarString { .. } => json!(rng.pick(&["", "a", "text", "häß €", "x y"])),
        DType::Opaque { size, .. } => (0..*size).map(|_| json!(rng.below(256))).collect(),
        DType::Enum(_) => json!(rng.pick(&["RED", "GREEN", "BLUE"])),
        DType::Compound(c) => c.fields().iter().map(|f| (f.name.clone(), value(&f.dtype, rng))).collect::<serde_json::Map<_, _>>().into(),
        DType::Array { base, shape } => items(base, shape, rng),
        DType::VarSeq(base) => (0..rng.below(4)).map(|_| value(base, rng)).collect(),
        _ => Value::Null,
    }
}

/// An array of arrays is one of more dimensions to serde.
fn items(base: &DType, shape: &[usize], rng: &mut Rng) -> Value {
    match shape.split_first() {
        None => value(base, rng),
        Some((n, rest)) => (0..*n).map(|_| items(base, rest, rng)).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_type_holds_its_values_and_converts(seed in any::<u64>()) {
        let mut rng = Rng(seed);
        let dtype = draw(&mut rng, 3);
        let n = 1 + rng.below(5);
        let rows: Vec<Value> = (0..n).map(|_| value(&dtype, &mut rng)).collect();
        let a = AnyArray::from_rows_as(&dtype, &rows).unwrap();

        // Its name says all but the padding.
        let named: DType = dtype.to_string().parse().unwrap();
        prop_assert_eq!(named.to_string(), dtype.to_string());
        prop_assert_eq!(&AnyArray::from_rows_as(&named, &rows).unwrap().astype(&dtype, Cast::Exact).unwrap(), &a);

        // Through serde and back.
        let back: Vec<Value> = a.to_rows().unwrap();
        prop_assert_eq!(&AnyArray::from_rows_as(&dtype, &back).unwrap(), &a);
        for element in a.elements() {
            prop_assert!(!element.to_string().is_empty());
            element.to_value();
        }

        // To a type of another layout and back. Only integers held by a bool, and bools by a number or name, come back as they were.
        let other = vary(&dtype, &mut rng);
        let b = a.astype(&other, Cast::Exact).unwrap();
        prop_assert_eq!(&b.astype(&other, Cast::Saturate).unwrap(), &b);
        prop_assert_eq!(&a.astype(&other, Cast::Saturate).unwrap(), &b);
        let restored = b.astype(&dtype, Cast::Exact);
        prop_assert_eq!(&restored.unwrap(), &a, "{} -> {}", dtype, other);
        if let Ok(safe) = a.astype(&other, Cast::Safe) {
            prop_assert_eq!(&safe, &b);
        }

        // Selections carry everything.
        let reversed = a.select(memh5::selection::Item::step(.., -1)).unwrap();
        prop_assert_eq!(&reversed.select(memh5::selection::Item::step(.., -1)).unwrap(), &a);
        let mut c = AnyArray::zeros(dtype.clone(), [n]).unwrap();
        for i in 0..n {
            c.assign(i, &a.select(i).unwrap()).unwrap();
        }
        prop_assert_eq!(&c, &a);
        c.append(&reversed).unwrap();
        prop_assert_eq!(&c.select(n..).unwrap(), &reversed);
    }

    #[test]
    fn unrelated_types_never_panic(seed in any::<u64>()) {
        let mut rng = Rng(seed);
        let (from, to) = (draw(&mut rng, 2), draw(&mut rng, 2));
        let rows: Vec<Value> = (0..3).map(|_| value(&from, &mut rng)).collect();
        let a = AnyArray::from_rows_as(&from, &rows).unwrap();
        for cast in [Cast::Exact, Cast::Safe, Cast::Saturate] {
            if let Ok(b) = a.astype(&to, cast) {
                prop_assert_eq!((b.dtype(), b.shape()), (&to, a.shape()));
            }
        }
        let _ = AnyArray::from_rows_as(&to, &rows);
        let _ = a.to_rows::<(f64, String)>();
        let _ = a.to_rows::<Vec<u8>>();
        let _ = a.to_rows::<bool>();
    }
}

/// True if the HDF5 library before 2.0 cannot write an attribute, or even an element of the type, without losing some of it.
#[cfg(feature = "hdf5")]
fn is_lossy(dtype: &DType, attribute: bool) -> bool {
    fn varies(t: &DType, within_compound: bool) -> bool {
        match t {
            DType::VarString { .. } | DType::VarSeq(_) => within_compound || matches!(t, DType::VarSeq(base) if varies(base, false)),
            DType::Compound(c) => c.fields().iter().any(|f| varies(&f.dtype, true)),
            DType::Array { base, .. } => varies(base, within_compound),
            _ => false,
        }
    }
    fn depth(t: &DType) -> usize {
        match t {
            DType::Array { base, .. } => depth(base) + usize::from(varies(base, false)),
            DType::VarSeq(base) => 2 * depth(base),
            DType::Compound(c) => c.fields().iter().map(|f| depth(&f.dtype)).max().unwrap_or(0),
            _ => 0,
        }
    }
    depth(dtype) > if attribute { 0 } else { 1 }
}

#[cfg(feature = "hdf5")]
#[test]
fn files_hold_every_type() {
    use memh5::{ErrorKind, prelude::*};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("types.h5");
    let make = |seed: u64| {
        let mut rng = Rng(seed);
        let dtype = draw(&mut rng, 3);
        let rows: Vec<Value> = (0..1 + rng.below(5)).map(|_| value(&dtype, &mut rng)).collect();
        AnyArray::from_rows_as(&dtype, &rows).unwrap()
    };
    // What the library would lose is refused, by its name; all else is held.
    let refused = |result: memh5::Result<()>, lossy: bool, dtype: &DType| match result {
        Ok(()) => false,
        Err(e) if lossy && e.kind() == ErrorKind::Unsupported => true,
        Err(e) => panic!("{e}: {dtype}"),
    };
    const SEEDS: u64 = 600;
    let (mut lost, mut lost_attributes) = (Vec::new(), Vec::new());
    let file = memh5::format::open(&path, memh5::Mode::CreateNew).unwrap();
    for seed in 0..SEEDS {
        let (a, name) = (make(seed), format!("d{seed}"));
        if refused(file.create_dataset(&name).write(&a).map(drop), is_lossy(a.dtype(), false), a.dtype()) {
            assert!(!file.contains(&name).unwrap());
            lost.push(seed);
            continue;
        }
        let d = file.dataset(&name).unwrap();
        if refused(d.attrs().set("copy", &a), is_lossy(a.dtype(), true) && a.len() > 1, a.dtype()) {
            lost_attributes.push(seed);
        }
        // The same elements written one after another, and again over what is there.
        let e = file.create_dataset(&format!("e{seed}")).dtype(a.dtype().clone()).shape(a.shape()).create().unwrap();
        for _ in 0..2 {
            e.write_slice(memh5::selection::Item::step(.., -1), a.select(memh5::selection::Item::step(.., -1)).unwrap()).unwrap();
        }
    }
    assert!(lost.len() < 40 && lost_attributes.len() < 40, "{} and {} refused", lost.len(), lost_attributes.len());
    file.close_tree().unwrap();
    let file = memh5::format::open(&path, memh5::Mode::Read).unwrap();
    for seed in (0..SEEDS).filter(|s| !lost.contains(s)) {
        let a = make(seed);
        let d = file.dataset(&format!("d{seed}")).unwrap();
        assert_eq!(&d.dtype().unwrap(), a.dtype());
        assert_eq!(d.read_array().unwrap(), a, "{}", a.dtype());
        assert_eq!(d.read_slice::<AnyArray>(0).unwrap(), a.select(0).unwrap());
        assert_eq!(file.dataset(&format!("e{seed}")).unwrap().read_array().unwrap(), a, "{}", a.dtype());
        if !lost_attributes.contains(&seed) {
            let attribute = d.attrs().get_array("copy").unwrap().unwrap();
            assert_eq!((attribute.dtype(), &attribute), (a.dtype(), &a));
        }
    }
}
