//! Reads and writes of selected elements of a dataset.
//!
//! The seam for other engines: [`read`] and [`write`] see the whole request (dataset, selection, array) before any call is made.

use super::direct::{self, Rows};
use super::elements::Codec;
use super::ffi::{Id, h5, hid_t};
use super::gather::{gather, scatter};
use super::plan::{self, Piece};
use super::refs::References;
use super::settle::settle;
use super::space;
use super::whole;
use crate::array::{AnyArray, Arena};
use crate::dtype::DType;
use crate::error::Result;
use crate::selection::{AxisSelection, Resolved};
use hdf5_sys::h5d::{H5Dget_space, H5Dread, H5Dwrite};
use hdf5_sys::h5p::H5P_DEFAULT;
use hdf5_sys::h5s::H5S_ALL;
use std::rc::Rc;

/// Bytes that a transfer takes beside the array: little enough to stay in the processor's cache. More where the chunks are larger.
const SCRATCH: usize = 2 << 20;
/// Bytes that a transfer takes beside the array at most; chunks that are larger are read in parts.
const MOST: usize = 64 << 20;
/// So many single points of a mask go through one call.
const POINTS: usize = 1 << 18;

/// What a transfer needs to know of the dataset.
pub(super) struct Source<'a> {
    pub dataset: hid_t,
    pub type_id: hid_t,
    pub codec: &'a Codec,
    pub shape: &'a [usize],
    pub chunks: Option<&'a [usize]>,
    /// The chunks have filters.
    pub filtered: bool,
    pub refs: &'a References<'a>,
}

impl Source<'_> {
    pub(super) fn row_bytes(&self, axis: usize) -> usize {
        self.shape[axis + 1..].iter().fold(self.codec.itemsize(), |n, d| n.saturating_mul(*d))
    }

    fn pieces(&self, axes: &[AxisSelection], write: bool) -> Vec<Vec<Rc<Piece>>> {
        let chunk = |k: usize| self.chunks.map(|c| c[k].max(1));
        let alone = |k: usize| axes.iter().enumerate().all(|(j, a)| j == k || a.count() == 1);
        let of_axis = |(k, a): (usize, &AxisSelection)| plan::pieces(a, self.row_bytes(k), chunk(k), alone(k), write);
        axes.iter().enumerate().map(|axis| of_axis(axis).into_iter().map(Rc::new).collect()).collect()
    }
}

/// Calls the function for each element of the outer product.
fn each_box(pieces: &[Vec<Rc<Piece>>], f: &mut dyn FnMut(&[Rc<Piece>]) -> Result<()>) -> Result<()> {
    if pieces.iter().any(Vec::is_empty) {
        return Ok(());
    }
    let mut at = vec![0; pieces.len()];
    loop {
        let one: Vec<Rc<Piece>> = at.iter().zip(pieces).map(|(k, p)| p[*k].clone()).collect();
        f(&one)?;
        if !space::advance(&mut at, |k| pieces[k].len()) {
            return Ok(());
        }
    }
}

/// The first element of the array and the number of elements, if the box is one run there, in order.
fn straight(pieces: &[Rc<Piece>], shape: &[usize]) -> Option<(usize, usize)> {
    let (mut offset, mut count, mut step) = (0, 1, 1);
    let mut whole = true;
    for (piece, n) in pieces.iter().zip(shape).rev() {
        let to = piece.straight()?;
        if !whole && piece.count != 1 {
            return None;
        }
        whole &= piece.count == *n;
        offset += to * step;
        count *= piece.count;
        step *= n;
    }
    Some((offset, count))
}

/// How many indices of each axis a box has.
fn counts(pieces: &[Rc<Piece>]) -> Vec<usize> {
    pieces.iter().map(|p| p.count).collect()
}

/// The shape of the result with the dropped axes.
fn full_shape(axes: &[AxisSelection]) -> Vec<usize> {
    axes.iter().map(AxisSelection::count).collect()
}

/// Memory for the boxes of one transfer.
struct Boxes<'s> {
    source: &'s Source<'s>,
    file_space: Id,
    memory_space: Option<(Vec<usize>, Id)>,
    scratch: Vec<u8>,
}

impl<'s> Boxes<'s> {
    fn new(source: &'s Source<'s>) -> Result<Self> {
        let file_space = Id::own(h5!(H5Dget_space(source.dataset))?);
        Ok(Self { source, file_space, memory_space: None, scratch: Vec::new() })
    }

    /// The space of what is transferred. Of the same rank as the selection in the file: else the library goes element by element.
    fn memory_space(&mut self, dims: &[usize]) -> Result<hid_t> {
        match &self.memory_space {
            Some((now, id)) if now == dims => Ok(id.get()),
            _ => {
                let id = space::create(Some(dims), None)?;
                let raw = id.get();
                self.memory_space = Some((dims.to_vec(), id));
                Ok(raw)
            }
        }
    }

    fn read_selected(&mut self, dims: &[usize], out: &mut [u8], heap: Option<&Arena>) -> Result<()> {
        let s = self.source;
        let memory = self.memory_space(dims)?;
        let file = self.file_space.get();
        s.codec.read(s.type_id, out, heap, s.refs, |to| h5!(H5Dread(s.dataset, s.type_id, memory, file, H5P_DEFAULT, to)).map(drop))
    }

    fn read_box(&mut self, pieces: &[Rc<Piece>], shape: &[usize], out: &mut [u8], heap: Option<&Arena>) -> Result<()> {
        let item = self.source.codec.itemsize();
        if let Some((offset, count)) = straight(pieces, shape) {
            space::select(self.file_space.get(), pieces)?;
            return self.read_selected(&counts(pieces), &mut out[offset * item..(offset + count) * item], heap);
        }
        let elements: usize = pieces.iter().map(|p| p.count).product();
        if elements.saturating_mul(item) > SCRATCH
            && let Some([a, b]) = self.halves(pieces, elements.saturating_mul(item) > MOST)
        {
            self.read_box(&a, shape, out, heap)?;
            return self.read_box(&b, shape, out, heap);
        }
        space::select(self.file_space.get(), pieces)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        // Never emptied: padding stays zero, since the elements stand where the earlier ones stood.
        scratch.resize(scratch.len().max(elements * item), 0);
        self.read_selected(&counts(pieces), &mut scratch[..elements * item], heap)?;
        gather(pieces, shape, item, &scratch, out);
        self.scratch = scratch;
        Ok(())
    }

    /// The box cut in two along its first axis that can be, between chunks where there are chunks, or anywhere if it must be.
    fn halves(&self, pieces: &[Rc<Piece>], must: bool) -> Option<[Vec<Rc<Piece>>; 2]> {
        let chunk = |k: usize| self.source.chunks.map(|c| c[k].max(1));
        let aligned = pieces.iter().enumerate().find_map(|(k, p)| Some((k, p.halve(chunk(k))?)));
        let anywhere = || pieces.iter().enumerate().find_map(|(k, p)| Some((k, p.halve(None)?)));
        let (axis, (a, b)) = aligned.or_else(|| if must { anywhere() } else { None })?;
        let (mut first, mut second) = (pieces.to_vec(), pieces.to_vec());
        first[axis] = Rc::new(a);
        second[axis] = Rc::new(b);
        Some([first, second])
    }

    fn write_selected(&mut self, dims: &[usize], bytes: &[u8], heap: Option<&Arena>) -> Result<()> {
        let s = self.source;
        let memory = self.memory_space(dims)?;
        let out = s.codec.outgoing(bytes, heap, s.refs)?;
        h5!(H5Dwrite(s.dataset, s.type_id, memory, self.file_space.get(), H5P_DEFAULT, out.as_ptr())).map(drop)
    }

    fn write_box(&mut self, pieces: &[Rc<Piece>], shape: &[usize], data: &[u8], heap: Option<&Arena>) -> Result<()> {
        let item = self.source.codec.itemsize();
        if let Some((offset, count)) = straight(pieces, shape) {
            space::select(self.file_space.get(), pieces)?;
            return self.write_selected(&counts(pieces), &data[offset * item..(offset + count) * item], heap);
        }
        let elements: usize = pieces.iter().map(|p| p.count).product();
        if elements.saturating_mul(item) > SCRATCH
            && let Some([a, b]) = self.halves(pieces, elements.saturating_mul(item) > MOST)
        {
            self.write_box(&a, shape, data, heap)?;
            return self.write_box(&b, shape, data, heap);
        }
        space::select(self.file_space.get(), pieces)?;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(scratch.len().max(elements * item), 0);
        scatter(pieces, shape, item, data, &mut scratch);
        self.write_selected(&counts(pieces), &scratch[..elements * item], heap)?;
        self.scratch = scratch;
        Ok(())
    }

    fn select_positions(&self, positions: &[usize]) -> Result<()> {
        let shape = self.source.shape;
        let mut coordinates = vec![0u64; positions.len() * shape.len()];
        for (to, position) in coordinates.chunks_exact_mut(shape.len()).zip(positions) {
            let mut rest = *position;
            for k in (0..shape.len()).rev() {
                to[k] = (rest % shape[k]) as u64;
                rest /= shape[k];
            }
        }
        space::select_points(self.file_space.get(), &coordinates, positions.len())
    }
}

/// Reads the selected elements into a new array.
pub(super) fn read_new(source: &Source<'_>, selection: &Resolved) -> Result<AnyArray> {
    let dtype = source.codec.dtype();
    if selection.is_all(source.shape)
        && let Some(places) = whole::find(source)?
    {
        let mut array = AnyArray::to_overwrite(dtype.clone(), selection.shape())?;
        if places.read(source, array.raw_mut()?.0) {
            return Ok(array);
        }
    }
    let mut array = AnyArray::zeros(dtype.clone(), selection.shape())?;
    read(source, selection, &mut array)?;
    Ok(array)
}

/// Reads the selected elements; the array has the shape of the result.
fn read(source: &Source<'_>, selection: &Resolved, array: &mut AnyArray) -> Result<()> {
    if array.is_empty() {
        return Ok(());
    }
    let (out, heap) = array.raw_mut()?;
    let heap = heap.map(|h| &**h);
    if selection.is_all(source.shape) {
        let (s, all) = (source, H5S_ALL);
        return s.codec.read(s.type_id, out, heap, s.refs, |to| h5!(H5Dread(s.dataset, s.type_id, all, all, H5P_DEFAULT, to)).map(drop));
    }
    let mut boxes = Boxes::new(source)?;
    match selection {
        Resolved::Axes(axes) => {
            let shape = full_shape(axes);
            each_box(&source.pieces(axes, false), &mut |pieces| boxes.read_box(pieces, &shape, out, heap))
        }
        Resolved::Points { points, .. } if source.shape.len() == 1 => {
            let axes = [AxisSelection::List(points.clone())];
            each_box(&source.pieces(&axes, false), &mut |pieces| boxes.read_box(pieces, &[points.len()], out, heap))
        }
        Resolved::Points { points, .. } => read_points(&mut boxes, points, out, heap),
    }
}

/// Reads single elements of an array of several axes: rows that hold many of them as a whole, others point by point.
fn read_points(boxes: &mut Boxes<'_>, points: &[usize], out: &mut [u8], heap: Option<&Arena>) -> Result<()> {
    let (item, shape) = (boxes.source.codec.itemsize(), boxes.source.shape);
    let row: usize = shape[1..].iter().product();
    let block = (MOST / (row * item).max(1)).max(1);
    let mut at = 0;
    while at < points.len() {
        let first = points[at] / row;
        let end = at + points[at..].partition_point(|p| *p < (first + block) * row);
        let (group, to) = (&points[at..end], &mut out[at * item..end * item]);
        let rows = group.last().map_or(0, |p| p / row) - first + 1;
        let bytes = rows.saturating_mul(row).saturating_mul(item);
        if bytes <= MOST && bytes / group.len() <= plan_gap() {
            let mut pieces = vec![whole(first, rows)];
            pieces.extend(shape[1..].iter().map(|n| whole(0, *n)));
            space::select(boxes.file_space.get(), &pieces)?;
            let mut scratch = vec![0; bytes];
            boxes.read_selected(&counts(&pieces), &mut scratch, heap)?;
            for (to, position) in to.chunks_exact_mut(item).zip(group) {
                let from = (position - first * row) * item;
                to.copy_from_slice(&scratch[from..from + item]);
            }
        } else {
            for (group, to) in group.chunks(POINTS).zip(to.chunks_mut(POINTS * item)) {
                boxes.select_positions(group)?;
                boxes.read_selected(&[group.len()], to, heap)?;
            }
        }
        at = end;
    }
    Ok(())
}

/// Bytes that may be read for each wanted element before points are cheaper.
fn plan_gap() -> usize {
    1 << 10
}

/// Writes the selected elements; the array has the shape of the selection.
pub(super) fn write(source: &Source<'_>, selection: &Resolved, array: &AnyArray) -> Result<()> {
    if array.is_empty() {
        return Ok(());
    }
    if array.dtype().any(&|t| matches!(t, DType::VarSeq(base) if base.any(&|b| matches!(b, DType::VarString { .. } | DType::VarSeq(_))))) {
        // To free what overwritten sequences of strings or sequences held, the library (1.10) looks into a buffer that still has what an
        // element before held, and fails or harms the file. Empty ones are not looked into.
        write_elements(source, selection, &AnyArray::zeros(array.dtype().clone(), array.shape())?)?;
    }
    write_elements(source, selection, array)
}

fn write_elements(source: &Source<'_>, selection: &Resolved, array: &AnyArray) -> Result<()> {
    let (data, heap) = array.raw();
    let heap = heap.map(|h| &**h);
    if selection.is_all(source.shape) {
        return write_all(source, data, heap);
    }
    settle(source)?;
    if let Some(rows) = direct::rows(source, selection) {
        return write_rows(source, rows, data, heap);
    }
    if source.codec.is_single() {
        let mut positions = Vec::with_capacity(selection.count());
        selection.for_each_run(source.shape, |start, count| positions.extend(start..start + count));
        return write_singly(source, positions, data, heap);
    }
    let mut boxes = Boxes::new(source)?;
    match selection {
        Resolved::Axes(axes) => {
            let shape = full_shape(axes);
            each_box(&source.pieces(axes, true), &mut |pieces| boxes.write_box(pieces, &shape, data, heap))
        }
        Resolved::Points { points, .. } if source.shape.len() == 1 => {
            let axes = [AxisSelection::List(points.clone())];
            each_box(&source.pieces(&axes, true), &mut |pieces| boxes.write_box(pieces, &[points.len()], data, heap))
        }
        Resolved::Points { points, .. } => {
            let item = source.codec.itemsize();
            for (group, data) in points.chunks(POINTS).zip(data.chunks(POINTS * item)) {
                boxes.select_positions(group)?;
                boxes.write_selected(&[group.len()], data, heap)?;
            }
            Ok(())
        }
    }
}

/// Writes all elements.
pub(super) fn write_all(s: &Source<'_>, data: &[u8], heap: Option<&Arena>) -> Result<()> {
    if s.codec.is_single() && !s.shape.is_empty() {
        settle(s)?;
        return write_singly(s, 0..data.len() / s.codec.itemsize(), data, heap);
    }
    if let Some(rows) = direct::all_rows(s) {
        return write_rows(s, rows, data, heap);
    }
    let out = s.codec.outgoing(data, heap, s.refs)?;
    h5!(H5Dwrite(s.dataset, s.type_id, H5S_ALL, H5S_ALL, H5P_DEFAULT, out.as_ptr())).map(drop)
}

/// Writes rows some of which fill chunks.
fn write_rows(s: &Source<'_>, rows: Rows, data: &[u8], heap: Option<&Arena>) -> Result<()> {
    direct::write(s, rows, data, &mut |first, count, bytes| {
        let mut boxes = Boxes::new(s)?;
        let mut pieces = vec![whole(first, count)];
        pieces.extend(s.shape[1..].iter().map(|n| whole(0, *n)));
        space::select(boxes.file_space.get(), &pieces)?;
        boxes.write_selected(&counts(&pieces), bytes, heap)
    })
}

/// Adjacent indices of an axis.
fn whole(start: usize, count: usize) -> Rc<Piece> {
    Rc::new(Piece { runs: vec![plan::Run { start, step: 1, count }], count, picks: plan::Picks::List(Vec::new()) })
}

/// Writes element by element, where the library loses data otherwise.
fn write_singly(s: &Source<'_>, positions: impl IntoIterator<Item = usize>, data: &[u8], heap: Option<&Arena>) -> Result<()> {
    let mut boxes = Boxes::new(s)?;
    for (position, element) in positions.into_iter().zip(data.chunks_exact(s.codec.itemsize())) {
        boxes.select_positions(&[position])?;
        boxes.write_selected(&[1], element, heap)?;
    }
    Ok(())
}
