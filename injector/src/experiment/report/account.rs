//! The account of a run: the journal's records, one by one, in the shape in which the report is made. Pure.

use std::collections::BTreeMap;

use crate::experiment::{
    journal::{Moment, Phase, Record, RuleCounters, StepEnd},
    judge::{Evidence, Judgement},
    model::Experiment,
    report::verdict::Reason,
};

/// All phases, in their order.
pub(super) const PHASES: [Phase; 8] = [
    Phase::Prepare,
    Phase::Before,
    Phase::During,
    Phase::Recovery,
    Phase::After,
    Phase::Rollback,
    Phase::Verify,
    Phase::Stop,
];

/// What the records say so far.
#[derive(Clone, Debug, Default)]
pub struct Account {
    pub(super) evidence: Evidence,
    pub(super) begun: Option<Moment>,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) steps: BTreeMap<String, Step>,
    pub(super) order: Vec<String>,
    pub(super) captured: BTreeMap<String, String>,
    pub(super) told: Vec<(u64, String, String)>,
    /// Reasons that need no judgement: what was aborted, failed, or left behind.
    pub(super) reasons: Vec<Reason>,
    /// Conditions of `check` steps with what was seen at that moment: path -> judgements.
    pub(super) checked: BTreeMap<String, Vec<Judgement>>,
    pub(super) finished: bool,
}

/// A step that began.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) what: String,
    pub(super) note: Option<String>,
    pub(super) due: u64,
    pub(super) begin: u64,
    pub(super) acting: Option<u64>,
    pub(super) ended: Option<(u64, StepEnd)>,
    pub(super) until: Option<u64>,
    pub(super) fault: Option<String>,
    pub(super) rules: Vec<RuleCounters>,
    pub(super) changes: Vec<(u64, String)>,
}

impl Account {
    /// Of an experiment that has not begun.
    pub fn new(experiment: &Experiment) -> Self {
        Self { evidence: Evidence::new(experiment), ..Self::default() }
    }

    /// What was seen of loads and probes.
    pub const fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The counters of a fault as they were told last, all its activations together.
    pub fn counters(&self, fault: &str) -> impl Iterator<Item = &RuleCounters> {
        let steps = self.steps.values().filter(move |step| step.fault.as_deref() == Some(fault));
        steps.flat_map(|step| &step.rules)
    }

    /// Faults that act now, with their step's path, since when, and their counters.
    pub fn acting(&self) -> impl Iterator<Item = (&str, u64, &[RuleCounters])> {
        self.order.iter().filter_map(|path| {
            let step = self.steps.get(path)?;
            let since = step.acting.filter(|_| step.ended.is_none())?;
            Some((path.as_str(), since, step.rules.as_slice()))
        })
    }

    /// Whether a step has told of this failure already.
    pub fn has_failed_step(&self, why: &str) -> bool {
        let failed = |step: &Step| matches!(&step.ended, Some((_, StepEnd::Failed(told))) if told == why);
        self.steps.values().any(failed)
    }

    /// What a record adds.
    pub fn take(&mut self, moment: &Moment) {
        self.evidence.take(moment);
        self.last = self.last.max(moment.at);
        let at = moment.at;
        match &moment.record {
            Record::Begun { .. } => {
                self.first = at;
                self.begun = Some(moment.clone());
            }
            Record::Step { path, due, what, note } => {
                let step =
                    Step { what: what.clone(), note: note.clone(), due: *due, begin: at, ..Step::default() };
                if self.steps.insert(path.clone(), step).is_none() {
                    self.order.push(path.clone());
                }
            }
            Record::Acting { path, since, .. } => self.of(path).acting = Some(*since),
            Record::Changed { path, since, to } => self.of(path).changes.push((*since, to.clone())),
            Record::Ended { path, end, until } => {
                let step = self.of(path);
                step.ended = Some((at, end.clone()));
                step.until = Some(*until);
                if let StepEnd::Failed(why) = end {
                    let text = format!("the method ended early: {path}: {why}");
                    self.reasons.push(Reason { code: 1, text });
                }
            }
            Record::Counters { path, fault, rules } => {
                let step = self.of(path);
                step.fault = Some(fault.clone());
                step.rules.clone_from(rules);
            }
            Record::Checked { path, judgements } => {
                self.checked.insert(path.clone(), judgements.clone());
            }
            Record::Set { name, value } => {
                self.captured.insert(name.clone(), value.clone());
            }
            Record::Finished => self.finished = true,
            other => self.tell(at, other),
        }
    }

    /// Records that are told as they are, and what speaks against `held` in them.
    fn tell(&mut self, at: u64, record: &Record) {
        let mut told = |about: &str, text: &str| self.told.push((at, about.to_owned(), text.to_owned()));
        match record {
            Record::Service { name, event } => told(name, event),
            Record::Rollback { action, failure: None } => told("rollback", action),
            Record::Rollback { action, failure: Some(failure) } => {
                told("rollback", &format!("{action}: {failure}"));
                self.reasons
                    .push(Reason { code: 6, text: format!("the rollback failed: {action}: {failure}") });
            }
            Record::Note { by, text } => told(by.as_deref().unwrap_or("note"), text),
            Record::Warning { text } => told("warning", text),
            Record::Abort { reason, asked } => {
                told("abort", reason);
                let code = if *asked { 11 } else { 1 };
                self.reasons.push(Reason { code, text: format!("it was aborted: {reason}") });
            }
            Record::Unclean { what } => {
                told("unclean", what);
                self.reasons.push(Reason { code: 6, text: format!("left behind: {what}") });
            }
            Record::Failed { why } => {
                told("failed", why);
                self.reasons.push(Reason { code: 1, text: why.clone() });
            }
            _ => (),
        }
    }

    fn of(&mut self, path: &str) -> &mut Step {
        self.steps.entry(path.to_owned()).or_default()
    }

    /// A moment as seconds from the run's beginning.
    pub(super) fn time(&self, at: u64) -> f64 {
        crate::experiment::judge::seconds(at.saturating_sub(self.first))
    }
}
