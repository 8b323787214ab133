//! Which number a match is: each thread's own, that of a process's threads together, or of all matches of the rule.

use core::sync::atomic::AtomicU64;

use injector_common::{
    call::Slot,
    code::ScopeCode,
    config::USES_SCOPES,
    decide::Match,
    rule::Rule,
    thread::{self, State, Thread},
};

use crate::{
    atomic,
    calls::call_ctx::CallCtx,
    config::{config, uses},
    target::{self, Lookup},
    task::{self, current},
};

/// What this match is counted as, of the running thread with this state; None when the kernel keeps no state for it.
/// `before` is how often the rule has matched before, whoever it was.
#[inline(always)]
pub fn identity(
    ctx: &CallCtx,
    thread: *mut Thread,
    (rule, slot): (&Rule, &Slot),
    before: u64,
) -> Option<Match> {
    if thread.is_null() {
        return None;
    }
    match if uses(USES_SCOPES) { rule.scope } else { ScopeCode::THREAD } {
        ScopeCode::RULE => Some(Match::of_rule(before + 1)),
        ScopeCode::PROCESS => {
            // Its state is only where its threads count together. It is made if this thread is a target, even if the
            // first thread sits in another cgroup and is none itself.
            let Lookup::Target(state) = target::lookup(task::leader(current())) else { return None };
            let number = count_together(cell(state, slot)?, slot.rule)?;
            // SAFETY: not null, and valid while the program runs.
            let subject = unsafe { (*state).tree_position };
            Some(Match { subject, object: ctx.object(slot), number })
        }
        _ => {
            let cell = cell(thread, slot)?;
            // SAFETY: valid while the program runs; only this thread counts here.
            let counted = unsafe {
                *cell = thread::count(*cell, slot.rule);
                *cell
            };
            let (subject, number) = (ctx.tree_position, thread::number(counted));
            Some(Match { subject, object: ctx.object(slot), number })
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
    // SAFETY: the loader made room for `slots` cells behind the head.
    Some(unsafe { state.cast::<State>().add(1).cast::<u64>().add(cell as usize) })
}
