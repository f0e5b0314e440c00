//! Zarr stores that ranks write and read together: each file is the business of one rank.

use memh5::distributed::{CommRef, Partition};
use memh5::format::{self, zarr::ZarrDataset};
use memh5::selection::Item;
use memh5::{AnyArray, DType, ErrorKind, Filter, MemGroup, Mode, Result, Selection, prelude::*};
use std::path::PathBuf;

crate::cases![
    stores_of_all_ranks_are_read_by_one_and_by_all,
    no_file_has_the_parts_of_two_ranks_where_the_axis_divides,
    chunks_across_ranks_are_written_by_one,
    a_rank_that_fails_leaves_the_old_store,
    a_store_that_is_written_to_is_locked,
];

/// A directory that all ranks see, removed at the end.
struct Scratch {
    path: PathBuf,
    comm: CommRef,
    _owner: Option<tempfile::TempDir>,
}

impl Scratch {
    fn new(comm: &CommRef) -> Result<Self> {
        let owner = (comm.rank() == 0).then(|| tempfile::tempdir().unwrap());
        let mut name = owner.as_ref().map_or(Vec::new(), |d| d.path().to_str().unwrap().as_bytes().to_vec());
        comm.broadcast(&mut name, 0)?;
        Ok(Self { path: String::from_utf8(name).unwrap().into(), comm: comm.clone(), _owner: owner })
    }

    fn store(&self) -> PathBuf {
        self.path.join("d.zarr")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nobody removes it while another rank looks.
        let _ = self.comm.barrier();
    }
}

fn whole(shape: &[usize]) -> AnyArray {
    AnyArray::from((0..shape.iter().product::<usize>() as i64).map(|n| n * 7 - 3).collect::<Vec<_>>()).reshape(shape).unwrap()
}

/// What this rank has of an array.
fn mine(comm: &CommRef, whole: &AnyArray, axis: usize) -> AnyArray {
    let range = Partition::new(whole.shape()[axis], comm.size()).range(comm.rank());
    let items = (0..whole.ndim()).map(|k| if k == axis { Item::from(range.clone()) } else { Item::FULL });
    whole.select(Selection::Axes(items.collect())).unwrap()
}

fn put(
    tree: &MemGroup,
    comm: &CommRef,
    name: &str,
    whole: &AnyArray,
    axis: usize,
    chunks: Option<&[usize]>,
    filters: &[Filter],
) -> Result<()> {
    let mut builder = tree.create_distributed(name).dtype(whole.dtype().clone()).shape(whole.shape()).axis(axis);
    if let Some(chunks) = chunks {
        builder = builder.chunks(chunks);
    }
    builder.filters(filters.to_vec()).create()?.set_local_data(mine(comm, whole, axis))
}

/// A name, the array, its distributed axis, chunks and filters.
type Case<'n> = (&'n str, AnyArray, usize, Option<Vec<usize>>, Vec<Filter>);

/// Saved by all, and equal for one reader and for all of them.
fn round_trip(comm: &CommRef, cases: &[Case<'_>]) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let tree = MemGroup::distributed(comm.clone());
    tree.attrs().set("gain", 0.5f32)?;
    for (name, whole, axis, chunks, filters) in cases {
        put(&tree, comm, name, whole, *axis, chunks.as_deref(), filters)?;
    }
    tree.to_file(scratch.store())?;
    comm.barrier()?;
    let root = format::open(scratch.store(), Mode::Read)?;
    for (name, whole, _, chunks, filters) in cases {
        let d = root.dataset(name)?;
        assert_eq!(&d.read_array()?, whole, "{name} on {} ranks", comm.size());
        if let Some(chunks) = chunks {
            assert_eq!(d.spec()?.chunks(), Some(&chunks[..]), "{name}");
        }
        assert_eq!(&d.spec()?.filters, filters, "{name}");
    }
    root.close_tree()?;
    let again = MemGroup::from_file_distributed(scratch.store(), comm)?;
    assert_eq!(again.attrs().get::<f32>("gain")?, 0.5);
    for (name, whole, axis, ..) in cases {
        assert_eq!(again.dataset(name)?.into_distributed()?.local_data()?, mine(comm, whole, *axis), "{name}");
    }
    // Once more over the old one.
    again.attrs().set("gain", 0.75f32)?;
    again.to_file(scratch.store())?;
    assert_eq!(MemGroup::from_file(scratch.store())?.attrs().get::<f32>("gain")?, 0.75);
    if comm.rank() == 0 {
        let names: Vec<_> = std::fs::read_dir(&scratch.path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["d.zarr"], "no lock and no temporary stays");
    }
    Ok(())
}

fn stores_of_all_ranks_are_read_by_one_and_by_all(comm: &CommRef) -> Result<()> {
    let cube = whole(&[7, 5, 6]);
    round_trip(
        comm,
        &[
            ("plain", whole(&[19, 10]), 0, None, vec![]),
            ("columns", whole(&[19, 10]), 1, None, vec![]),
            ("short", whole(&[2, 3]), 0, None, vec![]),
            ("cube", cube.clone(), 1, None, vec![Filter::Zstd(1)]),
            ("packed cube", cube, 2, Some(vec![3, 2, 4]), vec![Filter::Shuffle, Filter::Gzip(1)]),
            ("empty", AnyArray::zeros(DType::F64, [0, 4])?, 0, None, vec![]),
        ],
    )
}

fn chunks_across_ranks_are_written_by_one(comm: &CommRef) -> Result<()> {
    let w = whole(&[23, 9]);
    let cases: Vec<_> = [(0, [1, 9]), (0, [4, 9]), (0, [23, 9]), (0, [5, 2]), (1, [23, 4]), (1, [2, 9]), (1, [6, 2])]
        .into_iter()
        .flat_map(|(axis, chunks)| [(axis, chunks, vec![]), (axis, chunks, vec![Filter::Zstd(1)])])
        .collect();
    let names: Vec<String> = (0..cases.len()).map(|n| format!("case{n}")).collect();
    let cases: Vec<_> = cases
        .into_iter()
        .zip(&names)
        .map(|((axis, chunks, filters), name)| (name.as_str(), w.clone(), axis, Some(chunks.to_vec()), filters))
        .collect();
    round_trip(comm, &cases)
}

/// The grid is chosen so that whoever has a part of a file has all of it: then nothing moves, and nobody needs a lock.
fn no_file_has_the_parts_of_two_ranks_where_the_axis_divides(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let ranks = comm.size();
    let tree = MemGroup::distributed(comm.clone());
    let shapes = [([12 * ranks, 6], 0), ([6, 12 * ranks], 1), ([400 * ranks, 2000], 0), ([2000, 400 * ranks], 1)];
    for (at, (shape, axis)) in shapes.iter().enumerate() {
        put(&tree, comm, &format!("d{at}"), &whole(shape), *axis, None, &[])?;
        put(&tree, comm, &format!("packed{at}"), &whole(shape), *axis, None, &[Filter::Zstd(1)])?;
    }
    tree.to_file(scratch.store())?;
    comm.barrier()?;
    let root = format::open(scratch.store(), Mode::Read)?;
    for (at, (shape, axis)) in shapes.iter().enumerate() {
        for name in [format!("d{at}"), format!("packed{at}")] {
            let d = root.dataset(&name)?;
            let files = d.as_any().downcast_ref::<ZarrDataset>().unwrap().file_chunks()?;
            let range = Partition::new(shape[*axis], ranks).range(comm.rank());
            assert!(range.start.is_multiple_of(files[*axis]), "{name}: files of {files:?} and the rows {range:?}");
            assert!(
                range.end.is_multiple_of(files[*axis]) || range.end == shape[*axis],
                "{name}: files of {files:?} and the rows {range:?}"
            );
            let part = mine(comm, &whole(shape), *axis);
            let items = (0..2).map(|k| if k == *axis { Item::from(range.clone()) } else { Item::FULL });
            assert_eq!(d.read_selection(&Selection::Axes(items.collect()))?, part, "{name}");
            // What is not chunked is not so after a copy either.
            assert_eq!(d.spec()?.chunks().is_some(), name.starts_with("packed"), "{name}");
        }
    }
    root.close_tree()
}

fn a_rank_that_fails_leaves_the_old_store(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let tree = MemGroup::distributed(comm.clone());
    put(&tree, comm, "d", &whole(&[8, 3]), 0, None, &[])?;
    tree.to_file(scratch.store())?;
    comm.barrier()?;
    // Trees that differ: refused on all ranks.
    let other = MemGroup::distributed(comm.clone());
    put(&other, comm, "d", &whole(&[9, 3]), 0, None, &[])?;
    other.create_dataset("rank").write(comm.rank() as i64)?;
    let saved = other.to_file(scratch.store());
    if comm.size() > 1 {
        assert_eq!(saved.unwrap_err().kind(), ErrorKind::Collective);
        let root = format::open(scratch.store(), Mode::Read)?;
        assert_eq!(root.dataset("d")?.read_array()?, whole(&[8, 3]));
        root.close_tree()?;
    }
    comm.barrier()
}

fn a_store_that_is_written_to_is_locked(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let tree = MemGroup::distributed(comm.clone());
    put(&tree, comm, "d", &whole(&[8, 3]), 0, None, &[])?;
    tree.to_file(scratch.store())?;
    comm.barrier()?;
    let held = (comm.rank() == 0).then(|| format::open(scratch.store(), Mode::ReadWrite)).transpose()?;
    comm.barrier()?;
    let error = tree.to_file(scratch.store()).unwrap_err();
    assert!(error.to_string().contains("lock"), "{error}");
    comm.barrier()?;
    if let Some(held) = held {
        held.close_tree()?;
    }
    comm.barrier()?;
    tree.to_file(scratch.store()).map(drop)
}
