//! Region references read in bulk: the library takes ten microseconds to follow one, most of which looks up what is known already.
//!
//! A reference is the address of a collection of the global heap and a number in it; the object there is the address of a dataset and a
//! selection. Files that nobody writes are read here, collection by collection; whatever is not as it usually is, is left to the library.

use super::collections::{Heap, u32_at, u64_at};
use super::dataset::Hdf5Dataset;
use super::ffi::h5;
use super::refs::References;
use super::whole::{in_shares, processors};
use super::{descriptor, file::OpenFile};
use crate::dtype::DType;
use crate::error::Result;
use crate::tree::{ObjectId, RegionColumn, RegionRef};
use hdf5_sys::h5d::H5Dread;
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::H5S_ALL;
use std::os::fd::BorrowedFd;

/// The most axes that the library knows.
const AXES: usize = 32;
/// The bytes of an object before the corners of its block.
const BEFORE: usize = 32;
/// The references that are worth a thread.
const SHARE: usize = 8_000;

/// The references of a table, if all its elements are references.
pub(super) fn read(dataset: &Hdf5Dataset, dtype: &DType, type_id: i64, shape: &[usize]) -> Result<Option<Vec<RegionColumn>>> {
    let file = dataset.handle().file();
    let per_row = shape.get(1).copied().unwrap_or(1);
    let offsets: Vec<usize> = match dtype {
        DType::RegionRef if matches!(shape.len(), 1 | 2) => (0..per_row).map(|k| k * 12).collect(),
        DType::Compound(c) if shape.len() == 1 && c.fields().iter().all(|f| f.dtype == DType::RegionRef) => {
            c.fields().iter().map(|f| f.offset).collect()
        }
        _ => return Ok(None),
    };
    if !file.is_still() || file.location().file.is_none() || !descriptor::is_usual(file.id()) {
        return Ok(None);
    }
    let (rows, stride) = (shape.first().copied().unwrap_or(0), if shape.len() == 2 { per_row * 12 } else { dtype.itemsize() });
    let mut raw = vec![0u8; rows * stride];
    if !raw.is_empty() {
        h5!(H5Dread(dataset.handle().id(), type_id, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.as_mut_ptr().cast()))?;
    }
    let table = Raw { raw: &raw, rows, stride: stride.max(1), offsets: &offsets };
    let threads = processors().min(rows * offsets.len() / SHARE).max(1);
    let found = descriptor::with(file.id(), |fd| match table.read(fd, threads) {
        // The threads have found references to different things: now one decides which are the usual ones.
        Ok(None) => table.read(fd, 1),
        other => other,
    });
    let Some(found) = found.transpose()?.flatten() else { return Ok(None) };
    table.columns(found, file).map(Some)
}

/// A table of references as it is in the file: 12 bytes each.
struct Raw<'t> {
    raw: &'t [u8],
    rows: usize,
    stride: usize,
    offsets: &'t [usize],
}

/// The references of a table: column by column, those that are alike as numbers.
struct Found {
    columns: Vec<(Alike, Vec<(u64, u64)>)>,
    /// The rows and columns of the others.
    others: Places,
}

/// The rows and columns of references.
type Places = Vec<(usize, usize)>;

/// The bytes of an object before its corners, and the first and the last index along each axis but the first.
type Bounds = ([u8; BEFORE], Vec<(u32, u32)>);

/// What the references of a column have in common.
#[derive(Debug, Default, PartialEq, Eq)]
struct Alike {
    /// The address of the dataset.
    target: Option<u64>,
    /// What blocks have in common.
    block: Option<Bounds>,
}

impl Raw<'_> {
    /// Reads the references, each thread a share of the rows; `None` if they found different things alike.
    fn read(&self, fd: BorrowedFd<'_>, threads: usize) -> Result<Option<Found>> {
        let mut spans: Vec<Vec<(u64, u64)>> = self.offsets.iter().map(|_| vec![(0, 0); self.rows]).collect();
        let share = self.rows.div_ceil(threads).max(1);
        let mut rests: Vec<&mut [(u64, u64)]> = spans.iter_mut().map(Vec::as_mut_slice).collect();
        let mut parts = Vec::with_capacity(threads);
        for first in (0..self.rows).step_by(share) {
            let count = share.min(self.rows - first);
            let mut columns = Vec::with_capacity(rests.len());
            for rest in &mut rests {
                let Some((part, behind)) = std::mem::take(rest).split_at_mut_checked(count) else { return Ok(None) };
                columns.push((Alike::default(), part));
                *rest = behind;
            }
            parts.push(Part { first, count, columns, others: Vec::new() });
        }
        let parts = in_shares(parts, threads, &|part: Part<'_>| part.read(self, fd)).into_iter().collect::<Result<Vec<_>>>()?;
        let (mut alike, mut others): (Vec<Alike>, _) = (self.offsets.iter().map(|_| Alike::default()).collect(), Vec::new());
        for (found, more) in parts {
            if !alike.iter_mut().zip(found).all(|(all, one)| all.join(one)) {
                return Ok(None);
            }
            others.extend(more);
        }
        Ok(Some(Found { columns: alike.into_iter().zip(spans).collect(), others }))
    }

    /// The columns, with those references that the library has to follow.
    fn columns(&self, found: Found, file: &std::sync::Arc<OpenFile>) -> Result<Vec<RegionColumn>> {
        let refs = References::new(file);
        let column = |(alike, spans): (Alike, _)| RegionColumn {
            target: alike.target.map(|object| ObjectId { tree: file.tree(), object }),
            rest: alike.block.map(|(_, rest)| rest.into_iter().map(|(a, b)| (a.into(), b.into())).collect()),
            spans,
            ..RegionColumn::default()
        };
        let mut columns: Vec<RegionColumn> = found.columns.into_iter().map(column).collect();
        for (row, number) in found.others {
            let Some((raw, column)) =
                self.offsets.get(number).and_then(|o| self.raw.get(row * self.stride + o..)).zip(columns.get_mut(number))
            else {
                continue;
            };
            let raw = raw.get(..12).unwrap_or(&[]);
            let reference = if raw.iter().all(|b| *b == 0) { RegionRef::null() } else { refs.region(raw)? };
            column.others.insert(row, reference);
        }
        Ok(columns)
    }
}

/// The rows that a thread reads.
struct Part<'s> {
    first: usize,
    count: usize,
    columns: Vec<(Alike, &'s mut [(u64, u64)])>,
    others: Places,
}

impl Part<'_> {
    fn read(mut self, table: &Raw<'_>, fd: BorrowedFd<'_>) -> Result<(Vec<Alike>, Places)> {
        let mut heap = Heap::new(fd);
        let rows = table.raw.get(self.first * table.stride..).unwrap_or(&[]).chunks_exact(table.stride);
        for (row, bytes) in rows.take(self.count).enumerate() {
            for (number, ((alike, spans), offset)) in self.columns.iter_mut().zip(table.offsets).enumerate() {
                let span = match bytes.get(*offset..*offset + 12) {
                    Some(raw) => heap.object(raw)?.and_then(|object| alike.span(object)),
                    None => None,
                };
                match (span, spans.get_mut(row)) {
                    (Some(span), Some(to)) => *to = span,
                    _ => self.others.push((self.first + row, number)),
                }
            }
        }
        Ok((self.columns.into_iter().map(|(alike, _)| alike).collect(), self.others))
    }
}

impl Alike {
    /// Takes over what another share of the column has in common; false if that is different.
    fn join(&mut self, other: Alike) -> bool {
        fn same<T: PartialEq>(all: &mut Option<T>, one: Option<T>) -> bool {
            match (&all, one) {
                (_, None) => true,
                (Some(all), Some(one)) => *all == one,
                (None, one) => {
                    *all = one;
                    true
                }
            }
        }
        same(&mut self.target, other.target) && same(&mut self.block, other.block)
    }

    /// The rows that an object of the heap selects; `None` if it is not like the others.
    fn span(&mut self, object: &[u8]) -> Option<(u64, u64)> {
        match (&self.block, object.first_chunk::<BEFORE>()) {
            (Some((known, rest)), Some(before)) if known == before => Self::block(object, rest),
            (None, Some(before)) if u32_at(object, 8) == Some(2) => self.learn(object, before),
            _ => self.nothing(object),
        }
    }

    /// The rows of a block, which has to have the same bounds along the other axes as all have.
    fn block(object: &[u8], rest: &[(u32, u32)]) -> Option<(u64, u64)> {
        let (low, high) = (BEFORE, BEFORE + 4 * (rest.len() + 1));
        let (from, to) = (u32_at(object, low)?, u32_at(object, high)?);
        for (k, (first, last)) in rest.iter().enumerate() {
            if u32_at(object, low + 4 * (k + 1))? != *first || u32_at(object, high + 4 * (k + 1))? != *last {
                return None;
            }
        }
        (from <= to).then_some((from.into(), u64::from(to) + 1))
    }

    /// No rows, if the object is a selection of nothing of the same dataset.
    fn nothing(&mut self, object: &[u8]) -> Option<(u64, u64)> {
        let target = u64_at(object, 0)?;
        let none = u32_at(object, 8)? == 0 && u32_at(object, 12)? == 1;
        (none && *self.target.get_or_insert(target) == target).then_some((0, 0))
    }

    /// The first block of the column: the others have to be like it.
    fn learn(&mut self, object: &[u8], before: &[u8; BEFORE]) -> Option<(u64, u64)> {
        let word = |k: usize| u32_at(object, 8 + 4 * k);
        let (target, rank) = (u64_at(object, 0)?, word(4)? as usize);
        let usual = word(0)? == 2 && word(1)? == 1 && word(5)? == 1 && (1..=AXES).contains(&rank);
        if !usual || self.target.is_some_and(|t| t != target) {
            return None;
        }
        let rest = (1..rank).map(|k| Some((word(6 + k)?, word(6 + rank + k)?))).collect::<Option<Vec<_>>>()?;
        let span = Self::block(object, &rest)?;
        self.target = Some(target);
        self.block = Some((*before, rest));
        Some(span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object of the heap: nothing, or a block by its corners.
    fn object(target: u64, corners: Option<(&[u32], &[u32])>) -> Vec<u8> {
        let words = match corners {
            None => vec![0, 1, 0, 0],
            Some((low, high)) => {
                let rank = low.len() as u32;
                [&[2, 1, 0, 8 + 8 * rank, rank, 1], low, high].concat()
            }
        };
        target.to_le_bytes().into_iter().chain(words.into_iter().flat_map(u32::to_le_bytes)).collect()
    }

    #[test]
    fn what_is_not_like_the_others_of_a_column_is_told() {
        let mut alike = Alike::default();
        assert_eq!(alike.span(&object(7, None)), Some((0, 0)));
        assert_eq!(alike.span(&object(8, Some((&[2, 0], &[4, 5])))), None, "another dataset, before a block was seen");
        assert_eq!(alike.span(&object(7, Some((&[2, 0], &[4, 5])))), Some((2, 5)));
        assert_eq!(alike.span(&object(7, Some((&[0, 0], &[u32::MAX, 5])))), Some((0, 1 << 32)));
        for (what, other) in [
            ("another dataset", object(8, Some((&[5, 0], &[6, 5])))),
            ("nothing of another dataset", object(8, None)),
            ("other columns", object(7, Some((&[5, 1], &[6, 5])))),
            ("fewer columns", object(7, Some((&[5, 0], &[6, 4])))),
            ("another number of axes", object(7, Some((&[5], &[6])))),
            ("corners the wrong way round", object(7, Some((&[7, 0], &[6, 5])))),
            ("cut", object(7, Some((&[7, 0], &[8, 5])))[..44].to_vec()),
            ("cut before its corners", object(7, Some((&[7, 0], &[8, 5])))[..31].to_vec()),
            ("empty", Vec::new()),
        ] {
            assert_eq!(alike.span(&other), None, "{what}");
        }
        assert_eq!(alike.span(&object(7, None)), Some((0, 0)));
        let mut whole = Alike::default();
        assert!(whole.join(Alike { target: Some(7), block: None }) && whole.join(alike) && whole.block.is_some());
        assert!(whole.join(Alike::default()) && !whole.join(Alike { target: Some(8), block: None }));
        let mut other = Alike::default();
        assert_eq!(other.span(&object(7, Some((&[0, 1], &[0, 5])))), Some((0, 1)));
        assert!(!whole.join(other));
    }
}
