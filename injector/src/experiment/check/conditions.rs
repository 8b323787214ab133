//! Conditions name a load or a probe, and measure what it has.

use crate::{
    experiment::{
        check::{
            finding::Findings,
            sentences::{Phase, Sentence, sentences},
        },
        condition::{Bound, Condition, Measure},
        file::Cause,
        model::{Experiment, Place, Probe, ProbeKind},
    },
    spec::nearest::nearest,
};

/// Looks at all conditions.
pub(super) fn check(experiment: &Experiment, findings: &mut Findings) {
    for Sentence { phase, condition, .. } in sentences(experiment) {
        if !source(experiment, condition, condition.place, findings) {
            continue;
        }
        let before =
            [Phase::Before, Phase::During].contains(&phase) && is_steady(experiment, condition.place);
        if before && matches!(condition.bound, Bound::OfBefore(_)) {
            let hint = "use it under `during`, `recovery`, `after` or `abort`";
            findings.senseless(condition.place, "there is nothing before the steady state", hint);
        }
        let lost = experiment.probes.get(&condition.source);
        if lost.is_some_and(|probe| matches!(probe.kind, ProbeKind::Lost { .. })) && phase != Phase::After {
            let message = format!("`{}` is counted only when the run is over", condition.source);
            findings.senseless(condition.place, message, "judge it under `after` of the hypothesis");
        }
    }
}

fn is_steady(experiment: &Experiment, place: Place) -> bool {
    experiment.steady.iter().flat_map(|steady| &steady.hold).any(|condition| condition.place == place)
}

/// Does the load or probe exist, and has it what is measured?
fn source(experiment: &Experiment, condition: &Condition, place: Place, findings: &mut Findings) -> bool {
    let Experiment { loads, probes, .. } = experiment;
    let name = &condition.source;
    if let Some(load) = loads.get(name) {
        if condition.measure == Measure::Value {
            let hint = "loads have errors, outage, count, rate, burn, and times such as p99";
            findings.senseless(place, format!("the load `{name}` has no number of its own"), hint);
        } else if condition.measure == Measure::Burn && load.slo.is_none() {
            let hint = "add `slo: 99.5%` or another share to the load";
            findings.senseless(place, format!("`burn` needs the share that `{name}` promises"), hint);
        } else {
            measure(condition, None, place, findings);
        }
        return true;
    }
    if let Some(probe) = probes.get(name) {
        if condition.measure == Measure::Burn {
            let hint = "burn is of a load with `slo`";
            findings.senseless(place, format!("the probe `{name}` promises no share"), hint);
        } else if condition.measure == Measure::Value && !probe.has_numbers() {
            let hint = "add `value: number` (or rate, json PATH, regex RE) to the probe";
            findings.senseless(place, format!("the probe `{name}` has no number"), hint);
        } else {
            measure(condition, Some(probe), place, findings);
        }
        return true;
    }
    let known = || loads.keys().chain(probes.keys()).map(String::as_str);
    let near = nearest(name, known());
    let hint = match known().next() {
        None => "declare it under `load` or `probes`; the file has none".to_owned(),
        Some(_) => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    };
    let what = "load or probe";
    findings.problem(place, Cause::UnknownName { what, name: name.clone(), near, hint });
    false
}

/// Is the measure compared with a value of its kind, in its unit?
fn measure(condition: &Condition, probe: Option<&Probe>, place: Place, findings: &mut Findings) {
    let Condition { source, measure, bound, .. } = condition;
    let unit = probe.and_then(|probe| probe.unit.as_deref());
    let numbers = probe.is_some_and(Probe::has_numbers);
    match bound {
        Bound::Time(_) if measure.is_statistic() && numbers => {
            let written = unit.map_or_else(String::new, |unit| format!(" ({unit})"));
            let hint = format!("compare its numbers{written}: `{source} {measure} < 100`");
            findings.senseless(place, format!("`{source}` has numbers, and no times"), hint);
        }
        Bound::Number { .. } if measure.is_statistic() && !numbers => {
            let hint = if probe.is_some() {
                "write a time with its unit, such as 500ms, or add `value:` to the probe"
            } else {
                "write a time with its unit, such as 500ms"
            };
            findings.senseless(place, format!("`{measure}` of `{source}` is a time"), hint);
        }
        Bound::Number { unit: Some(written), .. } => {
            let own = if *measure == Measure::Rate { Some("/s") } else { unit };
            if own != Some(written.as_str()) {
                let hint = match own {
                    Some(own) => format!("write {own}, or no unit"),
                    None => format!("write no unit, or add `unit: {written}` to the probe"),
                };
                findings.senseless(place, format!("`{measure}` of `{source}` is not in {written}"), hint);
            }
        }
        _ => {}
    }
}
