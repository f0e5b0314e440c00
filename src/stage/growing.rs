//! A dataset that grows by one write per batch, and its checksum.

use super::format::ElementFormat;
use super::regions::{numbers, table};
use crate::array::AnyArray;
use crate::error::{Context, Result, error};
use crate::tree::digest::{LazyPaths, canonical_bytes};
use crate::tree::{DatasetBuilder, DatasetExt, DatasetRef, Group, GroupExt, RowRegions};

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
    /// True if references may lead nowhere until the file is closed.
    deferred: bool,
    /// The references that lead nowhere yet.
    pub waiting: usize,
    pub rows: u64,
    sum: crc32fast::Hasher,
    handle: Option<DatasetRef>,
}

impl Growing {
    pub fn new(name: impl Into<String>, format: ElementFormat) -> Self {
        Self { name: name.into(), format, list: false, deferred: false, waiting: 0, rows: 0, sum: crc32fast::Hasher::new(), handle: None }
    }

    pub fn list(name: impl Into<String>, format: ElementFormat) -> Self {
        Self { list: true, ..Self::new(name, format) }
    }

    /// A table of references. `deferred`: nobody follows them before the file is closed, so they may be written faster.
    pub fn references(name: impl Into<String>, format: ElementFormat, deferred: bool) -> Self {
        Self { deferred, ..Self::list(name, format) }
    }

    /// Adds the rows, in one write, and gives the dataset.
    pub fn append(&mut self, stage: &dyn Group, values: AnyArray) -> Result<DatasetRef> {
        let sum = &mut self.sum;
        canonical_bytes(&values, &mut |bytes| sum.update(bytes), &mut LazyPaths::new(stage))?;
        self.write(stage, values)
    }

    /// Adds references to rows, and gives the dataset.
    pub fn append_references(&mut self, stage: &dyn Group, rows: usize, columns: &[RowRegions]) -> Result<DatasetRef> {
        let spans: Vec<&[(u64, u64)]> = columns.iter().map(|c| &c.spans[..]).collect();
        numbers(&mut self.sum, rows, &spans);
        if self.deferred {
            let dataset = self.dataset(stage, rows)?;
            if dataset.append_regions(columns).with_context(|| (dataset.name(), "append to the dataset"))? {
                self.rows += rows as u64;
                self.waiting += rows * columns.len();
                self.handle = Some(dataset.clone());
                return Ok(dataset);
            }
        }
        let values = table(self.format.dtype.clone(), rows, columns)?;
        self.write(stage, if self.format.width.is_some() { values.reshape(&self.format.shape(rows))? } else { values })
    }

    /// The dataset, made without rows if it is not there.
    fn dataset(&mut self, stage: &dyn Group, first: usize) -> Result<DatasetRef> {
        match self.handle.take() {
            Some(dataset) => Ok(dataset),
            None if self.rows == 0 && !stage.contains(&self.name)? => self.new_dataset(stage, first).shape(self.format.shape(0)).create(),
            None => stage.dataset(&self.name),
        }
    }

    fn new_dataset<'g>(&self, stage: &'g dyn Group, first: usize) -> DatasetBuilder<'g> {
        let maxshape: Vec<Option<usize>> = [None].into_iter().chain(self.format.width.map(Some)).collect();
        stage.create_dataset(&self.name).dtype(self.format.dtype.clone()).maxshape(maxshape).chunks(self.chunks(first))
    }

    fn write(&mut self, stage: &dyn Group, values: AnyArray) -> Result<DatasetRef> {
        let added = values.shape().first().copied().unwrap_or(0);
        let dataset = if self.handle.is_none() && self.rows == 0 && !stage.contains(&self.name)? {
            self.new_dataset(stage, added).write(values)?
        } else {
            let dataset = self.dataset(stage, added)?;
            if added > 0 {
                dataset.append(values)?;
            }
            dataset
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
        self.waiting = 0;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_references_cannot_count_are_refused() {
        let mut growing = Growing::new("x", ElementFormat { dtype: crate::dtype::DType::I64, width: None });
        growing.rows = u64::from(u32::MAX) - 10;
        assert!(growing.check_rows(10).is_ok());
        let e = growing.check_rows(11).unwrap_err();
        assert_eq!(e.kind(), crate::ErrorKind::Unsupported);
        assert!(e.to_string().contains("version 2"), "{e}");
    }
}
