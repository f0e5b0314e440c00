//! What this module needs to know of distributed trees in memory.

use crate::array::AnyArray;
use crate::distributed::Agreement;
use crate::error::{Result, error};
use crate::memory::{MemDataset, MemDatasetDistributed, MemGroup};
use crate::tree::{Dataset, DatasetSpec, Group, GroupRef};

/// What this rank has of a distributed dataset.
#[derive(Debug)]
pub(super) struct Spread {
    pub axis: usize,
    pub shape: Vec<usize>,
    pub local: AnyArray,
}

/// The agreement of the ranks that share the tree of a group; `None` if it is no such tree.
pub(crate) fn agreement_of(group: &dyn Group) -> Option<&Agreement> {
    group.as_any().downcast_ref::<MemGroup>().and_then(MemGroup::agreement)
}

fn distributed(dataset: &dyn Dataset) -> Option<MemDatasetDistributed> {
    MemDataset::from_dyn(dataset).filter(MemDataset::is_distributed).and_then(|d| d.into_distributed().ok())
}

/// What this rank has of a dataset, if it is distributed.
pub(super) fn spread(dataset: &dyn Dataset) -> Result<Option<Spread>> {
    let Some(found) = distributed(dataset) else { return Ok(None) };
    Ok(Some(Spread { axis: found.distributed_axis()?, shape: found.global_shape()?, local: found.local_data()? }))
}

/// Makes a distributed dataset in a distributed tree; if it is said, with elements that the caller writes before one is read.
pub(super) fn create(to: &GroupRef, name: &str, spec: &DatasetSpec, axis: usize, unwritten: bool) -> Result<MemDatasetDistributed> {
    let Some(to) = to.as_any().downcast_ref::<MemGroup>() else {
        return Err(error!(InvalidArgument, "a dataset can be distributed in memory only"));
    };
    to.create_distributed(name).spec(spec).axis(axis).unwritten(unwritten).create()
}
