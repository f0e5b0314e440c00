//! Elements and arrays as text.

use super::convert::longdouble::LongDouble;
use super::convert::number::{self, Raw};
use super::{AnyArray, ElementRef, Value};
use crate::dtype::{DType, FloatWidth};
use crate::tree::{RegionKind, RegionRef};
use half::f16;
use std::fmt::{self, Write};

/// The shortest decimal that is read back as the same number, as Rust writes it, but for `nan`.
pub(crate) fn float(width: FloatWidth, value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    match width {
        FloatWidth::F16 => half_float(value),
        FloatWidth::F32 => format!("{:?}", value as f32),
        FloatWidth::F64 | FloatWidth::LongDouble => format!("{value:?}"),
    }
}

fn half_float(value: f64) -> String {
    let number = f16::from_f64(value);
    (0..5)
        .filter_map(|digits| format!("{value:.digits$e}").parse::<f32>().ok())
        .find(|short| f16::from_f32(*short) == number)
        .map_or_else(|| format!("{value:?}"), |short| format!("{short:?}"))
}

/// A float of memory as text: a long double that no f64 holds with its own digits.
fn real(width: FloatWidth, bytes: &[u8]) -> String {
    match number::read_float(width, bytes) {
        (_, false) => LongDouble::read(bytes).decimal(),
        (value, true) => float(width, value),
    }
}

/// A complex number as Python writes it: `1+2j`.
fn complex(re: &str, im: &str) -> String {
    let short = |text: &str| text.strip_suffix(".0").unwrap_or(text).to_owned();
    let (re, im) = (short(re), short(im));
    let plus = if im.starts_with('-') { "" } else { "+" };
    format!("{re}{plus}{im}j")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::from("0x"), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

/// A region reference: its dataset, and the box around what is selected.
pub(crate) fn region(r: &RegionRef) -> String {
    if r.is_null() {
        return "regref(null)".into();
    }
    let target = format!("{:?}", r.target);
    let target = target.trim_start_matches("ref(").trim_end_matches(')');
    let points = match &r.region.kind {
        RegionKind::Points(points) => format!(", {} points", points.len()),
        RegionKind::Blocks(blocks) => format!(", {} blocks", blocks.len()),
        _ => String::new(),
    };
    match r.region.bounds() {
        None => format!("regref({target}, nothing)"),
        Some((low, high)) => {
            let axes: Vec<String> = low.iter().zip(&high).map(|(a, b)| format!("{a}:{}", b.saturating_add(1))).collect();
            format!("regref({target}, [{}]{points})", axes.join(", "))
        }
    }
}

/// Text in quotes; bytes that are no UTF-8 as `\xff`.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("\"{}\"", bytes.escape_ascii()),
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = T>,
    each: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    for (i, item) in items.enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    Ok(())
}

/// The items of a sub-array in the brackets of its dimensions.
fn nested(f: &mut fmt::Formatter<'_>, shape: &[usize], items: &[ElementRef<'_>]) -> fmt::Result {
    let Some((n, rest)) = shape.split_first() else {
        return items.first().map_or(Ok(()), |item| write!(f, "{item}"));
    };
    f.write_str("[")?;
    list(f, items.chunks((items.len() / (*n).max(1)).max(1)), |f, part| nested(f, rest, part))?;
    f.write_str("]")
}

impl fmt::Display for ElementRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype {
            DType::Bool => match self.as_bool() {
                Some(value) => write!(f, "{value}"),
                None => write!(f, "{}", self.bytes.first().copied().unwrap_or(0)),
            },
            DType::Int(_) | DType::BitField(_) => write!(f, "{}", self.integer().unwrap_or(0)),
            DType::Float(t) => f.write_str(&real(t.width, self.bytes)),
            DType::Complex(t) => {
                let (re, im) = self.bytes.split_at(t.width.size());
                f.write_str(&complex(&real(t.width, re), &real(t.width, im)))
            }
            DType::FixedString { .. } | DType::VarString { .. } => f.write_str(&quoted(self.string_bytes().unwrap_or(&[]))),
            DType::Opaque { .. } | DType::Foreign(_) => f.write_str(&hex(self.bytes)),
            DType::Enum(_) => match self.as_member() {
                Some(name) => f.write_str(name),
                None => write!(f, "{}", self.integer().unwrap_or(0)),
            },
            DType::Compound(_) => {
                f.write_str("{")?;
                list(f, self.fields(), |f, (name, part)| write!(f, "{name}: {part}"))?;
                f.write_str("}")
            }
            DType::Array { shape, .. } => nested(f, shape, &self.items().collect::<Vec<_>>()),
            DType::VarSeq(_) => {
                f.write_str("[")?;
                list(f, self.items(), |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            DType::ObjectRef => write!(f, "{:?}", self.as_reference().unwrap_or_default()),
            DType::RegionRef => f.write_str(&region(&self.as_region().unwrap_or_else(RegionRef::null))),
        }
    }
}

impl fmt::Debug for ElementRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ElementRef({}, {self})", self.dtype)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::UInt(v) => write!(f, "{v}"),
            Self::Float(v) => f.write_str(&float(FloatWidth::F64, *v)),
            Self::Complex(v) => f.write_str(&complex(&float(FloatWidth::F64, v.re), &float(FloatWidth::F64, v.im))),
            Self::String(v) => write!(f, "{v:?}"),
            Self::Bytes(v) => f.write_str(&hex(v)),
            Self::Compound(fields) => {
                f.write_str("{")?;
                list(f, fields.iter(), |f, (name, value)| write!(f, "{name}: {value}"))?;
                f.write_str("}")
            }
            Self::List(items) => {
                f.write_str("[")?;
                list(f, items.iter(), |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Self::Reference(r) => write!(f, "{r:?}"),
            Self::Region(r) => f.write_str(&region(r)),
        }
    }
}

/// Arrays with more elements than this are shortened.
const WHOLE: usize = 1000;
/// How many items stay at each end of a shortened axis.
const EDGE: usize = 3;
/// Where a line of items is broken.
const WIDTH: usize = 100;

/// The indices that are shown of an axis; `None` stands for the dots.
fn shown(n: usize, shorten: bool) -> Vec<Option<usize>> {
    if !shorten || n <= 2 * EDGE {
        return (0..n).map(Some).collect();
    }
    (0..EDGE).map(Some).chain([None]).chain((n - EDGE..n).map(Some)).collect()
}

struct Printer<'a> {
    array: &'a AnyArray,
    shorten: bool,
    /// Numbers are aligned to the widest; other elements are not.
    width: usize,
}

impl Printer<'_> {
    fn text(&self, at: usize) -> String {
        self.array.element(at).map(|e| e.to_string()).unwrap_or_default()
    }

    /// Calls the function with every shown element.
    fn widest(&self, axis: usize, base: usize) -> usize {
        match self.array.shape().get(axis) {
            None => self.text(base).chars().count(),
            Some(n) => shown(*n, self.shorten).into_iter().flatten().map(|i| self.widest(axis + 1, base * n + i)).max().unwrap_or(0),
        }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>, axis: usize, base: usize) -> fmt::Result {
        let shape = self.array.shape();
        let Some(n) = shape.get(axis) else { return write!(f, "{}", self.text(base)) };
        let last = axis + 1 == shape.len();
        let indent = " ".repeat(axis + 1);
        f.write_str("[")?;
        let mut column = axis + 1;
        for (k, i) in shown(*n, self.shorten).into_iter().enumerate() {
            let text = match i {
                None => "...".to_owned(),
                Some(i) if last => format!("{:>width$}", self.text(base * n + i), width = self.width),
                Some(_) => String::new(),
            };
            if k > 0 && !last {
                // One line break between rows, one more for every axis between them.
                f.write_str(",")?;
                f.write_str(&"\n".repeat(shape.len() - axis - 1))?;
                f.write_str(&indent)?;
            } else if k > 0 {
                let length = text.chars().count() + 2;
                if column + length > WIDTH {
                    write!(f, ",\n{indent}")?;
                    column = axis + 1;
                } else {
                    f.write_str(", ")?;
                }
                column += length;
            } else {
                column += text.chars().count();
            }
            f.write_str(&text)?;
            if let (false, Some(i)) = (last, i) {
                self.print(f, axis + 1, base * n + i)?;
            }
        }
        f.write_str("]")
    }
}

impl fmt::Display for AnyArray {
    /// The elements in nested brackets, as numpy prints them; long axes of a large array are shortened to their ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() {
            return f.write_str("null");
        }
        if self.is_empty() {
            return f.write_str("[]");
        }
        let mut printer = Printer { array: self, shorten: self.len() > WHOLE, width: 0 };
        if self.dtype().is_numeric() && !self.is_scalar() {
            printer.width = printer.widest(0, 0);
        }
        printer.print(f, 0, 0)
    }
}

impl fmt::Debug for AnyArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_null() {
            return write!(f, "AnyArray(null, {})", self.dtype());
        }
        write!(f, "AnyArray({}, {:?}, [", self.dtype(), self.shape())?;
        list(f, self.elements().take(8), |f, element| write!(f, "{element}"))?;
        f.write_str(if self.len() > 8 { ", ..])" } else { "])" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;

    fn show(dtype: DType, bytes: &[u8]) -> String {
        AnyArray::from_bytes(dtype, [], bytes).unwrap().to_string()
    }

    #[test]
    fn numbers_are_the_shortest_that_round_trip() {
        let half = |v: f64| AnyArray::from(f16::from_f64(v)).to_string();
        assert_eq!((half(0.1).as_str(), half(65504.0).as_str(), half(-1.0).as_str()), ("0.1", "65500.0", "-1.0"));
        assert_eq!(AnyArray::from(0.1f32).to_string(), "0.1");
        assert_eq!(AnyArray::from(1e300).to_string(), "1e300");
        assert_eq!(AnyArray::from(f64::NAN).to_string(), "nan");
        assert_eq!(AnyArray::from(num_complex::Complex::new(1.0, -2.5)).to_string(), "1-2.5j");
        assert_eq!(AnyArray::from(u64::MAX).to_string(), u64::MAX.to_string());
        assert_eq!(AnyArray::from(true).to_string(), "true");
    }

    #[test]
    fn every_kind_is_readable() {
        assert_eq!(AnyArray::from("a \"b\"\n").to_string(), r#""a \"b\"\n""#);
        assert_eq!(show(DType::fixed_ascii(3), &[b'a', 0xff, 0]), r#""a\xff""#);
        assert_eq!(show(DType::opaque(2, "t"), &[0, 255]), "0x00ff");
        let e = DType::enumeration(DType::I8, [("RED", 0), ("BLUE", 7)]).unwrap();
        assert_eq!((show(e.clone(), &[7]), show(e, &[3])), ("BLUE".into(), "3".into()));
        assert_eq!(show(DType::array(DType::U8, [2, 2]), &[1, 2, 3, 4]), "[[1, 2], [3, 4]]");
        let s = AnyArray::from_sequences(DType::I32, [AnyArray::from(vec![1, 2]), AnyArray::from(Vec::<i32>::new())]).unwrap();
        assert_eq!(s.to_string(), "[[1, 2], []]");
        assert_eq!(AnyArray::from_references([crate::ObjectRef::null()]).to_string(), "[ref(null)]");
        assert_eq!(AnyArray::from_regions([RegionRef::null()]).to_string(), "[regref(null)]");
        assert_eq!(AnyArray::null(DType::F64).to_string(), "null");
    }

    #[test]
    fn arrays_nest_align_and_shorten() {
        assert_eq!(AnyArray::from(ndarray::array![[1, 20], [300, 4]]).to_string(), "[[  1,  20],\n [300,   4]]");
        assert_eq!(
            AnyArray::from((0..2000).collect::<Vec<i32>>()).to_string(),
            "[   0,    1,    2,  ..., 1997, 1998, 1999]".replace(" ...", "...")
        );
        let cube = AnyArray::from(ndarray::Array3::<u8>::zeros((2, 1, 2)));
        assert_eq!(cube.to_string(), "[[[0, 0]],\n\n [[0, 0]]]");
        assert_eq!(AnyArray::zeros(DType::U8, [3, 0]).unwrap().to_string(), "[]");
        let long = AnyArray::from(vec![1_000_000_000u64; 20]).to_string();
        assert!(long.lines().all(|l| l.len() <= WIDTH) && long.lines().count() == 3, "{long}");
    }
}
