//! Comparing elements: an element is a list of leaves, and two types of one content have leaves that pair up.

use super::super::digest::LazyPaths;
use crate::array::{AnyArray, ElementRef, Item};
use crate::dtype::layout::trim_string;
use crate::dtype::{DType, FloatWidth, Padding};
use crate::error::Result;
use half::f16;

/// The smallest part of an element that is compared.
#[derive(Debug, Clone)]
enum Kind {
    Unsigned(usize),
    Signed(usize),
    Float(FloatWidth),
    Bytes(usize),
    Fixed(usize, Padding),
    Str,
    Seq(Comparer),
    Object,
    Region,
}

#[derive(Debug, Clone)]
struct Leaf {
    offset: usize,
    kind: Kind,
    /// Where it is in the element: `.pos[3].x`.
    path: String,
    dtype: DType,
}

/// The leaves of a type, in the order of its fields.
#[derive(Debug, Clone)]
pub(super) struct Comparer {
    leaves: Vec<Leaf>,
    itemsize: usize,
    /// The whole element is its bytes.
    solid: bool,
}

/// What is called for a leaf that differs: with the element's place, the leaf's path, and both values as text when they are asked for.
pub(super) type Found<'f> = dyn FnMut(usize, &str, &dyn Fn() -> (String, String)) + 'f;

/// How far numbers may be apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tolerance {
    pub rtol: f64,
    pub atol: f64,
}

impl Tolerance {
    fn is_zero(self) -> bool {
        self.rtol == 0.0 && self.atol == 0.0
    }

    fn close(self, a: f64, b: f64) -> bool {
        a == b || (a.is_nan() && b.is_nan()) || (a.is_finite() && b.is_finite() && (a - b).abs() <= self.atol + self.rtol * b.abs())
    }
}

/// Of each tree: where references lead.
pub(super) struct BothPaths<'g> {
    pub a: LazyPaths<'g>,
    pub b: LazyPaths<'g>,
}

impl Comparer {
    pub(super) fn of(dtype: &DType) -> Self {
        let mut this = Self { leaves: Vec::new(), itemsize: dtype.itemsize(), solid: crate::dtype::layout::Layout::of(dtype).is_solid() };
        this.add(dtype, 0, "");
        this.solid &= this.leaves.iter().all(|l| !matches!(l.kind, Kind::Fixed(..)));
        this
    }

    fn add(&mut self, dtype: &DType, offset: usize, path: &str) {
        let size = dtype.itemsize();
        let kind = match dtype {
            DType::Bool => Kind::Unsigned(1),
            DType::Int(t) if t.signed => Kind::Signed(size),
            DType::Enum(e) if e.base.signed => Kind::Signed(size),
            DType::Int(_) | DType::BitField(_) | DType::Enum(_) => Kind::Unsigned(size),
            DType::Float(t) if t.width == FloatWidth::LongDouble => Kind::Bytes(size),
            DType::Float(t) => Kind::Float(t.width),
            DType::Complex(t) => {
                let part = DType::Float(*t);
                self.add(&part, offset, &format!("{path}.r"));
                return self.add(&part, offset + size / 2, &format!("{path}.i"));
            }
            DType::FixedString { padding, .. } => Kind::Fixed(size, *padding),
            DType::VarString { .. } => Kind::Str,
            DType::VarSeq(base) => Kind::Seq(Comparer::of(base)),
            DType::ObjectRef => Kind::Object,
            DType::RegionRef => Kind::Region,
            DType::Opaque { .. } | DType::Foreign(_) => Kind::Bytes(size),
            DType::Compound(c) => {
                return c.fields().iter().for_each(|f| self.add(&f.dtype, offset + f.offset, &format!("{path}.{}", f.name)));
            }
            DType::Array { base, shape } => {
                let one = base.itemsize();
                return (0..shape.iter().product())
                    .for_each(|i| self.add(base, offset + i * one, &format!("{path}{:?}", index_of(i, shape))));
            }
        };
        self.leaves.push(Leaf { offset, kind, path: path.to_owned(), dtype: dtype.clone() });
    }

    /// Calls `found` for each leaf that differs, with the element's place, the leaf's path, and both values as text.
    pub(super) fn compare(
        &self,
        other: &Comparer,
        a: &AnyArray,
        b: &AnyArray,
        tolerance: Tolerance,
        paths: &mut BothPaths,
        found: &mut Found<'_>,
    ) -> Result<()> {
        let ((x, _), (y, _)) = (a.raw(), b.raw());
        if self.solid && other.solid && self.itemsize == other.itemsize && x == y {
            return Ok(());
        }
        let pairs = x.chunks_exact(self.itemsize.max(1)).zip(y.chunks_exact(other.itemsize.max(1)));
        for (place, (x, y)) in pairs.enumerate() {
            for (one, two) in self.leaves.iter().zip(&other.leaves) {
                if !one.same(two, a, b, x, y, tolerance, paths)? {
                    found(place, &one.path, &|| (one.text(a, x), two.text(b, y)));
                }
            }
        }
        Ok(())
    }

    fn same(&self, other: &Comparer, a: &AnyArray, b: &AnyArray, tolerance: Tolerance, paths: &mut BothPaths) -> Result<bool> {
        let mut same = a.len() == b.len();
        if same {
            self.compare(other, a, b, tolerance, paths, &mut |_, _, _| same = false)?;
        }
        Ok(same)
    }
}

/// The index of the n-th element in C order.
pub(super) fn index_of(mut n: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for k in (0..shape.len()).rev() {
        let length = shape[k].max(1);
        index[k] = n % length;
        n /= length;
    }
    index
}

impl Leaf {
    fn text(&self, array: &AnyArray, element: &[u8]) -> String {
        let end = self.offset + self.dtype.itemsize();
        ElementRef { array, dtype: &self.dtype, bytes: &element[self.offset..end] }.to_string()
    }

    #[allow(clippy::too_many_arguments)] // two of everything
    fn same(
        &self,
        other: &Leaf,
        a: &AnyArray,
        b: &AnyArray,
        x: &[u8],
        y: &[u8],
        tolerance: Tolerance,
        paths: &mut BothPaths,
    ) -> Result<bool> {
        Ok(match (&self.kind, &other.kind) {
            (Kind::Unsigned(n) | Kind::Signed(n) | Kind::Bytes(n), Kind::Unsigned(m) | Kind::Signed(m) | Kind::Bytes(m)) => {
                let (x, y) = (&x[self.offset..self.offset + n], &y[other.offset..other.offset + m]);
                x == y || (!tolerance.is_zero() && !matches!(self.kind, Kind::Bytes(_)) && tolerance.close(self.number(x), other.number(y)))
            }
            (Kind::Float(n), Kind::Float(m)) => {
                let (x, y) = (&x[self.offset..self.offset + n.size()], &y[other.offset..other.offset + m.size()]);
                x == y || (!tolerance.is_zero() && tolerance.close(self.number(x), other.number(y)))
            }
            (Kind::Fixed(n, p), Kind::Fixed(m, q)) => {
                let x = trim_string(&x[self.offset..self.offset + n], *p);
                let y = trim_string(&y[other.offset..other.offset + m], *q);
                trim_string(x, Padding::NullPad) == trim_string(y, Padding::NullPad)
            }
            (Kind::Str, Kind::Str) => text(a, x, self.offset) == text(b, y, other.offset),
            (Kind::Seq(items), Kind::Seq(others)) => match (a.item(x, self.offset), b.item(y, other.offset)) {
                (Some(Item::Seq(a)), Some(Item::Seq(b))) => items.same(others, a, b, tolerance, paths)?,
                (Some(Item::Seq(one)), _) | (_, Some(Item::Seq(one))) => one.is_empty(),
                _ => true,
            },
            (Kind::Object, Kind::Object) => {
                let target = |item: Option<&Item>, paths: &mut LazyPaths| match item {
                    Some(Item::Object(r)) if !r.is_null() => Ok(paths.get()?.target(r).to_owned()),
                    _ => Ok::<_, crate::Error>(String::new()),
                };
                target(a.item(x, self.offset), &mut paths.a)? == target(b.item(y, other.offset), &mut paths.b)?
            }
            (Kind::Region, Kind::Region) => {
                let target = |item: Option<&Item>, paths: &mut LazyPaths| match item {
                    Some(Item::Region(r)) if !r.is_null() => {
                        let target = paths.get()?.target(&r.target).to_owned();
                        let bounds = if target == "?" { None } else { r.region.bounds() };
                        Ok((target, bounds))
                    }
                    _ => Ok::<_, crate::Error>((String::new(), None)),
                };
                target(a.item(x, self.offset), &mut paths.a)? == target(b.item(y, other.offset), &mut paths.b)?
            }
            _ => false,
        })
    }

    /// The number as a float; large integers lose their last digits, which a tolerance forgives.
    fn number(&self, bytes: &[u8]) -> f64 {
        let unsigned = || {
            let mut wide = [0; 8];
            if cfg!(target_endian = "big") {
                wide[8 - bytes.len()..].copy_from_slice(bytes);
            } else {
                wide[..bytes.len()].copy_from_slice(bytes);
            }
            u64::from_ne_bytes(wide)
        };
        match self.kind {
            Kind::Unsigned(_) => unsigned() as f64,
            Kind::Signed(n) => {
                let unused = 64 - 8 * n as u32;
                ((unsigned() << unused).cast_signed() >> unused) as f64
            }
            Kind::Float(FloatWidth::F16) => f16::from_bits(unsigned() as u16).to_f64(),
            Kind::Float(FloatWidth::F32) => f32::from_bits(unsigned() as u32).into(),
            Kind::Float(FloatWidth::F64) => f64::from_bits(unsigned()),
            _ => f64::NAN,
        }
    }
}

fn text<'a>(array: &'a AnyArray, element: &[u8], offset: usize) -> &'a [u8] {
    match array.item(element, offset) {
        Some(Item::Str(text)) => text,
        _ => &[],
    }
}
