//! The same programs on a tree that ranks share, in lock step with a tree of one process; now and then one rank does something else.

use crate::machine::{Machine, dtypes, picture};
use crate::program::{self, Op};
use memh5::contract::{Backend, Capabilities, Fresh};
use memh5::distributed::{CommRef, ThreadComm};
use memh5::tree::GroupRef;
use memh5::{ErrorKind, MemGroup, Result, prelude::*};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

struct Shared(CommRef);

impl Backend for Shared {
    fn name(&self) -> String {
        format!("rank {}", self.0.rank())
    }
    fn fresh(&self) -> Result<GroupRef> {
        Ok(MemGroup::distributed(self.0.clone()).to_ref())
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEMORY
    }
}

/// True for what is collective from its first check on.
fn is_collective(op: &Op) -> bool {
    matches!(
        op,
        Op::CreateGroup { .. }
            | Op::CreateDataset { .. }
            | Op::CreateNull { .. }
            | Op::Commit { .. }
            | Op::LinkHard { .. }
            | Op::LinkSoft { .. }
            | Op::Delete { .. }
            | Op::Rename { .. }
    )
}

/// Runs programs on one rank; every rank draws the same ones. Returns how often the ranks did different things, and all had the error.
fn programs(comm: &CommRef, cases: u32) -> Result<u64> {
    let dtypes = dtypes();
    let (shared, plain) = (Shared(comm.clone()), Fresh::new("memory", || Ok(MemGroup::new().to_ref())));
    let program = prop::collection::vec((program::op(dtypes.len()), program::op(dtypes.len()), prop::bool::weighted(0.2)), 60);
    let mut runner = TestRunner::deterministic();
    let mut refused = 0;
    for case in 0..cases {
        let steps = program.new_tree(&mut runner).expect("a program").current();
        let (mut ours, mut twin) = (Machine::new(&shared, &dtypes), Machine::new(&plain, &dtypes));
        for (at, (op, other, lie)) in steps.iter().enumerate() {
            let place = format!("case {case}, step {at} {op:?}, rank {}", comm.rank());
            let lie = *lie && comm.size() > 1 && is_collective(op) && is_collective(other);
            let before = picture(&ours.root)?;
            let outcome = ours.run(if lie && comm.rank() + 1 == comm.size() { other } else { op });
            if lie && outcome == Err(ErrorKind::Collective) {
                assert_eq!(picture(&ours.root)?, before, "{place}, where the last rank had {other:?}: the tree was not put back");
                refused += 1;
                continue;
            }
            assert_eq!(outcome, twin.run(op), "{place}");
        }
        assert_eq!(picture(&ours.root)?, picture(&twin.root)?, "case {case}: the trees differ at the end");
    }
    Ok(refused)
}

#[test]
fn ranks_run_in_lock_step_with_one_process() {
    for (ranks, share) in [(1, 4), (2, 4), (3, 4), (5, 8)] {
        let refused = ThreadComm::run(ranks, |comm| programs(&comm, (crate::cases() / share).max(1))).expect("the ranks");
        println!("{ranks} ranks: {refused:?} calls refused");
        assert!(ranks == 1 || refused.iter().all(|n| *n > 20 && *n == refused[0]), "{refused:?}");
    }
}
