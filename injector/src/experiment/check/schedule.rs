//! How long the method takes, as far as that is known before it runs.

use std::time::Duration;

use crate::experiment::model::{Every, Experiment, Fault, Part, ProcessFault, Step, StepKind};

/// How long something takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// At least so long.
    pub least: Duration,
    /// And no longer, but for what actions take.
    pub exact: bool,
}

impl Length {
    const fn exactly(least: Duration) -> Self {
        Self { least, exact: true }
    }
}

/// From the first step to the end of the last fault.
pub fn method(experiment: &Experiment) -> Length {
    list(&experiment.method).whole
}

/// The whole run, but for what starting and stopping takes.
pub(super) fn run(experiment: &Experiment) -> Duration {
    let before = experiment.steady.as_ref().map_or(Duration::ZERO, |steady| steady.lasting);
    let recovery = experiment.hypothesis.as_ref().and_then(|hypothesis| hypothesis.recovery.as_ref());
    let recovery = recovery.map_or(Duration::ZERO, |recovery| recovery.settle);
    before.saturating_add(method(experiment).least).saturating_add(recovery)
}

/// A step, or a list of them.
#[derive(Clone, Copy, Debug)]
struct Lasting {
    /// Until the next step begins.
    held: Length,
    /// Until the last fault ends that it begins.
    whole: Length,
}

fn list(steps: &[Step]) -> Lasting {
    let (mut now, mut end) = (Length::exactly(Duration::ZERO), Length::exactly(Duration::ZERO));
    for step in steps {
        if let Some(at) = step.at {
            now.least = now.least.max(at);
        }
        let Lasting { held, whole } = lasting(&step.kind);
        end.least = end.least.max(now.least.saturating_add(whole.least));
        end.exact &= whole.exact;
        now.least = now.least.saturating_add(held.least);
        now.exact &= held.exact;
    }
    end.least = end.least.max(now.least);
    end.exact &= now.exact;
    Lasting { held: now, whole: end }
}

fn lasting(kind: &StepKind) -> Lasting {
    let both = |length| Lasting { held: length, whole: length };
    match kind {
        StepKind::Fault(fault) => {
            let whole = Length::exactly(acts(fault));
            let held = if fault.background { Length::exactly(Duration::ZERO) } else { whole };
            Lasting { held, whole }
        }
        StepKind::Wait(time) => both(Length::exactly(*time)),
        StepKind::Until { .. } => both(Length { least: Duration::ZERO, exact: false }),
        StepKind::Check(_) | StepKind::Set(_) | StepKind::Run(_) => both(Length::exactly(Duration::ZERO)),
        StepKind::Parallel(steps) => {
            let longest = |length: fn(Lasting) -> Length| {
                steps.iter().map(|step| (step, length(list(std::slice::from_ref(step))))).fold(
                    Length::exactly(Duration::ZERO),
                    |all, (_, one)| Length { least: all.least.max(one.least), exact: all.exact && one.exact },
                )
            };
            Lasting { held: longest(|one| one.held), whole: longest(|one| one.whole) }
        }
        StepKind::Sequence(steps) => list(steps),
        StepKind::Repeat { times, every, steps } => {
            let Lasting { held, whole } = list(steps);
            let (step, exact) = match every {
                None => (held.least, held.exact),
                Some(Every::Interval(every)) => (held.least.max(*every), held.exact),
                Some(Every::Cron(_)) => (held.least, false),
            };
            let before = step.saturating_mul(times.saturating_sub(1));
            let add = |length: Length| Length {
                least: before.saturating_add(length.least),
                exact: exact && length.exact,
            };
            Lasting { held: add(held), whole: add(whole) }
        }
    }
}

/// How long it acts; without a time of its own, no time of its own.
fn acts(fault: &Fault) -> Duration {
    fault.lasting.unwrap_or_default()
}

/// Is it over as soon as it is done, such as a signal?
pub(super) fn is_instant(fault: &Fault) -> bool {
    let instant =
        |part: &Part| matches!(part, Part::Process(process) if !matches!(process.value, ProcessFault::Pause));
    fault.parts.iter().all(instant)
}

/// How long the steps behind each of the method's own take, for faults that act to its end.
pub(super) fn rest(steps: &[Step]) -> Length {
    list(steps).whole
}
