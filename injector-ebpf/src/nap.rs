//! Delays of system calls. Five kinds of programs at one function, since one that sleeps is skipped on its
//! processor for everybody else until it is awake: who decides never sleeps, and who sleeps decides nothing.
//!
//! 1. at the entry, before all others: decides, and leaves the decision in the thread's state;
//! 2. `fmod_ret` that sleeps before the call, in copies: the first that the kernel does not skip does it;
//! 3. `fmod_ret` that keeps the call from running, attached before the copies and so run behind them;
//! 4. at the exit, copies that sleep behind the call;
//! 5. behind them, one that counts what nobody has done.
// match-proto: long __<arch>_sys_<name>(const struct pt_regs *regs)

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_get_attach_cookie;
use injector_common::{
    call::Run,
    config::USES_DELAYS,
    decide::{Match, safe_at_security_hook},
    delay::{Delay, UNIFORM},
    event::BACKEND_NAP,
    nap::together,
    rule::Rule,
    thread::{Pending, State, Thread},
    wait::{self, BEFORE, BEHIND, is_fixed},
};

use crate::{
    atomic,
    maps::{DISTRIBUTIONS, SHARED, THREADS, Task, current},
    object::Seen,
    rules::{self, Runs, uses},
    sleep::sleep,
    subject,
    task::Call,
};

/// 1. Decides.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fentry/nap_decide")]
pub extern "C" fn nap_decide(_: *mut c_void) -> i64 {
    if subject::suspected() {
        decide();
    }
    0
}

/// 2. Sleeps before the call.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/nap_before")]
pub extern "C" fn nap_before(ctx: *mut c_void) -> i64 {
    if subject::suspected() {
        before(ctx);
    }
    0
}

/// 3. Keeps the call from running.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/nap_verdict")]
pub extern "C" fn nap_verdict(_: *mut c_void) -> i64 {
    if subject::suspected() { verdict() } else { 0 }
}

/// 4. Sleeps behind the call.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/nap_behind")]
pub extern "C" fn nap_behind(ctx: *mut c_void) -> i64 {
    if subject::suspected() {
        behind(ctx);
    }
    0
}

/// 5. Counts what nobody has done.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/nap_missed")]
pub extern "C" fn nap_missed(_: *mut c_void) -> i64 {
    if subject::suspected() {
        missed();
    }
    0
}

/// Sleeps at a security hook, and then lets the call go on or fail.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/nap_at_hook")]
pub extern "C" fn nap_at_hook(_: *mut c_void) -> i64 {
    if subject::suspected() { at_hook() } else { 0 }
}

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
fn pending_of(state: *mut Thread) -> *mut Pending {
    // SAFETY: a place in memory, not looked at: the loader made room for all of the head.
    unsafe { &raw mut (*state.cast::<State>()).pending }
}

/// Not inlined, like those below: a program saves at its start all registers that any part of it needs.
#[inline(never)]
fn decide() {
    let task = current();
    let call = Call::of(task);
    let Some((run, _)) = rules::rules_of(&call, BACKEND_NAP) else { return };
    let state = THREADS.get(task);
    if !state.is_null() {
        // Whatever is left of another call, whose end nobody has seen: a skipped program, or one that came or
        // went while the call ran (kernel/bpf/trampoline.c, `bpf_tramp_image_put`: who is in the old
        // trampoline leaves out what is behind the call).
        count_missed(state);
    }
    let mut value = 0;
    let runs = Runs { calls: run, operations: Run::default() };
    if rules::pass(task, &call, runs, (0, || Seen::UNKNOWN), (BACKEND_NAP, None), &mut value) {
        let state = THREADS.get(task);
        if !state.is_null() {
            // SAFETY: not null, and valid while the program runs.
            unsafe { ((*pending_of(state)).value, (*pending_of(state)).decided) = (value, 1) };
        }
    }
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

/// Leaves the decision at a security hook to [`nap_at_hook`], which runs next. Programs of the security module are
/// never skipped, so there is one of each.
#[inline(always)]
pub fn leave_at_hook(task: Task, value: i64) {
    let state = THREADS.get(task);
    if value != 0 && !state.is_null() {
        // SAFETY: not null, and valid while the program runs.
        unsafe { ((*pending_of(state)).value, (*pending_of(state)).decided) = (value, 1) };
    }
}

#[inline(never)]
fn at_hook() -> i64 {
    let state = THREADS.get(current());
    if state.is_null() {
        return 0;
    }
    // SAFETY: not null; the thread sleeps in its own program, so its state stays.
    let pending = unsafe { *pending_of(state) };
    if pending.before == 0 && pending.decided == 0 {
        return 0;
    }
    begin_at_hook(current());
    if pending.before != 0 {
        sleep(pending.before);
    }
    if pending.decided != 0 && safe_at_security_hook(pending.value) { pending.value } else { 0 }
}

/// Is it known what stands behind this program? Until then nobody sleeps in it.
#[inline(always)]
fn may_sleep(ctx: *mut c_void) -> bool {
    // SAFETY: the context of a program that runs from a trampoline.
    unsafe { bpf_get_attach_cookie(ctx) <= atomic::get(&SHARED.copies) }
}

#[inline(never)]
fn before(ctx: *mut c_void) {
    let state = THREADS.get(current());
    if state.is_null() || !may_sleep(ctx) {
        return;
    }
    // SAFETY: not null; the thread sleeps in its own program, so its state stays.
    let delay = unsafe { (*pending_of(state)).before };
    if delay != 0 {
        // Taken: no other copy does it again.
        // SAFETY: as above.
        unsafe { (*pending_of(state)).before = 0 };
        sleep(delay);
    }
}

#[inline(never)]
fn behind(ctx: *mut c_void) {
    let state = THREADS.get(current());
    if state.is_null() || !may_sleep(ctx) {
        return;
    }
    // SAFETY: as above.
    let delay = unsafe { (*pending_of(state)).behind };
    if delay != 0 {
        // SAFETY: as above.
        unsafe { (*pending_of(state)).behind = 0 };
        sleep(delay);
    }
}

#[inline(never)]
fn verdict() -> i64 {
    let state = THREADS.get(current());
    if state.is_null() {
        return 0;
    }
    // SAFETY: not null, and valid while the program runs.
    unsafe {
        if (*pending_of(state)).decided == 0 {
            return 0;
        }
        (*pending_of(state)).decided = 0;
        (*pending_of(state)).value
    }
}

#[inline(never)]
fn missed() {
    let state = THREADS.get(current());
    if state.is_null() {
        return;
    }
    count_missed(state);
}

/// Counts the delays that are left, and forgets all of the decision.
#[inline(always)]
fn count_missed(state: *mut Thread) {
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
