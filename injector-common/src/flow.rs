//! Which flow a packet belongs to, and who that flow is in every run of the same program.
//!
//! A draw must not depend on an ephemeral port, which is another one in every run, nor on how the packets of
//! several flows interleave. So each flow of a rule counts its own packets, and is known by its order of
//! appearance among those with the same protocol, peer and service port.

use bytemuck::{Pod, Zeroable};

use crate::{
    packet::{EGRESS, Packet, high, low},
    random::combine,
};

/// The first port that Linux gives out by itself (`net.ipv4.ip_local_port_range`, net/ipv4/af_inet.c).
pub const EPHEMERAL: u16 = 32_768;

/// The packets of one rule between two sockets, in one direction.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct FlowKey {
    /// As in [`Packet`].
    pub source: [u8; 16],
    /// As in [`Packet`].
    pub destination: [u8; 16],
    /// As in [`Packet`].
    pub source_port: u16,
    /// As in [`Packet`].
    pub destination_port: u16,
    /// As in [`Packet`].
    pub protocol: u8,
    /// Explicit padding.
    pub _pad: u8,
    /// As in [`Packet`].
    pub family: u16,
    /// As in [`Packet`].
    pub direction: u32,
    /// The rule's number.
    pub rule: u32,
}

const _: () = assert!(size_of::<FlowKey>() == 48);

/// What flows have in common that cannot be told apart but by their order of appearance.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct FlowClass {
    /// The address of the other end.
    pub peer: [u8; 16],
    /// The other end's port, if it is a service's, else 0.
    pub peer_port: u16,
    /// Our own port, likewise.
    pub own_port: u16,
    /// As in [`Packet`].
    pub protocol: u8,
    /// Explicit padding.
    pub _pad: [u8; 3],
    /// As in [`Packet`].
    pub direction: u32,
    /// The rule's number.
    pub rule: u32,
}

const _: () = assert!(size_of::<FlowClass>() == 32);

/// What is kept of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Flow {
    /// Who it is in every run.
    pub id: u64,
    /// How far it is, see [`crate::netem::State`]. One word, so that packets on several CPUs take turns.
    pub state: u64,
    /// When the last of its packets that wait leaves: `CLOCK_MONOTONIC`, nanoseconds.
    pub last: u64,
}

impl FlowKey {
    /// Becomes the flow of a packet, as rule number `rule` counts it. In place: the stack of a BPF program is
    /// short. Padding stays what it is.
    #[inline(always)]
    pub const fn set(&mut self, packet: &Packet, rule: u32) {
        self.source = packet.source;
        self.destination = packet.destination;
        self.source_port = packet.source_port;
        self.destination_port = packet.destination_port;
        self.protocol = packet.protocol;
        self.family = packet.family;
        self.direction = packet.direction;
        self.rule = rule;
    }
}

/// The port if it says which service it is.
const fn service(port: u16) -> u16 {
    if port < EPHEMERAL { port } else { 0 }
}

impl FlowClass {
    /// Becomes that with which a flow is told apart by order only.
    #[inline(always)]
    pub const fn set(&mut self, flow: &FlowKey) {
        let outgoing = flow.direction == EGRESS;
        let (source, destination) = (service(flow.source_port), service(flow.destination_port));
        if outgoing {
            (self.peer_port, self.own_port) = (destination, source);
            self.peer = flow.destination;
        } else {
            (self.peer_port, self.own_port) = (source, destination);
            self.peer = flow.source;
        }
        self.protocol = flow.protocol;
        self.direction = flow.direction;
        self.rule = flow.rule;
    }

    /// Who the flow is that was the `nth` of its class, from 0. The rule is in the seed of the draws already.
    #[inline(always)]
    #[must_use]
    pub const fn flow_id(&self, nth: u64) -> u64 {
        let peer = combine(high(&self.peer), low(&self.peer));
        let service = (self.peer_port as u64) << 48
            | (self.own_port as u64) << 32
            | (self.protocol as u64) << 8
            | self.direction as u64;
        combine(combine(peer, service), nth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{INGRESS, mapped};

    fn packet(own_port: u16, peer_port: u16) -> Packet {
        Packet {
            source: mapped([10, 0, 0, 1]),
            destination: mapped([10, 0, 0, 2]),
            source_port: own_port,
            destination_port: peer_port,
            protocol: 6,
            family: 4,
            direction: EGRESS,
            ..Packet::default()
        }
    }

    fn class(packet: &Packet) -> FlowClass {
        let (mut key, mut class) = (FlowKey::zeroed(), FlowClass::zeroed());
        key.set(packet, 3);
        class.set(&key);
        class
    }

    #[test]
    fn an_ephemeral_port_says_nothing() {
        assert_eq!(class(&packet(40_000, 80)), class(&packet(50_000, 80)));
        assert_ne!(class(&packet(40_000, 80)), class(&packet(40_000, 81)));
        // A server's own flows: the peer's port is the ephemeral one.
        assert_eq!(class(&packet(80, 40_000)), class(&packet(80, 50_000)));
        assert_ne!(class(&packet(80, 40_000)), class(&packet(40_000, 80)));
    }

    #[test]
    fn the_peer_is_the_other_end_either_way() {
        let out = packet(40_000, 80);
        let (source, destination) = (out.destination, out.source);
        let back = Packet {
            source,
            destination,
            source_port: 80,
            destination_port: 40_000,
            direction: INGRESS,
            ..out
        };
        let (out, back) = (class(&out), class(&back));
        assert_eq!((out.peer, out.peer_port, out.own_port), (back.peer, back.peer_port, back.own_port));
        assert_ne!(out.flow_id(0), back.flow_id(0));
    }

    #[test]
    fn places_differ_by_order_service_and_peer() {
        let class = class(&packet(40_000, 80));
        let other = FlowClass { peer_port: 81, ..class };
        let nobody = FlowClass { peer: [0; 16], ..class };
        let all = [class.flow_id(0), class.flow_id(1), other.flow_id(0), nobody.flow_id(0)];
        assert!(all.iter().enumerate().all(|(at, id)| !all[at + 1..].contains(id)));
    }
}
