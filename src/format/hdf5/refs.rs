//! Object and region references.

use super::compat;
use super::ffi::{Id, h5, hid_t, library};
use super::file::OpenFile;
use super::object;
use super::space;
use crate::error::{Error, Result, bail, error};
use crate::tree::{Node, ObjectId, ObjectRef, ReferenceTarget, Region, RegionKind, RegionRef};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5r::{H5Rcreate, H5Rdereference2, H5Rget_region};
use hdf5_sys::h5s::*;
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// Datasets that stay open while references to them are read or written.
const KEPT: usize = 256;

/// What a reference of an HDF5 file holds. It does not keep the file open.
#[derive(Debug)]
struct Target {
    file: Weak<OpenFile>,
    tree: u64,
    address: u64,
}

impl ReferenceTarget for Target {
    fn open(&self) -> Result<Node> {
        let Some(file) = self.file.upgrade() else { bail!(Closed, "the file of the reference was closed") };
        file.reading(|| {
            let node = object::open(&file, dereference(&file, self.address)?, None)?;
            // The library finds deleted objects too, as long as nothing else lies where they were.
            if file.has_deleted() && node.name().is_empty() {
                return Err(not_there());
            }
            Ok(node)
        })
    }
    fn id(&self) -> ObjectId {
        ObjectId { tree: self.tree, object: self.address }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The object at an address of a file.
pub(super) fn dereference(file: &OpenFile, address: u64) -> Result<Id> {
    h5!(H5Rdereference2(file.id(), H5P_DEFAULT, compat::OBJECT, (&raw const address).cast()))
        .map(Id::own)
        .map_err(|e| not_there().because(e))
}

fn not_there() -> Error {
    error!(NotFound, "the reference leads to an object that is not there")
}

/// The address of an open object: what an object reference to it holds.
pub(super) fn address_of(id: hid_t) -> Result<u64> {
    let mut address = 0u64;
    h5!(H5Rcreate((&raw mut address).cast(), id, c".".as_ptr(), compat::OBJECT, -1))?;
    Ok(address)
}

/// A reference to the object at an address.
pub(super) fn reference_to(file: &Arc<OpenFile>, address: u64) -> ObjectRef {
    ObjectRef::new(Arc::new(Target { file: Arc::downgrade(file), tree: file.tree(), address }))
}

/// What a transfer of references needs: the file, and the datasets that it has opened so far.
pub(super) struct References<'f> {
    file: &'f Arc<OpenFile>,
    open: RefCell<HashMap<u64, Rc<Id>>>,
    last: RefCell<Option<(u64, Rc<Id>)>>,
}

impl<'f> References<'f> {
    pub(super) fn new(file: &'f Arc<OpenFile>) -> Self {
        Self { file, open: RefCell::default(), last: RefCell::default() }
    }

    pub(super) fn file(&self) -> &OpenFile {
        self.file
    }

    /// The reference to the object at an address.
    pub(super) fn object(&self, address: u64) -> ObjectRef {
        reference_to(self.file, address)
    }

    /// The address that a reference holds; 0 for the null reference.
    pub(super) fn address(&self, reference: &ObjectRef) -> Result<u64> {
        let Some(target) = reference.target() else { return Ok(0) };
        match target.as_any().downcast_ref::<Target>() {
            Some(t) if t.tree == self.file.tree() => Ok(t.address),
            _ => Err(error!(InvalidArgument, "a reference into another tree cannot be stored in this file")
                .remedy("copy the object into this file with deep_group_copy, which repoints references")),
        }
    }

    /// The dataset at an address; it stays open for the next ones.
    fn dataset(&self, address: u64) -> Result<Rc<Id>> {
        if let Some((at, id)) = &*self.last.borrow()
            && *at == address
        {
            return Ok(id.clone());
        }
        let mut open = self.open.borrow_mut();
        let id = match open.get(&address) {
            Some(id) => id.clone(),
            None => {
                if open.len() >= KEPT {
                    open.clear();
                }
                let id = Rc::new(dereference(self.file, address)?);
                open.insert(address, id.clone());
                id
            }
        };
        *self.last.borrow_mut() = Some((address, id.clone()));
        Ok(id)
    }

    /// The reference that these 12 bytes of the library hold.
    pub(super) fn region(&self, raw: &[u8]) -> Result<RegionRef> {
        let at = raw.as_ptr().cast();
        let dataset = Id::own(h5!(H5Rdereference2(self.file.id(), H5P_DEFAULT, compat::REGION, at))?);
        let address = address_of(dataset.get())?;
        if !self.open.borrow().contains_key(&address) {
            let mut open = self.open.borrow_mut();
            if open.len() >= KEPT {
                open.clear();
            }
            open.insert(address, Rc::new(dataset));
        }
        let space = Id::own(h5!(H5Rget_region(self.file.id(), compat::REGION, at))?);
        Ok(RegionRef { target: self.object(address), region: region_of(space.get())? })
    }

    /// The 12 bytes of the library for a reference.
    pub(super) fn encode_region(&self, region: &RegionRef) -> Result<[u8; 12]> {
        let mut raw = [0u8; 12];
        let address = self.address(&region.target)?;
        if address == 0 {
            return Ok(raw);
        }
        let dataset = self.dataset(address)?;
        let shape: Vec<usize> = region.region.shape.iter().map(|n| *n as usize).collect();
        let space = space::create(Some(&shape), None)?;
        select_region(space.get(), &region.region)?;
        h5!(H5Rcreate(raw.as_mut_ptr().cast(), dataset.get(), c".".as_ptr(), compat::REGION, space.get()))?;
        Ok(raw)
    }
}

/// The selection of a dataspace, complete.
fn region_of(space: hid_t) -> Result<Region> {
    let Some((shape, _)) = space::extent(space)? else {
        return Ok(Region { shape: Vec::new(), kind: RegionKind::None });
    };
    let rank = shape.len();
    let class = library(|| {
        // SAFETY: the id is one of a dataspace; a failure is a value of the enumeration.
        unsafe { H5Sget_select_type(space) }
    });
    let kind = match class {
        H5S_SEL_NONE => RegionKind::None,
        H5S_SEL_ALL => RegionKind::All,
        H5S_SEL_POINTS => {
            let count = h5!(H5Sget_select_elem_npoints(space))? as usize;
            let mut raw = vec![0u64; count * rank];
            h5!(H5Sget_select_elem_pointlist(space, 0, count as u64, raw.as_mut_ptr()))?;
            RegionKind::Points(raw.chunks_exact(rank.max(1)).map(<[u64]>::to_vec).collect())
        }
        H5S_SEL_HYPERSLABS => {
            if h5!(H5Sis_regular_hyperslab(space))? > 0 {
                let mut parts = [vec![0u64; rank], vec![0u64; rank], vec![0u64; rank], vec![0u64; rank]];
                let [start, stride, count, block] = &mut parts;
                h5!(H5Sget_regular_hyperslab(space, start.as_mut_ptr(), stride.as_mut_ptr(), count.as_mut_ptr(), block.as_mut_ptr()))?;
                let [start, stride, count, block] = parts;
                RegionKind::Hyperslab { start, stride, count, block }
            } else {
                let count = h5!(H5Sget_select_hyper_nblocks(space))? as usize;
                let mut raw = vec![0u64; count * rank * 2];
                h5!(H5Sget_select_hyper_blocklist(space, 0, count as u64, raw.as_mut_ptr()))?;
                RegionKind::Blocks(raw.chunks_exact((2 * rank).max(1)).map(|b| (b[..rank].to_vec(), b[rank..].to_vec())).collect())
            }
        }
        _ => bail!(Corrupt, "a region reference holds a selection of an unknown kind"),
    };
    Ok(Region { shape: shape.into_iter().map(|n| n as u64).collect(), kind })
}

fn select_region(space: hid_t, region: &Region) -> Result<()> {
    let rank = region.shape.len();
    let fits = |v: &[u64]| v.len() == rank;
    match &region.kind {
        RegionKind::None => h5!(H5Sselect_none(space)).map(drop),
        RegionKind::All => h5!(H5Sselect_all(space)).map(drop),
        RegionKind::Hyperslab { start, stride, count, block } if [start, stride, count, block].iter().all(|v| fits(v)) => {
            let (start, stride, count, block) = (start.as_ptr(), stride.as_ptr(), count.as_ptr(), block.as_ptr());
            h5!(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, stride, count, block)).map(drop)
        }
        RegionKind::Blocks(blocks) if blocks.iter().all(|(a, b)| fits(a) && fits(b) && a.iter().zip(b).all(|(a, b)| a <= b)) => {
            let (one, mut op) = (vec![1u64; rank], H5S_SELECT_SET);
            h5!(H5Sselect_none(space))?;
            for (first, last) in blocks {
                let block: Vec<u64> = first.iter().zip(last).map(|(a, b)| b - a + 1).collect();
                h5!(H5Sselect_hyperslab(space, op, first.as_ptr(), std::ptr::null(), one.as_ptr(), block.as_ptr()))?;
                op = H5S_SELECT_OR;
            }
            Ok(())
        }
        RegionKind::Points(points) if points.iter().all(|p| fits(p)) => {
            if points.is_empty() {
                return h5!(H5Sselect_none(space)).map(drop);
            }
            space::select_points(space, &points.concat(), points.len())
        }
        _ => bail!(InvalidArgument, "the region does not fit its own shape {:?}", region.shape),
    }
}
