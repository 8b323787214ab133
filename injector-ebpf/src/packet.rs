//! Faults on packets: what comes in is dropped at the target cgroup's own hook, what goes out at the
//! egress of the device, silently, since a drop at the cgroup's egress hook is told to the sender.

use core::{ffi::c_void, mem::MaybeUninit, ops::ControlFlow};

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{
        bpf_ktime_get_boot_ns,
        generated::{bpf_loop, bpf_redirect, bpf_skb_cgroup_id, bpf_skb_load_bytes_relative, bpf_tail_call},
    },
};
use injector_common::{
    call::{PACKETS, Run},
    counters::{Counters, Reason},
    decide::{Match, ticket_valid, triggered},
    event::{BACKEND_CGROUP_SKB, BACKEND_TC},
    packet::{EGRESS, INGRESS, Packet, mapped},
    rule::{FAULT_DROP, Rule},
    shared::cgroup_entry,
};

use crate::{
    atomic,
    maps::{CALLS, CGROUPS, COUNTERS, GATE, RULES, SHARED, SLOTS, config, plan_alive},
    report,
    rules::{read, suppress},
};

/// Let the packet go on to the next program, or on its way.
const TC_NEXT: i64 = -1;
/// An interface that cannot exist. A redirect to it frees the packet and tells nobody, unlike
/// `TC_ACT_SHOT`, which the sender's TCP takes for congestion on its own host.
const NOWHERE: u32 = 0x7fff_fffe;
/// `bpf_skb_load_bytes_relative` from the network header.
const HEADER_NET: u32 = 1;

/// Packets that come to the cgroup this program is attached to: 1 to pass, 0 to drop.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup_skb/ingress")]
pub extern "C" fn ingress(skb: *mut __sk_buff) -> i64 {
    // The cgroup is known by construction; its number would be that of the socket's own cgroup.
    // Two constants, so that the verifier sees a 0 or a 1.
    match verdict(skb, INGRESS, BACKEND_CGROUP_SKB, 0) {
        ControlFlow::Break(()) => 0,
        ControlFlow::Continue(()) => 1,
    }
}

/// Packets that leave by the device this program is attached to.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/egress")]
pub extern "C" fn egress(skb: *mut __sk_buff) -> i64 {
    // SAFETY: the program's own context.
    let cgroup = unsafe { bpf_skb_cgroup_id(skb) };
    if atomic::get(&SHARED.cgroups[cgroup_entry(cgroup)]) == 0 {
        return TC_NEXT;
    }
    // SAFETY: only whether there is a value counts.
    if unsafe { CGROUPS.get(cgroup) }.is_none() || met_before(skb) {
        return TC_NEXT;
    }
    if verdict(skb, EGRESS, BACKEND_TC, cgroup).is_break() {
        // SAFETY: no pointers.
        return unsafe { bpf_redirect(NOWHERE, 0) };
    }
    TC_NEXT
}

/// The only program that a clsact filter holds, where the kernel has no tcx. It is all that survives a
/// SIGKILL, and by then passes everything: the kernel empties a program array when the last process
/// that has it open is gone (kernel/bpf/arraymap.c, `prog_array_map_clear`).
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/egress_gate")]
pub extern "C" fn egress_gate(skb: *mut __sk_buff) -> i64 {
    // SAFETY: on success it does not return.
    unsafe { bpf_tail_call(skb.cast(), (&raw const GATE).cast_mut().cast(), 0) };
    TC_NEXT
}

/// Has this packet been asked about on another device? A bond, a VLAN or a bridge hands the same packet
/// to the device below; each rule is to draw once.
#[inline(always)]
fn met_before(skb: *mut __sk_buff) -> bool {
    let tag = (config!(plan) as u32 & 0xffff) | 1;
    // SAFETY: fields of the context that a classifier may read and write.
    unsafe {
        if (*skb).tc_index == tag {
            return true;
        }
        (*skb).tc_index = tag;
    }
    false
}

/// A packet on its way past the rules.
struct Passage {
    packet: Packet,
    /// The first slot of the rules on packets.
    base: u32,
    backend: u32,
    /// A whole word: the verifier does not know that a `bool` is 0 or 1, and the verdict is made of it.
    dropped: u32,
    alive: bool,
    cgroup: u64,
}

/// Asks every packet rule, in order. A break means that the packet is to be dropped.
#[inline(always)]
fn verdict(skb: *mut __sk_buff, direction: u32, backend: u32, cgroup: u64) -> ControlFlow<()> {
    if atomic::get(&SHARED.armed) == 0 {
        return ControlFlow::Continue(());
    }
    let Some(run) = CALLS.get(PACKETS).map(|rules| read(&rules.run)) else {
        return ControlFlow::Continue(());
    };
    let Run { base, count, .. } = run;
    let (packet, dropped) = (Packet::default(), run.zero());
    let mut passage = Passage { packet, base, backend, dropped, alive: false, cgroup };
    if !parse(skb, &mut passage.packet) {
        return ControlFlow::Continue(());
    }
    passage.packet.direction = direction;
    // SAFETY: no arguments.
    passage.alive = plan_alive(unsafe { bpf_ktime_get_boot_ns() });
    // SAFETY: the callback has the shape that the helper wants and gets the passage; both outlive it.
    unsafe { bpf_loop(u32::from(count), consider as *mut c_void, (&raw mut passage).cast(), 0) };
    if passage.dropped == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, passage: *mut Passage) -> i64 {
    // SAFETY: the passage that `verdict` handed to the loop.
    let passage = unsafe { &mut *passage };
    let Some(number) = SLOTS.get(passage.base + index as u32).map(|slot| slot.rule) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(number), COUNTERS.get(number)) else { return 1 };
    if rule.fault != FAULT_DROP || !rule.packets.holds(&passage.packet) {
        return 0;
    }
    let nth = atomic::fetch_add(&counters.matched, 1) + 1;
    match fires(passage, rule, counters, nth) {
        Ok(()) => {
            passage.dropped = 1;
            atomic::add(&counters.fired, 1);
            report::packet(&passage.packet, passage.backend, passage.cgroup, number, nth);
        }
        Err(reason) => suppress(counters, reason),
    }
    0
}

/// Does match number `number` of the rule fire?
#[inline(always)]
fn fires(passage: &Passage, rule: &Rule, counters: &Counters, number: u64) -> Result<(), Reason> {
    if !passage.alive {
        return Err(Reason::Expired);
    }
    triggered(rule, Match { subject: 0, object: 0, number })?;
    if passage.dropped != 0 {
        return Err(Reason::Overruled);
    }
    if rule.times != 0 {
        ticket_valid(rule.times, atomic::fetch_add(&counters.tickets, 1))?;
    }
    if config!(monitor) != 0 { Err(Reason::Monitored) } else { Ok(()) }
}

/// Reads `N` bytes at `offset` from the network header.
#[inline(always)]
fn load<const N: usize>(skb: *mut __sk_buff, offset: u32) -> Option<[u8; N]> {
    // Not zeroed first: LLVM makes a call of that, to a memset that the verifier does not take.
    let mut bytes = MaybeUninit::<[u8; N]>::uninit();
    // SAFETY: the helper writes N bytes in any case, zeroes when it fails.
    let rc = unsafe {
        bpf_skb_load_bytes_relative(skb.cast(), offset, bytes.as_mut_ptr().cast(), N as u32, HEADER_NET)
    };
    // SAFETY: written just now.
    (rc == 0).then(|| unsafe { bytes.assume_init() })
}

/// Fills in what the headers say. False when it is no IP packet.
#[inline(always)]
fn parse(skb: *mut __sk_buff, packet: &mut Packet) -> bool {
    // SAFETY: a field of the context.
    packet.ifindex = unsafe { (*skb).ifindex };
    let Some([first]) = load::<1>(skb, 0) else { return false };
    let ports = match first >> 4 {
        4 => parse_v4(skb, packet),
        6 => parse_v6(skb, packet),
        _ => return false,
    };
    if let Some(offset) = ports
        && matches!(packet.protocol, 6 | 17 | 136)
        && let Some([a, b, c, d]) = load::<4>(skb, offset)
    {
        packet.source_port = u16::from_be_bytes([a, b]);
        packet.destination_port = u16::from_be_bytes([c, d]);
    }
    true
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
    let header = load::<40>(skb, 0)?;
    packet.family = 6;
    packet.length = u32::from(u16::from_be_bytes([header[4], header[5]])) + 40;
    let mut i = 0;
    while i < 16 {
        packet.source[i] = header[8 + i];
        packet.destination[i] = header[24 + i];
        i += 1;
    }
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
