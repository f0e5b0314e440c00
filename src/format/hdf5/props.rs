//! Property lists: how links, groups and datasets are made.

use super::elements::Codec;
use super::ffi::{Id, h5, hid_t, library};
use super::refs::References;
use super::{chunks, filter, space};
use crate::array::AnyArray;
use crate::error::Result;
use crate::tree::{DatasetSpec, Fill, Layout};
use hdf5_sys::h5d::*;
use hdf5_sys::h5p::*;
use hdf5_sys::h5t::{H5T_CSET_UTF8, H5T_cset_t};
use std::ffi::{c_int, c_uint};
use std::sync::OnceLock;

/// Lists that are the same for every call.
#[derive(Debug)]
pub(super) struct Lists {
    /// Links with UTF-8 names.
    pub link: Id,
    /// Attributes with UTF-8 names.
    pub attribute: Id,
    pub group: Id,
    pub tracked_group: Id,
    /// A contiguous dataset.
    pub dataset: Id,
    pub datatype: Id,
}

pub(super) fn new(class: impl FnOnce() -> hid_t) -> Result<Id> {
    library(|| {
        let class = class();
        Ok(Id::own(h5!(H5Pcreate(class))?))
    })
}

/// Keeps the order in which links and attributes are made.
pub(super) fn track(list: hid_t, links: bool) -> Result<()> {
    if links {
        h5!(H5Pset_link_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED))?;
    }
    track_attributes(list)
}

fn track_attributes(list: hid_t) -> Result<()> {
    h5!(H5Pset_attr_creation_order(list, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED)).map(drop)
}

/// No times in the header: the same content gives the same file.
fn untimed(list: Id) -> Result<Id> {
    h5!(H5Pset_obj_track_times(list.get(), 0))?;
    Ok(list)
}

fn utf8(list: Id) -> Result<Id> {
    const UTF8: H5T_cset_t = H5T_CSET_UTF8;
    h5!(H5Pset_char_encoding(list.get(), UTF8))?;
    Ok(list)
}

/// The lists that are the same for every call; made once.
pub(super) fn lists() -> Result<&'static Lists> {
    static LISTS: OnceLock<Lists> = OnceLock::new();
    if let Some(lists) = LISTS.get() {
        return Ok(lists);
    }
    let tracked_group = untimed(new(|| *H5P_CLS_GROUP_CREATE)?)?;
    track(tracked_group.get(), true)?;
    let lists = Lists {
        link: utf8(new(|| *H5P_CLS_LINK_CREATE)?)?,
        attribute: utf8(new(|| *H5P_CLS_ATTRIBUTE_CREATE)?)?,
        group: untimed(new(|| *H5P_CLS_GROUP_CREATE)?)?,
        tracked_group,
        dataset: untimed(new(|| *H5P_CLS_DATASET_CREATE)?)?,
        datatype: untimed(new(|| *H5P_CLS_DATATYPE_CREATE)?)?,
    };
    Ok(LISTS.get_or_init(|| lists))
}

/// When elements get the fill value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filling {
    /// As the library does it by itself.
    AsNeeded,
    /// Never: all of them will be written.
    Never,
    /// The same, and they get their places in the file now.
    Placed,
}

/// The list of a new dataset; `None` for the plainest kind.
pub(super) fn of_spec(spec: &DatasetSpec, type_id: hid_t, codec: &Codec, refs: &References<'_>, filling: Filling) -> Result<Option<Id>> {
    let plain_layout = matches!(spec.layout, Layout::Auto | Layout::Contiguous) && !spec.needs_chunks();
    if filling == Filling::AsNeeded && plain_layout && matches!(spec.fill, Fill::Default) && !spec.track_order {
        return Ok(None);
    }
    let list = untimed(new(|| *H5P_CLS_DATASET_CREATE)?)?;
    if spec.track_order {
        track_attributes(list.get())?;
    }
    if filling == Filling::Placed {
        h5!(H5Pset_alloc_time(list.get(), H5D_alloc_time_t::H5D_ALLOC_TIME_EARLY))?;
    }
    if filling != Filling::AsNeeded {
        h5!(H5Pset_fill_time(list.get(), H5D_fill_time_t::H5D_FILL_TIME_NEVER))?;
    }
    match &spec.layout {
        Layout::Compact => {
            h5!(H5Pset_layout(list.get(), H5D_layout_t::H5D_COMPACT))?;
        }
        Layout::Chunked(chunks) => set_chunks(&list, chunks)?,
        Layout::AutoChunked => set_chunks(&list, &chunks::guess(spec))?,
        _ if spec.needs_chunks() => set_chunks(&list, &chunks::guess(spec))?,
        _ => {}
    }
    for filter in &spec.filters {
        filter::apply(list.get(), filter, &spec.dtype)?;
    }
    match &spec.fill {
        Fill::Default => {}
        Fill::Undefined => {
            h5!(H5Pset_fill_value(list.get(), type_id, std::ptr::null()))?;
        }
        Fill::Value(value) => {
            let (bytes, heap) = value.raw();
            let out = codec.outgoing(bytes, heap.map(|h| &**h), refs)?;
            h5!(H5Pset_fill_value(list.get(), type_id, out.as_ptr()))?;
        }
    }
    Ok(Some(list))
}

fn set_chunks(list: &Id, chunks: &[usize]) -> Result<()> {
    let dims = space::dims(chunks);
    h5!(H5Pset_chunk(list.get(), dims.len() as c_int, dims.as_ptr())).map(drop)
}

/// The chunk shape that a dataset's list tells; `None` if it has no chunks.
pub(super) fn chunk_shape(list: hid_t, rank: usize) -> Result<Option<Vec<usize>>> {
    if layout(list) != H5D_layout_t::H5D_CHUNKED {
        return Ok(None);
    }
    let mut dims = vec![0u64; rank.max(1)];
    h5!(H5Pget_chunk(list, rank as c_int, dims.as_mut_ptr()))?;
    dims.truncate(rank);
    Ok(Some(dims.into_iter().map(|n| n as usize).collect()))
}

pub(super) fn layout(list: hid_t) -> H5D_layout_t {
    library(|| {
        // SAFETY: the id is one of a property list; a failure is a value of the enumeration.
        unsafe { H5Pget_layout(list) }
    })
}

/// The layout that a dataset's list tells.
pub(super) fn layout_of(list: hid_t, shape: Option<&[usize]>) -> Result<Layout> {
    Ok(match (layout(list), shape) {
        (_, None) => Layout::Auto,
        (H5D_layout_t::H5D_COMPACT, _) => Layout::Compact,
        (H5D_layout_t::H5D_CONTIGUOUS, _) => Layout::Contiguous,
        (H5D_layout_t::H5D_CHUNKED, Some(shape)) => Layout::Chunked(chunk_shape(list, shape.len())?.unwrap_or_default()),
        // A virtual dataset: its parts are elsewhere.
        _ => Layout::Auto,
    })
}

/// The fill value that a dataset's list tells.
pub(super) fn fill_of(list: hid_t, type_id: hid_t, codec: &Codec, refs: &References<'_>) -> Result<Fill> {
    let mut status = H5D_fill_value_t::H5D_FILL_VALUE_DEFAULT;
    h5!(H5Pfill_value_defined(list, &raw mut status))?;
    Ok(match status {
        H5D_fill_value_t::H5D_FILL_VALUE_UNDEFINED => Fill::Undefined,
        H5D_fill_value_t::H5D_FILL_VALUE_USER_DEFINED => {
            let mut value = AnyArray::zeros(codec.dtype().clone(), [])?;
            let (out, heap) = value.raw_mut()?;
            codec.read(type_id, out, heap.map(|h| &**h), refs, |to| h5!(H5Pget_fill_value(list, type_id, to)).map(drop))?;
            Fill::Value(value)
        }
        _ => Fill::Default,
    })
}

/// True if a list tells that the order of attributes is kept.
pub(super) fn tracks_attributes(list: hid_t) -> Result<bool> {
    let mut flags: c_uint = 0;
    h5!(H5Pget_attr_creation_order(list, &raw mut flags))?;
    Ok(flags & H5P_CRT_ORDER_TRACKED != 0)
}

/// True if a group's list tells that the order of links is kept.
pub(super) fn tracks_links(list: hid_t) -> Result<bool> {
    let mut flags: c_uint = 0;
    h5!(H5Pget_link_creation_order(list, &raw mut flags))?;
    Ok(flags & H5P_CRT_ORDER_TRACKED != 0)
}
