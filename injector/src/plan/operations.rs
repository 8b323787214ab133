//! Rules on operations to the hooks that they pass.

use std::collections::BTreeMap;

use injector_common::call::hook_entry;

use super::{
    calls::{Asked, Caught, End, Resolved},
    error::PlanError,
};
use crate::{
    kernel::{
        Mechanism, Unsupported,
        syscall::{Backend, BackendKind, Verdicts},
    },
    operations,
    spec::model::{Rule, RuleKind},
};

/// Finds the hooks of every operation of every rule, and adds them to what is `resolved`.
pub(super) fn resolve(
    rules: &[Rule],
    backends: &[Box<dyn Backend + '_>],
    resolved: &mut Resolved,
) -> Result<(), PlanError> {
    let Some(hooks) = backends.iter().find(|backend| backend.kind() == BackendKind::Hook) else {
        return Ok(());
    };
    let mut by_hook: BTreeMap<u16, Vec<Asked>> = BTreeMap::new();
    for (rule, place) in rules.iter().zip(0u32..) {
        let RuleKind::Operation(spec) = &rule.kind else { continue };
        for operation in &spec.operations {
            let refused =
                |cause| PlanError::Operation { rule: rule.text.clone(), operation: operation.name, cause };
            let sites = hooks.operation_sites(operation).map_err(refused)?;
            if Verdicts::of(-i64::from(spec.error.number())).unsafe_at_hooks {
                return Err(refused(unsafe_error()));
            }
            for site in sites {
                by_hook.entry(site.hook).or_default().push(Asked {
                    operation: operations::number(operation),
                    mask: operation.mask,
                    ..Asked::by(place)
                });
                resolved.sites.insert(site);
            }
        }
    }
    for (hook, rules) in by_hook {
        let end = End { backend: BackendKind::Hook, rules };
        resolved.calls.insert(hook_entry(hook.into()), Caught { before: Some(end), ..Caught::default() });
    }
    Ok(())
}

fn unsafe_error() -> Unsupported {
    Unsupported::missing(
        Mechanism::Hook,
        "a security hook can only return an errno from 1 to 511 other than ECHILD and ESTALE; anything else \
         crashes the kernel or makes it try again",
        "choose another error",
    )
}
