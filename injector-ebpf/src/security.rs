//! Faults at the kernel's security hooks, for kernels where system calls themselves cannot be changed.
//!
//! A hook serves many calls and can run several times in one. It decides only for a call whose rules
//! name this hook, and only when it runs for that call itself.
// match-proto: int security_<hook>(...)

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_get_attach_cookie;
use injector_common::{decide::safe_at_security_hook, event::BACKEND_HOOK};

use crate::{
    maps::current,
    rules, subject,
    task::{self, Call},
};

/// Any hook without a mask. The attach cookie is the hook's number in the table of user space.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/security")]
pub extern "C" fn security(ctx: *mut c_void) -> i64 {
    if subject::suspected() { verdict(ctx, 0) } else { 0 }
}

/// `security_file_permission(struct file *file, int mask)`: reads, writes and what is like them.
#[unsafe(no_mangle)]
#[unsafe(link_section = "fexit/security_file_permission")]
pub extern "C" fn security_file_permission(ctx: *mut c_void) -> i64 {
    if !subject::suspected() {
        return 0;
    }
    // SAFETY: the second argument of the hook, in the array that a trampoline hands over.
    let mask = unsafe { *ctx.cast::<u64>().add(1) } as u32;
    verdict(ctx, mask)
}

/// What the hook is to return: 0 to let it run. Not inlined: a program saves at its start all registers
/// that any part of it needs.
#[inline(never)]
fn verdict(ctx: *mut c_void, mask: u32) -> i64 {
    let task = current();
    // Kernel threads come here for loop devices, nfsd and the like; io_uring's workers carry the
    // registers of whoever made them. Neither is in a call.
    if task::is_kernel_thread(task) || task::has_borrowed_credentials(task) {
        return 0;
    }
    let call = Call::of(task);
    let Some((run, found)) = rules::rules_of(&call, BACKEND_HOOK) else { return 0 };
    // SAFETY: the context of a program that runs from a trampoline.
    let hook = unsafe { bpf_get_attach_cookie(ctx) } as u16;
    if (found.hooks[0] != hook && found.hooks[1] != hook) || (found.mask != 0 && found.mask & mask == 0) {
        return 0;
    }
    let mut value = 0;
    if rules::pass(task, &call, run, (BACKEND_HOOK, None), &mut value) && safe_at_security_hook(value) {
        value
    } else {
        0
    }
}
