//! A tree as a drawing, for people.

use super::attributes::Attributes;
use super::dataset::Dataset;
use super::group::{Group, Node, ObjectId};
use super::link::Link;
use super::spec::{DatasetSpec, Layout};
use crate::AnyArray;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::path;
use std::collections::HashMap;
use std::io::Write;

/// What a drawing shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrintOptions {
    /// Also the attributes and their values.
    pub attrs: bool,
    /// With the colours of a terminal.
    pub colour: bool,
    /// How many levels below the group; all of them when `None`.
    pub depth: Option<usize>,
}

impl PrintOptions {
    /// Also the attributes and their values.
    #[must_use]
    pub fn attrs(mut self, attrs: bool) -> Self {
        self.attrs = attrs;
        self
    }

    /// With the colours of a terminal.
    #[must_use]
    pub fn colour(mut self, colour: bool) -> Self {
        self.colour = colour;
        self
    }

    /// How many levels below the group.
    #[must_use]
    pub fn depth(mut self, depth: Option<usize>) -> Self {
        self.depth = depth;
        self
    }
}

/// Draws the group and everything below it: names in the order of the groups, each dataset with its type, shape, chunks and filters.
///
/// ```
/// use memh5::{MemGroup, prelude::*, tree::{PrintOptions, print_tree}};
/// let root = MemGroup::new();
/// root.create_dataset("night/vis").write(vec![1.0, 2.0])?;
/// let mut text = Vec::new();
/// print_tree(&root, &PrintOptions::default(), &mut text)?;
/// assert_eq!(String::from_utf8_lossy(&text), "/\n└── night\n    └── vis  <f8 [2]\n");
/// # Ok::<(), memh5::Error>(())
/// ```
///
/// # Errors
/// `Corrupt` or `Io` if something cannot be read, and what the writer says, as `Io` with the `std::io::Error` as its source.
pub fn print_tree(group: &dyn Group, options: &PrintOptions, out: &mut dyn Write) -> Result<()> {
    print_tree_with(group, options, out, &mut |_| Ok(()))
}

/// [`print_tree`], with a function that is called for every object, with 0.
///
/// # Errors
/// As [`print_tree`], and what the function returns.
pub fn print_tree_with(
    group: &dyn Group,
    options: &PrintOptions,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    Printer { options, out, progress }.run(group)
}

struct Printer<'a> {
    options: &'a PrintOptions,
    out: &'a mut dyn Write,
    progress: &'a mut dyn FnMut(u64) -> Result<()>,
}

/// The colours of the parts of a drawing.
#[derive(Clone, Copy)]
enum Ink {
    Group,
    Link,
    Dtype,
    Dim,
}

/// A group whose names are being drawn.
struct Level {
    group: super::GroupRef,
    at: String,
    /// Still to be drawn, the last one first.
    names: Vec<String>,
    indent: String,
}

impl Printer<'_> {
    fn run(&mut self, root: &dyn Group) -> Result<()> {
        let name = root.name();
        let mut seen: HashMap<ObjectId, String> = HashMap::from([(root.id()?, name.clone())]);
        let head = self.ink(Ink::Group, &name);
        self.line(&head)?;
        let names = if self.options.depth == Some(0) { Vec::new() } else { reversed(root)? };
        self.attributes(root.attrs(), "", !names.is_empty())?;
        let mut stack = vec![Level { group: root.to_ref(), at: name, names, indent: String::new() }];
        while let Some(level) = stack.last_mut() {
            let Some(name) = level.names.pop() else {
                stack.pop();
                continue;
            };
            let last = level.names.is_empty();
            let branch = format!("{}{}", level.indent, if last { "└── " } else { "├── " });
            let below = format!("{}{}", level.indent, if last { "    " } else { "│   " });
            let at = path::join(&level.at, &name);
            let (group, depth) = (level.group.clone(), stack.len());
            (self.progress)(0)?;
            if let Some(child) = self.entry(&*group, &name, &at, &branch, &below, &mut seen, depth).context(&at, "show the object")? {
                stack.push(Level { names: reversed(&*child)?, group: child, at, indent: below });
            }
        }
        Ok(())
    }

    /// Draws one name; returns a group that is to be entered.
    #[allow(clippy::too_many_arguments)] // the state of the walk
    fn entry(
        &mut self,
        group: &dyn Group,
        name: &str,
        at: &str,
        branch: &str,
        below: &str,
        seen: &mut HashMap<ObjectId, String>,
        depth: usize,
    ) -> Result<Option<super::GroupRef>> {
        let shown = visible(name);
        let Some(node) = group.open_child(name)? else {
            let target = match group.child_link(name)? {
                Some(Link::Soft { target }) => visible(&target),
                Some(Link::External { file, target }) => format!("{}:{}", visible(&file), visible(&target)),
                _ => "nothing".to_owned(),
            };
            let text = format!("{branch}{} -> {target}", self.ink(Ink::Link, &shown));
            self.line(&text)?;
            return Ok(None);
        };
        if let Some(first) = seen.get(&node.object().id()?) {
            let text = format!("{branch}{} = {}", self.ink(Ink::Link, &shown), visible(first));
            self.line(&text)?;
            return Ok(None);
        }
        seen.insert(node.object().id()?, at.to_owned());
        match node {
            Node::Group(child) => {
                let enter = self.options.depth.is_none_or(|most| depth < most);
                let count = child.child_count()?;
                let mut text = format!("{branch}{}", self.ink(Ink::Group, &shown));
                if !enter && count > 0 {
                    text.push_str(&self.ink(Ink::Dim, &format!("  ({count} below)")));
                }
                self.line(&text)?;
                self.attributes(child.attrs(), below, enter && count > 0)?;
                Ok(enter.then_some(child))
            }
            Node::Dataset(dataset) => {
                let text = format!("{branch}{shown}  {}", self.describe(&*dataset)?);
                self.line(&text)?;
                self.attributes(dataset.attrs(), below, false)?;
                Ok(None)
            }
            Node::Datatype(datatype) => {
                let dtype = self.ink(Ink::Dtype, &datatype.committed_dtype()?.to_string());
                self.line(&format!("{branch}{shown}  type {dtype}"))?;
                self.attributes(datatype.attrs(), below, false)?;
                Ok(None)
            }
        }
    }

    fn describe(&self, dataset: &dyn Dataset) -> Result<String> {
        let dtype = self.ink(Ink::Dtype, &dataset.dtype()?.to_string());
        let spec = dataset.spec()?;
        let mut text = format!("{dtype} {}", shape_text(dataset.extent()?.as_deref(), spec.maxshape.as_deref()));
        let layout = layout_text(&spec);
        if !layout.is_empty() {
            text.push_str(&self.ink(Ink::Dim, &format!("  {layout}")));
        }
        Ok(text)
    }

    fn attributes(&mut self, attrs: &dyn Attributes, below: &str, more: bool) -> Result<()> {
        if !self.options.attrs {
            return Ok(());
        }
        let bar = if more { "│" } else { " " };
        for name in attrs.attr_names()? {
            let Some(value) = attrs.attr_read(&name)? else { continue };
            let text = format!("{below}{bar} {} = {}", self.ink(Ink::Dim, &format!("@{}", visible(&name))), short_value(&value, 60));
            self.line(&text)?;
        }
        Ok(())
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.options.colour {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Group => "1;34",
            Ink::Link => "36",
            Ink::Dtype => "32",
            Ink::Dim => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    fn line(&mut self, text: &str) -> Result<()> {
        writeln!(self.out, "{}", text.trim_end()).map_err(|e| Error::new(ErrorKind::Io, "the output cannot be written").because(e))
    }
}

fn reversed(group: &dyn Group) -> Result<Vec<String>> {
    let mut names = group.child_names()?;
    names.reverse();
    Ok(names)
}

/// The text with control characters escaped, so that a name cannot draw on the terminal.
pub fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// The shape, with how far it can grow: `[3, 4 of 10, 5 of any]`, `scalar`, `null`.
pub fn shape_text(shape: Option<&[usize]>, max: Option<&[Option<usize>]>) -> String {
    match shape {
        None => "null".to_owned(),
        Some([]) => "scalar".to_owned(),
        Some(shape) => {
            let axis = |(k, n): (usize, &usize)| match max.and_then(|m| m.get(k)) {
                Some(None) => format!("{n} of any"),
                Some(Some(m)) if m != n => format!("{n} of {m}"),
                _ => n.to_string(),
            };
            format!("[{}]", shape.iter().enumerate().map(axis).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The layout and the filters of a dataset: `chunks [5, 10], shuffle, gzip 4`; empty if there is nothing to say.
pub fn layout_text(spec: &DatasetSpec) -> String {
    let mut parts = Vec::new();
    match &spec.layout {
        Layout::Chunked(chunks) => parts.push(format!("chunks {chunks:?}")),
        Layout::AutoChunked => parts.push("chunked".to_owned()),
        Layout::Compact => parts.push("compact".to_owned()),
        Layout::Auto | Layout::Contiguous => {}
    }
    parts.extend(spec.filters.iter().map(|filter| match filter {
        super::Filter::Gzip(level) => format!("gzip {level}"),
        super::Filter::Zstd(level) => format!("zstd {level}"),
        super::Filter::Bitshuffle { compressor, .. } => match compressor {
            super::BitshuffleCompressor::None => "bitshuffle".to_owned(),
            super::BitshuffleCompressor::Lz4 => "bitshuffle+lz4".to_owned(),
            super::BitshuffleCompressor::Zstd(level) => format!("bitshuffle+zstd {level}"),
        },
        other => other.name(),
    }));
    parts.join(", ")
}

/// A value in at most about that many characters.
pub fn short_value(value: &AnyArray, width: usize) -> String {
    if value.is_null() {
        return format!("null {}", value.dtype());
    }
    let mut text = String::new();
    for (i, element) in value.elements().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(&visible(&element.to_string()));
        if text.chars().count() > width {
            text = text.chars().take(width).collect();
            text.push_str("..");
            break;
        }
    }
    if value.is_scalar() { text } else { format!("[{text}]  {} {:?}", value.dtype(), value.shape()) }
}
