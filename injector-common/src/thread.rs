//! What the kernel keeps for each thread of a target: where it stands in the process tree, and how
//! often it has met each rule.
//!
//! It lives in task storage, so it goes with the thread and a reused number never meets another's
//! counters. The counters follow the head, a cell for each rule of each call.

use bytemuck::{Pod, Zeroable};

use crate::random;

/// [`Thread::flags`]: a target by itself (`--pid`), whatever its cgroup.
pub const TARGET: u32 = 1;
/// [`Thread::flags`]: never met by a fault: the injector itself.
pub const EXEMPT: u32 = 2;
/// [`Thread::flags`] of a process's first thread: the process is counted in
/// [`crate::shared::Shared::processes`], to be taken out when its last thread ends.
pub const COUNTED: u32 = 4;
/// [`Thread::flags`]: the kernel is about to start the thread's call again, see [`Restart`].
pub const RESTARTS: u32 = 8;

/// The head of a thread's state.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Thread {
    /// The thread's position in the process tree, see [`child_position`].
    pub tree_position: u64,
    /// Threads and processes that it has made so far.
    pub children: u64,
    /// Bits of [`TARGET`], [`EXEMPT`], [`COUNTED`], [`RESTARTS`].
    pub flags: u32,
    /// Which target brought it in, by its index in the plan.
    pub target: u32,
}

const _: () = assert!(size_of::<Thread>() == 24);
// The flags are the lower half of a word that is changed whole.
const _: () = assert!(core::mem::offset_of!(Thread, flags) == 16 && cfg!(target_endian = "little"));

/// The call that a signal has interrupted and that is made again when the signal is done with.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Restart {
    /// Its number.
    pub call: u64,
    /// The stack pointer, since the signal's handler may make the same call meanwhile.
    pub stack: u64,
}

/// What comes before the cells. Apart from [`Thread`], which programs have on their stacks: that is short.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct State {
    /// Who it is.
    pub thread: Thread,
    /// Its call that starts again.
    pub restart: Restart,
    /// What was decided about its call and is not done yet.
    pub pending: Pending,
}

const _: () = assert!(size_of::<State>() == 88);

/// Left by the program that decides about a call, for those at the same function that carry it out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Pending {
    /// To sleep before the call, nanoseconds.
    pub before: u64,
    /// To sleep when it has run.
    pub behind: u64,
    /// What the call is to return without running, if `decided` is 1.
    pub value: i64,
    /// 1 if the call is to return [`Self::value`] without running.
    pub decided: u64,
    /// What the delays of the rule at hand come to, before the call and behind it.
    pub drawn: [u64; 2],
}

impl Pending {
    /// Nothing is to be done.
    pub const NONE: Self = Self { before: 0, behind: 0, value: 0, decided: 0, drawn: [0; 2] };
}

impl Thread {
    /// A thread that has made no others yet.
    #[inline(always)]
    #[must_use]
    pub const fn at(tree_position: u64, flags: u32, target: u32) -> Self {
        Self { tree_position, children: 0, flags, target }
    }
}

/// Does a call that came to `outcome` start again once a signal is done with? `handled` says whether the program
/// has a handler for it, `restarting` whether that handler is marked `SA_RESTART`.
///
/// The codes are `ERESTARTSYS`, `ERESTARTNOINTR` and `ERESTARTNOHAND` (include/linux/errno.h), what is made of them
/// `arch_do_signal_or_restart` and `handle_signal` (arch/x86/kernel/signal.c). `ERESTART_RESTARTBLOCK` is not among
/// them: such a call goes on as another one, `restart_syscall`.
#[inline(always)]
#[must_use]
pub const fn starts_again(outcome: i32, handled: bool, restarting: bool) -> bool {
    match -outcome {
        512 => !handled || restarting,
        513 => true,
        514 => !handled,
        _ => false,
    }
}

/// Is `outcome` none that a caller ever sees, since the call starts again or is interrupted?
#[inline(always)]
#[must_use]
pub const fn is_restart_code(outcome: i64) -> bool {
    matches!(-outcome, 512 | 513 | 514 | 516)
}

/// Cells that fit behind the header: a value of task storage is limited to 64 KiB less its own
/// overhead (`BPF_LOCAL_STORAGE_MAX_VALUE_SIZE`, include/linux/bpf_local_storage.h).
pub const MAX_SLOTS: u32 = 7 * 1024;

/// The size of a thread's state with `cells` cells, in bytes.
#[must_use]
pub const fn state_size(cells: u32) -> u32 {
    88 + cells * 8
}

/// Counts a match of rule number `rule` in a thread's cell: what the cell holds now. The low half is the
/// number of the match, from 1, the high half says whose it is: a cell can have belonged to another rule
/// before the plan changed, and nobody goes through all threads to empty it.
#[inline(always)]
#[must_use]
pub const fn count(cell: u64, rule: u32) -> u64 {
    let before = if owned(cell, rule) { cell } else { 0 };
    owner(rule) | (before.wrapping_add(1) & COUNT)
}

/// Does the cell count for rule number `rule`? Then [`count`] is an addition of one.
#[inline(always)]
#[must_use]
pub const fn owned(cell: u64, rule: u32) -> bool {
    cell & !COUNT == owner(rule)
}

/// The number of the match that [`count`] has counted.
#[inline(always)]
#[must_use]
pub const fn number(cell: u64) -> u64 {
    cell & COUNT
}

const COUNT: u64 = 0xffff_ffff;

const fn owner(rule: u32) -> u64 {
    (rule as u64 + 1) << 32
}

/// The position of the `nth` root (from 1): a thread whose parent has no position, such as the command of
/// `run`, or a process that was there before us.
#[inline(always)]
#[must_use]
pub const fn root_position(nth: u64) -> u64 {
    random::combine(0x0072_6f6f_7473, nth)
}

/// The position of the `nth` child (from 1) of the thread at `parent`: the same on every run of the same
/// program, whatever numbers the kernel gives out.
#[inline(always)]
#[must_use]
pub const fn child_position(parent: u64, nth: u64) -> u64 {
    random::combine(parent, nth)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_of_a_bushy_tree_are_distinct() {
        let mut seen = HashSet::new();
        let mut layer = vec![root_position(1), root_position(2)];
        for _ in 0..4 {
            layer = layer.iter().flat_map(|&p| (1..=12).map(move |n| child_position(p, n))).collect();
            for &position in &layer {
                assert!(seen.insert(position));
            }
        }
    }

    #[test]
    fn the_largest_state_fits_task_storage() {
        // KMALLOC_MAX_SIZE is far larger; U16_MAX less the element's own overhead is the limit.
        assert!(state_size(MAX_SLOTS) < 65_535 - 512);
        assert_eq!(state_size(0), 88);
        assert_eq!(state_size(1), 96);
    }

    #[test]
    fn calls_start_again_as_signal_7_says() {
        for (code, handled, restarting, expected) in [
            (-512, true, true, true),
            (-512, true, false, false),
            (-512, false, false, true),
            (-513, true, false, true),
            (-514, true, true, false),
            (-514, false, false, true),
            (-516, false, false, false),
            (-4, false, true, false),
            (3, false, true, false),
        ] {
            assert_eq!(starts_again(code, handled, restarting), expected, "{code} {handled} {restarting}");
        }
        assert!([-512, -513, -514, -516].into_iter().all(is_restart_code));
        assert!(![-4, 0, 512, -515].into_iter().any(is_restart_code));
    }

    proptest! {
        #[test]
        fn each_rule_counts_its_own_matches(first in 0u32..1024, second in 0u32..1024, before in 0u64..500) {
            let mut cell = 0;
            for nth in 1..=before {
                cell = count(cell, first);
                prop_assert_eq!(number(cell), nth);
            }
            cell = count(cell, second);
            prop_assert_eq!(number(cell), if first == second { before + 1 } else { 1 });
            prop_assert!(owned(cell, second) && (first == second || !owned(cell, first)));
            prop_assert_eq!(count(cell, second), cell + 1);
            // A call that is under way with the old rule leaves it nothing.
            prop_assert!(first == second || number(count(cell, first)) == 1);
        }
    }

    #[test]
    fn a_count_that_is_full_stays_its_rule_s() {
        let full = count(0, 7) | 0xffff_ffff;
        assert_eq!(number(count(full, 7)), 0);
        assert_eq!(number(count(count(full, 7), 7)), 1);
    }
}
