//! Is the running task one of ours? First the question that everybody on the machine pays for, then the
//! exact answer.

use core::sync::atomic::AtomicU64;

use injector_common::{
    shared::{cgroup_entry, process_entry},
    thread::{EXEMPT, TARGET, Thread, child_place, root_place},
};

use crate::{
    atomic,
    maps::{CGROUPS, SHARED, THREADS, Task, config, current},
    task,
};

/// Can the running task be a target at all?
///
/// Everybody on the machine pays for this, so the instructions are counted (docs/performance.md). Where
/// no target is a process tree, only one word of the configuration is read.
#[inline(always)]
pub fn suspected() -> bool {
    let task = current();
    if config!(processes) == 0 {
        return in_suspected_cgroup(task);
    }
    config!(cgroups) != 0 && in_suspected_cgroup(task) || in_suspected_process(task)
}

#[inline(always)]
fn in_suspected_cgroup(task: Task) -> bool {
    atomic::get(&SHARED.cgroups[cgroup_entry(task::cgroup_number(task))]) != 0
}

#[inline(always)]
fn in_suspected_process(task: Task) -> bool {
    atomic::get(&SHARED.processes[process_entry(task::process_number(task))]) != 0
}

/// What the exact test says.
pub enum Subject {
    /// Not ours, or exempt.
    Other,
    /// Ours.
    Target(*mut Thread),
    /// Ours, but the kernel cannot keep its state now.
    Stateless,
}

/// The exact test for the running task `task`: makes its state where it has none yet.
#[inline(always)]
pub fn identify(task: Task) -> Subject {
    let state = THREADS.get(task);
    if state.is_null() {
        return newcomer(task);
    }
    // SAFETY: not null, and valid while the program runs.
    let flags = unsafe { (*state).flags };
    if flags & EXEMPT != 0 {
        return Subject::Other;
    }
    if flags & TARGET != 0 || cgroup_target().is_some() { Subject::Target(state) } else { Subject::Other }
}

/// A thread without state: there before the plan was, or moved into a target since.
#[inline(always)]
fn newcomer(task: Task) -> Subject {
    let leader = THREADS.get(task::leader(task));
    if !leader.is_null() {
        // SAFETY: not null, and valid while the program runs.
        let (flags, place, target) = unsafe { ((*leader).flags, (*leader).place, (*leader).target) };
        if flags & EXEMPT != 0 {
            return Subject::Other;
        }
        if flags & TARGET != 0 {
            // SAFETY: as above. Atomic: other threads of the process may be newcomers too.
            let nth = atomic::fetch_add(unsafe { AtomicU64::from_ptr(&raw mut (*leader).children) }, 1);
            return adopt(task, child_place(place, nth + 1), TARGET, target);
        }
    }
    let Some(target) = cgroup_target() else { return Subject::Other };
    let nth = atomic::fetch_add(&SHARED.roots, 1);
    adopt(task, root_place(nth + 1), 0, target)
}

/// Gives `task` its state.
#[inline(always)]
pub fn adopt(task: Task, place: u64, flags: u32, target: u32) -> Subject {
    let state = THREADS.get_or_create(task);
    if state.is_null() {
        return Subject::Stateless;
    }
    // SAFETY: not null, and valid while the program runs.
    unsafe {
        (*state).place = place;
        (*state).flags = flags;
        (*state).target = target;
    }
    Subject::Target(state)
}

/// The target that the running task's cgroup belongs to.
#[inline(always)]
pub fn cgroup_target() -> Option<u32> {
    if config!(cgroups) == 0 {
        return None;
    }
    // SAFETY: the value is copied out at once.
    unsafe { CGROUPS.get(task::cgroup_number(current())) }.copied()
}
