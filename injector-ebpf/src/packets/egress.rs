//! Packets that leave by a device: a classifier at its egress drops, doubles or damages them, answers them, or sends
//! them into the delay line. A drop here is silent; one at the cgroup's own egress hook is told to the sender.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{bpf_redirect, bpf_skb_cgroup_id, bpf_tail_call},
};
use injector_common::{
    code::BackendCode,
    config::{USES_ANSWERS, USES_DNS},
    dns as questions,
    netem::{CORRUPTED, DUPLICATED, LOST, VIA_DELAY_LINE},
    packet::EGRESS,
    reject::SILENCE,
    shared::cgroup_entry,
};

use crate::{
    atomic,
    config::uses,
    maps::{CGROUPS, GATE, GATE_EGRESS, SHARED},
    packets::{
        delay_line, dns,
        emit::{damage, double},
        packet_ctx::gather,
        reject,
        tc::{NOWHERE, TC_NEXT, met_before},
        verdict::ask,
    },
};

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
    if met_before(skb) || !gather(skb, EGRESS, BackendCode::TC, cgroup) {
        return TC_NEXT;
    }
    if uses(USES_DNS) {
        dns::dns_read(skb);
    }
    if let Some(ctx) = delay_line::wanted(skb) {
        if delay_line::enter(skb, ctx.cgroup) {
            // SAFETY: no pointers.
            return unsafe { bpf_redirect(NOWHERE, 0) };
        }
        // Rules that want time cannot have it; all others are asked here.
        ctx.barred = VIA_DELAY_LINE;
    }
    let Some(ctx) = ask() else { return TC_NEXT };
    if ctx.effects & DUPLICATED != 0 {
        double(skb, ctx);
    }
    if ctx.effects & LOST != 0 {
        if uses(USES_DNS) && ctx.answer & questions::ANSWER != 0 {
            return i64::from(dns::dns_send_back(skb));
        }
        if uses(USES_ANSWERS) && ctx.answer != SILENCE {
            return reject::send_back(skb, &ctx.packet, &ctx.layout, ctx.answer, ctx.answerer);
        }
        // SAFETY: no pointers.
        return unsafe { bpf_redirect(NOWHERE, 0) };
    }
    if ctx.effects & CORRUPTED != 0 {
        damage(skb, ctx);
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
    unsafe { bpf_tail_call(skb.cast(), (&raw const GATE).cast_mut().cast(), GATE_EGRESS) };
    TC_NEXT
}
