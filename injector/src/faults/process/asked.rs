//! What the rules of a plan ask of processes.

use crate::{
    plan::PlannedRule,
    spec::{model::RuleKind, process::model::ProcessRule, user_space::UserSpaceRule},
};

/// What a rule asks of processes, if it does.
pub(super) fn of(rule: &PlannedRule) -> Option<&ProcessRule> {
    match &rule.asked {
        RuleKind::UserSpace(UserSpaceRule::Process(asked)) => Some(asked),
        _ => None,
    }
}
