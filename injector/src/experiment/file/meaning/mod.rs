//! What the file says: from its keys and values to the model. All that is wrong is collected.

mod action;
mod fault;
mod filled;
mod lab;
mod method;
mod plain;
mod reader;
mod watch;
mod words;

use std::{collections::BTreeMap, time::Duration};

use crate::experiment::{
    file::{
        cause::Cause,
        error::Problem,
        form::{FileForm, HypothesisForm, ReportForm, SteadyForm, Text},
        meaning::{
            method::Paths,
            reader::{Names, Reader},
        },
        parameters::{Given, Parameters},
        source::Source,
    },
    model::{DEADLINE, Experiment, Hypothesis, Place, Recovery, ReportPaths, Steady},
};

const STEADY_FOR: Duration = Duration::from_secs(10);
const STEADY_WITHIN: Duration = Duration::from_mins(1);
const SETTLE: Duration = Duration::from_secs(5);

/// Understands what was read from `source`, the file called `file`.
pub(super) fn experiment(
    file: &str,
    source: &Source<'_>,
    form: &FileForm,
    given: &Given,
) -> Result<Experiment, Vec<Problem>> {
    let parameters = Parameters::new(&form.parameters, given);
    let mut reader = Reader::new(file, source, parameters);
    let experiment = reader.experiment(form);
    reader.missing_parameters(form);
    let problems = reader.finish();
    if problems.is_empty() { Ok(experiment) } else { Err(problems) }
}

impl<'a> Reader<'a> {
    fn experiment(&mut self, form: &'a FileForm) -> Experiment {
        self.services =
            form.lab.iter().flat_map(|lab| lab.services.keys()).map(|name| name.value.as_str()).collect();
        self.note_captured(&form.method);
        self.names_once(form);
        let lab = form.lab.as_ref().map(|lab| self.lab(lab));
        let targets = form.targets.iter().filter_map(|(name, target)| {
            let choice = self.target(name, target);
            choice.map(|choice| (name.value.clone(), choice))
        });
        let targets = targets.collect();
        let loads =
            form.load.iter().filter_map(|(name, load)| Some((name.value.clone(), self.load(name, load)?)));
        let loads = loads.collect();
        let probes = form
            .probes
            .iter()
            .filter_map(|(name, probe)| Some((name.value.clone(), self.probe(name, probe)?)));
        let probes = probes.collect();
        let steady = form.steady.as_ref().map(|steady| self.steady(steady));
        let hypothesis = form.hypothesis.as_ref().map(|form| self.hypothesis(form, steady.as_ref()));
        let roles = form.roles.iter().map(|(role, name)| (role.value.clone(), self.string(name)));
        let roles = roles.collect();
        let method = self.steps(&form.method, "", &mut Paths::default());
        let experiment = Experiment {
            title: self.title(&form.title),
            description: form.description.as_ref().map(|text| self.string(text)),
            tags: form.tags.iter().map(|tag| self.string(tag)).collect(),
            roles,
            parameters: BTreeMap::new(),
            seed: form.seed.map(|seed| seed.value),
            deadline: self.duration_or(form.deadline.as_ref(), DEADLINE),
            lab,
            targets,
            loads,
            probes,
            steady,
            hypothesis,
            method,
            abort: self.conditions(&form.abort),
            rollback: form.rollback.iter().filter_map(|action| self.action(action, Names::End)).collect(),
            report: form.report.as_ref().map(|report| self.report(report)).unwrap_or_default(),
        };
        Experiment { parameters: self.parameters.finish(), ..experiment }
    }

    fn title(&mut self, text: &Text) -> String {
        let title = self.string(text);
        if title.trim().is_empty() && !self.parameters.names().any(|name| text.value.contains(name)) {
            self.wrong(text, Cause::Empty("title"));
        }
        title
    }

    /// A load and a probe, a service and a target have different names.
    fn names_once(&mut self, form: &'a FileForm) {
        let services = form.lab.iter().flat_map(|lab| lab.services.keys());
        let services: Vec<_> = services.collect();
        for name in form.load.keys().chain(form.probes.keys()).chain(form.targets.keys()) {
            self.given_name(name);
        }
        for name in form.parameters.keys() {
            let own = ["self", "address", "dir", "n", "run", "seed"].contains(&name.value.as_str());
            if own {
                self.wrong(name, Cause::Taken(name.value.clone()));
            } else {
                self.given_name(name);
            }
        }
        for probe in form.probes.keys().filter(|name| form.load.contains_key(*name)) {
            self.wrong(probe, Cause::Taken(probe.value.clone()));
        }
        for target in form.targets.keys().filter(|name| services.contains(name)) {
            self.wrong(target, Cause::Taken(target.value.clone()));
        }
    }

    fn steady(&mut self, form: &SteadyForm) -> Steady {
        Steady {
            lasting: self.duration_or(form.r#for.as_ref(), STEADY_FOR),
            within: self.duration_or(form.within.as_ref(), STEADY_WITHIN),
            hold: self.conditions(&form.hold),
        }
    }

    fn hypothesis(&mut self, form: &HypothesisForm, steady: Option<&Steady>) -> Hypothesis {
        let of_steady = || steady.map(|steady| steady.hold.clone()).unwrap_or_default();
        let recovery = form.recovery.as_ref().map(|form| Recovery {
            within: self.duration(&form.within).unwrap_or_default(),
            settle: self.duration_or(form.settle.as_ref(), SETTLE),
            hold: form.hold.as_ref().map_or_else(of_steady, |hold| self.conditions(hold)),
        });
        Hypothesis {
            text: self.string(&form.text),
            during: form.during.as_ref().map_or_else(of_steady, |during| self.conditions(during)),
            recovery,
            after: self.conditions(&form.after),
            confidence: form.confidence.as_ref().and_then(|share| self.share(share)),
        }
    }

    fn report(&mut self, form: &ReportForm) -> ReportPaths {
        let mut path = |text: &Option<Text>| text.as_ref().map(|text| self.string(text).into());
        ReportPaths { html: path(&form.html), json: path(&form.json), junit: path(&form.junit) }
    }

    /// Parameters that somebody has to give, all together, and those that nobody knows.
    fn missing_parameters(&mut self, form: &FileForm) {
        let missing = self.parameters.missing();
        if let Some(first) = form.parameters.keys().find(|name| missing.contains(&name.value)) {
            self.wrong(first, Cause::MissingParameters(missing));
        }
        for name in self.parameters.unknown() {
            let near = crate::spec::nearest::nearest(&name, self.parameters.names());
            let place = form.parameters.keys().map(|name| name.place).min();
            let place = place.unwrap_or(Place { line: 1, column: 1 });
            self.wrong_at(place, Cause::UnknownParameter { name, near });
        }
    }
}
