//! What a call or an operation is about, in the thread's own memory: the path of a file, or the ends of a
//! socket.

use injector_common::{glob::States, object::Socket};

use crate::{
    objects::seen::Seen,
    task::{Call, TaskStorage, current},
};

/// Bytes of a path; longer ones are not followed to their end (`PATH_MAX`).
pub const TEXT: usize = 4096;

/// The longest name of one component (`NAME_MAX`, include/uapi/linux/limits.h).
pub const NAME: usize = 255;

/// [`Object::found`]: nothing was looked for, or there is nothing to find.
pub const NOTHING: u32 = 0;

/// [`Object::found`]: a path.
pub const PATH: u32 = 1;

/// The file or socket that the thread's call is about. All that is found out on the way is in here rather than on
/// the stack, which has no room for it; and what loops change must not be there, see
/// [`injector_common::call::Run::zero`].
#[repr(C)]
pub struct Object {
    pub seen: Seen,
    /// 1 when `socket` tells of what was seen.
    pub looked: u64,
    /// Which entry `text` has the path of; 0 for none yet.
    pub entry: u64,
    /// The call for which this was found out before it ran, its number plus one, and its caller's stack pointer: it is
    /// asked about once more when the call has run. 0 for none.
    pub kept: [u64; 2],
    /// The socket, all zero for other objects.
    pub socket: Socket,
    /// Where the walk is: the mount, as `struct vfsmount`.
    pub mnt: u64,
    /// Where the walk is: the directory entry.
    pub dentry: u64,
    /// Where the walk ends: the mount of the thread's root.
    pub root_mnt: u64,
    /// The directory entry of the thread's root.
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

/// Turns the running thread's object to what is seen now, if the kernel can keep it.
#[inline(always)]
pub fn turn_to(seen: impl FnOnce() -> Seen) {
    let object = of_thread();
    if !object.is_null() {
        // SAFETY: not null, and the running thread's own.
        unsafe { (*object).turn_to(seen()) };
    }
}

/// What the call or the operation is about that a thread is in the middle of: too large for the stack, and a thread
/// can be interrupted in a program, so it is the thread's own.
#[unsafe(no_mangle)]
#[unsafe(link_section = "maps")]
pub static OBJECTS: TaskStorage<Object> = TaskStorage::new();
