//! How long a packet is on the wire: netem's `rate RATE [PACKETOVERHEAD [CELLSIZE [CELLOVERHEAD]]]`.

use bytemuck::{Pod, Zeroable};

/// The speed of the wire that a rule simulates, and what each packet costs on it besides its own bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Rate {
    /// Bytes per second; 0 for a wire that takes no time.
    pub bytes: u64,
    /// Bytes that the wire adds to a packet, or with a negative number saves.
    pub packet_overhead: i32,
    /// Bytes of a packet in one cell, such as ATM's 48; 0 for a wire without cells.
    pub cell: u32,
    /// Bytes that the wire adds to a cell, such as ATM's 5.
    pub cell_overhead: i32,
    /// Explicit padding.
    pub _pad: u32,
    /// What passes at once where the wire was idle before: the nanoseconds that it would take.
    pub burst: u64,
}

impl Rate {
    /// The wire takes no time.
    pub const NONE: Self =
        Self { bytes: 0, packet_overhead: 0, cell: 0, cell_overhead: 0, _pad: 0, burst: 0 };

    /// Nanoseconds that a packet of `length` bytes takes. The last cell is sent whole.
    #[inline(always)]
    #[must_use]
    pub const fn time(&self, length: u32) -> u64 {
        if self.bytes == 0 {
            return 0;
        }
        let mut length = positive(length as i64 + self.packet_overhead as i64);
        if self.cell != 0 {
            let cells = length.div_ceil(self.cell as u64);
            length = cells * positive(self.cell as i64 + self.cell_overhead as i64);
        }
        length * 1_000_000_000 / self.bytes
    }

    /// When a packet leaves that has passed at `passed` and could have left at `ready`, no later: as much as the burst ahead of
    /// the wire, which is a bucket of tokens (net/sched/sch_tbf.c, `tbf_dequeue`).
    #[inline(always)]
    #[must_use]
    pub const fn leaves(&self, passed: u64, ready: u64) -> u64 {
        let early = passed.saturating_sub(self.burst);
        if early > ready { early } else { ready }
    }

    /// When a packet has passed that came at `now` and takes `delay` besides: behind the one before it, which
    /// was due at `busy`. netem's rule (net/sched/sch_netem.c, `netem_enqueue`): the delay passes while the
    /// wire is busy.
    #[inline(always)]
    #[must_use]
    pub const fn departure(&self, now: u64, busy: u64, delay: u64, length: u32) -> u64 {
        let ready = now + delay;
        if self.bytes == 0 {
            return ready;
        }
        let start = if busy > ready { busy } else { ready };
        start + self.time(length)
    }
}

/// Nothing where it would be negative.
#[inline(always)]
const fn positive(value: i64) -> u64 {
    (value & !(value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEGABIT: Rate =
        Rate { bytes: 125_000, packet_overhead: 0, cell: 0, cell_overhead: 0, _pad: 0, burst: 0 };

    #[test]
    fn a_packet_takes_its_length_through_the_rate() {
        assert_eq!(MEGABIT.time(1500), 12_000_000);
        assert_eq!(Rate::default().time(1500), 0);
        assert_eq!(Rate { packet_overhead: 18, ..MEGABIT }.time(1500), 12_144_000);
        assert_eq!(Rate { packet_overhead: -14, ..MEGABIT }.time(10), 0);
    }

    /// ATM: 1500 bytes are 32 cells of 48, each of 53 on the wire.
    #[test]
    fn cells_are_sent_whole() {
        let atm = Rate { cell: 48, cell_overhead: 5, ..MEGABIT };
        assert_eq!(atm.time(1500), 32 * 53 * 8_000);
        assert_eq!(atm.time(48), 53 * 8_000);
        assert_eq!(atm.time(49), 2 * 53 * 8_000);
    }

    /// As netem does it: with a queue, the rest of the delay counts from the last packet's time.
    fn netem(now: u64, last: Option<u64>, delay: u64, wire: u64) -> u64 {
        match last {
            Some(last) => last + delay.saturating_sub(last.saturating_sub(now)) + wire,
            None => now + delay + wire,
        }
    }

    proptest! {
        #[test]
        fn departures_are_netems(
            gaps in prop::collection::vec(0u64..30_000_000, 1..50), delay in 0u64..50_000_000, length in 40u32..9000,
        ) {
            let (mut now, mut busy) = (0, 0);
            for gap in gaps {
                now += gap;
                let queued = (busy > now).then_some(busy);
                let expected = netem(now, queued, delay, MEGABIT.time(length));
                busy = MEGABIT.departure(now, busy, delay, length);
                prop_assert_eq!(busy, expected);
            }
        }

        /// As a bucket of tokens has it, which is full at first and gets the rate's bytes: a packet leaves when there
        /// are tokens for all of it.
        #[test]
        fn bursts_are_those_of_a_bucket(
            packets in prop::collection::vec((0u64..30_000_000, 40u32..1500), 1..50), burst in 1500u64..15_000,
        ) {
            let rate = Rate { burst: burst * 8_000, ..MEGABIT };
            let (mut now, mut busy, mut tokens, mut filled) = (0, 0, burst * 8_000, 0);
            for (gap, length) in packets {
                now += gap;
                busy = rate.departure(now, busy, 0, length);
                // Behind the one before, and when there is enough; in nanoseconds of the rate.
                let from = now.max(filled);
                tokens = (tokens + (from - filled)).min(rate.burst);
                let wait = rate.time(length).saturating_sub(tokens);
                let leaves = from + wait;
                tokens = tokens + wait - rate.time(length);
                filled = leaves;
                prop_assert_eq!(rate.leaves(busy, now), leaves);
            }
        }

        #[test]
        fn no_rate_is_kept_better(lengths in prop::collection::vec(40u32..1500, 100), bytes in 1000u64..1_000_000_000) {
            let rate = Rate { bytes, ..MEGABIT };
            let sent: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
            let end = lengths.iter().fold(0, |busy, &length| rate.departure(0, busy, 0, length));
            let exact = sent * 1_000_000_000 / bytes;
            prop_assert!(end <= exact && exact - end <= 100);
        }
    }
}
