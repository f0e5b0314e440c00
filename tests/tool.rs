//! The command-line tool from outside: what it prints, its exit codes, and what it does with input that is bad.
#![cfg(all(feature = "hdf5", feature = "cli"))]

use memh5::tree::Mode;
use memh5::{DType, Filter, format, prelude::*, publish::lock_file};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memh5"));
    command.args(args);
    command
}

fn ran(output: &Output) -> Ran {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {:?}\n{err}", output.status));
    Ran { code, out, err }
}

/// Held while this process has an HDF5 file open, and while it starts another process: that one would inherit the open file and its lock.
static HDF5: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    HDF5.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(args: &[&str]) -> Ran {
    let alone = alone();
    let child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(alone);
    ran(&child.wait_with_output().unwrap())
}

/// Fails with exit code 2 and one line that begins and ends as it should, and says what is wanted.
fn refused(args: &[&str], wanted: &[&str]) {
    let ran = run(args);
    assert_eq!(ran.code, 2, "{args:?}\n{}{}", ran.out, ran.err);
    assert_eq!(ran.out, "", "{args:?}");
    assert!(ran.err.starts_with("memh5: cannot ") && ran.err.lines().count() == 1, "{args:?}: {}", ran.err);
    for text in wanted {
        assert!(ran.err.contains(text), "{args:?}: '{text}' is missing in: {}", ran.err);
    }
}

/// A directory with `a.h5`, which holds a bit of everything that the commands show.
fn directory() -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.h5");
    let _alone = alone();
    let root = format::open(&file, Mode::CreateNew).unwrap();
    root.attrs().set("origin", "test").unwrap();
    let vis = root
        .create_dataset("night/vis")
        .chunks([5, 4])
        .filter(Filter::Shuffle)
        .filter(Filter::Gzip(4))
        .filter(Filter::Fletcher32)
        .maxshape([None, Some(4)])
        .write(ndarray::Array2::from_shape_fn((20, 4), |(i, k)| (i * 10 + k) as f64))
        .unwrap();
    vis.attrs().set("units", "mJy").unwrap();
    root.create_dataset("long").write((0..5000i32).collect::<Vec<_>>()).unwrap();
    root.create_dataset("text").write(vec!["a", "bé"]).unwrap();
    root.create_dataset("cube").write(ndarray::Array3::<f32>::ones((3, 4, 5))).unwrap();
    root.create_dataset("null").dtype(DType::F32).null().create().unwrap();
    root.link_soft("/night/vis", "latest").unwrap();
    root.link_soft("/no/such", "nowhere").unwrap();
    root.link_hard("/night/vis", "again").unwrap();
    root.close_tree().unwrap();
    let path = file.to_str().unwrap().to_owned();
    (directory, path)
}

fn beside(file: &str, name: &str) -> String {
    Path::new(file).with_file_name(name).to_str().unwrap().to_owned()
}

/// The names in the directory of a file.
fn names(file: &str) -> Vec<String> {
    let entries = std::fs::read_dir(Path::new(file).parent().unwrap()).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn tree_draws_objects_links_and_layouts() {
    let (_directory, file) = directory();
    let ran = run(&["tree", &file]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for line in [
        "├── latest -> /night/vis",
        "├── nowhere -> /no/such",
        "├── night",
        "├── long  <i4 [5000]",
        "└── text  str [2]",
        "├── null  <f4 null",
        "│   └── vis = /again",
        "├── again  <f8 [20 of any, 4]  chunks [5, 4], shuffle, gzip 4, fletcher32",
    ] {
        assert!(ran.out.lines().any(|l| l == line), "'{line}' is missing in\n{}", ran.out);
    }
    assert!(!ran.out.contains('\x1b'), "colours in a pipe");
    assert!(run(&["tree", &file, "-a"]).out.contains("@units = mJy") || run(&["tree", &file, "-a"]).out.contains("@units = \"mJy\""));
    assert_eq!(run(&["tree", &file, "night"]).out.lines().count(), 2);
    assert!(run(&["tree", &file, "--depth", "1"]).out.contains("night  (1 below)"));
    assert!(run(&["tree", &file, "--depth", "0"]).out.lines().count() == 1);
}

#[test]
fn show_prints_values_and_selections() {
    let (_directory, file) = directory();
    let ran = run(&["show", &file, "night/vis", "--select", "1:3, ::2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut lines = ran.out.lines();
    assert_eq!(lines.next(), Some("/night/vis  <f8 [20 of any, 4]  chunks [5, 4], shuffle, gzip 4, fletcher32"));
    assert!(lines.next().unwrap().starts_with("@units = "));
    let rest: Vec<String> = lines.map(|l| l.replace(' ', "")).collect();
    assert!(rest == ["[[10,12],", "[20,22]]"] || rest == ["[[10.0,12.0],", "[20.0,22.0]]"], "{rest:?}");
    let long = run(&["show", &file, "/long"]).out;
    assert!(long.contains("..") && long.contains("4999") && long.len() < 300, "{long}");
    assert!(run(&["show", &file, "long", "--all"]).out.contains(" 2500,"));
    assert!(run(&["show", &file, "long", "--select", "-1"]).out.ends_with("\n4999\n"));
    assert!(run(&["show", &file, "text"]).out.contains("bé"));
    assert!(run(&["show", &file, "null"]).out.contains("null"));
    let root = run(&["show", &file]);
    assert!(root.out.contains("@origin = ") && root.out.contains("latest  -> /night/vis"), "{}", root.out);
}

#[test]
fn copies_can_be_cut_and_stored_otherwise() {
    let (_directory, file) = directory();
    let new = beside(&file, "new.h5");
    let copied = run(&["copy", &file, &new]);
    assert_eq!((copied.code, copied.out.as_str(), copied.err.as_str()), (0, "", ""));
    assert_eq!(run(&["diff", &file, &new, "--layout"]).code, 0);
    assert_eq!(names(&file), ["a.h5", "new.h5"], "nothing but the copy is left");
    refused(&["copy", &file, &new], &["there already", "--overwrite", "new.h5"]);
    let cut = run(&["copy", &file, &new, "--overwrite", "--select", "night/vis=0:7", "--filter", "zstd:5+shuffle", "--chunks", "long=100"]);
    assert_eq!(cut.code, 0, "{}", cut.err);
    let tree = run(&["tree", &new]).out;
    assert!(tree.contains("<f8 [7, 4]") && tree.contains("shuffle, zstd 5") && tree.contains("chunks [100]"), "{tree}");
    let through = beside(&file, "through.h5");
    assert_eq!(run(&["copy", &file, &through, "--via-memory"]).code, 0);
    assert_eq!(run(&["diff", &file, &through, "--layout"]).code, 0);
}

#[test]
fn diff_tells_what_differs_and_where() {
    let (_directory, file) = directory();
    let other = beside(&file, "b.h5");
    assert_eq!(run(&["copy", &file, &other]).code, 0);
    let same = run(&["diff", &file, &other]);
    assert_eq!((same.code, same.out.as_str()), (0, ""));
    let open = alone();
    let root = format::open(&other, Mode::ReadWrite).unwrap();
    root.dataset("night/vis").unwrap().write_slice((3, 2), 32.25).unwrap();
    root.dataset("long").unwrap().write_slice(0..100, -1).unwrap();
    root.attrs().set("origin", "other").unwrap();
    root.create_dataset("more").write(1).unwrap();
    root.delete("text").unwrap();
    root.close_tree().unwrap();
    drop(open);
    let ran = run(&["diff", &file, &other]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out.lines().count(), 11, "{}", ran.out);
    assert!(ran.out.starts_with("/ @origin: "), "{}", ran.out);
    assert!(ran.out.contains("/again [3, 2]: 32") && ran.out.contains("!= 32.25"), "{}", ran.out);
    assert!(ran.out.contains("/long [0]: 0 != -1\n") && ran.out.ends_with("differences more\n"), "{}", ran.out);
    let all = run(&["diff", &file, &other, "-n", "1000"]).out;
    assert!(all.contains("/more: only in the second, a dataset") && all.contains("/text: only in the first, a dataset"), "{all}");
    let near = run(&["diff", &file, &other, "--atol", "0.3", "--no-attributes", "-n", "1000"]).out;
    assert!(!near.contains("/again") && near.contains("/long [0]") && !near.contains("@origin"), "{near}");
    assert_eq!(run(&["diff", &file, &other, "--quiet"]).out, "");
    assert_eq!(run(&["diff", &file, &other, "--rtol", "-1"]).code, 2);
}

#[test]
fn repack_rewrites_in_place() {
    let (_directory, file) = directory();
    let before = run(&["dump", &file]).out;
    let ran = run(&["repack", &file, "--filter", "gzip:9+shuffle"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("bytes before") && ran.out.contains("bytes after"), "{}", ran.out);
    assert_eq!(run(&["dump", &file]).out, before);
    assert_eq!(names(&file), ["a.h5"]);
}

#[test]
fn verify_finds_a_wrong_checksum() {
    let (_directory, file) = directory();
    let ran = run(&["verify", &file]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("whole: "), "{}", ran.out);
    // Damages the compressed chunks wherever they are: each begins with the two bytes of a zlib stream.
    let mut bytes = std::fs::read(&file).unwrap();
    let streams: Vec<usize> = (0..bytes.len() - 40).filter(|i| bytes[*i] == 0x78 && matches!(bytes[i + 1], 0x5e | 0x9c | 0xda)).collect();
    assert!(!streams.is_empty());
    for at in streams {
        bytes[at + 12] ^= 0x55;
    }
    std::fs::write(&file, bytes).unwrap();
    let ran = run(&["verify", &file]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("/again: ") && ran.out.contains("damaged: 1 of"), "{}", ran.out);
    assert_eq!(run(&["dump", &file]).code, 2);
    assert_eq!(run(&["show", &file, "long"]).code, 0, "the rest can be read");
}

#[test]
fn plots_are_pictures() {
    let (_directory, file) = directory();
    for (object, select, name) in
        [("long", "", "line.png"), ("night/vis", "", "image.png"), ("cube", "0", "cube.svg"), ("night/vis", "0", "row.svg")]
    {
        let picture = beside(&file, name);
        let mut args = vec!["plot", file.as_str(), object, "-o", &picture];
        if !select.is_empty() {
            args.extend(["--select", select]);
        }
        let ran = run(&args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        let bytes = std::fs::read(&picture).unwrap();
        if name.ends_with("svg") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(
                text.contains("<svg") && text.contains("</svg>") && text.contains("index of axis") && text.contains("a.h5: /"),
                "{name}"
            );
        } else {
            assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 2000, "{name}");
        }
    }
    refused(&["plot", &file, "cube", "-o", &beside(&file, "x.png")], &["1 or 2 axes", "--select"]);
    refused(&["plot", &file, "text", "-o", &beside(&file, "x.png")], &["no numbers"]);
    refused(&["plot", &file, "long", "-o", &beside(&file, "line.png")], &["there already"]);
    refused(&["plot", &file, "long", "-o", &beside(&file, "x.gif")], &[".png or .svg"]);
    refused(&["plot", &file, "long", "--select", "0:0", "-o", &beside(&file, "x.png")], &["no element"]);
}

#[test]
fn bad_input_is_refused_in_one_line() {
    let (directory, file) = directory();
    let (new, missing) = (beside(&file, "new.h5"), beside(&file, "missing.h5"));
    let folder = directory.path().to_str().unwrap();
    let text = beside(&file, "text.txt");
    std::fs::write(&text, "not HDF5 at all\n".repeat(100)).unwrap();
    let empty = beside(&file, "empty.h5");
    std::fs::write(&empty, "").unwrap();
    #[cfg(not(feature = "mpi"))] // with MPI: tests/mpi/faults/tool.rs
    refused(&["copy", &file, &new, "--distributed", "night/vis=0"], &["this build has no MPI", "feature 'mpi'", "mpirun"]);
    for command in ["tree", "show", "dump", "repack", "verify"] {
        refused(&[command, &missing], &["no such file", "missing.h5"]);
        refused(&[command, folder], &["directory"]);
        refused(&[command, &text], &["text.txt"]);
        refused(&[command, &empty], &["empty.h5"]);
    }
    refused(&["copy", &missing, &new], &["no such file"]);
    refused(&["diff", &file, &missing], &["no such file"]);
    refused(&["plot", &missing, "x"], &["no such file"]);
    refused(&["show", &file, "no/such"], &["no/such", "a.h5", "memh5 tree"]);
    refused(&["show", &file, "nowhere"], &["/no/such"]);
    refused(&["show", &file, ".."], &["'..'"]);
    refused(&["tree", &file, "long"], &["not a group", "memh5 show"]);
    refused(&["plot", &file, "night", "-o", &beside(&file, "x.png")], &["not a dataset"]);
    refused(&["show", &file, "night", "--select", "0"], &["only a dataset"]);
    refused(&["show", &file, "night/vis", "--select", "20"], &["out of range", "20"]);
    refused(&["show", &file, "night/vis", "--select", "0,0,0"], &["3 axes"]);
    refused(&["show", &file, "night/vis", "--select", "a:b"], &["whole number"]);
    refused(&["show", &file, "night/vis", "--select", "::0"], &["step"]);
    refused(&["show", &file, "null", "--select", "0"], &["null dataspace"]);
    refused(&["copy", &file, &new, "--select", "no/such=0"], &["no/such"]);
    refused(&["copy", &file, &new, "--select", "night/vis=99"], &["out of range"]);
    refused(&["copy", &file, &new, "--select", "night/vis"], &["OBJECT=SLICES"]);
    refused(&["copy", &file, &new, "--chunks", "night/vis=0,1"], &["chunks"]);
    refused(&["copy", &file, &new, "--chunks", "night/vis=7"], &["chunks of 1 axes", "a.h5"]);
    refused(&["copy", &file, &new, "--chunks", "no/such=7"], &["no/such"]);
    refused(&["copy", &file, folder], &["directory"]);
    refused(&["copy", &file, &beside(&file, "no/such/dir.h5")], &["dir"]);
    assert_eq!(run(&["copy", &file, &new, "--filter", "brotli"]).code, 2);
    assert_eq!(run(&["copy", &file, &new, "--filter", "gzip:11"]).code, 2);
    assert_eq!(run(&["nonsense"]).code, 2);
    assert_eq!(run(&[]).code, 2);
    assert!(!Path::new(&new).exists());
    assert_eq!(names(&file), ["a.h5", "empty.h5", "text.txt"], "nothing is left behind");
    // A name cannot hold a NUL on the command line; an empty object is the root.
    assert_eq!(run(&["show", &file, ""]).code, 0);
    assert_eq!(run(&["show", &file, "//night///vis//"]).code, 0);
}

#[test]
fn a_locked_target_stays_as_it_is() {
    let (_directory, file) = directory();
    let target = beside(&file, "target.h5");
    std::fs::write(&target, "old").unwrap();
    let guard = lock_file(&target).acquire().unwrap();
    refused(&["copy", &file, &target, "--overwrite"], &["target.h5", &std::process::id().to_string()]);
    drop(guard);
    assert_eq!(std::fs::read(&target).unwrap(), b"old");
    assert_eq!(run(&["copy", &file, &target, "--overwrite"]).code, 0);
}

#[test]
fn a_directory_without_write_permission_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, file) = directory();
    let closed = directory.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).unwrap();
    let target = closed.join("x.h5");
    if std::fs::write(closed.join("probe"), "").is_ok() {
        // The superuser may write everywhere but where the system has no files of its own.
        refused(&["copy", &file, "/proc/memh5/x.h5"], &["/proc/memh5"]);
        return;
    }
    refused(&["copy", &file, target.to_str().unwrap()], &["closed"]);
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (_directory, file) = directory();
    let mut child = command(&["show", &file, "long", "--all"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let ran = ran(&output);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn limits_are_enforced() {
    let (_directory, file) = directory();
    let large = beside(&file, "large.h5");
    let open = alone();
    let root = format::open(&large, Mode::CreateNew).unwrap();
    // 4 GiB of elements that take no space in the file.
    root.create_dataset("zeros").shape([1 << 10, 1 << 19]).dtype(DType::F64).chunks([1, 1 << 19]).create().unwrap();
    root.close_tree().unwrap();
    drop(open);
    let plot = beside(&file, "x.png");
    refused(&["plot", &large, "zeros", "-o", &plot, "--memory", "1G"], &["large.h5", "memory"]);
    assert_eq!(run(&["show", &large, "zeros", "--memory", "1G"]).code, 0);
    assert_eq!(run(&["tree", &large, "--no-limits"]).code, 0);
    let endless = beside(&file, "endless.h5");
    let open = alone();
    let root = format::open(&endless, Mode::CreateNew).unwrap();
    root.create_dataset("zeros").shape([1 << 40, 1 << 10]).dtype(DType::F64).chunks([1 << 10, 1 << 10]).create().unwrap();
    root.close_tree().unwrap();
    drop(open);
    let ran = run(&["dump", &endless]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("endless.h5") && ran.err.contains("no end") && ran.err.contains("--no-limits"), "{}", ran.err);
    assert_eq!(run(&["show", &endless, "zeros"]).code, 0);
}

/// A pipe that nobody writes to stands for a library that never comes back.
#[test]
fn no_sign_of_life_and_crashes_are_told() {
    let (_directory, file) = directory();
    let pipe = beside(&file, "pipe.h5");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let started = std::time::Instant::now();
    refused(&["dump", &pipe, "--timeout", "1"], &["no sign of life for 1 seconds", "corrupt", "pipe.h5", "--timeout"]);
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
    let ran = run(&["dump", &file, "--memory", "1M"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    let last = ran.err.lines().last().unwrap();
    assert!(last.starts_with("memh5: cannot dump the file: ") && last.contains("a.h5") && last.contains("--memory"), "{}", ran.err);
}

/// Numbers that are the same in each run.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

/// Small files of other programs, and one of our own.
fn victims(own: &str) -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples = std::env::var_os("MEMH5_SAMPLES").map_or_else(|| here.join("../shared/samples"), PathBuf::from);
    let mut victims = vec![PathBuf::from(own)];
    victims.extend(["container.h5", "memdiskgroup.h5", "strings_converted.h5"].map(|name| here.join("tests/data/caput").join(name)));
    for name in ["larpix/ten.h5", "spine/h5/stage_min.h5"] {
        let path = samples.join(name);
        if path.exists() {
            victims.push(path);
        } else {
            eprintln!("SKIPPED: {} is not there (set MEMH5_SAMPLES)", path.display());
        }
    }
    victims
}

/// Truncated and damaged files: an exit code, never a signal, never a panic; and no copy of what cannot be read.
#[test]
fn damaged_files_never_crash_the_tool() {
    let (_directory, file) = directory();
    let rounds: usize = std::env::var("MEMH5_MUTANTS").ok().and_then(|n| n.parse().ok()).unwrap_or(240);
    let victims: Vec<Vec<u8>> = victims(&file).iter().map(|p| std::fs::read(p).unwrap()).collect();
    let mut random = Lcg(20_261_121);
    let mut codes = [0; 3];
    for round in 0..rounds {
        let mut bytes = victims[round % victims.len()].clone();
        if round % 8 == 7 {
            bytes.truncate(random.below(bytes.len()));
        } else {
            // Most of the structure is in the first kilobytes.
            for _ in 0..=random.below(12) {
                let reach = if random.below(3) == 0 { bytes.len() } else { bytes.len().min(4096) };
                let at = random.below(reach);
                bytes[at] = if random.below(2) == 0 { bytes[at] ^ (1 << random.below(8)) } else { random.below(256) as u8 };
            }
        }
        let mutant = beside(&file, "mutant.h5");
        std::fs::write(&mutant, &bytes).unwrap();
        let copy = beside(&file, "mutant_copy.h5");
        let args: &[&str] = match round % 4 {
            0 => &["dump", "--layout", &mutant, "--timeout", "20"],
            1 => &["verify", &mutant, "--timeout", "20"],
            2 => &["tree", "-a", &mutant, "--timeout", "20"],
            _ => &["copy", &mutant, &copy, "--overwrite", "--timeout", "20"],
        };
        let ran = run(args);
        assert!((0..=2).contains(&ran.code), "round {round} {args:?}: exit code {}\n{}", ran.code, ran.err);
        assert!(!ran.err.contains("panicked") && !ran.err.contains("fault of the tool"), "round {round} {args:?}: {}", ran.err);
        assert_eq!(ran.code == 2, ran.err.contains("memh5: cannot "), "round {round} {args:?}: {}", ran.err);
        codes[ran.code as usize] += 1;
    }
    eprintln!("{rounds} damaged files: {} were read, {} are reported as damaged, {} could not be opened", codes[0], codes[1], codes[2]);
    assert!(codes[2] > 0 && codes[0] > 0, "the mutants test nothing");
}

#[test]
fn stages_are_listed_and_compared() {
    use memh5::stage::{Batch, SourceInfo, StageHdf5Writer, StageOptions};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run_stage.h5");
    let file = path.display().to_string();
    {
        let _alone = alone();
        let source = SourceInfo::new("run.root", 5, 6).unwrap();
        let batch = Batch::new(2).with_source(&source).unwrap().with("x", vec![vec![1.0f64, 2.0, 3.0], vec![4.0]]).unwrap();
        let mut writer = StageHdf5Writer::builder().file_name(&path).build().unwrap();
        let options = StageOptions::new().cfg(&serde_json::json!({"lr": 0.5})).unwrap().attr("tag", "t\u{1b}").unwrap();
        writer.write_stage("hits", &batch, &options).unwrap();
        writer.write_stage("later", &batch, &StageOptions::new()).unwrap();
        writer.finalize_stage("hits").unwrap();
        writer.close().unwrap();
    }
    let told = run(&["stages", &file]);
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{}", told.out);
    for text in [
        "source run.root, 5 bytes",
        "hits: 2 events, 2 products, complete and valid: 3 checksums agree",
        "later: 2 events, 2 products, incomplete",
    ] {
        assert!(told.out.contains(text), "'{text}' is missing in:\n{}", told.out);
    }
    let told = run(&["stages", &file, "-a", "--quick"]);
    assert!(
        told.out.contains("@tag: ") && told.out.contains("| lr: 0.5") && !told.out.contains('\u{1b}') && told.out.contains("complete\n"),
        "{}",
        told.out
    );
    assert_eq!(run(&["verify", &file]).code, 0);
    // One bit of the numbers.
    let mut bytes = std::fs::read(&path).unwrap();
    let needle: Vec<u8> = [1.0f64, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let at = bytes.windows(needle.len()).position(|w| w == needle).unwrap();
    bytes[at + 9] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    for command in ["stages", "verify"] {
        let told = run(&[command, &file]);
        assert_eq!(told.code, 1, "{command}: {}{}", told.out, told.err);
        assert!(told.out.contains("checksum"), "{command}: {}", told.out);
    }
    let (_directory, other) = self::directory();
    refused(&["stages", &other], &["no cache of stages"]);
}

/// Makes a file as a writer in SWMR mode does, and dies.
const SWMR: &str = r#"
import sys, os, h5py
f = h5py.File(sys.argv[1], "w", libver=("v110", "v110"))
f["a"] = [1.0, 2.0]
f.swmr_mode = True
f.flush()
os._exit(0)
"#;

#[test]
fn the_mark_of_a_dead_swmr_writer_is_told() {
    let python = std::env::var_os("MEMH5_PYTHON").unwrap_or_else(|| "target/venv/light/bin/python".into());
    if !Path::new(&python).exists() {
        eprintln!("SKIPPED: there is no Python with h5py (MEMH5_PYTHON)");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.h5");
    let alone = alone();
    let made = Command::new(python).arg("-c").arg(SWMR).arg(&file).status().unwrap();
    drop(alone);
    assert!(made.success());
    let path = file.to_str().unwrap();
    for command in ["verify", "tree", "stages"] {
        refused(&[command, path], &["SWMR writer", "h5clear -s"]);
    }
}
