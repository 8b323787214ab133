//! The command line: one file a subcommand. Nothing is decided here; errors become exit codes.

mod arguments;
mod attach;
mod change;
mod check;
mod color;
mod completions;
mod detach;
mod doctor;
mod dry_run;
mod effects;
mod examples;
mod exit;
mod experiment;
mod familiar;
mod help;
mod live;
mod log;
mod log_file;
mod man;
mod manual;
mod news;
mod outcome;
mod output;
mod output_file;
mod pause;
mod ps;
mod ready;
mod recover;
mod report;
mod retyped;
mod run;
mod screen;
mod stop;
mod targets;
mod version;

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, error::ErrorKind};
use injector::{kernel::probe::refusal, printable, target::rlimit};

use crate::cli::{
    color::Color,
    exit::{Code, Failure},
};

/// What the program says of its exit codes.
const EXIT_CODES: &str = "0 ok, 1 it ran and failed, 2 usage, 3 this kernel cannot, 4 permission, 6 clean-up \
                          incomplete. `run` gives the command's own code; 125 is ours, 126 and 127 as in env(1).";

/// Makes a running Linux program meet the failures of real life: system calls that fail or stall, packets that
/// are lost, late or refused. From the kernel, for one cgroup, command or process tree; gone when it ends, however it ends.
#[derive(Debug, Parser)]
#[command(
    name = "injector",
    version = version::version(),
    max_term_width = 100,
    disable_help_flag = true,
    disable_help_subcommand = true,
    after_help = after_help()
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When there is colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(help_heading = GENERAL, help = "Colour: auto, always or never; auto heeds $NO_COLOR")]
    color: Color,
    /// Print help; --help has more than -h
    #[arg(short, long, global = true, action = ArgAction::Help, help_heading = GENERAL)]
    help: Option<bool>,
}

/// The heading of options that all subcommands have.
const GENERAL: &str = "General";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(after_help = examples::text("doctor"))]
    Doctor(doctor::Doctor),
    #[command(after_help = examples::text("check"))]
    Check(check::Check),
    #[command(after_help = examples::text("run"))]
    Run(run::Run),
    #[command(after_help = examples::text("attach"))]
    Attach(attach::Attach),
    #[command(after_help = examples::text("experiment"))]
    Experiment(experiment::Experiment),
    #[command(after_help = examples::text("ps"))]
    Ps(ps::Ps),
    #[command(after_help = examples::text("change"))]
    Change(change::Change),
    #[command(after_help = examples::text("pause"))]
    Pause(pause::Pause),
    #[command(after_help = examples::text("resume"))]
    Resume(pause::Resume),
    #[command(after_help = examples::text("stop"))]
    Stop(stop::Stop),
    Recover(recover::Recover),
    #[command(after_help = examples::text("completions"))]
    Completions(completions::Completions),
    #[command(after_help = examples::text("man"))]
    Man(man::Man),
    #[command(after_help = examples::text("help"))]
    Help(help::Help),
}

/// The end of the program's own help.
fn after_help() -> clap::builder::StyledStr {
    let mut text = examples::text("");
    text.push_str(&format!("\n\nExit codes: {EXIT_CODES}"));
    text
}

/// The whole command line as clap knows it: what completions, the manual page and other documentation
/// are made from.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Parses, dispatches, and turns an error into a message and an exit code.
pub(crate) fn main() -> ExitCode {
    // The process of a plan of an experiment is this program once more.
    injector::child::serve();
    if let Some(code) = completions::answer() {
        return code.into();
    }
    let running = env::args_os().nth(1).is_some_and(|word| word == "run");
    let asked = Color::asked(env::args_os());
    let matches = command().color(asked.into()).try_get_matches();
    let read = |matches| Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command()));
    let cli = match matches.and_then(read) {
        Ok(cli) => cli,
        Err(error) => {
            asked.apply();
            return misunderstood(error, running).into();
        }
    };
    cli.color.apply();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(|| screen::Aside)
        .with_ansi(cli.color.on_stderr())
        // They would be said on stderr, which is what has just failed, by a macro that panics.
        .log_internal_errors(false)
        .init();
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
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // It is all ours.
        let _ = error.print();
        return Code::USAGE;
    }
    let hint = familiar::hint(&error);
    if hint.is_some() {
        familiar::drop_suggestions(&mut error);
    }
    // Its words are whatever was typed, or what a script has put there.
    let shown = |text: String| color::message(&printable::lines(&text));
    let hint = hint.map(|hint| format!("injector: {}\n", shown(format!("hint: {hint}"))));
    let text = format!("{}\n{}", shown(error.render().to_string()), hint.unwrap_or_default());
    let _ = io::stderr().write_all(text.as_bytes());
    if running { Code::RUN_FAILED } else { Code::USAGE }
}

fn dispatch(verb: Command) -> Result<Code, Failure> {
    match verb {
        Command::Doctor(doctor) => doctor.run(),
        Command::Check(check) => check.run(),
        Command::Run(run) => run.run(),
        Command::Attach(attach) => attach.run(),
        Command::Experiment(experiment) => experiment.run(),
        Command::Ps(ps) => ps.run(),
        Command::Change(change) => change.run(),
        Command::Pause(pause) => pause.run(),
        Command::Resume(resume) => resume.run(),
        Command::Stop(stop) => stop.run(),
        Command::Recover(recover) => recover.run(),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
        Command::Help(help) => help.run(),
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
