//! One condition held against the evidence: true, false, or not known, with the numbers that decided. Pure.

use crate::{
    clock,
    experiment::{
        condition::{Bound, Comparison, Condition, Measure},
        journal::Phase,
        judge::{
            evidence::{Evidence, SECOND, whole_seconds},
            interval::{self, Interval},
            judgement::{Judgement, Truth},
            window::{Nature, Window},
        },
    },
};

/// Judges conditions on what was seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// What was seen.
    pub evidence: &'a Evidence,
    /// Judge the bound of this confidence instead of the estimate.
    pub confidence: Option<f64>,
}

/// Of intervals that are only printed.
const SHOWN: f64 = 0.95;

impl Judge<'_> {
    /// A condition on a phase: over the whole of it, or over each window that lies wholly in it, of which the first that
    /// is false decides, else the last.
    pub fn phase(&self, condition: &Condition, phase: Phase) -> Judgement {
        let complete = self.evidence.complete(&condition.source, phase);
        // A violation that has to last is looked for second by second.
        let length = match (condition.over, condition.lasting) {
            (Some(over), _) => seconds_of(over),
            (None, Some(_)) => 1,
            (None, None) => return self.window(condition, self.evidence.whole(&condition.source, phase)),
        };
        let lasting = condition.lasting.map_or(1, seconds_of);
        let (mut violated, mut latest) = (0, None::<Judgement>);
        for end in length..=complete {
            let judgement =
                self.window(condition, self.evidence.window(&condition.source, phase, end - length..end));
            match judgement.truth {
                Truth::False => violated += 1,
                Truth::True => violated = 0,
                Truth::Unknown => (),
            }
            if violated >= lasting {
                return judgement;
            }
            let known = judgement.truth != Truth::Unknown || latest.is_none();
            if known {
                // A violation too short to count.
                let truth = if judgement.truth == Truth::False { Truth::True } else { judgement.truth };
                latest = Some(Judgement { truth, ..judgement });
            }
        }
        // A phase that is shorter than the window says nothing of it.
        latest.unwrap_or_else(|| Judgement { truth: Truth::Unknown, ..self.window(condition, None) })
    }

    /// A condition over the last `length` nanoseconds before `until`, across phases, as those of `abort` are.
    pub fn last(&self, condition: &Condition, until: u64) -> Judgement {
        let length = condition.over.map_or(SECOND, clock::nanoseconds);
        self.window(condition, Some(self.evidence.last(&condition.source, until, length)))
    }

    /// A condition on one window.
    pub fn window(&self, condition: &Condition, window: Option<Window<'_>>) -> Judgement {
        let Condition { source, measure, comparison, bound, .. } = condition;
        let nature = self.evidence.nature(source);
        let needed = measure.samples_needed();
        let bound = match bound {
            Bound::Number { number, .. } => Some(*number),
            Bound::Time(time) => Some(time.as_secs_f64()),
            Bound::Share(share) => Some(*share),
            Bound::OfBefore(share) => self.evidence.before(condition).map(|before| before * share),
        };
        let Some(window) = window else {
            return Judgement {
                truth: Truth::Unknown,
                measured: None,
                bound,
                samples: 0,
                needed,
                interval: None,
                begin: 0,
                end: 0,
            };
        };
        let measured = window.measure(*measure, nature);
        let samples = window.count();
        let (low, high) = self.ends(*measure, &window, nature);
        let judged = match (self.confidence, measure) {
            // The end that speaks against it.
            (Some(_), Measure::Errors | Measure::Percentile(_)) => match comparison {
                Comparison::Less | Comparison::AtMost => high,
                Comparison::More | Comparison::AtLeast => low,
                Comparison::Equal | Comparison::NotEqual => measured,
            },
            _ => measured,
        };
        let counts = matches!(measure, Measure::Count | Measure::Outage | Measure::Rate);
        let truth =
            match (judged, bound) {
                (Some(judged), Some(bound)) if counts || samples >= needed => {
                    if comparison.holds(judged, bound) { Truth::True } else { Truth::False }
                }
                _ => Truth::Unknown,
            };
        let interval = low.zip(high).map(|(low, high)| Interval { low, high });
        Judgement { truth, measured, bound, samples, needed, interval, begin: window.begin, end: window.end }
    }

    /// Both ends of the interval of a measure that has one.
    fn ends(&self, measure: Measure, window: &Window<'_>, nature: Nature) -> (Option<f64>, Option<f64>) {
        let confidence = self.confidence.unwrap_or(SHOWN);
        match (measure, measure.quantile()) {
            (Measure::Errors, _) => {
                let count = window.count();
                let share = interval::of_share(count - window.good(), count, confidence);
                (share.map(|interval| interval.low), share.map(|interval| interval.high))
            }
            (_, Some(quantile)) => interval::of_quantile(&window.sorted(nature), quantile, confidence),
            _ => (None, None),
        }
    }
}

/// A window's length in whole seconds, one at least.
fn seconds_of(time: std::time::Duration) -> u32 {
    whole_seconds(clock::nanoseconds(time) + SECOND - 1).max(1)
}
