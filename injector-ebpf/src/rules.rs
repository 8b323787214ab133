//! The way from "this call of this thread" to "what it returns": every rule of the call is asked, in
//! order, and all of them count.

use core::{ffi::c_void, mem::MaybeUninit, sync::atomic::AtomicU64};

use aya_ebpf::helpers::{
    bpf_ktime_get_boot_ns,
    generated::{bpf_loop, bpf_send_signal_thread},
};
use injector_common::{
    call::{CallRules, Run, Slot, entry, operation_object},
    config::{
        USES_ARGUMENTS, USES_CHOICES, USES_NAMES, USES_OBJECTS, USES_OUTCOMES, USES_SCOPES, USES_SIGNALS,
    },
    counters::{Counters, Reason},
    decide::{Match, in_time, named, result, ticket_valid, triggered},
    event::{BACKEND_HOOK, BACKEND_KRETPROBE},
    rule::{Rule, SCOPE_PROCESS, SCOPE_RULE, SCOPE_THREAD},
    thread::{self, Restart, Thread},
};

use crate::{
    atomic,
    maps::{CALLS, COUNTERS, RULES, SHARED, SLOTS, Task, config, plan_alive},
    object::{self, Seen, object_complete, object_meant, object_opened},
    report, signal,
    subject::{self, Subject},
    task::{self, Call},
};

/// The rules to be asked: those of the call, and at a hook those on the operations that pass it.
#[derive(Clone, Copy, Default)]
pub struct Runs {
    /// Of the call.
    pub calls: Run,
    /// Of the operations.
    pub operations: Run,
}

/// A call, and perhaps an operation in it, on its way past the rules.
pub struct Passage {
    /// The running task.
    pub task: Task,
    /// The call it is in.
    pub call: Call,
    /// Which mechanism asks, see [`injector_common::event`].
    pub backend: u32,
    /// The next slot of the call's rules, and their end.
    calls: [u32; 2],
    /// The next slot of the operations' rules, and their end.
    operations: [u32; 2],
    /// What a hook says is about to happen; 0 for none that says so.
    mask: u32,
    /// The thread's state, null when it could not be kept.
    state: *mut Thread,
    /// The thread's place.
    pub place: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub now: u64,
    /// What the call has come to, if it has run.
    pub outcome: Option<i64>,
    /// Does the plan still act?
    alive: bool,
    /// Has a rule decided?
    decided: bool,
    /// What the call returns if so.
    pub value: i64,
}

/// The rules that `backend` asks about a call, and the call's entry, for the hooks. `None` when there are
/// none, or when they are another backend's to ask: while a plan changes, a call can pass programs of two.
#[inline(always)]
pub fn rules_of(call: &Call, backend: u32) -> Option<(Run, &'static CallRules)> {
    let rules = CALLS.get(entry(call.abi, call.number)?)?;
    let run = read(if backend == BACKEND_KRETPROBE { &rules.behind } else { &rules.run });
    if run.count == 0 || u32::from(run.backend) != backend { None } else { Some((run, rules)) }
}

/// A run of the call table, read by one instruction, as user space writes it.
#[inline(always)]
pub fn read(word: &u64) -> Run {
    // SAFETY: a reference; volatile, since the plan can change meanwhile.
    Run::of(unsafe { (&raw const *word).read_volatile() })
}

/// Asks every rule of `runs` about the call that `task` is in, or that has just come to `outcome`, and about
/// what can be `seen` of it, after the `mask` of what is about to happen. The value that the call is to return goes to `value`; false to leave it alone.
///
/// Inlined into what is paid by targets only.
#[inline(always)]
pub fn pass(
    task: Task,
    call: &Call,
    runs: Runs,
    (mask, seen): (u32, impl FnOnce() -> Seen),
    (backend, outcome): (u32, Option<i64>),
    value: &mut i64,
) -> bool {
    let mut passage = MaybeUninit::uninit();
    if !Passage::begin(&mut passage, task, call, backend) {
        return false;
    }
    // SAFETY: begun just now.
    let passage: &mut Passage = unsafe { passage.assume_init_mut() };
    let Runs { calls, operations } = runs;
    passage.outcome = outcome;
    passage.calls = [calls.base, calls.base.wrapping_add(u32::from(calls.count))];
    passage.decided = calls.zero() | operations.zero() != 0;
    let mut rounds = u32::from(calls.count);
    if uses(USES_OBJECTS) {
        passage.operations = [operations.base, operations.base.wrapping_add(u32::from(operations.count))];
        passage.mask = mask;
        let object = object::of_thread();
        if !object.is_null() {
            // SAFETY: not null, and the running thread's own.
            unsafe { (*object).turn_to(seen()) };
        }
        rounds += u32::from(operations.count);
    }
    // SAFETY: the callback has the shape that the helper wants and gets the passage; both outlive it.
    unsafe { bpf_loop(rounds, consider as *mut c_void, core::ptr::from_mut(passage).cast(), 0) };
    *value = passage.value;
    passage.decided
}

impl Passage {
    /// Begins the passage of `task`, the running one, in `call`; the rules are for the caller to fill in.
    /// False if the task is no target's, if the plan has not begun, or if the call was asked about already and only
    /// starts again; then nothing is written.
    ///
    /// Not inlined, for the stack's sake: what finds the thread out is done with before any rule is asked.
    #[inline(never)]
    fn begin(room: &mut MaybeUninit<Self>, task: Task, call: &Call, backend: u32) -> bool {
        if atomic::get(&SHARED.armed) == 0 {
            return false;
        }
        let state = match subject::identify(task) {
            Subject::Other => return false,
            Subject::Target(state) => state,
            Subject::Stateless => core::ptr::null_mut(),
        };
        if !state.is_null() && backend != BACKEND_KRETPROBE && signal::starts(state, call) {
            return false;
        }
        // SAFETY: not null, and valid while the program runs.
        let place = if state.is_null() { 0 } else { unsafe { (*state).place } };
        // SAFETY: no arguments.
        let now = unsafe { bpf_ktime_get_boot_ns() };
        room.write(Self {
            task,
            call: *call,
            backend,
            calls: [0; 2],
            operations: [0; 2],
            mask: 0,
            state,
            place,
            now,
            outcome: None,
            alive: plan_alive(now),
            decided: false,
            value: 0,
        });
        true
    }

    /// The next slot, of either kind, whichever stands first in the plan. `index` counts them.
    #[inline(always)]
    fn next(&mut self, index: u32) -> Option<&'static Slot> {
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
    fn object(&self, slot: &Slot) -> u64 {
        if uses(USES_OBJECTS) && slot.operation != 0 {
            operation_object(slot.operation)
        } else {
            u64::from(entry(self.call.abi, self.call.number).unwrap_or_default()) + 1
        }
    }

    /// Does the rule mean the file or the socket? `None` if there is no memory to find out.
    #[inline(always)]
    fn object_meant(&self, slot: &Slot) -> Option<bool> {
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
        if self.backend == BACKEND_HOOK {
            return Some(object_meant(object, wanted) != 0);
        }
        object_opened(object, self.call.register(slot.descriptor) as u32);
        let meant = object_meant(object, wanted) != 0;
        if meant || slot.other == slot.descriptor {
            return Some(meant);
        }
        object_opened(object, self.call.register(slot.other) as u32);
        Some(object_meant(object, wanted) != 0)
    }
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, passage: *mut Passage) -> i64 {
    // SAFETY: the passage that `pass` handed to the loop.
    let passage = unsafe { &mut *passage };
    let Some(slot) = passage.next(index as u32) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(slot.rule), COUNTERS.get(slot.rule)) else { return 1 };
    if uses(USES_OUTCOMES) && !in_time(rule, passage.outcome) || !meant(passage, rule, slot) {
        return 0;
    }
    let object = if uses(USES_OBJECTS) { passage.object_meant(slot) } else { Some(true) };
    if object == Some(false) {
        return 0;
    }
    let before = atomic::fetch_add(&counters.matched, 1);
    let at = if object.is_some() { identity(passage, rule, slot, before) } else { None };
    let Some(at) = at else {
        suppress(counters, Reason::NoState);
        return 0;
    };
    match fires(passage, rule, counters, at) {
        Ok(()) => {
            if !uses(USES_SIGNALS) || rule.decides() {
                passage.decided = true;
                passage.value = if uses(USES_CHOICES) { result(rule, at) } else { rule.value };
            }
            if uses(USES_SIGNALS) && rule.signal != 0 {
                // SAFETY: a number; what it cannot reach (a kernel thread, init) it leaves alone.
                unsafe { bpf_send_signal_thread(rule.signal) };
            }
            atomic::add(&counters.fired, 1);
            tell(passage, slot, rule, at.number);
        }
        Err(reason) => suppress(counters, reason),
    }
    0
}

/// Reports a fault.
#[inline(always)]
fn tell(passage: &Passage, slot: &Slot, rule: &Rule, decision: u64) {
    if !uses(USES_OBJECTS) || slot.operation == 0 && !slot.object.chooses() {
        return report::call(passage, slot.rule, rule, decision);
    }
    let object = object::of_thread();
    if object.is_null() {
        atomic::add(&SHARED.lost_events, 1);
        return;
    }
    object_complete(object);
    // SAFETY: not null, and the running thread's own.
    report::about(passage, (slot.rule, rule, decision), slot.operation, unsafe { &*object });
}

/// Does a rule of the plan need this? Where none does, the verifier drops what would do it.
#[inline(always)]
pub fn uses(feature: u32) -> bool {
    config!(features) & feature != 0
}

/// Does the rule mean this thread, and a call with these arguments?
#[inline(always)]
fn meant(passage: &Passage, rule: &Rule, slot: &Slot) -> bool {
    if uses(USES_NAMES) && rule.comm_mask[0] != 0 && !named(rule, task::comm()) {
        return false;
    }
    if !uses(USES_ARGUMENTS) || slot.tests == 0 {
        return true;
    }
    // All of them, whether they say something or not: no branch, no way more for the verifier.
    let mut all = 1;
    for test in &slot.arguments {
        all &= test.holds(passage.call.register(test.first)) | test.holds(passage.call.register(test.second));
    }
    all != 0
}

/// What this match is counted as; None when the kernel keeps no state for it. `before` is how often the
/// rule has matched before, whoever it was.
#[inline(always)]
fn identity(passage: &Passage, rule: &Rule, slot: &Slot, before: u64) -> Option<Match> {
    if passage.state.is_null() {
        return None;
    }
    match if uses(USES_SCOPES) { rule.scope } else { SCOPE_THREAD } {
        SCOPE_RULE => Some(Match { subject: 0, object: 0, number: before + 1 }),
        SCOPE_PROCESS => {
            let Subject::Target(state) = subject::identify(task::leader(passage.task)) else { return None };
            let number = count_together(cell(state, slot)?, slot.rule)?;
            // SAFETY: not null, and valid while the program runs.
            let subject = unsafe { (*state).place };
            Some(Match { subject, object: passage.object(slot), number })
        }
        _ => {
            let cell = cell(passage.state, slot)?;
            // SAFETY: valid while the program runs; only this thread counts here.
            let counted = unsafe {
                *cell = thread::count(*cell, slot.rule);
                *cell
            };
            let (subject, number) = (passage.place, thread::number(counted));
            Some(Match { subject, object: passage.object(slot), number })
        }
    }
}

/// Counts a match in a cell in which all threads of a process count at the same time: its number.
#[inline(always)]
fn count_together(cell: *mut u64, rule: u32) -> Option<u64> {
    /// Whoever loses the cell to another thread of the same rule finds it its own the next time; more
    /// rounds are for calls that are still under way with the rule that had the cell before.
    const ROUNDS: u32 = 4;
    // SAFETY: the cell of a state, aligned, and valid while the program runs.
    let cell = unsafe { AtomicU64::from_ptr(cell) };
    for _ in 0..ROUNDS {
        let seen = atomic::get(cell);
        if thread::owned(seen, rule) {
            let before = atomic::fetch_add(cell, 1);
            if thread::owned(before, rule) {
                return Some(thread::number(thread::count(before, rule)));
            }
        } else {
            let first = thread::count(seen, rule);
            if atomic::compare_exchange(cell, seen, first) == seen {
                return Some(thread::number(first));
            }
        }
    }
    None
}

/// Where a thread counts for a slot.
#[inline(always)]
fn cell(state: *mut Thread, slot: &Slot) -> Option<*mut u64> {
    let mut cell = u64::from(slot.cell);
    // Kept in a register from here on: before 6.3 the verifier forgets the bound of a value that was
    // compared in one register and is loaded from the stack into another.
    // SAFETY: changes nothing.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) cell, options(nomem, nostack)) };
    if cell >= u64::from(config!(slots)) {
        return None;
    }
    // SAFETY: the loader made room for `slots` cells behind the head and what follows it.
    Some(unsafe { state.add(1).cast::<Restart>().add(1).cast::<u64>().add(cell as usize) })
}

/// Does this match fire?
#[inline(always)]
fn fires(passage: &mut Passage, rule: &Rule, counters: &Counters, at: Match) -> Result<(), Reason> {
    if !passage.alive {
        return Err(Reason::Expired);
    }
    triggered(rule, at)?;
    if passage.decided && rule.decides() {
        return Err(Reason::Overruled);
    }
    if rule.times != 0 {
        ticket_valid(rule.times, atomic::fetch_add(&counters.tickets, 1))?;
    }
    if config!(monitor) != 0 {
        passage.decided |= rule.decides();
        return Err(Reason::Monitored);
    }
    Ok(())
}

/// Counts a match that did not fire.
#[inline(always)]
pub fn suppress(counters: &Counters, reason: Reason) {
    // Not by index: where the compiler cannot see the bound, it would call a panic.
    if let Some(cell) = counters.suppressed.get(reason as usize) {
        atomic::add(cell, 1);
    }
}
