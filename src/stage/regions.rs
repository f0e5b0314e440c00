//! References to rows: made in bulk, and read again as ranges.

use crate::array::{AnyArray, Arena, Item, select};
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::tree::{Dataset, DatasetExt, Object, ObjectId, ObjectRef, Region, RegionKind, RegionRef};

/// Ranges of rows of one dataset, one for each event (or array).
pub(super) struct Ranges {
    pub target: ObjectRef,
    pub shape: Vec<u64>,
    pub ranges: Vec<(u64, u64)>,
}

impl Ranges {
    pub fn of(dataset: &dyn Dataset, ranges: Vec<(u64, u64)>) -> Result<Self> {
        let shape = dataset.shape()?.into_iter().map(|n| n as u64).collect();
        Ok(Self { target: dataset.reference()?, shape, ranges })
    }

    /// The reference to some full rows; without rows it selects nothing.
    fn reference(&self, from: u64, to: u64) -> RegionRef {
        let kind = if from >= to {
            RegionKind::None
        } else {
            let rest = self.shape.get(1..).unwrap_or(&[]);
            let one = vec![1; self.shape.len()];
            RegionKind::Hyperslab {
                start: std::iter::once(from).chain(rest.iter().map(|_| 0)).collect(),
                stride: one.clone(),
                count: one,
                block: std::iter::once(to - from).chain(rest.iter().copied()).collect(),
            }
        };
        RegionRef { target: self.target.clone(), region: Region { shape: self.shape.clone(), kind } }
    }
}

/// The table of references: row i has the i-th range of each column. An element is one row (a compound of references) or one reference.
pub(super) fn table(dtype: DType, rows: usize, columns: &[Ranges]) -> Result<AnyArray> {
    let size = DType::RegionRef.itemsize();
    let heap = Arena::default();
    let mut bytes = vec![0u8; rows * columns.len() * size];
    for (row, out) in bytes.chunks_exact_mut((columns.len() * size).max(1)).enumerate() {
        for (at, column) in columns.iter().enumerate() {
            let Some(&(from, to)) = column.ranges.get(row) else { bail!(Shape, "a column of references is too short") };
            select::set_slot(out, at * size, heap.push(Item::Region(Box::new(column.reference(from, to)))));
        }
    }
    Ok(AnyArray::with_slots(dtype, heap, bytes))
}

/// What the checksum of a table is over: the ranges, row by row.
pub(super) fn numbers(rows: usize, columns: &[Ranges]) -> impl Iterator<Item = u64> {
    (0..rows).flat_map(move |row| {
        columns.iter().flat_map(move |c| c.ranges.get(row).map_or([0, 0], |&(a, b)| if a < b { [a, b] } else { [0, 0] }))
    })
}

/// The dtype of the rows of `events`: one reference for each product.
pub(super) fn events_dtype<'n>(keys: impl Iterator<Item = &'n str>) -> Result<DType> {
    DType::compound(keys.map(|k| (k, DType::RegionRef)))
}

/// The ranges of rows that references select, some of which may select several.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// Ranges of all references.
    pub ranges: Vec<(u64, u64)>,
    /// Where those of each reference begin, with the end behind the last; empty while each has exactly one.
    starts: Vec<usize>,
}

impl Selected {
    fn push(&mut self, several: &[(u64, u64)]) {
        if several.len() != 1 && self.starts.is_empty() {
            self.starts = (0..=self.ranges.len()).collect();
        }
        self.ranges.extend_from_slice(several);
        if !self.starts.is_empty() {
            self.starts.push(self.ranges.len());
        }
    }

    /// How many references there are.
    pub fn len(&self) -> usize {
        if self.starts.is_empty() { self.ranges.len() } else { self.starts.len() - 1 }
    }

    /// The ranges of a reference.
    pub fn of(&self, at: usize) -> &[(u64, u64)] {
        let span = if self.starts.is_empty() {
            at..at + 1
        } else {
            self.starts.get(at).copied().unwrap_or(0)..self.starts.get(at + 1).copied().unwrap_or(0)
        };
        self.ranges.get(span).unwrap_or(&[])
    }

    /// How many rows each selects.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).map(|at| self.of(at).iter().map(|(a, b)| (b - a) as usize).sum())
    }
}

/// Reads one column of a table of references: they all have to point to that dataset. `places` are the byte offsets of the references in
/// the elements of the table.
pub(super) fn ranges_of(table: &AnyArray, offset: usize, stride: usize, target: &dyn Object, shape: &[usize]) -> Result<Selected> {
    let id = target.id()?;
    let (bytes, heap) = table.raw();
    let Some(heap) = heap else { bail!(Corrupt, "the table of references holds none") };
    let mut out = Selected::default();
    out.ranges.reserve(bytes.len() / stride.max(1));
    for (row, element) in bytes.chunks_exact(stride.max(1)).enumerate() {
        let Some(slot) = element.get(offset..offset + 12) else { bail!(Corrupt, "the table of references has rows that are too short") };
        let Some(Item::Region(reference)) = heap.get(select::slot_number(slot, 0)) else {
            bail!(Corrupt, "row {row} holds a null reference");
        };
        let several = rows_of(reference, id, shape)
            .map_err(|e| error!(Corrupt, "the reference of row {row} is not one to rows of '{}'", target.name()).because(e))?;
        match several {
            Rows::One(from, to) => out.push(&[(from, to)]),
            Rows::Many(ranges) => out.push(&ranges),
        }
    }
    Ok(out)
}

/// The rows of one reference.
enum Rows {
    One(u64, u64),
    Many(Vec<(u64, u64)>),
}

fn rows_of(reference: &RegionRef, id: ObjectId, shape: &[usize]) -> Result<Rows> {
    if reference.target.id() != Some(id) {
        bail!(Corrupt, "it points to another object");
    }
    let limit = shape.first().map_or(0, |n| *n as u64);
    let check = |from: u64, to: u64| {
        if to > limit {
            bail!(Corrupt, "it selects rows up to {to} of {limit}");
        }
        Ok((from, to))
    };
    // Full rows only: a block of columns has no place in a product.
    let full = |low: &[u64], high: &[u64]| {
        low.iter().skip(1).all(|n| *n == 0) && high.iter().zip(shape).skip(1).all(|(h, n)| h + 1 == *n as u64) && low.len() == shape.len()
    };
    match &reference.region.kind {
        RegionKind::None => Ok(Rows::One(0, 0)),
        RegionKind::All => Ok(Rows::One(0, limit)),
        RegionKind::Hyperslab { start, stride, count, block } => {
            let Some((low, high)) = reference.region.bounds() else { return Ok(Rows::One(0, 0)) };
            let whole = |k: usize| count.get(k).zip(stride.get(k)).zip(block.get(k)).is_some_and(|((c, s), b)| *c == 1 || s == b);
            if !full(&low, &high) || !(1..shape.len()).all(whole) {
                bail!(Unsupported, "it selects some columns only");
            }
            let (Some(&first), Some(&last)) = (low.first(), high.first()) else { bail!(Corrupt, "it selects nothing of a scalar") };
            if whole(0) {
                return check(first, last + 1).map(|(a, b)| Rows::One(a, b));
            }
            let (Some(&start), Some(&stride), Some(&count), Some(&block)) = (start.first(), stride.first(), count.first(), block.first())
            else {
                bail!(Corrupt, "its selection has no axes");
            };
            check(first, last + 1)?;
            Ok(Rows::Many((0..count).map(|i| (start + i * stride, start + i * stride + block)).collect()))
        }
        RegionKind::Blocks(blocks) => {
            let mut ranges = Vec::with_capacity(blocks.len());
            for (low, high) in blocks {
                if !full(low, high) {
                    bail!(Unsupported, "it selects some columns only");
                }
                let (Some(&first), Some(&last)) = (low.first(), high.first()) else { bail!(Corrupt, "it selects nothing of a scalar") };
                ranges.push(check(first, last + 1)?);
            }
            Ok(Rows::Many(ranges))
        }
        RegionKind::Points(points) if shape.len() == 1 => points
            .iter()
            .map(|p| p.first().map_or_else(|| Err(error!(Corrupt, "it selects a point without place")), |&n| check(n, n + 1)))
            .collect::<Result<_>>()
            .map(Rows::Many),
        RegionKind::Points(_) => bail!(Unsupported, "it selects single elements of rows"),
    }
}
