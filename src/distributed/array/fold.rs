//! The local half of reductions: typed loops over a block.
//!
//! Sums and products are made in the widest type of their kind (64-bit integers that wrap, f64, complex of f64), so that the result hardly depends on
//! how many ranks share the work, and rounded once at the end.

use super::Reduction;
use crate::array::{AnyArray, Element};
use crate::distributed::communicator::Number;
use crate::dtype::DType;
use crate::error::Result;
use half::f16;
use num_complex::Complex;
use std::borrow::Cow;

/// A number that sums and products are made in.
pub(super) trait Wide: Element {
    const ZERO: Self;
    const ONE: Self;
    const NUMBER: Number;
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
}

macro_rules! wide {
    ($($t:ty, $number:ident, $zero:expr, $one:expr, $add:expr, $mul:expr;)*) => {$(
        impl Wide for $t {
            const ZERO: Self = $zero;
            const ONE: Self = $one;
            const NUMBER: Number = Number::$number;
            fn add(self, other: Self) -> Self {
                let f: fn(Self, Self) -> Self = $add;
                f(self, other)
            }
            fn mul(self, other: Self) -> Self {
                let f: fn(Self, Self) -> Self = $mul;
                f(self, other)
            }
        }
    )*};
}
wide! {
    i64, I64, 0, 1, i64::wrapping_add, i64::wrapping_mul;
    u64, U64, 0, 1, u64::wrapping_add, u64::wrapping_mul;
    f64, F64, 0.0, 1.0, |a, b| a + b, |a, b| a * b;
    Complex<f64>, C128, Complex::new(0.0, 0.0), Complex::new(1.0, 0.0), |a, b| a + b, |a, b| a * b;
}

/// A number that an array can hold.
pub(super) trait Narrow: Element {
    type Wide: Wide;
    /// What means are made in.
    type Real: Wide;
    fn widen(self) -> Self::Wide;
    fn real(self) -> Self::Real;
    fn is_true(self) -> bool;
    /// The elements of an array of this number type.
    fn slice(array: &AnyArray) -> Result<Cow<'_, [Self]>> {
        let view = array.view::<Self>()?;
        Ok(match view.to_slice() {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(view.iter().copied().collect()),
        })
    }
}

/// A number that has an order.
pub(super) trait Ordered: Narrow {
    /// No number is less.
    const LEAST: Self;
    /// No number is greater.
    const GREATEST: Self;
    /// The smaller one; NaN wins.
    fn least(self, other: Self) -> Self;
    /// The larger one; NaN wins.
    fn greatest(self, other: Self) -> Self;
}

macro_rules! narrow {
    ($($t:ty => $wide:ty, $real:ty, $widen:expr, $make_real:expr, $true:expr;)*) => {$(
        impl Narrow for $t {
            type Wide = $wide;
            type Real = $real;
            fn widen(self) -> $wide {
                let f: fn($t) -> $wide = $widen;
                f(self)
            }
            fn real(self) -> $real {
                let f: fn($t) -> $real = $make_real;
                f(self)
            }
            fn is_true(self) -> bool {
                let f: fn($t) -> bool = $true;
                f(self)
            }
        }
    )*};
}
narrow! {
    i8 => i64, f64, i64::from, f64::from, |x| x != 0;
    i16 => i64, f64, i64::from, f64::from, |x| x != 0;
    i32 => i64, f64, i64::from, f64::from, |x| x != 0;
    i64 => i64, f64, |x| x, |x| x as f64, |x| x != 0;
    u16 => u64, f64, u64::from, f64::from, |x| x != 0;
    u32 => u64, f64, u64::from, f64::from, |x| x != 0;
    u64 => u64, f64, |x| x, |x| x as f64, |x| x != 0;
    f16 => f64, f64, f16::to_f64, f16::to_f64, |x| x != f16::ZERO;
    f32 => f64, f64, f64::from, f64::from, |x| x != 0.0;
    f64 => f64, f64, |x| x, |x| x, |x| x != 0.0;
    Complex<f32> => Complex<f64>, Complex<f64>, |x| Complex::new(x.re.into(), x.im.into()), |x| Complex::new(x.re.into(), x.im.into()),
        |x| x.re != 0.0 || x.im != 0.0;
    Complex<f64> => Complex<f64>, Complex<f64>, |x| x, |x| x, |x| x.re != 0.0 || x.im != 0.0;
}

impl Narrow for u8 {
    type Wide = u64;
    type Real = f64;
    fn widen(self) -> u64 {
        self.into()
    }
    fn real(self) -> f64 {
        self.into()
    }
    fn is_true(self) -> bool {
        self != 0
    }
    /// A bool too is taken as its byte.
    fn slice(array: &AnyArray) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(array.raw().0))
    }
}

macro_rules! ordered {
    ($($t:ty: $least:expr, $greatest:expr, $nan:expr;)*) => {$(
        impl Ordered for $t {
            const LEAST: Self = $least;
            const GREATEST: Self = $greatest;
            fn least(self, other: Self) -> Self {
                let nan: fn($t) -> bool = $nan;
                if nan(self) || self < other || (self == other && !nan(other)) { self } else { other }
            }
            fn greatest(self, other: Self) -> Self {
                let nan: fn($t) -> bool = $nan;
                if nan(self) || self > other || (self == other && !nan(other)) { self } else { other }
            }
        }
    )*};
}
ordered! {
    i8: i8::MIN, i8::MAX, |_| false;
    i16: i16::MIN, i16::MAX, |_| false;
    i32: i32::MIN, i32::MAX, |_| false;
    i64: i64::MIN, i64::MAX, |_| false;
    u8: u8::MIN, u8::MAX, |_| false;
    u16: u16::MIN, u16::MAX, |_| false;
    u32: u32::MIN, u32::MAX, |_| false;
    u64: u64::MIN, u64::MAX, |_| false;
    f16: f16::NEG_INFINITY, f16::INFINITY, f16::is_nan;
    f32: f32::NEG_INFINITY, f32::INFINITY, f32::is_nan;
    f64: f64::NEG_INFINITY, f64::INFINITY, f64::is_nan;
}

/// Runs code for the Rust type of a number.
macro_rules! for_ordered {
    ($number:expr, $t:ident => $body:expr, else $rest:expr) => {
        match $number {
            Number::I8 => {
                type $t = i8;
                $body
            }
            Number::I16 => {
                type $t = i16;
                $body
            }
            Number::I32 => {
                type $t = i32;
                $body
            }
            Number::I64 => {
                type $t = i64;
                $body
            }
            Number::U8 => {
                type $t = u8;
                $body
            }
            Number::U16 => {
                type $t = u16;
                $body
            }
            Number::U32 => {
                type $t = u32;
                $body
            }
            Number::U64 => {
                type $t = u64;
                $body
            }
            Number::F16 => {
                type $t = half::f16;
                $body
            }
            Number::F32 => {
                type $t = f32;
                $body
            }
            Number::F64 => {
                type $t = f64;
                $body
            }
            Number::C64 | Number::C128 => $rest,
        }
    };
}
macro_rules! for_number {
    ($number:expr, $t:ident => $body:expr) => {
        for_ordered!($number, $t => $body, else match $number {
            Number::C64 => { type $t = num_complex::Complex<f32>; $body }
            _ => { type $t = num_complex::Complex<f64>; $body }
        })
    };
}
pub(super) use {for_number, for_ordered};

/// Bytes of accumulators, and what numbers they are.
pub(super) type Totals = (Vec<u8>, Number);

/// Reduces a block over the marked axes; the totals are in C order of the other axes. Means are sums here.
pub(super) fn fold(block: &AnyArray, number: Number, op: Reduction, reduced: &[bool]) -> Result<Totals> {
    let plan = Plan::new(block.shape(), reduced);
    Ok(match op {
        Reduction::Sum => for_number!(number, T => totals(
            plan.run(&T::slice(block)?, <T as Narrow>::Wide::ZERO, |a, x: T| a.add(x.widen()), sum_run)
        )),
        Reduction::Mean => for_number!(number, T => totals(
            plan.run(&T::slice(block)?, <T as Narrow>::Real::ZERO, |a, x: T| a.add(x.real()), |a, run| a.add(pairwise(run, &|x: T| x.real())))
        )),
        Reduction::Product => for_number!(number, T => totals(
            plan.run(&T::slice(block)?, <T as Narrow>::Wide::ONE, |a, x: T| a.mul(x.widen()), |a, run| run.iter().fold(a, |a, x| a.mul(x.widen())))
        )),
        Reduction::Min => for_ordered!(number, T => own(number,
            plan.run(&T::slice(block)?, T::GREATEST, |a: T, x| a.least(x), |a, run: &[T]| run.iter().fold(a, |a, x| a.least(*x)))
        ), else unordered()),
        Reduction::Max => for_ordered!(number, T => own(number,
            plan.run(&T::slice(block)?, T::LEAST, |a: T, x| a.greatest(x), |a, run: &[T]| run.iter().fold(a, |a, x| a.greatest(*x)))
        ), else unordered()),
        Reduction::All => for_number!(number, T => (
            plan.run(&T::slice(block)?, 1u8, |a, x: T| a & u8::from(x.is_true()), |a, run| a & u8::from(run.iter().all(|x| x.is_true()))), Number::U8
        )),
        Reduction::Any => for_number!(number, T => (
            plan.run(&T::slice(block)?, 0u8, |a, x: T| a | u8::from(x.is_true()), |a, run| a | u8::from(run.iter().any(|x| x.is_true()))), Number::U8
        )),
    })
}

/// The caller has refused an order of complex numbers.
fn unordered() -> Totals {
    (Vec::new(), Number::C128)
}

fn totals<A: Wide>(numbers: Vec<A>) -> Totals {
    own(A::NUMBER, numbers)
}

fn own<A: Element>(number: Number, numbers: Vec<A>) -> Totals {
    (AnyArray::from(numbers).raw().0.to_vec(), number)
}

fn sum_run<T: Narrow>(a: T::Wide, run: &[T]) -> T::Wide {
    a.add(pairwise(run, &|x: T| x.widen()))
}

/// The sum of a run by halves: the error grows with the logarithm of the length. Eight sums side by side at the bottom.
fn pairwise<T: Copy, A: Wide>(run: &[T], f: &impl Fn(T) -> A) -> A {
    if run.len() > 512 {
        let (a, b) = run.split_at((run.len() / 2).next_multiple_of(8));
        return pairwise(a, f).add(pairwise(b, f));
    }
    let mut lanes = [A::ZERO; 8];
    let mut chunks = run.chunks_exact(8);
    for chunk in &mut chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = lane.add(f(*x));
        }
    }
    let rest = chunks.remainder().iter().fold(A::ZERO, |a, x| a.add(f(*x)));
    lanes.iter().fold(rest, |a, lane| a.add(*lane))
}

/// The axes of a block, neighbours of one kind as one.
struct Plan {
    /// Length, and the distance in the totals from one index to the next: 0 on a reduced axis.
    axes: Vec<(usize, usize)>,
    totals: usize,
    elements: usize,
}

impl Plan {
    fn new(shape: &[usize], reduced: &[bool]) -> Self {
        let mut axes: Vec<(usize, bool)> = Vec::new();
        for (n, reduce) in shape.iter().zip(reduced) {
            match axes.last_mut() {
                Some((len, kind)) if kind == reduce => *len *= n,
                _ => axes.push((*n, *reduce)),
            }
        }
        let mut totals = 1;
        let mut strided: Vec<(usize, usize)> = Vec::new();
        for (n, reduce) in axes.iter().rev() {
            strided.push((*n, if *reduce { 0 } else { totals }));
            if !reduce {
                totals *= n;
            }
        }
        strided.reverse();
        Self { axes: strided, totals, elements: shape.iter().product() }
    }

    /// All elements in their order: `step` takes one into a total, `run` takes those that follow each other into one total.
    fn run<T: Copy, A: Copy>(&self, data: &[T], start: A, step: impl Fn(A, T) -> A, run: impl Fn(A, &[T]) -> A) -> Vec<A> {
        let mut out = vec![start; self.totals];
        if self.elements > 0 {
            walk(&self.axes, &mut data.iter().as_slice(), &mut out, &step, &run);
        }
        out
    }
}

fn walk<T: Copy, A: Copy>(axes: &[(usize, usize)], data: &mut &[T], out: &mut [A], step: &impl Fn(A, T) -> A, run: &impl Fn(A, &[T]) -> A) {
    let Some(((len, stride), rest)) = axes.split_first() else {
        if let (Some((x, more)), Some(total)) = (data.split_first(), out.first_mut()) {
            *total = step(*total, *x);
            *data = more;
        }
        return;
    };
    if !rest.is_empty() {
        for k in 0..*len {
            walk(rest, data, &mut out[k * stride..], step, run);
        }
        return;
    }
    let (here, more) = data.split_at(*len);
    *data = more;
    if *stride == 0 {
        if let Some(total) = out.first_mut() {
            *total = run(*total, here);
        }
    } else {
        for (total, x) in out.iter_mut().zip(here) {
            *total = step(*total, *x);
        }
    }
}

/// The array of totals, rounded to the type of the result.
pub(super) fn finish((bytes, number): Totals, dtype: &DType, shape: &[usize]) -> Result<AnyArray> {
    let totals = match number {
        Number::F64 => AnyArray::from_bytes(DType::F64, shape, &bytes)?,
        Number::C128 => AnyArray::from_bytes(DType::C128, shape, &bytes)?,
        _ => return AnyArray::from_bytes(dtype.clone(), shape, &bytes),
    };
    // Overflow is infinity here, as it would be had the sum been made in the narrow type.
    Ok(match Number::of(dtype) {
        Some(Number::F16) => totals.view::<f64>()?.map(|x| f16::from_f64(*x)).into(),
        Some(Number::F32) => totals.view::<f64>()?.map(|x| *x as f32).into(),
        Some(Number::C64) => totals.view::<Complex<f64>>()?.map(|x| Complex::new(x.re as f32, x.im as f32)).into(),
        _ => totals,
    })
}
