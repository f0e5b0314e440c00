//! The machine-readable face of a tree: JSON Lines, one for each object, with a digest over each dataset's and each attribute's elements.
//!
//! `docs/dump.md` defines the lines. Two trees of equal content give equal lines, wherever they live.

use super::attributes::Attributes;
use super::blocks::Blocks;
use super::collective::{CollectiveCall, reading, several};
use super::dataset::Dataset;
use super::digest::{Digester, LazyPaths, names_from_last};
use super::group::{Group, Node, ObjectId};
use super::link::Link;
use crate::error::{Context, Error, ErrorKind, Result, error};
use crate::path;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::{self, Write};

/// What a dump shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DumpOptions {
    /// Also how datasets lie in the file: `maxshape`, `chunks`, `filters`.
    pub layout: bool,
}

impl DumpOptions {
    /// Also how datasets lie in the file.
    #[must_use]
    pub fn layout(mut self, layout: bool) -> Self {
        self.layout = layout;
        self
    }
}

/// Writes a line for the group and for every object below it: depth first, names by code point.
///
/// The paths are relative to the group. Soft and external links are told, not followed.
///
/// # Collective
/// All ranks call it, if they share the tree, and each writes the same lines: those of the whole datasets, as a file has them.
///
/// ```
/// use memh5::{MemGroup, prelude::*, tree::{DumpOptions, dump}};
/// let root = MemGroup::new();
/// root.create_dataset("n").write(vec![1u8, 2, 3])?;
/// let mut lines = Vec::new();
/// dump(&root, &DumpOptions::default(), &mut lines)?;
/// let text = String::from_utf8_lossy(&lines);
/// assert!(text.starts_with(r#"{"path": "/", "kind": "group", "attrs": {}}"#));
/// assert!(text.contains(r#"{"path": "/n", "kind": "dataset", "dtype": "|u1", "shape": [3], "attrs": {}, "sha256": "039058c6f2c0cb492c53"#));
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// `Corrupt` or `Io` if something cannot be read, and what the writer says, as `Io` with the `std::io::Error` as its source. `Collective` if ranks
/// share the tree, and it fails on one, or attributes or common datasets differ between them; then nothing is written.
pub fn dump(group: &dyn Group, options: &DumpOptions, out: &mut dyn Write) -> Result<()> {
    dump_with(group, options, out, &mut |_| Ok(()))
}

/// [`dump`], with a function that is called for every block of elements that was read, with its bytes, and for every object, with 0.
///
/// # Collective
/// As [`dump`].
///
/// # Errors
/// As [`dump`], and what the function returns.
pub fn dump_with(group: &dyn Group, options: &DumpOptions, out: &mut dyn Write, progress: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let ranks = several(group);
    reading(
        ranks,
        || CollectiveCall::new("dump the tree", group.name()).with(format!("{options:?}")),
        || {
            if let Some(different) = ranks.map_or(Ok(None), |ranks| ranks.difference(group))? {
                return Err(different);
            }
            Walk { options, out, progress, paths: LazyPaths::new(group) }.run(group)
        },
    )
}

struct Walk<'a> {
    options: &'a DumpOptions,
    out: &'a mut dyn Write,
    progress: &'a mut dyn FnMut(u64) -> Result<()>,
    paths: LazyPaths<'a>,
}

impl Walk<'_> {
    fn run(&mut self, root: &dyn Group) -> Result<()> {
        let mut seen: HashMap<ObjectId, String> = HashMap::from([(root.id()?, "/".to_owned())]);
        self.group(root, "/")?;
        let mut stack = vec![(root.to_ref(), "/".to_owned(), names_from_last(root)?)];
        while let Some((group, base, names)) = stack.last_mut() {
            let Some(name) = names.pop() else {
                stack.pop();
                continue;
            };
            let at = path::join(base, &name);
            (self.progress)(0)?;
            let Some(node) = group.open_child(&name).context(&at, "open the object")? else {
                self.link(&**group, &name, &at).context(&at, "read the link")?;
                continue;
            };
            let id = node.object().id()?;
            if let Some(first) = seen.get(&id) {
                self.line(&json!({ "path": at, "kind": "hard_link", "target": first }))?;
                continue;
            }
            seen.insert(id, at.clone());
            match node {
                Node::Group(child) => {
                    self.group(&*child, &at).context(&at, "dump the group")?;
                    let names = names_from_last(&*child).context(&at, "list the group")?;
                    stack.push((child, at, names));
                }
                Node::Dataset(dataset) => self.dataset(&*dataset, &at).context(&at, "dump the dataset")?,
                Node::Datatype(datatype) => {
                    let dtype = datatype.committed_dtype().context(&at, "read the committed type")?;
                    let attrs = self.attributes(datatype.attrs())?;
                    self.line(&json!({ "path": at, "kind": "datatype", "dtype": dtype.dump_name(), "attrs": attrs }))?;
                }
            }
        }
        Ok(())
    }

    fn group(&mut self, group: &dyn Group, at: &str) -> Result<()> {
        let attrs = self.attributes(group.attrs())?;
        self.line(&json!({ "path": at, "kind": "group", "attrs": attrs }))
    }

    fn link(&mut self, group: &dyn Group, name: &str, at: &str) -> Result<()> {
        match group.child_link(name)? {
            Some(Link::Soft { target }) => self.line(&json!({ "path": at, "kind": "soft_link", "target": target })),
            Some(Link::External { file, target }) => {
                self.line(&json!({ "path": at, "kind": "external_link", "file": file, "target": target }))
            }
            Some(Link::Hard) => Err(error!(Corrupt, "the name leads to no object")),
            None => Err(error!(NotFound, "the name went away during the dump")),
        }
    }

    fn dataset(&mut self, dataset: &dyn Dataset, at: &str) -> Result<()> {
        let (dtype, shape) = (dataset.dtype()?, dataset.extent()?);
        let mut record = Map::new();
        record.insert("path".into(), at.into());
        record.insert("kind".into(), "dataset".into());
        record.insert("dtype".into(), dtype.dump_name());
        record.insert("shape".into(), json!(shape));
        let spec = dataset.spec()?;
        if self.options.layout {
            let max = match &shape {
                Some(shape) => Some(spec.maxshape.clone().unwrap_or_else(|| shape.iter().map(|n| Some(*n)).collect())),
                None => None,
            };
            record.insert("maxshape".into(), json!(max));
            record.insert("chunks".into(), json!(spec.chunks()));
            record.insert("filters".into(), json!(dataset.stored_filters()?));
        }
        record.insert("attrs".into(), self.attributes(dataset.attrs())?);
        let mut digest = Digester::new(&dtype);
        if let Some(shape) = &shape {
            for (selection, _) in Blocks::new(shape, dtype.itemsize(), spec.chunks()) {
                let block = dataset.read_together(&selection).with_context(|| (dataset.name(), "read the dataset"))?;
                digest.add(&block, &mut self.paths)?;
                (self.progress)(block.nbytes() as u64)?;
            }
        }
        record.insert("sha256".into(), digest.finish().into());
        self.line(&Value::Object(record))
    }

    fn attributes(&mut self, attrs: &dyn Attributes) -> Result<Value> {
        let mut names = attrs.attr_names()?;
        names.sort_unstable();
        let mut out = Map::new();
        for name in names {
            let read = || attrs.attr_read(&name)?.ok_or_else(|| error!(NotFound, "the attribute went away during the dump"));
            let value = read().map_err(|e| e.during(format!("read the attribute '{name}'")))?;
            let mut digest = Digester::new(value.dtype());
            digest.add(&value, &mut self.paths)?;
            out.insert(name, json!({ "dtype": value.dtype().dump_name(), "shape": value.extent(), "sha256": digest.finish() }));
        }
        Ok(Value::Object(out))
    }

    fn line(&mut self, record: &Value) -> Result<()> {
        let mut text = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
        serde::Serialize::serialize(record, &mut serializer).map_err(|e| error!(Io, "the line cannot be written as JSON").because(e))?;
        text.push(b'\n');
        self.out.write_all(&text).map_err(|e| Error::new(ErrorKind::Io, "the output cannot be written").because(e))
    }
}

/// JSON with a blank behind commas and colons.
struct Spaced;

impl serde_json::ser::Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
