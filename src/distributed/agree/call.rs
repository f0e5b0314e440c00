//! What a collective call is, for its comparison over the ranks.

use crate::dtype::DType;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};

/// A collective call: what is done, to which object, and everything in which the ranks must not differ.
///
/// ```
/// use memh5::{DType, distributed::Call};
/// let call = Call::new("create the dataset").path("/vis").dtype(&DType::F32).shape(&[8, 2]).note("axis 1");
/// assert_eq!(call.to_string(), "create the dataset '/vis' of <f4 (8, 2), axis 1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    operation: String,
    path: Option<String>,
    rest: String,
}

impl Call {
    /// A call that does this, as a verb phrase: "create the dataset".
    pub fn new(operation: impl Into<String>) -> Self {
        Self { operation: operation.into(), path: None, rest: String::new() }
    }

    /// Names the object.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Adds the element type.
    #[must_use]
    pub fn dtype(mut self, dtype: &DType) -> Self {
        let _ = write!(self.rest, " of {dtype}");
        self
    }

    /// Adds the shape.
    #[must_use]
    pub fn shape(mut self, shape: &[usize]) -> Self {
        let lengths: Vec<_> = shape.iter().map(usize::to_string).collect();
        let comma = if lengths.len() == 1 { "," } else { "" };
        let _ = write!(self.rest, " ({}{comma})", lengths.join(", "));
        self
    }

    /// Adds anything else in which the ranks must not differ.
    #[must_use]
    pub fn note(mut self, note: impl fmt::Display) -> Self {
        let _ = write!(self.rest, ", {note}");
        self
    }

    /// What is done.
    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    /// The path of the object.
    pub(super) fn place(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// 128 bits that differ when the calls do.
    pub(super) fn fingerprint(&self, number: u64, passed: u64) -> [u64; 2] {
        let mut hash = Sha256::new();
        for part in [self.operation.as_str(), self.path.as_deref().unwrap_or("\0"), &self.rest] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(number.to_le_bytes());
        hash.update(passed.to_le_bytes());
        let hash = hash.finalize();
        let word = |from: usize| hash.get(from..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word));
        [word(0), word(8)]
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operation)?;
        if let Some(path) = &self.path {
            write!(f, " '{path}'")?;
        }
        f.write_str(&self.rest)
    }
}
