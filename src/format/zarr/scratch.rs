//! A buffer that a thread keeps from chunk to chunk: fresh pages for each cost as much as a fast codec.

use std::borrow::Cow;
use std::cell::Cell;

/// A buffer of so many bytes is kept at most.
const MOST_KEPT: usize = 16 << 20;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The buffer of this thread, with whatever is in it; another one if it is in use.
pub(super) fn take() -> Vec<u8> {
    BUFFER.try_with(Cell::take).unwrap_or_default()
}

/// Gives a buffer back, or another in its place.
pub(super) fn give(buffer: Cow<'_, [u8]>) {
    let Cow::Owned(buffer) = buffer else { return };
    if buffer.capacity() > MOST_KEPT {
        return;
    }
    let mut buffer = Some(buffer);
    // At the end of the thread there is no place, and it is freed.
    let _ = BUFFER.try_with(|place| {
        let there = place.take();
        let ours = buffer.take().unwrap_or_default();
        place.set(if there.capacity() > ours.capacity() { there } else { ours });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_buffer_stays_and_a_huge_one_goes() {
        give(Cow::Owned(vec![1; 1000]));
        give(Cow::Owned(vec![2; 10]));
        give(Cow::Owned(vec![3; MOST_KEPT + 1]));
        give(Cow::Borrowed(&[4; 5000]));
        assert_eq!(take(), vec![1; 1000]);
        assert_eq!(take(), Vec::<u8>::new());
    }
}
