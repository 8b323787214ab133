//! A packet that is refused is turned, where it is, into what answers it in its receiver's name, and goes back in by
//! the device that it was about to leave by. What the answer is, and its bytes, is said by injector-common.

use core::arch::asm;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{
        bpf_redirect, bpf_skb_change_tail, bpf_skb_load_bytes, bpf_skb_load_bytes_relative,
        bpf_skb_store_bytes,
    },
    macros::map,
    maps::PerCpuArray,
};
use injector_common::{
    packet::Packet,
    reject::{self, ETHERNET, LONGEST, Layout, QUOTE, RESET},
};

use crate::{
    atomic,
    maps::TRAFFIC,
    packets::{
        header::load,
        tc::{BPF_F_INGRESS, LOOPBACK, NOWHERE, TC_NEXT},
    },
};

/// `bpf_skb_store_bytes`: the packet's hash was that of another flow.
const BPF_F_INVALIDATE_HASH: u64 = 2;

/// `bpf_skb_load_bytes_relative`, from the network header.
const HEADER_NET: u32 = 1;

/// Of each CPU the answer that is being made: programs on packets run with softirqs off.
#[map]
static ANSWER: PerCpuArray<[u64; LONGEST / 8]> = PerCpuArray::with_max_entries(1, 0);

/// Makes of `skb` the answer of `kind` to itself, on behalf of rule `number`, and sends it back: the verdict.
/// A packet that cannot be changed, for want of memory, is lost.
///
/// Not inlined, for the stack's sake.
#[inline(never)]
pub fn send_back(skb: *mut __sk_buff, packet: &Packet, layout: &Layout, kind: u32, number: u32) -> i64 {
    // SAFETY: this CPU's own; a copy that passes here meanwhile is nobody's and makes no answer.
    let Some(out) = ANSWER.get_ptr_mut(0).map(|out| clear(unsafe { &mut *out })) else { return lost() };
    let length = if kind == RESET {
        let Some(tcp) = load::<20>(skb, layout.transport) else { return lost() };
        reject::reset(out, packet, &tcp)
    } else {
        if !quote(skb, packet, out) {
            return lost();
        }
        reject::refuse(out, packet, kind)
    };
    let link = if layout.link == ETHERNET { ETHERNET } else { 0 };
    let Some(length) = between::<{ LONGEST as u64 }>(length) else { return lost() };
    // SAFETY: the program's own context, and `length` bytes of the answer.
    unsafe {
        if bpf_skb_change_tail(skb, link + length, 0) != 0
            || bpf_skb_store_bytes(skb, link, out.as_ptr().cast(), length, BPF_F_INVALIDATE_HASH) != 0
        {
            return lost();
        }
    }
    turn_back(skb, link, number)
}

/// A number from 1 to `MOST`, or none: told in a way that the compiler cannot take for granted, since the verifier
/// has to learn it from these very comparisons; and before 6.4 it does not learn from one with 0.
#[inline(always)]
pub fn between<const MOST: u64>(number: u32) -> Option<u32> {
    let mut below = u64::from(number.wrapping_sub(1));
    // SAFETY: changes nothing.
    unsafe { asm!("{0} = {0}", inout(reg) below, options(nomem, nostack)) };
    (below < MOST).then(|| (below + 1) as u32)
}

/// All zero. By words that the compiler must write: of others it makes a call to memset.
#[inline(always)]
fn clear(out: &mut [u64; LONGEST / 8]) -> &mut [u8; LONGEST] {
    const _: () = assert!(LONGEST.is_multiple_of(8));
    for word in &mut *out {
        // SAFETY: a reference.
        unsafe { core::ptr::from_mut(word).write_volatile(0) };
    }
    // SAFETY: as many bytes.
    unsafe { &mut *core::ptr::from_mut(out).cast() }
}

/// The beginning of the packet, to where the answer quotes it.
#[inline(always)]
fn quote(skb: *mut __sk_buff, packet: &Packet, out: &mut [u8; LONGEST]) -> bool {
    let at = reject::quotation(packet.family);
    let Some(length) = between::<{ QUOTE as u64 }>(reject::quoted(packet)) else { return false };
    // SAFETY: within the answer: 48 bytes and those of a quotation.
    unsafe {
        let to = out.as_mut_ptr().add(at);
        bpf_skb_load_bytes_relative(skb.cast(), 0, to.cast(), length, HEADER_NET) == 0
    }
}

/// Sends what is an answer by now back in. On the loopback device that is where it goes by itself, with the route
/// that it has; a redirect would lose that, and 127.0.0.1 is nobody's address on the way in (net/ipv4/route.c,
/// `ip_route_input_slow`).
#[inline(always)]
pub fn turn_back(skb: *mut __sk_buff, link: u32, number: u32) -> i64 {
    if link == ETHERNET {
        let mut addresses = [[0u8; 6]; 2];
        // SAFETY: twelve bytes, which the helpers read and write; they check the bounds.
        unsafe {
            bpf_skb_load_bytes(skb.cast(), 0, (&raw mut addresses).cast(), 12);
            let [destination, source] = addresses;
            addresses = [source, destination];
            bpf_skb_store_bytes(skb, 0, (&raw const addresses).cast(), 12, 0);
        }
    }
    if let Some(traffic) = TRAFFIC.get(number) {
        atomic::add(&traffic.answered, 1);
    }
    // SAFETY: a field of the context; no pointers.
    unsafe { if (*skb).ifindex == LOOPBACK { TC_NEXT } else { bpf_redirect((*skb).ifindex, BPF_F_INGRESS) } }
}

/// Nobody is told.
#[inline(always)]
pub fn lost() -> i64 {
    // SAFETY: no pointers.
    unsafe { bpf_redirect(NOWHERE, 0) }
}
