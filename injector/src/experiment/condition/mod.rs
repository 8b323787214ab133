//! Conditions: one sentence each, such as `buyers p99 < 1s over 10s`.
//!
//! ```text
//! CONDITION := NAME ok | NAME MEASURE OP VALUE [over TIME] [for TIME]
//! MEASURE   := errors | outage | count | rate | value | burn | min | mean | max | p1 .. p99.99
//! OP        := < | <= | = | != | >= | >
//! VALUE     := NUMBER[UNIT] | N% | N% of before
//! ```

mod parse;
mod problem;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

pub use self::{parse::ConditionError, problem::ConditionProblem};
pub use crate::engine::Comparison;

/// A sentence that is true or false of what a load or a probe saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// A load or a probe.
    pub source: String,
    /// What is measured of it.
    pub measure: Measure,
    /// How that compares.
    pub comparison: Comparison,
    /// With this.
    pub bound: Bound,
    /// Over a sliding window of this length, which lies wholly in the phase; without it over the whole phase.
    pub over: Option<Duration>,
    /// It counts as violated (or, of `abort`, as true) only when it has been so for this long.
    pub lasting: Option<Duration>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// The share of samples that are not good, from 0 to 1. `NAME ok` is `NAME errors = 0%`.
    Errors,
    /// The longest stretch from one good sample's due time to the next one's end.
    Outage,
    /// How many good samples there are.
    Count,
    /// Good samples per second.
    Rate,
    /// The last number.
    Value,
    /// [`Measure::Errors`] over the share that the load's `slo` permits.
    Burn,
    /// The least number, of a probe that has numbers; else the shortest latency. The same choice for those below.
    Min,
    /// The arithmetic mean.
    Mean,
    /// The greatest.
    Max,
    /// The percentile by nearest rank, always one of the samples. In hundredths of a percent: 9950 is `p99.5`.
    Percentile(u16),
}

/// What a measure is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    /// A number, with the unit that the probe names.
    Number {
        /// The number.
        number: f64,
        /// Its unit.
        unit: Option<String>,
    },
    /// A time.
    Time(Duration),
    /// A share from 0 to 1 (it is written in percent, and may be more than 1 only with `of before`).
    Share(f64),
    /// This part of what the same measure was in the `before` phase.
    OfBefore(f64),
}

impl Measure {
    /// Whether it is a time when the source has no numbers of its own.
    pub const fn is_statistic(self) -> bool {
        matches!(self, Self::Min | Self::Mean | Self::Max | Self::Percentile(_))
    }

    /// The share of samples at or below a percentile.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::Percentile(hundredths) => Some(f64::from(hundredths) / 10_000.0),
            _ => None,
        }
    }

    /// How few samples say nothing about it: 1 / (1 - q) for a percentile, 1 for anything else.
    pub fn samples_needed(self) -> u64 {
        match self {
            Self::Percentile(hundredths) => 10_000_u64.div_ceil(10_000 - u64::from(hundredths).min(9_999)),
            _ => 1,
        }
    }
}
