//! What a packet looks like to a rule, and which packets a rule means.
//!
//! Addresses are kept as IPv6; an IPv4 address is its mapped form `::ffff:a.b.c.d` (RFC 4291, 2.5.5.2),
//! so that one comparison serves both families and `0.0.0.0/0` still means IPv4 only.

use bytemuck::{Pod, Zeroable};

use crate::address_set::{self, BARRED, Element, Sets, set};

/// How many plans can tell their packets from each other's, see [`packet_mark`].
pub const PACKET_MARKS: u32 = 11;

/// Which bit of a packet that comes in says that the rules of `plan` were asked about it. Plans that live at the same
/// time are given numbers whose bits differ, as long as there are no more than [`PACKET_MARKS`].
#[inline(always)]
#[must_use]
pub const fn packet_mark(plan: u32) -> u32 {
    plan % PACKET_MARKS
}

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
    /// TCP's flags; 0 for other protocols and later fragments.
    pub flags: u8,
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

/// [`PacketMatch::asked`]: its source.
pub const FROM: u32 = 1;
/// [`PacketMatch::asked`]: its destination.
pub const TO: u32 = 2;
/// [`PacketMatch::asked`]: its source port.
pub const SOURCE_PORT: u32 = 4;
/// [`PacketMatch::asked`]: its destination port.
pub const DESTINATION_PORT: u32 = 8;
/// [`PacketMatch::asked`]: either port.
pub const EITHER_PORT: u32 = 16;

/// Lengths of packets, in bytes from the IP header on.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Range {
    /// At least.
    pub first: u32,
    /// At most.
    pub last: u32,
}

impl Range {
    /// Every length.
    pub const ALL: Self = Self { first: 0, last: u32::MAX };
    /// No length.
    pub const NONE: Self = Self { first: 1, last: 0 };

    #[inline(always)]
    const fn has(self, length: u32) -> bool {
        self.first <= length && length <= self.last
    }
}

/// What is asked of TCP's flags.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct TcpFlags {
    /// Those that count.
    pub mask: u8,
    /// Which of those are to be set, or not so: see `differs`.
    pub set: u8,
    /// 0 if they are to be just so, 1 if they are to be otherwise.
    pub differs: u8,
    /// Explicit padding.
    pub _pad: u8,
}

impl TcpFlags {
    /// Whatever they are.
    pub const ANY: Self = Self { mask: 0, set: 0, differs: 0, _pad: 0 };
    /// None of them will do.
    pub const NONE: Self = Self { differs: 1, ..Self::ANY };

    /// One of these flags is set, or several.
    #[must_use]
    pub const fn any_of(flags: u8) -> Self {
        Self { mask: flags, set: 0, differs: 1, _pad: 0 }
    }

    /// Of the flags in `mask` those in `set` are set, and no other.
    #[must_use]
    pub const fn exactly(set: u8, mask: u8) -> Self {
        Self { mask, set, differs: 0, _pad: 0 }
    }

    #[inline(always)]
    const fn hold(self, flags: u8) -> bool {
        (flags & self.mask != self.set) as u8 == self.differs
    }
}

/// Which packets a rule means. All parts have to hold. Which addresses and ports is in the rule's sets, see
/// [`crate::address_set`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct PacketMatch {
    /// [`EGRESS`], [`INGRESS`] or both bits, or [`CONNECT`].
    pub directions: u32,
    /// Bits of [`TCP`], [`UDP`], [`ICMP`], [`OTHER`].
    pub protocols: u32,
    /// Bits of [`FROM`] and its like: which sets the rule has, of each of which the packet has to have one.
    pub asked: u32,
    /// The same, of which it must have none.
    pub barred: u32,
    /// How long it is.
    pub length: Range,
    /// How long it is not.
    pub not_length: Range,
    /// Its flags; [`TcpFlags::ANY`] for what is not TCP.
    pub flags: TcpFlags,
    /// What its flags are not.
    pub not_flags: TcpFlags,
}

const _: () = assert!(size_of::<PacketMatch>() == 40);

impl PacketMatch {
    /// Every packet, either way.
    pub const ALL: Self = Self {
        directions: EGRESS | INGRESS,
        protocols: ANY_PROTOCOL,
        asked: 0,
        barred: 0,
        length: Range::ALL,
        not_length: Range::NONE,
        flags: TcpFlags::ANY,
        not_flags: TcpFlags::NONE,
    };

    /// Does the rule with this number mean the packet?
    #[inline(always)]
    #[must_use]
    pub fn holds(&self, rule: u32, packet: &Packet, sets: &mut impl Sets) -> bool {
        if self.directions & packet.direction == 0 || self.protocols & protocol_bit(packet.protocol) == 0 {
            return false;
        }
        if !self.length.has(packet.length) || self.not_length.has(packet.length) {
            return false;
        }
        if !self.flags.hold(packet.flags) || self.not_flags.hold(packet.flags) {
            return false;
        }
        let family = if packet.family == 4 { address_set::FROM_V4 } else { address_set::FROM_V6 };
        let to = set(rule, address_set::TO_V4 + family);
        let from = set(rule, family);
        self.agrees(TO, to, |set| sets.have(Element::network(set, packet.destination, 128)))
            && self.agrees(FROM, from, |set| sets.have(Element::network(set, packet.source, 128)))
            && self.agrees(DESTINATION_PORT, set(rule, address_set::DESTINATION), |set| {
                sets.have(Element::ports(set, packet.destination_port, 16))
            })
            && self.agrees(SOURCE_PORT, set(rule, address_set::SOURCE), |set| {
                sets.have(Element::ports(set, packet.source_port, 16))
            })
            && self.agrees(EITHER_PORT, set(rule, address_set::EITHER), |set| {
                sets.have(Element::ports(set, packet.destination_port, 16))
                    || sets.have(Element::ports(set, packet.source_port, 16))
            })
    }

    /// Is the packet in the set if it has to be, and not in the one behind `not`?
    #[inline(always)]
    fn agrees(&self, bit: u32, set: u32, mut has: impl FnMut(u32) -> bool) -> bool {
        (self.asked & bit == 0 || has(set)) && (self.barred & bit == 0 || !has(set | BARRED))
    }
}

#[cfg(test)]
mod tests;
