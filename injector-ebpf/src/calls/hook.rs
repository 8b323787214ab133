//! Faults at the kernel's security hooks: on operations, whichever way they come (a system call, io_uring,
//! sendfile, splice, AIO, a mapping), and on system calls where these cannot be changed themselves, or where
//! only the hook knows which file a call means.
//!
//! A hook serves many calls and can run several times in one. It decides for a call only if the call's rules
//! name this hook, and only when it runs for that call itself. One program asks both kinds of rules.
// match-proto: int security_<hook>(...)

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_get_attach_cookie;
use injector_common::{
    call::{ABI_NONE, Run, hook_entry},
    code::BackendCode,
    config::USES_OBJECTS,
    decide::safe_at_security_hook,
};

use crate::{
    calls::{
        call_ctx::{CallCtx, Slots},
        pending,
        rules::{calls_pass, rules_of},
    },
    config::{config, uses},
    maps::{self, CALLS},
    objects::{object, seen::Seen},
    target,
    task::{self, Call, PF_IO_WORKER, PF_KTHREAD, Task, current, probe},
};

/// An argument of the hook.
macro_rules! argument {
    ($ctx:ident, $nth:literal) => {
        // SAFETY: an argument that the hook has, in the array that a trampoline hands over.
        unsafe { *$ctx.cast::<u64>().add($nth) }
    };
}

/// Two programs for all hooks whose arguments say the same: one that returns what was decided, and one that leaves
/// it to a program that sleeps. What comes before `decide` is paid by everybody.
macro_rules! programs {
    ($(#[$doc:meta])* $name:ident, $section:literal, $delay:ident, $delay_section:literal, |$ctx:ident| $seen:expr) => {
        programs!($(#[$doc])* $name, $section, $delay, $delay_section, |$ctx| $seen, 0);
    };
    (
        $(#[$doc:meta])* $name:ident, $section:literal, $delay:ident, $delay_section:literal,
        |$ctx:ident| $seen:expr, $mask:expr
    ) => {
        const _: () = {
            /// Turns the thread's object to what the hook is about. Not inlined, for the stack's sake.
            #[inline(never)]
            fn look($ctx: *mut c_void) {
                // Not every hook says what it is about.
                let _ = $ctx;
                object::turn_to(|| $seen);
            }

            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[unsafe(link_section = $section)]
            pub extern "C" fn $name($ctx: *mut c_void) -> i64 {
                /// Not inlined: a program saves at its start all registers that any part of it needs.
                #[inline(never)]
                fn decide($ctx: *mut c_void) -> i64 {
                    let task = current();
                    if excluded(task) {
                        return 0;
                    }
                    verdict($ctx, task, BackendCode::HOOK, $mask, || look($ctx))
                }
                if target::maybe_target() { decide($ctx) } else { 0 }
            }

            $(#[$doc])*
            #[unsafe(no_mangle)]
            #[unsafe(link_section = $delay_section)]
            pub extern "C" fn $delay($ctx: *mut c_void) -> i64 {
                #[inline(never)]
                fn decide($ctx: *mut c_void) {
                    let task = current();
                    if excluded(task) {
                        return;
                    }
                    pending::begin_at_hook(task);
                    let value = verdict($ctx, task, BackendCode::CALL_DELAY_HOOK, $mask, || look($ctx));
                    pending::leave_at_hook(task, value);
                }
                if target::maybe_target() {
                    decide($ctx);
                }
                0
            }
        };
    };
}

programs!(
    /// Any hook that does not say which file or socket it is about.
    hook_plain, "fexit/hook_plain", delay_hook_plain, "fexit/delay_hook_plain",
    |ctx| Seen::UNKNOWN
);
programs!(
    /// `(struct file *, ...)`.
    hook_file, "fexit/hook_file", delay_hook_file, "fexit/delay_hook_file",
    |ctx| Seen::file(argument!(ctx, 0))
);
programs!(
    /// `(struct file *, int mask)`.
    hook_access, "fexit/hook_access", delay_hook_access, "fexit/delay_hook_access",
    |ctx| Seen::file(argument!(ctx, 0)),
    argument!(ctx, 1) as u32
);
programs!(
    /// `(const struct path *, ...)`.
    hook_path, "fexit/hook_path", delay_hook_path, "fexit/delay_hook_path",
    |ctx| Seen::path(argument!(ctx, 0))
);
programs!(
    /// `(const struct path *folder, struct dentry *, ...)`.
    hook_entry_of, "fexit/hook_entry_of", delay_hook_entry_of, "fexit/delay_hook_entry_of",
    |ctx| Seen::entries(argument!(ctx, 0), argument!(ctx, 1), 0)
);
programs!(
    /// `(struct dentry *old, const struct path *folder, struct dentry *new)`, both on one mount
    /// (fs/namei.c, `do_linkat`).
    hook_link, "fexit/hook_link", delay_hook_link, "fexit/delay_hook_link",
    |ctx| Seen::entries(argument!(ctx, 1), argument!(ctx, 0), argument!(ctx, 2))
);
programs!(
    /// `(const struct path *, struct dentry *old, const struct path *, struct dentry *new, ...)`, both on one
    /// mount (fs/namei.c, `do_renameat2`).
    hook_rename, "fexit/hook_rename", delay_hook_rename, "fexit/delay_hook_rename",
    |ctx| Seen::entries(argument!(ctx, 0), argument!(ctx, 1), argument!(ctx, 3))
);
programs!(
    /// `(struct socket *, ...)`.
    hook_socket, "fexit/hook_socket", delay_hook_socket, "fexit/delay_hook_socket",
    |ctx| Seen::socket(argument!(ctx, 0))
);
programs!(
    /// `(struct socket *, struct sockaddr *peer, ...)`.
    hook_connect, "fexit/hook_connect", delay_hook_connect, "fexit/delay_hook_connect",
    |ctx| Seen::peer(argument!(ctx, 0), argument!(ctx, 1))
);
programs!(
    /// `(struct socket *, struct sockaddr *own, ...)`.
    hook_bind, "fexit/hook_bind", delay_hook_bind, "fexit/delay_hook_bind",
    |ctx| Seen::own(argument!(ctx, 0), argument!(ctx, 1))
);
programs!(
    /// `(struct socket *, struct msghdr *, ...)`.
    hook_send, "fexit/hook_send", delay_hook_send, "fexit/delay_hook_send",
    |ctx| {
        let message = argument!(ctx, 1) as *const c_void;
        Seen::peer(argument!(ctx, 0), probe(message, config!(objects.message_name) as usize))
    }
);

/// Kernel threads come here for loop devices, nfsd and the like, and a stacked file system for what it does
/// on the layer below. A worker of io_uring is a thread of the process that it works for.
#[inline(always)]
fn excluded(task: Task) -> bool {
    task::flags(task) & PF_KTHREAD != 0 || task::has_borrowed_credentials(task)
}

/// What the hook is to return: 0 to let it run. `look` turns the thread's object to what the hook is about.
#[inline(always)]
fn verdict(ctx: *mut c_void, task: Task, backend: BackendCode, mask: u32, look: impl FnOnce()) -> i64 {
    // SAFETY: the context of a program that runs from a trampoline.
    let hook = unsafe { bpf_get_attach_cookie(ctx) } as u32;
    let mut call = Call::of(task);
    let of_call = if task::flags(task) & PF_IO_WORKER != 0 {
        // Its registers are those of whoever made it.
        call.abi = ABI_NONE;
        None
    } else {
        of_call(&call, backend, hook, mask)
    };
    let of_operations = if uses(USES_OBJECTS) { of_operations(hook, backend) } else { None };
    if of_call.is_none() && of_operations.is_none() {
        return 0;
    }
    let slots = |run: Option<Run>| run.map_or(Slots::NONE, Slots::of);
    let mut ctx = CallCtx::new(call, (slots(of_call), slots(of_operations)), backend);
    ctx.mask = mask;
    if uses(USES_OBJECTS) {
        look();
    }
    if calls_pass(&raw mut ctx) != 0 && safe_at_security_hook(ctx.value) { ctx.value } else { 0 }
}

/// The rules of `call`, if they are `backend`'s and it is this hook that decides for it.
#[inline(always)]
fn of_call(call: &Call, backend: BackendCode, hook: u32, mask: u32) -> Option<Run> {
    let (run, found) = rules_of(call, backend)?;
    let here = u32::from(found.hooks[0]) == hook || u32::from(found.hooks[1]) == hook;
    if here && (found.mask == 0 || found.mask & mask != 0) { Some(run) } else { None }
}

/// The rules on the operations that pass this hook, if they are `backend`'s.
#[inline(always)]
fn of_operations(hook: u32, backend: BackendCode) -> Option<Run> {
    let run = maps::read(&CALLS.get(hook_entry(hook))?.run);
    if run.count == 0 || u32::from(run.backend) != backend.number() { None } else { Some(run) }
}
