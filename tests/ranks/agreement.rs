//! The agreement about collective calls, where all ranks come back from them.

use memh5::distributed::{Agreement, Call, Checks, CommRef, Terms};
use memh5::{DType, Error, ErrorKind, Result};
use std::error::Error as _;
use std::time::Duration;

crate::cases![
    equal_calls_do_the_work,
    calls_that_differ_are_named,
    calls_of_another_order,
    calls_of_another_number,
    a_failure_is_the_same_error_on_all_ranks,
    a_failure_on_all_ranks_stays_as_it_is,
    a_rank_that_skips_a_step_by_an_error,
    nested_calls,
    ranks_that_fail_at_other_depths,
    confirmed_calls,
    terms_are_agreed,
    a_deadline_that_all_keep,
    checks_that_are_off,
    another_communicator,
];

/// Runs a case on a communicator of its own, so that what it does to the calls' numbers is its own too.
fn own(comm: &CommRef) -> Result<Agreement> {
    Ok(Agreement::new(comm.split(Some(0), comm.rank())?.expect("a color was given")))
}

fn call() -> Call {
    Call::new("create the dataset").path("/vis").dtype(&DType::F64).shape(&[10, 4])
}

fn equal_calls_do_the_work(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    for round in 0..5u8 {
        let got = agreement.collective(call().note(round), |step| {
            let local = step.agree(Ok(step.comm().rank() as u8 + round))?;
            Ok(step.comm().all_gather(&[local])?.concat())
        })?;
        assert_eq!(got, (0..comm.size() as u8).map(|rank| rank + round).collect::<Vec<_>>());
    }
    Ok(())
}

fn last_is_odd(comm: &CommRef, agreement: &Agreement, odd: Call) -> Option<Error> {
    let last = comm.rank() == comm.size() - 1;
    let mut worked = false;
    let result = agreement.collective(if last { odd } else { call() }, |_| {
        worked = true;
        Ok(())
    });
    if comm.size() == 1 {
        result.unwrap();
        return None;
    }
    assert!(!worked);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(comm.size() - 1)), "{error}");
    Some(error)
}

fn calls_that_differ_are_named(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let odd = [
        Call::new("read").path("/vis").dtype(&DType::F64).shape(&[10, 4]),
        Call::new("create the dataset").path("/weights").dtype(&DType::F64).shape(&[10, 4]),
        Call::new("create the dataset").path("/vis").dtype(&DType::F32).shape(&[10, 4]),
        Call::new("create the dataset").path("/vis").dtype(&DType::F64).shape(&[10, 5]),
        Call::new("create the dataset").path("/vis").dtype(&DType::F64).shape(&[10, 4]).note("axis 1"),
    ];
    for odd in odd {
        if let Some(error) = last_is_odd(comm, &agreement, odd.clone()) {
            let expected = format!("rank {} calls '{odd}' where rank 0 calls '{}'", comm.size() - 1, call());
            assert_eq!(error.message(), expected);
            // The same sentence everywhere.
            let others = comm.all_gather(error.to_string().as_bytes())?;
            assert!(others.iter().all(|other| *other == others[0]));
        }
    }
    // All is well afterwards.
    agreement.collective(call(), |step| step.comm().barrier())
}

fn calls_of_another_order(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let calls = [Call::new("read").path("/a"), Call::new("read").path("/b")];
    for turn in 0..2 {
        let index = if comm.rank() == 0 { turn } else { 1 - turn };
        let result = agreement.collective(calls[index].clone(), |_| Ok(()));
        assert_eq!(result.is_err(), comm.size() > 1);
    }
    agreement.collective(call(), |_| Ok(()))
}

fn calls_of_another_number(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    // One rank has made a call that was not checked.
    agreement.set_terms(Terms::default().checks(Checks::Off))?;
    if comm.rank() == 0 {
        agreement.collective(call(), |_| Ok(()))?;
    }
    if comm.size() > 1 {
        let error = agreement.set_terms(Terms::default()).unwrap_err();
        assert_eq!((error.kind(), error.rank()), (ErrorKind::Collective, Some(1)));
        assert_eq!(error.message(), "rank 1 makes its collective call number 2, rank 0 number 3");
        // Now they count alike again.
        agreement.set_terms(Terms::default())?;
    }
    Ok(())
}

fn a_failure_is_the_same_error_on_all_ranks(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let (rank, size) = (comm.rank(), comm.size());
    if size == 1 {
        return Ok(());
    }
    for bad in 0..size {
        for agreed in [false, true] {
            let result = agreement.collective(call(), |step| {
                let local = if rank == bad { Err(Error::new(ErrorKind::Io, "no space").in_file("x.h5")) } else { Ok(rank) };
                let value = if agreed { step.agree(local)? } else { local? };
                assert!(!agreed, "nobody goes on");
                Ok(value)
            });
            let error = result.unwrap_err();
            assert_eq!((error.kind(), error.rank(), error.path()), (ErrorKind::Collective, Some(bad), Some("/vis")));
            let cause = error.source().unwrap().downcast_ref::<Error>().unwrap();
            assert_eq!((cause.kind(), cause.message()), (ErrorKind::Io, "no space"));
            assert_eq!(
                error.to_string(),
                format!("cannot create the dataset: it failed on rank {bad} [object '/vis', rank {bad}]: no space [file \"x.h5\"]")
            );
        }
    }
    // Two ranks, two causes: the first is told.
    let error = agreement.collective(call(), |_| match rank {
        0 => Err(Error::new(ErrorKind::Io, "one")),
        1 => Err(Error::new(ErrorKind::Io, "two")),
        _ => Ok(()),
    });
    assert_eq!(error.unwrap_err().rank(), Some(0));
    Ok(())
}

fn a_failure_on_all_ranks_stays_as_it_is(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let error = agreement.collective(call(), |_| Err::<(), _>(Error::new(ErrorKind::NotFound, "no such thing"))).unwrap_err();
    assert_eq!((error.kind(), error.rank()), (ErrorKind::NotFound, None));
    Ok(())
}

fn a_rank_that_skips_a_step_by_an_error(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let result = agreement.collective(call(), |step| {
        step.agree(Ok(()))?;
        if comm.rank() == 0 {
            return Err(Error::new(ErrorKind::Shape, "too long"));
        }
        step.agree(Ok(()))?;
        step.agree(Ok(()))
    });
    let expected = if comm.size() == 1 { (ErrorKind::Shape, None) } else { (ErrorKind::Collective, Some(0)) };
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.rank()), expected);
    agreement.collective(call(), |_| Ok(()))
}

fn nested_calls(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let result = agreement.collective(Call::new("save"), |_| {
        agreement.collective(call(), |step| step.agree(Ok(())))?;
        agreement.collective(Call::new("write").path("/vis"), |_| {
            if comm.rank() + 1 == comm.size() { Err(Error::new(ErrorKind::Dtype, "no number")) } else { Ok(()) }
        })
    });
    let error = result.unwrap_err();
    // The inner error is the outer one: all ranks have it.
    assert_eq!(error.path(), if comm.size() == 1 { None } else { Some("/vis") }, "{error}");
    agreement.collective(call(), |_| Ok(()))
}

fn ranks_that_fail_at_other_depths(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let result = agreement.collective(Call::new("save"), |step| {
        step.agree(Ok(()))?;
        if comm.rank() == 0 {
            return Err(Error::new(ErrorKind::Shape, "too long"));
        }
        // The others are in a call within the call, try another when it fails, and one more step.
        let inner = agreement.collective(Call::new("write").path("/vis"), |step| step.agree(Ok(())));
        if comm.size() > 1 {
            inner.unwrap_err();
            agreement.collective(call(), |_| Ok(())).unwrap_err();
            step.agree(Ok(())).unwrap_err();
        }
        Ok(())
    });
    result.unwrap_err();
    agreement.collective(call(), |step| step.comm().barrier())
}

fn confirmed_calls(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    assert_eq!(agreement.confirm(call(), Ok(comm.rank()))?, comm.rank());
    let local = if comm.rank() == 0 { Err(Error::new(ErrorKind::Shape, "too long")) } else { Ok(()) };
    let error = agreement.confirm(call(), local).unwrap_err();
    assert_eq!(error.kind(), if comm.size() == 1 { ErrorKind::Shape } else { ErrorKind::Collective });
    Ok(())
}

fn terms_are_agreed(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    let terms = Terms::default().checks(Checks::Failures);
    agreement.set_terms(terms)?;
    assert_eq!(agreement.terms(), terms);
    let other = if comm.rank() == 0 { Terms::default() } else { terms };
    assert_eq!(agreement.set_terms(other).is_err(), comm.size() > 1);
    if comm.size() > 1 {
        assert_eq!(agreement.terms(), terms);
    }
    Ok(())
}

fn a_deadline_that_all_keep(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    agreement.set_terms(Terms::default().deadline(Duration::from_secs(30)))?;
    for _ in 0..10 {
        agreement.collective(call(), |step| step.agree(Ok(())))?;
    }
    Ok(())
}

fn checks_that_are_off(comm: &CommRef) -> Result<()> {
    let agreement = own(comm)?;
    agreement.set_terms(Terms::default().checks(Checks::Failures))?;
    agreement.collective(call().note(comm.rank()), |_| Ok(()))?;
    let failed = agreement.collective(call(), |_| if comm.rank() == 0 { Err(Error::new(ErrorKind::Io, "")) } else { Ok(()) });
    failed.unwrap_err();
    agreement.set_terms(Terms::default().checks(Checks::Off))?;
    agreement.collective(call().note(comm.rank()), |_| Ok(()))?;
    let failed = agreement.collective(call(), |_| if comm.rank() == 0 { Err(Error::new(ErrorKind::Io, "")) } else { Ok(()) });
    assert_eq!(failed.is_err(), comm.rank() == 0);
    agreement.set_terms(Terms::default())
}

fn another_communicator(comm: &CommRef) -> Result<()> {
    let (agreement, other) = (own(comm)?, own(comm)?);
    agreement.same_communicator(agreement.comm())?;
    assert_eq!(agreement.same_communicator(other.comm()).unwrap_err().kind(), ErrorKind::InvalidArgument);
    Ok(())
}
