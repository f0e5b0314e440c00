//! What a dataset holds: a whole array, or this rank's part of one that is spread over ranks. And what the tree's traits ask of either.
//!
//! It lies in the node, so a dataset changes from one to the other under all its handles. So the answers below are those of the object,
//! whatever kind of handle is asked.

use super::node::{Content, Kind, Node, Properties, Stored};
use super::reference;
use super::spread;
use super::tree::Handle;
use crate::array::{AnyArray, Element};
use crate::distributed::DistributedArray;
use crate::dtype::DType;
use crate::error::{Context, Error, Result, bail, error};
use crate::selection::Selection;
use crate::tree::{DatasetSpec, Fill, Layout};
use ndarray::ArrayViewMutD;
use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Content {
    pub(super) fn dtype(&self) -> &DType {
        match self {
            Self::Common(array) => array.dtype(),
            Self::Distributed(array) => array.dtype(),
        }
    }

    /// The shape over all ranks; `None` for a null dataspace.
    pub(super) fn extent(&self) -> Option<&[usize]> {
        match self {
            Self::Common(array) => array.extent(),
            Self::Distributed(array) => Some(array.global_shape()),
        }
    }

    /// All elements, if they are on this rank.
    pub(super) fn whole(&self) -> Result<&AnyArray> {
        match self {
            Self::Common(array) => Ok(array),
            Self::Distributed(array) => spread::whole(array),
        }
    }

    /// All elements for writing, if they are on this rank.
    pub(super) fn whole_mut<T: Element>(&mut self) -> Result<ArrayViewMutD<'_, T>> {
        match self {
            Self::Common(array) => array.view_mut(),
            Self::Distributed(array) => {
                spread::whole(array)?;
                array.local_view_mut()
            }
        }
    }

    /// What is spread over ranks.
    pub(super) fn distributed(&self) -> Result<&DistributedArray> {
        match self {
            Self::Distributed(array) => Ok(array),
            Self::Common(_) => Err(not_distributed()),
        }
    }

    pub(super) fn distributed_mut(&mut self) -> Result<&mut DistributedArray> {
        match self {
            Self::Distributed(array) => Ok(array),
            Self::Common(_) => Err(not_distributed()),
        }
    }
}

fn not_distributed() -> Error {
    error!(Unsupported, "the dataset is common now: every rank has all of it, and none a part")
        .remedy("open it again, or spread it with dataset_common_to_distributed")
}

impl Stored {
    /// The common array, for what changes its shape.
    fn resizable(&mut self) -> Result<&mut AnyArray> {
        match &mut self.content {
            Content::Common(array) => Ok(array),
            Content::Distributed(_) => Err(error!(Unsupported, "a distributed dataset keeps its shape")
                .remedy("make it common with dataset_distributed_to_common, then resize")),
        }
    }
}

/// The node of a new dataset.
pub(super) fn node_of(content: Content, spec: &DatasetSpec) -> Arc<Node> {
    let usual = spec.maxshape.is_none() && spec.layout == Layout::Auto && spec.filters.is_empty() && matches!(spec.fill, Fill::Default);
    let properties = (!usual).then(|| {
        Box::new(Properties {
            maxshape: spec.maxshape.clone(),
            layout: spec.layout.clone(),
            filters: spec.filters.clone(),
            fill: spec.fill.clone(),
        })
    });
    Node::new(Kind::Dataset(RwLock::new(Stored { content, properties })), spec.track_order)
}

fn spec_of(content: &Content, properties: &Properties, track_order: bool) -> DatasetSpec {
    let Properties { maxshape, layout, filters, fill } = properties.clone();
    let shape = content.extent().map(<[usize]>::to_vec);
    DatasetSpec { dtype: content.dtype().clone(), shape, maxshape, layout, filters, fill, track_order }
}

impl Handle {
    pub(super) fn stored(&self) -> Result<&RwLock<Stored>> {
        match &self.node().kind {
            Kind::Dataset(stored) => Ok(stored),
            _ => Err(error!(Corrupt, "the object is not a dataset")),
        }
    }

    /// True if the dataset is spread over ranks at this moment.
    pub(super) fn is_spread(&self) -> bool {
        self.node().spread.load(Ordering::Acquire)
    }

    /// Makes the dataset hold something else, and gives back what it held.
    pub(super) fn exchange_content(&self, stored: &mut Stored, content: Content) -> Content {
        self.node().spread.store(matches!(content, Content::Distributed(_)), Ordering::Release);
        std::mem::replace(&mut stored.content, content)
    }

    /// Changes the properties in the stored object, so that every handle sees it; nothing changes if they do not fit.
    pub(super) fn edit(&self, what: &'static str, change: impl FnOnce(&mut Properties)) -> Result<()> {
        let edit = || {
            let mut stored = self.stored()?.write();
            let mut properties = stored.properties.as_deref().cloned().unwrap_or_default();
            change(&mut properties);
            spec_of(&stored.content, &properties, self.node().track_order).validate()?;
            stored.properties = Some(Box::new(properties));
            Ok(())
        };
        edit().with_context(|| (self.name(), what))
    }

    pub(super) fn dtype(&self) -> Result<DType> {
        Ok(self.stored()?.read().content.dtype().clone())
    }

    pub(super) fn extent(&self) -> Result<Option<Vec<usize>>> {
        Ok(self.stored()?.read().content.extent().map(<[usize]>::to_vec))
    }

    pub(super) fn spec(&self) -> Result<DatasetSpec> {
        let stored = self.stored()?.read();
        let usual = Properties::default();
        Ok(spec_of(&stored.content, stored.properties.as_deref().unwrap_or(&usual), self.node().track_order))
    }

    pub(super) fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        Ok(self.stored()?.read().properties.as_deref().and_then(|p| p.maxshape.clone()))
    }

    pub(super) fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        match &self.stored()?.read().content {
            Content::Common(array) if *selection == Selection::All => Ok(array.clone()),
            Content::Common(array) => array.select(selection),
            Content::Distributed(array) => spread::read(array, selection),
        }
    }

    /// Reads what is selected, from all ranks.
    pub(super) fn read_together(&self, selection: &Selection) -> Result<AnyArray> {
        let array = match &self.stored()?.read().content {
            Content::Distributed(array) if array.comm().size() > 1 => (**array).clone(),
            _ => return self.read_selection(selection),
        };
        let ranks = self.ranks()?;
        ranks.check_comm(array.comm())?;
        ranks.read(|| self.call("read the dataset"), &array, selection)
    }

    pub(super) fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        reference::check(self, data)?;
        match &mut self.stored()?.write().content {
            Content::Common(array) => array.assign(selection, data),
            Content::Distributed(array) => spread::write(array, selection, data),
        }
    }

    pub(super) fn set_extent(&self, shape: &[usize]) -> Result<()> {
        let stored = &mut *self.stored()?.write();
        let fill = match stored.properties.as_deref() {
            Some(Properties { fill: Fill::Value(value), .. }) => Some(value.clone()),
            _ => None,
        };
        self.keep_old(stored);
        stored.resizable()?.resize(shape, fill.as_ref())?;
        self.record(|| format!("{shape:?}"));
        Ok(())
    }

    pub(super) fn append_rows(&self, rows: &AnyArray) -> Result<()> {
        reference::check(self, rows)?;
        let stored = &mut *self.stored()?.write();
        let limit = match stored.properties.as_deref() {
            Some(Properties { maxshape: Some(max), .. }) => max.first().copied().flatten(),
            _ => None,
        };
        self.keep_old(stored);
        let array = stored.resizable()?;
        // Again, under the lock: somebody else may have appended since it was checked.
        if let (Some(old), Some(added), Some(limit)) = (array.shape().first(), rows.shape().first(), limit)
            && old.checked_add(*added).is_none_or(|n| n > limit)
        {
            bail!(Shape, "axis 0 cannot grow from {old} by {added}: its maxshape is {limit}");
        }
        array.append(rows)?;
        self.record(|| format!("{:?} rows of {}", rows.shape(), rows.dtype()));
        Ok(())
    }

    pub(super) fn describe_dataset(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemDataset({:?}", self.name())?;
        if let Ok(stored) = self.stored() {
            let stored = stored.read();
            match stored.content.extent() {
                Some(shape) => write!(f, ", {}, {shape:?}", stored.content.dtype())?,
                None => write!(f, ", {}, null", stored.content.dtype())?,
            }
            if let Content::Distributed(array) = &stored.content {
                write!(f, ", axis {} over {} ranks", array.axis(), array.comm().size())?;
            }
        }
        f.write_str(")")
    }

    /// Within a collective call: keeps what the dataset holds, to bring it back if the ranks do not agree.
    pub(super) fn keep_old(&self, stored: &Stored) {
        self.note(|| {
            let (handle, old) = (self.clone(), stored.content.clone());
            super::ranks::Step::undo(move || {
                if let Ok(stored) = handle.stored() {
                    handle.exchange_content(&mut stored.write(), old);
                }
            })
        });
    }
}

/// What every kind of dataset handle answers to the tree's traits: what the object is, not what it was when the handle was made.
macro_rules! impl_dataset {
    ($type:ty) => {
        impl $crate::tree::Dataset for $type {
            fn as_dataset(&self) -> &dyn $crate::tree::Dataset {
                self
            }
            fn dtype(&self) -> $crate::Result<$crate::DType> {
                self.0.dtype()
            }
            fn extent(&self) -> $crate::Result<Option<Vec<usize>>> {
                self.0.extent()
            }
            fn spec(&self) -> $crate::Result<$crate::tree::DatasetSpec> {
                self.0.spec()
            }
            fn read_selection(&self, selection: &$crate::Selection) -> $crate::Result<$crate::AnyArray> {
                self.0.read_selection(selection)
            }
            fn read_together(&self, selection: &$crate::Selection) -> $crate::Result<$crate::AnyArray> {
                self.0.read_together(selection)
            }
            fn write_selection(&self, selection: &$crate::Selection, data: &$crate::AnyArray) -> $crate::Result<()> {
                self.0.write_selection(selection, data)
            }
            fn set_extent(&self, shape: &[usize]) -> $crate::Result<()> {
                self.0.together(|| self.0.call("resize the dataset"), || self.0.set_extent(shape))
            }
            fn max_extent(&self) -> $crate::Result<Option<Vec<Option<usize>>>> {
                self.0.max_extent()
            }
            fn append_rows(&self, rows: &$crate::AnyArray) -> $crate::Result<()> {
                self.0.together(|| self.0.call("append to the dataset"), || self.0.append_rows(rows))
            }
        }

        impl $type {
            /// One more handle of this dataset: caput's `view`. It shares elements and attributes.
            #[must_use]
            pub fn view(&self) -> Self {
                self.clone()
            }

            /// The group that holds it.
            ///
            /// # Errors
            /// `NotFound` if the dataset was deleted.
            pub fn parent(&self) -> $crate::Result<$crate::memory::MemGroup> {
                self.0.parent().map($crate::memory::MemGroup)
            }

            /// The root of the tree: h5py's `file`.
            pub fn file(&self) -> $crate::memory::MemGroup {
                $crate::memory::MemGroup(self.0.root())
            }

            /// The chunk shape, if one was given.
            ///
            /// # Errors
            /// None; the type is that of the other questions.
            pub fn chunks(&self) -> $crate::Result<Option<Vec<usize>>> {
                Ok(self.0.spec()?.chunks().map(<[usize]>::to_vec))
            }

            /// Changes the chunk shape that a file gets; `None` leaves it to the format. Local: say the same on all ranks of a distributed tree.
            ///
            /// # Errors
            /// `Shape` or `InvalidArgument` if the chunks do not fit the dataset.
            pub fn set_chunks(&self, chunks: Option<&[usize]>) -> $crate::Result<()> {
                use $crate::tree::Layout;
                self.0.edit("set the chunks", |p| p.layout = chunks.map_or(Layout::Auto, |c| Layout::Chunked(c.to_vec())))
            }

            /// Changes the layout that a file gets.
            ///
            /// # Errors
            /// `Shape` or `InvalidArgument` if it does not fit the dataset.
            pub fn set_layout(&self, layout: $crate::tree::Layout) -> $crate::Result<()> {
                self.0.edit("set the layout", |p| p.layout = layout)
            }

            /// Changes the filters that the chunks get in a file.
            ///
            /// # Errors
            /// `InvalidArgument` if they do not fit the dataset.
            pub fn set_filters(&self, filters: impl IntoIterator<Item = $crate::Filter>) -> $crate::Result<()> {
                self.0.edit("set the filters", |p| p.filters = filters.into_iter().collect())
            }
        }
    };
}
pub(super) use impl_dataset;
