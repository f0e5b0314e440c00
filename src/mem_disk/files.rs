//! Whole trees from and to files.

use crate::copy::{CopyReport, DeepCopy};
use crate::error::Result;
use crate::memory::MemGroup;
use crate::publish::publish_file;
use crate::tree::{Group, Mode};
use std::path::Path;

/// A copy of a group in memory, which keeps creation order if the group does.
pub(super) fn read_group(from: &dyn Group, options: DeepCopy<'_>) -> Result<(MemGroup, CopyReport)> {
    let root = if from.group_spec()?.track_order { MemGroup::tracked() } else { MemGroup::new() };
    let report = options.run(from, &root)?;
    Ok((root, report))
}

/// Copies a group into a new file that takes the place of the path when it is complete on the disk.
pub(super) fn write_file(
    from: &dyn Group,
    path: &Path,
    options: DeepCopy<'_>,
    finish: impl FnOnce(&dyn Group) -> Result<()>,
) -> Result<CopyReport> {
    publish_file(path, |temporary| {
        let root = crate::format::create(temporary, &from.group_spec()?)?;
        let written = options.run(from, &*root).and_then(|report| finish(&*root).map(|()| report));
        // Closed in any case, and a failure to close is a failure to write.
        let closed = root.close_tree();
        written.and_then(|report| closed.map(|()| report))
    })
    .map_err(|e| e.in_file(path).during("save the tree"))
}

impl MemGroup {
    /// Reads a file into memory, all of it. The format is known by the content.
    ///
    /// # Errors
    /// As [`format::open`](crate::format::open) and [`DeepCopy::run`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<MemGroup> {
        Ok(Self::from_file_with(path, DeepCopy::new())?.0)
    }

    /// [`from_file`](Self::from_file) with choices: selections, converted strings, progress.
    ///
    /// # Errors
    /// As [`from_file`](Self::from_file).
    pub fn from_file_with(path: impl AsRef<Path>, options: DeepCopy<'_>) -> Result<(MemGroup, CopyReport)> {
        let path = path.as_ref();
        let file = crate::format::open(path, Mode::Read)?;
        let read = read_group(&*file, options);
        let closed = file.close_tree();
        let read = read.map_err(|e| e.in_file(path))?;
        closed?;
        Ok(read)
    }

    /// A copy of a group of any backend in memory. One that is in memory shares its elements until one side writes.
    ///
    /// # Errors
    /// As [`DeepCopy::run`].
    pub fn from_group(group: &dyn Group) -> Result<MemGroup> {
        Ok(read_group(group, DeepCopy::new())?.0)
    }

    /// Writes everything below this group to a file, in the format that its name claims, else HDF5. One that is there is replaced; others see the
    /// complete old file or the complete new one.
    ///
    /// # Errors
    /// `Locked` if somebody else writes it; as [`DeepCopy::run`]; what the file system says. What was there before is there still.
    pub fn to_file(&self, path: impl AsRef<Path>) -> Result<CopyReport> {
        self.to_file_with(path, DeepCopy::new())
    }

    /// [`to_file`](Self::to_file) with choices: filters, chunks, converted strings, progress.
    ///
    /// # Errors
    /// As [`to_file`](Self::to_file).
    pub fn to_file_with(&self, path: impl AsRef<Path>, options: DeepCopy<'_>) -> Result<CopyReport> {
        write_file(self, path.as_ref(), options, |_| Ok(()))
    }
}
