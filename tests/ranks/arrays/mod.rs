//! Distributed arrays. Every rank knows the plain array too, and compares.

mod elementwise;
mod making;
mod moving;
mod reductions;
mod shapes;
mod slices;

use crate::ranks::Case;
use memh5::{AnyArray, DType};

pub fn cases() -> Vec<Case> {
    [making::CASES, slices::CASES, elementwise::CASES, reductions::CASES, shapes::CASES, moving::CASES].concat()
}

/// 0, 1, 2, .. of a shape.
pub fn counted(shape: &[usize]) -> AnyArray {
    let count: usize = shape.iter().product();
    AnyArray::from((0..count as i64).collect::<Vec<_>>()).reshape(shape).unwrap()
}

/// Elements of any plain type, all bytes different as far as they can be.
pub fn patterned(dtype: &DType, shape: &[usize]) -> AnyArray {
    let bytes = shape.iter().product::<usize>() * dtype.itemsize();
    let limit = if *dtype == DType::Bool { 2 } else { 251 };
    let bytes: Vec<u8> = (0..bytes).map(|i| (i.wrapping_mul(2654435761) >> 7) as u8 % limit).collect();
    AnyArray::from_bytes(dtype.clone(), shape, &bytes).unwrap()
}

/// Random numbers, the same on all ranks.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
}
