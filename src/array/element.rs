//! The Rust types that a numeric array can be viewed as.

use crate::dtype::{DType, FloatWidth};
use crate::error::{Result, bail};
use half::f16;
use num_complex::Complex;

mod sealed {
    pub trait Sealed {}
}

/// A Rust type whose values are the elements of a numeric array: bool, the integers, f16, f32, f64 and complex numbers.
///
/// Sealed: an implementation promises that the type has no padding and that the bytes which [`check`](Element::check) accepts are
/// valid values.
///
/// ```
/// use memh5::{DType, Element};
/// assert_eq!(f32::DTYPE, DType::F32);
/// assert!(u8::views(&DType::U8) && !u8::views(&DType::I8));
/// ```
pub trait Element: sealed::Sealed + Copy + Send + Sync + Default + std::fmt::Debug + PartialEq + 'static {
    /// The dtype of a new array of this type.
    const DTYPE: DType;

    /// True if an array of that dtype can be viewed as this type: the same numbers, whatever their byte order on disk.
    fn views(dtype: &DType) -> bool;

    /// Checks bytes that are to be viewed as this type.
    ///
    /// # Errors
    /// `Corrupt` if they are no valid values (a bool that is neither 0 nor 1).
    fn check(_bytes: &[u8]) -> Result<()> {
        Ok(())
    }
}

macro_rules! integers {
    ($($t:ty = $name:ident, $signed:literal;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$name;
            fn views(dtype: &DType) -> bool {
                let fits = |size: u8, signed: bool| usize::from(size) == size_of::<$t>() && signed == $signed;
                match dtype {
                    DType::Int(t) => fits(t.size, t.signed),
                    DType::BitField(t) => fits(t.size, false),
                    DType::Enum(e) => fits(e.base.size, e.base.signed),
                    _ => false,
                }
            }
        }
    )*};
}
integers! {
    i8 = I8, true; i16 = I16, true; i32 = I32, true; i64 = I64, true;
    u8 = U8, false; u16 = U16, false; u32 = U32, false; u64 = U64, false;
}

macro_rules! floats {
    ($($t:ty = $name:ident, $width:ident, $variant:ident;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$name;
            fn views(dtype: &DType) -> bool {
                matches!(dtype, DType::$variant(t) if t.width == FloatWidth::$width)
            }
        }
    )*};
}
floats! {
    f16 = F16, F16, Float; f32 = F32, F32, Float; f64 = F64, F64, Float;
    Complex<f32> = C64, F32, Complex; Complex<f64> = C128, F64, Complex;
}

impl sealed::Sealed for bool {}
impl Element for bool {
    const DTYPE: DType = DType::Bool;
    fn views(dtype: &DType) -> bool {
        matches!(dtype, DType::Bool)
    }
    fn check(bytes: &[u8]) -> Result<()> {
        match bytes.iter().find(|b| **b > 1) {
            Some(b) => bail!(Corrupt, "a bool is stored as {b}, which is neither FALSE (0) nor TRUE (1); read it as i8"),
            None => Ok(()),
        }
    }
}
