//! Trees that ranks share, with threads as ranks: 1 to 7 of them, each case within 10 s.

mod datasets;
mod faults;

use memh5::distributed::{CommRef, ThreadComm};
use memh5::{Error, MemGroup, Result};
use std::sync::mpsc;
use std::time::Duration;

/// Runs a program as so many ranks, each with the root of a tree that they share; it has 10 s.
fn each<T: Send + 'static>(ranks: usize, program: impl Fn(MemGroup, CommRef) -> Result<T> + Send + Sync + 'static) -> Vec<Result<T>> {
    let (done, results) = mpsc::channel();
    std::thread::spawn(move || {
        let all = ThreadComm::run_each(ranks, |comm| program(MemGroup::distributed(comm.clone()), comm));
        let _ = done.send(all);
    });
    results.recv_timeout(Duration::from_secs(10)).unwrap_or_else(|e| panic!("{ranks} ranks hang, or died: {e}")).expect("ranks")
}

/// The same on 1 to 7 ranks, where every rank must succeed.
fn all(program: impl Fn(MemGroup, CommRef) -> Result<()> + Send + Sync + Copy + 'static) {
    for ranks in 1..=7 {
        for (rank, result) in each(ranks, program).into_iter().enumerate() {
            result.unwrap_or_else(|e| panic!("rank {rank} of {ranks}: {e}"));
        }
    }
}

/// The one error of all ranks.
fn same_error<T>(results: Vec<Result<T>>) -> Error {
    let errors: Vec<Error> = results.into_iter().map(|r| r.err().expect("every rank fails")).collect();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.iter().all(|t| *t == texts[0]), "the errors differ: {texts:#?}");
    errors.into_iter().next().expect("a rank")
}
