//! The source of every random decision: a hash of what identifies the decision, not a stream.
//!
//! A stream would depend on which CPU asks first. A hash of (seed, who, what, how often before) gives
//! the same answer on every run of the same program with the same seed, whatever the scheduler does.

/// One round of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
/// OOPSLA 2014): a bijection of 64 bits that passes the usual statistical batteries.
#[inline(always)]
#[must_use]
pub const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Combines two values so that neither can cancel the other.
#[inline(always)]
#[must_use]
pub const fn combine(left: u64, right: u64) -> u64 {
    mix(left ^ mix(right))
}

/// The seed of rule number `rule` of a plan: rules of one plan draw independently of each other.
#[inline(always)]
#[must_use]
pub const fn rule_seed(plan_seed: u64, rule: u32) -> u64 {
    combine(plan_seed, rule as u64 + 1)
}

/// A draw for decision number `n` (from 1) of the rule with seed `seed`, made by `subject` (a thread's
/// position in the process tree, or 0 for packets) on `object` (which call, or 0): uniform in `0..2^32`.
#[inline(always)]
#[must_use]
pub const fn draw(seed: u64, subject: u64, object: u64, n: u64) -> u64 {
    combine(combine(combine(seed, subject), object), n) >> 32
}

/// The draws for one packet: number `number` of the flow `flow`.
#[derive(Clone, Copy, Debug)]
pub struct Draws {
    /// The rule's.
    pub seed: u64,
    /// Who the flow is.
    pub flow: u64,
    /// From 1.
    pub number: u64,
}

impl Draws {
    /// The one for `kind`, from `0..2^32`.
    #[inline(always)]
    #[must_use]
    pub const fn of(self, kind: u64) -> u64 {
        draw(self.seed, self.flow, kind, self.number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first outputs of the reference SplitMix64 with seed 0.
    #[test]
    fn mix_agrees_with_the_reference() {
        let mut state = 0u64;
        let mut next = || {
            let out = mix(state);
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            out
        };
        assert_eq!(next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(next(), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(next(), 0x06c4_5d18_8009_454f);
    }

    #[test]
    fn draws_are_uniform_enough() {
        const DRAWS: u64 = 200_000;
        let threshold = (1u64 << 32) / 20;
        let hits = (1..=DRAWS).filter(|&n| draw(42, 7, 1, n) < threshold).count();
        let expected = f64::from(u32::try_from(DRAWS).unwrap()) * 0.05;
        let deviation = (expected * 0.95).sqrt();
        let hits = f64::from(u32::try_from(hits).unwrap());
        assert!((hits - expected).abs() < 5.0 * deviation, "{hits} hits, {expected} expected");
    }

    proptest! {
        #[test]
        fn a_draw_is_below_two_to_the_32(seed: u64, subject: u64, object: u64, n: u64) {
            prop_assert!(draw(seed, subject, object, n) < 1 << 32);
        }

        #[test]
        fn a_draw_depends_on_each_part(seed: u64, subject: u64, object: u64, n: u64) {
            let all = combine(combine(combine(seed, subject), object), n);
            prop_assert_ne!(all, combine(combine(combine(seed ^ 1, subject), object), n));
            prop_assert_ne!(all, combine(combine(combine(seed, subject ^ 1), object), n));
            prop_assert_ne!(all, combine(combine(combine(seed, subject), object ^ 1), n));
            prop_assert_ne!(all, combine(combine(combine(seed, subject), object), n ^ 1));
        }
    }
}
