//! A call, and perhaps an operation in it, on its way past the rules: what all of them have to know of it, and in
//! which order they come.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use injector_common::{
    call::{Slot, entry, operation_object},
    code::BackendCode,
    config::USES_OBJECTS,
    thread::Thread,
};

use crate::{
    atomic,
    calls::signal,
    config::uses,
    maps::{SHARED, SLOTS, plan_alive},
    objects::{
        matching::{object_meant, object_opened},
        object::{self, Object},
    },
    target::{self, Lookup},
    task::{Call, Task},
    zeroes,
};

/// [`CallCtx::opened`]: the thread's object was found before the call ran, whatever register is asked about.
pub const KEPT: u32 = u32::MAX;

/// What is known of a call while its rules are asked.
pub struct CallCtx {
    /// The running task.
    pub task: Task,
    /// The call it is in.
    pub call: Call,
    /// Which mechanism asks.
    pub backend: BackendCode,
    /// The next slot of the call's rules, and their end.
    pub calls: [u32; 2],
    /// The next slot of the operations' rules, and their end.
    pub operations: [u32; 2],
    /// What a hook says is about to happen; 0 for none that says so.
    pub mask: u32,
    /// The thread's state, null when it could not be kept.
    pub state: *mut Thread,
    /// The thread's position in the process tree.
    pub tree_position: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub now: u64,
    /// What the call has come to, if it has run.
    pub outcome: Option<i64>,
    /// Offset of the register whose descriptor the thread's object was found by, plus one; 0 for none. The next rule
    /// that asks about it finds the path there.
    pub opened: u32,
    /// Does the plan still act?
    pub alive: bool,
    /// Has a rule decided?
    pub decided: bool,
    /// What the call returns if so.
    pub value: i64,
}

impl CallCtx {
    /// Begins the way of `task`, the running one, in `call`; the rules are for the caller to fill in.
    /// False if the task is no target's, if the plan has not begun, or if the call was asked about already and only
    /// starts again; then nothing is written.
    ///
    /// Not inlined, for the stack's sake: what finds the thread out is done with before any rule is asked.
    #[inline(never)]
    pub fn begin(room: &mut MaybeUninit<Self>, task: Task, call: &Call, backend: BackendCode) -> bool {
        if atomic::get(&SHARED.armed) == 0 {
            return false;
        }
        let state = match target::lookup(task) {
            Lookup::Other => return false,
            Lookup::Target(state) => state,
            Lookup::Stateless => core::ptr::null_mut(),
        };
        if !state.is_null() && backend != BackendCode::KRETPROBE && signal::starts(state, call) {
            return false;
        }
        // SAFETY: not null, and valid while the program runs.
        let tree_position = if state.is_null() { 0 } else { unsafe { (*state).tree_position } };
        // SAFETY: no arguments.
        let now = unsafe { bpf_ktime_get_boot_ns() };
        room.write(Self {
            task,
            call: *call,
            backend,
            calls: [zeroes::word(), zeroes::word()],
            operations: [zeroes::word(), zeroes::word()],
            mask: 0,
            state,
            tree_position,
            now,
            outcome: None,
            opened: 0,
            alive: plan_alive(now),
            decided: false,
            value: 0,
        });
        true
    }

    /// The next slot, of either kind, whichever stands first in the plan. `index` counts them.
    #[inline(always)]
    pub fn next(&mut self, index: u32) -> Option<&'static Slot> {
        if !uses(USES_OBJECTS) {
            return SLOTS.get(self.calls[0].wrapping_add(index));
        }
        let of_call = if self.calls[0] < self.calls[1] { SLOTS.get(self.calls[0]) } else { None };
        let operation =
            if self.operations[0] < self.operations[1] { SLOTS.get(self.operations[0]) } else { None };
        match (of_call, operation) {
            (Some(call), operation) if operation.is_none_or(|operation| call.order < operation.order) => {
                self.calls[0] += 1;
                Some(call)
            }
            (_, operation) => {
                self.operations[0] += 1;
                operation
            }
        }
    }

    /// What the draws are about.
    #[inline(always)]
    pub fn object(&self, slot: &Slot) -> u64 {
        if uses(USES_OBJECTS) && slot.operation != 0 {
            operation_object(slot.operation)
        } else {
            u64::from(entry(self.call.abi, self.call.number).unwrap_or_default()) + 1
        }
    }

    /// Does the rule mean the file or the socket? `None` if there is no memory to find out.
    #[inline(always)]
    pub fn object_meant(&mut self, slot: &Slot) -> Option<bool> {
        if slot.mask != 0 && slot.mask & self.mask == 0 {
            return Some(false);
        }
        if !slot.object.chooses() {
            return Some(true);
        }
        let object = object::of_thread();
        if object.is_null() {
            return None;
        }
        let wanted = &raw const slot.object;
        if self.backend == BackendCode::HOOK || self.backend == BackendCode::CALL_DELAY_HOOK {
            return Some(object_meant(object, wanted) != 0);
        }
        self.open(object, slot.descriptor);
        let meant = object_meant(object, wanted) != 0;
        if meant || slot.other == slot.descriptor {
            return Some(meant);
        }
        self.open(object, slot.other);
        Some(object_meant(object, wanted) != 0)
    }

    /// Turns the thread's object to the open file whose number is in the register at `offset`, unless it is that
    /// already: a path is found once a call, however many rules ask.
    #[inline(always)]
    fn open(&mut self, object: *mut Object, offset: u16) {
        if self.opened != KEPT && self.opened != u32::from(offset) + 1 {
            self.opened = u32::from(offset) + 1;
            object_opened(object, self.call.register(offset) as u32);
        }
    }
}
