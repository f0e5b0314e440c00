//! caput's own tests of distributed trees and files, by their numbers in its list. The others of the list are held by other suites:
//! `docs/for-caput-users.md` has the table.

use super::files::{Sample, Scratch, dump_of, dump_of_file, mine, on_first, pattern};
use memh5::copy::{DeepCopy, StringConversion};
use memh5::distributed::{CommRef, DistributedArray, Hints, Partition};
use memh5::tree::{BitshuffleCompressor, tree_equal};
use memh5::{DType, ErrorKind, Filter, MemDiskGroup, MemGroup, Mode, Result, Selection, format, mem_disk, prelude::*};

crate::cases![
    caput_12_io,
    caput_17_create_dataset,
    caput_18_misc,
    caput_19_dataset_copy,
    caput_22_gather,
    caput_24_array_io,
    caput_46_47_file_select,
    caput_48_file_select_distributed,
    samples_are_loaded_and_saved_alike,
];

fn caput_12_io(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let (rank, size) = (comm.rank(), comm.size());
    let bitshuffle = Filter::Bitshuffle { block_size: 0, compressor: BitshuffleCompressor::Lz4 };
    for filters in [vec![], vec![bitshuffle]] {
        let path = scratch.file("io.h5");
        let tree = MemGroup::distributed(comm.clone());
        let parallel = tree
            .create_distributed("parallel_data")
            .shape([size, 10])
            .dtype(DType::I64)
            .chunks([1, 3])
            .filters(filters.clone())
            .create()?;
        parallel.with_local_view_mut::<i64, _>(|mut mine| mine.fill(rank as i64))?;
        parallel.attrs().set("const", 17)?;
        tree.create_dataset("serial_data").write(vec![rank as i64; 10])?.attrs().set("const", 18)?;
        tree.create_dataset("nested/deep/texts").write(vec!["µ", "b"])?;
        // The ranks' common data differ: rank 0's count, as the caller says.
        DeepCopy::new().common_data(memh5::distributed::CommonData::RankZero).save(&tree, &path)?;
        on_first(comm, || {
            let file = format::open(&path, Mode::Read).unwrap();
            let data = file.dataset("parallel_data").unwrap();
            let column: Vec<i64> = data.read_slice((.., 0)).unwrap();
            assert_eq!(column, (0..size as i64).collect::<Vec<_>>());
            assert_eq!(file.dataset("serial_data").unwrap().read_slice::<Vec<i64>>(..).unwrap(), [0; 10]);
            assert_eq!(data.attrs().get::<i32>("const").unwrap(), 17);
            assert_eq!(file.dataset("serial_data").unwrap().attrs().get::<i32>("const").unwrap(), 18);
            let spec = data.spec().unwrap();
            assert_eq!((spec.chunks(), &spec.filters), (Some(&[1, 3][..]), &filters));
            file.close_tree().unwrap();
        })?;
        let back = MemGroup::from_file_distributed(&path, comm)?;
        assert_eq!(back.dataset("parallel_data")?.into_distributed()?.local_data()?, parallel.local_data()?);
        assert_eq!(back.dataset("serial_data")?.read_slice::<Vec<i64>>(..)?, [0; 10]);
        assert_eq!(back.dataset("nested/deep/texts")?.read_slice::<Vec<String>>(..)?, ["µ", "b"]);
    }
    Ok(())
}

fn caput_17_create_dataset(comm: &CommRef) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let array = DistributedArray::zeros(DType::F32, [size * 5, 10], 0, comm.clone())?.map_local(|_: f32| rank as f32)?;
    // Not into a tree of one process.
    assert_eq!(MemGroup::new().create_distributed("data").write(array.clone()).unwrap_err().kind(), ErrorKind::Unsupported);
    let tree = MemGroup::distributed(comm.clone());
    let data = tree.create_distributed("data").write(array.clone())?;
    assert_eq!((data.local_shape()?, data.array()?.local_shape()), (vec![5, 10], array.local_shape()));
    // Each rank sees its own rows by their global index.
    assert_eq!(data.read_slice::<Vec<f32>>(rank * 5)?, vec![rank as f32; 10]);
    let turned = tree.create_distributed("turned").axis(1).write(array)?;
    assert_eq!(turned.local_shape()?, [size * 5, Partition::new(10, size).count(rank)]);
    turned.with_local_view::<f32, _>(|here| {
        for (row, values) in here.outer_iter().enumerate() {
            assert!(values.iter().all(|x| *x == (row / 5) as f32));
        }
    })?;
    let empty = tree.create_distributed("empty").shape([size * 5, 10]).create()?;
    assert_eq!((empty.local_shape()?, empty.dtype()?), (vec![5, 10], DType::F64));
    Ok(())
}

fn caput_18_misc(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("misc.h5");
    let container = MemDiskGroup::from_group(&MemGroup::distributed(comm.clone()));
    container.create_dataset("dset").write(vec![0, 1, 2])?;
    container.create_group("group/inner")?;
    assert!(container.contains("dset")? && container.contains("group/inner")? && !container.contains("other")?);
    container.save(&path)?;
    let back = mem_disk::LoadOptions::new().distributed(comm.clone()).open(&path)?;
    assert!(tree_equal(&container, &back)?);
    // What is on the disk is of each process alone.
    assert!(mem_disk::LoadOptions::new().distributed(comm.clone()).ondisk(true).open(&path).is_err());
    Ok(())
}

fn caput_19_dataset_copy(comm: &CommRef) -> Result<()> {
    let tree = MemGroup::distributed(comm.clone());
    let x = tree.create_distributed("x").shape([comm.size() * 2, 5]).dtype(DType::F32).create()?;
    let deep = x.copy()?;
    assert!(deep.array()?.equal(&x.array()?)?);
    deep.with_local_view_mut::<f32, _>(|mut mine| mine.fill(1.0))?;
    assert!(!deep.array()?.equal(&x.array()?)?);
    let view = x.view();
    x.with_local_view_mut::<f32, _>(|mut mine| mine.fill(2.0))?;
    assert!(view.array()?.equal(&x.array()?)?);
    assert_eq!(deep.array()?.max(..)?.into_scalar::<f32>()?, 1.0);
    Ok(())
}

fn caput_22_gather(comm: &CommRef) -> Result<()> {
    let whole = pattern(&DType::fixed_utf8(64), &[comm.size() + 3, 2]);
    let array = DistributedArray::from_global(&whole, 0, comm.clone())?;
    let root = usize::from(comm.size() > 1);
    assert_eq!(array.gather(root)?, (comm.rank() == root).then(|| whole.clone()));
    assert_eq!(array.all_gather()?, whole);
    Ok(())
}

fn caput_24_array_io(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("array.h5");
    let whole = pattern(&DType::I64, &[19, 17]);
    let tree = MemGroup::distributed(comm.clone());
    Sample::new("test", whole.clone(), 1).put(&tree, comm)?;
    tree.to_file(&path)?;
    for text in ["", "3:10:2, 1:16:3", ":, 3:15:2"] {
        let selection: Selection = text.parse()?;
        for axis in [0, 1] {
            let options = DeepCopy::new().hints(Hints::new().distribute("test", axis as isize)).select("test", &selection);
            let (part, _) = options.load_distributed(&path, comm)?;
            Sample::new("test", whole.select(&selection)?, axis).check(&part, comm)?;
        }
    }
    assert_eq!(whole.select("3:10:2, 1:16:3".parse::<Selection>()?)?.shape(), [4, 5]);
    Ok(())
}

fn caput_46_47_file_select(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("select.h5");
    let (cube, square) = (pattern(&DType::I64, &[8, 8, 8]), pattern(&DType::I64, &[8, 8]));
    on_first(comm, || {
        let tree = MemGroup::new();
        tree.create_dataset("cube").write(cube.clone()).unwrap();
        tree.create_dataset("square").write(square.clone()).unwrap();
        tree.to_file(&path).unwrap();
    })?;
    for (first, second) in [("1:8:2, 1:4, :", "1:8:2, :"), ("1:8:2, [0,2,7], :", "[0,2,7], :")] {
        let (first, second): (Selection, Selection) = (first.parse()?, second.parse()?);
        let (part, _) = DeepCopy::new().select("cube", &first).select("square", &second).load(&path)?;
        assert_eq!(part.dataset("cube")?.read_array()?, cube.select(&first)?);
        assert_eq!(part.dataset("square")?.read_array()?, square.select(&second)?);
    }
    comm.barrier()
}

fn caput_48_file_select_distributed(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("select.h5");
    let (cube, square) = (pattern(&DType::I64, &[8, 8, 8]), pattern(&DType::I64, &[8, 8]));
    // Written by one rank on a communicator of its own.
    let alone = comm.split((comm.rank() == 0).then_some(0), 0)?;
    if let Some(alone) = alone {
        let tree = MemGroup::distributed(alone.clone());
        Sample::new("cube", cube.clone(), 0).put(&tree, &alone)?;
        Sample::new("square", square.clone(), 0).put(&tree, &alone)?;
        tree.to_file(&path)?;
    }
    comm.barrier()?;
    for freq in ["1:8:2", "5:8:2"] {
        for input in ["1:4", "5:8:2"] {
            for index in [":", "[0,2,7]"] {
                let (first, second): (Selection, Selection) =
                    (format!("{freq}, {input}, {index}").parse()?, format!("{freq}, {index}").parse()?);
                let (part, _) = DeepCopy::new().select("cube", &first).select("square", &second).load_distributed(&path, comm)?;
                for (name, whole) in [("cube", cube.select(&first)?), ("square", square.select(&second)?)] {
                    let local = part.dataset(name)?.into_distributed()?.local_data()?;
                    assert_eq!(local, mine(comm, &whole, 0), "{name}: {freq}, {input}, {index} on {} ranks", comm.size());
                }
            }
        }
    }
    Ok(())
}

/// Every sample that caput wrote, on any number of ranks: loaded by all, and saved again with the same content.
fn samples_are_loaded_and_saved_alike(comm: &CommRef) -> Result<()> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/caput");
    let scratch = Scratch::new(comm)?;
    for name in ["dist_np2.h5", "container.h5", "memdiskgroup.h5", "serial_all.h5", "strings_converted.h5"] {
        let (from, to) = (here.join(name), scratch.file(name));
        let hints = if name == "dist_np2.h5" { Hints::new() } else { Hints::off() };
        let (tree, report) = DeepCopy::new().hints(hints.clone()).load_distributed(&from, comm)?;
        assert!(report.lost.is_empty(), "{name}: {report}");
        if name != "dist_np2.h5" {
            assert_eq!(dump_of(&tree), dump_of_file(&from), "{name}");
        }
        DeepCopy::new().hints(hints).save(&tree, &to)?;
        on_first(comm, || assert_eq!(dump_of_file(&to), dump_of_file(&from), "{name}"))?;
    }
    // Texts of fixed length that are made from the others, and spread.
    let path = scratch.file("texts.h5");
    on_first(comm, || {
        let tree = MemGroup::new();
        tree.create_dataset("texts").write(vec!["one", "two", "three"]).unwrap();
        tree.to_file(&path).unwrap();
    })?;
    let options = DeepCopy::new().convert_dataset_strings(StringConversion::FixedAscii).hints(Hints::new().distribute("texts", 0));
    assert!(options.load_distributed(&path, comm)?.0.dataset("texts")?.is_distributed());
    comm.barrier()
}
