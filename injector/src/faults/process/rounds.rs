//! When the rounds of a rule come. A round's moment is computed from the beginning, not from the round before, so that
//! they do not drift.

use std::time::Duration;

use crate::{clock, spec::process::model::ProcessRule};

/// The rounds of a rule, in nanoseconds from the moment at which the rule began to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rounds {
    first: u64,
    every: Option<u64>,
}

impl Rounds {
    pub(super) fn of(rule: &ProcessRule) -> Self {
        Self { first: clock::nanoseconds(rule.after), every: rule.every.map(clock::nanoseconds) }
    }

    /// When round `number` (from 1) begins; `None` if there is none.
    pub(super) fn begin(self, number: u64) -> Option<u64> {
        let later = number.checked_sub(1)?;
        match self.every {
            None => (later == 0).then_some(self.first),
            Some(every) => later.checked_mul(every)?.checked_add(self.first),
        }
    }

    /// The number of the last round that has begun after so long; 0 before the first. Whoever looks late is not told of
    /// those in between: they are over.
    pub(super) fn begun(self, elapsed: u64) -> u64 {
        match (elapsed.checked_sub(self.first), self.every) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(since), Some(every)) => since / every.max(1) + 1,
        }
    }
}

/// When a pause that begins at `begin` ends; `None` for one that lasts as long as its rule.
pub(super) fn end(begin: u64, length: Option<Duration>) -> Option<u64> {
    length.map(|length| begin.saturating_add(clock::nanoseconds(length)))
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn a_round_has_begun_from_its_moment_to_that_of_the_next(
            first in 0_u64..1 << 50,
            every in option::of(1_u64..1 << 50),
            number in 1_u64..1 << 10,
        ) {
            let rounds = Rounds { first, every };
            match rounds.begin(number) {
                None => prop_assert!(every.is_none() && number > 1),
                Some(begin) => {
                    prop_assert_eq!(rounds.begun(begin), number);
                    prop_assert_eq!(begin.checked_sub(1).map_or(0, |before| rounds.begun(before)), number - 1);
                }
            }
        }

        #[test]
        fn no_round_begins_later_than_it_is_said_to_have(first: u64, every in option::of(1_u64..), elapsed: u64) {
            let rounds = Rounds { first, every };
            let number = rounds.begun(elapsed);
            prop_assert!(number == 0 || rounds.begin(number).is_some_and(|begin| begin <= elapsed));
        }
    }
}
