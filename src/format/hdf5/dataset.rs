//! Datasets.

use super::elements::Codec;
use super::ffi::{Id, h5};
use super::object::{Handle, object};
use super::refs::References;
use super::transfer::{self, Source};
use super::{filter, heap, props, regions, space, types};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::format::check_fit;
use crate::selection::{Resolved, Selection};
use crate::tree::{Dataset, DatasetSpec, RegionColumn, RowRegions};
use hdf5_sys::h5d::{H5Dflush, H5Dget_space, H5Dget_type, H5Drefresh, H5Dset_extent, H5Dwrite};
use hdf5_sys::h5p::{H5P_DEFAULT, H5Pget_nfilters};
use hdf5_sys::h5s::{H5S_SELECT_SET, H5Screate_simple, H5Sselect_hyperslab};
use std::sync::{Arc, OnceLock};

/// What never changes about a dataset.
#[derive(Debug)]
struct Fixed {
    type_id: Id,
    codec: Codec,
}

/// A dataset of an HDF5 file.
#[derive(Debug, Clone)]
pub struct Hdf5Dataset {
    handle: Handle,
    fixed: Arc<OnceLock<Fixed>>,
    chunks: Arc<OnceLock<Chunks>>,
}

/// The shape of the chunks, if there are chunks, and whether they have filters.
type Chunks = (Option<Vec<usize>>, bool);

/// All of a dataset is read and written without a question about chunks, unless it has more bytes than this.
const SMALL: usize = 256 << 10;

impl Hdf5Dataset {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, fixed: Arc::default(), chunks: Arc::default() }
    }

    /// A dataset that was just made.
    pub(super) fn made(handle: Handle, type_id: Id, codec: Codec) -> Self {
        Self { handle, fixed: Arc::new(OnceLock::from(Fixed { type_id, codec })), chunks: Arc::default() }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    fn fixed(&self) -> Result<&Fixed> {
        if let Some(fixed) = self.fixed.get() {
            return Ok(fixed);
        }
        let type_id = Id::own(h5!(H5Dget_type(self.handle.id()))?);
        let codec = Codec::new(&types::dtype_of(type_id.get())?);
        Ok(self.fixed.get_or_init(|| Fixed { type_id, codec }))
    }

    /// True if an element has the same bytes in memory and in the file.
    pub(super) fn is_verbatim(&self) -> Result<bool> {
        Ok(self.fixed()?.codec.is_verbatim())
    }

    fn chunks(&self, rank: usize) -> Result<(Option<&[usize]>, bool)> {
        if self.chunks.get().is_none() {
            let list = self.handle.creation_list()?;
            let found = (props::chunk_shape(list.get(), rank)?, h5!(H5Pget_nfilters(list.get()))? > 0);
            let _ = self.chunks.set(found);
        }
        Ok(self.chunks.get().map_or((None, false), |(chunks, filtered)| (chunks.as_deref(), *filtered)))
    }

    fn space(&self) -> Result<Id> {
        if self.handle.file().is_changing() {
            h5!(H5Drefresh(self.handle.id()))?;
        }
        Ok(Id::own(h5!(H5Dget_space(self.handle.id()))?))
    }

    /// The shape; `None` for a null dataspace.
    fn shape_now(&self) -> Result<Option<Vec<usize>>> {
        Ok(space::extent(self.space()?.get())?.map(|(shape, _)| shape))
    }

    /// Calls the function with all that a transfer needs.
    fn transfer<T>(&self, shape: &[usize], selection: &Selection, f: impl FnOnce(&Source<'_>, &Resolved) -> Result<T>) -> Result<T> {
        let fixed = self.fixed()?;
        let resolved = selection.resolve(shape)?;
        let refs = References::new(self.handle.file());
        // Asked for only where it matters: it takes longer than a small read.
        let small = resolved.count().saturating_mul(fixed.codec.itemsize()) <= SMALL;
        let (chunks, filtered) = if small && resolved.is_all(shape) { (None, false) } else { self.chunks(shape.len())? };
        let source =
            Source { dataset: self.handle.id(), type_id: fixed.type_id.get(), codec: &fixed.codec, shape, chunks, filtered, refs: &refs };
        f(&source, &resolved)
    }
}

/// The same, if it can grow.
fn grows(extent: (Vec<usize>, Vec<Option<usize>>)) -> Option<(Vec<usize>, Vec<Option<usize>>)> {
    extent.0.iter().zip(&extent.1).any(|(n, m)| *m != Some(*n)).then_some(extent)
}

object!(Hdf5Dataset);

impl Dataset for Hdf5Dataset {
    fn as_dataset(&self) -> &dyn Dataset {
        self
    }

    fn dtype(&self) -> Result<DType> {
        self.handle.file().reading(|| Ok(self.fixed()?.codec.dtype().clone()))
    }

    fn extent(&self) -> Result<Option<Vec<usize>>> {
        self.handle.file().reading(|| Ok(space::extent(self.space()?.get())?.map(|(shape, _)| shape)))
    }

    fn max_extent(&self) -> Result<Option<Vec<Option<usize>>>> {
        self.handle.file().reading(|| Ok(space::extent(self.space()?.get())?.and_then(grows).map(|(_, max)| max)))
    }

    fn spec(&self) -> Result<DatasetSpec> {
        self.handle.file().reading(|| {
            let fixed = self.fixed()?;
            let list = self.handle.creation_list()?;
            let (shape, max) = match space::extent(self.space()?.get())? {
                Some((shape, max)) => (Some(shape.clone()), grows((shape, max)).map(|(_, max)| max)),
                None => (None, None),
            };
            let refs = References::new(self.handle.file());
            let mut spec = DatasetSpec::null(fixed.codec.dtype().clone());
            spec.layout = props::layout_of(list.get(), shape.as_deref())?;
            spec.filters = filter::read(list.get())?;
            spec.fill = props::fill_of(list.get(), fixed.type_id.get(), &fixed.codec, &refs)?;
            spec.track_order = props::tracks_attributes(list.get())?;
            (spec.shape, spec.maxshape) = (shape, max);
            Ok(spec)
        })
    }

    fn stored_filters(&self) -> Result<Vec<(u32, Vec<u32>)>> {
        self.handle.file().reading(|| {
            let stored = filter::stored(self.handle.creation_list()?.get())?;
            Ok(stored.into_iter().map(|s| (s.id, s.values)).collect())
        })
    }

    fn read_selection(&self, selection: &Selection) -> Result<AnyArray> {
        self.handle.file().reading(|| {
            let shape = match self.shape_now()? {
                Some(shape) => shape,
                None if *selection == Selection::All => return Ok(AnyArray::null(self.fixed()?.codec.dtype().clone())),
                None => bail!(Shape, "a dataset with a null dataspace has no elements to select"),
            };
            self.transfer(&shape, selection, transfer::read_new)
        })
    }

    fn write_selection(&self, selection: &Selection, data: &AnyArray) -> Result<()> {
        self.handle.file().writing(|| {
            let Some(shape) = self.shape_now()? else { bail!(Shape, "a dataset with a null dataspace has no elements to write") };
            self.transfer(&shape, selection, |source, resolved| {
                check_fit(data, resolved, source.codec.dtype())?;
                transfer::write(source, resolved, data)
            })
        })
    }

    fn set_extent(&self, shape: &[usize]) -> Result<()> {
        let dims = space::dims(shape);
        self.handle.file().writing(|| h5!(H5Dset_extent(self.handle.id(), dims.as_ptr())).map(drop))
    }

    fn append_regions(&self, columns: &[RowRegions]) -> Result<bool> {
        let file = self.handle.file();
        if file.location().file.is_none() {
            return Ok(false);
        }
        file.writing(|| {
            let (Some(shape), refs) = (self.shape_now()?, References::new(file)) else { return Ok(false) };
            let addressed = columns.iter().map(|c| Ok((refs.address(&c.target)?, c))).collect::<Result<Vec<_>>>()?;
            let fixed = self.fixed()?;
            let per_row = shape.iter().skip(1).product::<usize>() * fixed.codec.itemsize();
            let rows = columns.first().map_or(0, |c| c.spans.len());
            if rows == 0 || per_row != columns.len() * 12 || shape.is_empty() || addressed.iter().any(|(at, _)| *at == 0) {
                return Ok(false);
            }
            let Some(table) = heap::encode(file, &addressed, self.handle.id())? else { return Ok(false) };
            let mut dims = space::dims(&shape);
            let (mut first, mut count) = (vec![0; dims.len()], dims.clone());
            (first[0], count[0]) = (dims[0], rows as u64);
            dims[0] += rows as u64;
            h5!(H5Dset_extent(self.handle.id(), dims.as_ptr()))?;
            let (to, from) = (self.space()?, Id::own(h5!(H5Screate_simple(count.len() as i32, count.as_ptr(), std::ptr::null()))?));
            let none = std::ptr::null();
            h5!(H5Sselect_hyperslab(to.get(), H5S_SELECT_SET, first.as_ptr(), none, count.as_ptr(), none))?;
            let (id, type_id) = (self.handle.id(), fixed.type_id.get());
            h5!(H5Dwrite(id, type_id, from.get(), to.get(), H5P_DEFAULT, table.as_ptr().cast()))?;
            Ok(true)
        })
    }

    fn read_regions(&self) -> Result<Option<Vec<RegionColumn>>> {
        self.handle.file().reading(|| {
            let Some(shape) = self.shape_now()? else { return Ok(None) };
            let fixed = self.fixed()?;
            regions::read(self, fixed.codec.dtype(), fixed.type_id.get(), &shape)
        })
    }

    fn flush_dataset(&self) -> Result<()> {
        let file = self.handle.file();
        if file.is_read_only() {
            return file.reading(|| Ok(()));
        }
        file.writing(|| h5!(H5Dflush(self.handle.id())).map(drop))
    }
}
