//! Trees that threads share as ranks, where a rank is lost. What is the same for all ranks is in `tests/ranks/`.

use memh5::distributed::{Checks, CommRef, Terms, ThreadComm};
use memh5::{ErrorKind, MemGroup, Result, prelude::*};
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
            let before = root.keys()?;
            let result = match comm.rank() {
                1 => root.create_dataset("n/x").write(Panics),
                _ => root.create_dataset("n/x").write(vec![1.0]),
            };
            assert_eq!(root.keys()?, before);
            result
        });
        for (rank, result) in results.into_iter().enumerate() {
            let error = result.expect_err("every rank fails");
            assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(1)), "rank {rank}: {error}");
            assert!(error.to_string().contains("out of luck"), "{error}");
        }
    }
}

#[test]
fn a_rank_that_is_lost_between_calls() {
    for ranks in 2..=4 {
        for early in [true, false] {
            let results = each(ranks, move |root, comm| {
                if early {
                    assert!(comm.rank() != 1, "lost early");
                }
                let made = root.create_distributed("x").shape([9]).create().map(drop);
                assert!(early || comm.rank() != 1, "lost late");
                let before = root.keys()?;
                let next = made.and_then(|()| root.redistribute("x", 0).and_then(|_| root.delete("x")));
                assert_eq!(root.keys()?, before);
                next
            });
            for (rank, result) in results.into_iter().enumerate() {
                let error = result.expect_err("every rank fails");
                assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(1)), "rank {rank}: {error}");
                assert!(error.to_string().contains("lost"), "{error}");
            }
        }
    }
}

#[test]
fn a_rank_that_does_not_come() {
    for ranks in 2..=3 {
        let results = each(ranks, |root, comm| {
            use std::time::Duration;
            root.set_terms(Terms::default().deadline(Duration::from_millis(300)))?;
            root.create_group("a")?;
            if comm.rank() == 1 {
                std::thread::sleep(Duration::from_millis(900));
            }
            let late = root.create_group("b");
            assert_eq!(root.keys()?, ["a"]);
            late
        });
        for result in results {
            assert_eq!(result.expect_err("every rank fails").kind(), ErrorKind::Collective);
        }
    }
}

#[test]
fn without_the_check_nothing_is_compared() {
    let results = each(3, |root, comm| {
        root.set_terms(Terms::default().checks(Checks::Off))?;
        // What no correct program does: it shows that nothing communicates.
        if comm.rank() == 1 {
            root.create_group("only here")?;
        }
        root.len()
    });
    assert_eq!(results.into_iter().map(|r| r.unwrap()).collect::<Vec<_>>(), [0, 1, 0]);
}
