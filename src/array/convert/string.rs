//! Text into string types.

use crate::array::{Arena, Item, select};
use crate::dtype::layout::trim_string;
use crate::dtype::{Cast, Charset, DType, Padding};

/// Writes text into an element of a string type whose bytes are zero. Says what is wrong if it does not fit.
pub(crate) fn encode(text: &[u8], to: &DType, out: &mut [u8], heap: Option<&Arena>, cast: Cast) -> Result<(), String> {
    let (charset, padding) = match to {
        DType::FixedString { charset, padding, .. } => (*charset, Some(*padding)),
        DType::VarString { charset, .. } => (*charset, None),
        _ => return Err(format!("{to} is no string type")),
    };
    match charset {
        Charset::Ascii if !text.is_ascii() => return Err("is not ASCII".into()),
        Charset::Utf8 if std::str::from_utf8(text).is_err() => return Err("is not UTF-8".into()),
        _ => {}
    }
    let Some(padding) = padding else {
        if text.contains(&0) {
            return Err("holds a NUL, which a variable-length string cannot".into());
        }
        if let (false, Some(heap)) = (text.is_empty(), heap) {
            select::set_slot(out, 0, heap.push(Item::Str(text.into())));
        }
        return Ok(());
    };
    // A terminated string keeps a byte for its NUL, as the HDF5 library has it.
    let room = if padding == Padding::NullTerm { out.len().saturating_sub(1) } else { out.len() };
    let mut text = text;
    if text.len() > room {
        if cast != Cast::Saturate {
            let terminator = if padding == Padding::NullTerm { " and a terminator" } else { "" };
            return Err(format!("has {} bytes{terminator}, more than fit", text.len()));
        }
        text = &text[..boundary(text, room)];
    }
    let blank = if padding == Padding::SpacePad { b' ' } else { 0 };
    out.fill(blank);
    if let Some(head) = out.get_mut(..text.len()) {
        head.copy_from_slice(text);
    }
    if cast != Cast::Saturate && trim_string(out, padding) != text {
        return Err(match padding {
            Padding::SpacePad => "ends in a blank, which blank padding swallows".into(),
            Padding::NullTerm => "holds a NUL, where a terminated string ends".to_owned(),
            Padding::NullPad => "ends in a NUL, which NUL padding swallows".into(),
        });
    }
    Ok(())
}

/// The last place at or before `room` where UTF-8 text can be cut.
fn boundary(text: &[u8], room: usize) -> usize {
    let mut at = room;
    // A byte 10xxxxxx continues a character; at most three do.
    while at > 0 && room - at < 4 && text[at] & 0xc0 == 0x80 {
        at -= 1;
    }
    if text[at] & 0xc0 == 0x80 { room } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(size: usize, charset: Charset, padding: Padding) -> DType {
        DType::FixedString { size, charset, padding }
    }

    #[test]
    fn pads_and_refuses() {
        let mut out = [0; 4];
        let dtype = fixed(4, Charset::Ascii, Padding::SpacePad);
        encode(b"ab", &dtype, &mut out, None, Cast::Exact).unwrap();
        assert_eq!(&out, b"ab  ");
        assert!(encode(b"a ", &dtype, &mut out, None, Cast::Exact).unwrap_err().contains("blank"));
        assert!(encode("é".as_bytes(), &dtype, &mut out, None, Cast::Exact).unwrap_err().contains("ASCII"));
        let dtype = fixed(4, Charset::Utf8, Padding::NullTerm);
        assert!(encode(b"abcd", &dtype, &mut out, None, Cast::Exact).unwrap_err().contains("terminator"));
        assert!(encode(b"a\0b", &dtype, &mut out, None, Cast::Exact).unwrap_err().contains("NUL"));
        assert!(encode(&[0xff], &dtype, &mut out, None, Cast::Exact).unwrap_err().contains("UTF-8"));
    }

    #[test]
    fn truncates_at_a_character() {
        let mut out = [9; 4];
        encode("aaaé".as_bytes(), &fixed(4, Charset::Utf8, Padding::NullPad), &mut out, None, Cast::Saturate).unwrap();
        assert_eq!(&out, b"aaa\0");
        encode("a€€".as_bytes(), &fixed(4, Charset::Utf8, Padding::NullPad), &mut out, None, Cast::Saturate).unwrap();
        assert_eq!(&out, "a€".as_bytes());
        encode("abcdef".as_bytes(), &fixed(4, Charset::Utf8, Padding::NullTerm), &mut out, None, Cast::Saturate).unwrap();
        assert_eq!(&out, b"abc\0");
    }
}
