//! `injector attach`: rules on something that is already running.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use injector::{
    engine::{self, End, Guard, Start},
    spec::model::Rule,
    target::{Signals, Target},
};

use crate::cli::{
    arguments::{Behaviour, Rules, injector},
    detach, dry_run,
    exit::{Code, Failure},
    live::View,
    log::Log,
    news::News,
    output, ready,
    report::{Closing, Ending, Story},
    runtime,
    targets::Targets,
};

/// The time limit of a plan that names none.
const DEFAULT_TIME: Duration = Duration::from_mins(5);

/// Put rules on something that is already running.
///
/// Lasts five minutes unless --for says otherwise, or until Ctrl-C. A container, a pod or a unit is meant by its name, a
/// cgroup by its path: the rules act again on one that restarts. With --once, and for processes, the plan ends when its
/// targets are gone.
#[derive(Args, Debug)]
pub(super) struct Attach {
    #[command(flatten)]
    rules: Rules,
    #[command(flatten)]
    targets: Targets,
    /// End when the targets are gone; without it the rules act again on one that restarts
    #[arg(long, help_heading = "Plan")]
    once: bool,
    /// Go on in the background when the rules are in place, and print the plan's id
    #[arg(long, help_heading = "Plan")]
    detach: bool,
    #[command(flatten)]
    behaviour: Behaviour,
}

impl Attach {
    pub(super) fn run(self) -> Result<Code, Failure> {
        let rules = self.rules.parse()?;
        self.targets.check()?;
        if self.detach && !self.behaviour.dry_run {
            return detach::detach(&self.behaviour.outcome);
        }
        runtime()?.block_on(self.supervise(rules))
    }

    async fn supervise(self, rules: Vec<Rule>) -> Result<Code, Failure> {
        let mut options = self.behaviour.options(Some(DEFAULT_TIME), true)?;
        options.once = self.once;
        let targets = self.targets.find(&options)?;
        let names: Vec<_> = targets.iter().map(Target::describe).collect();
        let empty: Vec<_> = targets.iter().filter(|target| is_empty(target)).map(Target::describe).collect();
        let injector = targets.into_iter().fold(injector(rules)?, engine::Injector::target);
        let mut plan = injector.plan(options)?;
        let nobody = |name| format!("the {name} has no process yet: the rules act on those that come");
        plan.notes.extend(empty.iter().map(nobody));
        let outcome = &self.behaviour.outcome;
        if self.behaviour.dry_run {
            return dry_run::print(&plan, names, self.targets.has_tree(), outcome);
        }
        engine::sweep();
        let mut log = Log::open(outcome.log.as_deref(), false)?;
        let mut story = Story::open(&self.behaviour, names.clone())?;
        let signals = Signals::take().context("cannot wait for signals")?;
        let mut guard = injector.apply(plan, Start::Now)?;
        guard.give_up_privileges();
        story.begins();
        output::begun(guard.plan(), &names, self.behaviour.seed.is_none());
        let id = guard.plan().typed_id();
        ready::tell(outcome.ready_fd.clone(), &id);
        ready::notify(&id, &names);
        let mut news = News::of(&guard);
        let watched = watch(&mut guard, &signals, &mut news, &mut log).await;
        let mut report = guard.finish(false, |record| log.write(&record))?;
        let ending = match &watched {
            Ok(Some(end)) => Ending::Plan(*end),
            Ok(None) => Ending::Signal,
            Err(_) => Ending::Failure,
        };
        // Only now: a terminal that was stopped (Ctrl-S) would keep what is attached.
        if let Ok(Some(end)) = &watched {
            ended(*end);
        }
        let (unwritten, failure) = log.close();
        report.lost_events += unwritten;
        let failures: Vec<_> = [watched.err(), failure].into_iter().flatten().collect();
        failures.iter().for_each(output::failure);
        Ok(story.close(&Closing {
            report: &report,
            outcome,
            told: news.told(),
            ending,
            command: None,
            failed: failures.first().map(|failure| failure.code),
        }))
    }
}

/// Is it a cgroup without a process?
fn is_empty(target: &Target) -> bool {
    target.as_cgroup().is_some_and(|cgroup| !cgroup.is_populated())
}

/// Until the plan ends, or the person has seen enough.
async fn watch(
    guard: &mut Guard,
    signals: &Signals,
    news: &mut News,
    log: &mut Log,
) -> Result<Option<End>, Failure> {
    let mut view = View::begin();
    loop {
        tokio::select! {
            end = guard.wait(|record| log.write(&record)) => return Ok(Some(end?)),
            received = signals.next() => {
                received.context("cannot wait for signals")?;
                return Ok(None);
            }
            () = view.due() => view.show(&guard.rules()?),
            () = news.due() => news.tell(guard),
        }
    }
}

/// Says why a plan has ended by itself.
fn ended(end: End) {
    match end {
        End::Deadline => output::note("the time is up"),
        End::TargetsGone => output::note("nothing is left of the targets"),
        End::Stopped => output::note("stopped"),
        End::DelaysLost(lost) => output::note(format_args!("ended: {lost}")),
    }
}
