//! Questions for names: read once, before any rule is asked, looked up by each rule that asks for names, and turned
//! into their answers where they are. What a name is, which ones a rule means, and what an answer says, is in
//! injector-common.
//!
//! A rule's own part are two look-ups: a loop over a name in there, or a call, would cost a verifier before 6.4
//! minutes (kernel/bpf/verifier.c, `backtrack_insn`, which gives up at both and has it tell all numbers apart).

use core::ffi::c_void;

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::generated::{
        bpf_l4_csum_replace, bpf_loop, bpf_map_lookup_elem, bpf_skb_load_bytes_relative, bpf_skb_store_bytes,
    },
    macros::map,
    maps::{LpmTrie, PerCpuArray},
};
use injector_common::{
    code::FaultCode,
    config::USES_DNS,
    dns::{self, HEADER, Step, Walk},
    name::{End, LETTERS, MAX_NAMES, NameKey, meant},
    reject::ETHERNET,
    rule::Rule,
};

use crate::{
    config::uses,
    packets::{
        header::load,
        packet_ctx::{self, PacketCtx},
        reject::{between, lost, turn_back},
    },
};

/// Bytes of a UDP header.
const UDP: u32 = 8;

/// Bytes that are read of a name and what follows it: the longest name, and one more, which makes an index of all.
const READ: usize = 256;

/// `bpf_skb_load_bytes_relative`, from the network header.
const HEADER_NET: u32 = 1;

/// The names that rules on questions mean, and their bits.
#[map]
static NAMES: LpmTrie<[u8; size_of::<NameKey>() - 4], u64> = LpmTrie::with_max_entries(2 * MAX_NAMES, 0);

/// What a packet asks for.
struct Question {
    /// The name, to be looked up: from its first letter on, and from its last one back.
    head: NameKey,
    tail: NameKey,
    walk: Walk,
    /// Bytes that were read.
    given: u32,
    /// Letters of the name so far.
    letters: u32,
    /// Is the name at its end? Not 0 if so.
    whole: u32,
    /// The flags of the header.
    flags: [u8; 2],
    wire: [u8; READ],
}

/// Of each CPU the question at hand, as in [`crate::packets::packet_ctx`].
#[map]
static QUESTION: PerCpuArray<Question> = PerCpuArray::with_max_entries(1, 0);

/// This CPU's own. Not to be held across a loop, as in [`packet_ctx::packet_ctx`].
#[inline(always)]
fn question() -> Option<&'static mut Question> {
    // SAFETY: nobody else uses it while a program on packets runs.
    QUESTION.get_ptr_mut(0).map(|question| unsafe { &mut *question })
}

/// Does the rule mean the packet, as far as that is about a question?
#[inline(always)]
pub fn rule_means(number: u32, rule: &Rule, ctx: &PacketCtx) -> bool {
    if !uses(USES_DNS) || rule.fault != FaultCode::DNS {
        return true;
    }
    if ctx.asks == 0 {
        return false;
    }
    let Some(question) = question() else { return false };
    question.head.set = NameKey::set(number, End::Head);
    question.tail.set = NameKey::set(number, End::Tail);
    meant(look_up(&question.head), look_up(&question.tail))
}

#[inline(always)]
fn look_up(key: &NameKey) -> u64 {
    // SAFETY: a map, and a key of its size; what is found is a u64.
    unsafe {
        let found =
            bpf_map_lookup_elem((&raw const NAMES).cast_mut().cast(), core::ptr::from_ref(key).cast());
        if found.is_null() { 0 } else { *found.cast::<u64>() }
    }
}

// The functions below that are not inlined are global ones to the verifier, which verifies them once: see
// `crate::object`.

/// Reads the question, if the packet that was gathered is one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn dns_read(skb: *mut __sk_buff) -> u32 {
    let Some(ctx) = packet_ctx::packet_ctx() else { return 0 };
    let transport = ctx.layout.transport;
    let start = transport + UDP;
    let Some(rest) = ctx.packet.length.checked_sub(start + HEADER as u32) else { return 0 };
    if ctx.packet.protocol != 17 || transport == 0 {
        return 0;
    }
    let Some(header) = load::<HEADER>(skb, start) else { return 0 };
    let Some(length) = between::<{ READ as u64 }>(rest.min(READ as u32)) else { return 0 };
    let Some(question) = question().filter(|_| dns::is_question(&header)) else { return 0 };
    let to = (&raw mut question.wire).cast();
    // SAFETY: `length` bytes of room; the helper checks the packet's bounds. And the callbacks have the shape that the
    // helper wants.
    let letters = unsafe {
        if bpf_skb_load_bytes_relative(skb.cast(), start + HEADER as u32, to, length, HEADER_NET) != 0 {
            return 0;
        }
        question.given = length;
        question.flags = [header[2], header[3]];
        question.walk = Walk::BEGIN;
        (question.letters, question.whole) = (0, 0);
        bpf_loop(READ as u32, read as *mut c_void, core::ptr::null_mut(), 0);
        let Some(question) = self::question().filter(|question| question.whole != 0) else { return 0 };
        let letters = question.letters;
        bpf_loop(letters, turn as *mut c_void, core::ptr::null_mut(), 0);
        letters
    };
    let Some(question) = self::question() else { return 0 };
    for key in [&mut question.head, &mut question.tail] {
        let Some(end) = key.text.get_mut(letters as usize) else { return 0 };
        *end = 0;
        key.bits = NameKey::bits(letters + 1);
    }
    if let Some(ctx) = packet_ctx::packet_ctx() {
        ctx.asks = 1;
    }
    0
}

/// One byte of the name.
unsafe extern "C" fn read(index: u64, _: *mut c_void) -> i64 {
    let Some(question) = question() else { return 1 };
    if index >= u64::from(question.given) {
        return 1;
    }
    let Some(&byte) = question.wire.get(index as usize) else { return 1 };
    match question.walk.eat(byte) {
        Step::Begin => 0,
        Step::Letter(letter) => {
            let at = question.letters as usize;
            if at >= LETTERS {
                return 1;
            }
            let Some(room) = question.head.text.get_mut(at) else { return 1 };
            *room = letter;
            question.letters = at as u32 + 1;
            0
        }
        Step::End => {
            question.whole = 1;
            1
        }
        Step::Stray => 1,
    }
}

/// One letter of the name to the other end.
unsafe extern "C" fn turn(index: u64, _: *mut c_void) -> i64 {
    let Some(question) = question() else { return 1 };
    let from = question.letters.wrapping_sub(1).wrapping_sub(index as u32);
    let (Some(&letter), Some(room)) =
        (question.head.text.get(from as usize), question.tail.text.get_mut(index as usize))
    else {
        return 1;
    };
    *room = letter;
    0
}

/// Makes of the question at hand an answer, as the rule wants that said so, and sends it back: the verdict.
///
/// The two ends change places, which changes no checksum; the flags do.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn dns_send_back(skb: *mut __sk_buff) -> i32 {
    send_back(skb) as i32
}

#[inline(always)]
fn send_back(skb: *mut __sk_buff) -> i64 {
    /// The size of what is replaced in the sum; a UDP checksum of zero means none (`BPF_F_MARK_MANGLED_0`).
    const SUM: u64 = 2 | 0x20;
    let (Some(ctx), Some(question)) = (packet_ctx::packet_ctx(), question()) else { return lost() };
    let (packet, layout) = (&ctx.packet, &ctx.layout);
    let after = dns::flags(question.flags, ctx.answer);
    let link = if layout.link == ETHERNET { ETHERNET } else { 0 };
    let (from, unused, length, udp) = if packet.family == 4 { (12, 12, 4, 20) } else { (8, 0, 16, 40) };
    let udp = link + udp;
    let ports = [packet.destination_port.to_be(), packet.source_port.to_be()];
    // SAFETY: the helpers check the packet's bounds; what they are given is as long as they are told.
    unsafe {
        let store =
            |at: u32, bytes: *const c_void, length: u32| bpf_skb_store_bytes(skb, at, bytes, length, 2) == 0;
        let stored = store(link + from, (&raw const packet.destination).byte_add(unused).cast(), length)
            && store(link + from + length, (&raw const packet.source).byte_add(unused).cast(), length)
            && store(udp, (&raw const ports).cast(), 4)
            && store(udp + UDP + 2, (&raw const after).cast(), 2);
        let word = |bytes: [u8; 2]| u64::from(u16::from_ne_bytes(bytes));
        if !stored || bpf_l4_csum_replace(skb, udp + 6, word(question.flags), word(after), SUM) != 0 {
            return lost();
        }
    }
    turn_back(skb, link, ctx.answerer)
}
