//! The collections of the global heap of a file that nobody writes, past the library.

use super::descriptor;
use super::heap::HEAD;
use crate::error::{Result, bail};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// The least size of a collection, and the largest one that is read here.
const SIZES: std::ops::RangeInclusive<usize> = 4096..=16 << 20;
/// The bytes that are read at once where collections are small.
const WINDOW: usize = 256 << 10;
/// Collections of this size are read by a call each.
const LARGE: usize = 32 << 10;
/// So many collections are kept.
const KEPT: usize = 32;

/// The global heap of a file: the collections that were read last.
pub(super) struct Heap<'f> {
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

/// Bytes of the file that were read at once: small collections often lie side by side.
struct Ahead<'f> {
    fd: BorrowedFd<'f>,
    at: u64,
    bytes: Vec<u8>,
    /// The size of the collection that was read last.
    size: usize,
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

    /// Reads the collection at an address.
    fn collection(&mut self, at: u64, to: &mut Vec<u8>) -> Option<()> {
        let size_of = |head: &[u8]| {
            let size = usize::try_from(u64_at(head, 8)?).ok()?;
            (head.starts_with(b"GCOL\x01") && SIZES.contains(&size)).then_some(size)
        };
        let size = if self.size < LARGE {
            let size = size_of(self.get(at, *SIZES.start())?)?;
            to.clear();
            to.extend_from_slice(self.get(at, size)?);
            size
        } else {
            // Most likely it is as large as the one before.
            to.resize(self.size, 0);
            let got = descriptor::fill_some(self.fd, to, at);
            let size = size_of(to.get(..got)?)?;
            to.resize(size, 0);
            if let Some(left) = to.get_mut(got..).filter(|left| !left.is_empty()) {
                descriptor::fill(self.fd, left, at.checked_add(got as u64)?)?;
            }
            size
        };
        self.size = size;
        Some(())
    }
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)
}

impl<'f> Heap<'f> {
    pub(super) fn new(fd: BorrowedFd<'f>) -> Self {
        let ahead = Ahead { fd, at: 0, bytes: Vec::new(), size: 0 };
        Self { ahead, kept: Vec::new(), places: HashMap::new(), next: 0, last: 0 }
    }

    /// The data of an object that 12 bytes of a reference lead to; `None` if they are null, or the collection is not as it usually is.
    ///
    /// # Errors
    /// `Corrupt` if the object is not there.
    pub(super) fn object(&mut self, raw: &[u8]) -> Result<Option<&[u8]>> {
        let (Some(address), Some(number)) = (u64_at(raw, 0), u32_at(raw, 8)) else { return Ok(None) };
        if (address, number) == (0, 0) {
            return Ok(None);
        }
        let Some(collection) = self.collection(address) else { return Ok(None) };
        // The library does not look whether the object is there.
        match collection.object(number) {
            None => bail!(Corrupt, "a reference leads to object {number} of the heap at {address}, which is not there"),
            object => Ok(object),
        }
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

impl Collection {
    fn read(&mut self, ahead: &mut Ahead<'_>) -> Option<()> {
        let Self { address, bytes, places, .. } = self;
        ahead.collection(*address, bytes)?;
        let size = bytes.len();
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
