//! How the system came back: when it was broken, when that showed, and how long it took to recover. Pure.

use std::time::Duration;

use crate::experiment::{
    journal::Phase,
    judge::{Judge, SECOND, Truth, seconds},
    model::Experiment,
    report::{Account, Reason, RecoveryReport},
};

/// How long it must hold where there is no `recovery` key.
const SETTLE: Duration = Duration::from_secs(5);

/// What can be said of it.
pub(super) fn of(account: &Account, experiment: &Experiment, judge: Judge<'_>) -> RecoveryReport {
    let Some((broken, _)) = account.evidence.phase(Phase::During) else { return RecoveryReport::default() };
    let healed =
        account.steps.values().filter(|step| step.fault.is_some()).filter_map(|step| step.until).max();
    let during = experiment.hypothesis.iter().flat_map(|hypothesis| &hypothesis.during);
    let violated = during
        .map(|condition| judge.phase(condition, Phase::During))
        .filter(|judgement| judgement.truth == Truth::False)
        .map(|judgement| judgement.end)
        .min();
    let wanted = experiment.hypothesis.as_ref().and_then(|hypothesis| hypothesis.recovery.as_ref());
    let steady = experiment.steady.as_ref().map(|steady| steady.hold.as_slice());
    let hold = wanted.map(|recovery| recovery.hold.as_slice()).or(steady).unwrap_or_default();
    let settle = wanted.map_or(SETTLE, |recovery| recovery.settle);
    let recovered = account.evidence.phase(Phase::Recovery).and_then(|(begin, _)| {
        let second = judge.held_from(hold, Phase::Recovery, settle)?;
        Some(begin + u64::from(second) * SECOND)
    });
    RecoveryReport {
        broken: Some(account.time(broken)),
        healed: healed.map(|at| account.time(at)),
        detected_after: violated.map(|at| seconds(at.saturating_sub(broken))),
        recovered_after: recovered.zip(healed).map(|(at, healed)| seconds(at.saturating_sub(healed))),
        healed_under_fault: violated.is_some()
            && recovered.zip(healed).is_some_and(|(at, healed)| at <= healed),
    }
}

/// A recovery that was asked for and did not come.
pub(super) fn reason(account: &Account, experiment: &Experiment, report: &RecoveryReport) -> Option<Reason> {
    let wanted = experiment.hypothesis.as_ref()?.recovery.as_ref()?;
    let (begin, end) = account.evidence.phase(Phase::Recovery)?;
    let within = humantime::format_duration(wanted.within);
    match report.recovered_after {
        Some(after) if after <= wanted.within.as_secs_f64() => None,
        Some(after) => Some(Reason {
            code: 10,
            text: format!("it recovered after {after:.1}s, and not within {within}"),
        }),
        // The run ended before that could be said.
        None if end.saturating_sub(begin) < crate::clock::nanoseconds(wanted.within) => Some(Reason {
            code: 1,
            text: format!("the run ended before it recovered, or {within} were over"),
        }),
        None => Some(Reason { code: 10, text: format!("it did not recover within {within}") }),
    }
}
