//! Connections that are refused: the hooks of a cgroup in connect(2), where a program says the error, before any
//! packet is made. TCP, and UDP where a peer is named once and for all.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::bpf_sock_addr,
    helpers::{
        bpf_ktime_get_boot_ns,
        generated::{bpf_loop, bpf_set_retval},
    },
};
use injector_common::{
    call::PACKETS,
    counters::Reason,
    decide::{Decision, Match, decide},
    packet::{CONNECT, Packet, mapped},
};

use crate::{
    atomic,
    config::config,
    maps::{CALLS, COUNTERS, RULES, SHARED, SLOTS, plan_alive, read, standing, suppress},
    packets::{ownership::SOCKETS, packet_ctx::Wanted},
    report, trace,
};

/// A socket on its way past the rules. On the stack: these programs can be interrupted by those on packets.
struct ConnectCtx {
    peer: Packet,
    base: u32,
    alive: u32,
    /// Has a rule decided? Not 0 if so.
    decided: u32,
    /// What is looked up.
    wanted: Wanted,
}

/// The verdicts of these hooks.
const REFUSE: i64 = 0;
const PROCEED: i64 = 1;

/// A socket of IPv4 that is about to be connected.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup/connect4")]
pub extern "C" fn connect4(address: *mut bpf_sock_addr) -> i64 {
    if of_a_tree(address) { PROCEED } else { ask_v4(address) }
}

/// A socket of IPv6, which may be about to talk to IPv4.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup/connect6")]
pub extern "C" fn connect6(address: *mut bpf_sock_addr) -> i64 {
    if of_a_tree(address) { PROCEED } else { ask_v6(address) }
}

/// As [`connect4`], for any cgroup's sockets: those of process trees are met.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup/connect4")]
pub extern "C" fn tree_connect4(address: *mut bpf_sock_addr) -> i64 {
    if of_a_tree(address) { ask_v4(address) } else { PROCEED }
}

/// As [`connect6`], for any cgroup's sockets: those of process trees are met.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup/connect6")]
pub extern "C" fn tree_connect6(address: *mut bpf_sock_addr) -> i64 {
    if of_a_tree(address) { ask_v6(address) } else { PROCEED }
}

/// Is it a socket of a process tree? At a target cgroup it is left to the program at the root, which runs next.
#[inline(always)]
fn of_a_tree(address: *mut bpf_sock_addr) -> bool {
    if config!(processes) == 0 {
        return false;
    }
    // SAFETY: a field of the context; a pointer, which the verifier knows as a socket or null.
    let sock = unsafe { (&raw const (*address).__bindgen_anon_1.sk).read_volatile() };
    !sock.is_null() && SOCKETS.marked(sock.cast())
}

#[inline(always)]
fn ask_v4(address: *mut bpf_sock_addr) -> i64 {
    // SAFETY: fields of the program's own context, read by instructions of the widths that the verifier takes.
    let (peer, port) = unsafe {
        ((&raw const (*address).user_ip4).read_volatile(), (&raw const (*address).user_port).read_volatile())
    };
    ask(address, mapped(peer.to_ne_bytes()), port)
}

#[inline(always)]
fn ask_v6(address: *mut bpf_sock_addr) -> i64 {
    // SAFETY: as above. Each word by itself: the verifier takes no offset that is not in the instruction.
    let (peer, port) = unsafe {
        let peer = &raw const (*address).user_ip6;
        let words = [
            (&raw const (*peer)[0]).read_volatile(),
            (&raw const (*peer)[1]).read_volatile(),
            (&raw const (*peer)[2]).read_volatile(),
            (&raw const (*peer)[3]).read_volatile(),
        ];
        (words, (&raw const (*address).user_port).read_volatile())
    };
    // SAFETY: sixteen bytes either way.
    ask(address, unsafe { core::mem::transmute::<[u32; 4], [u8; 16]>(peer) }, port)
}

/// Asks every rule, in order.
#[inline(always)]
fn ask(address: *mut bpf_sock_addr, destination: [u8; 16], port: u32) -> i64 {
    if atomic::get(&SHARED.armed) == 0 {
        return PROCEED;
    }
    let Some(run) = CALLS.get(PACKETS).map(|rules| read(&rules.run)) else { return PROCEED };
    let [a, b, ..] = port.to_ne_bytes();
    let is_v4 = u128::from_be_bytes(destination) >> 32 == 0xffff;
    // SAFETY: a field of the context; the clock has no arguments.
    let (protocol, now) =
        unsafe { ((&raw const (*address).protocol).read_volatile(), bpf_ktime_get_boot_ns()) };
    let mut ctx = ConnectCtx {
        peer: Packet {
            source: [0; 16],
            destination,
            source_port: 0,
            destination_port: u16::from_be_bytes([a, b]),
            protocol: protocol as u8,
            flags: 0,
            family: if is_v4 { 4 } else { 6 },
            direction: CONNECT,
            length: 0,
            ifindex: 0,
            _pad2: 0,
        },
        base: run.base,
        alive: u32::from(plan_alive(now)),
        decided: run.zero(),
        wanted: Wanted::NOTHING,
    };
    let context = (&raw mut ctx).cast();
    // SAFETY: the callback has the shape that the helper wants and gets the context; both outlive it.
    unsafe { bpf_loop(u32::from(run.count), consider as *mut c_void, context, 0) };
    // Two constants, so that the verifier sees a 0 or a 1.
    if ctx.decided != 0 && config!(monitor) == 0 { REFUSE } else { PROCEED }
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, ctx: *mut ConnectCtx) -> i64 {
    // SAFETY: the context that `ask` handed to the loop.
    let ctx = unsafe { &mut *ctx };
    let Some((number, entry)) = SLOTS.get(ctx.base + index as u32).map(|slot| (slot.rule, slot.entry)) else {
        return 1;
    };
    let (Some(rule), Some(counters)) = (RULES.get(entry), COUNTERS.get(number)) else { return 1 };
    if !rule.packets.holds(number, &ctx.peer, &mut ctx.wanted) {
        return 0;
    }
    let nth = atomic::fetch_add(&counters.matched, 1) + 1;
    let (at, standing) = (Match::of_rule(nth), standing(number, ctx.alive != 0));
    let overruled = ctx.decided != 0;
    let effect = || if overruled { Err(Reason::Overruled) } else { Ok(()) };
    let decision = decide(rule, at, standing, effect, || atomic::fetch_add(&counters.tickets, 1));
    trace::connection(&ctx.peer, number, at, &decision);
    match decision {
        Decision::Fires(()) => {
            ctx.decided = 1;
            // SAFETY: a number. The kernel hands it to the caller of connect(2) as it is.
            unsafe { bpf_set_retval(rule.value as i32) };
            atomic::add(&counters.fired, 1);
            report::refused(&ctx.peer, (number, rule), nth);
        }
        Decision::Monitored(()) => {
            ctx.decided = 1;
            suppress(counters, Reason::Monitored);
        }
        Decision::Suppressed(reason) => suppress(counters, reason),
    }
    0
}
