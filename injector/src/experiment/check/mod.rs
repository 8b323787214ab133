//! What can be said of an experiment before it runs: that a condition names nothing, that a window has too few samples,
//! that times do not fit. Pure but for [`kernel`], which plans every fault against the kernel at hand.

mod conditions;
mod finding;
pub mod kernel;
mod samples;
pub mod schedule;
mod sentences;
#[cfg(test)]
mod tests;
mod things;
mod times;
mod varied;
mod visit;

pub use self::{
    finding::{Finding, Severity},
    samples::{Expected, expected},
    sentences::Phase,
    visit::faults,
};
use crate::experiment::{
    check::finding::Findings,
    model::{Experiment, Place},
};

/// Looks at everything; problems and warnings in the order of the file.
pub fn check(experiment: &Experiment) -> Vec<Finding> {
    let mut findings = Findings::default();
    things::check(experiment, &mut findings);
    conditions::check(experiment, &mut findings);
    samples::check(experiment, &mut findings);
    times::check(experiment, &mut findings);
    worth(experiment, &mut findings);
    let mut found = findings.0;
    found.sort_by_key(|finding| finding.place);
    found.dedup();
    found
}

/// What an experiment should have to be one.
fn worth(experiment: &Experiment, findings: &mut Findings) {
    let place = Place { line: 1, column: 1 };
    if experiment.hypothesis.is_none() {
        let hint = "add a `hypothesis`: what you believe, and conditions that tell whether it is so";
        findings.warning(place, "nothing is believed, and so nothing is judged", hint);
    } else if sentences::sentences(experiment).is_empty() {
        let hint = "add conditions to `steady` or to the hypothesis";
        findings.warning(place, "there is no condition, and so nothing is judged", hint);
    }
    if faults(experiment).is_empty() {
        findings.warning(place, "nothing is broken", "add a step with `fault` to the method");
    }
}
