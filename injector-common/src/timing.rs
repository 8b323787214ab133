//! When a packet leaves: netem's `delay`, `reorder`, `rate` and `limit` of one rule, as far as a flow and the
//! packet's number in it decide. The rate depends on all packets of the rule besides, see [`crate::rate`].

use bytemuck::{Pod, Zeroable};

use crate::{
    chance::{below, choose},
    delay::{Delay, Table},
    random::Draws,
    rate::Rate,
    reorder::{Order, Reorder},
};

/// [`Timing::flags`]: packets wait at all.
pub const WAITS: u32 = 1;
/// [`Timing::flags`]: no packet leaves before one of its flow that came before it.
pub const ORDERED: u32 = 2;

/// What is drawn.
const OVERTAKE: u64 = 6;
const REPEAT: u64 = 7;
const WAIT: u64 = 8;
const COPY_WAIT: u64 = 24;

/// The parts of a flow's state: what came of the trial, packets since the last one that overtook, packets since
/// the last fresh draw of a delay.
const ORDER_SHIFT: u32 = 2;
const AGE_SHIFT: u32 = 12;
/// Bits of a flow's state.
pub const STATE_BITS: u32 = 22;
/// A draw that is so many packets old is not repeated once more.
const OLDEST: u64 = 1023;

/// How late the packets of one rule leave. Times are in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Timing {
    /// How late packets are.
    pub delay: Delay,
    /// Which are not.
    pub reorder: Reorder,
    /// How long each is on the wire.
    pub rate: Rate,
    /// No packet is delayed for longer, nor waits for longer behind others of a rate: then it is lost.
    pub longest: u64,
    /// Packets that wait at most; those that come then are lost.
    pub limit: u64,
    /// Bytes of packets that wait at most.
    pub room: u64,
    /// Bits of [`WAITS`] and [`ORDERED`].
    pub flags: u32,
    /// Explicit padding.
    pub _pad: u32,
}

const _: () = assert!(
    size_of::<Timing>() == size_of::<Delay>() + size_of::<Reorder>() + size_of::<Rate>() + 32
        && align_of::<Timing>() == 8
);

/// Which draw says when a packet leaves, and whether it waits at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Departure {
    /// 1 if it leaves at once, ahead of those before it.
    pub overtakes: u64,
    /// The number of the packet whose draw says how late this one is.
    pub drawn: u64,
}

impl Timing {
    /// No packet waits.
    pub const NONE: Self = Self {
        delay: Delay::NONE,
        reorder: Reorder::NONE,
        rate: Rate::NONE,
        longest: 0,
        limit: 0,
        room: 0,
        flags: 0,
        _pad: 0,
    };

    /// What comes of the packet `draws` is for, after the flow's `state`; and the state then. `arrives` is 0 for
    /// a packet that is lost, which is asked nothing.
    #[inline(always)]
    #[must_use]
    pub const fn next(&self, draws: Draws, state: u64, arrives: u64) -> (u64, Departure) {
        let order = Order { said: state & 3, delayed: state >> ORDER_SHIFT & OLDEST };
        let (overtakes, after) = self.reorder.overtakes(order, draws.of(OVERTAKE));
        let said = choose(arrives, after.said, order.said);
        let delayed = choose(arrives, after.delayed, order.delayed);
        let overtakes = arrives & overtakes;

        let back = (state >> AGE_SHIFT & OLDEST) + 1;
        let young = below(back, OLDEST + 1);
        let repeats = young & below(draws.of(REPEAT), self.delay.repeat);
        let waits = arrives & (overtakes ^ 1);
        let age = choose(waits & (repeats ^ 1), 0, choose(young, back, OLDEST));
        let last = draws.number.wrapping_sub(choose(repeats, back, 0));
        let state = age << AGE_SHIFT | (delayed & OLDEST) << ORDER_SHIFT | said & 3;
        (state, Departure { overtakes, drawn: last })
    }

    /// How late it is by the draw of packet `draws` is for; `copy` tells of its copy.
    #[inline(always)]
    #[must_use]
    pub const fn late(&self, draws: Draws, table: Option<&Table>, copy: bool) -> u64 {
        let late = self.delay.time(table, draws.of(if copy { COPY_WAIT } else { WAIT }));
        choose(below(late, self.longest), late, self.longest)
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "times that a double holds exactly")]
mod tests {
    use super::*;
    use crate::{
        chance::{Bernoulli, ONE},
        statistics::{PACKETS, correlation, kolmogorov_smirnov, percent},
    };

    const MILLISECOND: u64 = 1_000_000;

    fn timing(repeat: u32) -> Timing {
        let delay = Delay {
            base: 100 * MILLISECOND,
            jitter: 20 * MILLISECOND,
            repeat: percent(repeat),
            ..Delay::NONE
        };
        Timing { delay, longest: 1000 * MILLISECOND, limit: 1000, flags: WAITS, ..Timing::NONE }
    }

    /// Of each packet whether it overtook, and how late it is else, in milliseconds.
    fn all(timing: &Timing, lost: impl Fn(u64) -> bool) -> Vec<Option<f64>> {
        let mut state = 0;
        let next = |number| {
            let draws = Draws { seed: 4, flow: 2, number };
            let (after, moment) = timing.next(draws, state, u64::from(!lost(number)));
            assert!(after >> STATE_BITS == 0);
            state = after;
            let late = timing.late(Draws { number: moment.drawn, ..draws }, None, false);
            (moment.overtakes == 0).then_some(late as f64 / MILLISECOND as f64)
        };
        (1..=PACKETS).map(next).collect()
    }

    #[test]
    fn delays_correlate_and_keep_their_distribution() {
        for given in [0, 25, 80] {
            let times: Vec<_> = all(&timing(given), |_| false).into_iter().flatten().collect();
            let c = f64::from(given) / 100.0;
            let measured = correlation(&times, 1);
            assert!((measured - c).abs() < 0.02, "{given}%: {measured}");
            let distance = kolmogorov_smirnov(times, |time| (time - 80.0) / 40.0);
            assert!(distance < 1.95 * ((1.0 + c) / (1.0 - c)).sqrt(), "{given}%: {distance}");
        }
    }

    /// A draw that is repeated is the last one that was used, whatever was lost in between.
    #[test]
    fn a_lost_packet_does_not_change_what_is_repeated() {
        let lost = |number: u64| number.is_multiple_of(3);
        let times = all(&timing(100), lost);
        let arrived: Vec<_> = times.iter().zip(1..).filter(|(_, number)| !lost(*number)).collect();
        let fresh = arrived.windows(2).filter(|pair| pair[0].0 != pair[1].0).count();
        // Only what is too old is drawn afresh.
        assert!((1..=100).contains(&fresh), "{fresh}");
    }

    #[test]
    fn every_fifth_overtakes() {
        let reorder = Reorder { chance: Bernoulli::new(ONE, 0), gap: 5 };
        let times = all(&Timing { reorder, ..timing(50) }, |_| false);
        assert!(times.iter().zip(1..).all(|(time, n)| time.is_none() == (n % 5 == 0)));
    }

    #[test]
    fn nothing_is_later_than_the_longest() {
        let times = all(&Timing { longest: 110 * MILLISECOND, ..timing(0) }, |_| false);
        let cut = times.iter().flatten().filter(|&&time| time == 110.0).count() as f64;
        assert!(times.iter().flatten().all(|&time| time <= 110.0));
        assert!((cut / PACKETS as f64 - 0.25).abs() < 0.01, "{cut}");
    }

    #[test]
    fn a_copy_has_a_delay_of_its_own() {
        let draws = Draws { seed: 1, flow: 1, number: 1 };
        assert_ne!(timing(0).late(draws, None, false), timing(0).late(draws, None, true));
    }
}
