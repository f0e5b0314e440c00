//! What goes wrong on one rank goes wrong on all, in the same words, and leaves nothing behind.

use memh5::distributed::{CommRef, Terms};
use memh5::{DType, ErrorKind, MemGroup, Result, prelude::*};
use std::time::Duration;

crate::cases![
    different_arguments,
    one_rank_fails,
    all_ranks_fail_alike_with_their_own_error,
    a_policy_that_differs,
    calls_on_different_trees,
    an_exchange_within_a_call,
];

/// What is in a tree, for a comparison.
fn content(root: &MemGroup) -> Result<String> {
    let mut text = format!("{:?} {}", root.keys()?, attributes(root.attrs())?);
    root.visit(|path, node| -> Result<Option<()>> {
        text += &format!("\n{path} {} {}", node.kind(), attributes(node.attrs())?);
        if let memh5::tree::Node::Dataset(dataset) = node {
            let spec = dataset.spec()?;
            text += &format!(" {} {:?} {:?} {:?}", spec.dtype, spec.shape, spec.maxshape, spec.layout);
            match memh5::MemDataset::from_dyn(&**dataset).expect("in memory") {
                memh5::MemDataset::Distributed(d) => text += &format!(" axis {} {}", d.distributed_axis()?, d.local_data()?),
                other => text += &other.snapshot()?.to_string(),
            }
        }
        Ok(None)
    })?;
    Ok(text)
}

fn attributes(attrs: &dyn Attributes) -> Result<String> {
    let values = attrs.attr_names()?.into_iter().map(|name| Ok(format!("@{name} {:?}", attrs.attr_read(&name)?)));
    Ok(values.collect::<Result<Vec<_>>>()?.join(" "))
}

fn prepared(root: &MemGroup) -> Result<()> {
    root.attrs().set("a", "before")?;
    root.create_dataset("b/x").maxshape([None]).write(vec![1, 2, 3])?;
    root.create_group("a/sub")?;
    root.create_group_with("t", &memh5::tree::GroupSpec::tracked())?;
    for name in ["t/z", "t/m", "t/a"] {
        root.create_dataset(name).write(1)?;
    }
    root.create_distributed("d").shape([5, 3]).dtype(DType::F64).create()?;
    root.link_hard("b/x", "a/again")?;
    Ok(())
}

/// The last rank does something else. All get the same `Collective` error within 10 s, and the trees are as before.
fn differ(comm: &CommRef, what: &str, program: fn(&MemGroup, bool) -> Result<()>) -> Result<()> {
    if comm.size() == 1 {
        return Ok(());
    }
    let root = MemGroup::distributed(comm.clone());
    root.set_terms(Terms::default().deadline(Duration::from_secs(10)))?;
    prepared(&root)?;
    let (before, names) = (content(&root)?, root.group("t")?.keys()?);
    let failed = program(&root, comm.rank() + 1 == comm.size());
    assert_eq!(content(&root)?, before, "{what}: rank {} has another tree", comm.rank());
    assert_eq!(root.group("t")?.keys()?, names, "{what}: the order of names");
    // The ranks are in step: the next calls work.
    root.create_group("after")?;
    root.redistribute("d", 1)?;
    let error = failed.expect_err(what);
    assert!(error.kind() == ErrorKind::Collective && error.rank().is_some(), "{what}: {error}");
    let all = comm.all_gather(error.to_string().as_bytes())?;
    let texts: Vec<_> = all.iter().map(|text| String::from_utf8_lossy(text)).collect();
    assert!(texts.iter().all(|text| *text == texts[0]), "{what}: the errors differ: {texts:#?}");
    Ok(())
}

fn different_arguments(comm: &CommRef) -> Result<()> {
    differ(comm, "names", |root, odd| root.create_group(if odd { "x1" } else { "x2" }).map(drop))?;
    differ(comm, "dtypes", |root, odd| {
        root.create_dataset("n/x").shape([3]).dtype(if odd { DType::F32 } else { DType::F64 }).create().map(drop)
    })?;
    differ(comm, "shapes", |root, odd| root.create_dataset("n/x").shape([if odd { 3 } else { 4 }]).create().map(drop))?;
    differ(comm, "distributed shapes", |root, odd| root.create_distributed("n/x").shape([if odd { 3 } else { 4 }]).create().map(drop))?;
    differ(comm, "distributed dtypes", |root, odd| {
        root.create_distributed("n/x").shape([4]).dtype(if odd { DType::I32 } else { DType::U32 }).create().map(drop)
    })?;
    differ(comm, "axes", |root, odd| root.create_distributed("n/x").shape([4, 4]).axis(usize::from(odd)).create().map(drop))?;
    differ(comm, "chunks", |root, odd| root.create_dataset("n/x").shape([8]).chunks([if odd { 2 } else { 4 }]).create().map(drop))?;
    differ(comm, "fill values", |root, odd| root.create_dataset("n/x").shape([8]).fill_value(f64::from(u8::from(odd))).create().map(drop))?;
    differ(comm, "kinds", |root, odd| match odd {
        true => root.create_dataset("n").shape([1]).create().map(drop),
        false => root.create_group("n").map(drop),
    })?;
    differ(comm, "targets of links", |root, odd| root.link_soft(if odd { "/a" } else { "/b" }, "n"))?;
    differ(comm, "rows", |root, odd| root.dataset("b/x")?.append(if odd { vec![1] } else { vec![1, 2] }))?;
    differ(comm, "lengths", |root, odd| root.dataset("b/x")?.resize([if odd { 9 } else { 1 }]))?;
    differ(comm, "axes to redistribute to", |root, odd| root.redistribute("d", usize::from(odd)).map(drop))?;
    differ(comm, "arrays of other axes", |root, odd| {
        let comm = root.comm().expect("ranks");
        let array = memh5::distributed::DistributedArray::zeros(DType::U8, [4, 4], usize::from(odd), comm)?;
        root.create_distributed("n/x").axis(1).write(array).map(drop)
    })?;
    differ(comm, "an array of another communicator", |root, odd| {
        use memh5::distributed::{DistributedArray, SelfComm};
        let comm = root.comm().expect("ranks");
        let shape = [comm.size(), 2];
        let comm = if odd { std::sync::Arc::new(SelfComm::new()) } else { comm };
        root.create_distributed("n/x").write(DistributedArray::zeros(DType::U8, shape, 0, comm)?).map(drop)
    })?;
    differ(comm, "copies of other content", |root, odd| {
        let from = MemGroup::new();
        from.create_dataset("x").write(if odd { vec![1u8] } else { vec![1, 2] })?;
        from.attrs().set("a", 1)?;
        from.attrs().set("b", 1)?;
        memh5::deep_group_copy(&from, root).map(drop)
    })?;
    differ(comm, "deleted names", |root, odd| root.delete(if odd { "t/m" } else { "b" }))?;
    differ(comm, "new names", |root, odd| root.rename("t/m", if odd { "t/new" } else { "a/new" }))?;
    differ(comm, "calls", |root, odd| match odd {
        true => root.delete("t/z"),
        false => root.redistribute("d", 1).map(drop),
    })?;
    differ(comm, "overwriting", |root, odd| root.create_dataset("t/m").overwrite(odd).write(1).map(drop))?;
    differ(comm, "tracking", |root, odd| {
        let spec = if odd { memh5::tree::GroupSpec::tracked() } else { Default::default() };
        root.create_group_with("n", &spec).map(drop)
    })?;
    Ok(())
}

/// Compares calls again. The ranks have made different numbers of calls meanwhile: the first comparison says so, and sets them right.
fn checked(root: &MemGroup) -> Result<()> {
    assert_eq!(root.set_terms(Default::default()).unwrap_err().kind(), ErrorKind::Collective);
    root.set_terms(Default::default())
}

fn one_rank_fails(comm: &CommRef) -> Result<()> {
    struct Bad;
    impl memh5::array::IntoArray for Bad {
        fn into_array(self) -> Result<memh5::AnyArray> {
            Err(memh5::Error::new(ErrorKind::Io, "no more data"))
        }
    }
    differ(comm, "bad data", |root, odd| match odd {
        true => root.create_dataset("n/x").write(Bad).map(drop),
        false => root.create_dataset("n/x").write(vec![1.0]).map(drop),
    })?;
    differ(comm, "data that do not fit", |root, odd| {
        root.create_dataset("n/x").dtype(DType::I8).write(vec![if odd { 1000 } else { 1 }]).map(drop)
    })?;
    differ(comm, "bad data to append", |root, odd| match odd {
        true => root.dataset("b/x")?.append(Bad),
        false => root.dataset("b/x")?.append(vec![1, 2]),
    })?;
    differ(comm, "a name that is no name", |root, odd| root.create_group(if odd { "n/.." } else { "n/ok" }).map(drop))?;
    differ(comm, "an axis that is not there", |root, odd| root.redistribute("d", if odd { 7 } else { 1 }).map(drop))?;
    differ(comm, "a name that is not there", |root, odd| root.rename(if odd { "nothing" } else { "t/z" }, "new"))?;
    differ(comm, "rows of structs", |root, odd| {
        #[derive(serde::Serialize)]
        struct Row {
            a: Option<f64>,
        }
        root.create_dataset("n/x").write_rows(&[Row { a: (!odd).then_some(1.0) }]).map(drop)
    })?;
    differ(comm, "the group is there already, on one rank", |root, odd| {
        // A tree that differs against the rules: only a call without comparison can make it so.
        root.set_terms(memh5::distributed::Terms::default().checks(memh5::distributed::Checks::Off))?;
        if odd {
            root.create_group("n")?;
        }
        checked(root)?;
        let result = root.create_group("n").map(drop);
        root.set_terms(memh5::distributed::Terms::default().checks(memh5::distributed::Checks::Off))?;
        if odd {
            root.delete("n")?;
        }
        checked(root)?;
        result
    })?;
    Ok(())
}

fn all_ranks_fail_alike_with_their_own_error(comm: &CommRef) -> Result<()> {
    let root = MemGroup::distributed(comm.clone());
    prepared(&root)?;
    let before = content(&root)?;
    let kinds = [
        root.create_group("a").map(drop).unwrap_err().kind(),
        root.create_group("b/x/y").map(drop).unwrap_err().kind(),
        root.delete("nothing").unwrap_err().kind(),
        root.rename("a", "a/sub/a").unwrap_err().kind(),
        root.create_dataset("n/x").dtype(DType::I8).write(vec![1000]).map(drop).unwrap_err().kind(),
        root.dataset("b/x")?.append(vec![1.5]).unwrap_err().kind(),
    ];
    use ErrorKind::*;
    assert_eq!(kinds, [AlreadyExists, NotAGroup, NotFound, InvalidArgument, Dtype, Dtype]);
    assert_eq!(content(&root)?, before);
    Ok(())
}

fn a_policy_that_differs(comm: &CommRef) -> Result<()> {
    use memh5::mem_disk::{MemDiskGroup, Policy};
    #[derive(Debug)]
    struct Only(bool);
    impl Policy for Only {
        fn dataset_name_allowed(&self, path: &str) -> bool {
            self.0 || path != "/no"
        }
    }
    differ(comm, "policies", |root, odd| {
        let container = MemDiskGroup::from_group(root).with_policy(Only(odd));
        container.create_dataset("no").write(1).map(drop)
    })?;
    let root = MemGroup::distributed(comm.clone());
    let container = MemDiskGroup::from_group(&root).with_policy(Only(false));
    container.create_dataset("yes").write(1)?;
    assert!(container.contains("yes")? && root.contains("yes")?);
    assert_eq!(container.create_dataset("no").write(1).map(drop).unwrap_err().kind(), ErrorKind::NotAllowed);
    Ok(())
}

fn calls_on_different_trees(comm: &CommRef) -> Result<()> {
    let trees = [MemGroup::distributed(comm.clone()), MemGroup::distributed(comm.clone())];
    let mine = &trees[usize::from(comm.rank() + 1 == comm.size() && comm.size() > 1)];
    let made = mine.create_group("n");
    if comm.size() > 1 {
        assert_eq!(made.map(drop).unwrap_err().kind(), ErrorKind::Collective);
        assert!(trees[0].is_empty()? && trees[1].is_empty()?);
    }
    Ok(())
}

fn an_exchange_within_a_call(comm: &CommRef) -> Result<()> {
    struct Redistributes(MemGroup);
    impl memh5::array::IntoArray for Redistributes {
        fn into_array(self) -> Result<memh5::AnyArray> {
            self.0.redistribute("d", 1)?;
            Ok(memh5::AnyArray::from(1))
        }
    }
    let root = MemGroup::distributed(comm.clone());
    prepared(&root)?;
    let error = root.create_dataset("n/x").write(Redistributes(root.clone())).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(!root.contains("n")?);
    root.redistribute("d", 1).map(drop)
}
