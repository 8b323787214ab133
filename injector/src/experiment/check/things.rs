//! Targets, faults and probes name what is there.

use std::collections::BTreeSet;

use crate::experiment::{
    check::{finding::Findings, visit},
    file::Cause,
    model::{
        Captured, Cut, CutFrom, Experiment, Fault, Located, Network, Part, ProbeKind, ProcessFault, StepKind,
        TargetChoice, Template,
    },
};

/// Looks at all names.
pub(super) fn check(experiment: &Experiment, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for (step, fault) in visit::faults(experiment) {
        if !names.insert(fault.name.as_str()) {
            findings.problem(step.place, Cause::Taken(fault.name.clone()));
        }
        fault.targets.iter().for_each(|target| self::target(experiment, target, findings));
        for part in &fault.parts {
            match part {
                Part::Cut(cut) => self::cut(experiment, fault, cut, findings),
                Part::Process(process) if process.value == ProcessFault::Restart => {
                    restart(experiment, fault, process, findings);
                }
                Part::Process(_) | Part::Rule(_) => {}
            }
        }
    }
    probes(experiment, &names, findings);
    for step in visit::steps(experiment) {
        let StepKind::Set(captures) = &step.kind else { continue };
        for capture in captures {
            if let Captured::Probe(probe) = &capture.from
                && !experiment.probes.contains_key(&probe.value)
            {
                findings.unknown(probe.place, "probe", probe, experiment.probes.keys().map(String::as_str));
            }
        }
    }
}

/// Names of services.
fn services(experiment: &Experiment) -> impl Iterator<Item = &str> {
    experiment.lab.iter().flat_map(|lab| lab.services.keys()).map(String::as_str)
}

/// A name that needs nothing to be filled in.
fn fixed(template: &Template) -> Option<String> {
    template.fill(|_| None).ok()
}

fn target(experiment: &Experiment, target: &Located<Template>, findings: &mut Findings) {
    let Some(name) = fixed(target) else { return };
    let known = || services(experiment).chain(experiment.targets.keys().map(String::as_str));
    if !known().any(|known| known == name) {
        findings.unknown(target.place, "target or service", &name, known());
    }
}

/// Is it in the lab, as far as that is known?
fn in_lab(experiment: &Experiment, target: &Template) -> bool {
    let Some(name) = fixed(target) else { return experiment.lab.is_some() };
    let grouped = matches!(experiment.targets.get(&name), Some(TargetChoice::Services(_)));
    grouped || services(experiment).any(|service| service == name)
}

fn cut(experiment: &Experiment, fault: &Fault, cut: &Cut, findings: &mut Findings) {
    let place = cut.from.place;
    let hosts = experiment.lab.as_ref().is_some_and(|lab| lab.network == Network::Host);
    match &cut.from.value {
        CutFrom::Peers => {
            if fault.targets.iter().any(|target| !in_lab(experiment, target)) {
                let hint = "name those that it is to be cut off from: `from: [db, 10.0.0.5]`";
                findings.senseless(place, "only services of the lab have peers", hint);
            } else if services(experiment).count() < 2 {
                findings.senseless(place, "there is no other service in the lab", "write `from: all`");
            } else if hosts {
                let hint = "leave `network: host` out, so that each service has an address of its own";
                findings.senseless(place, "services on the machine's own network cannot be told apart", hint);
            }
        }
        CutFrom::All => {}
        CutFrom::Named(names) => {
            for name in names.iter().filter_map(fixed) {
                let known: Vec<_> = services(experiment).collect();
                let near = crate::spec::nearest::nearest(&name, known.iter().copied());
                let host = name.contains(['.', ':']) || known.contains(&name.as_str());
                // Any word can be the name of a host; one that is nearly that of a service is none.
                if let (Some(_), false) = (near, host) {
                    findings.unknown(place, "service", &name, known);
                }
            }
        }
    }
}

fn restart(experiment: &Experiment, fault: &Fault, process: &Located<ProcessFault>, findings: &mut Findings) {
    if fault.targets.iter().any(|target| !in_lab(experiment, target)) {
        let hint = "what runs already can be ended with `kill SIGTERM`; whoever started it starts it again";
        findings.senseless(process.place, "only services of the lab can be restarted", hint);
    }
}

fn probes(experiment: &Experiment, faults: &BTreeSet<&str>, findings: &mut Findings) {
    let loads = || experiment.loads.keys().map(String::as_str);
    for probe in experiment.probes.values() {
        match &probe.kind {
            ProbeKind::Counter { fault, .. } if !faults.contains(fault.as_str()) => {
                findings.unknown(fault.place, "fault", fault, faults.iter().copied());
            }
            ProbeKind::Lost { load, .. } if !experiment.loads.contains_key(&load.value) => {
                findings.unknown(load.place, "load", load, loads());
            }
            ProbeKind::Log { of, .. }
                if !of.contains('/') && services(experiment).all(|name| name != of.value) =>
            {
                findings.unknown(of.place, "service", of, services(experiment));
            }
            ProbeKind::Cgroup { of, .. } => {
                let known = || services(experiment).chain(experiment.targets.keys().map(String::as_str));
                if known().all(|name| name != of.value) {
                    findings.unknown(of.place, "target or service", of, known());
                }
            }
            _ => {}
        }
    }
}
