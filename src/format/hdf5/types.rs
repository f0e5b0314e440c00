//! Element types: from the library to [`DType`] and back, so that the re-made type equals the one of the file.
//!
//! One library type serves for the file and for memory: the elements travel in the byte order of the file and are turned here
//! (see [`elements`](super::elements)). So no conversion of numbers happens in the library.

use super::ffi::{Id, c_name, h5, hid_t, library, text};
use crate::dtype::{Charset, CompoundType, DType, EnumType, Field, FloatType, FloatWidth, ForeignType, IntType, Order, Padding};
use crate::error::{Result, bail};
use hdf5_sys::h5::H5free_memory;
use hdf5_sys::h5t::*;
use std::ffi::{c_char, c_uint, c_void};
use std::sync::Arc;

/// The predefined integer or bit field.
fn integer(t: IntType, bits: bool) -> Id {
    let big = t.order == Order::Big;
    library(|| {
        let id: hid_t = match (bits, t.size, t.signed, big) {
            (true, 1, _, false) => *H5T_STD_B8LE,
            (true, 1, _, true) => *H5T_STD_B8BE,
            (true, 2, _, false) => *H5T_STD_B16LE,
            (true, 2, _, true) => *H5T_STD_B16BE,
            (true, 4, _, false) => *H5T_STD_B32LE,
            (true, 4, _, true) => *H5T_STD_B32BE,
            (true, _, _, false) => *H5T_STD_B64LE,
            (true, _, _, true) => *H5T_STD_B64BE,
            (_, 1, true, false) => *H5T_STD_I8LE,
            (_, 1, true, true) => *H5T_STD_I8BE,
            (_, 2, true, false) => *H5T_STD_I16LE,
            (_, 2, true, true) => *H5T_STD_I16BE,
            (_, 4, true, false) => *H5T_STD_I32LE,
            (_, 4, true, true) => *H5T_STD_I32BE,
            (_, _, true, false) => *H5T_STD_I64LE,
            (_, _, true, true) => *H5T_STD_I64BE,
            (_, 1, false, false) => *H5T_STD_U8LE,
            (_, 1, false, true) => *H5T_STD_U8BE,
            (_, 2, false, false) => *H5T_STD_U16LE,
            (_, 2, false, true) => *H5T_STD_U16BE,
            (_, 4, false, false) => *H5T_STD_U32LE,
            (_, 4, false, true) => *H5T_STD_U32BE,
            (_, _, false, false) => *H5T_STD_U64LE,
            (_, _, false, true) => *H5T_STD_U64BE,
        };
        Id::predefined(id)
    })
}

fn float(t: FloatType) -> Result<Id> {
    let order = if t.order == Order::Big { H5T_ORDER_BE } else { H5T_ORDER_LE };
    library(|| {
        Ok(match (t.width, t.order) {
            (FloatWidth::F32, Order::Little) => Id::predefined(*H5T_IEEE_F32LE),
            (FloatWidth::F32, Order::Big) => Id::predefined(*H5T_IEEE_F32BE),
            (FloatWidth::F64, Order::Little) => Id::predefined(*H5T_IEEE_F64LE),
            (FloatWidth::F64, Order::Big) => Id::predefined(*H5T_IEEE_F64BE),
            (FloatWidth::F16, _) => {
                let id = copy(*H5T_IEEE_F32LE)?;
                // Sign in bit 15, 5 bits of exponent, 10 of mantissa, as IEEE 754 has it.
                h5!(H5Tset_fields(id.get(), 15, 10, 5, 0, 10))?;
                h5!(H5Tset_size(id.get(), 2))?;
                h5!(H5Tset_ebias(id.get(), 15))?;
                h5!(H5Tset_order(id.get(), order))?;
                id
            }
            (FloatWidth::LongDouble, _) => {
                // The 80 bits of x86 in 16 bytes, made from the parts so that it is the same on every machine.
                let id = copy(*H5T_IEEE_F64LE)?;
                h5!(H5Tset_size(id.get(), 16))?;
                h5!(H5Tset_precision(id.get(), 80))?;
                h5!(H5Tset_fields(id.get(), 79, 64, 15, 0, 64))?;
                h5!(H5Tset_ebias(id.get(), 16383))?;
                h5!(H5Tset_norm(id.get(), H5T_NORM_NONE))?;
                h5!(H5Tset_order(id.get(), order))?;
                id
            }
        })
    })
}

fn copy(id: hid_t) -> Result<Id> {
    Ok(Id::own(h5!(H5Tcopy(id))?))
}

fn string(size: usize, charset: Charset, padding: Padding) -> Result<Id> {
    let id = library(|| copy(*H5T_C_S1))?;
    h5!(H5Tset_size(id.get(), size))?;
    h5!(H5Tset_cset(id.get(), if charset == Charset::Utf8 { H5T_CSET_UTF8 } else { H5T_CSET_ASCII }))?;
    let pad = match padding {
        Padding::NullTerm => H5T_STR_NULLTERM,
        Padding::NullPad => H5T_STR_NULLPAD,
        Padding::SpacePad => H5T_STR_SPACEPAD,
    };
    h5!(H5Tset_strpad(id.get(), pad))?;
    Ok(id)
}

fn enumeration(e: &EnumType) -> Result<Id> {
    let id = Id::own(h5!(H5Tenum_create(integer(e.base, false).get()))?);
    let size = usize::from(e.base.size);
    for (name, value) in &e.members {
        let mut raw = value.to_le_bytes();
        if e.base.order == Order::Big {
            raw[..size].reverse();
        }
        let name = c_name(name)?;
        h5!(H5Tenum_insert(id.get(), name.as_ptr(), raw.as_ptr().cast()))?;
    }
    Ok(id)
}

/// The library's type for a dtype.
///
/// # Errors
/// `Unsupported` for a foreign type of another format or one that this library does not know.
pub(super) fn library_type(dtype: &DType) -> Result<Id> {
    Ok(match dtype {
        DType::Bool => enumeration(&EnumType {
            base: IntType { size: 1, signed: true, order: Order::Little },
            members: vec![("FALSE".into(), 0), ("TRUE".into(), 1)],
        })?,
        DType::Int(t) => integer(*t, false),
        DType::BitField(t) => integer(*t, true),
        DType::Float(t) => float(*t)?,
        DType::Complex(t) => {
            let part = float(*t)?;
            let id = Id::own(h5!(H5Tcreate(H5T_COMPOUND, 2 * t.width.size()))?);
            h5!(H5Tinsert(id.get(), c"r".as_ptr(), 0, part.get()))?;
            h5!(H5Tinsert(id.get(), c"i".as_ptr(), t.width.size(), part.get()))?;
            id
        }
        DType::FixedString { size, charset, padding } => string(*size, *charset, *padding)?,
        DType::VarString { charset, padding } => string(H5T_VARIABLE, *charset, *padding)?,
        DType::Opaque { size, tag } => {
            let id = Id::own(h5!(H5Tcreate(H5T_OPAQUE, *size))?);
            let tag = c_name(tag)?;
            h5!(H5Tset_tag(id.get(), tag.as_ptr()))?;
            id
        }
        DType::Enum(e) => enumeration(e)?,
        DType::Compound(c) => {
            let id = Id::own(h5!(H5Tcreate(H5T_COMPOUND, c.size()))?);
            for field in c.fields() {
                let (name, part) = (c_name(&field.name)?, library_type(&field.dtype)?);
                h5!(H5Tinsert(id.get(), name.as_ptr(), field.offset, part.get()))?;
            }
            id
        }
        DType::Array { base, shape } => {
            let (base, dims) = (library_type(base)?, shape.iter().map(|n| *n as u64).collect::<Vec<_>>());
            Id::own(h5!(H5Tarray_create2(base.get(), dims.len() as c_uint, dims.as_ptr()))?)
        }
        DType::VarSeq(base) => {
            let base = library_type(base)?;
            Id::own(h5!(H5Tvlen_create(base.get()))?)
        }
        DType::ObjectRef => library(|| Id::predefined(*H5T_STD_REF_OBJ)),
        DType::RegionRef => library(|| Id::predefined(*H5T_STD_REF_DSETREG)),
        DType::Foreign(f) => decode(f)?,
    })
}

fn decode(f: &ForeignType) -> Result<Id> {
    if f.format != "hdf5" {
        bail!(Unsupported, "{} is a type of the format {}, which HDF5 cannot hold", f.description, f.format);
    }
    let id = Id::own(h5!(super::compat::decode_type(&f.encoded))?);
    if h5!(H5Tget_size(id.get()))? != f.size {
        bail!(Corrupt, "the encoded type of {} has another size than its elements", f.description);
    }
    Ok(id)
}

/// The dtype of a type of the library.
///
/// # Errors
/// `Unsupported` for a type that has no counterpart and whose elements are not all in their own bytes.
pub(super) fn dtype_of(id: hid_t) -> Result<DType> {
    dtype_at(id, 0)
}

fn dtype_at(id: hid_t, depth: usize) -> Result<DType> {
    if depth > 32 {
        bail!(Unsupported, "a type of the file is nested more than 32 deep");
    }
    match known(id, depth)? {
        Some(dtype) => Ok(dtype),
        None => foreign(id),
    }
}

/// The dtype, or `None` if there is no counterpart.
fn known(id: hid_t, depth: usize) -> Result<Option<DType>> {
    let order = || match library(|| {
        // SAFETY: the id is one of a type; a failure is a value of the enumeration.
        unsafe { H5Tget_order(id) }
    }) {
        H5T_ORDER_BE => Order::Big,
        _ => Order::Little,
    };
    let class = library(|| {
        // SAFETY: as above.
        unsafe { H5Tget_class(id) }
    });
    Ok(match class {
        H5T_INTEGER | H5T_BITFIELD => {
            let size = h5!(H5Tget_size(id))?;
            let signed = library(|| {
                // SAFETY: as above.
                unsafe { H5Tget_sign(id) == H5T_SGN_2 }
            });
            if !matches!(size, 1 | 2 | 4 | 8) {
                return Ok(None);
            }
            let bits = class == H5T_BITFIELD;
            let t = IntType { size: size as u8, signed: signed && !bits, order: order() };
            if !equal(id, &integer(t, bits))? {
                return Ok(None);
            }
            Some(if bits { DType::BitField(t) } else { DType::Int(t) })
        }
        H5T_FLOAT => {
            let width = match h5!(H5Tget_size(id))? {
                2 => FloatWidth::F16,
                4 => FloatWidth::F32,
                8 => FloatWidth::F64,
                16 => FloatWidth::LongDouble,
                _ => return Ok(None),
            };
            let t = FloatType { width, order: order() };
            equal(id, &float(t)?)?.then_some(DType::Float(t))
        }
        H5T_STRING => {
            let (cset, pad) = library(|| {
                // SAFETY: as above.
                unsafe { (H5Tget_cset(id), H5Tget_strpad(id)) }
            });
            let charset = match cset {
                H5T_CSET_ASCII => Charset::Ascii,
                H5T_CSET_UTF8 => Charset::Utf8,
                _ => return Ok(None),
            };
            let padding = match pad {
                H5T_STR_NULLTERM => Padding::NullTerm,
                H5T_STR_NULLPAD => Padding::NullPad,
                H5T_STR_SPACEPAD => Padding::SpacePad,
                _ => return Ok(None),
            };
            Some(if h5!(H5Tis_variable_str(id))? > 0 {
                DType::VarString { charset, padding }
            } else {
                DType::FixedString { size: h5!(H5Tget_size(id))?, charset, padding }
            })
        }
        H5T_OPAQUE => {
            let tag = taken(h5!(H5Tget_tag(id))?);
            tag.map(|tag| Ok::<_, crate::Error>(DType::opaque(h5!(H5Tget_size(id))?, &tag))).transpose()?
        }
        H5T_ENUM => known_enum(id, depth)?,
        H5T_COMPOUND => known_compound(id, depth)?,
        H5T_ARRAY => {
            let rank = h5!(H5Tget_array_ndims(id))? as usize;
            let mut dims = vec![0u64; rank];
            h5!(H5Tget_array_dims2(id, dims.as_mut_ptr()))?;
            let base = Id::own(h5!(H5Tget_super(id))?);
            Some(DType::array(dtype_at(base.get(), depth + 1)?, dims.iter().map(|n| *n as usize).collect::<Vec<_>>()))
        }
        H5T_VLEN => {
            let base = Id::own(h5!(H5Tget_super(id))?);
            Some(DType::varseq(dtype_at(base.get(), depth + 1)?))
        }
        H5T_REFERENCE => library(|| {
            Ok::<_, crate::Error>(if is_equal(id, *H5T_STD_REF_OBJ)? {
                Some(DType::ObjectRef)
            } else if is_equal(id, *H5T_STD_REF_DSETREG)? {
                Some(DType::RegionRef)
            } else {
                None
            })
        })?,
        _ => None,
    })
}

fn known_enum(id: hid_t, depth: usize) -> Result<Option<DType>> {
    let base = Id::own(h5!(H5Tget_super(id))?);
    let DType::Int(base) = dtype_at(base.get(), depth + 1)? else { return Ok(None) };
    let count = h5!(H5Tget_nmembers(id))? as c_uint;
    let mut members = Vec::with_capacity(count as usize);
    for n in 0..count {
        let mut raw = [0u8; 16];
        h5!(H5Tget_member_value(id, n, raw.as_mut_ptr().cast::<c_void>()))?;
        let size = usize::from(base.size);
        if base.order == Order::Big {
            raw[..size].reverse();
        }
        if base.signed && raw[size - 1] & 0x80 != 0 {
            raw[size..].fill(0xff);
        }
        let Some(name) = taken(h5!(H5Tget_member_name(id, n))?) else { return Ok(None) };
        members.push((name, i128::from_le_bytes(raw)));
    }
    // What HDF5 allows and a dtype does not (no member at all) is carried as it is.
    Ok(DType::from_enum(EnumType { base, members }).ok())
}

fn known_compound(id: hid_t, depth: usize) -> Result<Option<DType>> {
    let count = h5!(H5Tget_nmembers(id))? as c_uint;
    let mut fields = Vec::with_capacity(count as usize);
    for n in 0..count {
        let Some(name) = taken(h5!(H5Tget_member_name(id, n))?) else { return Ok(None) };
        let part = Id::own(h5!(H5Tget_member_type(id, n))?);
        let dtype = dtype_at(part.get(), depth + 1)?;
        let offset = library(|| {
            // SAFETY: the id is one of a compound, and n one of its members; 0 is an offset like any.
            unsafe { H5Tget_member_offset(id, n) }
        });
        fields.push(Field { name, dtype, offset });
    }
    let size = h5!(H5Tget_size(id))?;
    if let [r, i] = &fields[..]
        && let (DType::Float(a), DType::Float(b)) = (&r.dtype, &i.dtype)
        && (r.name.as_str(), i.name.as_str(), a) == ("r", "i", b)
        && (r.offset, i.offset, size) == (0, a.width.size(), 2 * a.width.size())
    {
        return Ok(Some(DType::Complex(*a)));
    }
    Ok(CompoundType::new(fields, size).ok().map(|c| DType::Compound(Arc::new(c))))
}

fn equal(id: hid_t, other: &Id) -> Result<bool> {
    is_equal(id, other.get())
}

fn is_equal(a: hid_t, b: hid_t) -> Result<bool> {
    Ok(h5!(H5Tequal(a, b))? > 0)
}

/// Takes over a text that the library allocated; `None` if it is not UTF-8.
fn taken(at: *mut c_char) -> Option<String> {
    library(|| {
        // SAFETY: the library has just allocated the text for us, and it is freed once.
        unsafe {
            let out = text(at);
            H5free_memory(at.cast());
            out
        }
    })
}

/// A type without counterpart, by its encoding.
fn foreign(id: hid_t) -> Result<DType> {
    let description = describe(id)?;
    for (class, what) in [(H5T_VLEN, "sequences of variable length"), (H5T_REFERENCE, "references")] {
        if h5!(H5Tdetect_class(id, class))? > 0 {
            bail!(Unsupported, "the type is {description}, which holds {what} and so cannot be carried as bytes");
        }
    }
    // A committed type is encoded as the plain type that it is.
    let plain = copy(id)?;
    let mut size = 0;
    h5!(H5Tencode(plain.get(), std::ptr::null_mut(), &raw mut size))?;
    let mut encoded = vec![0u8; size];
    h5!(H5Tencode(plain.get(), encoded.as_mut_ptr().cast(), &raw mut size))?;
    encoded.truncate(size);
    Ok(DType::Foreign(Arc::new(ForeignType { description, size: h5!(H5Tget_size(id))?, format: "hdf5", encoded })))
}

fn describe(id: hid_t) -> Result<String> {
    let (class, bits) = (
        library(|| {
            // SAFETY: the id is one of a type; a failure is a value of the enumeration.
            unsafe { H5Tget_class(id) }
        }),
        h5!(H5Tget_size(id))? * 8,
    );
    Ok(match class {
        H5T_INTEGER => format!("an integer of {} bits in {bits}", h5!(H5Tget_precision(id))?),
        H5T_BITFIELD => format!("a bit field of {} bits in {bits}", h5!(H5Tget_precision(id))?),
        H5T_FLOAT => format!("a floating-point number of {bits} bits that is not IEEE's"),
        H5T_TIME => format!("an HDF5 time of {bits} bits"),
        H5T_STRING => "a string of an unknown character set or padding".into(),
        H5T_OPAQUE => "an opaque type whose tag is not UTF-8".into(),
        H5T_ENUM => "an enumeration without members, over no plain integer, or with names that are not UTF-8".into(),
        H5T_COMPOUND => "a compound without fields, with overlapping ones, or with names that are not UTF-8".into(),
        H5T_REFERENCE => "a reference of HDF5 1.12 or later".into(),
        _ => format!("an HDF5 type of a class unknown here, of {bits} bits"),
    })
}
