//! One element, looked at without knowing its type at compile time.

use super::{AnyArray, Item};
use crate::dtype::DType;
use std::fmt;

/// One element of an array, or a part of it.
#[derive(Clone, Copy)]
pub struct ElementRef<'a> {
    pub(crate) array: &'a AnyArray,
    pub(crate) dtype: &'a DType,
    pub(crate) bytes: &'a [u8],
}

impl AnyArray {
    /// The elements in C order.
    pub fn elements(&self) -> impl ExactSizeIterator<Item = ElementRef<'_>> {
        let size = self.dtype.itemsize().max(1);
        let bytes = self.buffer.as_slice();
        (0..self.len()).map(move |i| ElementRef { array: self, dtype: &self.dtype, bytes: &bytes[i * size..(i + 1) * size] })
    }

    /// The element at a place in C order; `None` past the end.
    pub fn element(&self, at: usize) -> Option<ElementRef<'_>> {
        let size = self.dtype.itemsize();
        let bytes = self.buffer.as_slice().get(at * size..(at + 1) * size)?;
        (at < self.len()).then_some(ElementRef { array: self, dtype: &self.dtype, bytes })
    }
}

impl<'a> ElementRef<'a> {
    /// Its type.
    pub fn dtype(&self) -> &'a DType {
        self.dtype
    }

    /// The field of a compound.
    pub fn field(&self, name: &str) -> Option<ElementRef<'a>> {
        let DType::Compound(c) = self.dtype else { return None };
        let f = c.field(name)?;
        Some(self.part(&f.dtype, f.offset))
    }

    /// The part of a type at an offset.
    pub(crate) fn part(&self, dtype: &'a DType, offset: usize) -> ElementRef<'a> {
        ElementRef { array: self.array, dtype, bytes: &self.bytes[offset..offset + dtype.itemsize()] }
    }

    /// The items of a sub-array, in C order; none for another type.
    pub fn items(&self) -> impl Iterator<Item = ElementRef<'a>> + use<'a> {
        let this = *self;
        let (base, count) = match self.dtype {
            DType::Array { base, shape } => (Some(&**base), shape.iter().product()),
            _ => (None, 0),
        };
        (0..count).filter_map(move |i| base.map(|b| this.part(b, i * b.itemsize())))
    }

    /// The bytes, numbers in the machine's order. (For what has no fixed size, those of its slot.)
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The item of a slot.
    pub(crate) fn slot(&self) -> Option<&'a Item> {
        self.array.item(self.bytes, 0)
    }
}

impl fmt::Display for ElementRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.bytes)
    }
}
