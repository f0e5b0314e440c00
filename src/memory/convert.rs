//! From common to distributed and back, and from one axis to another: within the node, so every handle sees it.

use super::MemGroup;
use super::distributed::MemDatasetDistributed;
use super::node::Content;
use super::spread::Spread;
use super::tree::Handle;
use super::{MemDataset, MemDatasetCommon};
use crate::error::{Context, Result, bail};
use crate::path;
use crate::tree::{CollectiveCall, Object};

/// What a dataset becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Common,
    On(usize),
}

/// What has to be done for it.
enum Work {
    Nothing,
    Cut(Spread),
    Move(Spread, usize),
    Gather(Spread),
}

impl Handle {
    /// Makes the dataset what it is to be. Collective; `what` says where an error happened.
    fn convert(&self, open: impl FnOnce() -> Result<Handle>, target: Target, call: impl Fn() -> CollectiveCall) -> Result<Handle> {
        let ranks = self.ranks().with_context(|| (call().path, call().operation))?;
        let place = || (call().path, call().operation);
        let prepare = || {
            let handle = open()?;
            let stored = handle.stored()?.read();
            let work = match (&stored.content, target) {
                (Content::Common(_), Target::Common) => Work::Nothing,
                (Content::Distributed(spread), Target::On(axis)) if spread.axis == axis => Work::Nothing,
                (Content::Common(array), Target::On(axis)) => {
                    if stored.properties.as_deref().is_some_and(|p| p.maxshape.is_some()) {
                        bail!(Unsupported, "the dataset can grow, and a distributed one cannot: set its maxshape to None first");
                    }
                    Work::Cut(Spread::cut(ranks.comm().clone(), array, axis)?)
                }
                (Content::Distributed(spread), Target::On(axis)) => {
                    spread.check_axis(axis)?;
                    Work::Move((**spread).clone(), axis)
                }
                (Content::Distributed(spread), Target::Common) => Work::Gather((**spread).clone()),
            };
            let details = format!("{target:?} of {} {:?}", stored.content.dtype(), stored.content.extent());
            let on = stored.content.spread().map(|s| format!(" on axis {}", s.axis)).unwrap_or_default();
            drop(stored);
            Ok(((handle, work), details + &on))
        };
        let act = |(handle, work): (Handle, Work)| {
            let content = match work {
                Work::Nothing => return Ok(handle),
                Work::Cut(spread) => Content::Distributed(Box::new(spread)),
                Work::Move(spread, axis) => Content::Distributed(Box::new(spread.on_axis(axis)?)),
                Work::Gather(spread) => Content::Common(spread.gathered()?),
            };
            let mut stored = handle.stored()?.write();
            handle.keep_old(&stored);
            let old = std::mem::replace(&mut stored.content, content);
            drop(stored);
            drop(old); // outside of the lock: it can be much
            Ok(handle)
        };
        ranks.exchange(&call, || prepare().with_context(place), |work| act(work).with_context(place))
    }
}

impl MemGroup {
    fn convert(&self, name: &str, target: Target, what: &str) -> Result<Handle> {
        let call = || CollectiveCall::new(what, path::join(&self.name(), name)).with(format!("{target:?}"));
        self.0.convert(|| Ok(self.dataset(name)?.handle().clone()), target, call)
    }

    /// Spreads a common dataset over the ranks of the tree: each keeps its block along the axis. Collective; no elements move. One that is
    /// distributed already is redistributed.
    ///
    /// Attributes, chunks and filters stay. The ranks' copies are taken as they are: where they differ, each block is that of its rank.
    ///
    /// # Errors
    /// `NotFound`, `NotADataset`, `InvalidArgument` for an axis that is not there, `Unsupported` for elements that are not plain, for a dataset that
    /// can grow, and in a tree that no ranks share; `Collective` if the ranks disagree.
    pub fn dataset_common_to_distributed(&self, name: &str, axis: usize) -> Result<MemDatasetDistributed> {
        self.convert(name, Target::On(axis), "distribute the dataset").map(MemDatasetDistributed)
    }

    /// Gives every rank all of a distributed dataset. Collective. One that is common already stays as it is.
    ///
    /// # Errors
    /// `NotFound`, `NotADataset`, `Unsupported` in a tree that no ranks share, `Io` if there is no memory; `Collective` if the ranks disagree.
    pub fn dataset_distributed_to_common(&self, name: &str) -> Result<MemDatasetCommon> {
        self.convert(name, Target::Common, "make the dataset common").map(MemDatasetCommon)
    }

    /// Spreads a distributed dataset along another axis. Collective. All handles of it see the new parts.
    ///
    /// # Errors
    /// As [`dataset_common_to_distributed`](Self::dataset_common_to_distributed); `Unsupported` if the dataset is common.
    pub fn redistribute(&self, name: &str, axis: usize) -> Result<MemDatasetDistributed> {
        let open = || {
            let dataset = self.dataset(name)?;
            dataset.handle().stored()?.read().content.spread()?;
            Ok(dataset.handle().clone())
        };
        let call = || CollectiveCall::new("redistribute the dataset", path::join(&self.name(), name)).with(axis.to_string());
        self.0.convert(open, Target::On(axis), call).map(MemDatasetDistributed)
    }
}

impl MemDatasetDistributed {
    /// Spreads the dataset along another axis: caput's `redistribute`. Collective. All handles of it see the new parts.
    ///
    /// # Errors
    /// `InvalidArgument` for an axis that is not there, `Unsupported` if the dataset became common; `Collective` if the ranks disagree.
    pub fn redistribute(&self, axis: usize) -> Result<()> {
        let open = || {
            self.0.stored()?.read().content.spread()?;
            Ok(self.0.clone())
        };
        let call = || CollectiveCall::new("redistribute the dataset", self.name()).with(axis.to_string());
        self.0.convert(open, Target::On(axis), call).map(drop)
    }
}

impl MemDataset {
    /// Spreads a distributed dataset along another axis, as [`MemDatasetDistributed::redistribute`]. Collective.
    ///
    /// # Errors
    /// As there; `Unsupported` if the dataset is common.
    pub fn redistribute(&self, axis: usize) -> Result<()> {
        MemDatasetDistributed(self.handle().clone()).redistribute(axis)
    }
}
