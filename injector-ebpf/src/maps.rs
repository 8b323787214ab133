//! The maps, and the two pieces of memory that need no lookup: [`SHARED`] and [`config`].
//!
//! Sizes that depend on the plan (slots, threads' state) are set by the loader before it creates them.

use core::{cell::UnsafeCell, ffi::c_void, marker::PhantomData};

use aya_ebpf::{
    bindings::{bpf_map_def, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE},
    helpers::{
        bpf_get_current_task_btf,
        generated::{bpf_task_storage_delete, bpf_task_storage_get},
    },
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, ProgramArray, RingBuf},
};
use injector_common::{
    MAX_CGROUPS, RULE_NUMBERS,
    call::{CALL_ENTRIES, CallRules, Slot},
    config::Config,
    counters::{Counters, Traffic},
    decide::Standing,
    delay::Table,
    flow::{Flow, FlowClass, FlowKey},
    glob::Glob,
    member::{MAX_MEMBERS, Member},
    nap::{self, Place},
    object::Ports,
    queue::Queue,
    rule::Rule,
    shared::{Shared, alive},
    thread::Thread,
};

use crate::{atomic, object::Object};

/// What every call of everybody touches; user space has it mapped.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.shared")]
// SAFETY: Shared is made of atomics, for which all zeroes is a value.
pub static SHARED: Shared = unsafe { core::mem::zeroed() };

/// Fixed when the plan is loaded. Read by [`fixed`], never directly: the compiler knows only the
/// zeroes that stand here.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".rodata.config")]
// SAFETY: Config is plain data.
pub static CONFIG: Config = unsafe { core::mem::zeroed() };

/// Reads a field of [`CONFIG`] as the loader wrote it. The map is frozen, so the verifier takes the value
/// for a constant and drops the branches that it excludes.
#[inline(always)]
pub fn fixed<T: Copy>(field: &T) -> T {
    // SAFETY: a reference; volatile, since the value is not the one in the source.
    unsafe { core::ptr::read_volatile(field) }
}

/// A field of the configuration.
macro_rules! config {
    ($($field:tt)+) => { $crate::maps::fixed(&$crate::maps::CONFIG.$($field)+) };
}
pub(crate) use config;

/// A field behind a pointer to one of the structures of [`injector_common::config::ObjectOffsets`].
macro_rules! field {
    ($base:expr, $field:ident) => {
        $crate::task::probe($base as *const core::ffi::c_void, $crate::maps::config!(objects.$field) as usize)
    };
}
pub(crate) use field;

/// An offset of a kernel structure's field, see [`injector_common::config::Offsets`].
macro_rules! offset {
    ($($field:tt)+) => { $crate::maps::config!(offsets.$($field)+) as usize };
}
pub(crate) use offset;

/// The rules, by number.
#[map]
pub static RULES: Array<Rule> = Array::with_max_entries(RULE_NUMBERS as u32, 0);

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
pub static MEMBERS: LpmTrie<[u8; size_of::<Member>() - 4], u8> =
    LpmTrie::with_max_entries(2 * MAX_MEMBERS, 0);

/// Target cgroup -> index of the target that it belongs to, descendants included.
#[map]
pub static CGROUPS: HashMap<u64, u32> = HashMap::with_max_entries(MAX_CGROUPS, 1);

/// Threads that are known and for which the kernel could make no state yet, by their task_struct: see
/// [`crate::subject::adopt`].
#[map]
pub static WAITING: HashMap<u64, Thread> = HashMap::with_max_entries(4096, 1);

/// Injections, on their way to the log.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(4096, 0);

/// Where delayed threads sleep. The server has it mapped.
#[map]
pub static PLACES: Array<Place> = Array::with_max_entries(nap::PLACES, 0);

/// The packet programs that [`crate::packet::egress_gate`] and [`crate::inbound::inbound_gate`] jump to.
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

/// What the call or the operation is about that a thread is in the middle of: too large for the stack, and a thread
/// can be interrupted in a program, so it is the thread's own.
#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
pub static OBJECTS: TaskStorage<Object> = TaskStorage::new();

/// A `BPF_MAP_TYPE_TASK_STORAGE` map, which aya has not got. The cell puts it into the same, writable,
/// section as aya's own maps.
#[repr(transparent)]
pub struct TaskStorage<T>(UnsafeCell<bpf_map_def>, PhantomData<T>);

// SAFETY: the kernel does the locking; the definition itself is never written.
unsafe impl<T> Sync for TaskStorage<T> {}

/// May a fault happen at `now`, in nanoseconds of `CLOCK_BOOTTIME`?
#[inline(always)]
pub fn plan_alive(now: u64) -> bool {
    alive(now, atomic::get(&SHARED.deadline), atomic::get(&SHARED.lease))
}

/// What holds for every rule that is asked while the plan is `alive`, or is not any more.
#[inline(always)]
pub fn standing(alive: bool) -> Standing {
    Standing { alive, monitor: config!(monitor) != 0 }
}

/// A task_struct, as the kernel's helpers hand it out.
pub type Task = *mut aya_ebpf::bindings::task_struct;

impl<T> TaskStorage<T> {
    const fn new() -> Self {
        let definition = bpf_map_def {
            type_: BPF_MAP_TYPE_TASK_STORAGE,
            key_size: 4,
            value_size: size_of::<T>() as u32,
            max_entries: 0,
            map_flags: 1, // BPF_F_NO_PREALLOC, which the kernel insists on
            id: 0,
            pinning: 0,
        };
        Self(UnsafeCell::new(definition), PhantomData)
    }

    fn as_ptr(&self) -> *mut c_void {
        self.0.get().cast()
    }

    /// The state of `task`, null if it has none.
    #[inline(always)]
    pub fn get(&self, task: Task) -> *mut T {
        // SAFETY: a map and a task that the verifier has checked.
        unsafe { bpf_task_storage_get(self.as_ptr(), task.cast(), core::ptr::null_mut(), 0).cast() }
    }

    /// The state of `task`, made all zero if it has none; null if the kernel cannot make it now.
    #[inline(always)]
    pub fn get_or_create(&self, task: Task) -> *mut T {
        const CREATE: u64 = 1; // BPF_LOCAL_STORAGE_GET_F_CREATE
        // SAFETY: as above; a null value means zeroes (kernel/bpf/bpf_local_storage.c, bpf_selem_alloc).
        unsafe { bpf_task_storage_get(self.as_ptr(), task.cast(), core::ptr::null_mut(), CREATE).cast() }
    }

    /// Forgets the state of `task`.
    #[inline(always)]
    pub fn delete(&self, task: Task) {
        // SAFETY: as above.
        unsafe { bpf_task_storage_delete(self.as_ptr(), task.cast()) };
    }
}

/// The running task.
#[inline(always)]
pub fn current() -> Task {
    // SAFETY: no arguments; always a valid task.
    unsafe { bpf_get_current_task_btf() }
}
