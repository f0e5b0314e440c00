//! Arrays whose element type is known at run time.

mod arena;
mod buffer;
mod compare;
mod construct;
mod convert;
mod display;
mod element;
mod extract;
mod fields;
mod rows;
mod scalar;
pub(crate) mod select;
mod value;

pub(crate) use arena::{Arena, Item};
pub(crate) use buffer::Buffer;
pub use construct::IntoArray;
pub use element::Element;
pub use extract::FromArray;
pub use scalar::Value;
pub use value::ElementRef;

use crate::dtype::DType;
use crate::dtype::layout::{Layout, SlotKind};
use crate::error::{Result, bail, error};
use crate::tree::{ObjectRef, RegionRef};
use std::sync::Arc;

/// The bytes of an array of that shape.
///
/// # Errors
/// `Shape` if it is larger than the address space.
pub(crate) fn byte_len(shape: &[usize], itemsize: usize) -> Result<usize> {
    shape
        .iter()
        .try_fold(itemsize, |n, d| n.checked_mul(*d))
        .filter(|n| isize::try_from(*n).is_ok())
        .or_else(|| shape.contains(&0).then_some(0))
        .ok_or_else(|| error!(Shape, "an array of shape {shape:?} and {itemsize} bytes per element is larger than the address space"))
}

/// An n-dimensional array, in C order, whose dtype is known at run time.
///
/// Cloning shares the elements; writing copies them first if they are shared. Numeric arrays are `ndarray` arrays to the user: an owned
/// one moves in without a copy, [`view`](AnyArray::view) is an `ArrayViewD`, and [`into_array`](AnyArray::into_array) gives the allocation
/// back when nobody shares it.
///
/// ```
/// use memh5::{AnyArray, DType};
/// let mut a = AnyArray::from(ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!((a.dtype(), a.shape()), (&DType::F64, &[2, 2][..]));
/// let snapshot = a.clone();
/// a.view_mut::<f64>()?[[0, 0]] = 9.0;
/// assert_eq!(snapshot.view::<f64>()?[[0, 0]], 1.0);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct AnyArray {
    dtype: DType,
    /// `None`: a null dataspace.
    shape: Option<Vec<usize>>,
    /// The elements, each `dtype.itemsize()` bytes. Padding bytes may hold anything.
    buffer: Buffer,
    /// What slots point to; absent for plain dtypes.
    heap: Option<Arc<Arena>>,
}

impl AnyArray {
    /// An array of zeros: empty strings, empty sequences, null references.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// assert_eq!(AnyArray::zeros(DType::F32, [2, 2])?.to_string(), "[[0.0, 0.0],\n [0.0, 0.0]]");
    /// assert_eq!(AnyArray::zeros(DType::STR, [2])?.to_string(), r#"["", ""]"#);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` if it has more than 32 axes or is larger than the address space, `Io` if there is no memory.
    pub fn zeros(dtype: DType, shape: impl Into<Vec<usize>>) -> Result<Self> {
        let shape = shape.into();
        if shape.len() > 32 {
            bail!(Shape, "an array has at most 32 axes, not {}", shape.len());
        }
        let bytes = byte_len(&shape, dtype.itemsize())?;
        let buffer = Buffer::zeroed(bytes, dtype.align())?;
        let heap = (!dtype.is_plain()).then(Arc::default);
        Ok(Self { dtype, shape: Some(shape), buffer, heap })
    }

    /// An array of a plain dtype, all elements of which the caller writes before one is read.
    pub(crate) fn to_overwrite(dtype: DType, shape: impl Into<Vec<usize>>) -> Result<Self> {
        let shape = shape.into();
        if shape.len() > 32 || !dtype.is_plain() {
            return Self::zeros(dtype, shape);
        }
        let buffer = Buffer::to_overwrite(byte_len(&shape, dtype.itemsize())?, dtype.align())?;
        Ok(Self { dtype, shape: Some(shape), buffer, heap: None })
    }

    /// A null dataspace: a type, and no elements. (h5py's `Empty`.)
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// let a = AnyArray::null(DType::F64);
    /// assert!(a.is_null() && a.is_empty() && a.extent().is_none());
    /// ```
    pub fn null(dtype: DType) -> Self {
        Self { dtype, shape: None, buffer: Buffer::from_vec(Vec::<u8>::new()), heap: None }
    }

    /// The array of a plain dtype (without strings of variable length, sequences, references) from the bytes of its elements, with numbers in
    /// the machine's order.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// let a = AnyArray::from_bytes(DType::U16, [2], &[1u16.to_ne_bytes(), 2u16.to_ne_bytes()].concat())?;
    /// assert_eq!(a, AnyArray::from(vec![1u16, 2]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if the dtype is not plain, `Shape` if the number of bytes does not fit. (A bool that is neither 0 nor 1 is found when it is
    /// looked at.)
    pub fn from_bytes(dtype: DType, shape: impl Into<Vec<usize>>, bytes: &[u8]) -> Result<Self> {
        if !dtype.is_plain() {
            bail!(Dtype, "elements of type {dtype} are not plain bytes");
        }
        let mut array = Self::zeros(dtype, shape)?;
        let to = array.buffer.make_mut()?;
        if to.len() != bytes.len() {
            bail!(Shape, "{} bytes do not fit an array of {} bytes", bytes.len(), to.len());
        }
        to.copy_from_slice(bytes);
        Ok(array)
    }

    /// The dtype, as stored: byte order and string flavour are those that a file gets.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// The shape; empty for a scalar and for a null dataspace.
    pub fn shape(&self) -> &[usize] {
        self.shape.as_deref().unwrap_or(&[])
    }

    /// The shape; `None` for a null dataspace.
    pub fn extent(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// The number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.as_ref().map_or(0, |s| s.iter().product())
    }

    /// True if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True for a null dataspace.
    pub fn is_null(&self) -> bool {
        self.shape.is_none()
    }

    /// True for a single element without axes.
    pub fn is_scalar(&self) -> bool {
        self.shape.as_ref().is_some_and(Vec::is_empty)
    }

    /// The bytes that the elements take in memory, without what their slots point to.
    pub fn nbytes(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes of the elements, numbers in the machine's order; `None` if the dtype is not plain. Padding bytes may hold anything.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        self.heap.is_none().then(|| self.buffer.as_slice())
    }

    /// The bytes of the elements and the heap, for backends.
    pub(crate) fn raw(&self) -> (&[u8], Option<&Arc<Arena>>) {
        (self.buffer.as_slice(), self.heap.as_ref())
    }

    /// The bytes of the elements for writing, and the heap, for backends that fill an array. Slots must hold numbers of that heap.
    pub(crate) fn raw_mut(&mut self) -> Result<(&mut [u8], Option<&Arc<Arena>>)> {
        Ok((self.buffer.make_mut()?, self.heap.as_ref()))
    }

    /// True if both share their elements (no copy was made).
    pub fn shares_memory_with(&self, other: &AnyArray) -> bool {
        self.buffer.len() > 0 && self.buffer.as_slice().as_ptr() == other.buffer.as_slice().as_ptr()
    }

    /// The same elements under a dtype with [the same values](DType::same_values): another byte order on disk, another character set.
    ///
    /// ```
    /// use memh5::{AnyArray, DType, dtype::Order};
    /// let a = AnyArray::from(vec![1.0]).with_dtype(&DType::F64.with_order(Order::Big))?;
    /// assert_eq!(a.dtype().to_string(), ">f8");
    /// assert_eq!(a.view::<f64>()?[[0]], 1.0);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Dtype` if the values differ.
    pub fn with_dtype(mut self, dtype: &DType) -> Result<Self> {
        if !self.dtype.same_values(dtype) {
            bail!(Dtype, "elements of type {} are not those of {dtype}; convert them with astype", self.dtype);
        }
        self.dtype = dtype.clone();
        Ok(self)
    }

    /// [`with_dtype`](Self::with_dtype) without moving.
    pub(crate) fn relabelled(&self, dtype: &DType) -> Result<Self> {
        self.clone().with_dtype(dtype)
    }

    /// The same elements in another shape, without a copy.
    ///
    /// ```
    /// let a = memh5::AnyArray::from(vec![1, 2, 3, 4]);
    /// assert_eq!(a.reshape(&[2, 2])?.to_string(), "[[1, 2],\n [3, 4]]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` if the number of elements differs.
    pub fn reshape(mut self, shape: &[usize]) -> Result<Self> {
        if self.is_null() || shape.len() > 32 || byte_len(shape, 1)? != self.len() {
            bail!(Shape, "an array of shape {:?} cannot be reshaped to {shape:?}", self.shape());
        }
        self.shape = Some(shape.to_vec());
        Ok(self)
    }

    /// Appends rows: the other array has the same dtype and the same axes but for axis 0. Amortised: n appends cost O(n), also
    /// while somebody holds a clone of each state.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// let mut a = AnyArray::from(vec![1, 2]);
    /// a.append(&AnyArray::from(vec![3]))?;
    /// assert_eq!(a, AnyArray::from(vec![1, 2, 3]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` or `Dtype` if they do not fit.
    pub fn append(&mut self, rows: &AnyArray) -> Result<()> {
        let fits = match (self.shape(), rows.shape()) {
            ([_, a @ ..], [_, b @ ..]) => a == b,
            _ => false,
        };
        if !fits {
            bail!(Shape, "rows of shape {:?} cannot be appended to an array of shape {:?}", rows.shape(), self.shape());
        }
        if !self.dtype.same_values(&rows.dtype) {
            bail!(Dtype, "rows of type {} cannot be appended to an array of type {}", rows.dtype, self.dtype);
        }
        self.free_garbage()?;
        let mut shape = self.shape().to_vec();
        shape[0] = shape[0].checked_add(rows.shape()[0]).ok_or_else(|| error!(Shape, "an axis cannot grow past the address space"))?;
        match &self.heap {
            None => self.buffer.extend(rows.buffer.as_slice())?,
            Some(heap) => {
                let moved = select::adopt(rows, heap, &Layout::of(&self.dtype));
                self.buffer.extend(&moved)?;
            }
        }
        self.shape = Some(shape);
        Ok(())
    }

    /// Changes the shape axis by axis, as a resizable dataset does: what stays keeps its indices, what is new has the fill element.
    /// Growing axis 0 alone is amortised.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// let mut a = AnyArray::from(ndarray::array![[1, 2], [3, 4]]);
    /// a.resize(&[1, 3], Some(&AnyArray::from(9)))?;
    /// assert_eq!(a.to_string(), "[[1, 2, 9]]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` if the rank differs or the result is too large.
    pub fn resize(&mut self, shape: &[usize], fill: Option<&AnyArray>) -> Result<()> {
        let old = self.shape().to_vec();
        if self.is_null() || old.len() != shape.len() {
            bail!(Shape, "an array of shape {old:?} cannot be resized to {shape:?}: the number of axes stays");
        }
        if old == shape {
            return Ok(());
        }
        self.free_garbage()?;
        let bytes = byte_len(shape, self.dtype.itemsize())?;
        if old[1..] == shape[1..] {
            let (before, added) = (self.buffer.len(), bytes.saturating_sub(self.buffer.len()));
            if added == 0 {
                self.buffer.truncate(bytes);
            } else {
                match fill {
                    None => self.buffer.extend_zeroed(added)?,
                    Some(fill) => {
                        let one = self.adopt_element(fill)?;
                        let extra: Vec<u8> = one.iter().copied().cycle().take(bytes - before).collect();
                        self.buffer.extend(&extra)?;
                    }
                }
            }
            self.shape = Some(shape.to_vec());
            return Ok(());
        }
        let mut next = match fill {
            Some(fill) => AnyArray::full(self.dtype.clone(), shape.to_vec(), fill)?,
            None => AnyArray::zeros(self.dtype.clone(), shape.to_vec())?,
        };
        let common: Vec<crate::selection::Item> = old.iter().zip(shape).map(|(a, b)| crate::selection::Item::from(0..*a.min(b))).collect();
        let common = crate::selection::Selection::Axes(common);
        next.assign(&common, &self.select(&common)?)?;
        *self = next;
        Ok(())
    }

    /// An array that holds one element everywhere.
    ///
    /// ```
    /// use memh5::{AnyArray, DType};
    /// assert_eq!(AnyArray::full(DType::STR, [2], &AnyArray::from("x"))?.to_string(), r#"["x", "x"]"#);
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape`, or `Dtype` if the element has another type.
    pub fn full(dtype: DType, shape: impl Into<Vec<usize>>, element: &AnyArray) -> Result<Self> {
        let mut array = Self::zeros(dtype, shape)?;
        let one = array.adopt_element(element)?;
        if one.iter().any(|b| *b != 0) && !one.is_empty() {
            array.buffer.make_mut()?.chunks_exact_mut(one.len()).for_each(|c| c.copy_from_slice(&one));
        }
        Ok(array)
    }

    /// The bytes of a single element, with its slots moved into this array's heap.
    fn adopt_element(&self, element: &AnyArray) -> Result<Vec<u8>> {
        if element.len() != 1 || !element.dtype.same_values(&self.dtype) {
            bail!(Dtype, "one element of type {} is needed, not {} of {}", self.dtype, element.len(), element.dtype);
        }
        Ok(match &self.heap {
            None => element.buffer.as_slice().to_vec(),
            Some(heap) => select::adopt(element, heap, &Layout::of(&self.dtype)),
        })
    }

    /// Calls the functions for every object and region reference, sequences included, and puts what they return in its place.
    ///
    /// # Errors
    /// What the functions return.
    pub fn map_references(
        &self,
        object: &mut dyn FnMut(&ObjectRef) -> Result<ObjectRef>,
        region: &mut dyn FnMut(&RegionRef) -> Result<RegionRef>,
    ) -> Result<AnyArray> {
        if !self.dtype.has_references() || self.is_empty() {
            return Ok(self.clone());
        }
        let layout = Layout::of(&self.dtype);
        let (old, new) = (self.heap.clone().unwrap_or_default(), Arena::default());
        let mut bytes = self.buffer.as_slice().to_vec();
        for element in bytes.chunks_exact_mut(layout.itemsize) {
            for slot in &layout.slots {
                let Some(item) = old.get(select::slot_number(element, slot.offset)) else { continue };
                let mapped = match (item, &slot.kind) {
                    (Item::Object(r), _) => Item::Object(object(r)?),
                    (Item::Region(r), _) => Item::Region(Box::new(region(r)?)),
                    (Item::Seq(s), SlotKind::Seq(t)) if t.has_references() => Item::Seq(Box::new(s.map_references(object, region)?)),
                    (other, _) => other.clone(),
                };
                select::set_slot(element, slot.offset, new.push(mapped));
            }
        }
        Ok(Self {
            dtype: self.dtype.clone(),
            shape: self.shape.clone(),
            buffer: Buffer::from_slice(&bytes, self.buffer.align())?,
            heap: Some(Arc::new(new)),
        })
    }

    /// Calls the function for the object of every object and region reference, sequences included; null references are left out.
    ///
    /// # Errors
    /// What the function returns.
    pub(crate) fn for_each_reference(&self, f: &mut dyn FnMut(&ObjectRef) -> Result<()>) -> Result<()> {
        if !self.dtype.has_references() || self.is_empty() {
            return Ok(());
        }
        let Some(heap) = &self.heap else { return Ok(()) };
        let layout = Layout::of(&self.dtype);
        for element in self.buffer.as_slice().chunks_exact(layout.itemsize) {
            for slot in &layout.slots {
                match heap.get(select::slot_number(element, slot.offset)) {
                    Some(Item::Object(r)) if !r.is_null() => f(r)?,
                    Some(Item::Region(r)) if !r.is_null() => f(&r.target)?,
                    Some(Item::Seq(s)) => s.for_each_reference(f)?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Checks what no backend may store: a variable-length string that holds a NUL.
    ///
    /// # Errors
    /// `Dtype`, naming the first one.
    pub(crate) fn check_storable(&self) -> Result<()> {
        let Some(heap) = &self.heap else { return Ok(()) };
        let layout = Layout::of(&self.dtype);
        if layout.slots.iter().all(|s| matches!(s.kind, SlotKind::Object | SlotKind::Region)) {
            return Ok(());
        }
        for (index, element) in self.buffer.as_slice().chunks_exact(layout.itemsize).enumerate() {
            for slot in &layout.slots {
                match heap.get(select::slot_number(element, slot.offset)) {
                    Some(Item::Str(s)) if s.contains(&0) => {
                        return Err(error!(
                            Dtype,
                            "element {index} is the text {:?}, and a variable-length string cannot hold a NUL",
                            String::from_utf8_lossy(s)
                        )
                        .remedy("store it as a fixed-length string, as opaque bytes or as an array of u8"));
                    }
                    Some(Item::Seq(s)) => s.check_storable()?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
