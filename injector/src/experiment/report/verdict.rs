//! The verdict: one word and one exit code for a run, the weightiest of all that can be said of it. Pure.

use serde::{Deserialize, Serialize};

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every condition was so, on enough samples, and every fault happened.
    Held,
    /// There was no hypothesis, and every fault happened.
    Ran,
    /// A condition was not so.
    NotHeld,
    /// A condition of `abort`, a person or the deadline ended it.
    Aborted,
    /// It cannot be said: a fault never fired, samples are too few, or the run did not come to its end.
    Inconclusive,
    /// Something is left behind, or the rollback broke the system.
    Unclean,
}

/// Something that speaks against `held`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reason {
    /// The code that it leads to by itself.
    pub code: u8,
    /// In a sentence.
    pub text: String,
}

/// Exit codes from the weightiest on, with their verdicts. The order is that of the promise: 6 > 11 > 10 > 1 > 0.
const PRECEDENCE: [(u8, Verdict); 4] =
    [(6, Verdict::Unclean), (11, Verdict::Aborted), (10, Verdict::NotHeld), (1, Verdict::Inconclusive)];

impl Verdict {
    /// Its exit code.
    pub fn code(self) -> u8 {
        PRECEDENCE.iter().find(|(_, verdict)| *verdict == self).map_or(0, |(code, _)| *code)
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Ran => "ran",
            Self::NotHeld => "not held",
            Self::Aborted => "aborted",
            Self::Inconclusive => "inconclusive",
            Self::Unclean => "unclean",
        }
    }

    /// Of all that speaks against `held`, which is sorted by weight.
    pub(super) fn of(reasons: &mut [Reason], hypothesis: bool) -> Self {
        let weight =
            |code| PRECEDENCE.iter().position(|(known, _)| *known == code).unwrap_or(PRECEDENCE.len());
        reasons.sort_by_key(|reason| weight(reason.code));
        match reasons.first() {
            Some(reason) => {
                PRECEDENCE.get(weight(reason.code)).map_or(Self::Inconclusive, |(_, verdict)| *verdict)
            }
            None if hypothesis => Self::Held,
            None => Self::Ran,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Reason, Verdict};

    #[test]
    fn the_weightiest_reason_decides_and_none_is_dropped() {
        let reason = |code| Reason { code, text: String::new() };
        let mut reasons = [1, 10, 6, 11].map(reason);
        assert_eq!(Verdict::of(&mut reasons, true), Verdict::Unclean);
        assert_eq!(reasons.map(|reason| reason.code), [6, 11, 10, 1]);
        assert_eq!(Verdict::of(&mut [reason(1), reason(10)], true).code(), 10);
        assert_eq!(Verdict::of(&mut [], true).code(), 0);
        assert_eq!(Verdict::of(&mut [], false), Verdict::Ran);
    }
}
