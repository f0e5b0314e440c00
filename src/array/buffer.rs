//! Bytes that are shared until written, and grow at the end without copying what readers hold.
//!
//! A [`Buffer`] is a view of the first `len` bytes of a block. Clones share the block. Writing within `len` needs the block alone,
//! else copies it. Appending claims room behind the last claimed byte: the one view that ends there may do so while others
//! hold shorter views, since nobody can see the claimed bytes before they are written. So n appends cost O(n) also while a
//! reader keeps a snapshot of each state.
//!
//! This is one of the few rooms with `unsafe`; everything above it sees slices.

#![allow(unsafe_code)]

use super::Element;
use crate::error::{Result, error};
use parking_lot::Mutex;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

struct Block {
    ptr: NonNull<u8>,
    cap: usize,
    align: usize,
    /// True if the memory serves the next block of its kind when nobody holds this one any more.
    kept: bool,
    /// All bytes before this are initialised, and only a view that ends here may move it.
    claimed: AtomicUsize,
}

// SAFETY: a block owns plain bytes; they are written only by a view that is alone, or beyond what any other view can see.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    fn layout(cap: usize, align: usize) -> Result<Layout> {
        Layout::from_size_align(cap, align).map_err(|_| error!(Shape, "an array of {cap} bytes is larger than the address space"))
    }

    fn new(cap: usize, align: usize, zeroed: bool) -> Result<Self> {
        if cap >= LARGE {
            // Beside the new block it would only take room.
            give_back(cap);
        }
        let layout = Self::layout(cap, align)?;
        let ptr = if cap == 0 {
            NonNull::without_provenance(std::num::NonZero::new(align).unwrap_or(std::num::NonZero::<usize>::MIN))
        } else {
            // SAFETY: the layout's size is not zero.
            let raw = unsafe { if zeroed { alloc_zeroed(layout) } else { alloc(layout) } };
            let raw = NonNull::new(raw).ok_or_else(|| error!(Io, "no memory for an array of {cap} bytes"))?;
            prefer_huge_pages(raw, cap);
            raw
        };
        Ok(Self { ptr, cap, align, kept: false, claimed: AtomicUsize::new(0) })
    }

    /// Initialised bytes, whatever they are: all are written before one is read. In the memory of such a block that nobody holds any more, if one fits.
    fn to_overwrite(cap: usize, align: usize) -> Result<Self> {
        let kept = (LEAST_KEPT..=MOST_KEPT).contains(&cap);
        if let Some(spare) = kept.then(|| SPARE.lock().take(cap, align)).flatten() {
            let spare = std::mem::ManuallyDrop::new(spare);
            return Ok(Self { ptr: spare.ptr, cap: spare.cap, align, kept, claimed: AtomicUsize::new(0) });
        }
        Self::new(cap, align, true).map(|mut made| {
            made.kept = kept;
            made
        })
    }
}

/// Blocks from this size on get huge pages.
const LARGE: usize = 4 << 20;
/// Blocks from this size on are kept.
const LEAST_KEPT: usize = 1 << 20;
/// Blocks up to this size are kept, and so much in all.
const MOST_KEPT: usize = 1 << 30;
/// So many blocks are kept.
const BLOCKS_KEPT: usize = 32;

/// What a block was allocated as.
struct Memory {
    ptr: NonNull<u8>,
    cap: usize,
    align: usize,
}

// SAFETY: it owns plain bytes that nobody else knows of.
unsafe impl Send for Memory {}

/// Blocks of a kind that is made again and again, as a loop reads arrays and drops them, or redistributes one: to be given fresh pages takes as long as to fill them.
/// They give way to new large blocks, and the system may take their pages back meanwhile.
static SPARE: Mutex<Spare> = Mutex::new(Spare(Vec::new()));

/// Blocks that are kept, the oldest first.
struct Spare(Vec<Memory>);

impl Spare {
    /// A block of that many bytes or up to a quarter more.
    fn take(&mut self, cap: usize, align: usize) -> Option<Memory> {
        let fits = |(_, m): &(usize, &Memory)| m.align == align && (cap..=cap.saturating_add(cap / 4)).contains(&m.cap);
        let (at, _) = self.0.iter().enumerate().filter(fits).min_by_key(|(_, m)| m.cap)?;
        Some(self.0.remove(at))
    }

    /// The oldest blocks, until they are so many bytes, or none is left.
    fn oldest(&mut self, bytes: usize) -> Vec<Memory> {
        let mut sum = 0usize;
        let enough = self.0.iter().position(|m| {
            let before = sum;
            sum = before.saturating_add(m.cap);
            before >= bytes
        });
        self.0.drain(..enough.unwrap_or(self.0.len())).collect()
    }

    /// Keeps a block; gives the oldest ones if there are too many.
    fn put(&mut self, memory: Memory) -> Vec<Memory> {
        self.0.push(memory);
        let total: usize = self.0.iter().map(|m| m.cap).sum();
        let mut old = self.oldest(total.saturating_sub(MOST_KEPT));
        old.extend(self.0.drain(..self.0.len().saturating_sub(BLOCKS_KEPT)));
        old
    }
}

/// Frees as many bytes of what is kept, and more if its blocks are larger.
fn give_back(bytes: usize) {
    let old = SPARE.lock().oldest(bytes);
    drop(old);
}

impl Memory {
    /// Keeps it for the next block like it.
    fn keep(self) {
        #[cfg(target_os = "linux")]
        if let Some((start, len)) = pages(self.ptr, self.cap) {
            // SAFETY: the range lies within the block, which nobody reads before it is written again. A refusal changes nothing.
            let _ = unsafe { rustix::mm::madvise(start.cast(), len, rustix::mm::Advice::LinuxFree) };
        }
        let old = SPARE.lock().put(self);
        drop(old);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.cap > 0 {
            // SAFETY: allocated by the global allocator with exactly this layout (here, or by the Vec it was taken from).
            unsafe { dealloc(self.ptr.as_ptr(), Layout::from_size_align_unchecked(self.cap, self.align)) }
        }
    }
}

/// The whole pages of a block.
#[cfg(target_os = "linux")]
fn pages(ptr: NonNull<u8>, cap: usize) -> Option<(*mut u8, usize)> {
    const PAGE: usize = 4096;
    let skip = ptr.as_ptr().align_offset(PAGE);
    // SAFETY: not beyond the end of the block.
    (skip < PAGE && skip <= cap).then(|| (unsafe { ptr.as_ptr().add(skip) }, (cap - skip) / PAGE * PAGE))
}

/// Asks for huge pages behind a large block, as numpy does: touching its pages first costs more than filling them.
fn prefer_huge_pages(ptr: NonNull<u8>, cap: usize) {
    #[cfg(target_os = "linux")]
    if cap >= LARGE
        && let Some((start, len)) = pages(ptr, cap)
    {
        // SAFETY: the range lies within the block; the advice changes no byte of it. A refusal changes nothing at all.
        let _ = unsafe { rustix::mm::madvise(start.cast(), len, rustix::mm::Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (ptr, cap);
}

impl Drop for Block {
    fn drop(&mut self) {
        let memory = Memory { ptr: self.ptr, cap: self.cap, align: self.align };
        if self.kept {
            memory.keep();
        }
    }
}

/// A view of the first bytes of a shared block.
#[derive(Clone)]
pub(crate) struct Buffer {
    block: Arc<Block>,
    len: usize,
}

impl Buffer {
    /// `len` zero bytes.
    pub(crate) fn zeroed(len: usize, align: usize) -> Result<Self> {
        let block = Block::new(len, align.max(1), true)?;
        block.claimed.store(len, Ordering::Relaxed);
        Ok(Self { block: Arc::new(block), len })
    }

    /// `len` bytes, all of which the caller writes before one is read. Now they are whatever the memory held before.
    pub(crate) fn to_overwrite(len: usize, align: usize) -> Result<Self> {
        let block = Block::to_overwrite(len, align.max(1))?;
        block.claimed.store(len, Ordering::Relaxed);
        Ok(Self { block: Arc::new(block), len })
    }

    /// A copy of the bytes.
    pub(crate) fn from_slice(bytes: &[u8], align: usize) -> Result<Self> {
        Self::with_capacity_from(bytes, bytes.len(), align)
    }

    fn with_capacity_from(bytes: &[u8], cap: usize, align: usize) -> Result<Self> {
        let block = Block::new(cap.max(bytes.len()), align.max(1), false)?;
        // SAFETY: the block has room for them, is fresh, and so does not overlap.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), block.ptr.as_ptr(), bytes.len()) };
        block.claimed.store(bytes.len(), Ordering::Relaxed);
        Ok(Self { block: Arc::new(block), len: bytes.len() })
    }

    /// Takes a vector's allocation without copying.
    pub(crate) fn from_vec<T: Element>(v: Vec<T>) -> Self {
        let mut v = std::mem::ManuallyDrop::new(v);
        let size = size_of::<T>();
        let (len, cap) = (v.len() * size, v.capacity() * size);
        // SAFETY: a Vec's pointer is never null. T is plain (Element), so its bytes are all initialised, and the block frees them
        // with the layout that the Vec allocated: capacity times size, the alignment of T.
        let block = Block {
            ptr: unsafe { NonNull::new_unchecked(v.as_mut_ptr().cast()) },
            cap,
            align: align_of::<T>(),
            kept: false,
            claimed: AtomicUsize::new(len),
        };
        Self { block: Arc::new(block), len }
    }

    /// Gives the allocation back as a vector, if nobody else holds it and it was allocated for that alignment.
    pub(crate) fn try_into_vec<T: Element>(self) -> std::result::Result<Vec<T>, Self> {
        let size = size_of::<T>();
        let len = self.len;
        let fits = self.block.align == align_of::<T>() && self.block.cap.is_multiple_of(size) && len.is_multiple_of(size);
        if !fits || self.block.cap == 0 {
            return Err(self);
        }
        match Arc::try_unwrap(self.block) {
            Ok(block) => {
                let block = std::mem::ManuallyDrop::new(block);
                // SAFETY: the block is alone, was allocated with this alignment and capacity, and its first len bytes are
                // initialised elements of a plain type (the caller has checked the values, see Element::check).
                Ok(unsafe { Vec::from_raw_parts(block.ptr.as_ptr().cast(), len / size, block.cap / size) })
            }
            Err(block) => Err(Self { block, len }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn align(&self) -> usize {
        self.block.align
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        // SAFETY: the first len bytes are initialised, and nobody writes them while this view shares the block.
        unsafe { std::slice::from_raw_parts(self.block.ptr.as_ptr(), self.len) }
    }

    /// The bytes as elements, if they are aligned for it. The caller has checked that the values are valid ones.
    pub(crate) fn as_typed<T: Element>(&self) -> Option<&[T]> {
        let aligned = self.block.ptr.as_ptr().addr().is_multiple_of(align_of::<T>());
        let count = self.len / size_of::<T>();
        // SAFETY: aligned, initialised, a plain type whose values the caller has checked.
        aligned.then(|| unsafe { std::slice::from_raw_parts(self.block.ptr.as_ptr().cast(), count) })
    }

    /// True if writing needs no copy.
    pub(crate) fn is_unique(&mut self) -> bool {
        Arc::get_mut(&mut self.block).is_some()
    }

    /// The bytes for writing; copies them first if somebody else holds them.
    pub(crate) fn make_mut(&mut self) -> Result<&mut [u8]> {
        if !self.is_unique() {
            *self = Self::from_slice(self.as_slice(), self.block.align)?;
        }
        // SAFETY: the block is alone, so the only view is this one, borrowed mutably.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.block.ptr.as_ptr(), self.len) })
    }

    /// The elements for writing; copies them first if somebody else holds them. `None` if they are not aligned for it.
    pub(crate) fn make_mut_typed<T: Element>(&mut self) -> Result<Option<&mut [T]>> {
        let bytes = self.make_mut()?;
        let aligned = bytes.as_ptr().addr().is_multiple_of(align_of::<T>());
        let count = bytes.len() / size_of::<T>();
        // SAFETY: as for as_typed, and the block is alone.
        Ok(aligned.then(|| unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), count) }))
    }

    /// Appends bytes; copies what is there only when the block is full or another view has grown it.
    pub(crate) fn extend(&mut self, extra: &[u8]) -> Result<()> {
        self.grow(extra.len())?;
        // SAFETY: grow has claimed exactly this room for this view; nobody else can see it.
        unsafe {
            let to = self.block.ptr.as_ptr().add(self.len - extra.len());
            std::ptr::copy_nonoverlapping(extra.as_ptr(), to, extra.len());
        }
        Ok(())
    }

    /// Appends zero bytes.
    pub(crate) fn extend_zeroed(&mut self, count: usize) -> Result<()> {
        self.grow(count)?;
        // SAFETY: as in extend.
        unsafe { std::ptr::write_bytes(self.block.ptr.as_ptr().add(self.len - count), 0, count) };
        Ok(())
    }

    /// Shortens the view.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes the view longer by `extra` bytes that the caller writes at once.
    fn grow(&mut self, extra: usize) -> Result<()> {
        let end = self.len.checked_add(extra).ok_or_else(|| error!(Shape, "an array cannot grow past the address space"))?;
        if let Some(block) = Arc::get_mut(&mut self.block) {
            // Alone: what was claimed behind this view belongs to nobody.
            *block.claimed.get_mut() = self.len;
        }
        let claimed =
            end <= self.block.cap && self.block.claimed.compare_exchange(self.len, end, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if !claimed {
            // Half as much again: amortised O(1) for each byte, at most half of the memory unused.
            let cap = end.max(self.len.saturating_add(self.len / 2)).max(64).next_multiple_of(16);
            *self = Self::with_capacity_from(self.as_slice(), cap, self.block.align)?;
            self.block.claimed.store(end, Ordering::Release);
        }
        self.len = end;
        Ok(())
    }
}

/// Elements copied from bytes of any alignment. The caller has checked that the values are valid ones.
pub(crate) fn elements_of<T: Element>(bytes: &[u8]) -> Vec<T> {
    let count = bytes.len() / size_of::<T>();
    let mut out = Vec::<T>::with_capacity(count);
    // SAFETY: room for count elements; a plain type whose values the caller has checked.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.as_mut_ptr().cast(), count * size_of::<T>());
        out.set_len(count);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_go_in_and_out_without_a_copy() {
        let v = vec![1.0f64, 2.0, 3.0];
        let at = v.as_ptr();
        let buffer = Buffer::from_vec(v);
        assert_eq!(buffer.as_typed::<f64>().unwrap(), [1.0, 2.0, 3.0]);
        let back = buffer.try_into_vec::<f64>().ok().unwrap();
        assert_eq!((back.as_ptr(), back.len()), (at, 3));
        let shared = Buffer::from_vec(back);
        let other = shared.clone();
        assert!(shared.try_into_vec::<f64>().is_err());
        assert_eq!(other.as_slice().len(), 24);
    }

    #[test]
    fn writing_copies_only_what_is_shared() {
        let mut a = Buffer::zeroed(8, 8).unwrap();
        let at = a.as_slice().as_ptr();
        a.make_mut().unwrap()[0] = 1;
        assert_eq!(a.as_slice().as_ptr(), at);
        let snapshot = a.clone();
        a.make_mut().unwrap()[0] = 2;
        assert_eq!((snapshot.as_slice()[0], a.as_slice()[0]), (1, 2));
    }

    #[test]
    fn appends_under_snapshots_share_the_block() {
        let mut a = Buffer::zeroed(0, 1).unwrap();
        let (mut copies, mut snapshots) = (0, Vec::new());
        for i in 0..10_000u32 {
            let before = a.as_slice().as_ptr();
            a.extend(&i.to_ne_bytes()).unwrap();
            copies += usize::from(a.as_slice().as_ptr() != before);
            snapshots.push(a.clone());
        }
        assert!(copies < 40, "{copies} copies");
        for (i, s) in snapshots.iter().enumerate() {
            assert_eq!(s.len(), 4 * (i + 1));
            assert_eq!(&s.as_slice()[4 * i..], u32::try_from(i).unwrap().to_ne_bytes());
        }
        // Two views that both grow from one state do not see each other's bytes.
        let (mut x, mut y) = (snapshots[9_999].clone(), snapshots[9_999].clone());
        x.extend(&[1]).unwrap();
        y.extend(&[2]).unwrap();
        assert_eq!((x.as_slice()[40_000], y.as_slice()[40_000]), (1, 2));
    }

    #[test]
    fn what_is_kept_serves_the_next_of_its_size() {
        const MIB: usize = 1 << 20;
        let memory = |cap: usize, align: usize| {
            let block = std::mem::ManuallyDrop::new(Block::new(cap, align, true).unwrap());
            Memory { ptr: block.ptr, cap, align }
        };
        let mut spare = Spare(Vec::new());
        for cap in [3, 1, 2] {
            assert!(spare.put(memory(cap * MIB, 8)).is_empty());
        }
        assert!(spare.take(MIB, 4).is_none(), "another alignment");
        assert!(spare.take(4 * MIB, 8).is_none(), "all are too small");
        assert!(spare.take(MIB / 2, 8).is_none(), "all are far too large");
        assert_eq!(spare.take(MIB - 1000, 8).unwrap().cap, MIB);
        assert!(spare.take(MIB, 8).is_none(), "it is taken");
        // The oldest are the first to go, as many as are needed.
        assert_eq!(spare.oldest(1).iter().map(|m| m.cap).collect::<Vec<_>>(), [3 * MIB]);
        assert_eq!(spare.oldest(usize::MAX).len(), 1);
        for _ in 0..BLOCKS_KEPT {
            assert!(spare.put(memory(4096, 8)).is_empty());
        }
        assert_eq!(spare.put(memory(8192, 8)).iter().map(|m| m.cap).collect::<Vec<_>>(), [4096]);
        // Pages that nobody touches cost nothing.
        assert_eq!(spare.put(memory(MOST_KEPT, 8)).len(), BLOCKS_KEPT);
        assert_eq!(spare.take(MOST_KEPT, 8).unwrap().cap, MOST_KEPT);
    }

    #[test]
    fn a_block_to_overwrite_is_written_and_grows_like_any_other() {
        let len = LARGE + 4096;
        for round in 0..3 {
            let mut a = Buffer::to_overwrite(len, 8).unwrap();
            a.make_mut().unwrap().fill(round);
            a.extend(&[9; 100]).unwrap();
            assert!(a.as_slice()[..len].iter().all(|byte| *byte == round) && a.as_slice()[len..] == [9; 100]);
        }
        assert!(Buffer::zeroed(len, 8).unwrap().as_slice().iter().all(|byte| *byte == 0));
        // A vector of it is the vector's own.
        let mut d = Buffer::to_overwrite(len, 1).unwrap();
        d.make_mut().unwrap().fill(3);
        assert_eq!(d.try_into_vec::<u8>().ok().unwrap(), vec![3; len]);
    }

    #[test]
    fn shrinking_and_growing_again_does_not_disturb_a_snapshot() {
        let mut a = Buffer::from_slice(&[1, 2, 3, 4], 1).unwrap();
        let snapshot = a.clone();
        a.truncate(2);
        a.extend(&[9]).unwrap();
        assert_eq!((snapshot.as_slice(), a.as_slice()), (&[1u8, 2, 3, 4][..], &[1u8, 2, 9][..]));
    }
}
