//! What a rule on operations means.

use crate::spec::{
    meaning::{about, all, by, either, trigger, waits},
    model::Scope,
    operation::OperationRule,
};

pub(super) fn meaning(rule: &OperationRule) -> String {
    let names: Vec<_> = rule.operations.iter().map(|operation| operation.name).collect();
    let article = if names.first().is_some_and(|name| name.starts_with(['a', 'e', 'i', 'o', 'u'])) {
        "an"
    } else {
        "a"
    };
    let waits = rule.delay.map(|delay| waits(delay, &rule.distribution));
    let fails = rule.error.map(|error| format!("fails with {error}, whichever way it comes"));
    let effects: Vec<_> = [waits, fails].into_iter().flatten().collect();
    let counted = |scope| match scope {
        Scope::Thread => "of each thread and operation",
        Scope::Process => "of each process and operation",
        Scope::Rule => "of all",
    };
    format!(
        "{article} {}{}{} {}{}",
        either(&names),
        about(&rule.objects),
        by(rule.comm.as_ref()),
        all(&effects),
        trigger::clause(&rule.trigger, counted)
    )
}
