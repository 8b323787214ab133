//! Which packets are lost: netem's three models as one Markov chain of up to four states.
//!
//! `loss [random] P [CORRELATION]`, `loss gemodel p [r [1-h [1-k]]]` (Gilbert 1960, Elliott 1963) and
//! `loss state p13 [p31 [p32 [p23 [p14]]]]` (the four states of Salsano, Ludovici, Ordine: "Definition of a
//! general and intuitive loss model", 2009) differ only in their numbers. A flow begins in a state drawn from
//! the stationary distribution, so that short flows lose as much as long ones; netem begins in the good one.

use core::hint::black_box;

use bytemuck::{Pod, Zeroable};

use crate::chance::{Bernoulli, ONE, below};

/// States that a chain can have.
pub const STATES: usize = 4;

/// Where a chain goes: draws below the first number go to state 0, of the others those below the second to
/// state 1, and so on; the rest to state 3. Numerators over 2^32, ascending.
pub type Row = [u64; STATES - 1];

/// Where a chain is: one of its states, from 1, or [`OUTSIDE`].
pub type ChainState = u64;
/// Before the first packet.
pub const OUTSIDE: ChainState = 0;

/// The chain of states by which a rule loses packets. The tables have room for every value of three bits, so
/// that no index needs a check.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Loss {
    /// Where a packet is, by where the one before was.
    pub next: [Row; 8],
    /// With which probability a packet is lost, by where it is.
    pub lost: [u64; 8],
}

const _: () = assert!(size_of::<Loss>() == 256);

impl Loss {
    /// Nothing is lost.
    pub const NONE: Self = Self { next: [[ONE; 3]; 8], lost: [0; 8] };

    /// Each packet with probability `p`; two losses in succession correlate by `correlation`. State 2 loses.
    #[must_use]
    pub fn random(p: u64, correlation: u64) -> Self {
        // Saying no is state 1, saying yes is state 2.
        let rows = Bernoulli::new(p, correlation).0.map(|yes| row([ONE - yes, yes, 0, 0]));
        Self::of(&rows, [0, ONE, 0, 0])
    }

    /// From good to bad with `p`, back with `r`; lost with `bad` in the bad state (netem's 1-h) and with
    /// `good` in the good one (netem's 1-k).
    #[must_use]
    pub fn gilbert_elliott(p: u64, r: u64, bad: u64, good: u64) -> Self {
        let first = stationary([r.into(), p.into(), 0, 0]);
        Self::of(&[first, row([ONE - p, p, 0, 0]), row([r, ONE - r, 0, 0])], [good, bad, 0, 0])
    }

    /// netem's states 1 (a gap between bursts, received), 2 (in a burst, received), 3 (in a burst, lost) and 4
    /// (in a gap, lost alone). `p13 + p14` and `p31 + p32` are at most one.
    #[must_use]
    pub fn four_state(p13: u64, p31: u64, p32: u64, p23: u64, p14: u64) -> Self {
        // In the long run as many go from the gap to the burst as back: share1 * p13 = share3 * p31, and
        // within the burst share2 * p23 = share3 * p32. A lone loss always leads back to its gap.
        let wide = |a: u64, b: u64| u128::from(a) * u128::from(b);
        let (gap, quiet, burst) = if p23 == 0 && p32 == 0 {
            (wide(p31, ONE), 0, wide(p13, ONE))
        } else {
            (wide(p31, p23), wide(p13, p32), wide(p13, p23))
        };
        let lone = (gap * u128::from(p14)) >> 32;
        let rows = [
            stationary([gap, quiet, burst, lone]),
            row([ONE.saturating_sub(p13 + p14), 0, p13, p14]),
            row([0, ONE - p23, p23, 0]),
            row([p31, p32, ONE.saturating_sub(p31 + p32), 0]),
            row([ONE, 0, 0, 0]),
        ];
        Self::of(&rows, [0, 0, ONE, ONE])
    }

    /// `rows` from outside, then from each state.
    fn of(rows: &[Row], lost: [u64; STATES]) -> Self {
        let mut this = Self::NONE;
        this.next.iter_mut().zip(rows).for_each(|(to, from)| *to = *from);
        this.lost.iter_mut().skip(1).zip(lost).for_each(|(to, from)| *to = from);
        this
    }

    /// Where a packet is after one at `before`, and 1 if it is lost, else 0. Two draws from `0..2^32`. Without
    /// a branch, see [`Bernoulli`].
    #[inline(always)]
    #[must_use]
    pub const fn step(&self, before: ChainState, transition: u64, verdict: u64) -> (ChainState, u64) {
        let row = &self.next[entry(before)];
        let passed = below(transition, row[0]) + below(transition, row[1]) + below(transition, row[2]);
        let state = STATES as u64 - passed;
        (state, below(verdict, self.lost[entry(state)]))
    }
}

/// Where a state stands in a table. The compiler can prove that the mask is of no use and drops it, if it sees
/// where the state comes from; the verifiers of old kernels (6.1) cannot and need it.
#[inline(always)]
const fn entry(state: ChainState) -> usize {
    (black_box(state) & 7) as usize
}

/// Probabilities of the four states as thresholds. What rounding leaves over goes to the first state that
/// can be reached at all.
fn row(probabilities: [u64; STATES]) -> Row {
    let rest = ONE.saturating_sub(probabilities.iter().sum());
    let heir = probabilities.iter().position(|&p| p > 0).unwrap_or(0);
    let mut sum = 0;
    let mut thresholds = probabilities.iter().enumerate().map(|(state, p)| {
        sum += p + if state == heir { rest } else { 0 };
        sum
    });
    [(); STATES - 1].map(|()| thresholds.next().unwrap_or(ONE))
}

/// The share of each state in the long run, from any multiple of it. All zero: the chain stays where it is,
/// so it begins in state 0.
fn stationary(weights: [u128; STATES]) -> Row {
    let total: u128 = weights.iter().sum();
    if total == 0 {
        return row([ONE, 0, 0, 0]);
    }
    // Weights are below 2^66, their sum times 2^32 fits.
    row(weights.map(|weight| u64::try_from((weight << 32) / total).unwrap_or(ONE)))
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "small whole numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        random::draw,
        statistics::{PACKETS, correlation, percent, runs, within_three_sigma},
    };

    fn lost(model: &Loss, seed: u64) -> Vec<bool> {
        let mut state = OUTSIDE;
        let step = |n| {
            let (next, lost) = model.step(state, draw(seed, 0, 1, n), draw(seed, 0, 2, n));
            state = next;
            lost == 1
        };
        (1..=PACKETS).map(step).collect()
    }

    fn count(lost: &[bool]) -> f64 {
        lost.iter().map(|&lost| f64::from(u8::from(lost))).sum()
    }

    #[test]
    fn random_losses_have_their_rate_and_correlation() {
        for (p, c) in [(1, 0), (10, 0), (30, 0), (10, 25), (2, 50)] {
            let lost = lost(&Loss::random(percent(p), percent(c)), 42);
            let (p, c) = (f64::from(p) / 100.0, f64::from(c) / 100.0);
            within_three_sigma(count(&lost), p, (1.0 + c) / (1.0 - c));
            let values: Vec<_> = lost.iter().map(|&lost| f64::from(u8::from(lost))).collect();
            assert!((correlation(&values, 1) - c).abs() < 0.03);
        }
    }

    /// Without correlation; with it, and in the models, the past decides.
    #[test]
    fn what_is_lost_is_lost_at_any_higher_rate() {
        for (low, high) in [(1, 2), (5, 10), (10, 90), (99, 100)] {
            let [low, high] = [low, high].map(|p| lost(&Loss::random(percent(p), 0), 42));
            assert!(low.iter().zip(&high).all(|(low, high)| high >= low));
            assert!(count(&high) > count(&low));
        }
    }

    /// Rate p/(p+r), runs of losses of 1/r and of receptions of 1/p on average.
    #[test]
    fn gilberts_bursts_have_their_rate_and_length() {
        for (p, r) in [(1, 10), (5, 25), (20, 50), (1, 99)] {
            let lost = lost(&Loss::gilbert_elliott(percent(p), percent(r), ONE, 0), 42);
            let (p, r) = (f64::from(p) / 100.0, f64::from(r) / 100.0);
            let c = 1.0 - p - r;
            within_three_sigma(count(&lost), p / (p + r), (1.0 + c) / (1.0 - c));
            for (lengths, mean) in [(runs(&lost, true), 1.0 / r), (runs(&lost, false), 1.0 / p)] {
                let n = lengths.len() as f64;
                // A run is geometric: its deviation is sqrt(1 - q) / q.
                let sigma = (1.0 - 1.0 / mean).sqrt() * mean / n.sqrt();
                let measured = lengths.iter().sum::<f64>() / n;
                assert!((measured - mean).abs() < 3.0 * sigma + 1e-9, "{measured}, {mean} expected");
            }
            // Not only their mean: a burst of more than three comes with (1 - r)^3.
            let bursts = runs(&lost, true);
            let long = bursts.iter().filter(|&&length| length > 3.0).count() as f64;
            let share = (1.0 - r).powi(3);
            let n = bursts.len() as f64;
            assert!((long - n * share).abs() < 3.0 * (n * share * (1.0 - share)).sqrt() + 1.0);
        }
    }

    #[test]
    fn elliotts_two_rates_add_up() {
        let (p, r, bad, good) = (0.02, 0.1, 0.7, 0.01);
        let lost = lost(&Loss::gilbert_elliott(percent(2), percent(10), percent(70), percent(1)), 42);
        let share = p / (p + r);
        let rate = share * bad + (1.0 - share) * good;
        within_three_sigma(count(&lost), rate, (1.0 + 0.88) / (1.0 - 0.88));
    }

    #[test]
    fn gemodel_with_one_number_is_bernoulli() {
        let p = percent(10);
        let model = Loss::gilbert_elliott(p, ONE - p, ONE, 0);
        assert_eq!(lost(&model, 9), lost(&Loss::random(p, 0), 9));
    }

    /// Shares of the states 3 and 4 as the module's equations give them, and bursts apart from lone losses.
    #[test]
    fn four_states_have_their_shares() {
        let model = Loss::four_state(percent(2), percent(20), percent(30), percent(40), percent(1));
        let (p13, p31, p32, p23, p14) = (0.02, 0.2, 0.3, 0.4, 0.01);
        let weights = [p31 * p23, p13 * p32, p13 * p23, p31 * p23 * p14];
        let total: f64 = weights.iter().sum();
        let mut state = OUTSIDE;
        let mut seen = [0.0; STATES];
        for n in 1..=PACKETS {
            let (next, lost) = model.step(state, draw(5, 0, 1, n), draw(5, 0, 2, n));
            assert_eq!(lost == 1, next >= 3);
            state = next;
            seen[(state & 7) as usize - 1] += 1.0;
        }
        for (seen, weight) in seen.iter().zip(weights) {
            within_three_sigma(*seen, weight / total, 12.0);
        }
    }

    #[test]
    fn chains_without_a_way_out_stay() {
        assert_eq!(count(&lost(&Loss::four_state(0, ONE, 0, ONE, 0), 1)), 0.0);
        assert_eq!(count(&lost(&Loss::gilbert_elliott(0, 0, ONE, 0), 1)), 0.0);
        assert_eq!(count(&lost(&Loss::gilbert_elliott(1, 0, ONE, 0), 1)), PACKETS as f64);
        assert_eq!(count(&lost(&Loss::NONE, 1)), 0.0);
    }

    proptest! {
        #[test]
        fn rows_ascend_to_one(p in prop::array::uniform5(0..=ONE)) {
            let models = [
                Loss::random(p[0], p[1]),
                Loss::gilbert_elliott(p[0], p[1], p[2], p[3]),
                Loss::four_state(p[0], p[2], p[3].min(ONE - p[2]), p[1], p[4].min(ONE - p[0])),
            ];
            for model in models {
                for row in &model.next {
                    prop_assert!(row[0] <= row[1] && row[1] <= row[2] && row[2] <= ONE, "{row:?}");
                }
            }
        }

        /// Only states with a probability are entered, whatever the draw.
        #[test]
        fn impossible_states_are_never_entered(p in 0..=ONE, r in 0..=ONE, draw in 0..ONE, before in 0u64..=2) {
            let (state, _) = Loss::gilbert_elliott(p, r, ONE, 0).step(before, draw, 0);
            prop_assert!((1..=2).contains(&state));
            let (start, _) = Loss::gilbert_elliott(p, r, ONE, 0).step(OUTSIDE, draw, 0);
            prop_assert!(start == 1 || p > 0);
        }
    }
}
