//! Faults at the system call's own function: before it runs by `fmod_ret` or by a kprobe with
//! `bpf_override_return`, when it has run by a kretprobe with the same helper.
// match-proto: long __<arch>_sys_<name>(const struct pt_regs *regs)

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_override_return;
use injector_common::{code::BackendCode, config::USES_OBJECTS};

use crate::{
    calls::{
        call_ctx::{CallCtx, Slots},
        rules::{calls_pass, rules_of},
    },
    config::uses,
    objects::matching,
    target::{self, Lookup},
    task::{self, Call, current},
};

/// `fmod_ret`: a value other than 0 is what the call returns, and it does not run. The value has all 64
/// bits: the trampoline compares and returns all of them (arch/x86/net/bpf_jit_comp.c).
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/syscall")]
pub extern "C" fn syscall(_: *mut c_void) -> i64 {
    if target::maybe_target() { fmod_ret() } else { 0 }
}

/// kprobe: the override makes the call return any value, 0 as well, without running.
#[unsafe(no_mangle)]
#[unsafe(link_section = "kprobe/syscall")]
pub extern "C" fn syscall_kprobe(regs: *mut c_void) -> i64 {
    if target::maybe_target() {
        kprobe(regs);
    }
    0
}

/// kretprobe: the call has run, and its caller gets another result. The handler works on the registers
/// with which the function's trampoline goes back to its caller (arch/x86/kernel/rethook.c).
#[unsafe(no_mangle)]
#[unsafe(link_section = "kprobe/syscall_exit")]
pub extern "C" fn syscall_exit(regs: *mut c_void) -> i64 {
    if target::maybe_target() {
        kretprobe(regs);
    }
    0
}

/// kprobe: the call is about to run, and what it is about can no longer be found when it has.
#[unsafe(no_mangle)]
#[unsafe(link_section = "kprobe/syscall_keep")]
pub extern "C" fn syscall_keep(_: *mut c_void) -> i64 {
    if uses(USES_OBJECTS) && target::maybe_target() {
        keep();
    }
    0
}

/// Not inlined, as the others.
#[inline(never)]
fn keep() {
    let task = current();
    let call = Call::of(task);
    if rules_of(&call, BackendCode::KRETPROBE).is_some() && !matches!(target::lookup(task), Lookup::Other) {
        matching::keep(&call);
    }
}

/// Not inlined, like [`kprobe`]: a program saves at its start all registers that any part of it needs.
#[inline(never)]
fn fmod_ret() -> i64 {
    verdict(BackendCode::FMOD_RET, None).unwrap_or(0)
}

#[inline(never)]
fn kprobe(regs: *mut c_void) {
    if let Some(value) = verdict(BackendCode::KPROBE, None) {
        // SAFETY: the context of a kprobe program is its pt_regs.
        unsafe { bpf_override_return(regs.cast(), value.cast_unsigned()) };
    }
}

#[inline(never)]
fn kretprobe(regs: *mut c_void) {
    if let Some(value) = verdict(BackendCode::KRETPROBE, Some(task::returned(regs))) {
        // SAFETY: as above.
        unsafe { bpf_override_return(regs.cast(), value.cast_unsigned()) };
    }
}

/// What the running call, or one that has come to `outcome`, is to return, if a rule decides.
#[inline(always)]
fn verdict(backend: BackendCode, outcome: Option<i64>) -> Option<i64> {
    let task = current();
    let call = Call::of(task);
    let (run, _) = rules_of(&call, backend)?;
    let mut ctx = CallCtx::new(call, (Slots::of(run), Slots::NONE), backend);
    if let Some(outcome) = outcome {
        (ctx.has_run, ctx.outcome) = (true, outcome);
    }
    if calls_pass(&raw mut ctx) == 0 { None } else { Some(ctx.value) }
}
