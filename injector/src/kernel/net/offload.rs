//! What a device leaves to its hardware, by ethtool's oldest requests (include/uapi/linux/ethtool.h).

use std::{io, os::fd::AsRawFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// `struct ethtool_value`
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// `ETHTOOL_STXCSUM`
const SET_CHECKSUMS: u32 = 0x17;

/// Has the kernel itself make the checksums of what leaves by a device of this thread's network namespace. What
/// several packets share has to be taken apart for that (net/core/dev.c, `netdev_fix_features`).
pub(super) fn make_checksums(device: &str) -> io::Result<()> {
    let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    let mut value = Value { command: SET_CHECKSUMS, data: 0 };
    // SAFETY: plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(device.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // Numbers of requests have another type in musl than in glibc.
    let number = libc::SIOCETHTOOL as libc::Ioctl;
    // SAFETY: the request and what it points to live until the call returns.
    if unsafe { libc::ioctl(socket.as_raw_fd(), number, &raw mut request) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
