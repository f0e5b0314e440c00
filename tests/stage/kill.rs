//! `kill -9` at random moments of a session that writes stages: the first ones of a cache, later ones, and ones that overwrite.
#![cfg(all(feature = "hdf5", unix))]

use crate::data::{rows, source};
use crate::safety::names;
use memh5::stage::*;
use memh5::tree::Mode;
use memh5::{Error, ErrorKind, Result, format};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ROUNDS: u64 = 100;

/// Random numbers of a simple kind (xorshift); the seed is printed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A stage whose every value tells the version.
fn batches(version: u64) -> Vec<Batch> {
    let part = |part: u64| {
        let first = (version * 10 + part) as usize;
        let events: Vec<usize> = (first..first + 20).collect();
        Batch::new(20)
            .with_source(&source())
            .unwrap()
            .with("version", version as i64)
            .unwrap()
            .with("hits", events.iter().map(|e| rows(*e, 200 + e % 7, 5)).collect::<Vec<_>>())
            .unwrap()
            .with("clusters", events.iter().map(|e| (0..5).map(|i| rows(*e, i, 3)).collect::<Vec<_>>()).collect::<Vec<_>>())
            .unwrap()
            .with("label", events.iter().map(|e| format!("version {version}, event {e}")).collect::<Vec<_>>())
            .unwrap()
    };
    (0..3).map(part).collect()
}

/// The version of a complete stage, every value of it checked.
fn version_of(path: &Path, stage: &str) -> Result<u64> {
    let reader = StageReader::builder().stage(stage).verify(true).open([path])?;
    let version = reader.get(0)?.get::<i64>("version")? as u64;
    let wrong = |what: String| Error::new(ErrorKind::Corrupt, format!("stage {stage} is not the whole of version {version}: {what}"));
    let mut entry = 0;
    for batch in batches(version) {
        for event in 0..batch.events() {
            let got = reader.get(entry)?;
            for (key, product) in batch.products().filter(|(k, _)| *k != INDEX && !k.starts_with("source_file")) {
                if got.value(key) != Some(&product.event(event)?) {
                    return Err(wrong(format!("{key} of entry {entry}")));
                }
            }
            entry += 1;
        }
    }
    if entry == reader.len() { Ok(version) } else { Err(wrong(format!("{} entries", reader.len()))) }
}

/// What is in a cache: the complete stages with their versions. Nothing else may be there.
fn content(path: &Path) -> Vec<(String, u64)> {
    if !path.exists() {
        return Vec::new();
    }
    let root = format::open(path, Mode::Read).unwrap_or_else(|e| panic!("{e}"));
    let stages = list_stages(&*root).unwrap_or_else(|e| panic!("{e}"));
    root.close_tree().unwrap();
    stages
        .into_iter()
        .map(|c| {
            assert_eq!(c.info.status, StageStatus::Complete, "a stage that is not complete shows: {}", c.info.name);
            let version = version_of(path, &c.info.name).unwrap_or_else(|e| panic!("{e}"));
            (c.info.name, version)
        })
        .collect()
}

/// A whole session.
fn write(path: &Path, version: u64, stages: u64) {
    let stage = format!("s{}", version % stages);
    let mut writer = StageHdf5Writer::builder().file_name(path).stage(&stage).overwrite_stage(true).flush_frequency(20).build().unwrap();
    batches(version).iter().for_each(|b| writer.write(b).unwrap());
    writer.finalize().unwrap();
}

/// Not a test by itself: the writer. It writes a stage after the other, says what it begins, and what is finalized.
#[test]
fn child() {
    let Some(path) = std::env::var_os("MEMH5_STAGE_TARGET").map(PathBuf::from) else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (first, stages) = (number("MEMH5_STAGE_FIRST"), number("MEMH5_STAGE_COUNT"));
    for version in first.. {
        println!("@begin {version}");
        write(&path, version, stages);
        println!("@done {version}");
    }
}

/// Kills writers at random moments. `stages`: how many names there are; with one, each version overwrites the last.
fn rounds(stages: u64, fresh: bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run_stage.h5");
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    let mut random = Random(seed);
    let (mut next, mut killed_inside, mut published) = (0u64, 0u64, 0u64);
    // How long a session takes here and now; the first words of a new process take longer.
    let begin = Instant::now();
    write(&dir.path().join("trial.h5"), 0, 1);
    let mut took = begin.elapsed() * 2;
    std::fs::remove_file(dir.path().join("trial.h5")).unwrap();
    let mut before = Vec::new();
    for round in 0..ROUNDS {
        if fresh {
            let _ = std::fs::remove_file(&path);
            before.clear();
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill::child", "--exact", "--nocapture", "--test-threads=1"])
            .env("MEMH5_STAGE_TARGET", &path)
            .env("MEMH5_STAGE_FIRST", next.to_string())
            .env("MEMH5_STAGE_COUNT", stages.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let out = child.stdout.take().unwrap();
        let reader =
            std::thread::spawn(move || BufReader::new(out).lines().map_while(std::result::Result::ok).for_each(|l| drop(sender.send(l))));
        let (mut deadline, mut begun, mut done) = (None, None, Vec::new());
        loop {
            let wait = deadline.map_or(Duration::from_secs(60), |d: Instant| d.saturating_duration_since(Instant::now()));
            match receiver.recv_timeout(wait) {
                Ok(line) => {
                    if let Some((_, v)) = line.split_once("@begin ") {
                        begun = Some((v.parse::<u64>().unwrap(), Instant::now()));
                        // The clock runs from the first word on.
                        deadline = deadline
                            .or_else(|| Some(Instant::now() + Duration::from_micros(random.next() % (took.as_micros() as u64 * 3))));
                    } else if let Some((_, v)) = line.split_once("@done ") {
                        done.push(v.parse::<u64>().unwrap());
                        took = (took + begun.unwrap().1.elapsed()) / 2;
                    }
                }
                Err(_) => break,
            }
            if deadline.is_some_and(|d| Instant::now() >= d) {
                break;
            }
        }
        assert!(deadline.is_some(), "round {round}: the writer did not begin");
        child.kill().unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
        for line in receiver.try_iter() {
            if let Some((_, v)) = line.split_once("@begin ") {
                begun = Some((v.parse::<u64>().unwrap(), Instant::now()));
            } else if let Some((_, v)) = line.split_once("@done ") {
                done.push(v.parse::<u64>().unwrap());
            }
        }
        // All that was reported is there; the last one may be there without a report. Nothing else has changed.
        let after = content(&path);
        let mut wanted: std::collections::BTreeMap<String, u64> = before.drain(..).collect();
        wanted.extend(done.iter().map(|v| (format!("s{}", v % stages), *v)));
        let told: Vec<(String, u64)> = wanted.clone().into_iter().collect();
        let last = begun.unwrap().0;
        wanted.insert(format!("s{}", last % stages), last);
        let more: Vec<(String, u64)> = wanted.into_iter().collect();
        assert!(after == told || after == more, "round {round}, seed {seed}: {after:?} is there, {told:?} was told, {last} was begun");
        killed_inside += u64::from(names(&dir).len() > 1);
        published += u64::from(!done.is_empty());
        next = last + 1;
        before = after;
        // The next session needs no help, and clears away what was left.
        if round % 10 == 9 {
            write(&path, next, stages);
            before = content(&path);
            assert_eq!(names(&dir), ["run_stage.h5"]);
            next += 1;
        }
    }
    println!("{ROUNDS} kills, seed {seed}: {killed_inside} in the middle of a stage, {published} after at least one was finalized");
    assert!(killed_inside >= ROUNDS / 4, "only {killed_inside} kills hit a stage");
    assert!(published >= ROUNDS / 20, "only {published} writers finalized a stage");
}

#[test]
fn kill_in_the_first_stages_of_a_cache() {
    rounds(1000, true);
}

#[test]
fn kill_in_later_stages_of_a_cache() {
    rounds(7, false);
}

#[test]
fn kill_while_a_stage_is_overwritten() {
    rounds(1, false);
}
