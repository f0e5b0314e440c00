//! Equality of arrays: by value, padding ignored, NaN equal to NaN.

use super::{AnyArray, Item, select};
use crate::dtype::layout::Layout;

impl PartialEq for AnyArray {
    /// Equal if dtype (by [its values](crate::DType::same_values)), shape and elements are. Numbers are compared by their bits, so NaN equals
    /// itself and 0.0 differs from -0.0; padding bytes are not looked at; references are equal if they point to one object.
    fn eq(&self, other: &Self) -> bool {
        if self.extent() != other.extent() || !self.dtype.same_values(&other.dtype) {
            return false;
        }
        let layout = Layout::of(&self.dtype);
        let (a, b) = (self.buffer.as_slice(), other.buffer.as_slice());
        if layout.is_solid() {
            return a == b;
        }
        a.chunks_exact(layout.itemsize).zip(b.chunks_exact(layout.itemsize)).all(|(x, y)| {
            layout.runs.iter().all(|r| x[r.offset..r.offset + r.len] == y[r.offset..r.offset + r.len])
                && layout.slots.iter().all(|s| same_item(item(self, x, s.offset), item(other, y, s.offset)))
        })
    }
}

fn item<'a>(array: &'a AnyArray, element: &[u8], offset: usize) -> Option<&'a Item> {
    array.heap.as_ref()?.get(select::slot_number(element, offset))
}

fn same_item(a: Option<&Item>, b: Option<&Item>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(Item::Str(a)), Some(Item::Str(b))) => a == b,
        (Some(Item::Seq(a)), Some(Item::Seq(b))) => a == b,
        (Some(Item::Object(a)), Some(Item::Object(b))) => a == b,
        (Some(Item::Region(a)), Some(Item::Region(b))) => a == b,
        (Some(x), None) | (None, Some(x)) => match x {
            Item::Str(s) => s.is_empty(),
            Item::Seq(s) => s.is_empty(),
            Item::Object(r) => r.is_null(),
            Item::Region(r) => r.is_null(),
        },
        _ => false,
    }
}
