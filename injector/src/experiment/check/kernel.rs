//! Every fault planned against the kernel at hand, as `--dry-run` does: mechanisms are tried, nothing stays attached.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    engine::{EngineError, Injector},
    experiment::{
        check::{varied, visit},
        model::{Experiment, Fault, Part, Place, ProcessFault, Way},
    },
    plan::Options,
    spec::{SpecError, model::Rule},
};

/// What an address is taken for until it is known (RFC 5737).
const STAND_IN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A fault that cannot be had here.
#[derive(Debug)]
pub struct Refused {
    /// Its name.
    pub fault: String,
    /// Where it is in the file.
    pub place: Place,
    /// Why.
    pub error: EngineError,
}

/// Those that cannot be had, and notes on those that can.
#[derive(Debug, Default)]
pub struct Planned {
    /// Those that cannot.
    pub refused: Vec<Refused>,
    /// What there is to note, by fault.
    pub notes: Vec<(String, String)>,
}

/// Plans all faults. Whom they are aimed at is not looked at: that may not run yet.
pub fn plan(experiment: &Experiment) -> Planned {
    let mut planned = Planned::default();
    for (step, fault) in visit::faults(experiment) {
        let rules = rules(fault);
        if rules.is_empty() {
            continue;
        }
        match one(experiment, rules) {
            Ok(notes) => planned.notes.extend(notes.into_iter().map(|note| (fault.name.clone(), note))),
            Err(error) => {
                planned.refused.push(Refused { fault: fault.name.clone(), place: step.place, error });
            }
        }
    }
    planned
}

fn one(experiment: &Experiment, rules: Vec<Rule>) -> Result<Vec<String>, EngineError> {
    let names = experiment.lab.iter().flat_map(|lab| lab.services.keys());
    // Rules may name services, whose addresses are not known yet.
    let options = names.fold(Options::default(), |options, name| options.host(name, [IpAddr::V4(STAND_IN)]));
    let injector = rules.into_iter().fold(Injector::new()?, Injector::rule);
    Ok(injector.plan(options)?.notes)
}

/// The rules of a fault, each at the end of what varies in it, and what cuts and processes become.
fn rules(fault: &Fault) -> Vec<Rule> {
    let steps = varied::values(fault).unwrap_or_default();
    let (first, last) =
        (steps.first().cloned().unwrap_or_default(), steps.last().cloned().unwrap_or_default());
    let mut rules = Vec::new();
    for part in &fault.parts {
        match part {
            Part::Rule(rule) => {
                let values = if rule.is_idle(&last) { &first } else { &last };
                // One with a captured name in it may be no rule yet.
                rules.extend(rule.rule(|_| Some(STAND_IN.to_string()), values).ok());
            }
            Part::Cut(cut) => {
                let out = (cut.way != Way::In).then(|| format!("net=egress to {STAND_IN} : partition"));
                let inward =
                    (cut.way != Way::Out).then(|| format!("net=ingress from {STAND_IN} : partition"));
                let read = |text: String| -> Result<Rule, SpecError> { text.parse() };
                rules.extend([out, inward].into_iter().flatten().filter_map(|text| read(text).ok()));
            }
            Part::Process(process) => {
                let text = match process.value {
                    ProcessFault::Pause => "process=pause".to_owned(),
                    ProcessFault::Kill(signal) => format!("process=kill {signal}"),
                    ProcessFault::Restart => continue,
                };
                rules.extend(text.parse().ok());
            }
        }
    }
    rules
}
