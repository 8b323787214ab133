//! A network that exists nowhere else: a bridge in a namespace of its own, and for each member a namespace with a cable to
//! it. All of it is held by descriptors, has no name on the machine, and is gone with whoever holds it.

use std::{io, net::Ipv4Addr, os::fd::AsFd as _};

use ipnet::Ipv4Net;
use netlink_packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL};

use crate::kernel::net::{
    error::PacketError,
    namespace::NetNs,
    rtnetlink::{Rtnetlink, nest, zero_ended},
    veth::{self, End, link, make_up_none, number, up},
};

/// The loopback device, which every namespace has from the beginning (net/core/dev.c).
const LOOPBACK: u32 = 1;
/// A member's end of its cable, and the bridge: the first device that is made where it is.
const FIRST: u32 = 2;

// include/uapi/linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;

/// The bridge with its namespace, which is at the network as well.
#[derive(Debug)]
pub struct BridgedNet {
    network: Ipv4Net,
    hub: NetNs,
    /// The number of the last cable's end at the bridge.
    last: u32,
}

impl BridgedNet {
    /// Makes the bridge, which has `address` of `network`.
    ///
    /// # Errors
    /// [`PacketError`]: a right is missing, or the kernel has no bridges.
    pub fn new(network: Ipv4Net, address: Ipv4Addr) -> Result<Self, PacketError> {
        let hub = NetNs::fresh()?;
        hub.run(|| {
            let mut socket = Rtnetlink::open().map_err(failed("open a socket"))?;
            let info = nest(&[DefaultNla::new(libc::IFLA_INFO_KIND, zero_ended("bridge"))]);
            let attributes = [
                DefaultNla::new(libc::IFLA_IFNAME, zero_ended("lab")),
                DefaultNla::new(libc::IFLA_LINKINFO, info),
            ];
            socket
                .change(libc::RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link(FIRST, 0), &attributes)
                .map_err(failed("make a bridge"))?;
            bring_up(&mut socket, address, network)
        })??;
        Ok(Self { network, hub, last: FIRST })
    }

    /// A namespace with a cable to the bridge and `address` at it.
    ///
    /// # Errors
    /// [`PacketError`]: a right is missing, or the kernel has no veth devices.
    pub fn join(&mut self, address: Ipv4Addr) -> Result<NetNs, PacketError> {
        let member = NetNs::fresh()?;
        self.last += 1;
        let (index, name) = (self.last, format!("cable{}", self.last - FIRST));
        self.hub.run(|| {
            let mut socket = Rtnetlink::open().map_err(failed("open a socket"))?;
            let ends = (End { name: &name, index }, End { name: "eth0", index: FIRST });
            veth::make(&mut socket, ends.0, (ends.1, member.as_fd()), veth::ETHERNET)
                .map_err(failed("lay a cable"))?;
            let master = [number(libc::IFLA_MASTER, FIRST)];
            socket
                .change(libc::RTM_NEWLINK, 0, &link(index, 0), &master)
                .map_err(failed("put a cable on the bridge"))?;
            make_up_none(&mut socket, index).map_err(failed("keep a device without addresses"))?;
            up(&mut socket, index, 0).map_err(failed("bring a cable up"))
        })??;
        let network = self.network;
        member.run(|| {
            let mut socket = Rtnetlink::open().map_err(failed("open a socket"))?;
            bring_up(&mut socket, address, network)
        })??;
        Ok(member)
    }

    /// The namespace that the bridge is in, from which all members are reached.
    pub fn into_hub(self) -> NetNs {
        self.hub
    }
}

/// Brings up loopback, and the device that this namespace is at the network with.
fn bring_up(socket: &mut Rtnetlink, address: Ipv4Addr, network: Ipv4Net) -> Result<(), PacketError> {
    up(socket, LOOPBACK, 0).map_err(failed("bring loopback up"))?;
    make_up_none(socket, FIRST).map_err(failed("keep a device without addresses"))?;
    let octets = |address: Ipv4Addr| address.octets().to_vec();
    let attributes = [
        DefaultNla::new(IFA_LOCAL, octets(address)),
        DefaultNla::new(IFA_ADDRESS, octets(address)),
        DefaultNla::new(IFA_BROADCAST, octets(network.broadcast())),
    ];
    // `struct ifaddrmsg`: family, length of the prefix, flags, scope, index.
    let family = u8::try_from(libc::AF_INET).unwrap_or_default();
    let mut fixed = [family, network.prefix_len(), 0, 0, 0, 0, 0, 0];
    fixed[4..].copy_from_slice(&FIRST.to_ne_bytes());
    socket
        .change(libc::RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &fixed, &attributes)
        .map_err(failed("give a device its address"))?;
    up(socket, FIRST, 0).map_err(failed("bring a device up"))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> PacketError {
    move |source| PacketError::Bridged { what, source }
}
