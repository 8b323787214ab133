//! The flow that a packet belongs to: found or made, and taken one packet further.

use core::sync::atomic::AtomicU64;

use injector_common::{
    flow::{Flow, FlowClass, FlowKey},
    netem::State,
};

use crate::{
    atomic,
    maps::{FLOWS, ORDER, RULES},
    packets::packet_ctx::{PacketCtx, packet_ctx},
    zeroes,
};

/// Only if it is not there yet.
const NOEXIST: u64 = 1;

/// Makes the flow of the packet at hand, if it is seen for the first time.
#[inline(always)]
pub fn find(ctx: &mut PacketCtx) {
    let key = &ctx.key;
    if FLOWS.get_ptr_mut(key).is_none() {
        meet(key, &mut ctx.class);
    }
}

/// Takes that flow one packet further for the rule that stands at `entry`, and notes who it is and what happens to the
/// packet. False where the kernel has no room for the flow, or too many CPUs count in it at the same time.
#[inline(always)]
pub fn advance(entry: u32) -> bool {
    /// Whoever fails has seen another packet of this very flow succeed.
    const ROUNDS: u32 = 4;
    (0..ROUNDS).any(|_| flow_advance(entry) != 0)
}

/// One attempt at that: 1 if no other CPU was faster. A global function, see [`crate::packets::verdict`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn flow_advance(entry: u32) -> u32 {
    let (Some(ctx), Some(rule)) = (packet_ctx(), RULES.get(entry)) else { return 0 };
    // By reference: a key on the stack would take a tenth of it.
    let key = &ctx.key;
    let Some(flow) = FLOWS.get_ptr_mut(key) else { return 0 };
    // SAFETY: a value of the map, aligned, and valid while the program runs.
    let (id, cell) = unsafe { ((*flow).id, AtomicU64::from_ptr(&raw mut (*flow).state)) };
    let seen = atomic::get(cell);
    let content = ctx.damageable(rule) != 0;
    let (after, verdict) = rule.netem.next(rule.seed, id, State(seen), content);
    if atomic::compare_exchange(cell, seen, after.0) != seen {
        return 0;
    }
    (ctx.flow, ctx.verdict) = (id, verdict);
    1
}

/// When a packet leaves that would leave at `due`, if none of its flow is to overtake another.
#[inline(always)]
pub fn behind(key: &FlowKey, due: u64) -> u64 {
    let Some(flow) = FLOWS.get_ptr_mut(key) else { return due };
    // SAFETY: a value of the map, aligned, and valid while the program runs.
    atomic::raise(unsafe { AtomicU64::from_ptr(&raw mut (*flow).last) }, due)
}

/// Makes a flow that is seen for the first time.
#[inline(always)]
fn meet(key: &FlowKey, class: &mut FlowClass) {
    class.set(key);
    let Some(counter) = counter(class) else { return };
    // SAFETY: a value of the map, aligned, and valid while the program runs.
    let nth = atomic::fetch_add(unsafe { AtomicU64::from_ptr(counter) }, 1);
    let flow = Flow { id: class.flow_id(nth), state: 0, last: u64::from(zeroes::word()) };
    // If another packet was faster, its flow is the one.
    let _ = FLOWS.insert(key, flow, NOEXIST);
}

#[inline(always)]
fn counter(class: &FlowClass) -> Option<*mut u64> {
    if let Some(counter) = ORDER.get_ptr_mut(class) {
        return Some(counter);
    }
    let _ = ORDER.insert(class, 0, NOEXIST);
    ORDER.get_ptr_mut(class)
}
