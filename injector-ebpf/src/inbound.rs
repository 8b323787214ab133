//! Packets that come in and have to wait, be doubled or be damaged: a cgroup's hook can only drop them. In a network
//! namespace that is the target's own all that comes in is the target's, and a classifier at the ingress of each of
//! its devices sends it into the delay line (see [`crate::line`]), which hands it back to the same ingress.
//!
//! What has been in a line is known by its `tc_index`, which nothing else writes on that way
//! (net/core/skbuff.c, `skb_scrub_packet`, leaves it alone): 0xa in front, then bits of the plan, and even, since
//! what [`crate::packet`] writes there on the way out is odd. No classifier of any plan takes such a packet again, so
//! two injectors never send it to and fro between them; the rules of its own plan have been asked.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_tail_call};
use injector_common::{event::BACKEND_TC, packet::INGRESS};

use crate::{
    header::load,
    line,
    maps::{GATE, GATE_INBOUND, config},
    packet::TC_NEXT,
    transit::{gather, passage},
};

/// What all plans have in common in `tc_index`, and where.
const CARRIED: u32 = 0xa000;
const COMMON: u32 = 0xf001;

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
    if index & COMMON == CARRIED || kind == OTHERHOST {
        return TC_NEXT;
    }
    if !gather(skb, INGRESS, BACKEND_TC, 0) || discovers(skb) {
        return TC_NEXT;
    }
    if line::wanted(skb).is_some() { line::enter_inbound(skb) } else { TC_NEXT }
}

/// What [`crate::packet::egress_gate`] is at the other side.
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
    passage().is_some_and(|passage| passage.packet.protocol == ICMPV6)
        && load::<1>(skb, HEADER).is_some_and(|[kind]| DISCOVERY.contains(&kind))
}

/// The `tc_index` of a packet that has been in this plan's line.
#[inline(always)]
pub fn mark() -> u32 {
    CARRIED | (config!(plan) as u32 & 0x0ffe)
}

/// Were this plan's rules asked about it, in the line?
#[inline(always)]
pub fn decided(skb: *mut __sk_buff) -> bool {
    // SAFETY: a field of the context.
    unsafe { (*skb).tc_index == mark() }
}
