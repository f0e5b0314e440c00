//! Rows of arrays: put together from the arrays of events, and taken apart again.

use super::format::ElementFormat;
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::selection::Item;

/// Rows of all events, and where those of each begin: `offsets[i]..offsets[i + 1]`.
#[derive(Debug, Clone)]
pub(crate) struct Ragged {
    pub values: AnyArray,
    pub offsets: Vec<u64>,
}

/// Offsets from lengths.
pub(crate) fn offsets_of(lengths: impl IntoIterator<Item = usize>) -> Vec<u64> {
    let mut at = 0u64;
    let mut offsets = vec![0];
    offsets.extend(lengths.into_iter().map(|n| {
        at += n as u64;
        at
    }));
    offsets
}

/// The pairs of an offset and the next.
pub(crate) fn spans(offsets: &[u64]) -> impl ExactSizeIterator<Item = (u64, u64)> {
    offsets.windows(2).map(|w| (w[0], w[1]))
}

/// Puts offsets behind others.
pub(crate) fn append_offsets(offsets: &mut Vec<u64>, more: &[u64]) {
    let (base, first) = (offsets.last().copied().unwrap_or(0), more.first().copied().unwrap_or(0));
    offsets.extend(more.iter().skip(1).map(|o| base + o - first));
}

/// Some rows of an array, as an array.
pub(crate) fn slice(values: &AnyArray, from: u64, to: u64) -> Result<AnyArray> {
    let index = |n: u64| i64::try_from(n).map_err(|_| error!(Shape, "row {n} is past the address space"));
    values.select(Item::Range { start: Some(index(from)?), stop: Some(index(to)?), step: 1 })
}

/// Rows of an array by ranges, one behind the other.
pub(crate) fn gather(values: &AnyArray, ranges: &[(u64, u64)]) -> Result<AnyArray> {
    // Ranges that touch are one: the usual case costs nothing.
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for &(from, to) in ranges.iter().filter(|(a, b)| a < b) {
        match merged.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => merged.push((from, to)),
        }
    }
    match merged[..] {
        [] => slice(values, 0, 0),
        [(from, to)] => slice(values, from, to),
        _ => {
            let mut out = slice(values, 0, 0)?;
            for (from, to) in merged {
                out.append(&slice(values, from, to)?)?;
            }
            Ok(out)
        }
    }
}

/// The type and width of an array of an event: one or two axes, of a type that products can have.
pub(crate) fn format_of(array: &AnyArray) -> Result<ElementFormat> {
    let width = match *array.shape() {
        _ if array.is_null() => bail!(Shape, "a null array has no rows"),
        [] => {
            return Err(error!(Shape, "an array without axes is no array of rows").remedy("put one number per event, for a scalar product"));
        }
        [_] => None,
        [_, 0] => bail!(Shape, "an array of shape {:?} has rows without elements", array.shape()),
        [_, width] => Some(width),
        _ => {
            return Err(error!(Shape, "an array of shape {:?} has {} axes, and a product has one or two", array.shape(), array.ndim())
                .remedy("reshape it to rows, or put it as a list of arrays"));
        }
    };
    check_elements(array.dtype())?;
    Ok(ElementFormat { dtype: array.dtype().clone(), width })
}

/// Refuses element types that spine's readers do not take in arrays.
pub(crate) fn check_elements(dtype: &DType) -> Result<()> {
    match dtype {
        d if d.is_numeric() => Ok(()),
        DType::Enum(_) => Ok(()),
        d if d.is_string() => Err(error!(Dtype, "arrays of text cannot be a product: text is one per event")
            .remedy("put a text per event, or objects with a field of text")),
        DType::Compound(_) => Err(error!(Dtype, "an array of compounds cannot be a plain product, which has no class name")
            .remedy("put it as objects: Product::object or Product::objects")),
        other => bail!(Dtype, "arrays of type {other} cannot be a product"),
    }
}

/// Puts the arrays of the events behind each other. All have the type and the width of the format.
pub(crate) fn concat<'a>(format: &ElementFormat, arrays: impl ExactSizeIterator<Item = &'a AnyArray>) -> Result<Ragged> {
    let mut values = AnyArray::zeros(format.dtype.clone(), format.shape(0))?;
    let mut lengths = Vec::with_capacity(arrays.len());
    for (at, array) in arrays.enumerate() {
        let own = format_of(array)?;
        if !own.dtype.same_values(&format.dtype) {
            bail!(Dtype, "array {at} has elements of type {}, and those before have {}", own.dtype, format.dtype);
        }
        if own.width != format.width {
            bail!(Shape, "array {at} has the shape {:?}, and the ones before are rows of {}", array.shape(), format);
        }
        lengths.push(array.shape().first().copied().unwrap_or(0));
        values.append(array)?;
    }
    Ok(Ragged { values, offsets: offsets_of(lengths) })
}

impl Ragged {
    /// Checks rows and lengths that a caller gives.
    pub(crate) fn checked(values: AnyArray, lengths: &[usize]) -> Result<Self> {
        let rows = values.shape().first().copied().unwrap_or(0);
        let offsets = offsets_of(lengths.iter().copied());
        if offsets.last().copied() != Some(rows as u64) {
            bail!(Shape, "the lengths sum up to {} rows, and there are {rows}", offsets.last().copied().unwrap_or(0));
        }
        Ok(Self { values, offsets })
    }

    pub(crate) fn events(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub(crate) fn span(&self, event: usize) -> (u64, u64) {
        match self.offsets.get(event..event + 2) {
            Some(&[from, to]) => (from, to),
            _ => (0, 0),
        }
    }

    pub(crate) fn event(&self, event: usize) -> Result<AnyArray> {
        let (from, to) = self.span(event);
        slice(&self.values, from, to)
    }

    pub(crate) fn append(&mut self, more: &Ragged) -> Result<()> {
        self.values.append(&more.values)?;
        append_offsets(&mut self.offsets, &more.offsets);
        Ok(())
    }

    pub(crate) fn select(&self, events: &[usize]) -> Result<Self> {
        let ranges: Vec<(u64, u64)> = events.iter().map(|e| self.span(*e)).collect();
        Ok(Self { values: gather(&self.values, &ranges)?, offsets: offsets_of(ranges.iter().map(|(a, b)| (b - a) as usize)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_apart_as_they_went_together() {
        let parts = [AnyArray::from(vec![1, 2, 3]), AnyArray::from(Vec::<i32>::new()), AnyArray::from(vec![4])];
        let all = concat(&format_of(&parts[0]).unwrap(), parts.iter()).unwrap();
        assert_eq!((all.values.len(), &all.offsets[..]), (4, &[0, 3, 3, 4][..]));
        for (event, part) in parts.iter().enumerate() {
            assert_eq!(all.event(event).unwrap(), *part);
        }
        let turned = all.select(&[2, 0]).unwrap();
        assert_eq!(turned.values, AnyArray::from(vec![4, 1, 2, 3]));
        assert_eq!(turned.offsets, [0, 1, 4]);
    }

    #[test]
    fn what_no_product_can_be_is_refused() {
        for (bad, kind) in [
            (AnyArray::from(1), crate::ErrorKind::Shape),
            (AnyArray::from(ndarray::Array3::<f32>::zeros((1, 1, 1))), crate::ErrorKind::Shape),
            (AnyArray::from(ndarray::Array2::<f32>::zeros((1, 0))), crate::ErrorKind::Shape),
            (AnyArray::from_strings(["a"]), crate::ErrorKind::Dtype),
        ] {
            assert_eq!(format_of(&bad).unwrap_err().kind(), kind, "{bad}");
        }
    }
}
