//! Runs cases on all ranks, and lets them agree about each.

use crate::ranks::Case;
use memh5::distributed::agree::watch;
use memh5::distributed::{CommRef, Mpi};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How long a case may take: a minute, or `MEMH5_CASE_SECONDS`, for ranks that wait for a core. Those that move many GiB (`MEMH5_LONG`) take their time.
fn limit() -> Duration {
    let said = std::env::var("MEMH5_CASE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(said.unwrap_or(if std::env::var_os("MEMH5_LONG").is_some() { 900 } else { 60 }))
}

/// Runs the cases whose names contain an argument; all without arguments. Returns the exit code.
pub fn run(cases: &[Case]) -> i32 {
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mpi = Mpi::start().expect("MPI starts");
    let world = mpi.world().expect("the world has a communicator");
    let start = Instant::now();
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, case) in cases {
        let name = name.split_once("::").map_or(*name, |(_, name)| name);
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        let begin = Instant::now();
        let bad = run_one(&world, name, *case);
        if world.rank() == 0 {
            let seconds = begin.elapsed().as_secs_f64();
            let slow = if seconds > 1.0 { format!(" ({seconds:.1} s)") } else { String::new() };
            println!("test {name} ... {}{slow}", if bad.is_empty() { "ok" } else { "FAILED" });
            bad.iter().for_each(|line| println!("    {line}"));
        }
        if bad.is_empty() { passed += 1 } else { failed.push(name) }
    }
    if world.rank() == 0 {
        let result = if failed.is_empty() { "ok" } else { "FAILED" };
        println!(
            "test result: {result}. {passed} passed; {} failed; {} ranks; finished in {:.2}s",
            failed.len(),
            world.size(),
            start.elapsed().as_secs_f64()
        );
    }
    i32::from(!failed.is_empty())
}

/// Runs one case; returns what went wrong, by rank.
fn run_one(world: &CommRef, name: &str, case: fn(&CommRef) -> memh5::Result<()>) -> Vec<String> {
    let _watching = watch(world, limit(), format!("run the test {name}"));
    // A communicator of its own, so that what one case leaves behind does not meet the next.
    let comm = world.split(Some(0), world.rank()).expect("the world can be split").expect("a color was given");
    let outcome = match catch_unwind(AssertUnwindSafe(|| case(&comm))) {
        Ok(Ok(())) => String::new(),
        Ok(Err(error)) => format!("error: {error}"),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            format!("panic: {}", text.unwrap_or_default())
        }
    };
    // Those that wait for a rank that failed wait for ever.
    let _sooner = (!outcome.is_empty()).then(|| watch(world, Duration::from_secs(10), format!("run the test {name}: {outcome}")));
    let outcomes = world.all_gather(outcome.as_bytes()).expect("the ranks tell how it went");
    let told = outcomes.iter().enumerate().filter(|(_, outcome)| !outcome.is_empty());
    told.map(|(rank, outcome)| format!("rank {rank}: {}", String::from_utf8_lossy(outcome))).collect()
}
