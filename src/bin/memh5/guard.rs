//! The two processes: one that opens files, and one that watches over it.
//!
//! The HDF5 library can crash, loop for ever or ask for any amount of memory on a damaged file. So the tool starts itself a second time; the
//! second process does the work under limits, and the first one tells in one line what became of it. Both share standard output and
//! error. The second one has no use for standard input: there it finds the pipe on which it gives signs of life.

use crate::args::{Cli, Limits};
use crate::limits;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Set in the second process: the bytes of memory that it may use, or "none".
const CHILD: &str = "MEMH5_CHILD_LIMIT";

/// Where the second process gives signs of life; nowhere in the first.
#[derive(Debug)]
pub struct Pulse(Option<std::fs::File>);

impl Pulse {
    /// Tells that the work goes on.
    pub fn beat(&mut self) {
        if let Some(pipe) = &mut self.0 {
            // Nobody listens any more: then nobody waits for it either.
            let _ = pipe.write_all(b".");
        }
    }
}

/// In the second process: puts its limits into force, and returns where it gives signs of life.
pub fn enter_child() -> Option<Pulse> {
    let limit = std::env::var(CHILD).ok()?;
    limits::end_with_parent();
    limits::no_core_file();
    if let Ok(bytes) = limit.parse() {
        limits::limit_memory(bytes);
    }
    Some(Pulse(std::io::stdin().as_fd().try_clone_to_owned().ok().map(Into::into)))
}

/// In the first process: starts the second one and waits for it.
pub fn supervise(cli: &Cli) -> ExitCode {
    let size = cli.command.size();
    let memory = memory_limit(&cli.limits, size);
    // Ranks wait for each other: only a limit that the user set counts.
    let patience = if cli.command.is_distributed() && cli.limits.timeout.is_none() { None } else { patience(&cli.limits, size) };
    let started = start(memory);
    let (mut child, pulse) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("memh5: cannot {}: the process that opens files cannot be started: {error}", cli.command.operation());
            return ExitCode::from(2);
        }
    };
    let Some(status) = wait(&mut child, pulse, patience) else {
        let seconds = patience.map_or(0, |p| p.as_secs());
        complain(cli, &format!("no sign of life for {seconds} seconds, so it is taken as corrupt"), "allow more time with --timeout");
        return ExitCode::from(2);
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(2)),
        (None, Some(libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGPIPE)) => ExitCode::from(2),
        (None, signal) => {
            let what = format!("it made the HDF5 library crash ({}), so it is taken as corrupt", signal_name(signal.unwrap_or(0)));
            let remedy = match memory {
                Some(bytes) => format!("if it is only large, allow more memory than {} MiB with --memory or --no-limits", bytes >> 20),
                None => "try an older copy of it".to_owned(),
            };
            complain(cli, &what, &remedy);
            ExitCode::from(2)
        }
    }
}

fn complain(cli: &Cli, what: &str, remedy: &str) {
    let files: Vec<String> = cli.command.files().iter().map(|f| format!("\"{}\"", f.display())).collect();
    eprintln!("memh5: cannot {}: {what} [file {}]; {remedy}", cli.command.operation(), files.join(", "));
}

fn memory_limit(limits: &Limits, size: u64) -> Option<u64> {
    match (limits.memory, limits.no_limits) {
        (Some(bytes), _) => Some(bytes),
        (None, true) => None,
        (None, false) => Some((4 << 30) + 32u64.saturating_mul(size).min(1 << 50)),
    }
}

fn patience(limits: &Limits, size: u64) -> Option<Duration> {
    match (limits.timeout, limits.no_limits) {
        (Some(0), _) | (None, true) => None,
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, false) => Some(Duration::from_secs(300 + (size >> 22))),
    }
}

fn start(memory: Option<u64>) -> std::io::Result<(Child, std::io::PipeReader)> {
    let (reader, writer) = std::io::pipe()?;
    let child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(CHILD, memory.map_or_else(|| "none".to_owned(), |bytes| bytes.to_string()))
        .stdin(writer)
        .spawn()?;
    Ok((child, reader))
}

/// How the second process ended; `None` if it gave no sign of life for too long and was ended.
fn wait(child: &mut Child, mut pulse: std::io::PipeReader, patience: Option<Duration>) -> Option<ExitStatus> {
    if let Some(patience) = patience {
        let (beat, beats) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 256];
            while matches!(pulse.read(&mut buffer), Ok(n) if n > 0) {
                if beat.send(()).is_err() {
                    break;
                }
            }
        });
        loop {
            match beats.recv_timeout(patience) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return None;
                }
            }
        }
    } else {
        std::thread::spawn(move || std::io::copy(&mut pulse, &mut std::io::sink()));
    }
    child.wait().ok()
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGSEGV => "segmentation fault".into(),
        libc::SIGABRT => "aborted".into(),
        libc::SIGBUS => "bus error".into(),
        libc::SIGFPE => "arithmetic error".into(),
        libc::SIGILL => "illegal instruction".into(),
        libc::SIGKILL => "killed".into(),
        other => format!("signal {other}"),
    }
}
