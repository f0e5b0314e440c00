//! The simple model: nodes in a list, names in maps, arrays in memory. What it does not know it does not predict.

use crate::program::{NAMES, Op, PATHS, SHAPES};
use memh5::contract::{Random, Targets, random_selection, sample};
use memh5::dtype::can_cast;
use memh5::{AnyArray, Cast, DType, ErrorKind};
use std::collections::BTreeMap;

type Outcome = std::result::Result<String, ErrorKind>;

#[derive(Clone, Debug)]
enum Name {
    Hard(usize),
    Soft(String),
}

#[derive(Clone, Debug)]
enum Kind {
    Group { names: Vec<(String, Name)>, tracked: bool },
    Dataset { value: AnyArray, grows: bool, fill: Option<AnyArray> },
    Datatype,
}

#[derive(Clone, Debug)]
struct Node {
    kind: Kind,
    attrs: BTreeMap<String, Option<AnyArray>>,
}

/// A tree that is easy to believe.
pub struct Simple<'d> {
    nodes: Vec<Node>,
    dtypes: &'d [DType],
    held: Vec<Option<usize>>,
    /// After an operation that the model does not know it predicts nothing any more.
    lost: bool,
}

fn group(tracked: bool) -> Node {
    Node { kind: Kind::Group { names: Vec::new(), tracked }, attrs: BTreeMap::new() }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|p| !p.is_empty()).collect()
}

fn check_new(name: &str) -> Result<(), ErrorKind> {
    if name == "." || name == ".." { Err(ErrorKind::InvalidName) } else { Ok(()) }
}

impl<'d> Simple<'d> {
    pub fn new(dtypes: &'d [DType]) -> Self {
        Self { nodes: vec![group(false)], dtypes, held: Vec::new(), lost: false }
    }

    fn name(&self, of: usize, name: &str) -> Option<&Name> {
        match &self.nodes[of].kind {
            Kind::Group { names, .. } => names.iter().find(|(n, _)| n == name).map(|(_, l)| l),
            _ => None,
        }
    }

    fn is_group(&self, at: usize) -> bool {
        matches!(self.nodes[at].kind, Kind::Group { .. })
    }

    fn step(&self, from: usize, part: &str, links: &mut u32) -> Result<usize, ErrorKind> {
        match self.name(from, part) {
            None => Err(ErrorKind::NotFound),
            Some(Name::Hard(to)) => Ok(*to),
            Some(Name::Soft(target)) => {
                *links += 1;
                if *links > 40 {
                    return Err(ErrorKind::NotFound);
                }
                let start = if target.starts_with('/') { 0 } else { from };
                self.walk(start, &parts(target), links)
            }
        }
    }

    fn walk(&self, mut at: usize, parts: &[&str], links: &mut u32) -> Result<usize, ErrorKind> {
        for part in parts {
            at = self.step(at, part, links)?;
        }
        Ok(at)
    }

    fn get(&self, path: &str) -> Result<usize, ErrorKind> {
        if path.is_empty() || path.contains('\0') {
            return Err(ErrorKind::InvalidName);
        }
        self.walk(0, &parts(path), &mut 0)
    }

    /// The group of the last name of a path that is to be there.
    fn parent<'p>(&self, path: &'p str) -> Result<(usize, &'p str), ErrorKind> {
        if path.contains('\0') {
            return Err(ErrorKind::InvalidName);
        }
        let all = parts(path);
        let Some((last, before)) = all.split_last() else { return Err(ErrorKind::InvalidName) };
        let parent = self.walk(0, before, &mut 0)?;
        if self.is_group(parent) { Ok((parent, last)) } else { Err(ErrorKind::NotFound) }
    }

    /// The group for a new name; those on the way are made by the second half, [`Simple::make_way`].
    fn plan<'p>(&self, path: &'p str) -> Result<(usize, Vec<&'p str>, &'p str), ErrorKind> {
        if path.contains('\0') {
            return Err(ErrorKind::InvalidName);
        }
        let all = parts(path);
        let Some((last, before)) = all.split_last() else {
            return Err(if path.starts_with('/') { ErrorKind::AlreadyExists } else { ErrorKind::InvalidName });
        };
        check_new(last)?;
        let mut here = 0;
        for (at, part) in before.iter().enumerate() {
            match self.step(here, part, &mut 0) {
                Ok(next) if self.is_group(next) => here = next,
                Ok(_) => return Err(ErrorKind::NotAGroup),
                Err(_) if self.name(here, part).is_some() => return Err(ErrorKind::NotFound),
                Err(_) => {
                    before[at..].iter().try_for_each(|p| check_new(p))?;
                    return Ok((here, before[at..].to_vec(), last));
                }
            }
        }
        if self.name(here, last).is_some() { Err(ErrorKind::AlreadyExists) } else { Ok((here, Vec::new(), last)) }
    }

    fn put(&mut self, at: usize, name: &str, link: Name) {
        if let Kind::Group { names, .. } = &mut self.nodes[at].kind {
            names.retain(|(n, _)| n != name);
            names.push((name.to_owned(), link));
        }
    }

    fn remove(&mut self, at: usize, name: &str) -> Option<Name> {
        let Kind::Group { names, .. } = &mut self.nodes[at].kind else { return None };
        let found = names.iter().position(|(n, _)| n == name)?;
        Some(names.remove(found).1)
    }

    fn make_way(&mut self, mut here: usize, way: &[&str]) -> usize {
        for part in way {
            let new = self.add(group(false));
            self.put(here, part, Name::Hard(new));
            here = new;
        }
        here
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn create(&mut self, path: &str, node: Node) -> Result<(), ErrorKind> {
        let (here, way, last) = self.plan(path)?;
        let here = self.make_way(here, &way);
        let new = self.add(node);
        self.put(here, last, Name::Hard(new));
        Ok(())
    }

    fn keys(&self, at: usize) -> Vec<String> {
        let Kind::Group { names, tracked } = &self.nodes[at].kind else { return Vec::new() };
        let mut keys: Vec<String> = names.iter().map(|(n, _)| n.clone()).collect();
        if !tracked {
            keys.sort_unstable();
        }
        keys
    }

    fn dataset(&mut self, path: &str) -> Result<usize, ErrorKind> {
        let at = self.get(path)?;
        if matches!(self.nodes[at].kind, Kind::Dataset { .. }) { Ok(at) } else { Err(ErrorKind::NotADataset) }
    }

    /// All the groups below and including one.
    fn below(&self, at: usize, seen: &mut Vec<usize>) {
        if seen.contains(&at) {
            return;
        }
        seen.push(at);
        if let Kind::Group { names, .. } = &self.nodes[at].kind {
            for (_, link) in names {
                if let Name::Hard(to) = link {
                    self.below(*to, seen);
                }
            }
        }
    }

    /// True if no object has more than one hard link.
    fn single_names(&self) -> bool {
        let mut seen = vec![0];
        let links = self.nodes.iter().flat_map(|n| match &n.kind {
            Kind::Group { names, .. } => names.iter().map(|(_, l)| l).collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        for link in links {
            if let Name::Hard(to) = link {
                if seen.contains(to) {
                    return false;
                }
                seen.push(*to);
            }
        }
        true
    }

    /// What an operation gives; `None` where the model does not know. The outcomes of successful calls that name objects are not
    /// predicted word by word: the text is empty then, and only success counts.
    pub fn run(&mut self, op: &Op) -> Option<Expected> {
        if self.lost {
            return None;
        }
        let expected = self.predict(op);
        self.lost = expected.is_none();
        expected
    }

    fn predict(&mut self, op: &Op) -> Option<Expected> {
        let none = Targets::default();
        let dtypes = self.dtypes;
        let draw = |dtype: &DType, shape: &[usize], seed: u64| sample(dtype, shape, seed, &none).expect("a sample");
        Some(match op {
            Op::CreateGroup { path, tracked } => Expected::of(self.create(PATHS[*path], group(*tracked))),
            Op::RequireGroup { path } => Expected::of(match self.get(PATHS[*path]) {
                Ok(at) if self.is_group(at) => Ok(()),
                Ok(_) => Err(ErrorKind::NotAGroup),
                Err(ErrorKind::NotFound) => self.create(PATHS[*path], group(false)),
                Err(e) => Err(e),
            }),
            Op::CreateDataset { path, dtype, shape, seed, grows, fill, overwrite } => {
                let value = draw(&dtypes[*dtype], SHAPES[*shape], *seed);
                let fill = fill.then(|| draw(&dtypes[*dtype], &[], seed + 1));
                let node = Node { kind: Kind::Dataset { value, grows: *grows, fill }, attrs: BTreeMap::new() };
                if let (true, Ok((parent, last))) = (*overwrite, self.parent(PATHS[*path]))
                    && self.name(parent, last).is_some()
                {
                    let new = self.add(node);
                    self.put(parent, last, Name::Hard(new));
                    return Some(Expected::of(Ok(())));
                }
                Expected::of(self.create(PATHS[*path], node))
            }
            Op::CreateNull { path, dtype } => {
                let kind = Kind::Dataset { value: AnyArray::null(dtypes[*dtype].clone()), grows: false, fill: None };
                Expected::of(self.create(PATHS[*path], Node { kind, attrs: BTreeMap::new() }))
            }
            Op::Commit { path, .. } => Expected::of(self.create(PATHS[*path], Node { kind: Kind::Datatype, attrs: BTreeMap::new() })),
            Op::LinkHard { target, path } => Expected::of(self.get(PATHS[*target]).and_then(|to| {
                let (here, way, last) = self.plan(PATHS[*path])?;
                let here = self.make_way(here, &way);
                self.put(here, last, Name::Hard(to));
                Ok(())
            })),
            Op::LinkSoft { target, path } => {
                let target = PATHS[*target];
                if target.is_empty() || target.contains('\0') {
                    return Some(Expected::of(Err(ErrorKind::InvalidName)));
                }
                Expected::of(self.plan(PATHS[*path]).map(|(here, way, last)| {
                    let here = self.make_way(here, &way);
                    self.put(here, last, Name::Soft(target.to_owned()));
                }))
            }
            Op::Delete { path } => {
                Expected::of(self.parent(PATHS[*path]).and_then(|(at, last)| self.remove(at, last).map(drop).ok_or(ErrorKind::NotFound)))
            }
            Op::Rename { from, to } => return self.rename(PATHS[*from], PATHS[*to]).map(Expected::of),
            Op::Write { path, seed, dtype } => match self.dataset(PATHS[*path]) {
                Ok(at) => self.write(at, *seed, dtype.map(|t| &dtypes[t])),
                Err(e) => Expected::of(Err(e)),
            },
            Op::RequireDataset { path, dtype, shape } => Expected::of(match self.dataset(PATHS[*path]) {
                Ok(at) => {
                    let Kind::Dataset { value, .. } = &self.nodes[at].kind else { return None };
                    match value.extent() {
                        Some(there) if there == SHAPES[*shape] => {
                            if can_cast(&dtypes[*dtype], value.dtype()) {
                                Ok(())
                            } else {
                                Err(ErrorKind::Dtype)
                            }
                        }
                        _ => Err(ErrorKind::Shape),
                    }
                }
                Err(ErrorKind::NotFound) => {
                    let value = AnyArray::zeros(dtypes[*dtype].clone(), SHAPES[*shape]).expect("zeros");
                    let kind = Kind::Dataset { value, grows: false, fill: None };
                    self.create(PATHS[*path], Node { kind, attrs: BTreeMap::new() })
                }
                Err(e) => Err(e),
            }),
            Op::Resize { path, shape } => Expected::of(self.dataset(PATHS[*path]).and_then(|at| {
                let Kind::Dataset { value, grows, fill } = &mut self.nodes[at].kind else { return Err(ErrorKind::NotADataset) };
                let Some(old) = value.extent() else { return Err(ErrorKind::Shape) };
                if old.len() != SHAPES[*shape].len() || (old != SHAPES[*shape] && !*grows) {
                    return Err(ErrorKind::Shape);
                }
                value.resize(SHAPES[*shape], fill.as_ref()).map_err(|e| e.kind())
            })),
            Op::Append { path, seed } => Expected::of(self.dataset(PATHS[*path]).and_then(|at| {
                let Kind::Dataset { value, grows, .. } = &mut self.nodes[at].kind else { return Err(ErrorKind::NotADataset) };
                if value.is_null() || value.is_scalar() || !*grows {
                    return Err(ErrorKind::Shape);
                }
                let mut rows = value.shape().to_vec();
                rows[0] = 2;
                let rows = draw(value.dtype(), &rows, *seed);
                value.append(&rows).map_err(|e| e.kind())
            })),
            Op::SetAttr { path, name, dtype, shape, seed } => Expected::of(self.get(PATHS[*path]).and_then(|at| {
                if NAMES[*name].is_empty() {
                    return Err(ErrorKind::InvalidName);
                }
                self.nodes[at].attrs.insert(NAMES[*name].to_owned(), Some(draw(&dtypes[*dtype], SHAPES[*shape], *seed)));
                Ok(())
            })),
            Op::SetRef { path, target } => Expected::of(self.get(PATHS[*path]).and_then(|at| {
                self.get(PATHS[*target])?;
                self.nodes[at].attrs.insert("ref".to_owned(), None);
                Ok(())
            })),
            Op::DeleteAttr { path, name } => Expected::of(self.get(PATHS[*path]).and_then(|at| match NAMES[*name] {
                "" => Err(ErrorKind::InvalidName),
                name => self.nodes[at].attrs.remove(name).map(drop).ok_or(ErrorKind::NotFound),
            })),
            Op::Read { path, seed } => match self.dataset(PATHS[*path]) {
                Err(e) => Expected::of(Err(e)),
                Ok(at) => {
                    let Kind::Dataset { value, .. } = &self.nodes[at].kind else { return None };
                    let Some(shape) = value.extent() else { return Some(Expected::of(Err(ErrorKind::Shape))) };
                    let part = value.select(random_selection(shape, &mut Random::new(*seed))).expect("a selection that fits");
                    Expected::text(crate::machine::show(&part, &Default::default()))
                }
            },
            Op::Look { path } => return self.look(PATHS[*path]),
            Op::Hold { path } => Expected::of(self.get(PATHS[*path]).map(|at| self.held.push(Some(at)))),
            Op::WriteHeld { which, seed } => match self.held.get(*which).copied().flatten() {
                Some(at) if self.is_group(at) => {
                    self.nodes[at].attrs.insert("held".to_owned(), Some(AnyArray::from(*seed)));
                    if self.name(at, "held").is_some() {
                        return Some(Expected::of(Err(ErrorKind::AlreadyExists)));
                    }
                    let new = self.add(group(false));
                    self.put(at, "held", Name::Hard(new));
                    Expected::of(Ok(()))
                }
                Some(at) if matches!(self.nodes[at].kind, Kind::Dataset { .. }) => self.write(at, *seed, None),
                _ => Expected::of(Ok(())),
            },
            Op::Reopen => {
                self.held.clear();
                Expected::of(Ok(()))
            }
            Op::UseHeld { .. } | Op::Visit => Expected::of(Ok(())),
        })
    }

    fn write(&mut self, at: usize, seed: u64, dtype: Option<&DType>) -> Expected {
        let Kind::Dataset { value, .. } = &mut self.nodes[at].kind else { return Expected::of(Err(ErrorKind::NotADataset)) };
        let Some(shape) = value.extent().map(<[usize]>::to_vec) else { return Expected::of(Err(ErrorKind::Shape)) };
        let selection = random_selection(&shape, &mut Random::new(seed));
        let wanted = selection.resolve(&shape).expect("it fits").shape();
        let mut data = sample(dtype.unwrap_or(value.dtype()), &wanted, seed, &Targets::default()).expect("a sample");
        if !data.dtype().same_values(value.dtype()) {
            match data.astype(value.dtype(), Cast::Exact) {
                Ok(converted) => data = converted,
                Err(e) => return Expected::of(Err(e.kind())),
            }
        }
        value.assign(&selection, &data).expect("it fits");
        Expected::text(crate::machine::show(value, &Default::default()))
    }

    fn rename(&mut self, from: &str, to: &str) -> Option<Result<(), ErrorKind>> {
        let (at, last) = match self.parent(from) {
            Ok(found) => found,
            Err(e) => return Some(Err(e)),
        };
        let Some(link) = self.name(at, last).cloned() else { return Some(Err(ErrorKind::NotFound)) };
        if let Ok((there, name)) = self.parent(to)
            && (there, name) == (at, last)
        {
            return Some(Ok(()));
        }
        if to.contains('\0') {
            return Some(Err(ErrorKind::InvalidName));
        }
        if let Some(Err(e)) = parts(to).last().map(|p| check_new(p)) {
            return Some(Err(e));
        }
        if let Name::Hard(moved) = link {
            // With several names of one group, whether it moves into itself is a matter of the names on the way.
            let mut below = Vec::new();
            self.below(moved, &mut below);
            let mut here = 0;
            for part in parts(to) {
                match self.step(here, part, &mut 0) {
                    Ok(next) if self.is_group(next) => here = next,
                    _ => break,
                }
            }
            if self.is_group(moved) && below.contains(&here) {
                return if self.single_names() { Some(Err(ErrorKind::InvalidArgument)) } else { None };
            }
        }
        Some(self.plan(to).map(|(here, way, new)| {
            let here = self.make_way(here, &way);
            self.remove(at, last);
            self.put(here, new, link);
        }))
    }

    fn look(&self, path: &str) -> Option<Expected> {
        if path.contains('\0') || path.is_empty() {
            return Some(Expected::of(Err(ErrorKind::InvalidName)));
        }
        let found = self.get(path);
        Some(Expected::Part(match found {
            Ok(at) => match &self.nodes[at].kind {
                Kind::Group { .. } => format!("group {:?} ", self.keys(at)),
                Kind::Dataset { value, .. } => {
                    format!("dataset {:?} {} ", value.extent(), crate::machine::show(value, &Default::default()))
                }
                Kind::Datatype => "datatype ".to_owned(),
            },
            Err(_) => "false ".to_owned(),
        }))
    }
}

/// What the model expects of an outcome.
#[derive(Debug, Clone)]
pub enum Expected {
    /// An error of that kind.
    Fails(ErrorKind),
    /// Success.
    Succeeds,
    /// Success with that text.
    Text(String),
    /// Success with that text somewhere in it.
    Part(String),
}

impl Expected {
    fn of(result: Result<(), ErrorKind>) -> Self {
        result.map_or_else(Self::Fails, |()| Self::Succeeds)
    }

    fn text(text: String) -> Self {
        Self::Text(text)
    }
}

impl PartialEq<Expected> for Outcome {
    fn eq(&self, wanted: &Expected) -> bool {
        match (self, wanted) {
            (Err(kind), Expected::Fails(wanted)) => kind == wanted,
            (Ok(_), Expected::Succeeds) => true,
            (Ok(text), Expected::Text(wanted)) => text == wanted,
            (Ok(text), Expected::Part(wanted)) => text.contains(wanted),
            _ => false,
        }
    }
}
