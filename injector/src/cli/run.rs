//! `injector run`: a command in a cgroup of its own, under the rules from its first instruction on.

use std::ffi::OsString;

use anyhow::Context as _;
use clap::{Args, ValueHint};
use injector::{
    engine::{self, End, Guard, Report, Start},
    printable,
    spec::model::Rule,
    target::{Command, Identity, Milestone, Placement, Received, Removal, Signals, Target},
};

use crate::cli::{
    arguments::{Behaviour, Rules, injector},
    dry_run,
    exit::{Code, Failure},
    log::Log,
    news::News,
    output, ready,
    report::{Closing, Ending, Story},
    runtime,
};

/// So much of a command line is listed, bytes.
const LONGEST: usize = 200;

/// Start a command in a cgroup of its own, under the rules.
///
/// The rules act from the return of the command's execve on, on it and on all that it starts. Ends with
/// the command and gives its exit code.
#[derive(Args, Debug)]
pub(super) struct Run {
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    behaviour: Behaviour,
    /// Run the command as this user, by name or number; without one as the user who called sudo ($SUDO_UID)
    #[arg(long, value_name = "USER", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Plan")]
    user: Option<String>,
    /// Have the rules begin when the command's dynamic loader is done, at the program's first instruction
    ///
    /// Without it the files of libraries count: the first openat calls are the loader's. The command is traced until then,
    /// as by a debugger. Programs that it starts have loaders, too, and these meet the rules.
    #[arg(long, help_heading = "Plan")]
    after_start: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND", help_heading = None::<&str>)]
    #[arg(value_hint = ValueHint::AnyPath)]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let rules = self.rules.parse()?;
        runtime()?.block_on(self.supervise(rules))
    }

    /// Who the command is to run as, if not as we do.
    fn identity(&self) -> Result<Option<Identity>, Failure> {
        Ok(match self.user.as_deref() {
            None => None,
            Some("") => Some(Identity::of_sudo()?),
            Some(name) => Some(Identity::of(name)?),
        })
    }

    async fn supervise(mut self, rules: Vec<Rule>) -> Result<Code, Failure> {
        let mut options = self.behaviour.options(None, false)?;
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        let typed = words.join(" ");
        let outcome = &self.behaviour.outcome;
        if self.behaviour.dry_run {
            let plan = injector(rules)?.plan(options)?;
            return dry_run::print(&plan, vec![format!("command {typed}")], false, outcome);
        }
        options.command = Some(printable::without_middle(&typed, LONGEST, LONGEST / 2 - 1));
        let identity = self.identity()?;
        let injector = injector(rules)?;
        engine::sweep();
        let mut log = Log::open(outcome.log.as_deref(), true)?;
        let signals = Signals::take().context("cannot wait for signals")?;
        // Planned before anything is made, so that a refusal leaves no trace.
        let plan = injector.plan(options)?;
        let (target, mut command) = Target::command(std::mem::take(&mut self.command))?;
        command.unblock(&signals);
        if self.after_start {
            command.hold_at_entry();
        }
        if let Some(identity) = identity {
            command.run_as(identity);
        }
        if let Placement::BelowRoot { reason } = command.placement() {
            output::note(format_args!(
                "note: the command's cgroup is below the root, outside of this session's limits: {reason}"
            ));
        }
        let names = [format!("command {}", command.name())];
        let mut story = Story::open(&self.behaviour, names.to_vec())?;
        let start = if self.after_start { Start::WhenTold } else { Start::AtExec };
        let mut guard = injector.target(target).apply(plan, start)?;
        story.begins();
        output::begun(guard.plan(), &names, self.behaviour.seed.is_none());
        ready::tell(outcome.ready_fd.clone(), &guard.plan().typed_id());
        let mut news = News::of(&guard);

        command.start()?;
        // It has all that we were given.
        guard.give_up_privileges();
        let watched = watch(&mut guard, &mut command, &signals, &mut news, &mut log).await;
        // A command that runs on is waited for.
        let stays = !matches!(watched, Ok(Watched::Command(_)));
        let report = end(guard, stays, &mut log);
        let mut failed = watched.is_err();
        let ending = match &watched {
            Ok(Watched::Command(_)) => Ending::Command,
            Ok(Watched::Plan(end)) => Ending::Plan(*end),
            Err(_) => Ending::Failure,
        };
        let code = match watched {
            Ok(Watched::Command(code)) => code,
            // The plan has ended and is gone; the command runs on, and we stay for its signals and its code.
            Ok(Watched::Plan(end)) => {
                output::note(format_args!("{}; the command runs on without faults", why(end)));
                accompany(&mut command, &signals).await?
            }
            Err(failure) => {
                output::failure(&failure);
                output::note("the command runs on without faults");
                accompany(&mut command, &signals).await?
            }
        };
        let (unwritten, failure) = log.close();
        if let Some(failure) = failure {
            output::failure(&failure);
            failed = true;
        }
        match command.remove() {
            Ok(Removal::Removed) => {}
            Ok(Removal::StillInUse { path, pids }) => output::note(format_args!(
                "note: processes of the command live on in {} without faults ({} of them); the first `run`, `attach`, \
                 `ps` or `stop` after they have ended removes it",
                path.display(),
                pids.len()
            )),
            Err(error) => {
                output::failure(&error.into());
                failed = true;
            }
        }
        match report {
            Ok(mut report) => {
                report.lost_events += unwritten;
                Ok(story.close(&Closing {
                    report: &report,
                    outcome,
                    told: news.told(),
                    ending,
                    command: Some(code),
                    failed: failed.then_some(Code::FAILED),
                }))
            }
            Err(error) => {
                output::failure(&error);
                let code = Code::of_command(code);
                Ok(if code.is_ok() { Code::RUN_FAILED } else { code })
            }
        }
    }
}

fn end(guard: Guard, stays: bool, log: &mut Log) -> Result<Report, Failure> {
    Ok(guard.finish(stays, |record| log.write(&record))?)
}

/// What has ended first.
enum Watched {
    /// With this exit code.
    Command(i32),
    Plan(End),
}

fn why(end: End) -> String {
    match end {
        End::Deadline => "the time is up".into(),
        End::Stopped => "stopped".into(),
        End::TargetsGone => "the command's cgroup is gone".into(),
        End::DelaysLost(lost) => lost.to_string(),
    }
}

/// Until the command or the plan has ended.
async fn watch(
    guard: &mut Guard,
    command: &mut Command,
    signals: &Signals,
    news: &mut News,
    log: &mut Log,
) -> Result<Watched, Failure> {
    loop {
        tokio::select! {
            milestone = command.milestone() => match milestone? {
                Milestone::Ended(code) => return Ok(Watched::Command(code)),
                Milestone::Entered => {
                    guard.begin();
                    command.release()?;
                }
            },
            end = guard.wait(|record| log.write(&record)) => return Ok(Watched::Plan(end?)),
            received = signals.next() => {
                forward(command, received)?;
                // One that stands still could not take it.
                guard.end_pauses();
            }
            () = news.due() => news.tell(guard),
        }
    }
}

/// Until the command has ended: its exit code.
async fn accompany(command: &mut Command, signals: &Signals) -> Result<i32, Failure> {
    loop {
        tokio::select! {
            milestone = command.milestone() => match milestone? {
                Milestone::Ended(code) => return Ok(code),
                Milestone::Entered => command.release()?,
            },
            received = signals.next() => forward(command, received)?,
        }
    }
}

fn forward(command: &Command, received: std::io::Result<Received>) -> Result<(), Failure> {
    let received = received.context("cannot wait for signals")?;
    Ok(command.forward(received)?)
}
