//! Packets that come in to a network namespace that is the target's own, where all that comes in is the target's. A
//! classifier at the ingress of each device asks the rules. What has to wait, be doubled or be damaged, goes into the
//! delay line (see [`crate::line`]), which hands it back to the same ingress; all else is dropped here, or comes in.
//! Elsewhere the cgroup's hook asks, which sees only what a socket of the target gets, and can only drop it.
//!
//! What has been in a line is known by its `tc_index`, which nothing else writes on that way
//! (net/core/skbuff.c, `skb_scrub_packet`, leaves it alone): 0xa in front, then bits of the plan, and even, since
//! what [`crate::packet`] writes there on the way out is odd. No classifier of any plan takes such a packet again, so
//! two injectors never send it to and fro between them; the rules of its own plan have been asked.
//!
//! One that a rule meant and that did not go into a line has 0xb in front, and a bit for each plan that was asked.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_redirect, bpf_tail_call},
};
use injector_common::{
    event::BACKEND_TC,
    netem::{CARRIED_IN, LOST},
    packet::{INGRESS, packet_mark},
};

use crate::{
    fate::ask,
    header::load,
    line,
    maps::{GATE, GATE_INBOUND, config},
    packet::{NOWHERE, TC_DROP, TC_NEXT},
    transit::{gather, passage},
};

/// What all plans have in common in `tc_index`, and where.
const CARRIED: u32 = 0xa000;
const ASKED: u32 = 0xb000;
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
    if index & COMMON == CARRIED || asked(index) || kind == OTHERHOST {
        return TC_NEXT;
    }
    if !gather(skb, INGRESS, BACKEND_TC, 0) || discovers(skb) {
        return TC_NEXT;
    }
    if let Some(passage) = line::wanted(skb) {
        if line::enter_inbound(skb) {
            // SAFETY: no pointers.
            return unsafe { bpf_redirect(NOWHERE, 0) };
        }
        // Rules that want time cannot have it; all others are asked here.
        passage.barred = CARRIED_IN;
    }
    let Some(passage) = ask() else { return TC_NEXT };
    if passage.effects & LOST != 0 {
        return TC_DROP;
    }
    // One that no rule meant is asked about again behind a tunnel, by its inner addresses.
    if passage.meant != 0 {
        let others = if index & COMMON == ASKED { index } else { ASKED };
        // SAFETY: a field of the context that a classifier may write.
        unsafe { (*skb).tc_index = others | own_bit() };
    }
    TC_NEXT
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

/// Were this plan's rules asked about it, in the line or at a device?
#[inline(always)]
pub fn decided(skb: *mut __sk_buff) -> bool {
    // SAFETY: a field of the context.
    let index = unsafe { (*skb).tc_index };
    index == mark() || asked(index)
}

/// Does the `tc_index` of a packet say that this plan's rules were asked about it at a device?
#[inline(always)]
fn asked(index: u32) -> bool {
    index & COMMON == ASKED && index & own_bit() != 0
}

/// This plan's, between what [`COMMON`] holds.
#[inline(always)]
fn own_bit() -> u32 {
    2 << packet_mark(config!(plan) as u32)
}
