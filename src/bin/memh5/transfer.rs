//! Writing a tree into a new file, which appears under its name when it is complete: what `copy` and `repack` share.

use crate::args::Storage;
use crate::signs::Signs;
use crate::{source, stores};
use memh5::copy::{CopyReport, DeepCopy};
use memh5::publish::lock_file;
use memh5::tree::{GroupRef, Layout, Mode};
use memh5::{Error, ErrorKind, Result, Selection, format, prelude::*};
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;

/// What is copied and how it is stored.
#[derive(Debug, Default)]
pub struct Plan {
    selections: Vec<(String, Selection)>,
    layouts: Vec<(String, Layout)>,
    filters: Option<Vec<memh5::Filter>>,
    store: stores::Choices,
}

impl Plan {
    /// Reads the choices of the command line.
    pub fn new(storage: &Storage, select: &[String]) -> Result<Self> {
        let selections = select.iter().map(|text| {
            let (object, slices) = pair(text, "--select", "OBJECT=SLICES")?;
            Ok((object.to_owned(), slices.parse()?))
        });
        let layouts = storage.chunks.iter().map(|text| match text.as_str() {
            "auto" => Ok(("**".to_owned(), Layout::AutoChunked)),
            _ => {
                let (object, chunks) = pair(text, "--chunks", "'auto' or OBJECT=CHUNKS")?;
                Ok((object.to_owned(), layout(chunks)?))
            }
        });
        Ok(Self {
            selections: selections.collect::<Result<_>>()?,
            layouts: layouts.collect::<Result<_>>()?,
            filters: storage.filter.as_ref().map(|f| f.0.clone()),
            store: stores::Choices::new(storage)?,
        })
    }

    /// What is read of a file, before anything is stored in another way.
    #[cfg(feature = "mpi")]
    pub fn reading<'a>(&self) -> DeepCopy<'a> {
        self.selections.iter().fold(DeepCopy::new(), |copy, (path, selection)| copy.select(path.clone(), selection))
    }

    /// How a tree of which everything is copied is stored.
    #[cfg(feature = "mpi")]
    pub fn storing<'a>(&self, from: &GroupRef) -> Result<DeepCopy<'a>> {
        self.store.refuse("--distributed")?;
        Self { layouts: self.layouts.clone(), filters: self.filters.clone(), ..Self::default() }.copy(from)
    }

    fn copy<'a>(&self, from: &GroupRef) -> Result<DeepCopy<'a>> {
        let mut copy = DeepCopy::new();
        for (path, selection) in &self.selections {
            copy = copy.select(path.clone(), selection);
        }
        for (pattern, layout) in &self.layouts {
            copy = copy.layout(first_path(from, pattern)?, layout.clone());
        }
        Ok(match &self.filters {
            Some(filters) => copy.filters("**", filters.clone()),
            None => copy,
        })
    }

    /// Copies everything below one group into another.
    pub fn run(&self, from: &GroupRef, to: &GroupRef, signs: &mut Signs) -> Result<CopyReport> {
        let mut before = 0;
        let refused = RefCell::new(None);
        let beat = |done: u64, total: u64, _: &str| {
            signs.total(total);
            let result = signs.tick(done.saturating_sub(before));
            before = done;
            match result {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    refused.replace(Some(error));
                    ControlFlow::Break(())
                }
            }
        };
        let result = self.copy(from)?.progress(beat).run(&**from, &**to);
        refused.take().map_or(result, Err)
    }

    /// Copies everything below the group into a new file at the path.
    pub fn publish(&self, from: &GroupRef, path: &Path, replace: bool, signs: &mut Signs) -> Result<CopyReport> {
        check_target(path, replace)?;
        let format = format::of_path(path)?;
        let maker = self.store.maker(format, from, path)?;
        let write = |temporary: &Path| {
            // The lock is held now: nobody else can have published since.
            check_target(path, replace)?;
            let to = maker.as_deref().unwrap_or(format).open_private(temporary, Mode::CreateNew, &from.group_spec()?)?;
            let report = self.run(from, &to, signs)?;
            to.close_tree()?;
            Ok(report)
        };
        let verify = |temporary: &Path| format::of_path(temporary)?.verify(temporary);
        let lock = if format.makes_directories() { lock_file(path).directory() } else { lock_file(path) };
        lock.publish_verified(write, verify)
    }
}

/// The path at which a walk first meets the dataset of a name, since a copy knows it by that. A pattern stays as it is.
fn first_path(root: &GroupRef, pattern: &str) -> Result<String> {
    if pattern.contains(['*', '?']) {
        return Ok(pattern.to_owned());
    }
    let wanted = root.dataset(pattern)?.id()?;
    let found = (**root).visit(|path, node| Ok((node.object().id()? == wanted).then(|| path.to_owned())))?;
    // Behind a link into another file, it is in no copy.
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("'{pattern}' is in another file")).at(pattern))
}

pub fn check_target(path: &Path, replace: bool) -> Result<()> {
    if path.is_dir() && !source::is_store(path) {
        return Err(Error::new(ErrorKind::AlreadyExists, "a directory has that name").in_file(path).remedy("choose another name"));
    }
    if !replace && path.symlink_metadata().is_ok() {
        let error = Error::new(ErrorKind::AlreadyExists, "the file is there already");
        return Err(error.in_file(path).remedy("choose another name, or say --overwrite"));
    }
    Ok(())
}

/// The two sides of the last `=` that is before the slices.
pub fn pair<'t>(text: &'t str, option: &str, form: &str) -> Result<(&'t str, &'t str)> {
    match text.rsplit_once('=') {
        Some((object, value)) if !object.is_empty() => Ok((object, value)),
        _ => Err(Error::new(ErrorKind::InvalidArgument, format!("{option} takes {form}, not '{text}'"))),
    }
}

fn layout(text: &str) -> Result<Layout> {
    match text {
        "auto" => Ok(Layout::AutoChunked),
        "none" => Ok(Layout::Contiguous),
        _ => {
            let axes = text.split([',', 'x']).map(|part| part.trim().parse().ok().filter(|n| *n > 0));
            axes.collect::<Option<Vec<usize>>>().map(Layout::Chunked).ok_or_else(|| {
                let message = format!("'{text}' are no chunks: they are lengths joined by ',', or 'auto', or 'none'");
                Error::new(ErrorKind::InvalidArgument, message)
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read() {
        assert_eq!(layout("64,1024").unwrap(), Layout::Chunked(vec![64, 1024]));
        assert_eq!(layout("8x8").unwrap(), Layout::Chunked(vec![8, 8]));
        assert_eq!(layout("auto").unwrap(), Layout::AutoChunked);
        assert!(layout("0").is_err() && layout("").is_err() && layout("a,1").is_err());
        assert_eq!(pair("a=b=1:2", "--select", "").unwrap(), ("a=b", "1:2"));
        assert!(pair("=1", "", "").is_err() && pair("vis", "", "").is_err());
    }
}
