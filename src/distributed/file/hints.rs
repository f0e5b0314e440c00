//! The marks in a file that say which datasets are distributed, and what a caller says instead.

use crate::array::{AnyArray, FromArray};
use crate::dtype::{Cast, DType};
use crate::error::{Result, error};
use crate::path;
use crate::tree::Attributes;

/// The attribute of the root group of a file that was written by ranks together.
pub const FILE_HINT: &str = "__memh5_distributed_file";
/// The attribute of a dataset that says if it is distributed.
pub const DATASET_HINT: &str = "__memh5_distributed_dset";
/// The attribute of a distributed dataset that names its axis.
pub const AXIS_HINT: &str = "__memh5_distributed_axis";

/// Which datasets of a file are distributed, and on which axis: what its marks say, and what the caller says instead. caput's `hints`.
///
/// A file that is saved by ranks together has marks, attributes as caput writes them: `__memh5_distributed_file` on the root,
/// `__memh5_distributed_dset` on each dataset, `__memh5_distributed_axis` on each distributed one. Who loads the file on ranks gets the datasets
/// as they were, and never sees the marks as attributes; who opens it in another way does.
///
/// ```
/// use memh5::distributed::Hints;
/// let hints = Hints::new().distribute("vis", 1).common("/weights");
/// assert_ne!(hints, Hints::off());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hints {
    marks: bool,
    choices: Vec<(String, Choice)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Common,
    Axis(isize),
}

impl Default for Hints {
    fn default() -> Self {
        Self::new()
    }
}

impl Hints {
    /// The marks count: they are written by a save, and a load goes by them.
    pub fn new() -> Self {
        Self { marks: true, choices: Vec::new() }
    }

    /// The marks do not count: a save writes none, and a load takes them for ordinary attributes and every dataset as common, unless
    /// [`distribute`](Self::distribute) says otherwise.
    pub fn off() -> Self {
        Self { marks: false, choices: Vec::new() }
    }

    /// Distributes a dataset on loading, whatever its marks say. A negative axis counts from the last.
    #[must_use]
    pub fn distribute(mut self, path: impl Into<String>, axis: isize) -> Self {
        self.choices.push((path.into(), Choice::Axis(axis)));
        self
    }

    /// Takes a dataset as common on loading, whatever its marks say.
    #[must_use]
    pub fn common(mut self, path: impl Into<String>) -> Self {
        self.choices.push((path.into(), Choice::Common));
        self
    }

    pub(super) fn marks(&self) -> bool {
        self.marks
    }

    /// The paths for which the caller has said something, normalised.
    pub(super) fn chosen(&self) -> impl Iterator<Item = String> + '_ {
        self.choices.iter().map(|(path, _)| normal(path))
    }

    /// The axis of a dataset of that many axes, `None` if it is common. True if the caller has said so.
    pub(super) fn axis(&self, dataset: &dyn Attributes, path: &str, ndim: usize) -> Result<(Option<usize>, bool)> {
        let wanted = normal(path);
        match self.choices.iter().rev().find(|(path, _)| normal(path) == wanted) {
            Some((_, Choice::Common)) => return Ok((None, true)),
            Some((_, Choice::Axis(axis))) => return Ok((Some(resolve(*axis, ndim)?), true)),
            None => {}
        }
        if !self.marks || number(dataset, DATASET_HINT)?.unwrap_or(0) == 0 {
            return Ok((None, false));
        }
        let axis = number(dataset, AXIS_HINT)?.unwrap_or(0);
        Ok((Some(resolve(isize::try_from(axis).unwrap_or(isize::MAX), ndim)?), false))
    }
}

fn normal(path: &str) -> String {
    path::parts(path).collect::<Vec<_>>().join("/")
}

/// The axis that a number means, negative from the last.
pub(super) fn resolve(axis: isize, ndim: usize) -> Result<usize> {
    let at = if axis < 0 { axis + ndim as isize } else { axis };
    usize::try_from(at).ok().filter(|k| *k < ndim).ok_or_else(|| {
        error!(InvalidArgument, "there is no axis {axis}: the dataset has {ndim}")
            .remedy("say the axis with Hints::distribute, or Hints::common")
    })
}

/// The number in an attribute that caput, h5py or this crate has written: a bool or an integer.
fn number(object: &dyn Attributes, name: &str) -> Result<Option<i64>> {
    let Some(value) = object.attr_read(name)? else { return Ok(None) };
    let number = match value.dtype() {
        DType::Bool => bool::from_array(value).map(i64::from),
        _ => value.astype(&DType::I64, Cast::Exact).and_then(i64::from_array),
    };
    number.map(Some).map_err(|e| error!(Corrupt, "the attribute '{name}' is neither a bool nor an integer").because(e))
}

/// Puts the mark on the root of a file.
pub(super) fn mark_file(root: &dyn Attributes) -> Result<()> {
    root.attr_write(FILE_HINT, &AnyArray::from(true))
}

/// Puts the marks on a dataset, and takes away those that it had.
pub(super) fn mark_dataset(dataset: &dyn Attributes, axis: Option<usize>) -> Result<()> {
    dataset.attr_write(DATASET_HINT, &AnyArray::from(axis.is_some()))?;
    match axis {
        Some(axis) => dataset.attr_write(AXIS_HINT, &AnyArray::from(axis as i64)),
        None => dataset.attr_delete(AXIS_HINT).map(drop),
    }
}

/// Takes the marks away.
pub(super) fn unmark(object: &dyn Attributes) -> Result<()> {
    for name in [FILE_HINT, DATASET_HINT, AXIS_HINT] {
        object.attr_delete(name)?;
    }
    Ok(())
}
