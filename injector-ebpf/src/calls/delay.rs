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
use injector_common::{code::BackendCode, decide::safe_at_security_hook};

use crate::{
    atomic,
    calls::{
        call_ctx::{CallCtx, Slots},
        pending::{begin_at_hook, count_missed, pending_of},
        rules::{calls_pass, rules_of},
        sleep::sleep,
    },
    maps::{SHARED, THREADS},
    target,
    task::{Call, current},
};

/// 1. Decides.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fentry/delay_decide")]
pub extern "C" fn delay_decide(_: *mut c_void) -> i64 {
    if target::maybe_target() {
        decide();
    }
    0
}

/// 2. Sleeps before the call.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/delay_before")]
pub extern "C" fn delay_before(ctx: *mut c_void) -> i64 {
    if target::maybe_target() {
        before(ctx);
    }
    0
}

/// 3. Keeps the call from running.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/delay_verdict")]
pub extern "C" fn delay_verdict(_: *mut c_void) -> i64 {
    if target::maybe_target() { verdict() } else { 0 }
}

/// 4. Sleeps behind the call.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/delay_behind")]
pub extern "C" fn delay_behind(ctx: *mut c_void) -> i64 {
    if target::maybe_target() {
        behind(ctx);
    }
    0
}

/// 5. Counts what nobody has done.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/delay_missed")]
pub extern "C" fn delay_missed(_: *mut c_void) -> i64 {
    if target::maybe_target() {
        missed();
    }
    0
}

/// Sleeps at a security hook, and then lets the call go on or fail.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/delay_at_hook")]
pub extern "C" fn delay_at_hook(_: *mut c_void) -> i64 {
    if target::maybe_target() { at_hook() } else { 0 }
}

/// Not inlined, like those below: a program saves at its start all registers that any part of it needs.
#[inline(never)]
fn decide() {
    let task = current();
    let call = Call::of(task);
    let Some((run, _)) = rules_of(&call, BackendCode::CALL_DELAY) else { return };
    let state = THREADS.get(task);
    if !state.is_null() {
        // Whatever is left of another call, whose end nobody has seen: a skipped program, or one that came or
        // went while the call ran (kernel/bpf/trampoline.c, `bpf_tramp_image_put`: who is in the old
        // trampoline leaves out what is behind the call).
        count_missed(state);
    }
    let mut ctx = CallCtx::new(call, (Slots::of(run), Slots::NONE), BackendCode::CALL_DELAY);
    if calls_pass(&raw mut ctx) != 0 {
        let state = THREADS.get(task);
        if !state.is_null() {
            // SAFETY: not null, and valid while the program runs.
            unsafe { ((*pending_of(state)).value, (*pending_of(state)).decided) = (ctx.value, 1) };
        }
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
