//! The way from "this call of this thread" to "what it returns": every rule of the call is asked, in
//! order, and all of them count.

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_ktime_get_boot_ns,
    generated::{bpf_loop, bpf_send_signal_thread},
};
use injector_common::{
    call::{CallRules, entry},
    config::{USES_ARGUMENTS, USES_CHOICES, USES_NAMES, USES_OUTCOMES, USES_SCOPES, USES_SIGNALS},
    counters::{Counters, Reason},
    decide::{Match, in_time, named, result, ticket_valid, triggered},
    rule::{Rule, SCOPE_PROCESS, SCOPE_RULE, SCOPE_THREAD, Slot},
    thread::Thread,
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

/// The rules of a call. `None` when no rule names it.
#[inline(always)]
pub fn rules_of(call: &Call) -> Option<&'static CallRules> {
    let rules = CALLS.get(entry(call.abi, call.number)?)?;
    if rules.count == 0 { None } else { Some(rules) }
}

/// Asks every rule in `rules` about the call that `task` is in, or that has just come to `outcome`. The
/// value that the call is to return goes to `value`; false to leave it alone.
///
/// Not inlined: what comes before is paid by everybody, what is in here only by targets.
#[inline(never)]
pub fn pass(
    task: Task,
    call: &Call,
    rules: &CallRules,
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
        base: rules.base,
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
    unsafe { bpf_loop(rules.count, consider as *mut c_void, (&raw mut passage).cast(), 0) };
    *value = passage.value;
    passage.decided
}

/// One rule of the loop: counts, and fires if it may.
unsafe extern "C" fn consider(index: u64, passage: *mut Passage) -> i64 {
    // SAFETY: the passage that `pass` handed to the loop.
    let passage = unsafe { &mut *passage };
    let nth = passage.base + index as u32;
    let Some(slot) = SLOTS.get(nth) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(slot.rule), COUNTERS.get(slot.rule)) else { return 1 };
    if uses(USES_OUTCOMES) && !in_time(rule, passage.outcome) || !meant(passage, rule, slot) {
        return 0;
    }
    let before = atomic::fetch_add(&counters.matched, 1);
    let Some(at) = identity(passage, rule, nth, before) else {
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
fn identity(passage: &Passage, rule: &Rule, slot: u32, before: u64) -> Option<Match> {
    if passage.state.is_null() {
        return None;
    }
    match if uses(USES_SCOPES) { rule.scope } else { SCOPE_THREAD } {
        SCOPE_RULE => Some(Match { subject: 0, object: 0, number: before + 1 }),
        SCOPE_PROCESS => {
            let Subject::Target(state) = subject::identify(task::leader(passage.task)) else { return None };
            let counter = counter(state, slot)?;
            // SAFETY: not null, and valid while the program runs. Atomic: all threads of the process count there.
            let (place, before) = unsafe { ((*state).place, atomic::fetch_increment(counter)) };
            Some(Match { subject: place, object: passage.object, number: u64::from(before.wrapping_add(1)) })
        }
        _ => {
            let counter = counter(passage.state, slot)?;
            // SAFETY: valid while the program runs; only this thread counts here.
            let number = unsafe {
                *counter = (*counter).wrapping_add(1);
                *counter
            };
            Some(Match { subject: passage.place, object: passage.object, number: u64::from(number) })
        }
    }
}

/// Where a thread counts for a slot.
#[inline(always)]
fn counter(state: *mut Thread, slot: u32) -> Option<*mut u32> {
    let mut slot = u64::from(slot);
    // Kept in a register from here on: before 6.3 the verifier forgets the bound of a value that was
    // compared in one register and is loaded from the stack into another.
    // SAFETY: changes nothing.
    unsafe { core::arch::asm!("{0} = {0}", inout(reg) slot, options(nomem, nostack)) };
    if slot >= u64::from(config!(slots)) {
        return None;
    }
    // SAFETY: the loader made room for `slots` counters behind the header.
    Some(unsafe { state.add(1).cast::<u32>().add(slot as usize) })
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
