//! The contract of the waist on a tree that MPI ranks share. (On threads it is checked by `tests/contract.rs`.)

use memh5::contract::{self, Backend, Capabilities};
use memh5::distributed::{CommRef, MpiComm};
use memh5::tree::GroupRef;
use memh5::{MemGroup, Result, prelude::*};

crate::cases![the_contract_is_kept];

struct Shared(CommRef);

impl Backend for Shared {
    fn name(&self) -> String {
        format!("memory, rank {} of {}", self.0.rank(), self.0.size())
    }
    fn fresh(&self) -> Result<GroupRef> {
        Ok(MemGroup::distributed(self.0.clone()).to_ref())
    }
    fn capabilities(&self) -> Capabilities {
        let mut has = Capabilities::MEMORY;
        has.threads_make = self.0.size() == 1;
        has
    }
}

/// Each promise is checked on all ranks at once.
fn the_contract_is_kept(comm: &CommRef) -> Result<()> {
    if comm.as_any().is::<MpiComm>() {
        let report = contract::run_all(&Shared(comm.clone()));
        assert!(report.is_kept(), "{report}");
    }
    Ok(())
}
