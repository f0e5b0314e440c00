//! `memh5 copy --distributed`: all ranks of an MPI job copy a file together.

use crate::{Outcome, args};
use memh5::Result;
use std::process::ExitCode;
use std::time::Duration;

/// Copies a file on all ranks. Rank 0 tells what happened.
#[cfg(feature = "mpi")]
pub fn run(args: &args::Copy) -> Result<Outcome> {
    let mpi = memh5::distributed::Mpi::start()?;
    let world = mpi.world()?;
    let first = world.rank() == 0;
    let copied = copy(args, &world);
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
fn copy(args: &args::Copy, world: &memh5::distributed::CommRef) -> Result<memh5::copy::CopyReport> {
    use crate::transfer::{Plan, check_target, pair};
    use memh5::distributed::{Agreement, Call, Hints};
    use memh5::{Error, ErrorKind, prelude::*};
    // What is wrong with the command line is found by all ranks alike.
    let plan = Plan::new(&args.storage, &args.select)?;
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
pub fn run(_args: &args::Copy) -> Result<Outcome> {
    let error =
        memh5::Error::new(memh5::ErrorKind::Unsupported, "--distributed spreads datasets over MPI ranks, and this build has no MPI");
    Err(error.remedy("build memh5 with the feature 'mpi' (make target/mpi/debug/memh5), and run it by mpirun"))
}

/// Tells what is wrong with the command line: once, where the process is one of the ranks that `mpirun` has started with it.
pub fn refuse(error: &clap::Error) -> ExitCode {
    // The variables of Open MPI, and of MPICH and its kin.
    let rank = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"].iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
    if rank.unwrap_or(0) == 0 {
        // Nobody could be told that it cannot be printed.
        let _ = error.print();
    } else {
        // The first rank that ends with a failure makes mpirun end the others: that of them which tells is to be done.
        std::thread::sleep(Duration::from_millis(500));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
