//! Saving to Zarr stores.

use super::exclusive::{FileLock, lock};
use super::plan::{Plan, plan};
use super::{Indices, SaveOptions, Saver, tree};
use crate::array::AnyArray;
use crate::error::{Error, Result, error};
use crate::format::Format;
use crate::format::zarr::{ZarrFormat, ZarrOptions};
use crate::path;
use crate::publish::{FileKind, FileSystem, OsFileSystem, retry};
use crate::tree::{DatasetExt, DatasetRef, GroupExt, GroupRef, Mode};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Saves to an array of a Zarr store, which is a directory; groups on the way are made when they are needed.
///
/// Chunks are written before the metadata that make them count, each file in one step. So a crash in an append or an overwrite leaves the array of before,
/// or the new one; in an update, which writes chunk by chunk, some chunks may be new and some old. An update that fails puts back what it
/// has changed. An array whose metadata are gone is an error, and never made anew.
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
#[derive(Debug, Clone)]
pub struct ZarrSaver {
    path: PathBuf,
    array: String,
    options: SaveOptions,
    store: ZarrOptions,
    file_system: Arc<dyn FileSystem>,
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
        if !self.file_system.exists(lock.target()).map_err(|e| Error::io(e, &self.path))? {
            return self.make(lock, data, indices, options);
        }
        let root = self.format().open(lock.target(), Mode::ReadWrite)?;
        let saved = self.change(&root, lock.target(), data, indices, options);
        let closed = root.close_tree();
        saved.and(closed)
    }

    /// The first save makes the store, which is complete or not there.
    fn make(&self, lock: FileLock, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        // What would be refused leaves no store behind, not even for a moment.
        plan(data, indices, options, None)?;
        let root = self.format().open(lock.tmpfile(), Mode::CreateNew)?;
        let saved = tree::save(&*root, &self.array, None, data, indices, options);
        let closed = root.close_tree();
        saved.and(closed)?;
        lock.publish()
    }

    fn change(&self, root: &GroupRef, store: &Path, data: &AnyArray, indices: &Indices, options: &SaveOptions) -> Result<()> {
        let there = self.find(root, store)?;
        let existing = there.as_deref().map(tree::describe).transpose()?;
        match (plan(data, indices, options, existing.as_ref())?, there) {
            (Plan::Create(data), _) => tree::create(&**root, &self.array, &data, options, None).map(drop),
            (Plan::Append(rows), Some(there)) => {
                tree::check_layout(&*there, options)?;
                there.append_rows(&rows)
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
                self.exchange(store, &old.name(), &hidden)?;
                // What has the hidden name now is the old one.
                root.delete(&hidden)
            }
            (Plan::Update(selection, data), Some(there)) => {
                tree::check_layout(&*there, options)?;
                let before = there.read_selection(&selection)?;
                there.write_selection(&selection, &data).inspect_err(|_| {
                    let _ = there.write_selection(&selection, &before);
                })
            }
            (Plan::Nothing, Some(there)) => tree::check_layout(&*there, options),
            _ => Ok(()),
        }
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

    fn exchange(&self, store: &Path, old: &str, new: &str) -> Result<()> {
        let (fs, old, new) = (&*self.file_system, self.directory(store, old), self.directory(store, new));
        match retry(|| fs.exchange(&old, &new)) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
            other => return other.map_err(|e| Error::io(e, &old)),
        }
        let aside = new.with_extension("old");
        let swap = || {
            retry(|| fs.rename(&old, &aside))?;
            retry(|| fs.rename(&new, &old))?;
            retry(|| fs.rename(&aside, &new))
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
