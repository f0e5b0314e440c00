//! What part of an array is meant: one item for each axis, or one mask of the whole shape.
//!
//! The same rules on every backend, those of numpy where several axes are combined as by `numpy.ix_`:
//! * a range with a step, negative too, clips at the ends as a Python slice does;
//! * a single index, negative from the end, drops its axis; out of range is an error;
//! * a list of indices, in any order and with duplicates, negative from the end; out of range is an error;
//! * a mask for one axis has exactly that axis's length;
//! * an ellipsis stands for full ranges, and so do missing items at the end;
//! * one mask of the full rank selects single elements, in C order, and gives one dimension.

use crate::error::{Result, bail};
use ndarray::ArrayD;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// The item of one axis.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Item {
    /// One index; negative counts from the end. Drops the axis.
    Index(i64),
    /// A Python slice: clips, negative bounds count from the end, the step may be negative but not 0.
    Range {
        /// The first index; the natural end when `None`.
        start: Option<i64>,
        /// One past the last index; the natural end when `None`.
        stop: Option<i64>,
        /// The distance, not 0.
        step: i64,
    },
    /// Indices in any order, with duplicates; negative count from the end.
    List(Vec<i64>),
    /// True for each index that is wanted.
    Mask(Vec<bool>),
    /// As many full ranges as are missing.
    Ellipsis,
}

impl Item {
    /// The whole axis.
    pub const FULL: Item = Item::Range { start: None, stop: None, step: 1 };

    /// Every `step`-th index of a range.
    ///
    /// ```
    /// use memh5::selection::Item;
    /// use memh5::AnyArray;
    /// let a = AnyArray::from(vec![0, 1, 2, 3, 4, 5]);
    /// assert_eq!(a.select(Item::step(1.., 2))?, AnyArray::from(vec![1, 3, 5]));
    /// # Ok::<(), memh5::Error>(())
    /// ```
    pub fn step(range: impl Into<Item>, step: i64) -> Item {
        match range.into() {
            Item::Range { start, stop, .. } => Item::Range { start, stop, step },
            other => other,
        }
    }
}

/// What part of an array is meant. Made from ranges, indices, lists, and tuples of them.
///
/// ```
/// use memh5::{AnyArray, Selection};
/// let a = AnyArray::from(ndarray::array![[1, 2, 3], [4, 5, 6]]);
/// assert_eq!(a.select((.., 1))?, AnyArray::from(vec![2, 5]));
/// assert_eq!(a.select((-1, vec![2, 0]))?, AnyArray::from(vec![6, 4]));
/// assert_eq!(a.select("::-1, 0:2".parse::<Selection>()?)?, AnyArray::from(ndarray::array![[4, 5], [1, 2]]));
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Selection {
    /// Everything.
    #[default]
    All,
    /// One item for each axis; missing ones at the end are full ranges.
    Axes(Vec<Item>),
    /// Single elements, in C order: true for each one wanted; has exactly the array's shape.
    Mask(ArrayD<bool>),
}

impl Selection {
    /// Resolves the selection against a shape: checks everything, and knows the shape of the result.
    ///
    /// # Errors
    /// `Selection` if an index is out of range, there are more items than axes, a mask has another length or shape, a step is 0, or
    /// there are two ellipses.
    pub fn resolve(&self, shape: &[usize]) -> Result<Resolved> {
        match self {
            Self::All => Ok(Resolved::Axes(shape.iter().map(|n| AxisSelection::full(*n)).collect())),
            Self::Mask(mask) => {
                if mask.shape() != shape {
                    bail!(Selection, "a mask of shape {:?} does not fit the shape {shape:?}", mask.shape());
                }
                let points = mask.iter().enumerate().filter(|(_, m)| **m).map(|(i, _)| i).collect();
                Ok(Resolved::Points { points, shape: shape.to_vec() })
            }
            Self::Axes(items) => {
                let given = items.iter().filter(|i| **i != Item::Ellipsis).count();
                if given > shape.len() {
                    bail!(Selection, "a selection of {given} axes does not fit the {} of the shape {shape:?}", shape.len());
                }
                if items.len() > given + 1 {
                    bail!(Selection, "a selection may hold one ellipsis only");
                }
                let mut axes = Vec::with_capacity(shape.len());
                for item in items {
                    if *item == Item::Ellipsis {
                        let until = axes.len() + shape.len() - given;
                        axes.extend(shape[axes.len()..until].iter().map(|n| AxisSelection::full(*n)));
                    } else {
                        axes.push(AxisSelection::resolve(item, shape[axes.len()], axes.len())?);
                    }
                }
                axes.extend(shape[axes.len()..].iter().map(|n| AxisSelection::full(*n)));
                Ok(Resolved::Axes(axes))
            }
        }
    }

    /// True if it is everything, however spelled (without a shape, only the spelling `..` counts).
    pub fn is_all(&self) -> bool {
        match self {
            Self::All => true,
            Self::Axes(items) => items.iter().all(|i| *i == Item::FULL || *i == Item::Ellipsis),
            Self::Mask(_) => false,
        }
    }
}

/// The selected indices of one axis, checked.
#[derive(Debug, Clone, PartialEq)]
pub enum AxisSelection {
    /// `start, start + step, ..`, `count` of them.
    Range {
        /// The first index (0 when `count` is 0).
        start: usize,
        /// The distance, not 0; 1 when `count` is at most 1.
        step: isize,
        /// How many.
        count: usize,
        /// True if the axis is dropped from the result.
        drop: bool,
    },
    /// Indices in any order, with duplicates.
    List(Vec<usize>),
}

impl AxisSelection {
    fn full(n: usize) -> Self {
        Self::Range { start: 0, step: 1, count: n, drop: false }
    }

    fn resolve(item: &Item, n: usize, axis: usize) -> Result<Self> {
        let len = i64::try_from(n).unwrap_or(i64::MAX);
        let index = |i: i64| -> Result<usize> {
            let at = if i < 0 { i + len } else { i };
            if !(0..len).contains(&at) {
                bail!(Selection, "the index {i} is out of range for axis {axis} of length {n}");
            }
            Ok(at as usize)
        };
        Ok(match item {
            Item::Index(i) => Self::Range { start: index(*i)?, step: 1, count: 1, drop: true },
            Item::List(list) => Self::List(list.iter().map(|i| index(*i)).collect::<Result<_>>()?),
            Item::Mask(mask) => {
                if mask.len() != n {
                    bail!(Selection, "a mask of length {} does not fit axis {axis} of length {n}", mask.len());
                }
                Self::List(mask.iter().enumerate().filter(|(_, m)| **m).map(|(i, _)| i).collect())
            }
            Item::Range { step: 0, .. } => bail!(Selection, "the step of axis {axis} is 0"),
            Item::Range { start, stop, step } => {
                let (low, high) = if *step > 0 { (0, len) } else { (-1, len - 1) };
                let clip = |bound: Option<i64>, default: i64| match bound {
                    None => default,
                    Some(b) => (if b < 0 { b.saturating_add(len) } else { b }).clamp(low, high),
                };
                let (from, to) = if *step > 0 { (clip(*start, 0), clip(*stop, len)) } else { (clip(*start, len - 1), clip(*stop, -1)) };
                let span = if *step > 0 { to - from } else { from - to };
                let count = if span <= 0 { 0 } else { ((span - 1) as u64 / step.unsigned_abs() + 1) as usize };
                let step = if count <= 1 { 1 } else { *step as isize };
                Self::Range { start: if count == 0 { 0 } else { from as usize }, step, count, drop: false }
            }
            Item::Ellipsis => Self::full(n),
        })
    }

    /// How many indices.
    pub fn count(&self) -> usize {
        match self {
            Self::Range { count, .. } => *count,
            Self::List(list) => list.len(),
        }
    }

    /// The k-th index.
    pub fn index(&self, k: usize) -> usize {
        match self {
            Self::Range { start, step, .. } => start.wrapping_add_signed(step.wrapping_mul(k as isize)),
            Self::List(list) => list[k],
        }
    }

    /// True if the axis is not in the result.
    pub fn is_dropped(&self) -> bool {
        matches!(self, Self::Range { drop: true, .. })
    }

    /// True if all `n` indices of the axis are selected in order.
    pub fn is_full(&self, n: usize) -> bool {
        match self {
            Self::Range { start, step, count, .. } => *start == 0 && *count == n && (*step == 1 || n <= 1),
            Self::List(list) => list.len() == n && list.iter().enumerate().all(|(i, x)| i == *x),
        }
    }
}

/// A selection checked against a shape.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolved {
    /// The outer product of the axes.
    Axes(Vec<AxisSelection>),
    /// Single elements, by their places in C order, rising.
    Points {
        /// The places.
        points: Vec<usize>,
        /// The shape of the array.
        shape: Vec<usize>,
    },
}

impl Resolved {
    /// The shape of the result, without the dropped axes.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Axes(axes) => axes.iter().filter(|a| !a.is_dropped()).map(AxisSelection::count).collect(),
            Self::Points { points, .. } => vec![points.len()],
        }
    }

    /// The number of selected elements.
    pub fn count(&self) -> usize {
        match self {
            Self::Axes(axes) => axes.iter().map(AxisSelection::count).product(),
            Self::Points { points, .. } => points.len(),
        }
    }

    /// True if all elements of the shape are selected, in order.
    pub fn is_all(&self, shape: &[usize]) -> bool {
        match self {
            Self::Axes(axes) => axes.iter().zip(shape).all(|(a, n)| a.is_full(*n)),
            Self::Points { points, shape } => points.len() == shape.iter().product::<usize>(),
        }
    }

    /// Calls `f(offset, len)` for each run of elements that are adjacent in a C-ordered array of the shape, in the order of the result.
    pub(crate) fn for_each_run(&self, shape: &[usize], mut f: impl FnMut(usize, usize)) {
        match self {
            Self::Points { points, .. } => {
                let mut at = 0;
                while at < points.len() {
                    let mut end = at + 1;
                    while end < points.len() && points[end] == points[end - 1] + 1 {
                        end += 1;
                    }
                    f(points[at], end - at);
                    at = end;
                }
            }
            Self::Axes(axes) => {
                if self.count() == 0 {
                    return;
                }
                let mut strides = vec![1usize; shape.len()];
                for k in (1..shape.len()).rev() {
                    strides[k - 1] = strides[k] * shape[k];
                }
                // The last axes that are full merge into one run; so does a range of step 1 before them.
                let mut inner = axes.len();
                let mut run = 1;
                while inner > 0 && axes[inner - 1].is_full(shape[inner - 1]) {
                    inner -= 1;
                    run *= shape[inner];
                }
                let mut base = 0;
                if inner > 0
                    && let AxisSelection::Range { start, step: 1, count, .. } = &axes[inner - 1]
                {
                    inner -= 1;
                    base = start * strides[inner];
                    run *= count;
                }
                walk(&axes[..inner], &strides, base, run, &mut f);
            }
        }
    }
}

fn walk(axes: &[AxisSelection], strides: &[usize], base: usize, run: usize, f: &mut impl FnMut(usize, usize)) {
    let Some((_, rest)) = axes.split_first() else {
        f(base, run);
        return;
    };
    if rest.is_empty() {
        for k in 0..axes[0].count() {
            f(base + axes[0].index(k) * strides[0], run);
        }
        return;
    }
    for k in 0..axes[0].count() {
        walk(rest, &strides[1..], base + axes[0].index(k) * strides[0], run, f);
    }
}

macro_rules! item_from {
    ($($t:ty),*) => {$(
        impl From<$t> for Item { fn from(i: $t) -> Item { Item::Index(i as i64) } }
        impl From<Range<$t>> for Item {
            fn from(r: Range<$t>) -> Item { Item::Range { start: Some(r.start as i64), stop: Some(r.end as i64), step: 1 } }
        }
        impl From<RangeInclusive<$t>> for Item {
            fn from(r: RangeInclusive<$t>) -> Item {
                let end = *r.end() as i64;
                Item::Range { start: Some(*r.start() as i64), stop: if end == -1 { None } else { Some(end + 1) }, step: 1 }
            }
        }
        impl From<RangeFrom<$t>> for Item {
            fn from(r: RangeFrom<$t>) -> Item { Item::Range { start: Some(r.start as i64), stop: None, step: 1 } }
        }
        impl From<RangeTo<$t>> for Item {
            fn from(r: RangeTo<$t>) -> Item { Item::Range { start: None, stop: Some(r.end as i64), step: 1 } }
        }
        impl From<RangeToInclusive<$t>> for Item {
            fn from(r: RangeToInclusive<$t>) -> Item {
                let end = r.end as i64;
                Item::Range { start: None, stop: if end == -1 { None } else { Some(end + 1) }, step: 1 }
            }
        }
        impl From<Vec<$t>> for Item { fn from(v: Vec<$t>) -> Item { Item::List(v.into_iter().map(|i| i as i64).collect()) } }
        impl From<&[$t]> for Item { fn from(v: &[$t]) -> Item { Item::List(v.iter().map(|i| *i as i64).collect()) } }
    )*};
}
item_from!(i32, i64, usize);

impl From<RangeFull> for Item {
    fn from(_: RangeFull) -> Item {
        Item::FULL
    }
}
impl From<Vec<bool>> for Item {
    fn from(mask: Vec<bool>) -> Item {
        Item::Mask(mask)
    }
}

macro_rules! selection_from_item {
    ($($t:ty),*) => {$(
        impl From<$t> for Selection { fn from(item: $t) -> Selection { Selection::Axes(vec![item.into()]) } }
    )*};
}
macro_rules! selection_from_numbers {
    ($($n:ty),*) => {$(
        selection_from_item!($n, Range<$n>, RangeInclusive<$n>, RangeFrom<$n>, RangeTo<$n>, RangeToInclusive<$n>, Vec<$n>, &[$n]);
    )*};
}
selection_from_numbers!(i32, i64, usize);
selection_from_item!(Item, RangeFull, Vec<bool>);

impl From<ArrayD<bool>> for Selection {
    fn from(mask: ArrayD<bool>) -> Selection {
        Selection::Mask(mask)
    }
}
impl From<()> for Selection {
    fn from((): ()) -> Selection {
        Selection::All
    }
}
impl From<&Selection> for Selection {
    fn from(s: &Selection) -> Selection {
        s.clone()
    }
}

macro_rules! selection_from_tuple {
    ($($($t:ident)+;)*) => {$(
        impl<$($t: Into<Item>),+> From<($($t,)+)> for Selection {
            #[allow(non_snake_case)]
            fn from(($($t,)+): ($($t,)+)) -> Selection { Selection::Axes(vec![$($t.into()),+]) }
        }
    )*};
}
selection_from_tuple! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

impl std::str::FromStr for Selection {
    type Err = crate::Error;

    /// Reads the notation of Python: `1:10:2, :, -1, [0,2,5], ...`.
    ///
    /// # Errors
    /// `Selection` if the text is not of that form.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let text = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')).unwrap_or(text);
        let mut items = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = match rest.strip_prefix('[') {
                Some(list) => match list.find(']') {
                    Some(close) => close + 2,
                    None => bail!(Selection, "the list in '{text}' is not closed by ']'"),
                },
                None => rest.find(',').unwrap_or(rest.len()),
            };
            items.push(parse_item(rest[..end].trim(), text)?);
            rest = rest[end..].trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more.trim_start(),
                None if rest.is_empty() => {}
                None => bail!(Selection, "a comma is missing before '{rest}' in the selection '{text}'"),
            }
        }
        Ok(Selection::Axes(items))
    }
}

fn parse_item(part: &str, text: &str) -> Result<Item> {
    let number = |t: &str| -> Result<i64> {
        match t.trim().parse() {
            Ok(n) => Ok(n),
            Err(_) => bail!(Selection, "'{}' in the selection '{text}' is no whole number", t.trim()),
        }
    };
    let optional = |t: &str| if t.trim().is_empty() { Ok(None) } else { number(t).map(Some) };
    if part == "..." {
        return Ok(Item::Ellipsis);
    }
    if let Some(list) = part.strip_prefix('[').and_then(|p| p.strip_suffix(']')) {
        let list = list.trim();
        if list.is_empty() {
            return Ok(Item::List(Vec::new()));
        }
        return list.split(',').map(number).collect::<Result<_>>().map(Item::List);
    }
    let parts: Vec<&str> = part.split(':').collect();
    match parts.as_slice() {
        [one] => Ok(Item::Index(number(one)?)),
        [start, stop] => Ok(Item::Range { start: optional(start)?, stop: optional(stop)?, step: 1 }),
        [start, stop, step] => Ok(Item::Range { start: optional(start)?, stop: optional(stop)?, step: optional(step)?.unwrap_or(1) }),
        _ => bail!(Selection, "'{part}' in the selection '{text}' has more than two colons"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(item: Item, n: usize) -> Vec<usize> {
        let axis = AxisSelection::resolve(&item, n, 0).unwrap();
        (0..axis.count()).map(|k| axis.index(k)).collect()
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges)] // the bounds are those of Python slices
    fn ranges_clip_as_python_slices_do() {
        assert_eq!(indices((2..100).into(), 5), [2, 3, 4]);
        assert_eq!(indices((-2..).into(), 5), [3, 4]);
        assert_eq!(indices((4..2).into(), 5), [0usize; 0]);
        assert_eq!(indices(Item::step(.., -2), 5), [4, 2, 0]);
        assert_eq!(indices(Item::step(10..0, -3), 5), [4, 1]);
        assert_eq!(indices(Item::Range { start: None, stop: Some(-100), step: -1 }, 3), [2, 1, 0]);
        assert_eq!(indices((0..=-1).into(), 3), [0, 1, 2]);
        assert_eq!(indices(Item::step(.., i64::MIN), 3), [2]);
    }

    #[test]
    fn errors_are_those_of_every_backend() {
        for (text, shape) in [("5", vec![5]), ("-6", vec![5]), ("[0,9]", vec![5]), ("0,0", vec![5]), ("...,...", vec![5]), ("::0", vec![5])]
        {
            let error = text.parse::<Selection>().unwrap().resolve(&shape).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Selection, "{text}");
        }
        for text in ["a", "1:2:3:4", "[1", "1 2"] {
            assert!(text.parse::<Selection>().is_err(), "{text}");
        }
    }

    #[test]
    fn runs_merge_what_is_adjacent() {
        let runs = |text: &str, shape: &[usize]| {
            let mut out = Vec::new();
            text.parse::<Selection>().unwrap().resolve(shape).unwrap().for_each_run(shape, |at, n| out.push((at, n)));
            out
        };
        assert_eq!(runs(":", &[2, 3, 4]), [(0, 24)]);
        assert_eq!(runs("1", &[2, 3, 4]), [(12, 12)]);
        assert_eq!(runs(":, 1:3", &[2, 3, 4]), [(4, 8), (16, 8)]);
        assert_eq!(runs("..., ::-2", &[2, 4]), [(3, 1), (1, 1), (7, 1), (5, 1)]);
        assert_eq!(runs("[1,0]", &[2, 3]), [(3, 3), (0, 3)]);
        assert_eq!(runs("", &[]), [(0, 1)]);
        assert_eq!(runs("0:0", &[3]), []);
    }
}
