//! A dataset that grows by one write per batch, and its checksum.

use super::format::ElementFormat;
use crate::array::AnyArray;
use crate::error::{Context, Result, error};
use crate::tree::digest::{LazyPaths, canonical_bytes};
use crate::tree::{DatasetExt, DatasetRef, Group, GroupExt};

/// A chunk is about as large as the first batch, within these bytes: small caches stay small, large ones have few chunks.
const CHUNK_BYTES: std::ops::RangeInclusive<usize> = 16 << 10..=512 << 10;

/// The least rows of a chunk of references or offsets, unless that is more than so many bytes.
const LIST_ROWS: usize = 4096;
const LIST_BYTES: usize = 64 << 10;

/// A dataset of a stage under construction: made with the data of the first batch, grown by those of the next ones.
pub(super) struct Growing {
    /// Relative to the group of the stage.
    pub name: String,
    pub format: ElementFormat,
    /// True for datasets of references or offsets.
    list: bool,
    pub rows: u64,
    sum: crc32fast::Hasher,
    handle: Option<DatasetRef>,
}

impl Growing {
    pub fn new(name: impl Into<String>, format: ElementFormat) -> Self {
        Self { name: name.into(), format, list: false, rows: 0, sum: crc32fast::Hasher::new(), handle: None }
    }

    pub fn list(name: impl Into<String>, format: ElementFormat) -> Self {
        Self { list: true, ..Self::new(name, format) }
    }

    /// Adds the rows, in one write, and gives the dataset.
    pub fn append(&mut self, stage: &dyn Group, values: AnyArray) -> Result<DatasetRef> {
        let sum = &mut self.sum;
        canonical_bytes(&values, &mut |bytes| sum.update(bytes), &mut LazyPaths::new(stage))?;
        self.write(stage, values)
    }

    /// As [`append`](Growing::append), for references, whose checksum is over these numbers.
    pub fn append_counted(&mut self, stage: &dyn Group, values: AnyArray, numbers: impl IntoIterator<Item = u64>) -> Result<DatasetRef> {
        for number in numbers {
            self.sum.update(&number.to_le_bytes());
        }
        self.write(stage, values)
    }

    fn write(&mut self, stage: &dyn Group, values: AnyArray) -> Result<DatasetRef> {
        let added = values.shape().first().copied().unwrap_or(0);
        let dataset = match self.handle.take() {
            Some(dataset) => {
                if added > 0 {
                    dataset.append(values)?;
                }
                dataset
            }
            None if self.rows == 0 && !stage.contains(&self.name)? => {
                let maxshape: Vec<Option<usize>> = [None].into_iter().chain(self.format.width.map(Some)).collect();
                let chunks = self.chunks(added);
                stage.create_dataset(&self.name).dtype(self.format.dtype.clone()).maxshape(maxshape).chunks(chunks).write(values)?
            }
            None => {
                let dataset = stage.dataset(&self.name)?;
                if added > 0 {
                    dataset.append(values)?;
                }
                dataset
            }
        };
        self.rows += added as u64;
        self.handle = Some(dataset.clone());
        Ok(dataset)
    }

    /// Whole rows; a power of two of them.
    fn chunks(&self, first: usize) -> Vec<usize> {
        let row = (self.format.dtype.disk_size() * self.format.width.unwrap_or(1)).max(1);
        let bytes = first.saturating_mul(row).clamp(*CHUNK_BYTES.start(), *CHUNK_BYTES.end());
        let least = if self.list { LIST_ROWS.min(LIST_BYTES / row) } else { 1 };
        let rows = (bytes / row).max(least).max(1);
        let rows = rows.checked_next_power_of_two().filter(|r| r * row <= *CHUNK_BYTES.end()).unwrap_or(rows);
        self.format.shape(rows)
    }

    /// Lets go of the open dataset.
    pub fn release(&mut self) {
        self.handle = None;
    }

    /// The checksum over all rows so far.
    pub fn checksum(&self) -> u32 {
        self.sum.clone().finalize()
    }

    /// Refuses more rows than a region reference of the old kind can count.
    pub fn check_rows(&self, added: usize) -> Result<()> {
        if self.rows.saturating_add(added as u64) > u64::from(u32::MAX) {
            return Err(error!(Unsupported, "a dataset of a stage of version 1 has at most 2^32 - 1 rows, which its references can count")
                .remedy("split the source, or write version 2"))
            .with_context(|| (self.name.as_str(), "append to the product"));
        }
        Ok(())
    }
}
