//! Distributed trees in Zarr stores: each rank writes files of its own.

use memh5::distributed::{Partition, ThreadComm};
use memh5::format;
use memh5::prelude::*;
use memh5::selection::Item;
use memh5::{AnyArray, Filter, MemGroup, Mode, Selection};

#[test]
fn ranks_save_what_one_process_reads_and_other_ranks_load() {
    let cases: [(&str, usize, Option<[usize; 2]>, bool); 6] = [
        ("contiguous", 0, None, false),
        ("columns", 1, None, false),
        ("chunks", 0, Some([3, 4]), false),
        ("across", 1, Some([19, 3]), false),
        ("filtered", 0, Some([4, 10]), true),
        ("filtered columns", 1, Some([4, 3]), true),
    ];
    let whole = AnyArray::from(ndarray::Array2::from_shape_fn((19, 10), |(i, j)| (100 * i + j) as i64));
    for ranks in [1, 2, 3, 5] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.zarr");
        let mine = |rank: usize, axis: usize, ranks: usize| {
            let range = Partition::new(whole.shape()[axis], ranks).range(rank);
            let items = (0..2).map(|k| if k == axis { Item::from(range.clone()) } else { Item::FULL });
            whole.select(Selection::Axes(items.collect())).unwrap()
        };
        let saved = ThreadComm::run_each(ranks, |comm| -> memh5::Result<()> {
            let tree = MemGroup::distributed(comm.clone());
            tree.attrs().set("gain", 0.5f32)?;
            tree.create_dataset("common").write(vec![1, 2, 3])?;
            for (name, axis, chunks, filtered) in cases {
                let mut builder = tree.create_distributed(name).dtype(whole.dtype().clone()).shape([19, 10]).axis(axis);
                if let Some(chunks) = chunks {
                    builder = builder.chunks(chunks);
                }
                if filtered {
                    builder = builder.filters([Filter::Zstd(1)]);
                }
                builder.create()?.set_local_data(mine(comm.rank(), axis, ranks))?;
            }
            tree.to_file(&path).map(drop)
        });
        saved.unwrap().into_iter().for_each(|result| result.unwrap());
        let root = format::open(&path, Mode::Read).unwrap();
        for (name, axis, chunks, _) in cases {
            let d = root.dataset(name).unwrap();
            assert_eq!(d.read_array().unwrap(), whole, "{name} of {ranks} ranks");
            assert_eq!(d.attrs().get::<i64>("__memh5_distributed_axis").unwrap(), axis as i64);
            if let Some(chunks) = chunks {
                assert_eq!(d.spec().unwrap().chunks(), Some(&chunks[..]));
            }
        }
        assert_eq!(root.attrs().get::<f32>("gain").unwrap(), 0.5);
        let loaded = ThreadComm::run_each(3, |comm| -> memh5::Result<()> {
            let tree = MemGroup::from_file_distributed(&path, &comm)?;
            for (name, axis, ..) in cases {
                assert_eq!(tree.dataset(name)?.into_distributed()?.local_data()?, mine(comm.rank(), axis, 3), "{name}");
            }
            Ok(())
        });
        loaded.unwrap().into_iter().for_each(|result| result.unwrap());
    }
}
