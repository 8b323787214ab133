//! What calls and operations are about: which files and sockets a rule means.

use bytemuck::{Pod, Zeroable};

use crate::packet::Prefix;

/// What is asked of the file or the socket. All zero for any, and for calls that are about none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct ObjectMatch {
    /// Which paths: the pattern's number in their table, from 1. 0 for any object, one without a path, too.
    pub glob: u32,
    /// Which ports, the peer's or the socket's own: the set's number in their table, from 1. 0 for any.
    pub ports: u32,
    /// Which sockets.
    pub sockets: SocketMatch,
}

impl ObjectMatch {
    /// Does it mean only some?
    #[inline(always)]
    #[must_use]
    pub const fn chooses(&self) -> bool {
        self.glob != 0 || self.ports != 0 || self.sockets.needs_peer != 0
    }
}

const _: () = assert!(size_of::<ObjectMatch>() == 8 + size_of::<SocketMatch>());

/// What is seen of a socket: where it is, and whom it talks to. Ports are 0 where there is none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Socket {
    /// The peer's address, in network order; IPv4 in its mapped form. All zero if there is no peer.
    pub peer: [u8; 16],
    /// The peer's port, in host order.
    pub peer_port: u16,
    /// The socket's own port.
    pub own_port: u16,
    /// 4 or 6; 0 for sockets of other families, which have no such addresses.
    pub family: u32,
}

/// Which sockets a rule means, but for their ports. All zero for any.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct SocketMatch {
    /// The peer's network; a mask of zero for any.
    pub peer: Prefix,
    /// 1 where a peer is asked for: sockets without one are not meant then.
    pub needs_peer: u32,
    /// 4 or 6: what family the peer's network is of, so that `::/0` means IPv6 only.
    pub family: u32,
}

impl SocketMatch {
    /// Does the rule mean this socket?
    #[inline(always)]
    #[must_use]
    pub const fn holds(&self, socket: &Socket) -> bool {
        self.needs_peer == 0
            || has_peer(socket) && socket.family == self.family && self.peer.contains(&socket.peer)
    }
}

/// The ports that a rule means, a bit each.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Ports {
    /// Port `p` is bit `p % 64` of word `p / 64`.
    pub bits: [u64; 1024],
}

impl Ports {
    /// Those in the ranges; 0 is none, whatever they say.
    #[cfg(not(target_arch = "bpf"))]
    #[must_use]
    pub fn of(ranges: &[core::ops::RangeInclusive<u16>]) -> Self {
        let mut out = Self::zeroed();
        for port in ranges.iter().cloned().flatten().filter(|&port| port != 0) {
            out.bits[usize::from(port / 64)] |= 1 << (port % 64);
        }
        out
    }

    /// Does the socket have one of these ports, or its peer?
    #[inline(always)]
    #[must_use]
    pub const fn hold(&self, socket: &Socket) -> bool {
        (self.bit(socket.peer_port) | self.bit(socket.own_port)) & 1 != 0
    }

    #[inline(always)]
    const fn bit(&self, port: u16) -> u64 {
        self.bits[(port >> 6) as usize] >> (port & 63)
    }
}

/// A socket that is not connected has the address zero, and the port zero.
#[inline(always)]
const fn has_peer(socket: &Socket) -> bool {
    socket.peer_port != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::packet::mapped;

    fn to(peer: [u8; 4], peer_port: u16, own_port: u16) -> Socket {
        Socket { peer: mapped(peer), peer_port, own_port, family: 4 }
    }

    #[test]
    fn a_rule_that_asks_for_nothing_means_every_socket() {
        let any = SocketMatch::default();
        assert!(any.holds(&Socket::default()) && any.holds(&to([1, 2, 3, 4], 5, 6)));
    }

    #[test]
    fn a_peer_has_to_be_there_and_in_the_network() {
        let rule = SocketMatch { peer: Prefix::new(mapped([10, 0, 0, 0]), 96 + 8), needs_peer: 1, family: 4 };
        assert!(rule.holds(&to([10, 9, 8, 7], 80, 0)));
        assert!(!rule.holds(&to([11, 9, 8, 7], 80, 0)));
        assert!(!rule.holds(&to([10, 9, 8, 7], 0, 80)) && !rule.holds(&Socket::default()));
        // Any IPv6 address is no IPv4 one.
        let all = SocketMatch { peer: Prefix::new([0; 16], 0), needs_peer: 1, family: 6 };
        assert!(!all.holds(&to([10, 9, 8, 7], 80, 0)));
        assert!(all.holds(&Socket { family: 6, ..to([0; 4], 80, 0) }));
    }

    #[test]
    fn either_port_is_enough_and_none_is_no_port() {
        let ports = Ports::of(&[80..=80, 8000..=8080]);
        assert!(ports.hold(&to([1; 4], 80, 40_000)) && ports.hold(&to([1; 4], 40_000, 8080)));
        assert!(!ports.hold(&to([1; 4], 81, 40_000)) && !ports.hold(&Socket::default()));
        let all = Ports::of(&[0..=u16::MAX]);
        assert!(all.hold(&to([1; 4], 0, u16::MAX)) && all.hold(&to([1; 4], 1, 0)));
        assert!(!all.hold(&Socket::default()));
    }

    proptest! {
        #[test]
        fn a_port_is_in_a_set_if_it_is_in_a_range(low: u16, high: u16, port in 1u16..) {
            let ports = Ports::of(&[low..=high]);
            prop_assert_eq!(ports.hold(&to([1; 4], port, 0)), (low..=high).contains(&port));
        }
    }
}
