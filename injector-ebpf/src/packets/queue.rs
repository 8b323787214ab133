//! When a packet that waits is due, and whether there is room for it in the queue of its rule.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use injector_common::{
    cell::Cell,
    delay::UNIFORM,
    netem::DUPLICATED,
    packet::{INGRESS, Packet},
    queue::{Queue, step},
    random::Draws,
    rule::Rule,
    timing::ORDERED,
};

use crate::{
    atomic,
    maps::{DISTRIBUTIONS, QUEUES, RULES},
    packets::{flow, packet_ctx::packet_ctx},
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

/// Notes in the context when the packet at hand is due by rule `number`, which stands at `entry`, and its copy. 0 if there
/// is no queue for it. A global function, see [`crate::packets::verdict`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_schedule(number: u32, entry: u32) -> u32 {
    let (Some(ctx), Some(rule), Some(queue)) = (packet_ctx(), RULES.get(entry), QUEUES.get(number)) else {
        return 0;
    };
    let verdict = ctx.verdict;
    let timing = &rule.netem.timing;
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let table = if timing.delay.table == UNIFORM { None } else { DISTRIBUTIONS.get(timing.delay.table) };
    let draws = |number| Draws { seed: rule.seed, flow: ctx.flow, number };
    let late = timing.late(draws(verdict.drawn), table, false);
    let copy_late = timing.late(draws(verdict.number), table, true);
    if verdict.effects & DUPLICATED != 0 {
        ctx.copy_due = packet_departure(number, entry, now, copy_late);
    }
    ctx.due = packet_departure(number, entry, now, late);
    ctx.late = ctx.due - now;
    ctx.queue = number + 1;
    atomic::add(&queue.added, ctx.late);
    if let Some(cell) = queue.delays.get(step(ctx.late)) {
        atomic::add(cell, 1);
    }
    1
}

/// When the packet at hand leaves the wire of rule `number`, which stands at `entry`, if it comes `now` and is to be so
/// `late`. A global function, see [`crate::packets::verdict`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_departure(number: u32, entry: u32, now: u64, late: u64) -> u64 {
    /// Whoever fails has seen another packet of the rule succeed; the last one goes as if it were alone.
    const ROUNDS: u32 = 4;
    let (Some(ctx), Some(rule), Some(queue)) = (packet_ctx(), RULES.get(entry), QUEUES.get(number)) else {
        return now;
    };
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
