//! Reading and writing selected elements.

use super::{AnyArray, Arena, Item};
use crate::dtype::layout::Layout;
use crate::error::{Result, bail};
use crate::selection::Selection;
use std::sync::Arc;

/// The heap number in a slot.
pub(crate) fn slot_number(element: &[u8], offset: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&element[offset..offset + 8]);
    u64::from_ne_bytes(raw)
}

/// Puts a heap number into a slot.
pub(crate) fn set_slot(element: &mut [u8], offset: usize, number: u64) {
    element[offset..offset + 8].copy_from_slice(&number.to_ne_bytes());
}

/// The bytes of an array with its slots moved into another heap.
pub(super) fn adopt(from: &AnyArray, heap: &Arc<Arena>, layout: &Layout) -> Vec<u8> {
    let mut bytes = from.buffer.as_slice().to_vec();
    let Some(old) = &from.heap else { return bytes };
    if Arc::ptr_eq(old, heap) || layout.slots.is_empty() {
        return bytes;
    }
    for element in bytes.chunks_exact_mut(layout.itemsize) {
        for slot in &layout.slots {
            let number = match old.get(slot_number(element, slot.offset)) {
                Some(item) => heap.push(item.clone()),
                None => 0,
            };
            set_slot(element, slot.offset, number);
        }
    }
    bytes
}

impl AnyArray {
    /// The selected elements. Shares memory with this array if everything is selected.
    ///
    /// ```
    /// let a = memh5::AnyArray::from(ndarray::array![[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(a.select((.., vec![2, 0]))?.to_string(), "[[3, 1],\n [6, 4]]");
    /// assert_eq!(a.select((-1, 1..))?.to_string(), "[5, 6]");
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Selection` if it does not fit the shape, `Shape` for a null dataspace.
    pub fn select(&self, selection: impl Into<Selection>) -> Result<AnyArray> {
        let selection = selection.into();
        let Some(shape) = &self.shape else { bail!(Shape, "a null dataspace has no elements to select") };
        let resolved = selection.resolve(shape)?;
        let out_shape = resolved.shape();
        if resolved.is_all(shape) {
            return self.clone().reshape(&out_shape);
        }
        let item = self.dtype.itemsize();
        let mut out = AnyArray::zeros(self.dtype.clone(), out_shape)?;
        out.heap.clone_from(&self.heap);
        let (from, to) = (self.buffer.as_slice(), out.buffer.make_mut()?);
        let mut at = 0;
        resolved.for_each_run(shape, |start, count| {
            let bytes = count * item;
            to[at..at + bytes].copy_from_slice(&from[start * item..start * item + bytes]);
            at += bytes;
        });
        Ok(out)
    }

    /// Writes the selected elements. The data have this array's dtype and the selection's shape, or broadcast to it.
    ///
    /// ```
    /// use memh5::AnyArray;
    /// let mut a = AnyArray::from(vec![1, 2, 3, 4]);
    /// a.assign(1..3, &AnyArray::from(0))?;
    /// assert_eq!(a, AnyArray::from(vec![1, 0, 0, 4]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Selection`, `Shape`, or `Dtype` if they do not fit.
    pub fn assign(&mut self, selection: impl Into<Selection>, data: &AnyArray) -> Result<()> {
        let selection = selection.into();
        let Some(shape) = self.shape.clone() else { bail!(Shape, "a null dataspace has no elements to write") };
        let resolved = selection.resolve(&shape)?;
        let wanted = resolved.shape();
        if !self.dtype.same_values(&data.dtype) {
            bail!(Dtype, "data of type {} cannot be written to an array of type {}", data.dtype, self.dtype);
        }
        let fitted;
        let data = if data.shape() == wanted && !data.is_null() {
            data
        } else {
            fitted = data.broadcast(&wanted)?;
            &fitted
        };
        if resolved.is_all(&shape) {
            // Everything is replaced: share what was given.
            self.buffer = data.buffer.clone();
            self.heap.clone_from(&data.heap);
            if self.heap.is_none() && !self.dtype.is_plain() {
                self.heap = Some(Arc::default());
            }
            return Ok(());
        }
        self.compact()?;
        let item = self.dtype.itemsize();
        let moved;
        let from = match &self.heap {
            Some(heap) => {
                moved = adopt(data, heap, &Layout::of(&self.dtype));
                &moved[..]
            }
            None => data.buffer.as_slice(),
        };
        let to = self.buffer.make_mut()?;
        let mut at = 0;
        resolved.for_each_run(&shape, |start, count| {
            let bytes = count * item;
            to[start * item..start * item + bytes].copy_from_slice(&from[at..at + bytes]);
            at += bytes;
        });
        Ok(())
    }

    /// Frees garbage before elements are overwritten; moves to a fresh heap also if the elements are shared, and so copied anyway.
    fn compact(&mut self) -> Result<()> {
        let Some(heap) = &self.heap else { return Ok(()) };
        if Arc::strong_count(heap) > 1 && !self.buffer.is_unique() {
            return self.move_heap();
        }
        self.free_garbage()
    }

    /// Moves to a fresh heap if more than half of this one is garbage.
    pub(super) fn free_garbage(&mut self) -> Result<()> {
        let Some(heap) = &self.heap else { return Ok(()) };
        // Mostly the heap is small, and the slots need not be counted.
        if heap.len() <= 2 * self.len() + 64 || heap.len() <= 2 * self.len() * Layout::of(&self.dtype).slots.len() + 64 {
            return Ok(());
        }
        self.move_heap()
    }

    fn move_heap(&mut self) -> Result<()> {
        let fresh = Arc::new(Arena::default());
        let bytes = adopt(self, &fresh, &Layout::of(&self.dtype));
        self.buffer.make_mut()?.copy_from_slice(&bytes);
        self.heap = Some(fresh);
        Ok(())
    }

    /// The elements repeated to a shape, as numpy broadcasts: axes are matched from the last, and one of length 1 (or a missing one) repeats.
    /// Superfluous leading axes of length 1 are dropped, as h5py does.
    ///
    /// ```
    /// let a = memh5::AnyArray::from(vec![1, 2]);
    /// assert_eq!(a.broadcast(&[2, 2])?.to_string(), "[[1, 2],\n [1, 2]]");
    /// assert!(a.broadcast(&[3]).is_err());
    /// # Ok::<(), memh5::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Shape` if they do not match.
    pub fn broadcast(&self, shape: &[usize]) -> Result<AnyArray> {
        let mut own = self.shape().to_vec();
        while own.len() > shape.len() && own[0] == 1 {
            own.remove(0);
        }
        let lead = shape.len().wrapping_sub(own.len());
        let fits = !self.is_null() && own.len() <= shape.len() && own.iter().zip(&shape[lead..]).all(|(a, b)| a == b || *a == 1);
        if !fits {
            bail!(Shape, "data of shape {:?} cannot be broadcast to {shape:?}", self.shape());
        }
        if own == shape {
            return self.clone().reshape(shape);
        }
        let item = self.dtype.itemsize();
        let mut out = AnyArray::zeros(self.dtype.clone(), shape.to_vec())?;
        out.heap.clone_from(&self.heap);
        if out.is_empty() {
            return Ok(out);
        }
        // Strides of the source in elements, 0 where it repeats.
        let mut strides = vec![0; shape.len()];
        let mut step = 1;
        for k in (0..own.len()).rev() {
            strides[lead + k] = if own[k] == 1 { 0 } else { step };
            step *= own[k];
        }
        let (from, to) = (self.buffer.as_slice(), out.buffer.make_mut()?);
        let mut index = vec![0; shape.len()];
        let mut source = 0;
        for element in to.chunks_exact_mut(item) {
            element.copy_from_slice(&from[source * item..(source + 1) * item]);
            for k in (0..shape.len()).rev() {
                index[k] += 1;
                source += strides[k];
                if index[k] < shape[k] {
                    break;
                }
                source -= strides[k] * shape[k];
                index[k] = 0;
            }
        }
        Ok(out)
    }

    /// The item that a slot of an element points to.
    pub(crate) fn item(&self, element: &[u8], offset: usize) -> Option<&Item> {
        self.heap.as_ref()?.get(slot_number(element, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwritten_strings_are_freed() {
        let mut a = AnyArray::from_strings((0..50).map(|i| format!("first {i}")));
        for round in 0..2000 {
            a.assign(round % 50, &AnyArray::from(format!("round {round}"))).unwrap();
            let held = a.heap.as_ref().unwrap().len();
            assert!(held <= 2 * 50 + 64 + 1, "{held} items for 50 strings after round {round}");
        }
        assert_eq!(a.element(49).unwrap().to_string(), "\"round 1999\"");
    }

    #[test]
    fn what_is_cut_off_and_appended_again_is_freed() {
        let mut a = AnyArray::from_strings(["start"]);
        let ten = AnyArray::from_strings((0..10).map(|i| i.to_string()));
        for _ in 0..500 {
            a.resize(&[1], None).unwrap();
            a.append(&ten).unwrap();
            a.resize(&[20], Some(&AnyArray::from("fill"))).unwrap();
        }
        assert!(a.heap.as_ref().unwrap().len() <= 2 * 20 + 64 + 11, "{}", a.heap.as_ref().unwrap().len());
        assert_eq!(a.to_strings().unwrap()[..3], ["start", "0", "1"]);
    }

    #[test]
    fn writing_under_a_snapshot_does_not_fill_its_heap() {
        let mut a = AnyArray::from_strings(["a", "b", "c"]);
        let snapshot = a.clone();
        for round in 0..500 {
            a.assign(1, &AnyArray::from(format!("{round}"))).unwrap();
        }
        assert_eq!(snapshot.heap.as_ref().unwrap().len(), 3);
        assert_eq!(
            (snapshot.to_strings().unwrap(), a.to_strings().unwrap()),
            (vec!["a".into(), "b".into(), "c".into()], vec!["a".to_owned(), "499".into(), "c".into()])
        );
    }
}
