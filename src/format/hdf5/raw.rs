//! Elements as bytes of their file, past the library: where they lie, and how several processes of one machine write and read them there at a time.

use super::Hdf5Dataset;
use super::ffi::{Id, h5, library};
use super::props;
use crate::error::{Error, Result, error};
use crate::tree::Dataset;
use hdf5_sys::h5::HADDR_UNDEF;
use hdf5_sys::h5d::{H5D_layout_t, H5Dget_offset};
use hdf5_sys::h5f::H5Fget_create_plist;
use hdf5_sys::h5p::{H5Pget_external_count, H5Pget_nfilters, H5Pget_userblock};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};

/// More chunks are left to the library: to tell of one it looks at all that lie before it, which takes 2.7 s for 8,000, and grows with the square.
const MOST_CHUNKS: usize = 1 << 10;

/// Where the elements of a dataset lie: the box that each place holds, in C order and as in memory, and the first byte of each in C order of the grid.
/// `None` if they lie otherwise: packed, in another byte order, not there yet, in other files.
pub(crate) fn places(dataset: &dyn Dataset) -> Result<Option<(Vec<usize>, Vec<u64>)>> {
    let Some(dataset) = dataset.as_any().downcast_ref::<Hdf5Dataset>() else { return Ok(None) };
    let Some(shape) = dataset.extent()?.filter(|shape| !shape.is_empty()) else { return Ok(None) };
    let handle = dataset.handle();
    handle.file().reading(|| {
        let (list, id) = (handle.creation_list()?, handle.id());
        let origin = Id::own(h5!(H5Fget_create_plist(handle.file().id()))?);
        let mut before = 0;
        h5!(H5Pget_userblock(origin.get(), &raw mut before))?;
        if before > 0 || handle.file().path().is_none() || !dataset.is_verbatim()? {
            return Ok(None);
        }
        if shape.contains(&0) {
            return Ok(Some((shape.iter().map(|n| (*n).max(1)).collect(), Vec::new())));
        }
        match props::layout(list.get()) {
            H5D_layout_t::H5D_CONTIGUOUS if h5!(H5Pget_external_count(list.get()))? == 0 => {
                // SAFETY: the id is one of an open dataset.
                let at = library(|| unsafe { H5Dget_offset(id) });
                Ok((at != HADDR_UNDEF).then(|| (shape, vec![at])))
            }
            H5D_layout_t::H5D_CHUNKED if h5!(H5Pget_nfilters(list.get()))? == 0 => {
                let Some(chunk) = props::chunk_shape(list.get(), shape.len())? else { return Ok(None) };
                Ok(chunk_places(dataset, &shape, &chunk)?.map(|at| (chunk, at)))
            }
            _ => Ok(None),
        }
    })
}

/// Where each chunk begins, if all have their place.
#[cfg(hdf5_1_10_5)]
fn chunk_places(dataset: &Hdf5Dataset, shape: &[usize], chunk: &[usize]) -> Result<Option<Vec<u64>>> {
    use hdf5_sys::h5d::H5Dget_chunk_info_by_coord;
    let grid: Vec<usize> = shape.iter().zip(chunk).map(|(n, c)| n.div_ceil((*c).max(1))).collect();
    let count = grid.iter().fold(1usize, |all, n| all.saturating_mul(*n));
    if count > MOST_CHUNKS {
        return Ok(None);
    }
    let mut places = Vec::with_capacity(count);
    for k in 0..count {
        let (mut rest, mut offset) = (k, vec![0u64; grid.len()]);
        for axis in (0..grid.len()).rev() {
            offset[axis] = (rest % grid[axis] * chunk[axis]) as u64;
            rest /= grid[axis];
        }
        let (mut mask, mut at, mut size) = (0, HADDR_UNDEF, 0);
        h5!(H5Dget_chunk_info_by_coord(dataset.handle().id(), offset.as_ptr(), &raw mut mask, &raw mut at, &raw mut size))?;
        if at == HADDR_UNDEF {
            return Ok(None);
        }
        places.push(at);
    }
    Ok(Some(places))
}

/// The library cannot tell.
#[cfg(not(hdf5_1_10_5))]
fn chunk_places(_dataset: &Hdf5Dataset, _shape: &[usize], _chunk: &[usize]) -> Result<Option<Vec<u64>>> {
    let _ = MOST_CHUNKS;
    Ok(None)
}

/// A file as bytes.
#[derive(Debug)]
pub(crate) struct RawFile {
    file: File,
    path: PathBuf,
    /// The file system keeps it in memory, in pages.
    in_memory: bool,
}

impl RawFile {
    /// Opens a file that is there.
    pub(crate) fn open(path: &Path, write: bool) -> Result<Self> {
        let file = std::fs::OpenOptions::new().read(true).write(write).open(path).map_err(|e| Error::io(e, path))?;
        let in_memory = write && is_in_memory(&file);
        Ok(Self { file, path: path.to_owned(), in_memory })
    }

    /// What the system says of it.
    pub(crate) fn metadata(&self) -> Result<std::fs::Metadata> {
        self.file.metadata().map_err(|e| self.failed(e))
    }

    /// How many bytes are best written at a time.
    pub(crate) fn piece(&self) -> usize {
        if self.in_memory { 1 << 20 } else { 8 << 20 }
    }

    /// Writes the parts one behind the other.
    ///
    /// A file takes one writer at a time. In a file system in memory most of a write's time goes into getting pages, which a mapping of the file does
    /// without waiting: so the one that finds the file free writes, and the others map their pages meanwhile.
    pub(crate) fn write(&self, at: u64, parts: &mut [IoSlice<'_>]) -> Result<()> {
        if !self.in_memory {
            return self.write_all(at, parts);
        }
        use rustix::fs::FlockOperation;
        match rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let written = self.write_all(at, parts);
                let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
                written
            }
            Err(_) if self.write_mapped(at, parts) => Ok(()),
            Err(_) => self.write_all(at, parts),
        }
    }

    fn write_all(&self, mut at: u64, mut parts: &mut [IoSlice<'_>]) -> Result<()> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match rustix::io::pwritev(&self.file, parts, at) {
                Ok(0) => return Err(self.failed(std::io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    at += written as u64;
                    IoSlice::advance_slices(&mut parts, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(self.failed(e.into())),
            }
        }
        Ok(())
    }

    /// Reads the parts one behind the other.
    pub(crate) fn read(&self, mut at: u64, mut parts: &mut [IoSliceMut<'_>]) -> Result<()> {
        IoSliceMut::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match rustix::io::preadv(&self.file, parts, at) {
                Ok(0) => return Err(error!(Corrupt, "the file ends within its elements").in_file(&self.path)),
                Ok(read) => {
                    at += read as u64;
                    IoSliceMut::advance_slices(&mut parts, read);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(self.failed(e.into())),
            }
        }
        Ok(())
    }

    fn failed(&self, e: std::io::Error) -> Error {
        Error::io(e, &self.path)
    }

    /// Writes whole pages through a mapping. False if that cannot be, for whatever cause: then nothing is lost, and the other way tells why.
    #[cfg(target_os = "linux")]
    fn write_mapped(&self, at: u64, parts: &[IoSlice<'_>]) -> bool {
        use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
        const PAGE: usize = 4096;
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len == 0 || !len.is_multiple_of(PAGE) || !at.is_multiple_of(PAGE as u64) {
            return false;
        }
        // SAFETY: the system chooses the address, so that nothing is replaced.
        let Ok(map) = (unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &self.file, at) })
        else {
            return false;
        };
        // SAFETY: the range is that of the mapping. The call gets all its pages, or fails where a write to one would end the process (a full disk). Pages of a
        // file in memory stay while the file has its length, and nobody shortens a file that is being written under its lock.
        let ready = unsafe { madvise(map, len, Advice::LinuxPopulateWrite) }.is_ok();
        if ready {
            let mut to = map.cast::<u8>();
            for part in parts {
                // SAFETY: the parts are together as long as the mapping, and are memory of this process that does not overlap it.
                unsafe {
                    std::ptr::copy_nonoverlapping(part.as_ptr(), to, part.len());
                    to = to.add(part.len());
                }
            }
        }
        // SAFETY: made above, and used by nobody any more.
        let _ = unsafe { munmap(map, len) };
        ready
    }

    #[cfg(not(target_os = "linux"))]
    fn write_mapped(&self, _at: u64, _parts: &[IoSlice<'_>]) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
fn is_in_memory(file: &File) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|about| about.f_type as u64 == TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_file: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of writing, where the system has both, of whole pages and of others.
    #[test]
    fn what_is_written_is_read() {
        for dir in ["/dev/shm", "."].map(Path::new).iter().filter(|dir| dir.is_dir()) {
            let Ok(scratch) = tempfile::tempdir_in(dir) else { continue };
            let path = scratch.path().join("bytes");
            File::create(&path).unwrap().set_len(1 << 20).unwrap();
            let (one, other) = (RawFile::open(&path, true).unwrap(), RawFile::open(&path, true).unwrap());
            let bytes: Vec<u8> = (0..40_960u32).map(|k| (k % 251) as u8).collect();
            for (at, busy) in [(0, false), (65_536, true), (131_073, true)] {
                if busy {
                    rustix::fs::flock(&other.file, rustix::fs::FlockOperation::LockExclusive).unwrap();
                }
                let (front, back) = bytes.split_at(5000);
                one.write(at, &mut [IoSlice::new(front), IoSlice::new(&[]), IoSlice::new(back)]).unwrap();
                let mut read = vec![0; bytes.len()];
                let (a, b) = read.split_at_mut(1);
                other.read(at, &mut [IoSliceMut::new(a), IoSliceMut::new(b)]).unwrap();
                assert!(read == bytes, "{at}");
                rustix::fs::flock(&other.file, rustix::fs::FlockOperation::Unlock).unwrap();
            }
            assert_eq!(one.metadata().unwrap().len(), 1 << 20);
            let beyond = one.read(1 << 20, &mut [IoSliceMut::new(&mut [0])]).unwrap_err();
            assert_eq!(beyond.kind(), crate::ErrorKind::Corrupt);
            assert!(RawFile::open(&path, false).unwrap().write(0, &mut [IoSlice::new(&[1])]).is_err());
        }
    }

    #[test]
    fn places_are_told_of_what_lies_as_in_memory() {
        use crate::{DType, Filter, Mode, prelude::*};
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("a.h5");
        let whole = ndarray::Array2::from_shape_fn((10, 7), |(i, j)| (i * 7 + j) as f64);
        let file = crate::format::open(&path, Mode::CreateNew).unwrap();
        file.create_dataset("plain").write(whole.clone()).unwrap();
        file.create_dataset("chunks").chunks([4, 7]).write(whole.clone()).unwrap();
        file.create_dataset("packed").chunks([4, 7]).filter(Filter::Gzip(1)).write(whole.clone()).unwrap();
        file.create_dataset("turned").dtype(DType::F64.with_order(crate::dtype::Order::Big)).write(whole.clone()).unwrap();
        file.create_dataset("nothing").shape([10, 7]).create().unwrap();
        file.create_dataset("some").shape([10, 7]).chunks([4, 7]).create().unwrap().write_slice((0..4, ..), 1.0).unwrap();
        file.create_dataset("empty").shape([0, 7]).create().unwrap();
        file.create_dataset("scalar").write(1.0).unwrap();
        file.create_dataset("names").write(vec!["a"]).unwrap();
        file.close_tree().unwrap();
        let file = crate::format::open(&path, Mode::Read).unwrap();
        let raw = RawFile::open(&path, false).unwrap();
        let told = |name: &str| places(&*file.dataset(name).unwrap()).unwrap();
        for name in ["packed", "turned", "nothing", "some", "scalar", "names"] {
            assert_eq!(told(name), None, "{name}");
        }
        assert_eq!(told("empty"), Some((vec![1, 7], Vec::new())));
        for (name, tile) in [("plain", vec![10, 7]), ("chunks", vec![4, 7])] {
            if name == "chunks" && !cfg!(hdf5_1_10_5) {
                continue;
            }
            let (found, at) = told(name).unwrap();
            assert_eq!(found, tile);
            let mut bytes = vec![0; 8 * tile[0] * 7];
            for (k, at) in at.iter().enumerate() {
                let rows = (10 - k * tile[0]).min(tile[0]);
                raw.read(*at, &mut [IoSliceMut::new(&mut bytes[..8 * 7 * rows])]).unwrap();
                let numbers = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_ne_bytes(*b));
                assert!(numbers.take(rows * 7).eq(whole.iter().copied().skip(k * tile[0] * 7).take(rows * 7)), "{name} {k}");
            }
        }
        file.close_tree().unwrap();
        let held = crate::format::hdf5::Hdf5File::in_memory().unwrap();
        held.root().unwrap().create_dataset("plain").write(whole).unwrap();
        assert_eq!(places(&*held.root().unwrap().dataset("plain").unwrap()).unwrap(), None, "in no file");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_mapping_that_cannot_be_made_is_no_harm() {
        let Ok(scratch) = tempfile::tempdir_in("/dev/shm") else { return };
        let path = scratch.path().join("bytes");
        File::create(&path).unwrap();
        let file = RawFile::open(&path, true).unwrap();
        // There are no pages behind the end of the file, and touching them would end the process.
        assert!(!file.write_mapped(0, &[IoSlice::new(&[1; 4096])]));
        file.write_all(0, &mut [IoSlice::new(&[1; 4096])]).unwrap();
        assert!(file.write_mapped(0, &[IoSlice::new(&[2; 1096]), IoSlice::new(&[3; 3000])]));
        let mut read = [0; 4096];
        file.read(0, &mut [IoSliceMut::new(&mut read)]).unwrap();
        assert!(read[..1096] == [2; 1096] && read[1096..] == [3; 3000]);
    }
}
