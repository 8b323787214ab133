//! A packet on its way past the rules: what is noted of it before any is asked, and what they make of it.

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::{bpf_ktime_get_boot_ns, generated::bpf_map_lookup_elem},
    macros::map,
    maps::PerCpuArray,
};
use injector_common::{
    address_set::{Element, Sets},
    call::{PACKETS, Run},
    code::BackendCode,
    config::USES_ANSWERS,
    flow::{FlowClass, FlowKey},
    netem::{UNFIXED, VIA_DELAY_LINE_IN, Verdict},
    packet::Packet,
    reject::{Layout, SILENCE},
    rule::Rule,
};

use crate::{
    atomic,
    config::{config, uses},
    maps::{ADDRESS_SETS, CALLS, SHARED, plan_alive, read},
    packets::{
        content::{self, Content},
        header, layout,
    },
};

/// A packet on its way past the rules.
pub struct PacketCtx {
    /// What is known of the packet.
    pub packet: Packet,
    /// Its flow, as the rule at hand counts it.
    pub key: FlowKey,
    /// The flow's class, while a flow is new.
    pub class: FlowClass,
    /// The part that can be damaged so that the receiver does not notice (`corrupt … fixed`).
    pub content: Content,
    /// The part that can be damaged so that the receiver does notice (`corrupt`).
    pub wire: Content,
    /// The first slot of the rules on packets.
    pub base: u32,
    /// How many rules on packets there are.
    pub count: u32,
    /// Which mechanism asks.
    pub backend: BackendCode,
    /// What happens to it so far: bits of [`injector_common::netem`].
    pub effects: u32,
    /// What the rule at hand does to it, and by which draw; see [`PacketCtx::at_hand`].
    pub verdict: Verdict,
    /// When it was seen: `CLOCK_BOOTTIME`, nanoseconds.
    pub now: u64,
    /// Does the plan still act? Not 0 if so.
    pub alive: u32,
    /// The bits that are turned in it and in its copy.
    pub bit: u32,
    pub copy_bit: u32,
    /// Is the damage to leave the checksum wrong? Not 0 if so.
    pub unfixed: u32,
    pub copy_unfixed: u32,
    /// The rule that doubled it.
    pub doubler: u32,
    /// What an answer to it depends on.
    pub layout: Layout,
    /// What is sent back in its stead, see [`injector_common::reject`]; [`SILENCE`] for nothing.
    pub answer: u32,
    /// The rule that says so.
    pub answerer: u32,
    /// Is it a question for a name that was read? Not 0 if so.
    pub asks: u32,
    /// Its cgroup, where that is known.
    pub cgroup: u64,
    /// The flow, as the last rule that fired found it.
    pub flow: u64,
    /// When the packet is due, nanoseconds of `CLOCK_MONOTONIC`; 0 for at once.
    pub due: u64,
    /// When its copy is due; 0 for at once.
    pub copy_due: u64,
    /// How long that is from now, nanoseconds.
    pub late: u64,
    /// The number of the rule that it waits for, from 1; 0 for none.
    pub queue: u32,
    /// Did a rule mean it? Not 0 if so.
    pub meant: u32,
    /// Is there a rule for which it goes through the delay line? Not 0 if so.
    pub via_delay_line: u32,
    /// Bits of [`Netem::via`] that are about such a packet.
    pub via: u64,
    /// Which of them are closed: such a rule means it, and can do nothing.
    pub barred: u64,
    /// What is looked up.
    pub wanted: Wanted,
}

impl PacketCtx {
    /// Does the rule at hand do one of these?
    ///
    /// Read from memory each time, of which the verifier knows nothing: what it learns of a number in a register at one
    /// branch, it keeps apart at the next, and six branches are 64 ways. That was a third of what it takes to load the
    /// programs on packets on Linux 6.12.
    #[inline(always)]
    pub fn at_hand(&self, effects: u32) -> bool {
        // SAFETY: a field of this structure.
        let all = unsafe { (&raw const self.verdict.effects).read_volatile() };
        all & effects != 0
    }

    /// Bytes that the rule can damage.
    #[inline(always)]
    pub fn damageable(&self, rule: &Rule) -> u32 {
        if rule.netem.via & UNFIXED == 0 { self.content.length } else { self.wire.length }
    }
}

/// An address or a port that is looked up in a rule's sets. The key stands here, since the stack is short.
pub struct Wanted(Element);

impl Wanted {
    /// Nothing yet.
    pub const NOTHING: Self = Self(Element { bits: 0, set: 0, value: [0; 16] });
}

impl Sets for Wanted {
    #[inline(always)]
    fn have(&mut self, wanted: Element) -> bool {
        self.0 = wanted;
        // SAFETY: a map, and a key of its size.
        let found = unsafe {
            bpf_map_lookup_elem((&raw const ADDRESS_SETS).cast_mut().cast(), (&raw const self.0).cast())
        };
        !found.is_null()
    }
}

/// Of each CPU the packet at hand. Not on the stack: there the verifier would follow every value that the rules
/// before may have left. Programs on packets run with softirqs off, so none finds another's here; the run for a
/// copy ends before it gets here.
#[map]
static PACKET_CTX: PerCpuArray<PacketCtx> = PerCpuArray::with_max_entries(1, 0);

/// This CPU's own. Not to be held across a loop, whose callback asks for it, too.
#[inline(always)]
pub fn packet_ctx() -> Option<&'static mut PacketCtx> {
    // SAFETY: nobody else uses it while a program on packets runs, see there.
    PACKET_CTX.get_ptr_mut(0).map(|packet_ctx| unsafe { &mut *packet_ctx })
}

/// Notes what is known of a packet before any rule is asked. False where there is nothing to ask.
#[inline(always)]
pub fn gather(skb: *mut __sk_buff, direction: u32, backend: BackendCode, cgroup: u64) -> bool {
    if packet_gather(skb, direction, cgroup) == 0 {
        return false;
    }
    let Some(packet_ctx) = packet_ctx() else { return false };
    packet_ctx.backend = backend;
    // What meets its socket without having come through the delay line can only be dropped.
    packet_ctx.barred =
        if backend == BackendCode::CGROUP_SKB && config!(delay_line) != 0 { VIA_DELAY_LINE_IN } else { 0 };
    true
}

/// Notes what does not depend on who asks: 1 where there is something to ask. A global function, see
/// [`crate::packets::verdict`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_gather(skb: *mut __sk_buff, direction: u32, cgroup: u64) -> u32 {
    if atomic::get(&SHARED.armed) == 0 {
        return 0;
    }
    let Some(Run { base, count, .. }) = CALLS.get(PACKETS).map(|rules| read(&rules.run)) else {
        return 0;
    };
    let Some(packet_ctx) = packet_ctx() else { return 0 };
    packet_ctx.packet.direction = direction;
    let Some(transport) = header::parse(skb, &mut packet_ctx.packet) else { return 0 };
    if config!(session.known) != 0 && config!(session).owns(&packet_ctx.packet) {
        return 0;
    }
    packet_ctx.content = content::of(skb, &packet_ctx.packet, transport);
    packet_ctx.wire = Content::on_the_wire(&packet_ctx.packet, transport);
    if uses(USES_ANSWERS) {
        packet_ctx.layout = layout::of(skb, &packet_ctx.packet, transport);
        packet_ctx.answer = SILENCE;
    }
    packet_ctx.key.set(&packet_ctx.packet, 0);
    (packet_ctx.base, packet_ctx.count) = (base, u32::from(count));
    (packet_ctx.effects, packet_ctx.asks, packet_ctx.meant) = (0, 0, 0);
    packet_ctx.flow = 0;
    (packet_ctx.due, packet_ctx.copy_due, packet_ctx.late, packet_ctx.queue) = (0, 0, 0, 0);
    packet_ctx.cgroup = cgroup;
    // SAFETY: no arguments.
    packet_ctx.now = unsafe { bpf_ktime_get_boot_ns() };
    packet_ctx.alive = u32::from(plan_alive(packet_ctx.now));
    1
}
