//! The maps, and the two pieces of memory that need no lookup: [`SHARED`] and [`config`].
//!
//! Sizes that depend on the plan (slots, threads' state) are set by the loader before it creates them.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, ProgramArray, RingBuf},
};
use injector_common::{
    MAX_CGROUPS, RULE_ENTRIES, RULE_NUMBERS,
    address_set::{Element, MAX_ELEMENTS},
    call::{CALL_ENTRIES, CallRules, Run, Slot},
    counters::{Counters, Reason, Traffic},
    decide::Standing,
    delay::Table,
    flow::{Flow, FlowClass, FlowKey},
    glob::Glob,
    object::Ports,
    queue::Queue,
    rule::Rule,
    shared::{Shared, alive, pause_bit},
    sleep::{self, SleepSlot},
    thread::Thread,
};

use crate::{atomic, config::config, task::TaskStorage};

/// What every call of everybody touches; user space has it mapped.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.shared")]
// SAFETY: Shared is made of atomics, for which all zeroes is a value.
pub static SHARED: Shared = unsafe { core::mem::zeroed() };

/// The rules, by number.
#[map]
pub static RULES: Array<Rule> = Array::with_max_entries(RULE_ENTRIES as u32, 0);

/// The counters of each rule.
#[map]
pub static COUNTERS: Array<Counters> = Array::with_max_entries(RULE_NUMBERS as u32, 0);

/// What rules on packets count besides.
#[map]
pub static TRAFFIC: Array<Traffic> = Array::with_max_entries(RULE_NUMBERS as u32, 0);

/// Flows of packets, as each rule counts them. Those that were quiet for longest make room.
#[map]
pub static FLOWS: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(1, 0);

/// How many flows of each class there have been.
#[map]
pub static ORDER: LruHashMap<FlowClass, u64> = LruHashMap::with_max_entries(1, 0);

/// What of each rule waits.
#[map]
pub static QUEUES: Array<Queue> = Array::with_max_entries(1, 0);

/// Distributions of delays.
#[map]
pub static DISTRIBUTIONS: Array<Table> = Array::with_max_entries(1, 0);

/// Which slots each call has, see [`injector_common::call::entry`]. User space has it mapped.
#[map]
pub static CALLS: Array<CallRules> = Array::with_max_entries(CALL_ENTRIES, 0);

/// One slot for each rule of each call, in the order of the rules. Twice the room: a change of the plan
/// fills the half that no call uses. User space has it mapped.
#[map]
pub static SLOTS: Array<Slot> = Array::with_max_entries(1, 0);

/// The paths that rules mean.
#[map]
pub static GLOBS: Array<Glob> = Array::with_max_entries(1, 0);

/// The ports that rules mean.
#[map]
pub static PORTS: Array<Ports> = Array::with_max_entries(1, 0);

/// The addresses and ports that rules on packets mean, by set.
#[map]
pub static ADDRESS_SETS: LpmTrie<[u8; size_of::<Element>() - 4], u8> =
    LpmTrie::with_max_entries(2 * MAX_ELEMENTS, 0);

/// Target cgroup -> index of the target that it belongs to, descendants included.
#[map]
pub static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(MAX_CGROUPS, 1);

/// Threads that are known and for which the kernel could make no state yet, by their task_struct: see
/// [`crate::target::adopt`].
#[map]
pub static WAITING: HashMap<u64, Thread> = HashMap::with_max_entries(4096, 1);

/// Injections, on their way to the log.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Where delayed threads sleep. The server has it mapped.
#[map]
pub static SLEEP_SLOTS: Array<SleepSlot> = Array::with_max_entries(sleep::SLEEP_SLOTS, 0);

/// The packet programs that [`crate::packets::egress::egress_gate`] and [`crate::packets::inbound::inbound_gate`] jump
/// to.
#[map]
pub static GATE: ProgramArray = ProgramArray::with_max_entries(2, 0);

/// Places in [`GATE`].
pub const GATE_EGRESS: u32 = 0;

/// See [`GATE_EGRESS`].
pub const GATE_INBOUND: u32 = 1;

/// Each thread's [`Thread`] and its counters.
#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
pub static THREADS: TaskStorage<Thread> = TaskStorage::new();

/// May a fault happen at `now`, in nanoseconds of `CLOCK_BOOTTIME`?
#[inline(always)]
pub fn plan_alive(now: u64) -> bool {
    alive(now, atomic::get(&SHARED.deadline), atomic::get(&SHARED.lease))
}

/// How `rule` stands while the plan is `alive`, or is not any more.
#[inline(always)]
pub fn standing(rule: u32, alive: bool) -> Standing {
    let (word, bit) = pause_bit(rule);
    Standing { alive, paused: atomic::get(&SHARED.paused[word]) & bit != 0, monitor: config!(monitor) != 0 }
}

/// A run of the call table, read by one instruction, as user space writes it.
#[inline(always)]
pub fn read(word: &u64) -> Run {
    // SAFETY: a reference; volatile, since the plan can change meanwhile.
    Run::of(unsafe { (&raw const *word).read_volatile() })
}

/// Counts a match that did not fire.
#[inline(always)]
pub fn suppress(counters: &Counters, reason: Reason) {
    // Not by index: where the compiler cannot see the bound, it would call a panic.
    if let Some(cell) = counters.suppressed.get(reason as usize) {
        atomic::add(cell, 1);
    }
}
