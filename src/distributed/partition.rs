//! The rule by which an axis is split over ranks.

use std::ops::Range;

/// An axis split over ranks: contiguous blocks in rank order, the first `length % ranks` ranks with one index more. caput's rule.
///
/// ```
/// use memh5::distributed::Partition;
/// let axis = Partition::new(10, 4);
/// let blocks: Vec<_> = axis.ranges().collect();
/// assert_eq!(blocks, [0..3, 3..6, 6..8, 8..10]);
/// assert_eq!(axis.owner(7), Some(2));
/// // Fewer indices than ranks: the last ranks have none.
/// assert_eq!(Partition::new(3, 4).range(3), 3..3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partition {
    length: usize,
    ranks: usize,
}

impl Partition {
    /// An axis of that length over so many ranks; no ranks count as one.
    pub fn new(length: usize, ranks: usize) -> Self {
        Self { length, ranks: ranks.max(1) }
    }

    /// The length of the axis.
    pub fn length(self) -> usize {
        self.length
    }

    /// The number of ranks.
    pub fn ranks(self) -> usize {
        self.ranks
    }

    /// Where the block of a rank begins. That of the first rank past the last is the length.
    pub fn start(self, rank: usize) -> usize {
        let rank = rank.min(self.ranks);
        rank * (self.length / self.ranks) + rank.min(self.length % self.ranks)
    }

    /// The indices of a rank; empty at the end of the axis for a rank that has none.
    pub fn range(self, rank: usize) -> Range<usize> {
        self.start(rank)..self.start(rank.saturating_add(1))
    }

    /// How many indices a rank has.
    pub fn count(self, rank: usize) -> usize {
        self.range(rank).len()
    }

    /// The most indices that a rank has.
    pub fn largest(self) -> usize {
        self.count(0)
    }

    /// The rank that has an index; `None` past the end.
    pub fn owner(self, index: usize) -> Option<usize> {
        if index >= self.length {
            return None;
        }
        let (base, more) = (self.length / self.ranks, self.length % self.ranks);
        let large = more * (base + 1);
        Some(if index < large { index / (base + 1) } else { more + (index - large) / base })
    }

    /// The blocks by rank.
    pub fn ranges(self) -> impl ExactSizeIterator<Item = Range<usize>> {
        (0..self.ranks).map(move |rank| self.range(rank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_axis_in_order_and_know_their_owner() {
        for (length, ranks) in [(0, 1), (0, 3), (1, 1), (3, 4), (10, 4), (7, 7), (100, 7), (8, 4)] {
            let axis = Partition::new(length, ranks);
            let mut next = 0;
            for (rank, block) in axis.ranges().enumerate() {
                assert_eq!(block.start, next);
                assert_eq!(block.len(), length / ranks + usize::from(rank < length % ranks));
                for index in block.clone() {
                    assert_eq!(axis.owner(index), Some(rank), "{index} of {length} over {ranks}");
                }
                next = block.end;
            }
            assert_eq!(next, length);
            assert_eq!(axis.owner(length), None);
        }
    }
}
