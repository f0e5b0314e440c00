//! The choice of chunk shapes.

/// Chunks of about so many bytes: whole trailing axes as far as they fit. An axis that can grow counts as long as it may become, within reason.
pub(super) fn auto(shape: &[usize], maxshape: Option<&[Option<usize>]>, itemsize: usize, target: usize) -> Vec<usize> {
    let limit = |axis: usize| match maxshape.and_then(|m| m.get(axis)) {
        Some(None) => usize::MAX,
        Some(Some(max)) => (*max).max(1),
        None => shape.get(axis).copied().unwrap_or(1).max(1),
    };
    let mut left = (target / itemsize.max(1)).max(1);
    let mut chunks = vec![1; shape.len()];
    for axis in (0..shape.len()).rev() {
        let now = shape[axis].max(1);
        // What grows without limit takes what is left only as the first axis; else a little more than it has.
        let wanted = match limit(axis) {
            usize::MAX if axis == 0 => usize::MAX,
            usize::MAX => now.max(64),
            max => max,
        };
        chunks[axis] = even(wanted, left);
        left = (left / chunks[axis]).max(1);
    }
    chunks
}

/// The longest part of an axis within the limit, such that the parts are about equal.
fn even(length: usize, limit: usize) -> usize {
    if length <= limit {
        return length;
    }
    if length == usize::MAX {
        return limit;
    }
    length.div_ceil(length.div_ceil(limit))
}

/// Shards of about so many bytes: whole chunks, along the last axes first.
pub(super) fn shard(chunks: &[usize], shape: &[usize], maxshape: Option<&[Option<usize>]>, itemsize: usize, target: usize) -> Vec<usize> {
    let mut shard = chunks.to_vec();
    let bytes = |s: &[usize]| s.iter().fold(itemsize.max(1), |n, d| n.saturating_mul(*d));
    for axis in (0..chunks.len()).rev() {
        let room = (target / bytes(&shard).max(1)).max(1);
        let length = match maxshape.and_then(|m| m.get(axis)) {
            Some(None) => usize::MAX,
            Some(Some(max)) => *max,
            None => shape[axis],
        };
        let there = length.div_ceil(chunks[axis]).max(1);
        shard[axis] = chunks[axis].saturating_mul(room.min(there));
    }
    shard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_of_the_size_that_is_asked_for() {
        assert_eq!(auto(&[], None, 8, 1 << 20), [0usize; 0]);
        assert_eq!(auto(&[10, 4], None, 8, 1 << 20), [10, 4]);
        assert_eq!(auto(&[0, 4], None, 8, 1 << 20), [1, 4]);
        assert_eq!(auto(&[1 << 20, 4], None, 8, 1 << 20), [32768, 4]);
        assert_eq!(auto(&[0], Some(&[None]), 8, 1 << 20), [131_072]);
        assert_eq!(auto(&[0, 500], Some(&[None, Some(500)]), 8, 1 << 20), [262, 500]);
        assert_eq!(auto(&[3, 1 << 22], None, 8, 1 << 20), [1, 1 << 17]);
        assert!(auto(&[5, 0, 7], Some(&[None, None, None]), 8, 1 << 20).iter().all(|n| *n > 0));
        assert_eq!(auto(&[2], Some(&[Some(7)]), 8, 1 << 20), [7]);
    }

    #[test]
    fn shards_are_whole_chunks() {
        assert_eq!(shard(&[10, 10], &[100, 100], None, 1, 1000), [10, 100]);
        assert_eq!(shard(&[10, 10], &[100, 100], None, 1, 5000), [50, 100]);
        assert_eq!(shard(&[10], &[25], None, 1, 1000), [30]);
        assert_eq!(shard(&[10], &[0], Some(&[None]), 1, 1000), [1000]);
    }
}
