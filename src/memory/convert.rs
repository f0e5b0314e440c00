//! From common to distributed and back, and from one axis to another: within the node, so every handle sees it.

use super::MemGroup;
use super::distributed::MemDatasetDistributed;
use super::node::Content;
use super::tree::Handle;
use super::{MemDataset, MemDatasetCommon};
use crate::distributed::{Axis, DistributedArray};
use crate::error::{Context, Result};
use crate::path;
use crate::tree::{CollectiveCall, Object};

/// What a dataset becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Common,
    On(Axis),
}

/// What has to be done for it.
enum Work {
    Nothing,
    Cut(DistributedArray),
    Move(DistributedArray, usize),
    Gather(DistributedArray),
}

impl Handle {
    /// Makes the dataset what it is to be. Collective; `what` says where an error happened.
    fn convert(&self, open: impl FnOnce() -> Result<Handle>, target: Target, call: impl Fn() -> CollectiveCall) -> Result<Handle> {
        let ranks = self.ranks().with_context(|| (call().path, call().operation))?;
        let place = || (call().path, call().operation);
        let prepare = || {
            let handle = open()?;
            let stored = handle.stored()?.read();
            if let Content::Distributed(array) = &stored.content {
                ranks.check_comm(array.comm())?; // it can be shared with a tree of other ranks
            }
            // The axis is that of all ranks' shapes, which are compared.
            let axis = match target {
                Target::On(axis) => Some(axis.resolve(stored.content.extent().map_or(0, <[usize]>::len))?),
                Target::Common => None,
            };
            let work = match (&stored.content, axis) {
                (Content::Common(_), None) => Work::Nothing,
                (Content::Distributed(array), Some(axis)) if array.axis() == axis => Work::Nothing,
                (Content::Common(array), Some(axis)) => Work::Cut(DistributedArray::from_global(array, axis, ranks.comm().clone())?),
                (Content::Distributed(array), Some(axis)) => Work::Move((**array).clone(), axis),
                (Content::Distributed(array), None) => Work::Gather((**array).clone()),
            };
            let from = match &stored.content {
                Content::Common(_) => String::new(),
                Content::Distributed(array) => format!(" from axis {}", array.axis()),
            };
            let to = axis.map_or("common".to_owned(), |axis| format!("to axis {axis}"));
            let details = format!("{} {:?}{from} {to}", stored.content.dtype(), stored.content.extent());
            drop(stored);
            Ok(((handle, work), details))
        };
        let act = |(handle, work): (Handle, Work)| {
            let content = match work {
                Work::Nothing => return Ok(handle),
                Work::Cut(array) => Content::Distributed(Box::new(array)),
                Work::Move(array, axis) => Content::Distributed(Box::new(array.redistribute(axis)?)),
                Work::Gather(array) => Content::Common(array.all_gather()?),
            };
            let mut stored = handle.stored()?.write();
            handle.keep_old(&stored);
            let old = handle.exchange_content(&mut stored, content);
            drop(stored);
            drop(old); // outside of the lock: it can be much
            Ok(handle)
        };
        ranks.exchange(&call, || prepare().with_context(place), |work| act(work).with_context(place))
    }
}

impl MemGroup {
    fn convert(&self, name: &str, target: Target, what: &str) -> Result<Handle> {
        let call = || CollectiveCall::new(what, path::join(&self.name(), name));
        self.0.convert(|| Ok(self.dataset(name)?.handle().clone()), target, call)
    }

    /// Spreads a common dataset over the ranks of the tree: each keeps its block along the axis. One that is
    /// distributed already is redistributed.
    ///
    /// Attributes, chunks, filters and `maxshape` stay; it cannot grow while it is distributed. The ranks' copies are taken as they are: where they differ, each block is that of its rank.
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments. No elements move.
    ///
    /// # Errors
    /// `NotFound`, `NotADataset`, `InvalidArgument` for an axis that is not there, `Unsupported` for elements that are not plain, and in a
    /// tree that no ranks share; `Collective` if the ranks disagree.
    pub fn dataset_common_to_distributed(&self, name: &str, axis: impl Into<Axis>) -> Result<MemDatasetDistributed> {
        self.convert(name, Target::On(axis.into()), "distribute the dataset").map(MemDatasetDistributed)
    }

    /// Gives every rank all of a distributed dataset. One that is common already stays as it is.
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments.
    ///
    /// # Errors
    /// `NotFound`, `NotADataset`, `Unsupported` in a tree that no ranks share, `Io` if there is no memory; `Collective` if the ranks disagree.
    pub fn dataset_distributed_to_common(&self, name: &str) -> Result<MemDatasetCommon> {
        self.convert(name, Target::Common, "make the dataset common").map(MemDatasetCommon)
    }

    /// Spreads a distributed dataset along another axis. All handles of it see the new parts.
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments.
    ///
    /// # Errors
    /// As [`dataset_common_to_distributed`](Self::dataset_common_to_distributed); `Unsupported` if the dataset is common.
    pub fn redistribute(&self, name: &str, axis: impl Into<Axis>) -> Result<MemDatasetDistributed> {
        let open = || {
            let dataset = self.dataset(name)?;
            dataset.handle().stored()?.read().content.distributed()?;
            Ok(dataset.handle().clone())
        };
        let call = || CollectiveCall::new("redistribute the dataset", path::join(&self.name(), name));
        self.0.convert(open, Target::On(axis.into()), call).map(MemDatasetDistributed)
    }
}

impl MemDatasetDistributed {
    /// Spreads the dataset along another axis: caput's `redistribute`. All handles of it see the new parts.
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments.
    ///
    /// # Errors
    /// `InvalidArgument` for an axis that is not there, `Unsupported` if the dataset became common; `Collective` if the ranks disagree.
    pub fn redistribute(&self, axis: impl Into<Axis>) -> Result<()> {
        let open = || {
            self.0.stored()?.read().content.distributed()?;
            Ok(self.0.clone())
        };
        let call = || CollectiveCall::new("redistribute the dataset", self.name());
        self.0.convert(open, Target::On(axis.into()), call).map(drop)
    }
}

impl MemDataset {
    /// Spreads a distributed dataset along another axis, as [`MemDatasetDistributed::redistribute`].
    ///
    /// # Collective
    /// All ranks that share the tree call it, with the same arguments.
    ///
    /// # Errors
    /// As there; `Unsupported` if the dataset is common.
    pub fn redistribute(&self, axis: impl Into<Axis>) -> Result<()> {
        MemDatasetDistributed(self.handle().clone()).redistribute(axis)
    }
}
