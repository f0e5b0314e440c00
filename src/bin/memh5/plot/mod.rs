//! `memh5 plot`

mod backend;
mod font;
mod image;
mod line;
mod scale;
mod values;

use crate::signs::Signs;
use crate::{Outcome, args, source};
use backend::Lettered;
use memh5::publish::lock_file;
use memh5::tree::DatasetRef;
use memh5::{AnyArray, Error, ErrorKind, Result, Selection, prelude::*};
use plotters::prelude::*;
use std::path::Path;
use values::Values;

/// What is written around the picture.
#[derive(Debug)]
pub struct Labels {
    pub title: String,
    /// The unit of the values, from the attribute `units`.
    pub units: Option<String>,
    /// For each axis that is left: its number in the dataset, and the index of each element.
    pub axes: Vec<(usize, Vec<usize>)>,
}

/// What a picture can hold.
#[derive(Debug, Clone, Copy)]
pub struct Canvas {
    pub log: bool,
    /// The most cells of an image along each axis.
    pub cells: (usize, usize),
}

/// Plots a dataset.
pub fn run(args: &args::Plot, signs: &mut Signs) -> Result<Outcome> {
    let extension = args.output.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let svg = match extension.as_deref() {
        Some("png") => false,
        Some("svg") => true,
        _ => {
            let error = Error::new(ErrorKind::InvalidArgument, "the name of the picture says what it is to be");
            return Err(error.in_file(&args.output).remedy("choose a name that ends in .png or .svg"));
        }
    };
    let root = source::open(&args.file)?;
    let dataset = source::find(&root, &args.object, &args.file)?.into_dataset().map_err(|e| e.in_file(&args.file))?;
    let (values, labels) = read(&dataset, args, signs).map_err(|e| e.at(dataset.name()).in_file(&args.file))?;
    if !args.overwrite && args.output.symlink_metadata().is_ok() {
        let error = Error::new(ErrorKind::AlreadyExists, "the file is there already");
        return Err(error.in_file(&args.output).remedy("choose another name, or say --overwrite"));
    }
    let (width, height) = args.size;
    lock_file(&args.output).publish(|temporary| {
        if svg {
            let canvas = Canvas { log: args.log, cells: (200, 200) };
            let backend = Lettered::native(SVGBackend::new(temporary, args.size));
            draw(backend, &canvas, &values, &labels, temporary)
        } else {
            let canvas = Canvas { log: args.log, cells: (width as usize, height as usize) };
            let backend = Lettered::pixels(BitMapBackend::new(temporary, args.size));
            draw(backend, &canvas, &values, &labels, temporary)
        }
    })?;
    Ok(Outcome::Done)
}

fn read(dataset: &DatasetRef, args: &args::Plot, signs: &mut Signs) -> Result<(Values, Labels)> {
    let shape = dataset.shape()?;
    let selection: Selection = args.select.as_deref().map_or(Ok(Selection::All), str::parse)?;
    let wanted = selection.resolve(&shape)?;
    let axes: Vec<(usize, Vec<usize>)> = match &wanted {
        memh5::selection::Resolved::Axes(axes) => {
            let kept = axes.iter().enumerate().filter(|(_, a)| !a.is_dropped());
            kept.map(|(k, a)| (k, (0..a.count()).map(|i| a.index(i)).collect())).collect()
        }
        _ => vec![(0, (0..wanted.count()).collect())],
    };
    if !matches!(axes.len(), 1 | 2) {
        let message = format!("a plot has 1 or 2 axes, and the shape {shape:?} with this selection leaves {}", axes.len());
        return Err(Error::new(ErrorKind::Shape, message).remedy("choose with --select, as '0, :' does"));
    }
    if wanted.count() == 0 {
        return Err(Error::new(ErrorKind::Shape, "there is no element to plot"));
    }
    let array: AnyArray = dataset.read_slice(&selection)?;
    signs.tick(array.nbytes() as u64)?;
    let values = Values::new(&array, args.log)?;
    signs.tick(0)?;
    let units = match dataset.attrs().get_array("units") {
        Ok(Some(units)) if units.len() == 1 => units.to_strings().ok().and_then(|mut u| u.pop()),
        _ => None,
    };
    let select = args.select.as_ref().map(|s| format!(" [{s}]")).unwrap_or_default();
    let file = args.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((values, Labels { title: format!("{file}: {}{select}", dataset.name()), units, axes }))
}

fn draw<B: DrawingBackend>(backend: Lettered<B>, canvas: &Canvas, values: &Values, labels: &Labels, file: &Path) -> Result<()> {
    let area = backend.into_drawing_area();
    let draw = || {
        area.fill(&WHITE)?;
        match values.shape() {
            [rows, columns] => image::draw(&area, canvas, values, (*rows, *columns), labels)?,
            _ => line::draw(&area, canvas, values, labels)?,
        }
        area.present()
    };
    draw().map_err(|e| Error::new(ErrorKind::Io, format!("the picture cannot be written: {e}")).in_file(file))
}

/// The length of the axis of values, beside which a number may be nothing; on a logarithmic one no number is.
fn length(low: f64, high: f64, canvas: &Canvas) -> f64 {
    if canvas.log { 0.0 } else { high - low }
}

/// The name of an axis of the dataset.
fn axis_name(labels: &Labels, k: usize) -> String {
    labels.axes.get(k).map_or_else(String::new, |(axis, _)| format!("index of axis {axis}"))
}

/// The index in the dataset of a place along a plotted axis.
fn index_at(labels: &Labels, k: usize, place: f64) -> String {
    let indices = labels.axes.get(k).map_or(&[][..], |(_, i)| i);
    // Labels stand at whole places.
    let whole = place.round();
    if (place - whole).abs() > 1e-6 || whole < 0.0 {
        return String::new();
    }
    indices.get(whole as usize).map_or_else(String::new, ToString::to_string)
}
