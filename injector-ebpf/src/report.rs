//! One event per injection, into the ring buffer; what does not fit is counted.

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid, bpf_ktime_get_boot_ns,
        generated::{bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_probe_read_kernel},
    },
    maps::ring_buf::RingBufEntry,
};
use injector_common::{
    call::ABI_NONE,
    code::BackendCode,
    config::USES_RECORDS,
    event::{Event, ObjectEvent, PATH_TAIL, SCHEMA},
    netem::LOST,
    packet::Packet,
    rule::Rule,
    thread::Thread,
};

use crate::{
    atomic,
    calls::{call_ctx::CallCtx, pending},
    config::{config, uses},
    maps::{EVENTS, SHARED},
    objects::object::{Object, TEXT},
    packets::packet_ctx,
    task::{self, current},
    zeroes,
};

/// Is anybody told?
#[inline(always)]
pub fn wanted() -> bool {
    uses(USES_RECORDS)
}

/// Room for an event, or one more lost. It is written in place: the stack of a program and all that it
/// calls is 512 bytes (include/linux/filter.h, `MAX_BPF_STACK`).
#[inline(always)]
fn reserve<T: 'static>() -> Option<RingBufEntry<T>> {
    if !wanted() {
        return None;
    }
    let entry = EVENTS.reserve::<T>(0);
    if entry.is_none() {
        atomic::add(&SHARED.lost_events, 1);
    }
    entry
}

/// A call that got another result.
#[inline(always)]
pub fn call(of: (&CallCtx, *mut Thread), number: u32, rule: &Rule, decision: u64) {
    let Some(mut entry) = reserve::<Event>() else { return };
    // SAFETY: room for one event, ours until it is submitted.
    unsafe { tell(entry.as_mut_ptr(), of, number, rule, decision) };
    entry.submit(0);
}

/// A call that got another result, or an operation that failed (its number is `operation`, else 0), about
/// `object`.
#[inline(always)]
pub fn about(
    of: (&CallCtx, *mut Thread),
    (number, rule, decision): (u32, &Rule, u64),
    operation: u32,
    object: &Object,
) {
    let Some(mut entry) = reserve::<ObjectEvent>() else { return };
    // SAFETY: room for one event, ours until it is submitted; every field is written.
    unsafe {
        let event = entry.as_mut_ptr();
        tell(&raw mut (*event).event, of, number, rule, decision);
        (*event).event.operation = operation;
        (*event).socket = object.socket;
        (*event).path_length = object.length();
        (*event)._pad = 0;
        // By the helper: a copy by instructions would be as long as the path.
        let tail = (&raw const object.text).cast::<u8>().add(TEXT - PATH_TAIL);
        bpf_probe_read_kernel((&raw mut (*event).path).cast(), PATH_TAIL as u32, tail.cast());
    }
    entry.submit(0);
}

/// What is told of every fault that a task meets.
///
/// # Safety
/// There has to be room for an event; every field of it is written.
#[inline(always)]
unsafe fn tell(
    event: *mut Event,
    (ctx, state): (&CallCtx, *mut Thread),
    number: u32,
    rule: &Rule,
    decision: u64,
) {
    let task = current();
    let pid_tgid = bpf_get_current_pid_tgid();
    // SAFETY: the caller's.
    unsafe {
        (*event).schema = SCHEMA;
        (*event).rule = number;
        (*event).time = ctx.now;
        (*event).plan = config!(plan);
        (*event).pid = (pid_tgid >> 32) as u32;
        (*event).tid = pid_tgid as u32;
        (*event).ns_pid = task::number_in_namespace(task::leader(task).cast());
        (*event).ns_tid = task::number_in_namespace(task.cast());
        bpf_get_current_comm((&raw mut (*event).comm).cast(), 16);
        (*event).cgroup = bpf_get_current_cgroup_id();
        (*event).backend = ctx.backend;
        (*event).abi = ctx.call.abi;
        (*event).call = ctx.call.number;
        (*event).signal = rule.signal;
        (*event).decision = decision;
        (*event).subject = ctx.tree_position;
        (*event).value = ctx.value;
        (*event).outcome = ctx.outcome;
        [(*event).delay_enter, (*event).delay_exit] = pending::drawn(state);
        (*event).fault = rule.fault;
        (*event).moment = rule.moment;
        (*event).operation = 0;
        (*event)._pad = 0;
        ctx.call.args(&mut (*event).args);
        zeroes::fill(&raw mut (*event).packet);
    }
}

/// A packet that met something.
#[inline(always)]
pub fn packet(ctx: &packet_ctx::PacketCtx, (number, rule): (u32, &Rule), decision: u64) {
    let Some(mut entry) = reserve::<Event>() else { return };
    // SAFETY: as in `call`.
    unsafe {
        let event = entry.as_mut_ptr();
        // What is not said below is about tasks.
        zeroes::fill(event);
        (*event).schema = SCHEMA;
        (*event).rule = number;
        (*event).time = ctx.now;
        (*event).plan = config!(plan);
        (*event).cgroup = ctx.cgroup;
        (*event).backend = ctx.backend;
        (*event).decision = decision;
        (*event).fault = rule.fault;
        (*event).value = i64::from(ctx.verdict.effects);
        (*event).subject = ctx.flow;
        (*event).args[0] = ctx.verdict.number;
        (*event).args[1] = ctx.late;
        (*event).args[2] = if ctx.verdict.effects & LOST != 0 { u64::from(ctx.answer) } else { 0 };
        (*event).packet = ctx.packet;
    }
    entry.submit(0);
}

/// A connection that was refused.
#[inline(always)]
pub fn refused(peer: &Packet, (number, rule): (u32, &Rule), decision: u64) {
    let Some(mut entry) = reserve::<Event>() else { return };
    let pid_tgid = bpf_get_current_pid_tgid();
    // SAFETY: as in `call`; the helpers take no arguments, or room for 16 bytes.
    unsafe {
        let event = entry.as_mut_ptr();
        zeroes::fill(event);
        (*event).schema = SCHEMA;
        (*event).rule = number;
        (*event).time = bpf_ktime_get_boot_ns();
        (*event).plan = config!(plan);
        (*event).pid = (pid_tgid >> 32) as u32;
        (*event).tid = pid_tgid as u32;
        let task = current();
        (*event).ns_pid = task::number_in_namespace(task::leader(task).cast());
        (*event).ns_tid = task::number_in_namespace(task.cast());
        bpf_get_current_comm((&raw mut (*event).comm).cast(), 16);
        (*event).cgroup = bpf_get_current_cgroup_id();
        (*event).backend = BackendCode::CGROUP_CONNECT;
        (*event).abi = ABI_NONE;
        (*event).decision = decision;
        (*event).fault = rule.fault;
        (*event).value = rule.value;
        (*event).packet = *peer;
    }
    entry.submit(0);
}
