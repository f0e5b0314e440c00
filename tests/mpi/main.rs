//! The suites of the ranks, and those of MPI alone, in a program that runs under `mpirun`.
//!
//! `MEMH5_RANKS=3 cargo test --features mpi --test mpi --config "target.'cfg(unix)'.runner='scripts/mpirun.sh'" [-- NAME..]`
//!
//! A test fails if it panics or returns an error on any rank. A rank that leaves the others waiting ends the job, after
//! a minute.

#[path = "../ranks/mod.rs"]
mod ranks;
mod runner;
mod suites;

fn main() {
    let mut cases = ranks::all();
    cases.extend(suites::all());
    std::process::exit(runner::run(&cases));
}
