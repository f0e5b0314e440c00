//! Saving to Zarr stores.

use super::exclusive::{FileLock, lock};
use super::plan::{Plan, plan};
use super::{Indices, SaveOptions, Saver, tree};
use crate::array::AnyArray;
use crate::error::{Error, Result, error};
use crate::format::Format;
use crate::format::zarr::{ZarrDataset, ZarrFormat, ZarrGroup, ZarrOptions};
use crate::path;
use crate::publish::{Durability, FileKind, FileSystem, OsFileSystem, retry};
use crate::tree::{DatasetExt, DatasetRef, GroupExt, GroupRef, GroupSpec, Mode};
use parking_lot::Mutex;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Saves to an array of a Zarr store, which is a directory; groups on the way are made when they are needed.
///
/// What is new is written before the metadata that make it count, and an update writes its chunks aside until all of them are there: so a crash leaves the
/// array of before, or the new one. An append writes its rows into the last chunk, where that has no filters, and else that chunk anew. An array whose
/// metadata are gone is an error, and never made anew.
///
/// The store stays open from save to save, without a lock: others may read it, and what others write is noticed.
///
/// ```
/// use memh5::saver::{Saver, SaverExt, ZarrSaver};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("run.zarr");
/// let saver = ZarrSaver::new(&path, "night/vis");
/// saver.append(ndarray::array![[1.0, 2.0]])?;
/// saver.append(ndarray::array![[3.0, 4.0]])?;
/// saver.update(9.0, (0, 1))?;
/// assert_eq!(saver.load()?, ndarray::array![[1.0, 9.0], [3.0, 4.0]].into());
/// # Ok::<(), memh5::Error>(())
/// ```
#[derive(Debug)]
pub struct ZarrSaver {
    path: PathBuf,
    array: String,
    options: SaveOptions,
    store: ZarrOptions,
    file_system: Arc<dyn FileSystem>,
    session: Mutex<Option<Session>>,
}

/// A store that is kept open from save to save.
#[derive(Debug)]
struct Session {
    root: GroupRef,
    store: PathBuf,
    /// The array, if it is known.
    array: Option<DatasetRef>,
}

impl Session {
    /// True if nobody else has changed the array since.
    fn is_current(&self, store: &Path) -> bool {
        let array = self.array.as_ref().and_then(|array| array.as_any().downcast_ref::<ZarrDataset>());
        self.store == store && array.is_some_and(|array| array.is_current().unwrap_or(false))
    }
}

impl Clone for ZarrSaver {
    fn clone(&self) -> Self {
        Self {
            path: self.path.clone(),
            array: self.array.clone(),
            options: self.options.clone(),
            store: self.store.clone(),
            file_system: self.file_system.clone(),
            session: Mutex::default(),
        }
    }
}

impl ZarrSaver {
    /// A saver to the array at a path of the store at a path.
    pub fn new(path: impl AsRef<Path>, array: impl Into<String>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            array: array.into(),
            options: SaveOptions::new(),
            store: ZarrOptions::default(),
            file_system: Arc::new(OsFileSystem),
            session: Mutex::default(),
        }
    }

    /// With options for every save that does not say otherwise.
    #[must_use]
    pub fn with_options(mut self, options: SaveOptions) -> Self {
        self.options = options;
        self
    }

    /// With choices for what is made: the version of the format, shards.
    #[must_use]
    pub fn store_options(mut self, options: ZarrOptions) -> Self {
        self.store = options;
        self
    }

    /// On another file system, as a fault-injecting one.
    #[must_use]
    pub fn file_system(mut self, file_system: impl FileSystem + 'static) -> Self {
        self.file_system = Arc::new(file_system);
        self
    }

    /// The path of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn format(&self) -> ZarrFormat {
        ZarrFormat::with(self.store.clone()).file_system(Arc::clone(&self.file_system))
    }

    fn do_save(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let kind = match retry(|| self.file_system.info(&self.path)) {
            Ok(info) => Some(info.kind),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io(e, &self.path)),
        };
        if kind == Some(FileKind::File) {
            return Err(error!(Corrupt, "this is a file, and a Zarr store that is written to is a directory").remedy("choose another name"));
        }
        let lock = lock(&self.file_system, &self.path, options.the_timeout(), options.the_durability())?;
        // Taken out: after an error the store is opened anew.
        let mut slot = self.session.lock();
        let kept = slot.take();
        if !self.file_system.exists(lock.target()).map_err(|e| Error::io(e, &self.path))? {
            return self.make(lock, data, indices, options);
        }
        let mut session = match kept.filter(|session| session.is_current(lock.target())) {
            Some(session) => session,
            None => self.open(lock.target())?,
        };
        let full = options.the_durability() == Durability::Full;
        if let Some(root) = session.root.as_any().downcast_ref::<ZarrGroup>() {
            root.set_durable(full)?;
        }
        let saved = self.change(&mut session, full, data, indices, options);
        if saved.is_ok() && session.array.is_some() {
            session.root.flush()?;
            *slot = Some(session);
            return Ok(());
        }
        let closed = session.root.close_tree();
        saved.and(closed)
    }

    fn open(&self, store: &Path) -> Result<Session> {
        let root = self.format().open_private(store, Mode::ReadWrite, &GroupSpec::default())?;
        Ok(Session { root, store: store.to_owned(), array: None })
    }

    /// The first save makes the store, which is complete or not there.
    fn make(&self, lock: FileLock, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        // What would be refused leaves no store behind, not even for a moment.
        plan(data, indices, options, None)?;
        let root = self.format().open_private(lock.tmpfile(), Mode::CreateNew, &GroupSpec::default())?;
        let saved = tree::save(&*root, &self.array, None, data, indices, options);
        let closed = root.close_tree();
        saved.and(closed)?;
        lock.publish()
    }

    /// Saves; leaves the array in the session if it can be used again.
    fn change(&self, session: &mut Session, full: bool, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let (root, store) = (&session.root, &session.store);
        let there = match session.array.take() {
            Some(array) => Some(array),
            None => self.find(root, store)?,
        };
        let existing = there.as_deref().map(tree::describe).transpose()?;
        session.array = match (plan(data, indices, options, existing.as_ref())?, there) {
            (Plan::Create(data), _) => Some(tree::create(&**root, &self.array, &data, options, None)?),
            (Plan::Append(rows), Some(there)) => {
                tree::check_layout(&*there, options)?;
                there.append_rows(&rows)?;
                Some(there)
            }
            (Plan::Replace(data), Some(old)) => {
                // What a dead writer has left half made: chunks, and no metadata yet.
                let half = self.directory(store, &path::join("/", &tree::hidden_name(&self.array)?));
                if tree::find(&**root, &tree::hidden_name(&self.array)?)?.is_none()
                    && self.file_system.exists(&half).map_err(|e| Error::io(e, &half))?
                {
                    retry(|| self.file_system.remove_dir_all(&half)).map_err(|e| Error::io(e, &half))?;
                }
                let hidden = tree::make_hidden(&**root, &self.array, &old, &data, options)?;
                root.flush()?;
                self.exchange(store, &old.name(), &hidden, full)?;
                // What has the hidden name now is the old one.
                root.delete(&hidden)?;
                None
            }
            (Plan::Update(selection, data), Some(there)) => {
                tree::check_layout(&*there, options)?;
                match there.as_any().downcast_ref::<ZarrDataset>() {
                    Some(there) => there.write_at_once(&selection, &data)?,
                    None => there.write_selection(&selection, &data)?,
                }
                Some(there)
            }
            (Plan::Nothing, Some(there)) => {
                tree::check_layout(&*there, options)?;
                Some(there)
            }
            _ => None,
        };
        Ok(())
    }

    /// The array, if it is there. One that was being replaced where names cannot be exchanged, and whose writer died, is put in its place.
    fn find(&self, root: &GroupRef, store: &Path) -> Result<Option<DatasetRef>> {
        if let Some(there) = tree::find(&**root, &self.array)? {
            return Ok(Some(there));
        }
        let directory = self.directory(store, &path::join("/", &self.array));
        if self.file_system.exists(&directory).map_err(|e| Error::io(e, &directory))? {
            return Err(error!(Corrupt, "there is a directory \"{}\", but no metadata of an array in it", directory.display())
                .remedy("restore them, or move the directory away: an array that was there is not made anew"));
        }
        let hidden = tree::hidden_name(&self.array)?;
        match tree::find(&**root, &hidden)? {
            Some(_) => {
                root.rename(&hidden, &self.array)?;
                tree::find(&**root, &self.array)
            }
            None => Ok(None),
        }
    }

    fn directory(&self, store: &Path, name: &str) -> PathBuf {
        path::parts(name).fold(store.to_owned(), |at, part| at.join(part))
    }

    fn exchange(&self, store: &Path, old: &str, new: &str, full: bool) -> Result<()> {
        let (fs, old, new) = (&*self.file_system, self.directory(store, old), self.directory(store, new));
        let settle = || match old.parent() {
            Some(dir) if full => retry(|| fs.sync_dir(dir)),
            _ => Ok(()),
        };
        match retry(|| fs.exchange(&old, &new)) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
            other => return other.and_then(|()| settle()).map_err(|e| Error::io(e, &old)),
        }
        let aside = new.with_extension("old");
        let swap = || {
            retry(|| fs.rename(&old, &aside))?;
            retry(|| fs.rename(&new, &old))?;
            retry(|| fs.rename(&aside, &new))?;
            settle()
        };
        swap().map_err(|e| Error::io(e, &old))
    }
}

impl Saver for ZarrSaver {
    fn save_array(&self, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let options = options.or(&self.options);
        self.do_save(data, indices, &options).map_err(|e| e.in_file(&self.path).at(&self.array).during("save"))
    }

    fn load(&self) -> Result<AnyArray> {
        let root = self.format().open(&self.path, Mode::Read)?;
        let array = root.dataset(&self.array).and_then(|d| d.read_array());
        array.and_then(|a| root.close_tree().map(|()| a)).map_err(|e| e.in_file(&self.path))
    }

    fn target(&self) -> String {
        format!("{}:{}", self.path.display(), self.array)
    }
}
