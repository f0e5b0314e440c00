//! What goes wrong on one rank goes wrong on all, in the same words, and leaves nothing behind.

use crate::{all, each, same_error};
use memh5::distributed::CommRef;
use memh5::{DType, ErrorKind, MemGroup, Result, prelude::*};

/// What is in a tree, for a comparison.
fn content(root: &MemGroup) -> Result<String> {
    let mut text = format!("{:?}", root.keys()?);
    root.visit(|path, node| -> Result<Option<()>> {
        text += &format!("\n{path} {}", node.kind());
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

fn prepared(root: &MemGroup) -> Result<()> {
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

/// On 2 to 4 ranks: the last rank does something else. All get the same `Collective` error, and the trees are as before.
fn differ(what: &str, program: fn(&MemGroup, bool) -> Result<()>) {
    for ranks in 2..=4 {
        let what = what.to_owned();
        let results = each(ranks, move |root: MemGroup, comm: CommRef| {
            prepared(&root)?;
            let before = content(&root)?;
            let names = root.group("t")?.keys()?;
            let failed = program(&root, comm.rank() + 1 == comm.size());
            assert_eq!(content(&root)?, before, "{what}: rank {} has another tree", comm.rank());
            assert_eq!(root.group("t")?.keys()?, names, "{what}: the order of names");
            // The ranks are in step: the next calls work.
            root.create_group("after")?;
            root.redistribute("d", 1)?;
            failed
        });
        let error = same_error(results);
        assert_eq!(error.kind(), ErrorKind::Collective, "{error}");
        assert!(error.rank().is_some(), "{error}");
    }
}

#[test]
fn different_arguments() {
    differ("names", |root, odd| root.create_group(if odd { "x1" } else { "x2" }).map(drop));
    differ("dtypes", |root, odd| root.create_dataset("n/x").shape([3]).dtype(if odd { DType::F32 } else { DType::F64 }).create().map(drop));
    differ("shapes", |root, odd| root.create_dataset("n/x").shape([if odd { 3 } else { 4 }]).create().map(drop));
    differ("distributed shapes", |root, odd| root.create_distributed("n/x").shape([if odd { 3 } else { 4 }]).create().map(drop));
    differ("distributed dtypes", |root, odd| {
        root.create_distributed("n/x").shape([4]).dtype(if odd { DType::I32 } else { DType::U32 }).create().map(drop)
    });
    differ("axes", |root, odd| root.create_distributed("n/x").shape([4, 4]).axis(usize::from(odd)).create().map(drop));
    differ("chunks", |root, odd| root.create_dataset("n/x").shape([8]).chunks([if odd { 2 } else { 4 }]).create().map(drop));
    differ("fill values", |root, odd| root.create_dataset("n/x").shape([8]).fill_value(f64::from(u8::from(odd))).create().map(drop));
    differ("kinds", |root, odd| match odd {
        true => root.create_dataset("n").shape([1]).create().map(drop),
        false => root.create_group("n").map(drop),
    });
    differ("targets of links", |root, odd| root.link_soft(if odd { "/a" } else { "/b" }, "n"));
    differ("rows", |root, odd| root.dataset("b/x")?.append(if odd { vec![1] } else { vec![1, 2] }));
    differ("lengths", |root, odd| root.dataset("b/x")?.resize([if odd { 9 } else { 1 }]));
    differ("axes to redistribute to", |root, odd| root.redistribute("d", usize::from(odd)).map(drop));
    differ("arrays of other axes", |root, odd| {
        let comm = root.comm().expect("ranks");
        let array = memh5::distributed::DistributedArray::zeros(DType::U8, [4, 4], usize::from(odd), comm)?;
        root.create_distributed("n/x").axis(1).write(array).map(drop)
    });
    differ("an array of another communicator", |root, odd| {
        use memh5::distributed::{DistributedArray, SelfComm};
        let comm = root.comm().expect("ranks");
        let shape = [comm.size(), 2];
        let comm = if odd { std::sync::Arc::new(SelfComm::new()) } else { comm };
        root.create_distributed("n/x").write(DistributedArray::zeros(DType::U8, shape, 0, comm)?).map(drop)
    });
    differ("copies of other content", |root, odd| {
        let from = MemGroup::new();
        from.create_dataset("x").write(if odd { vec![1u8] } else { vec![1, 2] })?;
        from.attrs().set("a", 1)?;
        memh5::deep_group_copy(&from, root).map(drop)
    });
    differ("deleted names", |root, odd| root.delete(if odd { "t/m" } else { "b" }));
    differ("new names", |root, odd| root.rename("t/m", if odd { "t/new" } else { "a/new" }));
    differ("calls", |root, odd| match odd {
        true => root.delete("t/z"),
        false => root.redistribute("d", 1).map(drop),
    });
    differ("overwriting", |root, odd| root.create_dataset("t/m").overwrite(odd).write(1).map(drop));
    differ("tracking", |root, odd| {
        let spec = if odd { memh5::tree::GroupSpec::tracked() } else { Default::default() };
        root.create_group_with("n", &spec).map(drop)
    });
}

/// Compares calls again. The ranks have made different numbers of calls meanwhile: the first comparison says so, and sets them right.
fn checked(root: &MemGroup) -> Result<()> {
    assert_eq!(root.set_terms(Default::default()).unwrap_err().kind(), ErrorKind::Collective);
    root.set_terms(Default::default())
}

#[test]
fn one_rank_fails() {
    struct Bad;
    impl memh5::array::IntoArray for Bad {
        fn into_array(self) -> Result<memh5::AnyArray> {
            Err(memh5::Error::new(ErrorKind::Io, "no more data"))
        }
    }
    differ("bad data", |root, odd| match odd {
        true => root.create_dataset("n/x").write(Bad).map(drop),
        false => root.create_dataset("n/x").write(vec![1.0]).map(drop),
    });
    differ("data that do not fit", |root, odd| {
        root.create_dataset("n/x").dtype(DType::I8).write(vec![if odd { 1000 } else { 1 }]).map(drop)
    });
    differ("bad data to append", |root, odd| match odd {
        true => root.dataset("b/x")?.append(Bad),
        false => root.dataset("b/x")?.append(vec![1, 2]),
    });
    differ("a name that is no name", |root, odd| root.create_group(if odd { "n/.." } else { "n/ok" }).map(drop));
    differ("an axis that is not there", |root, odd| root.redistribute("d", if odd { 7 } else { 1 }).map(drop));
    differ("a name that is not there", |root, odd| root.rename(if odd { "nothing" } else { "t/z" }, "new"));
    differ("rows of structs", |root, odd| {
        #[derive(serde::Serialize)]
        struct Row {
            a: Option<f64>,
        }
        root.create_dataset("n/x").write_rows(&[Row { a: (!odd).then_some(1.0) }]).map(drop)
    });
    differ("the group is there already, on one rank", |root, odd| {
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
    });
}

#[test]
fn all_ranks_fail_alike_with_their_own_error() {
    all(|root, _| {
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
    });
}

#[test]
fn a_panic_is_told_to_the_others() {
    struct Panics;
    impl memh5::array::IntoArray for Panics {
        fn into_array(self) -> Result<memh5::AnyArray> {
            panic!("out of luck")
        }
    }
    for ranks in 2..=4 {
        let results = each(ranks, |root, comm| {
            prepared(&root)?;
            let before = content(&root)?;
            let result = match comm.rank() {
                1 => root.create_dataset("n/x").write(Panics),
                _ => root.create_dataset("n/x").write(vec![1.0]),
            };
            assert_eq!(content(&root)?, before);
            result
        });
        for (rank, result) in results.into_iter().enumerate() {
            let error = result.err().expect("every rank fails");
            assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(1)), "rank {rank}: {error}");
            assert!(error.to_string().contains("out of luck"), "{error}");
        }
    }
}

#[test]
fn a_rank_that_does_not_come() {
    for ranks in 2..=3 {
        let results = each(ranks, |root, comm| {
            use std::time::Duration;
            root.set_terms(memh5::distributed::Terms::default().deadline(Duration::from_millis(300)))?;
            root.create_group("a")?;
            if comm.rank() == 1 {
                std::thread::sleep(Duration::from_millis(900));
            }
            let late = root.create_group("b");
            assert_eq!(root.keys()?, ["a"]);
            late
        });
        for result in results {
            assert_eq!(result.err().expect("every rank fails").kind(), ErrorKind::Collective);
        }
    }
}

#[test]
fn without_the_check_nothing_is_compared() {
    let results = each(3, |root, comm| {
        root.set_terms(memh5::distributed::Terms::default().checks(memh5::distributed::Checks::Off))?;
        // What no correct program does: it shows that nothing communicates.
        if comm.rank() == 1 {
            root.create_group("only here")?;
        }
        Ok(root.len()?)
    });
    assert_eq!(results.into_iter().map(|r| r.unwrap()).collect::<Vec<_>>(), [0, 1, 0]);
}
