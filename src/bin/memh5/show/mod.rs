//! `memh5 show`

mod values;

use crate::output::Output;
use crate::signs::Signs;
use crate::{Outcome, args, output, source};
use memh5::selection::{Item, Resolved};
use memh5::tree::{Attributes, DatasetRef, Fill, GroupRef, Node, layout_text, shape_text, short_value, visible};
use memh5::{AnyArray, Error, ErrorKind, Result, Selection, prelude::*};
use std::io::Write;
use values::Window;

/// How many elements are shown without `--all`.
const MANY: usize = 1000;

/// Shows an object.
pub fn run(args: &args::Show, signs: &mut Signs) -> Result<Outcome> {
    let root = source::open(&args.file)?;
    let node = source::find(&root, &args.object, &args.file)?;
    let selection = args.select.as_deref().map(str::parse::<Selection>).transpose()?;
    let mut out = output::stdout();
    let result = match &node {
        Node::Dataset(dataset) => show_dataset(&mut out, dataset, selection, args.all, signs),
        _ if selection.is_some() => Err(Error::new(
            ErrorKind::NotADataset,
            format!("'{}' is a {}, and only a dataset has elements to select", node.name(), node.kind()),
        )),
        Node::Group(group) => show_group(&mut out, group),
        Node::Datatype(datatype) => {
            writeln!(out, "{}  type {}", visible(&datatype.name()), datatype.committed_dtype()?).map_err(output::failed)?;
            show_attributes(&mut out, datatype.attrs())
        }
        _ => Err(Error::new(ErrorKind::Unsupported, format!("'{}' is a {}, which cannot be shown", node.name(), node.kind()))),
    };
    result.map_err(|e| e.at(args.object.clone()).in_file(&args.file))?;
    output::finish(out)?;
    Ok(Outcome::Done)
}

fn show_group(out: &mut Output, group: &GroupRef) -> Result<()> {
    let names = group.keys()?;
    let count = if names.len() == 1 { "1 name".to_owned() } else { format!("{} names", names.len()) };
    writeln!(out, "{}  group, {count}", visible(&group.name())).map_err(output::failed)?;
    show_attributes(out, group.attrs())?;
    for name in names {
        let what = match group.open_child(&name)? {
            Some(Node::Dataset(d)) => format!("{} {}", d.dtype()?, shape_text(d.extent()?.as_deref(), d.spec()?.maxshape.as_deref())),
            Some(Node::Datatype(t)) => format!("type {}", t.committed_dtype()?),
            Some(node) => node.kind().to_owned(),
            None => match group.child_link(&name)? {
                Some(memh5::tree::Link::Soft { target }) => format!("-> {}", visible(&target)),
                Some(memh5::tree::Link::External { file, target }) => format!("-> {}:{}", visible(&file), visible(&target)),
                _ => "-> nothing".to_owned(),
            },
        };
        writeln!(out, "{}  {what}", visible(&name)).map_err(output::failed)?;
    }
    Ok(())
}

fn show_attributes(out: &mut Output, attrs: &dyn Attributes) -> Result<()> {
    for name in attrs.keys()? {
        if let Some(value) = attrs.get_array(&name)? {
            writeln!(out, "@{} = {}", visible(&name), short_value(&value, 200)).map_err(output::failed)?;
        }
    }
    Ok(())
}

fn show_dataset(out: &mut Output, dataset: &DatasetRef, selection: Option<Selection>, all: bool, signs: &mut Signs) -> Result<()> {
    let spec = dataset.spec()?;
    let shape = dataset.extent()?;
    let mut head = format!("{}  {} {}", visible(&dataset.name()), dataset.dtype()?, shape_text(shape.as_deref(), spec.maxshape.as_deref()));
    let layout = layout_text(&spec);
    if !layout.is_empty() {
        head.push_str(&format!("  {layout}"));
    }
    if let Fill::Value(fill) = &spec.fill {
        head.push_str(&format!("  fill {}", short_value(fill, 40)));
    }
    // Everything is read before the first line is written: a selection that does not fit leaves no half of an answer.
    let values = match &shape {
        Some(shape) => Some(read(dataset, shape, selection.unwrap_or_default(), all, signs)?),
        None if selection.is_some() => {
            return Err(Error::new(ErrorKind::Shape, "the dataset has a null dataspace: a type, and no elements"));
        }
        None => None,
    };
    writeln!(out, "{head}").map_err(output::failed)?;
    show_attributes(out, dataset.attrs())?;
    values.map_or(Ok(()), |(window, values)| window.write(out, &values).map_err(output::failed))
}

/// The values that are shown, and which they are.
fn read(dataset: &DatasetRef, shape: &[usize], selection: Selection, all: bool, signs: &mut Signs) -> Result<(Window, AnyArray)> {
    let wanted = selection.resolve(shape)?;
    let window = if all || wanted.count() <= MANY { Window::whole(&wanted.shape()) } else { Window::edges(&wanted.shape()) };
    let values: AnyArray = dataset.read_slice(narrowed(selection, &wanted, &window))?;
    signs.tick(values.nbytes() as u64)?;
    Ok((window, values))
}

/// The part of the selection that the window shows.
fn narrowed(selection: Selection, wanted: &Resolved, window: &Window) -> Selection {
    let Resolved::Axes(axes) = wanted else { return selection };
    if window.is_whole() {
        return selection;
    }
    let mut kept = window.indices().iter();
    let items = axes.iter().map(|axis| {
        if axis.is_dropped() {
            return Item::Index(axis.index(0) as i64);
        }
        match kept.next() {
            Some(kept) => Item::List(kept.iter().map(|k| axis.index(*k) as i64).collect()),
            None => Item::FULL,
        }
    });
    Selection::Axes(items.collect())
}
