//! Elements between the library's buffers and an array: byte order, padding, and what the library keeps behind pointers.

use super::compat::reclaim;
use super::ffi::{Id, h5, hid_t};
use super::refs::References;
use crate::array::{AnyArray, Arena, Item};
use crate::dtype::layout::{Layout, Run, SlotKind};
use crate::dtype::{DType, Order};
use crate::error::{Result, bail, error};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::H5Screate_simple;
use hdf5_sys::h5t::hvl_t;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};

/// Numbers of one size that stand one after another and are stored in the other byte order than the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Swap {
    offset: usize,
    size: usize,
    count: usize,
}

#[derive(Debug)]
enum Pointer {
    Str,
    Seq(Codec),
    Object,
    Region,
}

/// How the elements of a dtype go in and out.
#[derive(Debug)]
pub(super) struct Codec {
    dtype: DType,
    itemsize: usize,
    runs: Vec<Run>,
    solid: bool,
    swaps: Vec<Swap>,
    pointers: Vec<(usize, Pointer)>,
    /// The library allocates memory for elements that it reads.
    allocates: bool,
    bulk: Bulk,
}

fn swaps_of(dtype: &DType, offset: usize, out: &mut Vec<Swap>) {
    let mut one = |size: usize, count: usize, order: Order| {
        if size > 1 && order != Order::NATIVE {
            out.push(Swap { offset, size, count });
        }
    };
    match dtype {
        DType::Int(t) | DType::BitField(t) => one(t.size.into(), 1, t.order),
        DType::Float(t) => one(t.width.size(), 1, t.order),
        DType::Complex(t) => one(t.width.size(), 2, t.order),
        DType::Enum(e) => one(e.base.size.into(), 1, e.base.order),
        DType::Compound(c) => c.fields().iter().for_each(|f| swaps_of(&f.dtype, offset + f.offset, out)),
        DType::Array { base, shape } => {
            let (count, mut inner) = (shape.iter().product::<usize>(), Vec::new());
            swaps_of(base, 0, &mut inner);
            match inner[..] {
                [s] if s.offset == 0 && s.size * s.count == base.itemsize() => {
                    out.push(Swap { offset, size: s.size, count: s.count * count })
                }
                _ => (0..count)
                    .for_each(|i| out.extend(inner.iter().map(|s| Swap { offset: offset + i * base.itemsize() + s.offset, ..*s }))),
            }
        }
        _ => {}
    }
}

fn reverse<const N: usize>(bytes: &mut [u8]) {
    for number in bytes.as_chunks_mut::<N>().0 {
        number.reverse();
    }
}

fn swap(bytes: &mut [u8], size: usize) {
    match size {
        2 => reverse::<2>(bytes),
        4 => reverse::<4>(bytes),
        8 => reverse::<8>(bytes),
        16 => reverse::<16>(bytes),
        _ => bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse),
    }
}

fn allocates(dtype: &DType) -> bool {
    dtype.any(&|t| matches!(t, DType::VarString { .. } | DType::VarSeq(_)))
}

/// How elements may be handed to the library for writing.
///
/// Before 2.0, the library converts arrays of compounds with one background buffer for all elements, takes what the element before
/// has left there for old values that are overwritten, and frees them: of several elements of a type such as `{v: vlen(i4)}[2]` that are
/// written by one call, only the last keeps its sequences and strings. No error is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bulk {
    Safe,
    /// One element for each call.
    Single,
    /// One within the other: not even a single element is written right.
    Lossy,
}

fn bulk(dtype: &DType) -> Bulk {
    if cfg!(hdf5_2_0) {
        return Bulk::Safe;
    }
    match dtype {
        DType::Array { base, .. } if base.any(&|t| matches!(t, DType::Compound(_)) && allocates(t)) => match bulk(base) {
            Bulk::Safe => Bulk::Single,
            _ => Bulk::Lossy,
        },
        DType::Array { base, .. } => bulk(base),
        DType::VarSeq(base) if bulk(base) > Bulk::Safe => Bulk::Lossy,
        DType::Compound(c) => c.fields().iter().map(|f| bulk(&f.dtype)).max().unwrap_or(Bulk::Safe),
        _ => Bulk::Safe,
    }
}

/// Memory that the library fills or reads: aligned for pointers, and zero at first.
struct Scratch {
    words: Vec<u64>,
    len: usize,
}

impl Scratch {
    fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(8)], len }
    }
    fn bytes(&self) -> &[u8] {
        // SAFETY: the words hold at least len initialised bytes.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len) }
    }
}

/// Gives back what the library allocated behind the pointers of elements.
struct Reclaim<'s> {
    scratch: &'s mut Scratch,
    type_id: hid_t,
    count: usize,
}

impl Drop for Reclaim<'_> {
    fn drop(&mut self) {
        let dims = [self.count as u64];
        let Ok(space) = h5!(H5Screate_simple(1, dims.as_ptr(), std::ptr::null())).map(Id::own) else { return };
        // A failure leaks memory and does no other harm.
        let _ = h5!(reclaim(self.type_id, space.get(), H5P_DEFAULT, self.scratch.words.as_mut_ptr().cast()));
    }
}

/// The bytes that the library writes, and what their pointers lead to.
pub(super) struct Outgoing<'a> {
    bytes: Cow<'a, [u8]>,
    _heap: Heap,
}

impl Outgoing<'_> {
    pub(super) fn as_ptr(&self) -> *const c_void {
        self.bytes.as_ptr().cast()
    }
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Blocks of memory that never move.
#[derive(Default)]
struct Heap {
    blocks: Vec<Box<[u64]>>,
    /// Words taken of the last block.
    used: usize,
}

impl Heap {
    /// Copies bytes there, with zero bytes up to the next multiple of 8 and at least one.
    fn put(&mut self, bytes: &[u8]) -> *mut u8 {
        let words = bytes.len() / 8 + 1;
        if self.blocks.last().is_none_or(|b| b.len() - self.used < words) {
            self.blocks.push(vec![0; words.max(8192)].into_boxed_slice());
            self.used = 0;
        }
        let at = self.used;
        self.used += words;
        // The block is there: it was pushed above if there was none.
        let Some(block) = self.blocks.last_mut() else { return std::ptr::null_mut() };
        let to: *mut u8 = block[at..at + words].as_mut_ptr().cast();
        // SAFETY: the words were zero and belong to nobody else; there is room for the bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        to
    }
}

fn pointer_at(bytes: &[u8]) -> usize {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[..8]);
    usize::from_ne_bytes(raw)
}

impl Codec {
    pub(super) fn new(dtype: &DType) -> Self {
        let layout = Layout::of(dtype);
        let mut swaps = Vec::new();
        swaps_of(dtype, 0, &mut swaps);
        let pointers = layout.slots.iter().map(|s| {
            let pointer = match &s.kind {
                SlotKind::Str => Pointer::Str,
                SlotKind::Seq(base) => Pointer::Seq(Codec::new(base)),
                SlotKind::Object => Pointer::Object,
                SlotKind::Region => Pointer::Region,
            };
            (s.offset, pointer)
        });
        Self {
            dtype: dtype.clone(),
            itemsize: layout.itemsize,
            solid: layout.is_solid(),
            swaps,
            pointers: pointers.collect(),
            allocates: allocates(dtype),
            bulk: bulk(dtype),
            runs: layout.runs,
        }
    }

    pub(super) fn dtype(&self) -> &DType {
        &self.dtype
    }

    pub(super) fn itemsize(&self) -> usize {
        self.itemsize
    }

    /// True if the library loses data when several elements are written by one call.
    pub(super) fn is_single(&self) -> bool {
        self.bulk == Bulk::Single
    }

    /// Checks that the library does not lose data when that many elements are written by one call.
    ///
    /// # Errors
    /// `Unsupported` if it does.
    pub(super) fn check_bulk(&self, count: usize) -> Result<()> {
        if count > 0 && (self.bulk == Bulk::Lossy || (self.bulk == Bulk::Single && count > 1)) {
            return Err(error!(
                Unsupported,
                "versions of the HDF5 library before 2.0 lose strings and sequences of the type {}", self.dtype
            )
            .remedy("use an array of compounds with them neither in an attribute of several elements nor within another one"));
        }
        Ok(())
    }

    /// True if an element is all in its own bytes.
    pub(super) fn is_plain(&self) -> bool {
        self.pointers.is_empty()
    }

    /// True if an element has the same bytes in memory and in the file.
    pub(super) fn is_verbatim(&self) -> bool {
        self.is_plain() && self.solid && self.swaps.is_empty()
    }

    /// Turns numbers from the file's byte order to the machine's, or back.
    pub(super) fn turn(&self, bytes: &mut [u8]) {
        match self.swaps[..] {
            [] => {}
            [s] if s.offset == 0 && s.size * s.count == self.itemsize => swap(bytes, s.size),
            _ => {
                for element in bytes.chunks_exact_mut(self.itemsize) {
                    for s in &self.swaps {
                        swap(&mut element[s.offset..s.offset + s.size * s.count], s.size);
                    }
                }
            }
        }
    }

    /// Lets the library read elements into a buffer, and makes them elements of an array with that heap.
    pub(super) fn read(
        &self,
        type_id: hid_t,
        out: &mut [u8],
        heap: Option<&Arena>,
        refs: &References<'_>,
        read: impl FnOnce(*mut c_void) -> Result<()>,
    ) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let Some(heap) = heap else {
            read(out.as_mut_ptr().cast())?;
            self.turn(out);
            return Ok(());
        };
        let mut scratch = Scratch::new(out.len());
        read(scratch.words.as_mut_ptr().cast())?;
        let count = out.len() / self.itemsize;
        if !self.allocates {
            return self.import(scratch.bytes(), out, heap, refs);
        }
        let reclaim = Reclaim { scratch: &mut scratch, type_id, count };
        self.import(reclaim.scratch.bytes(), out, heap, refs)
    }

    /// Copies elements out of the library's memory: pointers become items of the heap, padding stays zero.
    fn import(&self, from: &[u8], to: &mut [u8], heap: &Arena, refs: &References<'_>) -> Result<()> {
        for (from, to) in from.chunks_exact(self.itemsize).zip(to.chunks_exact_mut(self.itemsize)) {
            for run in &self.runs {
                to[run.offset..run.offset + run.len].copy_from_slice(&from[run.offset..run.offset + run.len]);
            }
            for (offset, pointer) in &self.pointers {
                let number = self.import_item(&from[*offset..], pointer, heap, refs)?;
                to[*offset..*offset + 8].copy_from_slice(&number.to_ne_bytes());
            }
        }
        self.turn(to);
        Ok(())
    }

    fn import_item(&self, from: &[u8], pointer: &Pointer, heap: &Arena, refs: &References<'_>) -> Result<u64> {
        Ok(match pointer {
            Pointer::Str => {
                let at = pointer_at(from);
                if at == 0 {
                    return Ok(0);
                }
                // SAFETY: the library has put a C string there, which is given back only after this.
                let text = unsafe { CStr::from_ptr(std::ptr::with_exposed_provenance::<c_char>(at)) }.to_bytes();
                if text.is_empty() { 0 } else { heap.push(Item::Str(text.into())) }
            }
            Pointer::Seq(codec) => {
                let (len, at) = (pointer_at(from), pointer_at(&from[8..]));
                if len == 0 || at == 0 {
                    return Ok(0);
                }
                let mut sequence = AnyArray::zeros(codec.dtype.clone(), [len])?;
                // SAFETY: the library has put that many elements there, which are given back only after this.
                let elements = unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(at), len * codec.itemsize) };
                let (to, inner) = sequence.raw_mut()?;
                match inner {
                    Some(inner) => codec.import(elements, to, inner, refs)?,
                    None => {
                        to.copy_from_slice(elements);
                        codec.turn(to);
                    }
                }
                heap.push(Item::Seq(Box::new(sequence)))
            }
            Pointer::Object => match pointer_at(from) {
                0 => 0,
                address => heap.push(Item::Object(refs.object(address as u64))),
            },
            Pointer::Region => match &from[..12] {
                raw if raw.iter().all(|b| *b == 0) => 0,
                raw => heap.push(Item::Region(Box::new(refs.region(raw)?))),
            },
        })
    }

    /// The elements as the library writes them.
    ///
    /// # Errors
    /// `Dtype` for a string with a NUL, `InvalidArgument` for a reference into another tree, `Unsupported` as [`check_bulk`](Self::check_bulk).
    pub(super) fn outgoing<'a>(&self, bytes: &'a [u8], heap: Option<&Arena>, refs: &References<'_>) -> Result<Outgoing<'a>> {
        self.check_bulk(bytes.len() / self.itemsize)?;
        let mut keep = Heap::default();
        if self.is_verbatim() {
            return Ok(Outgoing { bytes: Cow::Borrowed(bytes), _heap: keep });
        }
        let mut out = vec![0; bytes.len()];
        self.export(bytes, &mut out, heap, &mut keep, refs)?;
        Ok(Outgoing { bytes: Cow::Owned(out), _heap: keep })
    }

    fn export(&self, from: &[u8], to: &mut [u8], heap: Option<&Arena>, keep: &mut Heap, refs: &References<'_>) -> Result<()> {
        if self.solid {
            to.copy_from_slice(from);
        } else {
            for (from, to) in from.chunks_exact(self.itemsize).zip(to.chunks_exact_mut(self.itemsize)) {
                for run in &self.runs {
                    to[run.offset..run.offset + run.len].copy_from_slice(&from[run.offset..run.offset + run.len]);
                }
                for (offset, pointer) in &self.pointers {
                    let item = heap.and_then(|h| h.get(pointer_at(&from[*offset..]) as u64));
                    export_item(item, pointer, &mut to[*offset..], keep, refs)?;
                }
            }
        }
        self.turn(to);
        Ok(())
    }
}

fn export_item(item: Option<&Item>, pointer: &Pointer, to: &mut [u8], keep: &mut Heap, refs: &References<'_>) -> Result<()> {
    let mut put = |at: usize, number: usize| to[at..at + 8].copy_from_slice(&number.to_ne_bytes());
    match (pointer, item) {
        (Pointer::Str, None) => put(0, c"".as_ptr().expose_provenance()),
        (Pointer::Str, Some(Item::Str(text))) => {
            if text.contains(&0) {
                return Err(error!(
                    Dtype,
                    "the text {:?} holds a NUL, which a variable-length string cannot",
                    String::from_utf8_lossy(text)
                )
                .remedy("store it as a fixed-length string, as opaque bytes or as an array of u8"));
            }
            put(0, keep.put(text).expose_provenance());
        }
        (Pointer::Seq(_), None) => {}
        (Pointer::Seq(codec), Some(Item::Seq(sequence))) => {
            let (bytes, heap) = sequence.raw();
            let mut inner = vec![0; bytes.len()];
            codec.export(bytes, &mut inner, heap.map(|h| &**h), keep, refs)?;
            put(0, sequence.len());
            put(8, keep.put(&inner).expose_provenance());
            const { assert!(size_of::<hvl_t>() == 16) };
        }
        (Pointer::Object, None) | (Pointer::Region, None) => {}
        (Pointer::Object, Some(Item::Object(reference))) => put(0, refs.address(reference)? as usize),
        (Pointer::Region, Some(Item::Region(region))) => to[..12].copy_from_slice(&refs.encode_region(region)?),
        _ => bail!(Dtype, "the array holds an item that is not of its type"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::{FloatType, FloatWidth, IntType};

    #[test]
    fn swaps_are_found_at_all_depths() {
        let be = |size| DType::Int(IntType { size, signed: true, order: Order::Big });
        let pair = DType::compound([("a", be(2)), ("b", DType::I8)]).unwrap();
        let complex = DType::Complex(FloatType { width: FloatWidth::F32, order: Order::Big });
        let all = DType::compound([("x", DType::array(be(4), [2, 2])), ("y", DType::array(pair, [2])), ("z", complex)]).unwrap();
        let codec = Codec::new(&all);
        let found: Vec<(usize, usize, usize)> = codec.swaps.iter().map(|s| (s.offset, s.size, s.count)).collect();
        assert_eq!(found, [(0, 4, 4), (16, 2, 1), (19, 2, 1), (22, 4, 2)]);
        let mut bytes: Vec<u8> = (0..30).collect();
        codec.turn(&mut bytes);
        assert_eq!(bytes[..8], [3, 2, 1, 0, 7, 6, 5, 4]);
        assert_eq!(bytes[16..22], [17, 16, 18, 20, 19, 21]);
        codec.turn(&mut bytes);
        assert_eq!(bytes, (0..30).collect::<Vec<u8>>());
    }
}
