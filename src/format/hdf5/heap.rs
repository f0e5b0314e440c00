//! Region references written in bulk: the library takes microseconds to put one into the global heap.
//!
//! So it is asked for whole collections: a reference whose selection is so large that it gets a collection of its own. What it has put there
//! is replaced by many small objects when the file is closed, for only then does the library let go of its copy. The result is what it
//! would have written itself, reference by reference. Until then the objects are kept here, and the references lead nowhere.

use super::compat;
use super::descriptor;
use super::ffi::{Id, h5, hid_t};
use super::file::OpenFile;
use super::space;
use crate::error::{Error, Result, error};
use crate::tree::RowRegions;
use hdf5_sys::h5r::H5Rcreate;
use parking_lot::Mutex;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::OnceLock;

/// The bytes before the first object of a collection, and those before the data of an object.
pub(super) const HEAD: usize = 16;
/// What the selection that stands for a collection has: so many points of so many axes, four bytes for each coordinate.
const POINTS: usize = 512;
const AXES: usize = 32;
/// The bytes of its object: an address, what describes the selection, the points.
const PLACEHOLDER: usize = 8 + 24 + POINTS * AXES * 4;
/// The room for objects in a collection. No collection of the library grows to this size, so it makes a new one.
const ROOM: usize = HEAD + PLACEHOLDER;
/// Less than this is not worth a collection.
const LEAST: usize = ROOM / 2;

/// A collection that the file has room for, and the objects that it is to have.
#[derive(Debug)]
struct Collection {
    address: u64,
    objects: Vec<u8>,
    count: u16,
}

impl Collection {
    fn has_room(&self, bytes: usize) -> bool {
        self.objects.len() + bytes <= ROOM
    }

    /// Adds an object: the address of a dataset, and a selection as the library encodes it. Gives its number.
    fn push(&mut self, dataset: u64, rest: &[u64], span: (u64, u64)) -> u16 {
        self.count += 1;
        let none = span.0 >= span.1;
        let data = size_of_object(rest.len() + 1, none) - HEAD;
        let out = &mut self.objects;
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&[0; 6]);
        out.extend_from_slice(&(data as u64).to_le_bytes());
        out.extend_from_slice(&dataset.to_le_bytes());
        let mut numbers = |list: &[u32]| list.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        if none {
            // Nothing, version 1.
            numbers(&[0, 1, 0, 0]);
            return self.count;
        }
        let rank = rest.len() as u32 + 1;
        // A hyperslab, version 1: the bytes that follow, the axes, one block with its first and its last corner.
        numbers(&[2, 1, 0, 8 + 8 * rank, rank, 1, span.0 as u32]);
        rest.iter().for_each(|_| numbers(&[0]));
        numbers(&[(span.1 - 1) as u32]);
        rest.iter().for_each(|n| numbers(&[(n - 1) as u32]));
        self.count
    }

    /// The objects, with what is left as free space.
    fn finished(mut self) -> Vec<u8> {
        let left = ROOM - self.objects.len();
        if left >= HEAD {
            self.objects.extend_from_slice(&[0; 8]);
            self.objects.extend_from_slice(&(left as u64).to_le_bytes());
        }
        self.objects.resize(ROOM, 0);
        self.objects
    }
}

/// The bytes of an object with its head: a multiple of 8.
fn size_of_object(rank: usize, none: bool) -> usize {
    HEAD + 8 + if none { 16 } else { 24 + 8 * rank }
}

/// What a collection begins with that the library has made for a large selection: its size, and its only object, number 1.
fn wanted_head() -> [u8; 2 * HEAD] {
    let mut wanted = [0; 2 * HEAD];
    wanted[..5].copy_from_slice(b"GCOL\x01");
    wanted[8..16].copy_from_slice(&((HEAD + ROOM) as u64).to_le_bytes());
    wanted[16] = 1;
    wanted[24..].copy_from_slice(&(PLACEHOLDER as u64).to_le_bytes());
    wanted
}

/// The collections of an open file that are not in it yet.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Vec<Collection>>);

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Writes the collections into the file, which the library has closed.
    pub(super) fn settle(&self, file: &File, path: &Path) -> Result<()> {
        let write = |collection: Collection| -> std::io::Result<bool> {
            let mut head = [0; 2 * HEAD];
            file.read_exact_at(&mut head, collection.address)?;
            if head != wanted_head() {
                return Ok(false);
            }
            let at = collection.address + HEAD as u64;
            file.write_all_at(&collection.finished(), at)?;
            Ok(true)
        };
        for collection in std::mem::take(&mut *self.0.lock()) {
            match write(collection) {
                Ok(true) => {}
                Ok(false) => return Err(error!(Corrupt, "the library has not left the room in the file that references were to have")),
                Err(e) => return Err(Error::io(e, path).during("write the references of the file")),
            }
        }
        Ok(())
    }
}

/// The references to these rows, as a table holds them row by row; `None` if they are better made by the library.
///
/// # Errors
/// `Io` and others of the library.
pub(super) fn encode(file: &OpenFile, columns: &[(u64, &RowRegions)], dataset: hid_t) -> Result<Option<Vec<u8>>> {
    let rows = columns.first().map_or(0, |(_, c)| c.spans.len());
    let size = |c: &RowRegions, span: &(u64, u64)| size_of_object(c.shape.len(), span.0 >= span.1);
    let total: usize = columns.iter().flat_map(|(_, c)| c.spans.iter().map(|s| size(c, s))).sum();
    let small = |n: u64| n <= u64::from(u32::MAX);
    let usual = columns.iter().all(|(_, c)| {
        c.spans.len() == rows && !c.shape.is_empty() && c.shape.iter().all(|n| small(*n)) && c.spans.iter().all(|(_, to)| small(*to))
    });
    let mut pending = file.pending().0.lock();
    let room = pending.last().map_or(0, |c| ROOM - c.objects.len());
    if !usual || (total > room && total < LEAST) || !descriptor::is_usual(file.id()) || !makes_room() {
        return Ok(None);
    }
    let mut placeholder = None;
    let mut out = Vec::with_capacity(rows * columns.len() * 12);
    for row in 0..rows {
        for (target, column) in columns {
            let Some(span) = column.spans.get(row) else { return Ok(None) };
            let bytes = size(column, span);
            if pending.last().is_none_or(|c| !c.has_room(bytes)) {
                let space = match &placeholder {
                    Some(space) => space,
                    None => placeholder.insert(large_selection()?),
                };
                let Some(address) = reserve(dataset, space)? else { return Ok(None) };
                pending.push(Collection { address, objects: Vec::with_capacity(ROOM), count: 0 });
            }
            let Some(collection) = pending.last_mut() else { return Ok(None) };
            let number = collection.push(*target, column.shape.get(1..).unwrap_or(&[]), *span);
            out.extend_from_slice(&collection.address.to_le_bytes());
            out.extend_from_slice(&u32::from(number).to_le_bytes());
        }
    }
    Ok(Some(out))
}

/// True if this library puts a large selection where it is looked for, into a collection of its own: it is asked once, with a file in memory. All versions so far
/// do; one that encodes selections in another way makes its references itself.
fn makes_room() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| try_room().unwrap_or(false))
}

fn try_room() -> Result<bool> {
    use crate::tree::GroupExt;
    let file = super::open::Hdf5File::in_memory()?;
    let root = file.root()?;
    let made = root.create_dataset("a").dtype(crate::DType::U8).shape([1]).create()?;
    let address = match made.as_any().downcast_ref::<super::dataset::Hdf5Dataset>() {
        Some(dataset) => reserve(dataset.handle().id(), &large_selection()?)?,
        None => None,
    };
    let Some(at) = address.and_then(|a| usize::try_from(a).ok()) else { return Ok(false) };
    let bytes = file.to_bytes()?;
    let room = bytes.get(at..at + HEAD + ROOM).unwrap_or(&[]);
    Ok(room.starts_with(&wanted_head()))
}

fn large_selection() -> Result<Id> {
    let space = space::create(Some(&[1; AXES]), None)?;
    space::select_points(space.get(), &[0; POINTS * AXES], POINTS)?;
    Ok(space)
}

/// Lets the library make a collection; `None` if it has found another place for the object.
fn reserve(dataset: hid_t, space: &Id) -> Result<Option<u64>> {
    let mut raw = [0u8; 12];
    h5!(H5Rcreate(raw.as_mut_ptr().cast(), dataset, c".".as_ptr(), compat::REGION, space.get()))?;
    let (mut address, mut number) = ([0; 8], [0; 4]);
    address.copy_from_slice(&raw[..8]);
    number.copy_from_slice(&raw[8..]);
    Ok((u32::from_le_bytes(number) == 1).then_some(u64::from_le_bytes(address)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_library_makes_room_where_it_is_looked_for() {
        assert!(super::makes_room());
    }
}
