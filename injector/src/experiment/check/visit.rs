//! Walks through the steps, however deep.

use crate::experiment::model::{Experiment, Fault, Step, StepKind};

/// All steps, each before those in it.
pub(super) fn steps(experiment: &Experiment) -> Vec<&Step> {
    below(&experiment.method)
}

fn below(steps: &[Step]) -> Vec<&Step> {
    let mut found = Vec::new();
    let mut open: Vec<&Step> = steps.iter().rev().collect();
    while let Some(step) = open.pop() {
        found.push(step);
        match &step.kind {
            StepKind::Parallel(steps) | StepKind::Sequence(steps) | StepKind::Repeat { steps, .. } => {
                open.extend(steps.iter().rev());
            }
            _ => {}
        }
    }
    found
}

/// The faults among them.
fn of_these(steps: Vec<&Step>) -> Vec<(&Step, &Fault)> {
    steps
        .into_iter()
        .filter_map(|step| match &step.kind {
            StepKind::Fault(fault) => Some((step, &**fault)),
            _ => None,
        })
        .collect()
}

/// All faults with their steps.
pub fn faults(experiment: &Experiment) -> Vec<(&Step, &Fault)> {
    of_these(steps(experiment))
}

/// The faults of a step and of those in it.
pub(super) fn inside(step: &Step) -> Vec<(&Step, &Fault)> {
    of_these(below(std::slice::from_ref(step)))
}
