//! Conversion between strings of fixed and of variable length, at any depth of a compound or sub-array.

use crate::array::{AnyArray, Item};
use crate::dtype::layout::{Layout, SlotKind, trim_string};
use crate::dtype::{Charset, CompoundType, DType, Field, Padding};
use crate::error::{Result, bail, error};
use std::sync::Arc;

/// What becomes of strings in a copy.
///
/// caput holds text in memory as numpy's fixed-width unicode and writes it as fixed-length ASCII bytes, so there its conversion goes by
/// direction. Here both memory and files hold every string type, so nothing needs to be converted, and the choice is by the wanted form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
#[non_exhaustive]
pub enum StringConversion {
    /// As they are, byte for byte.
    #[default]
    Keep,
    /// Fixed-length strings become variable-length UTF-8, without their padding: what caput does on reading. Bytes that are no UTF-8 are an error.
    Variable,
    /// Variable-length strings become fixed-length ASCII (numpy's `S`), as long as the longest: what caput does on writing. A character that is no
    /// ASCII is an error, as there.
    FixedAscii,
    /// Variable-length strings become fixed-length UTF-8, as long as the longest one in bytes.
    FixedUtf8,
}

impl StringConversion {
    /// True if it would change the type.
    pub(crate) fn changes(self, dtype: &DType) -> bool {
        match dtype {
            DType::FixedString { .. } => self == Self::Variable,
            DType::VarString { .. } => matches!(self, Self::FixedAscii | Self::FixedUtf8),
            DType::Compound(c) => c.fields().iter().any(|f| self.changes(&f.dtype)),
            DType::Array { base, .. } => self.changes(base),
            // Within a sequence strings stay as they are: each sequence would need a length of its own.
            _ => false,
        }
    }

    /// The array with its strings converted.
    ///
    /// # Errors
    /// `Dtype` if a string cannot be converted; names it.
    pub fn convert(self, array: &AnyArray) -> Result<AnyArray> {
        if !self.changes(array.dtype()) {
            return Ok(array.clone());
        }
        let mut sizes = Sizes::default();
        self.measure(array, &mut sizes);
        apply(array, &self.target(array.dtype(), &sizes)?)
    }

    /// Enters the lengths of the strings that become fixed.
    pub(crate) fn measure(self, array: &AnyArray, sizes: &mut Sizes) {
        let mut places = Vec::new();
        self.places(array.dtype(), 0, &mut 0, &mut places);
        let heap = array.raw().1;
        for element in array.elements() {
            for (offset, number) in &places {
                let len = match heap.and_then(|h| h.get(slot(element.bytes(), *offset))) {
                    Some(Item::Str(s)) => s.len(),
                    _ => 0,
                };
                sizes.enter(*number, len);
            }
        }
    }

    /// The variable-length strings of an element: their offsets, and the number of their string type within the type.
    fn places(self, dtype: &DType, offset: usize, next: &mut usize, out: &mut Vec<(usize, usize)>) {
        match dtype {
            DType::VarString { .. } if self.changes(dtype) => {
                out.push((offset, *next));
                *next += 1;
            }
            DType::Compound(c) => c.fields().iter().for_each(|f| self.places(&f.dtype, offset + f.offset, next, out)),
            DType::Array { base, shape } => {
                let first = *next;
                for i in 0..shape.iter().product::<usize>() {
                    *next = first;
                    self.places(base, offset + i * base.itemsize(), next, out);
                }
            }
            _ => {}
        }
    }

    /// The type with its strings converted; the sizes are those of all data.
    pub(crate) fn target(self, dtype: &DType, sizes: &Sizes) -> Result<DType> {
        self.target_at(dtype, sizes, &mut 0)
    }

    fn target_at(self, dtype: &DType, sizes: &Sizes, next: &mut usize) -> Result<DType> {
        Ok(match dtype {
            _ if !self.changes(dtype) => dtype.clone(),
            DType::FixedString { .. } => DType::STR,
            DType::VarString { .. } => {
                let charset = if self == Self::FixedAscii { Charset::Ascii } else { Charset::Utf8 };
                *next += 1;
                DType::FixedString { size: sizes.of(*next - 1), charset, padding: Padding::NullPad }
            }
            DType::Array { base, shape } => DType::Array { base: Arc::new(self.target_at(base, sizes, next)?), shape: shape.clone() },
            DType::Compound(c) => {
                let fields =
                    c.fields().iter().map(|f| Ok((f.name.as_str(), self.target_at(&f.dtype, sizes, next)?))).collect::<Result<Vec<_>>>()?;
                // Custom offsets cannot survive another size of the fields: packed stays packed, the rest is laid out as C does.
                DType::Compound(Arc::new(if c.is_packed() { CompoundType::packed(fields)? } else { CompoundType::aligned(fields)? }))
            }
            other => other.clone(),
        })
    }
}

/// The longest string of each string type within a type.
#[derive(Debug, Default)]
pub(crate) struct Sizes(Vec<usize>);

impl Sizes {
    fn enter(&mut self, number: usize, len: usize) {
        if self.0.len() <= number {
            self.0.resize(number + 1, 1);
        }
        if let Some(size) = self.0.get_mut(number) {
            *size = len.max(*size);
        }
    }

    fn of(&self, number: usize) -> usize {
        self.0.get(number).copied().unwrap_or(1)
    }
}

fn slot(element: &[u8], offset: usize) -> u64 {
    let mut raw = [0; 8];
    if let Some(bytes) = element.get(offset..offset + 8) {
        raw.copy_from_slice(bytes);
    }
    u64::from_ne_bytes(raw)
}

/// One step from an element of the old type to one of the new type.
enum Step {
    Copy { from: usize, to: usize, len: usize },
    MoveSlot { from: usize, to: usize },
    ToVariable { from: usize, len: usize, padding: Padding, to: usize },
    ToFixed { from: usize, to: usize, len: usize, charset: Charset },
}

fn plan(from: &DType, at: usize, into: &DType, to: usize, steps: &mut Vec<Step>) -> Result<()> {
    match (from, into) {
        (DType::FixedString { size, padding, .. }, DType::VarString { .. }) => {
            steps.push(Step::ToVariable { from: at, len: *size, padding: *padding, to });
        }
        (DType::VarString { .. }, DType::FixedString { size, charset, .. }) => {
            steps.push(Step::ToFixed { from: at, to, len: *size, charset: *charset });
        }
        (DType::Compound(a), DType::Compound(b)) if from != into => {
            for (x, y) in a.fields().iter().zip(b.fields()) {
                let (x, y): (&Field, &Field) = (x, y);
                plan(&x.dtype, at + x.offset, &y.dtype, to + y.offset, steps)?;
            }
        }
        (DType::Array { base: a, shape }, DType::Array { base: b, .. }) if from != into => {
            for i in 0..shape.iter().product::<usize>() {
                plan(a, at + i * a.itemsize(), b, to + i * b.itemsize(), steps)?;
            }
        }
        _ if from == into => {
            let layout = Layout::of(from);
            steps.extend(layout.runs.iter().map(|r| Step::Copy { from: at + r.offset, to: to + r.offset, len: r.len }));
            steps.extend(layout.slots.iter().map(|s| Step::MoveSlot { from: at + s.offset, to: to + s.offset }));
            debug_assert!(
                layout.slots.iter().all(|s| matches!(s.kind, SlotKind::Str | SlotKind::Seq(_) | SlotKind::Object | SlotKind::Region))
            );
        }
        _ => bail!(Dtype, "elements of type {from} cannot become {into} by a conversion of strings"),
    }
    Ok(())
}

/// The elements under a type that [`StringConversion::target`] made from theirs.
pub(crate) fn apply(array: &AnyArray, target: &DType) -> Result<AnyArray> {
    let Some(shape) = array.extent() else { return Ok(AnyArray::null(target.clone())) };
    let mut steps = Vec::new();
    plan(array.dtype(), 0, target, 0, &mut steps)?;
    let mut out = AnyArray::zeros(target.clone(), shape.to_vec())?;
    let size = target.itemsize();
    let (old, (bytes, heap)) = (array.raw().1, out.raw_mut()?);
    let put = |to: &mut [u8], at: usize, item: Item| -> Result<()> {
        let heap = heap.ok_or_else(|| error!(Dtype, "the converted type has no place for strings"))?;
        if let Some(slot) = to.get_mut(at..at + 8) {
            slot.copy_from_slice(&heap.push(item).to_ne_bytes());
        }
        Ok(())
    };
    for (index, (element, to)) in array.elements().zip(bytes.chunks_exact_mut(size)).enumerate() {
        let from = element.bytes();
        for step in &steps {
            match step {
                Step::Copy { from: at, to: place, len } => to[*place..place + len].copy_from_slice(&from[*at..at + len]),
                Step::MoveSlot { from: at, to: place } => {
                    if let Some(item) = old.and_then(|h| h.get(slot(from, *at))) {
                        put(to, *place, item.clone())?;
                    }
                }
                Step::ToVariable { from: at, len, padding, to: place } => {
                    let text = trim_string(&from[*at..at + len], *padding);
                    if std::str::from_utf8(text).is_err() {
                        bail!(Dtype, "the string of element {index} is not UTF-8 and cannot become variable-length text");
                    }
                    if text.contains(&0) {
                        bail!(Dtype, "the string of element {index} holds a NUL and cannot become variable-length text");
                    }
                    if !text.is_empty() {
                        put(to, *place, Item::Str(text.into()))?;
                    }
                }
                Step::ToFixed { from: at, to: place, len, charset } => {
                    let Some(Item::Str(text)) = old.and_then(|h| h.get(slot(from, *at))) else { continue };
                    if *charset == Charset::Ascii && !text.is_ascii() {
                        return Err(error!(Dtype, "the string of element {index}, {:?}, is not ASCII", String::from_utf8_lossy(text))
                            .remedy("keep the strings as they are, or convert to fixed-length UTF-8"));
                    }
                    if text.len() > *len {
                        bail!(Dtype, "the string of element {index} has {} bytes and does not fit {len}", text.len());
                    }
                    to[*place..place + text.len()].copy_from_slice(text);
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_change_their_form_and_come_back() {
        let text = AnyArray::from_strings(["abc", "", "caf\u{e9}"]);
        let fixed = StringConversion::FixedUtf8.convert(&text).unwrap();
        assert_eq!(fixed.dtype(), &DType::fixed_utf8(5));
        assert_eq!(StringConversion::Variable.convert(&fixed).unwrap(), text);
        assert_eq!(StringConversion::FixedAscii.convert(&text).unwrap_err().kind(), crate::ErrorKind::Dtype);
        assert_eq!(StringConversion::Keep.convert(&text).unwrap(), text);
        let numbers = AnyArray::from(vec![1, 2]);
        assert!(StringConversion::Variable.convert(&numbers).unwrap().shares_memory_with(&numbers));
    }

    #[test]
    fn strings_change_inside_compounds_and_sub_arrays() {
        let inner = DType::compound([("s", DType::fixed_ascii(3)), ("r", DType::ObjectRef)]).unwrap();
        let outer = DType::compound([("n", DType::I16), ("p", DType::array(inner, [2])), ("t", DType::STR)]).unwrap();
        let mut array = AnyArray::zeros(outer.clone(), [2]).unwrap();
        let bytes = array.raw_mut().unwrap().0;
        bytes[0] = 7;
        bytes[2..5].copy_from_slice(b"xyz");
        bytes[13..15].copy_from_slice(b"ab");
        let variable = StringConversion::Variable.convert(&array).unwrap();
        let one = variable.element(0).unwrap();
        assert_eq!(one.field("n").unwrap().bytes()[0], 7);
        let texts: Vec<_> = one.field("p").unwrap().items().map(|i| format!("{:?}", i.field("s").unwrap().slot())).collect();
        assert!(texts[0].contains("120, 121, 122") && texts[1].contains("97, 98"), "{texts:?}");
        let back = StringConversion::FixedAscii.convert(&variable).unwrap();
        let DType::Array { base, .. } = &back.dtype().fields()[1].dtype else { panic!() };
        assert_eq!(base.fields()[0].dtype, DType::fixed_ascii(3), "sub-array items share one type");
        assert_eq!(back.dtype().fields()[2].dtype, DType::fixed_ascii(1), "the empty text takes one byte");
    }
}
