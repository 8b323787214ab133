//! One event per injection, into the ring buffer; what does not fit is counted.

use aya_ebpf::{
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns},
    maps::ring_buf::RingBufEntry,
};
use injector_common::{
    call::ABI_NATIVE,
    event::{Event, SCHEMA},
    packet::Packet,
    rule::Rule,
};

use crate::{
    atomic,
    maps::{EVENTS, SHARED, config},
    rules::Passage,
    task,
};

/// Room for an event, or one more lost.
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
    entry.write(Event {
        schema: SCHEMA,
        rule: number,
        time: passage.now,
        plan: config!(plan),
        pid: (pid_tgid >> 32) as u32,
        tid: pid_tgid as u32,
        ns_pid: task::number_in_namespace(task::leader(passage.task).cast()),
        ns_tid: task::number_in_namespace(passage.task.cast()),
        comm: bpf_get_current_comm().unwrap_or_default(),
        cgroup: task::cgroup_number(passage.task),
        backend: passage.backend,
        abi: passage.call.abi,
        call: passage.call.number,
        _pad: 0,
        decision,
        place: passage.place,
        value: rule.value,
        args: passage.call.args(),
        packet: Packet::default(),
    });
    entry.submit(0);
}

/// A packet that was dropped.
#[inline(always)]
pub fn packet(packet: &Packet, backend: u32, cgroup: u64, number: u32, decision: u64) {
    let Some(mut entry) = reserve() else { return };
    entry.write(Event {
        schema: SCHEMA,
        rule: number,
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        plan: config!(plan),
        pid: 0,
        tid: 0,
        ns_pid: 0,
        ns_tid: 0,
        comm: [0; 16],
        cgroup,
        backend,
        abi: ABI_NATIVE,
        call: 0,
        _pad: 0,
        decision,
        place: 0,
        value: 0,
        args: [0; 6],
        packet: *packet,
    });
    entry.submit(0);
}
