//! How long a call or an operation waits: a [`Delay`] as packets have it, drawn for each match from the rule's
//! seed, or the whole life of the rule.

use crate::{
    decide::Match,
    delay::{Delay, LONGEST, Table},
    random,
    sleep::FOREVER,
};

/// What is drawn: the wait before the call.
pub const BEFORE: u64 = 1;
/// What is drawn: the wait when it has run.
pub const BEHIND: u64 = 2;

/// The draw for the wait at one `end` of this match, from `0..2^32`: another one than those for the probability
/// and for the error of the same match.
#[inline(always)]
#[must_use]
pub const fn draw(seed: u64, end: u64, at: Match) -> u64 {
    random::draw(random::combine(seed, end), at.subject, at.object, at.number)
}

/// Does nothing have to be drawn, so that [`Delay::base`] is all there is to say?
#[inline(always)]
#[must_use]
pub const fn is_fixed(delay: &Delay) -> bool {
    delay.jitter == 0
}

/// What a match waits by this draw, with the `table` of the delay's distribution: nanoseconds, or as
/// [`crate::sleep::forever`] says it.
#[inline(always)]
#[must_use]
pub const fn length(delay: &Delay, table: Option<&Table>, draw: u64) -> u64 {
    if is_fixed(delay) { delay.base } else { delay.time(table, draw) }
}

/// Waits as long as the rule of this number lasts.
#[must_use]
pub const fn as_long_as(rule: u32) -> Delay {
    Delay { base: crate::sleep::forever(rule), ..Delay::NONE }
}

/// Can a delay that has a length come to more than `longest`, nanoseconds, or to more than can be told?
#[must_use]
pub const fn exceeds(delay: &Delay, longest: u64) -> bool {
    let most = if is_fixed(delay) { FOREVER - 1 } else { LONGEST };
    delay.latest() > if longest < most { longest } else { most }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "times that a double holds exactly")]
mod tests {
    use super::*;
    use crate::{
        random::rule_seed,
        sleep::forever,
        statistics::{PACKETS, correlation, kolmogorov_smirnov},
    };

    const MILLISECOND: u64 = 1_000_000;

    const DELAY: Delay = Delay { base: 10 * MILLISECOND, jitter: 4 * MILLISECOND, ..Delay::NONE };

    fn at(number: u64) -> Match {
        Match { subject: 77, object: 75, number }
    }

    /// Waits of so many matches at one end, in milliseconds.
    fn waits(delay: &Delay, end: u64) -> Vec<f64> {
        let seed = rule_seed(42, 3);
        let wait = |number| length(delay, None, draw(seed, end, at(number))) as f64 / MILLISECOND as f64;
        (1..=PACKETS).map(wait).collect()
    }

    #[test]
    fn what_has_no_jitter_is_as_it_was_asked_for() {
        let fixed = Delay { jitter: 0, ..DELAY };
        assert!((0..1000).all(|draw| length(&fixed, None, draw << 22) == 10 * MILLISECOND));
        assert!((0..1000).all(|draw| length(&as_long_as(5), None, draw << 22) == forever(5)));
    }

    #[test]
    fn jitter_is_uniform_and_one_wait_says_nothing_of_the_next() {
        for end in [BEFORE, BEHIND] {
            let waits = waits(&DELAY, end);
            assert!(correlation(&waits, 1).abs() < 0.01);
            let distance = kolmogorov_smirnov(waits, |wait| (wait - 6.0) / 8.0);
            assert!(distance < 1.95, "{distance}");
        }
    }

    /// Neither the other end's nor the draws that decide whether the rule fires, and with what.
    #[test]
    fn a_wait_is_drawn_by_itself() {
        let seed = rule_seed(42, 3);
        let decided = |seed, number| random::draw(seed, 77, 75, number);
        let columns: [Vec<u64>; 4] = [
            (1..=PACKETS).map(|number| draw(seed, BEFORE, at(number))).collect(),
            (1..=PACKETS).map(|number| draw(seed, BEHIND, at(number))).collect(),
            (1..=PACKETS).map(|number| decided(seed, number)).collect(),
            (1..=PACKETS).map(|number| decided(random::mix(seed), number)).collect(),
        ];
        for (nth, one) in columns.iter().enumerate() {
            for other in &columns[nth + 1..] {
                // As likely above as below: within five standard deviations of a coin's.
                let above = one.iter().zip(other).filter(|(a, b)| a > b).count() as f64;
                let n = PACKETS as f64;
                assert!((above - n / 2.0).abs() < 5.0 * (n / 4.0).sqrt(), "{above}");
                // And together in the lower half a quarter of the time.
                let low = one.iter().zip(other).filter(|(a, b)| (**a | **b) < 1 << 31).count() as f64;
                assert!((low - n / 4.0).abs() < 5.0 * (n * 3.0 / 16.0).sqrt(), "{low}");
            }
        }
    }

    #[test]
    fn the_latest_is_what_the_tables_end_at() {
        assert_eq!(DELAY.latest(), 14 * MILLISECOND);
        let table = Delay { table: 0, ..DELAY };
        assert_eq!(table.latest(), 26 * MILLISECOND);
        assert!(exceeds(&table, 26 * MILLISECOND - 1) && !exceeds(&table, 26 * MILLISECOND));
        let (fixed, most) = (Delay { base: FOREVER, ..Delay::NONE }, u64::MAX);
        assert!(exceeds(&fixed, most) && !exceeds(&Delay { base: FOREVER - 1, ..fixed }, most));
        assert!(exceeds(&Delay { base: LONGEST, ..DELAY }, most));
        assert_eq!(Delay { jitter: u64::MAX, ..table }.latest(), u64::MAX);
    }
}
