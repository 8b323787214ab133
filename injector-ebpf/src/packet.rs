//! Faults on packets: what comes in is dropped at the target cgroup's own hook, what goes out is dropped,
//! doubled or damaged at the egress of the device. A drop there is silent, one at the cgroup's egress hook is
//! told to the sender.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{
        bpf_ktime_get_boot_ns,
        generated::{bpf_clone_redirect, bpf_loop, bpf_redirect, bpf_skb_cgroup_id, bpf_tail_call},
    },
    macros::map,
    maps::PerCpuArray,
};
use injector_common::{
    call::{PACKETS, Run},
    config::USES_ANSWERS,
    counters::{Counters, Reason},
    decide::{Match, ticket_valid, triggered},
    event::{BACKEND_CGROUP_SKB, BACKEND_TC},
    flow::{FlowClass, FlowKey},
    netem::{COPY_CORRUPTED, CORRUPTED, DUPLICATED, Fate, LOST, Netem},
    packet::{EGRESS, INGRESS, Packet},
    reject::{IMPOSSIBLE, Place, SILENCE, answer},
    rule::{FAULT_NETEM, FAULT_REJECT, Rule},
    shared::cgroup_entry,
};

use crate::{
    atomic,
    content::{self, Content},
    flow, header,
    maps::{CALLS, CGROUPS, COUNTERS, GATE, RULES, SHARED, SLOTS, TRAFFIC, config, plan_alive},
    reject, report,
    rules::{read, suppress, uses},
};

/// Let the packet go on to the next program, or on its way.
pub const TC_NEXT: i64 = -1;
/// An interface that cannot exist. A redirect to it frees the packet and tells nobody, unlike
/// `TC_ACT_SHOT`, which the sender's TCP takes for congestion on its own host.
pub const NOWHERE: u32 = 0x7fff_fffe;

/// Packets that come to the cgroup this program is attached to: 1 to pass, 0 to drop.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup_skb/ingress")]
pub extern "C" fn ingress(skb: *mut __sk_buff) -> i64 {
    // The cgroup is known by construction; its number would be that of the socket's own cgroup.
    let passage = ask(skb, INGRESS, BACKEND_CGROUP_SKB, 0);
    // Two constants, so that the verifier sees a 0 or a 1.
    match passage {
        Some(Passage { effects, .. }) if effects & LOST != 0 => 0,
        _ => 1,
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
    let Some(passage) = ask(skb, EGRESS, BACKEND_TC, cgroup) else { return TC_NEXT };
    if passage.effects & DUPLICATED != 0 {
        double(skb, passage);
    }
    if passage.effects & LOST != 0 {
        if uses(USES_ANSWERS) && passage.answer != SILENCE {
            return reject::send_back(skb, &passage.packet, &passage.parts, passage.answer, passage.answerer);
        }
        // SAFETY: no pointers.
        return unsafe { bpf_redirect(NOWHERE, 0) };
    }
    if passage.effects & CORRUPTED != 0 {
        content::turn(skb, &passage.packet, &passage.content, passage.bit);
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
pub struct Passage {
    /// What is known of the packet.
    pub packet: Packet,
    /// Its flow, as the rule at hand counts it.
    pub key: FlowKey,
    /// The flow's class, while a flow is new.
    class: FlowClass,
    /// What of it can be damaged.
    pub content: Content,
    /// The first slot of the rules on packets.
    base: u32,
    /// Which mechanism asks, see [`injector_common::event`].
    pub backend: u32,
    /// What happens to it so far: bits of [`injector_common::netem`].
    effects: u32,
    /// Does the plan still act? Not 0 if so.
    alive: u32,
    /// The bits that are turned in it and in its copy.
    bit: u32,
    copy_bit: u32,
    /// The rule that doubled it.
    doubler: u32,
    /// What an answer to it depends on.
    parts: Place,
    /// What is sent back in its stead, see [`injector_common::reject`]; [`SILENCE`] for nothing.
    pub answer: u32,
    /// The rule that says so.
    answerer: u32,
    /// Its cgroup, where that is known.
    pub cgroup: u64,
    /// The flow's place, as the last rule that fired found it.
    pub place: u64,
}

/// Of each CPU the packet at hand. Not on the stack: there the verifier would follow every value that the rules
/// before may have left. Programs on packets run with softirqs off, so none finds another's here; the run for a
/// copy ends before it gets here.
#[map]
static PASSAGE: PerCpuArray<Passage> = PerCpuArray::with_max_entries(1, 0);

/// Asks every packet rule, in order, what is to happen. `None` where there is nothing to ask.
#[inline(always)]
fn ask(skb: *mut __sk_buff, direction: u32, backend: u32, cgroup: u64) -> Option<&'static Passage> {
    if atomic::get(&SHARED.armed) == 0 {
        return None;
    }
    let Run { base, count, .. } = CALLS.get(PACKETS).map(|rules| read(&rules.run))?;
    // SAFETY: this CPU's own, see there.
    let passage = unsafe { &mut *PASSAGE.get_ptr_mut(0)? };
    passage.packet.direction = direction;
    let transport = header::parse(skb, &mut passage.packet)?;
    passage.content = content::of(skb, &passage.packet, transport);
    if uses(USES_ANSWERS) {
        passage.parts = reject::place(skb, &passage.packet, transport);
        passage.answer = SILENCE;
    }
    passage.key.set(&passage.packet, 0);
    passage.base = base;
    passage.backend = backend;
    passage.effects = 0;
    passage.place = 0;
    passage.cgroup = cgroup;
    // SAFETY: no arguments.
    passage.alive = u32::from(plan_alive(unsafe { bpf_ktime_get_boot_ns() }));
    // SAFETY: the callback has the shape that the helper wants.
    unsafe { bpf_loop(u32::from(count), consider as *mut c_void, core::ptr::null_mut(), 0) };
    Some(passage)
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, _: *mut c_void) -> i64 {
    let Some(passage) = PASSAGE.get_ptr_mut(0) else { return 1 };
    // SAFETY: this CPU's own, filled by `ask`, which does not touch it meanwhile.
    let passage = unsafe { &mut *passage };
    let Some(number) = SLOTS.get(passage.base + index as u32).map(|slot| slot.rule) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(number), COUNTERS.get(number)) else { return 1 };
    let Some(traffic) = TRAFFIC.get(number) else { return 1 };
    if !rule.packets.holds(&passage.packet) {
        return 0;
    }
    let nth = atomic::fetch_add(&counters.matched, 1) + 1;
    atomic::add(&traffic.bytes, u64::from(passage.packet.length));
    match fires(passage, (number, rule), counters, nth) {
        Ok(fate) => {
            note(passage, (number, rule), fate);
            atomic::add(&counters.fired, 1);
            for (effect, counter) in [
                (LOST, &traffic.dropped),
                (DUPLICATED, &traffic.duplicated),
                (CORRUPTED | COPY_CORRUPTED, &traffic.corrupted),
            ] {
                if fate.effects & effect != 0 {
                    atomic::add(counter, 1);
                }
            }
            report::packet(passage, (number, rule), nth, fate);
        }
        Err(reason) => suppress(counters, reason),
    }
    0
}

/// What happens to match number `nth` of the rule: at least one thing.
#[inline(always)]
fn fires(
    passage: &mut Passage,
    (number, rule): (u32, &Rule),
    counters: &Counters,
    nth: u64,
) -> Result<Fate, Reason> {
    if passage.alive == 0 {
        return Err(Reason::Expired);
    }
    triggered(rule, Match { subject: 0, object: 0, number: nth })?;
    let mut fate = Fate { effects: LOST, number: 0 };
    if uses(USES_ANSWERS) && answered(passage, rule) == IMPOSSIBLE {
        return Err(Reason::Unanswerable);
    }
    if rule.fault == FAULT_NETEM {
        passage.key.rule = number;
        let content = passage.content.length != 0;
        (passage.place, fate) =
            flow::next(&passage.key, &mut passage.class, rule, content).ok_or(Reason::NoState)?;
        if fate.effects == 0 {
            return Err(Reason::Probability);
        }
    }
    fate = fate.beside(passage.effects);
    if fate.effects == 0 {
        return Err(Reason::Overruled);
    }
    if rule.times != 0 {
        ticket_valid(rule.times, atomic::fetch_add(&counters.tickets, 1))?;
    }
    if config!(monitor) != 0 { Err(Reason::Monitored) } else { Ok(fate) }
}

/// Notes what is to be done when all rules were asked.
#[inline(always)]
fn note(passage: &mut Passage, (number, rule): (u32, &Rule), fate: Fate) {
    passage.effects |= fate.effects;
    let length = passage.content.length;
    if fate.effects & CORRUPTED != 0 {
        passage.bit = Netem::bit(rule.seed, passage.place, fate.number, false, length);
    }
    if fate.effects & COPY_CORRUPTED != 0 {
        passage.copy_bit = Netem::bit(rule.seed, passage.place, fate.number, true, length);
    }
    if fate.effects & DUPLICATED != 0 {
        passage.doubler = number;
    }
    if uses(USES_ANSWERS) && fate.effects & LOST != 0 {
        passage.answer = answered(passage, rule);
        passage.answerer = number;
    }
}

/// How the rule answers the packet, if it does.
#[inline(always)]
fn answered(passage: &Passage, rule: &Rule) -> u32 {
    if rule.fault == FAULT_REJECT {
        answer(rule.value.cast_unsigned() as u32, &passage.packet, &passage.parts)
    } else {
        SILENCE
    }
}

/// Sends a copy ahead. It belongs to no socket, so it is nobody's when it passes here.
#[inline(always)]
fn double(skb: *mut __sk_buff, passage: &Passage) {
    let damaged = passage.effects & COPY_CORRUPTED != 0;
    if damaged {
        content::turn(skb, &passage.packet, &passage.content, passage.copy_bit);
    }
    // SAFETY: the program's own context and a field of it.
    if unsafe { bpf_clone_redirect(skb, (*skb).ifindex, 0) } < 0
        && let Some(traffic) = TRAFFIC.get(passage.doubler)
    {
        atomic::decrement(&traffic.duplicated);
    }
    if damaged {
        // And back: a copy is written to only after it was taken apart from the original.
        content::turn(skb, &passage.packet, &passage.content, passage.copy_bit);
    }
}
