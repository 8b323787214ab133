//! Rules on operations to the hooks that they pass.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::call::hook_entry;

use crate::{
    operations::{self, Operation},
    plan::{
        backend::{Backend, BackendKind, Site, Verdicts},
        error::PlanError,
        instead::{self, Instead},
        unsupported::{Mechanism, Unsupported},
        wanted::{Asked, Caught, End, Resolved},
    },
    spec::model::{Rule, RuleKind},
    syscalls::hooks::held_at,
};

/// Finds the hooks of every operation of every rule, and adds them to what is `resolved`. A hook has one program that
/// decides; where somebody is to wait it is the one that can make him.
pub(super) fn resolve(
    rules: &[Rule],
    allow_unsafe: bool,
    backends: &[&dyn Backend],
    resolved: &mut Resolved,
) -> Result<(), PlanError> {
    let waits = |rule: &Rule| matches!(&rule.kind, RuleKind::Operation(spec) if spec.delay.is_some());
    let of = |kind| backends.iter().find(move |backend| backend.kind() == kind);
    let mut slept_at = BTreeSet::new();
    // Those who wait first: then it is known at which hooks somebody does.
    let (first, then): (Vec<_>, Vec<_>) = rules.iter().zip(0u32..).partition(|(rule, _)| waits(rule));
    let mut by_hook: BTreeMap<u16, Vec<Asked>> = BTreeMap::new();
    for (rule, place) in first.into_iter().chain(then) {
        let RuleKind::Operation(spec) = &rule.kind else { continue };
        let kind = if spec.delay.is_some() { BackendKind::CallDelayHook } else { BackendKind::Hook };
        let Some(backend) = of(kind) else { continue };
        for &operation in &spec.operations {
            let refused = |cause, instead: Option<Instead>| PlanError::Operation {
                rule: rule.text.clone(),
                operation: operation.name,
                cause,
                instead: instead.map(Box::new),
            };
            let sites = backend
                .operation_sites(operation)
                .map_err(|cause| refused(cause, instead::of_delay(spec)))?;
            if spec.error.is_some_and(|error| Verdicts::of(-i64::from(error.number())).unsafe_at_hooks) {
                return Err(refused(unsafe_error(), instead::of_error(spec)));
            }
            for mut site in sites {
                if kind == BackendKind::CallDelayHook {
                    check_locks(rule, operation, &site, allow_unsafe)?;
                    slept_at.insert(site.hook);
                } else if slept_at.contains(&site.hook) {
                    site.backend = BackendKind::CallDelayHook;
                }
                by_hook.entry(site.hook).or_default().push(Asked {
                    operation: operations::number(operation),
                    mask: operation.mask,
                    ..Asked::by(place)
                });
                resolved.sites.insert(site);
            }
        }
    }
    for (hook, mut rules) in by_hook {
        rules.sort_by_key(|asked| asked.rule);
        let backend = if slept_at.contains(&hook) { BackendKind::CallDelayHook } else { BackendKind::Hook };
        let end = End { backend, rules };
        resolved.calls.insert(hook_entry(hook.into()), Caught { before: Some(end), ..Caught::default() });
    }
    Ok(())
}

/// Others than those who are meant would wait: only with `--unsafe`.
fn check_locks(rule: &Rule, operation: &Operation, site: &Site, allow_unsafe: bool) -> Result<(), PlanError> {
    match held_at(&site.function) {
        Some(held) if !allow_unsafe => {
            Err(PlanError::Locked { rule: rule.text.clone(), operation: operation.name, held })
        }
        _ => Ok(()),
    }
}

fn unsafe_error() -> Unsupported {
    Unsupported::missing(
        Mechanism::Hook,
        "a security hook can only return an errno from 1 to 511 other than ECHILD and ESTALE; anything else \
         crashes the kernel or makes it try again",
        "choose another error",
    )
}
