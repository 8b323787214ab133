//! A packet that is refused: what it is answered with in its receiver's name, if anything, and the bytes of that.
//!
//! As RFC 9293 (3.10.7), RFC 792, RFC 4443 and RFC 1122 (3.2.2) have it: a reset for TCP, "unreachable" for all else;
//! none for a reset, an ICMP error, a later fragment, or what is sent to a group.

#![expect(
    clippy::cast_possible_truncation,
    reason = "numbers of a short packet, cut to the fields that they go to"
)]

use bytemuck::{Pod, Zeroable};

use crate::packet::Packet;

/// An answer: none, the packet is only dropped.
pub const SILENCE: u32 = 0;
/// An answer: a reset of TCP.
pub const RESET: u32 = 1;
/// An answer: the network cannot be reached.
pub const NO_NET: u32 = 2;
/// An answer: the host cannot be reached.
pub const NO_HOST: u32 = 3;
/// An answer: nobody is at that port.
pub const NO_PORT: u32 = 4;
/// An answer: the administrator forbids it.
pub const FORBIDDEN: u32 = 5;
/// What can be asked for: [`RESET`] for TCP, else [`NO_PORT`].
pub const BY_PROTOCOL: u32 = 6;
/// No answer, and not because there should be none: it cannot be made of this packet.
pub const IMPOSSIBLE: u32 = u32::MAX;

/// Bytes of a packet that an answer quotes at most.
pub const QUOTE: usize = 128;
/// The longest answer: headers of IPv6 and ICMPv6, and a quotation.
pub const LONGEST: usize = 40 + 8 + QUOTE;

/// [`Layout::marks`]: a fragment, or the first of several.
pub const FRAGMENT: u32 = 1;
/// [`Layout::marks`]: sent to a group, or to everybody.
pub const GROUP: u32 = 2;
/// [`Layout::marks`]: it has several packets of the wire in it.
pub const SEVERAL: u32 = 4;

/// Bytes of an Ethernet header.
pub const ETHERNET: u32 = 14;

/// Where things are in a packet, and what kind it is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Layout {
    /// Bytes in front of the IP header: 0, [`ETHERNET`], or something that is not known here.
    pub link: u32,
    /// Where the transport header is, from the IP header on; 0 for none.
    pub transport: u32,
    /// TCP's flags, or the type of an ICMP message.
    pub detail: u32,
    /// Bits of [`FRAGMENT`] and its like.
    pub marks: u32,
}

impl Layout {
    /// Can what is in the packet be exchanged, where it is?
    #[inline(always)]
    #[must_use]
    pub const fn known(&self) -> bool {
        self.link == 0 || self.link == ETHERNET
    }

    /// Is the transport header right behind an IP header without options?
    #[inline(always)]
    #[must_use]
    pub const fn plain(&self, family: u16) -> bool {
        self.transport == if family == 4 { 20 } else { 40 }
    }
}

/// How a packet is answered by a rule that asks for `asked`.
#[inline(always)]
#[must_use]
pub const fn answer(asked: u32, packet: &Packet, layout: &Layout) -> u32 {
    const RST: u32 = 4;
    let tcp = packet.protocol == 6;
    let kind = match asked {
        BY_PROTOCOL if tcp => RESET,
        BY_PROTOCOL => NO_PORT,
        other => other,
    };
    if layout.marks & GROUP != 0 || layout.transport == 0 {
        return SILENCE;
    }
    if kind == RESET {
        if !tcp || layout.detail & RST != 0 {
            return SILENCE;
        }
        // A checksum that the device was to make is noted by its position, which has to stay in the packet.
        if !layout.known() || !layout.plain(packet.family) {
            return IMPOSSIBLE;
        }
        return if layout.marks & FRAGMENT != 0 { SILENCE } else { RESET };
    }
    if is_icmp_error(packet.protocol, layout.detail) {
        return SILENCE;
    }
    let quoted = layout.transport + 8;
    if layout.known() && quoted <= QUOTE as u32 && quoted <= packet.length { kind } else { IMPOSSIBLE }
}

/// Messages that only answer: all errors, and redirects (RFC 1122, 3.2.2; RFC 4443, 2.4).
const fn is_icmp_error(protocol: u8, kind: u32) -> bool {
    match protocol {
        1 => matches!(kind, 3 | 4 | 5 | 11 | 12),
        58 => kind < 128 || kind == 137,
        _ => false,
    }
}

/// Type and code of an "unreachable" (RFC 792 and 1812, RFC 4443).
const fn unreachable(kind: u32, family: u16) -> [u8; 2] {
    let v4 = family == 4;
    match kind {
        NO_NET => [if v4 { 3 } else { 1 }, 0],
        NO_HOST => [if v4 { 3 } else { 1 }, if v4 { 1 } else { 3 }],
        FORBIDDEN => [if v4 { 3 } else { 1 }, if v4 { 13 } else { 1 }],
        _ => [if v4 { 3 } else { 1 }, if v4 { 3 } else { 4 }],
    }
}

/// Writes the reset that answers a TCP packet whose header is `tcp`: how long it is. `out` is all zero.
#[inline(always)]
pub const fn reset(out: &mut [u8; LONGEST], packet: &Packet, tcp: &[u8; 20]) -> u32 {
    if packet.family == 4 {
        reset_behind::<20>(out, packet, tcp);
        40
    } else {
        reset_behind::<40>(out, packet, tcp);
        60
    }
}

#[inline(always)]
const fn reset_behind<const IP: usize>(out: &mut [u8; LONGEST], packet: &Packet, tcp: &[u8; 20]) {
    const ACK: u8 = 16;
    const RST: u8 = 4;
    let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    let [syn_fin, acks] = [(tcp[13] >> 1 & 1) + (tcp[13] & 1), tcp[13] & ACK];
    let header = IP as u32 + (tcp[12] >> 4) as u32 * 4;
    let carried = packet.length.wrapping_sub(header);
    head::<IP>(out, packet, 6, 20);
    put16(out, IP, packet.destination_port);
    put16(out, IP + 2, packet.source_port);
    if acks != 0 {
        // As if it had come behind what was acknowledged.
        let mut i = 0;
        while i < 4 {
            out[IP + 4 + i] = tcp[8 + i];
            i += 1;
        }
        out[IP + 13] = RST;
    } else {
        put32(out, IP + 8, sequence.wrapping_add(carried).wrapping_add(syn_fin as u32));
        out[IP + 13] = RST | ACK;
    }
    out[IP + 12] = 5 << 4;
    let sum = sum(out, IP, IP + 20) + pseudo_header(packet) + 6 + 20;
    put16(out, IP + 16, fold(sum));
}

/// How many bytes of a packet an "unreachable" quotes.
#[inline(always)]
#[must_use]
pub const fn quoted(packet: &Packet) -> u32 {
    if packet.length < QUOTE as u32 { packet.length } else { QUOTE as u32 }
}

/// Where in the answer the quotation begins.
#[inline(always)]
#[must_use]
pub const fn quotation(family: u16) -> usize {
    if family == 4 { 28 } else { 48 }
}

/// Writes the "unreachable" of `kind` around a quotation that is in `out` already, which is zero elsewhere: how
/// long it is.
#[inline(always)]
pub const fn refuse(out: &mut [u8; LONGEST], packet: &Packet, kind: u32) -> u32 {
    if packet.family == 4 {
        refuse_behind::<20>(out, packet, kind);
        28 + quoted(packet)
    } else {
        refuse_behind::<40>(out, packet, kind);
        48 + quoted(packet)
    }
}

#[inline(always)]
const fn refuse_behind<const IP: usize>(out: &mut [u8; LONGEST], packet: &Packet, kind: u32) {
    let length = 8 + quoted(packet);
    let protocol = if IP == 20 { 1 } else { 58 };
    head::<IP>(out, packet, protocol, length);
    [out[IP], out[IP + 1]] = unreachable(kind, packet.family);
    // What is behind the end is zero and adds nothing.
    let mut sum = sum(out, IP, LONGEST);
    if IP == 40 {
        sum += pseudo_header(packet) + protocol as u32 + length;
    }
    put16(out, IP + 2, fold(sum));
}

/// The IP header of an answer that carries `length` bytes.
#[inline(always)]
const fn head<const IP: usize>(out: &mut [u8; LONGEST], packet: &Packet, protocol: u8, length: u32) {
    /// How far it may go: to this machine.
    const HOPS: u8 = 64;
    if IP == 20 {
        out[0] = 4 << 4 | 5;
        put16(out, 2, (20 + length) as u16);
        // Not to be fragmented.
        out[6] = 0x40;
        out[8] = HOPS;
        out[9] = protocol;
        let mut i = 0;
        while i < 4 {
            out[12 + i] = packet.destination[12 + i];
            out[16 + i] = packet.source[12 + i];
            i += 1;
        }
        put16(out, 10, fold(sum(out, 0, 20)));
    } else {
        out[0] = 6 << 4;
        put16(out, 4, length as u16);
        out[6] = protocol;
        out[7] = HOPS;
        let mut i = 0;
        while i < 16 {
            out[8 + i] = packet.destination[i];
            out[24 + i] = packet.source[i];
            i += 1;
        }
    }
}

#[inline(always)]
const fn put16(out: &mut [u8; LONGEST], at: usize, value: u16) {
    [out[at], out[at + 1]] = value.to_be_bytes();
}

#[inline(always)]
const fn put32(out: &mut [u8; LONGEST], at: usize, value: u32) {
    [out[at], out[at + 1], out[at + 2], out[at + 3]] = value.to_be_bytes();
}

/// The sum of the words from `from` to `to` (RFC 1071), not yet folded. Both are even.
///
/// Not inlined, like the next: in BPF what has just been written would be kept in registers until here, and those on
/// the stack.
#[inline(never)]
const fn sum(out: &[u8; LONGEST], from: usize, to: usize) -> u32 {
    let (mut sum, mut i) = (0, from);
    while i < to && i < LONGEST - 1 {
        sum += u16::from_be_bytes([out[i], out[i + 1]]) as u32;
        i += 2;
    }
    sum
}

/// The addresses' part of the sum of TCP and of ICMPv6.
#[inline(never)]
const fn pseudo_header(packet: &Packet) -> u32 {
    let (mut sum, mut i) = (0, if packet.family == 4 { 12 } else { 0 });
    while i < 15 {
        sum += u16::from_be_bytes([packet.source[i], packet.source[i + 1]]) as u32;
        sum += u16::from_be_bytes([packet.destination[i], packet.destination[i + 1]]) as u32;
        i += 2;
    }
    sum
}

#[inline(always)]
const fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}

#[cfg(test)]
mod tests;
