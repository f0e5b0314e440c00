//! The waist: what a tree of groups, datasets and attributes is, wherever it lives.
//!
//! A backend implements [`Attributes`], [`Object`], [`Group`] and [`Dataset`]: few methods, each about one object, with names that
//! are single parts. Users call the extension traits [`GroupExt`], [`DatasetExt`], [`AttributesExt`]: paths, soft links, typed
//! reads and writes, builders. Those are written once, above the waist, so they behave the same on every backend.

mod attributes;
mod builder;
mod dataset;
mod group;
mod link;
mod reference;
pub(crate) mod resolve;
mod spec;

pub use attributes::{Attributes, AttributesExt};
pub use builder::DatasetBuilder;
pub use dataset::{Dataset, DatasetExt, DatasetRef};
pub use group::{Datatype, DatatypeRef, Group, GroupExt, GroupRef, Node, Object, ObjectId};
pub use link::{Link, NewLink};
pub use reference::{ObjectRef, ReferenceTarget, Region, RegionKind, RegionRef};
pub use spec::{BitshuffleCompressor, DatasetSpec, Fill, Filter, GroupSpec, Layout, Location, Mode};
