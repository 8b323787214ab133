//! Reports of journals that were made up: each verdict, and that a run that was killed never held.

use std::collections::BTreeMap;

use super::{Report, Verdict, of};
use crate::experiment::{
    file::{self, Given},
    journal::{Moment, Phase, Record, RuleCounters, StepEnd},
    judge::SECOND,
    model::Experiment,
    sample::{Batch, Outcome, Sample},
};

const FILE: &str = "
injector: 1
title: a test
targets: {victim: {pid: 4711}}
load: {writes: {each: 'true', rate: 10/s}}
steady: {for: 2s, hold: ['writes errors < 1%']}
hypothesis:
  text: It goes on.
  during: ['writes errors < 40% over 2s', 'writes outage < 3s']
  recovery: {within: 5s, settle: 2s}
method: [{fault: worse, target: victim, net: 'udp : loss 5%', for: 4s}]
";

fn experiment() -> Experiment {
    file::read("test.yaml", FILE, &Given::default()).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The moments of a run, which begins at 100 s: 3 s before, 4 s during, 3 s of recovery.
struct Journal(Vec<Moment>);

impl Journal {
    fn at(&mut self, second: u64, record: Record) {
        self.0.push(Moment { at: (100 + second) * SECOND, record });
    }

    /// A second of ten operations that take 20 ms, of which the first `bad` are bad.
    fn second(&mut self, phase: Phase, begin: u64, second: u32, bad: u64) {
        let from = (100 + begin) * SECOND + u64::from(second) * SECOND;
        let mut batch = Batch::default();
        for number in 0..10 {
            let due = from + number * SECOND / 10;
            let outcome = if number < bad { Outcome::Bad("exit 1".into()) } else { Outcome::Good(None) };
            batch.add(&Sample { number, due, start: due, end: due + 20_000_000, outcome });
        }
        let at = begin + u64::from(second) + 1;
        self.at(at, Record::Samples { source: "writes".into(), phase, second, batch });
    }

    /// A whole run in which so many of each second's operations are bad during the fault, and `fired` faults happen.
    fn run(bad: u64, fired: u64) -> Self {
        let mut this = Self(Vec::new());
        this.at(
            0,
            Record::Begun {
                version: "1".into(),
                run: "r".into(),
                wall: 0.0,
                seed: 7,
                parameters: BTreeMap::new(),
                text: FILE.into(),
                monitor: false,
            },
        );
        this.at(0, Record::Phase { phase: Phase::Prepare });
        this.at(1, Record::Phase { phase: Phase::Before });
        (0..3).for_each(|second| this.second(Phase::Before, 1, second, 0));
        this.at(4, Record::Phase { phase: Phase::During });
        let path = || "worse".to_owned();
        this.at(4, Record::Step { path: path(), due: 104 * SECOND, what: "fault".into(), note: None });
        this.at(4, Record::Acting { path: path(), since: 104 * SECOND, rules: vec!["udp : loss 5%".into()] });
        (0..4).for_each(|second| this.second(Phase::During, 4, second, bad));
        let rule = RuleCounters {
            rule: "udp : loss 5%".into(),
            matched: 40,
            fired,
            would_fire: 0,
            suppressed: BTreeMap::new(),
        };
        this.at(8, Record::Counters { path: path(), fault: path(), rules: vec![rule] });
        this.at(8, Record::Ended { path: path(), end: StepEnd::Done, until: 108 * SECOND });
        this.at(8, Record::Phase { phase: Phase::Recovery });
        (0..3).for_each(|second| this.second(Phase::Recovery, 8, second, u64::from(second == 0)));
        this.at(11, Record::Phase { phase: Phase::Stop });
        this.at(11, Record::Finished);
        this
    }

    fn report(&self) -> Report {
        of(&experiment(), &self.0)
    }

    /// The same with a record before the last phase.
    fn with(mut self, record: Record) -> Self {
        let at = self.0.len() - 2;
        self.0.insert(at, Moment { at: 111 * SECOND, record });
        self
    }
}

#[test]
fn what_was_believed_held() {
    let report = Journal::run(1, 3).report();
    assert_eq!((report.verdict, report.code), (Verdict::Held, 0), "{:?}", report.reasons);
    // The last bad operation was in the first second after the fault.
    assert_eq!(report.recovery.recovered_after, Some(1.0));
    assert_eq!(report.recovery.detected_after, None);
    let during = report.sources[0].phases.get(&Phase::During).map(|figures| (figures.samples, figures.good));
    assert_eq!(during, Some((40, 36)));
}

#[test]
fn it_did_not_hold_and_the_number_that_decided_is_told() {
    let report = Journal::run(5, 3).report();
    assert_eq!(report.code, 10, "{:?}", report.reasons);
    assert_eq!(report.sentence, "not held: `writes errors < 40% over 2s` was 50% (n = 20) at 00:06");
    assert_eq!(report.recovery.detected_after, Some(2.0));
}

#[test]
fn a_window_that_the_phase_cuts_off_is_none() {
    let mut journal = Journal::run(1, 3);
    let end = journal.0.iter().position(|moment| moment.record == Record::Phase { phase: Phase::Recovery });
    let end = end.unwrap_or_else(|| panic!("no recovery"));
    // The phase is half a second longer, in which everything fails.
    journal.0[end..].iter_mut().for_each(|moment| moment.at += SECOND / 2);
    let mut bad = Journal(Vec::new());
    bad.second(Phase::During, 4, 4, 10);
    let moment = Moment { at: 108 * SECOND + SECOND / 2, ..bad.0.remove(0) };
    journal.0.insert(end, moment);
    let report = journal.report();
    assert_eq!(report.code, 0, "{:?}", report.reasons);
    let window = report.conditions.iter().find(|one| one.condition.contains("over 2s"));
    assert_eq!(window.map(|window| (window.begin, window.end)), Some((6.0, 8.0)));
}

#[test]
fn an_outage_is_counted_across_seconds() {
    let mut journal = Journal::run(1, 3);
    let all_bad = |moment: &mut Moment| {
        if let Record::Samples { phase: Phase::During, batch, .. } = &mut moment.record {
            (batch.good, batch.stretch) = (0, None);
        }
    };
    journal.0.iter_mut().for_each(all_bad);
    let outage = journal.report().conditions.iter().find(|one| one.condition.contains("outage")).cloned();
    assert_eq!(outage.and_then(|outage| outage.measured), Some(4.0));
}

#[test]
fn a_fault_that_never_fired_proves_nothing() {
    let report = Journal::run(0, 0).report();
    assert_eq!((report.verdict, report.code), (Verdict::Inconclusive, 1));
    assert!(report.sentence.contains("worse never fired: its rules matched 40"), "{}", report.sentence);
}

#[test]
fn the_weightiest_of_several_is_the_verdict_and_all_are_told() {
    let abort = Record::Abort { reason: "SIGINT".into(), asked: true };
    let report = Journal::run(5, 0).with(abort).report();
    assert_eq!(report.code, 11);
    assert_eq!(report.reasons.iter().map(|reason| reason.code).collect::<Vec<_>>(), [11, 10, 1]);
    let unclean = Record::Unclean { what: "a cgroup".into() };
    assert_eq!(Journal::run(5, 0).with(unclean).report().code, 6);
}

#[test]
fn a_run_that_was_killed_at_any_moment_has_a_report_and_never_held() {
    let whole = Journal::run(1, 3).0;
    let experiment = experiment();
    for length in 0..whole.len() {
        let report = of(&experiment, &whole[..length]);
        assert_ne!(report.code, 0, "after {length} records");
        let killed = report.reasons.iter().any(|reason| reason.text.starts_with("the runner was killed"));
        assert!(killed, "after {length} records: {:?}", report.reasons);
    }
}
