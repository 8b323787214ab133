//! The command line: one file a subcommand. Nothing is decided here; errors become exit codes.

mod arguments;
mod attach;
mod change;
mod detach;
mod doctor;
mod dry_run;
mod effects;
mod exit;
mod familiar;
mod live;
mod log;
mod log_file;
mod news;
mod outcome;
mod output;
mod output_file;
mod pause;
mod ps;
mod ready;
mod recover;
mod report;
mod run;
mod screen;
mod stop;
mod targets;
mod version;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use injector::{kernel::probe::refusal, printable, target::rlimit};

use crate::cli::exit::{Code, Failure};

/// Makes a running Linux program meet the failures of real life: system calls that fail or stall, packets that
/// are lost, late or refused. From the kernel, for one cgroup, command or process tree; gone when it ends, however it ends.
#[derive(Debug, Parser)]
#[command(
    name = "injector",
    version = version::version(),
    max_term_width = 100,
    after_help = "Exit codes: 0 ok, 1 it ran and failed, 2 usage, 3 this kernel cannot, 4 permission, 6 clean-up incomplete.\n\
                  `run` gives the command's own code; 125 is ours, 126 and 127 as in env(1).\n\
                  Documentation: README.md and docs/."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Doctor(doctor::Doctor),
    Run(run::Run),
    Attach(attach::Attach),
    Ps(ps::Ps),
    Change(change::Change),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Stop(stop::Stop),
    Recover(recover::Recover),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// The whole command line as clap knows it: what completions, the manual page and other documentation
/// are made from.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Parses, dispatches, and turns an error into a message and an exit code.
pub(crate) fn main() -> ExitCode {
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(|| screen::Aside)
        .with_ansi(color)
        // They would be said on stderr, which is what has just failed, by a macro that panics.
        .log_internal_errors(false)
        .init();
    let running = std::env::args_os().nth(1).is_some_and(|word| word == "run");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(error, running).into(),
    };
    match dispatch(cli.command) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::failure(&failure);
            if running { failure.code_under_run().into() } else { failure.code.into() }
        }
    }
}

/// Help and version, or what is wrong with the command line.
fn misunderstood(mut error: clap::Error, running: bool) -> Code {
    if !error.use_stderr() {
        let written = error.print().and_then(|()| io::stdout().flush());
        return match written {
            Err(error) if !output::is_gone(&error) => Code::FAILED,
            _ => Code::OK,
        };
    }
    let hint = familiar::hint(&error);
    if hint.is_some() {
        familiar::drop_suggestions(&mut error);
    }
    // Its words are whatever was typed, or what a script has put there.
    let mut text = printable::lines(&error.render().to_string()) + "\n";
    if let Some(hint) = hint {
        text += &printable::lines(&format!("injector: hint: {hint}"));
        text.push('\n');
    }
    let _ = io::stderr().write_all(text.as_bytes());
    if running { Code::RUN_FAILED } else { Code::USAGE }
}

fn dispatch(verb: Command) -> Result<Code, Failure> {
    match verb {
        Command::Doctor(doctor) => doctor.run(),
        Command::Run(run) => run.run(),
        Command::Attach(attach) => attach.run(),
        Command::Ps(ps) => ps.run(),
        Command::Change(change) => change.run(),
        Command::Pause(pause) => pause.run(),
        Command::Resume(resume) => resume.run(),
        Command::Stop(stop) => stop.run(),
        Command::Recover(recover) => recover.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "injector", &mut script);
            output::out(&String::from_utf8_lossy(&script)).map(|()| Code::OK)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command()).render(&mut page).context("cannot write the manual page")?;
            output::out(&String::from_utf8_lossy(&page)).map(|()| Code::OK)
        }
    }
}

/// One thread is enough: everything that takes time waits for a descriptor.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // Its own and those of signals; for the latter, tokio panics where there is no room.
    const DESCRIPTORS: usize = 8;
    rlimit::raise();
    let build = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    rlimit::has_room_for(DESCRIPTORS).and_then(|()| build()).map_err(|error| {
        let hint = refusal::limit(&error).map(|limit| format!("{}; {}", limit.why, limit.remedy));
        Failure::other(format!("cannot start the event loop: {error}"), hint.unwrap_or_default())
    })
}
