//! Saving into a dataset of a tree, whatever its backend.

use super::plan::{Existing, Plan, plan};
use super::{Indices, SaveOptions};
use crate::array::AnyArray;
use crate::dtype::DType;
use crate::error::{Result, bail, error};
use crate::path;
use crate::tree::blocks::Blocks;
use crate::tree::{Dataset, DatasetExt, DatasetRef, DatasetSpec, Filter, Group, GroupExt, Layout, resolve};

/// What a chunk has at most, where nothing is said: with filters less, for each small append packs the last chunk anew.
const CHUNK_BYTES: usize = 1 << 20;
const FILTERED_CHUNK_BYTES: usize = 256 << 10;

/// Checks a save and does it. Returns the dataset, unless it is not there and nothing was to be done.
pub(super) fn save(
    group: &dyn Group,
    name: &str,
    known: Option<DatasetRef>,
    data: &AnyArray,
    indices: &Indices,
    options: &SaveOptions,
) -> Result<Option<DatasetRef>> {
    let there = match known {
        Some(dataset) => Some(dataset),
        None => find(group, name)?,
    };
    let existing = there.as_deref().map(describe).transpose()?;
    let plan = plan(data, indices, options, existing.as_ref())?;
    match (plan, there) {
        (Plan::Create(data), _) => create(group, name, &data, options, None).map(Some),
        (Plan::Replace(data), Some(old)) => replace(group, name, &old, &data, options).map(Some),
        (Plan::Append(rows), Some(there)) => {
            check_layout(&*there, options)?;
            let there = match grows(&*there)? {
                true => there,
                false => rewrite(group, name, &there, options)?,
            };
            there.append_rows(&rows)?;
            Ok(Some(there))
        }
        (Plan::Update(selection, data), Some(there)) => {
            check_layout(&*there, options)?;
            there.write_selection(&selection, &data)?;
            Ok(Some(there))
        }
        (Plan::Nothing, Some(there)) => {
            check_layout(&*there, options)?;
            Ok(Some(there))
        }
        (_, there) => Ok(there),
    }
}

/// The dataset of that name, if anything is there.
pub(super) fn find(group: &dyn Group, name: &str) -> Result<Option<DatasetRef>> {
    match group.dataset(name) {
        Ok(dataset) => Ok(Some(dataset)),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}

pub(super) fn describe(dataset: &dyn Dataset) -> Result<Existing> {
    let limit = dataset.max_extent()?.and_then(|m| m.first().copied().flatten());
    Ok(Existing { dtype: dataset.dtype()?, shape: dataset.extent()?, limit })
}

/// True if axis 0 can grow as it is.
fn grows(dataset: &dyn Dataset) -> Result<bool> {
    Ok(dataset.max_extent()?.is_some_and(|m| !m.is_empty()))
}

/// Refuses options that contradict what is there: none is ignored.
pub(super) fn check_layout(dataset: &dyn Dataset, options: &SaveOptions) -> Result<()> {
    if options.chunks.is_none() && options.filters.is_none() {
        return Ok(());
    }
    let spec = dataset.spec()?;
    if let Some(chunks) = &options.chunks
        && spec.chunks() != Some(chunks)
    {
        let has = spec.chunks().map_or("no chunks".to_owned(), |c| format!("chunks of {c:?}"));
        return Err(error!(InvalidArgument, "the dataset has {has}, and the option 'chunks' says {chunks:?}")
            .at(dataset.name())
            .remedy(LEAVE));
    }
    if let Some(filters) = &options.filters
        && !same_filters(&spec.filters, filters)
    {
        let names = |f: &[Filter]| if f.is_empty() { "none".to_owned() } else { f.iter().map(Filter::name).collect::<Vec<_>>().join(", ") };
        return Err(error!(
            InvalidArgument,
            "the filters of the dataset are {}, and those of the options {}",
            names(&spec.filters),
            names(filters)
        )
        .at(dataset.name())
        .remedy(LEAVE));
    }
    Ok(())
}

const LEAVE: &str = "leave the option out, or overwrite: what a dataset is made of cannot change";

/// A file does not tell the levels of all filters; so only the kind counts where the rest is not known.
fn same_filters(there: &[Filter], wanted: &[Filter]) -> bool {
    there.len() == wanted.len() && there.iter().zip(wanted).all(|(a, b)| a == b || (a.id() == b.id() && matches!(a, Filter::Other { .. })))
}

/// The shape of the chunks: as many whole rows as fit, and if not even one does, a part of one.
pub(super) fn chunk_shape(shape: &[usize], dtype: &DType, bytes: usize) -> Vec<usize> {
    let mut chunk: Vec<usize> = shape.iter().map(|n| (*n).max(1)).collect();
    let Some(first) = chunk.first_mut() else { return chunk };
    *first = 1;
    let item = dtype.disk_size().max(1);
    let row = |chunk: &[usize]| chunk.iter().fold(item, |n, d| n.saturating_mul(*d));
    while row(&chunk) > bytes {
        // The longest of the other axes is halved, until a row fits.
        match (1..chunk.len()).max_by_key(|k| chunk[*k]).filter(|k| chunk[*k] > 1) {
            Some(axis) => chunk[axis] = chunk[axis].div_ceil(2),
            None => break,
        }
    }
    chunk[0] = (bytes / row(&chunk).max(1)).max(1);
    chunk
}

/// What a dataset is to be, that holds data like these and can grow.
fn spec_for(shape: &[usize], dtype: &DType, options: &SaveOptions, like: Option<&DatasetSpec>) -> Result<DatasetSpec> {
    let mut spec = DatasetSpec::new(dtype.clone(), shape);
    if shape.is_empty() {
        if options.chunks.is_some() || options.filters.as_ref().is_some_and(|f| !f.is_empty()) {
            bail!(InvalidArgument, "a scalar has neither chunks nor filters");
        }
        return Ok(spec);
    }
    spec.maxshape = Some(std::iter::once(None).chain(shape[1..].iter().map(|n| Some(*n))).collect());
    spec.filters = match (&options.filters, like) {
        (Some(filters), _) => filters.clone(),
        (None, Some(like)) => like.filters.clone(),
        (None, None) => Vec::new(),
    };
    let usual = if spec.filters.is_empty() { CHUNK_BYTES } else { FILTERED_CHUNK_BYTES };
    let bytes = match options.chunk_bytes {
        Some(0) => bail!(InvalidArgument, "a chunk of 0 bytes holds nothing"),
        Some(bytes) => bytes,
        None => usual,
    };
    spec.layout = Layout::Chunked(match &options.chunks {
        Some(chunks) => chunks.clone(),
        None => chunk_shape(shape, dtype, bytes),
    });
    if let Some(like) = like {
        spec.track_order = like.track_order;
        if like.dtype.same_values(dtype) {
            spec.fill = like.fill.clone();
        }
    }
    spec.validate()?;
    Ok(spec)
}

pub(super) fn create(
    group: &dyn Group,
    name: &str,
    data: &AnyArray,
    options: &SaveOptions,
    like: Option<&DatasetSpec>,
) -> Result<DatasetRef> {
    let spec = spec_for(data.shape(), data.dtype(), options, like)?;
    group.create_dataset(name).spec(&spec).write(data)
}

/// A name beside another, for what is not complete yet.
pub(super) fn hidden_name(name: &str) -> Result<String> {
    match path::split_last(name) {
        Some((parent, last)) => Ok(path::join(parent, &format!(".{last}.new"))),
        None => bail!(InvalidName, "the root cannot be a dataset"),
    }
}

/// A hidden name that is free: what a dead writer has left there goes.
fn hidden(group: &dyn Group, name: &str) -> Result<String> {
    let hidden = hidden_name(name)?;
    if find(group, &hidden)?.is_some() {
        group.delete(&hidden)?;
    }
    Ok(hidden)
}

/// Puts what stands under a hidden name in the place of the old.
fn exchange(group: &dyn Group, name: &str, hidden: &str) -> Result<DatasetRef> {
    let (parent, last) = resolve::parent(group, name)?;
    parent.unlink(last)?;
    group.rename(hidden, name)?;
    group.dataset(name)
}

/// Makes what will take the place of a dataset, attributes and all, under a hidden name.
pub(super) fn make_hidden(group: &dyn Group, name: &str, old: &DatasetRef, data: &AnyArray, options: &SaveOptions) -> Result<String> {
    let like = old.spec()?;
    let spec = spec_for(data.shape(), data.dtype(), options, (data.ndim() > 0).then_some(&like))?;
    let hidden = hidden(group, name)?;
    let new = group.create_dataset(&hidden).spec(&spec).write(data)?;
    crate::copy::copy_attrs(old.attrs(), new.attrs(), crate::copy::AttrOptions::default())?;
    Ok(hidden)
}

fn replace(group: &dyn Group, name: &str, old: &DatasetRef, data: &AnyArray, options: &SaveOptions) -> Result<DatasetRef> {
    let hidden = make_hidden(group, name, old, data, options)?;
    exchange(group, name, &hidden)
}

/// A dataset of a fixed size, as h5py makes it without a maxshape, written once more so that it can grow.
fn rewrite(group: &dyn Group, name: &str, old: &DatasetRef, options: &SaveOptions) -> Result<DatasetRef> {
    let like = old.spec()?;
    let (shape, dtype) = (old.shape()?, old.dtype()?);
    let mut spec = spec_for(&shape, &dtype, options, Some(&like))?;
    if options.chunks.is_none()
        && let Some(chunks) = like.chunks()
    {
        spec.layout = Layout::Chunked(chunks.to_vec());
    }
    let hidden = hidden(group, name)?;
    let new = group.create_dataset(&hidden).spec(&spec).create()?;
    for (part, _) in Blocks::new(&shape, dtype.itemsize(), spec.chunks()) {
        new.write_selection(&part, &old.read_selection(&part)?)?;
    }
    crate::copy::copy_attrs(old.attrs(), new.attrs(), crate::copy::AttrOptions::default())?;
    exchange(group, name, &hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_depend_on_bytes_only() {
        let chunk = |shape: &[usize], bytes| chunk_shape(shape, &DType::F64, bytes);
        assert_eq!(chunk(&[1], 1 << 20), [131_072]);
        assert_eq!(chunk(&[0, 100], 1 << 20), [1310, 100]);
        assert_eq!(chunk(&[5, 1 << 20], 1 << 20), [1, 131_072]);
        assert_eq!(chunk(&[5, 0], 800), [100, 1]);
        assert_eq!(chunk(&[5, 3, 7], 1), [1, 1, 1]);
        assert_eq!(chunk(&[], 1), [0usize; 0]);
    }
}
