//! The suites of the ranks on 1 to 7 threads, and what only ranks that are threads can tell. `MEMH5_CASE=name` runs the cases with that in their names.

mod ranks;

use memh5::distributed::{Agreement, Call, CommRef, Number, ReduceOp, SelfComm, Terms, ThreadComm};
use memh5::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn all_suites_on_one_to_seven_threads() {
    let wanted = std::env::var("MEMH5_CASE").unwrap_or_default();
    let mut failed = Vec::new();
    for size in 1..=7 {
        for (name, case) in ranks::all() {
            if name.contains(&wanted)
                && let Err(error) = ThreadComm::run(size, |comm| case(&comm))
            {
                failed.push(format!("{name} on {size} ranks: {error}"));
            }
        }
    }
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn all_suites_on_one_rank_alone() {
    for (name, case) in ranks::all() {
        let comm: CommRef = Arc::new(SelfComm::new());
        if let Err(error) = case(&comm) {
            panic!("{name}: {error}");
        }
    }
}

/// Runs ranks and checks that all end soon, whatever becomes of them.
fn soon<T: Send>(size: usize, f: impl Fn(CommRef) -> Result<T> + Sync) -> Vec<Result<T>> {
    let start = Instant::now();
    let results = ThreadComm::run_each(size, f).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
    results
}

fn rank_of<T: std::fmt::Debug>(result: &Result<T>) -> (ErrorKind, Option<usize>) {
    let error = result.as_ref().unwrap_err();
    (error.kind(), error.rank())
}

type Wait = fn(&CommRef) -> Result<()>;

/// Calls that wait for the other ranks, each in its way.
const WAITS: [(&str, Wait); 9] = [
    ("barrier", |comm| comm.barrier()),
    ("broadcast", |comm| comm.broadcast(&mut vec![1], 1)),
    ("gather", |comm| comm.gather(&[], 0).map(drop)),
    ("all_gather", |comm| comm.all_gather(&[1]).map(drop)),
    ("all_to_all", |comm| comm.all_to_all(&vec![&[][..]; comm.size()]).map(drop)),
    ("all_reduce", |comm| comm.all_reduce(&mut [1], Number::U8, ReduceOp::Sum)),
    ("split", |comm| comm.split(Some(1), 1).map(drop)),
    ("send", |comm| comm.send_recv(Some((1, &[1])), None)),
    ("receive", |comm| comm.send_recv(None, Some((1, &mut [0])))),
];

#[test]
fn a_rank_that_panics_is_named_by_all_that_wait_for_it() {
    for (name, wait) in WAITS {
        let results = soon(4, |comm| {
            if comm.rank() == 1 {
                panic!("out of luck");
            }
            wait(&comm)
        });
        for result in &results {
            assert_eq!(rank_of(result), (ErrorKind::Collective, Some(1)), "{name}");
            assert!(result.as_ref().unwrap_err().to_string().contains("out of luck"), "{name}");
        }
    }
}

#[test]
fn a_rank_that_returns_early_or_fails_is_named() {
    for (name, wait) in WAITS {
        for fails in [false, true] {
            let results = soon(3, |comm| match comm.rank() {
                1 if fails => Err(Error::new(ErrorKind::NotFound, "no such thing")),
                1 => Ok(()),
                _ => wait(&comm),
            });
            assert_eq!(rank_of(&results[0]), (ErrorKind::Collective, Some(1)), "{name}");
            assert_eq!(rank_of(&results[2]), (ErrorKind::Collective, Some(1)), "{name}");
            assert_eq!(results[0].as_ref().unwrap_err().to_string().contains("no such thing"), fails);
        }
    }
}

#[test]
fn the_run_reports_the_first_cause() {
    let failed = ThreadComm::run(5, |comm| {
        if comm.rank() == 3 {
            return Err(Error::new(ErrorKind::NotFound, "no such thing"));
        }
        comm.barrier()
    });
    assert_eq!(rank_of(&failed), (ErrorKind::NotFound, Some(3)));
    assert_eq!(ThreadComm::run(0, |_| Ok(())).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn different_calls_at_the_same_time_name_both() {
    let results = soon(3, |comm| if comm.rank() == 2 { comm.all_gather(&[]).map(drop) } else { comm.barrier() });
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Collective);
        assert!(error.message().contains("barrier") && error.message().contains("all_gather"), "{error}");
    }
    // The root is a part of the call.
    let results = soon(2, |comm| comm.broadcast(&mut Vec::new(), comm.rank()));
    assert!(results.iter().all(|result| rank_of(result).0 == ErrorKind::Collective));
}

#[test]
fn messages_of_another_length_are_an_error_for_both() {
    let results = soon(2, |comm| match comm.rank() {
        0 => comm.send_recv(Some((1, &[1, 2, 3])), None),
        _ => comm.send_recv(None, Some((0, &mut [0; 2]))),
    });
    for result in results {
        assert_eq!(rank_of(&result), (ErrorKind::Collective, Some(0)));
    }
}

#[test]
fn a_poisoned_rank_fails_those_that_wait_for_it() {
    let results = soon(3, |comm| {
        if comm.rank() == 2 {
            comm.poison(Error::new(ErrorKind::Io, "the disk is gone"));
        }
        comm.barrier()
    });
    assert_eq!(rank_of(&results[0]), (ErrorKind::Io, Some(2)));
    assert_eq!(rank_of(&results[1]), (ErrorKind::Io, Some(2)));
}

#[test]
fn late_ranks_are_named_by_all_and_poison_the_communicator() {
    let results = soon(4, |comm| {
        if comm.rank() == 1 || comm.rank() == 3 {
            std::thread::sleep(Duration::from_millis(400));
        }
        let met = comm.rendezvous(Some(Duration::from_millis(if comm.rank() < 2 { 100 } else { 5000 })));
        assert_eq!(comm.barrier().unwrap_err().message(), met.as_ref().unwrap_err().message());
        met
    });
    for result in results {
        assert_eq!(result.unwrap_err().message(), "ranks 1, 3 did not come within the deadline");
    }
}

#[test]
fn an_abort_wakes_all_ranks_on_all_communicators() {
    let results = soon(4, |comm| {
        let pair = comm.split(Some(comm.rank() as u32 / 2), 0)?.unwrap();
        match comm.rank() {
            0 => {
                std::thread::sleep(Duration::from_millis(50));
                comm.abort(Error::new(ErrorKind::Collective, "stuck"));
                comm.barrier()
            }
            1 => pair.barrier(),
            2 => comm.send_recv(None, Some((0, &mut [0]))),
            _ => comm.barrier(),
        }
    });
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().message() == "stuck"));
}

#[test]
fn many_communicators_and_calls_leave_nothing_behind() {
    ThreadComm::run(3, |comm| {
        for _ in 0..3000 {
            let part = comm.split(Some(0), 0)?.ok_or_else(|| Error::new(ErrorKind::Collective, "no part"))?;
            part.barrier()?;
        }
        Ok(())
    })
    .unwrap();
}

/// Where a rank fails within a collective call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Before,
    BeforeTheStep,
    AfterTheStep,
    AtTheEnd,
}

#[test]
fn a_rank_that_panics_anywhere_in_a_collective_call_is_named_by_all() {
    for place in [Place::Before, Place::BeforeTheStep, Place::AfterTheStep, Place::AtTheEnd] {
        for bad in 0..3 {
            let results = soon(3, |comm| {
                let here = |at| assert!(comm.rank() != bad || at != place, "broken at {at:?}");
                let agreement = Agreement::new(comm.clone());
                here(Place::Before);
                agreement.collective(Call::new("save").path("/"), |step| {
                    here(Place::BeforeTheStep);
                    step.agree(Ok(()))?;
                    here(Place::AfterTheStep);
                    step.comm().all_gather(&[1])?;
                    here(Place::AtTheEnd);
                    Ok(())
                })
            });
            for result in results {
                assert_eq!(rank_of(&result), (ErrorKind::Collective, Some(bad)));
                assert!(result.unwrap_err().to_string().contains("broken at"));
            }
        }
    }
}

#[test]
fn a_rank_that_never_comes_is_named_within_the_deadline() {
    let results = soon(4, |comm| {
        let agreement = Agreement::new(comm.clone());
        agreement.set_terms(Terms::default().deadline(Duration::from_millis(200)))?;
        if comm.rank() == 2 {
            std::thread::sleep(Duration::from_millis(700));
            return Ok(());
        }
        let error = agreement.collective(Call::new("save").path("/a"), |_| Ok(())).unwrap_err();
        // It cannot be used any more.
        assert_eq!(agreement.collective(Call::new("save"), |_| Ok(())).unwrap_err().message(), error.message());
        Err(error)
    });
    for (rank, result) in results.iter().enumerate().filter(|(rank, _)| *rank != 2) {
        let error = result.as_ref().unwrap_err();
        assert_eq!(rank_of(result), (ErrorKind::Collective, Some(2)), "{rank}");
        assert_eq!(error.to_string(), "cannot save: rank 2 did not come within the deadline [object '/a', rank 2]");
    }
}

#[test]
fn the_watchdog_wakes_ranks_that_wait_where_nobody_comes() {
    let results = soon(2, |comm| {
        let agreement = Agreement::new(comm.clone());
        agreement.set_terms(Terms::default().watchdog(Some(Duration::from_millis(200))))?;
        agreement.collective(Call::new("exchange"), |step| {
            // Each waits for a message that the other does not send.
            step.comm().send_recv(None, Some((1 - step.comm().rank(), &mut [0])))
        })
    });
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Collective);
        assert!(error.to_string().contains("stuck"), "{error}");
    }
    // Work that ends in time is left alone, and its end stops the clock.
    ThreadComm::run(2, |comm| {
        let agreement = Agreement::new(comm);
        agreement.set_terms(Terms::default().watchdog(Some(Duration::from_millis(100))))?;
        for _ in 0..3 {
            agreement.collective(Call::new("exchange"), |step| step.agree(Ok(())))?;
        }
        std::thread::sleep(Duration::from_millis(250));
        agreement.comm().barrier()
    })
    .unwrap();
}
