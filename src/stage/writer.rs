//! The writer.

use super::DataFormat;
use super::batch::Batch;
use super::builder::StageHdf5WriterBuilder;
use super::cache::{Cache, Plan};
use super::format::check_name;
use super::keys::Projection;
use super::naming::path_of_source;
use super::options::StageOptions;
use super::origin::Origins;
use super::provenance::{SourceInfo, split_batch_by_source, with_source_provenance};
use super::target::Target;
use super::version::FormatVersion;
use crate::error::{Context, Error, Result, bail, error};
use crate::tree::GroupRef;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(super) struct Settings {
    pub base: PathBuf,
    pub directory: Option<PathBuf>,
    pub routed: bool,
    pub suffix: String,
    pub stage: Option<String>,
    pub projection: Projection,
    pub lite: Option<Vec<String>>,
    pub keep_open: bool,
    pub flush_frequency: Option<u64>,
    pub overwrite: bool,
    pub overwrite_stage: bool,
    pub version: FormatVersion,
    pub target: Target,
    pub origins: Origins,
}

/// What a writer knows of a stage: the products of its first batch, which every later one has too.
///
/// In spine the dataclass `StageState` (`keys`, `type_dict`, `object_dtypes`, `ready`, a counter of appended events).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageState {
    /// The stored products with their formats, in the order of the cache.
    pub formats: Vec<(String, DataFormat)>,
    /// The events that this session has written and not finalized, over all caches.
    pub events: u64,
    /// The caches that the session is building the stage in.
    pub files: Vec<PathBuf>,
}

/// Writes stages of caches: one cache for each source file, which every run of a pipeline may give one more stage.
///
/// In spine the class `StageHDF5Writer`. See the [module](super) for the layout, and what happens when.
///
/// ```
/// use memh5::stage::{Batch, SourceInfo, StageHdf5Writer, StageReader};
/// # #[cfg(feature = "hdf5")] {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("run1_stage.h5");
/// let source = SourceInfo::new("run1.root", 1024, 1_700_000_000_000_000_000)?;
/// let mut writer = StageHdf5Writer::builder().file_name(&path).stage("clusters").build()?;
/// let batch = Batch::new(2).with_source(&source)?.with("energy", vec![0.5, 1.5])?;
/// writer.write(&batch)?;
/// assert!(!path.exists()); // what is not finalized does not show
/// writer.finalize()?;
/// let reader = StageReader::open([&path])?;
/// assert_eq!(reader.len(), 2);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Storing
/// What spine's `store`, `store_flat`, `store_jagged` and `store_objects` write is chosen by the kind of a [`Product`](super::Product):
/// [`Batch`] has methods of these names.
///
/// # Failures
/// Whatever can be refused is refused before a cache is touched, and the writer goes on. After a write that fails, all stages that are not
/// finalized are thrown away, and the writer refuses everything but `close`. It never finalizes when it is dropped.
pub struct StageHdf5Writer {
    settings: Settings,
    session: String,
    process: u32,
    caches: BTreeMap<PathBuf, Cache>,
    /// Once a batch has had several sources, new sources are named after themselves.
    routed: bool,
    stages: BTreeMap<String, Vec<(String, DataFormat)>>,
    failed: Option<Error>,
}

impl std::fmt::Debug for StageHdf5Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StageHdf5Writer")
            .field("file_name", &self.settings.base)
            .field("stage", &self.settings.stage)
            .finish_non_exhaustive()
    }
}

impl StageHdf5Writer {
    /// Begins to make a writer.
    pub fn builder() -> StageHdf5WriterBuilder {
        StageHdf5WriterBuilder::default()
    }

    pub(super) fn of(settings: Settings) -> Self {
        Self {
            session: super::session(),
            process: std::process::id(),
            routed: settings.routed,
            settings,
            caches: BTreeMap::new(),
            stages: BTreeMap::new(),
            failed: None,
        }
    }

    /// Writes a batch to the stage of the builder. In spine calling the writer.
    ///
    /// # Errors
    /// `InvalidArgument` without a stage; as [`write_stage`](StageHdf5Writer::write_stage).
    pub fn write(&mut self, batch: &Batch) -> Result<()> {
        let stage = self.stage_name()?;
        self.write_stage(&stage, batch, &StageOptions::default())
    }

    /// Writes a batch to the stage of the builder, with its configuration.
    ///
    /// # Errors
    /// As [`write`](StageHdf5Writer::write), and for the configuration as [`StageOptions::cfg`].
    pub fn write_with_cfg(&mut self, batch: &Batch, cfg: &(impl serde::Serialize + ?Sized)) -> Result<()> {
        let stage = self.stage_name()?;
        self.write_stage(&stage, batch, &StageOptions::new().cfg(cfg)?)
    }

    fn stage_name(&self) -> Result<String> {
        self.settings.stage.clone().ok_or_else(|| {
            error!(InvalidArgument, "the writer has no configured `stage`")
                .remedy("give the stage to the builder, or use write_stage and finalize_stage")
        })
    }

    /// Writes a batch to a stage: each event to the cache of its source.
    ///
    /// The first batch decides which products the stage has, and of which kinds and types; a later one that differs is refused.
    /// A stage that is there already and complete is refused unless it may be overwritten; an incomplete one is built anew.
    ///
    /// # Errors
    /// Before anything is written: `NotFound` for a missing product or source; `InvalidArgument` for a product too many, and for a cache of
    /// another source or another format; `Shape` or `Dtype` for a product that has changed; `InvalidName`; `AlreadyExists` for a stage that
    /// is complete; `Locked`, with its holder, if another writer has the cache. While it writes: `Io` and others; then the writer is
    /// `Poisoned`.
    pub fn write_stage(&mut self, stage: &str, batch: &Batch, options: &StageOptions) -> Result<()> {
        let planned = self.plan(stage, batch, options)?;
        self.write_planned(stage, planned, options)
    }

    /// Everything that can be refused, without touching a cache; their locks are held then.
    pub(super) fn plan(&mut self, stage: &str, batch: &Batch, options: &StageOptions) -> Result<Planned> {
        self.check_ready()?;
        let path = || (format!("/stages/{stage}"), "write to the stage");
        let prepared = self.prepare(stage, batch).with_context(path)?;
        let plan = self.plan_of(stage, &prepared.formats, options);
        let parts = self.lock_all(prepared.parts, &plan).with_context(path)?;
        Ok(Planned { formats: prepared.formats, parts })
    }

    fn plan_of<'p>(&self, stage: &'p str, formats: &'p [(String, DataFormat)], options: &'p StageOptions) -> Plan<'p> {
        Plan { stage, formats, options, overwrite: options.overwrite_stage || self.settings.overwrite_stage }
    }

    /// Writes what was planned.
    pub(super) fn write_planned(&mut self, stage: &str, planned: Planned, options: &StageOptions) -> Result<()> {
        let plan = self.plan_of(stage, &planned.formats, options);
        for (path, part) in planned.parts {
            let Some(cache) = self.caches.get_mut(&path) else { continue };
            let written = cache.write(&plan, &part, self.settings.keep_open, self.settings.flush_frequency);
            if let Err(e) = written {
                let e = e.in_file(&cache.path);
                return Err(self.fail(e)).with_context(|| (format!("/stages/{stage}"), "write to the stage"));
            }
        }
        self.stages.insert(stage.to_owned(), planned.formats);
        Ok(())
    }

    /// Gives up the locks that were taken for a plan which is not carried out.
    pub(super) fn forget_plans(&mut self) {
        self.caches.values_mut().for_each(Cache::release_idle);
    }

    /// Throws away all that is unfinished, because of a failure elsewhere.
    pub(super) fn give_up(&mut self, error: &Error) {
        if self.failed.is_none() {
            self.fail(error.clone());
        }
    }

    /// Splits and projects the batch, and compares it with what the stage is; touches nothing.
    fn prepare(&self, stage: &str, batch: &Batch) -> Result<Prepared> {
        check_name("stage", stage)?;
        if batch.events() == 0 {
            bail!(InvalidArgument, "the batch is empty");
        }
        let batch = with_source_provenance(batch)?;
        let known = self.stages.get(stage);
        let mut keys = self.settings.projection.stored_keys(&batch)?;
        if let Some(known) = known {
            if let Some(extra) = keys.iter().find(|k| !known.iter().any(|(n, _)| n == *k)) {
                return Err(error!(InvalidArgument, "the batch has the product '{extra}', which the stage lacks")
                    .remedy("every batch of a stage has the products of the first one"));
            }
            keys = known.iter().map(|(k, _)| k.clone()).collect();
        }
        let formats = self.formats(&batch, &keys)?;
        if let Some(known) = known {
            for ((key, own), (_, new)) in known.iter().zip(&formats) {
                own.expect(new).with_context(|| (key.as_str(), "write the product"))?;
            }
        }
        let mut parts = Vec::new();
        for (source, part) in split_batch_by_source(&batch)? {
            let mut part = part.project(&keys)?;
            if let Some(fields) = &self.settings.lite {
                part = lite(part, fields)?;
            }
            parts.push((source, part));
        }
        Ok(Prepared { formats: known.cloned().unwrap_or(formats), parts })
    }

    fn formats(&self, batch: &Batch, keys: &[String]) -> Result<Vec<(String, DataFormat)>> {
        let mut part = batch.project(keys)?;
        if let Some(fields) = &self.settings.lite {
            part = lite(part, fields)?;
        }
        Ok(part.products().map(|(k, p)| (k.to_owned(), p.format().clone())).collect())
    }

    /// Finds the caches of the parts, takes their locks and lets them check; all of them, before the first is written.
    fn lock_all(&mut self, parts: Vec<(SourceInfo, Batch)>, plan: &Plan) -> Result<Vec<(PathBuf, Batch)>> {
        let routed = self.routed || parts.len() > 1;
        let mut out: Vec<(PathBuf, Batch)> = Vec::with_capacity(parts.len());
        let mut checked = Ok(());
        for (source, part) in parts {
            let path = self.path_of(&source, routed);
            checked = self.cache(&path, &source).and_then(|cache| cache.prepare(plan, &part));
            if checked.is_err() {
                break;
            }
            out.push((path, part));
        }
        if let Err(e) = checked {
            // What was locked for this batch only is given up again.
            self.forget_plans();
            return Err(e);
        }
        self.routed = routed;
        Ok(out)
    }

    fn cache(&mut self, path: &Path, source: &SourceInfo) -> Result<&mut Cache> {
        if !self.caches.contains_key(path) {
            let cache = Cache::new(path.to_owned(), source.clone(), &self.session, &self.settings)?;
            self.caches.insert(path.to_owned(), cache);
        }
        match self.caches.get_mut(path) {
            Some(cache) if cache.is_of(source) => Ok(cache),
            Some(cache) if !cache.is_active() && cache.is_empty_handed() => {
                // Its source was refused before anything came of it.
                *cache = Cache::new(path.to_owned(), source.clone(), &self.session, &self.settings)?;
                Ok(cache)
            }
            Some(cache) => {
                let other = cache.source();
                Err(source.expect(other).err().unwrap_or_else(|| error!(InvalidArgument, "two sources share one cache")).in_file(path))
            }
            None => Err(error!(NotFound, "there is no cache for this path").in_file(path)),
        }
    }

    /// The cache of a source: where it is already, else by the rules of spine.
    fn path_of(&self, source: &SourceInfo, routed: bool) -> PathBuf {
        if let Some(cache) = self.caches.values().find(|c| c.is_of(source) && !c.is_empty_handed()) {
            return cache.path().to_owned();
        }
        if routed {
            path_of_source(&self.settings.base, self.settings.directory.as_deref(), source, &self.settings.suffix)
        } else {
            self.settings.base.clone()
        }
    }

    /// The cache that events of this source go to. In spine `get_output_path`.
    pub fn get_output_path(&self, source: &SourceInfo) -> PathBuf {
        self.path_of(source, self.routed)
    }

    /// Completes a stage in every cache in which this session builds it: records the number of events and checksums, marks it complete,
    /// and puts the new content of the file in the place of the old one, when it is on the device. A stage that was not written is ignored.
    ///
    /// Each file is published by itself, in the order of the paths.
    ///
    /// # Errors
    /// `Poisoned` after a write that failed; `Io`, `Locked`. Files that were published before the failure stay published; everything else
    /// that is unfinished is thrown away.
    pub fn finalize_stage(&mut self, stage: &str) -> Result<()> {
        self.check_ready()?;
        let paths: Vec<PathBuf> = self.caches.iter().filter(|(_, c)| c.builds(stage)).map(|(p, _)| p.clone()).collect();
        for path in paths {
            let Some(cache) = self.caches.get_mut(&path) else { continue };
            let finalized = cache.finalize(stage);
            let rested = if self.settings.keep_open || finalized.is_err() { Ok(()) } else { cache.rest() };
            if let Err(e) = finalized.and(rested) {
                let e = e.in_file(&path);
                return Err(self.fail(e)).with_context(|| (format!("/stages/{stage}"), "finalize the stage"));
            }
        }
        self.stages.remove(stage);
        Ok(())
    }

    /// Completes the stage of the builder.
    ///
    /// # Errors
    /// `InvalidArgument` without a stage; as [`finalize_stage`](StageHdf5Writer::finalize_stage).
    pub fn finalize(&mut self) -> Result<()> {
        let stage = self.stage_name()?;
        self.finalize_stage(&stage)
    }

    /// The names of the stages in the caches that this session has touched, sorted; those of earlier sessions too.
    ///
    /// # Errors
    /// What opening the caches meets.
    pub fn list_stages(&mut self) -> Result<Vec<String>> {
        self.check_ready()?;
        let mut names = BTreeSet::new();
        for cache in self.caches.values_mut() {
            names.extend(cache.stages()?);
            if !self.settings.keep_open {
                cache.rest()?;
            }
        }
        Ok(names.into_iter().collect())
    }

    /// What is known of a stage that is being written; `None` if it is not.
    pub fn stage_state(&self, stage: &str) -> Option<StageState> {
        let formats = self.stages.get(stage)?.clone();
        let building = || self.caches.values().filter(|c| c.builds(stage));
        Some(StageState {
            formats,
            events: building().map(|c| c.events(stage)).sum(),
            files: building().map(|c| c.path().to_owned()).collect(),
        })
    }

    /// The paths of the caches that this session has touched, with their root groups where they are in groups.
    pub fn caches(&self) -> Vec<(PathBuf, Option<GroupRef>)> {
        self.caches.values().filter(|c| !c.is_empty_handed()).map(|c| (c.path().to_owned(), c.group())).collect()
    }

    /// Hands what was written to the operating system. It is published by finalizing only.
    ///
    /// # Errors
    /// `Io`; then the writer is `Poisoned`.
    pub fn flush(&mut self) -> Result<()> {
        self.check_ready()?;
        let flushed = self.caches.values_mut().try_for_each(Cache::flush);
        flushed.map_err(|e| self.fail(e))
    }

    /// Ends the session: stages that are not finalized are thrown away, and what was there before stays. May be called again.
    ///
    /// # Errors
    /// `Io` if something cannot be closed or cleared away; the next writer clears it away then.
    pub fn close(&mut self) -> Result<()> {
        if self.process != std::process::id() {
            self.caches.values_mut().for_each(Cache::forget);
            return Ok(());
        }
        let mut result = Ok(());
        for cache in self.caches.values_mut() {
            result = result.and(cache.abandon().map_err(|e| e.in_file(&cache.path).during("close the cache")));
        }
        self.stages.clear();
        self.caches.clear();
        result
    }

    /// Refuses work in another process, and after a failure.
    pub(super) fn check_ready(&self) -> Result<()> {
        if self.process != std::process::id() {
            return Err(error!(InvalidArgument, "a stage writer is process-local, and this process was forked from its own")
                .remedy("make the writer in the process that writes"));
        }
        match &self.failed {
            None => Ok(()),
            Some(e) => Err(error!(Poisoned, "an earlier write of this writer failed, and what was not finalized is thrown away")
                .because(e.clone())
                .remedy("make a new writer and write the stage again")),
        }
    }

    /// Throws away everything that is unfinished.
    fn fail(&mut self, error: Error) -> Error {
        for cache in self.caches.values_mut() {
            // The first error is the one to be told; what cannot be cleared away is cleared by the next writer.
            let _ = cache.abandon();
        }
        self.stages.clear();
        self.failed = Some(error.clone());
        error
    }
}

impl Drop for StageHdf5Writer {
    fn drop(&mut self) {
        // Never finalizes. Whoever wants to know how it ended calls close.
        let _ = self.close();
    }
}

/// What is to be written to which cache.
pub(super) struct Planned {
    formats: Vec<(String, DataFormat)>,
    parts: Vec<(PathBuf, Batch)>,
}

struct Prepared {
    formats: Vec<(String, DataFormat)>,
    parts: Vec<(SourceInfo, Batch)>,
}

/// The batch with fewer fields in its objects.
fn lite(batch: Batch, fields: &[String]) -> Result<Batch> {
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let mut out = batch.clone();
    for (key, product) in batch.products().filter(|(_, p)| p.format().class_name().is_some()) {
        out.put(key, product.without_fields(&names)?)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_process_cannot_use_the_writer() -> Result<()> {
        let mut writer = StageHdf5Writer::builder().file_name("run.h5").in_memory().stage("s").build()?;
        let batch = Batch::new(1).with_source(&SourceInfo::new("a.root", 1, 1)?)?.with("x", vec![1])?;
        writer.write(&batch)?;
        writer.process ^= 1;
        for refused in [writer.write(&batch), writer.finalize(), writer.flush(), writer.list_stages().map(drop)] {
            assert!(refused.is_err_and(|e| e.to_string().contains("process-local")));
        }
        // What is there belongs to the first process, and stays.
        writer.close()
    }
}
