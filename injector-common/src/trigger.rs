//! When a rule that matches also fires: strace's `when=`, a probability, and at most N times.

use bytemuck::{Pod, Zeroable};

/// `when=first..last+step`, in strace's sense: of the matches numbered from 1, the `first`, then every
/// `step`-th, up to and including `last`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct When {
    /// The first match that fires, from 1.
    pub first: u32,
    /// The last match that may fire; [`When::FOREVER`] for no end.
    pub last: u32,
    /// The distance between firing matches, from 1.
    pub step: u32,
    /// Keeps the size a multiple of eight.
    pub _pad: u32,
}

impl When {
    /// The value of `last` that means "no end".
    pub const FOREVER: u32 = u32::MAX;

    /// Every match.
    pub const ALWAYS: Self = Self { first: 1, last: Self::FOREVER, step: 1, _pad: 0 };

    /// Does match number `n` (from 1) fire?
    #[inline(always)]
    #[must_use]
    pub const fn holds(&self, n: u64) -> bool {
        if n < self.first as u64 {
            return false;
        }
        if self.last != Self::FOREVER && n > self.last as u64 {
            return false;
        }
        // The common step of 1 needs no division, which BPF would do in software on some targets.
        self.step <= 1 || (n - self.first as u64).is_multiple_of(self.step as u64)
    }
}

/// A probability as a numerator over 2^32, so that 0 and 1 are both exact.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
pub struct Threshold(pub u64);

impl Threshold {
    /// Certain.
    pub const ALWAYS: Self = Self(1 << 32);

    /// Does a draw from `0..2^32` fall below the threshold?
    #[inline(always)]
    #[must_use]
    pub const fn admits(self, draw: u64) -> bool {
        draw < self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What strace does, said slowly: walk from `first` in steps and see whether `n` is met.
    fn slow(when: &When, n: u64) -> bool {
        let mut at = u64::from(when.first);
        while at <= n {
            if at == n {
                return when.last == When::FOREVER || n <= u64::from(when.last);
            }
            at += u64::from(when.step);
        }
        false
    }

    #[test]
    fn straces_examples() {
        let third = When { first: 3, last: 3, step: 1, _pad: 0 };
        assert_eq!((1..=9).filter(|&n| third.holds(n)).collect::<Vec<_>>(), [3]);
        let from_third = When { first: 3, last: When::FOREVER, step: 1, _pad: 0 };
        assert_eq!((1..=5).filter(|&n| from_third.holds(n)).collect::<Vec<_>>(), [3, 4, 5]);
        let stepped = When { first: 2, last: 10, step: 4, _pad: 0 };
        assert_eq!((1..=20).filter(|&n| stepped.holds(n)).collect::<Vec<_>>(), [2, 6, 10]);
    }

    proptest! {
        #[test]
        fn holds_agrees_with_the_slow_model(
            first in 1u32..50, length in 0u32..50, step in 1u32..12, open: bool, n in 1u64..200,
        ) {
            let last = if open { When::FOREVER } else { first + length };
            let when = When { first, last, step, _pad: 0 };
            prop_assert_eq!(when.holds(n), slow(&when, n));
        }

        #[test]
        fn certainty_admits_every_draw(draw in 0u64..1 << 32) {
            prop_assert!(Threshold::ALWAYS.admits(draw));
            prop_assert!(!Threshold(0).admits(draw));
        }

        /// A ramp is monotone: what fires at a probability fires at every higher one.
        #[test]
        fn a_higher_threshold_admits_more(draw in 0u64..1 << 32, low in 0u64..=1 << 32, more in 0u64..1 << 32) {
            prop_assert!(!Threshold(low).admits(draw) || Threshold(low + more).admits(draw));
        }
    }
}
