//! Region references read in bulk: the library takes ten microseconds to follow one, most of which looks up what is known already.
//!
//! A reference is the address of a collection of the global heap and a number in it; the object there is the address of a dataset and a
//! selection. Files that nobody writes are read here, collection by collection; whatever is not as it usually is, is left to the library.

use super::dataset::Hdf5Dataset;
use super::ffi::h5;
use super::heap::HEAD;
use super::refs::References;
use super::{descriptor, file::OpenFile};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::tree::{ObjectId, RegionColumn, RegionRef};
use hdf5_sys::h5d::H5Dread;
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::H5S_ALL;
use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// The least size of a collection, and the largest one that is read here.
const SIZES: std::ops::RangeInclusive<usize> = 4096..=16 << 20;
/// The bytes that are read at once.
const WINDOW: usize = 256 << 10;
/// So many collections are kept.
const KEPT: usize = 32;
/// The most axes that the library knows.
const AXES: usize = 32;

/// The references of a table, if all its elements are references.
pub(super) fn read(dataset: &Hdf5Dataset, dtype: &DType, type_id: i64, shape: &[usize]) -> Result<Option<Vec<RegionColumn>>> {
    let file = dataset.handle().file();
    let per_row = shape.get(1).copied().unwrap_or(1);
    let offsets: Vec<usize> = match dtype {
        DType::RegionRef if matches!(shape.len(), 1 | 2) => (0..per_row).map(|k| k * 12).collect(),
        DType::Compound(c) if shape.len() == 1 && c.fields().iter().all(|f| f.dtype == DType::RegionRef) => {
            c.fields().iter().map(|f| f.offset).collect()
        }
        _ => return Ok(None),
    };
    if !file.is_read_only() || file.location().file.is_none() || !descriptor::is_usual(file.id()) {
        return Ok(None);
    }
    let stride = if shape.len() == 2 { per_row * 12 } else { dtype.itemsize() };
    let mut raw = vec![0u8; shape.first().copied().unwrap_or(0) * stride];
    if !raw.is_empty() {
        h5!(H5Dread(dataset.handle().id(), type_id, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.as_mut_ptr().cast()))?;
    }
    let rows = |columns: &mut Vec<RegionColumn>, heap: &mut Heap<'_>| -> Result<()> {
        let refs = References::new(file);
        for row in raw.chunks_exact(stride.max(1)) {
            for (column, offset) in columns.iter_mut().zip(&offsets) {
                let Some(raw) = row.get(*offset..*offset + 12) else { continue };
                if raw.iter().all(|b| *b == 0) {
                    column.push_other(RegionRef::null());
                } else if heap.add(raw, file, column)?.is_none() {
                    column.push_other(refs.region(raw)?);
                }
            }
        }
        Ok(())
    };
    let rows_in_all = shape.first().copied().unwrap_or(0);
    let column = || RegionColumn { spans: Vec::with_capacity(rows_in_all), ..RegionColumn::default() };
    let mut columns: Vec<RegionColumn> = offsets.iter().map(|_| column()).collect();
    descriptor::with(file.id(), |fd| rows(&mut columns, &mut Heap::new(fd))).transpose()?;
    Ok(Some(columns).filter(|c| c.iter().all(|c| c.spans.len() == rows_in_all)))
}

/// The global heap of a file: the collections that were read last.
struct Heap<'f> {
    ahead: Ahead<'f>,
    kept: Vec<Collection>,
    places: HashMap<u64, usize>,
    /// The collection that is replaced next, and the one that was used last.
    next: usize,
    last: usize,
}

/// A collection: its bytes, and where the object of each number begins; none if it is not as it should be.
#[derive(Default)]
struct Collection {
    address: u64,
    good: bool,
    bytes: Vec<u8>,
    places: Vec<u32>,
}

/// Bytes of the file that were read at once: collections often lie side by side.
struct Ahead<'f> {
    fd: BorrowedFd<'f>,
    at: u64,
    bytes: Vec<u8>,
}

impl Ahead<'_> {
    /// Some bytes of the file; `None` if they are not there.
    fn get(&mut self, at: u64, count: usize) -> Option<&[u8]> {
        let end = at.checked_add(count as u64)?;
        if at < self.at || end > self.at + self.bytes.len() as u64 {
            self.bytes.resize(self.bytes.len().max(WINDOW).max(count), 0);
            let got = descriptor::fill_some(self.fd, &mut self.bytes, at);
            self.bytes.truncate(got);
            self.at = at;
        }
        let from = usize::try_from(at - self.at).ok()?;
        self.bytes.get(from..from.checked_add(count)?)
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)
}

impl<'f> Heap<'f> {
    fn new(fd: BorrowedFd<'f>) -> Self {
        let ahead = Ahead { fd, at: 0, bytes: Vec::new() };
        Self { ahead, kept: Vec::new(), places: HashMap::new(), next: 0, last: 0 }
    }

    /// Adds the reference of these 12 bytes to a column; `None`, and nothing is done, if it is an unusual one.
    fn add(&mut self, raw: &[u8], file: &OpenFile, column: &mut RegionColumn) -> Result<Option<()>> {
        let (Some(address), Some(number)) = (u64_at(raw, 0), u32_at(raw, 8)) else { return Ok(None) };
        let Some(collection) = self.collection(address) else { return Ok(None) };
        // The library does not look whether the object is there.
        let Some(object) = collection.object(number) else {
            bail!(Corrupt, "a reference leads to object {number} of the heap at {address}, which is not there");
        };
        Ok(add(object, file, column))
    }

    /// The collection at an address, if there is one as it should be.
    fn collection(&mut self, address: u64) -> Option<&Collection> {
        if self.kept.get(self.last).is_none_or(|c| c.address != address) {
            self.last = match self.places.get(&address) {
                Some(place) => *place,
                None => self.load(address)?,
            };
        }
        self.kept.get(self.last).filter(|c| c.good)
    }

    /// Reads a collection into the place, and the memory, of the one that was read before all others.
    fn load(&mut self, address: u64) -> Option<usize> {
        let place = self.next;
        self.next = (place + 1) % KEPT;
        if place == self.kept.len() {
            self.kept.push(Collection::default());
        }
        let collection = self.kept.get_mut(place)?;
        if collection.address != 0 {
            self.places.remove(&collection.address);
        }
        collection.address = address;
        collection.places.clear();
        collection.good = collection.read(&mut self.ahead).is_some();
        self.places.insert(address, place);
        Some(place)
    }
}

/// Adds the reference of an object of the heap; `None`, and nothing is done, if it is an unusual one.
fn add(object: &[u8], file: &OpenFile, column: &mut RegionColumn) -> Option<()> {
    let target = ObjectId { tree: file.tree(), object: u64_at(object, 0)? };
    let word = |k: usize| u32_at(object, 8 + 4 * k);
    let added = match (word(0)?, word(1)?) {
        (0, 1) => column.push_none(target),
        (2, 1) => {
            let (rank, blocks) = (word(4)? as usize, word(5)?);
            if blocks != 1 || rank == 0 || rank > AXES {
                return None;
            }
            let mut corners = [0u64; 2 * AXES];
            for (k, corner) in corners.iter_mut().enumerate().take(2 * rank) {
                *corner = word(6 + k)?.into();
            }
            column.push_block(target, corners.get(..rank)?, corners.get(rank..2 * rank)?)
        }
        _ => false,
    };
    added.then_some(())
}

impl Collection {
    fn read(&mut self, ahead: &mut Ahead<'_>) -> Option<()> {
        let Self { address, bytes, places, .. } = self;
        let head = ahead.get(*address, *SIZES.start())?;
        let size = usize::try_from(u64_at(head, 8)?).ok()?;
        if !head.starts_with(b"GCOL\x01") || !SIZES.contains(&size) {
            return None;
        }
        bytes.clear();
        bytes.extend_from_slice(ahead.get(*address, size)?);
        places.push(0);
        let mut at = HEAD;
        while at + HEAD <= size {
            let number = usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
            // Free space, up to the end.
            if number == 0 {
                break;
            }
            let data = usize::try_from(u64_at(bytes, at + 8)?).ok()?;
            let end = data.checked_next_multiple_of(8)?.checked_add(at + HEAD).filter(|e| *e <= size)?;
            let place = u32::try_from(at).ok()?;
            // They mostly follow each other.
            if places.len() == number {
                places.push(place);
            } else {
                places.resize(places.len().max(number + 1), 0);
                *places.get_mut(number)? = place;
            }
            at = end;
        }
        Some(())
    }

    /// The data of the object of that number.
    fn object(&self, number: u32) -> Option<&[u8]> {
        let at = *self.places.get(number as usize)? as usize;
        if at == 0 {
            return None;
        }
        let size = usize::try_from(u64_at(&self.bytes, at + 8)?).ok()?;
        self.bytes.get(at + HEAD..at + HEAD + size)
    }
}
