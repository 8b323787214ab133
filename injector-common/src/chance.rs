//! Bernoulli trials that depend on the one before: netem's `P% CORRELATION%`, with exactly that probability and exactly
//! that correlation.
//!
//! netem mixes each draw with the last one, which makes draws near the middle likelier than 0 and 1: at
//! 25 % correlation a `loss 1%` loses hardly anything (net/sched/sch_netem.c, `get_crandom`; tc-netem(8)
//! calls it deprecated for that). Here a decision is the last one again with the probability of the
//! correlation, else a fresh one: over n packets the correlation falls as its n-th power, as netem means
//! it, and the share of yeses stays what was asked for.

use core::hint::black_box;

use bytemuck::{Pod, Zeroable};

/// Probabilities are numerators over 2^32.
pub const ONE: u64 = 1 << 32;

/// What came of the last trial: [`UNASKED`], [`NO`] or [`YES`].
pub type Said = u64;
/// There was none.
pub const UNASKED: Said = 0;
/// No.
pub const NO: Said = 1;
/// Yes.
pub const YES: Said = 2;

/// The probability of a yes, by what was said last; the last entry is never used. All of it is looked up and
/// counted, nothing is a branch: a program with several of them has one way through, for the verifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Bernoulli(pub [u64; 4]);

impl Bernoulli {
    /// Always no.
    pub const NEVER: Self = Self([0; 4]);

    /// Yes with `probability`; two decisions in succession correlate by `correlation`.
    #[must_use]
    pub const fn new(probability: u64, correlation: u64) -> Self {
        // P(yes | no) = p (1 - c), P(yes | yes) = p + c (1 - p): the chain's stationary share of yeses is p.
        let after_no = scaled(probability, ONE - correlation);
        let after_yes = probability + scaled(ONE - probability, correlation);
        Self([probability, after_no, after_yes, 0])
    }

    /// What comes of a trial with a draw from `0..2^32`: [`NO`] or [`YES`].
    #[inline(always)]
    #[must_use]
    pub const fn sample(&self, before: Said, draw: u64) -> Said {
        // The mask has to stay, see `loss`.
        NO + below(draw, self.0[(black_box(before) & 3) as usize])
    }
}

/// 1 if the draw is below the threshold, else 0, without a branch: the difference of two values far below
/// 2^63 has a sign.
#[inline(always)]
#[must_use]
pub const fn below(draw: u64, threshold: u64) -> u64 {
    draw.wrapping_sub(threshold) >> 63
}

/// One of two, by a truth of 0 or 1, without a branch.
#[inline(always)]
#[must_use]
pub const fn choose(truth: u64, yes: u64, no: u64) -> u64 {
    no ^ ((yes ^ no) & truth.wrapping_neg())
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

    fn samples(chance: Bernoulli, seed: u64) -> Vec<bool> {
        let mut said = UNASKED;
        let sample = |n| {
            said = chance.sample(said, draw(seed, 0, 0, n));
            said == YES
        };
        (1..=PACKETS).map(sample).collect()
    }

    #[test]
    fn share_and_correlation_are_what_was_asked_for() {
        for (probability, given) in [(1, 0), (1, 25), (10, 0), (10, 25), (30, 60), (50, 90)] {
            let said = samples(Bernoulli::new(percent(probability), percent(given)), 7);
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
        assert!(samples(Bernoulli::new(ONE, percent(50)), 1).iter().all(|&yes| yes));
        assert!(!samples(Bernoulli::NEVER, 1).contains(&true));
        let stuck = samples(Bernoulli::new(percent(50), ONE), 3);
        assert!(stuck.iter().all(|&yes| yes == stuck[0]));
    }

    proptest! {
        #[test]
        fn probabilities_stay_probabilities(p in 0..=ONE, c in 0..=ONE) {
            let chance = Bernoulli::new(p, c);
            prop_assert!(chance.0[1] <= p && p <= chance.0[2] && chance.0[2] <= ONE);
        }

        #[test]
        fn below_is_what_comparison_says(draw in 0..ONE, threshold in 0..=ONE) {
            prop_assert_eq!(below(draw, threshold) == 1, draw < threshold);
        }

        #[test]
        fn a_product_is_that_of_wider_numbers(a in 0..=ONE, b in 0..=ONE) {
            let wide = (u128::from(a) * u128::from(b) + (1 << 31)) >> 32;
            prop_assert_eq!(u128::from(scaled(a, b)), wide);
        }
    }
}
