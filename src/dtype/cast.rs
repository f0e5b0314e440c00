//! Which conversions lose nothing.

use super::{DType, FloatWidth};

/// How a conversion may treat the values. Nothing is ever converted silently.
///
/// ```
/// use memh5::{AnyArray, Cast, DType};
/// let a = AnyArray::from(vec![1.0, 2.5]);
/// assert!(a.astype(&DType::I32, Cast::Exact).is_err());
/// assert!(a.astype(&DType::I32, Cast::Safe).is_err());
/// assert_eq!(a.astype(&DType::I32, Cast::Saturate)?, AnyArray::from(vec![1, 2]));
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Cast {
    /// Every value must be held exactly; one that is not is an error that names it. The default.
    #[default]
    Exact,
    /// Only conversions between types of which the target holds every value of the source (numpy's `safe`).
    Safe,
    /// Values out of range become the nearest one that fits, fractions are rounded to the nearest (ties to even), NaN becomes 0 where the
    /// target has none; text is cut at a character; fields that the target lacks are dropped.
    Saturate,
}

/// True if every value of `from` can be held by `to` exactly, as numpy's `can_cast(.., "safe")` has it.
///
/// ```
/// use memh5::{DType, dtype::can_cast};
/// assert!(can_cast(&DType::U8, &DType::I16) && can_cast(&DType::F32, &DType::C64));
/// assert!(!can_cast(&DType::I8, &DType::U64) && !can_cast(&DType::F64, &DType::F32));
/// ```
pub fn can_cast(from: &DType, to: &DType) -> bool {
    if from.same_values(to) {
        return true;
    }
    let float_bits = |w: FloatWidth| match w {
        FloatWidth::F16 => 11,
        FloatWidth::F32 => 24,
        FloatWidth::F64 => 53,
        FloatWidth::LongDouble => 64,
    };
    // numpy holds a 64-bit integer in a float64 to be safe; so do we, as h5py's users expect.
    let int_fits_float = |size: u8, w: FloatWidth| match size {
        1 => true,
        2 => w >= FloatWidth::F32,
        _ => w >= FloatWidth::F64,
    };
    match (from, to) {
        (DType::Bool, DType::Int(_) | DType::Float(_) | DType::Complex(_)) => true,
        (DType::Int(a), DType::Int(b)) => match (a.signed, b.signed) {
            (true, true) | (false, false) => a.size <= b.size,
            (false, true) => a.size < b.size,
            (true, false) => false,
        },
        (DType::Int(a), DType::Float(b) | DType::Complex(b)) => int_fits_float(a.size, b.width),
        (DType::Float(a), DType::Float(b) | DType::Complex(b)) | (DType::Complex(a), DType::Complex(b)) => {
            float_bits(a.width) <= float_bits(b.width)
        }
        (DType::FixedString { size: a, .. }, DType::FixedString { size: b, .. }) => a <= b,
        (DType::FixedString { .. }, DType::VarString { .. }) => true,
        (DType::Enum(e), DType::Int(_)) => can_cast(&DType::Int(e.base), to),
        (DType::Compound(a), DType::Compound(b)) => {
            a.fields().len() == b.fields().len()
                && a.fields().iter().all(|x| b.field(&x.name).is_some_and(|y| can_cast(&x.dtype, &y.dtype)))
        }
        (DType::Array { base: a, shape: s }, DType::Array { base: b, shape: t }) => s == t && can_cast(a, b),
        (DType::VarSeq(a), DType::VarSeq(b)) => can_cast(a, b),
        _ => false,
    }
}
