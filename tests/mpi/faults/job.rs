//! One run of a program under `mpirun`, and what it came to.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

/// No case may take longer, unless the machine is so busy that a job in which nothing is lost takes a second and more.
const LIMIT: Duration = Duration::from_secs(10);

/// What a case may take on a machine as busy as this one is now: as many times the time of a job in which nothing is lost; and never so long that a job that hangs,
/// which is ended after 30 seconds, were none.
fn limit_now() -> Duration {
    let program = std::env::current_exe().expect("the program knows its path");
    (run(3, "", &program, &[], &[(crate::CASE, "calls after the end")]).elapsed * 10).clamp(LIMIT, Duration::from_secs(29))
}

/// What a job has said and how it ended.
pub struct Ended {
    pub out: String,
    pub err: String,
    pub status: ExitStatus,
    elapsed: Duration,
}

/// Starts a program on so many ranks. Before it, each rank is a shell that runs `limits`, where `$RANK` is its number.
pub fn run(ranks: usize, limits: &str, program: &Path, args: &[&str], envs: &[(&str, &str)]) -> Ended {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/mpirun.sh");
    let mut command = Command::new(script);
    if !limits.is_empty() {
        // Open MPI says a rank's number in the one variable, MPICH in the other. A batch system ignores the signal of a file that is too long.
        let shell = format!("RANK=${{OMPI_COMM_WORLD_RANK:-$PMI_RANK}}; trap '' XFSZ; {limits}; exec \"$0\" \"$@\"");
        command.args(["sh", "-c", &shell]);
    }
    command.arg(program).args(args).envs(envs.iter().copied());
    command.env("MEMH5_RANKS", ranks.to_string()).env("MEMH5_SECONDS", "30").env("RUST_BACKTRACE", "0");
    let begin = Instant::now();
    let output = command.output().expect("mpirun starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { out: text(&output.stdout), err: text(&output.stderr), status: output.status, elapsed: begin.elapsed() }
}

impl Ended {
    /// What the job printed, for a message.
    pub fn told(&self) -> String {
        format!("ended with {} after {:?}\n--- stdout\n{}--- stderr\n{}", self.status, self.elapsed, self.out, self.err)
    }

    /// Fails unless the job ended in time, and as it should.
    pub fn expect(&self, success: bool) -> Result<(), String> {
        let slow = self.elapsed > LIMIT && self.elapsed > limit_now();
        if slow || self.status.success() != success {
            return Err(format!("expected success: {success}; {}", self.told()));
        }
        Ok(())
    }

    /// What every rank printed behind `rank N: `, if all printed the same.
    pub fn of_all(&self, ranks: usize) -> Result<&str, String> {
        let of = |rank: usize| self.out.lines().find_map(|line| line.strip_prefix(&format!("rank {rank}: ")));
        let first = of(0).ok_or_else(|| format!("rank 0 printed nothing; {}", self.told()))?;
        match (1..ranks).find(|rank| of(*rank) != Some(first)) {
            Some(rank) => Err(format!("rank {rank} printed another thing than rank 0; {}", self.told())),
            None => Ok(first),
        }
    }
}
