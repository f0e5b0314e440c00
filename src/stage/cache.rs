//! One cache in the hands of a writer: its source, and the stages that are being built in it.

use super::DataFormat;
use super::batch::Batch;
use super::options::StageOptions;
use super::origin::SourceOrigin;
use super::provenance::{SourceInfo, ensure_source_group};
use super::status::{CHECKSUMS, COMPLETE, EVENTS, SCHEMA, SESSION, StageInfo, StageStatus, WRITER, open_stage, stage_names, status_of};
use super::store::StageStore;
use super::target::{FilePlace, Place, Target};
use super::version::{FormatVersion, check_container, write_info};
use super::writer::Settings;
use crate::error::{Context, Error, Result, bail, error};
use crate::tree::{AttributesExt, DatasetExt, Group, GroupExt, GroupRef};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// So many references may wait for the file to be closed; they take some 60 bytes each.
const WAITING: usize = 1 << 20;

/// A stage that this session builds.
struct Build {
    store: StageStore,
    /// Events since the last flush.
    pending: u64,
}

pub(super) struct Cache {
    pub path: PathBuf,
    source: SourceInfo,
    origin: Option<SourceOrigin>,
    version: FormatVersion,
    /// Tells this session's incomplete stages from those of others.
    session: String,
    place: Place,
    builds: BTreeMap<String, Build>,
    /// True once `/info` is this session's.
    touched: bool,
    /// True once something was written.
    used: bool,
}

/// What the stage is, in one cache, that a batch is about to be written to.
pub(super) struct Plan<'a> {
    pub stage: &'a str,
    pub formats: &'a [(String, DataFormat)],
    pub options: &'a StageOptions,
    pub overwrite: bool,
}

impl Cache {
    pub fn new(path: PathBuf, source: SourceInfo, session: &str, settings: &Settings) -> Result<Self> {
        let (version, fresh) = (settings.version, settings.overwrite);
        let origin = settings.origins.of(&source)?;
        let place = match &settings.target {
            Target::Files(files) => Place::File(FilePlace::new(path.clone(), files.clone(), fresh)),
            Target::Groups(group_of) => Place::Group { root: group_of(&path)?, fresh },
        };
        let (session, builds) = (session.to_owned(), BTreeMap::new());
        Ok(Self { path, source, origin, version, session, place, builds, touched: false, used: false })
    }

    /// True if this cache is of that source.
    pub fn is_of(&self, source: &SourceInfo) -> bool {
        self.source == *source
    }

    fn look<T>(&mut self, f: impl FnOnce(&dyn Group) -> Result<T>) -> Result<Option<T>> {
        match &mut self.place {
            Place::Group { fresh: true, .. } => Ok(None),
            Place::Group { root, .. } => f(&**root).map(Some),
            Place::File(file) => file.look(f),
        }
    }

    /// Everything that can be refused is refused here: before a byte of the cache is touched. Takes the lock of a file.
    pub fn prepare(&mut self, plan: &Plan, batch: &Batch) -> Result<()> {
        if let Place::File(file) = &mut self.place {
            file.lock()?;
        }
        let prepared = self.check(plan, batch).map_err(|e| e.in_file(&self.path));
        if prepared.is_err() {
            self.release_idle();
        }
        prepared
    }

    /// Gives up a lock under which nothing was begun.
    pub fn release_idle(&mut self) {
        if let Place::File(file) = &mut self.place
            && self.builds.is_empty()
        {
            // The error that led here is the one to be told.
            let _ = file.unlock_if_idle();
        }
    }

    fn check(&mut self, plan: &Plan, batch: &Batch) -> Result<()> {
        let building = self.builds.get(plan.stage).map(|b| b.store.count());
        if let Some(build) = self.builds.get(plan.stage) {
            build.store.check(batch)?;
        } else {
            StageStore::new(self.version, plan.formats, false)?.check(batch)?;
        }
        let (source, version, session) = (self.source.clone(), self.version, self.session.clone());
        let origin = self.origin.clone();
        self.look(|root| {
            check_container(root, version)?;
            if let Some(found) = SourceInfo::read(root)? {
                source.expect(&found)?;
            }
            if let Some(origin) = origin {
                origin.expect(root)?;
            }
            let there = open_stage(root, plan.stage)?;
            let status = there.as_deref().map_or(Ok(StageStatus::Absent), status_of)?;
            match (status, building) {
                // Published with another stage of this session; nobody else may have rebuilt it meanwhile.
                (StageStatus::Incomplete, Some(events)) => match there {
                    Some(stage) if is_ours(&*stage, &session, events)? => Ok(()),
                    _ => Err(rebuilt(plan.stage)),
                },
                (_, Some(events)) => {
                    Err(error!(Locked, "the stage '{}', of which {events} events are written, is {status} by now", plan.stage)
                        .remedy("another writer has replaced the cache: begin the stage again"))
                }
                (StageStatus::Complete, None) if !plan.overwrite => {
                    Err(error!(AlreadyExists, "the stage '{}' is already complete", plan.stage)
                        .at(format!("/stages/{}", plan.stage))
                        .remedy("say overwrite_stage to replace it"))
                }
                _ => Ok(()),
            }
        })
        .map(drop)
    }

    /// The root of what is written, with `/info` and `/source` of this session.
    fn root(&mut self) -> Result<GroupRef> {
        let root = match &mut self.place {
            Place::Group { root, fresh } => {
                if std::mem::take(fresh) {
                    for name in ["info", "source", "stages"] {
                        if root.contains(name)? {
                            root.delete(name)?;
                        }
                    }
                }
                root.clone()
            }
            Place::File(file) => file.open()?,
        };
        if !self.touched {
            write_info(&*root, self.version)?;
            let source = ensure_source_group(&*root, &self.source)?;
            if let Some(origin) = &self.origin {
                origin.write(&*source)?;
            }
            self.touched = true;
        }
        Ok(root)
    }

    /// Writes the events of a batch that was prepared.
    pub fn write(&mut self, plan: &Plan, batch: &Batch, keep_open: bool, flush_frequency: Option<u64>) -> Result<()> {
        self.used = true;
        let root = self.root()?;
        let stage = self.stage_group(&*root, plan)?;
        let Some(build) = self.builds.get_mut(plan.stage) else { bail!(Poisoned, "the stage '{}' was not begun", plan.stage) };
        build.store.append(&*stage, batch)?;
        build.pending += batch.events() as u64;
        let flush = flush_frequency.is_some_and(|k| build.pending >= k);
        if flush {
            build.pending = 0;
        }
        match &mut self.place {
            Place::Group { root, .. } if flush => root.flush(),
            Place::File(file) if flush => file.flush(),
            _ => Ok(()),
        }?;
        let waiting: usize = self.builds.values_mut().map(|b| b.store.waiting()).sum();
        if keep_open && waiting < WAITING { Ok(()) } else { self.rest() }
    }

    /// The group of a stage under construction: made, or made anew, if this session has not begun it.
    fn stage_group(&mut self, root: &dyn Group, plan: &Plan) -> Result<GroupRef> {
        let path = format!("stages/{}", plan.stage);
        if self.builds.contains_key(plan.stage) {
            let stage = root.group(&path)?;
            plan.options.write(stage.group("info")?.attrs())?;
            return Ok(stage);
        }
        if root.contains(&path)? {
            root.delete(&path)?;
        }
        let stage = root.create_group(&path)?;
        let info = stage.create_group("info")?;
        info.attrs().set(COMPLETE, false)?;
        plan.options.write(info.attrs())?;
        let schema: serde_json::Map<_, _> = plan.formats.iter().map(|(k, f)| (k.clone(), f.to_json())).collect();
        info.attrs().set(SCHEMA, serde_json::Value::Object(schema).to_string())?;
        info.attrs().set(SESSION, self.session.as_str())?;
        let store = StageStore::new(self.version, plan.formats, matches!(self.place, Place::File(_)))?;
        self.builds.insert(plan.stage.to_owned(), Build { store, pending: 0 });
        Ok(stage)
    }

    /// Closes the file between calls.
    pub fn rest(&mut self) -> Result<()> {
        self.builds.values_mut().for_each(|b| b.store.release());
        match &mut self.place {
            Place::Group { .. } => Ok(()),
            Place::File(file) => file.close(),
        }
    }

    /// True if this session builds that stage here.
    pub fn builds(&self, stage: &str) -> bool {
        self.builds.contains_key(stage)
    }

    /// How many events this session has written to the stage.
    pub fn events(&self, stage: &str) -> u64 {
        self.builds.get(stage).map_or(0, |b| b.store.count())
    }

    /// Marks the stage complete, with the number of its events and their checksums, and publishes the file.
    pub fn finalize(&mut self, stage: &str) -> Result<()> {
        self.take_again(stage)?;
        let root = self.root()?;
        let Some(build) = self.builds.get_mut(stage) else { return Ok(()) };
        let (events, checksums) = (build.store.count(), build.store.checksums().to_string());
        let group = root.group(&format!("stages/{stage}"))?;
        let info = group.group("info")?;
        let attrs = info.attrs();
        attrs.set(EVENTS, events as i64)?;
        attrs.set(CHECKSUMS, checksums)?;
        attrs.set(WRITER, super::holder())?;
        if attrs.contains(SESSION)? {
            attrs.delete(SESSION)?;
        }
        attrs.set(COMPLETE, true)?;
        drop((info, group));
        self.builds.values_mut().for_each(|b| b.store.release());
        match &mut self.place {
            Place::Group { root, .. } => root.flush()?,
            Place::File(file) => {
                drop(root);
                file.publish(|root| {
                    let written = StageInfo::read(root, stage)?;
                    match written {
                        Some(s) if s.status == StageStatus::Complete && s.events == events => Ok(()),
                        _ => bail!(Corrupt, "the stage '{stage}' is not in the file as it was written"),
                    }
                })?;
                self.touched = false;
            }
        }
        self.builds.remove(stage);
        Ok(())
    }

    /// Takes the lock again that was given up when another stage of this session was published, and looks whether the stage is as it was.
    fn take_again(&mut self, stage: &str) -> Result<()> {
        let Some(events) = self.builds.get(stage).map(|b| b.store.count()) else { return Ok(()) };
        match &mut self.place {
            Place::File(file) if !file.is_active() => file.lock()?,
            _ => return Ok(()),
        }
        let session = self.session.clone();
        let ours = self.look(|root| match open_stage(root, stage)? {
            Some(group) if status_of(&*group)? == StageStatus::Incomplete => is_ours(&*group, &session, events),
            _ => Ok(false),
        })?;
        if ours == Some(true) { Ok(()) } else { Err(rebuilt(stage)) }
    }

    /// The names of the stages of the cache.
    pub fn stages(&mut self) -> Result<Vec<String>> {
        Ok(self.look(stage_names)?.unwrap_or_default())
    }

    /// The root group, if the cache is in one.
    pub fn group(&self) -> Option<GroupRef> {
        match &self.place {
            Place::Group { root, .. } => Some(root.clone()),
            Place::File(_) => None,
        }
    }

    pub fn flush(&mut self) -> Result<()> {
        match &self.place {
            Place::Group { root, .. } => root.flush(),
            Place::File(file) => file.flush(),
        }
        .with_context(|| ("/", "flush the cache"))
        .map_err(|e| e.in_file(&self.path))
    }

    /// Throws away what was not finalized. Of a group, its unfinished stages stay and say that they are incomplete.
    pub fn abandon(&mut self) -> Result<()> {
        self.builds.clear();
        match &mut self.place {
            Place::Group { .. } => Ok(()),
            Place::File(file) => file.abandon(),
        }
    }

    /// Lets go of everything without touching it.
    pub fn forget(&mut self) {
        self.builds.clear();
        if let Place::File(file) = &mut self.place {
            file.forget();
        }
    }

    /// True if there is unfinished work.
    pub fn is_active(&self) -> bool {
        match &self.place {
            Place::Group { .. } => !self.builds.is_empty(),
            Place::File(file) => file.is_active(),
        }
    }

    /// True if nothing of this session is, or was published, here.
    pub fn is_empty_handed(&self) -> bool {
        !self.used
    }

    pub fn source(&self) -> &SourceInfo {
        &self.source
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn rebuilt(stage: &str) -> Error {
    error!(Locked, "another writer has rebuilt the stage '{stage}' meanwhile").remedy("begin the stage again")
}

/// True if a session has left the stage as it is.
fn is_ours(stage: &dyn Group, session: &str, events: u64) -> Result<bool> {
    let attrs = stage.group("info")?;
    let attrs = attrs.attrs();
    let same = attrs.contains(SESSION)? && attrs.get::<String>(SESSION)? == session;
    Ok(same && (stage.dataset("events")?.len()? as u64) == events)
}
