//! Which names the rules on questions mean, as the kernel side looks them up, see [`injector_common::name`].

use injector_common::name::{MAX_NAMES, NameKey, elements};

use crate::{
    plan::{PlanError, PlannedRule},
    spec::{
        model::RuleKind,
        packet::{NetFault, NetRule},
    },
};

/// The elements of the tries of `rule`; none if it is not on questions.
pub fn names(rule: &PlannedRule) -> Vec<(NameKey, u64)> {
    match &rule.asked {
        RuleKind::Net(NetRule { fault: NetFault::Dns(dns), .. }) => elements(rule.number, &dns.names),
        _ => Vec::new(),
    }
}

/// Do all fit?
pub(super) fn check(rules: &[PlannedRule]) -> Result<(), PlanError> {
    let given = rules.iter().map(|rule| names(rule).len()).sum();
    if given > MAX_NAMES as usize { Err(PlanError::TooManyNames { given }) } else { Ok(()) }
}
