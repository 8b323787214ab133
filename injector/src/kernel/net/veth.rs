//! A pair of devices, made by one request: one here, one in another network namespace.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};

use crate::kernel::net::rtnetlink::{Rtnetlink, nest, zero_ended};

/// include/uapi/linux/veth.h
const VETH_INFO_PEER: u16 = 1;
/// include/uapi/linux/if_link.h: no address is made up for the device.
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// Bytes of the largest packet: what lo takes (`ETH_MAX_MTU`).
pub(super) const LARGEST: u32 = 65_535;
/// The same of an ordinary wire.
pub(super) const ETHERNET: u32 = 1500;

/// One end of a pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) name: &'a str,
    /// Its number in its namespace.
    pub(super) index: u32,
}

/// Makes a pair for packets of up to `mtu` bytes: `near` in the namespace of the socket, `far` in another. Both are down.
pub(super) fn make(
    socket: &mut Rtnetlink,
    near: End<'_>,
    (far, namespace): (End<'_>, BorrowedFd<'_>),
    mtu: u32,
) -> io::Result<()> {
    let mut peer = link(far.index, 0).to_vec();
    peer.extend(nest(&[
        DefaultNla::new(libc::IFLA_IFNAME, zero_ended(far.name)),
        number(libc::IFLA_MTU, mtu),
        number(libc::IFLA_NET_NS_FD, namespace.as_raw_fd().cast_unsigned()),
    ]));
    let info = nest(&[
        DefaultNla::new(libc::IFLA_INFO_KIND, zero_ended("veth")),
        DefaultNla::new(libc::IFLA_INFO_DATA, nest(&[DefaultNla::new(VETH_INFO_PEER, peer)])),
    ]);
    let attributes = [
        DefaultNla::new(libc::IFLA_IFNAME, zero_ended(near.name)),
        number(libc::IFLA_MTU, mtu),
        DefaultNla::new(libc::IFLA_LINKINFO, info),
    ];
    socket.change(libc::RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link(near.index, 0), &attributes)
}

/// Has super-packets that are sent to a device taken apart (net/core/dev.c, `gso_features_check`).
pub(super) fn split(socket: &mut Rtnetlink, index: u32) -> io::Result<()> {
    socket.change(libc::RTM_NEWLINK, 0, &link(index, 0), &[number(libc::IFLA_GSO_MAX_SEGS, 1)])
}

/// Brings a device up that neither has nor asks for addresses.
pub(super) fn raise(socket: &mut Rtnetlink, index: u32) -> io::Result<()> {
    make_up_none(socket, index)?;
    up(socket, index, libc::IFF_NOARP)
}

/// Brings a device up, with these flags besides.
pub(super) fn up(socket: &mut Rtnetlink, index: u32, flags: libc::c_int) -> io::Result<()> {
    let flags = (libc::IFF_UP | flags).cast_unsigned();
    socket.change(libc::RTM_NEWLINK, 0, &link(index, flags), &[])
}

/// Has no address made up for a device when it comes up.
pub(super) fn make_up_none(socket: &mut Rtnetlink, index: u32) -> io::Result<()> {
    let mode = DefaultNla::new(IFLA_INET6_ADDR_GEN_MODE, vec![IN6_ADDR_GEN_MODE_NONE]);
    let family = DefaultNla::new(u16::try_from(libc::AF_INET6).unwrap_or_default(), nest(&[mode]));
    let attribute = DefaultNla::new(libc::IFLA_AF_SPEC, nest(&[family]));
    match socket.change(libc::RTM_NEWLINK, 0, &link(index, 0), &[attribute]) {
        // No IPv6 here, or none on this device.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EOPNOTSUPP)) => Ok(()),
        result => result,
    }
}

/// Removes a device, and the other end with it. One that is gone is no error.
pub(super) fn remove(socket: &mut Rtnetlink, index: u32) -> io::Result<()> {
    match socket.change(libc::RTM_DELLINK, 0, &link(index, 0), &[]) {
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
        result => result,
    }
}

/// `struct ifinfomsg`: family, type, index, flags, and which of the flags are meant.
pub(super) fn link(index: u32, flags: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

pub(super) fn number(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}
