//! Delays of calls and operations: which can be had, and what the kernel side is told of them.

use std::time::Duration;

use injector_common::{
    delay::{Delay as KernelDelay, UNIFORM},
    sleep::SHORTEST_NS,
    wait::{as_long_as, exceeds},
};

use crate::{
    clock,
    plan::{PlanError, backend::Wait},
    spec::{
        delay::Delay,
        effect::{Effect, Moment},
        model::{Rule, RuleKind},
        netem::Distribution,
    },
};

/// Refuses a delay of `rule` that can be longer than `longest`, too short to be slept, or behind a decision that
/// is made when the call has run.
pub(super) fn check(rule: &Rule, longest: Duration) -> Result<(), PlanError> {
    let text = || rule.text.clone();
    let (moment, delays, distribution) = match &rule.kind {
        RuleKind::Syscall(call) => {
            let effect = &call.effect;
            (call.moment, [effect.delay_enter, effect.delay_exit], &effect.distribution)
        }
        RuleKind::Operation(operation) => (Moment::Entry, [operation.delay, None], &operation.distribution),
        RuleKind::Net(_) | RuleKind::UserSpace(_) => return Ok(()),
    };
    // Which table it is does not matter: all end at the same distance.
    let table = if *distribution == Distribution::Uniform { UNIFORM } else { 0 };
    for delay in delays.into_iter().flatten() {
        if moment != Moment::Entry {
            return Err(PlanError::DelayBehind { rule: text() });
        }
        if delay == Delay::Forever {
            continue;
        }
        let asked = of(Some(delay), table, 0);
        if exceeds(&asked, clock::nanoseconds(longest)) {
            let latest = Duration::from_nanos(asked.latest());
            return Err(PlanError::DelayTooLong { rule: text(), latest, longest });
        }
        if asked.base < SHORTEST_NS {
            return Err(PlanError::DelayTooShort { rule: text() });
        }
    }
    Ok(())
}

/// When a call that meets this is to wait.
pub(super) fn wait(effect: &Effect) -> Wait {
    match (effect.delay_enter, effect.delay_exit) {
        (None, None) => Wait::Never,
        (Some(_), None) => Wait::Before,
        (_, Some(_)) => Wait::Behind,
    }
}

/// A delay of rule `number`, by the distribution of that table.
pub(super) fn of(delay: Option<Delay>, table: u32, number: u32) -> KernelDelay {
    match delay {
        None => KernelDelay::NONE,
        Some(Delay::For { time, jitter }) => KernelDelay {
            base: clock::nanoseconds(time),
            jitter: clock::nanoseconds(jitter),
            table,
            ..KernelDelay::NONE
        },
        Some(Delay::Forever) => as_long_as(number),
    }
}
