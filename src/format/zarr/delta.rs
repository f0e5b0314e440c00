//! The codec `delta` of numcodecs: each element as its difference from the one before.

use super::carrier::named;
use crate::error::{Result, bail, error};
use serde_json::{Value, json};

/// The name of the codec in version 3.
pub(super) const DELTA: &str = "numcodecs.delta";

/// A type of numbers, by numpy's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    size: usize,
    float: bool,
    signed: bool,
    big: bool,
}

impl Number {
    fn parse(text: &str) -> Result<Self> {
        let parsed = || {
            let (big, rest) = match text.strip_prefix('>') {
                Some(rest) => (true, rest),
                None => (false, text.trim_start_matches(['<', '|', '='])),
            };
            let (kind, size) = rest.split_at_checked(1)?;
            let size = size.parse().ok()?;
            let known = matches!((kind, size), ("i" | "u", 1 | 2 | 4 | 8) | ("f", 4 | 8));
            known.then_some(Self { size, float: kind == "f", signed: kind == "i", big })
        };
        parsed().ok_or_else(|| error!(Unsupported, "the codec 'delta' of elements of type '{text}' is not known here"))
    }

    fn get(self, element: &[u8]) -> u64 {
        let at = |k: usize| u64::from(element.get(if self.big { self.size - 1 - k } else { k }).copied().unwrap_or_default());
        self.normal((0..self.size).fold(0, |n, k| n | at(k) << (8 * k)))
    }

    /// The number that is left of it in so many bytes.
    fn normal(self, n: u64) -> u64 {
        let unused = 64 - 8 * self.size as u32;
        if self.signed { ((n << unused) as i64 >> unused) as u64 } else { n << unused >> unused }
    }

    fn put(self, n: u64, out: &mut Vec<u8>) {
        let bytes = n.to_le_bytes();
        let bytes = bytes.iter().take(self.size);
        if self.big { out.extend(bytes.rev()) } else { out.extend(bytes) }
    }

    fn add(self, a: u64, b: u64) -> u64 {
        match (self.float, self.size) {
            (true, 4) => (f32::from_bits(a as u32) + f32::from_bits(b as u32)).to_bits().into(),
            (true, _) => (f64::from_bits(a) + f64::from_bits(b)).to_bits(),
            _ => self.normal(a.wrapping_add(b)),
        }
    }

    fn subtract(self, a: u64, b: u64) -> u64 {
        match (self.float, self.size) {
            (true, 4) => (f32::from_bits(a as u32) - f32::from_bits(b as u32)).to_bits().into(),
            (true, _) => (f64::from_bits(a) - f64::from_bits(b)).to_bits(),
            _ => self.normal(a.wrapping_sub(b)),
        }
    }
}

/// The codec of one array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta {
    plain: Number,
    differences: Number,
}

impl Delta {
    /// By its configuration; the elements have that byte order, the differences the one that it says.
    pub(super) fn new(configuration: Option<&Value>, big: bool) -> Result<Self> {
        let text = |key: &str| configuration.and_then(|c| c.get(key)).and_then(Value::as_str);
        let Some(dtype) = text("dtype") else { bail!(Corrupt, "the codec 'delta' does not say the type of its elements") };
        let plain = Number { big, ..Number::parse(dtype)? };
        let differences = Number::parse(text("astype").unwrap_or(dtype))?;
        if (plain.float || differences.float) && (plain.float, plain.size) != (differences.float, differences.size) {
            bail!(Unsupported, "the codec 'delta' with differences of another type, one of them of floats, is not known here");
        }
        Ok(Self { plain, differences })
    }

    /// How many bytes so many become.
    pub(super) fn encoded_len(self, len: u64) -> u64 {
        len / self.plain.size as u64 * self.differences.size as u64
    }

    pub(super) fn decode(self, bytes: &[u8]) -> Result<Vec<u8>> {
        if !bytes.len().is_multiple_of(self.differences.size) {
            bail!(Corrupt, "it has {} bytes, and differences of {} each", bytes.len(), self.differences.size);
        }
        let mut out = Vec::with_capacity(bytes.len() / self.differences.size * self.plain.size);
        let mut last = None;
        for element in bytes.chunks_exact(self.differences.size) {
            let n = self.plain.normal(self.differences.get(element));
            let n = last.map_or(n, |last| self.plain.add(last, n));
            self.plain.put(n, &mut out);
            last = Some(n);
        }
        Ok(out)
    }

    pub(super) fn encode(self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() / self.plain.size * self.differences.size);
        let mut last = None;
        for element in bytes.chunks_exact(self.plain.size) {
            let n = self.plain.get(element);
            self.differences.put(last.map_or(n, |last| self.plain.subtract(n, last)), &mut out);
            last = Some(n);
        }
        out
    }
}

/// Puts the codec behind `bytes`, where it stands before that one, as in version 3: it works on the bytes, in the order in which they are stored.
pub(super) fn moved(codecs: &[Value]) -> Option<Vec<Value>> {
    let is = |codec: &Value, wanted: &str| named(codec).is_some_and(|(name, _)| name == wanted);
    let at = codecs.windows(2).position(|pair| matches!(pair, [delta, bytes] if is(delta, DELTA) && is(bytes, "bytes")))?;
    let mut out = codecs.to_vec();
    out.swap(at, at + 1);
    let order = if is_big(&out[at]) { '>' } else { '<' };
    if let Some(configuration) = out[at + 1].get_mut("configuration").and_then(Value::as_object_mut) {
        for key in ["dtype", "astype"] {
            let text =
                configuration.get(key).and_then(Value::as_str).map(|t| format!("{order}{}", t.trim_start_matches(['<', '>', '|', '='])));
            if let Some(text) = text {
                configuration.insert(key.to_owned(), json!(text));
            }
        }
    }
    Some(out)
}

/// True if the codec `bytes` stores the high byte first.
pub(super) fn is_big(bytes: &Value) -> bool {
    named(bytes).and_then(|(_, configuration)| configuration?.get("endian")?.as_str()) == Some("big")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(dtype: &str, astype: &str, big: bool) -> Result<Delta> {
        Delta::new(Some(&json!({ "dtype": dtype, "astype": astype })), big)
    }

    #[test]
    fn differences_come_back() {
        let of = |numbers: &[i32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
        let numbers = of(&[5, 7, -3, i32::MIN, i32::MAX, 0]);
        let same = delta("<i4", "<i4", false).unwrap();
        assert_eq!(same.encode(&of(&[5, 7, -3])), of(&[5, 2, -10]));
        assert_eq!(same.decode(&same.encode(&numbers)).unwrap(), numbers);
        let narrow = delta("<i4", ">i2", false).unwrap();
        assert_eq!(narrow.encode(&of(&[5, 7, -3])), [0, 5, 0, 2, 0xff, 0xf6]);
        assert_eq!(narrow.decode(&[0, 5, 0, 2, 0xff, 0xf6]).unwrap(), of(&[5, 7, -3]));
        assert_eq!(narrow.encoded_len(12), 6);
        let bytes = delta("|u1", "|u1", false).unwrap();
        assert_eq!((bytes.encode(&[3, 5, 4]), bytes.decode(&[3, 2, 255]).unwrap()), (vec![3, 2, 255], vec![3, 5, 4]));
        let floats = delta(">f8", ">f8", true).unwrap();
        let halves: Vec<u8> = [-0.0f64, 1.5, -2.25].iter().flat_map(|n| n.to_be_bytes()).collect();
        assert_eq!(floats.decode(&floats.encode(&halves)).unwrap(), halves);
    }

    #[test]
    fn what_it_cannot_do_is_told() {
        for (dtype, astype) in [("<f8", "<i4"), ("<f2", "<f2"), ("<M8[s]", "<i8"), ("", ""), ("<i3", "<i3"), ("<f8", "<f4")] {
            assert_eq!(delta(dtype, astype, false).unwrap_err().kind(), crate::ErrorKind::Unsupported, "{dtype} {astype}");
        }
        assert_eq!(delta("<i4", "<i4", false).unwrap().decode(&[1, 2, 3]).unwrap_err().kind(), crate::ErrorKind::Corrupt);
        assert!(Delta::new(None, false).is_err());
    }
}
