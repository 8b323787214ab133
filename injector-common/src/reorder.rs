//! Packets that overtake: netem's `reorder P [CORRELATION] [gap N]`. All packets are delayed but those that
//! are sent at once: of a flow's packets, at most every N-th, and that with the given probability.

use bytemuck::{Pod, Zeroable};

use crate::chance::{Bernoulli, Said, below, choose};

/// Which packets of a rule overtake those that wait.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Reorder {
    /// Does a packet that may overtake do so?
    pub chance: Bernoulli,
    /// The distance of two packets that may overtake, from 1 to [`MOST_GAP`]; 0 for no reordering.
    pub gap: u64,
}

/// The largest gap: what [`crate::timing`] has bits for.
pub const MOST_GAP: u32 = 1023;

/// What is known of the packets before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Packets that were delayed since the last one that overtook; stops before the gap.
    pub delayed: u64,
    /// What came of the last trial.
    pub said: Said,
}

impl Reorder {
    /// Every packet keeps its place.
    pub const NONE: Self = Self { chance: Bernoulli::NEVER, gap: 0 };

    /// Does the next packet overtake (0 or 1), and what is known then? One draw from `0..2^32`.
    ///
    /// As in net/sched/sch_netem.c, `netem_enqueue`: there is no trial inside a gap, and one that
    /// comes to no leaves the next packet free to overtake. Nothing is a branch, see [`Bernoulli`].
    #[inline(always)]
    #[must_use]
    pub const fn overtakes(&self, order: Order, draw: u64) -> (u64, Order) {
        let reorders = (self.gap | self.gap.wrapping_neg()) >> 63;
        let inside = reorders & below(order.delayed + 1, self.gap);
        let free = reorders & (inside ^ 1);
        let said = choose(free, self.chance.sample(order.said, draw), order.said);
        let overtakes = free & (said >> 1);
        (overtakes, Order { delayed: choose(overtakes, 0, order.delayed + inside), said })
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use super::*;
    use crate::{
        chance::ONE,
        random::draw,
        statistics::{PACKETS, percent, runs, within_three_sigma},
    };

    fn overtaking(reorder: Reorder) -> Vec<bool> {
        let mut order = Order::default();
        let next = |n| {
            let (overtakes, after) = reorder.overtakes(order, draw(3, 0, 0, n));
            order = after;
            overtakes == 1
        };
        (1..=PACKETS).map(next).collect()
    }

    #[test]
    fn tc_netems_example_sends_every_fifth_at_once() {
        let all = overtaking(Reorder { chance: Bernoulli::new(ONE, 0), gap: 5 });
        assert!(all.iter().zip(1..).all(|(&overtakes, n)| overtakes == (n % 5 == 0)));
    }

    #[test]
    fn a_quarter_overtakes() {
        let all = overtaking(Reorder { chance: Bernoulli::new(percent(25), 0), gap: 1 });
        within_three_sigma(all.iter().filter(|&&yes| yes).count() as f64, 0.25, 1.0);
    }

    /// Four are delayed for sure, then 1/p - 1 more on average: one in 4 + 1/p overtakes.
    #[test]
    fn a_gap_is_kept() {
        let all = overtaking(Reorder { chance: Bernoulli::new(percent(25), 0), gap: 5 });
        assert!(runs(&all[..all.len() - 5], false).iter().all(|&length| length >= 4.0));
        within_three_sigma(all.iter().filter(|&&yes| yes).count() as f64, 1.0 / 8.0, 1.0);
        assert!(overtaking(Reorder::NONE).iter().all(|&yes| !yes));
    }
}
