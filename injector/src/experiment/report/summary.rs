//! The report as a whole, from the account of a run. Pure.

use std::collections::BTreeMap;

use crate::experiment::{
    journal::{Phase, Record},
    judge::Judge,
    model::Experiment,
    report::{
        FaultReport, PhaseReport, Report, StepReport, Told,
        account::{Account, PHASES, Step},
        conditions, figures, recovery,
        verdict::{Reason, Verdict},
    },
};

impl Account {
    /// The report so far. That of a run that was killed says so.
    pub fn report(&self, experiment: &Experiment) -> Report {
        let confidence = experiment.hypothesis.as_ref().and_then(|hypothesis| hypothesis.confidence);
        let judge = Judge { evidence: &self.evidence, confidence };
        let conditions = conditions::all(self, experiment, judge);
        let recovery = recovery::of(self, experiment, judge);
        let mut reasons = self.reasons.clone();
        reasons.extend(conditions::reasons(&conditions));
        reasons.extend(recovery::reason(self, experiment, &recovery));
        reasons.extend(figures::reasons(self));
        let monitor = matches!(
            self.begun.as_ref().map(|moment| &moment.record),
            Some(Record::Begun { monitor: true, .. })
        );
        reasons.extend(self.never_fired(monitor));
        if !self.finished {
            let phase = self.evidence.current().map_or("before any phase", Phase::name);
            reasons.push(Reason { code: 1, text: format!("the runner was killed in phase {phase}") });
        }
        let verdict = Verdict::of(&mut reasons, experiment.hypothesis.is_some());
        let sentence = match reasons.first() {
            Some(reason) => format!("{}: {}", verdict.words(), reason.text),
            None => verdict.words().to_owned(),
        };
        let mut report = Report {
            schema: 1,
            title: experiment.title.clone(),
            hypothesis: experiment.hypothesis.as_ref().map(|hypothesis| hypothesis.text.clone()),
            verdict,
            code: verdict.code(),
            sentence,
            reasons,
            run: String::new(),
            version: String::new(),
            started: 0.0,
            duration: self.time(self.last),
            seed: 0,
            monitor,
            parameters: BTreeMap::new(),
            captured: self.captured.clone(),
            phases: self.phases().collect(),
            recovery,
            conditions,
            faults: self.faults().collect(),
            sources: figures::all(self),
            steps: self
                .order
                .iter()
                .filter_map(|path| Some(self.step(path, self.steps.get(path)?)))
                .collect(),
            told: self
                .told
                .iter()
                .map(|(at, about, text)| Told {
                    at: self.time(*at),
                    about: about.clone(),
                    text: text.clone(),
                })
                .collect(),
        };
        if let Some(Record::Begun { version, run, wall, seed, parameters, .. }) =
            self.begun.as_ref().map(|moment| &moment.record)
        {
            report.run.clone_from(run);
            report.version.clone_from(version);
            report.parameters.clone_from(parameters);
            (report.started, report.seed) = (*wall, *seed);
        }
        report
    }

    fn phases(&self) -> impl Iterator<Item = PhaseReport> {
        PHASES.into_iter().filter_map(|phase| {
            let (begin, end) = self.evidence.phase(phase)?;
            Some(PhaseReport { phase, begin: self.time(begin), end: self.time(end) })
        })
    }

    fn step(&self, path: &str, step: &Step) -> StepReport {
        StepReport {
            path: path.to_owned(),
            what: step.what.clone(),
            note: step.note.clone(),
            due: self.time(step.due),
            begin: self.time(step.begin),
            end: step.ended.as_ref().map(|(at, _)| self.time(*at)),
            ended: step.ended.as_ref().map(|(_, end)| end.clone()),
        }
    }

    fn faults(&self) -> impl Iterator<Item = FaultReport> {
        self.order.iter().filter_map(|path| {
            let step = self.steps.get(path)?;
            Some(FaultReport {
                fault: step.fault.clone()?,
                path: path.clone(),
                begin: self.time(step.acting.unwrap_or(step.begin)),
                end: step.until.map(|until| self.time(until)),
                rules: step.rules.clone(),
                changes: step.changes.iter().map(|(at, to)| (self.time(*at), to.clone())).collect(),
            })
        })
    }

    /// Faults that began and never happened, each time by itself: nothing was shown then.
    fn never_fired(&self, monitor: bool) -> impl Iterator<Item = Reason> {
        let faults = self.order.iter().filter_map(|path| Some((path, self.steps.get(path)?)));
        let silent = faults.filter(|(_, step)| {
            step.fault.is_some() && step.acting.is_some() && step.rules.iter().all(|rule| rule.fired == 0)
        });
        silent.map(move |(path, step)| {
            let matched: u64 = step.rules.iter().map(|rule| rule.matched).sum();
            let text = if monitor {
                let would: u64 = step.rules.iter().map(|rule| rule.would_fire).sum();
                format!("the fault {path} was only watched (--monitor): {would} of {matched} matches would have been faults")
            } else {
                format!("the fault {path} never fired: its rules matched {matched} calls or packets")
            };
            Reason { code: 1, text }
        })
    }
}
