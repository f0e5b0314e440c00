//! Random programs of tree operations, run in lock step on every backend and on a simple model: each operation gives the same on all
//! of them, result or kind of error; at the end the trees are equal, and those in files also after they were opened again.

mod machine;
mod program;
mod ranks;
mod simple;

use machine::{Machine, Outcome, dtypes, picture};
use memh5::contract::{Backend, Fresh};
use memh5::{DType, MemGroup, prelude::*};
use program::Op;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use simple::Simple;
use std::cell::Cell;

#[path = "../backends/mod.rs"]
mod backends;

/// Cases of each run; MEMH5_MODEL_CASES asks for more.
fn cases() -> u32 {
    std::env::var("MEMH5_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(150)
}

/// How many operations there were, how many the simple model has predicted, and how many of those succeeded.
#[derive(Default)]
struct Count {
    all: Cell<u64>,
    predicted: Cell<u64>,
    succeeded: Cell<u64>,
}

fn one_more(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

fn run(backends: &[Box<dyn Backend>], program: &[Op], dtypes: &[DType], count: &Count) -> Result<(), TestCaseError> {
    let mut machines: Vec<Machine> = backends.iter().map(|b| Machine::new(&**b, dtypes)).collect();
    let mut simple = Simple::new(dtypes);
    for (at, op) in program.iter().enumerate() {
        let outcomes: Vec<Outcome> = machines.iter_mut().map(|m| m.run(op)).collect();
        for (m, outcome) in machines.iter().zip(&outcomes).skip(1) {
            prop_assert_eq!(outcome, &outcomes[0], "step {} {:?}: {} and {} differ", at, op, m.backend.name(), machines[0].backend.name());
        }
        one_more(&count.all);
        if let Some(wanted) = simple.run(op) {
            one_more(&count.predicted);
            if outcomes[0].is_ok() {
                one_more(&count.succeeded);
            }
            prop_assert_eq!(&outcomes[0], &wanted, "step {} {:?}: {} and the model differ", at, op, machines[0].backend.name());
        }
    }
    let fail = |e: memh5::Error| TestCaseError::fail(format!("{e:?}"));
    let first = picture(&machines[0].root).map_err(fail)?;
    for m in &machines[1..] {
        prop_assert_eq!(&picture(&m.root).map_err(fail)?, &first, "the trees differ at the end: {}", m.backend.name());
    }
    let mut first = None;
    for m in &mut machines {
        let again = m.run(&Op::Reopen).map_err(|e| TestCaseError::fail(format!("reopen {}: {e:?}", m.backend.name())))?;
        let first = first.get_or_insert_with(|| again.clone());
        prop_assert_eq!(&again, &*first, "the trees differ after they were opened again: {}", m.backend.name());
    }
    Ok(())
}

#[test]
fn backends_run_in_lock_step() {
    lock_step(backends::others(), cases(), |op| op);
}

/// Programs without links and references, of which stores have none.
#[test]
#[cfg(feature = "zarr")]
fn stores_run_in_lock_step() {
    lock_step(backends::zarr::all(), (cases() / 2).max(1), Op::without_links);
}

fn lock_step(others: Vec<Box<dyn Backend>>, cases: u32, adapt: fn(Op) -> Op) {
    let dtypes = dtypes();
    let memory: Box<dyn Backend> = Box::new(Fresh::new("memory", || Ok(MemGroup::new().to_ref())));
    let mut all = vec![memory];
    all.extend(others);
    println!("lock step of {:?}", all.iter().map(|b| b.name()).collect::<Vec<_>>());
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() });
    let program = prop::collection::vec(program::op(dtypes.len()).prop_map(adapt), 60);
    let count = Count::default();
    if let Err(e) = runner.run(&program, |program| run(&all, &program, &dtypes, &count)) {
        panic!("{e}");
    }
    let (all, predicted, succeeded) = (count.all.get(), count.predicted.get(), count.succeeded.get());
    println!("{all} operations, {predicted} predicted by the model, {succeeded} of them successful");
    assert!(2 * predicted > all && 3 * succeeded > predicted, "the model or the programs are too weak");
}
