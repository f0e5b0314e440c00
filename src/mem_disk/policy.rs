//! Which names a container allows, and what selecting on an axis means in it.

use crate::array::FromArray;
use crate::error::{Result, bail, error};
use crate::selection::{Item, Selection};
use crate::tree::{Attributes, AttributesExt, DatasetExt, DatasetRef, Group, Node};
use std::fmt::Debug;

/// The rules of a typed container. Every method has a default that allows everything.
///
/// Paths are absolute and normal. A name that is not allowed cannot be made (`NotAllowed`), is not found by look-ups (`NotFound`), and is left
/// out when a group is listed. The rules guard against mistakes: they hold for what is reached by names, not for what a reference leads to.
///
/// ```
/// use memh5::{ErrorKind, MemDiskGroup, mem_disk::Policy, prelude::*};
/// #[derive(Debug)]
/// struct Flat;
/// impl Policy for Flat {
///     fn group_name_allowed(&self, _: &str) -> bool {
///         false
///     }
///     fn dataset_name_allowed(&self, path: &str) -> bool {
///         path.rfind('/') == Some(0)
///     }
/// }
/// let flat = MemDiskGroup::new().with_policy(Flat);
/// flat.create_dataset("vis").write(vec![1.0])?;
/// assert_eq!(flat.create_group("history").unwrap_err().kind(), ErrorKind::NotAllowed);
/// flat.storage().create_group("history")?;
/// assert_eq!(flat.keys()?, ["vis"]);
/// # Ok::<(), memh5::Error>(())
/// ```
pub trait Policy: Send + Sync + Debug {
    /// True if a group may be at this path.
    fn group_name_allowed(&self, _path: &str) -> bool {
        true
    }

    /// True if a dataset (or a committed type) may be at this path.
    fn dataset_name_allowed(&self, _path: &str) -> bool {
        true
    }

    /// What selecting on named axes means: for each dataset concerned its path below the group, and its selection.
    ///
    /// By default the attribute `axis` of a dataset names its axes, and `index_map/AXIS` describes one: `axis_selections`.
    ///
    /// # Errors
    /// `NotFound` for an axis that there is not.
    fn make_selections(&self, source: &dyn Group, axes: &[(String, Item)]) -> Result<Vec<(String, Selection)>> {
        axis_selections(source, axes)
    }
}

/// The policy that allows everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AllowAll;

impl Policy for AllowAll {}

/// The names of a dataset's axes, from its attribute `axis`. None if there is no such attribute, or it is no list of texts.
fn axes_of(dataset: &DatasetRef) -> Result<Vec<String>> {
    let attrs: &dyn Attributes = dataset.attrs();
    Ok(attrs.get_array("axis")?.and_then(|a| Vec::from_array(a).ok()).unwrap_or_default())
}

/// The selections that follow from selections on named axes, in the layout of caput's containers.
///
/// # Errors
/// `NotFound` if no dataset has the axis; `Selection` for a single index, which would drop the axis.
pub(super) fn axis_selections(source: &dyn Group, axes: &[(String, Item)]) -> Result<Vec<(String, Selection)>> {
    if let Some((name, _)) = axes.iter().find(|(_, item)| matches!(item, Item::Index(_) | Item::Ellipsis)) {
        return Err(error!(Selection, "an axis is selected by a range, a list or a mask, and '{name}' by something else")
            .remedy("write one index i as i..i+1"));
    }
    let mut out = Vec::new();
    let mut found = vec![false; axes.len()];
    source.visit(|path, node| -> Result<Option<()>> {
        let Node::Dataset(dataset) = node else { return Ok(None) };
        let described = path.strip_prefix("index_map/").filter(|axis| !axis.contains('/'));
        let names = match described {
            Some(axis) => vec![axis.to_owned()],
            None => axes_of(dataset)?,
        };
        let items: Vec<Item> = names
            .iter()
            .map(|name| match axes.iter().position(|(axis, _)| axis == name) {
                Some(at) => {
                    found[at] = true;
                    axes[at].1.clone()
                }
                None => Item::FULL,
            })
            .collect();
        if items.iter().any(|i| *i != Item::FULL) {
            if items.len() > dataset.ndim()? {
                bail!(Selection, "the dataset '{path}' has {} axes and names {}", dataset.ndim()?, items.len());
            }
            out.push((path.to_owned(), Selection::Axes(items)));
        }
        Ok(None)
    })?;
    if let Some(at) = found.iter().position(|f| !f) {
        bail!(NotFound, "no dataset has the axis '{}'", axes[at].0);
    }
    Ok(out)
}
