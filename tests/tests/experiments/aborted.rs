//! Runs that are ended early: by a person in each phase, by a condition of `abort`, by the deadline, or not at all any more,
//! since the runner stands still. The faults go off at once, and what is to be rolled back is.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use injector_tests::{
    cgroup::Scratch,
    clock::{self, Clock},
    patience,
    residue::{Census, Exceptions},
};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::runs::{Run, time};

/// Each word in capitals may be another one than in [`USUAL`].
const EXPERIMENT: &str = r#"
injector: 1
title: To be ended early
deadline: DEADLINE
lab: {services: {web: {run: "SERVICE", ready: {command: "READY", within: 60s}, stop: 4s}}}
TARGETS
probes: {alive: {file: FOLDER/alive, every: 250ms, timeout: 10s}}
steady: {for: LASTING, within: 60s, hold: [alive errors STEADY]}
hypothesis:
  text: It ends when it is told to.
  during: [alive errors < 50%]
  recovery: {within: 60s, settle: 1s, hold: [alive errors AGAIN]}
  after: [alive errors < 50% over AFTER]
method: METHOD
abort: [alive errors > 60% over 1s]
rollback: [{run: "sleep ROLLBACK"}, {run: "touch FOLDER/rolled-back"}]
"#;

const USUAL: [(&str, &str); 10] = [
    ("DEADLINE", "15m"),
    ("SERVICE", "exec sleep 1000"),
    ("READY", "true"),
    ("TARGETS", ""),
    ("LASTING", "1s"),
    ("STEADY", "< 50%"),
    ("AGAIN", "< 50%"),
    ("AFTER", "1s"),
    ("METHOD", "[{fault: still, target: web, process: pause, for: 500ms}]"),
    ("ROLLBACK", "0.1"),
];

/// A run of [`EXPERIMENT`] and the folder that its words speak of.
struct Trial {
    run: Run,
    folder: TempDir,
}

impl Trial {
    fn start(changes: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir_in("/tmp")?;
        fs::write(folder.path().join("alive"), "")?;
        let mut text = EXPERIMENT.to_owned();
        for (word, usual) in USUAL {
            let change = changes.iter().find(|change| change.0 == word);
            text = text.replace(word, change.map_or(usual, |change| change.1));
        }
        let run = Run::start(&text.replace("FOLDER", &folder.path().to_string_lossy()), &[])?;
        Ok(Self { run, folder })
    }

    fn interrupt(&self) -> Result<()> {
        self.run.running().signal(Signal::SIGINT)
    }

    fn acting(&mut self) -> Result<Duration> {
        time(&self.run.until("a fault that acts", |record| record["kind"] == "acting")?["since"])
    }

    fn is_rolled_back(folder: &Path) -> bool {
        folder.join("rolled-back").exists()
    }
}

/// A phase, and what makes it last.
const PHASES: [(&str, &[(&str, &str)]); 8] = [
    ("prepare", &[("READY", "false")]),
    ("before", &[("STEADY", "> 50%")]),
    ("during", &[("METHOD", "[{fault: still, target: web, process: pause, for: 60s}]")]),
    ("recovery", &[("AGAIN", "> 50%")]),
    ("after", &[("AFTER", "40s")]),
    ("rollback", &[("ROLLBACK", "3")]),
    ("verify", &[("LASTING", "3s")]),
    ("stop", &[("SERVICE", "trap '' TERM; while :; do sleep 0.2; done")]),
];

#[test]
fn a_person_ends_it_in_any_phase_and_it_is_rolled_back() -> Result<()> {
    let census = Census::take()?;
    // Some beside each other: each has a lab of its own, and waits most of the time.
    for phases in PHASES.chunks(4) {
        let trials = phases.iter().map(|(phase, changes)| Ok((*phase, Trial::start(changes)?)));
        let mut trials = trials.collect::<Result<Vec<_>>>()?;
        for (phase, trial) in &mut trials {
            trial.run.phase(phase)?;
            if *phase == "during" {
                trial.acting()?;
            }
            trial.interrupt()?;
        }
        for (phase, trial) in trials {
            is_aborted(phase, trial).with_context(|| phase.to_owned())?;
        }
    }
    census.gone(Exceptions::None)?;
    Ok(())
}

/// What has to be said and done of a run that was ended in a phase.
fn is_aborted(phase: &str, trial: Trial) -> Result<()> {
    let Trial { run, folder } = trial;
    let ended = run.end(11)?;
    ensure!(ended.sentence() == "aborted: it was aborted: SIGINT", "{}", ended.sentence());
    ensure!(ended.told("abort") == ["SIGINT"], "{}", ended.report);
    let begun = !["prepare", "before"].contains(&phase);
    ensure!(Trial::is_rolled_back(folder.path()) == begun, "{}", ended.report);
    ensure!(ended.told("rollback").len() == 2 * usize::from(begun), "{}", ended.report);
    ensure!(ended.report["faults"].as_array().is_some_and(|faults| faults.is_empty() != begun));
    Ok(())
}

/// A clock that a run of this fault stops.
fn stopped(fault: &str) -> Result<(Scratch, Clock, Trial, Duration)> {
    let scratch = Scratch::new()?;
    let clock = Clock::start(scratch.path())?;
    let targets = format!("targets: {{clock: {{cgroup: {}}}}}", scratch.path().display());
    let mut trial = Trial::start(&[("TARGETS", &targets), ("METHOD", fault)])?;
    let since = trial.acting()?;
    patience::until("a clock that stands", patience::LONG, || clock.stands())?;
    Ok((scratch, clock, trial, since))
}

/// The first time that a clock tells after a moment.
fn first_after(clock: &Clock, moment: Duration) -> Result<Duration> {
    let mut first = None;
    patience::until("a clock that goes again", patience::LONG, || {
        first = clock.times()?.into_iter().find(|time| *time > moment);
        Ok(first.is_some())
    })?;
    first.context("it stands")
}

/// 100 ms are promised; emulated, a process that is woken takes long to be.
fn at_once() -> Duration {
    let emulated = fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"));
    Duration::from_millis(if emulated { 1500 } else { 100 })
}

#[test]
fn faults_are_off_at_once() -> Result<()> {
    let census = Census::take()?;
    let method = "[{fault: cut, target: web, net: 'udp dport 9 : partition', background: true, for: 60s}, \
                  {fault: still, target: clock, process: pause, for: 60s}]";
    let (scratch, clock, trial, _) = stopped(method)?;
    let asked = clock::now()?;
    trial.interrupt()?;
    let goes = first_after(&clock, asked)?.saturating_sub(asked);
    let ended = trial.run.end(11)?;
    let until = ended.records.iter().filter(|record| record["kind"] == "ended");
    let until = until.map(|record| time(&record["until"])).collect::<Result<Vec<_>>>()?;
    ensure!(until.len() == 2);
    let off = until.into_iter().max().unwrap_or_default().saturating_sub(asked);
    eprintln!("the victim goes {goes:?} after SIGINT, and the last fault was off after {off:?}");
    ensure!(goes < at_once() && off < at_once(), "{goes:?} {off:?}");
    drop((clock, scratch));
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn plans_have_deadlines_of_their_own_where_the_runner_stands_still() -> Result<()> {
    let census = Census::take()?;
    let (scratch, clock, trial, since) = stopped("[{fault: still, target: clock, process: pause, for: 4s}]")?;
    trial.run.running().signal(Signal::SIGSTOP)?;
    let goes = first_after(&clock, clock::now()?)?.saturating_sub(since);
    eprintln!("with the runner stopped the fault of 4 s ends after {goes:?}");
    ensure!((13_000..18_000).contains(&goes.as_millis()), "{goes:?}");
    trial.run.running().signal(Signal::SIGCONT)?;
    let ended = trial.run.end(1)?;
    eprintln!("and when it goes on: {}", ended.sentence());
    drop((clock, scratch));
    census.gone(Exceptions::None)?;
    Ok(())
}

#[test]
fn a_second_signal_a_condition_and_the_deadline() -> Result<()> {
    let census = Census::take()?;
    let lasts = "[{fault: still, target: web, process: pause, for: 60s}]";
    let mut hurried = Trial::start(&[("ROLLBACK", "60"), ("METHOD", lasts)])?;
    let mut condition = Trial::start(&[("METHOD", lasts)])?;
    let over = Trial::start(&[
        ("DEADLINE", "20s"),
        ("METHOD", "[{fault: still, target: web, process: pause}, {until: alive errors > 50%, within: 60s}]"),
    ])?;
    condition.acting()?;
    fs::remove_file(condition.folder.path().join("alive"))?;
    hurried.acting()?;
    hurried.interrupt()?;
    hurried.run.phase("rollback")?;
    hurried.interrupt()?;
    let ended = hurried.run.end(6)?;
    let left_out = |action: &str| format!("{action}: it was left out: a second signal came");
    let touch = format!("touch {}/rolled-back", hurried.folder.path().display());
    ensure!(
        ended.told("rollback") == [left_out("sleep 60"), left_out(&touch)],
        "{:?}",
        ended.told("rollback")
    );
    ensure!(!Trial::is_rolled_back(hurried.folder.path()) && ended.finished.stdout.contains("left out"));
    let reasons = ended.report["reasons"].to_string();
    ensure!(reasons.contains("it was aborted: SIGINT"), "{reasons}");
    let ended = condition.run.end(11)?;
    ensure!(ended.told("abort") == ["`alive errors > 60% over 1s`"], "{:?}", ended.told("abort"));
    ensure!(Trial::is_rolled_back(condition.folder.path()));
    let ended = over.run.end(11)?;
    ensure!(ended.told("abort") == ["the deadline of 20s is over"], "{:?}", ended.told("abort"));
    ensure!(Trial::is_rolled_back(over.folder.path()));
    census.gone(Exceptions::None)?;
    Ok(())
}
