//! What came of judging one condition.

use serde::{Deserialize, Serialize};

use crate::experiment::judge::interval::Interval;

/// Whether a condition is so.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It is not.
    False,
    /// Too few samples, or none.
    Unknown,
    /// It is.
    True,
}

/// A condition and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Judgement {
    /// Whether it is so.
    pub truth: Truth,
    /// The measure's value in the window that decided: a share, a count, a number, or seconds.
    pub measured: Option<f64>,
    /// What it was compared with, in the same unit.
    pub bound: Option<f64>,
    /// How many samples that window has.
    pub samples: u64,
    /// How many it needs.
    pub needed: u64,
    /// Where the truth may lie, each end with the file's confidence, or 95 %.
    pub interval: Option<Interval>,
    /// The beginning of the window that decided, nanoseconds of `CLOCK_BOOTTIME`.
    pub begin: u64,
    /// Its end.
    pub end: u64,
}
