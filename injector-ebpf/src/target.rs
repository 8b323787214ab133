//! Is the running task one of ours? First the question that everybody on the machine pays for, then the
//! exact answer.

use core::sync::atomic::AtomicU64;

use aya_ebpf::helpers::generated::bpf_get_current_cgroup_id;
use injector_common::{
    shared::{cgroup_entry, process_entry},
    thread::{EXEMPT, TARGET, Thread, child_position, root_position},
};

use crate::{
    atomic,
    config::config,
    maps::{CGROUPS, SHARED, THREADS, WAITING},
    task::{self, Task, current},
};

/// The entry is to be a new one (`BPF_NOEXIST`, include/uapi/linux/bpf.h).
const BPF_NOEXIST: u64 = 1;

/// Can the running task be a target at all?
///
/// Everybody on the machine pays for this, so the instructions are counted (docs/performance.md). Where
/// no target is a process tree, only one word of the configuration is read.
#[inline(always)]
pub fn maybe_target() -> bool {
    maybe_in(|| task::cgroup_number(current()))
}

/// The same for what is rarer than a fork, such as an execve or a signal: 19 instructions more there, and a program that
/// loads sooner.
#[inline(always)]
pub fn maybe_target_at_event() -> bool {
    maybe_in(current_cgroup)
}

#[inline(always)]
fn maybe_in(cgroup: impl Fn() -> u64) -> bool {
    let in_cgroup = || atomic::get(&SHARED.cgroups[cgroup_entry(cgroup())]) != 0;
    if config!(processes) == 0 {
        return in_cgroup();
    }
    config!(cgroups) != 0 && in_cgroup() || in_process(current())
}

#[inline(always)]
fn in_process(task: Task) -> bool {
    atomic::get(&SHARED.processes[process_entry(task::process_number(task))]) != 0
}

/// What the exact test says.
pub enum Lookup {
    /// Not ours, or exempt.
    Other,
    /// Ours.
    Target(*mut Thread),
    /// Ours, but the kernel cannot keep its state now.
    Stateless,
}

/// The exact test for the running task `task`: makes its state where it has none yet.
#[inline(always)]
pub fn lookup(task: Task) -> Lookup {
    let state = THREADS.get(task);
    if state.is_null() {
        return newcomer(task);
    }
    // SAFETY: not null, and valid while the program runs.
    let flags = unsafe { (*state).flags };
    if flags & EXEMPT != 0 {
        return Lookup::Other;
    }
    if flags & TARGET != 0 || cgroup_target().is_some() { Lookup::Target(state) } else { Lookup::Other }
}

/// A thread without state: there before the plan was, moved into a target since, or waiting for its state.
#[inline(always)]
fn newcomer(task: Task) -> Lookup {
    let known = waiting(task);
    if !known.is_null() {
        // SAFETY: not null, and valid while the program runs.
        let known = unsafe { *known };
        forget(task);
        return if known.flags & EXEMPT != 0 { Lookup::Other } else { adopt(task, known) };
    }
    let leader = THREADS.get(task::leader(task));
    if !leader.is_null() {
        // SAFETY: not null, and valid while the program runs.
        let (flags, position, target) =
            unsafe { ((*leader).flags, (*leader).tree_position, (*leader).target) };
        if flags & EXEMPT != 0 {
            return Lookup::Other;
        }
        if flags & TARGET != 0 {
            // SAFETY: as above. Atomic: other threads of the process may be newcomers too.
            let nth = atomic::fetch_add(unsafe { AtomicU64::from_ptr(&raw mut (*leader).children) }, 1);
            return adopt(task, Thread::at(child_position(position, nth + 1), TARGET, target));
        }
    }
    let Some(target) = cgroup_target() else { return Lookup::Other };
    let nth = atomic::fetch_add(&SHARED.roots, 1);
    adopt(task, Thread::at(root_position(nth + 1), 0, target))
}

/// Gives `task` its state.
///
/// The kernel makes none while a task that it has preempted on this processor is about its own
/// (kernel/bpf/bpf_task_storage.c, `bpf_task_storage_trylock`), and a thread is born only once: then what
/// is known of it waits in [`WAITING`], a map whose locks switch preemption off, until it makes a call.
#[inline(always)]
pub fn adopt(task: Task, thread: Thread) -> Lookup {
    let state = THREADS.get_or_create(task);
    if state.is_null() {
        // Full: the thread is taken for one that was there before us.
        if WAITING.insert(task as u64, thread, BPF_NOEXIST).is_ok() {
            atomic::add(&SHARED.waiting, 1);
        }
        return Lookup::Stateless;
    }
    // SAFETY: not null, and valid while the program runs.
    unsafe { *state = thread };
    Lookup::Target(state)
}

/// What is known of a thread that waits for its state; null if it does not.
#[inline(always)]
pub fn waiting(task: Task) -> *mut Thread {
    WAITING.get_ptr_mut(task as u64).unwrap_or(core::ptr::null_mut())
}

/// `task` has its state, or needs none any more.
#[inline(always)]
pub fn forget(task: Task) {
    if WAITING.remove(task as u64).is_ok() {
        atomic::decrement(&SHARED.waiting);
    }
}

/// The target that the running task's cgroup belongs to.
#[inline(always)]
pub fn cgroup_target() -> Option<u32> {
    if config!(cgroups) == 0 {
        return None;
    }
    // SAFETY: the value is copied out at once.
    unsafe { CGROUPS.get(current_cgroup()) }.copied()
}

/// The number of the running task's cgroup, by the helper.
///
/// For the verifier each of the typed loads of [`task::cgroup_number`] is a search by name through all the kernel's types
/// (kernel/bpf/verifier.c, `btf_nested_type_is_trusted`), 12 million instructions a program.
#[inline(always)]
fn current_cgroup() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_get_current_cgroup_id() }
}
