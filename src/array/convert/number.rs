//! Numbers to numbers: one typed loop for each pair of types.

use super::longdouble::LongDouble;
use crate::dtype::{DType, FloatWidth, IntType};
use half::f16;

/// Converts elements that lie one behind the other. False if one of them does not fit; the result then means nothing.
pub(super) type Kernel = fn(&[u8], &mut [u8]) -> bool;

/// The number types of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
    Long,
}

impl Number {
    /// The number type of a real dtype.
    pub(super) fn of(dtype: &DType) -> Option<Self> {
        match dtype {
            DType::Bool => Some(Self::Bool),
            DType::Int(t) | DType::BitField(t) => Self::of_int(*t),
            DType::Enum(e) => Self::of_int(e.base),
            DType::Float(t) => Some(Self::of_float(t.width)),
            _ => None,
        }
    }

    pub(super) fn of_int(t: IntType) -> Option<Self> {
        Some(match (t.size, t.signed) {
            (1, true) => Self::I8,
            (2, true) => Self::I16,
            (4, true) => Self::I32,
            (8, true) => Self::I64,
            (1, false) => Self::U8,
            (2, false) => Self::U16,
            (4, false) => Self::U32,
            (8, false) => Self::U64,
            _ => return None,
        })
    }

    pub(super) fn of_float(width: FloatWidth) -> Self {
        match width {
            FloatWidth::F16 => Self::F16,
            FloatWidth::F32 => Self::F32,
            FloatWidth::F64 => Self::F64,
            FloatWidth::LongDouble => Self::Long,
        }
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::Long => 16,
        }
    }
}

/// Bytes as a number.
pub(crate) trait Raw: Copy {
    const SIZE: usize;
    fn read(bytes: &[u8]) -> Self;
    fn write(self, bytes: &mut [u8]);
}

/// A conversion between two types.
pub(crate) trait To<T> {
    /// The value, and whether it is held exactly.
    fn exact(self) -> (T, bool);
    /// The nearest value, ties to even; NaN becomes 0 where there is none.
    fn saturate(self) -> T;
}

/// A bool by its byte.
#[derive(Clone, Copy)]
struct Bool(u8);

impl Raw for Bool {
    const SIZE: usize = 1;
    fn read(bytes: &[u8]) -> Self {
        Self(bytes[0])
    }
    fn write(self, bytes: &mut [u8]) {
        bytes[0] = self.0;
    }
}
impl Raw for LongDouble {
    const SIZE: usize = 16;
    fn read(bytes: &[u8]) -> Self {
        let mut raw = [0; 16];
        raw.copy_from_slice(bytes);
        Self(raw)
    }
    fn write(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0);
    }
}
macro_rules! raw {
    ($($t:ty),*) => {$(
        impl Raw for $t {
            const SIZE: usize = size_of::<$t>();
            fn read(bytes: &[u8]) -> Self {
                let mut raw = [0; size_of::<$t>()];
                raw.copy_from_slice(bytes);
                <$t>::from_ne_bytes(raw)
            }
            fn write(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_ne_bytes());
            }
        }
    )*};
}
raw!(i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64);

macro_rules! int_to_int {
    ($s:ty: $($t:ty),*) => {$(
        impl To<$t> for $s {
            #[inline]
            #[allow(clippy::unnecessary_cast, clippy::useless_conversion, clippy::unnecessary_fallible_conversions, irrefutable_let_patterns)]
            fn exact(self) -> ($t, bool) {
                <$t>::try_from(self).map_or((self as $t, false), |t| (t, true))
            }
            #[inline]
            #[allow(clippy::unnecessary_cast)]
            fn saturate(self) -> $t {
                (self as i128).clamp(<$t>::MIN as i128, <$t>::MAX as i128) as $t
            }
        }
    )*};
}

/// True if the magnitude's significant bits fit a float of that precision.
#[inline]
fn fits(magnitude: u64, precision: u32) -> bool {
    magnitude == 0 || 64 - magnitude.leading_zeros() - magnitude.trailing_zeros() <= precision
}

macro_rules! int_and_float {
    ($($s:ty),*) => {$(
        int_to_int!($s: i8, i16, i32, i64, u8, u16, u32, u64);
        impl To<f64> for $s {
            #[inline]
            fn exact(self) -> (f64, bool) { (self as f64, <$s>::BITS <= 32 || fits((self as i128).unsigned_abs() as u64, 53)) }
            #[inline]
            fn saturate(self) -> f64 { self as f64 }
        }
        impl To<f32> for $s {
            #[inline]
            fn exact(self) -> (f32, bool) { (self as f32, <$s>::BITS <= 16 || fits((self as i128).unsigned_abs() as u64, 24)) }
            #[inline]
            fn saturate(self) -> f32 { self as f32 }
        }
        impl To<f16> for $s {
            #[inline]
            fn exact(self) -> (f16, bool) {
                let magnitude = (self as i128).unsigned_abs() as u64;
                (f16::from_f64(self as f64), magnitude <= 65_504 && fits(magnitude, 11))
            }
            #[inline]
            fn saturate(self) -> f16 { To::<f16>::saturate(self as f64) }
        }
        impl To<LongDouble> for $s {
            fn exact(self) -> (LongDouble, bool) { (LongDouble::from_int(self as i128), true) }
            fn saturate(self) -> LongDouble { LongDouble::from_int(self as i128) }
        }
        impl To<$s> for f64 {
            #[inline]
            fn exact(self) -> ($s, bool) {
                let t = self as $s;
                // The conversion back of the largest value may round up to one past it.
                (t, t as f64 == self && self < <$s>::MAX as f64 + if <$s>::BITS == 64 { 0.0 } else { 1.0 })
            }
            #[inline]
            fn saturate(self) -> $s { self.round_ties_even() as $s }
        }
        impl To<$s> for f32 {
            #[inline]
            fn exact(self) -> ($s, bool) { To::<$s>::exact(f64::from(self)) }
            #[inline]
            fn saturate(self) -> $s { self.round_ties_even() as $s }
        }
        impl To<$s> for f16 {
            #[inline]
            fn exact(self) -> ($s, bool) { To::<$s>::exact(self.to_f64()) }
            #[inline]
            fn saturate(self) -> $s { self.to_f32().round_ties_even() as $s }
        }
        impl To<$s> for LongDouble {
            fn exact(self) -> ($s, bool) {
                let (value, equal) = self.to_int();
                match value.map(<$s>::try_from) {
                    Some(Ok(value)) => (value, equal),
                    _ => (0, false),
                }
            }
            fn saturate(self) -> $s {
                self.to_int().0.map_or(0, |v| v.clamp(<$s>::MIN as i128, <$s>::MAX as i128) as $s)
            }
        }
        impl To<Bool> for $s {
            #[inline]
            fn exact(self) -> (Bool, bool) { (Bool(self as u8 & 1), self == 0 || self == 1) }
            #[inline]
            fn saturate(self) -> Bool { Bool(u8::from(self > 0)) }
        }
        impl To<$s> for Bool {
            #[inline]
            fn exact(self) -> ($s, bool) { (self.0 as $s, self.0 <= 1) }
            #[inline]
            fn saturate(self) -> $s { self.0.min(1) as $s }
        }
    )*};
}
int_and_float!(i8, i16, i32, i64, u8, u16, u32, u64);

macro_rules! widen {
    ($($s:ty => $t:ty, $f:expr;)*) => {$(
        impl To<$t> for $s {
            #[inline]
            fn exact(self) -> ($t, bool) { ($f(self), true) }
            #[inline]
            fn saturate(self) -> $t { $f(self) }
        }
    )*};
}
widen! {
    f16 => f16, std::convert::identity;
    f16 => f32, f16::to_f32;
    f16 => f64, f16::to_f64;
    f16 => LongDouble, |v: f16| LongDouble::from_f64(v.to_f64());
    f32 => f32, std::convert::identity;
    f32 => f64, f64::from;
    f32 => LongDouble, |v: f32| LongDouble::from_f64(v.into());
    f64 => f64, std::convert::identity;
    f64 => LongDouble, LongDouble::from_f64;
    LongDouble => LongDouble, std::convert::identity;
}

/// A finite number past the range becomes the largest one, not infinity.
macro_rules! saturated {
    ($from:expr, $to:expr, $t:ty) => {
        if $to.is_infinite() && $from.is_finite() { if $to > <$t>::from(0u8) { <$t>::MAX } else { <$t>::MIN } } else { $to }
    };
}

impl To<f32> for f64 {
    #[inline]
    fn exact(self) -> (f32, bool) {
        let t = self as f32;
        (t, f64::from(t) == self || self.is_nan())
    }
    #[inline]
    fn saturate(self) -> f32 {
        saturated!(self, self as f32, f32)
    }
}
impl To<f16> for f64 {
    #[inline]
    fn exact(self) -> (f16, bool) {
        let t = f16::from_f64(self);
        (t, t.to_f64() == self || self.is_nan())
    }
    #[inline]
    fn saturate(self) -> f16 {
        let t = f16::from_f64(self);
        saturated!(self, t, f16)
    }
}
impl To<f16> for f32 {
    #[inline]
    fn exact(self) -> (f16, bool) {
        let t = f16::from_f32(self);
        (t, t.to_f32() == self || self.is_nan())
    }
    #[inline]
    fn saturate(self) -> f16 {
        let t = f16::from_f32(self);
        saturated!(self, t, f16)
    }
}
impl To<f64> for LongDouble {
    fn exact(self) -> (f64, bool) {
        self.to_f64()
    }
    fn saturate(self) -> f64 {
        match self.to_f64() {
            (value, false) if value.is_infinite() => f64::MAX.copysign(value),
            (value, _) => value,
        }
    }
}
macro_rules! narrow_long {
    ($($t:ty),*) => {$(
        impl To<$t> for LongDouble {
            fn exact(self) -> ($t, bool) {
                let (value, equal) = self.to_f64();
                let (value, also) = To::<$t>::exact(value);
                (value, equal && also)
            }
            fn saturate(self) -> $t {
                To::<$t>::saturate(self.to_f64_odd())
            }
        }
    )*};
}
narrow_long!(f16, f32);

macro_rules! bool_and_float {
    ($($t:ty),*) => {$(
        impl To<$t> for Bool {
            #[inline]
            fn exact(self) -> ($t, bool) { (To::<$t>::saturate(self.0), self.0 <= 1) }
            #[inline]
            fn saturate(self) -> $t { To::<$t>::saturate(self.0.min(1)) }
        }
        impl To<Bool> for $t {
            #[inline]
            fn exact(self) -> (Bool, bool) {
                let (value, equal) = To::<u8>::exact(self);
                (Bool(value & 1), equal && value <= 1)
            }
            #[inline]
            fn saturate(self) -> Bool { Bool(To::<u8>::saturate(self).min(1)) }
        }
    )*};
}
bool_and_float!(f16, f32, f64, LongDouble);
impl To<Bool> for Bool {
    fn exact(self) -> (Bool, bool) {
        (self, self.0 <= 1)
    }
    fn saturate(self) -> Bool {
        Bool(self.0.min(1))
    }
}

fn exact<S: Raw + To<T>, T: Raw>(from: &[u8], to: &mut [u8]) -> bool {
    let mut all = true;
    for (s, t) in from.chunks_exact(S::SIZE).zip(to.chunks_exact_mut(T::SIZE)) {
        let (value, fits) = S::read(s).exact();
        value.write(t);
        all &= fits;
    }
    all
}

fn saturate<S: Raw + To<T>, T: Raw>(from: &[u8], to: &mut [u8]) -> bool {
    for (s, t) in from.chunks_exact(S::SIZE).zip(to.chunks_exact_mut(T::SIZE)) {
        S::read(s).saturate().write(t);
    }
    true
}

macro_rules! table {
    ($($name:ident = $t:ty),*) => {
        fn from<S: Raw $(+ To<$t>)*>(to: Number, exactly: bool) -> Kernel {
            match to {
                $(Number::$name => if exactly { exact::<S, $t> } else { saturate::<S, $t> },)*
            }
        }

        /// The loop for a pair of types.
        pub(super) fn kernel(source: Number, target: Number, exactly: bool) -> Kernel {
            match source {
                $(Number::$name => from::<$t>(target, exactly),)*
            }
        }
    };
}
table! {
    Bool = Bool, I8 = i8, I16 = i16, I32 = i32, I64 = i64, U8 = u8, U16 = u16, U32 = u32, U64 = u64, F16 = f16, F32 = f32, F64 = f64,
    Long = LongDouble
}

/// The value of an integer in memory.
pub(crate) fn read_int(t: IntType, bytes: &[u8]) -> i128 {
    match (t.size, t.signed) {
        (1, true) => i8::read(bytes).into(),
        (2, true) => i16::read(bytes).into(),
        (4, true) => i32::read(bytes).into(),
        (8, true) => i64::read(bytes).into(),
        (1, false) => u8::read(bytes).into(),
        (2, false) => u16::read(bytes).into(),
        (4, false) => u32::read(bytes).into(),
        (8, false) => u64::read(bytes).into(),
        _ => 0,
    }
}

/// Writes an integer; false if the type cannot hold it.
pub(crate) fn write_int(t: IntType, value: i128, bytes: &mut [u8]) -> bool {
    macro_rules! put {
        ($($size:literal, $signed:literal, $t:ty;)*) => {
            match (t.size, t.signed) {
                $(($size, $signed) => <$t>::try_from(value).map(|v| v.write(bytes)).is_ok(),)*
                _ => false,
            }
        };
    }
    put! { 1, true, i8; 2, true, i16; 4, true, i32; 8, true, i64; 1, false, u8; 2, false, u16; 4, false, u32; 8, false, u64; }
}

/// Writes a float; false if the type cannot hold it exactly.
pub(crate) fn write_float(width: FloatWidth, value: f64, bytes: &mut [u8]) -> bool {
    fn put<T: Raw>((value, equal): (T, bool), bytes: &mut [u8]) -> bool {
        value.write(bytes);
        equal
    }
    match width {
        FloatWidth::F16 => put::<f16>(value.exact(), bytes),
        FloatWidth::F32 => put::<f32>(value.exact(), bytes),
        FloatWidth::F64 => put(value.exact() as (f64, bool), bytes),
        FloatWidth::LongDouble => put::<LongDouble>(value.exact(), bytes),
    }
}

/// The nearest f64 of a float in memory, and whether it is equal.
pub(crate) fn read_float(width: FloatWidth, bytes: &[u8]) -> (f64, bool) {
    match width {
        FloatWidth::F16 => (f16::read(bytes).to_f64(), true),
        FloatWidth::F32 => (f32::read(bytes).into(), true),
        FloatWidth::F64 => (f64::read(bytes), true),
        FloatWidth::LongDouble => LongDouble::read(bytes).to_f64(),
    }
}
