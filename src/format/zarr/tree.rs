//! An open store: its objects, their places, and what is yet to be written.

use super::document::{Document, Kind};
use super::json;
use super::node::{Node, Place};
use super::redo::REDO;
use super::store::{Store, join};
use super::version::ZarrOptions;
use crate::error::{Error, ErrorKind, Result, bail, error};
use crate::publish::LockFile;
use crate::tree::{Location, fresh_tree_id};
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

/// Where deleted objects stay while a handle holds them. No object itself, so other programs do not look into it.
pub(super) const TRASH: &str = ".memh5.trash";

/// The name of the one dataset, if the root of a store is an array.
pub(super) const LONE: &str = "data";
/// The key of that array. (That of the group which holds it is empty.)
pub(super) const LONE_KEY: &str = ".";

/// So many objects may have metadata that are not written yet.
const DIRTY: usize = 256;

/// An open store.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) store: Store,
    pub(super) options: ZarrOptions,
    /// The root of the store is an array: the tree is a group that holds it, under the name [`LONE`].
    lone: bool,
    path: PathBuf,
    id: u64,
    writable: bool,
    closed: AtomicBool,
    poisoned: AtomicBool,
    /// True while a copy of all metadata in the root, which others read first, has not been looked for.
    consolidated: AtomicBool,
    next: AtomicU64,
    objects: Mutex<Objects>,
    dirty: Mutex<Vec<Arc<Node>>>,
    /// That of a writer, until the store is closed.
    lock: Mutex<Option<LockFile>>,
}

#[derive(Debug, Default)]
struct Objects {
    /// The objects with handles, by their keys.
    live: HashMap<String, Weak<Node>>,
    /// The numbers of all objects that were met, by their keys.
    ids: BTreeMap<String, u64>,
    /// Keys at which an object is being made.
    pending: HashSet<String>,
    sweep: usize,
}

impl Tree {
    pub(super) fn new(store: Store, path: PathBuf, writable: bool, options: ZarrOptions) -> Self {
        Self {
            store,
            options,
            lone: false,
            path,
            id: fresh_tree_id(),
            writable,
            closed: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            consolidated: AtomicBool::new(true),
            next: AtomicU64::new(1),
            objects: Mutex::default(),
            dirty: Mutex::default(),
            lock: Mutex::default(),
        }
    }

    /// Of a store whose root is an array.
    pub(super) fn of_array(mut self, lone: bool) -> Self {
        self.lone = lone;
        self
    }

    pub(super) fn is_lone(&self) -> bool {
        self.lone
    }

    /// Holds the lock until the store is closed.
    pub(super) fn locked(self, lock: Option<LockFile>) -> Self {
        *self.lock.lock() = lock;
        self
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn location(&self) -> Location {
        Location { backend: "zarr", file: Some(self.path.clone()), writable: self.writable }
    }

    fn check_open(&self) -> Result<()> {
        match (self.closed.load(Ordering::Relaxed), self.poisoned.load(Ordering::Relaxed)) {
            (false, _) => Ok(()),
            (true, false) => Err(error!(Closed, "the store was closed").remedy("open it again")),
            (true, true) => Err(incomplete()),
        }
    }

    /// Runs something that reads. Looks afterwards whether the store is still the one that was opened: of what took its place, some may have
    /// been read.
    pub(super) fn reading<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let read = self.check_open().and_then(|()| f());
        match &self.store {
            Store::Directory(directory) if !self.writable && directory.is_replaced() => Err(replaced()),
            _ => read,
        }
        .map_err(|e| e.in_file(&self.path))
    }

    /// True if the metadata of an object are still those that were read or written last, and nothing waits to be finished. For who has kept a
    /// store open while others wrote to it.
    pub(super) fn is_current(&self, node: &Node) -> Result<bool> {
        self.consolidated.store(true, Ordering::Relaxed);
        let directory = self.store.directory()?;
        if self.check_open().is_err() || self.poisoned.load(Ordering::Relaxed) || directory.is_replaced() || directory.exists(REDO)? {
            return Ok(false);
        }
        let document = node.document.read();
        Ok(Document::load(&self.store, &node.place().key, document.version)?.as_ref() == Some(&*document))
    }

    /// Runs something that writes. A failure of the operating system poisons the store.
    pub(super) fn writing<T>(&self, f: impl FnOnce() -> Result<T>) -> Result<T> {
        let run = || {
            if self.poisoned.load(Ordering::Relaxed) {
                return Err(incomplete());
            }
            self.check_open()?;
            if !self.writable {
                return Err(error!(ReadOnly, "the store is open for reading only").remedy("open it in the mode r+ or a to write"));
            }
            f().inspect_err(|e| {
                if e.kind() == ErrorKind::Io {
                    self.poisoned.store(true, Ordering::Relaxed);
                }
            })
        };
        run().map_err(|e: Error| e.in_file(&self.path))
    }

    fn number(&self, objects: &mut Objects, key: &str) -> u64 {
        if let Some(id) = objects.ids.get(key) {
            return *id;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        objects.ids.insert(key.to_owned(), id);
        id
    }

    /// The object at a key; `None` if there is none.
    pub(super) fn open(&self, key: &str, path: Option<String>) -> Result<Option<Arc<Node>>> {
        let mut objects = self.objects.lock();
        if let Some(node) = objects.live.get(key).and_then(Weak::upgrade) {
            return Ok(Some(node));
        }
        let document = match Document::load(&self.store, key, self.options.version)? {
            Some(_) if self.lone && key.is_empty() => Document::group(self.options.version),
            Some(document) => document,
            None => return Ok(None),
        };
        Ok(Some(self.enter(&mut objects, key, path, document)))
    }

    fn enter(&self, objects: &mut Objects, key: &str, path: Option<String>, document: Document) -> Arc<Node> {
        let id = self.number(objects, key);
        let node = Arc::new(Node::new(id, Place { key: key.to_owned(), path }, document));
        if objects.live.len() >= objects.sweep {
            objects.live.retain(|_, n| n.strong_count() > 0);
            objects.sweep = 2 * objects.live.len() + 256;
        }
        objects.live.insert(key.to_owned(), Arc::downgrade(&node));
        node
    }

    /// True if there is an object at a key.
    pub(super) fn exists(&self, key: &str) -> Result<bool> {
        if self.objects.lock().live.get(key).is_some_and(|n| n.strong_count() > 0) {
            return Ok(true);
        }
        Document::exists(&self.store, key, self.options.version)
    }

    /// Makes an object: the function writes what belongs to it, then its metadata make it one. Nothing stays if it fails.
    pub(super) fn make(&self, key: &str, path: Option<String>, document: Document, fill: impl FnOnce() -> Result<()>) -> Result<Arc<Node>> {
        self.forget_consolidated()?;
        let directory = self.store.directory()?;
        {
            let mut objects = self.objects.lock();
            if objects.pending.contains(key) || Document::exists(&self.store, key, self.options.version)? {
                bail!(AlreadyExists, "'/{key}' exists already");
            }
            if !directory.list(key)?.is_empty() || (!key.is_empty() && directory.exists(key)? && directory.is_file(key)?) {
                return Err(error!(Corrupt, "the place of '/{key}' holds files, and no metadata that say what they are")
                    .remedy("look whether its metadata were lost; else move the files away"));
            }
            objects.pending.insert(key.to_owned());
        }
        let made = directory.make_dir(key).and_then(|()| fill()).and_then(|()| self.put(&document, key));
        let mut objects = self.objects.lock();
        objects.pending.remove(key);
        match made {
            Ok(()) => Ok(self.enter(&mut objects, key, path, document)),
            Err(e) => {
                let _ = directory.remove(key);
                Err(e)
            }
        }
    }

    /// From now on what is written is on the device before it counts, or not.
    pub(super) fn set_durable(&self, durable: bool) -> Result<()> {
        self.store.directory().map(|directory| directory.set_durable(durable))
    }

    /// Notes that the metadata of an object are to be written.
    pub(super) fn touch(&self, node: &Arc<Node>) -> Result<()> {
        let full = {
            let mut dirty = self.dirty.lock();
            if !dirty.iter().rev().take(4).any(|n| Arc::ptr_eq(n, node)) && !dirty.iter().any(|n| Arc::ptr_eq(n, node)) {
                dirty.push(node.clone());
            }
            dirty.len() > DIRTY
        };
        if full { self.write_dirty() } else { Ok(()) }
    }

    /// Writes metadata: behind all that they make count.
    fn put(&self, document: &Document, key: &str) -> Result<()> {
        let directory = self.store.directory()?;
        directory.settle()?;
        document.save(&self.store, key)?;
        directory.settle()
    }

    /// Writes the metadata of one object now.
    pub(super) fn save(&self, node: &Node, document: &Document) -> Result<()> {
        self.forget_consolidated()?;
        self.put(document, &node.place().key)?;
        self.dirty.lock().retain(|n| !std::ptr::eq(&**n, node));
        Ok(())
    }

    fn write_dirty(&self) -> Result<()> {
        self.forget_consolidated()?;
        let nodes = std::mem::take(&mut *self.dirty.lock());
        for (at, node) in nodes.iter().enumerate() {
            let document = node.document.read();
            if let Err(e) = self.put(&document, &node.place().key) {
                drop(document);
                self.dirty.lock().extend(nodes.get(at..).unwrap_or_default().iter().cloned());
                return Err(e);
            }
        }
        Ok(())
    }

    /// A copy of all metadata in the root would be wrong after a change: others would read it in place of the true ones.
    fn forget_consolidated(&self) -> Result<()> {
        if !self.consolidated.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let directory = self.store.directory()?;
        directory.erase(".zmetadata")?;
        let Some(bytes) = self.store.get("zarr.json")? else { return Ok(()) };
        let mut root = json::parse_object(&bytes, "the metadata 'zarr.json'")?;
        if root.shift_remove("consolidated_metadata").is_some() {
            directory.set("zarr.json", &json::to_text(&root)?)?;
        }
        if let Some(node) = self.objects.lock().live.get("").and_then(Weak::upgrade)
            && let Some(mut document) = node.document.try_write()
        {
            document.meta.shift_remove("consolidated_metadata");
        }
        Ok(())
    }

    /// Moves an object with all below it; the handles follow.
    pub(super) fn relocate(&self, from: &str, to: &str, to_path: Option<&str>) -> Result<()> {
        self.forget_consolidated()?;
        let directory = self.store.directory()?;
        let mut objects = self.objects.lock();
        if let Some((parent, _)) = to.rsplit_once('/') {
            directory.make_dir(parent)?;
        }
        directory.rename(from, to)?;
        objects.moved(from, to, to_path);
        Ok(())
    }

    /// Takes an object away: at once if nobody holds it or anything below, else when the store is closed.
    pub(super) fn discard(&self, key: &str) -> Result<()> {
        let directory = self.store.directory()?;
        // A name that is free: one who died may have had the same number.
        let trash = loop {
            let name = format!("{TRASH}/{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed));
            if !directory.exists(&name)? {
                break name;
            }
        };
        self.relocate(key, &trash, None)?;
        let held = self.objects.lock().is_held(&trash);
        if !held {
            self.store.directory()?.remove(&trash)?;
            let mut objects = self.objects.lock();
            objects.forget(&trash);
            self.empty_trash()?;
        }
        Ok(())
    }

    /// Removes the directory of deleted objects if there is none in it. Called under the lock of the objects: nothing is moved there meanwhile.
    fn empty_trash(&self) -> Result<()> {
        let directory = self.store.directory()?;
        if directory.exists(TRASH)? && directory.list(TRASH)?.is_empty() {
            directory.remove(TRASH)?;
        }
        Ok(())
    }

    /// Writes what is yet to be written.
    pub(super) fn flush(&self) -> Result<()> {
        if !self.writable {
            return self.reading(|| Ok(()));
        }
        self.writing(|| self.write_dirty())
    }

    /// Writes everything and closes the store.
    pub(super) fn close(&self) -> Result<()> {
        if self.closed.load(Ordering::Relaxed) {
            return if self.poisoned.load(Ordering::Relaxed) { Err(incomplete().in_file(&self.path)) } else { Ok(()) };
        }
        let result = if self.writable {
            self.writing(|| {
                self.write_dirty()?;
                self.clear_trash()
            })
        } else {
            Ok(())
        };
        self.closed.store(true, Ordering::Relaxed);
        self.dirty.lock().clear();
        let released = self.lock.lock().take().map_or(Ok(()), LockFile::rollback);
        result.and(released).map_err(|e| e.during("close the store"))
    }

    fn clear_trash(&self) -> Result<()> {
        let directory = self.store.directory()?;
        let own = format!("{}-", std::process::id());
        let mine: Vec<String> = {
            let objects = self.objects.lock();
            objects.ids.keys().filter_map(|k| k.strip_prefix(TRASH)?.strip_prefix('/')?.split('/').next()).map(str::to_owned).collect()
        };
        for name in mine.into_iter().collect::<HashSet<_>>() {
            if name.starts_with(&own) {
                directory.remove(&join(TRASH, &name))?;
            }
        }
        let _objects = self.objects.lock();
        self.empty_trash()
    }

    /// What the root of an open store has to be.
    pub(super) fn root(&self) -> Result<Arc<Node>> {
        match self.open("", Some("/".into()))? {
            Some(node) if node.document.read().kind == Kind::Group => Ok(node),
            Some(_) => Err(error!(Unsupported, "the root of the store is an array, and a tree that is written to needs a group there")
                .remedy(format!("copy the store: the copy is a group with the dataset '{LONE}'"))),
            None => Err(error!(Corrupt, "the directory is no Zarr store: there is neither zarr.json nor .zgroup in it")),
        }
    }
}

impl Objects {
    fn moved(&mut self, from: &str, to: &str, to_path: Option<&str>) {
        let below = |key: &str| -> Option<String> {
            let rest = key.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
        };
        let ids: Vec<(String, String)> = self
            .ids
            .range(from.to_owned()..)
            .take_while(|(k, _)| k.starts_with(from))
            .filter_map(|(k, _)| Some((k.clone(), below(k)?)))
            .collect();
        for (old, rest) in ids {
            if let Some(id) = self.ids.remove(&old) {
                self.ids.insert(format!("{to}{rest}"), id);
            }
        }
        let live: Vec<(String, String)> = self.live.keys().filter_map(|k| Some((k.clone(), below(k)?))).collect();
        for (old, rest) in live {
            let Some(weak) = self.live.remove(&old) else { continue };
            let key = format!("{to}{rest}");
            if let Some(node) = weak.upgrade() {
                node.set_place(Place { key: key.clone(), path: to_path.map(|p| format!("{p}{rest}")) });
            }
            self.live.insert(key, weak);
        }
    }

    fn is_held(&self, key: &str) -> bool {
        let below = |k: &str| k.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.live.iter().any(|(k, n)| n.strong_count() > 0 && below(k))
    }

    fn forget(&mut self, key: &str) {
        let below = |k: &str| k.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.ids.retain(|k, _| !below(k));
        self.live.retain(|k, _| !below(k));
    }
}

fn replaced() -> Error {
    error!(Closed, "another store has taken the place of the one that was opened: it was saved anew, or removed").remedy("open it again")
}

fn incomplete() -> Error {
    error!(Poisoned, "an earlier write to the store failed, and it is incomplete").remedy("discard the store and write it anew")
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Best effort: who wants to know says close().
        let _ = self.close();
    }
}
