//! Following a process tree: forks hand the parent's mark and a position in the tree to the child, threads that end are
//! taken out of the count, and a thread that executes a program takes its process over.

use core::sync::atomic::AtomicU64;

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use injector_common::{
    shared::{ADOPTS, process_entry},
    thread::{COUNTED, EXEMPT, TARGET, Thread, child_position, root_position},
};

use crate::{
    atomic,
    maps::{SHARED, THREADS},
    target::{self, Lookup},
    task::{self, Task, current},
};

/// `CLONE_THREAD` (include/uapi/linux/sched.h).
const CLONE_THREAD: u64 = 0x0001_0000;

/// Runs in the parent, before the child can (kernel/fork.c, end of `copy_process`).
// match-proto: task_newtask(struct task_struct *task, unsigned long clone_flags)
#[unsafe(no_mangle)]
#[unsafe(link_section = "tp_btf/task_newtask")]
pub extern "C" fn task_newtask(ctx: *const u64) -> i64 {
    // SAFETY: the tracepoint's arguments.
    let (child, flags) = unsafe { (*ctx as Task, *ctx.add(1)) };
    // The injector's own threads carry its exemption on, and it may be in no target's filter.
    if target::maybe_target() || (flags & CLONE_THREAD != 0 && !THREADS.get(current()).is_null()) {
        born(child, flags);
    }
    0
}

/// Gives `child` its state, if the running task is one of ours. Not inlined: a program saves at its start
/// all registers that any part of it needs.
#[inline(never)]
fn born(child: Task, clone_flags: u64) {
    let parent = THREADS.get(current());
    if !parent.is_null() {
        // SAFETY: not null, and valid while the program runs.
        let exempt = unsafe { (*parent).flags } & EXEMPT != 0;
        if exempt {
            if clone_flags & CLONE_THREAD != 0 {
                target::adopt(child, Thread::at(0, EXEMPT, 0));
            }
            return;
        }
    }
    let parent = match target::lookup(current()) {
        Lookup::Target(state) => state,
        Lookup::Stateless => target::waiting(current()),
        Lookup::Other => return,
    };
    if parent.is_null() {
        return;
    }
    // SAFETY: not null, and valid while the program runs. The count is atomic, since threads of the process
    // that were there before us count themselves as children of its first thread.
    let (position, nth, mark, target) = unsafe {
        let nth = atomic::fetch_add(AtomicU64::from_ptr(&raw mut (*parent).children), 1) + 1;
        ((*parent).tree_position, nth, (*parent).flags & TARGET, (*parent).target)
    };
    let counted = mark != 0 && clone_flags & CLONE_THREAD == 0;
    let flags = if counted { mark | COUNTED } else { mark };
    target::adopt(child, Thread::at(child_position(position, nth), flags, target));
    if counted {
        atomic::add(&SHARED.processes[process_entry(task::process_number(child))], 1);
        atomic::add(&SHARED.live, 1);
    }
}

/// Runs in each thread that ends (kernel/exit.c, `do_exit`), after it was taken off the living ones of its
/// process. The first thread of a process stays as a zombie until the last has ended, and its state too.
// match-proto: sched_process_exit(struct task_struct *task)
#[unsafe(no_mangle)]
#[unsafe(link_section = "tp_btf/sched_process_exit")]
pub extern "C" fn sched_process_exit(ctx: *const u64) -> i64 {
    // One that was moved out of its target is not suspected, but what waits for it must not be the next one's that the
    // kernel makes in its place.
    if target::maybe_target_at_event() || atomic::get(&SHARED.waiting) != 0 {
        // SAFETY: the tracepoint's argument.
        ended(unsafe { *ctx as Task });
    }
    0
}

/// Not inlined, as above. What waits for the first thread of a process tells who it was until the last has ended.
#[inline(never)]
fn ended(task: Task) {
    let leader = task::leader(task);
    if task::process_has_ended(task) {
        uncount(task);
        target::forget(leader);
    }
    if task != leader {
        target::forget(task);
    }
}

/// The process of `task` is gone: takes it out of the living ones, if it is counted among them.
#[inline(always)]
fn uncount(task: Task) {
    let state = state_of(task::leader(task));
    if state.is_null() {
        return;
    }
    // Two threads that end at the same time can both be told that they are the last: each has been taken off the living
    // ones before either gets here (kernel/exit.c, `do_exit`). The one that takes the mark away counts.
    // SAFETY: not null, and valid while the program runs; the mark is in the word's lower half, which is aligned.
    let marks = unsafe { AtomicU64::from_ptr((&raw mut (*state).flags).cast()) };
    if atomic::fetch_and(marks, !u64::from(COUNTED)) & u64::from(COUNTED) != 0 {
        atomic::decrement(&SHARED.processes[process_entry(task::process_number(task))]);
        atomic::decrement(&SHARED.live);
    }
}

/// What is kept of `task`, where the kernel had no memory for its state as well; null if it is not ours.
#[inline(always)]
fn state_of(task: Task) -> *mut Thread {
    let state = THREADS.get(task);
    if state.is_null() { target::waiting(task) } else { state }
}

/// Runs in the task that executes a program, when nothing of its execve is left to do but the return
/// (fs/exec.c, end of `exec_binprm`).
// match-proto: sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm)
#[unsafe(no_mangle)]
#[unsafe(link_section = "tp_btf/sched_process_exec")]
pub extern "C" fn sched_process_exec(ctx: *const u64) -> i64 {
    // SAFETY: the tracepoint's arguments.
    let (task, number_before) = unsafe { (*ctx as Task, *ctx.add(1) as u32) };
    // The first thread of a process has the process's number.
    if number_before != task::process_number(task) && target::maybe_target_at_event() {
        take_over(task);
    }
    arm()
}

/// A thread that executes a program becomes the first of its process (fs/exec.c, `de_thread`), and the count of those
/// that live hangs on it from now on: the first one until now, on which it hung, is gone with its state.
#[inline(never)]
fn take_over(task: Task) {
    let state = state_of(task);
    // SAFETY: not null, and valid while the program runs; nobody else writes the marks of a running thread.
    unsafe {
        if !state.is_null() && (*state).flags & TARGET != 0 {
            (*state).flags |= COUNTED;
        }
    }
}

/// `run`: the command's execve arms the plan, or makes the command known to one that the injector arms when the command's
/// loader is done.
#[inline(always)]
fn arm() -> i64 {
    let wanted = atomic::get(&SHARED.arm_at_exec);
    if wanted == 0 || !target::maybe_target_at_event() {
        return 0;
    }
    let Some(target) = target::cgroup_target() else { return 0 };
    // The command is the root of its tree, whatever our own fork before the execve left in its state.
    THREADS.delete(current());
    target::forget(current());
    target::adopt(current(), Thread::at(root_position(1), 0, target));
    atomic::set(&SHARED.roots, 1);
    atomic::set(&SHARED.arm_at_exec, 0);
    if wanted == ADOPTS {
        return 0;
    }
    // The plan's time begins now, unless it was stopped before.
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_boot_ns() };
    let deadline = now.saturating_add(atomic::get(&SHARED.length));
    atomic::compare_exchange(&SHARED.deadline, u64::MAX, deadline);
    atomic::set(&SHARED.armed, 1);
    0
}
