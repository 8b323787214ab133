//! A call, and perhaps an operation in it, on its way past the rules: what all of them have to know of it, and in
//! which order they come.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use injector_common::{
    call::{Run, Slot, entry, operation_object},
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
    task::{Call, current},
    zeroes,
};

/// [`CallCtx::opened`]: the thread's object was found before the call ran, whatever register is asked about.
pub const KEPT: u32 = u32::MAX;

/// What is known of a call while its rules are asked.
///
/// Numbers only, and no gap between them: a global function takes it for memory that it knows nothing of (see
/// [`calls_pass`](super::rules::calls_pass)), and pointers do not survive that.
#[repr(C)]
pub struct CallCtx {
    /// The call that the running task is in.
    pub call: Call,
    /// The rules on the call.
    pub calls: Slots,
    /// At a hook, the rules on the operations that pass it.
    pub operations: Slots,
    /// What the call has come to, if it [has run](Self::has_run).
    pub outcome: i64,
    /// What the call returns if a rule [decided](Self::decided).
    pub value: i64,
    /// The thread's position in the process tree.
    pub tree_position: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub now: u64,
    /// Which mechanism asks.
    pub backend: BackendCode,
    /// What a hook says is about to happen; 0 for none that says so.
    pub mask: u32,
    /// Offset of the register whose descriptor the thread's object was found by, plus one; 0 for none. The next rule
    /// that asks about it finds the path there.
    pub opened: u32,
    /// Has the call run?
    pub has_run: bool,
    /// Does the plan still act?
    pub alive: bool,
    /// Has a rule decided?
    pub decided: bool,
    /// Zero.
    pub _pad: u8,
}

/// Rules to be asked, in their order.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Slots {
    /// The next one.
    next: u32,
    /// Behind the last one.
    end: u32,
}

impl Slots {
    /// None.
    pub const NONE: Self = Self { next: 0, end: 0 };

    /// All of `run`.
    #[inline(always)]
    pub fn of(run: Run) -> Self {
        Self { next: run.base, end: run.base.wrapping_add(u32::from(run.count)) }
    }

    /// How many are left.
    #[inline(always)]
    pub fn count(self) -> u32 {
        self.end.wrapping_sub(self.next)
    }

    /// The next one, which stays there.
    #[inline(always)]
    fn peek(self) -> Option<&'static Slot> {
        if self.next < self.end { SLOTS.get(self.next) } else { None }
    }
}

impl CallCtx {
    /// The running task's `call`, before `backend` asks these rules.
    #[inline(always)]
    pub fn new(call: Call, (calls, operations): (Slots, Slots), backend: BackendCode) -> Self {
        // No more than two words that the compiler knows to be zero stand together: see `zeroes`.
        let zero = || u64::from(zeroes::word());
        Self {
            call,
            calls,
            operations,
            outcome: 0,
            value: zero() as i64,
            tree_position: 0,
            now: zero(),
            backend,
            mask: 0,
            opened: zeroes::word(),
            has_run: false,
            alive: false,
            decided: false,
            _pad: 0,
        }
    }

    /// Finds out who makes the call, whose state goes to `state`: null if it cannot be kept. False if the task is no
    /// target's, if the plan has not begun, or if the call was asked about already and only starts again.
    ///
    /// Not inlined, for the stack's sake: what finds the thread out is done with before any rule is asked.
    #[inline(never)]
    pub fn begin(&mut self, state: &mut *mut Thread) -> bool {
        if atomic::get(&SHARED.armed) == 0 {
            return false;
        }
        *state = match target::lookup(current()) {
            Lookup::Other => return false,
            Lookup::Target(state) => state,
            Lookup::Stateless => core::ptr::null_mut(),
        };
        if !state.is_null() {
            if self.backend != BackendCode::KRETPROBE && signal::starts(*state, &self.call) {
                return false;
            }
            // SAFETY: not null, and valid while the program runs.
            self.tree_position = unsafe { (**state).tree_position };
        }
        // SAFETY: no arguments.
        self.now = unsafe { bpf_ktime_get_boot_ns() };
        self.alive = plan_alive(self.now);
        true
    }

    /// The call's result, if it has one.
    #[inline(always)]
    pub fn outcome(&self) -> Option<i64> {
        if self.has_run { Some(self.outcome) } else { None }
    }

    /// Is it a security hook that asks?
    #[inline(always)]
    pub fn at_hook(&self) -> bool {
        self.backend == BackendCode::HOOK || self.backend == BackendCode::CALL_DELAY_HOOK
    }

    /// The next slot, of either kind, whichever stands first in the plan. `index` counts them.
    #[inline(always)]
    pub fn next(&mut self, index: u32) -> Option<&'static Slot> {
        if !uses(USES_OBJECTS) {
            return SLOTS.get(self.calls.next.wrapping_add(index));
        }
        let (of_call, operation) = (self.calls.peek(), self.operations.peek());
        match (of_call, operation) {
            (Some(call), operation) if operation.is_none_or(|operation| call.order < operation.order) => {
                self.calls.next += 1;
                Some(call)
            }
            (_, operation) => {
                self.operations.next += 1;
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
        if self.at_hook() {
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
