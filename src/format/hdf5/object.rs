//! What groups, datasets and committed types have in common.

use super::datatype::Hdf5Datatype;
use super::ffi::{Id, h5, hid_t, library, sized_text};
use super::file::OpenFile;
use super::names::Name;
use super::{Hdf5Dataset, Hdf5Group, props, refs};
use crate::error::{Result, bail};
use crate::tree::{GroupRef, Node, ObjectId, ObjectRef};
use hdf5_sys::h5d::H5Dget_create_plist;
use hdf5_sys::h5g::{H5Gget_create_plist, H5Gopen2};
use hdf5_sys::h5i::{H5I_DATASET, H5I_DATATYPE, H5I_GROUP, H5Iget_name, H5Iget_type};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5t::H5Tget_create_plist;
use std::sync::{Arc, OnceLock};

/// An id, and the file that learns of it if closing it fails.
#[derive(Debug)]
struct Open {
    /// `None` only while it is dropped.
    id: Option<Id>,
    file: Arc<OpenFile>,
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        self.file.close_object(id);
    }
}

/// An open object of an open file.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    open: Arc<Open>,
    tracked: Arc<OnceLock<bool>>,
    address: Arc<OnceLock<u64>>,
    name: Arc<Name>,
}

impl Handle {
    /// The path is the one by which it was reached, where that is known.
    pub(super) fn new(file: &Arc<OpenFile>, id: Id, path: Option<String>) -> Self {
        Self {
            open: Arc::new(Open { id: Some(id), file: file.clone() }),
            tracked: Arc::default(),
            address: Arc::default(),
            name: file.names().follow(path),
        }
    }

    pub(super) fn id(&self) -> hid_t {
        self.open.id.as_ref().map_or(-1, Id::get)
    }

    pub(super) fn file(&self) -> &Arc<OpenFile> {
        &self.open.file
    }

    /// The path by which it was reached, through renames; another one if that was deleted, and empty if none is left.
    pub(super) fn name(&self) -> String {
        if let Some(path) = self.name.get() {
            return path.to_string();
        }
        let found = library(|| {
            if self.file().is_closed() {
                return String::new();
            }
            // Opened anew by its address, it has no name yet, and the library looks for one.
            let fresh = refs::address_of(self.id()).and_then(|at| refs::dereference(self.file(), at));
            let name = fresh.and_then(|id| sized_text(|to, size| h5!(H5Iget_name(id.get(), to, size))));
            name.map(|n| String::from_utf8_lossy(&n).into_owned()).unwrap_or_default()
        });
        if !found.is_empty() {
            self.name.set(&found);
        }
        found
    }

    /// Where the object is in the file: what an object reference to it holds.
    fn address(&self) -> Result<u64> {
        if let Some(address) = self.address.get() {
            return Ok(*address);
        }
        let address = refs::address_of(self.id())?;
        Ok(*self.address.get_or_init(|| address))
    }

    /// The path of a child, if the group has one.
    pub(super) fn child_path(&self, name: &str) -> Option<String> {
        let path = self.name();
        (!path.is_empty()).then(|| format!("{}/{name}", path.trim_end_matches('/')))
    }

    pub(super) fn object_id(&self) -> Result<ObjectId> {
        self.file().reading(|| Ok(ObjectId { tree: self.file().tree(), object: self.address()? }))
    }

    pub(super) fn reference(&self) -> Result<ObjectRef> {
        self.file().reading(|| Ok(refs::reference_to(self.file(), self.address()?)))
    }

    pub(super) fn root(&self) -> Result<GroupRef> {
        self.file().reading(|| {
            let id = Id::own(h5!(H5Gopen2(self.file().id(), c"/".as_ptr(), H5P_DEFAULT))?);
            Ok(Arc::new(Hdf5Group::new(Handle::new(self.file(), id, Some("/".into())))) as GroupRef)
        })
    }

    /// The property list with which it was made.
    pub(super) fn creation_list(&self) -> Result<Id> {
        let id = self.id();
        Ok(Id::own(match type_of(id) {
            H5I_GROUP => h5!(H5Gget_create_plist(id))?,
            H5I_DATASET => h5!(H5Dget_create_plist(id))?,
            _ => h5!(H5Tget_create_plist(id))?,
        }))
    }

    /// True if the order in which attributes are made is kept.
    pub(super) fn tracks_attributes(&self) -> Result<bool> {
        if let Some(tracked) = self.tracked.get() {
            return Ok(*tracked);
        }
        let tracked = props::tracks_attributes(self.creation_list()?.get())?;
        Ok(*self.tracked.get_or_init(|| tracked))
    }
}

fn type_of(id: hid_t) -> hdf5_sys::h5i::H5I_type_t {
    library(|| {
        // SAFETY: a failure is a value of the enumeration.
        unsafe { H5Iget_type(id) }
    })
}

/// The node of an open object.
pub(super) fn open(file: &Arc<OpenFile>, id: Id, path: Option<String>) -> Result<Node> {
    let class = type_of(id.get());
    let handle = Handle::new(file, id, path);
    Ok(match class {
        H5I_GROUP => Node::Group(Arc::new(Hdf5Group::new(handle))),
        H5I_DATASET => Node::Dataset(Arc::new(Hdf5Dataset::new(handle))),
        H5I_DATATYPE => Node::Datatype(Arc::new(Hdf5Datatype::new(handle))),
        _ => bail!(Unsupported, "an object of the file is neither a group nor a dataset nor a committed type"),
    })
}

/// Implements what all objects have by their handle.
macro_rules! object {
    ($type:ty) => {
        impl $crate::tree::Attributes for $type {
            fn attr_names(&self) -> $crate::Result<Vec<String>> {
                $crate::format::hdf5::attributes::names(&self.handle)
            }
            fn attr_read(&self, name: &str) -> $crate::Result<Option<$crate::AnyArray>> {
                $crate::format::hdf5::attributes::read(&self.handle, name)
            }
            fn attr_write(&self, name: &str, value: &$crate::AnyArray) -> $crate::Result<()> {
                $crate::format::hdf5::attributes::write(&self.handle, name, value)
            }
            fn attr_delete(&self, name: &str) -> $crate::Result<bool> {
                $crate::format::hdf5::attributes::delete(&self.handle, name)
            }
            fn attr_owner(&self) -> String {
                self.handle.name()
            }
            fn attr_exists(&self, name: &str) -> $crate::Result<bool> {
                $crate::format::hdf5::attributes::exists(&self.handle, name)
            }
        }

        impl $crate::tree::Object for $type {
            fn name(&self) -> String {
                self.handle.name()
            }
            fn id(&self) -> $crate::Result<$crate::tree::ObjectId> {
                self.handle.object_id()
            }
            fn attrs(&self) -> &dyn $crate::tree::Attributes {
                self
            }
            fn root(&self) -> $crate::Result<$crate::tree::GroupRef> {
                self.handle.root()
            }
            fn location(&self) -> $crate::tree::Location {
                self.handle.file().location()
            }
            fn reference(&self) -> $crate::Result<$crate::tree::ObjectRef> {
                self.handle.reference()
            }
            fn as_any(&self) -> &dyn std::any::Any {
                self
            }
        }
    };
}
pub(super) use object;
