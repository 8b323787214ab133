//! Does a rule mean the file or the socket? Path and ends are found out when the first rule asks.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_task;
use injector_common::object::{ObjectMatch, Socket};

use crate::{
    config::field,
    maps::{GLOBS, PORTS},
    objects::{
        object::{NOTHING, Object, of_thread},
        path,
        seen::{ENTRIES, OWN, PEER, SOCKET, Seen},
        socket::{self, Address},
    },
    task::{Call, probe},
};

/// Finds out what `call`, which has not run yet, is about by its first argument, and keeps that until it has: the file
/// that `close` closes has no number then.
#[inline(always)]
pub fn keep(call: &Call) {
    let object = of_thread();
    if object.is_null() {
        return;
    }
    object_opened(object, call.first() as u32);
    object_complete(object);
    // SAFETY: not null, and the running thread's own.
    unsafe { (*object).kept = [u64::from(call.number) + 1, call.stack()] };
}

/// The open file of the running thread with this number.
#[inline(always)]
fn opened(descriptor: u32) -> Seen {
    // SAFETY: no arguments.
    let task = unsafe { bpf_get_current_task() };
    let files: u64 = field!(task, task_files);
    let table: u64 = field!(files, files_fdt);
    let count: u32 = field!(table, fdt_max_fds);
    let array: u64 = field!(table, fdt_fd);
    let file: u64 =
        if descriptor < count { probe(array as *const c_void, descriptor as usize * 8) } else { 0 };
    if file == 0 { Seen::UNKNOWN } else { Seen::file(file) }
}

// The functions below are global ones to the verifier, which verifies them once and not for each way that
// leads to them (kernel/bpf/verifier.c, `do_check_subprogs`); so it knows nothing of their arguments.

/// Is the file or the socket one that is `wanted`? 1 if so, else 0. `object` is the running thread's.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn object_meant(object: *mut Object, wanted: *const ObjectMatch) -> u32 {
    if object.is_null() || wanted.is_null() {
        return 0;
    }
    // SAFETY: not null, and the caller's, the object the running thread's own.
    let (object, wanted) = unsafe { (&mut *object, &*wanted) };
    if object.looked == 0 {
        object.looked = 1;
        look(object);
    }
    if wanted.glob != 0 {
        return u32::from(path_meant(object, wanted.glob));
    }
    let ports = wanted.ports == 0
        || PORTS.get(wanted.ports.wrapping_sub(1)).is_some_and(|ports| ports.hold(&object.socket));
    u32::from(ports && wanted.sockets.holds(&object.socket))
}

/// Turns to the running thread's open file with this number.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn object_opened(object: *mut Object, descriptor: u32) -> u32 {
    if !object.is_null() {
        // SAFETY: as above.
        unsafe { (*object).turn_to(opened(descriptor)) };
    }
    0
}

/// Finds out what no rule may have asked for, and the log tells: the path, or the ends of the socket.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn object_complete(object: *mut Object) -> u32 {
    if object.is_null() {
        return 0;
    }
    // SAFETY: as above.
    let object = unsafe { &mut *object };
    if object.looked == 0 {
        object.looked = 1;
        look(object);
    }
    let Seen { shape, first, .. } = object.seen;
    if object.entry == 0 && shape == ENTRIES {
        walk(object, first);
    }
    0
}

/// Finds the path of `entry`, unless it was the last that was looked for.
#[inline(always)]
fn walk(object: &mut Object, entry: u64) {
    if entry != 0 && object.entry != entry {
        object.entry = entry;
        let base = object.seen.base;
        path::path_resolve(object, base, entry);
    }
}

/// The ends of a socket. A path is looked for when it is asked for.
#[inline(always)]
fn look(object: &mut Object) {
    object.found = NOTHING;
    object.socket = Socket::default();
    let Seen { shape, base, first, file, .. } = object.seen;
    let (socket, whose) = match shape {
        ENTRIES => (socket::of_file(file), Address::None),
        SOCKET => (base, Address::None),
        PEER => (base, Address::Peer),
        OWN => (base, Address::Own),
        _ => return,
    };
    if socket != 0 {
        socket::resolve(object, socket, first, whose);
    }
}

/// Is one of the paths among those of the patterns with this number? The one that is stays in the object,
/// for the log.
#[inline(always)]
fn path_meant(object: &mut Object, number: u32) -> bool {
    let Some(glob) = GLOBS.get(number.wrapping_sub(1)) else { return false };
    let Seen { shape, first, second, .. } = object.seen;
    if shape != ENTRIES {
        return false;
    }
    walk(object, first);
    if path::path_matches(object, glob) != 0 {
        return true;
    }
    if second == 0 {
        return false;
    }
    walk(object, second);
    path::path_matches(object, glob) != 0
}
