//! Changes of several chunks that happen all or not at all.
//!
//! The new chunks are written to `.memh5.redo`, each under a name that is never used again; then a journal, in one step, says which of them takes
//! the place of which chunk; then they are renamed, and the directory goes. Who dies before the journal is there has changed nothing. Who dies
//! later has changed everything: the next writer finishes the renames, and until then a reader takes from there what it finds there.
//!
//! Whoever writes holds the lock of the store.

use super::directory::Directory;
use super::json::{self, Object};
use super::store::{Store, join};
use crate::error::{Result, bail};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the new chunks wait. No object, so other programs do not look into it.
pub(super) const REDO: &str = ".memh5.redo";
const JOURNAL: &str = ".memh5.redo/journal";
const VERSION: &str = "memh5_redo";

/// Where the content of a chunk is, until somebody has put it in its place.
#[derive(Debug, Default)]
pub(super) struct Overlay(HashMap<String, String>);

impl Overlay {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        if self.0.is_empty() { None } else { self.0.get(key).map(String::as_str) }
    }
}

/// New chunks that wait. Dropped without [`commit`](Staged::commit), they are gone.
#[derive(Debug)]
pub(super) struct Staged<'d> {
    directory: &'d Directory,
    stem: String,
    moves: Mutex<Vec<(String, String)>>,
    /// The journal is there: what is left is not to be removed.
    begun: bool,
}

impl<'d> Staged<'d> {
    pub(super) fn new(directory: &'d Directory) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let stem = format!("{:x}-{now:x}-{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { directory, stem, moves: Mutex::default(), begun: false }
    }

    /// Takes the new content of a chunk.
    pub(super) fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let aside = {
            let mut moves = self.moves.lock();
            let aside = join(REDO, &format!("{}-{}", self.stem, moves.len()));
            moves.push((aside.clone(), key.to_owned()));
            aside
        };
        self.directory.add(&aside, bytes)
    }

    /// Puts all chunks in their places: all of them or none.
    pub(super) fn commit(mut self) -> Result<()> {
        let moves = std::mem::take(&mut *self.moves.lock());
        let directory = self.directory;
        match &moves[..] {
            [] => return Ok(()),
            [(aside, key)] => directory.rename(aside, key)?,
            _ => {
                directory.settle()?;
                directory.set(JOURNAL, &to_text(&moves)?)?;
                if let Err(e) = directory.settle() {
                    self.begun = directory.erase(JOURNAL).is_err();
                    return Err(e);
                }
                self.begun = true;
                apply(directory, &moves).or_else(|_| apply(directory, &moves)).map_err(|e| {
                    e.remedy("the new chunks are complete, but not all in their places; opening the store for writing finishes that")
                })?;
            }
        }
        directory.settle()?;
        directory.remove(REDO)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.begun {
            // What stays is removed by the next writer.
            let _ = self.directory.remove(REDO);
        }
    }
}

fn apply(directory: &Directory, moves: &[(String, String)]) -> Result<()> {
    moves.iter().try_for_each(|(aside, key)| if directory.exists(aside)? { directory.rename(aside, key) } else { Ok(()) })
}

fn to_text(moves: &[(String, String)]) -> Result<Vec<u8>> {
    let moves: Vec<Value> = moves.iter().map(|(aside, key)| Value::from(vec![aside.as_str(), key.as_str()])).collect();
    json::to_text(&Object::from_iter([(VERSION.to_owned(), 1.into()), ("moves".to_owned(), moves.into())]))
}

/// The renames of a journal; `None` if there is none, or not a whole one.
fn journal(store: &Store) -> Result<Option<Vec<(String, String)>>> {
    let Some(text) = store.get(JOURNAL)? else { return Ok(None) };
    // A power failure may have left half of one, which then promised nothing.
    let Ok(object) = json::parse_object(&text, "the journal") else { return Ok(None) };
    if object.get(VERSION).and_then(Value::as_u64) != Some(1) {
        bail!(Unsupported, "the store has the journal of an update in a format that is not known here");
    }
    let pair = |value: &Value| -> Option<(String, String)> {
        let [aside, key] = value.as_array()?.as_slice() else { return None };
        let inside = |key: &str| !key.starts_with('/') && key.split('/').all(|part| !part.is_empty() && part != "..");
        let (aside, key) = (aside.as_str()?, key.as_str()?);
        (aside.strip_prefix(REDO)?.starts_with('/') && inside(aside) && inside(key)).then(|| (aside.to_owned(), key.to_owned()))
    };
    let moves = object.get("moves").and_then(Value::as_array);
    match moves.map(|moves| moves.iter().map(pair).collect::<Option<Vec<_>>>()) {
        Some(Some(moves)) => Ok(Some(moves)),
        _ => bail!(Corrupt, "the journal of an update in the store cannot be understood"),
    }
}

/// For a reader: where chunks are that an update was stopped to put in their places.
pub(super) fn overlay(store: &Store) -> Result<Overlay> {
    Ok(Overlay(journal(store)?.unwrap_or_default().into_iter().map(|(aside, key)| (key, aside)).collect()))
}

/// For a writer: finishes an update that was stopped, or removes what it has left.
pub(super) fn recover(store: &Store) -> Result<()> {
    let directory = store.directory()?;
    if !directory.exists(REDO)? {
        return Ok(());
    }
    if let Some(moves) = journal(store)? {
        apply(directory, &moves)?;
    }
    directory.remove(REDO)
}
