//! What can be wrong with a rule on processes, each with its remedy.

use thiserror::Error;

use crate::spec::nearest::Near;

/// Why a text is no valid rule on processes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum ProcessProblem {
    #[error("it does not say what is to happen to the processes")]
    NoAction,
    #[error("`{word}` is not something that can happen to processes")]
    UnknownAction { word: String, near: Option<Near> },
    #[error("it does not say which signal")]
    NoSignal,
    #[error("`{word}` is one word too many")]
    Surplus { word: String, instead: Option<String> },
    #[error("{0} leaves processes stopped when the rule has ended")]
    Stops(String),
    #[error("`{word}` is not a word of a rule on processes")]
    UnknownWord { word: String, near: Option<Near> },
    #[error("`for=` is how long a pause lasts, and a signal takes no time")]
    KillHasNoLength,
    #[error("a pause is for all processes of a target, so `comm=` cannot choose among them")]
    PausesAll,
    #[error("`{0}` is no time at all")]
    NoTime(String),
    #[error("`{0}` is longer than a week")]
    TooLong(String),
    #[error("`{0}` is shorter than 10ms, in which a round can be done at least")]
    TooOften(String),
    #[error("`every=` begins another pause, and the first has no end")]
    Endless,
    #[error("a pause of {length} has not ended when the next begins, {every} after it")]
    Overlaps { length: String, every: String },
    #[error("`when=` chooses among rounds, and without `every=` there is only one")]
    OneRound,
}

impl ProcessProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const SHAPE: &str = "write `pause`, `pause:for=2s:every=10s` or `kill SIGTERM`";
        match self {
            Self::NoAction => SHAPE.into(),
            Self::UnknownAction { near, .. } => near.as_ref().map_or_else(|| SHAPE.into(), Near::hint),
            Self::NoSignal => "name it, as in `kill SIGTERM` or `kill SIGKILL`".into(),
            Self::Surplus { instead: Some(instead), .. } => format!("write `{instead}`"),
            Self::Surplus { instead: None, .. } => "leave it out".into(),
            Self::Stops(_) => "write `pause`, which ends with the rule".into(),
            Self::UnknownWord { near, .. } => near.as_ref().map_or_else(
                || "the words are for=, every=, after=, comm=, when=, prob= and times=".into(),
                Near::hint,
            ),
            Self::KillHasNoLength => "leave it out; `every=` is how often, `after=` how late".into(),
            Self::PausesAll => "leave it out, or name the cgroup or the process that is to be paused".into(),
            Self::NoTime(_) => {
                "write a time above zero, such as `2s` or `300ms`, or leave the word out".into()
            }
            Self::TooLong(_) => {
                "write a shorter time; a pause without `for=` lasts as long as the rule".into()
            }
            Self::TooOften(_) => "write a longer time, such as `every=100ms`".into(),
            Self::Endless => "say how long each is, as in `pause:for=2s:every=10s`".into(),
            Self::Overlaps { .. } => "give `for=` a shorter time than `every=`".into(),
            Self::OneRound => "add how often, as in `every=10s`, or leave `when=` out".into(),
        }
    }
}
