//! Which part of a selection a rank has.

use std::ops::Range;

/// Indices of a result, in the order in which a rank has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Positions {
    /// One behind the other.
    Range(Range<usize>),
    /// Any.
    List(Vec<usize>),
}

impl Positions {
    /// As a range if they are one behind the other.
    pub(super) fn from_list(list: Vec<usize>) -> Self {
        match list.first() {
            None => Self::Range(0..0),
            Some(first) if list.iter().enumerate().all(|(k, at)| *at == first + k) => Self::Range(*first..first + list.len()),
            _ => Self::List(list),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::List(list) => list.len(),
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indices.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let (range, list) = match self {
            Self::Range(range) => (range.clone(), &[][..]),
            Self::List(list) => (0..0, &list[..]),
        };
        range.chain(list.iter().copied())
    }
}
