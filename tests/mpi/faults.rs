//! What happens when ranks are lost, under real `mpirun`: each case ends within ten seconds, and says why.
//!
//! Without arguments this program starts itself under `mpirun` for each case; a rank knows its case by the environment.

use memh5::distributed::mpi::abort_on_panic;
use memh5::distributed::{Agreement, Call, CommRef, Mpi, MpiComm, Terms};
use memh5::{Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

const CASE: &str = "MEMH5_FAULT";

struct Fault {
    name: &'static str,
    /// What each rank does; what it returns is printed with its rank.
    rank: fn(&CommRef) -> Result<()>,
    /// What every rank but the lost one must print; `None` if the job is ended before anybody can.
    printed: Option<&'static str>,
    /// What the job must say on its standard error.
    said: &'static str,
    succeeds: bool,
}

const FAULTS: &[Fault] = &[
    Fault {
        name: "a panic before the call ends the job",
        rank: panic_before,
        printed: None,
        said: "a panic ended the program",
        succeeds: false,
    },
    Fault {
        name: "a panic before a step is told to all",
        rank: panic_before_the_step,
        printed: Some("rank 1 panicked: out of luck"),
        said: "",
        succeeds: true,
    },
    Fault {
        name: "a panic after the last step is told to all",
        rank: panic_after_the_step,
        printed: Some("rank 1 panicked: out of luck"),
        said: "",
        succeeds: true,
    },
    Fault { name: "a panic in an exchange ends the job", rank: panic_in_an_exchange, printed: None, said: "out of luck", succeeds: false },
    Fault {
        name: "a panic after the call ends the job",
        rank: panic_after,
        printed: None,
        said: "a panic ended the program",
        succeeds: false,
    },
    Fault { name: "a panic of another thread", rank: panic_of_a_thread, printed: None, said: "a rank panicked", succeeds: false },
    Fault { name: "a rank that is killed", rank: killed, printed: None, said: "", succeeds: false },
    Fault { name: "a rank that exits", rank: exits, printed: None, said: "", succeeds: false },
    Fault {
        name: "a rank that comes late",
        rank: late_one,
        printed: Some("rank 1 did not come within the deadline"),
        said: "",
        succeeds: true,
    },
    Fault {
        name: "a rank 0 that comes late",
        rank: late_zero,
        printed: Some("rank 0 did not come within the deadline"),
        said: "",
        succeeds: true,
    },
    Fault { name: "ranks that are stuck", rank: stuck, printed: None, said: "the limit of the watchdog", succeeds: false },
    Fault { name: "an MPI of the program's own", rank: own_mpi, printed: Some("fine"), said: "", succeeds: true },
    Fault { name: "an MPI for its main thread only", rank: main_thread_only, printed: Some("fine"), said: "", succeeds: true },
    Fault { name: "calls after the end", rank: after_the_end, printed: Some("fine"), said: "", succeeds: true },
];

fn main() {
    if let Some(case) = std::env::var_os(CASE) {
        let case = FAULTS.iter().find(|fault| *fault.name == *case).expect("the case is known");
        return play(case);
    }
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut failed = 0;
    for fault in FAULTS {
        if !filters.is_empty() && !filters.iter().any(|filter| fault.name.contains(filter.as_str())) {
            continue;
        }
        let begin = Instant::now();
        let wrong = drive(fault);
        println!("test {} ... {} ({:.1} s)", fault.name, if wrong.is_none() { "ok" } else { "FAILED" }, begin.elapsed().as_secs_f64());
        if let Some(wrong) = wrong {
            println!("{wrong}");
            failed += 1;
        }
    }
    println!("test result: {}. {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    std::process::exit(i32::from(failed > 0));
}

/// Runs a case on three ranks; returns what went wrong.
fn drive(fault: &Fault) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/mpirun.sh");
    let begin = Instant::now();
    let output = Command::new(script)
        .arg(std::env::current_exe().expect("the program knows its path"))
        .envs([(CASE, fault.name), ("MEMH5_RANKS", "3"), ("MEMH5_SECONDS", "30"), ("RUST_BACKTRACE", "0")])
        .output()
        .expect("mpirun starts");
    let elapsed = begin.elapsed();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut wrong = Vec::new();
    if elapsed > Duration::from_secs(10) {
        wrong.push(format!("took {elapsed:?}"));
    }
    if output.status.success() != fault.succeeds {
        wrong.push(format!("ended with {}", output.status));
    }
    if let Some(printed) = fault.printed {
        for rank in 0..3 {
            let expected = |line: &str| line.starts_with(&format!("rank {rank}:")) && line.contains(printed);
            if !out.lines().any(expected) {
                wrong.push(format!("rank {rank} did not print: {printed}"));
            }
        }
    }
    if !err.contains(fault.said) {
        wrong.push(format!("nobody said: {}", fault.said));
    }
    (!wrong.is_empty()).then(|| format!("    {}\n--- stdout\n{out}--- stderr\n{err}", wrong.join("\n    ")))
}

/// What one rank does.
fn play(fault: &Fault) {
    // These start MPI by themselves.
    if [own_mpi as fn(&CommRef) -> Result<()>, main_thread_only, after_the_end].iter().any(|own| std::ptr::fn_addr_eq(*own, fault.rank)) {
        let nobody: CommRef = std::sync::Arc::new(memh5::distributed::SelfComm::new());
        return (fault.rank)(&nobody).expect("it works");
    }
    let mpi = Mpi::start().expect("MPI starts");
    let world = mpi.world().expect("the world has a communicator");
    if let Err(error) = (fault.rank)(&world) {
        println!("rank {}: {error}", world.rank());
    }
}

fn call() -> Call {
    Call::new("save").path("/")
}

fn out_of_luck(comm: &CommRef) {
    assert!(comm.rank() != 1, "out of luck");
}

fn panic_before(comm: &CommRef) -> Result<()> {
    out_of_luck(comm);
    Agreement::new(comm.clone()).collective(call(), |_| Ok(()))
}

/// Makes the panic of the rank an error, so that all ranks live to print what they know.
fn caught(comm: &CommRef, work: impl FnOnce(&Agreement) -> Result<()>) -> Result<()> {
    let agreement = Agreement::new(comm.clone());
    let result = catch_unwind(AssertUnwindSafe(|| work(&agreement))).unwrap_or_else(|panic| {
        Err(Error::new(ErrorKind::Collective, format!("rank 1 panicked: {}", panic.downcast_ref::<&str>().unwrap())))
    });
    assert!(agreement.collective(call(), |_| Ok(())).is_ok(), "the others are in step afterwards");
    result
}

fn panic_before_the_step(comm: &CommRef) -> Result<()> {
    caught(comm, |agreement| {
        agreement.collective(call(), |step| {
            out_of_luck(comm);
            step.agree(Ok(()))?;
            step.comm().barrier()
        })
    })
}

fn panic_after_the_step(comm: &CommRef) -> Result<()> {
    caught(comm, |agreement| {
        agreement.collective(call(), |step| {
            step.agree(Ok(()))?;
            out_of_luck(comm);
            Ok(())
        })
    })
}

fn panic_in_an_exchange(comm: &CommRef) -> Result<()> {
    let agreement = Agreement::new(comm.clone());
    agreement.set_terms(Terms::default().grace(Duration::from_secs(1)))?;
    agreement.collective(call(), |step| {
        out_of_luck(comm);
        step.comm().send_recv(None, Some((1, &mut [0])))
    })
}

fn panic_after(comm: &CommRef) -> Result<()> {
    Agreement::new(comm.clone()).collective(call(), |_| Ok(()))?;
    out_of_luck(comm);
    Agreement::new(comm.clone()).collective(call(), |_| Ok(()))
}

fn panic_of_a_thread(comm: &CommRef) -> Result<()> {
    abort_on_panic();
    comm.barrier()?;
    let _ = std::thread::scope(|scope| scope.spawn(|| out_of_luck(comm)).join());
    comm.barrier()?;
    comm.send_recv(None, Some((1, &mut [0])))
}

fn killed(comm: &CommRef) -> Result<()> {
    comm.barrier()?;
    if comm.rank() == 1 {
        Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
        std::thread::sleep(Duration::from_secs(20));
    }
    comm.barrier()
}

fn exits(comm: &CommRef) -> Result<()> {
    comm.barrier()?;
    if comm.rank() == 1 {
        std::process::exit(3);
    }
    comm.barrier()
}

fn late(comm: &CommRef, rank: usize) -> Result<()> {
    let agreement = Agreement::new(comm.clone());
    agreement.set_terms(Terms::default().deadline(Duration::from_secs(1)).watchdog(None))?;
    if comm.rank() == rank {
        std::thread::sleep(Duration::from_secs(3));
    }
    let met = agreement.collective(call(), |_| Ok(()));
    assert!(agreement.comm().barrier().is_err(), "it is poisoned");
    met
}

fn late_one(comm: &CommRef) -> Result<()> {
    late(comm, 1)
}

fn late_zero(comm: &CommRef) -> Result<()> {
    late(comm, 0)
}

fn stuck(comm: &CommRef) -> Result<()> {
    let agreement = Agreement::new(comm.clone());
    agreement.set_terms(Terms::default().watchdog(Some(Duration::from_secs(1))))?;
    agreement.collective(call(), |step| step.comm().send_recv(None, Some(((comm.rank() + 1) % 3, &mut [0]))))
}

fn own_mpi(_: &CommRef) -> Result<()> {
    let universe = mpi::initialize().expect("MPI starts");
    let rank = {
        let ours = Mpi::start()?;
        let world = ours.world()?;
        drop(ours);
        world.barrier()?;
        world.rank()
    };
    MpiComm::duplicate(&universe.world())?.barrier()?;
    println!("rank {rank}: fine");
    Ok(())
}

fn main_thread_only(_: &CommRef) -> Result<()> {
    let (_universe, _) = mpi::initialize_with_threading(mpi::Threading::Funneled).expect("MPI starts");
    let world = MpiComm::world()?;
    let kind = std::thread::scope(|scope| scope.spawn(|| world.barrier().map_err(|error| error.kind())).join().unwrap());
    // A library may give more than was asked for.
    if mpi::environment::threading_support() < mpi::Threading::Serialized {
        assert_eq!(kind, Err(ErrorKind::Unsupported));
    }
    world.barrier()?;
    println!("rank {}: fine", world.rank());
    Ok(())
}

fn after_the_end(_: &CommRef) -> Result<()> {
    let mpi = Mpi::start()?;
    let world = mpi.world()?;
    drop(mpi);
    assert_eq!(world.barrier().unwrap_err().kind(), ErrorKind::Collective);
    assert_eq!(MpiComm::world().unwrap_err().kind(), ErrorKind::Collective);
    assert_eq!(Mpi::start().unwrap_err().kind(), ErrorKind::Collective);
    println!("rank {}: fine", world.rank());
    Ok(())
}
