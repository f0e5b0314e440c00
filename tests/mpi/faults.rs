//! What happens when ranks are lost, when files cannot be written, and when the tool is misused, under real `mpirun`: each job ends within ten seconds,
//! or ten times what one takes in which nothing is lost, and says why.
//!
//! Without arguments this program starts itself under `mpirun` for each case; a rank knows its case by the environment.

#[cfg(feature = "hdf5")]
#[path = "faults/files.rs"]
mod files;
#[path = "faults/job.rs"]
mod job;
#[cfg(all(feature = "hdf5", feature = "cli"))]
#[path = "faults/tool.rs"]
mod tool;

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
        name: "a rank that returns an error before the call",
        rank: error_before,
        printed: Some("rank 1 did not come within the deadline"),
        said: "",
        succeeds: true,
    },
    Fault {
        name: "an error in an exchange ends the job within the watchdog's time",
        rank: error_in_an_exchange,
        printed: None,
        said: "the limit of the watchdog",
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

/// A name, and what is run under it.
type Case = (&'static str, fn() -> std::result::Result<(), String>);

/// Cases that start jobs of their own.
fn others() -> Vec<Case> {
    #[allow(unused_mut)]
    let mut cases = Vec::new();
    #[cfg(feature = "hdf5")]
    cases.extend(files::CASES);
    #[cfg(all(feature = "hdf5", feature = "cli"))]
    cases.extend(tool::CASES);
    cases
}

fn main() {
    #[cfg(feature = "hdf5")]
    if files::play() {
        return;
    }
    if let Some(case) = std::env::var_os(CASE) {
        let case = FAULTS.iter().find(|fault| *fault.name == *case).expect("the case is known");
        return play(case);
    }
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let mut failed = 0;
    let mut test = |name: &str, run: &dyn Fn() -> Option<String>| {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            return;
        }
        let begin = Instant::now();
        let wrong = run();
        println!("test {name} ... {} ({:.1} s)", if wrong.is_none() { "ok" } else { "FAILED" }, begin.elapsed().as_secs_f64());
        if let Some(wrong) = wrong {
            println!("{wrong}");
            failed += 1;
        }
    };
    for fault in FAULTS {
        test(fault.name, &|| drive(fault));
    }
    for (name, case) in others() {
        test(name, &|| case().err());
    }
    println!("test result: {}. {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    std::process::exit(i32::from(failed > 0));
}

/// Runs a case on three ranks; returns what went wrong.
fn drive(fault: &Fault) -> Option<String> {
    let program = std::env::current_exe().expect("the program knows its path");
    let ended = job::run(3, "", &program, &[], &[(CASE, fault.name)]);
    let mut wrong: Vec<String> = ended.expect(fault.succeeds).err().into_iter().collect();
    if let Some(printed) = fault.printed {
        for rank in 0..3 {
            let expected = |line: &str| line.starts_with(&format!("rank {rank}:")) && line.contains(printed);
            if !ended.out.lines().any(expected) {
                wrong.push(format!("rank {rank} did not print: {printed}"));
            }
        }
    }
    if !ended.err.contains(fault.said) {
        wrong.push(format!("nobody said: {}", fault.said));
    }
    (!wrong.is_empty()).then(|| format!("    {}\n{}", wrong.join("\n    "), ended.told()))
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

/// The rank is named to the others, where a deadline is set.
fn error_before(comm: &CommRef) -> Result<()> {
    let agreement = Agreement::new(comm.clone());
    agreement.set_terms(Terms::default().deadline(Duration::from_secs(1)).watchdog(None))?;
    if comm.rank() == 1 {
        return Err(Error::new(ErrorKind::Io, "out of luck; rank 1 did not come within the deadline"));
    }
    agreement.collective(call(), |_| Ok(()))
}

/// Against the rule for those who write collective calls: between two agreements one rank fails, and the others wait for its message.
fn error_in_an_exchange(comm: &CommRef) -> Result<()> {
    let agreement = Agreement::new(comm.clone());
    agreement.set_terms(Terms::default().watchdog(Some(Duration::from_secs(1))))?;
    agreement.collective(call(), |step| {
        if comm.rank() == 1 {
            return Err(Error::new(ErrorKind::Io, "out of luck"));
        }
        step.comm().send_recv(None, Some((1, &mut [0])))
    })
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
