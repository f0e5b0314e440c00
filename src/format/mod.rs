//! Formats: how a tree lies on disk, and which format a file has.

#[cfg(feature = "hdf5")]
pub mod hdf5;
pub mod npy;
#[cfg(feature = "zarr")]
pub mod zarr;
#[cfg(any(feature = "hdf5", feature = "zarr"))]
mod zstandard;

use crate::error::{Error, Result, error};
use crate::tree::{GroupRef, GroupSpec, Location, Mode, Node};
use std::path::{Path, PathBuf};

/// Refuses elements that a selection of a dataset of that type cannot take.
#[cfg(any(feature = "hdf5", feature = "zarr"))]
fn check_fit(data: &crate::array::AnyArray, selection: &crate::selection::Resolved, dtype: &crate::dtype::DType) -> Result<()> {
    if data.len() == selection.count() && data.dtype().same_values(dtype) {
        return Ok(());
    }
    let (given, wanted) = (data.shape(), selection.shape());
    Err(error!(Shape, "data of type {} and shape {given:?} do not fit the selection of shape {wanted:?}", data.dtype()))
}

/// A format: recognises, opens and creates a root group at a path.
pub trait Format: Send + Sync + std::fmt::Debug {
    /// Its name: "hdf5", "zarr".
    fn name(&self) -> &'static str;

    /// The endings of file names that it claims, with the dot, longest first.
    fn extensions(&self) -> &'static [&'static str];

    /// True if what is at the path has this format, by its content.
    ///
    /// # Errors
    /// `Io` if it cannot be read; not if it is something else.
    fn recognizes(&self, path: &Path) -> Result<bool>;

    /// Opens or creates the file and returns its root group. The file is closed by
    /// [`close_tree`](crate::tree::Group::close_tree), or with the last handle.
    ///
    /// # Errors
    /// `NotFound`, `AlreadyExists`, `Locked`, `Corrupt`, `Io`, each with the file and what to do.
    fn open(&self, path: &Path, mode: Mode) -> Result<GroupRef>;

    /// As [`open`](Format::open); a file that is made gets a root group to the spec. A format whose root cannot be chosen does not look at it.
    ///
    /// # Errors
    /// As [`open`](Format::open).
    fn open_with(&self, path: &Path, mode: Mode, _root: &GroupSpec) -> Result<GroupRef> {
        self.open(path, mode)
    }

    /// As [`open_with`](Format::open_with), of a file that is the caller's alone: the temporary of a publication, or one whose lock he holds. A format
    /// that takes a lock for writers takes none here.
    ///
    /// # Errors
    /// As [`open`](Format::open).
    fn open_private(&self, path: &Path, mode: Mode, root: &GroupSpec) -> Result<GroupRef> {
        self.open_with(path, mode, root)
    }

    /// True if what it makes at a path is a directory.
    fn makes_directories(&self) -> bool {
        false
    }

    /// Looks whether a file that was just written holds together: it opens, and every object in it is found and tells what it is. Elements
    /// are not read. Called before a file is published.
    ///
    /// # Errors
    /// `Corrupt`, or what opening and reading meet.
    fn verify(&self, path: &Path) -> Result<()> {
        let root = self.open(path, Mode::Read)?;
        let walked = root.visit(|_, node| {
            if let Node::Dataset(dataset) = node {
                dataset.extent()?;
                dataset.dtype()?;
            }
            node.attrs().attr_count()?;
            Ok(None::<()>)
        });
        let closed = root.close_tree();
        walked?;
        closed
    }
}

/// The formats of this build.
pub fn formats() -> &'static [&'static dyn Format] {
    static ALL: &[&dyn Format] = &[
        #[cfg(feature = "hdf5")]
        &hdf5::Hdf5Format,
        #[cfg(feature = "zarr")]
        &zarr::ZARR,
    ];
    ALL
}

/// The format of that name.
///
/// # Errors
/// `Unsupported` if this build has none of that name.
pub fn by_name(name: &str) -> Result<&'static dyn Format> {
    formats().iter().copied().find(|f| f.name() == name).ok_or_else(|| {
        let known: Vec<&str> = formats().iter().map(|f| f.name()).collect();
        error!(Unsupported, "this build has no format '{name}'").remedy(format!("the formats of this build are: {}", known.join(", ")))
    })
}

/// The format of a path: by its content if something is there, else by its name, else HDF5.
///
/// # Errors
/// `Corrupt` if a file is there that is of no known format, `Unsupported` if this build has no format at all.
pub fn of_path(path: &Path) -> Result<&'static dyn Format> {
    let by_extension = || {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        formats().iter().copied().find(|f| f.extensions().iter().any(|e| name.ends_with(e)))
    };
    if path.exists() {
        for format in formats() {
            if format.recognizes(path)? {
                return Ok(*format);
            }
        }
        // Something else is there: let the format that its name claims say what is wrong with it.
    }
    by_extension().or_else(|| formats().first().copied()).ok_or_else(|| {
        Error::new(crate::ErrorKind::Unsupported, "this build has no file format")
            .in_file(path)
            .remedy("build memh5 with the feature 'hdf5'")
    })
}

/// Opens a file of any known format and returns its root group.
///
/// # Errors
/// As [`of_path`] and [`Format::open`].
pub fn open(path: impl AsRef<Path>, mode: Mode) -> Result<GroupRef> {
    let path = path.as_ref();
    of_path(path)?.open(path, mode).map_err(|e| e.in_file(path).during("open the file"))
}

/// Makes a file with a root group to the spec, in the format that its name claims, else HDF5. One that exists is an error.
///
/// # Errors
/// `AlreadyExists`, and as [`Format::open`].
pub fn create(path: impl AsRef<Path>, root: &GroupSpec) -> Result<GroupRef> {
    let path = path.as_ref();
    of_path(path)?.open_with(path, Mode::CreateNew, root).map_err(|e| e.in_file(path).during("create the file"))
}

/// Opens the file that an external link names, for reading; a relative name is looked for beside the file that holds the link.
pub(crate) fn open_external(from: &Location, file: &str) -> Result<GroupRef> {
    let mut path = PathBuf::from(file);
    if path.is_relative()
        && let Some(dir) = from.file.as_ref().and_then(|f| f.parent())
    {
        path = dir.join(path);
    }
    if !path.exists() {
        return Err(error!(NotFound, "the external link leads to a file that is not there").in_file(path));
    }
    let root = open(&path, Mode::Read)?;
    Ok(root)
}
