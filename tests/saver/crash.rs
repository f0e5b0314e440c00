//! `kill -9` in the middle of saves, two processes at one target, and a full disk.
//!
//! The test binary runs itself again as the writer.

use memh5::saver::*;
use memh5::{AnyArray, ErrorKind};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Rows of one append of the writers.
const ROWS: usize = 50;
const ROUNDS: u64 = 20;

fn saver(kind: &str, path: &Path) -> Box<dyn Saver> {
    match kind {
        "npy" => Box::new(NumpySaver::new(path)),
        "hdf5" => Box::new(Hdf5Saver::new(path, "a/rows").with_options(SaveOptions::new().chunk_bytes(20_000))),
        "packed" => {
            let options = SaveOptions::from_pairs([("compression", "gzip"), ("chunk_bytes", "8000")]).unwrap();
            Box::new(Hdf5Saver::new(path, "a/rows").with_options(options))
        }
        #[cfg(feature = "zarr")]
        "zarr" => Box::new(ZarrSaver::new(path, "a/rows").with_options(SaveOptions::new().chunk_bytes(20_000))),
        // Each append and each update is of several chunks.
        #[cfg(feature = "zarr")]
        "zarr in small chunks" => Box::new(ZarrSaver::new(path, "a/rows").with_options(SaveOptions::new().chunk_bytes(300))),
        #[cfg(feature = "zarr")]
        "packed zarr" => {
            let options = SaveOptions::from_pairs([("compression", "zstd"), ("chunk_bytes", "8000")]).unwrap();
            Box::new(ZarrSaver::new(path, "a/rows").with_options(options))
        }
        _ => panic!("{kind}"),
    }
}

const KINDS: &[&str] = &[
    "npy",
    "hdf5",
    "packed",
    #[cfg(feature = "zarr")]
    "zarr",
    #[cfg(feature = "zarr")]
    "zarr in small chunks",
    #[cfg(feature = "zarr")]
    "packed zarr",
];

/// The rows of the append of that number, by one of two writers.
fn batch(writer: i64, number: i64) -> AnyArray {
    ndarray::Array2::from_shape_fn((ROWS, 3), |(r, k)| if k == 0 { writer * 1_000_000 + number } else { (number + r as i64) * k as i64 })
        .into()
}

fn writer(kind: &str, path: &Path, task: &str, id: i64, first: i64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
        .env("MEMH5_SAVER", kind)
        .env("MEMH5_SAVER_PATH", path)
        .env("MEMH5_SAVER_TASK", task)
        .env("MEMH5_SAVER_ID", id.to_string())
        .env("MEMH5_SAVER_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Not a test by itself: the writer. Says what it has saved.
#[test]
fn child() {
    let var = |name: &str| std::env::var(format!("MEMH5_SAVER{name}")).ok();
    let Some(kind) = var("") else { return };
    let saver = saver(&kind, Path::new(&var("_PATH").unwrap()));
    let (id, first): (i64, i64) = (var("_ID").unwrap().parse().unwrap(), var("_FIRST").unwrap().parse().unwrap());
    match var("_TASK").unwrap().as_str() {
        // Appends without end, now and then an update of the first batch and back.
        "endless" => {
            for number in first.. {
                saver.append(batch(id, number)).unwrap();
                println!("@saved {number}");
                if number % 7 == 3 {
                    saver.update(batch(id, -1), ..ROWS as i64).unwrap();
                    saver.update(batch(id, 0), ..ROWS as i64).unwrap();
                }
            }
        }
        "overwrite" => {
            for number in first.. {
                saver.overwrite(batch(id, number)).unwrap();
                println!("@saved {number}");
            }
        }
        "hundred" => {
            // However long the other one holds the lock on a slow machine.
            let patient = SaveOptions::new().timeout(Duration::from_secs(3600));
            for number in 0..100 {
                saver.save(batch(id, number), Indices::NONE, &patient).unwrap();
                println!("@saved {number}");
            }
        }
        other => panic!("{other}"),
    }
}

/// Lets a writer run until it has saved something, and a random time more; kills it. The last number that it said was saved.
fn kill_after(mut child: Child, wait: Duration) -> Option<i64> {
    let mut said = None;
    let (sender, receiver) = std::sync::mpsc::channel();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((_, n)) = line.split_once("@saved ") {
                let _ = sender.send(n.parse::<i64>().unwrap());
            }
        }
    });
    if let Ok(n) = receiver.recv_timeout(Duration::from_secs(3600)) {
        said = Some(n);
        let end = Instant::now() + wait;
        while let Ok(n) = receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
            said = Some(n);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    receiver.try_iter().last().or(said)
}

/// What a reader finds who knows nothing of journals: a copy of the file alone. `None` if the file says that it is changed in part.
fn plain(kind: &str, path: &Path) -> Option<AnyArray> {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("copy");
    if path.is_dir() {
        return Some(saver(kind, path).load().unwrap_or_else(|e| panic!("{kind}: {e}")));
    }
    std::fs::copy(path, &copy).unwrap();
    match saver(kind, &copy).load() {
        Ok(array) => Some(array),
        Err(e) if e.kind() == ErrorKind::Corrupt && e.to_string().contains("changed the file in part") => None,
        Err(e) => panic!("{kind}: {e}"),
    }
}

/// The numbers of the batches that are there, in order; panics if one is torn.
fn batches(all: &AnyArray) -> Vec<i64> {
    let all = all.to_array::<i64>().unwrap();
    assert_eq!(all.shape()[0] % ROWS, 0, "a torn batch at the end");
    let rows: Vec<i64> = all.iter().copied().collect();
    let check = |batch_rows: &[i64]| {
        let tag = batch_rows[0];
        let want = batch(tag.div_euclid(1_000_000), tag.rem_euclid(1_000_000)).to_array::<i64>().unwrap();
        assert!(want.iter().eq(batch_rows), "a torn batch: {tag}");
        tag
    };
    rows.chunks(ROWS * 3).map(check).collect()
}

struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        println!("seed {seed}");
        Self(seed)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

#[test]
fn kill_in_an_append_or_update() {
    let mut random = Random::seeded();
    for &kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("target");
        let mut next = 0;
        let (mut unsaid, mut refused) = (0, 0);
        for round in 0..ROUNDS {
            let said = kill_after(writer(kind, &path, "endless", 0, next), Duration::from_micros(random.below(30_000)));
            let last = said.unwrap_or_else(|| panic!("{kind}: the writer saved nothing"));
            let check = |after: &AnyArray| {
                let found = batches(&after.select(ROWS..).unwrap());
                assert_eq!(found, (1..=found.len() as i64).collect::<Vec<_>>(), "{kind}, round {round}");
                let head = after.select(..ROWS).unwrap();
                assert!(head == batch(0, 0) || head == batch(0, -1), "{kind}, round {round}: a torn update");
                assert!(found.len() as i64 >= last, "{kind}, round {round}: {last} was acknowledged, {} are there", found.len());
                found
            };
            // First as any reader finds it, without our help; then with ours.
            match plain(kind, &path) {
                Some(after) => drop(check(&after)),
                None => refused += 1,
            }
            let after = saver(kind, &path).load().unwrap_or_else(|e| panic!("{kind}, round {round}: {e}"));
            let found = check(&after);
            unsaid += found.len() as i64 - last;
            next = found.len() as i64 + 1;
            if after.select(..ROWS).unwrap() != batch(0, 0) {
                saver(kind, &path).update(batch(0, 0), ..ROWS as i64).unwrap();
            }
        }
        println!("{kind}: {ROUNDS} kills, {next} batches, {unsaid} saved but not yet told, {refused} left for us to finish");
    }
}

#[test]
fn kill_in_an_overwrite() {
    let mut random = Random::seeded();
    for &kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("target");
        let mut next = 0;
        for round in 0..ROUNDS {
            let said = kill_after(writer(kind, &path, "overwrite", 0, next), Duration::from_micros(random.below(20_000)));
            let last = said.unwrap_or_else(|| panic!("{kind}: the writer saved nothing"));
            if let Some(found) = plain(kind, &path).map(|a| batches(&a)) {
                assert!(found.len() == 1 && found[0] >= last, "{kind}, round {round}: {last} was acknowledged, {found:?} is there");
            }
            let found = batches(&saver(kind, &path).load().unwrap_or_else(|e| panic!("{kind}, round {round}: {e}")));
            assert!(found.len() == 1 && found[0] >= last, "{kind}, round {round}: {last} was acknowledged, {found:?} is there");
            next = found[0] + 1;
        }
    }
}

#[test]
fn two_processes_append_a_hundred_batches_each() {
    for &kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("target");
        let both = [writer(kind, &path, "hundred", 1, 0), writer(kind, &path, "hundred", 2, 0)];
        for child in both {
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success(), "{kind}");
            assert_eq!(String::from_utf8_lossy(&out.stdout).matches("@saved").count(), 100);
        }
        let found = batches(&saver(kind, &path).load().unwrap());
        for id in [1, 2] {
            let own: Vec<i64> = found.iter().filter(|t| **t / 1_000_000 == id).map(|t| t % 1_000_000).collect();
            assert_eq!(own, (0..100).collect::<Vec<_>>(), "{kind}: the batches of writer {id}");
        }
        assert_eq!(found.len(), 200);
    }
}

/// A file system in memory of a given size. Needs root.
struct Tmpfs(std::path::PathBuf);

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).stderr(Stdio::null()).status();
    }
}

#[test]
fn a_full_disk() {
    for &kind in KINDS {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("disk");
        std::fs::create_dir(&at).unwrap();
        let mount = |options: &str| {
            let status = Command::new("mount").args(["-t", "tmpfs", "-o", options, "memh5-test"]).arg(&at).stderr(Stdio::null()).status();
            status.is_ok_and(|s| s.success())
        };
        if !mount("size=200k") {
            eprintln!("SKIPPED: a full disk: only root can mount a small file system");
            return;
        }
        let _disk = Tmpfs(at.clone());
        let path = at.join("target");
        let saver = saver(kind, &path);
        let (mut acknowledged, mut failed) = (0, 0);
        for number in 0..500i64 {
            match saver.append(batch(0, number)) {
                Ok(()) => acknowledged += 1,
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::Io, "{kind}: {e}");
                    failed += 1;
                    break;
                }
            }
        }
        // (Packed rows are small, and may all fit.)
        assert!(failed == 1 || kind.starts_with("packed"), "{kind}: the disk was not full");
        assert!(acknowledged > 0, "{kind}");
        let found = batches(&saver.load().unwrap_or_else(|e| panic!("{kind}: {e}")));
        assert_eq!(found, (0..acknowledged).collect::<Vec<_>>(), "{kind}");
        // With room again, the same saver goes on.
        let grown = Command::new("mount").args(["-o", "remount,size=10m"]).arg(&at).status().is_ok_and(|s| s.success());
        assert!(grown);
        saver.append(batch(0, acknowledged)).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(batches(&saver.load().unwrap()).len() as i64, acknowledged + 1);
    }
}
