//! The way from "this call of this thread" to "what it returns": every rule of the call is asked, in
//! order, and all of them count.

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::helpers::{bpf_ktime_get_boot_ns, generated::bpf_loop};
use injector_common::{
    call::{CallRules, entry},
    counters::{Counters, Reason},
    decide::{Match, ticket_valid, triggered},
    rule::Rule,
    thread::Thread,
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
    pub base: u32,
    /// The call's entry plus one, or the operation behind all of them: the object of its draws.
    pub object: u64,
    /// The thread's state, null when it could not be kept.
    state: *mut Thread,
    /// The thread's place.
    pub place: u64,
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub now: u64,
    /// Does the plan still act?
    alive: bool,
    /// Has a rule decided?
    pub decided: bool,
    /// What the call returns if so.
    pub value: i64,
}

/// The rules of a call. `None` when no rule names it.
#[inline(always)]
pub fn rules_of(call: &Call) -> Option<&'static CallRules> {
    let rules = CALLS.get(entry(call.abi, call.number)?)?;
    if rules.count == 0 { None } else { Some(rules) }
}

/// Asks every rule in `rules` about the call that `task` is in. The value that the call is to return
/// instead of running goes to `value`; false to let it run.
///
/// Not inlined: what comes before is paid by everybody, what is in here only by targets.
#[inline(never)]
pub fn pass(task: Task, call: &Call, rules: &CallRules, backend: u32, value: &mut i64) -> bool {
    let mut passage = MaybeUninit::uninit();
    if !Passage::begin(&mut passage, task, call, backend) {
        return false;
    }
    // SAFETY: begun just now.
    let passage = unsafe { passage.assume_init_mut() };
    passage.base = rules.base;
    passage.object = object(call);
    // SAFETY: the callback has the shape that the helper wants and gets the passage; both outlive it.
    unsafe { bpf_loop(rules.count, consider as *mut c_void, core::ptr::from_mut(passage).cast(), 0) };
    *value = passage.value;
    passage.decided
}

impl Passage {
    /// Begins the passage of `task`, the running one, in `call`, whose slots and draws are for the caller to
    /// fill in. False if the task is no target's, or the plan has not begun; then nothing is written.
    ///
    /// Not inlined, for the stack's sake: what finds the thread out is done with before any rule is asked.
    #[inline(never)]
    pub fn begin(room: &mut MaybeUninit<Self>, task: Task, call: &Call, backend: u32) -> bool {
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
        room.write(Self {
            task,
            call: *call,
            backend,
            base: 0,
            object: 0,
            state,
            place,
            now,
            alive: plan_alive(now),
            decided: false,
            value: 0,
        });
        true
    }
}

/// What the draws for a call are about.
#[inline(always)]
pub fn object(call: &Call) -> u64 {
    u64::from(entry(call.abi, call.number).unwrap_or_default()) + 1
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, passage: *mut Passage) -> i64 {
    // SAFETY: the passage that `pass` handed to the loop.
    let passage = unsafe { &mut *passage };
    let slot = passage.base + index as u32;
    let Some(&number) = SLOTS.get(slot) else { return 1 };
    ask(passage, number, slot, report::call)
}

/// Asks one rule that matches: counts, and fires if it may, which `report` tells. 1 if there is no such rule.
#[inline(always)]
pub fn ask(
    passage: &mut Passage,
    number: u32,
    slot: u32,
    report: impl FnOnce(&Passage, u32, &Rule, u64),
) -> i64 {
    let (Some(rule), Some(counters)) = (RULES.get(number), COUNTERS.get(number)) else { return 1 };
    atomic::add(&counters.matched, 1);
    match fires(passage, rule, counters, slot) {
        Ok(decision) => {
            passage.decided = true;
            passage.value = rule.value;
            atomic::add(&counters.fired, 1);
            report(passage, number, rule, decision);
        }
        Err(reason) => suppress(counters, reason),
    }
    0
}

/// Does this match fire? If so, its number.
#[inline(always)]
fn fires(passage: &mut Passage, rule: &Rule, counters: &Counters, slot: u32) -> Result<u64, Reason> {
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

/// Counts a match in the thread's own counter of this slot: its number, from 1.
#[inline(always)]
fn count(state: *mut Thread, slot: u32) -> Option<u64> {
    if state.is_null() || slot >= config!(slots) {
        return None;
    }
    // SAFETY: the loader made room for `slots` counters behind the header; only this thread counts here.
    let number = unsafe {
        let counter = state.add(1).cast::<u32>().add(slot as usize);
        let number = (*counter).wrapping_add(1);
        *counter = number;
        number
    };
    Some(u64::from(number))
}

/// Counts a match that did not fire.
#[inline(always)]
pub fn suppress(counters: &Counters, reason: Reason) {
    // Not by index: where the compiler cannot see the bound, it would call a panic.
    if let Some(cell) = counters.suppressed.get(reason as usize) {
        atomic::add(cell, 1);
    }
}
