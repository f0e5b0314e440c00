//! Arrays from Rust values.

use super::{AnyArray, Arena, Buffer, Element, Item, select};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::tree::{ObjectRef, RegionRef};
use ndarray::{ArrayBase, ArrayD, Data, Dimension};
use std::sync::Arc;

/// What can be written: numbers, strings, vectors, `ndarray` arrays and views, [`AnyArray`].
///
/// ```
/// use memh5::array::IntoArray;
/// assert_eq!(vec![1, 2, 3].into_array()?.shape(), [3]);
/// assert!("text".into_array()?.is_scalar());
/// assert_eq!(ndarray::array![[1.0, 2.0]].into_array()?.shape(), [1, 2]);
/// # Ok::<(), memh5::Error>(())
/// ```
pub trait IntoArray {
    /// The array; an owned `ndarray` array in C order and a vector move in without a copy.
    ///
    /// # Errors
    /// `Shape` if it has more than 32 axes.
    fn into_array(self) -> Result<AnyArray>;
}

fn from_vec<T: Element>(v: Vec<T>, shape: Vec<usize>) -> AnyArray {
    AnyArray { dtype: T::DTYPE, shape: Some(shape), buffer: Buffer::from_vec(v), heap: None }
}

impl AnyArray {
    /// An array of variable-length UTF-8 strings.
    ///
    /// ```
    /// let a = memh5::AnyArray::from_strings(["Cyg A", "", "Cas A"]);
    /// assert_eq!(a.to_string(), r#"["Cyg A", "", "Cas A"]"#);
    /// ```
    pub fn from_strings<S: AsRef<str>>(strings: impl IntoIterator<Item = S>) -> AnyArray {
        let (heap, mut bytes) = (Arena::default(), Vec::new());
        for s in strings {
            let s = s.as_ref();
            let number = if s.is_empty() { 0 } else { heap.push(Item::Str(s.as_bytes().into())) };
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        Self::with_slots(DType::STR, heap, bytes)
    }

    /// A one-dimensional array of sequences, each a one-dimensional array of the base type.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// let a = AnyArray::from_sequences(DType::I32, [AnyArray::from(vec![1, 2]), AnyArray::from(vec![3])])?;
    /// assert_eq!(a.to_string(), "[[1, 2], [3]]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` or `Shape` if one is not.
    pub fn from_sequences(base: DType, sequences: impl IntoIterator<Item = AnyArray>) -> Result<AnyArray> {
        let (heap, mut bytes) = (Arena::default(), Vec::new());
        for s in sequences {
            if s.ndim() != 1 || !s.dtype().same_values(&base) {
                bail!(Dtype, "a sequence has to be a one-dimensional array of {base}, not one of {} with shape {:?}", s.dtype(), s.shape());
            }
            let mut slot = [0; 16];
            if !s.is_empty() {
                select::set_slot(&mut slot, 0, heap.push(Item::Seq(Box::new(s))));
            }
            bytes.extend_from_slice(&slot);
        }
        Ok(Self::with_slots(DType::varseq(base), heap, bytes))
    }

    /// A one-dimensional array of object references.
    ///
    /// ```
    /// use memh5::{AnyArray, MemGroup, prelude::*};
    /// let group = MemGroup::new();
    /// let data = group.create_dataset("data").write(vec![1, 2])?;
    /// let a = AnyArray::from_references([data.reference()?]);
    /// assert_eq!(a.to_string(), "[ref(/data)]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn from_references(references: impl IntoIterator<Item = ObjectRef>) -> AnyArray {
        let (heap, mut bytes) = (Arena::default(), Vec::new());
        for r in references {
            let number = if r.is_null() { 0 } else { heap.push(Item::Object(r)) };
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        Self::with_slots(DType::ObjectRef, heap, bytes)
    }

    /// A one-dimensional array of region references.
    ///
    /// ```
    /// use memh5::{AnyArray, MemGroup, prelude::*};
    /// use memh5::tree::{Region, RegionKind, RegionRef};
    /// let group = MemGroup::new();
    /// let data = group.create_dataset("data").write(vec![1, 2, 3])?;
    /// let region = Region { shape: vec![3], kind: RegionKind::Points(vec![vec![2], vec![0]]) };
    /// let a = AnyArray::from_regions([RegionRef { target: data.reference()?, region }]);
    /// assert_eq!(a.to_string(), "[regref(/data, [0:3], 2 points)]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn from_regions(regions: impl IntoIterator<Item = RegionRef>) -> AnyArray {
        let (heap, mut bytes) = (Arena::default(), Vec::new());
        for r in regions {
            let mut slot = [0; 12];
            if !r.is_null() {
                select::set_slot(&mut slot, 0, heap.push(Item::Region(Box::new(r))));
            }
            bytes.extend_from_slice(&slot);
        }
        Self::with_slots(DType::RegionRef, heap, bytes)
    }

    /// The array of elements whose slots hold numbers of the heap.
    pub(crate) fn with_slots(dtype: DType, heap: Arena, bytes: Vec<u8>) -> AnyArray {
        let count = bytes.len() / dtype.itemsize();
        AnyArray { dtype, shape: Some(vec![count]), buffer: Buffer::from_vec(bytes), heap: Some(Arc::new(heap)) }
    }

    /// Makes the only element of a one-element array a scalar.
    pub(crate) fn into_scalar(mut self) -> AnyArray {
        if self.len() == 1 {
            self.shape = Some(Vec::new());
        }
        self
    }
}

impl IntoArray for AnyArray {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self)
    }
}
impl IntoArray for &AnyArray {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.clone())
    }
}

macro_rules! scalars {
    ($($t:ty),*) => {$(
        impl IntoArray for $t {
            fn into_array(self) -> Result<AnyArray> { Ok(from_vec(vec![self], Vec::new())) }
        }
        impl From<$t> for AnyArray {
            fn from(value: $t) -> AnyArray { from_vec(vec![value], Vec::new()) }
        }
    )*};
}
scalars!(bool, i8, i16, i32, i64, u8, u16, u32, u64, half::f16, f32, f64, num_complex::Complex<f32>, num_complex::Complex<f64>);

impl<T: Element> From<Vec<T>> for AnyArray {
    fn from(v: Vec<T>) -> AnyArray {
        let shape = vec![v.len()];
        from_vec(v, shape)
    }
}
impl<T: Element> IntoArray for Vec<T> {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.into())
    }
}
impl<T: Element> IntoArray for &Vec<T> {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.clone().into())
    }
}
impl<T: Element> IntoArray for &[T] {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.to_vec().into())
    }
}
impl<T: Element> IntoArray for Vec<Vec<T>> {
    /// Rows of equal lengths become an array of two axes; ragged ones are an error.
    fn into_array(self) -> Result<AnyArray> {
        let width = self.first().map_or(0, Vec::len);
        if let Some(row) = self.iter().position(|row| row.len() != width) {
            return Err(crate::error::error!(
                Shape,
                "the rows are ragged: row 0 has {width} elements, and row {row} has {}",
                self[row].len()
            )
            .remedy("fill them up to one length, or make sequences of them with AnyArray::from_sequences"));
        }
        Ok(from_vec(self.concat(), vec![self.len(), width]))
    }
}
impl<T: Element, const N: usize> IntoArray for [T; N] {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.to_vec().into())
    }
}
impl<T: Element, const N: usize> IntoArray for &[T; N] {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.to_vec().into())
    }
}

impl<T: Element, S: Data<Elem = T>, D: Dimension> From<ArrayBase<S, D>> for AnyArray {
    /// Takes an owned array in C order without a copy; any other is copied into C order.
    fn from(array: ArrayBase<S, D>) -> AnyArray {
        let shape = array.shape().to_vec();
        let array: ArrayD<T> = array.into_owned().into_dyn();
        if !array.is_standard_layout() {
            return from_vec(array.iter().copied().collect(), shape);
        }
        let len = array.len();
        let (v, offset) = array.into_raw_vec_and_offset();
        let offset = offset.unwrap_or(0);
        if offset == 0 && v.len() == len { from_vec(v, shape) } else { from_vec(v[offset..offset + len].to_vec(), shape) }
    }
}
impl<T: Element, S: Data<Elem = T>, D: Dimension> IntoArray for ArrayBase<S, D> {
    fn into_array(self) -> Result<AnyArray> {
        if self.ndim() > 32 {
            bail!(Shape, "an array has at most 32 axes, not {}", self.ndim());
        }
        Ok(self.into())
    }
}
impl<T: Element, S: Data<Elem = T>, D: Dimension> IntoArray for &ArrayBase<S, D> {
    fn into_array(self) -> Result<AnyArray> {
        self.view().into_array()
    }
}

impl From<&str> for AnyArray {
    fn from(s: &str) -> AnyArray {
        AnyArray::from_strings([s]).into_scalar()
    }
}
impl From<String> for AnyArray {
    fn from(s: String) -> AnyArray {
        s.as_str().into()
    }
}
macro_rules! strings {
    ($($t:ty),*) => {$(
        impl IntoArray for $t {
            fn into_array(self) -> Result<AnyArray> { Ok(AnyArray::from_strings([self]).into_scalar()) }
        }
        impl IntoArray for Vec<$t> {
            fn into_array(self) -> Result<AnyArray> { Ok(AnyArray::from_strings(self)) }
        }
        impl IntoArray for &[$t] {
            fn into_array(self) -> Result<AnyArray> { Ok(AnyArray::from_strings(self)) }
        }
        impl<const N: usize> IntoArray for [$t; N] {
            fn into_array(self) -> Result<AnyArray> { Ok(AnyArray::from_strings(self)) }
        }
    )*};
}
strings!(&str, String);
impl IntoArray for &String {
    fn into_array(self) -> Result<AnyArray> {
        Ok(self.as_str().into())
    }
}
impl IntoArray for ObjectRef {
    fn into_array(self) -> Result<AnyArray> {
        Ok(AnyArray::from_references([self]).into_scalar())
    }
}
impl IntoArray for RegionRef {
    fn into_array(self) -> Result<AnyArray> {
        Ok(AnyArray::from_regions([self]).into_scalar())
    }
}
