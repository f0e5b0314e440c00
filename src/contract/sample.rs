//! Arrays of any dtype and shape with values that are drawn, always the same for one seed.

use crate::array::{AnyArray, Arena, Item};
use crate::dtype::{Charset, CompoundType, DType, Field, FloatType, FloatWidth, IntType, Order, Padding};
use crate::error::Result;
use crate::selection::{self, Selection};
use crate::tree::{ObjectRef, RegionRef};
use std::sync::Arc;

/// A small generator of pseudo-random numbers (splitmix64); the same seed gives the same numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (0 if `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.next_u64() % n as u64) as usize }
    }

    /// A number of the half-open interval.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as usize) as i64
    }

    /// One of them.
    pub fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        of.get(self.below(of.len())).cloned()
    }
}

/// What references in a sample point to; where there is none they are null.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// Object references.
    pub objects: Vec<ObjectRef>,
    /// Region references.
    pub regions: Vec<RegionRef>,
}

/// An array of any dtype and shape. Padding bytes hold garbage, which no backend may take for data.
///
/// # Errors
/// `Shape` if it is too large or has too many axes.
pub fn sample(dtype: &DType, shape: &[usize], seed: u64, targets: &Targets) -> Result<AnyArray> {
    draw(dtype, shape, &mut Random::new(seed), targets)
}

fn draw(dtype: &DType, shape: &[usize], random: &mut Random, targets: &Targets) -> Result<AnyArray> {
    let mut array = AnyArray::zeros(dtype.clone(), shape.to_vec())?;
    let (bytes, heap) = array.raw_mut()?;
    for element in bytes.chunks_exact_mut(dtype.itemsize()) {
        fill(dtype, element, heap, random, targets)?;
    }
    Ok(array)
}

const TEXTS: [&str; 8] = [
    "",
    "a",
    "mJy/beam",
    "ÅÅngström µJy",
    "日本",
    "a longer text with blanks in it",
    "trailing dot.",
    "0123456789012345678901234567890123456789",
];

fn text(charset: Charset, random: &mut Random) -> String {
    let text = TEXTS[random.below(TEXTS.len())];
    match charset {
        Charset::Utf8 => text.to_owned(),
        Charset::Ascii => text.chars().filter(char::is_ascii).collect(),
    }
}

fn put(bytes: &mut [u8], value: u128) {
    let raw = value.to_le_bytes();
    bytes.copy_from_slice(&raw[..bytes.len()]);
    if cfg!(target_endian = "big") {
        bytes.reverse();
    }
}

fn float(width: FloatWidth, bytes: &mut [u8], random: &mut Random) {
    let special = [0.0, -0.0, 1.0, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 65504.0];
    let value = match random.below(12) {
        k if k < special.len() => special[k],
        _ => random.between(-10_000_000, 10_000_000) as f64 / 1024.0,
    };
    match width {
        FloatWidth::F16 => bytes.copy_from_slice(&half::f16::from_f64(value).to_ne_bytes()),
        FloatWidth::F32 => bytes.copy_from_slice(&(value as f32).to_ne_bytes()),
        FloatWidth::F64 => bytes.copy_from_slice(&value.to_ne_bytes()),
        FloatWidth::LongDouble => {
            // The 80 bits of x86: a mantissa with its leading one, then exponent and sign; six bytes of zero.
            let mantissa = u128::from(random.next_u64() | 1 << 63);
            let exponent = (16_383 + random.between(-60, 60)) as u128;
            let sign = u128::from(random.next_u64() & 1);
            put(bytes, mantissa | exponent << 64 | sign << 79);
        }
    }
}

fn fill(dtype: &DType, bytes: &mut [u8], heap: Option<&Arc<Arena>>, random: &mut Random, targets: &Targets) -> Result<()> {
    let slot = |bytes: &mut [u8], item: Option<Item>| {
        bytes.fill(0);
        if let (Some(heap), Some(item)) = (heap, item) {
            bytes[..8].copy_from_slice(&heap.push(item).to_ne_bytes());
        }
    };
    match dtype {
        DType::Bool => bytes[0] = (random.next_u64() & 1) as u8,
        DType::Int(_) | DType::BitField(_) => put(bytes, u128::from(random.next_u64())),
        DType::Float(t) => float(t.width, bytes, random),
        DType::Complex(t) => bytes.chunks_exact_mut(t.width.size()).for_each(|b| float(t.width, b, random)),
        DType::FixedString { size, charset, padding } => {
            let text = text(*charset, random);
            let room = if *padding == Padding::NullTerm { size - 1 } else { *size };
            let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            bytes.fill(if *padding == Padding::SpacePad { b' ' } else { 0 });
            bytes[..end].copy_from_slice(&text.as_bytes()[..end]);
        }
        DType::Opaque { .. } | DType::Foreign(_) => bytes.iter_mut().for_each(|b| *b = random.next_u64() as u8),
        DType::Enum(e) => {
            let value = e.members.get(random.below(e.members.len())).map_or(0, |m| m.1);
            put(bytes, value as u128);
        }
        DType::Compound(c) => {
            bytes.fill(0xa5);
            for f in c.fields() {
                fill(&f.dtype, &mut bytes[f.offset..f.offset + f.dtype.itemsize()], heap, random, targets)?;
            }
        }
        DType::Array { base, .. } => {
            for item in bytes.chunks_exact_mut(base.itemsize()) {
                fill(base, item, heap, random, targets)?;
            }
        }
        DType::VarString { charset, .. } => {
            let text = text(*charset, random);
            slot(bytes, (!text.is_empty()).then(|| Item::Str(text.into_bytes().into())));
        }
        DType::VarSeq(base) => {
            let n = random.below(4);
            let items = draw(base, &[n], random, targets)?;
            slot(bytes, (n > 0).then(|| Item::Seq(Box::new(items))));
        }
        DType::ObjectRef => {
            let target = random.pick(&targets.objects).filter(|_| random.below(5) > 0);
            slot(bytes, target.filter(|t| !t.is_null()).map(Item::Object));
        }
        DType::RegionRef => {
            let target = random.pick(&targets.regions).filter(|_| random.below(5) > 0);
            slot(bytes, target.filter(|t| !t.is_null()).map(|t| Item::Region(Box::new(t))));
        }
    }
    Ok(())
}

/// Every kind of dtype, each with a name: all widths in both stored orders, all flavours of strings, nested compounds and the rest.
///
/// # Errors
/// None; the types are valid.
pub fn dtypes() -> Result<Vec<(String, DType)>> {
    let mut all: Vec<DType> = vec![DType::Bool];
    for order in [Order::Little, Order::Big] {
        for size in [1, 2, 4, 8] {
            for signed in [true, false] {
                all.push(DType::Int(IntType { size, signed, order }));
            }
            all.push(DType::BitField(IntType { size, signed: false, order }));
        }
        for width in [FloatWidth::F16, FloatWidth::F32, FloatWidth::F64, FloatWidth::LongDouble] {
            all.push(DType::Float(FloatType { width, order }));
        }
        for width in [FloatWidth::F32, FloatWidth::F64, FloatWidth::LongDouble] {
            all.push(DType::Complex(FloatType { width, order }));
        }
    }
    // A number of one byte has no order: it is stored as little-endian.
    all.retain(|t| !matches!(t, DType::Int(i) | DType::BitField(i) if i.size == 1 && i.order == Order::Big));
    for charset in [Charset::Ascii, Charset::Utf8] {
        for padding in [Padding::NullTerm, Padding::NullPad, Padding::SpacePad] {
            for size in [1, 5, 64] {
                all.push(DType::FixedString { size, charset, padding });
            }
        }
        all.push(DType::VarString { charset, padding: Padding::NullTerm });
    }
    all.extend([DType::opaque(7, "a tag"), DType::opaque(1, ""), DType::opaque(24, &"long ".repeat(40))]);
    let big_i32 = DType::I32.with_order(Order::Big);
    all.extend([
        DType::enumeration(DType::I8, [("FALSE", 0), ("TRUE", 1), ("MAYBE", -1)])?,
        DType::enumeration(DType::U8, [("FALSE", 0), ("TRUE", 1)])?,
        DType::enumeration(big_i32.clone(), [("SHOWER", 0), ("UNKNOWN", -1), ("µ", 70_000)])?,
        DType::enumeration(DType::U64, [("LARGE", i128::from(u64::MAX)), ("SMALL", 1)])?,
        DType::enumeration(DType::I64, [("LOW", i128::from(i64::MIN)), ("HIGH", i128::from(i64::MAX))])?,
    ]);
    let packed = DType::compound([("n", DType::I8), ("x", DType::F64), ("label", DType::fixed_ascii(3))])?;
    let aligned = DType::compound_aligned([("n", DType::I8), ("x", DType::F64.with_order(Order::Big)), ("flag", DType::Bool)])?;
    let field = |name: &str, dtype: DType, offset: usize| Field { name: name.to_owned(), dtype, offset };
    let padded = CompoundType::new(vec![field("a", DType::I16, 3), field("b", DType::F32, 9)], 21)?;
    let text = DType::compound_aligned([("id", DType::U16), ("name", DType::STR), ("note", DType::fixed_utf8(9))])?;
    all.extend([
        packed.clone(),
        aligned.clone(),
        DType::Compound(Arc::new(padded)),
        text.clone(),
        DType::compound([("one", DType::I32)])?,
        DType::compound([
            ("in", aligned.clone()),
            ("z", DType::C64),
            ("deep", DType::compound([("t", text.clone()), ("b", DType::Bool)])?),
        ])?,
        DType::compound([("xyz", DType::array(DType::F32, [3])), ("m", DType::array(DType::I16, [2, 2])), ("ünï", DType::U8)])?,
        DType::compound([("v", DType::varseq(DType::F32)), ("e", DType::enumeration(DType::I16, [("A", 1), ("B", 2)])?)])?,
    ]);
    all.extend([
        DType::array(DType::I16, [3]),
        DType::array(DType::F64.with_order(Order::Big), [2, 3]),
        DType::array(DType::STR, [2]),
        DType::array(packed.clone(), [2]),
        DType::array(DType::array(DType::U8, [2]), [3]),
        DType::varseq(DType::I32),
        DType::varseq(big_i32),
        DType::varseq(DType::STR),
        DType::varseq(DType::varseq(DType::I16)),
        DType::varseq(text),
        DType::varseq(DType::array(DType::F32, [2])),
        DType::array(DType::varseq(DType::U8), [2]),
    ]);
    all.extend([
        DType::ObjectRef,
        DType::RegionRef,
        DType::compound([("what", DType::ObjectRef), ("n", DType::I32), ("part", DType::RegionRef)])?,
        DType::array(DType::ObjectRef, [2]),
        DType::varseq(DType::ObjectRef),
    ]);
    Ok(all.into_iter().map(|t| (t.to_string(), t)).collect())
}

/// A selection that fits the shape.
pub fn random_selection(shape: &[usize], random: &mut Random) -> Selection {
    if !shape.is_empty() && random.below(8) == 0 {
        let n: usize = shape.iter().product();
        let mask = (0..n).map(|_| random.below(3) == 0).collect();
        if let Ok(mask) = ndarray::ArrayD::from_shape_vec(shape.to_vec(), mask) {
            return Selection::Mask(mask);
        }
    }
    let mut items = Vec::new();
    let keep = if random.below(3) == 0 { random.below(shape.len() + 1) } else { shape.len() };
    let ellipsis = if random.below(6) == 0 { Some(random.below(keep + 1)) } else { None };
    for k in 0..keep {
        if ellipsis == Some(k) {
            items.push(selection::Item::Ellipsis);
        }
        let axis = if ellipsis.is_some_and(|e| e <= k) { k + shape.len() - keep } else { k };
        items.push(random_item(shape[axis], random));
    }
    if ellipsis == Some(keep) {
        items.push(selection::Item::Ellipsis);
    }
    Selection::Axes(items)
}

fn random_item(n: usize, random: &mut Random) -> selection::Item {
    use selection::Item;
    let len = n as i64;
    let bound = |random: &mut Random| (random.below(4) > 0).then(|| random.between(-len - 2, len + 3));
    match random.below(7) {
        0 if n > 0 => Item::Index(random.between(-len, len)),
        1 | 2 if n > 0 => {
            let count = random.below(2 * n + 1);
            Item::List((0..count).map(|_| random.between(-len, len)).collect())
        }
        3 => Item::Mask((0..n).map(|_| random.below(2) == 0).collect()),
        4 => Item::FULL,
        _ => {
            let step = random.pick(&[1, 1, 2, 3, -1, -2]).unwrap_or(1);
            Item::Range { start: bound(random), stop: bound(random), step }
        }
    }
}
