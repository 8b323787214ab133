//! Times that fit together: faults that vary and pulse, the whole within its deadline.

use std::time::Duration;

use crate::experiment::{
    check::{finding::Findings, schedule, varied, visit},
    file::Cause,
    model::{Experiment, Fault, Part, Place, Step, Vary},
    schedule::stages,
};

/// Looks at all times.
pub(super) fn check(experiment: &Experiment, findings: &mut Findings) {
    for (step, fault) in visit::faults(experiment) {
        pulse(step, fault, findings);
        for (name, vary) in &fault.vary {
            self::vary(fault, name, vary, findings);
        }
        rules(fault, findings);
    }
    without_end(experiment, findings);
    let (needed, deadline) = (schedule::run(experiment), experiment.deadline);
    if needed > deadline {
        let (needed, deadline) = (text(needed), text(deadline));
        let place = experiment.method.first().map_or(Place { line: 1, column: 1 }, |step| step.place);
        let message = format!("the run takes {needed} at least, and its deadline is {deadline}");
        findings.senseless(place, message, "give it a later `deadline`, or shorter steps");
    }
    if let Some(steady) = experiment.steady.as_ref().filter(|steady| steady.lasting > steady.within) {
        let place = steady.hold.first().map_or(Place { line: 1, column: 1 }, |condition| condition.place);
        let (lasting, within) = (text(steady.lasting), text(steady.within));
        let message = format!("the steady state cannot hold for {lasting} within {within}");
        findings.senseless(place, message, "make `within` of `steady` longer than its `for`");
    }
    let recovery = experiment.hypothesis.as_ref().and_then(|hypothesis| hypothesis.recovery.as_ref());
    if let Some(recovery) = recovery {
        let place = recovery.hold.first().map(|condition| condition.place);
        let place = place.or(experiment.method.first().map(|step| step.place));
        let place = place.unwrap_or(Place { line: 1, column: 1 });
        if recovery.hold.is_empty() {
            let message = "nothing says what recovery is";
            findings.senseless(place, message, "add `hold` to `recovery`, or a `steady` state");
        }
        if recovery.settle > recovery.within {
            let (settle, within) = (text(recovery.settle), text(recovery.within));
            let message = format!("recovery cannot hold for {settle} within {within}");
            findings.senseless(place, message, "make `within` of `recovery` longer, or `settle` shorter");
        }
    }
}

fn text(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

fn pulse(step: &Step, fault: &Fault, findings: &mut Findings) {
    let Some(pulse) = fault.pulse else { return };
    if let Some(lasting) = fault.lasting.filter(|lasting| pulse.active >= *lasting) {
        let message = format!(
            "a pulse of {} is no shorter than the {} for which `{}` acts",
            text(pulse.active),
            text(lasting),
            fault.name
        );
        findings.senseless(step.place, message, "make `active` shorter, or leave `pulse` out");
    }
    if schedule::is_instant(fault) {
        let hint = "leave `pulse` out, and put the step into `repeat`";
        findings.senseless(step.place, format!("`{}` is done once, and cannot pulse", fault.name), hint);
    }
}

fn vary(fault: &Fault, name: &str, vary: &Vary, findings: &mut Findings) {
    if let Err(error) = stages(vary, fault.lasting.unwrap_or_default()) {
        findings.senseless(vary.to.place, error.to_string(), error.hint());
    }
    match (vary.over, fault.lasting) {
        (Some(over), Some(lasting)) if over > lasting => {
            let message =
                format!("`{name}` changes over {}, and the fault acts for {}", text(over), text(lasting));
            findings.senseless(vary.from.place, message, "make `over` shorter, or `for` longer");
        }
        (None, None) => {
            let message = format!("nothing says over which time `{name}` changes");
            findings.senseless(vary.from.place, message, "add `over`, or `for` to the fault");
        }
        _ => {}
    }
    let written = format!("{{{name}}}");
    let used = |part: &Part| matches!(part, Part::Rule(rule) if rule.text.to_string().contains(&written));
    if !fault.parts.iter().any(used) {
        let message = format!("no rule of `{}` has {written}", fault.name);
        findings.senseless(vary.from.place, message, "write it where the number belongs, or leave it out");
    }
}

/// The rules at each step of what varies; as they begin they have been read before.
fn rules(fault: &Fault, findings: &mut Findings) {
    // What is wrong with the numbers is told with them.
    let Ok(steps) = varied::values(fault) else { return };
    for part in &fault.parts {
        let Part::Rule(rule) = part else { continue };
        // Names that are captured may be anything.
        if rule.text.names().any(|name| !name.contains('.') && name != "run" && name != "seed") {
            continue;
        }
        for values in steps.iter().skip(1).filter(|values| !rule.is_idle(values)) {
            if let Err(error) = rule.rule(|_| Some(STAND_IN.to_owned()), values) {
                let shown: Vec<_> = values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                let message = format!("with {} it is no rule: {}", shown.join(", "), error.problem());
                findings.senseless(rule.place, message, error.hint());
                break;
            }
        }
    }
}

/// What an address is taken for until it is known (RFC 5737).
const STAND_IN: &str = "192.0.2.1";

/// Faults that act to the end of a method that ends at once.
fn without_end(experiment: &Experiment, findings: &mut Findings) {
    for (index, step) in experiment.method.iter().enumerate() {
        let faults = visit::inside(step);
        for (step, fault) in faults.into_iter().filter(|(_, fault)| fault.lasting.is_none()) {
            let rest = schedule::rest(&experiment.method[index..]);
            if !schedule::is_instant(fault) && rest.exact && rest.least.is_zero() {
                let cause = Cause::Senseless {
                    message: format!("`{}` acts to the end of the method, which comes at once", fault.name),
                    hint: "add `for: 30s` or another time, or steps behind it".to_owned(),
                };
                findings.problem(step.place, cause);
            }
        }
    }
}
