//! Digests: a SHA-256 over the elements of an array, the same on every backend, whatever their stored byte order and padding.

use super::group::{Group, Node, ObjectId};
use super::reference::ObjectRef;
use crate::array::{AnyArray, Item};
use crate::dtype::layout::trim_string;
use crate::dtype::{DType, Padding};
use crate::error::Result;
use crate::path;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The path at which a walk first meets each object: depth first, names by code point, hard links only.
#[derive(Debug)]
pub(crate) struct FirstPaths(HashMap<ObjectId, String>);

impl FirstPaths {
    /// Walks everything below the group, which itself has the path `/`.
    pub(crate) fn of(root: &dyn Group) -> Result<Self> {
        let mut paths = HashMap::from([(root.id()?, "/".to_owned())]);
        let mut stack = vec![(root.to_ref(), "/".to_owned(), names_from_last(root)?)];
        while let Some((group, base, names)) = stack.last_mut() {
            let Some(name) = names.pop() else {
                stack.pop();
                continue;
            };
            let Some(node) = group.open_child(&name)? else { continue };
            let full = path::join(base, &name);
            if let std::collections::hash_map::Entry::Vacant(place) = paths.entry(node.object().id()?) {
                place.insert(full.clone());
                if let Node::Group(child) = node {
                    let names = names_from_last(&*child)?;
                    stack.push((child, full, names));
                }
            }
        }
        Ok(Self(paths))
    }

    /// The text for a reference: its target's path, empty for the null reference, `?` for what is not in the tree.
    pub(crate) fn target(&self, reference: &ObjectRef) -> &str {
        match reference.id() {
            None => "",
            Some(id) => self.0.get(&id).map_or("?", String::as_str),
        }
    }
}

/// The names of a group by code point, the last one first, so that they can be popped in order.
pub(crate) fn names_from_last(group: &dyn Group) -> Result<Vec<String>> {
    let mut names = group.child_names()?;
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// [`FirstPaths`], found when the first reference asks for them.
#[derive(Debug)]
pub(crate) struct LazyPaths<'g> {
    root: &'g dyn Group,
    paths: Option<FirstPaths>,
}

impl<'g> LazyPaths<'g> {
    pub(crate) fn new(root: &'g dyn Group) -> Self {
        Self { root, paths: None }
    }

    pub(crate) fn get(&mut self) -> Result<&FirstPaths> {
        match &mut self.paths {
            Some(paths) => Ok(paths),
            empty => Ok(empty.insert(FirstPaths::of(self.root)?)),
        }
    }
}

/// What is done with a part of an element, at its offset.
#[derive(Debug)]
enum Step {
    /// These bytes as they are.
    Raw {
        offset: usize,
        len: usize,
    },
    /// These bytes from the last to the first: a number, on a machine that keeps the most significant byte first.
    Swapped {
        offset: usize,
        len: usize,
    },
    /// A fixed-length string that is not filled up with NULs, filled up with NULs.
    Fixed {
        offset: usize,
        len: usize,
        padding: Padding,
    },
    Str {
        offset: usize,
    },
    Seq {
        offset: usize,
        items: Plan,
    },
    Object {
        offset: usize,
    },
    Region {
        offset: usize,
    },
}

/// What is done with each element of a type.
#[derive(Debug)]
struct Plan {
    steps: Vec<Step>,
    itemsize: usize,
}

impl Plan {
    fn of(dtype: &DType) -> Self {
        let mut plan = Plan { steps: Vec::new(), itemsize: dtype.itemsize() };
        plan.add(dtype, 0);
        plan
    }

    fn raw(&mut self, offset: usize, len: usize) {
        match self.steps.last_mut() {
            Some(Step::Raw { offset: at, len: n }) if *at + *n == offset => *n += len,
            _ => self.steps.push(Step::Raw { offset, len }),
        }
    }

    fn number(&mut self, offset: usize, len: usize) {
        if cfg!(target_endian = "big") && len > 1 {
            self.steps.push(Step::Swapped { offset, len });
        } else {
            self.raw(offset, len);
        }
    }

    fn add(&mut self, dtype: &DType, offset: usize) {
        match dtype {
            DType::Int(_) | DType::BitField(_) | DType::Float(_) | DType::Enum(_) => self.number(offset, dtype.itemsize()),
            DType::Complex(t) => {
                self.number(offset, t.width.size());
                self.number(offset + t.width.size(), t.width.size());
            }
            DType::FixedString { size, padding: padding @ (Padding::NullTerm | Padding::SpacePad), .. } => {
                self.steps.push(Step::Fixed { offset, len: *size, padding: *padding });
            }
            DType::VarString { .. } => self.steps.push(Step::Str { offset }),
            DType::VarSeq(base) => self.steps.push(Step::Seq { offset, items: Plan::of(base) }),
            DType::ObjectRef => self.steps.push(Step::Object { offset }),
            DType::RegionRef => self.steps.push(Step::Region { offset }),
            DType::Compound(c) => c.fields().iter().for_each(|f| self.add(&f.dtype, offset + f.offset)),
            DType::Array { base, shape } => {
                let one = base.itemsize();
                if Plan::of(base).is_raw() {
                    return self.raw(offset, dtype.itemsize());
                }
                (0..shape.iter().product()).for_each(|i| self.add(base, offset + i * one));
            }
            DType::Bool | DType::FixedString { .. } | DType::Opaque { .. } | DType::Foreign(_) => self.raw(offset, dtype.itemsize()),
        }
    }

    /// True if the elements are their bytes.
    fn is_raw(&self) -> bool {
        matches!(self.steps[..], [Step::Raw { offset: 0, len }] if len == self.itemsize)
    }

    fn feed(&self, array: &AnyArray, sink: &mut dyn FnMut(&[u8]), paths: &mut LazyPaths) -> Result<()> {
        let (bytes, _) = array.raw();
        if self.is_raw() {
            sink(bytes);
            return Ok(());
        }
        for element in bytes.chunks_exact(self.itemsize.max(1)) {
            for step in &self.steps {
                step.feed(array, element, sink, paths)?;
            }
        }
        Ok(())
    }
}

impl Step {
    fn feed(&self, array: &AnyArray, element: &[u8], sink: &mut dyn FnMut(&[u8]), paths: &mut LazyPaths) -> Result<()> {
        match self {
            Step::Raw { offset, len } => sink(&element[*offset..offset + len]),
            Step::Swapped { offset, len } => element[*offset..offset + len].iter().rev().for_each(|b| sink(&[*b])),
            Step::Fixed { offset, len, padding } => {
                let text = trim_string(&element[*offset..offset + len], *padding);
                sink(text);
                sink(&vec![0; len - text.len()]);
            }
            Step::Str { offset } => {
                if let Some(Item::Str(text)) = array.item(element, *offset) {
                    sink(text);
                }
                sink(&[0]);
            }
            Step::Seq { offset, items } => match array.item(element, *offset) {
                Some(Item::Seq(sequence)) => {
                    sink(&(sequence.len() as u64).to_le_bytes());
                    items.feed(sequence, sink, paths)?;
                }
                _ => sink(&0u64.to_le_bytes()),
            },
            Step::Object { offset } => {
                if let Some(Item::Object(reference)) = array.item(element, *offset)
                    && !reference.is_null()
                {
                    sink(paths.get()?.target(reference).as_bytes());
                }
                sink(&[0]);
            }
            Step::Region { offset } => {
                let Some(Item::Region(reference)) = array.item(element, *offset) else {
                    sink(&[0]);
                    return Ok(());
                };
                let target = if reference.is_null() { "" } else { paths.get()?.target(&reference.target) };
                sink(target.as_bytes());
                sink(&[0]);
                if !matches!(target, "" | "?")
                    && let Some((first, last)) = reference.region.bounds()
                {
                    first.iter().chain(&last).for_each(|n| sink(&n.to_le_bytes()));
                }
            }
        }
        Ok(())
    }
}

/// A digest under way: arrays of one dtype, one after the other.
pub(crate) struct Digester {
    plan: Plan,
    sink: Sha256,
}

impl Digester {
    pub(crate) fn new(dtype: &DType) -> Self {
        Self { plan: Plan::of(dtype), sink: Sha256::new() }
    }

    /// Adds the elements of an array, which has the dtype.
    pub(crate) fn add(&mut self, array: &AnyArray, paths: &mut LazyPaths) -> Result<()> {
        let sink = &mut self.sink;
        self.plan.feed(array, &mut |bytes| sink.update(bytes), paths)
    }

    /// The digest in hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.sink.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// Hands the canonical bytes of an array's elements to a function: those that the digest is over. References need the paths.
pub(crate) fn canonical_bytes(array: &AnyArray, sink: &mut dyn FnMut(&[u8]), paths: &mut LazyPaths) -> Result<()> {
    Plan::of(array.dtype()).feed(array, sink, paths)
}
