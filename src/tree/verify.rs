//! Reading everything in a tree, to find what is damaged.

use super::attributes::Attributes;
use super::blocks::Blocks;
use super::collective::{CollectiveCall, reading, same_result, several};
use super::dataset::Dataset;
use super::group::{Group, Node, ObjectId};
use super::resolve;
use crate::AnyArray;
use crate::error::{Context, Error, Result, error};
use crate::path;
use std::collections::HashSet;
use std::fmt;

/// Something that cannot be read as it should be.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Damage {
    /// The path of the object.
    pub path: String,
    /// The attribute, if it is one.
    pub attribute: Option<String>,
    /// What is wrong.
    pub error: Error,
}

impl Damage {
    /// Something wrong with the object at a path.
    pub fn new(path: impl Into<String>, error: Error) -> Self {
        Self { path: path.into(), attribute: None, error }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(attribute) = &self.attribute {
            write!(f, " @{attribute}")?;
        }
        write!(f, ": {}", self.error)
    }
}

/// What reading everything found.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// What is damaged, in the order of the walk.
    pub damages: Vec<Damage>,
    /// How many objects were looked at.
    pub objects: u64,
    /// How many attributes were read.
    pub attributes: u64,
    /// How many references were followed; null references are not counted.
    pub references: u64,
    /// How many bytes of elements were read from datasets.
    pub bytes: u64,
    /// How many soft and external links lead to no object; that is legal.
    pub dangling_links: u64,
}

impl VerifyReport {
    /// True if nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.damages.is_empty()
    }
}

/// Reads every attribute and every element of the group and of everything below it, with all checksums, and follows every reference.
///
/// What is damaged is reported, and the rest is read all the same.
///
/// # Collective
/// All ranks call it, if they share the tree, and all get the same report. That attributes or common datasets differ between ranks is a damage.
///
/// ```
/// use memh5::{MemGroup, prelude::*, tree::verify};
/// let root = MemGroup::new();
/// root.create_dataset("vis").write(vec![1.0, 2.0])?;
/// let report = verify(&root)?;
/// assert!(report.is_whole());
/// assert_eq!((report.objects, report.bytes), (2, 16));
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// `Closed`, `Collective` if it fails on another rank; not what is damaged.
pub fn verify(group: &dyn Group) -> Result<VerifyReport> {
    verify_with(group, &mut |_| Ok(()))
}

/// [`verify`], with a function that is called for every block of elements that was read, with its bytes, and for every object, with 0.
///
/// # Errors
/// As [`verify`], and what the function returns.
///
/// # Collective
/// As [`verify`].
pub fn verify_with(group: &dyn Group, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<VerifyReport> {
    let ranks = several(group);
    reading(
        ranks,
        || CollectiveCall::new("verify the tree", group.name()),
        || {
            let mut walk = Walk { report: VerifyReport::default(), progress };
            if let Some(different) = ranks.map_or(Ok(None), |ranks| ranks.difference(group))? {
                let at = different.path().unwrap_or("/").to_owned();
                walk.damaged(&at, None, different);
            }
            walk.run(group)?;
            if let Some(ranks) = ranks {
                let report = &walk.report;
                let first = report.damages.first().map_or(String::new(), |d| format!(", the first {d}"));
                let told = format!("{} damages in {} bytes of {} objects{first}", report.damages.len(), report.bytes, report.objects);
                same_result(ranks, CollectiveCall::new("end the verification", group.name()).with(told))?;
            }
            Ok(walk.report)
        },
    )
}

struct Walk<'a> {
    report: VerifyReport,
    progress: &'a mut dyn FnMut(u64) -> Result<()>,
}

impl Walk<'_> {
    fn run(&mut self, root: &dyn Group) -> Result<()> {
        let mut seen: HashSet<ObjectId> = HashSet::from([root.id()?]);
        self.report.objects += 1;
        self.attributes("/", root.attrs())?;
        let mut stack = vec![(root.to_ref(), "/".to_owned(), self.names(root, "/"))];
        while let Some((group, base, names)) = stack.last_mut() {
            let Some(name) = names.pop() else {
                stack.pop();
                continue;
            };
            let (group, at) = (group.clone(), path::join(base, &name));
            (self.progress)(0)?;
            let node = match self.open(&*group, &name) {
                Ok(Some(node)) => node,
                Ok(None) => continue,
                Err(error) => {
                    self.report.objects += 1;
                    self.damaged(&at, None, error);
                    continue;
                }
            };
            match node.object().id() {
                Ok(id) if seen.insert(id) => {}
                Ok(_) => continue,
                Err(error) => {
                    self.damaged(&at, None, error);
                    continue;
                }
            }
            self.report.objects += 1;
            self.attributes(&at, node.attrs())?;
            match node {
                Node::Group(child) => {
                    let names = self.names(&*child, &at);
                    stack.push((child, at, names));
                }
                Node::Dataset(dataset) => {
                    let before = self.report.damages.len();
                    let result = self.dataset(&*dataset, &at, before)?;
                    self.note(&at, None, result);
                }
                Node::Datatype(datatype) => {
                    let result = datatype.committed_dtype().map(|_| ());
                    self.note(&at, None, result);
                }
            }
        }
        Ok(())
    }

    /// Opens a name; counts links that lead nowhere.
    fn open(&mut self, group: &dyn Group, name: &str) -> Result<Option<Node>> {
        if let Some(node) = group.open_child(name)? {
            return Ok(Some(node));
        }
        match group.child_link(name)? {
            None | Some(super::Link::Hard) => Err(error!(Corrupt, "the name leads to no object")),
            Some(super::Link::Soft { .. }) => {
                self.report.dangling_links += u64::from(resolve::open_single(group, name).is_err());
                Ok(None)
            }
            Some(super::Link::External { file, .. }) => {
                // The other file is not ours to judge; whether it is there is told.
                let mut target = std::path::PathBuf::from(file);
                if let Some(dir) = group.location().file.as_ref().and_then(|f| f.parent()) {
                    target = dir.join(target);
                }
                self.report.dangling_links += u64::from(!target.exists());
                Ok(None)
            }
        }
    }

    fn names(&mut self, group: &dyn Group, at: &str) -> Vec<String> {
        super::digest::names_from_last(group).unwrap_or_else(|error| {
            self.damaged(at, None, error);
            Vec::new()
        })
    }

    fn attributes(&mut self, at: &str, attrs: &dyn Attributes) -> Result<()> {
        let names = match attrs.attr_names() {
            Ok(names) => names,
            Err(error) => {
                self.damaged(at, None, error);
                return Ok(());
            }
        };
        for name in names {
            self.report.attributes += 1;
            (self.progress)(0)?;
            let result = attrs
                .attr_read(&name)
                .and_then(|value| value.ok_or_else(|| error!(Corrupt, "the attribute is listed, and is not there")))
                .and_then(|value| self.references(&value));
            self.note(at, Some(&name), result);
        }
        Ok(())
    }

    /// Reads a dataset. The outer result is for the progress function.
    fn dataset(&mut self, dataset: &dyn Dataset, at: &str, before: usize) -> Result<Result<()>> {
        let described = || Ok((dataset.dtype()?, dataset.extent()?, dataset.spec()?));
        let (dtype, shape, spec) = match described() {
            Ok(described) => described,
            Err(error) => return Ok(Err(error)),
        };
        let Some(shape) = shape else { return Ok(Ok(())) };
        let mut failed = 0;
        for (selection, _) in Blocks::new(&shape, dtype.itemsize(), spec.chunks()) {
            // A damaged block does not hide the others, but a dataset is one damage, and a hundred failures are enough to know it.
            match dataset
                .read_together(&selection)
                .with_context(|| (dataset.name(), "read the dataset"))
                .and_then(|block| self.references(&block).map(|()| block.nbytes()))
            {
                Ok(bytes) => {
                    self.report.bytes += bytes as u64;
                    (self.progress)(bytes as u64)?;
                }
                Err(error) => {
                    if self.report.damages.len() == before {
                        self.damaged(at, None, error);
                    }
                    failed += 1;
                    if failed == 100 {
                        break;
                    }
                    (self.progress)(0)?;
                }
            }
        }
        Ok(Ok(()))
    }

    /// Follows the references of an array.
    fn references(&mut self, array: &AnyArray) -> Result<()> {
        let (mut followed, mut broken, mut first) = (0u64, 0u64, None);
        let mut follow = |reference: &super::ObjectRef| {
            if !reference.is_null() {
                followed += 1;
                if let Err(error) = reference.open() {
                    broken += 1;
                    first.get_or_insert(error);
                }
            }
        };
        if array.dtype().has_references() {
            let follow = std::cell::RefCell::new(&mut follow);
            array.map_references(
                &mut |r| {
                    (follow.borrow_mut())(r);
                    Ok(super::ObjectRef::null())
                },
                &mut |r| {
                    (follow.borrow_mut())(&r.target);
                    Ok(super::RegionRef::null())
                },
            )?;
        }
        self.report.references += followed;
        match first {
            None => Ok(()),
            Some(cause) => Err(error!(NotFound, "{broken} of {followed} references lead to no object").because(cause)),
        }
    }

    fn note(&mut self, at: &str, attribute: Option<&str>, result: Result<()>) {
        if let Err(error) = result {
            self.damaged(at, attribute, error);
        }
    }

    fn damaged(&mut self, at: &str, attribute: Option<&str>, error: Error) {
        self.report.damages.push(Damage { path: at.to_owned(), attribute: attribute.map(str::to_owned), error });
    }
}
