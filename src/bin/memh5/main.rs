//! The command-line tool `memh5`. `docs/tool.md` describes it.
//!
//! Each command is a file; `args` has the command line, `guard` the two processes, `source` what opens files.
#![deny(unsafe_code)]

mod args;
mod copy;
mod diff;
mod dump;
mod filters;
mod guard;
mod limits;
mod output;
mod plot;
mod ranks;
mod repack;
mod show;
mod signs;
mod source;
mod stages;
mod stores;
mod transfer;
mod tree;
mod verify;

use args::{Cli, Command};
use clap::Parser;
use memh5::{Error, ErrorKind, Result};
use signs::Signs;
use std::process::ExitCode;

/// What a command found, as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The trees differ, or a file is damaged.
    Failed,
    /// It could not be done, and rank 0 has said why.
    #[cfg_attr(not(feature = "mpi"), allow(dead_code))]
    ToldElsewhere,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ranks::refuse(&error),
    };
    let Some(pulse) = guard::enter_child() else { return guard::supervise(&cli) };
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(|| run(&cli.command, Signs::new(pulse, &cli.limits, cli.command.size())));
    match outcome {
        Ok(Ok(Outcome::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Outcome::Failed)) => ExitCode::from(1),
        Ok(Ok(Outcome::ToldElsewhere)) => ExitCode::from(2),
        Ok(Err(error)) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(error.during(cli.command.operation()));
            ExitCode::from(2)
        }
        Err(_) => {
            let error = Error::new(ErrorKind::Unsupported, "the tool met a case that it does not know, which is a fault of the tool");
            let error = match cli.command.files().first() {
                Some(file) => error.in_file(file),
                None => error,
            };
            complain(error.during(cli.command.operation()).remedy("please report it with the file"));
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, mut signs: Signs) -> Result<Outcome> {
    match command {
        Command::Tree(args) => tree::run(args, &mut signs),
        Command::Show(args) => show::run(args, &mut signs),
        Command::Dump(args) => dump::run(args, &mut signs),
        Command::Copy(args) => copy::run(args, &mut signs),
        Command::Diff(args) => diff::run(args, &mut signs),
        Command::Repack(args) => repack::run(args, &mut signs),
        Command::Verify(args) => verify::run(args, &mut signs),
        Command::Stages(args) => stages::run(args, &mut signs),
        Command::Plot(args) => plot::run(args, &mut signs),
    }
}

/// One line on standard error.
#[allow(clippy::needless_pass_by_value)]
fn complain(error: Error) {
    let text = error.to_string();
    let line: Vec<&str> = text.lines().map(str::trim).collect();
    eprintln!("memh5: {}", memh5::tree::visible(&line.join(" ")));
}
