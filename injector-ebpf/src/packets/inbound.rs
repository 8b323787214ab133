//! Packets that come in by a device, in a network namespace whose processes all belong to the target. A classifier at the
//! ingress of each device asks the rules. A packet that has to wait, or is to be doubled or damaged, goes into the delay line
//! ([`crate::packets::delay_line`]), which hands it back to the same ingress; all others are dropped here, or pass. In other
//! namespaces the cgroup's hook asks ([`crate::packets::ingress`]).

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_redirect, bpf_tail_call},
};
use injector_common::{
    code::BackendCode,
    netem::{LOST, VIA_DELAY_LINE_IN},
    packet::INGRESS,
};

use crate::{
    maps::{GATE, GATE_INBOUND},
    packets::{
        delay_line,
        header::load,
        packet_ctx::{gather, packet_ctx},
        tc::{NOWHERE, TC_DROP, TC_NEXT, asked_as_well, settled},
        verdict::ask,
    },
};

/// `PACKET_OTHERHOST` (include/uapi/linux/if_packet.h): a frame that passes by, to be bridged or watched.
const OTHERHOST: u32 = 3;

/// ICMPv6, and its messages of neighbour discovery (RFC 4861).
const ICMPV6: u8 = 58;
const DISCOVERY: core::ops::RangeInclusive<u8> = 133..=137;

/// Packets that come in by the device this program is attached to, in a namespace of the target's own.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/inbound")]
pub extern "C" fn inbound(skb: *mut __sk_buff) -> i64 {
    // SAFETY: fields of the context.
    let (index, kind) = unsafe { ((*skb).tc_index, (*skb).pkt_type) };
    if settled(index) || kind == OTHERHOST {
        return TC_NEXT;
    }
    if !gather(skb, INGRESS, BackendCode::TC, 0) || discovers(skb) {
        return TC_NEXT;
    }
    if let Some(packet_ctx) = delay_line::wanted(skb) {
        if delay_line::enter_inbound(skb) {
            // SAFETY: no pointers.
            return unsafe { bpf_redirect(NOWHERE, 0) };
        }
        // Rules that want time cannot have it; all others are asked here.
        packet_ctx.barred = VIA_DELAY_LINE_IN;
    }
    let Some(packet_ctx) = ask() else { return TC_NEXT };
    if packet_ctx.effects & LOST != 0 {
        return TC_DROP;
    }
    // One that no rule meant is asked about again behind a tunnel, by its inner addresses.
    if packet_ctx.meant != 0 {
        // SAFETY: a field of the context that a classifier may write.
        unsafe { (*skb).tc_index = asked_as_well(index) };
    }
    TC_NEXT
}

/// What [`crate::packets::egress::egress_gate`] is at the other side.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/inbound_gate")]
pub extern "C" fn inbound_gate(skb: *mut __sk_buff) -> i64 {
    // SAFETY: on success it does not return.
    unsafe { bpf_tail_call(skb.cast(), (&raw const GATE).cast_mut().cast(), GATE_INBOUND) };
    TC_NEXT
}

/// What IPv6 has in the place of ARP belongs to the link; without it nothing arrives.
#[inline(always)]
fn discovers(skb: *mut __sk_buff) -> bool {
    const HEADER: u32 = 40;
    packet_ctx().is_some_and(|packet_ctx| packet_ctx.packet.protocol == ICMPV6)
        && load::<1>(skb, HEADER).is_some_and(|[kind]| DISCOVERY.contains(&kind))
}
