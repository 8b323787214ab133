//! A coin that remembers: netem's `P% CORRELATION%`, with exactly that probability and exactly that
//! correlation.
//!
//! netem mixes each draw with the last one, which makes draws near the middle likelier than 0 and 1: at
//! 25 % correlation a `loss 1%` loses hardly anything (net/sched/sch_netem.c, `get_crandom`; tc-netem(8)
//! calls it deprecated for that). Here a decision is the last one again with the probability of the
//! correlation, else a fresh one: over n packets the correlation falls as its n-th power, as netem means
//! it, and the share of yeses stays what was asked for.

use bytemuck::{Pod, Zeroable};

/// Probabilities are numerators over 2^32.
pub const ONE: u64 = 1 << 32;

/// What follows a yes or a no.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Coin {
    /// The probability of a yes at the first toss.
    pub first: u64,
    /// After a no, and after a yes.
    pub after: [u64; 2],
}

impl Coin {
    /// Always no.
    pub const NEVER: Self = Self { first: 0, after: [0; 2] };

    /// Yes with `probability`; two decisions in succession correlate by `correlation`.
    #[must_use]
    pub const fn new(probability: u64, correlation: u64) -> Self {
        // P(yes | no) = p (1 - c), P(yes | yes) = p + c (1 - p): the chain's stationary share of yeses is p.
        let after_no = scaled(probability, ONE - correlation);
        let after_yes = probability + scaled(ONE - probability, correlation);
        Self { first: probability, after: [after_no, after_yes] }
    }

    /// Can it ever say yes?
    #[inline(always)]
    #[must_use]
    pub const fn possible(&self) -> bool {
        self.first | self.after[0] != 0
    }

    /// Tosses it with a draw from `0..2^32`. `before` is what it said last, `None` at the first toss.
    #[inline(always)]
    #[must_use]
    pub const fn toss(&self, before: Option<bool>, draw: u64) -> bool {
        let threshold = match before {
            None => self.first,
            Some(false) => self.after[0],
            Some(true) => self.after[1],
        };
        draw < threshold
    }
}

/// `value * share`, rounded to the nearest 1/2^32; both at most [`ONE`].
#[must_use]
pub const fn scaled(value: u64, share: u64) -> u64 {
    // 2^64 at most, and that only for one times one.
    if share == ONE {
        return value;
    }
    if value == ONE {
        return share;
    }
    (value * share + (1 << 31)) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        random::draw,
        statistics::{PACKETS, correlation, percent, within_three_sigma},
    };

    fn tosses(coin: Coin, seed: u64) -> Vec<bool> {
        let mut before = None;
        let toss = |n| {
            let yes = coin.toss(before, draw(seed, 0, 0, n));
            before = Some(yes);
            yes
        };
        (1..=PACKETS).map(toss).collect()
    }

    #[test]
    fn share_and_correlation_are_what_was_asked_for() {
        for (probability, given) in [(1, 0), (1, 25), (10, 0), (10, 25), (30, 60), (50, 90)] {
            let said = tosses(Coin::new(percent(probability), percent(given)), 7);
            let values: Vec<_> = said.iter().map(|&yes| f64::from(u8::from(yes))).collect();
            let (p, c) = (f64::from(probability) / 100.0, f64::from(given) / 100.0);
            // The variance of the share of a correlated sequence is larger by (1 + c) / (1 - c).
            within_three_sigma(values.iter().sum(), p, (1.0 + c) / (1.0 - c));
            let measured = correlation(&values, 1);
            assert!((measured - c).abs() < 0.03, "{probability}% {given}%: {measured}");
            assert!((correlation(&values, 2) - c * c).abs() < 0.03, "{probability}% {given}%, second");
        }
    }

    #[test]
    fn the_extremes_are_exact() {
        assert!(tosses(Coin::new(ONE, percent(50)), 1).iter().all(|&yes| yes));
        assert!(!Coin::NEVER.possible() && !Coin::new(0, percent(50)).possible());
        assert!(Coin::new(1, ONE).possible());
        let stuck = tosses(Coin::new(percent(50), ONE), 3);
        assert!(stuck.iter().all(|&yes| yes == stuck[0]));
    }

    proptest! {
        #[test]
        fn probabilities_stay_probabilities(p in 0..=ONE, c in 0..=ONE) {
            let coin = Coin::new(p, c);
            prop_assert!(coin.after[0] <= p && p <= coin.after[1] && coin.after[1] <= ONE);
        }

        #[test]
        fn a_product_is_that_of_wider_numbers(a in 0..=ONE, b in 0..=ONE) {
            let wide = (u128::from(a) * u128::from(b) + (1 << 31)) >> 32;
            prop_assert_eq!(u128::from(scaled(a, b)), wide);
        }
    }
}
