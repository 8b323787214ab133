//! What becomes of a packet: the rules are asked in order, each makes its draws, and the first that has an effect
//! decides it.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use injector_common::{
    code::{BackendCode, FaultCode},
    config::{USES_ANSWERS, USES_DNS},
    counters::Reason,
    decide::{Decision, Match, decide},
    dns as questions,
    netem::{
        COPY_CORRUPTED, CORRUPTED, DELAYED, DUPLICATED, Fate, LOST, Netem, OVERFLOWED, OVERTOOK, UNFIXED,
    },
    reject::{IMPOSSIBLE, SILENCE, answer},
    rule::Rule,
};

use crate::{
    atomic,
    config::{config, uses},
    maps::{COUNTERS, RULES, SLOTS, TRAFFIC, standing, suppress},
    packets::{
        dns, flow,
        packet_ctx::{PacketCtx, packet_ctx},
        queue,
    },
    report, trace,
};

/// Asks every packet rule, in order, what is to happen to the packet that was gathered.
#[inline(always)]
pub fn ask() -> Option<&'static mut PacketCtx> {
    let count = packet_ctx()?.count;
    // SAFETY: the callback has the shape that the helper wants.
    unsafe { bpf_loop(count, consider as *mut c_void, core::ptr::null_mut(), 0) };
    let packet_ctx = packet_ctx()?;
    if config!(monitor) != 0 {
        // The one place where a packet's fate leaves the rules: under `--monitor` nothing comes of it.
        packet_ctx.effects = 0;
    }
    Some(packet_ctx)
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, _: *mut c_void) -> i64 {
    let Some(packet_ctx) = packet_ctx() else { return 1 };
    let Some((number, entry)) = SLOTS.get(packet_ctx.base + index as u32).map(|slot| (slot.rule, slot.entry))
    else {
        return 1;
    };
    let (Some(rule), Some(counters)) = (RULES.get(entry), COUNTERS.get(number)) else { return 1 };
    let Some(traffic) = TRAFFIC.get(number) else { return 1 };
    if !matches(number, rule, packet_ctx) {
        return 0;
    }
    packet_ctx.meant = 1;
    let nth = atomic::fetch_add(&counters.matched, 1) + 1;
    atomic::add(&traffic.bytes, u64::from(packet_ctx.packet.length));
    let (at, standing) = (Match::of_rule(nth), standing(number, packet_ctx.alive != 0));
    let ticket = || atomic::fetch_add(&counters.tickets, 1);
    let decision = decide(rule, at, standing, || effect(packet_ctx, (number, rule)), ticket);
    trace::packet(&packet_ctx.packet, number, at, &decision);
    match decision {
        Decision::Fires(fate) => {
            packet_ctx.decide(fate.effects);
            note(packet_ctx, (number, rule), fate);
            atomic::add(&counters.fired, 1);
            for (effect, counter) in [
                (LOST, &traffic.dropped),
                (DUPLICATED, &traffic.duplicated),
                (CORRUPTED | COPY_CORRUPTED, &traffic.corrupted),
                (DELAYED, &traffic.delayed),
                (OVERTOOK, &traffic.reordered),
                (OVERFLOWED, &traffic.overflowed),
            ] {
                if packet_ctx.at_hand(effect) {
                    atomic::add(counter, 1);
                }
            }
            report::packet(packet_ctx, (number, rule), nth, fate);
        }
        Decision::Monitored(fate) => {
            packet_ctx.effects |= fate.effects;
            suppress(counters, Reason::Monitored);
        }
        Decision::Suppressed(reason) => suppress(counters, reason),
    }
    0
}

/// Does the rule mean the packet at hand?
#[inline(always)]
pub fn matches(number: u32, rule: &Rule, packet_ctx: &mut PacketCtx) -> bool {
    rule.packets.holds(number, &packet_ctx.packet, &mut packet_ctx.wanted)
        && dns::rule_means(number, rule, packet_ctx)
}

/// What the rule does to the packet beside what earlier ones do: at least one thing.
#[inline(always)]
fn effect(packet_ctx: &mut PacketCtx, (number, rule): (u32, &Rule)) -> Result<Fate, Reason> {
    if rule.netem.road & packet_ctx.barred != 0 {
        return Err(Reason::NoDelayLine);
    }
    let mut fate = Fate { effects: LOST, number: 0, drawn: 0 };
    if uses(USES_ANSWERS) && answered(packet_ctx, rule) == IMPOSSIBLE {
        return Err(Reason::CannotAnswer);
    }
    if rule.fault == FaultCode::NETEM {
        packet_ctx.key.rule = number;
        let content = packet_ctx.damageable(rule) != 0;
        (packet_ctx.flow, fate) =
            flow::next(&packet_ctx.key, &mut packet_ctx.class, rule, content).ok_or(Reason::NoCounter)?;
        if fate.effects == 0 {
            return Err(Reason::Probability);
        }
    }
    fate = fate.beside(packet_ctx.effects);
    if config!(delay_line) != 0 && packet_ctx.backend != BackendCode::DELAY_LINE {
        // A packet that waits is asked about in the delay line. One that is asked about here is answered.
        fate.effects &= !(DELAYED | OVERTOOK);
    } else if config!(delay_line) != 0
        && fate.effects & DELAYED != 0
        && !queue::has_room(number, rule, &packet_ctx.packet)
    {
        fate.effects = LOST | OVERFLOWED;
    }
    if fate.effects == 0 { Err(Reason::Overruled) } else { Ok(fate) }
}

/// Notes what is to be done when all rules were asked.
#[inline(always)]
fn note(packet_ctx: &mut PacketCtx, (number, rule): (u32, &Rule), fate: Fate) {
    packet_ctx.effects |= fate.effects;
    packet_ctx.late = 0;
    if config!(delay_line) != 0 && packet_ctx.at_hand(DELAYED) {
        queue::schedule(packet_ctx, (number, rule), fate);
    }
    let length = packet_ctx.damageable(rule);
    let unfixed = (rule.netem.road & UNFIXED) as u32;
    if packet_ctx.at_hand(CORRUPTED) {
        packet_ctx.unfixed = unfixed;
        packet_ctx.bit = Netem::bit(rule.seed, packet_ctx.flow, fate.number, false, length);
    }
    if packet_ctx.at_hand(COPY_CORRUPTED) {
        packet_ctx.copy_unfixed = unfixed;
        packet_ctx.copy_bit = Netem::bit(rule.seed, packet_ctx.flow, fate.number, true, length);
    }
    if packet_ctx.at_hand(DUPLICATED) {
        packet_ctx.doubler = number;
    }
    if uses(USES_ANSWERS) && packet_ctx.at_hand(LOST) {
        packet_ctx.answer = answered(packet_ctx, rule);
        packet_ctx.answerer = number;
    }
}

/// How the rule answers the packet, if it does.
#[inline(always)]
fn answered(packet_ctx: &PacketCtx, rule: &Rule) -> u32 {
    let asked = rule.value.cast_unsigned() as u32;
    if rule.fault == FaultCode::REJECT {
        answer(asked, &packet_ctx.packet, &packet_ctx.layout)
    } else if uses(USES_DNS) && rule.fault == FaultCode::DNS {
        questions::answer(asked, &packet_ctx.packet, &packet_ctx.layout)
    } else {
        SILENCE
    }
}
