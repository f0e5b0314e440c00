//! The choices of a deep copy.

use super::engine;
use super::report::CopyReport;
use super::strings::StringConversion;
#[cfg(feature = "hdf5")]
use crate::distributed::FileAccess;
use crate::distributed::{CommonData, Hints};
use crate::error::{Context, Result};
use crate::selection::Selection;
use crate::tree::{DatasetRef, DatasetSpec, Filter, Group, GroupRef, Layout, Node};
use std::ops::ControlFlow;

/// What becomes of a reference whose target is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OutsideReferences {
    /// It becomes the null reference, with a line in the report.
    #[default]
    Null,
    /// It is an error.
    Error,
}

pub(crate) type PostProcess<'a> = Box<dyn FnMut(&Node, &Node) -> Result<()> + 'a>;
pub(crate) type OnProgress<'a> = Box<dyn FnMut(u64, u64, &str) -> ControlFlow<()> + 'a>;
pub(crate) type Elsewhere<'a> = Box<dyn FnMut(&NewCopy<'_>) -> Result<Option<DatasetRef>> + 'a>;

/// A dataset that is about to be made at the destination.
pub(crate) struct NewCopy<'c> {
    /// What is copied.
    pub from: &'c DatasetRef,
    /// The group that gets the copy.
    pub to: &'c GroupRef,
    /// The name of the copy in that group.
    pub name: &'c str,
    /// The path relative to both groups.
    pub path: &'c str,
    /// What the copy is to be, selection and changes applied.
    pub spec: &'c DatasetSpec,
    /// The part that is copied.
    pub selection: &'c Selection,
}

/// What a pattern changes of the datasets that it matches.
#[derive(Debug, Clone)]
pub(super) enum Override {
    Layout(Layout),
    Filters(Vec<Filter>),
}

/// A deep copy with its choices.
///
/// Kept without being asked for: element types to the byte (order, character sets, padding, offsets), shapes and maxshapes, chunks, filters
/// and fill values, attributes of every kind, creation order where a group tracks it, committed types, soft and external links, several hard
/// links to one object (cycles too). A soft link with an absolute target within the copied group is pointed to the new place, and so are
/// object and region references, wherever they are: in attributes, compounds, sub-arrays, sequences.
///
/// ```
/// use memh5::{Filter, MemGroup, copy::DeepCopy, prelude::*};
/// let from = MemGroup::new();
/// from.create_dataset("vis").write(ndarray::Array2::<f32>::ones((100, 8)))?;
/// let to = MemGroup::new();
/// let report = DeepCopy::new()
///     .select("vis", (0..10, ..))
///     .filters("**", [Filter::Shuffle, Filter::Gzip(4)])
///     .run(&from, &to)?;
/// assert_eq!(to.dataset("vis")?.shape()?, [10, 8]);
/// assert_eq!(report.converted.len(), 2);
/// # Ok::<(), memh5::Error>(())
/// ```
#[must_use = "nothing is copied before run(..)"]
pub struct DeepCopy<'a> {
    pub(super) selections: Vec<(String, Selection)>,
    pub(super) ignore_missing: bool,
    pub(super) dataset_strings: StringConversion,
    pub(super) attribute_strings: StringConversion,
    pub(super) overrides: Vec<(String, Override)>,
    pub(super) overwrite: bool,
    pub(super) force_copy: bool,
    pub(super) shallow: bool,
    pub(super) shared: Vec<String>,
    pub(super) outside: OutsideReferences,
    pub(crate) slab: usize,
    pub(super) default_attributes: Vec<(String, String)>,
    pub(crate) elsewhere: Option<Elsewhere<'a>>,
    pub(crate) hints: Hints,
    pub(crate) common_data: CommonData,
    #[cfg(feature = "hdf5")]
    pub(crate) file_access: FileAccess,
    pub(crate) postprocess: Option<PostProcess<'a>>,
    pub(crate) progress: Option<OnProgress<'a>>,
}

impl std::fmt::Debug for DeepCopy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("DeepCopy");
        #[cfg(feature = "hdf5")]
        debug.field("file_access", &self.file_access);
        debug
            .field("selections", &self.selections)
            .field("dataset_strings", &self.dataset_strings)
            .field("attribute_strings", &self.attribute_strings)
            .field("overrides", &self.overrides)
            .field("overwrite", &self.overwrite)
            .field("hints", &self.hints)
            .field("common_data", &self.common_data)
            .finish_non_exhaustive()
    }
}

impl Default for DeepCopy<'_> {
    fn default() -> Self {
        Self {
            selections: Vec::new(),
            ignore_missing: false,
            dataset_strings: StringConversion::Keep,
            attribute_strings: StringConversion::Keep,
            overrides: Vec::new(),
            overwrite: false,
            force_copy: false,
            shallow: false,
            shared: Vec::new(),
            outside: OutsideReferences::Null,
            slab: 64 << 20,
            default_attributes: Vec::new(),
            elsewhere: None,
            hints: Hints::new(),
            common_data: CommonData::Check,
            #[cfg(feature = "hdf5")]
            file_access: FileAccess::Auto,
            postprocess: None,
            progress: None,
        }
    }
}

impl<'a> DeepCopy<'a> {
    /// A copy that keeps everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies only the selected part of a dataset; the path is relative to the copied group, a leading slash means nothing.
    ///
    /// Chunks are clipped to what is left, `maxshape` stays on axes that are whole, and region references to the dataset are dropped with a line in
    /// the report, since they name places of the old shape.
    pub fn select(mut self, path: impl Into<String>, selection: impl Into<Selection>) -> Self {
        self.selections.push((path.into(), selection.into()));
        self
    }

    /// Takes a selection for a path that is not there as meaningless. Otherwise it is an error.
    pub fn ignore_missing_selections(mut self, ignore: bool) -> Self {
        self.ignore_missing = ignore;
        self
    }

    /// Converts the strings of datasets.
    pub fn convert_dataset_strings(mut self, to: StringConversion) -> Self {
        self.dataset_strings = to;
        self
    }

    /// Converts the strings of attributes.
    pub fn convert_attribute_strings(mut self, to: StringConversion) -> Self {
        self.attribute_strings = to;
        self
    }

    /// Gives the datasets whose paths match chunks of that shape, clipped where an axis is shorter.
    ///
    /// In a pattern `?` stands for one character and `*` for any number, but for slashes; `**` for anything. The last matching pattern counts.
    /// A dataset of another rank is an error if the pattern is its very path; otherwise it keeps its own chunks.
    pub fn chunks(self, pattern: impl Into<String>, chunks: impl Into<Vec<usize>>) -> Self {
        self.layout(pattern, Layout::Chunked(chunks.into()))
    }

    /// Gives the datasets whose paths match (see [`chunks`](Self::chunks)) another layout. One that is not in chunks has no filters either.
    pub fn layout(mut self, pattern: impl Into<String>, layout: Layout) -> Self {
        self.overrides.push((pattern.into(), Override::Layout(layout)));
        self
    }

    /// Gives the datasets whose paths match (see [`chunks`](Self::chunks)) other filters, or none. Scalar and null datasets have none in any case.
    pub fn filters(mut self, pattern: impl Into<String>, filters: impl IntoIterator<Item = Filter>) -> Self {
        self.overrides.push((pattern.into(), Override::Filters(filters.into_iter().collect())));
        self
    }

    /// Replaces what has the same name at the destination. Otherwise that is an error, before anything is copied. Groups are replaced, not merged.
    /// What was there comes back if the copy fails.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Copies the bytes also from memory to memory, where they would be shared until one side writes.
    pub fn force_copy(mut self, force: bool) -> Self {
        self.force_copy = force;
        self
    }

    /// Puts the very datasets of the source into the destination, which both see each other's writes: caput's `shallow`. From memory to memory only.
    pub fn shallow(mut self, shallow: bool) -> Self {
        self.shallow = shallow;
        self
    }

    /// The same as [`shallow`](Self::shallow) for some datasets, by their paths relative to the copied group: caput's `shared`.
    pub fn shared<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.shared.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Says what becomes of references to objects that are not copied.
    pub fn outside_references(mut self, what: OutsideReferences) -> Self {
        self.outside = what;
        self
    }

    /// How many bytes of a dataset are in memory at a time when it goes from file to file: 64 MiB when not said. A chunk is never split.
    pub fn slab_bytes(mut self, bytes: usize) -> Self {
        self.slab = bytes.max(1);
        self
    }

    /// A text attribute that the destination group gets if it has none of that name in the end.
    pub(crate) fn default_attribute(mut self, name: &str, text: &str) -> Self {
        self.default_attributes.push((name.to_owned(), text.to_owned()));
        self
    }

    /// Says which datasets of a file are distributed when it is loaded on ranks, and whether a save by ranks marks them: see [`Hints`]. Means nothing
    /// to other copies.
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = hints;
        self
    }

    /// Says what a save by ranks does about common data and attributes that differ between the ranks. Means nothing to other copies.
    pub fn common_data(mut self, what: CommonData) -> Self {
        self.common_data = what;
        self
    }

    /// Says how the elements of distributed datasets are moved between ranks and an HDF5 file. Means nothing to other copies.
    #[cfg(feature = "hdf5")]
    pub fn file_access(mut self, access: FileAccess) -> Self {
        self.file_access = access;
        self
    }

    /// Asks the function to make the copy of each dataset. Where it makes one, the elements are its business; where it returns `None`, the dataset is
    /// copied as others are.
    pub(crate) fn elsewhere(mut self, make: impl FnMut(&NewCopy<'_>) -> Result<Option<DatasetRef>> + 'a) -> Self {
        self.elsewhere = Some(Box::new(make));
        self
    }

    /// Calls the function for each object and its copy when all is copied: the group itself first, then parents before children. An error of the
    /// function fails the copy.
    pub fn postprocess(mut self, f: impl FnMut(&Node, &Node) -> Result<()> + 'a) -> Self {
        self.postprocess = Some(Box::new(f));
        self
    }

    /// Calls the function before each dataset and after each piece of one, with the bytes done, those to be done in all, and the path.
    /// `Break` ends the copy with the error `Cancelled`.
    pub fn progress(mut self, f: impl FnMut(u64, u64, &str) -> ControlFlow<()> + 'a) -> Self {
        self.progress = Some(Box::new(f));
        self
    }

    /// Copies everything below one group, and its attributes, into the other.
    ///
    /// # Collective
    /// If ranks share the destination, all of them call it, with the same choices and sources of the same content.
    ///
    /// # Errors
    /// `AlreadyExists` if a name is taken and [`overwrite`](Self::overwrite) was not said; `NotFound` for a selection whose dataset is not there;
    /// `Selection`; `Dtype` for a string that cannot be converted; `InvalidArgument` if one group is within the other, or for
    /// [`shallow`](Self::shallow) with a file; `Unsupported` if the destination lacks a filter; `Cancelled`; and what reading and writing may
    /// return. The destination is then as it was, as far as it still takes writes.
    pub fn run(self, from: &dyn Group, to: &dyn Group) -> Result<CopyReport> {
        engine::run(self, from, to).context(&from.name(), "copy the group")
    }
}
