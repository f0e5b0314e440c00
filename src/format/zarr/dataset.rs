//! Datasets: Zarr's arrays.

use super::object::{Handle, object};
use super::plan::{self, Plan};
use super::read;
use super::redo::Staged;
use super::write::{Target, stored_chunks};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::format::check_fit;
use crate::selection::{Item, Selection};
use crate::tree::{Dataset, DatasetSpec};
use serde_json::json;
use std::sync::Arc;

/// A dataset of a Zarr store.
#[derive(Debug, Clone)]
pub struct ZarrDataset {
    pub(super) handle: Handle,
}

object!(ZarrDataset);

impl ZarrDataset {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The shape of the elements in one file: a chunk, or a shard. Processes that write different files at once need no lock.
    ///
    /// # Errors
    /// `Closed`, `Corrupt`.
    pub fn file_chunks(&self) -> Result<Vec<usize>> {
        self.handle.tree.reading(|| Ok(self.plan()?.chunks.clone()))
    }

    fn plan(&self) -> Result<Arc<Plan>> {
        self.handle.node.plan()
    }

    fn shape_now(&self) -> Result<Vec<usize>> {
        self.handle.node.document.read().shape()
    }

    /// As [`write_selection`](Dataset::write_selection); after a crash all chunks are new, or none.
    pub(crate) fn write_at_once(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        let tree = &self.handle.tree;
        let staged = Staged::new(tree.writing(|| tree.store.directory())?);
        self.put(selection, data, Some(&staged))?;
        tree.writing(|| staged.commit())
    }

    /// True if the metadata are still those that were read or written last.
    pub(crate) fn is_current(&self) -> Result<bool> {
        self.handle.tree.is_current(&self.handle.node)
    }

    fn put(&self, selection: &Selection, data: &AnyArray, staged: Option<&Staged<'_>>) -> Result<()> {
        self.handle.tree.writing(|| {
            let plan = self.plan()?;
            let _shaping = self.handle.node.shaping.read();
            let shape = self.shape_now()?;
            let resolved = selection.resolve(&shape)?;
            check_fit(data, &resolved, &plan.dtype)?;
            let (store, key, turns) = (&self.handle.tree.store, &self.handle.node.place().key, &self.handle.node.turns);
            Target { plan: &plan, store, key, turns, shape: &shape, valid: &shape, staged }.write(&resolved, data)
        })
    }

    /// Puts a new shape into the metadata, and writes them.
    fn publish_shape(&self, shape: &[usize]) -> Result<()> {
        let mut document = self.handle.node.document.write();
        let before = document.meta.insert("shape".into(), json!(shape));
        let saved = self.handle.tree.save(&self.handle.node, &document);
        if saved.is_err()
            && let Some(before) = before
        {
            document.meta.insert("shape".into(), before);
        }
        saved
    }
}

impl Dataset for ZarrDataset {
    fn as_dataset(&self) -> &dyn Dataset {
        self
    }

    fn dtype(&self) -> Result<DType> {
        self.handle.tree.reading(|| Ok(self.plan()?.dtype.clone()))
    }

    fn extent(&self) -> Result<Option<Vec<usize>>> {
        self.handle.tree.reading(|| self.shape_now().map(Some))
    }

    fn spec(&self) -> Result<DatasetSpec> {
        self.handle.tree.reading(|| self.plan()?.spec(&self.handle.node.document.read()))
    }

    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        self.handle.tree.reading(|| {
            let document = self.handle.node.document.read();
            Ok(plan::maxshape_of(&document, &document.shape()?))
        })
    }

    fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        self.handle.tree.reading(|| {
            let plan = self.plan()?;
            let _shaping = self.handle.node.shaping.read();
            let shape = self.shape_now()?;
            let resolved = selection.resolve(&shape)?;
            read::read(&plan, &self.handle.tree.store, &self.handle.node.place().key, &shape, &resolved)
        })
    }

    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        self.put(selection, data, None)
    }

    /// Growing clears first what a writer that was stopped, or an earlier shape, has left beyond the old shape; then the metadata change, in one
    /// step. Shrinking changes the metadata first.
    fn set_extent(&self, shape: &[usize]) -> Result<()> {
        self.handle.tree.writing(|| {
            let plan = self.plan()?;
            let node = &self.handle.node;
            let _shaping = node.shaping.write();
            let (old, key) = (self.shape_now()?, node.place().key);
            let kept: Vec<usize> = old.iter().zip(shape).map(|(a, b)| *a.min(b)).collect();
            let target =
                Target { plan: &plan, store: &self.handle.tree.store, key: &key, turns: &node.turns, shape, valid: &kept, staged: None };
            if shape.iter().zip(&old).any(|(new, old)| new > old) {
                target.clear()?;
            }
            self.publish_shape(shape)?;
            if shape.iter().zip(&old).any(|(new, old)| new < old) {
                let directory = self.handle.tree.store.directory()?;
                for (chunk, index) in stored_chunks(&plan, directory, &key)? {
                    if index.iter().zip(&plan.chunks).zip(shape).any(|((i, c), n)| i.saturating_mul(*c) >= *n) {
                        directory.erase(&chunk)?;
                    }
                }
            }
            Ok(())
        })
    }

    /// The chunks first, then the metadata with the new length: whoever is stopped in between leaves the old length and the old rows.
    fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        self.handle.tree.writing(|| {
            let plan = self.plan()?;
            let node = &self.handle.node;
            let _shaping = node.shaping.write();
            let (old, key) = (self.shape_now()?, node.place().key);
            let (Some(before), Some(added)) = (old.first(), rows.shape().first()) else { bail!(Shape, "a scalar dataset cannot grow") };
            if *added == 0 {
                return Ok(());
            }
            let mut shape = old.clone();
            let end = before.checked_add(*added).ok_or_else(|| error!(Shape, "axis 0 cannot grow past the address space"))?;
            if let Some(n) = shape.first_mut() {
                *n = end;
            }
            let target = Target {
                plan: &plan,
                store: &self.handle.tree.store,
                key: &key,
                turns: &node.turns,
                shape: &shape,
                valid: &old,
                staged: None,
            };
            let resolved = Selection::from(Item::from(*before..end)).resolve(&shape)?;
            target.write(&resolved, rows)?;
            self.publish_shape(&shape)
        })
    }

    fn flush_dataset(&self) -> Result<()> {
        self.handle.tree.flush()
    }
}
