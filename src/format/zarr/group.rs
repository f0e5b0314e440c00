//! Groups.

use super::codecs;
use super::dataset::ZarrDataset;
use super::document::{Document, Kind};
use super::names;
use super::node::Node as StoredNode;
use super::object::{Handle, object};
use super::plan::{self, Plan};
use super::store::join;
use super::tree::{LONE, LONE_KEY};
use super::version::ZarrVersion;
use super::write::{Target, Turns};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::selection::Selection;
use crate::tree::{DatasetRef, DatasetSpec, DatatypeRef, Feature, Group, GroupRef, GroupSpec, Link, NewLink, Node};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// A group of a Zarr store.
#[derive(Debug, Clone)]
pub struct ZarrGroup {
    pub(super) handle: Handle,
}

object!(ZarrGroup);

impl ZarrGroup {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The version of the format that its store has.
    pub fn version(&self) -> ZarrVersion {
        self.handle.tree.options.version
    }

    /// From now on what is written to the store is on the device before it counts, or not.
    pub(crate) fn set_durable(&self, durable: bool) -> Result<()> {
        self.handle.tree.set_durable(durable)
    }

    fn key(&self) -> String {
        self.handle.node.place().key
    }

    fn child_key(&self, name: &str) -> String {
        if self.handle.tree.is_lone() { LONE_KEY.to_owned() } else { join(&self.key(), name) }
    }

    fn handle_of(&self, node: Arc<StoredNode>) -> Handle {
        Handle { tree: self.handle.tree.clone(), node }
    }

    fn exists(&self, name: &str) -> Result<bool> {
        if self.handle.tree.is_lone() {
            return Ok(name == LONE);
        }
        Ok(names::is_possible(name) && self.handle.tree.exists(&self.child_key(name))?)
    }

    /// Notes the order of the names, if it is kept.
    fn reorder(&self, removed: Option<&str>, added: Option<&str>) -> Result<()> {
        {
            let mut document = self.handle.node.document.write();
            if !document.is_tracked() {
                return Ok(());
            }
            let list = document.ours.entry("children").or_insert_with(|| Value::Array(Vec::new()));
            if !list.is_array() {
                *list = Value::Array(Vec::new());
            }
            if let Some(list) = list.as_array_mut() {
                list.retain(|n| n.as_str().is_none_or(|n| Some(n) != removed && Some(n) != added));
                list.extend(added.map(Value::from));
            }
        }
        self.handle.tree.touch(&self.handle.node)
    }

    fn names(&self) -> Result<Vec<String>> {
        let (tree, key) = (&self.handle.tree, self.key());
        if tree.is_lone() {
            return Ok(vec![LONE.to_owned()]);
        }
        let mut names = Vec::new();
        for entry in tree.store.list(&key)? {
            if entry.is_dir && names::is_possible(&entry.name) && tree.exists(&join(&key, &entry.name))? {
                names.push(entry.name);
            }
        }
        names.sort_unstable();
        let document = self.handle.node.document.read();
        if document.is_tracked() {
            let order = document.ours.get("children").and_then(Value::as_array);
            let places: HashMap<&str, usize> =
                order.into_iter().flatten().enumerate().filter_map(|(at, name)| Some((name.as_str()?, at))).collect();
            // What somebody else has added comes last. The sort is stable.
            names.sort_by_key(|name| places.get(name.as_str()).copied().unwrap_or(usize::MAX));
        }
        Ok(names)
    }

    /// Makes a dataset without elements, of which each file is a part of that shape where the spec leaves that to the format.
    pub(crate) fn new_dataset_on_grid(&self, name: &str, spec: &DatasetSpec, grid: Option<&[usize]>) -> Result<DatasetRef> {
        self.make_dataset(name, spec, grid, None)
    }

    fn make_dataset(&self, name: &str, spec: &DatasetSpec, grid: Option<&[usize]>, data: Option<AnyArray>) -> Result<DatasetRef> {
        self.handle.tree.writing(|| {
            names::check(name)?;
            let tree = &self.handle.tree;
            let document = plan::make(spec, &tree.options, grid)?;
            let (plan, shape) = (Arc::new(Plan::read(&document)?), document.shape()?);
            let key = self.child_key(name);
            let node = tree.make(&key, self.handle.child_path(name), document, || {
                let Some(data) = &data else { return Ok(()) };
                let turns = Turns::default();
                let target =
                    Target { plan: &plan, store: &tree.store, key: &key, turns: &turns, shape: &shape, valid: &shape, staged: None };
                target.write(&Selection::All.resolve(&shape)?, data)
            })?;
            node.set_plan(plan);
            self.reorder(None, Some(name))?;
            Ok(Arc::new(ZarrDataset::new(self.handle_of(node))) as DatasetRef)
        })
    }
}

impl Group for ZarrGroup {
    fn as_group(&self) -> &dyn Group {
        self
    }

    fn to_ref(&self) -> GroupRef {
        Arc::new(self.clone())
    }

    fn group_spec(&self) -> Result<GroupSpec> {
        self.handle.tree.reading(|| Ok(GroupSpec { track_order: self.handle.node.document.read().is_tracked() }))
    }

    fn child_names(&self) -> Result<Vec<String>> {
        self.handle.tree.reading(|| self.names())
    }

    fn child_link(&self, name: &str) -> Result<Option<Link>> {
        self.handle.tree.reading(|| Ok(self.exists(name)?.then_some(Link::Hard)))
    }

    fn open_child(&self, name: &str) -> Result<Option<Node>> {
        self.handle.tree.reading(|| {
            if !names::is_possible(name) || (self.handle.tree.is_lone() && name != LONE) {
                return Ok(None);
            }
            let Some(node) = self.handle.tree.open(&self.child_key(name), self.handle.child_path(name))? else { return Ok(None) };
            let kind = node.document.read().kind;
            let handle = self.handle_of(node);
            Ok(Some(match kind {
                Kind::Group => Node::Group(Arc::new(ZarrGroup::new(handle))),
                Kind::Array => Node::Dataset(Arc::new(ZarrDataset::new(handle))),
            }))
        })
    }

    fn new_group(&self, name: &str, spec: &GroupSpec) -> Result<GroupRef> {
        self.handle.tree.writing(|| {
            names::check(name)?;
            let mut document = Document::group(self.handle.tree.options.version);
            if spec.track_order {
                document.ours.insert("track_order".into(), true.into());
            }
            let node = self.handle.tree.make(&self.child_key(name), self.handle.child_path(name), document, || Ok(()))?;
            self.reorder(None, Some(name))?;
            Ok(Arc::new(ZarrGroup::new(self.handle_of(node))) as GroupRef)
        })
    }

    fn new_dataset(&self, name: &str, spec: &DatasetSpec, data: Option<AnyArray>) -> Result<DatasetRef> {
        self.make_dataset(name, spec, None, data)
    }

    fn new_datatype(&self, _name: &str, _dtype: &DType) -> Result<DatatypeRef> {
        self.handle.tree.writing(|| Err(missing(&Feature::CommittedTypes)))
    }

    fn new_link(&self, _name: &str, link: NewLink<'_>) -> Result<()> {
        self.handle.tree.writing(|| {
            Err(missing(&match link {
                NewLink::Hard(_) => Feature::HardLinks,
                NewLink::Soft(_) => Feature::SoftLinks,
                NewLink::External { .. } => Feature::ExternalLinks,
            }))
        })
    }

    fn unlink(&self, name: &str) -> Result<bool> {
        self.handle.tree.writing(|| {
            if !self.exists(name)? {
                return Ok(false);
            }
            self.handle.tree.discard(&self.child_key(name))?;
            self.reorder(Some(name), None)?;
            Ok(true)
        })
    }

    fn move_child(&self, name: &str, to: &dyn Group, new_name: &str) -> Result<()> {
        let Some(to) = to.as_any().downcast_ref::<ZarrGroup>().filter(|to| Arc::ptr_eq(&to.handle.tree, &self.handle.tree)) else {
            bail!(InvalidArgument, "the group is of another tree, and a name moves within its own tree only");
        };
        self.handle.tree.writing(|| {
            names::check(new_name)?;
            if !self.exists(name)? {
                bail!(NotFound, "there is no '{name}'");
            }
            if to.exists(new_name)? {
                bail!(AlreadyExists, "'{new_name}' exists already");
            }
            self.handle.tree.relocate(&self.child_key(name), &to.child_key(new_name), to.handle.child_path(new_name).as_deref())?;
            self.reorder(Some(name), None)?;
            to.reorder(None, Some(new_name))
        })
    }

    fn flush_tree(&self) -> Result<()> {
        self.handle.tree.flush()
    }

    fn close_tree(&self) -> Result<()> {
        self.handle.tree.close()
    }

    fn lacks(&self, feature: &Feature<'_>) -> Option<String> {
        lacks(feature)
    }
}

fn missing(feature: &Feature<'_>) -> crate::Error {
    error!(Unsupported, "{}", lacks(feature).unwrap_or_default()).remedy("keep such a tree in HDF5 or in memory")
}

/// What Zarr cannot hold.
fn lacks(feature: &Feature<'_>) -> Option<String> {
    match feature {
        Feature::HardLinks => Some("Zarr has no hard links".into()),
        Feature::SoftLinks => Some("Zarr has no soft links".into()),
        Feature::ExternalLinks => Some("Zarr has no external links".into()),
        Feature::CommittedTypes => Some("Zarr has no committed types".into()),
        Feature::NullDatasets => Some("Zarr cannot hold a null dataspace".into()),
        Feature::Dtype(dtype) if dtype.has_references() => Some(format!("Zarr cannot hold references, and the type {dtype} has some")),
        Feature::Dtype(_) => None,
        Feature::Filter(filter) => codecs::lacks(filter),
        Feature::Name(name) => names::check(name).err().map(|e| e.message().to_owned()),
    }
}
