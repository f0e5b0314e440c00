//! The paths by which open objects were reached, through renames and deletions.
//!
//! The library follows renames too, but only of the object itself and of groups: a dataset in a renamed group keeps its old name.

use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// The path of one handle and its clones; `None` if it is not known, as that of a deleted object.
#[derive(Debug, Default)]
pub(super) struct Name(Mutex<Option<Arc<str>>>);

impl Name {
    pub(super) fn get(&self) -> Option<Arc<str>> {
        self.0.lock().clone()
    }

    pub(super) fn set(&self, path: &str) {
        *self.0.lock() = Some(path.into());
    }
}

/// The names of all handles of a file.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Live>);

#[derive(Debug, Default)]
struct Live {
    names: Vec<Weak<Name>>,
    /// Dead ones are dropped when there are so many.
    limit: usize,
}

impl Names {
    /// A name that follows renames from now on.
    pub(super) fn follow(&self, path: Option<String>) -> Arc<Name> {
        let name = Arc::new(Name(Mutex::new(path.map(Into::into))));
        let mut live = self.0.lock();
        if live.names.len() >= live.limit {
            live.names.retain(|n| n.strong_count() > 0);
            live.limit = 2 * live.names.len() + 64;
        }
        live.names.push(Arc::downgrade(&name));
        name
    }

    /// What was at a path, and all below, is at another now.
    pub(super) fn moved(&self, from: &str, to: &str) {
        self.change(from, |rest| Some(format!("{to}{rest}").into()));
    }

    /// What was at a path, and all below, is not reached by it any more.
    pub(super) fn removed(&self, path: &str) {
        self.change(path, |_| None);
    }

    fn change(&self, path: &str, new: impl Fn(&str) -> Option<Arc<str>>) {
        if path.is_empty() {
            return;
        }
        let live = self.0.lock();
        for name in live.names.iter().filter_map(Weak::upgrade) {
            let mut now = name.0.lock();
            let Some(rest) = now.as_deref().and_then(|n| n.strip_prefix(path)) else { continue };
            if rest.is_empty() || rest.starts_with('/') {
                let changed = new(rest);
                *now = changed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow() {
        let names = Names::default();
        let made: Vec<Arc<Name>> = ["/a", "/a/b", "/ab", "/c"].iter().map(|p| names.follow(Some((*p).into()))).collect();
        let now = |k: usize| made[k].get().unwrap_or_default().to_string();
        names.moved("/a", "/x/y");
        assert_eq!((now(0), now(1), now(2)), ("/x/y".into(), "/x/y/b".into(), "/ab".into()));
        names.removed("/x");
        assert_eq!((now(0), now(1), now(3)), (String::new(), String::new(), "/c".into()));
        for _ in 0..10_000 {
            names.follow(None);
        }
        assert!(names.0.lock().names.len() < 200);
    }
}
