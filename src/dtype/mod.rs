//! Element types known at run time, with h5py's conventions.
//!
//! A [`DType`] says both what an element *is* and how it is *stored*: its byte order, its character set and padding, the
//! offsets of a compound's fields. In memory numbers are always in the machine's own order, whatever the stored order is.
//!
//! # In memory
//! Every element takes [`DType::itemsize`] bytes, with the same layout that the HDF5 library uses for it. What has no fixed size
//! (a variable-length string or sequence, a reference) takes a *slot* there, of 8, 16 or 12 bytes.

mod cast;
mod compound;
mod display;
pub(crate) mod layout;
mod parse;

pub use cast::{Cast, can_cast};
pub use compound::{CompoundType, Field};

use crate::error::{Result, bail};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The byte order in which numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl Order {
    /// The order of this machine.
    pub const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
}

/// An integer type: 1, 2, 4 or 8 bytes.
///
/// A single byte has no order: two types of one byte are equal whatever order a file states for them.
///
/// ```
/// use memh5::dtype::{IntType, Order};
/// let int = |size, order| IntType { size, signed: true, order };
/// assert_eq!(int(1, Order::Big), int(1, Order::Little));
/// assert_ne!(int(2, Order::Big), int(2, Order::Little));
/// ```
#[derive(Debug, Clone, Copy, Eq)]
pub struct IntType {
    /// Bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// Two's complement if true.
    pub signed: bool,
    /// The byte order on disk.
    pub order: Order,
}

impl IntType {
    /// What makes one integer type another one.
    fn key(self) -> (u8, bool, Option<Order>) {
        (self.size, self.signed, (self.size > 1).then_some(self.order))
    }
}

impl PartialEq for IntType {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Hash for IntType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// The width of a floating-point number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FloatWidth {
    /// IEEE half precision, 2 bytes.
    F16,
    /// IEEE single precision, 4 bytes.
    F32,
    /// IEEE double precision, 8 bytes.
    F64,
    /// The 80-bit long double of x86 in 16 bytes: carried as bytes, converted on request.
    LongDouble,
}

impl FloatWidth {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::LongDouble => 16,
        }
    }
}

/// A floating-point type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FloatType {
    /// The width.
    pub width: FloatWidth,
    /// The byte order on disk.
    pub order: Order,
}

/// The character set of a string type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// ASCII. (Many programs put other bytes there; they are carried unchanged.)
    Ascii,
    /// UTF-8.
    Utf8,
}

/// How a string ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// At the first NUL, as in C.
    NullTerm,
    /// Filled up with NULs, as numpy's `S` type.
    NullPad,
    /// Filled up with blanks, as in Fortran.
    SpacePad,
}

/// An enumeration: names for the values of an integer type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnumType {
    /// The integer type below.
    pub base: IntType,
    /// The names and values, in the order of the type.
    pub members: Vec<(String, i128)>,
}

/// A type of a file that has no counterpart here; its elements are carried as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForeignType {
    /// What it is, for messages: "a 24-bit integer".
    pub description: String,
    /// Bytes of one element.
    pub size: usize,
    /// The format that defines it ("hdf5").
    pub format: &'static str,
    /// The format's own encoding of the type (for HDF5, that of `H5Tencode`).
    pub encoded: Vec<u8>,
}

/// The type of the elements of an array, known at run time.
///
/// Equality is that of the *stored* type: byte order, character set, padding and offsets count. Use
/// [`same_values`](DType::same_values) to ask whether two types hold the same values.
///
/// ```
/// use memh5::DType;
/// let point = DType::compound([("x", DType::F64), ("y", DType::F64), ("name", DType::STR)])?;
/// assert_eq!(point.itemsize(), 24);
/// assert_eq!(DType::F32.to_string(), "<f4");
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// h5py's bool: the enum `FALSE`, `TRUE` over an 8-bit signed integer.
    Bool,
    /// An integer.
    Int(IntType),
    /// A floating-point number.
    Float(FloatType),
    /// h5py's complex: the packed compound `{r, i}` of two floats.
    Complex(FloatType),
    /// A bit field: an unsigned integer by its bits.
    BitField(IntType),
    /// A string of a fixed number of bytes.
    FixedString {
        /// Bytes of one element, at least 1.
        size: usize,
        /// The character set.
        charset: Charset,
        /// How a shorter string is filled up.
        padding: Padding,
    },
    /// A string of any length.
    VarString {
        /// The character set.
        charset: Charset,
        /// How the string ends on disk.
        padding: Padding,
    },
    /// Bytes without meaning, with a tag.
    Opaque {
        /// Bytes of one element, at least 1.
        size: usize,
        /// What the bytes are, in the writer's words.
        tag: Arc<str>,
    },
    /// An enumeration.
    Enum(Arc<EnumType>),
    /// A compound: named fields.
    Compound(Arc<CompoundType>),
    /// A fixed array within an element.
    Array {
        /// The type of its items.
        base: Arc<DType>,
        /// Its dimensions.
        shape: Arc<[usize]>,
    },
    /// A one-dimensional sequence of any length.
    VarSeq(Arc<DType>),
    /// A reference to an object of the same tree.
    ObjectRef,
    /// A reference to a selection of a dataset of the same tree.
    RegionRef,
    /// A type of a file that has no counterpart here.
    Foreign(Arc<ForeignType>),
}

macro_rules! int_consts {
    ($($(#[$doc:meta])* $name:ident = $size:literal, $signed:literal;)*) => {
        $($(#[$doc])* pub const $name: DType = DType::Int(IntType { size: $size, signed: $signed, order: Order::NATIVE });)*
    };
}

impl DType {
    int_consts! {
        /// 8-bit signed integer.
        I8 = 1, true;
        /// 16-bit signed integer.
        I16 = 2, true;
        /// 32-bit signed integer.
        I32 = 4, true;
        /// 64-bit signed integer.
        I64 = 8, true;
        /// 8-bit unsigned integer.
        U8 = 1, false;
        /// 16-bit unsigned integer.
        U16 = 2, false;
        /// 32-bit unsigned integer.
        U32 = 4, false;
        /// 64-bit unsigned integer.
        U64 = 8, false;
    }
    /// Half precision.
    pub const F16: DType = DType::Float(FloatType { width: FloatWidth::F16, order: Order::NATIVE });
    /// Single precision.
    pub const F32: DType = DType::Float(FloatType { width: FloatWidth::F32, order: Order::NATIVE });
    /// Double precision.
    pub const F64: DType = DType::Float(FloatType { width: FloatWidth::F64, order: Order::NATIVE });
    /// Complex of two single-precision numbers (numpy's complex64).
    pub const C64: DType = DType::Complex(FloatType { width: FloatWidth::F32, order: Order::NATIVE });
    /// Complex of two double-precision numbers (numpy's complex128).
    pub const C128: DType = DType::Complex(FloatType { width: FloatWidth::F64, order: Order::NATIVE });
    /// h5py's text: a variable-length UTF-8 string.
    pub const STR: DType = DType::VarString { charset: Charset::Utf8, padding: Padding::NullTerm };

    /// A fixed-length ASCII string as numpy's `S`: filled up with NULs.
    pub fn fixed_ascii(size: usize) -> DType {
        DType::FixedString { size, charset: Charset::Ascii, padding: Padding::NullPad }
    }

    /// A fixed-length UTF-8 string, filled up with NULs; the size counts bytes.
    pub fn fixed_utf8(size: usize) -> DType {
        DType::FixedString { size, charset: Charset::Utf8, padding: Padding::NullPad }
    }

    /// Bytes without meaning, with a tag (at most 255 bytes).
    pub fn opaque(size: usize, tag: &str) -> DType {
        DType::Opaque { size, tag: tag.into() }
    }

    /// A packed compound of the fields.
    ///
    /// # Errors
    /// `Dtype` if there is no field, or two have one name.
    pub fn compound<'n>(fields: impl IntoIterator<Item = (&'n str, DType)>) -> Result<DType> {
        CompoundType::packed(fields).map(|c| DType::Compound(Arc::new(c)))
    }

    /// A compound laid out as a C compiler does.
    ///
    /// # Errors
    /// `Dtype` if there is no field, or two have one name.
    pub fn compound_aligned<'n>(fields: impl IntoIterator<Item = (&'n str, DType)>) -> Result<DType> {
        CompoundType::aligned(fields).map(|c| DType::Compound(Arc::new(c)))
    }

    /// A fixed array within an element.
    ///
    /// ```
    /// assert_eq!(memh5::DType::array(memh5::DType::F32, [2, 3]).itemsize(), 24);
    /// ```
    pub fn array(base: DType, shape: impl Into<Vec<usize>>) -> DType {
        DType::Array { base: Arc::new(base), shape: shape.into().into() }
    }

    /// A sequence of any length.
    ///
    /// ```
    /// assert_eq!(memh5::DType::varseq(memh5::DType::STR).to_string(), "vlen(str)");
    /// ```
    pub fn varseq(base: DType) -> DType {
        DType::VarSeq(Arc::new(base))
    }

    /// An enumeration over an integer type.
    ///
    /// The members `FALSE = 0, TRUE = 1` over an 8-bit signed integer are [`DType::Bool`].
    ///
    /// ```
    /// use memh5::DType;
    /// let colour = DType::enumeration(DType::U8, [("RED", 0), ("BLUE", 7)])?;
    /// assert_eq!(colour.to_string(), "enum |u1 {RED=0, BLUE=7}");
    /// assert!(DType::enumeration(DType::U8, [("RED", 256)]).is_err());
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if the base is no integer, there is no member, two share a name, or a value does not fit.
    pub fn enumeration<'n>(base: DType, members: impl IntoIterator<Item = (&'n str, i128)>) -> Result<DType> {
        let DType::Int(base) = base else { bail!(Dtype, "an enumeration needs an integer type below, not {base}") };
        let members: Vec<(String, i128)> = members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        Self::from_enum(EnumType { base, members })
    }

    /// The dtype of an enumeration; see [`DType::enumeration`].
    pub(crate) fn from_enum(e: EnumType) -> Result<DType> {
        if e.members.is_empty() {
            bail!(Dtype, "an enumeration needs at least one member");
        }
        let bits = u32::from(e.base.size) * 8;
        let (low, high) = if e.base.signed { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
        for (at, (name, value)) in e.members.iter().enumerate() {
            if name.is_empty() || name.contains('\0') {
                bail!(Dtype, "the enumeration member {name:?} has no valid name");
            }
            if !(low..=high).contains(value) {
                bail!(Dtype, "the value {value} of the member '{name}' does not fit {}", DType::Int(e.base));
            }
            if e.members[..at].iter().any(|(n, v)| n == name || v == value) {
                bail!(Dtype, "the enumeration has the member '{name}' or its value {value} twice");
            }
        }
        let boolean = e.base.size == 1
            && e.base.signed
            && e.members.len() == 2
            && e.members[0] == ("FALSE".to_owned(), 0)
            && e.members[1] == ("TRUE".to_owned(), 1);
        Ok(if boolean { DType::Bool } else { DType::Enum(Arc::new(e)) })
    }

    /// Bytes of one element in memory (those of its slot, where the element has no fixed size).
    pub fn itemsize(&self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Int(t) | Self::BitField(t) => t.size.into(),
            Self::Float(t) => t.width.size(),
            Self::Complex(t) => 2 * t.width.size(),
            Self::FixedString { size, .. } | Self::Opaque { size, .. } => *size,
            Self::Enum(e) => e.base.size.into(),
            Self::Compound(c) => c.size(),
            // A type that is too large for the address space is refused by validate, and overflows nothing before.
            Self::Array { base, shape } => shape.iter().fold(base.itemsize(), |size, n| size.saturating_mul(*n)),
            Self::VarString { .. } | Self::ObjectRef => 8,
            Self::VarSeq(_) => 16,
            Self::RegionRef => 12,
            Self::Foreign(f) => f.size,
        }
    }

    /// Bytes of one element in an HDF5 file, where strings and sequences of variable length take 16 and object references 8.
    pub(crate) fn disk_size(&self) -> usize {
        match self {
            Self::VarString { .. } | Self::VarSeq(_) => 16,
            Self::Compound(c) => {
                // The fields in the order of their offsets: each one moves by what those before it grow.
                c.size() + c.fields().iter().map(|f| f.dtype.disk_size() - f.dtype.itemsize()).sum::<usize>()
            }
            Self::Array { base, shape } => base.disk_size() * shape.iter().product::<usize>(),
            _ => self.itemsize(),
        }
    }

    /// The alignment that an element has in a C struct, and that a fresh buffer of it gets.
    pub fn align(&self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Int(t) | Self::BitField(t) => t.size.into(),
            Self::Float(t) | Self::Complex(t) => t.width.size(),
            Self::FixedString { .. } | Self::Opaque { .. } | Self::Foreign(_) => 1,
            Self::Enum(e) => e.base.size.into(),
            Self::Compound(c) => c.fields().iter().map(|f| f.dtype.align()).max().unwrap_or(1),
            Self::Array { base, .. } => base.align(),
            Self::VarString { .. } | Self::ObjectRef | Self::VarSeq(_) => 8,
            Self::RegionRef => 4,
        }
    }

    /// True if an element is all in its own bytes: no variable-length part and no reference.
    pub fn is_plain(&self) -> bool {
        match self {
            Self::VarString { .. } | Self::VarSeq(_) | Self::ObjectRef | Self::RegionRef => false,
            Self::Compound(c) => c.fields().iter().all(|f| f.dtype.is_plain()),
            Self::Array { base, .. } => base.is_plain(),
            _ => true,
        }
    }

    /// True if an object or region reference is anywhere within.
    pub fn has_references(&self) -> bool {
        self.any(&|t| matches!(t, Self::ObjectRef | Self::RegionRef))
    }

    /// True if the condition holds for this type or one within it.
    pub(crate) fn any(&self, condition: &dyn Fn(&DType) -> bool) -> bool {
        condition(self)
            || match self {
                Self::Compound(c) => c.fields().iter().any(|f| f.dtype.any(condition)),
                Self::Array { base, .. } | Self::VarSeq(base) => base.any(condition),
                _ => false,
            }
    }

    /// True for integers, floats, complex numbers, bit fields and bool: what a numeric array can hold.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Bool | Self::Int(_) | Self::Float(_) | Self::Complex(_) | Self::BitField(_))
    }

    /// True for fixed and variable-length strings.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::FixedString { .. } | Self::VarString { .. })
    }

    /// The fields of a compound, else none.
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Compound(c) => c.fields(),
            _ => &[],
        }
    }

    /// The same type with every number, at any depth, stored in that byte order.
    ///
    /// ```
    /// use memh5::{DType, dtype::Order};
    /// let point = DType::compound([("x", DType::F64), ("tags", DType::varseq(DType::I32))])?;
    /// assert_eq!(point.with_order(Order::Big).to_string(), "{x: >f8, tags: vlen(>i4)}");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    #[must_use]
    pub fn with_order(&self, order: Order) -> DType {
        match self {
            Self::Int(t) => Self::Int(IntType { order, ..*t }),
            Self::BitField(t) => Self::BitField(IntType { order, ..*t }),
            Self::Float(t) => Self::Float(FloatType { order, ..*t }),
            Self::Complex(t) => Self::Complex(FloatType { order, ..*t }),
            Self::Enum(e) => Self::Enum(Arc::new(EnumType { base: IntType { order, ..e.base }, members: e.members.clone() })),
            Self::Compound(c) => Self::Compound(Arc::new(c.map(|t| t.with_order(order)))),
            Self::Array { base, shape } => Self::Array { base: Arc::new(base.with_order(order)), shape: shape.clone() },
            Self::VarSeq(base) => Self::VarSeq(Arc::new(base.with_order(order))),
            other => other.clone(),
        }
    }

    /// True if both types hold the same values in the same bytes of memory: equal but for stored byte order and string flavour
    /// (character set, and for variable-length strings the padding).
    ///
    /// ```
    /// use memh5::{DType, dtype::Order};
    /// let big = DType::F64.with_order(Order::Big);
    /// assert!(big != DType::F64 && big.same_values(&DType::F64));
    /// ```
    pub fn same_values(&self, other: &DType) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::BitField(a), Self::BitField(b)) => a.size == b.size && a.signed == b.signed,
            (Self::Float(a), Self::Float(b)) | (Self::Complex(a), Self::Complex(b)) => a.width == b.width,
            (Self::VarString { .. }, Self::VarString { .. }) => true,
            (Self::FixedString { size: a, padding: p, .. }, Self::FixedString { size: b, padding: q, .. }) => a == b && p == q,
            (Self::Enum(a), Self::Enum(b)) => a.base.size == b.base.size && a.base.signed == b.base.signed && a.members == b.members,
            (Self::Compound(a), Self::Compound(b)) => {
                a.size() == b.size()
                    && a.fields().len() == b.fields().len()
                    && a.fields()
                        .iter()
                        .zip(b.fields())
                        .all(|(x, y)| x.name == y.name && x.offset == y.offset && x.dtype.same_values(&y.dtype))
            }
            (Self::Array { base: a, shape: s }, Self::Array { base: b, shape: t }) => s == t && a.same_values(b),
            (Self::VarSeq(a), Self::VarSeq(b)) => a.same_values(b),
            _ => self == other,
        }
    }

    /// Checks what every backend must refuse: sizes of zero, types nested too deep.
    pub(crate) fn validate(&self) -> Result<()> {
        self.validate_at(0)
    }

    fn validate_at(&self, depth: usize) -> Result<()> {
        if depth > 32 {
            bail!(Dtype, "the type is nested more than 32 deep");
        }
        if isize::try_from(self.itemsize()).is_err() {
            bail!(Dtype, "an element of the type is larger than the address space");
        }
        match self {
            Self::FixedString { size: 0, .. } => bail!(Dtype, "a fixed-length string needs at least 1 byte"),
            Self::Opaque { size: 0, .. } => bail!(Dtype, "an opaque type needs at least 1 byte"),
            Self::Opaque { tag, .. } if tag.len() > 255 || tag.contains('\0') => {
                bail!(Dtype, "the tag of an opaque type may have at most 255 bytes and no NUL")
            }
            Self::Array { shape, base } => {
                if shape.is_empty() || shape.len() > 32 || shape.contains(&0) {
                    bail!(Dtype, "a sub-array needs 1 to 32 dimensions, none of length 0, not {shape:?}");
                }
                base.validate_at(depth + 1)
            }
            Self::VarSeq(base) => base.validate_at(depth + 1),
            Self::Compound(c) => c.fields().iter().try_for_each(|f| f.dtype.validate_at(depth + 1)),
            _ => Ok(()),
        }
    }
}
