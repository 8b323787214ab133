//! The delay line: a pair of devices that a packet of a target makes a detour through when its rules want time, or
//! what it is on the wire. One end (near) is in the target's network namespace, the other (far) in one of the
//! injector's own, where a queue (fq) keeps each packet until it is due.
//!
//! device's egress → [`enter`] clones into near → … far: [`line_decide`] → far's egress: [`line_stamp`] → queue → …
//! near: [`line_return`] → the device that it was about to leave by, or lo.
//!
//! What comes in takes the same way (see [`crate::packets::inbound`]), and at its end comes in by its device once more.
//!
//! What goes in is a clone, which belongs to no socket: TCP would not send on while a socket's own packets wait
//! (net/ipv4/tcp_output.c, `tcp_small_queue_check`). The original is freed in silence.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{
        bpf_clone_redirect, bpf_loop, bpf_redirect, bpf_redirect_neigh, bpf_skb_change_type,
    },
};
use injector_common::{
    code::{BackendCode, FaultCode},
    config::USES_ANSWERS,
    netem::{CORRUPTED, DUPLICATED, LOST, SPLIT, VIA_DELAY_LINE, VIA_DELAY_LINE_IN},
    packet::{EGRESS, INGRESS},
};

use crate::{
    atomic,
    config::{config, uses},
    maps::{QUEUES, RULES, SLOTS},
    packets::{
        emit,
        packet_ctx::{self, PacketCtx},
        tc::{self, BPF_F_INGRESS, LOOPBACK, TC_DROP, TC_NEXT},
        verdict,
    },
};

/// Words of a packet's `cb` on its way. The queue writes into the first twelve bytes (net/sched/sch_fq.c,
/// `fq_skb_cb`), so what has to come back is behind them. In the first two words: the cgroup on the way to
/// [`line_decide`], then the time at which the packet is due.
const LOW: usize = 0;
const HIGH: usize = 1;
const DEVICE: usize = 3;
const MARK: usize = 4;

/// Beside the device's number: the packet comes in by it. (Numbers are positive to the kernel.)
const COMES_IN: u32 = 1 << 31;

/// Does a rule want the packet that was gathered to go through the line?
#[inline(always)]
pub fn wanted(skb: *mut __sk_buff) -> Option<&'static mut PacketCtx> {
    if config!(delay_line) == 0 {
        return None;
    }
    let ctx = packet_ctx::packet_ctx().filter(|ctx| ctx.alive != 0)?;
    // SAFETY: a field of the context.
    let several = ctx.packet.protocol == 6 || unsafe { (*skb).gso_segs } > 1;
    ctx.via = match ctx.packet.direction {
        INGRESS => VIA_DELAY_LINE_IN,
        _ if several => VIA_DELAY_LINE | SPLIT,
        _ => VIA_DELAY_LINE,
    };
    ctx.via_delay_line = 0;
    let count = ctx.count;
    // SAFETY: the callback has the shape that the helper wants.
    unsafe { bpf_loop(count, seek as *mut c_void, core::ptr::null_mut(), 0) };
    packet_ctx::packet_ctx().filter(|ctx| ctx.via_delay_line != 0)
}

/// One rule of the loop: notes whether there is one for which the packet has to go through the line, unless one
/// answers it, which is done where the packet is about to leave.
unsafe extern "C" fn seek(index: u64, _: *mut c_void) -> i64 {
    let Some(ctx) = packet_ctx::packet_ctx() else { return 1 };
    let Some((number, entry)) = SLOTS.get(ctx.base + index as u32).map(|slot| (slot.rule, slot.entry)) else {
        return 1;
    };
    let Some(rule) = RULES.get(entry) else { return 1 };
    let answers = uses(USES_ANSWERS) && matches!(rule.fault, FaultCode::REJECT | FaultCode::DNS);
    if !answers && (ctx.via_delay_line != 0 || rule.netem.via & ctx.via == 0) {
        return 0;
    }
    if verdict::packet_matches(number, entry) == 0 {
        return 0;
    }
    ctx.via_delay_line = u32::from(!answers);
    i64::from(answers)
}

/// Sends a clone of the packet, which is about to leave, into the line. False where that cannot be: its device has
/// no header of Ethernet, or there is no memory.
#[inline(always)]
pub fn enter(skb: *mut __sk_buff, cgroup: u64) -> bool {
    carry(skb, cgroup, 0)
}

/// The same for one that comes in.
#[inline(always)]
pub fn enter_inbound(skb: *mut __sk_buff) -> bool {
    carry(skb, 0, COMES_IN)
}

/// Sends a clone into the line, if that is possible.
#[inline(always)]
fn carry(skb: *mut __sk_buff, cgroup: u64, direction: u32) -> bool {
    set(skb, cgroup);
    // SAFETY: fields of the context that a classifier may read and write; its own context.
    unsafe {
        (*skb).cb[DEVICE] = (*skb).ifindex | direction;
        (*skb).cb[MARK] = (*skb).mark;
        bpf_clone_redirect(skb, config!(delay_line), 0) >= 0
    }
}

/// Packets that come to the far end, each as it is on the wire: what happens to them, and when.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/line_decide")]
pub extern "C" fn line_decide(skb: *mut __sk_buff) -> i64 {
    let cgroup = get(skb);
    set(skb, 0);
    // SAFETY: fields of the context that a classifier may read and write.
    let (device, far) = unsafe {
        (*skb).tc_index = 0;
        ((*skb).cb[DEVICE], (*skb).ifindex)
    };
    let direction = if device & COMES_IN == 0 { EGRESS } else { INGRESS };
    if packet_ctx::gather(skb, direction, BackendCode::DELAY_LINE, cgroup)
        && let Some(ctx) = packet_ctx::packet_ctx()
    {
        ctx.packet.ifindex = device & !COMES_IN;
        let Some(ctx) = verdict::ask() else { return TC_DROP };
        if ctx.effects & DUPLICATED != 0 {
            line_send_off(skb, ctx.queue, ctx.copy_due);
            if !emit::double(skb, ctx) {
                leave_queue(skb, ctx.queue);
            }
            set(skb, 0);
        }
        if ctx.effects & LOST != 0 {
            return TC_DROP;
        }
        if ctx.effects & CORRUPTED != 0 {
            emit::damage(skb, ctx);
        }
        line_send_off(skb, ctx.queue, ctx.due);
    }
    // SAFETY: no pointers.
    unsafe { bpf_redirect(far, 0) }
}

/// Notes when the packet is due, and whose it is: 1 if it waits in a queue. A global function, see
/// [`crate::packets::verdict`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn line_send_off(skb: *mut __sk_buff, queue: u32, due: u64) -> u32 {
    set(skb, due);
    // SAFETY: a field of the context that a classifier may write.
    unsafe { (*skb).tc_index = queue };
    let Some(queue) = QUEUES.get(queue.wrapping_sub(1)) else { return 0 };
    atomic::add(&queue.waiting, 1);
    // SAFETY: a field of the context.
    atomic::add(&queue.bytes, u64::from(unsafe { (*skb).len }));
    1
}

/// It waits no more.
#[inline(always)]
fn leave_queue(skb: *mut __sk_buff, queue: u32) {
    if let Some(queue) = QUEUES.get(queue.wrapping_sub(1)) {
        atomic::decrement(&queue.waiting);
        // SAFETY: a field of the context.
        atomic::subtract(&queue.bytes, u64::from(unsafe { (*skb).len }));
    }
}

/// Packets that leave the far end: the queue behind it wants their time in the packet itself.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/line_stamp")]
pub extern "C" fn line_stamp(skb: *mut __sk_buff) -> i64 {
    let due = get(skb);
    if due != 0 {
        // SAFETY: a field of the context that a classifier may write.
        unsafe { (*skb).tstamp = due };
    }
    TC_NEXT
}

/// Packets that are back at the near end: they go where they were about to go, or came from.
#[unsafe(no_mangle)]
#[unsafe(link_section = "classifier/line_return")]
pub extern "C" fn line_return(skb: *mut __sk_buff) -> i64 {
    // SAFETY: fields of the context that a classifier may read and write; its own context.
    unsafe {
        leave_queue(skb, (*skb).tc_index);
        let (device, comes_in) = ((*skb).cb[DEVICE] & !COMES_IN, (*skb).cb[DEVICE] & COMES_IN != 0);
        (*skb).tc_index = if comes_in { tc::mark() } else { 0 };
        (*skb).mark = (*skb).cb[MARK];
        // To the near end's own address it is a stranger's.
        bpf_skb_change_type(skb, 0);
        if device == LOOPBACK {
            // What comes in by lo has to know its route already, which the way through the line has cost it.
            return bpf_redirect_neigh(LOOPBACK, core::ptr::null_mut(), 0, 0);
        }
        bpf_redirect(device, if comes_in { BPF_F_INGRESS } else { 0 })
    }
}

/// The two words in front.
#[inline(always)]
fn get(skb: *mut __sk_buff) -> u64 {
    // SAFETY: fields of the context.
    unsafe { u64::from((*skb).cb[LOW]) | u64::from((*skb).cb[HIGH]) << 32 }
}

#[inline(always)]
fn set(skb: *mut __sk_buff, value: u64) {
    // SAFETY: fields of the context that a classifier may write.
    unsafe {
        (*skb).cb[LOW] = value as u32;
        (*skb).cb[HIGH] = (value >> 32) as u32;
    }
}
