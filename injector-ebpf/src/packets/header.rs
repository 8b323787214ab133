//! What the headers of a packet say, IPv4 or IPv6.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes_relative};
use injector_common::packet::{Packet, mapped};

use crate::config::field;

/// `bpf_skb_load_bytes_relative` from the network header.
const HEADER_NET: u32 = 1;

/// Where the IP header is, in bytes from the start of the data, which has a link header in front on most devices. Not by
/// the lengths: a short frame that came from a wire has padding behind the packet, which is cut off later
/// (net/ipv4/ip_input.c, `ip_rcv_core`).
#[inline(always)]
pub fn network(skb: *mut __sk_buff) -> u32 {
    // The context of a program is the kernel's own `sk_buff`; only the program's loads from it are translated.
    let (head, data): (u64, u64) = (field!(skb, skb_head), field!(skb, skb_data));
    let header: u16 = field!(skb, skb_network_header);
    head.wrapping_add(u64::from(header)).wrapping_sub(data) as u32
}

/// Reads `N` bytes at `offset` from the network header.
#[inline(always)]
pub fn load<const N: usize>(skb: *mut __sk_buff, offset: u32) -> Option<[u8; N]> {
    // Not zeroed first: LLVM makes a call of that, to a memset that the verifier does not take.
    let mut bytes = MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the helper writes N bytes in any case, zeroes when it fails.
    let rc = unsafe {
        bpf_skb_load_bytes_relative(skb.cast(), offset, bytes.as_mut_ptr().cast(), N as u32, HEADER_NET)
    };
    // SAFETY: written just now.
    (rc == 0).then(|| unsafe { bytes.assume_init() })
}

/// The same, to where it belongs.
#[inline(always)]
fn load_into<const N: usize>(skb: *mut __sk_buff, offset: u32, to: &mut [u8; N]) -> Option<()> {
    // SAFETY: the helper writes N bytes.
    let rc = unsafe {
        bpf_skb_load_bytes_relative(skb.cast(), offset, to.as_mut_ptr().cast(), N as u32, HEADER_NET)
    };
    (rc == 0).then_some(())
}

/// Fills in what the headers say, and gives the place of the transport header: 0 where there is none, in a
/// later fragment. `None` when it is no IP packet.
#[inline(always)]
pub fn parse(skb: *mut __sk_buff, packet: &mut Packet) -> Option<u32> {
    // SAFETY: a field of the context.
    packet.ifindex = unsafe { (*skb).ifindex };
    packet.source_port = 0;
    packet.destination_port = 0;
    packet.flags = 0;
    let [first] = load::<1>(skb, 0)?;
    let transport = match first >> 4 {
        4 => parse_v4(skb, packet),
        6 => parse_v6(skb, packet),
        _ => return None,
    };
    if let Some(offset) = transport
        && packet.protocol == 6
        && let Some([flags]) = load::<1>(skb, offset + 13)
    {
        packet.flags = flags;
    }
    if let Some(offset) = transport
        && matches!(packet.protocol, 6 | 17 | 136)
        && let Some([a, b, c, d]) = load::<4>(skb, offset)
    {
        packet.source_port = u16::from_be_bytes([a, b]);
        packet.destination_port = u16::from_be_bytes([c, d]);
    }
    Some(transport.unwrap_or(0))
}

/// RFC 791. Where the transport header starts, `None` in a later fragment.
#[inline(always)]
fn parse_v4(skb: *mut __sk_buff, packet: &mut Packet) -> Option<u32> {
    let header = load::<20>(skb, 0)?;
    packet.family = 4;
    packet.length = u32::from(u16::from_be_bytes([header[2], header[3]]));
    packet.protocol = header[9];
    packet.source = mapped([header[12], header[13], header[14], header[15]]);
    packet.destination = mapped([header[16], header[17], header[18], header[19]]);
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff;
    (fragment == 0).then_some(u32::from(header[0] & 0xf) * 4)
}

/// RFC 8200. Where the transport header starts, `None` in a later fragment.
#[inline(always)]
fn parse_v6(skb: *mut __sk_buff, packet: &mut Packet) -> Option<u32> {
    /// Extension headers that are walked; more are taken for a protocol of their own.
    const EXTENSIONS: u32 = 6;
    let header = load::<8>(skb, 0)?;
    // Past the stack, which is short.
    load_into(skb, 8, &mut packet.source)?;
    load_into(skb, 24, &mut packet.destination)?;
    packet.family = 6;
    packet.length = u32::from(u16::from_be_bytes([header[4], header[5]])) + 40;
    let mut next = header[6];
    let mut offset = 40;
    for _ in 0..EXTENSIONS {
        let length = match next {
            // Hop-by-hop, routing, destination options: in units of eight bytes, less the first.
            0 | 43 | 60 => (u32::from(load::<2>(skb, offset)?[1]) + 1) * 8,
            // Authentication header (RFC 4302): in units of four bytes, less two.
            51 => (u32::from(load::<2>(skb, offset)?[1]) + 2) * 4,
            44 => {
                let fragment = load::<8>(skb, offset)?;
                if u16::from_be_bytes([fragment[2], fragment[3]]) & 0xfff8 != 0 {
                    packet.protocol = fragment[0];
                    return None;
                }
                next = fragment[0];
                offset += 8;
                continue;
            }
            _ => break,
        };
        next = load::<2>(skb, offset)?[0];
        offset += length;
    }
    packet.protocol = next;
    Some(offset)
}
