//! Where delayed threads sleep: a table of slots, one for each thread that sleeps at a time. A thread takes a
//! slot, says how long, and touches the page of that slot in the pager's memory; the server reads the
//! length from the table when it is asked for the page, and answers when the time is over.

use crate::cell::Cell;

/// Threads that can sleep at a time.
pub const SLEEP_SLOTS: u32 = 16_384;

/// How far apart the slots are in the pager's memory: no page of any machine holds two.
pub const STRIDE: u64 = 65_536;

/// How many slots a thread tries before it goes on without sleep.
pub const TRIES: u32 = 16;

/// The shortest delay: below it, falling asleep and waking up take most of the time.
pub const SHORTEST_NS: u64 = 200_000;

/// A delay from here on is none of a length: it lasts as long as a rule does, whose number is in the rest.
pub const FOREVER: u64 = 1 << 63;

/// The delay that lasts as long as the rule of this number.
#[must_use]
pub const fn forever(rule: u32) -> u64 {
    FOREVER | rule as u64
}

/// The rule as long as which a delay lasts, if it has no length of its own.
#[inline(always)]
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the low half is the rule's number")]
pub const fn lasts_with(delay: u64) -> Option<u32> {
    if delay < FOREVER { None } else { Some(delay as u32) }
}

/// Two delays of one call: their sum, or the longer one if one of them has no length.
#[inline(always)]
#[must_use]
pub const fn together(one: u64, other: u64) -> u64 {
    let longer = if one > other { one } else { other };
    let sum = one.saturating_add(other);
    if longer < FOREVER { if sum < FOREVER { sum } else { FOREVER - 1 } } else { longer }
}

/// How long who is told to sleep for `delay` does it, with this as the longest.
#[inline(always)]
#[must_use]
pub const fn at_most(delay: u64, longest: u64) -> u64 {
    if delay < FOREVER && delay > longest { longest } else { delay }
}

/// A slot. Atomic on the kernel side; user space has the table mapped.
#[repr(C)]
#[cfg_attr(
    not(target_arch = "bpf"),
    derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)
)]
pub struct SleepSlot {
    /// The thread that has it, as the initial pid namespace numbers it; 0 for none.
    pub thread: Cell,
    /// How long it is to sleep, nanoseconds. Written before the page is touched.
    pub delay: Cell,
}

const _: () = assert!(size_of::<SleepSlot>() == 16);

/// The slot that a thread tries at its `nth` try, from 0. Threads are numbered one after the other, so
/// neighbours have slots of their own at the first try.
#[inline(always)]
#[must_use]
pub const fn slot(thread: u32, nth: u32) -> u32 {
    /// Odd, so that tries go round the whole table before they repeat.
    const STEP: u32 = 5741;
    thread.wrapping_add(nth.wrapping_mul(STEP)) & (SLEEP_SLOTS - 1)
}

/// The slot that a request for the pager's memory at `offset` is about, if it is one.
#[must_use]
pub fn slot_at(offset: u64) -> Option<usize> {
    let index = usize::try_from(offset / STRIDE).ok()?;
    (index < SLEEP_SLOTS as usize).then_some(index)
}

/// Bytes of the file whose pages are the slots. None of them is ever there.
pub const FILE_SIZE: u64 = SLEEP_SLOTS as u64 * STRIDE;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ten_thousand_neighbours_find_a_place_each() {
        let mut taken = HashSet::new();
        for thread in 4_190_000..4_200_000 {
            assert!((0..TRIES).any(|nth| taken.insert(slot(thread, nth))), "{thread}");
        }
    }

    #[test]
    fn a_full_table_is_found_full_and_a_last_place_is_found() {
        let tried: HashSet<_> = (0..SLEEP_SLOTS).map(|nth| slot(77, nth)).collect();
        assert_eq!(tried.len(), SLEEP_SLOTS as usize, "tries go round the table");
    }

    #[test]
    fn delays_add_up_and_forever_is_longer_than_all() {
        assert_eq!((together(3, 0), together(3, 4)), (3, 7));
        assert_eq!(lasts_with(together(FOREVER - 1, 20)), None);
        assert_eq!(
            (lasts_with(0), lasts_with(forever(0)), lasts_with(forever(1023))),
            (None, Some(0), Some(1023))
        );
        assert_eq!((together(forever(7), 20), together(20, forever(7))), (forever(7), forever(7)));
        assert_eq!(together(forever(7), forever(9)), forever(9));
        assert_eq!((at_most(5, 10), at_most(11, 10), at_most(forever(3), 10)), (5, 10, forever(3)));
    }

    #[test]
    fn offsets_and_places_agree() {
        assert_eq!(slot_at(0), Some(0));
        assert_eq!(slot_at(3 * STRIDE + 4096), Some(3));
        assert_eq!(slot_at(FILE_SIZE - 1), Some(SLEEP_SLOTS as usize - 1));
        assert_eq!(slot_at(FILE_SIZE), None);
    }
}
