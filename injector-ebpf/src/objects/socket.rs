//! The ends of a socket: whom it talks to, or is about to, and its own port.

use core::ffi::c_void;

use injector_common::{object::Socket, packet::mapped};

use crate::{config::field, objects::object::Object, task::probe};

/// `AF_INET` and `AF_INET6` (include/linux/socket.h).
const INET: u16 = 2;

/// See [`INET`].
const INET6: u16 = 10;

/// `S_IFMT` and `S_IFSOCK` (include/uapi/linux/stat.h).
const KIND: u16 = 0o170_000;

/// See [`KIND`].
const SOCKET: u16 = 0o140_000;

/// The `struct socket` behind an open file; 0 for a file that is none (net/socket.c, `sock_alloc_file`). The
/// inode that stands for a Unix socket in a folder cannot be opened.
#[inline(always)]
pub fn of_file(file: u64) -> u64 {
    let inode: u64 = field!(file, file_inode);
    let mode: u16 = field!(inode, inode_mode);
    if file != 0 && mode & KIND == SOCKET { field!(file, file_private) } else { 0 }
}

/// Whose address a hook is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// None: the peer is the one that the socket is connected to.
    None,
    /// The peer's (`connect`, `send` with an address).
    Peer,
    /// The socket's own (`bind`).
    Own,
}

/// Writes the ends of the `struct socket` into `object`. `address` is a `struct sockaddr` in kernel memory.
#[inline(never)]
pub fn resolve(object: &mut Object, socket: u64, address: u64, whose: Address) {
    let sk: u64 = field!(socket, socket_sk);
    let family: u16 = field!(sk, sk_family);
    if family != INET && family != INET6 {
        return;
    }
    object.socket.own_port = field!(sk, sk_own_port);
    object.socket.family = if family == INET { 4 } else { 6 };
    if address != 0 && whose == Address::Own {
        let port: u16 = probe(address as *const c_void, 2);
        object.socket.own_port = u16::from_be(port);
    } else if address != 0 && whose == Address::Peer {
        named(&mut object.socket, address);
    } else if whose == Address::None {
        let port: u16 = field!(sk, sk_peer_port);
        object.socket.peer_port = u16::from_be(port);
        if family == INET {
            object.socket.peer = mapped(field!(sk, sk_peer_v4));
        } else {
            object.socket.peer = field!(sk, sk_peer_v6);
        }
    }
    // A socket of IPv6 may talk to IPv4 (RFC 4291, 2.5.5.2).
    let prefix = u128::from_be_bytes(object.socket.peer) >> 32;
    if object.socket.family == 6 && prefix == 0xffff {
        object.socket.family = 4;
    }
}

/// The peer that a `struct sockaddr_in` or `sockaddr_in6` names (include/uapi/linux/in.h, in6.h).
#[inline(always)]
fn named(socket: &mut Socket, address: u64) {
    let address = address as *const c_void;
    let family: u16 = probe(address, 0);
    let port: u16 = probe(address, 2);
    if family == INET {
        socket.family = 4;
        socket.peer = mapped(probe(address, 4));
    } else if family == INET6 {
        socket.family = 6;
        socket.peer = probe(address, 8);
    } else {
        // AF_UNSPEC dissolves a connection.
        return;
    }
    socket.peer_port = u16::from_be(port);
}
