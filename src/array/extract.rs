//! Rust values from arrays.

use super::{AnyArray, Element, Item, buffer};
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::tree::{ObjectRef, RegionRef};
use ndarray::{Array, ArrayD, ArrayViewD, ArrayViewMutD, Dimension, IxDyn};

impl AnyArray {
    fn check_views<T: Element>(&self) -> Result<()> {
        if self.is_null() {
            bail!(Shape, "a null dataspace has no elements");
        }
        if !T::views(&self.dtype) {
            return Err(error!(Dtype, "elements of type {} are not of type {}", self.dtype, T::DTYPE)
                .remedy("convert them with astype, or read_as on a dataset"));
        }
        T::check(self.buffer.as_slice())
    }

    /// The elements as an `ndarray` view, without a copy.
    ///
    /// ```
    /// let a = memh5::AnyArray::from(ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.view::<f64>()?.sum(), 10.0);
    /// assert!(a.view::<f32>().is_err());
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if they are of another type, `Corrupt` if a bool is neither 0 nor 1, `Shape` for a null dataspace.
    pub fn view<T: Element>(&self) -> Result<ArrayViewD<'_, T>> {
        self.check_views::<T>()?;
        let elements =
            self.buffer.as_typed::<T>().ok_or_else(|| error!(Dtype, "the elements are not aligned for {}; use to_array", T::DTYPE))?;
        ArrayViewD::from_shape(IxDyn(self.shape()), elements).map_err(|e| error!(Shape, "{e}"))
    }

    /// The elements as a mutable `ndarray` view; copies them first if somebody shares them.
    ///
    /// ```
    /// let mut a = memh5::AnyArray::from(vec![1, 2]);
    /// a.view_mut::<i32>()?.mapv_inplace(|x| 10 * x);
    /// assert_eq!(a.to_string(), "[10, 20]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`view`](AnyArray::view).
    pub fn view_mut<T: Element>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        self.check_views::<T>()?;
        let shape = IxDyn(self.shape());
        let elements = self.buffer.make_mut_typed::<T>()?.ok_or_else(|| error!(Dtype, "the elements are not aligned for {}", T::DTYPE))?;
        ArrayViewMutD::from_shape(shape, elements).map_err(|e| error!(Shape, "{e}"))
    }

    /// The elements as an owned `ndarray` array; the allocation moves out if nobody shares it, else it is copied.
    ///
    /// ```
    /// let a = memh5::AnyArray::from(vec![1u8, 2]);
    /// assert_eq!(a.into_array::<u8>()?, ndarray::array![1, 2].into_dyn());
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`view`](AnyArray::view).
    pub fn into_array<T: Element>(self) -> Result<ArrayD<T>> {
        self.check_views::<T>()?;
        let shape = IxDyn(self.shape());
        let v = self.buffer.try_into_vec::<T>().unwrap_or_else(|b| buffer::elements_of(b.as_slice()));
        ArrayD::from_shape_vec(shape, v).map_err(|e| error!(Shape, "{e}"))
    }

    /// A copy of the elements as an owned `ndarray` array.
    ///
    /// # Errors
    /// As [`view`](AnyArray::view).
    pub fn to_array<T: Element>(&self) -> Result<ArrayD<T>> {
        self.check_views::<T>()?;
        ArrayD::from_shape_vec(IxDyn(self.shape()), buffer::elements_of(self.buffer.as_slice())).map_err(|e| error!(Shape, "{e}"))
    }

    /// The bytes of a string element: without padding and terminator.
    pub(crate) fn string_bytes<'a>(&'a self, dtype: &DType, element: &'a [u8]) -> Option<&'a [u8]> {
        match dtype {
            DType::VarString { .. } => match self.item(element, 0) {
                Some(Item::Str(s)) => Some(s),
                _ => Some(&[]),
            },
            DType::FixedString { padding, .. } => Some(crate::dtype::layout::trim_string(element, *padding)),
            _ => None,
        }
    }

    /// All elements as strings, in C order.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// let a = AnyArray::from_bytes(DType::fixed_ascii(3), [2], b"ab\0cde")?;
    /// assert_eq!(a.to_strings()?, ["ab", "cde"]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if they are no strings, `Corrupt` if one is not UTF-8.
    pub fn to_strings(&self) -> Result<Vec<String>> {
        if !self.dtype.is_string() {
            bail!(Dtype, "elements of type {} are no strings", self.dtype);
        }
        self.buffer
            .as_slice()
            .chunks_exact(self.dtype.itemsize())
            .enumerate()
            .map(|(i, e)| {
                let bytes = self.string_bytes(&self.dtype, e).unwrap_or(&[]);
                String::from_utf8(bytes.to_vec()).map_err(|_| error!(Corrupt, "the string of element {i} is not UTF-8"))
            })
            .collect()
    }

    fn slots(&self) -> impl Iterator<Item = Option<&Item>> {
        self.buffer.as_slice().chunks_exact(self.dtype.itemsize()).map(|e| self.item(e, 0))
    }

    /// All elements as object references, in C order.
    ///
    /// # Errors
    /// `Dtype` if they are none.
    pub fn to_references(&self) -> Result<Vec<ObjectRef>> {
        if self.dtype != DType::ObjectRef {
            bail!(Dtype, "elements of type {} are no object references", self.dtype);
        }
        Ok(self.slots().map(|i| if let Some(Item::Object(r)) = i { r.clone() } else { ObjectRef::null() }).collect())
    }

    /// All elements as region references, in C order.
    ///
    /// # Errors
    /// `Dtype` if they are none.
    pub fn to_regions(&self) -> Result<Vec<RegionRef>> {
        if self.dtype != DType::RegionRef {
            bail!(Dtype, "elements of type {} are no region references", self.dtype);
        }
        Ok(self.slots().map(|i| if let Some(Item::Region(r)) = i { (**r).clone() } else { RegionRef::null() }).collect())
    }

    /// All elements as sequences, in C order; each is a one-dimensional array.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// let a = AnyArray::from_rows(&[vec![1, 2], vec![]])?;
    /// assert_eq!(a.to_sequences()?, [AnyArray::from(vec![1, 2]), AnyArray::from(Vec::<i32>::new())]);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if they are none.
    pub fn to_sequences(&self) -> Result<Vec<AnyArray>> {
        let DType::VarSeq(base) = &self.dtype else { bail!(Dtype, "elements of type {} are no sequences", self.dtype) };
        self.slots()
            .map(|i| match i {
                Some(Item::Seq(s)) => Ok((**s).clone()),
                _ => AnyArray::zeros((**base).clone(), [0]),
            })
            .collect()
    }

    fn single(&self) -> Result<()> {
        match self.len() {
            1 => Ok(()),
            n => bail!(Shape, "one element is wanted, and the array has {n}, with the shape {:?}", self.shape()),
        }
    }

    fn flat(&self) -> Result<()> {
        match self.ndim() {
            1 if !self.is_null() => Ok(()),
            _ => bail!(Shape, "one axis is wanted, and the array has the shape {:?}", self.shape()),
        }
    }
}

/// What an array can be read as: a number, a string, a vector of them, an `ndarray` array of any number of axes, [`AnyArray`].
///
/// ```
/// use memh5::{AnyArray, array::FromArray};
/// assert_eq!(f64::from_array(AnyArray::from(1.5))?, 1.5);
/// assert_eq!(Vec::<String>::from_array(AnyArray::from_strings(["a", "b"]))?, ["a", "b"]);
/// assert!(Vec::<f64>::from_array(AnyArray::from(1.5)).is_err());
/// let image = ndarray::array![[1, 2], [3, 4]];
/// assert_eq!(ndarray::Array2::<i32>::from_array(AnyArray::from(image.clone()))?, image);
/// assert!(ndarray::Array1::<i32>::from_array(AnyArray::from(image)).is_err());
/// # Ok::<(), memh5::Error>(())
/// ```
pub trait FromArray: Sized {
    /// The value.
    ///
    /// # Errors
    /// `Dtype` if the elements have another type, `Shape` if there are more elements or axes.
    fn from_array(array: AnyArray) -> Result<Self>;
}

impl FromArray for AnyArray {
    fn from_array(array: AnyArray) -> Result<Self> {
        Ok(array)
    }
}
impl<T: Element, D: Dimension> FromArray for Array<T, D> {
    fn from_array(array: AnyArray) -> Result<Self> {
        let array = array.into_array()?;
        let shape = array.shape().to_vec();
        let wrong = |_| error!(Shape, "{} axes are wanted, and the array has the shape {shape:?}", D::NDIM.unwrap_or_default());
        array.into_dimensionality().map_err(wrong)
    }
}
impl<T: Element> FromArray for Vec<T> {
    fn from_array(array: AnyArray) -> Result<Self> {
        array.flat()?;
        Ok(array.into_array()?.into_raw_vec_and_offset().0)
    }
}
macro_rules! scalars {
    ($($t:ty),*) => {$(
        impl FromArray for $t {
            fn from_array(array: AnyArray) -> Result<Self> {
                array.single()?;
                array.check_views::<$t>()?;
                Ok(buffer::elements_of::<$t>(array.buffer.as_slice())[0])
            }
        }
    )*};
}
scalars!(bool, i8, i16, i32, i64, u8, u16, u32, u64, half::f16, f32, f64, num_complex::Complex<f32>, num_complex::Complex<f64>);

impl FromArray for String {
    fn from_array(array: AnyArray) -> Result<Self> {
        array.single()?;
        Ok(array.to_strings()?.remove(0))
    }
}
impl FromArray for Vec<String> {
    fn from_array(array: AnyArray) -> Result<Self> {
        array.flat()?;
        array.to_strings()
    }
}
impl FromArray for ObjectRef {
    fn from_array(array: AnyArray) -> Result<Self> {
        array.single()?;
        Ok(array.to_references()?.remove(0))
    }
}
impl FromArray for RegionRef {
    fn from_array(array: AnyArray) -> Result<Self> {
        array.single()?;
        Ok(array.to_regions()?.remove(0))
    }
}
