//! Files that ranks save together: ranks that are killed in the midst of it, and disks that are full for one of them or for all. The old file is
//! what it was, all ranks that live have the same error, and the next run works without cleaning.

use super::job::{self, Ended};
use memh5::copy::DeepCopy;
use memh5::distributed::{CommRef, Hints, Mpi};
use memh5::{DType, Filter, MemGroup, Mode, Result, format, prelude::*};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const RANKS: usize = 3;
const TARGET: &str = "night.h5";
/// The bytes of the distributed dataset.
const BYTES: u64 = 48 << 20;

/// What the ranks do: `save` or `load`, of which kind, and who is killed when.
const WHAT: &str = "MEMH5_FAULT_FILE";
const DIR: &str = "MEMH5_FAULT_DIR";
const KILL: &str = "MEMH5_FAULT_KILL";

/// Elements are moved by parallel HDF5, and not by each rank.
const LIBRARY: &[(&str, &str)] = &[("MEMH5_FILE_ACCESS", "library")];

/// Cases by their names.
pub const CASES: &[super::Case] = &[
    ("rank 0 is killed while it makes the objects", || killed("save plain", "0 objects", &[])),
    ("a rank is killed while rank 0 makes the objects", || killed("save plain", "1 objects", &[])),
    ("rank 0 is killed while each rank writes", || killed("save plain", "0 elements", &[])),
    ("a rank is killed while each rank writes", || killed("save plain", "2 elements", &[])),
    ("rank 0 is killed while all write through the library", || killed("save plain", "0 elements", LIBRARY)),
    ("a rank is killed while all write through the library", || killed("save plain", "2 elements", LIBRARY)),
    ("a rank is killed while rank 0 writes packed chunks", || killed("save packed", "2 elements", &[])),
    ("rank 0 is killed while it writes packed chunks", || killed("save packed", "0 elements", &[])),
    ("a rank is killed in a load", || killed("load", "1 now", &[])),
    ("a rank is killed in a load through the library", || killed("load", "1 now", LIBRARY)),
    // In units of 512 bytes. MPI itself needs files of some MiB.
    ("files are limited on rank 0", || limited("[ $RANK != 0 ] || ulimit -f 32768", &[], true)),
    ("files are limited on another rank", || limited("[ $RANK != 1 ] || ulimit -f 32768", &[], false)),
    ("files are limited on another rank that writes for itself", || {
        limited("[ $RANK != 1 ] || ulimit -f 32768", &[LIBRARY[0], ("OMPI_MCA_fcoll", "individual")], false)
    }),
    ("files are limited on another rank, through the library", || limited("[ $RANK != 1 ] || ulimit -f 32768", LIBRARY, false)),
    ("files are limited on all ranks", || limited("ulimit -f 32768", &[], true)),
    ("files are limited on all ranks, through the library", || limited("ulimit -f 32768", LIBRARY, true)),
    ("a disk that is full", || full_disk(&[])),
    ("a disk that is full, through the library", || full_disk(LIBRARY)),
    ("a rank that may open no more files", || limited("[ $RANK != 1 ] || ulimit -n 40", &[], false)),
];

/// What a rank does, if it is a rank of one of these cases.
pub fn play() -> bool {
    let Ok(what) = std::env::var(WHAT) else { return false };
    let mpi = Mpi::start().expect("MPI starts");
    let world = mpi.world().expect("the world has a communicator");
    let path = PathBuf::from(std::env::var_os(DIR).expect("a directory")).join(TARGET);
    let done = match what.as_str() {
        "load" => load(&path, &world),
        "save packed" => save(&path, &world, &[Filter::Shuffle, Filter::Gzip(1)]),
        _ => save(&path, &world, &[]),
    };
    println!("rank {}: {}", world.rank(), done.map_or_else(|e| e.to_string(), |()| "done".to_owned()));
    true
}

fn end_myself() {
    let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
    std::thread::sleep(Duration::from_secs(60));
}

/// Who is killed in this run, and when.
fn victim() -> Option<(usize, String)> {
    let text = std::env::var(KILL).ok()?;
    let (rank, moment) = text.split_once(' ')?;
    Some((rank.parse().ok()?, moment.to_owned()))
}

/// Ends this rank when its moment comes.
fn watch(path: &Path, comm: &CommRef) {
    let Some((_, moment)) = victim().filter(|(rank, _)| *rank == comm.rank()) else { return };
    let temporary = path.with_file_name(format!(".{TARGET}"));
    std::thread::spawn(move || {
        let due = || match moment.as_str() {
            "now" => true,
            // It is there, and the elements are not: rank 0 is slow in this phase.
            "objects" => temporary.exists(),
            _ => temporary.metadata().is_ok_and(|m| m.blocks() * 512 > BYTES / 16),
        };
        while !due() {
            std::thread::sleep(Duration::from_micros(200));
        }
        end_myself();
    });
}

fn save(path: &Path, comm: &CommRef, filters: &[Filter]) -> Result<()> {
    let tree = MemGroup::distributed(comm.clone());
    tree.attrs().set("version", 2)?;
    tree.create_dataset("names").write(vec!["a", "b"])?;
    let shape = [96, BYTES as usize / 96 / 8];
    let vis = tree.create_distributed("vis").shape(shape).dtype(DType::F64).filters(filters.to_vec()).create()?;
    // Noise, which no filter makes small.
    let mut state = 1 + comm.rank() as u64;
    vis.with_local_view_mut::<f64, _>(|mut mine| {
        mine.iter_mut().for_each(|x| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *x = f64::from_bits(state >> 2);
        });
    })?;
    comm.barrier()?;
    watch(path, comm);
    let slow = victim().is_some_and(|(_, moment)| moment == "objects");
    let after_an_object = |_: &memh5::tree::Node, _: &memh5::tree::Node| {
        if slow {
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    };
    DeepCopy::new().postprocess(after_an_object).save(&tree, path).map(drop)
}

fn load(path: &Path, comm: &CommRef) -> Result<()> {
    comm.barrier()?;
    watch(path, comm);
    let slowly = |_: u64, _: u64, _: &str| {
        std::thread::sleep(Duration::from_millis(200));
        ControlFlow::Continue(())
    };
    DeepCopy::new().hints(Hints::new().distribute("vis", 1)).progress(slowly).load_distributed(path, comm).map(drop)
}

/// A directory with the old file.
struct Place {
    dir: PathBuf,
    old: Vec<u8>,
}

impl Place {
    fn new(dir: &Path) -> Self {
        let tree = MemGroup::new();
        tree.attrs().set("version", 1).unwrap();
        tree.create_dataset("vis").write(ndarray::Array2::<f64>::ones((6, 5))).unwrap();
        tree.to_file(dir.join(TARGET)).unwrap();
        Self { dir: dir.to_owned(), old: std::fs::read(dir.join(TARGET)).unwrap() }
    }

    fn job(&self, what: &str, limits: &str, envs: &[(&str, &str)]) -> Ended {
        let program = std::env::current_exe().expect("the program knows its path");
        let dir = self.dir.to_str().unwrap();
        job::run(RANKS, limits, &program, &[], &[&[(WHAT, what), (DIR, dir)], envs].concat())
    }

    /// The old file is what it was.
    fn is_old(&self) -> std::result::Result<(), String> {
        let now = std::fs::read(self.dir.join(TARGET)).map_err(|e| e.to_string())?;
        if now == self.old { Ok(()) } else { Err(format!("the old file has changed: {} bytes, {} before", now.len(), self.old.len())) }
    }

    /// The new file is whole: that is, its marks, its objects and the sum of its checks say so.
    fn is_new(&self) -> std::result::Result<(), String> {
        let look = || -> Result<bool> {
            let file = format::open(self.dir.join(TARGET), Mode::Read)?;
            let vis = file.dataset("vis")?;
            let version: i32 = file.attrs().get("version")?;
            let whole = memh5::tree::verify(&*file)?.is_whole();
            // No row was left out.
            let nothing = (0..96).any(|row| vis.read_slice::<f64>((row, 0)).is_ok_and(|x| x == 0.0));
            file.close_tree()?;
            Ok(version == 2 && whole && !nothing)
        };
        match look() {
            Ok(true) => Ok(()),
            other => Err(format!("the new file is not whole: {other:?}")),
        }
    }

    fn is_clean(&self) -> std::result::Result<(), String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        if names == [TARGET] { Ok(()) } else { Err(format!("something is left: {names:?}")) }
    }

    /// The next run works, whatever the last one has left.
    fn works(&self, what: &str) -> std::result::Result<(), String> {
        let next = self.job(what, "", &[]);
        next.expect(true)?;
        if next.of_all(RANKS)? != "done" {
            return Err(format!("the next run failed: {}", next.told()));
        }
        if what.starts_with("save") {
            self.is_new()?;
        }
        self.is_clean()
    }
}

fn killed(what: &str, who: &str, envs: &[(&str, &str)]) -> std::result::Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path());
    let job = place.job(what, "", &[&[(KILL, who)], envs].concat());
    job.expect(false)?;
    place.is_old()?;
    place.works(what)
}

/// A job whose ranks live: all or none have saved, and all say the same.
fn agreed(place: &Place, job: &Ended, fails: Option<bool>, told: &[&str]) -> std::result::Result<(), String> {
    job.expect(true)?;
    let said = job.of_all(RANKS)?;
    if fails.is_some_and(|fails| fails == (said == "done")) {
        return Err(format!("fails: {fails:?}; {}", job.told()));
    }
    if said != "done" && !told.is_empty() && !told.iter().any(|told| said.to_lowercase().contains(told)) {
        return Err(format!("the cause is not told: {}", job.told()));
    }
    if said == "done" {
        place.is_new()?
    } else {
        place.is_old()?
    }
    place.is_clean()
}

/// Limits on one rank or on all. Where it is not said that the save fails, that depends on which ranks write.
fn limited(limits: &str, envs: &[(&str, &str)], fails: bool) -> std::result::Result<(), String> {
    for what in ["save plain", "save packed"] {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::new(dir.path());
        let job = place.job(what, limits, envs);
        agreed(&place, &job, fails.then_some(true), &[]).map_err(|e| format!("{what}: {e}"))?;
        place.works(what).map_err(|e| format!("{what}: {e}"))?;
    }
    Ok(())
}

/// A file system in memory that has not the room. Needs root.
fn full_disk(envs: &[(&str, &str)]) -> std::result::Result<(), String> {
    struct Mounted(PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0).status();
        }
    }
    let mount = |options: &str, at: &Path| {
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "memh5-test"]).arg(at).stderr(Stdio::null()).status();
        status.is_ok_and(|s| s.success())
    };
    for what in ["save plain", "save packed"] {
        // Not even the objects have room; some of the elements; most of them.
        for room in [8 << 10, BYTES / 3, BYTES * 3 / 4] {
            let dir = tempfile::tempdir().unwrap();
            if !mount(&format!("size={}", 2 * BYTES), dir.path()) {
                println!("skipped: only root can mount a small file system");
                return Ok(());
            }
            let _mounted = Mounted(dir.path().to_owned());
            let place = Place::new(dir.path());
            let used = place.old.len() as u64 + (16 << 10);
            assert!(mount(&format!("remount,size={}", used + room), dir.path()), "the file system can be resized");
            let job = place.job(what, "", envs);
            agreed(&place, &job, Some(true), &["no space"]).map_err(|e| format!("{what} with {room} bytes: {e}"))?;
            assert!(mount(&format!("remount,size={}", 4 * BYTES), dir.path()), "the file system can be resized");
            place.works(what).map_err(|e| format!("{what} after {room} bytes: {e}"))?;
        }
    }
    Ok(())
}
