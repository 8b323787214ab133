//! Where the parts of a packet are that an answer to it depends on.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_skb_load_bytes};
use injector_common::{
    packet::Packet,
    reject::{ETHERNET, FRAGMENT, GROUP, Layout, SEVERAL},
};

use crate::packets::header::{self, load};

/// Finds out what an answer depends on.
#[inline(always)]
pub fn of(skb: *mut __sk_buff, packet: &Packet, transport: u32) -> Layout {
    // SAFETY: fields of the context.
    let (segments, protocol) = unsafe { ((*skb).gso_segs, (*skb).protocol) };
    let mut layout = Layout { link: header::network(skb), transport, detail: 0, marks: 0 };
    if segments > 1 {
        layout.marks |= SEVERAL;
    }
    if layout.link == ETHERNET {
        let mut ethernet = [0u8; ETHERNET as usize];
        // SAFETY: room for what is read; the helper checks the bounds.
        unsafe { bpf_skb_load_bytes(skb.cast(), 0, (&raw mut ethernet).cast(), ETHERNET) };
        let [first, .., a, b] = ethernet;
        if u32::from(u16::from_ne_bytes([a, b])) != protocol {
            layout.link = u32::MAX;
        }
        if first & 1 != 0 {
            layout.marks |= GROUP;
        }
    }
    // Nobody (RFC 1122, 3.2.1.3), and groups.
    let to = &packet.destination;
    let group = if packet.family == 4 { to[12] >= 224 } else { to[0] == 0xff };
    let nobody = u128::from_ne_bytes(packet.source) == 0 || packet.family == 4 && packet.source[12] == 0;
    if group || nobody {
        layout.marks |= GROUP;
    }
    layout.marks |= fragment(skb, packet);
    let detail = match packet.protocol {
        6 => 13,
        1 | 58 => 0,
        _ => return layout,
    };
    if transport != 0
        && let Some([byte]) = load::<1>(skb, transport + detail)
    {
        layout.detail = u32::from(byte);
    }
    layout
}

/// Is it the first of several fragments? Those of IPv6 have an extension header, which is mark enough.
#[inline(always)]
fn fragment(skb: *mut __sk_buff, packet: &Packet) -> u32 {
    const MORE_FRAGMENTS: u8 = 0x20;
    match load::<1>(skb, 6) {
        Some([flags]) if packet.family == 4 && flags & MORE_FRAGMENTS != 0 => FRAGMENT,
        _ => 0,
    }
}
