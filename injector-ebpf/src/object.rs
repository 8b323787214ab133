//! What an operation is about, in the thread's own memory: the path of a file, or the ends of a socket.

use injector_common::{glob::States, operation::Socket};

/// Bytes of a path; longer ones are not followed to their end (`PATH_MAX`).
pub const TEXT: usize = 4096;
/// The longest name of one component (`NAME_MAX`, include/uapi/linux/limits.h).
pub const NAME: usize = 255;

/// [`Object::found`]: nothing was looked for, or there is nothing to find.
pub const NOTHING: u32 = 0;
/// [`Object::found`]: a path.
pub const PATH: u32 = 1;

/// See the module. What loops change is in here rather than on their stack: before 6.7 the verifier follows
/// a loop's callback once only, and would take what it finds on the stack for what is always there.
#[repr(C)]
pub struct Object {
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
}
