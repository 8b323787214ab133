//! The command line: one file a subcommand. Nothing is decided here; errors become exit codes here.

mod arguments;
mod attach;
mod change;
mod doctor;
mod dry_run;
mod effects;
mod exit;
mod live;
mod news;
mod output;
mod plans;
mod ps;
mod recover;
mod run;
mod stop;

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};

use self::exit::{Code, Failure};

/// Makes a running Linux program meet the failures of real life: system calls that fail or stall, packets that
/// are lost, late or refused. From the kernel, for one cgroup, command or process tree; gone when it ends, however it ends.
#[derive(Debug, Parser)]
#[command(
    name = "injector",
    version,
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
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses, dispatches, and turns an error into a message and an exit code.
pub fn main() -> ExitCode {
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(|| live::Aside)
        .with_ansi(color)
        .init();
    let running = std::env::args_os().nth(1).is_some_and(|word| word == "run");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let code = match (error.use_stderr(), running) {
                (false, _) => Code::OK,
                (true, true) => Code::RUN_FAILED,
                (true, false) => Code::USAGE,
            };
            return code.into();
        }
    };
    match dispatch(cli.command) {
        Ok(code) => code.into(),
        Err(failure) => {
            output::failure(&failure);
            if running { failure.code_under_run().into() } else { failure.code.into() }
        }
    }
}

fn dispatch(verb: Command) -> Result<Code, Failure> {
    match verb {
        Command::Doctor(doctor) => doctor.run(),
        Command::Run(run) => run.run(),
        Command::Attach(attach) => attach.run(),
        Command::Ps(ps) => ps.run(),
        Command::Change(change) => change.run(),
        Command::Stop(stop) => stop.run(),
        Command::Recover(recover) => recover.run(),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut command(), "injector", &mut io::stdout());
            Ok(Code::OK)
        }
        Command::Man => {
            clap_mangen::Man::new(command())
                .render(&mut io::stdout())
                .map_err(|error| Failure::other(format!("cannot write the manual page: {error}"), ""))?;
            Ok(Code::OK)
        }
    }
}

/// One thread is enough: everything that takes time waits for a descriptor.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("cannot start the event loop: {error}"), ""))
}
