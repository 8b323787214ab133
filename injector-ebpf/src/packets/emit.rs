//! A packet sent twice, or with a bit turned.

use aya_ebpf::{bindings::__sk_buff, helpers::generated::bpf_clone_redirect};
use injector_common::netem::COPY_CORRUPTED;

use crate::{
    atomic,
    maps::TRAFFIC,
    packets::{content, packet_ctx::PacketCtx},
};

/// Turns the bit of the packet itself that is to be turned.
#[inline(always)]
pub fn damage(skb: *mut __sk_buff, ctx: &PacketCtx) {
    let content = if ctx.unfixed == 0 { &ctx.content } else { &ctx.wire };
    content::turn(skb, content, ctx.bit);
}

/// Sends a copy ahead; false where the kernel has no memory for one. It belongs to no socket, so it is nobody's when it
/// passes here.
#[inline(always)]
pub fn double(skb: *mut __sk_buff, ctx: &PacketCtx) -> bool {
    let damaged = ctx.effects & COPY_CORRUPTED != 0;
    let content = if ctx.copy_unfixed == 0 { &ctx.content } else { &ctx.wire };
    if damaged {
        content::turn(skb, content, ctx.copy_bit);
    }
    // SAFETY: the program's own context and a field of it.
    let sent = unsafe { bpf_clone_redirect(skb, (*skb).ifindex, 0) } >= 0;
    if !sent && let Some(traffic) = TRAFFIC.get(ctx.doubler) {
        atomic::decrement(&traffic.duplicated);
    }
    if damaged {
        // And back: a copy is written to only after it was taken apart from the original.
        content::turn(skb, content, ctx.copy_bit);
    }
    sent
}
