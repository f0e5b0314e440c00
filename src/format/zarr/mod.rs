//! Zarr stores: a directory with JSON documents and one file for each chunk, of the formats 2 and 3; zip archives of them for reading.
//!
//! The tree is the one of every backend. What Zarr has no words for is kept beside what it says, in the attribute `__memh5_types`, which other
//! programs ignore and users of this crate never see: exact types of elements and attributes, how far a dataset may grow, the order of names. It is
//! believed only while it agrees with what the store says, so a store that somebody else has changed reads as they have left it.
//!
//! Links, references, committed types and null dataspaces are nothing that Zarr can hold: making one is refused, and a copy names them in its
//! report. `docs/zarr.md` has the tables.
//!
//! # Crashes and other processes
//! Every file is replaced in one step, chunks before the metadata that make them count, so a reader finds the old or the new. A whole tree appears
//! at once when it is [saved](crate::MemGroup::to_file); who has opened the old one is told so. Attributes are written when the tree is flushed
//! or closed, or when its last handle goes.
//!
//! A store that is open for writing holds the lock beside it (that of [`lock_file`]) until it is closed, so a second writer, in this
//! process or another, gets an error of kind `Locked`. Readers need no lock.
//!
//! ```
//! use memh5::{MemGroup, prelude::*};
//! # let dir = tempfile::tempdir()?;
//! let tree = MemGroup::new();
//! tree.create_dataset("night/vis").chunks([2]).gzip(4).write(vec![1.0f32, 2.0, 3.0])?;
//! tree.attrs().set("gain", 0.5f32)?;
//! tree.to_file(dir.path().join("night.zarr"))?;
//! let back = MemGroup::from_file(dir.path().join("night.zarr"))?;
//! assert_eq!(back.attrs().get::<f32>("gain")?, 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attributes;
mod carrier;
mod chunk;
mod chunking;
mod codecs;
mod dataset;
mod delta;
mod directory;
mod document;
mod exact;
mod fill;
mod grid;
mod group;
mod json;
mod labels;
mod names;
mod node;
mod object;
mod pack;
mod parallel;
mod pipeline;
mod plan;
mod read;
mod redo;
mod scratch;
mod shards;
mod store;
mod tree;
mod value;
mod version;
mod write;
mod zip;

pub use dataset::ZarrDataset;
pub use group::ZarrGroup;
pub use version::{ZarrOptions, ZarrVersion};

use crate::error::{Error, Result, bail, error};
use crate::format::Format;
use crate::publish::{FileKind, FileSystem, LockFile, OsFileSystem, lock_file};
use crate::tree::{GroupRef, GroupSpec, Mode};
use directory::Directory;
use document::{Document, Kind};
use object::Handle;
use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::sync::Arc;
use store::Store;
use tree::Tree;

/// The Zarr format.
#[derive(Debug, Clone)]
pub struct ZarrFormat {
    options: ZarrOptions,
    file_system: Option<Arc<dyn FileSystem>>,
}

/// The format with its usual choices: what `format::open` uses.
pub(crate) static ZARR: ZarrFormat =
    ZarrFormat { options: ZarrOptions { version: ZarrVersion::V3, shard_bytes: None, crc32c: false }, file_system: None };

impl Default for ZarrFormat {
    fn default() -> Self {
        ZARR.clone()
    }
}

impl ZarrFormat {
    /// The format with choices for stores that are made.
    pub fn with(options: ZarrOptions) -> Self {
        Self { options, file_system: None }
    }

    /// The file system to use; that of the operating system when not said.
    #[must_use]
    pub fn file_system(mut self, file_system: Arc<dyn FileSystem>) -> Self {
        self.file_system = Some(file_system);
        self
    }

    fn fs(&self) -> Arc<dyn FileSystem> {
        self.file_system.clone().unwrap_or_else(|| Arc::new(OsFileSystem))
    }

    fn make(&self, fs: &Arc<dyn FileSystem>, path: &Path, root: &GroupSpec, lock: Option<LockFile>) -> Result<GroupRef> {
        fs.create_dir(path).map_err(|e| Error::io(e, path))?;
        let store = Store::Directory(Directory::new(fs.clone(), path.to_owned()));
        let mut document = Document::group(self.options.version);
        if root.track_order {
            document.ours.insert("track_order".into(), true.into());
        }
        document.save(&store, "")?;
        self.root(Tree::new(store, path.to_owned(), true, self.options.clone()).locked(lock))
    }

    fn root(&self, tree: Tree) -> Result<GroupRef> {
        let tree = Arc::new(tree);
        let node = tree.root()?;
        Ok(Arc::new(ZarrGroup::new(Handle { tree, node })))
    }

    fn open_there(&self, fs: &Arc<dyn FileSystem>, path: &Path, writable: bool, lock: Option<LockFile>) -> Result<GroupRef> {
        let kind = kind_of(&**fs, path)?.ok_or_else(|| Error::io(io::ErrorKind::NotFound.into(), path))?;
        let store = match kind {
            FileKind::Directory => {
                let mut store = Store::Directory(Directory::new(fs.clone(), real(path)?.into_owned()));
                if writable {
                    redo::recover(&store)?;
                } else {
                    let overlay = redo::overlay(&store)?;
                    if let Store::Directory(directory) = &mut store {
                        directory.overlay = overlay;
                    }
                }
                store
            }
            _ if is_zip(&**fs, path)? => {
                if writable {
                    return Err(
                        error!(ReadOnly, "a zip store can be read only").remedy("open it in the mode r, or copy it to a directory store")
                    );
                }
                Store::Zip(zip::Archive::open(&**fs, path)?)
            }
            _ => bail!(Corrupt, "the file is no Zarr store: neither a directory nor a zip archive"),
        };
        // What is added to a store is of its version.
        let (version, lone) = match Document::load(&store, "", self.options.version)? {
            Some(document) => (document.version, document.kind == Kind::Array && !writable),
            None => (self.options.version, false),
        };
        let options = ZarrOptions { version, ..self.options.clone() };
        self.root(Tree::new(store, path.to_owned(), writable, options).of_array(lone).locked(lock))
    }

    /// The lock of a writer, held while the store is open.
    fn lock(&self, fs: &Arc<dyn FileSystem>, path: &Path) -> Result<LockFile> {
        let beside = lock_file(real(path)?).in_place().shared_file_system(fs.clone());
        beside.acquire().map_err(|e| match e.kind() {
            crate::ErrorKind::Locked => e.remedy("wait until it is closed there; readers need no lock"),
            _ => e,
        })
    }

    fn open_by(&self, path: &Path, mode: Mode, root: &GroupSpec, locked: bool) -> Result<GroupRef> {
        let fs = self.fs();
        let open = || {
            let there = kind_of(&*fs, path)?;
            let lock = || if locked { self.lock(&fs, path).map(Some) } else { Ok(None) };
            match (mode, there) {
                (Mode::Read, _) => self.open_there(&fs, path, false, None),
                (Mode::ReadWrite | Mode::Append, Some(FileKind::Directory)) => self.open_there(&fs, path, true, lock()?),
                (Mode::ReadWrite, _) | (Mode::Append, Some(_)) => self.open_there(&fs, path, true, None),
                (Mode::CreateNew, Some(_)) => {
                    Err(error!(AlreadyExists, "the store exists already").remedy("choose another name, or the mode w to replace it"))
                }
                (Mode::Truncate, Some(FileKind::Directory)) => {
                    // A directory that is no store is somebody's work.
                    if !self.recognizes(path)? && !fs.read_dir(path).map_err(|e| Error::io(e, path))?.is_empty() {
                        return Err(error!(AlreadyExists, "the directory is not empty, and no Zarr store").remedy("choose another name"));
                    }
                    let lock = lock()?;
                    let path = real(path)?;
                    fs.remove_dir_all(&path).map_err(|e| Error::io(e, &*path))?;
                    self.make(&fs, &path, root, lock)
                }
                (Mode::Truncate, Some(_)) => Err(error!(AlreadyExists, "the target is a file, which a directory store cannot replace")
                    .remedy("choose a name that ends in .zarr, or move the file away")),
                (Mode::Append | Mode::CreateNew | Mode::Truncate, None) => {
                    if path.file_name().is_some_and(|n| n.to_string_lossy().ends_with(".zip")) {
                        return Err(error!(Unsupported, "zip stores can be read only").remedy("save to a name that ends in .zarr"));
                    }
                    self.make(&fs, path, root, lock()?)
                }
            }
        };
        open().map_err(|e| e.in_file(path))
    }
}

/// The path itself, symbolic links followed, `..` and the like resolved: where the lock is, and what can be replaced.
fn real(path: &Path) -> Result<Cow<'_, Path>> {
    if path.file_name().is_some() && !path.symlink_metadata().is_ok_and(|m| m.is_symlink()) {
        return Ok(Cow::Borrowed(path));
    }
    path.canonicalize().map(Cow::Owned).map_err(|e| Error::io(e, path))
}

fn kind_of(fs: &dyn FileSystem, path: &Path) -> Result<Option<FileKind>> {
    match fs.info(path) {
        Ok(info) if info.kind == FileKind::Symlink => {
            Ok(std::fs::metadata(path).ok().map(|m| if m.is_dir() { FileKind::Directory } else { FileKind::File }))
        }
        Ok(info) => Ok(Some(info.kind)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::io(e, path)),
    }
}

fn is_zip(fs: &dyn FileSystem, path: &Path) -> Result<bool> {
    let file = fs.open(path, crate::publish::OpenMode::Read).map_err(|e| Error::io(e, path))?;
    let mut head = [0; 4];
    let n = file.read_at(&mut head, 0).map_err(|e| Error::io(e, path))?;
    Ok(zip::is_zip(head.get(..n).unwrap_or_default()))
}

impl Format for ZarrFormat {
    fn name(&self) -> &'static str {
        "zarr"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &[".zarr.zip", ".zarr"]
    }

    fn makes_directories(&self) -> bool {
        true
    }

    fn recognizes(&self, path: &Path) -> Result<bool> {
        let fs = self.fs();
        match kind_of(&*fs, path)? {
            Some(FileKind::Directory) => {
                let store = Store::Directory(Directory::new(fs, path.to_owned()));
                Document::exists(&store, "", ZarrVersion::V3)
            }
            Some(FileKind::File) => is_zip(&*fs, path),
            _ => Ok(false),
        }
    }

    fn open(&self, path: &Path, mode: Mode) -> Result<GroupRef> {
        self.open_with(path, mode, &GroupSpec::default())
    }

    fn open_with(&self, path: &Path, mode: Mode, root: &GroupSpec) -> Result<GroupRef> {
        self.open_by(path, mode, root, true)
    }

    fn open_private(&self, path: &Path, mode: Mode, root: &GroupSpec) -> Result<GroupRef> {
        self.open_by(path, mode, root, false)
    }
}
