//! The walk of a deep copy.

use super::adapt;
use super::options::{DeepCopy, NewCopy};
use super::report::CopyReport;
use super::strings::{self, Sizes, StringConversion};
use super::transfer::{self, Piece};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Context, Result, bail, error};
use crate::memory::{MemDataset, MemGroup};
use crate::path;
use crate::selection::Selection;
use crate::tree::collective::together;
use crate::tree::{
    Attributes, CollectiveCall, DatasetExt, DatasetRef, DatasetSpec, Feature, Fill, Group, GroupExt, GroupRef, Link, NewLink, Node,
    ObjectId, ObjectRef, resolve,
};
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

pub(super) struct Engine<'e, 'a> {
    pub(super) options: &'e mut DeepCopy<'a>,
    pub(super) from: GroupRef,
    pub(super) to: GroupRef,
    pub(super) same_tree: bool,
    both_on_disk: bool,
    /// The objects copied so far, and their paths relative to both groups.
    pub(super) seen: HashMap<ObjectId, String>,
    pub(super) selections: HashMap<ObjectId, Selection>,
    shared: HashSet<ObjectId>,
    /// References to copies, made once each.
    pub(super) references: HashMap<ObjectId, Option<ObjectRef>>,
    /// What holds references and is written last.
    deferred: Vec<Deferred>,
    /// The paths in the order of the walk, for the callback.
    order: Vec<String>,
    pub(super) report: CopyReport,
    done: u64,
    total: u64,
    undo: Undo,
}

enum Deferred {
    Elements {
        path: String,
    },
    /// The attributes from this one on.
    Attributes {
        path: String,
        from: usize,
    },
}

/// What takes a failed copy back.
#[derive(Default)]
struct Undo {
    made: Vec<String>,
    /// Old names and where what had them is now.
    displaced: Vec<(String, String)>,
    /// Attributes of the destination group and what they were.
    attributes: Vec<(String, Option<AnyArray>)>,
}

/// Gives a dataset of a tree in memory a name in another.
fn share(to: &GroupRef, name: &str, dataset: &Node) -> Result<()> {
    let shared = match dataset {
        Node::Dataset(dataset) => MemDataset::from_dyn(&**dataset),
        _ => None,
    };
    match (to.as_any().downcast_ref::<MemGroup>(), shared) {
        (Some(to), Some(dataset)) => to.share(name, &dataset),
        _ => bail!(InvalidArgument, "'{}' cannot be shared: it is not in memory", dataset.name()),
    }
}

/// Copies, on all ranks together if the destination is a tree that ranks share.
pub(super) fn run(options: DeepCopy<'_>, from: &dyn Group, to: &dyn Group) -> Result<CopyReport> {
    together(to, || CollectiveCall::new("copy into the group", to.name()), || run_here(options, from, to))
}

fn run_here(mut options: DeepCopy<'_>, from: &dyn Group, to: &dyn Group) -> Result<CopyReport> {
    let on_disk = |g: &dyn Group| g.location().backend != "memory";
    let (from_disk, to_disk) = (on_disk(from), on_disk(to));
    if (options.shallow || !options.shared.is_empty()) && (from_disk || to_disk) {
        return Err(error!(InvalidArgument, "datasets can be shared between two trees in memory only")
            .remedy("copy them: leave out shallow and shared"));
    }
    let mut engine = Engine {
        from: from.to_ref(),
        to: to.to_ref(),
        same_tree: from.id()?.tree == to.id()?.tree,
        both_on_disk: from_disk && to_disk,
        seen: HashMap::new(),
        selections: HashMap::new(),
        shared: HashSet::new(),
        references: HashMap::new(),
        deferred: Vec::new(),
        order: Vec::new(),
        report: CopyReport::default(),
        done: 0,
        total: 0,
        undo: Undo::default(),
        options: &mut options,
    };
    engine.check()?;
    match engine.copy() {
        Ok(()) => {
            for (_, old) in &engine.undo.displaced {
                engine.to.unlink(old)?;
            }
            Ok(engine.report)
        }
        Err(e) => {
            engine.roll_back();
            Err(e)
        }
    }
}

impl<'a> Engine<'_, 'a> {
    /// Opens an object by its path below one of the two groups.
    pub(super) fn open(&self, group: &GroupRef, path: &str) -> Result<Node> {
        if path.is_empty() { Ok(Node::Group(group.clone())) } else { resolve::open(&**group, path) }
    }

    /// Finds everything that can be wrong before anything is written.
    fn check(&mut self) -> Result<()> {
        if self.same_tree && self.from.id()? == self.to.id()? {
            bail!(InvalidArgument, "the source and the destination are the same group");
        }
        for (given, selection) in std::mem::take(&mut self.options.selections) {
            match self.relative(&given).and_then(|p| self.from.dataset(&p)) {
                Ok(dataset) => {
                    let shape = dataset.shape()?;
                    let all = selection.resolve(&shape).context(&dataset.name(), "select a part of the dataset")?.is_all(&shape)
                        && selection.is_all();
                    let id = dataset.id()?;
                    if !all && self.selections.insert(id, selection).is_some() {
                        bail!(InvalidArgument, "there are two selections for the dataset '{given}'");
                    }
                }
                Err(e) if e.is_not_found() && self.options.ignore_missing => {}
                Err(e) => return Err(e.during(format!("select a part of '{given}'"))),
            }
        }
        for given in std::mem::take(&mut self.options.shared) {
            let dataset = self.relative(&given).and_then(|p| self.from.dataset(&p)).map_err(|e| e.during(format!("share '{given}'")))?;
            self.shared.insert(dataset.id()?);
        }
        if self.selections.keys().any(|id| self.options.shallow || self.shared.contains(id)) {
            bail!(InvalidArgument, "a dataset that is shared cannot be copied in part");
        }
        if self.same_tree || !self.selections.is_empty() || self.options.progress.is_some() {
            self.survey()?;
        }
        if !self.options.overwrite {
            for name in self.from.child_names()? {
                if self.to.child_link(&name)?.is_some() {
                    return Err(error!(AlreadyExists, "'{}' exists already", path::join(&self.to.name(), &name))
                        .remedy("copy into an empty group, or choose to overwrite"));
                }
            }
        }
        Ok(())
    }

    fn relative(&self, given: &str) -> Result<String> {
        let parts: Vec<&str> = path::parts(given).collect();
        if parts.is_empty() {
            bail!(NotADataset, "'{given}' is the group that is copied");
        }
        Ok(parts.join("/"))
    }

    /// Walks over the source once: counts bytes, and finds selections that are not of it and destinations that are.
    fn survey(&mut self) -> Result<()> {
        let mut inside = HashSet::from([self.from.id()?]);
        let (mut total, selections) = (0u64, &self.selections);
        resolve::visit(&*self.from, &mut |_, node| -> Result<Option<()>> {
            let id = node.object().id()?;
            inside.insert(id);
            if let Node::Dataset(d) = node
                && let Some(shape) = d.extent()?
            {
                let count = match selections.get(&id) {
                    Some(selection) => selection.resolve(&shape)?.count(),
                    None => shape.iter().product(),
                };
                total = total.saturating_add((count as u64).saturating_mul(d.dtype()?.itemsize() as u64));
            }
            Ok(None)
        })?;
        self.total = total;
        if let Some(id) = self.selections.keys().find(|id| !inside.contains(id)) {
            bail!(InvalidArgument, "a selection is for a dataset outside of the copied group (object {})", id.object);
        }
        if self.same_tree && inside.contains(&self.to.id()?) {
            bail!(InvalidArgument, "the destination '{}' is within the group that is copied", self.to.name());
        }
        if self.same_tree && self.options.overwrite {
            for name in self.from.child_names()? {
                if let Some(node) = self.to.open_child(&name)?
                    && inside.contains(&node.object().id()?)
                {
                    bail!(InvalidArgument, "the copy would replace '{}', which is copied", node.name());
                }
            }
        }
        Ok(())
    }

    fn copy(&mut self) -> Result<()> {
        let (from, to) = (self.from.clone(), self.to.clone());
        if from.group_spec()?.track_order && !to.group_spec()?.track_order {
            self.report.lose("", "the destination group does not track the order in which its children are made");
        }
        self.seen.insert(from.id()?, String::new());
        self.remember("");
        self.attributes(from.attrs(), to.attrs(), "")?;
        let mut names = from.child_names()?;
        names.reverse();
        let mut stack = vec![(from, to, String::new(), names)];
        while let Some((from, to, base, names)) = stack.last_mut() {
            let Some(name) = names.pop() else {
                stack.pop();
                continue;
            };
            let (from, to) = (from.clone(), to.clone());
            let full = if base.is_empty() { name.clone() } else { format!("{base}/{name}") };
            if base.is_empty() {
                self.make_room(&name)?;
            }
            let child = self.child(&from, &to, &name, &full).map_err(|e| e.at(path::join(&self.from.name(), &full)))?;
            if let Some((from, to)) = child {
                let mut names = from.child_names()?;
                names.reverse();
                stack.push((from, to, full, names));
            }
        }
        self.second_pass()?;
        for (name, text) in std::mem::take(&mut self.options.default_attributes) {
            if !self.to.attr_exists(&name)? {
                self.undo.attributes.push((name.clone(), None));
                self.to.attr_write(&name, &AnyArray::from(text))?;
            }
        }
        self.call_postprocess()
    }

    /// Moves what has a name at the destination out of the way, and notes what is made.
    fn make_room(&mut self, name: &str) -> Result<()> {
        if self.to.child_link(name)?.is_some() {
            let mut old = format!(".{name}.old");
            while self.to.child_link(&old)?.is_some() || self.from.child_link(&old)?.is_some() {
                old.push('+');
            }
            self.to.move_child(name, &*self.to, &old)?;
            self.undo.displaced.push((name.to_owned(), old));
        }
        self.undo.made.push(name.to_owned());
        Ok(())
    }

    fn remember(&mut self, path: &str) {
        if self.options.postprocess.is_some() {
            self.order.push(path.to_owned());
        }
    }

    /// Copies one name. Returns the groups to go into, if it is a new group.
    fn child(&mut self, from: &GroupRef, to: &GroupRef, name: &str, full: &str) -> Result<Option<(GroupRef, GroupRef)>> {
        let Some(node) = from.open_child(name)? else {
            self.link(from, to, name, full)?;
            return Ok(None);
        };
        let id = node.object().id()?;
        if let Some(why) = self.lacking(to, &node, name, &id)? {
            self.report.lose(full, why);
            return Ok(None);
        }
        if let Some(first) = self.seen.get(&id) {
            let copy = self.open(&self.to, first)?;
            to.new_link(name, NewLink::Hard(&copy))?;
            self.report.links += 1;
            return Ok(None);
        }
        to.check_allowed(&|| path::join(&to.name(), name), !matches!(node, Node::Group(_)))?;
        self.seen.insert(id, full.to_owned());
        self.remember(full);
        match &node {
            Node::Group(group) => {
                let copy = to.new_group(name, &group.group_spec()?)?;
                self.report.groups += 1;
                self.attributes(group.attrs(), copy.attrs(), full)?;
                return Ok(Some((group.clone(), copy)));
            }
            Node::Datatype(datatype) => {
                let copy = to.new_datatype(name, &datatype.committed_dtype()?)?;
                self.report.datatypes += 1;
                self.attributes(datatype.attrs(), copy.attrs(), full)?;
            }
            Node::Dataset(dataset) => {
                if self.options.shallow || self.shared.contains(&id) {
                    share(to, name, &node)?;
                    self.report.datasets += 1;
                } else {
                    let copy = self.dataset(dataset, to, name, full, id)?;
                    self.attributes(dataset.attrs(), copy.attrs(), full)?;
                }
            }
        }
        Ok(None)
    }

    /// Why the destination cannot hold an object, or one more name of it.
    fn lacking(&self, to: &GroupRef, node: &Node, name: &str, id: &ObjectId) -> Result<Option<String>> {
        let lacks = |feature: &Feature<'_>| to.lacks(feature);
        if let Some(why) = lacks(&Feature::Name(name)) {
            return Ok(Some(format!("{why}; it is not copied")));
        }
        if let Some(first) = self.seen.get(id) {
            return Ok(lacks(&Feature::HardLinks).map(|why| format!("{why}; it is one more name of '{first}', which is copied")));
        }
        Ok(match node {
            Node::Group(_) => None,
            Node::Datatype(_) => lacks(&Feature::CommittedTypes),
            Node::Dataset(dataset) => match dataset.extent()? {
                None => lacks(&Feature::NullDatasets),
                Some(_) => lacks(&Feature::Dtype(&dataset.dtype()?)),
            },
        }
        .map(|why| format!("{why}; it is not copied")))
    }

    fn link(&mut self, from: &GroupRef, to: &GroupRef, name: &str, full: &str) -> Result<()> {
        match from.child_link(name)? {
            Some(Link::Soft { target }) => {
                if let Some(why) = to.lacks(&Feature::SoftLinks) {
                    self.report.lose(full, format!("{why}; it leads to '{target}'"));
                    return Ok(());
                }
                let target = self.repoint_soft(target, full);
                to.new_link(name, NewLink::Soft(&target))?;
            }
            Some(Link::External { file, target }) if to.lacks(&Feature::ExternalLinks).is_some() => {
                let why = to.lacks(&Feature::ExternalLinks).unwrap_or_default();
                self.report.lose(full, format!("{why}; it leads to '{target}' in the file '{file}'"));
                return Ok(());
            }
            Some(Link::External { file, target }) => to.new_link(name, NewLink::External { file: &file, target: &target })?,
            Some(Link::Hard) => bail!(Corrupt, "the link '{name}' leads to nothing"),
            // A name policy hides it.
            None => return Ok(()),
        }
        self.report.links += 1;
        Ok(())
    }

    /// The target of a soft link at the new place. A relative one is relative to the group that holds the link, and stays.
    fn repoint_soft(&mut self, target: String, full: &str) -> String {
        let (from, to) = (self.from.name(), self.to.name());
        if !path::is_absolute(&target) || from == to || to.is_empty() {
            return target;
        }
        let normal = path::join("/", &target);
        match path::relative_to(&normal, &from).filter(|_| !from.is_empty()) {
            Some(rest) => path::join(&to, rest),
            None => {
                if !self.same_tree {
                    self.report.lose(full, format!("the soft link leads to '{target}', which is not copied"));
                }
                target
            }
        }
    }

    fn attributes(&mut self, from: &dyn Attributes, to: &dyn Attributes, path: &str) -> Result<()> {
        self.some_attributes(from, to, path, 0, false)
    }

    fn some_attributes(
        &mut self,
        from: &dyn Attributes,
        to: &dyn Attributes,
        path: &str,
        first: usize,
        with_references: bool,
    ) -> Result<()> {
        for (at, name) in from.attr_names()?.iter().enumerate().skip(first) {
            let copy = |this: &mut Self| -> Result<bool> {
                let Some(value) = from.attr_read(name)? else { return Ok(true) };
                if let Some(why) = this.to.lacks(&Feature::Dtype(value.dtype())) {
                    this.report.lose(&format!("{path}@{name}"), why);
                    return Ok(true);
                }
                if value.dtype().has_references() && !with_references {
                    // This one and those behind it come last, so that their order stays.
                    this.deferred.push(Deferred::Attributes { path: path.to_owned(), from: at });
                    return Ok(false);
                }
                let place = format!("{path}@{name}");
                let mut new = this.options.attribute_strings.convert(&value)?;
                if new.dtype() != value.dtype() {
                    this.report.convert(&place, format!("{} to {}", value.dtype(), new.dtype()));
                }
                if new.dtype().has_references() {
                    new = this.repoint(&new, &place)?;
                }
                if path.is_empty() {
                    this.undo.attributes.push((name.clone(), to.attr_read(name)?));
                }
                to.attr_write(name, &new)?;
                this.report.attributes += 1;
                Ok(true)
            };
            if !copy(self).with_context(|| (from.attr_owner(), format!("copy the attribute '{name}'")))? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn dataset(&mut self, from: &DatasetRef, to: &GroupRef, name: &str, full: &str, id: ObjectId) -> Result<DatasetRef> {
        self.tell(full)?;
        let mut spec = from.spec()?;
        let selection = self.selections.get(&id).cloned();
        if let Some(selection) = &selection {
            let old = spec.shape.clone();
            adapt::select(&mut spec, selection)?;
            self.report
                .convert(full, format!("a selection: shape {:?} of {:?}", spec.shape.as_deref().unwrap_or(&[]), old.unwrap_or_default()));
        }
        let before = spec.clone();
        for note in adapt::override_layout(&mut spec, full, &self.options.overrides)? {
            self.report.lose(full, note);
        }
        if spec.layout != before.layout || spec.filters != before.filters {
            let list = |s: &DatasetSpec| s.filters.iter().map(|f| f.name()).collect::<Vec<_>>().join("+");
            let what = format!("layout {:?} to {:?}, filters '{}' to '{}'", before.layout, spec.layout, list(&before), list(&spec));
            self.report.convert(full, what);
        }
        if spec.filters == before.filters {
            for note in adapt::known_filters(&mut spec, &**to) {
                self.report.lose(full, note);
            }
        }
        let selection = selection.unwrap_or(Selection::All);
        let conversion = self.options.dataset_strings;
        if let Some(MemDataset::Distributed(spread)) = MemDataset::from_dyn(&**from)
            && let Some(group) = to.as_any().downcast_ref::<MemGroup>()
            && let Some(made) = spread.copy_part(group, name, &spec, &selection, self.options.force_copy)?
        {
            if conversion.changes(&spec.dtype) {
                return Err(error!(Unsupported, "the texts of a distributed dataset are not converted by a copy within memory")
                    .remedy("copy without the conversion, and convert when the tree is saved"));
            }
            self.count(&made.local_data()?, full)?;
            self.report.datasets += 1;
            return Ok(Arc::new(made));
        }
        let pieces = self.pieces(from, &selection)?;
        if conversion.changes(&spec.dtype) {
            let old = std::mem::replace(&mut spec.dtype, self.converted_type(from, pieces.as_deref().unwrap_or(&[]), &spec.fill)?);
            self.report.convert(full, format!("{old} to {}", spec.dtype));
            spec.fill = match spec.fill {
                Fill::Value(value) => Fill::Value(strings::apply(&value, &spec.dtype)?),
                other => other,
            };
        }
        if let Fill::Value(value) = &spec.fill
            && value.dtype().has_references()
        {
            spec.fill = Fill::Value(self.repoint(value, full)?);
        }
        // What `validate` refuses in the source's own words would name the wrong culprit here, so the spec is checked as a new one.
        spec.validate()?;
        if let Some(make) = &mut self.options.elsewhere
            && let Some(made) = make(&NewCopy { from, to, name, path: full, spec: &spec, selection: &selection })?
        {
            self.report.datasets += 1;
            return Ok(made);
        }
        let later = spec.dtype.has_references();
        if let (false, Some(1)) = (later, pieces.as_ref().map(Vec::len)) {
            let data = self.read(from, &selection, &spec.dtype)?;
            self.count(&data, full)?;
            let made = to.new_dataset(name, &spec, Some(data))?;
            self.report.datasets += 1;
            return Ok(made);
        }
        let made = to.new_dataset(name, &spec, None)?;
        self.report.datasets += 1;
        if later {
            self.deferred.push(Deferred::Elements { path: full.to_owned() });
        } else if let Some(pieces) = pieces {
            self.elements(from, &made, &pieces, full)?;
        }
        Ok(made)
    }

    /// The pieces in which a dataset is copied; `None` if it has no elements to copy.
    fn pieces(&self, from: &DatasetRef, selection: &Selection) -> Result<Option<Vec<Piece>>> {
        let Some(shape) = from.extent()? else { return Ok(None) };
        if !self.both_on_disk {
            return Ok(Some(vec![Piece { from: selection.clone(), to: Selection::All }]));
        }
        let (itemsize, spec) = (from.dtype()?.itemsize(), from.spec()?);
        transfer::pieces(selection, &shape, itemsize, spec.chunks(), self.options.slab).map(Some)
    }

    /// The type with its strings converted, as long as the longest ones that are copied.
    fn converted_type(&self, from: &DatasetRef, pieces: &[Piece], fill: &Fill) -> Result<DType> {
        let (mut sizes, conversion) = (Sizes::default(), self.options.dataset_strings);
        if conversion != StringConversion::Variable {
            for piece in pieces {
                conversion.measure(&from.read_selection(&piece.from)?, &mut sizes);
            }
            if let Fill::Value(value) = fill {
                conversion.measure(value, &mut sizes);
            }
        }
        conversion.target(&from.dtype()?, &sizes)
    }

    fn read(&self, from: &DatasetRef, part: &Selection, dtype: &DType) -> Result<AnyArray> {
        let data = from.read_selection(part)?;
        if self.options.dataset_strings.changes(data.dtype()) {
            return strings::apply(&data, dtype);
        }
        if self.options.force_copy {
            let mut own = data.clone();
            own.raw_mut()?;
            return Ok(own);
        }
        Ok(data)
    }

    fn elements(&mut self, from: &DatasetRef, to: &DatasetRef, pieces: &[Piece], full: &str) -> Result<()> {
        let dtype = to.dtype()?;
        for piece in pieces {
            let mut data = self.read(from, &piece.from, &dtype)?;
            if data.dtype().has_references() {
                data = self.repoint(&data, full)?;
            }
            to.write_selection(&piece.to, &data)?;
            self.count(&data, full)?;
        }
        Ok(())
    }

    fn second_pass(&mut self) -> Result<()> {
        for what in std::mem::take(&mut self.deferred) {
            let (Deferred::Elements { path } | Deferred::Attributes { path, .. }) = &what;
            let (from, to) = (self.open(&self.from, path)?, self.open(&self.to, path)?);
            let place = from.name();
            let write = |this: &mut Self| match (&what, &from, &to) {
                (Deferred::Attributes { from: first, .. }, ..) => this.some_attributes(from.attrs(), to.attrs(), path, *first, true),
                (Deferred::Elements { .. }, Node::Dataset(from), Node::Dataset(to)) => {
                    let selection = this.selections.get(&from.id()?).cloned().unwrap_or(Selection::All);
                    match this.pieces(from, &selection)? {
                        Some(pieces) => this.elements(from, to, &pieces, path),
                        None => Ok(()),
                    }
                }
                _ => bail!(NotFound, "the copy of '{path}' was replaced while the copy went on"),
            };
            write(self).context(&place, "copy the object")?;
        }
        Ok(())
    }

    fn call_postprocess(&mut self) -> Result<()> {
        let Some(mut f) = self.options.postprocess.take() else { return Ok(()) };
        for path in std::mem::take(&mut self.order) {
            let from = self.open(&self.from, &path)?;
            f(&from, &self.open(&self.to, &path)?).context(&from.name(), "post-process the copied object")?;
        }
        Ok(())
    }

    fn count(&mut self, data: &AnyArray, path: &str) -> Result<()> {
        self.report.bytes += data.nbytes() as u64;
        self.done += data.nbytes() as u64;
        self.tell(path)
    }

    fn tell(&mut self, path: &str) -> Result<()> {
        if let Some(f) = &mut self.options.progress
            && f(self.done, self.total.max(self.done), path) == ControlFlow::Break(())
        {
            bail!(Cancelled, "the copy was cancelled after {} of {} bytes", self.done, self.total);
        }
        Ok(())
    }

    /// Takes back what was done. Failures are not reported: the one that led here is.
    fn roll_back(&mut self) {
        for name in self.undo.made.iter().rev() {
            let _ = self.to.unlink(name);
        }
        for (name, old) in self.undo.displaced.iter().rev() {
            let _ = self.to.move_child(old, &*self.to, name);
        }
        for (name, value) in self.undo.attributes.iter().rev() {
            let _ = match value {
                Some(value) => self.to.attrs().attr_write(name, value),
                None => self.to.attrs().attr_delete(name).map(|_| ()),
            };
        }
    }
}
