//! All conditions of an experiment, each with the phase in which it is judged.

use std::time::Duration;

use crate::experiment::{
    check::{schedule, visit},
    condition::Condition,
    model::{Experiment, Located, StepKind},
};

/// When a condition is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before anything is broken.
    Before,
    /// While faults act.
    During,
    /// A `check` or an `until` in the method.
    Method,
    /// When the faults are off.
    Recovery,
    /// When the system has recovered.
    After,
    /// All the while; it ends the run.
    Abort,
}

impl Phase {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::During => "during",
            Self::Method => "method",
            Self::Recovery => "recovery",
            Self::After => "after",
            Self::Abort => "abort",
        }
    }
}

/// A condition, when it is judged, and how long that phase is if it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sentence<'a> {
    /// The phase.
    pub(super) phase: Phase,
    /// Its length.
    pub(super) length: Option<Duration>,
    /// The condition.
    pub(super) condition: &'a Located<Condition>,
}

/// All of them in the order of the run. What the hypothesis takes from the steady state is there again.
pub(super) fn sentences(experiment: &Experiment) -> Vec<Sentence<'_>> {
    let mut found = Vec::new();
    let method = schedule::method(experiment);
    let method = method.exact.then_some(method.least);
    if let Some(steady) = &experiment.steady {
        found.extend(of(Phase::Before, Some(steady.lasting), &steady.hold));
    }
    if let Some(hypothesis) = &experiment.hypothesis {
        found.extend(of(Phase::During, method, &hypothesis.during));
    }
    for step in visit::steps(experiment) {
        match &step.kind {
            StepKind::Check(conditions) => found.extend(of(Phase::Method, method, conditions)),
            StepKind::Until { condition, .. } => {
                found.extend(of(Phase::Method, None, std::slice::from_ref(condition)));
            }
            _ => {}
        }
    }
    if let Some(hypothesis) = &experiment.hypothesis {
        if let Some(recovery) = &hypothesis.recovery {
            found.extend(of(Phase::Recovery, Some(recovery.within), &recovery.hold));
        }
        found.extend(of(Phase::After, None, &hypothesis.after));
    }
    found.extend(of(Phase::Abort, None, &experiment.abort));
    found
}

fn of(
    phase: Phase,
    length: Option<Duration>,
    conditions: &[Located<Condition>],
) -> impl Iterator<Item = Sentence<'_>> {
    conditions.iter().map(move |condition| Sentence { phase, length, condition })
}
