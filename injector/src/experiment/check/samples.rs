//! How many samples each condition will be judged on, and how many it takes.

use std::time::Duration;

use serde::Serialize;

use crate::experiment::{
    check::{
        finding::Findings,
        sentences::{Phase, Sentence, sentences},
    },
    condition::{Bound, Comparison, Condition, Measure},
    model::{Experiment, ProbeKind},
};

/// What a condition will be judged on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expected {
    /// When it is judged.
    pub phase: Phase,
    /// The condition.
    pub condition: String,
    /// Samples that are expected in its window; none where that cannot be told.
    pub samples: Option<u64>,
    /// Fewer say nothing.
    pub needed: u64,
    /// With so many at least can it be held with the confidence that the file asks for, or else with 95 %.
    pub confident: Option<u64>,
}

/// Of all conditions.
pub fn expected(experiment: &Experiment) -> Vec<Expected> {
    sentences(experiment).into_iter().map(|sentence| of(experiment, &sentence)).collect()
}

fn of(experiment: &Experiment, Sentence { phase, length, condition }: &Sentence<'_>) -> Expected {
    let window = condition.over.or(*length).filter(|window| !window.is_zero());
    let confidence = experiment.hypothesis.as_ref().and_then(|hypothesis| hypothesis.confidence);
    Expected {
        phase: *phase,
        condition: condition.to_string(),
        samples: per_second(experiment, condition).zip(window).map(|(rate, window)| in_window(rate, window)),
        needed: condition.measure.samples_needed(),
        confident: confident(condition, confidence.unwrap_or(0.95)),
    }
}

/// Samples per second, where they come at a fixed rate.
fn per_second(experiment: &Experiment, condition: &Condition) -> Option<f64> {
    if let Some(load) = experiment.loads.get(&condition.source) {
        return Some(load.rate);
    }
    let probe = experiment.probes.get(&condition.source)?;
    let fixed = !matches!(probe.kind, ProbeKind::Log { .. } | ProbeKind::Lost { .. });
    fixed.then(|| 1.0 / probe.every.as_secs_f64())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn in_window(rate: f64, window: Duration) -> u64 {
    // A rate such as 1/0.1 is a little more than it should be, or less.
    (rate * window.as_secs_f64() + 1e-6).floor() as u64
}

/// The least number of samples with which the bound of this confidence can lie on the right side: all of them are good.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
fn confident(condition: &Condition, confidence: f64) -> Option<u64> {
    let upper = matches!(condition.comparison, Comparison::Less | Comparison::AtMost);
    // The share of samples that may be anything.
    let share = match (condition.measure, &condition.bound) {
        (Measure::Percentile(_), _) => condition.measure.quantile()?,
        (Measure::Errors, Bound::Share(share)) if upper && *share > 0.0 && *share < 1.0 => 1.0 - share,
        _ => return None,
    };
    Some(((1.0 - confidence).ln() / share.ln()).ceil() as u64)
}

/// Conditions whose windows are too short, or longer than their phase.
pub(super) fn check(experiment: &Experiment, findings: &mut Findings) {
    let confidence = experiment.hypothesis.as_ref().and_then(|hypothesis| hypothesis.confidence);
    for sentence in sentences(experiment) {
        let Sentence { phase, length, condition } = sentence;
        if let (Some(over), Some(length)) = (condition.over, length)
            && over > length
            && phase != Phase::Method
        {
            let time = |time| humantime::format_duration(time).to_string();
            let message = format!(
                "a window of {} does not fit into the {} phase, which is {} long",
                time(over),
                phase.name(),
                time(length)
            );
            let hint =
                format!("leave `over {}` out for the whole phase, or make the phase longer", time(over));
            findings.senseless(condition.place, message, hint);
            continue;
        }
        let Expected { samples: Some(samples), needed, confident, .. } = of(experiment, &sentence) else {
            continue;
        };
        let judged = confidence.filter(|_| phase != Phase::Abort && phase != Phase::Before);
        let needed_here = judged.and(confident).map_or(needed, |confident| confident.max(needed));
        if samples < needed_here {
            findings.senseless(
                condition.place,
                told(experiment, &sentence, (samples, needed, confident), confidence.unwrap_or(0.95)),
                "ask more often, or make the window longer",
            );
        }
    }
}

/// `p99 over 10s at 5/s has 50 samples, needs 100; 299 for 95 %`.
fn told(
    experiment: &Experiment,
    Sentence { phase, condition, .. }: &Sentence<'_>,
    (samples, needed, confident): (u64, u64, Option<u64>),
    confidence: f64,
) -> String {
    let window = match condition.over {
        Some(over) => format!("over {}", humantime::format_duration(over)),
        None => format!("over the {} phase", phase.name()),
    };
    let rate = per_second(experiment, condition).unwrap_or_default();
    let rate = (rate * 1000.0).round() / 1000.0;
    let percent = (confidence * 1e6).round() / 1e4;
    let confident = confident.map_or_else(String::new, |confident| format!("; {confident} for {percent} %"));
    format!("`{}` {window} at {rate}/s has {samples} samples, needs {needed}{confident}", condition.measure)
}
