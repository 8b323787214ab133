//! Calls that a signal interrupts and that the kernel starts again afterwards: they come by their function, or their
//! security hook, a second time, and are the same call.
//!
//! On arm64 the registers no longer tell when a signal is delivered (arch/arm64/kernel/signal.c, `do_signal`), so
//! there such a call counts twice.

use core::ffi::c_void;

use injector_common::thread::{RESTARTS, Restart, State, Thread, starts_again};

use crate::{
    config::config,
    maps::THREADS,
    target,
    task::{Call, current, probe},
};

/// `SA_RESTART` (include/uapi/asm-generic/signal-defs.h).
const SA_RESTART: u64 = 0x1000_0000;

/// `SIG_IGN` (include/uapi/asm-generic/signal-defs.h): anything above is a handler.
const SIG_IGN: u64 = 1;

/// Runs in the thread that gets the signal, while its registers are still those of the call (kernel/signal.c,
/// `get_signal`).
// match-proto: signal_deliver(int sig, struct kernel_siginfo *info, struct k_sigaction *ka)
#[unsafe(no_mangle)]
#[unsafe(link_section = "tp_btf/signal_deliver")]
pub extern "C" fn signal_deliver(ctx: *const u64) -> i64 {
    if target::maybe_target_at_event() {
        // SAFETY: the tracepoint's third argument.
        interrupted(unsafe { *ctx.add(2) } as *const c_void);
    }
    0
}

/// Notes the call that is to start again after the `action`. Not inlined: a program saves at its start all
/// registers that any part of it needs.
#[inline(never)]
fn interrupted(action: *const c_void) {
    let task = current();
    let state = THREADS.get(task);
    if state.is_null() {
        // No call of this thread was counted.
        return;
    }
    let call = Call::of(task);
    // No call at all, but an interrupt: -1.
    if (call.number as i32) < 0 {
        return;
    }
    let handler: u64 = probe(action, config!(objects.action_handler) as usize);
    let flags: u64 = probe(action, config!(objects.action_flags) as usize);
    if starts_again(call.outcome() as i32, handler > SIG_IGN, flags & SA_RESTART != 0) {
        // SAFETY: not null, valid while the program runs, and only its own thread writes to it.
        unsafe {
            *restart(state) = Restart { call: call.number.into(), stack: call.stack() };
            (*state).flags |= RESTARTS;
        }
    }
}

/// Is `call`, of the thread with this state, one that starts again? It is so once.
#[inline(always)]
pub fn starts(state: *mut Thread, call: &Call) -> bool {
    // SAFETY: not null, valid while the program runs, and only its own thread writes to it.
    unsafe {
        if (*state).flags & RESTARTS == 0 {
            return false;
        }
        let Restart { call: number, stack } = *restart(state);
        if number != u64::from(call.number) || stack != call.stack() {
            return false;
        }
        (*state).flags &= !RESTARTS;
    }
    true
}

/// What is noted for the thread with this state.
#[inline(always)]
const fn restart(state: *mut Thread) -> *mut Restart {
    // SAFETY: a place in memory, not looked at: the loader made room for all of the head.
    unsafe { &raw mut (*state.cast::<State>()).restart }
}
