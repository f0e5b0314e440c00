//! The tool under `mpirun`: rank 0 speaks for all, and the exit code says how it went.

use super::job;
use memh5::tree::{DumpOptions, dump};
use memh5::{Filter, MemGroup, Mode, format, prelude::*};
use std::path::Path;

/// Cases by their names.
pub const CASES: &[super::Case] = &[
    ("the tool copies on one to four ranks", copies),
    ("the tool tells a mistake once", mistakes),
    ("the tool tells once what is not copied as it was", losses),
];

fn make(path: &Path) {
    let tree = MemGroup::new();
    let cube = ndarray::Array3::from_shape_fn((7, 5, 6), |(i, j, k)| (i * 100 + j * 10 + k) as f64);
    tree.create_dataset("night/vis").chunks([2, 3, 6]).filter(Filter::Gzip(1)).write(cube.clone()).unwrap();
    tree.create_dataset("night/weight").maxshape([None, None, None]).write(cube).unwrap();
    tree.create_dataset("names").write(vec!["a", "bc"]).unwrap();
    tree.dataset("night/vis").unwrap().attrs().set("unit", "Jy").unwrap();
    tree.to_file(path).unwrap();
}

/// The lines of a file without the marks of distributed datasets.
fn lines(path: &Path) -> String {
    let file = format::open(path, Mode::Read).unwrap();
    let tree = MemGroup::from_group(&*file).unwrap();
    file.close_tree().unwrap();
    tree.attrs().delete("__memh5_distributed_file").ok();
    for name in ["night/vis", "night/weight", "names"] {
        for mark in ["__memh5_distributed_dset", "__memh5_distributed_axis"] {
            tree.dataset(name).unwrap().attrs().delete(mark).ok();
        }
    }
    let mut out = Vec::new();
    dump(&tree, &DumpOptions::default().layout(true), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn run(ranks: usize, args: &[&str]) -> job::Ended {
    job::run(ranks, "", Path::new(env!("CARGO_BIN_EXE_memh5")), args, &[])
}

fn copies() -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.h5"), dir.path().join("b.h5"));
    make(&from);
    let wanted = lines(&from);
    let (a, b) = (from.to_str().unwrap(), to.to_str().unwrap());
    for ranks in 1..=4 {
        let job = run(ranks, &["copy", a, b, "--overwrite", "--distributed", "night/vis=0", "--distributed", "/night/weight=-1"]);
        job.expect(true)?;
        if !job.out.is_empty() || !job.err.is_empty() {
            return Err(format!("it is silent when all is well: {}", job.told()));
        }
        if lines(&to) != wanted {
            return Err(format!("another file on {ranks} ranks:\n{}\n{wanted}", lines(&to)));
        }
    }
    // A part, stored in another way.
    let job =
        run(3, &["copy", a, b, "--overwrite", "--distributed", "night/vis=1", "--select", "night/vis=1:6:2, :, 0:4", "--filter", "lzf"]);
    job.expect(true)?;
    let file = format::open(&to, Mode::Read).unwrap();
    let vis = file.dataset("night/vis").unwrap();
    assert_eq!((vis.shape().unwrap(), vis.spec().unwrap().filters), (vec![3, 5, 4], vec![Filter::Lzf]));
    assert_eq!(vis.read_slice::<f64>((2, 3, 1)).unwrap(), 531.0);
    file.close_tree().unwrap();
    Ok(())
}

fn mistakes() -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.h5"), dir.path().join("b.h5"));
    make(&from);
    let (a, b) = (from.to_str().unwrap(), to.to_str().unwrap());
    let nothing = dir.path().join("nothing.h5");
    let nowhere = dir.path().join("nowhere/b.h5");
    let vis = "night/vis=0";
    let cases: &[(&[&str], &str)] = &[
        (&["copy", a, b, "--distributed", "night/vis"], "OBJECT=AXIS"),
        (&["copy", a, b, "--distributed", "night/vis=first"], "no number of an axis"),
        (&["copy", a, b, "--distributed", "night/vis=3"], "no axis 3"),
        (&["copy", a, b, "--distributed", vis, "--distributed", "nothing=0"], "nothing"),
        (&["copy", a, b, "--distributed", vis, "--distributed", "names=0"], "cannot be distributed"),
        (&["copy", a, b, "--distributed", "night=0"], "night"),
        (&["copy", a, b, "--distributed", vis, "--select", "night/vis"], "OBJECT=SLICES"),
        (&["copy", a, b, "--distributed", vis, "--select", "night/vis=3"], "drops axis 0"),
        (&["copy", a, b, "--distributed", vis, "--chunks", "night/vis=0"], "no chunks"),
        (&["copy", a, b, "--distributed", vis, "--filter", "zip"], "zip"),
        (&["copy", a, a, "--distributed", vis], "--overwrite"),
        (&["copy", nothing.to_str().unwrap(), b, "--distributed", vis], "nothing.h5"),
        (&["copy", a, nowhere.to_str().unwrap(), "--distributed", vis], "nowhere"),
    ];
    for (args, told) in cases {
        let job = run(3, args);
        job.expect(false)?;
        let lines: Vec<&str> = job.err.lines().filter(|line| line.starts_with("memh5: ") || line.starts_with("error: ")).collect();
        if lines.len() != 1 || !lines[0].contains(told) {
            return Err(format!("{args:?}: told {} times, and '{told}' is to be in it: {}", lines.len(), job.told()));
        }
        if job.status.code() != Some(2) {
            return Err(format!("{args:?}: {}", job.told()));
        }
        if to.exists() || std::fs::read_dir(dir.path()).unwrap().count() != 1 {
            return Err(format!("{args:?}: something is left"));
        }
    }
    Ok(())
}

fn losses() -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("a.h5"), dir.path().join("b.h5"));
    make(&from);
    let args = ["copy", from.to_str().unwrap(), to.to_str().unwrap(), "--distributed", "night/weight=0", "--chunks", "**=none"];
    let job = run(3, &args);
    job.expect(true)?;
    let told = job.err.lines().filter(|line| line.contains("maxshape")).count();
    if told == 1 { Ok(()) } else { Err(format!("told {told} times: {}", job.told())) }
}
