//! What becomes of a packet: the rules are asked in order, each makes its draws, and the first that has an effect
//! decides it.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use injector_common::{
    config::{USES_ANSWERS, USES_DNS},
    counters::Reason,
    decide::{Decision, Match, decide},
    dns as questions,
    event::BACKEND_LINE,
    netem::{
        COPY_CORRUPTED, CORRUPTED, DELAYED, DUPLICATED, Fate, LOST, Netem, OVERFLOWED, OVERTOOK, UNFIXED,
    },
    reject::{IMPOSSIBLE, SILENCE, answer},
    rule::{FAULT_DNS, FAULT_NETEM, FAULT_REJECT, Rule},
};

use crate::{
    atomic, dns, flow, line,
    maps::{COUNTERS, RULES, SLOTS, TRAFFIC, config, standing},
    report,
    rules::{suppress, uses},
    transit::{Passage, passage},
};

/// Asks every packet rule, in order, what is to happen to the packet that was gathered.
#[inline(always)]
pub fn ask() -> Option<&'static mut Passage> {
    let count = passage()?.count;
    // SAFETY: the callback has the shape that the helper wants.
    unsafe { bpf_loop(count, consider as *mut c_void, core::ptr::null_mut(), 0) };
    let passage = passage()?;
    if config!(monitor) != 0 {
        // The one place where a packet's fate leaves the rules: under `--monitor` nothing comes of it.
        passage.effects = 0;
    }
    Some(passage)
}

/// One rule of the loop.
unsafe extern "C" fn consider(index: u64, _: *mut c_void) -> i64 {
    let Some(passage) = passage() else { return 1 };
    let Some(number) = SLOTS.get(passage.base + index as u32).map(|slot| slot.rule) else { return 1 };
    let (Some(rule), Some(counters)) = (RULES.get(number), COUNTERS.get(number)) else { return 1 };
    let Some(traffic) = TRAFFIC.get(number) else { return 1 };
    if !means(number, rule, passage) {
        return 0;
    }
    passage.meant = 1;
    let nth = atomic::fetch_add(&counters.matched, 1) + 1;
    atomic::add(&traffic.bytes, u64::from(passage.packet.length));
    let (at, standing) = (Match::of_rule(nth), standing(passage.alive != 0));
    let ticket = || atomic::fetch_add(&counters.tickets, 1);
    match decide(rule, at, standing, || effect(passage, (number, rule)), ticket) {
        Decision::Fires(fate) => {
            note(passage, (number, rule), fate);
            atomic::add(&counters.fired, 1);
            for (effect, counter) in [
                (LOST, &traffic.dropped),
                (DUPLICATED, &traffic.duplicated),
                (CORRUPTED | COPY_CORRUPTED, &traffic.corrupted),
                (DELAYED, &traffic.delayed),
                (OVERTOOK, &traffic.reordered),
                (OVERFLOWED, &traffic.overflowed),
            ] {
                if fate.effects & effect != 0 {
                    atomic::add(counter, 1);
                }
            }
            report::packet(passage, (number, rule), nth, fate);
        }
        Decision::Monitored(fate) => {
            passage.effects |= fate.effects;
            suppress(counters, Reason::Monitored);
        }
        Decision::Suppressed(reason) => suppress(counters, reason),
    }
    0
}

/// Does the rule mean the packet at hand?
#[inline(always)]
pub fn means(number: u32, rule: &Rule, passage: &mut Passage) -> bool {
    rule.packets.holds(number, &passage.packet, &mut passage.wanted) && dns::rule_means(number, rule, passage)
}

/// What the rule does to the packet beside what earlier ones do: at least one thing.
#[inline(always)]
fn effect(passage: &mut Passage, (number, rule): (u32, &Rule)) -> Result<Fate, Reason> {
    if rule.netem.road & passage.barred != 0 {
        return Err(Reason::NoLine);
    }
    let mut fate = Fate { effects: LOST, number: 0, drawn: 0 };
    if uses(USES_ANSWERS) && answered(passage, rule) == IMPOSSIBLE {
        return Err(Reason::Unanswerable);
    }
    if rule.fault == FAULT_NETEM {
        passage.key.rule = number;
        let content = passage.damageable(rule) != 0;
        (passage.place, fate) =
            flow::next(&passage.key, &mut passage.class, rule, content).ok_or(Reason::NoState)?;
        if fate.effects == 0 {
            return Err(Reason::Probability);
        }
    }
    fate = fate.beside(passage.effects);
    if config!(line) != 0 && passage.backend != BACKEND_LINE {
        // A packet that waits is asked about in the delay line. One that is asked about here is answered.
        fate.effects &= !(DELAYED | OVERTOOK);
    } else if config!(line) != 0
        && fate.effects & DELAYED != 0
        && !line::has_room(number, rule, &passage.packet)
    {
        fate.effects = LOST | OVERFLOWED;
    }
    if fate.effects == 0 { Err(Reason::Overruled) } else { Ok(fate) }
}

/// Notes what is to be done when all rules were asked.
#[inline(always)]
fn note(passage: &mut Passage, (number, rule): (u32, &Rule), fate: Fate) {
    passage.effects |= fate.effects;
    passage.late = 0;
    if config!(line) != 0 && fate.effects & DELAYED != 0 {
        line::schedule(passage, (number, rule), fate);
    }
    let length = passage.damageable(rule);
    let unfixed = (rule.netem.road & UNFIXED) as u32;
    if fate.effects & CORRUPTED != 0 {
        passage.unfixed = unfixed;
        passage.bit = Netem::bit(rule.seed, passage.place, fate.number, false, length);
    }
    if fate.effects & COPY_CORRUPTED != 0 {
        passage.copy_unfixed = unfixed;
        passage.copy_bit = Netem::bit(rule.seed, passage.place, fate.number, true, length);
    }
    if fate.effects & DUPLICATED != 0 {
        passage.doubler = number;
    }
    if uses(USES_ANSWERS) && fate.effects & LOST != 0 {
        passage.answer = answered(passage, rule);
        passage.answerer = number;
    }
}

/// How the rule answers the packet, if it does.
#[inline(always)]
fn answered(passage: &Passage, rule: &Rule) -> u32 {
    let asked = rule.value.cast_unsigned() as u32;
    if rule.fault == FAULT_REJECT {
        answer(asked, &passage.packet, &passage.parts)
    } else if uses(USES_DNS) && rule.fault == FAULT_DNS {
        questions::answer(asked, &passage.packet, &passage.parts)
    } else {
        SILENCE
    }
}
