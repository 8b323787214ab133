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
        COPY_CORRUPTED, CORRUPTED, DELAYED, DUPLICATED, LOST, Netem, OVERFLOWED, OVERTOOK, UNFIXED, Verdict,
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
    if packets_pass() == 0 { None } else { packet_ctx() }
}

// The functions below that are not inlined are global ones to the verifier, which goes through them once
// (kernel/bpf/verifier.c, `do_check_subprogs`), whatever ways lead to them: otherwise the ways through one part would
// multiply those through the next. So they take numbers only, and look for the rest themselves.

/// Asks every packet rule. 0 if there is no packet at hand.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packets_pass() -> u32 {
    let Some(count) = packet_ctx().map(|packet_ctx| packet_ctx.count) else { return 0 };
    // SAFETY: the callback has the shape that the helper wants.
    unsafe { bpf_loop(count, consider as *mut c_void, core::ptr::null_mut(), 0) };
    let Some(packet_ctx) = packet_ctx() else { return 0 };
    if config!(monitor) != 0 {
        // The one place where a packet's verdict leaves the rules: under `--monitor` nothing comes of it.
        packet_ctx.effects = 0;
    }
    1
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
    if packet_matches(number, entry) == 0 {
        return 0;
    }
    packet_ctx.meant = 1;
    let nth = atomic::fetch_add(&counters.matched, 1) + 1;
    atomic::add(&traffic.bytes, u64::from(packet_ctx.packet.length));
    let (at, standing) = (Match::of_rule(nth), standing(number, packet_ctx.alive != 0));
    let ticket = || atomic::fetch_add(&counters.tickets, 1);
    let decision = decide(rule, at, standing, || effect_of(number, entry), ticket);
    trace::packet(&packet_ctx.packet, number, at, &decision);
    match decision {
        Decision::Fires(()) => {
            note(packet_ctx, number, (entry, rule));
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
            report::packet(packet_ctx, (number, rule), nth);
        }
        Decision::Monitored(()) => {
            packet_ctx.effects |= packet_ctx.verdict.effects;
            suppress(counters, Reason::Monitored);
        }
        Decision::Suppressed(reason) => suppress(counters, reason),
    }
    0
}

/// Does rule `number`, which stands at `entry`, mean the packet at hand? 1 if so, else 0.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_matches(number: u32, entry: u32) -> u32 {
    let (Some(packet_ctx), Some(rule)) = (packet_ctx(), RULES.get(entry)) else { return 0 };
    let holds = rule.packets.holds(number, &packet_ctx.packet, &mut packet_ctx.wanted);
    u32::from(holds && dns::rule_means(number, rule, packet_ctx))
}

/// What the rule does to the packet beside what earlier ones do, at least one thing: it stands in the packet's context.
///
/// In three steps, one behind the other, since the stacks of functions that call each other add up.
#[inline(always)]
fn effect_of(number: u32, entry: u32) -> Result<(), Reason> {
    let begun = packet_begin(number, entry);
    if begun == IN_A_FLOW {
        if !flow::advance(entry) {
            return Err(Reason::NoCounter);
        }
    } else if begun != 0 {
        return Err(why(begun));
    }
    match packet_effect(number, entry) {
        0 => Ok(()),
        number => Err(why(number)),
    }
}

/// [`packet_begin`]: what happens is for the packet's flow to say.
const IN_A_FLOW: u32 = u32::MAX;

/// Why there is no effect, as a number above 0.
const NO_DELAY_LINE: u32 = reason(Reason::NoDelayLine);
const CANNOT_ANSWER: u32 = reason(Reason::CannotAnswer);
const NO_COUNTER: u32 = reason(Reason::NoCounter);
const PROBABILITY: u32 = reason(Reason::Probability);
const OVERRULED: u32 = reason(Reason::Overruled);

const fn reason(reason: Reason) -> u32 {
    reason as u32 + 1
}

/// The reason of that number.
#[inline(always)]
const fn why(number: u32) -> Reason {
    match number {
        NO_DELAY_LINE => Reason::NoDelayLine,
        CANNOT_ANSWER => Reason::CannotAnswer,
        NO_COUNTER => Reason::NoCounter,
        PROBABILITY => Reason::Probability,
        _ => Reason::Overruled,
    }
}

/// Can rule `number`, which stands at `entry`, do anything to the packet at hand? [`IN_A_FLOW`] if its flow decides that,
/// 0 if the packet is lost, or why not.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_begin(number: u32, entry: u32) -> u32 {
    let (Some(packet_ctx), Some(rule)) = (packet_ctx(), RULES.get(entry)) else { return NO_COUNTER };
    if rule.netem.via & packet_ctx.barred != 0 {
        return NO_DELAY_LINE;
    }
    if uses(USES_ANSWERS) && answered(packet_ctx, rule) == IMPOSSIBLE {
        return CANNOT_ANSWER;
    }
    if rule.fault == FaultCode::NETEM {
        packet_ctx.key.rule = number;
        flow::find(packet_ctx);
        return IN_A_FLOW;
    }
    packet_ctx.verdict = Verdict { effects: LOST, number: 0, drawn: 0 };
    0
}

/// Leaves of the verdict what rule `number`, which stands at `entry`, does beside earlier ones. 0, or why that is nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn packet_effect(number: u32, entry: u32) -> u32 {
    let (Some(packet_ctx), Some(rule)) = (packet_ctx(), RULES.get(entry)) else { return NO_COUNTER };
    if packet_ctx.verdict.effects == 0 {
        return PROBABILITY;
    }
    let mut verdict = packet_ctx.verdict.beside(packet_ctx.effects);
    if config!(delay_line) != 0 && packet_ctx.backend != BackendCode::DELAY_LINE {
        // A packet that waits is asked about in the delay line. One that is asked about here is answered.
        verdict.effects &= !(DELAYED | OVERTOOK);
    } else if config!(delay_line) != 0
        && verdict.effects & DELAYED != 0
        && !queue::has_room(number, rule, &packet_ctx.packet)
    {
        verdict.effects = LOST | OVERFLOWED;
    }
    packet_ctx.verdict = verdict;
    if verdict.effects == 0 { OVERRULED } else { 0 }
}

/// Notes what is to be done when all rules were asked.
#[inline(always)]
fn note(packet_ctx: &mut PacketCtx, number: u32, (entry, rule): (u32, &Rule)) {
    packet_ctx.effects |= packet_ctx.verdict.effects;
    packet_ctx.late = 0;
    if config!(delay_line) != 0 && packet_ctx.at_hand(DELAYED) {
        queue::packet_schedule(number, entry);
    }
    let length = packet_ctx.damageable(rule);
    let unfixed = (rule.netem.via & UNFIXED) as u32;
    if packet_ctx.at_hand(CORRUPTED) {
        packet_ctx.unfixed = unfixed;
        packet_ctx.bit = Netem::bit(rule.seed, packet_ctx.flow, packet_ctx.verdict.number, false, length);
    }
    if packet_ctx.at_hand(COPY_CORRUPTED) {
        packet_ctx.copy_unfixed = unfixed;
        packet_ctx.copy_bit = Netem::bit(rule.seed, packet_ctx.flow, packet_ctx.verdict.number, true, length);
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
