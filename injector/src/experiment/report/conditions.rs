//! Every condition of the file that was judged, and what speaks against `held` in them. Pure.

use crate::experiment::{
    condition::{Bound, Condition, Measure},
    journal::Phase,
    judge::{Judge, Judgement, Truth},
    model::{Experiment, Located, Step, StepKind},
    report::{Account, ConditionReport, Reason, Role, Unit},
};

/// All of them, in the order in which they were judged.
pub(super) fn all(account: &Account, experiment: &Experiment, judge: Judge<'_>) -> Vec<ConditionReport> {
    let mut reports = Vec::new();
    let mut add = |conditions: &[Located<Condition>], role, phase| {
        if account.evidence.phase(phase).is_none() {
            return;
        }
        for condition in conditions {
            let judgement = judge.phase(condition, phase);
            reports.push(report(account, condition, role, &judgement));
        }
    };
    if let Some(hypothesis) = &experiment.hypothesis {
        add(&hypothesis.during, Role::During, Phase::During);
        add(&hypothesis.after, Role::After, Phase::After);
    }
    if let Some(steady) = &experiment.steady {
        add(&steady.hold, Role::Verify, Phase::Verify);
    }
    for (path, judgements) in &account.checked {
        let conditions = find(&experiment.method, path).unwrap_or_default();
        let judged = conditions.iter().zip(judgements);
        reports.extend(judged.map(|(condition, judged)| report(account, condition, Role::Check, judged)));
    }
    reports
}

/// The conditions of a check step. Repetitions have numbers in their paths, which the file's have not.
fn find<'a>(steps: &'a [Step], path: &str) -> Option<&'a [Located<Condition>]> {
    let plain = |path: &str| {
        let mut plain = String::new();
        let mut inside = false;
        for c in path.chars() {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ if !inside => plain.push(c),
                _ => (),
            }
        }
        plain
    };
    steps.iter().find_map(|step| match &step.kind {
        StepKind::Check(conditions) => (step.path == plain(path)).then_some(conditions.as_slice()),
        StepKind::Parallel(steps) | StepKind::Sequence(steps) | StepKind::Repeat { steps, .. } => {
            find(steps, path)
        }
        _ => None,
    })
}

fn report(account: &Account, condition: &Condition, role: Role, judgement: &Judgement) -> ConditionReport {
    ConditionReport {
        condition: condition.to_string(),
        role,
        truth: judgement.truth,
        measured: judgement.measured,
        bound: judgement.bound,
        unit: Unit::of(condition, account.evidence.nature(&condition.source).numbers),
        samples: judgement.samples,
        needed: judgement.needed,
        interval: judgement.interval,
        begin: account.time(judgement.begin),
        end: account.time(judgement.end),
    }
}

/// What speaks against `held`.
pub(super) fn reasons(conditions: &[ConditionReport]) -> impl Iterator<Item = Reason> {
    conditions.iter().filter(|condition| condition.truth != Truth::True).map(|condition| {
        let ConditionReport { condition: text, samples, needed, .. } = condition;
        let measured = condition.measured.map_or("not measured".to_owned(), |is| condition.unit.show(is));
        match (condition.truth, condition.role) {
            (Truth::Unknown, _) => Reason {
                code: 1,
                text: format!("`{text}` cannot be judged: it has {samples} samples, and needs {needed}"),
            },
            (_, Role::Verify) => {
                Reason { code: 6, text: format!("the rollback broke it: `{text}` was {measured} after it") }
            }
            _ => Reason {
                code: 10,
                text: format!("`{text}` was {measured} (n = {samples}) at {}", at(condition.end)),
            },
        }
    })
}

/// A time in the run as `MM:SS`.
fn at(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of a run, so small and positive"
    )]
    let seconds = seconds as u64;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

impl Unit {
    /// What a condition's numbers count, of a source that has `numbers` of its own or has not.
    pub fn of(condition: &Condition, numbers: bool) -> Self {
        match condition.measure {
            Measure::Errors => Self::Share,
            Measure::Outage => Self::Seconds,
            measure if measure.is_statistic() && !numbers => Self::Seconds,
            _ if matches!(condition.bound, Bound::Time(_)) => Self::Seconds,
            _ => Self::Number,
        }
    }

    /// A number of it for people.
    pub fn show(&self, number: f64) -> String {
        let rounded = |number: f64| {
            let text = format!("{number:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        match self {
            Self::Share => format!("{}%", rounded(number * 100.0)),
            Self::Seconds if number < 1.0 => format!("{}ms", rounded(number * 1000.0)),
            Self::Seconds => format!("{}s", rounded(number)),
            Self::Number => rounded(number),
        }
    }
}
