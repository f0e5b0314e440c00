//! Datasets that are spread over ranks: what is where.

use memh5::distributed::{CommRef, Partition};
use memh5::{AnyArray, DType, ErrorKind, Filter, MemDataset, MemGroup, Result, Selection, prelude::*};
use ndarray::{ArrayD, IxDyn};

crate::cases![
    parts_follow_the_rule,
    a_dataset_is_what_it_was_made,
    redistribution_is_seen_by_every_handle,
    common_and_distributed_change_into_each_other,
    what_is_here_is_read_and_written_through_the_tree,
    copies_are_independent_and_local,
    deep_copies_keep_the_distribution,
    a_container_of_datasets_is_redistributed,
    arrays_become_datasets,
    trees_are_equal_on_all_ranks_or_on_none,
    a_dataset_can_be_opened_while_it_is_written,
    parts_of_the_ranks_have_trees_of_their_own,
];

/// A dataset whose elements are their own places in the whole.
fn counted(root: &MemGroup, name: &str, shape: &[usize], axis: usize) -> Result<memh5::MemDatasetDistributed> {
    let dataset = root.create_distributed(name).shape(shape).axis(axis).dtype(DType::I64).create()?;
    fill(&dataset)?;
    Ok(dataset)
}

fn places(shape: &[usize]) -> ArrayD<i64> {
    ArrayD::from_shape_vec(IxDyn(shape), (0..shape.iter().product::<usize>() as i64).collect()).unwrap()
}

fn fill(dataset: &memh5::MemDatasetDistributed) -> Result<()> {
    let (whole, mine) = (AnyArray::from(places(&dataset.global_shape()?)), block(dataset)?);
    dataset.set_local_data(whole.select(mine)?)
}

/// This rank's block as a selection of the whole.
fn block(dataset: &memh5::MemDatasetDistributed) -> Result<Selection> {
    use memh5::selection::Item;
    let mut items = vec![Item::FULL; dataset.global_shape()?.len()];
    items[dataset.distributed_axis()?] = Item::from(dataset.local_range()?);
    Ok(Selection::Axes(items))
}

fn check(dataset: &memh5::MemDatasetDistributed) -> Result<()> {
    let whole = AnyArray::from(places(&dataset.global_shape()?));
    assert_eq!(dataset.local_data()?, whole.select(block(dataset)?)?);
    Ok(())
}

fn parts_follow_the_rule(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    for (shape, axis) in [(vec![10, 11], 1), (vec![3, 2], 0), (vec![0, 4], 0), (vec![5], 0), (vec![2, 0, 3], 2)] {
        let name = format!("{shape:?}-{axis}");
        let x = root.create_distributed(&name).shape(shape.clone()).axis(axis).dtype(DType::F32).create()?;
        let range = Partition::new(shape[axis], comm.size()).range(comm.rank());
        let (mut local, mut offset) = (shape.clone(), vec![0; shape.len()]);
        (local[axis], offset[axis]) = (range.len(), range.start);
        assert_eq!((x.local_shape()?, x.local_offset()?, x.local_range()?), (local, offset, range));
        assert_eq!((x.global_shape()?, x.shape()?, x.distributed_axis()?), (shape.clone(), shape, axis));
        assert!(x.local_data()?.view::<f32>()?.iter().all(|v| *v == 0.0), "filled with zeros");
        assert_eq!(x.comm()?.id(), comm.id());
    }
    Ok(())
}

fn a_dataset_is_what_it_was_made(comm: &CommRef) -> Result<()> {
    let root = MemGroup::distributed(comm.clone());
    root.create_distributed("a/b/x")
        .shape([8, 6])
        .axis(1)
        .dtype(DType::I16)
        .chunks([4, 3])
        .filter(Filter::Gzip(3))
        .fill_value(7i16)
        .create()?;
    let x = root.dataset("a/b/x")?;
    assert!(x.is_distributed() && !x.is_common() && x.distributed().is_some() && x.common().is_none());
    let MemDataset::Distributed(x) = x else { panic!("not distributed") };
    assert!(x.local_data()?.view::<i16>()?.iter().all(|v| *v == 7));
    let spec = x.spec()?;
    assert_eq!((spec.shape.as_deref(), spec.chunks(), &spec.filters[..]), (Some(&[8, 6][..]), Some(&[4, 3][..]), &[Filter::Gzip(3)][..]));
    assert_eq!((x.name(), x.parent()?.name(), root.get("a/b/x")?.kind()), ("/a/b/x".to_owned(), "/a/b".to_owned(), "dataset"));
    let again = MemDataset::from_dyn(&*root.get("a/b/x")?.into_dataset()?).expect("in memory");
    assert_eq!(again, root.dataset("a/b/x")?);
    x.attrs().set("units", "K")?;
    assert_eq!(root.get("a/b/x")?.attrs().get::<String>("units")?, "K");
    // What it cannot be.
    let refused = |e: memh5::Error, kind| assert_eq!(e.kind(), kind, "{e}");
    refused(root.create_distributed("y").dtype(DType::F32).create().unwrap_err(), ErrorKind::Shape);
    refused(root.create_distributed("y").shape([3]).axis(1).create().unwrap_err(), ErrorKind::InvalidArgument);
    refused(root.create_distributed("y").shape(vec![]).create().unwrap_err(), ErrorKind::InvalidArgument);
    refused(root.create_distributed("y").shape([3]).dtype(DType::STR).create().unwrap_err(), ErrorKind::Unsupported);
    refused(root.create_distributed("a/b/x").shape([3]).create().unwrap_err(), ErrorKind::AlreadyExists);
    refused(root.create_distributed("a/b/x/y").shape([3]).create().unwrap_err(), ErrorKind::NotAGroup);
    refused(x.resize([9, 6]).unwrap_err(), ErrorKind::Shape);
    refused(x.set_extent(&[9, 6]).unwrap_err(), ErrorKind::Unsupported);
    refused(MemGroup::new().create_distributed("y").shape([3]).create().unwrap_err(), ErrorKind::Unsupported);
    assert_eq!(root.keys()?, ["a"], "nothing is left of what failed");
    root.create_distributed("a/b/x").shape([2]).overwrite(true).create()?;
    assert_eq!(root.dataset("a/b/x")?.shape()?, [2]);
    assert_eq!(root.group("a/b")?.keys()?, ["x"]);
    Ok(())
}

fn redistribution_is_seen_by_every_handle(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    for shape in [vec![1, 11, 2, 14, 3, 4], vec![2, 3], vec![7, 0, 2]] {
        let x = counted(&root, "x", &shape, shape.len() - 1)?;
        x.attrs().set("a", 1)?;
        let (early, dynamic) = (root.dataset("x")?, root.get("x")?.into_dataset()?);
        for axis in (0..shape.len()).chain([0]) {
            root.redistribute("x", axis)?;
            assert_eq!(x.distributed_axis()?, axis);
            check(&x)?;
            check(early.distributed().expect("distributed"))?;
            assert_eq!(dynamic.shape()?, shape);
        }
        early.redistribute(1)?;
        x.redistribute(1)?;
        check(&x)?;
        assert_eq!(x.attrs().get::<i32>("a")?, 1);
        assert_eq!(x.redistribute(9).unwrap_err().kind(), ErrorKind::InvalidArgument);
        check(&x)?;
        assert_eq!(root.redistribute("nothing", 0).unwrap_err().kind(), ErrorKind::NotFound);
        root.delete("x")?;
    }
    assert_eq!(comm.all_gather(&[1])?.len(), comm.size());
    Ok(())
}

fn common_and_distributed_change_into_each_other(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    let shape = [5, 3, 2];
    let whole = places(&shape);
    for axis in 0..3 {
        root.create_dataset("x").chunks([5, 3, 1]).gzip(2).write(whole.clone())?;
        let common = root.dataset("x")?;
        common.attrs().set("units", "Jy")?;
        let x = root.dataset_common_to_distributed("x", axis)?;
        check(&x)?;
        assert_eq!((x.distributed_axis()?, x.chunks()?), (axis, Some(vec![5, 3, 1])));
        assert_eq!((x.spec()?.filters.len(), x.attrs().get::<String>("units")?), (2, "Jy".to_owned()));
        // A handle from before answers as what the dataset is now.
        assert!(common.is_distributed() && common.shape()? == shape);
        if comm.size() == 1 {
            assert_eq!(common.snapshot()?.view::<i64>()?, whole.view());
        } else {
            assert_eq!(common.snapshot().unwrap_err().kind(), ErrorKind::Unsupported);
            assert_eq!(common.with_view_mut::<i64, _>(|_| ()).unwrap_err().kind(), ErrorKind::Unsupported);
        }
        // Again: to another axis, as caput does.
        root.dataset_common_to_distributed("x", (axis + 1) % 3)?;
        assert_eq!(x.distributed_axis()?, (axis + 1) % 3);
        check(&x)?;
        let back = root.dataset_distributed_to_common("x")?;
        assert_eq!(back.read::<i64>()?, whole);
        assert_eq!(
            (back.chunks()?, back.spec()?.filters.len(), back.attrs().get::<String>("units")?),
            (Some(vec![5, 3, 1]), 2, "Jy".to_owned())
        );
        assert_eq!(root.dataset_distributed_to_common("x")?.read::<i64>()?, whole);
        // A handle of parts, of which there are none any more.
        assert_eq!(x.local_data().unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(x.read::<i64>()?, whole);
        assert_eq!(x.redistribute(0).unwrap_err().kind(), ErrorKind::Unsupported);
        assert_eq!(root.dataset("x")?.into_distributed().unwrap_err().kind(), ErrorKind::Unsupported);
        root.delete("x")?;
    }
    root.create_dataset("s").write("text")?;
    root.create_dataset("v").write(vec!["texts"])?;
    root.create_dataset("n").null().create()?;
    let kinds = ["s", "v", "n"].map(|n| root.dataset_common_to_distributed(n, 0).unwrap_err().kind());
    use ErrorKind::{InvalidArgument, Shape, Unsupported};
    assert!(matches!(kinds, [Unsupported | InvalidArgument, Unsupported, Shape | InvalidArgument]), "{kinds:?}");
    // What could grow can do so again.
    root.create_dataset("g").maxshape([None]).write(vec![1, 2])?;
    let g = root.dataset_common_to_distributed("g", 0)?;
    assert_eq!(g.maxshape()?, [None]);
    assert_eq!((g.resize([3]).unwrap_err().kind(), g.append(vec![3]).unwrap_err().kind()), (Unsupported, Unsupported));
    root.dataset_distributed_to_common("g")?.append(vec![3])?;
    assert_eq!(root.dataset("g")?.read_slice::<Vec<i32>>(..)?, [1, 2, 3]);
    assert_eq!(MemGroup::new().dataset_common_to_distributed("x", 0).unwrap_err().kind(), ErrorKind::Unsupported);
    Ok(())
}

fn what_is_here_is_read_and_written_through_the_tree(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    let shape = [9, 4];
    let x = counted(&root, "x", &shape, 0)?;
    let whole = AnyArray::from(places(&shape));
    let dataset: &dyn Dataset = &x;
    let range = x.local_range()?;
    let here = |selection: &Selection| -> Result<()> {
        assert_eq!(dataset.read_slice::<AnyArray>(selection.clone())?, whole.select(selection.clone())?);
        Ok(())
    };
    if !range.is_empty() {
        here(&(range.clone(), ..).into())?;
        here(&(range.start, 1..).into())?;
        here(&(vec![range.end as i64 - 1, range.start as i64], -1).into())?;
        here(&((range.start..range.end), vec![3i64, 0]).into())?;
        let mut mask = ArrayD::from_elem(IxDyn(&shape), false);
        mask[[range.start, 2]] = true;
        mask[[range.end - 1, 0]] = true;
        here(&Selection::Mask(mask))?;
        dataset.write_slice((range.start, 2), -5i64)?;
        assert_eq!(x.local_data()?.view::<i64>()?[[0, 2]], -5);
        dataset.write_slice((range.start, 2), (range.start * 4 + 2) as i64)?;
    }
    here(&(3..3, ..).into())?;
    here(&Selection::from((Vec::<i64>::new(), ..)))?;
    assert_eq!(dataset.read_slice::<AnyArray>((0, 9)).unwrap_err().kind(), ErrorKind::Selection);
    let all = dataset.read_array();
    if comm.size() == 1 {
        assert_eq!(all?, whole);
        here(&"::-2, ::-1".parse()?)?;
    } else {
        let error = all.unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Unsupported, Some("/x")));
        assert!(error.remedy_text().is_some());
        let other = if range.start == 0 { 8 } else { 0 };
        assert_eq!(dataset.write_slice((other, 0), 1i64).unwrap_err().kind(), ErrorKind::Unsupported);
    }
    check(&x)
}

fn copies_are_independent_and_local(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    let x = counted(&root, "in/x", &[6, 2], 0)?;
    x.attrs().set("a", 1)?;
    // One rank alone may copy: nothing communicates.
    if comm.rank() == 0 {
        let (alone, tree) = (x.copy()?, root.copy()?);
        assert!(alone.local_data()?.shares_memory_with(&x.local_data()?) || alone.local_data()?.is_empty());
        alone.with_local_view_mut::<i64, _>(|mut v| v.fill(-1))?;
        alone.attrs().set("a", 2)?;
        let there = tree.dataset("in/x")?.into_distributed()?;
        assert_eq!(there.local_data()?, x.local_data()?);
        there.with_local_view_mut::<i64, _>(|mut v| v.fill(-2))?;
        assert!(tree.is_distributed());
    }
    check(&x)?;
    assert_eq!(x.attrs().get::<i32>("a")?, 1);
    let copy = root.copy()?;
    copy.dataset("in/x")?.redistribute(1)?;
    assert_eq!((x.distributed_axis()?, copy.dataset("in/x")?.into_distributed()?.distributed_axis()?), (0, 1));
    check(&copy.dataset("in/x")?.into_distributed()?)?;
    // Shared: one object in two trees.
    copy.share("again", &root.dataset("in/x")?)?;
    copy.redistribute("again", 1)?;
    assert_eq!(x.distributed_axis()?, 1);
    assert_eq!(MemGroup::new().share("x", &root.dataset("in/x")?).unwrap_err().kind(), ErrorKind::InvalidArgument);
    let shallow = root.copy_shallow()?;
    shallow.dataset("in/x")?.redistribute(0)?;
    check(&x)?;
    assert_eq!(x.distributed_axis()?, 0);
    Ok(())
}

fn deep_copies_keep_the_distribution(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    let shape = [7, 4, 3];
    let x = counted(&root, "in/x", &shape, 0)?;
    x.attrs().set("units", "K")?;
    root.create_dataset("in/c").write(vec![1, 2])?;
    // Into the same tree, into another of the same ranks: parts are shared until written.
    for target in [root.create_group("copy")?, MemGroup::distributed(comm.clone())] {
        let report = memh5::deep_group_copy(&root.group("in")?, &target)?;
        assert_eq!((report.datasets, report.attributes), (2, 1));
        let copy = target.dataset("x")?.into_distributed()?;
        assert!(copy.local_data()?.is_empty() || copy.local_data()?.shares_memory_with(&x.local_data()?));
        copy.with_local_view_mut::<i64, _>(|mut v| v.fill(-1))?;
        check(&x)?;
        assert_eq!((copy.distributed_axis()?, copy.attrs().get::<String>("units")?), (0, "K".to_owned()));
        assert!(target.dataset("c")?.is_common());
    }
    let whole = memh5::MemGroup::from_group(&root)?;
    assert!(whole.is_distributed());
    check(&whole.dataset("in/x")?.into_distributed()?)?;
    // What is selected; the distributed axis as it is.
    let places = AnyArray::from(places(&shape));
    for (text, axis) in [(":, 1:3, ::-1", 0), (":, -1, [2,0]", 0), (":", 0)] {
        let selection: Selection = text.parse()?;
        let target = MemGroup::distributed(comm.clone());
        memh5::copy::DeepCopy::new().select("x", selection.clone()).run(&root.group("in")?, &target)?;
        let part = target.dataset("x")?.into_distributed()?;
        let wanted = places.select(selection)?;
        assert_eq!((part.distributed_axis()?, part.global_shape()?), (axis, wanted.shape().to_vec()));
        assert_eq!(part.local_data()?, wanted.select(block(&part)?)?);
    }
    root.redistribute("in/x", 1)?;
    let target = MemGroup::distributed(comm.clone());
    memh5::copy::DeepCopy::new().select("x", "2, :, 1:".parse::<Selection>()?).run(&root.group("in")?, &target)?;
    assert_eq!((target.dataset("x")?.into_distributed()?.distributed_axis()?, target.dataset("x")?.shape()?), (0, vec![4, 2]));
    // What cuts the distributed axis, and what is no tree of these ranks: only where everything is on one rank.
    let target = MemGroup::distributed(comm.clone());
    let cut = memh5::copy::DeepCopy::new().select("x", ":, 1:3".parse::<Selection>()?).run(&root.group("in")?, &target);
    let plain = MemGroup::new();
    let out = memh5::deep_group_copy(&root.group("in")?, &plain);
    let other = MemGroup::distributed(std::sync::Arc::new(memh5::distributed::SelfComm::new()));
    let elsewhere = memh5::deep_group_copy(&root.group("in")?, &other);
    if comm.size() == 1 {
        cut?;
        out?;
        elsewhere?;
        assert_eq!(target.dataset("x")?.read_array()?, places.select((.., 1..3))?);
        assert_eq!(plain.dataset("x")?.read_array()?, places);
        assert!(plain.dataset("x")?.is_common() && other.dataset("x")?.is_common());
    } else {
        let kinds = [cut.unwrap_err(), out.unwrap_err(), elsewhere.unwrap_err()].map(|e| e.kind());
        assert_eq!(kinds, [ErrorKind::Unsupported; 3]);
        assert!(target.is_empty()? && plain.is_empty()? && other.is_empty()?, "nothing is left of what failed");
    }
    // Shared: one dataset of two trees.
    let shallow = MemGroup::distributed(comm);
    memh5::copy::DeepCopy::new().shallow(true).run(&root.group("in")?, &shallow)?;
    shallow.redistribute("x", 2)?;
    assert_eq!(x.distributed_axis()?, 2);
    check(&x)
}

fn a_container_of_datasets_is_redistributed(comm: &CommRef) -> Result<()> {
    let root = MemGroup::distributed(comm.clone());
    // caput's container.redistribute(1): a walk over the tree.
    for name in ["a", "g/b", "g/c"] {
        counted(&root, name, &[6, 5], 0)?;
    }
    root.create_dataset("g/common").write(1)?;
    let mut found = Vec::new();
    root.visit(|path, node| -> Result<Option<()>> {
        if let memh5::tree::Node::Dataset(dataset) = node
            && let Some(MemDataset::Distributed(dataset)) = MemDataset::from_dyn(&**dataset)
        {
            dataset.redistribute(1)?;
            found.push((path.to_owned(), dataset));
        }
        Ok(None)
    })?;
    assert_eq!(found.len(), 3);
    for (path, dataset) in found {
        assert_eq!((dataset.distributed_axis()?, root.dataset(&path)?.into_distributed()?.distributed_axis()?), (1, 1));
        check(&dataset)?;
    }
    Ok(())
}

fn arrays_become_datasets(comm: &CommRef) -> Result<()> {
    use memh5::distributed::{DistributedArray, SelfComm};
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    let shape = [comm.size() * 5, 5];
    let whole = AnyArray::from(places(&shape));
    let array = DistributedArray::from_global(&whole, 0, comm.clone())?;
    // Adopted; another axis; another type; in no group.
    let x = root.create_distributed("g/x").chunks([5, 5]).write(array.clone())?;
    check(&x)?;
    assert!(x.local_data()?.shares_memory_with(array.local_array()));
    assert_eq!((x.chunks()?, x.distributed_axis()?), (Some(vec![5, 5]), 0));
    let y = root.create_distributed("g/y").axis(-1).shape(shape).write(array.clone())?;
    assert_eq!(y.distributed_axis()?, 1);
    check(&y)?;
    assert_eq!(root.create_distributed("g/z").dtype(DType::F64).axis(1).write(array.clone())?.dtype()?, DType::F64);
    // caput's test: by a global index, on the rank that has it.
    let (rank, column) = (comm.rank(), 2);
    let row = x.global_slice((rank * 5, ..))?;
    assert!(row.is_here());
    assert_eq!(row.into_local(), whole.select((rank * 5, ..))?);
    x.set_global_slice((.., column), -1i64)?;
    assert_eq!(x.read_slice::<i64>((rank * 5, column))?, -1);
    assert_eq!(x.enumerate(0)?.map(|(_, global)| global).collect::<Vec<_>>(), (rank * 5..rank * 5 + 5).collect::<Vec<_>>());
    assert_eq!(array.local_view::<i64>()?[[0, column]], (rank * 25 + column) as i64, "the caller's array is as it was");
    x.set_array(&array)?;
    check(&x)?;
    assert!(x.array()?.equal(&array)?);
    let alone = memh5::MemDatasetDistributed::from_array(array.clone())?;
    root.share("shared", &alone.clone().into())?;
    alone.redistribute(1)?;
    assert_eq!(root.dataset("shared")?.into_distributed()?.distributed_axis()?, 1);
    check(&alone)?;
    // What does not fit.
    let kind = |r: Result<memh5::MemDatasetDistributed>| r.map(drop).unwrap_err().kind();
    use ErrorKind::{AlreadyExists, InvalidArgument, Shape, Unsupported};
    assert_eq!(kind(MemGroup::new().create_distributed("x").write(array.clone())), Unsupported);
    assert_eq!(kind(MemGroup::new().create_distributed("x").axis(1).write(array.clone())), Unsupported);
    let other = MemGroup::distributed(std::sync::Arc::new(SelfComm::new()));
    assert_eq!(kind(other.create_distributed("x").write(array.clone())), InvalidArgument);
    assert_eq!(kind(root.create_distributed("n/x").shape([1]).write(array.clone())), Shape);
    assert_eq!(kind(root.create_distributed("n/x").axis(2).write(array.clone())), InvalidArgument);
    assert_eq!(kind(root.create_distributed("g/x").axis(1).write(array.clone())), AlreadyExists);
    let large = DistributedArray::full(DType::I64, [7, 2], 0, &AnyArray::from(1000i64), comm.clone())?;
    let converted = kind(root.create_distributed("n/x").dtype(DType::I8).write(large));
    assert!(matches!(converted, ErrorKind::Dtype | ErrorKind::Collective), "ranks without elements have nothing to refuse: {converted:?}");
    let split = comm.split(Some(0), comm.rank())?.expect("a communicator");
    assert_eq!(kind(root.create_distributed("n/x").write(DistributedArray::from_global(&whole, 0, split)?)), InvalidArgument);
    assert_eq!(root.keys()?, ["g", "shared"]);
    Ok(())
}

fn trees_are_equal_on_all_ranks_or_on_none(comm: &CommRef) -> Result<()> {
    let (root, comm) = (MemGroup::distributed(comm.clone()), comm.clone());
    counted(&root, "in/x", &[6, 5], 0)?.attrs().set("a", 1)?;
    root.create_dataset("in/c").write(vec![1, 2])?;
    let copy = root.copy()?;
    assert!(root.content_eq(&copy)? && copy.group("in")?.content_eq(&root.group("in")?)?);
    // One element of one rank is another.
    let last = comm.size() - 1;
    let x = copy.dataset("in/x")?.into_distributed()?;
    x.set_global_slice((0, 0), -1i64)?;
    assert!(!root.content_eq(&copy)?);
    x.set_global_slice((0, 0), 0i64)?;
    assert!(root.content_eq(&copy)?);
    if comm.rank() == last {
        copy.dataset("in/c")?.write_slice(0, 9)?;
    }
    assert!(!root.content_eq(&copy)?);
    let copy = root.copy()?;
    copy.redistribute("in/x", 1)?;
    assert!(!root.content_eq(&copy)?, "another axis");
    copy.dataset_distributed_to_common("in/x")?;
    assert!(!root.content_eq(&copy)?, "a common dataset");
    copy.dataset_common_to_distributed("in/x", 0)?;
    assert!(root.content_eq(&copy)?);
    check(&root.dataset("in/x")?.into_distributed()?)
}

fn a_dataset_can_be_opened_while_it_is_written(comm: &CommRef) -> Result<()> {
    let root = MemGroup::distributed(comm.clone());
    let x = counted(&root, "x", &[6, 5], 0)?;
    x.with_local_view_mut::<i64, _>(|_| assert!(root.dataset("x").is_ok_and(|x| x.is_distributed()))).and_then(|()| check(&x))
}

fn parts_of_the_ranks_have_trees_of_their_own(comm: &CommRef) -> Result<()> {
    let Some(half) = comm.split(Some((comm.rank() % 2) as u32), comm.rank())? else { panic!("a color was given") };
    let root = MemGroup::distributed(half.clone());
    // The halves make different numbers of calls, and do not wait for each other.
    for k in 0..=comm.rank() % 2 * 3 {
        let x = counted(&root, &format!("x{k}"), &[5, 3], 0)?;
        x.redistribute(1)?;
        check(&x)?;
        assert_eq!(x.comm()?.size(), half.size());
    }
    // A copy keeps the terms.
    let terms = memh5::distributed::Terms::default().deadline(std::time::Duration::from_secs(10));
    root.set_terms(terms)?;
    assert_eq!(root.copy()?.terms(), Some(terms));
    root.copy()?.create_group("g")?;
    assert!(!root.contains("g")?);
    assert!(MemGroup::new().set_terms(terms).is_err() && MemGroup::new().terms().is_none());
    Ok(())
}
