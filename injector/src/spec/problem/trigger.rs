//! What can be wrong with when a match becomes a fault: `when=`, `prob=`, `times=` and `scope=`, each with its remedy.

use thiserror::Error;

/// Why a text does not say when a rule fires.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message is the documentation of its variant")]
pub enum TriggerProblem {
    #[error("`{0}` is not a scope")]
    Scope(String),
    #[error("`{0}` is not of the form first[..last][+[step]]")]
    When(String),
    #[error("matches are counted from 1, so number 0 never comes")]
    WhenZero,
    #[error("a step of 0 never gets to the next call")]
    StepZero,
    #[error("{number} is above {limit}, the highest that `when=` takes here")]
    WhenRange { number: String, limit: u32 },
    #[error("the last call ({last}) comes before the first ({first}), so the rule can never fire")]
    WhenOrder { first: u32, last: u32 },
    #[error("`{0}` is not a probability")]
    Probability(String),
    #[error("a probability of `{0}` has no unit")]
    ProbabilityWithoutUnit(String),
    #[error("with a probability of {0} the rule can never fire")]
    NeverByChance(String),
    #[error("`{0}` is not a number of times")]
    Times(String),
    #[error("at most 0 times means that the rule can never fire")]
    NeverByTimes,
}

impl TriggerProblem {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const WHEN: &str = "write `when=3` for the third match, `when=3+` from the third on, \
                            `when=3+3` for every third, `when=3..9+2` for every second from the third to the ninth";
        const PROBABILITY: &str = "write a percentage such as `5%` or a fraction such as `0.05`";
        const CHANCE: &str = "give a probability above zero or leave the rule out";
        match self {
            Self::Scope(_) => "write `scope=thread`, `scope=process` or `scope=rule`".into(),
            Self::When(_) | Self::WhenZero | Self::StepZero | Self::WhenOrder { .. } => WHEN.into(),
            Self::WhenRange { .. } => "leave the end open, as in `when=3+`".into(),
            Self::Probability(_) => format!("{PROBABILITY}, from 0 to 1"),
            Self::ProbabilityWithoutUnit(number) => {
                format!("write `{number}%` for {number} percent; a fraction needs its point, as in `0.05`")
            }
            Self::NeverByChance(_) => CHANCE.into(),
            Self::Times(_) => "write a whole number such as `times=3`".into(),
            Self::NeverByTimes => "give a number from 1 on or leave `times=` out".into(),
        }
    }
}
