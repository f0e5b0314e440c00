//! One element, looked at without knowing its type at compile time.

use super::convert::number;
use super::{AnyArray, Item};
use crate::dtype::DType;
use crate::tree::{ObjectRef, RegionRef};
use num_complex::Complex;

/// One element of an array, or a part of it.
///
/// `Display` writes it readably, whatever its type: `1.5`, `1+2j`, `"text"`, `0x00ff`, `{x: 1, name: "a"}`, `[1, 2]`, `ref(/data)`.
///
/// ```
/// use memh5::{AnyArray, DType};
/// let dtype = DType::compound([("id", DType::U8), ("at", DType::array(DType::I8, [2]))])?;
/// let a = AnyArray::from_bytes(dtype, [2], &[1, 10, 11, 2, 20, 21])?;
/// let last = a.element(1).expect("there are two");
/// assert_eq!(last.to_string(), "{id: 2, at: [20, 21]}");
/// assert_eq!(last.field("id").and_then(|id| id.as_u64()), Some(2));
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct ElementRef<'a> {
    pub(crate) array: &'a AnyArray,
    pub(crate) dtype: &'a DType,
    pub(crate) bytes: &'a [u8],
}

impl AnyArray {
    /// The elements in C order.
    ///
    /// ```
    /// let a = memh5::AnyArray::from(vec![1u8, 2]);
    /// let sum: u64 = a.elements().filter_map(|e| e.as_u64()).sum();
    /// assert_eq!(sum, 3);
    /// ```
    pub fn elements(&self) -> impl ExactSizeIterator<Item = ElementRef<'_>> {
        let size = self.dtype.itemsize();
        let bytes = self.buffer.as_slice();
        (0..self.len()).map(move |i| ElementRef { array: self, dtype: &self.dtype, bytes: &bytes[i * size..(i + 1) * size] })
    }

    /// The element at a place in C order; `None` past the end.
    pub fn element(&self, at: usize) -> Option<ElementRef<'_>> {
        if at >= self.len() {
            return None;
        }
        let size = self.dtype.itemsize();
        let bytes = self.buffer.as_slice().get(at * size..(at + 1) * size)?;
        Some(ElementRef { array: self, dtype: &self.dtype, bytes })
    }
}

impl<'a> ElementRef<'a> {
    /// Its type.
    pub fn dtype(&self) -> &'a DType {
        self.dtype
    }

    /// The field of a compound; `None` if there is none of that name.
    pub fn field(&self, name: &str) -> Option<ElementRef<'a>> {
        let DType::Compound(c) = self.dtype else { return None };
        let f = c.field(name)?;
        Some(self.part(&f.dtype, f.offset))
    }

    /// The fields of a compound with their names, in the order of the type; none for another type.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&'a str, ElementRef<'a>)> + use<'a> {
        let this = *self;
        self.dtype.fields().iter().map(move |f| (f.name.as_str(), this.part(&f.dtype, f.offset)))
    }

    /// The items of a sub-array in C order, or those of a sequence; none for another type.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ElementRef<'a>> + use<'a> {
        let (array, base, bytes) = match (self.dtype, self.slot()) {
            (DType::Array { base, .. }, _) => (self.array, &**base, self.bytes),
            (DType::VarSeq(_), Some(Item::Seq(items))) => (&**items, items.dtype(), items.buffer.as_slice()),
            _ => (self.array, self.dtype, &[][..]),
        };
        bytes.chunks_exact(base.itemsize().max(1)).map(move |bytes| ElementRef { array, dtype: base, bytes })
    }

    /// The bytes, numbers in the machine's order. (For what has no fixed size, those of its slot.)
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The part of a type at an offset.
    pub(crate) fn part(&self, dtype: &'a DType, offset: usize) -> ElementRef<'a> {
        ElementRef { array: self.array, dtype, bytes: &self.bytes[offset..offset + dtype.itemsize()] }
    }

    /// The item of a slot; `None` for what is empty or null, and for a type without a slot.
    pub(crate) fn slot(&self) -> Option<&'a Item> {
        match self.dtype {
            DType::VarString { .. } | DType::VarSeq(_) | DType::ObjectRef | DType::RegionRef => self.array.item(self.bytes, 0),
            _ => None,
        }
    }

    /// The value of an integer, bool, bit field or enumeration.
    pub(crate) fn integer(&self) -> Option<i128> {
        match self.dtype {
            DType::Int(t) | DType::BitField(t) => Some(number::read_int(*t, self.bytes)),
            DType::Enum(e) => Some(number::read_int(e.base, self.bytes)),
            DType::Bool => self.bytes.first().map(|b| i128::from(*b)),
            _ => None,
        }
    }

    /// The value of an integer, bool, bit field or enumeration that fits; `None` for another type.
    pub fn as_i64(&self) -> Option<i64> {
        self.integer()?.try_into().ok()
    }

    /// The value of an integer, bool, bit field or enumeration that fits; `None` for another type.
    pub fn as_u64(&self) -> Option<u64> {
        self.integer()?.try_into().ok()
    }

    /// The value of a real number, or the f64 next to it; `None` for another type.
    pub fn as_f64(&self) -> Option<f64> {
        match self.dtype {
            DType::Float(t) => Some(number::read_float(t.width, self.bytes).0),
            DType::Int(_) | DType::Bool => Some(self.integer()? as f64),
            _ => None,
        }
    }

    /// The value of a real or complex number, or the one next to it; `None` for another type.
    ///
    /// ```
    /// use num_complex::Complex;
    /// let a = memh5::AnyArray::from(Complex::new(1.0f32, 2.0));
    /// assert_eq!(a.element(0).and_then(|e| e.as_complex()), Some(Complex::new(1.0, 2.0)));
    /// ```
    pub fn as_complex(&self) -> Option<Complex<f64>> {
        match self.dtype {
            DType::Complex(t) => {
                let (re, im) = self.bytes.split_at(t.width.size());
                Some(Complex::new(number::read_float(t.width, re).0, number::read_float(t.width, im).0))
            }
            _ => self.as_f64().map(Complex::from),
        }
    }

    /// The value of a bool; `None` for another type, and if it is neither FALSE nor TRUE.
    pub fn as_bool(&self) -> Option<bool> {
        match (self.dtype, self.bytes) {
            (DType::Bool, [0]) => Some(false),
            (DType::Bool, [1]) => Some(true),
            _ => None,
        }
    }

    /// The text of a string; `None` for another type, and if it is not UTF-8.
    ///
    /// ```
    /// let a = memh5::AnyArray::from("text");
    /// assert_eq!(a.element(0).and_then(|e| e.as_str()), Some("text"));
    /// ```
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.string_bytes()?).ok()
    }

    /// The bytes of a string, without terminator and padding.
    pub(crate) fn string_bytes(&self) -> Option<&'a [u8]> {
        self.array.string_bytes(self.dtype, self.bytes)
    }

    /// The bytes of a string (without terminator and padding), of opaque data, or of a foreign type; `None` for another type.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self.dtype {
            DType::Opaque { .. } | DType::Foreign(_) => Some(self.bytes),
            _ => self.string_bytes(),
        }
    }

    /// The name of an enumeration's member (of a bool, `FALSE` or `TRUE`); `None` for another type, and if the value is no member.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// let colour = DType::enumeration(DType::U8, [("RED", 0), ("BLUE", 7)])?;
    /// let a = AnyArray::from_bytes(colour, [2], &[7, 9])?;
    /// assert_eq!(a.element(0).and_then(|e| e.as_member()), Some("BLUE"));
    /// assert_eq!(a.element(1).and_then(|e| e.as_member()), None);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn as_member(&self) -> Option<&'a str> {
        match self.dtype {
            DType::Enum(e) => {
                let value = self.integer()?;
                e.members.iter().find(|(_, v)| *v == value).map(|(n, _)| n.as_str())
            }
            DType::Bool => self.as_bool().map(|b| if b { "TRUE" } else { "FALSE" }),
            _ => None,
        }
    }

    /// An object reference, perhaps the null one; `None` for another type.
    pub fn as_reference(&self) -> Option<ObjectRef> {
        match (self.dtype, self.slot()) {
            (DType::ObjectRef, Some(Item::Object(r))) => Some(r.clone()),
            (DType::ObjectRef, _) => Some(ObjectRef::null()),
            _ => None,
        }
    }

    /// A region reference, perhaps the null one; `None` for another type.
    pub fn as_region(&self) -> Option<RegionRef> {
        match (self.dtype, self.slot()) {
            (DType::RegionRef, Some(Item::Region(r))) => Some((**r).clone()),
            (DType::RegionRef, _) => Some(RegionRef::null()),
            _ => None,
        }
    }

    /// A sequence as a one-dimensional array that shares its elements; `None` for another type.
    pub fn as_sequence(&self) -> Option<AnyArray> {
        match (self.dtype, self.slot()) {
            (DType::VarSeq(_), Some(Item::Seq(items))) => Some((**items).clone()),
            (DType::VarSeq(base), _) => AnyArray::zeros((**base).clone(), [0]).ok(),
            _ => None,
        }
    }
}
