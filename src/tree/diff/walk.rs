//! Walking two trees in step.

use super::leaf::{BothPaths, Comparer, Tolerance, index_of};
use super::{DiffOptions, DiffReport, Difference};
use crate::AnyArray;
use crate::error::{Context, Result, error};
use crate::path;
use crate::selection::Selection;
use crate::tree::attributes::Attributes;
use crate::tree::blocks::Blocks;
use crate::tree::collective::Collective;
use crate::tree::dataset::Dataset;
use crate::tree::digest::{LazyPaths, names_from_last};
use crate::tree::group::{Group, GroupRef, Node, ObjectId};
use crate::tree::link::Link;
use std::cmp::Ordering;
use std::collections::HashMap;

pub(super) struct Walk<'a> {
    a: &'a dyn Group,
    b: &'a dyn Group,
    options: &'a DiffOptions,
    progress: &'a mut dyn FnMut(u64) -> Result<()>,
    ranks: Option<&'a dyn Collective>,
    paths: BothPaths<'a>,
    report: DiffReport,
}

/// What a name is, opened if it is an object that was not met before.
enum Entry {
    Object(Node),
    /// One more name of an object that was met at that path.
    Again(String),
    Link(Link),
}

impl Entry {
    fn open(group: &dyn Group, name: &str, at: &str, seen: &mut HashMap<ObjectId, String>) -> Result<Self> {
        let mut open = || {
            let Some(node) = group.open_child(name)? else {
                let link = group.child_link(name)?.ok_or_else(|| error!(NotFound, "the name went away during the comparison"))?;
                return Ok(Entry::Link(link));
            };
            Ok(match seen.entry(node.object().id()?) {
                std::collections::hash_map::Entry::Occupied(first) => Entry::Again(first.get().clone()),
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(at.to_owned());
                    Entry::Object(node)
                }
            })
        };
        open().context(at, "open the object")
    }

    fn kind(&self) -> String {
        match self {
            Entry::Object(node) => node.kind().to_owned(),
            Entry::Again(first) => format!("hard link to {first}"),
            Entry::Link(Link::Soft { target }) => format!("soft link to {target}"),
            Entry::Link(Link::External { file, target }) => format!("external link to {target} in {file}"),
            Entry::Link(Link::Hard) => "link to nothing".to_owned(),
        }
    }
}

/// A pair of groups, and the names of each that are still to be compared, the last one first.
struct Level {
    a: GroupRef,
    b: GroupRef,
    at: String,
    names_a: Vec<String>,
    names_b: Vec<String>,
}

impl Level {
    fn new(a: GroupRef, b: GroupRef, at: String) -> Result<Self> {
        let (names_a, names_b) =
            (names_from_last(&*a).context(&at, "list the group")?, names_from_last(&*b).context(&at, "list the group")?);
        Ok(Self { a, b, at, names_a, names_b })
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        a: &'a dyn Group,
        b: &'a dyn Group,
        options: &'a DiffOptions,
        progress: &'a mut dyn FnMut(u64) -> Result<()>,
        ranks: Option<&'a dyn Collective>,
    ) -> Self {
        let paths = BothPaths { a: LazyPaths::new(a), b: LazyPaths::new(b) };
        Self { a, b, options, progress, ranks, paths, report: DiffReport::default() }
    }

    pub(super) fn run(mut self) -> Result<DiffReport> {
        let mut seen_a = HashMap::from([(self.a.id()?, "/".to_owned())]);
        let mut seen_b = HashMap::from([(self.b.id()?, "/".to_owned())]);
        self.report.objects += 1;
        self.attributes("/", self.a.attrs(), self.b.attrs())?;
        let mut stack = vec![Level::new(self.a.to_ref(), self.b.to_ref(), "/".to_owned())?];
        while let Some(level) = stack.last_mut() {
            let order = match (level.names_a.last(), level.names_b.last()) {
                (None, None) => {
                    stack.pop();
                    continue;
                }
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.cmp(b),
            };
            (self.progress)(0)?;
            let name_a = if order.is_le() { level.names_a.pop() } else { None };
            let name_b = if order.is_ge() { level.names_b.pop() } else { None };
            let at = path::join(&level.at, name_a.as_ref().or(name_b.as_ref()).map_or("", String::as_str));
            let a = name_a.map(|name| Entry::open(&*level.a, &name, &at, &mut seen_a)).transpose()?;
            let b = name_b.map(|name| Entry::open(&*level.b, &name, &at, &mut seen_b)).transpose()?;
            match (a, b) {
                (Some(a), None) => self.only("only in a", &at, a, &mut seen_a)?,
                (None, Some(b)) => self.only("only in b", &at, b, &mut seen_b)?,
                (Some(a), Some(b)) => {
                    self.report.objects += 1;
                    if let Some((a, b)) = self.entries(&at, a, b)? {
                        stack.push(Level::new(a, b, at)?);
                    }
                }
                (None, None) => {}
            }
        }
        Ok(self.report)
    }

    /// A name of one tree only. What is below it is not listed, but met, so that later names of it are known as such.
    fn only(&mut self, what: &'static str, at: &str, entry: Entry, seen: &mut HashMap<ObjectId, String>) -> Result<()> {
        let kind = entry.kind();
        let (a, b) = if what == "only in a" { (kind, String::new()) } else { (String::new(), kind) };
        self.report(at, None, None, what, || (a, b));
        let Entry::Object(Node::Group(group)) = entry else { return Ok(()) };
        let mut stack = vec![(group.clone(), at.to_owned(), names_from_last(&*group)?)];
        while let Some((group, base, names)) = stack.last_mut() {
            let Some(name) = names.pop() else {
                stack.pop();
                continue;
            };
            let below = path::join(base, &name);
            if let Entry::Object(Node::Group(child)) = Entry::open(&**group, &name, &below, seen)? {
                let names = names_from_last(&*child)?;
                stack.push((child, below, names));
            }
        }
        Ok(())
    }

    /// Compares what one name is in both trees; returns two groups that are to be walked.
    fn entries(&mut self, at: &str, a: Entry, b: Entry) -> Result<Option<(GroupRef, GroupRef)>> {
        match (&a, &b) {
            (Entry::Object(Node::Group(a)), Entry::Object(Node::Group(b))) => {
                self.attributes(at, a.attrs(), b.attrs())?;
                return Ok(Some((a.clone(), b.clone())));
            }
            (Entry::Object(Node::Dataset(a)), Entry::Object(Node::Dataset(b))) => {
                self.datasets(at, &**a, &**b).context(at, "compare the datasets")?;
            }
            (Entry::Object(Node::Datatype(a)), Entry::Object(Node::Datatype(b))) => {
                let (x, y) = (a.committed_dtype()?, b.committed_dtype()?);
                if x.dump_name() != y.dump_name() {
                    self.report(at, None, None, "dtype", || (x.to_string(), y.to_string()));
                }
                self.attributes(at, a.attrs(), b.attrs())?;
            }
            (Entry::Again(a), Entry::Again(b)) if a == b => {}
            (Entry::Link(a), Entry::Link(b)) if a == b => {}
            _ => self.report(at, None, None, "kind", || (a.kind(), b.kind())),
        }
        Ok(None)
    }

    fn datasets(&mut self, at: &str, a: &dyn Dataset, b: &dyn Dataset) -> Result<()> {
        if self.options.layout {
            self.layouts(at, a, b)?;
        }
        self.attributes(at, a.attrs(), b.attrs())?;
        let (x, y) = (a.dtype()?, b.dtype()?);
        let (shape, other) = (a.extent()?, b.extent()?);
        if x.dump_name() != y.dump_name() {
            self.report(at, None, None, "dtype", || (x.to_string(), y.to_string()));
            return Ok(());
        }
        if shape != other {
            self.report(at, None, None, "shape", || (shape_text(shape.as_deref()), shape_text(other.as_deref())));
            return Ok(());
        }
        let Some(shape) = shape else { return Ok(()) };
        let (one, two) = (Comparer::of(&x), Comparer::of(&y));
        let spec = a.spec()?;
        for (selection, first) in Blocks::new(&shape, x.itemsize().max(y.itemsize()), spec.chunks()) {
            let (block_a, block_b) = (self.read(a, &selection)?, self.read(b, &selection)?);
            self.arrays(at, None, (&one, &two), (&block_a, &block_b), first, &shape)?;
            (self.progress)((block_a.nbytes() + block_b.nbytes()) as u64)?;
        }
        Ok(())
    }

    /// Reads a block, of all ranks if there are several.
    fn read(&self, dataset: &dyn Dataset, selection: &Selection) -> Result<AnyArray> {
        let block = match self.ranks {
            Some(ranks) => ranks.fetch(dataset, selection),
            None => dataset.read_selection(selection),
        };
        block.with_context(|| (dataset.name(), "read the dataset"))
    }

    fn layouts(&mut self, at: &str, a: &dyn Dataset, b: &dyn Dataset) -> Result<()> {
        let (x, y) = (a.spec()?, b.spec()?);
        let max = |spec: &crate::tree::DatasetSpec| {
            let fixed = || spec.shape.as_ref().map(|s| s.iter().map(|n| Some(*n)).collect::<Vec<_>>());
            spec.maxshape.clone().or_else(fixed)
        };
        if max(&x) != max(&y) {
            self.report(at, None, None, "maxshape", || (format!("{:?}", max(&x)), format!("{:?}", max(&y))));
        }
        if x.chunks() != y.chunks() {
            self.report(at, None, None, "chunks", || (format!("{:?}", x.chunks()), format!("{:?}", y.chunks())));
        }
        let (f, g) = (a.stored_filters()?, b.stored_filters()?);
        if f != g {
            self.report(at, None, None, "filters", || (format!("{f:?}"), format!("{g:?}")));
        }
        Ok(())
    }

    fn attributes(&mut self, at: &str, a: &dyn Attributes, b: &dyn Attributes) -> Result<()> {
        if !self.options.attrs {
            return Ok(());
        }
        let (mut names, others) = (a.attr_names()?, b.attr_names()?);
        names.extend(others);
        names.sort_unstable();
        names.dedup();
        for name in names {
            let pair = (a.attr_read(&name), b.attr_read(&name));
            let operation = format!("read the attribute '{name}'");
            let (x, y) = (pair.0.context(at, &operation)?, pair.1.context(at, &operation)?);
            let kind = |array: &AnyArray| format!("{} {}", array.dtype(), shape_text(array.extent()));
            match (x, y) {
                (Some(x), None) => self.report(at, Some(&name), None, "only in a", || (kind(&x), String::new())),
                (None, Some(y)) => self.report(at, Some(&name), None, "only in b", || (String::new(), kind(&y))),
                (Some(x), Some(y)) => {
                    if x.dtype().dump_name() != y.dtype().dump_name() {
                        self.report(at, Some(&name), None, "dtype", || (x.dtype().to_string(), y.dtype().to_string()));
                    } else if x.extent() != y.extent() {
                        self.report(at, Some(&name), None, "shape", || (shape_text(x.extent()), shape_text(y.extent())));
                    } else {
                        let comparers = (Comparer::of(x.dtype()), Comparer::of(y.dtype()));
                        let shape = x.shape().to_vec();
                        self.arrays(at, Some(&name), (&comparers.0, &comparers.1), (&x, &y), 0, &shape)?;
                    }
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Compares the elements of two arrays of one shape, which begin at a place of the whole.
    fn arrays(
        &mut self,
        at: &str,
        attribute: Option<&str>,
        comparers: (&Comparer, &Comparer),
        arrays: (&AnyArray, &AnyArray),
        first: usize,
        shape: &[usize],
    ) -> Result<()> {
        let tolerance = Tolerance { rtol: self.options.rtol, atol: self.options.atol };
        let (report, max) = (&mut self.report, self.options.max);
        comparers.0.compare(comparers.1, arrays.0, arrays.1, tolerance, &mut self.paths, &mut |place, field, values| {
            report.count += 1;
            if report.differences.len() < max {
                let index = if shape.is_empty() { field.to_owned() } else { format!("{:?}{field}", index_of(first + place, shape)) };
                let (a, b) = values();
                let index = (!index.is_empty()).then_some(index);
                let attribute = attribute.map(str::to_owned);
                report.differences.push(Difference { path: at.to_owned(), attribute, index, what: "value", a, b });
            }
        })
    }

    fn report(
        &mut self,
        at: &str,
        attribute: Option<&str>,
        index: Option<String>,
        what: &'static str,
        values: impl FnOnce() -> (String, String),
    ) {
        self.report.count += 1;
        if self.report.differences.len() < self.options.max {
            let (a, b) = values();
            let attribute = attribute.map(str::to_owned);
            self.report.differences.push(Difference { path: at.to_owned(), attribute, index, what, a, b });
        }
    }
}

fn shape_text(shape: Option<&[usize]>) -> String {
    shape.map_or_else(|| "null".to_owned(), |s| format!("{s:?}"))
}
