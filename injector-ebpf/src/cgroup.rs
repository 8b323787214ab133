//! Following a cgroup tree: cgroups made below a target belong to it from their first moment, removed
//! ones make room. So the look-up on a call is flat, however deep the tree.

use core::ffi::c_void;

use injector_common::shared::cgroup_entry;

use crate::{
    atomic,
    config::offset,
    maps::{CGROUPS, SHARED},
    task::probe,
};

/// The directory of a cgroup (its kernfs node), `None` when it is not in the unified hierarchy: the others count their own.
#[inline(always)]
fn unified(cgroup: *const c_void) -> Option<*const c_void> {
    let root: u64 = probe(cgroup, offset!(cgroup_root));
    // The unified hierarchy is the first that is made, and gets 0 (kernel/cgroup/cgroup.c, cgroup_init).
    let hierarchy: i32 = probe(root as *const c_void, offset!(root_hierarchy));
    if hierarchy != 0 {
        return None;
    }
    let node: u64 = probe(cgroup, offset!(cgroup_kn));
    Some(node as *const c_void)
}

/// Before the new directory can be seen (kernel/cgroup/cgroup.c, `cgroup_mkdir`).
// match-proto: cgroup_mkdir(struct cgroup *cgrp, const char *path)
#[unsafe(no_mangle)]
#[unsafe(link_section = "tp_btf/cgroup_mkdir")]
pub extern "C" fn cgroup_mkdir(ctx: *const u64) -> i64 {
    // SAFETY: the tracepoint's first argument.
    let Some(node) = unified(unsafe { *ctx } as *const c_void) else { return 0 };
    let parent: u64 = probe(node, offset!(kn_parent));
    let parent: u64 = probe(parent as *const c_void, offset!(kn_id));
    // SAFETY: the value is copied out at once.
    let Some(&target) = (unsafe { CGROUPS.get(parent) }) else { return 0 };
    let id: u64 = probe(node, offset!(kn_id));
    if CGROUPS.insert(id, target, 1).is_ok() {
        // BPF_NOEXIST: user space may have listed it already.
        atomic::add(&SHARED.cgroups[cgroup_entry(id)], 1);
    // SAFETY: only whether there is a value counts.
    } else if unsafe { CGROUPS.get(id) }.is_none() {
        atomic::add(&SHARED.lost_cgroups, 1);
    }
    0
}

/// When the directory is gone and nothing can live in it any more.
// match-proto: cgroup_rmdir(struct cgroup *cgrp, const char *path)
#[unsafe(no_mangle)]
#[unsafe(link_section = "tp_btf/cgroup_rmdir")]
pub extern "C" fn cgroup_rmdir(ctx: *const u64) -> i64 {
    // SAFETY: the tracepoint's first argument.
    let Some(node) = unified(unsafe { *ctx } as *const c_void) else { return 0 };
    let id: u64 = probe(node, offset!(kn_id));
    if CGROUPS.remove(id).is_ok() {
        atomic::decrement(&SHARED.cgroups[cgroup_entry(id)]);
    }
    0
}
