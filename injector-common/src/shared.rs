//! The memory that both sides have open all the time: user space maps it, the programs read it without
//! a lookup. Here stands what every call of everybody else on the machine touches, so it is flat.

use core::sync::atomic::AtomicU64;

use crate::RULE_NUMBERS;

/// The process that executes a program is known from then on, and the plan armed.
pub const ARMS: u64 = 1;
/// It is known from then on, and the injector arms the plan later.
pub const ADOPTS: u64 = 2;

/// Entries of each filter.
pub const FILTER: usize = 65_536;

/// How long a lease lasts: if the injector has not renewed it for this long, the programs let
/// everything pass.
pub const LEASE_NS: u64 = 10_000_000_000;

/// What is in `.bss` of the BPF object. All times are nanoseconds of `CLOCK_BOOTTIME`.
#[repr(C)]
pub struct Shared {
    /// Counting filter of target cgroups: how many of them have a number that falls on this entry. Zero
    /// says "not a target" with one load; anything else asks the exact map.
    pub cgroups: [AtomicU64; FILTER],
    /// The same for the process numbers of process-tree targets.
    pub processes: [AtomicU64; FILTER],
    /// A bit for each rule by its number, 1 while it is switched off: see [`pause_bit`].
    pub paused: [AtomicU64; RULE_NUMBERS / 64],
    /// No fault at or after this time; 0 when the plan was stopped.
    pub deadline: AtomicU64,
    /// No fault at or after this time; renewed by the injector.
    pub lease: AtomicU64,
    /// Nothing matches while this is 0.
    pub armed: AtomicU64,
    /// What the first execve in a target does (`run`): nothing (0), [`ARMS`] or [`ADOPTS`].
    pub arm_at_exec: AtomicU64,
    /// How long the plan lasts from then on, nanoseconds.
    pub length: AtomicU64,
    /// Roots seen so far, see [`crate::thread::root_position`].
    pub roots: AtomicU64,
    /// Threads whose state waits until the kernel can keep it.
    pub waiting: AtomicU64,
    /// Processes of process-tree targets that are alive.
    pub live: AtomicU64,
    /// Events that did not fit the ring buffer.
    pub lost_events: AtomicU64,
    /// Cgroups below a target that did not fit the map.
    pub lost_cgroups: AtomicU64,
    /// Open descriptors of those who live in a target cgroup whose sockets belong to another one, when it was looked.
    pub elsewhere: AtomicU64,
    /// The process in whose memory delayed threads sleep, as the initial pid namespace numbers it.
    pub pager: AtomicU64,
    /// Where in its memory the sleep slots begin, see [`crate::sleep`].
    pub pager_slots: AtomicU64,
    /// No delay is longer, nanoseconds.
    pub longest: AtomicU64,
    /// Programs that sleep at calls are attached in batches; those of this one and of earlier ones may.
    pub copies: AtomicU64,
    /// Delays that did not happen before a call, because all programs that sleep were in use there.
    pub missed_before: AtomicU64,
    /// The same behind a call.
    pub missed_behind: AtomicU64,
    /// Delays that ended before their time, or at once: the thread was killed, or nobody served it.
    pub cut_short: AtomicU64,
}

/// May a fault happen at `now`? [`Shared::deadline`] and [`Shared::lease`] both have a say.
#[inline(always)]
#[must_use]
pub const fn alive(now: u64, deadline: u64, lease: u64) -> bool {
    now < deadline && now < lease
}

/// The word of [`Shared::paused`] and the bit in it that switch this rule off.
#[inline(always)]
#[must_use]
pub const fn pause_bit(rule: u32) -> (usize, u64) {
    ((rule / 64) as usize & (RULE_NUMBERS / 64 - 1), 1 << (rule % 64))
}

/// The entry of the filter for a cgroup's number. The lowest three bits do not count: the files of a cgroup
/// get numbers of the same series (fs/kernfs/dir.c, `__kernfs_new_node`), and there are more than eight of
/// them, so cgroups are farther apart. And it takes one instruction to make a place in memory of the rest.
#[inline(always)]
#[must_use]
pub const fn cgroup_entry(number: u64) -> usize {
    low_bits(number >> 3)
}

/// The entry of the filter for a process's number.
#[inline(always)]
#[must_use]
pub const fn process_entry(number: u32) -> usize {
    low_bits(number as u64)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low bits are what is wanted")]
const fn low_bits(number: u64) -> usize {
    (number as usize) & (FILTER - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_lives_until_the_earlier_of_deadline_and_lease() {
        assert!(!alive(0, 0, 0));
        assert!(alive(49, 100, 50));
        assert!(!alive(50, 100, 50));
        assert!(alive(99, 100, 500));
        assert!(!alive(100, 100, 500));
    }

    #[test]
    fn each_rule_has_a_bit_of_its_own() {
        let bits: std::collections::BTreeSet<_> = (0..1024).map(pause_bit).collect();
        assert_eq!(bits.len(), RULE_NUMBERS);
        assert!(bits.iter().all(|&(word, bit)| word < RULE_NUMBERS / 64 && bit.is_power_of_two()));
    }

    #[test]
    fn the_filter_keeps_the_low_bits() {
        assert_eq!(process_entry(65_536 + 7), 7);
        assert_eq!(process_entry(u32::MAX), FILTER - 1);
        assert_eq!(cgroup_entry(u64::MAX), FILTER - 1);
        assert_eq!(cgroup_entry(8 * (65_536 + 7) + 5), 7);
    }
}
