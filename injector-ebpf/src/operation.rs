//! Faults on operations, whichever way they come: by a system call, io_uring, sendfile, splice, AIO, a
//! mapping. All of them pass a security hook, and the hook's arguments say what they are about.
//!
//! A hook has one deciding program. So where the plan has rules on calls that are caught at the same hook,
//! this program asks them too, all in the order of the rules.
// match-proto: int security_<hook>(...)

use core::{ffi::c_void, mem::MaybeUninit};

use aya_ebpf::helpers::generated::bpf_loop;
use injector_common::{
    call::{ABI_NONE, CALL_ENTRIES},
    counters::Reason,
    decide::safe_at_security_hook,
    event::BACKEND_HOOK,
    operation::{HookRules, OperationRule, Socket},
};

use crate::{
    atomic,
    maps::{COUNTERS, GLOBS, HOOKS, OBJECTS, OPERATIONS, PORTS, SLOTS, Task, config, current},
    object::{NOTHING, Object},
    path, report,
    rules::{self, Passage},
    security::{hook, rules_here},
    socket::{self, Address},
    subject,
    task::{self, Call, PF_IO_WORKER, PF_KTHREAD, probe},
};

/// Where the arguments of a hook have the object of the operation.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Shape {
    /// A mount and one or two entries on it; the second is 0 for none.
    Path = 0,
    /// A socket and no address.
    Socket = 1,
    /// A socket and the address of a peer, 0 for none.
    Peer = 2,
    /// A socket and the address that it is to have.
    Own = 3,
}

/// What a hook is about, and the masks of hooks that have one.
struct Seen {
    shape: Shape,
    /// The mount, or the socket.
    base: u64,
    /// The entry, or the address.
    first: u64,
    /// The other entry.
    second: u64,
    mask: u32,
}

impl Seen {
    #[inline(always)]
    fn path((base, first): (u64, u64), mask: u32) -> Self {
        Self { shape: Shape::Path, base, first, second: 0, mask }
    }

    #[inline(always)]
    fn entries(folder: u64, first: u64, second: u64) -> Self {
        let (base, _) = path::of_path(folder);
        Self { shape: Shape::Path, base, first, second, mask: 0 }
    }

    #[inline(always)]
    fn socket(shape: Shape, base: u64, first: u64) -> Self {
        Self { shape, base, first, second: 0, mask: 0 }
    }
}

/// An argument of the hook.
macro_rules! argument {
    ($ctx:ident, $nth:literal) => {
        // SAFETY: an argument that the hook has, in the array that a trampoline hands over.
        unsafe { *$ctx.cast::<u64>().add($nth) }
    };
}

/// A program for all hooks that have the object at the same place. What comes before `decide` is paid by
/// everybody.
macro_rules! program {
    ($(#[$doc:meta])* $name:ident, $section:literal, |$ctx:ident| $seen:expr) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[unsafe(link_section = $section)]
        pub extern "C" fn $name($ctx: *mut c_void) -> i64 {
            /// Not inlined: a program saves at its start all registers that any part of it needs.
            #[inline(never)]
            fn decide($ctx: *mut c_void) -> i64 {
                let task = current();
                if excluded(task) { 0 } else { verdict($ctx, task, $seen) }
            }
            if subject::suspected() { decide($ctx) } else { 0 }
        }
    };
}

program!(
    /// `(struct file *, ...)`.
    operation_file, "fexit/operation_file",
    |ctx| Seen::path(path::of_file(argument!(ctx, 0)), 0)
);
program!(
    /// `(struct file *, int mask)`.
    operation_access, "fexit/operation_access",
    |ctx| Seen::path(path::of_file(argument!(ctx, 0)), argument!(ctx, 1) as u32)
);
program!(
    /// `(const struct path *, ...)`.
    operation_path, "fexit/operation_path",
    |ctx| Seen::path(path::of_path(argument!(ctx, 0)), 0)
);
program!(
    /// `(const struct path *folder, struct dentry *, ...)`.
    operation_entry, "fexit/operation_entry",
    |ctx| Seen::entries(argument!(ctx, 0), argument!(ctx, 1), 0)
);
program!(
    /// `(struct dentry *old, const struct path *folder, struct dentry *new)`, both on one mount
    /// (fs/namei.c, `do_linkat`).
    operation_link, "fexit/operation_link",
    |ctx| Seen::entries(argument!(ctx, 1), argument!(ctx, 0), argument!(ctx, 2))
);
program!(
    /// `(const struct path *, struct dentry *old, const struct path *, struct dentry *new, ...)`, both on one
    /// mount (fs/namei.c, `do_renameat2`).
    operation_rename, "fexit/operation_rename",
    |ctx| Seen::entries(argument!(ctx, 0), argument!(ctx, 1), argument!(ctx, 3))
);
program!(
    /// `(struct socket *, ...)`.
    operation_socket, "fexit/operation_socket",
    |ctx| Seen::socket(Shape::Socket, argument!(ctx, 0), 0)
);
program!(
    /// `(struct socket *, struct sockaddr *peer, ...)`.
    operation_connect, "fexit/operation_connect",
    |ctx| Seen::socket(Shape::Peer, argument!(ctx, 0), argument!(ctx, 1))
);
program!(
    /// `(struct socket *, struct sockaddr *own, ...)`.
    operation_bind, "fexit/operation_bind",
    |ctx| Seen::socket(Shape::Own, argument!(ctx, 0), argument!(ctx, 1))
);
program!(
    /// `(struct socket *, struct msghdr *, ...)`.
    operation_send, "fexit/operation_send",
    |ctx| {
        let name: u64 = probe(argument!(ctx, 1) as *const c_void, config!(objects.message_name) as usize);
        let shape = if name == 0 { Shape::Socket } else { Shape::Peer };
        Seen::socket(shape, argument!(ctx, 0), name)
    }
);

/// Kernel threads come here for loop devices, nfsd and the like, and a stacked file system for what it does
/// on the layer below. A worker of io_uring is a thread of the process that it works for.
#[inline(always)]
fn excluded(task: Task) -> bool {
    task::flags(task) & PF_KTHREAD != 0 || task::has_borrowed_credentials(task)
}

/// An operation on its way past its rules, and past those of the call that it is in.
struct Course {
    passage: Passage,
    seen: Seen,
    /// Does the thread's object tell of this operation?
    looked: u32,
    /// Which entry the object has the path of; 0 for none yet.
    entry: u64,
    /// The next slot of the call's rules, and their end.
    calls: (u32, u32),
    /// The next of the operations' rules, and their end.
    operations: (u32, u32),
}

/// What the hook is to return: 0 to let it run.
#[inline(always)]
fn verdict(ctx: *mut c_void, task: Task, seen: Seen) -> i64 {
    let hook = hook(ctx);
    let Some(&HookRules { base, count, zero }) = HOOKS.get(hook) else { return 0 };
    let mut call = Call::of(task);
    let mut calls = (0, 0);
    if task::flags(task) & PF_IO_WORKER != 0 {
        // Its registers are those of whoever made it.
        call.abi = ABI_NONE;
    } else if let Some(found) = rules_here(&call, hook, seen.mask) {
        calls = (found.base, found.base.wrapping_add(found.count));
    }
    let mut course = MaybeUninit::<Course>::uninit();
    let at = course.as_mut_ptr();
    // SAFETY: room for a course: the passage is begun in place, and the rest is written, field by field.
    let course = unsafe {
        if !Passage::begin(&mut *(&raw mut (*at).passage).cast(), task, &call, BACKEND_HOOK) {
            return 0;
        }
        (*at).seen = seen;
        (*at).looked = zero;
        (*at).entry = u64::from(zero);
        (*at).passage.decided = zero != 0;
        (*at).calls = calls;
        (*at).operations = (base, base.wrapping_add(count));
        &mut *at
    };
    let rounds = count.wrapping_add(calls.1.wrapping_sub(calls.0));
    // SAFETY: the callback has the shape that the helper wants and gets the course; both outlive it.
    unsafe { bpf_loop(rounds, next as *mut c_void, core::ptr::from_mut(course).cast(), 0) };
    let value = course.passage.value;
    if course.passage.decided && safe_at_security_hook(value) { value } else { 0 }
}

/// The next rule of either kind, whichever stands first in the plan.
unsafe extern "C" fn next(_: u64, course: *mut Course) -> i64 {
    /// No such rule: behind all others.
    const NONE: u32 = u32::MAX;
    // SAFETY: the course that `verdict` handed to the loop.
    let course = unsafe { &mut *course };
    let (slot, at) = (course.calls.0, course.operations.0);
    let call = if slot < course.calls.1 { SLOTS.get(slot).map_or(NONE, |&rule| rule) } else { NONE };
    let operation = if at < course.operations.1 { OPERATIONS.get(at) } else { None };
    match operation {
        Some(operation) if operation.rule < call => {
            course.operations.0 = at + 1;
            consider(course, operation)
        }
        _ if call != NONE => {
            course.calls.0 = slot + 1;
            course.passage.object = rules::object(&course.passage.call);
            rules::ask(&mut course.passage, call, slot, report::call)
        }
        _ => 1,
    }
}

/// Asks one rule on operations, if it means this one.
#[inline(always)]
fn consider(course: &mut Course, rule: &'static OperationRule) -> i64 {
    if rule.mask != 0 && rule.mask & course.seen.mask == 0 {
        return 0;
    }
    match meant(course, rule) {
        Some(true) => {}
        Some(false) => return 0,
        None => {
            if let Some(counters) = COUNTERS.get(rule.rule) {
                atomic::add(&counters.matched, 1);
                rules::suppress(counters, Reason::NoState);
            }
            return 0;
        }
    }
    course.passage.object = u64::from(CALL_ENTRIES) + u64::from(rule.operation);
    let Seen { shape, base, first, .. } = course.seen;
    let entry = course.entry;
    rules::ask(&mut course.passage, rule.rule, rule.slot, |passage, number, kernel, decision| {
        let object = object();
        if object.is_null() {
            return;
        }
        if entry == 0 && matches!(shape, Shape::Path) {
            // No rule has asked for the path so far; the log does.
            path::resolve(passage.task, object, base, first);
        }
        // SAFETY: not null, and the running thread's own.
        let object = unsafe { &*object };
        report::operation(passage, (number, kernel, decision), rule.operation, object);
    })
}

/// The running thread's object; null when the kernel cannot keep it now. Asked for each time: what a pointer
/// on the stack points to is lost to the verifier where it may also be null, and a loop goes on.
#[inline(always)]
fn object() -> *mut Object {
    OBJECTS.get_or_create(current())
}

/// Does the rule mean what the operation is about? `None` where there is no memory to find out.
#[inline(never)]
fn meant(course: &mut Course, rule: &'static OperationRule) -> Option<bool> {
    let object = object();
    if object.is_null() {
        return None;
    }
    if course.looked == 0 {
        course.looked = 1;
        // SAFETY: not null, and the running thread's own.
        look(&course.seen, unsafe { &mut *object });
    }
    if rule.glob != 0 {
        return Some(path_meant(course, object, rule.glob));
    }
    // SAFETY: as above.
    let socket = unsafe { &(*object).socket };
    let ports =
        rule.ports == 0 || PORTS.get(rule.ports.wrapping_sub(1)).is_some_and(|ports| ports.hold(socket));
    Some(ports && rule.sockets.holds(socket))
}

/// What the operation is about: the socket's ends. A path is looked for when it is asked for.
#[inline(always)]
fn look(seen: &Seen, object: &mut Object) {
    object.found = NOTHING;
    object.socket = Socket::default();
    let whose = match seen.shape {
        Shape::Path => return,
        Shape::Socket => Address::None,
        Shape::Peer => Address::Peer,
        Shape::Own => Address::Own,
    };
    socket::resolve(object, seen.base, seen.first, whose);
}

/// Finds the path of `entry`, unless it was the last that was looked for.
#[inline(never)]
fn walk(course: &mut Course, object: *mut Object, entry: u64) {
    if entry != 0 && course.entry != entry {
        course.entry = entry;
        path::resolve(course.passage.task, object, course.seen.base, entry);
    }
}

/// Is one of the paths among those of the patterns with this number? The one that is stays in the object,
/// for the log.
#[inline(always)]
fn path_meant(course: &mut Course, object: *mut Object, number: u32) -> bool {
    let Some(glob) = GLOBS.get(number.wrapping_sub(1)) else { return false };
    let Seen { first, second, .. } = course.seen;
    walk(course, object, first);
    if path::matches(object, glob) {
        return true;
    }
    if second == 0 {
        return false;
    }
    walk(course, object, second);
    path::matches(object, glob)
}
