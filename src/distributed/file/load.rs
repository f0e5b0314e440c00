//! A file into a distributed tree.

use super::align::{self, Storage};
use super::cut::Cut;
use super::exchange::exchange;
use super::outline::{Entry, Outline, Part, Report};
use super::{hints, image, tree};
use crate::array::AnyArray;
use crate::copy::{CopyReport, DeepCopy, NewCopy, apply_strings, part_of_axis};
use crate::distributed::{Agreement, Call, CommRef, Step};
use crate::dtype::DType;
use crate::error::{Context, Result, bail, error};
use crate::format;
use crate::memory::{MemDatasetDistributed, MemGroup};
use crate::path;
use crate::selection::{AxisSelection, Resolved, Selection};
use crate::tree::{CollectiveCall, Dataset, DatasetExt, DatasetRef, GroupExt, GroupRef, Layout, Mode, Object};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

/// Reads a file into a new distributed tree. Collective.
pub(crate) fn load(options: DeepCopy<'_>, path: &Path, comm: &CommRef) -> Result<(MemGroup, CopyReport)> {
    let agreement = Agreement::new(comm.clone());
    let call = Call::new("load the tree").note(path.display()).note(format_args!("{options:?}"));
    let loaded = agreement.collective(call, |step| read(options, path, step));
    loaded.map_err(|e| e.in_file(path).during("load the tree"))
}

fn read(mut options: DeepCopy<'_>, path: &Path, step: &Step<'_>) -> Result<(MemGroup, CopyReport)> {
    let ranks = &**step.comm();
    let (postprocess, progress) = (options.postprocess.take(), options.progress.take());
    #[cfg(feature = "hdf5")]
    let placed = super::direct::on_one_machine(step, options.file_access)?;
    #[cfg(not(feature = "hdf5"))]
    let placed = false;
    let message = if ranks.rank() == 0 { survey(options, path, placed) } else { Ok(Vec::new()) };
    let mut message = step.agree(message)?;
    ranks.broadcast(&mut message, 0)?;
    let mut rest = DeepCopy::new();
    (rest.postprocess, rest.progress) = (postprocess, progress);
    let made = Outline::decode(&message).and_then(|(outline, image)| Ok((assemble(rest, &outline, image, step.comm())?, outline)));
    let ((root, datasets), outline) = step.agree(made)?;
    drop(message);
    elements(step, path, &outline, &datasets)?;
    Ok((root, outline.report.into()))
}

/// Rank 0 reads everything but the elements of distributed datasets. The message for the others.
fn survey(options: DeepCopy<'_>, path: &Path, placed: bool) -> Result<Vec<u8>> {
    #[cfg(feature = "hdf5")]
    let before = if placed { super::direct::Identity::of(path).ok() } else { None };
    #[cfg(not(feature = "hdf5"))]
    let _ = placed;
    let file = format::open(path, Mode::Read)?;
    let copied = survey_open(options, &file);
    let closed = file.close_tree();
    #[allow(unused_mut)]
    let (mut outline, image) = copied?;
    closed?;
    #[cfg(feature = "hdf5")]
    {
        // Places are those of a file that did not change meanwhile.
        outline.found = before.filter(|before| super::direct::Identity::of(path).is_ok_and(|now| now == *before));
    }
    outline.encode(&image)
}

fn survey_open(mut options: DeepCopy<'_>, file: &GroupRef) -> Result<(Outline, Vec<u8>)> {
    let hints = std::mem::take(&mut options.hints);
    for chosen in hints.chosen() {
        file.dataset(&chosen).map_err(|e| e.during("find the dataset that the hints name"))?;
    }
    let (entries, notes) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let image = image::new(&file.group_spec()?)?;
    let root = image::root(&image)?;
    let options = options.elsewhere(|copy: &NewCopy<'_>| {
        let Some(shape) = copy.from.extent()? else { return Ok(None) };
        let (axis, chosen) = hints.axis(copy.from.attrs(), copy.path, shape.len())?;
        let Some(axis) = axis else { return Ok(None) };
        let spec = &mut copy.spec.clone();
        if !spec.dtype.is_plain() {
            if chosen {
                return Err(error!(Unsupported, "elements of type {} cannot be distributed", spec.dtype)
                    .remedy("only types without variable-length strings, sequences and references can; load it as common"));
            }
            notes.borrow_mut().push((copy.path.to_owned(), format!("its elements are {}, so it is common", spec.dtype)));
            return Ok(None);
        }
        let (part, axis) = part_of(copy.selection, &shape, axis)?;
        if spec.layout == Layout::Compact {
            spec.layout = Layout::Auto;
        }
        let converted = copy.from.dtype()? != copy.spec.dtype;
        #[cfg(feature = "hdf5")]
        let places = if converted { None } else { super::direct::places(&**copy.from)? };
        #[cfg(not(feature = "hdf5"))]
        let places = None;
        let storage = Storage::of(&copy.from.spec()?);
        entries.borrow_mut().push(Entry { path: copy.path.to_owned(), source: copy.from.name(), axis, storage, places, converted, part });
        image::placeholder(copy.to, copy.name, spec).map(Some)
    });
    let mut report = options.run(&**file, &*root)?;
    if hints.marks() {
        hints::unmark(root.attrs())?;
        (*root).visit(|_, node| hints::unmark(node.attrs()).map(|()| None::<()>))?;
    }
    for (path, what) in notes.into_inner() {
        report.lose(&path, what);
    }
    for entry in entries.borrow().iter() {
        let dataset = root.dataset(&entry.path)?;
        report.bytes += (dataset.size()? * dataset.dtype()?.itemsize()) as u64;
    }
    let bytes = image::bytes(&image)?;
    Ok((Outline { datasets: entries.into_inner(), report: Report::from(&report), ..Outline::default() }, bytes))
}

/// What of each axis of the file is read, and which axis of the result is distributed.
pub(super) fn part_of(selection: &Selection, shape: &[usize], axis: usize) -> Result<(Vec<Part>, usize)> {
    let Resolved::Axes(axes) = selection.resolve(shape)? else {
        return Err(error!(Unsupported, "single elements of a distributed dataset cannot be selected by a mask of its shape")
            .remedy("select along the axes, or load the dataset as common with Hints::common"));
    };
    if axes.get(axis).is_some_and(AxisSelection::is_dropped) {
        return Err(error!(InvalidArgument, "the selection drops axis {axis}, which is to be distributed").remedy(
            "select a range of length 1, distribute another axis with Hints::distribute, or load it as common with Hints::common",
        ));
    }
    let kept = axes.iter().take(axis).filter(|a| !a.is_dropped()).count();
    Ok((axes.iter().map(Part::from).collect(), kept))
}

/// Makes the tree on this rank, with its distributed datasets still empty. All ranks do it as one call.
fn assemble(
    options: DeepCopy<'_>,
    outline: &Outline,
    message: &[u8],
    comm: &CommRef,
) -> Result<(MemGroup, HashMap<String, MemDatasetDistributed>)> {
    let image = image::open(message)?;
    let from = image::root(&image)?;
    let root =
        if from.group_spec()?.track_order { MemGroup::distributed_tracked(comm.clone()) } else { MemGroup::distributed(comm.clone()) };
    let entries: HashMap<&str, &Entry> = outline.datasets.iter().map(|e| (e.path.as_str(), e)).collect();
    let made = RefCell::new(HashMap::new());
    let fill = || {
        let make = |copy: &NewCopy<'_>| {
            let Some(entry) = entries.get(copy.path) else { return Ok(None) };
            let dataset = tree::create(copy.to, copy.name, copy.spec, entry.axis, outline.read_by_each(entry))?;
            made.borrow_mut().insert(copy.path.to_owned(), dataset.clone());
            Ok(Some(std::sync::Arc::new(dataset) as DatasetRef))
        };
        options.elsewhere(make).run(&*from, &root).map(drop)
    };
    match root.collective() {
        Some(all) => {
            let mut fill = Some(fill);
            let call = || CollectiveCall::new("load the tree", "/");
            all.together(&call, &mut || fill.take().map_or(Ok(()), |fill| fill()))?;
        }
        None => fill()?,
    }
    Ok((root, made.into_inner()))
}

/// Reads this rank's parts of all distributed datasets.
fn elements(step: &Step<'_>, path: &Path, outline: &Outline, datasets: &HashMap<String, MemDatasetDistributed>) -> Result<()> {
    let ranks = &**step.comm();
    let dataset = |entry: &Entry| {
        datasets.get(&entry.path).ok_or_else(|| error!(Corrupt, "the dataset was not made").at(path::join("/", &entry.path)))
    };
    #[cfg(feature = "hdf5")]
    let entries = by_each(step, path, outline, datasets)?;
    #[cfg(not(feature = "hdf5"))]
    let entries: Vec<&Entry> = outline.datasets.iter().collect();
    #[cfg(all(feature = "mpi", feature = "hdf5"))]
    let (together, entries) = {
        // Chunks with filters are read by one rank each; so are gaps in the selection or in the file, of which MPI-IO makes types that it refuses.
        let collective = |e: &&Entry| e.places.is_some() && super::direct::can_read(&axes_of(e));
        let parallel = ranks.size() > 1 && super::parallel::mpi(ranks).is_some() && is_hdf5(step, path)?;
        let (together, alone): (Vec<&Entry>, Vec<&Entry>) = entries.into_iter().partition(|e| parallel && collective(e));
        (together, alone)
    };
    #[cfg(all(feature = "mpi", feature = "hdf5"))]
    if let (Some(mpi), false) = (super::parallel::mpi(ranks), together.is_empty()) {
        let file = super::parallel::Collective::open(step, mpi, path, false)?;
        let read = together.iter().try_for_each(|entry| {
            let (axes, dataset) = (axes_of(entry), step.agree(dataset(entry))?);
            let (have, cut) = cuts(entry, ranks.size(), &axes);
            let array = file.read(&entry.source, &axes, &cut, &entry.storage)?;
            let array = exchange(step, array, &cut, &have)?;
            step.agree(store(dataset, array, &axes)).context(&entry.source, "read the distributed dataset")
        });
        read.and(file.close())?;
    }
    if entries.is_empty() {
        return Ok(());
    }
    // Each rank for itself: they wait for each other only where chunks are moved.
    let file = step.agree(format::open(path, Mode::Read))?;
    let read = entries.iter().try_for_each(|entry| {
        let axes = axes_of(entry);
        let (have, cut) = cuts(entry, ranks.size(), &axes);
        let array = dataset(entry).and_then(|d| read_alone(&file, entry, &axes, &cut, ranks.rank(), &d.dtype()?));
        let array = if cut == have { array } else { exchange(step, step.agree(array)?, &cut, &have) };
        let stored = dataset(entry).and_then(|d| store(d, array?, &axes));
        step.agree(stored).context(&entry.source, "read the distributed dataset")
    });
    let closed = file.close_tree();
    read?;
    step.agree(closed)
}

/// Reads what each rank can read by itself, and returns the other datasets.
#[cfg(feature = "hdf5")]
fn by_each<'e>(
    step: &Step<'_>,
    path: &Path,
    outline: &'e Outline,
    datasets: &HashMap<String, MemDatasetDistributed>,
) -> Result<Vec<&'e Entry>> {
    use super::direct::{Direct, can_read, cut_for};
    let can = |entry: &&Entry| entry.places.is_some() && can_read(&axes_of(entry));
    let (found, all) = (outline.found, outline.datasets.iter());
    let file = match found.is_some() && all.clone().any(|entry| can(&entry)) {
        true => Direct::open(step, path, found, false)?,
        false => None,
    };
    let Some(file) = file else { return Ok(all.collect()) };
    let (here, others): (Vec<&Entry>, Vec<&Entry>) = all.partition(can);
    for entry in here {
        let (axes, rank) = (axes_of(entry), step.comm().rank());
        let (have, _) = cuts(entry, step.comm().size(), &axes);
        let read = || {
            let prepared = datasets.get(&entry.path).zip(entry.places.as_ref());
            let prepared = prepared.ok_or_else(|| error!(Corrupt, "the dataset was not made").at(path::join("/", &entry.path)));
            let (dataset, places) = step.agree(prepared)?;
            let dtype = step.agree(dataset.dtype())?;
            let item = dtype.itemsize();
            let cut = if is_whole(&axes) { cut_for(places, &have, item) } else { have.clone() };
            if cut == have {
                return dataset.with_local_bytes(|bytes| file.read(places, &axes, &cut, bytes, item));
            }
            let mut array = step.agree(AnyArray::zeros(dtype, cut.part_shape(rank)))?;
            let target = step.agree(array.raw_mut().map(|(bytes, _)| bytes))?;
            file.read(places, &axes, &cut, target, item)?;
            let array = exchange(step, array, &cut, &have)?;
            step.agree(store(dataset, array, &axes))
        };
        read().context(&entry.source, "read the distributed dataset")?;
    }
    step.agree(file.check_unchanged().map_err(|e| e.in_file(path)))?;
    Ok(others)
}

/// The cut of the partition rule, and that by which the file is read, both of what is selected, dropped axes included.
fn cuts(entry: &Entry, ranks: usize, axes: &[AxisSelection]) -> (Cut, Cut) {
    let shape: Vec<usize> = axes.iter().map(AxisSelection::count).collect();
    let kept = axes.iter().enumerate().filter(|(_, a)| !a.is_dropped()).map(|(k, _)| k);
    let have = Cut::even(&shape, kept.clone().nth(entry.axis).unwrap_or(0), ranks);
    // A part that does not begin where chunks do is read as it comes.
    let cut = if is_whole(axes) { align::cut_for(&have, &entry.storage) } else { have.clone() };
    (have, cut)
}

/// True if each axis is read from its begin on, without gaps.
fn is_whole(axes: &[AxisSelection]) -> bool {
    axes.iter().all(|a| matches!(a, AxisSelection::Range { start: 0, step: 1, drop: false, .. }))
}

fn axes_of(entry: &Entry) -> Vec<AxisSelection> {
    entry.part.iter().map(AxisSelection::from).collect()
}

/// True if the ranks see an HDF5 file.
#[cfg(all(feature = "mpi", feature = "hdf5"))]
fn is_hdf5(step: &Step<'_>, path: &Path) -> Result<bool> {
    Ok(step.agree(format::of_path(path))?.name() == "hdf5")
}

/// Reads this rank's part through a file that this rank has open for itself.
fn read_alone(file: &GroupRef, entry: &Entry, axes: &[AxisSelection], cut: &Cut, rank: usize, dtype: &DType) -> Result<AnyArray> {
    let part = cut.part(rank);
    let dataset = file.dataset(&entry.source)?;
    #[cfg(feature = "hdf5")]
    if is_whole(axes)
        && cut.shape == dataset.shape()?
        && let Some(array) = super::packed::read(&*dataset, &part, &entry.storage, dtype)?
    {
        return Ok(array);
    }
    let items = axes.iter().zip(&part).map(|(axis, range)| part_of_axis(axis, range.clone()));
    let array = dataset.read_selection(&Selection::Axes(items.collect()))?;
    let array = if array.dtype() == dtype { array } else { apply_strings(&array, dtype)? };
    if array.len() != part.iter().map(ExactSizeIterator::len).product::<usize>() {
        bail!(Corrupt, "the file has another shape than a moment before");
    }
    // With the dropped axes, by which it is cut.
    array.reshape(&cut.part_shape(rank))
}

/// Puts what was read into the dataset, without the dropped axes.
fn store(dataset: &MemDatasetDistributed, array: AnyArray, axes: &[AxisSelection]) -> Result<()> {
    let shape: Vec<usize> = array.shape().iter().zip(axes).filter(|(_, a)| !a.is_dropped()).map(|(n, _)| *n).collect();
    dataset.set_local_data(array.reshape(&shape)?)
}
