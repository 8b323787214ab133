//! Samples that were due in the same second of a phase: what the journal keeps of them, and all that conditions need.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::experiment::sample::{Outcome, Sample};

/// All samples of one source that were due in one second of a phase.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Latencies of all of them, good or bad, nanoseconds, in the order of their due times.
    pub latencies: Vec<u64>,
    /// Numbers of the good ones that have one, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<f64>,
    /// How many were good.
    pub good: u64,
    /// How many were not, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bad: BTreeMap<String, u64>,
    /// How many began later than they were due by more than a tenth of the second; the runner was too slow, not the target.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late: u64,
    /// The good ones at either end, and the longest stretch between neighbours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stretch: Option<Good>,
}

/// Good samples in the order of their due times: the first, the last, and the longest stretch from one's due time to the
/// next one's end. Two of them that follow each other make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Good {
    /// When the first one ended, nanoseconds of `CLOCK_BOOTTIME`.
    pub first_end: u64,
    /// When the last one was due.
    pub last_due: u64,
    /// The longest stretch, nanoseconds.
    pub longest: u64,
}

/// A sample that begins later than this is late, nanoseconds.
const LATE: u64 = 100_000_000;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Batch {
    /// Adds a sample. They come in the order of their due times.
    pub fn add(&mut self, sample: &Sample) {
        self.latencies.push(sample.latency());
        self.late += u64::from(sample.start.saturating_sub(sample.due) > LATE);
        match &sample.outcome {
            Outcome::Bad(reason) => *self.bad.entry(reason.clone()).or_default() += 1,
            Outcome::Good(number) => {
                self.good += 1;
                self.numbers.extend(number);
                let this = Good { first_end: sample.end, last_due: sample.due, longest: 0 };
                self.stretch = Some(self.stretch.map_or(this, |before| before.then(this)));
            }
        }
    }

    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.latencies.len() as u64
    }
}

impl Good {
    /// Both, the other one after this.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        let between = later.first_end.saturating_sub(self.last_due);
        Self {
            first_end: self.first_end,
            last_due: later.last_due,
            longest: self.longest.max(between).max(later.longest),
        }
    }
}
