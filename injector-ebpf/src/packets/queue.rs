//! When a packet that waits is due, and whether there is room for it in the queue of its rule.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use injector_common::{
    cell::Cell,
    delay::UNIFORM,
    netem::{DUPLICATED, Fate},
    packet::{INGRESS, Packet},
    queue::{Queue, step},
    random::Draws,
    rule::Rule,
    timing::ORDERED,
};

use crate::{
    atomic,
    maps::{DISTRIBUTIONS, QUEUES},
    packets::{flow, packet_ctx::PacketCtx},
};

/// Bytes of Ethernet's header, which every packet in the line has.
const ETHERNET: u64 = 14;

/// Is there room for one more packet of the rule, and would it not wait too long for those before it?
#[inline(always)]
pub fn has_room(number: u32, rule: &Rule, packet: &Packet) -> bool {
    let timing = &rule.netem.timing;
    QUEUES.get(number).is_some_and(|queue| {
        let filled = atomic::get(&queue.bytes) + u64::from(packet.length) + ETHERNET;
        // SAFETY: no arguments.
        let latest = unsafe { bpf_ktime_get_ns() } + timing.longest;
        atomic::get(&queue.waiting) < timing.limit
            && filled <= timing.room
            && atomic::get(wire(queue, packet.direction)) <= latest
    })
}

/// Each direction has a wire of its own.
#[inline(always)]
fn wire(queue: &Queue, direction: u32) -> &Cell {
    if direction == INGRESS { &queue.busy_in } else { &queue.busy }
}

/// When the packet of that fate is due by the rule, and its copy; notes it in the context.
#[inline(always)]
pub fn schedule(ctx: &mut PacketCtx, (number, rule): (u32, &Rule), fate: Fate) {
    let Some(queue) = QUEUES.get(number) else { return };
    let timing = &rule.netem.timing;
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let table = if timing.delay.table == UNIFORM { None } else { DISTRIBUTIONS.get(timing.delay.table) };
    let draws = |number| Draws { seed: rule.seed, flow: ctx.flow, number };
    let late = timing.late(draws(fate.drawn), table, false);
    let copy_late = timing.late(draws(fate.number), table, true);
    if fate.effects & DUPLICATED != 0 {
        ctx.copy_due = departure(ctx, queue, rule, now, copy_late);
    }
    ctx.due = departure(ctx, queue, rule, now, late);
    ctx.late = ctx.due - now;
    ctx.queue = number + 1;
    atomic::add(&queue.added, ctx.late);
    if let Some(cell) = queue.delays.get(step(ctx.late)) {
        atomic::add(cell, 1);
    }
}

/// When a packet leaves the rule's wire that comes `now` and is to be so late.
#[inline(always)]
fn departure(ctx: &PacketCtx, queue: &Queue, rule: &Rule, now: u64, late: u64) -> u64 {
    /// Whoever fails has seen another packet of the rule succeed; the last one goes as if it were alone.
    const ROUNDS: u32 = 4;
    let timing = &rule.netem.timing;
    let mut due = now + late;
    if timing.rate.bytes != 0 {
        let wire = wire(queue, ctx.packet.direction);
        for _ in 0..ROUNDS {
            let busy = atomic::get(wire);
            let passed = timing.rate.departure(now, busy, late, ctx.packet.length);
            due = timing.rate.leaves(passed, now + late);
            if atomic::compare_exchange(wire, busy, passed) == busy {
                break;
            }
        }
    }
    if timing.flags & ORDERED != 0 { flow::behind(&ctx.key, due) } else { due }
}
