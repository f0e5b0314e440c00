//! The header of a `.npy` file: magic, version, and a Python dictionary, padded.

use super::descr;
use super::literal::{self, Py};
use crate::dtype::{DType, Order};
use crate::error::{Result, bail, error};
use crate::publish::journal;

/// The first bytes of every file.
pub(super) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// No header is longer; what claims to be is damaged.
const LONGEST: usize = 64 << 20;

/// So many bytes of elements are many.
const LARGE: usize = 1 << 20;

/// What a `.npy` file says about its elements.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NpyHeader {
    /// The type of the elements. Text of numpy (`U`) is a fixed-length UTF-8 string of four bytes for each character.
    pub dtype: DType,
    /// True if the first axis runs fastest.
    pub fortran_order: bool,
    /// The shape.
    pub shape: Vec<usize>,
    /// The version of the format: 1, 2 or 3.
    pub version: u8,
    /// Where the elements begin.
    pub data_offset: usize,
    /// The byte order of text.
    pub(super) text_order: Order,
    /// The type as the file describes it, to be kept when the shape changes.
    pub(super) descr: String,
}

impl NpyHeader {
    /// The header of a new file, with room for axis 0 to grow to any length.
    pub(super) fn new(dtype: DType, shape: &[usize]) -> Result<Self> {
        let descr = descr::describe(&dtype)?;
        let mut header =
            Self { dtype, fortran_order: false, shape: shape.to_vec(), version: 1, data_offset: 0, text_order: Order::NATIVE, descr };
        // The digits that axis 0 may have one day.
        let text = header.dictionary();
        let now = shape.first().map_or(0, |n| n.to_string().len());
        let room = if shape.is_empty() { 0 } else { usize::MAX.to_string().len() - now };
        header.version = match () {
            () if !text.is_ascii() => 3,
            () if text.len() + room + 4096 + 10 <= usize::from(u16::MAX) => 1,
            () => 2,
        };
        let before = header.prefix();
        // Many elements begin with a page of the system's cache: they are copied there and back a fifth faster.
        let unit = if header.data_len()? >= LARGE { 4096 } else { 64 };
        header.data_offset = (before + text.len() + room + 1).next_multiple_of(unit);
        Ok(header)
    }

    /// The bytes before the dictionary.
    fn prefix(&self) -> usize {
        if self.version == 1 { 10 } else { 12 }
    }

    fn dictionary(&self) -> String {
        let order = if self.fortran_order { "True" } else { "False" };
        format!("{{'descr': {}, 'fortran_order': {order}, 'shape': {}, }}", self.descr, shape_text(&self.shape))
    }

    /// The bytes of the header, exactly as many as there are before the elements; `None` if there is no room.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let text = self.dictionary();
        let (prefix, length) = (self.prefix(), self.data_offset.checked_sub(self.prefix())?);
        if text.len() + 1 > length || (self.version < 3 && !text.is_ascii()) {
            return None;
        }
        let mut out = MAGIC.to_vec();
        out.extend([self.version, 0]);
        match self.version {
            1 => out.extend(u16::try_from(length).ok()?.to_le_bytes()),
            _ => out.extend(u32::try_from(length).ok()?.to_le_bytes()),
        }
        debug_assert_eq!(out.len(), prefix);
        out.extend(text.as_bytes());
        out.resize(self.data_offset - 1, b' ');
        out.push(b'\n');
        Some(out)
    }

    /// The bytes of all elements.
    pub(super) fn data_len(&self) -> Result<usize> {
        crate::array::byte_len(&self.shape, self.dtype.itemsize())
    }

    /// The bytes of one index of axis 0.
    pub(super) fn row_len(&self) -> usize {
        self.shape.iter().skip(1).fold(self.dtype.itemsize(), |n, d| n.saturating_mul(*d))
    }

    /// Reads a header; the function gives so many bytes from so far on, or fewer at the end of the file.
    pub(super) fn read(read: &mut dyn FnMut(usize, usize) -> Result<Vec<u8>>) -> Result<Self> {
        // Mostly the header is no longer, and one call is enough.
        let mut first = read(0, 256)?;
        if first.is_empty() {
            return Err(error!(Corrupt, "the file is empty, so it is no .npy file")
                .remedy("remove it, or overwrite; something may have lost its content"));
        }
        if first.starts_with(journal::MARK) {
            return Err(error!(Corrupt, "a writer has changed the file in part, and is at work or died").remedy(
                "with the journal that lies beside it, npy::recover finishes the work, and so does every save and load of a NumpySaver",
            ));
        }
        if !first.starts_with(MAGIC) {
            let what = if first.starts_with(b"PK") { "a zip archive (perhaps an .npz)" } else { "something else" };
            return Err(error!(Corrupt, "this is no .npy file, but {what}").remedy("choose another name, or remove it"));
        }
        let cut = || error!(Corrupt, "the file ends within its header").remedy("get a complete copy of it");
        let version = *first.get(6).ok_or_else(cut)?;
        if !(1..=3).contains(&version) {
            return Err(error!(Unsupported, "the file has version {version} of the format, and 1 to 3 are known"));
        }
        let (prefix, length) = match version {
            1 => (10, first.get(8..10).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes).map(usize::from)),
            _ => (12, first.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).map(|n| n as usize)),
        };
        let length = length.ok_or_else(cut)?;
        if length > LONGEST {
            bail!(Corrupt, "the header says that it has {length} bytes");
        }
        let end = prefix + length;
        if first.len() < end {
            first.extend(read(first.len(), end - first.len())?);
        }
        let bytes = first.get(prefix..end).ok_or_else(cut)?;
        let text = match version {
            3 => std::str::from_utf8(bytes).map_err(|_| error!(Corrupt, "the header is no UTF-8"))?.to_owned(),
            // Latin-1: each byte is a character.
            _ => bytes.iter().map(|b| char::from(*b)).collect(),
        };
        Self::of_text(text.trim_end_matches(['\0', '\n', ' ']), version, end)
    }

    fn of_text(text: &str, version: u8, data_offset: usize) -> Result<Self> {
        let Py::Dict(items) = literal::parse(text)? else { bail!(Corrupt, "the header is no dictionary") };
        let mut known = (None, None, None);
        for (key, value) in &items {
            match key {
                Py::Str(key) if key == "descr" => known.0 = Some(value),
                Py::Str(key) if key == "fortran_order" => known.1 = Some(value),
                Py::Str(key) if key == "shape" => known.2 = Some(value),
                other => bail!(Corrupt, "the header has the entry {other:?}, which means nothing"),
            }
        }
        let (Some(descr), Some(Py::Bool(fortran_order)), Some(shape)) = known else {
            bail!(Corrupt, "the header lacks one of its entries descr, fortran_order and shape")
        };
        let dtype = descr::parse(descr)?;
        let (mut orders, mut text) = (Vec::new(), String::new());
        spell(descr, &mut text, &mut orders);
        if orders.windows(2).any(|pair| pair[0] != pair[1]) {
            bail!(Unsupported, "the fields of the file have text in both byte orders");
        }
        let header = Self {
            dtype,
            fortran_order: *fortran_order,
            shape: shape_of(shape)?,
            version,
            data_offset,
            text_order: orders.first().copied().unwrap_or(Order::NATIVE),
            descr: text,
        };
        if header.shape.len() > 32 {
            bail!(Unsupported, "the array has {} axes, and 32 is the most that are possible here", header.shape.len());
        }
        header.data_len()?;
        Ok(header)
    }
}

/// Writes a literal as it was read, and notes the byte orders of text.
fn spell(value: &Py, out: &mut String, orders: &mut Vec<Order>) {
    let mut items = |open: &str, items: &[Py], close: &str, out: &mut String| {
        out.push_str(open);
        for (k, item) in items.iter().enumerate() {
            if k > 0 {
                out.push_str(", ");
            }
            spell(item, out, orders);
        }
        out.push_str(close);
    };
    match value {
        Py::Tuple(t) => items("(", t, if t.len() == 1 { ",)" } else { ")" }, out),
        Py::List(l) => items("[", l, "]", out),
        Py::Str(s) => {
            match s.as_bytes() {
                [b'<', b'U', ..] => orders.push(Order::Little),
                [b'>', b'U', ..] => orders.push(Order::Big),
                _ => {}
            }
            out.push_str(&literal::quoted(s));
        }
        Py::Int(n) => out.push_str(&n.to_string()),
        Py::Bool(b) => out.push_str(if *b { "True" } else { "False" }),
        Py::Dict(_) => {}
    }
}

/// The shape that a tuple of numbers (or one number) says.
pub(super) fn shape_of(shape: &Py) -> Result<Vec<usize>> {
    let length = |n: &Py| match n {
        Py::Int(n) => usize::try_from(*n).map_err(|_| error!(Corrupt, "the header has an axis of length {n}")),
        other => Err(error!(Corrupt, "the header has an axis of length {other:?}")),
    };
    match shape {
        Py::Tuple(axes) => axes.iter().map(length).collect(),
        one => Ok(vec![length(one)?]),
    }
}

/// A shape as Python writes a tuple.
pub(super) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        many => format!("({})", many.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<NpyHeader> {
        NpyHeader::read(&mut |at, n| Ok(bytes.get(at..(at + n).min(bytes.len())).unwrap_or_default().to_vec()))
    }

    #[test]
    fn headers_go_there_and_back_and_have_room() {
        let point = DType::compound_aligned([("x", DType::I8), ("y", DType::F64.with_order(Order::Big)), ("größe", DType::fixed_utf8(12))])
            .unwrap();
        let many: Vec<String> = (0..5000).map(|i| format!("field number {i}")).collect();
        let wide = DType::compound(many.iter().map(|n| (n.as_str(), DType::U16))).unwrap();
        for (dtype, version) in [(DType::F64, 1), (DType::fixed_ascii(3), 1), (point, 3), (wide, 2)] {
            for shape in [vec![], vec![0], vec![5, 2]] {
                let mut header = NpyHeader::new(dtype.clone(), &shape).unwrap();
                let bytes = header.to_bytes().unwrap();
                assert_eq!((bytes.len() % 64, header.version), (0, version));
                assert_eq!(read(&bytes).unwrap(), header);
                if !shape.is_empty() {
                    header.shape[0] = usize::MAX >> 40;
                    assert_eq!(header.to_bytes().unwrap().len(), bytes.len());
                }
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        use crate::ErrorKind::{Corrupt, Dtype, Unsupported};
        let with = |text: &str| [b"\x93NUMPY\x01\x00".as_slice(), &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat();
        let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n";
        assert_eq!(read(&with(good)).unwrap().shape, [3]);
        for (bytes, kind) in [
            (vec![], Corrupt),
            (b"PK\x03\x04".to_vec(), Corrupt),
            (b"\x93NUMPY".to_vec(), Corrupt),
            (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), Unsupported),
            (with(good)[..40].to_vec(), Corrupt),
            (with("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"), Dtype),
            (with("{'descr': '<f9', 'fortran_order': False, 'shape': (3,), }"), Dtype),
            (with("{'descr': '<f8', 'shape': (3,), }"), Corrupt),
            (with("{'descr': '<f8', 'fortran_order': False, 'shape': (3.5,), }"), Corrupt),
            (with("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 9), }"), crate::ErrorKind::Shape),
            (with("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'x': 1}"), Corrupt),
        ] {
            assert_eq!(read(&bytes).unwrap_err().kind(), kind, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn descriptions_of_numpy() {
        let of = |descr: &str| descr::parse(&literal::parse(descr).unwrap());
        assert_eq!(of("'|b1'").unwrap(), DType::Bool);
        assert_eq!(of("'<U5'").unwrap(), DType::fixed_utf8(20));
        assert_eq!(of("'<M8[ns]'").unwrap(), DType::opaque(8, "NUMPY:<M8[ns]"));
        assert_eq!(of("'|V7'").unwrap(), DType::opaque(7, ""));
        let nested = "[('a', '<i4'), ('', '|V4'), ('b', [('c', '>f4', (2, 3)), ('d', '|S3')]), (('title', 'e'), '<c16')]";
        let dtype = of(nested).unwrap();
        assert_eq!(dtype.itemsize(), 8 + 27 + 16);
        assert_eq!(dtype.fields()[1].offset, 8);
        let again = descr::describe(&dtype).unwrap();
        assert_eq!(descr::parse(&literal::parse(&again).unwrap()).unwrap(), dtype);
        for dtype in [DType::varseq(DType::I8), DType::ObjectRef, DType::array(DType::I8, [2]), DType::opaque(3, "x")] {
            assert_eq!(descr::suited(&dtype, None).unwrap_err().kind(), crate::ErrorKind::Dtype, "{dtype}");
        }
        let strings = AnyArray::from_strings(["a", "äöü"]);
        assert_eq!(descr::suited(&DType::STR, Some(&strings)).unwrap(), DType::fixed_utf8(12));
    }

    use crate::array::AnyArray;
}
