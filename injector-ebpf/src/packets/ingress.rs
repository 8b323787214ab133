//! Packets that come to a socket of a target: the hook of its cgroup drops them, and can do nothing else. Where a target
//! has a network namespace of its own, a classifier at the devices asks before ([`crate::packets::inbound`]).

use aya_ebpf::bindings::__sk_buff;
use injector_common::{code::BackendCode, netem::LOST, packet::INGRESS};

use crate::packets::{packet_ctx::gather, tc, verdict::ask};

/// Packets that come to the cgroup this program is attached to: 1 to pass, 0 to drop.
#[unsafe(no_mangle)]
#[unsafe(link_section = "cgroup_skb/ingress")]
pub extern "C" fn ingress(skb: *mut __sk_buff) -> i64 {
    come_in(skb)
}

/// What becomes of a packet that comes to a target: 1 to pass, 0 to drop.
#[inline(always)]
pub fn come_in(skb: *mut __sk_buff) -> i64 {
    // The cgroup is known by construction; its number would be that of the socket's own cgroup.
    if tc::decided(skb) || !gather(skb, INGRESS, BackendCode::CGROUP_SKB, 0) {
        return 1;
    }
    // Two constants, so that the verifier sees a 0 or a 1.
    i64::from(ask().is_none_or(|ctx| ctx.effects & LOST == 0))
}
