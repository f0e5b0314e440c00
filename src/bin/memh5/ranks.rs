//! `memh5 copy --distributed`: all ranks of an MPI job copy a file together.

use crate::transfer::Plan;
use crate::{Outcome, args};
use memh5::Result;

/// Copies a file on all ranks. Rank 0 tells what happened.
#[cfg(feature = "mpi")]
pub fn run(args: &args::Copy, plan: Plan) -> Result<Outcome> {
    let mpi = memh5::distributed::Mpi::start()?;
    let world = mpi.world()?;
    let first = world.rank() == 0;
    let copied = copy(args, &plan, &world);
    if first {
        match &copied {
            Ok(report) => {
                report.lost.iter().for_each(|n| eprintln!("memh5: not copied as it was: {}", memh5::tree::visible(&n.to_string())))
            }
            // The same error on every rank: told once, and before a rank that ends with a failure makes mpirun end the others.
            Err(error) => crate::complain(error.clone().during("copy the file")),
        }
    }
    world.barrier()?;
    Ok(if copied.is_ok() { Outcome::Done } else { Outcome::ToldElsewhere })
}

#[cfg(feature = "mpi")]
fn copy(args: &args::Copy, plan: &Plan, world: &memh5::distributed::CommRef) -> Result<memh5::copy::CopyReport> {
    use crate::transfer::{check_target, pair};
    use memh5::distributed::{Agreement, Call, Hints};
    use memh5::{Error, ErrorKind, prelude::*};
    let mut hints = Hints::new();
    for text in &args.distributed {
        let (object, axis) = pair(text, "--distributed", "OBJECT=AXIS")?;
        let axis = axis.trim().parse().map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, format!("--distributed takes OBJECT=AXIS, and '{axis}' is no number of an axis"))
        })?;
        hints = hints.distribute(object, axis);
    }
    Agreement::new(world.clone()).confirm(Call::new("check the target"), check_target(&args.target, args.overwrite))?;
    let (tree, loaded) = plan.reading().hints(hints).load_distributed(&args.source, world)?;
    let mut report = plan.storing(&tree.to_ref())?.save(&tree, &args.target)?;
    report.lost.extend(loaded.lost);
    Ok(report)
}

/// Says that this build cannot.
#[cfg(not(feature = "mpi"))]
pub fn run(_args: &args::Copy, _plan: Plan) -> Result<Outcome> {
    let error =
        memh5::Error::new(memh5::ErrorKind::Unsupported, "--distributed spreads datasets over MPI ranks, and this build has no MPI");
    Err(error.remedy("build memh5 with the feature 'mpi' (make target/mpi/debug/memh5), and run it by mpirun"))
}
