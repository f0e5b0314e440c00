//! What a product is: its kind, its element types, its widths.

use crate::dtype::DType;
use crate::error::{Error, ErrorKind, Result, bail, error};
use std::fmt;

/// How a product is stored: the rows of the table of section 1.4 of spine's layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProductKind {
    /// One number or text per event: spine's scalar.
    Scalar,
    /// One array per event, of one axis (spine's vector) or two (tensor): [`store`](super::StageHdf5Writer#storing).
    Array,
    /// A list of any number of arrays of one width per event: spine's flat list.
    Flat,
    /// A list of k arrays, each of its own width, per event: spine's jagged list.
    Jagged,
    /// One object per event.
    Object,
    /// A list of objects per event.
    Objects,
}

impl ProductKind {
    /// The name, as messages and the recorded schema have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Array => "array",
            Self::Flat => "flat",
            Self::Jagged => "jagged",
            Self::Object => "object",
            Self::Objects => "objects",
        }
    }

    /// What the attribute `scalar` says: true if an event has one value, and not a number of rows.
    pub fn is_scalar(self) -> bool {
        matches!(self, Self::Scalar | Self::Object)
    }
}

impl fmt::Display for ProductKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The type of one dataset of a product, and its width: `None` for rows that are single elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementFormat {
    /// The type of the elements.
    pub dtype: DType,
    /// The elements of a row; `None` if the dataset has one axis.
    pub width: Option<usize>,
}

impl ElementFormat {
    /// The shape of that many rows.
    pub(crate) fn shape(&self, rows: usize) -> Vec<usize> {
        [rows].into_iter().chain(self.width).collect()
    }
}

impl fmt::Display for ElementFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            None => write!(f, "{}", self.dtype),
            Some(width) => write!(f, "{}[{width}]", self.dtype),
        }
    }
}

/// How a product is stored, decided by the first batch of a stage and the same in every later one.
///
/// In spine it is the dataclass `DataFormat` (`dtype`, `class_name`, `width`, `merge`, `scalar`): `merge` is the difference between
/// [`Flat`](ProductKind::Flat) and [`Jagged`](ProductKind::Jagged), `width` that of the [`elements`](DataFormat::elements).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFormat {
    kind: ProductKind,
    elements: Vec<ElementFormat>,
    class_name: Option<String>,
    /// What the product says of itself, as YAML, and what belongs to it: version 2 only.
    pub(super) metadata: Option<String>,
    pub(super) parts: Vec<(String, DataFormat)>,
}

impl DataFormat {
    pub(crate) fn new(kind: ProductKind, elements: Vec<ElementFormat>) -> Self {
        Self { kind, elements, class_name: None, metadata: None, parts: Vec::new() }
    }

    pub(crate) fn of_class(kind: ProductKind, dtype: DType, class_name: String) -> Self {
        Self { class_name: Some(class_name), ..Self::new(kind, vec![ElementFormat { dtype, width: None }]) }
    }

    /// The format with what another one says of itself, and its parts.
    pub(crate) fn typed_as(self, other: &DataFormat) -> Self {
        Self { metadata: other.metadata.clone(), parts: other.parts.clone(), ..self }
    }

    /// True if it says something of itself, or has parts: only version 2 has a place for these.
    pub fn is_typed(&self) -> bool {
        self.metadata.is_some() || !self.parts.is_empty()
    }

    /// How an event's value is stored.
    pub fn kind(&self) -> ProductKind {
        self.kind
    }

    /// The type and width of each dataset of elements: k for a jagged list, else one.
    pub fn elements(&self) -> &[ElementFormat] {
        &self.elements
    }

    /// The type of the elements; of a jagged list, that of the first array.
    pub fn dtype(&self) -> &DType {
        // A format is never made without elements but for a jagged list of no array, which Product refuses.
        self.elements.first().map_or(&DType::U8, |e| &e.dtype)
    }

    /// The name of the class of objects.
    pub fn class_name(&self) -> Option<&str> {
        self.class_name.as_deref()
    }

    /// Refuses another format where this one is expected.
    pub(crate) fn expect(&self, other: &DataFormat) -> Result<()> {
        if self.kind != other.kind {
            bail!(Dtype, "it is {self} in this stage, and {other} in this batch");
        }
        if self.class_name != other.class_name {
            let class = |f: &DataFormat| f.class_name.clone().unwrap_or_default();
            bail!(Dtype, "its objects are of the class {} in this stage, and of {} in this batch", class(self), class(other));
        }
        if self.elements.len() != other.elements.len() {
            bail!(
                Shape,
                "an event has a list of {} arrays in this stage, and of {} in this batch",
                self.elements.len(),
                other.elements.len()
            );
        }
        for (at, (own, new)) in self.elements.iter().zip(&other.elements).enumerate() {
            let which = if self.elements.len() > 1 { format!("array {at} of its lists") } else { "it".into() };
            if !own.dtype.same_values(&new.dtype) {
                return Err(error!(Dtype, "{which} has elements of type {} in this stage, and of {} in this batch", own.dtype, new.dtype)
                    .remedy("convert them with astype before they are put into the batch: nothing is converted silently"));
            }
            if own.width != new.width {
                let word = |w: Option<usize>| w.map_or("one axis".to_owned(), |w| format!("rows of {w}"));
                bail!(Shape, "{which} has {} in this stage, and {} in this batch", word(own.width), word(new.width));
            }
        }
        if self.metadata != other.metadata {
            return Err(error!(Dtype, "it says of itself something else in this stage than in this batch")
                .remedy("give all batches the same metadata: what differs from event to event goes into a part"));
        }
        let names = |f: &DataFormat| f.parts.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
        if names(self) != names(other) {
            bail!(Dtype, "it has the parts {:?} in this stage, and {:?} in this batch", names(self), names(other));
        }
        for ((name, own), (_, new)) in self.parts.iter().zip(&other.parts) {
            own.expect(new).map_err(|e| Error::new(e.kind(), format!("its part '{name}' does not fit")).because(e))?;
        }
        Ok(())
    }

    /// The format as it is recorded.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let elements: Vec<String> = self.elements.iter().map(ToString::to_string).collect();
        let mut out = serde_json::json!({ "kind": self.kind.as_str(), "elements": elements });
        if let (Some(class), Some(map)) = (&self.class_name, out.as_object_mut()) {
            map.insert("class_name".into(), class.clone().into());
        }
        if let (Some(metadata), Some(map)) = (&self.metadata, out.as_object_mut()) {
            map.insert("metadata".into(), metadata.clone().into());
        }
        if let (false, Some(map)) = (self.parts.is_empty(), out.as_object_mut()) {
            map.insert("parts".into(), self.parts.iter().map(|(n, f)| (n.clone(), f.to_json())).collect::<serde_json::Map<_, _>>().into());
        }
        out
    }
}

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements: Vec<String> = self.elements.iter().map(ToString::to_string).collect();
        write!(f, "{} of {}", self.kind, elements.join(", "))?;
        match &self.class_name {
            Some(class) => write!(f, " ({class})"),
            None => Ok(()),
        }
    }
}

/// Checks the name of a stage or a product: one part of a path, and none of the names that the layout uses itself.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    let bad = |why: &str| Err(Error::new(ErrorKind::InvalidName, format!("{name:?} cannot be the name of a {what}: {why}")));
    match name {
        "" | "." | ".." => bad("it names nothing"),
        n if n.contains('/') => bad("a name with a slash would be a path"),
        n if n.contains('\0') => bad("it holds a NUL"),
        "info" | "events" if what == "product" => bad("the layout of a stage uses it"),
        _ => Ok(()),
    }
}
