//! Runs a program on a real tree and tells what each operation gave.

use crate::program::{NAMES, Op, PATHS, SHAPES};
use memh5::contract::{Backend, Random, Targets, random_selection, sample};
use memh5::tree::{GroupRef, GroupSpec, Mode, Node, ObjectId, ObjectRef};
use memh5::{AnyArray, DType, Error, Result, prelude::*};
use std::collections::HashMap;

/// What an operation gave: a text, or the kind of its error.
pub type Outcome = std::result::Result<String, memh5::ErrorKind>;

pub struct Machine<'b> {
    pub backend: &'b dyn Backend,
    pub root: GroupRef,
    held: Vec<Option<Node>>,
    /// The targets of references, kept open: HDF5's references hold an address, and that of a deleted object is used again.
    targets: Vec<Node>,
    dtypes: &'b [DType],
}

/// The dtypes of the programs.
pub fn dtypes() -> Vec<DType> {
    let wanted = ["|u1", "<i4", ">i2", "<f8", "bool", "str", "|S5", "vlen(<i4)"];
    let all = memh5::contract::dtypes().expect("the dtypes");
    let mut out: Vec<DType> =
        wanted.iter().map(|w| all.iter().find(|(n, _)| n == w).unwrap_or_else(|| panic!("no {w}")).1.clone()).collect();
    out.push(DType::compound_aligned([("n", DType::I8), ("t", DType::STR), ("x", DType::F64)]).expect("a compound"));
    out
}

impl<'b> Machine<'b> {
    pub fn new(backend: &'b dyn Backend, dtypes: &'b [DType]) -> Self {
        Self { backend, root: backend.fresh().expect("a fresh tree"), held: Vec::new(), targets: Vec::new(), dtypes }
    }

    /// Runs one operation.
    pub fn run(&mut self, op: &Op) -> Outcome {
        self.step(op).map_err(|e: Error| e.kind())
    }

    fn step(&mut self, op: &Op) -> Result<String> {
        let root = self.root.clone();
        let none = Targets::default();
        Ok(match op {
            Op::CreateGroup { path, tracked } => {
                let mut spec = GroupSpec::default();
                spec.track_order = *tracked;
                root.create_group_with(PATHS[*path], &spec)?.name()
            }
            Op::RequireGroup { path } => root.require_group(PATHS[*path])?.name(),
            Op::CreateDataset { path, dtype, shape, seed, grows, fill, overwrite } => {
                let dtype = &self.dtypes[*dtype];
                let mut builder = root.create_dataset(PATHS[*path]).overwrite(*overwrite);
                if *grows {
                    builder = builder.maxshape(vec![None; SHAPES[*shape].len()]);
                }
                if *fill {
                    builder = builder.fill_value(sample(dtype, &[], seed + 1, &none)?);
                }
                builder.write(sample(dtype, SHAPES[*shape], *seed, &none)?)?.name()
            }
            Op::CreateNull { path, dtype } => root.create_dataset(PATHS[*path]).dtype(self.dtypes[*dtype].clone()).null().create()?.name(),
            Op::RequireDataset { path, dtype, shape } => root.require_dataset(PATHS[*path], SHAPES[*shape], &self.dtypes[*dtype])?.name(),
            Op::Commit { path, dtype } => root.commit_datatype(PATHS[*path], &self.dtypes[*dtype])?.name(),
            Op::LinkHard { target, path } => root.link_hard(PATHS[*target], PATHS[*path]).map(|()| String::new())?,
            Op::LinkSoft { target, path } => root.link_soft(PATHS[*target], PATHS[*path]).map(|()| String::new())?,
            Op::Delete { path } => root.delete(PATHS[*path]).map(|()| String::new())?,
            Op::Rename { from, to } => root.rename(PATHS[*from], PATHS[*to]).map(|()| String::new())?,
            Op::Write { path, seed, dtype } => {
                let d = root.dataset(PATHS[*path])?;
                write(&d, *seed, dtype.map(|t| &self.dtypes[t]))?;
                show(&d.read_array()?, &HashMap::new())
            }
            Op::Resize { path, shape } => {
                let d = root.dataset(PATHS[*path])?;
                d.resize(SHAPES[*shape])?;
                show(&d.read_array()?, &HashMap::new())
            }
            Op::Append { path, seed } => {
                let d = root.dataset(PATHS[*path])?;
                let shape = d.shape()?;
                let rows: Vec<usize> = shape.iter().enumerate().map(|(k, n)| if k == 0 { 2 } else { *n }).collect();
                d.append(sample(&d.dtype()?, &rows, *seed, &none)?)?;
                show(&d.read_array()?, &HashMap::new())
            }
            Op::SetAttr { path, name, dtype, shape, seed } => {
                let node = root.get(PATHS[*path])?;
                node.attrs().set(NAMES[*name], sample(&self.dtypes[*dtype], SHAPES[*shape], *seed, &none)?)?;
                format!("{:?}", node.attrs().keys()?)
            }
            Op::SetRef { path, target } => {
                let node = root.get(PATHS[*path])?;
                let target = root.get(PATHS[*target])?;
                let r = target.object().reference()?;
                self.targets.push(target);
                node.attrs().set("ref", r.clone())?;
                let same = node.attrs().get::<ObjectRef>("ref")? == r;
                format!("{same}")
            }
            Op::DeleteAttr { path, name } => {
                let node = root.get(PATHS[*path])?;
                node.attrs().delete(NAMES[*name])?;
                format!("{:?}", node.attrs().keys()?)
            }
            Op::Read { path, seed } => {
                let d = root.dataset(PATHS[*path])?;
                let selection = random_selection(&d.shape()?, &mut Random::new(*seed));
                show(&d.read_slice::<AnyArray>(selection)?, &HashMap::new())
            }
            Op::Look { path } => {
                let found = root.contains(PATHS[*path])?;
                let link = root.link(PATHS[*path]).map_err(|e| e.kind());
                match root.get(PATHS[*path]) {
                    Ok(node) => format!("{found} {link:?} {}", self.describe(&node)?),
                    Err(e) => format!("{found} {link:?} {:?}", e.kind()),
                }
            }
            Op::Hold { path } => {
                let node = root.get(PATHS[*path])?;
                let kind = node.kind().to_owned();
                self.held.push(Some(node));
                kind
            }
            Op::UseHeld { which } => match self.held.get(*which).cloned().flatten() {
                Some(node) => format!("{:?} {}", node.name(), self.describe(&node)?),
                None => String::new(),
            },
            Op::WriteHeld { which, seed } => match self.held.get(*which).cloned().flatten() {
                Some(Node::Dataset(d)) => {
                    write(&d, *seed, None)?;
                    show(&d.read_array()?, &HashMap::new())
                }
                Some(Node::Group(g)) => {
                    g.attrs().set("held", *seed)?;
                    g.create_group("held")?.name()
                }
                _ => String::new(),
            },
            Op::Visit => picture(&root)?,
            Op::Reopen => {
                drop_dangling(&root)?;
                self.held.clear();
                self.targets.clear();
                drop(root);
                if self.backend.capabilities().persistent {
                    let root = std::mem::replace(&mut self.root, self.backend.fresh()?);
                    self.root = self.backend.reopen(root, Mode::ReadWrite)?;
                }
                self.targets = referred(&self.root)?;
                picture(&self.root)?
            }
        })
    }

    /// Kind and content of an object.
    fn describe(&self, node: &Node) -> Result<String> {
        let attrs = node.attrs().items()?;
        let attrs: Vec<String> = attrs.iter().map(|(n, v)| format!("{n}={}", show(v, &HashMap::new()))).collect();
        Ok(match node {
            Node::Group(g) => format!("group {:?} {attrs:?}", g.keys()?),
            Node::Dataset(d) => format!("dataset {:?} {} {attrs:?}", d.extent()?, show(&d.read_array()?, &HashMap::new())),
            Node::Datatype(t) => format!("datatype {} {attrs:?}", t.committed_dtype()?),
            _ => "unknown".to_owned(),
        })
    }
}

/// Deletes the attributes that refer to what was deleted.
fn drop_dangling(root: &GroupRef) -> Result<()> {
    let clean = |attrs: &dyn memh5::tree::Attributes| -> Result<()> {
        match attrs.get::<ObjectRef>("ref").and_then(|r| r.open()) {
            Err(e) if e.kind() == memh5::ErrorKind::NotFound && attrs.contains("ref")? => attrs.delete("ref"),
            _ => Ok(()),
        }
    };
    clean(root.attrs())?;
    root.visit::<()>(|_, node| clean(node.attrs()).map(|()| None))?;
    Ok(())
}

/// The objects that stored references lead to: kept open, so that no later object takes the address of a deleted one.
fn referred(root: &GroupRef) -> Result<Vec<Node>> {
    let mut targets = Vec::new();
    let mut follow = |attrs: &dyn memh5::tree::Attributes| {
        targets.extend(attrs.get::<ObjectRef>("ref").and_then(|r| r.open()));
    };
    follow(root.attrs());
    root.visit::<()>(|_, node| {
        follow(node.attrs());
        Ok(None)
    })?;
    Ok(targets)
}

fn write(d: &memh5::tree::DatasetRef, seed: u64, dtype: Option<&DType>) -> Result<()> {
    let shape = d.shape()?;
    let selection = random_selection(&shape, &mut Random::new(seed));
    let wanted = selection.resolve(&shape)?.shape();
    let stored = d.dtype()?;
    d.write_slice(&selection, sample(dtype.unwrap_or(&stored), &wanted, seed, &Targets::default())?)
}

/// An array as text, with references by the paths of their targets.
pub fn show(array: &AnyArray, paths: &HashMap<ObjectId, String>) -> String {
    if array.dtype() == &DType::ObjectRef {
        let refs = array.to_references().expect("references");
        let text: Vec<String> = refs
            .iter()
            .map(|r| match r.open() {
                Ok(node) => node.object().id().ok().and_then(|id| paths.get(&id).cloned()).unwrap_or_else(|| "some".to_owned()),
                Err(e) => format!("{:?}", e.kind()),
            })
            .collect();
        return format!("{text:?}");
    }
    let elements: Vec<String> = array.elements().map(|e| e.to_string()).collect();
    format!("{} {:?} {}", array.dtype(), array.extent(), elements.join(","))
}

/// The whole tree as text.
pub fn picture(root: &GroupRef) -> Result<String> {
    let mut paths = HashMap::from([(root.id()?, "/".to_owned())]);
    root.visit::<()>(|path, node| {
        paths.insert(node.object().id()?, path.to_owned());
        Ok(None)
    })?;
    let attrs = |node: &dyn memh5::tree::Attributes| -> Result<String> {
        Ok(node.items()?.iter().map(|(n, v)| format!(" @{n}={}", show(v, &paths))).collect::<String>())
    };
    let mut out = format!("/ {:?}{}\n", root.keys()?, attrs(root.attrs())?);
    root.visit::<()>(|path, node| {
        let text = match node {
            Node::Group(g) => {
                let mut names = Vec::new();
                for name in g.keys()? {
                    let id = match g.open_child(&name)? {
                        Some(child) => paths.get(&child.object().id()?).cloned().unwrap_or_default(),
                        None => format!("{:?}", g.link(&name)?),
                    };
                    names.push(format!("{name}->{id}"));
                }
                format!("group {:?} {names:?}", g.group_spec()?.track_order)
            }
            Node::Dataset(d) => {
                let spec = d.spec()?;
                format!("{} {:?} {:?} {:?} {}", d.dtype()?, d.extent()?, spec.maxshape, spec.fill, show(&d.read_array()?, &paths))
            }
            Node::Datatype(t) => format!("datatype {}", t.committed_dtype()?),
            _ => String::new(),
        };
        out.push_str(&format!("{path} {text}{}\n", attrs(node.attrs())?));
        Ok(None)
    })?;
    Ok(out)
}
