//! One event per injection, into the ring buffer; what does not fit is counted.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns, generated::bpf_get_current_comm},
    maps::ring_buf::RingBufEntry,
};
use injector_common::{
    event::{Event, SCHEMA},
    netem::Fate,
    packet::Packet,
    rule::Rule,
};

use crate::{
    atomic,
    maps::{EVENTS, SHARED, config},
    packet,
    rules::Passage,
    task,
};

/// Room for an event, or one more lost. It is written in place: the stack of a program and all that it
/// calls is 512 bytes (include/linux/filter.h, `MAX_BPF_STACK`).
#[inline(always)]
fn reserve() -> Option<RingBufEntry<Event>> {
    let entry = EVENTS.reserve::<Event>(0);
    if entry.is_none() {
        atomic::add(&SHARED.lost_events, 1);
    }
    entry
}

/// A call that got another result.
#[inline(always)]
pub fn call(passage: &Passage, number: u32, rule: &Rule, decision: u64) {
    let Some(mut entry) = reserve() else { return };
    let pid_tgid = bpf_get_current_pid_tgid();
    // SAFETY: room for one event, ours until it is submitted; every field is written.
    unsafe {
        let event = entry.as_mut_ptr();
        (*event).schema = SCHEMA;
        (*event).rule = number;
        (*event).time = passage.now;
        (*event).plan = config!(plan);
        (*event).pid = (pid_tgid >> 32) as u32;
        (*event).tid = pid_tgid as u32;
        (*event).ns_pid = task::number_in_namespace(task::leader(passage.task).cast());
        (*event).ns_tid = task::number_in_namespace(passage.task.cast());
        bpf_get_current_comm((&raw mut (*event).comm).cast(), 16);
        (*event).cgroup = task::cgroup_number(passage.task);
        (*event).backend = passage.backend;
        (*event).abi = passage.call.abi;
        (*event).call = passage.call.number;
        (*event).signal = rule.signal;
        (*event).decision = decision;
        (*event).place = passage.place;
        (*event).value = passage.value;
        (*event).outcome = passage.outcome.unwrap_or_default();
        (*event).fault = rule.fault;
        (*event).moment = rule.moment;
        passage.call.args(&mut (*event).args);
        (*event).packet = Packet::default();
    }
    entry.submit(0);
}

/// A packet that met something.
#[inline(always)]
pub fn packet(passage: &packet::Passage, (number, rule): (u32, &Rule), decision: u64, fate: Fate) {
    let Some(mut entry) = reserve() else { return };
    // SAFETY: as in `call`; the clock has no arguments.
    unsafe {
        let event = entry.as_mut_ptr();
        // What is not said below is about tasks.
        event.write_bytes(0, 1);
        (*event).schema = SCHEMA;
        (*event).rule = number;
        (*event).time = bpf_ktime_get_boot_ns();
        (*event).plan = config!(plan);
        (*event).cgroup = passage.cgroup;
        (*event).backend = passage.backend;
        (*event).decision = decision;
        (*event).fault = rule.fault;
        (*event).value = i64::from(fate.effects);
        (*event).place = passage.place;
        (*event).args[0] = fate.number;
        (*event).packet = passage.packet;
    }
    entry.submit(0);
}
