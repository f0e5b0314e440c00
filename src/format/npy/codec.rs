//! Elements between the file and memory: byte orders, and the characters of text.

use crate::dtype::{Charset, DType, Order};
use crate::error::{Result, error};
use std::borrow::Cow;

/// What differs at a place of an element.
#[derive(Debug, Clone, PartialEq)]
enum Fix {
    /// A number in the other byte order.
    Swap { offset: usize, size: usize },
    /// So many characters, four bytes each.
    Text { offset: usize, chars: usize, order: Order },
}

/// How elements of one type get from a file to memory and back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Codec {
    itemsize: usize,
    fixes: Vec<Fix>,
    /// All that is to be done is to swap numbers of one size that fill the element.
    uniform: Option<usize>,
}

impl Codec {
    /// The codec of a type that a header describes; text has the given byte order.
    pub(super) fn new(dtype: &DType, text: Order) -> Self {
        let mut fixes = Vec::new();
        collect(dtype, 0, text, &mut fixes);
        let itemsize = dtype.itemsize();
        let uniform = match fixes.first() {
            Some(Fix::Swap { size, .. }) => {
                let all = fixes.iter().enumerate().all(|(k, f)| *f == Fix::Swap { offset: k * size, size: *size });
                (all && fixes.len() * size == itemsize).then_some(*size)
            }
            _ => None,
        };
        Self { itemsize, fixes, uniform }
    }

    /// True if the bytes are the same in the file and in memory.
    pub(super) fn is_plain(&self) -> bool {
        self.fixes.is_empty()
    }

    /// The bytes for the file.
    ///
    /// # Errors
    /// `Dtype` if a text has more characters than there is room for, or is no UTF-8.
    pub(super) fn encode<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>> {
        if self.is_plain() {
            return Ok(Cow::Borrowed(bytes));
        }
        let mut out = bytes.to_vec();
        if self.swap_all(&mut out) {
            return Ok(Cow::Owned(out));
        }
        for (index, element) in out.chunks_exact_mut(self.itemsize.max(1)).enumerate() {
            for fix in &self.fixes {
                match fix {
                    Fix::Swap { offset, size } => element[*offset..offset + size].reverse(),
                    Fix::Text { offset, chars, order } => {
                        write_text(&mut element[*offset..offset + 4 * chars], *order)
                            .map_err(|why| error!(Dtype, "element {index} {why} of the {chars} characters that the file has room for"))?;
                    }
                }
            }
        }
        Ok(Cow::Owned(out))
    }

    /// Turns the bytes of a file into those of memory.
    ///
    /// # Errors
    /// `Corrupt` if a text holds what is no character.
    pub(super) fn decode(&self, bytes: &mut [u8]) -> Result<()> {
        if self.is_plain() || self.swap_all(bytes) {
            return Ok(());
        }
        for (index, element) in bytes.chunks_exact_mut(self.itemsize.max(1)).enumerate() {
            for fix in &self.fixes {
                match fix {
                    Fix::Swap { offset, size } => element[*offset..offset + size].reverse(),
                    Fix::Text { offset, chars, order } => {
                        read_text(&mut element[*offset..offset + 4 * chars], *order)
                            .ok_or_else(|| error!(Corrupt, "the text of element {index} holds what is no character"))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn swap_all(&self, bytes: &mut [u8]) -> bool {
        let Some(size) = self.uniform else { return false };
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        true
    }
}

fn collect(dtype: &DType, offset: usize, text: Order, out: &mut Vec<Fix>) {
    let mut number = |order: Order, size: usize, count: usize| {
        if order != Order::NATIVE && size > 1 {
            out.extend((0..count).map(|k| Fix::Swap { offset: offset + k * size, size }));
        }
    };
    match dtype {
        DType::Int(t) => number(t.order, t.size.into(), 1),
        DType::Float(t) => number(t.order, t.width.size(), 1),
        DType::Complex(t) => number(t.order, t.width.size(), 2),
        DType::FixedString { size, charset: Charset::Utf8, .. } => out.push(Fix::Text { offset, chars: size / 4, order: text }),
        DType::Compound(c) => c.fields().iter().for_each(|f| collect(&f.dtype, offset + f.offset, text, out)),
        DType::Array { base, shape } => {
            let count: usize = shape.iter().product();
            (0..count).for_each(|k| collect(base, offset + k * base.itemsize(), text, out));
        }
        _ => {}
    }
}

/// UTF-8 to four bytes for each character, in place.
fn write_text(bytes: &mut [u8], order: Order) -> std::result::Result<(), &'static str> {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |i| i + 1);
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| "is no UTF-8 text, so none")?.to_owned();
    if text.chars().count() > bytes.len() / 4 {
        return Err("has more characters, so not all");
    }
    bytes.fill(0);
    for (place, c) in bytes.chunks_exact_mut(4).zip(text.chars()) {
        place.copy_from_slice(&match order {
            Order::Little => (c as u32).to_le_bytes(),
            Order::Big => (c as u32).to_be_bytes(),
        });
    }
    Ok(())
}

/// Four bytes for each character to UTF-8, in place.
fn read_text(bytes: &mut [u8], order: Order) -> Option<()> {
    let mut text = String::with_capacity(bytes.len());
    for place in bytes.chunks_exact(4) {
        let place: [u8; 4] = place.try_into().ok()?;
        text.push(char::from_u32(match order {
            Order::Little => u32::from_le_bytes(place),
            Order::Big => u32::from_be_bytes(place),
        })?);
    }
    let text = text.trim_end_matches('\0');
    bytes.fill(0);
    bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_text_go_there_and_back() {
        for order in [Order::Little, Order::Big] {
            let dtype = DType::compound([
                ("n", DType::I32.with_order(order)),
                ("t", DType::fixed_utf8(8)),
                ("z", DType::array(DType::C64.with_order(order), [2])),
            ])
            .unwrap();
            let codec = Codec::new(&dtype, order);
            let mut element = vec![1, 2, 3, 4];
            element.extend("é€".as_bytes());
            element.extend([0, 0, 0]);
            element.extend(5..21);
            let stored = codec.encode(&element).unwrap().into_owned();
            let e_acute = if order == Order::Little { [0xe9, 0, 0, 0] } else { [0, 0, 0, 0xe9] };
            assert_eq!(stored[4..8], e_acute);
            assert_eq!(stored[0] == 4, order != Order::NATIVE);
            let mut back = stored;
            codec.decode(&mut back).unwrap();
            assert_eq!(back, element);
        }
        let two = Codec::new(&DType::fixed_utf8(8), Order::Little);
        assert!(two.encode(b"abc\0\0\0\0\0").is_err());
        assert!(two.encode(b"\xff\0\0\0\0\0\0\0").is_err());
        assert!(two.decode(&mut [0xff; 8]).is_err());
        assert_eq!(Codec::new(&DType::F64.with_order(Order::Big), Order::Little).uniform, (Order::NATIVE != Order::Big).then_some(8));
        assert!(Codec::new(&DType::F64, Order::Little).is_plain());
    }
}
