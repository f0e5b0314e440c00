//! References to rows: made in bulk, and read again as ranges.

use crate::array::{AnyArray, Arena, Item, select};
use crate::dtype::DType;
use crate::error::{Context, Error, Result, bail, error};
use crate::tree::{Dataset, DatasetExt, ObjectId, RegionColumn, RegionKind, RegionRef, RowRegions};
use std::sync::Arc;

/// The bytes of a checksum that are gathered.
const BLOCK: usize = 4096;

/// The references to rows of a dataset, one for each event (or array).
pub(super) fn references_to(dataset: &dyn Dataset, spans: Vec<(u64, u64)>) -> Result<RowRegions> {
    let shape = dataset.shape()?.into_iter().map(|n| n as u64).collect();
    Ok(RowRegions { target: dataset.reference()?, shape, spans })
}

/// The table of references: row i has the i-th range of each column. An element is one row (a compound of references) or one reference.
pub(super) fn table(dtype: DType, rows: usize, columns: &[RowRegions]) -> Result<AnyArray> {
    let size = DType::RegionRef.itemsize();
    let heap = Arena::default();
    let mut bytes = vec![0u8; rows * columns.len() * size];
    for (row, out) in bytes.chunks_exact_mut((columns.len() * size).max(1)).enumerate() {
        for (at, column) in columns.iter().enumerate() {
            let Some(reference) = column.reference(row) else { bail!(Shape, "a column of references is too short") };
            select::set_slot(out, at * size, heap.push(Item::Region(Box::new(reference))));
        }
    }
    Ok(AnyArray::with_slots(dtype, heap, bytes))
}

/// Adds a table to a checksum: the ranges, row by row.
pub(super) fn numbers(sum: &mut crc32fast::Hasher, rows: usize, columns: &[&[(u64, u64)]]) {
    let mut block = Vec::with_capacity(BLOCK + 16 * columns.len());
    for row in 0..rows {
        for column in columns {
            let (from, to) = column.get(row).copied().filter(|(a, b)| a < b).unwrap_or((0, 0));
            block.extend_from_slice(&from.to_le_bytes());
            block.extend_from_slice(&to.to_le_bytes());
        }
        if block.len() >= BLOCK {
            sum.update(&block);
            block.clear();
        }
    }
    sum.update(&block);
}

/// The dtype of the rows of `events`: one reference for each product.
pub(super) fn events_dtype<'n>(keys: impl Iterator<Item = &'n str>) -> Result<DType> {
    DType::compound(keys.map(|k| (k, DType::RegionRef)))
}

/// The ranges of rows that references select, some of which may select several.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// Ranges of all references; shared with the table where each has exactly one.
    pub ranges: Arc<Vec<(u64, u64)>>,
    /// Where those of each reference begin, with the end behind the last; empty while each has exactly one.
    starts: Vec<usize>,
}

impl Selected {
    fn push(&mut self, several: &[(u64, u64)]) {
        if several.len() != 1 && self.starts.is_empty() {
            self.starts = (0..=self.ranges.len()).collect();
        }
        Arc::make_mut(&mut self.ranges).extend_from_slice(several);
        if !self.starts.is_empty() {
            self.starts.push(self.ranges.len());
        }
    }

    fn push_rows(&mut self, rows: Rows) {
        match rows {
            Rows::One(from, to) => self.push(&[(from, to)]),
            Rows::Many(ranges) => self.push(&ranges),
        }
    }

    /// The range of each reference, if each has exactly one.
    pub fn singles(&self) -> Option<&[(u64, u64)]> {
        self.starts.is_empty().then_some(&self.ranges)
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

    /// Where the rows of each reference begin when they stand behind each other, with the end behind the last.
    pub fn offsets(&self) -> Vec<u64> {
        let mut offsets = Vec::with_capacity(self.len() + 1);
        let mut at = 0;
        offsets.push(at);
        if self.starts.is_empty() {
            offsets.extend(self.ranges.iter().map(|(a, b)| {
                at += b - a;
                at
            }));
        } else {
            offsets.extend((0..self.len()).map(|row| {
                at += self.of(row).iter().map(|(a, b)| b - a).sum::<u64>();
                at
            }));
        }
        offsets
    }

    /// True if the references select so many rows, each once, in their order.
    pub fn is_in_order(&self, rows: usize) -> bool {
        let mut at = 0;
        self.ranges.iter().all(|(a, b)| a >= b || std::mem::replace(&mut at, *b) == *a) && at == rows as u64
    }
}

/// A table of references as it was read: `events`, or the index of a list.
pub(super) struct Table {
    dtype: DType,
    shape: Vec<usize>,
    content: Content,
}

/// Rows from and to, for each reference.
type Spans = Arc<Vec<(u64, u64)>>;

enum Content {
    /// Column by column, as numbers; the spans of each apart, for they are shared.
    Columns(Vec<(RegionColumn, Spans)>),
    Values(AnyArray),
}

impl Table {
    /// Reads all of a table.
    pub fn read(dataset: &dyn Dataset) -> Result<Self> {
        let (dtype, shape) = (dataset.dtype()?, dataset.shape()?);
        let content = match dataset.read_regions().with_context(|| (dataset.name(), "read the references"))? {
            Some(columns) => Content::Columns(columns.into_iter().map(shared).collect()),
            None => Content::Values(dataset.read_array()?),
        };
        Ok(Self { dtype, shape, content })
    }

    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// How much it is, in bytes.
    pub fn nbytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.itemsize()
    }

    /// The references of a column (of `events`: of a field), which all have to lead to rows of that dataset.
    pub fn column(&self, number: usize, target: &dyn Dataset) -> Result<Selected> {
        let (id, shape) = (target.id()?, target.shape()?);
        let outside = |row: usize, e| error!(Corrupt, "the reference of row {row} is not one to rows of '{}'", target.name()).because(e);
        let mut out = Selected::default();
        match &self.content {
            Content::Columns(columns) => {
                let Some((column, spans)) = columns.get(number) else { bail!(Corrupt, "the table has no column {number}") };
                check_column(column, spans, id, &shape).map_err(|(row, e)| outside(row, e))?;
                if column.others.is_empty() {
                    out.ranges = spans.clone();
                    return Ok(out);
                }
                Arc::make_mut(&mut out.ranges).reserve(spans.len());
                for (row, span) in spans.iter().enumerate() {
                    match column.others.get(&row) {
                        None => out.push(&[*span]),
                        Some(reference) => out.push_rows(rows_of(reference, id, &shape).map_err(|e| outside(row, e))?),
                    }
                }
            }
            Content::Values(table) => {
                let columns = self.shape.get(1).copied().unwrap_or(1);
                let (offset, stride) = match self.dtype.fields().get(number) {
                    Some(field) => (field.offset, self.dtype.itemsize()),
                    None => (number * self.dtype.itemsize(), columns * self.dtype.itemsize()),
                };
                let (bytes, heap) = table.raw();
                let Some(heap) = heap else { bail!(Corrupt, "the table of references holds none") };
                Arc::make_mut(&mut out.ranges).reserve(self.len());
                for (row, element) in bytes.chunks_exact(stride.max(1)).enumerate() {
                    let slot = element.get(offset..offset + 12);
                    let Some(slot) = slot else { bail!(Corrupt, "the table of references has rows that are too short") };
                    let Some(Item::Region(reference)) = heap.get(select::slot_number(slot, 0)) else {
                        return Err(outside(row, null_reference()));
                    };
                    out.push_rows(rows_of(reference, id, &shape).map_err(|e| outside(row, e))?);
                }
            }
        }
        Ok(out)
    }
}

/// Takes the spans out of a column.
fn shared(mut column: RegionColumn) -> (RegionColumn, Arc<Vec<(u64, u64)>>) {
    let spans = Arc::new(std::mem::take(&mut column.spans));
    (column, spans)
}

fn null_reference() -> Error {
    error!(Corrupt, "it is the null reference")
}

/// Checks the references of a column that are alike: at once, and one by one only to name the one that is wrong.
fn check_column(column: &RegionColumn, spans: &[(u64, u64)], id: ObjectId, shape: &[usize]) -> std::result::Result<(), (usize, Error)> {
    let alike = |row: &usize| !column.others.contains_key(row);
    let place = || (0..spans.len()).find(alike);
    if let Some(target) = column.target
        && target != id
        && let Some(row) = place()
    {
        return Err((row, error!(Corrupt, "it points to another object")));
    }
    let limit = shape.first().map_or(0, |n| *n as u64);
    if let Some((row, (_, to))) = spans.iter().enumerate().find(|(_, (_, to))| *to > limit) {
        return Err((row, error!(Corrupt, "it selects rows up to {to} of {limit}")));
    }
    if let Some(rest) = &column.rest {
        let axes = shape.get(1..).unwrap_or(&[]);
        let full =
            rest.len() == axes.len() && rest.iter().zip(axes).all(|((low, high), n)| *low == 0 && high.checked_add(1) == Some(*n as u64));
        if !full && let Some(row) = spans.iter().position(|(a, b)| a < b) {
            return Err((row, error!(Unsupported, "it selects some columns only")));
        }
    }
    Ok(())
}

/// The rows of one reference.
enum Rows {
    One(u64, u64),
    Many(Vec<(u64, u64)>),
}

fn rows_of(reference: &RegionRef, id: ObjectId, shape: &[usize]) -> Result<Rows> {
    if reference.is_null() {
        return Err(null_reference());
    }
    if reference.target.id() != Some(id) {
        bail!(Corrupt, "it points to another object");
    }
    let limit = shape.first().map_or(0, |n| *n as u64);
    let check = |from: u64, to: u64| {
        if to > limit || from > to {
            bail!(Corrupt, "it selects the rows {from} to {to} of {limit}");
        }
        Ok((from, to))
    };
    // Full rows only: a block of columns has no place in a product.
    let full = |low: &[u64], high: &[u64]| {
        low.iter().skip(1).all(|n| *n == 0)
            && high.iter().zip(shape).skip(1).all(|(h, n)| h.checked_add(1) == Some(*n as u64))
            && low.len() == shape.len()
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
                return check(first, last.saturating_add(1)).map(|(a, b)| Rows::One(a, b));
            }
            let (Some(&start), Some(&stride), Some(&count), Some(&block)) = (start.first(), stride.first(), count.first(), block.first())
            else {
                bail!(Corrupt, "its selection has no axes");
            };
            check(first, last.saturating_add(1))?;
            Ok(Rows::Many((0..count).map(|i| (start + i * stride, start + i * stride + block)).collect()))
        }
        RegionKind::Blocks(blocks) => {
            let mut ranges = Vec::with_capacity(blocks.len());
            for (low, high) in blocks {
                if !full(low, high) {
                    bail!(Unsupported, "it selects some columns only");
                }
                let (Some(&first), Some(&last)) = (low.first(), high.first()) else { bail!(Corrupt, "it selects nothing of a scalar") };
                ranges.push(check(first, last.saturating_add(1))?);
            }
            Ok(Rows::Many(ranges))
        }
        RegionKind::Points(points) if shape.len() == 1 => points
            .iter()
            .map(|p| p.first().map_or_else(|| Err(error!(Corrupt, "it selects a point without place")), |&n| check(n, n.saturating_add(1))))
            .collect::<Result<_>>()
            .map(Rows::Many),
        RegionKind::Points(_) => bail!(Unsupported, "it selects single elements of rows"),
    }
}
