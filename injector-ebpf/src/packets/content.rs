//! What a packet carries, and how one bit of it is turned so that its receiver takes it for what was sent.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_csum_level, bpf_l4_csum_replace, bpf_skb_load_bytes, bpf_skb_store_bytes},
};
use injector_common::packet::Packet;

use crate::packets::header::{self, load};

/// Where it is, in bytes from the IP header.
#[derive(Clone, Copy, Default)]
pub struct Content {
    /// The transport header.
    transport: u32,
    /// The checksum; 0 for none, or where it is to be left wrong.
    checksum: u32,
    /// What is behind the headers.
    start: u32,
    /// How many bytes; 0 where nothing can be damaged.
    pub length: u32,
}

impl Content {
    /// All that is behind the IP header, for damage that leaves the checksum wrong.
    #[inline(always)]
    pub fn on_the_wire(packet: &Packet, transport: u32) -> Self {
        let length = if transport == 0 { 0 } else { packet.length.saturating_sub(transport) };
        Self { transport, start: transport, length, checksum: 0 }
    }
}

/// Finds it. In a later fragment, in UDP-Lite, whose checksum may cover a part, and in what has no length
/// (super-packets of more than 64 KiB) there is none.
#[inline(always)]
pub fn of(skb: *mut __sk_buff, packet: &Packet, transport: u32) -> Content {
    let (checksum, header) = match packet.protocol {
        6 => match load::<1>(skb, transport + 12) {
            Some([offset]) => (16, u32::from(offset >> 4) * 4),
            None => return Content::default(),
        },
        17 => (6, 8),
        1 | 58 => (2, 8),
        _ => return Content::default(),
    };
    let start = transport + header;
    if transport == 0 || packet.length <= start {
        return Content::default();
    }
    Content { transport, checksum: transport + checksum, start, length: packet.length - start }
}

/// Turns bit number `bit` of the content, and keeps the checksum right, if it has one.
#[inline(always)]
pub fn turn(skb: *mut __sk_buff, content: &Content, bit: u32) {
    /// The size of what is replaced in the sum; a UDP checksum of zero means none (`BPF_F_MARK_MANGLED_0`).
    const FLAGS: u64 = 2 | 0x20;
    /// `bpf_skb_store_bytes`: a sum over the whole packet (CHECKSUM_COMPLETE) is to be that of the new bytes.
    const BPF_F_RECOMPUTE_CSUM: u64 = 1;
    /// Forget that the device has found the packet's checksums right.
    const BPF_CSUM_LEVEL_RESET: u64 = 3;
    let network = header::network(skb);
    let place = content.start + (bit >> 3);
    let mut byte = 0u8;
    // SAFETY: the helpers check the bounds and write one byte.
    unsafe {
        if bpf_skb_load_bytes(skb.cast(), network + place, (&raw mut byte).cast(), 1) != 0 {
            return;
        }
        let turned = byte ^ (1 << (bit & 7));
        let flags = if content.checksum == 0 { BPF_F_RECOMPUTE_CSUM } else { 0 };
        if bpf_skb_store_bytes(skb, network + place, (&raw const turned).cast(), 1, flags) != 0 {
            return;
        }
        // The sum is one of words, counted from the transport header. Where the device is to make it
        // (CHECKSUM_PARTIAL) the helper leaves it alone (net/core/utils.c, `inet_proto_csum_replace4`).
        let word = |byte: u8| {
            let bytes = if (place - content.transport) & 1 == 0 { [byte, 0] } else { [0, byte] };
            u64::from(u16::from_ne_bytes(bytes))
        };
        if content.checksum != 0 {
            bpf_l4_csum_replace(skb, network + content.checksum, word(byte), word(turned), FLAGS);
        } else {
            // Else a packet that came from a wire would not be looked at again.
            bpf_csum_level(skb, BPF_CSUM_LEVEL_RESET);
        }
    }
}
