//! Verdicts of classifiers, and the marks by which they know a packet that one of them has seen before. The mark is the
//! packet's `tc_index`, 16 bits, which nothing else writes on that way (net/core/skbuff.c, `skb_scrub_packet`, leaves it
//! alone):
//!
//! | `tc_index` | means |
//! |---|---|
//! | odd | it leaves by a device, and the plan with these bits has asked its rules |
//! | 0xa…, even | it has been in the delay line of the plan with these bits. No classifier of any plan takes it again, so two injectors never send it to and fro |
//! | 0xb…, even | it has come in, a rule meant it, and it did not go into a delay line; each plan that has asked its rules has a bit |

use aya_ebpf::bindings::__sk_buff;
use injector_common::packet::packet_mark;

use crate::config::config;

/// The loopback device of every network namespace (`LOOPBACK_IFINDEX`, include/net/flow.h).
pub const LOOPBACK: u32 = 1;

/// `bpf_redirect`: not out by that device, but in.
pub const BPF_F_INGRESS: u64 = 1;

/// Let the packet go on to the next program, or on its way.
pub const TC_NEXT: i64 = -1;

/// Free the packet (`TC_ACT_SHOT`).
pub const TC_DROP: i64 = 2;

/// An interface that cannot exist. A redirect to it frees the packet and tells nobody, unlike
/// `TC_ACT_SHOT`, which the sender's TCP takes for congestion on its own host.
pub const NOWHERE: u32 = 0x7fff_fffe;

/// Has this packet been asked about on another device? A bond, a VLAN or a bridge hands the same packet
/// to the device below; each rule is to draw once.
#[inline(always)]
pub fn met_before(skb: *mut __sk_buff) -> bool {
    // Odd: what has come in is even.
    let tag = (config!(plan) as u32 & 0xffff) | 1;
    // SAFETY: fields of the context that a classifier may read and write.
    unsafe {
        if (*skb).tc_index == tag {
            return true;
        }
        (*skb).tc_index = tag;
    }
    false
}

/// What all plans have in common in `tc_index`, and where.
const VIA_DELAY_LINE: u32 = 0xa000;
const ASKED: u32 = 0xb000;
const COMMON: u32 = 0xf001;

/// The `tc_index` of a packet that has been in this plan's line.
#[inline(always)]
pub fn mark() -> u32 {
    VIA_DELAY_LINE | (config!(plan) as u32 & 0x0ffe)
}

/// Is there nothing left to ask about a packet with this `tc_index` where it comes in by a device?
#[inline(always)]
pub fn settled(index: u32) -> bool {
    index & COMMON == VIA_DELAY_LINE || asked(index)
}

/// The `tc_index` of a packet that this plan's rules have been asked about at a device, besides those of `index`.
#[inline(always)]
pub fn asked_as_well(index: u32) -> u32 {
    own_bit() | if index & COMMON == ASKED { index } else { ASKED }
}

/// Were this plan's rules asked about it, in the line or at a device?
#[inline(always)]
pub fn decided(skb: *mut __sk_buff) -> bool {
    // SAFETY: a field of the context.
    let index = unsafe { (*skb).tc_index };
    index == mark() || asked(index)
}

/// Does the `tc_index` of a packet say that this plan's rules were asked about it at a device?
#[inline(always)]
fn asked(index: u32) -> bool {
    index & COMMON == ASKED && index & own_bit() != 0
}

/// This plan's, between what [`COMMON`] holds.
#[inline(always)]
fn own_bit() -> u32 {
    2 << packet_mark(config!(plan) as u32)
}
