//! Compound types: named fields at offsets.

use super::DType;
use crate::error::{Result, bail};

/// One field of a compound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: DType,
    /// Where it begins within the element, in bytes.
    pub offset: usize,
}

/// A compound: fields that do not overlap, within a size. Bytes between them are padding and never read as data.
///
/// ```
/// use memh5::DType;
/// use memh5::dtype::{CompoundType, Field};
/// let padded = CompoundType::new(vec![Field { name: "x".into(), dtype: DType::F32, offset: 4 }], 16)?;
/// assert_eq!((padded.size(), padded.is_packed()), (16, false));
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CompoundType {
    fields: Vec<Field>,
    size: usize,
}

impl CompoundType {
    /// A compound of fields at given offsets, in the order given.
    ///
    /// # Errors
    /// `Dtype` if there is no field, two have one name, one has none, fields overlap or reach past the size.
    pub fn new(fields: Vec<Field>, size: usize) -> Result<Self> {
        if fields.is_empty() {
            bail!(Dtype, "a compound needs at least one field");
        }
        let mut spans: Vec<(usize, usize, &str)> = Vec::with_capacity(fields.len());
        let mut names = std::collections::HashSet::new();
        for field in &fields {
            if field.name.is_empty() || field.name.contains('\0') {
                bail!(Dtype, "the compound field {:?} has no valid name", field.name);
            }
            if !names.insert(field.name.as_str()) {
                bail!(Dtype, "the compound has the field '{}' twice", field.name);
            }
            let Some(end) = field.offset.checked_add(field.dtype.itemsize()).filter(|end| *end <= size) else {
                bail!(Dtype, "the compound field '{}' reaches past the size of {size} bytes", field.name);
            };
            spans.push((field.offset, end, &field.name));
        }
        spans.sort_unstable();
        if let Some(pair) = spans.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            bail!(Dtype, "the compound fields '{}' and '{}' overlap", pair[0].2, pair[1].2);
        }
        Ok(Self { fields, size })
    }

    /// A compound without padding.
    ///
    /// ```
    /// use memh5::{DType, dtype::CompoundType};
    /// assert_eq!(CompoundType::packed([("a", DType::U8), ("b", DType::F64)])?.size(), 9);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if there is no field, or two have one name.
    pub fn packed<'n>(fields: impl IntoIterator<Item = (&'n str, DType)>) -> Result<Self> {
        let mut size = 0usize;
        let fields = fields
            .into_iter()
            .map(|(name, dtype)| {
                let offset = size;
                size = size.saturating_add(dtype.itemsize());
                Field { name: name.to_owned(), dtype, offset }
            })
            .collect();
        Self::new(fields, size)
    }

    /// A compound laid out as a C compiler does: each field at a multiple of its alignment.
    ///
    /// ```
    /// use memh5::{DType, dtype::CompoundType};
    /// assert_eq!(CompoundType::aligned([("a", DType::U8), ("b", DType::F64)])?.size(), 16);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if there is no field, or two have one name.
    pub fn aligned<'n>(fields: impl IntoIterator<Item = (&'n str, DType)>) -> Result<Self> {
        let (mut size, mut align) = (0usize, 1usize);
        let fields = fields
            .into_iter()
            .map(|(name, dtype)| {
                let offset = size.checked_next_multiple_of(dtype.align()).unwrap_or(usize::MAX);
                align = align.max(dtype.align());
                size = offset.saturating_add(dtype.itemsize());
                Field { name: name.to_owned(), dtype, offset }
            })
            .collect();
        Self::new(fields, size.checked_next_multiple_of(align).unwrap_or(usize::MAX))
    }

    /// The fields, in the order of the type.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// Bytes of one element.
    pub fn size(&self) -> usize {
        self.size
    }

    /// True if no byte is padding.
    pub fn is_packed(&self) -> bool {
        self.fields.iter().map(|f| f.dtype.itemsize()).fold(0, usize::saturating_add) == self.size
    }

    /// The same fields at the same offsets with their types replaced by ones of the same size.
    pub(crate) fn map(&self, f: impl Fn(&DType) -> DType) -> Self {
        let fields = self.fields.iter().map(|x| Field { name: x.name.clone(), dtype: f(&x.dtype), offset: x.offset }).collect();
        Self { fields, size: self.size }
    }
}
