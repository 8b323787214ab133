//! What the rules of a plan need of the programs. What no rule needs is a constant zero in them, so the
//! verifier drops it, and no call runs it. A plan that is to be changed freely has them whole, but for what takes
//! memory.

use injector_common::{
    call::Slot,
    code::{FaultCode, MomentCode, ScopeCode},
    config::{
        USES_ANSWERS, USES_ARGUMENTS, USES_CHOICES, USES_DELAYS, USES_DNS, USES_NAMES, USES_OBJECTS,
        USES_OUTCOMES, USES_SCOPES, USES_SIGNALS,
    },
    rule::Rule,
};

use crate::plan::{PlanError, PlannedRule};

/// What `rules` need with `slots`, as bits of [`injector_common::config::Config::features`].
pub(super) fn needed<'a>(rules: impl IntoIterator<Item = &'a Rule>, slots: &[Slot]) -> u32 {
    rules.into_iter().map(of).chain(slots.iter().map(of_slot)).fold(0, |all, features| all | features)
}

/// Refuses the first of `rules` that needs what programs with the features `loaded` do not have.
pub(super) fn check(loaded: u32, rules: &[PlannedRule], slots: &[Slot]) -> Result<(), PlanError> {
    let lacks = |rule: &&PlannedRule| {
        let slots = slots.iter().filter(|slot| slot.rule == rule.number);
        slots.map(of_slot).fold(of(&rule.kernel), |all, features| all | features) & !loaded != 0
    };
    match rules.iter().find(lacks) {
        Some(rule) => Err(PlanError::NotLoaded { rule: rule.text.clone() }),
        None => Ok(()),
    }
}

fn of_slot(slot: &Slot) -> u32 {
    let arguments = if slot.tests > 0 { USES_ARGUMENTS } else { 0 };
    let objects = if slot.operation != 0 || slot.object.chooses() { USES_OBJECTS } else { 0 };
    arguments | objects
}

fn of(rule: &Rule) -> u32 {
    let uses = [
        (rule.comm_mask != [0; 2], USES_NAMES),
        (rule.scope != ScopeCode::THREAD, USES_SCOPES),
        (rule.signal != 0, USES_SIGNALS),
        (rule.fault == FaultCode::CHOICE, USES_CHOICES),
        (rule.moment != MomentCode::ENTRY, USES_OUTCOMES),
        (rule.delays(), USES_DELAYS),
        (rule.fault == FaultCode::REJECT, USES_ANSWERS),
        (rule.fault == FaultCode::DNS, USES_ANSWERS | USES_DNS),
    ];
    uses.iter().filter(|(used, _)| *used).fold(0, |all, (_, feature)| all | feature)
}
