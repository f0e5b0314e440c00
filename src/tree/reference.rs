//! References: values that point to objects of the same tree, or to a part of a dataset.

use super::group::{Node, ObjectId};
use crate::error::{Result, error};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What a backend keeps behind a reference.
pub trait ReferenceTarget: Send + Sync + fmt::Debug {
    /// Opens the object.
    ///
    /// # Errors
    /// `NotFound` if it was deleted, `Closed` if its file was closed.
    fn open(&self) -> Result<Node>;

    /// The identity of the object, without opening it; that of the deleted one if it was deleted.
    fn id(&self) -> ObjectId;

    /// For the backend that made it.
    fn as_any(&self) -> &dyn Any;
}

/// A reference to an object, or the null reference.
///
/// It survives a rename of its target. Made by [`Object::reference`](super::Object::reference).
#[derive(Clone, Default)]
pub struct ObjectRef(Option<Arc<dyn ReferenceTarget>>);

impl ObjectRef {
    /// The null reference.
    pub fn null() -> Self {
        Self(None)
    }

    /// A reference of a backend.
    pub fn new(target: Arc<dyn ReferenceTarget>) -> Self {
        Self(Some(target))
    }

    /// True for the null reference.
    pub fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// What the backend keeps; `None` for the null reference.
    pub fn target(&self) -> Option<&Arc<dyn ReferenceTarget>> {
        self.0.as_ref()
    }

    /// The identity of the object; `None` for the null reference.
    pub fn id(&self) -> Option<ObjectId> {
        self.0.as_ref().map(|t| t.id())
    }

    /// Opens the object.
    ///
    /// # Errors
    /// `NotFound` for the null reference and for a deleted object, `Closed` if its file was closed.
    pub fn open(&self) -> Result<Node> {
        match &self.0 {
            Some(target) => target.open(),
            None => Err(error!(NotFound, "the null reference points to no object")),
        }
    }
}

impl PartialEq for ObjectRef {
    /// Equal if both point to one object, or both are null.
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.open() {
            Ok(node) => write!(f, "ref({})", node.name()),
            Err(_) if self.is_null() => f.write_str("ref(null)"),
            Err(_) => f.write_str("ref(?)"),
        }
    }
}

/// The selected elements of a region reference, as HDF5 stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionKind {
    /// Nothing.
    None,
    /// Everything.
    All,
    /// One regular hyperslab, each vector with one entry per axis.
    Hyperslab {
        /// Where it begins.
        start: Vec<u64>,
        /// From the beginning of a block to that of the next.
        stride: Vec<u64>,
        /// How many blocks.
        count: Vec<u64>,
        /// The extent of a block.
        block: Vec<u64>,
    },
    /// A union of blocks: for each, its first and its last corner (inclusive).
    Blocks(Vec<(Vec<u64>, Vec<u64>)>),
    /// Single elements in that order, duplicates kept.
    Points(Vec<Vec<u64>>),
}

/// A selection of a dataset: the shape it was made for, and the selected elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The shape of the dataset when the reference was made.
    pub shape: Vec<u64>,
    /// The selected elements.
    pub kind: RegionKind,
}

impl Region {
    /// The smallest box that holds the selection: its first and last corner (inclusive). `None` if nothing is selected.
    pub fn bounds(&self) -> Option<(Vec<u64>, Vec<u64>)> {
        let rank = self.shape.len();
        let fold = |boxes: &mut dyn Iterator<Item = (&Vec<u64>, &Vec<u64>)>| {
            boxes.fold(None, |acc: Option<(Vec<u64>, Vec<u64>)>, (low, high)| match acc {
                None => Some((low.clone(), high.clone())),
                Some((l, h)) => Some(((0..rank).map(|k| l[k].min(low[k])).collect(), (0..rank).map(|k| h[k].max(high[k])).collect())),
            })
        };
        match &self.kind {
            RegionKind::None => None,
            RegionKind::All if self.shape.contains(&0) => None,
            RegionKind::All => Some((vec![0; rank], self.shape.iter().map(|n| n - 1).collect())),
            RegionKind::Hyperslab { start, stride, count, block } => {
                if count.contains(&0) || block.contains(&0) {
                    return None;
                }
                // Those of a damaged file may be any numbers.
                let last = |k: usize| (count[k] - 1).saturating_mul(stride[k]).saturating_add(start[k]).saturating_add(block[k] - 1);
                let last = (0..rank).map(last).collect();
                Some((start.clone(), last))
            }
            RegionKind::Blocks(blocks) => fold(&mut blocks.iter().map(|(a, b)| (a, b))),
            RegionKind::Points(points) => fold(&mut points.iter().map(|p| (p, p))),
        }
    }
}

/// A reference to a selection of a dataset, or the null reference.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionRef {
    /// The dataset.
    pub target: ObjectRef,
    /// The selected elements.
    pub region: Region,
}

impl RegionRef {
    /// The null reference.
    pub fn null() -> Self {
        Self { target: ObjectRef::null(), region: Region { shape: Vec::new(), kind: RegionKind::None } }
    }

    /// True for the null reference.
    pub fn is_null(&self) -> bool {
        self.target.is_null()
    }
}
