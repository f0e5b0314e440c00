//! The heap of an array: the strings, sequences and references that its slots point to.
//!
//! Items are only ever added, through a shared handle, and never move: so an array and its snapshots share one heap, and appending
//! to the array costs nothing to those who hold a snapshot. What was overwritten is freed when the array is written next after
//! more than half of its heap has become garbage, by moving to a fresh heap.

use super::AnyArray;
use crate::tree::{ObjectRef, RegionRef};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a slot points to.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// The bytes of a string, without a NUL; UTF-8 unless a foreign file says otherwise.
    Str(Box<[u8]>),
    /// A one-dimensional array.
    Seq(Box<AnyArray>),
    Object(ObjectRef),
    Region(Box<RegionRef>),
}

const FIRST: usize = 32;
const SEGMENTS: usize = 48;

/// An append-only list of items; the first has the number 1.
#[derive(Debug)]
pub(crate) struct Arena {
    /// Segment k has room for 32 · 2^k items.
    segments: [OnceLock<Box<[OnceLock<Item>]>>; SEGMENTS],
    next: AtomicUsize,
}

impl Default for Arena {
    fn default() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS], next: AtomicUsize::new(0) }
    }
}

/// The segment and the place in it of the n-th item, counted from 0.
fn locate(n: usize) -> (usize, usize) {
    let segment = (n / FIRST + 1).ilog2() as usize;
    (segment, n - FIRST * ((1 << segment) - 1))
}

impl Arena {
    /// Adds an item and returns its number, at least 1.
    pub(crate) fn push(&self, item: Item) -> u64 {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let (segment, at) = locate(n);
        let slots = self.segments[segment].get_or_init(|| (0..FIRST << segment).map(|_| OnceLock::new()).collect());
        // The number was handed out once, so the place is empty.
        let _ = slots[at].set(item);
        n as u64 + 1
    }

    /// The item of that number; `None` for 0, the empty item.
    pub(crate) fn get(&self, number: u64) -> Option<&Item> {
        let n = usize::try_from(number.checked_sub(1)?).ok()?;
        let (segment, at) = locate(n);
        self.segments.get(segment)?.get()?.get(at)?.get()
    }

    /// How many items were added.
    pub(crate) fn len(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_numbers() {
        let arena = Arena::default();
        for i in 0..1000u32 {
            assert_eq!(arena.push(Item::Str(i.to_string().into_bytes().into())), u64::from(i) + 1);
        }
        for i in 0..1000u32 {
            let Some(Item::Str(s)) = arena.get(u64::from(i) + 1) else { panic!("item {i}") };
            assert_eq!(&**s, i.to_string().as_bytes());
        }
        assert!(arena.get(0).is_none() && arena.get(1001).is_none());
        assert_eq!((locate(0), locate(31), locate(32), locate(95), locate(96)), ((0, 0), (0, 31), (1, 0), (1, 63), (2, 0)));
    }
}
