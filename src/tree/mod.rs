//! The waist: what a tree of groups, datasets and attributes is, wherever it lives.
//!
//! A backend implements [`Attributes`], [`Object`], [`Group`] and [`Dataset`]: few methods, each about one object, with names that
//! are single parts. Users call the extension traits [`GroupExt`], [`DatasetExt`], [`AttributesExt`]: paths, soft links, typed
//! reads and writes, builders. Those are written once, above the waist, so they behave the same on every backend.

mod attributes;
pub(crate) mod blocks;
mod builder;
pub(crate) mod collective;
mod dataset;
mod diff;
pub(crate) mod digest;
mod dump;
mod equal;
mod group;
mod link;
mod print;
mod reference;
mod regions;
pub(crate) mod resolve;
mod spec;
mod verify;

pub use attributes::{Attributes, AttributesExt};
pub use builder::DatasetBuilder;
pub use collective::{Collective, CollectiveCall};
pub use dataset::{Dataset, DatasetExt, DatasetRef};
pub(crate) use diff::diff_here;
pub use diff::{DiffOptions, DiffReport, Difference, diff, diff_with};
pub(crate) use digest::{Digester, LazyPaths};
pub use dump::{DumpOptions, dump, dump_with};
pub use equal::tree_equal;
pub(crate) use group::fresh_tree_id;
pub use group::{Datatype, DatatypeRef, Group, GroupExt, GroupRef, Node, Object, ObjectId};
pub use link::{Link, NewLink};
pub use print::{PrintOptions, layout_text, print_tree, print_tree_with, shape_text, short_value, visible};
pub use reference::{ObjectRef, ReferenceTarget, Region, RegionKind, RegionRef};
pub use regions::{RegionColumn, RowRegions};
pub use spec::{BitshuffleCompressor, DatasetSpec, Feature, Fill, Filter, GroupSpec, Layout, Location, Mode};
pub use verify::{Damage, VerifyReport, verify, verify_with};
