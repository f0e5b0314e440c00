//! Parts of datasets on their way from files and into them, and what is converted and kept on the way.

use super::files::{Sample, Scratch, dump_of, dump_of_file, mine, on_first, pattern};
use memh5::copy::{DeepCopy, StringConversion};
use memh5::distributed::{CommRef, Hints};
use memh5::tree::BitshuffleCompressor;
use memh5::{AnyArray, DType, ErrorKind, Filter, MemGroup, Mode, Result, Selection, format, prelude::*};

crate::cases![
    selections_at_load,
    selections_at_save,
    strings_are_converted,
    everything_of_a_dataset_is_kept,
    every_filter_on_straddling_chunks,
    one_lock_for_all
];

fn selections_at_load(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("cube.h5");
    let tree = MemGroup::distributed(comm.clone());
    let mut cube = Sample::new("cube", pattern(&DType::I32, &[8, 8, 8]), 0);
    cube.put(&tree, comm)?;
    cube.name = "packed".into();
    (cube.chunks, cube.filters) = (Some(vec![3, 2, 8]), vec![Filter::Gzip(1)]);
    cube.put(&tree, comm)?;
    tree.to_file(&path)?;
    for text in ["1:8:2, 1:4", "5:8:2", "1:8:2, [0,2,7]", "[7,0,2,0], :, ::-1", "::-1", "2:3", "3:3", ":, 1, ::3", "[], 1:, 2"] {
        let selection: Selection = text.parse()?;
        for axis in [0, 2] {
            let wanted = cube.whole.select(selection.clone())?;
            // The axis of what is left.
            let items = text.split(", ").collect::<Vec<_>>();
            let dropped = |k: usize| items.get(k).is_some_and(|i| i.parse::<i64>().is_ok());
            for name in ["cube", "packed"] {
                let options = DeepCopy::new().select(name, &selection).hints(Hints::new().distribute(name, axis as isize));
                let loaded = options.load_distributed(&path, comm);
                if dropped(axis) {
                    assert!(loaded.is_err(), "{text} on axis {axis}");
                    continue;
                }
                let left = axis - (0..axis).filter(|k| dropped(*k)).count();
                Sample::new(name, wanted.clone(), left).check(&loaded.map_err(|e| e.during(text))?.0, comm)?;
            }
        }
    }
    Ok(())
}

fn selections_at_save(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let (path, alone) = (scratch.file("part.h5"), scratch.file("alone.h5"));
    let tree = MemGroup::distributed(comm.clone());
    let mut cube = Sample::new("cube", pattern(&DType::I32, &[8, 7, 6]), 0);
    cube.put(&tree, comm)?;
    cube.name = "packed".into();
    (cube.chunks, cube.filters) = (Some(vec![3, 2, 6]), vec![Filter::Shuffle, Filter::Gzip(1)]);
    cube.put(&tree, comm)?;
    let serial = MemGroup::new();
    for name in ["cube", "packed"] {
        serial.create_dataset(name).spec(&tree.dataset(name)?.spec()?).write(cube.whole.clone())?;
    }
    let texts = ["1:8:2, 1:4", "5:8:2", "1:8:2, [0,2,5]", "[7,0,2,0], :, ::-1", "::-1", "2:3", "3:3", ":, 1, ::3", "[], 1:, 2", "::-3"];
    for text in texts {
        let selection: Selection = text.parse()?;
        for axis in [0, 1, 2] {
            for name in ["cube", "packed"] {
                tree.redistribute(name, axis)?;
                let options = || DeepCopy::new().hints(Hints::off()).select(name, &selection);
                let saved = options().save(&tree, &path);
                let items = text.split(", ").collect::<Vec<_>>();
                if items.get(axis).is_some_and(|item| item.parse::<i64>().is_ok()) {
                    let error = saved.unwrap_err();
                    assert!(error.to_string().contains("drops axis"), "{error}");
                    continue;
                }
                let report = saved.map_err(|e| e.during(format!("{text} of {name} on axis {axis}")))?;
                let wanted = cube.whole.select(selection.clone())?;
                assert_eq!(report.bytes, (wanted.nbytes() + cube.whole.nbytes()) as u64);
                on_first(comm, || {
                    options().save(&serial, &alone).unwrap();
                    assert_eq!(dump_of_file(&path), dump_of_file(&alone), "{text} of {name} on axis {axis}");
                    let file = format::open(&path, Mode::Read).unwrap();
                    assert_eq!(file.dataset(name).unwrap().spec().unwrap().filters, tree.dataset(name).unwrap().spec().unwrap().filters);
                    file.close_tree().unwrap();
                })?;
            }
        }
    }
    // With its marks it is spread again as it was, on what is left of the axes.
    tree.redistribute("cube", 2)?;
    DeepCopy::new().select("cube", (1, 1..7)).save(&tree, &path)?;
    let left = cube.whole.select((1, 1..7))?;
    Sample::new("cube", left, 1).check(&MemGroup::from_file_distributed(&path, comm)?, comm)?;
    // Single elements are on no axis.
    let mask = ndarray::ArrayD::from_elem(vec![8, 7, 6], true);
    let error = DeepCopy::new().select("cube", Selection::Mask(mask)).save(&tree, &path).unwrap_err();
    assert!(error.to_string().contains("mask"), "{error}");
    Ok(())
}

fn everything_of_a_dataset_is_kept(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let (path, again) = (scratch.file("a.h5"), scratch.file("b.h5"));
    on_first(comm, || {
        let tree = MemGroup::new();
        let make = |name: &str| tree.create_dataset(name).dtype(DType::F32);
        make("grows").maxshape([None, Some(9)]).chunks([2, 3]).gzip(2).fill_value(-1.0f32).write(pattern(&DType::F32, &[5, 6])).unwrap();
        make("plain").write(pattern(&DType::F32, &[5, 6])).unwrap();
        make("chunks").chunks([4, 4]).write(pattern(&DType::F32, &[5, 6])).unwrap();
        make("rare").maxshape([None, None]).fill_value(7.5f32).shape([5, 6]).create().unwrap();
        for name in ["grows", "plain"] {
            tree.dataset(name).unwrap().attrs().set("unit", name).unwrap();
            tree.dataset(name).unwrap().attrs().set("matrix", ndarray::Array2::<i16>::ones((2, 3))).unwrap();
        }
        tree.to_file(&path).unwrap();
    })?;
    let names = ["grows", "plain", "chunks", "rare"];
    let hints = names.iter().fold(Hints::new(), |hints, name| hints.distribute(*name, 1));
    let (tree, report) = DeepCopy::new().hints(hints).load_distributed(&path, comm)?;
    assert!(report.lost.is_empty(), "{report}");
    let file = format::open(&path, Mode::Read)?;
    let same = |tree: &dyn memh5::tree::Group, other: &dyn memh5::tree::Group| -> Result<()> {
        for name in names {
            let (one, two) = (tree.dataset(name)?, other.dataset(name)?);
            let (mut a, mut b) = (one.spec()?, two.spec()?);
            // What the format has chosen, and how it tells the default.
            for spec in [&mut a, &mut b] {
                if name == "rare" {
                    spec.layout = memh5::tree::Layout::Auto;
                }
            }
            assert_eq!((a.maxshape, a.layout.clone(), a.filters), (b.maxshape, b.layout, b.filters), "{name}");
            assert_eq!(format!("{:?}", a.fill), format!("{:?}", b.fill), "{name}");
            assert_eq!(one.attrs().keys()?, two.attrs().keys()?);
        }
        Ok(())
    };
    for name in names {
        assert!(tree.dataset(name)?.is_distributed());
        let whole = file.dataset(name)?.read_array()?;
        assert_eq!(tree.dataset(name)?.into_distributed()?.local_data()?, mine(comm, &whole, 1), "{name}");
    }
    same(&tree, &*file)?;
    tree.redistribute("grows", 0)?;
    DeepCopy::new().hints(Hints::off()).save(&tree, &again)?;
    let second = format::open(&again, Mode::Read)?;
    same(&*second, &*file)?;
    assert_eq!(dump_of(&*second), dump_of(&*file));
    // What grows in the file grows on.
    second.close_tree()?;
    comm.barrier()?;
    on_first(comm, || {
        let file = format::open(&again, Mode::ReadWrite).unwrap();
        file.dataset("grows").unwrap().append(pattern(&DType::F32, &[1, 6])).unwrap();
        file.close_tree().unwrap();
    })?;
    file.close_tree()
}

fn strings_are_converted(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("strings.h5");
    on_first(comm, || {
        let tree = MemGroup::new();
        tree.create_dataset("text").write(vec!["a", "bcd", "", "efghi", "jk"]).unwrap();
        tree.to_file(&path).unwrap();
    })?;
    let (tree, _) = DeepCopy::new()
        .convert_dataset_strings(StringConversion::FixedAscii)
        .hints(Hints::new().distribute("text", 0))
        .load_distributed(&path, comm)?;
    let text = tree.dataset("text")?.into_distributed()?;
    assert_eq!(text.dtype()?.to_string(), "|S5");
    let range = text.local_range()?;
    let all = ["a", "bcd", "", "efghi", "jk"];
    assert_eq!(Vec::<String>::from_array(text.local_data()?)?, all[range]);
    // Into a file as variable-length strings they do not go: no rank could write its part.
    let before = scratch.names()?;
    let error = DeepCopy::new().convert_dataset_strings(StringConversion::Variable).save(&tree, scratch.file("no.h5")).unwrap_err();
    assert!(error.to_string().contains("/text"), "{error}");
    assert_eq!(scratch.names()?, before);
    tree.to_file(&path)?;
    // Read back they become common with that choice, with a line in the report.
    let (tree, report) = DeepCopy::new().convert_dataset_strings(StringConversion::Variable).load_distributed(&path, comm)?;
    assert_eq!(tree.dataset("text")?.read_slice::<Vec<String>>(..)?, all);
    assert!(report.lost.iter().any(|n| n.what.contains("common")), "{report}");
    Ok(())
}

/// What the serial library makes of the same data is what the ranks make, element by element: also where a filter loses digits, where chunks lie on
/// several ranks or stand over the edges, and where the fill value is one of a filter's parameters.
fn every_filter_on_straddling_chunks(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let (path, alone) = (scratch.file("ranks.h5"), scratch.file("alone.h5"));
    let zstd = Filter::Bitshuffle { block_size: 64, compressor: BitshuffleCompressor::Zstd(3) };
    let szip = |options| Filter::Szip { options, pixels_per_block: 8 };
    let scale = |kind, factor| Filter::ScaleOffset { kind, factor };
    let pipelines: &[(&[Filter], bool)] = &[
        (&[Filter::Fletcher32], true),
        (&[Filter::Gzip(6), Filter::Fletcher32], true),
        (&[Filter::Shuffle, Filter::Gzip(1), Filter::Fletcher32], true),
        (&[Filter::Shuffle, Filter::Lzf], true),
        (&[zstd], true),
        (&[Filter::Zstd(1)], true),
        (&[Filter::Nbit], true),
        (&[Filter::Nbit, Filter::Gzip(1)], true),
        (&[szip(4)], true),
        (&[szip(32)], true),
        (&[scale(2, 0)], false),
        (&[scale(2, 0), Filter::Gzip(1)], false),
        (&[scale(0, 2)], true),
    ];
    let (tree, serial) = (MemGroup::distributed(comm.clone()), MemGroup::new());
    let has_szip = {
        let (dir, probe) = (tempfile::tempdir().unwrap(), MemGroup::new());
        probe.create_dataset("probe").chunks([8]).filter(szip(4)).write(vec![0; 8])?;
        probe.to_file(dir.path().join("probe.h5")).is_ok()
    };
    for (k, (filters, floats)) in pipelines.iter().enumerate() {
        // Numbers that need all codes of a scale: the fill value among them, too.
        let numbers = ndarray::ArrayD::from_shape_fn(vec![13, 11], |i| (i[0] * 11 + i[1]) as i32 - 70);
        let whole = if *floats && k % 2 == 0 { AnyArray::from(numbers.map(|x| f64::from(*x) * 0.12345)) } else { AnyArray::from(numbers) };
        let whole = if filters[0] == scale(0, 2) { whole.astype(&DType::F64, memh5::Cast::Exact)? } else { whole };
        for (c, chunks) in [[1, 1], [3, 4], [5, 11], [13, 3], [20, 20]].into_iter().enumerate() {
            let chunks = [chunks[0].min(13), chunks[1].min(11)];
            // A chunk has to have as many elements as a block of szip, which not every HDF5 library has.
            if matches!(filters[0], Filter::Szip { .. }) && (chunks[1] < 8 || !has_szip) {
                continue;
            }
            for fill in [None, Some(-3)] {
                let name = format!("f{k}c{c}{}", if fill.is_some() { "v" } else { "" });
                let axis = (k + c) % 2;
                let mut spread = tree.create_distributed(&name).shape([13, 11]).axis(axis).dtype(whole.dtype().clone()).chunks(chunks);
                let mut one = serial.create_dataset(&name).dtype(whole.dtype().clone()).chunks(chunks);
                if let Some(fill) = fill {
                    (spread, one) = (spread.fill_value(fill), one.fill_value(fill));
                }
                spread.filters(filters.to_vec()).create()?.set_local_data(mine(comm, &whole, axis))?;
                one.filters(filters.to_vec()).write(whole.clone())?;
            }
        }
    }
    DeepCopy::new().hints(Hints::off()).save(&tree, &path)?;
    let options = memh5::tree::DumpOptions::default().layout(true);
    let lines = |file: &dyn memh5::tree::Group| {
        let mut out = Vec::new();
        memh5::tree::dump(file, &options, &mut out).map(|()| String::from_utf8(out).unwrap())
    };
    on_first(comm, || {
        serial.to_file(&alone).unwrap();
        let (one, two) = (format::open(&alone, Mode::Read).unwrap(), format::open(&path, Mode::Read).unwrap());
        let (a, b) = (lines(&*one).unwrap(), lines(&*two).unwrap());
        for (a, b) in a.lines().zip(b.lines()) {
            assert_eq!(a, b);
        }
        one.close_tree().unwrap();
        two.close_tree().unwrap();
    })?;
    // And read by ranks, on the other axis.
    let names = tree.keys()?;
    let hints = names.iter().enumerate().fold(Hints::new(), |hints, (k, name)| hints.distribute(name, (k % 2) as isize));
    let (back, _) = DeepCopy::new().hints(hints).load_distributed(&path, comm)?;
    let file = format::open(&path, Mode::Read)?;
    for (k, name) in names.iter().enumerate() {
        let whole = file.dataset(name)?.read_array()?;
        assert_eq!(back.dataset(name)?.into_distributed()?.local_data()?, mine(comm, &whole, k % 2), "{name}");
    }
    file.close_tree()?;
    // A filter that nobody knows: named on all ranks alike, and nothing is left.
    let unknown = Filter::Other { id: 31_000, optional: false, values: vec![1] };
    tree.create_distributed("unknown").shape([4, 4]).chunks([2, 2]).filter(unknown).create()?;
    let before = scratch.names()?;
    let error = tree.to_file(scratch.file("no.h5")).unwrap_err();
    assert!(error.to_string().contains("31000") && error.to_string().contains("unknown"), "{error}");
    assert_eq!(scratch.names()?, before);
    Ok(())
}

fn one_lock_for_all(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("table.txt");
    let lock = memh5::lock_file(&path).comm(comm.clone()).acquire()?;
    if comm.rank() == 0 {
        std::fs::write(lock.tmpfile(), "new").unwrap();
    }
    assert_eq!(lock.finish(Ok(comm.rank()))?, comm.rank());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    comm.barrier()?;
    let last = comm.size() - 1;
    let result = memh5::lock_file(&path).comm(comm.clone()).publish(|tmp| {
        if comm.rank() == 0 {
            std::fs::write(tmp, "newer").unwrap();
        }
        if comm.rank() == last { Err(memh5::Error::new(ErrorKind::Dtype, "on purpose")) } else { Ok(()) }
    });
    let error = result.unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
    assert!(comm.size() == 1 || (error.kind(), error.rank()) == (ErrorKind::Collective, Some(last)));
    assert_eq!(scratch.names()?, ["table.txt"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    comm.barrier()
}
