//! The path of a directory entry, as the running task would write it: from its own root, across mounts,
//! as `d_path` does (fs/d_path.c, `prepend_path`), by reading what the kernel keeps. It serves every hook,
//! where the helper `bpf_d_path` serves a few.
//!
//! A deleted file has the name that it had last. What is in no folder (a pipe, a socket, memory) has no
//! path. No lock is taken: a rename under way may show either name.

use core::{arch::asm, ffi::c_void};

use aya_ebpf::helpers::{
    bpf_get_current_task,
    generated::{bpf_loop, bpf_probe_read_kernel},
};
use injector_common::glob::Glob;

use crate::{
    config::{config, field},
    objects::{
        object::{NAME, NOTHING, Object, PATH, TEXT},
        seen::of_path,
    },
};

/// Components and mounts that a walk may take: every component takes two bytes of the path.
const STEPS: u32 = 2048;

/// What the loop over a path's bytes gets: `bpf_loop` takes only a pointer to the stack.
struct Walk {
    object: *mut Object,
    glob: *const Glob,
}

/// Writes the path of `dentry`, which is on the mount `mnt`, into `object`; 1 if it has one, else 0. Verified once,
/// see [`crate::objects::object`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn path_resolve(object: *mut Object, mnt: u64, dentry: u64) -> u32 {
    if object.is_null() {
        return 0;
    }
    // `bpf_loop` takes only a pointer to the stack.
    let mut walk = object;
    // SAFETY: not null, and the running thread's own. The callback has the shape that the helper wants.
    unsafe {
        let fs: u64 = field!(bpf_get_current_task(), task_fs);
        let root = of_path(fs.wrapping_add(u64::from(config!(objects.fs_root))));
        ((*object).root_mnt, (*object).root_dentry) = root;
        ((*object).mnt, (*object).dentry) = (mnt, dentry);
        (*object).begin = TEXT as u32;
        (*object).found = NOTHING;
        bpf_loop(STEPS, step as *mut c_void, (&raw mut walk).cast(), 0);
        if (*object).found == PATH && (*object).begin == TEXT as u32 {
            // The root itself.
            (*object).begin = TEXT as u32 - 1;
            (*object).text[TEXT - 1] = b'/';
        }
        u32::from((*object).found == PATH)
    }
}

/// One step up: out of a folder, or out of a mount.
unsafe extern "C" fn step(_: u64, walk: *mut *mut Object) -> i64 {
    // SAFETY: what `path_resolve` handed to the loop.
    let object = unsafe { &mut **walk };
    let (mnt, dentry) = (object.mnt, object.dentry);
    if mnt == object.root_mnt && dentry == object.root_dentry {
        object.found = PATH;
        return 1;
    }
    let top: u64 = field!(mnt, mnt_root);
    if dentry == top {
        let mount = mnt.wrapping_sub(u64::from(config!(objects.mount_mnt)));
        let parent: u64 = field!(mount, mount_parent);
        if parent == mount || parent == 0 {
            // The root of the mount namespace: the task's root is further down, or elsewhere.
            object.found = PATH;
            return 1;
        }
        object.dentry = field!(mount, mount_mountpoint);
        object.mnt = parent.wrapping_add(u64::from(config!(objects.mount_mnt)));
        return 0;
    }
    let parent: u64 = field!(dentry, dentry_parent);
    if parent == dentry || parent == 0 {
        // In no folder, and not the top of its mount (fs/dcache.c, `d_alloc_pseudo`).
        return 1;
    }
    if !prepend(object, dentry) {
        return 1;
    }
    object.dentry = parent;
    0
}

/// Puts a `/` and the name of `dentry` in front of the path; false if there is no room.
#[inline(always)]
fn prepend(object: &mut Object, dentry: u64) -> bool {
    let length: u32 = field!(dentry, dentry_name_length);
    let name: u64 = field!(dentry, dentry_name);
    if length > NAME as u32 || length >= object.begin {
        return false;
    }
    let begin = within::<{ TEXT - 1 }>(u64::from(object.begin - length - 1));
    let length = within::<NAME>(u64::from(length));
    object.begin = begin as u32;
    // SAFETY: below TEXT, and a name of at most NAME bytes behind it is within the text.
    unsafe {
        let at = (&raw mut object.text).cast::<u8>().add(begin as usize);
        *at = b'/';
        bpf_probe_read_kernel(at.add(1).cast(), length as u32, name as *const c_void) == 0
    }
}

/// `value`, which is at most `MASK`: said in an instruction that the compiler cannot take away, for the
/// verifier.
#[inline(always)]
fn within<const MASK: usize>(value: u64) -> u64 {
    let bounded;
    // SAFETY: arithmetic on a register.
    unsafe {
        asm!("{value} &= {mask}", value = inout(reg) value => bounded, mask = const MASK, options(pure, nomem, nostack));
    }
    bounded
}

/// Does a pattern of `glob` match the path that was resolved? 1 if so, else 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn path_matches(object: *mut Object, glob: *const Glob) -> u32 {
    if object.is_null() || glob.is_null() {
        return 0;
    }
    let mut walk = Walk { object, glob };
    // SAFETY: as in `path_resolve`.
    unsafe {
        (*object).states = (*glob).start;
        bpf_loop((*object).length(), eat as *mut c_void, (&raw mut walk).cast(), 0);
        u32::from((*glob).accepts(&(*object).states))
    }
}

/// One byte of the path.
unsafe extern "C" fn eat(index: u64, walk: *mut Walk) -> i64 {
    // SAFETY: what `path_matches` handed to the loop.
    let (object, glob) = unsafe { (&mut *(*walk).object, &*(*walk).glob) };
    let at = within::<{ TEXT - 1 }>(u64::from(object.begin).wrapping_add(index));
    // SAFETY: below TEXT.
    let byte = unsafe { *(&raw const object.text).cast::<u8>().add(at as usize) };
    glob.step(&mut object.states, byte);
    // Where no state is left, no byte brings one back.
    let [a, b, c, d] = object.states;
    i64::from(a | b | c | d == 0)
}
