//! What one operation of a load or one look of a probe came to, and samples of one second together.

mod batch;

use serde::{Deserialize, Serialize};

pub use self::batch::{Batch, Good};

/// One operation or look. Times are nanoseconds of `CLOCK_BOOTTIME`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its number, from 0.
    pub number: u64,
    /// When it was to begin.
    pub due: u64,
    /// When it began.
    pub start: u64,
    /// When it was answered, or given up.
    pub end: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As expected, with the number that was asked for.
    Good(Option<f64>),
    /// Not as expected, in a few words that are the same for the same cause: `status 503`, `timeout`, `connection refused`.
    Bad(String),
}

impl Sample {
    /// From its due time to its end, nanoseconds. A system that stalls cannot make it look short by delaying its start.
    pub fn latency(&self) -> u64 {
        self.end.saturating_sub(self.due)
    }

    /// Whether it is good.
    pub fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Good(_))
    }
}
