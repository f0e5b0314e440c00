//! What a reader is to read.

use super::StageReader;
use super::file::File;
use super::resolve::Wanted;
use super::runs::{Run, first_entries};
use crate::error::{Context, Result, bail, error};
use crate::tree::{Group, GroupRef, Mode};
use crate::{copy::pattern, format};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The arguments of [`StageReader`], with spine's names and defaults.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is opened before open()"]
pub struct StageReaderBuilder {
    wanted: Wanted,
    ignore_incomplete: bool,
    allow_missing: bool,
    limit_num_files: Option<usize>,
    n_entry: Option<usize>,
    n_skip: Option<usize>,
    entry_list: Option<Vec<usize>>,
    skip_entry_list: Option<Vec<usize>>,
    run_event_list: Option<Vec<Run>>,
    skip_run_event_list: Option<Vec<Run>>,
    run_info_key: Option<String>,
    verify: bool,
    swmr: bool,
    max_print_files: Option<usize>,
}

impl StageReaderBuilder {
    /// The stage that products are read from, unless [`stage_map`](Self::stage_map) says otherwise.
    pub fn stage(mut self, stage: &str) -> Self {
        self.wanted.stage = Some(stage.to_owned());
        self
    }

    /// The stage of a product.
    pub fn stage_map<K: AsRef<str>, S: AsRef<str>>(mut self, map: impl IntoIterator<Item = (K, S)>) -> Self {
        self.wanted.stage_map = map.into_iter().map(|(k, s)| (k.as_ref().to_owned(), s.as_ref().to_owned())).collect();
        self
    }

    /// The products that are read; all when not given.
    pub fn keys<S: AsRef<str>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.wanted.keys = Some(keys.into_iter().map(|k| k.as_ref().to_owned()).collect());
        self
    }

    /// Reads stages and files that were not finalized too.
    pub fn ignore_incomplete(mut self, ignore: bool) -> Self {
        self.ignore_incomplete = ignore;
        self
    }

    /// Leaves entries of the lists out that do not exist, instead of refusing them.
    pub fn allow_missing(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// Reads so many files at most, the first by their paths.
    pub fn limit_num_files(mut self, files: usize) -> Self {
        self.limit_num_files = Some(files);
        self
    }

    /// Reads so many entries.
    pub fn n_entry(mut self, entries: usize) -> Self {
        self.n_entry = Some(entries);
        self
    }

    /// Leaves out so many entries at the beginning.
    pub fn n_skip(mut self, entries: usize) -> Self {
        self.n_skip = Some(entries);
        self
    }

    /// Reads these entries, in their order. Excludes the other choices of entries.
    pub fn entry_list(mut self, entries: impl IntoIterator<Item = usize>) -> Self {
        self.entry_list = Some(entries.into_iter().collect());
        self
    }

    /// Reads all entries but these. Excludes the other choices of entries.
    pub fn skip_entry_list(mut self, entries: impl IntoIterator<Item = usize>) -> Self {
        self.skip_entry_list = Some(entries.into_iter().collect());
        self
    }

    /// Reads the entries of these runs, subruns and events, in their order. Excludes the other choices of entries.
    pub fn run_event_list(mut self, runs: impl IntoIterator<Item = (i64, i64, i64)>) -> Self {
        self.run_event_list = Some(runs.into_iter().collect());
        self
    }

    /// Reads all entries but those of these runs, subruns and events. Excludes the other choices of entries.
    pub fn skip_run_event_list(mut self, runs: impl IntoIterator<Item = (i64, i64, i64)>) -> Self {
        self.skip_run_event_list = Some(runs.into_iter().collect());
        self
    }

    /// The product with run, subrun and event of an entry; `run_info` when not given.
    pub fn run_info_key(mut self, key: &str) -> Self {
        self.run_info_key = Some(key.to_owned());
        self
    }

    /// Leaves texts and sequences of objects out, and does not read them: the fields of fixed size lie apart in version 2.
    pub fn fixed_only(mut self, fixed_only: bool) -> Self {
        self.wanted.fixed_only = fixed_only;
        self
    }

    /// Compares the checksums of the stages with their data when they are opened: see [`check_stages`](crate::stage::check_stages).
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Opens HDF5 files for reading while another program writes them in SWMR mode, as spine's `swmr`. What is read is what was flushed when the reader was
    /// opened. This crate's own writer needs none of it: nobody sees the copy that it writes.
    pub fn swmr(mut self, swmr: bool) -> Self {
        self.swmr = swmr;
        self
    }

    /// How many names of files the description of a reader (its `Display`) has; 10 when not given. spine prints it while it opens them.
    pub fn max_print_files(mut self, files: usize) -> Self {
        self.max_print_files = Some(files);
        self
    }

    /// Opens the files of these patterns: `*` and `?` in the last part of a path. In spine `file_keys`.
    ///
    /// # Errors
    /// `NotFound` for a pattern that no file matches; as [`open`](Self::open).
    pub fn open_matching<P: AsRef<Path>>(self, patterns: impl IntoIterator<Item = P>) -> Result<StageReader> {
        let mut paths = Vec::new();
        for pattern in patterns {
            paths.extend(matching(pattern.as_ref())?);
        }
        self.open(paths)
    }

    /// Opens the files that a text file names, one in each line. In spine `file_list`.
    ///
    /// # Errors
    /// `NotFound`, `Io` if the list cannot be read; as [`open`](Self::open).
    pub fn open_list(self, list: impl AsRef<Path>) -> Result<StageReader> {
        let list = list.as_ref();
        let text = std::fs::read_to_string(list).map_err(|e| crate::Error::io(e, list).during("read the list of files"))?;
        self.open(text.lines().map(str::trim).filter(|l| !l.is_empty()))
    }

    /// Opens the files, sorted by their paths.
    ///
    /// # Errors
    /// `NotFound` for a file, stage or product that is not there; `InvalidArgument` for a product that several stages have, a stage that is
    /// not complete, and choices that exclude each other; `Corrupt`, `Selection` for entries that do not exist.
    pub fn open<P: AsRef<Path>>(self, paths: impl IntoIterator<Item = P>) -> Result<StageReader> {
        let mut paths: Vec<PathBuf> = paths.into_iter().map(|p| p.as_ref().to_owned()).collect();
        paths.sort();
        paths.dedup();
        if let Some(limit) = self.limit_num_files {
            paths.truncate(limit);
        }
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            if path.to_string_lossy().contains("://") {
                return Err(error!(Unsupported, "a remote file cannot be opened").in_file(&path).remedy("copy it to this machine first"));
            }
            let root = if self.swmr { open_swmr(&path)? } else { format::open(&path, Mode::Read)? };
            let file = self.check(&*root).and_then(|()| File::open(Some(path.clone()), root, &self.wanted, self.ignore_incomplete));
            files.push(file.context("/", "open the cache").map_err(|e| e.in_file(&path))?);
        }
        self.finish(files)
    }

    /// Reads caches that are groups of any backend, in their order.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of_groups<'g>(self, roots: impl IntoIterator<Item = &'g dyn Group>) -> Result<StageReader> {
        let open = |root: &dyn Group| {
            self.check(root)?;
            File::open(None, root.to_ref(), &self.wanted, self.ignore_incomplete).context("/", "open the cache")
        };
        let mut files = roots.into_iter().map(open).collect::<Result<Vec<_>>>()?;
        if let Some(limit) = self.limit_num_files {
            files.truncate(limit);
        }
        self.finish(files)
    }

    /// The entries of runs, subruns and events.
    fn entries_of(&self, reader: &StageReader, runs: &[Run]) -> Result<Vec<usize>> {
        let map = first_entries(&reader.run_events()?);
        match runs.iter().find(|run| !map.contains_key(run)) {
            Some((run, subrun, event)) if !self.allow_missing => {
                Err(error!(Selection, "there is no entry of run {run}, subrun {subrun}, event {event}")
                    .remedy("say allow_missing to leave it out"))
            }
            _ => Ok(runs.iter().filter_map(|run| map.get(run).copied()).collect()),
        }
    }

    fn check(&self, root: &dyn Group) -> Result<()> {
        if !self.verify {
            return Ok(());
        }
        let checks = super::super::check_stages(root)?;
        match checks.into_iter().find_map(|c| c.damages.into_iter().next()) {
            Some(damage) => Err(damage),
            None => Ok(()),
        }
    }

    fn finish(self, files: Vec<File>) -> Result<StageReader> {
        if files.is_empty() {
            bail!(NotFound, "there is no file to read");
        }
        let run_info_key = self.run_info_key.clone().unwrap_or_else(|| "run_info".into());
        let max_print_files = self.max_print_files.unwrap_or(10);
        let mut reader = StageReader { files, chosen: None, run_info_key, runs: OnceLock::new(), max_print_files };
        let all = reader.len();
        let given = [
            self.n_entry.is_some() || self.n_skip.is_some(),
            self.entry_list.is_some(),
            self.skip_entry_list.is_some(),
            self.run_event_list.is_some(),
            self.skip_run_event_list.is_some(),
        ];
        if given.iter().filter(|g| **g).count() > 1 {
            bail!(
                InvalidArgument,
                "n_entry with n_skip, entry_list, skip_entry_list, run_event_list and skip_run_event_list exclude each other"
            );
        }
        let existing = |list: &[usize]| -> Result<Vec<usize>> {
            match list.iter().find(|e| **e >= all) {
                Some(bad) if !self.allow_missing => {
                    Err(error!(Selection, "there is no entry {bad} among {all}").remedy("say allow_missing to leave it out"))
                }
                _ => Ok(list.iter().copied().filter(|e| *e < all).collect()),
            }
        };
        let entries: Option<Vec<usize>> = if let Some(list) = &self.entry_list {
            Some(existing(list)?)
        } else if let Some(list) = &self.skip_entry_list {
            let skipped: HashSet<usize> = existing(list)?.into_iter().collect();
            Some((0..all).filter(|e| !skipped.contains(e)).collect())
        } else if let Some(runs) = &self.run_event_list {
            Some(self.entries_of(&reader, runs)?)
        } else if let Some(runs) = &self.skip_run_event_list {
            let skipped: HashSet<Run> = runs.iter().copied().collect();
            // One that is not there is a mistake, as in the other lists.
            self.entries_of(&reader, runs)?;
            Some(reader.run_events()?.iter().enumerate().filter(|(_, run)| !skipped.contains(run)).map(|(e, _)| e).collect())
        } else if given[0] {
            let first = self.n_skip.unwrap_or(0);
            let last = first.saturating_add(self.n_entry.unwrap_or(all));
            if (first >= all && all > 0) || (last > all && self.n_entry.is_some() && !self.allow_missing) {
                bail!(Selection, "the entries {first} to {last} are not all among {all}");
            }
            Some((first..last.min(all)).collect())
        } else {
            None
        };
        if let Some(entries) = entries {
            reader.chosen = Some(entries.into_iter().map(|e| reader.locate(e)).collect::<Result<_>>()?);
        }
        if reader.is_empty() {
            bail!(Selection, "there are no entries to read");
        }
        Ok(reader)
    }
}

/// The root of a file that a SWMR writer may have open.
#[cfg(feature = "hdf5")]
fn open_swmr(path: &Path) -> Result<GroupRef> {
    Ok(format::hdf5::Hdf5File::options().swmr(true).open(path, Mode::Read)?.root()?.to_ref())
}

#[cfg(not(feature = "hdf5"))]
fn open_swmr(path: &Path) -> Result<GroupRef> {
    Err(error!(Unsupported, "swmr is a way to open HDF5 files, and this build has none")
        .in_file(path)
        .remedy("build with the feature hdf5"))
}

/// The files that a pattern stands for.
fn matching(path: &Path) -> Result<Vec<PathBuf>> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !pattern::is_wild(&name) {
        return Ok(vec![path.to_owned()]);
    }
    let dir = path.parent().filter(|d| !d.as_os_str().is_empty());
    let entries = std::fs::read_dir(dir.unwrap_or(Path::new("."))).map_err(|e| crate::Error::io(e, path))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| crate::Error::io(e, path))?;
        let file = entry.file_name().to_string_lossy().into_owned();
        // As the shell has it, a star does not stand for a hidden file: a writer's copy is one.
        if pattern::matches(&name, &file) && (!file.starts_with('.') || name.starts_with('.')) {
            found.push(dir.map_or_else(|| PathBuf::from(&file), |d| d.join(&file)));
        }
    }
    if found.is_empty() {
        return Err(error!(NotFound, "no file matches the pattern").in_file(path));
    }
    Ok(found)
}
