//! What the delay line of a plan has to do, by its rules. Pure data.

use std::time::Duration;

use injector_common::{
    netem::{SPLIT, UNFIXED, VIA_DELAY_LINE, VIA_DELAY_LINE_IN},
    packet::{EGRESS, INGRESS},
    rule::Rule,
    timing::WAITS,
};

/// Where the numbers of our devices begin: far beyond those that the kernel gives out, which count from 1.
const FIRST_DEVICE: u32 = 1 << 30;

/// What the rules of a plan need of its delay line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelayLine {
    /// Packets wait in it: so many at most, and so long at most.
    pub queue: Option<Queue>,
    /// Super-packets are taken apart, so that each packet of the wire meets its own verdict.
    pub splits: bool,
    /// Checksums are made before the rules are asked, so that damage can leave them wrong.
    pub checksums: bool,
    /// Which packets it serves: bits of [`EGRESS`] and [`INGRESS`].
    pub directions: u32,
}

/// What waits in a delay line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// How many packets of all rules may wait together.
    pub packets: u64,
    /// How long each may wait.
    pub longest: Duration,
}

impl DelayLine {
    /// What `rules` need together, if any needs it.
    pub(super) fn of<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Option<Self> {
        rules.into_iter().filter(|rule| rule.netem.via != 0).fold(None, |line, rule| {
            let mut line = line.unwrap_or_default();
            let timing = &rule.netem.timing;
            line.splits |= rule.netem.via & SPLIT != 0;
            line.checksums |= rule.netem.via & UNFIXED != 0;
            if rule.netem.via & (VIA_DELAY_LINE | SPLIT) != 0 {
                line.directions |= rule.packets.directions & EGRESS;
            }
            if rule.netem.via & VIA_DELAY_LINE_IN != 0 {
                line.directions |= INGRESS;
            }
            if timing.flags & WAITS != 0 {
                let queue = line.queue.get_or_insert_default();
                queue.packets = queue.packets.saturating_add(timing.limit);
                queue.longest = queue.longest.max(Duration::from_nanos(timing.longest));
            }
            Some(line)
        })
    }

    /// What does the work of both: a line is given more to do by a change, and never less.
    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        let queue = match (self.queue, other.queue) {
            (Some(one), Some(other)) => Some(Queue {
                packets: one.packets.max(other.packets),
                longest: one.longest.max(other.longest),
            }),
            (one, other) => one.or(other),
        };
        Self {
            queue,
            splits: self.splits || other.splits,
            checksums: self.checksums || other.checksums,
            directions: self.directions | other.directions,
        }
    }
}

/// Is that the number of a near end, of this plan or another?
pub(crate) fn is_device(number: u32) -> bool {
    number & FIRST_DEVICE != 0
}

/// The number that the near end of the line of plan `id` has in each network namespace. The same everywhere, so
/// that one program serves them all.
pub(crate) fn device(id: u32) -> u32 {
    FIRST_DEVICE | (id & (FIRST_DEVICE - 1))
}
