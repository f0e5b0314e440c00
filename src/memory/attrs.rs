//! Attributes in memory.

use super::node::Node;
use super::ranks::Step;
use super::reference;
use super::table::NameTable;
use super::tree::{Handle, Tree};
use crate::array::AnyArray;
use crate::error::Result;
use crate::tree::{Attributes, AttributesExt};
use std::fmt;

impl Handle {
    pub(super) fn attr_names(&self) -> Vec<String> {
        let names = self.node().attrs.read().as_ref().map(|table| table.names());
        names.map_or_else(Vec::new, |names| names.iter().map(|n| n.to_string()).collect())
    }

    pub(super) fn attr_read(&self, name: &str) -> Option<AnyArray> {
        self.node().attrs.read().as_ref()?.get(name).cloned()
    }

    pub(super) fn attr_write(&self, name: &str, value: &AnyArray) -> Result<()> {
        reference::check(self, value)?;
        let mut attrs = self.node().attrs.write();
        let table = attrs.get_or_insert_with(|| Box::new(NameTable::new(self.node().track_order)));
        self.keep_attribute(table, name);
        let old = table.set(name, value.clone());
        drop(attrs);
        drop(old); // outside of the lock: it can be large
        Ok(())
    }

    pub(super) fn attr_delete(&self, name: &str) -> bool {
        let old = self.node().attrs.write().as_mut().and_then(|table| {
            self.keep_attribute(table, name);
            table.remove(name)
        });
        old.is_some()
    }

    /// Within a collective call: keeps what an attribute is, to bring it back if the ranks do not agree.
    fn keep_attribute(&self, table: &NameTable<AnyArray>, name: &str) {
        self.note(|| {
            let (handle, name, old, order) = (self.clone(), name.to_owned(), table.get(name).cloned(), table.order());
            Step::undo(move || {
                if let Some(table) = handle.node().attrs.write().as_mut() {
                    match old {
                        Some(value) => drop(table.set(&name, value)),
                        None => drop(table.remove(&name)),
                    }
                    table.restore_order(order);
                }
            })
        });
    }

    pub(super) fn attr_count(&self) -> usize {
        self.node().attrs.read().as_ref().map_or(0, |table| table.len())
    }

    pub(super) fn attr_exists(&self, name: &str) -> bool {
        self.node().attrs.read().as_ref().is_some_and(|table| table.contains(name))
    }
}

/// The attributes of an object in memory, or attributes of their own.
///
/// A handle: it follows the object, and keeps its tree alive. Two are equal if they hold equal values under the same names.
///
/// ```
/// use memh5::{MemAttrs, MemGroup, prelude::*};
/// let group = MemGroup::new();
/// let attrs = group.mem_attrs();
/// attrs.set("units", "mJy")?;
/// assert_eq!(group.attrs().get::<String>("units")?, "mJy");
///
/// let alone = MemAttrs::new();
/// assert_ne!(alone, attrs);
/// alone.set("units", "mJy")?;
/// assert_eq!(alone, attrs);
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Clone)]
pub struct MemAttrs(pub(super) Handle);

impl MemAttrs {
    /// Empty attributes of no object, listed by code point.
    pub fn new() -> Self {
        Self(Handle::of_root(Tree::new(Node::group(false))))
    }

    /// Empty attributes of no object, listed in the order in which they are made.
    pub fn tracked() -> Self {
        Self(Handle::of_root(Tree::new(Node::group(true))))
    }
}

impl Default for MemAttrs {
    fn default() -> Self {
        Self::new()
    }
}

impl Attributes for MemAttrs {
    fn attr_names(&self) -> Result<Vec<String>> {
        Ok(self.0.attr_names())
    }
    fn attr_read(&self, name: &str) -> Result<Option<AnyArray>> {
        Ok(self.0.attr_read(name))
    }
    fn attr_write(&self, name: &str, value: &AnyArray) -> Result<()> {
        self.0.attr_write(name, value)
    }
    fn attr_delete(&self, name: &str) -> Result<bool> {
        Ok(self.0.attr_delete(name))
    }
    fn attr_owner(&self) -> String {
        self.0.name()
    }
    fn attr_count(&self) -> Result<usize> {
        Ok(self.0.attr_count())
    }
    fn attr_exists(&self, name: &str) -> Result<bool> {
        Ok(self.0.attr_exists(name))
    }
}

impl AttributesExt for MemAttrs {}

impl PartialEq for MemAttrs {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.0.attr_names(), other.0.attr_names());
        a.sort_unstable();
        b.sort_unstable();
        a == b && a.iter().all(|name| self.0.attr_read(name) == other.0.attr_read(name))
    }
}

impl fmt::Debug for MemAttrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.attr_names().into_iter().filter_map(|n| self.0.attr_read(&n).map(|v| (n, v)))).finish()
    }
}
