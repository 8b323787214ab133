//! The way from "this call of this thread" to "what it returns": every rule of the call is asked, in
//! order, and all of them count.

use core::{ffi::c_void, sync::atomic::AtomicU64};

use aya_ebpf::helpers::{
    bpf_ktime_get_boot_ns,
    generated::{bpf_loop, bpf_send_signal_thread},
};
use injector_common::{
    call::{CallRules, Run, Slot, entry},
    config::{USES_ARGUMENTS, USES_CHOICES, USES_NAMES, USES_OUTCOMES, USES_SCOPES, USES_SIGNALS},
    counters::{Counters, Reason},
    decide::{Match, in_time, named, result, ticket_valid, triggered},
    event::BACKEND_KRETPROBE,
    rule::{Rule, SCOPE_PROCESS, SCOPE_RULE, SCOPE_THREAD},
    thread::{self, Thread},
};

use crate::{
    atomic,
    maps::{CALLS, COUNTERS, RULES, SHARED, SLOTS, Task, config, plan_alive},
    report,
    subject::{self, Subject},
    task::{self, Call},
};

/// A call on its way past its rules.
pub struct Passage {
    /// The running task.
    pub task: Task,
    /// The call it is in.
    pub call: Call,
    /// Which mechanism asks, see [`injector_common::event`].
    pub backend: u32,
    /// The first slot of the call.
    base: u32,
    /// The call's entry plus one: the object of its draws.
    object: u64,
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

/// Asks every rule of `run` about the call that `task` is in, or that has just come to `outcome`. The
/// value that the call is to return goes to `value`; false to leave it alone.
///
/// Not inlined: what comes before is paid by everybody, what is in here only by targets.
#[inline(never)]
pub fn pass(
    task: Task,
    call: &Call,
    run: Run,
    (backend, outcome): (u32, Option<i64>),
    value: &mut i64,
) -> bool {
    if atomic::get(&SHARED.armed) == 0 {
        return false;
    }
    let state = match subject::identify(task) {
        Subject::Other => return false,
        Subject::Target(state) => state,
        Subject::Stateless => core::ptr::null_mut(),
    };
    // SAFETY: not null, and valid while the program runs.
    let place = if state.is_null() { 0 } else { unsafe { (*state).place } };
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let mut passage = Passage {
        task,
        call: *call,
        backend,
        base: run.base,
        object: u64::from(entry(call.abi, call.number).unwrap_or_default()) + 1,
        state,
        place,
        now,
        outcome,
        alive: plan_alive(now),
        decided: false,
        value: 0,
    };
    // SAFETY: the callback has the shape that the helper wants and gets the passage; both outlive it.
    unsafe { bpf_loop(u32::from(run.count), consider as *mut c_void, (&raw mut passage).cast(), 0) };
    *value = passage.value;
    passage.decided
}

/// One rule of the loop: counts, and fires if it may.
unsafe extern "C" fn consider(index: u64, passage: *mut Passage) -> i64 {
    // SAFETY: the passage that `pass` handed to the loop.
    let passage = unsafe { &mut *passage };
    let Some(slot) = SLOTS.get(passage.base + index as u32) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(slot.rule), COUNTERS.get(slot.rule)) else { return 1 };
    if uses(USES_OUTCOMES) && !in_time(rule, passage.outcome) || !meant(passage, rule, slot) {
        return 0;
    }
    let before = atomic::fetch_add(&counters.matched, 1);
    let Some(at) = identity(passage, rule, slot, before) else {
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
            report::call(passage, slot.rule, rule, at.number);
        }
        Err(reason) => suppress(counters, reason),
    }
    0
}

/// Does a rule of the plan need this? Where none does, the verifier drops what would do it.
#[inline(always)]
fn uses(feature: u32) -> bool {
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
            Some(Match { subject, object: passage.object, number })
        }
        _ => {
            let cell = cell(passage.state, slot)?;
            // SAFETY: valid while the program runs; only this thread counts here.
            let counted = unsafe {
                *cell = thread::count(*cell, slot.rule);
                *cell
            };
            Some(Match { subject: passage.place, object: passage.object, number: thread::number(counted) })
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
    // SAFETY: the loader made room for `slots` cells behind the header.
    Some(unsafe { state.add(1).cast::<u64>().add(cell as usize) })
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
