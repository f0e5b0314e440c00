//! Dumps, comparisons and verifications of trees that ranks share: the same on all ranks, and what one process gets of the same content.

use super::files::{Sample, Scratch, dump_of, on_first, pattern};
use memh5::copy::DeepCopy;
use memh5::distributed::{CommRef, Hints};
use memh5::tree::{DiffOptions, DumpOptions, diff, diff_with, dump, dump_with, tree_equal, verify, verify_with};
use memh5::{DType, Error, ErrorKind, MemDiskGroup, MemGroup, Mode, Result, Selection, format, prelude::*};

crate::cases![
    a_dump_is_that_of_the_file,
    a_dump_of_ranks_that_differ,
    a_writer_that_fails_on_one_rank,
    differences_are_those_of_the_whole,
    other_trees_of_each_rank,
    trees_of_other_ranks,
    a_verification_reads_everything,
    a_progress_that_fails_on_one_rank,
    elements_of_all_ranks_at_once,
];

/// A tree with a bit of everything.
fn tree(comm: &CommRef) -> Result<MemGroup> {
    let root = MemGroup::distributed(comm.clone());
    for (k, dtype) in [DType::F64, DType::I16, "S7".parse()?].iter().enumerate() {
        Sample::new(&format!("night/d{k}"), pattern(dtype, &[7, 3, 5]), k).put(&root, comm)?;
    }
    Sample::new("few", pattern(&DType::U8, &[2, 3]), 0).put(&root, comm)?;
    Sample::new("none", pattern(&DType::U8, &[0, 3]), 0).put(&root, comm)?;
    root.create_dataset("night/names").write(vec!["a", "", "µ"])?;
    root.create_dataset("null").null().create()?;
    root.attrs().set("target", GroupExt::dataset(&root, "night/d0")?.reference()?)?;
    root.dataset("night/d1")?.attrs().set("unit", "Jy")?;
    root.link_soft("/night/d0", "latest")?;
    root.link_hard("night/d0", "again")?;
    Ok(root)
}

/// What all ranks have, if it is the same.
fn of_all(comm: &CommRef, what: &str) -> Result<String> {
    let all = comm.all_gather(what.as_bytes())?;
    assert!(all.iter().all(|other| other == what.as_bytes()), "rank {} has {what}", comm.rank());
    Ok(what.to_owned())
}

/// The error that all ranks have; alone it is the error of the case itself.
fn error_of_all<T: std::fmt::Debug>(comm: &CommRef, result: Result<T>) -> Result<Error> {
    let error = result.expect_err("it fails on all ranks");
    of_all(comm, &error.to_string())?;
    assert!(comm.size() == 1 || error.kind() == ErrorKind::Collective, "{error}");
    Ok(error)
}

fn last(comm: &CommRef) -> bool {
    comm.rank() + 1 == comm.size()
}

fn a_dump_is_that_of_the_file(comm: &CommRef) -> Result<()> {
    let scratch = Scratch::new(comm)?;
    let path = scratch.file("dump.h5");
    let root = tree(comm)?;
    DeepCopy::new().hints(Hints::off()).save(&root, &path)?;
    let file = format::open(&path, Mode::Read)?;
    let wanted = dump_of(&*file);
    assert_eq!(of_all(comm, &dump_of(&root))?, wanted);
    // However it is distributed, of a part, under a policy.
    root.redistribute("night/d0", 2)?;
    root.redistribute("few", 1)?;
    root.dataset_distributed_to_common("night/d2")?;
    assert_eq!(dump_of(&root), wanted);
    assert_eq!(dump_of(&MemDiskGroup::from_group(&root)), wanted);
    assert_eq!(dump_of(&root.group("night")?), dump_of(&*file.group("night")?));
    assert!(tree_equal(&root, &*file)? && tree_equal(&*file, &root)? && root.content_eq(&*file)?);
    file.close_tree()
}

fn a_dump_of_ranks_that_differ(comm: &CommRef) -> Result<()> {
    let root = tree(comm)?;
    if last(comm) {
        root.group("night")?.attrs().set("odd", 1)?;
    }
    let mut out = Vec::new();
    let dumped = dump(&root, &DumpOptions::default(), &mut out);
    if comm.size() == 1 {
        return dumped;
    }
    let error = error_of_all(comm, dumped)?;
    assert_eq!((error.rank(), error.path()), (Some(comm.size() - 1), Some("/night")), "{error}");
    assert!(out.is_empty(), "nothing is written");
    assert!(tree_equal(&root, &tree(comm)?).is_err());
    // The ranks are in step.
    root.redistribute("few", 1).map(drop)
}

fn a_writer_that_fails_on_one_rank(comm: &CommRef) -> Result<()> {
    struct Full(usize, bool);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_sub(1);
            if self.0 == 0 && self.1 { Err(std::io::Error::other("no space")) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let root = tree(comm)?;
    for lines in 1..8 {
        let error = error_of_all(comm, dump(&root, &DumpOptions::default(), &mut Full(lines, last(comm))))?;
        assert!(format!("{error:?}{error}").contains("no space"), "{error}");
    }
    root.redistribute("few", 1).map(drop)
}

fn differences_are_those_of_the_whole(comm: &CommRef) -> Result<()> {
    let (a, b) = (tree(comm)?, tree(comm)?);
    b.redistribute("night/d0", 2)?;
    b.dataset_distributed_to_common("night/d1")?;
    let report = diff(&a, &b, &DiffOptions::default())?;
    assert!(report.is_equal(), "{:?}", report.differences);
    assert!(tree_equal(&a, &b)?);
    // An element on one rank each.
    b.dataset("night/d0")?.into_distributed()?.set_global_slice((6, 2, 4), 1.5)?;
    b.dataset("few")?.into_distributed()?.set_global_slice((1, 2), 9u8)?;
    let options = DiffOptions::default();
    let report = diff(&a, &b, &options)?;
    let texts: Vec<String> = report.differences.iter().map(ToString::to_string).collect();
    of_all(comm, &texts.join("\n"))?;
    assert_eq!((report.count, texts.len()), (2, 2), "{texts:?}");
    // By its first name.
    assert!(texts[0].starts_with("/again [6, 2, 4]: ") && texts[0].ends_with(" != 1.5"), "{texts:?}");
    assert!(texts[1].starts_with("/few [1, 2]: ") && texts[1].ends_with(" != 9"), "{texts:?}");
    assert_eq!(diff(&a, &b, &options.max(0))?.count, 2);
    assert!(diff(&a, &b, &options.tolerance(0.0, f64::MAX))?.is_equal());
    assert!(!tree_equal(&a, &b)? && !tree_equal(&b, &a)?);
    // Layout.
    let c = tree(comm)?;
    c.dataset("few")?.set_chunks(Some(&[1, 1]))?;
    assert_eq!(diff(&a, &c, &options.layout(true))?.differences[0].what, "chunks");
    assert!(diff(&a, &c, &options)?.is_equal());
    Ok(())
}

fn other_trees_of_each_rank(comm: &CommRef) -> Result<()> {
    let root = tree(comm)?;
    let own = MemGroup::new();
    for name in ["few", "none"] {
        let whole = root.dataset(name)?.read_together(&Selection::All)?;
        own.create_dataset(name).write(whole)?;
    }
    for name in ["night", "null", "latest", "again"] {
        root.delete(name)?;
    }
    root.attrs().delete("target")?;
    assert!(tree_equal(&root, &own)? && tree_equal(&own, &root)?);
    if comm.size() == 1 {
        return Ok(());
    }
    // That of one rank is another one: no two ranks believe different things.
    if last(comm) {
        own.dataset("few")?.write_slice((0, 0), 77u8)?;
    }
    let error = error_of_all(comm, diff(&own, &root, &DiffOptions::default()))?;
    assert_eq!(error.rank(), Some(comm.size() - 1), "{error}");
    assert!(error.to_string().contains("/few [0, 0]: 77"), "{error}");
    // That of one rank cannot be compared at all.
    if last(comm) {
        own.delete("few")?;
    }
    error_of_all(comm, tree_equal(&root, &own))?;
    root.redistribute("few", 1).map(drop)
}

fn trees_of_other_ranks(comm: &CommRef) -> Result<()> {
    let Some(part) = comm.split(Some((comm.rank() % 2) as u32), comm.rank())? else { panic!("every rank has a color") };
    let (all, some) = (tree(comm)?, tree(&part)?);
    // One rank alone has all of it; several parts are not compared with other parts.
    let compared = tree_equal(&all, &some).map_err(|e| e.kind());
    match comm.size() {
        1 | 2 => assert_eq!(compared, Ok(true)),
        // The second rank is alone.
        3 => assert_eq!(compared, Err(ErrorKind::Collective)),
        _ => assert_eq!(compared, Err(ErrorKind::InvalidArgument)),
    }
    comm.barrier()
}

fn a_verification_reads_everything(comm: &CommRef) -> Result<()> {
    let root = tree(comm)?;
    let report = verify(&root)?;
    assert!(report.is_whole(), "{:?}", report.damages);
    assert_eq!((report.objects, report.references), (9, 1));
    let bytes: usize = [8, 2, 7].iter().map(|item| item * 7 * 3 * 5).sum::<usize>() + 6;
    assert!(report.bytes >= bytes as u64, "{report:?}");
    of_all(comm, &format!("{report:?}"))?;
    if comm.size() == 1 {
        return Ok(());
    }
    if last(comm) {
        root.dataset("night/names")?.write_slice(1, "b")?;
    }
    let report = verify(&root)?;
    let damages: Vec<String> = report.damages.iter().map(ToString::to_string).collect();
    of_all(comm, &damages.join("\n"))?;
    assert_eq!((damages.len(), report.damages[0].path.as_str()), (1, "/night/names"), "{damages:?}");
    assert_eq!(report.damages[0].error.rank(), Some(comm.size() - 1));
    Ok(())
}

fn a_progress_that_fails_on_one_rank(comm: &CommRef) -> Result<()> {
    let (a, b) = (tree(comm)?, tree(comm)?);
    for stop in 0..12 {
        let counter = || {
            let mut calls = 0;
            move |_: u64| {
                calls += 1;
                if calls > stop && last(comm) { Err(Error::new(ErrorKind::Cancelled, "stop here")) } else { Ok(()) }
            }
        };
        let options = DiffOptions::default();
        let errors = [
            error_of_all(comm, diff_with(&a, &b, &options, &mut counter()))?,
            error_of_all(comm, verify_with(&a, &mut counter()))?,
            error_of_all(comm, dump_with(&a, &DumpOptions::default(), &mut Vec::new(), &mut counter()))?,
        ];
        for error in errors {
            assert!(error.to_string().contains("stop here"), "{error}");
        }
    }
    assert!(tree_equal(&a, &b)?, "the ranks are in step");
    on_first(comm, || ())
}

fn elements_of_all_ranks_at_once(comm: &CommRef) -> Result<()> {
    let root = tree(comm)?;
    let whole = pattern(&DType::F64, &[7, 3, 5]);
    let dataset = GroupExt::dataset(&root, "night/d0")?;
    for text in ["1:6:2", ":, 1", "::-1, [2, 0]", "3", "5:5"] {
        let selection: Selection = text.parse()?;
        assert_eq!(dataset.read_together(&selection)?, whole.select(selection)?, "{text}");
    }
    let common = GroupExt::dataset(&root, "night/names")?;
    assert_eq!(common.read_together(&Selection::All)?, common.read_selection(&Selection::All)?);
    if comm.size() > 1 {
        let mine: Selection = if last(comm) { 0..1 } else { 0..2 }.into();
        error_of_all(comm, dataset.read_together(&mine))?;
    }
    let error = dataset.read_together(&Selection::from(99)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Selection);
    Ok(())
}
