//! Groups.

use super::dataset::Hdf5Dataset;
use super::datatype::Hdf5Datatype;
use super::elements::Codec;
use super::ffi::{Id, c_name, h5};
use super::object::{self, Handle, object};
use super::refs::References;
use super::transfer::{self, Source};
use super::{links, props, space, types};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Error, Result, bail, error};
use crate::tree::{DatasetRef, DatasetSpec, DatatypeRef, Group, GroupRef, GroupSpec, Link, NewLink, Node};
use hdf5_sys::h5d::H5Dcreate2;
use hdf5_sys::h5g::{H5G_info_t, H5Gcreate2, H5Gget_info};
use hdf5_sys::h5l::{H5L_SAME_LOC, H5Ldelete, H5Lmove};
use hdf5_sys::h5o::{H5Olink, H5Oopen};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5t::{H5Tcommit2, H5Tcopy};
use std::sync::{Arc, OnceLock};

/// A group of an HDF5 file.
#[derive(Debug, Clone)]
pub struct Hdf5Group {
    handle: Handle,
    tracked: Arc<OnceLock<bool>>,
}

impl Hdf5Group {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, tracked: Arc::default() }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// True if the order in which links are made is kept.
    fn tracks_links(&self) -> Result<bool> {
        if let Some(tracked) = self.tracked.get() {
            return Ok(*tracked);
        }
        let tracked = props::tracks_links(self.handle.creation_list()?.get())?;
        Ok(*self.tracked.get_or_init(|| tracked))
    }

    /// This group's own part of a call with another object: both have to be of one tree.
    fn same_tree<'h>(&self, other: &'h Handle) -> Result<&'h Handle> {
        if !Arc::ptr_eq(self.handle.file(), other.file()) {
            bail!(InvalidArgument, "the object is of another tree, and a name leads to an object of its own tree only");
        }
        Ok(other)
    }

    fn foreign() -> Error {
        error!(InvalidArgument, "the object is not of this file, and a name leads to an object of its own tree only")
    }
}

impl Hdf5Group {
    /// Makes a dataset all of whose elements will be written, by whomever: no byte of it is written here, nor filled when it gets its place in the
    /// file. (One that can grow keeps the usual rule: it needs its fill value later.) If it is asked for, and there are no filters, its elements get their
    /// places at once.
    pub(crate) fn new_unfilled_dataset(&self, name: &str, spec: &DatasetSpec, at_once: bool) -> Result<DatasetRef> {
        let filling = match spec.maxshape {
            None if at_once && spec.filters.is_empty() => props::Filling::Placed,
            None => props::Filling::Never,
            Some(_) => props::Filling::AsNeeded,
        };
        self.make_dataset(name, spec, None, filling)
    }

    fn make_dataset(&self, name: &str, spec: &DatasetSpec, data: Option<AnyArray>, filling: props::Filling) -> Result<DatasetRef> {
        let (name, path) = (c_name(name)?, self.handle.child_path(name));
        self.handle.file().writing(|| {
            let lists = props::lists()?;
            let refs = References::new(self.handle.file());
            let (type_id, codec) = (types::library_type(&spec.dtype)?, Codec::new(&spec.dtype));
            let list = props::of_spec(spec, type_id.get(), &codec, &refs, filling)?;
            let list = list.as_ref().unwrap_or(&lists.dataset).get();
            let space = space::create(spec.shape.as_deref(), spec.maxshape.as_deref())?;
            let made = h5!(H5Dcreate2(self.handle.id(), name.as_ptr(), type_id.get(), space.get(), lists.link.get(), list, H5P_DEFAULT))?;
            let handle = Handle::new(self.handle.file(), Id::own(made), path);
            if let (Some(data), Some(shape)) = (&data, &spec.shape)
                && !data.is_empty()
            {
                let source = Source {
                    dataset: handle.id(),
                    type_id: type_id.get(),
                    codec: &codec,
                    shape,
                    chunks: spec.chunks(),
                    filtered: !spec.filters.is_empty(),
                    refs: &refs,
                };
                let (bytes, heap) = data.raw();
                if let Err(e) = transfer::write_all(&source, bytes, heap.map(|h| &**h)) {
                    drop(handle);
                    let _ = h5!(H5Ldelete(self.handle.id(), name.as_ptr(), H5P_DEFAULT));
                    return Err(e);
                }
            }
            Ok(Arc::new(Hdf5Dataset::made(handle, type_id, codec)) as DatasetRef)
        })
    }
}

object!(Hdf5Group);

impl Group for Hdf5Group {
    fn as_group(&self) -> &dyn Group {
        self
    }

    fn to_ref(&self) -> GroupRef {
        Arc::new(self.clone())
    }

    fn group_spec(&self) -> Result<GroupSpec> {
        self.handle.file().reading(|| Ok(GroupSpec { track_order: self.tracks_links()? }))
    }

    fn child_names(&self) -> Result<Vec<String>> {
        self.handle.file().reading(|| links::names(self.handle.id(), self.tracks_links()?))
    }

    fn child_count(&self) -> Result<usize> {
        self.handle.file().reading(|| {
            let mut info = H5G_info_t::default();
            h5!(H5Gget_info(self.handle.id(), &raw mut info))?;
            Ok(info.nlinks as usize)
        })
    }

    fn child_link(&self, name: &str) -> Result<Option<Link>> {
        self.handle.file().reading(|| links::read(self.handle.id(), name))
    }

    fn open_child(&self, name: &str) -> Result<Option<Node>> {
        self.handle.file().reading(|| {
            if !links::is_hard(self.handle.id(), name)? {
                return Ok(None);
            }
            let wanted = c_name(name)?;
            let id = Id::own(h5!(H5Oopen(self.handle.id(), wanted.as_ptr(), H5P_DEFAULT))?);
            object::open(self.handle.file(), id, self.handle.child_path(name)).map(Some)
        })
    }

    fn new_group(&self, name: &str, spec: &GroupSpec) -> Result<GroupRef> {
        let (name, path) = (c_name(name)?, self.handle.child_path(name));
        self.handle.file().writing(|| {
            let lists = props::lists()?;
            let list = if spec.track_order { &lists.tracked_group } else { &lists.group };
            let id = h5!(H5Gcreate2(self.handle.id(), name.as_ptr(), lists.link.get(), list.get(), H5P_DEFAULT))?;
            Ok(Arc::new(Hdf5Group::new(Handle::new(self.handle.file(), Id::own(id), path))) as GroupRef)
        })
    }

    fn new_dataset(&self, name: &str, spec: &DatasetSpec, data: Option<AnyArray>) -> Result<DatasetRef> {
        self.make_dataset(name, spec, data, props::Filling::AsNeeded)
    }

    fn new_datatype(&self, name: &str, dtype: &DType) -> Result<DatatypeRef> {
        let (name, path) = (c_name(name)?, self.handle.child_path(name));
        self.handle.file().writing(|| {
            let lists = props::lists()?;
            // A copy: predefined types cannot be committed.
            let plain = types::library_type(dtype)?;
            let id = Id::own(h5!(H5Tcopy(plain.get()))?);
            h5!(H5Tcommit2(self.handle.id(), name.as_ptr(), id.get(), lists.link.get(), lists.datatype.get(), H5P_DEFAULT))?;
            Ok(Arc::new(Hdf5Datatype::new(Handle::new(self.handle.file(), id, path))) as DatatypeRef)
        })
    }

    fn new_link(&self, name: &str, link: NewLink<'_>) -> Result<()> {
        let target = match &link {
            NewLink::Hard(node) => Some(self.same_tree(handle_of(node).ok_or_else(Self::foreign)?)?),
            _ => None,
        };
        let new = c_name(name)?;
        self.handle.file().writing(|| match (link, target) {
            (NewLink::Soft(path), _) => links::soft(self.handle.id(), &new, path),
            (NewLink::External { file, target }, _) => links::external(self.handle.id(), &new, file, target),
            (NewLink::Hard(_), Some(target)) => {
                let list = props::lists()?.link.get();
                h5!(H5Olink(target.id(), self.handle.id(), new.as_ptr(), list, H5P_DEFAULT)).map(drop)
            }
            (NewLink::Hard(_), None) => Err(Self::foreign()),
        })
    }

    fn unlink(&self, name: &str) -> Result<bool> {
        self.handle.file().writing(|| {
            if !links::exists(self.handle.id(), name)? {
                return Ok(false);
            }
            let (path, name) = (self.handle.child_path(name), c_name(name)?);
            h5!(H5Ldelete(self.handle.id(), name.as_ptr(), H5P_DEFAULT))?;
            self.handle.file().unlinked(path.as_deref().unwrap_or_default());
            Ok(true)
        })
    }

    fn move_child(&self, name: &str, to: &dyn Group, new_name: &str) -> Result<()> {
        let to = to.as_any().downcast_ref::<Hdf5Group>().ok_or_else(Self::foreign)?;
        let to = self.same_tree(&to.handle)?;
        self.handle.file().writing(|| {
            if !links::exists(self.handle.id(), name)? {
                bail!(NotFound, "there is no '{name}'");
            }
            let same = to.id() == self.handle.id();
            let (old, new) = (c_name(name)?, c_name(new_name)?);
            let destination = if same { H5L_SAME_LOC } else { to.id() };
            let list = props::lists()?.link.get();
            let paths = (self.handle.child_path(name), to.child_path(new_name));
            h5!(H5Lmove(self.handle.id(), old.as_ptr(), destination, new.as_ptr(), list, H5P_DEFAULT))?;
            match paths {
                (Some(old), Some(new)) => self.handle.file().names().moved(&old, &new),
                (Some(old), None) => self.handle.file().names().removed(&old),
                _ => {}
            }
            Ok(())
        })
    }

    fn flush_tree(&self) -> Result<()> {
        self.handle.file().flush()
    }

    fn close_tree(&self) -> Result<()> {
        self.handle.file().close()
    }
}

/// The handle of a node of this backend.
fn handle_of(node: &Node) -> Option<&Handle> {
    let any = node.object().as_any();
    any.downcast_ref::<Hdf5Group>()
        .map(Hdf5Group::handle)
        .or_else(|| any.downcast_ref::<Hdf5Dataset>().map(Hdf5Dataset::handle))
        .or_else(|| any.downcast_ref::<Hdf5Datatype>().map(Hdf5Datatype::handle))
}
