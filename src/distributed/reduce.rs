//! Combining numbers over ranks, the same for every communicator.
//!
//! All ranks' numbers are folded in the order of the ranks, one element at a time, so that the result does not depend on who computes
//! it: floating-point sums are the same on every rank and on every kind of communicator.

use super::communicator::{Number, ReduceOp};
use crate::error::{Result, error};
use half::f16;
use num_complex::Complex;

/// A number that bytes hold, and what the operations do to it.
trait Reduced: Copy {
    const SIZE: usize;
    fn load(bytes: &[u8]) -> Self;
    fn store(self, bytes: &mut [u8]);
    fn sum(self, next: Self) -> Self;
    fn product(self, next: Self) -> Self;
    /// True if `next` takes the place of this number as the smallest. Never for what has no order.
    fn min_yields(self, next: Self) -> bool;
    fn max_yields(self, next: Self) -> bool;
    fn truth(self) -> bool;
    fn from_truth(truth: bool) -> Self;
}

/// Takes the first bytes; too few give zeros. (Callers hand in whole numbers.)
fn take<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

macro_rules! bytes_of {
    ($t:ty) => {
        const SIZE: usize = size_of::<$t>();
        #[inline]
        fn load(bytes: &[u8]) -> Self {
            <$t>::from_ne_bytes(take(bytes))
        }
        #[inline]
        fn store(self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.to_ne_bytes());
        }
    };
}

macro_rules! integers {
    ($($t:ty)+) => {$(
        impl Reduced for $t {
            bytes_of!($t);
            #[inline]
            fn sum(self, next: Self) -> Self { self.wrapping_add(next) }
            #[inline]
            fn product(self, next: Self) -> Self { self.wrapping_mul(next) }
            #[inline]
            fn min_yields(self, next: Self) -> bool { next < self }
            #[inline]
            fn max_yields(self, next: Self) -> bool { next > self }
            #[inline]
            fn truth(self) -> bool { self != 0 }
            #[inline]
            fn from_truth(truth: bool) -> Self { Self::from(truth) }
        }
    )+};
}
integers!(i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! floats {
    ($($t:ty, $zero:expr, $one:expr;)+) => {$(
        impl Reduced for $t {
            bytes_of!($t);
            #[inline]
            fn sum(self, next: Self) -> Self { self + next }
            #[inline]
            fn product(self, next: Self) -> Self { self * next }
            #[inline]
            fn min_yields(self, next: Self) -> bool { !self.is_nan() && (next.is_nan() || next < self) }
            #[inline]
            fn max_yields(self, next: Self) -> bool { !self.is_nan() && (next.is_nan() || next > self) }
            #[inline]
            fn truth(self) -> bool { self != $zero }
            #[inline]
            fn from_truth(truth: bool) -> Self { if truth { $one } else { $zero } }
        }
    )+};
}
floats! {
    f16, f16::ZERO, f16::ONE;
    f32, 0.0, 1.0;
    f64, 0.0, 1.0;
}

macro_rules! complexes {
    ($($t:ty)+) => {$(
        impl Reduced for Complex<$t> {
            const SIZE: usize = 2 * size_of::<$t>();
            #[inline]
            fn load(bytes: &[u8]) -> Self {
                let (re, im) = bytes.split_at(bytes.len() / 2);
                Self::new(<$t>::from_ne_bytes(take(re)), <$t>::from_ne_bytes(take(im)))
            }
            #[inline]
            fn store(self, bytes: &mut [u8]) {
                let (re, im) = bytes.split_at_mut(size_of::<$t>());
                re.copy_from_slice(&self.re.to_ne_bytes());
                im.copy_from_slice(&self.im.to_ne_bytes());
            }
            #[inline]
            fn sum(self, next: Self) -> Self { self + next }
            #[inline]
            fn product(self, next: Self) -> Self { self * next }
            #[inline]
            fn min_yields(self, _next: Self) -> bool { false }
            #[inline]
            fn max_yields(self, _next: Self) -> bool { false }
            #[inline]
            fn truth(self) -> bool { self.re != 0.0 || self.im != 0.0 }
            #[inline]
            fn from_truth(truth: bool) -> Self { Self::new(if truth { 1.0 } else { 0.0 }, 0.0) }
        }
    )+};
}
complexes!(f32 f64);

/// Calls a function that is generic over the number's type.
macro_rules! with_number {
    ($number:expr, $f:ident ( $($arg:expr),* )) => {
        match $number {
            Number::I8 => $f::<i8>($($arg),*),
            Number::I16 => $f::<i16>($($arg),*),
            Number::I32 => $f::<i32>($($arg),*),
            Number::I64 => $f::<i64>($($arg),*),
            Number::U8 => $f::<u8>($($arg),*),
            Number::U16 => $f::<u16>($($arg),*),
            Number::U32 => $f::<u32>($($arg),*),
            Number::U64 => $f::<u64>($($arg),*),
            Number::F16 => $f::<f16>($($arg),*),
            Number::F32 => $f::<f32>($($arg),*),
            Number::F64 => $f::<f64>($($arg),*),
            Number::C64 => $f::<Complex<f32>>($($arg),*),
            Number::C128 => $f::<Complex<f64>>($($arg),*),
        }
    };
}

fn fold<T: Reduced>(total: &mut [u8], next: &[u8], op: ReduceOp) {
    fn each<T: Reduced>(total: &mut [u8], next: &[u8], f: impl Fn(T, T) -> T) {
        for (total, next) in total.chunks_exact_mut(T::SIZE).zip(next.chunks_exact(T::SIZE)) {
            f(T::load(total), T::load(next)).store(total);
        }
    }
    match op {
        ReduceOp::Sum => each::<T>(total, next, T::sum),
        ReduceOp::Product => each::<T>(total, next, T::product),
        ReduceOp::Min => each::<T>(total, next, |a, b| if a.min_yields(b) { b } else { a }),
        ReduceOp::Max => each::<T>(total, next, |a, b| if a.max_yields(b) { b } else { a }),
        ReduceOp::All => each::<T>(total, next, |a, b| T::from_truth(a.truth() && b.truth())),
        ReduceOp::Any => each::<T>(total, next, |a, b| T::from_truth(a.truth() || b.truth())),
    }
}

fn truths<T: Reduced>(data: &mut [u8]) {
    for bytes in data.chunks_exact_mut(T::SIZE) {
        T::from_truth(T::load(bytes).truth()).store(bytes);
    }
}

/// What the numbers of the first rank alone become: [`ReduceOp::All`] and [`ReduceOp::Any`] make them 0 or 1.
pub(super) fn begin(data: &mut [u8], number: Number, op: ReduceOp) {
    if matches!(op, ReduceOp::All | ReduceOp::Any) {
        with_number!(number, truths(data));
    }
}

/// Combines the numbers of the next rank into those of the ranks before it.
pub(super) fn combine(total: &mut [u8], next: &[u8], number: Number, op: ReduceOp) {
    with_number!(number, fold(total, next, op));
}

/// Combines the numbers of all ranks, given by rank.
///
/// # Errors
/// `InvalidArgument` if their lengths differ, with the first rank that differs from rank 0.
pub(super) fn combine_all<'a>(mut parts: impl Iterator<Item = &'a [u8]>, number: Number, op: ReduceOp) -> Result<Vec<u8>> {
    let mut total = parts.next().unwrap_or_default().to_vec();
    begin(&mut total, number, op);
    for (before, part) in parts.enumerate() {
        same_length(total.len(), part.len(), before + 1)?;
        combine(&mut total, part, number, op);
    }
    Ok(total)
}

/// Checks that a rank brought as many bytes as rank 0.
pub(super) fn same_length(first: usize, other: usize, rank: usize) -> Result<()> {
    if first == other {
        return Ok(());
    }
    Err(error!(InvalidArgument, "rank 0 reduces {first} bytes, rank {rank} {other} bytes").on_rank(rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reduce<T: Reduced>(parts: &[T], number: Number, op: ReduceOp) -> T {
        let parts: Vec<Vec<u8>> = parts
            .iter()
            .map(|part| {
                let mut bytes = vec![0; T::SIZE];
                part.store(&mut bytes);
                bytes
            })
            .collect();
        T::load(&combine_all(parts.iter().map(Vec::as_slice), number, op).unwrap())
    }

    #[test]
    fn integers_wrap_and_have_an_order() {
        assert_eq!(reduce::<i8>(&[100, 100], Number::I8, ReduceOp::Sum), -56);
        assert_eq!(reduce::<u8>(&[200, 100], Number::U8, ReduceOp::Sum), 44);
        assert_eq!(reduce::<u16>(&[1000, 1000], Number::U16, ReduceOp::Product), 16960);
        assert_eq!(reduce::<i64>(&[3, -7, 5], Number::I64, ReduceOp::Min), -7);
        assert_eq!(reduce::<u64>(&[3, u64::MAX, 5], Number::U64, ReduceOp::Max), u64::MAX);
        assert_eq!(reduce::<i32>(&[3, -7, 5], Number::I32, ReduceOp::All), 1);
        assert_eq!(reduce::<i16>(&[3, 0, 5], Number::I16, ReduceOp::All), 0);
        assert_eq!(reduce::<u32>(&[0, 0, 5], Number::U32, ReduceOp::Any), 1);
        assert_eq!(reduce::<u8>(&[7], Number::U8, ReduceOp::Any), 1);
    }

    #[test]
    fn nan_wins_the_order_and_is_true() {
        for parts in [[f64::NAN, 1.0, 2.0], [1.0, f64::NAN, 2.0], [2.0, 1.0, f64::NAN]] {
            assert!(reduce(&parts, Number::F64, ReduceOp::Min).is_nan());
            assert!(reduce(&parts, Number::F64, ReduceOp::Max).is_nan());
            assert_eq!(reduce(&parts, Number::F64, ReduceOp::All), 1.0);
        }
        assert_eq!(reduce(&[f32::INFINITY, -1.5], Number::F32, ReduceOp::Min), -1.5);
        assert_eq!(reduce(&[f16::from_f32(1.5), f16::from_f32(2.0)], Number::F16, ReduceOp::Sum), f16::from_f32(3.5));
        assert_eq!(reduce(&[f16::ZERO, -f16::ZERO], Number::F16, ReduceOp::Any), f16::ZERO);
    }

    #[test]
    fn complex_numbers_are_summed_multiplied_and_true() {
        let i = Complex::new(0.0f64, 1.0);
        assert_eq!(reduce(&[i, i], Number::C128, ReduceOp::Product), Complex::new(-1.0, 0.0));
        assert_eq!(reduce(&[i, i], Number::C128, ReduceOp::Sum), Complex::new(0.0, 2.0));
        assert_eq!(reduce(&[i, i], Number::C128, ReduceOp::All), Complex::new(1.0, 0.0));
        let i = Complex::new(0.0f32, 1.0);
        assert_eq!(reduce(&[i, i * 0.0], Number::C64, ReduceOp::All), Complex::new(0.0, 0.0));
    }

    #[test]
    fn ranks_that_bring_other_lengths_are_named() {
        let parts: [&[u8]; 3] = [&[1, 2], &[1, 2], &[1]];
        let error = combine_all(parts.into_iter(), Number::U8, ReduceOp::Sum).unwrap_err();
        assert_eq!(error.rank(), Some(2));
    }
}
