//! A distributed tree into a file.

use super::align::{self, Storage};
use super::compare;
use super::cut::Cut;
#[cfg(feature = "zarr")]
use super::cut::{is_empty, selection};
#[cfg(feature = "hdf5")]
use super::direct::BESIDE;
use super::exchange::exchange;
use super::lock::Held;
use super::outline::{Entry, Outline, Places, Report};
use super::{funnel, hints, load, select, tree};
use crate::array::AnyArray;
use crate::copy::{CopyReport, DeepCopy, NewCopy};
use crate::distributed::{Agreement, Call, Checks, Communicator, Step};
use crate::error::{Context, Result, error};
use crate::format::{self, Format};
use crate::publish::LockFileBuilder;
use crate::tree::{Dataset, DatasetExt, DatasetRef, DatasetSpec, Group, GroupExt, GroupRef, Layout, Mode, Node};
use std::cell::RefCell;
use std::path::Path;

/// Copies everything below a group of a distributed tree into a file, which appears under its name when it is complete. Collective.
pub(crate) fn save(
    options: DeepCopy<'_>,
    from: &dyn Group,
    agreement: &Agreement,
    lock: LockFileBuilder,
    finish: impl FnOnce(&dyn Group) -> Result<()>,
) -> Result<CopyReport> {
    let path = lock.path().to_owned();
    // Without agreement no rank would know if the file is complete: a tree that has switched the checks off has them for this call.
    let own;
    let agreement = match agreement.terms() {
        terms if terms == terms.checks(Checks::Off) => {
            own = Agreement::new(agreement.comm().clone());
            &own
        }
        _ => agreement,
    };
    let call = Call::new("save the tree").path(from.name()).note(path.display()).note(format_args!("{options:?}"));
    let saved = agreement.collective(call, |step| {
        compare::check(step, from, options.common_data)?;
        let lock = Held::take(step, lock)?;
        let format = step.agree(format::of_path(&path))?;
        let report = write(options, from, step, format, &lock.tmpfile, finish)?;
        lock.publish(step, |tmp| format.verify(tmp))?;
        Ok(report)
    });
    saved.map_err(|e| e.in_file(&path).during("save the tree"))
}

/// The two phases. Fails on all ranks or on none.
fn write(
    options: DeepCopy<'_>,
    from: &dyn Group,
    step: &Step<'_>,
    format: &'static dyn Format,
    path: &Path,
    finish: impl FnOnce(&dyn Group) -> Result<()>,
) -> Result<CopyReport> {
    let ranks = &**step.comm();
    let mut root: Option<GroupRef> = None;
    #[cfg(feature = "hdf5")]
    let placed = super::direct::on_one_machine(step, options.file_access)? && format.name() == "hdf5";
    #[cfg(not(feature = "hdf5"))]
    let placed = false;
    let new = New { ranks: ranks.size(), format, path, placed };
    let structure = if ranks.rank() == 0 { structure(options, from, &new, finish, &mut root) } else { Ok(Vec::new()) };
    let message = step.agree(structure);
    let mut root = File(root);
    let mut message = message?;
    ranks.broadcast(&mut message, 0)?;
    let (outline, _) = Outline::decode(&message)?;
    let together = by_all_ranks(ranks, format);
    #[cfg(feature = "zarr")]
    if format.name() == "zarr" && ranks.size() > 1 {
        // Every rank opens the store, and writes the chunks that are its own: no chunk has two writers, so none needs a lock.
        step.agree(root.close())?;
        let to = step.agree(format.open_private(path, Mode::ReadWrite, &crate::tree::GroupSpec::default()))?;
        let written = outline.datasets.iter().try_for_each(|entry| {
            let (have, local) = part_of(step, from, entry)?;
            let cut = align::cut_for(&have, &entry.storage);
            let moved = exchange(step, local, &have, &cut)?;
            let part = cut.part(ranks.rank());
            let write = || if is_empty(&part) { Ok(()) } else { to.dataset(&entry.source)?.write_selection(&selection(&part), &moved) };
            step.agree(write()).context(&entry.source, "write the distributed dataset")
        });
        let closed = step.agree(to.close_tree());
        return written.and(closed).map(|()| outline.report.into());
    }
    #[cfg(feature = "hdf5")]
    let direct = match outline.datasets.iter().any(|entry| entry.places.is_some()) {
        true => super::direct::Direct::open(step, path, None, true)?,
        false => None,
    };
    #[cfg(feature = "hdf5")]
    let by_each = |entry: &Entry| direct.is_some() && entry.places.is_some();
    #[cfg(not(feature = "hdf5"))]
    let by_each = |_: &Entry| false;
    let together = |entry: &Entry| !by_each(entry) && together(entry);
    for entry in outline.datasets.iter().filter(|entry| !by_each(entry) && !together(entry)) {
        let (have, local) = part_of(step, from, entry)?;
        let cut = align::cut_for(&have, &entry.storage);
        let moved = exchange(step, local, &have, &cut)?;
        let to = step.agree(root.0.as_ref().map(|root| root.dataset(&entry.source)).transpose())?;
        through_first(step, to.as_deref(), format, &cut, &entry.storage, &moved).context(&entry.source, "write the distributed dataset")?;
    }
    step.agree(root.close())?;
    #[cfg(feature = "hdf5")]
    if let Some(direct) = &direct {
        step.agree(direct.check_limit().map_err(|e| e.in_file(path)))?;
        for (entry, places) in outline.datasets.iter().filter_map(|entry| Some((entry, entry.places.as_ref()?))) {
            let (have, local) = part_of(step, from, entry)?;
            direct.write(places, &have, local).context(&entry.source, "write the distributed dataset")?;
        }
    }
    #[cfg(all(feature = "mpi", feature = "hdf5"))]
    if let Some(mpi) = super::parallel::mpi(ranks)
        && outline.datasets.iter().any(together)
    {
        step.agree(super::parallel::reserve(path, outline.room, ranks.rank() == 0))?;
        let file = super::parallel::Collective::open(step, mpi, path, true)?;
        let written = outline.datasets.iter().filter(|entry| together(entry)).try_for_each(|entry| {
            let (have, local) = part_of(step, from, entry)?;
            file.write(&entry.source, &have, &local, &entry.storage).context(&entry.source, "write the distributed dataset")
        });
        // All ranks have failed or none: so they close together.
        written.and(file.close())?;
    }
    Ok(outline.report.into())
}

/// Which datasets all ranks write together.
fn by_all_ranks(ranks: &dyn Communicator, format: &dyn Format) -> impl Fn(&Entry) -> bool {
    #[cfg(all(feature = "mpi", feature = "hdf5"))]
    let can = ranks.size() > 1 && super::parallel::mpi(ranks).is_some() && format.name() == "hdf5";
    #[cfg(not(all(feature = "mpi", feature = "hdf5")))]
    let can = {
        let _ = (ranks, format);
        false
    };
    move |entry| can && entry.storage.filters.is_empty()
}

/// Writes a dataset through rank 0.
fn through_first(
    step: &Step<'_>,
    to: Option<&dyn Dataset>,
    format: &dyn Format,
    cut: &Cut,
    storage: &Storage,
    local: &AnyArray,
) -> Result<()> {
    #[cfg(feature = "hdf5")]
    if format.name() == "hdf5" && storage.whole_chunks().is_some() {
        return super::packed::write(step, to, cut, storage, local);
    }
    let _ = format;
    let written = funnel::write(&**step.comm(), to, cut, storage.chunks.as_deref(), local);
    step.agree(written)
}

/// The new file on rank 0. Closed in any case: a failure that led here is told before what the closing meets.
struct File(Option<GroupRef>);

impl File {
    fn close(&mut self) -> Result<()> {
        self.0.take().map_or(Ok(()), |root| root.close_tree())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// What this rank has of what is saved of a dataset, and how it is cut.
fn part_of(step: &Step<'_>, from: &dyn Group, entry: &Entry) -> Result<(Cut, AnyArray)> {
    let find = || {
        let dataset = GroupExt::dataset(from, &entry.path)?;
        tree::spread(&*dataset)?.ok_or_else(|| error!(Collective, "the dataset is not distributed any more").at(dataset.name()))
    };
    let spread = step.agree(find())?;
    let have = Cut::even(&spread.shape, spread.axis, step.comm().size());
    if entry.part.is_empty() {
        return Ok((have, spread.local));
    }
    select::spread(step, &spread.local, &have, &entry.part, entry.axis)
}

/// The file that is made.
struct New<'n> {
    ranks: usize,
    format: &'n dyn Format,
    path: &'n Path,
    /// Elements get their places at once, if they can.
    #[cfg_attr(not(feature = "hdf5"), allow(dead_code))]
    placed: bool,
}

/// Rank 0's phase: everything but the elements of distributed datasets. Leaves the file open.
fn structure(
    options: DeepCopy<'_>,
    from: &dyn Group,
    new: &New<'_>,
    finish: impl FnOnce(&dyn Group) -> Result<()>,
    root: &mut Option<GroupRef>,
) -> Result<Vec<u8>> {
    let to = root.insert(new.format.open_private(new.path, Mode::CreateNew, &from.group_spec()?)?).clone();
    let (entries, marks) = (RefCell::new(Vec::new()), options.hints.marks());
    #[cfg(feature = "hdf5")]
    let bytes = std::cell::Cell::new(0);
    let options = options.elsewhere(|copy: &NewCopy<'_>| {
        let Some(spread) = tree::spread(&**copy.from)? else { return Ok(None) };
        let (part, axis) = match copy.selection.is_all() {
            true => (Vec::new(), spread.axis),
            false => load::part_of(copy.selection, &spread.shape, spread.axis)?,
        };
        let spec = &mut copy.spec.clone();
        if !spec.dtype.is_plain() || !spec.dtype.same_values(spread.local.dtype()) {
            return Err(error!(
                Unsupported,
                "the elements of a distributed dataset are {}, and cannot be written as {}: only plain types can be distributed",
                spread.local.dtype(),
                spec.dtype
            )
            .remedy("make the dataset common, or leave its strings as they are"));
        }
        if spec.layout == Layout::Compact {
            spec.layout = Layout::Auto;
        }
        align::choose_chunks(spec, axis, new.ranks);
        #[cfg(feature = "hdf5")]
        if new.placed {
            let shape = spec.shape.clone().unwrap_or_default();
            bytes.set(bytes.get() + Storage::of(spec).stored(&shape) * spec.dtype.itemsize() as u64);
            super::direct::within_limit(bytes.get() + BESIDE)?;
        }
        let made = create(copy.to, copy.name, spec, axis, new)?;
        entries.borrow_mut().push(Entry {
            path: copy.path.to_owned(),
            source: copy.path.to_owned(),
            axis,
            // As the file has it, also where the format has chosen.
            storage: storage_of(&made)?,
            places: places_of(&made, new)?,
            converted: false,
            part,
        });
        Ok(Some(made))
    });
    let mut report = options.run(from, &*to)?;
    let entries = entries.into_inner();
    if marks {
        mark(&to, &entries)?;
    }
    finish(&*to)?;
    let mut room = 0;
    for entry in &entries {
        let (dataset, shape) = (to.dataset(&entry.source)?, to.dataset(&entry.source)?.shape()?);
        let item = dataset.dtype()?.itemsize() as u64;
        report.bytes += dataset.size()? as u64 * item;
        if entry.places.is_none() {
            room += entry.storage.stored(&shape) * item;
        }
    }
    #[allow(clippy::needless_update)]
    let outline = Outline { datasets: entries, room, report: Report::from(&report), ..Outline::default() };
    outline.encode(&[])
}

/// Where the elements of a new dataset lie, if ranks may write them there.
fn places_of(made: &DatasetRef, new: &New<'_>) -> Result<Option<Places>> {
    #[cfg(feature = "hdf5")]
    if new.placed && made.spec()?.maxshape.is_none() {
        return super::direct::places(&**made);
    }
    let _ = (made, new);
    Ok(None)
}

/// How a new dataset lies in its file. Of a Zarr array every file is the business of one rank, filters or not.
fn storage_of(made: &DatasetRef) -> Result<Storage> {
    #[allow(unused_mut)]
    let mut storage = Storage::of(&made.spec()?);
    #[cfg(feature = "zarr")]
    if let Some(made) = made.as_any().downcast_ref::<format::zarr::ZarrDataset>() {
        (storage.chunks, storage.files) = (Some(made.file_chunks()?), true);
    }
    Ok(storage)
}

/// Makes a dataset without elements, all of which will be written.
fn create(to: &GroupRef, name: &str, spec: &DatasetSpec, axis: usize, new: &New<'_>) -> Result<DatasetRef> {
    #[cfg(feature = "hdf5")]
    if let Some(to) = to.as_any().downcast_ref::<format::hdf5::Hdf5Group>() {
        return to.new_unfilled_dataset(name, spec, new.placed);
    }
    #[cfg(feature = "zarr")]
    if let Some(to) = to.as_any().downcast_ref::<format::zarr::ZarrGroup>() {
        // What is not chunked is cut into files, too: such that none has the parts of two ranks, where that can be.
        let grid = align::files_for(spec, axis, new.ranks);
        return to.new_dataset_on_grid(name, spec, grid.as_deref());
    }
    let _ = (axis, new);
    to.new_dataset(name, spec, None)
}

/// Marks the file, every distributed dataset and every other one.
fn mark(root: &GroupRef, entries: &[Entry]) -> Result<()> {
    hints::mark_file(root.attrs())?;
    let axes: std::collections::HashMap<_, _> =
        entries.iter().map(|entry| Ok((root.dataset(&entry.source)?.id()?, entry.axis))).collect::<Result<_>>()?;
    let marked = (**root).visit(|_, node| -> Result<Option<()>> {
        if let Node::Dataset(dataset) = node {
            hints::mark_dataset(dataset.attrs(), axes.get(&dataset.id()?).copied())?;
        }
        Ok(None)
    });
    marked.map(drop)
}
