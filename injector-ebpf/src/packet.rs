//! Faults on packets: what comes in is dropped at the target cgroup's own hook, what goes out is dropped,
//! doubled or damaged at the egress of the device. A drop there is silent, one at the cgroup's egress hook is
//! told to the sender.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_clone_redirect, bpf_redirect, bpf_skb_cgroup_id, bpf_tail_call},
};
use injector_common::{
    config::{USES_ANSWERS, USES_DNS},
    dns as questions,
    event::{BACKEND_CGROUP_SKB, BACKEND_TC},
    netem::{CARRIED, COPY_CORRUPTED, CORRUPTED, DUPLICATED, LOST},
    packet::{EGRESS, INGRESS},
    reject::SILENCE,
    shared::cgroup_entry,
};

use crate::{
    atomic, content, dns,
    fate::ask,
    inbound, line,
    maps::{CGROUPS, GATE, GATE_EGRESS, SHARED, TRAFFIC, config},
    reject,
    rules::uses,
    transit::{Passage, gather},
};

/// Let the packet go on to the next program, or on its way.
pub const TC_NEXT: i64 = -1;
/// Free the packet (`TC_ACT_SHOT`).
pub const TC_DROP: i64 = 2;
/// An interface that cannot exist. A redirect to it frees the packet and tells nobody, unlike
/// `TC_ACT_SHOT`, which the sender's TCP takes for congestion on its own host.
pub const NOWHERE: u32 = 0x7fff_fffe;

/// Packets that come to the cgroup this program is attached to: 1 to pass, 0 to drop.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup_skb/ingress")]
pub extern "C" fn ingress(skb: *mut __sk_buff) -> i64 {
    come_in(skb)
}

/// What becomes of a packet that comes to a target: 1 to pass, 0 to drop.
#[inline(always)]
pub fn come_in(skb: *mut __sk_buff) -> i64 {
    // The cgroup is known by construction; its number would be that of the socket's own cgroup.
    if inbound::decided(skb) || !gather(skb, INGRESS, BACKEND_CGROUP_SKB, 0) {
        return 1;
    }
    // Two constants, so that the verifier sees a 0 or a 1.
    i64::from(ask().is_none_or(|passage| passage.effects & LOST == 0))
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
    if unsafe { CGROUPS.get(cgroup) }.is_none() {
        return TC_NEXT;
    }
    leave(skb, cgroup)
}

/// What becomes of a packet of a target that leaves by a device: the classifier's verdict.
#[inline(always)]
pub fn leave(skb: *mut __sk_buff, cgroup: u64) -> i64 {
    if met_before(skb) || !gather(skb, EGRESS, BACKEND_TC, cgroup) {
        return TC_NEXT;
    }
    if uses(USES_DNS) {
        dns::dns_read(skb);
    }
    if let Some(passage) = line::wanted(skb) {
        if line::enter(skb, passage.cgroup) {
            // SAFETY: no pointers.
            return unsafe { bpf_redirect(NOWHERE, 0) };
        }
        // Rules that want time cannot have it; all others are asked here.
        passage.barred = CARRIED;
    }
    let Some(passage) = ask() else { return TC_NEXT };
    if passage.effects & DUPLICATED != 0 {
        double(skb, passage);
    }
    if passage.effects & LOST != 0 {
        if uses(USES_DNS) && passage.answer & questions::ANSWER != 0 {
            return i64::from(dns::dns_send_back(skb));
        }
        if uses(USES_ANSWERS) && passage.answer != SILENCE {
            return reject::send_back(skb, &passage.packet, &passage.parts, passage.answer, passage.answerer);
        }
        // SAFETY: no pointers.
        return unsafe { bpf_redirect(NOWHERE, 0) };
    }
    if passage.effects & CORRUPTED != 0 {
        damage(skb, passage);
    }
    TC_NEXT
}

/// Turns the bit of the packet itself that is to be turned.
#[inline(always)]
pub fn damage(skb: *mut __sk_buff, passage: &Passage) {
    let content = if passage.unfixed == 0 { &passage.content } else { &passage.wire };
    content::turn(skb, content, passage.bit);
}

/// The only program that a clsact filter holds, where the kernel has no tcx. It is all that survives a
/// SIGKILL, and by then passes everything: the kernel empties a program array when the last process
/// that has it open is gone (kernel/bpf/arraymap.c, `prog_array_map_clear`).
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/egress_gate")]
pub extern "C" fn egress_gate(skb: *mut __sk_buff) -> i64 {
    // SAFETY: on success it does not return.
    unsafe { bpf_tail_call(skb.cast(), (&raw const GATE).cast_mut().cast(), GATE_EGRESS) };
    TC_NEXT
}

/// Has this packet been asked about on another device? A bond, a VLAN or a bridge hands the same packet
/// to the device below; each rule is to draw once.
#[inline(always)]
fn met_before(skb: *mut __sk_buff) -> bool {
    // Odd, see [`inbound`].
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

/// Sends a copy ahead; false where the kernel has no memory for one. It belongs to no socket, so it is nobody's when it
/// passes here.
#[inline(always)]
pub fn double(skb: *mut __sk_buff, passage: &Passage) -> bool {
    let damaged = passage.effects & COPY_CORRUPTED != 0;
    let content = if passage.copy_unfixed == 0 { &passage.content } else { &passage.wire };
    if damaged {
        content::turn(skb, content, passage.copy_bit);
    }
    // SAFETY: the program's own context and a field of it.
    let sent = unsafe { bpf_clone_redirect(skb, (*skb).ifindex, 0) } >= 0;
    if !sent && let Some(traffic) = TRAFFIC.get(passage.doubler) {
        atomic::decrement(&traffic.duplicated);
    }
    if damaged {
        // And back: a copy is written to only after it was taken apart from the original.
        content::turn(skb, content, passage.copy_bit);
    }
    sent
}
