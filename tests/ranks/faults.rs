//! The fault matrix: each collective step, with a rank that returns an error, panics, or makes another call within it. All ranks learn of it within ten
//! seconds in the same words, nothing stays of the step, and the old file is what it was.
//!
//! What ends whole jobs (a rank that is killed, a panic outside of any call, full disks) is in `tests/mpi/faults.rs`.

use super::files::{Sample, Scratch, on_first, pattern};
use memh5::array::IntoArray;
use memh5::copy::DeepCopy;
use memh5::distributed::{CommRef, DistributedArray, Hints};
use memh5::tree::{DiffOptions, DumpOptions, diff_with, dump, verify_with};
use memh5::{AnyArray, DType, Error, ErrorKind, MemGroup, Result, prelude::*};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

crate::cases![
    a_rank_that_fails_within_a_step,
    a_rank_that_panics_within_a_step,
    a_rank_that_calls_something_else,
    parts_that_do_not_fit_together,
    mistakes_that_all_ranks_make,
    more_ranks_than_items,
];

/// What the odd rank does within a step.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Luck {
    Good,
    Fails,
    Panics,
}

impl Luck {
    fn play(self) -> Result<()> {
        match self {
            Luck::Good => Ok(()),
            Luck::Fails => Err(Error::new(ErrorKind::Io, "out of luck")),
            Luck::Panics => panic!("out of luck"),
        }
    }
}

/// Data that have luck, or not.
struct Data(Luck);

impl IntoArray for Data {
    fn into_array(self) -> Result<AnyArray> {
        self.0.play()?;
        Ok(AnyArray::from(vec![1, 2, 3]))
    }
}

/// A place with a tree, and a file of it.
struct Fixture<'c> {
    comm: &'c CommRef,
    root: MemGroup,
    path: &'c Path,
}

/// A collective step: what is done, and which ranks can have bad luck in it: rank 0 alone, or any.
struct Step {
    name: &'static str,
    any: bool,
    run: fn(&Fixture<'_>, Luck) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "create a dataset", any: true, run: |f, luck| f.root.create_dataset("n/x").write(Data(luck)).map(drop) },
    Step {
        name: "create a distributed dataset",
        any: true,
        run: |f, luck| {
            let fill = || luck.play().map(|()| AnyArray::from(1.0));
            struct Fill<F>(F);
            impl<F: FnOnce() -> Result<AnyArray>> IntoArray for Fill<F> {
                fn into_array(self) -> Result<AnyArray> {
                    (self.0)()
                }
            }
            // The value is made before the call: a panic of it would be one before the step.
            let value = if luck == Luck::Panics { return f.root.create_dataset("n/y").write(Data(luck)).map(drop) } else { Fill(fill) };
            f.root.create_distributed("n/x").shape([4]).fill_value(value).create().map(drop)
        },
    },
    Step { name: "append", any: true, run: |f, luck| f.root.dataset("log")?.append(Data(luck)) },
    Step {
        name: "copy into the tree",
        any: true,
        run: |f, luck| {
            let from = MemGroup::new();
            from.create_dataset("n/x").write(vec![1, 2])?;
            DeepCopy::new().postprocess(|_, _| luck.play()).run(&from, &f.root).map(drop)
        },
    },
    Step {
        name: "copy the tree",
        any: true,
        run: |f, luck| DeepCopy::new().postprocess(|_, _| luck.play()).run_into_memory(&f.root).map(drop),
    },
    Step { name: "save", any: false, run: |f, luck| DeepCopy::new().postprocess(|_, _| luck.play()).save(&f.root, f.path).map(drop) },
    Step {
        name: "load",
        any: true,
        run: |f, luck| DeepCopy::new().postprocess(|_, _| luck.play()).load_distributed(f.path, f.comm).map(drop),
    },
    Step { name: "publish a file", any: true, run: |f, luck| memh5::lock_file(f.path).comm(f.comm.clone()).publish(|_| luck.play()) },
    Step {
        name: "dump",
        any: true,
        run: |f, luck| {
            struct Out(Luck);
            impl std::io::Write for Out {
                fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                    self.0.play().map(|()| bytes.len()).map_err(std::io::Error::other)
                }
                fn flush(&mut self) -> std::io::Result<()> {
                    Ok(())
                }
            }
            dump(&f.root, &DumpOptions::default(), &mut Out(luck))
        },
    },
    Step {
        name: "compare",
        any: true,
        run: |f, luck| diff_with(&f.root, &f.root.copy()?, &DiffOptions::default(), &mut |_| luck.play()).map(drop),
    },
    Step { name: "verify", any: true, run: |f, luck| verify_with(&f.root, &mut |_| luck.play()).map(drop) },
    Step {
        name: "a call of the program's own",
        any: true,
        run: |f, luck| {
            let call = memh5::distributed::Call::new("do something");
            f.root.agreement().expect("ranks").collective(call, |step| {
                step.agree(Ok(()))?;
                step.agree(luck.play())?;
                step.comm().barrier()
            })
        },
    },
];

/// What is in the tree, as each rank sees it.
fn content(root: &MemGroup) -> Result<String> {
    let mut text = String::new();
    root.visit(|path, node| -> Result<Option<()>> {
        text += &format!("{path} {}", node.kind());
        if let memh5::tree::Node::Dataset(dataset) = node {
            text += &format!(" {} {:?}\n", dataset.dtype()?, dataset.extent()?);
        }
        Ok(None)
    })?;
    Ok(text)
}

/// Plays every step with bad luck on one rank.
fn with_bad_luck(comm: &CommRef, bad: Luck) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("old.h5");
    let size = comm.size();
    for step in STEPS {
        let odd_ranks = if step.any && size > 1 { vec![0, size - 1] } else { vec![0] };
        for odd in odd_ranks {
            // Of its own: a panic can leave the ranks without a way to talk to each other.
            let own = comm.split(Some(0), comm.rank())?.expect("a color was given");
            let root = MemGroup::distributed(own.clone());
            Sample::new("vis", pattern(&DType::F64, &[5, 3]), 0).put(&root, &own)?;
            root.create_dataset("log").maxshape([None]).write(vec![1, 2])?;
            root.to_file(&path)?;
            let (before, file) = (content(&root)?, std::fs::read(&path).unwrap());
            comm.barrier()?;
            let fixture = Fixture { comm: &own, root: root.clone(), path: &path };
            let luck = if comm.rank() == odd { bad } else { Luck::Good };
            let begin = Instant::now();
            let done = catch_unwind(AssertUnwindSafe(|| (step.run)(&fixture, luck)));
            let took = begin.elapsed();
            let what = format!("{} on rank {} of {size}, {bad:?} on {odd}", step.name, comm.rank());
            assert!(took < Duration::from_secs(10), "{what}: took {took:?}");
            match done {
                Err(_) => assert!(luck == Luck::Panics, "{what}: panicked"),
                Ok(Ok(())) => panic!("{what}: it succeeded"),
                Ok(Err(error)) => {
                    assert!(luck != Luck::Panics, "{what}: {error}");
                    assert!(format!("{error} {error:?}").contains("out of luck"), "{what}: {error}");
                    assert!(size == 1 || (error.kind(), error.rank()) == (ErrorKind::Collective, Some(odd)), "{what}: {error}");
                }
            }
            assert_eq!(content(&root)?, before, "{what}: another tree");
            if own.poisoned().is_none() {
                // The ranks are in step.
                root.create_group("after").map_err(|e| e.during(what.clone()))?;
            }
            comm.barrier()?;
            assert!(std::fs::read(&path).unwrap() == file, "{what}: another file");
            assert_eq!(scratch.names()?, ["old.h5"], "{what}");
        }
    }
    Ok(())
}

fn a_rank_that_fails_within_a_step(comm: &CommRef) -> Result<()> {
    with_bad_luck(comm, Luck::Fails)
}

fn a_rank_that_panics_within_a_step(comm: &CommRef) -> Result<()> {
    with_bad_luck(comm, Luck::Panics)
}

/// Every step against every other one: the ranks that make it learn that one makes another.
fn a_rank_that_calls_something_else(comm: &CommRef) -> Result<()> {
    if comm.size() == 1 {
        return Ok(());
    }
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("old.h5");
    let root = MemGroup::distributed(comm.clone());
    Sample::new("vis", pattern(&DType::F64, &[5, 3]), 0).put(&root, comm)?;
    root.create_dataset("log").maxshape([None]).write(vec![1, 2])?;
    root.to_file(&path)?;
    let file = std::fs::read(&path).unwrap();
    let before = content(&root)?;
    comm.barrier()?;
    // Those that agree by the tree's own count; a load, a lock and a copy have one of their own.
    let steps: Vec<&Step> = STEPS.iter().filter(|step| !["load", "publish a file", "copy the tree"].contains(&step.name)).collect();
    let last = comm.rank() + 1 == comm.size();
    for (k, step) in steps.iter().enumerate() {
        let other = steps[(k + 1) % steps.len()];
        let mine = if last { other } else { step };
        let fixture = Fixture { comm, root: root.clone(), path: &path };
        let begin = Instant::now();
        let error = (mine.run)(&fixture, Luck::Good).expect_err(step.name);
        assert!(begin.elapsed() < Duration::from_secs(10), "{} beside {}", step.name, other.name);
        assert_eq!(error.kind(), ErrorKind::Collective, "{} beside {}: {error}", step.name, other.name);
        // In the same words, but for what each rank itself was doing.
        let told = comm.all_gather(format!("{} {:?}", error.message(), error.rank()).as_bytes())?;
        assert!(told.iter().all(|text| *text == told[0]), "{} beside {}: {error}", step.name, other.name);
        assert_eq!(content(&root)?, before, "{} beside {}", step.name, other.name);
    }
    assert!(std::fs::read(&path).unwrap() == file);
    assert_eq!(scratch.names()?, ["old.h5"]);
    root.create_group("after").map(drop)
}

fn parts_that_do_not_fit_together(comm: &CommRef) -> Result<()> {
    if comm.size() == 1 {
        return Ok(());
    }
    let last = comm.rank() + 1 == comm.size();
    let n = comm.size();
    let cases: &[(&str, DType, [usize; 2], usize)] = &[
        ("shapes", DType::F64, [1, 4], 0),
        ("dtypes", DType::F32, [1, 3], 0),
        ("lengths", DType::F64, [2, 3], 0),
        ("axes", DType::F64, [1, 3], 1),
    ];
    for (what, dtype, shape, axis) in cases {
        let part = if last { AnyArray::zeros(dtype.clone(), *shape)? } else { AnyArray::zeros(DType::F64, [1, 3])? };
        let begin = Instant::now();
        let error = DistributedArray::wrap(part, if last { *axis } else { 0 }, comm.clone()).expect_err(what);
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        let told = comm.all_gather(error.to_string().as_bytes())?;
        assert!(told.iter().all(|text| *text == told[0]), "{what}: {error}");
    }
    let array = DistributedArray::wrap(AnyArray::zeros(DType::F64, [1, 3])?, 0, comm.clone())?;
    assert_eq!(array.global_shape(), [n, 3]);
    Ok(())
}

/// The same error on all ranks as on one.
fn mistakes_that_all_ranks_make(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let root = MemGroup::distributed(comm.clone());
    Sample::new("vis", pattern(&DType::F64, &[5, 3]), 0).put(&root, comm)?;
    root.create_dataset("text").write(vec!["a", "b"])?;
    let other: CommRef = std::sync::Arc::new(memh5::distributed::SelfComm::new());
    let part = comm.split(Some(0), 0)?.expect("a color was given");
    let path = scratch.file("x.h5");
    use ErrorKind::{InvalidArgument, Unsupported};
    let kinds = [
        ("an axis that is not there", root.redistribute("vis", 2).map(drop), InvalidArgument),
        ("a negative axis that is not there", root.create_distributed("n").shape([2]).axis(-2).create().map(drop), InvalidArgument),
        ("object types", root.create_distributed("n").shape([2]).dtype("str".parse()?).create().map(drop), Unsupported),
        ("references", root.create_distributed("n").shape([2]).dtype(DType::ObjectRef).create().map(drop), Unsupported),
        ("common texts", root.dataset_common_to_distributed("text", 0).map(drop), Unsupported),
        (
            "an array of one rank",
            root.create_distributed("n").write(DistributedArray::zeros(DType::U8, [2, 2], 0, other)?).map(drop),
            InvalidArgument,
        ),
        (
            "an array of another group",
            root.create_distributed("n").write(DistributedArray::zeros(DType::U8, [2, 2], 0, part)?).map(drop),
            InvalidArgument,
        ),
        (
            "texts that are distributed by a hint",
            {
                root.to_file(&path)?;
                DeepCopy::new().hints(Hints::new().distribute("text", 0)).load_distributed(&path, comm).map(drop)
            },
            Unsupported,
        ),
        ("a directory that is not there", root.to_file(scratch.file("no/x.h5")).map(drop), ErrorKind::NotFound),
    ];
    for (what, result, kind) in kinds {
        let error = result.expect_err(what);
        // What rank 0 alone has met is told as such.
        let told = if comm.size() > 1 && error.kind() == ErrorKind::Collective { error.rank() == Some(0) } else { error.kind() == kind };
        assert!(told, "{what}: {error:?}");
        let all = comm.all_gather(error.to_string().as_bytes())?;
        assert!(all.iter().all(|text| *text == all[0]), "{what}: {error}");
    }
    assert_eq!(root.keys()?, ["text", "vis"]);
    on_first(comm, || ())
}

fn more_ranks_than_items(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("few.h5");
    let root = MemGroup::distributed(comm.clone());
    for (k, shape) in [[0, 0], [0, 4], [1, 1], [1, 4], [2, 3]].into_iter().enumerate() {
        Sample::new(&format!("d{k}"), pattern(&DType::I16, &shape), 0).put(&root, comm)?;
    }
    for axis in [1, 0] {
        for k in 0..5 {
            let name = format!("d{k}");
            root.redistribute(&name, axis)?;
            let array = root.dataset(&name)?.into_distributed()?.array()?;
            assert_eq!(
                array.sum(..)?.into_scalar::<i64>()?,
                array.all_gather()?.to_array::<i16>()?.iter().map(|x| i64::from(*x)).sum::<i64>()
            );
        }
        root.to_file(&path)?;
        let back = MemGroup::from_file_distributed(&path, comm)?;
        assert!(memh5::tree::tree_equal(&root, &back)?, "axis {axis}");
    }
    Ok(())
}
