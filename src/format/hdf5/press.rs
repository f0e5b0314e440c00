//! Whole chunks, compressed and decompressed outside of the file that they belong to: by several ranks at once, each with its own.
//!
//! Gzip with and without shuffle, which most files have, is done here, about twice as fast as by the library. Every other pipeline is done by the library
//! itself, on a dataset of one chunk in memory; so the bytes are those that it would have written, the mask of filters that were left out included.

use super::elements::Codec;
use super::ffi::h5;
use super::refs::References;
use super::{Hdf5Dataset, Hdf5File, space};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::selection::Selection;
use crate::tree::{Dataset, DatasetSpec, Fill, Filter, Layout};
use hdf5_sys::h5d::H5Dwrite_chunk;
use hdf5_sys::h5i::hid_t;
use hdf5_sys::h5p::H5P_DEFAULT;
use libdeflater::{CompressionLvl, Compressor, Decompressor};
use std::borrow::Cow;

unsafe extern "C" {
    // The bindings lack it. It writes a chunk that is newer in the cache first.
    fn H5Dget_chunk_storage_size(dataset: hid_t, offset: *const u64, size: *mut u64) -> std::ffi::c_int;
}

/// A chunk as a file holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    /// A bit for each filter that was left out.
    pub mask: u32,
    pub bytes: Vec<u8>,
}

/// Makes packed chunks of arrays, and arrays of packed chunks, for datasets of one kind.
pub(crate) struct Press {
    shape: Vec<usize>,
    codec: Codec,
    own: Option<Own>,
    fill: Option<AnyArray>,
    /// A dataset of one chunk, in memory.
    file: Hdf5File,
    dataset: Hdf5Dataset,
}

/// A pipeline that is done here.
struct Own {
    shuffle: bool,
    level: u8,
}

impl Own {
    fn of(filters: &[Filter]) -> Option<Self> {
        match filters {
            [Filter::Gzip(level)] => Some(Self { shuffle: false, level: *level }),
            [Filter::Shuffle, Filter::Gzip(level)] => Some(Self { shuffle: true, level: *level }),
            _ => None,
        }
    }
}

impl Press {
    /// For chunks of that type, shape, pipeline and fill value, which some filters have among their parameters.
    pub(crate) fn new(dtype: &DType, chunk: &[usize], filters: &[Filter], fill: Option<AnyArray>) -> Result<Self> {
        let file = Hdf5File::in_memory()?;
        let mut spec = DatasetSpec::new(dtype.clone(), chunk);
        spec.layout = Layout::Chunked(chunk.to_vec());
        spec.filters = filters.to_vec();
        spec.fill = fill.clone().map_or(Fill::Default, Fill::Value);
        let made = file.root()?.new_unfilled_dataset("chunk", &spec, false)?;
        let Some(dataset) = made.as_any().downcast_ref::<Hdf5Dataset>().cloned() else { bail!(Unsupported, "no dataset in memory") };
        Ok(Self { shape: chunk.to_vec(), codec: Codec::new(dtype), own: Own::of(filters), fill, file, dataset })
    }

    /// True if packed chunks are unpacked here, without the library.
    pub(crate) fn is_fast(&self) -> bool {
        self.own.is_some() && self.codec.is_plain()
    }

    /// A chunk that is not written yet.
    pub(crate) fn blank(&self) -> Result<AnyArray> {
        match &self.fill {
            Some(fill) => AnyArray::full(self.codec.dtype().clone(), self.shape.clone(), fill),
            None => AnyArray::zeros(self.codec.dtype().clone(), self.shape.clone()),
        }
    }

    /// Packs a chunk.
    pub(crate) fn pack(&self, array: &AnyArray) -> Result<Packed> {
        if array.shape() != self.shape {
            bail!(Shape, "an array of shape {:?} is no chunk of shape {:?}", array.shape(), self.shape);
        }
        match &self.own {
            Some(own) => self.pack_here(own, array),
            None => self.pack_by_library(array),
        }
    }

    fn pack_here(&self, own: &Own, array: &AnyArray) -> Result<Packed> {
        let file = self.dataset.handle().file();
        let refs = References::new(file);
        let out = self.codec.outgoing(array.raw().0, None, &refs)?;
        let item = self.codec.itemsize();
        let bytes: Cow<'_, [u8]> = if own.shuffle && item > 1 { shuffled(out.bytes(), item).into() } else { out.bytes().into() };
        let level =
            CompressionLvl::new(i32::from(own.level)).map_err(|_| error!(InvalidArgument, "there is no gzip level {}", own.level))?;
        let mut compressor = Compressor::new(level);
        let mut packed = vec![0; compressor.zlib_compress_bound(bytes.len())];
        let len = compressor.zlib_compress(&bytes, &mut packed).map_err(|e| error!(Io, "a chunk cannot be compressed").because(e))?;
        packed.truncate(len);
        Ok(Packed { mask: 0, bytes: packed })
    }

    fn pack_by_library(&self, array: &AnyArray) -> Result<Packed> {
        self.dataset.write_selection(&Selection::All, array)?;
        let at = vec![0u64; self.shape.len()];
        self.dataset.handle().file().writing(|| read_chunk(&self.dataset, &at))
    }

    /// Unpacks a chunk whose pipeline is done here.
    pub(crate) fn unpack(&self, packed: &Packed, scratch: &mut Vec<u8>) -> Result<AnyArray> {
        let Some(own) = self.own.as_ref().filter(|_| packed.mask == 0) else {
            bail!(Unsupported, "a chunk with other filters than gzip and shuffle")
        };
        let mut array = AnyArray::zeros(self.codec.dtype().clone(), self.shape.clone())?;
        let item = self.codec.itemsize();
        let (to, _) = array.raw_mut()?;
        let swapped = own.shuffle && item > 1;
        scratch.resize(if swapped { to.len() } else { 0 }, 0);
        let target = if swapped { &mut scratch[..] } else { &mut *to };
        let wanted = target.len();
        match Decompressor::new().zlib_decompress(&packed.bytes, target) {
            Ok(len) if len == wanted => {}
            Ok(len) => bail!(Corrupt, "a chunk has {len} bytes and should have {wanted}"),
            Err(e) => return Err(error!(Corrupt, "a chunk cannot be decompressed").because(e)),
        }
        if swapped {
            unshuffle(scratch, to, item);
        }
        // Nothing is read any more: the numbers get the machine's order.
        self.codec.read(-1, to, None, &References::new(self.dataset.handle().file()), |_| Ok(()))?;
        Ok(array)
    }

    /// Closes the file in memory.
    pub(crate) fn close(self) -> Result<()> {
        self.file.close()
    }
}

/// Writes a packed chunk into a file that only this process has open. The offset is the chunk's first element.
pub(crate) fn write_chunk(dataset: &dyn Dataset, offset: &[usize], packed: &Packed) -> Result<()> {
    let dataset = library_dataset(dataset)?;
    let (at, handle) = (space::dims(offset), dataset.handle());
    handle.file().writing(|| {
        h5!(H5Dwrite_chunk(handle.id(), H5P_DEFAULT, packed.mask, at.as_ptr(), packed.bytes.len(), packed.bytes.as_ptr().cast())).map(drop)
    })
}

/// Reads a packed chunk; `None` if it was never written.
pub(crate) fn packed_chunk(dataset: &dyn Dataset, offset: &[usize]) -> Result<Option<Packed>> {
    let dataset = library_dataset(dataset)?;
    let at = space::dims(offset);
    let packed = dataset.handle().file().reading(|| read_chunk(dataset, &at))?;
    Ok((!packed.bytes.is_empty()).then_some(packed))
}

fn library_dataset(dataset: &dyn Dataset) -> Result<&Hdf5Dataset> {
    dataset.as_any().downcast_ref().ok_or_else(|| error!(Unsupported, "chunks can be moved as they are in HDF5 files only"))
}

fn read_chunk(dataset: &Hdf5Dataset, at: &[u64]) -> Result<Packed> {
    let id = dataset.handle().id();
    let mut size = 0u64;
    h5!(H5Dget_chunk_storage_size(id, at.as_ptr(), &raw mut size))?;
    let (mut mask, mut bytes) = (0u32, vec![0u8; size as usize]);
    if size > 0 {
        h5!(read_bytes(id, at, &mut mask, &mut bytes))?;
    }
    Ok(Packed { mask, bytes })
}

/// Reads the bytes of a chunk as they are in the file.
///
/// # Safety
/// As for every call of the library: under its lock.
unsafe fn read_bytes(dataset: hid_t, at: &[u64], mask: &mut u32, bytes: &mut [u8]) -> std::ffi::c_int {
    // SAFETY: the offset has the dataset's axes, and the bytes are as many as the library says that the chunk has.
    unsafe {
        #[cfg(not(hdf5_2_0))]
        return hdf5_sys::h5d::H5Dread_chunk1(dataset, H5P_DEFAULT, at.as_ptr(), mask, bytes.as_mut_ptr().cast());
        #[cfg(hdf5_2_0)]
        {
            let mut size = bytes.len();
            hdf5_sys::h5d::H5Dread_chunk2(dataset, H5P_DEFAULT, at.as_ptr(), mask, bytes.as_mut_ptr().cast(), &raw mut size)
        }
    }
}

/// All first bytes of the elements, then all second ones; what is left at the end stays.
fn shuffled(bytes: &[u8], item: usize) -> Vec<u8> {
    let count = bytes.len() / item;
    let mut out = vec![0; bytes.len()];
    for (k, lane) in out.chunks_exact_mut(count.max(1)).enumerate().take(item) {
        for (to, element) in lane.iter_mut().zip(bytes.chunks_exact(item)) {
            *to = element[k];
        }
    }
    out
}

fn unshuffle(bytes: &[u8], out: &mut [u8], item: usize) {
    let count = bytes.len() / item;
    for (k, lane) in bytes.chunks_exact(count.max(1)).enumerate().take(item) {
        for (element, from) in out.chunks_exact_mut(item).zip(lane) {
            element[k] = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{BitshuffleCompressor, Group};

    #[test]
    fn packed_chunks_are_those_of_the_library() {
        let whole = AnyArray::from(ndarray::Array2::from_shape_fn((10, 7), |(i, j)| (i * 10 + j) as f64 / 3.0));
        let bitshuffle = Filter::Bitshuffle { block_size: 0, compressor: BitshuffleCompressor::Lz4 };
        for filters in [
            vec![Filter::Gzip(1)],
            vec![Filter::Shuffle, Filter::Gzip(6)],
            vec![Filter::Gzip(0)],
            vec![Filter::Lzf],
            vec![bitshuffle],
            vec![Filter::Shuffle, Filter::Zstd(3), Filter::Fletcher32],
        ] {
            for dtype in [DType::F64, DType::F64.with_order(crate::dtype::Order::Big)] {
                let whole = whole.clone().with_dtype(&dtype).unwrap();
                let press = Press::new(&dtype, &[4, 7], &filters, None).unwrap();
                let file = Hdf5File::in_memory().unwrap();
                let mut spec = DatasetSpec::new(dtype.clone(), [10, 7]);
                spec.layout = Layout::Chunked(vec![4, 7]);
                spec.filters = filters.clone();
                let dataset = file.root().unwrap().new_dataset("x", &spec, None).unwrap();
                for start in [8, 0, 4] {
                    let mut chunk = AnyArray::zeros(dtype.clone(), [4, 7]).unwrap();
                    let rows = 4.min(10 - start);
                    chunk.assign((0..rows, ..), &whole.select((start..start + rows, ..)).unwrap()).unwrap();
                    let packed = press.pack(&chunk).unwrap();
                    write_chunk(&*dataset, &[start, 0], &packed).unwrap();
                    assert_eq!(packed_chunk(&*dataset, &[start, 0]).unwrap().unwrap(), packed);
                    if press.is_fast() {
                        assert_eq!(press.unpack(&packed, &mut Vec::new()).unwrap(), chunk);
                    }
                }
                assert_eq!(dataset.read_selection(&Selection::All).unwrap(), whole, "{filters:?}");
                press.close().unwrap();
            }
        }
    }

    #[test]
    fn shuffles_are_inverse() {
        let bytes: Vec<u8> = (0..60).collect();
        for item in [1, 2, 3, 5, 8] {
            let bytes = &bytes[..60 / item * item];
            let mut back = vec![0; bytes.len()];
            unshuffle(&shuffled(bytes, item), &mut back, item);
            assert_eq!(back, bytes);
        }
    }
}
