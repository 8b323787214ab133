//! A run while it goes on: a line for what happens, and on a terminal below them, drawn in place, how it stands.

use std::{
    io::{self, IsTerminal as _},
    sync::Arc,
    time::{Duration, Instant},
};

use console::{Term, truncate_str};
use injector::experiment::{
    journal::{Moment, Phase, Record, StepEnd},
    judge::{Judge, seconds},
    model::Experiment,
    report::{Account, Unit},
    run::Observer,
};

use crate::cli::{
    color,
    experiment::page::clock,
    output,
    screen::{aside, replace, takes_more},
};

/// It is drawn no more often.
const PERIOD: Duration = Duration::from_millis(250);

/// Shows a run.
pub(super) struct Progress {
    experiment: Arc<Experiment>,
    /// The first record's time.
    begun: Option<u64>,
    phase: Option<Phase>,
    drawn: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Of a run that has not begun.
    pub(super) fn new(experiment: Arc<Experiment>) -> Self {
        let terminal = io::stderr().is_terminal() && !console::is_dumb();
        Self { experiment, begun: None, phase: None, drawn: None, terminal }
    }
}

impl Observer for Progress {
    fn record(&mut self, moment: &Moment, account: &Account) {
        let begun = *self.begun.get_or_insert(moment.at);
        let time = clock(seconds(moment.at.saturating_sub(begun)));
        if let Record::Phase { phase } = moment.record {
            self.phase = Some(phase);
        }
        if let Some(line) = line(&moment.record) {
            aside(|| eprintln!("{time} {line}"));
        }
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= PERIOD);
        if self.terminal && due && takes_more() {
            self.drawn = Some(Instant::now());
            replace(self.lines(&time, account));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal {
            replace(Vec::new());
        }
    }
}

/// What is told of a record; of those that come every second nothing.
fn line(record: &Record) -> Option<String> {
    let shown = |text: &str| output::shown(text);
    Some(match record {
        Record::Begun { run, seed, monitor, .. } => {
            let watched = if *monitor { ", nothing is injected (--monitor)" } else { "" };
            format!("run {run}, seed {seed}{watched}")
        }
        Record::Phase { phase } => color::title_aside(match phase {
            Phase::Prepare => "prepare",
            Phase::Before => "before: waits for the steady state",
            Phase::During => "during: the method begins",
            Phase::Recovery => "recovery: the faults are off",
            Phase::After => "after",
            Phase::Rollback => "rollback",
            Phase::Verify => "verify: the steady state once more",
            Phase::Stop => "stop",
        }),
        Record::Step { path, what, note, .. } => {
            let note = note.as_ref().map(|note| format!(" ({})", shown(note)));
            format!("{}: {}{}", shown(path), shown(what), note.unwrap_or_default())
        }
        Record::Waiting { path, what } => {
            format!("{} waits: {}. Begin? [enter, skip, hold, abort, note TEXT]", shown(path), shown(what))
        }
        Record::Acting { path, rules, .. } if !rules.is_empty() => {
            format!("{} acts: {}", shown(path), shown(&rules.join(", ")))
        }
        Record::Acting { path, .. } => format!("{} acts", shown(path)),
        Record::Changed { path, to, .. } => format!("{}: {}", shown(path), shown(to)),
        Record::Ended { path, end, .. } => match end {
            StepEnd::Done => return None,
            StepEnd::Aborted => format!("{} is aborted", shown(path)),
            StepEnd::Skipped => format!("{} is left out", shown(path)),
            StepEnd::Failed(why) => format!("{} failed: {}", shown(path), shown(why)),
        },
        Record::Set { name, value } => format!("{name} = {}", shown(value)),
        Record::Service { name, event } => format!("{name} {}", shown(event)),
        Record::Rollback { action, failure: None } => format!("rollback: {}", shown(action)),
        Record::Rollback { action, failure: Some(why) } => {
            format!("rollback: {}: {}", shown(action), shown(why))
        }
        Record::Note { by, text } => format!("{}: {}", shown(by.as_deref().unwrap_or("note")), shown(text)),
        Record::Abort { reason, .. } => format!("{} {}", color::bad("abort:"), shown(reason)),
        Record::Unclean { what } => format!("{} {}", color::bad("left behind:"), shown(what)),
        Record::Warning { text } => format!("warning: {}", shown(text)),
        Record::Failed { why } => format!("{} {}", color::bad("failed:"), shown(why)),
        Record::Samples { .. }
        | Record::Counters { .. }
        | Record::Checked { .. }
        | Record::Will { .. }
        | Record::Undone { .. }
        | Record::Finished => return None,
    })
}

impl Progress {
    /// How it stands: the phase, its conditions with their numbers, the faults with their counters.
    fn lines(&self, time: &str, account: &Account) -> Vec<String> {
        let Some(phase) = self.phase else { return Vec::new() };
        let mut lines = vec![format!("{time} {}", phase.name())];
        let steady = self.experiment.steady.iter().flat_map(|steady| &steady.hold);
        let hypothesis = self.experiment.hypothesis.as_ref();
        let conditions: Vec<_> = match phase {
            Phase::During => hypothesis.iter().flat_map(|hypothesis| &hypothesis.during).collect(),
            Phase::Recovery => {
                let recovery = hypothesis.and_then(|hypothesis| hypothesis.recovery.as_ref());
                recovery.iter().flat_map(|recovery| &recovery.hold).collect()
            }
            Phase::Before | Phase::Verify => steady.collect(),
            _ => Vec::new(),
        };
        let evidence = account.evidence();
        let judge = Judge { evidence, confidence: None };
        for condition in conditions {
            let Some(until) = evidence.known_until(&condition.source) else { continue };
            let judgement = judge.last(condition, until);
            let unit = Unit::of(condition, evidence.nature(&condition.source).numbers);
            let now = judgement.measured.map_or("-".to_owned(), |measured| unit.show(measured));
            lines.push(format!("  {} is {now}", output::shown(&condition.value)));
        }
        for (path, _, rules) in account.acting() {
            let matched: u64 = rules.iter().map(|rule| rule.matched).sum();
            let fired: u64 = rules.iter().map(|rule| rule.fired + rule.would_fire).sum();
            lines.push(format!("  {} fired {fired} of {matched}", output::shown(path)));
        }
        let (rows, columns) = Term::stderr().size();
        lines.truncate(usize::from(rows).saturating_sub(2).max(1));
        let width = usize::from(columns).saturating_sub(1).max(1);
        lines.iter().map(|line| truncate_str(line, width, "…").into_owned()).collect()
    }
}
