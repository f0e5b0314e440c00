//! Where the slots of an element are.
//!
//! What has no fixed size takes a slot in the element: a number, at most 8 bytes, that is the item's place in the array's heap,
//! in the machine's byte order; 0 is the empty string, the empty sequence, the null reference. A sequence's slot has 16 bytes and a
//! region reference's 12, as the HDF5 library's memory types have, so that an element has one layout everywhere; the rest is zero.

use super::{DType, Padding};

/// What a slot holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SlotKind {
    Str,
    Seq(DType),
    Object,
    Region,
}

/// A slot of an element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Slot {
    /// Where it begins within the element.
    pub offset: usize,
    pub kind: SlotKind,
}

/// A run of bytes of an element that are data, not padding and not a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub offset: usize,
    pub len: usize,
}

/// The slots and the data bytes of one element, at all depths.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Layout {
    pub slots: Vec<Slot>,
    /// In rising order, adjacent ones merged.
    pub runs: Vec<Run>,
    pub itemsize: usize,
}

impl Layout {
    pub(crate) fn of(dtype: &DType) -> Self {
        let mut layout = Layout { itemsize: dtype.itemsize(), ..Layout::default() };
        layout.add(dtype, 0);
        layout.runs.sort_unstable_by_key(|r| r.offset);
        let mut merged: Vec<Run> = Vec::with_capacity(layout.runs.len());
        for run in layout.runs.drain(..) {
            match merged.last_mut() {
                Some(last) if last.offset + last.len == run.offset => last.len += run.len,
                _ => merged.push(run),
            }
        }
        layout.runs = merged;
        layout
    }

    /// True if every byte of an element is data.
    pub(crate) fn is_solid(&self) -> bool {
        self.slots.is_empty() && (self.itemsize == 0 || self.runs == [Run { offset: 0, len: self.itemsize }])
    }

    fn add(&mut self, dtype: &DType, offset: usize) {
        match dtype {
            DType::VarString { .. } => self.slots.push(Slot { offset, kind: SlotKind::Str }),
            DType::VarSeq(base) => self.slots.push(Slot { offset, kind: SlotKind::Seq((**base).clone()) }),
            DType::ObjectRef => self.slots.push(Slot { offset, kind: SlotKind::Object }),
            DType::RegionRef => self.slots.push(Slot { offset, kind: SlotKind::Region }),
            DType::Compound(c) => c.fields().iter().for_each(|f| self.add(&f.dtype, offset + f.offset)),
            DType::Array { base, shape } => {
                if Layout::of(base).is_solid() {
                    self.runs.push(Run { offset, len: dtype.itemsize() });
                } else {
                    let count: usize = shape.iter().product();
                    (0..count).for_each(|i| self.add(base, offset + i * base.itemsize()));
                }
            }
            // An x86 long double has 10 bytes of data in 16; all of them are carried, as numpy does.
            _ => self.runs.push(Run { offset, len: dtype.itemsize() }),
        }
    }
}

/// The bytes of a fixed-length string without terminator and padding.
pub(crate) fn trim_string(bytes: &[u8], padding: Padding) -> &[u8] {
    let end = match padding {
        Padding::NullTerm => bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len()),
        Padding::NullPad => bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1),
        Padding::SpacePad => bytes.iter().rposition(|b| *b != b' ').map_or(0, |i| i + 1),
    };
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slots_and_padding_at_all_depths() {
        let inner = DType::compound_aligned([("n", DType::I8), ("s", DType::STR)]).unwrap();
        let outer = DType::compound([("a", DType::I32), ("b", DType::array(inner, [2])), ("c", DType::RegionRef)]).unwrap();
        let layout = Layout::of(&outer);
        assert_eq!(layout.slots.iter().map(|s| s.offset).collect::<Vec<_>>(), [12, 28, 36]);
        assert_eq!(layout.runs, [Run { offset: 0, len: 5 }, Run { offset: 20, len: 1 }]);
        assert!(Layout::of(&DType::F64).is_solid());
        assert!(!layout.is_solid());
    }
}
