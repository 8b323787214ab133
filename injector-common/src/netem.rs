//! What happens to one packet by netem's words: a pure function of the rule, the flow and its number in it.
//!
//! As in net/sched/sch_netem.c, `netem_enqueue`: a packet is doubled or not, lost or not, and one that was to
//! be both passes as if nothing had been; a copy can be lost and damaged by itself, but not doubled again.

use bytemuck::{Pod, Zeroable};

use crate::{
    chance::{Bernoulli, choose},
    loss::Loss,
    random::Draws,
    timing::{STATE_BITS, Timing, WAITS},
};

/// [`Verdict::effects`]: the packet itself does not arrive.
pub const LOST: u32 = 1;
/// [`Verdict::effects`]: a copy goes before it.
pub const DUPLICATED: u32 = 2;
/// [`Verdict::effects`]: one bit of the packet itself is turned.
pub const CORRUPTED: u32 = 4;
/// [`Verdict::effects`]: one bit of its copy is turned.
pub const COPY_CORRUPTED: u32 = 8;
/// [`Verdict::effects`]: the packet waits, and its copy with it.
pub const DELAYED: u32 = 16;
/// [`Verdict::effects`]: the packet does not wait, as others of its rule do.
pub const OVERTOOK: u32 = 32;
/// [`Verdict::effects`]: it is lost because too many wait.
pub const OVERFLOWED: u32 = 64;

/// What is drawn for a packet; a copy's draws are others.
const TRANSITION: u64 = 1;
const LOSE: u64 = 2;
const DOUBLE: u64 = 3;
const DAMAGE: u64 = 4;
const WHICH_BIT: u64 = 5;
const COPY: u64 = 16;

/// What a rule does to packets, beyond dropping them all.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Netem {
    /// Which are lost.
    pub loss: Loss,
    /// Which come twice.
    pub duplicate: Bernoulli,
    /// Which are damaged.
    pub corrupt: Bernoulli,
    /// When they leave.
    pub timing: Timing,
    /// How they get there: bits of [`VIA_DELAY_LINE`], [`SPLIT`], [`UNFIXED`] and [`VIA_DELAY_LINE_IN`].
    pub via: u64,
}

/// [`Netem::via`]: all packets that go out go through the delay line.
pub const VIA_DELAY_LINE: u64 = 1;
/// [`Netem::via`]: those that are several on the wire go through it, and are taken apart there.
pub const SPLIT: u64 = 2;
/// [`Netem::via`]: damage leaves the checksum as it was.
pub const UNFIXED: u64 = 4;
/// [`Netem::via`]: all packets that come in go through the delay line.
pub const VIA_DELAY_LINE_IN: u64 = 8;

/// How far a flow is: the number of its last packet and what came of it, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State(pub u64);

/// Where the parts of the state are.
const DUPLICATE_SHIFT: u32 = 3;
const CORRUPT_SHIFT: u32 = 5;
const TIMING_SHIFT: u32 = 7;
const NUMBER_SHIFT: u32 = TIMING_SHIFT + STATE_BITS;

impl State {
    /// The number of the last packet, from 1; 0 before the first. After 2^35 packets it begins again.
    #[inline(always)]
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 >> NUMBER_SHIFT
    }
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Bits of [`LOST`] and its like.
    pub effects: u32,
    /// Its number in its flow, from 1.
    pub number: u64,
    /// The number of the packet whose draw says how late it is.
    pub drawn: u64,
}

impl Verdict {
    /// What is left of it for a packet to which earlier rules have done `before`: each thing happens once, the
    /// first rule decides, and of a packet that is lost there is nothing left.
    #[inline(always)]
    #[must_use]
    pub const fn beside(self, before: u32) -> Self {
        let taken = match before & (LOST | DUPLICATED) {
            0 => before,
            DUPLICATED => before | COPY_CORRUPTED,
            _ => u32::MAX,
        };
        let moved = if before & (DELAYED | OVERTOOK) == 0 { 0 } else { DELAYED | OVERTOOK };
        Self { effects: self.effects & !(taken | moved), ..self }
    }
}

impl Netem {
    /// Nothing happens to any.
    pub const NONE: Self = Self {
        loss: Loss::NONE,
        duplicate: Bernoulli::NEVER,
        corrupt: Bernoulli::NEVER,
        timing: Timing::NONE,
        via: 0,
    };

    /// What happens to the next packet of a flow, and how far the flow is then. `content`: are there bytes
    /// that can be damaged?
    ///
    /// Truth is 0 or 1 here, and nothing is a branch, see [`Bernoulli`].
    #[inline(always)]
    #[must_use]
    pub const fn next(&self, seed: u64, flow: u64, state: State, content: bool) -> (State, Verdict) {
        let number = state.number() + 1;
        let draws = Draws { seed, flow, number };
        let content = content as u64;

        let said = self.duplicate.sample(state.0 >> DUPLICATE_SHIFT & 3, draws.of(DOUBLE));
        let doubled = said >> 1;
        let (chain, lost) = self.loss.step(state.0 & 7, draws.of(TRANSITION), draws.of(LOSE));
        // Two less one: the packet passes. Only where it is sent twice the copy is asked about.
        let copied = doubled & !lost;
        let (after_copy, copy_lost) =
            self.loss.step(chain, draws.of(COPY | TRANSITION), draws.of(COPY | LOSE));
        let chain = choose(copied, after_copy, chain);
        let lost = lost & !doubled;
        let doubled = copied & !copy_lost;

        let before = state.0 >> CORRUPT_SHIFT & 3;
        let asked = doubled & content;
        let copy_damage = choose(asked, self.corrupt.sample(before, draws.of(COPY | DAMAGE)), before);
        let copy_corrupted = asked & copy_damage >> 1;
        let asked = content & !lost;
        let damage = choose(asked, self.corrupt.sample(copy_damage, draws.of(DAMAGE)), copy_damage);
        let corrupted = asked & damage >> 1;

        let arrives = lost ^ 1;
        let (timing, moment) = self.timing.next(draws, state.0 >> TIMING_SHIFT, arrives);
        let waits = arrives & (self.timing.flags & WAITS) as u64;
        let delayed = waits & (moment.overtakes ^ 1);
        let overtook = waits & moment.overtakes;

        let effects =
            lost | doubled << 1 | corrupted << 2 | copy_corrupted << 3 | delayed << 4 | overtook << 5;
        let after = number << NUMBER_SHIFT
            | timing << TIMING_SHIFT
            | damage << CORRUPT_SHIFT
            | said << DUPLICATE_SHIFT
            | chain;
        (State(after), Verdict { effects: (effects & 0x3f) as u32, number, drawn: moment.drawn })
    }

    /// The bit of `bytes` bytes that is turned in that packet, or in its copy. `bytes` is not 0 and below 2^29.
    #[inline(always)]
    #[must_use]
    pub const fn bit(seed: u64, flow: u64, number: u64, copy: bool, bytes: u32) -> u32 {
        let kind = if copy { COPY | WHICH_BIT } else { WHICH_BIT };
        ((Draws { seed, flow, number }.of(kind) * (bytes as u64 * 8)) >> 32) as u32
    }
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        chance::ONE,
        statistics::{PACKETS, percent, within_three_sigma},
    };

    fn netem() -> Netem {
        Netem::NONE
    }

    fn losing(loss: Loss) -> Netem {
        Netem { loss, ..netem() }
    }

    fn verdicts(netem: &Netem, flow: u64, packets: u64) -> Vec<Verdict> {
        let mut state = State::default();
        let next = |_| {
            let (after, verdict) = netem.next(42, flow, state, true);
            state = after;
            verdict
        };
        (0..packets).map(next).collect()
    }

    fn count(verdicts: &[Verdict], effect: u32) -> f64 {
        verdicts.iter().filter(|verdict| verdict.effects & effect != 0).count() as f64
    }

    #[test]
    fn packets_are_numbered_from_one() {
        let numbers = verdicts(&netem(), 1, 1000).into_iter().map(|verdict| verdict.number);
        assert!(numbers.eq(1..=1000));
    }

    #[test]
    fn a_chain_goes_on_from_packet_to_packet() {
        let loss = Loss::gilbert_elliott(percent(1), percent(10), ONE, 0);
        let verdicts = verdicts(&losing(loss), 7, PACKETS);
        let share = 1.0 / 11.0;
        within_three_sigma(count(&verdicts, LOST), share, 1.89 / 0.11);
        let bursts =
            verdicts.windows(2).filter(|pair| pair[0].effects & LOST == 0 && pair[1].effects & LOST != 0);
        let mean = count(&verdicts, LOST) / bursts.count() as f64;
        assert!((9.0..11.0).contains(&mean), "{mean}");
    }

    /// netem's sums: doubled and kept twice p d (1-l)(1-l), lost l (1-d), the rest arrives once.
    #[test]
    fn copies_can_be_lost_too() {
        let both = Netem {
            loss: Loss::random(percent(10), 0),
            duplicate: Bernoulli::new(percent(20), 0),
            ..netem()
        };
        let verdicts = verdicts(&both, 7, PACKETS);
        within_three_sigma(count(&verdicts, LOST), 0.1 * 0.8, 1.0);
        within_three_sigma(count(&verdicts, DUPLICATED), 0.2 * 0.9 * 0.9, 1.0);
        assert!(verdicts.iter().all(|verdict| verdict.effects != LOST | DUPLICATED));
    }

    #[test]
    fn everything_doubled_and_lost_passes_once() {
        let all = Netem { loss: Loss::random(ONE, 0), duplicate: Bernoulli::new(ONE, 0), ..netem() };
        assert!(verdicts(&all, 7, 1000).iter().all(|verdict| verdict.effects == 0));
    }

    #[test]
    fn damage_keeps_its_share_among_packets_with_content() {
        let corrupt = Netem { corrupt: Bernoulli::new(percent(5), percent(25)), ..netem() };
        let mut state = State::default();
        let mut damaged = 0.0;
        for n in 0..2 * PACKETS {
            let (after, verdict) = corrupt.next(42, 7, state, n % 2 == 0);
            state = after;
            assert!(n % 2 == 0 || verdict.effects == 0);
            damaged += f64::from(u8::from(verdict.effects == CORRUPTED));
        }
        within_three_sigma(damaged, 0.05, 1.25 / 0.75);
    }

    #[test]
    fn rules_add_up_and_the_first_decides() {
        let of = |effects| Verdict { effects, number: 1, drawn: 1 };
        let left = |before, effects| of(effects).beside(before).effects;
        assert_eq!(left(0, DUPLICATED | COPY_CORRUPTED), DUPLICATED | COPY_CORRUPTED);
        assert_eq!(left(LOST, DUPLICATED), 0);
        assert_eq!(left(DUPLICATED, LOST), LOST);
        assert_eq!(left(DUPLICATED, DUPLICATED | COPY_CORRUPTED), 0);
        assert_eq!(left(DUPLICATED, DUPLICATED | CORRUPTED), CORRUPTED);
        assert_eq!(left(CORRUPTED, CORRUPTED), 0);
        assert_eq!(left(CORRUPTED, LOST), LOST);
    }

    #[test]
    fn flows_are_independent_and_each_repeats() {
        let model = losing(Loss::random(percent(50), 0));
        let (one, other) = (verdicts(&model, 1, 1000), verdicts(&model, 2, 1000));
        assert_eq!(one, verdicts(&model, 1, 1000));
        let alike = one.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!((400..600).contains(&alike), "{alike}");
    }

    #[test]
    fn bits_are_turned_anywhere() {
        let mut seen = [false; 40];
        for n in 1..1000 {
            seen[Netem::bit(1, 2, n, false, 5) as usize] = true;
        }
        assert!(seen.iter().all(|&seen| seen));
        assert_ne!(Netem::bit(1, 2, 3, false, 1000), Netem::bit(1, 2, 3, true, 1000));
    }

    proptest! {
        #[test]
        fn no_state_breaks_it(state: u64, seed: u64, flow: u64, content: bool, p in 0..=ONE, c in 0..=ONE) {
            let model = Netem {
                loss: Loss::four_state(p / 2, c / 2, p / 2, c, c / 2),
                duplicate: Bernoulli::new(p, c),
                corrupt: Bernoulli::new(c, p),
                ..Netem::NONE
            };
            let state = State(state & (u64::MAX >> 1));
            let (after, verdict) = model.next(seed, flow, state, content);
            prop_assert_eq!(after.number(), state.number() + 1);
            prop_assert_eq!(verdict.number, after.number());
            prop_assert!(content || verdict.effects & (CORRUPTED | COPY_CORRUPTED) == 0);
            prop_assert!(verdict.effects & LOST == 0 || verdict.effects == LOST);
        }
    }
}
