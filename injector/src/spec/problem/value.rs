//! What can be wrong with errors, signals, return values and times, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::or;

/// Why a text is no such value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum ValueProblem {
    #[error("{word} is not an errno")]
    UnknownErrno { word: String, near: Option<String> },
    #[error("{word} is not an errno")]
    ErrnoAndMore { word: String, instead: String },
    #[error("{0} is not the number of an error")]
    ErrnoRange(String),
    #[error("the error {0} is given twice")]
    ErrnoTwice(String),
    #[error("{0} errors are more than the 8 that one rule can choose from")]
    TooManyErrnos(usize),
    #[error("`{0}` is not a weight")]
    Weight(String),
    #[error("`{word}` is not a signal")]
    UnknownSignal { word: String, near: Option<String> },
    #[error("`{0}` is not the number of a signal")]
    SignalRange(String),
    #[error("`{0}` is not a time")]
    Delay(String),
    #[error("`{0}` has no length that jitter could change")]
    NoLength(String),
    #[error("`{0}` is not a 64-bit number")]
    ReturnValue(String),
    #[error("it has no unit")]
    DurationWithoutUnit(String),
    #[error("it is zero")]
    NoDuration,
    #[error("it is not a duration")]
    Duration(String),
}

impl ValueProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownErrno { near, .. } => {
                or(near.as_ref(), "see errno(3) for the names, or give a number from 1 to 4095")
            }
            Self::ErrnoAndMore { instead, .. } => format!("write `{instead}`: colons separate the words of a rule"),
            Self::ErrnoRange(_) => "give a name such as EIO, or a number from 1 to 4095".into(),
            Self::ErrnoTwice(_) => "give it once, with a weight, as in `error=EIO*3/ENOSPC`".into(),
            Self::TooManyErrnos(_) => "write a second rule".into(),
            Self::Weight(_) => "give a whole number from 1 to 10000, as in `error=EIO*3/ENOSPC`".into(),
            Self::UnknownSignal { near, .. } => {
                or(near.as_ref(), "see signal(7) for the names, or give a number from 1 to 64")
            }
            Self::SignalRange(_) => "give a name such as SIGUSR1, or a number from 1 to 64".into(),
            Self::Delay(_) => {
                "write a number with `s`, `ms`, `us` or `ns`, one without a unit for microseconds, or `forever`"
                    .into()
            }
            Self::NoLength(_) => {
                "leave the jitter out, or write a time such as `10ms~2ms`: `forever` is as long as the rule lasts".into()
            }
            Self::ReturnValue(_) => "write a decimal number, or a hexadecimal one after `0x`".into(),
            Self::DurationWithoutUnit(number) => {
                format!("write `{number}s` for seconds, `{number}ms` for milliseconds")
            }
            Self::NoDuration => "write a time above zero, such as `30s`, or leave the option out".into(),
            Self::Duration(_) => "write a number with its unit, such as `30s`, `250ms` or `1h30m`".into(),
        }
    }
}
