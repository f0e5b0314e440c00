//! Element types as numpy describes them in a header.
//!
//! Text of numpy (`U`) has four bytes for each character; here it is a fixed-length UTF-8 string of as many bytes, in which the characters
//! always fit. So every element has one size in the file and in memory.

use super::literal::{Py, quoted};
use crate::array::AnyArray;
use crate::dtype::{Charset, CompoundType, DType, Field, FloatType, FloatWidth, IntType, Order, Padding};
use crate::error::{Result, bail, error};
use std::sync::Arc;

/// What the HDF5 world puts before the name of a numpy type that it has no type for.
const TAG: &str = "NUMPY:";

/// The type that a `descr` names.
pub(super) fn parse(descr: &Py) -> Result<DType> {
    match descr {
        Py::Str(name) => named(name),
        Py::List(fields) => structured(fields),
        Py::Tuple(parts) => match parts.as_slice() {
            [base, shape] => sub_array(parse(base)?, shape),
            _ => bail!(Corrupt, "the header describes a type by {} parts", parts.len()),
        },
        other => bail!(Corrupt, "the header describes no type by {other:?}"),
    }
}

fn named(name: &str) -> Result<DType> {
    let (order, rest) = match name.chars().next() {
        Some('<') => (Order::Little, &name[1..]),
        Some('>') => (Order::Big, &name[1..]),
        Some('|' | '=') => (Order::NATIVE, &name[1..]),
        _ => (Order::NATIVE, name),
    };
    let unknown = || error!(Dtype, "'{name}' is no type that is known here");
    let mut chars = rest.chars();
    let (kind, size) = (chars.next().ok_or_else(unknown)?, chars.as_str());
    if kind == 'O' {
        return Err(error!(Dtype, "the elements are pickled Python objects ('{name}'), which only Python can read")
            .remedy("save them from Python as numbers, text or a structured type"));
    }
    if kind == 'M' || kind == 'm' {
        return Ok(DType::opaque(8, &format!("{TAG}{name}")));
    }
    let size: usize = size.parse().map_err(|_| unknown())?;
    let order = if size == 1 { Order::NATIVE } else { order };
    let float = |size: usize| match size {
        2 => Ok(FloatType { width: FloatWidth::F16, order }),
        4 => Ok(FloatType { width: FloatWidth::F32, order }),
        8 => Ok(FloatType { width: FloatWidth::F64, order }),
        16 => Ok(FloatType { width: FloatWidth::LongDouble, order }),
        _ => Err(unknown()),
    };
    if size == 0 {
        bail!(Dtype, "'{name}' is a type without bytes, which cannot be held here");
    }
    Ok(match (kind, size) {
        ('b', 1) | ('?', 1) => DType::Bool,
        ('i' | 'u', 1 | 2 | 4 | 8) => DType::Int(IntType { size: size as u8, signed: kind == 'i', order }),
        ('f', _) => DType::Float(float(size)?),
        ('c', _) if size.is_multiple_of(2) => DType::Complex(float(size / 2)?),
        ('S' | 'a', _) => DType::fixed_ascii(size),
        // The order of the characters' bytes is found again in the header.
        ('U', _) => DType::fixed_utf8(size.checked_mul(4).ok_or_else(unknown)?),
        ('V', _) => DType::opaque(size, ""),
        _ => return Err(unknown()),
    })
}

fn sub_array(base: DType, shape: &Py) -> Result<DType> {
    let shape = super::header::shape_of(shape)?;
    if shape.is_empty() {
        return Ok(base);
    }
    let dtype = DType::Array { base: Arc::new(base), shape: shape.into() };
    dtype.validate()?;
    Ok(dtype)
}

fn structured(fields: &[Py]) -> Result<DType> {
    let (mut out, mut at) = (Vec::new(), 0usize);
    for field in fields {
        let Py::Tuple(parts) = field else { bail!(Corrupt, "the header describes a field by {field:?}") };
        let (name, descr, shape) = match parts.as_slice() {
            [name, descr] => (name, descr, None),
            [name, descr, shape] => (name, descr, Some(shape)),
            _ => bail!(Corrupt, "the header describes a field by {} parts", parts.len()),
        };
        let name = match name {
            Py::Str(name) => name,
            // With a title before it.
            Py::Tuple(both) => match both.as_slice() {
                [_, Py::Str(name)] => name,
                _ => bail!(Corrupt, "the header names a field by {both:?}"),
            },
            other => bail!(Corrupt, "the header names a field by {other:?}"),
        };
        let mut dtype = parse(descr)?;
        if let Some(shape) = shape {
            dtype = sub_array(dtype, shape)?;
        }
        let offset = at;
        at = at.checked_add(dtype.itemsize()).ok_or_else(|| error!(Dtype, "an element of the type is larger than the address space"))?;
        // Bytes without a name are padding.
        if !name.is_empty() {
            out.push(Field { name: name.clone(), dtype, offset });
        }
    }
    let dtype = DType::Compound(Arc::new(CompoundType::new(out, at)?));
    dtype.validate()?;
    Ok(dtype)
}

/// How a header describes the type; [`suited`] has made it one that can be described.
pub(super) fn describe(dtype: &DType) -> Result<String> {
    Ok(match dtype {
        DType::Compound(c) => {
            let (mut parts, mut at) = (Vec::new(), 0);
            let padding = |n: usize| format!("('', '|V{n}')");
            let mut fields: Vec<&Field> = c.fields().iter().collect();
            if !fields.is_sorted_by_key(|f| f.offset) {
                bail!(Dtype, "the fields of {dtype} are not in the order of their places, which a .npy file cannot say");
            }
            for field in fields.drain(..) {
                if field.offset > at {
                    parts.push(padding(field.offset - at));
                }
                at = field.offset + field.dtype.itemsize();
                parts.push(match &field.dtype {
                    DType::Array { base, shape } => {
                        format!("({}, {}, {})", quoted(&field.name), describe(base)?, super::header::shape_text(shape))
                    }
                    other => format!("({}, {})", quoted(&field.name), describe(other)?),
                });
            }
            if c.size() > at {
                parts.push(padding(c.size() - at));
            }
            format!("[{}]", parts.join(", "))
        }
        DType::Array { base, shape } => format!("({}, {})", describe(base)?, super::header::shape_text(shape)),
        other => quoted(&name_of(other)?),
    })
}

fn name_of(dtype: &DType) -> Result<String> {
    let order = |o: Order, size: usize| match o {
        _ if size == 1 => '|',
        Order::Little => '<',
        Order::Big => '>',
    };
    Ok(match dtype {
        DType::Bool => "|b1".into(),
        DType::Int(t) => format!("{}{}{}", order(t.order, t.size.into()), if t.signed { 'i' } else { 'u' }, t.size),
        DType::Float(t) => format!("{}f{}", order(t.order, 2), t.width.size()),
        DType::Complex(t) => format!("{}c{}", order(t.order, 2), 2 * t.width.size()),
        DType::FixedString { size, charset: Charset::Ascii, .. } => format!("|S{size}"),
        DType::FixedString { size, .. } => format!("{}U{}", order(Order::NATIVE, 4), size / 4),
        DType::Opaque { tag, .. } if tag.is_empty() => format!("|V{}", dtype.itemsize()),
        DType::Opaque { size: 8, tag } if is_time(tag) => tag[TAG.len()..].to_owned(),
        other => return Err(refused(other)),
    })
}

/// True for the tag under which HDF5 files hold numpy's times.
fn is_time(tag: &str) -> bool {
    let name = tag.strip_prefix(TAG).unwrap_or_default();
    name.trim_start_matches(['<', '>', '|', '=']).starts_with(['M', 'm'])
}

fn refused(dtype: &DType) -> crate::Error {
    let error = error!(Dtype, "a .npy file cannot hold elements of type {dtype}");
    match dtype {
        DType::Enum(_) | DType::BitField(_) => error.remedy("give the option 'dtype' with its integer type; the names are lost then"),
        DType::Opaque { .. } => error.remedy("its tag would be lost; give the option 'dtype' with a type without a tag"),
        DType::Array { .. } => error.remedy("make its items more axes of the array, or fields of a structured type"),
        _ => error.remedy("save it to HDF5"),
    }
}

/// The type that elements of a type have in a `.npy` file; text of any length gets room for the longest that is there.
///
/// # Errors
/// `Dtype`, naming what numpy has no type for.
pub(crate) fn suited(dtype: &DType, data: Option<&AnyArray>) -> Result<DType> {
    if matches!(dtype, DType::Array { .. }) {
        return Err(refused(dtype));
    }
    let out = inner(dtype, data)?;
    out.validate()?;
    describe(&out)?;
    Ok(out)
}

fn inner(dtype: &DType, data: Option<&AnyArray>) -> Result<DType> {
    Ok(match dtype {
        DType::FixedString { size, charset: Charset::Ascii, .. } => DType::fixed_ascii(*size),
        DType::FixedString { size, charset: Charset::Utf8, .. } => text(*size)?,
        DType::VarString { .. } => {
            let Some(data) = data else {
                return Err(error!(Dtype, "text in a .npy file has a longest length, and nothing says which")
                    .remedy("give the option 'dtype' with a fixed-length string"));
            };
            let longest = data.elements().filter_map(|e| e.as_str().map(|s| s.chars().count())).max().unwrap_or(0);
            text(longest.max(1))?
        }
        DType::Compound(c) => {
            let mut fields = Vec::with_capacity(c.fields().len());
            let (mut shift, mut same) = (0usize, true);
            for field in c.fields() {
                let part = match (data, field.dtype.is_plain()) {
                    (Some(data), false) if !data.is_empty() => Some(data.field(&field.name)?),
                    _ => None,
                };
                let dtype = inner(&field.dtype, part.as_ref().or(data.filter(|d| d.is_empty())))?;
                same &= dtype.itemsize() == field.dtype.itemsize();
                fields.push(Field { name: field.name.clone(), offset: shift, dtype });
                shift = shift.saturating_add(fields.last().map_or(0, |f| f.dtype.itemsize()));
            }
            // Fields keep their places, unless text makes one of them another size.
            let size = if same { c.size() } else { shift };
            if same {
                fields.iter_mut().zip(c.fields()).for_each(|(f, old)| f.offset = old.offset);
            }
            DType::Compound(Arc::new(CompoundType::new(fields, size)?))
        }
        DType::Array { base, shape } => {
            // The items of a field of sub-arrays are more axes of it.
            DType::Array { base: Arc::new(inner(base, data)?), shape: shape.clone() }
        }
        DType::Opaque { .. } | DType::Bool | DType::Int(_) | DType::Float(_) | DType::Complex(_) => {
            name_of(dtype)?;
            dtype.clone()
        }
        other => return Err(refused(other)),
    })
}

fn text(chars: usize) -> Result<DType> {
    let size = chars.checked_mul(4).ok_or_else(|| error!(Dtype, "a text of {chars} characters is larger than the address space"))?;
    Ok(DType::FixedString { size, charset: Charset::Utf8, padding: Padding::NullPad })
}
