//! What a packet looks like to a rule, and which packets a rule means.
//!
//! Addresses are kept as IPv6; an IPv4 address is its mapped form `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2),
//! so that one comparison serves both families and `0.0.0.0/0` still means IPv4 only.

use bytemuck::{Pod, Zeroable};

/// Leaves the target.
pub const EGRESS: u32 = 1;
/// Comes to the target.
pub const INGRESS: u32 = 2;
/// Is about to be sent: a socket of the target is being connected to a peer, and there is no packet yet.
pub const CONNECT: u32 = 4;

/// Protocol bits of [`PacketMatch::protocols`].
pub const TCP: u32 = 1;
/// UDP and UDP-Lite.
pub const UDP: u32 = 2;
/// ICMP and `ICMPv6`.
pub const ICMP: u32 = 4;
/// Every other protocol over IP.
pub const OTHER: u32 = 8;
/// All of them.
pub const ANY_PROTOCOL: u32 = TCP | UDP | ICMP | OTHER;

/// Port ranges that one rule can hold, over all three lists.
pub const MAX_PORTS: usize = 16;

/// [`PortRange::end`]: the source port.
pub const SOURCE: u16 = 1;
/// [`PortRange::end`]: the destination port.
pub const DESTINATION: u16 = 2;
/// [`PortRange::end`]: either port.
pub const EITHER: u16 = 3;

/// Which of the three port lists a rule has: bit `1 << end`.
pub type PortLists = u32;

/// The bit of a protocol number of the IP header (IANA's registry).
#[inline(always)]
#[must_use]
pub const fn protocol_bit(number: u8) -> u32 {
    match number {
        6 => TCP,
        17 | 136 => UDP,
        1 | 58 => ICMP,
        _ => OTHER,
    }
}

/// Family bits of [`PacketMatch::families`].
pub const V4: u32 = 1;
/// See [`V4`].
pub const V6: u32 = 2;

/// The bit of a [`Packet::family`].
#[inline(always)]
#[must_use]
pub const fn family_bit(family: u16) -> u32 {
    if family == 4 { V4 } else { V6 }
}

/// What a hook saw of one packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Packet {
    /// Source address, in network order; IPv4 in its mapped form.
    pub source: [u8; 16],
    /// Destination address, likewise.
    pub destination: [u8; 16],
    /// Source port in host order; 0 where the protocol has none or the packet is a later fragment.
    pub source_port: u16,
    /// Destination port, likewise.
    pub destination_port: u16,
    /// The protocol number of the IP header (behind extension headers).
    pub protocol: u8,
    /// Explicit padding.
    pub _pad: u8,
    /// 4 or 6.
    pub family: u16,
    /// [`EGRESS`], [`INGRESS`] or [`CONNECT`].
    pub direction: u32,
    /// Bytes from the IP header on, as the header says (of a super-packet: all of it).
    pub length: u32,
    /// The device it was seen on.
    pub ifindex: u32,
    /// Explicit padding.
    pub _pad2: u32,
}

const _: () = assert!(size_of::<Packet>() == 56);

/// `address & mask == value`, in two halves of network order read as big endian numbers. A mask of zero
/// means any address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Prefix {
    /// The network, already masked.
    pub value: [u64; 2],
    /// The bits that count.
    pub mask: [u64; 2],
}

impl Prefix {
    /// A network of `length` bits (0 to 128; an IPv4 network of n bits is 96 + n).
    #[must_use]
    pub const fn new(address: [u8; 16], length: u32) -> Self {
        let bits = u128::from_be_bytes(address);
        let mask = match length {
            0 => 0,
            1..=127 => u128::MAX << (128 - length),
            _ => u128::MAX,
        };
        let value = bits & mask;
        #[expect(clippy::cast_possible_truncation, reason = "the two halves of 128 bits")]
        Self { value: [(value >> 64) as u64, value as u64], mask: [(mask >> 64) as u64, mask as u64] }
    }

    /// Is `address` in this network?
    #[inline(always)]
    #[must_use]
    pub const fn contains(&self, address: &[u8; 16]) -> bool {
        high(address) & self.mask[0] == self.value[0] && low(address) & self.mask[1] == self.value[1]
    }
}

#[inline(always)]
pub(crate) const fn high(a: &[u8; 16]) -> u64 {
    u64::from_be_bytes([a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]])
}

#[inline(always)]
pub(crate) const fn low(a: &[u8; 16]) -> u64 {
    u64::from_be_bytes([a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15]])
}

/// The mapped form of an IPv4 address.
#[inline(always)]
#[must_use]
pub const fn mapped(v4: [u8; 4]) -> [u8; 16] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3]]
}

/// Ports `low..=high` at one end of the packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PortRange {
    /// First port.
    pub low: u16,
    /// Last port.
    pub high: u16,
    /// [`SOURCE`], [`DESTINATION`] or [`EITHER`]; 0 for an unused entry.
    pub end: u16,
    /// Explicit padding.
    pub _pad: u16,
}

/// Which packets a rule means. All parts have to hold.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct PacketMatch {
    /// [`EGRESS`], [`INGRESS`] or both bits, or [`CONNECT`].
    pub directions: u32,
    /// Bits of [`TCP`], [`UDP`], [`ICMP`], [`OTHER`].
    pub protocols: u32,
    /// The source network.
    pub from: Prefix,
    /// The destination network.
    pub to: Prefix,
    /// Which of the three port lists are in use; each one in use has to be met.
    pub lists: PortLists,
    /// [`V4`] and [`V6`]: a network says it for its own family, `::/0` as well.
    pub families: u32,
    /// The port lists, mixed; unused entries at the end have `end == 0`.
    pub ports: [PortRange; MAX_PORTS],
}

const _: () = assert!(size_of::<PacketMatch>() == 16 + 64 + MAX_PORTS * 8);

impl PacketMatch {
    /// No packet at all: what a rule on system calls carries.
    pub const NONE: Self = Self {
        directions: 0,
        protocols: 0,
        from: Prefix { value: [0; 2], mask: [0; 2] },
        to: Prefix { value: [0; 2], mask: [0; 2] },
        lists: 0,
        families: 0,
        ports: [PortRange { low: 0, high: 0, end: 0, _pad: 0 }; MAX_PORTS],
    };

    /// Does the rule mean this packet?
    #[inline(always)]
    #[must_use]
    pub fn holds(&self, packet: &Packet) -> bool {
        if self.directions & packet.direction == 0 || self.protocols & protocol_bit(packet.protocol) == 0 {
            return false;
        }
        if self.families & family_bit(packet.family) == 0 {
            return false;
        }
        if !self.from.contains(&packet.source) || !self.to.contains(&packet.destination) {
            return false;
        }
        self.lists == 0 || self.ports_hold(packet.source_port, packet.destination_port)
    }

    #[inline(always)]
    fn ports_hold(&self, source: u16, destination: u16) -> bool {
        let mut met = 0u32;
        for range in &self.ports {
            let source_in = range.low <= source && source <= range.high;
            let destination_in = range.low <= destination && destination <= range.high;
            let hit = match range.end {
                SOURCE => source_in,
                DESTINATION => destination_in,
                EITHER => source_in || destination_in,
                _ => break,
            };
            if hit {
                met |= 1 << (range.end & 3);
            }
        }
        met & self.lists == self.lists
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn any() -> PacketMatch {
        PacketMatch {
            directions: EGRESS | INGRESS,
            protocols: ANY_PROTOCOL,
            families: V4 | V6,
            ..PacketMatch::NONE
        }
    }

    fn tcp(source: [u8; 16], destination: [u8; 16], ports: (u16, u16)) -> Packet {
        Packet {
            source,
            destination,
            source_port: ports.0,
            destination_port: ports.1,
            protocol: 6,
            family: 4,
            direction: EGRESS,
            ..Packet::default()
        }
    }

    #[test]
    fn the_empty_match_means_everything() {
        assert!(any().holds(&tcp(mapped([127, 0, 0, 1]), mapped([10, 0, 0, 1]), (1, 2))));
        assert!(!PacketMatch::NONE.holds(&tcp([0; 16], [0; 16], (0, 0))));
    }

    #[test]
    fn ipv4_any_does_not_mean_ipv6() {
        let v4 = PacketMatch { to: Prefix::new(mapped([0; 4]), 96), ..any() };
        assert!(v4.holds(&tcp(mapped([1, 2, 3, 4]), mapped([5, 6, 7, 8]), (1, 2))));
        assert!(!v4.holds(&tcp([0; 16], Ipv6Addr::LOCALHOST.octets(), (1, 2))));
    }

    #[test]
    fn a_family_is_part_of_the_match() {
        let v6 = PacketMatch { families: V6, ..any() };
        let packet = tcp(mapped([1, 2, 3, 4]), mapped([5, 6, 7, 8]), (1, 2));
        assert!(!v6.holds(&packet));
        assert!(v6.holds(&Packet { family: 6, ..packet }));
    }

    #[test]
    fn each_port_list_in_use_has_to_be_met() {
        let mut rule = any();
        rule.lists = 1 << SOURCE | 1 << DESTINATION;
        rule.ports[0] = PortRange { low: 1000, high: 2000, end: SOURCE, _pad: 0 };
        rule.ports[1] = PortRange { low: 80, high: 80, end: DESTINATION, _pad: 0 };
        rule.ports[2] = PortRange { low: 443, high: 443, end: DESTINATION, _pad: 0 };
        let at = |ports| rule.holds(&tcp([0; 16], [0; 16], ports));
        assert!(at((1000, 80)));
        assert!(at((2000, 443)));
        assert!(!at((2001, 443)));
        assert!(!at((1500, 81)));
        assert!(!at((80, 1500)));
        rule.lists = 1 << EITHER;
        rule.ports = [PortRange::default(); MAX_PORTS];
        rule.ports[0] = PortRange { low: 6379, high: 6379, end: EITHER, _pad: 0 };
        assert!(rule.holds(&tcp([0; 16], [0; 16], (6379, 1))));
        assert!(rule.holds(&tcp([0; 16], [0; 16], (1, 6379))));
        assert!(!rule.holds(&tcp([0; 16], [0; 16], (1, 2))));
    }

    proptest! {
        #[test]
        fn a_prefix_contains_what_the_standard_library_says(a: u32, b: u32, length in 0u32..=32) {
            let (a, b) = (Ipv4Addr::from(a), Ipv4Addr::from(b));
            let shift = |ip: Ipv4Addr| u64::from(u32::from(ip)) >> (32 - length);
            let prefix = Prefix::new(mapped(a.octets()), 96 + length);
            prop_assert_eq!(prefix.contains(&mapped(b.octets())), shift(a) == shift(b));
        }

        #[test]
        fn an_ipv6_prefix_is_its_leading_bits(a: u128, b: u128, length in 0u32..=128) {
            let same = length == 0 || (a ^ b) >> (128 - length) == 0;
            prop_assert_eq!(Prefix::new(a.to_be_bytes(), length).contains(&b.to_be_bytes()), same);
        }

        #[test]
        fn a_mapped_address_is_the_standard_librarys(v4: u32) {
            let v4 = Ipv4Addr::from(v4);
            prop_assert_eq!(IpAddr::V6(v4.to_ipv6_mapped()), IpAddr::from(mapped(v4.octets())));
        }
    }
}
