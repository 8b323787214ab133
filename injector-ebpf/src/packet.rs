//! Faults on packets: what comes in is dropped at the target cgroup's own hook, what goes out is dropped,
//! doubled or damaged at the egress of the device. A drop there is silent, one at the cgroup's egress hook is
//! told to the sender.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{
        bpf_ktime_get_boot_ns,
        generated::{
            bpf_clone_redirect, bpf_loop, bpf_map_lookup_elem, bpf_redirect, bpf_skb_cgroup_id, bpf_tail_call,
        },
    },
    macros::map,
    maps::PerCpuArray,
};
use injector_common::{
    call::{PACKETS, Run},
    config::{USES_ANSWERS, USES_DNS},
    counters::{Counters, Reason},
    decide::{Match, ticket_valid, triggered},
    dns as questions,
    event::{BACKEND_CGROUP_SKB, BACKEND_LINE, BACKEND_TC},
    flow::{FlowClass, FlowKey},
    member::{Member, Sets},
    netem::{
        CARRIED_IN, COPY_CORRUPTED, CORRUPTED, DELAYED, DUPLICATED, Fate, LOST, Netem, OVERFLOWED, OVERTOOK,
        UNFIXED,
    },
    packet::{EGRESS, INGRESS, Packet},
    reject::{IMPOSSIBLE, Place, SILENCE, answer},
    rule::{FAULT_DNS, FAULT_NETEM, FAULT_REJECT, Rule},
    shared::cgroup_entry,
};

use crate::{
    atomic,
    content::{self, Content},
    dns, flow, header, inbound, line,
    maps::{
        CALLS, CGROUPS, COUNTERS, GATE, GATE_EGRESS, MEMBERS, RULES, SHARED, SLOTS, TRAFFIC, config,
        plan_alive,
    },
    reject, report,
    rules::{read, suppress, uses},
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
        return line::enter(skb, passage);
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
    content::turn(skb, &passage.packet, content, passage.bit);
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

/// A packet on its way past the rules.
pub struct Passage {
    /// What is known of the packet.
    pub packet: Packet,
    /// Its flow, as the rule at hand counts it.
    pub key: FlowKey,
    /// The flow's class, while a flow is new.
    class: FlowClass,
    /// What of it can be damaged so that its receiver does not see it, and so that it does.
    pub content: Content,
    /// See `content`.
    pub wire: Content,
    /// The first slot of the rules on packets, and how many there are.
    pub base: u32,
    /// See `base`.
    pub count: u32,
    /// Which mechanism asks, see [`injector_common::event`].
    pub backend: u32,
    /// What happens to it so far: bits of [`injector_common::netem`].
    pub effects: u32,
    /// When it was seen: `CLOCK_BOOTTIME`, nanoseconds.
    pub now: u64,
    /// Does the plan still act? Not 0 if so.
    pub alive: u32,
    /// The bits that are turned in it and in its copy.
    bit: u32,
    copy_bit: u32,
    /// Is the damage to leave the checksum wrong? Not 0 if so.
    unfixed: u32,
    copy_unfixed: u32,
    /// The rule that doubled it.
    doubler: u32,
    /// What an answer to it depends on.
    pub parts: Place,
    /// What is sent back in its stead, see [`injector_common::reject`]; [`SILENCE`] for nothing.
    pub answer: u32,
    /// The rule that says so.
    pub answerer: u32,
    /// Is it a question for a name that was read? Not 0 if so.
    pub asks: u32,
    /// Its cgroup, where that is known.
    pub cgroup: u64,
    /// The flow's place, as the last rule that fired found it.
    pub place: u64,
    /// When the packet and its copy are due; 0 for at once.
    pub due: u64,
    /// See `due`.
    pub copy_due: u64,
    /// How long that is from now.
    pub late: u64,
    /// The number of the rule that it waits for, from 1; 0 for none.
    pub queue: u32,
    /// The number, from 1, of the rule for which it goes through the delay line; 0 for none.
    pub carrier: u32,
    /// Which roads of rules are this packet's, see [`Netem::road`].
    pub road: u64,
    /// What is looked up.
    pub wanted: Wanted,
}

impl Passage {
    /// Bytes that the rule can damage.
    #[inline(always)]
    fn damageable(&self, rule: &Rule) -> u32 {
        if rule.netem.road & UNFIXED == 0 { self.content.length } else { self.wire.length }
    }
}

/// An address or a port that is looked up in a rule's sets. The key stands here, since the stack is short.
pub struct Wanted(Member);

impl Wanted {
    /// Nothing yet.
    pub const NOTHING: Self = Self(Member { bits: 0, set: 0, value: [0; 16] });
}

impl Sets for Wanted {
    #[inline(always)]
    fn have(&mut self, wanted: Member) -> bool {
        self.0 = wanted;
        // SAFETY: a map, and a key of its size.
        let found = unsafe {
            bpf_map_lookup_elem((&raw const MEMBERS).cast_mut().cast(), (&raw const self.0).cast())
        };
        !found.is_null()
    }
}

/// Of each CPU the packet at hand. Not on the stack: there the verifier would follow every value that the rules
/// before may have left. Programs on packets run with softirqs off, so none finds another's here; the run for a
/// copy ends before it gets here.
#[map]
static PASSAGE: PerCpuArray<Passage> = PerCpuArray::with_max_entries(1, 0);

/// This CPU's own. Not to be held across a loop, whose callback asks for it, too.
#[inline(always)]
pub fn passage() -> Option<&'static mut Passage> {
    // SAFETY: nobody else uses it while a program on packets runs, see there.
    PASSAGE.get_ptr_mut(0).map(|passage| unsafe { &mut *passage })
}

/// Notes what is known of a packet before any rule is asked. False where there is nothing to ask. Not inlined: what
/// it takes of the stack is free again when the rules are asked.
#[inline(never)]
pub fn gather(skb: *mut __sk_buff, direction: u32, backend: u32, cgroup: u64) -> bool {
    if atomic::get(&SHARED.armed) == 0 {
        return false;
    }
    let Some(Run { base, count, .. }) = CALLS.get(PACKETS).map(|rules| read(&rules.run)) else {
        return false;
    };
    let Some(passage) = passage() else { return false };
    passage.packet.direction = direction;
    let Some(transport) = header::parse(skb, &mut passage.packet) else { return false };
    if config!(session.known) != 0 && config!(session).owns(&passage.packet) {
        return false;
    }
    passage.content = content::of(skb, &passage.packet, transport);
    passage.wire = Content::on_the_wire(&passage.packet, transport);
    if uses(USES_ANSWERS) {
        passage.parts = reject::place(skb, &passage.packet, transport);
        passage.answer = SILENCE;
    }
    passage.key.set(&passage.packet, 0);
    (passage.base, passage.count) = (base, u32::from(count));
    passage.backend = backend;
    (passage.effects, passage.asks) = (0, 0);
    passage.place = 0;
    (passage.due, passage.copy_due, passage.late, passage.queue) = (0, 0, 0, 0);
    passage.cgroup = cgroup;
    // SAFETY: no arguments.
    passage.now = unsafe { bpf_ktime_get_boot_ns() };
    passage.alive = u32::from(plan_alive(passage.now));
    true
}

/// Asks every packet rule, in order, what is to happen to the packet that was gathered.
#[inline(always)]
pub fn ask() -> Option<&'static mut Passage> {
    let count = passage()?.count;
    // SAFETY: the callback has the shape that the helper wants.
    unsafe { bpf_loop(count, consider as *mut c_void, core::ptr::null_mut(), 0) };
    passage()
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, _: *mut c_void) -> i64 {
    let Some(passage) = passage() else { return 1 };
    let Some(number) = SLOTS.get(passage.base + index as u32).map(|slot| slot.rule) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(number), COUNTERS.get(number)) else { return 1 };
    let Some(traffic) = TRAFFIC.get(number) else { return 1 };
    if !means(number, rule, passage) {
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
                (DELAYED, &traffic.delayed),
                (OVERTOOK, &traffic.reordered),
                (OVERFLOWED, &traffic.overflowed),
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

/// Does the rule mean the packet at hand?
#[inline(always)]
pub fn means(number: u32, rule: &Rule, passage: &mut Passage) -> bool {
    rule.packets.holds(number, &passage.packet, &mut passage.wanted) && dns::rule_means(number, rule, passage)
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
    if passage.backend == BACKEND_CGROUP_SKB && config!(line) != 0 && rule.netem.road & CARRIED_IN != 0 {
        // It should have come through the delay line, and here it can only be dropped.
        return Err(Reason::NoLine);
    }
    triggered(rule, Match { subject: 0, object: 0, number: nth })?;
    let mut fate = Fate { effects: LOST, number: 0, drawn: 0 };
    if uses(USES_ANSWERS) && answered(passage, rule) == IMPOSSIBLE {
        return Err(Reason::Unanswerable);
    }
    if rule.fault == FAULT_NETEM {
        passage.key.rule = number;
        let content = passage.damageable(rule) != 0;
        (passage.place, fate) =
            flow::next(&passage.key, &mut passage.class, rule, content).ok_or(Reason::NoState)?;
        if fate.effects == 0 {
            return Err(Reason::Probability);
        }
    }
    fate = fate.beside(passage.effects);
    if config!(line) != 0 && passage.backend != BACKEND_LINE {
        // A packet that waits is asked about in the delay line. One that is asked about here is answered.
        fate.effects &= !(DELAYED | OVERTOOK);
    } else if config!(line) != 0
        && fate.effects & DELAYED != 0
        && !line::has_room(number, rule, passage.packet.length)
    {
        fate.effects = LOST | OVERFLOWED;
    }
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
    passage.late = 0;
    if config!(line) != 0 && fate.effects & DELAYED != 0 {
        line::schedule(passage, (number, rule), fate);
    }
    let length = passage.damageable(rule);
    let unfixed = (rule.netem.road & UNFIXED) as u32;
    if fate.effects & CORRUPTED != 0 {
        passage.unfixed = unfixed;
        passage.bit = Netem::bit(rule.seed, passage.place, fate.number, false, length);
    }
    if fate.effects & COPY_CORRUPTED != 0 {
        passage.copy_unfixed = unfixed;
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
    let asked = rule.value.cast_unsigned() as u32;
    if rule.fault == FAULT_REJECT {
        answer(asked, &passage.packet, &passage.parts)
    } else if uses(USES_DNS) && rule.fault == FAULT_DNS {
        questions::answer(asked, &passage.packet, &passage.parts)
    } else {
        SILENCE
    }
}

/// Sends a copy ahead. It belongs to no socket, so it is nobody's when it passes here.
#[inline(always)]
pub fn double(skb: *mut __sk_buff, passage: &Passage) {
    let damaged = passage.effects & COPY_CORRUPTED != 0;
    let content = if passage.copy_unfixed == 0 { &passage.content } else { &passage.wire };
    if damaged {
        content::turn(skb, &passage.packet, content, passage.copy_bit);
    }
    // SAFETY: the program's own context and a field of it.
    if unsafe { bpf_clone_redirect(skb, (*skb).ifindex, 0) } < 0
        && let Some(traffic) = TRAFFIC.get(passage.doubler)
    {
        atomic::decrement(&traffic.duplicated);
    }
    if damaged {
        // And back: a copy is written to only after it was taken apart from the original.
        content::turn(skb, &passage.packet, content, passage.copy_bit);
    }
}
