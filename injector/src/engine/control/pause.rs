//! Rules of a live plan switched off and on again: one store into the memory that the programs read, so it needs nobody's
//! answer and holds from that moment on.

use serde::{Deserialize, Serialize};

use crate::{engine::control::error::ControlError, kernel::live::registry::LivePlan};

/// What was switched, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// The plan, as `stop` takes it.
    pub plan: String,
    /// Are the rules off now?
    pub paused: bool,
    /// Their numbers.
    pub rules: Vec<u32>,
    /// Nanoseconds of `CLOCK_BOOTTIME`: whatever the rules decide after it is decided by that.
    pub time_ns: u64,
}

/// Switches rules of a plan off (`paused`) or on: those with these numbers, or all. One that is off counts what it
/// matches, and does nothing. Calls and packets that wait already go on waiting.
///
/// # Errors
/// The plan has no such rule, or none at all, or has ended.
pub fn pause(plan: &LivePlan, rules: &[u32], paused: bool) -> Result<Switched, ControlError> {
    let listed: Vec<u32> = plan.rules().into_iter().map(|(number, _)| number).collect();
    if plan.header.rules == 0 {
        return Err(ControlError::Idle(plan.id()));
    }
    // Rules that are too long to be listed have numbers all the same. Any other number may be given to a rule later, which
    // would then begin switched off.
    let known = |rule: &u32| listed.contains(rule) || listed.is_empty() && *rule < plan.header.rules;
    if let Some(&rule) = rules.iter().find(|rule| !known(rule)) {
        return Err(ControlError::NoRule { plan: plan.id(), rule, rules: listed });
    }
    let rules = if rules.is_empty() { listed } else { rules.to_vec() };
    if rules.is_empty() {
        return Err(ControlError::Unlisted(plan.id()));
    }
    let what = if paused { "pause" } else { "resume" };
    let shared = plan.shared().map_err(|error| ControlError::refused(what, plan, error))?;
    let time_ns = rules.iter().map(|&rule| shared.pause(rule, paused)).max().unwrap_or_default();
    Ok(Switched { plan: plan.id(), paused, rules, time_ns })
}
