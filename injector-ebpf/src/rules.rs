//! The way from "this call of this thread" to "what it returns": every rule of the call is asked, in
//! order, and all of them count.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_ktime_get_boot_ns, generated::bpf_loop};
use injector_common::{
    call::{CallRules, Run, Slot, entry},
    counters::{Counters, Reason},
    decide::{Match, ticket_valid, triggered},
    rule::Rule,
    thread::{self, Thread},
};

use crate::{
    atomic,
    maps::{CALLS, COUNTERS, RULES, SHARED, SLOTS, Task, config, plan_alive},
    report,
    subject::{self, Subject},
    task::Call,
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
    /// Does the plan still act?
    alive: bool,
    /// Has a rule decided?
    decided: bool,
    /// What the call returns if so.
    value: i64,
}

/// The rules of a call, and its entry, for the hooks. `None` when no rule names it, or when it is another
/// backend's to decide: while a plan changes, a call can pass programs of two.
#[inline(always)]
pub fn rules_of(call: &Call, backend: u32) -> Option<(Run, &'static CallRules)> {
    let rules = CALLS.get(entry(call.abi, call.number)?)?;
    let run = run_of(rules);
    if run.count == 0 || u32::from(run.backend) != backend { None } else { Some((run, rules)) }
}

/// The run of an entry, read by one instruction, as user space writes it.
#[inline(always)]
pub fn run_of(rules: &CallRules) -> Run {
    // SAFETY: a reference; volatile, since the plan can change meanwhile.
    Run::of(unsafe { (&raw const rules.run).read_volatile() })
}

/// Asks every rule of `run` about the call that `task` is in. The value that the call is to return
/// instead of running goes to `value`; false to let it run.
///
/// Not inlined: what comes before is paid by everybody, what is in here only by targets.
#[inline(never)]
pub fn pass(task: Task, call: &Call, run: Run, backend: u32, value: &mut i64) -> bool {
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
    let Some(&slot) = SLOTS.get(passage.base + index as u32) else { return 1 };
    let number = slot.rule;
    let (Some(rule), Some(counters)) = (RULES.get(number), COUNTERS.get(number)) else { return 1 };
    atomic::add(&counters.matched, 1);
    match fires(passage, rule, counters, slot) {
        Ok(decision) => {
            passage.decided = true;
            passage.value = rule.value;
            atomic::add(&counters.fired, 1);
            report::call(passage, number, rule, decision);
        }
        Err(reason) => suppress(counters, reason),
    }
    0
}

/// Does this match fire? If so, its number.
#[inline(always)]
fn fires(passage: &mut Passage, rule: &Rule, counters: &Counters, slot: Slot) -> Result<u64, Reason> {
    let Some(number) = count(passage.state, slot) else { return Err(Reason::NoState) };
    if !passage.alive {
        return Err(Reason::Expired);
    }
    triggered(rule, Match { subject: passage.place, object: passage.object, number })?;
    if passage.decided {
        return Err(Reason::Overruled);
    }
    if rule.times != 0 {
        ticket_valid(rule.times, atomic::fetch_add(&counters.tickets, 1))?;
    }
    if config!(monitor) != 0 {
        passage.decided = true;
        return Err(Reason::Monitored);
    }
    Ok(number)
}

/// Counts a match in the thread's own cell for this slot: its number, from 1.
#[inline(always)]
fn count(state: *mut Thread, slot: Slot) -> Option<u64> {
    if state.is_null() || slot.cell >= config!(slots) {
        return None;
    }
    // SAFETY: the loader made room for `slots` cells behind the header; only this thread counts here.
    let counted = unsafe {
        let cell = state.add(1).cast::<u64>().add(slot.cell as usize);
        *cell = thread::count(*cell, slot.rule);
        *cell
    };
    Some(thread::number(counted))
}

/// Counts a match that did not fire.
#[inline(always)]
pub fn suppress(counters: &Counters, reason: Reason) {
    // Not by index: where the compiler cannot see the bound, it would call a panic.
    if let Some(cell) = counters.suppressed.get(reason as usize) {
        atomic::add(cell, 1);
    }
}
