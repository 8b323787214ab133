//! What a hook, or the descriptor of a call, says at first of a file or a socket: where to look for more.

use crate::config::{config, field};

/// What is known at first: where to look for more.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Seen {
    pub shape: u64,
    /// The mount, or the socket.
    pub base: u64,
    /// The entry, or the address.
    pub first: u64,
    /// Another entry on the same mount, or 0.
    pub second: u64,
    /// An open file, which may be a socket's, or 0.
    pub file: u64,
}

/// [`Seen::shape`]: nothing; the arguments of this hook do not say, or it is for a call's descriptor to say.
const UNKNOWN: u64 = 0;

/// [`Seen::shape`]: a mount and one or two entries on it.
pub const ENTRIES: u64 = 1;

/// [`Seen::shape`]: a socket and no address.
pub const SOCKET: u64 = 2;

/// [`Seen::shape`]: a socket and the address of a peer.
pub const PEER: u64 = 3;

/// [`Seen::shape`]: a socket and the address that it is to have.
pub const OWN: u64 = 4;

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
        let (base, first) = of_file(file);
        Self { file, ..Self::new(ENTRIES, base, first) }
    }

    /// A `struct path`.
    #[inline(always)]
    pub fn path(path: u64) -> Self {
        let (base, first) = of_path(path);
        Self::new(ENTRIES, base, first)
    }

    /// One or two entries (0 for none) on the mount of `folder`, a `struct path`.
    #[inline(always)]
    pub fn entries(folder: u64, first: u64, second: u64) -> Self {
        let (base, _) = of_path(folder);
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

/// The mount and the entry of a `struct path`.
#[inline(always)]
pub fn of_path(path: u64) -> (u64, u64) {
    (field!(path, path_mnt), field!(path, path_dentry))
}

/// The mount and the entry of a `struct file`; zeroes for none.
#[inline(always)]
pub fn of_file(file: u64) -> (u64, u64) {
    of_path(file.wrapping_add(u64::from(config!(objects.file_path))))
}
