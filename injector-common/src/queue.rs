//! The packets of one rule that wait: how many there are, when its wire is free again, and how late it made those
//! that came by, as a histogram.

use crate::cell::Cell;

/// Steps of the histogram.
pub const STEPS: usize = 24;

/// The least delay of a step is 2^(its number + this) nanoseconds, but that of the first one, which is 0.
const FIRST_STEP: u32 = 10;

/// What one rule knows of its packets that wait. Atomic on the kernel side, plain numbers where it is read.
#[repr(C)]
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)
)]
pub struct Queue {
    /// When the last packet has passed the rule's wire: `CLOCK_MONOTONIC`, nanoseconds.
    pub busy: Cell,
    /// The same of the wire on which packets come in.
    pub busy_in: Cell,
    /// Packets on their way through the delay line.
    pub waiting: Cell,
    /// Their bytes, with Ethernet's header.
    pub bytes: Cell,
    /// Sum of all delays, in nanoseconds.
    pub added: Cell,
    /// Packets by their delay, see [`step`].
    pub delays: [Cell; STEPS],
}

/// The step of the histogram for a delay in nanoseconds: 1 us (2^10 ns) and less, then by powers of two; the last
/// one has all that are longer. Without a loop or a branch, as the verifier likes it.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "below STEPS")]
pub const fn step(delay: u64) -> usize {
    let mut value = delay >> FIRST_STEP;
    let mut step = 0;
    let mut shift = 32;
    while shift > 0 {
        // 1 if there is anything that high.
        let high = value >> shift;
        let there = (high | high.wrapping_neg()) >> 63;
        step += there * shift;
        value >>= there * shift;
        shift >>= 1;
    }
    // The number of the highest bit, and one more where there is one.
    step += value;
    let last = STEPS as u64 - 1;
    let beyond = last.wrapping_sub(step) >> 63;
    (step ^ ((step ^ last) & beyond.wrapping_neg())) as usize
}

/// The least delay of a step, in nanoseconds.
#[must_use]
pub const fn least(step: usize) -> u64 {
    if step == 0 { 0 } else { 1 << (step - 1 + FIRST_STEP as usize) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_powers_of_two() {
        assert_eq!([0, 1023, 1024, 2047, 2048, 1 << 20].map(step), [0, 0, 1, 1, 2, 11]);
        assert_eq!([u64::MAX, 1 << 40].map(step), [STEPS - 1; 2]);
    }

    proptest! {
        #[test]
        fn a_delay_is_in_its_step(delay: u64) {
            let found = step(delay);
            prop_assert!(least(found) <= delay);
            prop_assert!(found == STEPS - 1 || delay < least(found + 1));
        }
    }
}
