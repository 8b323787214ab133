//! Delays of calls: which can be had, and what the kernel side is told of them.

use std::time::Duration;

use injector_common::nap::{self, SHORTEST_NS};

use super::PlanError;
use crate::{
    kernel::{clock, syscall::Wait},
    spec::{
        delay::Delay,
        effect::{Effect, Moment},
        model::{Rule, RuleKind},
    },
};

/// Refuses a delay of `rule` that is longer than `longest`, too short to be slept, or behind a decision that
/// is made when the call has run.
pub(super) fn check(rule: &Rule, longest: Duration) -> Result<(), PlanError> {
    let text = || rule.text.clone();
    let (moment, delays) = match &rule.kind {
        RuleKind::Syscall(call) => (call.moment, [call.effect.delay_enter, call.effect.delay_exit]),
        RuleKind::Operation(operation) => (Moment::Entry, [operation.delay, None]),
        RuleKind::Net(_) => return Ok(()),
    };
    for delay in delays.into_iter().flatten() {
        if moment != Moment::Entry {
            return Err(PlanError::DelayBehind { rule: text() });
        }
        let Delay::For(delay) = delay else { continue };
        if delay > longest {
            return Err(PlanError::DelayTooLong { rule: text(), longest });
        }
        if delay < Duration::from_nanos(SHORTEST_NS) {
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

/// Both delays of rule `number`, 0 for none.
pub(super) fn nanoseconds(effect: &Effect, number: u32) -> (u64, u64) {
    (of(effect.delay_enter, number), of(effect.delay_exit, number))
}

/// A delay of rule `number`, 0 for none.
pub(super) fn of(delay: Option<Delay>, number: u32) -> u64 {
    match delay {
        None => 0,
        Some(Delay::For(time)) => clock::nanoseconds(time),
        Some(Delay::Forever) => nap::forever(number),
    }
}
