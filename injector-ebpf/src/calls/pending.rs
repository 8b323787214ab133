//! What a thread is to do about delays: drawn when the rules are asked, done by programs that may sleep, and counted as
//! missed where nobody has done it.

use injector_common::{
    config::USES_DELAYS,
    decide::Match,
    delay::{Delay, UNIFORM},
    rule::Rule,
    sleep::together,
    thread::{Pending, State, Thread},
    wait::{self, BEFORE, BEHIND, is_fixed},
};

use crate::{
    atomic,
    config::uses,
    maps::{DISTRIBUTIONS, SHARED, THREADS},
    task::Task,
};

/// How long the match `at` of `rule` waits, before the call and behind it. Of several rules that fire on one call,
/// all delays count.
#[inline(always)]
pub fn ask(state: *mut Thread, rule: &Rule, at: Match) {
    if state.is_null() {
        return;
    }
    // SAFETY: not null, and valid while the program runs; only its own thread writes here.
    let pending = unsafe { &mut *pending_of(state) };
    pending.drawn = [0; 2];
    if rule.delays() {
        draw(pending, rule, at.subject, at.object, at.number);
        pending.before = together(pending.before, pending.drawn[0]);
        pending.behind = together(pending.behind, pending.drawn[1]);
    }
}

/// What the rule that was asked last has drawn.
#[inline(always)]
pub fn drawn(state: *mut Thread) -> [u64; 2] {
    if !uses(USES_DELAYS) || state.is_null() {
        return [0; 2];
    }
    // SAFETY: not null, and valid while the program runs.
    unsafe { (*pending_of(state)).drawn }
}

/// Draws what a rule's delays come to. Not inlined, for the stack's sake, and with the match in registers.
#[inline(never)]
fn draw(pending: &mut Pending, rule: &Rule, subject: u64, object: u64, number: u64) {
    let at = Match { subject, object, number };
    let [before, behind] = &mut pending.drawn;
    draw_one(before, rule, &rule.delay_enter, (BEFORE, at));
    draw_one(behind, rule, &rule.delay_exit, (BEHIND, at));
}

/// What one delay comes to. The draw goes through `room`, which is memory of a map: where a number comes from there,
/// the verifier does not look for how it came about, which in a loop takes it long, or for ever.
#[inline(always)]
fn draw_one(room: &mut u64, rule: &Rule, delay: &Delay, (end, at): (u64, Match)) {
    let mut length = delay.base;
    if !is_fixed(delay) {
        let table = if delay.table == UNIFORM { None } else { DISTRIBUTIONS.get(delay.table) };
        // SAFETY: a reference; volatile, since it has to go there and back.
        let draw = unsafe {
            core::ptr::write_volatile(room, wait::draw(rule.seed, end, at));
            core::ptr::read_volatile(room)
        };
        length = wait::length(delay, table, draw);
    }
    *room = length;
}

/// Where a thread's state has what is to be done.
#[inline(always)]
pub fn pending_of(state: *mut Thread) -> *mut Pending {
    // SAFETY: a place in memory, not looked at: the loader made room for all of the head.
    unsafe { &raw mut (*state.cast::<State>()).pending }
}

/// Forgets what an earlier hook has left to do, which was overruled by another module. What is to be done behind
/// the call stays.
#[inline(always)]
pub fn begin_at_hook(task: Task) {
    let state = THREADS.get(task);
    if !state.is_null() {
        // SAFETY: not null, and valid while the program runs.
        unsafe { ((*pending_of(state)).before, (*pending_of(state)).decided) = (0, 0) };
    }
}

/// Leaves the decision at a security hook to [`delay_at_hook`](super::delay::delay_at_hook), which runs next. Programs of the security module are
/// never skipped, so there is one of each.
#[inline(always)]
pub fn leave_at_hook(task: Task, value: i64) {
    let state = THREADS.get(task);
    if value != 0 && !state.is_null() {
        // SAFETY: not null, and valid while the program runs.
        unsafe { ((*pending_of(state)).value, (*pending_of(state)).decided) = (value, 1) };
    }
}

/// Counts the delays that are left, and forgets all of the decision.
#[inline(always)]
pub fn count_missed(state: *mut Thread) {
    // SAFETY: of the running thread, not null, and valid while the program runs.
    let pending = unsafe { &mut (*pending_of(state)) };
    if pending.before != 0 {
        atomic::add(&SHARED.missed_before, 1);
    }
    if pending.behind != 0 {
        atomic::add(&SHARED.missed_behind, 1);
    }
    *pending = Pending::NONE;
}
