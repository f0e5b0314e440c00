//! The arguments of a writer.

use super::keys::Projection;
use super::naming::get_file_names;
use super::origin::Origins;
use super::target::{Files, Target, memory};
use super::version::FormatVersion;
use super::writer::StageHdf5Writer;
use crate::error::{Context, Result, error};
use crate::publish::{Durability, FileSystem};
use crate::tree::GroupRef;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The arguments of [`StageHdf5Writer`], with spine's names and defaults.
#[derive(Debug, Clone)]
#[must_use = "nothing is made before build()"]
pub struct StageHdf5WriterBuilder {
    file_name: Option<PathBuf>,
    directory: Option<PathBuf>,
    prefix: Vec<PathBuf>,
    suffix: String,
    stage: Option<String>,
    projection: Projection,
    split: bool,
    lite: Option<Vec<String>>,
    keep_open: bool,
    flush_frequency: Option<u64>,
    overwrite: bool,
    overwrite_stage: bool,
    routed: bool,
    version: FormatVersion,
    target: Target,
    origins: Origins,
}

impl Default for StageHdf5WriterBuilder {
    fn default() -> Self {
        Self {
            file_name: None,
            directory: None,
            prefix: Vec::new(),
            suffix: "stage".into(),
            stage: None,
            projection: Projection::default(),
            split: true,
            lite: None,
            keep_open: true,
            flush_frequency: None,
            overwrite: false,
            overwrite_stage: false,
            routed: false,
            version: FormatVersion::V1,
            target: Target::Files(Files::default()),
            origins: Origins::default(),
        }
    }
}

fn owned<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(|n| n.as_ref().to_owned()).collect()
}

impl StageHdf5WriterBuilder {
    /// The cache of a single source; also the directory of caches that are named after their sources.
    pub fn file_name(mut self, path: impl AsRef<Path>) -> Self {
        self.file_name = Some(path.as_ref().to_owned());
        self
    }

    /// Where the caches are, instead of the directory of `file_name` or `prefix`. It is made when it is needed.
    pub fn directory(mut self, path: impl AsRef<Path>) -> Self {
        self.directory = Some(path.as_ref().to_owned());
        self
    }

    /// The names of the input files. With more than one, every cache is named after its source.
    pub fn prefix<P: AsRef<Path>>(mut self, inputs: impl IntoIterator<Item = P>) -> Self {
        self.prefix = inputs.into_iter().map(|p| p.as_ref().to_owned()).collect();
        self
    }

    /// The source files themselves, found by their base names: caches record their full paths in `/source`, beside what spine has there. A
    /// file whose size or time is not what a batch says is refused before anything is written.
    pub fn source_files<P: AsRef<Path>>(mut self, files: impl IntoIterator<Item = P>) -> Self {
        self.origins.files = files.into_iter().map(|p| p.as_ref().to_owned()).collect();
        self
    }

    /// Records a SHA-256 of the content of the [`source_files`](Self::source_files) too, and refuses a cache in which another one is recorded.
    /// Each file is read once for it.
    pub fn source_digests(mut self, digests: bool) -> Self {
        self.origins.digests = digests;
        self
    }

    /// Names every cache after its source, also that of a single one, as with several inputs.
    pub fn route_by_source(mut self, route: bool) -> Self {
        self.routed = route;
        self
    }

    /// What is put behind the stem of an input: `<stem>_<suffix>.h5`. It is `stage` when not given.
    pub fn suffix(mut self, suffix: &str) -> Self {
        self.suffix = suffix.to_owned();
        self
    }

    /// The stage that [`write`](StageHdf5Writer::write) and [`finalize`](StageHdf5Writer::finalize) mean.
    pub fn stage(mut self, stage: &str) -> Self {
        self.stage = Some(stage.to_owned());
        self
    }

    /// Stores only these products of a batch (and `index`, and the provenance of the loader).
    pub fn keys<S: AsRef<str>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.projection.keys = Some(owned(keys));
        self
    }

    /// Stores all products of a batch but these.
    pub fn skip_keys<S: AsRef<str>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.projection.skip_keys = owned(keys);
        self
    }

    /// One cache for each source: the only way there is, as in spine.
    pub fn split(mut self, split: bool) -> Self {
        self.split = split;
        self
    }

    /// Leaves these fields out of all objects. spine's `lite` leaves out those that their classes flag as long; here they are named.
    pub fn lite<S: AsRef<str>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
        self.lite = Some(owned(fields));
        self
    }

    /// Keeps files open between calls. Without it every call opens and closes its files; locks are kept.
    pub fn keep_open(mut self, keep: bool) -> Self {
        self.keep_open = keep;
        self
    }

    /// Hands data to the operating system after so many events of a stage in a file. What is not finalized is not kept by it.
    pub fn flush_frequency(mut self, events: u64) -> Self {
        self.flush_frequency = Some(events);
        self
    }

    /// Replaces the caches that are there, with all their stages: each when its first stage is finalized, so that a run that fails costs
    /// nothing. (spine removes `file_name` at once, and no other.)
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Replaces complete stages, each once in this session: see [`StageOptions::overwrite_stage`](super::StageOptions::overwrite_stage).
    pub fn overwrite_stage(mut self, overwrite: bool) -> Self {
        self.overwrite_stage = overwrite;
        self
    }

    /// How products lie in a stage; [`FormatVersion::V1`] when not given.
    pub fn format_version(mut self, version: FormatVersion) -> Self {
        self.version = version;
        self
    }

    /// Keeps the caches in memory: [`StageHdf5Writer::caches`] gives their groups.
    pub fn in_memory(mut self) -> Self {
        self.target = memory();
        self
    }

    /// Keeps the caches in groups of any backend: the function gives the root group for the path that a cache would have as a file.
    ///
    /// A stage is written in its place there: while it is built it says that it is incomplete, and what it replaces is gone at the first
    /// batch.
    pub fn in_groups(mut self, group_of: impl Fn(&Path) -> Result<GroupRef> + Send + Sync + 'static) -> Self {
        self.target = Target::Groups(Arc::new(group_of));
        self
    }

    fn files(mut self, change: impl FnOnce(&mut Files)) -> Self {
        if let Target::Files(files) = &mut self.target {
            change(files);
        }
        self
    }

    /// Waits so long for another writer of the same cache; without it, fails at once.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.files(|f| f.timeout = timeout)
    }

    /// What a finalized stage survives.
    pub fn durability(self, durability: Durability) -> Self {
        self.files(|f| f.durability = durability)
    }

    /// Locks, copies and publishes through another file system, as a fault-injecting one.
    pub fn file_system(self, file_system: impl FileSystem + 'static) -> Self {
        self.files(|f| f.file_system = Arc::new(file_system))
    }

    /// Makes the writer. Nothing is written, read or locked yet.
    ///
    /// # Errors
    /// `InvalidArgument` if the arguments exclude each other, or neither `file_name` nor `prefix` is given; `InvalidName` for a stage that
    /// no cache can have.
    pub fn build(self) -> Result<StageHdf5Writer> {
        self.make().context("/", "make the stage writer")
    }

    fn make(self) -> Result<StageHdf5Writer> {
        if !self.split {
            return Err(error!(InvalidArgument, "stages are kept in one cache per source, which requires split"));
        }
        self.projection.check()?;
        if self.flush_frequency == Some(0) {
            return Err(error!(InvalidArgument, "a flush after every 0 events is none").remedy("give at least 1, or leave it out"));
        }
        if let Some(stage) = &self.stage {
            super::format::check_name("stage", stage)?;
        }
        if self.suffix.contains(['/', '\0']) {
            return Err(error!(InvalidArgument, "the suffix {:?} would lead to another directory", self.suffix));
        }
        let split = !self.prefix.is_empty();
        let names = get_file_names(self.file_name.as_deref(), self.directory.as_deref(), &self.prefix, &self.suffix, split)?;
        let Some(base) = names.into_iter().next() else { return Err(error!(InvalidArgument, "there is no name for a cache")) };
        Ok(StageHdf5Writer::of(super::writer::Settings {
            base,
            directory: self.directory,
            routed: self.routed || self.prefix.len() > 1,
            suffix: self.suffix,
            stage: self.stage,
            projection: self.projection,
            lite: self.lite,
            keep_open: self.keep_open,
            flush_frequency: self.flush_frequency,
            overwrite: self.overwrite,
            overwrite_stage: self.overwrite_stage,
            version: self.version,
            target: self.target,
            origins: self.origins,
        }))
    }
}
