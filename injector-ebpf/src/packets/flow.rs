//! The flow that a packet belongs to: found or made, and taken one packet further.

use core::sync::atomic::AtomicU64;

use injector_common::{
    flow::{Flow, FlowClass, FlowKey},
    netem::{Fate, State},
    rule::Rule,
};

use crate::{
    atomic,
    maps::{FLOWS, ORDER},
};

/// Only if it is not there yet.
const NOEXIST: u64 = 1;

/// What happens to the next packet of a flow, and who the flow is. `None` where the kernel has no room for
/// it, or too many CPUs count in it at the same time.
#[inline(always)]
pub fn next(key: &FlowKey, class: &mut FlowClass, rule: &Rule, content: bool) -> Option<(u64, Fate)> {
    /// Whoever fails has seen another packet of this very flow succeed.
    const ROUNDS: u32 = 4;
    let mut flow = FLOWS.get_ptr_mut(key);
    if flow.is_none() {
        meet(key, class);
        flow = FLOWS.get_ptr_mut(key);
    }
    let flow = flow?;
    // SAFETY: a value of the map, aligned, and valid while the program runs.
    let (id, cell) = unsafe { ((*flow).id, AtomicU64::from_ptr(&raw mut (*flow).state)) };
    for _ in 0..ROUNDS {
        let seen = atomic::get(cell);
        let (after, fate) = rule.netem.next(rule.seed, id, State(seen), content);
        if atomic::compare_exchange(cell, seen, after.0) == seen {
            return Some((id, fate));
        }
    }
    None
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
    let flow = Flow { id: class.flow_id(nth), state: 0, last: 0 };
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
