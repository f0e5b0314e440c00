//! `kill -9` at random moments of a save over an existing file.

use crate::{TARGET, names, tree, writer};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const ROUNDS: u64 = 200;

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

#[test]
fn kill_at_random_moments_leaves_the_old_or_the_new() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join(TARGET);
    tree::make(0).to_file(&target).unwrap();
    // How long a save takes here and now.
    let begin = Instant::now();
    tree::make(0).to_file(&target).unwrap();
    let save = begin.elapsed().as_micros() as u64;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    println!("seed {seed}, a save takes {save} us");
    let mut random = Random(seed);

    let (mut version, mut new, mut rubbish) = (0, 0, 0);
    for round in 0..ROUNDS {
        let mut child = writer(&target, version + 1, None).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut begun = None;
        let mut said = version;
        let mut deadline = None;
        let (sender, receiver) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        // The clock runs from the first word of the writer; it is killed in its first or second save.
        loop {
            let wait = deadline.map_or(Duration::from_secs(30), |d: Instant| d.saturating_duration_since(Instant::now()));
            match receiver.recv_timeout(wait) {
                Ok(line) if line.contains("@begin ") => {
                    begun = begun.or(Some(()));
                    deadline = deadline.or(Some(Instant::now() + Duration::from_micros(random.next() % (save * 2))));
                }
                Ok(line) if line.contains("@saved ") => said = line.split_once("@saved ").unwrap().1.parse().unwrap(),
                Ok(line) => assert!(!line.contains("@failed"), "round {round}: {line}"),
                Err(_) => break,
            }
            if deadline.is_some_and(|d| Instant::now() >= d) {
                break;
            }
        }
        assert!(begun.is_some(), "round {round}: the writer did not begin");
        child.kill().unwrap();
        child.wait().unwrap();
        reader.join().unwrap();
        // What it said before it died, and we had not read yet.
        for line in receiver.try_iter() {
            if let Some((_, v)) = line.split_once("@saved ") {
                said = v.parse().unwrap();
            }
            assert!(!line.contains("@failed"), "round {round}: {line}");
        }
        let found = tree::version_of(&target).unwrap_or_else(|e| panic!("round {round}, seed {seed}: {e}"));
        assert!(found == said || found == said + 1, "round {round}, seed {seed}: version {found} is there, {said} was reported");
        new += u64::from(found > version);
        rubbish += u64::from(names(dir.path()).len() > 1);
        version = found;
        // Now and then a save in between: no cleaning is needed, and nothing is left. (Most rounds the next writer shows it.)
        if round % 20 == 19 {
            version += 1;
            tree::make(version).to_file(&target).unwrap_or_else(|e| panic!("round {round}, seed {seed}: {e}"));
            assert_eq!(names(dir.path()), [TARGET]);
        }
    }
    println!("{ROUNDS} kills: {new} after at least one publication, {rubbish} in the middle of one");
    // The harness did hit what it aims at.
    assert!(rubbish >= ROUNDS / 4, "only {rubbish} of {ROUNDS} kills hit a save");
    assert!(new >= ROUNDS / 20, "only {new} of {ROUNDS} writers got as far as to publish");
}
