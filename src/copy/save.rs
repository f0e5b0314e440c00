//! Whole trees into files and back: a save is a copy into a temporary that is then published.

use super::options::DeepCopy;
use super::report::CopyReport;
use crate::distributed::{self, CommRef};
use crate::error::{ErrorKind, Result};
use crate::format::{self, Format};
use crate::memory::MemGroup;
use crate::publish::{LockFileBuilder, lock_file};
use crate::tree::{Group, Mode};
use std::path::Path;

/// So often a directory may be saved anew while it is read.
const RELOADS: usize = 20;

impl DeepCopy<'_> {
    /// Copies everything below a group, and its attributes, into a file, which appears under its name when it is complete.
    ///
    /// A file that is there is replaced. It may be the one that the group lives in: handles of the old content keep it. The format is that of
    /// the file that is there, else the one that the name claims, else HDF5.
    ///
    /// # Collective
    /// If ranks share the tree of the group, all of them call it, with the same choices.
    ///
    /// # Errors
    /// As [`run`](Self::run) and [`publish_file`](crate::publish::publish_file): `Locked`, `NotFound`, `Io`. Then the file is what it was.
    pub fn save(self, from: &dyn Group, path: impl AsRef<Path>) -> Result<CopyReport> {
        self.save_with(from, lock_file(path))
    }

    /// As [`save`](Self::save), with the choices of [`lock_file`]: a timeout, durability, what becomes of the temporary after a failure.
    ///
    /// # Collective
    /// As [`save`](Self::save).
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_with(self, from: &dyn Group, lock: LockFileBuilder) -> Result<CopyReport> {
        self.save_finished(from, lock, |_| Ok(()))
    }

    /// As [`save_with`](Self::save_with), with a last touch on the root group of the file before it is closed, verified and published.
    pub(crate) fn save_finished(
        self,
        from: &dyn Group,
        lock: LockFileBuilder,
        finish: impl FnOnce(&dyn Group) -> Result<()>,
    ) -> Result<CopyReport> {
        if let Some(agreement) = distributed::agreement_of(from) {
            return distributed::save(self, from, agreement, lock, finish);
        }
        let path = lock.path().to_owned();
        let format = format::of_path(&path)?;
        let lock = if format.makes_directories() { lock.directory() } else { lock };
        lock.publish_verified(|tmp| self.write_file(from, format, tmp, finish), |tmp| format.verify(tmp))
            .map_err(|e| e.in_file(path).during("save the tree"))
    }

    fn write_file(
        self,
        from: &dyn Group,
        format: &dyn Format,
        path: &Path,
        finish: impl FnOnce(&dyn Group) -> Result<()>,
    ) -> Result<CopyReport> {
        let to = format.open_private(path, Mode::CreateNew, &from.group_spec()?)?;
        let copied = self.run(from, &*to).and_then(|report| finish(&*to).map(|()| report));
        // Closed in any case. What the copy met comes first, for a close after a failed write fails too.
        let closed = to.close_tree();
        let report = copied?;
        closed?;
        Ok(report)
    }

    /// Reads everything in a file into a new tree in memory.
    ///
    /// # Errors
    /// As [`format::open`] and [`run`](Self::run).
    pub fn load(self, path: impl AsRef<Path>) -> Result<(MemGroup, CopyReport)> {
        let path = path.as_ref();
        let from = format::open(path, Mode::Read)?;
        let copied = self.run_into_memory(&*from);
        let closed = from.close_tree();
        let loaded = copied.map_err(|e| e.in_file(path))?;
        closed?;
        Ok(loaded)
    }

    /// Reads a file into a new tree that the ranks of a communicator share.
    ///
    /// Which datasets are distributed, and on which axis, say the marks of the file and [`hints`](Self::hints); the others are common. A selection is
    /// applied first, and what it leaves is spread. Everything but the elements of distributed datasets is read by rank 0 and sent to the
    /// others; so what [`progress`](Self::progress) counts are the bytes of common data on their way into memory.
    ///
    #[cfg_attr(feature = "hdf5", doc = "```")]
    #[cfg_attr(not(feature = "hdf5"), doc = "```ignore")]
    /// use memh5::{MemGroup, copy::DeepCopy, distributed::{Hints, ThreadComm}, prelude::*};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("night.h5");
    /// let tree = MemGroup::new();
    /// tree.create_dataset("vis").write(ndarray::Array2::<f64>::ones((6, 8)))?;
    /// tree.to_file(&path)?;
    /// let sums = ThreadComm::run(3, |comm| {
    ///     let (tree, _) = DeepCopy::new()
    ///         .hints(Hints::new().distribute("vis", 1))
    ///         .select("vis", (1..5, ..))
    ///         .load_distributed(&path, &comm)?;
    ///     tree.dataset("vis")?.into_distributed()?.with_local_view::<f64, _>(|mine| mine.sum())
    /// })?;
    /// assert_eq!(sums, [12.0, 12.0, 8.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Collective
    /// All ranks of the communicator call it, with the same path and the same choices.
    ///
    /// # Errors
    /// `Collective` with the first cause and its rank, the same on all ranks; alone, a rank gets the cause itself: as [`load`](Self::load), and
    /// `Unsupported` if the hints distribute what is not of a plain type.
    pub fn load_distributed(self, path: impl AsRef<Path>, comm: &CommRef) -> Result<(MemGroup, CopyReport)> {
        distributed::load(self, path.as_ref(), comm)
    }

    /// Copies everything below a group into a new tree in memory, whose root keeps creation order if the group does.
    ///
    /// That of a tree that ranks share is shared by them too, and distributed datasets stay so.
    ///
    /// # Collective
    /// If ranks share the tree of the group, all of them call it.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_into_memory(self, from: &dyn Group) -> Result<(MemGroup, CopyReport)> {
        let to = MemGroup::for_copy_of(from)?;
        let report = self.run(from, &to)?;
        Ok((to, report))
    }
}

impl MemGroup {
    /// Reads everything in a file into a new tree in memory: caput's `MemGroup.from_file`.
    ///
    /// Selections, string conversion and progress are choices of [`DeepCopy::load`].
    ///
    /// # Errors
    /// As [`DeepCopy::load`]: `NotFound`, `Locked`, `Corrupt`, `Io`.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        for _ in 0..RELOADS {
            match DeepCopy::new().load(path) {
                // A directory that was saved anew while it was read: what is there now is whole.
                Err(e) if e.kind() == ErrorKind::Closed => {}
                other => return other.map(|(tree, _)| tree),
            }
        }
        DeepCopy::new().load(path).map(|(tree, _)| tree)
    }

    /// Reads everything in a file into a new tree that the ranks of a communicator share: caput's `MemGroup.from_file(.., distributed=True, comm=comm)`.
    ///
    /// Datasets that the file marks as distributed are spread over the ranks. Selections, and what the file does not say, are choices of
    /// [`DeepCopy::load_distributed`].
    ///
    /// # Collective
    /// All ranks of the communicator call it, with the same path.
    ///
    /// # Errors
    /// As [`DeepCopy::load_distributed`].
    pub fn from_file_distributed(path: impl AsRef<Path>, comm: &CommRef) -> Result<Self> {
        DeepCopy::new().load_distributed(path, comm).map(|(tree, _)| tree)
    }

    /// A copy of a group of any backend in memory: caput's `MemGroup.from_group`. One that is in memory shares its elements until one side writes.
    /// Of a tree that ranks share it is collective; [`MemGroup::copy`] is local.
    ///
    /// # Collective
    /// If ranks share the tree of the group, all of them call it.
    ///
    /// # Errors
    /// As [`DeepCopy::run`].
    pub fn from_group(group: &dyn Group) -> Result<Self> {
        DeepCopy::new().run_into_memory(group).map(|(tree, _)| tree)
    }

    /// Saves this group and everything below it as a file, which appears under its name when it is complete and on the disk: caput's
    /// `MemGroup.to_file` within its `lock_file`.
    ///
    /// A file that is there is replaced, and keeps its permissions. Until then, and whatever fails, it is what it was. Chunks, filters and other
    /// choices are those of [`DeepCopy::save`].
    ///
    #[cfg_attr(feature = "hdf5", doc = "```")]
    #[cfg_attr(not(feature = "hdf5"), doc = "```ignore")]
    /// use memh5::{MemGroup, prelude::*};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("night.h5");
    /// let tree = MemGroup::new();
    /// tree.create_dataset("night/vis").write(vec![1.0, 2.0])?;
    /// tree.to_file(&path)?;
    /// let back = MemGroup::from_file(&path)?;
    /// assert_eq!(back.dataset("night/vis")?.read::<f64>()?.sum(), 3.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Collective
    /// If ranks share the tree, all of them call it, with the same path.
    ///
    /// # Errors
    /// As [`DeepCopy::save`]: `Locked` with the name of the other writer, `NotFound` if the directory is not there, `Io`.
    pub fn to_file(&self, path: impl AsRef<Path>) -> Result<CopyReport> {
        DeepCopy::new().save(self, path)
    }
}
