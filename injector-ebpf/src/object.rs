//! What a call or an operation is about, in the thread's own memory: the path of a file, or the ends of a
//! socket; and whether a rule means it.

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_get_current_task;
use injector_common::{
    glob::States,
    object::{ObjectMatch, Socket},
};

use crate::{
    maps::{GLOBS, OBJECTS, PORTS, current, field},
    path,
    socket::{self, Address},
    task::{Call, probe},
};

/// Bytes of a path; longer ones are not followed to their end (`PATH_MAX`).
pub const TEXT: usize = 4096;
/// The longest name of one component (`NAME_MAX`, include/uapi/linux/limits.h).
pub const NAME: usize = 255;

/// [`Object::found`]: nothing was looked for, or there is nothing to find.
pub const NOTHING: u32 = 0;
/// [`Object::found`]: a path.
pub const PATH: u32 = 1;

/// See the module. All that is found out on the way is in here rather than on the stack, which has no room for
/// it; and what loops change must not be there, see [`injector_common::call::Run::zero`].
#[repr(C)]
pub struct Object {
    seen: Seen,
    /// 1 when `socket` tells of what was seen.
    looked: u64,
    /// Which entry `text` has the path of; 0 for none yet.
    entry: u64,
    /// The call for which this was found out before it ran, its number plus one, and its caller's stack pointer: it is
    /// asked about once more when the call has run. 0 for none.
    kept: [u64; 2],
    /// The socket, all zero for other objects.
    pub socket: Socket,
    /// Where the walk is: the mount, as `struct vfsmount`.
    pub mnt: u64,
    /// Where the walk is: the directory entry.
    pub dentry: u64,
    /// Where it ends: the root of the thread.
    pub root_mnt: u64,
    /// See `root_mnt`.
    pub root_dentry: u64,
    /// How far a pattern has been met.
    pub states: States,
    /// [`PATH`] or [`NOTHING`].
    pub found: u32,
    /// Where the path begins in `text`; it ends with it.
    pub begin: u32,
    /// The path, at its end, and room for a name that is longer than what is left.
    pub text: [u8; TEXT + NAME + 1],
}

impl Object {
    /// Bytes of the path; 0 if there is none.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        if self.found == PATH { (TEXT as u32).wrapping_sub(self.begin) } else { 0 }
    }

    /// Turns to something else.
    #[inline(always)]
    pub fn turn_to(&mut self, seen: Seen) {
        self.seen = seen;
        self.looked = 0;
        self.entry = 0;
        self.kept[0] = 0;
    }

    /// Is it what was found out for `call` before that ran?
    #[inline(always)]
    pub fn is_kept_for(&self, call: &Call) -> bool {
        self.kept[0] == u64::from(call.number) + 1 && self.kept[1] == call.stack()
    }

    /// The call has been asked about for the last time.
    #[inline(always)]
    pub fn let_go(&mut self) {
        self.kept[0] = 0;
    }
}

/// The running thread's object; null when the kernel cannot keep it now. Asked for each time: what a pointer
/// on the stack points to is lost to the verifier where it may also be null, and a loop goes on.
#[inline(always)]
pub fn of_thread() -> *mut Object {
    OBJECTS.get_or_create(current())
}

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

/// What is known at first: where to look for more.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Seen {
    shape: u64,
    /// The mount, or the socket.
    base: u64,
    /// The entry, or the address.
    first: u64,
    /// Another entry on the same mount, or 0.
    second: u64,
    /// An open file, which may be a socket's, or 0.
    file: u64,
}

/// [`Seen::shape`]: nothing; the arguments of this hook do not say, or it is for a call's descriptor to say.
const UNKNOWN: u64 = 0;
/// [`Seen::shape`]: a mount and one or two entries on it.
const ENTRIES: u64 = 1;
/// [`Seen::shape`]: a socket and no address.
const SOCKET: u64 = 2;
/// [`Seen::shape`]: a socket and the address of a peer.
const PEER: u64 = 3;
/// [`Seen::shape`]: a socket and the address that it is to have.
const OWN: u64 = 4;

impl Seen {
    /// Nothing.
    pub const UNKNOWN: Self = Self::new(UNKNOWN, 0, 0);

    #[inline(always)]
    const fn new(shape: u64, base: u64, first: u64) -> Self {
        Self { shape, base, first, second: 0, file: 0 }
    }

    /// An open file.
    #[inline(always)]
    pub fn file(file: u64) -> Self {
        let (base, first) = path::of_file(file);
        Self { file, ..Self::new(ENTRIES, base, first) }
    }

    /// A `struct path`.
    #[inline(always)]
    pub fn path(path: u64) -> Self {
        let (base, first) = path::of_path(path);
        Self::new(ENTRIES, base, first)
    }

    /// One or two entries (0 for none) on the mount of `folder`, a `struct path`.
    #[inline(always)]
    pub fn entries(folder: u64, first: u64, second: u64) -> Self {
        let (base, _) = path::of_path(folder);
        Self { second, ..Self::new(ENTRIES, base, first) }
    }

    /// A socket.
    #[inline(always)]
    pub const fn socket(socket: u64) -> Self {
        Self::new(SOCKET, socket, 0)
    }

    /// A socket, and the address of its peer in kernel memory; 0 for the one that it is connected to.
    #[inline(always)]
    pub const fn peer(socket: u64, address: u64) -> Self {
        Self::new(if address == 0 { SOCKET } else { PEER }, socket, address)
    }

    /// A socket, and the address in kernel memory that it is to have.
    #[inline(always)]
    pub const fn own(socket: u64, address: u64) -> Self {
        Self::new(OWN, socket, address)
    }
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
