//! What can be wrong with a condition's text, and what to do about it.

use crate::spec::nearest::or;

/// The cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionProblem {
    /// There is no text.
    #[error("there is no condition")]
    Empty,
    /// Nothing stands behind the name.
    #[error("nothing is said of `{0}`")]
    NameAlone(String),
    /// A word where a measure should be.
    #[error("`{word}` is no measure")]
    Measure {
        /// The word.
        word: String,
        /// What it may stand for.
        near: Option<String>,
    },
    /// `p0`, `p100`, `p99.999`.
    #[error("`{0}` is no percentile")]
    Percentile(String),
    /// No `<`, `<=`, `=`, `!=`, `>=` or `>`.
    #[error("nothing compares `{0}` with a value")]
    NoComparison(String),
    /// Nothing behind it.
    #[error("no value follows `{0}`")]
    NoValue(String),
    /// It is no number, time or share.
    #[error("`{0}` is no value")]
    Value(String),
    /// A time or a number where a share must be, or the other way round.
    #[error("`{measure}` is compared with {needed}, and `{word}` is none")]
    Kind {
        /// The measure.
        measure: String,
        /// What fits.
        needed: &'static str,
        /// What is there.
        word: String,
    },
    /// A word behind the value that is neither `over` nor `for`.
    #[error("`{word}` cannot follow the value")]
    Behind {
        /// The word.
        word: String,
        /// What it may stand for.
        near: Option<String>,
    },
    /// `over` or `for` without a time.
    #[error("`{0}` is followed by no time")]
    NoTime(&'static str),
    /// `over` or `for` twice.
    #[error("`{0}` is said twice")]
    Twice(&'static str),
}

impl ConditionProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "write NAME MEASURE OP VALUE, such as `buyers p99 < 1s`".to_owned(),
            Self::NameAlone(name) => {
                format!("say what must hold of it: `{name} ok`, or `{name} errors < 1%`")
            }
            Self::Measure { near, .. } => or(
                near.as_ref(),
                "measures are errors, outage, count, rate, value, burn, min, mean, max, and percentiles such as p99",
            ),
            Self::Percentile(_) => {
                "percentiles are from p0.01 to p99.99, with two decimals at most; max is the greatest".to_owned()
            }
            Self::NoComparison(measure) => format!("compare it: `{measure} < VALUE`; or <=, =, !=, >=, >"),
            Self::NoValue(_) | Self::Value(_) => {
                "values are numbers (5, 0.5), times (200ms, 1s), shares (1%), or a part of what was before (150% of before)"
                    .to_owned()
            }
            Self::Kind { needed, .. } => format!("write {needed}"),
            Self::Behind { near, .. } => {
                or(near.as_ref(), "a window may follow (over 10s), and how long it must last (for 5s)")
            }
            Self::NoTime(word) => format!("write a time with its unit: `{word} 10s`"),
            Self::Twice(word) => format!("leave one `{word}` out"),
        }
    }
}
