//! Where an update goes.

use crate::selection::Selection;

/// The places that an update writes to, by the rules of [`selection`](crate::selection): an index, a range with a step, a list in any order
/// with duplicates (the last one wins), a mask, a tuple with one of these for each axis. [`Indices::NONE`] for the other approaches.
///
/// ```
/// use memh5::saver::Indices;
/// let _: [Indices; 5] = [Indices::NONE, 0.into(), (1..7).into(), vec![3, 0, 3].into(), (.., vec![true, false]).into()];
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Indices(Option<Selection>);

impl Indices {
    /// No indices.
    pub const NONE: Indices = Indices(None);

    /// The selection, if there is one.
    pub fn selection(&self) -> Option<&Selection> {
        self.0.as_ref()
    }
}

impl<T: Into<Selection>> From<T> for Indices {
    fn from(selection: T) -> Self {
        Self(Some(selection.into()))
    }
}
