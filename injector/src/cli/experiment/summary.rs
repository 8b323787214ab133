//! What was read from a file, for people and as JSON.

use std::{collections::BTreeMap, time::Duration};

use injector::experiment::{
    check::{self, Expected},
    file::Problem,
    model::{CutFrom, Experiment, Fault, Network, Part, ProcessFault, Way},
};
use serde::Serialize;

use crate::cli::output::shown;

/// An experiment in short.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    /// Version of this list.
    schema: u32,
    title: String,
    /// Null if it is drawn.
    seed: Option<u64>,
    deadline_ns: u128,
    /// With the values of this run; null for secrets.
    parameters: BTreeMap<String, Option<String>>,
    /// The lab's network; null if there is no lab.
    network: Option<String>,
    services: Vec<String>,
    targets: Vec<String>,
    loads: Vec<String>,
    probes: Vec<String>,
    /// From the first step to the end of the last fault.
    method_ns: u128,
    /// Whether it can take longer.
    method_is_exact: bool,
    faults: Vec<PlannedFault>,
    conditions: Vec<Expected>,
    warnings: Vec<Warning>,
    notes: Vec<Note>,
}

#[derive(Debug, Serialize)]
struct PlannedFault {
    name: String,
    line: u32,
    targets: Vec<String>,
    parts: Vec<String>,
    /// Null for the rest of the method.
    for_ns: Option<u128>,
    background: bool,
}

#[derive(Debug, Serialize)]
struct Warning {
    line: u32,
    column: u32,
    message: String,
    hint: String,
}

#[derive(Debug, Serialize)]
struct Note {
    fault: String,
    note: String,
}

impl Summary {
    pub(super) fn of(experiment: &Experiment, warnings: &[Problem], notes: &[(String, String)]) -> Self {
        let method = check::schedule::method(experiment);
        let parameters = experiment.parameters.iter();
        let parameters = parameters
            .map(|(name, parameter)| (name.clone(), (!parameter.secret).then(|| parameter.value.clone())));
        let lab = experiment.lab.as_ref();
        Self {
            schema: 1,
            title: experiment.title.clone(),
            seed: experiment.seed,
            deadline_ns: experiment.deadline.as_nanos(),
            parameters: parameters.collect(),
            network: lab.map(|lab| match lab.network {
                Network::Host => "host".to_owned(),
                Network::Private(net) => net.to_string(),
            }),
            services: lab.iter().flat_map(|lab| lab.services.keys().cloned()).collect(),
            targets: experiment.targets.keys().cloned().collect(),
            loads: experiment.loads.keys().cloned().collect(),
            probes: experiment.probes.keys().cloned().collect(),
            method_ns: method.least.as_nanos(),
            method_is_exact: method.exact,
            faults: check::faults(experiment)
                .into_iter()
                .map(|(step, fault)| planned(step.place.line, fault))
                .collect(),
            conditions: check::expected(experiment),
            warnings: warnings.iter().map(warning).collect(),
            notes: notes
                .iter()
                .map(|(fault, note)| Note { fault: fault.clone(), note: note.clone() })
                .collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut lines = vec![shown(&self.title)];
        let mut line = |head: &str, text: String| lines.push(format!("  {head:<10}{}", shown(text)));
        line("seed", self.seed.map_or_else(|| "drawn when it runs".to_owned(), |seed| seed.to_string()));
        line("deadline", time(self.deadline_ns));
        for (name, value) in &self.parameters {
            line("parameter", format!("{name} = {}", value.as_deref().unwrap_or("(secret)")));
        }
        if let Some(network) = &self.network {
            let network = if network == "host" { "the machine's network" } else { network };
            line("lab", format!("{} on {network}", self.services.join(", ")));
        }
        for (head, names) in [("targets", &self.targets), ("load", &self.loads), ("probes", &self.probes)] {
            if !names.is_empty() {
                line(head, names.join(", "));
            }
        }
        let longer = if self.method_is_exact { "" } else { " or longer" };
        line("method", format!("{}{longer}", time(self.method_ns)));
        for PlannedFault { name, targets, parts, for_ns, background, .. } in &self.faults {
            let lasting = for_ns.map_or_else(String::new, |lasting| format!(" for {}", time(lasting)));
            let background = if *background { ", beside what follows" } else { "" };
            line("fault", format!("{name} on {}{lasting}{background}", targets.join(", ")));
            for part in parts {
                line("", format!("  {part}"));
            }
        }
        let width = self.conditions.iter().map(|expected| expected.condition.chars().count()).max();
        for expected in &self.conditions {
            let Expected { phase, condition, .. } = expected;
            line(
                phase.name(),
                format!("{condition:<width$}  {}", samples(expected), width = width.unwrap_or(0)),
            );
        }
        lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// `200 samples; 20 needed, 59 for confidence`.
fn samples(Expected { samples, needed, confident, .. }: &Expected) -> String {
    let Some(samples) = samples else { return String::new() };
    let needed = if *needed > 1 { format!("; {needed} needed") } else { String::new() };
    let confident =
        confident.map_or_else(String::new, |number| format!("; {number} for a confident verdict"));
    let word = if *samples == 1 { "sample" } else { "samples" };
    format!("{samples} {word}{needed}{confident}")
}

fn time(nanoseconds: u128) -> String {
    let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    humantime::format_duration(time).to_string()
}

fn warning(problem: &Problem) -> Warning {
    let place = problem.mark.place;
    Warning { line: place.line, column: place.column, message: problem.message(), hint: problem.hint() }
}

fn planned(line: u32, fault: &Fault) -> PlannedFault {
    PlannedFault {
        name: fault.name.clone(),
        line,
        targets: fault.targets.iter().map(|target| target.to_string()).collect(),
        parts: fault.parts.iter().map(part).collect(),
        for_ns: fault.lasting.map(|time| time.as_nanos()),
        background: fault.background,
    }
}

fn part(part: &Part) -> String {
    match part {
        Part::Rule(rule) => format!("{}={}", rule.grammar, rule.text),
        Part::Cut(cut) => {
            let from = match &cut.from.value {
                CutFrom::Peers => "all other services".to_owned(),
                CutFrom::All => "everybody".to_owned(),
                CutFrom::Named(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            };
            let way = match cut.way {
                Way::Both => "",
                Way::Out => ", what it sends only",
                Way::In => ", what it is sent only",
            };
            format!("cut off from {from}{way}")
        }
        Part::Process(process) => match process.value {
            ProcessFault::Pause => "pause".to_owned(),
            ProcessFault::Kill(signal) => format!("kill {signal}"),
            ProcessFault::Restart => "restart".to_owned(),
        },
    }
}
