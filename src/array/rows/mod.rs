//! Rows: Rust structs that are the elements of a compound dataset, through serde and so on every build.
//!
//! | Rust | inferred dtype |
//! | --- | --- |
//! | integers, `f32`, `f64`, `bool` | the same |
//! | `String`, `&str`, `char`, an enum without fields | variable-length UTF-8 text; for the enum the variant's name |
//! | a struct, a map with text keys | a packed compound |
//! | `[T; N]`, a tuple of equal types | a sub-array; nested ones get more dimensions |
//! | a tuple of different types | a packed compound with the fields `0`, `1`, .. |
//! | `Vec<T>` | a sequence |
//! | `Some(x)` | that of `x`; a `None` has no place in an element and is an error |
//!
//! With a dtype given, values are converted to it exactly, or refused: a compound of any layout takes a struct's fields by their names, a
//! fixed-length string takes text that fits, an enumeration takes a variant's name or a member's value, a complex dtype takes
//! `num_complex::Complex` (which is a pair to serde, and so a sub-array of 2 when inferred), opaque data take bytes.

mod infer;
mod read;
mod write;

use super::AnyArray;
use crate::dtype::DType;
use crate::error::{Error, Result, bail, error};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// What is wrong with a row: the message, and the field within it.
#[derive(Debug)]
struct RowError {
    /// The names of the fields, the innermost first.
    field: Vec<String>,
    message: String,
}

impl RowError {
    fn new(message: impl Into<String>) -> Self {
        Self { field: Vec::new(), message: message.into() }
    }

    fn within(mut self, field: &str) -> Self {
        self.field.push(field.to_owned());
        self
    }

    fn into_error(mut self, row: usize) -> Error {
        self.field.reverse();
        if self.field.is_empty() {
            error!(Dtype, "row {row}: {}", self.message)
        } else {
            error!(Dtype, "row {row}, field '{}': {}", self.field.join("."), self.message)
        }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for RowError {}
impl serde::ser::Error for RowError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}
impl serde::de::Error for RowError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl AnyArray {
    /// One element for each row; the dtype is inferred from the rows.
    ///
    /// Structs become packed compounds, text is of variable length, `[T; N]` is a sub-array, `Vec<T>` a sequence; `Some(x)` counts as
    /// `x`. Use [`from_rows_as`](AnyArray::from_rows_as) for any other dtype.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Source {
    ///     name: String,
    ///     position: [f64; 2],
    ///     fluxes: Vec<f32>,
    /// }
    /// let sources = vec![Source { name: "Cyg A".into(), position: [299.9, 40.7], fluxes: vec![8.7, 4.2] }];
    /// let a = AnyArray::from_rows(&sources)?;
    /// assert_eq!(a.dtype().to_string(), "{name: str, position: <f8[2], fluxes: vlen(<f4)}");
    /// assert_eq!(a.to_rows::<Source>()?, sources);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype`, with row and field, for what has no dtype: no rows at all, a `None`, an enum variant with fields, a `Vec` that is empty in every row.
    pub fn from_rows<T: Serialize>(rows: &[T]) -> Result<AnyArray> {
        Self::from_rows_as(&infer::dtype_of(rows)?, rows)
    }

    /// One element of the dtype for each row. Values are converted exactly, or refused; a struct's fields find their place by name.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// #[derive(serde::Serialize)]
    /// struct Beam {
    ///     pol: &'static str,
    ///     gain: num_complex::Complex<f64>,
    /// }
    /// let dtype = DType::compound_aligned([("gain", DType::C64), ("pol", DType::fixed_ascii(2))])?;
    /// let a = AnyArray::from_rows_as(&dtype, &[Beam { pol: "XX", gain: num_complex::Complex::new(1.0, 0.5) }])?;
    /// assert_eq!(a.to_string(), r#"[{gain: 1+0.5j, pol: "XX"}]"#);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype`, with row and field, if a value does not fit, a field of the dtype is not in the row, or one of the row not in the dtype.
    pub fn from_rows_as<T: Serialize>(dtype: &DType, rows: &[T]) -> Result<AnyArray> {
        dtype.validate()?;
        let mut array = AnyArray::zeros(dtype.clone(), [rows.len()])?;
        let size = dtype.itemsize();
        let heap = array.heap.clone().unwrap_or_default();
        let bytes = array.buffer.make_mut()?;
        for (i, (row, out)) in rows.iter().zip(bytes.chunks_exact_mut(size.max(1))).enumerate() {
            write::row(row, dtype, out, &heap).map_err(|e| e.into_error(i))?;
        }
        Ok(array)
    }

    /// One Rust value for each element, in C order. A struct's fields are found by name; fields that the struct lacks are ignored.
    ///
    /// Numbers are converted exactly or refused; a complex number is a pair to serde, as `num_complex::Complex` reads it.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// #[derive(serde::Deserialize, PartialEq, Debug)]
    /// struct Point {
    ///     x: f64,
    ///     y: f64,
    /// }
    /// let dtype = DType::compound([("y", DType::F32), ("x", DType::I16), ("note", DType::STR)])?;
    /// assert_eq!(AnyArray::zeros(dtype, [1])?.to_rows::<Point>()?, [Point { x: 0.0, y: 0.0 }]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype`, with row and field, if the struct has a field that the dtype lacks, or a value does not fit. `Shape` for a null dataspace.
    pub fn to_rows<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        if self.is_null() {
            bail!(Shape, "a null dataspace has no rows");
        }
        self.elements().enumerate().map(|(i, element)| read::row(element).map_err(|e| e.into_error(i))).collect()
    }
}
